//! Calibration data: samples for each input of a model, checked against its shapes.

use crate::error::{Error, Result};
use crate::net::{Element, Net, Tensor};
use crate::npy::{Array, longer, permutation_hint};

/// Samples for each input of a net, as the bytes that its tensors take.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    count: usize,
    /// Per input, all samples one behind the other.
    inputs: Vec<Vec<u8>>,
}

impl Samples {
    /// From arrays, each a list of samples along its first axis: one per input, found by its name where there are several inputs.
    ///
    /// # Errors
    /// [`Error::Calibration`] where names, shapes or numbers of samples do not fit, or a value is not finite.
    pub fn from_arrays(net: &Net, arrays: &[(String, Array)]) -> Result<Self> {
        let mut samples = Self { count: 0, inputs: Vec::new() };
        for (index, &id) in net.inputs.iter().enumerate() {
            let tensor = &net.tensors[id];
            let (name, array) = choose(net, arrays, index)?;
            let count = count_of(tensor, array, name)?;
            if index > 0 && count != samples.count {
                return Err(fault(format!("{name} has {count} samples, the input before it {}", samples.count)));
            }
            samples.count = count;
            samples.inputs.push(bytes(tensor, array, name)?);
        }
        if samples.count == 0 {
            return Err(fault("the calibration data hold no sample".into()));
        }
        Ok(samples)
    }

    /// The largest magnitude of the samples of an input of real numbers.
    pub fn largest(&self, net: &Net, input: usize) -> Option<f32> {
        let tensor = &net.tensors[*net.inputs.get(input)?];
        let bytes = self.inputs.get(input).filter(|_| tensor.element == Element::F32)?;
        let magnitudes = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).abs());
        Some(magnitudes.fold(0.0, f32::max))
    }

    /// From slices, one per sample, of the values of the model's one input.
    ///
    /// # Errors
    /// As [`from_arrays`](Self::from_arrays).
    pub fn from_slices(net: &Net, slices: impl IntoIterator<Item: AsRef<[f32]>>) -> Result<Self> {
        let &[id] = &net.inputs[..] else {
            return Err(fault(format!("slices of one input given, the model has {}", net.inputs.len())));
        };
        let tensor = &net.tensors[id];
        let mut values = Vec::new();
        let mut count = 0;
        for slice in slices {
            let slice = slice.as_ref();
            if slice.len() != tensor.len() {
                let text =
                    format!("sample {count} has {} values, {} takes {}", slice.len(), described(tensor), tensor.len());
                return Err(fault(text));
            }
            values.extend(slice.iter().map(|&value| f64::from(value)));
            count += 1;
        }
        let array = Array { shape: [&[count], &tensor.shape[..]].concat(), values };
        Self::from_arrays(net, &[("the calibration data".into(), array)])
    }

    /// Puts samples behind these.
    pub fn append(&mut self, other: Self) {
        self.count += other.count;
        self.inputs.iter_mut().zip(other.inputs).for_each(|(to, from)| to.extend(from));
    }

    /// Number of samples.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The bytes of input `index` of a sample.
    pub fn input(&self, index: usize, sample: usize) -> &[u8] {
        let length = self.inputs[index].len() / self.count;
        &self.inputs[index][sample * length..][..length]
    }
}

fn fault(text: String) -> Error {
    Error::Calibration(text)
}

fn described(tensor: &Tensor) -> String {
    format!("the input \"{}\" {} {:?}", tensor.name.escape_debug(), tensor.element, tensor.shape)
}

/// What people call an input: TensorFlow writes `serving_default_audio:0` for what they named `audio`.
fn bare(name: &str) -> &str {
    let name = name.strip_prefix("serving_default_").unwrap_or(name);
    name.split_once(':').map_or(name, |(name, _)| name)
}

/// The array of input `index`: the only one, the one of its name, or the one at its place where numpy named the arrays.
fn choose<'a>(net: &Net, arrays: &'a [(String, Array)], index: usize) -> Result<(&'a str, &'a Array)> {
    let count = net.inputs.len();
    let name = &net.tensors[net.inputs[index]].name;
    let by_name = arrays.iter().find(|(of, _)| of == name).or_else(|| {
        // Bare names count where they are distinct.
        let is_one = net.inputs.iter().filter(|&&id| bare(&net.tensors[id].name) == bare(name)).count() == 1;
        arrays.iter().find(|(of, _)| is_one && of == bare(name))
    });
    let found = match arrays {
        [only] if count == 1 => Some(only),
        _ if by_name.is_some() => by_name,
        // One input, and a file of several arrays: the names that people give the inputs of a network.
        _ if count == 1 => {
            arrays.iter().find(|(of, _)| ["x", "calibration", "data", "inputs", "arr_0"].contains(&&of[..]))
        }
        // Without names numpy.savez counts: these are in the order of the inputs. Other names would hide that two were exchanged.
        _ => arrays.iter().find(|(of, _)| *of == format!("arr_{index}")),
    };
    found.map(|(name, array)| (&name[..], array)).ok_or_else(|| {
        let names = |all: Vec<&str>| all.join(", ");
        let held = names(arrays.iter().map(|(name, _)| &name[..]).collect());
        let inputs = names(net.inputs.iter().map(|&id| bare(&net.tensors[id].name)).collect());
        fault(if count == 1 {
            format!("the calibration data hold {held} alone; the input is called {inputs}: give its array that name, or x")
        } else {
            format!(
                "the calibration data hold {held} alone; an array per input is needed, by name: {inputs}; numpy.savez without names gives them in that order"
            )
        })
    })
}

/// How many samples an array holds for a tensor. Lengths of 1 do not count, and a batch of 1 may be left out.
fn count_of(tensor: &Tensor, array: &Array, name: &str) -> Result<usize> {
    let shape = &array.shape;
    match shape.split_first() {
        Some((&count, rest)) if longer(rest) == longer(&tensor.shape) && count > 0 => return Ok(count),
        _ if array.values.is_empty() => return Err(fault(format!("{name} is empty: shape {shape:?}"))),
        _ => {}
    }
    let hint = if longer(shape) == longer(&tensor.shape) {
        "; for one sample, give it an axis of samples: numpy's x[None]".into()
    } else {
        let count = shape.first().copied().unwrap_or(1);
        let of_samples = [&[count], &tensor.shape[..]].concat();
        let swapped = permutation_hint(shape, &of_samples);
        if swapped.is_empty() && shape.iter().product::<usize>() == of_samples.iter().product::<usize>() {
            let lengths: Vec<String> = longer(&tensor.shape).iter().map(usize::to_string).collect();
            format!("; where the values are in that order, reshape them: x.reshape(-1, {})", lengths.join(", "))
        } else {
            swapped
        }
    };
    let list = |lengths: &[usize]| lengths.iter().map(|length| format!(", {length}")).collect::<String>();
    let without_ones = match longer(&tensor.shape) {
        short if short == tensor.shape => String::new(),
        short => format!(", or [samples{}]", list(&short)),
    };
    Err(fault(format!(
        "{name} has shape {shape:?}; {} takes [samples{}]{without_ones}{hint}",
        described(tensor),
        list(&tensor.shape)
    )))
}

/// The values as the bytes of the tensor.
fn bytes(tensor: &Tensor, array: &Array, name: &str) -> Result<Vec<u8>> {
    if let Some(index) = array.values.iter().position(|value| !(*value as f32).is_finite()) {
        let (sample, value) = (index / tensor.len(), array.values[index]);
        return Err(fault(format!("{name} holds {value} in sample {sample}: all values have to be finite")));
    }
    let integer = |value: f64, least: f64, largest: f64| {
        if value.trunc() == value && (least..=largest).contains(&value) {
            return Ok(value as i64);
        }
        Err(fault(format!("{name} holds {value}, {} takes integers from {least} to {largest}", described(tensor))))
    };
    let mut bytes = Vec::with_capacity(array.values.len() * tensor.element.bits() / 8);
    for &value in &array.values {
        match tensor.element {
            Element::F32 => bytes.extend((value as f32).to_le_bytes()),
            Element::Bool => bytes.push(u8::from(value != 0.0)),
            element => {
                let (least, largest) = element
                    .range()
                    .ok_or_else(|| fault(format!("{}: the type cannot be calibrated", described(tensor))))?;
                let value = integer(value, least as f64, largest as f64)?;
                bytes.extend(&value.to_le_bytes()[..element.bits() / 8]);
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::RemovedChannels;

    fn net() -> Net {
        let input = |name: &str| Tensor::new(name.into(), Element::F32, vec![1, 1], None);
        let tensors = vec![input("serving_default_a:0"), input("serving_default_b:0")];
        let removed = RemovedChannels::default();
        Net { tensors, nodes: vec![], inputs: vec![0, 1], outputs: vec![0], removed }
    }

    fn first(names: [&str; 2]) -> Result<f32> {
        let array = |value: f64| Array { shape: vec![1, 1], values: vec![value] };
        let arrays = [(names[0].to_owned(), array(1.0)), (names[1].to_owned(), array(2.0))];
        let samples = Samples::from_arrays(&net(), &arrays)?;
        Ok(f32::from_le_bytes(samples.input(0, 0).try_into().expect("a number")))
    }

    #[test]
    fn arrays_are_found_by_name_and_never_exchanged() {
        assert_eq!(first(["b", "a"]).unwrap(), 2.0);
        assert_eq!(first(["serving_default_b:0", "a"]).unwrap(), 2.0);
        assert_eq!(first(["arr_0", "arr_1"]).unwrap(), 1.0);
        for names in [["a", "c"], ["left", "right"]] {
            let said = first(names).unwrap_err().to_string();
            assert!(said.contains("by name: a, b"), "{said}");
        }
    }
}

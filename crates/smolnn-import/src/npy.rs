//! NumPy's `.npy` and `.npz` files, as far as tensors of a model need them: little endian, C order.

use std::fmt::Debug;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result as ImportResult};
use crate::net::{Element, Tensor, from_f16};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Whether the path's extension says that the file is one.
pub fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npy")
}

/// NumPy's name of the element type.
fn descr(element: Element) -> &'static str {
    match element {
        Element::I8 => "|i1",
        Element::U8 => "|u1",
        Element::Bool => "|b1",
        Element::I16 => "<i2",
        Element::I32 => "<i4",
        Element::F32 => "<f4",
        _ => "|V1",
    }
}

/// Scale and zero point of a tensor, for real values; 1 and 0 where it has none.
pub fn scale_and_point(tensor: &Tensor) -> (f32, i32) {
    match &tensor.quantisation {
        Some(of) if of.scales.len() == 1 => (of.scales[0], of.zero_points[0]),
        _ => (1.0, 0),
    }
}

/// Real values, to the nearest stored ones of the tensor, halves away from zero; what lies beyond its type is clamped. `None` where the tensor has
/// no scale.
fn quantise(values: impl Iterator<Item = f32>, tensor: &Tensor) -> Option<Vec<u8>> {
    tensor.quantisation.as_ref().filter(|of| of.scales.len() == 1)?;
    let ((scale, point), (least, largest)) = (scale_and_point(tensor), tensor.element.range()?);
    let width = tensor.element.bits() / 8;
    let store = |value: f32| {
        let stored = (f64::from((value / scale).round()) + f64::from(point)).clamp(least as f64, largest as f64);
        (stored as i64).to_le_bytes()[..width].to_vec()
    };
    Some(values.flat_map(store).collect())
}

/// An array of real numbers or integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its elements, the last axis fastest.
    pub values: Vec<f64>,
}

impl Array {
    /// From the bytes of a `.npy` file of numbers or truth values.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse(file: &[u8]) -> Result<Self, String> {
        let Stored { descr, shape, data } = Stored::parse(file)?;
        fn list<const N: usize>(data: &[u8], number: fn([u8; N]) -> f64) -> (usize, Vec<f64>) {
            (N, data.as_chunks().0.iter().map(|&bytes| number(bytes)).collect())
        }
        let (width, values) = match &descr[..] {
            "|i1" | "<i1" => list(data, |b| i8::from_le_bytes(b).into()),
            "|u1" | "<u1" | "|b1" => list(data, |b| u8::from_le_bytes(b).into()),
            "<i2" => list(data, |b| i16::from_le_bytes(b).into()),
            "<u2" => list(data, |b| u16::from_le_bytes(b).into()),
            "<i4" => list(data, |b| i32::from_le_bytes(b).into()),
            "<u4" => list(data, |b| u32::from_le_bytes(b).into()),
            "<i8" => list(data, |b| i64::from_le_bytes(b) as f64),
            "<u8" => list(data, |b| u64::from_le_bytes(b) as f64),
            "<f2" => list(data, |b| from_f16(u16::from_le_bytes(b)).into()),
            "<f4" => list(data, |b| f32::from_le_bytes(b).into()),
            "<f8" => list(data, f64::from_le_bytes),
            _ => {
                return Err(format!(
                    "elements of type {descr}; little-endian integers and floats are read: save x.astype(\"float32\")"
                ));
            }
        };
        let count = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
        if count != Some(values.len()) || data.len() != values.len() * width {
            return Err(format!("{} bytes of data, which is not what shape {shape:?} of {descr} takes", data.len()));
        }
        Ok(Self { shape, values })
    }

    /// All arrays of a `.npy` or `.npz` file with their names; that of a `.npy` file is called "the array".
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, [`Error::Calibration`] when it is not what its extension says.
    pub fn open(path: &Path) -> ImportResult<Vec<(String, Self)>> {
        let fault = |text: String| Error::Calibration(format!("{}: {text}", path.display()));
        let failed = |source| Error::File { path: path.into(), source };
        let bytes =
            read_some(std::fs::File::open(path).map_err(failed)?).map_err(failed)?.ok_or_else(|| fault(too_long()))?;
        if is_npy(path) {
            return Ok(vec![("the array".into(), Self::parse(&bytes).map_err(fault)?)]);
        }
        if !is_npz(path) {
            return Err(fault("neither .npy nor .npz: save an array of samples by numpy.save".into()));
        }
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| fault(format!("{error}; the file is cut off or no .npz: save it again by numpy.savez")))?;
        let mut arrays = Vec::new();
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(|error| fault(error.to_string()))?;
            let name = entry.name().map_err(|error| fault(error.to_string()))?;
            let name = name.trim_end_matches(".npy").to_owned();
            let bytes = read_some(entry).map_err(|error| fault(format!("{name}: {error}")))?;
            let bytes = bytes.ok_or_else(|| fault(format!("{name}: {}", too_long())))?;
            arrays.push((name.clone(), Self::parse(&bytes).map_err(|error| fault(format!("{name}: {error}")))?));
        }
        if arrays.is_empty() {
            return Err(fault("an archive without arrays".into()));
        }
        Ok(arrays)
    }

    /// The `.npy` and `.npz` files that a path names: the file itself, or those of a folder in the order of their names.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read, [`Error::Calibration`] when it holds no such file.
    pub fn files(path: &Path) -> ImportResult<Vec<PathBuf>> {
        if !path.is_dir() {
            return Ok(vec![path.into()]);
        }
        let failed = |source| Error::File { path: path.into(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            // What systems leave beside files begins with a dot.
            let is_hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !is_hidden && (is_npy(&file) || is_npz(&file)) {
                files.push(file);
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(Error::Calibration(format!("{}: no .npy or .npz file in it", path.display())));
        }
        Ok(files)
    }
}

/// The most bytes of an array: more are a mistake, or an archive that was made to fill the memory.
const MOST: u64 = 1 << 30;

/// All bytes, or nothing where there are more than [`MOST`].
fn read_some(from: impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(MOST + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() as u64 <= MOST))
}

fn too_long() -> String {
    format!("more than {} MB: 100 to 500 samples are enough", MOST >> 20)
}

/// Whether the path's extension says that the file is an archive of arrays.
pub(crate) fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npz")
}

/// A `.npy` file: the name of its element type, its shape, its bytes.
struct Stored<'a> {
    descr: String,
    shape: Vec<usize>,
    data: &'a [u8],
}

impl<'a> Stored<'a> {
    fn parse(file: &'a [u8]) -> Result<Self, String> {
        let rest = file.strip_prefix(MAGIC).ok_or("not a .npy file: its magic bytes are missing")?;
        let (header, data) = match rest {
            [1, _, a, b, rest @ ..] => rest.split_at_checked(u16::from_le_bytes([*a, *b]).into()),
            [2 | 3, _, a, b, c, d, rest @ ..] => rest.split_at_checked(u32::from_le_bytes([*a, *b, *c, *d]) as usize),
            _ => return Err("a .npy version other than 1, 2 and 3".into()),
        }
        .ok_or("the .npy header is cut off")?;
        let header = String::from_utf8_lossy(header);
        let after = |key: &str| {
            header
                .split_once(&format!("'{key}':"))
                .map(|(_, value)| value.trim_start())
                .ok_or(format!("the .npy header has no {key}"))
        };
        let descr =
            after("descr")?.trim_start_matches(['\'', '"']).split(['\'', '"']).next().unwrap_or("").replace('=', "<");
        if !after("fortran_order")?.starts_with("False") {
            return Err("columns first (fortran_order), rows first needed: save numpy.ascontiguousarray(x)".into());
        }
        let shape = after("shape")?.trim_start_matches('(').split(')').next().unwrap_or("");
        let shape = shape
            .split(',')
            .map(str::trim)
            .filter(|length| !length.is_empty())
            .map(str::parse::<usize>)
            .collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| "a shape that is no list of lengths")?;
        Ok(Self { descr, shape, data })
    }
}

/// The bytes of the array, if it fits the tensor, once for each of `calls` calls. A shape that differs by dimensions of 1 is accepted; so are numbers of
/// another type where the tensor has real ones, real numbers where it is quantised, and integers of another width that fit into its own.
pub fn read(file: &[u8], tensor: &Tensor, calls: usize) -> Result<Vec<u8>, String> {
    let Stored { descr: found, shape, data } = Stored::parse(file)?;
    let expected = descr(tensor.element);
    let name = tensor.name.escape_debug();
    let (first, rest) = tensor.shape.split_first().unwrap_or((&1, &[]));
    let batched = [&[calls * first], rest].concat();
    let calls_first = [&[calls], &tensor.shape[..]].concat();
    if longer(&shape) != longer(&batched) && longer(&shape) != longer(&calls_first) {
        let of_calls = if calls == 1 { String::new() } else { format!(" for each of {calls} calls") };
        let hint = match shape.split_first() {
            Some((&held, rest)) if held > 0 && longer(rest) == longer(&tensor.shape) => {
                let way = if calls == 1 { format!(": --calls {held} runs them all") } else { String::new() };
                format!("; the file holds {held} of them{way}")
            }
            _ => permutation_hint(&shape, if calls == 1 { &tensor.shape } else { &calls_first }),
        };
        return Err(format!("shape {shape:?}, the input \"{name}\" takes {:?}{of_calls}{hint}", tensor.shape));
    }
    if found.trim_start_matches(['<', '|']) == expected.trim_start_matches(['<', '|']) {
        let takes = calls * tensor.bytes();
        return if data.len() == takes {
            Ok(data.to_vec())
        } else {
            Err(format!("{} bytes of data, the shape takes {takes}", data.len()))
        };
    }
    let refuse = || format!("elements of type {found}, the input \"{name}\" takes {expected} ({})", tensor.element);
    let values = Array::parse(file).map_err(|_| refuse())?.values;
    if tensor.element == Element::F32 {
        return Ok(values.into_iter().flat_map(|value| (value as f32).to_le_bytes()).collect());
    }
    if tensor.quantisation.is_some() {
        // An integer may be a stored value or a real one: only the file's own type says which.
        if !found.contains('f') {
            return Err(format!("{}; or real numbers, such as float32, which are quantised as the input is", refuse()));
        }
        let stored = quantise(values.into_iter().map(|value| value as f32), tensor);
        return stored.ok_or_else(|| format!("real values, but the input \"{name}\" has no one scale"));
    }
    let (least, largest) = tensor.element.range().ok_or_else(refuse)?;
    let width = tensor.element.bits() / 8;
    let fits = |value: &f64| value.trunc() == *value && (least as f64..=largest as f64).contains(value);
    if let Some(value) = values.iter().find(|value| !fits(value)) {
        return Err(format!("{value}, the input \"{name}\" takes {} from {least} to {largest}", tensor.element));
    }
    Ok(values.into_iter().flat_map(|value| (value as i64).to_le_bytes().into_iter().take(width)).collect())
}

/// The lengths other than 1.
pub(crate) fn longer(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&length| length != 1).collect()
}

/// What to do with an array of one shape where another is wanted, when its axes only stand in another order; otherwise nothing.
pub(crate) fn permutation_hint(found: &[usize], wanted: &[usize]) -> String {
    let target = longer(wanted);
    if longer(found).len() != target.len() {
        return String::new();
    }
    // Axes of length 1 go to the end, where they do not matter.
    let mut axes: Vec<usize> = Vec::new();
    for length in &target {
        match (0..found.len()).find(|axis| found[*axis] == *length && !axes.contains(axis)) {
            Some(axis) => axes.push(axis),
            None => return String::new(),
        }
    }
    if axes.is_sorted() {
        return String::new();
    }
    axes.extend((0..found.len()).filter(|axis| found[*axis] == 1));
    let list = axes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    format!("; are the axes in another order? numpy's transpose({list}) gives this one")
}

/// Elements as a `.npy` file of version 1.
pub fn write(bytes: &[u8], element: Element, shape: &[usize]) -> Vec<u8> {
    let shape = shape.iter().map(|length| format!("{length},")).collect::<String>();
    let mut header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({shape}), }}", descr(element));
    // The header ends in a newline where the data start at a multiple of 64 bytes.
    let start = MAGIC.len() + 4;
    let padding = (start + header.len() + 1).next_multiple_of(64) - start - header.len() - 1;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    let mut file = MAGIC.to_vec();
    file.extend([1, 0]);
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    file
}

/// The elements as a list of numbers, for printing.
pub fn values(bytes: &[u8], element: Element) -> String {
    fn list<T: Debug, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T) -> String {
        format!("{:?}", bytes.as_chunks().0.iter().map(|&bytes| number(bytes)).collect::<Vec<_>>())
    }
    match element {
        Element::U8 | Element::Bool => list(bytes, u8::from_le_bytes),
        Element::I16 => list(bytes, i16::from_le_bytes),
        Element::I32 => list(bytes, i32::from_le_bytes),
        Element::F32 => list(bytes, f32::from_le_bytes),
        _ => list(bytes, i8::from_le_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let file = write(&[1, 254, 3, 4, 5, 6], Element::I8, &[2, 3]);
        let array = Array::parse(&file).unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 3], vec![1.0, -2.0, 3.0, 4.0, 5.0, 6.0]));
        assert!(Array::parse(&file[..file.len() - 1]).unwrap_err().contains("5 bytes of data"));
        assert!(Array::parse(b"PK").unwrap_err().contains("magic"));
    }

    #[test]
    fn half_precision_is_as_ieee_754_has_it() {
        let known =
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 2.0_f32.powi(-24)), (0x3555, 0.333_251_95)];
        known.iter().for_each(|&(bits, value)| assert_eq!(from_f16(bits), value));
        assert!(from_f16(0x7e00).is_nan() && from_f16(0xfc00) == f32::NEG_INFINITY);
    }

    #[test]
    fn axes_in_another_order_are_recognised() {
        assert!(permutation_hint(&[200, 64, 3], &[200, 1, 3, 64]).contains("transpose(0, 2, 1)"));
        assert!(permutation_hint(&[5, 1, 8, 3], &[5, 3, 8]).contains("transpose(0, 3, 2, 1)"));
        for (found, wanted) in [(&[8, 8, 3][..], &[8, 8, 3][..]), (&[4, 5], &[4, 6]), (&[4, 5], &[4, 5, 6])] {
            assert_eq!(permutation_hint(found, wanted), "", "{found:?}");
        }
    }
}

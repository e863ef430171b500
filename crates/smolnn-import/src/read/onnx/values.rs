//! Constants, element types and shapes, as the file has them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::proto;
use crate::error::Problem;
use crate::net::{Constant, Element, Tensor, from_f16};

/// Largest constant that is accepted, in elements.
const MOST_ELEMENTS: usize = 1 << 26;

/// The element type of texts.
pub(super) const TEXT: i32 = 8;

/// What is wrong with a constant.
pub(super) enum Fault {
    Malformed(String),
    Unsupported(String, String),
}

/// The element type of a code.
pub(super) fn element(code: i32) -> Option<Element> {
    Some(match code {
        1 => Element::F32,
        2 => Element::U8,
        3 => Element::I8,
        4 => Element::U16,
        5 => Element::I16,
        6 => Element::I32,
        7 => Element::I64,
        9 => Element::Bool,
        10 => Element::F16,
        11 => Element::F64,
        12 => Element::U32,
        13 => Element::U64,
        16 => Element::BF16,
        _ => return None,
    })
}

/// The name of an element type for people.
fn name(code: i32) -> String {
    match (code, element(code)) {
        (_, Some(element)) => element.to_string(),
        (TEXT, _) => "STRING".into(),
        _ => format!("element type {code}"),
    }
}

/// A constant as a tensor. Real numbers of other types become FLOAT32, and unsigned ones of more than 8 bits INT64.
pub(super) fn constant_of(tensor: &proto::Tensor, folder: Option<&Path>) -> Result<Tensor, Fault> {
    let of = |found: String, supported: &str| Fault::Unsupported(found, supported.into());
    let stored = element(tensor.data_type)
        .ok_or_else(|| of(format!("of {}", name(tensor.data_type)), "numbers and truth values"))?;
    let shape = tensor.dims.iter().map(|&length| usize::try_from(length)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| Fault::Malformed(format!("shape {:?}", tensor.dims)))?;
    let count = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
    let count = count
        .filter(|&count| count <= MOST_ELEMENTS)
        .ok_or_else(|| of(format!("of shape {shape:?}"), "constants of at most 2^26 elements"))?;
    let size = stored.bits() / 8;
    let bytes = if tensor.data_location == 1 {
        external(tensor, folder, count * size)?
    } else if !tensor.raw_data.is_empty() || count == 0 {
        tensor.raw_data.clone()
    } else {
        listed(tensor, stored)
    };
    if bytes.len() != count * size {
        let found = format!("{} bytes of data, but {stored} {shape:?} takes {}", bytes.len(), count * size);
        return Err(Fault::Malformed(found));
    }
    let real = |values: Vec<f32>| (Element::F32, values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>());
    let long = |values: Vec<i64>| (Element::I64, values.into_iter().flat_map(i64::to_le_bytes).collect::<Vec<u8>>());
    let (element, bytes) = match stored {
        Element::F16 => real(bytes.as_chunks().0.iter().map(|&b| from_f16(u16::from_le_bytes(b))).collect()),
        Element::BF16 => {
            real(bytes.as_chunks().0.iter().map(|&b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)).collect())
        }
        Element::F64 => real(bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect()),
        Element::U16 => long(bytes.as_chunks().0.iter().map(|&b| u16::from_le_bytes(b).into()).collect()),
        Element::U32 => long(bytes.as_chunks().0.iter().map(|&b| u32::from_le_bytes(b).into()).collect()),
        Element::U64 => long(bytes.as_chunks().0.iter().map(|&b| u64::from_le_bytes(b) as i64).collect()),
        other => (other, bytes),
    };
    Ok(Tensor::new(tensor.name.clone(), element, shape, Some(Constant::new(bytes))))
}

/// The bytes of values that the file lists one by one.
fn listed(tensor: &proto::Tensor, element: Element) -> Vec<u8> {
    match element {
        Element::F32 => tensor.float_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Element::F64 => tensor.double_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Element::I64 => tensor.int64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Element::U64 => tensor.uint64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Element::U32 => tensor.uint64_data.iter().flat_map(|&value| (value as u32).to_le_bytes()).collect(),
        Element::I32 => tensor.int32_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Element::I16 | Element::U16 | Element::F16 | Element::BF16 => {
            tensor.int32_data.iter().flat_map(|&value| (value as u16).to_le_bytes()).collect()
        }
        _ => tensor.int32_data.iter().map(|&value| value as u8).collect(),
    }
}

/// The bytes of a constant in a file beside the model.
fn external(tensor: &proto::Tensor, folder: Option<&Path>, bytes: usize) -> Result<Vec<u8>, Fault> {
    let entry = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value[..]);
    let refuse = |found: String| {
        Fault::Unsupported(found, "constants inside the model (torch.onnx.export(.., external_data=False)), or in a file beside it that Model::open finds".into())
    };
    let location = entry("location").ok_or_else(|| Fault::Malformed("external data without a location".into()))?;
    let path = Path::new(location);
    let outside = || format!("in the file \"{}\" outside of the model's folder", location.escape_debug());
    let is_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !path.components().all(is_inside) || location.is_empty() {
        return Err(refuse(outside()));
    }
    let Some(folder) = folder else { return Err(refuse(format!("in the file \"{}\"", location.escape_debug()))) };
    let number = |key: &str| entry(key).map(|text| text.parse::<u64>()).transpose();
    let (Ok(offset), Ok(length)) = (number("offset"), number("length")) else {
        return Err(Fault::Malformed("external data with an offset or length that is no number".into()));
    };
    if length.is_some_and(|length| length != bytes as u64) {
        return Err(Fault::Malformed(format!("{} bytes of external data instead of {bytes}", length.unwrap_or(0))));
    }
    let failed = |error: std::io::Error| {
        refuse(format!("in the file \"{}\": {error}", folder.join(path).display().to_string().escape_debug()))
    };
    // A link may lead out of the folder, and a pipe would be waited for.
    let whole = folder.join(path).canonicalize().map_err(failed)?;
    if !whole.starts_with(folder.canonicalize().map_err(failed)?) {
        return Err(refuse(outside()));
    }
    if !whole.metadata().map_err(failed)?.is_file() {
        return Err(refuse(format!("in \"{}\", which is no regular file", location.escape_debug())));
    }
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&whole)?;
        file.seek(SeekFrom::Start(offset.unwrap_or(0)))?;
        let mut data = Vec::new();
        file.take(bytes as u64).read_to_end(&mut data)?;
        Ok(data)
    };
    read().map_err(failed)
}

/// Lengths for the dimensions that a file leaves open.
pub(super) struct Dimensions<'a> {
    given: &'a [(&'a str, usize)],
    used: BTreeSet<&'a str>,
    /// Names of open dimensions for which no length was given.
    known: BTreeSet<String>,
}

/// Whether a dimension's name says that it counts samples.
fn is_batch(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(&name[..], "n" | "b" | "bs") || name.contains("batch")
}

impl<'a> Dimensions<'a> {
    pub fn new(given: &'a [(&'a str, usize)]) -> Self {
        Self { given, used: BTreeSet::new(), known: BTreeSet::new() }
    }

    /// An input of the graph as a tensor; nothing where there is a problem, which is added to the list.
    pub fn input(&mut self, input: &proto::ValueInfo, problems: &mut Vec<Problem>) -> Option<Tensor> {
        let shown = input.name.escape_debug().to_string();
        let mut refuse = |found: String, supported: String| problems.push(Problem::model(found, supported));
        let Some(tensor) = input.kind.as_ref().and_then(|kind| kind.tensor.as_ref()) else {
            refuse(format!("the input \"{shown}\", which is no tensor"), "tensors".into());
            return None;
        };
        let of_input = match element(tensor.element) {
            Some(Element::I64) => Some(Element::I32),
            Some(Element::F32 | Element::I8 | Element::U8 | Element::I16 | Element::I32 | Element::Bool) => {
                element(tensor.element)
            }
            _ => None,
        };
        if of_input.is_none() {
            let supported = "FLOAT32, INT8, UINT8, INT16, INT32, INT64, BOOL: export the network in float32";
            refuse(format!("the input \"{shown}\" of {}", name(tensor.element)), supported.into());
        }
        let Some(stated) = &tensor.shape else {
            refuse(format!("the input \"{shown}\" without a shape"), "static shapes".into());
            return None;
        };
        let names: Vec<&str> =
            stated.dimensions.iter().map(|dimension| dimension.name.as_deref().unwrap_or("")).collect();
        let mut shape = Vec::new();
        for (axis, dimension) in stated.dimensions.iter().enumerate() {
            if let Some(length) =
                dimension.length.and_then(|length| usize::try_from(length).ok()).filter(|&length| length > 0)
            {
                shape.push(length);
                continue;
            }
            let name = if names[axis].is_empty() { format!("{}.{axis}", input.name) } else { names[axis].into() };
            if let Some(&(given, length)) = self.given.iter().find(|(given, _)| *given == name) {
                self.used.insert(given);
                shape.push(length);
                continue;
            }
            // The first dimension counts samples, unless another one says that it does.
            let counts = is_batch(&name) || axis == 0 && !names.iter().any(|name| is_batch(name));
            self.known.insert(name.clone());
            if counts {
                shape.push(1);
                continue;
            }
            let name = name.escape_debug().to_string();
            refuse(
                format!("dimension {axis} of the input \"{shown}\" left open, as \"{name}\""),
                format!("a length for it: Model::open_with(path, &[(\"{name}\", 49)]), or --dimension {name}=49"),
            );
            shape.push(0);
        }
        let count = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
        if count.is_none_or(|count| count > MOST_ELEMENTS) {
            refuse(format!("the input \"{shown}\" of shape {shape:?}"), "tensors of at most 2^26 elements".into());
            return None;
        }
        let element = of_input.filter(|_| !shape.contains(&0))?;
        Some(Tensor::new(input.name.clone(), element, shape, None))
    }

    /// The problems of lengths that were given for no dimension.
    pub fn unused(&self, graph: &proto::Graph) -> Vec<Problem> {
        let unused = self.given.iter().filter(|(name, _)| !self.used.contains(name));
        let known = if self.known.is_empty() {
            "none".into()
        } else {
            self.known.iter().map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
        };
        let inputs = graph.inputs.len();
        unused
            .map(|(name, _)| {
                let found = format!(
                    "a length for the dimension \"{}\", which none of {inputs} inputs has",
                    name.escape_debug()
                );
                Problem::model(found, format!("dimensions that the file leaves open: {known}"))
            })
            .collect()
    }
}

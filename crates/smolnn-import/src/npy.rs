//! NumPy's `.npy` files, as far as tensors of a model need them: little endian, C order.

use std::fmt::Debug;
use std::path::Path;

use smolnn_import::{Element, Tensor};

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

/// The bytes of the array, if it has the type and shape of the tensor, once for each of `calls` calls. A shape that differs by dimensions of 1 is
/// accepted, and real values where the tensor is quantised.
pub fn read(file: &[u8], tensor: &Tensor, calls: usize) -> Result<Vec<u8>, String> {
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

    let found =
        after("descr")?.trim_start_matches(['\'', '"']).split(['\'', '"']).next().unwrap_or("").replace('=', "<");
    let expected = descr(tensor.element);
    let is_real = matches!(&found[..], "<f4" | "<f8") && found != expected && tensor.quantisation.is_some();
    if found != expected && !is_real && found.trim_start_matches('<') != expected.trim_start_matches('|') {
        return Err(format!(
            "elements of type {found}, the input \"{}\" takes {expected} ({})",
            tensor.name, tensor.element
        ));
    }
    if !after("fortran_order")?.starts_with("False") {
        return Err("columns first (fortran_order), rows first needed".into());
    }
    let shape = after("shape")?.trim_start_matches('(').split(')').next().unwrap_or("");
    let shape = shape
        .split(',')
        .map(str::trim)
        .filter(|length| !length.is_empty())
        .map(str::parse::<usize>)
        .collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| "a shape that is no list of lengths")?;
    let longer = |shape: &[usize]| shape.iter().copied().filter(|&length| length != 1).collect::<Vec<_>>();
    let (first, rest) = tensor.shape.split_first().unwrap_or((&1, &[]));
    let batched = [&[calls * first], rest].concat();
    let calls_first = [&[calls], &tensor.shape[..]].concat();
    if longer(&shape) != longer(&batched) && longer(&shape) != longer(&calls_first) {
        let of_calls = if calls == 1 { String::new() } else { format!(" for each of {calls} calls") };
        return Err(format!("shape {shape:?}, the input \"{}\" takes {:?}{of_calls}", tensor.name, tensor.shape));
    }
    let width = match &found[..] {
        "<f4" => 4,
        "<f8" => 8,
        _ => tensor.element.bits() / 8,
    };
    if data.len() != calls * tensor.len() * width {
        return Err(format!("{} bytes of data, the shape takes {}", data.len(), calls * tensor.len() * width));
    }
    if !is_real {
        return Ok(data.to_vec());
    }
    let stored = if width == 4 {
        quantise(data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)), tensor)
    } else {
        quantise(data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32), tensor)
    };
    stored.ok_or_else(|| format!("real values, but the input \"{}\" has no one scale", tensor.name))
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

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
        Element::I16 => "<i2",
        Element::I32 => "<i4",
        Element::F32 => "<f4",
        _ => "|V1",
    }
}

/// The bytes of the array, if it has the type and shape of the tensor. A shape that differs by dimensions of 1 is accepted.
pub fn read(file: &[u8], tensor: &Tensor) -> Result<Vec<u8>, String> {
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
    if found != expected && !(expected == "|i1" && found == "<i1") {
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
    if longer(&shape) != longer(&tensor.shape) {
        return Err(format!("shape {shape:?}, the input \"{}\" takes {:?}", tensor.name, tensor.shape));
    }
    if data.len() != tensor.bytes() {
        return Err(format!("{} bytes of data, the shape takes {}", data.len(), tensor.bytes()));
    }
    Ok(data.to_vec())
}

/// The tensor as a `.npy` file of version 1.
pub fn write(bytes: &[u8], tensor: &Tensor) -> Vec<u8> {
    let shape = tensor.shape.iter().map(|length| format!("{length},")).collect::<String>();
    let mut header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({shape}), }}", descr(tensor.element));
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
pub fn values(bytes: &[u8], tensor: &Tensor) -> String {
    fn list<T: Debug, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T) -> String {
        format!("{:?}", bytes.as_chunks().0.iter().map(|&bytes| number(bytes)).collect::<Vec<_>>())
    }
    match tensor.element {
        Element::I16 => list(bytes, i16::from_le_bytes),
        Element::I32 => list(bytes, i32::from_le_bytes),
        Element::F32 => list(bytes, f32::from_le_bytes),
        _ => list(bytes, i8::from_le_bytes),
    }
}

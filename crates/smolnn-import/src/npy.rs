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
            _ => return Err(format!("elements of type {descr}; little-endian integers and floats are read")),
        };
        let count = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
        if count != Some(values.len()) || data.len() != values.len() * width {
            return Err(format!("{} bytes of data, which is not what shape {shape:?} of {descr} takes", data.len()));
        }
        Ok(Self { shape, values })
    }

    /// All arrays of a `.npy` or `.npz` file with their names: of a `.npy` file, the file's.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, [`Error::Calibration`] when it is not what its extension says.
    pub fn open(path: &Path) -> ImportResult<Vec<(String, Self)>> {
        let fault = |text: String| Error::Calibration(format!("{}: {text}", path.display()));
        let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
        if is_npy(path) {
            let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            return Ok(vec![(name, Self::parse(&bytes).map_err(fault)?)]);
        }
        if !is_npz(path) {
            return Err(fault("neither .npy nor .npz".into()));
        }
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| fault(error.to_string()))?;
        let mut arrays = Vec::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| fault(error.to_string()))?;
            let name = entry.name().map_err(|error| fault(error.to_string()))?;
            let name = name.trim_end_matches(".npy").to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|error| fault(format!("{name}: {error}")))?;
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
            if is_npy(&file) || is_npz(&file) {
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
        Ok(Self { descr, shape, data })
    }
}

/// The bytes of the array, if it has the type and shape of the tensor, once for each of `calls` calls. A shape that differs by dimensions of 1 is
/// accepted, and real values where the tensor is quantised.
pub fn read(file: &[u8], tensor: &Tensor, calls: usize) -> Result<Vec<u8>, String> {
    let Stored { descr: found, shape, data } = Stored::parse(file)?;
    let expected = descr(tensor.element);
    let is_real = matches!(&found[..], "<f4" | "<f8") && found != expected && tensor.quantisation.is_some();
    if found != expected && !is_real && found.trim_start_matches('<') != expected.trim_start_matches('|') {
        return Err(format!(
            "elements of type {found}, the input \"{}\" takes {expected} ({})",
            tensor.name, tensor.element
        ));
    }
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
}

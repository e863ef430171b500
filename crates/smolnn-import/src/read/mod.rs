//! From the bytes of a file to a net. Each format has a folder; what a file is, its first bytes say.

mod onnx;
mod other;
mod tflite;

pub(crate) use self::tflite::label_lists;
use std::path::Path;

use crate::error::{Error, Problem, Result};
use crate::net::Net;

/// Whether the format of a file has channels in front of rows and columns.
pub(crate) fn has_channels_first(file: &[u8]) -> bool {
    onnx::recognises(file)
}

/// Reads and checks a model file. Lengths that it leaves open are looked up in `dimensions`, constants that lie beside it in `folder`.
///
/// # Errors
/// [`Error::Malformed`] for damaged files and those of an unknown format, [`Error::Unsupported`] with all that keeps the file from being a net.
pub(crate) fn read(file: &[u8], dimensions: &[(&str, usize)], folder: Option<&Path>) -> Result<Net> {
    if tflite::recognises(file) {
        let Some((name, _)) = dimensions.first() else { return tflite::read(file) };
        let found = format!("a length for the dimension \"{}\" of a .tflite model", name.escape_debug());
        return Err(Error::Unsupported(vec![Problem::model(found, "no such lengths: its shapes are static")]));
    }
    if onnx::recognises(file) {
        return onnx::read(file, dimensions, folder);
    }
    Err(Error::Malformed(other::no_model(file)))
}

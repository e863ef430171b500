//! From the bytes of a file to a net. Each format has a folder; what a file is, its first bytes say.

mod other;
mod tflite;

pub(crate) use self::tflite::label_lists;
use crate::error::{Error, Result};
use crate::net::Net;

/// Reads and checks a model file.
///
/// # Errors
/// [`Error::Malformed`] for damaged files and those of an unknown format, [`Error::Unsupported`] with all that keeps the file from being a net.
pub(crate) fn read(file: &[u8]) -> Result<Net> {
    if tflite::recognises(file) { tflite::read(file) } else { Err(Error::Malformed(other::no_model(file))) }
}

//! From the bytes of a file to a net. Each format has a folder; what a file is, its first bytes say.

mod tflite;

use crate::error::{Error, Result};
use crate::net::Net;

/// Reads and checks a model file.
///
/// # Errors
/// [`Error::Malformed`] for damaged files and those of an unknown format, [`Error::Unsupported`] with all that keeps the file from being a net.
pub(crate) fn read(file: &[u8]) -> Result<Net> {
    if tflite::recognises(file) { tflite::read(file) } else { Err(Error::Malformed(no_model(file))) }
}

/// What a file of no known format is instead, as far as its first bytes tell.
fn no_model(file: &[u8]) -> String {
    let what = match file {
        [] => "the file is empty",
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', ..] => {
            "it is a Git LFS pointer: fetch the file with `git lfs pull`"
        }
        [b'P', b'K', 3, 4, ..] => "it is a ZIP archive (a Keras model?): convert it with TFLiteConverter",
        [0x89, b'H', b'D', b'F', ..] => "it is an HDF5 file (a Keras model?): convert it with TFLiteConverter",
        _ => "the file identifier TFL3 is missing at byte 4",
    };
    what.into()
}

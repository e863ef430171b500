//! Any function of an int16 value, interpolated linearly between 513 corners, as TensorFlow Lite does it.
//!
//! - Interval k of 512 covers the inputs from (k − 256)·128 on; y = c_k + ((c_(k+1) − c_k)·(x mod 128) + 64) >> 7.
//! - What the corners are is their maker's: here, those of softmax ([`softmax_int16`](crate::softmax_int16)); the importer makes those of EXP, LOG and GELU.
//! - Held by: random corners against the oracle (tests/host/registry/conformance.rs); EXP, LOG and GELU of tests/data/random_models.

use smolnn_core::ShapeError;

use crate::tensors::{Source, Tensors};
use crate::transcendental::interpolate;

/// The outputs of a function for the int16 inputs −32768, −32640, … 32640 and 32768, from corner to corner 128 inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corners<'a>(&'a [i16; 513]);

impl<'a> Corners<'a> {
    /// From all corners.
    ///
    /// # Errors
    /// [`ShapeError::Length`] unless there are 513.
    pub const fn new(corners: &'a [i16]) -> Result<Self, ShapeError> {
        match corners.first_chunk() {
            Some(first) if corners.len() == 513 => Ok(Self(first)),
            _ => Err(ShapeError::Length { what: "the corners", expected: 513, found: corners.len() }),
        }
    }
}

/// Runs a function of `length` int16 values; input and output may be one.
///
/// # Errors
/// [`ShapeError`] when input or output have another length, or overlap where they must not.
pub fn interpolate_int16(
    corners: &Corners<'_>,
    length: usize,
    mut tensors: impl Tensors<i16>,
) -> Result<(), ShapeError> {
    tensors.check(length, length, 0)?;
    let (input, output) = tensors.split();
    input.map(output, |value| interpolate(corners.0, value.into()) as i16);
    Ok(())
}

//! Magnitude, int8 as a table, int16 element by element: y = clamp(z_out + M · |x − z_in|), M the multiplier of s_in / s_out in f64.
//!
//! - Rounding: [`Multiplier::apply`].
//! - Held by: random values against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::Table;
use super::elements::{Elements, tabulated};
use crate::quantise::{Affine, Multiplier};
use crate::tensors::Tensors;

/// A magnitude of int16, checked.
#[derive(Clone, Copy, Debug)]
pub struct AbsInt16 {
    elements: Elements,
    multiplier: Multiplier,
}

impl AbsInt16 {
    /// Of `length` elements, from one quantisation to another.
    ///
    /// # Errors
    /// [`ShapeError`] when the length is 0, the scales are not positive or do not fit each other, or a zero point lies outside of int16.
    pub const fn new(length: usize, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        let elements = match Elements::new("the length of the magnitude", length, input, output) {
            Ok(elements) => elements,
            Err(error) => return Err(error),
        };
        match Multiplier::try_from_f64(input.scale as f64 / output.scale as f64) {
            Ok(multiplier) => Ok(Self { elements, multiplier }),
            Err(error) => Err(error),
        }
    }

    #[inline(always)]
    const fn apply(&self, value: i32) -> i32 {
        self.elements.output(self.multiplier.apply(self.elements.input(value).abs()))
    }
}

impl Table {
    /// The magnitude from one quantisation to another, with the reference's bits; clamped to int8. Run by
    /// [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other, or a zero point lies outside of int16.
    pub const fn abs(input: Affine, output: Affine) -> Result<Self, ShapeError> {
        tabulated!(AbsInt16::new(1, input, output))
    }
}

/// Runs an int16 magnitude; input and output may be one. |−32768| is 32767 where nothing is rescaled.
///
/// # Errors
/// [`ShapeError`] when input or output have another length than the layer says, or overlap where they must not.
pub fn abs_int16(layer: &AbsInt16, tensors: impl Tensors<i16>) -> Result<(), ShapeError> {
    layer.elements.run(tensors, |value| layer.apply(value))
}

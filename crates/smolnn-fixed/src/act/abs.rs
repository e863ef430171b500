//! Magnitude, int8 as a table, int16 element by element: y = clamp(z_out + M · |x − z_in|), M the multiplier of s_in / s_out in f64.
//!
//! - Rounding: [`Multiplier::apply`].
//! - Held by: random values against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::Table;
use crate::quantise::{Affine, Multiplier, clamp};
use crate::tensors::{Source, Tensors};

/// A magnitude of int16, checked.
#[derive(Clone, Copy, Debug)]
pub struct AbsInt16 {
    length: usize,
    multiplier: Multiplier,
    input_zero_point: i32,
    output_zero_point: i32,
}

impl AbsInt16 {
    /// Of `length` elements, from one quantisation to another.
    ///
    /// # Errors
    /// [`ShapeError`] when the length is 0, the scales are not positive or do not fit each other, or a zero point lies outside of int16.
    pub const fn new(length: usize, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        if length == 0 {
            return Err(ShapeError::Zero("the length of the magnitude"));
        }
        if let Err(error) = input.check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        if let Err(error) = output.check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        match Multiplier::try_from_f64(input.scale as f64 / output.scale as f64) {
            Ok(multiplier) => Ok(Self {
                length,
                multiplier,
                input_zero_point: input.zero_point,
                output_zero_point: output.zero_point,
            }),
            Err(error) => Err(error),
        }
    }

    #[inline(always)]
    const fn apply(&self, value: i32) -> i32 {
        self.multiplier.apply((value - self.input_zero_point).abs()).saturating_add(self.output_zero_point)
    }
}

impl Table {
    /// The magnitude from one quantisation to another, with the reference's bits; clamped to int8. Run by
    /// [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other, or a zero point lies outside of int16.
    pub const fn abs(input: Affine, output: Affine) -> Result<Self, ShapeError> {
        let layer = match AbsInt16::new(1, input, output) {
            Ok(layer) => layer,
            Err(error) => return Err(error),
        };
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            table[index] = clamp(layer.apply(index as i32 - 128), -128, 127) as i8;
            index += 1;
        }
        Ok(Self::from_ascending(&table))
    }
}

/// Runs an int16 magnitude; input and output may be one. |−32768| is 32767 where nothing is rescaled.
///
/// # Errors
/// [`ShapeError`] when input or output have another length than the layer says, or overlap where they must not.
pub fn abs_int16(layer: &AbsInt16, mut tensors: impl Tensors<i16>) -> Result<(), ShapeError> {
    tensors.check(layer.length, layer.length, 0)?;
    let (input, output) = tensors.split();
    input.map(output, |value| clamp(layer.apply(i32::from(value)), -32768, 32767) as i16);
    Ok(())
}

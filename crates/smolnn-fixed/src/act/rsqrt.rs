//! Inverse square root, int8 as a table, int16 element by element: y = clamp(z_out + M · 2^20 / √(x − z_in)), M the multiplier of
//! 1 / (2^20 · √s_in · s_out), root, product and quotient in f64.
//!
//! - The reference's integer sequence: 1/√v as a mantissa of 31 bits and a shift ([`transcendental`](crate::transcendental)),
//!   brought to 20 fraction bits by [`Multiplier::apply`], which rounds the product with M as well.
//! - 1/√0 is the largest value of the type. So is the result of negative numbers, for which the reference refuses to run.
//! - Held by: random values against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::Table;
use crate::quantise::{Affine, Multiplier, clamp};
use crate::real;
use crate::tensors::{Source, Tensors};
use crate::transcendental::inverse_square_root;

/// Fraction bits of the root before it is rescaled.
const FRACTION: i32 = 20;

/// An inverse square root of int16, checked.
#[derive(Clone, Copy, Debug)]
pub struct RsqrtInt16 {
    length: usize,
    multiplier: Multiplier,
    input_zero_point: i32,
    output_zero_point: i32,
}

impl RsqrtInt16 {
    /// Of `length` elements, from one quantisation to another.
    ///
    /// # Errors
    /// [`ShapeError`] when the length is 0, a scale is not positive, they do not fit each other, or a zero point lies outside of int16.
    pub const fn new(length: usize, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        if length == 0 {
            return Err(ShapeError::Zero("the length of the inverse square root"));
        }
        if let Err(error) = input.check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        if let Err(error) = output.check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        let factor = 1.0 / (real::sqrt(input.scale as f64) * output.scale as f64);
        let multiplier = match Multiplier::try_from_f64(factor) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        if multiplier.shift - FRACTION < -31 {
            return Err(ShapeError::Range("the scales of the inverse square root are too large"));
        }
        Ok(Self {
            length,
            multiplier: Multiplier { shift: multiplier.shift - FRACTION, ..multiplier },
            input_zero_point: input.zero_point,
            output_zero_point: output.zero_point,
        })
    }

    /// The output before it is clamped to its type.
    const fn apply(&self, value: i32) -> i32 {
        let value = value - self.input_zero_point;
        if value <= 0 {
            return i32::MAX;
        }
        let root = inverse_square_root(value);
        let root = Multiplier { shift: root.shift + FRACTION, ..root }.apply(1);
        self.multiplier.apply(root).saturating_add(self.output_zero_point)
    }
}

impl Table {
    /// The inverse square root from one quantisation to another, with the reference's bits; clamped to int8. Run by
    /// [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when a scale is not positive, they do not fit each other, or a zero point lies outside of int16.
    pub const fn rsqrt(input: Affine, output: Affine) -> Result<Self, ShapeError> {
        let layer = match RsqrtInt16::new(1, input, output) {
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

/// Runs an int16 inverse square root; input and output may be one.
///
/// # Errors
/// [`ShapeError`] when input or output have another length than the layer says, or overlap where they must not.
pub fn rsqrt_int16(layer: &RsqrtInt16, mut tensors: impl Tensors<i16>) -> Result<(), ShapeError> {
    tensors.check(layer.length, layer.length, 0)?;
    let (input, output) = tensors.split();
    input.map(output, |value| clamp(layer.apply(i32::from(value)), -32768, 32767) as i16);
    Ok(())
}

//! Inverse square root, int8 as a table, int16 element by element: y = clamp(z_out + M · 2^20 / √(x − z_in)), M the multiplier of
//! 1 / (2^20 · √s_in · s_out), root, product and quotient in f64.
//!
//! - The reference's integer sequence: 1/√v as a mantissa of 31 bits and a shift ([`transcendental`](crate::transcendental)),
//!   brought to 20 fraction bits by [`Multiplier::apply`], which rounds the product with M as well.
//! - 1/√0 is the largest value of the type. So is the result of negative numbers, for which the reference refuses to run.
//! - Held by: random values against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::Table;
use super::elements::{Elements, tabulated};
use crate::quantise::{Affine, Multiplier};
use crate::real;
use crate::tensors::Tensors;
use crate::transcendental::inverse_square_root;

/// Fraction bits of the root before it is rescaled.
const FRACTION: i32 = 20;

/// An inverse square root of int16, checked.
#[derive(Clone, Copy, Debug)]
pub struct RsqrtInt16 {
    elements: Elements,
    multiplier: Multiplier,
}

impl RsqrtInt16 {
    /// Of `length` elements, from one quantisation to another.
    ///
    /// # Errors
    /// [`ShapeError`] when the length is 0, a scale is not positive, they do not fit each other, or a zero point lies outside of int16.
    pub const fn new(length: usize, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        let elements = match Elements::new("the length of the inverse square root", length, input, output) {
            Ok(elements) => elements,
            Err(error) => return Err(error),
        };
        let factor = 1.0 / (real::sqrt(input.scale as f64) * output.scale as f64);
        let multiplier = match Multiplier::try_from_f64(factor) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        if multiplier.shift - FRACTION < -31 {
            return Err(ShapeError::Range("the scales of the inverse square root are too large"));
        }
        Ok(Self { elements, multiplier: Multiplier { shift: multiplier.shift - FRACTION, ..multiplier } })
    }

    /// The output before it is clamped to its type.
    const fn apply(&self, value: i32) -> i32 {
        let value = self.elements.input(value);
        if value <= 0 {
            return i32::MAX;
        }
        let root = inverse_square_root(value);
        let root = Multiplier { shift: root.shift + FRACTION, ..root }.apply(1);
        self.elements.output(self.multiplier.apply(root))
    }
}

impl Table {
    /// The inverse square root from one quantisation to another, with the reference's bits; clamped to int8. Run by
    /// [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when a scale is not positive, they do not fit each other, or a zero point lies outside of int16.
    pub const fn rsqrt(input: Affine, output: Affine) -> Result<Self, ShapeError> {
        tabulated!(RsqrtInt16::new(1, input, output))
    }
}

/// Runs an int16 inverse square root; input and output may be one.
///
/// # Errors
/// [`ShapeError`] when input or output have another length than the layer says, or overlap where they must not.
pub fn rsqrt_int16(layer: &RsqrtInt16, tensors: impl Tensors<i16>) -> Result<(), ShapeError> {
    layer.elements.run(tensors, |value| layer.apply(value))
}

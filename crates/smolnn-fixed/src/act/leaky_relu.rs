//! Leaky ReLU: x for x ≥ 0, α·x below. int8 as a table, int16 element by element.
//!
//! - y = clamp(z_out + M · (x − z_in)) for x ≥ z_in, M the multiplier of s_in / s_out; below, clamp(z_out ± M_α · (x − z_in)), M_α that of
//!   s_in · |α| / s_out, with the sign of α. Both in f64; [`Multiplier::apply`] rounds, before the sign of α turns the result.
//! - Held by: `leakyrelu*` goldens; random values against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::Table;
use super::elements::{Elements, tabulated};
use crate::quantise::{Affine, Multiplier};
use crate::tensors::Tensors;

/// A leaky ReLU, checked.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    elements: Elements,
    positive: Multiplier,
    negative: Multiplier,
    /// −1 where α is negative: a multiplier has no sign.
    negative_sign: i32,
}

impl LeakyRelu {
    /// Of `length` elements, with slope `alpha` below 0.
    ///
    /// # Errors
    /// [`ShapeError`] when the length is 0, the scales are not positive or do not fit each other, a zero point lies outside of int16, or alpha is not
    /// finite.
    pub const fn new(length: usize, alpha: f32, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        let elements = match Elements::new("the length of the leaky ReLU", length, input, output) {
            Ok(elements) => elements,
            Err(error) => return Err(error),
        };
        if !alpha.is_finite() {
            return Err(ShapeError::Range("the slope of the leaky ReLU is not finite"));
        }
        let slope = if alpha < 0.0 { -alpha } else { alpha } as f64;
        let (input_scale, output_scale) = (input.scale as f64, output.scale as f64);
        let positive = match Multiplier::try_from_f64(input_scale / output_scale) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        let negative = match Multiplier::try_from_f64(input_scale * slope / output_scale) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self { elements, positive, negative, negative_sign: if alpha < 0.0 { -1 } else { 1 } })
    }

    #[inline(always)]
    const fn apply(&self, value: i32) -> i32 {
        let value = self.elements.input(value);
        let scaled = if value >= 0 {
            self.positive.apply(value)
        } else {
            self.negative.apply(value).wrapping_mul(self.negative_sign)
        };
        self.elements.output(scaled)
    }
}

impl Table {
    /// Leaky ReLU from one quantisation to another, with the reference's bits; 0.54 steps from the real function with scales near
    /// 1/16. Clamped to int8; a slope of 0 makes a ReLU, a negative one is allowed. Run by [`lookup`](super::lookup).
    ///
    /// # Errors
    /// The errors are those of [`LeakyRelu::new`].
    pub const fn leaky_relu(alpha: f32, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        tabulated!(LeakyRelu::new(1, alpha, input, output))
    }
}

/// Runs an int16 leaky ReLU; input and output may be one.
///
/// The reference's bits, 0.50 steps from the real function with scales near 1/1000; clamped to int16. 40 instructions per element on the M4, 43 on the M3, 109 on
/// the M0, 40 on RV32.
///
/// # Errors
/// [`ShapeError`] when input or output have another length than the layer says, or overlap where they must not.
pub fn leaky_relu_int16(layer: &LeakyRelu, tensors: impl Tensors<i16>) -> Result<(), ShapeError> {
    layer.elements.run(tensors, |value| layer.apply(value))
}

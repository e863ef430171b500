//! PReLU, int8: x for x ≥ 0, α_c · x below, α a tensor that repeats, mostly one value per channel.
//!
//! - y = clamp(z_out + M · (x − z_in)) for x ≥ z_in, M the multiplier of s_in / s_out; below,
//!   clamp(z_out + M_α · (x − z_in) · (α − z_α)), M_α that of s_in · s_α / s_out, in f64. [`Multiplier::apply`] rounds.
//! - Held by: `prelu` golden; random tensors against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use crate::Operands;
use crate::elementwise::{Pairing, Pairs};
use crate::quantise::{Affine, Multiplier, OutputRange};

/// A PReLU, checked.
#[derive(Clone, Copy, Debug)]
pub struct Prelu<P = Pairing> {
    pairs: P,
    positive: Multiplier,
    negative: Multiplier,
    input_zero_point: i32,
    alpha_zero_point: i32,
    output: OutputRange,
}

impl<P: Pairs> Prelu<P> {
    /// Of the input as left operand and α as right one.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other, or a zero point lies outside of int8.
    pub const fn new(pairs: P, input: Affine, alpha: Affine, output: Affine) -> Result<Self, ShapeError> {
        if let Err(error) = Affine::check_all(&[input, alpha, output], -128, 127) {
            return Err(error);
        }
        let (scale_in, scale_out) = (input.scale as f64, output.scale as f64);
        let positive = match Multiplier::try_from_f64(scale_in / scale_out) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        let negative = match Multiplier::try_from_f64(scale_in * alpha.scale as f64 / scale_out) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self {
            pairs,
            positive,
            negative,
            input_zero_point: input.zero_point,
            alpha_zero_point: alpha.zero_point,
            output: OutputRange::int8(output.zero_point),
        })
    }
}

/// Runs the PReLU: the input is the left operand, α the right one.
///
/// The reference's bits; clamped to int8. 49 instructions per element on M3 and M4, 117 on the M0, 47 on RV32.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than the layer says, or they overlap where they must not.
pub fn prelu<P: Pairs>(layer: &Prelu<P>, operands: impl Operands<i8>) -> Result<(), ShapeError> {
    layer.pairs.combine(operands, |value, alpha| {
        let value = i32::from(value) - layer.input_zero_point;
        let scaled = if value >= 0 {
            layer.positive.apply(value)
        } else {
            layer.negative.apply(value * (i32::from(alpha) - layer.alpha_zero_point))
        };
        layer.output.finish(scaled) as i8
    })
}

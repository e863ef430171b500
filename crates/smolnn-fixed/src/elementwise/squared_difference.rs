//! Squared difference of two int8 tensors: y = clamp(z_out + M_o · (M_l · (l − z_l) · 2^7 − M_r · (r − z_r) · 2^7)²).
//!
//! - M_l, M_r from s_l, s_r over twice the larger of them; M_o from (twice the larger)² over 2^14 · s_out; all in f64.
//! - Each term is a table of the layer: |term| ≤ 2^14, so that the square fits in i32.
//! - Rounding: [`Multiplier::apply`] for each term and for the square.
//! - Held by: `squared_difference` golden; random tensors against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::Pairing;
use crate::Operands;
use crate::quantise::{Affine, Multiplier, OutputRange};

/// A squared difference of int8, checked; 1 KiB of tables.
#[derive(Clone, Copy, Debug)]
pub struct SquaredDifference {
    pairing: Pairing,
    left: [i16; 256],
    right: [i16; 256],
    multiplier: Multiplier,
    output: OutputRange,
}

/// The terms of all values of an operand, indexed by the value as u8.
const fn terms(operand: Affine, twice: f64) -> [i16; 256] {
    let multiplier = Multiplier::from_f64(operand.scale as f64 / twice);
    let mut terms = [0; 256];
    let mut index = 0;
    while index < 256 {
        let value = index as u8 as i8 as i32 - operand.zero_point;
        terms[index] = multiplier.apply(value << 7) as i16;
        index += 1;
    }
    terms
}

impl SquaredDifference {
    /// (left − right)².
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other or a zero point lies outside of int8.
    pub const fn new(pairing: Pairing, left: Affine, right: Affine, output: Affine) -> Result<Self, ShapeError> {
        let tensors = [left, right, output];
        let mut index = 0;
        while index < 3 {
            if let Err(error) = tensors[index].check(-128, 127) {
                return Err(error);
            }
            index += 1;
        }
        let twice = 2.0 * (if left.scale > right.scale { left.scale } else { right.scale }) as f64;
        let multiplier = match Multiplier::try_from_f64(twice * twice / ((1 << 14) as f64 * output.scale as f64)) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self {
            pairing,
            left: terms(left, twice),
            right: terms(right, twice),
            multiplier,
            output: OutputRange::int8(output.zero_point),
        })
    }
}

/// Runs the squared difference. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than the layer says, or they overlap where they must not.
pub fn squared_difference(layer: &SquaredDifference, operands: impl Operands<i8>) -> Result<(), ShapeError> {
    layer.pairing.combine(operands, |left: i8, right: i8| {
        let difference =
            i32::from(layer.left[usize::from(left as u8)]) - i32::from(layer.right[usize::from(right as u8)]);
        layer.output.finish(layer.multiplier.apply(difference * difference)) as i8
    })
}

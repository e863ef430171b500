//! Arithmetic of int32 tensors without scales: what models compute their indices and lengths with.
//!
//! - Sums, differences, products and squares wrap, then the range clamps. A quotient is rounded towards 0.
//! - A divisor of 0, which the reference does not define, gives the end of int32 on the dividend's side, 0/0 gives 0.
//! - Held by: random tensors against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::Pairs;
use crate::Operands;
use crate::quantise::clamp;

/// What becomes of left and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// left + right.
    Add,
    /// left − right.
    Subtract,
    /// left · right.
    Multiply,
    /// left / right.
    Divide,
    /// (left − right)².
    SquaredDifference,
}

impl Arithmetic {
    /// The result before the clamp.
    #[inline(always)]
    pub const fn apply(self, left: i32, right: i32) -> i32 {
        match self {
            Self::Add => left.wrapping_add(right),
            Self::Subtract => left.wrapping_sub(right),
            Self::Multiply => left.wrapping_mul(right),
            Self::Divide if right == 0 => match left {
                0 => 0,
                ..0 => i32::MIN,
                _ => i32::MAX,
            },
            Self::Divide => left.wrapping_div(right),
            Self::SquaredDifference => {
                let difference = left.wrapping_sub(right);
                difference.wrapping_mul(difference)
            }
        }
    }
}

/// Runs the arithmetic and clamps to `least..=largest`. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than `pairs` says, or they overlap where they must not.
pub fn arithmetic_int32(
    arithmetic: Arithmetic,
    (least, largest): (i32, i32),
    pairs: &impl Pairs,
    operands: impl Operands<i32>,
) -> Result<(), ShapeError> {
    pairs.combine(operands, |left, right| clamp(arithmetic.apply(left, right), least, largest))
}

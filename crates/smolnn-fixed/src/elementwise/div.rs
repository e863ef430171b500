//! Quotient of two int8 tensors: y = clamp(z_out + M · (l − z_l) / (r − z_r)), M that of s_l / (s_r · s_out) in f64.
//!
//! - The reference's integer sequence: with both signs turned where the divisor is negative, n the dividend shifted left until
//!   it fills 31 bits, and 1/d as a mantissa of 31 bits ([`reciprocal`]), the product of both is rounded at 31 bits, multiplied by M,
//!   rounded again, and shifted right to nearest, halves away from zero.
//! - The shift is above 31 where the quotient is below half a step. C leaves that open, and the reference returns wrong values
//!   there (one step for 0, up to the ends of int8 on x86); this kernel returns what is right, the zero point.
//! - A divisor of 0, which the reference does not define, gives the end of the range on the dividend's side, 0/0 the zero point.
//! - Held by: random tensors against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::{Pairing, Pairs};
use crate::Operands;
use crate::quantise::{
    Affine, FusedActivation, Multiplier, OutputRange, rounding_shift_right, saturating_rounding_doubling_high,
};
use crate::transcendental::reciprocal;

/// 1 / d in Q0.31, brought to [1/2, 1], for the divisors 0..=255; that of 0 is not used.
static RECIPROCALS: [i32; 256] = {
    let mut table = [0; 256];
    let mut divisor = 1;
    while divisor < 256 {
        table[divisor] = reciprocal(divisor as u32, 31).0;
        divisor += 1;
    }
    table
};

/// A quotient, checked.
#[derive(Clone, Copy, Debug)]
pub struct Div<P = Pairing> {
    pairs: P,
    left_zero_point: i32,
    right_zero_point: i32,
    multiplier: Multiplier,
    output: OutputRange,
}

impl<P: Pairs> Div<P> {
    /// left / right.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other, or a zero point lies outside of int8.
    pub const fn new(
        pairs: P,
        left: Affine,
        right: Affine,
        output: Affine,
        activation: FusedActivation,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = Affine::check_all(&[left, right, output], -128, 127) {
            return Err(error);
        }
        let factor = left.scale as f64 / (right.scale as f64 * output.scale as f64);
        let multiplier = match Multiplier::try_from_f64(factor) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self {
            pairs,
            left_zero_point: left.zero_point,
            right_zero_point: right.zero_point,
            multiplier,
            output: activation.range(output.scale, output.zero_point, -128, 127),
        })
    }

    fn element(&self, left: i8, right: i8) -> i8 {
        let dividend = i32::from(left) - self.left_zero_point;
        let divisor = i32::from(right) - self.right_zero_point;
        if divisor == 0 {
            return self.output.finish(dividend << 16) as i8;
        }
        let dividend = if divisor < 0 { -dividend } else { dividend };
        let divisor = divisor.unsigned_abs();
        // The mask tells the compiler what the types see to.
        let inverse = RECIPROCALS[divisor as usize & 255];
        // Bits below the sign that repeat it.
        let headroom = (dividend ^ (dividend >> 31)).leading_zeros() - 1;
        let quotient = saturating_rounding_doubling_high(dividend << (headroom & 31), inverse);
        let right = (31 - divisor.leading_zeros() + headroom) as i32 - self.multiplier.shift;
        if right > 31 {
            return self.output.finish(0) as i8;
        }
        // Without a shift to the right the quotient has 28 bits at least, and the clamp decides.
        let scaled = saturating_rounding_doubling_high(quotient, self.multiplier.mantissa);
        self.output.finish(rounding_shift_right(scaled, if right > 0 { right as u32 } else { 0 })) as i8
    }
}

/// Runs the quotient. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than the layer says, or they overlap where they must not.
pub fn div<P: Pairs>(layer: &Div<P>, operands: impl Operands<i8>) -> Result<(), ShapeError> {
    layer.pairs.combine(operands, |left, right| layer.element(left, right))
}

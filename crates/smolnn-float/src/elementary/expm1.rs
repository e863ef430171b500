//! e^x − 1, accurate near 0.
//!
//! - |x| < 1/2: x R(x) with R of degree 7. Up to 16: 2^n p as in `exp`, less 1, in fixed point. Beyond: e^x − 1 in floats.
//! - Special values: −1 at −∞, ∞ at ∞, ±0 at ±0, NaN stays. Monotonic.
//! - Worst error in ULP and cost: tests/expected/accuracy.txt. Held by tests/host/exhaustive/accuracy.rs.

use super::exp::{Power, far};
use super::fixed::{horner, mul_high_unsigned, pack, to_q27, to_q32, with_sign};
use super::slices::each;
use super::tables::EXPM1_SMALL;

/// Inlined in the loop of the slice form.
#[inline(always)]
fn body(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) & 0xff;
    let sign = bits & 0x8000_0000;
    if exponent < 126 {
        // x²/2 < 2^-25 x
        if exponent < 102 {
            return x;
        }
        let r = horner(&EXPM1_SMALL, to_q32(bits, exponent));
        // 2^31 2^(126 − exponent) |x| times 0.78 < R < 1.3 in Q30, over 2^32
        let product = mul_high_unsigned((bits << 8) | 0x8000_0000, r);
        return f32::from_bits(sign | pack(product, 156 - exponent));
    }
    let Some(q) = to_q27::<126>(bits) else { return f32::from_bits(far(bits)) - 1.0 };
    let (p, n) = Power::CONSTANT.parts(with_sign(q, bits));
    f32::from_bits(if n < 0 {
        // 1 − 2^n p in Q30
        sign | pack((1 << 30) - (p >> (-n & 31)), 30)
    } else {
        pack(p - ((1 << 30) >> (n & 31)), (30 - n) as u32)
    })
}

/// e^x − 1.
///
/// At most 1.12 ULP in 45 to 279 instructions. −1 at −∞, ∞ above 88.72, ±0 at ±0; NaN stays.
#[inline]
pub fn expm1(x: f32) -> f32 {
    body(x)
}

/// [`expm1()`] of every element.
pub fn expm1_slice(x: &[f32], y: &mut [f32]) {
    each(x, y, |bits| body(f32::from_bits(bits)).to_bits());
}

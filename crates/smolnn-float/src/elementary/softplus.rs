//! ln(1 + e^x), without overflow.
//!
//! - With E = e^−|x| in fixed point: max(x, 0) + E h(E), h(E) = ln(1 + E) / E a cubic over one of 32 segments. Below |x| = 2^-10: ln 2 + x/2 + x²/8. Beyond 16:
//!   x above, E (1 − E/2) below, down to subnormal results.
//! - Special values: 0 at −∞, ∞ at ∞, ln 2 at ±0, NaN stays. Monotonic.
//! - Worst error in ULP and cost: tests/expected/accuracy.txt. Held by tests/host/exhaustive/accuracy.rs.

use super::exp::{Power, wide};
use super::fixed::{centred, cubic, mul_high_unsigned, pack, to_q27};
use super::slices::each;
use super::tables::LOG1P;

/// Inlined in the loop of the slice form.
#[inline(always)]
fn body(x: f32) -> f32 {
    let bits = x.to_bits();
    let Some(q) = to_q27::<117>(bits) else { return far(bits) };
    // E = 2^-n p in Q31
    let (p, n) = Power::CONSTANT.parts_down(q as u32);
    let e = p >> (n & 31);
    let h = cubic(LOG1P[(e >> 26) as usize & 31], centred(e << 6));
    // Q31 · Q30 / 2^32 = Q29
    let product = mul_high_unsigned(p, h);
    f32::from_bits(if (bits as i32) < 0 {
        pack(product, 29 + n)
    } else if q < 1 << 27 {
        // Q29; the sum rises by 2 ± 1 when q does by 1
        pack(((q as u32) << 2) + (product >> (n & 31)), 29)
    } else {
        // Q27: below 16.7 · 2^27 < 2^32
        pack(q as u32 + (product >> ((n + 2) & 31)), 27)
    })
}

/// ln(1 + e^x).
///
/// At most 0.70 ULP in 58 to 455 instructions. 0 at −∞, ∞ at ∞, ln 2 at ±0; NaN stays.
#[inline]
pub fn softplus(x: f32) -> f32 {
    body(x)
}

/// [`softplus()`] of every element.
pub fn softplus_slice(x: &[f32], y: &mut [f32]) {
    each(x, y, |bits| body(f32::from_bits(bits)).to_bits());
}

/// |x| < 2^-10, |x| ≥ 16, or NaN.
#[cold]
#[inline(never)]
fn far(bits: u32) -> f32 {
    let x = f32::from_bits(bits);
    if x.abs() < 1.0 {
        core::f32::consts::LN_2 + (0.5 * x + 0.125 * (x * x))
    } else if x > 0.0 || x.is_nan() {
        x
    } else {
        let less_half_square = |p: u32, n: i32| ((u64::from(p) * u64::from(p)) >> ((31 - n) & 63)) as u32;
        f32::from_bits(wide(bits, |p, n| if n > -32 { p - less_half_square(p, n) } else { p }))
    }
}

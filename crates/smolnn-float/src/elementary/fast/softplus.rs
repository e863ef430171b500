//! ln(1 + e^x), fast: max(x, 0) + ln(1 + e^−|x|) in Q24, the logarithm a quadratic over one of 128 segments of 1/8.
//!
//! - |x| < 16, in steps of 2^-22, or 2^-19 without long multiplication; x above, 0 from −16 on.
//! - Special values: 0 at −∞, ∞ at ∞, ln 2 at ±0, NaN stays. Monotonic: for x > 0 a step takes
//!   less than itself from the logarithm, whose slope is at most 1/2 and whose pieces join.
//! - Held by tests/host/exhaustive/accuracy.rs; worst error: tests/expected/accuracy.txt.

use core::hint::black_box;

use super::Arithmetic;
use crate::elementary::fixed::centred;
use crate::elementary::slices::near_or_far;
use crate::elementary::tables::SOFTPLUS_FAST;

#[inline(always)]
fn near<A: Arithmetic>(bits: u32, rows: &[u64; 128]) -> Option<u32> {
    let q = A::magnitude(bits)?;
    let less = A::quadratic::<10>(rows[(q >> 21) as usize & 127], centred(q << 11));
    let x = q as i32 & !(bits as i32 >> 31);
    Some(A::from_q24(x.wrapping_sub(less)))
}

#[cold]
#[inline(never)]
fn far(bits: u32) -> u32 {
    let x = f32::from_bits(bits);
    if x.abs() < 1.0 {
        core::f32::consts::LN_2.to_bits()
    } else if x < 0.0 {
        0
    } else {
        // NaN stays. Just below 16 rounding may give one unit more than 16.
        bits.max(0x4180_0001)
    }
}

/// ln(1 + e^x).
#[inline(always)]
pub fn softplus<A: Arithmetic>(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near::<A>(bits, &SOFTPLUS_FAST).unwrap_or_else(|| far(bits)))
}

/// [`softplus()`] of every element.
pub fn softplus_slice<A: Arithmetic>(x: &[f32], y: &mut [f32]) {
    let rows = black_box(&SOFTPLUS_FAST);
    near_or_far(x, y, |bits| near::<A>(bits, rows), far);
}

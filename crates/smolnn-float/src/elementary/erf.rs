//! The error function (2/√π) ∫₀ˣ e^−t² dt.
//!
//! - From 0.5 on, a cubic over one of 95 segments, 32 to a binade; below, x R(x²) with R of degree 5. One body, in integers.
//! - Special values: erf(±∞) = ±1, erf(±0) = ±0, NaN stays. Odd bit for bit, monotonic, ±1 from 3.84 on.
//! - Worst error in ULP and cost: tests/expected/accuracy.txt. Held by tests/host/exhaustive/accuracy.rs.

use core::hint::black_box;

use super::fixed::{centred, cubic, horner, mul_high_unsigned, pack};
use super::saturating::{Range, evaluate};
use super::slices::each;
use super::tables::{ERF, ERF_SMALL};

const RANGE: Range = Range::new(0x3f00_0000, ERF.len(), 18);

/// |x| < 1/2.
#[inline(always)]
fn small(magnitude: u32) -> u32 {
    let exponent = magnitude >> 23;
    if exponent == 0 {
        return (f32::from_bits(magnitude) * core::f32::consts::FRAC_2_SQRT_PI).to_bits();
    }
    let shift = 126 - exponent;
    let mantissa = (magnitude << 8) | 0x8000_0000;
    let x = mantissa.checked_shr(shift).unwrap_or(0);
    // q < 1/4 in Q32; x·2^(31 + shift − 1) times R < 1.13 in Q30
    let r = horner(&ERF_SMALL, mul_high_unsigned(x, x) as i32);
    pack(mul_high_unsigned(mantissa, r), 30 + shift)
}

#[inline(always)]
fn body(bits: u32, first: u32) -> u32 {
    let near = |offset: u32| (cubic(ERF[(offset >> 19) as usize], centred(offset << 13)) >> 7) + (126 << 23);
    evaluate(bits, first, RANGE, near, small)
}

/// erf(x).
///
/// At most 1.00 ULP in 20 to 100 instructions. ±1 from 3.84 on, ±0 at ±0, odd bit for bit; NaN stays.
#[inline]
pub fn erf(x: f32) -> f32 {
    f32::from_bits(body(x.to_bits(), RANGE.first))
}

/// [`erf`] of every element.
pub fn erf_slice(x: &[f32], y: &mut [f32]) {
    let first = black_box(RANGE.first);
    each(x, y, |bits| body(bits, first));
}

//! The error function, fast: as the fast tanh, a quadratic over one of 94 segments from 0.5 on; below, four terms.
//!
//! - Special values: erf(±∞) = ±1, erf(±0) = ±0, NaN stays. Odd bit for bit, monotonic, ±1 from 3.84 on.
//! - Held by tests/host/exhaustive/accuracy.rs; worst error: tests/expected/accuracy.txt.

use core::hint::black_box;

use super::Arithmetic;
use crate::elementary::fixed::{centred, pack};
use crate::elementary::saturating::{Range, evaluate};
use crate::elementary::slices::each;
use crate::elementary::tables::{ERF_FAST, ERF_SMALL_FAST, ERF_SMALL_FLOAT};

const RANGE: Range = Range::new(0x3f00_0000, ERF_FAST.len(), 18);

/// |x| < 1/2.
#[inline(always)]
fn small<A: Arithmetic>(magnitude: u32) -> u32 {
    let x = f32::from_bits(magnitude);
    if A::FLOAT {
        // x plus what is small beside it: monotonic in spite of its rounding.
        let q = x * x;
        let [c0, c1, c2, c3] = ERF_SMALL_FLOAT;
        return (x - x * (c0 + q * (c1 + q * (c2 + q * c3)))).to_bits();
    }
    let exponent = magnitude >> 23;
    if exponent == 0 {
        // 2/√π, less what the polynomial lacks at 0
        return (x + x * 0.128_378_3).to_bits();
    }
    let shift = 126 - exponent;
    let mantissa = (magnitude << 8) | 0x8000_0000;
    let x = mantissa.checked_shr(shift).unwrap_or(0);
    // q < 1/4 in Q32; x·2^(31 + shift − 1) times R < 1.13 in Q30
    let q = A::multiply_high(x, x);
    let r = ERF_SMALL_FAST.iter().fold(0, |p, &c| (c as u32).wrapping_sub(A::multiply_high(p, q)));
    pack(A::multiply_high(mantissa, r), 30 + shift)
}

#[inline(always)]
fn body<A: Arithmetic>(bits: u32, first: u32) -> u32 {
    let near = |offset: u32| A::quadratic::<13>(ERF_FAST[(offset >> 19) as usize], centred(offset << 13)) as u32;
    evaluate(bits, first, RANGE, near, small::<A>)
}

/// erf(x).
#[inline(always)]
pub fn erf<A: Arithmetic>(x: f32) -> f32 {
    f32::from_bits(body::<A>(x.to_bits(), RANGE.first))
}

/// [`erf()`] of every element.
pub fn erf_slice<A: Arithmetic>(x: &[f32], y: &mut [f32]) {
    let first = black_box(RANGE.first);
    each(x, y, |bits| body::<A>(bits, first));
}

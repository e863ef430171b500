//! The hyperbolic tangent.
//!
//! - Default: from 0.5625 on, a cubic over one of 129 segments, 32 to a binade; below, x (1 − x² P(x²)) with P of degree 4,
//!   both in integers whether there is an FPU or not. `narrow` (16-bit factors): a quadratic, 64 segments to a binade.
//! - Fast: absolute error below 1e-6. A quadratic over the same 129 segments; below 0.5625 a polynomial of three terms,
//!   in floats where there is an FPU.
//! - Special values: tanh(±∞) = ±1, tanh(±0) = ±0, NaN stays. Odd bit for bit, monotonic, ±1 from 9.02 on.
//! - Worst error in ULP and cost: tests/expected/accuracy.txt. Held by tests/host/exhaustive/accuracy.rs.

use core::hint::black_box;

use super::fixed::{centred, cubic, mul_high_narrow, mul_high_unsigned, quadratic};
use super::saturating::{Range, evaluate};
use super::slices::each;
use super::tables::{TANH, TANH_FAST, TANH_NARROW, TANH_SMALL, TANH_SMALL_FAST, TANH_SMALL_FLOAT};

pub(super) const FIRST: u32 = 0x3f10_0000; // 0.5625
const RANGE: Range = Range::new(FIRST, TANH.len(), 18);
const RANGE_NARROW: Range = Range::new(FIRST, TANH_NARROW.len(), 17);
const _: () = assert!(TANH_FAST.len() == TANH.len());

/// |x| < 0.5625: |x| (1 − q P(q)), the coefficients of P with alternating signs.
#[inline(always)]
pub(super) fn small(magnitude: u32, coefficients: &[i32], mul_high: impl Fn(u32, u32) -> u32) -> u32 {
    let exponent = magnitude >> 23;
    let shift = 126u32.wrapping_sub(exponent);
    // x²/3 < 2^-25
    if shift > 12 {
        return magnitude;
    }
    let mantissa = (magnitude << 8) | 0x8000_0000;
    let x = mantissa >> shift;
    // q < 0.32 in Q32, P < 0.34 in Q31
    let q = mul_high(x, x);
    let p = coefficients.iter().fold(0, |p, &c| (c as u32).wrapping_sub(mul_high(p, q)));
    let y = mantissa - mul_high(mantissa, mul_high(p, q) << 1);
    // 0.9 · 2^31 < y < 2^32: at most one binade below x
    let below = u32::from(y >> 31 == 0);
    let y = y << below;
    (y >> 8) + ((y >> 7) & 1) + ((exponent - 1 - below) << 23)
}

/// The same in floats.
#[inline(always)]
pub(super) fn small_float(magnitude: u32) -> u32 {
    let x = f32::from_bits(magnitude);
    let q = x * x;
    let [c0, c1, c2] = TANH_SMALL_FLOAT;
    (x - x * (q * (c0 + q * (c1 + q * c2)))).to_bits()
}

#[inline(always)]
fn near(offset: u32) -> u32 {
    // (y − 1/2) 2^31 + 2^6, below 2^30 + 2^7
    let p = cubic(TANH[(offset >> 19) as usize], centred(offset << 13));
    (p >> 7) + (126 << 23)
}

#[inline(always)]
pub(super) fn near_narrow(offset: u32) -> u32 {
    let [c0, c1] = TANH_NARROW[(offset >> 18) as usize];
    // t = −2^16..2^16 counts floats; 17 by 12 bits, then 17 by 16 and 17 by 8 bits for 17 by 24.
    let t = centred(offset << 14) >> 15;
    let slope = c1.wrapping_add((t * (c1 << 20 >> 20)) >> 3);
    let rise = t * (slope >> 16) + ((t * ((slope >> 8) & 0xff)) >> 8);
    (c0.wrapping_add(rise >> 8) as u32 >> 7) + (126 << 23)
}

#[inline(always)]
pub(super) fn near_fast(offset: u32) -> u32 {
    quadratic::<13>(TANH_FAST[(offset >> 19) as usize], centred(offset << 13)) as u32
}

#[inline(always)]
fn integer(bits: u32, first: u32) -> u32 {
    evaluate(bits, first, RANGE, near, |x| small(x, &TANH_SMALL, mul_high_unsigned))
}

#[inline(always)]
fn narrow(bits: u32, first: u32) -> u32 {
    evaluate(bits, first, RANGE_NARROW, near_narrow, |x| small(x, &TANH_SMALL, mul_high_narrow))
}

#[inline(always)]
fn fast_float(bits: u32, first: u32) -> u32 {
    evaluate(bits, first, RANGE, near_fast, small_float)
}

#[inline(always)]
fn fast_integer(bits: u32, first: u32) -> u32 {
    evaluate(bits, first, RANGE, near_fast, |x| small(x, &TANH_SMALL_FAST, mul_high_unsigned))
}

#[inline(always)]
fn fast_narrow(bits: u32, first: u32) -> u32 {
    evaluate(bits, first, RANGE_NARROW, near_narrow, |x| small(x, &TANH_SMALL_FAST, mul_high_narrow))
}

macro_rules! bodies {
    ($($name:ident $slice:ident = $body:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub fn $name(x: f32) -> f32 {
            f32::from_bits($body(x.to_bits(), RANGE.first))
        }

        #[doc = concat!("[`", stringify!($name), "`] of every element.")]
        pub fn $slice(x: &[f32], y: &mut [f32]) {
            let first = black_box(RANGE.first);
            each(x, y, |bits| $body(bits, first));
        }
    )*};
}

bodies! {
    tanh_integer tanh_slice_integer = integer, "The body of cores with long multiplication, with and without an FPU.";
    tanh_narrow tanh_slice_narrow = narrow, "The body of cores without.";
    tanh_fast_float tanh_fast_slice_float = fast_float, "The fast tier with an FPU.";
    tanh_fast_integer tanh_fast_slice_integer = fast_integer, "The fast tier with long multiplication.";
    tanh_fast_narrow tanh_fast_slice_narrow = fast_narrow, "The fast tier with neither.";
}

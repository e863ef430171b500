//! Remainder of a division, exact: what C calls `fmod`, without a branch that can panic.
//!
//! - x − y·trunc(x / y), by long division of the mantissas, 32 bits of the quotient at a time: no step rounds.
//! - The sign is that of x. An infinite or undefined x, an undefined y and a y of 0 give NaN; an infinite y gives x.
//! - Held by: random bits against the remainder of the host (tests/host/registry/float_inference.rs).

use core::num::NonZeroU64;

const SIGN: u32 = 0x8000_0000;
const INFINITE: u32 = 0x7f80_0000;

/// The mantissa of a finite value without its sign, and its exponent: the value is mantissa · 2^(exponent − 150).
fn parts(magnitude: u32) -> (u64, u32) {
    let exponent = magnitude >> 23;
    let mantissa = magnitude & 0x007f_ffff;
    if exponent == 0 { (mantissa.into(), 1) } else { ((mantissa | 0x0080_0000).into(), exponent) }
}

/// 2^(exponent − 150), exact.
fn unit(exponent: u32) -> f32 {
    f32::from_bits(if exponent < 24 { 1 << (exponent - 1) } else { (exponent - 23) << 23 })
}

/// What is left of `x` when multiples of `y` are taken from it towards 0.
pub(crate) fn remainder(x: f32, y: f32) -> f32 {
    let (dividend, divisor) = (x.to_bits() & !SIGN, y.to_bits() & !SIGN);
    if dividend >= INFINITE || divisor > INFINITE {
        return f32::NAN;
    }
    if dividend < divisor {
        return x;
    }
    let ((mut left, above), (mantissa, exponent)) = (parts(dividend), parts(divisor));
    let Some(mantissa) = NonZeroU64::new(mantissa) else { return f32::NAN };
    left %= mantissa;
    let mut shift = above - exponent;
    while shift > 0 {
        let step = shift.min(32);
        left = (left << step) % mantissa;
        shift -= step;
    }
    // Fewer than 24 bits, times a power of two: exact.
    (left as f32 * unit(exponent)).copysign(x)
}

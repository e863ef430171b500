//! e^x − 1, fast: e^x less 1. With an FPU that of `exp`, fast; on cores that multiply 16 bits, the default tier's, subtracted in
//! Q30. With long multiplication alone the default tier is as fast.
//!
//! - 2^-10 ≤ |x| < 16; below, x, within what is computed at ±2^-10; beyond, the default tier.
//! - Special values: −1 at −∞, ∞ at ∞, ±0 at ±0, NaN stays. Monotonic.
//! - Held by tests/host/exhaustive/accuracy.rs; worst error: tests/expected/accuracy.txt.

use core::hint::black_box;

use super::exp::power;
use crate::elementary::exp::near_narrow;
use crate::elementary::fixed::pack;
use crate::elementary::slices::near_or_far;
use crate::elementary::tables::EXP_BOW;

/// Nearer to 0 than what is computed at ±2^-10.
const SMALL: f32 = 9.759e-4;

#[inline(always)]
fn near(bits: u32) -> bool {
    (bits << 1).wrapping_sub(0x3a80_0000 << 1) < (0x4180_0000 - 0x3a80_0000) << 1
}

#[inline(always)]
fn float(bits: u32, bow: &[i32; 5]) -> Option<u32> {
    near(bits).then(|| (f32::from_bits(power(bits, bow)) - 1.0).to_bits())
}

#[inline(always)]
fn narrow(bits: u32) -> Option<u32> {
    let power = near_narrow(bits).filter(|_| near(bits))?;
    // 2^n p, p in Q30
    let (p, n) = (((power << 7) & 0x3fff_ffff) | 0x4000_0000, (power >> 23) as i32 - 127);
    Some(if n < 0 {
        0x8000_0000 | pack((1 << 30) - (p >> (-n & 31)), 30)
    } else {
        pack(p - ((1 << 30) >> (n & 31)), (30 - n) as u32)
    })
}

#[cold]
#[inline(never)]
fn far(bits: u32) -> u32 {
    let x = f32::from_bits(bits);
    if x.abs() < 1.0 { x.clamp(-SMALL, SMALL).to_bits() } else { crate::elementary::expm1(x).to_bits() }
}

/// e^x − 1 with an FPU.
#[inline(always)]
pub fn expm1_float(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(float(bits, &EXP_BOW).unwrap_or_else(|| far(bits)))
}

/// e^x − 1 without long multiplication.
#[inline(always)]
pub fn expm1_narrow(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(narrow(bits).unwrap_or_else(|| far(bits)))
}

/// [`expm1_float`] of every element.
pub fn expm1_slice_float(x: &[f32], y: &mut [f32]) {
    let bow = black_box(EXP_BOW);
    near_or_far(x, y, |bits| float(bits, &bow), far);
}

/// [`expm1_narrow`] of every element.
pub fn expm1_slice_narrow(x: &[f32], y: &mut [f32]) {
    near_or_far(x, y, narrow, far);
}

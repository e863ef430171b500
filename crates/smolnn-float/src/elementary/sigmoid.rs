//! The logistic function σ(x) = 1 / (1 + e⁻ˣ).
//!
//! - `float`: e⁻ˣ as in `exp`, one addition, one division.
//! - `integer`, `narrow`: E = e^−|x| in fixed point, g = 1 / (1 + E) by a table and Newton's series; σ = g for x ≥ 0, E·g below,
//!   so that small values keep their relative precision.
//! - Beyond |x| = 16: 1 − E above; E (1 − E) below, down to subnormal results.
//! - Special values: σ(−∞) = 0, σ(∞) = 1, σ(±0) = 1/2, NaN stays. Monotonic.
//! - Worst error in ULP and cost: tests/expected/accuracy.txt. Held by tests/host/exhaustive/accuracy.rs.

use core::hint::black_box;

use super::exp::{Power, far as exp_far, parts_narrow, wide};
use super::fixed::{mul_high, mul_high_narrow, mul_high_unsigned, pack, to_q27};
use super::slices::near_or_far;
use super::tables::{RECIPROCAL, RECIPROCAL_NARROW};

#[inline(always)]
fn near_float(bits: u32, power: &Power) -> Option<u32> {
    if bits << 1 >= 0x4180_0000 << 1 {
        return None;
    }
    let z = mul_high((f32::from_bits(bits) * -134_217_728.0) as i32, power.log2_e);
    let p = power.up(z);
    let e = (p >> 7).wrapping_add(((z >> 25) << 23) as u32).wrapping_add(126 << 23);
    Some((1.0 / (1.0 + f32::from_bits(e))).to_bits())
}

#[inline(always)]
fn near_integer(bits: u32, power: &Power, reciprocal: &[u32; 64]) -> Option<u32> {
    // |x| log2(e) in Q25: 0 < z < 24 · 2^25
    let z = mul_high(to_q27::<104>(bits)?, power.log2_e) as u32;
    let n = z >> 25;
    // E = 2^-n p in Q31, below 1 because z > 0
    let p = power.down(z);
    let e = p >> (n & 31);
    // Around the middle E_j of the segment: u = (E − E_j) g_j, |u| ≤ 1/128 in Q37; g = g_j (1 − u + u² − u³).
    let base = reciprocal[(e >> 25) as usize & 63] as i32;
    let u = mul_high(base, ((e << 7) ^ 0x8000_0000) as i32);
    let s = u - (mul_high(u, u) >> 5);
    let s = u - (mul_high(u, s) >> 5);
    let g = (base - (mul_high(base, s) >> 5)) as u32;
    if (bits as i32) < 0 {
        // Q31 · Q31 / 2^32 = Q30
        Some(pack(mul_high_unsigned(p, g), 30 + n))
    } else {
        // 1/2 ≤ g < 1: the leading one of g / 2^7 goes to the exponent
        Some((125 << 23) + ((g + 64) >> 7))
    }
}

#[inline(always)]
fn near_narrow(bits: u32) -> Option<u32> {
    // E = 2^n p, n < 0
    let (p, n) = parts_narrow(-to_q27::<104>(bits)?);
    let n = -1 - n;
    let e = p >> (n & 31);
    // Newton's step from g_j to 16 bits: r = g_j (1 + E) − 1, |r| < 1/500 in Q31; g = g_j (1 − r + r²).
    let base = u32::from(RECIPROCAL_NARROW[(e >> 23) as usize & 255]);
    let v = e | 0x8000_0000;
    // g_j · 2^16 · (v >> 16) ≤ (1 + 1/500) 2^31; modulo 2^32 r is right whatever carries
    let r = base.wrapping_mul(v >> 16).wrapping_add((base * (v & 0xffff)) >> 16).wrapping_sub(0x8000_0000) as i32;
    let s = r - (((r >> 7) * (r >> 7)) >> 17);
    let base = base as i32;
    let g = ((base << 15).wrapping_sub((base * (s >> 8) + ((base * (s & 0xff)) >> 8)) >> 8)) as u32;
    if (bits as i32) < 0 {
        let mut product = mul_high_narrow(p, g);
        let mut exponent = 125 - n;
        // 1/3 < p g < 1
        if product >> 29 == 0 {
            product <<= 1;
            exponent -= 1;
        }
        Some(((product + 32) >> 6).wrapping_add((exponent << 23) as u32))
    } else {
        Some((125 << 23) + ((g + 64) >> 7))
    }
}

/// |x| < 2^-23, |x| ≥ 16, or NaN.
#[cold]
#[inline(never)]
fn far(bits: u32) -> u32 {
    let x = f32::from_bits(bits);
    if x.abs() < 1.0 {
        (0.5 + 0.25 * x).to_bits()
    } else if x > 0.0 {
        (1.0 - f32::from_bits(exp_far(bits | 0x8000_0000))).to_bits()
    } else {
        // E / (1 + E) = E (1 − E) up to E³ < 2^-69; p² 2^n / 2^30 is E·p in the unit of p.
        wide(bits, |p, n| if n > -33 { p - ((u64::from(p) * u64::from(p)) >> ((30 - n) & 63)) as u32 } else { p })
    }
}

/// The body of cores with an FPU.
#[inline(always)]
pub fn sigmoid_float(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near_float(bits, &Power::CONSTANT).unwrap_or_else(|| far(bits)))
}

/// The body of cores with long multiplication.
#[inline(always)]
pub fn sigmoid_integer(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near_integer(bits, &Power::CONSTANT, &RECIPROCAL).unwrap_or_else(|| far(bits)))
}

/// The body of cores with neither.
#[inline(always)]
pub fn sigmoid_narrow(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near_narrow(bits).unwrap_or_else(|| far(bits)))
}

/// [`sigmoid_float`] of every element.
pub fn sigmoid_slice_float(x: &[f32], y: &mut [f32]) {
    let power = Power::opaque();
    near_or_far(x, y, |bits| near_float(bits, &power), far);
}

/// [`sigmoid_integer`] of every element.
pub fn sigmoid_slice_integer(x: &[f32], y: &mut [f32]) {
    let (power, reciprocal) = (Power::opaque(), black_box(&RECIPROCAL));
    near_or_far(x, y, |bits| near_integer(bits, &power, reciprocal), far);
}

/// [`sigmoid_narrow`] of every element.
pub fn sigmoid_slice_narrow(x: &[f32], y: &mut [f32]) {
    near_or_far(x, y, near_narrow, far);
}

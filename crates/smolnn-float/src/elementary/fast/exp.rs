//! e^x, fast, with an FPU: 2^n 2^f, 2^f = 1 + f + a polynomial of degree 4. Without one no form was found that takes clearly
//! fewer instructions than the default tier's.
//!
//! - |x| < 64: z = x log2(e) in Q23 is n and f; it goes into the bits as it is, the polynomial bends them.
//!   Beyond: the default tier, within what that gives at ±64.
//! - Special values: e^−∞ = 0, e^∞ = ∞, e^±0 = 1, NaN stays. Monotonic.
//! - Held by tests/host/exhaustive/accuracy.rs; worst error: tests/expected/accuracy.txt.

use core::hint::black_box;

use crate::elementary::fixed::mul_high;
use crate::elementary::slices::near_or_far;
use crate::elementary::tables::EXP_BOW;

/// Below what the polynomial gives at −64, by 1e-5 of it.
const LEAST: f32 = 1.603_795e-28;
/// Above what it gives at 64.
const GREATEST: f32 = 6.235_211e27;

/// For |x| < 64.
#[inline(always)]
pub(super) fn power(bits: u32, bow: &[i32; 5]) -> u32 {
    let z = (f32::from_bits(bits) * (8_388_608.0 * core::f32::consts::LOG2_E)) as i32;
    let t = (z << 9) ^ i32::MIN;
    let [c4, c3, c2, c1, c0] = *bow;
    let p = c3.wrapping_add(mul_high(c4, t));
    let p = c2.wrapping_add(mul_high(p, t));
    let p = c1.wrapping_add(mul_high(p, t));
    let p = c0.wrapping_add(mul_high(p, t));
    z.wrapping_add(127 << 23).wrapping_add(p >> 8) as u32
}

#[inline(always)]
fn near(bits: u32, bow: &[i32; 5]) -> Option<u32> {
    if bits << 1 >= 0x4280_0000 << 1 { None } else { Some(power(bits, bow)) }
}

#[cold]
#[inline(never)]
fn far(bits: u32) -> u32 {
    let y = crate::elementary::exp::far(bits);
    match bits {
        0x4280_0000..=0x7f80_0000 => y.max(GREATEST.to_bits()),
        0xc280_0000..=0xff80_0000 => y.min(LEAST.to_bits()),
        _ => y,
    }
}

/// e^x.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near(bits, &EXP_BOW).unwrap_or_else(|| far(bits)))
}

/// [`exp()`] of every element.
pub fn exp_slice(x: &[f32], y: &mut [f32]) {
    let bow = black_box(EXP_BOW);
    near_or_far(x, y, |bits| near(bits, &bow), far);
}

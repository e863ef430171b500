//! The natural logarithm.
//!
//! - |x − 1| < 1/16: z R(z), z = x − 1 exactly, R of degree 6. Elsewhere x = 2^e m: e ln 2 + ln m_j + ln(1 + r) in fixed point, with
//!   1 / m_j from a table of 64 and r = m / m_j − 1, a cubic.
//! - Special values: ln(±0) = −∞, ln of less is NaN, ln(∞) = ∞, ln(1) = 0, NaN stays. Subnormal numbers too.
//! - Worst error in ULP and cost: tests/expected/accuracy.txt. Held by tests/host/exhaustive/accuracy.rs.

use super::fixed::{horner, mul_high, mul_high_unsigned, pack};
use super::slices::each;
use super::tables::{LOG, LOG_INVERSE, LOG_SMALL};

/// ln 2 in Q31.
const LN_2: i64 = 1_488_522_236;

/// Inlined in the loop of the slice form.
#[inline(always)]
fn body(x: f32) -> f32 {
    let mut bits = x.to_bits();
    if bits.wrapping_sub(0x3f70_0000) < 0x3f88_0000 - 0x3f70_0000 {
        return near_one(bits);
    }
    let mut exponent = -127;
    if bits.wrapping_sub(0x0080_0000) >= 0x7f80_0000 - 0x0080_0000 {
        if bits << 1 == 0 {
            return f32::NEG_INFINITY;
        }
        if bits >= 0x7f80_0000 {
            return if bits << 1 > 0xff << 24 || bits == 0x7f80_0000 { x } else { f32::NAN };
        }
        // Subnormal: bits · 2^-149
        let zeros = bits.leading_zeros();
        bits = (bits << ((zeros - 8) & 31)) & 0x7f_ffff;
        exponent = -118 - zeros as i32;
    }
    exponent += (bits >> 23) as i32;
    let j = (bits >> 17) as usize & 63;
    // m / m_j − 1 in Q55, then Q31: |r| < 1/128
    let product = u64::from((bits & 0x7f_ffff) | 0x80_0000) * u64::from(LOG_INVERSE[j]);
    let r = (product.wrapping_sub(1 << 55) as i64 >> 24) as i32;
    // ln(1 + r) = r − r²/2 + r³/3: r² in Q30 is r²/2 in Q31; 2^33 / 3 rounded to 31 bits.
    let half_square = mul_high(r, r);
    let third_cube = mul_high(mul_high(half_square, r), 1_431_655_765) << 2;
    let y = i64::from(exponent) * LN_2 + i64::from(LOG[j]) + i64::from(r - half_square + third_cube);
    let magnitude = y.unsigned_abs();
    // 0.06 < |y| < 104: 28 to 38 bits
    let zeros = magnitude.leading_zeros().min(32);
    let sign = ((y < 0) as u32) << 31;
    f32::from_bits(sign | pack((magnitude >> (32 - zeros)) as u32, zeros - 1))
}

/// ln x.
///
/// At most 0.91 ULP in 66 to 434 instructions. −∞ at ±0, NaN below, ∞ at ∞, 0 at 1; NaN stays.
#[inline]
pub fn log(x: f32) -> f32 {
    body(x)
}

/// [`log()`] of every element.
pub fn log_slice(x: &[f32], y: &mut [f32]) {
    each(x, y, |bits| body(f32::from_bits(bits)).to_bits());
}

#[inline(always)]
fn near_one(bits: u32) -> f32 {
    // z in Q24, exact on both sides of 1
    let mantissa = ((bits & 0x7f_ffff) | 0x80_0000) as i32;
    let z = if bits >> 23 == 127 { (mantissa << 1) - (1 << 24) } else { mantissa - (1 << 24) };
    if z == 0 {
        return 0.0;
    }
    let r = horner(&LOG_SMALL, z << 8);
    let magnitude = z.unsigned_abs();
    let zeros = magnitude.leading_zeros();
    let product = mul_high_unsigned(magnitude << (zeros & 31), r);
    f32::from_bits(((z < 0) as u32) << 31 | pack(product, 22 + zeros))
}

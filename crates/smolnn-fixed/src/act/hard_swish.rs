//! Hard swish, int8: x · min(max(x + 3, 0), 6) / 6, as a table of TensorFlow Lite's integer sequence.
//!
//! - 16-bit fixed point: x in steps of s/128; the factor (x + 3)/6 saturated in Q0.15 as (clip(x/3) + 1)/2; their product is
//!   truncated towards zero at 15 bits, then rounded to the output's scale.
//! - Both factors are quotients in f64 of scales in f32.
//! - Held by: `hardswish_?` goldens, random models.

use smolnn_core::ShapeError;

use super::Table;
use crate::quantise::{Affine, Multiplier, clamp, rounding_shift_right};

/// A multiplier with a mantissa of 15 bits.
const fn multiplier16(factor: f64) -> (i32, i32) {
    let wide = Multiplier::from_f64(factor);
    let mantissa = if wide.mantissa >= i32::MAX - (1 << 15) { 0x7FFF } else { (wide.mantissa + (1 << 15)) >> 16 };
    (mantissa, wide.shift)
}

/// a · b / 2^15 to nearest, for 16-bit values; saturates where both are −2^15.
const fn rounding_product(a: i32, b: i32) -> i32 {
    if a == -32768 && b == -32768 {
        return 32767;
    }
    let product = a * b;
    (product + if product >= 0 { 1 << 14 } else { 1 - (1 << 14) }) / (1 << 15)
}

/// a · 2^shift, saturated to 16 bits.
const fn saturating_shift_left(a: i32, shift: u32) -> i32 {
    clamp(a << (if shift > 15 { 15 } else { shift }), -32768, 32767)
}

impl Table {
    /// Hard swish from one quantisation to another, with the reference's bits; 0.50 steps from the real function with scales of
    /// 1/16. 0 for x ≤ −3, x for x ≥ 3, clamped to int8. Run by [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when a scale is not positive, a zero point lies outside of int8, or the output's scale is
    /// too small for the input's.
    pub const fn hard_swish(input: Affine, output: Affine) -> Result<Self, ShapeError> {
        if let Err(error) = input.check(-128, 127) {
            return Err(error);
        }
        if let Err(error) = output.check(-128, 127) {
            return Err(error);
        }
        let fine_scale = (1.0 / 128.0) * input.scale;
        let (output_mantissa, output_shift) = multiplier16(fine_scale as f64 / output.scale as f64);
        let (factor_mantissa, factor_shift) = multiplier16(fine_scale as f64 / (3.0 / 32768.0));
        if output_shift > 0 || output_shift < -15 || factor_shift < -31 {
            return Err(ShapeError::Range("the output's scale of the hard swish does not fit the input's"));
        }
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let fine = (index as i32 - 128 - input.zero_point) << 7;
            let scaled = rounding_product(fine, output_mantissa);
            let mut factor = fine;
            if factor_shift > 0 {
                factor = saturating_shift_left(factor, factor_shift as u32 - 1);
            }
            factor = rounding_product(factor, factor_mantissa);
            if factor_shift > 0 {
                factor = saturating_shift_left(factor, 1);
            } else if factor_shift < 0 {
                factor = rounding_shift_right(factor, -factor_shift as u32);
            }
            let factor = (factor + (1 << 15)) >> 1;
            let product = factor * scaled / (1 << 15);
            let result = rounding_shift_right(product, -output_shift as u32) + output.zero_point;
            table[index] = clamp(result, -128, 127) as i8;
            index += 1;
        }
        Ok(Self::from_ascending(&table))
    }
}

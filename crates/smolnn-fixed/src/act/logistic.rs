//! Logistic function and hyperbolic tangent, int8: the tables of TensorFlow Lite's integer sequences.
//!
//! - logistic: output scale 1/256, zero point −128; tanh: output scale 1/128, zero point 0.
//! - x − z becomes Q4.27 by the multiplier of 2^27 · s; [`transcendental`](crate::transcendental) gives Q0.31, which is
//!   rounded to 8 or 7 bits, halves away from zero. Inputs at or beyond the radius ⌊15 · 2^27 / 2^shift⌋ saturate.
//! - Held by: `logistic_?`, `tanh_?` goldens.

use smolnn_core::ShapeError;

use super::Table;
use crate::quantise::{Affine, Multiplier, clamp, rounding_shift_right};
use crate::transcendental;

impl Table {
    /// 1 / (1 + exp(−x)); the output's scale is 1/256, its zero point −128. The reference's bits, 0.50 steps from the real
    /// function. From a radius between 7.5 and 15 on, which the scale decides, the ends: −128 and 127. Run by [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scale is not positive or the zero point lies outside of int8.
    pub const fn logistic(input: Affine) -> Result<Self, ShapeError> {
        Self::from_q4(input, true)
    }

    /// tanh(x); the output's scale is 1/128, its zero point 0. The reference's bits, 0.50 steps from the real function. From
    /// a radius between 7.5 and 15 on, which the scale decides, the ends: −128 and 127. Run by [`lookup`](super::lookup).
    ///
    /// # Errors
    /// The errors are those of [`Table::logistic`].
    pub const fn tanh(input: Affine) -> Result<Self, ShapeError> {
        Self::from_q4(input, false)
    }

    const fn from_q4(input: Affine, is_logistic: bool) -> Result<Self, ShapeError> {
        if let Err(error) = input.check(-128, 127) {
            return Err(error);
        }
        let multiplier = Multiplier::from_f64(input.scale as f64 * (1 << 27) as f64);
        // A scale of 2^-28 or less would need a right shift; the radius then is beyond all of int8.
        let radius = match multiplier.shift {
            ..0 => i64::MAX,
            0..=31 => (15_i64 << 27) >> multiplier.shift,
            _ => 0,
        };
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let value = index as i32 - 128 - input.zero_point;
            table[index] = if value as i64 <= -radius {
                -128
            } else if value as i64 >= radius {
                127
            } else if is_logistic {
                let result = transcendental::logistic(multiplier.apply(value));
                clamp(rounding_shift_right(result, 23) - 128, -128, 127) as i8
            } else {
                let result = transcendental::tanh(multiplier.apply(value));
                clamp(rounding_shift_right(result, 24), -128, 127) as i8
            };
            index += 1;
        }
        Ok(Self::from_ascending(&table))
    }
}

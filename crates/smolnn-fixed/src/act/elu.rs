//! ELU, int8: x for x ≥ 0, exp(x) − 1 below, as a table.
//!
//! - As the reference, in f32: exp rounded to f32, minus 1, times the rounded inverse of the output's scale, halves away
//!   from zero.
//! - Held by: `elu_?` goldens.

use smolnn_core::ShapeError;

use super::Table;
use crate::quantise::{Affine, clamp, round};
use crate::real;

impl Table {
    /// ELU with α = 1 from one quantisation to another, with the reference's bits; 0.50 steps from the real function. Towards −∞
    /// the output nears −1; what int8 does not hold is clamped. Run by [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when a scale is not positive or a zero point lies outside of int8.
    pub const fn elu(input: Affine, output: Affine) -> Result<Self, ShapeError> {
        if let Err(error) = input.check(-128, 127) {
            return Err(error);
        }
        if let Err(error) = output.check(-128, 127) {
            return Err(error);
        }
        let inverse = 1.0 / output.scale;
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let x = input.scale * (index as i32 - 128 - input.zero_point) as f32;
            let y = if x < 0.0 { real::exp(x as f64) as f32 - 1.0 } else { x };
            let steps = round((y * inverse) as f64).saturating_add(output.zero_point);
            table[index] = clamp(steps, -128, 127) as i8;
            index += 1;
        }
        Ok(Self::from_ascending(&table))
    }
}

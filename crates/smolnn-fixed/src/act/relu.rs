//! ReLU and its clamped kinds as an operator of their own, int8, as a table.
//!
//! - y = clamp(z_out + M · (x − z_in)), M the multiplier of s_in / s_out (f32 quotient), the clamp that of
//!   [`FusedActivation::range`]; [`Multiplier::apply`] rounds.
//! - Held by: `relu_?`, `relu6_?` goldens.

use smolnn_core::ShapeError;

use super::Table;
use crate::quantise::{Affine, FusedActivation, Multiplier};

impl Table {
    /// The activation from one quantisation to another, with the reference's bits; clamped to the activation's range and int8.
    /// Run by [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other or a zero point lies outside of int8.
    pub const fn relu(activation: FusedActivation, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        if let Err(error) = input.check(-128, 127) {
            return Err(error);
        }
        if let Err(error) = output.check(-128, 127) {
            return Err(error);
        }
        let multiplier = match Multiplier::try_from_f64((input.scale / output.scale) as f64) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        let range = activation.range(output.scale, output.zero_point, -128, 127);
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            table[index] = range.finish(multiplier.apply(index as i32 - 128 - input.zero_point)) as i8;
            index += 1;
        }
        Ok(Self::from_ascending(&table))
    }
}

//! Sum of any number of int8 tensors of one shape, scale and zero point: y = clamp(z_out + M · (Σ x_k − (n + 1) · z_in) · 2^19), M that of
//! 2 · s_in / (2^20 · s_out) in f64.
//!
//! - The reference's sum starts at −z_in instead of 0, which is why a zero point that is not 0 is subtracted once more than
//!   there are tensors. These are its bits, not what the name promises.
//! - 2 · 255 · 2^19 < 2^28 for each tensor: sums of more than 15 tensors may wrap, as the reference's do.
//! - Rounding: [`Multiplier::apply`], once per output.
//! - Held by: random tensors against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use crate::quantise::{Affine, Multiplier, OutputRange};

/// A sum of several tensors, checked.
#[derive(Clone, Copy, Debug)]
pub struct AddN {
    count: usize,
    length: usize,
    offset: i32,
    multiplier: Multiplier,
    output: OutputRange,
}

impl AddN {
    /// Of `count` tensors of `length` elements.
    ///
    /// # Errors
    /// [`ShapeError`] when there is no tensor or no element, the scales are not positive or do not fit each other, or a zero
    /// point lies outside of int8.
    pub const fn new(count: usize, length: usize, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        if count == 0 || length == 0 {
            return Err(ShapeError::Zero("the count or the length of the summed tensors"));
        }
        if count >= 1 << 16 {
            return Err(ShapeError::TooLarge);
        }
        if let Err(error) = input.check(-128, 127) {
            return Err(error);
        }
        if let Err(error) = output.check(-128, 127) {
            return Err(error);
        }
        let factor = 2.0 * input.scale as f64 / ((1 << 20) as f64 * output.scale as f64);
        let multiplier = match Multiplier::try_from_f64(factor) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        let offset = -((count as i32 + 1) * input.zero_point);
        Ok(Self { count, length, offset, multiplier, output: OutputRange::int8(output.zero_point) })
    }
}

/// Runs the sum.
///
/// # Errors
/// [`ShapeError::Length`] when there are more or fewer inputs than the layer says, or a tensor has another length.
pub fn add_n(layer: &AddN, inputs: &[&[i8]], output: &mut [i8]) -> Result<(), ShapeError> {
    ShapeError::check_length("the list of inputs", layer.count, inputs.len())?;
    for input in inputs {
        ShapeError::check_length("an input", layer.length, input.len())?;
    }
    ShapeError::check_length("the output", layer.length, output.len())?;
    for (index, output) in output.iter_mut().enumerate() {
        let mut sum = layer.offset;
        for value in inputs.iter().filter_map(|input| input.get(index)) {
            sum = sum.wrapping_add(i32::from(*value));
        }
        *output = layer.output.finish(layer.multiplier.apply(sum.wrapping_shl(19))) as i8;
    }
    Ok(())
}

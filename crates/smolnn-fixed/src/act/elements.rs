//! What the int16 activations that compute each element by itself have in common, and the int8 tables that they make.
//!
//! - y = clamp(z_out + f(x − z_in)), f the function of each.

use smolnn_core::ShapeError;

use crate::quantise::{Affine, clamp};
use crate::tensors::{Source, Tensors};

/// Length and zero points of such a layer, checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements {
    length: usize,
    input_zero_point: i32,
    output_zero_point: i32,
}

impl Elements {
    /// Of `length` elements, which an error calls `what`.
    ///
    /// # Errors
    /// [`ShapeError`] when the length is 0, a scale is not positive, or a zero point lies outside of int16.
    pub const fn new(what: &'static str, length: usize, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        if length == 0 {
            return Err(ShapeError::Zero(what));
        }
        match Affine::check_all(&[input, output], i16::MIN as i32, i16::MAX as i32) {
            Ok(()) => Ok(Self { length, input_zero_point: input.zero_point, output_zero_point: output.zero_point }),
            Err(error) => Err(error),
        }
    }

    /// The input of the function, for an element of int16.
    #[inline(always)]
    pub const fn input(&self, value: i32) -> i32 {
        value - self.input_zero_point
    }

    /// The output for what the function gives, not clamped.
    #[inline(always)]
    pub const fn output(&self, value: i32) -> i32 {
        value.saturating_add(self.output_zero_point)
    }

    /// Runs a layer whose elements `apply` maps from x to y before it is clamped.
    ///
    /// # Errors
    /// [`ShapeError`] when input or output have another length than the layer says, or overlap where they must not.
    #[inline(always)]
    pub fn run(&self, mut tensors: impl Tensors<i16>, apply: impl Fn(i32) -> i32) -> Result<(), ShapeError> {
        tensors.check(self.length, self.length, 0)?;
        let (input, output) = tensors.split();
        input.map(output, |value| clamp(apply(i32::from(value)), -32768, 32767) as i16);
        Ok(())
    }
}

/// The [`Table`](super::Table) of a layer with a method `apply`, or the error of the layer; clamped to int8. A macro, since functions that are const call
/// no function that they are given.
macro_rules! tabulated {
    ($layer:expr) => {
        match $layer {
            Ok(layer) => {
                let mut table = [0; 256];
                let mut index = 0;
                while index < 256 {
                    table[index] = $crate::quantise::clamp(layer.apply(index as i32 - 128), -128, 127) as i8;
                    index += 1;
                }
                Ok($crate::act::Table::from_ascending(&table))
            }
            Err(error) => Err(error),
        }
    };
}
pub(super) use tabulated;

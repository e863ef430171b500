//! ReLU and its clamped kinds as an operator of their own: int8 as a table, int16 element by element.
//!
//! - y = clamp(z_out + M · (x − z_in)), M the multiplier of s_in / s_out in f64, the clamp that of [`FusedActivation::range`];
//!   [`Multiplier::apply`] rounds.
//! - The reference's RELU6 does not rescale: it clamps the stored value by the input's quantisation. With one quantisation in and
//!   out, as converters write it, that is the same; with two the reference is wrong as arithmetic, and this kernel is not.
//! - Held by: `relu_?`, `relu6_?` goldens; random values against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::Table;
use crate::quantise::{Affine, FusedActivation, Multiplier, OutputRange};
use crate::tensors::{Source, Tensors};

/// The multiplier of s_in / s_out, for quantisations of a type that spans `least..=largest`.
const fn multiplier(input: Affine, output: Affine, least: i32, largest: i32) -> Result<Multiplier, ShapeError> {
    if let Err(error) = input.check(least, largest) {
        return Err(error);
    }
    if let Err(error) = output.check(least, largest) {
        return Err(error);
    }
    Multiplier::try_from_f64(input.scale as f64 / output.scale as f64)
}

impl Table {
    /// The activation from one quantisation to another, with the reference's bits; clamped to the activation's range and int8.
    /// Run by [`lookup`](super::lookup).
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other or a zero point lies outside of int8.
    pub const fn relu(activation: FusedActivation, input: Affine, output: Affine) -> Result<Self, ShapeError> {
        let multiplier = match multiplier(input, output, -128, 127) {
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

/// A ReLU of int16, checked.
#[derive(Clone, Copy, Debug)]
pub struct ReluInt16 {
    length: usize,
    multiplier: Multiplier,
    input_zero_point: i32,
    output: OutputRange,
}

impl ReluInt16 {
    /// The activation of `length` elements from one quantisation to another.
    ///
    /// # Errors
    /// [`ShapeError`] when the length is 0, the scales are not positive or do not fit each other, or a zero point lies outside of int16.
    pub const fn new(
        length: usize,
        activation: FusedActivation,
        input: Affine,
        output: Affine,
    ) -> Result<Self, ShapeError> {
        if length == 0 {
            return Err(ShapeError::Zero("the length of the ReLU"));
        }
        let multiplier = match multiplier(input, output, i16::MIN as i32, i16::MAX as i32) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        let output = activation.range(output.scale, output.zero_point, i16::MIN as i32, i16::MAX as i32);
        Ok(Self { length, multiplier, input_zero_point: input.zero_point, output })
    }
}

/// Runs an int16 ReLU; input and output may be one.
///
/// # Errors
/// [`ShapeError`] when input or output have another length than the layer says, or overlap where they must not.
pub fn relu_int16(layer: &ReluInt16, mut tensors: impl Tensors<i16>) -> Result<(), ShapeError> {
    tensors.check(layer.length, layer.length, 0)?;
    let (input, output) = tensors.split();
    input.map(output, |value| {
        layer.output.finish(layer.multiplier.apply(i32::from(value) - layer.input_zero_point)) as i16
    });
    Ok(())
}

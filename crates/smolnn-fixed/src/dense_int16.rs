//! Dense (fully connected) layer, int16 activations with int8 weights: `y[o] = clamp(M_o · (b_o + Σ_i w[o, i] · x[i]))`.
//!
//! - Layout: vectors one behind the other; weights outputs × inputs, unpacked; bias int64; zero points 0.
//! - Accumulators, rounding: as [`conv2d_int16`](crate::conv::conv2d_int16).
//! - Held by: `fc_int16`, `dense_int16*` goldens; random shapes against the naive oracle
//!   (tests/host/registry/conformance.rs).

use smolnn_core::{DenseShape, ShapeError};

use crate::backend::{Bodies, Chosen};
use crate::conv::{Sums, WeightsInt16, dot_int16};
use crate::quantise::OutputRange;

/// A dense layer of int16 activations, checked.
#[derive(Clone, Copy, Debug)]
pub struct DenseInt16<'a> {
    pub(crate) shape: DenseShape,
    weights: WeightsInt16<'a>,
    sums: Sums,
    output: OutputRange,
}

impl<'a> DenseInt16<'a> {
    /// A layer of 64-bit sums; the zero point of `output` does not matter.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, a bias is too large, or the clamp is outside of int16.
    pub const fn new(shape: DenseShape, weights: WeightsInt16<'a>, output: OutputRange) -> Result<Self, ShapeError> {
        Self::with_sums(shape, weights, Sums::Bits64, output)
    }

    /// A layer as [`new`](Self::new) makes it, with sums of the given width.
    ///
    /// # Errors
    /// The errors are those of [`new`](Self::new), and one for 32-bit sums with weights in short form.
    pub const fn with_sums(
        shape: DenseShape,
        weights: WeightsInt16<'a>,
        sums: Sums,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = weights.check(shape.weights(), shape.outputs(), sums) {
            return Err(error);
        }
        match output.check_int16() {
            Ok(()) => Ok(Self { shape, weights, sums, output }),
            Err(error) => Err(error),
        }
    }

    /// Whether the layer takes one vector and clamps to nothing less than int16.
    pub(crate) const fn is_whole_vector(&self) -> bool {
        self.shape.batch() == 1 && self.output.minimum == -32768 && self.output.maximum == 32767
    }
}

/// Runs the layer. Input and output are apart: the whole input is needed until the last output.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn dense_int16(layer: &DenseInt16<'_>, input: &[i16], output: &mut [i16]) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    ShapeError::check_length("the input", shape.input_len(), input.len())?;
    ShapeError::check_length("the output", shape.output_len(), output.len())?;
    let (inputs, outputs) = (shape.inputs().max(1), shape.outputs().max(1));
    for (input, output) in input.chunks_exact(inputs).zip(output.chunks_exact_mut(outputs)) {
        if layer.weights.short.is_empty() {
            for ((index, result), row) in output.iter_mut().enumerate().zip(layer.weights.values.chunks_exact(inputs)) {
                *result = layer.weights.finish(index, dot_int16(input, row), layer.sums, &layer.output);
            }
        } else {
            let WeightsInt16 { values, short, .. } = layer.weights;
            Chosen::dense_int16(input, values, short, &layer.output, output);
        }
    }
    Ok(())
}

//! Dense (fully connected) layer, int8: `y[o] = clamp(z_out + M_o · (b_o + Σ_i w[o, i] · (x[i] − z_in)))`.
//!
//! - Layout: vectors one behind the other; weights packed by [`pack::dense`](crate::pack::dense).
//! - Accumulators, rounding: as [`conv2d`](crate::conv::conv2d).
//! - Held by: `fc_*` goldens and random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{DenseShape, ShapeError};

use crate::pack::{Channel, Layout, PackedLayer, PackedShape};
use crate::quantise::OutputRange;
use crate::{Tensors, backend};

/// A dense layer with its packed weights, checked.
pub type Dense<'a> = PackedLayer<'a, DenseShape>;

impl<'a> Dense<'a> {
    /// A layer of weights packed by [`pack::dense`](crate::pack::dense) for the backend that will run it.
    ///
    /// # Errors
    /// [`ShapeError`] when the layout does not fit the shape or is not one that this build runs, words or channels are not as
    /// many as it says, or the output's zero point or clamp lies outside of int8.
    pub const fn new(
        shape: DenseShape,
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        let shapes = (shape, PackedShape::Dense(shape), shape.overlap_gap());
        match output.check_int8(0) {
            Ok(zero_point) => Self::checked(shapes, words, channels, layout, output, zero_point),
            Err(error) => Err(error),
        }
    }
}

/// Runs the layer. `scratch` has at least [`PackedLayer::scratch_words`] words.
///
/// # Errors
/// [`ShapeError`] when input, output or scratch have other lengths than the shape says, or overlap where they must not.
// Inlined, so that of a constant layer the checks vanish and no body but the one of its layout is linked.
#[inline(always)]
pub fn dense(layer: &Dense<'_>, mut tensors: impl Tensors<i8>, scratch: &mut [u32]) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    tensors.check(shape.input_len(), shape.output_len(), layer.overlap_gap)?;
    ShapeError::check_capacity("the scratch", layer.scratch_words, scratch.len())?;
    backend::dense(layer, &mut tensors, scratch);
    Ok(())
}

/// A dense layer from int8 to int16 with its packed weights, checked: what recurrent cells are made of. One vector, zero
/// point 0, saturated to the whole range.
pub type DenseToInt16<'a> = PackedLayer<'a, DenseShape, i16>;

impl<'a> DenseToInt16<'a> {
    /// A layer of weights packed by [`pack::dense_to_int16`](crate::pack::dense_to_int16) for the backend that will run it.
    ///
    /// # Errors
    /// [`ShapeError`] when the layout does not fit the shape or is not one that this build runs, words or channels are not as
    /// many as it says, or the batch is not 1.
    pub const fn new(
        shape: DenseShape,
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
    ) -> Result<Self, ShapeError> {
        let shapes = (shape, PackedShape::DenseToInt16(shape), 0);
        Self::checked(shapes, words, channels, layout, OutputRange::int16(), 0)
    }
}

/// Runs a layer from int8 to int16. `scratch` has at least [`PackedLayer::scratch_words`] words.
///
/// # Errors
/// [`ShapeError`] when input, output or scratch have other lengths than the shape says.
#[inline]
pub fn dense_to_int16(
    layer: &DenseToInt16<'_>,
    input: &[i8],
    output: &mut [i16],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.shape.inputs(), input.len())?;
    ShapeError::check_length("the output", layer.shape.outputs(), output.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words, scratch.len())?;
    backend::dense_to_int16(layer, input, output, scratch);
    Ok(())
}

//! Depthwise 2-D convolution, int8: output channel c·m + j comes from input channel c alone, m the depth multiplier.
//!
//! - Layout: NHWC input and output; weights packed by [`pack::depthwise_conv2d`](crate::pack::depthwise_conv2d).
//! - Accumulators, rounding: as [`conv2d`](super::conv2d).
//! - Held by: `dw_*` goldens and random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{DepthwiseConv2dShape, ShapeError};

use crate::pack::{Channel, Layout, PackedLayer, PackedShape};
use crate::quantise::OutputRange;
use crate::{Tensors, backend};

/// A depthwise convolution with its packed weights, checked.
pub type DepthwiseConv2d<'a> = PackedLayer<'a, DepthwiseConv2dShape>;

impl<'a> DepthwiseConv2d<'a> {
    /// A layer of weights packed by [`pack::depthwise_conv2d`](crate::pack::depthwise_conv2d) for the backend that will
    /// run it.
    ///
    /// # Errors
    /// [`ShapeError`] when the layout does not fit the shape or is not one that this build runs, words or channels are not as
    /// many as it says, or a zero point or the clamp lies outside of int8.
    pub const fn new(
        shape: DepthwiseConv2dShape,
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
        output: OutputRange,
        input_zero_point: i32,
    ) -> Result<Self, ShapeError> {
        let shapes = (shape, PackedShape::DepthwiseConv2d(shape), shape.overlap_gap());
        match output.check_int8(input_zero_point) {
            Ok(zero_point) => Self::checked(shapes, words, channels, layout, output, zero_point),
            Err(error) => Err(error),
        }
    }
}

/// Runs the depthwise convolution, row by row. `scratch` has at least [`PackedLayer::scratch_words`] words.
///
/// # Errors
/// [`ShapeError`] when input, output or scratch have other lengths than the shape says, or overlap where they must not.
// Inlined, so that of a constant layer the checks vanish and no body but the one of its layout is linked.
#[inline(always)]
pub fn depthwise_conv2d(
    layer: &DepthwiseConv2d<'_>,
    mut tensors: impl Tensors<i8>,
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    tensors.check(shape.input_len(), shape.output_len(), layer.overlap_gap)?;
    ShapeError::check_capacity("the scratch", layer.scratch_words, scratch.len())?;
    backend::depthwise_conv2d(layer, &mut tensors, scratch);
    Ok(())
}

//! Depthwise 2-D convolution, int8: output channel c·m + j comes from input channel c alone, m the depth multiplier.
//!
//! - Layout: NHWC input and output; weights packed by [`pack::depthwise_conv2d`](crate::pack::depthwise_conv2d).
//! - Accumulators, rounding: as [`conv2d`](super::conv2d).
//! - Held by: `dw_*` goldens and random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{DepthwiseConv2dShape, ShapeError};

#[cfg(any(backend = "helium", backend = "v7m", backend = "v6m", backend = "rv32"))]
use super::Conv2d;
use crate::pack::{self, Channel, Layout};
use crate::quantise::OutputRange;
use crate::{Tensors, backend};

/// A depthwise convolution with its packed weights, checked.
#[derive(Clone, Copy, Debug)]
pub struct DepthwiseConv2d<'a> {
    pub(crate) shape: DepthwiseConv2dShape,
    pub(crate) words: &'a [u32],
    pub(crate) channels: &'a [Channel],
    pub(crate) layout: Layout,
    pub(crate) output: OutputRange,
    pub(crate) input_zero_point: i8,
    /// What running checks, found when the layer is made.
    scratch_words: usize,
    overlap_gap: usize,
}

impl<'a> DepthwiseConv2d<'a> {
    /// A layer of weights packed by [`pack::depthwise_conv2d`](crate::pack::depthwise_conv2d) for the backend that will
    /// run it.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, the layout is not one that this build runs, or the zero point
    /// or clamp lies outside of int8.
    pub const fn new(
        shape: DepthwiseConv2dShape,
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
        output: OutputRange,
        input_zero_point: i32,
    ) -> Result<Self, ShapeError> {
        let needs = pack::depthwise_conv2d_needs(layout, &shape);
        if let Err(error) = needs.check(layout, words.len(), channels.len()) {
            return Err(error);
        }
        let (scratch_words, overlap_gap) = (needs.scratch, shape.overlap_gap());
        match output.check_int8(input_zero_point) {
            Ok(input_zero_point) => {
                Ok(Self { shape, words, channels, layout, output, input_zero_point, scratch_words, overlap_gap })
            }
            Err(error) => Err(error),
        }
    }

    /// Words of scratch memory that the layer needs.
    pub const fn scratch_words(&self) -> usize {
        self.scratch_words
    }

    /// The layout of the weights.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The shape.
    pub const fn shape(&self) -> &DepthwiseConv2dShape {
        &self.shape
    }

    /// The convolution that the layer is, if it has one input channel and its weights are packed as a convolution's.
    #[cfg(any(backend = "helium", backend = "v7m", backend = "v6m", backend = "rv32"))]
    pub(crate) fn as_conv2d(&self) -> Option<Conv2d<'a>> {
        let Self { words, channels, layout, output, input_zero_point, .. } = *self;
        let shape = pack::as_conv2d(&self.shape)?;
        Conv2d::new(shape, words, channels, layout, output, input_zero_point.into()).ok()
    }
}

/// Words of scratch memory that [`depthwise_conv2d`] needs with weights of the layout.
pub const fn depthwise_conv2d_scratch(layout: Layout, shape: &DepthwiseConv2dShape) -> usize {
    pack::depthwise_conv2d_needs(layout, shape).scratch
}

/// Runs the depthwise convolution, row by row. `scratch` has at least [`DepthwiseConv2d::scratch_words`] words.
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

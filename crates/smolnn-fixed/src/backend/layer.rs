//! The one type of layers whose weights are packed.

use core::marker::PhantomData;

use smolnn_core::{DepthwiseConv2dShape, ShapeError};

use super::pack::{self, Channel, Layout, PackedShape};
use crate::conv::Conv2d;
use crate::quantise::OutputRange;

/// A layer with its packed weights, checked: shape, layout, words and channels belong together, so that a body finds all that
/// it reads. `S` is its shape, `Y` the type of its outputs. The operators are [`Conv2d`](crate::conv::Conv2d),
/// [`DepthwiseConv2d`](crate::conv::DepthwiseConv2d), [`Dense`](crate::dense::Dense) and
/// [`DenseToInt16`](crate::dense::DenseToInt16).
#[derive(Clone, Copy, Debug)]
pub struct PackedLayer<'a, S, Y = i8> {
    pub(crate) shape: S,
    pub(crate) words: &'a [u32],
    pub(crate) channels: &'a [Channel],
    pub(crate) layout: Layout,
    pub(crate) output: OutputRange,
    pub(crate) input_zero_point: i8,
    /// Words of scratch memory that a run needs, and the least distance from the output to the input where they overlap. Both
    /// are computed once, by the constructor.
    pub(crate) scratch_words: usize,
    pub(crate) overlap_gap: usize,
    outputs: PhantomData<Y>,
}

impl<'a, S: Copy, Y> PackedLayer<'a, S, Y> {
    /// The layer of `shape`, which with its operator is `packed`. The input's zero point is the value of padding.
    pub(crate) const fn checked(
        (shape, packed, overlap_gap): (S, PackedShape, usize),
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
        output: OutputRange,
        input_zero_point: i8,
    ) -> Result<Self, ShapeError> {
        let needs = match pack::needs(layout, &packed) {
            Ok(needs) => needs,
            Err(error) => return Err(error),
        };
        if !layout.runs_here() {
            return Err(ShapeError::Range("the weights are packed for another backend than this build runs"));
        }
        if let Err(error) = ShapeError::check_length("the packed words", needs.words as usize, words.len()) {
            return Err(error);
        }
        if needs.channels > 0
            && let Err(error) = ShapeError::check_length("the channels", needs.channels as usize, channels.len())
        {
            return Err(error);
        }
        let scratch_words = needs.scratch as usize;
        Ok(Self {
            shape,
            words,
            channels,
            layout,
            output,
            input_zero_point,
            scratch_words,
            overlap_gap,
            outputs: PhantomData,
        })
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
    pub const fn shape(&self) -> &S {
        &self.shape
    }
}

impl<'a> PackedLayer<'a, DepthwiseConv2dShape> {
    /// The convolution, if the layer's backend packed the layer as one and runs it as one.
    #[inline(always)]
    pub(crate) const fn as_conv2d(&self) -> Option<Conv2d<'a>> {
        let Self { words, channels, layout, output, input_zero_point, scratch_words, overlap_gap, .. } = *self;
        match pack::as_conv2d(layout.backend(), &self.shape) {
            Some(shape) => Some(PackedLayer {
                shape,
                words,
                channels,
                layout,
                output,
                input_zero_point,
                scratch_words,
                overlap_gap,
                outputs: PhantomData,
            }),
            None => None,
        }
    }
}

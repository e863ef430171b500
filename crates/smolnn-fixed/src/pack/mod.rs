//! Weights in the order in which a backend reads them.
//!
//! Every backend's packing is compiled everywhere: the importer packs on the host for the target, tests pack for the
//! backend they run. A packed layer is words (weights, in any form) and one [`Channel`] per output channel with the
//! zero point of the input folded into the bias: Σ (x − z)·w + b = Σ x·w + (b − z·Σ w). Padding counts as the value z,
//! so that the same bias serves every pixel.
//!
//! A backend that has no packing of its own for an operator uses the portable one, and the portable body with it:
//! [`layout`](Packed::layout) says which, and a kernel only runs the layouts it knows.

pub mod portable;

use smolnn_core::{Conv2d, Dense, DepthwiseConv2d, ShapeError};

use crate::Backend;
use crate::quantise::{Multiplier, OutputRange};

/// The weights of a layer as TensorFlow Lite stores them.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// int8, symmetric: OHWI for convolutions, 1HWC for depthwise, outputs × inputs for dense layers.
    pub values: &'a [i8],
    /// One per output channel, scale s_in · s_w; empty stands for zeros.
    pub bias: &'a [i32],
    /// s_in · s_w / s_out: one per output channel, or one for all.
    pub multipliers: &'a [Multiplier],
    /// Zero point of the input.
    pub input_zero_point: i32,
}

impl Weights<'_> {
    /// Checks the lengths for a layer of `weights` weights and `channels` output channels.
    ///
    /// # Errors
    /// [`ShapeError::Length`].
    pub fn check(&self, weights: usize, channels: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the weights", weights, self.values.len())?;
        if !self.bias.is_empty() {
            ShapeError::check_length("the bias", channels, self.bias.len())?;
        }
        if self.multipliers.len() != 1 {
            ShapeError::check_length("the multipliers", channels, self.multipliers.len())?;
        }
        Ok(())
    }

    /// Bias of output channel `channel`.
    pub fn bias(&self, channel: usize) -> i32 {
        self.bias.get(channel).copied().unwrap_or(0)
    }

    /// Multiplier of output channel `channel`.
    pub fn multiplier(&self, channel: usize) -> Multiplier {
        let index = if self.multipliers.len() == 1 { 0 } else { channel };
        self.multipliers.get(index).copied().unwrap_or_default()
    }
}

/// What the accumulator of one output channel starts from and how it becomes an output, in the backend's encoding.
/// The portable encoding: folded bias, mantissa and shift of the [`Multiplier`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Channel {
    /// Bias, zero point folded in.
    pub bias: i32,
    /// Mantissa of the multiplier.
    pub multiplier: i32,
    /// Shift of the multiplier, and whatever else a backend puts here.
    pub shift: i32,
}

/// Which layout the words of a layer have. Every layout of every backend has a number of its own; 0 is the portable
/// one, which every build runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout(pub u8);

impl Layout {
    /// The portable layout: bytes in the order of TensorFlow Lite.
    pub const PORTABLE: Self = Self(0);
}

/// What packing gave. The layout decides how much scratch memory the layer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Words used.
    pub words: usize,
    /// Their layout.
    pub layout: Layout,
}

/// Most words that packing the convolution takes for the backend; the words used may be fewer.
pub const fn conv2d_words(_backend: Backend, shape: &Conv2d) -> usize {
    portable::words(shape.weights())
}

/// Packs the weights of a convolution.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short.
pub fn conv2d(
    _backend: Backend,
    shape: &Conv2d,
    weights: &Weights<'_>,
    _output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    portable::rows(shape.output.channels, shape.depth(), weights, words, channels)
}

/// Most words that packing the depthwise convolution takes for the backend; the words used may be fewer.
pub const fn depthwise_conv2d_words(_backend: Backend, shape: &DepthwiseConv2d) -> usize {
    portable::words(shape.weights())
}

/// Packs the weights of a depthwise convolution.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short.
pub fn depthwise_conv2d(
    _backend: Backend,
    shape: &DepthwiseConv2d,
    weights: &Weights<'_>,
    _output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    portable::columns(shape.depth(), shape.output.channels, weights, words, channels)
}

/// Most words that packing the dense layer takes for the backend; the words used may be fewer.
pub const fn dense_words(_backend: Backend, shape: &Dense) -> usize {
    portable::words(shape.weights())
}

/// Packs the weights of a dense layer.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short.
pub fn dense(
    _backend: Backend,
    shape: &Dense,
    weights: &Weights<'_>,
    _output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    portable::rows(shape.outputs, shape.inputs, weights, words, channels)
}

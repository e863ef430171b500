//! Layouts for cores with the DSP extension.

use smolnn_core::{Conv2d, Dense, DepthwiseConv2d, ShapeError};

use super::{Channel, Layout, Needs, Packed, Weights, portable};
use crate::quantise::OutputRange;

/// What a convolution takes.
pub const fn conv2d_needs(_layout: Layout, shape: &Conv2d) -> Needs {
    portable::conv2d_needs(shape)
}

/// What a depthwise convolution takes.
pub const fn depthwise_conv2d_needs(_layout: Layout, shape: &DepthwiseConv2d) -> Needs {
    portable::depthwise_conv2d_needs(shape)
}

/// What a dense layer takes.
pub const fn dense_needs(_layout: Layout, shape: &Dense) -> Needs {
    portable::dense_needs(shape)
}

/// Most words that a convolution takes.
pub const fn conv2d_words(shape: &Conv2d) -> usize {
    portable::words(shape.weights())
}

/// Most words that a depthwise convolution takes.
pub const fn depthwise_conv2d_words(shape: &DepthwiseConv2d) -> usize {
    portable::words(shape.weights())
}

/// Most words that a dense layer takes.
pub const fn dense_words(shape: &Dense) -> usize {
    portable::words(shape.weights())
}

/// Packs a convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn conv2d(
    shape: &Conv2d,
    weights: &Weights<'_>,
    _output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    portable::conv2d(shape, weights, words, channels)
}

/// Packs a depthwise convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn depthwise_conv2d(
    shape: &DepthwiseConv2d,
    weights: &Weights<'_>,
    _output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    portable::depthwise_conv2d(shape, weights, words, channels)
}

/// Packs a dense layer.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn dense(
    shape: &Dense,
    weights: &Weights<'_>,
    _output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    portable::dense(shape, weights, words, channels)
}

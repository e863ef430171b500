//! The portable packing: the bytes as TensorFlow Lite stores them, four to a word, little endian.

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, ShapeError};

use crate::pack::{Channel, Layout, Needs, Packed, Weights};

/// Words that hold `bytes` bytes.
pub const fn words(bytes: usize) -> usize {
    bytes.div_ceil(4)
}

/// What a convolution takes; the scratch memory is one column, the patch that a pixel sees.
pub const fn conv2d_needs(shape: &Conv2dShape) -> Needs {
    Needs { words: words(shape.weights()), channels: shape.output().channels, scratch: words(shape.depth()) }
}

/// What a depthwise convolution takes.
pub const fn depthwise_conv2d_needs(shape: &DepthwiseConv2dShape) -> Needs {
    Needs { words: words(shape.weights()), channels: shape.output().channels, scratch: 0 }
}

/// What a dense layer takes. Overlapping vectors of a batch are read before they are written: one vector of scratch
/// memory. A batch of one needs none.
pub const fn dense_needs(shape: &DenseShape) -> Needs {
    let scratch = if shape.batch() > 1 { words(shape.inputs()) } else { 0 };
    Needs { words: words(shape.weights()), channels: shape.outputs(), scratch }
}

/// Packs a convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn conv2d(
    shape: &Conv2dShape,
    weights: &Weights<'_>,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    rows(shape.output().channels, shape.depth(), weights, words, channels)
}

/// Packs a depthwise convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn depthwise_conv2d(
    shape: &DepthwiseConv2dShape,
    weights: &Weights<'_>,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    columns(shape.depth(), shape.output().channels, weights, words, channels)
}

/// Packs a dense layer.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn dense(
    shape: &DenseShape,
    weights: &Weights<'_>,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    rows(shape.outputs(), shape.inputs(), weights, words, channels)
}

/// Packs weights of which each output channel has a row of `depth` (convolution, dense).
///
/// # Errors
/// [`ShapeError::Length`].
pub fn rows(
    outputs: usize,
    depth: usize,
    weights: &Weights<'_>,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    weights.check(outputs * depth, outputs)?;
    let sum = |channel: usize| weights.values.iter().skip(channel * depth).take(depth).map(|&w| i32::from(w)).sum();
    copy(outputs, weights, sum, words, channels)
}

/// Packs weights of which each output channel has a column of `depth` (depthwise convolution).
///
/// # Errors
/// [`ShapeError::Length`].
pub fn columns(
    depth: usize,
    outputs: usize,
    weights: &Weights<'_>,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    weights.check(outputs * depth, outputs)?;
    let sum = |channel: usize| weights.values.iter().skip(channel).step_by(outputs).map(|&w| i32::from(w)).sum();
    copy(outputs, weights, sum, words, channels)
}

fn copy(
    outputs: usize,
    weights: &Weights<'_>,
    sum: impl Fn(usize) -> i32,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    let used = self::words(weights.values.len());
    ShapeError::check_capacity("the packed words", used, words.len())?;
    ShapeError::check_length("the packed channels", outputs, channels.len())?;
    for (word, bytes) in words.iter_mut().zip(weights.values.chunks(4)) {
        *word = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte as u8));
    }
    for (index, channel) in channels.iter_mut().enumerate() {
        *channel = fold(weights, index, sum(index));
    }
    Ok(Packed { words: used, channels: outputs, layout: Layout::PORTABLE })
}

/// The portable encoding of output channel `index`, whose weights add up to `sum`.
pub fn fold(weights: &Weights<'_>, index: usize, sum: i32) -> Channel {
    let multiplier = weights.multiplier(index);
    // The reference adds 32-bit products; wrapping gives the same sum in any order.
    let bias = weights.bias(index).wrapping_sub(weights.input_zero_point.wrapping_mul(sum));
    Channel { bias, multiplier: multiplier.mantissa, shift: multiplier.shift }
}

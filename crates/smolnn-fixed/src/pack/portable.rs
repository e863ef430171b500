//! The portable packing: the bytes as TensorFlow Lite stores them, four to a word, little endian.

use smolnn_core::ShapeError;

use super::{Channel, Layout, Packed, Weights};

/// Words that hold `bytes` bytes.
pub const fn words(bytes: usize) -> usize {
    bytes.div_ceil(4)
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
    Ok(Packed { words: used, layout: Layout::PORTABLE })
}

/// The portable encoding of output channel `index`, whose weights add up to `sum`.
pub fn fold(weights: &Weights<'_>, index: usize, sum: i32) -> Channel {
    let multiplier = weights.multiplier(index);
    // The reference adds 32-bit products; wrapping gives the same sum in any order.
    let bias = weights.bias(index).wrapping_sub(weights.input_zero_point.wrapping_mul(sum));
    Channel { bias, multiplier: multiplier.mantissa, shift: multiplier.shift }
}

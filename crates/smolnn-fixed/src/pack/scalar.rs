//! Layouts for cores that multiply one pair of 32-bit numbers at a time: v7-M, v6-M and RV32.
//!
//! Convolution: output channels in blocks of [`block`]; in a block, the weights of one depth stand side by side, one byte
//! each (\[depth\]\[channel\]), the depth filled up with zeros to a multiple of four, the last block with channels of zeros.
//!
//! Depthwise convolution: the weights of one channel stand side by side (\[channel\]\[tap\]) if the kernel is 3×3, else they
//! stay as they are (\[tap\]\[channel\]).
//!
//! Dense layer: as a convolution, but blocks are of [`dense_block`] outputs, the depth is not filled up, and but for
//! RV32 every weight is stored plus 128, so that a word of four is Σ 2^(8i)·(w_i + 128) without borrow.
//!
//! The kernels of convolutions multiply a word that holds two pixels, x_a + 2^S·x_b, by one weight, and so add to two sums at once
//! (`arch/scalar`). Packing checks what makes that exact; weights that do not allow it get the portable layout.

use smolnn_core::{Conv2d, Dense, DepthwiseConv2d, ShapeError};

use super::{Channel, Layout, Needs, Packed, Weights, portable};
use crate::Backend;
use crate::quantise::{Multiplier, OutputRange};

/// Numbers of the layouts, see [`Layout::of`]. The channels are encoded for the short rounding: accumulators stay below
/// 2^29 and every shift is to the right, so that (a + (a >> 31) + 2^(s−1) + z·2^s) >> s rounds as the reference does.
/// `bias` is twice the folded bias on cores that take the high word of a 64-bit product, `shift` is s − 1.
pub const SHORT: u8 = 1;
/// Channels in the portable encoding: any accumulator, any shift.
pub const GENERAL: u8 = 2;

/// The depth is filled up to a multiple of this.
const DEPTH_STEP: usize = 4;

/// Output channels whose weights stand side by side.
pub const fn block(backend: Backend) -> usize {
    match backend {
        Backend::V7m => 2,
        Backend::V6m => 8,
        _ => 4,
    }
}

/// Outputs of a dense layer whose weights stand side by side.
pub const fn dense_block(backend: Backend) -> usize {
    if matches!(backend, Backend::Rv32) { 16 } else { 8 }
}

const fn dense_blocks(backend: Backend, shape: &Dense) -> usize {
    shape.outputs.next_multiple_of(dense_block(backend)) * shape.inputs / 4
}

/// Bits from one pixel to the other in a word of two. Both sums of a v7-M pair lie in one 64-bit accumulator; 23 bits
/// are the most with which the word itself, −128 − 128·2^S at least, is a 32-bit number.
pub const fn spread(backend: Backend) -> u32 {
    if matches!(backend, Backend::V7m) { 23 } else { 16 }
}

/// The depth after which sums are taken out of their pairs: 128·128·255 < 2^22 on v7-M. Elsewhere pairs are taken apart
/// every two products.
pub const fn longest(backend: Backend) -> usize {
    if matches!(backend, Backend::V7m) { 252 } else { 1 << 24 }
}

/// The depth that is stored.
pub const fn padded(depth: usize) -> usize {
    depth.next_multiple_of(DEPTH_STEP)
}

const fn is_tiled(layout: Layout) -> bool {
    !layout.is(Layout::PORTABLE)
}

/// Words of `outputs` channels of `depth` weights.
const fn tiled_words(backend: Backend, outputs: usize, depth: usize) -> usize {
    outputs.next_multiple_of(block(backend)) * padded(depth) / 4
}

const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Whether windows reach into padding.
pub const fn is_padded(shape: &Conv2d) -> bool {
    !(shape.rows.is_unpadded() && shape.columns.is_unpadded())
}

/// What a convolution takes: the scratch memory is the column of four pixels, two to a word, and a pixel of padding.
pub const fn conv2d_needs(layout: Layout, shape: &Conv2d) -> Needs {
    if is_tiled(layout) {
        Needs {
            words: tiled_words(layout.backend(), shape.output.channels, shape.depth()),
            channels: shape.output.channels,
            scratch: 2 * padded(shape.depth()) + if is_padded(shape) { shape.input.channels.div_ceil(4) } else { 0 },
        }
    } else {
        portable::conv2d_needs(shape)
    }
}

/// What a depthwise convolution takes: a pixel of padding.
pub const fn depthwise_conv2d_needs(layout: Layout, shape: &DepthwiseConv2d) -> Needs {
    let mut needs = portable::depthwise_conv2d_needs(shape);
    if is_tiled(layout) && !(shape.rows.is_unpadded() && shape.columns.is_unpadded()) {
        let pixels = if slides(layout.backend(), shape) { shape.input.width } else { 1 };
        needs.scratch = (pixels * shape.input.channels).div_ceil(4);
    }
    needs
}

/// Whether the weights of a depthwise convolution are stored channel by channel: 3×3 kernels.
pub const fn is_by_channel(shape: &DepthwiseConv2d) -> bool {
    shape.rows.kernel == 3 && shape.columns.kernel == 3 && shape.multiplier == 1
}

/// Padding behind the last column.
pub const fn padding_right(shape: &DepthwiseConv2d) -> usize {
    let columns = &shape.columns;
    let end = (columns.output - 1) * columns.stride + (columns.kernel - 1) * columns.dilation + 1;
    (end - if end < columns.before { end } else { columns.before }).saturating_sub(columns.input)
}

/// Whether a depthwise convolution runs along the rows, channel by channel: on a core with registers for nine weights,
/// with at most one column of padding on each side. Padding above and below is a row of zero points then.
pub const fn slides(backend: Backend, shape: &DepthwiseConv2d) -> bool {
    matches!(backend, Backend::Rv32)
        && is_by_channel(shape)
        && shape.columns.dilation == 1
        && shape.columns.stride <= 2
        && shape.columns.before <= 1
        && padding_right(shape) <= 1
}

/// What a dense layer takes.
pub const fn dense_needs(layout: Layout, shape: &Dense) -> Needs {
    if is_tiled(layout) {
        Needs { words: dense_blocks(layout.backend(), shape), channels: shape.outputs, scratch: 0 }
    } else {
        portable::dense_needs(shape)
    }
}

/// Most words that a convolution takes.
pub const fn conv2d_words(backend: Backend, shape: &Conv2d) -> usize {
    larger(portable::words(shape.weights()), tiled_words(backend, shape.output.channels, shape.depth()))
}

/// Most words that a depthwise convolution takes.
pub const fn depthwise_conv2d_words(shape: &DepthwiseConv2d) -> usize {
    portable::words(shape.weights())
}

/// Most words that a dense layer takes.
pub const fn dense_words(backend: Backend, shape: &Dense) -> usize {
    larger(portable::words(shape.weights()), dense_blocks(backend, shape))
}

/// Packs a convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn conv2d(
    backend: Backend,
    shape: &Conv2d,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    let (outputs, depth) = (shape.output.channels, shape.depth());
    weights.check(shape.weights(), outputs)?;
    if !weights.values.chunks_exact(depth.max(1)).all(|row| is_exact(backend, row)) {
        return portable::conv2d(shape, weights, words, channels);
    }
    let used = tiled_words(backend, outputs, depth);
    ShapeError::check_capacity("the packed words", used, words.len())?;
    ShapeError::check_length("the packed channels", outputs, channels.len())?;
    interleave(
        block(backend),
        outputs,
        depth,
        padded(depth),
        weights.values,
        words.get_mut(..used).unwrap_or_default(),
    );
    let row = |channel: usize| weights.values.get(channel * depth..(channel + 1) * depth).unwrap_or_default();
    let layout = encode(
        backend,
        weights,
        output,
        channels,
        |channel| sums(row(channel)),
        |channel| {
            clear_interleaved(block(backend), depth, padded(depth), channel, words);
        },
    );
    Ok(Packed { words: used, channels: outputs, layout })
}

/// Packs a depthwise convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn depthwise_conv2d(
    backend: Backend,
    shape: &DepthwiseConv2d,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    let (outputs, depth) = (shape.output.channels, shape.depth());
    weights.check(shape.weights(), outputs)?;
    let used = portable::words(shape.weights());
    ShapeError::check_capacity("the packed words", used, words.len())?;
    ShapeError::check_length("the packed channels", outputs, channels.len())?;
    for (index, word) in words.iter_mut().take(used).enumerate() {
        *word = (0..4).rev().fold(0, |word, byte| {
            let at = index * 4 + byte;
            let from = if is_by_channel(shape) { at % depth.max(1) * outputs + at / depth.max(1) } else { at };
            let weight = weights.values.get(from).copied().filter(|_| at < outputs * depth).unwrap_or(0);
            word << 8 | u32::from(weight as u8)
        });
    }
    let column = |channel: usize| weights.values.iter().skip(channel).step_by(outputs.max(1));
    let layout = encode(
        backend,
        weights,
        output,
        channels,
        |channel| sums(column(channel)),
        |channel| {
            for tap in 0..depth {
                clear(words, if is_by_channel(shape) { channel * depth + tap } else { tap * outputs + channel });
            }
        },
    );
    Ok(Packed { words: used, channels: outputs, layout })
}

/// Packs a dense layer.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn dense(
    backend: Backend,
    shape: &Dense,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    let (outputs, depth) = (shape.outputs, shape.inputs);
    weights.check(shape.weights(), outputs)?;
    let used = dense_blocks(backend, shape);
    ShapeError::check_capacity("the packed words", used, words.len())?;
    ShapeError::check_length("the packed channels", outputs, channels.len())?;
    let block = dense_block(backend);
    interleave(block, outputs, depth, depth, weights.values, words.get_mut(..used).unwrap_or_default());
    let row = |channel: usize| weights.values.get(channel * depth..(channel + 1) * depth).unwrap_or_default();
    let layout = encode(
        backend,
        weights,
        output,
        channels,
        |channel| sums(row(channel)),
        |channel| {
            clear_interleaved(block, depth, depth, channel, words);
        },
    );
    if !matches!(backend, Backend::Rv32) {
        for word in words.iter_mut().take(used) {
            *word ^= 0x8080_8080;
        }
    }
    Ok(Packed { words: used, channels: outputs, layout })
}

/// Lays rows of `depth` weights side by side, `block` of them, each filled up to `padded` with zeros.
fn interleave(block: usize, outputs: usize, depth: usize, padded: usize, weights: &[i8], words: &mut [u32]) {
    let (block, tile) = (block.max(1), (block * padded).max(1));
    for (index, word) in words.iter_mut().enumerate() {
        *word = (0..4).rev().fold(0, |word, byte| {
            let at = index * 4 + byte;
            let (blocks, within) = (at / tile, at % tile);
            let (channel, position) = (blocks * block + within % block, within / block);
            let inside = channel < outputs && position < depth;
            let weight = weights.get(channel * depth + position).copied().filter(|_| inside).unwrap_or(0);
            word << 8 | u32::from(weight as u8)
        });
    }
}

/// Sets the weight at byte `at` to 0.
fn clear(words: &mut [u32], at: usize) {
    if let Some(word) = words.get_mut(at / 4) {
        *word &= !(0xFF << (8 * (at % 4)));
    }
}

/// Sets the weights of a channel to 0 that [`interleave`] laid out.
fn clear_interleaved(block: usize, depth: usize, padded: usize, channel: usize, words: &mut [u32]) {
    for position in 0..depth {
        clear(words, channel / block * block * padded + position * block + channel % block);
    }
}

/// What is known of a channel's weights.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// Σ w.
    plain: i32,
    /// Σ |w|.
    size: i64,
    /// The least and the largest Σ x·w over all inputs.
    least: i64,
    most: i64,
}

fn sums<'a>(row: impl IntoIterator<Item = &'a i8>) -> Sums {
    row.into_iter().fold(Sums::default(), |sums, &w| {
        let ends = [-128 * i64::from(w), 127 * i64::from(w)];
        Sums {
            plain: sums.plain + i32::from(w),
            size: sums.size + i64::from(w.unsigned_abs()),
            least: sums.least + ends[0].min(ends[1]),
            most: sums.most + ends[0].max(ends[1]),
        }
    })
}

/// Whether the lower pixel's sum never leaves its field: any for a row of [`longest`] on v7-M, 16 bits for two products
/// elsewhere, with |x| ≤ 128. Only two weights of −128 side by side do not fit.
fn is_exact(backend: Backend, row: &[i8]) -> bool {
    matches!(backend, Backend::V7m) || row.chunks(2).all(|two| 128 * sums(two).size < 1 << 15)
}

/// Fills in the channels, in the short encoding if all of them allow it, and says which layout that is. A channel whose
/// output is the same for every input (training leaves such channels: a bias out of all proportion to its weights) gets
/// parameters that give this output for a sum of 0, and `clear` sets its weights to 0.
fn encode(
    backend: Backend,
    weights: &Weights<'_>,
    output: &OutputRange,
    channels: &mut [Channel],
    sums: impl Fn(usize) -> Sums,
    mut clear: impl FnMut(usize),
) -> Layout {
    let mut is_short = (-128..=127).contains(&output.zero_point);
    for (index, channel) in channels.iter_mut().enumerate() {
        let sums = sums(index);
        *channel = portable::fold(weights, index, sums.plain);
        let folded = i64::from(weights.bias(index)) - i64::from(weights.input_zero_point) * i64::from(sums.plain);
        if let Some(value) = constant(weights.multiplier(index), output, folded + sums.least, folded + sums.most) {
            // a = 4·(value − z)·2^30 / 2^31 = 2·(value − z), halved: exact.
            *channel = Channel { bias: 4 * (value - output.zero_point), multiplier: 1 << 30, shift: -1 };
            clear(index);
            continue;
        }
        // s ≤ 22 keeps z·2^s + 2^s + 2^30 below 2^31. A mantissa of 0 has no shift that matters.
        is_short &= folded.abs() + 128 * sums.size < 1 << 29;
        is_short &= channel.multiplier == 0 || (-22..=-1).contains(&channel.shift);
    }
    if !is_short {
        return Layout::of(backend, GENERAL);
    }
    for channel in channels {
        channel.shift = if channel.multiplier == 0 { 0 } else { -channel.shift - 1 };
        if !matches!(backend, Backend::V6m) {
            channel.bias *= 2;
        }
    }
    Layout::of(backend, SHORT)
}

/// The output of a channel if it is the same for all accumulators from `least` to `most`: between them it never falls.
fn constant(multiplier: Multiplier, output: &OutputRange, least: i64, most: i64) -> Option<i32> {
    let (Ok(least), Ok(most)) = (i32::try_from(least), i32::try_from(most)) else { return None };
    if multiplier.shift > 0 || !(-128..=127).contains(&output.zero_point) {
        return None;
    }
    let value = output.finish(multiplier.apply(least));
    (value == output.finish(multiplier.apply(most))).then_some(value)
}

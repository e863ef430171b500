//! Layouts for cores that multiply one pair of 32-bit numbers at a time: v7-M, v6-M and RV32.
//!
//! Convolution: output channels in blocks of [`block`]; in a block, the weights of one depth stand side by side, one byte
//! each (\[depth\]\[channel\]), the depth filled up with zeros to a multiple of four, the last block with channels of zeros.
//!
//! Depthwise convolution: the weights of one channel stand side by side (\[channel\]\[tap\]) if the kernel is 3×3, else they
//!
//! stay as they are (\[tap\]\[channel\]). With one input channel and several outputs it is a convolution, and packed as such.
//!
//! Dense layer: as a convolution, but the depth is not filled up, and blocks are of [`dense_block`] outputs; what does not
//! fill those makes blocks of 2 to 4. In full blocks, but for RV32, every weight is stored plus 128, so that a word of four
//! is Σ 2^(8i)·(w_i + 128) without borrow.
//!
//! The kernels of convolutions multiply a word that holds two pixels, x_a + 2^S·x_b, by one weight, and so add to two sums at once
//! (`backend/scalar`). Packing checks what makes that exact; weights that do not allow it get the portable layout.
#![forbid(unsafe_code)]

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, ShapeError};

use crate::Backend;
use crate::backend::portable::pack as portable;
use crate::pack::{Channel, Layout, Needs, Packed, Weights};
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

/// Outputs of a full block of a dense layer: their weights stand side by side.
pub const fn dense_block(backend: Backend) -> usize {
    if matches!(backend, Backend::Rv32) { 16 } else { 8 }
}

/// Outputs of the next block of a dense layer where `left` are left: a full block if they fill it well, else 2 to 4.
pub const fn dense_width(backend: Backend, left: usize) -> usize {
    let full = dense_block(backend);
    if left > full / 4 * 3 {
        full
    } else if left > 4 {
        4
    } else if left > 2 {
        left
    } else {
        2
    }
}

/// A block of outputs of a dense layer.
struct DenseBlock {
    first: usize,
    width: usize,
    /// Where its weights start.
    word: usize,
}

/// The block in which output `output` lies; for `usize::MAX` what stands behind the last block.
const fn dense_block_of(backend: Backend, inputs: usize, outputs: usize, output: usize) -> DenseBlock {
    let (mut first, mut word) = (0, 0);
    loop {
        let width = dense_width(backend, outputs.saturating_sub(first));
        if first >= outputs || output < first + width {
            return DenseBlock { first, width, word };
        }
        first += width;
        word += dense_block_words(width, inputs);
    }
}

/// Words of a block of a dense layer.
pub const fn dense_block_words(width: usize, inputs: usize) -> usize {
    (width * inputs).div_ceil(4)
}

const fn dense_blocks(backend: Backend, shape: &DenseShape) -> usize {
    dense_block_of(backend, shape.inputs(), shape.outputs(), usize::MAX).word
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
pub const fn is_padded(shape: &Conv2dShape) -> bool {
    !(shape.rows().is_unpadded() && shape.columns().is_unpadded())
}

/// What a convolution takes: the scratch memory is the column of four pixels, two to a word, and a pixel of padding.
pub const fn conv2d_needs(layout: Layout, shape: &Conv2dShape) -> Needs {
    if is_tiled(layout) {
        Needs {
            words: tiled_words(layout.backend(), shape.output().channels, shape.depth()),
            channels: shape.output().channels,
            scratch: 2 * padded(shape.depth()) + if is_padded(shape) { shape.input().channels.div_ceil(4) } else { 0 },
        }
    } else {
        portable::conv2d_needs(shape)
    }
}

/// The convolution of one input channel that the depthwise convolution is. One output channel alone would leave most of a
/// convolution's block empty.
const fn as_conv2d(shape: &DepthwiseConv2dShape) -> Option<Conv2dShape> {
    if shape.multiplier() > 1 { crate::pack::as_conv2d(shape) } else { None }
}

/// What a depthwise convolution takes: a pixel of padding.
pub const fn depthwise_conv2d_needs(layout: Layout, shape: &DepthwiseConv2dShape) -> Needs {
    if let (true, Some(conv)) = (is_tiled(layout), as_conv2d(shape)) {
        return conv2d_needs(layout, &conv);
    }
    let mut needs = portable::depthwise_conv2d_needs(shape);
    if is_tiled(layout) && !(shape.rows().is_unpadded() && shape.columns().is_unpadded()) {
        let pixels = if slides(layout.backend(), shape) { shape.input().width } else { 1 };
        needs.scratch = (pixels * shape.input().channels).div_ceil(4);
    }
    needs
}

/// Whether the weights of a depthwise convolution are stored channel by channel: 3×3 kernels.
pub const fn is_by_channel(shape: &DepthwiseConv2dShape) -> bool {
    shape.rows().kernel() == 3 && shape.columns().kernel() == 3 && shape.multiplier() == 1
}

/// Padding behind the last column.
pub const fn padding_right(shape: &DepthwiseConv2dShape) -> usize {
    let columns = &shape.columns();
    let end = (columns.output() - 1) * columns.stride() + (columns.kernel() - 1) * columns.dilation() + 1;
    (end - if end < columns.before() { end } else { columns.before() }).saturating_sub(columns.input())
}

/// Whether a depthwise convolution runs along the rows, channel by channel: on a core with registers for nine weights,
/// with at most one column of padding on each side. Padding above and below is a row of zero points then.
pub const fn slides(backend: Backend, shape: &DepthwiseConv2dShape) -> bool {
    matches!(backend, Backend::Rv32)
        && is_by_channel(shape)
        && shape.columns().dilation() == 1
        && shape.columns().stride() <= 2
        && shape.columns().before() <= 1
        && padding_right(shape) <= 1
}

/// What a dense layer takes.
pub const fn dense_needs(layout: Layout, shape: &DenseShape) -> Needs {
    if is_tiled(layout) {
        Needs { words: dense_blocks(layout.backend(), shape), channels: shape.outputs(), scratch: 0 }
    } else {
        portable::dense_needs(shape)
    }
}

/// Most words that a convolution takes.
pub const fn conv2d_words(backend: Backend, shape: &Conv2dShape) -> usize {
    larger(portable::words(shape.weights()), tiled_words(backend, shape.output().channels, shape.depth()))
}

/// Most words that a depthwise convolution takes.
pub const fn depthwise_conv2d_words(backend: Backend, shape: &DepthwiseConv2dShape) -> usize {
    match as_conv2d(shape) {
        Some(conv) => conv2d_words(backend, &conv),
        None => portable::words(shape.weights()),
    }
}

/// Most words that a dense layer takes.
pub const fn dense_words(backend: Backend, shape: &DenseShape) -> usize {
    larger(portable::words(shape.weights()), dense_blocks(backend, shape))
}

/// Packs a convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn conv2d(
    backend: Backend,
    shape: &Conv2dShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    let (outputs, depth) = (shape.output().channels, shape.depth());
    weights.check(shape.weights(), outputs)?;
    let rows = Rows { weights, depth, channel_step: depth, depth_step: 1 };
    if !rows.are_exact(backend, outputs) {
        return portable::conv2d(shape, weights, words, channels);
    }
    rows.tile(backend, outputs, output, words, channels)
}

/// Packs a depthwise convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn depthwise_conv2d(
    backend: Backend,
    shape: &DepthwiseConv2dShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    let (outputs, depth) = (shape.output().channels, shape.depth());
    weights.check(shape.weights(), outputs)?;
    let rows = Rows { weights, depth, channel_step: 1, depth_step: outputs };
    if as_conv2d(shape).is_some() {
        if !rows.are_exact(backend, outputs) {
            return portable::depthwise_conv2d(shape, weights, words, channels);
        }
        return rows.tile(backend, outputs, output, words, channels);
    }
    let used = portable::words(shape.weights());
    let place = |channel: usize| if is_by_channel(shape) { (channel * depth, 1) } else { (channel, outputs) };
    rows.write(backend, used, place, output, words, channels)
}

/// Packs a dense layer.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn dense(
    backend: Backend,
    shape: &DenseShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    let (outputs, depth) = (shape.outputs(), shape.inputs());
    weights.check(shape.weights(), outputs)?;
    let rows = Rows { weights, depth, channel_step: depth, depth_step: 1 };
    let place = |channel: usize| {
        let block = dense_block_of(backend, depth, outputs, channel);
        (4 * block.word + channel - block.first, block.width)
    };
    let packed = rows.write(backend, dense_blocks(backend, shape), place, output, words, channels)?;
    if !matches!(backend, Backend::Rv32) {
        // The blocks of full width come first.
        let narrow = (0..outputs)
            .map(|channel| dense_block_of(backend, depth, outputs, channel))
            .find(|block| block.width < dense_block(backend));
        for word in words.iter_mut().take(narrow.map_or(packed.words, |block| block.word)) {
            *word ^= 0x8080_8080;
        }
    }
    Ok(packed)
}

/// Weights of which every output channel has a row of `depth`.
struct Rows<'a> {
    weights: &'a Weights<'a>,
    depth: usize,
    channel_step: usize,
    depth_step: usize,
}

impl Rows<'_> {
    fn row(&self, channel: usize) -> impl Iterator<Item = i8> {
        let values = self.weights.values.iter().skip(channel * self.channel_step);
        values.step_by(self.depth_step.max(1)).take(self.depth).copied()
    }

    /// Whether the lower pixel's sum never leaves its field: any for a row of [`longest`] on v7-M, 16 bits for two products
    /// elsewhere, with |x| ≤ 128. Only two weights of −128 side by side do not fit.
    fn are_exact(&self, backend: Backend, outputs: usize) -> bool {
        matches!(backend, Backend::V7m)
            || (0..outputs).all(|channel| {
                let mut row = self.row(channel).map(|weight| i32::from(weight.unsigned_abs()));
                core::iter::from_fn(|| Some(row.next()? + row.next().unwrap_or(0))).all(|two| 128 * two < 1 << 15)
            })
    }

    /// The layout of convolutions.
    fn tile(
        &self,
        backend: Backend,
        outputs: usize,
        output: &OutputRange,
        words: &mut [u32],
        channels: &mut [Channel],
    ) -> Result<Packed, ShapeError> {
        let (block, padded) = (block(backend), padded(self.depth));
        let place = |channel: usize| (channel / block * block * padded + channel % block, block);
        self.write(backend, tiled_words(backend, outputs, self.depth), place, output, words, channels)
    }

    /// Writes the weights, and zeros between them, to the bytes that `place` says: that of a channel's first weight, and how
    /// far it is to the next. `used` words in all.
    fn write(
        &self,
        backend: Backend,
        used: usize,
        place: impl Fn(usize) -> (usize, usize),
        output: &OutputRange,
        words: &mut [u32],
        channels: &mut [Channel],
    ) -> Result<Packed, ShapeError> {
        let outputs = self.weights.values.len().checked_div(self.depth).unwrap_or(0);
        ShapeError::check_capacity("the packed words", used, words.len())?;
        ShapeError::check_length("the packed channels", outputs, channels.len())?;
        for word in words.iter_mut().take(used) {
            *word = 0;
        }
        for channel in 0..outputs {
            let (first, step) = place(channel);
            for (position, weight) in self.row(channel).enumerate() {
                put(words, first + position * step, weight);
            }
        }
        let clear = |channel: usize| {
            let (first, step) = place(channel);
            for position in 0..self.depth {
                put(words, first + position * step, 0);
            }
        };
        let layout = encode(backend, self.weights, output, channels, |channel| sums(self.row(channel)), clear);
        Ok(Packed { words: used, channels: outputs, layout })
    }
}

/// Sets byte `at`.
fn put(words: &mut [u32], at: usize, weight: i8) {
    if let Some(word) = words.get_mut(at / 4) {
        let shift = 8 * (at % 4);
        *word = *word & !(0xFF << shift) | u32::from(weight as u8) << shift;
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

fn sums(row: impl Iterator<Item = i8>) -> Sums {
    row.fold(Sums::default(), |sums, w| {
        let ends = [-128 * i64::from(w), 127 * i64::from(w)];
        Sums {
            plain: sums.plain + i32::from(w),
            size: sums.size + i64::from(w.unsigned_abs()),
            least: sums.least + ends[0].min(ends[1]),
            most: sums.most + ends[0].max(ends[1]),
        }
    })
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

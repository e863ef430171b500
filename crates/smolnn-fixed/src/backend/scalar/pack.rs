//! Layouts for cores that multiply one pair of 32-bit numbers at a time: v7-M, v6-M and RV32.
//!
//! Convolution: output channels in blocks of [`Geometry::block`]; in a block, the weights of one depth stand side by side, one byte
//! each (\[depth\]\[channel\]), the depth filled up with zeros to a multiple of four, the last block with channels of zeros.
//!
//! Depthwise convolution: the weights of one channel stand side by side (\[channel\]\[tap\]) if the kernel is 3×3, else they
//! stay as they are (\[tap\]\[channel\]). With one input channel and several outputs it is a convolution, and packed as such.
//!
//! Dense layer: as a convolution, but the depth is not filled up, and blocks are of [`Geometry::dense_block`] outputs; what does not
//! fill those makes blocks of 2 to 4. In full blocks, but for RV32, every weight is stored plus 128, so that a word of four
//! is Σ 2^(8i)·(w_i + 128) without borrow.
//!
//! The kernels of convolutions multiply a word that holds two pixels, x_a + 2^S·x_b, by one weight, and so add to two sums at
//! once (`backend/scalar`). Packing checks what makes that exact; weights that do not allow it get the portable layout.
//!
//! Channels are encoded for the short rounding where all of them allow it: accumulators stay below 2^29 and every shift is to
//! the right, so that (a + (a >> 31) + 2^(s−1) + z·2^s) >> s rounds as the reference does; `bias` is the folded bias, doubled
//! where [`Geometry::doubles`] says so, and `shift` is s − 1. In the general layouts channels have the portable encoding.
#![forbid(unsafe_code)]

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape};

use crate::Backend;
use crate::backend::portable::pack::words as byte_words;
use crate::pack::{Channel, Layout, Needs, PackedShape, Rows};
use crate::quantise::{Multiplier, OutputRange};

/// The properties of a core that the layout of packed weights depends on.
pub(crate) struct Geometry {
    /// Output channels of a convolution whose weights stand side by side.
    pub(crate) block: usize,
    /// Outputs of a full block of a dense layer, whose weights stand side by side.
    pub(crate) dense_block: usize,
    /// Whether the weights of full blocks of a dense layer are stored plus 128.
    pub(crate) stores_excess: bool,
    /// Bits from one pixel to the other in a word of two. Both sums of a v7-M pair lie in one 64-bit accumulator; 23 bits
    /// are the most with which the word itself, −128 − 128·2^S at least, is a 32-bit number.
    pub(crate) spread: u32,
    /// Products that are added in the lower pixel's field before the pair is taken apart.
    pub(crate) products: usize,
    /// Whether the short rounding takes accumulators doubled: the high word of a 64-bit product is then the rounded result.
    pub(crate) doubles: bool,
    /// Whether 3×3 depthwise convolutions run along the rows, channel by channel, which takes registers for nine weights.
    pub(crate) slides: bool,
}

impl Geometry {
    /// The geometry of a backend of this folder.
    pub(crate) const fn of(backend: Backend) -> Self {
        let rv32 = Self {
            block: 4,
            dense_block: 16,
            stores_excess: false,
            spread: 16,
            products: 2,
            doubles: true,
            slides: true,
        };
        match backend {
            Backend::V7m => Self {
                block: 2,
                dense_block: 8,
                stores_excess: true,
                spread: 23,
                // 128 · 128 · 252 < 2^22.
                products: 252,
                slides: false,
                ..rv32
            },
            Backend::V6m => {
                Self { block: 8, dense_block: 8, stores_excess: true, doubles: false, slides: false, ..rv32 }
            }
            _ => rv32,
        }
    }

    /// Outputs of the next block of a dense layer where `left` are left: a full block if they fill it well, else 2 to 4.
    pub(crate) const fn dense_width(&self, left: usize) -> usize {
        if left > self.dense_block / 4 * 3 {
            self.dense_block
        } else if left > 4 {
            4
        } else if left > 2 {
            left
        } else {
            2
        }
    }

    /// The block in which output `output` lies; for `usize::MAX` the place behind the last block.
    const fn dense_block_of(&self, shape: &DenseShape, output: usize) -> DenseBlock {
        let (mut first, mut word) = (0, 0);
        loop {
            let width = self.dense_width(shape.outputs().saturating_sub(first));
            if first >= shape.outputs() || output < first + width {
                return DenseBlock { first, width, word };
            }
            first += width;
            word += dense_block_words(width, shape.inputs()) as u64;
        }
    }

    /// Words of the layout of a convolution.
    const fn tiled_words(&self, shape: &Conv2dShape) -> u64 {
        let outputs = shape.output().channels.next_multiple_of(self.block);
        outputs as u64 * padded(shape.depth()) as u64 / 4
    }

    /// Whether a depthwise convolution runs along the rows: with at most one column of padding on each side. Padding above
    /// and below is a row of zero points then.
    pub(crate) const fn slides_over(&self, shape: &DepthwiseConv2dShape) -> bool {
        self.slides
            && is_by_channel(shape)
            && shape.columns().dilation() == 1
            && shape.columns().stride() <= 2
            && shape.columns().before() <= 1
            && padding_right(shape) <= 1
    }
}

/// A block of outputs of a dense layer.
struct DenseBlock {
    first: usize,
    width: usize,
    /// The word at which its weights start.
    word: u64,
}

/// Words of a block of a dense layer.
pub(crate) const fn dense_block_words(width: usize, inputs: usize) -> usize {
    (width * inputs).div_ceil(4)
}

/// The depth of a convolution as it is stored.
pub(crate) const fn padded(depth: usize) -> usize {
    depth.next_multiple_of(4)
}

/// Whether windows reach into padding.
pub(crate) const fn is_padded(shape: &Conv2dShape) -> bool {
    !(shape.rows().is_unpadded() && shape.columns().is_unpadded())
}

/// Whether the weights of a depthwise convolution are stored channel by channel: 3×3 kernels.
pub(crate) const fn is_by_channel(shape: &DepthwiseConv2dShape) -> bool {
    shape.rows().kernel() == 3 && shape.columns().kernel() == 3 && shape.multiplier() == 1
}

/// Padding behind the last column.
pub(crate) const fn padding_right(shape: &DepthwiseConv2dShape) -> usize {
    let columns = &shape.columns();
    let end = (columns.output() - 1) * columns.stride() + (columns.kernel() - 1) * columns.dilation() + 1;
    (end - if end < columns.before() { end } else { columns.before() }).saturating_sub(columns.input())
}

/// The layout that serves the shape, if the weights and multipliers allow the short rounding.
pub(crate) const fn layout(backend: Backend, shape: &PackedShape) -> Layout {
    if matches!(shape, PackedShape::DenseToInt16(_)) { Layout::Portable } else { short(backend) }
}

/// The layout of a backend's channels in the short encoding.
pub(crate) const fn short(backend: Backend) -> Layout {
    match backend {
        Backend::V7m => Layout::V7mShort,
        Backend::V6m => Layout::V6mShort,
        _ => Layout::Rv32Short,
    }
}

/// The layout of the same words with channels in the portable encoding; another backend's layout as it is.
pub(crate) const fn general(layout: Layout) -> Layout {
    match layout {
        Layout::V7mShort => Layout::V7mGeneral,
        Layout::V6mShort => Layout::V6mGeneral,
        Layout::Rv32Short => Layout::Rv32General,
        other => other,
    }
}

/// The memory that a layer of one of those layouts takes.
pub(crate) const fn needs(backend: Backend, shape: &PackedShape) -> Needs {
    let geometry = Geometry::of(backend);
    let (words, scratch) = match shape {
        PackedShape::Conv2d(shape) => {
            // The scratch memory holds the column of four pixels, two to a word, and a pixel of padding.
            let padding = if is_padded(shape) { byte_words(shape.input().channels) } else { 0 };
            (geometry.tiled_words(shape), 2 * padded(shape.depth()) as u64 + padding)
        }
        PackedShape::DepthwiseConv2d(shape) => {
            let padding = if shape.rows().is_unpadded() && shape.columns().is_unpadded() {
                0
            } else if geometry.slides_over(shape) {
                byte_words(shape.input().row())
            } else {
                byte_words(shape.input().channels)
            };
            (byte_words(shape.weights()), padding)
        }
        PackedShape::Dense(shape) | PackedShape::DenseToInt16(shape) => {
            (geometry.dense_block_of(shape, usize::MAX).word, 0)
        }
    };
    Needs { words, channels: shape.outputs() as u64, scratch }
}

/// Writes the layout of the shape, unless the weights do not allow it. `words` is long enough, there is a channel for every
/// output.
pub(crate) fn write(
    backend: Backend,
    shape: &PackedShape,
    rows: &Rows<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Option<Layout> {
    let geometry = Geometry::of(backend);
    let used = needs(backend, shape).words as usize;
    let words = words.get_mut(..used)?;
    words.fill(0);
    let writer = Writer { rows, short: layout(backend, shape), doubles: geometry.doubles };
    match shape {
        PackedShape::Conv2d(_) => {
            if !are_exact(rows, &geometry) {
                return None;
            }
            let (block, padded) = (geometry.block, padded(rows.depth));
            let place = |channel: usize| (channel / block * block * padded + channel % block, block);
            Some(writer.write(place, output, words, channels))
        }
        PackedShape::DepthwiseConv2d(shape) => {
            let by_channel = is_by_channel(shape);
            let place = |channel: usize| if by_channel { (channel * rows.depth, 1) } else { (channel, rows.outputs) };
            Some(writer.write(place, output, words, channels))
        }
        PackedShape::Dense(shape) => {
            let place = |channel: usize| {
                let block = geometry.dense_block_of(shape, channel);
                (4 * block.word as usize + channel - block.first, block.width)
            };
            let layout = writer.write(place, output, words, channels);
            if geometry.stores_excess {
                // The blocks of full width come first.
                let narrow = (0..rows.outputs)
                    .map(|channel| geometry.dense_block_of(shape, channel))
                    .find(|block| block.width < geometry.dense_block);
                for word in words.iter_mut().take(narrow.map_or(used, |block| block.word as usize)) {
                    *word ^= 0x8080_8080;
                }
            }
            Some(layout)
        }
        PackedShape::DenseToInt16(_) => None,
    }
}

/// Whether the lower pixel's sum never leaves its field, with |x| ≤ 128. In fields of 16 bits only two weights of −128 side by
/// side do not fit.
fn are_exact(rows: &Rows<'_>, geometry: &Geometry) -> bool {
    (0..rows.outputs).all(|channel| {
        let (mut sum, mut left) = (0, geometry.products);
        rows.row(channel).all(|weight| {
            sum += 128 * u32::from(weight.unsigned_abs());
            let fits = sum < 1 << (geometry.spread - 1);
            left -= 1;
            if left == 0 {
                (sum, left) = (0, geometry.products);
            }
            fits
        })
    })
}

/// Writes weights and channels.
struct Writer<'a> {
    rows: &'a Rows<'a>,
    /// The layout if all channels have the short encoding.
    short: Layout,
    doubles: bool,
}

impl Writer<'_> {
    /// Writes the weights to the bytes that `place` says, that of a channel's first weight and how far it is to the next; then
    /// the channels, in the short encoding if all of them allow it, and says which layout that is. A channel whose output is
    /// the same for every input (training leaves such channels: a bias out of all proportion to its weights) gets parameters
    /// that give this output for a sum of 0, and weights of 0.
    fn write(
        &self,
        place: impl Fn(usize) -> (usize, usize),
        output: &OutputRange,
        words: &mut [u32],
        channels: &mut [Channel],
    ) -> Layout {
        let (rows, weights) = (self.rows, self.rows.weights);
        let mut is_short = (-128..=127).contains(&output.zero_point);
        for (index, channel) in channels.iter_mut().enumerate() {
            let sums = Sums::of(rows.row(index));
            *channel = rows.folded(index);
            let folded = i64::from(weights.bias(index)) - i64::from(weights.input_zero_point) * sums.plain;
            let (least, most) = (folded + sums.least, folded + sums.most);
            if let Some(value) = constant(weights.multiplier(index), output, least, most) {
                // a = 4·(value − z)·2^30 / 2^31 = 2·(value − z), halved: exact.
                *channel = Channel { bias: 4 * (value - output.zero_point), multiplier: 1 << 30, shift: -1 };
                continue;
            }
            let (first, step) = place(index);
            for (position, weight) in rows.row(index).enumerate() {
                put(words, first + position * step, weight);
            }
            // s ≤ 22 keeps z·2^s + 2^s + 2^30 below 2^31. A mantissa of 0 has no shift that matters.
            is_short &= folded.abs() + 128 * sums.size < 1 << 29;
            is_short &= channel.multiplier == 0 || (-22..=-1).contains(&channel.shift);
        }
        if !is_short {
            return general(self.short);
        }
        for channel in channels {
            channel.shift = if channel.multiplier == 0 { 0 } else { -channel.shift - 1 };
            if self.doubles {
                channel.bias *= 2;
            }
        }
        self.short
    }
}

/// Sets byte `at`.
fn put(words: &mut [u32], at: usize, weight: i8) {
    if let Some(word) = words.get_mut(at / 4) {
        let shift = 8 * (at % 4);
        *word = *word & !(0xFF << shift) | u32::from(weight as u8) << shift;
    }
}

/// Sums over a channel's weights.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// Σ w.
    plain: i64,
    /// Σ |w|.
    size: i64,
    /// The least and the largest Σ x·w over all inputs.
    least: i64,
    most: i64,
}

impl Sums {
    fn of(row: impl Iterator<Item = i8>) -> Self {
        row.fold(Self::default(), |sums, w| {
            let ends = [-128 * i64::from(w), 127 * i64::from(w)];
            Self {
                plain: sums.plain + i64::from(w),
                size: sums.size + i64::from(w.unsigned_abs()),
                least: sums.least + ends[0].min(ends[1]),
                most: sums.most + ends[0].max(ends[1]),
            }
        })
    }
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

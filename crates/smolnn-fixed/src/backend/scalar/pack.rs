//! Layouts for cores that multiply one pair of 32-bit numbers at a time: v7-M, v6-M and RV32.
//!
//! Convolution: output channels in blocks of [`Geometry::block`]; in a block, the weights of one depth stand side by side, one byte
//! each (\[depth\]\[channel\]), the depth filled up with zeros to a multiple of four, the last block with channels of zeros.
//!
//! Depthwise convolution: the weights of one channel stand side by side (\[channel\]\[tap\]); where channels and not pixels are computed
//! together ([`Geometry::lies_by_taps`]), those of one tap (\[tap\]\[channel\]). With one input channel and several
//! outputs it is a convolution, and packed as such.
//!
//! Dense layer, to int8 or to int16: as a convolution, but the depth is not filled up, and blocks are of [`Geometry::dense_block`]
//! outputs; what does not fill those makes blocks of 1 to 4, in which the weights of an output lie together on the Arm cores. In full
//! blocks, but for RV32, every weight is stored plus 128, so that a word of four is Σ 2^(8i)·(w_i + 128) without borrow.
//!
//! The kernels of convolutions multiply a word that holds two pixels, x_a + 2^16·x_b, by one weight, and so add to two sums at
//! once (`backend/scalar`). Packing checks what makes that exact; weights that do not allow it get the portable layout.
//!
//! Winograd's products: output channels in blocks of [`Geometry::winograd_outputs`]; in a block, for each of the 16 places of a tile, row by
//! row, and each input channel the transformed weights stand side by side, 16 bits each. Channels have the short encoding.
//!
//! Channels are encoded for the short rounding where all of them allow it: accumulators stay below 2^29 and every shift is to
//! the right, so that (a + (a >> 31) + 2^(s−1) + z·2^s) >> s rounds as the reference does; `bias` is the folded bias, doubled
//! where [`Geometry::doubles`] says so, and `shift` is s − 1. In the general layouts channels have the portable encoding.
#![forbid(unsafe_code)]

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape};

use crate::Backend;
use crate::backend::portable::pack::words as byte_words;
use crate::backend::winograd::{PLACES, serves, transform_weights};
use crate::pack::{Channel, Layout, Needs, PackedShape, Rows};
use crate::quantise::{Multiplier, OutputRange};

/// Bits from one pixel to the other in a word of two. The sum of the products of [`PRODUCTS`] depths fits in them.
pub(crate) const SPREAD: u32 = 16;

/// Depths whose products are added before the pixels of a word are taken apart.
const PRODUCTS: usize = 2;

/// The largest number of outputs of a dense layer's block that is not a full one.
pub(crate) const DENSE_ROWS: usize = 4;

/// Pixels of a depthwise convolution that are computed at a time by a table of their taps.
pub(crate) const TAP_LANES: usize = 4;

/// Channels of a depthwise convolution that are computed at a time where its weights lie by taps.
pub(crate) const TAP_CHANNELS: usize = 8;

/// The properties of a core that the layout of packed weights depends on.
pub(crate) struct Geometry {
    /// Output channels of a convolution whose weights stand side by side.
    pub(crate) block: usize,
    /// Outputs of a full block of a dense layer, whose weights stand side by side.
    pub(crate) dense_block: usize,
    /// The number of outputs from which on they make a full block.
    pub(crate) dense_full: usize,
    /// Whether blocks of a dense layer that are not full hold the weights of one output after those of another; else those of one input.
    /// It takes a pointer for each row where loads have no index, but on v6-M no other order has loads that extend the sign.
    pub(crate) dense_by_rows: bool,
    /// Whether the weights of full blocks of a dense layer are stored plus 128.
    pub(crate) stores_excess: bool,
    /// Whether the short rounding takes accumulators doubled: the high word of a 64-bit product is then the rounded result.
    pub(crate) doubles: bool,
    /// Whether 3×3 depthwise convolutions run along the rows, channel by channel, which takes registers for nine weights.
    pub(crate) slides: bool,
    /// Whether depthwise convolutions of few pixels in a row run eight channels at a time, for whose sums it takes registers.
    pub(crate) across_channels: bool,
    /// Output channels whose sums of Winograd's products are made at a time, an even number.
    pub(crate) winograd_outputs: usize,
}

impl Geometry {
    /// The geometry of a backend of this folder.
    pub(crate) const fn of(backend: Backend) -> Self {
        let rv32 = Self {
            block: 4,
            dense_block: 16,
            dense_full: 13,
            dense_by_rows: false,
            stores_excess: false,
            doubles: true,
            slides: true,
            across_channels: true,
            winograd_outputs: 4,
        };
        match backend {
            Backend::V7m => Self {
                block: 1,
                dense_block: 8,
                dense_full: 7,
                dense_by_rows: true,
                stores_excess: true,
                slides: false,
                across_channels: false,
                winograd_outputs: 2,
                ..rv32
            },
            Backend::V6m => Self {
                block: 8,
                dense_block: 8,
                dense_full: 5,
                dense_by_rows: true,
                stores_excess: true,
                doubles: false,
                slides: false,
                across_channels: false,
                winograd_outputs: 2,
            },
            _ => rv32,
        }
    }

    /// Outputs of the next block of a dense layer where `left` are left: a full block if they fill it well, else at most
    /// [`DENSE_ROWS`].
    pub(crate) const fn dense_width(&self, left: usize) -> usize {
        if left >= self.dense_full {
            self.dense_block
        } else if left > DENSE_ROWS {
            DENSE_ROWS
        } else {
            left
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
            && is_three_by_three(shape)
            && shape.columns().dilation() == 1
            && shape.columns().stride() <= 2
            && shape.columns().before() <= 1
            && padding_right(shape) <= 1
    }

    /// Whether the weights of a depthwise convolution lie by taps, since channels are computed together and not pixels.
    pub(crate) const fn lies_by_taps(&self, shape: &DepthwiseConv2dShape) -> bool {
        self.across_channels
            && !is_three_by_three(shape)
            && shape.multiplier() == 1
            && shape.output().width < TAP_LANES
            && shape.output().channels >= TAP_CHANNELS
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

/// Whether a depthwise convolution runs by the loops of 3×3 kernels: with one output per input channel.
pub(crate) const fn is_three_by_three(shape: &DepthwiseConv2dShape) -> bool {
    shape.rows().kernel() == 3 && shape.columns().kernel() == 3 && shape.multiplier() == 1
}

/// Whether neighbouring pixels of a depthwise convolution see neighbouring columns, of which each tap of the one is the next tap of the other; a
/// row has as many pixels as are computed at a time.
#[cfg(bodies = "scalar")]
pub(crate) const fn are_neighbours(shape: &DepthwiseConv2dShape) -> bool {
    shape.columns().stride() == 1 && shape.columns().dilation() == 1 && shape.output().width >= TAP_LANES
}

/// Words of the table of taps of a depthwise convolution that has one.
pub(crate) const fn table_words(shape: &DepthwiseConv2dShape) -> u64 {
    let pixels = if is_three_by_three(shape) {
        0
    } else if shape.output().width == 1 {
        1
    } else {
        TAP_LANES
    };
    pixels as u64 * shape.depth() as u64
}

/// Padding behind the last column.
pub(crate) const fn padding_right(shape: &DepthwiseConv2dShape) -> usize {
    let columns = &shape.columns();
    let end = (columns.output() - 1) * columns.stride() + (columns.kernel() - 1) * columns.dilation() + 1;
    (end - if end < columns.before() { end } else { columns.before() }).saturating_sub(columns.input())
}

/// The layout of a backend's words, if weights and multipliers allow the short encoding of its channels.
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

/// The layout of a backend for Winograd's products.
pub(crate) const fn winograd(backend: Backend) -> Layout {
    match backend {
        Backend::V7m => Layout::V7mWinograd,
        Backend::V6m => Layout::V6mWinograd,
        _ => Layout::Rv32Winograd,
    }
}

/// Tiles of the layout for Winograd's products that are computed at a time.
pub(crate) const WINOGRAD_TILES: usize = 4;

/// Whether Winograd's products serve the convolution.
pub(crate) const fn takes_winograd(shape: &Conv2dShape) -> bool {
    serves(shape) && shape.input().channels.is_multiple_of(4)
}

/// The scratch memory of a layer that runs by Winograd's products, in words.
pub(crate) struct WinogradScratch {
    /// Transformed inputs of the tiles, in halfwords: places, input channels, tiles.
    pub(crate) columns: usize,
    /// Sums of a block of output channels: places, output channels, tiles.
    pub(crate) sums: usize,
    /// Copies of the inputs of two tiles, in bytes.
    pub(crate) copies: usize,
}

impl WinogradScratch {
    /// That of a convolution of so many input channels, a multiple of four.
    pub(crate) const fn new(geometry: &Geometry, inputs: usize) -> Self {
        Self {
            columns: WINOGRAD_TILES * PLACES * inputs / 2,
            sums: PLACES * geometry.winograd_outputs * WINOGRAD_TILES,
            copies: 2 * PLACES * inputs / 4,
        }
    }
}

/// The memory that a layer takes that runs by Winograd's products.
pub(crate) const fn winograd_needs(backend: Backend, shape: &PackedShape) -> Needs {
    let PackedShape::Conv2d(shape) = shape else { return Needs { words: 0, channels: 0, scratch: 0 } };
    let geometry = Geometry::of(backend);
    let (inputs, outputs) = (shape.input().channels, shape.output().channels);
    let WinogradScratch { columns, sums, copies } = WinogradScratch::new(&geometry, inputs);
    let blocks = outputs.next_multiple_of(geometry.winograd_outputs) as u64;
    Needs {
        words: blocks * PLACES as u64 * inputs as u64 / 2,
        channels: outputs as u64,
        scratch: columns as u64 + sums as u64 + copies as u64,
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
            (byte_words(shape.weights()), table_words(shape) + padding)
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
    let writer = Writer { rows, short: short(backend), doubles: geometry.doubles };
    match shape {
        PackedShape::Conv2d(_) => {
            if !are_exact(rows) {
                return None;
            }
            let (block, padded) = (geometry.block, padded(rows.depth));
            let place = |channel: usize| (channel / block * block * padded + channel % block, block);
            Some(writer.write(place, output, words, channels))
        }
        PackedShape::DepthwiseConv2d(shape) => {
            let by_taps = geometry.lies_by_taps(shape);
            let place = |channel: usize| if by_taps { (channel, rows.outputs) } else { (channel * rows.depth, 1) };
            Some(writer.write(place, output, words, channels))
        }
        PackedShape::Dense(shape) | PackedShape::DenseToInt16(shape) => {
            let place = |channel: usize| {
                let block = geometry.dense_block_of(shape, channel);
                let (first, within) = (4 * block.word as usize, channel - block.first);
                if geometry.dense_by_rows && block.width < geometry.dense_block {
                    (first + within * rows.depth, 1)
                } else {
                    (first + within, block.width)
                }
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
    }
}

/// Writes a convolution for Winograd's products, unless the weights do not allow it: in the short encoding |Σ x·w| < 2^29, so that
/// 4 times the sum is a number of 32 bits. `words` is long enough, there is a channel for every output.
pub(crate) fn write_winograd(
    backend: Backend,
    rows: &Rows<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Option<Layout> {
    let geometry = Geometry::of(backend);
    let (together, inputs) = (geometry.winograd_outputs, rows.depth / 9);
    let writer = Writer { rows, short: short(backend), doubles: geometry.doubles };
    // The channels alone: no byte of weights lies in no words.
    if !writer.write(|_| (0, 1), output, &mut [], channels).is(short(backend)) {
        return None;
    }
    words.fill(0);
    for channel in 0..rows.outputs {
        if writer.constant(channel, output).is_some() {
            continue;
        }
        let block = channel / together * together * PLACES * inputs + channel % together;
        for input in 0..inputs {
            let weight = |tap: usize| i32::from(rows.weight(channel, tap * inputs + input));
            let places = transform_weights([0, 3, 6].map(|tap| [weight(tap), weight(tap + 1), weight(tap + 2)]));
            for (place, &weight) in places.as_flattened().iter().enumerate() {
                let [low, high] = (weight as i16).to_le_bytes().map(|byte| byte as i8);
                let at = 2 * (block + (place * inputs + input) * together);
                put(words, at, low);
                put(words, at + 1, high);
            }
        }
    }
    Some(winograd(backend))
}

/// Whether the lower pixel's sum never leaves its field, with |x| ≤ 128: only two weights of −128 side by side do not fit.
fn are_exact(rows: &Rows<'_>) -> bool {
    (0..rows.outputs).all(|channel| {
        (0..rows.depth).step_by(PRODUCTS).all(|first| {
            let sizes = (first..first + PRODUCTS).map(|depth| u32::from(rows.weight(channel, depth).unsigned_abs()));
            128 * sizes.sum::<u32>() < 1 << (SPREAD - 1)
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
        let rows = self.rows;
        let mut is_short = (-128..=127).contains(&output.zero_point);
        for (index, channel) in channels.iter_mut().enumerate() {
            *channel = rows.folded(index);
            if let Some(value) = self.constant(index, output) {
                // a = 4·(value − z)·2^30 / 2^31 = 2·(value − z), halved: exact.
                *channel = Channel { bias: 4 * (value - output.zero_point), multiplier: 1 << 30, shift: -1 };
                continue;
            }
            let (first, step) = place(index);
            for (position, weight) in rows.row(index).enumerate() {
                put(words, first + position * step, weight);
            }
            // s ≤ 22 keeps z·2^s + 2^s + 2^30 below 2^31. A mantissa of 0 has no shift that matters.
            let (folded, sums) = self.sums(index);
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

    /// The folded bias of a channel, and the sums over its weights.
    fn sums(&self, channel: usize) -> (i64, Sums) {
        let (weights, sums) = (self.rows.weights, Sums::of(self.rows.row(channel)));
        (i64::from(weights.bias(channel)) - i64::from(weights.input_zero_point) * sums.plain, sums)
    }

    /// The output of a channel if it is the same for every input.
    fn constant(&self, channel: usize, output: &OutputRange) -> Option<i32> {
        let (folded, sums) = self.sums(channel);
        constant(self.rows.weights.multiplier(channel), output, folded + sums.least, folded + sums.most)
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

#[cfg(test)]
mod tests {
    use smolnn_core::{Image, Window2d, WindowSize};

    use super::*;
    use crate::backend::winograd::{SEEN, outputs, transform_inputs};
    use crate::pack::{self, Weights};

    const BACKENDS: [Backend; 3] = [Backend::V7m, Backend::V6m, Backend::Rv32];

    /// The words of Winograd's products, read as the kernels read them, against sums of nine products: one tile of random and of extreme
    /// weights and inputs. The last channel is constant: it has no weights.
    #[test]
    fn the_words_of_winograd_give_four_times_the_sums() {
        const OUTPUTS: usize = 5;
        const MOST: usize = 12;
        let mut state = 12345_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut compared = 0;
        for case in 0..200 {
            let inputs = [4, 8, MOST][case % 3];
            let mut int8 = |extreme: bool| match (extreme, random() % 2) {
                (true, 0) => -127,
                (true, _) => 127,
                (false, _) => (random() as i8).max(-127),
            };
            let values: [i8; OUTPUTS * 9 * MOST] = core::array::from_fn(|_| int8(case % 5 == 0));
            let image: [i8; 16 * MOST] = core::array::from_fn(|_| int8(case % 7 == 0));
            let shape = Window2d::over(Image::hwc(4, 4, inputs), WindowSize::hw(3, 3)).conv(OUTPUTS).unwrap();
            let multipliers = [Multiplier::from_f64(0.001)];
            let values = &values[..shape.weights()];
            let bias = [0, 0, 0, 0, 1 << 28];
            let weights = Weights { values, bias: &bias, multipliers: &multipliers, input_zero_point: 0 };
            for backend in BACKENDS {
                let together = Geometry::of(backend).winograd_outputs;
                let (mut words, mut channels) = ([0; PLACES * 8 * MOST / 2], [Channel::default(); OUTPUTS]);
                let range = OutputRange::int8(3);
                let packed = pack::conv2d_winograd(backend, &shape, &weights, &range, &mut words, &mut channels);
                let packed = packed.unwrap().unwrap();
                assert_eq!(
                    (packed.words, packed.layout),
                    (pack::conv2d_winograd_words(backend, &shape), winograd(backend))
                );
                let halfword = |at: usize| (words[at / 2] >> (16 * (at % 2))) as i16;
                for channel in 0..OUTPUTS {
                    let mut sums = [[0_i32; SEEN]; SEEN];
                    for input in 0..inputs {
                        let pixel = |y: usize, x: usize| i32::from(image[(y * 4 + x) * inputs + input]);
                        let places = transform_inputs([0, 1, 2, 3].map(|y| [0, 1, 2, 3].map(|x| pixel(y, x))));
                        for place in 0..PLACES {
                            let block = channel / together * PLACES;
                            let at = ((block + place) * inputs + input) * together + channel % together;
                            let product = places[place / SEEN][place % SEEN] * i32::from(halfword(at));
                            sums[place / SEEN][place % SEEN] += product;
                        }
                    }
                    for (y, row) in outputs(sums).into_iter().enumerate() {
                        for (x, output) in row.into_iter().enumerate() {
                            let product = |place: usize| {
                                let (tap, input) = (place / inputs, place % inputs);
                                let pixel = ((y + tap / 3) * 4 + x + tap % 3) * inputs + input;
                                i32::from(image[pixel]) * i32::from(values[channel * 9 * inputs + place])
                            };
                            let sum: i32 = (0..9 * inputs).map(product).sum();
                            let expected = if channel == OUTPUTS - 1 { 0 } else { 4 * sum };
                            assert_eq!(output, expected, "case {case}, channel {channel} on {}", backend.name());
                            compared += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(compared, 200 * BACKENDS.len() * OUTPUTS * 4);
    }

    /// 4 times a sum has to fit in 32 bits: a bias that leaves no room gets no such words.
    #[test]
    fn winograd_takes_no_sums_beyond_29_bits() {
        const INPUTS: usize = 36;
        let shape = Window2d::over(Image::hwc(4, 4, INPUTS), WindowSize::hw(3, 3)).conv(2).unwrap();
        for backend in BACKENDS {
            let packs = |bias: i32| {
                let (values, multipliers) = ([127; 2 * 9 * INPUTS], [Multiplier::from_f64(2e-7)]);
                let bias = &[bias, 0];
                let weights = Weights { values: &values, bias, multipliers: &multipliers, input_zero_point: 0 };
                let (mut words, mut channels) = ([0; 32 * INPUTS], [Channel::default(); 2]);
                let range = OutputRange::int8(0);
                let packed = pack::conv2d_winograd(backend, &shape, &weights, &range, &mut words, &mut channels);
                packed.unwrap().is_some()
            };
            let largest = (1 << 29) - 1 - 9 * INPUTS as i32 * 127 * 128;
            assert!(packs(-largest) && !packs(-largest - 1), "{}", backend.name());
        }
    }
}

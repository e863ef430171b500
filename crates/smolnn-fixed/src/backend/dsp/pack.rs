//! Layouts for cores with the DSP extension (Arm v7E-M, v8-M with DSP).
//!
//! **Requantisation.** Per output channel a mantissa m, a rounding constant t and a shift s, in 1..=31, such that the output
//! before saturation is (SMMLAR(2x, m, t + (x >> 31))) >> s, where SMMLAR(a, b, c) = (a·b + c·2^32 + 2^31) >> 32. With
//! |x| < 2^30 that is a + (x >> 31) + t with a = (x·m + 2^30) >> 31, the reference's first rounding. Its second, a / 2^s
//! with halves away from zero, is (a + 2^(s−1) − \[a < 0\]) >> s, and a < 0 exactly when x < 0 but for x·m in −2^30..0,
//! where a = 0 and both signs give the same. The zero point z goes along: t = 2^(s−1) + z·2^s. Held by the test
//! `requantisation_is_the_reference` below.
//!
//! Behind a ReLU no output is below z, and a negative x gives z: with or without the term x >> 31 the formula gives at most z for
//! it. The kernels leave that term out where outputs are rectified.
//!
//! A multiplier of 1/2 to 1 has s = 0, and no second rounding to correct. Few x then have an output that is not saturated,
//! and a mantissa m of some bits less rounds all of them alike: m = n·2^(31−j), j ≤ 21. The accumulator starts from 2^j more,
//! which makes those x positive and adds n exactly; t = z − n.
//!
//! What does not fit packs as the portable layout, and runs as such: a multiplier of 1 and more, sums that could leave the
//! bounds. A channel whose output is the same for every input the weights allow is stored as that constant; pruned models
//! have many.
#![forbid(unsafe_code)]

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape};

use crate::backend::portable::pack as portable;
use crate::backend::winograd::{ORDER, PLACES, tiles, transform_weights};
use crate::pack::{Layout, Needs, PackedShape, Rows};
use crate::quantise::{Multiplier, OutputRange};

/// The layout that serves the shape.
pub(crate) const fn layout(shape: &PackedShape) -> Layout {
    match shape {
        PackedShape::Conv2d(shape) if is_vector(shape) => Layout::DspEights,
        PackedShape::Conv2d(_) => Layout::DspPairs,
        PackedShape::DepthwiseConv2d(shape) if is_three(shape) => Layout::DspThree,
        PackedShape::DepthwiseConv2d(shape) if takes_planes(shape) => Layout::DspPlanes,
        PackedShape::DepthwiseConv2d(_) => Layout::DspTaps,
        PackedShape::Dense(shape) if shape.batch() == 1 => Layout::DspEights,
        PackedShape::Dense(_) => Layout::DspPairs,
        PackedShape::DenseToInt16(_) => Layout::DspToInt16,
    }
}

/// The memory that a layer of that layout takes.
pub(crate) const fn needs(shape: &PackedShape) -> Needs {
    match shape {
        PackedShape::Conv2d(shape) if is_vector(shape) => eights_needs(shape.depth(), shape.output().channels),
        PackedShape::Conv2d(shape) => pairs_needs(shape),
        PackedShape::DepthwiseConv2d(shape) if is_three(shape) => three_needs(shape),
        PackedShape::DepthwiseConv2d(shape) if takes_planes(shape) => planes_needs(shape),
        PackedShape::DepthwiseConv2d(shape) => taps_needs(shape),
        PackedShape::Dense(shape) if shape.batch() == 1 => eights_needs(shape.inputs(), shape.outputs()),
        PackedShape::Dense(shape) => pairs_needs(&shape.as_conv2d()),
        PackedShape::DenseToInt16(shape) => to_int16_needs(shape.inputs(), shape.outputs()),
    }
}

/// Writes the layout of the shape, unless the weights do not allow it. `words` is long enough.
pub(crate) fn write(
    layout: Layout,
    shape: &PackedShape,
    rows: &Rows<'_>,
    output: &OutputRange,
    words: &mut [u32],
) -> Option<Layout> {
    let runs = match shape {
        PackedShape::Conv2d(shape) => Runs::of(shape),
        _ => Runs::one(rows.depth),
    };
    let writer = Writer { rows, output, runs };
    match layout {
        Layout::DspPairs => writer.pairs(words, 1),
        Layout::DspWide => writer.wide(words),
        Layout::DspEights => writer.pairs(words, 4),
        Layout::DspThree => writer.three(words),
        Layout::DspPlanes => match shape {
            PackedShape::DepthwiseConv2d(shape) => writer.planes(words, shape),
            _ => None,
        },
        Layout::DspTaps => match shape {
            PackedShape::DepthwiseConv2d(shape) => writer.taps(words, shape.input().channels, shape.multiplier()),
            _ => None,
        },
        Layout::DspToInt16 => writer.to_int16(words),
        Layout::DspWinograd => writer.winograd(words),
        _ => None,
    }?;
    Some(layout)
}

/// Pairs ([`Layout::DspPairs`]): convolutions, and dense layers of several vectors. A stream per pair of output channels.
///
/// Words: bias of the even channel b0; 256·b1 + b0 (wrapping); for every four depths two words, the even depths (0, 2)
/// and the odd ones (1, 3), each a pair of i16 with 256·w1 + w0; then mantissa, rounding constant and shift of both channels.
/// Depth is filled up to a multiple of four, channels to a multiple of two, with zeros.
///
/// A halfword holds the weights of two channels as long as w1 = −128 does not meet w0 < 0. Both sums are exact while
/// |A1| < 2^23, b1 included; |x| ≤ 128, so that weights of 2^16 in all always fit.
const fn pairs_needs(shape: &Conv2dShape) -> Needs {
    let groups = shape.depth().div_ceil(4) as u64;
    let runs = Runs::of(shape);
    // The scratch memory holds three columns of i16, the rests of three pixels' runs, and three patches where they are copied.
    let mut scratch = 6 * groups + 3 * (runs.count as u64 * (runs.length % 4) as u64).div_ceil(4);
    if !shape.rows().is_unpadded() || !shape.columns().is_unpadded() || shape.columns().dilation() > 1 {
        scratch += 3 * groups;
    }
    Needs { words: pairs_words(shape.output().channels, shape.depth()), channels: 0, scratch }
}

/// Wide ([`Layout::DspWide`]): layers of pairs and of eights whose weights these do not allow, as 3×3 convolutions of 128 channels. A
/// stream per pair of output channels.
///
/// Words: the biases of both channels; for every four depths the weights of both for the even depths (0, 2), then those for the
/// odd ones (1, 3), as pairs of i16; then mantissa, rounding constant and shift of both channels. Depth and channels are filled up as in pairs.
pub(crate) const fn wide_needs(shape: &PackedShape) -> Needs {
    let shape = match shape {
        PackedShape::Conv2d(shape) => *shape,
        PackedShape::Dense(shape) => shape.as_conv2d(),
        _ => return Needs { words: 0, channels: 0, scratch: 0 },
    };
    let words = shape.output().channels.div_ceil(2) as u64 * wide_stream(shape.depth()) as u64;
    let like =
        if is_vector(&shape) { eights_needs(shape.depth(), shape.output().channels) } else { pairs_needs(&shape) };
    Needs { words, ..like }
}

/// Words of a pair of channels of the wide layout.
pub(crate) const fn wide_stream(depth: usize) -> usize {
    PAIR_EXTRA as usize + 4 * depth.div_ceil(4)
}

/// Words of a pair of channels beside the weights.
const PAIR_EXTRA: u64 = 8;

/// Words of the layouts of pairs and of eights.
const fn pairs_words(outputs: usize, depth: usize) -> u64 {
    outputs.div_ceil(2) as u64 * (PAIR_EXTRA + 2 * depth.div_ceil(4) as u64)
}

/// The patch of a pixel as runs of bytes that are adjacent in the input. A column takes whole words of four from each run,
/// one run after the other, and then what is left of the runs, one run after the other.
pub(crate) struct Runs {
    /// Rows of the kernel.
    pub(crate) count: usize,
    /// Bytes of a run.
    pub(crate) length: usize,
}

impl Runs {
    /// The runs of a convolution.
    pub(crate) const fn of(shape: &Conv2dShape) -> Self {
        Self { count: shape.rows().kernel(), length: shape.columns().kernel() * shape.input().channels }
    }

    /// A patch of one run, whose bytes keep their order.
    const fn one(length: usize) -> Self {
        Self { count: 1, length }
    }

    /// The number of the convolution's product that stands at place `place` of a column.
    const fn product(&self, place: usize) -> usize {
        let partial = self.length % 4;
        let whole = self.length - partial;
        if whole > 0 && place < self.count * whole {
            return place / whole * self.length + place % whole;
        }
        let place = place - self.count * whole;
        match (place.checked_div(partial), place.checked_rem(partial)) {
            (Some(run), Some(index)) => run * self.length + whole + index,
            _ => place,
        }
    }
}

/// Threes ([`Layout::DspThree`]): depthwise convolutions 3×3 with a depth multiplier of 1, stride 1 or 2 along the row, at least
/// four channels, no more than the first and the last row of a window outside of the input.
///
/// Words, for every four channels, channel 0, 2, 1, 3: twice the bias; weights as pairs of i16, doubled, so that the
/// accumulator is 2x: for each column rows 0 and 1; row 2, columns 0 and 1; row 2, column 2 and nothing; mantissa, rounding
/// constant and shift. When the channels are no multiple of four, the last block holds the last four again.
const fn three_needs(shape: &DepthwiseConv2dShape) -> Needs {
    let words = shape.output().channels.div_ceil(4) as u64 * BLOCK as u64;
    let record = if takes_two_rows(shape) { PAIRED_RECORD } else { RECORD };
    Needs { words, channels: 0, scratch: record as u64 * three_columns(shape) as u64 }
}

/// Whether two rows of outputs are computed at a time, for a shape that the layout of threes serves: their windows lie a row apart, and those of
/// the first two rows do not see padding both above and below.
#[inline(always)]
pub(crate) const fn takes_two_rows(shape: &DepthwiseConv2dShape) -> bool {
    let (rows, height) = (shape.rows(), shape.output().height);
    let is_dense = shape.columns().stride() == 1 && rows.stride() == 1 && rows.dilation() == 1;
    is_dense && (height > 2 || (height == 2 && (rows.before() == 0 || rows.input() > 2)))
}

/// Words of a block of four channels of the layout of threes.
pub(crate) const BLOCK: usize = 36;

/// Words of a column's record of four channels: see `depthwise.rs`.
pub(crate) const RECORD: usize = 6;

/// Words of a column's record of four channels for two rows of outputs: see `depthwise_rows.rs`.
pub(crate) const PAIRED_RECORD: usize = 8;

/// Columns that a row of outputs sees, padding included.
pub(crate) const fn three_columns(shape: &DepthwiseConv2dShape) -> usize {
    (shape.output().width - 1) * shape.columns().stride() + 3
}

/// Whether the layout of threes serves the shape.
const fn is_three(shape: &DepthwiseConv2dShape) -> bool {
    if shape.multiplier() != 1
        || shape.rows().kernel() != 3
        || shape.columns().kernel() != 3
        || shape.columns().dilation() != 1
        || shape.columns().stride() > 2
        || shape.output().channels < 4
        || three_columns(shape) <= shape.columns().before()
    {
        return false;
    }
    let mut row = 0;
    while row < shape.output().height {
        let (first, last) = shape.rows().taps(row);
        if first > 1 || last < 2 {
            return false;
        }
        row += 1;
    }
    true
}

/// Planes ([`Layout::DspPlanes`]): depthwise convolutions that the layout of threes does not serve and whose taps are scattered, with three
/// columns of outputs at least, or two where channels are fewer than four. Below that, most of the four outputs that are computed at a time
/// would be for nothing. Rows of one byte or two are none, since four bytes from their pixels reach beyond the next row, and a padding that is wider than
/// what a row of outputs sees is none.
///
/// Words, for every output channel: twice the bias; weights as pairs of i16, doubled, so that the accumulator is 2x: for every two rows of the kernel,
/// each column, the upper row in the lower half; behind the last row comes one of zeros. Of a kernel of one row every two columns. Then mantissa, rounding
/// constant and shift.
const fn planes_needs(shape: &DepthwiseConv2dShape) -> Needs {
    let planes = Planes::of(shape);
    let words = shape.output().channels as u64 * planes.words() as u64;
    // The records, the lines that they are made of, a pixel of padding, and the last row where four bytes from the start of a pixel may be
    // beyond the input: with as many bytes behind its last pixel as are read there.
    let inputs = shape.input().channels;
    let row = if inputs < 4 { portable::words(shape.input().row() + 4 - inputs) } else { 0 };
    let records = planes.count as u64 * planes.columns as u64 * PLANE_RECORD as u64;
    let scratch = records + (planes.lines * LINE + inputs.div_ceil(4)) as u64 + row;
    Needs { words, channels: 0, scratch }
}

/// Whether the layout of planes serves the shape, if that of threes does not.
#[inline(always)]
pub(crate) const fn takes_planes(shape: &DepthwiseConv2dShape) -> bool {
    let least = if shape.input().channels < 4 { 2 } else { 3 };
    shape.output().width >= least
        && shape.input().row() > 2
        && columns_seen(shape) > shape.columns().before()
        && are_taps_scattered(shape)
}

/// Words of a record of the layout of planes: a column of four channels.
pub(crate) const PLANE_RECORD: usize = 4;

/// Words of a line of the layout of planes.
const LINE: usize = 2;

/// The records of the layout of planes, and their taps.
pub(crate) struct Planes {
    /// The number of planes: pairs of the kernel's rows.
    pub(crate) count: usize,
    /// Taps of a plane.
    pub(crate) taps: usize,
    /// Records of a plane.
    pub(crate) columns: usize,
    /// Lines that they are made of: rows of the kernel, one more where their number is odd.
    pub(crate) lines: usize,
}

impl Planes {
    #[inline(always)]
    pub(crate) const fn of(shape: &DepthwiseConv2dShape) -> Self {
        let (width, taps) = (shape.output().width, shape.columns().kernel());
        // Outputs are filled up to fours.
        let columns = columns_seen(shape) + (width.next_multiple_of(4) - width) * shape.columns().stride();
        let count = shape.rows().kernel().div_ceil(2);
        let taps = if shape.rows().kernel() == 1 { taps.div_ceil(2) } else { taps };
        Self { count, taps, columns, lines: 2 * count }
    }

    /// Words of an output channel.
    pub(crate) const fn words(&self) -> usize {
        4 + self.count * self.taps
    }
}

/// Columns that a row of outputs sees, padding included.
#[inline(always)]
pub(crate) const fn columns_seen(shape: &DepthwiseConv2dShape) -> usize {
    let columns = shape.columns();
    (shape.output().width - 1) * columns.stride() + (columns.kernel() - 1) * columns.dilation() + 1
}

/// Taps ([`Layout::DspTaps`]): other depthwise convolutions.
///
/// Words, for every four channels: twice the biases of channels 0, 1, 2, 3; for every two taps a pair of i16 of each channel
/// 0, 2, 1, 3, doubled; a last odd tap as two words, channels 0 and 2, 1 and 3; then mantissa, rounding constant and shift
/// of each channel. When the channels are no multiple of four, the last block holds the last four again; channels that are
/// fewer than four are filled up. With a depth multiplier the blocks are those of the first outputs of the input channels, then those of
/// their second outputs, and so on.
const fn taps_needs(shape: &DepthwiseConv2dShape) -> Needs {
    let (inputs, depth) = (shape.input().channels, shape.depth() as u64);
    // Where each tap lies, a pixel of padding, and the last pixel where four bytes from its start are beyond the input.
    let pixels = inputs.div_ceil(4) as u64 + if inputs < 4 { 1 } else { 0 };
    let scratch = if are_taps_scattered(shape) { depth + pixels } else { 0 };
    let words = shape.multiplier() as u64 * inputs.div_ceil(4) as u64 * taps_block(shape.depth());
    Needs { words, channels: 0, scratch }
}

/// Words of a block of four channels of the layout of taps.
const fn taps_block(depth: usize) -> u64 {
    16 + 2 * depth as u64
}

/// Whether taps are not at equal distances in the input, or not all in it, or serve several outputs.
#[inline(always)]
pub(crate) const fn are_taps_scattered(shape: &DepthwiseConv2dShape) -> bool {
    let flat = shape.rows().kernel() == 1 || shape.columns().kernel() == 1;
    !flat
        || shape.multiplier() > 1
        || !shape.rows().is_unpadded()
        || !shape.columns().is_unpadded()
        || shape.output().channels < 4
}

/// Eights ([`Layout::DspEights`]): dense layers of one vector, and pointwise convolutions of one pixel. A stream per eight
/// outputs.
///
/// Words: for each of the four pairs the bias of the even output and 256·b1 + b0, as in pairs; for every four inputs two
/// words of each pair, the even inputs and the odd ones; then mantissa, rounding constant and shift of each output. Outputs
/// behind the last eight follow in pairs, each a stream of its own; but seven outputs make a stream of eight, which takes as many words.
const fn eights_needs(inputs: usize, outputs: usize) -> Needs {
    // The scratch memory holds a copy of the input where its length is not a multiple of four.
    let scratch = if inputs.is_multiple_of(4) { 0 } else { portable::words(inputs) };
    Needs { words: pairs_words(outputs, inputs), channels: 0, scratch }
}

/// Whether the convolution is a dense layer of one vector.
pub(crate) const fn is_vector(shape: &Conv2dShape) -> bool {
    shape.is_pointwise() && shape.batch() * shape.output().height * shape.output().width == 1
}

/// Dense layers to int16 ([`Layout::DspToInt16`]): blocks of eight outputs, the last one filled up with zeros.
///
/// Words: biases and weights of four pairs as in eights; then, for each output, the left shift of the doubled sum, the
/// mantissa, half a unit of the right shift (0 if that is 0), and the right shift with bit 31 set (0 if there is none).
const fn to_int16_needs(inputs: usize, outputs: usize) -> Needs {
    let scratch = if inputs.is_multiple_of(4) { 0 } else { portable::words(inputs) };
    let block = TO_INT16_OUTPUTS * (1 + inputs.div_ceil(4) + TO_INT16_PARAMETERS);
    Needs { words: outputs.div_ceil(TO_INT16_OUTPUTS) as u64 * block as u64, channels: 0, scratch }
}

/// Outputs of a block of the layout to int16.
pub(crate) const TO_INT16_OUTPUTS: usize = 8;

/// Parameters of an output of the layout to int16.
const TO_INT16_PARAMETERS: usize = 4;

/// Winograd's products ([`Layout::DspWinograd`]): convolutions 3×3 of stride 1 and dilation 1, input channels a multiple of four,
/// output channels of two. A stream per pair of output channels.
///
/// Words: 4 times the bias of both channels; for each of the 16 places of a tile, in the order of
/// [`ORDER`](crate::backend::winograd::ORDER), and for every four input channels, the transformed weights of both
/// channels for input channels 0 and 2, as pairs of i16, then those for 1 and 3; then mantissa, rounding constant and shift of
/// both channels. Sums stay below 2^29, so that 4 times as much fits.
pub(crate) const fn winograd_needs(shape: &PackedShape) -> Needs {
    let PackedShape::Conv2d(shape) = shape else { return Needs { words: 0, channels: 0, scratch: 0 } };
    let (inputs, outputs) = (shape.input().channels as u64, shape.output().channels as u64);
    // The scratch memory holds the transformed inputs of three tiles, the sums of two channels for them, a copy of a tile's
    // inputs, and room for outputs that lie outside of the image.
    let scratch =
        WINOGRAD_TILES as u64 * PLACES as u64 * (inputs / 2 + 2) + PLACES as u64 * inputs / 4 + outputs.div_ceil(4);
    Needs { words: outputs / 2 * (PAIR_EXTRA + PLACES as u64 * inputs), channels: 0, scratch }
}

/// Tiles of the layout for Winograd's products that are computed at a time.
pub(crate) const WINOGRAD_TILES: usize = 3;

/// Whether Winograd's products serve the convolution.
pub(crate) const fn takes_winograd(shape: &Conv2dShape) -> bool {
    tiles(shape).is_some() && shape.input().channels.is_multiple_of(4) && shape.output().channels.is_multiple_of(2)
}

/// The requantisation of a channel's accumulator.
#[derive(Clone, Copy, Debug)]
struct Requantise {
    mantissa: i32,
    rounding: i32,
    shift: i32,
}

impl Requantise {
    /// The parameters for accumulators of magnitude up to `bound`, or `None` where the formula does not hold for them.
    fn new(multiplier: Multiplier, zero_point: i32, bound: i64) -> Option<Self> {
        let shift = -multiplier.shift;
        if !(1..=31).contains(&shift) || bound >= 1 << 30 {
            return None;
        }
        let rounding = (2 * i64::from(zero_point) + 1) << (shift - 1);
        // |a| ≤ |x| ≤ bound, so that the sum and its parts fit when this sum of magnitudes does.
        if rounding.abs() + bound + 1 >= 1 << 31 {
            return None;
        }
        Some(Self { mantissa: multiplier.mantissa, rounding: rounding as i32, shift })
    }

    /// The parameters for multipliers from 1/2 to 1, which [`new`](Self::new) does not have, with the offset that the accumulator
    /// starts from.
    fn offset(multiplier: Multiplier, zero_point: i32, bound: i64) -> Option<(Self, i32)> {
        if multiplier.shift != 0 || !(-128..=127).contains(&zero_point) || bound >= 1 << 29 {
            return None;
        }
        // Beyond this the output is saturated: it moves by at least half of the accumulator, over 255 at most.
        const REACH: i32 = 512;
        let agrees = |mantissa: i32| {
            let rounded = Multiplier { mantissa, shift: 0 };
            (-REACH..=REACH).all(|x| rounded.apply(x) == multiplier.apply(x))
        };
        // Multipliers that round some x differently are apart by a half-integer over x: fractions with denominators up to
        // 2^10, so that 2^−20 at least lies between those around the multiplier, and 21 bits are enough.
        (10..=21).find_map(|bits| {
            let unit = 1 << (31 - bits);
            let below = multiplier.mantissa & -unit;
            let mantissa = [Some(below), below.checked_add(unit)].into_iter().flatten().find(|&near| agrees(near))?;
            let rounding = zero_point - (mantissa >> (31 - bits));
            Some((Self { mantissa, rounding, shift: 0 }, 1 << bits))
        })
    }

    /// Gives the constant, whatever the accumulator: (2y + 1 − [x < 0]) >> 1.
    const fn constant(value: i32) -> Self {
        Self { mantissa: 0, rounding: 2 * value + 1, shift: 1 }
    }

    const fn words(self) -> [u32; 3] {
        [self.mantissa as u32, self.rounding as u32, self.shift as u32]
    }
}

/// The parameters of a channel that are stored beside its weights.
#[derive(Clone, Copy, Debug)]
struct Encoded {
    bias: i32,
    requantise: Requantise,
    /// The largest magnitude of the accumulator.
    bound: i64,
    /// Whether the output is the same for every input, so that the weights are stored as zeros.
    constant: bool,
}

impl Encoded {
    /// The channel that fills up a pair.
    const NOTHING: Self = Self { bias: 0, requantise: Requantise::constant(0), bound: 0, constant: true };
}

/// Writes the layouts.
struct Writer<'a> {
    rows: &'a Rows<'a>,
    output: &'a OutputRange,
    /// The order of a column, for the layouts of pairs.
    runs: Runs,
}

impl Writer<'_> {
    fn weight(&self, channel: usize, depth: usize) -> i32 {
        self.rows.weight(channel, depth).into()
    }

    /// The channel's parameters, unless the formula cannot give its outputs.
    fn encode(&self, channel: usize) -> Option<Encoded> {
        if channel >= self.rows.outputs {
            return Some(Encoded::NOTHING);
        }
        let multiplier = self.rows.weights.multiplier(channel);
        let (mut sum, mut least, mut most) = (0_i64, 0_i64, 0_i64);
        for depth in 0..self.rows.depth {
            let weight = i64::from(self.weight(channel, depth));
            sum += weight;
            least += (weight * -128).min(weight * 127);
            most += (weight * -128).max(weight * 127);
        }
        let bias = i64::from(self.rows.weights.bias(channel)) - i64::from(self.rows.weights.input_zero_point) * sum;
        // 2x must fit in 32 bits, and so must x shifted left by a multiplier above 1.
        let (least, most) = (least + bias, most + bias);
        let bound = least.abs().max(most.abs());
        if bound << multiplier.shift.max(0) >= 1 << 31 {
            return None;
        }
        let finish = |value: i64| self.output.finish(multiplier.apply(value as i32));
        if finish(least) == finish(most) {
            let requantise = Requantise::constant(finish(least));
            return Some(Encoded { bias: 0, requantise, bound: 0, constant: true });
        }
        if let Some((requantise, offset)) = Requantise::offset(multiplier, self.output.zero_point, bound) {
            let bound = bound + i64::from(offset);
            return Some(Encoded { bias: bias as i32 + offset, requantise, bound, constant: false });
        }
        let requantise = Requantise::new(multiplier, self.output.zero_point, bound)?;
        Some(Encoded { bias: bias as i32, requantise, bound, constant: false })
    }

    /// Writes the layout of threes, unless the weights do not allow it. `words` is long enough.
    fn three(&self, words: &mut [u32]) -> Option<()> {
        for (block, words) in words.chunks_exact_mut(BLOCK).take(self.rows.outputs.div_ceil(4)).enumerate() {
            let first = (4 * block).min(self.rows.outputs - 4);
            for (channel, words) in [0, 2, 1, 3].into_iter().zip(words.chunks_exact_mut(BLOCK / 4)) {
                let channel = first + channel;
                let encoded = self.encode(channel)?;
                let twice = |tap: usize| if encoded.constant { 0 } else { 2 * self.weight(channel, tap) };
                let pair = |low: i32, high: i32| u32::from(high as u16) << 16 | u32::from(low as u16);
                let [mantissa, rounding, shift] = encoded.requantise.words();
                words.copy_from_slice(&[
                    (2 * encoded.bias) as u32,
                    pair(twice(0), twice(3)),
                    pair(twice(1), twice(4)),
                    pair(twice(2), twice(5)),
                    pair(twice(6), twice(7)),
                    pair(twice(8), 0),
                    mantissa,
                    rounding,
                    shift,
                ]);
            }
        }
        Some(())
    }

    /// Writes the layout of planes, unless the weights do not allow it. `words` is long enough.
    fn planes(&self, words: &mut [u32], shape: &DepthwiseConv2dShape) -> Option<()> {
        let planes = Planes::of(shape);
        let (rows, columns) = (shape.rows().kernel(), shape.columns().kernel());
        // Not 0. The compiler does not know that, and would keep a panic.
        let length = planes.words().max(1);
        for (channel, words) in words.chunks_exact_mut(length).take(self.rows.outputs).enumerate() {
            let encoded = self.encode(channel)?;
            let twice = |row: usize, column: usize| {
                let is_tap = row < rows && column < columns && !encoded.constant;
                let weight = if is_tap { self.weight(channel, row * columns + column) } else { 0 };
                u32::from((2 * weight) as u16)
            };
            let mut words = words.iter_mut();
            let mut put = |word: u32| words.next().map(|place| *place = word);
            put((2 * encoded.bias) as u32)?;
            for plane in 0..planes.count {
                for tap in 0..planes.taps {
                    let [low, high] = match rows {
                        1 => [twice(0, 2 * tap), twice(0, 2 * tap + 1)],
                        _ => [twice(2 * plane, tap), twice(2 * plane + 1, tap)],
                    };
                    put(high << 16 | low)?;
                }
            }
            for word in encoded.requantise.words() {
                put(word)?;
            }
        }
        Some(())
    }

    /// Writes the layout of taps, with so many outputs per input channel, unless the weights do not allow it. `words` is long enough.
    fn taps(&self, words: &mut [u32], channels: usize, multiplier: usize) -> Option<()> {
        // Not 0. The compiler does not know that, and would keep the panic of a division by 0.
        let blocks = channels.div_ceil(4).max(1);
        for (index, words) in
            words.chunks_exact_mut((taps_block(self.rows.depth) as usize).max(1)).take(blocks * multiplier).enumerate()
        {
            let (turn, block) = (index / blocks, index % blocks);
            let first = (4 * block).min(channels.saturating_sub(4));
            let channel = |index: usize| (first + index) * multiplier + turn;
            let mut words = words.iter_mut();
            let mut put = |word: u32| words.next().map(|place| *place = word);
            for index in 0..4 {
                put((2 * self.encode(channel(index))?.bias) as u32)?;
            }
            let twice = |index: usize, tap: usize| (2 * self.weight(channel(index), tap)) as u16;
            let pair = |low: u16, high: u16| u32::from(high) << 16 | u32::from(low);
            for tap in (0..self.rows.depth).step_by(2) {
                if tap + 1 < self.rows.depth {
                    for index in [0, 2, 1, 3] {
                        put(pair(twice(index, tap), twice(index, tap + 1)))?;
                    }
                } else {
                    put(pair(twice(0, tap), twice(2, tap)))?;
                    put(pair(twice(1, tap), twice(3, tap)))?;
                }
            }
            for index in 0..4 {
                for word in self.encode(channel(index))?.requantise.words() {
                    put(word)?;
                }
            }
        }
        Some(())
    }

    /// Writes the layout of pairs (`together` = 1) or of eights (4), unless the weights do not allow it. `words` is long
    /// enough.
    fn pairs(&self, words: &mut [u32], together: usize) -> Option<()> {
        let mut words = words.iter_mut();
        let mut put = |word: u32| words.next().map(|place| *place = word);
        let mut start = 0;
        while start < self.rows.outputs {
            // Pairs are filled up, and so are seven outputs to eight.
            let together = if start + 2 * together <= self.rows.outputs + 1 { together } else { 1 };
            let pairs = || (start..start + 2 * together).step_by(2);
            for even in pairs() {
                let (first, second) = (self.encode(even)?, self.encode(even + 1)?);
                if second.bound >= 1 << 23 {
                    return None;
                }
                put(first.bias as u32)?;
                put((first.bias as u32).wrapping_add((second.bias as u32) << 8))?;
            }
            for depth in (0..self.rows.depth).step_by(4) {
                for even in pairs() {
                    for depth in [depth, depth + 1] {
                        let low = self.halfword(even, depth)?;
                        let high = self.halfword(even, depth + 2)?;
                        put(u32::from(high) << 16 | u32::from(low))?;
                    }
                }
            }
            for channel in start..start + 2 * together {
                for word in self.encode(channel)?.requantise.words() {
                    put(word)?;
                }
            }
            start += 2 * together;
        }
        Some(())
    }

    /// Writes the wide layout, unless the weights do not allow it. `words` is long enough.
    fn wide(&self, words: &mut [u32]) -> Option<()> {
        let mut words = words.iter_mut();
        let mut put = |word: u32| words.next().map(|place| *place = word);
        for even in (0..self.rows.outputs).step_by(2) {
            for channel in [even, even + 1] {
                put(self.encode(channel)?.bias as u32)?;
            }
            for depth in (0..self.rows.depth).step_by(4).flat_map(|depth| [depth, depth + 1]) {
                for channel in [even, even + 1] {
                    let [low, high] = [depth, depth + 2].map(|depth| self.weight(channel, self.product(depth)) as u16);
                    put(u32::from(high) << 16 | u32::from(low))?;
                }
            }
            for channel in [even, even + 1] {
                for word in self.encode(channel)?.requantise.words() {
                    put(word)?;
                }
            }
        }
        Some(())
    }

    /// Writes the layout of dense layers to int16, unless the weights do not allow it. `words` is long enough.
    fn to_int16(&self, words: &mut [u32]) -> Option<()> {
        let mut words = words.iter_mut();
        let mut put = |word: u32| words.next().map(|place| *place = word);
        for start in (0..self.rows.outputs).step_by(TO_INT16_OUTPUTS) {
            let pairs = || (start..start + TO_INT16_OUTPUTS).step_by(2);
            for even in pairs() {
                let (first, second) = (self.folded(even)?, self.folded(even + 1)?);
                if second.1 >= 1 << 23 {
                    return None;
                }
                put(first.0 as u32)?;
                put((first.0 as u32).wrapping_add((second.0 as u32) << 8))?;
            }
            for depth in (0..self.rows.depth).step_by(4) {
                for even in pairs() {
                    for depth in [depth, depth + 1] {
                        let low = self.halfword(even, depth)?;
                        let high = self.halfword(even, depth + 2)?;
                        put(u32::from(high) << 16 | u32::from(low))?;
                    }
                }
            }
            for channel in start..start + TO_INT16_OUTPUTS {
                let multiplier = if channel < self.rows.outputs {
                    self.rows.weights.multiplier(channel)
                } else {
                    Multiplier::default()
                };
                let right = (-multiplier.shift).max(0) as u32;
                put(1 + multiplier.shift.max(0) as u32)?;
                put(multiplier.mantissa as u32)?;
                put((1 << right) >> 1)?;
                put(if right == 0 { 0 } else { 1 << 31 | right })?;
            }
        }
        Some(())
    }

    /// Writes the layout for Winograd's products, unless the weights do not allow it. `words` is long enough.
    fn winograd(&self, words: &mut [u32]) -> Option<()> {
        let mut words = words.iter_mut();
        let mut put = |word: u32| words.next().map(|place| *place = word);
        let inputs = self.rows.depth / 9;
        for even in (0..self.rows.outputs).step_by(2) {
            let pair = [(even, self.encode(even)?), (even + 1, self.encode(even + 1)?)];
            for (_, encoded) in &pair {
                if encoded.bound >= 1 << 29 {
                    return None;
                }
                put((4 * encoded.bias) as u32)?;
            }
            for (row, column) in ORDER {
                for input in (0..inputs).step_by(4).flat_map(|first| [first, first + 1]) {
                    for (channel, encoded) in &pair {
                        let transformed = |input: usize| {
                            let weight = |tap: usize| self.weight(*channel, tap * inputs + input);
                            let weights = [0, 3, 6].map(|tap| [weight(tap), weight(tap + 1), weight(tap + 2)]);
                            let line = transform_weights(weights).get(row).copied().unwrap_or_default();
                            let weight = line.get(column).copied().unwrap_or_default();
                            if encoded.constant { 0 } else { weight as u16 }
                        };
                        put(u32::from(transformed(input + 2)) << 16 | u32::from(transformed(input)))?;
                    }
                }
            }
            for (_, encoded) in &pair {
                for word in encoded.requantise.words() {
                    put(word)?;
                }
            }
        }
        Some(())
    }

    /// The channel's folded bias and the largest magnitude of its sum, unless that could leave 30 bits.
    fn folded(&self, channel: usize) -> Option<(i32, i64)> {
        if channel >= self.rows.outputs {
            return Some((0, 0));
        }
        let (mut sum, mut magnitude) = (0_i64, 0_i64);
        for depth in 0..self.rows.depth {
            let weight = i64::from(self.weight(channel, depth));
            sum += weight;
            magnitude += weight.abs() * 128;
        }
        let bias = i64::from(self.rows.weights.bias(channel)) - i64::from(self.rows.weights.input_zero_point) * sum;
        let bound = bias.abs() + magnitude;
        let multiplier = self.rows.weights.multiplier(channel);
        // Doubled and shifted left it has to fit in 32 bits.
        let fits = bound << multiplier.shift.max(0) < 1 << 30;
        fits.then_some((bias as i32, bound))
    }

    /// The number of the product at a place of the column; behind the last one that of no product.
    fn product(&self, place: usize) -> usize {
        if place < self.rows.depth { self.runs.product(place) } else { place }
    }

    /// 256·w1 + w0 of a pair of channels, unless it does not fit in 16 bits.
    fn halfword(&self, even: usize, depth: usize) -> Option<u16> {
        let depth = self.product(depth);
        let halfword = 256 * self.weight(even + 1, depth) + self.weight(even, depth);
        i16::try_from(halfword).ok().map(|word| word as u16)
    }
}

#[cfg(test)]
mod tests {
    use smolnn_core::{Image, Window2d, WindowSize};

    use super::*;
    use crate::Backend;
    use crate::backend::winograd::{outputs, transform_inputs};
    use crate::pack::{self, Weights};

    /// The instruction: rounds the product at bit 31, adds, keeps the high word.
    fn smmlar(a: i32, b: i32, c: i32) -> i32 {
        ((i64::from(a) * i64::from(b)).wrapping_add((i64::from(c) << 32) + (1 << 31)) >> 32) as i32
    }

    /// What the kernels do with an accumulator.
    fn run(requantise: Requantise, x: i32) -> i32 {
        let doubled = x.wrapping_mul(2);
        let sum = smmlar(doubled, requantise.mantissa, requantise.rounding.wrapping_add(doubled >> 31));
        (sum >> requantise.shift).clamp(-128, 127)
    }

    /// What they do where outputs are rectified, before the clamp.
    fn run_rectified(requantise: Requantise, x: i32) -> i32 {
        let sum = smmlar(x.wrapping_mul(2), requantise.mantissa, requantise.rounding);
        (sum >> requantise.shift).clamp(-128, 127)
    }

    #[test]
    fn requantisation_is_the_reference() {
        let mantissas = [
            1 << 30,
            (1 << 30) + 1,
            1_518_500_249,
            1_518_500_250,
            1_610_612_736,
            1_999_999_999,
            i32::MAX - 1,
            i32::MAX,
        ];
        let mut compared = 0_u64;
        let mut compare = |requantise: Requantise, multiplier: Multiplier, zero_point: i32, x: i32| {
            let expected = OutputRange::int8(zero_point).finish(multiplier.apply(x));
            assert_eq!(run(requantise, x), expected, "x {x} multiplier {multiplier:?} zero point {zero_point}");
            assert_eq!(
                run_rectified(requantise, x).max(zero_point),
                expected.max(zero_point),
                "x {x} multiplier {multiplier:?} least output {zero_point}"
            );
            compared += 1;
        };
        for shift in 1..=31 {
            for mantissa in mantissas {
                let multiplier = Multiplier { mantissa, shift: -shift };
                for zero_point in [-128, -127, -3, -1, 0, 1, 5, 126, 127] {
                    // The largest sums that are taken with this shift.
                    let bounds = [(1 << 30) - 1, 1 << 29, 1 << 26, 1 << 23];
                    let Some((bound, requantise)) = bounds
                        .into_iter()
                        .find_map(|bound| Some((bound, Requantise::new(multiplier, zero_point, bound)?)))
                    else {
                        assert!(shift >= 23, "shift {shift} is never taken");
                        continue;
                    };
                    let mut one = |x: i64| {
                        if x.abs() <= bound {
                            compare(requantise, multiplier, zero_point, x as i32);
                        }
                    };
                    // Around every power of two, every output step and its half, and what is left at random.
                    for power in 0..30 {
                        for offset in -3..=3 {
                            one((1 << power) + offset);
                            one(-(1 << power) + offset);
                        }
                    }
                    for output in -300_i64..=300 {
                        let step = (output << (31 + shift)) / i64::from(mantissa);
                        let half = ((2 * output + 1) << (30 + shift)) / i64::from(mantissa);
                        for offset in -2..=2 {
                            one(step + offset);
                            one(half + offset);
                        }
                    }
                    let mut state = 12345_u32;
                    for _ in 0..200 {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        one(i64::from(state as i32 >> (1 + (state >> 8) % 24)));
                    }
                }
            }
        }
        assert!(compared > 10_000_000, "{compared}");
    }

    #[test]
    fn multipliers_of_a_half_and_more_are_the_reference() {
        let mut state = 12345_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 1
        };
        let edges = [1 << 30, (1 << 30) + 1, 3 << 29, 1_518_500_249, i32::MAX - 1, i32::MAX];
        for case in 0..3000 {
            // The edges, factors that come as close to a tie as 31 bits allow, and others.
            let factor = Multiplier::from_f64(0.5 + f64::from(random() % 512) / f64::from(1024 - 2 * (random() % 200)));
            let mantissa = match edges.get(case) {
                Some(&edge) => edge,
                None if case % 3 == 0 && factor.shift == 0 => factor.mantissa,
                None => (random() | 1 << 30) as i32,
            };
            let multiplier = Multiplier { mantissa, shift: 0 };
            let zero_point = [-128, 127, 0, 13][case % 4];
            let (requantise, offset) = Requantise::offset(multiplier, zero_point, (1 << 29) - 1).expect("there is one");
            let one = |x: i32| {
                let expected = OutputRange::int8(zero_point).finish(multiplier.apply(x));
                assert_eq!(run(requantise, x + offset), expected, "x {x} {multiplier:?} zero point {zero_point}");
                assert_eq!(
                    run_rectified(requantise, x + offset).max(zero_point),
                    expected.max(zero_point),
                    "x {x} {multiplier:?} least output {zero_point}"
                );
            };
            for x in -3000..=3000 {
                one(x);
            }
            for power in 12..29 {
                one((1 << power) + random() as i32 % 100);
                one(-(1 << power) + random() as i32 % 100);
            }
            one((1 << 29) - 1);
            one(1 - (1 << 29));
        }
    }

    #[test]
    fn every_small_accumulator_is_requantised_right() {
        for shift in 1..=12 {
            for mantissa in [1 << 30, 1_234_567_890, i32::MAX] {
                let multiplier = Multiplier { mantissa, shift: -shift };
                let rounding = (2 * -7 + 1) << (shift - 1);
                let requantise = Requantise { mantissa, rounding, shift };
                for x in -(1 << 19)..1 << 19 {
                    assert_eq!(
                        run(requantise, x),
                        OutputRange::int8(-7).finish(multiplier.apply(x)),
                        "{x} {multiplier:?}"
                    );
                }
            }
        }
    }

    /// The stream of Winograd's products, read as the kernel reads it, against sums of nine products: one tile of random and of extreme
    /// weights and inputs.
    #[test]
    fn the_stream_of_winograd_gives_the_outputs_of_the_reference() {
        const OUTPUTS: usize = 4;
        const MOST: usize = 12;
        let mut state = 12345_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut compared = 0;
        for case in 0..600 {
            let inputs = [4, 8, MOST][case % 3];
            let mut int8 = |extreme: bool| match (extreme, random() % 3) {
                (true, 0) => -128,
                (true, _) => 127,
                (false, _) => random() as i8,
            };
            let values: [i8; OUTPUTS * 9 * MOST] = core::array::from_fn(|_| int8(case % 5 == 0));
            let image: [i8; 16 * MOST] = core::array::from_fn(|_| int8(case % 7 == 0));
            let bias: [i32; OUTPUTS] = core::array::from_fn(|_| random() as i32 % 50_000 - 25_000);
            let multipliers: [Multiplier; OUTPUTS] =
                core::array::from_fn(|_| Multiplier::from_f64(0.02 / f64::from(1 + random() % 100)));
            let (zero_point, range) = (i32::from(random() as i8), OutputRange::int8(i32::from(random() as i8)));
            let window = Window2d::over(Image::hwc(4, 4, inputs), WindowSize::hw(3, 3));
            let shape = window.conv(OUTPUTS).unwrap();
            let weights = Weights {
                values: &values[..shape.weights()],
                bias: &bias,
                multipliers: &multipliers,
                input_zero_point: zero_point,
            };
            let mut words = [0; OUTPUTS / 2 * (8 + 16 * MOST)];
            let packed =
                pack::conv2d_winograd(Backend::Dsp, &shape, &weights, &range, &mut words, &mut []).unwrap().unwrap();
            assert_eq!(packed.words, pack::conv2d_winograd_words(Backend::Dsp, &shape));
            let mut next = words[..packed.words].iter().copied();
            let mut next = || next.next().unwrap();
            for even in (0..OUTPUTS).step_by(2) {
                let bias = [next(), next()];
                let mut sums = [[[0_i32; 4]; 4]; 2];
                for (row, column) in ORDER {
                    for step in 0..inputs / 2 {
                        let first = step / 2 * 4 + step % 2;
                        let transformed = [first, first + 2].map(|input| {
                            let pixel = |y: usize, x: usize| i32::from(image[(y * 4 + x) * inputs + input]);
                            transform_inputs([0, 1, 2, 3].map(|y| [0, 1, 2, 3].map(|x| pixel(y, x))))[row][column]
                        });
                        for sums in &mut sums {
                            let pair = next();
                            let [low, high] = [pair as i16, (pair >> 16) as i16].map(i32::from);
                            let product = low * transformed[0] + high * transformed[1];
                            sums[row][column] = sums[row][column].wrapping_add(product);
                        }
                    }
                }
                for (index, mut sums) in sums.into_iter().enumerate() {
                    sums[1][1] = sums[1][1].wrapping_add(bias[index] as i32);
                    let [mantissa, rounding, shift] = [next(), next(), next()].map(|word| word as i32);
                    let requantise = Requantise { mantissa, rounding, shift };
                    let channel = even + index;
                    for (y, row) in outputs(sums).into_iter().enumerate() {
                        for (x, output) in row.into_iter().enumerate() {
                            let product = |place: usize| {
                                let (tap, input) = (place / inputs, place % inputs);
                                let pixel = ((y + tap / 3) * 4 + x + tap % 3) * inputs + input;
                                let weight = i32::from(values[channel * 9 * inputs + place]);
                                (i32::from(image[pixel]) - zero_point) * weight
                            };
                            let sum = weights.bias[channel] + (0..9 * inputs).map(product).sum::<i32>();
                            let expected = range.finish(multipliers[channel].apply(sum));
                            assert_eq!(output % 4, 0, "case {case}");
                            assert_eq!(run(requantise, output / 4), expected, "case {case}, channel {channel}: {sum}");
                            compared += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(compared, 600 * 4 * OUTPUTS);
    }

    /// 4 times a sum has to fit in 32 bits: a bias that leaves no room gets no such stream.
    #[test]
    fn winograd_takes_no_sums_beyond_29_bits() {
        const INPUTS: usize = 36;
        let shape = Window2d::over(Image::hwc(4, 4, INPUTS), WindowSize::hw(3, 3)).conv(2).unwrap();
        let packs = |bias: i32| {
            let (values, multipliers) = ([127; 2 * 9 * INPUTS], [Multiplier::from_f64(2e-7)]);
            let weights = Weights { values: &values, bias: &[bias, 0], multipliers: &multipliers, input_zero_point: 0 };
            let mut words = [0; 8 + 16 * INPUTS];
            pack::conv2d_winograd(Backend::Dsp, &shape, &weights, &OutputRange::int8(0), &mut words, &mut [])
                .unwrap()
                .is_some()
        };
        let largest = (1 << 29) - 1 - 9 * INPUTS as i32 * 127 * 128;
        assert!(packs(-largest) && !packs(-largest - 1));
    }
}

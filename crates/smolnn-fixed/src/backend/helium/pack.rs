//! Layouts for Helium. Parameters lie among the words, so that one pointer walks through a layer.
//!
//! **Matrix** (convolution, dense): a block per four output channels: four biases; the weights; four mantissas; four
//! shifts. The weights of a channel are split into chunks of 16 (the last filled up with zeros); `count` chunks of a
//! channel lie together, then those of the next channel, then the next `count` chunks: one VLDM loads them.
//!
//! A depthwise convolution with one input channel is a convolution, and has that layout.
//!
//! **Depthwise**: a block per eight channels: biases of the even, of the odd channels; eight weights per tap; mantissas
//! (even, odd); shifts (even, odd). Where the channels are no multiple of eight, the last block is that of the last eight; where there
//! are fewer, and with a depth multiplier, it is filled up with zeros.
//!
//! **To int16** (dense to int16): as the matrix layout, but before the mantissas stand four left shifts, and behind
//! them the right shifts; either may be 0.
//!
//! In the other layouts every shift has to be a right shift by 1..=31, or by 0 behind a ReLU, else the layer has the portable layout.
#![forbid(unsafe_code)]

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape};

use crate::backend::portable::pack::{little_endian, words as byte_words};
use crate::pack::{Channel, Layout, Needs, PackedShape, Rows};
use crate::quantise::OutputRange;

/// Weights in one vector.
pub(crate) const CHUNK: usize = 16;
/// Output channels of a block of the matrix layout.
pub(crate) const BLOCK: usize = 4;
/// Channels of a block of the depthwise layout.
pub(crate) const LANES: usize = 8;
/// Taps of a depthwise layer whose pointers lie on the stack; those of more taps lie in the scratch memory.
pub(crate) const TAPS_ON_STACK: usize = 32;

/// How a row of weights is cut into vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// Chunks that lie together, 1 to 5.
    pub count: usize,
    /// Passes over the row: each multiplies `count` chunks that lie together.
    pub passes: usize,
}

impl Chunks {
    /// The chunks of rows of `depth` weights.
    pub const fn of(depth: usize) -> Self {
        let chunks = depth.div_ceil(CHUNK);
        if chunks <= 5 {
            return Self { count: chunks, passes: 1 };
        }
        // Chunks are read four at a time, unless three at a time need fewer chunks of zeros to fill up the row.
        let (fours, threes) = (chunks.div_ceil(4), chunks.div_ceil(3));
        if threes * 3 < fours * 4 { Self { count: 3, passes: threes } } else { Self { count: 4, passes: fours } }
    }

    /// Weights of a row, filled up.
    pub const fn depth(self) -> usize {
        self.count * self.passes * CHUNK
    }

    /// Words of a block with `parameters` words beside the weights of each channel.
    pub const fn block_words(self, parameters: usize) -> usize {
        BLOCK * (parameters + self.depth() / 4)
    }
}

/// Parameters of a channel in the matrix layout: bias, mantissa, shift.
pub(crate) const MATRIX_PARAMETERS: usize = 3;
/// Parameters of a channel in the layout to int16: bias, left shift, mantissa, right shift.
pub(crate) const TO_INT16_PARAMETERS: usize = 4;

/// The layout that serves the shape.
pub(crate) const fn layout(shape: &PackedShape) -> Layout {
    match shape {
        PackedShape::Conv2d(_) | PackedShape::Dense(_) => Layout::HeliumMatrix,
        PackedShape::DepthwiseConv2d(shape) if is_by_lanes(shape) => Layout::HeliumDepthwise,
        PackedShape::DepthwiseConv2d(_) => Layout::Portable,
        PackedShape::DenseToInt16(_) => Layout::HeliumToInt16,
    }
}

/// The memory that a layer of that layout takes.
pub(crate) const fn needs(shape: &PackedShape) -> Needs {
    match shape {
        PackedShape::Conv2d(shape) => conv2d_needs(shape),
        PackedShape::DepthwiseConv2d(shape) => depthwise_needs(shape),
        PackedShape::Dense(shape) => Needs {
            words: matrix_words(shape.outputs(), shape.inputs(), MATRIX_PARAMETERS),
            channels: 0,
            scratch: copy_words(shape.inputs(), shape.batch()) as u64,
        },
        PackedShape::DenseToInt16(shape) => Needs {
            words: matrix_words(shape.outputs(), shape.inputs(), TO_INT16_PARAMETERS),
            channels: 0,
            scratch: copy_words(shape.inputs(), 1) as u64,
        },
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
    let has_right_shifts = || (0..rows.outputs).all(|channel| allows(rows, output, channel));
    match layout {
        Layout::HeliumMatrix if has_right_shifts() => {
            matrix(rows, MATRIX_PARAMETERS, |channel| [channel.multiplier, channel.shift], words);
        }
        // The sum of two products must fit in 16 bits: −128 · −128 twice would not.
        Layout::HeliumDepthwise if has_right_shifts() && !rows.weights.values.contains(&-128) => {
            let is_spread = matches!(shape, PackedShape::DepthwiseConv2d(shape) if shape.multiplier() > 1);
            let last = if is_spread { None } else { rows.outputs.checked_sub(LANES) };
            depthwise(rows, last, words);
        }
        Layout::HeliumToInt16 => {
            let parameters = |channel: &Channel| [channel.shift.max(0), channel.multiplier, channel.shift.min(0)];
            matrix(rows, TO_INT16_PARAMETERS, parameters, words);
        }
        _ => return None,
    }
    Some(layout)
}

/// Whether the channel's multiplier is one that the kernels round as the reference does: one that shifts to the right, or behind a ReLU
/// one that shifts nothing. There a negative product, from which the kernels take 1 too many, gives the least output all the same.
fn allows(rows: &Rows<'_>, output: &OutputRange, channel: usize) -> bool {
    // Sums of less than 2^30: what is added to their products stays within 32 bits.
    let is_short = || {
        let products = rows.row(channel).map(|weight| i64::from(weight).abs() * 128).sum::<i64>();
        products + i64::from(rows.folded(channel).bias).abs() < 1 << 30
    };
    match rows.weights.multiplier(channel).shift {
        -31..=-1 => true,
        0 => output.minimum >= output.zero_point && is_short(),
        _ => false,
    }
}

/// The needs of a convolution, whose scratch memory holds the columns that it gathers.
const fn conv2d_needs(shape: &Conv2dShape) -> Needs {
    let bytes = Chunks::of(shape.depth()).depth();
    Needs {
        words: matrix_words(shape.output().channels, shape.depth(), MATRIX_PARAMETERS),
        channels: 0,
        scratch: columns(bytes, shape.output().width) as u64 * bytes as u64 / 4,
    }
}

const fn matrix_words(channels: usize, depth: usize, parameters: usize) -> u64 {
    channels.div_ceil(BLOCK) as u64 * Chunks::of(depth).block_words(parameters) as u64
}

/// Columns of so many bytes that a convolution gathers before it multiplies them, of an output of that width.
pub(crate) const fn columns(bytes: usize, width: usize) -> usize {
    // The depth of a checked shape is not 0. The compiler does not know that; a plain division would bring its panic along.
    let Some(fit) = 640_usize.checked_div(bytes) else { return 1 };
    let fit = if fit > 8 { 8 } else { fit };
    let fit = if fit > width { width } else { fit };
    if fit == 0 { 1 } else { fit }
}

/// Words of scratch memory for the copy of a vector that is not a whole number of chunks, or that its own outputs may
/// overwrite. One chunk is copied to the stack: as scratch memory it would be more than the tensors of a tiny model.
const fn copy_words(inputs: usize, batch: usize) -> usize {
    let depth = Chunks::of(inputs).depth();
    if depth > CHUNK && (depth != inputs || batch > 1) { depth / 4 } else { 0 }
}

/// Whether the depthwise layout serves the shape: with a depth multiplier halfwords number the input channels.
const fn is_by_lanes(shape: &DepthwiseConv2dShape) -> bool {
    shape.multiplier() == 1 || (shape.input().channels <= 1 << 16 && shape.multiplier() <= 1 << 14)
}

/// Words of a block of the depthwise layout.
pub(crate) const fn depthwise_block_words(shape: &DepthwiseConv2dShape) -> usize {
    6 * BLOCK + shape.depth() * LANES / 4
}

/// The needs of the depthwise layout. The scratch memory holds a pixel of zero points for the taps that see padding, and the table
/// of the taps where it is too long for the stack.
const fn depthwise_needs(shape: &DepthwiseConv2dShape) -> Needs {
    let (channels, depth) = (shape.output().channels, shape.depth());
    let is_padded = !(shape.rows().is_unpadded() && shape.columns().is_unpadded());
    let zero_points = if is_padded { byte_words(shape.input().channels) } else { 0 };
    let table = if depth > TAPS_ON_STACK { depth as u64 } else { 0 };
    Needs {
        words: channels.div_ceil(LANES) as u64 * depthwise_block_words(shape) as u64,
        channels: 0,
        scratch: zero_points + table,
    }
}

/// Writes the depthwise layout, whose last block begins at the channel `last`, unless it is filled up with zeros.
fn depthwise(rows: &Rows<'_>, last: Option<usize>, words: &mut [u32]) {
    let mut writer = words.iter_mut();
    let mut write = |word: u32| {
        if let Some(next) = writer.next() {
            *next = word;
        }
    };
    for block in 0..rows.outputs.div_ceil(LANES) {
        let first = last.map_or(block * LANES, |last| last.min(block * LANES));
        let folded = LANE_ORDER.map(|lane| self::folded(rows, first + lane));
        for channel in &folded {
            write(channel.bias as u32);
        }
        for tap in 0..rows.depth {
            for half in [0, 4] {
                write(little_endian(&[0, 1, 2, 3].map(|lane| rows.weight(first + half + lane, tap))));
            }
        }
        for channel in &folded {
            write(channel.multiplier as u32);
        }
        for channel in &folded {
            write(channel.shift as u32);
        }
    }
}

/// The channel, or behind the last one a channel whose outputs are the zero point.
fn folded(rows: &Rows<'_>, channel: usize) -> Channel {
    if channel < rows.outputs { rows.folded(channel) } else { Channel { bias: 0, multiplier: 0, shift: -1 } }
}

/// Widening instructions take the even lanes or the odd ones.
const LANE_ORDER: [usize; LANES] = [0, 2, 4, 6, 1, 3, 5, 7];

/// Writes the blocks of a matrix; `parameters` gives those of a channel that stand behind the weights, `count` is how many there
/// are with the bias.
fn matrix<const N: usize>(rows: &Rows<'_>, count: usize, parameters: impl Fn(&Channel) -> [i32; N], words: &mut [u32]) {
    let chunks = Chunks::of(rows.depth);
    let blocks = words.chunks_exact_mut(chunks.block_words(count).max(1));
    for (index, block) in blocks.take(rows.outputs.div_ceil(BLOCK)).enumerate() {
        let mut writer = block.iter_mut();
        let mut write = |word: u32| {
            if let Some(next) = writer.next() {
                *next = word;
            }
        };
        let folded = [0, 1, 2, 3].map(|lane| self::folded(rows, index * BLOCK + lane));
        for channel in &folded {
            write(channel.bias as u32);
        }
        for pass in 0..chunks.passes {
            for lane in 0..BLOCK {
                for word in 0..chunks.count * CHUNK / 4 {
                    let at = pass * chunks.count * CHUNK + word * 4;
                    write(little_endian(&[0, 1, 2, 3].map(|byte| rows.weight(index * BLOCK + lane, at + byte))));
                }
            }
        }
        for parameter in 0..N {
            for channel in &folded {
                write(parameters(channel).get(parameter).copied().unwrap_or(0) as u32);
            }
        }
    }
}

//! Layouts for Helium. Parameters lie among the words, so that one pointer walks through a layer.
//!
//! **Matrix** (convolution, dense): a block per four output channels: four biases; the weights; four mantissas; four
//! shifts. The weights of a channel are split into chunks of 16 (the last filled up with zeros); `count` chunks of a
//! channel lie together, then those of the next channel, then the next `count` chunks: one VLDM loads them.
//!
//! A depthwise convolution with one input channel is a convolution, and has that layout.
//!
//! **Depthwise**: a block per eight channels: biases of the even, of the odd channels; eight weights per tap; mantissas
//! (even, odd); shifts (even, odd). Where the channels are no multiple of eight the last block holds the last eight
//! channels, some of them for a second time.
//!
//! **Wide matrix** (dense to int16): as the matrix layout, but before the mantissas stand four left shifts, and behind
//! them the right shifts; either may be 0.
//!
//! In the other layouts every shift has to be a right shift by 1..=31, else the layer has the portable layout.
#![forbid(unsafe_code)]

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, ShapeError};

use crate::Backend;
use crate::backend::portable::pack as portable;
use crate::pack::{Channel, Layout, Needs, Packed, Weights};

/// Weights in one vector.
pub(crate) const CHUNK: usize = 16;
/// Output channels of a block of the matrix layout.
pub(crate) const BLOCK: usize = 4;
/// Channels of a block of the depthwise layout.
pub(crate) const LANES: usize = 8;
/// Most taps of the depthwise layout: their pointers lie on the stack.
pub(crate) const MOST_TAPS: usize = 32;
/// Number of the depthwise layout; the matrix layout has 1.
const DEPTHWISE: u8 = 15;

/// How a row of weights is cut into vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// Chunks that lie together, 1 to 4.
    pub count: usize,
    /// How often.
    pub passes: usize,
}

impl Chunks {
    /// For rows of `depth` weights.
    pub const fn of(depth: usize) -> Self {
        let chunks = depth.div_ceil(CHUNK);
        if chunks <= 4 {
            return Self { count: chunks, passes: 1 };
        }
        // Four at a time, unless three waste fewer.
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

const MATRIX: Layout = Layout::of(Backend::Helium, 1);
const WIDE: Layout = Layout::of(Backend::Helium, 2);
/// Parameters of a channel in the matrix layout: bias, mantissa, shift.
pub(crate) const MATRIX_PARAMETERS: usize = 3;
/// Parameters of a channel in the wide layout: bias, left shift, mantissa, right shift.
pub(crate) const WIDE_PARAMETERS: usize = 4;

const fn matrix_words(channels: usize, depth: usize, parameters: usize) -> usize {
    channels.div_ceil(BLOCK) * Chunks::of(depth).block_words(parameters)
}

/// Columns that a convolution gathers before it multiplies them.
pub(crate) const fn columns(shape: &Conv2dShape) -> usize {
    let depth = Chunks::of(shape.depth()).depth();
    // A checked shape has a depth; said here so that no division can panic.
    let Some(fit) = 640_usize.checked_div(depth) else { return 1 };
    let fit = if fit > 8 { 8 } else { fit };
    let fit = if fit > shape.output().width { shape.output().width } else { fit };
    if fit == 0 { 1 } else { fit }
}

/// What a convolution takes.
pub const fn conv2d_needs(layout: Layout, shape: &Conv2dShape) -> Needs {
    if !layout.is(MATRIX) {
        return portable::conv2d_needs(shape);
    }
    let scratch = columns(shape) * Chunks::of(shape.depth()).depth() / 4;
    Needs { words: matrix_words(shape.output().channels, shape.depth(), MATRIX_PARAMETERS), channels: 0, scratch }
}

/// What a depthwise convolution takes.
pub const fn depthwise_conv2d_needs(layout: Layout, shape: &DepthwiseConv2dShape) -> Needs {
    if let (true, Some(conv)) = (layout.is(MATRIX), crate::pack::as_conv2d(shape)) {
        return conv2d_needs(layout, &conv);
    }
    if !layout.is(Layout::of(Backend::Helium, DEPTHWISE)) {
        return portable::depthwise_conv2d_needs(shape);
    }
    // A pixel of zero points stands for the taps that see padding.
    let padded = !(shape.rows().is_unpadded() && shape.columns().is_unpadded());
    let scratch = if padded { shape.input().channels.div_ceil(4) } else { 0 };
    Needs { words: depthwise_words(shape), channels: 0, scratch }
}

/// What a dense layer takes.
pub const fn dense_needs(layout: Layout, shape: &DenseShape) -> Needs {
    if !layout.is(MATRIX) {
        return portable::dense_needs(shape);
    }
    let scratch = copy_words(shape.inputs(), shape.batch());
    Needs { words: matrix_words(shape.outputs(), shape.inputs(), MATRIX_PARAMETERS), channels: 0, scratch }
}

/// Words of scratch memory for the copy of a vector that is not a whole number of chunks, or that its own outputs may
/// overwrite. One chunk is copied to the stack: as scratch memory it would be more than the tensors of a tiny model.
const fn copy_words(inputs: usize, batch: usize) -> usize {
    let depth = Chunks::of(inputs).depth();
    if depth > CHUNK && (depth != inputs || batch > 1) { depth / 4 } else { 0 }
}

const fn depthwise_words(shape: &DepthwiseConv2dShape) -> usize {
    shape.output().channels.div_ceil(LANES) * (6 * BLOCK + shape.depth() * LANES / 4)
}

/// Most words that a convolution takes.
pub const fn conv2d_words(shape: &Conv2dShape) -> usize {
    most(portable::words(shape.weights()), matrix_words(shape.output().channels, shape.depth(), MATRIX_PARAMETERS))
}

/// Most words that a depthwise convolution takes.
pub const fn depthwise_conv2d_words(shape: &DepthwiseConv2dShape) -> usize {
    if let Some(conv) = crate::pack::as_conv2d(shape) {
        return conv2d_words(&conv);
    }
    most(portable::words(shape.weights()), depthwise_words(shape))
}

/// Most words that a dense layer takes.
pub const fn dense_words(shape: &DenseShape) -> usize {
    most(portable::words(shape.weights()), matrix_words(shape.outputs(), shape.inputs(), MATRIX_PARAMETERS))
}

const fn most(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
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
    let depth = shape.depth();
    matrix(shape.output().channels, depth, weights, (depth, 1), words)
        .unwrap_or_else(|| portable::conv2d(shape, weights, words, channels))
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
    matrix(shape.outputs(), shape.inputs(), weights, (shape.inputs(), 1), words)
        .unwrap_or_else(|| portable::dense(shape, weights, words, channels))
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
    let outputs = shape.output().channels;
    // One input channel: a convolution.
    if crate::pack::as_conv2d(shape).is_some() {
        return matrix(outputs, shape.depth(), weights, (1, outputs), words)
            .unwrap_or_else(|| portable::depthwise_conv2d(shape, weights, words, channels));
    }
    // The sum of two products must fit in 16 bits: −128 · −128 twice would not.
    let plain =
        shape.multiplier() == 1 && outputs >= LANES && shape.depth() <= MOST_TAPS && !weights.values.contains(&-128);
    if !plain || !right_shifts(weights, outputs) {
        return portable::depthwise_conv2d(shape, weights, words, channels);
    }
    weights.check(shape.weights(), outputs)?;
    let used = depthwise_words(shape);
    ShapeError::check_capacity("the packed words", used, words.len())?;
    let mut writer = words.iter_mut();
    let mut write = |word: u32| {
        if let Some(next) = writer.next() {
            *next = word;
        }
    };
    for block in 0..outputs.div_ceil(LANES) {
        let first = (block * LANES).min(outputs - LANES);
        let folded = |lane: usize| {
            let column = weights.values.iter().skip(first + lane).step_by(outputs);
            portable::fold(weights, first + lane, column.map(|&weight| i32::from(weight)).sum())
        };
        for lane in LANE_ORDER {
            write(folded(lane).bias as u32);
        }
        for tap in 0..shape.depth() {
            for half in 0..2 {
                let at = tap * outputs + first + half * 4;
                write(bytes(weights.values.get(at..).unwrap_or_default()));
            }
        }
        for lane in LANE_ORDER {
            write(folded(lane).multiplier as u32);
        }
        for lane in LANE_ORDER {
            write(folded(lane).shift as u32);
        }
    }
    Ok(Packed { words: used, channels: 0, layout: Layout::of(Backend::Helium, DEPTHWISE) })
}

/// Widening instructions take the even lanes or the odd ones.
const LANE_ORDER: [usize; LANES] = [0, 2, 4, 6, 1, 3, 5, 7];

fn right_shifts(weights: &Weights<'_>, outputs: usize) -> bool {
    (0..outputs).all(|channel| (-31..=-1).contains(&weights.multiplier(channel).shift))
}

/// Up to four bytes as a word, little endian.
fn bytes(values: &[i8]) -> u32 {
    values.iter().take(4).rev().fold(0, |word, &value| word << 8 | u32::from(value as u8))
}

fn matrix(
    outputs: usize,
    depth: usize,
    weights: &Weights<'_>,
    steps: (usize, usize),
    words: &mut [u32],
) -> Option<Result<Packed, ShapeError>> {
    if !right_shifts(weights, outputs) {
        return None;
    }
    let parameters = |channel: &Channel| [channel.multiplier, channel.shift];
    Some(blocks(outputs, depth, weights, steps, MATRIX, MATRIX_PARAMETERS, parameters, words))
}

/// Writes the blocks of a matrix, whose weights are `steps` apart from channel to channel and along a row; `parameters`
/// gives those of a channel that stand behind the weights.
fn blocks<const N: usize>(
    outputs: usize,
    depth: usize,
    weights: &Weights<'_>,
    (channel_step, depth_step): (usize, usize),
    layout: Layout,
    count: usize,
    parameters: impl Fn(&Channel) -> [i32; N],
    words: &mut [u32],
) -> Result<Packed, ShapeError> {
    let used = matrix_words(outputs, depth, count);
    weights.check(outputs * depth, outputs)?;
    ShapeError::check_capacity("the packed words", used, words.len())?;
    let chunks = Chunks::of(depth);
    for (index, block) in
        words.chunks_exact_mut(chunks.block_words(count).max(1)).take(outputs.div_ceil(BLOCK)).enumerate()
    {
        let mut writer = block.iter_mut();
        let mut write = |word: u32| {
            if let Some(next) = writer.next() {
                *next = word;
            }
        };
        let weight = |lane: usize, position: usize| {
            let channel = index * BLOCK + lane;
            let inside = channel < outputs && position < depth;
            weights.values.get(channel * channel_step + position * depth_step).copied().filter(|_| inside).unwrap_or(0)
        };
        let folded = |lane: usize| {
            let channel = index * BLOCK + lane;
            if channel >= outputs {
                return Channel { bias: 0, multiplier: 0, shift: -1 };
            }
            portable::fold(weights, channel, (0..depth).map(|position| i32::from(weight(lane, position))).sum())
        };
        for lane in 0..BLOCK {
            write(folded(lane).bias as u32);
        }
        for pass in 0..chunks.passes {
            for lane in 0..BLOCK {
                for word in 0..chunks.count * CHUNK / 4 {
                    let at = pass * chunks.count * CHUNK + word * 4;
                    write(bytes(&[0, 1, 2, 3].map(|byte| weight(lane, at + byte))));
                }
            }
        }
        for parameter in 0..N {
            for lane in 0..BLOCK {
                write(parameters(&folded(lane)).get(parameter).copied().unwrap_or(0) as u32);
            }
        }
    }
    Ok(Packed { words: used, channels: 0, layout })
}

/// What a dense layer to int16 takes.
pub const fn dense_to_int16_needs(layout: Layout, shape: &DenseShape) -> Needs {
    if !layout.is(WIDE) {
        return portable::dense_needs(shape);
    }
    Needs { words: dense_to_int16_words(shape), channels: 0, scratch: copy_words(shape.inputs(), 1) }
}

/// Words that a dense layer to int16 takes.
pub const fn dense_to_int16_words(shape: &DenseShape) -> usize {
    matrix_words(shape.outputs(), shape.inputs(), WIDE_PARAMETERS)
}

/// Packs a dense layer to int16.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn dense_to_int16(shape: &DenseShape, weights: &Weights<'_>, words: &mut [u32]) -> Result<Packed, ShapeError> {
    let parameters = |channel: &Channel| [channel.shift.max(0), channel.multiplier, channel.shift.min(0)];
    blocks(shape.outputs(), shape.inputs(), weights, (shape.inputs(), 1), WIDE, WIDE_PARAMETERS, parameters, words)
}

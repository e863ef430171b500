//! Depthwise convolution. Kernels of 3×3 run over blocks of output pixels: where each tap of each pixel starts is worked
//! out once per block, padding included (a pixel of zero points), and serves all channels. Other kernels run tap by tap.

use smolnn_core::excluded;

use super::kernels::{Core, GEOMETRY};
use super::rounding::{Rounding, Way};
use super::{Cpu, any, pack};
use crate::Tensors;
use crate::conv::DepthwiseConv2d;
use crate::pack::Channel;

#[inline(always)]
pub(super) fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let (input, output) = tensors.pointers();
    let way = Rounding::new(&layer.output).way(layer.layout);
    // A model links the loops of its own kernels alone.
    // SAFETY: `Tensors::check` found the lengths of the shape behind both pointers, which come from one borrow.
    unsafe {
        if !pack::is_by_channel(&layer.shape) {
            // These gain by a copy of their own.
            run::<Pixels>(layer, input, output, scratch);
        } else if Cpu::DEPTHWISE_LINES.is_some() && way != Way::General && GEOMETRY.slides_over(&layer.shape) {
            run::<Lines>(any(layer), input, output, scratch);
        } else {
            run::<Blocks>(any(layer), input, output, scratch);
        }
    }
}

/// A loop over the pixels of a row.
trait Loop {
    /// Whether it clamps outputs to the layer's range; else it saturates them to int8, where they are in the short encoding.
    const CLAMPS: bool = true;

    /// Runs an output row of the images `input` and `output`; `padding` is what the scratch memory holds of zero points.
    ///
    /// # Safety
    /// The images are as long as the shape says, and `padding` is what the shape needs.
    unsafe fn row(
        layer: &DepthwiseConv2d<'_>,
        rounding: &Rounding,
        way: Way,
        input: *const i8,
        padding: *const i8,
        output: *mut i8,
        row: usize,
    );
}

/// A 3×3 kernel that slides along the row, in assembly.
struct Lines;

impl Loop for Lines {
    #[inline(always)]
    unsafe fn row(
        layer: &DepthwiseConv2d<'_>,
        rounding: &Rounding,
        _: Way,
        input: *const i8,
        padding: *const i8,
        output: *mut i8,
        row: usize,
    ) {
        let Some([narrow, wide]) = Cpu::DEPTHWISE_LINES else { return excluded() };
        let mut line = line(layer, rounding, input, padding, output, row);
        // SAFETY: the rows are those of the input or of padding, which has a row's pixels; the row lies in the
        // output; weights and channels are the layer's.
        unsafe { if layer.shape.columns().stride() == 1 { narrow(&mut line) } else { wide(&mut line) } }
    }
}

/// A 3×3 kernel, by blocks of pixels.
struct Blocks;

impl Loop for Blocks {
    const CLAMPS: bool = false;

    #[inline(always)]
    unsafe fn row(
        layer: &DepthwiseConv2d<'_>,
        rounding: &Rounding,
        way: Way,
        input: *const i8,
        padding: *const i8,
        output: *mut i8,
        row: usize,
    ) {
        let shape = &layer.shape;
        let mut position = 0;
        while position < shape.output().width {
            // SAFETY: the pixels lie in the row, the padding has a pixel's channels if there is any.
            position += unsafe {
                let at = output.add((row * shape.output().width + position) * shape.output().channels);
                block(layer, rounding, way, input, padding, at, row, position, shape.output().width - position)
            };
        }
    }
}

/// Any kernel, pixel by pixel.
struct Pixels;

impl Loop for Pixels {
    #[inline(always)]
    unsafe fn row(
        layer: &DepthwiseConv2d<'_>,
        rounding: &Rounding,
        way: Way,
        input: *const i8,
        padding: *const i8,
        output: *mut i8,
        row: usize,
    ) {
        let shape = &layer.shape;
        for position in 0..shape.output().width {
            // SAFETY: the pixel lies in the row, the padding has a pixel's channels if there is any.
            unsafe {
                let at = output.add((row * shape.output().width + position) * shape.output().channels);
                pixel(layer, rounding, way, input, padding, at, row, position);
            }
        }
    }
}

/// Runs the layer row by row.
///
/// # Safety
/// `input` and `output` are as long as the shape says and live as long as the call; the loop is one for the layer's kernel.
#[inline(never)]
unsafe fn run<L: Loop>(layer: &DepthwiseConv2d<'_>, input: *const i8, output: *mut i8, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let rounding = Rounding::new(&layer.output);
    let way = rounding.way(layer.layout);
    let Some(padding) = scratch.get_mut(..layer.scratch_words) else { return excluded() };
    let padding: &mut [i8] = bytemuck::must_cast_slice_mut(padding);
    padding.fill(layer.input_zero_point);
    let padding = padding.as_ptr();
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            // SAFETY: `image` is below the batch, and both tensors hold the batch's images one behind the other; the padding is what
            // packing found the shape to need.
            unsafe {
                let (input, output) =
                    (input.add(image * shape.input().len()), output.add(image * shape.output().len()));
                L::row(layer, &rounding, way, input, padding, output, row);
            }
        }
    }
    if !L::CLAMPS && way != Way::General {
        // SAFETY: the output is as long as the shape says, and every element of it has been written.
        unsafe { rounding.clamp_all(output, shape.output_len()) };
    }
}

/// A row of output pixels of a 3×3 kernel, for a loop over the channels with one over the pixels inside. The assembly knows
/// the order of the fields.
#[repr(C)]
pub(super) struct Line {
    /// The three rows of the input, or of padding, at the first column that is not padding.
    pub rows: [*const i8; 3],
    pub weights: *const i8,
    pub channels: *const Channel,
    pub output: *mut i8,
    /// From one pixel to the next, and how many channels there are.
    pub stride: usize,
    /// [`Rounding::offset`].
    pub offset: i32,
    pub minimum: i32,
    pub maximum: i32,
    /// Output pixels whose last column is not padding.
    pub pixels: usize,
    /// Columns of padding at the left and at the right: 0 or 1.
    pub left: usize,
    pub right: usize,
    pub zero_point: i32,
}

/// A row of output pixels of the images `input` and `output`; `padding` is a row of zero points.
#[inline(always)]
fn line(
    layer: &DepthwiseConv2d<'_>,
    rounding: &Rounding,
    input: *const i8,
    padding: *const i8,
    output: *mut i8,
    row: usize,
) -> Line {
    let shape = &layer.shape;
    let right = pack::padding_right(shape);
    let mut line = Line {
        rows: [padding; 3],
        weights: layer.words.as_ptr().cast(),
        channels: layer.channels.as_ptr(),
        output: output.wrapping_add(row * shape.output().row()),
        stride: shape.output().channels,
        offset: rounding.offset,
        minimum: layer.output.minimum,
        maximum: layer.output.maximum,
        pixels: shape.output().width - right,
        left: shape.columns().before(),
        right,
        zero_point: layer.input_zero_point.into(),
    };
    let mut y = (row * shape.rows().stride()).wrapping_sub(shape.rows().before());
    for row in &mut line.rows {
        if y < shape.input().height {
            *row = input.wrapping_add(y * shape.input().row());
        }
        y = y.wrapping_add(shape.rows().dilation());
    }
    line
}

/// Pointers to the taps of a block of output pixels, at channel 0, and what else the loop over the channels takes. The
/// assembly knows the order of the fields.
#[repr(C)]
pub(super) struct Block {
    /// Three rows of three to six taps, without gaps: the six columns of four neighbours, or three columns per pixel.
    pub taps: [*const i8; 18],
    pub channels: *const Channel,
    pub output: *mut i8,
    /// From one output pixel to the next.
    pub stride: usize,
    /// [`Rounding::offset`].
    pub offset: i32,
    /// The number of channels.
    pub count: usize,
    pub weights: *const i8,
}

/// Runs the 3×3 kernel for as many of the `left` pixels from `position` on as there is a body for, and says how many.
///
/// # Safety
/// `input` is the image, `output` the first pixel, `padding` a pixel of zero points where the shape is padded.
#[inline(always)]
unsafe fn block(
    layer: &DepthwiseConv2d<'_>,
    rounding: &Rounding,
    way: Way,
    input: *const i8,
    padding: *const i8,
    output: *mut i8,
    row: usize,
    position: usize,
    left: usize,
) -> usize {
    let shape = &layer.shape;
    let (rows, columns) = (&shape.rows(), &shape.columns());
    let neighbours = columns.stride() == 1 && columns.dilation() == 1;
    let (pixels, width) = match left {
        4.. if neighbours => (4, 6),
        // Few layers have the portable encoding: two loops are enough.
        _ if way == Way::General => (1, 3),
        2.. => (2, 6),
        _ => (1, 3),
    };
    let mut block = Block {
        taps: [padding; 18],
        channels: layer.channels.as_ptr(),
        output,
        stride: shape.output().channels,
        offset: rounding.offset,
        count: layer.channels.len(),
        weights: layer.words.as_ptr().cast(),
    };
    let x = (position * columns.stride()).wrapping_sub(columns.before());
    let second = x.wrapping_add(columns.stride());
    // The columns of the taps of a row, in the order of `Block::taps`.
    let starts = if pixels == 4 {
        [x, x.wrapping_add(1), x.wrapping_add(2), x.wrapping_add(3), x.wrapping_add(4), x.wrapping_add(5)]
    } else {
        let at = |x: usize, tap: usize| x.wrapping_add(tap * columns.dilation());
        [x, at(x, 1), at(x, 2), second, at(second, 1), at(second, 2)]
    };
    let mut y = (row * rows.stride()).wrapping_sub(rows.before());
    for taps in block.taps.chunks_exact_mut(width).take(3) {
        if y < shape.input().height {
            let line = input.wrapping_add(y * shape.input().width * shape.input().channels);
            for (tap, &x) in taps.iter_mut().zip(&starts) {
                if x < shape.input().width {
                    *tap = line.wrapping_add(x * shape.input().channels);
                }
            }
        }
        y = y.wrapping_add(rows.dilation());
    }
    // SAFETY: every tap points to a pixel of the input or of padding, the output to `pixels` pixels.
    unsafe {
        match (pixels, way) {
            (4, Way::General) => channels(&block, [0, 1, 2, 3], width, |sum, c| rounding.finish(way, sum, c)),
            (_, Way::General) => channels(&block, [0], width, |sum, c| rounding.finish(way, sum, c)),
            (4, _) => Cpu::depthwise_four(&mut block),
            (2, _) => Cpu::depthwise_two(&mut block),
            _ => Cpu::depthwise_one(&mut block),
        }
    }
    pixels
}

/// The loop over the channels in Rust: pixel p has the taps `first[p]`, … + 2 of each row of `width`.
///
/// # Safety
/// The block's pointers are good for its number of channels.
#[inline(always)]
pub(super) unsafe fn channels<const PIXELS: usize>(
    block: &Block,
    first: [usize; PIXELS],
    width: usize,
    finish: impl Fn(i32, &Channel) -> i8,
) {
    let mut weights = block.weights;
    for index in 0..block.count {
        let mut sums = [0; PIXELS];
        for row in 0..3 {
            for tap in 0..3 {
                // SAFETY: there are nine weights per channel, and each channel's pass reads nine.
                let weight = unsafe { i32::from(*weights) };
                weights = weights.wrapping_add(1);
                for (sum, first) in sums.iter_mut().zip(first) {
                    // SAFETY: `count` values can be read behind every tap.
                    let value = unsafe { i32::from(*block.taps[row * width + first + tap].add(index)) };
                    *sum += weight * value;
                }
            }
        }
        // SAFETY: `index` is below `count`, the number of channels that can be read and of every pixel's outputs.
        unsafe {
            let channel = &*block.channels.add(index);
            for (pixel, sum) in sums.into_iter().enumerate() {
                *block.output.add(pixel * block.stride + index) = finish(sum, channel);
            }
        }
    }
}

/// A pixel whose taps all lie inside of the image, for a loop over blocks of channels with one over the taps inside. The
/// assembly knows the order of the fields.
#[repr(C)]
pub(super) struct Pixel {
    /// The first tap, at channel 0.
    pub input: *const i8,
    pub weights: *const i8,
    pub channels: *const Channel,
    pub output: *mut i8,
    /// [`Rounding::offset`].
    pub offset: i32,
    pub minimum: i32,
    pub maximum: i32,
    /// The number of blocks of [`CHANNELS`].
    pub blocks: usize,
    /// The number of taps in each direction.
    pub rows: usize,
    pub columns: usize,
    /// From one row of taps to the next, and from one tap to the next.
    pub row_step: usize,
    pub column_step: usize,
    /// From one tap's weights to the next, and more from the last of a row to the next row.
    pub weight_step: usize,
    pub weight_row_step: usize,
}

/// Channels that are summed up at a time.
const CHANNELS: usize = 8;

/// One pixel of any kernel: every tap in turn for a few channels at a time, which are neighbours in memory.
///
/// # Safety
/// `input` is the image, `output` the pixel, `padding` a pixel of zero points where the shape is padded.
unsafe fn pixel(
    layer: &DepthwiseConv2d<'_>,
    rounding: &Rounding,
    way: Way,
    input: *const i8,
    padding: *const i8,
    output: *mut i8,
    row: usize,
    position: usize,
) {
    let shape = &layer.shape;
    let mut index = 0;
    let (first_row, last_row) = shape.rows().taps(row);
    let (first, last) = shape.columns().taps(position);
    let is_whole = (last_row - first_row) * (last - first) == shape.depth();
    let blocks = layer.channels.len() / CHANNELS;
    if let Some(depthwise_pixel) = Cpu::DEPTHWISE_PIXEL
        && way != Way::General
        && shape.multiplier() == 1
        && is_whole
        && blocks > 0
    {
        let (y, x) = (shape.rows().position(row, 0), shape.columns().position(position, 0));
        let mut pixel = Pixel {
            input: input.wrapping_add((y * shape.input().width + x) * shape.input().channels),
            weights: layer.words.as_ptr().cast(),
            channels: layer.channels.as_ptr(),
            output,
            offset: rounding.offset,
            minimum: layer.output.minimum,
            maximum: layer.output.maximum,
            blocks,
            rows: shape.rows().kernel(),
            columns: shape.columns().kernel(),
            row_step: shape.rows().dilation() * shape.input().row(),
            column_step: shape.columns().dilation() * shape.input().channels,
            weight_step: shape.output().channels,
            weight_row_step: 0,
        };
        // SAFETY: all taps lie inside of the image, and the layer has that many blocks of channels.
        unsafe { depthwise_pixel(&mut pixel) };
        index = blocks * CHANNELS;
    }
    let total = layer.channels.len();
    while index < total {
        // Where half of a block is left or more, it is computed as a whole one with channels before it, once more: one by one takes longer.
        if (CHANNELS / 2..CHANNELS).contains(&(total - index)) && total >= CHANNELS {
            index = total - CHANNELS;
        }
        let left = total - index;
        // SAFETY: the channels exist; those of a block see neighbouring inputs, or the same one. A row of the output never covers input
        // that the row needs, so that what is computed twice is the same.
        index += unsafe {
            if left >= CHANNELS && shape.multiplier() == 1 {
                taps::<CHANNELS, true>(layer, rounding, way, input, padding, output, row, position, index)
            } else if left >= CHANNELS {
                taps::<CHANNELS, false>(layer, rounding, way, input, padding, output, row, position, index)
            } else {
                taps::<1, false>(layer, rounding, way, input, padding, output, row, position, index)
            }
        };
    }
}

/// The outputs of `N` channels from `index` on, whose inputs are neighbours if `PLAIN`, else where the depth multiplier
/// says; gives `N`.
///
/// # Safety
/// `input` is the image, `output` the pixel, `padding` a pixel of zero points where the shape is padded; `index + N` is at most the
/// number of output channels.
#[inline(always)]
unsafe fn taps<const N: usize, const PLAIN: bool>(
    layer: &DepthwiseConv2d<'_>,
    rounding: &Rounding,
    way: Way,
    input: *const i8,
    padding: *const i8,
    output: *mut i8,
    row: usize,
    position: usize,
    index: usize,
) -> usize {
    let shape = &layer.shape;
    let (rows, columns, channels) = (&shape.rows(), &shape.columns(), shape.input().channels);
    let source = |index: usize| {
        if PLAIN || shape.multiplier() == 1 { index } else { index.checked_div(shape.multiplier()).unwrap_or(0) }
    };
    let first = source(index);
    let mut offsets = [0; N];
    for (at, offset) in offsets.iter_mut().enumerate() {
        *offset = source(index + at) - first;
    }
    let mut weights = layer.words.as_ptr().cast::<i8>().wrapping_add(index);
    let mut sums = [0_i32; N];
    let mut y = (row * rows.stride()).wrapping_sub(rows.before());
    for _ in 0..rows.kernel() {
        let mut x = (position * columns.stride()).wrapping_sub(columns.before());
        let line = input.wrapping_add(y.wrapping_mul(shape.input().width).wrapping_mul(channels).wrapping_add(first));
        for _ in 0..columns.kernel() {
            let inside = y < shape.input().height && x < shape.input().width;
            let from = if inside { line.wrapping_add(x * channels) } else { padding.wrapping_add(first) };
            for (at, (sum, &offset)) in sums.iter_mut().zip(&offsets).enumerate() {
                let offset = if PLAIN { at } else { offset };
                // SAFETY: the tap is a pixel of the input or of padding; every tap has a weight for each channel.
                let product = unsafe { i32::from(*from.add(offset)) * i32::from(*weights.add(at)) };
                *sum = sum.wrapping_add(product);
            }
            weights = weights.wrapping_add(shape.output().channels);
            x = x.wrapping_add(columns.dilation());
        }
        y = y.wrapping_add(rows.dilation());
    }
    let Some(channels) = layer.channels.get(index..index + N) else { return N + excluded::<usize>() };
    for (at, (sum, channel)) in sums.into_iter().zip(channels).enumerate() {
        let value = match way {
            Way::Short => Rounding::saturate(rounding.short(sum, channel)),
            Way::ShortClamped => rounding.clamp(rounding.short(sum, channel)),
            Way::General => rounding.clamp(rounding.general(sum, channel)),
        };
        // SAFETY: the pixel has an output per channel.
        unsafe { *output.add(index + at) = value };
    }
    N
}

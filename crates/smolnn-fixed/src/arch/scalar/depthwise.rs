//! Depthwise convolution. Kernels of 3×3 run over blocks of output pixels: where each tap of each pixel starts is worked
//! out once per block, padding included (a pixel of zero points), and serves all channels. Other kernels run tap by tap.

use super::{Rounding, Way, cpu};
use crate::Tensors;
use crate::arch::portable;
use crate::conv::DepthwiseConv2dLayer;
use crate::pack::{Channel, Layout};

pub(crate) fn depthwise_conv2d(layer: &DepthwiseConv2dLayer<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    if layer.layout.is(Layout::PORTABLE) {
        return portable::depthwise_conv2d(layer, tensors, scratch);
    }
    let (input, output) = tensors.pointers();
    // SAFETY: `Tensors::check` found the lengths of the shape behind both pointers, which come from one borrow.
    unsafe { run(layer, input, output, scratch) }
}

/// # Safety
/// `input` and `output` are as long as the shape says and live as long as the call.
#[inline(never)]
unsafe fn run(layer: &DepthwiseConv2dLayer<'_>, input: *const i8, output: *mut i8, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let rounding = Rounding::new(&layer.output);
    let way = rounding.way(layer.layout);
    let padding: &mut [i8] = bytemuck::must_cast_slice_mut(scratch);
    padding.fill(layer.input_zero_point);
    let padding = padding.as_ptr();
    let is_blocked = shape.rows.kernel == 3 && shape.columns.kernel == 3 && shape.multiplier == 1;
    for image in 0..shape.batch {
        // SAFETY: within the input and the output, image by image.
        let (input, output) = unsafe { (input.add(image * shape.input.len()), output.add(image * shape.output.len())) };
        for row in 0..shape.output.height {
            let mut position = 0;
            while position < shape.output.width {
                // SAFETY: the pixel lies in the row.
                let at = unsafe { output.add((row * shape.output.width + position) * shape.output.channels) };
                if is_blocked {
                    let left = shape.output.width - position;
                    // SAFETY: the pixels lie in the row, the padding has a pixel's channels if there is any.
                    position += unsafe { block(layer, &rounding, way, input, padding, at, row, position, left) };
                } else {
                    // SAFETY: as above.
                    unsafe { pixel(layer, &rounding, way, input, at, row, position) };
                    position += 1;
                }
            }
        }
    }
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
    /// Channels.
    pub count: usize,
    pub weights: *const i8,
}

/// Runs the 3×3 kernel for as many of the `left` pixels from `position` on as there is a body for, and says how many.
///
/// # Safety
/// `input` is the image, `output` the first pixel, `padding` a pixel of zero points where the shape is padded.
#[inline(always)]
unsafe fn block(
    layer: &DepthwiseConv2dLayer<'_>,
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
    let (rows, columns) = (&shape.rows, &shape.columns);
    let neighbours = columns.stride == 1 && columns.dilation == 1;
    let (pixels, width) = match left {
        4.. if neighbours => (4, 6),
        2.. => (2, 6),
        _ => (1, 3),
    };
    let mut block = Block {
        taps: [padding; 18],
        channels: layer.channels.as_ptr(),
        output,
        stride: shape.output.channels,
        offset: rounding.offset,
        count: layer.channels.len(),
        weights: layer.words.as_ptr().cast(),
    };
    let x = (position * columns.stride).wrapping_sub(columns.before);
    let second = x.wrapping_add(columns.stride);
    // Steps from each tap to the next of its row.
    let starts = if pixels == 4 {
        [x, x.wrapping_add(1), x.wrapping_add(2), x.wrapping_add(3), x.wrapping_add(4), x.wrapping_add(5)]
    } else {
        let at = |x: usize, tap: usize| x.wrapping_add(tap * columns.dilation);
        [x, at(x, 1), at(x, 2), second, at(second, 1), at(second, 2)]
    };
    let mut y = (row * rows.stride).wrapping_sub(rows.before);
    for taps in block.taps.chunks_exact_mut(width).take(3) {
        if y < shape.input.height {
            let line = input.wrapping_add(y * shape.input.width * shape.input.channels);
            for (tap, &x) in taps.iter_mut().zip(&starts) {
                if x < shape.input.width {
                    *tap = line.wrapping_add(x * shape.input.channels);
                }
            }
        }
        y = y.wrapping_add(rows.dilation);
    }
    // SAFETY: every tap points to a pixel of the input or of padding, the output to `pixels` pixels.
    unsafe {
        match (pixels, way) {
            (4, Way::Short) => cpu::depthwise_four(&mut block),
            (2, Way::Short) => cpu::depthwise_two(&mut block),
            (_, Way::Short) => cpu::depthwise_one(&mut block),
            (4, _) => channels::<4>(&block, [0, 1, 2, 3], width, |sum, c| rounding.finish(way, sum, c)),
            (2, _) => channels::<2>(&block, [0, 3], width, |sum, c| rounding.finish(way, sum, c)),
            _ => channels::<1>(&block, [0], width, |sum, c| rounding.finish(way, sum, c)),
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
                // SAFETY: nine weights per channel, `count` values behind every tap.
                let weight = unsafe { i32::from(*weights) };
                weights = weights.wrapping_add(1);
                for (sum, first) in sums.iter_mut().zip(first) {
                    // SAFETY: as above.
                    *sum += weight * unsafe { i32::from(*block.taps[row * width + first + tap].add(index)) };
                }
            }
        }
        // SAFETY: `count` channels; the output's pixels have as many.
        unsafe {
            let channel = &*block.channels.add(index);
            for (pixel, sum) in sums.into_iter().enumerate() {
                *block.output.add(pixel * block.stride + index) = finish(sum, channel);
            }
        }
    }
}

/// One pixel of any kernel.
///
/// # Safety
/// `input` is the image, `output` the pixel.
unsafe fn pixel(
    layer: &DepthwiseConv2dLayer<'_>,
    rounding: &Rounding,
    way: Way,
    input: *const i8,
    output: *mut i8,
    row: usize,
    position: usize,
) {
    let shape = &layer.shape;
    let (rows, columns, channels) = (&shape.rows, &shape.columns, shape.input.channels);
    let (first_row, last_row) = rows.taps(row);
    let (first, last) = columns.taps(position);
    let is_whole = (last_row - first_row) * (last - first) == shape.depth();
    // Taps along the rows and along the columns, the longer run inside.
    let down = (last_row - first_row, rows.dilation * shape.input.width * channels, columns.kernel);
    let across = (last - first, columns.dilation * channels, 1);
    let (outer, inner) = if down.0 > across.0 { (across, down) } else { (down, across) };
    let start = rows
        .position(row, first_row)
        .wrapping_mul(shape.input.width)
        .wrapping_add(columns.position(position, first))
        .wrapping_mul(channels);
    let mut start = input.wrapping_add(start);
    let first_weight = first_row * columns.kernel + first;
    let weights: &[i8] = bytemuck::must_cast_slice(layer.words);
    let mut uses = 0;
    for ((index, channel), weights) in layer.channels.iter().enumerate().zip(weights.chunks_exact(shape.depth().max(1)))
    {
        let mut sum = 0;
        for line in 0..outer.0 {
            let mut from = start.wrapping_add(line * outer.1);
            let mut weight = weights.as_ptr().wrapping_add(first_weight + line * outer.2);
            for _ in 0..inner.0 {
                // SAFETY: these taps lie inside of the image, their weights among the channel's.
                sum += unsafe { i32::from(*from) * i32::from(*weight) };
                from = from.wrapping_add(inner.1);
                weight = weight.wrapping_add(inner.2);
            }
        }
        if !is_whole {
            for (tap_row, weights) in weights.chunks_exact(columns.kernel.max(1)).enumerate() {
                let row_inside = (first_row..last_row).contains(&tap_row);
                for (tap, &weight) in weights.iter().enumerate() {
                    if !(row_inside && (first..last).contains(&tap)) {
                        sum += i32::from(layer.input_zero_point) * i32::from(weight);
                    }
                }
            }
        }
        // SAFETY: the pixel has an output per channel.
        unsafe { *output.add(index) = rounding.finish(way, sum, channel) };
        uses += 1;
        if uses == shape.multiplier {
            uses = 0;
            start = start.wrapping_add(1);
        }
    }
}

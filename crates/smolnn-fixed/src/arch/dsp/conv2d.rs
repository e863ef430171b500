//! Convolution: the patches of three pixels are widened into columns, which serve all output channels.
//!
//! Pixels are taken three at a time in the order of the output, across its rows: a row may be written as soon as the
//! pixels before it are done, so that overlapping tensors stay legal. What is left over is computed twice.

use smolnn_core::Conv2d;

use super::tile::{tile, widen_one, widen_three};
use crate::Tensors;
use crate::conv::Conv2dLayer;
use crate::pack::dsp;
use crate::quantise::OutputRange;

pub(crate) fn conv2d(layer: &Conv2dLayer<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    if layer.layout.is(dsp::PAIRS) {
        let (input, output) = tensors.pointers();
        // SAFETY: the layer checked its words, its caller the tensors and the scratch memory.
        unsafe {
            pairs(
                &layer.shape,
                layer.words,
                layer.input_zero_point,
                &layer.output,
                input,
                output,
                scratch.as_mut_ptr(),
            );
        }
    } else if layer.layout.is(dsp::EIGHTS) {
        let shape = &layer.shape;
        let (input, output) = tensors.pointers();
        // SAFETY: as above; the image is one pixel.
        unsafe {
            super::dense::vector(
                layer.words,
                shape.input.channels,
                shape.output.channels,
                input,
                output,
                scratch.as_mut_ptr(),
            );
            super::clamp(output, shape.output.channels, &layer.output);
        }
    } else {
        super::super::portable::conv2d(layer, tensors, scratch);
    }
}

/// Where an output pixel lies.
#[derive(Clone, Copy)]
struct Pixel {
    image: *const i8,
    row: usize,
    column: usize,
}

impl Pixel {
    fn next(self, shape: &Conv2d) -> Self {
        let Self { mut image, mut row, mut column } = self;
        column += 1;
        if column == shape.output.width {
            column = 0;
            row += 1;
            if row == shape.output.height {
                row = 0;
                image = image.wrapping_add(shape.input.len());
            }
        }
        Self { image, row, column }
    }
}

/// # Safety
/// The words have the layout of pairs; input, output and scratch memory have the lengths that the shape says.
#[inline(never)]
pub(super) unsafe fn pairs(
    shape: &Conv2d,
    words: &[u32],
    input_zero_point: i8,
    range: &OutputRange,
    input: *const i8,
    output: *mut i8,
    scratch: *mut u32,
) {
    let channels = shape.output.channels;
    let groups = shape.depth().div_ceil(4);
    let staged = dsp::is_staged(shape);
    let pointwise = shape.is_pointwise() && !staged;
    let staging = scratch.wrapping_add(6 * groups).cast::<i8>();
    let mut pixel = Pixel { image: input, row: 0, column: 0 };
    let mut source = input;
    let mut output_pixel = output;
    let mut left = shape.batch * shape.output.height * shape.output.width;
    while left > 0 {
        let count = left.min(3);
        // SAFETY: all pointers stay within the slices that the caller vouches for.
        unsafe {
            if pointwise {
                let second = if count > 1 { source.add(shape.input.channels) } else { source };
                let third = if count > 2 { second.add(shape.input.channels) } else { source };
                widen_three([source, second, third], scratch, groups);
                source = third.add(shape.input.channels);
            } else {
                for index in 0..count {
                    if staged {
                        let column = staging.add(4 * groups * index);
                        stage(shape, input_zero_point, pixel, column);
                        widen_one(column, scratch.add(index), groups);
                    } else {
                        gather(shape, input_zero_point, pixel, scratch.add(index));
                    }
                    pixel = pixel.next(shape);
                }
            }
            let stride = if count > 1 { channels } else { 0 };
            let last = if count > 2 { 2 * channels } else { 0 };
            // Columns of pixels that are not there hold what they held: their outputs are overwritten by the first pixel's,
            // which is stored last.
            let mut words = words.as_ptr();
            if channels > 1 {
                words = tile(words, scratch, groups, output_pixel, stride, last, channels / 2);
            }
            if channels % 2 == 1 {
                let mut rest = [0_i8; 6];
                tile(words, scratch, groups, rest.as_mut_ptr(), 2, 4, 1);
                let place = output_pixel.add(channels - 1);
                for index in 0..count {
                    *place.add(index * channels) = rest[2 * index];
                }
            }
            output_pixel = output_pixel.add(count * channels);
        }
        left -= count;
    }
    // SAFETY: the output is as long as its shape says.
    unsafe { super::clamp(output, shape.output_len(), range) };
}

/// Widens the patch of a pixel whose channels are a multiple of four.
unsafe fn gather(shape: &Conv2d, input_zero_point: i8, pixel: Pixel, mut column: *mut u32) {
    let channels = shape.input.channels;
    let padding = u32::from(i16::from(input_zero_point) as u16) * 0x0001_0001;
    let (first_row, last_row) = shape.rows.taps(pixel.row);
    let (first, last) = shape.columns.taps(pixel.column);
    let fill = |mut column: *mut u32, taps: usize| {
        for _ in 0..taps * channels / 2 {
            // SAFETY: within the columns, as the caller vouches.
            unsafe { *column = padding };
            column = column.wrapping_add(3);
        }
        column
    };
    for tap_row in 0..shape.rows.kernel {
        if tap_row < first_row || tap_row >= last_row {
            column = fill(column, shape.columns.kernel);
            continue;
        }
        let y = shape.rows.position(pixel.row, tap_row);
        let row = pixel.image.wrapping_add(y * shape.input.row());
        column = fill(column, first);
        let source = row.wrapping_add(shape.columns.position(pixel.column, first).wrapping_mul(channels));
        // SAFETY: taps first..last lie in the row.
        unsafe {
            if last > first {
                if shape.columns.dilation == 1 {
                    column = widen_one(source, column, (last - first) * channels / 4);
                } else {
                    for tap in 0..last - first {
                        let source = source.add(tap * shape.columns.dilation * channels);
                        column = widen_one(source, column, channels / 4);
                    }
                }
            }
        }
        column = fill(column, shape.columns.kernel - last);
    }
}

/// Copies the patch of a pixel as bytes.
unsafe fn stage(shape: &Conv2d, input_zero_point: i8, pixel: Pixel, mut column: *mut i8) {
    let channels = shape.input.channels;
    let (first_row, last_row) = shape.rows.taps(pixel.row);
    let (first, last) = shape.columns.taps(pixel.column);
    let fill = |column: *mut i8, taps: usize| {
        for index in 0..taps * channels {
            // SAFETY: within the staging memory.
            unsafe { *column.wrapping_add(index) = input_zero_point };
        }
        column.wrapping_add(taps * channels)
    };
    for tap_row in 0..shape.rows.kernel {
        if tap_row < first_row || tap_row >= last_row {
            column = fill(column, shape.columns.kernel);
            continue;
        }
        let y = shape.rows.position(pixel.row, tap_row);
        let row = pixel.image.wrapping_add(y * shape.input.row());
        column = fill(column, first);
        let source = row.wrapping_add(shape.columns.position(pixel.column, first).wrapping_mul(channels));
        // SAFETY: taps first..last lie in the row.
        unsafe {
            if shape.columns.dilation == 1 {
                column = super::copy(source, column, (last - first) * channels);
            } else {
                for tap in 0..last - first {
                    column = super::copy(source.add(tap * shape.columns.dilation * channels), column, channels);
                }
            }
        }
        column = fill(column, shape.columns.kernel - last);
    }
}

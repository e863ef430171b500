//! Convolution: patches are gathered into columns, a few at a time; a pointwise convolution reads its pixels in place.

use super::copy::{copy_rows, fill};
use super::matrix::{Columns, multiply};
use super::pack::{self, Chunks};
use crate::Tensors;
use crate::conv::Conv2d;

pub(super) fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let (input, output) = tensors.pointers();
    let (depth, channels) = (shape.depth(), shape.output().channels);
    let filled = Chunks::of(depth).depth();
    let multiply = |columns: &Columns, pixel: usize| {
        let result = output.wrapping_add(pixel * channels);
        // SAFETY: the layer checked words and scratch memory, its caller the tensors; the columns below can be read up to the
        // filled-up depth, and the result has room for their pixels.
        unsafe { multiply(columns, depth, layer.words, channels, &layer.output, result) }
    };
    if shape.is_pointwise() {
        // The last pixels may not be read in place, since their chunks would end behind the input.
        let pixels = shape.batch() * shape.output().height * shape.output().width;
        let beyond = (filled - depth).div_ceil(depth.max(1)).min(pixels);
        let columns = Columns { first: input, stride: depth, count: pixels - beyond };
        multiply(&columns, 0);
        let column = scratch.as_mut_ptr().cast::<i8>();
        for pixel in pixels - beyond..pixels {
            // SAFETY: the scratch memory holds a column, and the pixel lies in the input.
            unsafe { copy_rows(column, input.wrapping_add(pixel * depth), depth, 1, 0, 0) };
            multiply(&Columns { first: column, stride: 0, count: 1 }, pixel);
        }
        return;
    }
    let most = pack::columns(shape);
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let mut position = 0;
            while position < shape.output().width {
                let count = most.min(shape.output().width - position);
                let first = scratch.as_mut_ptr().cast::<i8>();
                for index in 0..count {
                    // SAFETY: the scratch memory holds `most` columns, and the input is as long as the shape says.
                    unsafe { gather(layer, input, image, row, position + index, first.wrapping_add(index * filled)) };
                }
                let pixel = (image * shape.output().height + row) * shape.output().width + position;
                multiply(&Columns { first, stride: filled, count }, pixel);
                position += count;
            }
        }
    }
}

/// Copies the patch that an output pixel sees, padding as the zero point. What fills the column up stays as it is: the
/// weights there are zero.
///
/// # Safety
/// `input` has the shape's length, `column` room for the depth.
unsafe fn gather(layer: &Conv2d<'_>, input: *const i8, image: usize, row: usize, position: usize, column: *mut i8) {
    let shape = &layer.shape;
    let channels = shape.input().channels;
    let (top, bottom) = shape.rows().taps(row);
    let (left, right) = shape.columns().taps(position);
    let whole = bottom - top == shape.rows().kernel() && right - left == shape.columns().kernel();
    // SAFETY: the window gives taps inside of the kernel, whose positions lie in the input; the column has room for every tap.
    unsafe {
        if !whole {
            fill(column, i32::from(layer.input_zero_point), shape.depth());
            if bottom == top || right == left {
                return;
            }
        }
        let y = image * shape.input().height + shape.rows().position(row, top);
        let x = shape.columns().position(position, left);
        let from = input.wrapping_add((y * shape.input().width + x) * channels);
        let to = column.wrapping_add((top * shape.columns().kernel() + left) * channels);
        let to_row = shape.columns().kernel() * channels;
        let from_row = shape.rows().dilation() * shape.input().width * channels;
        if shape.columns().dilation() == 1 {
            copy_rows(to, from, (right - left) * channels, bottom - top, to_row, from_row);
        } else {
            for tap in 0..bottom - top {
                let (to, from) = (to.wrapping_add(tap * to_row), from.wrapping_add(tap * from_row));
                copy_rows(to, from, channels, right - left, channels, shape.columns().dilation() * channels);
            }
        }
    }
}

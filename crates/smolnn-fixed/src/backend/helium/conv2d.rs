//! Convolution: patches are gathered into columns, a few at a time; a pointwise convolution reads its pixels in place.

use smolnn_core::Window;

use super::copy::{Patches, copy, copy_patches, fill};
use super::matrix::{Columns, Kernels, Matrix};
use super::pack;
use crate::Tensors;
use crate::conv::Conv2d;

#[inline(always)]
pub(super) fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let (input, output) = tensors.pointers();
    // SAFETY: the pointers are those of tensors that the caller checked.
    unsafe { run(layer, Kernels::of(layer.shape.depth(), layer.shape.output().channels), input, output, scratch) }
}

/// The convolution, once in a program, wherever its tensors lie.
///
/// # Safety
/// Input, output and scratch have the lengths that the layer says, and overlap where it allows; the kernels are the layer's.
#[inline(never)]
unsafe fn run(layer: &Conv2d<'_>, kernels: &'static Kernels, input: *const i8, output: *mut i8, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let (depth, channels) = (shape.depth(), shape.output().channels);
    let filled = kernels.filled(depth);
    let mut matrix = Matrix::new(kernels, depth, layer.words, channels, &layer.output);
    let mut multiply = |columns: Columns, pixel: usize| {
        let result = output.wrapping_add(pixel * channels);
        // SAFETY: the layer checked words and scratch memory, its caller the tensors; the columns below can be read up to the
        // filled-up depth, and the result has room for their pixels.
        unsafe { matrix.multiply(&columns, result) }
    };
    let column = scratch.as_mut_ptr().cast::<i8>();
    if shape.is_pointwise() {
        // The last pixels may not be read in place, since their chunks would end behind the input.
        let pixels = shape.batch() * shape.output().height * shape.output().width;
        let beyond = (filled - depth).div_ceil(depth.max(1)).min(pixels);
        multiply(Columns { first: input, stride: depth, count: pixels - beyond }, 0);
        for pixel in pixels - beyond..pixels {
            // SAFETY: the scratch memory holds a column, and the pixel lies in the input.
            unsafe { copy(column, input.wrapping_add(pixel * depth), depth) };
            multiply(Columns { first: column, stride: 0, count: 1 }, pixel);
        }
        return;
    }
    let (rows, columns) = (shape.rows(), shape.columns());
    let (width, end) = (shape.output().width, shape.batch() * shape.input().len());
    // Pixels whose windows have all their columns in the image.
    let (inner, inner_end) = inner(&columns);
    let is_one_row = rows.kernel() == 1 && columns.dilation() == 1;
    let step = columns.stride() * shape.input().channels;
    let most = pack::columns(filled, width);
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let first_pixel = (image * shape.output().height + row) * width;
            let row_taps = Taps::of_row(layer, filled, input, image, row);
            let mut position = 0;
            while position < width {
                let is_inner = inner <= position && position < inner_end;
                if is_inner && is_one_row && row_taps.rows == 1 {
                    // Patches of one row are columns as they lie in the input, where what fills them up does not end behind it.
                    let first = row_taps.first.wrapping_add(position * step);
                    let from = first as usize - input as usize;
                    let mut count = inner_end - position;
                    while count > 0 && from + (count - 1) * step + filled > end {
                        count -= 1;
                    }
                    if count > 0 {
                        multiply(Columns { first, stride: step, count }, first_pixel + position);
                        position += count;
                        continue;
                    }
                }
                let count = most.min(width - position);
                let mut gathered = 0;
                while gathered < count {
                    let at = position + gathered;
                    let (run, taken) = if inner <= at && at < inner_end {
                        ((count - gathered).min(inner_end - at), (0, columns.kernel()))
                    } else {
                        (1, taps(&columns, at))
                    };
                    // SAFETY: the scratch memory holds `most` columns, the input is as long as the shape says, and where there is
                    // more than one pixel their windows have all columns.
                    unsafe { row_taps.gather(layer, at, taken, run, column.wrapping_add(gathered * filled)) };
                    gathered += run;
                }
                multiply(Columns { first: column, stride: filled, count }, first_pixel + position);
                position += count;
            }
        }
    }
}

/// [`Window::taps`], once in a program.
#[inline(never)]
pub(super) fn taps(window: &Window, output: usize) -> (usize, usize) {
    window.taps(output)
}

/// The first and one past the last output whose window lies in the input.
#[inline(never)]
pub(super) fn inner(window: &Window) -> (usize, usize) {
    let [first, last] = [0, window.kernel() - 1].map(|tap| window.outputs(tap));
    (first.0, first.1.min(last.1))
}

/// What the patches of a row of outputs have in common.
struct Taps {
    /// Where the first tap of the row's first output would lie, if its column were in the image.
    first: *const i8,
    /// Rows of taps in the image, and rows of padding above them.
    rows: usize,
    above: usize,
    /// Bytes from a row of taps to the next.
    row_step: usize,
    /// Bytes of a column, filled up.
    filled: usize,
}

impl Taps {
    fn of_row(layer: &Conv2d<'_>, filled: usize, input: *const i8, image: usize, row: usize) -> Self {
        let shape = &layer.shape;
        let (above, bottom) = taps(&shape.rows(), row);
        // A row that sees only padding has no position; nothing is read for it.
        let y = (image * shape.input().height).wrapping_add(shape.rows().position(row, above));
        let start = y.wrapping_mul(shape.input().row());
        let before = shape.columns().before() * shape.input().channels;
        Self {
            first: input.wrapping_add(start).wrapping_sub(before),
            rows: bottom - above,
            above,
            row_step: shape.rows().dilation() * shape.input().row(),
            filled,
        }
    }

    /// Copies the patches that `pixels` outputs from `position` on see, padding as the zero point. What fills the columns up stays
    /// as it is: the weights there are zero.
    ///
    /// # Safety
    /// `column` has room for so many columns; `left..right` are the columns of taps in the image, for all of the pixels.
    unsafe fn gather(
        &self,
        layer: &Conv2d<'_>,
        position: usize,
        (left, right): (usize, usize),
        pixels: usize,
        column: *mut i8,
    ) {
        let shape = &layer.shape;
        let channels = shape.input().channels;
        let (kernel, dilation) = (shape.columns().kernel(), shape.columns().dilation());
        // SAFETY: the window gives taps inside of the kernel, whose positions lie in the input; the columns have room for every tap.
        unsafe {
            if self.rows != shape.rows().kernel() || right - left != kernel {
                fill(column, i32::from(layer.input_zero_point), (pixels - 1) * self.filled + shape.depth());
                if self.rows == 0 || right == left {
                    return;
                }
            }
            let from = self.first.wrapping_add((position * shape.columns().stride() + left * dilation) * channels);
            let to = column.wrapping_add((self.above * kernel + left) * channels);
            let mut patches = Patches {
                bytes: (right - left) * channels,
                rows: self.rows,
                to_row: kernel * channels,
                from_row: self.row_step,
                count: pixels,
                to_patch: self.filled,
                from_patch: shape.columns().stride() * channels,
            };
            if dilation == 1 {
                copy_patches(to, from, &patches);
            } else {
                // Taps lie apart: each row of a patch is copied tap by tap.
                let to_row = patches.to_row;
                patches.bytes = channels;
                patches.rows = right - left;
                patches.to_row = channels;
                patches.from_row = dilation * channels;
                for tap in 0..self.rows {
                    copy_patches(to.wrapping_add(tap * to_row), from.wrapping_add(tap * self.row_step), &patches);
                }
            }
        }
    }
}

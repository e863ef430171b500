//! im2col: the patches that output pixels see, copied side by side, so that a convolution is one matrix product.
//!
//! - Layout: one row per output pixel, `[row][column][input channel]` of the kernel as in a filter; padding is 0.
//! - `conv2d` does not need it; it pays where a matrix product runs elsewhere, and it is the definition of the
//!   convolution as an affine map (textbook row 5.4): y = W·im2col(x), ∂L/∂x = col2im(δ·W).
//! - Scratch is the caller's: [`scratch_len`] elements hold the patches of one output row.
//! - Held by: bit-identity with `conv2d` and the adjoint identity (tests/host/gradient/layers.rs), textbook row 5.4.

use smolnn_core::{Conv2dShape, ShapeError};

use super::conv2d::check;
use crate::Number;
use crate::dense::rows_forward;
use crate::slices::{part, part_mut, quotient, vectors_mut};

/// Elements of the patches of one row of output pixels: output width × depth.
pub const fn scratch_len(shape: &Conv2dShape) -> usize {
    shape.output().width * patch_len(shape)
}

/// Elements of one patch, all channels of the input: kernel rows × kernel columns × input channels.
pub const fn patch_len(shape: &Conv2dShape) -> usize {
    shape.rows().kernel() * shape.columns().kernel() * shape.input().channels
}

/// Copies the patches of output row `row` (of all images, `image · height + y`) to `patches`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says, [`ShapeError::Range`] when there is no such row.
pub fn im2col<T: Number>(shape: &Conv2dShape, row: usize, input: &[T], patches: &mut [T]) -> Result<(), ShapeError> {
    check_row(shape, row, input.len(), patches.len())?;
    patches.fill(T::default());
    for_each_pixel(shape, row, |patch, pixel, channels| {
        for (to, &from) in part_mut(patches, patch, channels).iter_mut().zip(part(input, pixel, channels)) {
            *to = from;
        }
    });
    Ok(())
}

/// Adds patches of output row `row` back to the input pixels they came from: the adjoint of [`im2col`].
///
/// # Errors
/// The errors are those of [`im2col`].
pub fn col2im<T: Number>(shape: &Conv2dShape, row: usize, patches: &[T], input: &mut [T]) -> Result<(), ShapeError> {
    check_row(shape, row, input.len(), patches.len())?;
    for_each_pixel(shape, row, |patch, pixel, channels| {
        for (to, &from) in part_mut(input, pixel, channels).iter_mut().zip(part(patches, patch, channels)) {
            *to += from;
        }
    });
    Ok(())
}

/// The convolution as a matrix product over patches, one output row at a time; `scratch` has [`scratch_len`] elements.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says, [`ShapeError::Range`] when there are groups.
pub fn forward<T: Number>(
    shape: &Conv2dShape,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &mut [T],
    scratch: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, weights, bias, input, output)?;
    if shape.groups() != 1 {
        return Err(ShapeError::Range("im2col takes no groups"));
    }
    for (row, output) in vectors_mut(output, shape.output().row()).enumerate() {
        im2col(shape, row, input, scratch)?;
        rows_forward(patch_len(shape), shape.output().channels, weights, bias, scratch, output);
    }
    Ok(())
}

fn check_row(shape: &Conv2dShape, row: usize, input: usize, patches: usize) -> Result<(), ShapeError> {
    if row >= shape.batch() * shape.output().height {
        return Err(ShapeError::Range("there is no such output row"));
    }
    ShapeError::check_length("the input", shape.input_len(), input)?;
    ShapeError::check_length("the patches", scratch_len(shape), patches)
}

/// Calls `visit(offset in the patches, offset in the input, channels)` for all that the row's patches see.
#[inline]
fn for_each_pixel(shape: &Conv2dShape, row: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let channels = shape.input().channels;
    let image = quotient(row, shape.output().height);
    let y = row - image * shape.output().height;
    let (top, bottom) = shape.rows().taps(y);
    for x in 0..shape.output().width {
        let (left, right) = shape.columns().taps(x);
        for u in top..bottom {
            let start = (image * shape.input().height + shape.rows().position(y, u)) * shape.input().row();
            for v in left..right {
                let patch = x * patch_len(shape) + (u * shape.columns().kernel() + v) * channels;
                visit(patch, start + shape.columns().position(x, v) * channels, channels);
            }
        }
    }
}

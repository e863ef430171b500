//! Global average pooling: one mean per channel of an image.
//!
//! - Layout: x NHWC, y `[batch][channels]`.
//! - Forward: `y[c] = Σ_{i, j} x[i, j, c] / (height·width)`. Backward: `∂L/∂x[i, j, c] += δ[c] / (height·width)`.
//! - Held by: `global_avgpool` golden (tests/host/golden/float.rs), differences (tests/host/gradient/layers.rs).

use smolnn_core::{Image, ShapeError};

use crate::Real;
use crate::slices::{quotient, vectors, vectors_mut};

/// y = mean over the pixels of each image; the number of images is `input`'s length over the image's.
///
/// # Errors
/// [`ShapeError::Length`] when the slices do not hold the same number of whole images.
pub fn average<T: Real>(image: &Image, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    check(image, input, output)?;
    let scale = scale::<T>(image);
    output.fill(T::ZERO);
    for (x, y) in vectors(input, image.len()).zip(vectors_mut(output, image.channels)) {
        T::rows_sum(x, y);
        for y in y {
            *y *= scale;
        }
    }
    Ok(())
}

/// Adds ∂L/∂x to `d_input`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// The errors are those of [`average`].
pub fn average_backward<T: Real>(image: &Image, d_output: &[T], d_input: &mut [T]) -> Result<(), ShapeError> {
    check(image, d_input, d_output)?;
    let scale = scale::<T>(image);
    for (dx, g) in vectors_mut(d_input, image.len()).zip(vectors(d_output, image.channels)) {
        for pixel in vectors_mut(dx, image.channels) {
            for (dx, &g) in pixel.iter_mut().zip(g) {
                *dx += g * scale;
            }
        }
    }
    Ok(())
}

fn scale<T: Real>(image: &Image) -> T {
    T::ONE / T::from_usize((image.height * image.width).max(1))
}

fn check<T>(image: &Image, input: &[T], output: &[T]) -> Result<(), ShapeError> {
    if image.is_empty() {
        return Err(ShapeError::Zero("a dimension of the image"));
    }
    let images = quotient(input.len(), image.len());
    ShapeError::check_length("the input", images * image.len(), input.len())?;
    ShapeError::check_length("the output", images * image.channels, output.len())
}

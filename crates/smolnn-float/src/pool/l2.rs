//! Pooling by the root of the mean of squares, for inference (L2_POOL_2D).
//!
//! - Layout: NHWC.
//! - `y[o] = √(Σ window² / n)`, n the taps that see input. A window of nothing but padding gives 0.
//! - Error: a sum of n squares in f32 is within n·2⁻²⁴ of the real one, relative.
//! - Held by: random shapes against naive loops in f64 (tests/host/registry/float_inference.rs).

use smolnn_core::{Pool2dShape, ShapeError};

use super::{check, for_each_window};
use crate::Real;
use crate::slices::{part, part_mut};

/// y = root of the mean of the squares of each window.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward<T: Real>(shape: &Pool2dShape, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    check(shape, input, output)?;
    let channels = shape.output().channels;
    for_each_window(shape, |seen| {
        let y = part_mut(output, seen.output, channels);
        y.fill(T::ZERO);
        seen.for_each_tap(|_, pixel| {
            for (y, &x) in y.iter_mut().zip(part(input, pixel, channels)) {
                *y += x * x;
            }
        });
        let taps = T::from_usize(seen.taps().max(1));
        for y in y {
            *y = (*y / taps).sqrt();
        }
    });
    Ok(())
}

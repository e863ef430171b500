//! Division of each row by its Euclidean norm, for inference: y = x / max(√Σx², 10⁻⁶), as TensorFlow Lite has it.
//!
//! - Layout: `[rows][channels]`.
//! - Error: within (n/2 + 3)·2⁻²⁴ of the real one, relative, for rows of n.
//! - Held by: random rows against naive loops in f64 (tests/host/registry/float_inference.rs).

use smolnn_core::ShapeError;

use crate::slices::{vectors, vectors_mut};
use crate::{Real, Rows};

/// y = x / max(√Σx², 10⁻⁶), row by row.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn l2_norm<T: Real>(shape: &Rows, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", shape.elements(), input.len())?;
    ShapeError::check_length("the output", shape.elements(), output.len())?;
    for (x, y) in vectors(input, shape.channels).zip(vectors_mut(output, shape.channels)) {
        let squares = x.iter().fold(T::ZERO, |sum, &x| sum + x * x);
        let norm = squares.sqrt().max(T::from_f64(1e-6));
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x / norm;
        }
    }
    Ok(())
}

//! The index of the greatest element.
//!
//! - The first of equal ones; a NaN wins over numbers, the first NaN over later ones (as max pooling).
//! - There is no backward pass: argmax is piecewise constant, its derivative 0 or undefined. To train through a choice use
//!   softmax(z/τ), whose limit for τ → 0 it is.
//! - Held by: textbook row 5.5 (tests/host/gradient/activations.rs).

use smolnn_core::ShapeError;

use crate::slices::excluded;
use crate::{Real, Rows};

/// The index of the greatest element; `None` of nothing. Exact: infinities compare as such, −0 equals 0, the first NaN wins.
/// [Cost](crate::act#errors-special-values-and-cost).
pub fn argmax<T: Real>(values: &[T]) -> Option<usize> {
    let (&first, rest) = values.split_first()?;
    let (mut at, mut most) = (0, first);
    for (i, &value) in rest.iter().enumerate() {
        if value > most || value.is_nan() && !most.is_nan() {
            (at, most) = (i + 1, value);
        }
    }
    Some(at)
}

/// [`argmax`] of each row.
///
/// # Errors
/// [`ShapeError::Length`] when the input is not as long as the shape says, or the output not as long as there are rows.
pub fn argmax_rows<T: Real>(shape: &Rows, input: &[T], output: &mut [usize]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", shape.elements(), input.len())?;
    ShapeError::check_length("the output", shape.rows, output.len())?;
    for (row, index) in input.chunks_exact(shape.channels.max(1)).zip(output) {
        *index = argmax(row).unwrap_or_else(excluded);
    }
    Ok(())
}

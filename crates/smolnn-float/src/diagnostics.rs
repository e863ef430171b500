//! What tells that training goes wrong: dead units, gradients of one sign. Norms per layer are
//! [`Parameter::gradient_norm`](crate::Parameter::gradient_norm).
//!
//! Held by: textbook rows 4.1 and 4.3.

use smolnn_core::ShapeError;

use crate::{Real, Rows};

/// Marks the units whose output was above 0 for some row; `active` has one flag per channel and starts as all false.
/// Batch after batch adds to it.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn mark_active<T: Real>(shape: &Rows, outputs: &[T], active: &mut [bool]) -> Result<(), ShapeError> {
    ShapeError::check_length("the outputs", shape.elements(), outputs.len())?;
    ShapeError::check_length("the flags", shape.channels, active.len())?;
    for row in crate::slices::vectors(outputs, shape.channels) {
        for (active, &output) in active.iter_mut().zip(row) {
            *active |= output > T::ZERO;
        }
    }
    Ok(())
}

/// Units that no row has made active: with ReLU they are dead, and no gradient will wake them.
pub fn dead_units(active: &[bool]) -> usize {
    active.iter().filter(|&&active| !active).count()
}

/// The share of the commoner sign among the components that are not 0: 1 when all agree, and then descent can only
/// zig-zag. 0 where all components are 0.
pub fn same_sign_fraction<T: Real>(gradient: &[T]) -> T {
    let positive = gradient.iter().filter(|&&g| g > T::ZERO).count();
    let negative = gradient.iter().filter(|&&g| g < T::ZERO).count();
    if positive + negative == 0 {
        return T::ZERO;
    }
    T::from_usize(positive.max(negative)) / T::from_usize(positive + negative)
}

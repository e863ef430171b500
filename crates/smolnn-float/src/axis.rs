//! Along one axis, for inference: running sums (CUMSUM), and where the largest and the least element lie (ARG_MAX, ARG_MIN). The input is outer ×
//! length × inner; the axis is the middle one.
//!
//! - Sums are added in the order of the axis, or of its reverse. Of equal elements the first one counts; a NaN is neither larger nor smaller.
//! - Held by: random shapes against naive loops in f64 (tests/host/registry/float_inference.rs).

use smolnn_core::{Axis, ShapeError};

use crate::Real;
use crate::slices::{at, part_mut};

/// Running sums along the axis. An `exclusive` sum is that of the elements before, a `reverse` one runs from the end to the start.
///
/// # Errors
/// [`ShapeError::Length`] when input or output have other lengths than the axis says.
pub fn cumsum<T: Real>(
    axis: &Axis,
    exclusive: bool,
    reverse: bool,
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", axis.elements(), input.len())?;
    ShapeError::check_length("the output", axis.elements(), output.len())?;
    let (length, inner) = (axis.length(), axis.inner());
    for first in axis.lines() {
        let mut sum = T::ZERO;
        for step in 0..length {
            let place = first + inner * if reverse { length - 1 - step } else { step };
            let before = sum;
            sum += at(input, place);
            part_mut(output, place, 1).fill(if exclusive { before } else { sum });
        }
    }
    Ok(())
}

/// The position of the largest element along the axis.
///
/// # Errors
/// [`ShapeError::Length`] when input or output have other lengths than the axis says.
pub fn arg_max<T: Real>(axis: &Axis, input: &[T], output: &mut [i32]) -> Result<(), ShapeError> {
    extreme(axis, input, output, |value, best| value > best)
}

/// The position of the least element along the axis.
///
/// # Errors
/// The errors are those of [`arg_max`].
pub fn arg_min<T: Real>(axis: &Axis, input: &[T], output: &mut [i32]) -> Result<(), ShapeError> {
    extreme(axis, input, output, |value, best| value < best)
}

fn extreme<T: Real>(
    axis: &Axis,
    input: &[T],
    output: &mut [i32],
    better: impl Fn(T, T) -> bool,
) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", axis.elements(), input.len())?;
    ShapeError::check_length("the output", axis.without(), output.len())?;
    for (first, output) in axis.lines().zip(output) {
        let (mut best, mut position) = (at(input, first), 0);
        for index in 1..axis.length() {
            let value = at(input, first + index * axis.inner());
            if better(value, best) {
                (best, position) = (value, index as i32);
            }
        }
        *output = position;
    }
    Ok(())
}

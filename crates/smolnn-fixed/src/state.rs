//! Variables of streaming models: what READ_VARIABLE and ASSIGN_VARIABLE copy, and a window that slides over a stream.
//!
//! - Layout: any; the window's oldest values come first.
//! - No arithmetic, so nothing to round; any element type.
//! - Held by: `state::*` of the registry against a naive loop, and the wake words of golden/wake through the importer.

use smolnn_core::ShapeError;

/// Gives `to` the values of `from`.
///
/// # Errors
/// [`ShapeError::Length`] when they are not equally long.
#[inline]
pub fn assign<T: Copy>(to: &mut [T], from: &[T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the assigned values", to.len(), from.len())?;
    to.copy_from_slice(from);
    Ok(())
}

/// Moves `window` forward over a stream: the oldest values fall out, `values` come in at the end.
///
/// # Errors
/// [`ShapeError::Length`] when there are more values than the window holds.
#[inline]
pub fn slide<T: Copy>(window: &mut [T], values: &[T]) -> Result<(), ShapeError> {
    let length = window.len();
    let Some(kept) = length.checked_sub(values.len()) else {
        return Err(ShapeError::Length { what: "the values", expected: length, found: values.len() });
    };
    window.copy_within(values.len().., 0);
    if let Some(end) = window.get_mut(kept..) {
        end.copy_from_slice(values);
    }
    Ok(())
}

//! Residual connection: y = x + f(x).
//!
//! - Forward: the branch's output += x. Backward: ∂L/∂x gets δ twice, once through the branch and once past it; gradients
//!   accumulate, so the second is [`add`] of δ to the branch's ∂L/∂x.
//! - Held by: differences (tests/host/gradient/layers.rs).

use smolnn_core::ShapeError;

use crate::Number;

/// `sum += addend`, element by element: forward with (branch, input), backward with (gradient of the input, δ).
///
/// # Errors
/// [`ShapeError::Length`] when the slices are not equally long.
pub fn add<T: Number>(sum: &mut [T], addend: &[T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the addend", sum.len(), addend.len())?;
    for (sum, &addend) in sum.iter_mut().zip(addend) {
        *sum += addend;
    }
    Ok(())
}

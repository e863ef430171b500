//! Flipped 2-D convolution, the mathematicians' one: the kernel is rotated by 180° before it slides.
//!
//! - Layout and options: as [`conv2d`](super::conv2d).
//! - Forward: `y[i, j, o] = b[o] + Σ_{u, v, c} W[o, m − 1 − u, n − 1 − v, c]·x[i·s − p + u·d, j·s − p + v·d, c]`, kernel m × n.
//!   With full padding, stride and dilation 1 this is `Σ_{p, q} x[p, q]·W[i − p, j − q]`, which commutes: W ∗ x = x ∗ W.
//! - Backward: as [`conv2d`](super::conv2d), at the rotated taps. The kernel is read backwards, not copied.
//! - Held by: textbook row 5.1, differences (tests/host/gradient/layers.rs).

use smolnn_core::{Conv2dShape, ShapeError};

use super::conv2d::{backward_taps, check};
use super::plan::Plan;
use crate::{Gradients, Number};

/// y = W ∗ x + b. Without a bias, b = 0.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward<T: Number>(
    shape: &Conv2dShape,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, weights, bias, input, output)?;
    Plan::<true>::new::<T>(shape).forward(weights, bias, input, output);
    Ok(())
}

/// Adds ∂L/∂x, ∂L/∂W and ∂L/∂b to `gradients`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward<T: Number>(
    shape: &Conv2dShape,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) -> Result<(), ShapeError> {
    check(shape, weights, None, input, d_output)?;
    gradients.check(shape.input_len(), shape.weights(), shape.output().channels)?;
    backward_taps::<true, T>(shape, weights, input, d_output, gradients);
    Ok(())
}

//! 2-D convolution (cross-correlation), and its gradients: stride, zero padding, dilation, groups.
//!
//! - Layout: x NHWC, W OHWI (`[output channel][row][column][input channel of the group]`), b one per output channel.
//! - Forward: `y[i, j, o] = b[o] + Σ_{u, v, c} W[o, u, v, c]·x[i·s − p + u·d, j·s − p + v·d, c]`; outside of x is 0.
//! - Backward, δ = ∂L/∂y: `∂L/∂x[i·s − p + u·d, …] += W[o, u, v, c]·δ[i, j, o]` (for stride 1 the full correlation with
//!   the kernel rotated by 180°, summed over the **output** channels); `∂L/∂W[o, u, v, c] += δ[i, j, o]·x[i·s − p + u·d, …]`;
//!   `∂L/∂b[o] = Σ δ[.., o]`.
//! - Body: `plan.rs` says how the passes go.
//! - Error: a sum of n products in f32 is within n·2⁻²³·Σ|W·x| of the real one.
//! - Held by: `conv1d_*` and `conv2d_*` goldens (tests/host/golden/float.rs), differences and the adjoint identity
//!   in exact integers (tests/host/gradient/layers.rs), textbook rows 5.1 to 5.7.

use smolnn_core::{Conv2dShape, ShapeError};

use super::plan::Plan;
use crate::sink::{Accumulate, Descend, Sink};
use crate::slices::check_optional;
use crate::{Gradients, Number};

/// y = W ⋆ x + b. Without a bias, b = 0.
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
    run_forward(shape, weights, bias, input, output);
    Ok(())
}

/// The body of [`forward`].
#[inline]
pub(crate) fn run_forward<T: Number>(
    shape: &Conv2dShape,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &mut [T],
) {
    Plan::<false>::new::<T>(shape).forward(weights, bias, input, output);
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
    run_backward(shape, weights, input, d_output, gradients);
    Ok(())
}

/// The body of [`backward`].
#[inline]
pub(crate) fn run_backward<T: Number>(
    shape: &Conv2dShape,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) {
    backward_taps::<false, T>(shape, weights, input, d_output, gradients);
}

/// The gradients of a convolution with its taps in either order.
#[inline]
pub(crate) fn backward_taps<const ROTATED: bool, T: Number>(
    shape: &Conv2dShape,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) {
    let plan = Plan::<ROTATED>::new::<T>(shape);
    if let Some(d_input) = gradients.input {
        plan.backward_input(weights, d_output, d_input);
    }
    if let Some(d_weights) = gradients.weights {
        plan.backward_weights(Accumulate, input, d_output, d_weights);
    }
    if let Some(d_bias) = gradients.bias {
        Accumulate.rows_sum(d_output, d_bias);
    }
}

/// Adds ∂L/∂x to `d_input` from the old weights, then takes one step of gradient descent on weights and bias,
/// W ← W − rate·∂L/∂W, without a buffer for their gradients.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward_sgd<T: Number>(
    shape: &Conv2dShape,
    rate: T,
    weights: &mut [T],
    bias: Option<&mut [T]>,
    input: &[T],
    d_output: &[T],
    d_input: Option<&mut [T]>,
) -> Result<(), ShapeError> {
    check(shape, weights, bias.as_deref(), input, d_output)?;
    check_optional("the gradient of the input", shape.input_len(), d_input.as_deref())?;
    let (plan, descend) = (Plan::<false>::new::<T>(shape), Descend { rate });
    if let Some(d_input) = d_input {
        plan.backward_input(weights, d_output, d_input);
    }
    plan.backward_weights(descend, input, d_output, weights);
    if let Some(bias) = bias {
        descend.rows_sum(d_output, bias);
    }
    Ok(())
}

pub(crate) fn check<T>(
    shape: &Conv2dShape,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &[T],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the weights", shape.weights(), weights.len())?;
    check_optional("the bias", shape.output().channels, bias)?;
    ShapeError::check_length("the input", shape.input_len(), input.len())?;
    ShapeError::check_length("the output", shape.output_len(), output.len())
}

//! Transposed 2-D convolution: the adjoint of a convolution, so that a stride makes the image larger.
//!
//! The shape is that of the convolution it transposes: what comes in here has the size of *its output*, what goes out the
//! size of *its input*, and the weights keep its layout, `[channel in][row][column][channel out of the group]`.
//! PyTorch's `output_padding` is the choice of that input size. TensorFlow Lite stores `[channel out][row][column][channel in]`:
//! the two channels change places.
//!
//! - Forward: `y[i·s − p + u·d, j·s − p + v·d, c] += W[o, u, v, c]·x[i, j, o]`, on top of `b[c]`.
//! - Backward: ∂L/∂x is the convolution itself of ∂L/∂y; `∂L/∂W[o, u, v, c] += x[i, j, o]·δ[i·s − p + u·d, …, c]`; ∂L/∂b = Σ δ.
//! - Held by: `convt1d_*` and `convt2d_*` goldens (tests/host/golden/float.rs), differences and the adjoint identity
//!   in exact integers (tests/host/gradient/layers.rs).

use smolnn_core::{Conv2dShape, ShapeError};

use super::plan::Plan;
use crate::dense::start_with;
use crate::sink::{Accumulate, Sink};
use crate::slices::check_optional;
use crate::{Gradients, Number};

/// y = Wᵀ x + b, `input` as long as the shape's output and `output` as long as its input. Without a bias, b = 0.
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
    start_with(bias, output);
    Plan::<false>::new::<T>(shape).backward_input(weights, input, output);
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
    gradients.check(shape.output_len(), shape.weights(), shape.input().channels)?;
    let plan = Plan::<false>::new::<T>(shape);
    if let Some(d_input) = gradients.input {
        plan.add(weights, d_output, d_input);
    }
    if let Some(d_weights) = gradients.weights {
        plan.backward_weights(Accumulate, d_output, input, d_weights);
    }
    if let Some(d_bias) = gradients.bias {
        Accumulate.rows_sum(d_output, d_bias);
    }
    Ok(())
}

fn check<T>(
    shape: &Conv2dShape,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &[T],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the weights", shape.weights(), weights.len())?;
    check_optional("the bias", shape.input().channels, bias)?;
    ShapeError::check_length("the input", shape.output_len(), input.len())?;
    ShapeError::check_length("the output", shape.input_len(), output.len())
}

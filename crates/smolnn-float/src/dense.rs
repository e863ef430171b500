//! Dense (fully connected) layer: y = W x + b, and its gradients.
//!
//! - Layout: x `[batch][inputs]`, W `[outputs][inputs]`, b `[outputs]`, y `[batch][outputs]`.
//! - Forward: `y[o] = b[o] + Σ_i W[o, i]·x[i]`, added in the order of i.
//! - Backward, δ = ∂L/∂y: ∂L/∂x = Wᵀδ, ∂L/∂W = δxᵀ, ∂L/∂b = δ, summed over the batch.
//! - Error: a sum of n products in f32 is within n·2⁻²³·Σ|W·x| of the real one.
//! - Held by: `linear_*` goldens (tests/host/golden/float.rs), differences and the adjoint identity in exact
//!   integers (tests/host/gradient/layers.rs), the dense golden of maths.md (textbook row 4.1).

use smolnn_core::{DenseShape, ShapeError};

use crate::panels::{self, Panels};
use crate::sink::{Accumulate, Descend, Sink};
use crate::slices::{check_optional, quotient, vectors, vectors_mut};
use crate::{Gradients, Number};

/// y = W x + b. Without a bias, b = 0.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward<T: Number>(
    shape: &DenseShape,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, weights, bias, input, output)?;
    rows_forward(shape.inputs(), shape.outputs(), weights, bias, input, output);
    Ok(())
}

/// Adds ∂L/∂x, ∂L/∂W and ∂L/∂b to `gradients`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward<T: Number>(
    shape: &DenseShape,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) -> Result<(), ShapeError> {
    check(shape, weights, None, input, d_output)?;
    gradients.check(shape.input_len(), shape.weights(), shape.outputs())?;
    rows_backward(shape.inputs(), shape.outputs(), weights, input, d_output, gradients);
    Ok(())
}

/// Adds ∂L/∂x to `d_input` from the old weights, then takes one step of gradient descent on weights and bias,
/// W ← W − rate·∂L/∂W, without a buffer for their gradients.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward_sgd<T: Number>(
    shape: &DenseShape,
    rate: T,
    weights: &mut [T],
    bias: Option<&mut [T]>,
    input: &[T],
    d_output: &[T],
    d_input: Option<&mut [T]>,
) -> Result<(), ShapeError> {
    check(shape, weights, bias.as_deref(), input, d_output)?;
    check_optional("the gradient of the input", shape.input_len(), d_input.as_deref())?;
    let (inputs, outputs, descend) = (shape.inputs(), shape.outputs(), Descend { rate });
    if let Some(d_input) = d_input {
        rows_transposed(inputs, outputs, weights, d_output, d_input);
    }
    // The whole batch has passed through the old weights; now they may go.
    rows_outer(descend, inputs, outputs, weights, input, d_output);
    if let Some(bias) = bias {
        descend.rows_sum(d_output, bias);
    }
    Ok(())
}

fn check<T>(
    shape: &DenseShape,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &[T],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the weights", shape.weights(), weights.len())?;
    check_optional("the bias", shape.outputs(), bias)?;
    ShapeError::check_length("the input", shape.input_len(), input.len())?;
    ShapeError::check_length("the output", shape.output_len(), output.len())
}

/// The body of [`forward`], for any number of vectors: a pointwise convolution is one too.
#[inline]
pub(crate) fn rows_forward<T: Number>(
    inputs: usize,
    outputs: usize,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &mut [T],
) {
    if by_panels(inputs, input, panels::PIXELS) {
        return panels_forward(inputs, outputs, weights, bias, input, output);
    }
    for (x, y) in vectors(input, inputs).zip(vectors_mut(output, outputs)) {
        match bias {
            Some(bias) => T::rows_affine(weights, inputs, bias, x, y),
            None => {
                y.fill(T::default());
                T::rows_dot(weights, inputs, x, y);
            }
        }
    }
}

/// `output += W input` for every vector.
#[inline]
pub(crate) fn rows_add<T: Number>(inputs: usize, outputs: usize, weights: &[T], input: &[T], output: &mut [T]) {
    if by_panels(inputs, input, panels::PIXELS) {
        return panels_over(inputs, outputs, input).sum(weights, input, output);
    }
    for (x, y) in vectors(input, inputs).zip(vectors_mut(output, outputs)) {
        T::rows_dot(weights, inputs, x, y);
    }
}

/// The body of [`backward`].
#[inline(always)]
pub(crate) fn rows_backward<T: Number>(
    inputs: usize,
    outputs: usize,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) {
    if let Some(d_input) = gradients.input {
        rows_transposed(inputs, outputs, weights, d_output, d_input);
    }
    if let Some(d_weights) = gradients.weights {
        rows_outer(Accumulate, inputs, outputs, d_weights, input, d_output);
    }
    if let Some(d_bias) = gradients.bias {
        Accumulate.rows_sum(d_output, d_bias);
    }
}

/// `d_input += Wᵀ d_output` for every vector.
#[inline(always)]
pub(crate) fn rows_transposed<T: Number>(
    inputs: usize,
    outputs: usize,
    weights: &[T],
    d_output: &[T],
    d_input: &mut [T],
) {
    if by_panels(inputs, d_input, panels::DENSE_GRADIENT_PIXELS) {
        return panels_transposed(inputs, outputs, weights, d_output, d_input);
    }
    for (dx, g) in vectors_mut(d_input, inputs).zip(vectors(d_output, outputs)) {
        T::rows_transposed(weights, inputs, g, dx);
    }
}

/// ∂L/∂W = d_output inputᵀ, summed over the vectors, into the sink.
#[inline(always)]
pub(crate) fn rows_outer<T: Number, S: Sink<T>>(
    sink: S,
    inputs: usize,
    outputs: usize,
    weights: &mut [T],
    input: &[T],
    d_output: &[T],
) {
    if S::ACCUMULATES && by_panels(inputs, input, panels::DENSE_GRADIENT_PIXELS) {
        return panels_outer(inputs, outputs, weights, input, d_output);
    }
    for (x, g) in vectors(input, inputs).zip(vectors(d_output, outputs)) {
        sink.rows_outer(weights, inputs, g, x);
    }
}

/// Whether there are so many vectors that it pays to lay weights out by panels.
#[inline]
fn by_panels<T: Number>(inputs: usize, input: &[T], vectors: usize) -> bool {
    T::PANELS && input.len() >= vectors * inputs
}

/// The panels of a dense layer over the vectors of `input`.
#[inline]
fn panels_over<T>(inputs: usize, outputs: usize, input: &[T]) -> Panels {
    Panels::dense(inputs, outputs, quotient(input.len(), inputs))
}

/// [`rows_forward`] by panels; by itself, so that a single vector pays nothing for it.
#[inline(never)]
fn panels_forward<T: Number>(
    inputs: usize,
    outputs: usize,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &mut [T],
) {
    start_with(bias, output);
    panels_over(inputs, outputs, input).sum(weights, input, output);
}

/// The gradient of the input by panels.
#[inline(never)]
fn panels_transposed<T: Number>(inputs: usize, outputs: usize, weights: &[T], d_output: &[T], d_input: &mut [T]) {
    panels_over(inputs, outputs, d_input).transposed().sum(weights, d_output, d_input);
}

/// The gradient of the weights by panels.
#[inline(never)]
fn panels_outer<T: Number>(inputs: usize, outputs: usize, d_weights: &mut [T], input: &[T], d_output: &[T]) {
    panels_over(inputs, outputs, input).outer(d_weights, input, d_output);
}

/// Every vector of y ← b, or 0.
#[inline]
pub(crate) fn start_with<T: Number>(bias: Option<&[T]>, output: &mut [T]) {
    match bias {
        Some(bias) => T::rows_fill(bias, output),
        None => output.fill(T::default()),
    }
}

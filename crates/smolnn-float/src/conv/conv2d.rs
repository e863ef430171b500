//! 2-D convolution (cross-correlation), and its gradients: stride, zero padding, dilation, groups.
//!
//! - Layout: x NHWC, W OHWI (`[output channel][row][column][input channel of the group]`), b one per output channel.
//! - Forward: `y[i, j, o] = b[o] + Σ_{u, v, c} W[o, u, v, c]·x[i·s − p + u·d, j·s − p + v·d, c]`; outside of x is 0.
//! - Backward, δ = ∂L/∂y: `∂L/∂x[i·s − p + u·d, …] += W[o, u, v, c]·δ[i, j, o]` (for stride 1 the full correlation with
//!   the kernel rotated by 180°, summed over the **output** channels); `∂L/∂W[o, u, v, c] += δ[i, j, o]·x[i·s − p + u·d, …]`;
//!   `∂L/∂b[o] = Σ δ[.., o]`.
//! - Body: an output pixel sees, per kernel row, one piece of an input row that lies in memory as a filter's row does
//!   (when nothing dilates the columns and there is one group), so that forward, input gradient and weight gradient are
//!   the three passes of a dense layer on that piece. Padding is skipped, not multiplied.
//! - Error: a sum of n products in f32 is within n·2⁻²³·Σ|W·x| of the real one.
//! - Held by: `conv1d_*` and `conv2d_*` goldens (tests/host/tests/float_golden.rs), differences and the adjoint identity
//!   in exact integers (tests/host/tests/gradient.rs), textbook rows 5.1 to 5.7.

use smolnn_core::{Conv2d, ShapeError};

use crate::dense::{add_rows, descend, rows_backward, rows_forward, start_with};
use crate::slices::{check_optional, part, part_mut};
use crate::{Gradients, Number};

/// y = W ⋆ x + b. Without a bias, b = 0.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward<T: Number>(
    shape: &Conv2d,
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
pub(crate) fn run_forward<T: Number>(shape: &Conv2d, weights: &[T], bias: Option<&[T]>, input: &[T], output: &mut [T]) {
    if is_dense(shape) {
        return rows_forward(shape.input.channels, shape.output.channels, weights, bias, input, output);
    }
    for pixel in output.chunks_exact_mut(shape.output.channels.max(1)) {
        start_with(bias, pixel);
    }
    forward_taps(shape, Taps::InOrder, weights, input, output);
}

/// Adds ∂L/∂x, ∂L/∂W and ∂L/∂b to `gradients`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward<T: Number>(
    shape: &Conv2d,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) -> Result<(), ShapeError> {
    check(shape, weights, None, input, d_output)?;
    gradients.check(shape.input_len(), shape.weights(), shape.output.channels)?;
    run_backward(shape, weights, input, d_output, gradients);
    Ok(())
}

/// The body of [`backward`].
#[inline]
pub(crate) fn run_backward<T: Number>(
    shape: &Conv2d,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) {
    if is_dense(shape) {
        let (inputs, outputs) = (shape.input.channels, shape.output.channels);
        return rows_backward(inputs, outputs, weights, input, d_output, gradients);
    }
    if let Some(d_input) = gradients.input {
        backward_input(shape, Taps::InOrder, weights, d_output, d_input);
    }
    if let Some(d_weights) = gradients.weights {
        backward_weights(shape, Taps::InOrder, input, d_output, d_weights);
    }
    if let Some(d_bias) = gradients.bias {
        add_rows(d_output, d_bias);
    }
}

/// Adds ∂L/∂x to `d_input` from the old weights, then takes one step of gradient descent on weights and bias,
/// W ← W − rate·∂L/∂W, without a buffer for their gradients.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward_sgd<T: Number>(
    shape: &Conv2d,
    rate: T,
    weights: &mut [T],
    bias: Option<&mut [T]>,
    input: &[T],
    d_output: &[T],
    d_input: Option<&mut [T]>,
) -> Result<(), ShapeError> {
    check(shape, weights, bias.as_deref(), input, d_output)?;
    check_optional("the gradient of the input", shape.input_len(), d_input.as_deref())?;
    if let Some(d_input) = d_input {
        backward_input(shape, Taps::InOrder, weights, d_output, d_input);
    }
    let depth = shape.depth();
    for_each_segment(shape, Taps::InOrder, |segment| {
        let x = part(input, segment.input, segment.length);
        descend(rate, part(d_output, segment.output, shape.group_outputs()), |first, step| {
            let start = segment.weights + first * depth;
            T::rows_outer(weights.get_mut(start..).unwrap_or_default(), depth, step, x);
        });
    });
    if let Some(bias) = bias {
        for pixel in d_output.chunks_exact(shape.output.channels.max(1)) {
            for (b, &g) in bias.iter_mut().zip(pixel) {
                *b -= rate * g;
            }
        }
    }
    Ok(())
}

/// A kernel's taps in the order of the input, or rotated by 180°.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Taps {
    InOrder,
    Rotated,
}

/// A piece of one input row that one output pixel sees, with the weights that lie in memory as it does. Offsets.
pub(crate) struct Segment {
    /// Of the first output channel of the group, in the output pixel.
    pub output: usize,
    /// Of the weights of that channel; those of the next channel are one depth further.
    pub weights: usize,
    /// Of the piece, in the input.
    pub input: usize,
    /// Elements of the piece.
    pub length: usize,
}

/// Visits what each output pixel sees, row by row, column by column, tap by tap.
#[inline]
pub(crate) fn for_each_segment(shape: &Conv2d, taps: Taps, mut visit: impl FnMut(Segment)) {
    let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
    let (depth, width) = (shape.depth(), shape.columns.kernel);
    let last_tap = shape.rows.kernel * width - 1;
    let contiguous = shape.columns.dilation == 1 && shape.groups == 1 && taps == Taps::InOrder;
    let mut output = 0;
    for image in 0..shape.batch {
        for y in 0..shape.output.height {
            let (top, bottom) = shape.rows.taps(y);
            for x in 0..shape.output.width {
                let (left, right) = shape.columns.taps(x);
                for u in top..bottom {
                    let row = (image * shape.input.height + shape.rows.position(y, u)) * shape.input.row();
                    if left == right {
                        break; // Nothing but padding: there is no position to tell.
                    }
                    if contiguous {
                        let input = row + shape.columns.position(x, left) * inputs;
                        let (weights, length) = ((u * width + left) * inputs, (right - left) * inputs);
                        visit(Segment { output, weights, input, length });
                        continue;
                    }
                    for v in left..right {
                        let pixel = row + shape.columns.position(x, v) * shape.input.channels;
                        let tap = if taps == Taps::InOrder { u * width + v } else { last_tap - (u * width + v) };
                        for group in 0..shape.groups {
                            visit(Segment {
                                output: output + group * outputs,
                                weights: group * outputs * depth + tap * inputs,
                                input: pixel + group * inputs,
                                length: inputs,
                            });
                        }
                    }
                }
                output += shape.output.channels;
            }
        }
    }
}

/// `output += W ⋆ input`.
#[inline]
pub(crate) fn forward_taps<T: Number>(shape: &Conv2d, taps: Taps, weights: &[T], input: &[T], output: &mut [T]) {
    for_each_segment(shape, taps, |segment| {
        let weights = weights.get(segment.weights..).unwrap_or_default();
        let x = part(input, segment.input, segment.length);
        T::rows_dot(weights, shape.depth(), x, part_mut(output, segment.output, shape.group_outputs()));
    });
}

/// `d_input += Wᵀ d_output`.
#[inline]
pub(crate) fn backward_input<T: Number>(shape: &Conv2d, taps: Taps, weights: &[T], d_output: &[T], d_input: &mut [T]) {
    for_each_segment(shape, taps, |segment| {
        let weights = weights.get(segment.weights..).unwrap_or_default();
        let g = part(d_output, segment.output, shape.group_outputs());
        T::rows_transposed(weights, shape.depth(), g, part_mut(d_input, segment.input, segment.length));
    });
}

/// `d_weights += d_output inputᵀ`, over what each output saw.
#[inline]
pub(crate) fn backward_weights<T: Number>(
    shape: &Conv2d,
    taps: Taps,
    input: &[T],
    d_output: &[T],
    d_weights: &mut [T],
) {
    for_each_segment(shape, taps, |segment| {
        let d_weights = d_weights.get_mut(segment.weights..).unwrap_or_default();
        let g = part(d_output, segment.output, shape.group_outputs());
        T::rows_outer(d_weights, shape.depth(), g, part(input, segment.input, segment.length));
    });
}

/// Whether the convolution is a dense layer over the pixels.
#[inline]
fn is_dense(shape: &Conv2d) -> bool {
    shape.is_pointwise() && shape.groups == 1
}

pub(crate) fn check<T>(
    shape: &Conv2d,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &[T],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the weights", shape.weights(), weights.len())?;
    check_optional("the bias", shape.output.channels, bias)?;
    ShapeError::check_length("the input", shape.input_len(), input.len())?;
    ShapeError::check_length("the output", shape.output_len(), output.len())
}

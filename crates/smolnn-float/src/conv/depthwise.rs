//! Depthwise 2-D convolution: every channel by itself, and its gradients.
//!
//! - Layout: x NHWC, W 1HWC (`[row][column][output channel]`), b one per output channel; output channel c·m + k comes from
//!   input channel c, m the multiplier.
//! - Forward: `y[i, j, c·m + k] = b[c·m + k] + Σ_{u, v} W[u, v, c·m + k]·x[i·s − p + u·d, j·s − p + v·d, c]`.
//! - Backward, δ = ∂L/∂y: `∂L/∂x[i·s − p + u·d, …, c] += Σ_k W[u, v, c·m + k]·δ[i, j, c·m + k]`;
//!   `∂L/∂W[u, v, c·m + k] += δ[i, j, c·m + k]·x[i·s − p + u·d, …, c]`; ∂L/∂b = Σ δ.
//! - Body: tap by tap over the rectangle of output pixels that see input there, so that padding costs nothing. The channels
//!   lie side by side in x, W and y: the weights of a block of them, or their gradients, stay in registers meanwhile. With a
//!   multiplier such a block are the outputs of one input channel.
//! - Held by: `conv*_depthwise*` goldens (tests/host/golden/float.rs), differences and the adjoint identity in exact
//!   integers (tests/host/gradient/layers.rs).

use smolnn_core::{DepthwiseConv2dShape, ShapeError};

use super::for_each_tap;
use crate::dense::start_with;
use crate::sink::{Accumulate, Descend, Sink};
use crate::slices::{behind, behind_mut, check_optional};
use crate::{Gradients, Number, Walk};

/// y = W ⋆ x + b per channel. Without a bias, b = 0.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward<T: Number>(
    shape: &DepthwiseConv2dShape,
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
    shape: &DepthwiseConv2dShape,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &mut [T],
) {
    start_with(bias, output);
    let add = if shape.multiplier() == 1 { T::walk_add } else { T::spread_add };
    for_each_block(shape, |block, walk| {
        let (y, x) = (behind_mut(output, block.output), behind(input, block.input));
        add(walk, y, x, behind(weights, block.weights));
    });
}

/// Adds ∂L/∂x, ∂L/∂W and ∂L/∂b to `gradients`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward<T: Number>(
    shape: &DepthwiseConv2dShape,
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
    shape: &DepthwiseConv2dShape,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) {
    if let Some(d_input) = gradients.input {
        backward_input(shape, weights, d_output, d_input);
    }
    if let Some(d_weights) = gradients.weights {
        backward_weights(shape, Accumulate, input, d_output, d_weights);
    }
    if let Some(d_bias) = gradients.bias {
        Accumulate.rows_sum(d_output, d_bias);
    }
}

/// `d_input += Wᵀ d_output`.
#[inline]
fn backward_input<T: Number>(shape: &DepthwiseConv2dShape, weights: &[T], d_output: &[T], d_input: &mut [T]) {
    for_each_block(shape, |block, walk| {
        let (dx, g) = (behind_mut(d_input, block.input), behind(d_output, block.output));
        let w = behind(weights, block.weights);
        if shape.multiplier() == 1 {
            T::walk_add(&walk.swapped(), dx, g, w);
        } else {
            T::gather_add(walk, g, dx, w);
        }
    });
}

/// ∂L/∂W = Σ d_output·input over the pixels, into the sink.
#[inline]
fn backward_weights<T: Number>(
    shape: &DepthwiseConv2dShape,
    sink: impl Sink<T>,
    input: &[T],
    d_output: &[T],
    weights: &mut [T],
) {
    for_each_block(shape, |block, walk| {
        let (g, x) = (behind(d_output, block.output), behind(input, block.input));
        let weights = behind_mut(weights, block.weights);
        if shape.multiplier() == 1 {
            sink.walk_sum(walk, weights, g, x);
        } else {
            sink.spread_sum(walk, weights, g, x);
        }
    });
}

/// Adds ∂L/∂x to `d_input` from the old weights, then takes one step of gradient descent on weights and bias,
/// W ← W − rate·∂L/∂W, without a buffer for their gradients.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward_sgd<T: Number>(
    shape: &DepthwiseConv2dShape,
    rate: T,
    weights: &mut [T],
    bias: Option<&mut [T]>,
    input: &[T],
    d_output: &[T],
    d_input: Option<&mut [T]>,
) -> Result<(), ShapeError> {
    check(shape, weights, bias.as_deref(), input, d_output)?;
    check_optional("the gradient of the input", shape.input_len(), d_input.as_deref())?;
    let descend = Descend { rate };
    if let Some(d_input) = d_input {
        backward_input(shape, weights, d_output, d_input);
    }
    backward_weights(shape, descend, input, d_output, weights);
    if let Some(bias) = bias {
        descend.rows_sum(d_output, bias);
    }
    Ok(())
}

/// Channels at one tap: offsets of the first.
struct Block {
    output: usize,
    weights: usize,
    input: usize,
}

/// Visits the channels at every tap, all at once or those of each input channel, with the way through output (first) and
/// input (second).
#[inline]
fn for_each_block(shape: &DepthwiseConv2dShape, mut visit: impl FnMut(&Block, &Walk)) {
    let (inputs, outputs, multiplier) = (shape.input().channels, shape.output().channels, shape.multiplier());
    let (blocks, channels) = if multiplier == 1 { (1, outputs) } else { (inputs, multiplier) };
    let (images, windows) = ((&shape.input(), &shape.output()), (&shape.rows(), &shape.columns()));
    for_each_tap(shape.batch(), images, windows, (channels, 1), |tap, walk| {
        let [mut output, mut weights] = [tap.output, tap.index * outputs];
        for input in tap.input..tap.input + blocks {
            visit(&Block { output, weights, input }, walk);
            output += channels;
            weights += channels;
        }
    });
}

fn check<T>(
    shape: &DepthwiseConv2dShape,
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

//! Depthwise 2-D convolution: every channel by itself, and its gradients.
//!
//! - Layout: x NHWC, W 1HWC (`[row][column][output channel]`), b one per output channel; output channel c·m + k comes from
//!   input channel c, m the multiplier.
//! - Forward: `y[i, j, c·m + k] = b[c·m + k] + Σ_{u, v} W[u, v, c·m + k]·x[i·s − p + u·d, j·s − p + v·d, c]`.
//! - Backward, δ = ∂L/∂y: `∂L/∂x[i·s − p + u·d, …, c] += Σ_k W[u, v, c·m + k]·δ[i, j, c·m + k]`;
//!   `∂L/∂W[u, v, c·m + k] += δ[i, j, c·m + k]·x[i·s − p + u·d, …, c]`; ∂L/∂b = Σ δ.
//! - The channels lie side by side in x, W and y: a block of them stays in registers while the window is walked.
//! - Held by: `conv*_depthwise*` goldens (tests/host/tests/float_golden.rs), differences and the adjoint identity in exact
//!   integers (tests/host/tests/gradient.rs).

use smolnn_core::{DepthwiseConv2d, ShapeError};

use super::for_each_run;
use crate::dense::{add_rows, start_pixels};
use crate::slices::{behind, behind_mut, check_optional, part, part_mut, vectors, vectors_mut};
use crate::{Gradients, Number, Walk};

/// y = W ⋆ x + b per channel. Without a bias, b = 0.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward<T: Number>(
    shape: &DepthwiseConv2d,
    weights: &[T],
    bias: Option<&[T]>,
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, weights, bias, input, output)?;
    let (inputs, outputs) = (shape.input.channels, shape.output.channels);
    start_pixels(bias, outputs, output);
    for_each_pixels(shape, |pixels| {
        if shape.multiplier == 1 {
            let (w, x) = (behind(weights, pixels.weights), behind(input, pixels.input));
            return T::walk_sum(&pixels.walk, behind_mut(output, pixels.output), w, x);
        }
        pixels.for_each_tap(|tap| {
            let (w, x) = (part(weights, tap.weights, outputs), part(input, tap.input, inputs));
            let y = part_mut(output, tap.output, outputs);
            for ((y, w), &x) in groups_mut(y, shape).zip(groups(w, shape)).zip(x) {
                for (y, &w) in y.iter_mut().zip(w) {
                    *y += w * x;
                }
            }
        });
    });
    Ok(())
}

/// Adds ∂L/∂x, ∂L/∂W and ∂L/∂b to `gradients`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward<T: Number>(
    shape: &DepthwiseConv2d,
    weights: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) -> Result<(), ShapeError> {
    check(shape, weights, None, input, d_output)?;
    gradients.check(shape.input_len(), shape.weights(), shape.output.channels)?;
    let (inputs, outputs) = (shape.input.channels, shape.output.channels);
    if let Some(d_input) = gradients.input {
        for_each_pixels(shape, |pixels| {
            if shape.multiplier == 1 {
                let (w, g) = (behind(weights, pixels.weights), behind(d_output, pixels.output));
                return T::walk_add(&pixels.walk.swapped(), behind_mut(d_input, pixels.input), w, g);
            }
            pixels.for_each_tap(|tap| {
                let (w, g) = (part(weights, tap.weights, outputs), part(d_output, tap.output, outputs));
                let dx = part_mut(d_input, tap.input, inputs);
                for ((dx, w), g) in dx.iter_mut().zip(groups(w, shape)).zip(groups(g, shape)) {
                    for (&w, &g) in w.iter().zip(g) {
                        *dx += w * g;
                    }
                }
            });
        });
    }
    if let Some(d_weights) = gradients.weights {
        for_each_pixels(shape, |pixels| {
            if shape.multiplier == 1 {
                let (x, g) = (behind(input, pixels.input), behind(d_output, pixels.output));
                return T::walk_add(&pixels.walk, behind_mut(d_weights, pixels.weights), x, g);
            }
            pixels.for_each_tap(|tap| {
                let (x, g) = (part(input, tap.input, inputs), part(d_output, tap.output, outputs));
                add_outer(shape, part_mut(d_weights, tap.weights, outputs), x, g, |g| g);
            });
        });
    }
    if let Some(d_bias) = gradients.bias {
        add_rows(d_output, d_bias);
    }
    Ok(())
}

/// Adds ∂L/∂x to `d_input` from the old weights, then takes one step of gradient descent on weights and bias,
/// W ← W − rate·∂L/∂W, without a buffer for their gradients.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward_sgd<T: Number>(
    shape: &DepthwiseConv2d,
    rate: T,
    weights: &mut [T],
    bias: Option<&mut [T]>,
    input: &[T],
    d_output: &[T],
    d_input: Option<&mut [T]>,
) -> Result<(), ShapeError> {
    check_optional("the bias", shape.output.channels, bias.as_deref())?;
    backward(shape, weights, input, d_output, Gradients { input: d_input, ..Gradients::default() })?;
    let (inputs, outputs) = (shape.input.channels, shape.output.channels);
    for_each_pixels(shape, |pixels| {
        pixels.for_each_tap(|tap| {
            let (x, g) = (part(input, tap.input, inputs), part(d_output, tap.output, outputs));
            add_outer(shape, part_mut(weights, tap.weights, outputs), x, g, |g| -(rate * g));
        });
    });
    if let Some(bias) = bias {
        for pixel in vectors(d_output, outputs) {
            for (b, &g) in bias.iter_mut().zip(pixel) {
                *b -= rate * g;
            }
        }
    }
    Ok(())
}

/// What one output pixel sees at one tap. Offsets of the first channel.
struct Tap {
    output: usize,
    weights: usize,
    input: usize,
}

/// Output pixels side by side and what they see: offsets of the first channel of the first pixel, and of its first tap that
/// sees input, and how to walk weights and input from there.
struct Pixels {
    output: usize,
    weights: usize,
    input: usize,
    walk: Walk,
}

impl Pixels {
    #[inline]
    fn for_each_tap(&self, mut visit: impl FnMut(Tap)) {
        self.walk.for_each_pixel(|_, first, output| {
            self.walk.for_each_tap(|weights, input| {
                let input = self.input + first + input;
                visit(Tap { output: self.output + output, weights: self.weights + weights, input });
            });
        });
    }
}

#[inline]
fn for_each_pixels(shape: &DepthwiseConv2d, mut visit: impl FnMut(Pixels)) {
    let (inputs, outputs) = (shape.input.channels, shape.output.channels);
    for_each_run(shape.batch, &shape.input, &shape.rows, &shape.columns, |run| {
        let walk = Walk {
            channels: outputs,
            rows: run.rows.1,
            columns: run.columns.1,
            steps: [outputs, shape.columns.dilation * inputs],
            pitches: [shape.columns.kernel * outputs, shape.rows.dilation * shape.input.row()],
            pixels: run.pixels,
            strides: [0, shape.columns.stride * inputs, outputs],
        };
        let weights = (run.rows.0 * shape.columns.kernel + run.columns.0) * outputs;
        visit(Pixels { output: run.output * outputs, weights, input: run.input * inputs, walk });
    });
}

/// The output channels of each input channel.
#[inline]
fn groups<'a, T>(channels: &'a [T], shape: &DepthwiseConv2d) -> impl Iterator<Item = &'a [T]> {
    vectors(channels, shape.multiplier)
}

#[inline]
fn groups_mut<'a, T>(channels: &'a mut [T], shape: &DepthwiseConv2d) -> impl Iterator<Item = &'a mut [T]> {
    vectors_mut(channels, shape.multiplier)
}

/// `w[c·m + k] += scaled(g[c·m + k])·x[c]`.
#[inline]
fn add_outer<T: Number>(shape: &DepthwiseConv2d, weights: &mut [T], x: &[T], g: &[T], scaled: impl Fn(T) -> T) {
    for ((w, g), &x) in groups_mut(weights, shape).zip(groups(g, shape)).zip(x) {
        for (w, &g) in w.iter_mut().zip(g) {
            *w += scaled(g) * x;
        }
    }
}

fn check<T>(
    shape: &DepthwiseConv2d,
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

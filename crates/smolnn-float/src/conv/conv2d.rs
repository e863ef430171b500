//! 2-D convolution (cross-correlation), and its gradients: stride, zero padding, dilation, groups.
//!
//! - Layout: x NHWC, W OHWI (`[output channel][row][column][input channel of the group]`), b one per output channel.
//! - Forward: `y[i, j, o] = b[o] + Σ_{u, v, c} W[o, u, v, c]·x[i·s − p + u·d, j·s − p + v·d, c]`; outside of x is 0.
//! - Backward, δ = ∂L/∂y: `∂L/∂x[i·s − p + u·d, …] += W[o, u, v, c]·δ[i, j, o]` (for stride 1 the full correlation with
//!   the kernel rotated by 180°, summed over the **output** channels); `∂L/∂W[o, u, v, c] += δ[i, j, o]·x[i·s − p + u·d, …]`;
//!   `∂L/∂b[o] = Σ δ[.., o]`.
//! - Body: an output pixel sees, per kernel row, one piece of an input row that lies in memory as a filter's row does
//!   (when nothing dilates the columns and there is one group), so that forward, input gradient and weight gradient are
//!   the three passes of a dense layer on that piece, and padding is skipped. Where pieces have less than 8 elements, as in
//!   a first layer, one element of the window after the other runs over the rectangle of output pixels that see input
//!   there, with all filters' weights for it. Where vector registers make it pay, convolutions of either kind run by
//!   panels (`panels.rs`).
//! - Error: a sum of n products in f32 is within n·2⁻²³·Σ|W·x| of the real one.
//! - Held by: `conv1d_*` and `conv2d_*` goldens (tests/host/golden/float.rs), differences and the adjoint identity
//!   in exact integers (tests/host/gradient/layers.rs), textbook rows 5.1 to 5.7.

use smolnn_core::{Conv2dShape, ShapeError};

use super::for_each_tap;
use super::panels::{self, Panels};
use crate::dense::{descend, descend_bias, rows_backward, rows_forward, start_with};
use crate::slices::{behind, behind_mut, check_optional, part, part_mut};
use crate::{Gradients, Number, Walk};

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
    if is_dense(shape) {
        return rows_forward(shape.input().channels, shape.output().channels, weights, bias, input, output);
    }
    start_with(bias, output);
    forward_taps(shape, Taps::InOrder, weights, input, output);
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
    if is_dense(shape) {
        let (inputs, outputs) = (shape.input().channels, shape.output().channels);
        return rows_backward(inputs, outputs, weights, input, d_output, gradients);
    }
    if let Some(d_input) = gradients.input {
        backward_input(shape, Taps::InOrder, weights, d_output, d_input);
    }
    if let Some(d_weights) = gradients.weights {
        backward_weights(shape, Taps::InOrder, input, d_output, d_weights);
    }
    if let Some(d_bias) = gradients.bias {
        T::rows_sum(d_output, d_bias);
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
    if let Some(d_input) = d_input {
        backward_input(shape, Taps::InOrder, weights, d_output, d_input);
    }
    if has_short_rows(shape, Taps::InOrder) {
        const FEW: usize = 16;
        for_each_slice(shape, Taps::InOrder, |slice, walk| {
            for first in (0..walk.channels).step_by(FEW) {
                let mut step = [T::default(); FEW];
                let walk = Walk { channels: (walk.channels - first).min(FEW), apart: 1, ..*walk };
                T::spread_sum(&walk, &mut step, behind(d_output, slice.output + first), behind(input, slice.input));
                let mut weight = slice.weights + first * shape.depth();
                for &step in part(&step, 0, walk.channels) {
                    for w in part_mut(weights, weight, 1) {
                        *w -= rate * step;
                    }
                    weight += shape.depth();
                }
            }
        });
    } else {
        let depth = shape.depth();
        for_each_segment(shape, Taps::InOrder, |segment| {
            let x = part(input, segment.input, segment.length);
            descend(rate, part(d_output, segment.output, shape.group_outputs()), |first, step| {
                let start = segment.weights + first * depth;
                T::rows_outer(weights.get_mut(start..).unwrap_or_default(), depth, step, x);
            });
        });
    }
    descend_bias(rate, bias, d_output);
    Ok(())
}

/// A kernel's taps in the order of the input, or rotated by 180°.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Taps {
    InOrder,
    Rotated,
}

/// A piece of one input row that one output pixel sees, with the weights that lie in memory as it does. Offsets.
struct Segment {
    /// Of the first output channel of the group, in the output pixel.
    output: usize,
    /// Of the weights of that channel; those of the next channel are one depth further.
    weights: usize,
    /// Of the piece, in the input.
    input: usize,
    /// Elements of the piece.
    length: usize,
}

/// An output pixel, and the taps of its window that see input.
struct Pixel {
    /// Of its first channel, in the output.
    output: usize,
    image: usize,
    y: usize,
    x: usize,
    rows: (usize, usize),
    columns: (usize, usize),
}

#[inline]
fn for_each_pixel(shape: &Conv2dShape, mut visit: impl FnMut(Pixel)) {
    let mut output = 0;
    for image in 0..shape.batch() {
        for y in 0..shape.output().height {
            let rows = shape.rows().taps(y);
            for x in 0..shape.output().width {
                visit(Pixel { output, image, y, x, rows, columns: shape.columns().taps(x) });
                output += shape.output().channels;
            }
        }
    }
}

impl Pixel {
    /// Visits what the pixel sees, row by row, column by column, tap by tap.
    #[inline]
    fn for_each_segment(&self, shape: &Conv2dShape, taps: Taps, mut visit: impl FnMut(Segment)) {
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let (depth, width) = (shape.depth(), shape.columns().kernel());
        let (left, right) = self.columns;
        if left == right {
            return; // Nothing but padding: there is no position to tell.
        }
        for u in self.rows.0..self.rows.1 {
            let row = (self.image * shape.input().height + shape.rows().position(self.y, u)) * shape.input().row();
            if is_contiguous(shape, taps) {
                let input = row + shape.columns().position(self.x, left) * inputs;
                let (weights, length) = ((u * width + left) * inputs, (right - left) * inputs);
                visit(Segment { output: self.output, weights, input, length });
                continue;
            }
            for v in left..right {
                let pixel = row + shape.columns().position(self.x, v) * shape.input().channels;
                let last_tap = shape.rows().kernel() * width - 1;
                let tap = if taps == Taps::InOrder { u * width + v } else { last_tap - (u * width + v) };
                for group in 0..shape.groups() {
                    visit(Segment {
                        output: self.output + group * outputs,
                        weights: group * outputs * depth + tap * inputs,
                        input: pixel + group * inputs,
                        length: inputs,
                    });
                }
            }
        }
    }
}

/// Whether the taps of a kernel row lie in memory as the input that they see.
#[inline]
fn is_contiguous(shape: &Conv2dShape, taps: Taps) -> bool {
    shape.columns().dilation() == 1 && shape.groups() == 1 && taps == Taps::InOrder
}

/// Visits what every output pixel sees.
#[inline]
fn for_each_segment(shape: &Conv2dShape, taps: Taps, mut visit: impl FnMut(Segment)) {
    for_each_pixel(shape, |pixel| pixel.for_each_segment(shape, taps, &mut visit));
}

/// Whether kernel row and input share so short pieces that it pays to go through all pixels element by element. Each of
/// the elements costs its own, which few pixels do not give back.
#[inline]
fn has_short_rows(shape: &Conv2dShape, taps: Taps) -> bool {
    let columns = if is_contiguous(shape, taps) { shape.columns().kernel() } else { 1 };
    let pixels = shape.batch() * shape.output().height * shape.output().width;
    shape.groups() == 1 && shape.output().channels >= 4 && columns * shape.input().channels < 8 && pixels >= 16
}

/// One element of the window in all filters: offsets.
struct Slice {
    /// Of the outputs of the first pixel that sees input there.
    output: usize,
    /// Of the first filter's weight; the next filter's is one depth further.
    weights: usize,
    /// Of the element that the first pixel sees.
    input: usize,
}

/// Visits all elements of the window in the order of the input, with the way through output (first) and input (second).
/// There is one group.
#[inline]
fn for_each_slice(shape: &Conv2dShape, taps: Taps, mut visit: impl FnMut(&Slice, &Walk)) {
    let (inputs, depth) = (shape.input().channels, shape.depth());
    let (images, windows) = ((&shape.input(), &shape.output()), (&shape.rows(), &shape.columns()));
    for_each_tap(shape.batch(), images, windows, (shape.output().channels, depth), |tap, walk| {
        let in_order = tap.index * inputs;
        let first = if taps == Taps::InOrder { in_order } else { depth - inputs - in_order };
        for channel in 0..inputs {
            visit(&Slice { output: tap.output, weights: first + channel, input: tap.input + channel }, walk);
        }
    });
}

/// Whether there are so many output pixels that it pays to lay weights out by panels.
#[inline]
fn by_panels<T: Number>(shape: &Conv2dShape, pixels: usize) -> bool {
    T::PANELS && shape.batch() * shape.output().height * shape.output().width >= pixels
}

/// Whether it pays to lay weights out for the gradient of the input: for each phase, and for more than two lanes.
#[inline]
fn mirrors_by_panels<T: Number>(shape: &Conv2dShape, taps: Taps) -> bool {
    let phases = if is_contiguous(shape, taps) { shape.rows().stride() * shape.columns().stride() } else { 1 };
    let gathers = has_short_rows(shape, taps) && shape.input().channels < 3;
    Panels::can_be_mirrored(shape) && by_panels::<T>(shape, panels::GRADIENT_PIXELS * phases) && !gathers
}

/// `output += W ⋆ input`.
#[inline]
pub(crate) fn forward_taps<T: Number>(shape: &Conv2dShape, taps: Taps, weights: &[T], input: &[T], output: &mut [T]) {
    if by_panels::<T>(shape, panels::PIXELS) {
        return Panels::forward(shape, taps).sum(weights, input, output);
    }
    let (depth, outputs) = (shape.depth(), shape.group_outputs());
    if has_short_rows(shape, taps) {
        return for_each_slice(shape, taps, |slice, walk| {
            let (y, x) = (behind_mut(output, slice.output), behind(input, slice.input));
            T::spread_add(walk, y, x, behind(weights, slice.weights));
        });
    }
    for_each_segment(shape, taps, |segment| {
        let weights = behind(weights, segment.weights);
        let x = part(input, segment.input, segment.length);
        T::rows_dot(weights, depth, x, part_mut(output, segment.output, outputs));
    });
}

/// `d_input += Wᵀ d_output`.
#[inline]
pub(crate) fn backward_input<T: Number>(
    shape: &Conv2dShape,
    taps: Taps,
    weights: &[T],
    d_output: &[T],
    d_input: &mut [T],
) {
    if mirrors_by_panels::<T>(shape, taps) {
        return Panels::sum_mirrored(shape, taps, weights, d_output, d_input);
    }
    let (depth, outputs) = (shape.depth(), shape.group_outputs());
    if has_short_rows(shape, taps) {
        return for_each_slice(shape, taps, |slice, walk| {
            let (dx, g) = (behind_mut(d_input, slice.input), behind(d_output, slice.output));
            T::gather_add(walk, g, dx, behind(weights, slice.weights));
        });
    }
    for_each_segment(shape, taps, |segment| {
        let weights = behind(weights, segment.weights);
        let g = part(d_output, segment.output, outputs);
        T::rows_transposed(weights, depth, g, part_mut(d_input, segment.input, segment.length));
    });
}

/// `d_weights += d_output inputᵀ`, over what each output saw.
#[inline]
pub(crate) fn backward_weights<T: Number>(
    shape: &Conv2dShape,
    taps: Taps,
    input: &[T],
    d_output: &[T],
    d_weights: &mut [T],
) {
    if by_panels::<T>(shape, panels::GRADIENT_PIXELS) {
        return Panels::forward(shape, taps).outer(d_weights, input, d_output);
    }
    let (depth, outputs) = (shape.depth(), shape.group_outputs());
    if has_short_rows(shape, taps) {
        return for_each_slice(shape, taps, |slice, walk| {
            let (g, x) = (behind(d_output, slice.output), behind(input, slice.input));
            T::spread_sum(walk, behind_mut(d_weights, slice.weights), g, x);
        });
    }
    for_each_segment(shape, taps, |segment| {
        let d_weights = behind_mut(d_weights, segment.weights);
        let g = part(d_output, segment.output, outputs);
        T::rows_outer(d_weights, depth, g, part(input, segment.input, segment.length));
    });
}

/// Whether the convolution is a dense layer over the pixels.
#[inline]
fn is_dense(shape: &Conv2dShape) -> bool {
    shape.is_pointwise() && shape.groups() == 1
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

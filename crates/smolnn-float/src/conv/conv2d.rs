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
//!   a first layer, the weights of eight outputs are laid side by side on the stack, once for all pixels, and each pixel
//!   walks its window with eight sums in registers.
//! - Error: a sum of n products in f32 is within n·2⁻²³·Σ|W·x| of the real one.
//! - Held by: `conv1d_*` and `conv2d_*` goldens (tests/host/tests/float_golden.rs), differences and the adjoint identity
//!   in exact integers (tests/host/tests/gradient.rs), textbook rows 5.1 to 5.7.

use smolnn_core::{Conv2d, ShapeError};

use super::for_each_run;
use crate::dense::{add_rows, descend, rows_backward, rows_forward, start_pixels};
use crate::slices::{behind, behind_mut, check_optional, part, part_mut, vectors};
use crate::{Gradients, Number, Walk};

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
    start_pixels(bias, shape.output.channels, output);
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
        for pixel in vectors(d_output, shape.output.channels) {
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
fn for_each_pixel(shape: &Conv2d, mut visit: impl FnMut(Pixel)) {
    let mut output = 0;
    for image in 0..shape.batch {
        for y in 0..shape.output.height {
            let rows = shape.rows.taps(y);
            for x in 0..shape.output.width {
                visit(Pixel { output, image, y, x, rows, columns: shape.columns.taps(x) });
                output += shape.output.channels;
            }
        }
    }
}

impl Pixel {
    /// Visits what the pixel sees, row by row, column by column, tap by tap.
    #[inline]
    fn for_each_segment(&self, shape: &Conv2d, taps: Taps, mut visit: impl FnMut(Segment)) {
        let (inputs, outputs) = (shape.group_inputs(), shape.group_outputs());
        let (depth, width) = (shape.depth(), shape.columns.kernel);
        let (left, right) = self.columns;
        if left == right {
            return; // Nothing but padding: there is no position to tell.
        }
        for u in self.rows.0..self.rows.1 {
            let row = (self.image * shape.input.height + shape.rows.position(self.y, u)) * shape.input.row();
            if is_contiguous(shape, taps) {
                let input = row + shape.columns.position(self.x, left) * inputs;
                let (weights, length) = ((u * width + left) * inputs, (right - left) * inputs);
                visit(Segment { output: self.output, weights, input, length });
                continue;
            }
            for v in left..right {
                let pixel = row + shape.columns.position(self.x, v) * shape.input.channels;
                let last_tap = shape.rows.kernel * width - 1;
                let tap = if taps == Taps::InOrder { u * width + v } else { last_tap - (u * width + v) };
                for group in 0..shape.groups {
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
fn is_contiguous(shape: &Conv2d, taps: Taps) -> bool {
    shape.columns.dilation == 1 && shape.groups == 1 && taps == Taps::InOrder
}

/// Visits what every output pixel sees.
#[inline]
fn for_each_segment(shape: &Conv2d, taps: Taps, mut visit: impl FnMut(Segment)) {
    for_each_pixel(shape, |pixel| pixel.for_each_segment(shape, taps, &mut visit));
}

/// Products of the deepest filter that is laid out in a tile: a 7×7 kernel over one channel.
const DEPTH: usize = 49;

/// The weights of eight outputs side by side, tap after tap, in the order of the input.
type Tile<T> = [[T; 8]; DEPTH];

/// Whether a kernel row is so short that it pays to keep eight outputs in registers while the window is walked.
#[inline]
fn tiles(shape: &Conv2d) -> bool {
    let inputs = shape.input.channels;
    shape.groups == 1
        && shape.depth() <= DEPTH
        && shape.columns.kernel * inputs < 8
        && shape.output.channels >= 4
        && (shape.columns.dilation == 1 || inputs == 1)
}

/// The element of a filter that sees element `k` of a patch.
#[inline]
fn filter_element(shape: &Conv2d, taps: Taps, k: usize) -> usize {
    let inputs = shape.input.channels;
    match taps {
        Taps::InOrder => k,
        // The taps turn round, the channels of each do not.
        Taps::Rotated => {
            let channel = k.checked_rem(inputs).unwrap_or(0);
            shape.depth() - inputs - (k - channel) + channel
        }
    }
}

/// The tile of the outputs from `first` on; zeros where there is none.
#[inline]
fn load_tile<T: Number>(shape: &Conv2d, taps: Taps, first: usize, weights: &[T], tile: &mut Tile<T>) {
    for (k, row) in tile.iter_mut().enumerate().take(shape.depth()) {
        let mut at = first * shape.depth() + filter_element(shape, taps, k);
        for (o, w) in row.iter_mut().enumerate() {
            let there = weights.get(at).filter(|_| first + o < shape.output.channels);
            *w = there.copied().unwrap_or_default();
            at += shape.depth();
        }
    }
}

/// Writes the tile back to where [`load_tile`] took it from.
#[inline]
fn store_tile<T: Number>(shape: &Conv2d, taps: Taps, first: usize, tile: &Tile<T>, weights: &mut [T]) {
    for (k, row) in tile.iter().enumerate().take(shape.depth()) {
        let mut at = first * shape.depth() + filter_element(shape, taps, k);
        for (o, w) in row.iter().enumerate() {
            if let Some(there) = weights.get_mut(at).filter(|_| first + o < shape.output.channels) {
                *there = *w;
            }
            at += shape.depth();
        }
    }
}

/// Visits the output pixels: offsets of their first output channel, of the weights in the tile and
/// of the input of what they see first, and how to walk from there.
#[inline]
fn for_each_walk(shape: &Conv2d, mut visit: impl FnMut(usize, usize, usize, &Walk)) {
    let inputs = shape.input.channels;
    let width = shape.columns.kernel * inputs;
    let step = if inputs == 1 { shape.columns.dilation } else { 1 };
    for_each_run(shape.batch, &shape.input, &shape.rows, &shape.columns, |run| {
        let walk = Walk {
            channels: 8,
            rows: run.rows.1,
            columns: run.columns.1 * inputs,
            steps: [8, step],
            pitches: [8 * width, shape.rows.dilation * shape.input.row()],
            pixels: run.pixels,
            strides: [0, shape.columns.stride * inputs, shape.output.channels],
        };
        let tile = 8 * (run.rows.0 * width + run.columns.0 * inputs);
        visit(run.output * shape.output.channels, tile, run.input * inputs, &walk);
    });
}

/// Up to eight outputs of a pixel, zeros behind.
#[inline]
fn eight<T: Number>(pixel: &[T]) -> [T; 8] {
    let mut values = [T::default(); 8];
    for (value, &y) in values.iter_mut().zip(pixel) {
        *value = y;
    }
    values
}

/// Calls `pass` with the offset in the input, the walk and the outputs of its pixels, eight each. Where there are only `count`,
/// pixel by pixel with a copy, zeros behind.
#[inline]
fn pad<T: Number>(walk: &Walk, count: usize, pixels: &[T], x: usize, mut pass: impl FnMut(usize, &Walk, &[T])) {
    if count == 8 {
        return pass(x, walk, pixels);
    }
    let one = Walk { pixels: 1, ..*walk };
    walk.for_each_pixel(|_, at, output| pass(x + at, &one, &eight(part(pixels, output, count))));
}

/// `output += W ⋆ input`.
#[inline]
pub(crate) fn forward_taps<T: Number>(shape: &Conv2d, taps: Taps, weights: &[T], input: &[T], output: &mut [T]) {
    let (depth, outputs) = (shape.depth(), shape.group_outputs());
    if tiles(shape) {
        let mut tile = [[T::default(); 8]; DEPTH];
        for first in (0..outputs).step_by(8) {
            load_tile(shape, taps, first, weights, &mut tile);
            let count = (outputs - first).min(8);
            for_each_walk(shape, |pixel, w, x, walk| {
                let (tile, pixels) = (behind(tile.as_flattened(), w), behind_mut(output, pixel + first));
                if count == 8 {
                    return T::tile_sum(walk, pixels, tile, behind(input, x));
                }
                let one = Walk { pixels: 1, ..*walk };
                walk.for_each_pixel(|_, at, output| {
                    let y = part_mut(pixels, output, count);
                    let mut sums = eight(y);
                    T::tile_sum(&one, &mut sums, tile, behind(input, x + at));
                    for (y, &sum) in y.iter_mut().zip(&sums) {
                        *y = sum;
                    }
                });
            });
        }
        return;
    }
    for_each_segment(shape, taps, |segment| {
        let weights = behind(weights, segment.weights);
        let x = part(input, segment.input, segment.length);
        T::rows_dot(weights, depth, x, part_mut(output, segment.output, outputs));
    });
}

/// `d_input += Wᵀ d_output`.
#[inline]
pub(crate) fn backward_input<T: Number>(shape: &Conv2d, taps: Taps, weights: &[T], d_output: &[T], d_input: &mut [T]) {
    let (depth, outputs) = (shape.depth(), shape.group_outputs());
    if tiles(shape) {
        let mut tile = [[T::default(); 8]; DEPTH];
        for first in (0..outputs).step_by(8) {
            load_tile(shape, taps, first, weights, &mut tile);
            let count = (outputs - first).min(8);
            for_each_walk(shape, |pixel, w, x, walk| {
                let tile = behind(tile.as_flattened(), w);
                pad(walk, count, behind(d_output, pixel + first), x, |x, walk, g| {
                    T::tile_transposed(walk, tile, behind_mut(d_input, x), g);
                });
            });
        }
        return;
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
    shape: &Conv2d,
    taps: Taps,
    input: &[T],
    d_output: &[T],
    d_weights: &mut [T],
) {
    let (depth, outputs) = (shape.depth(), shape.group_outputs());
    if tiles(shape) {
        let mut tile = [[T::default(); 8]; DEPTH];
        for first in (0..outputs).step_by(8) {
            load_tile(shape, taps, first, d_weights, &mut tile);
            let count = (outputs - first).min(8);
            for_each_walk(shape, |pixel, w, x, walk| {
                let tile = behind_mut(tile.as_flattened_mut(), w);
                pad(walk, count, behind(d_output, pixel + first), x, |x, walk, g| {
                    T::tile_outer(walk, tile, behind(input, x), g);
                });
            });
            store_tile(shape, taps, first, &tile, d_weights);
        }
        return;
    }
    for_each_segment(shape, taps, |segment| {
        let d_weights = behind_mut(d_weights, segment.weights);
        let g = part(d_output, segment.output, outputs);
        T::rows_outer(d_weights, depth, g, part(input, segment.input, segment.length));
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

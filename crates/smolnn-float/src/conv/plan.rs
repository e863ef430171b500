//! How a convolution runs: a [`Plan`] is made from its shape, once, and says how each of its three passes goes.
//!
//! | way | when | what it does |
//! |---|---|---|
//! | [`Dense`](Way::Dense) | the kernel is 1×1 | the pixels are the vectors of a dense layer |
//! | [`Panels`](Way::Panels) | vector registers, and enough pixels | region by region ([`Panels`]) |
//! | [`Elements`](Way::Elements) | rows of a window shorter than 8 elements, as in a first layer | one element of the window after the other, over all pixels that see input there, with all filters' weights for it |
//! | [`Segments`](Way::Segments) | else | one output pixel and kernel row after the other: the piece of the input row lies in memory as a filter's row does, so that the passes are those of a dense layer on that piece |
//!
//! Padding is skipped whichever way it goes.

use smolnn_core::Conv2dShape;

use super::for_each_tap;
use crate::dense::{rows_add, rows_forward, rows_outer, rows_transposed, start_with};
use crate::panels::{self, Panels, Taps};
use crate::sink::Sink;
use crate::slices::{behind, behind_mut, part, part_mut};
use crate::{Number, Walk};

/// How a pass goes through window and pixels.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Dense,
    Panels,
    Elements,
    Segments,
}

/// A convolution, its taps in the order of the input or rotated by 180°, and how its passes go. The lengths of all slices
/// were checked.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a, const ROTATED: bool> {
    shape: &'a Conv2dShape,
    forward: Way,
    input: Way,
    weights: Way,
    /// The way of a weight pass that does not accumulate.
    descent: Way,
}

impl<'a, const ROTATED: bool> Plan<'a, ROTATED> {
    const TAPS: Taps = if ROTATED { Taps::Rotated } else { Taps::InOrder };

    /// The plan for numbers of type T.
    #[inline(always)]
    pub(crate) fn new<T: Number>(shape: &'a Conv2dShape) -> Self {
        let (rows, columns, channels) = (&shape.rows(), &shape.columns(), shape.input().channels);
        let pixels = shape.batch() * shape.output().height * shape.output().width;
        let is_contiguous = is_contiguous(shape, Self::TAPS);
        let row = if is_contiguous { columns.kernel() } else { 1 } * channels;
        // Each element of the window costs its own, which few pixels do not give back.
        let short = shape.groups() == 1 && shape.output().channels >= 4 && row < 8 && pixels >= 16;
        let is_dense = shape.is_pointwise() && shape.groups() == 1;
        let alone = match (is_dense, short) {
            (true, _) => Way::Dense,
            (_, true) => Way::Elements,
            _ => Way::Segments,
        };
        let way = |pays: bool| if T::PANELS && pays && !is_dense { Way::Panels } else { alone };
        // The gradient of the input lays weights out for each phase of the strides, which two lanes do not give back.
        let phases = if is_contiguous { rows.stride() * columns.stride() } else { 1 };
        let mirrors = Panels::can_be_mirrored(shape) && !(short && channels < 3);
        Self {
            shape,
            forward: way(pixels >= panels::PIXELS),
            input: way(mirrors && pixels >= panels::GRADIENT_PIXELS * phases),
            weights: way(pixels >= panels::GRADIENT_PIXELS),
            descent: alone,
        }
    }

    /// `output = W ⋆ input + b`.
    #[inline]
    pub(crate) fn forward<T: Number>(&self, weights: &[T], bias: Option<&[T]>, input: &[T], output: &mut [T]) {
        if self.forward == Way::Dense {
            let (inputs, outputs) = self.channels();
            return rows_forward(inputs, outputs, weights, bias, input, output);
        }
        start_with(bias, output);
        self.add(weights, input, output);
    }

    /// `output += W ⋆ input`.
    #[inline]
    pub(crate) fn add<T: Number>(&self, weights: &[T], input: &[T], output: &mut [T]) {
        let shape = self.shape;
        match self.forward {
            Way::Dense => {
                let (inputs, outputs) = self.channels();
                rows_add(inputs, outputs, weights, input, output);
            }
            Way::Panels => Panels::forward(shape, Self::TAPS).sum(weights, input, output),
            Way::Elements => self.for_each_element(|element, walk| {
                let (y, x) = (behind_mut(output, element.output), behind(input, element.input));
                T::spread_add(walk, y, x, behind(weights, element.weights));
            }),
            Way::Segments => {
                let (depth, outputs) = (shape.depth(), shape.group_outputs());
                for_each_segment(shape, Self::TAPS, |segment| {
                    let weights = behind(weights, segment.weights);
                    let x = part(input, segment.input, segment.length);
                    T::rows_dot(weights, depth, x, part_mut(output, segment.output, outputs));
                });
            }
        }
    }

    /// `d_input += Wᵀ d_output`.
    #[inline]
    pub(crate) fn backward_input<T: Number>(&self, weights: &[T], d_output: &[T], d_input: &mut [T]) {
        let shape = self.shape;
        match self.input {
            Way::Dense => {
                let (inputs, outputs) = self.channels();
                rows_transposed(inputs, outputs, weights, d_output, d_input);
            }
            Way::Panels => Panels::sum_mirrored(shape, Self::TAPS, weights, d_output, d_input),
            Way::Elements => self.for_each_element(|element, walk| {
                let (dx, g) = (behind_mut(d_input, element.input), behind(d_output, element.output));
                T::gather_add(walk, g, dx, behind(weights, element.weights));
            }),
            Way::Segments => {
                let (depth, outputs) = (shape.depth(), shape.group_outputs());
                for_each_segment(shape, Self::TAPS, |segment| {
                    let weights = behind(weights, segment.weights);
                    let g = part(d_output, segment.output, outputs);
                    T::rows_transposed(weights, depth, g, part_mut(d_input, segment.input, segment.length));
                });
            }
        }
    }

    /// ∂L/∂W = d_output inputᵀ, over what each output saw, into the sink.
    #[inline]
    pub(crate) fn backward_weights<T: Number, S: Sink<T>>(
        &self,
        sink: S,
        input: &[T],
        d_output: &[T],
        weights: &mut [T],
    ) {
        let shape = self.shape;
        match if S::ACCUMULATES { self.weights } else { self.descent } {
            Way::Dense => {
                let (inputs, outputs) = self.channels();
                rows_outer(sink, inputs, outputs, weights, input, d_output);
            }
            Way::Panels => Panels::forward(shape, Self::TAPS).outer(weights, input, d_output),
            Way::Elements => self.for_each_element(|element, walk| {
                let (g, x) = (behind(d_output, element.output), behind(input, element.input));
                sink.spread_sum(walk, behind_mut(weights, element.weights), g, x);
            }),
            Way::Segments => {
                let (depth, outputs) = (shape.depth(), shape.group_outputs());
                for_each_segment(shape, Self::TAPS, |segment| {
                    let g = part(d_output, segment.output, outputs);
                    let x = part(input, segment.input, segment.length);
                    sink.rows_outer(behind_mut(weights, segment.weights), depth, g, x);
                });
            }
        }
    }

    /// Channels of input and output.
    #[inline(always)]
    fn channels(&self) -> (usize, usize) {
        (self.shape.input().channels, self.shape.output().channels)
    }

    /// Visits all elements of the window in the order of the input, with the walk through output (first) and input (second).
    /// There is one group.
    #[inline]
    fn for_each_element(&self, mut visit: impl FnMut(&Element, &Walk)) {
        let shape = self.shape;
        let (inputs, depth) = (shape.input().channels, shape.depth());
        let (images, windows) = ((&shape.input(), &shape.output()), (&shape.rows(), &shape.columns()));
        for_each_tap(shape.batch(), images, windows, (shape.output().channels, depth), |tap, walk| {
            let in_order = tap.index * inputs;
            let first = if Self::TAPS == Taps::InOrder { in_order } else { depth - inputs - in_order };
            for channel in 0..inputs {
                visit(&Element { output: tap.output, weights: first + channel, input: tap.input + channel }, walk);
            }
        });
    }
}

/// One element of the window in all filters: offsets.
struct Element {
    /// Of the outputs of the first pixel that sees input there.
    output: usize,
    /// Of the first filter's weight; the next filter's is one depth further.
    weights: usize,
    /// Of the element that the first pixel sees.
    input: usize,
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

/// Visits every output pixel.
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

/// Visits what every output pixel sees.
#[inline]
fn for_each_segment(shape: &Conv2dShape, taps: Taps, mut visit: impl FnMut(Segment)) {
    for_each_pixel(shape, |pixel| pixel.for_each_segment(shape, taps, &mut visit));
}

//! 2-D convolution in groups of channels, int8: output channels of one group see the input channels of that group alone.
//!
//! - y[o] = clamp(z_out + M_o · (b_o + Σ_k w[o, k] · (x[g(o), k] − z_in))), k over the taps and the channels of o's group.
//! - Layout: NHWC input and output; weights OHWI with the channels of a group, unpacked. One channel per group is a depthwise
//!   convolution, which has faster bodies: the importer makes it one.
//! - Accumulators, rounding: as [`conv2d`](super::conv2d); padding is skipped, so that the zero point stays in the products.
//! - Held by: `conv_groups2` golden, random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{Conv2dShape, ShapeError, excluded};

use crate::Weights;
use crate::quantise::OutputRange;
use crate::tensors::{Source, Tensors};

/// A convolution in groups, checked.
#[derive(Clone, Copy, Debug)]
pub struct GroupedConv2d<'a> {
    shape: Conv2dShape,
    weights: Weights<'a>,
    output: OutputRange,
}

impl<'a> GroupedConv2d<'a> {
    /// A layer of any number of groups.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, or the zero point or clamp lies outside of int8.
    pub const fn new(shape: Conv2dShape, weights: Weights<'a>, output: OutputRange) -> Result<Self, ShapeError> {
        if let Err(error) = weights.check(shape.weights(), shape.output().channels) {
            return Err(error);
        }
        match output.check_int8(weights.input_zero_point) {
            Ok(_) => Ok(Self { shape, weights, output }),
            Err(error) => Err(error),
        }
    }

    /// The shape.
    pub const fn shape(&self) -> &Conv2dShape {
        &self.shape
    }
}

/// Runs the convolution, row by row.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the shape says, or overlap where they must not.
pub fn grouped_conv2d(layer: &GroupedConv2d<'_>, mut tensors: impl Tensors<i8>) -> Result<(), ShapeError> {
    let (shape, zero_point) = (&layer.shape, layer.weights.input_zero_point);
    tensors.check(shape.input_len(), shape.output_len(), shape.overlap_gap())?;
    let (input, output) = tensors.split();
    let dot = |sum: i32, start: usize, weights: &[i8]| {
        let products = input.part(start, weights.len()).elements().zip(weights);
        products.fold(sum, |sum, (x, &w)| sum.wrapping_add((i32::from(x) - zero_point) * i32::from(w)))
    };
    each_output(shape, layer.weights.values, output, dot, |channel, sum, result| {
        let sum = sum.wrapping_add(layer.weights.bias(channel));
        result.set(layer.output.finish(layer.weights.multiplier(channel).apply(sum)) as i8);
    });
    Ok(())
}

/// Walks through the outputs of a convolution: `dot` adds to a sum the products of a run of the input, from the given
/// element on, with as many weights; `finish` turns the sum of an output channel into the result.
#[inline(always)]
pub(super) fn each_output<T, S: Default>(
    shape: &Conv2dShape,
    weights: &[i8],
    output: &[core::cell::Cell<T>],
    dot: impl Fn(S, usize, &[i8]) -> S,
    finish: impl Fn(usize, S, &core::cell::Cell<T>),
) {
    let (channels, group_inputs) = (shape.input().channels, shape.group_inputs());
    let kernel_row = shape.columns().kernel() * group_inputs;
    // Taps that are neighbours in the input are so in the weights when there is one group: one run.
    let adjacent = shape.groups() == 1 && shape.columns().dilation() == 1;
    let mut pixels = output.chunks_exact(shape.output().channels.max(1));
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let (first_row, last_row) = shape.rows().taps(row);
            for position in 0..shape.output().width {
                let (first, last) = shape.columns().taps(position);
                let Some(pixel) = pixels.next() else { return };
                let (runs, run) = match (first < last, adjacent) {
                    (false, _) => (0, 0),
                    (true, true) => (1, (last - first) * group_inputs),
                    (true, false) => (last - first, group_inputs),
                };
                let mut filters = weights.chunks_exact(shape.depth().max(1)).enumerate();
                for (group, results) in pixel.chunks_exact(shape.group_outputs().max(1)).enumerate() {
                    for (result, (channel, filter)) in results.iter().zip(&mut filters) {
                        let mut sum = S::default();
                        for tap_row in first_row..last_row {
                            let y = image * shape.input().height + shape.rows().position(row, tap_row);
                            for tap in first..first + runs {
                                let x = shape.columns().position(position, tap);
                                let start = (y * shape.input().width + x) * channels + group * group_inputs;
                                let weight = tap_row * kernel_row + tap * group_inputs;
                                sum = dot(sum, start, filter.get(weight..weight + run).unwrap_or_else(excluded));
                            }
                        }
                        finish(channel, sum, result);
                    }
                }
            }
        }
    }
}

//! Transposed 2-D convolution (TRANSPOSE_CONV), int8 and int16: the adjoint of a convolution that has this operator's output
//! for its input. Each input pixel adds its products to every output pixel that a convolution would have read it for.
//!
//! - y[o] = clamp(z_out + M_o · (b_o + Σ w[o, k, i] · (x[i] − z_in))), summed over the taps k and inputs i that meet: output
//!   position p meets input q at tap k where q · stride + k − before = p. Weights OHWI, O the output's channels.
//! - Written as a gather over the output, so that no accumulators are stored: row by row, one output at a time.
//! - int8: i32 accumulators, [`Multiplier::apply`]; int16: as [`conv2d_int16`](super::conv2d_int16).
//! - Held by: `tconv_*`, `transpose_conv_*` goldens; random shapes against the naive oracle
//!   (tests/host/registry/conformance.rs).

use smolnn_core::{Conv2dShape, ShapeError, Window, excluded};

use super::int16::{Sums, WeightsInt16, dot};
use crate::Weights;
use crate::quantise::OutputRange;

/// A transposed convolution of int8, checked. Its shape is that of the convolution it is the adjoint of: `shape.input` is
/// this operator's output and `shape.output` its input.
#[derive(Clone, Copy, Debug)]
pub struct TransposeConv2d<'a> {
    shape: Conv2dShape,
    weights: Weights<'a>,
    output: OutputRange,
}

/// Checks what both types share: the weights are those of `adjoint` with both kinds of channels exchanged.
const fn check(adjoint: &Conv2dShape) -> Result<(), ShapeError> {
    if adjoint.groups() != 1 || adjoint.rows().dilation() != 1 || adjoint.columns().dilation() != 1 {
        return Err(ShapeError::Range("transposed convolutions have one group and no dilation"));
    }
    Ok(())
}

impl<'a> TransposeConv2d<'a> {
    /// The adjoint of a convolution of shape `adjoint`. Weights are (output channels of this operator) × kernel rows ×
    /// kernel columns × (input channels of this operator).
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, the convolution has groups or dilation, or the clamp is outside of
    /// int8.
    pub const fn new(adjoint: Conv2dShape, weights: Weights<'a>, output: OutputRange) -> Result<Self, ShapeError> {
        if let Err(error) = check(&adjoint) {
            return Err(error);
        }
        if let Err(error) = weights.check(adjoint.weights(), adjoint.input().channels) {
            return Err(error);
        }
        if let Err(error) = output.check_int8(weights.input_zero_point) {
            return Err(error);
        }
        Ok(Self { shape: adjoint, weights, output })
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.shape.output_len()
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.shape.input_len()
    }
}

/// The taps that bring input to position `position` of the output, each with the input position it brings.
#[inline(always)]
fn meetings(window: &Window, position: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (kernel, stride, before, inputs) = (window.kernel(), window.stride(), window.before(), window.output());
    (0..kernel).filter_map(move |tap| {
        let from = (position + before).checked_sub(tap)?;
        let (at, rest) = (from.checked_div(stride)?, from.checked_rem(stride)?);
        (rest == 0 && at < inputs).then_some((tap, at))
    })
}

/// Calls `finish` with the index of each output channel in turn, pixel by pixel, and the sum over `meet(input, weights)`,
/// where both are the start of a run of the input's channels.
#[inline(always)]
fn each_output<S: core::ops::AddAssign + Default>(
    shape: &Conv2dShape,
    meet: impl Fn(usize, usize) -> S,
    mut finish: impl FnMut(usize, usize, S),
) {
    let (inputs, outputs) = (shape.output().channels, shape.input().channels);
    let mut at = 0;
    for image in 0..shape.batch() {
        for row in 0..shape.input().height {
            for column in 0..shape.input().width {
                for channel in 0..outputs {
                    let mut sum = S::default();
                    for (tap_row, y) in meetings(&shape.rows(), row) {
                        for (tap, x) in meetings(&shape.columns(), column) {
                            let pixel = (image * shape.output().height + y) * shape.output().width + x;
                            let filter = channel * shape.rows().kernel() + tap_row;
                            let weight = (filter * shape.columns().kernel() + tap) * inputs;
                            sum += meet(pixel * inputs, weight);
                        }
                    }
                    finish(at, channel, sum);
                    at += 1;
                }
            }
        }
    }
}

/// Runs the transposed convolution.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn transpose_conv2d(layer: &TransposeConv2d<'_>, input: &[i8], output: &mut [i8]) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    ShapeError::check_length("the input", layer.input_len(), input.len())?;
    ShapeError::check_length("the output", layer.output_len(), output.len())?;
    let channels = shape.output().channels;
    let zero_point = layer.weights.input_zero_point;
    let meet = |start: usize, weight: usize| {
        let values = input.get(start..start + channels).unwrap_or_else(excluded);
        let weights = layer.weights.values.get(weight..weight + channels).unwrap_or_else(excluded);
        let products = values.iter().zip(weights).map(|(&x, &w)| (i32::from(x) - zero_point) * i32::from(w));
        core::num::Wrapping(products.fold(0_i32, i32::wrapping_add))
    };
    each_output(shape, meet, |at, channel, sum| {
        let sum = sum.0.wrapping_add(layer.weights.bias(channel));
        if let Some(result) = output.get_mut(at) {
            *result = layer.output.finish(layer.weights.multiplier(channel).apply(sum)) as i8;
        }
    });
    Ok(())
}

/// A transposed convolution of int16 activations, checked; its shape as in [`TransposeConv2d`].
#[derive(Clone, Copy, Debug)]
pub struct TransposeConv2dInt16<'a> {
    shape: Conv2dShape,
    weights: WeightsInt16<'a>,
    sums: Sums,
    output: OutputRange,
}

impl<'a> TransposeConv2dInt16<'a> {
    /// The adjoint of a convolution of shape `adjoint`, with 64-bit sums; weights as in [`TransposeConv2d::new`].
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, a bias is too large, the convolution has groups or dilation, or the
    /// clamp is outside of int16.
    pub const fn new(adjoint: Conv2dShape, weights: WeightsInt16<'a>, output: OutputRange) -> Result<Self, ShapeError> {
        Self::with_sums(adjoint, weights, Sums::Bits64, output)
    }

    /// A layer as [`new`](Self::new) makes it, with sums of the given width.
    ///
    /// # Errors
    /// The errors are those of [`new`](Self::new), and one for 32-bit sums with weights in short form.
    pub const fn with_sums(
        adjoint: Conv2dShape,
        weights: WeightsInt16<'a>,
        sums: Sums,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = check(&adjoint) {
            return Err(error);
        }
        if let Err(error) = weights.check(adjoint.weights(), adjoint.input().channels, sums) {
            return Err(error);
        }
        match output.check_int16() {
            Ok(()) => Ok(Self { shape: adjoint, weights, sums, output }),
            Err(error) => Err(error),
        }
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.shape.output_len()
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.shape.input_len()
    }
}

/// Runs the transposed convolution of int16.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn transpose_conv2d_int16(
    layer: &TransposeConv2dInt16<'_>,
    input: &[i16],
    output: &mut [i16],
) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    ShapeError::check_length("the input", layer.input_len(), input.len())?;
    ShapeError::check_length("the output", layer.output_len(), output.len())?;
    let channels = shape.output().channels;
    let meet = |start: usize, weight: usize| {
        let values = input.get(start..start + channels).unwrap_or_else(excluded);
        dot(values, layer.weights.values.get(weight..weight + channels).unwrap_or_else(excluded))
    };
    each_output(shape, meet, |at, channel, sum| {
        if let Some(result) = output.get_mut(at) {
            *result = layer.weights.finish(channel, sum, layer.sums, &layer.output);
        }
    });
    Ok(())
}

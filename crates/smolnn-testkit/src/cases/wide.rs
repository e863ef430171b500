//! Cases of the layers with weights that are not packed: int16 activations, and transposed convolutions.

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape};
use smolnn_fixed::conv::{
    Conv2dInt16, DepthwiseConv2dInt16, GroupedConv2d, Sums, TransposeConv2d, TransposeConv2dInt16, WeightsInt16,
    conv2d_int16 as conv, depthwise_conv2d_int16 as depthwise, grouped_conv2d as grouped,
    transpose_conv2d as transpose, transpose_conv2d_int16 as transpose_int16,
};
use smolnn_fixed::dense_int16::{DenseInt16, dense_int16 as dense};
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Channel, Weights};

use super::plain::{apart_and_overlapping, dispatch_tensors, range};
use super::weighted::{draw_weights, draw_window, drawn};
use super::{Case, Failure, Trial, compare};
use crate::{Random, oracle};

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    Case {
        kernel: "conv/grouped.rs::grouped_conv2d",
        domain: "windows as conv2d, 1..=4 groups",
        tolerance: 0,
        run: grouped_conv2d,
    },
    Case {
        kernel: "conv/int16.rs::conv2d_int16",
        domain: "windows as conv2d, 1..=4 groups, sums of 32 and 64 bits",
        tolerance: 0,
        run: conv2d_int16,
    },
    Case {
        kernel: "conv/int16.rs::depthwise_conv2d_int16",
        domain: "windows as conv2d, depth multipliers 1..=3, sums of 32 and 64 bits",
        tolerance: 0,
        run: depthwise_conv2d_int16,
    },
    Case {
        kernel: "dense_int16.rs::dense_int16",
        domain: "vectors of 1..=700, sums of 32 and 64 bits",
        tolerance: 0,
        run: dense_int16,
    },
    Case {
        kernel: "conv/transpose.rs::transpose_conv2d",
        domain: "adjoints of conv2d's windows without dilation",
        tolerance: 0,
        run: transpose_conv2d,
    },
    Case {
        kernel: "conv/transpose.rs::transpose_conv2d_int16",
        domain: "adjoints of conv2d's windows without dilation, sums of 32 and 64 bits",
        tolerance: 0,
        run: transpose_conv2d_int16,
    },
];

/// Most output channels of a trial.
const CHANNELS: usize = 24;

/// Biases, multipliers and output range, drawn at random.
struct Parameters {
    bias: [i64; CHANNELS],
    multipliers: [Multiplier; CHANNELS],
    has_bias: bool,
    per_channel: bool,
    sums: Sums,
    output: OutputRange,
}

impl Parameters {
    fn draw(random: &mut Random, depth: usize) -> Self {
        let usual = -7 - (usize::BITS - depth.leading_zeros()) as i32 / 2;
        Self {
            bias: core::array::from_fn(|_| i64::from(random.between(-100_000, 100_000)) * 50),
            multipliers: core::array::from_fn(|_| Multiplier {
                mantissa: random.between(1 << 30, i32::MAX),
                shift: (usual + random.between(-3, 4)).clamp(-31, 7),
            }),
            has_bias: !random.one_in(5),
            per_channel: !random.one_in(4),
            sums: if random.one_in(4) { Sums::Bits32 } else { Sums::Bits64 },
            output: range::<i16>(random),
        }
    }

    fn weights<'a>(&'a self, values: &'a [i8], channels: usize) -> WeightsInt16<'a> {
        WeightsInt16 {
            values,
            bias: if self.has_bias { &self.bias[..channels] } else { &[] },
            multipliers: &self.multipliers[..if self.per_channel { channels } else { 1 }],
            short: &[],
        }
    }

    /// The output for the sum of products of a channel.
    fn finish(&self, channel: usize, sum: i64) -> i16 {
        let bias = if self.has_bias { self.bias[channel] } else { 0 };
        let multiplier = self.multipliers[if self.per_channel { channel } else { 0 }];
        let value = match self.sums {
            Sums::Bits64 => oracle::requantise_wide(sum + bias, multiplier),
            Sums::Bits32 => oracle::requantise((sum + bias) as i32, multiplier).into(),
        };
        value.clamp(self.output.minimum.into(), self.output.maximum.into()) as i16
    }
}

/// A convolution of some groups, mostly one.
fn draw_groups(random: &mut Random, outputs: usize) -> Result<Conv2dShape, Failure> {
    let (window, _) = draw_window(random);
    let groups = random.pick(&[1, 1, 2, 3, 4]);
    drawn(window.groups(groups).conv(outputs))
}

fn grouped_conv2d(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let outputs = random.length(1, CHANNELS);
    let shape = draw_groups(random, outputs)?;
    let parameters = Parameters::draw(random, shape.depth());
    let bias = parameters.bias.map(|bias| (bias / 50) as i32);
    let values = draw_weights(random, &mut memory, shape.weights())?;
    let zero_point = random.int8();
    let weights = Weights {
        values,
        bias: if parameters.has_bias { &bias[..outputs] } else { &[] },
        multipliers: &parameters.multipliers[..if parameters.per_channel { outputs } else { 1 }],
        input_zero_point: zero_point.into(),
    };
    let output = super::output_range(random);
    let layer = GroupedConv2d::new(shape, weights, output).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(shape.input_len(), || random.int8())?;
    let expected = |index: usize| {
        let sum = oracle::conv2d_sum(&shape, values, index, |at| i64::from(input[at]) - i64::from(zero_point));
        oracle::after_sum(sum, &weights, index % outputs, &output)
    };
    apart_and_overlapping!(memory, tolerance, input, shape.output_len(), shape.overlap_gap(), expected, |tensors| {
        dispatch_tensors!(|tensors| grouped(&layer, tensors), tensors)
    })
}

pub(super) fn conv2d_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let outputs = random.length(1, CHANNELS);
    let shape = draw_groups(random, outputs)?;
    let parameters = Parameters::draw(random, shape.depth());
    let values = draw_weights(random, &mut memory, shape.weights())?;
    let input = memory.filled(shape.input_len(), || random.int16())?;
    let weights = parameters.weights(values, outputs);
    let layer = Conv2dInt16::with_sums(shape, weights, parameters.sums, parameters.output)
        .map_err(Failure::refused("the layer"))?;
    let expected = |index: usize| {
        let sum = oracle::conv2d_sum(&shape, values, index, |at| i64::from(input[at]));
        parameters.finish(index % outputs, sum)
    };
    apart_and_overlapping!(memory, tolerance, input, shape.output_len(), shape.overlap_gap(), expected, |tensors| {
        dispatch_tensors!(|tensors| conv(&layer, tensors), tensors)
    })
}

pub(super) fn depthwise_conv2d_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (window, channels) = draw_window(random);
    let multiplier = random.pick(&[1, 1, 1, 2, 3]);
    if channels * multiplier > CHANNELS {
        return Err(Failure::TooSmall);
    }
    let shape: DepthwiseConv2dShape = drawn(window.depthwise(multiplier))?;
    let outputs = shape.output().channels;
    let parameters = Parameters::draw(random, shape.depth());
    let values = draw_weights(random, &mut memory, shape.weights())?;
    let input = memory.filled(shape.input_len(), || random.int16())?;
    let weights = parameters.weights(values, outputs);
    let layer = DepthwiseConv2dInt16::with_sums(shape, weights, parameters.sums, parameters.output)
        .map_err(Failure::refused("the layer"))?;
    let expected = |index: usize| {
        let sum = oracle::depthwise_conv2d_sum(&shape, values, index, |at| i64::from(input[at]));
        parameters.finish(index % outputs, sum)
    };
    apart_and_overlapping!(memory, tolerance, input, shape.output_len(), shape.overlap_gap(), expected, |tensors| {
        dispatch_tensors!(|tensors| depthwise(&layer, tensors), tensors)
    })
}

pub(super) fn dense_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let inputs = if random.one_in(4) { random.length(1, 700) } else { random.length(1, 40) };
    let shape = drawn(DenseShape::new(random.length(1, 3), inputs, random.length(1, CHANNELS)))?;
    let parameters = Parameters::draw(random, inputs);
    let values = draw_weights(random, &mut memory, shape.weights())?;
    let input = memory.filled(shape.input_len(), || random.int16())?;
    let output = memory.elements(shape.output_len())?;
    let expected = |index: usize| {
        let (vector, channel) = (index / shape.outputs() * inputs, index % shape.outputs());
        let products = (0..inputs).map(|at| i64::from(input[vector + at]) * i64::from(values[channel * inputs + at]));
        parameters.finish(channel, products.sum())
    };
    let mut run = |what: &'static str, weights: WeightsInt16<'_>| {
        let layer = DenseInt16::with_sums(shape, weights, parameters.sums, parameters.output)
            .map_err(Failure::refused("the layer"))?;
        output.fill(85);
        dense(&layer, input, output).map_err(Failure::refused(what))?;
        compare(what, tolerance, output, expected)
    };
    let weights = parameters.weights(values, shape.outputs());
    run("long form", weights)?;
    let mut channels = [Channel::default(); CHANNELS];
    let short = &mut channels[..shape.outputs()];
    if parameters.sums == Sums::Bits64 && weights.shorten(inputs, short) {
        run("short form", WeightsInt16 { bias: &[], multipliers: &[], short, ..weights })?;
    }
    Ok(())
}

/// A convolution whose adjoint is run: few output channels, no dilation.
fn draw_adjoint(random: &mut Random) -> Result<Conv2dShape, Failure> {
    let (window, channels) = draw_window(random);
    let shape = drawn(window.dilation(1, 1).conv(random.length(1, 12)))?;
    if channels > CHANNELS { Err(Failure::TooSmall) } else { Ok(shape) }
}

pub(super) fn transpose_conv2d(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let shape = draw_adjoint(random)?;
    let outputs = shape.input().channels;
    let parameters = Parameters::draw(random, shape.depth());
    let bias = parameters.bias.map(|bias| (bias / 50) as i32);
    let values = draw_weights(random, &mut memory, shape.weights())?;
    let zero_point = random.int8().into();
    let weights = Weights {
        values,
        bias: if parameters.has_bias { &bias[..outputs] } else { &[] },
        multipliers: &parameters.multipliers[..outputs],
        input_zero_point: zero_point,
    };
    let output = super::output_range(random);
    let layer = TransposeConv2d::new(shape, weights, output).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.input_len(), || random.int8())?;
    let result = memory.elements(layer.output_len())?;
    transpose(&layer, input, result).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, result, |index| {
        let sum =
            oracle::transpose_conv2d_sum(&shape, values, index, |at| i64::from(input[at]) - i64::from(zero_point));
        oracle::after_sum(sum, &weights, index % outputs, &output)
    })
}

pub(super) fn transpose_conv2d_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let shape = draw_adjoint(random)?;
    let outputs = shape.input().channels;
    let parameters = Parameters::draw(random, shape.depth());
    let values = draw_weights(random, &mut memory, shape.weights())?;
    let weights = parameters.weights(values, outputs);
    let layer = TransposeConv2dInt16::with_sums(shape, weights, parameters.sums, parameters.output)
        .map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.input_len(), || random.int16())?;
    let result = memory.elements(layer.output_len())?;
    transpose_int16(&layer, input, result).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, result, |index| {
        let sum = oracle::transpose_conv2d_sum(&shape, values, index, |at| i64::from(input[at]));
        parameters.finish(index % outputs, sum)
    })
}

//! Layers with int16 activations (CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED lead here), and TRANSPOSE_CONV: their weights stay as the
//! file has them.

use std::fmt::Display;

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, ShapeError};
use smolnn_fixed::conv::{
    Conv2dInt16, DepthwiseConv2dInt16, TransposeConv2d, TransposeConv2dInt16, WeightsInt16, conv2d_int16,
    depthwise_conv2d_int16, transpose_conv2d, transpose_conv2d_int16,
};
use smolnn_fixed::dense_int16::{DenseInt16, dense_int16};
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Channel, Weights};

use super::conv::{LayerWeights, Sliding, WindowOptions};
use super::{Check, Definition, Kernel, Lowered, activation_label, range_text, simple_call};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::{Element, TensorId};
use crate::memory::{Io, Memory, with_tensors};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] =
    &[Definition { name: "TRANSPOSE_CONV", versions: 1..=5, lower: transpose_conv }];

/// Weights, biases and multipliers of a layer.
#[derive(Debug)]
pub(super) struct WideLayer {
    weights: Vec<i8>,
    bias: Vec<i64>,
    multipliers: Vec<Multiplier>,
    /// Biases and multipliers in short form, where the kernel is a dense layer and they have one; those above are empty then.
    short: Vec<Channel>,
}

impl WideLayer {
    /// A layer with its int64 bias, if there is one, at input `bias`.
    pub(super) fn new(
        check: &Check<'_>,
        weights: Vec<i8>,
        bias: usize,
        channels: usize,
        multipliers: Vec<Multiplier>,
    ) -> Result<Self, Problem> {
        let bias = if check.optional_input(bias).is_some() { check.wide_bias(bias, channels)? } else { Vec::new() };
        Self::with_bias(check, weights, bias, multipliers)
    }

    /// A layer with its bias; an empty one stands for zeros.
    pub(super) fn with_bias(
        check: &Check<'_>,
        weights: Vec<i8>,
        bias: Vec<i64>,
        multipliers: Vec<Multiplier>,
    ) -> Result<Self, Problem> {
        // As the reference asserts: 64-bit sums are scaled by factors below 2^8.
        if multipliers.iter().any(|multiplier| multiplier.shift > 7) {
            return Err(check.fault("scales whose quotient is 256 or more", "s_in · s_w / s_out below 256"));
        }
        Ok(Self { weights, bias, multipliers, short: Vec::new() })
    }

    /// Puts the short form in the place of biases and multipliers, if rows of `depth` weights have one.
    fn shorten(mut self, depth: usize, channels: usize) -> Self {
        let mut short = vec![Channel::default(); channels];
        if self.weights().shorten(depth, &mut short) {
            (self.bias, self.multipliers, self.short) = (Vec::new(), Vec::new(), short);
        }
        self
    }

    fn bytes(&self) -> usize {
        self.weights.len()
            + size_of_val(&self.bias[..])
            + size_of_val(&self.multipliers[..])
            + size_of_val(&self.short[..])
    }

    fn weights(&self) -> WeightsInt16<'_> {
        let Self { weights, bias, multipliers, short } = self;
        WeightsInt16 { values: weights, bias, multipliers, short }
    }

    /// The fields of the weights as Rust, in constants whose names end in `key`.
    fn fields<B: Display>(
        source: &mut Source,
        key: &dyn Display,
        weights: &[i8],
        bias: (&str, &[B]),
        multipliers: &[Multiplier],
    ) -> String {
        let values = source.numbers(&format!("WEIGHTS_{key}"), "i8", weights);
        let bias = source.numbers(&format!("BIAS_{key}"), bias.0, bias.1);
        let multipliers = source.multipliers(&format!("MULTIPLIERS_{key}"), multipliers);
        format!("values: &{values}, bias: &{bias}, multipliers: &{multipliers}")
    }

    fn text(&self, source: &mut Source, key: &dyn Display) -> String {
        let fields = Self::fields(source, key, &self.weights, ("i64", &self.bias), &self.multipliers);
        let short = source.channels(&format!("CHANNELS_{key}"), &self.short);
        format!("WeightsInt16 {{ {fields}, short: &{short} }}")
    }
}

/// The shape of an int16 convolution: of every input channel, or depthwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape16 {
    Conv2d(Conv2dShape),
    Depthwise(DepthwiseConv2dShape),
}

#[derive(Debug)]
struct ConvKernel16 {
    shape: Shape16,
    text: String,
    layer: WideLayer,
    output: OutputRange,
}

/// An int16 convolution of this shape, which `text` makes as Rust.
pub(super) fn conv(
    check: &Check<'_>,
    input: TensorId,
    shape: Shape16,
    text: String,
    layer: WideLayer,
    output: OutputRange,
    label: String,
) -> Result<Lowered, Problem> {
    check.shape(match shape {
        Shape16::Conv2d(shape) => Conv2dInt16::new(shape, layer.weights(), output).map(|_| ()),
        Shape16::Depthwise(shape) => DepthwiseConv2dInt16::new(shape, layer.weights(), output).map(|_| ()),
    })?;
    let kernel = ConvKernel16 { shape, text, layer, output };
    Ok(Lowered::Step { inputs: vec![input], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for ConvKernel16 {
    fn macs(&self) -> u64 {
        match self.shape {
            Shape16::Conv2d(shape) => shape.macs() as u64,
            Shape16::Depthwise(shape) => shape.macs() as u64,
        }
    }

    fn constant_bytes(&self) -> usize {
        self.layer.bytes()
    }

    fn overlap_gap(&self, _: usize) -> Option<usize> {
        let elements = match self.shape {
            Shape16::Conv2d(shape) => shape.overlap_gap(),
            Shape16::Depthwise(shape) => shape.overlap_gap(),
        };
        Some(elements * size_of::<i16>())
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let weights = self.layer.weights();
        match self.shape {
            Shape16::Conv2d(shape) => {
                let layer = Conv2dInt16::new(shape, weights, self.output)?;
                with_tensors!(memory.tensors()?, tensors => conv2d_int16(&layer, tensors))
            }
            Shape16::Depthwise(shape) => {
                let layer = DepthwiseConv2dInt16::new(shape, weights, self.output)?;
                with_tensors!(memory.tensors()?, tensors => depthwise_conv2d_int16(&layer, tensors))
            }
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let (function, layer) = match self.shape {
            Shape16::Conv2d(_) => ("conv2d_int16", "Conv2dInt16"),
            Shape16::Depthwise(_) => ("depthwise_conv2d_int16", "DepthwiseConv2dInt16"),
        };
        let weights = self.layer.text(source, &io.step);
        let text = format!("{layer}::new(shape!({}), {weights}, {})", self.text, range_text(&self.output));
        simple_call(source, io, function, &format!("{layer}<'static>"), &text)
    }
}

/// An int16 dense layer.
#[derive(Debug)]
pub(super) struct DenseKernel16 {
    pub shape: DenseShape,
    layer: WideLayer,
    output: OutputRange,
}

/// An int16 dense layer as a step of its own.
pub(super) fn dense(
    check: &Check<'_>,
    input: TensorId,
    shape: DenseShape,
    layer: WideLayer,
    output: OutputRange,
    label: String,
) -> Result<Lowered, Problem> {
    let kernel = DenseKernel16::new(shape, layer, output);
    check.shape(kernel.layer().map(|_| ()))?;
    Ok(Lowered::Step { inputs: vec![input], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl DenseKernel16 {
    pub(super) fn new(shape: DenseShape, layer: WideLayer, output: OutputRange) -> Self {
        Self { shape, layer: layer.shorten(shape.inputs(), shape.outputs()), output }
    }

    pub(super) fn layer(&self) -> Result<DenseInt16<'_>, ShapeError> {
        DenseInt16::new(self.shape, self.layer.weights(), self.output)
    }

    /// The layer's constructor as Rust.
    pub(super) fn text(&self, source: &mut Source, key: &dyn Display) -> String {
        let (batch, inputs, outputs) = (self.shape.batch(), self.shape.inputs(), self.shape.outputs());
        let (layer, range) = (self.layer.text(source, key), range_text(&self.output));
        format!("DenseInt16::new(shape!(DenseShape::new({batch}, {inputs}, {outputs})), {layer}, {range})")
    }
}

impl Kernel for DenseKernel16 {
    fn macs(&self) -> u64 {
        self.shape.macs() as u64
    }

    fn constant_bytes(&self) -> usize {
        self.layer.bytes()
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        dense_int16(&self.layer()?, memory.input(0)?, memory.output(0)?)
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let text = self.text(source, &io.step);
        let layer = source.layer(io.step, "DenseInt16<'static>", &text);
        format!("dense_int16(&{layer}, {}, {})", io.input_text(source, 0), io.output_text(0))
    }
}

/// Weights of a transposed convolution: with 32-bit biases for int8, 64-bit ones for int16.
#[derive(Debug)]
enum Sums {
    I8 { weights: Vec<i8>, bias: Vec<i32>, multipliers: Vec<Multiplier>, input_zero_point: i32 },
    I16(WideLayer),
}

#[derive(Debug)]
struct TransposeKernel {
    /// The convolution of which this one is the adjoint: its input is our output.
    adjoint: Conv2dShape,
    text: String,
    layer: Sums,
    output: OutputRange,
}

fn transpose_conv(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(3..=4, 1)?;
    let Options::TransposeConv(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.quantised_input(2, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    let weights = LayerWeights::new(check, 4, 0)?;
    let &[outputs, height, width, depth] = weights.shape else { return Err(check.no_options()) };
    let [batch, rows, columns, inputs] = check.nhwc(input.id)?;
    if depth != inputs {
        let found = format!("weights for {depth} of {inputs} input channels");
        return Err(check.tensor_fault(check.input(1)?, found, "weights for all input channels"));
    }
    let [_, out_rows, out_columns, _] = check.nhwc(output.id)?;
    check.output_shape(0, &[batch, out_rows, out_columns, outputs])?;
    let wanted = check.integers(check.input(0)?, "output shape")?;
    if !wanted.iter().copied().eq(output.shape().iter().map(|&length| length as i64)) {
        let found = format!("output shape {wanted:?}");
        return Err(check.tensor_fault(check.input(0)?, found, &format!("that of the output, {:?}", output.shape())));
    }
    let window =
        WindowOptions { padding: options.padding, stride: (options.stride_h, options.stride_w), dilation: (1, 1) };
    let sliding = Sliding::new(check, output.id, (height, width), &window)?;
    let adjoint = check.shape(sliding.window().conv(inputs))?;
    if (adjoint.output().height, adjoint.output().width) != (rows, columns) {
        let found = format!("{rows}x{columns} to {out_rows}x{out_columns} pixels");
        let supported = format!("an input of {}x{} for that output", adjoint.output().height, adjoint.output().width);
        return Err(check.tensor_fault(input.id, found, &supported));
    }
    let multipliers = weights.multipliers(check, &input, &output)?;
    const BIAS: usize = 3;
    let layer = if input.tensor.element == Element::I16 {
        Sums::I16(WideLayer::new(check, weights.values, BIAS, outputs, multipliers)?)
    } else {
        let bias = if check.optional_input(BIAS).is_some() { check.bias(BIAS, outputs)? } else { Vec::new() };
        Sums::I8 { weights: weights.values, bias, multipliers, input_zero_point: input.zero_point }
    };
    let activation = check.activation(options.activation)?;
    let label = sliding.label() + activation_label(activation);
    let text = format!("{}.conv({inputs})", sliding.text());
    let kernel = TransposeKernel { adjoint, text, layer, output: output.range(activation) };
    check.shape(match &kernel.layer {
        Sums::I8 { .. } => kernel.layer().map(|_| ()),
        Sums::I16(layer) => kernel.layer16(layer).map(|_| ()),
    })?;
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl TransposeKernel {
    fn layer(&self) -> Result<TransposeConv2d<'_>, ShapeError> {
        let (values, bias, multipliers, input_zero_point) = match &self.layer {
            Sums::I8 { weights, bias, multipliers, input_zero_point } => {
                (&weights[..], &bias[..], &multipliers[..], *input_zero_point)
            }
            Sums::I16(layer) => (&layer.weights[..], &[][..], &layer.multipliers[..], 0),
        };
        let weights = Weights { values, bias, multipliers, input_zero_point };
        TransposeConv2d::new(self.adjoint, weights, self.output)
    }

    fn layer16<'a>(&self, layer: &'a WideLayer) -> Result<TransposeConv2dInt16<'a>, ShapeError> {
        TransposeConv2dInt16::new(self.adjoint, layer.weights(), self.output)
    }
}

impl Kernel for TransposeKernel {
    fn macs(&self) -> u64 {
        self.adjoint.macs() as u64
    }

    fn constant_bytes(&self) -> usize {
        match &self.layer {
            Sums::I8 { weights, bias, multipliers, .. } => {
                weights.len() + size_of_val(&bias[..]) + size_of_val(&multipliers[..])
            }
            Sums::I16(layer) => layer.bytes(),
        }
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        match &self.layer {
            Sums::I8 { .. } => transpose_conv2d(&self.layer()?, memory.input(0)?, memory.output(0)?),
            Sums::I16(layer) => transpose_conv2d_int16(&self.layer16(layer)?, memory.input(0)?, memory.output(0)?),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let (shape, range) = (format!("shape!({})", self.text), range_text(&self.output));
        let (kind, function, weights) = match &self.layer {
            Sums::I8 { weights, bias, multipliers, input_zero_point } => {
                let fields = WideLayer::fields(source, &io.step, weights, ("i32", bias), multipliers);
                let weights = format!("Weights {{ {fields}, input_zero_point: {input_zero_point} }}");
                ("TransposeConv2d", "transpose_conv2d", weights)
            }
            Sums::I16(layer) => ("TransposeConv2dInt16", "transpose_conv2d_int16", layer.text(source, &io.step)),
        };
        let (input, output) = (io.input_text(source, 0), io.output_text(0));
        format!("{function}(&{kind}::new({shape}, {weights}, {range})?, {input}, {output})")
    }
}

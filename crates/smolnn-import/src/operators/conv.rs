//! CONV_2D and DEPTHWISE_CONV_2D.

use std::fmt::Display;

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape, Image, ShapeError, Window2d, WindowSize as Extent};
use smolnn_fixed::conv::{Conv2d, DepthwiseConv2d, conv2d, depthwise_conv2d};
use smolnn_fixed::pack::{self, Packed};
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Channel, Weights};

use super::wide::{self, Shape16, WideLayer};
use super::{Check, Definition, Kernel, Lowered, Quantised, activation_label, range_text};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::{Element, TensorId};
use crate::memory::{Io, Memory, with_tensors};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "CONV_2D", versions: 1..=8, lower: conv2d_step },
    Definition { name: "DEPTHWISE_CONV_2D", versions: 1..=7, lower: depthwise_step },
];

/// A window over an image in the terms of the options, and the same as Rust.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    input: [usize; 4],
    kernel: (usize, usize),
    stride: (usize, usize),
    dilation: (usize, usize),
    padding: Padding,
}

/// Padding of a window.
#[derive(Clone, Copy, Debug)]
enum Padding {
    Same,
    Valid,
    /// Top, bottom, left, right: of a PAD before the operator.
    Explicit([usize; 4]),
}

/// The window options of an operator: padding, strides (h, w), dilations (h, w).
pub(super) struct WindowOptions {
    pub padding: i8,
    pub stride: (i32, i32),
    pub dilation: (i32, i32),
}

impl Sliding {
    pub(super) fn new(
        check: &Check<'_>,
        input: TensorId,
        kernel: (usize, usize),
        options: &WindowOptions,
    ) -> Result<Self, Problem> {
        let positive = |what: &str, (height, width): (i32, i32)| match (usize::try_from(height), usize::try_from(width))
        {
            (Ok(height), Ok(width)) if height > 0 && width > 0 => Ok((height, width)),
            _ => Err(check.fault(format!("{what} {height}x{width}"), "at least 1")),
        };
        let padding = match (options.padding, check.operator.padding) {
            (0, _) => Padding::Same,
            (1, None) => Padding::Valid,
            (1, Some(amounts)) => Padding::Explicit(amounts),
            (other, _) => return Err(check.fault(format!("padding {other}"), "SAME, VALID")),
        };
        Ok(Self {
            input: check.nhwc(input)?,
            kernel,
            stride: positive("stride", options.stride)?,
            dilation: positive("dilation", options.dilation)?,
            padding,
        })
    }

    pub(super) fn window(&self) -> Window2d {
        let [batch, height, width, channels] = self.input;
        let window =
            Window2d::over(Image::hwc(height, width, channels), Extent::hw(self.kernel.0, self.kernel.1)).batch(batch);
        let window = window.stride(self.stride.0, self.stride.1).dilation(self.dilation.0, self.dilation.1);
        match self.padding {
            Padding::Same => window.same(),
            Padding::Valid => window,
            Padding::Explicit([top, bottom, left, right]) => window.padding(top, bottom, left, right),
        }
    }

    /// The builder calls as Rust, without the last one.
    pub(super) fn text(&self) -> String {
        let [batch, height, width, channels] = self.input;
        let mut text = format!(
            "Window2d::over(Image::hwc({height}, {width}, {channels}), WindowSize::hw({}, {}))",
            self.kernel.0, self.kernel.1
        );
        if batch != 1 {
            text += &format!(".batch({batch})");
        }
        match self.padding {
            Padding::Same => text += ".same()",
            Padding::Valid => {}
            Padding::Explicit([top, bottom, left, right]) => {
                text += &format!(".padding({top}, {bottom}, {left}, {right})");
            }
        }
        if self.stride != (1, 1) {
            text += &format!(".stride({}, {})", self.stride.0, self.stride.1);
        }
        if self.dilation != (1, 1) {
            text += &format!(".dilation({}, {})", self.dilation.0, self.dilation.1);
        }
        text
    }

    /// Kernel, stride, padding for people.
    pub(super) fn label(&self) -> String {
        let dilation =
            if self.dilation == (1, 1) { String::new() } else { format!(" d{}x{}", self.dilation.0, self.dilation.1) };
        let padding = match self.padding {
            Padding::Same => "SAME".into(),
            Padding::Valid => "VALID".into(),
            Padding::Explicit([top, bottom, left, right]) => format!("PAD {top},{bottom},{left},{right}"),
        };
        format!("k{}x{} s{}x{}{dilation} {padding}", self.kernel.0, self.kernel.1, self.stride.0, self.stride.1)
    }
}

/// Weights of a layer and their quantisation, checked.
pub(super) struct LayerWeights<'a> {
    pub values: Vec<i8>,
    pub shape: &'a [usize],
    scales: &'a [f32],
}

impl<'a> LayerWeights<'a> {
    /// Int8 weights at input 1 with one scale or one per output channel along `channel_dimension`.
    pub(super) fn new(check: &Check<'a>, rank: usize, channel_dimension: usize) -> Result<Self, Problem> {
        let id = check.input(1)?;
        check.element(id, &[Element::I8])?;
        let tensor = check.tensor(id);
        if tensor.shape.len() != rank {
            return Err(check.tensor_fault(
                id,
                format!("weights of shape {:?}", tensor.shape),
                &format!("rank {rank}"),
            ));
        }
        let values = check.constant(id, "weights")?.iter().map(|&byte| byte as i8).collect();
        let Some(quantisation) = &tensor.quantisation else {
            return Err(check.tensor_fault(
                id,
                "weights without scale",
                "weights with one scale or one per output channel",
            ));
        };
        if let Some(point) = quantisation.zero_points.iter().find(|&&point| point != 0) {
            return Err(check.tensor_fault(
                id,
                format!("weights with zero point {point}"),
                "symmetric weights, zero point 0",
            ));
        }
        if quantisation.scales.len() > 1 && quantisation.dimension != channel_dimension {
            let found = format!("weights quantised along dimension {}", quantisation.dimension);
            return Err(check.tensor_fault(id, found, &format!("dimension {channel_dimension}, the output channels")));
        }
        Ok(Self { values, shape: &tensor.shape, scales: &quantisation.scales })
    }

    /// The int32 bias at input 2; empty where it is left out.
    pub(super) fn bias(check: &Check<'_>, channels: usize) -> Result<Vec<i32>, Problem> {
        if check.optional_input(2).is_some() { check.bias(2, channels) } else { Ok(Vec::new()) }
    }

    /// s_in · s_w / s_out in f64, per channel.
    pub(super) fn multipliers(
        &self,
        check: &Check<'_>,
        input: &Quantised<'_>,
        output: &Quantised<'_>,
    ) -> Result<Vec<Multiplier>, Problem> {
        let factor = |&scale: &f32| f64::from(input.scale) * f64::from(scale) / f64::from(output.scale);
        self.scales.iter().map(|scale| check.multiplier(factor(scale))).collect()
    }

    /// The scale, when there is one for all weights.
    pub(super) fn scale(&self) -> Option<f32> {
        if let [scale] = self.scales { Some(*scale) } else { None }
    }
}

/// Packed weights as the kernels take them, and as Rust.
#[derive(Debug)]
pub(super) struct PackedLayer {
    pub words: Vec<u32>,
    pub channels: Vec<Channel>,
    pub packed: Packed,
}

impl PackedLayer {
    /// Packs with `pack`, which is given room for `words` words and `channels` channels.
    pub(super) fn new(
        words: usize,
        channels: usize,
        pack: impl FnOnce(&mut [u32], &mut [Channel]) -> Result<Packed, ShapeError>,
    ) -> Result<Self, ShapeError> {
        let (mut words, mut channels) = (vec![0; words], vec![Channel::default(); channels]);
        let packed = pack(&mut words, &mut channels)?;
        words.truncate(packed.words);
        channels.truncate(packed.channels);
        Ok(Self { words, channels, packed })
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.words[..]) + size_of_val(&self.channels[..])
    }

    /// `shape, &WORDS, &CHANNELS, layout` as Rust.
    pub(super) fn text(&self, source: &mut Source, key: &dyn Display, shape: &str) -> String {
        let words = source.words(&format!("WEIGHTS_{key}"), &self.words);
        let channels = source.channels(&format!("CHANNELS_{key}"), &self.channels);
        format!("shape!({shape}), &{words}, &{channels}, Layout({})", self.packed.layout.0)
    }
}

#[derive(Debug)]
struct Conv2dKernel {
    sliding: Sliding,
    shape: Conv2dShape,
    layer: PackedLayer,
    output: OutputRange,
    input_zero_point: i32,
}

fn conv2d_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=3, 1)?;
    let Options::Conv2d(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    let weights = LayerWeights::new(check, 4, 0)?;
    let &[outputs, height, width, depth] = weights.shape else { return Err(check.no_options()) };
    let window = WindowOptions {
        padding: options.padding,
        stride: (options.stride_h, options.stride_w),
        dilation: (options.dilation_h, options.dilation_w),
    };
    let sliding = Sliding::new(check, input.id, (height, width), &window)?;
    if depth != sliding.input[3] {
        let found = format!("weights for {depth} of {} input channels", sliding.input[3]);
        return Err(check.tensor_fault(check.input(1)?, found, "weights for all input channels (no groups)"));
    }
    let shape = check.shape(sliding.window().conv(outputs))?;
    check.output_shape(0, &[shape.batch(), shape.output().height, shape.output().width, outputs])?;
    let activation = check.activation(options.activation)?;
    let range = output.range(activation);
    let label = sliding.label() + activation_label(activation);
    let multipliers = weights.multipliers(check, &input, &output)?;
    if input.tensor.element == Element::I16 {
        let layer = WideLayer::new(check, weights.values, 2, outputs, multipliers)?;
        let text = format!("{}.conv({outputs})", sliding.text());
        return wide::conv(check, input.id, Shape16::Conv2d(shape), text, layer, range, label);
    }
    let bias = LayerWeights::bias(check, outputs)?;
    let packing =
        Weights { values: &weights.values, bias: &bias, multipliers: &multipliers, input_zero_point: input.zero_point };
    let layer = PackedLayer::new(pack::conv2d_words(check.backend, &shape), outputs, |words, channels| {
        pack::conv2d(check.backend, &shape, &packing, &range, words, channels)
    });
    let label = sliding.label() + activation_label(activation);
    let kernel =
        Conv2dKernel { shape, layer: check.shape(layer)?, output: range, input_zero_point: input.zero_point, sliding };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for Conv2dKernel {
    fn macs(&self) -> u64 {
        self.shape.macs() as u64
    }

    fn constant_bytes(&self) -> usize {
        self.layer.bytes()
    }

    fn scratch_words(&self) -> usize {
        smolnn_fixed::conv::conv2d_scratch(self.layer.packed.layout, &self.shape)
    }

    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(self.shape.overlap_gap())
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let PackedLayer { words, channels, packed } = &self.layer;
        let layer = Conv2d::new(self.shape, words, channels, packed.layout, self.output, self.input_zero_point)?;
        with_tensors!(memory.tensors()?, tensors => conv2d(&layer, tensors, memory.scratch()))
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let shape = format!("{}.conv({})", self.sliding.text(), self.shape.output().channels);
        let packed = self.layer.text(source, &io.step, &shape);
        let checked = format!("Conv2d::new({packed}, {}, {})", range_text(&self.output), self.input_zero_point);
        let layer = source.layer(io.step, "Conv2d<'static>", &checked);
        format!("conv2d(&{layer}, {}, {})", io.tensors_text(), io.scratch_text())
    }
}

#[derive(Debug)]
struct DepthwiseKernel {
    sliding: Sliding,
    shape: DepthwiseConv2dShape,
    layer: PackedLayer,
    output: OutputRange,
    input_zero_point: i32,
}

fn depthwise_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=3, 1)?;
    let Options::DepthwiseConv2d(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    let weights = LayerWeights::new(check, 4, 3)?;
    let &[one, height, width, outputs] = weights.shape else { return Err(check.no_options()) };
    let window = WindowOptions {
        padding: options.padding,
        stride: (options.stride_h, options.stride_w),
        dilation: (options.dilation_h, options.dilation_w),
    };
    let sliding = Sliding::new(check, input.id, (height, width), &window)?;
    let channels = sliding.input[3];
    // The option `depth_multiplier` repeats what the shapes say, and not always rightly; TensorFlow ignores it as well.
    if one != 1 || outputs % channels != 0 {
        let supported = format!("shape [1, height, width, a multiple of {channels}]");
        return Err(check.tensor_fault(check.input(1)?, format!("weights of shape {:?}", weights.shape), &supported));
    }
    let shape = check.shape(sliding.window().depthwise(outputs / channels))?;
    check.output_shape(0, &[shape.batch(), shape.output().height, shape.output().width, outputs])?;
    let activation = check.activation(options.activation)?;
    let range = output.range(activation);
    let multiplier = if shape.multiplier() == 1 { String::new() } else { format!(" m{}", shape.multiplier()) };
    let label = sliding.label() + &multiplier + activation_label(activation);
    let multipliers = weights.multipliers(check, &input, &output)?;
    if input.tensor.element == Element::I16 {
        let layer = WideLayer::new(check, weights.values, 2, outputs, multipliers)?;
        let text = format!("{}.depthwise({})", sliding.text(), shape.multiplier());
        return wide::conv(check, input.id, Shape16::Depthwise(shape), text, layer, range, label);
    }
    let bias = LayerWeights::bias(check, outputs)?;
    let packing =
        Weights { values: &weights.values, bias: &bias, multipliers: &multipliers, input_zero_point: input.zero_point };
    let layer = PackedLayer::new(pack::depthwise_conv2d_words(check.backend, &shape), outputs, |words, channels| {
        pack::depthwise_conv2d(check.backend, &shape, &packing, &range, words, channels)
    });
    let kernel = DepthwiseKernel {
        shape,
        layer: check.shape(layer)?,
        output: range,
        input_zero_point: input.zero_point,
        sliding,
    };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for DepthwiseKernel {
    fn macs(&self) -> u64 {
        self.shape.macs() as u64
    }

    fn constant_bytes(&self) -> usize {
        self.layer.bytes()
    }

    fn scratch_words(&self) -> usize {
        smolnn_fixed::conv::depthwise_conv2d_scratch(self.layer.packed.layout, &self.shape)
    }

    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(self.shape.overlap_gap())
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let PackedLayer { words, channels, packed } = &self.layer;
        let layer =
            DepthwiseConv2d::new(self.shape, words, channels, packed.layout, self.output, self.input_zero_point)?;
        with_tensors!(memory.tensors()?, tensors => depthwise_conv2d(&layer, tensors, memory.scratch()))
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let shape = format!("{}.depthwise({})", self.sliding.text(), self.shape.multiplier());
        let packed = self.layer.text(source, &io.step, &shape);
        let checked =
            format!("DepthwiseConv2d::new({packed}, {}, {})", range_text(&self.output), self.input_zero_point);
        let layer = source.layer(io.step, "DepthwiseConv2d<'static>", &checked);
        format!("depthwise_conv2d(&{layer}, {}, {})", io.tensors_text(), io.scratch_text())
    }
}

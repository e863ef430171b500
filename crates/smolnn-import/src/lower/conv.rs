//! CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV, int8, int16 and f32.

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape, Pool2dShape, ShapeError, Window2d};
use smolnn_fixed::conv::{
    Conv2d, Conv2dInt16, DepthwiseConv2d, DepthwiseConv2dInt16, GroupedConv2d, TransposeConv2d, TransposeConv2dInt16,
    conv2d, conv2d_int16, depthwise_conv2d, depthwise_conv2d_int16, grouped_conv2d, transpose_conv2d,
    transpose_conv2d_int16,
};
use smolnn_fixed::pack::PackedShape;
use smolnn_fixed::quantise::OutputRange;
use smolnn_fixed::{Channel, Weights, pack};
use smolnn_float as float;

use super::Lowered;
use super::argument::Made;
use super::call::{Faster, call};
use super::context::{Context, activated, activation_label};
use super::weights::{LayerWeights, Owned, PackedWeights, never_packed, why_portable};
use crate::error::Problem;
use crate::net::{Activation, Element, Padding, SlidingWindow, TensorId};

/// A window that slides over an image.
pub(super) struct Sliding<'a> {
    image: [usize; 4],
    kernel: [usize; 2],
    window: &'a SlidingWindow,
}

impl<'a> Sliding<'a> {
    pub(super) fn new(
        context: &Context<'_>,
        image: TensorId,
        kernel: [usize; 2],
        window: &'a SlidingWindow,
    ) -> Result<Self, Problem> {
        Ok(Self { image: context.nhwc(image)?, kernel, window })
    }

    /// The builder's calls as Rust, without the last one.
    fn text(&self) -> String {
        let ([batch, height, width, channels], [kernel_height, kernel_width]) = (self.image, self.kernel);
        let mut text = format!(
            "Window2d::over(Image::hwc({height}, {width}, {channels}), WindowSize::hw({kernel_height}, {kernel_width}))"
        );
        if batch != 1 {
            text += &format!(".batch({batch})");
        }
        match self.window.padding {
            Padding::Same => text += ".same()",
            Padding::Valid => {}
            Padding::Explicit { top, bottom, left, right } => {
                text += &format!(".padding({top}, {bottom}, {left}, {right})");
            }
        }
        let ([rows, columns], [down, across]) = (self.window.stride, self.window.dilation);
        if (rows, columns) != (1, 1) {
            text += &format!(".stride({rows}, {columns})");
        }
        if (down, across) != (1, 1) {
            text += &format!(".dilation({down}, {across})");
        }
        text
    }

    fn made<T>(
        &self,
        context: &Context<'_>,
        make: impl FnOnce(Window2d) -> Result<T, ShapeError>,
        last: String,
    ) -> Result<Made<T>, Problem> {
        let value = context.shape(make(self.window.over(self.image, self.kernel)))?;
        Ok(Made { value, text: format!("{}.{last}", self.text()) })
    }

    pub(super) fn conv(
        &self,
        context: &Context<'_>,
        groups: usize,
        outputs: usize,
    ) -> Result<Made<Conv2dShape>, Problem> {
        let in_groups = if groups == 1 { String::new() } else { format!("groups({groups}).") };
        self.made(context, |window| window.groups(groups).conv(outputs), format!("{in_groups}conv({outputs})"))
    }

    fn depthwise(&self, context: &Context<'_>, multiplier: usize) -> Result<Made<DepthwiseConv2dShape>, Problem> {
        self.made(context, |window| window.depthwise(multiplier), format!("depthwise({multiplier})"))
    }

    pub(super) fn pool(&self, context: &Context<'_>) -> Result<Made<Pool2dShape>, Problem> {
        self.made(context, Window2d::pool, "pool()".into())
    }

    /// Kernel, stride, padding for people.
    pub(super) fn label(&self) -> String {
        let ([height, width], [rows, columns], [down, across]) =
            (self.kernel, self.window.stride, self.window.dilation);
        let dilation = if (down, across) == (1, 1) { String::new() } else { format!(" d{down}x{across}") };
        let padding = match self.window.padding {
            Padding::Same => "SAME".into(),
            Padding::Valid => "VALID".into(),
            Padding::Explicit { top, bottom, left, right } => format!("PAD {top},{bottom},{left},{right}"),
        };
        format!("k{height}x{width} s{rows}x{columns}{dilation} {padding}")
    }
}

/// The weights' four dimensions, which inference found.
fn dimensions(context: &Context<'_>, shape: &[usize]) -> Result<[usize; 4], Problem> {
    <[usize; 4]>::try_from(shape)
        .map_err(|_| context.fault_of_input(1, format!("weights of shape {shape:?}"), "rank 4"))
}

/// The groups of a convolution whose weights see `depth` of `inputs` channels.
fn groups(context: &Context<'_>, inputs: usize, depth: usize, outputs: usize) -> Result<usize, Problem> {
    if !inputs.is_multiple_of(depth) || !outputs.is_multiple_of(inputs / depth) {
        let found = format!("weights for {depth} of {inputs} input channels, {outputs} output channels");
        return Err(context.fault_of_input(1, found, "groups that divide input and output channels"));
    }
    Ok(inputs / depth)
}

/// The outputs per input channel of a depthwise convolution.
fn multiplier(context: &Context<'_>, one: usize, inputs: usize, outputs: usize) -> Result<usize, Problem> {
    if one != 1 || !outputs.is_multiple_of(inputs) {
        let supported = format!("shape [1, height, width, a multiple of {inputs}]");
        let found = format!("weights of shape {:?}", context.input_shape(1)?);
        return Err(context.fault_of_input(1, found, supported));
    }
    Ok(outputs / inputs)
}

pub(super) fn conv2d_call(
    context: &Context<'_>,
    window: &SlidingWindow,
    activation: Activation,
    narrow_sums: bool,
) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real_conv2d_call(context, window, activation);
    }
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    let weights = LayerWeights::new(context, 0, 2)?;
    let [outputs, height, width, depth] = dimensions(context, weights.shape)?;
    let sliding = Sliding::new(context, input.id, [height, width], window)?;
    let groups = groups(context, sliding.image[3], depth, outputs)?;
    let shape = sliding.conv(context, groups, outputs)?;
    let range = output.range(activation);
    let multipliers = weights.multipliers(context, &input, &output)?;
    let (macs, gap) = (shape.macs(), shape.overlap_gap() * input.element_bytes());
    let backend = context.backend;
    let mut faster = None;
    let (body, scratch, layout, portable) = if input.tensor.element == Element::I16 {
        let (weights, sums) = weights.int16(context, outputs, multipliers, narrow_sums)?;
        let body = call!(conv2d_int16(&Conv2dInt16::with_sums(shape, weights, sums, range); tensors));
        (body, 0, None, never_packed(backend, CONV_INT16))
    } else if groups > 1 {
        let bias = weights.bias(context, outputs)?;
        let weights = Owned { values: weights.values, bias, multipliers, input_zero_point: input.zero_point };
        let body = call!(grouped_conv2d(&GroupedConv2d::new(shape, weights, range); tensors));
        (body, 0, None, never_packed(backend, "no backend has a body for convolutions in groups"))
    } else {
        let (bias, input_zero_point) = (weights.bias(context, outputs)?, input.zero_point);
        let weights = Weights { values: &weights.values, bias: &bias, multipliers: &multipliers, input_zero_point };
        faster = winograd(context, &shape, &weights, &range)?;
        let words = pack::conv2d_words(context.backend, &shape);
        let packed = context.shape(PackedWeights::new(words, outputs, |words, channels| {
            pack::conv2d(context.backend, &shape, &weights, &range, words, channels)
        }))?;
        let PackedWeights { words, channels, layout, scratch } = packed;
        let portable = why_portable(backend, &PackedShape::Conv2d(shape.value), layout);
        let layer = call!(conv2d(
            &Conv2d::new(shape, words, channels, layout, range, input_zero_point);
            tensors, scratch
        ));
        (layer, scratch, Some(layout), portable)
    };
    let in_groups = if groups == 1 { String::new() } else { format!(" {groups} groups") };
    let label = sliding.label() + &in_groups + activation_label(activation);
    let call = context.call(&[input.id], body)?.overlap(0, gap).macs(macs).scratch(scratch);
    Ok(call.label(label).layout(layout).portable(portable).faster(faster).into())
}

/// The convolution by Winograd's products, where the backend has them for the shape and the weights and they save cycles.
fn winograd(
    context: &Context<'_>,
    shape: &Made<Conv2dShape>,
    weights: &Weights<'_>,
    range: &OutputRange,
) -> Result<Option<Faster>, Problem> {
    let saved_cycles = pack::winograd_saves(context.backend, shape);
    if saved_cycles == 0 {
        return Ok(None);
    }
    let mut words = vec![0; pack::conv2d_winograd_words(context.backend, shape)];
    let mut channels = vec![Channel::default(); shape.output().channels];
    let packed = pack::conv2d_winograd(context.backend, shape, weights, range, &mut words, &mut channels);
    let Some(packed) = context.shape(packed)? else { return Ok(None) };
    channels.truncate(packed.channels);
    let layout = packed.layout;
    let gap = pack::overlap_gap(layout, shape);
    let (shape, range, input_zero_point) = (shape.clone(), *range, weights.input_zero_point);
    let body = call!(conv2d(
        &Conv2d::new(shape, words, channels, layout, range, input_zero_point);
        tensors, scratch
    ))
    .measured_as("conv2d/winograd");
    Ok(Some(Faster { body, layout, label: " WINOGRAD", scratch_words: packed.scratch, gap, saved_cycles }))
}

/// Why convolutions of int16 activations run portably.
const CONV_INT16: &str = "no backend has a body for convolutions of int16 activations";

pub(super) fn depthwise_call(
    context: &Context<'_>,
    window: &SlidingWindow,
    activation: Activation,
) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real_depthwise_call(context, window, activation);
    }
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    let weights = LayerWeights::new(context, 3, 2)?;
    let [one, height, width, outputs] = dimensions(context, weights.shape)?;
    let sliding = Sliding::new(context, input.id, [height, width], window)?;
    let inputs = sliding.image[3];
    let shape = sliding.depthwise(context, multiplier(context, one, inputs, outputs)?)?;
    let range = output.range(activation);
    let multipliers = weights.multipliers(context, &input, &output)?;
    let (macs, gap) = (shape.macs(), shape.overlap_gap() * input.element_bytes());
    let backend = context.backend;
    let (body, scratch, layout, portable) = if input.tensor.element == Element::I16 {
        let (weights, sums) = weights.int16(context, outputs, multipliers, false)?;
        let body =
            call!(depthwise_conv2d_int16(&DepthwiseConv2dInt16::with_sums(shape, weights, sums, range); tensors));
        (body, 0, None, never_packed(backend, CONV_INT16))
    } else {
        let (bias, input_zero_point) = (weights.bias(context, outputs)?, input.zero_point);
        let weights = Weights { values: &weights.values, bias: &bias, multipliers: &multipliers, input_zero_point };
        let words = pack::depthwise_conv2d_words(context.backend, &shape);
        let packed = context.shape(PackedWeights::new(words, outputs, |words, channels| {
            pack::depthwise_conv2d(context.backend, &shape, &weights, &range, words, channels)
        }))?;
        let PackedWeights { words, channels, layout, scratch } = packed;
        let portable = why_portable(backend, &PackedShape::DepthwiseConv2d(shape.value), layout);
        let layer = call!(depthwise_conv2d(
            &DepthwiseConv2d::new(shape, words, channels, layout, range, input_zero_point);
            tensors, scratch
        ));
        (layer, scratch, Some(layout), portable)
    };
    let multiplier = if outputs == inputs { String::new() } else { format!(" m{}", outputs / inputs) };
    let label = sliding.label() + &multiplier + activation_label(activation);
    let call = context.call(&[input.id], body)?.overlap(0, gap).macs(macs).scratch(scratch);
    Ok(call.label(label).layout(layout).portable(portable).into())
}

pub(super) fn transpose_call(
    context: &Context<'_>,
    window: &SlidingWindow,
    activation: Activation,
) -> Result<Lowered, Problem> {
    if context.is_real(2) {
        return real_transpose_call(context, window, activation);
    }
    let input = context.quantised_input(2, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    let weights = LayerWeights::new(context, 0, 3)?;
    let [outputs, height, width, inputs] = dimensions(context, weights.shape)?;
    // The convolution of which this one is the adjoint: its input is our output.
    let sliding = Sliding::new(context, output.id, [height, width], window)?;
    let adjoint = sliding.conv(context, 1, inputs)?;
    let range = output.range(activation);
    let macs = adjoint.macs();
    let multipliers = weights.multipliers(context, &input, &output)?;
    let body = if input.tensor.element == Element::I16 {
        let (weights, sums) = weights.int16(context, outputs, multipliers, false)?;
        call!(transpose_conv2d_int16(
            &TransposeConv2dInt16::with_sums(adjoint, weights, sums, range);
            input(0), output(0)
        ))
    } else {
        let bias = weights.bias(context, outputs)?;
        let weights = Owned { values: weights.values, bias, multipliers, input_zero_point: input.zero_point };
        call!(transpose_conv2d(&TransposeConv2d::new(adjoint, weights, range); input(0), output(0)))
    };
    let label = sliding.label() + activation_label(activation);
    let portable = never_packed(context.backend, "no backend has a body for transposed convolutions");
    Ok(context.call(&[input.id], body)?.macs(macs).label(label).portable(portable).into())
}

fn real_conv2d_call(context: &Context<'_>, window: &SlidingWindow, activation: Activation) -> Result<Lowered, Problem> {
    let (input, _) = context.real(0)?;
    let [outputs, height, width, depth] = dimensions(context, context.input_shape(1)?)?;
    let sliding = Sliding::new(context, input, [height, width], window)?;
    let groups = groups(context, sliding.image[3], depth, outputs)?;
    let shape = sliding.conv(context, groups, outputs)?;
    let macs = shape.macs();
    let (weights, bias) = (context.reals(1, "weights")?, context.real_bias(2, outputs)?);
    let shape = shape.by_reference();
    let layer = call!(float::conv::conv2d::forward(shape, weights, bias; input<f32>(0), output<f32>(0)));
    let in_groups = if groups == 1 { String::new() } else { format!(" {groups} groups") };
    let label = sliding.label() + &in_groups + activation_label(activation);
    Ok(context.call(&[input], activated(layer, activation))?.macs(macs).label(label).into())
}

fn real_depthwise_call(
    context: &Context<'_>,
    window: &SlidingWindow,
    activation: Activation,
) -> Result<Lowered, Problem> {
    let (input, _) = context.real(0)?;
    let [one, height, width, outputs] = dimensions(context, context.input_shape(1)?)?;
    let sliding = Sliding::new(context, input, [height, width], window)?;
    let multiplier = multiplier(context, one, sliding.image[3], outputs)?;
    let shape = sliding.depthwise(context, multiplier)?;
    let macs = shape.macs();
    let (weights, bias) = (context.reals(1, "weights")?, context.real_bias(2, outputs)?);
    let shape = shape.by_reference();
    let layer = call!(float::conv::depthwise::forward(shape, weights, bias; input<f32>(0), output<f32>(0)));
    let multiplied = if multiplier == 1 { String::new() } else { format!(" m{multiplier}") };
    let label = sliding.label() + &multiplied + activation_label(activation);
    Ok(context.call(&[input], activated(layer, activation))?.macs(macs).label(label).into())
}

fn real_transpose_call(
    context: &Context<'_>,
    window: &SlidingWindow,
    activation: Activation,
) -> Result<Lowered, Problem> {
    let (input, _) = context.real(2)?;
    let [outputs, height, width, inputs] = dimensions(context, context.input_shape(1)?)?;
    let sliding = Sliding::new(context, context.output(0)?, [height, width], window)?;
    let adjoint = sliding.conv(context, 1, inputs)?;
    let macs = adjoint.macs();
    let (of_file, bias) = (context.reals(1, "weights")?, context.real_bias(3, outputs)?);
    // The kernel takes the weights of the adjoint, whose outputs are our inputs.
    let taps = height * width;
    let from = |at: usize| (at % outputs * taps + at / outputs % taps) * inputs + at / outputs / taps;
    let weights: Vec<f32> = (0..of_file.len()).map(|at| of_file[from(at)]).collect();
    let shape = adjoint.by_reference();
    let layer = call!(float::conv::transposed::forward(shape, weights, bias; input<f32>(0), output<f32>(0)));
    let label = sliding.label() + activation_label(activation);
    Ok(context.call(&[input], activated(layer, activation))?.macs(macs).label(label).into())
}

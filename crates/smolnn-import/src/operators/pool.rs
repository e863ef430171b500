//! MAX_POOL_2D and AVERAGE_POOL_2D, int8 and int16.

use smolnn_core::{Pool2dShape, ShapeError};
use smolnn_fixed::pool::{Pool2d, average_pool2d, max_pool2d};
use smolnn_fixed::quantise::OutputRange;

use super::conv::{Sliding, WindowOptions};
use super::{Check, Definition, Kernel, Lowered, activation_label, range_text, simple_call};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory, with_tensors};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "MAX_POOL_2D", versions: 1..=3, lower: max },
    Definition { name: "AVERAGE_POOL_2D", versions: 1..=3, lower: average },
];

#[derive(Debug)]
struct PoolKernel {
    sliding: Sliding,
    shape: Pool2dShape,
    output: OutputRange,
    layer: Pool2d,
    element: Element,
    average: bool,
}

fn max(check: &Check<'_>) -> Result<Lowered, Problem> {
    lower(check, false)
}

fn average(check: &Check<'_>) -> Result<Lowered, Problem> {
    lower(check, true)
}

fn lower(check: &Check<'_>, average: bool) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let Options::Pool2d(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    check.same_quantisation(&input, &output)?;
    let (Ok(height), Ok(width)) = (usize::try_from(options.filter_height), usize::try_from(options.filter_width))
    else {
        return Err(
            check.fault(format!("a window of {}x{}", options.filter_height, options.filter_width), "at least 1")
        );
    };
    let window =
        WindowOptions { padding: options.padding, stride: (options.stride_h, options.stride_w), dilation: (1, 1) };
    let sliding = Sliding::new(check, input.id, (height, width), &window)?;
    let shape = check.shape(sliding.window().pool())?;
    check.output_shape(0, &[shape.batch(), shape.output().height, shape.output().width, shape.output().channels])?;
    let activation = check.activation(options.activation)?;
    let range = output.range(activation);
    let layer = check.shape(Pool2d::new(shape, range))?;
    let label = sliding.label() + activation_label(activation);
    let kernel = PoolKernel { sliding, shape, output: range, layer, element: input.tensor.element, average };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for PoolKernel {
    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(self.shape.overlap_gap() * self.element.bits() / 8)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let layer = &self.layer;
        match (self.element, self.average) {
            (Element::I16, false) => with_tensors!(memory.tensors::<i16>()?, tensors => max_pool2d(layer, tensors)),
            (Element::I16, true) => with_tensors!(memory.tensors::<i16>()?, tensors => average_pool2d(layer, tensors)),
            (_, false) => with_tensors!(memory.tensors::<i8>()?, tensors => max_pool2d(layer, tensors)),
            (_, true) => with_tensors!(memory.tensors::<i8>()?, tensors => average_pool2d(layer, tensors)),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let function = if self.average { "average_pool2d" } else { "max_pool2d" };
        let text = format!("Pool2d::new(shape!({}.pool()), {})", self.sliding.text(), range_text(&self.output));
        simple_call(source, io, function, "Pool2d", &text)
    }
}

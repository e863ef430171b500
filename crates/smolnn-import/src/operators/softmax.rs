//! SOFTMAX over the last dimension: int8 to int8 or int16.

use smolnn_core::ShapeError;
use smolnn_fixed::softmax::{SoftmaxLayer, softmax, softmax_to_int16};

use super::{Check, Definition, Kernel, Lowered, Quantised, simple_call};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory, with_tensors};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[Definition { name: "SOFTMAX", versions: 1..=3, lower }];

#[derive(Debug)]
struct SoftmaxKernel {
    rows: usize,
    columns: usize,
    beta: f32,
    scale: f32,
    layer: Box<SoftmaxLayer>,
    output: Element,
}

/// Checks the output's fixed quantisation: 1/256 from −128 for int8, 1/65536 from −32768 for int16 where the input is int8.
fn check_output(check: &Check<'_>, output: &Quantised<'_>) -> Result<(), Problem> {
    let (scale, zero_point) =
        if output.tensor.element == Element::I8 { (1.0 / 256.0, -128) } else { (1.0 / 65536.0, -32768) };
    if (output.scale, output.zero_point) == (scale, zero_point) {
        return Ok(());
    }
    let found = format!("scale {} and zero point {}", output.scale, output.zero_point);
    Err(check.tensor_fault(output.id, found, &format!("scale {scale} and zero point {zero_point}")))
}

fn lower(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let Options::Softmax(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.quantised_input(0, &[Element::I8])?;
    let output = check.affine(check.output(0)?, &[Element::I8, Element::I16])?;
    check_output(check, &output)?;
    check.output_shape(0, input.shape())?;
    let columns = input.shape().last().copied().unwrap_or(1);
    let rows = input.tensor.len() / columns;
    let layer = Box::new(check.shape(SoftmaxLayer::new(rows, columns, options.beta, input.scale))?);
    let kernel =
        SoftmaxKernel { rows, columns, beta: options.beta, scale: input.scale, layer, output: output.tensor.element };
    let label = if options.beta == 1.0 { String::new() } else { format!("beta {}", options.beta) };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for SoftmaxKernel {
    fn constant_bytes(&self) -> usize {
        size_of::<SoftmaxLayer>()
    }

    fn overlap_gap(&self, _: usize) -> Option<usize> {
        (self.output == Element::I8).then_some(0)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        if self.output == Element::I8 {
            with_tensors!(memory.tensors()?, tensors => softmax(&self.layer, tensors))
        } else {
            softmax_to_int16(&self.layer, memory.input(0)?, memory.output(0)?)
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let text = format!("SoftmaxLayer::new({}, {}, {:?}, {:?})", self.rows, self.columns, self.beta, self.scale);
        if self.output == Element::I8 {
            return simple_call(source, io, "softmax", "SoftmaxLayer", &text);
        }
        let layer = source.layer(io.step, "SoftmaxLayer", &text);
        format!("softmax_to_int16(&{layer}, {}, {})", io.input_text(source, 0), io.output_text(0))
    }
}

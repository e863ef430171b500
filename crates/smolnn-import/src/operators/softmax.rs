//! SOFTMAX over the last dimension: int8 to int8 or int16, int16 to int16; LOG_SOFTMAX, int8.

use smolnn_core::ShapeError;
use smolnn_fixed::log_softmax::{LogSoftmax, log_softmax};
use smolnn_fixed::softmax::{Softmax, softmax, softmax_to_int16};
use smolnn_fixed::softmax_int16::{SoftmaxInt16, softmax_int16};

use super::{Check, Definition, Kernel, Lowered, Quantised, simple_call};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory, with_tensors};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "SOFTMAX", versions: 1..=3, lower },
    Definition { name: "LOG_SOFTMAX", versions: 1..=2, lower: lower_log },
];

#[derive(Debug)]
struct SoftmaxKernel {
    rows: usize,
    columns: usize,
    beta: f32,
    scale: f32,
    layer: Box<Softmax>,
    output: Element,
}

/// Checks the output's fixed quantisation.
fn check_output(check: &Check<'_>, output: &Quantised<'_>, scale: f32, zero_point: i32) -> Result<(), Problem> {
    if (output.scale, output.zero_point) == (scale, zero_point) {
        return Ok(());
    }
    let found = format!("scale {} and zero point {}", output.scale, output.zero_point);
    Err(check.tensor_fault(output.id, found, &format!("scale {scale} and zero point {zero_point}")))
}

/// Rows and columns of a tensor.
fn rows_and_columns(tensor: &Quantised<'_>) -> (usize, usize) {
    let columns = tensor.shape().last().copied().unwrap_or(1);
    (tensor.tensor.len() / columns, columns)
}

fn lower(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let Options::Softmax(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let (rows, columns) = rows_and_columns(&input);
    check.output_shape(0, input.shape())?;
    let label = if options.beta == 1.0 { String::new() } else { format!("beta {}", options.beta) };
    if input.tensor.element == Element::I16 {
        let output = check.quantised_output(0, &[Element::I16])?;
        check_output(check, &output, 1.0 / 32768.0, 0)?;
        let layer = Box::new(check.shape(SoftmaxInt16::new(rows, columns, options.beta, input.scale))?);
        let text = format!("SoftmaxInt16::new({rows}, {columns}, {:?}, {:?})", options.beta, input.scale);
        let kernel = RowKernel::Softmax16 { layer, text };
        return Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) });
    }
    let output = check.affine(check.output(0)?, &[Element::I8, Element::I16])?;
    match output.tensor.element {
        Element::I8 => check_output(check, &output, 1.0 / 256.0, -128)?,
        _ => check_output(check, &output, 1.0 / 65536.0, -32768)?,
    }
    let layer = Box::new(check.shape(Softmax::new(rows, columns, options.beta, input.scale))?);
    let kernel =
        SoftmaxKernel { rows, columns, beta: options.beta, scale: input.scale, layer, output: output.tensor.element };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for SoftmaxKernel {
    fn constant_bytes(&self) -> usize {
        size_of::<Softmax>()
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
        let text = format!("Softmax::new({}, {}, {:?}, {:?})", self.rows, self.columns, self.beta, self.scale);
        if self.output == Element::I8 {
            return simple_call(source, io, "softmax", "Softmax", &text);
        }
        let layer = source.layer(io.step, "Softmax", &text);
        format!("softmax_to_int16(&{layer}, {}, {})", io.input_text(source, 0), io.output_text(0))
    }
}

/// Kernels over rows that may run in place.
#[derive(Debug)]
enum RowKernel {
    Softmax16 { layer: Box<SoftmaxInt16>, text: String },
    LogSoftmax { layer: Box<LogSoftmax>, text: String },
}

fn lower_log(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let input = check.quantised_input(0, &[Element::I8])?;
    let output = check.quantised_output(0, &[Element::I8])?;
    check_output(check, &output, 16.0 / 256.0, 127)?;
    check.output_shape(0, input.shape())?;
    let (rows, columns) = rows_and_columns(&input);
    let layer = Box::new(check.shape(LogSoftmax::new(rows, columns, input.scale))?);
    let text = format!("LogSoftmax::new({rows}, {columns}, {:?})", input.scale);
    let kernel = RowKernel::LogSoftmax { layer, text };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label: String::new(), kernel: Box::new(kernel) })
}

impl Kernel for RowKernel {
    fn constant_bytes(&self) -> usize {
        match self {
            RowKernel::Softmax16 { .. } => size_of::<SoftmaxInt16>(),
            RowKernel::LogSoftmax { .. } => size_of::<LogSoftmax>(),
        }
    }

    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(0)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        match self {
            RowKernel::Softmax16 { layer, .. } => with_tensors!(memory.tensors()?, of => softmax_int16(layer, of)),
            RowKernel::LogSoftmax { layer, .. } => with_tensors!(memory.tensors()?, of => log_softmax(layer, of)),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        match self {
            RowKernel::Softmax16 { text, .. } => simple_call(source, io, "softmax_int16", "SoftmaxInt16", text),
            RowKernel::LogSoftmax { text, .. } => simple_call(source, io, "log_softmax", "LogSoftmax", text),
        }
    }
}

//! Activations as operators of their own: RELU and its kinds, LEAKY_RELU, PRELU, ELU, HARD_SWISH, LOGISTIC, TANH. int8 ones are tables of
//! 256 values, which generated code computes when it is compiled; some exist for int16 as well.

use smolnn_core::ShapeError;
use smolnn_fixed::act::{
    Interpolation, LeakyRelu, Prelu, Table, leaky_relu_int16, logistic_int16, lookup, prelu, tanh_int16,
};
use smolnn_fixed::quantise::{Affine, FusedActivation};

use super::arithmetic::lengths;
use super::{Check, Definition, Kernel, Lowered, Quantised, activation_text, affine_text, simple_call};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory, with_operands, with_tensors};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "RELU", versions: 1..=3, lower: |check| relu(check, FusedActivation::Relu) },
    Definition { name: "RELU6", versions: 1..=3, lower: |check| relu(check, FusedActivation::Relu6) },
    Definition { name: "RELU_N1_TO_1", versions: 1..=2, lower: |check| relu(check, FusedActivation::ReluN1To1) },
    Definition { name: "LEAKY_RELU", versions: 1..=2, lower: leaky_relu },
    Definition { name: "ELU", versions: 1..=1, lower: elu },
    Definition { name: "HARD_SWISH", versions: 1..=1, lower: hard_swish },
    Definition { name: "LOGISTIC", versions: 1..=3, lower: |check| sigmoid(check, false) },
    Definition { name: "TANH", versions: 1..=3, lower: |check| sigmoid(check, true) },
    Definition { name: "PRELU", versions: 1..=1, lower: prelu_step },
];

/// A function of int8 values as a table.
#[derive(Clone, Debug)]
pub(super) enum Function {
    Logistic(Affine),
    Tanh(Affine),
    HardSwish(Affine, Affine),
    LeakyRelu(f32, Affine, Affine),
    Elu(Affine, Affine),
    Relu(FusedActivation, Affine, Affine),
    Requantise(Affine, Affine),
}

impl Function {
    fn table(&self) -> Result<Table, ShapeError> {
        match *self {
            Function::Logistic(input) => Table::logistic(input),
            Function::Tanh(input) => Table::tanh(input),
            Function::HardSwish(input, output) => Table::hard_swish(input, output),
            Function::LeakyRelu(alpha, input, output) => Table::leaky_relu(alpha, input, output),
            Function::Elu(input, output) => Table::elu(input, output),
            Function::Relu(activation, input, output) => Table::relu(activation, input, output),
            Function::Requantise(input, output) => Table::requantise(input, output),
        }
    }

    fn text(&self) -> String {
        let pair = |input: &Affine, output: &Affine| format!("{}, {}", affine_text(input), affine_text(output));
        match self {
            Function::Logistic(input) => format!("Table::logistic({})", affine_text(input)),
            Function::Tanh(input) => format!("Table::tanh({})", affine_text(input)),
            Function::HardSwish(input, output) => format!("Table::hard_swish({})", pair(input, output)),
            Function::LeakyRelu(alpha, input, output) => {
                format!("Table::leaky_relu({alpha:?}, {})", pair(input, output))
            }
            Function::Elu(input, output) => format!("Table::elu({})", pair(input, output)),
            Function::Relu(activation, input, output) => {
                format!("Table::relu({}, {})", activation_text(*activation), pair(input, output))
            }
            Function::Requantise(input, output) => format!("Table::requantise({})", pair(input, output)),
        }
    }
}

#[derive(Debug)]
struct TableKernel {
    function: Function,
    table: Box<Table>,
    length: usize,
}

/// A step that looks every element up.
pub(super) fn table_step(
    check: &Check<'_>,
    input: &Quantised<'_>,
    function: Function,
    label: String,
) -> Result<Lowered, Problem> {
    check.output_shape(0, input.shape())?;
    let table = Box::new(check.shape(function.table())?);
    let kernel = TableKernel { function, table, length: input.tensor.len() };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for TableKernel {
    fn constant_bytes(&self) -> usize {
        size_of::<Table>()
    }

    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(0)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        with_tensors!(memory.tensors()?, tensors => lookup(&self.table, self.length, tensors))
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let layer = source.layer(io.step, "Table", &self.function.text());
        format!("lookup(&{layer}, {}, {})", self.length, io.tensors_text())
    }
}

fn relu(check: &Check<'_>, activation: FusedActivation) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let input = check.quantised_input(0, &[Element::I8])?;
    let output = check.quantised_output(0, &[Element::I8])?;
    table_step(check, &input, Function::Relu(activation, input.affine(), output.affine()), String::new())
}

fn elu(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let input = check.quantised_input(0, &[Element::I8])?;
    let output = check.quantised_output(0, &[Element::I8])?;
    table_step(check, &input, Function::Elu(input.affine(), output.affine()), String::new())
}

fn hard_swish(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let input = check.quantised_input(0, &[Element::I8])?;
    let output = check.quantised_output(0, &[Element::I8])?;
    table_step(check, &input, Function::HardSwish(input.affine(), output.affine()), String::new())
}

/// An int16 activation.
#[derive(Debug)]
enum Wide {
    Logistic { scale: f32, interpolation: Interpolation, length: usize },
    Tanh { scale: f32, interpolation: Interpolation, length: usize },
    LeakyRelu { alpha: f32, input: Affine, output: Affine, layer: LeakyRelu, length: usize },
}

fn wide_step(check: &Check<'_>, input: &Quantised<'_>, kernel: Wide, label: String) -> Result<Lowered, Problem> {
    check.output_shape(0, input.shape())?;
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for Wide {
    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(0)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        with_tensors!(memory.tensors()?, tensors => match self {
            Wide::Logistic { interpolation, length, .. } => logistic_int16(interpolation, *length, tensors),
            Wide::Tanh { interpolation, length, .. } => tanh_int16(interpolation, *length, tensors),
            Wide::LeakyRelu { layer, .. } => leaky_relu_int16(layer, tensors),
        })
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let (kind, name, scale, length) = match self {
            Wide::Logistic { scale, length, .. } => ("logistic", "logistic_int16", scale, length),
            Wide::Tanh { scale, length, .. } => ("tanh", "tanh_int16", scale, length),
            Wide::LeakyRelu { alpha, input, output, length, .. } => {
                let (input, output) = (affine_text(input), affine_text(output));
                let text = format!("LeakyRelu::new({length}, {alpha:?}, {input}, {output})");
                return simple_call(source, io, "leaky_relu_int16", "LeakyRelu", &text);
            }
        };
        let layer = source.layer(io.step, "Interpolation", &format!("Interpolation::{kind}({scale:?})"));
        format!("{name}(&{layer}, {length}, {})", io.tensors_text())
    }
}

fn sigmoid(check: &Check<'_>, tanh: bool) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    let expected = match (input.tensor.element, tanh) {
        (Element::I16, _) => (1.0 / 32768.0, 0),
        (_, false) => (1.0 / 256.0, -128),
        (_, true) => (1.0 / 128.0, 0),
    };
    if (output.scale, output.zero_point) != expected {
        let found = format!("scale {} and zero point {}", output.scale, output.zero_point);
        let supported = format!("scale {} and zero point {}", expected.0, expected.1);
        return Err(check.tensor_fault(output.id, found, &supported));
    }
    let (scale, length) = (input.scale, input.tensor.len());
    if input.tensor.element == Element::I8 {
        let function = if tanh { Function::Tanh(input.affine()) } else { Function::Logistic(input.affine()) };
        return table_step(check, &input, function, String::new());
    }
    let kernel = if tanh {
        Wide::Tanh { scale, interpolation: check.shape(Interpolation::tanh(scale))?, length }
    } else {
        Wide::Logistic { scale, interpolation: check.shape(Interpolation::logistic(scale))?, length }
    };
    wide_step(check, &input, kernel, String::new())
}

fn leaky_relu(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let Options::LeakyRelu(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    let label = format!("alpha {}", options.alpha);
    let (alpha, length) = (options.alpha, input.tensor.len());
    if input.tensor.element == Element::I8 {
        return table_step(check, &input, Function::LeakyRelu(alpha, input.affine(), output.affine()), label);
    }
    let layer = check.shape(LeakyRelu::new(length, alpha, input.affine(), output.affine()))?;
    wide_step(
        check,
        &input,
        Wide::LeakyRelu { alpha, input: input.affine(), output: output.affine(), layer, length },
        label,
    )
}

#[derive(Debug)]
struct PreluKernel {
    lengths: (usize, usize),
    input: Affine,
    alpha: Affine,
    output: Affine,
    layer: Prelu,
}

fn prelu_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let input = check.quantised_input(0, &[Element::I8])?;
    let alpha = check.quantised_input(1, &[Element::I8])?;
    let output = check.quantised_output(0, &[Element::I8])?;
    let lengths = lengths(check, &input, &alpha)?;
    let layer = Prelu::new(lengths.0, lengths.1, input.affine(), alpha.affine(), output.affine());
    let kernel = PreluKernel {
        lengths,
        input: input.affine(),
        alpha: alpha.affine(),
        output: output.affine(),
        layer: check.shape(layer)?,
    };
    Ok(Lowered::Step {
        inputs: vec![input.id, alpha.id],
        states: Vec::new(),
        label: String::new(),
        kernel: Box::new(kernel),
    })
}

impl Kernel for PreluKernel {
    fn overlap_gap(&self, input: usize) -> Option<usize> {
        (input == 0).then_some(0)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        with_operands!(memory.operands()?, operands => prelu(&self.layer, operands))
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let (length, period) = self.lengths;
        let [input, alpha, output] = [self.input, self.alpha, self.output].map(|affine| affine_text(&affine));
        let text = format!("Prelu::new({length}, {period}, {input}, {alpha}, {output})");
        let layer = source.layer(io.step, "Prelu", &text);
        format!("prelu(&{layer}, {})", io.operands_text(source))
    }
}

//! ADD, SUB, MUL, MINIMUM, MAXIMUM, int8 and int16, with the shorter operand repeated along leading dimensions.

use smolnn_core::ShapeError;
use smolnn_fixed::elementwise::{Add, AddInt16, Mul, Pairing, add, add_int16, maximum, minimum, mul};
use smolnn_fixed::quantise::{Affine, FusedActivation, OutputRange};

use super::{
    Check, Definition, Kernel, Lowered, Quantised, activation_label, activation_text, affine_text, range_text,
};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory, with_operands};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "ADD", versions: 1..=5, lower: add_step },
    Definition { name: "SUB", versions: 1..=5, lower: subtract_step },
    Definition { name: "MUL", versions: 1..=5, lower: multiply_step },
    Definition { name: "MINIMUM", versions: 1..=4, lower: |check| extreme_step(check, false) },
    Definition { name: "MAXIMUM", versions: 1..=4, lower: |check| extreme_step(check, true) },
];

/// Checks that the shapes broadcast as the kernels can: the shorter operand is a suffix of the longer one, and the output has the longer
/// one's shape.
pub(super) fn lengths(
    check: &Check<'_>,
    left: &Quantised<'_>,
    right: &Quantised<'_>,
) -> Result<(usize, usize), Problem> {
    let significant = |shape: &[usize]| shape.iter().copied().skip_while(|&length| length == 1).collect::<Vec<_>>();
    let (a, b) = (significant(left.shape()), significant(right.shape()));
    if !a.ends_with(&b) && !b.ends_with(&a) {
        let found = format!("shapes {:?} and {:?}", left.shape(), right.shape());
        return Err(check.fault(found, "equal shapes, or one repeated along the other's leading dimensions"));
    }
    let longer = if a.len() > b.len() { a } else { b };
    let rank = left.shape().len().max(right.shape().len());
    let expected: Vec<usize> = std::iter::repeat_n(1, rank - longer.len()).chain(longer).collect();
    check.output_shape(0, &expected)?;
    Ok((left.tensor.len(), right.tensor.len()))
}

#[derive(Debug)]
struct AddKernel {
    lengths: (usize, usize),
    left: Affine,
    right: Affine,
    output: Affine,
    activation: FusedActivation,
    subtract: bool,
    element: Element,
}

fn add_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    let Options::Add(options) = check.operator.options else { return Err(check.no_options()) };
    lower(check, options.activation, options.pot_scale_int16, false)
}

fn subtract_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    let Options::Sub(options) = check.operator.options else { return Err(check.no_options()) };
    lower(check, options.activation, options.pot_scale_int16, true)
}

fn lower(check: &Check<'_>, activation: i8, power_of_two: bool, subtract: bool) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let left = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let element = left.tensor.element;
    let right = check.quantised_input(1, &[element])?;
    let output = check.quantised_output(0, &[element])?;
    // The option asks for shifts only; it is set by default, and has effect when all scales are powers of two.
    let power = |of: &Quantised<'_>| of.scale.to_bits() & 0x007F_FFFF == 0;
    if element == Element::I16 && power_of_two && power(&left) && power(&right) && power(&output) {
        return Err(check.fault("pot_scale_int16 with scales that are powers of two", "general int16 scales"));
    }
    let activation = check.activation(activation)?;
    let kernel = AddKernel {
        lengths: lengths(check, &left, &right)?,
        left: left.affine(),
        right: right.affine(),
        output: output.affine(),
        activation,
        subtract,
        element,
    };
    check.shape(if element == Element::I8 {
        kernel.layer(false).map(|_| ())
    } else {
        kernel.layer16(false).map(|_| ())
    })?;
    let label = activation_label(activation).trim_start().into();
    Ok(Lowered::Step { inputs: vec![left.id, right.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl AddKernel {
    /// Lengths and quantisation of the operands, in the order in which the step has them.
    fn ordered(&self, swapped: bool) -> ((usize, usize), Affine, Affine) {
        let (left, right) = if swapped { (self.right, self.left) } else { (self.left, self.right) };
        (ordered(self.lengths, swapped), left, right)
    }

    fn layer(&self, swapped: bool) -> Result<Add, ShapeError> {
        let ((a, b), left, right) = self.ordered(swapped);
        let make = if self.subtract { Add::subtraction } else { Add::new };
        make(Pairing::new(a, b)?, left, right, self.output, self.activation)
    }

    fn layer16(&self, swapped: bool) -> Result<AddInt16, ShapeError> {
        let ((a, b), left, right) = self.ordered(swapped);
        let (pairing, output) = (Pairing::new(a, b)?, self.output.scale);
        AddInt16::new(pairing, left.scale, right.scale, output, self.activation, self.subtract)
    }
}

impl Kernel for AddKernel {
    fn constant_bytes(&self) -> usize {
        if self.element == Element::I8 { size_of::<Add>() } else { size_of::<AddInt16>() }
    }

    fn overlap_gap(&self, input: usize) -> Option<usize> {
        // Only the first operand may share memory with the output; the operands of a sum can change places.
        if input > 0 && self.subtract { None } else { commutative_gap(self.lengths, input) }
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let swapped = memory.is_swapped();
        if self.element == Element::I8 {
            let layer = self.layer(swapped)?;
            with_operands!(memory.operands()?, operands => add(&layer, operands))
        } else {
            let layer = self.layer16(swapped)?;
            with_operands!(memory.operands()?, operands => add_int16(&layer, operands))
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let ((a, b), left, right) = self.ordered(io.is_swapped());
        let (pairing, activation) = (format!("shape!(Pairing::new({a}, {b}))"), activation_text(self.activation));
        let (kind, function, text) = if self.element == Element::I8 {
            let name = if self.subtract { "subtraction" } else { "new" };
            let [left, right, output] = [left, right, self.output].map(|affine| affine_text(&affine));
            ("Add", "add", format!("Add::{name}({pairing}, {left}, {right}, {output}, {activation})"))
        } else {
            let [left, right, output] = [left, right, self.output].map(|affine| affine.scale);
            let subtract = self.subtract;
            let text = format!("AddInt16::new({pairing}, {left:?}, {right:?}, {output:?}, {activation}, {subtract})");
            ("AddInt16", "add_int16", text)
        };
        let layer = source.layer(io.step, kind, &text);
        format!("{function}(&{layer}, {})", io.operands_text(source))
    }
}

/// Where an operand of a commutative operator may share memory with the output: where it is not repeated.
fn commutative_gap((left, right): (usize, usize), input: usize) -> Option<usize> {
    let whole = if input == 0 { left >= right } else { right >= left };
    whole.then_some(0)
}

/// A pairing, in the order in which the step has the operands.
fn ordered((left, right): (usize, usize), swapped: bool) -> (usize, usize) {
    if swapped { (right, left) } else { (left, right) }
}

#[derive(Debug)]
struct MulKernel {
    lengths: (usize, usize),
    left: Affine,
    right: Affine,
    output_scale: f32,
    output: OutputRange,
    element: Element,
}

fn multiply_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let Options::Mul(options) = check.operator.options else { return Err(check.no_options()) };
    let left = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let element = left.tensor.element;
    let right = check.quantised_input(1, &[element])?;
    let output = check.quantised_output(0, &[element])?;
    let activation = check.activation(options.activation)?;
    let kernel = MulKernel {
        lengths: lengths(check, &left, &right)?,
        left: left.affine(),
        right: right.affine(),
        output_scale: output.scale,
        output: output.range(activation),
        element,
    };
    check.shape(kernel.layer(false))?;
    let label = activation_label(activation).trim_start().into();
    Ok(Lowered::Step { inputs: vec![left.id, right.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl MulKernel {
    fn factors(&self, swapped: bool) -> (Affine, Affine) {
        if swapped { (self.right, self.left) } else { (self.left, self.right) }
    }

    fn layer(&self, swapped: bool) -> Result<Mul, ShapeError> {
        let ((a, b), (left, right)) = (ordered(self.lengths, swapped), self.factors(swapped));
        Mul::new(Pairing::new(a, b)?, left, right, self.output_scale, self.output)
    }
}

impl Kernel for MulKernel {
    fn overlap_gap(&self, input: usize) -> Option<usize> {
        commutative_gap(self.lengths, input)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let layer = self.layer(memory.is_swapped())?;
        match self.element {
            Element::I16 => with_operands!(memory.operands::<i16>()?, operands => mul(&layer, operands)),
            _ => with_operands!(memory.operands::<i8>()?, operands => mul(&layer, operands)),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let ((a, b), (left, right)) = (ordered(self.lengths, io.is_swapped()), self.factors(io.is_swapped()));
        let (left, right, output) = (affine_text(&left), affine_text(&right), range_text(&self.output));
        let text =
            format!("Mul::new(shape!(Pairing::new({a}, {b})), {left}, {right}, {:?}, {output})", self.output_scale);
        let layer = source.layer(io.step, "Mul", &text);
        format!("mul(&{layer}, {})", io.operands_text(source))
    }
}

#[derive(Debug)]
struct ExtremeKernel {
    lengths: (usize, usize),
    maximum: bool,
    element: Element,
}

fn extreme_step(check: &Check<'_>, maximum: bool) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let left = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let element = left.tensor.element;
    let right = check.quantised_input(1, &[element])?;
    let output = check.quantised_output(0, &[element])?;
    check.same_quantisation(&left, &right)?;
    check.same_quantisation(&left, &output)?;
    let kernel = ExtremeKernel { lengths: lengths(check, &left, &right)?, maximum, element };
    check.shape(Pairing::new(kernel.lengths.0, kernel.lengths.1))?;
    let inputs = vec![left.id, right.id];
    Ok(Lowered::Step { inputs, states: Vec::new(), label: String::new(), kernel: Box::new(kernel) })
}

impl Kernel for ExtremeKernel {
    fn overlap_gap(&self, input: usize) -> Option<usize> {
        commutative_gap(self.lengths, input)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let (a, b) = ordered(self.lengths, memory.is_swapped());
        let pairing = Pairing::new(a, b)?;
        match (self.element, self.maximum) {
            (Element::I16, false) => with_operands!(memory.operands::<i16>()?, of => minimum(&pairing, of)),
            (Element::I16, true) => with_operands!(memory.operands::<i16>()?, of => maximum(&pairing, of)),
            (_, false) => with_operands!(memory.operands::<i8>()?, of => minimum(&pairing, of)),
            (_, true) => with_operands!(memory.operands::<i8>()?, of => maximum(&pairing, of)),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let (a, b) = ordered(self.lengths, io.is_swapped());
        let layer = source.layer(io.step, "Pairing", &format!("Pairing::new({a}, {b})"));
        let function = if self.maximum { "maximum" } else { "minimum" };
        format!("{function}(&{layer}, {})", io.operands_text(source))
    }
}

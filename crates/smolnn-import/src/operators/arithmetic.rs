//! ADD and SUB, int8 and int16, with the shorter operand repeated along leading dimensions.

use smolnn_core::ShapeError;
use smolnn_fixed::elementwise::{AddLayer, AddLayer16, Pairing, add, add_int16};
use smolnn_fixed::quantise::{Affine, FusedActivation};

use super::{Check, Definition, Kernel, Lowered, Quantised, activation_label, activation_text, affine_text};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory, with_operands};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "ADD", versions: 1..=5, lower: add_step },
    Definition { name: "SUB", versions: 1..=5, lower: subtract_step },
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
        let (left, right) = self.lengths;
        if swapped { ((right, left), self.right, self.left) } else { ((left, right), self.left, self.right) }
    }

    fn layer(&self, swapped: bool) -> Result<AddLayer, ShapeError> {
        let ((a, b), left, right) = self.ordered(swapped);
        let make = if self.subtract { AddLayer::subtraction } else { AddLayer::new };
        make(Pairing::new(a, b)?, left, right, self.output, self.activation)
    }

    fn layer16(&self, swapped: bool) -> Result<AddLayer16, ShapeError> {
        let ((a, b), left, right) = self.ordered(swapped);
        let (pairing, output) = (Pairing::new(a, b)?, self.output.scale);
        AddLayer16::new(pairing, left.scale, right.scale, output, self.activation, self.subtract)
    }
}

impl Kernel for AddKernel {
    fn constant_bytes(&self) -> usize {
        if self.element == Element::I8 { size_of::<AddLayer>() } else { size_of::<AddLayer16>() }
    }

    fn overlap_gap(&self, input: usize) -> Option<usize> {
        let (left, right) = self.lengths;
        // Only the first operand may share memory with the output; the operands of a sum can change places.
        match input {
            0 => (left >= right).then_some(0),
            _ => (right >= left && !self.subtract).then_some(0),
        }
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
            ("AddLayer", "add", format!("AddLayer::{name}({pairing}, {left}, {right}, {output}, {activation})"))
        } else {
            let [left, right, output] = [left, right, self.output].map(|affine| affine.scale);
            let subtract = self.subtract;
            let text = format!("AddLayer16::new({pairing}, {left:?}, {right:?}, {output:?}, {activation}, {subtract})");
            ("AddLayer16", "add_int16", text)
        };
        let layer = source.layer(io.step, kind, &text);
        format!("{function}(&{layer}, {})", io.operands_text(source))
    }
}

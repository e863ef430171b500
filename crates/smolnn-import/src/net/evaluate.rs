//! Operators on constants, as models use them to compute shapes. This is the only place that gives tensors values before the model runs.
//!
//! - Operators that move elements do so with elements of any type.
//! - Arithmetic is in f64, in which integers up to 2^53 are exact and one f32 operation, rounded afterwards, is that of f32. What does not fit the
//!   type of the output is left to the run.

use super::geometry::{broadcast, marked_axes};
use super::movement::movement;
use super::operator::{Activation, BinaryKind, Comparison, Operator, ReduceKind, UnaryKind};
use super::tensor::{Constant, Element};
use super::view::View;

/// Longest tensor on which arithmetic is done, in elements: weights are computed with, and a file must not make us compute much.
const LONGEST: usize = 1 << 18;

/// The values of each output of the node, of which there are at most `most` elements; `None` where an operand is no constant, or the operator is
/// not one of those that computations on shapes use.
pub(crate) fn evaluate(view: &View<'_>, most: usize) -> Option<Vec<Constant>> {
    let outputs = view.node.outputs.iter().map(|&id| view.tensor(id).len());
    if outputs.fold(0_usize, usize::saturating_add) > most {
        return None;
    }
    match &view.node.operator {
        Operator::Reshape | Operator::ExpandDims => {
            let (input, output) = (view.tensor(view.optional_input(0)?), view.tensor(view.output(0).ok()?));
            let same = (input.element, input.len()) == (output.element, output.len());
            return input.data.clone().filter(|_| same).map(|data| vec![data]);
        }
        Operator::Transpose
        | Operator::StridedSlice { .. }
        | Operator::Slice
        | Operator::Concatenate { .. }
        | Operator::Split
        | Operator::Pack { .. }
        | Operator::Unpack { .. }
        | Operator::Reverse
        | Operator::Tile
        | Operator::Gather { .. }
        | Operator::BroadcastTo => return moved(view),
        _ => {}
    }
    let output = view.tensor(view.output(0).ok()?);
    let values = values(view, output.element)?;
    if values.len() != output.len() {
        return None;
    }
    Some(vec![Constant::new(bytes(&values, output.element)?)])
}

/// The values of the node's one output, of the given type.
fn values(view: &View<'_>, element: Element) -> Option<Vec<f64>> {
    if let Operator::Shape = view.node.operator {
        return Some(view.input_shape(0).ok()?.iter().map(|&length| length as f64).collect());
    }
    let first = operand(view, 0)?;
    match &view.node.operator {
        Operator::Cast if element == Element::Bool => Some(first.iter().map(|&value| truth(value != 0.0)).collect()),
        Operator::Cast if element.is_float() => Some(first),
        Operator::Cast => Some(first.iter().map(|value| value.trunc()).collect()),
        Operator::Unary(kind) => first.iter().map(|&value| unary(*kind, value)).collect(),
        Operator::Binary(kind, Activation::None) => {
            elementwise(view, &[first, operand(view, 1)?], |values| binary(*kind, values[0], values[1], element))
        }
        Operator::Compare(comparison) => elementwise(view, &[first, operand(view, 1)?], |values| {
            let holds = match comparison {
                Comparison::Equal => values[0] == values[1],
                Comparison::NotEqual => values[0] != values[1],
                Comparison::Less => values[0] < values[1],
                Comparison::LessEqual => values[0] <= values[1],
                Comparison::Greater => values[0] > values[1],
                Comparison::GreaterEqual => values[0] >= values[1],
            };
            Some(truth(holds))
        }),
        Operator::Select { .. } => elementwise(view, &[first, operand(view, 1)?, operand(view, 2)?], |values| {
            Some(if values[0] != 0.0 { values[1] } else { values[2] })
        }),
        Operator::Reduce { kind, .. } => reduce(view, *kind, &first),
        Operator::ZerosLike => Some(vec![0.0; first.len()]),
        Operator::Where => {
            let shape = view.input_shape(0).ok()?;
            let found = (0..first.len()).filter(|&index| first[index] != 0.0);
            Some(found.flat_map(|index| position(shape, index)).map(|index| index as f64).collect())
        }
        _ => None,
    }
}

/// The indices of an element, one per dimension.
fn position(shape: &[usize], element: usize) -> Vec<usize> {
    let mut rest = element;
    let mut indices: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&length| {
            let index = rest % length;
            rest /= length;
            index
        })
        .collect();
    indices.reverse();
    indices
}

/// A truth value as the number that is stored.
fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// A short constant operand of unquantised numbers as values.
fn operand(view: &View<'_>, index: usize) -> Option<Vec<f64>> {
    let tensor = view.tensor(view.optional_input(index)?);
    let exact = |value: i64| (value.unsigned_abs() <= 1 << 53).then_some(value as f64);
    if tensor.len() > LONGEST {
        return None;
    }
    match tensor.element {
        Element::I32 | Element::I64 | Element::Bool => tensor.integers()?.into_iter().map(exact).collect(),
        Element::F32 => Some(tensor.reals()?.into_iter().map(f64::from).collect()),
        _ => None,
    }
}

/// The values as bytes of this type; `None` where one does not fit it.
fn bytes(values: &[f64], element: Element) -> Option<Vec<u8>> {
    let integer = |value: f64| (value.trunc() == value && value.abs() <= (1_u64 << 53) as f64).then_some(value as i64);
    let mut bytes = Vec::new();
    for &value in values {
        match element {
            Element::Bool => bytes.push(u8::from(value != 0.0)),
            Element::I32 => bytes.extend(i32::try_from(integer(value)?).ok()?.to_le_bytes()),
            Element::I64 => bytes.extend(integer(value)?.to_le_bytes()),
            Element::F32 => bytes.extend((value as f32).to_le_bytes()),
            _ => return None,
        }
    }
    Some(bytes)
}

/// Operators that move elements, on constants.
fn moved(view: &View<'_>) -> Option<Vec<Constant>> {
    let movement = movement(view).ok()?;
    let operands = (0..movement.operands)
        .map(|index| {
            let tensor = view.tensor(view.optional_input(index)?);
            Some((tensor, tensor.data.as_ref()?.bytes()))
        })
        .collect::<Option<Vec<_>>>()?;
    let element = operands.first()?.0.element;
    let outputs = view.node.outputs.iter().map(|&id| view.tensor(id));
    let alike =
        operands.iter().map(|(tensor, _)| *tensor).chain(outputs.clone()).all(|tensor| tensor.element == element);
    // Inference will say what is wrong where the stated shapes are others.
    let stated = outputs.map(|tensor| &tensor.shape).eq(&movement.shapes);
    if !alike || !stated || !element.bits().is_multiple_of(8) {
        return None;
    }
    let width = element.bits() / 8;
    let mut outputs: Vec<Vec<u8>> =
        movement.shapes.iter().map(|shape| vec![0; shape.iter().product::<usize>() * width]).collect();
    for part in &movement.moves {
        part.for_each(|from, to| {
            let from = &operands[part.input].1[from * width..][..width];
            outputs[part.output][to * width..][..width].copy_from_slice(from);
        });
    }
    Some(outputs.into_iter().map(Constant::new).collect())
}

/// What a function makes of the operands' elements that meet.
fn elementwise(view: &View<'_>, operands: &[Vec<f64>], result: impl Fn(&[f64]) -> Option<f64>) -> Option<Vec<f64>> {
    let shapes = (0..operands.len()).map(|index| view.input_shape(index).ok()).collect::<Option<Vec<_>>>()?;
    let shape = shapes.iter().try_fold(Vec::new(), |result: Vec<usize>, shape| broadcast(&result, shape))?;
    let length = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length))?;
    if length > LONGEST {
        return None;
    }
    let element = |index: usize| {
        let indices = position(&shape, index);
        let values: Vec<f64> = shapes
            .iter()
            .zip(operands)
            .map(|(own, values)| {
                let indices = &indices[shape.len() - own.len()..];
                let at = own.iter().zip(indices).fold(0, |at, (&length, &index)| at * length + index.min(length - 1));
                values[at]
            })
            .collect();
        result(&values)
    };
    (0..length).map(element).collect()
}

fn unary(kind: UnaryKind, value: f64) -> Option<f64> {
    match kind {
        UnaryKind::Relu => Some(value.max(0.0)),
        UnaryKind::Abs => Some(value.abs()),
        UnaryKind::LogicalNot => Some(truth(value == 0.0)),
        // One rounding in f64 and one to f32 are that of f32, since f64 has more than twice its digits.
        UnaryKind::Negate => Some(-value),
        UnaryKind::Sqrt => Some(value.sqrt()),
        UnaryKind::Rsqrt => Some(1.0 / value.sqrt()),
        UnaryKind::Exp => Some(value.exp()),
        UnaryKind::Log => Some(value.ln()),
        UnaryKind::Square => Some(value * value),
        UnaryKind::Floor => Some(value.floor()),
        UnaryKind::Ceil => Some(value.ceil()),
        UnaryKind::Round => Some(value.round_ties_even()),
        _ => None,
    }
}

fn binary(kind: BinaryKind, left: f64, right: f64, element: Element) -> Option<f64> {
    Some(match kind {
        BinaryKind::Add => left + right,
        BinaryKind::Subtract => left - right,
        BinaryKind::Multiply => left * right,
        BinaryKind::Minimum => left.min(right),
        BinaryKind::Maximum => left.max(right),
        BinaryKind::SquaredDifference if element.is_float() => {
            let difference = f64::from((left - right) as f32);
            difference * difference
        }
        BinaryKind::SquaredDifference => (left - right) * (left - right),
        BinaryKind::Divide if element.is_float() => left / right,
        BinaryKind::Divide if right == 0.0 => return None,
        BinaryKind::Divide => (left / right).trunc(),
        BinaryKind::FloorDivide if element.is_float() => (left / right).floor(),
        BinaryKind::FloorModulo if !element.is_float() && right != 0.0 => left - right * (left / right).floor(),
        BinaryKind::Power if element.is_float() => left.powf(right),
        BinaryKind::FloorDivide | BinaryKind::FloorModulo | BinaryKind::Power => return None,
        BinaryKind::LogicalAnd => truth(left != 0.0 && right != 0.0),
        BinaryKind::LogicalOr => truth(left != 0.0 || right != 0.0),
    })
}

/// A reduction; sums and products of real numbers are rounded once.
fn reduce(view: &View<'_>, kind: ReduceKind, values: &[f64]) -> Option<Vec<f64>> {
    let shape = view.input_shape(0).ok()?;
    let marked = marked_axes(view).ok()?;
    let is_float = view.tensor(view.optional_input(0)?).element.is_float();
    if kind == ReduceKind::Mean && !is_float {
        return None;
    }
    // The elements of each result, in order of the dimensions that stay.
    let kept: usize = (0..shape.len()).filter(|&axis| !marked[axis]).map(|axis| shape[axis]).product();
    let mut parts: Vec<Vec<f64>> = vec![Vec::new(); kept];
    for (index, &value) in values.iter().enumerate() {
        let indices = position(shape, index);
        let unmarked = (0..shape.len()).filter(|&axis| !marked[axis]);
        parts[unmarked.fold(0, |at, axis| at * shape[axis] + indices[axis])].push(value);
    }
    let exact = |value: f64| (is_float || value.abs() <= (1_u64 << 53) as f64).then_some(value);
    let result = |part: &Vec<f64>| match kind {
        ReduceKind::Product => part.iter().try_fold(1.0, |product: f64, &value| exact(product * value)),
        ReduceKind::Sum => exact(part.iter().sum()),
        ReduceKind::Mean if part.is_empty() => None,
        ReduceKind::Mean => Some(part.iter().sum::<f64>() / part.len() as f64),
        ReduceKind::Max => part.iter().copied().reduce(f64::max),
        ReduceKind::Min => part.iter().copied().reduce(f64::min),
        ReduceKind::All => Some(truth(part.iter().all(|&value| value != 0.0))),
        ReduceKind::Any => Some(truth(part.iter().any(|&value| value != 0.0))),
    };
    parts.iter().map(result).collect()
}

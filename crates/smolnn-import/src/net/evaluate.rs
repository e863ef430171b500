//! Integer operators on constants, as models use them to compute shapes. This is the only place that gives them values before the model runs.

use super::geometry::{broadcast, marked_axes};
use super::movement::movement;
use super::operator::{Activation, BinaryKind, Operator, ReduceKind};
use super::tensor::Element;
use super::view::View;

/// Longest tensor that is evaluated, in elements: shapes are short, and a file must not make us compute much.
pub(crate) const LONGEST: usize = 1024;

/// The values of each output of the node; `None` where an operand is not a short integer constant, or the operator is not one of those that
/// computations on shapes use.
pub(crate) fn evaluate(view: &View<'_>) -> Option<Vec<Vec<i64>>> {
    if let Operator::Shape = view.node.operator {
        let shape = view.input_shape(0).ok()?;
        return Some(vec![shape.iter().map(|&length| i64::try_from(length).ok()).collect::<Option<_>>()?]);
    }
    let first = operand(view, 0)?;
    let values = match &view.node.operator {
        Operator::Reshape | Operator::Cast => first,
        Operator::Binary(kind, Activation::None) => binary(view, *kind, &first)?,
        Operator::Reduce { kind, .. } => reduce(view, *kind, &first)?,
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
        _ => return None,
    };
    Some(vec![values])
}

/// A short constant integer operand as values.
fn operand(view: &View<'_>, index: usize) -> Option<Vec<i64>> {
    let tensor = view.tensor(view.optional_input(index)?);
    let fits = tensor.len() <= LONGEST && matches!(tensor.element, Element::I32 | Element::I64);
    if fits { tensor.integers() } else { None }
}

fn moved(view: &View<'_>) -> Option<Vec<Vec<i64>>> {
    let movement = movement(view).ok()?;
    let operands = (0..movement.operands).map(|index| operand(view, index)).collect::<Option<Vec<_>>>()?;
    let mut outputs = Vec::new();
    for shape in &movement.shapes {
        let length: usize = shape.iter().product();
        outputs.push(vec![0; (length <= LONGEST).then_some(length)?]);
    }
    for part in &movement.moves {
        part.for_each(|from, to| outputs[part.output][to] = operands[part.input][from]);
    }
    Some(outputs)
}

fn binary(view: &View<'_>, kind: BinaryKind, left: &[i64]) -> Option<Vec<i64>> {
    let right = operand(view, 1)?;
    let shapes = (view.input_shape(0).ok()?, view.input_shape(1).ok()?);
    let shape = broadcast(shapes.0, shapes.1)?;
    let length: usize = shape.iter().product();
    // Shorter operands repeat as a whole: the only broadcasting that shapes need.
    let repeats = |operand: &[i64]| operand.len() == length || operand.len() == 1;
    if length > LONGEST || !repeats(left) || !repeats(&right) {
        return None;
    }
    let combine = |a: i64, b: i64| match kind {
        BinaryKind::Add => a.checked_add(b),
        BinaryKind::Subtract => a.checked_sub(b),
        BinaryKind::Multiply => a.checked_mul(b),
        BinaryKind::Minimum => Some(a.min(b)),
        BinaryKind::Maximum => Some(a.max(b)),
        BinaryKind::SquaredDifference => a.checked_sub(b).and_then(|difference| difference.checked_mul(difference)),
    };
    (0..length).map(|index| combine(left[index % left.len()], right[index % right.len()])).collect()
}

/// A reduction over all dimensions.
fn reduce(view: &View<'_>, kind: ReduceKind, values: &[i64]) -> Option<Vec<i64>> {
    let shape = view.input_shape(0).ok()?;
    let whole = shape.iter().zip(marked_axes(view).ok()?).all(|(&length, marked)| marked || length == 1);
    let result = match kind {
        ReduceKind::Product => values.iter().try_fold(1_i64, |product, &value| product.checked_mul(value)),
        ReduceKind::Sum => values.iter().try_fold(0_i64, |sum, &value| sum.checked_add(value)),
        ReduceKind::Max => values.iter().copied().max(),
        ReduceKind::Mean => None,
    };
    result.filter(|_| whole).map(|result| vec![result])
}

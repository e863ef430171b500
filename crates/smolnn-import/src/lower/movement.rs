//! Operators that move elements and change none: copies through strides.

use smolnn_fixed::movement::{RANK, StridedCopy, Walk, copy};

use super::Lowered;
use super::call::{Body, call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Element, Move, Operator, TensorId, movement};

/// Bytes that a copy's constant takes in a firmware. It is made of words, and the host's may be longer than the 4 bytes of a firmware's.
pub(super) const COPY_BYTES: usize = size_of::<StridedCopy>() / size_of::<usize>() * 4;

pub(super) fn lower(context: &Context<'_>) -> Result<Lowered, Problem> {
    let movement = movement(context)?;
    let inputs = (0..movement.operands).map(|index| context.input(index)).collect::<Result<Vec<_>, _>>()?;
    let element = match (&context.node.operator, &inputs[..]) {
        (Operator::Reverse, &[input]) => context.moved_as_stored(input)?,
        _ => context.moved(&inputs)?,
    };
    if movement.in_order {
        return Ok(Lowered::Alias { input: context.input(0)?, output: context.output(0)? });
    }
    let moves: Vec<Move> = movement.moves.iter().flat_map(|part| part.within(RANK)).collect();
    let bodies = copies(context, element, &moves, &inputs)?;
    Ok(context.call(&inputs, bodies)?.table_bytes(moves.len() * COPY_BYTES).label(movement.label).into())
}

/// Copies from tensors, those that the moves count, to the node's outputs, one after the other.
pub(super) fn copies(
    context: &Context<'_>,
    element: Element,
    moves: &[Move],
    inputs: &[TensorId],
) -> Result<Body, Problem> {
    let length = |id: TensorId| context.tensor(id).len();
    let copy = |part: &Move| strided(context, element, part, inputs.get(part.input).map_or(1, |&id| length(id)));
    Ok(Body::sequence(moves.iter().map(copy).collect::<Result<Vec<_>, _>>()?))
}

/// One copy from an input of so many elements.
fn strided(context: &Context<'_>, element: Element, part: &Move, input_length: usize) -> Result<Body, Problem> {
    let unused = RANK
        .checked_sub(part.axes.len())
        .ok_or_else(|| context.fault(format!("a copy of {} dimensions", part.axes.len()), format!("at most {RANK}")))?;
    let (mut lengths, mut from, mut to) = ([1; RANK], [1; RANK], [1; RANK]);
    for (index, axis) in part.axes.iter().enumerate() {
        (lengths[unused + index], from[unused + index], to[unused + index]) = (axis.length, axis.input, axis.output);
    }
    let (input, output) = (part.input, part.output);
    let output_length = context.tensor(context.output(output)?).len();
    let from = Walk { length: input_length, start: part.input_start, strides: from };
    let to = Walk { length: output_length, start: part.output_start, strides: to };
    // Long runs are copied as a whole, which is what an assignment measures; the figures of copies are of single elements.
    let is_in_runs = lengths[RANK - 1] >= LONG_RUN && (from.strides[RANK - 1], to.strides[RANK - 1]) == (1, 1);
    let body = typed!(context, element, T: any => {
        call!(copy(&StridedCopy::new(lengths, from, to); input<T>(input), output<T>(output)))
    });
    Ok(if is_in_runs { body.measured_as("assign") } else { body })
}

/// Elements of a run from which on the copy of its elements costs more than that of the loops around it.
const LONG_RUN: usize = 64;

/// Zeros in the shape of the input: the stored 0, whatever the zero point, as the reference has it.
pub(super) fn zeros_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let (id, output) = (context.input(0)?, context.output(0)?);
    let element = context.element(output, &[Element::I8, Element::U8, Element::I16, Element::I32, Element::F32])?;
    let zero = context.constant_tensor(id, element, vec![1], vec![0; element.bits() / 8]);
    constant_copy(context, zero, [0; RANK])
}

/// The shape of the input, as a copy of a constant.
pub(super) fn shape_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let (id, output) = (context.input(0)?, context.output(0)?);
    let element = context.element(output, &[Element::I32])?;
    let shape = &context.tensor(id).shape;
    let bytes = shape.iter().flat_map(|&length| (length as i32).to_le_bytes()).collect();
    let constant = context.constant_tensor(output, element, vec![shape.len()], bytes);
    let mut along = [0; RANK];
    along[RANK - 1] = 1;
    constant_copy(context, constant, along)
}

/// A copy of a constant to the output, through these strides.
fn constant_copy(context: &Context<'_>, constant: TensorId, strides: [isize; RANK]) -> Result<Lowered, Problem> {
    let output = context.output(0)?;
    let (element, length) = (context.tensor(output).element, context.tensor(output).len());
    let (mut lengths, mut to) = ([1; RANK], [1; RANK]);
    (lengths[RANK - 1], to[RANK - 1]) = (length, 1);
    let from = Walk { length: if strides[RANK - 1] == 0 { 1 } else { length }, start: 0, strides };
    let to = Walk { length, start: 0, strides: to };
    let body = typed!(context, element, T: any => {
        call!(copy(&StridedCopy::new(lengths, from, to); input<T>(0), output<T>(0)))
    });
    Ok(context.call(&[constant], body)?.table_bytes(COPY_BYTES).into())
}

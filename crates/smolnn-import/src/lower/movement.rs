//! Operators that move elements and change none: copies through strides.

use smolnn_fixed::movement::{RANK, StridedCopy, Walk, copy};

use super::Lowered;
use super::call::{Body, call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Element, Move, movement};

pub(super) fn lower(context: &Context<'_>) -> Result<Lowered, Problem> {
    let movement = movement(context)?;
    let inputs = (0..movement.operands).map(|index| context.input(index)).collect::<Result<Vec<_>, _>>()?;
    let element = context.moved(&inputs)?;
    if movement.in_order {
        return Ok(Lowered::Alias { input: context.input(0)?, output: context.output(0)? });
    }
    let moves: Vec<Move> = movement.moves.iter().flat_map(|part| part.within(RANK)).collect();
    let bodies = moves.iter().map(|part| strided(context, element, part)).collect::<Result<Vec<_>, _>>()?;
    let table = moves.len() * size_of::<StridedCopy>();
    Ok(context.call(&inputs, Body::sequence(bodies))?.table_bytes(table).label(movement.label).into())
}

/// One copy.
fn strided(context: &Context<'_>, element: Element, part: &Move) -> Result<Body, Problem> {
    let unused = RANK
        .checked_sub(part.axes.len())
        .ok_or_else(|| context.fault(format!("a copy of {} dimensions", part.axes.len()), format!("at most {RANK}")))?;
    let (mut lengths, mut from, mut to) = ([1; RANK], [1; RANK], [1; RANK]);
    for (index, axis) in part.axes.iter().enumerate() {
        (lengths[unused + index], from[unused + index], to[unused + index]) = (axis.length, axis.input, axis.output);
    }
    let (input, output) = (part.input, part.output);
    let length = |id: usize| context.tensor(id).len();
    let from = Walk { length: length(context.input(input)?), start: part.input_start, strides: from };
    let to = Walk { length: length(context.output(output)?), start: part.output_start, strides: to };
    Ok(typed!(context, element, T: I8 I16 I32 F32 => {
        call!(copy(&StridedCopy::new(lengths, from, to); input<T>(input), output<T>(output)))
    }))
}

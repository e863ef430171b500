//! PAD and PADV2: of up to four dimensions, int8, uint8, int16 and int32; of more dimensions and of f32 as copies.

use smolnn_fixed::movement::RANK;
use smolnn_fixed::pad::{Pad, pad};

use super::Lowered;
use super::call::{call, typed};
use super::context::Context;
use super::movement::{COPY_BYTES, copies};
use crate::error::Problem;
use crate::net::{Element, Move, TensorId, pad_amounts, padding};

pub(super) fn lower(context: &Context<'_>) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let element = context.moved(&[id])?;
    let lengths = context.input_shape(0)?;
    let amounts = pad_amounts(context)?;
    let rank = lengths.len();
    if element == Element::F32 || !(1..=4).contains(&rank) {
        return copied(context, id, element);
    }
    let value = integer(context, id, element)?;
    let (mut shape, mut before, mut behind) = ([1; 4], [0; 4], [0; 4]);
    for (axis, &amount) in amounts.iter().enumerate() {
        let to = 4 - rank + axis;
        (shape[to], (before[to], behind[to])) = (lengths[axis], amount);
    }
    let gap = context.shape(Pad::new(shape, before, behind, value))?.overlap_gap() * (element.bits() / 8);
    let body = typed!(context, element, T: I8 U8 I16 I32 => {
        call!(pad(&Pad::new(shape, before, behind, value); tensors<T>))
    });
    Ok(context.call(&[id], body)?.overlap(0, gap).label(format!("{amounts:?}")).into())
}

/// The stored value that is put around integers.
fn integer(context: &Context<'_>, id: TensorId, element: Element) -> Result<i32, Problem> {
    match context.optional_input(2) {
        // Real 0, which is stored 0 where there is no scale.
        None if element == Element::I32 && context.tensor(id).quantisation.is_none() => Ok(0),
        None => Ok(context.quantised(id, &[element])?.zero_point),
        Some(value) => {
            context.constant(value, "padding value")?;
            context.moved(&[id, value])?;
            match context.tensor(value).integers().as_deref() {
                Some(&[value]) => Ok(value as i32),
                _ => {
                    let found = format!("shape {:?}", context.tensor(value).shape);
                    Err(context.tensor_fault(value, found, "one padding value"))
                }
            }
        }
    }
}

/// A pad as copies: of its value to everywhere, and of the input into its place.
fn copied(context: &Context<'_>, input: TensorId, element: Element) -> Result<Lowered, Problem> {
    let value = match (element, context.optional_input(2)) {
        (Element::F32, Some(_)) => context.real_vector(2, 1)?,
        (Element::F32, None) => context.constant_tensor(input, element, vec![1], vec![0; element.bits() / 8]),
        _ => {
            let bytes = integer(context, input, element)?.to_le_bytes()[..element.bits() / 8].to_vec();
            context.constant_tensor(input, element, vec![1], bytes)
        }
    };
    let moves: Vec<Move> = padding(context)?.iter().flat_map(|part| part.within(RANK)).collect();
    let body = copies(context, element, &moves, &[input])?;
    let label = format!("{:?}", pad_amounts(context)?);
    Ok(context.call(&[input, value], body)?.table_bytes(moves.len() * COPY_BYTES).label(label).into())
}

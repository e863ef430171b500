//! PAD and PADV2: of up to four dimensions, int8, uint8, int16 and int32; of more dimensions and of f32 as copies.

use smolnn_fixed::movement::RANK;
use smolnn_fixed::pad::{Pad, pad};

use super::Lowered;
use super::call::{Call, call, typed};
use super::context::Context;
use super::movement::{COPY_BYTES, copies};
use crate::error::Problem;
use crate::net::{Element, Move, Rows, TensorId, pad_amounts, padding};

pub(super) fn lower(context: &Context<'_>) -> Result<Lowered, Problem> {
    padded(context, pad_amounts(context)?, None)
}

/// The call that makes `rows` rows of an image that is padded, of those rows of the image that are not padding.
pub(super) fn rows(context: &Context<'_>, whole: &Call, seen: &Rows, rows: usize) -> Result<Lowered, Problem> {
    let mut amounts = pad_amounts(context)?;
    if let Some(of_rows) = amounts.get_mut(1) {
        let padding = rows.saturating_sub(seen.rows.len());
        let above = seen.above.min(padding);
        *of_rows = (above, padding - above);
    }
    padded(context, amounts, whole.inputs.get(1).copied())
}

/// A pad by these amounts, with a padding value that is there already.
fn padded(context: &Context<'_>, amounts: Vec<(usize, usize)>, value: Option<TensorId>) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let element = context.moved(&[id])?;
    let lengths = context.input_shape(0)?;
    let rank = lengths.len();
    if element == Element::F32 || !(1..=4).contains(&rank) {
        return copied(context, (id, element), &amounts, value);
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
fn copied(
    context: &Context<'_>,
    (input, element): (TensorId, Element),
    amounts: &[(usize, usize)],
    value: Option<TensorId>,
) -> Result<Lowered, Problem> {
    let made = || match (element, context.optional_input(2)) {
        (Element::F32, Some(_)) => context.real_vector(2, 1),
        (Element::F32, None) => Ok(context.constant_tensor(input, element, vec![1], vec![0; element.bits() / 8])),
        _ => {
            let bytes = integer(context, input, element)?.to_le_bytes()[..element.bits() / 8].to_vec();
            Ok(context.constant_tensor(input, element, vec![1], bytes))
        }
    };
    let value = value.map_or_else(made, Ok)?;
    let moves: Vec<Move> = padding(context, amounts)?.iter().flat_map(|part| part.within(RANK)).collect();
    let body = copies(context, element, &moves, &[input])?;
    let label = format!("{amounts:?}");
    Ok(context.call(&[input, value], body)?.table_bytes(moves.len() * COPY_BYTES).label(label).into())
}

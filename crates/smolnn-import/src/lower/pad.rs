//! PAD and PADV2 of up to four dimensions, int8 and int16.

use smolnn_fixed::pad::{Pad, pad};

use super::Lowered;
use super::call::{call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Element, pad_amounts};

pub(super) fn lower(context: &Context<'_>) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    context.same_quantisation(&input, &output)?;
    let amounts = pad_amounts(context)?;
    let rank = input.shape().len();
    if !(1..=4).contains(&rank) {
        return Err(context.tensor_fault(input.id, format!("shape {:?}", input.shape()), "1 to 4 dimensions"));
    }
    let (mut shape, mut before, mut behind) = ([1; 4], [0; 4], [0; 4]);
    for (axis, &amount) in amounts.iter().enumerate() {
        let to = 4 - rank + axis;
        (shape[to], (before[to], behind[to])) = (input.shape()[axis], amount);
    }
    let value = match context.optional_input(2) {
        None => output.zero_point,
        Some(id) => {
            context.constant(id, "padding value")?;
            let value = context.quantised(id, &[input.tensor.element])?;
            context.same_quantisation(&input, &value)?;
            match value.tensor.integers().as_deref() {
                Some(&[value]) => value as i32,
                _ => return Err(context.tensor_fault(id, format!("shape {:?}", value.shape()), "one padding value")),
            }
        }
    };
    let gap = context.shape(Pad::new(shape, before, behind, value))?.overlap_gap() * input.element_bytes();
    let body = typed!(context, input.tensor.element, T: I8 I16 => {
        call!(pad(&Pad::new(shape, before, behind, value); tensors<T>))
    });
    Ok(context.call(&[input.id], body)?.overlap(0, gap).label(format!("{amounts:?}")).into())
}

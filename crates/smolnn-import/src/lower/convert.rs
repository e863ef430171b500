//! QUANTIZE and DEQUANTIZE: between float, int8, uint8, int16 and int32. CAST between these and truth values.

use smolnn_fixed::act::{Table, lookup};
use smolnn_fixed::convert::{Requantise, cast, cast_to_bool, dequantise, quantise, requantise};

use super::Lowered;
use super::activation::table_call;
use super::call::{call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::Element;

/// The integers that values are quantised to.
const INTEGERS: [Element; 4] = [Element::I8, Element::U8, Element::I16, Element::I32];

pub(super) fn quantise_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let from = context.element(id, &[Element::F32, Element::I8, Element::U8, Element::I16, Element::I32])?;
    let output = context.quantised_output(0, &INTEGERS)?;
    let (to, y) = (output.tensor.element, output.affine());
    let label = format!("{from} to {to}");
    if from == Element::F32 {
        let body = typed!(context, to, T: I8 U8 I16 I32 => call!(quantise(y; input(0), output<T>(0))));
        return Ok(context.call(&[id], body)?.label(label).into());
    }
    let input = context.quantised(id, &[from])?;
    let x = input.affine();
    if (from, to) == (Element::I8, Element::I8) {
        // 256 values: a table, which may also run in place.
        let length = input.tensor.len();
        return table_call(context, &input, call!(lookup(&Table::requantise(x, y), length; tensors)), label);
    }
    let body = typed!(context, from, A: I8 U8 I16 I32 => typed!(context, to, B: I8 U8 I16 I32 => {
        call!(requantise(&Requantise::new(x, y); input<A>(0), output<B>(0)))
    }));
    Ok(context.call(&[id], body)?.label(label).into())
}

pub(super) fn cast_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    const NUMBERS: [Element; 6] = [Element::I8, Element::U8, Element::I16, Element::I32, Element::F32, Element::Bool];
    let (id, output) = (context.input(0)?, context.output(0)?);
    if let (Element::I32, Element::U32) | (Element::U32, Element::I32) =
        (context.tensor(id).element, context.tensor(output).element)
    {
        // The bits are the same.
        return Ok(Lowered::Alias { input: id, output });
    }
    let (from, to) = (context.element(id, &NUMBERS)?, context.element(output, &NUMBERS)?);
    let body = typed!(context, from, A: any => match to {
        Element::Bool => call!(cast_to_bool(; input<A>(0), output<u8>(0))),
        _ => typed!(context, to, B: I8 U8 I16 I32 F32 => call!(cast(; input<A>(0), output<B>(0)))),
    });
    Ok(context.call(&[id], body)?.label(format!("{from} to {to}")).into())
}

pub(super) fn dequantise_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &INTEGERS)?;
    let (from, x) = (input.tensor.element, input.affine());
    let body = typed!(context, from, T: I8 U8 I16 I32 => call!(dequantise(x; input<T>(0), output(0))));
    Ok(context.call(&[input.id], body)?.label(format!("{from} to {}", Element::F32)).into())
}

//! QUANTIZE and DEQUANTIZE: between float, int8 and int16.

use smolnn_fixed::act::{Table, lookup};
use smolnn_fixed::convert::{Requantise, dequantise, quantise, requantise};

use super::Lowered;
use super::activation::table_call;
use super::call::{call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::Element;

pub(super) fn quantise_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    let from = context.element(id, &[Element::F32, Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[Element::I8, Element::I16])?;
    let (to, y) = (output.tensor.element, output.affine());
    let label = format!("{from} to {to}");
    if from == Element::F32 {
        let body = typed!(context, to, T: I8 I16 => call!(quantise(y; input(0), output<T>(0))));
        return Ok(context.call(&[id], body)?.label(label).into());
    }
    let input = context.quantised(id, &[from])?;
    let x = input.affine();
    if (from, to) == (Element::I8, Element::I8) {
        // 256 values: a table, which may also run in place.
        let length = input.tensor.len();
        return table_call(context, &input, call!(lookup(&Table::requantise(x, y), length; tensors)), label);
    }
    let body = typed!(context, from, A: I8 I16 => typed!(context, to, B: I8 I16 => {
        call!(requantise(&Requantise::new(x, y); input<A>(0), output<B>(0)))
    }));
    Ok(context.call(&[id], body)?.label(label).into())
}

pub(super) fn dequantise_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let (from, x) = (input.tensor.element, input.affine());
    let body = typed!(context, from, T: I8 I16 => call!(dequantise(x; input<T>(0), output(0))));
    Ok(context.call(&[input.id], body)?.label(format!("{from} to {}", Element::F32)).into())
}

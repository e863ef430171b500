//! Along one axis: ARG_MAX and ARG_MIN, int8, uint8, int16, int32 and f32, with int32 positions; CUMSUM, int8 and f32.

use smolnn_fixed::axis::{Axis, CumSum, arg_max, arg_min, cumsum};
use smolnn_float as float;

use super::Lowered;
use super::call::{call, made, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Element, axis_lengths};

pub(super) fn arg_extreme_call(context: &Context<'_>, largest: bool) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    context.element(context.output(0)?, &[Element::I32])?;
    let ([outer, length, inner], axis) = axis_lengths(context)?;
    let along = context.shape(made!(Axis::new(outer, length, inner)))?.by_reference();
    let label = format!("of {length} along axis {axis}");
    if context.is_real(0) {
        let body = match largest {
            true => call!(float::axis::arg_max(along; input<f32>(0), output<i32>(0))),
            false => call!(float::axis::arg_min(along; input<f32>(0), output<i32>(0))),
        };
        return Ok(context.call(&[id], body)?.label(label).into());
    }
    let body = typed!(context, context.tensor(id).element, T: I8 U8 I16 I32 => match largest {
        true => call!(arg_max(along; input<T>(0), output<i32>(0))),
        false => call!(arg_min(along; input<T>(0), output<i32>(0))),
    });
    Ok(context.call(&[id], body)?.label(label).into())
}

pub(super) fn cumulative_sum_call(context: &Context<'_>, exclusive: bool, reverse: bool) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        let (input, _) = context.real(0)?;
        let ([outer, length, inner], axis) = axis_lengths(context)?;
        let along = context.shape(made!(Axis::new(outer, length, inner)))?.by_reference();
        let body = call!(float::axis::cumsum(along, exclusive, reverse; input<f32>(0), output<f32>(0)));
        return Ok(context.call(&[input], body)?.label(format!("of {length} along axis {axis}")).into());
    }
    let input = context.quantised_input(0, &[Element::I8])?;
    let output = context.quantised_output(0, &[Element::I8])?;
    let ([outer, length, inner], axis) = axis_lengths(context)?;
    let along = context.shape(made!(Axis::new(outer, length, inner)))?;
    let (x, y) = (input.affine(), output.affine());
    let body = call!(cumsum(&CumSum::new(along, exclusive, reverse, x, y); input<i8>(0), output<i8>(0)));
    Ok(context.call(&[input.id], body)?.label(format!("of {length} along axis {axis}")).into())
}

//! Along one axis: ARG_MAX and ARG_MIN, int8, uint8, int16 and int32, with int32 positions; CUMSUM, int8.

use smolnn_fixed::axis::{Axis, CumSum, arg_max, arg_min, cumsum};

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
    let body = typed!(context, context.tensor(id).element, T: I8 U8 I16 I32 => match largest {
        true => call!(arg_max(along; input<T>(0), output<i32>(0))),
        false => call!(arg_min(along; input<T>(0), output<i32>(0))),
    });
    Ok(context.call(&[id], body)?.label(format!("of {length} along axis {axis}")).into())
}

pub(super) fn cumulative_sum_call(context: &Context<'_>, exclusive: bool, reverse: bool) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8])?;
    let output = context.quantised_output(0, &[Element::I8])?;
    let ([outer, length, inner], axis) = axis_lengths(context)?;
    let along = context.shape(made!(Axis::new(outer, length, inner)))?;
    let (x, y) = (input.affine(), output.affine());
    let body = call!(cumsum(&CumSum::new(along, exclusive, reverse, x, y); input<i8>(0), output<i8>(0)));
    Ok(context.call(&[input.id], body)?.label(format!("of {length} along axis {axis}")).into())
}

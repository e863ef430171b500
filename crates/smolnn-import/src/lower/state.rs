//! Variables: tensors that keep their value from one run to the next.

use smolnn_fixed::state::{assign, slide};

use super::Lowered;
use super::call::{Call, call, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::TensorId;

pub(super) fn read_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    Ok(copy_call(context, context.variable(0)?)?.into())
}

/// A call that copies a variable to the node's output.
pub(super) fn copy_call(context: &Context<'_>, variable: TensorId) -> Result<Call, Problem> {
    let body = typed!(context, context.tensor(variable).element, T: any => {
        call!(assign(; output<T>(0), state<T>(0)))
    });
    Ok(context.call(&[], body)?.states(&[variable]))
}

pub(super) fn assign_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let (variable, value) = (context.variable(0)?, context.input(1)?);
    let body = typed!(context, context.tensor(variable).element, T: any => {
        call!(assign(; state<T>(0), input<T>(0)))
    });
    Ok(context.call(&[value], body)?.states(&[variable]).into())
}

pub(super) fn slide_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let (variable, values) = (context.variable(0)?, context.input(1)?);
    let body = typed!(context, context.tensor(variable).element, T: any => {
        call!(slide(; state<T>(0), input<T>(0)))
    });
    let label = format!("by {} of {}", context.tensor(values).len(), context.tensor(variable).len());
    let call = context.call_to(&[values], &[], body)?.states(&[variable]).label(label);
    Ok(Lowered::Variable { call: Box::new(call), variable, output: context.output(0)? })
}

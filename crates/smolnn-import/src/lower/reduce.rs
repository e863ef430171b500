//! Reductions over any axes. MEAN, SUM: int8, int16 and f32. REDUCE_MAX, REDUCE_MIN: int8, uint8, int16, int32 and f32. REDUCE_ALL, REDUCE_ANY: truth
//! values. REDUCE_PROD: f32.

use smolnn_fixed::reduce::{Mean, Reduction, Sum, mean, reduce_max, reduce_min, reduce_sum};
use smolnn_float as float;

use super::Lowered;
use super::argument::Lengths;
use super::call::{call, made, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Activation, Element, ReduceKind, reduced_axes};

pub(super) fn lower(context: &Context<'_>, kind: ReduceKind) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real(context, kind);
    }
    let id = context.input(0)?;
    let tensor = context.tensor(id);
    let (shape, axes) = (Lengths(tensor.shape.clone()), Lengths(reduced_axes(context)?));
    let reduction = context.shape(made!(Reduction::over(shape, axes)))?;
    let body = match kind {
        ReduceKind::Mean | ReduceKind::Sum => {
            let input = context.quantised(id, &[Element::I8, Element::I16])?;
            let output = context.quantised_output(0, &[input.tensor.element])?;
            let (reduction, x) = (reduction.clone(), input.affine());
            let (scale, range) = (output.scale, output.range(Activation::None));
            typed!(context, input.tensor.element, T: I8 I16 => match kind {
                ReduceKind::Mean => call!(mean(&Mean::over(reduction, x, scale, range); tensors<T>)),
                _ => call!(reduce_sum(&Sum::new(reduction, x, scale, range); tensors<T>)),
            })
        }
        ReduceKind::Max | ReduceKind::Min => {
            let element = context.moved(&[id])?;
            let reduction = reduction.clone().by_reference();
            typed!(context, element, T: I8 U8 I16 I32 => match kind {
                ReduceKind::Max => call!(reduce_max(reduction; tensors<T>)),
                _ => call!(reduce_min(reduction; tensors<T>)),
            })
        }
        ReduceKind::All | ReduceKind::Any => {
            context.element(id, &[Element::Bool])?;
            let reduction = reduction.clone().by_reference();
            match kind {
                ReduceKind::All => call!(reduce_min(reduction; tensors<u8>)),
                _ => call!(reduce_max(reduction; tensors<u8>)),
            }
        }
        ReduceKind::Product => return Err(context.fault("a product of values", "a product of constants")),
    };
    let gap = reduction.overlap_gap() * (tensor.element.bits() / 8);
    Ok(context.call(&[id], body)?.overlap(0, gap).label(format!("over {}", reduction.count())).into())
}

/// The reduction of real numbers.
fn real(context: &Context<'_>, kind: ReduceKind) -> Result<Lowered, Problem> {
    let (input, shape) = context.real(0)?;
    let (shape, axes) = (Lengths(shape.to_vec()), Lengths(reduced_axes(context)?));
    let reduction = context.shape(made!(float::reduce::Reduction::over(shape, axes)))?;
    let label = format!("over {}", reduction.reduced_len());
    let reduction = reduction.by_reference();
    let body = match kind {
        ReduceKind::Mean => call!(float::reduce::reduce_mean(reduction; input<f32>(0), output<f32>(0))),
        ReduceKind::Sum => call!(float::reduce::reduce_sum(reduction; input<f32>(0), output<f32>(0))),
        ReduceKind::Max => call!(float::reduce::reduce_max(reduction; input<f32>(0), output<f32>(0))),
        ReduceKind::Min => call!(float::reduce::reduce_min(reduction; input<f32>(0), output<f32>(0))),
        ReduceKind::Product => call!(float::reduce::reduce_prod(reduction; input<f32>(0), output<f32>(0))),
        ReduceKind::All | ReduceKind::Any => {
            return Err(context.tensor_fault(input, Element::F32.to_string(), "BOOL"));
        }
    };
    Ok(context.call(&[input], body)?.label(label).into())
}

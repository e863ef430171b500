//! MEAN, SUM and REDUCE_MAX over neighbouring dimensions, int8 and int16.

use smolnn_fixed::reduce::{Mean, Reduction, Sum, mean, reduce_max, reduce_sum};

use super::Lowered;
use super::call::{call, made, typed};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Activation, Element, ReduceKind, reduction_lengths};

pub(super) fn lower(context: &Context<'_>, kind: ReduceKind) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    let lengths = reduction_lengths(context)?;
    let (outer, reduced, inner) = lengths;
    let (x, scale, range) = (input.affine(), output.scale, output.range(Activation::None));
    let reduction = context.shape(made!(Reduction::new(outer, reduced, inner)))?;
    if kind == ReduceKind::Max {
        context.same_quantisation(&input, &output)?;
    }
    let body = typed!(context, input.tensor.element, T: I8 I16 => match kind {
        ReduceKind::Mean => call!(mean(&Mean::new(lengths, x, scale, range); tensors<T>)),
        ReduceKind::Max => call!(reduce_max(&Reduction::new(outer, reduced, inner); tensors<T>)),
        ReduceKind::Sum => call!(reduce_sum(&Sum::new(reduction, x, scale, range); tensors<T>)),
        ReduceKind::Product => return Err(context.fault("a product of values", "a product of constants")),
    });
    // Every reduction reads a whole block of its input before it writes the block's outputs.
    let gap = inner * input.element_bytes();
    Ok(context.call(&[input.id], body)?.overlap(0, gap).label(format!("over {reduced}")).into())
}

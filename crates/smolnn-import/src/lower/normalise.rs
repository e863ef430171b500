//! SOFTMAX over the last dimension, int8 to int8 or int16 and int16 to int16; LOG_SOFTMAX and L2_NORMALIZATION, int8.

use smolnn_fixed::l2_norm::{L2Norm, l2_norm};
use smolnn_fixed::log_softmax::{LogSoftmax, log_softmax};
use smolnn_fixed::softmax::{Softmax, softmax, softmax_to_int16};
use smolnn_fixed::softmax_int16::{SoftmaxInt16, softmax_int16};

use super::Lowered;
use super::call::call;
use super::context::{Context, Quantised};
use crate::error::Problem;
use crate::net::{Activation, Element};

/// Rows and columns of a tensor; a scalar is one row of one column.
fn rows_and_columns(tensor: &Quantised<'_>) -> (usize, usize) {
    let columns = tensor.shape().last().copied().unwrap_or(1);
    (tensor.tensor.len() / columns, columns)
}

pub(super) fn softmax_call(context: &Context<'_>, beta: f32) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let ((rows, columns), scale) = (rows_and_columns(&input), input.scale);
    let label = if beta == 1.0 { String::new() } else { format!("beta {beta}") };
    let call = if input.tensor.element == Element::I16 {
        let output = context.quantised_output(0, &[Element::I16])?;
        context.fixed_quantisation(&output, 1.0 / 32768.0, 0)?;
        let body = call!(softmax_int16(&SoftmaxInt16::new(rows, columns, beta, scale); tensors));
        context.call(&[input.id], body)?.overlap(0, 0).table_bytes(size_of::<SoftmaxInt16>())
    } else {
        let output = context.affine(context.output(0)?, &[Element::I8, Element::I16])?;
        if output.tensor.element == Element::I8 {
            context.fixed_quantisation(&output, 1.0 / 256.0, -128)?;
            let body = call!(softmax(&Softmax::new(rows, columns, beta, scale); tensors));
            context.call(&[input.id], body)?.overlap(0, 0).table_bytes(size_of::<Softmax>())
        } else {
            context.fixed_quantisation(&output, 1.0 / 65536.0, -32768)?;
            let body = call!(softmax_to_int16(&Softmax::new(rows, columns, beta, scale); input(0), output(0)));
            context.call(&[input.id], body)?.table_bytes(size_of::<Softmax>())
        }
    };
    Ok(call.label(label).into())
}

pub(super) fn log_softmax_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8])?;
    let output = context.quantised_output(0, &[Element::I8])?;
    context.fixed_quantisation(&output, 16.0 / 256.0, 127)?;
    let ((rows, columns), scale) = (rows_and_columns(&input), input.scale);
    let body = call!(log_softmax(&LogSoftmax::new(rows, columns, scale); tensors));
    Ok(context.call(&[input.id], body)?.overlap(0, 0).table_bytes(size_of::<LogSoftmax>()).into())
}

pub(super) fn l2_norm_call(context: &Context<'_>, activation: Activation) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8])?;
    let output = context.quantised_output(0, &[Element::I8])?;
    context.fixed_quantisation(&output, 1.0 / 128.0, 0)?;
    if activation != Activation::None {
        return Err(context.fault(format!("fused activation {activation:?}"), "NONE"));
    }
    let ((rows, columns), zero_point) = (rows_and_columns(&input), input.zero_point);
    let body = call!(l2_norm(&L2Norm::new(rows, columns, zero_point); tensors));
    Ok(context.call(&[input.id], body)?.overlap(0, 0).label(format!("{rows} rows of {columns}")).into())
}

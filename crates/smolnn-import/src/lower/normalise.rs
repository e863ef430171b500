//! SOFTMAX over the last dimension, int8 to int8 or int16, int16 to int16, and f32; LOG_SOFTMAX and L2_NORMALIZATION, int8 and f32.

use smolnn_fixed::l2_norm::{L2Norm, l2_norm};
use smolnn_fixed::log_softmax::{LogSoftmax, log_softmax};
use smolnn_fixed::softmax::{Softmax, softmax, softmax_to_int16};
use smolnn_fixed::softmax_int16::{SoftmaxInt16, softmax_int16};
use smolnn_float as float;

use super::Lowered;
use super::call::call;
use super::context::{Context, activated};
use crate::error::Problem;
use crate::net::{Activation, Element};

/// Rows and columns of a tensor; a scalar is one row of one column.
fn rows_and_columns(shape: &[usize]) -> (usize, usize) {
    let columns = shape.last().copied().unwrap_or(1);
    (shape.iter().product::<usize>() / columns, columns)
}

pub(super) fn softmax_call(context: &Context<'_>, beta: f32) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        let (input, shape) = context.real(0)?;
        let (rows, columns) = rows_and_columns(shape);
        let body = if beta == 1.0 {
            call!(float::act::softmax(&float::Rows::new(rows, columns); input<f32>(0), output<f32>(0)))
        } else {
            call!(float::act::softmax_scaled(
                &float::Rows::new(rows, columns), beta;
                input<f32>(0), output<f32>(0)
            ))
        };
        let label = if beta == 1.0 { String::new() } else { format!("beta {beta}") };
        return Ok(context.call(&[input], body)?.label(label).into());
    }
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let ((rows, columns), scale) = (rows_and_columns(input.shape()), input.scale);
    let label = if beta == 1.0 { String::new() } else { format!("beta {beta}") };
    let call = if input.tensor.element == Element::I16 {
        let output = context.quantised_output(0, &[Element::I16])?;
        context.nearly_fixed_quantisation(&output, 1.0 / 32768.0, 0)?;
        let body = call!(softmax_int16(&SoftmaxInt16::new(rows, columns, beta, scale); tensors));
        context.call(&[input.id], body)?.overlap(0, 0).table_bytes(size_of::<SoftmaxInt16>())
    } else {
        let output = context.affine(context.output(0)?, &[Element::I8, Element::I16])?;
        if output.tensor.element == Element::I8 {
            context.fixed_quantisation(&output, 1.0 / 256.0, -128)?;
            let body = call!(softmax(&Softmax::new(rows, columns, beta, scale); tensors));
            context.call(&[input.id], body)?.overlap(0, 0).table_bytes(size_of::<Softmax>())
        } else {
            context.nearly_fixed_quantisation(&output, 1.0 / 65536.0, -32768)?;
            let body = call!(softmax_to_int16(&Softmax::new(rows, columns, beta, scale); input(0), output(0)));
            context.call(&[input.id], body)?.table_bytes(size_of::<Softmax>())
        }
    };
    Ok(call.label(label).into())
}

pub(super) fn log_softmax_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        let (input, shape) = context.real(0)?;
        let (rows, columns) = rows_and_columns(shape);
        let body = call!(float::act::log_softmax(&float::Rows::new(rows, columns); input<f32>(0), output<f32>(0)));
        return Ok(context.call(&[input], body)?.into());
    }
    let input = context.quantised_input(0, &[Element::I8])?;
    let output = context.quantised_output(0, &[Element::I8])?;
    context.fixed_quantisation(&output, 16.0 / 256.0, 127)?;
    let ((rows, columns), scale) = (rows_and_columns(input.shape()), input.scale);
    let body = call!(log_softmax(&LogSoftmax::new(rows, columns, scale); tensors));
    Ok(context.call(&[input.id], body)?.overlap(0, 0).table_bytes(size_of::<LogSoftmax>()).into())
}

pub(super) fn l2_norm_call(context: &Context<'_>, activation: Activation) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        let (input, shape) = context.real(0)?;
        let (rows, columns) = rows_and_columns(shape);
        let body = call!(float::l2_norm::l2_norm(&float::Rows::new(rows, columns); input<f32>(0), output<f32>(0)));
        let label = format!("{rows} rows of {columns}");
        return Ok(context.call(&[input], activated(body, activation))?.label(label).into());
    }
    let input = context.quantised_input(0, &[Element::I8])?;
    let output = context.quantised_output(0, &[Element::I8])?;
    context.fixed_quantisation(&output, 1.0 / 128.0, 0)?;
    if activation != Activation::None {
        return Err(context.fault(format!("fused activation {activation:?}"), "NONE"));
    }
    let ((rows, columns), zero_point) = (rows_and_columns(input.shape()), input.zero_point);
    let body = call!(l2_norm(&L2Norm::new(rows, columns, zero_point); tensors));
    Ok(context.call(&[input.id], body)?.overlap(0, 0).label(format!("{rows} rows of {columns}")).into())
}

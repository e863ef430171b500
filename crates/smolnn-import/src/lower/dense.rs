//! FULLY_CONNECTED, int8, int16 and f32: integers with constant weights the packed layers, with computed ones or ones of a zero point a product of matrices.

use smolnn_core::DenseShape;
use smolnn_fixed::conv::{LARGEST_SUM, Sums};
use smolnn_fixed::dense::{Dense, dense};
use smolnn_fixed::dense_int16::{DenseInt16, dense_int16};
use smolnn_fixed::matmul::{Matmul, MatmulShape, matmul};
use smolnn_fixed::pack::PackedShape;
use smolnn_fixed::{Weights, pack};
use smolnn_float as float;

use super::Lowered;
use super::call::{call, made, typed};
use super::context::{Context, activated, activation_label};
use super::weights::{LayerWeights, PackedWeights, bias, bias_and_sums, check_size, never_packed, why_portable};
use crate::error::Problem;
use crate::net::{Activation, Element};

pub(super) fn lower(context: &Context<'_>, activation: Activation, narrow_sums: bool) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real(context, activation);
    }
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    let tensor = context.tensor(context.input(1)?);
    let symmetric = tensor.quantisation.as_ref().is_none_or(|of| of.zero_points.iter().all(|&point| point == 0));
    if tensor.data.is_none() || !symmetric {
        return product(context, activation, narrow_sums);
    }
    let weights = LayerWeights::new(context, 0, 2)?;
    let &[outputs, inputs] = weights.shape else {
        return Err(context.fault_of_input(1, format!("weights of shape {:?}", weights.shape), "rank 2"));
    };
    let batch = input.tensor.len() / inputs;
    let shape = context.shape(made!(DenseShape::new(batch, inputs, outputs)))?;
    let range = output.range(activation);
    if let Some(scale) = weights.scale() {
        check_bias_scale(context, input.scale * scale, output.scale)?;
    }
    let multipliers = weights.multipliers(context, &input, &output)?;
    let macs = shape.macs();
    let label = format!("{inputs}->{outputs}{}", activation_label(activation));
    if input.tensor.element == Element::I16 {
        let (weights, sums) = weights.int16(context, outputs, multipliers, narrow_sums)?;
        let weights = if sums == Sums::Bits64 { weights.shorten(inputs, outputs) } else { weights };
        let portable = weights.why_portable(context.backend);
        let body = call!(dense_int16(&DenseInt16::with_sums(shape, weights, sums, range); input(0), output(0)));
        return Ok(context.call(&[input.id], body)?.macs(macs).label(label).portable(portable).into());
    }
    let bias = weights.bias(context, outputs)?;
    let weights =
        Weights { values: &weights.values, bias: &bias, multipliers: &multipliers, input_zero_point: input.zero_point };
    let words = pack::dense_words(context.backend, &shape);
    let packed = context.shape(PackedWeights::new(words, outputs, |words, channels| {
        pack::dense(context.backend, &shape, &weights, &range, words, channels)
    }))?;
    let PackedWeights { words, channels, layout, scratch } = packed;
    let gap = shape.overlap_gap();
    let portable = why_portable(context.backend, &PackedShape::Dense(shape.value), layout);
    let body = call!(dense(&Dense::new(shape, words, channels, layout, range); tensors, scratch));
    let call = context.call(&[input.id], body)?.overlap(0, gap).macs(macs).scratch(scratch);
    Ok(call.label(label).portable(portable).into())
}

/// The layer as a product with its weights, transposed: they need be neither constant nor symmetric.
fn product(context: &Context<'_>, activation: Activation, narrow_sums: bool) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    let weights = context.quantised_input(1, &[Element::I8])?;
    let &[outputs, inputs] = weights.shape() else {
        return Err(context.fault_of_input(1, format!("weights of shape {:?}", weights.shape()), "rank 2"));
    };
    let batch = input.tensor.len() / inputs;
    let (biases, sums) = if input.tensor.element == Element::I16 {
        bias_and_sums(context, 2, outputs, narrow_sums)?
    } else {
        let biases = if context.optional_input(2).is_some() { bias(context, 2, outputs)? } else { Vec::new() };
        (biases.into_iter().map(i64::from).collect(), Sums::Bits32)
    };
    if sums == Sums::Bits64 {
        check_size(context, 2, &biases, LARGEST_SUM / 2)?;
    }
    check_bias_scale(context, input.scale * weights.scale, output.scale)?;
    let shape = MatmulShape { right_transposed: true, ..MatmulShape::new(batch, inputs, outputs) };
    let (x, w, scale, range) = (input.affine(), weights.affine(), output.scale, output.range(activation));
    let body = typed!(context, input.tensor.element, T: I8 I16 => {
        call!(matmul(&Matmul::new(shape, x, w, biases, sums, scale, range); input<T>(0), input<i8>(1), output<T>(0)))
    });
    let label = format!("{inputs}->{outputs}{}", activation_label(activation));
    let macs = (batch * inputs * outputs) as u64;
    let portable =
        never_packed(context.backend, "no backend has a body for products with computed or asymmetric weights");
    Ok(context.call(&[input.id, weights.id], body)?.macs(macs).label(label).portable(portable).into())
}

/// Checks that the bias, if it states a scale, has that of the products, to a fiftieth of the output's: what the reference asks for.
fn check_bias_scale(context: &Context<'_>, products: f32, output: f32) -> Result<(), Problem> {
    let Some(id) = context.optional_input(2) else { return Ok(()) };
    match context.tensor(id).quantisation.as_ref().map(|quantisation| &quantisation.scales[..]) {
        Some(&[scale]) if (f64::from(products) - f64::from(scale)).abs() / f64::from(output) > 0.02 => {
            let supported = format!("scale {products:?}, the input's times the weights'");
            Err(context.tensor_fault(id, format!("a bias of scale {scale:?}"), supported))
        }
        _ => Ok(()),
    }
}

fn real(context: &Context<'_>, activation: Activation) -> Result<Lowered, Problem> {
    let ((input, _), (weights, of_weights)) = (context.real(0)?, context.real(1)?);
    let &[outputs, inputs] = of_weights else {
        return Err(context.fault_of_input(1, format!("weights of shape {of_weights:?}"), "rank 2"));
    };
    let batch = context.tensor(input).len() / inputs;
    let macs = (batch * inputs * outputs) as u64;
    let label = format!("{inputs}->{outputs}{}", activation_label(activation));
    let shape = context.shape(made!(DenseShape::new(batch, inputs, outputs)))?.by_reference();
    let (body, inputs) = if context.tensor(weights).data.is_some() {
        let (weights, bias) = (context.reals(1, "weights")?, context.real_bias(2, outputs)?);
        (call!(float::dense::forward(shape, weights, bias; input<f32>(0), output<f32>(0))), vec![input])
    } else if let Some(bias) = context.optional_input(2) {
        context.real_vector(2, outputs)?;
        let body = call!(float::dense::forward(shape; input<f32>(1), some<f32>(2), input<f32>(0), output<f32>(0)));
        (body, vec![input, weights, bias])
    } else {
        (call!(float::dense::forward(shape; input<f32>(1), none, input<f32>(0), output<f32>(0))), vec![input, weights])
    };
    Ok(context.call(&inputs, activated(body, activation))?.macs(macs).label(label).into())
}

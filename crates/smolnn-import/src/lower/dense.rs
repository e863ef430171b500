//! FULLY_CONNECTED, int8 and int16.

use smolnn_core::DenseShape;
use smolnn_fixed::dense::{Dense, dense, dense_scratch};
use smolnn_fixed::dense_int16::{DenseInt16, dense_int16};
use smolnn_fixed::{Weights, pack};

use super::Lowered;
use super::call::{call, made};
use super::context::{Context, activation_label};
use super::weights::{LayerWeights, PackedWeights};
use crate::error::Problem;
use crate::net::{Activation, Element};

pub(super) fn lower(context: &Context<'_>, activation: Activation) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    let weights = LayerWeights::new(context, 0, 2)?;
    let &[outputs, inputs] = weights.shape else {
        return Err(context.fault_of_input(1, format!("weights of shape {:?}", weights.shape), "rank 2"));
    };
    let batch = input.tensor.len() / inputs;
    let shape = context.shape(made!(DenseShape::new(batch, inputs, outputs)))?;
    let range = output.range(activation);
    // The reference multiplies the two scales in f32 when there is one for all weights.
    let multipliers = match weights.scale() {
        Some(scale) => {
            check_bias_scale(context, input.scale * scale, output.scale)?;
            vec![context.multiplier(f64::from(input.scale * scale) / f64::from(output.scale))?]
        }
        None => weights.multipliers(context, &input, &output)?,
    };
    let macs = shape.macs() as u64;
    let label = format!("{inputs}->{outputs}{}", activation_label(activation));
    if input.tensor.element == Element::I16 {
        let weights = weights.int16(context, outputs, multipliers)?.shorten(inputs, outputs);
        let body = call!(dense_int16(&DenseInt16::new(shape, weights, range); input(0), output(0)));
        return Ok(context.call(&[input.id], body)?.macs(macs).label(label).into());
    }
    let bias = weights.bias(context, outputs)?;
    let weights =
        Weights { values: &weights.values, bias: &bias, multipliers: &multipliers, input_zero_point: input.zero_point };
    let words = pack::dense_words(context.backend, &shape);
    let packed = context.shape(PackedWeights::new(words, outputs, |words, channels| {
        pack::dense(context.backend, &shape, &weights, &range, words, channels)
    }))?;
    let PackedWeights { words, channels, layout } = packed;
    let (scratch, gap) = (dense_scratch(layout, &shape), shape.overlap_gap());
    let body = call!(dense(&Dense::new(shape, words, channels, layout, range); tensors, scratch));
    Ok(context.call(&[input.id], body)?.overlap(0, gap).macs(macs).scratch(scratch).label(label).into())
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

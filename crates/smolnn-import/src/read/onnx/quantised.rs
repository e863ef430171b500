//! Quantised networks: QuantizeLinear and DequantizeLinear, and operators on integers, which are read as real ones between the two. A pass of `rewrite`
//! then finds the integer operators.
//!
//! Integers of the net are int8. uint8 ones are the same 128 lower: values and zero points shift alike, at no cost.

use super::operator::Op;
use super::{convolution, elementwise, movement, normalise, pool, product};
use crate::error::Problem;
use crate::net::{
    BinaryKind, Constant, Element, Operator, PoolKind, Quantisation, ReduceKind, Tensor, TensorId, UnaryKind,
};

type Outputs = Result<Vec<TensorId>, Problem>;

/// The scales of operand `scale` and the zero points of operand `scale + 1`, as they count for int8 values where those of the file are uint8.
fn parameters(op: &mut Op<'_>, scale: usize, dimension: usize, is_unsigned: bool) -> Result<Quantisation, Problem> {
    let scales = op.reals(scale, "scale")?;
    if scales.is_empty() || scales.iter().any(|scale| !(scale.is_finite() && *scale > 0.0)) {
        return Err(op.fault(format!("scales {scales:?}"), "positive, finite scales"));
    }
    let mut points = match op.optional(scale + 1) {
        Some(_) => op.integers(scale + 1, "zero point")?,
        None => vec![0],
    };
    if points.len() == 1 {
        points = vec![points[0]; scales.len()];
    }
    let shift = if is_unsigned { 128 } else { 0 };
    let zero_points = points.iter().map(|point| i32::try_from(point - shift).ok()).collect::<Option<Vec<_>>>();
    match zero_points.filter(|points| points.len() == scales.len()) {
        Some(zero_points) => Ok(Quantisation { scales, zero_points, dimension }),
        None => Err(op.fault(format!("zero points {points:?}"), "one per scale, in the range of the type")),
    }
}

/// The axis of the scales, from the front; without meaning where there is one scale.
fn dimension(op: &Op<'_>, id: TensorId, scales: TensorId, axis: i64) -> Result<usize, Problem> {
    if op.builder.tensor(scales).len() == 1 {
        return Ok(0);
    }
    let shape = op.builder.shape(id);
    let axis = op.axis(axis, shape.len())?;
    if op.int("block_size", 0) != 0 || op.builder.shape(scales) != [shape[axis]] {
        return Err(op.fault("scales of blocks", "one scale, or one per index along an axis"));
    }
    Ok(axis)
}

/// A constant of int8, uint8 or int32 with its quantisation; uint8 as int8.
pub(super) fn constant(op: &mut Op<'_>, id: TensorId, quantisation: Quantisation) -> TensorId {
    let tensor = op.builder.tensor(id).clone();
    let is_unsigned = tensor.element == Element::U8;
    let data = tensor.data.as_ref().map(|data| {
        let bytes = data.bytes().iter().map(|&byte| if is_unsigned { byte ^ 0x80 } else { byte });
        Constant::new(bytes.collect())
    });
    let element = if is_unsigned { Element::I8 } else { tensor.element };
    op.builder.add(Tensor { element, data, quantisation: Some(quantisation), ..tensor })
}

/// The real values of operand `index`, whose scale is operand `scale` and whose zero point is the one behind that.
fn real(op: &mut Op<'_>, index: usize, scale: usize) -> Result<TensorId, Problem> {
    real_along(op, index, scale, op.int("axis", 1))
}

/// As [`real`], where several scales run along this axis.
fn real_along(op: &mut Op<'_>, index: usize, scale: usize, axis: i64) -> Result<TensorId, Problem> {
    let (id, scales) = (op.input(index)?, op.input(scale)?);
    let element = op.builder.element(id);
    if !matches!(element, Element::I8 | Element::U8 | Element::I32) {
        return Err(op.builder.fault_of(id, element.to_string(), "INT8, UINT8, INT32"));
    }
    let dimension = dimension(op, id, scales, axis)?;
    if op.builder.is_constant(id) {
        let quantisation = parameters(op, scale, dimension, element == Element::U8)?;
        let whole = constant(op, id, quantisation);
        return real_constant(op, whole);
    }
    // Those of a tensor that an operator quantised were uint8 in the file if the zero point is.
    let is_unsigned = op.optional(scale + 1).is_some_and(|id| op.builder.element(id) == Element::U8);
    let quantisation = parameters(op, scale, dimension, is_unsigned && element == Element::I8)?;
    if quantisation.scales.len() != 1 {
        return Err(op.builder.fault_of(id, "scales per channel of an activation", "one scale"));
    }
    let stated = &mut op.builder.net.tensors[id].quantisation;
    if stated.get_or_insert_with(|| quantisation.clone()) != &quantisation {
        return Err(op.builder.fault_of(id, "another scale or zero point than it was quantised with", "the same"));
    }
    let mut integers = id;
    if element == Element::U8 {
        let zero_points = quantisation.zero_points.iter().map(|point| point - 128).collect();
        integers = quantised(op, id, Quantisation { zero_points, ..quantisation })?;
    }
    op.builder.push_stated(Operator::Dequantise, &[Some(integers)], Element::F32, &[])
}

/// A constant of scaled integers as real numbers, of which the builder knows where they come from.
fn real_constant(op: &mut Op<'_>, whole: TensorId) -> Result<TensorId, Problem> {
    let values = op.builder.tensor(whole).dequantised();
    let values =
        values.ok_or_else(|| op.fault("a constant whose scales do not fit its shape", "a scale per channel"))?;
    let shape = op.builder.shape(whole);
    let id = op.builder.reals(&shape, &values);
    op.builder.stored.insert(id, whole);
    Ok(id)
}

/// A tensor as int8.
fn quantised(op: &mut Op<'_>, id: TensorId, quantisation: Quantisation) -> Result<TensorId, Problem> {
    let output = op.builder.push_stated(Operator::Quantise, &[Some(id)], Element::I8, &[])?;
    op.builder.net.tensors[output].quantisation = Some(quantisation);
    Ok(output)
}

/// A tensor of real numbers as int8, with scale and zero point of these operands.
fn quantise_by(op: &mut Op<'_>, id: TensorId, scale: usize) -> Outputs {
    let of_points = op.optional(scale + 1).map(|id| op.builder.element(id));
    let is_unsigned = match of_points {
        Some(Element::I8) => false,
        Some(Element::U8) => true,
        None => op.int("output_dtype", 2) == 2,
        Some(other) => return Err(op.fault(format!("a zero point of {other}"), "INT8, UINT8")),
    };
    let quantisation = parameters(op, scale, 0, is_unsigned)?;
    if quantisation.scales.len() != 1 {
        return Err(op.fault("scales per channel of an activation", "one scale"));
    }
    let output = quantised(op, id, quantisation)?;
    if is_unsigned {
        op.builder.unsigned.insert(output);
    }
    Ok(vec![output])
}

pub(super) fn quantise(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    quantise_by(op, id, 1)
}

pub(super) fn dequantise(op: &mut Op<'_>) -> Outputs {
    Ok(vec![real(op, 0, 1)?])
}

/// Reads an operator on real operands in place of this one on integers, and quantises its output by the operands from `scale` on.
fn between(
    op: &mut Op<'_>,
    operands: Vec<Option<TensorId>>,
    scale: usize,
    read: impl FnOnce(&mut Op<'_>) -> Outputs,
) -> Outputs {
    let mut real = Op { builder: &mut *op.builder, node: op.node, inputs: operands };
    let outputs = read(&mut real)?;
    let &[output] = &outputs[..] else { return Err(op.fault("several outputs", "one output")) };
    quantise_by(op, output, scale)
}

/// The bias of a layer, int32 in steps of the products of both scales.
fn bias(op: &mut Op<'_>, index: usize, input: usize, weights: usize) -> Result<Option<TensorId>, Problem> {
    let Some(id) = op.optional(index) else { return Ok(None) };
    let (x, w) = (op.reals(input, "scale")?, op.reals(weights, "scale")?);
    let scales: Vec<f32> = w.iter().map(|w| w * x.first().copied().unwrap_or(1.0)).collect();
    let zero_points = vec![0; scales.len()];
    let whole = constant(op, id, Quantisation { scales, zero_points, dimension: 0 });
    real_constant(op, whole).map(Some)
}

pub(super) fn conv(op: &mut Op<'_>) -> Outputs {
    let x = real(op, 0, 1)?;
    let id = op.input(3)?;
    let is_unsigned = op.builder.element(id) == Element::U8;
    if !op.builder.is_constant(id) {
        return Err(op.builder.fault_of(id, "weights computed when the model runs", "constant weights"));
    }
    let quantisation = parameters(op, 4, 0, is_unsigned)?;
    let whole = constant(op, id, quantisation);
    let weights = real_constant(op, whole)?;
    let bias = bias(op, 8, 1, 4)?;
    between(op, vec![Some(x), Some(weights), bias], 6, convolution::conv)
}

pub(super) fn matmul(op: &mut Op<'_>) -> Outputs {
    let operands = vec![Some(real(op, 0, 1)?), Some(real(op, 3, 4)?)];
    between(op, operands, 6, product::matmul)
}

pub(super) fn gemm(op: &mut Op<'_>) -> Outputs {
    let columns = i64::from(op.int("transB", 0) == 0);
    let operands = vec![Some(real(op, 0, 1)?), Some(real_along(op, 3, 4, columns)?), bias(op, 6, 1, 4)?];
    between(op, operands, 7, product::gemm)
}

pub(super) fn binary(op: &mut Op<'_>, kind: BinaryKind) -> Outputs {
    let operands = vec![Some(real(op, 0, 1)?), Some(real(op, 3, 4)?)];
    between(op, operands, 6, |op| elementwise::binary(op, kind))
}

pub(super) fn sigmoid(op: &mut Op<'_>) -> Outputs {
    let operands = vec![Some(real(op, 0, 1)?)];
    between(op, operands, 3, |op| elementwise::unary(op, UnaryKind::Logistic))
}

pub(super) fn leaky_relu(op: &mut Op<'_>) -> Outputs {
    let operands = vec![Some(real(op, 0, 1)?)];
    between(op, operands, 3, elementwise::leaky_relu)
}

pub(super) fn softmax(op: &mut Op<'_>) -> Outputs {
    let operands = vec![Some(real(op, 0, 1)?)];
    between(op, operands, 3, |op| normalise::softmax(op, false))
}

/// A pool over real numbers in place of one on integers.
fn pool(op: &mut Op<'_>, read: impl FnOnce(&mut Op<'_>) -> Outputs) -> Outputs {
    if op.int("channels_last", 0) != 0 {
        return Err(op.fault("channels_last 1", "channels in dimension 1"));
    }
    let operands = vec![Some(real(op, 0, 1)?)];
    between(op, operands, 3, read)
}

pub(super) fn average(op: &mut Op<'_>) -> Outputs {
    pool(op, |op| pool::pool(op, PoolKind::Average))
}

pub(super) fn global_average(op: &mut Op<'_>) -> Outputs {
    pool(op, |op| pool::global(op, ReduceKind::Mean))
}

pub(super) fn concat(op: &mut Op<'_>) -> Outputs {
    let count = op.inputs.len().saturating_sub(2) / 3;
    let operands =
        (0..count).map(|index| real(op, 2 + 3 * index, 3 + 3 * index).map(Some)).collect::<Result<_, _>>()?;
    between(op, operands, 0, movement::concat)
}

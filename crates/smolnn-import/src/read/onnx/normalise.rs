//! Normalisations, as arithmetic, and softmax.

use super::operator::Op;
use crate::error::Problem;
use crate::net::{BinaryKind, Operator, ReduceKind, TensorId, UnaryKind};

type Outputs = Result<Vec<TensorId>, Problem>;

/// A vector with one element per channel, for tensors of channels in dimension 1.
fn per_channel(op: &mut Op<'_>, values: &[f32], rank: usize) -> TensorId {
    let mut shape = vec![1; rank.saturating_sub(1).max(1)];
    shape[0] = values.len();
    op.builder.reals(&shape, values)
}

pub(super) fn batch(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let shape = op.builder.shape(id);
    if op.int("training_mode", 0) != 0 || op.has_output(1) && op.builder.opset < 14 && op.int("is_test", 1) == 0 {
        return Err(op.fault("batch normalisation that trains", "networks exported for inference (model.eval())"));
    }
    let epsilon = op.float("epsilon", 1e-5);
    let (scale, shift) = (op.reals(1, "scale")?, op.reals(2, "shift")?);
    let (mean, variance) = (op.reals(3, "mean")?, op.reals(4, "variance")?);
    let channels = shape.get(1).copied().unwrap_or(1);
    if [&scale, &shift, &mean, &variance].iter().any(|values| values.len() != channels) {
        return Err(op.fault(format!("statistics of other lengths than {channels} channels"), "one number per channel"));
    }
    let factors: Vec<f32> = scale
        .iter()
        .zip(&variance)
        .map(|(&scale, &variance)| (f64::from(scale) / (f64::from(variance) + f64::from(epsilon)).sqrt()) as f32)
        .collect();
    let offsets: Vec<f32> =
        (0..channels).map(|c| (f64::from(shift[c]) - f64::from(mean[c]) * f64::from(factors[c])) as f32).collect();
    let (factors, offsets) = (per_channel(op, &factors, shape.len()), per_channel(op, &offsets, shape.len()));
    let scaled = op.builder.binary(BinaryKind::Multiply, id, factors)?;
    Ok(vec![op.builder.binary(BinaryKind::Add, scaled, offsets)?])
}

/// The tensor over these axes with mean 0 and variance 1: that, the mean, and one over the standard deviation.
fn standardised(op: &mut Op<'_>, id: TensorId, axes: &[usize], epsilon: f32) -> Result<[TensorId; 3], Problem> {
    let mean = op.builder.reduce(ReduceKind::Mean, id, axes, true)?;
    let centred = op.builder.binary(BinaryKind::Subtract, id, mean)?;
    let squares = op.builder.unary(UnaryKind::Square, centred)?;
    let variance = op.builder.reduce(ReduceKind::Mean, squares, axes, true)?;
    let variance = op.builder.with_real(BinaryKind::Add, variance, epsilon)?;
    let inverse = op.builder.unary(UnaryKind::Rsqrt, variance)?;
    Ok([op.builder.binary(BinaryKind::Multiply, centred, inverse)?, mean, inverse])
}

/// The tensor times a constant plus another one, where they are not 1 and 0.
fn affine(
    op: &mut Op<'_>,
    id: TensorId,
    scale: Option<TensorId>,
    shift: Option<TensorId>,
) -> Result<TensorId, Problem> {
    let all = |op: &Op<'_>, id: TensorId, of: f32| {
        op.builder.reals_of(id).is_some_and(|values| values.iter().all(|&value| value == of))
    };
    let mut result = id;
    if let Some(scale) = scale.filter(|&scale| !all(op, scale, 1.0)) {
        result = op.builder.binary(BinaryKind::Multiply, result, scale)?;
    }
    if let Some(shift) = shift.filter(|&shift| !all(op, shift, 0.0)) {
        result = op.builder.binary(BinaryKind::Add, result, shift)?;
    }
    Ok(result)
}

pub(super) fn instance(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let rank = op.builder.tensor(id).shape.len();
    if rank < 3 {
        return Err(op.fault(format!("rank {rank}"), "batch, channels and at least one dimension behind them"));
    }
    let axes: Vec<usize> = (2..rank).collect();
    let [result, ..] = standardised(op, id, &axes, op.float("epsilon", 1e-5))?;
    let (scale, shift) = (op.reals(1, "scale")?, op.reals(2, "shift")?);
    let (scale, shift) = (per_channel(op, &scale, rank), per_channel(op, &shift, rank));
    Ok(vec![affine(op, result, Some(scale), Some(shift))?])
}

pub(super) fn group(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let shape = op.builder.shape(id);
    let groups = usize::try_from(op.int("num_groups", 1)).unwrap_or(0);
    let channels = shape.get(1).copied().unwrap_or(0);
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(op.fault(format!("{groups} groups of {channels} channels"), "groups of equal size"));
    }
    let grouped = [&shape[..1], &[groups, channels / groups], &shape[2..]].concat();
    let axes: Vec<usize> = (2..grouped.len()).collect();
    let split = op.builder.reshape(id, &grouped)?;
    let [result, ..] = standardised(op, split, &axes, op.float("epsilon", 1e-5))?;
    let (mut scale, mut shift) = (op.reals(1, "scale")?, op.reals(2, "shift")?);
    if scale.len() == groups && shift.len() == groups {
        // Version 18 has one number per group.
        let each = |values: &[f32]| values.iter().flat_map(|&value| vec![value; channels / groups]).collect::<Vec<_>>();
        (scale, shift) = (each(&scale), each(&shift));
    }
    let result = op.builder.reshape(result, &shape)?;
    let (scale, shift) = (per_channel(op, &scale, shape.len()), per_channel(op, &shift, shape.len()));
    Ok(vec![affine(op, result, Some(scale), Some(shift))?])
}

pub(super) fn layer(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let rank = op.builder.tensor(id).shape.len();
    let axis = op.axis(op.int("axis", -1), rank)?;
    let axes: Vec<usize> = (axis..rank).collect();
    let [result, mean, inverse] = standardised(op, id, &axes, op.float("epsilon", 1e-5))?;
    let (scale, shift) = (op.input(1)?, op.optional(2));
    Ok(vec![affine(op, result, Some(scale), shift)?, mean, inverse])
}

pub(super) fn root_mean_square(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let rank = op.builder.tensor(id).shape.len();
    let axis = op.axis(op.int("axis", -1), rank)?;
    let axes: Vec<usize> = (axis..rank).collect();
    let squares = op.builder.unary(UnaryKind::Square, id)?;
    let mean = op.builder.reduce(ReduceKind::Mean, squares, &axes, true)?;
    let mean = op.builder.with_real(BinaryKind::Add, mean, op.float("epsilon", 1e-5))?;
    let inverse = op.builder.unary(UnaryKind::Rsqrt, mean)?;
    let result = op.builder.binary(BinaryKind::Multiply, id, inverse)?;
    Ok(vec![affine(op, result, op.optional(1), None)?])
}

pub(super) fn lp(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let axis = op.axis(op.int("axis", -1), op.builder.tensor(id).shape.len())?;
    let norm = match op.int("p", 2) {
        1 => {
            let magnitudes = op.builder.unary(UnaryKind::Abs, id)?;
            op.builder.reduce(ReduceKind::Sum, magnitudes, &[axis], true)?
        }
        2 => {
            let squares = op.builder.unary(UnaryKind::Square, id)?;
            let sum = op.builder.reduce(ReduceKind::Sum, squares, &[axis], true)?;
            op.builder.unary(UnaryKind::Sqrt, sum)?
        }
        p => return Err(op.fault(format!("p {p}"), "1, 2")),
    };
    Ok(vec![divided(op, id, norm)?])
}

/// scikit-learn's normaliser: the features of each sample, divided by their norm.
pub(super) fn features(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let axis = op.axis(-1, op.builder.tensor(id).shape.len())?;
    let norm = match &op.text("norm", "MAX")[..] {
        "L1" => {
            let magnitudes = op.builder.unary(UnaryKind::Abs, id)?;
            op.builder.reduce(ReduceKind::Sum, magnitudes, &[axis], true)?
        }
        "L2" => {
            let squares = op.builder.unary(UnaryKind::Square, id)?;
            let sum = op.builder.reduce(ReduceKind::Sum, squares, &[axis], true)?;
            op.builder.unary(UnaryKind::Sqrt, sum)?
        }
        norm => return Err(op.fault(format!("the norm {norm}"), "L1, L2")),
    };
    Ok(vec![divided(op, id, norm)?])
}

/// A tensor divided by its norm: zeros, whose norm is 0, stay zeros.
fn divided(op: &mut Op<'_>, id: TensorId, norm: TensorId) -> Result<TensorId, Problem> {
    let divisor = op.builder.with_real(BinaryKind::Maximum, norm, f32::MIN_POSITIVE)?;
    op.builder.binary(BinaryKind::Divide, id, divisor)
}

/// Softmax or its logarithm along an axis; before version 13 along all axes from one on.
pub(super) fn softmax(op: &mut Op<'_>, logarithm: bool) -> Outputs {
    let id = op.input(0)?;
    let shape = op.builder.shape(id);
    let operator = if logarithm { Operator::LogSoftmax } else { Operator::Softmax { beta: 1.0 } };
    let is_old = op.builder.opset < 13;
    let axis = op.axis(op.int("axis", if is_old { 1 } else { -1 }), shape.len())?;
    if is_old && axis + 1 < shape.len() {
        let rows = [shape[..axis].iter().product(), shape[axis..].iter().product()];
        let flat = op.builder.reshape(id, &rows)?;
        let result = op.builder.push(operator, &[flat])?;
        return Ok(vec![op.builder.reshape(result, &shape)?]);
    }
    let mut last: Vec<usize> = (0..shape.len()).filter(|&other| other != axis).collect();
    last.push(axis);
    let moved = op.builder.transpose(id, &last)?;
    let result = op.builder.push(operator, &[moved])?;
    let back: Vec<usize> = (0..shape.len()).map(|to| last.iter().position(|&from| from == to).unwrap_or(to)).collect();
    Ok(vec![op.builder.transpose(result, &back)?])
}

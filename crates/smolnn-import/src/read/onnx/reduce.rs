//! Reductions, positions of extremes, cumulative sums.

use super::operator::Op;
use crate::error::Problem;
use crate::net::{BinaryKind, Element, Operator, ReduceKind, TensorId, UnaryKind};

type Outputs = Result<Vec<TensorId>, Problem>;

/// What a reduction computes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A reduction of the net's.
    Net(ReduceKind),
    /// The sum of magnitudes.
    L1,
    /// The root of the sum of squares.
    L2,
    /// The logarithm of the sum.
    LogSum,
    /// The logarithm of the sum of exponentials.
    LogSumExp,
    /// The sum of squares.
    SumSquare,
}

pub(super) fn reduce(op: &mut Op<'_>, kind: Kind) -> Outputs {
    let id = op.input(0)?;
    let rank = op.builder.tensor(id).shape.len();
    let keep_dims = op.int("keepdims", 1) != 0;
    let axes = match op.list("axes", 1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => op.axes(&axes, rank)?,
        None if op.int("noop_with_empty_axes", 0) != 0 => Vec::new(),
        None => (0..rank).collect(),
    };
    let builder = &mut *op.builder;
    let mut sum = |kind: ReduceKind, id: TensorId| {
        if axes.is_empty() { Ok(id) } else { builder.reduce(kind, id, &axes, keep_dims) }
    };
    let result = match kind {
        Kind::Net(kind) => sum(kind, id)?,
        Kind::LogSum => {
            let total = sum(ReduceKind::Sum, id)?;
            op.builder.unary(UnaryKind::Log, total)?
        }
        Kind::L1 | Kind::L2 | Kind::SumSquare => {
            let element = if matches!(kind, Kind::L1) { UnaryKind::Abs } else { UnaryKind::Square };
            let elements = op.builder.unary(element, id)?;
            let total = if axes.is_empty() {
                elements
            } else {
                op.builder.reduce(ReduceKind::Sum, elements, &axes, keep_dims)?
            };
            if matches!(kind, Kind::L2) { op.builder.unary(UnaryKind::Sqrt, total)? } else { total }
        }
        Kind::LogSumExp if axes.is_empty() => id,
        Kind::LogSumExp => {
            // The largest one is taken out, so that no exponential overflows.
            let largest = op.builder.reduce(ReduceKind::Max, id, &axes, true)?;
            let rest = op.builder.binary(BinaryKind::Subtract, id, largest)?;
            let powers = op.builder.unary(UnaryKind::Exp, rest)?;
            let total = op.builder.reduce(ReduceKind::Sum, powers, &axes, true)?;
            let log = op.builder.unary(UnaryKind::Log, total)?;
            let result = op.builder.binary(BinaryKind::Add, log, largest)?;
            let kept: Vec<usize> = op
                .builder
                .shape(id)
                .into_iter()
                .enumerate()
                .filter(|(axis, _)| !axes.contains(axis))
                .map(|(_, length)| length)
                .collect();
            if keep_dims { result } else { op.builder.reshape(result, &kept)? }
        }
    };
    Ok(vec![result])
}

pub(super) fn arg_extreme(op: &mut Op<'_>, largest: bool) -> Outputs {
    let id = op.input(0)?;
    let mut shape = op.builder.shape(id);
    let axis = op.axis(op.int("axis", 0), shape.len())?;
    if op.int("select_last_index", 0) != 0 {
        return Err(op.fault("select_last_index 1", "select_last_index 0: the first of equal ones"));
    }
    let position = op.builder.integers(&[], &[axis as i64]);
    let inputs = [Some(id), Some(position)];
    let result = op.builder.push_stated(Operator::ArgExtreme { largest }, &inputs, Element::I32, &[])?;
    if op.int("keepdims", 1) == 0 {
        return Ok(vec![result]);
    }
    shape[axis] = 1;
    Ok(vec![op.builder.reshape(result, &shape)?])
}

pub(super) fn cumulative_sum(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let rank = op.builder.tensor(id).shape.len();
    let &[axis] = &op.integers(1, "axis")?[..] else { return Err(op.fault("several axes", "one axis")) };
    let axis = op.axis(axis, rank)?;
    let axis = op.builder.integers(&[], &[axis as i64]);
    let (exclusive, reverse) = (op.int("exclusive", 0) != 0, op.int("reverse", 0) != 0);
    Ok(vec![op.builder.push(Operator::CumulativeSum { exclusive, reverse }, &[id, axis])?])
}

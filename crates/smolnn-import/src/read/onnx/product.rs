//! Products of matrices.

use super::builder::Builder;
use super::operator::Op;
use crate::error::Problem;
use crate::net::{Activation, BinaryKind, Element, Operator, TensorId};

type Outputs = Result<Vec<TensorId>, Problem>;

/// A dense layer without an activation.
const DENSE: Operator = Operator::Dense { keep_dims: true, activation: Activation::None, narrow_sums: false };

pub(super) fn matmul(op: &mut Op<'_>) -> Outputs {
    let (left, right) = (op.input(0)?, op.input(1)?);
    Ok(vec![product(op, left, right)?])
}

/// The product of tensors of matrices, by the rules of NumPy.
fn product(op: &mut Op<'_>, left: TensorId, right: TensorId) -> Result<TensorId, Problem> {
    let (of_left, of_right) = (op.builder.shape(left), op.builder.shape(right));
    if of_left.is_empty() || of_right.is_empty() {
        return Err(op.fault("a product with a scalar", "vectors and matrices"));
    }
    // A vector is a matrix of one row on the left, of one column on the right.
    let rows = if of_left.len() == 1 { op.builder.reshape(left, &[1, of_left[0]])? } else { left };
    let columns = if of_right.len() == 1 { op.builder.reshape(right, &[of_right[0], 1])? } else { right };
    let is_layer =
        op.builder.is_constant(columns) && !op.builder.is_constant(rows) && op.builder.tensor(columns).shape.len() == 2;
    let result = if is_layer && op.builder.element(rows) == Element::F32 {
        let weights = op.builder.relaid(columns, [1, 0], |builder, id| builder.transpose(id, &[1, 0]))?;
        op.builder.push(DENSE, &[rows, weights])?
    } else {
        op.builder.push(Operator::MatMul { left_transposed: false, right_transposed: false }, &[rows, columns])?
    };
    let mut shape = op.builder.shape(result);
    if of_right.len() == 1 {
        shape.pop();
    }
    if of_left.len() == 1 {
        let row = shape.len() - usize::from(of_right.len() > 1) - 1;
        shape.remove(row);
    }
    op.builder.reshape(result, &shape)
}

pub(super) fn gemm(op: &mut Op<'_>) -> Outputs {
    let (left, right) = (op.input(0)?, op.input(1)?);
    let (alpha, beta) = (op.float("alpha", 1.0), op.float("beta", 1.0));
    let [left_transposed, right_transposed] = ["transA", "transB"].map(|name| op.int(name, 0) != 0);
    let (of_left, of_right) = (op.builder.shape(left), op.builder.shape(right));
    if of_left.len() != 2 || of_right.len() != 2 {
        return Err(op.fault(format!("shapes {of_left:?} and {of_right:?}"), "two matrices"));
    }
    let mut shift = op.optional(2);
    if let Some(id) = shift.filter(|_| beta != 1.0) {
        shift = Some(op.builder.with_real(BinaryKind::Multiply, id, beta)?);
    }
    let mut result = if op.builder.is_constant(right) && !op.builder.is_constant(left) {
        let rows = if left_transposed { op.builder.transpose(left, &[1, 0])? } else { left };
        let transpose = |builder: &mut Builder, id: TensorId| {
            if right_transposed { Ok(id) } else { builder.transpose(id, &[1, 0]) }
        };
        let weights = if alpha == 1.0 {
            op.builder.relaid(right, [usize::from(!right_transposed), 0], transpose)?
        } else {
            let weights = transpose(op.builder, right)?;
            op.builder.with_real(BinaryKind::Multiply, weights, alpha)?
        };
        let outputs = op.builder.shape(weights)[0];
        let bias = shift.filter(|&id| {
            let shape = op.builder.shape(id);
            op.builder.is_constant(id) && (shape == [outputs] || shape == [1, outputs])
        });
        if let Some(id) = bias {
            let bias = op.builder.relaid(id, [0, 0], |builder, id| builder.reshape(id, &[outputs]))?;
            return Ok(vec![op.builder.push(DENSE, &[rows, weights, bias])?]);
        }
        op.builder.push(DENSE, &[rows, weights])?
    } else {
        let result = op.builder.push(Operator::MatMul { left_transposed, right_transposed }, &[left, right])?;
        if alpha == 1.0 { result } else { op.builder.with_real(BinaryKind::Multiply, result, alpha)? }
    };
    if let Some(shift) = shift {
        result = op.builder.binary(BinaryKind::Add, result, shift)?;
    }
    Ok(vec![result])
}

/// A sum of products of two tensors that is a product of matrices: axes of both are batches, those of one are rows or columns, the rest is summed.
pub(super) fn einsum(op: &mut Op<'_>) -> Outputs {
    let equation: String = op.text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
    let fault = |op: &Op<'_>| {
        op.fault(
            format!("the equation {}", equation.escape_debug()),
            "products of two tensors, each index once per tensor, as bij,bjk->bik",
        )
    };
    let Some((operands, output)) = equation.split_once("->") else { return Err(fault(op)) };
    let Some((of_left, of_right)) = operands.split_once(',') else { return Err(fault(op)) };
    let indices = |text: &str| text.chars().collect::<Vec<char>>();
    let (of_left, of_right, output) = (indices(of_left), indices(of_right), indices(output));
    let (left, right) = (op.input(0)?, op.input(1)?);
    let (left_shape, right_shape) = (op.builder.shape(left), op.builder.shape(right));
    let unique =
        |list: &[char]| list.iter().all(|c| c.is_alphabetic() && list.iter().filter(|other| *other == c).count() == 1);
    if ![&of_left, &of_right, &output].into_iter().all(|list| unique(list))
        || of_left.len() != left_shape.len()
        || of_right.len() != right_shape.len()
    {
        return Err(fault(op));
    }
    let both = |c: &char| of_left.contains(c) && of_right.contains(c);
    let batch: Vec<char> = output.iter().copied().filter(both).collect();
    let rows: Vec<char> = output.iter().copied().filter(|c| of_left.contains(c) && !both(c)).collect();
    let columns: Vec<char> = output.iter().copied().filter(|c| of_right.contains(c) && !both(c)).collect();
    let summed: Vec<char> = of_left.iter().copied().filter(|c| both(c) && !output.contains(c)).collect();
    if batch.len() + rows.len() + columns.len() != output.len()
        || batch.len() + rows.len() + summed.len() != of_left.len()
        || batch.len() + columns.len() + summed.len() != of_right.len()
    {
        return Err(fault(op));
    }
    let length = |c: &char| match of_left.iter().position(|other| other == c) {
        Some(at) => left_shape[at],
        None => of_right.iter().position(|other| other == c).map_or(1, |at| right_shape[at]),
    };
    let product_of = |list: &[char]| list.iter().map(length).product::<usize>();
    let order = |wanted: &[char], of: &[char]| {
        wanted.iter().filter_map(|c| of.iter().position(|other| other == c)).collect::<Vec<_>>()
    };
    let left = op.builder.transpose(left, &order(&[&batch[..], &rows[..], &summed[..]].concat(), &of_left))?;
    let right = op.builder.transpose(right, &order(&[&batch[..], &summed[..], &columns[..]].concat(), &of_right))?;
    let (batches, depth) = (product_of(&batch), product_of(&summed));
    let shapes = [[batches, product_of(&rows), depth], [batches, depth, product_of(&columns)]];
    let (left, right) = if batch.is_empty() {
        (op.builder.reshape(left, &shapes[0][1..])?, op.builder.reshape(right, &shapes[1][1..])?)
    } else {
        (op.builder.reshape(left, &shapes[0])?, op.builder.reshape(right, &shapes[1])?)
    };
    let result = product(op, left, right)?;
    let found = [&batch[..], &rows[..], &columns[..]].concat();
    let shape: Vec<usize> = found.iter().map(length).collect();
    let result = op.builder.reshape(result, &shape)?;
    Ok(vec![op.builder.transpose(result, &order(&output, &found))?])
}

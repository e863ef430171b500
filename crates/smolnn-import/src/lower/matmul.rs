//! BATCH_MATMUL, int8, int16 and f32.

use smolnn_fixed::conv::Sums;
use smolnn_fixed::matmul::{BATCH_RANK, Matmul, MatmulShape, matmul};
use smolnn_float as float;

use super::Lowered;
use super::argument::Lengths;
use super::call::{call, made, typed};
use super::context::Context;
use super::weights::never_packed;
use crate::error::Problem;
use crate::net::{Activation, Element};

pub(super) fn lower(context: &Context<'_>, left_transposed: bool, right_transposed: bool) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real(context, left_transposed, right_transposed);
    }
    let left = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let element = left.tensor.element;
    let right = context.quantised_input(1, &[element])?;
    let output = context.quantised_output(0, &[element])?;
    let fault = |supported: &str| {
        let found = format!("matrices of shapes {:?} and {:?}", left.shape(), right.shape());
        context.fault(found, supported)
    };
    let ([outer @ .., a, b], [right_outer @ .., c, d]) = (left.shape(), right.shape()) else {
        return Err(fault("at least two dimensions"));
    };
    let (left_batch, right_batch) = batches(outer, right_outer)
        .ok_or_else(|| fault("batches of which parts of at most 3 kinds repeat: of both, of the left, of the right"))?;
    let (rows, depth) = if left_transposed { (*b, *a) } else { (*a, *b) };
    let columns = if right_transposed { *c } else { *d };
    let shape = MatmulShape { left_batch, right_batch, rows, depth, columns, left_transposed, right_transposed };
    let macs = (shape.output_len() * depth) as u64;
    let (x, y, scale, range) = (left.affine(), right.affine(), output.scale, output.range(Activation::None));
    let sums = if element == Element::I8 { Sums::Bits32 } else { Sums::Bits64 };
    let bias: Vec<i64> = Vec::new();
    let body = typed!(context, element, T: I8 I16 => {
        call!(matmul(&Matmul::new(shape, x, y, bias, sums, scale, range); input<T>(0), input<T>(1), output<T>(0)))
    });
    let label = format!("{} of {rows}x{depth}x{columns}", shape.output_len() / (rows * columns));
    let portable = never_packed(context.backend, "no backend has a body for products of two computed matrices");
    Ok(context.call(&[left.id, right.id], body)?.macs(macs).label(label).portable(portable).into())
}

/// The product of matrices of real numbers.
fn real(context: &Context<'_>, left_transposed: bool, right_transposed: bool) -> Result<Lowered, Problem> {
    let ((left, of_left), (right, of_right)) = (context.real(0)?, context.real(1)?);
    let ([outer @ .., a, b], [right_outer @ .., c, d]) = (of_left, of_right) else {
        let found = format!("matrices of shapes {of_left:?} and {of_right:?}");
        return Err(context.fault(found, "at least two dimensions"));
    };
    let (rows, depth) = if left_transposed { (*b, *a) } else { (*a, *b) };
    let columns = if right_transposed { *c } else { *d };
    let batches = [Lengths(outer.to_vec()), Lengths(right_outer.to_vec())];
    let made = context.shape(made!(float::matmul::MatmulShape::over(
        batches,
        rows,
        depth,
        columns,
        left_transposed,
        right_transposed
    )))?;
    let macs = (made.lengths()[2] * depth) as u64;
    let label = format!("{} of {rows}x{depth}x{columns}", made.lengths()[2] / (rows * columns));
    let shape = made.by_reference();
    let body = call!(float::matmul::matmul(shape; input<f32>(0), input<f32>(1), output<f32>(0)));
    Ok(context.call(&[left, right], body)?.macs(macs).label(label).into())
}

/// Dimensions of two batches that fit each other, as the kernel takes them: neighbours that repeat in the same way are one. `None` where more are left
/// than the kernel has.
fn batches(left: &[usize], right: &[usize]) -> Option<([usize; BATCH_RANK], [usize; BATCH_RANK])> {
    let rank = left.len().max(right.len());
    let length = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for pair in (0..rank).map(|axis| (length(left, axis), length(right, axis))).filter(|&pair| pair != (1, 1)) {
        match merged.last_mut() {
            Some(last) if (last.0 == 1, last.1 == 1) == (pair.0 == 1, pair.1 == 1) => {
                *last = (last.0 * pair.0, last.1 * pair.1);
            }
            _ => merged.push(pair),
        }
    }
    let unused = BATCH_RANK.checked_sub(merged.len())?;
    let (mut of_left, mut of_right) = ([1; BATCH_RANK], [1; BATCH_RANK]);
    for (axis, pair) in merged.into_iter().enumerate() {
        (of_left[unused + axis], of_right[unused + axis]) = pair;
    }
    Some((of_left, of_right))
}

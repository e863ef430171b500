//! Functions of two operands, the shorter one repeated along leading dimensions: ADD, SUB, MUL, MINIMUM, MAXIMUM, int8 and int16;
//! SQUARED_DIFFERENCE, int8.

use smolnn_fixed::elementwise::{
    Add, AddInt16, Mul, Pairing, SquaredDifference, add, add_int16, maximum, minimum, mul, squared_difference,
};

use super::Lowered;
use super::call::{Body, call, made, typed};
use super::context::{Context, Quantised, activation_label, fused};
use crate::error::Problem;
use crate::net::{Activation, BinaryKind, Element, broadcast_lengths};

pub(super) fn lower(context: &Context<'_>, kind: BinaryKind, activation: Activation) -> Result<Lowered, Problem> {
    let supported: &[Element] =
        if kind == BinaryKind::SquaredDifference { &[Element::I8] } else { &[Element::I8, Element::I16] };
    let left = context.quantised_input(0, supported)?;
    let right = context.quantised_input(1, &[left.tensor.element])?;
    let output = context.quantised_output(0, &[left.tensor.element])?;
    if let BinaryKind::Minimum | BinaryKind::Maximum = kind {
        context.same_quantisation(&left, &right)?;
        context.same_quantisation(&left, &output)?;
    }
    let (left_length, right_length) = broadcast_lengths(left.shape(), right.shape()).ok_or_else(|| {
        let found = format!("shapes {:?} and {:?}", left.shape(), right.shape());
        context.fault(found, "equal shapes, or one repeated along the other's leading dimensions")
    })?;
    let table = match (kind, left.tensor.element) {
        (BinaryKind::Add | BinaryKind::Subtract, Element::I8) => size_of::<Add>(),
        (BinaryKind::Add | BinaryKind::Subtract, _) => size_of::<AddInt16>(),
        (BinaryKind::SquaredDifference, _) => size_of::<SquaredDifference>(),
        _ => 0,
    };
    let mut call = context
        .call(&[left.id, right.id], body(context, kind, activation, [&left, &right, &output])?)?
        .table_bytes(table)
        .label(activation_label(activation).trim_start());
    // The output may take the place of an operand that is not repeated. It has to come first; only a difference cannot exchange its operands.
    if left_length >= right_length {
        call = call.overlap(0, 0);
    }
    if right_length >= left_length && kind != BinaryKind::Subtract {
        call = call.overlap_exchanged(0, body(context, kind, activation, [&right, &left, &output])?);
    }
    Ok(call.into())
}

/// The kernel on the tensors in this order: left, right, output.
fn body(
    context: &Context<'_>,
    kind: BinaryKind,
    activation: Activation,
    [left, right, output]: [&Quantised<'_>; 3],
) -> Result<Body, Problem> {
    let (left_length, right_length) = (left.tensor.len(), right.tensor.len());
    let pairing = context.shape(made!(Pairing::new(left_length, right_length)))?;
    let (a, b, y, range) = (left.affine(), right.affine(), output.affine(), output.range(activation));
    let activation = fused(activation);
    let subtract = kind == BinaryKind::Subtract;
    let element = left.tensor.element;
    Ok(match (kind, element) {
        (BinaryKind::Add, Element::I8) => call!(add(&Add::new(pairing, a, b, y, activation); operands)),
        (BinaryKind::Subtract, Element::I8) => call!(add(&Add::subtraction(pairing, a, b, y, activation); operands)),
        (BinaryKind::Add | BinaryKind::Subtract, _) => {
            call!(add_int16(&AddInt16::new(pairing, a.scale, b.scale, y.scale, activation, subtract); operands))
        }
        (BinaryKind::Multiply, _) => typed!(context, element, T: I8 I16 => {
            call!(mul(&Mul::new(pairing, a, b, y.scale, range); operands<T>))
        }),
        (BinaryKind::Minimum, _) => typed!(context, element, T: I8 I16 => {
            call!(minimum(&Pairing::new(left_length, right_length); operands<T>))
        }),
        (BinaryKind::Maximum, _) => typed!(context, element, T: I8 I16 => {
            call!(maximum(&Pairing::new(left_length, right_length); operands<T>))
        }),
        (BinaryKind::SquaredDifference, _) => {
            call!(squared_difference(&SquaredDifference::new(pairing, a, b, y); operands))
        }
    })
}

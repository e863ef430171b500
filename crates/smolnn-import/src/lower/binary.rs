//! Functions of two operands, which repeat along any axes: ADD, SUB, MUL, SQUARED_DIFFERENCE, int8, int16, int32 and f32; DIV, int8, int32 and
//! f32; MINIMUM, MAXIMUM, int8, uint8, int16, int32 and f32; FLOOR_DIV, FLOOR_MOD, POW, f32; LOGICAL_AND, LOGICAL_OR;
//! comparisons of int8, of int32, f32 and truth values, and of int16 with one scale. SELECT_V2 of any elements, and ADD_N, int8 and f32.

use smolnn_core::Broadcast;
use smolnn_fixed::elementwise::{
    Add, AddInt16, AddN, Arithmetic, CompareInt8, Comparison, Div, Mul, Pairing, Pairs, SquaredDifference,
    SquaredDifferenceInt16, add, add_int16, add_n, arithmetic_int32, compare, compare_int8, div, logical_and,
    logical_or, maximum, minimum, mul, select, squared_difference, squared_difference_int16,
};
use smolnn_float as float;

use super::Lowered;
use super::argument::{Lengths, Made};
use super::call::{Body, call, made, typed};
use super::context::{Context, activation_label, bounds, fused};
use crate::error::Problem;
use crate::net::{Activation, BinaryKind, Element, Tensor, TensorId, broadcast_lengths};

pub(super) fn lower(context: &Context<'_>, kind: BinaryKind, activation: Activation) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real(context, kind, activation);
    }
    let (left, right) = (context.input(0)?, context.input(1)?);
    let output = context.tensor(context.output(0)?);
    let table = match (kind, output.element) {
        (BinaryKind::Add | BinaryKind::Subtract, Element::I8) => size_of::<Add>(),
        (BinaryKind::Add | BinaryKind::Subtract, Element::I16) => size_of::<AddInt16>(),
        (BinaryKind::SquaredDifference, Element::I8 | Element::I16) => size_of::<SquaredDifference>(),
        _ => 0,
    };
    let mut call = context
        .call(&[left, right], body(context, kind, activation, [left, right])?)?
        .table_bytes(table)
        .label(activation_label(activation).trim_start());
    // The output may take the place of an operand that is not repeated. It has to come first; differences and quotients cannot exchange their
    // operands.
    if context.tensor(left).len() == output.len() {
        call = call.overlap(0, 0);
    }
    let commutes = !matches!(kind, BinaryKind::Subtract | BinaryKind::Divide);
    if context.tensor(right).len() == output.len() && commutes {
        call = call.overlap_exchanged(0, body(context, kind, activation, [right, left])?);
    }
    Ok(call.into())
}

/// How two operands meet: as a whole where one repeats along the other's leading dimensions, which is fastest, and otherwise by their shapes.
enum Meeting {
    Whole(Made<Pairing>),
    Axes(Made<Broadcast<2>>),
}

impl Meeting {
    fn of(context: &Context<'_>, left: &Tensor, right: &Tensor) -> Result<Self, Problem> {
        if broadcast_lengths(&left.shape, &right.shape).is_some() {
            let (left, right) = (left.len(), right.len());
            return Ok(Meeting::Whole(context.shape(made!(Pairing::new(left, right)))?));
        }
        let shapes = [Lengths(left.shape.clone()), Lengths(right.shape.clone())];
        Ok(Meeting::Axes(context.shape(made!(Broadcast::new(shapes)))?))
    }
}

/// The kernel on these operands, in this order.
fn body(
    context: &Context<'_>,
    kind: BinaryKind,
    activation: Activation,
    operands: [TensorId; 2],
) -> Result<Body, Problem> {
    match Meeting::of(context, context.tensor(operands[0]), context.tensor(operands[1]))? {
        Meeting::Whole(pairs) => body_of(context, kind, activation, operands, pairs),
        Meeting::Axes(pairs) => body_of(context, kind, activation, operands, pairs),
    }
}

fn body_of<P: Pairs + 'static>(
    context: &Context<'_>,
    kind: BinaryKind,
    activation: Activation,
    operands: [TensorId; 2],
    pairs: Made<P>,
) -> Result<Body, Problem> {
    let element = context.tensor(operands[0]).element;
    match kind {
        BinaryKind::Minimum | BinaryKind::Maximum => {
            // As the reference, stored integers are compared whatever the scales; converters give all three tensors the same.
            context.element(operands[1], &[element])?;
            let pairs = pairs.by_reference();
            return Ok(typed!(context, element, T: I8 U8 I16 I32 => match kind {
                BinaryKind::Minimum => call!(minimum(pairs; operands<T>)),
                _ => call!(maximum(pairs; operands<T>)),
            }));
        }
        BinaryKind::LogicalAnd | BinaryKind::LogicalOr => {
            for id in operands {
                context.element(id, &[Element::Bool])?;
            }
            let pairs = pairs.by_reference();
            return Ok(match kind {
                BinaryKind::LogicalAnd => call!(logical_and(pairs; operands<u8>)),
                _ => call!(logical_or(pairs; operands<u8>)),
            });
        }
        BinaryKind::FloorDivide | BinaryKind::FloorModulo | BinaryKind::Power => {
            return Err(context.tensor_fault(operands[0], element.to_string(), "FLOAT32"));
        }
        _ if element == Element::I32 => return int32(context, kind, activation, operands, pairs),
        _ => {}
    }
    let supported: &[Element] = if kind == BinaryKind::Divide {
        &[Element::I8, Element::I32]
    } else {
        &[Element::I8, Element::I16, Element::I32]
    };
    let left = context.quantised(operands[0], supported)?;
    let right = context.quantised(operands[1], &[element])?;
    let output = context.quantised_output(0, &[element])?;
    let (a, b, y, range) = (left.affine(), right.affine(), output.affine(), output.range(activation));
    let activation = fused(activation);
    let subtract = kind == BinaryKind::Subtract;
    Ok(match (kind, element) {
        (BinaryKind::Add, Element::I8) => call!(add(&Add::new(pairs, a, b, y, activation); operands)),
        (BinaryKind::Subtract, Element::I8) => call!(add(&Add::subtraction(pairs, a, b, y, activation); operands)),
        (BinaryKind::Add | BinaryKind::Subtract, _) => {
            call!(add_int16(&AddInt16::new(pairs, a.scale, b.scale, y.scale, activation, subtract); operands))
        }
        (BinaryKind::SquaredDifference, Element::I8) => {
            call!(squared_difference(&SquaredDifference::new(pairs, a, b, y); operands))
        }
        (BinaryKind::SquaredDifference, _) => {
            call!(squared_difference_int16(&SquaredDifferenceInt16::new(pairs, a.scale, b.scale, y.scale); operands))
        }
        (BinaryKind::Divide, _) => call!(div(&Div::new(pairs, a, b, y, activation); operands)),
        // The others returned above.
        _ => typed!(context, element, T: I8 I16 => call!(mul(&Mul::new(pairs, a, b, y.scale, range); operands<T>))),
    })
}

/// Arithmetic of int32 tensors, which have no scale.
fn int32<P: Pairs + 'static>(
    context: &Context<'_>,
    kind: BinaryKind,
    activation: Activation,
    operands: [TensorId; 2],
    pairs: Made<P>,
) -> Result<Body, Problem> {
    context.element(operands[1], &[Element::I32])?;
    let arithmetic = match kind {
        BinaryKind::Add if activation != Activation::None => {
            let found = format!(
                "INT32 with the fused activation {}",
                activation_label(activation).trim_start_matches([' ', '+'])
            );
            let supported = "INT32 without one: the reference ignores it in sums, so that results would differ from it or from the model's meaning";
            return Err(context.fault(found, supported));
        }
        BinaryKind::Add => Arithmetic::Add,
        BinaryKind::Subtract => Arithmetic::Subtract,
        BinaryKind::Multiply => Arithmetic::Multiply,
        BinaryKind::Divide => Arithmetic::Divide,
        BinaryKind::SquaredDifference => Arithmetic::SquaredDifference,
        BinaryKind::Minimum
        | BinaryKind::Maximum
        | BinaryKind::LogicalAnd
        | BinaryKind::LogicalOr
        | BinaryKind::FloorDivide
        | BinaryKind::FloorModulo
        | BinaryKind::Power => {
            debug_assert!(false, "{kind:?} is no arithmetic");
            return Err(context.fault(format!("{kind:?} of INT32"), "arithmetic"));
        }
    };
    let range: (i32, i32) = match activation {
        Activation::None => (i32::MIN, i32::MAX),
        Activation::Relu => (0, i32::MAX),
        Activation::ReluN1To1 => (-1, 1),
        Activation::Relu6 => (0, 6),
    };
    let pairs = pairs.by_reference();
    Ok(call!(arithmetic_int32(arithmetic, range, pairs; operands<i32>)))
}

pub(super) fn compare_call(context: &Context<'_>, comparison: Comparison) -> Result<Lowered, Problem> {
    let (left, right) = (context.input(0)?, context.input(1)?);
    if context.is_real(0) {
        let ((_, of_left), (_, of_right)) = (context.real(0)?, context.real(1)?);
        let shapes = [Lengths(of_left.to_vec()), Lengths(of_right.to_vec())];
        let body = call!(float::elementwise::compare(
            &Broadcast::new(shapes), comparison;
            input<f32>(0), input<f32>(1), output<u8>(0)
        ));
        return Ok(context.call(&[left, right], body)?.into());
    }
    let body = match Meeting::of(context, context.tensor(left), context.tensor(right))? {
        Meeting::Whole(pairs) => comparison_of(context, comparison, pairs)?,
        Meeting::Axes(pairs) => comparison_of(context, comparison, pairs)?,
    };
    Ok(context.call(&[left, right], body)?.into())
}

fn comparison_of<P: Pairs + 'static>(
    context: &Context<'_>,
    comparison: Comparison,
    pairs: Made<P>,
) -> Result<Body, Problem> {
    let (left, right) = (context.input(0)?, context.input(1)?);
    let element = context.element(left, &[Element::I8, Element::I16, Element::I32, Element::Bool])?;
    context.element(right, &[element])?;
    if element == Element::I8 {
        let (a, b) = (context.quantised(left, &[element])?.affine(), context.quantised(right, &[element])?.affine());
        return Ok(call!(compare_int8(
            &CompareInt8::new(pairs, comparison, a, b); input<i8>(0), input<i8>(1), output<u8>(0)
        )));
    }
    if element == Element::I16 {
        // The reference does not scale int16 operands, so that only stored integers of one scale can be compared as it does.
        let (left, right) = (context.quantised(left, &[element])?, context.quantised(right, &[element])?);
        context.same_quantisation(&left, &right)?;
    }
    let pairs = pairs.by_reference();
    Ok(typed!(context, element, T: I16 I32 Bool => {
        call!(compare(comparison, pairs; input<T>(0), input<T>(1), output<u8>(0)))
    }))
}

pub(super) fn select_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    let [condition, left, right] = [context.input(0)?, context.input(1)?, context.input(2)?];
    context.element(condition, &[Element::Bool])?;
    let element = context.moved(&[left, right])?;
    let shapes = [condition, left, right].map(|id| Lengths(context.tensor(id).shape.clone()));
    let broadcast = context.shape(made!(Broadcast::new(shapes)))?.by_reference();
    let body = typed!(context, element, T: any => {
        call!(select(broadcast; input<u8>(0), input<T>(1), input<T>(2), output<T>(0)))
    });
    Ok(context.call(&[condition, left, right], body)?.into())
}

pub(super) fn add_n_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real_add_n(context);
    }
    let count = context.node.inputs.len();
    let inputs = (0..count).map(|index| context.input(index)).collect::<Result<Vec<_>, _>>()?;
    let first = context.quantised_input(0, &[Element::I8])?;
    for &id in &inputs {
        context.same_quantisation(&first, &context.quantised(id, &[Element::I8])?)?;
    }
    let (length, x) = (first.tensor.len(), first.affine());
    let y = context.quantised_output(0, &[Element::I8])?.affine();
    let body = call!(add_n(&AddN::new(count, length, x, y); inputs<i8>, output<i8>(0)));
    Ok(context.call(&inputs, body)?.label(format!("{count} tensors")).into())
}

/// The function of real numbers.
fn real(context: &Context<'_>, kind: BinaryKind, activation: Activation) -> Result<Lowered, Problem> {
    let ((left, of_left), (right, of_right)) = (context.real(0)?, context.real(1)?);
    let (shapes, bounds) = ([Lengths(of_left.to_vec()), Lengths(of_right.to_vec())], bounds(activation));
    macro_rules! function {
        ($name:ident $(, $bounds:ident)?) => {
            call!(float::elementwise::$name(
                &Broadcast::new(shapes) $(, $bounds)?;
                input<f32>(0), input<f32>(1), output<f32>(0)
            ))
        };
    }
    let body = match kind {
        BinaryKind::Add => function!(add, bounds),
        BinaryKind::Subtract => function!(sub, bounds),
        BinaryKind::Multiply => function!(mul, bounds),
        BinaryKind::Minimum => function!(minimum, bounds),
        BinaryKind::Maximum => function!(maximum, bounds),
        BinaryKind::SquaredDifference => function!(squared_difference, bounds),
        BinaryKind::Divide => function!(div, bounds),
        BinaryKind::FloorDivide => function!(floor_div),
        BinaryKind::FloorModulo => function!(floor_mod),
        BinaryKind::Power => function!(power),
        BinaryKind::LogicalAnd | BinaryKind::LogicalOr => {
            return Err(context.tensor_fault(left, Element::F32.to_string(), "BOOL"));
        }
    };
    Ok(context.call(&[left, right], body)?.label(activation_label(activation).trim_start()).into())
}

/// The sum of several tensors of real numbers, one after the other.
fn real_add_n(context: &Context<'_>) -> Result<Lowered, Problem> {
    let (first, shape) = context.real(0)?;
    let (count, mut sum) = (context.node.inputs.len(), first);
    if count == 1 {
        return Ok(Lowered::Alias { input: first, output: context.output(0)? });
    }
    let mut calls = Vec::new();
    for index in 1..count {
        let (next, _) = context.real(index)?;
        let (shapes, bounds) = ([Lengths(shape.to_vec()), Lengths(shape.to_vec())], bounds(Activation::None));
        let to =
            if index + 1 == count { context.output(0)? } else { context.temporary(Element::F32, shape.to_vec(), None) };
        let body = call!(float::elementwise::add(
            &Broadcast::new(shapes), bounds;
            input<f32>(0), input<f32>(1), output<f32>(0)
        ));
        calls.push(context.call_to(&[sum, next], &[to], body)?.label(format!("{} of {count} tensors", index + 1)));
        sum = to;
    }
    Ok(Lowered::Calls(calls))
}

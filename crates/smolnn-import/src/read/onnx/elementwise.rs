//! Operators that compute element by element.

use super::operator::Op;
use super::values::element;
use crate::error::Problem;
use crate::net::{BinaryKind, Comparison, Element, Operator, TensorId, UnaryKind};

type Outputs = Result<Vec<TensorId>, Problem>;

pub(super) fn unary(op: &mut Op<'_>, kind: UnaryKind) -> Outputs {
    let id = op.input(0)?;
    Ok(vec![op.builder.unary(kind, id)?])
}

pub(super) fn binary(op: &mut Op<'_>, kind: BinaryKind) -> Outputs {
    let [left, right] = op.alike(op.input(0)?, op.input(1)?)?;
    Ok(vec![op.builder.binary(kind, left, right)?])
}

pub(super) fn compare(op: &mut Op<'_>, comparison: Comparison) -> Outputs {
    let [left, right] = op.alike(op.input(0)?, op.input(1)?)?;
    let output =
        op.builder.push_stated(Operator::Compare(comparison), &[Some(left), Some(right)], Element::Bool, &[])?;
    Ok(vec![output])
}

pub(super) fn select(op: &mut Op<'_>) -> Outputs {
    let [left, right] = op.alike(op.input(1)?, op.input(2)?)?;
    let condition = op.input(0)?;
    let element = op.builder.element(left);
    let inputs = [Some(condition), Some(left), Some(right)];
    Ok(vec![op.builder.push_stated(Operator::Select { broadcasts: true }, &inputs, element, &[])?])
}

/// Any number of operands, from left to right.
pub(super) fn several(op: &mut Op<'_>, kind: BinaryKind) -> Outputs {
    let mut result = op.input(0)?;
    for index in 1..op.inputs.len() {
        let [left, right] = op.alike(result, op.input(index)?)?;
        result = op.builder.binary(kind, left, right)?;
    }
    Ok(vec![result])
}

pub(super) fn mean(op: &mut Op<'_>) -> Outputs {
    let count = op.inputs.len();
    let sum = several(op, BinaryKind::Add)?;
    let &[sum] = &sum[..] else { return Ok(sum) };
    Ok(vec![op.builder.with_real(BinaryKind::Multiply, sum, 1.0 / count as f32)?])
}

pub(super) fn modulo(op: &mut Op<'_>) -> Outputs {
    if op.int("fmod", 0) != 0 {
        return Err(op.fault("fmod 1", "fmod 0: the remainder has the sign of the divisor"));
    }
    binary(op, BinaryKind::FloorModulo)
}

pub(super) fn reciprocal(op: &mut Op<'_>) -> Outputs {
    let (id, one) = (op.input(0)?, op.builder.real(1.0));
    Ok(vec![op.builder.binary(BinaryKind::Divide, one, id)?])
}

pub(super) fn pow(op: &mut Op<'_>) -> Outputs {
    let [base, exponent] = op.alike(op.input(0)?, op.input(1)?)?;
    let is_real = op.builder.element(base) == Element::F32;
    let constant = op
        .builder
        .reals_of(exponent)
        .filter(|_| is_real && op.builder.tensor(exponent).shape.iter().all(|&length| length == 1));
    let rank = op.builder.tensor(base).shape.len();
    let constant = constant.filter(|_| op.builder.tensor(exponent).shape.len() <= rank);
    let kind = match constant.as_deref() {
        Some(&[1.0]) => return Ok(vec![base]),
        Some(&[2.0]) => UnaryKind::Square,
        Some(&[0.5]) => UnaryKind::Sqrt,
        Some(&[-0.5]) => UnaryKind::Rsqrt,
        Some(&[3.0]) => {
            let square = op.builder.unary(UnaryKind::Square, base)?;
            return Ok(vec![op.builder.binary(BinaryKind::Multiply, square, base)?]);
        }
        _ => return Ok(vec![op.builder.binary(BinaryKind::Power, base, exponent)?]),
    };
    Ok(vec![op.builder.unary(kind, base)?])
}

/// The function that clamps to a range.
fn clamp_kind(low: f32, high: f32) -> UnaryKind {
    match (low, high) {
        (0.0, f32::INFINITY) => UnaryKind::Relu,
        (0.0, 6.0) => UnaryKind::Relu6,
        (-1.0, 1.0) => UnaryKind::ReluN1To1,
        _ => UnaryKind::Clamp { low, high },
    }
}

pub(super) fn clip(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let bounds = [("min", f32::NEG_INFINITY), ("max", f32::INFINITY)];
    let constant = |index: usize| op.optional(index).is_none_or(|id| op.builder.is_constant(id));
    if op.builder.element(id) == Element::F32 && constant(1) && constant(2) {
        let mut values = [0.0; 2];
        for (at, (name, otherwise)) in bounds.into_iter().enumerate() {
            let given = if op.optional(at + 1).is_some() { op.reals(at + 1, name)?.first().copied() } else { None };
            let value = given.unwrap_or_else(|| op.float(name, otherwise));
            values[at] = if value == f32::MAX * otherwise.signum() { otherwise } else { value };
        }
        // Where the range is empty, the upper bound holds.
        let [low, high] = [values[0].min(values[1]), values[1]];
        return Ok(vec![op.builder.unary(clamp_kind(low, high), id)?]);
    }
    let mut result = id;
    for (index, kind) in [(1, BinaryKind::Maximum), (2, BinaryKind::Minimum)] {
        if let Some(bound) = op.optional(index) {
            let [left, right] = op.alike(result, bound)?;
            result = op.builder.binary(kind, left, right)?;
        }
    }
    Ok(vec![result])
}

pub(super) fn cast(op: &mut Op<'_>) -> Outputs {
    let code = i32::try_from(op.int("to", 0)).unwrap_or(0);
    cast_to(op, element(code), code)
}

pub(super) fn cast_like(op: &mut Op<'_>) -> Outputs {
    let to = op.builder.element(op.input(1)?);
    cast_to(op, Some(to), 0)
}

fn cast_to(op: &mut Op<'_>, to: Option<Element>, code: i32) -> Outputs {
    let id = op.input(0)?;
    let to = match to {
        // Real numbers of other types are computed as FLOAT32.
        Some(Element::F32 | Element::F16 | Element::F64 | Element::BF16) => Element::F32,
        Some(Element::I64 | Element::U32 | Element::U64 | Element::U16) => {
            if op.builder.is_constant(id) {
                Element::I64
            } else {
                Element::I32
            }
        }
        Some(to @ (Element::I8 | Element::U8 | Element::I16 | Element::I32 | Element::Bool)) => to,
        _ => return Err(op.fault(format!("a cast to element type {code}"), "numbers and truth values")),
    };
    if op.builder.element(id) == Element::I32 && to == Element::I64 && !op.builder.is_constant(id) {
        return Ok(vec![id]);
    }
    Ok(vec![op.builder.cast(id, to)?])
}

pub(super) fn leaky_relu(op: &mut Op<'_>) -> Outputs {
    let alpha = op.float("alpha", 0.01);
    unary(op, UnaryKind::LeakyRelu { alpha })
}

pub(super) fn prelu(op: &mut Op<'_>) -> Outputs {
    let (id, slopes) = (op.input(0)?, op.input(1)?);
    Ok(vec![op.builder.push(Operator::Prelu, &[id, slopes])?])
}

pub(super) fn gelu(op: &mut Op<'_>) -> Outputs {
    let approximate = match &op.text("approximate", "none")[..] {
        "none" => false,
        "tanh" => true,
        other => return Err(op.fault(format!("the approximation {other}"), "none, tanh")),
    };
    unary(op, UnaryKind::Gelu { approximate })
}

/// The positive part of a tensor, and the negative one.
fn parts(op: &mut Op<'_>) -> Result<[TensorId; 2], Problem> {
    let id = op.input(0)?;
    let positive = op.builder.unary(UnaryKind::Relu, id)?;
    let negative = op.builder.unary(UnaryKind::Clamp { low: f32::NEG_INFINITY, high: 0.0 }, id)?;
    Ok([positive, negative])
}

/// positive · x above 0, negative · (e^(x / width) − 1) below.
fn scaled_elu(op: &mut Op<'_>, positive: f32, negative: f32, width: f32) -> Outputs {
    let [mut above, mut below] = parts(op)?;
    if positive != 1.0 {
        above = op.builder.with_real(BinaryKind::Multiply, above, positive)?;
    }
    if width != 1.0 {
        below = op.builder.with_real(BinaryKind::Divide, below, width)?;
    }
    let curve = op.builder.unary(UnaryKind::Elu, below)?;
    let curve = op.builder.with_real(BinaryKind::Multiply, curve, negative)?;
    Ok(vec![op.builder.binary(BinaryKind::Add, above, curve)?])
}

pub(super) fn elu(op: &mut Op<'_>) -> Outputs {
    match op.float("alpha", 1.0) {
        1.0 => unary(op, UnaryKind::Elu),
        alpha => scaled_elu(op, 1.0, alpha, 1.0),
    }
}

pub(super) fn celu(op: &mut Op<'_>) -> Outputs {
    match op.float("alpha", 1.0) {
        1.0 => unary(op, UnaryKind::Elu),
        alpha => scaled_elu(op, 1.0, alpha, alpha),
    }
}

pub(super) fn selu(op: &mut Op<'_>) -> Outputs {
    const ALPHA: f32 = 1.673_263_2;
    const GAMMA: f32 = 1.050_701;
    let (alpha, gamma) = (op.float("alpha", ALPHA), op.float("gamma", GAMMA));
    if (alpha, gamma) == (ALPHA, GAMMA) {
        return unary(op, UnaryKind::Selu);
    }
    scaled_elu(op, gamma, gamma * alpha, 1.0)
}

pub(super) fn hard_sigmoid(op: &mut Op<'_>) -> Outputs {
    let (id, alpha, beta) = (op.input(0)?, op.float("alpha", 0.2), op.float("beta", 0.5));
    let scaled = op.builder.with_real(BinaryKind::Multiply, id, alpha)?;
    let shifted = op.builder.with_real(BinaryKind::Add, scaled, beta)?;
    Ok(vec![op.builder.unary(clamp_kind(0.0, 1.0), shifted)?])
}

pub(super) fn swish(op: &mut Op<'_>) -> Outputs {
    let (id, alpha) = (op.input(0)?, op.float("alpha", 1.0));
    let scaled = if alpha == 1.0 { id } else { op.builder.with_real(BinaryKind::Multiply, id, alpha)? };
    let gate = op.builder.unary(UnaryKind::Logistic, scaled)?;
    Ok(vec![op.builder.binary(BinaryKind::Multiply, id, gate)?])
}

pub(super) fn thresholded_relu(op: &mut Op<'_>) -> Outputs {
    let (id, alpha) = (op.input(0)?, op.float("alpha", 1.0));
    let (bound, zero) = (op.builder.real(alpha), op.builder.real(0.0));
    let above =
        op.builder.push_stated(Operator::Compare(Comparison::Greater), &[Some(id), Some(bound)], Element::Bool, &[])?;
    let inputs = [Some(above), Some(id), Some(zero)];
    Ok(vec![op.builder.push_stated(Operator::Select { broadcasts: true }, &inputs, Element::F32, &[])?])
}

/// Only what is no number differs from itself.
pub(super) fn is_nan(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let comparison = Operator::Compare(Comparison::NotEqual);
    Ok(vec![op.builder.push_stated(comparison, &[Some(id), Some(id)], Element::Bool, &[])?])
}

/// Features less their offsets, times their factors.
pub(super) fn scaler(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let [offset, scale] =
        ["offset", "scale"].map(|name| op.attribute(name).map_or(Vec::new(), |attribute| attribute.floats.clone()));
    let (offset, scale) = (op.builder.reals(&[offset.len()], &offset), op.builder.reals(&[scale.len()], &scale));
    let centred = op.builder.binary(BinaryKind::Subtract, id, offset)?;
    Ok(vec![op.builder.binary(BinaryKind::Multiply, centred, scale)?])
}

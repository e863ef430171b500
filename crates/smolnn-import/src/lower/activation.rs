//! Functions of one operand: RELU and its kinds, LEAKY_RELU, ELU, HARD_SWISH, LOGISTIC, TANH, ABS, RSQRT, SQRT, EXP, LOG, GELU, LOGICAL_NOT;
//! SIGN, SIN, COS, FLOOR, CEIL, ROUND; NEG and SQUARE of real numbers; and PRELU. int8 ones are tables of 256 values, which generated code computes
//! when it is compiled; some exist for int16 as well, all of them for f32.

use smolnn_core::{Broadcast, ShapeError};
use smolnn_fixed::act::{
    AbsInt16, Corners, Interpolation, LeakyRelu, Prelu, ReluInt16, RsqrtInt16, Table, abs_int16, interpolate_int16,
    leaky_relu_int16, logistic_int16, lookup, prelu, relu_int16, rsqrt_int16, tanh_int16,
};
use smolnn_fixed::elementwise::{Pairing, logical_not};
use smolnn_fixed::quantise::{Affine, FusedActivation};
use smolnn_float as float;
use smolnn_float::Real;

use super::Lowered;
use super::argument::{Borrowed, Lengths, float_text};
use super::call::{Body, call, made};
use super::context::{Context, Quantised, bounds};
use crate::error::Problem;
use crate::net::{Activation, Element, UnaryKind, broadcast_lengths};

/// A call that looks every int8 element up. The body's table is one of 256 values.
pub(super) fn table_call(
    context: &Context<'_>,
    input: &Quantised<'_>,
    body: Body,
    label: String,
) -> Result<Lowered, Problem> {
    Ok(context.call(&[input.id], body)?.overlap(0, 0).table_bytes(size_of::<Table>()).label(label).into())
}

/// A table of the outputs for −128 to 127.
pub(super) fn lookup_call(context: &Context<'_>, outputs: &[i8; 256]) -> Result<Lowered, Problem> {
    let input = context.quantised_input(0, &[Element::I8])?;
    context.quantised_output(0, &[Element::I8])?;
    let length = input.tensor.len();
    let table = Borrowed::new(Table::from_ascending(outputs), format!("Table::from_ascending(&{outputs:?})"));
    table_call(context, &input, call!(lookup(table, length; tensors)), String::new())
}

pub(super) fn unary(context: &Context<'_>, kind: UnaryKind) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real_unary(context, kind);
    }
    if kind == UnaryKind::LogicalNot {
        let id = context.input(0)?;
        context.element(id, &[Element::Bool])?;
        let length = context.tensor(id).len();
        return Ok(context.call(&[id], call!(logical_not(length; tensors<u8>)))?.overlap(0, 0).into());
    }
    let supported: &[Element] = match kind {
        UnaryKind::Negate | UnaryKind::Square => &[Element::F32],
        UnaryKind::Relu
        | UnaryKind::Relu6
        | UnaryKind::ReluN1To1
        | UnaryKind::Exp
        | UnaryKind::Log
        | UnaryKind::Gelu { .. }
        | UnaryKind::LeakyRelu { .. }
        | UnaryKind::Logistic
        | UnaryKind::Tanh
        | UnaryKind::Abs
        | UnaryKind::Rsqrt => &[Element::I8, Element::I16],
        _ => &[Element::I8],
    };
    let input = context.quantised_input(0, supported)?;
    let output = context.quantised_output(0, &[input.tensor.element])?;
    let is_int8 = input.tensor.element == Element::I8;
    if let UnaryKind::Logistic | UnaryKind::Tanh = kind {
        let (scale, zero_point) = match (is_int8, kind) {
            (false, _) => (1.0 / 32768.0, 0),
            (true, UnaryKind::Logistic) => (1.0 / 256.0, -128),
            (true, _) => (1.0 / 128.0, 0),
        };
        context.fixed_quantisation(&output, scale, zero_point)?;
    }
    let label = match kind {
        UnaryKind::LeakyRelu { alpha } => format!("alpha {alpha}"),
        _ => String::new(),
    };
    let (length, scale) = (input.tensor.len(), input.scale);
    let (x, y) = (input.affine(), output.affine());
    let relu = |activation: FusedActivation| call!(lookup(&Table::relu(activation, x, y), length; tensors));
    let relu_int16_of =
        |activation: FusedActivation| call!(relu_int16(&ReluInt16::new(length, activation, x, y); tensors));
    let body = match (is_int8, kind) {
        (true, UnaryKind::Relu) => relu(FusedActivation::Relu),
        (true, UnaryKind::Relu6) => relu(FusedActivation::Relu6),
        (true, UnaryKind::ReluN1To1) => relu(FusedActivation::ReluN1To1),
        (true, UnaryKind::LeakyRelu { alpha }) => call!(lookup(&Table::leaky_relu(alpha, x, y), length; tensors)),
        (true, UnaryKind::Elu) => call!(lookup(&Table::elu(x, y), length; tensors)),
        (true, UnaryKind::HardSwish) => call!(lookup(&Table::hard_swish(x, y), length; tensors)),
        (true, UnaryKind::Logistic) => call!(lookup(&Table::logistic(x), length; tensors)),
        (true, UnaryKind::Tanh) => call!(lookup(&Table::tanh(x), length; tensors)),
        (true, UnaryKind::Abs) => call!(lookup(&Table::abs(x, y), length; tensors)),
        (true, UnaryKind::Rsqrt) => call!(lookup(&Table::rsqrt(x, y), length; tensors)),
        // The others as the reference's own table has them.
        (true, _) => {
            let outputs = tabulated(kind, x, y)
                .map_err(|error| context.fault(error.to_string(), "a function that has a table"))?;
            let text = format!("Table::from_ascending(&{outputs:?})");
            let table = Borrowed::new(Table::from_ascending(&outputs), text);
            call!(lookup(table, length; tensors))
        }
        (false, UnaryKind::Abs) => call!(abs_int16(&AbsInt16::new(length, x, y); tensors)),
        (false, UnaryKind::Rsqrt) => call!(rsqrt_int16(&RsqrtInt16::new(length, x, y); tensors)),
        (false, UnaryKind::LeakyRelu { alpha }) => {
            call!(leaky_relu_int16(&LeakyRelu::new(length, alpha, x, y); tensors))
        }
        (false, UnaryKind::Relu) => relu_int16_of(FusedActivation::Relu),
        (false, UnaryKind::Relu6) => relu_int16_of(FusedActivation::Relu6),
        (false, UnaryKind::ReluN1To1) => relu_int16_of(FusedActivation::ReluN1To1),
        (false, UnaryKind::Exp | UnaryKind::Log | UnaryKind::Gelu { .. }) => {
            let corners =
                corners(kind, x, y).map_err(|error| context.fault(error.to_string(), "a function that has a table"))?;
            call!(interpolate_int16(&Corners::new(corners), length; tensors))
        }
        (false, UnaryKind::Logistic) => call!(logistic_int16(&Interpolation::logistic(scale), length; tensors)),
        (false, UnaryKind::Tanh) => call!(tanh_int16(&Interpolation::tanh(scale), length; tensors)),
        (false, _) => {
            return Err(context.tensor_fault(input.id, input.tensor.element.to_string(), "INT8"));
        }
    };
    if is_int8 {
        return table_call(context, &input, body, label);
    }
    Ok(context.call(&[input.id], body)?.overlap(0, 0).label(label).into())
}

/// λ and α of SELU (Klambauer and others, 2017): with them, means of 0 and variances of 1 stay what they are.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// A function as TensorFlow Lite's reference kernels evaluate it for their tables: in f32, where `least` is the output's least value as a real number.
fn of_real(kind: UnaryKind, x: f32, least: f32) -> Result<f32, ShapeError> {
    use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
    // Elementary functions of f64, rounded: those of the reference's f32 are a step off at most.
    let of_f64 = |function: fn(f64) -> f64, x: f32| function(x.into()) as f32;
    Ok(match kind {
        UnaryKind::Sqrt => of_f64(Real::sqrt, x),
        UnaryKind::Exp => of_f64(Real::exp, x),
        UnaryKind::Log if x <= 0.0 => least,
        UnaryKind::Log => of_f64(Real::log, x),
        UnaryKind::Gelu { approximate: false } => 0.5 * x * (1.0 + of_f64(Real::erf, x * FRAC_1_SQRT_2 as f32)),
        UnaryKind::Gelu { approximate: true } => {
            let inner = (FRAC_2_SQRT_PI * FRAC_1_SQRT_2) as f32 * (x + 0.044715 * x * x * x);
            0.5 * x * (1.0 + of_f64(Real::tanh, inner))
        }
        // What no `.tflite` file has, and the quantiser gives int8 tables of.
        UnaryKind::Erf => of_f64(Real::erf, x),
        UnaryKind::Softplus => of_f64(Real::softplus, x),
        UnaryKind::Mish => of_f64(|x| x * Real::tanh(Real::softplus(x)), x),
        UnaryKind::Softsign => x / (1.0 + x.abs()),
        UnaryKind::Selu if x > 0.0 => (SELU_SCALE * f64::from(x)) as f32,
        UnaryKind::Selu => of_f64(|x| SELU_SCALE * SELU_ALPHA * Real::expm1(x), x),
        UnaryKind::Clamp { low, high } => x.max(low).min(high),
        UnaryKind::Sign if x == 0.0 => 0.0,
        UnaryKind::Sign => x.signum(),
        UnaryKind::Sin => of_f64(Real::sin, x),
        UnaryKind::Cos => of_f64(Real::cos, x),
        UnaryKind::Floor => x.floor(),
        UnaryKind::Ceil => x.ceil(),
        UnaryKind::Round => x.round_ties_even(),
        _ => return Err(ShapeError::Range("the function has no table")),
    })
}

/// The 513 corners between which TensorFlow Lite interpolates a function of int16 values: its results over 512 equal steps of the input, each shifted by half of
/// what the middle of its interval lacks, in f32 throughout.
fn corners(kind: UnaryKind, x: Affine, y: Affine) -> Result<Vec<i16>, ShapeError> {
    let least = x.scale * (-32768 - x.zero_point) as f32;
    let step = (x.scale * (32767 - x.zero_point) as f32 - least) / 512.0;
    let inverse = 65536.0 / (y.scale * (32767 - y.zero_point) as f32 - y.scale * (-32768 - y.zero_point) as f32);
    let lowest = y.scale * (-32768 - y.zero_point) as f32;
    let at = |shift: f32| -> Result<Vec<f32>, ShapeError> {
        (0..=512).map(|index| of_real(kind, least + index as f32 * step + shift, lowest)).collect()
    };
    let (values, middles) = (at(0.0)?, at(step / 2.0)?);
    let integer = |value: f32| value.clamp(-32768.0, 32767.0) as i16;
    let corner = |index: usize| {
        let value = (values[index] * inverse).round();
        let Some(next) = values.get(index + 1) else { return integer(value) };
        let interpolated = ((next * inverse + value) / 2.0).round();
        let lacking = interpolated - (middles[index] * inverse).round();
        integer(value - (lacking / 2.0).round())
    };
    Ok((0..=512).map(corner).collect())
}

/// The table of a function that TensorFlow Lite evaluates in f32 at each int8 value, made here by the kernel that serves f32 tensors: the result
/// times the rounded inverse of the output's scale, halves away from zero (roots are rounded down), clamped. What is no number becomes real 0.
fn tabulated(kind: UnaryKind, x: Affine, y: Affine) -> Result<[i8; 256], ShapeError> {
    let least = y.scale * (-128 - y.zero_point) as f32;
    let reals = (-128..128).map(|value| of_real(kind, x.scale * (value - x.zero_point) as f32, least));
    let reals = reals.collect::<Result<Vec<_>, _>>()?;
    let inverse = 1.0 / y.scale;
    Ok(std::array::from_fn(|index| {
        let steps = reals[index] * inverse;
        let steps = if kind == UnaryKind::Sqrt { steps.floor() } else { steps.round() } as i32;
        steps.saturating_add(y.zero_point).clamp(-128, 127) as i8
    }))
}

fn gelu_kind(approximate: bool) -> float::act::GeluKind {
    if approximate { float::act::GeluKind::Tanh } else { float::act::GeluKind::Erf }
}

/// A function of real numbers.
fn real_unary(context: &Context<'_>, kind: UnaryKind) -> Result<Lowered, Problem> {
    let (input, _) = context.real(0)?;
    let clamped = |activation: Activation| {
        let bounds = bounds(activation);
        call!(float::elementwise::clamped(bounds; input<f32>(0), output<f32>(0)))
    };
    macro_rules! elementwise {
        ($name:ident) => {
            call!(float::elementwise::$name(; input<f32>(0), output<f32>(0)))
        };
    }
    macro_rules! activation {
        ($function:expr, $text:expr) => {{
            let function = Borrowed::new($function, $text);
            call!(float::act::Activation::forward(function; input<f32>(0), output<f32>(0)))
                .measured_as(stringify!($function))
        }};
    }
    let body = match kind {
        UnaryKind::Relu => clamped(Activation::Relu),
        UnaryKind::Relu6 => clamped(Activation::Relu6),
        UnaryKind::ReluN1To1 => clamped(Activation::ReluN1To1),
        UnaryKind::LeakyRelu { alpha } => {
            let text = format!("float::act::LeakyRelu {{ slope: {} }}", float_text(alpha));
            activation!(float::act::LeakyRelu { slope: alpha }, text)
        }
        UnaryKind::Elu => activation!(float::act::Elu { alpha: 1.0 }, "float::act::Elu { alpha: 1.0 }"),
        UnaryKind::HardSwish => activation!(float::act::HardSwish, "float::act::HardSwish"),
        UnaryKind::Logistic => activation!(float::act::Sigmoid, "float::act::Sigmoid"),
        UnaryKind::Tanh => activation!(float::act::Tanh, "float::act::Tanh"),
        UnaryKind::Gelu { approximate } => {
            let kind = gelu_kind(approximate);
            activation!(float::act::Gelu(kind), format!("float::act::Gelu(float::act::GeluKind::{kind:?})"))
        }
        UnaryKind::Abs => elementwise!(abs),
        UnaryKind::Rsqrt => elementwise!(rsqrt),
        UnaryKind::Negate => elementwise!(neg),
        UnaryKind::Square => elementwise!(square),
        UnaryKind::Sqrt => elementwise!(sqrt),
        UnaryKind::Exp => elementwise!(exp),
        UnaryKind::Log => elementwise!(log),
        UnaryKind::Sign => elementwise!(sign),
        UnaryKind::Sin => elementwise!(sin),
        UnaryKind::Cos => elementwise!(cos),
        UnaryKind::Floor => elementwise!(floor),
        UnaryKind::Ceil => elementwise!(ceil),
        UnaryKind::Round => elementwise!(round),
        UnaryKind::Erf => elementwise!(erf),
        UnaryKind::Mish => activation!(float::act::Mish, "float::act::Mish"),
        UnaryKind::Softplus => {
            activation!(float::act::Softplus { beta: 1.0 }, "float::act::Softplus { beta: 1.0 }")
        }
        UnaryKind::Softsign => activation!(float::act::Softsign, "float::act::Softsign"),
        UnaryKind::Selu => activation!(float::act::Selu, "float::act::Selu"),
        UnaryKind::Clamp { low, high } => {
            let [least, largest] = [low, high].map(float_text);
            let text = format!("float::elementwise::Bounds {{ low: {least}, high: {largest} }}");
            let bounds = Borrowed::new(float::elementwise::Bounds { low, high }, text);
            call!(float::elementwise::clamped(bounds; input<f32>(0), output<f32>(0)))
        }
        UnaryKind::LogicalNot => return Err(context.tensor_fault(input, Element::F32.to_string(), "BOOL")),
    };
    let label = match kind {
        UnaryKind::LeakyRelu { alpha } => format!("alpha {alpha}"),
        UnaryKind::Clamp { low, high } => format!("{low} to {high}"),
        _ => String::new(),
    };
    Ok(context.call(&[input], body)?.label(label).into())
}

pub(super) fn prelu_call(context: &Context<'_>) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        let ((input, shape), (slopes, of_slopes)) = (context.real(0)?, context.real(1)?);
        let shapes = [Lengths(shape.to_vec()), Lengths(of_slopes.to_vec())];
        let body = call!(float::elementwise::prelu(
            &Broadcast::new(shapes);
            input<f32>(0), input<f32>(1), output<f32>(0)
        ));
        return Ok(context.call(&[input, slopes], body)?.into());
    }
    let input = context.quantised_input(0, &[Element::I8])?;
    let alpha = context.quantised_input(1, &[Element::I8])?;
    let output = context.quantised_output(0, &[Element::I8])?;
    let (length, period) = broadcast_lengths(input.shape(), alpha.shape()).ok_or_else(|| {
        let found = format!("shapes {:?} and {:?}", input.shape(), alpha.shape());
        context.fault(found, "slopes that are repeated along the leading dimensions")
    })?;
    let (x, slope, y) = (input.affine(), alpha.affine(), output.affine());
    let pairing = context.shape(made!(Pairing::new(length, period)))?;
    let body = call!(prelu(&Prelu::new(pairing, x, slope, y); operands));
    let call = context.call(&[input.id, alpha.id], body)?;
    // Values that repeat along the slopes have to stay.
    Ok(if length == output.tensor.len() { call.overlap(0, 0) } else { call }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of functions that no reference has in int8, from their definitions, to within half a step and the rounding of f32.
    #[test]
    fn tables_are_the_rounded_function() {
        let (x, y) = (Affine::new(0.03, 10), Affine::new(0.02, -90));
        let selu = |x: f64| if x > 0.0 { SELU_SCALE * x } else { SELU_SCALE * SELU_ALPHA * x.exp_m1() };
        let clamp = UnaryKind::Clamp { low: -0.5, high: 1.25 };
        let functions: [(UnaryKind, &dyn Fn(f64) -> f64); 5] = [
            (UnaryKind::Softplus, &|x| x.exp().ln_1p()),
            (UnaryKind::Mish, &|x| x * x.exp().ln_1p().tanh()),
            (UnaryKind::Softsign, &|x| x / (1.0 + x.abs())),
            (UnaryKind::Selu, &selu),
            (clamp, &|x| x.clamp(-0.5, 1.25)),
        ];
        for (kind, function) in functions {
            let table = tabulated(kind, x, y).unwrap();
            for (value, &found) in (-128..128).zip(&table) {
                let steps = function(0.03 * f64::from(value - 10)) / 0.02 - 90.0;
                let error = (f64::from(found) - steps.clamp(-128.0, 127.0)).abs();
                assert!(error < 0.501, "{kind:?} of {value}: {found}, exactly {steps}");
            }
        }
    }

    /// A function with its quantisations, and outputs by input.
    type Observed<'a> = (UnaryKind, Affine, Affine, &'a [(i8, i8)]);

    /// Observed in TensorFlow 2.21's reference kernels, inside of converted networks.
    #[test]
    fn tables_are_those_of_tensorflow() {
        let observed: [Observed<'_>; 4] = [
            (
                UnaryKind::Sqrt,
                Affine::new(0.003_362_555_5, -128),
                Affine::new(0.003_735_891_8, -128),
                &[(-115, -73), (-44, 14), (-21, 32), (7, 52), (31, 67), (52, 80), (70, 90), (87, 99), (108, 110)],
            ),
            (
                UnaryKind::Gelu { approximate: false },
                Affine::new(0.015_493_661, -11),
                Affine::new(0.008_914_766, -109),
                &[
                    (-128, -116),
                    (-97, -123),
                    (-70, -127),
                    (-43, -126),
                    (-17, -114),
                    (9, -87),
                    (36, -46),
                    (63, 3),
                    (120, 114),
                ],
            ),
            (
                UnaryKind::Exp,
                Affine::new(0.025_292_337, 127),
                Affine::new(0.003_921_171_7, -128),
                &[
                    (-128, -128),
                    (-74, -126),
                    (-34, -124),
                    (9, -115),
                    (36, -102),
                    (64, -76),
                    (84, -42),
                    (99, -2),
                    (123, 102),
                ],
            ),
            (
                UnaryKind::Log,
                Affine::new(0.007_842_74, -128),
                Affine::new(0.002_718_025_6, -128),
                &[(0, -127), (8, -104), (16, -83), (28, -54), (39, -29), (54, 3), (70, 34), (88, 66), (107, 97)],
            ),
        ];
        for (kind, input, output, values) in observed {
            let outputs = tabulated(kind, input, output).unwrap();
            for &(x, y) in values {
                assert_eq!(Table::from_ascending(&outputs).get(x), y, "{kind:?} of {x}");
            }
        }
    }
}

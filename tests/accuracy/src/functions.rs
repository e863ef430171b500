//! The functions that are measured, with the truth and what is asked of them.

use std::ops::RangeInclusive;

use smolnn_core::ShapeError;
use smolnn_fixed::Separate;
use smolnn_fixed::act::q15::{Q12, sigmoid_q15, tanh_q15};
use smolnn_fixed::act::q15_small::{sigmoid_q15_small, tanh_q15_small};
use smolnn_fixed::act::{Interpolation, LeakyRelu, Table, leaky_relu_int16, logistic_int16, tanh_int16};
use smolnn_fixed::q::Q15;
use smolnn_fixed::quantise::Affine;
use smolnn_fixed::transcendental::{self, exp_negative, logarithm, reciprocal_one_plus};
use smolnn_float::act::{
    Activation, Elu, Gelu, GeluKind, HardSigmoid, HardSwish, Mish, Selu, Sigmoid, Softplus, Softsign, Swish, Tanh,
};
use smolnn_float::elementary::fast::bodies as fast;
use smolnn_float::elementary::fast::{Float, Integer as Long, Narrow};
use smolnn_float::elementary::{self, accurate, bodies};

use super::{Bound, Found, Integer, Real, measure_integer};

fn sigmoid(x: f64) -> f64 {
    if x > 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let e = libm::exp(x);
        e / (1.0 + e)
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

fn log(x: f64) -> f64 {
    if x < 0.0 { f64::NAN } else { libm::log(x) }
}

const EXP: [f32; 4] = [0.0, f32::INFINITY, 1.0, 1.0];
const EXPM1: [f32; 4] = [-1.0, f32::INFINITY, -0.0, 0.0];
const SIGMOID: [f32; 4] = [0.0, 1.0, 0.5, 0.5];
const ODD: [f32; 4] = [-1.0, 1.0, -0.0, 0.0];
const LOG: [f32; 4] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
const SOFTPLUS: [f32; 4] = [0.0, f32::INFINITY, std::f32::consts::LN_2, std::f32::consts::LN_2];

/// Every tier and body over f32.
///
/// A bound is the target where there is one, else what was measured, rounded up.
pub fn reals() -> Vec<Real<'static>> {
    let real = |name, function, exact, specials, bound| Real {
        name,
        function,
        exact,
        bound: Bound::Ulp(bound),
        monotonic: true,
        odd: specials == ODD,
        specials,
        keeps_nan: true,
    };
    let within = |name, function: fn(f32) -> f32, exact, specials, bound| Real {
        bound: Bound::Absolute(bound),
        ..real(name, function, exact, specials, 0.0)
    };
    let vector = |name, function: fn(f32) -> f32, exact, specials| Real {
        bound: Bound::NormalUlp(2.5),
        ..real(name, function, exact, specials, 0.0)
    };
    // Those of one truth side by side: they share it.
    vec![
        real("exp (float)", bodies::exp_float, libm::exp, EXP, 1.0),
        real("exp (integer)", bodies::exp_integer, libm::exp, EXP, 0.82),
        real("exp (narrow)", bodies::exp_narrow, libm::exp, EXP, 2.5),
        real("exp (accurate)", accurate::exp, libm::exp, EXP, 0.501),
        real("exp (fast)", fast::exp, libm::exp, EXP, 200.0),
        real("sigmoid (float)", bodies::sigmoid_float, sigmoid, SIGMOID, 2.5),
        real("sigmoid (integer)", bodies::sigmoid_integer, sigmoid, SIGMOID, 1.0),
        real("sigmoid (narrow)", bodies::sigmoid_narrow, sigmoid, SIGMOID, 2.5),
        real("sigmoid (accurate)", accurate::sigmoid, sigmoid, SIGMOID, 0.501),
        vector("sigmoid (vector)", bodies::sigmoid_vector, sigmoid, SIGMOID),
        within("sigmoid (fast, integer)", fast::sigmoid_integer, sigmoid, SIGMOID, 6e-7),
        within("sigmoid (fast, narrow)", fast::sigmoid_narrow, sigmoid, SIGMOID, 6e-7),
        real("tanh (integer)", bodies::tanh_integer, libm::tanh, ODD, 0.8),
        real("tanh (narrow)", bodies::tanh_narrow, libm::tanh, ODD, 4.0),
        real("tanh (accurate)", accurate::tanh, libm::tanh, ODD, 0.501),
        vector("tanh (vector)", bodies::tanh_vector, libm::tanh, ODD),
        within("tanh (fast, float)", bodies::tanh_fast_float, libm::tanh, ODD, 1e-6),
        within("tanh (fast, integer)", bodies::tanh_fast_integer, libm::tanh, ODD, 1e-6),
        within("tanh (fast, narrow)", bodies::tanh_fast_narrow, libm::tanh, ODD, 1e-6),
        real("erf", elementary::erf, libm::erf, ODD, 1.0),
        real("erf (accurate)", accurate::erf, libm::erf, ODD, 0.501),
        within("erf (fast, float)", fast::erf::<Float>, libm::erf, ODD, 1e-6),
        within("erf (fast, integer)", fast::erf::<Long>, libm::erf, ODD, 1e-6),
        within("erf (fast, narrow)", fast::erf::<Narrow>, libm::erf, ODD, 1e-6),
        real("expm1", elementary::expm1, libm::expm1, EXPM1, 1.2),
        real("expm1 (accurate)", accurate::expm1, libm::expm1, EXPM1, 0.501),
        within("expm1 (fast, float)", fast::expm1_float, libm::expm1, EXPM1, 1e-5),
        within("expm1 (fast, narrow)", fast::expm1_narrow, libm::expm1, EXPM1, 1e-5),
        real("log", elementary::log, log, LOG, 1.0),
        real("log (accurate)", accurate::log, log, LOG, 0.501),
        within("log (fast, float)", fast::log::<Float>, log, LOG, 1e-6),
        within("log (fast, integer)", fast::log::<Long>, log, LOG, 1e-6),
        within("log (fast, narrow)", fast::log::<Narrow>, log, LOG, 1e-6),
        real("softplus", elementary::softplus, softplus, SOFTPLUS, 0.75),
        real("softplus (accurate)", accurate::softplus, softplus, SOFTPLUS, 0.501),
        within("softplus (fast, float)", fast::softplus::<Float>, softplus, SOFTPLUS, 5e-6),
        within("softplus (fast, integer)", fast::softplus::<Long>, softplus, SOFTPLUS, 5e-6),
        within("softplus (fast, narrow)", fast::softplus::<Narrow>, softplus, SOFTPLUS, 5e-6),
    ]
}

/// The activations that compute, and their derivatives; β and the like are numbers that f32 holds. What only chooses and
/// multiplies once (ReLU and its kin) has nothing to measure. Where a derivative goes by the sign alone on one
/// side, a NaN of that sign is lost.
pub fn activations() -> Vec<Real<'static>> {
    macro_rules! rows {
        ($($name:literal $activation:expr, $specials:expr, $slopes:expr, $nan:expr;)*) => {
            vec![$(
                Real {
                    name: $name,
                    function: |z| Activation::<f32>::value(&$activation, z),
                    exact: |z| Activation::<f64>::value(&$activation, z),
                    bound: Bound::Absolute(2.5e-7),
                    monotonic: false,
                    odd: false,
                    specials: $specials,
                    keeps_nan: true,
                },
                Real {
                    name: concat!($name, ", derivative"),
                    function: |z| Activation::<f32>::derivative(&$activation, z),
                    exact: |z| Activation::<f64>::derivative(&$activation, z),
                    bound: Bound::Absolute(2.5e-7),
                    monotonic: false,
                    odd: false,
                    specials: $slopes,
                    keeps_nan: $nan,
                },
            )*]
        };
    }
    const INFINITY: f32 = f32::INFINITY;
    const SELU: f32 = 1.758_099_3;
    let mut all = rows! {
        "ELU" Elu { alpha: 1.0 }, [-1.0, INFINITY, -0.0, 0.0], [0.0, 1.0, 1.0, 1.0], false;
        "SELU" Selu, [-SELU, INFINITY, -0.0, 0.0], [0.0, 1.050_701, SELU, SELU], false;
        "sigmoid" Sigmoid, SIGMOID, [0.0, 0.0, 0.25, 0.25], true;
        "tanh" Tanh, ODD, [0.0, 0.0, 1.0, 1.0], true;
        "softplus" Softplus { beta: 1.0 }, SOFTPLUS, SIGMOID, true;
        "softsign" Softsign, ODD, [0.0, 0.0, 1.0, 1.0], true;
        "SiLU" Swish { beta: 1.0 }, [-0.0, INFINITY, -0.0, 0.0], SIGMOID, true;
        "swish 1.5" Swish { beta: 1.5 }, [-0.0, INFINITY, -0.0, 0.0], SIGMOID, true;
        "GELU (erf)" Gelu(GeluKind::Erf), [-0.0, INFINITY, -0.0, 0.0], SIGMOID, true;
        "GELU (tanh)" Gelu(GeluKind::Tanh), [-0.0, INFINITY, -0.0, 0.0], SIGMOID, true;
        "GELU (sigmoid)" Gelu(GeluKind::Sigmoid), [-0.0, INFINITY, -0.0, 0.0], SIGMOID, true;
        "Mish" Mish, [-0.0, INFINITY, -0.0, 0.0], [0.0, 1.0, 0.6, 0.6], true;
        "hard swish" HardSwish, [0.0, INFINITY, -0.0, 0.0], [0.0, 1.0, 0.5, 0.5], true;
        "hard sigmoid" HardSigmoid, SIGMOID, [0.0, 0.0, 1.0 / 6.0, 1.0 / 6.0], false;
    };
    // These values are rows of `reals`.
    all.retain(|real| !["sigmoid", "tanh", "softplus"].contains(&real.name));
    all.push(Real {
        name: "swish 1.5, by beta",
        function: |z| Swish { beta: 1.5_f32 }.derivative_beta(z),
        exact: |z| Swish { beta: 1.5_f64 }.derivative_beta(z),
        bound: Bound::Absolute(2.5e-7),
        monotonic: false,
        odd: false,
        specials: [0.0; 4],
        keeps_nan: true,
    });
    all
}

/// Inputs and outputs of int8 and int16.
const BYTE: RangeInclusive<i32> = -128..=127;
const WORD: RangeInclusive<i32> = -32768..=32767;

/// An int8 table of a function of real numbers, over all 256 inputs. Where the reference's integer sequence makes the table,
/// smolnn owes the reference its bits, and the bound is what those err by.
fn byte(
    name: &'static str,
    table: &Table,
    [input, output]: [Affine; 2],
    exact: fn(f64) -> f64,
    bound: f64,
) -> (&'static str, Found) {
    let function = |inputs: &[i32]| inputs.iter().map(|&x| table.get(x as i8).into()).collect();
    let exact = |x: i32| {
        let y = exact(f64::from(input.scale) * f64::from(x - input.zero_point));
        y / f64::from(output.scale) + f64::from(output.zero_point)
    };
    let function =
        Integer { name, inputs: BYTE, function: &function, exact: &exact, outputs: BYTE, bound, monotonic: false };
    (name, measure_integer(&function))
}

/// From inputs to as many outputs.
type Kernel<'a> = dyn Fn(&[i16], &mut [i16]) -> Result<(), ShapeError> + 'a;

/// A kernel of int16 over all 65 536 inputs, in steps of `input`, to outputs in steps of `output`.
fn word(
    name: &'static str,
    kernel: &Kernel<'_>,
    [input, output]: [f64; 2],
    exact: fn(f64) -> f64,
    bound: f64,
) -> (&'static str, Found) {
    let function = |inputs: &[i32]| {
        let x: Vec<i16> = inputs.iter().map(|&x| x as i16).collect();
        let mut y = vec![0; x.len()];
        kernel(&x, &mut y).expect("equally long");
        y.into_iter().map(i32::from).collect()
    };
    let exact = |x: i32| exact(f64::from(x) * input) / output;
    let function =
        Integer { name, inputs: WORD, function: &function, exact: &exact, outputs: WORD, bound, monotonic: true };
    (name, measure_integer(&function))
}

/// A function of 32-bit fixed point in Q0.31 or Q5.26, over every 2^15th input.
fn long(
    name: &'static str,
    function: fn(i32) -> i32,
    inputs: RangeInclusive<i32>,
    [input_fraction, output_fraction]: [i32; 2],
    exact: fn(f64) -> f64,
    bound: f64,
) -> (&'static str, Found) {
    let function = |inputs: &[i32]| inputs.iter().map(|&x| function(x << 15)).collect();
    let exact =
        |x: i32| exact(f64::from(x) * f64::from(15 - input_fraction).exp2()) * f64::from(output_fraction).exp2();
    let outputs = i32::MIN..=i32::MAX;
    let function = Integer { name, inputs, function: &function, exact: &exact, outputs, bound, monotonic: false };
    (name, measure_integer(&function))
}

fn elu(x: f64) -> f64 {
    if x < 0.0 { libm::expm1(x) } else { x }
}

fn hard_swish(x: f64) -> f64 {
    x * (x + 3.0).clamp(0.0, 6.0) / 6.0
}

/// With the f32 nearest to 0.1.
fn leaky_relu(x: f64) -> f64 {
    if x < 0.0 { x * f64::from(0.1_f32) } else { x }
}

fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

/// Every function of integers, measured: the correctly rounded ones, and those of the reference.
pub fn integers() -> Vec<(&'static str, Found)> {
    let q15 = |name, kernel: fn(&[Q12], &mut [Q15]) -> Result<(), ShapeError>, exact| {
        let kernel = |input: &[i16], output: &mut [i16]| {
            let input: Vec<Q12> = input.iter().map(|&x| Q12::from_bits(x)).collect();
            let mut outputs = vec![Q15::ZERO; input.len()];
            kernel(&input, &mut outputs)?;
            output.iter_mut().zip(outputs).for_each(|(to, from)| *to = from.to_bits());
            Ok(())
        };
        word(name, &kernel, [1.0 / 4096.0, 1.0 / 32768.0], exact, 0.5)
    };
    let ready = "the scales are valid";
    // ±8 in int8, in steps that are no powers of two, as models have them.
    let (input, same, halves) = (Affine::new(0.0625, 0), Affine::new(0.0627, -3), Affine::new(0.0314, -128));
    let (of_256, of_128) = (Affine::new(1.0 / 256.0, -128), Affine::new(1.0 / 128.0, 0));
    let silus = Table::from_fn(input, halves, silu);
    let logistic = Interpolation::logistic(1.0 / 4096.0).expect(ready);
    let tanh = Interpolation::tanh(1.0 / 4096.0).expect(ready);
    let steps = [0.001_f32, 0.0012_f32];
    let leaky = LeakyRelu::new(65536, 0.1, Affine::new(steps[0], 0), Affine::new(steps[1], 0)).expect(ready);
    let q15_steps = [1.0 / 4096.0, 1.0 / 32768.0];
    vec![
        q15("sigmoid (Q3.12 to Q15)", sigmoid_q15, sigmoid),
        q15("tanh (Q3.12 to Q15)", tanh_q15, libm::tanh),
        q15("sigmoid (Q15 in 2 KiB)", sigmoid_q15_small, sigmoid),
        q15("tanh (Q15 in 2 KiB)", tanh_q15_small, libm::tanh),
        byte("LOGISTIC (int8)", &Table::logistic(input).expect(ready), [input, of_256], sigmoid, 0.51),
        byte("TANH (int8)", &Table::tanh(input).expect(ready), [input, of_128], libm::tanh, 0.51),
        byte("HARD_SWISH (int8)", &Table::hard_swish(input, same).expect(ready), [input, same], hard_swish, 0.51),
        byte("LEAKY_RELU (int8)", &Table::leaky_relu(0.1, input, same).expect(ready), [input, same], leaky_relu, 0.55),
        byte("ELU (int8)", &Table::elu(input, same).expect(ready), [input, same], elu, 0.51),
        byte("SiLU (int8, from a real)", &silus, [input, halves], silu, 0.5),
        word(
            "LOGISTIC (int16)",
            &|x, y| logistic_int16(&logistic, x.len(), Separate { input: x, output: y }),
            q15_steps,
            sigmoid,
            1.03,
        ),
        word(
            "TANH (int16)",
            &|x, y| tanh_int16(&tanh, x.len(), Separate { input: x, output: y }),
            q15_steps,
            libm::tanh,
            1.49,
        ),
        word(
            "LEAKY_RELU (int16)",
            &|x, y| leaky_relu_int16(&leaky, Separate { input: x, output: y }),
            steps.map(f64::from),
            leaky_relu,
            0.51,
        ),
        long("exp (Q5.26 to Q0.31)", |x| exp_negative(x, 5), -65535..=0, [26, 31], libm::exp, 490.0),
        long("1/(1 − x) (Q0.31)", |x| reciprocal_one_plus(-x), -65535..=0, [31, 31], |x| 1.0 / (1.0 - x), 6.0),
        long("logistic (Q4.27)", transcendental::logistic, -65535..=65535, [27, 31], sigmoid, 150.0),
        long("tanh (Q4.27)", transcendental::tanh, -65535..=65535, [27, 31], libm::tanh, 300.0),
        long("ln (Q12.19 to Q5.26)", logarithm, 16..=65535, [19, 26], libm::log, 3.0),
    ]
}

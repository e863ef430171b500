//! The functions that are measured, with the truth and what is asked of them.

use smolnn_fixed::act::q15::{Q12, sigmoid_q15, tanh_q15};
use smolnn_fixed::q::Q15;
use smolnn_float::elementary::{self, accurate, bodies, fast};

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
    };
    let fast = |name, function: fn(f32) -> f32, exact, specials, bound| Real {
        bound: Bound::Absolute(bound),
        monotonic: false,
        ..real(name, function, exact, specials, 0.0)
    };
    let vector = |name, function: fn(f32) -> f32, exact, specials| Real {
        bound: Bound::NormalUlp(2.5),
        monotonic: false,
        ..real(name, function, exact, specials, 0.0)
    };
    vec![
        real("exp (float)", bodies::exp_float, libm::exp, EXP, 1.0),
        real("exp (integer)", bodies::exp_integer, libm::exp, EXP, 0.82),
        real("exp (narrow)", bodies::exp_narrow, libm::exp, EXP, 2.5),
        real("exp (accurate)", accurate::exp, libm::exp, EXP, 0.501),
        real("sigmoid (float)", bodies::sigmoid_float, sigmoid, SIGMOID, 2.5),
        real("sigmoid (integer)", bodies::sigmoid_integer, sigmoid, SIGMOID, 1.0),
        real("sigmoid (narrow)", bodies::sigmoid_narrow, sigmoid, SIGMOID, 2.5),
        real("sigmoid (accurate)", accurate::sigmoid, sigmoid, SIGMOID, 0.501),
        Real { monotonic: true, ..vector("sigmoid (vector)", bodies::sigmoid_vector, sigmoid, SIGMOID) },
        fast("sigmoid (fast)", fast::sigmoid, sigmoid, SIGMOID, 6e-7),
        real("tanh (integer)", bodies::tanh_integer, libm::tanh, ODD, 0.8),
        real("tanh (narrow)", bodies::tanh_narrow, libm::tanh, ODD, 4.0),
        real("tanh (accurate)", accurate::tanh, libm::tanh, ODD, 0.501),
        vector("tanh (vector)", bodies::tanh_vector, libm::tanh, ODD),
        fast("tanh (fast, float)", bodies::tanh_fast_float, libm::tanh, ODD, 1e-6),
        fast("tanh (fast, integer)", bodies::tanh_fast_integer, libm::tanh, ODD, 1e-6),
        fast("tanh (fast, narrow)", bodies::tanh_fast_narrow, libm::tanh, ODD, 1e-6),
        real("erf", elementary::erf, libm::erf, ODD, 1.0),
        real("erf (accurate)", accurate::erf, libm::erf, ODD, 0.501),
        real("expm1", elementary::expm1, libm::expm1, EXPM1, 1.2),
        real("expm1 (accurate)", accurate::expm1, libm::expm1, EXPM1, 0.501),
        real("log", elementary::log, log, LOG, 1.0),
        real("log (accurate)", accurate::log, log, LOG, 0.501),
        real("softplus", elementary::softplus, softplus, SOFTPLUS, 0.75),
        real("softplus (accurate)", accurate::softplus, softplus, SOFTPLUS, 0.501),
    ]
}

/// Every function of 16-bit integers, measured.
pub fn integers() -> Vec<(&'static str, Found)> {
    let q15 = |function: fn(&[Q12], &mut [Q15])| {
        move |inputs: &[i32]| {
            let x: Vec<Q12> = inputs.iter().map(|&x| Q12::from_bits(x as i16)).collect();
            let mut y = vec![Q15::from_bits(0); x.len()];
            function(&x, &mut y);
            y.iter().map(|y| i32::from(y.to_bits())).collect::<Vec<_>>()
        }
    };
    let sigmoids = q15(|x, y| sigmoid_q15(x, y).expect("equally long"));
    let tanhs = q15(|x, y| tanh_q15(x, y).expect("equally long"));
    let measured = |name, function: &dyn Fn(&[i32]) -> Vec<i32>, exact: fn(f64) -> f64| {
        let exact = |x: i32| exact(f64::from(x) / 4096.0) * 32768.0;
        let word = i32::from(i16::MIN)..=i32::from(i16::MAX);
        let integer =
            Integer { name, inputs: word.clone(), function, exact: &exact, outputs: word, bound: 0.5, monotonic: true };
        (name, measure_integer(&integer))
    };
    vec![measured("sigmoid (Q3.12 to Q15)", &sigmoids, sigmoid), measured("tanh (Q3.12 to Q15)", &tanhs, libm::tanh)]
}

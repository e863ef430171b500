//! Cases of the activations.

use smolnn_fixed::act::q15::Q12;
use smolnn_fixed::act::{self, AbsInt16, Corners, Interpolation, LeakyRelu, Prelu, ReluInt16, RsqrtInt16, Table};
use smolnn_fixed::q::Q15;
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier, OutputRange};

use super::plain::{apart_and_overlapping, dispatch_tensors as dispatch, nearest, whole, zero_point};
use super::{Case, Failure, Trial, compare, elementwise};
use crate::oracle;

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    Case { kernel: "act/table.rs::lookup", domain: "random tables", tolerance: 0, run: lookup },
    // The oracles of the next two take real functions; the goldens hold the bits.
    Case {
        kernel: "act/int16.rs::logistic_int16",
        domain: "all of int16, scales 2^-15..2^-3",
        tolerance: 2,
        run: logistic_int16,
    },
    Case {
        kernel: "act/int16.rs::tanh_int16",
        domain: "all of int16, scales 2^-15..2^-3",
        tolerance: 3,
        run: tanh_int16,
    },
    Case {
        kernel: "act/corners.rs::interpolate_int16",
        domain: "random corners, all of int16",
        tolerance: 0,
        run: interpolate_int16,
    },
    Case { kernel: "act/q15.rs::sigmoid_q15", domain: "all of Q3.12", tolerance: 0, run: sigmoid_q15 },
    Case { kernel: "act/q15.rs::tanh_q15", domain: "all of Q3.12", tolerance: 0, run: tanh_q15 },
    Case {
        kernel: "act/q15_small.rs::sigmoid_q15_small",
        domain: "all of Q3.12",
        tolerance: 0,
        run: sigmoid_q15_small,
    },
    Case { kernel: "act/q15_small.rs::tanh_q15_small", domain: "all of Q3.12", tolerance: 0, run: tanh_q15_small },
    Case {
        kernel: "act/leaky_relu.rs::leaky_relu_int16",
        domain: "slopes ±2^-8..1",
        tolerance: 0,
        run: leaky_relu_int16,
    },
    Case {
        kernel: "act/relu.rs::relu_int16",
        domain: "RELU, RELU6, scales 2^-14..2^-2",
        tolerance: 0,
        run: relu_int16,
    },
    Case { kernel: "act/abs.rs::abs_int16", domain: "scales 2^-14..2^-2", tolerance: 0, run: abs_int16 },
    // The oracle takes real roots, the kernel has 20 fraction bits of them.
    Case { kernel: "act/rsqrt.rs::rsqrt_int16", domain: "scales 2^-14..2^-2", tolerance: 1, run: rsqrt_int16 },
    Case { kernel: "act/prelu.rs::prelu", domain: "slopes along any axes, in place", tolerance: 0, run: prelu },
];

pub(super) fn lookup(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let outputs: [i8; 256] = core::array::from_fn(|_| random.int8());
    let table = Table::from_ascending(&outputs);
    let length = random.length(1, 90);
    let input = memory.filled(length, || random.int8())?;
    let expected = |index: usize| outputs[(i32::from(input[index]) + 128) as usize];
    apart_and_overlapping!(memory, tolerance, input, length, 0, expected, |tensors| {
        dispatch!(|tensors| act::lookup(&table, length, tensors), tensors)
    })
}

pub(super) fn interpolate_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let corners: [i16; 513] = core::array::from_fn(|_| random.int16());
    let layer = Corners::new(&corners).map_err(Failure::refused("the corners"))?;
    let length = random.length(1, 90);
    let input = memory.filled(length, || random.int16())?;
    let expected = |index: usize| {
        let place = i32::from(input[index]) + 32768;
        let [low, high] = [0, 1].map(|corner| i32::from(corners[(place / 128 + corner) as usize]));
        libm::floor(f64::from(low) + f64::from((high - low) * (place % 128)) / 128.0 + 0.5) as i16
    };
    apart_and_overlapping!(memory, tolerance, input, length, 0, expected, |tensors| {
        dispatch!(|tensors| act::interpolate_int16(&layer, length, tensors), tensors)
    })
}

/// An interpolated int16 activation against the real function.
macro_rules! interpolated {
    ($trial:ident, $interpolation:path, $kernel:path, $real:expr) => {{
        let Trial { random, mut memory, tolerance } = $trial;
        let scale = if random.one_in(2) { 1.0 / 4096.0 } else { random.scale(15, 3) };
        let interpolation = $interpolation(scale).map_err(Failure::refused("the interpolation"))?;
        let length = random.length(1, 90);
        let input = memory.filled(length, || random.int16())?;
        let expected = |index: usize| {
            let real: f64 = $real(f64::from(scale) * f64::from(input[index]));
            nearest::<i16>(real, 1.0 / 32768.0, &whole::<i16>(0))
        };
        apart_and_overlapping!(memory, tolerance, input, length, 0, expected, |tensors| {
            dispatch!(|tensors| $kernel(&interpolation, length, tensors), tensors)
        })
    }};
}

pub(super) fn logistic_int16(trial: Trial<'_>) -> Result<(), Failure> {
    interpolated!(trial, Interpolation::logistic, act::logistic_int16, |x: f64| 1.0 / (1.0 + libm::exp(-x)))
}

pub(super) fn tanh_int16(trial: Trial<'_>) -> Result<(), Failure> {
    interpolated!(trial, Interpolation::tanh, act::tanh_int16, libm::tanh)
}

pub(super) fn leaky_relu_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (from, to) = (
        Affine::new(random.scale(14, 2), zero_point::<i16>(random)),
        Affine::new(random.scale(14, 2), zero_point::<i16>(random)),
    );
    let alpha = random.scale(8, 0) * random.pick(&[1.0, 1.0, -1.0]);
    let length = random.length(1, 90);
    let layer = LeakyRelu::new(length, alpha, from, to).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(length, || random.int16())?;
    let expected = |index: usize| {
        let value = i32::from(input[index]) - from.zero_point;
        let ratio = f64::from(from.scale) / f64::from(to.scale);
        let scaled = if value >= 0 {
            oracle::requantise(value, Multiplier::from_f64(ratio))
        } else {
            let factor = f64::from(from.scale) * f64::from(alpha.abs()) / f64::from(to.scale);
            let magnitude = oracle::requantise(value, Multiplier::from_f64(factor));
            if alpha < 0.0 { -magnitude } else { magnitude }
        };
        (i64::from(scaled) + i64::from(to.zero_point)).clamp(-32768, 32767) as i16
    };
    apart_and_overlapping!(memory, tolerance, input, length, 0, expected, |tensors| {
        dispatch!(|tensors| act::leaky_relu_int16(&layer, tensors), tensors)
    })
}

/// An int16 function of values that are rescaled by `factor` of both scales.
macro_rules! rescaled_int16 {
    ($trial:ident, $make:expr, $kernel:path, $expected:expr) => {{
        let Trial { random, mut memory, tolerance } = $trial;
        let mut affine = || Affine::new(random.scale(14, 2), zero_point::<i16>(random));
        let (from, to) = (affine(), affine());
        let length = random.length(1, 90);
        let layer = $make(length, from, to).map_err(Failure::refused("the layer"))?;
        let input = memory.filled(length, || if random.one_in(8) { from.zero_point as i16 } else { random.int16() })?;
        let expected = |index: usize| {
            let value: i64 = $expected(i32::from(input[index]) - from.zero_point, from, to);
            (value + i64::from(to.zero_point)).clamp(-32768, 32767) as i16
        };
        apart_and_overlapping!(memory, tolerance, input, length, 0, expected, |tensors| {
            dispatch!(|tensors| $kernel(&layer, tensors), tensors)
        })
    }};
}

fn ratio(from: Affine, to: Affine) -> Multiplier {
    Multiplier::from_f64(f64::from(from.scale) / f64::from(to.scale))
}

pub(super) fn relu_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let is_relu6 = trial.random.one_in(2);
    let activation = if is_relu6 { FusedActivation::Relu6 } else { FusedActivation::Relu };
    let make = |length, from, to| ReluInt16::new(length, activation, from, to);
    rescaled_int16!(trial, make, act::relu_int16, |value, from: Affine, to: Affine| {
        let most = if is_relu6 { libm::round((6.0_f32 / to.scale).into()) as i64 } else { i64::MAX };
        i64::from(oracle::requantise(value, ratio(from, to))).clamp(0, most)
    })
}

pub(super) fn abs_int16(trial: Trial<'_>) -> Result<(), Failure> {
    rescaled_int16!(trial, AbsInt16::new, act::abs_int16, |value: i32, from, to| {
        oracle::requantise(value.abs(), ratio(from, to)).into()
    })
}

pub(super) fn rsqrt_int16(trial: Trial<'_>) -> Result<(), Failure> {
    rescaled_int16!(trial, RsqrtInt16::new, act::rsqrt_int16, |value, from: Affine, to: Affine| {
        if value <= 0 {
            return i64::from(u16::MAX);
        }
        let root = libm::sqrt(f64::from(from.scale) * f64::from(value));
        libm::round(1.0 / root / f64::from(to.scale)) as i64
    })
}

pub(super) fn prelu(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let meeting = elementwise::Meeting::draw_slopes(random);
    let mut affine = || Affine::new(random.scale(10, 0), random.int8().into());
    let [input, alpha, output] = [affine(), affine(), affine()];
    let factor = |real: f64| Multiplier::from_f64(real / f64::from(output.scale));
    let positive = factor(input.scale.into());
    let negative = factor(f64::from(input.scale) * f64::from(alpha.scale));
    let expected = |value: i8, slope: i8| {
        let value = i32::from(value) - input.zero_point;
        let scaled = if value >= 0 {
            oracle::requantise(value, positive)
        } else {
            oracle::requantise(value * (i32::from(slope) - alpha.zero_point), negative)
        };
        oracle::finish(scaled, &OutputRange::int8(output.zero_point)) as i8
    };
    elementwise::with_pairs!(meeting, |pairs| {
        let layer = Prelu::new(pairs, input, alpha, output).map_err(Failure::refused("the layer"))?;
        elementwise::every_place!(trial, i8, meeting, expected, |operands| act::prelu(&layer, operands))
    })
}

/// A Q15 activation against the real function, correctly rounded.
macro_rules! q15 {
    ($trial:ident, $kernel:path, $real:expr) => {{
        let Trial { random, mut memory, tolerance } = $trial;
        let length = random.length(1, 90);
        let bits = memory.filled(length, || random.int16())?;
        let mut input = [Q12::ZERO; 90];
        let mut output = [Q15::ZERO; 90];
        for (input, &bits) in input.iter_mut().zip(bits.iter()) {
            *input = Q12::from_bits(bits);
        }
        $kernel(&input[..length], &mut output[..length]).map_err(Failure::refused("apart"))?;
        let found = output.map(Q15::to_bits);
        compare("apart", tolerance, &found[..length], |index| {
            nearest::<i16>($real(input[index].to_f64()), 1.0 / 32768.0, &whole::<i16>(0))
        })
    }};
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

pub(super) fn sigmoid_q15(trial: Trial<'_>) -> Result<(), Failure> {
    q15!(trial, act::q15::sigmoid_q15, sigmoid)
}

pub(super) fn sigmoid_q15_small(trial: Trial<'_>) -> Result<(), Failure> {
    q15!(trial, act::q15_small::sigmoid_q15_small, sigmoid)
}

pub(super) fn tanh_q15(trial: Trial<'_>) -> Result<(), Failure> {
    q15!(trial, act::q15::tanh_q15, libm::tanh)
}

pub(super) fn tanh_q15_small(trial: Trial<'_>) -> Result<(), Failure> {
    q15!(trial, act::q15_small::tanh_q15_small, libm::tanh)
}

//! Cases of the operators with two tensors in.

use smolnn_fixed::elementwise::{
    Add, AddInt16, Pairing, SquaredDifference, add as add_kernel, add_int16 as add_int16_kernel,
    squared_difference as squared_difference_kernel,
};
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier, OutputRange};

use super::{Case, Failure, Trial, compare};
use crate::{Random, oracle};

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    Case {
        kernel: "elementwise/add.rs::add",
        domain: "sum and difference, scales 2^-10..1, broadcast, in place",
        tolerance: 0,
        run: add,
    },
    Case {
        kernel: "elementwise/squared_difference.rs::squared_difference",
        domain: "scales 2^-8..1, broadcast, in place",
        tolerance: 0,
        run: squared_difference,
    },
    Case {
        kernel: "elementwise/add.rs::add_int16",
        domain: "sum and difference, scales 2^-15..2^-5, broadcast, in place",
        tolerance: 0,
        run: add_int16,
    },
];

/// Lengths of two operands: one length, or one that repeats.
fn draw_pairing(random: &mut Random) -> (usize, usize) {
    let length = random.length(1, 60);
    match random.between(0, 3) {
        0 => (length * random.length(1, 5), length),
        1 => (length, length * random.length(1, 5)),
        _ => (length, length),
    }
}

/// Any of the fused activations.
pub(super) fn draw_activation(random: &mut Random) -> FusedActivation {
    random.pick(&[
        FusedActivation::None,
        FusedActivation::None,
        FusedActivation::Relu,
        FusedActivation::Relu6,
        FusedActivation::ReluN1To1,
    ])
}

/// Draws the operands and runs the kernel in every place the tensors may have: apart, the output over the left operand, all
/// in one buffer, and over the right operand with the left one in place of a constant.
macro_rules! every_place {
    ($trial:ident, $T:ty, ($left_len:ident, $right_len:ident), $expected:expr, $kernel:path, $layer:ident) => {{
        use smolnn_core::ShapeError;
        use smolnn_fixed::{Overlapping, OverlappingPair, SeparatePair, WithRight};

        use $crate::cases::plain::Value;

        let Trial { random, mut memory, tolerance } = $trial;
        let length: usize = $left_len.max($right_len);
        let left = memory.filled::<$T>($left_len, || Value::draw(random))?;
        let right = memory.filled::<$T>($right_len, || Value::draw(random))?;
        let output = memory.elements::<$T>(length)?;
        let expected = |index: usize| $expected(left[index % $left_len], right[index % $right_len]);
        let check = |what, result: Result<(), ShapeError>, found: &[$T]| {
            result.map_err(Failure::refused(what))?;
            compare(what, tolerance, found, expected)
        };
        let result = $kernel(&$layer, SeparatePair { left, right, output });
        check("apart", result, output)?;
        let buffer = memory.elements::<$T>(3 * length)?;
        if $left_len == length {
            output.copy_from_slice(left);
            let result = Overlapping::new(output, (0, length), (0, length))
                .and_then(|tensors| $kernel(&$layer, WithRight { tensors, right }));
            check("over the left operand", result, output)?;
            buffer[length..2 * length].copy_from_slice(left);
            buffer[2 * length..][..$right_len].copy_from_slice(right);
            // The output starts before the left operand and runs into it.
            let start = random.length(0, length);
            let result = OverlappingPair::new(buffer, (length, length), (2 * length, $right_len), (start, length))
                .and_then(|tensors| $kernel(&$layer, tensors));
            check("in one buffer", result, &buffer[start..start + length])?;
        }
        if $right_len == length {
            buffer[..$left_len].copy_from_slice(left);
            buffer[2 * length..].copy_from_slice(right);
            let start = length + random.length(0, length);
            let result = OverlappingPair::new(buffer, (0, $left_len), (2 * length, length), (start, length))
                .and_then(|tensors| $kernel(&$layer, tensors));
            check("over the right operand", result, &buffer[start..start + length])?;
        }
        Ok(())
    }};
}

pub(super) use every_place;

/// The sum as the reference defines it, from the real factors.
fn sum(
    [left, right, output]: [Affine; 3],
    subtract: bool,
    shift: u32,
    range: OutputRange,
) -> impl Fn(i32, i32) -> i32 + Copy {
    let twice = 2.0 * f64::from(left.scale).max(right.scale.into());
    let factor = |numerator: f64, denominator: f64| Multiplier::from_f64(numerator / denominator);
    let left_factor = factor(left.scale.into(), twice);
    let right_factor = factor(right.scale.into(), twice);
    let output_factor = factor(twice, f64::from(1_u32 << shift) * f64::from(output.scale));
    move |a, b| {
        let a = oracle::requantise((a - left.zero_point) << shift, left_factor);
        let b = oracle::requantise((b - right.zero_point) << shift, right_factor);
        oracle::finish(oracle::requantise(if subtract { a - b } else { a + b }, output_factor), &range)
    }
}

pub(super) fn add(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let (left_len, right_len) = draw_pairing(random);
    let mut affine = |least, most| Affine::new(random.scale(least, most), random.int8().into());
    // An output's scale above 15 times the operands' is refused.
    let quantisations = [affine(8, 0), affine(8, 0), affine(16, 5)];
    let [left, right, output] = quantisations;
    let (activation, subtract) = (draw_activation(random), random.one_in(2));
    let make = if subtract { Add::subtraction } else { Add::new };
    let layer = Pairing::new(left_len, right_len)
        .and_then(|pairing| make(pairing, left, right, output, activation))
        .map_err(Failure::refused("the layer"))?;
    let range = activation.range(output.scale, output.zero_point, -128, 127);
    let expected = sum(quantisations, subtract, 20, range);
    let expected = |left: i8, right: i8| expected(left.into(), right.into()) as i8;
    every_place!(trial, i8, (left_len, right_len), expected, add_kernel, layer)
}

pub(super) fn add_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let (left_len, right_len) = draw_pairing(random);
    let mut affine = || Affine::new(random.scale(15, 5), 0);
    let quantisations = [affine(), affine(), affine()];
    let [left, right, output] = quantisations.map(|affine| affine.scale);
    let (activation, subtract) = (draw_activation(random), random.one_in(2));
    let layer = Pairing::new(left_len, right_len)
        .and_then(|pairing| AddInt16::new(pairing, left, right, output, activation, subtract))
        .map_err(Failure::refused("the layer"))?;
    let range = activation.range(output, 0, -32768, 32767);
    let expected = sum(quantisations, subtract, 15, range);
    let expected = |left: i16, right: i16| expected(left.into(), right.into()) as i16;
    every_place!(trial, i16, (left_len, right_len), expected, add_int16_kernel, layer)
}

pub(super) fn squared_difference(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let (left_len, right_len) = draw_pairing(random);
    let mut affine = || Affine::new(random.scale(8, 0), random.int8().into());
    let [left, right, output] = [affine(), affine(), affine()];
    let layer = Pairing::new(left_len, right_len)
        .and_then(|pairing| SquaredDifference::new(pairing, left, right, output))
        .map_err(Failure::refused("the layer"))?;
    let twice = 2.0 * f64::from(left.scale).max(right.scale.into());
    let left_factor = Multiplier::from_f64(f64::from(left.scale) / twice);
    let right_factor = Multiplier::from_f64(f64::from(right.scale) / twice);
    let output_factor = Multiplier::from_f64(twice * twice / (16384.0 * f64::from(output.scale)));
    let expected = |a: i8, b: i8| {
        let a = oracle::requantise((i32::from(a) - left.zero_point) << 7, left_factor);
        let b = oracle::requantise((i32::from(b) - right.zero_point) << 7, right_factor);
        let square = oracle::requantise((a - b) * (a - b), output_factor);
        oracle::finish(square, &OutputRange::int8(output.zero_point)) as i8
    };
    every_place!(trial, i8, (left_len, right_len), expected, squared_difference_kernel, layer)
}

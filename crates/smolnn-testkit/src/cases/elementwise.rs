//! Cases of the operators with two tensors in.

use smolnn_core::Broadcast;
use smolnn_fixed::elementwise::{
    self, Add, AddInt16, AddN, Arithmetic, CompareInt8, Comparison, Div, Mul, SquaredDifference, SquaredDifferenceInt16,
};
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier, OutputRange};

use super::plain::{Value, apart_and_overlapping, dispatch_tensors, range, zero_point};
use super::{Case, Failure, Trial, compare};
use crate::{Random, oracle};

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    Case {
        kernel: "elementwise/add.rs::add",
        domain: "sum and difference, scales 2^-10..1, any broadcast, in place",
        tolerance: 0,
        run: add,
    },
    Case {
        kernel: "elementwise/add.rs::add_int16",
        domain: "sum and difference, scales 2^-15..2^-5, any broadcast, in place",
        tolerance: 0,
        run: add_int16,
    },
    Case {
        kernel: "elementwise/mul.rs::mul",
        domain: "int8 and int16, any broadcast, in place",
        tolerance: 0,
        run: mul,
    },
    // The oracle divides real numbers; random models hold the bits.
    Case { kernel: "elementwise/div.rs::div", domain: "any broadcast, in place", tolerance: 1, run: div },
    Case {
        kernel: "elementwise/extremes.rs::maximum",
        domain: "int8, int16 and int32, any broadcast, in place",
        tolerance: 0,
        run: maximum,
    },
    Case {
        kernel: "elementwise/extremes.rs::minimum",
        domain: "int8, int16 and int32, any broadcast, in place",
        tolerance: 0,
        run: minimum,
    },
    Case {
        kernel: "elementwise/squared_difference.rs::squared_difference",
        domain: "scales 2^-8..1, any broadcast, in place",
        tolerance: 0,
        run: squared_difference,
    },
    Case {
        kernel: "elementwise/squared_difference.rs::squared_difference_int16",
        domain: "scales 2^-16..2^-10, any broadcast, in place",
        tolerance: 0,
        run: squared_difference_int16,
    },
    Case {
        kernel: "elementwise/int32.rs::arithmetic_int32",
        domain: "all of int32, divisors of 0, any broadcast, in place",
        tolerance: 0,
        run: arithmetic_int32,
    },
    Case {
        kernel: "elementwise/compare.rs::compare",
        domain: "int8, int16, int32 and uint8, any broadcast",
        tolerance: 0,
        run: comparison,
    },
    Case {
        kernel: "elementwise/compare.rs::compare_int8",
        domain: "scales 2^-12..2^3, any broadcast",
        tolerance: 0,
        run: compare_int8,
    },
    Case {
        kernel: "elementwise/select.rs::logical_and",
        domain: "any broadcast, in place",
        tolerance: 0,
        run: logical_and,
    },
    Case {
        kernel: "elementwise/select.rs::logical_or",
        domain: "any broadcast, in place",
        tolerance: 0,
        run: logical_or,
    },
    Case { kernel: "elementwise/select.rs::logical_not", domain: "in place", tolerance: 0, run: logical_not },
    Case {
        kernel: "elementwise/select.rs::select",
        domain: "int16, any broadcast of three",
        tolerance: 0,
        run: select,
    },
    Case { kernel: "elementwise/add_n.rs::add_n", domain: "1..=6 tensors", tolerance: 0, run: add_n },
];

/// Dimensions of a drawn tensor.
const RANK: usize = 4;

/// The shapes of two operands that meet element by element.
pub(super) struct Meeting {
    pub left: [usize; RANK],
    pub right: [usize; RANK],
    /// Whether one operand repeats as a whole, which a `Pairing` can say.
    pub is_pairing: bool,
}

impl Meeting {
    /// Equal shapes, one that repeats as a whole, or any broadcast.
    fn draw(random: &mut Random) -> Self {
        let mut meeting = Self::draw_slopes(random);
        if meeting.is_pairing {
            if random.one_in(2) {
                (meeting.left, meeting.right) = (meeting.right, meeting.left);
            }
        } else {
            meeting.left = meeting.left.map(|length| if random.one_in(3) { 1 } else { length });
        }
        meeting
    }

    /// As [`draw`](Self::draw), but that only the right operand repeats.
    pub(super) fn draw_slopes(random: &mut Random) -> Self {
        if random.one_in(2) {
            let (outer, period) = (random.pick(&[1, 1, 2, 3, 5]), random.length(1, 60));
            return Self { left: [1, 1, outer, period], right: [1, 1, 1, period], is_pairing: true };
        }
        let shape: [usize; RANK] = core::array::from_fn(|_| random.length(1, 4));
        let right = shape.map(|length| if random.one_in(3) { 1 } else { length });
        Self { left: shape, right, is_pairing: false }
    }

    /// The shape of the output.
    fn output(&self) -> [usize; RANK] {
        core::array::from_fn(|axis| self.left[axis].max(self.right[axis]))
    }

    /// Elements of the left operand, the right one and the output.
    pub(super) fn lengths(&self) -> [usize; 3] {
        [self.left, self.right, self.output()].map(|shape| shape.iter().product())
    }

    /// The positions in both operands that the output's element `index` is made of.
    pub(super) fn places(&self, index: usize) -> [usize; 2] {
        let output = self.output();
        [self.left, self.right].map(|shape| place(&shape, &output, index))
    }
}

/// The position in an operand that the output's element `index` is made of.
fn place(shape: &[usize; RANK], output: &[usize; RANK], index: usize) -> usize {
    let (mut rest, mut at, mut stride) = (index, 0, 1);
    for axis in (0..RANK).rev() {
        if shape[axis] > 1 {
            at += rest % output[axis] * stride;
        }
        stride *= shape[axis];
        rest /= output[axis];
    }
    at
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

/// Evaluates the body with the shapes as a `Pairing` where they are one, otherwise as a `Broadcast`: closures cannot be generic.
macro_rules! with_pairs {
    ($meeting:ident, |$pairs:ident| $body:expr) => {{
        let [left_len, right_len, _] = $meeting.lengths();
        if $meeting.is_pairing {
            let $pairs = smolnn_fixed::elementwise::Pairing::new(left_len, right_len)
                .map_err(Failure::refused("the pairing"))?;
            $body
        } else {
            let $pairs = smolnn_core::Broadcast::new([&$meeting.left[..], &$meeting.right])
                .map_err(Failure::refused("the broadcast"))?;
            $body
        }
    }};
}
pub(super) use with_pairs;

/// Draws the operands and runs the kernel in every place the tensors may have: apart, the output over the left operand, all
/// in one buffer, and over the right operand with the left one in place of a constant.
macro_rules! every_place {
    ($trial:ident, $T:ty, $meeting:ident, $expected:expr, |$operands:ident| $kernel:expr) => {{
        use smolnn_core::ShapeError;
        use smolnn_fixed::{Overlapping, OverlappingPair, SeparatePair, WithRight};

        use $crate::cases::plain::Value;

        let Trial { random, mut memory, tolerance } = $trial;
        let [left_len, right_len, length] = $meeting.lengths();
        let left = memory.filled::<$T>(left_len, || Value::draw(random))?;
        let right = memory.filled::<$T>(right_len, || Value::draw(random))?;
        let output = memory.elements::<$T>(length)?;
        let expected = |index: usize| {
            let [left_at, right_at] = $meeting.places(index);
            $expected(left[left_at], right[right_at])
        };
        let check = |what, result: Result<(), ShapeError>, found: &[$T]| {
            result.map_err(Failure::refused(what))?;
            compare(what, tolerance, found, expected)
        };
        let $operands = SeparatePair { left, right, output };
        let result = $kernel;
        check("apart", result, output)?;
        let buffer = memory.elements::<$T>(3 * length)?;
        if left_len == length {
            output.copy_from_slice(left);
            let result = Overlapping::new(output, (0, length), (0, length)).and_then(|tensors| {
                let $operands = WithRight { tensors, right };
                $kernel
            });
            check("over the left operand", result, output)?;
            buffer[length..2 * length].copy_from_slice(left);
            buffer[2 * length..][..right_len].copy_from_slice(right);
            // The output starts before the left operand and runs into it.
            let start = random.length(0, length);
            let result = OverlappingPair::new(buffer, (length, length), (2 * length, right_len), (start, length))
                .and_then(|$operands| $kernel);
            check("in one buffer", result, &buffer[start..start + length])?;
        }
        if right_len == length {
            buffer[..left_len].copy_from_slice(left);
            buffer[2 * length..].copy_from_slice(right);
            let start = length + random.length(0, length);
            let result = OverlappingPair::new(buffer, (0, left_len), (2 * length, length), (start, length))
                .and_then(|$operands| $kernel);
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
    let meeting = Meeting::draw(random);
    let mut affine = |least, most| Affine::new(random.scale(least, most), random.int8().into());
    // Outputs of scales far above and below the operands' take a path of their own.
    let (left, right) = (affine(8, 0), affine(8, 0));
    let output = if random.one_in(5) { random.scale(35, -8) } else { random.scale(16, 5) };
    let output = Affine::new(output, random.int8().into());
    let (activation, subtract) = (draw_activation(random), random.one_in(2));
    let range = activation.range(output.scale, output.zero_point, -128, 127);
    let expected = sum([left, right, output], subtract, 20, range);
    let expected = |left: i8, right: i8| expected(left.into(), right.into()) as i8;
    with_pairs!(meeting, |pairs| {
        let make = if subtract { Add::subtraction } else { Add::new };
        let layer = make(pairs, left, right, output, activation).map_err(Failure::refused("the layer"))?;
        every_place!(trial, i8, meeting, expected, |operands| elementwise::add(&layer, operands))
    })
}

pub(super) fn add_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let meeting = Meeting::draw(random);
    let mut affine = |least, most| Affine::new(random.scale(least, most), 0);
    let quantisations = [affine(15, 5), affine(15, 5), affine(30, 5)];
    let [left, right, output] = quantisations.map(|affine| affine.scale);
    let (activation, subtract) = (draw_activation(random), random.one_in(2));
    let range = activation.range(output, 0, -32768, 32767);
    let expected = sum(quantisations, subtract, 15, range);
    let expected = |left: i16, right: i16| expected(left.into(), right.into()) as i16;
    with_pairs!(meeting, |pairs| {
        let layer =
            AddInt16::new(pairs, left, right, output, activation, subtract).map_err(Failure::refused("the layer"))?;
        every_place!(trial, i16, meeting, expected, |operands| elementwise::add_int16(&layer, operands))
    })
}

/// The product of either type.
fn mul_of_type<T: Value>(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let meeting = Meeting::draw(random);
    let wide = T::LARGEST > 127;
    let mut affine = || Affine::new(random.scale(10, 1), if wide { 0 } else { random.int8().into() });
    let (left, right) = (affine(), affine());
    let (scale, mut output) = (random.scale(12, 0), range::<T>(random));
    if wide {
        output.zero_point = 0;
    }
    let factor = Multiplier::from_f64(f64::from(left.scale) * f64::from(right.scale) / f64::from(scale));
    let expected = |a: T, b: T| {
        let product = (a.into() - left.zero_point) * (b.into() - right.zero_point);
        T::wrap(oracle::finish(oracle::requantise(product, factor), &output))
    };
    with_pairs!(meeting, |pairs| {
        let layer = Mul::new(pairs, left, right, scale, output).map_err(Failure::refused("the layer"))?;
        every_place!(trial, T, meeting, expected, |operands| elementwise::mul(&layer, operands))
    })
}

pub(super) fn mul(trial: Trial<'_>) -> Result<(), Failure> {
    super::plain::either_type!(trial, mul_of_type)
}

/// Every pair of int8 through a sum and a product of some layers: with the smaller scale left, right and nowhere, of multipliers that
/// shift far, by a place and not at all. Gives how many outputs were compared.
///
/// # Errors
/// [`Failure`] of the first layer that is refused or wrong.
pub fn every_pair() -> Result<usize, Failure> {
    use smolnn_core::ShapeError;
    use smolnn_fixed::SeparatePair;
    use smolnn_fixed::elementwise::Pairing;

    let values: [i8; 256] = core::array::from_fn(|index| index as u8 as i8);
    let mut compared = 0;
    let mut check =
        |what, run: &dyn Fn(SeparatePair<'_, i8>) -> Result<(), ShapeError>, expected: &dyn Fn(i8, i8) -> i8| {
            let mut output = [0; 256];
            for left in values {
                run(SeparatePair { left: &[left; 256], right: &values, output: &mut output })
                    .map_err(Failure::refused(what))?;
                compare(what, 0, &output, |index| expected(left, values[index]))?;
                compared += output.len();
            }
            Ok(())
        };
    let pairs = Pairing::same(256).map_err(Failure::refused("the pairing"))?;
    let affine = [Affine::new(0.05, 4), Affine::new(0.031, -128), Affine::new(0.11, 127)];
    for (left, right, scale, activation) in [
        (0, 1, 0.08, FusedActivation::None),
        (1, 2, 0.02, FusedActivation::Relu6),
        (0, 0, 0.05, FusedActivation::None),
        // Outputs all but vanish, and all but saturate.
        (2, 1, 40.0, FusedActivation::None),
        (0, 2, 1e-6, FusedActivation::None),
    ] {
        let quantised = [affine[left], affine[right], Affine::new(scale, -7)];
        let range = activation.range(scale, -7, -128, 127);
        let expected = sum(quantised, false, 20, range);
        let layer = Add::new(pairs, quantised[0], quantised[1], quantised[2], activation)
            .map_err(Failure::refused("the sum"))?;
        check("every sum", &|operands| elementwise::add(&layer, operands), &|left, right| {
            expected(left.into(), right.into()) as i8
        })?;
    }
    let [left, right, _] = affine;
    for (factor, range) in [
        (0.003, OutputRange::int8(-7)),
        (0.3, OutputRange { zero_point: 3, minimum: -100, maximum: 90 }),
        (0.7, OutputRange::int8(127)),
        (0.5, OutputRange::int8(-128)),
        (1.5, OutputRange::int8(0)),
    ] {
        let scale = left.scale * right.scale / factor;
        let multiplier = Multiplier::from_f64(f64::from(left.scale) * f64::from(right.scale) / f64::from(scale));
        let layer = Mul::new(pairs, left, right, scale, range).map_err(Failure::refused("the product"))?;
        check("every product", &|operands| elementwise::mul(&layer, operands), &|a, b| {
            let product = (i32::from(a) - left.zero_point) * (i32::from(b) - right.zero_point);
            oracle::finish(oracle::requantise(product, multiplier), &range) as i8
        })?;
    }
    Ok(compared)
}

/// The smaller or the larger of either type.
fn extreme_of_type<T: Value>(trial: Trial<'_>, is_max: bool) -> Result<(), Failure> {
    let meeting = Meeting::draw(trial.random);
    let expected = |left: T, right: T| {
        let (left, right): (i32, i32) = (left.into(), right.into());
        T::wrap(if is_max { left.max(right) } else { left.min(right) })
    };
    with_pairs!(meeting, |pairs| {
        every_place!(trial, T, meeting, expected, |operands| if is_max {
            elementwise::maximum(&pairs, operands)
        } else {
            elementwise::minimum(&pairs, operands)
        })
    })
}

fn extreme(trial: Trial<'_>, is_max: bool) -> Result<(), Failure> {
    match trial.random.between(0, 2) {
        0 => extreme_of_type::<i8>(trial, is_max),
        1 => extreme_of_type::<i16>(trial, is_max),
        _ => extreme_of_type::<i32>(trial, is_max),
    }
}

pub(super) fn maximum(trial: Trial<'_>) -> Result<(), Failure> {
    extreme(trial, true)
}

pub(super) fn minimum(trial: Trial<'_>) -> Result<(), Failure> {
    extreme(trial, false)
}

/// The squared difference as the reference defines it: terms shifted left by `shift`.
fn square([left, right, output]: [Affine; 3], shift: u32) -> impl Fn(i32, i32) -> i32 + Copy {
    let twice = 2.0 * f64::from(left.scale).max(right.scale.into());
    let left_factor = Multiplier::from_f64(f64::from(left.scale) / twice);
    let right_factor = Multiplier::from_f64(f64::from(right.scale) / twice);
    let unit = f64::from(1_u32 << (2 * shift));
    let output_factor = Multiplier::from_f64(twice * twice / (unit * f64::from(output.scale)));
    move |a, b| {
        let a = oracle::requantise((a - left.zero_point) << shift, left_factor);
        let b = oracle::requantise((b - right.zero_point) << shift, right_factor);
        oracle::requantise((a - b) * (a - b), output_factor)
    }
}

pub(super) fn squared_difference(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let meeting = Meeting::draw(random);
    let mut affine = || Affine::new(random.scale(8, 0), random.int8().into());
    let [left, right, output] = [affine(), affine(), affine()];
    let expected = square([left, right, output], 7);
    let expected =
        |a: i8, b: i8| oracle::finish(expected(a.into(), b.into()), &OutputRange::int8(output.zero_point)) as i8;
    with_pairs!(meeting, |pairs| {
        let layer = SquaredDifference::new(pairs, left, right, output).map_err(Failure::refused("the layer"))?;
        every_place!(trial, i8, meeting, expected, |operands| elementwise::squared_difference(&layer, operands))
    })
}

pub(super) fn squared_difference_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let meeting = Meeting::draw(random);
    let mut affine = |least, most| Affine::new(random.scale(least, most), 0);
    let quantisations = [affine(16, 10), affine(16, 10), affine(15, 6)];
    let [left, right, output] = quantisations.map(|affine| affine.scale);
    let expected = square(quantisations, 0);
    let expected = |a: i16, b: i16| oracle::finish(expected(a.into(), b.into()), &OutputRange::int16()) as i16;
    with_pairs!(meeting, |pairs| {
        let layer = SquaredDifferenceInt16::new(pairs, left, right, output).map_err(Failure::refused("the layer"))?;
        every_place!(trial, i16, meeting, expected, |operands| elementwise::squared_difference_int16(&layer, operands))
    })
}

pub(super) fn div(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let meeting = Meeting::draw(random);
    let mut affine = |least, most| Affine::new(random.scale(least, most), random.int8().into());
    let [left, right, output] = [affine(8, 0), affine(8, 0), affine(6, 0)];
    let activation = draw_activation(random);
    let range = activation.range(output.scale, output.zero_point, -128, 127);
    let expected = |a: i8, b: i8| {
        let (a, b) = (i32::from(a) - left.zero_point, i32::from(b) - right.zero_point);
        let scale = f64::from(left.scale) / f64::from(right.scale) / f64::from(output.scale);
        // 0/0 is the zero point; the ends of f64 are beyond every clamp.
        let real = if a == 0 { 0.0 } else { f64::from(a) / f64::from(b) * scale };
        let steps = libm::round(real).clamp(-1e6, 1e6) as i32;
        oracle::finish(steps, &range) as i8
    };
    with_pairs!(meeting, |pairs| {
        let layer = Div::new(pairs, left, right, output, activation).map_err(Failure::refused("the layer"))?;
        every_place!(trial, i8, meeting, expected, |operands| elementwise::div(&layer, operands))
    })
}

pub(super) fn arithmetic_int32(trial: Trial<'_>) -> Result<(), Failure> {
    let random = &mut *trial.random;
    let meeting = Meeting::draw(random);
    let (least, largest) = random.pick(&[(i32::MIN, i32::MAX), (0, i32::MAX), (0, 6), (-1, 1)]);
    let arithmetic = random.pick(&[
        Arithmetic::Add,
        Arithmetic::Subtract,
        Arithmetic::Multiply,
        Arithmetic::Divide,
        Arithmetic::SquaredDifference,
    ]);
    let expected = |left: i32, right: i32| {
        let (left, right) = (i128::from(left), i128::from(right));
        let wide = match arithmetic {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide if right == 0 => {
                left.signum().clamp(-1, 1) * i128::from(i32::MAX) + left.min(0).signum()
            }
            Arithmetic::Divide => left / right,
            Arithmetic::SquaredDifference => (left - right) * (left - right),
        };
        (wide as i32).clamp(least, largest)
    };
    with_pairs!(meeting, |pairs| {
        every_place!(trial, i32, meeting, expected, |operands| {
            elementwise::arithmetic_int32(arithmetic, (least, largest), &pairs, operands)
        })
    })
}

fn draw_comparison(random: &mut Random) -> Comparison {
    random.pick(&[
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessEqual,
        Comparison::Greater,
        Comparison::GreaterEqual,
    ])
}

/// The comparison of two integers as a truth value.
fn holds(comparison: Comparison, left: i32, right: i32) -> u8 {
    u8::from(match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterEqual => left >= right,
    })
}

fn compare_of_type<T: Value>(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (meeting, comparison) = (Meeting::draw(random), draw_comparison(random));
    let [left_len, right_len, length] = meeting.lengths();
    // Few values, so that many are equal.
    let most = random.pick(&[1, 5, 100]);
    let mut operand = |length| memory.filled(length, || T::wrap(random.between(-most, most)));
    let (left, right) = (operand(left_len)?, operand(right_len)?);
    let output = memory.elements::<u8>(length)?;
    with_pairs!(meeting, |pairs| {
        elementwise::compare(comparison, &pairs, left, right, output).map_err(Failure::refused("apart"))?;
    });
    compare("apart", tolerance, output, |index| {
        let [left_at, right_at] = meeting.places(index);
        holds(comparison, left[left_at].into(), right[right_at].into())
    })
}

pub(super) fn comparison(trial: Trial<'_>) -> Result<(), Failure> {
    match trial.random.between(0, 3) {
        0 => compare_of_type::<i8>(trial),
        1 => compare_of_type::<i16>(trial),
        2 => compare_of_type::<i32>(trial),
        _ => compare_of_type::<u8>(trial),
    }
}

pub(super) fn compare_int8(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (meeting, comparison) = (Meeting::draw(random), draw_comparison(random));
    let [left_len, right_len, length] = meeting.lengths();
    let mut affine = || Affine::new(random.scale(12, -3), zero_point::<i8>(random));
    let (left_affine, other) = (affine(), affine());
    let right_affine = if random.one_in(2) { left_affine } else { other };
    let mut operand = |length| memory.filled(length, || random.int8());
    let (left, right) = (operand(left_len)?, operand(right_len)?);
    let output = memory.elements::<u8>(length)?;
    with_pairs!(meeting, |pairs| {
        let layer =
            CompareInt8::new(pairs, comparison, left_affine, right_affine).map_err(Failure::refused("the layer"))?;
        elementwise::compare_int8(&layer, left, right, output).map_err(Failure::refused("apart"))?;
    });
    let term = |value: i8, affine: Affine| {
        oracle::requantise((i32::from(value) - affine.zero_point) * 256, Multiplier::from_f64(affine.scale.into()))
    };
    compare("apart", tolerance, output, |index| {
        let [left_at, right_at] = meeting.places(index);
        holds(comparison, term(left[left_at], left_affine), term(right[right_at], right_affine))
    })
}

pub(super) fn logical_and(trial: Trial<'_>) -> Result<(), Failure> {
    let meeting = Meeting::draw(trial.random);
    let expected = |left: u8, right: u8| u8::from(left > 0) * u8::from(right > 0);
    with_pairs!(meeting, |pairs| {
        every_place!(trial, u8, meeting, expected, |operands| elementwise::logical_and(&pairs, operands))
    })
}

pub(super) fn logical_or(trial: Trial<'_>) -> Result<(), Failure> {
    let meeting = Meeting::draw(trial.random);
    let expected = |left: u8, right: u8| u8::from(u16::from(left) + u16::from(right) > 0);
    with_pairs!(meeting, |pairs| {
        every_place!(trial, u8, meeting, expected, |operands| elementwise::logical_or(&pairs, operands))
    })
}

pub(super) fn logical_not(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let length = random.length(1, 90);
    let input = memory.filled::<u8>(length, || if random.one_in(2) { 0 } else { Value::draw(random) })?;
    let expected = |index: usize| if input[index] == 0 { 1 } else { 0 };
    apart_and_overlapping!(memory, tolerance, input, length, 0, expected, |tensors| {
        dispatch_tensors!(|tensors| elementwise::logical_not(length, tensors), tensors)
    })
}

pub(super) fn select(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let meeting = Meeting::draw(random);
    let condition_shape = meeting.output().map(|length| if random.one_in(3) { 1 } else { length });
    let broadcast = Broadcast::new([&condition_shape[..], &meeting.left, &meeting.right])
        .map_err(Failure::refused("the broadcast"))?;
    let [left_len, right_len, length] = meeting.lengths();
    let condition = memory
        .filled::<u8>(condition_shape.iter().product(), || if random.one_in(2) { 0 } else { Value::draw(random) })?;
    let left = memory.filled(left_len, || random.int16())?;
    let right = memory.filled(right_len, || random.int16())?;
    let output = memory.elements::<i16>(length)?;
    elementwise::select(&broadcast, condition, left, right, output).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, output, |index| {
        let [left_at, right_at] = meeting.places(index);
        let chosen = condition[place(&condition_shape, &meeting.output(), index)];
        if chosen == 0 { right[right_at] } else { left[left_at] }
    })
}

pub(super) fn add_n(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (count, length) = (random.length(1, 6), random.length(1, 40));
    let input = Affine::new(random.scale(10, 1), zero_point::<i8>(random));
    let output_affine = Affine::new(random.scale(9, 0), zero_point::<i8>(random));
    let layer = AddN::new(count, length, input, output_affine).map_err(Failure::refused("the layer"))?;
    let values = memory.filled(count * length, || random.int8())?;
    let output = memory.elements::<i8>(length)?;
    let inputs: [&[i8]; 6] = core::array::from_fn(|index| values.chunks_exact(length).nth(index).unwrap_or_default());
    elementwise::add_n(&layer, &inputs[..count], output).map_err(Failure::refused("apart"))?;
    let factor = Multiplier::from_f64(f64::from(input.scale) / 524_288.0 / f64::from(output_affine.scale));
    compare("apart", tolerance, output, |index| {
        let sum: i32 =
            values.iter().skip(index).step_by(length).map(|&value| i32::from(value) - input.zero_point).sum();
        let value = oracle::requantise((sum - input.zero_point) << 19, factor);
        oracle::finish(value, &OutputRange::int8(output_affine.zero_point)) as i8
    })
}

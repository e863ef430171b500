//! Cases of the operators with one tensor in and one out, and no weights.

use smolnn_core::Pool2dShape;
use smolnn_fixed::conv::Sums;
use smolnn_fixed::convert::{Requantise, dequantise as dequantise_kernel, quantise as quantise_kernel};
use smolnn_fixed::l2_norm::{L2Norm, l2_norm as l2_norm_kernel};
use smolnn_fixed::log_softmax::{LogSoftmax, log_softmax as log_softmax_kernel};
use smolnn_fixed::matmul::{Matmul, MatmulShape, matmul as matmul_kernel};
use smolnn_fixed::pad::{Pad, pad as pad_kernel};
use smolnn_fixed::pool::{Pool2d, average_pool2d as average_kernel, max_pool2d as max_kernel};
use smolnn_fixed::quantise::{Affine, Multiplier, OutputRange};
use smolnn_fixed::softmax::{self, Softmax};
use smolnn_fixed::softmax_int16::{SoftmaxInt16, softmax_int16 as softmax_int16_kernel};
use smolnn_fixed::{Element, Overlapping, Separate, convert};

use super::weighted::{draw_window, drawn};
use super::{Case, Failure, Memory, Trial, compare};
use crate::{Random, oracle};

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    Case { kernel: "pool.rs::max_pool2d", domain: "int8 and int16; windows as conv2d", tolerance: 0, run: max_pool2d },
    Case {
        kernel: "pool.rs::average_pool2d",
        domain: "int8 and int16; windows as conv2d",
        tolerance: 0,
        run: average_pool2d,
    },
    // The oracle takes real square roots; the golden holds the bits.
    Case { kernel: "l2_norm.rs::l2_norm", domain: "rows of 1..=60", tolerance: 1, run: l2_norm },
    Case {
        kernel: "matmul.rs::matmul",
        domain: "int8, int16, int16 by int8; depths of 1..=40, transposed or not, batches repeated, biases, sums of 32 and 64 bits",
        tolerance: 0,
        run: matmul,
    },
    Case { kernel: "pad.rs::pad", domain: "int8 and int16, 0..=3 elements at each side", tolerance: 0, run: pad },
    // The oracle takes real exponentials; the goldens hold the bits.
    Case { kernel: "softmax.rs::softmax", domain: "rows of 1..=60, scales 2^-9..1", tolerance: 1, run: softmax },
    Case {
        kernel: "softmax.rs::softmax_to_int16",
        domain: "rows of 1..=60, scales 2^-9..1",
        tolerance: 2,
        run: softmax_to_int16,
    },
    // The oracles of the next two take real functions; the goldens hold the bits. Differences saturate at -10 in int16, so
    // that each of 60 elements may count e^-10 too much, up to 2 LSB after rounding.
    Case {
        kernel: "softmax_int16.rs::softmax_int16",
        domain: "rows of 1..=60, scales 2^-16..2^-8",
        tolerance: 120,
        run: softmax_int16,
    },
    Case {
        kernel: "log_softmax.rs::log_softmax",
        domain: "rows of 1..=60, scales 2^-9..1",
        tolerance: 2,
        run: log_softmax,
    },
    Case {
        kernel: "convert.rs::quantise",
        domain: "int8, uint8 and int16, every kind of f32",
        tolerance: 0,
        run: quantise,
    },
    Case { kernel: "convert.rs::dequantise", domain: "int8, uint8 and int16", tolerance: 0, run: dequantise },
    Case {
        kernel: "convert.rs::requantise",
        domain: "pairs of int8, uint8, int16 and int32",
        tolerance: 0,
        run: requantise,
    },
    Case { kernel: "convert.rs::cast", domain: "pairs of int8, int16, int32 and f32", tolerance: 0, run: cast },
    Case { kernel: "convert.rs::cast_to_bool", domain: "int32", tolerance: 0, run: cast_to_bool },
];

/// The integer types as the cases draw them.
pub(super) trait Value: Element + bytemuck::Pod {
    fn draw(random: &mut Random) -> Self;
}

impl Value for i8 {
    fn draw(random: &mut Random) -> Self {
        random.int8()
    }
}

impl Value for i16 {
    fn draw(random: &mut Random) -> Self {
        random.int16()
    }
}

impl Value for u8 {
    fn draw(random: &mut Random) -> Self {
        random.int8() as Self
    }
}

impl Value for i32 {
    fn draw(random: &mut Random) -> Self {
        random.int32()
    }
}

/// Calls a kernel with tensors of either kind: closures cannot be generic.
macro_rules! dispatch_tensors {
    (|$name:ident| $call:expr, $tensors:expr) => {
        match $crate::cases::plain::Tensors::from($tensors) {
            $crate::cases::plain::Tensors::Separate($name) => $call,
            $crate::cases::plain::Tensors::Overlapping($name) => $call,
        }
    };
}
pub(super) use dispatch_tensors;

/// Runs int8 or int16, as the generator says.
macro_rules! either_type {
    ($trial:ident, $function:ident) => {
        if $trial.random.one_in(2) { $function::<i16>($trial) } else { $function::<i8>($trial) }
    };
}
pub(super) use either_type;

/// Any zero point of the type; int32 has none.
pub(super) fn zero_point<T: Value>(random: &mut Random) -> i32 {
    if T::LARGEST == i32::MAX { 0 } else { T::draw(random).into() }
}

/// The whole range of the type, or a clamp.
pub(super) fn range<T: Value>(random: &mut Random) -> OutputRange {
    let (zero_point, a, b) = (zero_point::<T>(random), T::draw(random).into(), T::draw(random).into());
    if random.one_in(3) {
        OutputRange { zero_point, minimum: i32::min(a, b), maximum: i32::max(a, b) }
    } else {
        whole::<T>(zero_point)
    }
}

/// The whole range of the type.
pub(super) fn whole<T: Value>(zero_point: i32) -> OutputRange {
    OutputRange { zero_point, minimum: T::LEAST, maximum: T::LARGEST }
}

/// Runs a kernel with input and output apart, then overlapping by as much as is allowed.
macro_rules! apart_and_overlapping {
    ($memory:ident, $tolerance:ident, $input:ident, $output_len:expr, $gap:expr, $expected:ident, $run:expr) => {{
        let (gap, output_len): (usize, usize) = ($gap, $output_len);
        let output = $memory.elements(output_len)?;
        let buffer = $memory.elements((gap + $input.len()).max(output_len))?;
        $run(smolnn_fixed::Separate { input: &*$input, output: &mut *output }).map_err(Failure::refused("apart"))?;
        compare("apart", $tolerance, output, &$expected)?;
        buffer[gap..gap + $input.len()].copy_from_slice($input);
        smolnn_fixed::Overlapping::new(buffer, (gap, $input.len()), (0, output_len))
            .and_then(|tensors| $run(tensors))
            .map_err(Failure::refused("overlapping"))?;
        compare("overlapping", $tolerance, &buffer[..output_len], &$expected)
    }};
}

fn pool<T: Value + Into<i64>>(
    trial: Trial<'_>,
    average: bool,
    gather: impl Fn(&Pool2dShape, &[T], usize) -> i64,
) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let shape = drawn(draw_window(random).0.pool())?;
    let range = range::<T>(random);
    let layer = Pool2d::new(shape, range).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(shape.input_len(), || T::draw(random))?;
    let expected =
        |index| T::wrap(gather(&shape, input, index).clamp(range.minimum.into(), range.maximum.into()) as i32);
    apart_and_overlapping!(memory, tolerance, input, shape.output_len(), shape.overlap_gap(), expected, |tensors| {
        dispatch_tensors!(
            |tensors| if average { average_kernel(&layer, tensors) } else { max_kernel(&layer, tensors) },
            tensors
        )
    })
}

pub(super) use apart_and_overlapping;

/// Both kinds of tensors, so that a closure can take either.
pub(super) enum Tensors<'a, T> {
    Separate(Separate<'a, T>),
    Overlapping(Overlapping<'a, T>),
}

impl<'a, T> From<Separate<'a, T>> for Tensors<'a, T> {
    fn from(tensors: Separate<'a, T>) -> Self {
        Self::Separate(tensors)
    }
}

impl<'a, T> From<Overlapping<'a, T>> for Tensors<'a, T> {
    fn from(tensors: Overlapping<'a, T>) -> Self {
        Self::Overlapping(tensors)
    }
}

fn max_of_type<T: Value + Into<i64>>(trial: Trial<'_>) -> Result<(), Failure> {
    pool::<T>(trial, false, |shape, input, index| oracle::pooled(shape, input, index).max().unwrap_or(T::LEAST.into()))
}

pub(super) fn max_pool2d(trial: Trial<'_>) -> Result<(), Failure> {
    either_type!(trial, max_of_type)
}

fn average_of_type<T: Value + Into<i64>>(trial: Trial<'_>) -> Result<(), Failure> {
    pool::<T>(trial, true, |shape, input, index| {
        let taps = oracle::pooled(shape, input, index);
        let (sum, count) = taps.fold((0, 0), |(sum, count), value| (sum + value, count + 1));
        if count == 0 { 0 } else { oracle::divide_away_from_zero(sum, count) }
    })
}

pub(super) fn average_pool2d(trial: Trial<'_>) -> Result<(), Failure> {
    either_type!(trial, average_of_type)
}

/// `value` / `scale` + zero point to nearest, clamped.
pub(super) fn nearest<T: Value>(value: f64, scale: f32, output: &OutputRange) -> T {
    let steps = libm::round(value / f64::from(scale)) + f64::from(output.zero_point);
    T::wrap(steps.clamp(output.minimum.into(), output.maximum.into()) as i32)
}

fn pad_of_type<T: Value>(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let shape: [usize; 4] = core::array::from_fn(|_| random.length(1, 5));
    let mut side = || core::array::from_fn(|_| random.length(0, 3));
    let (before, after): ([usize; 4], [usize; 4]) = (side(), side());
    let value = T::draw(random);
    let layer = Pad::new(shape, before, after, value.into()).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.input_len(), || T::draw(random))?;
    let expected = |index: usize| {
        let (mut rest, mut at, mut factor) = (index, 0, 1);
        for axis in (0..4).rev() {
            let padded = before[axis] + shape[axis] + after[axis];
            let position = rest % padded;
            if position < before[axis] || position >= before[axis] + shape[axis] {
                return value;
            }
            at += (position - before[axis]) * factor;
            factor *= shape[axis];
            rest /= padded;
        }
        input[at]
    };
    apart_and_overlapping!(memory, tolerance, input, layer.output_len(), layer.overlap_gap(), expected, |tensors| {
        dispatch_tensors!(|tensors| pad_kernel(&layer, tensors), tensors)
    })
}

pub(super) fn pad(trial: Trial<'_>) -> Result<(), Failure> {
    either_type!(trial, pad_of_type)
}

/// A softmax layer and its input.
struct DrawnSoftmax<'a> {
    layer: Softmax,
    input: &'a [i8],
    columns: usize,
    /// β · scale.
    factor: f64,
}

impl DrawnSoftmax<'_> {
    /// The real result of element `index`.
    fn real(&self, index: usize) -> f64 {
        let row = &self.input[index / self.columns * self.columns..][..self.columns];
        let exp = |value: i8| libm::exp(self.factor * f64::from(value));
        exp(self.input[index]) / row.iter().map(|&value| exp(value)).sum::<f64>()
    }
}

fn draw_softmax<'a>(random: &mut Random, memory: &mut Memory<'a>) -> Result<DrawnSoftmax<'a>, Failure> {
    let (rows, columns) = (random.length(1, 3), random.length(1, 60));
    let (scale, beta) = (random.scale(9, 0), random.pick(&[1.0, 1.0, 0.5, 2.5]));
    let layer = Softmax::new(rows, columns, beta, scale).map_err(Failure::refused("the layer"))?;
    let all_one = random.one_in(8);
    let input = memory.filled(layer.len(), || if all_one { 127 } else { random.int8() })?;
    Ok(DrawnSoftmax { layer, input, columns, factor: f64::from(beta) * f64::from(scale) })
}

pub(super) fn softmax(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let drawn = draw_softmax(random, &mut memory)?;
    let DrawnSoftmax { layer, input, .. } = drawn;
    let expected = |index| nearest::<i8>(drawn.real(index), 1.0 / 256.0, &OutputRange::int8(-128));
    apart_and_overlapping!(memory, tolerance, input, layer.len(), 0, expected, |tensors| {
        dispatch_tensors!(|tensors| softmax::softmax(&layer, tensors), tensors)
    })
}

pub(super) fn softmax_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (rows, columns) = (random.length(1, 3), random.length(1, 60));
    let (scale, beta) = (random.scale(16, 8), random.pick(&[1.0, 1.0, 0.5, 2.5]));
    let layer = SoftmaxInt16::new(rows, columns, beta, scale).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.len(), || random.int16())?;
    let expected = |index: usize| {
        let row = &input[index / columns * columns..][..columns];
        let largest = row.iter().copied().fold(i16::MIN, i16::max);
        let exp = |value: i16| libm::exp(f64::from(beta) * f64::from(scale) * (f64::from(value) - f64::from(largest)));
        nearest::<i16>(
            exp(input[index]) / row.iter().map(|&value| exp(value)).sum::<f64>(),
            1.0 / 32768.0,
            &whole::<i16>(0),
        )
    };
    apart_and_overlapping!(memory, tolerance, input, layer.len(), 0, expected, |tensors| {
        dispatch_tensors!(|tensors| softmax_int16_kernel(&layer, tensors), tensors)
    })
}

pub(super) fn log_softmax(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (rows, columns) = (random.length(1, 3), random.length(1, 60));
    let scale = random.scale(9, 0);
    let layer = LogSoftmax::new(rows, columns, scale).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.len(), || random.int8())?;
    let expected = |index: usize| {
        let row = &input[index / columns * columns..][..columns];
        let largest = row.iter().copied().fold(i8::MIN, i8::max);
        let real = |value: i8| f64::from(scale) * (f64::from(value) - f64::from(largest));
        let logarithm = libm::log(row.iter().map(|&value| libm::exp(real(value))).sum::<f64>());
        nearest::<i8>(real(input[index]) - logarithm, 1.0 / 16.0, &OutputRange::int8(127))
    };
    apart_and_overlapping!(memory, tolerance, input, layer.len(), 0, expected, |tensors| {
        dispatch_tensors!(|tensors| log_softmax_kernel(&layer, tensors), tensors)
    })
}

pub(super) fn softmax_to_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let drawn = draw_softmax(random, &mut memory)?;
    let DrawnSoftmax { layer, input, .. } = drawn;
    let output = memory.elements(layer.len())?;
    softmax::softmax_to_int16(&layer, input, output).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, output, |index| nearest::<i16>(drawn.real(index), 1.0 / 65536.0, &whole::<i16>(-32768)))
}

fn quantise_of_type<T: Value>(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let quantisation = Affine::new(random.scale(12, 0), zero_point::<T>(random));
    let length = random.length(1, 50);
    let any_bits = random.one_in(3);
    let input = memory.filled(length, || {
        if any_bits {
            f32::from_bits(random.bits())
        } else {
            // Halves of a step as well as what lies between.
            let halves = random.between(2 * T::LEAST, 2 * T::LARGEST) as f32 / 2.0;
            quantisation.scale * (halves + if random.one_in(2) { 0.0 } else { random.scale(20, 1) })
        }
    })?;
    let output = memory.elements(length)?;
    quantise_kernel(quantisation, input, output).map_err(Failure::refused("apart"))?;
    let range = whole::<T>(quantisation.zero_point);
    compare("apart", tolerance, output, |index| {
        // The reference divides in f32.
        let steps = f64::from(input[index] / quantisation.scale);
        if steps.is_nan() { T::wrap(range.zero_point) } else { nearest::<T>(steps, 1.0, &range) }
    })
}

pub(super) fn quantise(trial: Trial<'_>) -> Result<(), Failure> {
    if trial.random.one_in(4) { quantise_of_type::<u8>(trial) } else { either_type!(trial, quantise_of_type) }
}

fn dequantise_of_type<T: Value>(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, .. } = trial;
    let quantisation = Affine::new(random.scale(12, 0), zero_point::<T>(random));
    let length = random.length(1, 50);
    let input = memory.filled(length, || T::draw(random))?;
    let output = memory.elements(length)?;
    dequantise_kernel(quantisation, input, output).map_err(Failure::refused("apart"))?;
    for (index, (&found, &value)) in output.iter().zip(input.iter()).enumerate() {
        let value = f64::from(Into::<i32>::into(value));
        let expected = ((value - f64::from(quantisation.zero_point)) * f64::from(quantisation.scale)) as f32;
        if found != expected {
            let (expected, found) = (expected.to_bits() as i32, found.to_bits() as i32);
            return Err(Failure::Wrong { what: "apart, the bits of an f32", index, expected, found });
        }
    }
    Ok(())
}

pub(super) fn dequantise(trial: Trial<'_>) -> Result<(), Failure> {
    if trial.random.one_in(4) { dequantise_of_type::<u8>(trial) } else { either_type!(trial, dequantise_of_type) }
}

fn requantise_types<A: Value, B: Value>(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let from = Affine::new(random.scale(14, 0), zero_point::<A>(random));
    let to = Affine::new(random.scale(14, 0), zero_point::<B>(random));
    let layer = Requantise::new(from, to).map_err(Failure::refused("the layer"))?;
    let length = random.length(1, 50);
    let input = memory.filled(length, || A::draw(random))?;
    let output = memory.elements(length)?;
    convert::requantise(&layer, input, output).map_err(Failure::refused("apart"))?;
    let multiplier = Multiplier::from_f64(f64::from(from.scale) / f64::from(to.scale));
    compare("apart", tolerance, output, |index| {
        let value = oracle::requantise(input[index].into() - from.zero_point, multiplier);
        B::wrap((i64::from(value) + i64::from(to.zero_point)).clamp(B::LEAST.into(), B::LARGEST.into()) as i32)
    })
}

pub(super) fn requantise(trial: Trial<'_>) -> Result<(), Failure> {
    match trial.random.between(0, 9) {
        0 => requantise_types::<i8, i8>(trial),
        1 => requantise_types::<i16, i8>(trial),
        2 => requantise_types::<i8, i16>(trial),
        3 => requantise_types::<i16, i16>(trial),
        4 => requantise_types::<i8, u8>(trial),
        5 => requantise_types::<u8, i8>(trial),
        6 => requantise_types::<i8, i32>(trial),
        7 => requantise_types::<i16, i32>(trial),
        8 => requantise_types::<i32, i8>(trial),
        _ => requantise_types::<i32, i16>(trial),
    }
}

pub(super) fn l2_norm(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (rows, columns) = (random.length(1, 4), random.length(1, 60));
    let zero_point = zero_point::<i8>(random);
    let layer = L2Norm::new(rows, columns, zero_point).map_err(Failure::refused("the layer"))?;
    let constant = random.one_in(8);
    let input = memory.filled(layer.len(), || if constant { zero_point as i8 } else { random.int8() })?;
    let expected = |index: usize| {
        let centred = |value: i8| f64::from(i32::from(value) - zero_point);
        let row = &input[index / columns * columns..][..columns];
        let norm = libm::sqrt(row.iter().map(|&value| centred(value) * centred(value)).sum::<f64>());
        let value = if norm == 0.0 { 0.0 } else { centred(input[index]) / norm };
        nearest::<i8>(value, 1.0 / 128.0, &OutputRange::int8(0))
    };
    apart_and_overlapping!(memory, tolerance, input, layer.len(), 0, expected, |tensors| {
        dispatch_tensors!(|tensors| l2_norm_kernel(&layer, tensors), tensors)
    })
}

/// A matrix product of types `L` and `R`, and whether its sums have 64 bits.
fn matmul_of_types<L: Value + Into<i64>, R: Value + Into<i64>>(trial: Trial<'_>, wide: bool) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let batch: [usize; 3] = core::array::from_fn(|_| random.pick(&[1, 1, 2, 3]));
    let mut repeated = || batch.map(|length| if random.one_in(4) { 1 } else { length });
    let shape = MatmulShape {
        left_batch: repeated(),
        right_batch: repeated(),
        left_transposed: random.one_in(2),
        right_transposed: random.one_in(2),
        ..MatmulShape::new(random.length(1, 9), random.length(1, 40), random.length(1, 9))
    };
    let MatmulShape { rows, depth, columns, .. } = shape;
    let mut affine =
        |least, most, zero| Affine::new(random.scale(least, most), if zero { 0 } else { random.int8().into() });
    let small = L::LARGEST == 127;
    let (left_affine, right_affine) = (affine(8, 2, !small), affine(8, 2, R::LARGEST != 127));
    let scale = affine(5, 0, true).scale * if small { 1.0 } else { 60.0 };
    let range = if small { range::<L>(random) } else { OutputRange { zero_point: 0, ..range::<L>(random) } };
    let mut bias = [0_i64; 9];
    for bias in &mut bias {
        *bias = random.between(-100_000, 100_000).into();
    }
    let bias = if random.one_in(3) { &[][..] } else { &bias[..columns] };
    let sums = if wide { Sums::Bits64 } else { Sums::Bits32 };
    let layer = Matmul::new(shape, left_affine, right_affine, bias, sums, scale, range)
        .map_err(Failure::refused("the layer"))?;
    let left = memory.filled(shape.left_len(), || L::draw(random))?;
    let right = memory.filled(shape.right_len(), || R::draw(random))?;
    let output = memory.elements(shape.output_len())?;
    matmul_kernel(&layer, left, right, output).map_err(Failure::refused("apart"))?;
    let factor = f64::from(left_affine.scale) * f64::from(right_affine.scale) / f64::from(scale);
    let multiplier = Multiplier::from_f64(factor);
    let batch: [usize; 3] = core::array::from_fn(|axis| shape.left_batch[axis].max(shape.right_batch[axis]));
    compare("apart", tolerance, output, |index| {
        let (matrix, row, column) = (index / (rows * columns), index / columns % rows, index % columns);
        let place = [matrix / batch[2] / batch[1], matrix / batch[2] % batch[1], matrix % batch[2]];
        let of = |batch: [usize; 3]| {
            let [a, b, c]: [usize; 3] = core::array::from_fn(|axis| place[axis].min(batch[axis] - 1));
            (a * batch[1] + b) * batch[2] + c
        };
        let (left_start, right_start) = (of(shape.left_batch) * rows * depth, of(shape.right_batch) * depth * columns);
        let sum: i64 = (0..depth)
            .map(|k| {
                let a = if shape.left_transposed { k * rows + row } else { row * depth + k };
                let b = if shape.right_transposed { column * depth + k } else { k * columns + column };
                let a: i64 = Into::<i64>::into(left[left_start + a]) - i64::from(left_affine.zero_point);
                a * (Into::<i64>::into(right[right_start + b]) - i64::from(right_affine.zero_point))
            })
            .sum();
        let sum = sum + bias.get(column).copied().unwrap_or(0);
        let value = if wide {
            oracle::requantise_wide(sum, multiplier) as i32
        } else {
            oracle::requantise(sum as i32, multiplier)
        };
        L::wrap(oracle::finish(value, &range))
    })
}

fn matmul(trial: Trial<'_>) -> Result<(), Failure> {
    match trial.random.between(0, 3) {
        0 => matmul_of_types::<i16, i16>(trial, true),
        1 => matmul_of_types::<i16, i8>(trial, true),
        2 => matmul_of_types::<i16, i8>(trial, false),
        _ => matmul_of_types::<i8, i8>(trial, false),
    }
}

/// Casts one type to another, against the language's own conversion of a wider type.
macro_rules! cast_types {
    ($trial:ident, $From:ty, $To:ty, $draw:expr, $expected:expr) => {{
        let Trial { random, mut memory, .. } = $trial;
        let length = random.length(1, 50);
        let input = memory.filled::<$From>(length, || $draw(random))?;
        let output = memory.elements::<$To>(length)?;
        convert::cast(input, output).map_err(Failure::refused("apart"))?;
        for (index, (&found, &value)) in output.iter().zip(input.iter()).enumerate() {
            let expected: $To = $expected(value);
            if found != expected {
                return Err(Failure::Wrong { what: "apart", index, expected: expected as i32, found: found as i32 });
            }
        }
        Ok(())
    }};
}

/// Any f32, mostly one of the size of integers.
fn draw_real(random: &mut Random) -> f32 {
    if random.one_in(4) { f32::from_bits(random.bits()) } else { random.int32() as f32 / 65536.0 }
}

/// `value` cut towards 0, in the range of the integer type, NaN as 0.
fn cut<T: Value>(value: f32) -> i32 {
    if value.is_nan() { 0 } else { libm::trunc(value.into()).clamp(T::LEAST.into(), T::LARGEST.into()) as i32 }
}

/// The lower `bits` of an integer, signed.
fn low(value: i32, bits: u32) -> i32 {
    value.wrapping_shl(32 - bits) >> (32 - bits)
}

pub(super) fn cast(trial: Trial<'_>) -> Result<(), Failure> {
    match trial.random.between(0, 6) {
        0 => cast_types!(trial, f32, i8, draw_real, |value| cut::<i8>(value) as i8),
        1 => cast_types!(trial, f32, i16, draw_real, |value| cut::<i16>(value) as i16),
        2 => cast_types!(trial, f32, i32, draw_real, cut::<i32>),
        3 => cast_types!(trial, i32, i8, Random::int32, |value| low(value, 8) as i8),
        4 => cast_types!(trial, i16, i8, Random::int16, |value: i16| low(value.into(), 8) as i8),
        5 => cast_types!(trial, i8, i32, Random::int8, i32::from),
        _ => cast_types!(trial, i16, f32, Random::int16, |value: i16| f64::from(value) as f32),
    }
}

pub(super) fn cast_to_bool(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let length = random.length(1, 50);
    let input = memory.filled(length, || random.pick(&[0, 0, 1, 256, -1, i32::MIN]))?;
    let output = memory.elements::<u8>(length)?;
    convert::cast_to_bool(input, output).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, output, |index| u8::from(input[index] != 0))
}

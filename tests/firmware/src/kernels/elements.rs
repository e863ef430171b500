//! The kernels without weights: pooling, sums, softmax, activations, with the shapes of the baseline.

use smolnn_core::{Image, Pool2dShape, Window2d, WindowSize, shape};
use smolnn_fixed::act::q15::{Q12, sigmoid_q15, tanh_q15};
use smolnn_fixed::act::q15_small::{sigmoid_q15_small, tanh_q15_small};
use smolnn_fixed::act::{Interpolation, Table, logistic_int16, lookup, tanh_int16};
use smolnn_fixed::elementwise::{Add, AddInt16, Pairing, add, add_int16};
use smolnn_fixed::pool::{Pool2d, average_pool2d, max_pool2d};
use smolnn_fixed::q::Q15;
use smolnn_fixed::quantise::{Affine, FusedActivation, OutputRange};
use smolnn_fixed::softmax::{Softmax, softmax};
use smolnn_fixed::transcendental::{exp_negative, logarithm, reciprocal_one_plus};
use smolnn_fixed::{Separate, SeparatePair};

use super::{Meter, REFUSED, Random, TOO_LARGE, Work};

/// Bytes of each tensor.
const ROOM: usize = if cfg!(smolnn_small_board) { 1024 } else { 16 * 1024 };

/// Memory for one kernel at a time.
struct Bench {
    left: [i8; ROOM],
    right: [i8; ROOM],
    output: [i8; ROOM],
}

#[inline(never)]
pub(super) fn all(meter: &mut dyn Meter) {
    let mut bench = Bench { left: [0; ROOM], right: [0; ROOM], output: [0; ROOM] };
    let mut random = Random::new();
    random.bytes(&mut bench.left);
    random.bytes(&mut bench.right);
    for (name, shape) in &POOLS {
        run_pool(meter, &mut bench, "average_pool2d", name, shape);
    }
    for (name, shape) in &MAX_POOLS {
        run_pool(meter, &mut bench, "max_pool2d", name, shape);
    }
    for (name, length) in [("1024", 1024), ("16384", 16384), ("8x8x64", 4096)] {
        run_add(meter, &mut bench, name, length);
    }
    for (name, columns) in [("1x2", 2), ("1x10", 10), ("1x12", 12), ("1x64", 64), ("1x1000", 1000)] {
        run_softmax(meter, &mut bench, name, columns);
    }
    if meter.wants("lookup") {
        let Bench { left, output, .. } = &mut bench;
        let (left, output) = (left.split_at(1024).0, output.split_at_mut(1024).0);
        meter.kernel("lookup", "1024", Work::Elements(1024), &mut || {
            let _ = lookup(&LOGISTIC, 1024, Separate { input: left, output });
        });
    }
    run_int16(meter);
}

static LOGISTIC: Table = shape!(Table::logistic(Affine::new(0.06, 3)));

fn run_pool(meter: &mut dyn Meter, bench: &mut Bench, kernel: &'static str, name: &'static str, shape: &Pool2dShape) {
    if !meter.wants(kernel) {
        return;
    }
    let Bench { left, output, .. } = bench;
    let (Some(input), Some(output)) = (left.get(..shape.input_len()), output.get_mut(..shape.output_len())) else {
        return meter.skip(kernel, name, TOO_LARGE);
    };
    let Ok(layer) = Pool2d::new(*shape, OutputRange::int8(0)) else { return meter.skip(kernel, name, REFUSED) };
    let work = Work::Elements(shape.input_len());
    if kernel == "max_pool2d" {
        meter.kernel(kernel, name, work, &mut || {
            let _ = max_pool2d(&layer, Separate { input, output });
        });
    } else {
        meter.kernel(kernel, name, work, &mut || {
            let _ = average_pool2d(&layer, Separate { input, output });
        });
    }
}

fn run_add(meter: &mut dyn Meter, bench: &mut Bench, name: &'static str, length: usize) {
    if !meter.wants("add") {
        return;
    }
    let Bench { left, right, output } = bench;
    let (Some(left), Some(right), Some(output)) = (left.get(..length), right.get(..length), output.get_mut(..length))
    else {
        return meter.skip("add", name, TOO_LARGE);
    };
    let affine = |scale, zero_point| Affine::new(scale, zero_point);
    let layer = Pairing::same(length).and_then(|pairing| {
        Add::new(pairing, affine(0.05, 4), affine(0.07, -11), affine(0.08, 9), FusedActivation::None)
    });
    let Ok(layer) = layer else { return meter.skip("add", name, REFUSED) };
    meter.kernel("add", name, Work::Elements(length), &mut || {
        let _ = add(&layer, SeparatePair { left, right, output });
    });
}

fn run_softmax(meter: &mut dyn Meter, bench: &mut Bench, name: &'static str, columns: usize) {
    if !meter.wants("softmax") {
        return;
    }
    let Bench { left, output, .. } = bench;
    let (Some(input), Some(output)) = (left.get(..columns), output.get_mut(..columns)) else {
        return meter.skip("softmax", name, TOO_LARGE);
    };
    let Ok(layer) = Softmax::new(1, columns, 1.0, 0.06) else { return meter.skip("softmax", name, REFUSED) };
    meter.kernel("softmax", name, Work::Elements(columns), &mut || {
        let _ = softmax(&layer, Separate { input, output });
    });
}

/// Elements of the int16 tensors.
const LENGTH: usize = 1024;

#[inline(never)]
fn run_int16(meter: &mut dyn Meter) {
    if cfg!(smolnn_small_board) {
        return;
    }
    let mut random = Random::new();
    let left: [i16; LENGTH] = core::array::from_fn(|_| (random.bits() >> 16) as i16);
    let right: [i16; LENGTH] = core::array::from_fn(|_| (random.bits() >> 16) as i16);
    let mut output = [0_i16; LENGTH];
    let work = Work::Elements(LENGTH);
    if ["sigmoid_q15", "tanh_q15", "sigmoid_q15_small", "tanh_q15_small"].iter().any(|name| meter.wants(name)) {
        let input = left.map(Q12::from_bits);
        let mut output = [Q15::ZERO; LENGTH];
        meter.kernel("sigmoid_q15", "1024", work, &mut || {
            let _ = sigmoid_q15(&input, &mut output);
        });
        meter.kernel("tanh_q15", "1024", work, &mut || {
            let _ = tanh_q15(&input, &mut output);
        });
        meter.kernel("sigmoid_q15_small", "1024", work, &mut || {
            let _ = sigmoid_q15_small(&input, &mut output);
        });
        meter.kernel("tanh_q15_small", "1024", work, &mut || {
            let _ = tanh_q15_small(&input, &mut output);
        });
    }
    run_fixed_point(meter);
    if let (true, Ok(interpolation)) = (meter.wants("logistic_int16"), Interpolation::logistic(1.0 / 4096.0)) {
        meter.kernel("logistic_int16", "1024", work, &mut || {
            let _ = logistic_int16(&interpolation, LENGTH, Separate { input: &left, output: &mut output });
        });
    }
    if let (true, Ok(interpolation)) = (meter.wants("tanh_int16"), Interpolation::tanh(1.0 / 4096.0)) {
        meter.kernel("tanh_int16", "1024", work, &mut || {
            let _ = tanh_int16(&interpolation, LENGTH, Separate { input: &left, output: &mut output });
        });
    }
    let layer = Pairing::same(LENGTH)
        .and_then(|pairing| AddInt16::new(pairing, 0.0003, 0.0005, 0.0006, FusedActivation::None, false));
    if let (true, Ok(layer)) = (meter.wants("add_int16"), layer) {
        meter.kernel("add_int16", "1024", work, &mut || {
            let _ = add_int16(&layer, SeparatePair { left: &left, right: &right, output: &mut output });
        });
    }
}

const fn pool(height: usize, width: usize, channels: usize, kernel: (usize, usize), stride: usize) -> Window2d {
    Window2d::over(Image::hwc(height, width, channels), WindowSize::hw(kernel.0, kernel.1)).stride(stride, stride)
}

macro_rules! pools {
    ($($name:literal $window:expr;)*) => { [$(($name, shape!($window.pool()))),*] };
}

/// Average poolings.
pub const POOLS: [(&str, Pool2dShape); 5] = pools![
    "25x5x64 k25x5s1 -> 1x1x64" pool(25, 5, 64, (25, 5), 1);
    "32x32x16 k2x2s2 -> 16x16x16" pool(32, 32, 16, (2, 2), 2);
    "3x3x256 k3x3s1 -> 1x1x256" pool(3, 3, 256, (3, 3), 1);
    "8x8x16 k2x2s2 -> 4x4x16" pool(8, 8, 16, (2, 2), 2);
    "8x8x64 k8x8s1 -> 1x1x64" pool(8, 8, 64, (8, 8), 1);
];

/// Max poolings.
pub const MAX_POOLS: [(&str, Pool2dShape); 3] = pools![
    "16x16x32 k3x3s2 -> 7x7x32" pool(16, 16, 32, (3, 3), 2);
    "32x32x16 k2x2s2 -> 16x16x16" pool(32, 32, 16, (2, 2), 2);
    "8x8x16 k2x2s2 -> 4x4x16" pool(8, 8, 16, (2, 2), 2);
];

/// What a softmax is made of, one value after the other.
#[inline(never)]
fn run_fixed_point(meter: &mut dyn Meter) {
    let functions = ["exp_negative", "reciprocal_one_plus", "logarithm"];
    if !functions.iter().any(|name| meter.wants(name)) {
        return;
    }
    let mut random = Random::new();
    let input: [i32; LENGTH] = core::array::from_fn(|_| (random.bits() >> 1) as i32);
    let mut output = [0_i32; LENGTH];
    let work = Work::Elements(LENGTH);
    let mut map = |name, function: &dyn Fn(i32) -> i32| {
        meter.kernel(name, "1024", work, &mut || {
            for (&x, y) in input.iter().zip(&mut output) {
                *y = function(x);
            }
        });
    };
    map("exp_negative", &|x| exp_negative(-x, 5));
    map("reciprocal_one_plus", &reciprocal_one_plus);
    // The sum of a row is 1 or more.
    map("logarithm", &|x| logarithm(x | 1 << 19));
}

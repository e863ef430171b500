//! The integer kernels without weights: pooling, sums, softmax, activations. Shapes bear the baseline's names.

use core::hint::black_box;

use smolnn_core::{Image, Kernel, Pool2d, Window2d, shape};
use smolnn_fixed::act::{Interpolation, Table, logistic_int16, lookup, tanh_int16};
use smolnn_fixed::elementwise::{AddLayer, AddLayer16, Pairing, add, add_int16};
use smolnn_fixed::pool::{Pool2dLayer, average_pool2d, max_pool2d};
use smolnn_fixed::quantise::{Affine, FusedActivation, OutputRange};
use smolnn_fixed::softmax::{SoftmaxLayer, softmax};
use smolnn_fixed::{Separate, SeparatePair};

use super::{Meter, REFUSED, Random, TOO_LARGE, Work};

const ROOM: usize = if cfg!(smolnn_small_board) { 1024 } else { 16 * 1024 };

macro_rules! pools {
    ($($name:literal $input:expr, $kernel:expr, $stride:literal;)*) => {
        [$(($name, shape!(Window2d::over($input, $kernel).stride($stride, $stride).pool()))),*]
    };
}

const AVERAGE: [(&str, Pool2d); 5] = pools![
    "25x5x64 k25x5s1 -> 1x1x64" Image::hwc(25, 5, 64), Kernel::hw(25, 5), 1;
    "8x8x64 k8x8s1 -> 1x1x64" Image::hwc(8, 8, 64), Kernel::hw(8, 8), 1;
    "3x3x256 k3x3s1 -> 1x1x256" Image::hwc(3, 3, 256), Kernel::hw(3, 3), 1;
    "32x32x16 k2x2s2 -> 16x16x16" Image::hwc(32, 32, 16), Kernel::hw(2, 2), 2;
    "8x8x16 k2x2s2 -> 4x4x16" Image::hwc(8, 8, 16), Kernel::hw(2, 2), 2;
];

const MAX: [(&str, Pool2d); 3] = pools![
    "32x32x16 k2x2s2 -> 16x16x16" Image::hwc(32, 32, 16), Kernel::hw(2, 2), 2;
    "16x16x32 k3x3s2 -> 7x7x32" Image::hwc(16, 16, 32), Kernel::hw(3, 3), 2;
    "8x8x16 k2x2s2 -> 4x4x16" Image::hwc(8, 8, 16), Kernel::hw(2, 2), 2;
];

const SOFTMAX: [(&str, usize); 5] = [("1x2", 2), ("1x3", 3), ("1x10", 10), ("1x12", 12), ("1x1000", 1000)];

const LEFT: Affine = Affine::new(0.05, -3);
const RIGHT: Affine = Affine::new(0.04, 7);
const OUTPUT: Affine = Affine::new(0.07, -9);

pub(super) fn all(meter: &mut dyn Meter) {
    let mut random = Random::new();
    let (mut left, mut right, mut output) = ([0; ROOM], [0; ROOM], [0; ROOM]);
    random.bytes(&mut left);
    random.bytes(&mut right);
    pools(meter, &left, &mut output);
    add_int8(meter, &left, &right, &mut output);
    add_int16_1024(meter);
    for (name, columns) in SOFTMAX {
        if !meter.wants("softmax") {
            continue;
        }
        let (Some(input), Some(output)) = (left.get(..columns), output.get_mut(..columns)) else { continue };
        let Ok(layer) = SoftmaxLayer::new(1, columns, 1.0, black_box(0.1)) else {
            meter.skip("softmax", name, REFUSED);
            continue;
        };
        meter.kernel("softmax", name, Work::Elements(columns), &mut || {
            let _ = black_box(softmax(&layer, Separate { input, output }));
        });
    }
    activations(meter, &left, &mut output);
}

fn pools(meter: &mut dyn Meter, input: &[i8], output: &mut [i8]) {
    let range = OutputRange::int8(0);
    let kinds = AVERAGE.iter().map(|shape| (true, shape)).chain(MAX.iter().map(|shape| (false, shape)));
    for (average, (name, shape)) in kinds {
        let kernel = if average { "average_pool2d" } else { "max_pool2d" };
        if !meter.wants(kernel) {
            continue;
        }
        let (Some(input), Some(output)) = (input.get(..shape.input_len()), output.get_mut(..shape.output_len())) else {
            meter.skip(kernel, name, TOO_LARGE);
            continue;
        };
        let Ok(layer) = Pool2dLayer::new(*black_box(shape), range) else {
            meter.skip(kernel, name, REFUSED);
            continue;
        };
        meter.kernel(kernel, name, Work::Elements(shape.input_len()), &mut || {
            let tensors = Separate { input, output };
            let _ = black_box(if average { average_pool2d(&layer, tensors) } else { max_pool2d(&layer, tensors) });
        });
    }
}

fn add_int8(meter: &mut dyn Meter, left: &[i8], right: &[i8], output: &mut [i8]) {
    for (name, length) in
        [("1024", 1024), ("16384", 16_384), ("32x32x16", 16_384), ("16x16x32", 8192), ("8x8x64", 4096)]
    {
        if !meter.wants("add") {
            continue;
        }
        let (Some(left), Some(right), Some(output)) =
            (left.get(..length), right.get(..length), output.get_mut(..length))
        else {
            meter.skip("add", name, TOO_LARGE);
            continue;
        };
        let layer = Pairing::same(length)
            .and_then(|pairing| AddLayer::new(pairing, LEFT, RIGHT, OUTPUT, black_box(FusedActivation::None)));
        let Ok(layer) = layer else {
            meter.skip("add", name, REFUSED);
            continue;
        };
        meter.kernel("add", name, Work::Elements(length), &mut || {
            let _ = black_box(add(&layer, SeparatePair { left, right, output }));
        });
    }
}

fn add_int16_1024(meter: &mut dyn Meter) {
    const LENGTH: usize = if cfg!(smolnn_small_board) { 256 } else { 1024 };
    let name = if cfg!(smolnn_small_board) { "256" } else { "1024" };
    if !meter.wants("add_int16") {
        return;
    }
    let mut random = Random::new();
    let (mut left, mut right, mut output) = ([0; LENGTH], [0; LENGTH], [0; LENGTH]);
    random.halfwords(&mut left);
    random.halfwords(&mut right);
    let layer = Pairing::same(LENGTH)
        .and_then(|pairing| AddLayer16::new(pairing, black_box(0.0005), 0.0004, 0.0007, FusedActivation::None, false));
    let Ok(layer) = layer else { return meter.skip("add_int16", name, REFUSED) };
    meter.kernel("add_int16", name, Work::Elements(LENGTH), &mut || {
        let _ = black_box(add_int16(&layer, SeparatePair { left: &left, right: &right, output: &mut output }));
    });
}

fn activations(meter: &mut dyn Meter, input: &[i8], output: &mut [i8]) {
    const LENGTH: usize = 256;
    let (Some(input), Some(output)) = (input.get(..LENGTH), output.get_mut(..LENGTH)) else { return };
    if meter.wants("act_table")
        && let Ok(table) = Table::logistic(Affine::new(black_box(0.05), 3))
    {
        meter.kernel("act_table", "256", Work::Elements(LENGTH), &mut || {
            let _ = black_box(lookup(&table, LENGTH, Separate { input, output }));
        });
    }
    let mut random = Random::new();
    let (mut input, mut output) = ([0; LENGTH], [0; LENGTH]);
    random.halfwords(&mut input);
    if meter.wants("logistic_int16")
        && let Ok(interpolation) = Interpolation::logistic(black_box(1.0 / 4096.0))
    {
        meter.kernel("logistic_int16", "256", Work::Elements(LENGTH), &mut || {
            let _ = black_box(logistic_int16(&interpolation, LENGTH, Separate { input: &input, output: &mut output }));
        });
    }
    if meter.wants("tanh_int16")
        && let Ok(interpolation) = Interpolation::tanh(black_box(1.0 / 4096.0))
    {
        meter.kernel("tanh_int16", "256", Work::Elements(LENGTH), &mut || {
            let _ = black_box(tanh_int16(&interpolation, LENGTH, Separate { input: &input, output: &mut output }));
        });
    }
}

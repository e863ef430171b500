//! The int8 kernels, with the shapes of the MLPerf Tiny models and those of the baseline, whose names the shapes bear.

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, ShapeError, Window2d, WindowSize, shape};
use smolnn_fixed::conv::{Conv2d, DepthwiseConv2d, conv2d, depthwise_conv2d};
use smolnn_fixed::dense::{Dense, dense};
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Backend, Channel, Separate, Weights, pack};

use super::{Meter, REFUSED, Random, TOO_LARGE, Work};

const KIB: usize = 1024;
const ROOM: usize = if cfg!(smolnn_small_board) { 1 } else { 40 };
const ACTIVATIONS: usize = ROOM * KIB;
const WEIGHTS: usize = if cfg!(smolnn_small_board) { 2 * KIB } else { 84 * KIB };
const CHANNELS: usize = if cfg!(smolnn_small_board) { 32 } else { 1024 };
/// Two bytes per weight, and what channels take beside them.
const WORDS: usize = WEIGHTS / 2 + CHANNELS;
const SCRATCH: usize = if cfg!(smolnn_small_board) { 256 } else { 16 * KIB };

/// Memory for one kernel at a time.
struct Bench {
    values: [i8; WEIGHTS],
    words: [u32; WORDS],
    channels: [Channel; CHANNELS],
    multipliers: [Multiplier; CHANNELS],
    bias: [i32; CHANNELS],
    input: [i8; ACTIVATIONS],
    output: [i8; ACTIVATIONS],
    scratch: [u32; SCRATCH],
}

impl Bench {
    const EMPTY: Self = Self {
        values: [0; WEIGHTS],
        words: [0; WORDS],
        channels: [Channel { bias: 0, multiplier: 0, shift: 0 }; CHANNELS],
        multipliers: [Multiplier { mantissa: 0, shift: 0 }; CHANNELS],
        bias: [0; CHANNELS],
        input: [0; ACTIVATIONS],
        output: [0; ACTIVATIONS],
        scratch: [0; SCRATCH],
    };

    /// Fills in weights, biases, multipliers and input like those of trained layers: outputs spread over int8. Where the
    /// shape's name says so, multipliers are of 1/2 to 1 instead.
    fn fill(&mut self, name: &str, depth: usize) {
        let mut random = Random::new();
        random.weights(&mut self.values);
        random.bytes(&mut self.input);
        // Weights and inputs have a standard deviation of about 73, so have outputs after this factor.
        let mut root = 1;
        while root * root < depth {
            root += 1;
        }
        for (multiplier, bias) in self.multipliers.iter_mut().zip(&mut self.bias) {
            let spread = 0.75 + f64::from(random.bits() >> 24) / 512.0;
            *multiplier = Multiplier::from_f64(spread / (73.0 * root as f64));
            if name.ends_with(LARGE) {
                multiplier.shift = 0;
            }
            *bias = (random.bits() >> 20) as i32 - 2048;
        }
    }
}

/// What the names of shapes end with whose multipliers are of 1/2 to 1.
const LARGE: &str = " M>=1/2";

/// What the names of shapes end with whose outputs lie behind a ReLU: half of the sums are negative, and some bodies take less for those.
const RELU: &str = " ReLU";

/// The range of a shape's outputs.
fn output_range(name: &str) -> OutputRange {
    if name.ends_with(RELU) { OutputRange::int8(-128) } else { OUTPUT }
}

const OUTPUT: OutputRange = OutputRange { zero_point: -3, minimum: -128, maximum: 127 };
const INPUT_ZERO_POINT: i32 = 5;

#[inline(never)]
pub(super) fn all(meter: &mut dyn Meter) {
    let mut bench = Bench::EMPTY;
    if meter.wants("conv2d") {
        for (name, shape) in &CONV2D {
            run_conv2d(meter, &mut bench, name, shape);
        }
        for (name, shape) in &WINOGRAD {
            if pack::winograd_layout(Backend::CURRENT, shape).is_some() {
                run_winograd(meter, &mut bench, name, shape);
            }
        }
    }
    if meter.wants("depthwise_conv2d") {
        for (name, shape) in &DEPTHWISE {
            run_depthwise(meter, &mut bench, name, shape);
        }
    }
    if meter.wants("dense") {
        for (name, shape) in &DENSE {
            run_dense(meter, &mut bench, name, shape);
        }
    }
}

/// The body that the weight-carrying operators share: pack, make the layer, hand over its call.
macro_rules! weighted {
    ($run:ident, $name:literal, $shape:ty, $channels:expr, $depth:expr, $pack:path, $layer:ident, $call:path $(, $zero:expr)?) => {
        fn $run(meter: &mut dyn Meter, bench: &mut Bench, name: &'static str, shape: &$shape) {
            let channels: usize = $channels(shape);
            bench.fill(name, $depth(shape));
            let Bench { values, words, channels: packed_channels, multipliers, bias, input, output, scratch } = bench;
            let (Some(values), Some(packed_channels), Some(multipliers), Some(bias), Some(input), Some(output)) = (
                values.get(..shape.weights()),
                packed_channels.get_mut(..channels),
                multipliers.get(..channels),
                bias.get(..channels),
                input.get(..shape.input_len()),
                output.get_mut(..shape.output_len()),
            ) else {
                return meter.skip($name, name, TOO_LARGE);
            };
            let weights = Weights { values, bias, multipliers, input_zero_point: INPUT_ZERO_POINT };
            let range = output_range(name);
            let Ok(packed) = $pack(Backend::CURRENT, shape, &weights, &range, words, packed_channels) else {
                return meter.skip($name, name, TOO_LARGE);
            };
            let Some(words) = words.get(..packed.words) else { return meter.skip($name, name, TOO_LARGE) };
            let Ok(layer) = $layer::new(*shape, words, packed_channels, packed.layout, range $(, $zero)?) else {
                return meter.skip($name, name, REFUSED);
            };
            let mut done = true;
            meter.kernel($name, name, Work::Macs(shape.macs()), &mut || {
                done &= $call(&layer, Separate { input, output }, scratch).is_ok();
            });
            if !done {
                meter.skip($name, name, REFUSED);
            }
        }
    };
}

weighted!(
    run_conv2d,
    "conv2d",
    Conv2dShape,
    |s: &Conv2dShape| s.output().channels,
    Conv2dShape::depth,
    pack::conv2d,
    Conv2d,
    conv2d,
    INPUT_ZERO_POINT
);
weighted!(
    run_winograd,
    "conv2d",
    Conv2dShape,
    |s: &Conv2dShape| s.output().channels,
    Conv2dShape::depth,
    pack_winograd,
    Conv2d,
    conv2d,
    INPUT_ZERO_POINT
);
weighted!(
    run_depthwise,
    "depthwise_conv2d",
    DepthwiseConv2dShape,
    |s: &DepthwiseConv2dShape| s.output().channels,
    DepthwiseConv2dShape::depth,
    pack::depthwise_conv2d,
    DepthwiseConv2d,
    depthwise_conv2d,
    INPUT_ZERO_POINT
);
weighted!(
    run_dense,
    "dense",
    DenseShape,
    |s: &DenseShape| s.outputs(),
    |s: &DenseShape| s.inputs(),
    pack::dense,
    Dense,
    dense
);

/// Packs for Winograd's products, which the backend has for the shape.
fn pack_winograd(
    backend: Backend,
    shape: &Conv2dShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<pack::Packed, ShapeError> {
    let packed = pack::conv2d_winograd(backend, shape, weights, output, words, channels)?;
    packed.ok_or(ShapeError::Range("the weights are beyond what Winograd's products are exact for"))
}

const fn window(height: usize, width: usize, channels: usize, kernel: (usize, usize), stride: usize) -> Window2d {
    Window2d::over(Image::hwc(height, width, channels), WindowSize::hw(kernel.0, kernel.1)).stride(stride, stride)
}

const fn same(height: usize, width: usize, channels: usize, kernel: (usize, usize), stride: usize) -> Window2d {
    window(height, width, channels, kernel, stride).same()
}

const fn valid(height: usize, width: usize, channels: usize, kernel: (usize, usize), stride: usize) -> Window2d {
    window(height, width, channels, kernel, stride)
}

macro_rules! shapes {
    ($($name:literal $window:expr, $operator:ident($channels:expr);)*) => {
        [$(($name, shape!($window.$operator($channels)))),*]
    };
}

/// Convolutions.
pub const CONV2D: [(&str, Conv2dShape); 37] = shapes![
    "49x10x1 k10x4s2 -> 25x5x64" same(49, 10, 1, (10, 4), 2), conv(64);
    "25x5x64 k1x1s1 -> 25x5x64" same(25, 5, 64, (1, 1), 1), conv(64);
    "32x32x3 k3x3s1 -> 32x32x16" same(32, 32, 3, (3, 3), 1), conv(16);
    "32x32x16 k3x3s1 -> 32x32x16" same(32, 32, 16, (3, 3), 1), conv(16);
    "32x32x16 k3x3s2 -> 16x16x32" same(32, 32, 16, (3, 3), 2), conv(32);
    "16x16x32 k3x3s1 -> 16x16x32" same(16, 16, 32, (3, 3), 1), conv(32);
    "32x32x16 k1x1s2 -> 16x16x32" same(32, 32, 16, (1, 1), 2), conv(32);
    "16x16x32 k3x3s2 -> 8x8x64" same(16, 16, 32, (3, 3), 2), conv(64);
    "8x8x64 k3x3s1 -> 8x8x64" same(8, 8, 64, (3, 3), 1), conv(64);
    "16x16x32 k1x1s2 -> 8x8x64" same(16, 16, 32, (1, 1), 2), conv(64);
    "96x96x3 k3x3s2 -> 48x48x8" same(96, 96, 3, (3, 3), 2), conv(8);
    "48x48x8 k1x1s1 -> 48x48x16" same(48, 48, 8, (1, 1), 1), conv(16);
    "24x24x16 k1x1s1 -> 24x24x32" same(24, 24, 16, (1, 1), 1), conv(32);
    "24x24x32 k1x1s1 -> 24x24x32" same(24, 24, 32, (1, 1), 1), conv(32);
    "12x12x32 k1x1s1 -> 12x12x64" same(12, 12, 32, (1, 1), 1), conv(64);
    "12x12x64 k1x1s1 -> 12x12x64" same(12, 12, 64, (1, 1), 1), conv(64);
    "6x6x64 k1x1s1 -> 6x6x128" same(6, 6, 64, (1, 1), 1), conv(128);
    "6x6x128 k1x1s1 -> 6x6x128" same(6, 6, 128, (1, 1), 1), conv(128);
    "3x3x128 k1x1s1 -> 3x3x256" same(3, 3, 128, (1, 1), 1), conv(256);
    "3x3x256 k1x1s1 -> 3x3x256" same(3, 3, 256, (1, 1), 1), conv(256);
    "28x1x40 k1x1s1 -> 28x1x128" same(28, 1, 40, (1, 1), 1), conv(128);
    "24x1x128 k1x1s1 -> 24x1x128" same(24, 1, 128, (1, 1), 1), conv(128);
    "15x1x128 k1x1s1 -> 15x1x128" same(15, 1, 128, (1, 1), 1), conv(128);
    "1x1x128 k1x1s1 -> 1x1x32" same(1, 1, 128, (1, 1), 1), conv(32);
    "8x8x8 k3x3s1 -> 8x8x16" same(8, 8, 8, (3, 3), 1), conv(16);
    "8x8x16 k1x1s1 -> 8x8x16" same(8, 8, 16, (1, 1), 1), conv(16);
    "16x16x16 k3x3s1 -> 16x16x16" same(16, 16, 16, (3, 3), 1), conv(16);
    "1x100x16 k1x5s1 -> 1x100x32" same(1, 100, 16, (1, 5), 1), conv(32);
    "16x16x15 k3x3s1 -> 16x16x17" same(16, 16, 15, (3, 3), 1), conv(17);
    "8x8x8 k3x3s1 -> 8x8x16 M>=1/2" same(8, 8, 8, (3, 3), 1), conv(16);
    "8x8x128 k3x3s1 -> 8x8x64" same(8, 8, 128, (3, 3), 1), conv(64);
    "49x10x1 k10x4s2 -> 25x5x64 ReLU" same(49, 10, 1, (10, 4), 2), conv(64);
    "25x5x64 k1x1s1 -> 25x5x64 ReLU" same(25, 5, 64, (1, 1), 1), conv(64);
    "28x1x40 k1x1s1 -> 28x1x128 ReLU" same(28, 1, 40, (1, 1), 1), conv(128);
    "24x1x128 k1x1s1 -> 24x1x128 ReLU" same(24, 1, 128, (1, 1), 1), conv(128);
    "15x1x128 k1x1s1 -> 15x1x128 ReLU" same(15, 1, 128, (1, 1), 1), conv(128);
    "1x1x128 k1x1s1 -> 1x1x32 ReLU" same(1, 1, 128, (1, 1), 1), conv(32);
];

/// Convolutions by Winograd's products, on the backends that have them.
pub const WINOGRAD: [(&str, Conv2dShape); 4] = shapes![
    "32x32x16 k3x3s1 -> 32x32x16 Winograd" same(32, 32, 16, (3, 3), 1), conv(16);
    "16x16x32 k3x3s1 -> 16x16x32 Winograd" same(16, 16, 32, (3, 3), 1), conv(32);
    "8x8x64 k3x3s1 -> 8x8x64 Winograd" same(8, 8, 64, (3, 3), 1), conv(64);
    "8x8x8 k3x3s1 -> 8x8x16 Winograd" same(8, 8, 8, (3, 3), 1), conv(16);
];

/// Depthwise convolutions.
pub const DEPTHWISE: [(&str, DepthwiseConv2dShape); 21] = shapes![
    "25x5x64 k3x3s1 -> 25x5x64" same(25, 5, 64, (3, 3), 1), depthwise(1);
    "48x48x8 k3x3s1 -> 48x48x8" same(48, 48, 8, (3, 3), 1), depthwise(1);
    "48x48x16 k3x3s2 -> 24x24x16" same(48, 48, 16, (3, 3), 2), depthwise(1);
    "24x24x32 k3x3s1 -> 24x24x32" same(24, 24, 32, (3, 3), 1), depthwise(1);
    "24x24x32 k3x3s2 -> 12x12x32" same(24, 24, 32, (3, 3), 2), depthwise(1);
    "12x12x64 k3x3s1 -> 12x12x64" same(12, 12, 64, (3, 3), 1), depthwise(1);
    "12x12x64 k3x3s2 -> 6x6x64" same(12, 12, 64, (3, 3), 2), depthwise(1);
    "6x6x128 k3x3s1 -> 6x6x128" same(6, 6, 128, (3, 3), 1), depthwise(1);
    "6x6x128 k3x3s2 -> 3x3x128" same(6, 6, 128, (3, 3), 2), depthwise(1);
    "3x3x256 k3x3s1 -> 3x3x256" same(3, 3, 256, (3, 3), 1), depthwise(1);
    "30x1x40 k3x1s1 -> 28x1x40" valid(30, 1, 40, (3, 1), 1), depthwise(1);
    "28x1x128 k5x1s1 -> 24x1x128" valid(28, 1, 128, (5, 1), 1), depthwise(1);
    "24x1x128 k10x1s1 -> 15x1x128" valid(24, 1, 128, (10, 1), 1), depthwise(1);
    "15x1x128 k15x1s1 -> 1x1x128" valid(15, 1, 128, (15, 1), 1), depthwise(1);
    "8x8x16 k3x3s1 -> 8x8x16" same(8, 8, 16, (3, 3), 1), depthwise(1);
    "25x5x1 k10x4s1 -> 25x5x8" same(25, 5, 1, (10, 4), 1), depthwise(8);
    "16x16x16 k5x5s1 -> 16x16x16" same(16, 16, 16, (5, 5), 1), depthwise(1);
    "25x5x63 k3x3s1 -> 25x5x63" same(25, 5, 63, (3, 3), 1), depthwise(1);
    "16x16x8 k3x3s1 -> 16x16x16" same(16, 16, 8, (3, 3), 1), depthwise(2);
    "8x8x16 k3x3s1 -> 8x8x16 M>=1/2" same(8, 8, 16, (3, 3), 1), depthwise(1);
    "25x5x64 k3x3s1 -> 25x5x64 ReLU" same(25, 5, 64, (3, 3), 1), depthwise(1);
];

macro_rules! dense_shapes {
    ($($name:literal ($inputs:literal, $outputs:literal);)*) => { [$(($name, shape!(DenseShape::new(1, $inputs, $outputs)))),*] };
}

/// DenseShape layers.
pub const DENSE: [(&str, DenseShape); 16] = dense_shapes![
    "640->128" (640, 128);
    "128->128" (128, 128);
    "128->8" (128, 8);
    "8->128" (8, 128);
    "128->640" (128, 640);
    "256->12" (256, 12);
    "64->12" (64, 12);
    "64->10" (64, 10);
    "256->2" (256, 2);
    "32->3" (32, 3);
    "64->12 M>=1/2" (64, 12);
    "1000->64" (1000, 64);
    "640->128 ReLU" (640, 128);
    "128->128 ReLU" (128, 128);
    "128->8 ReLU" (128, 8);
    "8->128 ReLU" (8, 128);
];

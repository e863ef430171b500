//! Instructions per call of int8 layers along the axes of their shapes: `cargo xtask sweep` looks for steps that cost more than the work they add.
//! A line for each shape, as `bench` prints them: `bench kernel <tab> NAME <tab> AXIS | N | LAYOUT <tab> MACS <tab> 0 <tab> INSTRUCTIONS`.
//! Option: `--kernel NAME`: that one alone.
#![no_std]
#![no_main]

use board::counter::Counter;
use firmware::kernels::Random;
use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, ShapeError, Window2d, WindowSize};
use smolnn_fixed::conv::{Conv2d, DepthwiseConv2d, conv2d, depthwise_conv2d};
use smolnn_fixed::dense::{Dense, dense};
use smolnn_fixed::pack::{self, PackedShape};
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Backend, Channel, Separate, Weights};

board::entry!(run);

const OUTPUT: OutputRange = OutputRange { zero_point: -3, minimum: -128, maximum: 127 };
const INPUT_ZERO_POINT: i32 = 5;

/// Room for the largest layer of the axes. The words are those of two bytes per weight, and what channels take beside them.
const WEIGHTS: usize = 4096 * 32;
const CHANNELS: usize = 256;
const WORDS: usize = WEIGHTS / 2 + 16 * CHANNELS;
const ACTIVATIONS: usize = 24 * 1024;
const SCRATCH: usize = 16 * 1024;

/// Memory for one layer at a time; all layers share their weights and their inputs.
struct Memory {
    values: [i8; WEIGHTS],
    words: [u32; WORDS],
    channels: [Channel; CHANNELS],
    multipliers: [Multiplier; CHANNELS],
    bias: [i32; CHANNELS],
    input: [i8; ACTIVATIONS],
    output: [i8; ACTIVATIONS],
    scratch: [u32; SCRATCH],
}

impl Memory {
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

    /// Multipliers and biases that spread the outputs of layers of so many products over int8.
    fn scale(&mut self, depth: usize) {
        let mut random = Random::new();
        // Weights and inputs have a standard deviation of about 73, and so have outputs behind this factor.
        let root = depth.isqrt().max(1) as f64;
        for (multiplier, bias) in self.multipliers.iter_mut().zip(&mut self.bias) {
            let spread = 0.75 + f64::from(random.bits() >> 24) / 512.0;
            *multiplier = Multiplier::from_f64(spread / (73.0 * root));
            *bias = (random.bits() >> 20) as i32 - 2048;
        }
    }
}

/// The shape of a layer.
enum Shape {
    Conv2d(Conv2dShape),
    DepthwiseConv2d(DepthwiseConv2dShape),
    Dense(DenseShape),
}

impl Shape {
    fn packed(&self) -> PackedShape {
        match *self {
            Self::Conv2d(shape) => PackedShape::Conv2d(shape),
            Self::DepthwiseConv2d(shape) => PackedShape::DepthwiseConv2d(shape),
            Self::Dense(shape) => PackedShape::Dense(shape),
        }
    }

    /// Inputs, outputs, and multiply-accumulates.
    fn sizes(&self) -> (usize, usize, u64) {
        match self {
            Self::Conv2d(shape) => (shape.input_len(), shape.output_len(), shape.macs()),
            Self::DepthwiseConv2d(shape) => (shape.input_len(), shape.output_len(), shape.macs()),
            Self::Dense(shape) => (shape.input_len(), shape.output_len(), shape.macs()),
        }
    }
}

/// Layers that differ in one number n.
struct Axis {
    kernel: &'static str,
    name: &'static str,
    /// The largest n.
    last: usize,
    shape: fn(usize) -> Result<Shape, ShapeError>,
}

const fn axis(
    kernel: &'static str,
    name: &'static str,
    last: usize,
    shape: fn(usize) -> Result<Shape, ShapeError>,
) -> Axis {
    Axis { kernel, name, last, shape }
}

/// A convolution with padding of the kind "same".
fn conv(
    [height, width, inputs]: [usize; 3],
    kernel: usize,
    stride: usize,
    outputs: usize,
) -> Result<Shape, ShapeError> {
    batches(1, [height, width, inputs], kernel, stride, outputs)
}

fn batches(
    batch: usize,
    [height, width, inputs]: [usize; 3],
    kernel: usize,
    stride: usize,
    outputs: usize,
) -> Result<Shape, ShapeError> {
    let window = Window2d::over(Image::hwc(height, width, inputs), WindowSize::hw(kernel, kernel));
    window.batch(batch).stride(stride, stride).same().conv(outputs).map(Shape::Conv2d)
}

fn depthwise(
    [height, width, channels]: [usize; 3],
    kernel: usize,
    stride: usize,
    multiplier: usize,
) -> Result<Shape, ShapeError> {
    let window = Window2d::over(Image::hwc(height, width, channels), WindowSize::hw(kernel, kernel));
    window.stride(stride, stride).same().depthwise(multiplier).map(Shape::DepthwiseConv2d)
}

fn vectors(batch: usize, inputs: usize, outputs: usize) -> Result<Shape, ShapeError> {
    DenseShape::new(batch, inputs, outputs).map(Shape::Dense)
}

const AXES: [Axis; 21] = [
    axis("conv2d", "1x1, 8x8 pixels, n -> 32 channels", 256, |n| conv([8, 8, n], 1, 1, 32)),
    axis("conv2d", "1x1, 8x8 pixels, 32 -> n channels", 256, |n| conv([8, 8, 32], 1, 1, n)),
    axis("conv2d", "1x1, 2x2 pixels, n -> 8 channels", 4096, |n| conv([2, 2, n], 1, 1, 8)),
    axis("conv2d", "1x1, 8xn pixels, 16 -> 16 channels", 64, |n| conv([8, n, 16], 1, 1, 16)),
    axis("conv2d", "1x1, 1xn pixels, 64 -> 64 channels", 64, |n| conv([1, n, 64], 1, 1, 64)),
    axis("conv2d", "3x3, 8x8 pixels, n -> 16 channels", 256, |n| conv([8, 8, n], 3, 1, 16)),
    axis("conv2d", "3x3, 8x8 pixels, 16 -> n channels", 256, |n| conv([8, 8, 16], 3, 1, n)),
    axis("conv2d", "3x3, 8xn pixels, 8 -> 8 channels", 64, |n| conv([8, n, 8], 3, 1, 8)),
    axis("conv2d", "3x3, 8xn pixels, 3 -> 8 channels", 64, |n| conv([8, n, 3], 3, 1, 8)),
    axis("conv2d", "3x3, stride 2, 8xn pixels, 3 -> 8 channels", 64, |n| conv([8, n, 3], 3, 2, 8)),
    axis("conv2d", "3x3, n images of 4x4 pixels, 8 -> 8 channels", 8, |n| batches(n, [4, 4, 8], 3, 1, 8)),
    axis("depthwise_conv2d", "3x3, 8x8 pixels, n channels", 256, |n| depthwise([8, 8, n], 3, 1, 1)),
    axis("depthwise_conv2d", "3x3, stride 2, 8x8 pixels, n channels", 256, |n| depthwise([8, 8, n], 3, 2, 1)),
    axis("depthwise_conv2d", "3x3, 8xn pixels, 16 channels", 64, |n| depthwise([8, n, 16], 3, 1, 1)),
    axis("depthwise_conv2d", "3x3, stride 2, 8xn pixels, 16 channels", 64, |n| depthwise([8, n, 16], 3, 2, 1)),
    axis("depthwise_conv2d", "5x5, 8x8 pixels, n channels", 64, |n| depthwise([8, 8, n], 5, 1, 1)),
    axis("depthwise_conv2d", "nxn, 8x8 pixels, 16 channels", 8, |n| depthwise([8, 8, 16], n, 1, 1)),
    axis("depthwise_conv2d", "3x3, 8x8 pixels, 8 channels of n outputs", 8, |n| depthwise([8, 8, 8], 3, 1, n)),
    axis("dense", "n -> 32", 4096, |n| vectors(1, n, 32)),
    axis("dense", "64 -> n", 256, |n| vectors(1, 64, n)),
    axis("dense", "n vectors, 64 -> 32", 8, |n| vectors(n, 64, 32)),
];

/// Whether n is looked at: all up to 72, then multiples of 32 up to 256 and powers of two, each with its neighbours, and 1 000.
fn is_looked_at(n: usize) -> bool {
    let near = |middle: usize| n.abs_diff(middle) <= 1;
    n <= 72 || (n <= 257 && (n + 1) % 32 <= 2) || near(512) || near(1024) || near(2048) || near(4096) || n == 1000
}

/// Measures a layer. The error is that of packing or of making the layer, which is a defect.
fn measure(counter: &Counter, memory: &mut Memory, axis: &Axis, n: usize) -> Result<(), ShapeError> {
    let shape = (axis.shape)(n)?;
    let packed_shape = shape.packed();
    let (inputs, outputs, macs) = shape.sizes();
    memory.scale(packed_shape.depth());
    let Memory { values, words, channels, multipliers, bias, input, output, scratch } = memory;
    let count = packed_shape.outputs();
    let too_large = ShapeError::TooLarge;
    let weights = Weights {
        values: values.get(..packed_shape.weights()).ok_or(too_large)?,
        bias: bias.get(..count).ok_or(too_large)?,
        multipliers: multipliers.get(..count).ok_or(too_large)?,
        input_zero_point: INPUT_ZERO_POINT,
    };
    let channels = channels.get_mut(..count).ok_or(too_large)?;
    let input = input.get(..inputs).ok_or(too_large)?;
    let output = output.get_mut(..outputs).ok_or(too_large)?;
    let packed = pack::pack(Backend::CURRENT, &packed_shape, &weights, &OUTPUT, words, channels)?;
    let words = words.get(..packed.words).ok_or(too_large)?;
    let mut end = Ok(());
    let mut time = |call: &mut dyn FnMut() -> Result<(), ShapeError>| {
        counter.hundredths(&mut || {
            if let Err(error) = call() {
                end = Err(error);
            }
        })
    };
    let hundredths = match shape {
        Shape::Conv2d(shape) => {
            let layer = Conv2d::new(shape, words, channels, packed.layout, OUTPUT, INPUT_ZERO_POINT)?;
            time(&mut || conv2d(&layer, Separate { input, output }, scratch))
        }
        Shape::DepthwiseConv2d(shape) => {
            let layer = DepthwiseConv2d::new(shape, words, channels, packed.layout, OUTPUT, INPUT_ZERO_POINT)?;
            time(&mut || depthwise_conv2d(&layer, Separate { input, output }, scratch))
        }
        Shape::Dense(shape) => {
            let layer = Dense::new(shape, words, channels, packed.layout, OUTPUT)?;
            time(&mut || dense(&layer, Separate { input, output }, scratch))
        }
    };
    let (kernel, axis, layout) = (axis.kernel, axis.name, packed.layout);
    let (whole, part) = (hundredths / 100, hundredths % 100);
    board::println!("bench kernel\t{kernel}\t{axis} | {n} | {layout:?}\t{macs}\t0\t{whole}.{part:02}");
    end
}

fn run() -> board::Exit {
    let counter = Counter::start_from_options();
    let Some(memory) = board::taken!(Memory, Memory::EMPTY) else { return board::Exit::Fail };
    let mut random = Random::new();
    random.weights(&mut memory.values);
    random.bytes(&mut memory.input);
    for axis in &AXES {
        if board::option("--kernel", |kernel| kernel.is_some_and(|kernel| kernel != axis.kernel)) {
            continue;
        }
        for n in (1..=axis.last).filter(|&n| is_looked_at(n)) {
            if let Err(error) = measure(&counter, memory, axis, n) {
                board::println!("{} {} of {n}: {error}", axis.kernel, axis.name);
                return board::Exit::Fail;
            }
        }
    }
    board::println!("done");
    board::Exit::Pass
}

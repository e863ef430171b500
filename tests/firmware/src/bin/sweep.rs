//! Instructions per call of int8 layers along the axes of their shapes: `cargo xtask sweep` looks for steps that cost more than the work they add.
//! A line for each shape, as `bench` prints them: `bench kernel <tab> NAME <tab> AXIS | N | LAYOUT <tab> MACS <tab> 0 <tab> INSTRUCTIONS`.
//! Option: `--kernel NAME`: that one alone.
#![no_std]
#![no_main]

use board::counter::Counter;
use firmware::kernels::Random;
use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, ShapeError, Window2d, WindowSize};
use smolnn_fixed::conv::{Conv2d, DepthwiseConv2d, TransposeConv2d, conv2d, depthwise_conv2d, transpose_conv2d};
use smolnn_fixed::dense::{Dense, dense};
use smolnn_fixed::pack::{self, Layout, PackedShape};
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
    /// The convolution whose adjoint the layer is.
    TransposeConv2d(Conv2dShape),
}

impl Shape {
    /// The shape to pack; transposed convolutions take their weights as they are.
    fn packed(&self) -> Option<PackedShape> {
        match *self {
            Self::Conv2d(shape) => Some(PackedShape::Conv2d(shape)),
            Self::DepthwiseConv2d(shape) => Some(PackedShape::DepthwiseConv2d(shape)),
            Self::Dense(shape) => Some(PackedShape::Dense(shape)),
            Self::TransposeConv2d(_) => None,
        }
    }

    /// The number of weights, that of output channels, and products that make one output at most.
    fn weights(&self) -> (usize, usize, usize) {
        match (self, self.packed()) {
            (Self::TransposeConv2d(adjoint), _) => {
                let taps = adjoint.rows().kernel() * adjoint.columns().kernel();
                (adjoint.weights(), adjoint.input().channels, taps * adjoint.output().channels)
            }
            (_, Some(shape)) => (shape.weights(), shape.outputs(), shape.depth()),
            (_, None) => (0, 0, 0),
        }
    }

    /// Inputs, outputs, and multiply-accumulates.
    fn sizes(&self) -> (usize, usize, u64) {
        match self {
            Self::TransposeConv2d(adjoint) => (adjoint.output_len(), adjoint.input_len(), adjoint.macs()),
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

/// The window over an image, with padding of the kind "same".
fn window([height, width, channels]: [usize; 3], [rows, columns]: [usize; 2]) -> Window2d {
    Window2d::over(Image::hwc(height, width, channels), WindowSize::hw(rows, columns)).same()
}

fn conv(window: Window2d, outputs: usize) -> Result<Shape, ShapeError> {
    window.conv(outputs).map(Shape::Conv2d)
}

/// The transposed convolution that makes the window's image out of one of `inputs` channels.
fn transposed(window: Window2d, inputs: usize) -> Result<Shape, ShapeError> {
    window.conv(inputs).map(Shape::TransposeConv2d)
}

fn depthwise(window: Window2d, multiplier: usize) -> Result<Shape, ShapeError> {
    window.depthwise(multiplier).map(Shape::DepthwiseConv2d)
}

fn vectors(batch: usize, inputs: usize, outputs: usize) -> Result<Shape, ShapeError> {
    DenseShape::new(batch, inputs, outputs).map(Shape::Dense)
}

const AXES: [Axis; 41] = [
    axis("conv2d", "1x1, 8x8 pixels, n -> 32 channels", 256, |n| conv(window([8, 8, n], [1, 1]), 32)),
    axis("conv2d", "1x1, 8x8 pixels, 32 -> n channels", 256, |n| conv(window([8, 8, 32], [1, 1]), n)),
    axis("conv2d", "1x1, 2x2 pixels, n -> 8 channels", 4096, |n| conv(window([2, 2, n], [1, 1]), 8)),
    axis("conv2d", "1x1, 8xn pixels, 16 -> 16 channels", 64, |n| conv(window([8, n, 16], [1, 1]), 16)),
    axis("conv2d", "1x1, 1xn pixels, 64 -> 64 channels", 64, |n| conv(window([1, n, 64], [1, 1]), 64)),
    axis("conv2d", "3x3, 8x8 pixels, n -> 16 channels", 256, |n| conv(window([8, 8, n], [3, 3]), 16)),
    axis("conv2d", "3x3, 8x8 pixels, 16 -> n channels", 256, |n| conv(window([8, 8, 16], [3, 3]), n)),
    axis("conv2d", "3x3, 8xn pixels, 8 -> 8 channels", 64, |n| conv(window([8, n, 8], [3, 3]), 8)),
    axis("conv2d", "3x3, 8xn pixels, 3 -> 8 channels", 64, |n| conv(window([8, n, 3], [3, 3]), 8)),
    axis("conv2d", "3x3, stride 2, 8xn pixels, 3 -> 8 channels", 64, |n| {
        conv(window([8, n, 3], [3, 3]).stride(2, 2), 8)
    }),
    axis("conv2d", "3x3, n images of 4x4 pixels, 8 -> 8 channels", 8, |n| conv(window([4, 4, 8], [3, 3]).batch(n), 8)),
    axis("conv2d", "3x3, dilation 2, 8x8 pixels, n -> 8 channels", 24, |n| {
        conv(window([8, 8, n], [3, 3]).dilation(2, 2), 8)
    }),
    axis("conv2d", "nxn, 8x8 pixels, 4 -> 8 channels", 8, |n| conv(window([8, 8, 4], [n, n]), 8)),
    axis("conv2d", "nx1, 8x8 pixels, 4 -> 8 channels", 8, |n| conv(window([8, 8, 4], [n, 1]), 8)),
    axis("conv2d", "1xn, 8x8 pixels, 4 -> 8 channels", 8, |n| conv(window([8, 8, 4], [1, n]), 8)),
    axis("depthwise_conv2d", "3x3, 8x8 pixels, n channels", 256, |n| depthwise(window([8, 8, n], [3, 3]), 1)),
    axis("depthwise_conv2d", "3x3, stride 2, 8x8 pixels, n channels", 256, |n| {
        depthwise(window([8, 8, n], [3, 3]).stride(2, 2), 1)
    }),
    axis("depthwise_conv2d", "3x3, dilation 2, 8x8 pixels, n channels", 24, |n| {
        depthwise(window([8, 8, n], [3, 3]).dilation(2, 2), 1)
    }),
    axis("depthwise_conv2d", "3x3, 8xn pixels, 16 channels", 64, |n| depthwise(window([8, n, 16], [3, 3]), 1)),
    axis("depthwise_conv2d", "3x3, stride 2, 8xn pixels, 16 channels", 64, |n| {
        depthwise(window([8, n, 16], [3, 3]).stride(2, 2), 1)
    }),
    axis("depthwise_conv2d", "2x2, 8x8 pixels, n channels", 24, |n| depthwise(window([8, 8, n], [2, 2]), 1)),
    axis("depthwise_conv2d", "4x4, 8x8 pixels, n channels", 24, |n| depthwise(window([8, 8, n], [4, 4]), 1)),
    axis("depthwise_conv2d", "5x5, 8x8 pixels, n channels", 64, |n| depthwise(window([8, 8, n], [5, 5]), 1)),
    axis("depthwise_conv2d", "5x5, stride 2, 8x8 pixels, n channels", 24, |n| {
        depthwise(window([8, 8, n], [5, 5]).stride(2, 2), 1)
    }),
    axis("depthwise_conv2d", "5x5, 8xn pixels, 8 channels", 16, |n| depthwise(window([8, n, 8], [5, 5]), 1)),
    axis("depthwise_conv2d", "7x7, 8x8 pixels, n channels", 12, |n| depthwise(window([8, 8, n], [7, 7]), 1)),
    axis("depthwise_conv2d", "nxn, 8x8 pixels, 16 channels", 8, |n| depthwise(window([8, 8, 16], [n, n]), 1)),
    axis("depthwise_conv2d", "nxn, 8x8 pixels, 3 channels", 8, |n| depthwise(window([8, 8, 3], [n, n]), 1)),
    axis("depthwise_conv2d", "nxn, stride 2, 8x8 pixels, 16 channels", 8, |n| {
        depthwise(window([8, 8, 16], [n, n]).stride(2, 2), 1)
    }),
    axis("depthwise_conv2d", "nx1, 8x8 pixels, 16 channels", 8, |n| depthwise(window([8, 8, 16], [n, 1]), 1)),
    axis("depthwise_conv2d", "1xn, 8x8 pixels, 16 channels", 8, |n| depthwise(window([8, 8, 16], [1, n]), 1)),
    axis("depthwise_conv2d", "3x3, 8x8 pixels, 8 channels of n outputs", 8, |n| {
        depthwise(window([8, 8, 8], [3, 3]), n)
    }),
    axis("depthwise_conv2d", "3x3, 8x8 pixels, n channels of 2 outputs", 8, |n| {
        depthwise(window([8, 8, n], [3, 3]), 2)
    }),
    axis("depthwise_conv2d", "3x3, 8x8 pixels, n channels of 3 outputs", 8, |n| {
        depthwise(window([8, 8, n], [3, 3]), 3)
    }),
    axis("depthwise_conv2d", "5x5, 8x8 pixels, 4 channels of n outputs", 4, |n| {
        depthwise(window([8, 8, 4], [5, 5]), n)
    }),
    axis("dense", "n -> 32", 4096, |n| vectors(1, n, 32)),
    axis("dense", "64 -> n", 256, |n| vectors(1, 64, n)),
    axis("dense", "n vectors, 64 -> 32", 8, |n| vectors(n, 64, 32)),
    axis("transpose_conv2d", "3x3, stride 2, to 8x8 pixels, n -> 8 channels", 24, |n| {
        transposed(window([8, 8, 8], [3, 3]).stride(2, 2), n)
    }),
    axis("transpose_conv2d", "3x3, stride 2, to 8x8 pixels, 8 -> n channels", 24, |n| {
        transposed(window([8, 8, n], [3, 3]).stride(2, 2), 8)
    }),
    axis("transpose_conv2d", "nxn, stride 2, to 8x8 pixels, 8 -> 8 channels", 8, |n| {
        transposed(window([8, 8, 8], [n, n]).stride(2, 2), 8)
    }),
];

/// Whether n is looked at: all up to 72, then multiples of 32 up to 256 and powers of two, each with its neighbours, and 1 000.
fn is_looked_at(n: usize) -> bool {
    let near = |middle: usize| n.abs_diff(middle) <= 1;
    n <= 72 || (n <= 257 && (n + 1) % 32 <= 2) || near(512) || near(1024) || near(2048) || near(4096) || n == 1000
}

/// Measures a layer. The error is that of packing or of making the layer, which is a defect.
fn measure(counter: &Counter, memory: &mut Memory, axis: &Axis, n: usize) -> Result<(), ShapeError> {
    let shape = (axis.shape)(n)?;
    let (inputs, outputs, macs) = shape.sizes();
    let (length, count, depth) = shape.weights();
    memory.scale(depth);
    let Memory { values, words, channels, multipliers, bias, input, output, scratch } = memory;
    let too_large = ShapeError::TooLarge;
    let weights = Weights {
        values: values.get(..length).ok_or(too_large)?,
        bias: bias.get(..count).ok_or(too_large)?,
        multipliers: multipliers.get(..count).ok_or(too_large)?,
        input_zero_point: INPUT_ZERO_POINT,
    };
    let channels = channels.get_mut(..count).ok_or(too_large)?;
    let input = input.get(..inputs).ok_or(too_large)?;
    let output = output.get_mut(..outputs).ok_or(too_large)?;
    let (used, layout) = match shape.packed() {
        Some(shape) => {
            let packed = pack::pack(Backend::CURRENT, &shape, &weights, &OUTPUT, words, channels)?;
            (packed.words, packed.layout)
        }
        None => (0, Layout::Portable),
    };
    let words = words.get(..used).ok_or(too_large)?;
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
            let layer = Conv2d::new(shape, words, channels, layout, OUTPUT, INPUT_ZERO_POINT)?;
            time(&mut || conv2d(&layer, Separate { input, output }, scratch))
        }
        Shape::DepthwiseConv2d(shape) => {
            let layer = DepthwiseConv2d::new(shape, words, channels, layout, OUTPUT, INPUT_ZERO_POINT)?;
            time(&mut || depthwise_conv2d(&layer, Separate { input, output }, scratch))
        }
        Shape::Dense(shape) => {
            let layer = Dense::new(shape, words, channels, layout, OUTPUT)?;
            time(&mut || dense(&layer, Separate { input, output }, scratch))
        }
        Shape::TransposeConv2d(adjoint) => {
            let layer = TransposeConv2d::new(adjoint, weights, OUTPUT)?;
            time(&mut || transpose_conv2d(&layer, input, output))
        }
    };
    let (kernel, axis) = (axis.kernel, axis.name);
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

//! Cases of the operators that carry weights: convolutions and dense layers.

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, ShapeError, Window2d, WindowSize};
use smolnn_fixed::conv::{Conv2d, DepthwiseConv2d};
use smolnn_fixed::dense::Dense;
use smolnn_fixed::pack::Packed;
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Backend, Channel, Overlapping, Separate, Weights, conv, dense as dense_layer, pack};

use super::{Case, Failure, Memory, Trial, compare};
use crate::{Random, oracle};

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    Case {
        kernel: "conv/conv2d.rs::conv2d",
        domain: "kernels 1..=5, strides 1..=4, dilations 1..=3, SAME, VALID and explicit padding, batches, any channels; by Winograd's products as well",
        tolerance: 0,
        run: conv2d,
    },
    Case {
        kernel: "conv/depthwise.rs::depthwise_conv2d",
        domain: "as conv2d, depth multipliers 1..=3",
        tolerance: 0,
        run: depthwise_conv2d,
    },
    Case { kernel: "dense.rs::dense", domain: "vectors of 1..=300, batches", tolerance: 0, run: dense },
];

/// Most output channels of a trial.
const CHANNELS: usize = 40;

/// Everything but the shape of a layer, drawn at random.
struct Parameters {
    bias: [i32; CHANNELS],
    multipliers: [Multiplier; CHANNELS],
    has_bias: bool,
    per_channel: bool,
    input_zero_point: i32,
    output: OutputRange,
}

impl Parameters {
    /// For accumulators of `depth` products.
    fn draw(random: &mut Random, depth: usize) -> Self {
        let output = super::output_range(random);
        let largest_bias = random.pick(&[0, 100, 30_000, 1 << 24]);
        // Sums are about √depth · 2^12; the factor brings them to the output's range, and now and then far beyond.
        let usual = -6 - (usize::BITS - depth.leading_zeros()) as i32 / 2;
        let spread = random.pick(&[1, 3, 9]);
        let mut parameters = Self {
            bias: [0; CHANNELS],
            multipliers: [Multiplier::default(); CHANNELS],
            has_bias: !random.one_in(6),
            per_channel: !random.one_in(4),
            input_zero_point: random.int8().into(),
            output,
        };
        for bias in &mut parameters.bias {
            *bias = random.between(-largest_bias, largest_bias);
        }
        for multiplier in &mut parameters.multipliers {
            let mantissa = match random.between(0, 9) {
                0 => 1 << 30,
                1 => i32::MAX,
                _ => random.between(1 << 30, i32::MAX),
            };
            *multiplier = Multiplier { mantissa, shift: (usual + random.between(-spread, spread)).clamp(-31, 7) };
        }
        parameters
    }

    fn weights<'a>(&'a self, values: &'a [i8], channels: usize) -> Weights<'a> {
        Weights {
            values,
            bias: if self.has_bias { &self.bias[..channels] } else { &[] },
            multipliers: &self.multipliers[..if self.per_channel { channels } else { 1 }],
            input_zero_point: self.input_zero_point,
        }
    }
}

/// Weights: random, all at one end, or without −128 as converters make them.
pub(super) fn draw_weights<'a>(
    random: &mut Random,
    memory: &mut Memory<'a>,
    count: usize,
) -> Result<&'a mut [i8], Failure> {
    match random.between(0, 9) {
        0 => memory.filled(count, || -128),
        1 => memory.filled(count, || 127),
        2..6 => memory.filled(count, || random.int8()),
        _ => memory.filled(count, || random.int8().max(-127)),
    }
}

/// A window over a small image. Some are refused as shapes; those are drawn anew.
pub(super) fn draw_window(random: &mut Random) -> (Window2d, usize) {
    let channels = random.pick(&[1, 1, 2, 3, 4, 5, 7, 8, 8, 12, 16, 17, 24, 33, 64]);
    let largest = if channels > 12 { 6 } else { 13 };
    let (height, width) = match random.between(0, 7) {
        0 => (1, 1),
        1 => (1, random.length(1, 30)),
        _ => (random.length(1, largest), random.length(1, largest)),
    };
    let kernel = match random.between(0, 7) {
        0..3 => WindowSize::hw(1, 1),
        3 => WindowSize::hw(3, 3),
        _ => WindowSize::hw(random.length(1, 5), random.length(1, 5)),
    };
    let mut window = Window2d::over(Image::hwc(height, width, channels), kernel);
    match random.between(0, 3) {
        0 => {}
        1 => window = window.stride(2, 2),
        _ => window = window.stride(random.length(1, 4), random.length(1, 4)),
    }
    if random.one_in(3) {
        window = window.dilation(random.length(1, 3), random.length(1, 3));
    }
    match random.between(0, 4) {
        0..2 => {}
        2..4 => window = window.same(),
        _ => {
            let mut side = || random.length(0, 4);
            window = window.padding(side(), side(), side(), side());
        }
    }
    if random.one_in(3) {
        window = window.batch(random.length(1, 3));
    }
    (window, channels)
}

/// A shape that a constructor refuses is none of ours.
pub(super) fn drawn<T>(shape: Result<T, ShapeError>) -> Result<T, Failure> {
    shape.map_err(|_| Failure::TooSmall)
}

/// One case: packs for every backend, runs the portable layout and the build's own, apart and overlapping.
macro_rules! case {
    (
        $random:ident, $memory:ident, $tolerance:ident, $shape:ident, depth $depth:expr, channels $outputs:expr,
        gap $gap:expr, packing $pack:path, $pack_words:path, oracle $oracle:path, layer $layer:expr, run $run:path
    ) => {{
        let outputs: usize = $outputs;
        let parameters = Parameters::draw($random, $depth);
        let values = draw_weights($random, &mut $memory, $shape.weights())?;
        let weights = parameters.weights(values, outputs);
        let gap: usize = $gap;
        let buffer = $memory.elements::<i8>((gap + $shape.input_len()).max($shape.output_len()))?;
        let output = $memory.elements::<i8>($shape.output_len())?;
        let input = $memory.filled($shape.input_len(), || $random.int8())?;
        let expected = |index| $oracle(&$shape, &weights, &parameters.output, input, index);
        let room = Backend::ALL.into_iter().map(|backend| $pack_words(backend, &$shape)).max().unwrap_or(0);
        let words = $memory.words(room)?;
        let mut channels = [Channel::default(); CHANNELS];
        let channels = &mut channels[..outputs];
        let pack = |backend, words: &mut [u32], channels: &mut [Channel]| -> Result<Packed, Failure> {
            let room = $pack_words(backend, &$shape);
            $pack(backend, &$shape, &weights, &parameters.output, &mut words[..room], channels)
                .map_err(Failure::refused("packing"))
        };
        for backend in Backend::ALL {
            pack(backend, words, channels)?;
        }
        for backend in [Backend::Portable, Backend::CURRENT] {
            let packed = pack(backend, words, channels)?;
            let layer = $layer($shape, &words[..packed.words], &*channels, packed.layout, &parameters)
                .map_err(Failure::refused("the layer"))?;
            // A copy of what is left, so that each backend's scratch starts from the same place.
            let scratch = $memory.reborrow().words(layer.scratch_words())?;
            let (apart, overlapping) = match backend {
                Backend::Portable => ("portable", "portable, overlapping"),
                _ => ("backend", "backend, overlapping"),
            };
            output.fill(85);
            $run(&layer, Separate { input, output }, scratch).map_err(Failure::refused(apart))?;
            compare(apart, $tolerance, output, expected)?;
            buffer.fill(-86);
            buffer[gap..gap + input.len()].copy_from_slice(input);
            Overlapping::new(buffer, (gap, input.len()), (0, output.len()))
                .and_then(|tensors| $run(&layer, tensors, scratch))
                .map_err(Failure::refused(overlapping))?;
            compare(overlapping, $tolerance, &buffer[..output.len()], expected)?;
        }
        Ok(())
    }};
}

pub(super) fn conv2d(trial: Trial<'_>) -> Result<(), Failure> {
    if trial.random.one_in(4) {
        return conv2d_winograd(trial);
    }
    let Trial { random, mut memory, tolerance } = trial;
    let (window, _) = draw_window(random);
    let outputs = random.length(1, CHANNELS);
    let shape = drawn(window.conv(outputs))?;
    case!(
        random, memory, tolerance, shape, depth shape.depth(), channels outputs,
        gap shape.overlap_gap(), packing pack::conv2d, pack::conv2d_words, oracle oracle::conv2d,
        layer |shape, words, channels, layout, parameters: &Parameters| {
            Conv2d::new(shape, words, channels, layout, parameters.output, parameters.input_zero_point)
        },
        run conv::conv2d
    )
}

/// A convolution of a shape that Winograd's products may serve, by them where the backend has them.
fn conv2d_winograd(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let channels = random.pick(&[4, 4, 8, 12, 16, 20, 36]);
    let largest = if channels > 8 { 6 } else { 11 };
    let image = Image::hwc(random.length(1, largest), random.length(1, largest), channels);
    let mut window = Window2d::over(image, WindowSize::hw(3, 3));
    if random.one_in(2) {
        window = window.same();
    } else {
        let mut side = || random.length(0, 4);
        window = window.padding(side(), side(), side(), side());
    }
    if random.one_in(4) {
        window = window.batch(random.length(1, 3));
    }
    let outputs = random.length(1, CHANNELS);
    let shape = drawn(window.conv(outputs))?;
    // In front of the gap of the one layout there is room for that of the other.
    let winograd = pack::winograd_layout(Backend::CURRENT, &shape).unwrap_or_default();
    let gap = pack::overlap_gap(winograd, &shape).max(shape.overlap_gap());
    case!(
        random, memory, tolerance, shape, depth shape.depth(), channels outputs,
        gap gap, packing pack_winograd, winograd_words, oracle oracle::conv2d,
        layer |shape, words, channels, layout, parameters: &Parameters| {
            Conv2d::new(shape, words, channels, layout, parameters.output, parameters.input_zero_point)
        },
        run conv::conv2d
    )
}

/// Packs for Winograd's products, or in the backend's own layout where there are none for the shape or the weights.
fn pack_winograd(
    backend: Backend,
    shape: &Conv2dShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    match pack::conv2d_winograd(backend, shape, weights, output, words, channels)? {
        Some(packed) => Ok(packed),
        None => pack::conv2d(backend, shape, weights, output, words, channels),
    }
}

fn winograd_words(backend: Backend, shape: &Conv2dShape) -> usize {
    pack::conv2d_words(backend, shape).max(pack::conv2d_winograd_words(backend, shape))
}

/// A window over an image of one column, one of many taps, or one of nine over more channels than a block has: backends have bodies of
/// their own for each.
fn draw_depthwise_window(random: &mut Random) -> (Window2d, usize) {
    let mut channels = random.pick(&[1, 2, 3, 5, 7, 8, 9, 10]);
    let window = match random.between(0, 3) {
        0 => {
            let image = Image::hwc(random.length(1, 30), 1, channels);
            Window2d::over(image, WindowSize::hw(random.length(1, 12), 1)).stride(random.length(1, 3), 1)
        }
        1 => {
            let image = Image::hwc(random.length(5, 12), random.length(5, 12), channels);
            Window2d::over(image, WindowSize::hw(random.length(5, 9), random.length(5, 9)))
        }
        2 => {
            // Strides that are wider than the image, behind paddings that are wider than what is seen of them.
            let image = Image::hwc(random.length(1, 5), random.length(1, 2), channels);
            let kernel = WindowSize::hw(random.length(1, 3), random.length(1, 3));
            let window = Window2d::over(image, kernel).stride(1, random.length(3, 6));
            return (window.padding(random.length(1, 2), 0, random.length(8, 24), 0), channels);
        }
        _ => {
            channels = random.pick(&[9, 10, 12, 15, 17, 20]);
            let image = Image::hwc(random.length(3, 7), random.length(3, 7), channels);
            Window2d::over(image, WindowSize::hw(3, 3))
        }
    };
    (if random.one_in(2) { window.same() } else { window }, channels)
}

pub(super) fn depthwise_conv2d(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (window, channels) = if random.one_in(4) { draw_depthwise_window(random) } else { draw_window(random) };
    let multiplier = random.pick(&[1, 1, 1, 1, 2, 3, 5, 8]);
    if channels * multiplier > CHANNELS {
        return Err(Failure::TooSmall);
    }
    let shape: DepthwiseConv2dShape = drawn(window.depthwise(multiplier))?;
    // Kernels may look at where the tensors lie: at the least distance, some pixels more, or any number of bytes.
    let gap = shape.overlap_gap() + random.pick(&[0, 0, 1, 3, channels, 5 * channels]);
    case!(
        random, memory, tolerance, shape, depth shape.depth(), channels shape.output().channels,
        gap gap, packing pack::depthwise_conv2d, pack::depthwise_conv2d_words, oracle oracle::depthwise_conv2d,
        layer |shape, words, channels, layout, parameters: &Parameters| {
            DepthwiseConv2d::new(shape, words, channels, layout, parameters.output, parameters.input_zero_point)
        },
        run conv::depthwise_conv2d
    )
}

pub(super) fn dense(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let batch = if random.one_in(3) { random.length(2, 4) } else { 1 };
    let inputs = if random.one_in(4) { random.length(1, 300) } else { random.length(1, 40) };
    let shape = drawn(DenseShape::new(batch, inputs, random.length(1, CHANNELS)))?;
    case!(
        random, memory, tolerance, shape, depth inputs, channels shape.outputs(),
        gap shape.overlap_gap(), packing pack::dense, pack::dense_words, oracle oracle::dense,
        layer |shape, words, channels, layout, parameters: &Parameters| {
            Dense::new(shape, words, channels, layout, parameters.output)
        },
        run dense_layer::dense
    )
}

//! What a safe program can try with layers whose weights are packed: any layout, number of words and channels, values and
//! ranges for any shape. A constructor refuses what does not belong together, and a layer that it takes stays within its
//! memory: nothing around its tensors is written, and nothing around them, its words and its scratch memory has a say in its
//! outputs.

use smolnn_core::{DenseShape, Image, ShapeError, Window2d, WindowSize};
use smolnn_fixed::conv::{Conv2d, DepthwiseConv2d, conv2d, depthwise_conv2d};
use smolnn_fixed::dense::{Dense, DenseToInt16, dense, dense_to_int16};
use smolnn_fixed::pack::{self, Layout, PackedShape};
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Backend, Channel, Separate, Weights};

use crate::Random;

/// What became of the attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Layers that were made, and ran.
    pub run: u32,
    /// Of those, layers whose layout is not the portable one.
    pub own: u32,
    /// Attempts that a constructor refused.
    pub refused: u32,
    /// Layers that left their memory, or did not run.
    pub failed: u32,
    /// The seed of the first of them.
    pub first: Option<u64>,
}

impl Attempts {
    /// Whether layers of the build's own layouts and of the portable one were made, others refused, and none failed.
    pub fn passed(&self) -> bool {
        let own = Backend::CURRENT == Backend::Portable || self.own > 0;
        self.failed == 0 && self.run > self.own && own && self.refused > 0
    }
}

/// Makes attempts with the seeds from 1 to `seeds`, in at least 4096 words of memory.
pub fn attempts(memory: &mut [u32], seeds: u64) -> Attempts {
    let mut attempts = Attempts::default();
    for seed in 1..=seeds {
        let Some(attempt) = Attempt::draw(&mut Random::new(seed)) else { continue };
        match attempt.run(seed, memory) {
            Err(_) => attempts.refused += 1,
            Ok(is_good) => {
                attempts.run += 1;
                attempts.own += u32::from(attempt.layout != Layout::Portable);
                attempts.failed += u32::from(!is_good);
                if !is_good {
                    attempts.first = attempts.first.or(Some(seed));
                }
            }
        }
    }
    attempts
}

/// Most output channels, weights, words of packed weights, and elements of a tensor.
const CHANNELS: usize = 24;
const WEIGHTS: usize = 1024;
const WORDS: usize = 1024;
const ELEMENTS: usize = 2048;

/// Words around everything that a layer may use.
const GUARD: usize = 16;

/// Everything but the contents of words and tensors.
struct Attempt {
    shape: PackedShape,
    layout: Layout,
    words: usize,
    /// Of which so many are handed to the layer.
    channels: ([Channel; CHANNELS + 2], usize),
    output: OutputRange,
    zero_point: i32,
}

/// A layer that was taken.
enum Layer<'a> {
    Conv2d(Conv2d<'a>),
    DepthwiseConv2d(DepthwiseConv2d<'a>),
    Dense(Dense<'a>),
    DenseToInt16(DenseToInt16<'a>),
}

impl Attempt {
    /// Draws an attempt; `None` where there is no such shape, or a large one.
    fn draw(random: &mut Random) -> Option<Self> {
        let shape = draw_shape(random).ok()?;
        let [input, output] = lengths(&shape);
        if shape.outputs() > CHANNELS || shape.weights() > WEIGHTS || input > ELEMENTS || output > ELEMENTS {
            return None;
        }
        let mut output = super::output_range(random);
        let mut zero_point = random.int8().into();
        if random.one_in(8) {
            let value = random.pick(&[128, -129, 1000, i32::MAX, i32::MIN]);
            match random.between(0, 3) {
                0 => output.zero_point = value,
                1 => output.minimum = value,
                2 => output.maximum = value,
                _ => zero_point = value,
            }
        }
        let mut channels = [Channel::default(); CHANNELS + 2];
        for channel in &mut channels {
            let [bias, multiplier, shift] = [random.bits(), random.bits(), random.bits()].map(|bits| bits as i32);
            *channel = if random.one_in(2) {
                Channel { bias, multiplier, shift }
            } else {
                // As a backend writes them, so that outputs are not all saturated.
                Channel { bias: bias >> 20, multiplier: multiplier >> 1 & i32::MAX | 1 << 30, shift: shift >> 28 }
            };
        }
        let (layout, words, count) = draw_packed(random, &shape)?;
        Some(Self { shape, layout, words, channels: (channels, count), output, zero_point })
    }

    fn layer<'a>(&'a self, words: &'a [u32]) -> Result<Layer<'a>, ShapeError> {
        let Self { layout, output, zero_point, .. } = *self;
        let channels = &self.channels.0[..self.channels.1];
        Ok(match self.shape {
            PackedShape::Conv2d(shape) => {
                Layer::Conv2d(Conv2d::new(shape, words, channels, layout, output, zero_point)?)
            }
            PackedShape::DepthwiseConv2d(shape) => {
                Layer::DepthwiseConv2d(DepthwiseConv2d::new(shape, words, channels, layout, output, zero_point)?)
            }
            PackedShape::Dense(shape) => Layer::Dense(Dense::new(shape, words, channels, layout, output)?),
            PackedShape::DenseToInt16(shape) => Layer::DenseToInt16(DenseToInt16::new(shape, words, channels, layout)?),
        })
    }

    /// Runs the layer amid guards of two patterns, and says whether the guards stayed what they were and the outputs were the
    /// same.
    fn run(&self, seed: u64, memory: &mut [u32]) -> Result<bool, ShapeError> {
        let scratch = match self.layer(&[0; WORDS][..self.words])? {
            Layer::Conv2d(layer) => layer.scratch_words(),
            Layer::DepthwiseConv2d(layer) => layer.scratch_words(),
            Layer::Dense(layer) => layer.scratch_words(),
            Layer::DenseToInt16(layer) => layer.scratch_words(),
        };
        let [input, output] = lengths(&self.shape);
        let width = if matches!(self.shape, PackedShape::DenseToInt16(_)) { 2 } else { 1 };
        let parts = [self.words, input.div_ceil(4), (output * width).div_ceil(4), scratch];
        ShapeError::check_capacity("the memory", parts.iter().sum::<usize>() + 5 * GUARD, memory.len())?;
        let mut sums = [0; 2];
        for (pattern, sum) in [0x5555_5555, 0xA3A3_A3A3].into_iter().zip(&mut sums) {
            memory.fill(pattern);
            let random = &mut Random::new(!seed);
            let mut rest = &mut memory[GUARD..];
            let [words, inputs, outputs, scratch] = parts.map(|length| {
                let (part, behind) = core::mem::take(&mut rest).split_at_mut(length);
                rest = &mut behind[GUARD..];
                part
            });
            words.fill_with(|| random.bits());
            inputs.fill_with(|| random.bits());
            scratch.fill(0);
            let inputs = &bytemuck::cast_slice(inputs)[..input];
            if !self.layer(words)?.run(inputs, outputs, output, scratch) {
                return Ok(false);
            }
            let bytes: &[u8] = bytemuck::cast_slice(outputs);
            let (used, unused) = bytes.split_at(output * width);
            *sum =
                used.iter().fold(0, |sum: u32, &byte| sum.rotate_left(5) ^ u32::from(byte).wrapping_mul(0x9E37_79B9));
            if unused.iter().any(|&byte| byte != pattern as u8) {
                return Ok(false);
            }
            let mut start = 0;
            for part in parts {
                if memory[start..start + GUARD].iter().any(|&word| word != pattern) {
                    return Ok(false);
                }
                start += GUARD + part;
            }
            if memory[start..].iter().any(|&word| word != pattern) {
                return Ok(false);
            }
        }
        Ok(sums[0] == sums[1])
    }
}

impl Layer<'_> {
    fn run(&self, input: &[i8], output: &mut [u32], length: usize, scratch: &mut [u32]) -> bool {
        if let Self::DenseToInt16(layer) = self {
            return dense_to_int16(layer, input, &mut bytemuck::cast_slice_mut(output)[..length], scratch).is_ok();
        }
        let output = &mut bytemuck::cast_slice_mut(output)[..length];
        match self {
            Self::Conv2d(layer) => conv2d(layer, Separate { input, output }, scratch),
            Self::DepthwiseConv2d(layer) => depthwise_conv2d(layer, Separate { input, output }, scratch),
            Self::Dense(layer) => dense(layer, Separate { input, output }, scratch),
            Self::DenseToInt16(_) => Ok(()),
        }
        .is_ok()
    }
}

/// Elements of input and output.
fn lengths(shape: &PackedShape) -> [usize; 2] {
    match shape {
        PackedShape::Conv2d(shape) => [shape.input_len(), shape.output_len()],
        PackedShape::DepthwiseConv2d(shape) => [shape.input_len(), shape.output_len()],
        PackedShape::Dense(shape) | PackedShape::DenseToInt16(shape) => [shape.input_len(), shape.output_len()],
    }
}

fn draw_shape(random: &mut Random) -> Result<PackedShape, ShapeError> {
    let operator = random.between(0, 4);
    if operator < 2 {
        let [inputs, outputs] = [random.length(1, 70), random.length(1, CHANNELS)];
        let batch = if random.one_in(3) { 3 } else { 1 };
        let shape = DenseShape::new(batch, inputs, outputs)?;
        return Ok(if operator == 0 { PackedShape::Dense(shape) } else { PackedShape::DenseToInt16(shape) });
    }
    let channels = random.pick(&[1, 1, 2, 3, 4, 5, 8, 9, 16, 17, 24]);
    let kernel = if random.one_in(2) { [3, 3] } else { [random.length(1, 4), random.length(1, 4)] };
    let image = Image::hwc(random.length(1, 7), random.length(1, 7), channels);
    let mut window = Window2d::over(image, WindowSize::hw(kernel[0], kernel[1]));
    if random.one_in(2) {
        window = window.stride(random.length(1, 3), random.length(1, 3));
    }
    if random.one_in(4) {
        window = window.dilation(random.length(1, 3), random.length(1, 3));
    }
    match random.between(0, 2) {
        0 => {}
        1 => window = window.same(),
        _ => {
            let mut side = || random.length(0, 4);
            window = window.padding(side(), side(), side(), side());
        }
    }
    if random.one_in(4) {
        window = window.batch(random.pick(&[2, 3, 1 << 30]));
    }
    if operator < 4 {
        return Ok(PackedShape::DepthwiseConv2d(window.depthwise(random.pick(&[1, 1, 2, 3]))?));
    }
    if random.one_in(8) {
        window = window.groups(2);
    }
    Ok(PackedShape::Conv2d(window.conv(random.length(1, CHANNELS))?))
}

/// A layout, and how many words and channels are handed to the constructor: mostly those of the build's backend, else anything.
fn draw_packed(random: &mut Random, shape: &PackedShape) -> Option<(Layout, usize, usize)> {
    let backend = if random.one_in(4) { Backend::Portable } else { Backend::CURRENT };
    let values = [1; WEIGHTS];
    let multipliers = [Multiplier::from_f64(random.pick(&[0.003, 0.7, 1.5]))];
    let weights =
        Weights { values: &values[..shape.weights()], bias: &[], multipliers: &multipliers, input_zero_point: 0 };
    let (mut words, mut channels) = ([0; WORDS], [Channel::default(); CHANNELS]);
    let channels = &mut channels[..shape.outputs()];
    let packed = pack::pack(backend, shape, &weights, &OutputRange::int8(0), &mut words, channels);
    let (mut layout, mut words, mut count) = match packed {
        Ok(packed) => (packed.layout, packed.words, packed.channels),
        Err(_) => (Layout::Portable, random.length(0, WORDS), shape.outputs()),
    };
    if random.one_in(3) {
        layout = random.pick(&Layout::ALL);
    }
    if random.one_in(4) {
        let any = random.length(0, WORDS);
        words = random.pick(&[0, 36, words + 1, words.saturating_sub(1), any]);
    }
    if random.one_in(8) {
        count = random.length(0, CHANNELS + 2);
    }
    (words <= WORDS).then_some((layout, words, count))
}

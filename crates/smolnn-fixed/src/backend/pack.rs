//! Weights in the order in which a backend reads them.
//!
//! Every backend's packing is compiled everywhere: the importer packs on the host for the target, tests pack for the
//! backend they run. A packed layer is words (weights, in any form) and one [`Channel`] per output channel with the
//! zero point of the input folded into the bias: Σ (x − z)·w + b = Σ x·w + (b − z·Σ w). Padding counts as the value z,
//! so that the same bias serves every pixel.
//!
//! A backend that has no packing of its own for an operator uses the portable one, and the portable body with it:
//! [`layout`](Packed::layout) says which, and a kernel only runs the layouts it knows.

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, ShapeError};

use super::dsp::pack as dsp;
use super::helium::pack as helium;
use super::portable::pack as portable;
use super::scalar::pack as scalar;
use crate::Backend;
use crate::quantise::{Multiplier, OutputRange};

/// The weights of a layer as TensorFlow Lite stores them.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// int8, symmetric: OHWI for convolutions, 1HWC for depthwise, outputs × inputs for dense layers.
    pub values: &'a [i8],
    /// One per output channel, scale s_in · s_w; empty stands for zeros.
    pub bias: &'a [i32],
    /// s_in · s_w / s_out: one per output channel, or one for all.
    pub multipliers: &'a [Multiplier],
    /// Zero point of the input.
    pub input_zero_point: i32,
}

impl Weights<'_> {
    /// Checks the lengths for a layer of `weights` weights and `channels` output channels.
    ///
    /// # Errors
    /// [`ShapeError::Length`].
    pub const fn check(&self, weights: usize, channels: usize) -> Result<(), ShapeError> {
        if let Err(error) = ShapeError::check_length("the weights", weights, self.values.len()) {
            return Err(error);
        }
        if !self.bias.is_empty()
            && let Err(error) = ShapeError::check_length("the bias", channels, self.bias.len())
        {
            return Err(error);
        }
        if self.multipliers.len() == 1 {
            return Ok(());
        }
        ShapeError::check_length("the multipliers", channels, self.multipliers.len())
    }

    /// Bias of output channel `channel`.
    pub fn bias(&self, channel: usize) -> i32 {
        self.bias.get(channel).copied().unwrap_or(0)
    }

    /// Multiplier of output channel `channel`.
    pub fn multiplier(&self, channel: usize) -> Multiplier {
        let index = if self.multipliers.len() == 1 { 0 } else { channel };
        self.multipliers.get(index).copied().unwrap_or_default()
    }
}

/// What the accumulator of one output channel starts from and how it becomes an output, in the backend's encoding.
/// The portable encoding: folded bias, mantissa and shift of the [`Multiplier`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Channel {
    /// Bias, zero point folded in.
    pub bias: i32,
    /// Mantissa of the multiplier.
    pub multiplier: i32,
    /// Shift of the multiplier, and whatever else a backend puts here.
    pub shift: i32,
}

/// Which layout the words of a layer have. Every layout of every backend has a number of its own: the backend's place
/// in [`Backend::ALL`] times 16, plus the backend's own count. 0 is the portable one, which every build runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout(pub u8);

impl Layout {
    /// The portable layout: bytes in the order of TensorFlow Lite.
    pub const PORTABLE: Self = Self(0);

    /// Layout `number`, below 16, of the backend.
    pub const fn of(backend: Backend, number: u8) -> Self {
        Self((backend as u8) << 4 | number)
    }

    /// Whether it is the other. `==` in constants.
    pub const fn is(self, other: Self) -> bool {
        self.0 == other.0
    }

    /// The backend whose layout it is.
    pub const fn backend(self) -> Backend {
        let mut index = 0;
        while index < Backend::ALL.len() {
            if Backend::ALL[index] as u8 == self.0 >> 4 {
                return Backend::ALL[index];
            }
            index += 1;
        }
        Backend::Portable
    }

    /// Whether this build runs it.
    pub const fn runs_here(self) -> bool {
        self.is(Self::PORTABLE) || self.0 >> 4 == Backend::CURRENT as u8
    }
}

/// What packing gave. The layout decides how much scratch memory the layer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Words used.
    pub words: usize,
    /// Channels used. Those behind need not be kept: a layer takes the whole slice as well.
    pub channels: usize,
    /// Their layout.
    pub layout: Layout,
}

/// What a layer of some layout takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Words of weights.
    pub words: usize,
    /// Channels; 0 where the layout keeps their parameters among the words.
    pub channels: usize,
    /// Words of scratch memory while the layer runs.
    pub scratch: usize,
}

impl Needs {
    /// Checks that this build runs the layout and that words and channels are as many as it reads.
    pub(crate) const fn check(&self, layout: Layout, words: usize, channels: usize) -> Result<(), ShapeError> {
        if !layout.runs_here() {
            return Err(ShapeError::Range("the weights are packed for another backend than this build runs"));
        }
        if let Err(error) = ShapeError::check_length("the packed words", self.words, words) {
            return Err(error);
        }
        if self.channels == 0 { Ok(()) } else { ShapeError::check_length("the channels", self.channels, channels) }
    }
}

/// What the convolution takes with weights of the layout.
pub const fn conv2d_needs(layout: Layout, shape: &Conv2dShape) -> Needs {
    match layout.backend() {
        Backend::Dsp => dsp::conv2d_needs(layout, shape),
        Backend::Helium => helium::conv2d_needs(layout, shape),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::conv2d_needs(layout, shape),
        _ => portable::conv2d_needs(shape),
    }
}

/// Most words that packing the convolution takes for the backend; the words used may be fewer.
pub const fn conv2d_words(backend: Backend, shape: &Conv2dShape) -> usize {
    match backend {
        Backend::Dsp => dsp::conv2d_words(shape),
        Backend::Helium => helium::conv2d_words(shape),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::conv2d_words(backend, shape),
        _ => portable::words(shape.weights()),
    }
}

/// Packs the weights of a convolution.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short.
pub fn conv2d(
    backend: Backend,
    shape: &Conv2dShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    match backend {
        Backend::Dsp => dsp::conv2d(shape, weights, output, words, channels),
        Backend::Helium => helium::conv2d(shape, weights, words, channels),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::conv2d(backend, shape, weights, output, words, channels),
        _ => portable::conv2d(shape, weights, words, channels),
    }
}

/// The convolution that a depthwise convolution of one input channel is.
pub(crate) const fn as_conv2d(shape: &DepthwiseConv2dShape) -> Option<Conv2dShape> {
    if shape.input().channels == 1 { Some(shape.as_conv2d()) } else { None }
}

/// What the depthwise convolution takes with weights of the layout.
pub const fn depthwise_conv2d_needs(layout: Layout, shape: &DepthwiseConv2dShape) -> Needs {
    match layout.backend() {
        Backend::Dsp => dsp::depthwise_conv2d_needs(layout, shape),
        Backend::Helium => helium::depthwise_conv2d_needs(layout, shape),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::depthwise_conv2d_needs(layout, shape),
        _ => portable::depthwise_conv2d_needs(shape),
    }
}

/// Most words that packing the depthwise convolution takes for the backend; the words used may be fewer.
pub const fn depthwise_conv2d_words(backend: Backend, shape: &DepthwiseConv2dShape) -> usize {
    match backend {
        Backend::Dsp => dsp::depthwise_conv2d_words(shape),
        Backend::Helium => helium::depthwise_conv2d_words(shape),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::depthwise_conv2d_words(backend, shape),
        _ => portable::words(shape.weights()),
    }
}

/// Packs the weights of a depthwise convolution.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short.
pub fn depthwise_conv2d(
    backend: Backend,
    shape: &DepthwiseConv2dShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    match backend {
        Backend::Dsp => dsp::depthwise_conv2d(shape, weights, output, words, channels),
        Backend::Helium => helium::depthwise_conv2d(shape, weights, words, channels),
        Backend::V7m | Backend::V6m | Backend::Rv32 => {
            scalar::depthwise_conv2d(backend, shape, weights, output, words, channels)
        }
        _ => portable::depthwise_conv2d(shape, weights, words, channels),
    }
}

/// What the dense layer takes with weights of the layout.
pub const fn dense_needs(layout: Layout, shape: &DenseShape) -> Needs {
    match layout.backend() {
        Backend::Dsp => dsp::dense_needs(layout, shape),
        Backend::Helium => helium::dense_needs(layout, shape),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::dense_needs(layout, shape),
        _ => portable::dense_needs(shape),
    }
}

/// Most words that packing the dense layer takes for the backend; the words used may be fewer.
pub const fn dense_words(backend: Backend, shape: &DenseShape) -> usize {
    match backend {
        Backend::Dsp => dsp::dense_words(shape),
        Backend::Helium => helium::dense_words(shape),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::dense_words(backend, shape),
        _ => portable::words(shape.weights()),
    }
}

/// Packs the weights of a dense layer.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short.
pub fn dense(
    backend: Backend,
    shape: &DenseShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    match backend {
        Backend::Dsp => dsp::dense(shape, weights, output, words, channels),
        Backend::Helium => helium::dense(shape, weights, words, channels),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::dense(backend, shape, weights, output, words, channels),
        _ => portable::dense(shape, weights, words, channels),
    }
}

/// What the dense layer to int16 takes with weights of the layout.
pub const fn dense_to_int16_needs(layout: Layout, shape: &DenseShape) -> Needs {
    match layout.backend() {
        Backend::Dsp => dsp::dense_to_int16_needs(layout, shape),
        Backend::Helium => helium::dense_to_int16_needs(layout, shape),
        _ => portable::dense_needs(shape),
    }
}

/// Most words that packing the dense layer to int16 takes for the backend; the words used may be fewer.
pub const fn dense_to_int16_words(backend: Backend, shape: &DenseShape) -> usize {
    match backend {
        Backend::Dsp => dsp::dense_to_int16_words(shape),
        Backend::Helium => helium::dense_to_int16_words(shape),
        _ => portable::words(shape.weights()),
    }
}

/// Packs the weights of a dense layer to int16.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short.
pub fn dense_to_int16(
    backend: Backend,
    shape: &DenseShape,
    weights: &Weights<'_>,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    match backend {
        Backend::Dsp => dsp::dense_to_int16(shape, weights, words, channels),
        Backend::Helium => helium::dense_to_int16(shape, weights, words),
        _ => portable::dense(shape, weights, words, channels),
    }
}

//! Weights in the order in which a backend reads them.
//!
//! Every backend's packing is compiled everywhere: the importer packs on the host for the target, tests pack for the
//! backend they run. A packed layer is words (weights, in any form) and one [`Channel`] per output channel with the
//! zero point of the input folded into the bias: Σ (x − z)·w + b = Σ x·w + (b − z·Σ w). Padding counts as the value z,
//! so that the same bias serves every pixel.
//!
//! For each operator and shape a backend has one [`Layout`], or none. Weights that do not meet its conditions, and operators
//! that it has no layout for, get the portable layout, and run the portable body. A layer's constructor takes a layout only
//! for the shapes that packing gives it to, with as many words and channels: what a body reads is there.
#![forbid(unsafe_code)]

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, ShapeError};

pub use super::layer::PackedLayer;
use super::{costs, dsp, helium, portable, scalar, winograd};
use crate::Backend;
use crate::quantise::{Multiplier, OutputRange};

/// The weights of a layer as TensorFlow Lite stores them.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// Weights as int8 with a zero point of 0: OHWI for convolutions, 1HWC for depthwise, outputs × inputs for dense layers.
    pub values: &'a [i8],
    /// Biases, one per output channel, at the scale s_in · s_w. An empty slice stands for zeros.
    pub bias: &'a [i32],
    /// Multipliers s_in · s_w / s_out, one per output channel, or one for all.
    pub multipliers: &'a [Multiplier],
    /// The zero point of the input.
    pub input_zero_point: i32,
}

impl Weights<'_> {
    /// Checks lengths and values for a layer of `weights` weights and `channels` output channels.
    ///
    /// # Errors
    /// [`ShapeError::Length`]; [`ShapeError::Range`] when the zero point lies outside of int8, or a multiplier is none that
    /// [`Multiplier::from_f64`] gives.
    pub const fn check(&self, weights: usize, channels: usize) -> Result<(), ShapeError> {
        if let Err(error) = ShapeError::check_length("the weights", weights, self.values.len()) {
            return Err(error);
        }
        if !self.bias.is_empty()
            && let Err(error) = ShapeError::check_length("the bias", channels, self.bias.len())
        {
            return Err(error);
        }
        if self.multipliers.len() != 1
            && let Err(error) = ShapeError::check_length("the multipliers", channels, self.multipliers.len())
        {
            return Err(error);
        }
        if self.input_zero_point < -128 || self.input_zero_point > 127 {
            return Err(ShapeError::Range("the input's zero point is not within -128..=127"));
        }
        Multiplier::check_all(self.multipliers)
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
    /// Bias, with the input's zero point folded in.
    pub bias: i32,
    /// Mantissa of the multiplier.
    pub multiplier: i32,
    /// Shift of the multiplier, and whatever else a backend puts here.
    pub shift: i32,
}

/// The layout of a layer's words: that of a backend for some operators and shapes, or the portable one, which serves all and
/// which every build runs. The file `pack.rs` in a backend's folder describes its layouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Bytes in the order of TensorFlow Lite.
    #[default]
    Portable,
    /// DSP: a stream of words per pair of output channels, for convolutions and dense layers of several vectors.
    DspPairs,
    /// DSP: a stream of words per pair of output channels whose weights do not fit two to a halfword, or whose sums are longer.
    DspWide,
    /// DSP: a stream per eight outputs, for dense layers of one vector.
    DspEights,
    /// DSP: depthwise convolutions 3×3.
    DspThree,
    /// DSP: other depthwise convolutions, two rows of the kernel at a time.
    DspPlanes,
    /// DSP: depthwise convolutions whose taps are at equal distances, or whose output has one column or, of four channels and more, two.
    DspTaps,
    /// DSP: dense layers to int16.
    DspToInt16,
    /// DSP: 3×3 convolutions of stride 1 by Winograd's products, where packing is asked for them.
    DspWinograd,
    /// Helium: blocks of four output channels, for convolutions and dense layers.
    HeliumMatrix,
    /// Helium: depthwise convolutions.
    HeliumDepthwise,
    /// Helium: dense layers to int16.
    HeliumToInt16,
    /// v7-M: accumulators and shifts are small enough for the short rounding.
    V7mShort,
    /// v7-M: any accumulator, any shift.
    V7mGeneral,
    /// v7-M: 3×3 convolutions of stride 1 by Winograd's products, where packing is asked for them.
    V7mWinograd,
    /// v6-M: accumulators and shifts are small enough for the short rounding.
    V6mShort,
    /// v6-M: any accumulator, any shift.
    V6mGeneral,
    /// v6-M: 3×3 convolutions of stride 1 by Winograd's products, where packing is asked for them.
    V6mWinograd,
    /// RV32: accumulators and shifts are small enough for the short rounding.
    Rv32Short,
    /// RV32: any accumulator, any shift.
    Rv32General,
    /// RV32: 3×3 convolutions of stride 1 by Winograd's products, where packing is asked for them.
    Rv32Winograd,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 21] = [
        Self::Portable,
        Self::DspPairs,
        Self::DspWide,
        Self::DspEights,
        Self::DspThree,
        Self::DspPlanes,
        Self::DspTaps,
        Self::DspToInt16,
        Self::DspWinograd,
        Self::HeliumMatrix,
        Self::HeliumDepthwise,
        Self::HeliumToInt16,
        Self::V7mShort,
        Self::V7mGeneral,
        Self::V7mWinograd,
        Self::V6mShort,
        Self::V6mGeneral,
        Self::V6mWinograd,
        Self::Rv32Short,
        Self::Rv32General,
        Self::Rv32Winograd,
    ];

    /// Whether both are the same layout: `==` for constants.
    pub const fn is(self, other: Self) -> bool {
        self as u8 == other as u8
    }

    /// The backend that the layout belongs to.
    pub const fn backend(self) -> Backend {
        match self {
            Self::Portable => Backend::Portable,
            Self::DspPairs
            | Self::DspWide
            | Self::DspEights
            | Self::DspThree
            | Self::DspPlanes
            | Self::DspTaps
            | Self::DspToInt16
            | Self::DspWinograd => Backend::Dsp,
            Self::HeliumMatrix | Self::HeliumDepthwise | Self::HeliumToInt16 => Backend::Helium,
            Self::V7mShort | Self::V7mGeneral | Self::V7mWinograd => Backend::V7m,
            Self::V6mShort | Self::V6mGeneral | Self::V6mWinograd => Backend::V6m,
            Self::Rv32Short | Self::Rv32General | Self::Rv32Winograd => Backend::Rv32,
        }
    }

    /// Whether this build has a body for the layout.
    pub const fn runs_here(self) -> bool {
        self.is(Self::Portable) || self.backend() as u8 == Backend::CURRENT as u8
    }
}

/// The operator and the shape of a layer whose weights are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedShape {
    /// A convolution without groups.
    Conv2d(Conv2dShape),
    /// A depthwise convolution.
    DepthwiseConv2d(DepthwiseConv2dShape),
    /// A dense layer.
    Dense(DenseShape),
    /// A dense layer of one vector from int8 to int16.
    DenseToInt16(DenseShape),
}

impl PackedShape {
    /// The number of weights.
    pub const fn weights(&self) -> usize {
        match self {
            Self::Conv2d(shape) => shape.weights(),
            Self::DepthwiseConv2d(shape) => shape.weights(),
            Self::Dense(shape) | Self::DenseToInt16(shape) => shape.weights(),
        }
    }

    /// The number of output channels.
    pub const fn outputs(&self) -> usize {
        match self {
            Self::Conv2d(shape) => shape.output().channels,
            Self::DepthwiseConv2d(shape) => shape.output().channels,
            Self::Dense(shape) | Self::DenseToInt16(shape) => shape.outputs(),
        }
    }

    /// Products that make one output.
    pub const fn depth(&self) -> usize {
        match self {
            Self::Conv2d(shape) => shape.depth(),
            Self::DepthwiseConv2d(shape) => shape.depth(),
            Self::Dense(shape) | Self::DenseToInt16(shape) => shape.inputs(),
        }
    }

    /// Refuses shapes that no kernel runs.
    const fn check(&self) -> Result<(), ShapeError> {
        match self {
            Self::Conv2d(shape) if shape.groups() != 1 => {
                Err(ShapeError::Range("the int8 convolution takes no groups"))
            }
            Self::DenseToInt16(shape) if shape.batch() != 1 => {
                Err(ShapeError::Range("a dense layer to int16 takes one vector"))
            }
            _ => Ok(()),
        }
    }

    /// The shape as which the backend packs and runs it.
    const fn run_as(&self, backend: Backend) -> Self {
        match self {
            Self::DepthwiseConv2d(shape) => match as_conv2d(backend, shape) {
                Some(conv) => Self::Conv2d(conv),
                None => *self,
            },
            _ => *self,
        }
    }
}

/// The convolution as which the backend packs and runs a depthwise convolution of one input channel. Scalar cores leave one
/// output channel as it is: it would leave most of a convolution's block empty. Cores with DSP instructions leave those whose rows they share.
#[inline(always)] // Of a constant layer it is known then, and a program links one of both.
pub(crate) const fn as_conv2d(backend: Backend, shape: &DepthwiseConv2dShape) -> Option<Conv2dShape> {
    if shape.input().channels != 1 {
        return None;
    }
    let least = match backend {
        Backend::Portable => return None,
        Backend::Dsp if dsp::pack::takes_planes(shape) => return None,
        Backend::Dsp | Backend::Helium => 1,
        Backend::V7m | Backend::V6m | Backend::Rv32 => 2,
    };
    if shape.multiplier() >= least { Some(shape.as_conv2d()) } else { None }
}

/// The memory that a layer takes. The numbers have 64 bits, so that a size that a target cannot hold is refused and does not wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Words of weights.
    pub(crate) words: u64,
    /// The number of channels; 0 where the layout keeps their parameters among the words.
    pub(crate) channels: u64,
    /// Words of scratch memory while the layer runs.
    pub(crate) scratch: u64,
}

/// The layout that the backend has for the shape, or the portable one where it has none. Packing falls back to another one where the
/// weights do not allow it.
pub const fn layout(backend: Backend, shape: &PackedShape) -> Layout {
    let shape = shape.run_as(backend);
    match backend {
        Backend::Portable => Layout::Portable,
        Backend::Dsp => dsp::pack::layout(&shape),
        Backend::Helium => helium::pack::layout(&shape),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::pack::short(backend),
    }
}

/// The layout by which the backend takes fewer products for the convolution, at the price of more words of weights. Packing
/// uses it where it is asked to, by [`conv2d_winograd`].
pub const fn winograd_layout(backend: Backend, shape: &Conv2dShape) -> Option<Layout> {
    match backend {
        Backend::Dsp if dsp::pack::takes_winograd(shape) => Some(Layout::DspWinograd),
        Backend::V7m | Backend::V6m | Backend::Rv32 if scalar::pack::takes_winograd(shape) => {
            Some(scalar::pack::winograd(backend))
        }
        _ => None,
    }
}

/// An estimate of the cycles that a convolution saves by the layout of [`winograd_layout`], by the table of costs that is fitted to measured
/// shapes; instructions where a core's timings are not published. 0 where there is no such layout or it saves nothing.
pub const fn winograd_saves(backend: Backend, shape: &Conv2dShape) -> u64 {
    match (winograd_layout(backend, shape), costs::of(backend)) {
        (Some(_), Some(costs)) => costs.saves(shape),
        _ => 0,
    }
}

/// The layout for weights that the backend's own layout for their shape does not allow; the same one where there is no other.
const fn fallback(own: Layout) -> Layout {
    match own {
        Layout::DspPairs | Layout::DspEights => Layout::DspWide,
        _ => scalar::pack::general(own),
    }
}

/// Whether the layout is the one of Winograd's products for the shape.
const fn is_winograd(layout: Layout, shape: &PackedShape) -> bool {
    match shape {
        PackedShape::Conv2d(shape) => match winograd_layout(layout.backend(), shape) {
            Some(winograd) => winograd.is(layout),
            None => false,
        },
        _ => false,
    }
}

/// The memory that the layer takes with weights of the layout.
///
/// # Errors
/// [`ShapeError::Range`] where the layout does not fit the shape, [`ShapeError::TooLarge`] where memory does not hold it.
pub(crate) const fn needs(layout: Layout, shape: &PackedShape) -> Result<Needs, ShapeError> {
    if let Err(error) = shape.check() {
        return Err(error);
    }
    let backend = layout.backend();
    let own = self::layout(backend, shape);
    let winograd = is_winograd(layout, shape);
    if !winograd && !layout.is(own) && !layout.is(fallback(own)) {
        return Err(ShapeError::Range("the weights are packed in a layout that does not fit the shape"));
    }
    let run_as = shape.run_as(backend);
    let needs = match backend {
        Backend::Portable => portable::pack::needs(shape),
        Backend::Dsp if layout.is(Layout::DspWide) => dsp::pack::wide_needs(&run_as),
        Backend::Dsp if winograd => dsp::pack::winograd_needs(&run_as),
        Backend::Dsp => dsp::pack::needs(&run_as),
        Backend::Helium => helium::pack::needs(&run_as),
        Backend::V7m | Backend::V6m | Backend::Rv32 if winograd => scalar::pack::winograd_needs(backend, &run_as),
        Backend::V7m | Backend::V6m | Backend::Rv32 => scalar::pack::needs(backend, &run_as),
    };
    const MOST: u64 = 1 << 29;
    if needs.words >= MOST || needs.scratch >= MOST { Err(ShapeError::TooLarge) } else { Ok(needs) }
}

/// The largest number of words that packing takes for the backend; it may use fewer.
pub const fn words(backend: Backend, shape: &PackedShape) -> usize {
    let mut words = portable::pack::needs(shape).words;
    let own = layout(backend, shape);
    if let Ok(needs) = needs(own, shape)
        && needs.words > words
    {
        words = needs.words;
    }
    if let Ok(needs) = needs(fallback(own), shape)
        && needs.words > words
    {
        words = needs.words;
    }
    if words > usize::MAX as u64 { usize::MAX } else { words as usize }
}

/// The result of packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The number of words used.
    pub words: usize,
    /// The number of channels used. Channels behind them need not be kept, but a layer takes the whole slice as well.
    pub channels: usize,
    /// Words of scratch memory that the layer needs.
    pub scratch: usize,
    /// The layout of the words.
    pub layout: Layout,
}

/// Packs the weights of a layer: into `words`, at least [`words`] of them, and `channels`, one per output channel.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short;
/// [`ShapeError::Range`] when no kernel runs the shape.
pub fn pack(
    backend: Backend,
    shape: &PackedShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    shape.check()?;
    let rows = Rows::new(shape, weights)?;
    ShapeError::check_capacity("the packed words", self::words(backend, shape), words.len())?;
    let (own, run_as) = (layout(backend, shape), shape.run_as(backend));
    let taken = needs(own, shape)?;
    if taken.channels > 0 {
        ShapeError::check_length("the packed channels", rows.outputs, channels.len())?;
    }
    let written = match backend {
        Backend::Portable => None,
        Backend::Dsp => dsp::pack::write(own, &run_as, &rows, output, words)
            .or_else(|| dsp::pack::write(fallback(own), &run_as, &rows, output, words)),
        Backend::Helium => helium::pack::write(own, &run_as, &rows, output, words),
        Backend::V7m | Backend::V6m | Backend::Rv32 => {
            scalar::pack::write(backend, &run_as, &rows, output, words, channels)
        }
    };
    let (layout, taken) = match written {
        Some(layout) => (layout, needs(layout, shape)?),
        None => {
            ShapeError::check_length("the packed channels", rows.outputs, channels.len())?;
            portable::pack::write(&rows, words, channels);
            (Layout::Portable, needs(Layout::Portable, shape)?)
        }
    };
    let Needs { words, channels, scratch } = taken;
    Ok(Packed { words: words as usize, channels: channels as usize, scratch: scratch as usize, layout })
}

/// The weights of a layer as rows, one per output channel.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) weights: &'a Weights<'a>,
    pub(crate) outputs: usize,
    /// The number of weights of a row.
    pub(crate) depth: usize,
    /// Distances from one row's first weight to the next row's, and from one weight of a row to the next.
    channel_step: usize,
    depth_step: usize,
}

impl<'a> Rows<'a> {
    fn new(shape: &PackedShape, weights: &'a Weights<'a>) -> Result<Self, ShapeError> {
        let (depth, outputs) = (shape.depth(), shape.outputs());
        weights.check(shape.weights(), outputs)?;
        let (channel_step, depth_step) = match shape {
            PackedShape::DepthwiseConv2d(_) => (1, outputs),
            _ => (depth, 1),
        };
        Ok(Self { weights, outputs, depth, channel_step, depth_step })
    }

    /// The weight of a channel at a depth, or 0 behind the end of the row or of the channels.
    pub(crate) fn weight(&self, channel: usize, depth: usize) -> i8 {
        if channel >= self.outputs || depth >= self.depth {
            return 0;
        }
        self.weights.values.get(channel * self.channel_step + depth * self.depth_step).copied().unwrap_or(0)
    }

    /// The weights of a channel.
    pub(crate) fn row(&self, channel: usize) -> impl Iterator<Item = i8> {
        let values = self.weights.values.iter().skip(channel * self.channel_step);
        values.step_by(self.depth_step.max(1)).take(self.depth).copied()
    }

    /// The portable encoding of a channel.
    pub(crate) fn folded(&self, channel: usize) -> Channel {
        let multiplier = self.weights.multiplier(channel);
        // The reference adds 32-bit products; wrapping gives the same sum in any order.
        let sum = self.row(channel).fold(0_i32, |sum, weight| sum.wrapping_add(weight.into()));
        let bias = self.weights.bias(channel).wrapping_sub(self.weights.input_zero_point.wrapping_mul(sum));
        Channel { bias, multiplier: multiplier.mantissa, shift: multiplier.shift }
    }
}

/// The operators by name: packing, and the words that it takes.
macro_rules! operators {
    ($($operator:literal, $name:ident, $words:ident, $shape:ty, $kind:ident;)*) => {$(
        #[doc = concat!("[`pack`] for ", $operator, ".")]
        ///
        /// # Errors
        /// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short;
        /// [`ShapeError::Range`] when no kernel runs the shape.
        pub fn $name(
            backend: Backend,
            shape: &$shape,
            weights: &Weights<'_>,
            output: &OutputRange,
            words: &mut [u32],
            channels: &mut [Channel],
        ) -> Result<Packed, ShapeError> {
            pack(backend, &PackedShape::$kind(*shape), weights, output, words, channels)
        }

        #[doc = concat!("[`words`] for ", $operator, ".")]
        pub const fn $words(backend: Backend, shape: &$shape) -> usize {
            words(backend, &PackedShape::$kind(*shape))
        }
    )*};
}

operators! {
    "a convolution", conv2d, conv2d_words, Conv2dShape, Conv2d;
    "a depthwise convolution", depthwise_conv2d, depthwise_conv2d_words, DepthwiseConv2dShape, DepthwiseConv2d;
    "a dense layer", dense, dense_words, DenseShape, Dense;
}

/// Packs the weights of a convolution for Winograd's products: into `words`, at least [`conv2d_winograd_words`] of them, and
/// `channels`, one per output channel. Gives `None` where the backend has no such layout for the shape, or the weights are beyond
/// what it is exact for.
///
/// The layer then takes fewer cycles, more words of weights and more scratch memory, and
/// [`Conv2dShape::overlap_gap`] is not enough for it: see [`overlap_gap`].
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short.
pub fn conv2d_winograd(
    backend: Backend,
    shape: &Conv2dShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Option<Packed>, ShapeError> {
    let Some(layout) = winograd_layout(backend, shape) else { return Ok(None) };
    let shape = PackedShape::Conv2d(*shape);
    let rows = Rows::new(&shape, weights)?;
    let taken = needs(layout, &shape)?;
    ShapeError::check_capacity("the packed words", taken.words as usize, words.len())?;
    if taken.channels > 0 {
        ShapeError::check_length("the packed channels", rows.outputs, channels.len())?;
    }
    let written = match backend {
        Backend::Dsp => dsp::pack::write(layout, &shape, &rows, output, words),
        _ => scalar::pack::write_winograd(backend, &rows, output, words, channels),
    };
    let Some(layout) = written else { return Ok(None) };
    let Needs { words, channels, scratch } = taken;
    Ok(Some(Packed { words: words as usize, channels: channels as usize, scratch: scratch as usize, layout }))
}

/// The number of words that [`conv2d_winograd`] takes; 0 where the backend has no such layout for the shape.
pub const fn conv2d_winograd_words(backend: Backend, shape: &Conv2dShape) -> usize {
    match winograd_layout(backend, shape) {
        Some(layout) => match needs(layout, &PackedShape::Conv2d(*shape)) {
            Ok(needs) => needs.words as usize,
            Err(_) => 0,
        },
        None => 0,
    }
}

/// The least (input offset − output offset) at which a convolution of the layout may write its output into the buffer that
/// holds its input: [`Conv2dShape::overlap_gap`], but for Winograd's products, which make two rows at a time.
pub const fn overlap_gap(layout: Layout, shape: &Conv2dShape) -> usize {
    match layout {
        Layout::DspWinograd | Layout::V7mWinograd | Layout::V6mWinograd | Layout::Rv32Winograd => {
            winograd::overlap_gap(shape)
        }
        _ => shape.overlap_gap(),
    }
}

/// [`pack`] for a dense layer to int16, whose outputs have the whole range.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the shape says, or `words` is too short;
/// [`ShapeError::Range`] when no kernel runs the shape.
pub fn dense_to_int16(
    backend: Backend,
    shape: &DenseShape,
    weights: &Weights<'_>,
    words: &mut [u32],
    channels: &mut [Channel],
) -> Result<Packed, ShapeError> {
    pack(backend, &PackedShape::DenseToInt16(*shape), weights, &OutputRange::int16(), words, channels)
}

/// [`words`] for a dense layer to int16.
pub const fn dense_to_int16_words(backend: Backend, shape: &DenseShape) -> usize {
    words(backend, &PackedShape::DenseToInt16(*shape))
}

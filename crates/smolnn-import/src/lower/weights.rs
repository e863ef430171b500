//! Weights of layers: read from the net, packed for a backend or kept as they are, and ready to be arguments of a call.

use smolnn_core::{DenseShape, ShapeError};
use smolnn_fixed::conv::{LARGEST_SUM, Sums, WeightsInt16};
use smolnn_fixed::dense::DenseToInt16;
use smolnn_fixed::dense_int16::DenseInt16;
use smolnn_fixed::pack::{self, Layout, Packed, PackedShape};
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Backend, Channel, Weights};

use super::argument::{Argument, Made};
use super::call::made;
use super::context::{Context, Quantised};
use super::source::Source;
use crate::error::Problem;
use crate::net::Element;

/// The int8 weights of a layer with their scales, and its bias.
pub(super) struct LayerWeights<'a> {
    pub values: Vec<i8>,
    pub shape: &'a [usize],
    scales: &'a [f32],
    /// Input of the node that is the bias.
    bias: usize,
}

impl<'a> LayerWeights<'a> {
    /// The weights at input 1, with one scale or one per output channel along `channel_dimension`; the bias is input `bias`.
    pub(super) fn new(context: &Context<'a>, channel_dimension: usize, bias: usize) -> Result<Self, Problem> {
        let id = context.input(1)?;
        context.element(id, &[Element::I8])?;
        let tensor = context.tensor(id);
        let values = context.constant(id, "weights")?.iter().map(|&byte| byte as i8).collect();
        let Some(quantisation) = &tensor.quantisation else {
            let supported = "weights with one scale or one per output channel";
            return Err(context.tensor_fault(id, "weights without scale", supported));
        };
        if let Some(point) = quantisation.zero_points.iter().find(|&&point| point != 0) {
            let found = format!("weights with zero point {point}");
            return Err(context.tensor_fault(id, found, "symmetric weights, zero point 0"));
        }
        if quantisation.scales.len() > 1 && quantisation.dimension != channel_dimension {
            let found = format!("weights quantised along dimension {}", quantisation.dimension);
            let supported = format!("dimension {channel_dimension}, the output channels");
            return Err(context.tensor_fault(id, found, supported));
        }
        Ok(Self { values, shape: &tensor.shape, scales: &quantisation.scales, bias })
    }

    /// The scale, when there is one for all weights.
    pub(super) fn scale(&self) -> Option<f32> {
        if let [scale] = self.scales { Some(*scale) } else { None }
    }

    /// s_in · s_w / s_out in f64, per channel.
    pub(super) fn multipliers(
        &self,
        context: &Context<'_>,
        input: &Quantised<'_>,
        output: &Quantised<'_>,
    ) -> Result<Vec<Multiplier>, Problem> {
        let factor = |&scale: &f32| f64::from(input.scale) * f64::from(scale) / f64::from(output.scale);
        self.scales.iter().map(|scale| context.multiplier(factor(scale))).collect()
    }

    /// The int32 bias; empty where it is left out.
    pub(super) fn bias(&self, context: &Context<'_>, channels: usize) -> Result<Vec<i32>, Problem> {
        if context.optional_input(self.bias).is_some() { bias(context, self.bias, channels) } else { Ok(Vec::new()) }
    }

    /// As layers with int16 activations take them, and how wide their sums are: see [`bias_and_sums`].
    pub(super) fn int16(
        self,
        context: &Context<'_>,
        channels: usize,
        multipliers: Vec<Multiplier>,
        narrow_sums: bool,
    ) -> Result<(OwnedInt16, Sums), Problem> {
        let (bias, sums) = bias_and_sums(context, self.bias, channels, narrow_sums)?;
        if sums == Sums::Bits64 {
            check_size(context, self.bias, &bias, largest_bias(self.values.len() / channels))?;
        }
        Ok((OwnedInt16::new(context, self.values, bias, multipliers)?, sums))
    }
}

/// The bytes of the bias at input `index`, of `length` elements.
fn bias_bytes<'a>(context: &Context<'a>, index: usize, element: Element, length: usize) -> Result<&'a [u8], Problem> {
    let id = context.input(index)?;
    context.element(id, &[element])?;
    let bytes = context.constant(id, "bias")?;
    if context.tensor(id).len() != length {
        let found = format!("bias of shape {:?}", context.tensor(id).shape);
        return Err(context.tensor_fault(id, found, format!("{length} elements")));
    }
    Ok(bytes)
}

/// The bias of a layer with int16 activations, and how wide its sums are: its type decides, and what the options say where it is
/// left out.
pub(super) fn bias_and_sums(
    context: &Context<'_>,
    index: usize,
    length: usize,
    narrow_sums: bool,
) -> Result<(Vec<i64>, Sums), Problem> {
    match context.optional_input(index).map(|id| context.tensor(id).element) {
        Some(Element::I32) => Ok((bias(context, index, length)?.into_iter().map(i64::from).collect(), Sums::Bits32)),
        Some(_) => Ok((bias_int64(context, index, length)?, Sums::Bits64)),
        None if narrow_sums => Ok((Vec::new(), Sums::Bits32)),
        None => Ok((Vec::new(), Sums::Bits64)),
    }
}

/// What biases have to stay below in size beside sums of 64 bits of so many products of int16 with int8.
pub(super) fn largest_bias(depth: usize) -> u64 {
    LARGEST_SUM.saturating_sub((depth as u64) << 22)
}

/// Checks that no bias at input `index` reaches `bound` in size.
pub(super) fn check_size(context: &Context<'_>, index: usize, bias: &[i64], bound: u64) -> Result<(), Problem> {
    match bias.iter().position(|value| value.unsigned_abs() >= bound) {
        None => Ok(()),
        Some(channel) => {
            let found = format!("a bias of {} for output channel {channel}", bias[channel]);
            let supported = format!("biases below {bound} in size, so that sums of 64 bits can be scaled");
            Err(context.fault_of_input(index, found, supported))
        }
    }
}

/// The int32 bias at input `index`.
pub(super) fn bias(context: &Context<'_>, index: usize, length: usize) -> Result<Vec<i32>, Problem> {
    let bytes = bias_bytes(context, index, Element::I32, length)?;
    Ok(bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect())
}

/// The int64 bias at input `index`.
pub(super) fn bias_int64(context: &Context<'_>, index: usize, length: usize) -> Result<Vec<i64>, Problem> {
    let bytes = bias_bytes(context, index, Element::I64, length)?;
    Ok(bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
}

/// The int8 weights at input `index`: constant, of this shape, with one scale, and zero point 0.
pub(super) fn matrix(context: &Context<'_>, index: usize, shape: &[usize]) -> Result<(Vec<i8>, f32), Problem> {
    let weights = context.quantised_input(index, &[Element::I8])?;
    let bytes = context.constant(weights.id, "weights")?;
    if weights.shape() != shape {
        let found = format!("weights of shape {:?}", weights.shape());
        return Err(context.tensor_fault(weights.id, found, format!("shape {shape:?}")));
    }
    if weights.zero_point != 0 {
        let found = format!("weights with zero point {}", weights.zero_point);
        return Err(context.tensor_fault(weights.id, found, "symmetric weights, zero point 0"));
    }
    Ok((bytes.iter().map(|&byte| byte as i8).collect(), weights.scale))
}

/// The binary logarithm of the scale of an LSTM's cell, which must be a power of two.
pub(super) fn power_of_two(context: &Context<'_>, cell: &Quantised<'_>) -> Result<i32, Problem> {
    let log2 = (cell.scale.to_bits() >> 23) as i32 - 127;
    if cell.scale.to_bits() & 0x007F_FFFF != 0 || !(-15..=0).contains(&log2) {
        let supported = "a cell whose scale is a power of two, 2^-15 to 1";
        return Err(context.tensor_fault(cell.id, format!("scale {}", cell.scale), supported));
    }
    Ok(log2)
}

/// Weights packed for a backend.
#[derive(Debug)]
pub(super) struct PackedWeights {
    pub words: Vec<u32>,
    pub channels: Vec<Channel>,
    pub layout: Layout,
    pub scratch: usize,
}

impl PackedWeights {
    /// Packs with `pack`, which is given room for `words` words and `channels` channels.
    pub(super) fn new(
        words: usize,
        channels: usize,
        pack: impl FnOnce(&mut [u32], &mut [Channel]) -> Result<Packed, ShapeError>,
    ) -> Result<Self, ShapeError> {
        let (mut words, mut channels) = (vec![0; words], vec![Channel::default(); channels]);
        let packed = pack(&mut words, &mut channels)?;
        words.truncate(packed.words);
        channels.truncate(packed.channels);
        Ok(Self { words, channels, layout: packed.layout, scratch: packed.scratch })
    }
}

/// Why the portable body runs a layer of that shape though its weights were packed for another backend; `None` where it does not.
pub(super) fn why_portable(backend: Backend, shape: &PackedShape, packed: Layout) -> Option<&'static str> {
    match (packed, pack::layout(backend, shape)) {
        _ if backend == Backend::Portable => None,
        (Layout::Portable, Layout::Portable) => Some("the backend has no body for layers of this shape"),
        (Layout::Portable, _) => Some("a weight, bias or scale is beyond what the backend's arithmetic is exact for"),
        _ => None,
    }
}

/// Why the portable body runs a layer that no backend has a body for; `None` where the program is portable as a whole.
pub(super) fn never_packed(backend: Backend, reason: &'static str) -> Option<&'static str> {
    (backend != Backend::Portable).then_some(reason)
}

/// A dense layer from int8 to int16, packed; as an argument it is the layer.
#[derive(Debug)]
pub(super) struct PackedToInt16 {
    pub shape: Made<DenseShape>,
    packed: PackedWeights,
}

impl PackedToInt16 {
    pub(super) fn new(
        backend: Backend,
        inputs: usize,
        outputs: usize,
        weights: &Weights<'_>,
    ) -> Result<Self, ShapeError> {
        let shape = made!(DenseShape::new(1_usize, inputs, outputs))?;
        let words = pack::dense_to_int16_words(backend, &shape);
        let packed = PackedWeights::new(words, outputs, |words, channels| {
            pack::dense_to_int16(backend, &shape, weights, words, channels)
        })?;
        Ok(Self { shape, packed })
    }

    pub(super) fn scratch_words(&self) -> usize {
        self.packed.scratch
    }

    /// As [`why_portable`].
    pub(super) fn why_portable(&self, backend: Backend) -> Option<&'static str> {
        why_portable(backend, &PackedShape::DenseToInt16(self.shape.value), self.packed.layout)
    }
}

impl Argument for PackedToInt16 {
    type Value<'a> = DenseToInt16<'a>;

    fn value(&self) -> Result<DenseToInt16<'_>, ShapeError> {
        let PackedWeights { words, channels, layout, .. } = &self.packed;
        DenseToInt16::new(self.shape.value, words, channels, *layout)
    }

    fn text(&self, source: &mut Source) -> String {
        let PackedWeights { words, channels, layout, .. } = &self.packed;
        let (shape, words) = (self.shape.text(source), words.text(source));
        let (channels, layout) = (channels.text(source), layout.text(source));
        format!("shape!(DenseToInt16::new({shape}, {words}, {channels}, {layout}))")
    }

    fn bytes(&self) -> usize {
        self.packed.words.bytes() + self.packed.channels.bytes()
    }

    fn runs_here(&self) -> bool {
        self.packed.layout.runs_here()
    }
}

/// Weights of a layer as the file has them, with 32-bit biases.
#[derive(Debug)]
pub(super) struct Owned {
    pub values: Vec<i8>,
    pub bias: Vec<i32>,
    pub multipliers: Vec<Multiplier>,
    pub input_zero_point: i32,
}

impl Argument for Owned {
    type Value<'a> = Weights<'a>;

    fn value(&self) -> Result<Weights<'_>, ShapeError> {
        let Self { values, bias, multipliers, input_zero_point } = self;
        Ok(Weights { values, bias, multipliers, input_zero_point: *input_zero_point })
    }

    fn text(&self, source: &mut Source) -> String {
        let (values, bias) = (self.values.text(source), self.bias.text(source));
        let (multipliers, zero_point) = (self.multipliers.text(source), self.input_zero_point);
        format!(
            "Weights {{ values: {values}, bias: {bias}, multipliers: {multipliers}, input_zero_point: {zero_point} }}"
        )
    }

    fn bytes(&self) -> usize {
        self.values.bytes() + self.bias.bytes() + self.multipliers.bytes()
    }
}

/// Weights of a layer with int16 activations, as the file has them, with 64-bit biases.
#[derive(Debug)]
pub(super) struct OwnedInt16 {
    values: Vec<i8>,
    bias: Vec<i64>,
    multipliers: Vec<Multiplier>,
    /// Biases and multipliers in short form, where the kernel is a dense layer and they have one; those above are empty then.
    short: Vec<Channel>,
}

impl OwnedInt16 {
    /// Weights with their bias; an empty one stands for zeros.
    pub(super) fn new(
        context: &Context<'_>,
        values: Vec<i8>,
        bias: Vec<i64>,
        multipliers: Vec<Multiplier>,
    ) -> Result<Self, Problem> {
        // As the reference asserts: 64-bit sums are scaled by factors below 2^8.
        if multipliers.iter().any(|multiplier| multiplier.shift > 7) {
            return Err(context.fault("scales whose quotient is 256 or more", "s_in · s_w / s_out below 256"));
        }
        Ok(Self { values, bias, multipliers, short: Vec::new() })
    }

    fn weights(&self) -> WeightsInt16<'_> {
        let Self { values, bias, multipliers, short } = self;
        WeightsInt16 { values, bias, multipliers, short }
    }

    /// Why the portable body runs the layer, if it is dense; `None` where it does not.
    pub(super) fn why_portable(&self, backend: Backend) -> Option<&'static str> {
        match backend.bodies() {
            "portable" => None,
            "scalar" => Some("cores that multiply one pair at a time have no body of their own for int16 activations"),
            _ if self.short.is_empty() => Some("a bias or scale has no short form: sums of 64 bits are scaled as such"),
            _ => None,
        }
    }

    /// Puts the short form in the place of biases and multipliers, if rows of `depth` weights have one.
    pub(super) fn shorten(mut self, depth: usize, channels: usize) -> Self {
        let mut short = vec![Channel::default(); channels];
        if self.weights().shorten(depth, &mut short) {
            (self.bias, self.multipliers, self.short) = (Vec::new(), Vec::new(), short);
        }
        self
    }
}

impl Argument for OwnedInt16 {
    type Value<'a> = WeightsInt16<'a>;

    fn value(&self) -> Result<WeightsInt16<'_>, ShapeError> {
        Ok(self.weights())
    }

    fn text(&self, source: &mut Source) -> String {
        let (values, bias) = (self.values.text(source), self.bias.text(source));
        let (multipliers, short) = (self.multipliers.text(source), self.short.text(source));
        format!("WeightsInt16 {{ values: {values}, bias: {bias}, multipliers: {multipliers}, short: {short} }}")
    }

    fn bytes(&self) -> usize {
        self.values.bytes() + self.bias.bytes() + self.multipliers.bytes() + self.short.bytes()
    }
}

/// A dense layer of int16 that owns its weights; as an argument it is the layer.
#[derive(Debug)]
pub(super) struct OwnedDenseInt16 {
    pub shape: Made<DenseShape>,
    weights: OwnedInt16,
    output: OutputRange,
}

impl OwnedDenseInt16 {
    pub(super) fn new(shape: Made<DenseShape>, weights: OwnedInt16, output: OutputRange) -> Self {
        let weights = weights.shorten(shape.inputs(), shape.outputs());
        Self { shape, weights, output }
    }

    /// As [`OwnedInt16::why_portable`].
    pub(super) fn why_portable(&self, backend: Backend) -> Option<&'static str> {
        self.weights.why_portable(backend)
    }
}

impl Argument for OwnedDenseInt16 {
    type Value<'a> = DenseInt16<'a>;

    fn value(&self) -> Result<DenseInt16<'_>, ShapeError> {
        DenseInt16::new(self.shape.value, self.weights.weights(), self.output)
    }

    fn text(&self, source: &mut Source) -> String {
        let (shape, weights) = (self.shape.text(source), self.weights.text(source));
        format!("shape!(DenseInt16::new({shape}, {weights}, {}))", self.output.text(source))
    }

    fn bytes(&self) -> usize {
        self.weights.bytes()
    }
}

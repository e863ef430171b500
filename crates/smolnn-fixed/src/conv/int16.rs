//! 2-D convolution and depthwise convolution, int16 activations with int8 weights.
//!
//! - y[o] = clamp(M_o · (b_o + Σ_k w[o, k] · x[k])); zero points are 0, padding is 0.
//! - Layout: NHWC input and output; weights as TensorFlow Lite stores them (OHWI, 1HWC), unpacked; bias int64.
//! - Accumulators: |x·w| ≤ 2^22, so that 2^8 products are summed in i32 before they are added to an i64. Biases are bounded
//!   so that |sum| < 2^47.
//! - Rounding: [`Multiplier::apply_i64`], once per output, single; [`WeightsInt16::shorten`] gives the same in 32 bits.
//! - A model whose biases are int32, or that says so of the biases that it leaves out, has sums of 32 bits that wrap, and
//!   the rounding of int8 layers, [`Multiplier::apply`]: [`Sums::Bits32`].
//! - Held by: `conv_int16*`, `depthwise_int16*` goldens; random shapes against the naive oracle
//!   (tests/host/registry/conformance.rs).

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape, ShapeError, excluded_run};

use super::grouped::each_output;
use crate::pack::Channel;
use crate::quantise::{Multiplier, OutputRange, clamp};
use crate::tensors::{Source, Tensors};

/// How wide the sums of products are in layers of int16 activations. It is the type of the biases that decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sums {
    /// int64 biases: no sum overflows, and results are rounded once.
    #[default]
    Bits64,
    /// int32 biases: sums wrap, and results are rounded as those of int8 layers.
    Bits32,
}

/// Weights of a layer with int16 activations, as TensorFlow Lite stores them.
#[derive(Clone, Copy, Debug)]
pub struct WeightsInt16<'a> {
    /// int8, symmetric.
    pub values: &'a [i8],
    /// One per output channel, scale s_in · s_w; empty stands for zeros.
    pub bias: &'a [i64],
    /// s_in · s_w / s_out: one per output channel, or one for all.
    pub multipliers: &'a [Multiplier],
    /// Bias and multiplier of each channel as [`WeightsInt16::shorten`] gives them, in place of the two above; or empty.
    pub short: &'a [Channel],
}

/// Where sums of 64 bits end: [`Multiplier::apply_i64`] takes what is smaller in size.
pub const LARGEST_SUM: u64 = 1 << 47;

impl WeightsInt16<'_> {
    /// Checks the lengths, and that no sum leaves the range of its type.
    pub(crate) const fn check(&self, weights: usize, channels: usize, sums: Sums) -> Result<(), ShapeError> {
        if let Err(error) = ShapeError::check_length("the weights", weights, self.values.len()) {
            return Err(error);
        }
        if !self.short.is_empty() {
            if matches!(sums, Sums::Bits32) {
                return Err(ShapeError::Range("the short form of biases and multipliers is one of 64-bit sums"));
            }
            return ShapeError::check_length("the channels", channels, self.short.len());
        }
        if !self.bias.is_empty()
            && let Err(error) = ShapeError::check_length("the bias", channels, self.bias.len())
        {
            return Err(error);
        }
        // What the products add up to at most: the shape's constructors keep `weights` below 2^31.
        let Some(depth) = weights.checked_div(channels) else { return Err(ShapeError::Zero("the output channels")) };
        let products = (depth as u64) << 22;
        let mut index = 0;
        while index < self.bias.len() {
            match sums {
                Sums::Bits64 if self.bias[index].unsigned_abs().saturating_add(products) >= LARGEST_SUM => {
                    return Err(ShapeError::Range("a bias and the products of its channel reach 2^47 in size"));
                }
                Sums::Bits32 if self.bias[index] != self.bias[index] as i32 as i64 => {
                    return Err(ShapeError::Range("a bias of more than 32 bits in a layer of 32-bit sums"));
                }
                _ => index += 1,
            }
        }
        if self.multipliers.len() != 1 {
            return ShapeError::check_length("the multipliers", channels, self.multipliers.len());
        }
        Ok(())
    }

    /// The output of channel `channel` whose products add up to `sum`.
    #[inline(always)]
    pub(crate) fn finish(&self, channel: usize, sum: i64, sums: Sums, output: &OutputRange) -> i16 {
        if let Some(channel) = self.short.get(channel) {
            return finish_short(channel, sum as i32, output);
        }
        let bias = self.bias.get(channel).copied().unwrap_or(0);
        let (sum, multiplier) = (sum.wrapping_add(bias), self.multiplier(channel));
        let result = match sums {
            Sums::Bits64 => multiplier.apply_i64(sum),
            Sums::Bits32 => multiplier.apply(sum as i32),
        };
        clamp(result, output.minimum, output.maximum) as i16
    }

    /// Fills in the short form of biases and multipliers, for rows of `depth` weights, one channel behind the other: sums
    /// in 32 bits, scaled by the high word of one product. False where a sum may not fit or a multiplier is 1/2 or more;
    /// then there is none.
    pub fn shorten(&self, depth: usize, channels: &mut [Channel]) -> bool {
        let rows = self.values.chunks_exact(depth.max(1));
        rows.zip(channels).enumerate().all(|(index, (row, channel))| {
            let bias = self.bias.get(index).copied().unwrap_or(0);
            let size = row.iter().fold(0_u64, |size, weight| size + u64::from(weight.unsigned_abs()));
            let Multiplier { mantissa, shift } = self.multiplier(index);
            // As `Multiplier::apply_i64`: ⌊(v·m + 2^(r − 1)) / 2^r⌋ with m of 15 bits and r = 15 − shift. For r > 16 that
            // is ⌊(⌊v·m / 2^16⌋ + 2^(r − 17)) / 2^(r − 16)⌋, since 2^(r − 1) is a multiple of 2^16.
            let reduced = mantissa.saturating_add(1 << 15).min(0x7FFF_0000) & !0xFFFF;
            let fits = bias.unsigned_abs() + (size << 15) < 1 << 31 && (shift < -1 || reduced == 0);
            if fits {
                let shift = if reduced == 0 { 1 } else { -1 - shift };
                *channel = Channel { bias: bias as i32, multiplier: reduced, shift };
            }
            fits
        })
    }

    fn multiplier(&self, channel: usize) -> Multiplier {
        let index = if self.multipliers.len() == 1 { 0 } else { channel };
        self.multipliers.get(index).copied().unwrap_or_default()
    }
}

/// The output of a sum by the short form of its channel.
#[inline(always)]
pub(crate) fn finish_short(channel: &Channel, sum: i32, output: &OutputRange) -> i16 {
    let product = i64::from(sum.wrapping_add(channel.bias)) * i64::from(channel.multiplier);
    let shift = channel.shift as u32 & 31;
    let rounded = ((product >> 32) as i32 + ((1 << shift) >> 1)) >> shift;
    clamp(rounded, output.minimum, output.maximum) as i16
}

/// Σ x·w over the shorter of the two.
#[inline(always)]
pub(crate) fn dot(input: impl Source<i16>, weights: &[i8]) -> i64 {
    let mut sum = 0_i64;
    let mut start = 0;
    for weights in weights.chunks(256) {
        let mut partial = 0_i32;
        let values = input.part(start, weights.len());
        let (groups, rest) = values.groups::<4>();
        let (weight_groups, weight_rest) = weights.as_chunks::<4>();
        for (values, weights) in groups.zip(weight_groups) {
            for (value, &weight) in values.into_iter().zip(weights) {
                partial = partial.wrapping_add(i32::from(value) * i32::from(weight));
            }
        }
        for (value, &weight) in rest.elements().zip(weight_rest) {
            partial = partial.wrapping_add(i32::from(value) * i32::from(weight));
        }
        sum = sum.wrapping_add(partial.into());
        start += 256;
    }
    sum
}

/// A convolution of int16 activations, checked.
#[derive(Clone, Copy, Debug)]
pub struct Conv2dInt16<'a> {
    shape: Conv2dShape,
    weights: WeightsInt16<'a>,
    sums: Sums,
    output: OutputRange,
}

impl<'a> Conv2dInt16<'a> {
    /// A layer of 64-bit sums and any number of groups; the zero point of `output` does not matter.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, a bias is too large, or the clamp is outside of int16.
    pub const fn new(shape: Conv2dShape, weights: WeightsInt16<'a>, output: OutputRange) -> Result<Self, ShapeError> {
        Self::with_sums(shape, weights, Sums::Bits64, output)
    }

    /// A layer as [`new`](Self::new) makes it, with sums of the given width.
    ///
    /// # Errors
    /// The errors are those of [`new`](Self::new), and one for 32-bit sums with weights in short form.
    pub const fn with_sums(
        shape: Conv2dShape,
        weights: WeightsInt16<'a>,
        sums: Sums,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = weights.check(shape.weights(), shape.output().channels, sums) {
            return Err(error);
        }
        match output.check_int16() {
            Ok(()) => Ok(Self { shape, weights, sums, output }),
            Err(error) => Err(error),
        }
    }
}

/// Runs the convolution, row by row.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the shape says, or overlap where they must not.
pub fn conv2d_int16(layer: &Conv2dInt16<'_>, mut tensors: impl Tensors<i16>) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    tensors.check(shape.input_len(), shape.output_len(), shape.overlap_gap())?;
    let (input, output) = tensors.split();
    let products =
        |sum: i64, start: usize, weights: &[i8]| sum.wrapping_add(dot(input.part(start, weights.len()), weights));
    each_output(shape, layer.weights.values, output, products, |channel, sum, result| {
        result.set(layer.weights.finish(channel, sum, layer.sums, &layer.output));
    });
    Ok(())
}

/// A depthwise convolution of int16 activations, checked.
#[derive(Clone, Copy, Debug)]
pub struct DepthwiseConv2dInt16<'a> {
    shape: DepthwiseConv2dShape,
    weights: WeightsInt16<'a>,
    sums: Sums,
    output: OutputRange,
}

impl<'a> DepthwiseConv2dInt16<'a> {
    /// A layer of 64-bit sums; the zero point of `output` does not matter.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, a bias is too large, or the clamp is outside of int16.
    pub const fn new(
        shape: DepthwiseConv2dShape,
        weights: WeightsInt16<'a>,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        Self::with_sums(shape, weights, Sums::Bits64, output)
    }

    /// A layer as [`new`](Self::new) makes it, with sums of the given width.
    ///
    /// # Errors
    /// The errors are those of [`new`](Self::new), and one for 32-bit sums with weights in short form.
    pub const fn with_sums(
        shape: DepthwiseConv2dShape,
        weights: WeightsInt16<'a>,
        sums: Sums,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = weights.check(shape.weights(), shape.output().channels, sums) {
            return Err(error);
        }
        match output.check_int16() {
            Ok(()) => Ok(Self { shape, weights, sums, output }),
            Err(error) => Err(error),
        }
    }
}

/// Runs the depthwise convolution, row by row.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the shape says, or overlap where they must not.
pub fn depthwise_conv2d_int16(
    layer: &DepthwiseConv2dInt16<'_>,
    mut tensors: impl Tensors<i16>,
) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    tensors.check(shape.input_len(), shape.output_len(), shape.overlap_gap())?;
    let (input, output) = tensors.split();
    let (channels, outputs) = (shape.input().channels, shape.output().channels);
    let mut pixels = output.chunks_exact(outputs.max(1));
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let rows = shape.rows().taps(row);
            for position in 0..shape.output().width {
                let (first, last) = shape.columns().taps(position);
                let (first_row, last_row) = if first < last { rows } else { (0, 0) };
                let Some(result) = pixels.next() else { return excluded_run() };
                let mut results = result.iter().enumerate();
                for channel in 0..channels {
                    for (index, result) in results.by_ref().take(shape.multiplier()) {
                        let mut sum = 0_i64;
                        for tap_row in first_row..last_row {
                            let y = image * shape.input().height + shape.rows().position(row, tap_row);
                            let x = shape.columns().position(position, first);
                            let mut at = (y * shape.input().width + x) * channels + channel;
                            let mut weight = (tap_row * shape.columns().kernel() + first) * outputs + index;
                            for _ in first..last {
                                let value = input.at(at).map_or(0, i32::from);
                                let factor = layer.weights.values.get(weight).map_or(0, |&weight| i32::from(weight));
                                sum = sum.wrapping_add((value * factor).into());
                                at += shape.columns().dilation() * channels;
                                weight += outputs;
                            }
                        }
                        result.set(layer.weights.finish(index, sum, layer.sums, &layer.output));
                    }
                }
            }
        }
    }
    Ok(())
}

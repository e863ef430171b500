//! What the bodies of the scalar cores share: how sums become outputs, and what the kernels of a core take.

use super::{cpu, pack};
use crate::Backend;
use crate::pack::{Channel, Layout};
use crate::quantise::{Multiplier, OutputRange};

/// Output channels per block of weights.
pub(super) const BLOCK: usize = pack::block(Backend::CURRENT);

/// Bits from one pixel to the other in a word of two. Both sums of a v7-M pair lie in one 64-bit accumulator; 23 bits
/// are the most with which the word itself, −128 − 128·2^S at least, is a 32-bit number.
pub(super) const SPREAD: u32 = if matches!(Backend::CURRENT, Backend::V7m) { 23 } else { 16 };

/// The depth after which sums are taken out of their pairs: 128·128·255 < 2^22 on v7-M. Elsewhere pairs are taken apart
/// every two products.
pub(super) const LONGEST: usize = if matches!(Backend::CURRENT, Backend::V7m) { 252 } else { 1 << 24 };

/// The sums of four pixels times a block of channels: sums[channel·4 + pixel].
pub(super) type Sums = [i32; 4 * BLOCK];

/// Whole blocks of a layer for kernels that go all the way to the outputs, with the short encoding of channels. The
/// assembly knows the order of the fields.
#[repr(C)]
pub(super) struct Job {
    /// The column of four pixels; for a dense layer the input.
    pub column: *const u32,
    pub weights: *const u32,
    /// Bytes of weights of a block.
    pub block: usize,
    pub channels: *const Channel,
    pub output: *mut i8,
    /// From one pixel's output to the next; for a dense layer the inputs.
    pub stride: usize,
    /// [`Rounding::offset`].
    pub offset: i32,
    pub minimum: i32,
    pub maximum: i32,
    /// Where the weights of the last block end.
    pub end: *const u32,
}

/// Outputs per block of a dense layer.
pub(super) const DENSE_BLOCK: usize = pack::dense_block(Backend::CURRENT);

/// The sums of a block of outputs of a dense layer.
pub(super) type DenseSums = [i32; DENSE_BLOCK];

/// How accumulators of a layer become outputs.
#[derive(Clone, Copy)]
pub(super) struct Rounding {
    pub output: OutputRange,
    /// 2·zero point + 1: shifted left by s − 1 it is 2^(s−1) + zero point·2^s.
    pub offset: i32,
}

impl Rounding {
    pub(super) fn new(output: &OutputRange) -> Self {
        Self { output: *output, offset: 2 * output.zero_point + 1 }
    }

    /// The output of a sum by the short encoding of channels ([`pack::SHORT`]): a = (x·m + 2^30) >> 31, then
    /// (a + (a >> 31) + 2^(s−1) + z·2^s) >> s, which rounds halves away from zero as the reference does.
    #[inline(always)]
    pub(super) fn short(&self, sum: i32, channel: &Channel) -> i32 {
        let high = cpu::high_product(sum, channel);
        let below = channel.shift as u32;
        let rounded = (high + (high >> 31)).wrapping_add(self.offset.wrapping_shl(below));
        rounded.wrapping_shr(below) >> 1
    }

    /// The output of a sum by the portable encoding.
    #[inline(always)]
    pub(super) fn general(&self, sum: i32, channel: &Channel) -> i32 {
        let multiplier = Multiplier { mantissa: channel.multiplier, shift: channel.shift };
        multiplier.apply(channel.bias.wrapping_add(sum)).wrapping_add(self.output.zero_point)
    }

    #[inline(always)]
    pub(super) fn clamp(&self, value: i32) -> i8 {
        value.max(self.output.minimum).min(self.output.maximum) as i8
    }

    /// The clamp where it is the whole of int8: one instruction on cores that saturate.
    #[inline(always)]
    pub(super) fn saturate(value: i32) -> i8 {
        value.clamp(-128, 127) as i8
    }

    /// [`Rounding::short`] for outputs that span int8.
    #[cfg(not(core = "v7m"))]
    #[inline(always)]
    pub(super) fn finish_int8(offset: i32) -> impl Fn(i32, &Channel) -> i8 {
        let rounding = Self { output: OutputRange::int8(0), offset };
        move |sum, channel| Self::saturate(rounding.short(sum, channel))
    }

    /// The output of a sum, however the layer's channels are encoded.
    #[inline(always)]
    pub(super) fn finish(&self, way: Way, sum: i32, channel: &Channel) -> i8 {
        self.clamp(if way == Way::General { self.general(sum, channel) } else { self.short(sum, channel) })
    }

    /// The way in which the layer's accumulators become outputs.
    pub(super) fn way(&self, layout: Layout) -> Way {
        if !layout.is(Layout::of(Backend::CURRENT, pack::SHORT)) {
            Way::General
        } else if self.output.minimum == -128 && self.output.maximum == 127 {
            Way::Short
        } else {
            Way::ShortClamped
        }
    }
}

/// How accumulators become outputs, decided once per layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Short,
    ShortClamped,
    General,
}

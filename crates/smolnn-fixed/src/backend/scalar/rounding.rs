//! Requantisation: sums become outputs.

use super::kernels::Core;
use super::{Cpu, pack};
use crate::Backend;
use crate::pack::{Channel, Layout};
use crate::quantise::{Multiplier, OutputRange};

/// The requantisation of a layer's accumulators.
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

    /// The output of a sum by the short encoding of channels ([`pack`](super::pack)): a = (x·m + 2^30) >> 31, then
    /// (a + (a >> 31) + 2^(s−1) + z·2^s) >> s, which rounds halves away from zero as the reference does.
    #[inline(always)]
    pub(super) fn short(&self, sum: i32, channel: &Channel) -> i32 {
        let high = Cpu::high_product(sum, channel);
        let below = channel.shift as u32;
        let rounded = high.wrapping_add(high >> 31).wrapping_add(self.offset.wrapping_shl(below));
        rounded.wrapping_shr(below) >> 1
    }

    /// An accumulator below which every output is −128, if outputs span int8 and are rectified; else none is below it.
    pub(super) const fn limit(offset: i32) -> i32 {
        if offset == 2 * -128 + 1 { 0 } else { i32::MIN }
    }

    /// The output of a sum by the portable encoding, which few layers have.
    #[inline(always)]
    pub(super) fn general(&self, sum: i32, channel: &Channel) -> i32 {
        if Cpu::RARE_APART { self.general_apart(sum, channel) } else { self.general_here(sum, channel) }
    }

    #[inline(never)]
    fn general_apart(&self, sum: i32, channel: &Channel) -> i32 {
        self.general_here(sum, channel)
    }

    #[inline(always)]
    fn general_here(&self, sum: i32, channel: &Channel) -> i32 {
        let multiplier = Multiplier { mantissa: channel.multiplier, shift: channel.shift };
        multiplier.apply(channel.bias.wrapping_add(sum)).wrapping_add(self.output.zero_point)
    }

    #[inline(always)]
    pub(super) fn clamp(&self, value: i32) -> i8 {
        value.max(self.output.minimum).min(self.output.maximum) as i8
    }

    /// Whether outputs span int8.
    fn is_int8(&self) -> bool {
        self.output.minimum == -128 && self.output.maximum == 127
    }

    /// Clamps outputs that were saturated to int8, where their range is narrower.
    ///
    /// # Safety
    /// `length` outputs at `output` have been written, and nobody else uses them meanwhile.
    pub(super) unsafe fn clamp_all(&self, output: *mut i8, length: usize) {
        if self.is_int8() {
            return;
        }
        // SAFETY: as the caller vouches.
        for value in unsafe { core::slice::from_raw_parts_mut(output, length) } {
            *value = self.clamp((*value).into());
        }
    }

    /// The clamp where it is the whole of int8: one instruction on cores that saturate.
    #[inline(always)]
    pub(super) fn saturate(value: i32) -> i8 {
        value.clamp(-128, 127) as i8
    }

    /// [`Rounding::short`] for outputs that span int8.
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
        const SHORT: Layout = pack::short(Backend::CURRENT);
        if !layout.is(SHORT) {
            Way::General
        } else if self.is_int8() {
            Way::Short
        } else {
            Way::ShortClamped
        }
    }
}

/// The way in which accumulators become outputs, decided once per layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The channels have the short encoding, and outputs span int8.
    Short,
    /// The channels have the short encoding, and outputs are clamped.
    ShortClamped,
    /// The channels have the portable encoding.
    General,
}

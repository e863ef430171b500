//! Cores that multiply one pair of 32-bit numbers at a time. One body per operator; the inner loops and what depends on
//! the multiplier are those of the module `cpu`: `arch/v7m`, `arch/v6m`, `arch/rv32`.
//!
//! Two pixels share a word, X = x_a + 2^S·x_b, so that one multiplication by a weight serves both. See
//! [`pack::scalar`](crate::pack::scalar) for the layouts and for what packing guarantees.
#![allow(unsafe_code)]

#[cfg(not(all(backend = "v7m", target_arch = "arm")))]
mod blocks;
mod conv2d;
mod dense;
mod depthwise;

// A backend that is forced on another machine, as tests on the host do, runs the same arithmetic in Rust.
#[cfg_attr(all(backend = "v7m", target_arch = "arm"), path = "../v7m/mod.rs")]
#[cfg_attr(all(backend = "v6m", target_arch = "arm"), path = "../v6m/mod.rs")]
#[cfg_attr(all(backend = "rv32", target_arch = "riscv32"), path = "../rv32/mod.rs")]
#[cfg_attr(not(any(target_arch = "arm", target_arch = "riscv32")), path = "host.rs")]
mod cpu;

pub(crate) use super::portable::{dense_int16, dense_to_int16};
pub(crate) use conv2d::conv2d;
#[cfg(all(backend = "rv32", target_arch = "riscv32"))]
pub(crate) use cpu::with_lowest_byte;
pub(crate) use dense::dense;
pub(crate) use depthwise::depthwise_conv2d;

use crate::Backend;
use crate::pack::{Channel, Layout, scalar};
use crate::quantise::{Multiplier, OutputRange};

/// Output channels per block of weights.
const BLOCK: usize = scalar::block(Backend::CURRENT);

/// Bits from one pixel to the other in a word of two.
const SPREAD: u32 = scalar::spread(Backend::CURRENT);

/// The depth after which sums are taken out of their pairs.
const LONGEST: usize = scalar::longest(Backend::CURRENT);

/// The sums of four pixels times a block of channels: sums[channel·4 + pixel].
type Sums = [i32; 4 * BLOCK];

/// Whole blocks of a layer for kernels that go all the way to the outputs, with the short encoding of channels. The
/// assembly knows the order of the fields.
#[repr(C)]
struct Job {
    /// The column of four pixels; for a dense layer the input.
    column: *const u32,
    weights: *const u32,
    /// Bytes of weights of a block.
    block: usize,
    channels: *const Channel,
    output: *mut i8,
    /// From one pixel's output to the next; for a dense layer the inputs.
    stride: usize,
    /// [`Rounding::offset`].
    offset: i32,
    minimum: i32,
    maximum: i32,
    /// Where the weights of the last block end.
    end: *const u32,
}

/// Outputs per block of a dense layer.
const DENSE_BLOCK: usize = scalar::dense_block(Backend::CURRENT);

/// The sums of a block of outputs of a dense layer.
type DenseSums = [i32; DENSE_BLOCK];

/// How accumulators of a layer become outputs.
#[derive(Clone, Copy)]
struct Rounding {
    output: OutputRange,
    /// 2·zero point + 1: shifted left by s − 1 it is 2^(s−1) + zero point·2^s.
    offset: i32,
}

impl Rounding {
    fn new(output: &OutputRange) -> Self {
        Self { output: *output, offset: 2 * output.zero_point + 1 }
    }

    /// The output of a sum by the short encoding of channels ([`scalar::SHORT`]): a = (x·m + 2^30) >> 31, then
    /// (a + (a >> 31) + 2^(s−1) + z·2^s) >> s, which rounds halves away from zero as the reference does.
    #[inline(always)]
    fn short(&self, sum: i32, channel: &Channel) -> i32 {
        let high = cpu::high_product(sum, channel);
        let below = channel.shift as u32;
        let rounded = (high + (high >> 31)).wrapping_add(self.offset.wrapping_shl(below));
        rounded.wrapping_shr(below) >> 1
    }

    /// The output of a sum by the portable encoding.
    #[inline(always)]
    fn general(&self, sum: i32, channel: &Channel) -> i32 {
        let multiplier = Multiplier { mantissa: channel.multiplier, shift: channel.shift };
        multiplier.apply(channel.bias.wrapping_add(sum)).wrapping_add(self.output.zero_point)
    }

    #[inline(always)]
    fn clamp(&self, value: i32) -> i8 {
        value.max(self.output.minimum).min(self.output.maximum) as i8
    }

    /// The clamp where it is the whole of int8: one instruction on cores that saturate.
    #[inline(always)]
    fn saturate(value: i32) -> i8 {
        value.clamp(-128, 127) as i8
    }

    /// [`Rounding::short`] for outputs that span int8.
    #[cfg(not(all(backend = "v7m", target_arch = "arm")))]
    #[inline(always)]
    fn finish_int8(offset: i32) -> impl Fn(i32, &Channel) -> i8 {
        let rounding = Self { output: OutputRange::int8(0), offset };
        move |sum, channel| Self::saturate(rounding.short(sum, channel))
    }

    /// The output of a sum, however the layer's channels are encoded.
    #[inline(always)]
    fn finish(&self, way: Way, sum: i32, channel: &Channel) -> i8 {
        self.clamp(if way == Way::General { self.general(sum, channel) } else { self.short(sum, channel) })
    }

    /// The way in which the layer's accumulators become outputs.
    fn way(&self, layout: Layout) -> Way {
        if !layout.is(Layout::of(Backend::CURRENT, scalar::SHORT)) {
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
enum Way {
    Short,
    ShortClamped,
    General,
}

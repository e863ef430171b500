//! What a core gives the bodies of this folder: the arithmetic of its multiplier, and kernels in assembly where its registers
//! allow some.

use super::dense::rows;
use super::depthwise::{Block, Line, channels};
use super::depthwise_taps::{Kernels, Taps};
use super::pack::{DENSE_ROWS, Geometry};
use super::rounding::Rounding;
use crate::Backend;
use crate::backend::winograd::PLACES;
use crate::pack::Channel;

/// The geometry of the packed weights that this build runs.
pub(super) const GEOMETRY: Geometry = Geometry::of(Backend::CURRENT);

/// The sums of four pixels times a block of channels: `sums[channel·4 + pixel]`.
pub(super) type Sums = [i32; 4 * GEOMETRY.block];

/// The sums of a full block of outputs of a dense layer.
pub(super) type DenseSums = [i32; GEOMETRY.dense_block];

/// Whole blocks of a layer for kernels that go all the way to the outputs, with the short encoding of channels. The
/// assembly knows the order of the fields.
#[repr(C)]
pub(super) struct Job {
    /// The column of four pixels; for a dense layer the input.
    pub(super) column: *const u32,
    pub(super) weights: *const u32,
    /// Bytes of weights of a block.
    pub(super) block: usize,
    pub(super) channels: *const Channel,
    pub(super) output: *mut i8,
    /// Distance from one pixel's output to the next; for a dense layer the number of inputs.
    pub(super) stride: usize,
    /// [`Rounding::offset`].
    pub(super) offset: i32,
    /// The clamp, for kernels that have one; for dense layers of others the excess of the sums is the minimum.
    pub(super) minimum: i32,
    pub(super) maximum: i32,
    /// Where the weights of the last block end.
    pub(super) end: *const u32,
}

/// Sums of some channels that become outputs, with the short encoding of channels and the full range of int8. The assembly knows the
/// order of the fields.
#[repr(C)]
pub(super) struct Outputs {
    /// The sums of the first channel, one behind the other for its pixels.
    pub(super) sums: *const i32,
    pub(super) channels: *const Channel,
    /// Where the channels end.
    pub(super) end: *const Channel,
    pub(super) output: *mut i8,
    /// Distance from one pixel's output to the next.
    pub(super) stride: usize,
    /// [`Rounding::offset`].
    pub(super) offset: i32,
    /// Bytes of a channel's sums, one for each pixel.
    pub(super) lanes: usize,
    /// Bytes from the last of them to the next channel's sums.
    pub(super) skip: usize,
    /// Accumulators below it give −128: 0 for rectified outputs, of which every negative accumulator gives the least one.
    pub(super) limit: i32,
}

/// A kernel in assembly. It reads the fields of its argument and may move some of them on.
///
/// # Safety
/// The pointers are good for as many blocks, pixels, taps and channels as the fields say, and none of these counts is 0.
pub(super) type Kernel<Work> = unsafe extern "C" fn(*mut Work);

/// A column of pixels times a block of weights; of the block's channels so many are asked for, and a core may compute them all.
///
/// # Safety
/// The weights are a block of some depth, a multiple of four; the column has as many words, or twice as many for four pixels. There is a channel, and
/// not more than the block has.
pub(super) type Multiply = unsafe fn(column: &[u32], weights: &[u32], channels: usize, sums: &mut Sums);

/// Sums of the outputs of a block of a dense layer that is not full: inputs, weights, depth, sums.
///
/// # Safety
/// There are `depth` inputs, one at least, as many weights for each output, and a sum for each.
pub(super) type DenseRows = unsafe extern "C" fn(*const i8, *const i8, usize, *mut i32);

/// (x·m + 2^30) >> 31, m not negative, from four products of 16-bit halves: with x = 2^16·xh + xl, xl signed, and
/// m = 2^16·mh + ml it is 2·xh·mh + ((xh·ml + xl·mh + (xl·ml >> 16) + 2^14) >> 15). Nothing overflows for |x| < 2^29, as packing sees
/// to: the terms of the second sum are below 2^29 + 2^16, 2^30 and 2^15.
#[cfg(any(core = "v6m", all(core = "rv32", smolnn_slow_mulh)))]
#[inline(always)]
pub(super) fn by_halves(x: i32, m: i32) -> i32 {
    let low = i32::from(x as i16);
    let high = x.wrapping_sub(low) >> 16;
    let (m_low, m_high) = (m & 0xFFFF, m >> 16);
    let middle = (high * m_low).wrapping_add(low * m_high).wrapping_add((low * m_low) >> 16);
    (2 * high).wrapping_mul(m_high).wrapping_add(middle.wrapping_add(1 << 14) >> 15)
}

/// A core. Kernels that it leaves out are loops in Rust.
pub(super) trait Core {
    /// Four pixels times whole blocks of channels, from the column to the outputs.
    const CONVOLVE: Option<Kernel<Job>> = None;
    /// One vector times whole blocks of outputs of a dense layer, from the input to the outputs.
    const DENSE_BLOCKS: Option<Kernel<Job>> = None;
    /// Sums of some channels to outputs.
    const FINISH: Option<Kernel<Outputs>> = None;
    /// The same for one pixel, whose sums and outputs lie one behind the other.
    const FINISH_ONE: Option<Kernel<Outputs>> = Self::FINISH;
    /// One vector times a block of one to four outputs of a dense layer.
    const DENSE_ROWS: [DenseRows; DENSE_ROWS] = [rows::<1>, rows::<2>, rows::<3>, rows::<4>];
    /// Whether the first two clamp to any range; else they saturate to int8.
    const CLAMPS: bool = false;
    /// A row of a 3×3 depthwise convolution, at stride 1 and at stride 2.
    const DEPTHWISE_LINES: Option<[Kernel<Line>; 2]> = None;
    /// Depthwise convolutions by a table of taps: four pixels with taps of their own, and one pixel.
    const DEPTHWISE_TAPS: Kernels;
    /// The same for four pixels whose windows are neighbours.
    const DEPTHWISE_NEIGHBOURS: Option<Kernel<Taps>> = None;
    /// The same for one pixel, eight channels at a time, of which there are as many at least; the weights lie by taps.
    const DEPTHWISE_CHANNELS: Option<Kernel<Taps>> = None;
    /// Whether code for encodings that few layers have stands apart from the loops, which it makes long.
    const RARE_APART: bool = false;
    /// Four pixels, two to a word.
    const QUAD: Multiply;
    /// At most [`PAIR_PIXELS`](Core::PAIR_PIXELS) pixels.
    const PAIR: Option<Multiply>;
    /// The pixels that it computes: two, in one word per position, or one, in the first of two words.
    const PAIR_PIXELS: usize = 2;

    /// Sums of Winograd's products for four tiles and [`Geometry::winograd_outputs`] output channels: `sums` by places, outputs,
    /// tiles; `columns` by places, input channels, tiles; `weights` by places, input channels, outputs.
    ///
    /// # Safety
    /// The slices have the lengths that go with one number of input channels, a multiple of four and not 0.
    #[inline(always)]
    unsafe fn winograd(columns: &[i16], weights: &[i16], sums: &mut [i32]) {
        const OUTPUTS: usize = GEOMETRY.winograd_outputs;
        let columns = columns.chunks_exact((columns.len() / PLACES).max(1));
        let weights = weights.chunks_exact((weights.len() / PLACES).max(1));
        for ((columns, weights), sums) in columns.zip(weights).zip(sums.chunks_exact_mut(4 * OUTPUTS)) {
            let mut all = [[0_i32; 4]; OUTPUTS];
            for (inputs, weights) in columns.chunks_exact(4).zip(weights.chunks_exact(OUTPUTS)) {
                for (sums, &weight) in all.iter_mut().zip(weights) {
                    for (sum, &input) in sums.iter_mut().zip(inputs) {
                        *sum = sum.wrapping_add(i32::from(input) * i32::from(weight));
                    }
                }
            }
            sums.copy_from_slice(all.as_flattened());
        }
    }

    /// A vector times a full block of outputs of a dense layer. Accumulators start from `sums`, which are 0 where weights are stored as
    /// they are.
    ///
    /// # Safety
    /// The block has its weights for each input.
    unsafe fn dense(input: &[i8], weights: &[u32], sums: &mut DenseSums);

    /// (x·m + 2^30) >> 31 of x = sum + bias in the short encoding: the high word of 2x·m and the rounding bit below it where
    /// accumulators are doubled.
    #[inline(always)]
    fn high_product(sum: i32, channel: &Channel) -> i32 {
        if GEOMETRY.doubles {
            let doubled = channel.bias.wrapping_add(sum << 1);
            let product = i64::from(doubled) * i64::from(channel.multiplier);
            return (product >> 32) as i32 + (product as u32 >> 31) as i32;
        }
        let product = i64::from(channel.bias.wrapping_add(sum)) * i64::from(channel.multiplier);
        ((product + (1 << 30)) >> 31) as i32
    }

    /// A 3×3 depthwise convolution of four neighbouring pixels, with six taps a row.
    ///
    /// # Safety
    /// The block's pointers are good for its number of channels; the full range of int8 is asked for.
    #[inline(always)]
    unsafe fn depthwise_four(block: &mut Block) {
        // SAFETY: the block's pointers are good for its number of channels, as the caller vouches.
        unsafe { channels(block, [0, 1, 2, 3], 6, Rounding::finish_int8(block.offset)) }
    }

    /// A 3×3 depthwise convolution of two pixels, with six taps a row.
    ///
    /// # Safety
    /// The block's pointers are good for its number of channels; the full range of int8 is asked for.
    #[inline(always)]
    unsafe fn depthwise_two(block: &mut Block) {
        // SAFETY: the block's pointers are good for its number of channels, as the caller vouches.
        unsafe { channels(block, [0, 3], 6, Rounding::finish_int8(block.offset)) }
    }

    /// A 3×3 depthwise convolution of one pixel, with three taps a row.
    ///
    /// # Safety
    /// The block's pointers are good for its number of channels; the full range of int8 is asked for.
    #[inline(always)]
    unsafe fn depthwise_one(block: &mut Block) {
        // SAFETY: the block's pointers are good for its number of channels, as the caller vouches.
        unsafe { channels(block, [0], 3, Rounding::finish_int8(block.offset)) }
    }
}

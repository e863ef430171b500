//! The arithmetic of the cores' inner loops in Rust, for tests on a host that forces one of the backends: two pixels to a
//! word, four weights to a word. What goes from the sums to the outputs is the common Rust of this folder.

use super::depthwise::{Line, Pixel};
use super::rounding::{BLOCK, DENSE_BLOCK, DenseSums, Job, SPREAD, Sums};
use crate::Backend;
use crate::pack::Channel;

pub(super) use super::blocks::{depthwise_four, depthwise_one, depthwise_two};

/// There is a kernel for one pair of pixels.
pub(super) const HAS_PAIR: bool = !matches!(Backend::CURRENT, Backend::V6m);

/// Dense sums have 128·Σ x in them.
pub(super) const DENSE_EXCESS: bool = !matches!(Backend::CURRENT, Backend::Rv32);

/// There is none of the kernels that go all the way to the outputs.
pub(super) const HAS_CONVOLVE: bool = false;
pub(super) const HAS_DENSE_BLOCKS: bool = false;
pub(super) const CONVOLVE_CLAMPS: bool = false;
pub(super) const HAS_ROWS: bool = false;

pub(super) unsafe fn convolve(_job: &Job) {}
pub(super) unsafe fn dense_blocks(_job: &Job) {}
pub(super) unsafe fn depthwise_line(_line: &mut Line) {}
pub(super) unsafe fn depthwise_line_two(_line: &mut Line) {}
pub(super) unsafe fn depthwise_pixel(_pixel: &Pixel) {}

/// (x·m + 2^30) >> 31 of x = sum + bias, which but for v6-M is twice the bias.
pub(super) fn high_product(sum: i32, channel: &Channel) -> i32 {
    if matches!(Backend::CURRENT, Backend::V6m) {
        let product = i64::from(sum + channel.bias) * i64::from(channel.multiplier);
        return ((product + (1 << 30)) >> 31) as i32;
    }
    let product = i64::from(2 * sum + channel.bias) * i64::from(channel.multiplier);
    ((product + (1 << 31)) >> 32) as i32
}

pub(super) fn quad(column: &[u32], weights: &[u32], sums: &mut Sums) {
    tile(column, weights, sums, 2);
}

pub(super) fn pair(column: &[u32], weights: &[u32], sums: &mut Sums) {
    tile(column, weights, sums, 1);
}

fn tile(column: &[u32], weights: &[u32], sums: &mut Sums, pairs: usize) {
    let weights: &[i8] = bytemuck::must_cast_slice(weights);
    for channel in 0..BLOCK {
        for pair in 0..pairs {
            let word = |depth: usize| column[depth * pairs + pair];
            let weight = |depth: usize| i32::from(weights[depth * BLOCK + channel]);
            let (lower, upper) = if matches!(Backend::CURRENT, Backend::V7m) {
                wide(weights.len() / BLOCK, word, weight)
            } else {
                narrow(weights.len() / BLOCK, word, weight)
            };
            sums[channel * 4 + pair * 2] = lower;
            sums[channel * 4 + pair * 2 + 1] = upper;
        }
    }
}

/// One accumulator of 64 bits, as on v7-M.
fn wide(depth: usize, word: impl Fn(usize) -> u32, weight: impl Fn(usize) -> i32) -> (i32, i32) {
    let sum: i64 = (0..depth).map(|at| i64::from(word(at) as i32) * i64::from(weight(at))).sum();
    let above = 32 - SPREAD;
    ((sum as i32) << above >> above, ((sum + (1 << (SPREAD - 1))) >> SPREAD) as i32)
}

/// Two accumulators of 32 bits and fields of 16, as on RV32 and v6-M.
fn narrow(depth: usize, word: impl Fn(usize) -> u32, weight: impl Fn(usize) -> i32) -> (i32, i32) {
    let (mut all, mut upper) = (0_u32, 0_u32);
    for at in (0..depth).step_by(2) {
        let product = |at: usize| word(at).wrapping_mul(weight(at) as u32);
        let sum = product(at).wrapping_add(product(at + 1));
        all = all.wrapping_add(sum);
        upper = upper.wrapping_add((sum.wrapping_add(1 << 15) as i32 >> 16) as u32);
    }
    (all.wrapping_sub(upper << 16) as i32, upper as i32)
}

/// Four weights to a word, each plus 128, as on the Arm cores; plain bytes as on RV32.
pub(super) fn dense(input: &[i8], weights: &[u32], sums: &mut DenseSums) {
    if matches!(Backend::CURRENT, Backend::Rv32) {
        let weights: &[i8] = bytemuck::must_cast_slice(weights);
        for (&x, weights) in input.iter().zip(weights.chunks_exact(DENSE_BLOCK)) {
            for (sum, &weight) in sums.iter_mut().zip(weights) {
                *sum += i32::from(x) * i32::from(weight);
            }
        }
        return;
    }
    for (&x, words) in input.iter().zip(weights.chunks_exact(DENSE_BLOCK / 4)) {
        for (sums, word) in sums.chunks_exact_mut(4).zip(words) {
            for (shift, sum) in sums.iter_mut().enumerate() {
                *sum = sum.wrapping_add((word >> (8 * shift)).wrapping_mul(i32::from(x) as u32) as i32);
            }
        }
    }
    for sums in sums.chunks_exact_mut(4) {
        for index in 0..3 {
            sums[index] = sums[index].wrapping_sub(sums[index + 1] << 8);
        }
    }
}

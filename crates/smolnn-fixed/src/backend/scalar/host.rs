//! The cores' arithmetic in Rust, for tests on a host that forces one of the backends: two pixels to a word, four weights to a
//! word. What goes from the sums to the outputs is the common Rust of this folder.

use super::depthwise_taps::{Kernels, LANES, Taps};
use super::kernels::{Core, DenseSums, GEOMETRY, Kernel, Multiply, Sums};
use super::rounding::Rounding;
use crate::Backend;

/// The core of the host: its kernels are plain Rust with the arithmetic of the backend that is forced.
pub(super) struct Host;

impl Core for Host {
    const QUAD: Multiply = quad;
    const PAIR: Option<Multiply> = Some(if matches!(Backend::CURRENT, Backend::V6m) { quad } else { pair });
    const PAIR_PIXELS: usize = if matches!(Backend::CURRENT, Backend::V6m) { 1 } else { 2 };

    const DEPTHWISE_TAPS: Kernels = [taps::<LANES, false>, taps::<1, false>];
    const DEPTHWISE_NEIGHBOURS: Option<Kernel<Taps>> =
        if matches!(Backend::CURRENT, Backend::V6m) { None } else { Some(taps::<LANES, true>) };

    const DEPTHWISE_CHANNELS: Option<Kernel<Taps>> = if GEOMETRY.across_channels { Some(taps_channels) } else { None };

    /// The block's weights lie four to a word, each plus 128, as on the Arm cores; or they are plain bytes, as on RV32.
    unsafe fn dense(input: &[i8], weights: &[u32], sums: &mut DenseSums) {
        if !GEOMETRY.stores_excess {
            let weights: &[i8] = bytemuck::must_cast_slice(weights);
            for (&x, weights) in input.iter().zip(weights.chunks_exact(GEOMETRY.dense_block)) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
                }
            }
            return;
        }
        for (&x, words) in input.iter().zip(weights.chunks_exact(GEOMETRY.dense_block / 4)) {
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
}

/// Some pixels of a depthwise convolution; of neighbours a row of the table has the columns of all of them.
///
/// # Safety
/// The pointers are good for the table's taps, for the channels, and for as many pixels.
unsafe extern "C" fn taps<const PIXELS: usize, const NEIGHBOURS: bool>(taps: *mut Taps) {
    // SAFETY: the caller gives a reference.
    let taps = unsafe { &*taps };
    let finish = Rounding::finish_int8(taps.offset);
    let (mut weights, mut channel) = (taps.weights, 0);
    while weights < taps.end {
        let input = channel / taps.multiplier;
        let mut sums = [0; PIXELS];
        for tap in 0..taps.depth {
            let (row, column) = (tap / taps.columns, tap % taps.columns);
            for (pixel, sum) in sums.iter_mut().enumerate() {
                let place = match NEIGHBOURS {
                    true => row * (taps.columns + PIXELS - 1) + column + pixel,
                    false => tap * PIXELS + pixel,
                };
                // SAFETY: the table has this place, and each tap in it the channels of the input; every tap has a weight for each output.
                unsafe {
                    *sum += i32::from(*taps.tap(*taps.table.add(place)).wrapping_add(input)) * i32::from(*weights);
                }
            }
            weights = weights.wrapping_add(1);
        }
        let others = [0, taps.others[0], taps.others[1], taps.others[2]];
        for (sum, other) in sums.into_iter().zip(others) {
            // SAFETY: there is a channel for every output, and each pixel has the output.
            unsafe { *taps.output.add(channel + other) = finish(sum, &*taps.channels.add(channel)) };
        }
        channel += 1;
    }
}

/// One pixel of a depthwise convolution whose weights lie by taps.
///
/// # Safety
/// The pointers are good for the table's taps, for the channels and for a pixel.
unsafe extern "C" fn taps_channels(taps: *mut Taps) {
    // SAFETY: the caller gives a reference.
    let taps = unsafe { &*taps };
    let finish = Rounding::finish_int8(taps.offset);
    for channel in 0..taps.count {
        let mut sum = 0;
        for tap in 0..taps.depth {
            // SAFETY: the table has this tap, which has the channels of the input; every tap has a weight for each of them.
            unsafe {
                let value = *taps.tap(*taps.table.add(tap)).wrapping_add(channel);
                sum += i32::from(value) * i32::from(*taps.weights.add(tap * taps.count + channel));
            }
        }
        // SAFETY: there are so many channels, each with an output.
        unsafe { *taps.output.add(channel) = finish(sum, &*taps.channels.add(channel)) };
    }
}

unsafe fn quad(column: &[u32], weights: &[u32], _: usize, sums: &mut Sums) {
    multiply::<2>(column, weights, sums);
}

unsafe fn pair(column: &[u32], weights: &[u32], _: usize, sums: &mut Sums) {
    multiply::<1>(column, weights, sums);
}

fn multiply<const PAIRS: usize>(column: &[u32], weights: &[u32], sums: &mut Sums) {
    let weights: &[i8] = bytemuck::must_cast_slice(weights);
    let depth = weights.len() / GEOMETRY.block;
    for channel in 0..GEOMETRY.block {
        for pair in 0..PAIRS {
            let word = |depth: usize| column[depth * PAIRS + pair];
            let weight = |depth: usize| i32::from(weights[depth * GEOMETRY.block + channel]);
            let (lower, upper) = separated(depth, word, weight);
            sums[channel * 4 + pair * 2] = lower;
            sums[channel * 4 + pair * 2 + 1] = upper;
        }
    }
}

/// The sums of a pair of pixels: all products in one accumulator, those of the upper pixel in another.
fn separated(depth: usize, word: impl Fn(usize) -> u32, weight: impl Fn(usize) -> i32) -> (i32, i32) {
    let (mut all, mut upper) = (0_u32, 0_u32);
    for at in (0..depth).step_by(2) {
        let product = |at: usize| word(at).wrapping_mul(weight(at) as u32);
        let sum = product(at).wrapping_add(product(at + 1));
        all = all.wrapping_add(sum);
        upper = upper.wrapping_add((sum.wrapping_add(1 << 15) as i32 >> 16) as u32);
    }
    (all.wrapping_sub(upper << 16) as i32, upper as i32)
}

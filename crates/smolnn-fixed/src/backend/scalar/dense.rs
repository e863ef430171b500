//! Dense layer: every input is read once per block of outputs. On the Arm cores four weights come in one word, W = Σ 2^(8i)·u_i
//! with u = w + 128; W >> 8i times the input goes to accumulator i modulo 2^32. With A_i = Σ x·(W >> 8i) the sums are
//! Σ x·u_i = A_i − 2^8·A_(i+1) modulo 2^32; 128·Σ x, the same for all outputs of a vector, is taken off before the first product. That saves the
//! sign extension: three shifts and a load for four weights.
//! Outputs that do not fill a block of eight (on RV32 sixteen) run in blocks of one to four, with weights as they are.

use core::mem::MaybeUninit;

use smolnn_core::excluded;

use super::kernels::{Core, DenseSums, GEOMETRY, Job, Outputs};
use super::rounding::{Rounding, Way};
use super::{Cpu, pack};
use crate::Tensors;
use crate::dense::{Dense, DenseToInt16};
use crate::pack::Channel;

/// The number of outputs of a full block.
const DENSE_BLOCK: usize = GEOMETRY.dense_block;

pub(super) fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>) {
    let rounding = Rounding::new(&layer.output);
    let way = rounding.way(layer.layout);
    let shape = &layer.shape;
    for vector in 0..shape.batch() {
        let inputs = vector * shape.inputs()..(vector + 1) * shape.inputs();
        let Some(input) = tensors.input().get(inputs.clone()) else { return excluded() };
        let excess = excess(input, shape.outputs());
        let block_words = DENSE_BLOCK * shape.inputs() / 4;
        let mut done = 0;
        let whole = shape.outputs() / DENSE_BLOCK;
        if let Some(dense_blocks) = Cpu::DENSE_BLOCKS
            && way != Way::General
            && whole > 0
        {
            let words = layer.words.get(..whole * block_words).unwrap_or_else(excluded);
            let (input, output) = tensors.pointers();
            let mut job = Job {
                // SAFETY: `vector` is below the batch, and the input holds the batch's vectors.
                column: unsafe { input.add(vector * shape.inputs()) }.cast(),
                weights: words.as_ptr(),
                block: 4 * block_words,
                channels: layer.channels.as_ptr(),
                // SAFETY: `vector` is below the batch, and the output holds the batch's outputs.
                output: unsafe { output.add(vector * shape.outputs()) },
                stride: shape.inputs(),
                offset: rounding.offset,
                minimum: if Cpu::CLAMPS { layer.output.minimum } else { excess },
                maximum: layer.output.maximum,
                end: words.as_ptr_range().end,
            };
            // SAFETY: the layer has `whole` whole blocks; the tensors come from one borrow.
            unsafe { dense_blocks(&mut job) };
            done = whole;
        }
        let mut words = layer.words.get(done * block_words..).unwrap_or_else(excluded);
        let mut first = done * DENSE_BLOCK;
        let mut sums = MaybeUninit::uninit();
        while first < shape.outputs() {
            let Some(input) = tensors.input().get(inputs.clone()) else { return excluded() };
            let Some((sums, rest)) = block(input, words, excess, shape.outputs() - first, &mut sums) else {
                return excluded();
            };
            let count = sums.len();
            let Some(channels) = layer.channels.get(first..first + count) else { return excluded() };
            // Outputs never lie over inputs of their own or a later vector: `DenseShape::overlap_gap`.
            let at = vector * shape.outputs() + first;
            let Some(output) = tensors.output().get_mut(at..at + count) else { return excluded() };
            finish(&rounding, way, sums, channels, output);
            words = rest;
            first += count;
        }
    }
    if !Cpu::CLAMPS && way != Way::General {
        let output = tensors.output();
        // SAFETY: the slice is as long as it says, and nobody else has it; every element of it has been written.
        unsafe { rounding.clamp_all(output.as_mut_ptr(), output.len()) };
    }
}

/// Sums become outputs; in the short encoding they need not be clamped to a range narrower than int8.
#[inline(always)]
fn finish(rounding: &Rounding, way: Way, sums: &[i32], channels: &[Channel], output: &mut [i8]) {
    if let Some(finish) = Cpu::FINISH_ONE
        && way != Way::General
        && !channels.is_empty()
    {
        let range = channels.as_ptr_range();
        let mut outputs = Outputs {
            sums: sums.as_ptr(),
            channels: range.start,
            end: range.end,
            output: output.as_mut_ptr(),
            stride: 1,
            offset: rounding.offset,
            lanes: 4,
            skip: 0,
            limit: Rounding::limit(rounding.offset),
        };
        // SAFETY: sums, channels and outputs are as many, at least one.
        return unsafe { finish(&mut outputs) };
    }
    if Cpu::FINISH_ONE.is_some() {
        each_general(rounding, sums, channels, output);
    } else {
        each(rounding, way, sums, channels, output);
    }
}

/// [`finish`] in Rust.
#[inline(always)]
fn each(rounding: &Rounding, way: Way, sums: &[i32], channels: &[Channel], output: &mut [i8]) {
    for ((output, channel), &sum) in output.iter_mut().zip(channels).zip(sums) {
        *output = if way == Way::Short {
            Rounding::saturate(rounding.short(sum, channel))
        } else {
            rounding.finish(way, sum, channel)
        };
    }
}

/// [`each`] for the general encoding, which few layers have.
#[inline(never)]
fn each_general(rounding: &Rounding, sums: &[i32], channels: &[Channel], output: &mut [i8]) {
    for ((output, channel), &sum) in output.iter_mut().zip(channels).zip(sums) {
        *output = rounding.finish(Way::General, sum, channel);
    }
}

pub(super) fn dense_to_int16(layer: &DenseToInt16<'_>, input: &[i8], output: &mut [i16]) {
    let rounding = Rounding::new(&layer.output);
    let is_general = rounding.way(layer.layout) == Way::General;
    let excess = excess(input, output.len());
    let mut sums = MaybeUninit::uninit();
    let (mut words, mut channels, mut output) = (layer.words, layer.channels, output);
    while !output.is_empty() {
        let Some((sums, rest)) = block(input, words, excess, output.len(), &mut sums) else { return excluded() };
        let count = sums.len();
        let Some((here, after)) = channels.split_at_checked(count) else { return excluded() };
        let Some((results, behind)) = output.split_at_mut_checked(count) else { return excluded() };
        for ((result, channel), &sum) in results.iter_mut().zip(here).zip(sums) {
            let value = if is_general { rounding.general(sum, channel) } else { rounding.short(sum, channel) };
            *result = value.clamp(-32768, 32767) as i16;
        }
        (words, channels, output) = (rest, after, behind);
    }
}

/// 128·Σ x, which the sums of full blocks have too much; 0 for a layer of so many outputs that has no such block.
#[inline(always)]
fn excess(input: &[i8], outputs: usize) -> i32 {
    if GEOMETRY.stores_excess && GEOMETRY.dense_width(outputs) == DENSE_BLOCK {
        input.iter().fold(0_i32, |sum, &x| sum.wrapping_add(x.into())).wrapping_mul(128)
    } else {
        0
    }
}

/// What the accumulators of a full block start from, so that its sums come out without the excess e: A_i − 2^8·A_(i+1) = −e.
#[inline(always)]
fn start(excess: i32) -> DenseSums {
    let mut sums = [0; DENSE_BLOCK];
    if GEOMETRY.stores_excess {
        for sums in sums.chunks_exact_mut(4) {
            let mut next = 0_i32;
            for sum in sums.iter_mut().rev() {
                next = (next << 8).wrapping_sub(excess);
                *sum = next;
            }
        }
    }
    sums
}

/// The sums of the next block, whose weights `words` begin with, where `left` outputs are left, and the words of the blocks behind it.
/// The sums lie in `memory`. None where the words end before the block.
#[inline(always)]
fn block<'a, 'b>(
    input: &[i8],
    words: &'a [u32],
    excess: i32,
    left: usize,
    memory: &'b mut MaybeUninit<DenseSums>,
) -> Option<(&'b [i32], &'a [u32])> {
    let width = GEOMETRY.dense_width(left);
    let (weights, rest) = words.split_at_checked(pack::dense_block_words(width, input.len()))?;
    if width == DENSE_BLOCK {
        let sums = memory.write(start(excess));
        // SAFETY: the block of weights has a full width for each of the inputs.
        unsafe { Cpu::dense(input, weights, sums) };
        return Some((sums.get(..left).unwrap_or(sums), rest));
    }
    let rows = Cpu::DENSE_ROWS.get(width.wrapping_sub(1))?;
    let sums = memory.as_mut_ptr().cast();
    // SAFETY: the block has weights for `width` outputs and each of the inputs, of which there is one at least; there are sums for as
    // many, and the kernel writes them.
    let sums = unsafe {
        rows(input.as_ptr(), weights.as_ptr().cast(), input.len(), sums);
        core::slice::from_raw_parts(sums, width)
    };
    Some((sums, rest))
}

/// The sums of `N` outputs of a block that is not full.
///
/// # Safety
/// There are `depth` inputs and `N` times as many weights, and `sums` has `N` numbers.
pub(super) unsafe extern "C" fn rows<const N: usize>(
    input: *const i8,
    weights: *const i8,
    depth: usize,
    sums: *mut i32,
) {
    // SAFETY: as the caller vouches.
    let (input, weights) =
        unsafe { (core::slice::from_raw_parts(input, depth), core::slice::from_raw_parts(weights, N * depth)) };
    let mut all = [0_i32; N];
    if GEOMETRY.dense_by_rows {
        for (sum, row) in all.iter_mut().zip(weights.chunks_exact(depth.max(1))) {
            for (&x, &weight) in input.iter().zip(row) {
                *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
            }
        }
    } else {
        let mut step = |inputs: &[i8], weights: &[i8]| {
            for (&x, weights) in inputs.iter().zip(weights.chunks_exact(N)) {
                for (sum, &weight) in all.iter_mut().zip(weights) {
                    *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
                }
            }
        };
        // Four inputs at a time, so that the loop costs little.
        let (fours, rest) = input.as_chunks::<4>();
        for (inputs, weights) in fours.iter().zip(weights.chunks_exact(4 * N)) {
            step(inputs, weights);
        }
        step(rest, weights.get(4 * N * fours.len()..).unwrap_or_else(excluded));
    }
    // SAFETY: the caller has `N` sums.
    unsafe { sums.cast::<[i32; N]>().write(all) };
}

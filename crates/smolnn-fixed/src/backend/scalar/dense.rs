//! Dense layer: every input is read once per block of outputs. On the Arm cores four weights come in one word, W = Σ 2^(8i)·u_i
//! with u = w + 128; W >> 8i times the input goes to accumulator i modulo 2^32. With A_i = Σ x·(W >> 8i) the sums are
//! Σ x·u_i = A_i − 2^8·A_(i+1), exactly, as long as they fit in 32 bits themselves; 128·Σ x, the same for all outputs of a
//! vector, is taken off at the end. That saves the sign extension: three shifts and a load for four weights.
//! Outputs that do not fill a block of eight (on RV32 sixteen) run in blocks of two to four, with weights as they are.

use smolnn_core::excluded;

use super::kernels::{Core, DenseSums, GEOMETRY, Job};
use super::rounding::{Rounding, Way};
use super::{Cpu, pack};
use crate::Tensors;
use crate::dense::Dense;

/// The number of outputs of a full block.
const DENSE_BLOCK: usize = GEOMETRY.dense_block;

pub(super) fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>) {
    let rounding = Rounding::new(&layer.output);
    let way = rounding.way(layer.layout);
    let shape = &layer.shape;
    for vector in 0..shape.batch() {
        let Some(input) = tensors.input().get(vector * shape.inputs()..(vector + 1) * shape.inputs()) else {
            return excluded();
        };
        let is_full = GEOMETRY.dense_width(shape.outputs()) == DENSE_BLOCK;
        let excess = if GEOMETRY.stores_excess && is_full {
            input.iter().fold(0_i32, |sum, &x| sum.wrapping_add(x.into())).wrapping_mul(128)
        } else {
            0
        };
        let block_words = DENSE_BLOCK * shape.inputs() / 4;
        let mut done = 0;
        let whole = shape.outputs() / DENSE_BLOCK;
        let finishes = way == Way::Short || (way == Way::ShortClamped && Cpu::CLAMPS);
        if let Some(dense_blocks) = Cpu::DENSE_BLOCKS
            && finishes
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
        while first < shape.outputs() {
            let width = GEOMETRY.dense_width(shape.outputs() - first);
            let count = width.min(shape.outputs() - first);
            let Some((weights, rest)) = words.split_at_checked(pack::dense_block_words(width, shape.inputs())) else {
                return excluded();
            };
            let Some(input) = tensors.input().get(vector * shape.inputs()..(vector + 1) * shape.inputs()) else {
                return excluded();
            };
            let Some(channels) = layer.channels.get(first..first + count) else { return excluded() };
            let (two, three, four, mut full): (_, _, _, DenseSums);
            let (sums, excess): (&[i32], i32) = match width {
                2 => {
                    two = narrow::<2>(input, weights);
                    (&two, 0)
                }
                3 => {
                    three = narrow::<3>(input, weights);
                    (&three, 0)
                }
                4 => {
                    four = narrow::<4>(input, weights);
                    (&four, 0)
                }
                _ => {
                    full = [0; DENSE_BLOCK];
                    // SAFETY: the block of weights has a full width for each of the inputs.
                    unsafe { Cpu::dense(input, weights, &mut full) };
                    (&full, excess)
                }
            };
            // Outputs never lie over inputs of their own or a later vector: `DenseShape::overlap_gap`.
            let start = vector * shape.outputs() + first;
            let Some(output) = tensors.output().get_mut(start..start + count) else { return excluded() };
            for ((output, channel), &sum) in output.iter_mut().zip(channels).zip(sums) {
                let sum = sum.wrapping_sub(excess);
                *output = if way == Way::Short {
                    Rounding::saturate(rounding.short(sum, channel))
                } else {
                    rounding.finish(way, sum, channel)
                };
            }
            words = rest;
            first += width;
        }
    }
}

/// The sums of a block of `N` outputs, whose weights are stored plain.
#[inline(never)]
fn narrow<const N: usize>(input: &[i8], weights: &[u32]) -> [i32; N] {
    let weights: &[i8] = bytemuck::must_cast_slice(weights);
    let mut sums = [0_i32; N];
    let mut step = |inputs: &[i8], weights: &[i8]| {
        for (&x, weights) in inputs.iter().zip(weights.chunks_exact(N)) {
            for (sum, &weight) in sums.iter_mut().zip(weights) {
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
    sums
}

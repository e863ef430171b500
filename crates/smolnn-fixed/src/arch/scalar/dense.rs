//! Dense layer: every input is read once per block of outputs. On the Arm cores four weights come in one word, W = Σ 2^(8i)·u_i with
//! u = w + 128; W >> 8i times the input goes to accumulator i modulo 2^32. With A_i = Σ x·(W >> 8i) the sums are
//! Σ x·u_i = A_i − 2^8·A_(i+1), exactly, as long as they fit in 32 bits themselves; 128·Σ x, the same for all outputs of a
//! vector, is taken off at the end. That saves the sign extension: three shifts and a load for four weights.

use super::{DENSE_BLOCK, DenseSums, Job, Rounding, Way, cpu};
use crate::Tensors;
use crate::arch::portable;
use crate::dense::DenseLayer;
use crate::pack::Layout;

pub(crate) fn dense(layer: &DenseLayer<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    if layer.layout.is(Layout::PORTABLE) {
        return portable::dense(layer, tensors, scratch);
    }
    let rounding = Rounding::new(&layer.output);
    let way = rounding.way(layer.layout);
    let shape = &layer.shape;
    for vector in 0..shape.batch {
        let Some(input) = tensors.input().get(vector * shape.inputs..(vector + 1) * shape.inputs) else { return };
        let excess = if cpu::DENSE_EXCESS { 128 * input.iter().map(|&x| i32::from(x)).sum::<i32>() } else { 0 };
        let block_words = DENSE_BLOCK * shape.inputs / 4;
        let mut done = 0;
        let whole = shape.outputs / DENSE_BLOCK;
        let has_blocks = way == Way::Short || (way == Way::ShortClamped && cpu::CONVOLVE_CLAMPS);
        if cpu::HAS_DENSE_BLOCKS && has_blocks && whole > 0 {
            let words = layer.words.get(..whole * block_words).unwrap_or_default();
            let (input, output) = tensors.pointers();
            let job = Job {
                // SAFETY: the vector lies in the input, and in the output.
                column: unsafe { input.add(vector * shape.inputs) }.cast(),
                weights: words.as_ptr(),
                block: 4 * block_words,
                channels: layer.channels.as_ptr(),
                // SAFETY: as above.
                output: unsafe { output.add(vector * shape.outputs) },
                stride: shape.inputs,
                offset: rounding.offset,
                minimum: if cpu::CONVOLVE_CLAMPS { layer.output.minimum } else { excess },
                maximum: layer.output.maximum,
                end: words.as_ptr_range().end,
            };
            // SAFETY: the layer has `whole` whole blocks; the tensors come from one borrow.
            unsafe { cpu::dense_blocks(&job) };
            done = whole;
        }
        let blocks = layer.words.chunks_exact(block_words.max(1));
        for (block, (weights, channels)) in blocks.zip(layer.channels.chunks(DENSE_BLOCK)).enumerate().skip(done) {
            let Some(input) = tensors.input().get(vector * shape.inputs..(vector + 1) * shape.inputs) else { return };
            let mut sums: DenseSums = [0; DENSE_BLOCK];
            cpu::dense(input, weights, &mut sums);
            // Outputs never lie over inputs of their own or a later vector: `Dense::overlap_gap`.
            let start = vector * shape.outputs + block * DENSE_BLOCK;
            let Some(output) = tensors.output().get_mut(start..start + channels.len()) else { return };
            for ((output, channel), sum) in output.iter_mut().zip(channels).zip(sums) {
                let sum = sum.wrapping_sub(excess);
                *output = if way == Way::Short {
                    Rounding::saturate(rounding.short(sum, channel))
                } else {
                    rounding.finish(way, sum, channel)
                };
            }
        }
    }
}

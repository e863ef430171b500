//! Dense layer: a matrix times each vector of the batch.

use smolnn_core::excluded;

use crate::Tensors;
use crate::conv::finish_short;
use crate::dense::{Dense, DenseToInt16};
use crate::pack::Channel;
use crate::quantise::{Multiplier, OutputRange};

#[inline(never)]
pub(crate) fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let weights: &[i8] = bytemuck::must_cast_slice(layer.words);
    let vector: &mut [i8] = bytemuck::must_cast_slice_mut(scratch);
    for index in 0..shape.batch() {
        let start = index * shape.inputs();
        if shape.batch() == 1 {
            // The whole input is needed until the last output, so the two cannot overlap.
            for output in 0..shape.outputs() {
                let row = weights.iter().skip(output * shape.inputs()).take(shape.inputs());
                let Some(channel) = layer.channels.get(output) else { return };
                let sum = tensors
                    .input()
                    .iter()
                    .zip(row)
                    .fold(channel.bias, |sum, (&x, &w)| sum.wrapping_add(i32::from(x) * i32::from(w)));
                let Some(result) = tensors.output().get_mut(output) else { return };
                *result = super::requantise(sum, channel, &layer.output);
            }
        } else {
            let Some(vector) = vector.get_mut(..shape.inputs()) else { return };
            let Some(input) = tensors.input().get(start..start + shape.inputs()) else { return };
            vector.copy_from_slice(input);
            let start = index * shape.outputs();
            let Some(result) = tensors.output().get_mut(start..start + shape.outputs()) else { return };
            super::matrix_vector(vector, weights, layer.channels, &layer.output, result);
        }
    }
}

pub(crate) fn dense_to_int16(layer: &DenseToInt16<'_>, input: &[i8], output: &mut [i16], _scratch: &mut [u32]) {
    let weights: &[i8] = bytemuck::must_cast_slice(layer.words);
    rows(input, weights, layer.channels, output, |channel, sum| {
        let multiplier = Multiplier { mantissa: channel.multiplier, shift: channel.shift };
        OutputRange::int16().finish(multiplier.apply(channel.bias.wrapping_add(sum))) as i16
    });
}

/// Runs a dense layer on one vector of int16 inputs, with channels in short form.
// It is not inlined, since its loop would have fewer registers inside of its callers.
#[inline(never)]
pub(crate) fn dense_int16(
    input: &[i16],
    weights: &[i8],
    channels: &[Channel],
    range: &OutputRange,
    output: &mut [i16],
) {
    rows(input, weights, channels, output, |channel, sum| finish_short(channel, sum, range));
}

/// Multiplies every row of weights by the inputs, four rows at a time.
#[inline(always)]
fn rows<T: Copy + Into<i32>>(
    input: &[T],
    weights: &[i8],
    channels: &[Channel],
    output: &mut [i16],
    finish: impl Fn(&Channel, i32) -> i16,
) {
    let (fours, rest) = output.as_chunks_mut::<4>();
    let (channel_fours, rest_channels) = channels.as_chunks::<4>();
    let mut rows = weights.chunks_exact((4 * input.len()).max(1));
    let mut used = 0;
    for ((results, channels), rows) in fours.iter_mut().zip(channel_fours).zip(rows.by_ref()) {
        let Some(sums) = super::four_rows(input, rows) else { return };
        for ((result, sum), channel) in results.iter_mut().zip(sums).zip(channels) {
            *result = finish(channel, sum);
        }
        used += rows.len();
    }
    let left = weights.get(used..).unwrap_or_else(excluded);
    for ((result, channel), row) in rest.iter_mut().zip(rest_channels).zip(left.chunks_exact(input.len().max(1))) {
        *result = finish(channel, super::dot(input, row));
    }
}

//! Dense layer: a matrix times each vector of the batch.

use crate::Tensors;
use crate::dense::{DenseLayer, WideDenseLayer};
use crate::quantise::{Multiplier, OutputRange};

#[inline(never)]
pub(crate) fn dense(layer: &DenseLayer<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let weights: &[i8] = bytemuck::must_cast_slice(layer.words);
    let vector: &mut [i8] = bytemuck::must_cast_slice_mut(scratch);
    for index in 0..shape.batch {
        let start = index * shape.inputs;
        if shape.batch == 1 {
            // The whole input is needed until the last output, so the two cannot overlap.
            for output in 0..shape.outputs {
                let row = weights.iter().skip(output * shape.inputs).take(shape.inputs);
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
            let Some(vector) = vector.get_mut(..shape.inputs) else { return };
            let Some(input) = tensors.input().get(start..start + shape.inputs) else { return };
            vector.copy_from_slice(input);
            let start = index * shape.outputs;
            let Some(result) = tensors.output().get_mut(start..start + shape.outputs) else { return };
            super::matrix_vector(vector, weights, layer.channels, &layer.output, result);
        }
    }
}

pub(crate) fn wide_dense(layer: &WideDenseLayer<'_>, input: &[i8], output: &mut [i16], _scratch: &mut [u32]) {
    let weights: &[i8] = bytemuck::must_cast_slice(layer.words);
    for ((result, row), channel) in output.iter_mut().zip(weights.chunks_exact(input.len().max(1))).zip(layer.channels)
    {
        let multiplier = Multiplier { mantissa: channel.multiplier, shift: channel.shift };
        let accumulator = channel.bias.wrapping_add(super::dot(input, row));
        *result = OutputRange::int16().finish(multiplier.apply(accumulator)) as i16;
    }
}

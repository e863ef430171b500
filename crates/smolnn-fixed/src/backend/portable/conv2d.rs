//! Convolution: each output pixel's patch is gathered into a column, then multiplied by the weights.

use crate::Tensors;
use crate::conv::Conv2d;

#[inline(never)]
pub(crate) fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let weights: &[i8] = bytemuck::must_cast_slice(layer.words);
    let column: &mut [i8] = bytemuck::must_cast_slice_mut(scratch);
    let Some(column) = column.get_mut(..shape.depth()) else { return };
    let pixel = shape.output().channels;
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            for position in 0..shape.output().width {
                gather(layer, tensors.input(), image, row, position, column);
                let start = ((image * shape.output().height + row) * shape.output().width + position) * pixel;
                let Some(result) = tensors.output().get_mut(start..start + pixel) else { return };
                super::matrix_vector(column, weights, layer.channels, &layer.output, result);
            }
        }
    }
}

/// Copies the patch that the output pixel sees, padding as the zero point, in the order of the weights.
fn gather(layer: &Conv2d<'_>, input: &[i8], image: usize, row: usize, position: usize, column: &mut [i8]) {
    let shape = &layer.shape;
    let channels = shape.input().channels;
    let (first_row, last_row) = shape.rows().taps(row);
    let (first, last) = shape.columns().taps(position);
    for (tap_row, taps) in column.chunks_exact_mut((shape.columns().kernel() * channels).max(1)).enumerate() {
        for (tap, values) in taps.chunks_exact_mut(channels.max(1)).enumerate() {
            let inside = (first_row..last_row).contains(&tap_row) && (first..last).contains(&tap);
            let start = if inside {
                let y = shape.rows().position(row, tap_row);
                let x = shape.columns().position(position, tap);
                ((image * shape.input().height + y) * shape.input().width + x) * channels
            } else {
                usize::MAX
            };
            match input.get(start..start.wrapping_add(channels)) {
                Some(pixel) if inside => {
                    for (value, &input) in values.iter_mut().zip(pixel) {
                        *value = input;
                    }
                }
                _ => values.fill(layer.input_zero_point),
            }
        }
    }
}

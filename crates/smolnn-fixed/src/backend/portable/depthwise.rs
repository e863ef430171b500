//! Depthwise convolution: the taps of one output channel are `channels` apart.

use crate::Tensors;
use crate::conv::DepthwiseConv2d;

#[inline(never)]
pub(crate) fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, _scratch: &mut [u32]) {
    let shape = &layer.shape;
    let (rows, columns, channels) = (shape.rows(), shape.columns(), shape.input().channels);
    let weights: &[i8] = bytemuck::must_cast_slice(layer.words);
    let zero_point = i32::from(layer.input_zero_point);
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let (first_row, last_row) = rows.taps(row);
            for position in 0..shape.output().width {
                let (first, last) = columns.taps(position);
                for (index, channel) in layer.channels.iter().enumerate() {
                    let source = index / shape.multiplier().max(1);
                    let mut sum = channel.bias;
                    for tap_row in 0..rows.kernel() {
                        // The row lies outside of the image where it is padding, and is not read then.
                        let y = rows.position(row, tap_row).wrapping_add(image * shape.input().height);
                        let line = y.wrapping_mul(shape.input().width);
                        for tap in 0..columns.kernel() {
                            let inside = (first_row..last_row).contains(&tap_row) && (first..last).contains(&tap);
                            let value = if inside {
                                let at = (line + columns.position(position, tap)) * channels + source;
                                tensors.input().get(at).map_or(zero_point, |&value| i32::from(value))
                            } else {
                                zero_point
                            };
                            let at = (tap_row * columns.kernel() + tap) * shape.output().channels + index;
                            let weight = weights.get(at).map_or(0, |&weight| i32::from(weight));
                            sum = sum.wrapping_add(value * weight);
                        }
                    }
                    let pixel = (image * shape.output().height + row) * shape.output().width + position;
                    if let Some(result) = tensors.output().get_mut(pixel * shape.output().channels + index) {
                        *result = super::requantise(sum, channel, &layer.output);
                    }
                }
            }
        }
    }
}

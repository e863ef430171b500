//! The operators written down once more, as plainly as possible: wide accumulators, no packing, no tricks. Nothing here
//! calls `smolnn-fixed`'s arithmetic; shapes and parameters are all they share.

use smolnn_core::{Conv2d, Dense, DepthwiseConv2d, Pool2d, Window};
use smolnn_fixed::Weights;
use smolnn_fixed::quantise::{Multiplier, OutputRange};

/// `value` · mantissa · 2^(shift − 31), rounded twice: to 31 fraction bits half up, then halves away from zero.
pub fn requantise(value: i32, multiplier: Multiplier) -> i32 {
    let left = multiplier.shift.max(0);
    let right = (-multiplier.shift).max(0);
    let wide = i128::from(((i64::from(value)) << left) as i32) * i128::from(multiplier.mantissa);
    let high = ((wide + (1 << 30)).div_euclid(1 << 31)).clamp(i32::MIN.into(), i32::MAX.into());
    divide_away_from_zero(high as i64, 1 << right) as i32
}

/// `value` / `divisor` to nearest, halves away from zero.
pub fn divide_away_from_zero(value: i64, divisor: i64) -> i64 {
    let magnitude = (2 * value.abs() + divisor) / (2 * divisor);
    if value < 0 { -magnitude } else { magnitude }
}

/// Zero point added, clamped.
pub fn finish(value: i32, output: &OutputRange) -> i32 {
    value.wrapping_add(output.zero_point).clamp(output.minimum, output.maximum)
}

/// The input position that `output` sees at `tap`, or none in the padding.
fn position(window: &Window, output: usize, tap: usize) -> Option<usize> {
    let position = (output * window.stride + tap * window.dilation) as i64 - window.before as i64;
    (0..window.input as i64).contains(&position).then_some(position as usize)
}

/// Element `index` of the output of a convolution.
pub fn conv2d(shape: &Conv2d, weights: &Weights<'_>, output: &OutputRange, input: &[i8], index: usize) -> i8 {
    let channel = index % shape.output.channels;
    let pixel = index / shape.output.channels;
    let (x, y) = (pixel % shape.output.width, pixel / shape.output.width % shape.output.height);
    let image = pixel / shape.output.width / shape.output.height;
    let mut sum = i64::from(weights.bias(channel));
    for tap_row in 0..shape.rows.kernel {
        for tap in 0..shape.columns.kernel {
            let Some(row) = position(&shape.rows, y, tap_row) else { continue };
            let Some(column) = position(&shape.columns, x, tap) else { continue };
            for depth in 0..shape.input.channels {
                let at = ((image * shape.input.height + row) * shape.input.width + column) * shape.input.channels;
                let weight = (channel * shape.rows.kernel + tap_row) * shape.columns.kernel + tap;
                sum += i64::from(weights.values[weight * shape.input.channels + depth])
                    * (i64::from(input[at + depth]) - i64::from(weights.input_zero_point));
            }
        }
    }
    finish(requantise(sum as i32, weights.multiplier(channel)), output) as i8
}

/// Element `index` of the output of a depthwise convolution.
pub fn depthwise_conv2d(
    shape: &DepthwiseConv2d,
    weights: &Weights<'_>,
    output: &OutputRange,
    input: &[i8],
    index: usize,
) -> i8 {
    let channel = index % shape.output.channels;
    let pixel = index / shape.output.channels;
    let (x, y) = (pixel % shape.output.width, pixel / shape.output.width % shape.output.height);
    let image = pixel / shape.output.width / shape.output.height;
    let mut sum = i64::from(weights.bias(channel));
    for tap_row in 0..shape.rows.kernel {
        for tap in 0..shape.columns.kernel {
            let Some(row) = position(&shape.rows, y, tap_row) else { continue };
            let Some(column) = position(&shape.columns, x, tap) else { continue };
            let at = ((image * shape.input.height + row) * shape.input.width + column) * shape.input.channels;
            let weight = (tap_row * shape.columns.kernel + tap) * shape.output.channels + channel;
            sum += i64::from(weights.values[weight])
                * (i64::from(input[at + channel / shape.multiplier]) - i64::from(weights.input_zero_point));
        }
    }
    finish(requantise(sum as i32, weights.multiplier(channel)), output) as i8
}

/// Element `index` of the output of a dense layer.
pub fn dense(shape: &Dense, weights: &Weights<'_>, output: &OutputRange, input: &[i8], index: usize) -> i8 {
    let (vector, channel) = (index / shape.outputs, index % shape.outputs);
    let mut sum = i64::from(weights.bias(channel));
    for at in 0..shape.inputs {
        sum += i64::from(weights.values[channel * shape.inputs + at])
            * (i64::from(input[vector * shape.inputs + at]) - i64::from(weights.input_zero_point));
    }
    finish(requantise(sum as i32, weights.multiplier(channel)), output) as i8
}

/// What the taps of element `index` of a pooling's output see, padding left out.
pub fn pooled<'a>(shape: &'a Pool2d, input: &'a [impl Copy + Into<i64>], index: usize) -> impl Iterator<Item = i64> {
    let channel = index % shape.output.channels;
    let pixel = index / shape.output.channels;
    let (x, y) = (pixel % shape.output.width, pixel / shape.output.width % shape.output.height);
    let image = pixel / shape.output.width / shape.output.height;
    (0..shape.rows.kernel * shape.columns.kernel).filter_map(move |tap| {
        let row = position(&shape.rows, y, tap / shape.columns.kernel)?;
        let column = position(&shape.columns, x, tap % shape.columns.kernel)?;
        let at = ((image * shape.input.height + row) * shape.input.width + column) * shape.input.channels;
        Some(input[at + channel].into())
    })
}

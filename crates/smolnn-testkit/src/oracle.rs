//! The operators written down once more, as plainly as possible: wide accumulators, no packing, no tricks. Nothing here
//! calls `smolnn-fixed`'s arithmetic; shapes and parameters are all they share.

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, Pool2dShape, Window};
use smolnn_fixed::Weights;
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::resize::Sampling;

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
    let position = (output * window.stride() + tap * window.dilation()) as i64 - window.before() as i64;
    (0..window.input() as i64).contains(&position).then_some(position as usize)
}

/// Image, row, column and channel of element `index`.
fn place(output: &Image, index: usize) -> (usize, usize, usize, usize) {
    let pixel = index / output.channels;
    let (y, x) = (pixel / output.width % output.height, pixel % output.width);
    (pixel / output.width / output.height, y, x, index % output.channels)
}

/// The products of element `index` of a convolution's output, summed; `value` gives an input element less its zero point.
/// Of several groups, each output channel sees the input channels of its own.
pub fn conv2d_sum(shape: &Conv2dShape, weights: &[i8], index: usize, value: impl Fn(usize) -> i64) -> i64 {
    let (image, y, x, channel) = place(&shape.output(), index);
    let mut sum = 0;
    for tap_row in 0..shape.rows().kernel() {
        for tap in 0..shape.columns().kernel() {
            let Some(row) = position(&shape.rows(), y, tap_row) else { continue };
            let Some(column) = position(&shape.columns(), x, tap) else { continue };
            let inputs = shape.input().channels / shape.groups();
            let group = channel / (shape.output().channels / shape.groups());
            for depth in 0..inputs {
                let at = ((image * shape.input().height + row) * shape.input().width + column) * shape.input().channels;
                let weight = (channel * shape.rows().kernel() + tap_row) * shape.columns().kernel() + tap;
                sum += i64::from(weights[weight * inputs + depth]) * value(at + group * inputs + depth);
            }
        }
    }
    sum
}

/// As [`conv2d_sum`] for a depthwise convolution.
pub fn depthwise_conv2d_sum(
    shape: &DepthwiseConv2dShape,
    weights: &[i8],
    index: usize,
    value: impl Fn(usize) -> i64,
) -> i64 {
    let (image, y, x, channel) = place(&shape.output(), index);
    let mut sum = 0;
    for tap_row in 0..shape.rows().kernel() {
        for tap in 0..shape.columns().kernel() {
            let Some(row) = position(&shape.rows(), y, tap_row) else { continue };
            let Some(column) = position(&shape.columns(), x, tap) else { continue };
            let at = ((image * shape.input().height + row) * shape.input().width + column) * shape.input().channels;
            let weight = (tap_row * shape.columns().kernel() + tap) * shape.output().channels + channel;
            sum += i64::from(weights[weight]) * value(at + channel / shape.multiplier());
        }
    }
    sum
}

/// As [`conv2d_sum`] for the adjoint of the convolution `shape`: every element of its output looks for the windows that
/// it lies in.
pub fn transpose_conv2d_sum(shape: &Conv2dShape, weights: &[i8], index: usize, value: impl Fn(usize) -> i64) -> i64 {
    let (image, y, x, channel) = place(&shape.input(), index);
    let inputs = shape.output().channels;
    let mut sum = 0;
    for row in 0..shape.output().height {
        for column in 0..shape.output().width {
            for tap_row in 0..shape.rows().kernel() {
                for tap in 0..shape.columns().kernel() {
                    if position(&shape.rows(), row, tap_row) != Some(y)
                        || position(&shape.columns(), column, tap) != Some(x)
                    {
                        continue;
                    }
                    let at = ((image * shape.output().height + row) * shape.output().width + column) * inputs;
                    let weight = (channel * shape.rows().kernel() + tap_row) * shape.columns().kernel() + tap;
                    for depth in 0..inputs {
                        sum += i64::from(weights[weight * inputs + depth]) * value(at + depth);
                    }
                }
            }
        }
    }
    sum
}

/// Element `index` of the output of a convolution.
pub fn conv2d(shape: &Conv2dShape, weights: &Weights<'_>, output: &OutputRange, input: &[i8], index: usize) -> i8 {
    let value = |at: usize| i64::from(input[at]) - i64::from(weights.input_zero_point);
    let sum = conv2d_sum(shape, weights.values, index, value);
    after_sum(sum, weights, index % shape.output().channels, output)
}

/// Element `index` of the output of a depthwise convolution.
pub fn depthwise_conv2d(
    shape: &DepthwiseConv2dShape,
    weights: &Weights<'_>,
    output: &OutputRange,
    input: &[i8],
    index: usize,
) -> i8 {
    let value = |at: usize| i64::from(input[at]) - i64::from(weights.input_zero_point);
    let sum = depthwise_conv2d_sum(shape, weights.values, index, value);
    after_sum(sum, weights, index % shape.output().channels, output)
}

/// Bias, requantisation, zero point and clamp.
pub fn after_sum(sum: i64, weights: &Weights<'_>, channel: usize, output: &OutputRange) -> i8 {
    let sum = sum + i64::from(weights.bias(channel));
    finish(requantise(sum as i32, weights.multiplier(channel)), output) as i8
}

/// `value` · mantissa · 2^(shift − 31) with a mantissa of 15 bits, rounded once, half up: 64-bit accumulators.
pub fn requantise_wide(value: i64, multiplier: Multiplier) -> i64 {
    let mantissa = ((i64::from(multiplier.mantissa) + (1 << 15)) >> 16).min(0x7FFF);
    let shift = 15 - multiplier.shift;
    (i128::from(value) * i128::from(mantissa) + (1 << (shift - 1))).div_euclid(1 << shift) as i32 as i64
}

/// Element `index` of the output of a dense layer.
pub fn dense(shape: &DenseShape, weights: &Weights<'_>, output: &OutputRange, input: &[i8], index: usize) -> i8 {
    let (vector, channel) = (index / shape.outputs(), index % shape.outputs());
    let mut sum = i64::from(weights.bias(channel));
    for at in 0..shape.inputs() {
        sum += i64::from(weights.values[channel * shape.inputs() + at])
            * (i64::from(input[vector * shape.inputs() + at]) - i64::from(weights.input_zero_point));
    }
    finish(requantise(sum as i32, weights.multiplier(channel)), output) as i8
}

/// What the taps of element `index` of a pooling's output see, padding left out.
pub fn pooled<'a>(
    shape: &'a Pool2dShape,
    input: &'a [impl Copy + Into<i64>],
    index: usize,
) -> impl Iterator<Item = i64> {
    let channel = index % shape.output().channels;
    let pixel = index / shape.output().channels;
    let (x, y) = (pixel % shape.output().width, pixel / shape.output().width % shape.output().height);
    let image = pixel / shape.output().width / shape.output().height;
    (0..shape.rows().kernel() * shape.columns().kernel()).filter_map(move |tap| {
        let row = position(&shape.rows(), y, tap / shape.columns().kernel())?;
        let column = position(&shape.columns(), x, tap % shape.columns().kernel())?;
        let at = ((image * shape.input().height + row) * shape.input().width + column) * shape.input().channels;
        Some(input[at + channel].into())
    })
}

/// 1024 · the input position that output position `index` of a bilinear resize stands for.
fn bilinear_position(index: usize, input: usize, output: usize, sampling: Sampling) -> i64 {
    let (index, input, output) = (index as i64, input as i64, output as i64);
    let (from, to) = if sampling.align_corners && output > 1 { (input - 1, output - 1) } else { (input, output) };
    // 1024 · from / to to nearest, halves up.
    let step = (2 * 1024 * from + to).div_euclid(2 * to);
    if sampling.half_pixel_centers { index * step + step / 2 - 512 } else { index * step }
}

/// Element `index` of images resized to `rows` × `columns` by bilinear interpolation; `value` gives an input element.
pub fn resize_bilinear(
    image: Image,
    (rows, columns): (usize, usize),
    sampling: Sampling,
    index: usize,
    value: impl Fn(usize) -> i64,
) -> i64 {
    let (number, row, column, channel) = place(&Image::hwc(rows, columns, image.channels), index);
    // Every input position weighs 1024 less its distance: a hat. Outside of the image the edge goes on.
    let hat = |position: i64, at: i64, length: usize| {
        let last = length as i64 - 1;
        let position = position.clamp(0, 1024 * last);
        (1024 - (position - 1024 * at).abs()).max(0)
    };
    let y = bilinear_position(row, image.height, rows, sampling);
    let x = bilinear_position(column, image.width, columns, sampling);
    let mut sum = 0;
    for at_row in 0..image.height {
        for at in 0..image.width {
            let weight = hat(y, at_row as i64, image.height) * hat(x, at as i64, image.width);
            let pixel = (number * image.height + at_row) * image.width + at;
            sum += weight * value(pixel * image.channels + channel);
        }
    }
    divide_away_from_zero(sum, 1 << 20)
}

/// The input position nearest to output position `index`, in f32 as the reference computes it.
pub fn nearest(index: usize, input: usize, output: usize, sampling: Sampling) -> usize {
    let Sampling { align_corners, half_pixel_centers } = sampling;
    let ends = if align_corners && output > 1 { 1 } else { 0 };
    let scale = (input - ends) as f32 / (output - ends) as f32;
    let position = scale * (index as f32 + if half_pixel_centers { 0.5 } else { 0.0 });
    let position = if align_corners { libm::roundf(position) } else { libm::floorf(position) };
    (position as usize).min(input - 1)
}

/// sigmoid(k/24) · 2^16, raised by half of what linear interpolation lacks in the middle of the interval from k to k + 1.
fn sigmoid_step(k: i64) -> i64 {
    if k >= 255 {
        return 65535;
    }
    let sigmoid = |k: f64| 1.0 / (1.0 + libm::exp(-k / 24.0));
    let (low, high) = (sigmoid(k as f64), sigmoid(k as f64 + 1.0));
    libm::round((low + (sigmoid(k as f64 + 0.5) - (low + high) / 2.0) / 2.0) * 65536.0) as i64
}

/// The interpolated sigmoid of `steps` / (24 · 2^bits), which are not negative, times 2^(16 + bits); from the table's last
/// value on, that.
fn interpolated(steps: i64, bits: u32) -> i64 {
    let (interval, rest) = (steps >> bits, steps & ((1 << bits) - 1));
    let low = sigmoid_step(interval);
    if interval >= 255 { low << bits } else { (low << bits) + rest * (sigmoid_step(interval + 1) - low) }
}

/// The reference's logistic function of a number in Q3.12, in Q0.15: negative arguments are mirrored.
fn logistic_q12(value: i64) -> i64 {
    let steps = 3 * value;
    let magnitude = if steps.abs() >> 9 >= 255 { 0x7FFF << 10 } else { interpolated(steps.abs(), 9) };
    let signed = if steps >= 0 { magnitude } else { (1 << 25) - 1 - magnitude };
    (signed + (1 << 9)) >> 10
}

/// The reference's tanh of `value` · 2^`log2`, in Q0.15.
fn tanh_of_power(value: i64, log2: i32) -> i64 {
    let shift = 12 + log2;
    let steps = if shift >= 0 { (3 * value) << shift } else { (3 * value + (1 << (-shift - 1))) >> -shift };
    let magnitude = interpolated(steps.abs(), 8);
    let signed = if steps >= 0 { magnitude - (1 << 23) } else { (1 << 23) - 1 - magnitude };
    (signed + (1 << 7)) >> 8
}

/// One unit of an LSTM: its sums of the gates i, f, g, o from input and state, each in Q3.12 and saturated; the cell, whose
/// scale is 2^`cell_scale_log2`; the clip in steps of the cell, if there is one; 2^−30 / s_h and the range of h. Gives h.
pub fn lstm_unit(
    sums: [(i64, i64); 4],
    cell: &mut i16,
    cell_scale_log2: i32,
    clip: Option<i64>,
    multiplier: Multiplier,
    output: &OutputRange,
) -> i32 {
    let sixteen = |value: i64| value.clamp(-32768, 32767);
    let [i, f, g, o] = sums.map(|(from_input, from_state)| sixteen(from_input + from_state));
    let (i, f, g, o) = (logistic_q12(i), logistic_q12(f), tanh_of_power(g, -12), logistic_q12(o));
    // A power of two as multiplier: mantissa 2^30.
    let scaled = |value: i64, log2: i32| requantise(value as i32, Multiplier { mantissa: 1 << 30, shift: log2 + 1 });
    let kept = sixteen(scaled(f * i64::from(*cell), -15).into());
    let added = sixteen(scaled(i * g, -30 - cell_scale_log2).into());
    let next = sixteen(kept + added);
    let next = clip.map_or(next, |clip| next.clamp(-clip, clip));
    *cell = next as i16;
    finish(requantise((tanh_of_power(next, cell_scale_log2) * o) as i32, multiplier), output)
}

/// The rows of a recurrent cell's products: weights, bias, multipliers, as [`Weights`] with `inputs` columns.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug)]
pub struct CellRows<'a> {
    /// Columns of a row.
    pub inputs: usize,
    /// Rows.
    pub weights: Weights<'a>,
}

#[cfg(feature = "std")]
impl CellRows<'_> {
    /// Row `row` times `x`, in Q3.12, saturated.
    fn product(&self, row: usize, x: &[i64]) -> i64 {
        let values = &self.weights.values[row * self.inputs..(row + 1) * self.inputs];
        let sum: i64 =
            values.iter().zip(x).map(|(&w, &x)| i64::from(w) * (x - i64::from(self.weights.input_zero_point))).sum();
        saturate(requantise((sum + i64::from(self.weights.bias(row))) as i32, self.weights.multiplier(row)).into())
    }
}

#[cfg(feature = "std")]
fn saturate(value: i64) -> i64 {
    value.clamp(-32768, 32767)
}

/// ⌊value / 2^shift⌉, halves up.
#[cfg(feature = "std")]
fn round_half_up(value: i64, shift: u32) -> i64 {
    (value + (1 << (shift - 1))).div_euclid(1 << shift)
}

/// `function` of a number in Q3.12, correctly rounded to Q0.15.
#[cfg(feature = "std")]
fn gate(value: i64, function: impl Fn(f64) -> f64) -> i64 {
    saturate((function(value as f64 / 4096.0) * 32768.0).round() as i64)
}

#[cfg(feature = "std")]
fn sigmoid(value: i64) -> i64 {
    gate(saturate(value), |x| 1.0 / (1.0 + (-x).exp()))
}

#[cfg(feature = "std")]
fn tanh(value: i64) -> i64 {
    gate(saturate(value), f64::tanh)
}

/// The state in Q0.7.
#[cfg(feature = "std")]
fn narrow(state: i64) -> i64 {
    round_half_up(state, 8).clamp(-128, 127)
}

/// One step of the quantised GRU by its specification; `candidate` are the rows of n with the reset before.
#[cfg(feature = "std")]
pub fn gru_step(
    input: CellRows<'_>,
    recurrent: CellRows<'_>,
    candidate: Option<CellRows<'_>>,
    h: &mut [i16],
    x: &[i8],
) {
    let hidden = h.len();
    let x: std::vec::Vec<i64> = x.iter().map(|&x| x.into()).collect();
    let old: std::vec::Vec<i64> = h.iter().map(|&h| h.into()).collect();
    let q: std::vec::Vec<i64> = old.iter().map(|&h| narrow(h)).collect();
    let reset = |unit: usize| sigmoid(input.product(hidden + unit, &x) + recurrent.product(hidden + unit, &q));
    let resets: std::vec::Vec<i64> =
        (0..hidden).map(|unit| narrow(saturate(round_half_up(reset(unit) * old[unit], 15)))).collect();
    for unit in 0..hidden {
        let z = sigmoid(input.product(unit, &x) + recurrent.product(unit, &q));
        let from_state = match candidate {
            None => saturate(round_half_up(reset(unit) * recurrent.product(2 * hidden + unit, &q), 15)),
            Some(candidate) => candidate.product(unit, &resets),
        };
        let n = tanh(input.product(2 * hidden + unit, &x) + from_state);
        h[unit] = saturate(n + round_half_up(z * (old[unit] - n), 15)) as i16;
    }
}

/// One step of the quantised simple RNN by its specification.
#[cfg(feature = "std")]
pub fn simple_rnn_step(input: CellRows<'_>, recurrent: CellRows<'_>, h: &mut [i16], x: &[i8]) {
    let x: std::vec::Vec<i64> = x.iter().map(|&x| x.into()).collect();
    let q: std::vec::Vec<i64> = h.iter().map(|&h| narrow(h.into())).collect();
    for (unit, h) in h.iter_mut().enumerate() {
        *h = tanh(input.product(unit, &x) + recurrent.product(unit, &q)) as i16;
    }
}

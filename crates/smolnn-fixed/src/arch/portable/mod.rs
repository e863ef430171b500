//! The specification: safe Rust for any target.

mod conv2d;
mod dense;
mod depthwise;

pub(crate) use conv2d::conv2d;
pub(crate) use dense::{dense, wide_dense};
pub(crate) use depthwise::depthwise_conv2d;

use crate::pack::Channel;
use crate::quantise::{Multiplier, OutputRange};

/// Poolings that a backend does in a way of its own: none. The loops of [`pool`](crate::pool) serve all.
#[cfg(not(backend = "dsp"))]
#[inline(always)]
pub(crate) fn pool2d<T: Copy>(
    _shape: &smolnn_core::Pool2d,
    _kind: crate::pool::Kind,
    _minimum: i32,
    _maximum: i32,
    _tensors: &mut impl crate::Tensors<T>,
) -> bool {
    false
}

/// Σ a·b over the shorter of the two, wrapping.
#[inline]
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).fold(0_i32, |sum, (&a, &b)| sum.wrapping_add(i32::from(a) * i32::from(b)))
}

/// The output of an accumulator that started from the channel's bias.
#[inline]
fn requantise(accumulator: i32, channel: &Channel, output: &OutputRange) -> i8 {
    let multiplier = Multiplier { mantissa: channel.multiplier, shift: channel.shift };
    output.finish(multiplier.apply(accumulator)) as i8
}

/// One output pixel from its column: every row of weights times the column.
#[inline]
fn matrix_vector(column: &[i8], weights: &[i8], channels: &[Channel], output: &OutputRange, result: &mut [i8]) {
    for ((result, row), channel) in result.iter_mut().zip(weights.chunks_exact(column.len().max(1))).zip(channels) {
        *result = requantise(channel.bias.wrapping_add(dot(column, row)), channel, output);
    }
}

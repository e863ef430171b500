//! The specification: safe Rust for any target.
#![forbid(unsafe_code)]

mod conv2d;
mod dense;
mod depthwise;
pub(crate) mod pack;

pub(crate) use conv2d::conv2d;
pub(crate) use dense::{dense, dense_int16, dense_to_int16};
pub(crate) use depthwise::depthwise_conv2d;

use crate::pack::Channel;
use crate::quantise::{Multiplier, OutputRange};
use crate::tensors::Source;

/// The backend of targets without bodies of their own.
#[cfg(bodies = "portable")]
pub(crate) struct Portable;

#[cfg(bodies = "portable")]
impl super::Bodies for Portable {}

/// The largest of the values, of which there is one at least.
#[inline(always)]
pub(crate) fn largest(values: impl Source<i8>) -> i32 {
    let mut largest = i32::MIN;
    values.visit(|value| {
        let value = i32::from(value);
        largest = if value > largest { value } else { largest };
    });
    largest
}

/// The largest of the values, of which there is one at least. They are compared as the top bytes of words; the bytes below decide
/// between equal values only, and so change nothing.
#[inline(always)]
pub(crate) fn largest_in_words(values: impl Source<i8>) -> i32 {
    let mut largest = i32::MIN;
    let mut take = |value: i32| largest = if value > largest { value } else { largest };
    let (groups, rest) = values.groups::<4>();
    for group in groups {
        let word = i32::from_le_bytes(group.map(|value| value as u8));
        [24, 16, 8, 0].into_iter().for_each(|shift| take(word << shift));
    }
    rest.elements().for_each(|value| take(i32::from(value) << 24));
    largest >> 24
}

/// Σ a·b over the shorter of the two, wrapping.
#[inline]
fn dot<T: Copy + Into<i32>>(a: &[T], b: &[i8]) -> i32 {
    a.iter().zip(b).fold(0_i32, |sum, (&a, &b)| sum.wrapping_add(a.into() * i32::from(b)))
}

/// Σ x·w of four rows of weights, wrapping; none where there are fewer. Every input is loaded once for all rows.
#[inline(always)]
fn four_rows<T: Copy + Into<i32>>(input: &[T], weights: &[i8]) -> Option<[i32; 4]> {
    let (a, rest) = weights.split_at_checked(input.len())?;
    let (b, rest) = rest.split_at_checked(input.len())?;
    let (c, rest) = rest.split_at_checked(input.len())?;
    let d = rest.get(..input.len())?;
    let mut sums = [0_i32; 4];
    let mut add = |x: T, weights: [i8; 4]| {
        let x: i32 = x.into();
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum = sum.wrapping_add(x * i32::from(weight));
        }
    };
    let (groups, rest) = input.as_chunks::<4>();
    let [a, b, c, d] = [a, b, c, d].map(|row| row.as_chunks::<4>());
    for ((((x, a), b), c), d) in groups.iter().zip(a.0).zip(b.0).zip(c.0).zip(d.0) {
        for ((((&x, &a), &b), &c), &d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
            add(x, [a, b, c, d]);
        }
    }
    for ((((&x, &a), &b), &c), &d) in rest.iter().zip(a.1).zip(b.1).zip(c.1).zip(d.1) {
        add(x, [a, b, c, d]);
    }
    Some(sums)
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

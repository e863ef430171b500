//! What the linear operators need: sums and products. Reals have them, integers have them exactly.

use core::fmt::Debug;
use core::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::arch::{Walk, portable};

/// A number with sums and products. Dense layers, convolutions, max pooling and the rest of what is linear run on any of
/// them: on [`Real`](crate::Real)s in earnest, on `i32` and `i64` where an identity shall hold exactly.
///
/// `default()` is zero. Integers overflow as Rust's do.
///
/// The hidden methods are the narrow waist: a dense layer is one call of each of three passes, a convolution one call per
/// output pixel and kernel row, a depthwise convolution or one of few channels one call per output pixel of those that
/// walk. `weights` holds one row per output, `stride` apart and as long as the input.
pub trait Number:
    Copy
    + Debug
    + Default
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
{
    /// `output[o] += Σ_i weights[o, i] · input[i]`: W x.
    #[doc(hidden)]
    #[inline]
    fn rows_dot(weights: &[Self], stride: usize, input: &[Self], output: &mut [Self]) {
        portable::rows_dot(weights, stride, input, output);
    }

    /// `output[o] = bias[o] + Σ_i weights[o, i] · input[i]`: W x + b.
    #[doc(hidden)]
    #[inline]
    fn rows_affine(weights: &[Self], stride: usize, bias: &[Self], input: &[Self], output: &mut [Self]) {
        for (y, &b) in output.iter_mut().zip(bias) {
            *y = b;
        }
        Self::rows_dot(weights, stride, input, output);
    }

    /// `d_input[i] += Σ_o d_output[o] · weights[o, i]`: Wᵀ δ.
    #[doc(hidden)]
    #[inline]
    fn rows_transposed(weights: &[Self], stride: usize, d_output: &[Self], d_input: &mut [Self]) {
        portable::rows_transposed(weights, stride, d_output, d_input);
    }

    /// `weights[o, i] += d_output[o] · input[i]`: δ xᵀ.
    #[doc(hidden)]
    #[inline]
    fn rows_outer(weights: &mut [Self], stride: usize, d_output: &[Self], input: &[Self]) {
        portable::rows_outer(weights, stride, d_output, input);
    }

    /// `sums[c] += Σ_taps a[tap + c] · b[tap + c]`: windows over channels that keep to themselves.
    #[doc(hidden)]
    #[inline]
    fn walk_sum(walk: &Walk, sums: &mut [Self], a: &[Self], b: &[Self]) {
        portable::walk_sum(walk, sums, a, b);
    }

    /// `a[tap + c] += b[tap + c] · factors[c]` at every tap.
    #[doc(hidden)]
    #[inline]
    fn walk_add(walk: &Walk, a: &mut [Self], b: &[Self], factors: &[Self]) {
        portable::walk_add(walk, a, b, factors);
    }

    /// `sums[o] += Σ_taps tile[tap + o] · x[tap]`: windows over one channel for eight outputs, whose weights lie side by
    /// side in the tile. The walk has eight channels.
    #[doc(hidden)]
    #[inline]
    fn tile_sum(walk: &Walk, sums: &mut [Self], tile: &[Self], x: &[Self]) {
        portable::tile_sum(walk, sums, tile, x);
    }

    /// `x[tap] += Σ_o tile[tap + o] · factors[o]` at every tap.
    #[doc(hidden)]
    #[inline]
    fn tile_transposed(walk: &Walk, tile: &[Self], x: &mut [Self], factors: &[Self]) {
        portable::tile_transposed(walk, tile, x, factors);
    }

    /// `tile[tap + o] += x[tap] · factors[o]` at every tap.
    #[doc(hidden)]
    #[inline]
    fn tile_outer(walk: &Walk, tile: &mut [Self], x: &[Self], factors: &[Self]) {
        portable::tile_outer(walk, tile, x, factors);
    }
}

impl Number for f64 {}
impl Number for i32 {}
impl Number for i64 {}

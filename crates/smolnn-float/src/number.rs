//! What the linear operators need: sums and products. Reals have them, integers have them exactly.

use core::fmt::Debug;
use core::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::arch::{Panel, Walk, portable};

/// A number with sums and products. DenseShape layers, convolutions, max pooling and the rest of what is linear run on any of
/// them: on [`Real`](crate::Real)s in earnest, on `i32` and `i64` where an identity shall hold exactly.
///
/// `default()` is zero. Integers overflow as Rust's do.
///
/// The hidden methods are the narrow waist: a dense layer is one call of each of three passes, a convolution one call per
/// output pixel and kernel row, or where there are [`PANELS`](Number::PANELS) one per panel and region; a depthwise convolution
/// or one of few channels one call per tap of those that walk. `weights` holds one row per output, `stride` apart and as long
/// as the input.
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

    /// Every row becomes `vector`.
    #[doc(hidden)]
    #[inline]
    fn rows_fill(vector: &[Self], rows: &mut [Self]) {
        portable::rows_fill(vector, rows);
    }

    /// `sums += every row`.
    #[doc(hidden)]
    #[inline]
    fn rows_sum(rows: &[Self], sums: &mut [Self]) {
        portable::rows_sum(rows, sums);
    }

    /// `sums[c] += Σ_pixels a[pixel + c] · b[pixel + c]`: channels that keep to themselves.
    #[doc(hidden)]
    #[inline]
    fn walk_sum(walk: &Walk, sums: &mut [Self], a: &[Self], b: &[Self]) {
        portable::walk_sum(walk, sums, a, b);
    }

    /// `a[pixel + c] += b[pixel + c] · factors[c]` at every pixel.
    #[doc(hidden)]
    #[inline]
    fn walk_add(walk: &Walk, a: &mut [Self], b: &[Self], factors: &[Self]) {
        portable::walk_add(walk, a, b, factors);
    }

    /// `sums[c] += Σ_pixels a[pixel + c] · b[pixel]`: one channel of `b` for all of `a`. Sums and factors of this pass and the
    /// next two lie [`Walk::apart`].
    #[doc(hidden)]
    #[inline]
    fn spread_sum(walk: &Walk, sums: &mut [Self], a: &[Self], b: &[Self]) {
        portable::spread_sum(walk, sums, a, b);
    }

    /// `a[pixel + c] += b[pixel] · factors[c]` at every pixel.
    #[doc(hidden)]
    #[inline]
    fn spread_add(walk: &Walk, a: &mut [Self], b: &[Self], factors: &[Self]) {
        portable::spread_add(walk, a, b, factors);
    }

    /// `b[pixel] += Σ_c a[pixel + c] · factors[c]` at every pixel.
    #[doc(hidden)]
    #[inline]
    fn gather_add(walk: &Walk, a: &[Self], b: &mut [Self], factors: &[Self]) {
        portable::gather_add(walk, a, b, factors);
    }

    /// Whether layers over many pixels run by panels: where vector registers hold the sums of several outputs and pixels.
    #[doc(hidden)]
    const PANELS: bool = false;

    /// Does `work` with room for a panel; what it holds is unspecified.
    #[doc(hidden)]
    #[inline]
    fn with_panel(work: impl FnOnce(&mut [Self])) {
        work(&mut [Self::default(); Panel::WEIGHTS]);
    }

    /// `panel[k · lanes + o] = weights[k · steps[0] + o · steps[1]]` for the outputs o; what the other lanes hold is unspecified.
    #[doc(hidden)]
    #[inline]
    fn panel_load(panel: &mut [Self], lanes: usize, weights: &[Self], steps: [usize; 2], outputs: usize) {
        portable::panel_load(panel, lanes, weights, steps, outputs);
    }

    /// The other way round.
    #[doc(hidden)]
    #[inline]
    fn panel_store(panel: &[Self], lanes: usize, weights: &mut [Self], steps: [usize; 2], outputs: usize) {
        portable::panel_store(panel, lanes, weights, steps, outputs);
    }

    /// `sums[o] += Σ_k weights[k, o] · x[k]` at every pixel of the region.
    #[doc(hidden)]
    #[inline]
    fn panel_sum(panel: &Panel, weights: &[Self], x: &[Self], sums: &mut [Self]) {
        portable::panel_sum(panel, weights, x, sums);
    }

    /// `weights[k, o] += factors[o] · x[k]` over all pixels of the region.
    #[doc(hidden)]
    #[inline]
    fn panel_outer(panel: &Panel, weights: &mut [Self], x: &[Self], factors: &[Self]) {
        portable::panel_outer(panel, weights, x, factors);
    }
}

impl Number for f64 {}
impl Number for i32 {}
impl Number for i64 {}

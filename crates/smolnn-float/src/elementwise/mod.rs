//! Element by element, for inference: sums, products and other functions of two tensors that broadcast ([`add`] and its kin), and
//! functions of one ([`mod@sqrt`](sqrt) and its kin).
//!
//! - Operands meet as NumPy and TensorFlow broadcast them: a [`Broadcast`](smolnn_core::Broadcast) of both
//!   shapes, checked once.
//! - Each function of two tensors ends in the [`Bounds`] of a fused activation; [`clamp`] applies them to what another kernel
//!   has written.
//! - Nothing is kept for a backward pass: to train, use [`act`](crate::act) and [`residual`](crate::residual).
//! - Error: one rounding per element, of the quotient too; the elementary functions are those of [`Real`].
//! - Held by: random shapes against naive loops in f64 (tests/host/registry/float_inference.rs).

mod binary;
mod unary;

pub use binary::{
    add, compare, div, floor_div, floor_mod, maximum, minimum, mul, power, prelu, squared_difference, sub,
};
pub use unary::{abs, ceil, clamped, cos, erf, exp, floor, log, neg, round, rsqrt, sign, sin, sqrt, square};

use crate::Real;

/// The range that a fused activation clamps to.
///
/// ```
/// use smolnn_float::elementwise::{Bounds, clamp};
///
/// let mut y = [-1.0, 3.0, 7.0];
/// clamp(&Bounds::RELU6, &mut y);
/// assert_eq!(y, [0.0, 3.0, 6.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds<T> {
    /// The least output.
    pub low: T,
    /// The greatest output.
    pub high: T,
}

impl<T: Real> Bounds<T> {
    /// No activation.
    pub const NONE: Self = Self { low: T::NEG_INFINITY, high: T::INFINITY };
    /// ReLU: max(0, y).
    pub const RELU: Self = Self { low: T::ZERO, high: T::INFINITY };
}

impl Bounds<f32> {
    /// ReLU6: y between 0 and 6.
    pub const RELU6: Self = Self { low: 0.0, high: 6.0 };
    /// ReLU of −1 to 1.
    pub const RELU_N1_TO_1: Self = Self { low: -1.0, high: 1.0 };
}

impl<T: Real> Bounds<T> {
    /// The nearest value in the range; NaN stays.
    #[inline(always)]
    pub fn apply(&self, y: T) -> T {
        if y < self.low {
            self.low
        } else if y > self.high {
            self.high
        } else {
            y
        }
    }
}

/// Clamps every element in place: the activation that is fused into a convolution, a dense layer or a pooling.
pub fn clamp<T: Real>(bounds: &Bounds<T>, output: &mut [T]) {
    if *bounds == Bounds::NONE {
        return;
    }
    for y in output {
        *y = bounds.apply(*y);
    }
}

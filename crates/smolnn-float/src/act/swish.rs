//! Swish: y = z σ(βz); SiLU is β = 1.
//!
//! - ∂y/∂z = σ + β y (1 − σ), ∂y/∂β = z² σ (1 − σ), with σ = σ(βz). Not monotonic: the backward pass needs z.
//! - Held by: goldens act_silu, act_swish_beta1p7; textbook row 4.4; differences (tests/host/gradient/activations.rs).

use smolnn_core::ShapeError;

use super::Activation;
use crate::Real;

/// z σ(βz).
///
/// For β of 1 and 1.5 at most 1.6e-7, derivative 1.7e-7, that by β 6e-8. −0 at −∞, ∞ at ∞, ±0 at ±0, the derivative 0, 1, 1/2, that by β 0
/// everywhere there; NaN stays. Backward from z.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swish<T> {
    /// β.
    pub beta: T,
}

impl<T: Real> Swish<T> {
    /// SiLU: β = 1.
    pub const SILU: Self = Self { beta: T::ONE };

    /// ∂y/∂β.
    #[inline]
    pub fn derivative_beta(&self, z: T) -> T {
        let x = self.beta * z;
        // z² σ(x) σ(−x): 0 where a σ has vanished, whatever z² is
        let slope = x.sigmoid() * (-x).sigmoid();
        if slope == T::ZERO { T::ZERO } else { z * (z * slope) }
    }

    /// [`Activation::backward`], and `d_beta += Σ d_output · ∂y/∂β`.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the slices are not equally long.
    pub fn backward_with_beta(
        &self,
        input: &[T],
        d_output: &[T],
        d_beta: &mut T,
        d_input: &mut [T],
    ) -> Result<(), ShapeError> {
        self.backward(input, d_output, d_input)?;
        for (&z, &d_y) in input.iter().zip(d_output) {
            *d_beta += d_y * self.derivative_beta(z);
        }
        Ok(())
    }
}

impl<T: Real> Activation<T> for Swish<T> {
    #[inline]
    fn value(&self, z: T) -> T {
        let s = (self.beta * z).sigmoid();
        // 0 · −∞ is 0 here
        if s == T::ZERO { T::ZERO.copysign(z) } else { z * s }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        let x = self.beta * z;
        let (s, rest) = (x.sigmoid(), (-x).sigmoid());
        if s == T::ZERO || rest == T::ZERO { s } else { s + x * s * rest }
    }
}

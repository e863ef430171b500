//! The logistic sigmoid: y = 1 / (1 + e⁻ᶻ), y′ = y (1 − y).
//!
//! - Held by: golden act_sigmoid; differences (tests/host/gradient/activations.rs).

use smolnn_core::ShapeError;

use super::{Activation, FromOutput};
use crate::Real;

/// 1 / (1 + e⁻ᶻ).
///
/// At most 9e-8, derivative 6e-8: [`elementary::sigmoid`](crate::elementary::sigmoid). 0 at −∞, 1 at ∞, 1/2 at ±0, the derivative
/// 0, 0, 1/4; NaN stays. Backward from y.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sigmoid;

impl<T: Real> Activation<T> for Sigmoid {
    #[inline]
    fn value(&self, z: T) -> T {
        z.sigmoid()
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        // σ(−z) = 1 − σ(z) without its cancellation
        z.sigmoid() * (-z).sigmoid()
    }

    fn forward(&self, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the output", input.len(), output.len())?;
        T::sigmoid_slice(input, output);
        Ok(())
    }
}

impl<T: Real> FromOutput<T> for Sigmoid {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        y * (T::ONE - y)
    }
}

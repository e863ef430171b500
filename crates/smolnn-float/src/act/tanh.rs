//! The hyperbolic tangent: y′ = 1 − y².
//!
//! - Held by: golden act_tanh; differences (tests/host/gradient/activations.rs).

use smolnn_core::ShapeError;

use super::{Activation, FromOutput};
use crate::Real;

/// tanh z.
///
/// At most 8e-8, derivative 9e-8: [`elementary::tanh`](crate::elementary::tanh). ±1 at ±∞, ±0 at ±0, the derivative
/// 0 and 1; NaN stays. Backward from y.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tanh;

impl<T: Real> Activation<T> for Tanh {
    #[inline]
    fn value(&self, z: T) -> T {
        z.tanh()
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        self.derivative_from_output(z.tanh())
    }

    fn forward(&self, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the output", input.len(), output.len())?;
        T::tanh_slice(input, output);
        Ok(())
    }
}

impl<T: Real> FromOutput<T> for Tanh {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        (T::ONE - y) * (T::ONE + y)
    }
}

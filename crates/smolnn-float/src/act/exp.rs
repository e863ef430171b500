//! The exponential as an activation: y = e^z, y′ = y.
//!
//! - Held by: golden act_exp_small; differences (tests/host/gradient/activations.rs).

use smolnn_core::ShapeError;

use super::{Activation, FromOutput};
use crate::Real;

/// e^z.
///
/// [`elementary::exp`](crate::elementary::exp), value and derivative: below one unit in the last place (ARMv6-M: 1.49). 0 at −∞,
/// ∞ at ∞, 1 at ±0; NaN stays. Backward from y.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exp;

impl<T: Real> Activation<T> for Exp {
    #[inline]
    fn value(&self, z: T) -> T {
        z.exp()
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        z.exp()
    }

    fn forward(&self, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the output", input.len(), output.len())?;
        T::exp_slice(input, output);
        Ok(())
    }
}

impl<T: Real> FromOutput<T> for Exp {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        y
    }
}

//! Softsign: y = z / (1 + |z|), y′ = 1 / (1 + |z|)² = (1 − |y|)².
//!
//! - Held by: golden act_softsign; differences (tests/host/gradient/activations.rs).

use super::{Activation, FromOutput};
use crate::Real;

/// z / (1 + |z|).
///
/// At most 9e-8, derivative 2.1e-7. ±1 at ±∞, ±0 at ±0, the derivative 0 and 1; NaN stays. Backward from y.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Softsign;

impl<T: Real> Activation<T> for Softsign {
    #[inline]
    fn value(&self, z: T) -> T {
        if z.abs() == T::INFINITY { T::ONE.copysign(z) } else { z / (T::ONE + z.abs()) }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        let scale = T::ONE / (T::ONE + z.abs());
        scale * scale
    }
}

impl<T: Real> FromOutput<T> for Softsign {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        let scale = T::ONE - y.abs();
        scale * scale
    }
}

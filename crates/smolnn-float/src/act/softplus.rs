//! Softplus: y = ln(1 + e^(βz)) / β, y′ = σ(βz) = 1 − e^(−βy).
//!
//! - Held by: goldens act_softplus_*; differences (tests/host/gradient/activations.rs).

use super::{Activation, FromOutput};
use crate::Real;

/// ln(1 + e^(βz)) / β.
///
/// For β = 1 at most 7e-8, derivative 9e-8. 0 at −∞, ∞ at ∞, ln 2 / β at ±0, the derivative 0, 1, 1/2; NaN stays. Backward from
/// y.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softplus<T> {
    /// β > 0.
    pub beta: T,
}

impl<T: Real> Activation<T> for Softplus<T> {
    #[inline]
    fn value(&self, z: T) -> T {
        (self.beta * z).softplus() / self.beta
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        (self.beta * z).sigmoid()
    }
}

impl<T: Real> FromOutput<T> for Softplus<T> {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        -(-self.beta * y).expm1()
    }
}

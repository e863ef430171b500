//! Softplus: y = ln(1 + e^(βz)) / β, y′ = σ(βz) = 1 − e^(−βy).
//!
//! - Held by: goldens act_softplus_*; differences (tests/host/tests/activations.rs).

use super::{Activation, FromOutput};
use crate::Real;

/// ln(1 + e^(βz)) / β.
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

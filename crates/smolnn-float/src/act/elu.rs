//! Exponential linear units.
//!
//! - ELU: z above 0, α (e^z − 1) below. SELU: λ times ELU with the α that keeps mean 0 and variance 1 (Klambauer et al., 2017).
//! - Derivative: 1 or α e^z = y + α; λ or y + λα. At 0 the lower side counts: α, λα.
//! - Held by: goldens act_elu_*, act_selu; differences (tests/host/gradient/activations.rs).

use super::{Activation, FromOutput};
use crate::Real;

/// z above 0, α (e^z − 1) below.
///
/// For α = 1 at most 4e-8, derivative 6e-8. −α at −∞, ∞ at ∞, ±0 at ±0, NaN stays; the derivative 0, 1 and at ±0 α, that
/// of a NaN with a plus 1. Backward from y.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elu<T> {
    /// α; for [`FromOutput`] it must not be negative.
    pub alpha: T,
}

impl<T: Real> Activation<T> for Elu<T> {
    #[inline]
    fn value(&self, z: T) -> T {
        if z.is_positive() { z } else { self.alpha * z.expm1() }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        if z.is_positive() { T::ONE } else { self.alpha * z.exp() }
    }
}

impl<T: Real> FromOutput<T> for Elu<T> {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        if y.is_positive() { T::ONE } else { y + self.alpha }
    }
}

/// α of SELU.
pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// λ of SELU.
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// λ z above 0, λ α (e^z − 1) below.
///
/// At most 1.3e-7, derivative 1.3e-7. −λα at −∞, ∞ at ∞, ±0 at ±0, NaN stays; the derivative 0, λ and at ±0 λα, that of a
/// NaN with a plus λ. Backward from y.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Selu;

impl<T: Real> Activation<T> for Selu {
    #[inline]
    fn value(&self, z: T) -> T {
        if z.is_positive() { T::from_f64(SELU_SCALE) * z } else { T::from_f64(SELU_SCALE * SELU_ALPHA) * z.expm1() }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        if z.is_positive() { T::from_f64(SELU_SCALE) } else { T::from_f64(SELU_SCALE * SELU_ALPHA) * z.exp() }
    }
}

impl<T: Real> FromOutput<T> for Selu {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        if y.is_positive() { T::from_f64(SELU_SCALE) } else { y + T::from_f64(SELU_SCALE * SELU_ALPHA) }
    }
}

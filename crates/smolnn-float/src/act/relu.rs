//! The rectifier and its kin.
//!
//! - ReLU: max(z, 0); ReLU6: min(max(z, 0), 6); LeakyReLU: z above 0, γ z below.
//! - Derivative: 1 where z passes, else 0 (or γ); at a kink what holds on its outer side: 0 for ReLU at 0, γ for LeakyReLU.
//! - A NaN goes by its sign, as everything else: +NaN passes, −NaN counts as below 0.
//! - Held by: goldens act_relu*, act_leaky_relu*; textbook row 4.3; differences (tests/host/gradient/activations.rs).

use super::{Activation, FromMask, FromOutput};
use crate::Real;

/// max(z, 0).
///
/// Exact; the derivative 0 or 1. 0 at −∞, ∞ at ∞, 0 at ±0; NaN by its sign. Backward from one bit.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Relu;

impl<T: Real> Activation<T> for Relu {
    #[inline]
    fn value(&self, z: T) -> T {
        if z.is_positive() { z } else { T::ZERO }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        if z.is_positive() { T::ONE } else { T::ZERO }
    }
}

impl<T: Real> FromOutput<T> for Relu {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        Activation::<T>::derivative(self, y)
    }
}

impl<T: Real> FromMask<T> for Relu {
    #[inline]
    fn passes(&self, z: T) -> bool {
        z.is_positive()
    }

    #[inline]
    fn slopes(&self) -> [T; 2] {
        [T::ZERO, T::ONE]
    }
}

/// min(max(z, 0), 6).
///
/// Exact; the derivative 0 or 1. 0 at −∞, 6 at ∞, 0 at ±0; NaN by its sign: 0 or NaN. Backward from one bit.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Relu6;

impl<T: Real> Activation<T> for Relu6 {
    #[inline]
    fn value(&self, z: T) -> T {
        if !z.is_positive() {
            T::ZERO
        } else if z > T::from_f64(6.0) {
            T::from_f64(6.0)
        } else {
            z
        }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        if FromMask::<T>::passes(self, z) { T::ONE } else { T::ZERO }
    }
}

impl<T: Real> FromOutput<T> for Relu6 {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        Activation::<T>::derivative(self, y)
    }
}

impl<T: Real> FromMask<T> for Relu6 {
    #[inline]
    fn passes(&self, z: T) -> bool {
        z.is_positive() && z < T::from_f64(6.0)
    }

    #[inline]
    fn slopes(&self) -> [T; 2] {
        [T::ZERO, T::ONE]
    }
}

/// z above 0, γ z below.
///
/// One rounding; the derivative is exact. −∞ at −∞ for γ > 0, ∞ at ∞, ±0 at ±0; NaN stays. Backward from one bit.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakyRelu<T> {
    /// γ.
    pub slope: T,
}

impl<T: Real> Activation<T> for LeakyRelu<T> {
    #[inline]
    fn value(&self, z: T) -> T {
        if z.is_positive() { z } else { self.slope * z }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        if z.is_positive() { T::ONE } else { self.slope }
    }
}

impl<T: Real> FromMask<T> for LeakyRelu<T> {
    #[inline]
    fn passes(&self, z: T) -> bool {
        z.is_positive()
    }

    #[inline]
    fn slopes(&self) -> [T; 2] {
        [self.slope, T::ONE]
    }
}

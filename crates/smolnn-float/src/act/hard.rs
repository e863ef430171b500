//! Piecewise linear stand-ins.
//!
//! - Hard sigmoid: clamp(z/6 + ½, 0, 1). Hard swish: z · hard sigmoid(z), y′ = z/3 + ½ inside. Hard tanh: clamp(z, low, high).
//! - Derivative at a kink: what holds outside; that of hard swish at −3 what holds inside, as PyTorch has it.
//! - Held by: goldens act_hard*; differences (tests/host/gradient/activations.rs).

use super::{Activation, FromMask, FromOutput};
use crate::Real;

/// clamp(z/6 + ½, 0, 1).
///
/// At most 4e-8; the derivative is 0, or 1/6 rounded. 0 at −∞, 1 at ∞, 1/2 at ±0, NaN stays; the derivative of NaN is 0. Backward from one bit.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HardSigmoid;

impl<T: Real> Activation<T> for HardSigmoid {
    #[inline]
    fn value(&self, z: T) -> T {
        let three = T::from_f64(3.0);
        if z <= -three {
            T::ZERO
        } else if z >= three {
            T::ONE
        } else {
            z * T::from_f64(1.0 / 6.0) + T::HALF
        }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        if self.passes(z) { T::from_f64(1.0 / 6.0) } else { T::ZERO }
    }
}

impl<T: Real> FromOutput<T> for HardSigmoid {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        if y > T::ZERO && y < T::ONE { T::from_f64(1.0 / 6.0) } else { T::ZERO }
    }
}

impl<T: Real> FromMask<T> for HardSigmoid {
    #[inline]
    fn passes(&self, z: T) -> bool {
        z > T::from_f64(-3.0) && z < T::from_f64(3.0)
    }

    #[inline]
    fn slopes(&self) -> [T; 2] {
        [T::ZERO, T::from_f64(1.0 / 6.0)]
    }
}

/// z clamp(z/6 + ½, 0, 1).
///
/// At most 1.1e-7, derivative 7e-8. 0 at −∞, ∞ at ∞, ±0 at ±0, the derivative 0, 1, 1/2; NaN stays. Backward from z.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HardSwish;

impl<T: Real> Activation<T> for HardSwish {
    #[inline]
    fn value(&self, z: T) -> T {
        let three = T::from_f64(3.0);
        if z <= -three {
            T::ZERO
        } else if z >= three {
            z
        } else {
            z * (z * T::from_f64(1.0 / 6.0) + T::HALF)
        }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        let three = T::from_f64(3.0);
        if z < -three {
            T::ZERO
        } else if z >= three {
            T::ONE
        } else {
            z * T::from_f64(1.0 / 3.0) + T::HALF
        }
    }
}

/// clamp(z, low, high).
///
/// Exact; the derivative 0 or 1. `low` at −∞, `high` at ∞, ±0 at ±0, NaN stays; its derivative is 0. Backward from one bit.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HardTanh<T> {
    /// The least output, commonly −1.
    pub low: T,
    /// The greatest output, commonly 1.
    pub high: T,
}

impl<T: Real> Activation<T> for HardTanh<T> {
    #[inline]
    fn value(&self, z: T) -> T {
        if z < self.low {
            self.low
        } else if z > self.high {
            self.high
        } else {
            z
        }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        if self.passes(z) { T::ONE } else { T::ZERO }
    }
}

impl<T: Real> FromOutput<T> for HardTanh<T> {
    #[inline]
    fn derivative_from_output(&self, y: T) -> T {
        self.derivative(y)
    }
}

impl<T: Real> FromMask<T> for HardTanh<T> {
    #[inline]
    fn passes(&self, z: T) -> bool {
        z > self.low && z < self.high
    }

    #[inline]
    fn slopes(&self) -> [T; 2] {
        [T::ZERO, T::ONE]
    }
}

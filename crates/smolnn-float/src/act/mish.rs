//! Mish: y = z tanh(ln(1 + e^z)) (Misra, 2019).
//!
//! - With E = e^z: tanh(ln(1 + E)) = (E² + 2E) / (E² + 2E + 2), one exponential and no logarithm; with E = e^−|z| it cannot overflow.
//! - y′ = t + z (1 − t²) σ(z). Not monotonic: the backward pass needs z.
//! - Held by: golden act_mish; differences (tests/host/gradient/activations.rs).

use super::Activation;
use crate::Real;

/// z tanh(softplus(z)).
///
/// At most 1.7e-7, derivative 2.1e-7. −0 at −∞, ∞ at ∞, ±0 at ±0, the derivative 0, 1, 3/5; NaN stays. Backward from z.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mish;

/// t = tanh(ln(1 + e^z)) and 1 − t, each without cancellation.
#[inline]
fn share<T: Real>(z: T) -> (T, T) {
    let e = (-z.abs()).exp();
    // Numerator and rest of the denominator, over E² where E = e^z > 1.
    let (numerator, rest) =
        if z.is_positive() { (T::ONE + T::TWO * e, T::TWO * e * e) } else { (e * (e + T::TWO), T::TWO) };
    let scale = T::ONE / (numerator + rest);
    (numerator * scale, rest * scale)
}

impl<T: Real> Activation<T> for Mish {
    #[inline]
    fn value(&self, z: T) -> T {
        let (t, _) = share(z);
        if t == T::ZERO { T::ZERO.copysign(z) } else { z * t }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        let (t, rest) = share(z);
        let slope = rest * (T::ONE + t) * z.sigmoid();
        t + if slope == T::ZERO { T::ZERO } else { z * slope }
    }
}

//! The Gaussian error linear unit in its three kinds, which are different functions.
//!
//! - Erf: y = z Φ(z), y′ = Φ + z φ; Φ(z) = ½ (1 + erf(z/√2)), φ the normal density.
//! - Tanh: y = ½ z (1 + t), t = tanh u, u = √(2/π) (z + 0.044715 z³); y′ = ½ (1 + t) + ½ z (1 − t²) u′. Within 4.8e-4 of Erf.
//!   Computed with ½ (1 + t) = σ(2u) and ¼ (1 − t²) = σ(2u) σ(−2u), which do not cancel.
//! - Sigmoid: y = z σ(1.702 z), Swish with β = 1.702. Within 2.1e-2 of Erf.
//! - Not monotonic: the backward pass needs z. (Hendrycks, Gimpel, 2016.)
//! - Held by: goldens act_gelu_*; textbook row 4.4; differences (tests/host/gradient/activations.rs).

use super::{Activation, Swish};
use crate::Real;

/// Which of the three functions that are called GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeluKind {
    /// z Φ(z): PyTorch's default.
    Erf,
    /// The approximation by tanh: GPT-2, BERT.
    Tanh,
    /// The approximation z σ(1.702 z).
    Sigmoid,
}

/// GELU of a kind.
///
/// All three at most 1.6e-7, derivative 1.9e-7. −0 at −∞, ∞ at ∞, ±0 at ±0, the derivative 0, 1, 1/2; NaN stays. The erf kind
/// becomes 0 below −5.5, where the exact value is below 1e-7. Backward from z.
/// Cost: [table](crate::act#errors-special-values-and-cost).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gelu(pub GeluKind);

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
const CUBE: f64 = 0.044_715;

/// Φ(z), with relative precision for z ≪ 0 as far as erf allows.
#[inline]
fn distribution<T: Real>(z: T) -> T {
    T::HALF * (T::ONE + (z * T::from_f64(core::f64::consts::FRAC_1_SQRT_2)).erf())
}

/// 2u of the tanh kind, its derivative.
#[inline]
fn argument<T: Real>(z: T) -> (T, T) {
    let scale = T::from_f64(2.0 * SQRT_2_OVER_PI);
    let cube = T::from_f64(CUBE) * z * z;
    (scale * z * (T::ONE + cube), scale * (T::ONE + T::from_f64(3.0) * cube))
}

impl<T: Real> Activation<T> for Gelu {
    #[inline]
    fn value(&self, z: T) -> T {
        let share = match self.0 {
            GeluKind::Erf => distribution(z),
            GeluKind::Tanh => argument(z).0.sigmoid(),
            GeluKind::Sigmoid => return Swish { beta: T::from_f64(1.702) }.value(z),
        };
        if share == T::ZERO { T::ZERO.copysign(z) } else { z * share }
    }

    #[inline]
    fn derivative(&self, z: T) -> T {
        match self.0 {
            GeluKind::Erf => {
                // √(2/π) / 2 = 1/√(2π)
                let density = T::from_f64(0.5 * SQRT_2_OVER_PI) * (-T::HALF * z * z).exp();
                distribution(z) + if density == T::ZERO { T::ZERO } else { z * density }
            }
            GeluKind::Tanh => {
                let (u, d_u) = argument(z);
                let s = u.sigmoid();
                let rest = s * (-u).sigmoid();
                s + if rest == T::ZERO { T::ZERO } else { z * rest * d_u }
            }
            GeluKind::Sigmoid => Swish { beta: T::from_f64(1.702) }.derivative(z),
        }
    }
}

//! Adam (Kingma and Ba): m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g²,
//! w ← w − η·m̂/(√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ) in step t = 1, 2, …. With decay it is AdamW. State: m and v.
//!
//! βᵗ is carried as a product, so that a step costs no power. Held by: tests/host/gradient/training.rs.

use super::{Optimiser, optimiser};
use crate::Real;

/// Adam, and with [`decay`](Adam::decay) AdamW. It counts its steps: begin a new training with a new one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam<T> {
    rate: T,
    beta1: T,
    beta2: T,
    epsilon: T,
    decay: T,
    /// β₁ᵗ and β₂ᵗ.
    powers: (T, T),
}

optimiser!(Adam, 2);

impl<T: Real> Adam<T> {
    /// With learning rate η, β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    pub fn new(rate: T) -> Self {
        Self::with(rate, T::from_f64(0.9), T::from_f64(0.999), T::from_f64(1e-8))
    }

    /// With learning rate η, β₁, β₂ and ε.
    pub fn with(rate: T, beta1: T, beta2: T, epsilon: T) -> Self {
        Self { rate, beta1, beta2, epsilon, decay: T::ZERO, powers: (T::ONE, T::ONE) }
    }

    /// AdamW: Adam with decoupled weight decay λ, such as 0.01.
    pub fn w(rate: T, decay: T) -> Self {
        Self::new(rate).decay(decay)
    }
}

impl<T: Real> Optimiser<T> for Adam<T> {
    const STATES: usize = 2;

    fn set_rate(&mut self, rate: T) {
        self.rate = rate;
    }

    fn rate_and_decay(&self) -> (T, T) {
        (self.rate, self.decay)
    }

    fn begin(&mut self) {
        self.powers.0 *= self.beta1;
        self.powers.1 *= self.beta2;
    }

    fn update(&self, values: &mut [T], gradient: &[T], state: &mut [T]) {
        let Some((first, second)) = state.split_at_mut_checked(values.len()) else { return };
        let rate = self.rate / (T::ONE - self.powers.0);
        let unbiased = T::ONE / (T::ONE - self.powers.1);
        for ((w, &g), (m, v)) in values.iter_mut().zip(gradient).zip(first.iter_mut().zip(second)) {
            *m = self.beta1 * *m + (T::ONE - self.beta1) * g;
            *v = self.beta2 * *v + (T::ONE - self.beta2) * g * g;
            *w -= rate * *m / ((*v * unbiased).sqrt() + self.epsilon);
        }
    }
}

//! RMSprop: s ← α·s + (1 − α)·g², w ← w − η·g/(√s + ε). State: s.
//!
//! Held by: tests/host/gradient/training.rs.

use super::{Optimiser, optimiser};
use crate::Real;

/// RMSprop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp<T> {
    rate: T,
    smoothing: T,
    epsilon: T,
    decay: T,
}

optimiser!(RmsProp, 1);

impl<T: Real> RmsProp<T> {
    /// With learning rate η, α = 0.99, ε = 1e-8.
    pub fn new(rate: T) -> Self {
        Self::with(rate, T::from_f64(0.99), T::from_f64(1e-8))
    }

    /// With learning rate η, smoothing α and ε.
    pub fn with(rate: T, smoothing: T, epsilon: T) -> Self {
        Self { rate, smoothing, epsilon, decay: T::ZERO }
    }
}

impl<T: Real> Optimiser<T> for RmsProp<T> {
    const STATES: usize = 1;

    fn set_rate(&mut self, rate: T) {
        self.rate = rate;
    }

    fn rate_and_decay(&self) -> (T, T) {
        (self.rate, self.decay)
    }

    fn update(&self, values: &mut [T], gradient: &[T], state: &mut [T]) {
        for ((w, &g), s) in values.iter_mut().zip(gradient).zip(state) {
            *s = self.smoothing * *s + (T::ONE - self.smoothing) * g * g;
            *w -= self.rate * g / (s.sqrt() + self.epsilon);
        }
    }
}

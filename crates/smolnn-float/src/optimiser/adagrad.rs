//! Adagrad: s ← s + g², w ← w − η·g/(√s + ε). State: s.
//!
//! Held by: tests/host/gradient/training.rs.

use super::{Optimiser, optimiser};
use crate::Real;

/// Adagrad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad<T> {
    rate: T,
    epsilon: T,
    decay: T,
}

optimiser!(Adagrad, 1);

impl<T: Real> Adagrad<T> {
    /// With learning rate η and ε = 1e-10.
    pub fn new(rate: T) -> Self {
        Self { rate, epsilon: T::from_f64(1e-10), decay: T::ZERO }
    }
}

impl<T: Real> Optimiser<T> for Adagrad<T> {
    const STATES: usize = 1;

    fn set_rate(&mut self, rate: T) {
        self.rate = rate;
    }

    fn rate_and_decay(&self) -> (T, T) {
        (self.rate, self.decay)
    }

    fn update(&self, values: &mut [T], gradient: &[T], state: &mut [T]) {
        for ((w, &g), s) in values.iter_mut().zip(gradient).zip(state) {
            *s += g * g;
            *w -= self.rate * g / (s.sqrt() + self.epsilon);
        }
    }
}

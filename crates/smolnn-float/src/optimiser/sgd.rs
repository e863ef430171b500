//! Stochastic gradient descent: w ← w − η·g. No state.
//!
//! Held by: tests/host/gradient/training.rs.

use super::{Optimiser, optimiser};
use crate::Real;

/// Gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd<T> {
    rate: T,
    decay: T,
}

optimiser!(Sgd, 0);

impl<T: Real> Sgd<T> {
    /// With learning rate η.
    pub fn new(rate: T) -> Self {
        Self { rate, decay: T::ZERO }
    }
}

impl<T: Real> Optimiser<T> for Sgd<T> {
    const STATES: usize = 0;

    fn set_rate(&mut self, rate: T) {
        self.rate = rate;
    }

    fn rate_and_decay(&self) -> (T, T) {
        (self.rate, self.decay)
    }

    fn update(&self, values: &mut [T], gradient: &[T], _: &mut [T]) {
        for (w, &g) in values.iter_mut().zip(gradient) {
            *w -= self.rate * g;
        }
    }
}

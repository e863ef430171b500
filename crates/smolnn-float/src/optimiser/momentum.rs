//! Momentum: v ← μ·v + g, w ← w − η·v; Nesterov's: w ← w − η·(g + μ·v). State: v.
//!
//! As PyTorch has it: η scales v, not g, so that a schedule acts at once. Held by: tests/host/gradient/training.rs.

use super::{Optimiser, optimiser};
use crate::Real;

/// Gradient descent with momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum<T> {
    rate: T,
    momentum: T,
    nesterov: bool,
    decay: T,
}

optimiser!(Momentum, 1);

impl<T: Real> Momentum<T> {
    /// With learning rate η and momentum μ, such as 0.9.
    pub fn new(rate: T, momentum: T) -> Self {
        Self { rate, momentum, nesterov: false, decay: T::ZERO }
    }

    /// Nesterov's: the gradient counts as if taken one step ahead.
    pub fn nesterov(rate: T, momentum: T) -> Self {
        Self { nesterov: true, ..Self::new(rate, momentum) }
    }
}

impl<T: Real> Optimiser<T> for Momentum<T> {
    const STATES: usize = 1;

    fn set_rate(&mut self, rate: T) {
        self.rate = rate;
    }

    fn rate_and_decay(&self) -> (T, T) {
        (self.rate, self.decay)
    }

    fn update(&self, values: &mut [T], gradient: &[T], state: &mut [T]) {
        for ((w, &g), v) in values.iter_mut().zip(gradient).zip(state) {
            *v = self.momentum * *v + g;
            *w -= self.rate * if self.nesterov { g + self.momentum * *v } else { *v };
        }
    }
}

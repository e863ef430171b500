//! Learning-rate schedules: η as a function of the step, for [`Optimiser::set_rate`](super::Optimiser::set_rate).
//!
//! Held by: tests/host/gradient/training.rs.

use crate::Real;

/// How η falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anneal<T> {
    /// It stays.
    Constant,
    /// Times `factor` every `every` steps.
    Step {
        /// Steps between drops.
        every: usize,
        /// What is left after a drop.
        factor: T,
    },
    /// Times `factor` every step.
    Exponential {
        /// What is left after a step.
        factor: T,
    },
    /// Along half a cosine to `floor` in `steps` steps, where it stays.
    Cosine {
        /// Steps until the floor.
        steps: usize,
        /// The last η.
        floor: T,
    },
}

/// A linear rise over the first steps, then what [`Anneal`] says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule<T> {
    /// The largest η.
    pub rate: T,
    /// Steps until η is reached: in step t < warm-up η is rate·(t + 1)/(warm-up + 1).
    pub warm_up: usize,
    /// What comes then.
    pub anneal: Anneal<T>,
}

impl<T: Real> Schedule<T> {
    /// η of step 0, 1, 2, ….
    pub fn rate(&self, step: usize) -> T {
        if step < self.warm_up {
            return self.rate * T::from_usize(step + 1) / T::from_usize(self.warm_up + 1);
        }
        let step = step - self.warm_up;
        match self.anneal {
            Anneal::Constant => self.rate,
            Anneal::Step { every, factor } => self.rate * power(factor, step.checked_div(every).unwrap_or(0)),
            Anneal::Exponential { factor } => self.rate * power(factor, step),
            Anneal::Cosine { steps, floor } if step < steps => {
                let turn = T::from_f64(core::f64::consts::PI) * T::from_usize(step) / T::from_usize(steps);
                floor + (self.rate - floor) * T::HALF * (T::ONE + turn.cos())
            }
            Anneal::Cosine { floor, .. } => floor,
        }
    }
}

fn power<T: Real>(factor: T, exponent: usize) -> T {
    factor.powi(u32::try_from(exponent).unwrap_or(u32::MAX))
}

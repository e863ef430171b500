//! Input standardiser: x̂ = (x − mean)/deviation per channel, with running statistics.
//!
//! - Mean and variance by Welford's update, one sample at a time: mean += (x − mean)/n, m₂ += (x − old mean)·(x − mean).
//! - Centred inputs make the loss better conditioned: textbook row 4.1 has the figures, and holds this.

use crate::Real;

/// Running mean and deviation of `N` channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standardiser<T, const N: usize> {
    count: usize,
    mean: [T; N],
    squares: [T; N],
}

impl<T: Real, const N: usize> Standardiser<T, N> {
    /// One that has seen nothing and changes nothing.
    pub const fn new() -> Self {
        Self { count: 0, mean: [T::ZERO; N], squares: [T::ZERO; N] }
    }

    /// Takes a sample into the statistics.
    pub fn observe(&mut self, sample: &[T; N]) {
        self.count += 1;
        let share = T::ONE / T::from_usize(self.count);
        for ((mean, squares), &x) in self.mean.iter_mut().zip(&mut self.squares).zip(sample) {
            let before = x - *mean;
            *mean += before * share;
            *squares += before * (x - *mean);
        }
    }

    /// The samples seen.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The mean of each channel.
    pub const fn mean(&self) -> &[T; N] {
        &self.mean
    }

    /// 1 / deviation of each channel (of the population); 1 for a channel that never changed.
    pub fn inverse_deviation(&self) -> [T; N] {
        let share = T::ONE / T::from_usize(self.count.max(1));
        self.squares.map(|squares| {
            let variance = squares * share;
            if variance > T::MIN_POSITIVE { T::ONE / variance.sqrt() } else { T::ONE }
        })
    }

    /// (x − mean)/deviation.
    pub fn apply(&self, sample: &[T; N]) -> [T; N] {
        let mut standard = *sample;
        for ((x, &mean), inverse) in standard.iter_mut().zip(&self.mean).zip(self.inverse_deviation()) {
            *x = (*x - mean) * inverse;
        }
        standard
    }
}

impl<T: Real, const N: usize> Default for Standardiser<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

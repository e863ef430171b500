//! Decimation: a filter, and every n-th of its samples.

use smolnn_core::ShapeError;

use super::Filter;

/// A filter of whose results one in `factor` is given, the first one among them. An FIR filter computes only those.
#[derive(Clone, Debug)]
pub struct Decimator<F> {
    filter: F,
    factor: usize,
    /// Samples that are skipped before the next one is given.
    left: usize,
}

impl<F: Filter> Decimator<F> {
    /// A decimator whose filter keeps what lies below half the new sample rate.
    ///
    /// # Errors
    /// [`ShapeError::Zero`] when the factor is 0.
    pub fn new(filter: F, factor: usize) -> Result<Self, ShapeError> {
        if factor == 0 {
            return Err(ShapeError::Zero("the factor of a decimation"));
        }
        Ok(Self { filter, factor, left: 0 })
    }

    /// Takes a block of any length and calls `on_sample` for each sample that remains, in order.
    pub fn push(&mut self, block: &[F::Sample], mut on_sample: impl FnMut(F::Sample)) {
        for &sample in block {
            if self.left == 0 {
                on_sample(self.filter.step(sample));
                self.left = self.factor;
            } else {
                self.filter.skip(sample);
            }
            self.left -= 1;
        }
    }

    /// Forgets all samples.
    pub fn reset(&mut self) {
        self.filter.reset();
        self.left = 0;
    }

    /// The filter's state and the samples that are skipped next, to be given back by [`restore`](Self::restore).
    pub fn save(&self) -> (F::State, usize) {
        (self.filter.save(), self.left)
    }

    /// Goes on from a state that was saved, with the same filter and factor.
    pub fn restore(&mut self, (state, left): &(F::State, usize)) {
        self.filter.restore(state);
        self.left = *left;
    }
}

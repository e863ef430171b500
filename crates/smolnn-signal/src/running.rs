//! The running mean and variance of a stream, a value at a time.
//!
//! Values that are not finite are left out, because one of them would spoil all that come later; [`rejected`](Welford::rejected) counts them.

use smolnn_core::ShapeError;

/// Mean and variance of all values so far, by Welford's recurrence: it does not lose the variance in a difference of large sums.
///
/// Source: B. P. Welford, Note on a method for calculating corrected sums of squares and products (1962).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Welford {
    count: u32,
    rejected: u32,
    mean: f32,
    /// The sum of squared distances from the mean.
    squares: f32,
}

impl Welford {
    /// The statistics of no value yet.
    pub const fn new() -> Self {
        Self { count: 0, rejected: 0, mean: 0.0, squares: 0.0 }
    }

    /// Takes a value.
    pub const fn push(&mut self, value: f32) {
        if !value.is_finite() {
            self.rejected = self.rejected.saturating_add(1);
            return;
        }
        self.count = self.count.saturating_add(1);
        let distance = value - self.mean;
        self.mean += distance / self.count as f32;
        self.squares += distance * (value - self.mean);
    }

    /// Values so far, without those that were not finite.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Values that were not finite.
    pub const fn rejected(&self) -> u32 {
        self.rejected
    }

    /// The mean; none before the first value.
    pub const fn mean(&self) -> Option<f32> {
        if self.count == 0 { None } else { Some(self.mean) }
    }

    /// The variance, divided by the number of values; none before the first value.
    pub const fn variance(&self) -> Option<f32> {
        if self.count == 0 { None } else { Some(self.squares / self.count as f32) }
    }

    /// The variance of the values as a sample, divided by one less; none before the second value.
    pub const fn sample_variance(&self) -> Option<f32> {
        if self.count < 2 { None } else { Some(self.squares / (self.count - 1) as f32) }
    }

    /// Forgets all values.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    /// The state, to be given back by [`restore`](Self::restore).
    pub const fn save(&self) -> Self {
        *self
    }

    /// Goes on from a state that was saved.
    pub const fn restore(&mut self, state: &Self) {
        *self = *state;
    }
}

/// Mean and variance whose weights fall by a constant factor with age: mean += α·d and variance = (1 − α)(variance + α·d²), with d the value
/// less the mean before. The first value is the mean (pandas: `ewm(alpha, adjust=False)`, `bias=True`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    alpha: f32,
    state: ExponentialState,
}

/// The state of an [`Exponential`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExponentialState {
    rejected: u32,
    /// Mean and variance, when a value has come.
    moments: Option<(f32, f32)>,
}

impl Exponential {
    /// The statistics of no value yet; `alpha` is the share of a new value.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless 0 < alpha ≤ 1.
    pub const fn new(alpha: f32) -> Result<Self, ShapeError> {
        if !(alpha > 0.0 && alpha <= 1.0) {
            return Err(ShapeError::Range("the share of a new value lies above 0 and is at most 1"));
        }
        Ok(Self { alpha, state: ExponentialState { rejected: 0, moments: None } })
    }

    /// Takes a value.
    pub const fn push(&mut self, value: f32) {
        if !value.is_finite() {
            self.state.rejected = self.state.rejected.saturating_add(1);
            return;
        }
        self.state.moments = match self.state.moments {
            None => Some((value, 0.0)),
            Some((mean, variance)) => {
                let distance = value - mean;
                let step = self.alpha * distance;
                Some((mean + step, (1.0 - self.alpha) * (variance + step * distance)))
            }
        };
    }

    /// Values that were not finite.
    pub const fn rejected(&self) -> u32 {
        self.state.rejected
    }

    /// The mean; none before the first value.
    pub const fn mean(&self) -> Option<f32> {
        match self.state.moments {
            Some((mean, _)) => Some(mean),
            None => None,
        }
    }

    /// The variance; none before the first value.
    pub const fn variance(&self) -> Option<f32> {
        match self.state.moments {
            Some((_, variance)) => Some(variance),
            None => None,
        }
    }

    /// Forgets all values.
    pub const fn reset(&mut self) {
        self.state = ExponentialState { rejected: 0, moments: None };
    }

    /// The state, to be given back by [`restore`](Self::restore).
    pub const fn save(&self) -> ExponentialState {
        self.state
    }

    /// Goes on from a state that was saved with the same share.
    pub const fn restore(&mut self, state: &ExponentialState) {
        self.state = *state;
    }
}

//! When a row of probabilities means that the word was said.

use smolnn_core::ShapeError;

/// Longest sliding window of a [`Detector`].
pub const MOST_PROBABILITIES: usize = 32;

/// Frames of features that a [`Detector`] waits at its start and after each detection: a second of 10 ms steps, as published wake words assume.
pub const REFRACTORY_FRAMES: u32 = 100;

/// Decides from the mean of the last probabilities.
///
/// The semantics are those of `micro_wake_word` manifests of version 2: the word was said when the sum of the last `sliding_window`
/// probabilities, each from 0 to 255, is above `sliding_window` · cutoff, the cutoff being `probability_cutoff` · 255 rounded down.
/// After a detection the probabilities are forgotten, and for the refractory time nothing is detected. The same time passes at the start, where a
/// model's state is not filled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detector {
    cutoff: u8,
    length: usize,
    refractory: u32,
    recent: [u8; MOST_PROBABILITIES],
    oldest: usize,
    /// Frames that are still to pass before the next detection.
    waiting: u32,
}

impl Detector {
    /// A detector with the usual refractory time, [`REFRACTORY_FRAMES`].
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless 0 ≤ `probability_cutoff` ≤ 1 and `sliding_window` is from 1 to [`MOST_PROBABILITIES`].
    pub const fn new(probability_cutoff: f64, sliding_window: usize) -> Result<Self, ShapeError> {
        if !(probability_cutoff >= 0.0 && probability_cutoff <= 1.0) {
            return Err(ShapeError::Range("a probability's cutoff lies between 0 and 1"));
        }
        if sliding_window == 0 || sliding_window > MOST_PROBABILITIES {
            return Err(ShapeError::Range("a sliding window has 1 to 32 probabilities"));
        }
        Ok(Self {
            cutoff: (probability_cutoff * 255.0) as u8,
            length: sliding_window,
            refractory: REFRACTORY_FRAMES,
            recent: [0; MOST_PROBABILITIES],
            oldest: 0,
            waiting: REFRACTORY_FRAMES,
        })
    }

    /// The same detector with another refractory time, in frames of features. 0 detects at once and again with every window that is above the cutoff.
    pub const fn refractory(self, frames: u32) -> Self {
        Self { refractory: frames, waiting: frames, ..self }
    }

    /// The cutoff that the mean of the probabilities must exceed.
    pub const fn cutoff(&self) -> u8 {
        self.cutoff
    }

    /// Mean of the probabilities in the window, rounded down.
    pub fn mean(&self) -> u8 {
        (self.sum() / self.length.max(1) as u32) as u8
    }

    fn sum(&self) -> u32 {
        self.recent.iter().take(self.length).map(|&probability| u32::from(probability)).sum()
    }

    /// Takes the probability that a model gave, and the `frames` of features that it had taken for it. Gives the mean of the window, above
    /// the cutoff, when the word was said.
    pub fn push(&mut self, probability: u8, frames: u32) -> Option<u8> {
        if let Some(place) = self.recent.get_mut(self.oldest) {
            *place = probability;
        }
        self.oldest = if self.oldest + 1 < self.length { self.oldest + 1 } else { 0 };
        self.waiting = self.waiting.saturating_sub(frames);
        if self.waiting > 0 || self.sum() <= u32::from(self.cutoff) * self.length as u32 {
            return None;
        }
        let mean = self.mean();
        self.reset();
        Some(mean)
    }

    /// Forgets all probabilities and starts the refractory time.
    pub fn reset(&mut self) {
        self.recent = [0; MOST_PROBABILITIES];
        self.oldest = 0;
        self.waiting = self.refractory;
    }
}

#[cfg(test)]
mod tests {
    use super::{Detector, MOST_PROBABILITIES};

    #[test]
    fn the_cutoff_is_rounded_down_and_must_be_exceeded() {
        let detector = |cutoff| Detector::new(cutoff, 1).unwrap().refractory(0);
        for (cutoff, integer) in [(0.97, 247), (0.5, 127), (0.85, 216), (0.6, 153), (0.0, 0)] {
            assert_eq!(detector(cutoff).cutoff(), integer);
            assert_eq!(detector(cutoff).push(integer, 1), None, "{cutoff}");
            assert_eq!(detector(cutoff).push(integer + 1, 1), Some(integer + 1), "{cutoff}");
        }
        // Nothing exceeds a cutoff of 1.
        assert_eq!(detector(1.0).push(255, 1), None);
    }

    #[test]
    fn the_window_slides() {
        let mut detector = Detector::new(0.5, 3).unwrap().refractory(0);
        // The sum must exceed 3 · 127 = 381: 255 + 127 = 382 does, 255 + 126 does not.
        assert_eq!([255, 0, 126, 255, 0].map(|probability| detector.push(probability, 1)), [None; 5]);
        assert_eq!(detector.mean(), 127);
        assert_eq!(detector.push(127, 1), Some(127));
        // A detection forgets what led to it.
        assert_eq!([255, 126].map(|probability| detector.push(probability, 1)), [None; 2]);
        assert_eq!(detector.push(1, 1), Some(127));
    }

    #[test]
    fn nothing_is_detected_in_the_refractory_time() {
        let mut detector = Detector::new(0.9, 2).unwrap().refractory(10);
        let times: [bool; 12] = core::array::from_fn(|_| detector.push(255, 3).is_some());
        // Ten frames are over with the fourth call of three.
        assert_eq!(times, core::array::from_fn(|call| call % 4 == 3));
        detector.reset();
        assert_eq!(detector.push(255, 3), None);
    }

    #[test]
    fn impossible_detectors_are_refused() {
        for (cutoff, length) in [(-0.1, 5), (1.1, 5), (f64::NAN, 5), (0.5, 0), (0.5, MOST_PROBABILITIES + 1)] {
            assert!(Detector::new(cutoff, length).is_err(), "{cutoff} {length}");
        }
        assert!(Detector::new(0.5, MOST_PROBABILITIES).is_ok());
    }
}

//! Filters of a stream: biquads (IIR), FIR filters and decimation, in f32, Q15 and Q31, and the formulas that design them.
//!
//! A filter takes one sample and gives one; it keeps its state, so that blocks of any size give exactly the same results. An array of
//! filters is their cascade. Coefficients are computed when the firmware is compiled:
//!
//! ```
//! use smolnn_core::shape;
//! use smolnn_signal::filter::{Biquad, Coefficients, Decimator, Filter, FirQ15, low_pass_taps};
//!
//! // Gravity out of an accelerometer at 100 Hz: a Butterworth high-pass filter at 0.5 Hz.
//! const HIGH_PASS: Coefficients = shape!(Coefficients::high_pass(0.5 / 100.0, core::f64::consts::FRAC_1_SQRT_2));
//! let mut filter = Biquad::new(&HIGH_PASS);
//! let last = (0..1000).map(|_| filter.step(9.81)).last();
//! assert!(last.is_some_and(|rest| rest.abs() < 1e-3));
//!
//! // Every third sample of a microphone at 48 kHz.
//! const TAPS: [f64; 31] = shape!(low_pass_taps(7000.0 / 48_000.0));
//! let mut decimator = Decimator::new(shape!(FirQ15::new(&TAPS)), 3)?;
//! let mut samples = 0;
//! decimator.push(&[0; 480], |_| samples += 1);
//! assert_eq!(samples, 160);
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```
//!
//! Held by recordings of scipy and by naive filters in f64 (tests/host, `filters`).

mod biquad;
mod decimate;
mod design;
mod fir;

pub use biquad::{Biquad, BiquadQ15, BiquadQ31, StateF32, StateQ15, StateQ31};
pub use decimate::Decimator;
pub use design::{Coefficients, low_pass_taps};
pub use fir::{Fir, FirQ15, History};

/// A filter with a state, a sample at a time.
pub trait Filter {
    /// A sample.
    type Sample: Copy;
    /// What the filter remembers of the samples so far.
    type State: Clone;

    /// Takes a sample and gives the filtered one.
    fn step(&mut self, sample: Self::Sample) -> Self::Sample;

    /// Takes a sample whose result nobody wants.
    fn skip(&mut self, sample: Self::Sample) {
        self.step(sample);
    }

    /// Filters a block in place.
    fn run(&mut self, block: &mut [Self::Sample]) {
        for sample in block {
            *sample = self.step(*sample);
        }
    }

    /// Forgets all samples.
    fn reset(&mut self);

    /// The state, to be given back by [`restore`](Self::restore).
    fn save(&self) -> Self::State;

    /// Goes on from a state that was saved, of a filter with the same coefficients.
    fn restore(&mut self, state: &Self::State);
}

/// A cascade: each filter takes what the one before gives.
impl<F: Filter, const COUNT: usize> Filter for [F; COUNT] {
    type Sample = F::Sample;
    type State = [F::State; COUNT];

    fn step(&mut self, sample: F::Sample) -> F::Sample {
        self.iter_mut().fold(sample, |sample, filter| filter.step(sample))
    }

    fn reset(&mut self) {
        self.iter_mut().for_each(F::reset);
    }

    fn save(&self) -> Self::State {
        self.each_ref().map(|filter| filter.save())
    }

    fn restore(&mut self, state: &Self::State) {
        self.iter_mut().zip(state).for_each(|(filter, state)| filter.restore(state));
    }
}

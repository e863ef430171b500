//! The micro audio front end: what the wake-word and keyword models of TensorFlow Lite Micro hear, bit for bit.
//!
//! Every `step` samples, a window of [`WINDOW`](MicroFrontend) samples goes through these stages, all in integers:
//!
//! | stage | function | result |
//! |---|---|---|
//! | window | [`windowed`] | sample · Hann, Q12 |
//! | scaling by the common shift | [`common_shift`] | the largest sample uses all 15 bits |
//! | real FFT | [`RealFft::transform`] | i16 re, im, divided by the points |
//! | energy | [`energy`] | re² + im², u32 |
//! | mel filter bank | [`FilterBank::accumulate`] | u64 per channel, Q12 |
//! | square root | [`root`] | u32, the shift taken back |
//! | noise reduction | [`NoiseReduction::apply`] | u32, with its estimate as state |
//! | gain control (PCAN) | [`GainControl::apply`] | u32 |
//! | logarithm | [`LogScale::apply`] | u16, ln · 64 |
//!
//! Source: the audio front end of TensorFlow Lite Micro. Held by the goldens of every stage (tests/host, `signal`).

mod filter_bank;
mod gain;
mod log;
mod noise;
mod window;

pub use filter_bank::{FilterBank, energy, root};
pub use gain::GainControl;
pub use log::LogScale;
pub(crate) use log::{log2, scaled_ln};
pub use noise::NoiseReduction;
pub use window::{common_shift, hann, windowed};

use smolnn_core::ShapeError;

use crate::fft::{Complex, RealFft};
use crate::frames::drop_front;

/// Fraction bits of the filter bank's weights.
const FILTER_BANK_BITS: u32 = 12;

/// The significant bits of a number: 0 of 0, 32 of the largest.
pub(crate) const fn significant_bits(x: u32) -> u32 {
    32 - x.leading_zeros()
}

/// The parameters of the front end, under their usual names. [`DEFAULT`](Self::DEFAULT) is what published wake-word models use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Samples per second.
    pub sample_rate: u32,
    /// Milliseconds from one window's start to the next's.
    pub window_step_ms: u32,
    /// Lowest frequency of the filter bank, in Hz.
    pub lower_band_limit: f32,
    /// Highest frequency of the filter bank, in Hz.
    pub upper_band_limit: f32,
    /// Bits by which the noise estimate is finer than the signal.
    pub smoothing_bits: u32,
    /// Share of a new frame in the noise estimate of even channels.
    pub even_smoothing: f32,
    /// Share of a new frame in the noise estimate of odd channels.
    pub odd_smoothing: f32,
    /// Share of the signal that noise reduction leaves at least.
    pub min_signal_remaining: f32,
    /// Whether the gain control (PCAN) runs.
    pub enable_pcan: bool,
    /// Exponent of the gain control.
    pub pcan_strength: f32,
    /// Offset of the gain control, which keeps silence from being amplified.
    pub pcan_offset: f32,
    /// Fraction bits of the gain.
    pub gain_bits: u32,
    /// Whether the logarithm is taken.
    pub enable_log: bool,
    /// Fraction bits of the logarithm.
    pub scale_shift: u32,
}

impl Parameters {
    /// 16 kHz, a step of 10 ms, 125 to 7 500 Hz, gain control and logarithm on.
    pub const DEFAULT: Self = Self {
        sample_rate: 16_000,
        window_step_ms: 10,
        lower_band_limit: 125.0,
        upper_band_limit: 7500.0,
        smoothing_bits: 10,
        even_smoothing: 0.025,
        odd_smoothing: 0.06,
        min_signal_remaining: 0.05,
        enable_pcan: true,
        pcan_strength: 0.95,
        pcan_offset: 80.0,
        gain_bits: 21,
        enable_log: true,
        scale_shift: 6,
    };

    /// Samples from one window's start to the next's.
    pub const fn step(&self) -> usize {
        (self.sample_rate as u64 * self.window_step_ms as u64 / 1000) as usize
    }
}

/// Everything of a front end that does not change: tables for flash, computed when the firmware is compiled.
///
/// `WINDOW` samples, an FFT of `2 · HALF` points, `CHANNELS` features.
#[derive(Clone, Debug)]
pub struct Tables<const WINDOW: usize, const HALF: usize, const CHANNELS: usize> {
    step: usize,
    window: [i16; WINDOW],
    fft: RealFft,
    filter_bank: FilterBank<HALF, CHANNELS>,
    noise: NoiseReduction,
    gain: Option<GainControl>,
    log: LogScale,
}

/// The tables of [`Parameters::DEFAULT`]: windows of 30 ms, 512 points, 40 channels.
pub static DEFAULT: Tables<480, 256, 40> = match Tables::new(&Parameters::DEFAULT) {
    Ok(tables) => tables,
    Err(error) => error.fail(),
};

impl<const WINDOW: usize, const HALF: usize, const CHANNELS: usize> Tables<WINDOW, HALF, CHANNELS> {
    /// The tables of these parameters; for a `static`.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the FFT has no such size or is shorter than the window, the step is 0 or longer than the window,
    /// or a parameter lies outside of what the arithmetic can take.
    pub const fn new(parameters: &Parameters) -> Result<Self, ShapeError> {
        let fft = match RealFft::new(2 * HALF) {
            Ok(fft) => fft,
            Err(error) => return Err(error),
        };
        if WINDOW == 0 || WINDOW > fft.points() {
            return Err(ShapeError::Range(
                "a window has at least one sample and at most as many as the FFT has points",
            ));
        }
        let step = parameters.step();
        if step == 0 || step > WINDOW {
            return Err(ShapeError::Range("the step is at least one sample and at most the window"));
        }
        let filter_bank = match FilterBank::new(parameters) {
            Ok(bank) => bank,
            Err(error) => return Err(error),
        };
        let noise = match NoiseReduction::new(
            parameters.smoothing_bits,
            parameters.even_smoothing,
            parameters.odd_smoothing,
            parameters.min_signal_remaining,
        ) {
            Ok(noise) => noise,
            Err(error) => return Err(error),
        };
        // How many bits the FFT's division and the root of the filter bank's fraction bits take from the signal.
        let correction = significant_bits(fft.points() as u32) as i32 - 1 - FILTER_BANK_BITS as i32 / 2;
        let gain = if parameters.enable_pcan {
            match GainControl::new(parameters, correction) {
                Ok(gain) => Some(gain),
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        let log = match LogScale::new(parameters.enable_log, parameters.scale_shift, correction) {
            Ok(log) => log,
            Err(error) => return Err(error),
        };
        Ok(Self { step, window: hann(), fft, filter_bank, noise, gain, log })
    }

    /// Samples from one window's start to the next's.
    pub const fn step(&self) -> usize {
        self.step
    }
}

/// A feature as the int8 input of published wake-word models: 256/666 of it, rounded, with 0 at −128 and 127 at most.
///
/// In terms of the model: real value = feature · 0.0390625, scale 26/255, zero point −128.
#[inline]
pub const fn to_int8(feature: u16) -> i8 {
    let scaled = (256 * feature as u32 + 333) / 666;
    (if scaled > 255 { 127 } else { scaled as i32 - 128 }) as i8
}

/// What a front end remembers between blocks: samples that the next window shares, and the noise estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State<const WINDOW: usize, const CHANNELS: usize> {
    samples: [i16; WINDOW],
    /// Samples that are there, below `WINDOW`.
    filled: usize,
    noise: [u32; CHANNELS],
}

impl<const WINDOW: usize, const CHANNELS: usize> State<WINDOW, CHANNELS> {
    const START: Self = Self { samples: [0; WINDOW], filled: 0, noise: [0; CHANNELS] };

    /// The noise estimate of each channel, finer than the signal by the smoothing bits.
    pub const fn noise(&self) -> &[u32; CHANNELS] {
        &self.noise
    }
}

/// The front end: a value that samples are pushed into. It holds its state and the memory of one spectrum, and nothing else.
#[derive(Clone, Debug)]
pub struct MicroFrontend<const WINDOW: usize = 480, const HALF: usize = 256, const CHANNELS: usize = 40> {
    tables: &'static Tables<WINDOW, HALF, CHANNELS>,
    state: State<WINDOW, CHANNELS>,
    spectrum: [Complex; HALF],
    features: [u16; CHANNELS],
}

impl Default for MicroFrontend {
    fn default() -> Self {
        Self::new(&DEFAULT)
    }
}

impl<const WINDOW: usize, const HALF: usize, const CHANNELS: usize> MicroFrontend<WINDOW, HALF, CHANNELS> {
    /// A front end that has heard nothing yet.
    pub const fn new(tables: &'static Tables<WINDOW, HALF, CHANNELS>) -> Self {
        Self { tables, state: State::START, spectrum: [Complex::new(0, 0); HALF], features: [0; CHANNELS] }
    }

    /// Takes a block of samples of any length and calls `on_features` for each window that it completes, in order.
    pub fn push(&mut self, mut samples: &[i16], mut on_features: impl FnMut(&[u16; CHANNELS])) {
        while let Some(places) = self.state.samples.get_mut(self.state.filled..)
            && !samples.is_empty()
        {
            let count = places.len().min(samples.len());
            if let (Some(places), Some((block, rest))) = (places.get_mut(..count), samples.split_at_checked(count)) {
                places.copy_from_slice(block);
                samples = rest;
            }
            self.state.filled += count;
            if self.state.filled == WINDOW {
                self.window();
                on_features(&self.features);
                self.forget_step();
            }
        }
    }

    /// Forgets all sound and noise: what comes next does not depend on what came before.
    pub fn reset(&mut self) {
        self.state = State::START;
    }

    /// The state, to be given back by [`restore`](Self::restore).
    pub fn save(&self) -> State<WINDOW, CHANNELS> {
        self.state.clone()
    }

    /// Goes on from a state that was saved, of a front end with the same tables.
    pub fn restore(&mut self, state: &State<WINDOW, CHANNELS>) {
        self.state = state.clone();
    }

    /// Samples from one window's start to the next's.
    pub const fn step(&self) -> usize {
        self.tables.step
    }

    /// The state as it is.
    pub const fn state(&self) -> &State<WINDOW, CHANNELS> {
        &self.state
    }

    /// The features of the full window.
    fn window(&mut self) {
        let tables = self.tables;
        let (samples, window) = (&self.state.samples, &tables.window);
        let shift = common_shift(samples.iter().zip(window).map(|(&sample, &factor)| windowed(sample, factor)));
        // The windowed samples are computed again rather than kept: that saves their memory.
        let scaled = |index: usize| match (samples.get(index), window.get(index)) {
            (Some(&sample), Some(&factor)) => windowed(sample, factor).wrapping_shl(shift),
            _ => 0,
        };
        let nyquist = tables.fft.transform_with(&mut self.spectrum, scaled);
        let mut channels = [0_u32; CHANNELS];
        tables.filter_bank.accumulate(&self.spectrum, nyquist, |channel, sum| {
            if let Some(place) = channels.get_mut(channel) {
                *place = root(sum) >> shift;
            }
        });
        let places = self.features.iter_mut().zip(&mut self.state.noise);
        for ((index, signal), (feature, estimate)) in channels.into_iter().enumerate().zip(places) {
            let signal = tables.noise.apply(index, signal, estimate);
            let signal = match &tables.gain {
                Some(gain) => gain.apply(signal, *estimate),
                None => signal,
            };
            *feature = tables.log.apply(signal);
        }
    }

    /// Drops the samples that the next window does not see.
    fn forget_step(&mut self) {
        let step = self.tables.step;
        drop_front(&mut self.state.samples, step);
        self.state.filled = WINDOW.saturating_sub(step);
    }
}

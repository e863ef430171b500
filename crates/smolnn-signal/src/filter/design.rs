//! The design of filters. All frequencies are fractions of the sample rate, between 0 and ½.
//!
//! Source: R. Bristow-Johnson, Cookbook formulae for audio equalizer biquad filter coefficients (published by the W3C as the Audio EQ
//! Cookbook): with ω = 2πf, α = sin ω / 2Q and A = 10^(gain/40). For FIR filters the windowed sinc, with a Hamming window, as
//! `scipy.signal.firwin` has it.

use smolnn_core::ShapeError;

use crate::real;
use crate::window::{Symmetry, WindowShape, factor};

/// The coefficients of a biquad, divided by a0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// b0, b1, b2: of the input and the two before.
    pub b: [f64; 3],
    /// a1, a2: of the two outputs before.
    pub a: [f64; 2],
}

/// What all formulas share.
struct Angle {
    cosine: f64,
    alpha: f64,
}

impl Angle {
    const fn new(frequency: f64, q: f64) -> Result<Self, ShapeError> {
        if !(frequency > 0.0 && frequency < 0.5) {
            return Err(ShapeError::Range("a filter's frequency lies between 0 and half the sample rate"));
        }
        if !(q >= 1e-3 && q <= 1e6) {
            return Err(ShapeError::Range("a filter's quality lies between 0.001 and 1e6"));
        }
        let omega = 2.0 * real::PI * frequency;
        Ok(Self { cosine: real::cos(omega), alpha: real::sin(omega) / (2.0 * q) })
    }
}

/// A of a gain in dB.
const fn amplitude(gain: f64) -> Result<f64, ShapeError> {
    if !(gain >= -120.0 && gain <= 120.0) {
        return Err(ShapeError::Range("a filter's gain lies between -120 and 120 dB"));
    }
    Ok(real::exp(gain * core::f64::consts::LN_10 / 40.0))
}

impl Coefficients {
    const fn divided(b: [f64; 3], [a0, a1, a2]: [f64; 3]) -> Self {
        Self { b: [b[0] / a0, b[1] / a0, b[2] / a0], a: [a1 / a0, a2 / a0] }
    }

    /// A low-pass filter; with `q` = 1/√2 a Butterworth filter of second order.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless the frequency lies between 0 and ½ and the quality between 0.001 and 1e6.
    pub const fn low_pass(frequency: f64, q: f64) -> Result<Self, ShapeError> {
        let Angle { cosine, alpha } = match Angle::new(frequency, q) {
            Ok(angle) => angle,
            Err(error) => return Err(error),
        };
        let b = 1.0 - cosine;
        Ok(Self::divided([b / 2.0, b, b / 2.0], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]))
    }

    /// A high-pass filter; with `q` = 1/√2 a Butterworth filter of second order.
    ///
    /// # Errors
    /// As [`low_pass`](Self::low_pass).
    pub const fn high_pass(frequency: f64, q: f64) -> Result<Self, ShapeError> {
        let Angle { cosine, alpha } = match Angle::new(frequency, q) {
            Ok(angle) => angle,
            Err(error) => return Err(error),
        };
        let b = 1.0 + cosine;
        Ok(Self::divided([b / 2.0, -b, b / 2.0], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]))
    }

    /// A band-pass filter that passes its frequency as it is.
    ///
    /// # Errors
    /// As [`low_pass`](Self::low_pass).
    pub const fn band_pass(frequency: f64, q: f64) -> Result<Self, ShapeError> {
        let Angle { cosine, alpha } = match Angle::new(frequency, q) {
            Ok(angle) => angle,
            Err(error) => return Err(error),
        };
        Ok(Self::divided([alpha, 0.0, -alpha], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]))
    }

    /// A notch: all but its frequency.
    ///
    /// # Errors
    /// As [`low_pass`](Self::low_pass).
    pub const fn notch(frequency: f64, q: f64) -> Result<Self, ShapeError> {
        let Angle { cosine, alpha } = match Angle::new(frequency, q) {
            Ok(angle) => angle,
            Err(error) => return Err(error),
        };
        Ok(Self::divided([1.0, -2.0 * cosine, 1.0], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]))
    }

    /// An all-pass filter, which turns phases alone.
    ///
    /// # Errors
    /// As [`low_pass`](Self::low_pass).
    pub const fn all_pass(frequency: f64, q: f64) -> Result<Self, ShapeError> {
        let Angle { cosine, alpha } = match Angle::new(frequency, q) {
            Ok(angle) => angle,
            Err(error) => return Err(error),
        };
        Ok(Self::divided([1.0 - alpha, -2.0 * cosine, 1.0 + alpha], [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]))
    }

    /// A peak of `gain` dB at its frequency.
    ///
    /// # Errors
    /// As [`low_pass`](Self::low_pass), and unless the gain lies between −120 and 120 dB.
    pub const fn peaking(frequency: f64, q: f64, gain: f64) -> Result<Self, ShapeError> {
        let (Angle { cosine, alpha }, a) = match (Angle::new(frequency, q), amplitude(gain)) {
            (Ok(angle), Ok(a)) => (angle, a),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        Ok(Self::divided(
            [1.0 + alpha * a, -2.0 * cosine, 1.0 - alpha * a],
            [1.0 + alpha / a, -2.0 * cosine, 1.0 - alpha / a],
        ))
    }

    /// A shelf: `gain` dB for all that lies below its frequency.
    ///
    /// # Errors
    /// As [`peaking`](Self::peaking).
    pub const fn low_shelf(frequency: f64, q: f64, gain: f64) -> Result<Self, ShapeError> {
        let (Angle { cosine, alpha }, a) = match (Angle::new(frequency, q), amplitude(gain)) {
            (Ok(angle), Ok(a)) => (angle, a),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let (up, down, slope) = (a + 1.0, a - 1.0, 2.0 * real::sqrt(a) * alpha);
        Ok(Self::divided(
            [a * (up - down * cosine + slope), 2.0 * a * (down - up * cosine), a * (up - down * cosine - slope)],
            [up + down * cosine + slope, -2.0 * (down + up * cosine), up + down * cosine - slope],
        ))
    }

    /// A shelf: `gain` dB for all that lies above its frequency.
    ///
    /// # Errors
    /// As [`peaking`](Self::peaking).
    pub const fn high_shelf(frequency: f64, q: f64, gain: f64) -> Result<Self, ShapeError> {
        let (Angle { cosine, alpha }, a) = match (Angle::new(frequency, q), amplitude(gain)) {
            (Ok(angle), Ok(a)) => (angle, a),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let (up, down, slope) = (a + 1.0, a - 1.0, 2.0 * real::sqrt(a) * alpha);
        Ok(Self::divided(
            [a * (up + down * cosine + slope), -2.0 * a * (down + up * cosine), a * (up + down * cosine - slope)],
            [up - down * cosine + slope, 2.0 * (down - up * cosine), up - down * cosine - slope],
        ))
    }
}

/// The taps of an FIR low-pass filter of linear phase: a sinc with a Hamming window, whose gain for constants is 1.
///
/// # Errors
/// [`ShapeError::Range`] unless the frequency lies between 0 and ½ and there are 2 to 1 024 taps.
pub const fn low_pass_taps<const TAPS: usize>(frequency: f64) -> Result<[f64; TAPS], ShapeError> {
    if !(frequency > 0.0 && frequency < 0.5) {
        return Err(ShapeError::Range("a filter's frequency lies between 0 and half the sample rate"));
    }
    if TAPS < 2 || TAPS > 1024 {
        return Err(ShapeError::Range("an FIR filter has 2 to 1024 taps"));
    }
    let (mut taps, mut sum, mut index) = ([0.0; TAPS], 0.0, 0);
    while index < TAPS {
        let angle = 2.0 * real::PI * frequency * (index as f64 - (TAPS - 1) as f64 / 2.0);
        let sinc = if angle == 0.0 { 1.0 } else { real::sin(angle) / angle };
        taps[index] = sinc * factor(WindowShape::Hamming, Symmetry::Symmetric, TAPS, index);
        sum += taps[index];
        index += 1;
    }
    index = 0;
    while index < TAPS {
        taps[index] /= sum;
        index += 1;
    }
    Ok(taps)
}

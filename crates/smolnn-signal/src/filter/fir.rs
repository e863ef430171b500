//! FIR filters: y\[n\] = Σ h\[k\] x\[n−k\]. Samples lie in a ring; the taps are kept from the oldest sample's to the newest one's.

use smolnn_core::ShapeError;

use super::Filter;
use crate::real;

/// The last samples of an FIR filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History<T, const TAPS: usize> {
    samples: [T; TAPS],
    /// Where the next sample goes: the oldest one lies there.
    next: usize,
}

impl<T: Copy, const TAPS: usize> History<T, TAPS> {
    fn put(&mut self, sample: T) {
        if let Some(place) = self.samples.get_mut(self.next) {
            *place = sample;
        }
        self.next = if self.next + 1 < TAPS { self.next + 1 } else { 0 };
    }

    /// The samples with their taps, oldest first: in the same order wherever the ring begins, so that floats add up to the same sum.
    #[inline(always)]
    fn fold<H: Copy, S>(&self, taps: &[H; TAPS], zero: S, add: impl Fn(S, H, T) -> S) -> S {
        let (newer, older) = self.samples.split_at_checked(self.next).unwrap_or_default();
        let (first, second) = taps.split_at_checked(older.len()).unwrap_or_default();
        let sum = first.iter().zip(older).fold(zero, |sum, (&tap, &sample)| add(sum, tap, sample));
        second.iter().zip(newer).fold(sum, |sum, (&tap, &sample)| add(sum, tap, sample))
    }
}

/// An FIR filter in f32. A sample that is not finite spoils the results of the `TAPS` samples that it takes part in, and no others.
#[derive(Clone, Debug)]
pub struct Fir<const TAPS: usize> {
    taps: [f32; TAPS],
    history: History<f32, TAPS>,
}

impl<const TAPS: usize> Fir<TAPS> {
    /// A filter that has heard nothing yet, h\[0\] first.
    pub const fn new(taps: &[f64; TAPS]) -> Self {
        let (mut reversed, mut index) = ([0.0; TAPS], 0);
        while index < TAPS {
            reversed[TAPS - 1 - index] = taps[index] as f32;
            index += 1;
        }
        Self { taps: reversed, history: History { samples: [0.0; TAPS], next: 0 } }
    }
}

impl<const TAPS: usize> Filter for Fir<TAPS> {
    type Sample = f32;
    type State = History<f32, TAPS>;

    fn step(&mut self, sample: f32) -> f32 {
        self.history.put(sample);
        self.history.fold(&self.taps, 0.0, |sum, tap, sample| sum + tap * sample)
    }

    fn skip(&mut self, sample: f32) {
        self.history.put(sample);
    }

    fn reset(&mut self) {
        self.history = History { samples: [0.0; TAPS], next: 0 };
    }

    fn save(&self) -> Self::State {
        self.history
    }

    fn restore(&mut self, state: &Self::State) {
        self.history = *state;
    }
}

/// An FIR filter over samples of 16 bits: taps in Q15, sums of 32 bits, rounded once, clipped.
///
/// Bits of a sum: the taps' absolute values add up to 65 535 at most, times 32 768, and a half: 65 535 · 32 768 + 16 384 < 2^31.
#[derive(Clone, Debug)]
pub struct FirQ15<const TAPS: usize> {
    taps: [i16; TAPS],
    history: History<i16, TAPS>,
}

impl<const TAPS: usize> FirQ15<TAPS> {
    /// A filter that has heard nothing yet, h\[0\] first. A tap of 1 becomes 32 767/32 768.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless the taps lie between −1 and 1 and their absolute values add up to less than 2.
    pub const fn new(taps: &[f64; TAPS]) -> Result<Self, ShapeError> {
        let (mut reversed, mut sum, mut index) = ([0; TAPS], 0_i64, 0);
        while index < TAPS {
            if !(taps[index] >= -1.0 && taps[index] <= 1.0) {
                return Err(ShapeError::Range("taps in Q15 lie between -1 and 1"));
            }
            let tap = real::round_half_up(taps[index] * 32_768.0);
            let tap = if tap > 32_767 { 32_767 } else { tap };
            reversed[TAPS - 1 - index] = tap as i16;
            sum += tap.abs();
            index += 1;
        }
        if sum > 65_535 {
            return Err(ShapeError::Range("the absolute values of taps in Q15 add up to less than 2"));
        }
        Ok(Self { taps: reversed, history: History { samples: [0; TAPS], next: 0 } })
    }
}

impl<const TAPS: usize> Filter for FirQ15<TAPS> {
    type Sample = i16;
    type State = History<i16, TAPS>;

    fn step(&mut self, sample: i16) -> i16 {
        self.history.put(sample);
        let add = |sum: i32, tap: i16, sample: i16| sum + i32::from(tap) * i32::from(sample);
        let sum = self.history.fold(&self.taps, 1 << 14, add);
        (sum >> 15).clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }

    fn skip(&mut self, sample: i16) {
        self.history.put(sample);
    }

    fn reset(&mut self) {
        self.history = History { samples: [0; TAPS], next: 0 };
    }

    fn save(&self) -> Self::State {
        self.history
    }

    fn restore(&mut self, state: &Self::State) {
        self.history = *state;
    }
}

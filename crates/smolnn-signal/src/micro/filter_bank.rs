//! The mel filter bank: overlapping triangles over the energies of the spectrum, and the root of what they gather.

use smolnn_core::ShapeError;

use super::{FILTER_BANK_BITS, Parameters};
use crate::fft::Complex;
use crate::real;

/// The energy of a bin, re² + im².
#[inline(always)]
pub const fn energy(bin: Complex) -> u32 {
    let (re, im) = (bin.re as i32, bin.im as i32);
    (re * re) as u32 + (im * im) as u32
}

/// Hz to mel, 1 127 · ln(1 + f/700), in f32 as the reference.
const fn mel(hz: f32) -> f32 {
    1127.0 * real::ln_1p_f32(hz / 700.0)
}

/// `CHANNELS` triangles over the bins 1 to `HALF` of a spectrum.
///
/// The channels' centres lie at equal distances in mel, and each triangle goes from the centre before to the one behind. So between two
/// centres every bin has a share in the channel that falls there, and the rest in the one that rises: `CHANNELS` + 1 stretches of bins.
#[derive(Clone, Debug)]
pub struct FilterBank<const HALF: usize, const CHANNELS: usize> {
    /// First bin of each stretch but the last.
    starts: [u16; CHANNELS],
    /// First bin of the last stretch.
    last_start: u16,
    /// The bin behind the last stretch.
    end: u16,
    /// Share of bin index + 1 in the falling and in the rising channel, Q12.
    shares: [(u16, u16); HALF],
}

impl<const HALF: usize, const CHANNELS: usize> FilterBank<HALF, CHANNELS> {
    /// The filter bank between the parameters' band limits, for an FFT of 2 · `HALF` points.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless 0 ≤ lower < upper ≤ half the sample rate and there is a channel.
    pub const fn new(parameters: &Parameters) -> Result<Self, ShapeError> {
        let Parameters { sample_rate, lower_band_limit: lower, upper_band_limit: upper, .. } = *parameters;
        if CHANNELS == 0 || HALF == 0 || HALF > 1 << 15 {
            return Err(ShapeError::Range("a filter bank has at least one channel and one bin"));
        }
        if !(lower >= 0.0 && lower < upper && upper as f64 <= 0.5 * sample_rate as f64) {
            return Err(ShapeError::Range(
                "the band limits lie between 0 and half the sample rate, the lower one below",
            ));
        }
        let hz_per_bin = (0.5 * sample_rate as f64 / HALF as f64) as f32;
        let (low, high) = (mel(lower), mel(upper));
        let spacing = (high - low) / (CHANNELS + 1) as f32;
        let mut bank = Self { starts: [0; CHANNELS], last_start: 0, end: 0, shares: [(0, 0); HALF] };
        let mut bin = (1.5 + (lower / hz_per_bin) as f64) as usize;
        let mut before = low;
        let mut stretch = 0;
        while stretch <= CHANNELS {
            if stretch < CHANNELS {
                bank.starts[stretch] = bin as u16;
            } else {
                bank.last_start = bin as u16;
            }
            let centre = low + spacing * (stretch + 1) as f32;
            while bin <= HALF && mel(bin as f32 * hz_per_bin) <= centre {
                let falling = (centre - mel(bin as f32 * hz_per_bin)) / (centre - before);
                bank.shares[bin - 1] = (share(falling as f64), share(1.0 - falling as f64));
                bin += 1;
            }
            before = centre;
            stretch += 1;
        }
        bank.end = bin as u16;
        Ok(bank)
    }

    /// Gathers the energies of bins 1, 2, … into the channels and calls `on_channel` with each channel and its sum, in Q12.
    #[inline]
    pub fn accumulate(&self, energies: impl Iterator<Item = u32>, mut on_channel: impl FnMut(usize, u64)) {
        let first = self.starts.first().map_or(1, |&start| usize::from(start));
        let mut bins = energies.zip(&self.shares).skip(first.saturating_sub(1));
        let ends = self.starts.iter().skip(1).chain([&self.last_start, &self.end]);
        let mut start = first;
        let mut rising = 0_u64;
        for (stretch, &end) in ends.enumerate() {
            let mut falling = rising;
            rising = 0;
            for (energy, &(falls, rises)) in bins.by_ref().take(usize::from(end).saturating_sub(start)) {
                falling += u64::from(energy) * u64::from(falls);
                rising += u64::from(energy) * u64::from(rises);
            }
            start = usize::from(end);
            // What falls in the first stretch belongs to no channel.
            if let Some(channel) = stretch.checked_sub(1) {
                on_channel(channel, falling);
            }
        }
    }
}

/// A share in Q12.
const fn share(share: f64) -> u16 {
    real::round_half_up(share * (1 << FILTER_BANK_BITS) as f64) as u16
}

/// √`sum`, rounded to the nearest integer; 65 535 for sums of 32 bits above 65 535², and 2^32 − 1 at most.
pub const fn root(sum: u64) -> u32 {
    if sum >> 32 == 0 {
        return root_32(sum as u32);
    }
    let mut rest = sum;
    let mut result = 0_u64;
    let mut bit = 1_u64 << ((63 - sum.leading_zeros()) & !1);
    while bit != 0 {
        if rest >= result + bit {
            rest -= result + bit;
            result = (result >> 1) + bit;
        } else {
            result >>= 1;
        }
        bit >>= 2;
    }
    // The remainder is above the root where the root and a half is below.
    if rest > result && result != 0xFFFF_FFFF { result as u32 + 1 } else { result as u32 }
}

/// [`root`] of 32 bits, which most cores compute in half the instructions.
const fn root_32(sum: u32) -> u32 {
    if sum == 0 {
        return 0;
    }
    let mut rest = sum;
    let mut result = 0_u32;
    let mut bit = 1_u32 << ((31 - sum.leading_zeros()) & !1);
    while bit != 0 {
        if rest >= result + bit {
            rest -= result + bit;
            result = (result >> 1) + bit;
        } else {
            result >>= 1;
        }
        bit >>= 2;
    }
    if rest > result && result != 0xFFFF { result + 1 } else { result }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::root;

    #[test]
    fn the_root_is_rounded_to_the_nearest() {
        for exponent in 0..64 {
            for around in 0..1000_u64 {
                let sum = (1_u64 << exponent).wrapping_add(around * around * 77_777).wrapping_sub(around);
                let floor = sum.isqrt();
                let nearest = if sum - floor * floor > floor { floor + 1 } else { floor };
                let largest = if sum >> 32 == 0 { 0xFFFF } else { 0xFFFF_FFFF };
                assert_eq!(u64::from(root(sum)), nearest.min(largest), "{sum}");
            }
        }
    }
}

//! The mel filter bank: overlapping triangles over the energies of the spectrum, and the root of what they gather.

use smolnn_core::ShapeError;

use super::{FILTER_BANK_BITS, Parameters};
use crate::fft::Complex;
use crate::real;

/// The energy of a bin, re² + im².
#[inline(always)]
pub const fn energy(bin: Complex) -> u32 {
    let (re, im) = bin.parts();
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

    /// Gathers the energies of the bins into the channels and calls `on_channel` with each channel and its sum, in Q12. `spectrum` has the bins
    /// from 0 on, `HALF` of them, `last` is the one behind.
    #[inline]
    pub fn accumulate(&self, spectrum: &[Complex; HALF], last: Complex, mut on_channel: impl FnMut(usize, u64)) {
        let ends = self.starts.iter().skip(1).chain([&self.last_start, &self.end]);
        let mut start = self.starts.first().map_or(1, |&start| usize::from(start)).max(1);
        let mut rising = 0_u64;
        for (stretch, &end) in ends.enumerate() {
            let end = usize::from(end);
            let mut falling = rising;
            rising = 0;
            let mut gather = |bin: Complex, (falls, rises): (u16, u16)| {
                let energy = u64::from(energy(bin));
                falling += energy * u64::from(falls);
                rising += energy * u64::from(rises);
            };
            let bins = spectrum.get(start..end.min(HALF)).unwrap_or_default();
            let shares = self.shares.get(start - 1..).unwrap_or_default();
            bins.iter().zip(shares).for_each(|(&bin, &shares)| gather(bin, shares));
            if end > HALF
                && let Some(&shares) = self.shares.last()
            {
                gather(last, shares);
            }
            start = end.max(1);
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
///
/// The root of the upper 32 bits is found by Newton's method, 16 more bits by one division with it.
pub const fn root(sum: u64) -> u32 {
    if sum >> 32 == 0 {
        return root_32(sum as u32);
    }
    // An even shift, after which one of the two highest bits is set.
    let shift = sum.leading_zeros() & !1;
    let x = sum << shift;
    let high = (x >> 32) as u32;
    let upper = floor_root(high);
    // (rest · 2^16 + the next 16 bits) / (2 · upper), with both halved so that 32 bits suffice: rest ≤ 2 · upper < 2^17.
    let rest = high - upper * upper;
    let quotient = ((rest << 15) | (x as u32 >> 17)) / at_least_one(upper);
    let lower = if quotient < 0xFFFF { quotient } else { 0xFFFF };
    let estimate = (upper << 16) | lower;
    // The estimate is the root, or one above it.
    let estimate = if estimate as u64 * estimate as u64 > x { estimate - 1 } else { estimate };
    let floor = estimate >> (shift / 2);
    // The remainder is above the root where the root and a half is below.
    let rest = sum - floor as u64 * floor as u64;
    if rest > floor as u64 && floor != u32::MAX { floor + 1 } else { floor }
}

/// [`root`] of 32 bits.
const fn root_32(sum: u32) -> u32 {
    if sum == 0 {
        return 0;
    }
    let shift = sum.leading_zeros() & !1;
    let floor = floor_root(sum << shift) >> (shift / 2);
    let rest = sum - floor * floor;
    if rest > floor && floor != 0xFFFF { floor + 1 } else { floor }
}

/// √`x` rounded down, for `x` ≥ 2^30.
#[inline(always)]
const fn floor_root(x: u32) -> u32 {
    // A straight line, good to 6 %; two steps of Newton's method leave an error below 1, never downwards.
    let line = (x >> 17) + (x >> 19) + 24_379;
    let once = (line + x / at_least_one(line)) >> 1;
    let twice = (once + x / at_least_one(once)) >> 1;
    let twice = if twice < 0xFFFF { twice } else { 0xFFFF };
    if twice * twice > x { twice - 1 } else { twice }
}

/// A divisor as it is: the compiler sees that it is not 0.
#[inline(always)]
const fn at_least_one(divisor: u32) -> u32 {
    if divisor == 0 { 1 } else { divisor }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::root;

    /// Around all squares of 16 bits, and around squares of 32 bits, where the rounding changes.
    #[test]
    fn the_root_is_exact_around_squares() {
        let check = |sum: u64| {
            let floor = sum.isqrt();
            let nearest = if sum - floor * floor > floor { floor + 1 } else { floor };
            let largest = if sum >> 32 == 0 { 0xFFFF } else { 0xFFFF_FFFF };
            assert_eq!(u64::from(root(sum)), nearest.min(largest), "{sum}");
        };
        let around = |floor: u64| {
            for centre in [floor * floor, floor * floor + floor] {
                (0..5).for_each(|offset| check((centre + offset).saturating_sub(2)));
            }
        };
        (0..=0xFFFF).for_each(around);
        let mut floor = 0xFFFF_u64;
        while floor < 0xFFFF_FFFF {
            around(floor);
            floor += floor / 1000 + 1;
        }
        (0..100).for_each(|offset| check(u64::MAX - offset));
    }

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

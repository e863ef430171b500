//! Noise reduction by spectral subtraction: a slow mean of each channel is taken for its noise.

use smolnn_core::ShapeError;

/// Fraction bits of shares.
const SHARE_BITS: u32 = 14;

/// The smoothing of the noise estimate, which differs between even and odd channels, and what of the signal always remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseReduction {
    smoothing_bits: u32,
    even: u16,
    odd: u16,
    remaining: u16,
}

impl NoiseReduction {
    /// Shares are fractions from 0 to 1; the estimate has `smoothing_bits` more bits than the signal.
    ///
    /// # Errors
    /// [`ShapeError::Range`] outside of these ranges, or with more than 16 bits.
    pub const fn new(smoothing_bits: u32, even: f32, odd: f32, remaining: f32) -> Result<Self, ShapeError> {
        match (share(even), share(odd), share(remaining)) {
            (Some(even), Some(odd), Some(remaining)) if smoothing_bits <= 16 => {
                Ok(Self { smoothing_bits, even, odd, remaining })
            }
            _ => Err(ShapeError::Range("shares of noise reduction lie between 0 and 1, its smoothing bits below 17")),
        }
    }

    /// The signal of channel `channel` without its noise; moves the noise estimate towards the signal.
    #[inline(always)]
    pub const fn apply(&self, channel: usize, signal: u32, estimate: &mut u32) -> u32 {
        let share = (if channel.is_multiple_of(2) { self.even } else { self.odd }) as u64;
        let scaled = signal.wrapping_shl(self.smoothing_bits);
        let moved = (scaled as u64 * share + *estimate as u64 * ((1 << SHARE_BITS) - share)) >> SHARE_BITS;
        *estimate = moved as u32;
        // Noise is at most the signal itself.
        let noise = if *estimate > scaled { scaled } else { *estimate };
        let floor = ((signal as u64 * self.remaining as u64) >> SHARE_BITS) as u32;
        let rest = (scaled - noise) >> self.smoothing_bits;
        if rest > floor { rest } else { floor }
    }
}

/// A share in Q14, rounded down as the reference does.
const fn share(share: f32) -> Option<u16> {
    if share >= 0.0 && share <= 1.0 { Some((share * (1 << SHARE_BITS) as f32) as u16) } else { None }
}

//! The logarithm of the front end: ln x with a table for the fraction of log2.

use smolnn_core::ShapeError;

use super::significant_bits;
use crate::real;

/// Fraction bits of log2.
const LOG_BITS: u32 = 16;
/// Bits that choose a segment of the table.
const SEGMENT_BITS: u32 = 7;
/// ln 2 in Q16.
const LN_2: u64 = 45_426;

/// log2(1 + i/128) − i/128 in Q16.
static CORRECTIONS: [u16; (1 << SEGMENT_BITS) + 1] = {
    let mut table = [0; (1 << SEGMENT_BITS) + 1];
    let mut index = 0;
    while index < table.len() {
        let fraction = index as f64 / (1 << SEGMENT_BITS) as f64;
        let excess = real::ln(1.0 + fraction) / core::f64::consts::LN_2 - fraction;
        table[index] = real::round_half_up(excess * (1 << LOG_BITS) as f64) as u16;
        index += 1;
    }
    table
};

/// How the last stage turns a channel into a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogScale {
    enabled: bool,
    scale_shift: u32,
    correction: i32,
}

impl LogScale {
    /// ln x with `scale_shift` fraction bits, or x itself; x is shifted to the left by `correction` before.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when a shift is 16 or more.
    pub const fn new(enabled: bool, scale_shift: u32, correction: i32) -> Result<Self, ShapeError> {
        if scale_shift > 15 || correction < -15 || correction > 15 {
            return Err(ShapeError::Range("the logarithm's shifts are below 16"));
        }
        Ok(Self { enabled, scale_shift, correction })
    }

    /// The feature of a channel, 65 535 at most.
    #[inline]
    pub const fn apply(&self, signal: u32) -> u16 {
        if !self.enabled {
            return if signal < 0xFFFF { signal as u16 } else { 0xFFFF };
        }
        let shifted = if self.correction < 0 { signal >> -self.correction } else { signal << self.correction };
        let value = if shifted > 1 { ln(shifted, self.scale_shift) } else { 0 };
        if value < 0xFFFF { value as u16 } else { 0xFFFF }
    }
}

/// Half of one in Q16, for rounding.
const HALF: u64 = 1 << (LOG_BITS - 1);

/// ln x with `scale_shift` fraction bits, x > 0.
const fn ln(x: u32, scale_shift: u32) -> u32 {
    ((((natural(x) as u64) << scale_shift) + HALF) >> LOG_BITS) as u32
}

/// ln x in Q16, x > 0.
const fn natural(x: u32) -> u32 {
    let integer = significant_bits(x) - 1;
    let log2 = (integer << LOG_BITS) + log2_fraction(x, integer);
    ((LN_2 * log2 as u64 + HALF) >> LOG_BITS) as u32
}

/// ln x times `scale`, rounded; the product and its rounding are in 32 bits, as the reference has them. 0 for x of 0 or 1.
pub(crate) const fn scaled_ln(x: u32, scale: u32) -> u32 {
    if x > 1 { scale.wrapping_mul(natural(x)).wrapping_add(HALF as u32) >> LOG_BITS } else { 0 }
}

/// The fraction of log2 x in Q16, x = 2^`integer` · (1 + fraction): the fraction itself plus a correction, linear between 128 points.
const fn log2_fraction(x: u32, integer: u32) -> u32 {
    let above = x - (1 << integer);
    let fraction = if integer < LOG_BITS { above << (LOG_BITS - integer) } else { above >> (integer - LOG_BITS) };
    let segment = fraction >> (LOG_BITS - SEGMENT_BITS);
    // The fraction is below 1, so that there is a point behind every segment.
    let index = (segment & ((1 << SEGMENT_BITS) - 1)) as usize;
    let (low, high) = (CORRECTIONS[index] as i32, CORRECTIONS[index + 1] as i32);
    let inside = (fraction - (segment << (LOG_BITS - SEGMENT_BITS))) as i32;
    (fraction as i32 + low + (((high - low) * inside) >> LOG_BITS)) as u32
}

/// log2 of a sum above 0, in Q16: of its upper 32 bits. The error is below 1e-4.
pub(crate) const fn log2(sum: u64) -> u32 {
    let shift = 32_u32.saturating_sub(sum.leading_zeros());
    let upper = (sum >> shift) as u32;
    let integer = significant_bits(if upper == 0 { 1 } else { upper }) - 1;
    ((shift + integer) << LOG_BITS) + log2_fraction(if upper == 0 { 1 } else { upper }, integer)
}

//! The Hann window in Q12, and the shift that lets the FFT use all its bits.

use super::significant_bits;
use crate::real;

/// Fraction bits of the window.
const WINDOW_BITS: u32 = 12;

/// The Hann window of `WINDOW` samples in Q12: ½ − ½ cos(2π (i + ½)/`WINDOW`), every step rounded to f32 as the reference does.
pub const fn hann<const WINDOW: usize>() -> [i16; WINDOW] {
    let mut window = [0; WINDOW];
    let step = (2.0 * real::PI / WINDOW as f64) as f32;
    let mut index = 0;
    while index < WINDOW {
        let cosine = real::cos((step * (index as f32 + 0.5)) as f64) as f32;
        let value = 0.5 - 0.5 * cosine;
        window[index] = real::round_half_up((value * (1 << WINDOW_BITS) as f32) as f64) as i16;
        index += 1;
    }
    window
}

/// A sample times the window's factor, rounded down.
#[inline(always)]
pub const fn windowed(sample: i16, factor: i16) -> i16 {
    ((sample as i32 * factor as i32) >> WINDOW_BITS) as i16
}

/// The shift to the left that brings the largest of the samples to 15 bits; 0 for silence.
///
/// −32 768 has no absolute value of 16 bits and does not count, as in the reference.
#[inline(always)]
pub fn common_shift(samples: impl Iterator<Item = i16>) -> u32 {
    // The bits of all absolute values together are as many as those of the largest.
    let (bits, any) =
        samples.fold((0, 0), |(bits, any): (u32, i16), sample| (bits | i32::from(sample).unsigned_abs(), any | sample));
    if any == 0 { 0 } else { 15 - significant_bits(bits & 0x7FFF) }
}

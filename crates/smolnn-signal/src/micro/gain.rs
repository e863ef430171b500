//! Gain control per channel (PCAN): the louder the noise of a channel, the less it is amplified.

use smolnn_core::ShapeError;

use super::{Parameters, significant_bits};
use crate::real;

/// Fraction bits of the signal-to-noise ratio.
const RATIO_BITS: u32 = 12;
/// Fraction bits of the output.
const OUTPUT_BITS: u32 = 6;
/// Stretches of the gain's table: one per power of two of 32 bits.
const STRETCHES: usize = 31;

/// The gain as a function of the noise estimate, (x + offset)^−strength: a parabola between neighbouring powers of two.
#[derive(Clone, Debug)]
pub struct GainControl {
    /// The gain of 0 and 1.
    small: [i16; 2],
    /// Value, slope and curvature over the numbers with 2, 3, …, 32 significant bits.
    parabolas: [[i16; 3]; STRETCHES],
    ratio_shift: u32,
}

impl GainControl {
    /// The gain for these parameters; `correction` bits were taken from the signal before.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the shifts that follow from the parameters are negative or above 31.
    pub const fn new(parameters: &Parameters, correction: i32) -> Result<Self, ShapeError> {
        let input_bits = parameters.smoothing_bits as i32 - correction;
        let ratio_shift = parameters.gain_bits as i32 - correction - RATIO_BITS as i32;
        if parameters.gain_bits > 30 || input_bits < 0 || input_bits > 31 || ratio_shift < 0 || ratio_shift > 31 {
            return Err(ShapeError::Range("the gain's bits do not go with the smoothing bits and the FFT"));
        }
        if !(parameters.pcan_offset > 0.0 && parameters.pcan_strength >= 0.0 && parameters.pcan_strength <= 4.0) {
            return Err(ShapeError::Range("the gain's offset is above 0, its strength between 0 and 4"));
        }
        let input_bits = input_bits as u32;
        let mut gain = Self {
            small: [gain_of(parameters, input_bits, 0), gain_of(parameters, input_bits, 1)],
            parabolas: [[0; 3]; STRETCHES],
            ratio_shift: ratio_shift as u32,
        };
        let mut stretch = 0;
        while stretch < STRETCHES {
            let start = 2_u32 << stretch;
            let end = if stretch + 1 == STRETCHES { start + (start - 1) } else { 2 * start };
            let value = gain_of(parameters, input_bits, start) as i32;
            let half = gain_of(parameters, input_bits, start + start / 2) as i32 - value;
            let whole = gain_of(parameters, input_bits, end) as i32 - value;
            // Through value at 0, value + half at ½, value + whole at 1.
            let slope = 4 * half - whole;
            gain.parabolas[stretch] = [value as i16, slope as i16, (whole - slope) as i16];
            stretch += 1;
        }
        Ok(gain)
    }

    /// The gain of a table as models carry it: the gains of 0 and 1, then value, slope, curvature and an unused number for the noise
    /// estimates with 2, 3, …, 32 significant bits. The product with the gain is shifted to the right by `ratio_shift`.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the table is shorter than 125 numbers, [`ShapeError::Range`] when the shift is above 31.
    pub const fn from_table(table: &[i16], ratio_shift: u32) -> Result<Self, ShapeError> {
        const NUMBERS: usize = 2 + 4 * (STRETCHES - 1) + 3;
        if table.len() < NUMBERS {
            return Err(ShapeError::Length { what: "the gain's table", expected: NUMBERS, found: table.len() });
        }
        if ratio_shift > 31 {
            return Err(ShapeError::Range("the shift of a product of 64 bits to a ratio is below 32"));
        }
        let mut gain = Self { small: [table[0], table[1]], parabolas: [[0; 3]; STRETCHES], ratio_shift };
        let mut stretch = 0;
        while stretch < STRETCHES {
            let first = 2 + 4 * stretch;
            gain.parabolas[stretch] = [table[first], table[first + 1], table[first + 2]];
            stretch += 1;
        }
        Ok(gain)
    }

    /// The gain for a noise estimate.
    const fn gain(&self, noise: u32) -> i16 {
        if noise < 2 {
            return self.small[noise as usize & 1];
        }
        let bits = significant_bits(noise);
        let index = bits as usize - 2;
        let [value, slope, curvature] = if index < STRETCHES { self.parabolas[index] } else { [0; 3] };
        // Ten bits below the highest one.
        let fraction = ((if bits < 11 { noise << (11 - bits) } else { noise >> (bits - 11) }) & 0x3FF) as i32;
        let mut result = (curvature as i32 * fraction) >> 5;
        result += (slope as i32) << 5;
        result *= fraction;
        (((result + (1 << 14)) >> 15) + value as i32) as i16
    }

    /// The signal amplified: the ratio to the noise, squared below 2 and linear above.
    #[inline]
    pub const fn apply(&self, signal: u32, noise: u32) -> u32 {
        let gain = self.gain(noise) as i32 as u32;
        let ratio = ((signal as u64 * gain as u64) >> self.ratio_shift) as u32;
        if ratio < 2 << RATIO_BITS {
            (ratio * ratio) >> (2 + 2 * RATIO_BITS - OUTPUT_BITS)
        } else {
            (ratio >> (RATIO_BITS - OUTPUT_BITS)) - (1 << OUTPUT_BITS)
        }
    }
}

/// The gain of a noise estimate with `input_bits` fraction bits, 32 767 at most.
const fn gain_of(parameters: &Parameters, input_bits: u32, noise: u32) -> i16 {
    let noise = noise as f32 / (1_u64 << input_bits) as f32;
    let base = (noise + parameters.pcan_offset) as f64;
    let power = real::exp(-(parameters.pcan_strength as f64) * real::ln(base)) as f32;
    let gain = (1_u64 << parameters.gain_bits) as f32 * power;
    if gain > 32767.0 { 32767 } else { (gain + 0.5) as i16 }
}

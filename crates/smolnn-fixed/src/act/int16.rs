//! Logistic function and hyperbolic tangent, int16, as TensorFlow Lite Micro computes them: by interpolation in a table of
//! the sigmoid. For an accurate Q15 result see [`q15`](super::q15).
//!
//! - Output scale 2^−15, zero point 0; input zero point 0, any scale.
//! - The input becomes x/(3·2^12) steps: times 3 · 2^shift where the scale is a suitable power of two, otherwise times a
//!   multiplier of 15 bits and shifted right, half up. 256 values of sigmoid(k/24)·2^16 are interpolated linearly; tanh(x) =
//!   2·sigmoid(2x) − 1 from the same table.
//! - Worst error 1.02 LSB (logistic), 1.48 LSB (tanh).
//! - Held by: `logistic16_?`, `tanh16_?` goldens, `sigmoid_table_uint16.bin`, `act16.bin`.

use smolnn_core::ShapeError;

use crate::quantise::{clamp, round};
use crate::real;
use crate::tensors::{Source, Tensors};

/// sigmoid(k/24) · 2^16, raised by half of what linear interpolation lacks in the middle of the interval, so that the error
/// is shared by both signs; the last value stands for 1.
static SIGMOID: [u16; 256] = {
    let mut table = [u16::MAX; 256];
    let mut index = 0;
    while index < 255 {
        let low = real::sigmoid(index as f64 / 24.0);
        let middle = real::sigmoid((index as f64 + 0.5) / 24.0);
        let high = real::sigmoid((index as f64 + 1.0) / 24.0);
        let lacking = middle - (low + high) / 2.0;
        table[index] = round((low + lacking / 2.0) * 65536.0) as u16;
        index += 1;
    }
    table
};

/// How an int16 input becomes steps of the interpolation, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interpolation {
    multiplier: i32,
    shift: u32,
}

impl Interpolation {
    /// For the logistic function of inputs with the scale.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scale is not positive or above 2.
    pub const fn logistic(scale: f32) -> Result<Self, ShapeError> {
        Self::new(scale, 0)
    }

    /// For tanh of inputs with the scale.
    ///
    /// # Errors
    /// The errors are those of [`Interpolation::logistic`].
    pub const fn tanh(scale: f32) -> Result<Self, ShapeError> {
        Self::new(scale, 1)
    }

    /// For tanh of a cell state with scale 2^`log2`, as the reference's LSTM has it: no multiplier, just 3 and a shift.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scale is not within 2^−15..=1.
    pub(crate) const fn tanh_of_power(log2: i32) -> Result<Self, ShapeError> {
        if log2 < -15 || log2 > 0 {
            return Err(ShapeError::Range("the scale of the cell is not a power of two within 2^-15..=1"));
        }
        let left = 12 + log2;
        Ok(if left >= 0 {
            Self { multiplier: 3 << left, shift: 0 }
        } else {
            Self { multiplier: 3, shift: -left as u32 }
        })
    }

    /// Powers of two from 2^−12 to 2^(`largest_shift` − 12) need no rounding.
    const fn new(scale: f32, largest_shift: i32) -> Result<Self, ShapeError> {
        if !(scale > 0.0 && scale <= 2.0) {
            return Err(ShapeError::Range("the scale of the activation is not within 0..=2"));
        }
        let mut exponent = 0;
        while exponent <= largest_shift {
            if scale == (1_u32 << exponent) as f32 / 4096.0 {
                return Ok(Self { multiplier: 3 << exponent, shift: 0 });
            }
            exponent += 1;
        }
        let mut multiplier = scale as f64 * 4096.0 * 3.0;
        let mut shift = 0;
        while multiplier <= 32767.0 / 2.0 && shift <= 30 {
            shift += 1;
            multiplier *= 2.0;
        }
        Ok(Self { multiplier: multiplier as i32, shift })
    }

    #[inline(always)]
    fn steps(self, value: i16) -> i32 {
        let half = if self.shift > 0 { 1 << ((self.shift - 1) & 31) } else { 0 };
        i32::from(value).wrapping_mul(self.multiplier).wrapping_add(half) >> (self.shift & 31)
    }
}

/// Intervals of the interpolation for both signs: interval k, of 0..512, covers the steps from (k − 256) · 512 on
/// (logistic; 256 for tanh, which takes twice the argument). The upper half holds the sigmoid · 2^16 at its lower end, the
/// lower half its rise.
///
/// The reference mirrors negative steps, so that the value at the lower end of interval −m − 1 is 1 less that of m + 1, and
/// halves round down where they round up on the positive side; the rounding constants below say so.
static INTERVALS: [u32; 512] = {
    let mut table = [0; 512];
    let mut m = 0;
    while m < 256 {
        let low = SIGMOID[m] as u32;
        let high = if m < 255 { SIGMOID[m + 1] as u32 } else { low };
        table[256 + m] = low << 16 | (high - low);
        table[255 - m] = (65536 - high) << 16 | (high - low);
        m += 1;
    }
    table
};

/// Value at the lower end and rise of the interval that holds `position`, which counts from the start of interval 0.
#[inline(always)]
fn interval(position: u32, bits: u32) -> (u32, u32) {
    // The mask tells the compiler what the callers see to.
    let word = INTERVALS[(position >> bits) as usize & 511];
    (word >> 16, word & 0xFFFF)
}

/// Logistic function of steps that lie within ±255 · 512, as those of Q3.12 do.
#[inline(always)]
fn logistic_of_steps(steps: i32) -> i16 {
    let position = (steps + (256 << 9)) as u32;
    let (low, rise) = interval(position, 9);
    // Half a unit, less one on the negative side.
    let half = (1 << 9) - 1 + (position >> 17);
    (((low << 9) + (position & 511) * rise + half) >> 10) as i16
}

/// Logistic function of one value.
#[inline(always)]
pub(crate) fn logistic_value(interpolation: Interpolation, value: i16) -> i16 {
    // Behind the table's end the reference gives 32767 and 1, which is what it gives just before.
    const LAST: i32 = (255 << 9) - 1;
    logistic_of_steps(clamp(interpolation.steps(value), -LAST, LAST))
}

/// Logistic function of one value in Q3.12.
#[inline(always)]
pub(crate) fn logistic_q12(value: i16) -> i16 {
    logistic_of_steps(3 * i32::from(value))
}

/// tanh of one value.
#[inline(always)]
pub(crate) fn tanh_value(interpolation: Interpolation, value: i16) -> i16 {
    let steps = clamp(interpolation.steps(value), -(256 << 8), (256 << 8) - 1);
    let position = (steps + (256 << 8)) as u32;
    let (low, rise) = interval(position, 8);
    let half = (1 << 7) - 1 + (position >> 16);
    ((((low << 8) + (position & 255) * rise + half) as i32 - (1 << 23)) >> 8) as i16
}

/// Runs the logistic function over `length` elements; input and output may be one.
///
/// The reference's bits, at most 1.02 steps of 2^−15 from the real function over Q3.12; the ends are 1 and 32767. 21 instructions
/// per element on M3 and M4, 39 on the M0, 23 on RV32, 9 on the M55.
///
/// # Errors
/// [`ShapeError`] when input or output have another length, or overlap where they must not.
pub fn logistic_int16(
    interpolation: &Interpolation,
    length: usize,
    mut tensors: impl Tensors<i16>,
) -> Result<(), ShapeError> {
    tensors.check(length, length, 0)?;
    let (input, output) = tensors.split();
    input.map(output, |value| logistic_value(*interpolation, value));
    Ok(())
}

/// Runs tanh over `length` elements; input and output may be one.
///
/// The reference's bits, at most 1.48 steps of 2^−15 from the real function over Q3.12; the ends are −32767 and 32767. 24
/// instructions per element on M3 and M4, 40 on the M0, 27 on RV32, 10 on the M55.
///
/// # Errors
/// The errors are those of [`logistic_int16`].
pub fn tanh_int16(
    interpolation: &Interpolation,
    length: usize,
    mut tensors: impl Tensors<i16>,
) -> Result<(), ShapeError> {
    tensors.check(length, length, 0)?;
    let (input, output) = tensors.split();
    input.map(output, |value| tanh_value(*interpolation, value));
    Ok(())
}

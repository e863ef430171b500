//! Sigmoid and tanh from Q3.12 to Q0.15, correctly rounded for every input.
//!
//! - y = ⌊(c0 + x·(c1 + x·c2)) / 2^16⌋ (sigmoid: 2^17), one polynomial for each 128 neighbouring inputs. The arithmetic is
//!   exact modulo 2^32: only the result has to fit in 32 bits. c1 has 24 bits and c2 has 8, packed in one word, so that a
//!   piece is two words: 4 KiB per function.
//! - The coefficients come from a search (`search` in the testkit) for polynomials whose integer parts are the correctly
//!   rounded outputs of all 128 inputs: the worst error is 0.5 LSB, over all 65 536 inputs. 1 saturates to 32767.
//! - Both are monotonic; tanh(−x) = −tanh(x) and sigmoid(−x) = 1 − sigmoid(x) bit for bit where neither saturates.
//! - Held by tests/host/tests/q15.rs, exhaustively, coefficients included.

use smolnn_core::ShapeError;

use super::q15_tables::{SIGMOID, TANH};
use crate::q::{Q, Q15};

/// Q3.12: −8 ≤ x < 8.
pub type Q12 = Q<i16, 12>;

/// The polynomial of one piece. c2 is the low byte of the second coefficient, c1 the rest.
#[inline(always)]
const fn polynomial(&[constant, packed]: &[i32; 2], x: i32) -> i32 {
    let slope = (packed >> 8).wrapping_add(x.wrapping_mul(packed as i8 as i32));
    constant.wrapping_add(x.wrapping_mul(slope))
}

impl Q12 {
    /// 1 / (1 + e^−x), correctly rounded.
    #[inline(always)]
    pub fn sigmoid(self) -> Q15 {
        let x = i32::from(self.to_bits());
        let piece = SIGMOID[((x >> 7) + 256) as usize & 511];
        // 32768 · 2^17 does not fit, so that outputs are below: their 15 bits are unsigned.
        Q15::from_bits((polynomial(&piece, x) as u32 >> 17) as i16)
    }

    /// tanh x, correctly rounded.
    #[inline(always)]
    pub fn tanh(self) -> Q15 {
        let x = i32::from(self.to_bits());
        // The pieces of −x mirror those of x, but for one input, so that one set of bounds serves both.
        let piece = TANH.get(((x + 1 + 32768) >> 7) as usize).unwrap_or(&[0; 2]);
        Q15::from_bits((polynomial(piece, x) >> 16) as i16)
    }
}

/// Sigmoid of every element.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn sigmoid_q15(input: &[Q12], output: &mut [Q15]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    for (&x, y) in input.iter().zip(output) {
        *y = x.sigmoid();
    }
    Ok(())
}

/// tanh of every element.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn tanh_q15(input: &[Q12], output: &mut [Q15]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    for (&x, y) in input.iter().zip(output) {
        *y = x.tanh();
    }
    Ok(())
}

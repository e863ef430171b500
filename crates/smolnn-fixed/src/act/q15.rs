//! Sigmoid and tanh from Q3.12 to Q0.15, correctly rounded for every input.
//!
//! - y = ⌊(c0 + x·(c1 + x·c2)) / 2^16⌋ (sigmoid: 2^17), one polynomial for each 128 neighbouring inputs. The arithmetic is
//!   exact modulo 2^32: only the result has to fit in 32 bits. c2 is the lowest byte of c0, so that a piece is two words
//!   (4 KiB per function) and nothing is to be unpacked.
//! - The coefficients come from a search (`search` in the testkit) for polynomials whose integer parts are the correctly
//!   rounded outputs of all 128 inputs: the worst error is 0.5 LSB, over all 65 536 inputs. 1 saturates to 32767.
//! - Both are monotonic; tanh(−x) = −tanh(x) and sigmoid(−x) = 1 − sigmoid(x) bit for bit where neither saturates.
//! - Held by tests/host/exhaustive/q15.rs, exhaustively, coefficients included.
#![doc = include_str!("q15_cost.md")]

use core::cell::Cell;

use smolnn_core::ShapeError;

use super::q15_small::{sigmoid_q15_small, tanh_q15_small};
use super::q15_tables::{SIGMOID, TANH};
use crate::backend::{Bodies, Chosen, Pieces};
use crate::q::{Q, Q15};
use crate::tensors::Source;

/// Q3.12: −8 ≤ x < 8.
pub type Q12 = Q<i16, 12>;

/// The polynomial of the piece that `position` lies in.
#[inline(always)]
const fn at<const N: usize>(pieces: &Pieces<N>, position: i32, x: i32) -> i32 {
    horner(pieces.coefficients((position >> 7) as usize), x)
}

/// [`at`] in loops.
#[inline(always)]
fn in_loop_at<const N: usize>(pieces: &Pieces<N>, position: i32, x: i32) -> i32 {
    horner(pieces.coefficients_in_loop((position >> 7) as usize), x)
}

/// c0 + x·(c1 + x·c2).
#[inline(always)]
const fn horner([constant, slope, bend]: [i32; 3], x: i32) -> i32 {
    constant.wrapping_add(x.wrapping_mul(slope.wrapping_add(x.wrapping_mul(bend))))
}

impl Q12 {
    /// 1 / (1 + e^−x), correctly rounded. ½ at 0, never 0 nor 1; the [module](self) has its cost.
    #[inline(always)]
    pub const fn sigmoid(self) -> Q15 {
        if cfg!(smolnn_optimize = "size") {
            return self.sigmoid_small();
        }
        let x = self.to_bits() as i32;
        sigmoid_output(at(&SIGMOID, x, x))
    }

    /// tanh x, correctly rounded. 0 at 0, 32767 and −32768 where it rounds to ±1; the [module](self) has its cost.
    #[inline(always)]
    pub const fn tanh(self) -> Q15 {
        if cfg!(smolnn_optimize = "size") {
            return self.tanh_small();
        }
        let x = self.to_bits() as i32;
        tanh_output(at(&TANH, x + TANH_OFFSET, x))
    }
}

/// By one input, so that the pieces of −x mirror those of x: where one has a polynomial, so has the other. 32767 falls into
/// the piece of the least inputs; both ends saturate, and one polynomial modulo 2^32 serves both.
const TANH_OFFSET: i32 = 1;

/// Outputs lie below 32768, so that 15 unsigned bits above 17 of fraction hold them.
#[inline(always)]
const fn sigmoid_output(y: i32) -> Q15 {
    Q15::from_bits((y as u32 >> 17) as i16)
}

#[inline(always)]
const fn tanh_output(y: i32) -> Q15 {
    Q15::from_bits((y >> 16) as i16)
}

/// Whether slices run the bodies in 2 KiB.
const SMALL_SLICES: bool = cfg!(smolnn_optimize = "size") || Chosen::GATHERS_PIECES;

/// [`Q12::sigmoid`] of every element.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn sigmoid_q15(input: &[Q12], output: &mut [Q15]) -> Result<(), ShapeError> {
    if SMALL_SLICES {
        return sigmoid_q15_small(input, output);
    }
    ShapeError::check_length("the output", input.len(), output.len())?;
    let (input, output) = Chosen::q15_front::<false, _>(&SIGMOID, input, output);
    input.map(Cell::from_mut(output).as_slice_of_cells(), |x| {
        let x = x.to_bits() as i32;
        sigmoid_output(in_loop_at(&SIGMOID, x, x))
    });
    Ok(())
}

/// [`Q12::tanh`] of every element.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn tanh_q15(input: &[Q12], output: &mut [Q15]) -> Result<(), ShapeError> {
    if SMALL_SLICES {
        return tanh_q15_small(input, output);
    }
    ShapeError::check_length("the output", input.len(), output.len())?;
    let (input, output) = Chosen::q15_front::<true, _>(&TANH, input, output);
    input.map(Cell::from_mut(output).as_slice_of_cells(), |x| {
        let x = x.to_bits() as i32;
        tanh_output(in_loop_at(&TANH, x + TANH_OFFSET, x))
    });
    Ok(())
}

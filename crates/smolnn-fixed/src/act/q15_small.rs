//! Sigmoid and tanh from Q3.12 to Q0.15 in half the bytes: the same bits as [`q15`](super::q15), which takes these bodies under
//! `--cfg smolnn_optimize="size"`.
//!
//! - y = ⌊(h + x·(c1 + |x|·c2) ± c0) / 2^k⌋ with the sign of x and h = 2^(k − 1): one polynomial for 128 neighbouring |x| serves
//!   both signs, since tanh is odd and 1 − sigmoid(x) = sigmoid(−x); 256 pieces of 8 bytes, 2 KiB per function.
//! - Sigmoid: k = 17, modulo 2^32: 1 is 2^32. tanh: k = 16; only the last addition can leave 32 bits, and saturates there.
//! - The coefficients come from the same search; c2 is the lowest byte of c0. Held by tests/host/exhaustive/q15.rs, exhaustively.
#![doc = include_str!("q15_cost.md")]

use core::cell::Cell;
use core::hint::black_box;

use smolnn_core::ShapeError;

use super::q15::Q12;
use super::q15_tables::{SMALL_SIGMOID, SMALL_TANH};
use crate::backend::{Bodies, Chosen, Pieces};
use crate::q::Q15;
use crate::tensors::Source;

/// h + x·(c1 + |x|·c2) and ±c0. The constants 1 and h may be hidden from the optimiser, which otherwise puts them together
/// anew for every element.
#[inline(always)]
const fn terms(pieces: &Pieces<256>, x: i32, [one, half]: [i32; 2]) -> [i32; 2] {
    let sign = (x >> 31) | one;
    let magnitude = x.wrapping_mul(sign);
    // −32768 belongs to the last piece.
    let piece = (magnitude - (magnitude >> 15)) >> 7;
    let [constant, slope] = pieces.piece(piece as usize);
    let slope = slope.wrapping_add(magnitude.wrapping_mul(constant as i8 as i32));
    [half.wrapping_add(x.wrapping_mul(slope)), constant.wrapping_mul(sign)]
}

const SIGMOID_CONSTANTS: [i32; 2] = [1, 1 << 16];
const TANH_CONSTANTS: [i32; 2] = [1, 1 << 15];

#[inline(always)]
const fn sigmoid_value(x: i32, constants: [i32; 2]) -> Q15 {
    let [a, b] = terms(&SMALL_SIGMOID, x, constants);
    Q15::from_bits((a.wrapping_add(b) as u32 >> 17) as i16)
}

#[inline(always)]
const fn tanh_value(x: i32, constants: [i32; 2]) -> Q15 {
    let [a, b] = terms(&SMALL_TANH, x, constants);
    Q15::from_bits((a.saturating_add(b) >> 16) as i16)
}

impl Q12 {
    /// [`Q12::sigmoid`] in 2 KiB.
    #[inline(always)]
    pub const fn sigmoid_small(self) -> Q15 {
        sigmoid_value(self.to_bits() as i32, SIGMOID_CONSTANTS)
    }

    /// [`Q12::tanh`] in 2 KiB.
    #[inline(always)]
    pub const fn tanh_small(self) -> Q15 {
        tanh_value(self.to_bits() as i32, TANH_CONSTANTS)
    }
}

/// [`Q12::sigmoid`] of every element, in 2 KiB.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn sigmoid_q15_small(input: &[Q12], output: &mut [Q15]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    let (input, output) = Chosen::q15_front::<false, _>(&SMALL_SIGMOID, input, output);
    let constants = black_box(SIGMOID_CONSTANTS);
    input.map(Cell::from_mut(output).as_slice_of_cells(), |x| sigmoid_value(x.to_bits() as i32, constants));
    Ok(())
}

/// [`Q12::tanh`] of every element, in 2 KiB.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn tanh_q15_small(input: &[Q12], output: &mut [Q15]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    let (input, output) = Chosen::q15_front::<true, _>(&SMALL_TANH, input, output);
    let constants = black_box(TANH_CONSTANTS);
    input.map(Cell::from_mut(output).as_slice_of_cells(), |x| tanh_value(x.to_bits() as i32, constants));
    Ok(())
}

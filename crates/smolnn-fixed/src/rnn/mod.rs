//! Recurrent cells.
//!
//! - [`lstm`]: TensorFlow Lite's UNIDIRECTIONAL_SEQUENCE_LSTM, int8 or int16 with an int16 cell, as TensorFlow Lite Micro runs
//!   it.
//! - [`svdf`]: TensorFlow Lite's SVDF, int8 with int16 or int8 state.
//! - [`gru`], [`simple`]: a GRU and a simple RNN with int8 weights and int16 state, by a specification of our own.
//!
//! The state of a cell belongs to the caller: slices that can be saved, restored and reset between calls. A sequence in one
//! call gives the same bits as its steps in several.

pub mod gru;
pub mod lstm;
pub mod simple;
pub mod svdf;

use crate::act::q15::Q12;
use crate::quantise::clamp;

/// A state in Q0.15 rounded to Q0.7, halves up, saturated.
#[inline(always)]
fn narrow(state: i16) -> i8 {
    clamp((i32::from(state) + 128) >> 8, -128, 127) as i8
}

/// ⌊a · b / 2^15⌉, halves up, saturated: a in Q0.15, b in any format.
#[inline(always)]
fn rounded_product(a: i16, b: i16) -> i16 {
    clamp((i32::from(a) * i32::from(b) + (1 << 14)) >> 15, -32768, 32767) as i16
}

/// z·h + (1 − z)·n in Q0.15, as n + ⌊z · (h − n) / 2^15⌉. z is not negative, so that the product fits.
#[inline(always)]
fn blend(z: i16, h: i16, n: i16) -> i16 {
    let (z, h, n) = (i32::from(z), i32::from(h), i32::from(n));
    clamp(n + ((z * (h - n) + (1 << 14)) >> 15), -32768, 32767) as i16
}

/// σ of a saturated sum in Q3.12.
#[inline(always)]
fn sigmoid(a: i16, b: i16) -> i16 {
    Q12::from_bits(a.saturating_add(b)).sigmoid().to_bits()
}

/// tanh of a saturated sum in Q3.12.
#[inline(always)]
fn tanh(a: i16, b: i16) -> i16 {
    Q12::from_bits(a.saturating_add(b)).tanh().to_bits()
}

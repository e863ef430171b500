//! Recurrent cells.
//!
//! - [`lstm`]: TensorFlow Lite's UNIDIRECTIONAL_SEQUENCE_LSTM, int8 or int16 with an int16 cell, as TensorFlow Lite Micro runs
//!   it.
//! - [`svdf`]: TensorFlow Lite's SVDF, int8 with int16 or int8 state.
//! - [`gru`], [`simple`]: a GRU and a simple RNN with int8 weights and int16 state, by a specification of our own.
//!
//! The state of a cell belongs to the caller: slices that can be saved, restored and reset between calls. A sequence in one
//! call gives the same bits as its steps in several. [`recurrent_batch`] and [`lstm::lstm_batch`] run batches of sequences, from either end.

pub mod gru;
pub mod lstm;
pub mod simple;
pub mod svdf;

use smolnn_core::{SequenceOrder, ShapeError, excluded_run};

use crate::act::q15::Q12;
use crate::quantise::clamp;

/// A cell with its packed weights, int8 inputs and a state of int16 in Q0.15: [`gru::Gru`], [`simple::SimpleRnn`].
pub trait Cell {
    /// Steps of a sequence.
    fn steps(&self) -> usize;
    /// Elements of one input vector.
    fn inputs(&self) -> usize;
    /// Elements of the state.
    fn hidden(&self) -> usize;
    /// Takes the state one step on. `scratch` has at least as many words as the cell says.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice has another length than the cell says.
    fn step(&self, h: &mut [i16], input: &[i8], scratch: &mut [u32]) -> Result<(), ShapeError>;
}

/// Runs a cell over several sequences of its number of steps, each with a state of its own: `h` holds one state behind the other, and its length
/// says how many sequences there are. Input and output lie as `order` says; `output` takes the state behind every step in Q0.7.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the cell says.
pub fn recurrent_batch<C: Cell>(
    cell: &C,
    order: SequenceOrder,
    h: &mut [i16],
    input: &[i8],
    output: Option<&mut [i8]>,
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (inputs, hidden) = (cell.inputs(), cell.hidden());
    let batch = h.len().checked_div(hidden).unwrap_or(0);
    ShapeError::check_length("the states", batch * hidden, h.len())?;
    let sizes = BatchSizes { steps: cell.steps(), batch, inputs, outputs: hidden };
    run_batch(order, sizes, h.chunks_exact_mut(hidden.max(1)), input, output, |h, x, y| {
        cell.step(h, x, scratch)?;
        for (y, &h) in y.into_iter().flatten().zip(h.iter()) {
            *y = narrow(h);
        }
        Ok(())
    })
}

/// What a batch of sequences consists of.
#[derive(Clone, Copy)]
struct BatchSizes {
    steps: usize,
    batch: usize,
    inputs: usize,
    outputs: usize,
}

/// Takes every step of every sequence: `step` has the sequence's state, the input vector, and where the output vector goes.
#[inline(always)]
fn run_batch<S, T>(
    order: SequenceOrder,
    sizes: BatchSizes,
    states: impl Iterator<Item = S>,
    input: &[T],
    output: Option<&mut [T]>,
    mut step: impl FnMut(&mut S, &[T], Option<&mut [T]>) -> Result<(), ShapeError>,
) -> Result<(), ShapeError> {
    let BatchSizes { steps, batch, inputs, outputs } = sizes;
    ShapeError::check_length("the input", batch * steps * inputs, input.len())?;
    if let Some(output) = &output {
        ShapeError::check_length("the output", batch * steps * outputs, output.len())?;
    }
    let mut output = output;
    for (sequence, mut state) in states.enumerate() {
        for number in 0..steps {
            let at = order.position(number, steps, sequence, batch);
            let Some(x) = input.get(at * inputs..(at + 1) * inputs) else { return excluded_run() };
            let y = output.as_deref_mut().and_then(|output| output.get_mut(at * outputs..(at + 1) * outputs));
            step(&mut state, x, y)?;
        }
    }
    Ok(())
}

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

//! Simple (Elman) RNN with tanh, int8 inputs and weights, int16 state. No runtime has an integer one to follow, so this file
//! is its specification; numbers, a(), M(·), ⌊·⌉ and q as in [`gru`](super::gru):
//!
//! - h = tanh(a(a(M(W (x − z_x) + b)) + a(M(U q + b′)))), q = clamp(⌊h / 2^8⌉, −128, 127).
//!
//! - Layout: x `[time][inputs]`, h `[hidden]`, output `[time][hidden]`.
//! - Held by: the integer oracle of the testkit, bit for bit, and a trained network against f64
//!   (tests/host/golden/recurrent.rs).

use smolnn_core::{ShapeError, excluded_run};

use super::{narrow, tanh};
use crate::dense::{DenseToInt16, dense_to_int16};

/// A simple RNN with its packed weights, checked.
#[derive(Clone, Copy, Debug)]
pub struct SimpleRnn<'a> {
    input: DenseToInt16<'a>,
    recurrent: DenseToInt16<'a>,
    steps: usize,
}

impl<'a> SimpleRnn<'a> {
    /// A cell over `steps` steps.
    ///
    /// # Errors
    /// [`ShapeError`] when the layers do not fit each other or steps are 0.
    pub const fn new(steps: usize, input: DenseToInt16<'a>, recurrent: DenseToInt16<'a>) -> Result<Self, ShapeError> {
        if steps == 0 {
            return Err(ShapeError::Zero("the steps of the RNN"));
        }
        let hidden = recurrent.shape.inputs();
        if let Err(error) = ShapeError::check_product(&[steps, input.shape.inputs()]) {
            return Err(error);
        }
        if let Err(error) = ShapeError::check_product(&[steps, hidden]) {
            return Err(error);
        }
        if let Err(error) = ShapeError::check_length("the recurrent rows", hidden, recurrent.shape.outputs()) {
            return Err(error);
        }
        match ShapeError::check_length("the input's rows", hidden, input.shape.outputs()) {
            Ok(()) => Ok(Self { input, recurrent, steps }),
            Err(error) => Err(error),
        }
    }

    /// Elements of the state.
    pub const fn hidden(&self) -> usize {
        self.recurrent.shape.inputs()
    }

    /// Elements of one input vector.
    pub const fn inputs(&self) -> usize {
        self.input.shape.inputs()
    }

    /// Words of scratch memory that the layer needs.
    pub const fn scratch_words(&self) -> usize {
        let (input, recurrent) = (self.input.scratch_words(), self.recurrent.scratch_words());
        self.hidden() + self.hidden().div_ceil(4) + if input > recurrent { input } else { recurrent }
    }
}

impl super::Cell for SimpleRnn<'_> {
    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> usize {
        self.inputs()
    }

    fn hidden(&self) -> usize {
        self.hidden()
    }

    fn step(&self, h: &mut [i16], input: &[i8], scratch: &mut [u32]) -> Result<(), ShapeError> {
        step(self, h, input, scratch)
    }
}

/// Runs the layer over a sequence of its number of steps, `[steps][inputs]` to `[steps][hidden]`; `h` goes on from where it
/// is, 0 at the start. `scratch` has at least [`SimpleRnn::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn simple_rnn(
    layer: &SimpleRnn<'_>,
    h: &mut [i16],
    input: &[i8],
    output: &mut [i8],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (inputs, hidden) = (layer.inputs(), layer.hidden());
    ShapeError::check_length("the input", layer.steps * inputs, input.len())?;
    ShapeError::check_length("the output", layer.steps * hidden, output.len())?;
    for (x, y) in input.chunks_exact(inputs.max(1)).zip(output.chunks_exact_mut(hidden.max(1))) {
        step(layer, h, x, scratch)?;
        for (y, &h) in y.iter_mut().zip(h.iter()) {
            *y = narrow(h);
        }
    }
    Ok(())
}

/// Runs one step: the new state is the output. `scratch` has at least [`SimpleRnn::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn step(layer: &SimpleRnn<'_>, h: &mut [i16], input: &[i8], scratch: &mut [u32]) -> Result<(), ShapeError> {
    let hidden = layer.hidden();
    ShapeError::check_length("the state", hidden, h.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words(), scratch.len())?;
    let Some((sums, scratch)) = scratch.split_at_mut_checked(hidden) else { return excluded_run() };
    let Some((narrowed, scratch)) = scratch.split_at_mut_checked(hidden.div_ceil(4)) else { return excluded_run() };
    let sums: &mut [i16] = bytemuck::must_cast_slice_mut(sums);
    let narrowed: &mut [i8] = bytemuck::must_cast_slice_mut(narrowed);
    let (Some(narrowed), Some((from_input, from_state))) =
        (narrowed.get_mut(..hidden), sums.split_at_mut_checked(hidden))
    else {
        return excluded_run();
    };
    for (q, &h) in narrowed.iter_mut().zip(h.iter()) {
        *q = narrow(h);
    }
    dense_to_int16(&layer.input, input, from_input, scratch)?;
    dense_to_int16(&layer.recurrent, narrowed, from_state, scratch)?;
    for (h, (u, v)) in h.iter_mut().zip(from_input.iter().zip(from_state.iter())) {
        *h = tanh(*u, *v);
    }
    Ok(())
}

//! Recurrent layers as models have them, for inference: batches of sequences, with h and c as tensors of their own and a bound of the cell
//! (UNIDIRECTIONAL_SEQUENCE_LSTM), and SVDF steps of a batch.
//!
//! - Layout: input `[batch][steps][inputs]`, output `[batch][steps][hidden]`, or time first; states `[batch][..]`; parameters as the
//!   cell has them.
//! - Held by: random sequences against the steps of the cell (tests/host/registry/float_inference.rs), random models of the reference.

use smolnn_core::ShapeError;

use super::{Lstm, Svdf, SvdfWeights, copy};
use crate::Real;
use crate::elementwise::{Bounds, clamp};
use crate::slices::{cut_mut, part, part_mut, quotient, vectors, vectors_mut};

/// An LSTM over a batch of sequences, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LstmLayer<T> {
    cell: Lstm,
    steps: usize,
    time_first: bool,
    cell_clip: T,
}

impl<T: Real> LstmLayer<T> {
    /// `steps` steps of a cell without peepholes and projection. `time_first` says that step comes before batch in input and output. c is kept
    /// between −`cell_clip` and `cell_clip`; 0 is no bound.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(
        inputs: usize,
        hidden: usize,
        steps: usize,
        time_first: bool,
        cell_clip: T,
    ) -> Result<Self, ShapeError> {
        if steps == 0 {
            return Err(ShapeError::Zero("the steps of the sequence"));
        }
        match Lstm::new(inputs, hidden) {
            Ok(cell) => Ok(Self { cell, steps, time_first, cell_clip }),
            Err(error) => Err(error),
        }
    }

    /// Elements of the scratch memory.
    pub const fn scratch(&self) -> usize {
        self.cell.sizes().step_scratch()
    }
}

/// Runs every sequence of the batch, as many as the states say; the states go on to the end of the sequences.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the layer says.
pub fn lstm_batch<T: Real>(
    layer: &LstmLayer<T>,
    parameters: &[T],
    h: &mut [T],
    c: &mut [T],
    input: &[T],
    output: &mut [T],
    scratch: &mut [T],
) -> Result<(), ShapeError> {
    let (sizes, steps) = (layer.cell.sizes(), layer.steps);
    let batch = quotient(h.len(), sizes.outputs);
    ShapeError::check_length("the parameters", sizes.parameters(), parameters.len())?;
    ShapeError::check_length("the state h", batch * sizes.outputs, h.len())?;
    ShapeError::check_length("the state c", batch * sizes.memory, c.len())?;
    ShapeError::check_length("the input", batch * steps * sizes.inputs, input.len())?;
    ShapeError::check_length("the output", batch * steps * sizes.outputs, output.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch(), scratch.len())?;
    let clip = layer.cell_clip;
    let bounds = if clip > T::ZERO { Bounds { low: -clip, high: clip } } else { Bounds::NONE };
    let mut scratch = scratch;
    let gates = cut_mut(&mut scratch, sizes.gates);
    let states = vectors_mut(h, sizes.outputs).zip(vectors_mut(c, sizes.memory));
    for (sequence, (h, c)) in states.enumerate() {
        for step in 0..steps {
            let at = if layer.time_first { step * batch + sequence } else { sequence * steps + step };
            let x = part(input, at * sizes.inputs, sizes.inputs);
            layer.cell.advance_parts(parameters, h, c, x, gates, scratch, |c| clamp(&bounds, c));
            copy(part_mut(output, at * sizes.outputs, sizes.outputs), h);
        }
    }
    Ok(())
}

/// Takes one step of every sequence of a batch, as many as the state says; the weights are those of [`SvdfWeights`].
///
/// # Errors
/// The errors are those of [`Svdf::step`].
#[expect(clippy::too_many_arguments, reason = "the operator's operands")]
pub fn svdf_batch<T: Real>(
    layer: &Svdf,
    feature: &[T],
    time: &[T],
    bias: Option<&[T]>,
    bounds: &Bounds<T>,
    state: &mut [T],
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    let batch = quotient(state.len(), layer.state());
    ShapeError::check_length("the state", batch * layer.state(), state.len())?;
    ShapeError::check_length("the input", batch * layer.inputs(), input.len())?;
    ShapeError::check_length("the output", batch * layer.units(), output.len())?;
    let weights = SvdfWeights { feature, time, bias };
    let vectors = vectors(input, layer.inputs()).zip(vectors_mut(output, layer.units()));
    for (state, (x, y)) in vectors_mut(state, layer.state()).zip(vectors) {
        layer.step(&weights, bounds, state, x, y)?;
    }
    Ok(())
}

//! Sequences through recurrent cells, with memory of their own: shorter to write in tests.

use smolnn_float::Real;
use smolnn_float::rnn::{Cell, Keep, Sequence, SequenceGradients, Tape};

/// A sequence that has been run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run<T> {
    /// Output of every step.
    pub output: Vec<T>,
    /// State at the end.
    pub state: Vec<T>,
    /// What backward needs.
    pub stash: Vec<T>,
}

/// ∂L/∂ of everything.
#[derive(Clone, Debug, PartialEq)]
pub struct All<T> {
    /// Of the parameters.
    pub parameters: Vec<T>,
    /// Of the state at the start.
    pub state: Vec<T>,
    /// Of the input.
    pub input: Vec<T>,
}

fn sequence<T: Real, C: Cell<T>>(cell: &C, keep: Keep, input: &[T]) -> Sequence<C> {
    Sequence::new(*cell, input.len() / cell.sizes().inputs, keep).unwrap()
}

/// Forward from a state.
pub fn forward<T: Real, C: Cell<T>>(cell: &C, keep: Keep, parameters: &[T], state: &[T], input: &[T]) -> Run<T> {
    let (sizes, sequence) = (cell.sizes(), sequence(cell, keep, input));
    // What lies in the buffers before does not count.
    let mut run = Run {
        output: vec![T::NAN; sequence.steps() * sizes.outputs],
        state: state.to_vec(),
        stash: vec![T::NAN; sizes.stash(sequence.steps(), keep)],
    };
    let mut scratch = vec![T::NAN; sizes.scratch(keep)];
    sequence.forward(parameters, &mut run.state, input, &mut run.output, &mut run.stash, &mut scratch).unwrap();
    run
}

/// Back through what [`forward`] ran, with ∂L/∂ of all outputs and of the state at the end.
pub fn backward<T: Real, C: Cell<T>>(
    cell: &C,
    keep: Keep,
    parameters: &[T],
    input: &[T],
    run: &Run<T>,
    d_output: Option<&[T]>,
    d_state: &[T],
) -> All<T> {
    let (sizes, sequence) = (cell.sizes(), sequence(cell, keep, input));
    let mut all =
        All { parameters: vec![T::ZERO; parameters.len()], state: d_state.to_vec(), input: vec![T::ZERO; input.len()] };
    let gradients = SequenceGradients { input: Some(&mut all.input), parameters: Some(&mut all.parameters) };
    let mut scratch = vec![T::NAN; sizes.scratch(keep)];
    let (output, stash) = (&run.output, &run.stash);
    sequence
        .backward(parameters, &Tape { input, output, stash }, &mut all.state, d_output, gradients, &mut scratch)
        .unwrap();
    all
}

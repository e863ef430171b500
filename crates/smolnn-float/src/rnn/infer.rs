//! Recurrent layers as models have them, for inference: batches of sequences read from either end, their states tensors of their own, and SVDF
//! steps of a batch.
//!
//! - Layout: input `[batch][steps][inputs]`, output `[batch][steps][hidden]`, or time first, as [`SequenceOrder`] says; states `[batch][..]`;
//!   parameters as the cell has them. An LSTM has h and c apart, and c may have a bound (UNIDIRECTIONAL_SEQUENCE_LSTM).
//! - The output may be left out, where only the states behind the last step are wanted.
//! - Held by: random sequences against the steps of the cell (tests/host/registry/float_inference.rs), random models of the reference.

use smolnn_core::{SequenceOrder, ShapeError};

use super::{Cell, Gru, Lstm, Relu, ResetAfter, ResetBefore, SimpleRnn, Sizes, Svdf, SvdfWeights, Tanh, copy};
use crate::Real;
use crate::elementwise::{Bounds, clamp};
use crate::slices::{check_optional, cut_mut, part, part_mut, quotient, vectors, vectors_mut};

/// A cell whose state is its output, over a batch of sequences, checked: [`Gru`], [`SimpleRnn`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecurrentLayer<C> {
    cell: C,
    sizes: Sizes,
    steps: usize,
    order: SequenceOrder,
}

/// Declares the constructors, one per kind of cell.
macro_rules! layers {
    ($($(#[$doc:meta])* $name:ident: $cell:ty;)*) => {
        $(impl RecurrentLayer<$cell> {
            $(#[$doc])*
            ///
            /// # Errors
            /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
            pub const fn $name(
                inputs: usize,
                hidden: usize,
                steps: usize,
                order: SequenceOrder,
            ) -> Result<Self, ShapeError> {
                if steps == 0 {
                    return Err(ShapeError::Zero("the steps of the sequence"));
                }
                match <$cell>::new(inputs, hidden) {
                    Ok(cell) => Ok(Self { cell, sizes: cell.sizes(), steps, order }),
                    Err(error) => Err(error),
                }
            }
        })*
    };
}

layers! {
    /// A GRU as PyTorch's and Keras's, its reset gate behind the product; `steps` steps.
    gru_reset_after: Gru<ResetAfter>;
    /// A GRU whose reset gate acts on the state, ONNX's default; `steps` steps.
    gru_reset_before: Gru<ResetBefore>;
    /// A simple RNN with the hyperbolic tangent; `steps` steps.
    rnn_tanh: SimpleRnn<Tanh>;
    /// A simple RNN with max(0, x); `steps` steps.
    rnn_relu: SimpleRnn<Relu>;
}

impl<C> RecurrentLayer<C> {
    /// Elements of the scratch memory.
    pub const fn scratch(&self) -> usize {
        self.sizes.step_scratch()
    }
}

/// Runs every sequence of the batch, as many as the states `h` say; they go on to the last step that is read. `output` takes the state behind
/// every step.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the layer says.
pub fn recurrent_batch<T: Real, C: Cell<T>>(
    layer: &RecurrentLayer<C>,
    parameters: &[T],
    h: &mut [T],
    input: &[T],
    output: Option<&mut [T]>,
    scratch: &mut [T],
) -> Result<(), ShapeError> {
    let &RecurrentLayer { cell, sizes, steps, order } = layer;
    let batch = quotient(h.len(), sizes.outputs);
    ShapeError::check_length("the parameters", sizes.parameters(), parameters.len())?;
    ShapeError::check_length("the states", batch * sizes.outputs, h.len())?;
    ShapeError::check_length("the input", batch * steps * sizes.inputs, input.len())?;
    check_optional("the output", batch * steps * sizes.outputs, output.as_deref())?;
    ShapeError::check_capacity("the scratch", layer.scratch(), scratch.len())?;
    let (mut output, mut scratch) = (output, scratch);
    let gates = cut_mut(&mut scratch, sizes.gates);
    for (sequence, h) in vectors_mut(h, sizes.outputs).enumerate() {
        for step in 0..steps {
            let at = order.position(step, steps, sequence, batch);
            cell.advance(parameters, h, part(input, at * sizes.inputs, sizes.inputs), gates, scratch);
            if let Some(output) = &mut output {
                copy(part_mut(output, at * sizes.outputs, sizes.outputs), h);
            }
        }
    }
    Ok(())
}

/// An LSTM over a batch of sequences, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LstmLayer<T> {
    cell: Lstm,
    steps: usize,
    order: SequenceOrder,
    cell_clip: T,
}

impl<T: Real> LstmLayer<T> {
    /// `steps` steps of a cell without peepholes and projection. c is kept between −`cell_clip` and `cell_clip`; 0 is no bound.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(
        inputs: usize,
        hidden: usize,
        steps: usize,
        order: SequenceOrder,
        cell_clip: T,
    ) -> Result<Self, ShapeError> {
        if steps == 0 {
            return Err(ShapeError::Zero("the steps of the sequence"));
        }
        match Lstm::new(inputs, hidden) {
            Ok(cell) => Ok(Self { cell, steps, order, cell_clip }),
            Err(error) => Err(error),
        }
    }

    /// Elements of the scratch memory.
    pub const fn scratch(&self) -> usize {
        self.cell.sizes().step_scratch()
    }
}

/// Runs every sequence of the batch, as many as the states say; the states go on to the last step that is read. `output` takes h of every step.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the layer says.
pub fn lstm_batch<T: Real>(
    layer: &LstmLayer<T>,
    parameters: &[T],
    h: &mut [T],
    c: &mut [T],
    input: &[T],
    output: Option<&mut [T]>,
    scratch: &mut [T],
) -> Result<(), ShapeError> {
    let &LstmLayer { cell, steps, order, cell_clip: clip } = layer;
    let sizes = cell.sizes();
    let batch = quotient(h.len(), sizes.outputs);
    ShapeError::check_length("the parameters", sizes.parameters(), parameters.len())?;
    ShapeError::check_length("the state h", batch * sizes.outputs, h.len())?;
    ShapeError::check_length("the state c", batch * sizes.memory, c.len())?;
    ShapeError::check_length("the input", batch * steps * sizes.inputs, input.len())?;
    check_optional("the output", batch * steps * sizes.outputs, output.as_deref())?;
    ShapeError::check_capacity("the scratch", layer.scratch(), scratch.len())?;
    let bounds = if clip > T::ZERO { Bounds { low: -clip, high: clip } } else { Bounds::NONE };
    let (mut output, mut scratch) = (output, scratch);
    let gates = cut_mut(&mut scratch, sizes.gates);
    let states = vectors_mut(h, sizes.outputs).zip(vectors_mut(c, sizes.memory));
    for (sequence, (h, c)) in states.enumerate() {
        for step in 0..steps {
            let at = order.position(step, steps, sequence, batch);
            let x = part(input, at * sizes.inputs, sizes.inputs);
            cell.advance_parts(parameters, h, c, x, gates, scratch, |c| clamp(&bounds, c));
            if let Some(output) = &mut output {
                copy(part_mut(output, at * sizes.outputs, sizes.outputs), h);
            }
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

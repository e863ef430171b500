//! Recurrent cells with every gradient: simple RNN, residual RNN, LSTM, GRU; stacked, in both directions, over whole
//! sequences or sample by sample.
//!
//! A cell is a small value that is checked where it is made: [`SimpleRnn`], [`ResidualRnn`], [`Lstm`], [`Gru`], and a
//! [`Stack`] of two of them, which is a cell again. What a variant computes is in its type: `Gru<ResetAfter, HoldIsOne>` is
//! PyTorch's and Keras's, `Gru<ResetBefore, HoldIsOne>` the textbook's.
//!
//! - All parameters of a cell lie in **one** slice, weights first, biases behind: `[W | U | … | b]`, gates in the order that
//!   the cell says. [`convert`] fills it from other frameworks' tensors, [`Cell::list`] shows it to optimisers.
//! - The state is one slice too, and the caller's: the output h, then what the cell remembers besides (c of an LSTM).
//!   Zeros at the start. [`Cell::step`] takes it from sample to sample; copied, it is saved, and copied back, restored.
//! - A [`Sequence`] runs a cell over `[steps][inputs]`: forward with a stash, backward through time from it. Outputs
//!   `[steps][outputs]` are not stashed twice. With [`Keep::States`] the stash has no gates: backward computes them again,
//!   and gives the same bits in less memory.
//! - [`Sequence::truncated`] is truncated backpropagation: windows of `steps`, the state carried on, the gradient cut.
//! - [`Bidirectional`] runs two cells, one from each end. [`Causal`] is the alternative with finite memory: a causal dilated
//!   convolution (TDNN), sample by sample.
//!
//! All sizes are `const fn` of [`Sizes`]; there is no allocation and no hidden buffer.
//!
//! ```
//! use smolnn_core::{OptimiserKind, ShapeError, shape};
//! use smolnn_float::rnn::{Cell, Gru, Keep, ResetBefore, Sequence, SequenceGradients, Tape};
//!
//! const GRU: Gru<ResetBefore> = shape!(Gru::new(6, 16));
//! const STEPS: usize = 100;
//! // Parameters, gradients, input, output, stash and scratch of training by backpropagation through 100 steps, in bytes.
//! const _: () = assert!(GRU.sizes().train_bytes::<f32>(STEPS, Keep::Gates, OptimiserKind::Sgd) < 38 * 1024);
//! const _: () = assert!(GRU.sizes().train_bytes::<f32>(STEPS, Keep::States, OptimiserKind::Sgd) < 19 * 1024);
//!
//! let parameters = [0.1_f32; GRU.sizes().parameters()];
//! let (input, mut output) = ([0.5; STEPS * 6], [0.0; STEPS * 16]);
//! let (mut state, mut d_state) = ([0.0; GRU.sizes().state()], [0.0; GRU.sizes().state()]);
//! let mut stash = [0.0; GRU.sizes().stash(STEPS, Keep::Gates)];
//! let mut scratch = [0.0; GRU.sizes().scratch(Keep::Gates)];
//!
//! let sequence = Sequence::new(GRU, STEPS, Keep::Gates)?;
//! sequence.forward(&parameters, &mut state, &input, &mut output, &mut stash, &mut scratch)?;
//! // The loss is the sum of the last state: its gradient goes in at the end, and comes out at the start.
//! d_state.fill(1.0);
//! let mut d_parameters = [0.0; GRU.sizes().parameters()];
//! let gradients = SequenceGradients { parameters: Some(&mut d_parameters), input: None };
//! let tape = Tape { input: &input, output: &output, stash: &stash };
//! sequence.backward(&parameters, &tape, &mut d_state, None, gradients, &mut scratch)?;
//! assert!(d_parameters.iter().any(|&g| g != 0.0));
//!
//! // One sample at a time gives the same bits.
//! let (mut live, mut scratch) = ([0.0; GRU.sizes().state()], [0.0; GRU.sizes().step_scratch()]);
//! for x in input.chunks_exact(6) {
//!     GRU.step(&parameters, &mut live, x, &mut scratch)?;
//! }
//! assert_eq!(live, state);
//! # Ok::<(), ShapeError>(())
//! ```

mod bidirectional;
mod causal;
pub mod convert;
mod gru;
mod infer;
mod lstm;
mod sequence;
mod simple;
mod stack;
mod svdf;

pub use bidirectional::Bidirectional;
pub use causal::{Causal, CausalState, receptive_field};
pub use gru::{Gru, HoldIsOne, HoldIsZero, Reset, ResetAfter, ResetBefore, Update};
pub use infer::{LstmLayer, RecurrentLayer, lstm_batch, recurrent_batch, svdf_batch};
pub use lstm::Lstm;
pub use sequence::{Sequence, SequenceGradients, Tape, WindowMemory};
pub use simple::{Activation, Linear, Relu, ResidualRnn, SimpleRnn, Tanh};
pub use stack::Stack;
pub use svdf::{Svdf, SvdfWeights};

use smolnn_core::{Cost, OptimiserKind, ShapeError};

use crate::init::{self, Fans};
use crate::random::Generator;
use crate::slices::{cut_mut, part, part_mut, split_mut, vectors_mut};
use crate::{Number, Parameter, Real};

/// What backward needs again: what forward keeps for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The gates of every step, beside the states.
    Gates,
    /// The states alone; backward computes the gates again. Half to a quarter of the memory, a third more time, same bits.
    States,
}

/// How many elements a cell takes, per step and in all. From here everything else is computed, at compile time if wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// Elements of one input x.
    pub inputs: usize,
    /// Elements of one output h: the first ones of the state.
    pub outputs: usize,
    /// Elements of the state behind h.
    pub memory: usize,
    /// Elements of the gates of one step.
    pub gates: usize,
    /// Weights: the first of a cell's parameters.
    pub weights: usize,
    /// Biases: the rest of a cell's parameters.
    pub biases: usize,
    /// Multiply-accumulates of one step.
    pub macs: usize,
    /// Elements that a step needs for itself besides the gates, forward or backward.
    work: usize,
}

impl Sizes {
    /// All parameters.
    pub const fn parameters(&self) -> usize {
        self.weights + self.biases
    }

    /// The state: h, and what the cell remembers besides.
    pub const fn state(&self) -> usize {
        self.outputs + self.memory
    }

    /// The stash of a sequence: the state it started from, and per step what the outputs do not tell.
    pub const fn stash(&self, steps: usize, keep: Keep) -> usize {
        self.state().saturating_add(steps.saturating_mul(self.stash_row(keep)))
    }

    const fn stash_row(&self, keep: Keep) -> usize {
        match keep {
            Keep::Gates => self.memory + self.gates,
            Keep::States => self.memory,
        }
    }

    /// The scratch of [`Sequence::forward`] and [`Sequence::backward`]. [`Keep::States`] needs the larger one.
    pub const fn scratch(&self, keep: Keep) -> usize {
        match keep {
            Keep::Gates => self.work,
            Keep::States => self.work + self.gates + self.state(),
        }
    }

    /// The scratch of [`Cell::step`] and [`Sequence::infer`].
    pub const fn step_scratch(&self) -> usize {
        self.work + self.gates
    }

    /// What a sequence of that many steps costs as one of several layers, for [`train_bytes`](smolnn_core::train_bytes). It
    /// keeps the stash, the state, the state's gradient and the scratch besides its input. Backward computes the
    /// gradients of weights and input, and with [`Keep::States`] the gates once more.
    pub const fn cost(&self, steps: usize, keep: Keep) -> Cost {
        let macs = (steps as u64).saturating_mul(self.macs as u64);
        Cost {
            macs,
            backward_macs: macs.saturating_mul(match keep {
                Keep::Gates => 2,
                Keep::States => 3,
            }),
            weights: self.weights,
            bias: self.biases,
            input: steps.saturating_mul(self.inputs),
            output: steps.saturating_mul(self.outputs),
            kept: self.stash(steps, keep).saturating_add(2 * self.state() + self.scratch(keep)),
            ..Cost::ZERO
        }
    }

    /// Bytes of RAM for training by backpropagation through that many steps: parameters, their gradients, the optimiser's
    /// state, input and output of the sequence, stash, state, its gradient, and scratch.
    ///
    /// Gradients of the input and of each output are the caller's affair: the first layer needs none of the former, a loss
    /// on the last state none of the latter, and [`Sequence::backward_with`] takes them step by step.
    pub const fn train_bytes<T>(&self, steps: usize, keep: Keep, optimiser: OptimiserKind) -> usize {
        let copies = 1 + optimiser.gradients() + optimiser.states();
        let sequence = steps.saturating_mul(self.inputs + self.outputs).saturating_add(self.stash(steps, keep));
        let all = (copies * self.parameters() + 2 * self.state() + self.scratch(keep)).saturating_add(sequence);
        all.saturating_mul(size_of::<T>())
    }
}

/// Checked sizes of a cell: no dimension is 0, and no product overflows.
const fn check(inputs: usize, hidden: usize) -> Result<(), ShapeError> {
    const LARGEST: usize = 1 << 13;
    if inputs == 0 || hidden == 0 {
        return Err(ShapeError::Zero("a dimension of the recurrent cell"));
    }
    if inputs > LARGEST || hidden > LARGEST {
        return Err(ShapeError::TooLarge);
    }
    Ok(())
}

/// One step of a recurrence, forward and backward.
///
/// Cells of this crate have the same sizes as `const fn sizes()` of their own.
pub trait Cell<T: Real>: Copy {
    /// How many elements everything has.
    fn sizes(&self) -> Sizes;

    /// Takes the state from one step to the next; its first elements are the output. `scratch` has at least
    /// [`Sizes::step_scratch`] elements.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice is not as long as the cell says.
    fn step(&self, parameters: &[T], state: &mut [T], input: &[T], scratch: &mut [T]) -> Result<(), ShapeError> {
        let sizes = self.sizes();
        ShapeError::check_length("the parameters", sizes.parameters(), parameters.len())?;
        ShapeError::check_length("the state", sizes.state(), state.len())?;
        ShapeError::check_length("the input", sizes.inputs, input.len())?;
        ShapeError::check_capacity("the scratch", sizes.step_scratch(), scratch.len())?;
        let mut scratch = scratch;
        let gates = cut_mut(&mut scratch, sizes.gates);
        self.advance(parameters, state, input, gates, scratch);
        Ok(())
    }

    /// Fills the parameters: W uniform after Xavier, U orthogonal, gate by gate; biases 0, but 1 for an LSTM's forget gate,
    /// without which the gradient of c halves with every step.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when there are not [`Sizes::parameters`].
    fn initialise(&self, generator: &mut impl Generator, parameters: &mut [T]) -> Result<(), ShapeError>;

    /// Lists the parameters with their gradients, weights and biases apart, for clipping and optimisers.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when there are not [`Sizes::parameters`] of each.
    fn list<'a>(
        &self,
        values: &'a mut [T],
        gradient: &'a mut [T],
        each: &mut dyn FnMut(Parameter<'a, T>),
    ) -> Result<(), ShapeError> {
        let sizes = self.sizes();
        ShapeError::check_length("the parameters", sizes.parameters(), values.len())?;
        ShapeError::check_length("the gradient of the parameters", sizes.parameters(), gradient.len())?;
        let (weights, biases) = split_mut(values, sizes.weights);
        let (d_weights, d_biases) = split_mut(gradient, sizes.weights);
        each(Parameter::weights(weights, d_weights)?);
        each(Parameter::bias(biases, d_biases)?);
        Ok(())
    }

    /// The step itself, for slices that were checked: writes the gates, moves the state in place.
    #[doc(hidden)]
    fn advance(&self, parameters: &[T], state: &mut [T], input: &[T], gates: &mut [T], scratch: &mut [T]);

    /// One step back: `d_state`, ∂L/∂ of the state behind the step, becomes that of the state before it; ∂L/∂x and
    /// ∂L/∂parameters are added.
    #[doc(hidden)]
    fn retreat(
        &self,
        parameters: &[T],
        step: &Step<'_, T>,
        d_state: &mut [T],
        d_input: Option<&mut [T]>,
        d_parameters: Option<&mut [T]>,
        scratch: &mut [T],
    );
}

/// What backward knows of a step.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Step<'a, T> {
    pub input: &'a [T],
    /// h before the step.
    pub h_before: &'a [T],
    /// The rest of the state before the step.
    pub memory_before: &'a [T],
    /// h behind the step.
    pub h: &'a [T],
    /// The rest of the state behind the step.
    pub memory: &'a [T],
    pub gates: &'a [T],
}

/// Fills `gates` matrices W `[hidden][inputs]` after Xavier, and as many matrices U `[hidden][outputs]`, orthogonal.
fn initialise_gates<T: Real>(
    gates: usize,
    (inputs, hidden, outputs): (usize, usize, usize),
    generator: &mut impl Generator,
    parameters: &mut [T],
) -> Result<(), ShapeError> {
    let fans = Fans { input: inputs, output: hidden };
    init::xavier_uniform(fans, generator, part_mut(parameters, 0, gates * hidden * inputs));
    let recurrent = part_mut(parameters, gates * hidden * inputs, gates * hidden * outputs);
    for matrix in vectors_mut(recurrent, hidden * outputs) {
        init::orthogonal(hidden, outputs, T::ONE, generator, matrix)?;
    }
    Ok(())
}

/// A matrix and vectors: the products that every cell is made of.
#[inline]
fn add_product<T: Number>(weights: &[T], start: usize, input: &[T], output: &mut [T]) {
    let weights = part(weights, start, input.len() * output.len());
    T::rows_dot(weights, input.len(), input, output);
}

/// `d_input += Wᵀ δ`.
#[inline]
fn add_transposed<T: Number>(weights: &[T], start: usize, delta: &[T], d_input: &mut [T]) {
    let weights = part(weights, start, delta.len() * d_input.len());
    T::rows_transposed(weights, d_input.len(), delta, d_input);
}

/// `∂L/∂W += δ xᵀ`.
#[inline]
fn add_outer<T: Number>(d_weights: &mut [T], start: usize, delta: &[T], input: &[T]) {
    let d_weights = part_mut(d_weights, start, delta.len() * input.len());
    T::rows_outer(d_weights, input.len(), delta, input);
}

/// `sum += addend`.
#[inline]
fn add<T: Number>(sum: &mut [T], addend: &[T]) {
    for (sum, &addend) in sum.iter_mut().zip(addend) {
        *sum += addend;
    }
}

/// Copies as far as both reach.
#[inline]
fn copy<T: Number>(to: &mut [T], from: &[T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

//! A cell over a sequence: forward, backpropagation through time (BPTT), truncated BPTT.
//!
//! - Layout: input `[steps][inputs]`, output `[steps][outputs]`; stash `[state at the start | per step: memory, gates]`, or
//!   without the gates ([`Keep::States`]).
//! - Backward goes once from the last step to the first, O(steps): what the textbook writes as Σ_t Σ_{k≤t} is carried along in
//!   ∂L/∂state. Gradients accumulate.
//! - Truncated with a window of at least the sequence's length is the full one, bit for bit: it is the same code.
//! - Held by: tests/host/gradient/recurrent.rs, the recorded `rnn_*`, `lstm_*`, `gru_*` (tests/host/golden/float.rs),
//!   textbook rows 6.2 to 6.5.

use smolnn_core::ShapeError;

use super::{Cell, Keep, Sizes, Step, add, copy};
use crate::Real;
use crate::slices::{check_optional, cut, cut_mut, part, part_mut, quotient, vectors, vectors_mut};

/// Where a backward pass through a sequence **adds** its gradients; `None` where one is not wanted.
#[derive(Debug)]
pub struct SequenceGradients<'a, T> {
    /// ∂L/∂x of every step, as long as the input.
    pub input: Option<&'a mut [T]>,
    /// ∂L/∂ of all parameters, in their layout: weights first, biases behind.
    pub parameters: Option<&'a mut [T]>,
}

impl<T> Default for SequenceGradients<'_, T> {
    fn default() -> Self {
        Self { input: None, parameters: None }
    }
}

/// What a forward pass over a sequence saw and left, for the way back.
#[derive(Clone, Copy, Debug)]
pub struct Tape<'a, T> {
    /// x of every step.
    pub input: &'a [T],
    /// h of every step.
    pub output: &'a [T],
    /// What forward kept besides.
    pub stash: &'a [T],
}

/// The memory of one window of [`Sequence::truncated`]; its contents do not matter.
#[derive(Debug)]
pub struct WindowMemory<'a, T> {
    /// h of every step of the window.
    pub output: &'a mut [T],
    /// [`Sizes::stash`] of the window.
    pub stash: &'a mut [T],
    /// ∂L/∂ of the state; left at the start of the **last** window: ∂L/∂h₀ where there is only one.
    pub d_state: &'a mut [T],
    /// [`Sizes::scratch`].
    pub scratch: &'a mut [T],
}

/// A cell over a number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence<C> {
    /// The cell.
    pub cell: C,
    pub(super) steps: usize,
    pub(super) keep: Keep,
}

impl<C: Copy> Sequence<C> {
    /// `steps` steps, with a stash of the given kind.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(cell: C, steps: usize, keep: Keep) -> Result<Self, ShapeError> {
        match steps {
            0 => Err(ShapeError::Zero("the steps of the sequence")),
            1..0x100_0000 => Ok(Self { cell, steps, keep }),
            _ => Err(ShapeError::TooLarge),
        }
    }

    /// Steps.
    pub const fn steps(&self) -> usize {
        self.steps
    }

    /// Runs the cell from `state`, which goes on to the end of the sequence. No stash: nothing can be learnt from it.
    /// `scratch` has at least [`Sizes::step_scratch`] elements.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice is not as long as cell and steps say.
    pub fn infer<T: Real>(
        &self,
        parameters: &[T],
        state: &mut [T],
        input: &[T],
        output: &mut [T],
        scratch: &mut [T],
    ) -> Result<(), ShapeError>
    where
        C: Cell<T>,
    {
        let sizes = self.cell.sizes();
        self.check(&sizes, parameters, state, input, output)?;
        ShapeError::check_capacity("the scratch", sizes.step_scratch(), scratch.len())?;
        let mut scratch = scratch;
        let gates = cut_mut(&mut scratch, sizes.gates);
        for (x, y) in vectors(input, sizes.inputs).zip(vectors_mut(output, sizes.outputs)) {
            self.cell.advance(parameters, state, x, gates, scratch);
            copy(y, state);
        }
        Ok(())
    }

    /// Runs the cell from `state`, which goes on to the end of the sequence, and keeps in `stash` what
    /// [`backward`](Self::backward) needs. Lengths: [`Sizes::stash`], [`Sizes::scratch`].
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice is not as long as cell and steps say.
    pub fn forward<T: Real>(
        &self,
        parameters: &[T],
        state: &mut [T],
        input: &[T],
        output: &mut [T],
        stash: &mut [T],
        scratch: &mut [T],
    ) -> Result<(), ShapeError>
    where
        C: Cell<T>,
    {
        let sizes = self.cell.sizes();
        self.check(&sizes, parameters, state, input, output)?;
        ShapeError::check_length("the stash", sizes.stash(self.steps, self.keep), stash.len())?;
        ShapeError::check_capacity("the scratch", sizes.scratch(self.keep), scratch.len())?;
        self.run(Track::whole(self.steps, &sizes), parameters, state, input, output, stash, scratch);
        Ok(())
    }

    /// Goes back through the sequence that [`forward`](Self::forward) ran, with the same parameters, input, output and
    /// stash. `d_output` is ∂L/∂output of every step, `None` for zeros. `d_state` is ∂L/∂ of the state at the end, h and
    /// the rest of it, and becomes ∂L/∂ of the state at the start: h₀, c₀.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice is not as long as cell and steps say.
    pub fn backward<T: Real>(
        &self,
        parameters: &[T],
        tape: &Tape<'_, T>,
        d_state: &mut [T],
        d_output: Option<&[T]>,
        gradients: SequenceGradients<'_, T>,
        scratch: &mut [T],
    ) -> Result<(), ShapeError>
    where
        C: Cell<T>,
    {
        check_optional("the gradient of the output", tape.output.len(), d_output)?;
        let outputs = self.cell.sizes().outputs;
        let upstream = |step: usize, _: &[T], d_h: &mut [T]| {
            if let Some(d_output) = d_output {
                add(d_h, part(d_output, step * outputs, outputs));
            }
        };
        self.backward_with(parameters, tape, d_state, upstream, gradients, scratch)
    }

    /// [`backward`](Self::backward) with ∂L/∂output of one step at a time, so that no buffer holds them all:
    /// `upstream(step, h, d_h)` **adds** ∂L/∂h to `d_h`, for the last step first. A dense layer and a loss on each output
    /// fit in there.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice is not as long as cell and steps say.
    pub fn backward_with<T: Real>(
        &self,
        parameters: &[T],
        tape: &Tape<'_, T>,
        d_state: &mut [T],
        upstream: impl FnMut(usize, &[T], &mut [T]),
        gradients: SequenceGradients<'_, T>,
        scratch: &mut [T],
    ) -> Result<(), ShapeError>
    where
        C: Cell<T>,
    {
        let sizes = self.cell.sizes();
        let Tape { input, output, stash } = *tape;
        self.check(&sizes, parameters, d_state, input, output)?;
        ShapeError::check_length("the stash", sizes.stash(self.steps, self.keep), stash.len())?;
        ShapeError::check_capacity("the scratch", sizes.scratch(self.keep), scratch.len())?;
        check_optional("the gradient of the input", input.len(), gradients.input.as_deref())?;
        check_optional("the gradient of the parameters", parameters.len(), gradients.parameters.as_deref())?;
        let track = Track::whole(self.steps, &sizes);
        self.run_back(track, parameters, tape, d_state, upstream, gradients, scratch);
        Ok(())
    }

    /// Truncated BPTT over a sequence of any length in windows of [`steps`](Self::steps): each window goes forward from
    /// where the last one ended and back to its own start, so that memory is that of a window. `state` is carried on.
    /// `upstream(step, h, d_h)` adds ∂L/∂h for the steps of a window, its last first.
    ///
    /// To step the optimiser after every window, call [`forward`](Self::forward) and [`backward`](Self::backward) window by
    /// window; the state is carried on as well.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice is not as long as cell and steps say, or the input has not whole steps.
    pub fn truncated<T: Real>(
        &self,
        parameters: &[T],
        state: &mut [T],
        input: &[T],
        memory: WindowMemory<'_, T>,
        mut upstream: impl FnMut(usize, &[T], &mut [T]),
        gradients: SequenceGradients<'_, T>,
    ) -> Result<(), ShapeError>
    where
        C: Cell<T>,
    {
        let sizes = self.cell.sizes();
        let WindowMemory { output, stash, d_state, scratch } = memory;
        let SequenceGradients { input: mut d_input, parameters: mut d_parameters } = gradients;
        check_optional("the gradient of the input", input.len(), d_input.as_deref())?;
        ShapeError::check_length("the output of a window", self.steps * sizes.outputs, output.len())?;
        ShapeError::check_length("the stash", sizes.stash(self.steps, self.keep), stash.len())?;
        let whole = input.len().checked_next_multiple_of(sizes.inputs).unwrap_or(input.len());
        ShapeError::check_length("the input, in whole steps", whole, input.len())?;
        let (mut first, mut rest) = (0, input);
        while !rest.is_empty() {
            let length = rest.len().min(self.steps * sizes.inputs);
            let x = cut(&mut rest, length);
            let steps = quotient(x.len(), sizes.inputs);
            let window = Sequence { cell: self.cell, steps, keep: self.keep };
            let y = part_mut(output, 0, steps * sizes.outputs);
            let stash = part_mut(stash, 0, sizes.stash(steps, self.keep));
            window.forward(parameters, state, x, y, stash, scratch)?;
            d_state.fill(T::ZERO);
            let gradients = SequenceGradients {
                input: d_input.as_mut().map(|d| cut_mut(d, x.len())),
                parameters: d_parameters.as_deref_mut(),
            };
            let upstream = |step: usize, h: &[T], d_h: &mut [T]| upstream(first + step, h, d_h);
            let tape = Tape { input: x, output: y, stash };
            window.backward_with(parameters, &tape, d_state, upstream, gradients, scratch)?;
            first += steps;
        }
        Ok(())
    }

    fn check<T: Real>(
        &self,
        sizes: &Sizes,
        parameters: &[T],
        state: &[T],
        input: &[T],
        output: &[T],
    ) -> Result<(), ShapeError> {
        ShapeError::check_length("the parameters", sizes.parameters(), parameters.len())?;
        ShapeError::check_length("the state", sizes.state(), state.len())?;
        ShapeError::check_length("the input", self.steps.saturating_mul(sizes.inputs), input.len())?;
        ShapeError::check_length("the output", self.steps.saturating_mul(sizes.outputs), output.len())
    }

    /// The body of [`forward`](Self::forward).
    pub(super) fn run<T: Real>(
        &self,
        track: Track,
        parameters: &[T],
        state: &mut [T],
        input: &[T],
        output: &mut [T],
        stash: &mut [T],
        scratch: &mut [T],
    ) where
        C: Cell<T>,
    {
        let sizes = self.cell.sizes();
        let (mut stash, mut scratch) = (stash, scratch);
        copy(cut_mut(&mut stash, sizes.state()), state);
        let spare = match self.keep {
            Keep::Gates => &mut [],
            Keep::States => cut_mut(&mut scratch, sizes.gates),
        };
        for step in 0..self.steps {
            let memory = cut_mut(&mut stash, sizes.memory);
            let gates = match self.keep {
                Keep::Gates => cut_mut(&mut stash, sizes.gates),
                Keep::States => &mut *spare,
            };
            let x = part(input, track.at(step) * sizes.inputs, sizes.inputs);
            self.cell.advance(parameters, state, x, gates, scratch);
            copy(part_mut(output, track.output(step), sizes.outputs), state);
            copy(memory, part(state, sizes.outputs, sizes.memory));
        }
    }

    /// The body of [`backward_with`](Self::backward_with).
    pub(super) fn run_back<T: Real>(
        &self,
        track: Track,
        parameters: &[T],
        tape: &Tape<'_, T>,
        d_state: &mut [T],
        mut upstream: impl FnMut(usize, &[T], &mut [T]),
        gradients: SequenceGradients<'_, T>,
        scratch: &mut [T],
    ) where
        C: Cell<T>,
    {
        let sizes = self.cell.sizes();
        let SequenceGradients { input: mut d_input, parameters: mut d_parameters } = gradients;
        let Tape { input, output, mut stash } = *tape;
        let mut scratch = scratch;
        let mut start = cut(&mut stash, sizes.state());
        let (h_start, memory_start) = (cut(&mut start, sizes.outputs), start);
        let (spare_gates, spare_state) = match self.keep {
            Keep::Gates => (&mut [][..], &mut [][..]),
            Keep::States => (cut_mut(&mut scratch, sizes.gates), cut_mut(&mut scratch, sizes.state())),
        };
        let row = sizes.stash_row(self.keep);
        for step in (0..self.steps).rev() {
            let at = track.at(step);
            let x = part(input, at * sizes.inputs, sizes.inputs);
            let h = part(output, track.output(step), sizes.outputs);
            let memory = part(stash, step * row, sizes.memory);
            let (h_before, memory_before) = match step.checked_sub(1) {
                None => (h_start, memory_start),
                Some(before) => {
                    (part(output, track.output(before), sizes.outputs), part(stash, before * row, sizes.memory))
                }
            };
            let gates = match self.keep {
                Keep::Gates => part(stash, step * row + sizes.memory, sizes.gates),
                Keep::States => {
                    copy(spare_state, h_before);
                    copy(part_mut(spare_state, sizes.outputs, sizes.memory), memory_before);
                    self.cell.advance(parameters, spare_state, x, spare_gates, scratch);
                    &*spare_gates
                }
            };
            upstream(at, h, part_mut(d_state, 0, sizes.outputs));
            let step = Step { input: x, h_before, memory_before, h, memory, gates };
            let d_x = d_input.as_deref_mut().map(|d| part_mut(d, at * sizes.inputs, sizes.inputs));
            self.cell.retreat(parameters, &step, d_state, d_x, d_parameters.as_deref_mut(), scratch);
        }
    }
}

/// In which order the steps come, and where their outputs lie: a bidirectional layer runs from the end, and shares the
/// output's rows between its two cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub steps: usize,
    pub reversed: bool,
    /// Elements from one output to the next.
    pub stride: usize,
    /// Of the first output.
    pub offset: usize,
}

impl Track {
    fn whole(steps: usize, sizes: &Sizes) -> Self {
        Self { steps, reversed: false, stride: sizes.outputs, offset: 0 }
    }

    /// Where in the sequence the step lies.
    fn at(&self, step: usize) -> usize {
        if self.reversed { self.steps - 1 - step } else { step }
    }

    /// Where its output begins.
    fn output(&self, step: usize) -> usize {
        self.at(step) * self.stride + self.offset
    }
}

//! Two cells over one sequence, one from each end.
//!
//! - Layout: parameters, state and stash `[from the start | from the end]`; output `[steps][2·outputs]`, in each row first the
//!   output of the cell from the start, then that of the cell from the end, which has seen this step and all behind it.
//! - Held by: tests/host/gradient/recurrent.rs, `gru_bidir_T16` golden.

use smolnn_core::ShapeError;

use super::sequence::Track;
use super::{Cell, Keep, Sequence, SequenceGradients, Sizes, Tape, add};
use crate::Real;
use crate::slices::{check_optional, cut, cut_mut, part};

/// A cell from the start, and one of the same shape with parameters of its own from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bidirectional<C> {
    sequence: Sequence<C>,
}

impl Sizes {
    /// The stash of a [`Bidirectional`] sequence; its parameters, state and output are twice the cell's, its scratch is
    /// the cell's.
    pub const fn bidirectional_stash(&self, steps: usize, keep: Keep) -> usize {
        self.stash(steps, keep).saturating_mul(2)
    }
}

impl<C: Copy> Bidirectional<C> {
    /// Both cells over `steps` steps, with a stash of the given kind.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(cell: C, steps: usize, keep: Keep) -> Result<Self, ShapeError> {
        match Sequence::new(cell, steps, keep) {
            Ok(sequence) => Ok(Self { sequence }),
            Err(error) => Err(error),
        }
    }

    /// Runs both cells, each from its part of `state`, which goes on to its end of the sequence.
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
        let sizes = self.check(parameters, state, input, output, stash, scratch)?;
        let (mut parameters, mut state, mut stash) = (parameters, state, stash);
        for track in self.tracks(&sizes) {
            let parameters = cut(&mut parameters, sizes.parameters());
            let state = cut_mut(&mut state, sizes.state());
            let stash = cut_mut(&mut stash, self.stash(&sizes));
            self.sequence.run(track, parameters, state, input, output, stash, scratch);
        }
        Ok(())
    }

    /// Goes back through what [`forward`](Self::forward) ran. `d_output` is ∂L/∂output of every step, `None` for zeros;
    /// `d_state` is ∂L/∂ of both states at their ends, and becomes that at their starts.
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
        let Tape { input, output, stash } = *tape;
        let sizes = self.check(parameters, d_state, input, output, stash, scratch)?;
        check_optional("the gradient of the output", output.len(), d_output)?;
        check_optional("the gradient of the input", input.len(), gradients.input.as_deref())?;
        check_optional("the gradient of the parameters", parameters.len(), gradients.parameters.as_deref())?;
        let (mut parameters, mut d_state, mut stash) = (parameters, d_state, stash);
        let SequenceGradients { input: mut d_input, parameters: mut d_parameters } = gradients;
        for track in self.tracks(&sizes) {
            let parameters = cut(&mut parameters, sizes.parameters());
            let d_state = cut_mut(&mut d_state, sizes.state());
            let stash = cut(&mut stash, self.stash(&sizes));
            let gradients = SequenceGradients {
                input: d_input.as_deref_mut(),
                parameters: d_parameters.as_mut().map(|d| cut_mut(d, sizes.parameters())),
            };
            let upstream = |at: usize, _: &[T], d_h: &mut [T]| {
                if let Some(d_output) = d_output {
                    add(d_h, part(d_output, at * track.stride + track.offset, sizes.outputs));
                }
            };
            let tape = Tape { input, output, stash };
            self.sequence.run_back(track, parameters, &tape, d_state, upstream, gradients, scratch);
        }
        Ok(())
    }

    fn tracks(&self, sizes: &Sizes) -> [Track; 2] {
        [false, true].map(|reversed| Track {
            steps: self.sequence.steps,
            reversed,
            stride: 2 * sizes.outputs,
            offset: if reversed { sizes.outputs } else { 0 },
        })
    }

    fn stash(&self, sizes: &Sizes) -> usize {
        sizes.stash(self.sequence.steps, self.sequence.keep)
    }

    fn check<T: Real>(
        &self,
        parameters: &[T],
        state: &[T],
        input: &[T],
        output: &[T],
        stash: &[T],
        scratch: &[T],
    ) -> Result<Sizes, ShapeError>
    where
        C: Cell<T>,
    {
        let (sizes, steps, keep) = (self.sequence.cell.sizes(), self.sequence.steps, self.sequence.keep);
        ShapeError::check_length("the parameters", 2 * sizes.parameters(), parameters.len())?;
        ShapeError::check_length("the state", 2 * sizes.state(), state.len())?;
        ShapeError::check_length("the input", steps.saturating_mul(sizes.inputs), input.len())?;
        ShapeError::check_length("the output", steps.saturating_mul(2 * sizes.outputs), output.len())?;
        ShapeError::check_length("the stash", sizes.bidirectional_stash(steps, keep), stash.len())?;
        ShapeError::check_capacity("the scratch", sizes.scratch(keep), scratch.len())?;
        Ok(sizes)
    }
}

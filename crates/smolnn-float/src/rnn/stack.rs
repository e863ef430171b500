//! Two cells, one on the other: a cell again, so that stacks of any height and kind are stacks of stacks.
//!
//! - Layout: parameters `[lower | upper]`; state `[upper | lower]`, so that the output, which comes first, is the upper
//!   one's; gates `[upper | lower]`.
//! - Forward: h_lower = lower(x), h = upper(h_lower). Backward: the upper first; its ∂L/∂input is added to ∂L/∂h_lower.
//! - Held by: tests/host/gradient/recurrent.rs, `lstm_2layer_T16` golden.

use smolnn_core::ShapeError;

use super::{Cell, Sizes, Step};
use crate::random::Generator;
use crate::slices::{cut, cut_mut, part, part_mut};
use crate::{Parameter, Real};

/// `lower` on the input, `upper` on its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack<L, U> {
    lower: L,
    upper: U,
}

impl<L, U> Stack<L, U> {
    /// Two cells that fit.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the lower one has not as many outputs as the upper one has inputs.
    pub fn new<T: Real>(lower: L, upper: U) -> Result<Self, ShapeError>
    where
        L: Cell<T>,
        U: Cell<T>,
    {
        ShapeError::check_length("the inputs of the upper cell", lower.sizes().outputs, upper.sizes().inputs)?;
        Ok(Self { lower, upper })
    }

    /// The lower cell.
    pub const fn lower(&self) -> &L {
        &self.lower
    }

    /// The upper cell.
    pub const fn upper(&self) -> &U {
        &self.upper
    }
}

impl Sizes {
    /// Of a [`Stack`] of cells with these sizes, the lower one first.
    #[must_use]
    pub const fn under(&self, upper: &Self) -> Self {
        Self {
            inputs: self.inputs,
            outputs: upper.outputs,
            memory: upper.memory + self.state(),
            gates: upper.gates + self.gates,
            weights: self.weights + upper.weights,
            biases: self.biases + upper.biases,
            macs: self.macs + upper.macs,
            work: if self.work > upper.work { self.work } else { upper.work },
        }
    }
}

impl<T: Real, L: Cell<T>, U: Cell<T>> Cell<T> for Stack<L, U> {
    fn sizes(&self) -> Sizes {
        self.lower.sizes().under(&self.upper.sizes())
    }

    fn initialise(&self, generator: &mut impl Generator, parameters: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the parameters", self.sizes().parameters(), parameters.len())?;
        let mut parameters = parameters;
        self.lower.initialise(generator, cut_mut(&mut parameters, self.lower.sizes().parameters()))?;
        self.upper.initialise(generator, parameters)
    }

    fn list<'a>(
        &self,
        values: &'a mut [T],
        gradient: &'a mut [T],
        each: &mut dyn FnMut(Parameter<'a, T>),
    ) -> Result<(), ShapeError> {
        let (mut values, mut gradient) = (values, gradient);
        let length = self.lower.sizes().parameters();
        self.lower.list(cut_mut(&mut values, length), cut_mut(&mut gradient, length), each)?;
        self.upper.list(values, gradient, each)
    }

    fn advance(&self, parameters: &[T], state: &mut [T], input: &[T], gates: &mut [T], scratch: &mut [T]) {
        let (lower, upper) = (self.lower.sizes(), self.upper.sizes());
        let mut parameters = parameters;
        let lower_parameters = cut(&mut parameters, lower.parameters());
        let (mut lower_state, mut gates) = (state, gates);
        let upper_state = cut_mut(&mut lower_state, upper.state());
        let upper_gates = cut_mut(&mut gates, upper.gates);
        self.lower.advance(lower_parameters, lower_state, input, gates, scratch);
        self.upper.advance(parameters, upper_state, part(lower_state, 0, lower.outputs), upper_gates, scratch);
    }

    fn retreat(
        &self,
        parameters: &[T],
        step: &Step<'_, T>,
        d_state: &mut [T],
        d_input: Option<&mut [T]>,
        d_parameters: Option<&mut [T]>,
        scratch: &mut [T],
    ) {
        let (lower, upper) = (self.lower.sizes(), self.upper.sizes());
        let mut parameters = parameters;
        let lower_parameters = cut(&mut parameters, lower.parameters());
        let (lower_d_parameters, upper_d_parameters) = match d_parameters {
            Some(mut d) => (Some(cut_mut(&mut d, lower.parameters())), Some(d)),
            None => (None, None),
        };
        let (mut memory_before, mut memory, mut gates) = (step.memory_before, step.memory, step.gates);
        let upper_memory_before = cut(&mut memory_before, upper.memory);
        let upper_memory = cut(&mut memory, upper.memory);
        let upper_gates = cut(&mut gates, upper.gates);
        let lower_step = Step {
            input: step.input,
            h_before: cut(&mut memory_before, lower.outputs),
            memory_before,
            h: cut(&mut memory, lower.outputs),
            memory,
            gates,
        };
        let upper_step = Step {
            input: lower_step.h,
            h_before: step.h_before,
            memory_before: upper_memory_before,
            h: step.h,
            memory: upper_memory,
            gates: upper_gates,
        };
        let mut d_lower = d_state;
        let d_upper = cut_mut(&mut d_lower, upper.state());
        let d_between = Some(part_mut(d_lower, 0, lower.outputs));
        self.upper.retreat(parameters, &upper_step, d_upper, d_between, upper_d_parameters, scratch);
        self.lower.retreat(lower_parameters, &lower_step, d_lower, d_input, lower_d_parameters, scratch);
    }
}

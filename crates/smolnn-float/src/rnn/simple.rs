//! Simple recurrent cells: Elman's, and the residual one.
//!
//! - Layout: parameters `[W [hidden][inputs] | U [hidden][hidden] | b [hidden]]`; state h.
//! - Forward: a = f(W·x + U·h + b) with f tanh, ReLU or the identity. Elman: h′ = a. Residual: h′ = h + a, so that
//!   ∂h_t/∂h_k = Π_{i=t}^{k+1} (I + ∂a_i/∂h_{i−1}), in that order.
//! - Backward, δ = f′(z) ⊙ ∂L/∂h′ with f′ from a: ∂L/∂W += δ xᵀ, ∂L/∂U += δ hᵀ, ∂L/∂b += δ, ∂L/∂x = Wᵀ δ, ∂L/∂h = Uᵀ δ,
//!   for the residual cell plus ∂L/∂h′.
//! - Gates in the stash: none for Elman's cell (the output tells f′), a for the residual one.
//! - Held by: tests/host/gradient/recurrent.rs, textbook rows 6.1 to 6.3, `rnn_*` goldens.

use core::marker::PhantomData;

use smolnn_core::ShapeError;

use super::{Cell, Sizes, Step, add, add_outer, add_product, add_transposed, check, copy, initialise_gates};
use crate::Real;
use crate::random::Generator;
use crate::slices::{behind_mut, cut, cut_mut, part};

/// What a simple cell applies to its sum.
pub trait Activation: Copy + Send + Sync + 'static {
    /// f of every element.
    fn apply<T: Real>(z: &[T], y: &mut [T]);
    /// f′(z), from y = f(z).
    fn derivative<T: Real>(y: T) -> T;
}

/// Hyperbolic tangent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tanh;

/// max(0, z); its derivative at 0 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relu;

/// The identity: a linear recurrence, such as a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear;

impl Activation for Tanh {
    fn apply<T: Real>(z: &[T], y: &mut [T]) {
        T::tanh_slice(z, y);
    }
    fn derivative<T: Real>(y: T) -> T {
        T::ONE - y * y
    }
}

impl Activation for Relu {
    fn apply<T: Real>(z: &[T], y: &mut [T]) {
        for (y, &z) in y.iter_mut().zip(z) {
            *y = if z > T::ZERO { z } else { T::ZERO };
        }
    }
    fn derivative<T: Real>(y: T) -> T {
        if y > T::ZERO { T::ONE } else { T::ZERO }
    }
}

impl Activation for Linear {
    fn apply<T: Real>(z: &[T], y: &mut [T]) {
        copy(y, z);
    }
    fn derivative<T: Real>(_: T) -> T {
        T::ONE
    }
}

/// Elman's cell, h′ = f(W·x + U·h + b).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimpleRnn<A = Tanh> {
    inputs: usize,
    hidden: usize,
    activation: PhantomData<A>,
}

/// The residual cell, h′ = h + f(W·x + U·h + b).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResidualRnn<A = Tanh> {
    inputs: usize,
    hidden: usize,
    activation: PhantomData<A>,
}

macro_rules! simple {
    ($name:ident, $stashed:literal) => {
        impl<A> $name<A> {
            /// A cell of `hidden` units for `inputs` inputs.
            ///
            /// # Errors
            /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
            pub const fn new(inputs: usize, hidden: usize) -> Result<Self, ShapeError> {
                match check(inputs, hidden) {
                    Ok(()) => Ok(Self { inputs, hidden, activation: PhantomData }),
                    Err(error) => Err(error),
                }
            }

            /// How many elements everything has.
            pub const fn sizes(&self) -> Sizes {
                let weights = self.hidden * (self.inputs + self.hidden);
                Sizes {
                    inputs: self.inputs,
                    outputs: self.hidden,
                    memory: 0,
                    gates: $stashed * self.hidden,
                    weights,
                    biases: self.hidden,
                    macs: weights,
                    work: self.hidden,
                }
            }

            /// z = W·x + U·h + b.
            #[inline]
            fn sum<T: Real>(&self, parameters: &[T], h: &[T], input: &[T], z: &mut [T]) {
                let Sizes { weights, biases, .. } = self.sizes();
                copy(z, part(parameters, weights, biases));
                add_product(parameters, 0, input, z);
                add_product(parameters, self.hidden * self.inputs, h, z);
            }

            /// What follows from δ: everything but the path past the cell.
            #[inline]
            fn spread<T: Real>(
                &self,
                parameters: &[T],
                step: &Step<'_, T>,
                delta: &[T],
                d_h: &mut [T],
                d_input: Option<&mut [T]>,
                d_parameters: Option<&mut [T]>,
            ) {
                let recurrent = self.hidden * self.inputs;
                if let Some(d_input) = d_input {
                    add_transposed(parameters, 0, delta, d_input);
                }
                if let Some(d_parameters) = d_parameters {
                    add_outer(d_parameters, 0, delta, step.input);
                    add_outer(d_parameters, recurrent, delta, step.h_before);
                    add(behind_mut(d_parameters, self.sizes().weights), delta);
                }
                add_transposed(parameters, recurrent, delta, d_h);
            }
        }
    };
}

simple!(SimpleRnn, 0);
simple!(ResidualRnn, 1);

impl<A: Activation, T: Real> Cell<T> for SimpleRnn<A> {
    fn sizes(&self) -> Sizes {
        self.sizes()
    }

    fn initialise(&self, generator: &mut impl Generator, parameters: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the parameters", self.sizes().parameters(), parameters.len())?;
        parameters.fill(T::ZERO);
        initialise_gates(1, (self.inputs, self.hidden, self.hidden), generator, parameters)
    }

    fn advance(&self, parameters: &[T], state: &mut [T], input: &[T], _: &mut [T], scratch: &mut [T]) {
        let mut scratch = scratch;
        let z = cut_mut(&mut scratch, self.hidden);
        self.sum(parameters, state, input, z);
        A::apply(z, state);
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
        let mut scratch = scratch;
        let delta = cut_mut(&mut scratch, self.hidden);
        for ((delta, d), &h) in delta.iter_mut().zip(d_state.iter_mut()).zip(step.h) {
            *delta = *d * A::derivative(h);
            *d = T::ZERO;
        }
        self.spread(parameters, step, delta, d_state, d_input, d_parameters);
    }
}

impl<A: Activation, T: Real> Cell<T> for ResidualRnn<A> {
    fn sizes(&self) -> Sizes {
        self.sizes()
    }

    fn initialise(&self, generator: &mut impl Generator, parameters: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the parameters", self.sizes().parameters(), parameters.len())?;
        parameters.fill(T::ZERO);
        initialise_gates(1, (self.inputs, self.hidden, self.hidden), generator, parameters)
    }

    fn advance(&self, parameters: &[T], state: &mut [T], input: &[T], gates: &mut [T], scratch: &mut [T]) {
        let mut scratch = scratch;
        let z = cut_mut(&mut scratch, self.hidden);
        self.sum(parameters, state, input, z);
        A::apply(z, gates);
        add(state, gates);
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
        let mut scratch = scratch;
        let delta = cut_mut(&mut scratch, self.hidden);
        let mut gates = step.gates;
        let a = cut(&mut gates, self.hidden);
        for ((delta, &d), &a) in delta.iter_mut().zip(d_state.iter()).zip(a) {
            *delta = d * A::derivative(a);
        }
        // ∂L/∂h′ stays in d_state: the path past the cell.
        self.spread(parameters, step, delta, d_state, d_input, d_parameters);
    }
}

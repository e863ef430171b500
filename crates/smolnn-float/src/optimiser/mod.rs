//! Optimisers: how gradients become steps. State is the caller's, one or two elements per parameter or none.
//!
//! Weight decay is decoupled in all of them (Loshchilov and Hutter): W ← (1 − η·λ)·W before the step, for the
//! [`Parameter`]s that decay, so that Adam with decay is AdamW and SGD with decay is L2 regularisation. λ starts at 0.
//!
//! ```
//! use smolnn_float::Parameter;
//! use smolnn_float::optimiser::{Adam, Optimiser};
//!
//! let (mut weights, mut gradient) = ([1.0_f32, -2.0], [0.5, -0.5]);
//! let mut state = [0.0; Adam::<f32>::state_len(2)];
//! let mut adam = Adam::new(0.1);
//! adam.step(&mut [Parameter::weights(&mut weights, &mut gradient)?], &mut state)?;
//! assert!((weights[0] - 0.9).abs() < 1e-6 && (weights[1] + 1.9).abs() < 1e-6); // the first step has length 0.1
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```

mod adagrad;
mod adam;
mod momentum;
mod rms_prop;
mod schedule;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use momentum::Momentum;
pub use rms_prop::RmsProp;
pub use schedule::{Anneal, Schedule};
pub use sgd::Sgd;
use smolnn_core::ShapeError;

use crate::parameter::elements;
use crate::slices::part_mut;
use crate::{Parameter, Real};

/// Turns gradients into steps.
pub trait Optimiser<T: Real> {
    /// Elements of state per parameter.
    const STATES: usize;

    /// Sets the learning rate η, for a [`Schedule`].
    fn set_rate(&mut self, rate: T);

    /// η and λ.
    #[doc(hidden)]
    fn rate_and_decay(&self) -> (T, T);

    /// What happens once per step, before all tensors.
    #[doc(hidden)]
    fn begin(&mut self) {}

    /// Moves one tensor; the state is [`STATES`](Self::STATES) tensors as long as it, one behind the other.
    #[doc(hidden)]
    fn update(&self, values: &mut [T], gradient: &[T], state: &mut [T]);

    /// Takes one step with all parameters. `state` has `STATES` elements per parameter, starts as zeros, and belongs to
    /// the same list of parameters from step to step. Gradients stay as they are.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the state is not as long as that.
    fn step(&mut self, parameters: &mut [Parameter<'_, T>], state: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the optimiser's state", Self::STATES * elements(parameters), state.len())?;
        self.begin();
        let (rate, decay) = self.rate_and_decay();
        let kept = T::ONE - rate * decay;
        let mut start = 0;
        for parameter in parameters {
            if parameter.decays && decay != T::ZERO {
                for value in parameter.values.iter_mut() {
                    *value *= kept;
                }
            }
            let length = Self::STATES * parameter.values.len();
            self.update(parameter.values, parameter.gradient, part_mut(state, start, length));
            start += length;
        }
        Ok(())
    }
}

/// What the optimisers share: the size of their state, η and λ.
macro_rules! optimiser {
    ($name:ident, $states:literal) => {
        impl<T: crate::Real> $name<T> {
            /// Elements of state for that many parameters.
            pub const fn state_len(parameters: usize) -> usize {
                $states * parameters
            }

            /// The same with decoupled weight decay λ.
            #[must_use]
            pub fn decay(mut self, decay: T) -> Self {
                self.decay = decay;
                self
            }
        }
    };
}
use optimiser;

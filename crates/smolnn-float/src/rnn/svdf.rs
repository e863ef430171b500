//! SVDF: a dense layer whose weights are a product of two vectors per filter, one over the inputs and one over time, for
//! inference, with the layout and arithmetic of TensorFlow Lite.
//!
//! - Layout: feature weights `[filters][inputs]`, time weights `[filters][memory]`, bias `[units]`, filters = units · rank;
//!   state `[filters][memory]`, the oldest step first.
//! - Step: every filter's state moves by one step and ends in its product `feature · x`;
//!   `y[u] = b[u] + Σ_r time[u·rank + r] · state[u·rank + r]`, clamped to the bounds of the activation.
//! - Error: a sum of n products in f32 is within n·2⁻²³ times the sum of their sizes of the real one.
//! - Held by: random shapes and sequences against naive loops in f64 (tests/host/registry/float_inference.rs).

use core::slice;

use smolnn_core::{ShapeError, forget_oldest};

use crate::Real;
use crate::elementwise::Bounds;
use crate::slices::{check_optional, vectors, vectors_mut};

/// Sizes of an SVDF layer, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Svdf {
    inputs: usize,
    units: usize,
    rank: usize,
    memory: usize,
}

impl Svdf {
    /// A layer of `units` units, each the sum of `rank` filters over `memory` steps of `inputs` inputs.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(inputs: usize, units: usize, rank: usize, memory: usize) -> Result<Self, ShapeError> {
        const LARGEST: usize = 1 << 15;
        if inputs == 0 || units == 0 || rank == 0 || memory == 0 {
            return Err(ShapeError::Zero("a dimension of the SVDF"));
        }
        if inputs > LARGEST || units > LARGEST || rank > LARGEST || memory > LARGEST {
            return Err(ShapeError::TooLarge);
        }
        match (units as u64 * rank as u64).checked_mul(if inputs > memory { inputs as u64 } else { memory as u64 }) {
            Some(length) if length < 1 << 31 => Ok(Self { inputs, units, rank, memory }),
            _ => Err(ShapeError::TooLarge),
        }
    }

    /// Elements of one input.
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Elements of one output.
    pub const fn units(&self) -> usize {
        self.units
    }

    /// Filters: units × rank.
    pub const fn filters(&self) -> usize {
        self.units * self.rank
    }

    /// Elements of the state; zeros at the start.
    pub const fn state(&self) -> usize {
        self.filters() * self.memory
    }

    /// Takes one step.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice is not as long as the layer says.
    pub fn step<T: Real>(
        &self,
        weights: &SvdfWeights<'_, T>,
        bounds: &Bounds<T>,
        state: &mut [T],
        input: &[T],
        output: &mut [T],
    ) -> Result<(), ShapeError> {
        let Self { inputs, units, rank, memory } = *self;
        ShapeError::check_length("the feature weights", self.filters() * inputs, weights.feature.len())?;
        ShapeError::check_length("the time weights", self.filters() * memory, weights.time.len())?;
        check_optional("the bias", units, weights.bias)?;
        ShapeError::check_length("the state", self.state(), state.len())?;
        ShapeError::check_length("the input", inputs, input.len())?;
        ShapeError::check_length("the output", units, output.len())?;
        match weights.bias {
            Some(bias) => super::copy(output, bias),
            None => output.fill(T::ZERO),
        }
        // The states move in one run, over whose ends the newest products are written.
        forget_oldest(state);
        let features = vectors(weights.feature, rank * inputs);
        let times = vectors(weights.time, rank * memory);
        for ((y, states), (features, times)) in
            output.iter_mut().zip(vectors_mut(state, rank * memory)).zip(features.zip(times))
        {
            let filters = vectors(features, inputs).zip(vectors(times, memory));
            for (state, (feature, time)) in vectors_mut(states, memory).zip(filters) {
                if let Some(newest) = state.last_mut() {
                    *newest = T::ZERO;
                    T::rows_dot(feature, inputs, input, slice::from_mut(newest));
                }
                T::rows_dot(time, memory, state, slice::from_mut(y));
            }
            *y = bounds.apply(*y);
        }
        Ok(())
    }
}

/// The weights of an [`Svdf`].
#[derive(Clone, Copy, Debug)]
pub struct SvdfWeights<'a, T> {
    /// `[filters][inputs]`.
    pub feature: &'a [T],
    /// `[filters][memory]`.
    pub time: &'a [T],
    /// One per unit; zeros where there is none.
    pub bias: Option<&'a [T]>,
}

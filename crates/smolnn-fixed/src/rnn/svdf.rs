//! SVDF, int8 with int16 or int8 state, as TensorFlow Lite Micro computes it: a dense layer to features, and for every
//! feature a filter over its last `memory` values; the filters of `rank` features add up to a unit.
//!
//! - feature = sat(M_1 · W_f (x − z_x)), M_1 = s_x · s_f / s_state; no bias. The state holds feature + z_s: with int16
//!   saturated once more, with int8 wrapped, as the reference does.
//! - y\[u\] = clamp(z_y + M_2 · (b_u + Σ_r Σ_m w_t[u·rank + r, m] · (state[u·rank + r, m] − z_s))), M_2 = s_state · s_t / s_y.
//! - An int8 state starts from z_s, an int16 one from 0: see [`Svdf::start`]. Zero points of weights do not count.
//! - Layout: state `[features][memory]`, oldest first; time weights the same.
//! - Formats: with int16 state the time weights are int16; the sum is i32 and wraps as the reference's.
//! - The fused activation that a model may name is not applied, since the reference does not: the clamp is int8's range.
//! - Rounding: [`Multiplier::apply`].
//! - Held by: `svdf_*` goldens (tests/host/golden/recurrent.rs).

use smolnn_core::{ShapeError, excluded, excluded_run};

use crate::backend::{Bodies, Chosen};
use crate::dense::{DenseToInt16, dense_to_int16};
use crate::element::Element;
use crate::quantise::{Multiplier, OutputRange, clamp};

/// An SVDF layer with its packed weights, checked.
#[derive(Clone, Copy, Debug)]
pub struct Svdf<'a, S> {
    features: DenseToInt16<'a>,
    pub(crate) time_weights: &'a [S],
    pub(crate) bias: &'a [i32],
    pub(crate) memory: usize,
    pub(crate) rank: usize,
    pub(crate) multiplier: Multiplier,
    pub(crate) output: OutputRange,
    pub(crate) state_zero_point: i32,
}

impl<'a, S: Element> Svdf<'a, S> {
    /// A layer of `features` (with M_1 in its channels), `time_weights` `[features][memory]`, a bias per unit or none, M_2, and
    /// the zero point of the state.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit each other, or the output lies outside of int8.
    pub const fn new(
        features: DenseToInt16<'a>,
        time_weights: &'a [S],
        bias: &'a [i32],
        memory: usize,
        rank: usize,
        multiplier: Multiplier,
        output: OutputRange,
        state_zero_point: i32,
    ) -> Result<Self, ShapeError> {
        if memory == 0 || rank == 0 {
            return Err(ShapeError::Zero("memory or rank of the SVDF"));
        }
        let count = features.shape.outputs();
        if !count.is_multiple_of(rank) {
            return Err(ShapeError::Range("the features of the SVDF are no multiple of its rank"));
        }
        if let Err(error) = ShapeError::check_product(&[count, memory]) {
            return Err(error);
        }
        if let Err(error) = ShapeError::check_length("the time weights", count * memory, time_weights.len()) {
            return Err(error);
        }
        if !bias.is_empty()
            && let Err(error) = ShapeError::check_length("the bias", count / rank, bias.len())
        {
            return Err(error);
        }
        if let Err(error) = output.check_int8(0) {
            return Err(error);
        }
        if state_zero_point < S::LEAST || state_zero_point > S::LARGEST {
            return Err(ShapeError::Range("a zero point lies outside of the tensor's type"));
        }
        Ok(Self { features, time_weights, bias, memory, rank, multiplier, output, state_zero_point })
    }

    /// What every element of the state starts from.
    pub fn start(&self) -> S {
        if size_of::<S>() == 1 { S::wrap(self.state_zero_point) } else { S::default() }
    }

    /// Elements of the state.
    pub const fn state_len(&self) -> usize {
        self.features.shape.outputs() * self.memory
    }

    /// Elements of the output.
    pub const fn units(&self) -> usize {
        match self.features.shape.outputs().checked_div(self.rank) {
            Some(units) => units,
            None => 0,
        }
    }

    /// Words of scratch memory that the layer needs.
    pub const fn scratch_words(&self) -> usize {
        self.features.shape.outputs().div_ceil(2) + self.features.scratch_words()
    }
}

/// Runs one step. The state starts from [`Svdf::start`]. `scratch` has at least [`Svdf::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn step<S: Element>(
    layer: &Svdf<'_, S>,
    state: &mut [S],
    input: &[i8],
    output: &mut [i8],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the state", layer.state_len(), state.len())?;
    ShapeError::check_length("the output", layer.units(), output.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words(), scratch.len())?;
    let count = layer.features.shape.outputs();
    let Some((features, scratch)) = scratch.split_at_mut_checked(count.div_ceil(2)) else { return excluded_run() };
    let features: &mut [i16] = bytemuck::must_cast_slice_mut(features);
    let Some(features) = features.get_mut(..count) else { return excluded_run() };
    dense_to_int16(&layer.features, input, features, scratch)?;
    // All histories move in one run, over whose ends the newest features are written.
    Chosen::forget_oldest(state);
    for (history, &feature) in state.chunks_exact_mut(layer.memory.max(1)).zip(features.iter()) {
        let feature = clamp(i32::from(feature), S::LEAST, S::LARGEST) + layer.state_zero_point;
        let newest = S::wrap(if size_of::<S>() == 1 { feature } else { clamp(feature, S::LEAST, S::LARGEST) });
        if let Some(last) = history.last_mut() {
            *last = newest;
        }
    }
    Chosen::filters(layer, state, output);
    Ok(())
}

/// Runs the filter of every unit over its histories, whose newest values are there.
pub(crate) fn filters_portable<S: Element>(layer: &Svdf<'_, S>, state: &[S], output: &mut [i8]) {
    let filter = (layer.memory * layer.rank).max(1);
    let (mut histories, mut filters) = (state.chunks_exact(filter), layer.time_weights.chunks_exact(filter));
    for (unit, result) in output.iter_mut().enumerate() {
        let (Some(history), Some(weights)) = (histories.next(), filters.next()) else { return excluded() };
        let bias = layer.bias.get(unit).copied().unwrap_or(0);
        let mut sum = history.iter().zip(weights).fold(bias, |sum, (&value, &weight)| {
            let (value, weight): (i32, i32) = (value.into(), weight.into());
            sum.wrapping_add(value * weight)
        });
        // Σ (v − z)·w = Σ v·w − z·Σ w, modulo 2^32 as well. int16 states have no zero point as a rule.
        if layer.state_zero_point != 0 {
            let weights = weights.iter().fold(0_i32, |sum, &weight| sum.wrapping_add(weight.into()));
            sum = sum.wrapping_sub(layer.state_zero_point.wrapping_mul(weights));
        }
        *result = layer.output.finish(layer.multiplier.apply(sum)) as i8;
    }
}

/// Runs one step of several sequences, one state, input and output behind the other: as many as the state's length says.
///
/// # Errors
/// The errors are those of [`step`].
pub fn step_batch<S: Element>(
    layer: &Svdf<'_, S>,
    state: &mut [S],
    input: &[i8],
    output: &mut [i8],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (inputs, units, length) = (layer.features.shape.inputs(), layer.units(), layer.state_len().max(1));
    let batch = state.len().checked_div(length).unwrap_or(0);
    ShapeError::check_length("the state", batch * length, state.len())?;
    ShapeError::check_length("the input", batch.saturating_mul(inputs), input.len())?;
    ShapeError::check_length("the output", batch.saturating_mul(units), output.len())?;
    let vectors = input.chunks_exact(inputs.max(1)).zip(output.chunks_exact_mut(units.max(1)));
    for ((input, output), state) in vectors.zip(state.chunks_exact_mut(length.max(1))) {
        step(layer, state, input, output, scratch)?;
    }
    Ok(())
}

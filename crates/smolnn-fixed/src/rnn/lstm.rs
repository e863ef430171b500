//! LSTM, int8 or int16 inputs and outputs, int8 weights, int16 cell, as TensorFlow Lite Micro computes
//! UNIDIRECTIONAL_SEQUENCE_LSTM. The two differ in the products and in the range of h, and share the rest.
//!
//! Per step, with gates i, f, g (the cell's candidate), o and a = sat16 of each sum and product named:
//!
//! - gate = sat16(a(M_x · (W (x − z_x) + b)) + a(M_h · R (h − z_h))) in Q3.12, M = s · s_w · 2^12; with int16 inputs
//!   z_x = z_h = 0 and b has 64 bits;
//! - i, f, o = sigmoid, g = tanh by the interpolation of [`act`](crate::act), in Q0.15;
//! - c = a(a(2^−15 · f·c) + a(2^−30 / s_c · i·g)), clipped to ±min(⌊clip / s_c⌋, 32767) where the model clips; s_c is a power of two;
//! - h = clamp(2^−30 / s_h · tanh(c)·o + z_h), to the type of h.
//!
//! - Layout: x `[time][inputs]`, h and c `[hidden]`, output `[time][hidden]`, for one sequence at a time; W and R hold the
//!   rows of the gates i, f, g, o one behind the other.
//! - Rounding: [`Multiplier::apply`] (double) everywhere but in the products of int16 inputs, whose sums have 64 bits:
//!   [`Multiplier::apply_i64`] (single).
//! - Not there, and refused by the importer: peephole, projection, layer normalisation, coupled input and forget gates.
//! - Held by: `lstm_*` goldens, with traces where there are some, and random cells against the naive oracle
//!   (tests/host/golden/recurrent.rs, tests/host/golden/models.rs).

use core::fmt::Debug;

use smolnn_core::{DenseShape, SequenceOrder, ShapeError, excluded_run, shape};

use super::{BatchSizes, run_batch};
use crate::act::{Interpolation, logistic_q12, tanh_value};
use crate::dense::{DenseToInt16, dense_to_int16};
use crate::dense_int16::{DenseInt16, dense_int16};
use crate::element::Element;
use crate::quantise::{Affine, Multiplier, OutputRange, clamp, rounding_shift_right};

/// The gates, in the order of their rows.
const GATES: usize = 4;

/// What inputs, state h and outputs of an LSTM consist of: int8 or int16.
pub trait Activation: Element {
    /// A dense layer from such inputs to int16.
    type Products<'a>: Copy + Debug;
    /// Runs one, on one vector.
    ///
    /// # Errors
    /// [`ShapeError`] when input, output or scratch have other lengths than the shape says.
    fn products(
        layer: &Self::Products<'_>,
        input: &[Self],
        output: &mut [i16],
        scratch: &mut [u32],
    ) -> Result<(), ShapeError>;
}

impl Activation for i8 {
    type Products<'a> = DenseToInt16<'a>;
    #[inline(always)]
    fn products(
        layer: &DenseToInt16<'_>,
        input: &[Self],
        output: &mut [i16],
        scratch: &mut [u32],
    ) -> Result<(), ShapeError> {
        dense_to_int16(layer, input, output, scratch)
    }
}

impl Activation for i16 {
    type Products<'a> = DenseInt16<'a>;
    #[inline(always)]
    fn products(layer: &DenseInt16<'_>, input: &[Self], output: &mut [i16], _: &mut [u32]) -> Result<(), ShapeError> {
        dense_int16(layer, input, output)
    }
}

/// An LSTM with its weights, checked: of int8 activations unless `S` says int16.
#[derive(Clone, Copy, Debug)]
pub struct Lstm<'a, S: Activation = i8> {
    input: S::Products<'a>,
    recurrent: S::Products<'a>,
    inputs: usize,
    hidden: usize,
    scratch_words: usize,
    steps: usize,
    update: Update,
}

/// What follows the products of a step, checked.
#[derive(Clone, Copy, Debug)]
struct Update {
    cell: Interpolation,
    /// i·g · 2^−30 / s_c is a halving, half up, and a shift to the right by this, both rounded.
    shift: u32,
    /// The cell stays within −limit − below ..= limit: the clip, or int16's range.
    limit: i32,
    below: i32,
    output: Multiplier,
    range: OutputRange,
}

impl Update {
    /// The arguments of [`Lstm::new`]; h has the whole range of `least..=largest`.
    const fn new(
        cell_scale_log2: i32,
        cell_clip: f32,
        output: Affine,
        (least, largest): (i32, i32),
    ) -> Result<Self, ShapeError> {
        if let Err(error) = output.check(least, largest) {
            return Err(error);
        }
        let cell = match Interpolation::tanh_of_power(cell_scale_log2) {
            Ok(cell) => cell,
            Err(error) => return Err(error),
        };
        let scale = 1.0 / (1_u64 << -cell_scale_log2) as f64;
        if cell_clip.is_nan() || cell_clip < 0.0 || cell_clip as f64 / scale > 2_147_483_647.0 {
            return Err(ShapeError::Range("the clip of the cell is not a number from 0 on"));
        }
        let clip = (cell_clip as f64 / scale) as i32;
        // As in the reference, a clip of less than a step of the cell leaves only 0, and one beyond int16 still takes −32768 away.
        let clips = cell_clip > 0.0;
        let unit = 1.0 / (1_u64 << 30) as f64;
        let multiplier = match Multiplier::try_from_f64(unit / output.scale as f64) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self {
            cell,
            shift: (29 + cell_scale_log2) as u32,
            limit: if clips && clip < 32767 { clip } else { 32767 },
            below: if clips { 0 } else { 1 },
            output: multiplier,
            range: OutputRange { zero_point: output.zero_point, minimum: least, maximum: largest },
        })
    }
}

/// Checks that the products of the gates fit each other.
const fn check_gates(steps: usize, input: &DenseShape, recurrent: &DenseShape) -> Result<(), ShapeError> {
    if steps == 0 {
        return Err(ShapeError::Zero("the steps of the LSTM"));
    }
    if let Err(error) = ShapeError::check_product(&[steps, input.inputs()]) {
        return Err(error);
    }
    if let Err(error) = ShapeError::check_product(&[steps, recurrent.inputs()]) {
        return Err(error);
    }
    let outputs = GATES * recurrent.inputs();
    if let Err(error) = ShapeError::check_length("the recurrent gates", outputs, recurrent.outputs()) {
        return Err(error);
    }
    ShapeError::check_length("the input's gates", outputs, input.outputs())
}

impl<'a> Lstm<'a> {
    /// An LSTM of int8 activations over `steps` steps. `input` has 4 · hidden outputs: W and the biases of the gates i, f,
    /// g, o; `recurrent` is R in the same order, from hidden inputs, without biases. The cell's scale is
    /// 2^`cell_scale_log2`; `cell_clip` 0 clips nothing.
    ///
    /// # Errors
    /// [`ShapeError`] when the layers do not fit each other, steps are 0, the cell's scale is not within 2^−15..=1, or the
    /// clip or the output's quantisation is out of range.
    pub const fn new(
        steps: usize,
        input: DenseToInt16<'a>,
        recurrent: DenseToInt16<'a>,
        cell_scale_log2: i32,
        cell_clip: f32,
        output: Affine,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = check_gates(steps, &input.shape, &recurrent.shape) {
            return Err(error);
        }
        let update = match Update::new(cell_scale_log2, cell_clip, output, (-128, 127)) {
            Ok(update) => update,
            Err(error) => return Err(error),
        };
        let (inputs, hidden) = (input.shape.inputs(), recurrent.shape.inputs());
        let (from_input, from_state) = (input.scratch_words(), recurrent.scratch_words());
        let products = if from_input > from_state { from_input } else { from_state };
        Ok(Self { input, recurrent, inputs, hidden, scratch_words: GATES * hidden + products, steps, update })
    }
}

impl<'a> Lstm<'a, i16> {
    /// An LSTM of int16 activations; all as in [`Lstm::new`], and zero points are 0.
    ///
    /// # Errors
    /// The errors are those of [`Lstm::new`], and one when the dense layers take more than one vector or clamp to less than int16.
    pub const fn new_int16(
        steps: usize,
        input: DenseInt16<'a>,
        recurrent: DenseInt16<'a>,
        cell_scale_log2: i32,
        cell_clip: f32,
        output: Affine,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = check_gates(steps, &input.shape, &recurrent.shape) {
            return Err(error);
        }
        if !input.is_whole_vector() || !recurrent.is_whole_vector() {
            return Err(ShapeError::Range("the gates are one vector each, not clamped"));
        }
        let update = match Update::new(cell_scale_log2, cell_clip, output, (-32768, 32767)) {
            Ok(update) => update,
            Err(error) => return Err(error),
        };
        if output.zero_point != 0 {
            return Err(ShapeError::Range("int16 activations have zero point 0"));
        }
        let (inputs, hidden) = (input.shape.inputs(), recurrent.shape.inputs());
        Ok(Self { input, recurrent, inputs, hidden, scratch_words: GATES * hidden, steps, update })
    }
}

impl<S: Activation> Lstm<'_, S> {
    /// Elements of the state h and of the state c.
    pub const fn hidden(&self) -> usize {
        self.hidden
    }

    /// Elements of one input vector.
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Words of scratch memory that the layer needs: two vectors of gates in int16, and what the products take.
    pub const fn scratch_words(&self) -> usize {
        self.scratch_words
    }

    /// The state before the first step: h at its zero point, c at 0.
    pub fn reset(&self, h: &mut [S], c: &mut [i16]) {
        h.fill(S::wrap(self.update.range.zero_point));
        c.fill(0);
    }
}

/// The gates' pre-activations are in Q3.12.
const TANH: Interpolation = shape!(Interpolation::tanh(1.0 / 4096.0));
/// f·c · 2^−15, as `Update::shift`.
const FORGET_SHIFT: u32 = 14;

/// [`Multiplier::apply`] of mantissa 2^30: (v · 2^30 + 2^30) >> 31 = (v + 1) >> 1, then the rounded shift.
#[inline(always)]
fn halve_and_shift(value: i32, shift: u32) -> i16 {
    saturate(rounding_shift_right((value + 1) >> 1, shift))
}

/// Runs the layer over a sequence of its number of steps, `[steps][inputs]` to `[steps][hidden]`; `h` and `c` go on from
/// where they are. `scratch` has at least [`Lstm::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn lstm<S: Activation>(
    layer: &Lstm<'_, S>,
    h: &mut [S],
    c: &mut [i16],
    input: &[S],
    output: &mut [S],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (inputs, hidden) = (layer.inputs(), layer.hidden());
    ShapeError::check_length("the input", layer.steps * inputs, input.len())?;
    ShapeError::check_length("the output", layer.steps * hidden, output.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words(), scratch.len())?;
    for (x, y) in input.chunks_exact(inputs.max(1)).zip(output.chunks_exact_mut(hidden.max(1))) {
        step(layer, h, c, x, scratch)?;
        for (y, &h) in y.iter_mut().zip(h.iter()) {
            *y = h;
        }
    }
    Ok(())
}

/// Runs one step: `h` is the output. `scratch` has at least [`Lstm::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn step<S: Activation>(
    layer: &Lstm<'_, S>,
    h: &mut [S],
    c: &mut [i16],
    input: &[S],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (hidden, update) = (layer.hidden(), &layer.update);
    ShapeError::check_length("the state h", hidden, h.len())?;
    ShapeError::check_length("the state c", hidden, c.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words(), scratch.len())?;
    let Some((gates, scratch)) = scratch.split_at_mut_checked(GATES * hidden) else { return excluded_run() };
    let gates: &mut [i16] = bytemuck::must_cast_slice_mut(gates);
    let Some((from_input, from_state)) = gates.split_at_mut_checked(GATES * hidden) else { return excluded_run() };
    S::products(&layer.input, input, from_input, scratch)?;
    S::products(&layer.recurrent, h, from_state, scratch)?;
    // Sums become gates in place, gate by gate: short loops keep their pointers in registers.
    let (Some((i_f, g_o)), Some((i_f_h, g_o_h))) =
        (from_input.split_at_mut_checked(2 * hidden), from_state.split_at_checked(2 * hidden))
    else {
        return excluded_run();
    };
    let (Some((g, o)), Some((g_h, o_h))) = (g_o.split_at_mut_checked(hidden), g_o_h.split_at_checked(hidden)) else {
        return excluded_run();
    };
    activate(i_f, i_f_h, logistic_q12);
    activate(g, g_h, |sum| tanh_value(TANH, sum));
    activate(o, o_h, logistic_q12);
    let Some((i, f)) = i_f.split_at_mut_checked(hidden) else { return excluded_run() };
    for (c, ((i, g), f)) in c.iter_mut().zip(i.iter().zip(g.iter()).zip(f.iter())) {
        let kept = halve_and_shift(i32::from(*f) * i32::from(*c), FORGET_SHIFT);
        let added = halve_and_shift(i32::from(*i) * i32::from(*g), update.shift);
        *c = clamp(i32::from(kept) + i32::from(added), -update.limit - update.below, update.limit) as i16;
    }
    for (h, (c, o)) in h.iter_mut().zip(c.iter().zip(o.iter())) {
        let squashed = i32::from(tanh_value(update.cell, *c));
        *h = S::wrap(update.range.finish(update.output.apply(squashed * i32::from(*o))));
    }
    Ok(())
}

/// Runs the layer over several sequences of its number of steps, each with a state of its own: `h` and `c` hold one state behind the
/// other, and their length says how many sequences there are. Input and output lie as `order` says; `output` takes h of every step.
/// `scratch` has at least [`Lstm::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn lstm_batch<S: Activation>(
    layer: &Lstm<'_, S>,
    order: SequenceOrder,
    h: &mut [S],
    c: &mut [i16],
    input: &[S],
    output: Option<&mut [S]>,
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (inputs, hidden) = (layer.inputs(), layer.hidden());
    let batch = h.len().checked_div(hidden).unwrap_or(0);
    ShapeError::check_length("the state h", batch * hidden, h.len())?;
    ShapeError::check_length("the state c", batch * hidden, c.len())?;
    let states = h.chunks_exact_mut(hidden.max(1)).zip(c.chunks_exact_mut(hidden.max(1)));
    let sizes = BatchSizes { steps: layer.steps, batch, inputs, outputs: hidden };
    run_batch(order, sizes, states, input, output, |(h, c), x, y| {
        step(layer, h, c, x, scratch)?;
        for (y, &h) in y.into_iter().flatten().zip(h.iter()) {
            *y = h;
        }
        Ok(())
    })
}

/// Adds the sums from the state to those from the input, saturated, and puts `function` in their place.
#[inline(always)]
fn activate(sums: &mut [i16], from_state: &[i16], function: impl Fn(i16) -> i16) {
    for (sum, &from_state) in sums.iter_mut().zip(from_state) {
        *sum = function(sum.saturating_add(from_state));
    }
}

fn saturate(value: i32) -> i16 {
    clamp(value, -32768, 32767) as i16
}

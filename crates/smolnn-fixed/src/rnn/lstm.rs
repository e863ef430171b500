//! LSTM, int8 inputs and outputs, int16 cell, as TensorFlow Lite Micro computes UNIDIRECTIONAL_SEQUENCE_LSTM.
//!
//! Per step, with gates i, f, g (the cell's candidate), o and a = sat16 of each sum and product named:
//!
//! - gate = sat16(a(M_x · (W (x − z_x) + b)) + a(M_h · R (h − z_h))) in Q3.12, M = s · s_w · 2^12;
//! - i, f, o = sigmoid, g = tanh by the interpolation of [`act`](crate::act), in Q0.15;
//! - c = a(a(2^−15 · f·c) + a(2^−30 / s_c · i·g)), clipped to ±⌊clip / s_c⌋ where the model clips; s_c is a power of two;
//! - h = clamp(2^−30 / s_h · tanh(c)·o + z_h).
//!
//! - Layout: x `[time][inputs]`, h and c `[hidden]`, output `[time][hidden]`, for one sequence at a time; W and R hold the
//!   rows of the gates i, f, g, o one behind the other.
//! - Rounding: [`Multiplier::apply`] (double) everywhere.
//! - Not there, and refused by the importer: peephole, projection, layer normalisation, coupled input and forget gates.
//! - Held by: `lstm_*` goldens with their traces (tests/host/tests/recurrent_fixed.rs).

use smolnn_core::ShapeError;

use crate::act::{Interpolation, logistic_value, tanh_value};
use crate::dense::{WideDenseLayer, wide_dense};
use crate::quantise::{Affine, Multiplier, OutputRange, clamp};

/// The gates, in the order of their rows.
const GATES: usize = 4;

/// An LSTM with its packed weights, checked.
#[derive(Clone, Copy, Debug)]
pub struct LstmLayer<'a> {
    input: WideDenseLayer<'a>,
    recurrent: WideDenseLayer<'a>,
    steps: usize,
    gate: (Interpolation, Interpolation),
    cell: Interpolation,
    update: Multiplier,
    cell_clip: i32,
    output: Multiplier,
    range: OutputRange,
}

impl<'a> LstmLayer<'a> {
    /// An LSTM over `steps` steps. `input` has 4 · hidden outputs: W and the biases of the gates i, f, g, o; `recurrent` is R
    /// in the same order, from hidden inputs, without biases. The cell's scale is 2^`cell_scale_log2`; `cell_clip` 0 clips
    /// nothing.
    ///
    /// # Errors
    /// [`ShapeError`] when the layers do not fit each other, steps are 0, the cell's scale is not within 2^−15..=1, or the
    /// clip or the output's quantisation is out of range.
    pub const fn new(
        steps: usize,
        input: WideDenseLayer<'a>,
        recurrent: WideDenseLayer<'a>,
        cell_scale_log2: i32,
        cell_clip: f32,
        output: Affine,
    ) -> Result<Self, ShapeError> {
        let hidden = recurrent.shape.inputs;
        if steps == 0 {
            return Err(ShapeError::Zero("the steps of the LSTM"));
        }
        if steps > 1 << 20 {
            return Err(ShapeError::TooLarge);
        }
        if let Err(error) = ShapeError::check_length("the recurrent gates", GATES * hidden, recurrent.shape.outputs) {
            return Err(error);
        }
        if let Err(error) = ShapeError::check_length("the input's gates", GATES * hidden, input.shape.outputs) {
            return Err(error);
        }
        if let Err(error) = output.check(-128, 127) {
            return Err(error);
        }
        const Q3_12: f32 = 1.0 / 4096.0;
        let (logistic, tanh) = match (Interpolation::logistic(Q3_12), Interpolation::tanh(Q3_12)) {
            (Ok(logistic), Ok(tanh)) => (logistic, tanh),
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let cell = match Interpolation::tanh_of_power(cell_scale_log2) {
            Ok(cell) => cell,
            Err(error) => return Err(error),
        };
        let scale = 1.0 / (1_u64 << -cell_scale_log2) as f64;
        if cell_clip.is_nan() || cell_clip < 0.0 || cell_clip as f64 / scale > 2_147_483_647.0 {
            return Err(ShapeError::Range("the clip of the cell is not a number from 0 on"));
        }
        let unit = 1.0 / (1_u64 << 30) as f64;
        Ok(Self {
            input,
            recurrent,
            steps,
            gate: (logistic, tanh),
            cell,
            update: Multiplier::from_f64(unit / scale),
            cell_clip: (cell_clip as f64 / scale) as i32,
            output: Multiplier::from_f64(unit / output.scale as f64),
            range: OutputRange::int8(output.zero_point),
        })
    }

    /// Elements of the state h and of the state c.
    pub const fn hidden(&self) -> usize {
        self.recurrent.shape.inputs
    }

    /// Elements of one input vector.
    pub const fn inputs(&self) -> usize {
        self.input.shape.inputs
    }

    /// Words of scratch memory that the layer needs.
    pub const fn scratch_words(&self) -> usize {
        let (input, recurrent) = (self.input.scratch_words(), self.recurrent.scratch_words());
        // Two vectors of gates in int16.
        GATES * self.hidden() + if input > recurrent { input } else { recurrent }
    }

    /// The state before the first step: h at its zero point, c at 0.
    pub fn reset(&self, h: &mut [i8], c: &mut [i16]) {
        h.fill(self.range.zero_point as i8);
        c.fill(0);
    }
}

/// Q0.15 · Q-number of the cell's scale, back in that scale.
const FORGET: Multiplier = Multiplier { mantissa: 1 << 30, shift: -14 };

/// Runs the layer over a sequence of its number of steps, `[steps][inputs]` to `[steps][hidden]`; `h` and `c` go on from
/// where they are. `scratch` has at least [`LstmLayer::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn lstm(
    layer: &LstmLayer<'_>,
    h: &mut [i8],
    c: &mut [i16],
    input: &[i8],
    output: &mut [i8],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (inputs, hidden) = (layer.inputs(), layer.hidden());
    ShapeError::check_length("the input", layer.steps * inputs, input.len())?;
    ShapeError::check_length("the output", layer.steps * hidden, output.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words(), scratch.len())?;
    for (x, y) in input.chunks_exact(inputs).zip(output.chunks_exact_mut(hidden)) {
        step(layer, h, c, x, scratch)?;
        for (y, &h) in y.iter_mut().zip(h.iter()) {
            *y = h;
        }
    }
    Ok(())
}

/// Runs one step: `h` is the output. `scratch` has at least [`LstmLayer::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn step(
    layer: &LstmLayer<'_>,
    h: &mut [i8],
    c: &mut [i16],
    input: &[i8],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let hidden = layer.hidden();
    ShapeError::check_length("the state h", hidden, h.len())?;
    ShapeError::check_length("the state c", hidden, c.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words(), scratch.len())?;
    let Some((gates, scratch)) = scratch.split_at_mut_checked(GATES * hidden) else { return Ok(()) };
    let gates: &mut [i16] = bytemuck::must_cast_slice_mut(gates);
    let Some((from_input, from_state)) = gates.split_at_mut_checked(GATES * hidden) else { return Ok(()) };
    wide_dense(&layer.input, input, from_input, scratch)?;
    wide_dense(&layer.recurrent, h, from_state, scratch)?;
    let (logistic, tanh) = layer.gate;
    // Rows of the gates side by side.
    let mut rows = from_input.chunks_exact(hidden).zip(from_state.chunks_exact(hidden));
    let mut row = || rows.next().unwrap_or_default();
    let (i, f, g, o) = (row(), row(), row(), row());
    let gates = i.0.iter().zip(i.1).zip(f.0.iter().zip(f.1)).zip(g.0.iter().zip(g.1).zip(o.0.iter().zip(o.1)));
    for ((h, c), (((i, i_h), (f, f_h)), ((g, g_h), (o, o_h)))) in h.iter_mut().zip(c).zip(gates) {
        let i = i32::from(logistic_value(logistic, i.saturating_add(*i_h)));
        let f = i32::from(logistic_value(logistic, f.saturating_add(*f_h)));
        let g = i32::from(tanh_value(tanh, g.saturating_add(*g_h)));
        let o = i32::from(logistic_value(logistic, o.saturating_add(*o_h)));
        let kept = saturate(FORGET.apply(f * i32::from(*c)));
        let update = saturate(layer.update.apply(i * g));
        let mut cell = kept.saturating_add(update);
        if layer.cell_clip > 0 {
            cell = saturate(clamp(i32::from(cell), -layer.cell_clip, layer.cell_clip));
        }
        *c = cell;
        let squashed = i32::from(tanh_value(layer.cell, cell));
        *h = layer.range.finish(layer.output.apply(squashed * o)) as i8;
    }
    Ok(())
}

/// Runs the layer over several sequences of its number of steps, each with a state of its own: `h` and `c` hold one state behind the
/// other, and their length says how many sequences there are. Input and output are `[sequence][step][..]`, or
/// `[step][sequence][..]` if time comes first. `scratch` has at least [`LstmLayer::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn lstm_batch(
    layer: &LstmLayer<'_>,
    time_first: bool,
    h: &mut [i8],
    c: &mut [i16],
    input: &[i8],
    output: &mut [i8],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (inputs, hidden) = (layer.inputs().max(1), layer.hidden().max(1));
    let batch = h.len().checked_div(hidden).unwrap_or(0);
    ShapeError::check_length("the state h", batch * hidden, h.len())?;
    ShapeError::check_length("the state c", batch * hidden, c.len())?;
    ShapeError::check_length("the input", batch * layer.steps * inputs, input.len())?;
    ShapeError::check_length("the output", batch * layer.steps * hidden, output.len())?;
    if !time_first {
        let sequences = input.chunks_exact(layer.steps * inputs).zip(output.chunks_exact_mut(layer.steps * hidden));
        let states = h.chunks_exact_mut(hidden).zip(c.chunks_exact_mut(hidden));
        for ((input, output), (h, c)) in sequences.zip(states) {
            lstm(layer, h, c, input, output, scratch)?;
        }
        return Ok(());
    }
    let (mut inputs, mut outputs) = (input.chunks_exact(inputs), output.chunks_exact_mut(hidden));
    for _ in 0..layer.steps {
        for (h, c) in h.chunks_exact_mut(hidden).zip(c.chunks_exact_mut(hidden)) {
            let (Some(x), Some(y)) = (inputs.next(), outputs.next()) else { return Ok(()) };
            step(layer, h, c, x, scratch)?;
            for (y, &h) in y.iter_mut().zip(h.iter()) {
                *y = h;
            }
        }
    }
    Ok(())
}

fn saturate(value: i32) -> i16 {
    clamp(value, -32768, 32767) as i16
}

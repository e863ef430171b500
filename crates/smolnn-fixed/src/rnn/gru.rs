//! GRU, int8 inputs and weights, int16 state. No runtime has an integer GRU to follow, so this file is its specification.
//!
//! Numbers: the input int8 with its scale s_x and zero point z_x; the state h int16 in Q0.15; pre-activations int16 in Q3.12;
//! gates int16 in Q0.15. a() saturates to int16, M(·) is [`Multiplier::apply`](crate::quantise::Multiplier::apply) (double
//! rounding), ⌊·⌉ rounds halves up: ⌊v / 2^k⌉ = (v + 2^(k−1)) >> k. σ and tanh are correctly rounded from Q3.12 to Q0.15
//! ([`act`](crate::act)). Per step:
//!
//! 1. q = the state in 8 bits, Q0.7: q = clamp(⌊h / 2^8⌉, −128, 127).
//! 2. u = a(M(W (x − z_x) + b)), for the rows of z, r, n; multiplier s_x · s_W\[row\] · 2^12, bias in s_x · s_W\[row\].
//! 3. v = a(M(U q + b′)); multiplier 2^−7 · s_U\[row\] · 2^12, bias in 2^−7 · s_U\[row\].
//! 4. z = σ(a(u_z + v_z)), r = σ(a(u_r + v_r)).
//! 5. reset after: n = tanh(a(u_n + ⌊r · v_n / 2^15⌉)), v_n from step 3 with its bias b′_n; reset before: the state is
//!    reset and rounded, p = clamp(⌊⌊r · h / 2^15⌉ / 2^8⌉, −128, 127), and n = tanh(a(u_n + a(M(U_n p)))).
//! 6. h = a(n + ⌊z · (h − n) / 2^15⌉): z holds the state, h = z·h + (1 − z)·n, as in Keras and PyTorch. For the other
//!    convention negate W_z, U_z and both biases of z.
//! 7. the output is q of the new state: int8 with scale 2^−7, zero point 0.
//!
//! |z · (h − n)| ≤ 32767 · 65535 < 2^31 − 2^14, so that step 6 fits in i32.
//!
//! - Layout: x `[time][inputs]`, h `[hidden]`, output `[time][hidden]`; the rows of z, r, n one behind the other.
//! - Held by: the integer oracle of the testkit, bit for bit, and a trained network against f64
//!   (tests/host/golden/recurrent.rs).

use smolnn_core::{ShapeError, excluded, excluded_run};

use super::{blend, narrow, rounded_product, sigmoid, tanh};
use crate::dense::{DenseToInt16, dense_to_int16};

/// Where the reset gate acts, with the recurrent weights that go with it.
#[derive(Clone, Copy, Debug)]
pub enum GruRecurrent<'a> {
    /// After the multiplication, as in PyTorch, cuDNN and Keras' default: the rows of z, r, n with biases.
    After(DenseToInt16<'a>),
    /// Before it, the textbook's form.
    Before {
        /// The rows of z, r.
        gates: DenseToInt16<'a>,
        /// The rows of n, multiplied by the reset state.
        candidate: DenseToInt16<'a>,
    },
}

impl GruRecurrent<'_> {
    const fn hidden(&self) -> usize {
        match self {
            Self::After(layer) => layer.shape.inputs(),
            Self::Before { gates, .. } => gates.shape.inputs(),
        }
    }

    const fn scratch_words(&self) -> usize {
        match self {
            Self::After(layer) => layer.scratch_words(),
            Self::Before { gates, candidate } => {
                let (gates, candidate) = (gates.scratch_words(), candidate.scratch_words());
                if gates > candidate { gates } else { candidate }
            }
        }
    }
}

/// A GRU with its packed weights, checked.
#[derive(Clone, Copy, Debug)]
pub struct Gru<'a> {
    input: DenseToInt16<'a>,
    recurrent: GruRecurrent<'a>,
    steps: usize,
}

impl<'a> Gru<'a> {
    /// A GRU over `steps` steps. `input` has 3 · hidden outputs: the rows of z, r, n.
    ///
    /// # Errors
    /// [`ShapeError`] when the layers do not fit each other or steps are 0.
    pub const fn new(steps: usize, input: DenseToInt16<'a>, recurrent: GruRecurrent<'a>) -> Result<Self, ShapeError> {
        if steps == 0 {
            return Err(ShapeError::Zero("the steps of the GRU"));
        }
        let hidden = recurrent.hidden();
        if let Err(error) = ShapeError::check_product(&[steps, input.shape.inputs()]) {
            return Err(error);
        }
        if let Err(error) = ShapeError::check_product(&[steps, hidden]) {
            return Err(error);
        }
        if let Err(error) = ShapeError::check_length("the input's gates", 3 * hidden, input.shape.outputs()) {
            return Err(error);
        }
        let checked = match &recurrent {
            GruRecurrent::After(layer) => {
                ShapeError::check_length("the recurrent gates", 3 * hidden, layer.shape.outputs())
            }
            GruRecurrent::Before { gates, candidate } => {
                if candidate.shape.inputs() != hidden || candidate.shape.outputs() != hidden {
                    Err(ShapeError::Range("the candidate of the GRU is not hidden x hidden"))
                } else {
                    ShapeError::check_length("the recurrent gates", 2 * hidden, gates.shape.outputs())
                }
            }
        };
        match checked {
            Ok(()) => Ok(Self { input, recurrent, steps }),
            Err(error) => Err(error),
        }
    }

    /// Elements of the state.
    pub const fn hidden(&self) -> usize {
        self.recurrent.hidden()
    }

    /// Elements of one input vector.
    pub const fn inputs(&self) -> usize {
        self.input.shape.inputs()
    }

    /// Words of scratch memory that the layer needs.
    pub const fn scratch_words(&self) -> usize {
        let (input, recurrent) = (self.input.scratch_words(), self.recurrent.scratch_words());
        // Two times three gates in int16, the state in int8.
        3 * self.hidden() + self.hidden().div_ceil(4) + if input > recurrent { input } else { recurrent }
    }
}

impl super::Cell for Gru<'_> {
    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> usize {
        self.inputs()
    }

    fn hidden(&self) -> usize {
        self.hidden()
    }

    fn step(&self, h: &mut [i16], input: &[i8], scratch: &mut [u32]) -> Result<(), ShapeError> {
        step(self, h, input, scratch)
    }
}

/// Runs the layer over a sequence of its number of steps, `[steps][inputs]` to `[steps][hidden]`; `h` goes on from where it
/// is, 0 at the start. `scratch` has at least [`Gru::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn gru(
    layer: &Gru<'_>,
    h: &mut [i16],
    input: &[i8],
    output: &mut [i8],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    let (inputs, hidden) = (layer.inputs(), layer.hidden());
    ShapeError::check_length("the input", layer.steps * inputs, input.len())?;
    ShapeError::check_length("the output", layer.steps * hidden, output.len())?;
    for (x, y) in input.chunks_exact(inputs.max(1)).zip(output.chunks_exact_mut(hidden.max(1))) {
        step(layer, h, x, scratch)?;
        for (y, &h) in y.iter_mut().zip(h.iter()) {
            *y = narrow(h);
        }
    }
    Ok(())
}

/// Runs one step: the new state is the output. `scratch` has at least [`Gru::scratch_words`] words.
///
/// # Errors
/// [`ShapeError::Length`] when a slice has another length than the layer says.
pub fn step(layer: &Gru<'_>, h: &mut [i16], input: &[i8], scratch: &mut [u32]) -> Result<(), ShapeError> {
    let hidden = layer.hidden();
    ShapeError::check_length("the state", hidden, h.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words(), scratch.len())?;
    let Some((gates, scratch)) = scratch.split_at_mut_checked(3 * hidden) else { return excluded_run() };
    let Some((narrowed, scratch)) = scratch.split_at_mut_checked(hidden.div_ceil(4)) else { return excluded_run() };
    let gates: &mut [i16] = bytemuck::must_cast_slice_mut(gates);
    let narrowed: &mut [i8] = bytemuck::must_cast_slice_mut(narrowed);
    let (Some(narrowed), Some((from_input, from_state))) =
        (narrowed.get_mut(..hidden), gates.split_at_mut_checked(3 * hidden))
    else {
        return excluded_run();
    };
    dense_to_int16(&layer.input, input, from_input, scratch)?;
    for (q, &h) in narrowed.iter_mut().zip(h.iter()) {
        *q = narrow(h);
    }
    match &layer.recurrent {
        GruRecurrent::After(recurrent) => dense_to_int16(recurrent, narrowed, from_state, scratch)?,
        GruRecurrent::Before { gates, candidate } => {
            let Some((v, v_n)) = from_state.split_at_mut_checked(2 * hidden) else { return excluded_run() };
            dense_to_int16(gates, narrowed, v, scratch)?;
            let u_r = from_input.iter().skip(hidden);
            for ((q, &h), (&u, &v)) in narrowed.iter_mut().zip(h.iter()).zip(u_r.zip(v.iter().skip(hidden))) {
                *q = narrow(rounded_product(sigmoid(u, v), h));
            }
            dense_to_int16(candidate, narrowed, v_n, scratch)?;
        }
    }
    let after = matches!(layer.recurrent, GruRecurrent::After(_));
    let of = |gate: usize| {
        let rows = gate * hidden..(gate + 1) * hidden;
        (from_input.get(rows.clone()).unwrap_or_else(excluded), from_state.get(rows).unwrap_or_else(excluded))
    };
    let (z, r, n) = (of(0), of(1), of(2));
    let units = z.0.iter().zip(z.1).zip(r.0.iter().zip(r.1)).zip(n.0.iter().zip(n.1));
    for (h, (((&u_z, &v_z), (&u_r, &v_r)), (&u_n, &v_n))) in h.iter_mut().zip(units) {
        let z = sigmoid(u_z, v_z);
        // Reset before: v_n is the product with the reset state already.
        let v_n = if after { rounded_product(sigmoid(u_r, v_r), v_n) } else { v_n };
        let n = tanh(u_n, v_n);
        *h = blend(z, *h, n);
    }
    Ok(())
}

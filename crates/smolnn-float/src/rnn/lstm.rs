//! Long short-term memory, optionally with peepholes and a projection.
//!
//! - Layout: parameters `[W [4·hidden][inputs] | U [4·hidden][outputs] | p_i, p_f, p_o [hidden] each, with peepholes |
//!   P [outputs][hidden], with a projection | b [4·hidden]]`; gates in the order i, f, g (candidate), o, as PyTorch, Keras and
//!   TensorFlow Lite have them; state `[h [outputs] | c [hidden]]`, outputs = hidden without a projection.
//! - Forward: i, f = σ(W x + U h + b [+ p ⊙ c]), g = tanh(W_g x + U_g h + b_g), c′ = f ⊙ c + i ⊙ g,
//!   o = σ(W_o x + U_o h + b_o [+ p_o ⊙ c′]), m = o ⊙ tanh(c′), h′ = m or P m.
//! - Backward, with d_h, d_c = ∂L/∂h′, ∂L/∂c′: d_m = d_h or Pᵀ d_h, δ_o = d_m ⊙ tanh(c′) ⊙ o(1 − o),
//!   d_c += d_m ⊙ o ⊙ (1 − tanh²(c′)) [+ p_o ⊙ δ_o], δ_f = d_c ⊙ c ⊙ f(1 − f), δ_i = d_c ⊙ g ⊙ i(1 − i),
//!   δ_g = d_c ⊙ i ⊙ (1 − g²); ∂W += δ xᵀ, ∂U += δ hᵀ, ∂b += δ, ∂P += d_h mᵀ, ∂p_i += δ_i ⊙ c, ∂p_f += δ_f ⊙ c,
//!   ∂p_o += δ_o ⊙ c′, ∂x = Wᵀ δ, **∂h = Uᵀ δ, ∂c = d_c ⊙ f** [+ p_i ⊙ δ_i + p_f ⊙ δ_f]. The last is the path on which an
//!   LSTM remembers.
//! - Stash: i, f, g, o and c′; tanh(c′) is computed again, with the same bits.
//! - Held by: tests/host/gradient/recurrent.rs, textbook row 6.4, `lstm_*` goldens.

use smolnn_core::ShapeError;

use super::{Cell, Sizes, Step, add, add_outer, add_product, add_transposed, check, copy, initialise_gates};
use crate::random::Generator;
use crate::slices::{cut, cut_mut, part, part_mut, split, split_mut};
use crate::{Real, init};

/// A long short-term memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lstm {
    inputs: usize,
    hidden: usize,
    /// 0 without a projection.
    projected: usize,
    peephole: bool,
}

/// Where the parts of the parameters begin.
pub(super) struct Offsets {
    pub recurrent: usize,
    pub peephole: usize,
    pub projection: usize,
    pub bias: usize,
}

impl Lstm {
    /// A cell of `hidden` units for `inputs` inputs.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(inputs: usize, hidden: usize) -> Result<Self, ShapeError> {
        match check(inputs, hidden) {
            Ok(()) => Ok(Self { inputs, hidden, projected: 0, peephole: false }),
            Err(error) => Err(error),
        }
    }

    /// The same with peepholes: i and f see c, o sees the new c.
    #[must_use]
    pub const fn peephole(mut self) -> Self {
        self.peephole = true;
        self
    }

    /// The same with an output of `outputs` elements, P·m.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn projection(mut self, outputs: usize) -> Result<Self, ShapeError> {
        match check(self.inputs, outputs) {
            Ok(()) => {
                self.projected = outputs;
                Ok(self)
            }
            Err(error) => Err(error),
        }
    }

    /// Units: elements of c.
    pub const fn hidden(&self) -> usize {
        self.hidden
    }

    const fn outputs(&self) -> usize {
        if self.projected > 0 { self.projected } else { self.hidden }
    }

    pub(super) const fn offsets(&self) -> Offsets {
        let recurrent = 4 * self.hidden * self.inputs;
        let peephole = recurrent + 4 * self.hidden * self.outputs();
        let projection = peephole + if self.peephole { 3 * self.hidden } else { 0 };
        Offsets { recurrent, peephole, projection, bias: projection + self.projected * self.hidden }
    }

    /// How many elements everything has.
    pub const fn sizes(&self) -> Sizes {
        let weights = self.offsets().bias;
        Sizes {
            inputs: self.inputs,
            outputs: self.outputs(),
            memory: self.hidden,
            gates: 4 * self.hidden,
            weights,
            biases: 4 * self.hidden,
            macs: weights,
            work: if self.projected > 0 { 7 * self.hidden } else { 5 * self.hidden },
        }
    }

    /// p_i, p_f, p_o; empty without peepholes.
    fn peepholes<'a, T>(&self, parameters: &'a [T]) -> [&'a [T]; 3] {
        if !self.peephole {
            return [&[]; 3];
        }
        let Offsets { peephole, projection, .. } = self.offsets();
        let mut all = part(parameters, peephole, projection - peephole);
        [cut(&mut all, self.hidden), cut(&mut all, self.hidden), all]
    }
}

/// `sum += a ⊙ b`.
#[inline]
fn add_products<T: Real>(sum: &mut [T], a: &[T], b: &[T]) {
    for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
        *sum += a * b;
    }
}

impl Lstm {
    /// One step on the two parts of the state, h and c, each a slice of its own; `clip` sees the new c.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "a step of the recurrence, its state in two parts")]
    pub(super) fn advance_parts<T: Real>(
        &self,
        parameters: &[T],
        h: &mut [T],
        c: &mut [T],
        input: &[T],
        gates: &mut [T],
        scratch: &mut [T],
        clip: impl Fn(&mut [T]),
    ) {
        let hidden = self.hidden;
        let Offsets { recurrent, projection, bias, .. } = self.offsets();
        let mut scratch = scratch;
        let (mut sums, m) = (cut_mut(&mut scratch, 4 * hidden), cut_mut(&mut scratch, hidden));
        copy(sums, part(parameters, bias, 4 * hidden));
        add_product(parameters, 0, input, sums);
        add_product(parameters, recurrent, h, sums);
        let [p_i, p_f, p_o] = self.peepholes(parameters);
        add_products(part_mut(sums, 0, hidden), p_i, c);
        add_products(part_mut(sums, hidden, hidden), p_f, c);
        let (sums_if, sums_g) = (cut_mut(&mut sums, 2 * hidden), cut_mut(&mut sums, hidden));
        let mut gates = gates;
        let (input_forget, g) = (cut_mut(&mut gates, 2 * hidden), cut_mut(&mut gates, hidden));
        T::sigmoid_slice(sums_if, input_forget);
        T::tanh_slice(sums_g, g);
        let (i, f) = split(input_forget, hidden);
        for (((c, &i), &f), &g) in c.iter_mut().zip(i).zip(f).zip(g.iter()) {
            *c = f * *c + i * g;
        }
        clip(c);
        add_products(sums, p_o, c);
        T::sigmoid_slice(sums, gates);
        T::tanh_slice(c, m);
        for (m, &o) in m.iter_mut().zip(gates.iter()) {
            *m *= o;
        }
        if self.projected > 0 {
            h.fill(T::ZERO);
            add_product(parameters, projection, m, h);
        } else {
            copy(h, m);
        }
    }
}

impl<T: Real> Cell<T> for Lstm {
    fn sizes(&self) -> Sizes {
        self.sizes()
    }

    fn initialise(&self, generator: &mut impl Generator, parameters: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the parameters", self.sizes().parameters(), parameters.len())?;
        let Offsets { projection, bias, .. } = self.offsets();
        parameters.fill(T::ZERO);
        initialise_gates(4, (self.inputs, self.hidden, self.outputs()), generator, parameters)?;
        let fans = init::Fans { input: self.hidden, output: self.outputs() };
        init::xavier_uniform(fans, generator, part_mut(parameters, projection, bias - projection));
        part_mut(parameters, bias + self.hidden, self.hidden).fill(T::ONE);
        Ok(())
    }

    fn advance(&self, parameters: &[T], state: &mut [T], input: &[T], gates: &mut [T], scratch: &mut [T]) {
        let (h, c) = split_mut(state, self.outputs());
        self.advance_parts(parameters, h, c, input, gates, scratch, |_| {});
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
        let hidden = self.hidden;
        let Offsets { recurrent, peephole, projection, bias } = self.offsets();
        let (d_h, d_c) = split_mut(d_state, self.outputs());
        let mut gates = step.gates;
        let [i, f, g, o] = [0; 4].map(|_| cut(&mut gates, hidden));
        let mut scratch = scratch;
        let (delta, tanh_c) = (cut_mut(&mut scratch, 4 * hidden), cut_mut(&mut scratch, hidden));
        T::tanh_slice(step.memory, tanh_c);
        let mut d_parameters = d_parameters;
        let d_m: &[T] = if self.projected > 0 {
            let (d_m, m) = (cut_mut(&mut scratch, hidden), cut_mut(&mut scratch, hidden));
            d_m.fill(T::ZERO);
            add_transposed(parameters, projection, d_h, d_m);
            if let Some(d_parameters) = d_parameters.as_deref_mut() {
                m.fill(T::ZERO);
                add_products(m, o, tanh_c);
                add_outer(d_parameters, projection, d_h, m);
            }
            d_m
        } else {
            d_h
        };
        let [p_i, p_f, p_o] = self.peepholes(parameters);
        {
            let mut rest = &mut *delta;
            let [delta_i, delta_f, delta_g, delta_o] = [0; 4].map(|_| cut_mut(&mut rest, hidden));
            for (((delta_o, d_c), &d_m), (&o, &tanh_c)) in
                delta_o.iter_mut().zip(d_c.iter_mut()).zip(d_m).zip(o.iter().zip(tanh_c.iter()))
            {
                *delta_o = d_m * tanh_c * (o * (T::ONE - o));
                *d_c += d_m * o * (T::ONE - tanh_c * tanh_c);
            }
            add_products(d_c, p_o, delta_o);
            let deltas = delta_i.iter_mut().zip(delta_f.iter_mut()).zip(delta_g.iter_mut()).zip(d_c.iter_mut());
            let values = i.iter().zip(f).zip(g).zip(step.memory_before);
            for ((((delta_i, delta_f), delta_g), d_c), (((&i, &f), &g), &c)) in deltas.zip(values) {
                *delta_f = *d_c * c * (f * (T::ONE - f));
                *delta_i = *d_c * g * (i * (T::ONE - i));
                *delta_g = *d_c * i * (T::ONE - g * g);
                *d_c *= f;
            }
            add_products(d_c, p_i, delta_i);
            add_products(d_c, p_f, delta_f);
        }
        if let Some(d_input) = d_input {
            add_transposed(parameters, 0, delta, d_input);
        }
        if let Some(d_parameters) = d_parameters {
            add_outer(d_parameters, 0, delta, step.input);
            add_outer(d_parameters, recurrent, delta, step.h_before);
            if self.peephole {
                let mut d_peephole = part_mut(d_parameters, peephole, 3 * hidden);
                for (gate, c) in [(0, step.memory_before), (1, step.memory_before), (3, step.memory)] {
                    add_products(cut_mut(&mut d_peephole, hidden), part(delta, gate * hidden, hidden), c);
                }
            }
            add(part_mut(d_parameters, bias, 4 * hidden), delta);
        }
        d_h.fill(T::ZERO);
        add_transposed(parameters, recurrent, delta, d_h);
    }
}

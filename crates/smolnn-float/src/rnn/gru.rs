//! Gated recurrent unit.
//!
//! - Layout: parameters `[W [3·hidden][inputs] | U [3·hidden][hidden] | b [3·hidden] | b_hn [hidden], reset after only]`; gates in
//!   the order z (update), r (reset), n (candidate), as Keras and ONNX have them; state h.
//! - Forward: z, r = σ(W x + U h + b).
//!   [`ResetBefore`] (textbook, Cho, ONNX's default): n = tanh(W_n x + U_n (r ⊙ h) + b_n).
//!   [`ResetAfter`] (PyTorch, cuDNN, Keras's default): n = tanh(W_n x + b_n + r ⊙ s), s = U_n h + b_hn.
//!   [`HoldIsOne`]: h′ = (1 − z) ⊙ n + z ⊙ h. [`HoldIsZero`] (Chung): h′ = (1 − z) ⊙ h + z ⊙ n.
//! - Backward, with d = ∂L/∂h′ and "hold" the factor of h, "new" that of n:
//!   δ_z = ± d ⊙ (h − n) ⊙ z(1 − z) — with n, not with h′; δ_n = d ⊙ new ⊙ (1 − n²).
//!   Before: q = U_nᵀ δ_n, δ_r = q ⊙ h ⊙ r(1 − r), ∂U_n += δ_n (r ⊙ h)ᵀ, ∂h = d ⊙ hold + q ⊙ r + U_zᵀ δ_z + U_rᵀ δ_r.
//!   After: e = δ_n ⊙ r, δ_r = δ_n ⊙ s ⊙ r(1 − r), ∂U_n += e hᵀ, ∂b_hn += e, ∂h = d ⊙ hold + U_nᵀ e + U_zᵀ δ_z + U_rᵀ δ_r.
//!   ∂W += δ xᵀ, ∂b += δ, ∂U_zr += δ_zr hᵀ, ∂x = Wᵀ δ.
//! - Stash: z, r, n; s is computed again, with the same bits.
//! - Held by: tests/host/gradient/recurrent.rs, textbook row 6.5, `gru_*` goldens.

use core::marker::PhantomData;

use smolnn_core::ShapeError;

use super::{Cell, Sizes, Step, add, add_outer, add_product, add_transposed, check, copy, initialise_gates};
use crate::Real;
use crate::random::Generator;
use crate::slices::{cut, cut_mut, part, part_mut, split, split_mut};

/// Where the reset gate acts, as a type.
pub trait Reset: Copy + Send + Sync + 'static {
    /// The same as a value.
    const KIND: smolnn_core::Reset;
    /// Whether on the product U_n h, in place of h.
    const AFTER: bool = matches!(Self::KIND, smolnn_core::Reset::After);
}

/// What the update gate z means, as a type.
pub trait Update: Copy + Send + Sync + 'static {
    /// The same as a value.
    const KIND: smolnn_core::Update;
    /// Whether z = 1 holds the state, in place of z = 0.
    const HOLD_IS_ONE: bool = matches!(Self::KIND, smolnn_core::Update::HoldIsOne);
}

/// The reset gate acts on the state, before the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetBefore;

/// The reset gate acts on the product of recurrent weights and state, which has a bias of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetAfter;

/// h′ = (1 − z) ⊙ n + z ⊙ h: PyTorch, Keras, ONNX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldIsOne;

/// h′ = (1 − z) ⊙ h + z ⊙ n: Chung's paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldIsZero;

impl Reset for ResetBefore {
    const KIND: smolnn_core::Reset = smolnn_core::Reset::Before;
}
impl Reset for ResetAfter {
    const KIND: smolnn_core::Reset = smolnn_core::Reset::After;
}
impl Update for HoldIsOne {
    const KIND: smolnn_core::Update = smolnn_core::Update::HoldIsOne;
}
impl Update for HoldIsZero {
    const KIND: smolnn_core::Update = smolnn_core::Update::HoldIsZero;
}

/// A gated recurrent unit; its types say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gru<R, U = HoldIsOne> {
    inputs: usize,
    hidden: usize,
    kind: PhantomData<(R, U)>,
}

impl<R: Reset, U: Update> Gru<R, U> {
    /// A cell of `hidden` units for `inputs` inputs.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(inputs: usize, hidden: usize) -> Result<Self, ShapeError> {
        match check(inputs, hidden) {
            Ok(()) => Ok(Self { inputs, hidden, kind: PhantomData }),
            Err(error) => Err(error),
        }
    }

    /// How many elements everything has.
    pub const fn sizes(&self) -> Sizes {
        let weights = 3 * self.hidden * (self.inputs + self.hidden);
        Sizes {
            inputs: self.inputs,
            outputs: self.hidden,
            memory: 0,
            gates: 3 * self.hidden,
            weights,
            biases: if R::AFTER { 4 * self.hidden } else { 3 * self.hidden },
            macs: weights,
            work: 5 * self.hidden,
        }
    }

    /// Where U begins, and U_n in it, and the biases.
    const fn offsets(&self) -> [usize; 3] {
        let recurrent = 3 * self.hidden * self.inputs;
        [recurrent, recurrent + 2 * self.hidden * self.hidden, recurrent + 3 * self.hidden * self.hidden]
    }

    /// s = U_n h + b_hn.
    #[inline]
    fn recurrent_candidate<T: Real>(&self, parameters: &[T], h: &[T], s: &mut [T]) {
        let [_, candidate, bias] = self.offsets();
        copy(s, part(parameters, bias + 3 * self.hidden, self.hidden));
        add_product(parameters, candidate, h, s);
    }
}

impl<R: Reset, U: Update, T: Real> Cell<T> for Gru<R, U> {
    fn sizes(&self) -> Sizes {
        self.sizes()
    }

    fn initialise(&self, generator: &mut impl Generator, parameters: &mut [T]) -> Result<(), ShapeError> {
        ShapeError::check_length("the parameters", self.sizes().parameters(), parameters.len())?;
        parameters.fill(T::ZERO);
        initialise_gates(3, (self.inputs, self.hidden, self.hidden), generator, parameters)
    }

    fn advance(&self, parameters: &[T], state: &mut [T], input: &[T], gates: &mut [T], scratch: &mut [T]) {
        let hidden = self.hidden;
        let [recurrent, candidate, bias] = self.offsets();
        let mut scratch = scratch;
        let (sums, spare) = (cut_mut(&mut scratch, 3 * hidden), cut_mut(&mut scratch, hidden));
        copy(sums, part(parameters, bias, 3 * hidden));
        add_product(parameters, 0, input, sums);
        let (mut sums, mut gates) = (sums, gates);
        let (sums, sums_n) = (cut_mut(&mut sums, 2 * hidden), sums);
        let (zr, n) = (cut_mut(&mut gates, 2 * hidden), gates);
        add_product(parameters, recurrent, state, sums);
        T::sigmoid_slice(sums, zr);
        let (z, r) = split(zr, hidden);
        if R::AFTER {
            self.recurrent_candidate(parameters, state, spare);
            for ((sum, &r), &s) in sums_n.iter_mut().zip(r).zip(spare.iter()) {
                *sum += r * s;
            }
        } else {
            for ((rh, &r), &h) in spare.iter_mut().zip(r).zip(state.iter()) {
                *rh = r * h;
            }
            add_product(parameters, candidate, spare, sums_n);
        }
        T::tanh_slice(sums_n, n);
        for ((h, &z), &n) in state.iter_mut().zip(z).zip(n.iter()) {
            *h = if U::HOLD_IS_ONE { n + z * (*h - n) } else { *h + z * (n - *h) };
        }
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
        let [recurrent, candidate, bias] = self.offsets();
        let mut gates = step.gates;
        let (z, r, n) = (cut(&mut gates, hidden), cut(&mut gates, hidden), gates);
        let h = step.h_before;
        let mut scratch = scratch;
        let delta = cut_mut(&mut scratch, 3 * hidden);
        // Before: q = U_nᵀ δ_n, then r ⊙ h. After: s, then e = δ_n ⊙ r.
        let (first, second) = (cut_mut(&mut scratch, hidden), cut_mut(&mut scratch, hidden));
        {
            let (delta_z, rest) = split_mut(delta, hidden);
            let (delta_r, delta_n) = split_mut(rest, hidden);
            let steps = delta_z.iter_mut().zip(delta_n.iter_mut()).zip(d_state.iter_mut());
            for (((delta_z, delta_n), d), ((&z, &n), &h)) in steps.zip(z.iter().zip(n).zip(h)) {
                let (toward, hold, new) = if U::HOLD_IS_ONE { (h - n, z, T::ONE - z) } else { (n - h, T::ONE - z, z) };
                *delta_z = *d * toward * (z * (T::ONE - z));
                *delta_n = *d * new * (T::ONE - n * n);
                *d *= hold;
            }
            if R::AFTER {
                self.recurrent_candidate(parameters, h, first);
                let products = delta_r.iter_mut().zip(second.iter_mut()).zip(delta_n.iter());
                for (((delta_r, e), &delta_n), (&r, &s)) in products.zip(r.iter().zip(first.iter())) {
                    *delta_r = delta_n * s * (r * (T::ONE - r));
                    *e = delta_n * r;
                }
                add_transposed(parameters, candidate, second, d_state);
            } else {
                first.fill(T::ZERO);
                add_transposed(parameters, candidate, delta_n, first);
                let products = delta_r.iter_mut().zip(second.iter_mut()).zip(d_state.iter_mut());
                for (((delta_r, rh), d), ((&q, &r), &h)) in products.zip(first.iter().zip(r).zip(h)) {
                    *delta_r = q * h * (r * (T::ONE - r));
                    *d += q * r;
                    *rh = r * h;
                }
            }
        }
        let delta_zr = part(delta, 0, 2 * hidden);
        add_transposed(parameters, recurrent, delta_zr, d_state);
        if let Some(d_input) = d_input {
            add_transposed(parameters, 0, delta, d_input);
        }
        if let Some(d_parameters) = d_parameters {
            add_outer(d_parameters, 0, delta, step.input);
            add_outer(d_parameters, recurrent, delta_zr, h);
            if R::AFTER {
                add_outer(d_parameters, candidate, second, h);
                add(part_mut(d_parameters, bias + 3 * hidden, hidden), second);
            } else {
                add_outer(d_parameters, candidate, part(delta, 2 * hidden, hidden), second);
            }
            add(part_mut(d_parameters, bias, 3 * hidden), delta);
        }
    }
}

//! Recurrent cells with their lengths in the type.

use smolnn_core::ShapeError;

use crate::random::Generator;
use crate::rnn::{self, Cell, HoldIsOne, Keep, ResetAfter, Sequence, SequenceGradients, Tanh, Tape};
use crate::{Parameter, Real};

/// A cell from `I` to `O` elements with `S` elements of state and `P` parameters, which lie as the cell has them. Also the
/// gradients of one.
///
/// ```
/// use smolnn_core::shape;
/// use smolnn_float::layer;
/// use smolnn_float::random::{Pcg32, SeedableRng};
/// use smolnn_float::rnn::{Gru, ResetAfter};
///
/// const GRU: Gru<ResetAfter> = shape!(Gru::new(12, 16));
/// type Ears = layer::Gru<f32, 12, 16, { GRU.sizes().parameters() }>;
/// let ears = Ears::random(GRU, &mut Pcg32::seed_from_u64(1))?;
/// let (mut state, mut scratch) = ([0.0; 16], [0.0; GRU.sizes().step_scratch()]);
/// ears.step(&mut state, &[0.5; 12], &mut scratch)?; // the state begins with the output
/// # Ok::<(), smolnn_core::ShapeError>(())
/// ```
///
/// A network that learns which of two signs a sequence began with: a GRU, a dense layer on its last output, and the way back through all steps.
///
/// ```
/// use smolnn_core::shape;
/// use smolnn_float::layer::{self, Dense};
/// use smolnn_float::loss::cross_entropy;
/// use smolnn_float::optimiser::{Adam, Optimiser};
/// use smolnn_float::random::{Pcg32, SeedableRng};
/// use smolnn_float::rnn::{Gru, Keep, ResetAfter, Tape};
/// use smolnn_float::{Rows, clip, init};
///
/// const STEPS: usize = 12;
/// const GRU: Gru<ResetAfter> = shape!(Gru::new(1, 8));
/// const PARAMETERS: usize = GRU.sizes().parameters();
/// type Ears = layer::Gru<f32, 1, 8, PARAMETERS>;
/// type Head = Dense<f32, 8, 2>;
///
/// let mut random = Pcg32::seed_from_u64(1);
/// let (mut ears, mut head) = (Ears::random(GRU, &mut random)?, Head::random(init::xavier_uniform, &mut random));
/// let (mut d_ears, mut d_head) = (Ears::zeros(GRU)?, Head::zeros());
/// let (mut adam, mut adam_state) = (Adam::new(0.01), [0.0; Adam::<f32>::state_len(PARAMETERS + Head::PARAMETERS)]);
/// let (mut stash, mut scratch) = ([0.0; GRU.sizes().stash(STEPS, Keep::Gates)], [0.0; GRU.sizes().step_scratch()]);
/// let mut right = 0;
/// for _ in 0..200 {
///     right = 0;
///     for (sample, class) in [0, 1].into_iter().cycle().take(8).enumerate() {
///         let mut x = [[0.0_f32]; STEPS];
///         x.iter_mut().enumerate().for_each(|(t, x)| x[0] = (t * 7 + sample * 3) as f32 % 11.0 / 11.0 - 0.5);
///         x[0] = [2.0 * class as f32 - 1.0];
///         // Forward: the stash keeps what the way back needs.
///         let (mut state, mut y) = ([0.0; 8], [[0.0; 8]; STEPS]);
///         ears.forward(Keep::Gates, &mut state, &x, &mut y, &mut stash, &mut scratch)?;
///         let scores = head.forward(&y[STEPS - 1]);
///         right += usize::from((scores[1] > scores[0]) == (class == 1));
///         // Loss of one row of two scores, without label smoothing, and the way back.
///         let (mut d_scores, mut d_state) = ([0.0; 2], [0.0; 8]);
///         cross_entropy(&shape!(Rows::new(1, 2)), 0.0, &scores, &[class], &mut d_scores)?;
///         head.backward(&y[STEPS - 1], &d_scores, Some(&mut d_state), &mut d_head);
///         let tape = Tape { input: x.as_flattened(), output: y.as_flattened(), stash: &stash };
///         ears.backward::<STEPS>(Keep::Gates, &tape, &mut d_state, None, None, &mut d_ears, &mut scratch)?;
///     }
///     let mut parameters = Vec::new();
///     ears.list(&mut d_ears, &mut |parameter| parameters.push(parameter))?;
///     parameters.extend(head.parameters(&mut d_head));
///     clip::global_norm(&mut parameters, 5.0);
///     adam.step(&mut parameters, &mut adam_state)?;
///     parameters.iter_mut().for_each(|parameter| parameter.clear());
/// }
/// assert_eq!(right, 8);
/// # Ok::<(), smolnn_core::ShapeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recurrent<C, T, const I: usize, const O: usize, const S: usize, const P: usize> {
    cell: C,
    /// Weights first, biases behind.
    pub parameters: [T; P],
}

/// A simple cell of `H` units for `I` inputs.
pub type SimpleRnn<T, const I: usize, const H: usize, const P: usize, A = Tanh> =
    Recurrent<rnn::SimpleRnn<A>, T, I, H, H, P>;

/// A GRU of `H` units for `I` inputs.
pub type Gru<T, const I: usize, const H: usize, const P: usize, R = ResetAfter, U = HoldIsOne> =
    Recurrent<rnn::Gru<R, U>, T, I, H, H, P>;

/// An LSTM with `O` outputs for `I` inputs; its state has `S` elements, outputs and units.
pub type Lstm<T, const I: usize, const O: usize, const S: usize, const P: usize> = Recurrent<rnn::Lstm, T, I, O, S, P>;

impl<C: Cell<T>, T: Real, const I: usize, const O: usize, const S: usize, const P: usize> Recurrent<C, T, I, O, S, P> {
    /// All parameters.
    pub const PARAMETERS: usize = P;

    /// All zeros: where gradients start.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the type's lengths are not those of the cell.
    pub fn zeros(cell: C) -> Result<Self, ShapeError> {
        let sizes = cell.sizes();
        ShapeError::check_length("the input", sizes.inputs, I)?;
        ShapeError::check_length("the output", sizes.outputs, O)?;
        ShapeError::check_length("the state", sizes.state(), S)?;
        ShapeError::check_length("the parameters", sizes.parameters(), P)?;
        Ok(Self { cell, parameters: [T::ZERO; P] })
    }

    /// Parameters drawn as [`Cell::initialise`] draws them.
    ///
    /// # Errors
    /// The errors are those of [`zeros`](Self::zeros).
    pub fn random(cell: C, generator: &mut impl Generator) -> Result<Self, ShapeError> {
        let mut layer = Self::zeros(cell)?;
        layer.cell.initialise(generator, &mut layer.parameters)?;
        Ok(layer)
    }

    /// The cell.
    pub const fn cell(&self) -> &C {
        &self.cell
    }

    /// Takes the state from one step to the next.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when `scratch` is shorter than [`Sizes::step_scratch`](rnn::Sizes::step_scratch).
    pub fn step(&self, state: &mut [T; S], input: &[T; I], scratch: &mut [T]) -> Result<(), ShapeError> {
        self.cell.step(&self.parameters, state, input, scratch)
    }

    /// Runs over `N` steps from `state`, without a stash.
    ///
    /// # Errors
    /// The errors are those of [`step`](Self::step).
    pub fn infer<const N: usize>(
        &self,
        state: &mut [T; S],
        input: &[[T; I]; N],
        output: &mut [[T; O]; N],
        scratch: &mut [T],
    ) -> Result<(), ShapeError> {
        let sequence = Sequence::new(self.cell, N, Keep::States)?;
        sequence.infer(&self.parameters, state, input.as_flattened(), output.as_flattened_mut(), scratch)
    }

    /// Runs over `N` steps from `state` and keeps in `stash` what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when stash or scratch have not the length that [`Sizes`](rnn::Sizes) gives for `N` steps.
    pub fn forward<const N: usize>(
        &self,
        keep: Keep,
        state: &mut [T; S],
        input: &[[T; I]; N],
        output: &mut [[T; O]; N],
        stash: &mut [T],
        scratch: &mut [T],
    ) -> Result<(), ShapeError> {
        let sequence = Sequence::new(self.cell, N, keep)?;
        sequence.forward(&self.parameters, state, input.as_flattened(), output.as_flattened_mut(), stash, scratch)
    }

    /// Goes back through what [`forward`](Self::forward) ran. `d_output` is ∂L/∂y of every step, `None` for zeros; `d_state` is
    /// ∂L/∂ of the state at the end, and becomes that at the start. Adds to `d_input`, where it is wanted, and to `gradients`.
    ///
    /// # Errors
    /// The errors are those of [`forward`](Self::forward), and one when the tape is not of `N` steps.
    pub fn backward<const N: usize>(
        &self,
        keep: Keep,
        tape: &Tape<'_, T>,
        d_state: &mut [T; S],
        d_output: Option<&[[T; O]; N]>,
        d_input: Option<&mut [[T; I]; N]>,
        gradients: &mut Self,
        scratch: &mut [T],
    ) -> Result<(), ShapeError> {
        let sequence = Sequence::new(self.cell, N, keep)?;
        let gradients = SequenceGradients {
            input: d_input.map(|d_input| d_input.as_flattened_mut()),
            parameters: Some(&mut gradients.parameters),
        };
        let d_output = d_output.map(|d_output| d_output.as_flattened());
        sequence.backward(&self.parameters, tape, d_state, d_output, gradients, scratch)
    }

    /// Lists weights and biases with their gradients, for clipping and optimisers.
    ///
    /// # Errors
    /// None: the lengths are equal by their types.
    pub fn list<'a>(
        &'a mut self,
        gradients: &'a mut Self,
        each: &mut dyn FnMut(Parameter<'a, T>),
    ) -> Result<(), ShapeError> {
        let cell = self.cell;
        cell.list(&mut self.parameters, &mut gradients.parameters, each)
    }
}

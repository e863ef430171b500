//! Causal dilated convolution, sample by sample: a layer of a time-delay network (TDNN) or of a temporal convolution.
//!
//! - Layout: W `[outputs][taps][inputs]`, the oldest tap first, as `conv::conv2d` has it over a sequence; b `[outputs]`.
//! - `y_t[o] = b[o] + Σ_k Σ_c W[o, k, c]·x_{t − (taps − 1 − k)·dilation}[c]`; before the first sample nothing is added.
//! - State: the last (taps − 1)·dilation samples in a ring, the caller's.
//! - Products are added in the order of the batch convolution with `.causal()` padding: same bits. To train, use that.
//! - Held by: textbook row 6.1, tests/host/gradient/recurrent.rs.

use smolnn_core::{Conv2dShape, Image, ShapeError, Window2d, WindowSize};

use crate::Number;
use crate::dense::start_with;
use crate::slices::{behind, check_optional, part, part_mut};

/// A causal convolution that takes one sample and gives one.
///
/// ```
/// use smolnn_core::shape;
/// use smolnn_float::rnn::{Causal, CausalState};
///
/// const SUM: Causal = shape!(Causal::new(1, 1, 3, 1));        // x_{t−2} + x_{t−1} + x_t
/// let mut ring = [0; SUM.state()];
/// let mut state = CausalState::new(&mut ring);
/// let mut sums = [0; 4];
/// for (x, y) in [1, 10, 100, 1000].iter().zip(sums.chunks_exact_mut(1)) {
///     SUM.step(&[1, 1, 1], None, &mut state, &[*x], y)?;
/// }
/// assert_eq!(sums, [1, 11, 111, 1110]);
/// # Ok::<(), smolnn_core::ShapeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Causal {
    inputs: usize,
    outputs: usize,
    taps: usize,
    dilation: usize,
}

/// What a causal convolution has seen: a ring of samples, the caller's, and where it stands.
#[derive(Debug)]
pub struct CausalState<'a, T> {
    ring: &'a mut [T],
    /// Where the next sample goes.
    next: usize,
    /// Samples in the ring.
    seen: usize,
}

impl<'a, T> CausalState<'a, T> {
    /// Nothing seen yet. The ring has [`Causal::state`] elements, of any value.
    pub const fn new(ring: &'a mut [T]) -> Self {
        Self { ring, next: 0, seen: 0 }
    }

    /// Back to nothing seen.
    pub const fn reset(&mut self) {
        self.next = 0;
        self.seen = 0;
    }
}

impl Causal {
    /// A layer with `taps` taps, `dilation` samples from one to the next.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(inputs: usize, outputs: usize, taps: usize, dilation: usize) -> Result<Self, ShapeError> {
        let layer = Self { inputs, outputs, taps, dilation };
        match layer.over(1) {
            Ok(_) => Ok(layer),
            Err(error) => Err(error),
        }
    }

    /// The same over a whole sequence: the shape of the batch convolution.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn over(&self, steps: usize) -> Result<Conv2dShape, ShapeError> {
        Window2d::over(Image::sequence(steps, self.inputs), WindowSize::taps(self.taps))
            .dilation(1, self.dilation)
            .causal()
            .conv(self.outputs)
    }

    /// Weights.
    pub const fn weights(&self) -> usize {
        self.outputs * self.taps * self.inputs
    }

    /// Elements of the state: (taps − 1)·dilation samples.
    pub const fn state(&self) -> usize {
        self.history() * self.inputs
    }

    const fn history(&self) -> usize {
        (self.taps - 1) * self.dilation
    }

    /// Takes one sample and gives one.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when a slice is not as long as the layer says.
    pub fn step<T: Number>(
        &self,
        weights: &[T],
        bias: Option<&[T]>,
        state: &mut CausalState<'_, T>,
        input: &[T],
        output: &mut [T],
    ) -> Result<(), ShapeError> {
        ShapeError::check_length("the weights", self.weights(), weights.len())?;
        check_optional("the bias", self.outputs, bias)?;
        ShapeError::check_length("the ring", self.state(), state.ring.len())?;
        ShapeError::check_length("the input", self.inputs, input.len())?;
        ShapeError::check_length("the output", self.outputs, output.len())?;
        start_with(bias, output);
        let (depth, history) = (self.taps * self.inputs, self.history());
        for tap in 0..self.taps {
            let ago = (self.taps - 1 - tap) * self.dilation;
            if ago > state.seen {
                continue;
            }
            let sample = if ago == 0 {
                input
            } else {
                let at = if state.next >= ago { state.next - ago } else { state.next + history - ago };
                part(state.ring, at * self.inputs, self.inputs)
            };
            let weights = behind(weights, tap * self.inputs);
            T::rows_dot(weights, depth, sample, output);
        }
        if history > 0 {
            super::copy(part_mut(state.ring, state.next * self.inputs, self.inputs), input);
            state.next = if state.next + 1 < history { state.next + 1 } else { 0 };
            state.seen = if state.seen < history { state.seen + 1 } else { history };
        }
        Ok(())
    }
}

/// Samples that one output of a chain of layers sees: 1 + Σ (taps − 1)·dilation.
pub const fn receptive_field(layers: &[Causal]) -> usize {
    let (mut field, mut layer) = (1, 0);
    while layer < layers.len() {
        field += layers[layer].history();
        layer += 1;
    }
    field
}

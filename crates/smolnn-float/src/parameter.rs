//! A network as the optimiser sees it: a list of tensors with their gradients.

use smolnn_core::ShapeError;

use crate::Real;

/// One tensor that is learnt, and its gradient. A network lists its own, in an order that does not change, and hands the
/// list to clipping, diagnostics and the optimiser.
#[derive(Debug)]
pub struct Parameter<'a, T> {
    pub(crate) values: &'a mut [T],
    pub(crate) gradient: &'a mut [T],
    pub(crate) decays: bool,
}

impl<'a, T: Real> Parameter<'a, T> {
    /// Weights (or recurrent weights): weight decay applies.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the gradient is not as long as the values.
    pub fn weights(values: &'a mut [T], gradient: &'a mut [T]) -> Result<Self, ShapeError> {
        Self::new(values, gradient, true)
    }

    /// A bias, γ or β of a normalisation, or γ of a PReLU: weight decay does not apply, since it would pull the output
    /// towards zero instead of making it smooth.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the gradient is not as long as the values.
    pub fn bias(values: &'a mut [T], gradient: &'a mut [T]) -> Result<Self, ShapeError> {
        Self::new(values, gradient, false)
    }

    /// A tensor that decays or not.
    ///
    /// # Errors
    /// [`ShapeError::Length`] when the gradient is not as long as the values.
    pub fn new(values: &'a mut [T], gradient: &'a mut [T], decays: bool) -> Result<Self, ShapeError> {
        ShapeError::check_length("the gradient", values.len(), gradient.len())?;
        Ok(Self { values, gradient, decays })
    }

    /// The same of slices whose lengths are equal by their types.
    pub(crate) fn paired(values: &'a mut [T], gradient: &'a mut [T], decays: bool) -> Self {
        Self { values, gradient, decays }
    }

    /// The tensor.
    pub fn values(&self) -> &[T] {
        self.values
    }

    /// Its gradient.
    pub fn gradient(&self) -> &[T] {
        self.gradient
    }

    /// The Euclidean norm of the gradient. Compared between layers it shows vanishing and exploding gradients.
    pub fn gradient_norm(&self) -> T {
        norm(self.gradient.iter().copied())
    }

    /// Fills the gradient with zeros, for the next batch.
    pub fn clear(&mut self) {
        self.gradient.fill(T::ZERO);
    }
}

/// Elements of all tensors.
pub fn elements<T>(parameters: &[Parameter<'_, T>]) -> usize {
    parameters.iter().map(|parameter| parameter.values.len()).sum()
}

/// L2 regularisation, R = λ/2·‖W‖² over the tensors that decay: adds λ·W to their gradients and returns R. With plain
/// descent this is the optimiser's decoupled decay; with momentum or Adam it is not, which is why both exist.
pub fn regularise<T: Real>(parameters: &mut [Parameter<'_, T>], lambda: T) -> T {
    let mut squares = T::ZERO;
    for parameter in parameters.iter_mut().filter(|parameter| parameter.decays) {
        for (g, &w) in parameter.gradient.iter_mut().zip(&*parameter.values) {
            *g += lambda * w;
            squares += w * w;
        }
    }
    T::HALF * lambda * squares
}

/// √Σx², scaled by the largest |x| so that squares neither overflow nor vanish.
pub fn norm<T: Real>(values: impl Iterator<Item = T> + Clone) -> T {
    let most = values.clone().fold(T::ZERO, |most, value| if value.is_nan() { value } else { most.max(value.abs()) });
    if most == T::ZERO || !most.is_finite() {
        return most;
    }
    let scale = T::ONE / most;
    if !scale.is_finite() {
        // The largest is subnormal: its reciprocal overflows, and so small a norm is as good as its largest component.
        return most;
    }
    most * values.map(|value| (value * scale) * (value * scale)).sum::<T>().sqrt()
}

//! Losses of a prediction y against a target t, e = y − t, mean over the n elements.
//!
//! - Mean squared error: L = Σe²/n, ∂L/∂y = 2e/n.
//! - Mean absolute error (L1): L = Σ|e|/n, ∂L/∂y = sign(e)/n, 0 at 0.
//! - Huber: ½e² where |e| ≤ δ, δ·(|e| − ½δ) beyond; ∂L/∂y = clamp(e, −δ, δ)/n.
//! - Held by: `loss_mse`, `loss_l1`, `loss_huber` goldens (tests/host/golden/float.rs), differences
//!   (tests/host/gradient/training.rs).

use smolnn_core::ShapeError;

use crate::Real;

/// Mean squared error.
///
/// # Errors
/// [`ShapeError`] when the slices are empty or not equally long.
pub fn mean_squared<T: Real>(prediction: &[T], target: &[T], d_prediction: &mut [T]) -> Result<T, ShapeError> {
    mean(prediction, target, d_prediction, |e| (e * e, T::TWO * e))
}

/// Mean absolute error.
///
/// # Errors
/// [`ShapeError`] when the slices are empty or not equally long.
pub fn mean_absolute<T: Real>(prediction: &[T], target: &[T], d_prediction: &mut [T]) -> Result<T, ShapeError> {
    mean(prediction, target, d_prediction, |e| {
        let sign = if e == T::ZERO { T::ZERO } else { T::ONE.copysign(e) };
        (e.abs(), sign)
    })
}

/// Huber's loss with the quadratic part up to |e| = `delta`.
///
/// # Errors
/// [`ShapeError`] when the slices are empty or not equally long.
pub fn huber<T: Real>(delta: T, prediction: &[T], target: &[T], d_prediction: &mut [T]) -> Result<T, ShapeError> {
    mean(prediction, target, d_prediction, |e| {
        if e.abs() <= delta { (T::HALF * e * e, e) } else { (delta * (e.abs() - T::HALF * delta), delta.copysign(e)) }
    })
}

/// The mean of a loss per element, given with its derivative.
pub(super) fn mean<T: Real>(
    prediction: &[T],
    target: &[T],
    d_prediction: &mut [T],
    loss: impl Fn(T) -> (T, T),
) -> Result<T, ShapeError> {
    mean_of(prediction, target, d_prediction, |y, t| loss(y - t))
}

/// The mean of a loss of two elements, given with its derivative by the first.
pub(super) fn mean_of<T: Real>(
    prediction: &[T],
    target: &[T],
    d_prediction: &mut [T],
    loss: impl Fn(T, T) -> (T, T),
) -> Result<T, ShapeError> {
    if prediction.is_empty() {
        return Err(ShapeError::Zero("the prediction"));
    }
    ShapeError::check_length("the target", prediction.len(), target.len())?;
    ShapeError::check_length("the gradient", prediction.len(), d_prediction.len())?;
    let scale = T::ONE / T::from_usize(prediction.len());
    let mut sum = T::ZERO;
    for ((&y, &t), d) in prediction.iter().zip(target).zip(d_prediction) {
        let (value, derivative) = loss(y, t);
        sum += value;
        *d = derivative * scale;
    }
    Ok(sum * scale)
}

//! Cross-entropy from logits o against a label, mean over the rows, with label smoothing ε over C classes.
//!
//! - q = (1 − ε)·onehot(label) + ε/C; lse(o) = m + ln Σ e^{o − m}, m = max o.
//! - L = (lse(o) − Σ q·o) per row; ∂L/∂o = (softmax(o) − q) / rows, whose sum over a row is 0.
//! - Logits of ±∞ or NaN give what the formula gives; finite ones never overflow.
//! - Held by: `loss_cross_entropy` golden (tests/host/golden/float.rs), differences
//!   (tests/host/gradient/training.rs), the figures of maths.md (textbook row 5.5).

use smolnn_core::ShapeError;

use crate::slices::{vectors, vectors_mut};
use crate::{Real, Rows};

/// Cross-entropy of rows of logits, one label each. `smoothing` is 0 for none.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says, [`ShapeError::Range`] when a label names no class
/// or the smoothing is not in 0..=1.
pub fn cross_entropy<T: Real>(
    shape: &Rows,
    smoothing: T,
    logits: &[T],
    labels: &[usize],
    d_logits: &mut [T],
) -> Result<T, ShapeError> {
    ShapeError::check_length("the logits", shape.elements(), logits.len())?;
    ShapeError::check_length("the labels", shape.rows, labels.len())?;
    ShapeError::check_length("the gradient", shape.elements(), d_logits.len())?;
    if labels.iter().any(|&label| label >= shape.channels) {
        return Err(ShapeError::Range("a label names no class"));
    }
    if !(smoothing >= T::ZERO && smoothing <= T::ONE) {
        return Err(ShapeError::Range("the label smoothing is not in 0..=1"));
    }
    let scale = T::ONE / T::from_usize(shape.rows);
    let shared = smoothing / T::from_usize(shape.channels);
    let mut loss = T::ZERO;
    for ((row, d_row), &label) in vectors(logits, shape.channels).zip(vectors_mut(d_logits, shape.channels)).zip(labels)
    {
        let most = row.iter().fold(T::NEG_INFINITY, |most, &o| most.max(o));
        let mut sum = T::ZERO;
        for (d, &o) in d_row.iter_mut().zip(row) {
            *d = (o - most).exp();
            sum += *d;
        }
        let normaliser = T::ONE / sum;
        let mut expected = T::ZERO;
        for (class, (d, &o)) in d_row.iter_mut().zip(row).enumerate() {
            let wanted = if class == label { T::ONE - smoothing + shared } else { shared };
            *d = (*d * normaliser - wanted) * scale;
            // Without smoothing the other classes must not turn 0·∞ into NaN.
            if wanted != T::ZERO {
                expected += wanted * (o - most);
            }
        }
        loss += sum.log() - expected;
    }
    Ok(loss * scale)
}

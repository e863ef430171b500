//! Binary cross-entropy from logits: L = Σ(softplus(o) − t·o)/n, which is −t·ln σ(o) − (1 − t)·ln(1 − σ(o)) without
//! overflow; ∂L/∂o = (σ(o) − t)/n.
//!
//! Held by: `loss_bce_logits` golden (tests/host/golden/float.rs), differences (tests/host/gradient/training.rs).

use smolnn_core::ShapeError;

use super::regression::mean_of;
use crate::Real;

/// Binary cross-entropy of logits against targets in 0..=1, mean over the elements.
///
/// # Errors
/// [`ShapeError`] when the slices are empty or not equally long.
pub fn binary_cross_entropy<T: Real>(logits: &[T], target: &[T], d_logits: &mut [T]) -> Result<T, ShapeError> {
    mean_of(logits, target, d_logits, |o, t| (o.softplus() - t * o, o.sigmoid() - t))
}

//! Softmax and log-softmax of rows.
//!
//! - p = e^(z − m) / Σ e^(z − m), m the row's greatest: nothing overflows. ln p = z − m − ln Σ e^(z − m).
//! - Backward: ∂L/∂z += p (δ − Σ δ p); of log-softmax ∂L/∂z += δ − p Σ δ. Both need the output alone, and both sum to 0 over a row.
//! - With cross-entropy use `loss::cross_entropy`, whose gradient needs neither.
//! - A row with NaN or +∞ gives NaN; a row of −∞ only gives NaN.
//! - Rows of 64: at most 4e-7, log-softmax 6e-7 (relative where above 1). Cost: the table of [`act`](crate::act#errors-special-values-and-cost).
//! - Held by: goldens softmax_*, log_softmax_*; differences (tests/host/gradient/activations.rs).

use smolnn_core::ShapeError;

use crate::{Real, Rows};

#[inline(always)]
fn rows<'a, T>(shape: &Rows, input: &'a [T], output: &'a mut [T]) -> impl Iterator<Item = (&'a [T], &'a mut [T])> {
    input.chunks_exact(shape.channels.max(1)).zip(output.chunks_exact_mut(shape.channels.max(1)))
}

fn check(shape: &Rows, lengths: &[(&'static str, usize)]) -> Result<(), ShapeError> {
    lengths.iter().try_for_each(|&(what, length)| ShapeError::check_length(what, shape.elements(), length))
}

#[inline(always)]
fn greatest<T: Real>(row: &[T]) -> T {
    row.iter().fold(T::NEG_INFINITY, |most, &z| if z > most { z } else { most })
}

/// p = e^z / Σ e^z of each row.
///
/// Rows of 64: at most 4e-7. 0 for −∞ beside numbers; a row with NaN or ∞, or of −∞ only, gives NaN. [Cost](crate::act#errors-special-values-and-cost).
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn softmax<T: Real>(shape: &Rows, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    scaled(shape, |distance| distance, input, output)
}

/// p = e^(βz) / Σ e^(βz) of each row, for inference: [`softmax`] of what is multiplied by β.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn softmax_scaled<T: Real>(shape: &Rows, beta: T, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    scaled(shape, |distance| distance * beta, input, output)
}

/// Softmax with `exponent` applied to the distances from the row's greatest element.
#[inline(always)]
fn scaled<T: Real>(shape: &Rows, exponent: impl Fn(T) -> T, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    check(shape, &[("the input", input.len()), ("the output", output.len())])?;
    for (z, p) in rows(shape, input, output) {
        let most = greatest(z);
        let mut sum = T::ZERO;
        for (p, &z) in p.iter_mut().zip(z) {
            *p = exponent(z - most).exp();
            sum += *p;
        }
        let scale = T::ONE / sum;
        for p in p {
            *p *= scale;
        }
    }
    Ok(())
}

/// `d_input += p (δ − Σ δ p)`, from the output p of [`softmax`].
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn softmax_backward<T: Real>(
    shape: &Rows,
    output: &[T],
    d_output: &[T],
    d_input: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, &[("the output", output.len()), ("d_output", d_output.len()), ("d_input", d_input.len())])?;
    for ((p, d_z), d_p) in rows(shape, output, d_input).zip(d_output.chunks_exact(shape.channels.max(1))) {
        let mut mean = T::ZERO;
        for (&p, &d_p) in p.iter().zip(d_p) {
            mean += p * d_p;
        }
        for ((d_z, &p), &d_p) in d_z.iter_mut().zip(p).zip(d_p) {
            *d_z += p * (d_p - mean);
        }
    }
    Ok(())
}

/// ln p = z − ln Σ e^z of each row.
///
/// Rows of 64: at most 6e-7, relative where above 1. −∞ for −∞ beside numbers; a row with NaN or ∞, or of −∞ only, gives NaN.
/// [Cost](crate::act#errors-special-values-and-cost).
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn log_softmax<T: Real>(shape: &Rows, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    check(shape, &[("the input", input.len()), ("the output", output.len())])?;
    for (z, y) in rows(shape, input, output) {
        let most = greatest(z);
        let mut sum = T::ZERO;
        for (y, &z) in y.iter_mut().zip(z) {
            *y = z - most;
            sum += y.exp();
        }
        let log_sum = sum.log();
        for y in y {
            *y -= log_sum;
        }
    }
    Ok(())
}

/// `d_input += δ − p Σ δ`, from the output ln p of [`log_softmax`].
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn log_softmax_backward<T: Real>(
    shape: &Rows,
    output: &[T],
    d_output: &[T],
    d_input: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, &[("the output", output.len()), ("d_output", d_output.len()), ("d_input", d_input.len())])?;
    for ((y, d_z), d_y) in rows(shape, output, d_input).zip(d_output.chunks_exact(shape.channels.max(1))) {
        let mut sum = T::ZERO;
        for &d_y in d_y {
            sum += d_y;
        }
        for ((d_z, &y), &d_y) in d_z.iter_mut().zip(y).zip(d_y) {
            *d_z += d_y - y.exp() * sum;
        }
    }
    Ok(())
}

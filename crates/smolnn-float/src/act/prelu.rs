//! PReLU: z above 0, γ z below, with a learnt γ for every channel, or one for all.
//!
//! - Layout: channels innermost; `slopes` has one γ per channel, or one.
//! - One rounding; the gradients two. −∞ at −∞ for γ > 0, ∞ at ∞, ±0 at ±0; NaN stays.
//!   Cost: the table of [`act`](crate::act#errors-special-values-and-cost).
//! - Backward: ∂L/∂z += δ (z > 0) or γ δ; ∂L/∂γ += Σ δ z over z ≤ 0. Needs z.
//! - Held by: golden act_prelu; textbook row 4.3; differences (tests/host/gradient/activations.rs).

use smolnn_core::ShapeError;

use crate::Real;

/// y = z or γ z: exact or one rounding; infinities stay infinite for γ > 0, ±0 gives ±0, NaN stays. [Cost](crate::act#errors-special-values-and-cost).
///
/// # Errors
/// [`ShapeError::Length`] when input and output are not equally long, or not whole pixels of as many channels as there are slopes.
pub fn forward<T: Real>(slopes: &[T], input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    check(slopes.len(), input.len(), output.len())?;
    for (z, y) in input.chunks_exact(slopes.len().max(1)).zip(output.chunks_exact_mut(slopes.len().max(1))) {
        for ((y, &z), &slope) in y.iter_mut().zip(z).zip(slopes) {
            *y = if z.is_positive() { z } else { slope * z };
        }
    }
    Ok(())
}

/// `d_input += δ · (1 or γ)`, `d_slopes += Σ δ z` over z ≤ 0.
///
/// # Errors
/// [`ShapeError::Length`] as [`forward`].
pub fn backward<T: Real>(
    slopes: &[T],
    input: &[T],
    d_output: &[T],
    d_slopes: &mut [T],
    d_input: &mut [T],
) -> Result<(), ShapeError> {
    check(slopes.len(), input.len(), d_output.len())?;
    check(d_slopes.len(), input.len(), d_input.len())?;
    ShapeError::check_length("d_slopes", slopes.len(), d_slopes.len())?;
    let channels = slopes.len().max(1);
    let pixels =
        input.chunks_exact(channels).zip(d_output.chunks_exact(channels)).zip(d_input.chunks_exact_mut(channels));
    for ((z, d_y), d_z) in pixels {
        let parameters = slopes.iter().zip(d_slopes.iter_mut());
        for (((&z, &d_y), d_z), (&slope, d_slope)) in z.iter().zip(d_y).zip(d_z).zip(parameters) {
            if z.is_positive() {
                *d_z += d_y;
            } else {
                *d_z += slope * d_y;
                *d_slope += d_y * z;
            }
        }
    }
    Ok(())
}

fn check(channels: usize, input: usize, output: usize) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input, output)?;
    let whole = if channels == 0 { 0 } else { input - input % channels };
    ShapeError::check_length("the input", whole, input)
}

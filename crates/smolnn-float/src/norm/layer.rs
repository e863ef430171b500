//! Layer normalisation: y = γ·(x − μ)·σ⁻¹ + β, μ and σ² over the elements of each row; σ⁻¹ = 1 / √(variance + ε).
//!
//! - Layout: x `[rows][channels]`, γ and β one per channel.
//! - Backward, x̂ = (x − μ)·σ⁻¹, ĝ = δ·γ, n channels: ∂L/∂x = σ⁻¹·(ĝ − (Σĝ + x̂·Σĝ·x̂)/n); ∂L/∂γ = Σδ·x̂, ∂L/∂β = Σδ over
//!   the rows.
//! - Stash: none but x: μ and σ⁻¹ are recomputed, which costs two passes over a row.
//! - Held by: `layernorm` golden (tests/host/golden/float.rs), differences (tests/host/gradient/layers.rs).

use smolnn_core::{Cost, ShapeError};

use super::Gradients;
use crate::slices::{part_mut, vectors, vectors_mut};
use crate::{Real, Rows};

/// What a call costs, for [`train_bytes`](smolnn_core::train_bytes): γ counts as weights, β as bias.
pub const fn cost(shape: &Rows) -> Cost {
    super::cost(shape)
}

/// Normalises every row by itself.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward<T: Real>(
    shape: &Rows,
    epsilon: T,
    gamma: &[T],
    beta: &[T],
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, gamma, beta, input, output)?;
    for (x, y) in vectors(input, shape.channels).zip(vectors_mut(output, shape.channels)) {
        let (mean, spread) = statistics(x, epsilon);
        for ((y, &x), (&gamma, &beta)) in y.iter_mut().zip(x).zip(gamma.iter().zip(beta)) {
            *y = gamma * ((x - mean) * spread) + beta;
        }
    }
    Ok(())
}

/// Adds ∂L/∂x, ∂L/∂γ and ∂L/∂β to `gradients`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward<T: Real>(
    shape: &Rows,
    epsilon: T,
    gamma: &[T],
    input: &[T],
    d_output: &[T],
    mut gradients: Gradients<'_, T>,
) -> Result<(), ShapeError> {
    check(shape, gamma, gamma, input, d_output)?;
    gradients.check(shape)?;
    let scale = T::ONE / T::from_usize(shape.channels.max(1));
    for (row, (x, g)) in vectors(input, shape.channels).zip(vectors(d_output, shape.channels)).enumerate() {
        let (mean, spread) = statistics(x, epsilon);
        let (mut sum, mut product) = (T::ZERO, T::ZERO);
        for ((&x, &g), &gamma) in x.iter().zip(g).zip(gamma) {
            sum += g * gamma;
            product += g * gamma * ((x - mean) * spread);
        }
        if let Some(d_input) = gradients.input.as_deref_mut() {
            let d_input = part_mut(d_input, row * shape.channels, shape.channels);
            for ((dx, &gamma), (&x, &g)) in d_input.iter_mut().zip(gamma).zip(x.iter().zip(g)) {
                *dx += spread * (g * gamma - (sum + (x - mean) * spread * product) * scale);
            }
        }
        if let Some(d_gamma) = gradients.gamma.as_deref_mut() {
            for (d, (&x, &g)) in d_gamma.iter_mut().zip(x.iter().zip(g)) {
                *d += g * ((x - mean) * spread);
            }
        }
        if let Some(d_beta) = gradients.beta.as_deref_mut() {
            for (d, &g) in d_beta.iter_mut().zip(g) {
                *d += g;
            }
        }
    }
    Ok(())
}

/// Mean and 1 / √(variance + ε) of a row.
fn statistics<T: Real>(row: &[T], epsilon: T) -> (T, T) {
    let scale = T::ONE / T::from_usize(row.len().max(1));
    let mean = row.iter().copied().sum::<T>() * scale;
    let variance = row.iter().map(|&x| (x - mean) * (x - mean)).sum::<T>() * scale;
    (mean, T::ONE / (variance + epsilon).sqrt())
}

fn check<T>(shape: &Rows, gamma: &[T], beta: &[T], input: &[T], output: &[T]) -> Result<(), ShapeError> {
    ShapeError::check_length("gamma", shape.channels, gamma.len())?;
    ShapeError::check_length("beta", shape.channels, beta.len())?;
    ShapeError::check_length("the input", shape.elements(), input.len())?;
    ShapeError::check_length("the output", shape.elements(), output.len())
}

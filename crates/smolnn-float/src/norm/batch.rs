//! Batch normalisation: y = γ·(x − μ)·σ⁻¹ + β per channel, μ and σ² over all rows; σ⁻¹ = 1 / √(variance + ε).
//!
//! - Layout: x `[rows][channels]`, that is NHWC with rows = images × height × width.
//! - Training: μ and the biased variance of the batch normalise; the running ones move by `momentum` towards the batch's
//!   mean and unbiased variance (PyTorch). Inference normalises with the running ones, or not at all: [`fold`] moves them
//!   into the layer before.
//! - Backward, x̂ = (x − μ)·σ⁻¹, n rows: ∂L/∂β = Σδ, ∂L/∂γ = Σδ·x̂, ∂L/∂x = γ·σ⁻¹·(δ − (Σδ + x̂·Σδ·x̂)/n) in training,
//!   γ·σ⁻¹·δ in inference.
//! - Stash: μ and σ⁻¹, 2·channels elements; x itself.
//! - Error: the variance is taken around the mean in a second pass, so that large means cost no digits.
//! - Held by: `batchnorm_*` goldens (tests/host/golden/float.rs), differences (tests/host/gradient/layers.rs).

use smolnn_core::{Cost, ShapeError};

use super::Gradients;
use crate::sink::add_rows;
use crate::slices::{split, split_mut, vectors, vectors_mut};
use crate::{Real, Rows};

/// Elements of the stash: μ of every channel, then σ⁻¹ of every channel.
pub const fn stash_len(shape: &Rows) -> usize {
    2 * shape.channels
}

/// What training costs, for [`train_bytes`](smolnn_core::train_bytes): γ counts as weights, β as bias. The running mean and
/// variance, 2·channels elements, are the caller's besides.
pub const fn cost(shape: &Rows) -> Cost {
    Cost { kept: stash_len(shape), ..super::cost(shape) }
}

/// Mean and variance that inference normalises with.
#[derive(Debug)]
pub struct Running<'a, T> {
    /// One mean per channel; starts at 0.
    pub mean: &'a mut [T],
    /// One variance per channel; starts at 1.
    pub variance: &'a mut [T],
    /// How far they move towards a batch's, such as 0.1.
    pub momentum: T,
}

/// Normalises with the mean and variance of the batch, which go to the stash; moves the running ones where given.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward_training<T: Real>(
    shape: &Rows,
    epsilon: T,
    gamma: &[T],
    beta: &[T],
    running: Option<Running<'_, T>>,
    input: &[T],
    output: &mut [T],
    stash: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, gamma, beta, input, output)?;
    ShapeError::check_length("the stash", stash_len(shape), stash.len())?;
    if let Some(running) = &running {
        ShapeError::check_length("the running mean", shape.channels, running.mean.len())?;
        ShapeError::check_length("the running variance", shape.channels, running.variance.len())?;
    }
    let scale = T::ONE / T::from_usize(shape.rows.max(1));
    let (mean, spread) = split_mut(stash, shape.channels);
    mean.fill(T::ZERO);
    add_rows(input, mean);
    for m in mean.iter_mut() {
        *m *= scale;
    }
    spread.fill(T::ZERO);
    for row in vectors(input, shape.channels) {
        for ((s, &m), &x) in spread.iter_mut().zip(&*mean).zip(row) {
            *s += (x - m) * (x - m);
        }
    }
    if let Some(running) = running {
        let unbiased = T::ONE / T::from_usize(shape.rows.saturating_sub(1).max(1));
        for ((mean, variance), (&m, &s)) in running.mean.iter_mut().zip(running.variance).zip(mean.iter().zip(&*spread))
        {
            *mean += running.momentum * (m - *mean);
            *variance += running.momentum * (s * unbiased - *variance);
        }
    }
    for s in spread.iter_mut() {
        *s = T::ONE / (*s * scale + epsilon).sqrt();
    }
    normalise(shape, gamma, beta, mean, spread, input, output);
    Ok(())
}

/// Normalises with given means and variances.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward_inference<T: Real>(
    shape: &Rows,
    epsilon: T,
    gamma: &[T],
    beta: &[T],
    mean: &[T],
    variance: &[T],
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, gamma, beta, input, output)?;
    ShapeError::check_length("the mean", shape.channels, mean.len())?;
    ShapeError::check_length("the variance", shape.channels, variance.len())?;
    for (x, y) in vectors(input, shape.channels).zip(vectors_mut(output, shape.channels)) {
        let parameters = gamma.iter().zip(beta).zip(mean.iter().zip(variance));
        for ((y, &x), ((&gamma, &beta), (&mean, &variance))) in y.iter_mut().zip(x).zip(parameters) {
            *y = (x - mean) * (gamma / (variance + epsilon).sqrt()) + beta;
        }
    }
    Ok(())
}

/// Adds ∂L/∂x, ∂L/∂γ and ∂L/∂β of [`forward_training`] to `gradients`. `scratch` has [`stash_len`] elements.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward_training<T: Real>(
    shape: &Rows,
    gamma: &[T],
    input: &[T],
    stash: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
    scratch: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, gamma, gamma, input, d_output)?;
    gradients.check(shape)?;
    ShapeError::check_length("the stash", stash_len(shape), stash.len())?;
    ShapeError::check_length("the scratch", stash_len(shape), scratch.len())?;
    let (mean, spread) = split(stash, shape.channels);
    let (sum, product) = split_mut(scratch, shape.channels);
    sums(shape, mean, spread, input, d_output, sum, product);
    if let Some(d_input) = gradients.input {
        let scale = T::ONE / T::from_usize(shape.rows.max(1));
        let rows = vectors(input, shape.channels).zip(vectors(d_output, shape.channels));
        for (dx, (x, g)) in vectors_mut(d_input, shape.channels).zip(rows) {
            let channels = mean.iter().zip(spread).zip(gamma).zip(sum.iter().zip(&*product));
            for ((dx, (&x, &g)), (((&m, &s), &gamma), (&sum, &product))) in
                dx.iter_mut().zip(x.iter().zip(g)).zip(channels)
            {
                *dx += gamma * s * (g - (sum + (x - m) * s * product) * scale);
            }
        }
    }
    add_parameters(gradients.gamma, gradients.beta, sum, product);
    Ok(())
}

/// Adds ∂L/∂x, ∂L/∂γ and ∂L/∂β of [`forward_inference`] to `gradients`: mean and variance are constants here.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward_inference<T: Real>(
    shape: &Rows,
    epsilon: T,
    gamma: &[T],
    mean: &[T],
    variance: &[T],
    input: &[T],
    d_output: &[T],
    gradients: Gradients<'_, T>,
) -> Result<(), ShapeError> {
    check(shape, gamma, gamma, input, d_output)?;
    gradients.check(shape)?;
    ShapeError::check_length("the mean", shape.channels, mean.len())?;
    ShapeError::check_length("the variance", shape.channels, variance.len())?;
    if let Some(d_input) = gradients.input {
        for (dx, g) in vectors_mut(d_input, shape.channels).zip(vectors(d_output, shape.channels)) {
            for ((dx, &g), (&gamma, &variance)) in dx.iter_mut().zip(g).zip(gamma.iter().zip(variance)) {
                *dx += g * (gamma / (variance + epsilon).sqrt());
            }
        }
    }
    if let Some(d_gamma) = gradients.gamma {
        for (x, g) in vectors(input, shape.channels).zip(vectors(d_output, shape.channels)) {
            for ((d, (&x, &g)), (&m, &v)) in d_gamma.iter_mut().zip(x.iter().zip(g)).zip(mean.iter().zip(variance)) {
                *d += g * (x - m) / (v + epsilon).sqrt();
            }
        }
    }
    if let Some(d_beta) = gradients.beta {
        add_rows(d_output, d_beta);
    }
    Ok(())
}

/// Moves an inference's normalisation into the dense layer or convolution before it, whose output it normalises:
/// W ← W·γ/√(variance + ε), b ← (b − mean)·γ/√(variance + ε) + β, channel by channel. Weights are OI or OHWI; the channels are
/// the bias's length.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not one per channel, or the weights not a whole number of them.
pub fn fold<T: Real>(
    epsilon: T,
    gamma: &[T],
    beta: &[T],
    mean: &[T],
    variance: &[T],
    weights: &mut [T],
    bias: &mut [T],
) -> Result<(), ShapeError> {
    let channels = bias.len();
    for (what, slice) in [("gamma", gamma), ("beta", beta), ("the mean", mean), ("the variance", variance)] {
        ShapeError::check_length(what, channels, slice.len())?;
    }
    let depth = weights.len().checked_div(channels).unwrap_or(0);
    ShapeError::check_length("the weights", channels * depth, weights.len())?;
    let parameters = gamma.iter().zip(beta).zip(mean.iter().zip(variance));
    for ((filter, b), ((&gamma, &beta), (&mean, &variance))) in vectors_mut(weights, depth).zip(bias).zip(parameters) {
        let factor = gamma / (variance + epsilon).sqrt();
        for w in filter {
            *w *= factor;
        }
        *b = (*b - mean) * factor + beta;
    }
    Ok(())
}

/// y = γ·(x − μ)·σ⁻¹ + β.
fn normalise<T: Real>(shape: &Rows, gamma: &[T], beta: &[T], mean: &[T], spread: &[T], input: &[T], output: &mut [T]) {
    for (x, y) in vectors(input, shape.channels).zip(vectors_mut(output, shape.channels)) {
        let parameters = gamma.iter().zip(beta).zip(mean.iter().zip(spread));
        for ((y, &x), ((&gamma, &beta), (&m, &s))) in y.iter_mut().zip(x).zip(parameters) {
            *y = gamma * ((x - m) * s) + beta;
        }
    }
}

/// Σδ and Σδ·x̂ per channel.
fn sums<T: Real>(
    shape: &Rows,
    mean: &[T],
    spread: &[T],
    input: &[T],
    d_output: &[T],
    sum: &mut [T],
    product: &mut [T],
) {
    sum.fill(T::ZERO);
    add_rows(d_output, sum);
    product.fill(T::ZERO);
    for (x, g) in vectors(input, shape.channels).zip(vectors(d_output, shape.channels)) {
        for ((p, (&x, &g)), (&m, &s)) in product.iter_mut().zip(x.iter().zip(g)).zip(mean.iter().zip(spread)) {
            *p += g * ((x - m) * s);
        }
    }
}

fn add_parameters<T: Real>(d_gamma: Option<&mut [T]>, d_beta: Option<&mut [T]>, sum: &[T], product: &[T]) {
    if let Some(d_gamma) = d_gamma {
        for (d, &p) in d_gamma.iter_mut().zip(product) {
            *d += p;
        }
    }
    if let Some(d_beta) = d_beta {
        for (d, &s) in d_beta.iter_mut().zip(sum) {
            *d += s;
        }
    }
}

fn check<T>(shape: &Rows, gamma: &[T], beta: &[T], input: &[T], output: &[T]) -> Result<(), ShapeError> {
    ShapeError::check_length("gamma", shape.channels, gamma.len())?;
    ShapeError::check_length("beta", shape.channels, beta.len())?;
    ShapeError::check_length("the input", shape.elements(), input.len())?;
    ShapeError::check_length("the output", shape.elements(), output.len())
}

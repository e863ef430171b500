//! Initialisers: what the weights are before the first step. Biases start at zero; see [`zeros`].
//!
//! | name | variance of a weight | for |
//! |---|---|---|
//! | Xavier (Glorot) | 2/(fan in + fan out) | tanh, sigmoid |
//! | He (Kaiming) | 2/fan in | ReLU and its kin |
//! | LeCun | 1/fan in | SELU, linear |
//! | orthogonal | W·Wᵀ = gain²·1 | recurrent weights |
//!
//! Uniform draws lie in ±√(3·variance), normal ones come from Box and Muller. All weights at zero is a trap (textbook
//! row 4.8). Held by: moments and orthogonality in tests/host/gradient/training.rs.

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, ShapeError};

use crate::Real;
use crate::random::{Generator, normal, uniform};
use crate::slices::at;

/// How many products make one output, and how many outputs one input goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    /// Products of one output.
    pub input: usize,
    /// Outputs of one input.
    pub output: usize,
}

impl Fans {
    /// Of a dense layer.
    pub const fn dense(shape: &DenseShape) -> Self {
        Self { input: shape.inputs(), output: shape.outputs() }
    }

    /// Of a convolution.
    pub const fn conv2d(shape: &Conv2dShape) -> Self {
        let taps = shape.rows().kernel() * shape.columns().kernel();
        Self { input: shape.depth(), output: taps * shape.group_outputs() }
    }

    /// Of a depthwise convolution.
    pub const fn depthwise(shape: &DepthwiseConv2dShape) -> Self {
        Self { input: shape.depth(), output: shape.depth() * shape.multiplier() }
    }
}

/// Uniform with variance 2/(fan in + fan out).
pub fn xavier_uniform<T: Real>(fans: Fans, generator: &mut impl Generator, weights: &mut [T]) {
    fill_uniform(variance::<T>(2, fans.input + fans.output), generator, weights);
}

/// Normal with variance 2/(fan in + fan out).
pub fn xavier_normal<T: Real>(fans: Fans, generator: &mut impl Generator, weights: &mut [T]) {
    fill_normal(variance::<T>(2, fans.input + fans.output), generator, weights);
}

/// Uniform with variance 2/fan in.
pub fn he_uniform<T: Real>(fans: Fans, generator: &mut impl Generator, weights: &mut [T]) {
    fill_uniform(variance::<T>(2, fans.input), generator, weights);
}

/// Normal with variance 2/fan in.
pub fn he_normal<T: Real>(fans: Fans, generator: &mut impl Generator, weights: &mut [T]) {
    fill_normal(variance::<T>(2, fans.input), generator, weights);
}

/// Uniform with variance 1/fan in.
pub fn lecun_uniform<T: Real>(fans: Fans, generator: &mut impl Generator, weights: &mut [T]) {
    fill_uniform(variance::<T>(1, fans.input), generator, weights);
}

/// Normal with variance 1/fan in.
pub fn lecun_normal<T: Real>(fans: Fans, generator: &mut impl Generator, weights: &mut [T]) {
    fill_normal(variance::<T>(1, fans.input), generator, weights);
}

/// Zeros: for biases.
pub fn zeros<T: Real>(weights: &mut [T]) {
    weights.fill(T::ZERO);
}

/// A random matrix with orthogonal rows of length `gain` (columns, where there are more rows than columns), row-major.
/// Gram and Schmidt's method on normal draws, each vector cleaned twice; no buffer of its own.
///
/// # Errors
/// [`ShapeError::Length`] when there are not rows × columns weights.
pub fn orthogonal<T: Real>(
    rows: usize,
    columns: usize,
    gain: T,
    generator: &mut impl Generator,
    weights: &mut [T],
) -> Result<(), ShapeError> {
    let Some(expected) = rows.checked_mul(columns) else { return Err(ShapeError::TooLarge) };
    ShapeError::check_length("the weights", expected, weights.len())?;
    fill_normal(T::ONE, generator, weights);
    // Vector v, element e lies at v·(one, 1) + e·(1, columns).
    let (vectors, length, step, stride) =
        if rows <= columns { (rows, columns, columns, 1) } else { (columns, rows, 1, columns) };
    let dot = |weights: &[T], a: usize, b: usize| {
        let element = |vector, e| at(weights, vector * step + e * stride);
        (0..length).map(|e| element(a, e) * element(b, e)).sum::<T>()
    };
    for vector in 0..vectors {
        for _ in 0..2 {
            for earlier in 0..vector {
                let along = dot(weights, vector, earlier);
                add_vector(weights, (vector * step, earlier * step), length, stride, -along);
            }
            let scale = T::ONE / dot(weights, vector, vector).sqrt();
            // A draw that lies among the earlier vectors leaves nothing; it has probability 0, and may stay.
            let scale = if scale.is_finite() { scale } else { T::ZERO };
            for e in 0..length {
                if let Some(w) = weights.get_mut(vector * step + e * stride) {
                    *w *= scale;
                }
            }
        }
    }
    for w in weights {
        *w *= gain;
    }
    Ok(())
}

/// `weights[to ..] += factor · weights[from ..]` along a stride.
fn add_vector<T: Real>(weights: &mut [T], (to, from): (usize, usize), length: usize, stride: usize, factor: T) {
    for e in 0..length {
        let addend = at(weights, from + e * stride);
        if let Some(w) = weights.get_mut(to + e * stride) {
            *w += factor * addend;
        }
    }
}

fn variance<T: Real>(numerator: usize, fan: usize) -> T {
    T::from_usize(numerator) / T::from_usize(fan.max(1))
}

fn fill_uniform<T: Real>(variance: T, generator: &mut impl Generator, weights: &mut [T]) {
    let limit = (T::from_usize(3) * variance).sqrt();
    for w in weights {
        *w = limit * (T::TWO * uniform::<T>(generator) - T::ONE);
    }
}

fn fill_normal<T: Real>(variance: T, generator: &mut impl Generator, weights: &mut [T]) {
    let deviation = variance.sqrt();
    for w in weights {
        *w = deviation * normal::<T>(generator);
    }
}

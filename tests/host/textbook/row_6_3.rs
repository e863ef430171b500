//! 6.3: the residual recurrence h_t = h_{t−1} + g(x_t, h_{t−1}), its Jacobian, and clipping.

use host_tests::gradient::reals;
use host_tests::recurrent::forward;
use smolnn_float::rnn::{Keep, ResidualRnn, Tanh};
use smolnn_float::{Parameter, clip, init};

use crate::generator;
use crate::recurrent::{jacobian, matrix, unit};

/// ∂h₅₀/∂h₀ of g = tanh(u·h) from h₀ = 0.01: "larger than 1" is no general truth.
#[test]
fn row_6_3_fifty_steps() {
    let cell = ResidualRnn::<Tanh>::new(1, 1).unwrap();
    let figures = [
        (0.5, 246.6, 0.05),
        (0.1, 116.7, 0.05),
        (-0.1, 5.15e-3, 5e-6),
        (-0.5, 8.9e-16, 5e-18),
        (-1.0, 0.0, 1e-30),
        (-1.9, 5.1e-3, 5e-5),
    ];
    for (u, expected, tolerance) in figures {
        let found = jacobian(&cell, &[0.0, u, 0.0], &[0.01], &[0.0; 50])[0];
        println!("u = {u}: {found:.4e}");
        assert!((found - expected).abs() <= tolerance, "u = {u}: {found:e}, expected {expected:e}");
    }
    // The linear bound is far off where tanh saturates.
    assert!(1.5_f64.powi(50) > 6e8);
}

/// Around h = 0 the Jacobian of thirty steps is (I + 0.1·U)³⁰: singular values (1 + 0.1·λ)³⁰ for a symmetric U.
#[test]
fn row_6_3_vector() {
    const N: usize = 4;
    let expected = [52.5, 10.5, 0.242, 0.0411];
    let mut random = generator(63);
    let mut q = vec![0.0; N * N];
    init::orthogonal(N, N, 1.0, &mut random, &mut q).unwrap();
    let lambda = expected.map(|s: f64| 10.0 * (s.powf(1.0 / 30.0) - 1.0));
    // 0.1·U = Qᵀ diag(0.1·λ) Q.
    let u: Vec<f64> =
        (0..N * N).map(|at| (0..N).map(|k| 0.1 * lambda[k] * q[k * N + at / N] * q[k * N + at % N]).sum()).collect();
    let cell = ResidualRnn::<Tanh>::new(1, N).unwrap();
    let parameters = [vec![0.0; N], u, vec![0.0; N]].concat();
    let found = jacobian(&cell, &parameters, &[0.0; N], &[0.0; 30]);
    for (row, expected) in q.chunks_exact(N).zip(expected) {
        let stretched: Vec<f64> = found.chunks_exact(N).map(|j| j.iter().zip(row).map(|(j, q)| j * q).sum()).collect();
        crate::close(&stretched, &row.iter().map(|q| expected * q).collect::<Vec<_>>(), 1e-10);
    }
}

/// ∂h_t/∂h_k = Π_{i=t}^{k+1} (I + ∂g_i/∂h_{i−1}), in this order.
fn by_formula(factors: &[Vec<f64>], n: usize) -> Vec<f64> {
    factors.iter().fold(unit(n), |product, factor| matrix(factor, &product, n))
}

/// I + diag(1 − g_i²)·U for i = 1 ..= steps.
fn factors(u: &[f64], states: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = states[0].len();
    let factor = |pair: &[Vec<f64>]| {
        let mut factor = unit(n);
        for i in 0..n {
            let g = pair[1][i] - pair[0][i];
            (0..n).for_each(|j| factor[i * n + j] += (1.0 - g * g) * u[i * n + j]);
        }
        factor
    };
    states.windows(2).map(factor).collect()
}

const HIDDEN: usize = 3;

/// The library's Jacobian of a random net, and the factors of its formula, one step more than there are.
fn net() -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut random = generator(631);
    let cell = ResidualRnn::<Tanh>::new(2, HIDDEN).unwrap();
    let p: Vec<f64> = reals(&mut random, cell.sizes().parameters()).iter().map(|w| 0.5 * w).collect();
    let (h0, x) = (reals(&mut random, HIDDEN), reals(&mut random, 2 * 7));
    let found = jacobian(&cell, &p, &h0, &x[..12]);
    let output = forward(&cell, Keep::Gates, &p, &h0, &x).output;
    let states: Vec<Vec<f64>> = std::iter::once(h0).chain(output.chunks_exact(HIDDEN).map(<[f64]>::to_vec)).collect();
    (found, factors(&p[2 * HIDDEN..][..HIDDEN * HIDDEN], &states))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn row_6_3_product_of_jacobians() {
    let (found, factors) = net();
    let distance = distance(&found, &by_formula(&factors[..6], HIDDEN));
    println!("{distance:.1e}");
    assert!(distance <= 5e-15);
}

#[test]
fn row_6_3_wrong_variant_index_off_by_one_is_rejected() {
    let (found, factors) = net();
    assert!(distance(&found, &by_formula(&factors[1..7], HIDDEN)) > 1e-3);
}

#[test]
fn row_6_3_wrong_variant_reversed_order_is_rejected() {
    let (found, mut factors) = net();
    factors.truncate(6);
    factors.reverse();
    assert!(distance(&found, &by_formula(&factors, HIDDEN)) > 1e-3);
}

/// By global norm over all tensors: the direction stays, the norm becomes the bound.
#[test]
fn row_6_3_clipping() {
    let mut random = generator(632);
    let original = [reals(&mut random, 12), reals(&mut random, 4)];
    let total = original.iter().flatten().map(|g| g * g).sum::<f64>().sqrt();
    let clipped = |max: f64, by_norm: bool| {
        let [mut w, mut b] = original.clone();
        let (mut values, mut bias) = ([0.0; 12], [0.0; 4]);
        let mut parameters =
            [Parameter::weights(&mut values, &mut w).unwrap(), Parameter::bias(&mut bias, &mut b).unwrap()];
        if by_norm {
            assert!((clip::global_norm(&mut parameters, max) - total).abs() < 1e-14, "the norm before");
        } else {
            clip::value(&mut parameters, max);
        }
        [w, b].concat()
    };
    let flat = original.concat();
    let found = clipped(0.25, true);
    assert!((found.iter().map(|g| g * g).sum::<f64>().sqrt() - 0.25).abs() < 1e-15);
    crate::close(&found, &flat.iter().map(|g| g * 0.25 / total).collect::<Vec<_>>(), 1e-16);
    assert_eq!(clipped(total + 1.0, true), flat, "what is short enough stays as it is");
    assert_eq!(clipped(0.25, false), flat.iter().map(|g| g.clamp(-0.25, 0.25)).collect::<Vec<_>>());
}

/// Exploding gradients of a residual net, clipped: the step is as long as allowed, the direction that of the gradient.
#[test]
fn row_6_3_clipping_an_exploding_gradient() {
    let cell = ResidualRnn::<Tanh>::new(1, 1).unwrap();
    let mut gradient = jacobian(&cell, &[0.0, 0.5, 0.0], &[0.001], &[0.0; 40]);
    assert!(gradient[0] > 100.0);
    let mut value = [0.0];
    let norm = clip::global_norm(&mut [Parameter::weights(&mut value, &mut gradient).unwrap()], 1.0);
    assert!(norm > 100.0 && (gradient[0] - 1.0).abs() < 1e-15);
}

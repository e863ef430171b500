//! 4.1: the gradients of a sigmoid neuron with positive inputs share one sign; descent zig-zags.

use host_tests::gradient::reals;
use smolnn_core::DenseShape;
use smolnn_float::diagnostics::same_sign_fraction;
use smolnn_float::random::{Pcg32, uniform};
use smolnn_float::standardise::Standardiser;
use smolnn_float::{Gradients, Real, dense};

use crate::{close, generator};

/// Output, ∂L/∂W and ∂L/∂b of sigmoid neurons, given ∂L/∂a.
fn neurons(x: &[f64], w: &[f64], b: &[f64], d_output: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let shape = DenseShape::new(1, x.len(), b.len()).unwrap();
    let mut a = vec![0.0; b.len()];
    dense::forward(&shape, w, Some(b), x, &mut a).unwrap();
    let a: Vec<f64> = a.iter().map(|&z| Real::sigmoid(z)).collect();
    let delta: Vec<f64> = a.iter().map(|&a| d_output(a) * a * (1.0 - a)).collect();
    let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; b.len()]);
    let gradients = Gradients { input: None, weights: Some(&mut dw), bias: Some(&mut db) };
    dense::backward(&shape, w, x, &delta, gradients).unwrap();
    (a, dw, db)
}

#[test]
fn row_4_1_figures() {
    let (a, dw, _) = neurons(&[1.0, 2.0], &[0.5, -0.5], &[0.0], |a| a);
    close(&a, &[0.377_540_669], 1e-9);
    close(&dw, &[0.088_723, 0.177_447], 1e-6);
    // Only the second component follows the sign of the second input.
    let (_, flipped, _) = neurons(&[1.0, -2.0], &[0.5, -0.5], &[0.0], |a| a);
    assert!(flipped[0] > 0.0 && flipped[1] < 0.0);
}

#[test]
fn row_4_1_dense_figures() {
    let shape = DenseShape::new(1, 3, 2).unwrap();
    let (w, b, x) = ([1.0, -2.0, 0.5, 0.25, 0.0, -1.0], [0.1, -0.2], [1.0, 2.0, -1.0]);
    let mut z = [0.0; 2];
    dense::forward(&shape, &w, Some(&b), &x, &mut z).unwrap();
    close(&z, &[-3.4, 1.05], 1e-15);
    let y = z.map(Real::tanh);
    close(&y, &[-0.997_774_93, 0.781_806_36], 1e-8);
    let delta = [1.0 - y[0] * y[0], -(1.0 - y[1] * y[1])];
    close(&delta, &[0.004_445_19, -0.388_778_82], 1e-8);
    let (mut dx, mut dw, mut db) = ([0.0; 3], [0.0; 6], [0.0; 2]);
    let gradients = Gradients { input: Some(&mut dx), weights: Some(&mut dw), bias: Some(&mut db) };
    dense::backward(&shape, &w, &x, &delta, gradients).unwrap();
    close(&dx, &[-0.092_749_51, -0.008_890_39, 0.391_001_42], 1e-8);
    assert_eq!(db, delta);
    for o in 0..2 {
        for i in 0..3 {
            assert_eq!(dw[o * 3 + i], delta[o] * x[i]);
        }
    }
}

/// Per sample and neuron, and with positive inputs, all signs agree.
#[test]
fn row_4_1_one_sign_where_inputs_are_positive() {
    let mut random = generator(41);
    for _ in 0..200 {
        let x: Vec<f64> = reals(&mut random, 6).iter().map(|x| x.abs() + 1e-3).collect();
        let (w, b, target) = (reals(&mut random, 18), reals(&mut random, 3), reals(&mut random, 1)[0]);
        let (_, dw, _) = neurons(&x, &w, &b, |a| a - target);
        for neuron in dw.chunks_exact(6) {
            assert_eq!(same_sign_fraction(neuron), 1.0);
        }
    }
    // No vector of one sign comes closer to (1, −1)/√2 than 45°.
    for _ in 0..1000 {
        let v: Vec<f64> = reals(&mut random, 2).iter().map(|v| v.abs()).collect();
        let cosine = (v[0] - v[1]) / (2.0 * (v[0] * v[0] + v[1] * v[1])).sqrt();
        assert!(cosine.abs() <= 0.707_106_782);
    }
}

/// The wrong variant, "all gradients of a sigmoid neuron share one sign", falls without the premise and for batches.
#[test]
fn row_4_1_wrong_variant_is_rejected() {
    let mut random = generator(42);
    let claim = |dw: &[f64]| same_sign_fraction(dw) == 1.0;
    let (w, b) = (reals(&mut random, 6), reals(&mut random, 1));
    let mixed = (0..100).filter(|_| claim(&neurons(&reals(&mut random, 6), &w, &b, |a| a).1)).count();
    assert!(mixed < 20, "the claim held for {mixed} of 100 inputs of both signs");
    // Two samples with positive inputs, whose errors have opposite signs.
    let first = neurons(&[1.0, 0.1], &[0.0; 2], &[0.0], |a| a - 1.0).1;
    let second = neurons(&[0.1, 1.0], &[0.0; 2], &[0.0], |a| a).1;
    assert!(claim(&first) && claim(&second));
    let batch: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
    assert!(!claim(&batch));
}

/// With cross-entropy the factor a(1 − a) cancels: δ = a − y.
#[test]
fn row_4_1_cross_entropy_cancels_the_slope() {
    for (z, y) in [(0.3, 1.0), (-2.0, 0.0), (4.0, 0.25)] {
        let mut d = [0.0];
        smolnn_float::loss::binary_cross_entropy(&[z], &[y], &mut d).unwrap();
        close(&d, &[Real::sigmoid(z) - y], 1e-15);
    }
}

/// Logistic regression on two inputs and a bias: steps of gradient descent, rate 4/λ, to an excess of 1e-3.
/// `least` is the loss there is to reach; without it the loss after very many steps is returned instead.
fn descend(samples: &[[f64; 2]], labels: &[f64], least: Option<f64>) -> (usize, f64) {
    let n = samples.len() as f64;
    let row = |x: &[f64; 2]| [x[0], x[1], 1.0];
    let mut gram = [[0.0; 3]; 3];
    for x in samples.iter().map(row) {
        for (gram, a) in gram.iter_mut().zip(x) {
            for (gram, b) in gram.iter_mut().zip(x) {
                *gram += a * b / n;
            }
        }
    }
    // The largest eigenvalue, by power iteration.
    let (mut v, mut largest) = ([1.0; 3], 0.0);
    for _ in 0..1000 {
        let next = gram.map(|row| row.iter().zip(&v).map(|(g, v)| g * v).sum::<f64>());
        largest = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        v = next.map(|x| x / largest);
    }
    let shape = DenseShape::new(samples.len(), 2, 1).unwrap();
    let x: Vec<f64> = samples.iter().flatten().copied().collect();
    let mut d_logits = vec![0.0; samples.len()];
    let (mut w, mut b) = ([0.0; 2], [0.0; 1]);
    let mut loss = f64::INFINITY;
    for step in 0..50_000 {
        let mut logits = vec![0.0; samples.len()];
        dense::forward(&shape, &w, Some(&b), &x, &mut logits).unwrap();
        loss = smolnn_float::loss::binary_cross_entropy(&logits, labels, &mut d_logits).unwrap();
        if least.is_some_and(|least| loss - least < 1e-3) {
            return (step, loss);
        }
        dense::backward_sgd(&shape, 4.0 / largest, &mut w, Some(&mut b), &x, &d_logits, None).unwrap();
        if least.is_none() && step > 2_000 {
            break;
        }
    }
    (50_000, loss)
}

fn labelled(low: f64, random: &mut Pcg32) -> (Vec<[f64; 2]>, Vec<f64>) {
    let samples: Vec<[f64; 2]> = (0..100).map(|_| [(); 2].map(|()| low + uniform::<f64>(random))).collect();
    // A noisy teacher, the same for every offset of the inputs.
    let label = |x: &[f64; 2], noise: f64| {
        f64::from(noise < Real::sigmoid(2.0 * (x[0] - low - 0.5) - 1.5 * (x[1] - low - 0.5)))
    };
    let labels = samples.iter().map(|x| label(x, uniform::<f64>(random))).collect();
    (samples, labels)
}

/// Centred inputs are better conditioned: descent takes fewer steps, the more the further the inputs lie from 0.
#[test]
fn row_4_1_centred_inputs_descend_faster() {
    let mut ratios = Vec::new();
    for low in [0.0, 1.0, 4.0] {
        let (samples, labels) = labelled(low, &mut generator(43));
        let mut standardiser = Standardiser::<f64, 2>::new();
        for x in &samples {
            standardiser.observe(x);
        }
        let mean = standardiser.mean();
        let centred: Vec<[f64; 2]> = samples.iter().map(|x| [x[0] - mean[0], x[1] - mean[1]]).collect();
        // The least loss is the same for both: it is one model in other coordinates.
        let least = Some(descend(&centred, &labels, None).1);
        let (raw, centred) = (descend(&samples, &labels, least).0, descend(&centred, &labels, least).0);
        println!("inputs from {low}: {raw} steps, centred {centred}: {:.1} times", raw as f64 / centred as f64);
        assert!(centred <= raw);
        ratios.push(raw as f64 / centred as f64);
    }
    assert!(ratios[2] > 5.0 * ratios[0], "{ratios:?}");
}

//! 4.7: the bias is not regularised: a shift of all targets must move the bias and nothing else.

use host_tests::gradient::reals;
use smolnn_core::DenseShape;
use smolnn_float::optimiser::{Optimiser, Sgd};
use smolnn_float::{Gradients, Parameter, dense, parameter};

use crate::generator;

/// Ridge regression, λ = 5: three weights and a bias, by full-batch descent to the minimum of ½Σe² + λ/2·‖W‖².
fn ridge(x: &[f64], targets: &[f64], bias_decays: bool) -> [f64; 4] {
    let shape = DenseShape::new(targets.len(), 3, 1).unwrap();
    let (mut w, mut b) = ([0.0; 3], [0.0; 1]);
    let mut sgd = Sgd::new(0.5 / targets.len() as f64);
    for _ in 0..20_000 {
        let mut y = vec![0.0; targets.len()];
        dense::forward(&shape, &w, Some(&b), x, &mut y).unwrap();
        let errors: Vec<f64> = y.iter().zip(targets).map(|(y, t)| y - t).collect();
        let (mut dw, mut db) = ([0.0; 3], [0.0; 1]);
        let gradients = Gradients { input: None, weights: Some(&mut dw), bias: Some(&mut db) };
        dense::backward(&shape, &w, x, &errors, gradients).unwrap();
        let mut parameters =
            [Parameter::weights(&mut w, &mut dw).unwrap(), Parameter::new(&mut b, &mut db, bias_decays).unwrap()];
        parameter::regularise(&mut parameters, 5.0);
        sgd.step(&mut parameters, &mut []).unwrap();
    }
    [w[0], w[1], w[2], b[0]]
}

/// How the solution moves when 100 is added to every target.
fn shift(bias_decays: bool) -> [f64; 4] {
    let mut random = generator(47);
    let x = reals(&mut random, 3 * 40);
    let targets = reals(&mut random, 40);
    let shifted: Vec<f64> = targets.iter().map(|t| t + 100.0).collect();
    let (before, after) = (ridge(&x, &targets, bias_decays), ridge(&x, &shifted, bias_decays));
    [0, 1, 2, 3].map(|k| after[k] - before[k])
}

#[test]
fn row_4_7_a_free_bias_takes_the_shift() {
    let moved = shift(false);
    println!("Δθ = {moved:?}");
    crate::close(&moved, &[0.0, 0.0, 0.0, 100.0], 1e-9);
}

/// The wrong variant, a penalised bias, distorts the weights.
#[test]
fn row_4_7_wrong_variant_is_rejected() {
    let moved = shift(true);
    println!("Δθ = {moved:?}");
    assert!(moved[..3].iter().any(|w| w.abs() > 0.1));
    assert!(moved[3] < 99.0);
}

/// Without a gradient a step scales W by exactly 1 − ηλ and leaves b, bit for bit.
#[test]
fn row_4_7_decoupled_step() {
    let (mut w, mut b) = ([0.3_f32, -1.7, 1e-20], [0.1_f32, -5.0]);
    let (w0, b0) = (w, b);
    let (mut dw, mut db) = ([0.0; 3], [0.0; 2]);
    let mut parameters = [Parameter::weights(&mut w, &mut dw).unwrap(), Parameter::bias(&mut b, &mut db).unwrap()];
    Sgd::new(0.25_f32).decay(0.5).step(&mut parameters, &mut []).unwrap();
    assert_eq!(w.map(f32::to_bits), w0.map(|w| (w * (1.0 - 0.25 * 0.5)).to_bits()));
    assert_eq!(b.map(f32::to_bits), b0.map(f32::to_bits));
}

//! 4.6: a ReLU network of one hidden layer is a lookup table with interpolation.

use std::f64::consts::TAU;

use smolnn_core::DenseShape;
use smolnn_float::dense;

use crate::generator;

/// f̂(x) = f(t₀) + s₀·relu(x − t₀) + Σ (s_k − s_{k−1})·relu(x − t_k) on n pieces of [a, b]; returns the largest |f̂ − f|.
fn interpolate(f: impl Fn(f64) -> f64, (a, b): (f64, f64), n: usize) -> f64 {
    let knots: Vec<f64> = (0..=n).map(|k| a + (b - a) * k as f64 / n as f64).collect();
    let slopes: Vec<f64> = knots.windows(2).map(|t| (f(t[1]) - f(t[0])) / (t[1] - t[0])).collect();
    let (hidden, output) = (DenseShape::new(1, 1, n).unwrap(), DenseShape::new(1, n, 1).unwrap());
    let bias: Vec<f64> = knots[..n].iter().map(|t| -t).collect();
    let weights: Vec<f64> = (0..n).map(|k| if k == 0 { slopes[0] } else { slopes[k] - slopes[k - 1] }).collect();
    let samples = 20_000;
    (0..=samples)
        .map(|i| {
            let x = a + (b - a) * f64::from(i) / f64::from(samples);
            let (mut h, mut y) = (vec![0.0; n], [0.0]);
            dense::forward(&hidden, &vec![1.0; n], Some(&bias), &[x], &mut h).unwrap();
            let h: Vec<f64> = h.iter().map(|z| z.max(0.0)).collect();
            dense::forward(&output, &weights, Some(&[f(a)]), &h, &mut y).unwrap();
            (y[0] - f(x)).abs()
        })
        .fold(0.0, f64::max)
}

#[test]
fn row_4_6_sine() {
    for (n, error, bound) in [(8, 0.07038, 0.07711), (16, 0.01885, 0.01928), (32, 0.004792, 0.004819)] {
        let found = interpolate(f64::sin, (0.0, TAU), n);
        let step = TAU / n as f64;
        assert!((step * step / 8.0 - bound).abs() < 1e-5 * bound.max(1.0), "max |f″| = 1, so the bound is h²/8");
        assert!((found - error).abs() < 1e-5, "{n} pieces: {found}");
        assert!(found <= bound);
    }
}

/// error ≤ max|f″|·h²/8 for random parabolas and sines, and a quarter of it for twice the pieces.
#[test]
fn row_4_6_error_bound() {
    let mut random = generator(46);
    for _ in 0..5 {
        let c = host_tests::gradient::reals(&mut random, 3);
        let f = |x: f64| c[0] * x * x + c[1] * (3.0 * x).sin() + c[2];
        let curvature = 2.0 * c[0].abs() + 9.0 * c[1].abs();
        let errors = [8, 16].map(|n| {
            let error = interpolate(f, (-1.0, 2.0), n);
            let step = 3.0 / n as f64;
            assert!(error <= curvature * step * step / 8.0 + 1e-12);
            error
        });
        assert!(errors[1] < 0.3 * errors[0], "{errors:?}");
    }
}

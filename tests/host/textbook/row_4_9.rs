//! 4.9: gradients vanish with depth, in fixed point for good; a scale by a power of two saves them.

use host_tests::gradient::reals;
use smolnn_fixed::q::{Q, Q15};
use smolnn_float::Parameter;
use smolnn_float::clip::GradientScaler;
use smolnn_float::random::{Pcg32, SeedableRng};

use crate::mlp::{Activation, Mlp};

const DEPTH: usize = 10;

/// Geometric mean over 50 seeds of ‖∂L/∂W₁‖ / ‖∂L/∂W₁₀‖ in a net of ten layers of width 16.
fn ratio(activation: Activation) -> f64 {
    let mut logarithms = 0.0;
    for seed in 0..50 {
        let mut random = Pcg32::seed_from_u64(seed);
        let mut net = Mlp::random(&[16; DEPTH + 1], activation, activation, &mut random);
        let outputs = net.forward(&reals(&mut random, 16));
        net.backward(&outputs, &reals(&mut random, 16));
        let mut norm = |layer: usize| {
            let layer = &mut net.layers[layer];
            Parameter::weights(&mut layer.weights, &mut layer.d_weights).unwrap().gradient_norm()
        };
        logarithms += (norm(0) / norm(DEPTH - 1)).ln();
    }
    (logarithms / 50.0).exp()
}

#[test]
fn row_4_9_gradients_by_depth() {
    let [sigmoid, tanh, relu] = [Activation::Sigmoid, Activation::Tanh, Activation::Relu].map(ratio);
    println!("|∂W₁|/|∂W₁₀|: sigmoid {sigmoid:.1e}, tanh {tanh:.2}, ReLU {relu:.2}");
    assert!((1e-7..1e-4).contains(&sigmoid), "the sigmoid's slope is at most ¼, nine times over");
    assert!((0.1..10.0).contains(&tanh) && (0.1..10.0).contains(&relu));
    assert!((0.25_f64.powi(5) - 9.8e-4).abs() < 1e-5 && (0.25_f64.powi(10) - 9.5e-7).abs() < 1e-8);
    assert!(0.25_f64.powi(10) < 1.0 / 32_768.0, "below the step of Q15");
}

const SMALL: [f64; 3] = [3e-6, -2e-6, 1e-6];

#[test]
fn row_4_9_rounding_loses_small_gradients() {
    let rounded = SMALL.map(|g| Q15::from_f64(g).to_f64());
    assert_eq!(rounded, [0.0; 3]);
    // The wrong remedy: scaling what has been rounded already.
    assert_eq!(rounded.map(|g| g * 1e6), [0.0; 3]);
}

#[test]
fn row_4_9_scaling_first_saves_them() {
    let scaler = GradientScaler::new(12);
    let mut gradient = SMALL;
    scaler.scale(&mut gradient);
    let mut gradient = gradient.map(|g| Q15::from_f64(g).to_f64());
    assert!(scaler.unscale(&mut [Parameter::weights(&mut [0.0; 3], &mut gradient).unwrap()]));
    crate::close(&gradient, &[3.0026e-6, -1.9968e-6, 0.9984e-6], 5e-11);
}

#[test]
fn row_4_9_stochastic_rounding_is_right_on_average() {
    let mut generator = smolnn_fixed::random::Generator::new(49);
    let draws = 200_000;
    let means = SMALL.map(|g| {
        let fine = Q::<i32, 31>::from_f64(g);
        let sum: f64 = (0..draws).map(|_| fine.stochastic::<15>(&mut generator).to_f64()).sum();
        sum / f64::from(draws)
    });
    println!("means {means:?}");
    // Each draw is 0 or one step; five deviations of the mean.
    for (mean, g) in means.iter().zip(SMALL) {
        let step = 1.0 / 32_768.0;
        let deviation = (step * g.abs() / f64::from(draws)).sqrt();
        assert!((mean - g).abs() < 5.0 * deviation + 1.0 / 2.0_f64.powi(31), "{mean} {g}");
    }
}

/// One learning rate cannot mend a ratio between layers; a normaliser per parameter can.
#[test]
fn row_4_9_adam_moves_all_layers_alike() {
    use smolnn_float::optimiser::{Adam, Optimiser};
    let mut random = Pcg32::seed_from_u64(1);
    let mut net = Mlp::random(&[16; DEPTH + 1], Activation::Sigmoid, Activation::Sigmoid, &mut random);
    let outputs = net.forward(&reals(&mut random, 16));
    net.backward(&outputs, &reals(&mut random, 16));
    let before: Vec<Vec<f64>> = net.layers.iter().map(|layer| layer.weights.clone()).collect();
    let count: usize = net.layers.iter().map(|layer| layer.shape.cost().parameters()).sum();
    let mut state = vec![0.0; <Adam<f64> as Optimiser<f64>>::STATES * count];
    net.step(&mut Adam::with(0.01, 0.9, 0.999, 1e-15), &mut state);
    for (layer, before) in net.layers.iter().zip(&before) {
        let largest = layer.weights.iter().zip(before).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!((largest - 0.01).abs() < 1e-4, "{largest}");
    }
}

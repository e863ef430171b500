//! 4.3: dead ReLUs, and what a leaky one does about them.

use smolnn_float::act::{Activation, FromMask, LeakyRelu, Relu, mask_len, prelu};
use smolnn_float::random::{Generator, uniform};

use crate::{close, generator};

/// Standard normal by Box and Muller.
fn normal(generator: &mut impl Generator) -> f64 {
    let (u, v): (f64, f64) = (uniform(generator), uniform(generator));
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// One neuron w·x + b over samples; the gradient of Σ f(z)·δ by w and b, through the masks of the forward pass.
struct Neuron {
    weights: [f64; 3],
    bias: f64,
}

impl Neuron {
    fn outputs(&self, samples: &[[f64; 3]]) -> Vec<f64> {
        samples.iter().map(|x| x.iter().zip(self.weights).map(|(x, w)| x * w).sum::<f64>() + self.bias).collect()
    }

    fn gradient(&self, activation: &impl FromMask<f64>, samples: &[[f64; 3]], target: f64) -> ([f64; 4], f64) {
        let z = self.outputs(samples);
        let (mut y, mut mask, mut dz) = (vec![0.0; z.len()], vec![0; mask_len(z.len())], vec![0.0; z.len()]);
        activation.forward_with_mask(&z, &mut y, &mut mask).unwrap();
        let delta: Vec<f64> = y.iter().map(|y| (y - target) / z.len() as f64).collect();
        activation.backward_from_mask(&mask, &delta, &mut dz).unwrap();
        let mut gradient = [0.0; 4];
        for (dz, x) in dz.iter().zip(samples) {
            for (g, x) in gradient.iter_mut().zip(x.iter().chain([&1.0])) {
                *g += dz * x;
            }
        }
        (gradient, mask.iter().map(|bits| f64::from(bits.count_ones())).sum::<f64>() / z.len() as f64)
    }

    fn train(mut self, activation: &impl FromMask<f64>, samples: &[[f64; 3]], steps: usize) -> Self {
        for _ in 0..steps {
            let (gradient, _) = self.gradient(activation, samples, 1.0);
            for (w, g) in self.weights.iter_mut().chain([&mut self.bias]).zip(gradient) {
                *w -= 0.5 * g;
            }
        }
        self
    }
}

fn samples() -> Vec<[f64; 3]> {
    let mut generator = generator(43);
    (0..1000).map(|_| std::array::from_fn(|_| normal(&mut generator))).collect()
}

/// With a unit weight vector and b = −1, P(z > 0) = P(N(0,1)·|w| > 1): for |w| = 1.787 it is the 28.8 % of the table.
#[test]
fn row_4_3_a_neuron_is_dead_when_no_sample_passes() {
    let samples = samples();
    let weights = [1.2, -1.0, 0.8718];
    let alive = Neuron { weights, bias: -1.0 };
    let (gradient, active) = alive.gradient(&Relu, &samples, 1.0);
    assert!((active - 0.288).abs() < 0.05, "{active} of the samples pass");
    assert!(gradient.iter().all(|g| *g != 0.0));

    let dead = Neuron { weights, bias: -20.0 };
    let (gradient, active) = dead.gradient(&Relu, &samples, 1.0);
    assert_eq!((gradient, active), ([0.0; 4], 0.0), "exactly zero, for ever");
    let after = Neuron { weights, bias: -20.0 }.train(&Relu, &samples, 200);
    assert_eq!((after.weights, after.bias), (weights, -20.0));

    // The leaky one has a gradient, and recovers.
    let leaky = LeakyRelu { slope: 0.01 };
    let (gradient, _) = dead.gradient(&leaky, &samples, 1.0);
    assert!(gradient.iter().all(|g| *g != 0.0));
    let after = Neuron { weights, bias: -20.0 }.train(&leaky, &samples, 40_000);
    let passing = after.outputs(&samples).iter().filter(|z| **z > 0.0).count();
    assert!(passing > 0, "the leaky neuron stays dead");
}

/// One negative z is not death: with two samples, one passing, the gradient lives.
#[test]
fn row_4_3_one_sample_below_is_not_death() {
    let neuron = Neuron { weights: [1.0, 0.0, 0.0], bias: 0.0 };
    let (gradient, active) = neuron.gradient(&Relu, &[[-1.0, 0.0, 0.0], [2.0, 0.0, 0.0]], 1.0);
    assert_eq!(active, 0.5);
    close(&gradient, &[1.0, 0.0, 0.0, 0.5], 1e-15);
}

#[test]
fn row_4_3_slopes() {
    let z = [-2.0, -0.0, 0.0, 1e-30, 3.0];
    let derivative = |activation: &dyn Activation<f64>| z.map(|z| activation.derivative(z));
    assert_eq!(derivative(&Relu), [0.0, 0.0, 0.0, 1.0, 1.0], "0 at 0");
    assert_eq!(derivative(&LeakyRelu { slope: 1.0 / 128.0 }), [0.0078125, 0.0078125, 0.0078125, 1.0, 1.0]);
    // ∂/∂γ = Σ δ z over z ≤ 0
    let (mut d_slope, mut dz) = ([0.0], [0.0; 5]);
    prelu::backward(&[0.25], &z, &[1.0, 10.0, 100.0, 1000.0, 10_000.0], &mut d_slope, &mut dz).unwrap();
    assert_eq!((d_slope, dz), ([-2.0], [0.25, 2.5, 25.0, 1000.0, 10_000.0]));
}

/// The backward pass needs one bit per element: 1000 elements, 125 bytes.
#[test]
fn row_4_3_one_bit_per_element() {
    assert_eq!(mask_len(1000), 125);
    let mut mask = [0xaa; 2];
    Relu.forward_with_mask(&[1.0, -1.0, 2.0, 0.0, 3.0, -4.0, 5.0, -6.0, 7.0_f32], &mut [0.0; 9], &mut mask).unwrap();
    assert_eq!(mask, [0b0101_0101, 0b1]);
}

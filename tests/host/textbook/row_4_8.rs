//! 4.8: a network of zeros stays what it is.

use host_tests::gradient::reals;
use smolnn_float::optimiser::Sgd;

use crate::generator;
use crate::mlp::{Activation, Mlp};

const SAMPLES: usize = 20;

fn data() -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut random = generator(48);
    ((0..SAMPLES).map(|_| reals(&mut random, 3)).collect(), reals(&mut random, SAMPLES))
}

/// 3-4-1, full batch, 200 steps.
fn train(mut net: Mlp) -> Mlp {
    let (inputs, targets) = data();
    let mut sgd = Sgd::new(0.1);
    for _ in 0..200 {
        for (x, t) in inputs.iter().zip(&targets) {
            let outputs = net.forward(x);
            let error = (outputs[2][0] - t) / SAMPLES as f64;
            net.backward(&outputs, &[error]);
        }
        net.step(&mut sgd, &mut []);
    }
    net
}

/// Rank of a matrix, by elimination with pivots.
fn rank(mut rows: Vec<Vec<f64>>) -> usize {
    let mut rank = 0;
    for column in 0..rows[0].len() {
        let Some(pivot) = (rank..rows.len()).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))
        else {
            break;
        };
        if rows[pivot][column].abs() < 1e-9 {
            continue;
        }
        rows.swap(rank, pivot);
        for below in rank + 1..rows.len() {
            let factor = rows[below][column] / rows[rank][column];
            for k in 0..rows[0].len() {
                rows[below][k] -= factor * rows[rank][k];
            }
        }
        rank += 1;
    }
    rank
}

fn rows(weights: &[f64]) -> Vec<Vec<f64>> {
    weights.chunks_exact(3).map(<[f64]>::to_vec).collect()
}

#[test]
fn row_4_8_relu_and_tanh_never_move() {
    for activation in [Activation::Relu, Activation::Tanh] {
        let net = train(Mlp::zeros(&[3, 4, 1], activation, Activation::Linear));
        assert!(net.layers.iter().all(|layer| layer.weights.iter().all(|&w| w == 0.0)), "{activation:?}");
        assert!(net.layers[0].bias.iter().all(|&b| b == 0.0));
        // Only the output's bias has learnt: the mean of the targets.
        let mean = data().1.iter().sum::<f64>() / SAMPLES as f64;
        assert!((net.layers[1].bias[0] - mean).abs() < 1e-6);
    }
}

#[test]
fn row_4_8_sigmoid_keeps_its_symmetry() {
    let net = train(Mlp::zeros(&[3, 4, 1], Activation::Sigmoid, Activation::Linear));
    let hidden = rows(&net.layers[0].weights);
    assert!(hidden[0].iter().any(|&w| w != 0.0), "it does move");
    for row in &hidden {
        assert_eq!(
            row.iter().map(|w| w.to_bits()).collect::<Vec<_>>(),
            hidden[0].iter().map(|w| w.to_bits()).collect::<Vec<_>>()
        );
    }
    assert_eq!(rank(hidden), 1);
    assert!(net.layers[1].weights.iter().all(|w| w.to_bits() == net.layers[1].weights[0].to_bits()));
}

#[test]
fn row_4_8_random_weights_break_it() {
    let mut random = generator(480);
    let start = Mlp::random(&[3, 4, 1], Activation::Relu, Activation::Linear, &mut random);
    assert_eq!(rank(rows(&start.layers[0].weights)), 3);
    assert_eq!(rank(rows(&train(start).layers[0].weights)), 3);
}

/// The wrong variant, "with zeros every gradient is zero": the bias of the output has one.
#[test]
fn row_4_8_wrong_variant_is_rejected() {
    let mut net = Mlp::zeros(&[3, 4, 1], Activation::Relu, Activation::Linear);
    let outputs = net.forward(&[0.1, 0.2, 0.3]);
    net.backward(&outputs, &[outputs[2][0] - 1.0]);
    let all_zero = |net: &Mlp| net.layers.iter().all(|l| l.d_weights.iter().chain(&l.d_bias).all(|&d| d == 0.0));
    assert!(!all_zero(&net));
    assert_eq!(net.layers[1].d_bias, [-1.0]);
    net.layers[1].d_bias[0] = 0.0;
    assert!(all_zero(&net), "and nothing else has");
}

//! 4.5: how many parameters a network has, and what it takes to train it, at compile time.

use host_tests::gradient::between;
use smolnn_core::{Dense, OptimiserKind, Precision, parameters, shape, train_bytes};

use crate::generator;

/// M₀ inputs, N − 1 = (L − 1)·n hidden units in layers of n, one output, L layers of weights.
fn formula(neurons: usize, layers: usize, inputs: usize) -> usize {
    let n = (neurons - 1) / (layers - 1);
    inputs * n + n + (layers - 2) * n * (n + 1) + n + 1
}

fn widths(neurons: usize, layers: usize, inputs: usize) -> Vec<usize> {
    let n = (neurons - 1) / (layers - 1);
    [vec![inputs], vec![n; layers - 1], vec![1]].concat()
}

#[test]
fn row_4_5_figures() {
    for ((neurons, layers, inputs), expected) in
        [((13, 4, 10), 89), ((31, 4, 10), 341), ((101, 5, 3), 2076), ((101, 6, 784), 17_401)]
    {
        assert_eq!(formula(neurons, layers, inputs), expected);
        assert_eq!(parameters(&widths(neurons, layers, inputs)), expected);
    }
    const AT_COMPILE_TIME: usize = parameters(&[784, 16, 10]);
    assert_eq!(AT_COMPILE_TIME, 784 * 16 + 16 + 16 * 10 + 10);
}

/// The book's edition: N hidden units in L layers, one output more.
#[test]
fn row_4_5_depth_at_equal_width() {
    let count = |hidden: usize, layers: usize, inputs: usize| {
        parameters(&[vec![inputs], vec![hidden / layers; layers], vec![1]].concat())
    };
    assert_eq!([1, 2, 3, 4, 5, 6].map(|layers| count(60, layers, 10)), [721, 1291, 1081, 901, 769, 671]);
    // L = 1 and L = 2 cost the same where N = 2·M₀ + 2.
    assert_eq!([count(60, 1, 29), count(60, 2, 29)], [1861; 2]);
    assert!(count(60, 2, 28) > count(60, 1, 28) && count(60, 2, 30) < count(60, 1, 30));
    for layers in [2, 3, 4, 5] {
        assert!(count(60, layers, 10) > count(60, layers + 1, 10), "from two layers on, depth saves parameters");
    }
}

#[test]
fn row_4_5_brute_force() {
    let mut random = generator(45);
    for _ in 0..200 {
        let widths: Vec<usize> = (0..between(&mut random, 2, 6)).map(|_| between(&mut random, 1, 40)).collect();
        let mut counted = 0;
        for pair in widths.windows(2) {
            let shape = Dense::new(1, pair[0], pair[1]).unwrap();
            counted += vec![0.0; shape.weights()].len() + vec![0.0; shape.outputs].len();
            assert_eq!(shape.cost().parameters(), shape.weights() + shape.outputs);
        }
        assert_eq!(parameters(&widths), counted, "{widths:?}");
    }
}

/// The wrong variant, P = N(n + 1), is right for M₀ = n alone.
#[test]
fn row_4_5_wrong_variant_is_rejected() {
    let wrong = |neurons: usize, layers: usize| neurons * ((neurons - 1) / (layers - 1) + 1);
    assert_eq!(wrong(101, 6), 2121);
    assert_ne!(wrong(101, 6), formula(101, 6, 784));
    assert_eq!(formula(101, 6, 784) - wrong(101, 6), 20 * (784 - 20));
    assert_eq!(wrong(101, 6), formula(101, 6, 20));
}

/// A network that can be trained is a struct; its size is what `train_bytes` says.
#[test]
fn row_4_5_budget_is_the_size_of_the_struct() {
    const HIDDEN: Dense = shape!(Dense::new(1, 64, 32));
    const HEAD: Dense = shape!(Dense::new(1, 32, 10));
    const BYTES: usize = train_bytes(&[HIDDEN.cost(), HEAD.cost()], OptimiserKind::Adam, Precision::F32);
    const _: () = assert!(BYTES <= 40 * 1024);
    #[allow(dead_code)]
    struct Training {
        parameters: [f32; parameters(&[64, 32, 10])],
        gradients: [f32; parameters(&[64, 32, 10])],
        moments: [[f32; parameters(&[64, 32, 10])]; 2],
        input: [f32; 64],
        hidden: [f32; 32],
        output: [f32; 10],
        d_output: [f32; 10],
        d_hidden: [f32; 32],
    }
    assert_eq!(size_of::<Training>(), BYTES);
    // Fused descent takes no gradients and no moments.
    let fused = train_bytes(&[HIDDEN.cost(), HEAD.cost()], OptimiserKind::FusedSgd, Precision::F32);
    assert_eq!(BYTES - fused, 3 * 4 * parameters(&[64, 32, 10]));
}

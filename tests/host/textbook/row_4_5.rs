//! 4.5: how many parameters a network has, and what it takes to train it, at compile time.

use host_tests::gradient::between;
use smolnn_core::{
    Conv2dShape, Cost, DenseShape, Image, OptimiserKind, Pool2dShape, Precision, Window2d, WindowSize, parameters,
    shape, train_bytes,
};
use smolnn_float::Rows;
use smolnn_float::embedding::Embedding;
use smolnn_float::norm::batch;
use smolnn_float::pool::max;
use smolnn_float::rnn::{Gru, Keep, ResetBefore};

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
            let shape = DenseShape::new(1, pair[0], pair[1]).unwrap();
            counted += vec![0.0; shape.weights()].len() + vec![0.0; shape.outputs()].len();
            assert_eq!(shape.cost().parameters(), shape.weights() + shape.outputs());
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
    const HIDDEN: DenseShape = shape!(DenseShape::new(1, 64, 32));
    const HEAD: DenseShape = shape!(DenseShape::new(1, 32, 10));
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

/// The same of a convolutional network: a batch norm keeps its statistics, max pooling its packed indices.
#[test]
fn row_4_5_budget_of_a_convolutional_network() {
    const CONV: Conv2dShape = shape!(Window2d::over(Image::hwc(8, 8, 1), WindowSize::hw(3, 3)).same().conv(8));
    const ROWS: Rows = shape!(Rows::new(64, 8));
    const POOL: Pool2dShape = shape!(Window2d::over(Image::hwc(8, 8, 8), WindowSize::hw(2, 2)).stride(2, 2).pool());
    const HEAD: DenseShape = shape!(DenseShape::new(1, 128, 10));
    const LAYERS: [Cost; 4] = [CONV.cost().first(), batch::cost(&ROWS), max::cost(&POOL), HEAD.cost()];
    const PARAMETERS: usize = 8 * 9 + 8 + 2 * 8 + 128 * 10 + 10;
    const BYTES: usize = train_bytes(&LAYERS, OptimiserKind::Momentum, Precision::F32);
    const _: () = assert!(BYTES <= 28 * 1024);
    #[allow(dead_code)]
    struct Training {
        parameters: [f32; PARAMETERS],
        gradients: [f32; PARAMETERS],
        velocity: [f32; PARAMETERS],
        input: [f32; 64],
        convolved: [f32; 512],
        statistics: [f32; batch::stash_len(&ROWS)],
        normalised: [f32; 512],
        indices: [u8; max::indices_len(&POOL)],
        pooled: [f32; 128],
        output: [f32; 10],
        d_activations: [[f32; 512]; 2],
    }
    assert_eq!(size_of::<Training>(), BYTES);
    let sum = |bytes: fn(&Cost) -> usize| LAYERS.iter().map(bytes).sum::<usize>();
    assert_eq!(sum(|layer| layer.parameter_bytes(Precision::F32)), 4 * PARAMETERS);
    assert_eq!(sum(|layer| layer.gradient_bytes(OptimiserKind::FusedSgd, Precision::F32)), 0);
    assert_eq!(sum(|layer| layer.gradient_bytes(OptimiserKind::Momentum, Precision::F64)), 8 * PARAMETERS);
    assert_eq!(sum(|layer| layer.optimiser_bytes(OptimiserKind::Adam, Precision::F32)), 2 * 4 * PARAMETERS);
    assert_eq!(sum(|layer| layer.stash_bytes(Precision::F32)), 4 * (64 + 512 + 16 + 512 + 128) + 32);
}

#[test]
fn row_4_5_budget_of_an_embedding() {
    const TABLE: Embedding = shape!(Embedding::new(20, 6));
    let bytes = train_bytes(&[TABLE.cost(5)], OptimiserKind::Sgd, Precision::F32);
    assert_eq!(bytes, 4 * (2 * 20 * 6 + 5 * 6 + 5 * 6), "table, its gradient, output, the output's gradient");
}

/// A recurrent cell is one of the layers too. By itself it has no gradient of its output to hold.
#[test]
fn row_4_5_budget_of_a_recurrent_network() {
    const GRU: Gru<ResetBefore> = shape!(Gru::new(6, 16));
    const HEAD: DenseShape = shape!(DenseShape::new(1, 16, 9));
    for keep in [Keep::Gates, Keep::States] {
        let alone = GRU.sizes().train_bytes::<f32>(10, keep, OptimiserKind::Adam);
        let cost = GRU.sizes().cost(10, keep);
        assert_eq!(cost.macs, 10 * 3 * 16 * (6 + 16));
        assert_eq!(train_bytes(&[cost], OptimiserKind::Adam, Precision::F32), alone + 4 * 10 * 16);
        let both = train_bytes(&[cost, HEAD.cost()], OptimiserKind::Adam, Precision::F32);
        assert_eq!(both, alone + 4 * (4 * (16 * 9 + 9) + 9 + 10 * 16 + 9), "{keep:?}");
    }
}

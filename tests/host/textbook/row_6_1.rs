//! 6.1: TDNN, convolution, recurrence: finite and infinite memory.

use host_tests::gradient::{between, reals};
use host_tests::recurrent::forward;
use smolnn_float::Real;
use smolnn_float::conv::conv2d;
use smolnn_float::rnn::{Causal, CausalState, Cell, Keep, Linear, Lstm, SimpleRnn, Tanh, receptive_field};

use crate::generator;

fn stream<T: Real>(
    layer: &Causal,
    weights: &[T],
    bias: Option<&[T]>,
    x: &[T],
    inputs: usize,
    outputs: usize,
) -> Vec<T> {
    // A ring of anything: what has not been seen does not count.
    let mut ring = vec![T::NAN; layer.state()];
    let mut state = CausalState::new(&mut ring);
    let mut once = || {
        let mut y = vec![T::NAN; x.len() / inputs * outputs];
        for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs)) {
            layer.step(weights, bias, &mut state, x, y).unwrap();
        }
        state.reset();
        y
    };
    let first = once();
    assert_eq!(first, once(), "after a reset the same again");
    first
}

fn agree<T: Real>(x: &[f64], w: &[f64], b: Option<&[f64]>, layer: &Causal, inputs: usize, outputs: usize) {
    let real = |values: &[f64]| values.iter().map(|&v| T::from_f64(v)).collect::<Vec<T>>();
    let (x, w, b) = (real(x), real(w), b.map(real));
    let shape = layer.over(x.len() / inputs).unwrap();
    let mut batch = vec![T::NAN; shape.output_len()];
    conv2d::forward(&shape, &w, b.as_deref(), &x, &mut batch).unwrap();
    assert_eq!(stream(layer, &w, b.as_deref(), &x, inputs, outputs), batch, "{layer:?}");
}

#[test]
fn row_6_1_streaming_is_the_batch_convolution_bit_for_bit() {
    let mut random = generator(61);
    for round in 0..300 {
        let (inputs, outputs) = (between(&mut random, 1, 6), between(&mut random, 1, 6));
        let layer = Causal::new(inputs, outputs, between(&mut random, 1, 5), between(&mut random, 1, 4)).unwrap();
        let steps = between(&mut random, 1, 30);
        let (x, w) = (reals(&mut random, steps * inputs), reals(&mut random, layer.weights()));
        let b = reals(&mut random, outputs);
        let b = (round % 3 > 0).then_some(b.as_slice());
        agree::<f32>(&x, &w, b, &layer, inputs, outputs);
        agree::<f64>(&x, &w, b, &layer, inputs, outputs);
    }
}

/// A linear RNN whose U shifts is a filter: the TDNN is the recurrence with a nilpotent U.
#[test]
fn row_6_1_shift_register() {
    let mut random = generator(62);
    const TAPS: usize = 7;
    let (x, taps) = (reals(&mut random, 50), reals(&mut random, TAPS));
    let cell = SimpleRnn::<Linear>::new(1, TAPS).unwrap();
    let mut parameters = vec![0.0; cell.sizes().parameters()];
    parameters[0] = 1.0;
    for tap in 1..TAPS {
        parameters[TAPS + tap * TAPS + tap - 1] = 1.0;
    }
    let h = forward(&cell, Keep::Gates, &parameters, &[0.0; TAPS], &x).output;
    let oldest_first: Vec<f64> = taps.iter().rev().copied().collect();
    let filtered = stream(&Causal::new(1, 1, TAPS, 1).unwrap(), &oldest_first, None, &x, 1, 1);
    for (h, y) in h.chunks_exact(TAPS).zip(&filtered) {
        let sum: f64 = h.iter().zip(&taps).map(|(h, w)| h * w).sum();
        assert!((sum - y).abs() <= 1e-15, "{sum} {y}");
    }
}

/// A TDNN forgets what lies behind its receptive field, exactly; a recurrence does not.
#[test]
fn row_6_1_memory() {
    const LAYERS: [Causal; 3] = [
        smolnn_core::shape!(Causal::new(2, 3, 3, 1)),
        smolnn_core::shape!(Causal::new(3, 3, 3, 2)),
        smolnn_core::shape!(Causal::new(3, 3, 2, 5)),
    ];
    const FIELD: usize = receptive_field(&LAYERS);
    assert_eq!(FIELD, 1 + 2 + 4 + 5);
    let mut random = generator(63);
    let weights = LAYERS.map(|layer| reals(&mut random, layer.weights()));
    let run = |x: &[f64]| {
        let first = stream(&LAYERS[0], &weights[0], None, x, 2, 3);
        stream(&LAYERS[2], &weights[2], None, &stream(&LAYERS[1], &weights[1], None, &first, 3, 3), 3, 3)
    };
    let x = reals(&mut random, 2 * 20);
    let mut other = x.clone();
    other[2] += 1.0;
    let differs: Vec<bool> = run(&x).chunks_exact(3).zip(run(&other).chunks_exact(3)).map(|(a, b)| a != b).collect();
    let expected: Vec<bool> = (0..20).map(|t| (1..1 + FIELD).contains(&t)).collect();
    // Taps of dilated layers leave gaps; the ends are exact.
    assert!(differs.iter().zip(&expected).all(|(found, may)| !found || *may));
    assert!(differs[1] && differs[FIELD]);

    let cell = SimpleRnn::<Tanh>::new(2, 4).unwrap();
    let mut parameters = vec![0.0; cell.sizes().parameters()];
    Cell::<f64>::initialise(&cell, &mut random, &mut parameters).unwrap();
    let last = |x: &[f64]| forward(&cell, Keep::States, &parameters, &[0.0; 4], x).state;
    assert_ne!(last(&x), last(&other));
}

/// (K − 1)·D·C against H and 2·H elements.
#[test]
fn row_6_1_states() {
    const TDNN: Causal = smolnn_core::shape!(Causal::new(8, 16, 5, 3));
    const RNN: SimpleRnn = smolnn_core::shape!(SimpleRnn::new(8, 16));
    const LSTM: Lstm = smolnn_core::shape!(Lstm::new(8, 16));
    assert_eq!([TDNN.state(), RNN.sizes().state(), LSTM.sizes().state()], [4 * 3 * 8, 16, 32]);
}

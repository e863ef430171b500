//! 4.2: XOR with two ReLU units.

use smolnn_core::DenseShape;
use smolnn_fixed::q::Q;
use smolnn_float::optimiser::Sgd;
use smolnn_float::{Number, dense};

use crate::generator;
use crate::mlp::{Activation, Mlp};

const INPUTS: [[i32; 2]; 4] = [[0, 0], [0, 1], [1, 0], [1, 1]];
const EXPECTED: [i32; 4] = [0, 1, 1, 0];

/// The network with the textbook's weights in any number: hidden units and output of each input.
fn xor<T: Number>(from: impl Fn(i32) -> T) -> [([T; 2], T); 4] {
    let (hidden, output) = (DenseShape::new(1, 2, 2).unwrap(), DenseShape::new(1, 2, 1).unwrap());
    INPUTS.map(|x| {
        let mut h = [T::default(); 2];
        dense::forward(&hidden, &[1; 4].map(&from), Some(&[0, -1].map(&from)), &x.map(&from), &mut h).unwrap();
        let h = h.map(|z| if z > T::default() { z } else { T::default() });
        let mut y = [T::default()];
        dense::forward(&output, &[1, -2].map(&from), Some(&[from(0)]), &h, &mut y).unwrap();
        (h, y[0])
    })
}

#[test]
fn row_4_2_xor_is_exact_in_every_number() {
    let integers = xor(|v| v);
    assert_eq!(integers.map(|(h, _)| h), [[0, 0], [1, 0], [1, 0], [2, 1]]);
    assert_eq!(integers.map(|(_, y)| y), EXPECTED);
    assert_eq!(xor(i64::from).map(|(_, y)| y), EXPECTED.map(i64::from));
    assert_eq!(xor(|v| v as f32).map(|(_, y)| y), EXPECTED.map(|y| y as f32));
    assert_eq!(xor(f64::from).map(|(_, y)| y), EXPECTED.map(f64::from));
}

/// In Q numbers: weights and values in quarters, so that 2 fits below 1 in Q7 and Q15.
#[test]
fn row_4_2_xor_is_exact_in_q7_and_q15() {
    macro_rules! network {
        ($bits:ty, $fraction:literal) => {
            for (x, expected) in INPUTS.iter().zip(EXPECTED) {
                type Quarter = Q<$bits, $fraction>;
                // Inputs and hidden units are quarters of their values, weights are themselves, in steps of 1/8.
                let value = |v: i32| Quarter::from_f64(f64::from(v) / 4.0);
                let weight = |w: i32| Q::<$bits, 3>::from_f64(f64::from(w));
                let relu = |z: Quarter| if z > Quarter::ZERO { z } else { Quarter::ZERO };
                let sum = x.map(value);
                let sum = sum[0].rounding_mul(weight(1)).saturating_add(sum[1].rounding_mul(weight(1)));
                let (h0, h1) = (relu(sum), relu(sum.saturating_sub(value(1))));
                let y = h0.rounding_mul(weight(1)).saturating_add(h1.rounding_mul(weight(-2)));
                assert_eq!(y, value(expected));
            }
        };
    }
    network!(i8, 7);
    network!(i16, 15);
}

/// Through the int8 kernels: scale 1, ReLU as the clamp of the output.
#[test]
fn row_4_2_xor_is_exact_in_int8() {
    use smolnn_fixed::dense::{Dense, dense};
    use smolnn_fixed::quantise::{Multiplier, OutputRange};
    use smolnn_fixed::{Backend, Channel, Separate, Weights, pack};
    let layer = |shape: DenseShape, weights: &[i8], bias: &[i32], minimum: i32, input: &[i8]| -> Vec<i8> {
        let multipliers = vec![Multiplier::from_f64(1.0); shape.outputs()];
        let weights = Weights { values: weights, bias, multipliers: &multipliers, input_zero_point: 0 };
        let output = OutputRange { zero_point: 0, minimum, maximum: 127 };
        let (mut words, mut channels) = (vec![0; 64], vec![Channel::default(); shape.outputs()]);
        let packed = pack::dense(Backend::CURRENT, &shape, &weights, &output, &mut words, &mut channels).unwrap();
        let layer = Dense::new(shape, &words[..packed.words], &channels, packed.layout, output).unwrap();
        let mut result = vec![0; shape.outputs()];
        let mut scratch = vec![0; layer.scratch_words()];
        dense(&layer, Separate { input, output: &mut result }, &mut scratch).unwrap();
        result
    };
    for (x, expected) in INPUTS.iter().zip(EXPECTED) {
        let x = x.map(|v| v as i8);
        let h = layer(DenseShape::new(1, 2, 2).unwrap(), &[1, 1, 1, 1], &[0, -1], 0, &x);
        let y = layer(DenseShape::new(1, 2, 1).unwrap(), &[1, -2], &[0], -128, &h);
        assert_eq!(i32::from(y[0]), expected);
    }
}

/// Trains with batches of one; whether all four outputs fall on the right side.
fn learns(hidden: usize, activation: Activation, output: Activation, seed: u64) -> bool {
    let mut random = {
        use smolnn_float::random::SeedableRng;
        smolnn_float::random::Pcg32::seed_from_u64(seed)
    };
    let mut net = Mlp::random(&[2, hidden, 1], activation, output, &mut random);
    let mut sgd = Sgd::new(0.1);
    let sample = |index: usize| (INPUTS[index].map(f64::from), f64::from(EXPECTED[index]));
    for _ in 0..4000 {
        let (x, target) = sample(host_tests::gradient::below(&mut random, 4));
        let outputs = net.forward(&x);
        let y = outputs.last().unwrap()[0];
        net.backward(&outputs, &[y - target]);
        net.step(&mut sgd, &mut []);
    }
    (0..4).all(|index| {
        let (x, target) = sample(index);
        (net.forward(&x).last().unwrap()[0] > 0.5) == (target > 0.5)
    })
}

/// ReLU 2-2-1 has bad minima: most seeds fail. Wider nets and tanh do better. Nothing reaches 100 % by right.
#[test]
fn row_4_2_xor_is_learnt() {
    let rate = |hidden, activation| {
        let rate = (0..100).filter(|&seed| learns(hidden, activation, Activation::Linear, seed)).count();
        println!("2-{hidden}-1 {activation:?}: {rate} of 100 seeds");
        rate
    };
    let [relu2, relu4, relu8] = [2, 4, 8].map(|hidden| rate(hidden, Activation::Relu));
    let [tanh4, tanh8] = [4, 8].map(|hidden| rate(hidden, Activation::Tanh));
    assert!(relu2 < relu4 && relu4 < relu8, "wider nets learn more often");
    assert!(relu2 < 60 && relu8 >= 85 && tanh4 >= 80 && tanh8 >= 95);
    let _ = generator(0);
    assert!(learns(8, Activation::Tanh, Activation::Linear, 0), "the pinned seed");
}

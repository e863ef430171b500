//! The quantised recurrent cells against the reference: outputs of every step, and the trace of the cell inside.

use smolnn_core::{DenseShape, SequenceOrder};
use smolnn_fixed::dense::DenseToInt16;
use smolnn_fixed::pack::{self, Packed};
use smolnn_fixed::quantise::{Affine, Multiplier, OutputRange};
use smolnn_fixed::rnn::{Cell, gru, lstm, recurrent_batch, simple, svdf};
use smolnn_fixed::{Backend, Channel, Weights};
use smolnn_import::recurrent::{CellWeights, QuantisedGru, QuantisedSimpleRnn, Reset, Rows, Update, quantise};
use smolnn_testkit::golden::{self, Golden, to_i8, to_i16, to_i32};
use smolnn_testkit::{Random, oracle, vowels};

/// A packed dense layer to int16 that owns its memory.
struct Wide {
    shape: DenseShape,
    words: Vec<u32>,
    channels: Vec<Channel>,
    packed: Packed,
}

impl Wide {
    fn new(inputs: usize, outputs: usize, weights: &Weights<'_>) -> Self {
        let shape = DenseShape::new(1, inputs, outputs).unwrap();
        let mut words = vec![0; pack::dense_to_int16_words(Backend::CURRENT, &shape)];
        let mut channels = vec![Channel::default(); outputs];
        let packed = pack::dense_to_int16(Backend::CURRENT, &shape, weights, &mut words, &mut channels).unwrap();
        words.truncate(packed.words);
        channels.truncate(packed.channels);
        Self { shape, words, channels, packed }
    }

    fn layer(&self) -> DenseToInt16<'_> {
        DenseToInt16::new(self.shape, &self.words, &self.channels, self.packed.layout).unwrap()
    }
}

/// s_x · s_w / s_out with the reference's rounding of the product to f32.
fn multiplier(input: f32, weight: f32, output: f64) -> Multiplier {
    Multiplier::from_f64(f64::from(input * weight) / output)
}

/// i, f, g, o among the operator's inputs, which the reference counts i, f, c, o.
const GATES: [usize; 4] = [0, 1, 2, 3];

struct Lstm {
    input: Wide,
    recurrent: Wide,
    steps: usize,
    cell_scale_log2: i32,
    clip: f32,
    hidden: Affine,
}

impl Lstm {
    fn read(golden: &Golden) -> Self {
        let operator = &golden.operators[0];
        let tensor = |input: usize| operator.inputs[input] as usize;
        let info = |input: usize| &golden.tensors[&tensor(input)];
        let (x, h) = (info(0), info(18));
        let (steps, inputs, hidden) = (x.shape[1], x.shape[2], h.shape[1]);
        let gather = |first: usize| -> Vec<i8> {
            GATES.iter().flat_map(|gate| to_i8(golden.constant(tensor(first + gate)))).collect()
        };
        let factors = |first: usize, scale: f32| -> Vec<Multiplier> {
            let gate = |gate: &usize| multiplier(scale, info(first + gate).scale(), 1.0 / 4096.0);
            GATES.iter().flat_map(|index| vec![gate(index); hidden]).collect()
        };
        let bias: Vec<i32> = GATES.iter().flat_map(|gate| to_i32(golden.constant(tensor(12 + gate)))).collect();
        // The reference's own multipliers: W of i, f, c, o, then R, then the output's.
        for (index, gate) in GATES.iter().enumerate() {
            for (first, scale, at) in [(1, x.scale(), index), (5, h.scale(), 4 + index)] {
                let own = multiplier(scale, info(first + gate).scale(), 1.0 / 4096.0);
                assert_eq!((own.mantissa, own.shift), operator.multipliers[at], "{}", golden.name);
            }
        }
        let cell_scale = info(19).scale();
        assert_eq!(cell_scale.to_bits() & 0x7F_FFFF, 0, "the cell's scale is a power of two");
        let weights = Weights {
            values: &gather(1),
            bias: &bias,
            multipliers: &factors(1, x.scale()),
            input_zero_point: x.zero_point(),
        };
        let input = Wide::new(inputs, 4 * hidden, &weights);
        let weights = Weights {
            values: &gather(5),
            bias: &[],
            multipliers: &factors(5, h.scale()),
            input_zero_point: h.zero_point(),
        };
        let recurrent = Wide::new(hidden, 4 * hidden, &weights);
        Self {
            input,
            recurrent,
            steps,
            cell_scale_log2: (cell_scale.to_bits() >> 23) as i32 - 127,
            clip: operator.number("cellClip"),
            hidden: Affine::new(h.scale(), h.zero_point()),
        }
    }

    fn layer(&self) -> lstm::Lstm<'_> {
        let (input, recurrent) = (self.input.layer(), self.recurrent.layer());
        lstm::Lstm::new(self.steps, input, recurrent, self.cell_scale_log2, self.clip, self.hidden).unwrap()
    }
}

fn lstm_goldens() -> Vec<Golden> {
    golden::all("../shared/golden/ops").into_iter().filter(|golden| golden.name.starts_with("lstm_")).collect()
}

#[test]
fn lstm_is_the_reference_bit_for_bit() {
    let goldens = lstm_goldens();
    if goldens.is_empty() {
        return;
    }
    let mut outputs = 0;
    for golden in &goldens {
        let owned = Lstm::read(golden);
        let layer = owned.layer();
        for case in &golden.cases {
            let expected = to_i8(case.output(golden.outputs[0]));
            let input = to_i8(case.input(golden.inputs[0]));
            let (mut h, mut c) = (vec![0; layer.hidden()], vec![0; layer.hidden()]);
            layer.reset(&mut h, &mut c);
            let (mut h_step, mut c_step) = (h.clone(), c.clone());
            let mut scratch = vec![0; layer.scratch_words()];
            let mut result = vec![0; expected.len()];
            let sequence = owned.steps * layer.hidden();
            for (x, y) in input.chunks_exact(owned.steps * layer.inputs()).zip(result.chunks_exact_mut(sequence)) {
                lstm::lstm(&layer, &mut h, &mut c, x, y, &mut scratch).unwrap();
            }
            assert_eq!(result, expected, "{} {}", golden.name, case.label);
            // Step by step, with the state saved and restored in between.
            for (x, y) in input.chunks_exact(layer.inputs()).zip(expected.chunks_exact(layer.hidden())) {
                let saved = (h_step.clone(), c_step.clone());
                lstm::step(&layer, &mut h_step, &mut c_step, &vec![1; layer.inputs()], &mut scratch).unwrap();
                (h_step, c_step) = saved;
                lstm::step(&layer, &mut h_step, &mut c_step, x, &mut scratch).unwrap();
                assert_eq!(h_step, y, "{} {}", golden.name, case.label);
            }
            outputs += expected.len();
        }
    }
    assert!(goldens.len() == 3 && outputs > 500, "{} models, {outputs} outputs", goldens.len());
}

#[test]
fn lstm_batch_runs_each_sequence_by_itself() {
    let mut compared = 0;
    for golden in lstm_goldens() {
        let owned = Lstm::read(&golden);
        let layer = owned.layer();
        let (steps, inputs, hidden) = (owned.steps, layer.inputs(), layer.hidden());
        let case = &golden.cases[1];
        let first = to_i8(case.input(golden.inputs[0]));
        let second: Vec<i8> = first.iter().map(|&x| x.wrapping_mul(3)).collect();
        let mut scratch = vec![0; layer.scratch_words()];
        let mut alone = Vec::new();
        for x in [&first, &second] {
            let (mut h, mut c, mut y) = (vec![0; hidden], vec![0; hidden], vec![0; steps * hidden]);
            layer.reset(&mut h, &mut c);
            lstm::lstm(&layer, &mut h, &mut c, x, &mut y, &mut scratch).unwrap();
            alone.push(y);
        }
        // [sequence][step] to [step][sequence].
        let turned = |sequences: &[&[i8]], width: usize| -> Vec<i8> {
            (0..steps)
                .flat_map(|step| sequences.iter().flat_map(move |x| x[step * width..][..width].to_vec()))
                .collect()
        };
        for (time_first, order) in [(false, SequenceOrder::BATCH_FIRST), (true, SequenceOrder::TIME_FIRST)] {
            let (mut h, mut c) = (vec![0; 2 * hidden], vec![0; 2 * hidden]);
            layer.reset(&mut h, &mut c);
            let mut y = vec![0; 2 * steps * hidden];
            let x = if time_first { turned(&[&first, &second], inputs) } else { [&first[..], &second].concat() };
            let expected = if time_first { turned(&[&alone[0], &alone[1]], hidden) } else { alone.concat() };
            lstm::lstm_batch(&layer, order, &mut h, &mut c, &x, Some(&mut y), &mut scratch).unwrap();
            assert_eq!(y, expected, "{} {time_first}", golden.name);
            compared += y.len();
        }
    }
    assert!(compared > 0 || golden::folder("../shared/golden/ops").is_none());
}

#[test]
fn lstm_cell_follows_the_trace() {
    let mut steps = 0;
    for golden in lstm_goldens() {
        let owned = Lstm::read(&golden);
        let layer = owned.layer();
        let hidden = layer.hidden();
        // i16 [step][i, f, g, o, c, tanh c, h][hidden] of case 0.
        let trace = to_i16(&std::fs::read(golden.folder.join("lstm_trace_c0.bin")).unwrap());
        let input = to_i8(golden.cases[0].input(golden.inputs[0]));
        let (mut h, mut c) = (vec![0; hidden], vec![0; hidden]);
        layer.reset(&mut h, &mut c);
        let mut scratch = vec![0; layer.scratch_words()];
        for (x, trace) in input.chunks_exact(layer.inputs()).zip(trace.chunks_exact(7 * hidden)) {
            lstm::step(&layer, &mut h, &mut c, x, &mut scratch).unwrap();
            assert_eq!(c, trace[4 * hidden..5 * hidden], "{} step {steps}", golden.name);
            let h: Vec<i16> = h.iter().map(|&h| i16::from(h)).collect();
            assert_eq!(h, trace[6 * hidden..], "{} step {steps}", golden.name);
            steps += 1;
        }
    }
    assert!(steps > 0 || golden::folder("../shared/golden/ops").is_none());
}

#[test]
fn svdf_is_the_reference_bit_for_bit() {
    let goldens = golden::all("../shared/golden/ops");
    let goldens: Vec<_> = goldens.into_iter().filter(|golden| golden.name.starts_with("svdf_")).collect();
    if goldens.is_empty() {
        return;
    }
    let mut outputs = 0;
    for golden in goldens {
        let operator = &golden.operators[0];
        let tensor = |input: usize| operator.inputs[input] as usize;
        let info = |input: usize| &golden.tensors[&tensor(input)];
        let (x, features, time, state, y) = (info(0), info(1), info(2), info(4), &golden.tensors[&operator.outputs[0]]);
        let (count, memory, rank) = (features.shape[0], time.shape[1], operator.number("rank"));
        let first = Multiplier::from_f64(f64::from(x.scale() * features.scale() / state.scale()));
        let second = Multiplier::from_f64(f64::from(state.scale() * time.scale() / y.scale()));
        assert_eq!((first.mantissa, first.shift), operator.multipliers[0]);
        assert_eq!((second.mantissa, second.shift), operator.multipliers[1]);
        let weights = Weights {
            values: &to_i8(golden.constant(tensor(1))),
            bias: &[],
            multipliers: &[first],
            input_zero_point: x.zero_point(),
        };
        let wide = Wide::new(features.shape[1], count, &weights);
        let (time_weights, bias) = (to_i16(golden.constant(tensor(2))), to_i32(golden.constant(tensor(3))));
        // The model asks for a RELU; the reference does not apply it.
        assert_eq!(operator.option("fusedActivationFunction"), "RELU");
        let range = OutputRange::int8(y.zero_point());
        let layer = svdf::Svdf::new(wide.layer(), &time_weights, &bias, memory, rank, second, range, 0).unwrap();
        for case in &golden.cases {
            let mut history = vec![0_i16; layer.state_len()];
            let mut scratch = vec![0; layer.scratch_words()];
            let expected = to_i8(case.output(golden.outputs[0]));
            let input = to_i8(case.input(golden.inputs[0]));
            for (x, expected) in input.chunks_exact(x.len()).zip(expected.chunks_exact(layer.units())) {
                let mut result = vec![0; layer.units()];
                let before = history.clone();
                svdf::step(&layer, &mut history, x, &mut result, &mut scratch).unwrap();
                assert_eq!(result, expected, "{} {}", golden.name, case.label);
                outputs += result.len();
                // The same vector twice, with a state each.
                let mut states = [before.clone(), before].concat();
                let mut results = vec![0; 2 * layer.units()];
                svdf::step_batch(&layer, &mut states, &[x, x].concat(), &mut results, &mut scratch).unwrap();
                assert_eq!(results, [expected, expected].concat());
                assert_eq!(states, [&history[..], &history].concat());
            }
        }
    }
    assert!(outputs > 0, "no output was compared");
}

const FEATURES: usize = vowels::FEATURES;
const UNITS: usize = vowels::UNITS;
const CLASSES: usize = vowels::CLASSES;

/// A float network and its weights as the quantiser takes them.
struct Network {
    cell: CellWeights,
    dense: Vec<f32>,
    dense_bias: Vec<f32>,
}

impl Network {
    fn read(name: &str) -> Self {
        let weights = vowels::Weights::read(name);
        let (kernel, recurrent, bias) =
            (weights.tensor("kernel"), weights.tensor("recurrent_kernel"), weights.tensor("bias"));
        let cell = CellWeights::from_keras(FEATURES, UNITS, kernel, recurrent, bias).unwrap();
        Self { cell, dense: weights.tensor("dense_kernel").to_vec(), dense_bias: weights.tensor("dense_bias").to_vec() }
    }

    /// The class of a last state.
    fn class(&self, h: &[f64]) -> u8 {
        let logit = |class: usize| {
            let products = h.iter().enumerate().map(|(unit, h)| h * f64::from(self.dense[unit * CLASSES + class]));
            products.sum::<f64>() + f64::from(self.dense_bias[class])
        };
        (0..CLASSES).max_by(|&a, &b| logit(a).total_cmp(&logit(b))).unwrap() as u8
    }

    /// Row `row` of the products with input and state, biases included, in f64.
    fn products(&self, row: usize, x: &[f32], h: &[f64]) -> (f64, f64) {
        let cell = &self.cell;
        let input = &cell.input[row * cell.inputs..][..cell.inputs];
        let recurrent = &cell.recurrent[row * cell.hidden..][..cell.hidden];
        let from_input: f64 = input.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
        let from_state: f64 = recurrent.iter().zip(h).map(|(w, h)| f64::from(*w) * h).sum();
        (from_input + f64::from(cell.input_bias[row]), from_state + f64::from(cell.recurrent_bias[row]))
    }

    fn gru_step(&self, x: &[f32], h: &mut Vec<f64>) {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let sum = |row: usize| {
            let (input, state) = self.products(row, x, h);
            input + state
        };
        *h = (0..UNITS)
            .map(|unit| {
                let (z, r) = (sigmoid(sum(unit)), sigmoid(sum(UNITS + unit)));
                let (input, state) = self.products(2 * UNITS + unit, x, h);
                let n = (input + r * state).tanh();
                z * h[unit] + (1.0 - z) * n
            })
            .collect();
    }
}

fn real_state(h: &[i16]) -> Vec<f64> {
    h.iter().map(|&h| f64::from(h) / 32768.0).collect()
}

#[test]
fn quantised_gru_is_its_specification_and_keeps_the_accuracy() {
    let network = Network::read("gru");
    let train = vowels::Split::read("train");
    let test = vowels::Split::read("test");
    let backend = Backend::CURRENT;
    let gru = QuantisedGru::new(&network.cell, Reset::After, Update::HoldIsOne, &train.frames, backend).unwrap();
    let layer = gru.layer(1).unwrap();
    let (input, recurrent, _) = gru.rows();
    assert_eq!((input.inputs, recurrent.inputs), (FEATURES, UNITS));
    let (mut float_right, mut right, mut count) = (0, 0, 0);
    let mut scratch = vec![0; layer.scratch_words()];
    for (utterance, label) in test.utterances() {
        let (mut h, mut expected, mut float) = (vec![0_i16; UNITS], vec![0_i16; UNITS], vec![0.0; UNITS]);
        for frame in utterance.chunks_exact(FEATURES) {
            let x: Vec<i8> = frame.iter().map(|&value| quantise(value, gru.input)).collect();
            gru::step(&layer, &mut h, &x, &mut scratch).unwrap();
            oracle::gru_step(oracle_rows(input), oracle_rows(recurrent), None, &mut expected, &x);
            assert_eq!(h, expected);
            network.gru_step(frame, &mut float);
        }
        right += usize::from(network.class(&real_state(&h)) == label);
        float_right += usize::from(network.class(&float) == label);
        count += 1;
    }
    let percent = |right: usize| 100.0 * right as f64 / count as f64;
    println!(
        "JapaneseVowels, {count} utterances: float {:.2} %, quantised {:.2} %",
        percent(float_right),
        percent(right)
    );
    assert_eq!(count, 370);
    assert!((percent(float_right) - percent(right)).abs() <= 0.5, "float {float_right}, quantised {right}");
}

#[test]
fn quantised_gru_stays_close_over_a_thousand_steps() {
    let network = Network::read("gru");
    let train = vowels::Split::read("train");
    let test = vowels::Split::read("test");
    let gru =
        QuantisedGru::new(&network.cell, Reset::After, Update::HoldIsOne, &train.frames, Backend::CURRENT).unwrap();
    let layer = gru.layer(1).unwrap();
    let mut scratch = vec![0; layer.scratch_words()];
    let (mut h, mut float) = (vec![0_i16; UNITS], vec![0.0; UNITS]);
    let (mut worst, mut sum) = (0.0_f64, 0.0);
    for frame in test.frames.chunks_exact(FEATURES).take(1000) {
        let x: Vec<i8> = frame.iter().map(|&value| quantise(value, gru.input)).collect();
        gru::step(&layer, &mut h, &x, &mut scratch).unwrap();
        network.gru_step(frame, &mut float);
        for (h, float) in real_state(&h).iter().zip(&float) {
            worst = worst.max((h - float).abs());
            sum += (h - float).abs();
        }
    }
    let mean = sum / (1000.0 * UNITS as f64);
    println!("quantised GRU against f64, 1 000 steps: worst {worst:.5}, mean {mean:.6}");
    // The measured figures, with little room.
    assert!(worst < 0.06 && mean < 0.003, "worst {worst}, mean {mean}");
}

/// Random float weights of a cell.
fn random_cell(random: &mut Random, gates: usize, inputs: usize, hidden: usize) -> CellWeights {
    let mut values = |count: usize, spread: f32| -> Vec<f32> {
        (0..count).map(|_| random.between(-1000, 1000) as f32 / 1000.0 * spread).collect()
    };
    let rows = gates * hidden;
    CellWeights {
        inputs,
        hidden,
        input: values(rows * inputs, 1.0),
        recurrent: values(rows * hidden, 1.5),
        input_bias: values(rows, 2.0),
        recurrent_bias: values(rows, 1.0),
    }
}

/// Two sequences as a batch, in each order: each is what the steps of the cell give, and so is the state without an output.
fn check_batch(layer: &impl Cell, (steps, inputs, hidden): (usize, usize, usize), x: &[i8], scratch: &mut [u32]) {
    let other: Vec<i8> = x.iter().map(|x| x.wrapping_mul(3)).collect();
    for (time_first, reversed) in [(false, false), (false, true), (true, false), (true, true)] {
        let place =
            |step: usize, sequence: usize| if time_first { step * 2 + sequence } else { sequence * steps + step };
        let mut batch = vec![0; 2 * x.len()];
        let (mut expected, mut states) = (vec![0; 2 * steps * hidden], vec![1000; 2 * hidden]);
        for (sequence, x) in [x, &other].into_iter().enumerate() {
            let h = &mut states[sequence * hidden..][..hidden];
            let mut order: Vec<usize> = (0..steps).collect();
            if reversed {
                order.reverse();
            }
            for step in order {
                let (vector, at) = (&x[step * inputs..][..inputs], place(step, sequence));
                batch[at * inputs..][..inputs].copy_from_slice(vector);
                layer.step(h, vector, scratch).unwrap();
                for (y, &h) in expected[at * hidden..].iter_mut().zip(h.iter()) {
                    *y = ((i32::from(h) + 128) >> 8).clamp(-128, 127) as i8;
                }
            }
        }
        let order = SequenceOrder { time_first, reversed };
        let (mut h, mut alone, mut y) = (vec![1000; 2 * hidden], vec![1000; 2 * hidden], vec![0; 2 * steps * hidden]);
        recurrent_batch(layer, order, &mut h, &batch, Some(&mut y), scratch).unwrap();
        recurrent_batch(layer, order, &mut alone, &batch, None, scratch).unwrap();
        assert_eq!((&y, &h, &alone), (&expected, &states, &states), "{order:?}");
    }
}

#[test]
fn quantised_cells_are_their_specification_for_random_weights() {
    let mut random = Random::new(6);
    let mut steps = 0;
    for case in 0..60 {
        let (inputs, hidden) = (random.length(1, 20), random.length(1, 24));
        let reset = if case % 2 == 0 { Reset::After } else { Reset::Before };
        let update = if case % 3 == 0 { Update::HoldIsZero } else { Update::HoldIsOne };
        let weights = random_cell(&mut random, 3, inputs, hidden);
        let gru = QuantisedGru::new(&weights, reset, update, &[-3.0, 5.0], Backend::CURRENT).unwrap();
        let simple_weights = random_cell(&mut random, 1, inputs, hidden);
        let simple = QuantisedSimpleRnn::new(&simple_weights, &[-3.0, 5.0], Backend::CURRENT).unwrap();
        let length = random.length(1, 12);
        let x: Vec<i8> = (0..length * inputs).map(|_| random.int8()).collect();

        let layer = gru.layer(length).unwrap();
        let mut scratch = vec![0; layer.scratch_words()];
        let (mut h, mut expected) = (vec![0; hidden], vec![0; hidden]);
        let mut output = vec![0; length * hidden];
        gru::gru(&layer, &mut h, &x, &mut output, &mut scratch).unwrap();
        for (x, y) in x.chunks_exact(inputs).zip(output.chunks_exact(hidden)) {
            let (input, recurrent, candidate) = gru.rows();
            oracle::gru_step(oracle_rows(input), oracle_rows(recurrent), candidate.map(oracle_rows), &mut expected, x);
            let narrowed: Vec<i8> =
                expected.iter().map(|&h| ((i32::from(h) + 128) >> 8).clamp(-128, 127) as i8).collect();
            assert_eq!(y, narrowed, "case {case}");
            steps += 1;
        }
        assert_eq!(h, expected, "case {case}");
        check_batch(&layer, (length, inputs, hidden), &x, &mut scratch);

        let layer = simple.layer(length).unwrap();
        let mut scratch = vec![0; layer.scratch_words()];
        let (mut h, mut expected) = (vec![0; hidden], vec![0; hidden]);
        simple::simple_rnn(&layer, &mut h, &x, &mut output, &mut scratch).unwrap();
        for x in x.chunks_exact(inputs) {
            let (input, recurrent) = simple.rows();
            oracle::simple_rnn_step(oracle_rows(input), oracle_rows(recurrent), &mut expected, x);
        }
        assert_eq!(h, expected, "case {case}");
        check_batch(&layer, (length, inputs, hidden), &x, &mut scratch);
    }
    assert!(steps > 200, "{steps} steps");
}

fn oracle_rows(rows: &Rows) -> oracle::CellRows<'_> {
    oracle::CellRows { inputs: rows.inputs, weights: rows.weights() }
}

#[test]
fn the_quantiser_refuses_what_does_not_fit() {
    let mut random = Random::new(7);
    let weights = random_cell(&mut random, 3, 4, 5);
    let quantised = |weights: &CellWeights, calibration: &[f32]| {
        let result = QuantisedGru::new(weights, Reset::After, Update::HoldIsOne, calibration, Backend::CURRENT);
        result.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(quantised(&weights, &[1.0]), Ok(()));
    assert!(quantised(&weights, &[]).unwrap_err().contains("calibration"));
    assert!(quantised(&weights, &[f32::NAN]).unwrap_err().contains("calibration"));
    let short = CellWeights { input_bias: vec![0.0; 14], ..weights.clone() };
    assert!(quantised(&short, &[1.0]).unwrap_err().contains("15 values expected, 14 given"));
    let infinite = CellWeights { input: vec![f32::INFINITY; 60], ..weights };
    assert!(quantised(&infinite, &[1.0]).unwrap_err().contains("not finite"));
}

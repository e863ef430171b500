//! The quantised recurrent cells against the reference: outputs of every step, and the trace of the cell inside.

use smolnn_core::Dense;
use smolnn_fixed::dense::WideDenseLayer;
use smolnn_fixed::pack::{self, Packed};
use smolnn_fixed::quantise::{Affine, Multiplier, OutputRange};
use smolnn_fixed::rnn::{lstm, svdf};
use smolnn_fixed::{Backend, Channel, Weights};
use smolnn_testkit::golden::{self, Golden, to_i8, to_i16, to_i32};

/// A packed dense layer to int16 that owns its memory.
struct Wide {
    shape: Dense,
    words: Vec<u32>,
    channels: Vec<Channel>,
    packed: Packed,
}

impl Wide {
    fn new(inputs: usize, outputs: usize, weights: &Weights<'_>) -> Self {
        let shape = Dense::new(1, inputs, outputs).unwrap();
        let mut words = vec![0; pack::wide_dense_words(Backend::CURRENT, &shape)];
        let mut channels = vec![Channel::default(); outputs];
        let packed = pack::wide_dense(Backend::CURRENT, &shape, weights, &mut words, &mut channels).unwrap();
        words.truncate(packed.words);
        channels.truncate(packed.channels);
        Self { shape, words, channels, packed }
    }

    fn layer(&self) -> WideDenseLayer<'_> {
        WideDenseLayer::new(self.shape, &self.words, &self.channels, self.packed.layout).unwrap()
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

    fn layer(&self) -> lstm::LstmLayer<'_> {
        let (input, recurrent) = (self.input.layer(), self.recurrent.layer());
        lstm::LstmLayer::new(self.steps, input, recurrent, self.cell_scale_log2, self.clip, self.hidden).unwrap()
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
        let layer = svdf::SvdfLayer::new(wide.layer(), &time_weights, &bias, memory, rank, second, range).unwrap();
        for case in &golden.cases {
            let mut history = vec![0_i16; layer.state_len()];
            let mut scratch = vec![0; layer.scratch_words()];
            let expected = to_i8(case.output(golden.outputs[0]));
            let input = to_i8(case.input(golden.inputs[0]));
            for (x, expected) in input.chunks_exact(x.len()).zip(expected.chunks_exact(layer.units())) {
                let mut result = vec![0; layer.units()];
                svdf::step(&layer, &mut history, x, &mut result, &mut scratch).unwrap();
                assert_eq!(result, expected, "{} {}", golden.name, case.label);
                outputs += result.len();
            }
        }
    }
    assert!(outputs > 0, "no output was compared");
}

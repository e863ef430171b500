//! Cases of the LSTM, and of the dense layer to int16 that recurrent cells are made of.

use bytemuck::Pod;
use smolnn_core::DenseShape;
use smolnn_fixed::conv::WeightsInt16;
use smolnn_fixed::dense::{DenseToInt16, dense_to_int16 as run_wide};
use smolnn_fixed::dense_int16::DenseInt16;
use smolnn_fixed::pack::{self, Layout};
use smolnn_fixed::quantise::{Affine, Multiplier, OutputRange};
use smolnn_fixed::rnn::lstm::{self as cell, Activation, Lstm};
use smolnn_fixed::{Backend, Channel, Weights};

use super::weighted::{draw_weights, drawn};
use super::{Case, Failure, Memory, Trial, compare};
use crate::{Random, oracle};

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    Case {
        kernel: "dense.rs::dense_to_int16",
        domain: "vectors of 1..=300, multipliers up to 2^7",
        tolerance: 0,
        run: dense_to_int16,
    },
    Case {
        kernel: "rnn/lstm.rs::lstm",
        domain: "int8 and int16 activations, 1..=20 inputs, 1..=10 units, cells of every scale, with and without clip",
        tolerance: 0,
        run: lstm,
    },
];

/// Most outputs of a trial.
const OUTPUTS: usize = 40;
/// Most units of an LSTM.
const UNITS: usize = 10;
const GATES: usize = 4;

/// Multipliers for sums of `depth` products of inputs of `bits` bits, to Q3.12; and biases.
struct Parameters {
    bias: [i32; OUTPUTS],
    multipliers: [Multiplier; OUTPUTS],
}

impl Parameters {
    fn draw(random: &mut Random, depth: usize, bits: i32) -> Self {
        let usual = 7 - bits - (usize::BITS - depth.leading_zeros()) as i32 / 2;
        let largest_bias = random.pick(&[0, 1000, 1 << 20]);
        let spread = random.pick(&[1, 3, 6]);
        Self {
            bias: core::array::from_fn(|_| random.between(-largest_bias, largest_bias)),
            multipliers: core::array::from_fn(|_| Multiplier {
                mantissa: random.between(1 << 30, i32::MAX),
                shift: (usual + random.between(-spread, spread)).clamp(-31, 7),
            }),
        }
    }
}

/// A dense layer to int16, packed.
struct Wide<'a> {
    shape: DenseShape,
    words: &'a [u32],
    channels: [Channel; OUTPUTS],
    layout: Layout,
}

impl<'a> Wide<'a> {
    fn pack(
        memory: &mut Memory<'a>,
        backend: Backend,
        shape: DenseShape,
        weights: &Weights<'_>,
    ) -> Result<Self, Failure> {
        let words = memory.words(pack::dense_to_int16_words(backend, &shape))?;
        let mut channels = [Channel::default(); OUTPUTS];
        let packed = pack::dense_to_int16(backend, &shape, weights, words, &mut channels[..shape.outputs()])
            .map_err(Failure::refused("packing"))?;
        Ok(Self { shape, words: &words[..packed.words], channels, layout: packed.layout })
    }

    fn layer(&self) -> Result<DenseToInt16<'_>, Failure> {
        DenseToInt16::new(self.shape, self.words, &self.channels[..self.shape.outputs()], self.layout)
            .map_err(Failure::refused("the dense layer"))
    }
}

/// Products of row `row` with a vector, and its bias.
fn row_sum<T: Copy + Into<i64>>(weights: &[i8], bias: i32, zero_point: i32, row: usize, x: &[T]) -> i64 {
    let products =
        weights[row * x.len()..].iter().zip(x).map(|(&w, &x)| i64::from(w) * (x.into() - i64::from(zero_point)));
    products.sum::<i64>() + i64::from(bias)
}

fn to_int16(value: i64) -> i64 {
    value.clamp(-32768, 32767)
}

pub(super) fn dense_to_int16(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let inputs = if random.one_in(4) { random.length(1, 300) } else { random.length(1, 40) };
    let shape = drawn(DenseShape::new(1, inputs, random.length(1, OUTPUTS)))?;
    let parameters = Parameters::draw(random, inputs, 8);
    let values = draw_weights(random, &mut memory, shape.weights())?;
    let zero_point = random.int8().into();
    let weights = Weights {
        values,
        bias: &parameters.bias[..shape.outputs()],
        multipliers: &parameters.multipliers[..shape.outputs()],
        input_zero_point: zero_point,
    };
    let input = memory.filled(inputs, || random.int8())?;
    let output = memory.elements::<i16>(shape.outputs())?;
    for backend in Backend::ALL {
        Wide::pack(&mut memory.reborrow(), backend, shape, &weights)?;
    }
    for backend in [Backend::Portable, Backend::CURRENT] {
        let mut memory = memory.reborrow();
        let packed = Wide::pack(&mut memory, backend, shape, &weights)?;
        let layer = packed.layer()?;
        let scratch = memory.words(layer.scratch_words())?;
        let what = if backend == Backend::Portable { "portable" } else { "backend" };
        output.fill(85);
        run_wide(&layer, input, output, scratch).map_err(Failure::refused(what))?;
        compare(what, tolerance, output, |row| {
            let sum = row_sum(values, parameters.bias[row], zero_point, row, input);
            to_int16(oracle::requantise(sum as i32, parameters.multipliers[row]).into()) as i16
        })?;
    }
    Ok(())
}

/// What an LSTM has beside its weights.
struct Shape {
    inputs: usize,
    hidden: usize,
    steps: usize,
    cell_scale_log2: i32,
    clip: f32,
    output: Affine,
    range: OutputRange,
}

/// W and R with their parameters; `wide` says whether sums have 64 bits.
struct Products<'a> {
    weights: [&'a [i8]; 2],
    parameters: [Parameters; 2],
    zero_points: [i32; 2],
    wide: bool,
}

impl Products<'_> {
    /// Row `row` of W (0) or R (1) times a vector, in Q3.12, saturated.
    fn product<S: Copy + Into<i64>>(&self, which: usize, row: usize, x: &[S]) -> i64 {
        let parameters = &self.parameters[which];
        let bias = if which == 0 { parameters.bias[row] } else { 0 };
        let sum = row_sum(self.weights[which], bias, self.zero_points[which], row, x);
        let multiplier = parameters.multipliers[row];
        to_int16(if self.wide {
            oracle::requantise_wide(sum, multiplier)
        } else {
            oracle::requantise(sum as i32, multiplier).into()
        })
    }
}

/// Runs the layer and compares outputs and cell with the oracle, step by step.
fn run_lstm<S: Activation + Pod + Into<i64>>(
    trial: Trial<'_>,
    shape: &Shape,
    products: &Products<'_>,
    layer: &Lstm<'_, S>,
) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (inputs, hidden) = (shape.inputs, shape.hidden);
    let x = memory.filled(shape.steps * inputs, || S::wrap(random.between(S::LEAST, S::LARGEST)))?;
    let y = memory.elements::<S>(shape.steps * hidden)?;
    let scratch = memory.words(layer.scratch_words())?;
    let (mut h, mut c) = ([S::default(); UNITS], [0; UNITS]);
    let (h, c) = (&mut h[..hidden], &mut c[..hidden]);
    layer.reset(h, c);
    let (mut expected_h, mut expected_c) = ([S::default(); UNITS], [0; UNITS]);
    expected_h[..hidden].copy_from_slice(h);
    cell::lstm(layer, h, c, x, y, scratch).map_err(Failure::refused("the sequence"))?;
    let multiplier = Multiplier::from_f64(1.0 / f64::from(1 << 30) / f64::from(shape.output.scale));
    let step = libm::exp2(shape.cell_scale_log2.into());
    let clip = (shape.clip > 0.0).then_some(((f64::from(shape.clip) / step) as i64).min(32767));
    for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact(hidden)) {
        let old = expected_h;
        for (unit, (h, c)) in expected_h[..hidden].iter_mut().zip(&mut expected_c).enumerate() {
            let sums = [0, 1, 2, 3].map(|gate| {
                let row = gate * hidden + unit;
                (products.product(0, row, x), products.product(1, row, &old[..hidden]))
            });
            let log2 = shape.cell_scale_log2;
            *h = S::wrap(oracle::lstm_unit(sums, c, log2, clip, multiplier, &shape.range));
        }
        compare("the output", tolerance, y, |unit| expected_h[unit])?;
    }
    compare("the cell", tolerance, c, |unit| expected_c[unit])
}

/// A dense layer of int16 activations, in short form if room for that is given and there is one.
fn gates_int16<'a>(
    shape: DenseShape,
    values: &'a [i8],
    bias: &'a [i64],
    multipliers: &'a [Multiplier],
    short: Option<&'a mut [Channel; OUTPUTS]>,
) -> Result<DenseInt16<'a>, Failure> {
    let mut weights = WeightsInt16 { values, bias, multipliers, short: &[] };
    if let Some(short) = short {
        let short = &mut short[..shape.outputs()];
        if weights.shorten(shape.inputs(), short) {
            weights = WeightsInt16 { bias: &[], multipliers: &[], short, ..weights };
        }
    }
    DenseInt16::new(shape, weights, OutputRange::int16()).map_err(Failure::refused("the dense layer"))
}

pub(super) fn lstm(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let wide = random.one_in(2);
    let (inputs, hidden) = (random.length(1, 20), random.length(1, UNITS));
    let (bits, range) = if wide { (16, OutputRange::int16()) } else { (8, OutputRange::int8(random.int8().into())) };
    let scale = random.between(100, 200) as f32 / 100.0 / (1 << bits) as f32;
    let shape = Shape {
        inputs,
        hidden,
        steps: random.length(1, 5),
        cell_scale_log2: if random.one_in(2) { -11 } else { random.between(-15, 0) },
        clip: random.pick(&[0.0, 0.0, 0.5, 3.0]),
        output: Affine::new(scale, range.zero_point),
        range,
    };
    let products = Products {
        weights: [
            draw_weights(random, &mut memory, GATES * hidden * inputs)?,
            draw_weights(random, &mut memory, GATES * hidden * hidden)?,
        ],
        parameters: [Parameters::draw(random, inputs, bits), Parameters::draw(random, hidden, bits)],
        zero_points: [if wide { 0 } else { random.int8().into() }, range.zero_point],
        wide,
    };
    let rows = GATES * hidden;
    let shapes = [drawn(DenseShape::new(1, inputs, rows))?, drawn(DenseShape::new(1, hidden, rows))?];
    let (steps, log2, clip, output) = (shape.steps, shape.cell_scale_log2, shape.clip, shape.output);
    let multipliers = products.parameters.each_ref().map(|parameters| &parameters.multipliers[..rows]);
    let refused = Failure::refused("the layer");
    if wide {
        let bias = products.parameters[0].bias.map(i64::from);
        // In short form or not, if there is one.
        let prefers_short = random.one_in(2);
        let mut channels = [[Channel::default(); OUTPUTS]; 2];
        let [input, state] = &mut channels;
        let layer = Lstm::new_int16(
            steps,
            gates_int16(shapes[0], products.weights[0], &bias[..rows], multipliers[0], prefers_short.then_some(input))?,
            gates_int16(shapes[1], products.weights[1], &[], multipliers[1], prefers_short.then_some(state))?,
            log2,
            clip,
            output,
        )
        .map_err(refused)?;
        return run_lstm(Trial { random, memory, tolerance }, &shape, &products, &layer);
    }
    let mut pack = |which: usize, bias| {
        let (values, input_zero_point) = (products.weights[which], products.zero_points[which]);
        let weights = Weights { values, bias, multipliers: multipliers[which], input_zero_point };
        Wide::pack(&mut memory, Backend::CURRENT, shapes[which], &weights)
    };
    let (input, recurrent) = (pack(0, &products.parameters[0].bias[..rows])?, pack(1, &[])?);
    let layer = Lstm::new(steps, input.layer()?, recurrent.layer()?, log2, clip, output).map_err(refused)?;
    run_lstm(Trial { random, memory, tolerance }, &shape, &products, &layer)
}

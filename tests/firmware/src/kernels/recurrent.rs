//! The quantised recurrent cells, in the sizes of the baseline, whose names the shapes bear.

use smolnn_core::{DenseShape, SequenceOrder};
use smolnn_fixed::conv::WeightsInt16;
use smolnn_fixed::dense::DenseToInt16;
use smolnn_fixed::dense_int16::DenseInt16;
use smolnn_fixed::pack::{self, Layout};
use smolnn_fixed::quantise::{Affine, Multiplier, OutputRange};
use smolnn_fixed::rnn::{gru, lstm, recurrent_batch, simple, svdf};
use smolnn_fixed::{Backend, Channel, Weights};

use super::{Meter, Random, Work};

const TIME_FIRST: SequenceOrder = SequenceOrder::TIME_FIRST;

const TOO_LARGE: &str = "needs more memory than this board has";

/// Inputs, hidden units, steps.
type Sizes = (usize, usize, usize);

const SIZES: [(&str, Sizes); 2] = [("in28 hid20 T28", (28, 20, 28)), ("in40 hid64 T49", (40, 64, 49))];
/// Inputs, features, memory.
const SVDF: (&str, Sizes) = ("in40 filters64 rank1 mem10", (40, 64, 10));

#[cfg(not(smolnn_small_board))]
const WEIGHTS: usize = 64 * 256;
#[cfg(smolnn_small_board)]
const WEIGHTS: usize = 64;
const ROWS: usize = if cfg!(smolnn_small_board) { 4 } else { 256 };
const VALUES: usize = if cfg!(smolnn_small_board) { 16 } else { 64 * 49 };

/// A packed dense layer to int16.
struct Wide {
    words: [u32; WEIGHTS / 4 * 2],
    channels: [Channel; ROWS],
    /// Inputs, outputs, words used, layout.
    packed: Option<(usize, usize, usize, Layout)>,
}

impl Wide {
    const EMPTY: Self = Self {
        words: [0; WEIGHTS / 4 * 2],
        channels: [Channel { bias: 0, multiplier: 0, shift: 0 }; ROWS],
        packed: None,
    };

    fn fill(&mut self, random: &mut Random, values: &mut [i8; WEIGHTS], inputs: usize, outputs: usize) {
        self.packed = None;
        let (Some(values), Some(channels)) = (values.get_mut(..inputs * outputs), self.channels.get_mut(..outputs))
        else {
            return;
        };
        random.weights(values);
        let Ok(shape) = DenseShape::new(1, inputs, outputs) else { return };
        // Gates of a trained cell: sums of a few units.
        let multipliers = [Multiplier::from_f64(0.3)];
        let weights = Weights { values, bias: &[], multipliers: &multipliers, input_zero_point: 3 };
        if let Ok(packed) = pack::dense_to_int16(Backend::CURRENT, &shape, &weights, &mut self.words, channels) {
            self.packed = Some((inputs, outputs, packed.words, packed.layout));
        }
    }

    fn layer(&self) -> Option<DenseToInt16<'_>> {
        let (inputs, outputs, words, layout) = self.packed?;
        let shape = DenseShape::new(1, inputs, outputs).ok()?;
        DenseToInt16::new(shape, self.words.get(..words)?, self.channels.get(..outputs)?, layout).ok()
    }
}

struct Bench {
    random: Random,
    values: [i8; WEIGHTS],
    recurrent_values: [i8; WEIGHTS],
    input: Wide,
    recurrent: Wide,
    x: [i8; VALUES],
    y: [i8; VALUES],
    x16: [i16; VALUES],
    y16: [i16; VALUES],
    h: [i8; ROWS],
    h16: [i16; ROWS],
    c: [i16; VALUES],
    scratch: [u32; ROWS * 3],
}

pub(super) fn all(meter: &mut dyn Meter) {
    let random = Random::new();
    let mut bench = Bench {
        random,
        values: [0; WEIGHTS],
        recurrent_values: [0; WEIGHTS],
        input: Wide::EMPTY,
        recurrent: Wide::EMPTY,
        x: [0; VALUES],
        y: [0; VALUES],
        x16: [0; VALUES],
        y16: [0; VALUES],
        h: [0; ROWS],
        h16: [0; ROWS],
        c: [0; VALUES],
        scratch: [0; ROWS * 3],
    };
    bench.random.bytes(&mut bench.x);
    for (name, sizes) in SIZES {
        for (cell, gates) in [("lstm", 4), ("gru", 3), ("simple_rnn", 1)] {
            if meter.wants(cell) && run(meter, &mut bench, cell, name, sizes, gates).is_none() {
                meter.skip(cell, name, TOO_LARGE);
            }
        }
    }
    for (name, sizes) in SIZES {
        if meter.wants("lstm_int16") && run_lstm_int16(meter, &mut bench, name, sizes).is_none() {
            meter.skip("lstm_int16", name, TOO_LARGE);
        }
    }
    if meter.wants("svdf") && run_svdf(meter, &mut bench).is_none() {
        meter.skip("svdf", SVDF.0, TOO_LARGE);
    }
}

fn run(
    meter: &mut dyn Meter,
    bench: &mut Bench,
    cell: &'static str,
    name: &'static str,
    (inputs, hidden, steps): Sizes,
    gates: usize,
) -> Option<()> {
    let Bench { random, values, input, recurrent, x, y, h, c, scratch, .. } = bench;
    input.fill(random, values, inputs, gates * hidden);
    recurrent.fill(random, values, hidden, gates * hidden);
    let (input, recurrent) = (input.layer()?, recurrent.layer()?);
    let (x, y) = (x.get(..inputs * steps)?, y.get_mut(..hidden * steps)?);
    let (h, c) = (h.get_mut(..hidden)?, c.get_mut(..hidden)?);
    let macs = gates * hidden * (inputs + hidden);
    let (work, step) = (Work::Macs((steps * macs) as u64), Work::Macs(macs as u64));
    match cell {
        "lstm" => {
            let output = Affine::new(1.0 / 128.0, 0);
            let layer = lstm::Lstm::new(steps, input, recurrent, -11, 10.0, output).ok()?;
            scratch.get(..layer.scratch_words())?;
            meter.kernel(cell, name, work, &mut || _ = lstm::lstm(&layer, h, c, x, y, scratch));
            meter.kernel("lstm_batch", name, work, &mut || {
                _ = lstm::lstm_batch(&layer, TIME_FIRST, h, c, x, Some(y), scratch)
            });
            let x = x.get(..inputs)?;
            meter.kernel("lstm_step", name, step, &mut || _ = lstm::step(&layer, h, c, x, scratch));
        }
        "gru" => {
            let layer = gru::Gru::new(steps, input, gru::GruRecurrent::After(recurrent)).ok()?;
            scratch.get(..layer.scratch_words())?;
            meter.kernel(cell, name, work, &mut || _ = gru::gru(&layer, c, x, y, scratch));
            let batch = &mut || _ = recurrent_batch(&layer, TIME_FIRST, c, x, Some(y), scratch);
            meter.kernel("recurrent_batch", name, work, batch);
            let x = x.get(..inputs)?;
            meter.kernel("gru_step", name, step, &mut || _ = gru::step(&layer, c, x, scratch));
        }
        _ => {
            let layer = simple::SimpleRnn::new(steps, input, recurrent).ok()?;
            scratch.get(..layer.scratch_words())?;
            meter.kernel(cell, name, work, &mut || _ = simple::simple_rnn(&layer, c, x, y, scratch));
            let x = x.get(..inputs)?;
            meter.kernel("simple_rnn_step", name, step, &mut || _ = simple::step(&layer, c, x, scratch));
        }
    }
    Some(())
}

/// A dense layer of int16 activations without biases, in the short form that the importer gives such layers.
fn gates_int16<'a>(inputs: usize, values: &'a [i8], channels: &'a mut [Channel]) -> Option<DenseInt16<'a>> {
    let shape = DenseShape::new(1, inputs, channels.len()).ok()?;
    // Gates of a trained cell: sums of a few units.
    let multipliers = [Multiplier::from_f64(0.3 / 256.0)];
    let weights = WeightsInt16 { values, bias: &[], multipliers: &multipliers, short: &[] };
    if !weights.shorten(inputs, channels) {
        return None;
    }
    let weights = WeightsInt16 { values, bias: &[], multipliers: &[], short: channels };
    DenseInt16::new(shape, weights, OutputRange::int16()).ok()
}

fn run_lstm_int16(
    meter: &mut dyn Meter,
    bench: &mut Bench,
    name: &'static str,
    (inputs, hidden, steps): Sizes,
) -> Option<()> {
    let Bench { random, values, recurrent_values, input, recurrent: from_state, x16, y16, h16, c, scratch, .. } = bench;
    let rows = 4 * hidden;
    let (values, recurrent) = (values.get_mut(..rows * inputs)?, recurrent_values.get_mut(..rows * hidden)?);
    random.weights(values);
    random.weights(recurrent);
    let (x, y) = (x16.get_mut(..inputs * steps)?, y16.get_mut(..hidden * steps)?);
    for x in x.iter_mut() {
        *x = (random.bits() >> 16) as i16;
    }
    let (input, state) = (input.channels.get_mut(..rows)?, from_state.channels.get_mut(..rows)?);
    let (input, state) = (gates_int16(inputs, values, input)?, gates_int16(hidden, recurrent, state)?);
    let output = Affine::new(1.0 / 32768.0, 0);
    let layer = lstm::Lstm::new_int16(steps, input, state, -11, 10.0, output).ok()?;
    scratch.get(..layer.scratch_words())?;
    let (h, c) = (h16.get_mut(..hidden)?, c.get_mut(..hidden)?);
    let work = Work::Macs((steps * rows * (inputs + hidden)) as u64);
    meter.kernel("lstm_int16", name, work, &mut || _ = lstm::lstm(&layer, h, c, x, y, scratch));
    Some(())
}

fn run_svdf(meter: &mut dyn Meter, bench: &mut Bench) -> Option<()> {
    let (name, (inputs, features, memory)) = SVDF;
    let Bench { random, values, input, x, y, c, scratch, .. } = bench;
    input.fill(random, values, inputs, features);
    let mut time_weights = [0_i16; VALUES];
    for weight in &mut time_weights {
        *weight = (random.bits() >> 16) as i16;
    }
    let time_weights = time_weights.get(..features * memory)?;
    let multiplier = Multiplier::from_f64(1e-6);
    let output = OutputRange::int8(-4);
    let layer = svdf::Svdf::new(input.layer()?, time_weights, &[], memory, 1, multiplier, output, 0).ok()?;
    scratch.get(..layer.scratch_words())?;
    let (x, y, state) = (x.get(..inputs)?, y.get_mut(..features)?, c.get_mut(..layer.state_len())?);
    let work = Work::Macs((features * (inputs + memory)) as u64);
    meter.kernel("svdf", name, work, &mut || _ = svdf::step(&layer, state, x, y, scratch));
    meter.kernel("svdf_batch", name, work, &mut || _ = svdf::step_batch(&layer, state, x, y, scratch));
    Some(())
}

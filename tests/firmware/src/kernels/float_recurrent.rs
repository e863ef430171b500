//! The f32 recurrent cells: a step, and training by backpropagation through time. Each takes the whole of what it needs
//! from one buffer of floats.

use core::hint::black_box;

use smolnn_core::{OptimiserKind, shape};
use smolnn_float::Parameter;
use smolnn_float::random::{Pcg32, SeedableRng};
use smolnn_float::rnn::convert::{self, Format, Tensors};
use smolnn_float::rnn::{
    Bidirectional, Causal, CausalState, Cell, Gru, HoldIsZero, Keep, Lstm, Relu, ResetAfter, ResetBefore, ResidualRnn,
    Sequence, SequenceGradients, SimpleRnn, Sizes, Stack, Tanh, Tape, WindowMemory,
};

use super::{Meter, Random, TOO_LARGE, Work};

const ROOM: usize = if cfg!(smolnn_small_board) { 512 } else { 16 * 1024 };

const STEPS: usize = 100;
const WINDOW: usize = 16;

/// The tensors of a sequence.
struct Buffers<'a> {
    parameters: &'a mut [f32],
    d_parameters: &'a mut [f32],
    state: &'a mut [f32],
    d_state: &'a mut [f32],
    input: &'a mut [f32],
    output: &'a mut [f32],
    stash: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl<'a> Buffers<'a> {
    /// Input and parameters are random, weights in ±1/4. `window` is the steps that stash and output hold.
    fn new(room: &'a mut [f32], sizes: &Sizes, steps: usize, window: usize, keep: Keep, both: usize) -> Option<Self> {
        let mut room = room;
        let mut take = |length: usize| {
            let (taken, rest) = core::mem::take(&mut room).split_at_mut_checked(length)?;
            room = rest;
            taken.fill(0.0);
            Some(taken)
        };
        let buffers = Self {
            parameters: take(both * sizes.parameters())?,
            d_parameters: take(both * sizes.parameters())?,
            state: take(both * sizes.state())?,
            d_state: take(both * sizes.state())?,
            input: take(steps * sizes.inputs)?,
            output: take(both * window * sizes.outputs)?,
            stash: take(both * sizes.stash(window, keep))?,
            scratch: take(sizes.scratch(Keep::States))?,
        };
        let mut random = Random::new();
        let mut draw = |scale: f32| (((random.bits() >> 8) as f32) * (1.0 / 8_388_608.0) - 1.0) * scale;
        buffers.parameters.iter_mut().for_each(|value| *value = draw(0.25));
        buffers.input.iter_mut().for_each(|value| *value = draw(1.0));
        Some(buffers)
    }
}

pub(super) fn all(meter: &mut dyn Meter) {
    const GRU: Gru<ResetBefore> = shape!(Gru::new(6, 16));
    const AFTER: Gru<ResetAfter, HoldIsZero> = shape!(Gru::new(6, 16));
    const LSTM: Lstm = shape!(Lstm::new(6, 16));
    const FULL: Lstm = shape!(shape!(Lstm::new(6, 16)).peephole().projection(8));
    const SIMPLE: SimpleRnn<Relu> = shape!(SimpleRnn::new(6, 16));
    const RESIDUAL: ResidualRnn<Tanh> = shape!(ResidualRnn::new(6, 16));
    let mut room = [0.0; ROOM];
    cell(meter, &mut room, ["f32_gru", "f32_gru_training"], "6-16", &GRU);
    cell(meter, &mut room, ["f32_gru", "f32_gru_training"], "6-16 after", &AFTER);
    cell(meter, &mut room, ["f32_lstm", "f32_lstm_training"], "6-16", &LSTM);
    cell(meter, &mut room, ["f32_lstm", "f32_lstm_training"], "6-16-8 peepholes", &FULL);
    cell(meter, &mut room, ["f32_rnn", "f32_rnn_training"], "6-16 relu", &SIMPLE);
    cell(meter, &mut room, ["f32_residual_rnn", "f32_residual_rnn_training"], "6-16", &RESIDUAL);
    if let Ok(stack) = Stack::new::<f32>(RESIDUAL, shape!(SimpleRnn::<Tanh>::new(16, 4))) {
        cell(meter, &mut room, ["f32_stack", "f32_stack_training"], "6-16-4", &stack);
    }
    training(meter, &mut room, "f32_gru_training", "6-16 T100 recompute", &GRU, STEPS, Keep::States);
    training(meter, &mut room, "f32_gru_training", "6-16 T100 K16", &GRU, WINDOW, Keep::Gates);
    both_directions(meter, &mut room, &GRU);
    causal(meter);
    conversions(meter);
}

/// A step, and forward and backward through a hundred.
fn cell<C: Cell<f32>>(
    meter: &mut dyn Meter,
    room: &mut [f32],
    [step, train]: [&'static str; 2],
    name: &'static str,
    cell: &C,
) {
    let sizes = cell.sizes();
    match Buffers::new(room, &sizes, 1, 1, Keep::States, 1) {
        Some(Buffers { parameters, state, input, scratch, .. }) => {
            let cell = black_box(cell);
            meter.kernel(step, name, Work::Macs(sizes.macs as u64), &mut || {
                let _ = cell.step(parameters, state, input, scratch);
            });
        }
        None => meter.skip(step, name, TOO_LARGE),
    }
    let name = match name {
        "6-16" => "6-16 T100",
        "6-16 after" => "6-16 after T100",
        "6-16-8 peepholes" => "6-16-8 peepholes T100",
        "6-16 relu" => "6-16 relu T100",
        _ => "6-16-4 T100",
    };
    training(meter, room, train, name, cell, STEPS, Keep::Gates);
}

/// Forward and backward through a hundred steps in windows, with ∂L/∂ of the last state and without ∂L/∂input, as a
/// classifier of sequences has it: multiply-accumulates of forward, weight gradients and state gradients.
fn training<C: Cell<f32>>(
    meter: &mut dyn Meter,
    room: &mut [f32],
    kernel: &'static str,
    name: &'static str,
    cell: &C,
    window: usize,
    keep: Keep,
) {
    let sizes = cell.sizes();
    let (Some(buffers), Ok(sequence)) =
        (Buffers::new(room, &sizes, STEPS, window, keep, 1), Sequence::new(*cell, window, keep))
    else {
        return meter.skip(kernel, name, TOO_LARGE);
    };
    let Buffers { parameters, d_parameters, state, d_state, input, output, stash, scratch } = buffers;
    let sequence = black_box(&sequence);
    let macs = STEPS * (3 * sizes.macs);
    meter.kernel(kernel, name, Work::Macs(macs as u64), &mut || {
        state.fill(0.0);
        if window == STEPS {
            let _ = sequence.forward(parameters, state, input, output, stash, scratch);
            d_state.fill(1.0);
            let gradients = SequenceGradients { input: None, parameters: Some(d_parameters) };
            let _ = sequence.backward(parameters, &Tape { input, output, stash }, d_state, None, gradients, scratch);
            return;
        }
        let gradients = SequenceGradients { input: None, parameters: Some(d_parameters) };
        let last = |step: usize, _: &[f32], d_h: &mut [f32]| {
            if step == STEPS - 1 {
                d_h.fill(1.0);
            }
        };
        let memory = WindowMemory { output, stash, d_state, scratch };
        let _ = sequence.truncated(parameters, state, input, memory, last, gradients);
    });
}

fn both_directions(meter: &mut dyn Meter, room: &mut [f32], cell: &Gru<ResetBefore>) {
    const SHORT: usize = 40;
    let (kernel, name, sizes) = ("f32_bidirectional_training", "gru 6-16 T40", cell.sizes());
    let (Some(buffers), Ok(both)) =
        (Buffers::new(room, &sizes, SHORT, SHORT, Keep::Gates, 2), Bidirectional::new(*cell, SHORT, Keep::Gates))
    else {
        return meter.skip(kernel, name, TOO_LARGE);
    };
    let Buffers { parameters, d_parameters, state, d_state, input, output, stash, scratch } = buffers;
    meter.kernel(kernel, name, Work::Macs((2 * 3 * SHORT * sizes.macs) as u64), &mut || {
        state.fill(0.0);
        let _ = both.forward(parameters, state, input, output, stash, scratch);
        d_state.fill(1.0);
        let gradients = SequenceGradients { input: None, parameters: Some(d_parameters) };
        let _ = both.backward(parameters, &Tape { input, output, stash }, d_state, None, gradients, scratch);
    });
}

fn causal(meter: &mut dyn Meter) {
    const LAYER: Causal = shape!(Causal::new(8, 16, 3, 2));
    let weights = [0.1; LAYER.weights()];
    let (bias, input, mut output) = ([0.5; 16], [1.0; 8], [0.0; 16]);
    let mut ring = [0.0; LAYER.state()];
    let mut state = CausalState::new(&mut ring);
    let layer = black_box(&LAYER);
    meter.kernel("f32_causal", "8-16 k3 d2", Work::Macs(LAYER.weights() as u64), &mut || {
        let _ = layer.step(&weights, Some(&bias), &mut state, &input, &mut output);
    });
}

/// What runs once: initialisation, conversion, listing.
fn conversions(meter: &mut dyn Meter) {
    const GRU: Gru<ResetAfter, HoldIsZero> = shape!(Gru::new(2, 3));
    const LSTM: Lstm = shape!(Lstm::new(2, 3));
    const SIMPLE: SimpleRnn = shape!(SimpleRnn::new(2, 3));
    const RESIDUAL: ResidualRnn = shape!(ResidualRnn::new(2, 3));
    const LENGTH: usize = LSTM.sizes().parameters();
    const _: () = assert!(GRU.sizes().train_bytes::<f32>(4, Keep::Gates, OptimiserKind::Sgd) > 0);
    let values = [0.5; 36];
    let (mut parameters, mut gradient) = ([0.0; LENGTH], [0.0; LENGTH]);
    let mut random = Pcg32::seed_from_u64(1);
    meter.kernel("f32_recurrent_conversions", "2-3", Work::Elements(LENGTH), &mut || {
        for format in [Format::Keras, Format::Onnx] {
            let mut run = |gates: usize, convert: &mut dyn FnMut(&Tensors<'_, f32>, &mut [f32])| {
                let (Some(w), Some(u)) = (values.get(..gates * 6), values.get(..gates * 9)) else { return };
                let tensors = Tensors { bias: values.get(..gates * 3), ..Tensors::new(w, u) };
                convert(&tensors, &mut parameters);
            };
            run(3, &mut |tensors, to| {
                let to = to.get_mut(..GRU.sizes().parameters()).unwrap_or_default();
                let _ = convert::gru(&GRU, format, tensors, to);
                let _ = convert::flip_update(&GRU, to);
            });
            run(4, &mut |tensors, to| {
                let _ = convert::lstm(&LSTM, format, tensors, to);
            });
            run(1, &mut |tensors, to| {
                let to = to.get_mut(..SIMPLE.sizes().parameters()).unwrap_or_default();
                let _ = convert::simple(&SIMPLE, format, tensors, to);
                let _ = convert::residual(&RESIDUAL, format, tensors, to);
            });
        }
        let _ = LSTM.initialise(&mut random, &mut parameters);
        let _ = LSTM.list(&mut parameters, &mut gradient, &mut |parameter: Parameter<'_, f32>| {
            black_box(parameter.values());
        });
    });
}

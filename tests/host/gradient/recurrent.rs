//! Recurrent cells on floats: every gradient against differences, and every way of running one against every other.

use host_tests::gradient::{Operator, between, reals};
use host_tests::recurrent::{All, Run, backward, forward};
use smolnn_core::{OptimiserKind, ShapeError};
use smolnn_float::Real;
use smolnn_float::random::{Pcg32, SeedableRng};
use smolnn_float::rnn::convert::{self, Format, Tensors};
use smolnn_float::rnn::{
    Bidirectional, Cell, Gru, HoldIsOne, HoldIsZero, Keep, Linear, Lstm, Relu, ResetAfter, ResetBefore, ResidualRnn,
    Sequence, SequenceGradients, SimpleRnn, Stack, Tanh, Tape, WindowMemory,
};

fn generator(seed: u64) -> Pcg32 {
    println!("seed {seed}");
    Pcg32::seed_from_u64(seed)
}

/// Calls `$body` with a cell of every kind.
macro_rules! every_cell {
    ($inputs:expr, $hidden:expr, |$cell:ident, $name:ident| $body:block) => {{
        let (inputs, hidden) = ($inputs, $hidden);
        every_cell!(@ $cell $name $body "tanh", SimpleRnn::<Tanh>::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "relu", SimpleRnn::<Relu>::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "linear", SimpleRnn::<Linear>::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "residual", ResidualRnn::<Tanh>::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "gru before", Gru::<ResetBefore, HoldIsOne>::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "gru after", Gru::<ResetAfter, HoldIsOne>::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "gru before, 0 holds", Gru::<ResetBefore, HoldIsZero>::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "gru after, 0 holds", Gru::<ResetAfter, HoldIsZero>::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "lstm", Lstm::new(inputs, hidden).unwrap());
        every_cell!(@ $cell $name $body "lstm, peepholes", Lstm::new(inputs, hidden).unwrap().peephole());
        every_cell!(@ $cell $name $body "lstm, projection",
            Lstm::new(inputs, hidden).unwrap().projection(hidden.div_ceil(2)).unwrap());
        every_cell!(@ $cell $name $body "lstm, peepholes, projection",
            Lstm::new(inputs, hidden).unwrap().peephole().projection(hidden + 1).unwrap());
        let (gru, lstm) = (Gru::<ResetAfter>::new(inputs, hidden).unwrap(), Lstm::new(hidden, hidden + 1).unwrap());
        every_cell!(@ $cell $name $body "stack", Stack::new::<f64>(gru, lstm).unwrap());
        let top = SimpleRnn::<Tanh>::new(hidden + 1, 2).unwrap();
        every_cell!(@ $cell $name $body "stack of three",
            Stack::new::<f64>(Stack::new::<f64>(gru, lstm).unwrap(), top).unwrap());
    }};
    (@ $cell:ident $name:ident $body:block $text:expr, $value:expr) => {{
        let ($cell, $name) = ($value, $text);
        $body
    }};
}

/// Parameters, state, input and a gradient of the outputs. Weights small enough that 64 steps stay well conditioned.
fn draw<T: Real>(random: &mut Pcg32, cell: &impl Cell<T>, steps: usize) -> [Vec<T>; 5] {
    let sizes = cell.sizes();
    let lengths = [sizes.parameters(), sizes.state(), steps * sizes.inputs, steps * sizes.outputs, sizes.state()];
    let mut all = lengths.map(|length| reals(random, length));
    all[0].iter_mut().for_each(|w| *w *= 0.4);
    all.map(|values| values.iter().map(|&v| T::from_f64(v)).collect())
}

fn check_cell(random: &mut Pcg32, name: &str, cell: &impl Cell<f64>, steps: usize) -> usize {
    let [parameters, state, input, ..] = draw(random, cell, steps);
    let operator = Operator {
        name: format!("{name}, {steps} steps, {:?}", cell.sizes()),
        inputs: vec![parameters, state, input],
        forward: &|t| {
            let run = forward(cell, Keep::Gates, &t[0], &t[1], &t[2]);
            [run.output, run.state].concat()
        },
        backward: &|t, g| {
            let run = forward(cell, Keep::Gates, &t[0], &t[1], &t[2]);
            let (d_output, d_state) = g.split_at(run.output.len());
            let All { parameters, state, input } =
                backward(cell, Keep::Gates, &t[0], &t[2], &run, Some(d_output), d_state);
            vec![parameters, state, input]
        },
    };
    operator.check(random).unwrap_or_else(|error| panic!("{error}"))
}

/// All weights, all biases, h₀, c₀ and x, at random sizes and lengths up to 64.
#[test]
fn differences_of_every_cell() {
    let mut random = generator(6);
    let mut compared = 0;
    for round in 0..6 {
        let (inputs, hidden) = (between(&mut random, 1, 4), between(&mut random, 1, 5));
        every_cell!(inputs, hidden, |cell, name| {
            let steps = if round == 0 { 64 } else { between(&mut random, 1, 24) };
            compared += check_cell(&mut random, name, &cell, steps);
        });
    }
    println!("{compared} gradients");
    assert!(compared > 5000);
}

#[test]
fn differences_of_both_directions() {
    let mut random = generator(7);
    for _ in 0..6 {
        let steps = between(&mut random, 1, 12);
        let cell = Lstm::new(between(&mut random, 1, 4), between(&mut random, 1, 4)).unwrap();
        let [forwards, state, input, ..] = draw::<f64>(&mut random, &cell, steps);
        let [backwards, other, ..] = draw::<f64>(&mut random, &cell, steps);
        for keep in [Keep::Gates, Keep::States] {
            let both = Bidirectional::new(cell, steps, keep).unwrap();
            let sizes = cell.sizes();
            let run = |t: &[Vec<f64>]| {
                let mut run = Run {
                    output: vec![f64::NAN; steps * 2 * sizes.outputs],
                    state: t[1].clone(),
                    stash: vec![f64::NAN; sizes.bidirectional_stash(steps, keep)],
                };
                let mut scratch = vec![f64::NAN; sizes.scratch(keep)];
                both.forward(&t[0], &mut run.state, &t[2], &mut run.output, &mut run.stash, &mut scratch).unwrap();
                run
            };
            let operator = Operator {
                name: format!("{both:?}"),
                inputs: vec![
                    [forwards.clone(), backwards.clone()].concat(),
                    [state.clone(), other.clone()].concat(),
                    input.clone(),
                ],
                forward: &|t| {
                    let run = run(t);
                    [run.output, run.state].concat()
                },
                backward: &|t, g| {
                    let run = run(t);
                    let (d_output, d_state) = g.split_at(run.output.len());
                    let mut all = [vec![0.0; t[0].len()], d_state.to_vec(), vec![0.0; t[2].len()]];
                    let [parameters, d_state, input] = &mut all;
                    let gradients = SequenceGradients { input: Some(input), parameters: Some(parameters) };
                    let mut scratch = vec![f64::NAN; sizes.scratch(keep)];
                    let (output, stash) = (&run.output, &run.stash);
                    both.backward(
                        &t[0],
                        &Tape { input: &t[2], output, stash },
                        d_state,
                        Some(d_output),
                        gradients,
                        &mut scratch,
                    )
                    .unwrap();
                    all.into()
                },
            };
            operator.check(&mut random).unwrap_or_else(|error| panic!("{error}"));
            // The cell from the end is the cell from the start on the reversed sequence.
            let found = run(&operator.inputs);
            let reversed: Vec<f64> = input.chunks_exact(sizes.inputs).rev().flatten().copied().collect();
            let alone = forward(&cell, keep, &backwards, &other, &reversed);
            for step in 0..steps {
                let row = &found.output[step * 2 * sizes.outputs..][sizes.outputs..2 * sizes.outputs];
                assert_eq!(row, &alone.output[(steps - 1 - step) * sizes.outputs..][..sizes.outputs]);
            }
        }
    }
}

/// `step`, `infer` and `forward` of either kind: one result, bit for bit. The streamed state can be saved and restored.
fn ways_agree<T: Real>(random: &mut Pcg32, name: &str, cell: &impl Cell<T>, steps: usize) {
    let sizes = cell.sizes();
    let [parameters, state, input, ..] = draw::<T>(random, cell, steps);
    let run = forward(cell, Keep::Gates, &parameters, &state, &input);
    let lean = forward(cell, Keep::States, &parameters, &state, &input);
    assert_eq!((&run.output, &run.state), (&lean.output, &lean.state), "{name}");
    let mut scratch = vec![T::NAN; sizes.step_scratch()];
    let (mut at, mut output) = (state.clone(), vec![T::NAN; run.output.len()]);
    let sequence = Sequence::new(*cell, steps, Keep::Gates).unwrap();
    sequence.infer(&parameters, &mut at, &input, &mut output, &mut scratch).unwrap();
    assert_eq!((&run.output, &run.state), (&output, &at), "{name}");
    let mut at = state.clone();
    for (x, y) in input.chunks_exact(sizes.inputs).zip(run.output.chunks_exact(sizes.outputs)) {
        let saved = at.clone();
        cell.step(&parameters, &mut at, x, &mut scratch).unwrap();
        at = saved;
        cell.step(&parameters, &mut at, x, &mut scratch).unwrap();
        assert_eq!(&at[..sizes.outputs], y, "{name}");
    }
    assert_eq!(at, run.state, "{name}");
}

/// Gradients from states alone are those from the whole stash; truncated with a window that holds the sequence, too.
fn gradients_agree<T: Real>(random: &mut Pcg32, name: &str, cell: &impl Cell<T>, steps: usize) {
    let sizes = cell.sizes();
    let [parameters, state, input, d_output, d_state] = draw::<T>(random, cell, steps);
    let run = forward(cell, Keep::Gates, &parameters, &state, &input);
    let full = backward(cell, Keep::Gates, &parameters, &input, &run, Some(&d_output), &d_state);
    let lean = forward(cell, Keep::States, &parameters, &state, &input);
    assert!(sizes.gates == 0 || lean.stash.len() < run.stash.len());
    assert_eq!(full, backward(cell, Keep::States, &parameters, &input, &lean, Some(&d_output), &d_state), "{name}");

    let full = backward(cell, Keep::Gates, &parameters, &input, &run, Some(&d_output), &vec![T::ZERO; sizes.state()]);
    for window in [steps, steps + 1, 3 * steps] {
        for keep in [Keep::Gates, Keep::States] {
            let (found, end) = truncated(cell, window, keep, &parameters, &state, &input, &d_output);
            assert_eq!((&found, &end), (&full, &run.state), "{name}, window {window} of {steps} steps");
        }
    }
    if steps > 1 && sizes.state() > 0 {
        let (cut, end) = truncated(cell, steps / 2, Keep::Gates, &parameters, &state, &input, &d_output);
        assert_eq!(end, run.state, "{name}: forward nothing is cut");
        assert_ne!(cut.parameters, full.parameters, "{name}: a shorter window cuts the gradient");
    }
}

fn truncated<T: Real, C: Cell<T>>(
    cell: &C,
    window: usize,
    keep: Keep,
    parameters: &[T],
    state: &[T],
    input: &[T],
    d_output: &[T],
) -> (All<T>, Vec<T>) {
    let sizes = cell.sizes();
    let sequence = Sequence::new(*cell, window, keep).unwrap();
    let mut all = All {
        parameters: vec![T::ZERO; parameters.len()],
        state: vec![T::NAN; sizes.state()],
        input: vec![T::ZERO; input.len()],
    };
    let mut at = state.to_vec();
    let (mut output, mut stash) = (vec![T::NAN; window * sizes.outputs], vec![T::NAN; sizes.stash(window, keep)]);
    let upstream = |step: usize, _: &[T], d_h: &mut [T]| {
        for (d, &g) in d_h.iter_mut().zip(&d_output[step * sizes.outputs..]) {
            *d += g;
        }
    };
    let gradients = SequenceGradients { input: Some(&mut all.input), parameters: Some(&mut all.parameters) };
    let mut scratch = vec![T::NAN; sizes.scratch(keep)];
    sequence
        .truncated(
            parameters,
            &mut at,
            input,
            WindowMemory { output: &mut output, stash: &mut stash, d_state: &mut all.state, scratch: &mut scratch },
            upstream,
            gradients,
        )
        .unwrap();
    (all, at)
}

#[test]
fn streaming_is_the_whole_sequence_bit_for_bit() {
    let mut random = generator(8);
    for _ in 0..20 {
        let (inputs, hidden) = (between(&mut random, 1, 9), between(&mut random, 1, 9));
        every_cell!(inputs, hidden, |cell, name| {
            let steps = between(&mut random, 1, 20);
            ways_agree::<f32>(&mut random, name, &cell, steps);
            ways_agree::<f64>(&mut random, name, &cell, steps);
        });
    }
}

#[test]
fn recompute_and_long_windows_are_full_bptt_bit_for_bit() {
    let mut random = generator(9);
    for _ in 0..20 {
        let (inputs, hidden) = (between(&mut random, 1, 9), between(&mut random, 2, 9));
        every_cell!(inputs, hidden, |cell, name| {
            let steps = between(&mut random, 1, 20);
            gradients_agree::<f32>(&mut random, name, &cell, steps);
            gradients_agree::<f64>(&mut random, name, &cell, steps);
        });
    }
}

/// A truncated gradient is the sum over windows that know nothing of one another but the state.
#[test]
fn truncated_is_window_by_window() {
    let mut random = generator(10);
    every_cell!(3, 4, |cell, name| {
        for (steps, window) in [(12, 4), (13, 4), (7, 1), (9, 8)] {
            let [parameters, state, input, d_output, _] = draw::<f64>(&mut random, &cell, steps);
            let (found, end) = truncated(&cell, window, Keep::Gates, &parameters, &state, &input, &d_output);
            let sizes = Cell::<f64>::sizes(&cell);
            let mut at = state;
            let (mut sum, mut d_input) = (vec![0.0; parameters.len()], Vec::new());
            let pieces = input.chunks(window * sizes.inputs).zip(d_output.chunks(window * sizes.outputs));
            for (x, g) in pieces {
                let run = forward(&cell, Keep::Gates, &parameters, &at, x);
                let all = backward(&cell, Keep::Gates, &parameters, x, &run, Some(g), &vec![0.0; sizes.state()]);
                sum.iter_mut().zip(&all.parameters).for_each(|(sum, d)| *sum += d);
                d_input.extend(all.input);
                at = run.state;
            }
            assert_eq!(end, at, "{name}");
            assert_eq!(found.input, d_input, "{name}");
            for (found, sum) in found.parameters.iter().zip(&sum) {
                assert!((found - sum).abs() <= 1e-12, "{name}: {found} {sum}");
            }
        }
    });
}

/// f32 GRU 6 → 16 over 100 steps, forward and backward: within 5 % of parameters, gradients and stash alone.
#[test]
fn train_bytes_of_a_gru() {
    const GRU: Gru<ResetBefore> = smolnn_core::shape!(Gru::new(6, 16));
    const fn bytes(steps: usize, keep: Keep) -> usize {
        GRU.sizes().train_bytes::<f32>(steps, keep, OptimiserKind::Sgd)
    }
    const FULL: usize = bytes(100, Keep::Gates);
    const LEAN: usize = bytes(100, Keep::States);
    const WINDOW: usize = bytes(16, Keep::Gates);
    let bare = |steps: usize, row: usize| 4 * (2 * GRU.sizes().parameters() + steps * row);
    println!("{FULL} {LEAN} {WINDOW} B; bare {} {} {}", bare(100, 70), bare(100, 22), bare(16, 70));
    assert_eq!((bare(100, 70), bare(100, 22), bare(16, 70)), (36_832, 17_632, 13_312));
    for (found, bare) in [(FULL, 36_832), (LEAN, 17_632), (WINDOW, 13_312)] {
        assert!(found as f64 <= 1.05 * f64::from(bare), "{found} {bare}");
    }
    // The sum is what the calls really take.
    let sizes = GRU.sizes();
    let mut floats = vec![0.1_f32; FULL / 4];
    let mut rest = floats.as_mut_slice();
    let mut take = |length: usize| {
        let (taken, other) = std::mem::take(&mut rest).split_at_mut(length);
        rest = other;
        taken
    };
    let (parameters, d_parameters) = (take(sizes.parameters()), take(sizes.parameters()));
    let (state, d_state) = (take(sizes.state()), take(sizes.state()));
    let (input, output) = (take(600), take(1600));
    let (stash, scratch) = (take(sizes.stash(100, Keep::Gates)), take(sizes.scratch(Keep::Gates)));
    assert!(rest.is_empty());
    let sequence = Sequence::new(GRU, 100, Keep::Gates).unwrap();
    sequence.forward(parameters, state, input, output, stash, scratch).unwrap();
    let gradients = SequenceGradients { input: None, parameters: Some(d_parameters) };
    sequence.backward(parameters, &Tape { input, output, stash }, d_state, None, gradients, scratch).unwrap();
}

/// Rows of one gate after the other, `[gates][hidden][columns]`, in another order and perhaps transposed as Keras has them.
fn reordered(rows: &[f64], hidden: usize, columns: usize, order: &[usize], keras: bool) -> Vec<f64> {
    let gates: Vec<f64> =
        order.iter().flat_map(|gate| rows[gate * hidden * columns..][..hidden * columns].to_vec()).collect();
    if !keras {
        return gates;
    }
    let total = order.len() * hidden;
    (0..columns * total).map(|index| gates[index % total * columns + index / total]).collect()
}

/// What a framework would have stored becomes again what it was made from.
#[test]
fn conversions_undo_the_frameworks_orders() {
    let mut random = generator(11);
    let (inputs, hidden, outputs) = (3, 4, 2);
    let cell = Lstm::new(inputs, hidden).unwrap().peephole().projection(outputs).unwrap();
    let ours = reals(&mut random, cell.sizes().parameters());
    let parts = [4 * hidden * inputs, 4 * hidden * outputs, 3 * hidden, outputs * hidden, 4 * hidden];
    let mut rest = ours.as_slice();
    let [w, u, p, projection, b] = parts.map(|length| {
        let (part, other) = rest.split_at(length);
        rest = other;
        part
    });
    for (format, order, holes) in [
        (Format::PyTorch, [0, 1, 2, 3], [0, 1, 2]),
        (Format::Keras, [0, 1, 2, 3], [0, 1, 2]),
        (Format::TensorFlowLite, [0, 1, 2, 3], [0, 1, 2]),
        // i, o, f, c, and the peepholes i, o, f.
        (Format::Onnx, [0, 3, 1, 2], [0, 2, 1]),
    ] {
        let keras = format == Format::Keras;
        let (w, u) = (reordered(w, hidden, inputs, &order, keras), reordered(u, hidden, outputs, &order, keras));
        let (b, p) = (reordered(b, hidden, 1, &order, false), reordered(p, hidden, 1, &holes, false));
        let half: Vec<f64> = b.iter().map(|b| b * 0.5).collect();
        let tensors = Tensors {
            bias: Some(&half),
            recurrent_bias: Some(&half),
            peephole: Some(&p),
            projection: Some(projection),
            ..Tensors::new(&w, &u)
        };
        let mut found = vec![f64::NAN; ours.len()];
        convert::lstm(&cell, format, &tensors, &mut found).unwrap();
        assert_eq!(found, ours, "{format:?}");
        let plain = Lstm::new(inputs, hidden).unwrap().projection(outputs).unwrap();
        let refused = convert::lstm(&plain, format, &tensors, &mut vec![0.0; plain.sizes().parameters()]);
        assert!(matches!(refused, Err(ShapeError::Range(_))));
    }

    let cell = Gru::<ResetAfter>::new(inputs, hidden).unwrap();
    let ours = reals(&mut random, cell.sizes().parameters());
    let (w, rest) = ours.split_at(3 * hidden * inputs);
    let (u, b) = rest.split_at(3 * hidden * hidden);
    let (b, b_hn) = b.split_at(3 * hidden);
    for (format, order) in [(Format::PyTorch, [1, 0, 2]), (Format::Keras, [0, 1, 2]), (Format::Onnx, [0, 1, 2])] {
        let keras = format == Format::Keras;
        let (w, u) = (reordered(w, hidden, inputs, &order, keras), reordered(u, hidden, hidden, &order, keras));
        let mut first = reordered(b, hidden, 1, &order, false);
        first[..2 * hidden].iter_mut().for_each(|b| *b *= 0.5);
        let second = [&first[..2 * hidden], b_hn].concat();
        let tensors = Tensors { bias: Some(&first), recurrent_bias: Some(&second), ..Tensors::new(&w, &u) };
        let mut found = vec![f64::NAN; ours.len()];
        convert::gru(&cell, format, &tensors, &mut found).unwrap();
        assert_eq!(found, ours, "{format:?}");
        // Held at 0, the same cell does the same.
        let other = Gru::<ResetAfter, HoldIsZero>::new(inputs, hidden).unwrap();
        let mut flipped = vec![f64::NAN; ours.len()];
        convert::gru(&other, format, &tensors, &mut flipped).unwrap();
        let x = reals(&mut random, 8 * inputs);
        let [one, zero] = [
            forward(&cell, Keep::Gates, &ours, &[0.3; 4], &x).output,
            forward(&other, Keep::Gates, &flipped, &[0.3; 4], &x).output,
        ];
        assert!(one.iter().zip(&zero).all(|(a, b)| (a - b).abs() < 4e-13), "{format:?}");
    }
    let tensors = Tensors::new(w, u);
    let refused = convert::gru(&cell, Format::TensorFlowLite, &tensors, &mut ours.clone());
    assert!(matches!(refused, Err(ShapeError::Range(_))));
}

/// Cells of one gate: W, U and the sum of both biases, whatever framework stored them.
#[test]
fn cells_of_one_gate_are_converted() {
    let mut random = generator(12);
    let (inputs, hidden) = (3, 4);
    let (simple, residual) =
        (SimpleRnn::<Tanh>::new(inputs, hidden).unwrap(), ResidualRnn::<Tanh>::new(inputs, hidden).unwrap());
    let ours = reals(&mut random, simple.sizes().parameters());
    let (w, rest) = ours.split_at(hidden * inputs);
    let (u, b) = rest.split_at(hidden * hidden);
    let half: Vec<f64> = b.iter().map(|b| b * 0.5).collect();
    for format in [Format::PyTorch, Format::Keras, Format::Onnx] {
        let keras = format == Format::Keras;
        let (w, u) = (reordered(w, hidden, inputs, &[0], keras), reordered(u, hidden, hidden, &[0], keras));
        let tensors = Tensors { bias: Some(&half), recurrent_bias: Some(&half), ..Tensors::new(&w, &u) };
        let mut found = vec![f64::NAN; ours.len()];
        convert::simple(&simple, format, &tensors, &mut found).unwrap();
        assert_eq!(found, ours, "{format:?}");
        found.fill(f64::NAN);
        convert::residual(&residual, format, &tensors, &mut found).unwrap();
        assert_eq!(found, ours, "{format:?}");
    }
}

#[test]
fn wrong_shapes_and_lengths_are_errors() {
    assert!(matches!(Lstm::new(0, 3), Err(ShapeError::Zero(_))));
    assert!(matches!(Gru::<ResetAfter>::new(3, 1 << 20), Err(ShapeError::TooLarge)));
    let (gru, lstm) = (Gru::<ResetAfter>::new(3, 4).unwrap(), Lstm::new(3, 4).unwrap());
    assert!(matches!(Stack::new::<f32>(gru, lstm), Err(ShapeError::Length { .. })));
    assert!(matches!(Sequence::new(gru, 0, Keep::Gates), Err(ShapeError::Zero(_))));
    let sizes = gru.sizes();
    let sequence = Sequence::new(gru, 5, Keep::Gates).unwrap();
    let lengths = [sizes.parameters(), sizes.state(), 15, 20, sizes.stash(5, Keep::Gates), sizes.scratch(Keep::Gates)];
    for (wrong, what) in [
        (0, "the parameters"),
        (1, "the state"),
        (2, "the input"),
        (3, "the output"),
        (4, "the stash"),
        (5, "the scratch"),
    ] {
        let mut lengths = lengths;
        lengths[wrong] -= 1;
        let [p, mut s, x, mut y, mut stash, mut scratch] = lengths.map(|length| vec![0.0_f32; length]);
        let found = sequence.forward(&p, &mut s, &x, &mut y, &mut stash, &mut scratch);
        assert!(matches!(found, Err(ShapeError::Length { what: said, .. }) if said == what), "{found:?}");
        let none = SequenceGradients::default();
        let found =
            sequence.backward(&p, &Tape { input: &x, output: &y, stash: &stash }, &mut s, None, none, &mut scratch);
        assert!(matches!(found, Err(ShapeError::Length { what: said, .. }) if said == what), "{found:?}");
    }
}

/// Weights decay, biases do not; a stack lists both cells'.
#[test]
fn parameters_are_listed_apart() {
    let cell = Stack::new::<f32>(Gru::<ResetAfter>::new(3, 4).unwrap(), Lstm::new(4, 2).unwrap()).unwrap();
    let sizes = Cell::<f32>::sizes(&cell);
    let (mut values, mut gradient) = (vec![0.0_f32; sizes.parameters()], vec![1.0; sizes.parameters()]);
    cell.initialise(&mut generator(12), &mut values).unwrap();
    let before = values.clone();
    let mut lengths = Vec::new();
    let mut list = Vec::new();
    cell.list(&mut values, &mut gradient, &mut |parameter| {
        lengths.push(parameter.values().len());
        list.push(parameter);
    })
    .unwrap();
    assert_eq!(lengths, [3 * 4 * 7, 16, 4 * 2 * 6, 8]);
    smolnn_float::parameter::regularise(&mut list, 2.0);
    let moved = |start: usize, length: usize| gradient[start..][..length].iter().any(|&g| g != 1.0);
    assert!(moved(0, 84) && !moved(84, 16) && moved(100, 48) && !moved(148, 8));
    // The forget gate starts open, all other biases at 0.
    assert_eq!(before[84..100], [0.0; 16]);
    assert_eq!(before[148..], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

/// The trained networks of tests/data/japanese_vowels in f32: every state of ten utterances, all logits, and the accuracy
/// that its README states.
#[test]
fn trained_networks_over_recorded_speech() {
    let mut found = Vec::new();
    smolnn_testkit::sequences::run(usize::MAX, &mut [0.0; 4096], &mut |name, outcome| {
        let outcome = outcome.unwrap();
        println!("{name}: {outcome:?}");
        assert!(outcome.passed(), "{name}: {outcome:?}");
        found.push((name, outcome.right, outcome.utterances, outcome.frames > 100));
    });
    assert_eq!(found, [("gru", 366, 370, true), ("lstm", 365, 370, true), ("rnn", 361, 370, true)]);
}

/// A cell with its lengths in the type does what the sequence does.
#[test]
fn typed_cells_are_the_sequences() {
    use smolnn_core::shape;
    use smolnn_float::layer;

    const LSTM: Lstm = shape!(Lstm::new(3, 4));
    const STEPS: usize = 5;
    type Layer = layer::Lstm<f64, 3, 4, 8, { LSTM.sizes().parameters() }>;
    let sizes = LSTM.sizes();
    let mut random = generator(41);
    let lstm = Layer::random(LSTM, &mut random).unwrap();
    let input: [[f64; 3]; STEPS] = [0; STEPS].map(|_| reals(&mut random, 3).try_into().unwrap());
    let upstream: [[f64; 4]; STEPS] = [0; STEPS].map(|_| reals(&mut random, 4).try_into().unwrap());
    for keep in [Keep::Gates, Keep::States] {
        let mut scratch = vec![0.0; sizes.scratch(keep).max(sizes.step_scratch())];
        let mut stash = vec![0.0; sizes.stash(STEPS, keep)];
        let [mut state, mut live, mut inferred] = [[0.0; 8]; 3];
        let [mut output, mut output_of_infer] = [[[0.0; 4]; STEPS]; 2];
        lstm.forward(keep, &mut state, &input, &mut output, &mut stash, &mut scratch).unwrap();
        lstm.infer(&mut inferred, &input, &mut output_of_infer, &mut scratch).unwrap();
        for x in &input {
            lstm.step(&mut live, x, &mut scratch).unwrap();
        }
        assert_eq!((state, output), (inferred, output_of_infer));
        assert_eq!(state, live);
        let tape = Tape { input: input.as_flattened(), output: output.as_flattened(), stash: &stash };
        let (mut d_state, mut d_input, mut gradients) = ([0.0; 8], [[0.0; 3]; STEPS], Layer::zeros(LSTM).unwrap());
        lstm.backward(keep, &tape, &mut d_state, Some(&upstream), Some(&mut d_input), &mut gradients, &mut scratch)
            .unwrap();
        let (mut expected_state, mut dx, mut dp) = ([0.0; 8], [0.0; 3 * STEPS], [0.0; Layer::PARAMETERS]);
        let into = SequenceGradients { input: Some(&mut dx), parameters: Some(&mut dp) };
        Sequence::new(LSTM, STEPS, keep)
            .unwrap()
            .backward(&lstm.parameters, &tape, &mut expected_state, Some(upstream.as_flattened()), into, &mut scratch)
            .unwrap();
        assert_eq!((d_state, d_input.as_flattened(), gradients.parameters), (expected_state, dx.as_slice(), dp));
        assert!(dp.iter().any(|&d| d != 0.0));
    }
    assert!(layer::Gru::<f64, 3, 4, 7>::zeros(Gru::<ResetAfter>::new(3, 4).unwrap()).is_err());
}

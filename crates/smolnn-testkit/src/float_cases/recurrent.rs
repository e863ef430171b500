//! Recorded sequences through recurrent cells, forward and back.

use smolnn_core::ShapeError;
use smolnn_float::rnn::convert::{self, Format, Tensors};
use smolnn_float::rnn::{
    Bidirectional, Cell, Gru, Keep, Lstm, Relu, ResetAfter, ResetBefore, Sequence, SequenceGradients, SimpleRnn, Sizes,
    Stack, Tape,
};

use super::{Bench, Case, MANY_STEPS, Stop};

/// What these recordings hold.
pub(super) static CASES: &[Case] = &[Case {
    operators: &["rnn", "lstm", "gru", "gru_keras"],
    kernels: &[
        "rnn/simple.rs::SimpleRnn",
        "rnn/lstm.rs::Lstm",
        "rnn/gru.rs::Gru",
        "rnn/stack.rs::Stack",
        "rnn/convert.rs::simple",
        "rnn/convert.rs::lstm",
        "rnn/convert.rs::gru",
    ],
    tolerance: MANY_STEPS,
    run: recurrent,
}];

/// Which cell, and what is recorded of it.
fn recurrent(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let inputs = bench.tensor("x")?.shape[2];
    let option = |key| bench.recording.option(key);
    match bench.recording.op {
        "rnn" => {
            let hidden = bench.tensor("h0")?.shape[2];
            if option("nonlin") == Some("relu") {
                let cell = SimpleRnn::<Relu>::new(inputs, hidden)?;
                let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                    bench.load(roles, |tensors| convert::simple(&cell, Format::PyTorch, tensors, parameters))
                };
                return sequence(bench, cell, load);
            }
            let cell = SimpleRnn::<smolnn_float::rnn::Tanh>::new(inputs, hidden)?;
            let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                bench.load(roles, |tensors| convert::simple(&cell, Format::PyTorch, tensors, parameters))
            };
            sequence(bench, cell, load)
        }
        "lstm" => {
            let hidden = bench.tensor("h0")?.shape[2];
            let cell = Lstm::new(inputs, hidden)?;
            if option("layers") == Some("2") {
                let upper = Lstm::new(hidden, hidden)?;
                let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                    let (first, second) = parameters.split_at_mut(cell.sizes().parameters());
                    bench.load(roles, |tensors| convert::lstm(&cell, Format::PyTorch, tensors, first))?;
                    let roles = if roles.gradient { &Roles::D_SECOND } else { &Roles::SECOND };
                    bench.load(roles, |tensors| convert::lstm(&upper, Format::PyTorch, tensors, second))
                };
                return sequence(bench, Stack::new::<f32>(cell, upper)?, load);
            }
            let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                bench.load(roles, |tensors| convert::lstm(&cell, Format::PyTorch, tensors, parameters))
            };
            sequence(bench, cell, load)
        }
        "gru" => {
            let hidden = bench.tensor("h0")?.shape[2];
            let cell = Gru::<ResetAfter>::new(inputs, hidden)?;
            if option("bidirectional") == Some("True") {
                return bidirectional(bench, &cell);
            }
            let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                bench.load(roles, |tensors| convert::gru(&cell, Format::PyTorch, tensors, parameters))
            };
            sequence(bench, cell, load)
        }
        _ => {
            let hidden = bench.tensor("h0")?.shape[1];
            if option("reset_after") == Some("True") {
                let cell = Gru::<ResetAfter>::new(inputs, hidden)?;
                let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                    bench.load(roles, |tensors| convert::gru(&cell, Format::Keras, tensors, parameters))
                };
                return sequence(bench, cell, load);
            }
            let cell = Gru::<ResetBefore>::new(inputs, hidden)?;
            let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
                bench.load(roles, |tensors| convert::gru(&cell, Format::Keras, tensors, parameters))
            };
            sequence(bench, cell, load)
        }
    }
}

/// The roles of a layer's parameters, or of their gradients. Keras has one tensor for both biases.
struct Roles {
    gradient: bool,
    input: &'static str,
    recurrent: &'static str,
    bias: &'static str,
    recurrent_bias: Option<&'static str>,
}

/// The roles of one layer, with a prefix and a suffix.
macro_rules! roles {
    ($gradient:literal, $prefix:literal, $suffix:literal) => {
        Roles {
            gradient: $gradient,
            input: concat!($prefix, "w_ih_", $suffix),
            recurrent: concat!($prefix, "w_hh_", $suffix),
            bias: concat!($prefix, "b_ih_", $suffix),
            recurrent_bias: Some(concat!($prefix, "b_hh_", $suffix)),
        }
    };
}

impl Roles {
    const FIRST: Self = roles!(false, "", "l0");
    const SECOND: Self = roles!(false, "", "l1");
    const REVERSED: Self = roles!(false, "", "l0_rev");
    const D_FIRST: Self = roles!(true, "d_", "l0");
    const D_SECOND: Self = roles!(true, "d_", "l1");
    const D_REVERSED: Self = roles!(true, "d_", "l0_rev");
    const KERAS: Self = Self { gradient: false, input: "W", recurrent: "U", bias: "b", recurrent_bias: None };
    const D_KERAS: Self = Self { gradient: true, input: "d_W", recurrent: "d_U", bias: "d_b", recurrent_bias: None };
}

impl Bench<'_, '_> {
    /// Reads a layer's tensors and has them converted. A gradient of summed biases is each bias's own, so that of the
    /// second one is taken just where the second one stands by itself: in the last third, the candidate of a GRU.
    fn load(
        &mut self,
        roles: &Roles,
        convert: impl FnOnce(&Tensors<'_, f32>) -> Result<(), ShapeError>,
    ) -> Result<(), Stop> {
        let (input, recurrent) = (self.read(roles.input)?, self.read(roles.recurrent)?);
        let rows = recurrent.len() / self.hidden()?;
        let bias = self.read(roles.bias)?;
        let (bias, second) = bias.split_at(rows.min(bias.len()));
        let second = match roles.recurrent_bias {
            Some(role) => self.read(role)?,
            None => second,
        };
        let copy = self.zeros(second.len())?;
        copy.copy_from_slice(second);
        if roles.gradient {
            let summed = if self.recording.op.starts_with("gru") { copy.len() / 3 * 2 } else { copy.len() };
            for (first, second) in bias.iter().zip(copy.iter_mut()).take(summed) {
                // What the recording says of the two must agree, or this is not the gradient of a sum.
                *second = if (first - *second).abs() <= 1e-6 * first.abs().max(1.0) { 0.0 } else { f32::NAN };
            }
        }
        let recurrent_bias = (!copy.is_empty()).then_some(&*copy);
        Ok(convert(&Tensors { bias: Some(bias), recurrent_bias, ..Tensors::new(input, recurrent) })?)
    }

    fn hidden(&self) -> Result<usize, Stop> {
        let shape = self.tensor("h0")?.shape;
        Ok(if self.recording.op == "gru_keras" { shape[1] } else { shape[2] })
    }

    /// Adds the recorded rows `[layer][sample]` of a state to `state`, cell by cell.
    fn gather(&mut self, role: &str, sample: usize, state: &mut [f32], place: &Place) -> Result<(), Stop> {
        let values = self.read(role)?;
        for (layer, start) in place.starts.iter().copied().take(place.layers).enumerate() {
            let row = &values[(layer * place.batch + sample) * place.hidden..][..place.hidden];
            for (value, &recorded) in state[start..].iter_mut().zip(row) {
                *value += recorded;
            }
        }
        Ok(())
    }

    /// Compares a state, cell by cell.
    fn expect_state(&mut self, role: &str, sample: usize, state: &[f32], place: &Place) -> Result<(), Stop> {
        let values = self.read(role)?;
        for (layer, start) in place.starts.iter().copied().take(place.layers).enumerate() {
            let row = &values[(layer * place.batch + sample) * place.hidden..][..place.hidden];
            self.compare(&state[start..][..place.hidden], row);
        }
        Ok(())
    }
}

/// Where the h, or the c, of each layer or direction lies in the state.
struct Place {
    layers: usize,
    batch: usize,
    hidden: usize,
    starts: [usize; 2],
}

/// One sample of a batch, forward and back.
struct Pass<'a> {
    parameters: &'a [f32],
    input: &'a [f32],
    output: &'a mut [f32],
    state: &'a mut [f32],
    d_output: Option<&'a [f32]>,
    d_state: &'a mut [f32],
    gradients: SequenceGradients<'a, f32>,
    stash: &'a mut [f32],
    scratch: &'a mut [f32],
}

fn sequence<C: Cell<f32>>(
    bench: &mut Bench<'_, '_>,
    cell: C,
    load: impl Fn(&mut Bench<'_, '_>, &Roles, &mut [f32]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let sequence = Sequence::new(cell, bench.tensor("x")?.shape[0], Keep::Gates)?;
    let sizes = cell.sizes();
    let hidden = bench.hidden()?;
    let layers = if bench.recording.option("layers") == Some("2") { 2 } else { 1 };
    // The upper layer lies first in a stack's state.
    let (h, c) = if layers == 2 { ([2 * hidden, 0], [3 * hidden, hidden]) } else { ([0; 2], [hidden; 2]) };
    let lengths = [sizes.parameters(), sizes.state(), sizes.outputs, sizes.stash(sequence.steps(), Keep::Gates)];
    samples(bench, &sizes, layers, lengths, h, c, load, &|pass| {
        let Pass { parameters, input, output, state, d_output, d_state, gradients, stash, scratch } = pass;
        sequence.forward(parameters, state, input, output, stash, scratch)?;
        sequence.backward(parameters, &Tape { input, output, stash }, d_state, d_output, gradients, scratch)
    })
}

fn bidirectional(bench: &mut Bench<'_, '_>, cell: &Gru<ResetAfter>) -> Result<(), Stop> {
    let steps = bench.tensor("x")?.shape[0];
    let both = Bidirectional::new(*cell, steps, Keep::Gates)?;
    let sizes = cell.sizes();
    let load = |bench: &mut Bench<'_, '_>, roles: &Roles, parameters: &mut [f32]| {
        let (first, second) = parameters.split_at_mut(sizes.parameters());
        bench.load(roles, |tensors| convert::gru(cell, Format::PyTorch, tensors, first))?;
        let roles = if roles.gradient { &Roles::D_REVERSED } else { &Roles::REVERSED };
        bench.load(roles, |tensors| convert::gru(cell, Format::PyTorch, tensors, second))
    };
    let (outputs, stash) = (sizes.outputs, sizes.bidirectional_stash(steps, Keep::Gates));
    let lengths = [2 * sizes.parameters(), 2 * sizes.state(), 2 * outputs, stash];
    samples(bench, &sizes, 2, lengths, [0, outputs], [0; 2], load, &|pass| {
        let Pass { parameters, input, output, state, d_output, d_state, gradients, stash, scratch } = pass;
        both.forward(parameters, state, input, output, stash, scratch)?;
        both.backward(parameters, &Tape { input, output, stash }, d_state, d_output, gradients, scratch)
    })
}

/// Runs a recorded batch, sample by sample, and compares everything.
fn samples(
    bench: &mut Bench<'_, '_>,
    sizes: &Sizes,
    layers: usize,
    [parameters, state, outputs, stash]: [usize; 4],
    h: [usize; 2],
    c: [usize; 2],
    load: impl Fn(&mut Bench<'_, '_>, &Roles, &mut [f32]) -> Result<(), Stop>,
    run: &dyn Fn(Pass<'_>) -> Result<(), ShapeError>,
) -> Result<(), Stop> {
    let keras = bench.recording.op == "gru_keras";
    let has_c = bench.recording.op == "lstm";
    // Output of every step, last h, last c: which of them are recorded, and under which number.
    let (every, last_h, last_c) = match (keras, bench.recording.option("outputs")) {
        (true, _) => (Some(["y", "gy"]), None, None),
        (_, Some("h")) if has_c => (None, Some(["y0", "gy0"]), Some(["y1", "gy1"])),
        (_, Some("h")) => (None, Some(["y", "gy"]), None),
        _ => (Some(["y0", "gy0"]), Some(["y1", "gy1"]), has_c.then_some(["y2", "gy2"])),
    };
    let (roles, d_roles) = if keras { (Roles::KERAS, Roles::D_KERAS) } else { (Roles::FIRST, Roles::D_FIRST) };
    let [steps, batch, inputs, _] = bench.tensor("x")?.shape;
    let place = |starts| -> Result<Place, Stop> { Ok(Place { layers, batch, hidden: sizes.outputs, starts }) };
    let (h, c) = (place(h)?, place(c)?);
    let values = bench.zeros(parameters)?;
    load(bench, &roles, values)?;
    let d_values = bench.zeros(parameters)?;
    let x = bench.read("x")?;
    let d_x = bench.zeros(x.len())?;
    let y = bench.zeros(steps * batch * outputs)?;
    let gy = match every {
        Some([_, role]) => Some(bench.read(role)?),
        None => None,
    };
    let (stash, scratch) = (bench.zeros(stash)?, bench.zeros(sizes.scratch(Keep::Gates))?);
    for sample in 0..batch {
        let (one_x, one_dx) = (bench.zeros(steps * inputs)?, bench.zeros(steps * inputs)?);
        let (one_y, one_gy) = (bench.zeros(steps * outputs)?, bench.zeros(steps * outputs)?);
        for step in 0..steps {
            let at = step * batch + sample;
            one_x[step * inputs..][..inputs].copy_from_slice(&x[at * inputs..][..inputs]);
            if let Some(gy) = gy {
                one_gy[step * outputs..][..outputs].copy_from_slice(&gy[at * outputs..][..outputs]);
            }
        }
        let (now, d_now) = (bench.zeros(state)?, bench.zeros(state)?);
        bench.gather("h0", sample, now, &h)?;
        if has_c {
            bench.gather("c0", sample, now, &c)?;
        }
        if let Some([_, role]) = last_h {
            bench.gather(role, sample, d_now, &h)?;
        }
        if let Some([_, role]) = last_c {
            bench.gather(role, sample, d_now, &c)?;
        }
        run(Pass {
            parameters: values,
            input: one_x,
            output: one_y,
            state: now,
            d_output: gy.is_some().then_some(&*one_gy),
            d_state: d_now,
            gradients: SequenceGradients { input: Some(one_dx), parameters: Some(d_values) },
            stash,
            scratch,
        })?;
        if let Some([role, _]) = last_h {
            bench.expect_state(role, sample, now, &h)?;
        }
        if let Some([role, _]) = last_c {
            bench.expect_state(role, sample, now, &c)?;
        }
        bench.expect_state("d_h0", sample, d_now, &h)?;
        if has_c {
            bench.expect_state("d_c0", sample, d_now, &c)?;
        }
        for step in 0..steps {
            let at = step * batch + sample;
            d_x[at * inputs..][..inputs].copy_from_slice(&one_dx[step * inputs..][..inputs]);
            y[at * outputs..][..outputs].copy_from_slice(&one_y[step * outputs..][..outputs]);
        }
    }
    if let Some([role, _]) = every {
        bench.expect(role, y)?;
    }
    bench.expect("d_x", d_x)?;
    let expected = bench.zeros(parameters)?;
    load(bench, &d_roles, expected)?;
    bench.compare(d_values, expected);
    Ok(())
}

//! Recurrent layers whose states are operands: simple RNNs, GRUs and LSTMs as PyTorch and ONNX have them, f32 and int8.
//!
//! The state is computed in place of the output that takes the last state, after a copy of the state that the layer starts from. Nothing keeps the
//! states of all steps where nothing reads them.

use smolnn_core::SequenceOrder;
use smolnn_fixed::movement::{RANK, StridedCopy, Walk, copy};
use smolnn_fixed::quantise::Affine;
use smolnn_fixed::rnn::gru::GruRecurrent;
use smolnn_fixed::{Weights, rnn};
use smolnn_float as float;

use super::Lowered;
use super::argument::Argument;
use super::call::{Body, call, typed};
use super::context::Context;
use super::source::Source;
use super::weights::{PackedToInt16, bias, power_of_two};
use crate::error::Problem;
use crate::net::{Element, RecurrentCell, Reset, TensorId};

/// Operands.
const WEIGHTS: usize = 1;
const RECURRENT: usize = 2;
const BIAS: usize = 3;
const RECURRENT_BIAS: usize = 4;
const HIDDEN: usize = 5;
const CELL: usize = 6;

/// Sizes of the layer, and the tensors of its call so far: the states are the first outputs.
struct Layer<'c, 'a> {
    context: &'c Context<'a>,
    cell: RecurrentCell,
    order: SequenceOrder,
    batch: usize,
    steps: usize,
    inputs: usize,
    hidden: usize,
    operands: Vec<TensorId>,
    results: Vec<TensorId>,
}

pub(super) fn lower(context: &Context<'_>, cell: RecurrentCell, order: SequenceOrder) -> Result<Lowered, Problem> {
    let (&[first, second, inputs], &[_, hidden]) = (context.input_shape(0)?, context.input_shape(RECURRENT)?) else {
        return Err(context.fault("operands of other ranks", "rank 3: batch, time, features; weights of rank 2"));
    };
    let (batch, steps) = if order.time_first { (second, first) } else { (first, second) };
    let (operands, results) = (vec![context.input(0)?], context.node.outputs[1..].to_vec());
    let layer = Layer { context, cell, order, batch, steps, inputs, hidden, operands, results };
    if context.is_real(0) { layer.real() } else { layer.quantised() }
}

impl Layer<'_, '_> {
    /// Copies the state that operand `index` gives to output `output` of the call, or real 0 where it is left out.
    fn start(&mut self, index: usize, output: usize, zero: i32) -> Result<Body, Problem> {
        let (context, id) = (self.context, self.results[output]);
        let (element, length) = (context.tensor(id).element, context.tensor(id).len());
        // Exporters write zeros where nothing is given.
        let is_zero = |id: TensorId| {
            context.tensor(id).data.as_ref().is_some_and(|data| zero == 0 && data.bytes().iter().all(|&byte| byte == 0))
        };
        let (from, stride) = match context.optional_input(index).filter(|&id| !is_zero(id)) {
            Some(given) => {
                context.element(given, &[element])?;
                (given, 1)
            }
            None => {
                let bytes = zero.to_le_bytes()[..element.bits() / 8].to_vec();
                (context.constant_tensor(id, element, vec![1], bytes), 0)
            }
        };
        self.operands.push(from);
        let input = self.operands.len() - 1;
        let (mut lengths, mut from, mut to) = ([1; RANK], [0; RANK], [1; RANK]);
        (lengths[RANK - 1], from[RANK - 1], to[RANK - 1]) = (length, stride, 1);
        let from = Walk { length: if stride == 0 { 1 } else { length }, start: 0, strides: from };
        let to = Walk { length, start: 0, strides: to };
        Ok(typed!(context, element, T: I8 I16 F32 => {
            call!(copy(&StridedCopy::new(lengths, from, to); input<T>(input), output<T>(output)))
        }))
    }

    /// Output 0 as an output of the call, if anything reads it.
    fn sequence(&mut self) -> Result<Option<usize>, Problem> {
        let (net, id) = (self.context.net, self.context.output(0)?);
        let is_read = net.outputs.contains(&id) || net.nodes.iter().any(|node| node.inputs.contains(&Some(id)));
        if is_read {
            self.results.push(id);
        }
        Ok(is_read.then_some(self.results.len() - 1))
    }

    /// The call of these bodies.
    fn finish(self, bodies: Vec<Body>, scratch: usize, portable: Option<&'static str>) -> Result<Lowered, Problem> {
        let Self { cell, batch, steps, inputs, hidden, .. } = self;
        let name = match cell {
            RecurrentCell::Tanh => "tanh",
            RecurrentCell::Relu => "relu",
            RecurrentCell::Gru { reset: Reset::After } => "GRU",
            RecurrentCell::Gru { reset: Reset::Before } => "GRU, reset before",
            RecurrentCell::Lstm => "LSTM",
        };
        let reversed = if self.order.reversed { ", reversed" } else { "" };
        let label = format!("{name} {inputs}->{hidden}, {steps} steps{reversed}");
        let macs = (cell.gates() * hidden * (inputs + hidden) * batch * steps) as u64;
        let call = self.context.call_to(&self.operands, &self.results, Body::sequence(bodies))?;
        Ok(call.macs(macs).scratch(scratch).label(label).portable(portable).into())
    }

    fn real(mut self) -> Result<Lowered, Problem> {
        let Self { context, cell, order, steps, inputs, hidden, .. } = self;
        context.element(context.output(0)?, &[Element::F32])?;
        // The cell's parameters: weights of all gates, recurrent ones, biases.
        let mut parameters = context.reals(WEIGHTS, "weights")?;
        parameters.extend(context.reals(RECURRENT, "recurrent weights")?);
        let rows = cell.gates() * hidden;
        let vector = |index: usize| match context.optional_input(index) {
            Some(_) => context.reals(index, "a bias"),
            None => Ok(vec![0.0; rows]),
        };
        let (bias, recurrent) = (vector(BIAS)?, vector(RECURRENT_BIAS)?);
        // Behind the reset, the recurrent bias of a GRU's candidate stands by itself.
        let apart = if cell == (RecurrentCell::Gru { reset: Reset::After }) { 2 * hidden } else { rows };
        parameters.extend(bias.iter().zip(&recurrent).take(apart).map(|(bias, recurrent)| bias + recurrent));
        parameters.extend([&bias[apart..], &recurrent[apart..]].concat());

        let mut bodies = vec![self.start(HIDDEN, 0, 0)?];
        if cell == RecurrentCell::Lstm {
            bodies.push(self.start(CELL, 1, 0)?);
        }
        let sequence = self.sequence()?;
        let scratch = self.results.len();
        macro_rules! layer {
            ($kind:ident) => {{
                let layer = context.shape(float::rnn::RecurrentLayer::$kind(inputs, hidden, steps, order))?;
                self.results.push(context.temporary(Element::F32, vec![layer.scratch()], None));
                call!(float::rnn::recurrent_batch(
                    &float::rnn::RecurrentLayer::$kind(inputs, hidden, steps, order), parameters;
                    output<f32>(0), input<f32>(0), some_output<f32>(sequence), output<f32>(scratch)
                ))
            }};
        }
        bodies.push(match cell {
            RecurrentCell::Tanh => layer!(rnn_tanh),
            RecurrentCell::Relu => layer!(rnn_relu),
            RecurrentCell::Gru { reset: Reset::After } => layer!(gru_reset_after),
            RecurrentCell::Gru { reset: Reset::Before } => layer!(gru_reset_before),
            RecurrentCell::Lstm => {
                let clip = 0.0_f32;
                let layer = context.shape(float::rnn::LstmLayer::new(inputs, hidden, steps, order, clip))?;
                self.results.push(context.temporary(Element::F32, vec![layer.scratch()], None));
                call!(float::rnn::lstm_batch(
                    &float::rnn::LstmLayer::new(inputs, hidden, steps, order, clip), parameters;
                    output<f32>(0), output<f32>(1), input<f32>(0), some_output<f32>(sequence), output<f32>(scratch)
                ))
            }
        });
        self.finish(bodies, 0, None)
    }

    fn quantised(mut self) -> Result<Lowered, Problem> {
        let Self { context, cell, order, steps, hidden, .. } = self;
        let x = context.quantised_input(0, &[Element::I8])?;
        let output = context.quantised_output(0, &[Element::I8])?;
        let backend = context.backend;
        let rows = cell.gates() * hidden;
        if cell == RecurrentCell::Lstm {
            let h = context.quantised_output(1, &[Element::I8])?;
            let c = context.quantised_output(2, &[Element::I16])?;
            context.same_quantisation(&h, &output)?;
            for (index, state) in [(HIDDEN, &h), (CELL, &c)] {
                if context.optional_input(index).is_some() {
                    let given = context.quantised_input(index, &[state.tensor.element])?;
                    context.same_quantisation(state, &given)?;
                }
            }
            let (y, scale_log2) = (h.affine(), power_of_two(context, &c)?);
            let input = self.rows(WEIGHTS, BIAS, x.affine(), 0..rows)?;
            let recurrent = self.rows(RECURRENT, RECURRENT_BIAS, y, 0..rows)?;
            let scratch = rows + input.scratch_words().max(recurrent.scratch_words());
            let portable = input.why_portable(backend).or(recurrent.why_portable(backend));
            let mut bodies = vec![self.start(HIDDEN, 0, h.zero_point)?, self.start(CELL, 1, 0)?];
            let (sequence, clip) = (self.sequence()?, 0.0_f32);
            bodies.push(call!(rnn::lstm::lstm_batch(
                &rnn::lstm::Lstm::new(steps, input, recurrent, scale_log2, clip, y), order;
                output(0), output(1), input(0), some_output(sequence), scratch
            )));
            return self.finish(bodies, scratch, portable);
        }
        let state = context.quantised_output(1, &[Element::I16])?;
        context.fixed_quantisation(&output, 1.0 / 128.0, 0)?;
        context.fixed_quantisation(&state, 1.0 / 32768.0, 0)?;
        if context.optional_input(HIDDEN).is_some() {
            let given = context.quantised_input(HIDDEN, &[Element::I16])?;
            context.same_quantisation(&state, &given)?;
        }
        let mut bodies = vec![self.start(HIDDEN, 0, 0)?];
        let sequence = self.sequence()?;
        let input = self.rows(WEIGHTS, BIAS, x.affine(), 0..rows)?;
        let layers = match cell {
            RecurrentCell::Gru { reset: Reset::Before } => {
                let gates = self.rows(RECURRENT, RECURRENT_BIAS, output.affine(), 0..2 * hidden)?;
                Recurrent::Before {
                    gates,
                    candidate: self.rows(RECURRENT, RECURRENT_BIAS, output.affine(), 2 * hidden..rows)?,
                }
            }
            _ => Recurrent::After(self.rows(RECURRENT, RECURRENT_BIAS, output.affine(), 0..rows)?),
        };
        let portable = input.why_portable(backend).or(layers.why_portable(context));
        // Two vectors of gates in int16, the state in int8, and what the products take.
        let scratch = rows + hidden.div_ceil(4) + input.scratch_words().max(layers.scratch_words());
        bodies.push(match (cell, layers) {
            (RecurrentCell::Gru { .. }, layers) => call!(rnn::recurrent_batch(
                &rnn::gru::Gru::new(steps, input, layers), order;
                output(0), input(0), some_output(sequence), scratch
            )),
            (RecurrentCell::Tanh, Recurrent::After(recurrent)) => call!(rnn::recurrent_batch(
                &rnn::simple::SimpleRnn::new(steps, input, recurrent), order;
                output(0), input(0), some_output(sequence), scratch
            )),
            _ => {
                let supported = "tanh, whose results have a bound, or the layer in FLOAT32";
                return Err(context.fault("a simple RNN of integers with relu", supported));
            }
        });
        self.finish(bodies, scratch, portable)
    }

    /// Rows of the weights at operand `weights` with their biases at operand `biases`, packed, for products in Q3.12.
    fn rows(
        &self,
        weights: usize,
        biases: usize,
        input: Affine,
        rows: std::ops::Range<usize>,
    ) -> Result<PackedToInt16, Problem> {
        let Self { context, cell, hidden, .. } = self;
        let id = context.input(weights)?;
        context.element(id, &[Element::I8])?;
        let tensor = context.tensor(id);
        let bytes = context.constant(id, "weights")?;
        let all = cell.gates() * hidden;
        let width = tensor.len() / all;
        let Some(quantisation) = &tensor.quantisation else {
            return Err(context.tensor_fault(id, "weights without scale", "one scale for all weights, or one per row"));
        };
        let scales = match &quantisation.scales[..] {
            &[scale] => vec![scale; all],
            scales if scales.len() == all && quantisation.dimension == 0 => scales.to_vec(),
            scales => {
                let found = format!("{} scales along dimension {}", scales.len(), quantisation.dimension);
                return Err(context.tensor_fault(id, found, "one scale for all weights, or one per row"));
            }
        };
        if let Some(point) = quantisation.zero_points.iter().find(|&&point| point != 0) {
            let found = format!("weights with zero point {point}");
            return Err(context.tensor_fault(id, found, "symmetric weights, zero point 0"));
        }
        let values: Vec<i8> = bytes[rows.start * width..rows.end * width].iter().map(|&byte| byte as i8).collect();
        let bias = match context.optional_input(biases) {
            Some(_) => bias(context, biases, all)?[rows.clone()].to_vec(),
            None => Vec::new(),
        };
        let multiplier = |&scale: &f32| context.multiplier(f64::from(input.scale) * f64::from(scale) * 4096.0);
        let multipliers = scales[rows.clone()].iter().map(multiplier).collect::<Result<Vec<_>, _>>()?;
        let (bias, multipliers) = (&bias[..], &multipliers[..]);
        let weights = Weights { values: &values, bias, multipliers, input_zero_point: input.zero_point };
        context.shape(PackedToInt16::new(context.backend, width, rows.len(), &weights))
    }
}

/// The layers on the state, those of a GRU by where its reset gate acts; as an argument, a GRU's.
#[derive(Debug)]
enum Recurrent {
    After(PackedToInt16),
    Before { gates: PackedToInt16, candidate: PackedToInt16 },
}

impl Recurrent {
    fn layers(&self) -> impl Iterator<Item = &PackedToInt16> {
        match self {
            Recurrent::After(layer) => [Some(layer), None],
            Recurrent::Before { gates, candidate } => [Some(gates), Some(candidate)],
        }
        .into_iter()
        .flatten()
    }

    fn scratch_words(&self) -> usize {
        self.layers().map(PackedToInt16::scratch_words).max().unwrap_or(0)
    }

    fn why_portable(&self, context: &Context<'_>) -> Option<&'static str> {
        self.layers().find_map(|layer| layer.why_portable(context.backend))
    }
}

impl Argument for Recurrent {
    type Value<'a> = GruRecurrent<'a>;

    fn value(&self) -> Result<GruRecurrent<'_>, smolnn_core::ShapeError> {
        Ok(match self {
            Recurrent::After(layer) => GruRecurrent::After(layer.value()?),
            Recurrent::Before { gates, candidate } => {
                GruRecurrent::Before { gates: gates.value()?, candidate: candidate.value()? }
            }
        })
    }

    fn text(&self, source: &mut Source) -> String {
        match self {
            Recurrent::After(layer) => format!("rnn::gru::GruRecurrent::After({})", layer.text(source)),
            Recurrent::Before { gates, candidate } => {
                let (gates, candidate) = (gates.text(source), candidate.text(source));
                format!("rnn::gru::GruRecurrent::Before {{ gates: {gates}, candidate: {candidate} }}")
            }
        }
    }

    fn bytes(&self) -> usize {
        self.layers().map(Argument::bytes).sum()
    }

    fn runs_here(&self) -> bool {
        self.layers().all(Argument::runs_here)
    }
}

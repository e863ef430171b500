//! UNIDIRECTIONAL_SEQUENCE_LSTM, int8, int16 and f32, and SVDF, int8 and f32, with their states as variable tensors.

use smolnn_core::{DenseShape, SequenceOrder};
use smolnn_fixed::quantise::OutputRange;
use smolnn_fixed::{Weights, rnn};
use smolnn_float as float;

use super::Lowered;
use super::call::{call, made};
use super::context::{Context, Quantised, activation_label, bounds};
use super::weights::{
    OwnedDenseInt16, OwnedInt16, PackedToInt16, bias, bias_int64, check_size, largest_bias, matrix, power_of_two,
};
use crate::error::Problem;
use crate::net::{Activation, Element};

/// Operands of an LSTM: the first of four where they belong to the gates i, f, c, o.
const WEIGHTS: usize = 1;
const RECURRENT: usize = 5;
const BIAS: usize = 9;
const HIDDEN: usize = 13;
const CELL: usize = 14;
const GATES: usize = 4;

pub(super) fn lstm_call(context: &Context<'_>, time_major: bool, cell_clip: f32) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real_lstm_call(context, time_major, cell_clip);
    }
    let x = context.quantised_input(0, &[Element::I8, Element::I16])?;
    let element = x.tensor.element;
    let &[first, second, inputs] = x.shape() else {
        return Err(context.tensor_fault(x.id, format!("shape {:?}", x.shape()), "rank 3: batch, time, features"));
    };
    let (batch, steps) = if time_major { (second, first) } else { (first, second) };
    let h = context.quantised(context.variable(HIDDEN)?, &[element])?;
    let c = context.quantised(context.variable(CELL)?, &[Element::I16])?;
    if h.id == c.id {
        return Err(context.tensor_fault(h.id, "one tensor as both states", "a tensor for each state"));
    }
    let hidden = h.tensor.len() / batch;
    let cell_scale_log2 = power_of_two(context, &c)?;
    let output = context.output(0)?;
    // The output is the sequence of states, whatever scale it names.
    context.element(output, &[element])?;
    let y = h.affine();

    let (gates, output) = (Gates { context, hidden }, Some(0));
    let order = SequenceOrder { time_first: time_major, reversed: false };
    let products = hidden * GATES * (inputs + hidden) * batch * steps;
    let backend = context.backend;
    let (body, scratch, portable) = if element == Element::I16 {
        let mut biases = Vec::new();
        for gate in 0..GATES {
            let bias = bias_int64(context, BIAS + gate, hidden)?;
            check_size(context, BIAS + gate, &bias, largest_bias(inputs))?;
            biases.extend(bias);
        }
        let input = gates.int16(WEIGHTS, inputs, x.scale, biases)?;
        let recurrent = gates.int16(RECURRENT, hidden, h.scale, Vec::new())?;
        let portable = input.why_portable(backend).or(recurrent.why_portable(backend));
        let body = call!(rnn::lstm::lstm_batch(
            &rnn::lstm::Lstm::new_int16(steps, input, recurrent, cell_scale_log2, cell_clip, y), order;
            state(0), state(1), input(0), some_output(output), scratch
        ));
        (body, 0, portable)
    } else {
        let mut biases = Vec::new();
        for gate in 0..GATES {
            biases.extend(bias(context, BIAS + gate, hidden)?);
        }
        let input = gates.int8(WEIGHTS, inputs, &x, &biases)?;
        let recurrent = gates.int8(RECURRENT, hidden, &h, &[])?;
        let scratch = input.scratch_words().max(recurrent.scratch_words());
        let portable = input.why_portable(backend).or(recurrent.why_portable(backend));
        let body = call!(rnn::lstm::lstm_batch(
            &rnn::lstm::Lstm::new(steps, input, recurrent, cell_scale_log2, cell_clip, y), order;
            state(0), state(1), input(0), some_output(output), scratch
        ));
        (body, scratch, portable)
    };
    // Two vectors of gates in int16, and what the layers take.
    let scratch = GATES * hidden + scratch;
    let label = format!("{inputs}->{hidden}, {steps} steps");
    let call = context.call(&[x.id], body)?.states(&[h.id, c.id]);
    Ok(call.macs(products as u64).scratch(scratch).label(label).portable(portable).into())
}

/// The LSTM of real numbers.
fn real_lstm_call(context: &Context<'_>, time_major: bool, cell_clip: f32) -> Result<Lowered, Problem> {
    let (x, shape) = context.real(0)?;
    let &[first, second, inputs] = shape else {
        return Err(context.tensor_fault(x, format!("shape {shape:?}"), "rank 3: batch, time, features"));
    };
    let (batch, steps) = if time_major { (second, first) } else { (first, second) };
    let (h, c) = (context.variable(HIDDEN)?, context.variable(CELL)?);
    for state in [h, c] {
        context.element(state, &[Element::F32])?;
    }
    if h == c {
        return Err(context.tensor_fault(h, "one tensor as both states", "a tensor for each state"));
    }
    let hidden = context.tensor(h).len() / batch;
    // The cell's parameters: weights of all gates, recurrent ones, biases.
    let mut parameters = Vec::new();
    for (first, width, role) in [(WEIGHTS, inputs, "weights"), (RECURRENT, hidden, "weights"), (BIAS, 1, "bias")] {
        for gate in first..first + GATES {
            context.real_vector(gate, hidden * width)?;
            parameters.extend(context.reals(gate, role)?);
        }
    }
    let (order, output) = (SequenceOrder { time_first: time_major, reversed: false }, Some(0));
    let layer = context.shape(float::rnn::LstmLayer::new(inputs, hidden, steps, order, cell_clip))?;
    let scratch = context.temporary(Element::F32, vec![layer.scratch()], None);
    let body = call!(float::rnn::lstm_batch(
        &float::rnn::LstmLayer::new(inputs, hidden, steps, order, cell_clip), parameters;
        state<f32>(0), state<f32>(1), input<f32>(0), some_output<f32>(output), output<f32>(1)
    ));
    let macs = (hidden * GATES * (inputs + hidden) * batch * steps) as u64;
    let label = format!("{inputs}->{hidden}, {steps} steps");
    let call = context.call_to(&[x], &[context.output(0)?, scratch], body)?.states(&[h, c]);
    Ok(call.macs(macs).label(label).into())
}

/// The products of the gates i, f, c, o with input or state, in Q3.12.
struct Gates<'c, 'a> {
    context: &'c Context<'a>,
    hidden: usize,
}

impl Gates<'_, '_> {
    /// Weights and multipliers of all gates, one behind the other.
    fn gather(
        &self,
        first: usize,
        width: usize,
        scale: f32,
    ) -> Result<(Vec<i8>, Vec<smolnn_fixed::quantise::Multiplier>), Problem> {
        let (mut values, mut multipliers) = (Vec::new(), Vec::new());
        for gate in 0..GATES {
            let (weights, weight_scale) = matrix(self.context, first + gate, &[self.hidden, width])?;
            values.extend(weights);
            let multiplier = self.context.multiplier(f64::from(scale) * f64::from(weight_scale) * 4096.0)?;
            multipliers.extend(vec![multiplier; self.hidden]);
        }
        Ok((values, multipliers))
    }

    fn int8(&self, first: usize, width: usize, x: &Quantised<'_>, bias: &[i32]) -> Result<PackedToInt16, Problem> {
        let (values, multipliers) = self.gather(first, width, x.scale)?;
        let weights = Weights { values: &values, bias, multipliers: &multipliers, input_zero_point: x.zero_point };
        let Self { context, hidden } = self;
        context.shape(PackedToInt16::new(context.backend, width, GATES * hidden, &weights))
    }

    fn int16(&self, first: usize, width: usize, scale: f32, bias: Vec<i64>) -> Result<OwnedDenseInt16, Problem> {
        let (values, multipliers) = self.gather(first, width, scale)?;
        let weights = OwnedInt16::new(self.context, values, bias, multipliers)?;
        let outputs = GATES * self.hidden;
        let shape = self.context.shape(made!(DenseShape::new(1_usize, width, outputs)))?;
        Ok(OwnedDenseInt16::new(shape, weights, OutputRange::int16()))
    }
}

pub(super) fn svdf_call(context: &Context<'_>, rank: usize, activation: Activation) -> Result<Lowered, Problem> {
    if context.is_real(0) {
        return real_svdf_call(context, rank, activation);
    }
    let x = context.quantised_input(0, &[Element::I8])?;
    let state = context.quantised(context.variable(4)?, &[Element::I8, Element::I16])?;
    // Zero points of weights do not count.
    let time = context.affine(context.input(2)?, &[state.tensor.element])?;
    let bytes = context.constant(time.id, "time weights")?;
    let (&[batch, inputs], &[count, memory]) = (x.shape(), time.shape()) else {
        return Err(context.fault("operands of other ranks", "rank 2: batch and features, features and memory"));
    };
    let zero_point = state.zero_point;
    let units = count / rank;
    let output = context.quantised_output(0, &[Element::I8])?;
    let biases = if context.optional_input(3).is_some() { bias(context, 3, units)? } else { Vec::new() };
    let weights = context.affine(context.input(1)?, &[Element::I8])?;
    let (bytes_of_weights, scale) = (context.constant(weights.id, "weights")?, weights.scale);
    let values: Vec<i8> = bytes_of_weights.iter().map(|&byte| byte as i8).collect();
    let factor = |left: f32, right: f32, output: f32| f64::from(left) * f64::from(right) / f64::from(output);
    let first = context.multiplier(factor(x.scale, scale, state.scale))?;
    let multiplier = context.multiplier(factor(state.scale, time.scale, output.scale))?;
    let weights = Weights { values: &values, bias: &[], multipliers: &[first], input_zero_point: x.zero_point };
    let features = context.shape(PackedToInt16::new(context.backend, inputs, count, &weights))?;
    let scratch = count.div_ceil(2) + features.scratch_words();
    let portable = features.why_portable(context.backend);
    let macs = batch as u64 * (features.shape.macs() + (count * memory) as u64);
    // The reference does not apply the fused activation.
    let range = OutputRange::int8(output.zero_point);
    let body = if state.tensor.element == Element::I8 {
        let time: Vec<i8> = bytes.iter().map(|&byte| byte as i8).collect();
        call!(rnn::svdf::step_batch(
            &rnn::svdf::Svdf::new(features, time, biases, memory, rank, multiplier, range, zero_point);
            state(0), input(0), output(0), scratch
        ))
    } else {
        let time: Vec<i16> = bytes.as_chunks().0.iter().map(|&bytes| i16::from_le_bytes(bytes)).collect();
        call!(rnn::svdf::step_batch(
            &rnn::svdf::Svdf::new(features, time, biases, memory, rank, multiplier, range, zero_point);
            state(0), input(0), output(0), scratch
        ))
    };
    let label = format!("{inputs}->{units}, rank {rank}, memory {memory}");
    let call = context.call(&[x.id], body)?.states(&[state.id]);
    Ok(call.macs(macs).scratch(scratch).label(label).portable(portable).into())
}

/// The SVDF of real numbers.
fn real_svdf_call(context: &Context<'_>, rank: usize, activation: Activation) -> Result<Lowered, Problem> {
    let ((x, shape), (_, of_time)) = (context.real(0)?, context.real(2)?);
    let state = context.variable(4)?;
    context.element(state, &[Element::F32])?;
    let (&[batch, inputs], &[count, memory]) = (shape, of_time) else {
        return Err(context.fault("operands of other ranks", "rank 2: batch and features, features and memory"));
    };
    let units = count / rank;
    let (feature, time) = (context.reals(1, "weights")?, context.reals(2, "time weights")?);
    let (bias, bounds) = (context.real_bias(3, units)?, bounds(activation));
    let body = call!(float::rnn::svdf_batch(
        &float::rnn::Svdf::new(inputs, units, rank, memory), feature, time, bias, bounds;
        state<f32>(0), input<f32>(0), output<f32>(0)
    ));
    let label = format!("{inputs}->{units}, rank {rank}, memory {memory}{}", activation_label(activation));
    let macs = (batch * count * (inputs + memory)) as u64;
    Ok(context.call(&[x], body)?.states(&[state]).macs(macs).label(label).into())
}

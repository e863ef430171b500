//! UNIDIRECTIONAL_SEQUENCE_LSTM, int8 and int16, and SVDF, int8, with their states as variable tensors.

use smolnn_core::{DenseShape, ShapeError};
use smolnn_fixed::dense::DenseToInt16;
use smolnn_fixed::quantise::{Affine, Multiplier, OutputRange};
use smolnn_fixed::rnn::{lstm, svdf};
use smolnn_fixed::{Backend, Weights};
use smolnn_fixed::{arena, pack};

use super::conv::PackedLayer;
use super::wide::{DenseKernel16, WideLayer};
use super::{Check, Definition, Kernel, Lowered, Quantised, affine_text, range_text};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "UNIDIRECTIONAL_SEQUENCE_LSTM", versions: 1..=4, lower: lstm_step },
    Definition { name: "SVDF", versions: 1..=4, lower: svdf_step },
];

/// A dense layer from int8 to int16, packed.
#[derive(Debug)]
struct Wide {
    shape: DenseShape,
    layer: PackedLayer,
}

impl Wide {
    fn new(backend: Backend, inputs: usize, outputs: usize, weights: &Weights<'_>) -> Result<Self, ShapeError> {
        let shape = DenseShape::new(1, inputs, outputs)?;
        let layer = PackedLayer::new(pack::dense_to_int16_words(backend, &shape), outputs, |words, channels| {
            pack::dense_to_int16(backend, &shape, weights, words, channels)
        })?;
        Ok(Self { shape, layer })
    }

    fn scratch_words(&self) -> usize {
        pack::dense_to_int16_needs(self.layer.packed.layout, &self.shape).scratch
    }

    fn layer(&self) -> Result<DenseToInt16<'_>, ShapeError> {
        DenseToInt16::new(self.shape, &self.layer.words, &self.layer.channels, self.layer.packed.layout)
    }

    fn text(&self, source: &mut Source, key: &str) -> String {
        let shape = format!("DenseShape::new(1, {}, {})", self.shape.inputs(), self.shape.outputs());
        format!("shape!(DenseToInt16::new({}))", self.layer.text(source, &key, &shape))
    }
}

/// Inputs of the operator, by their meaning.
mod input {
    /// W of the gates i, f, c, o.
    pub const WEIGHTS: usize = 1;
    /// R of the gates.
    pub const RECURRENT: usize = 5;
    /// What is not supported, by first and last input.
    pub const LEFT_OUT: [(usize, usize, &str); 3] =
        [(9, 11, "peephole connections"), (16, 17, "a projection"), (20, 23, "layer normalisation")];
    /// Biases of the gates.
    pub const BIAS: usize = 12;
    /// The state h, which is the output.
    pub const HIDDEN: usize = 18;
    /// The state c.
    pub const CELL: usize = 19;
}

/// The products of the gates i, f, c, o with input and state.
#[derive(Debug)]
enum Gates {
    I8 { input: Wide, recurrent: Wide },
    I16 { input: DenseKernel16, recurrent: DenseKernel16 },
}

#[derive(Debug)]
struct LstmKernel {
    gates: Gates,
    batch: usize,
    steps: usize,
    time_first: bool,
    cell_scale_log2: i32,
    cell_clip: f32,
    output: Affine,
}

fn lstm_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(20..=24, 1)?;
    let Options::UnidirectionalSequenceLstm(options) = check.operator.options else { return Err(check.no_options()) };
    const TANH: i8 = 4;
    if options.activation != TANH {
        return Err(check.fault(format!("fused activation {}", options.activation), "TANH"));
    }
    if options.diagonal_recurrent_tensors {
        return Err(check.fault("diagonal recurrent tensors", "full recurrent weights"));
    }
    for (first, last, what) in input::LEFT_OUT {
        if let Some(id) = (first..=last).find_map(|index| check.optional_input(index)) {
            return Err(check.tensor_fault(id, what, "an LSTM without peephole, projection, layer normalisation"));
        }
    }
    if check.optional_input(input::WEIGHTS).is_none() {
        return Err(check.fault("coupled input and forget gates", "an LSTM with four gates"));
    }
    let x = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let element = x.tensor.element;
    let &[first, second, inputs] = x.shape() else {
        return Err(check.tensor_fault(x.id, format!("shape {:?}", x.shape()), "rank 3: batch, time, features"));
    };
    let (batch, steps) = if options.time_major { (second, first) } else { (first, second) };
    let h = check.quantised(check.variable(input::HIDDEN)?, &[element])?;
    let c = check.quantised(check.variable(input::CELL)?, &[Element::I16])?;
    let hidden = h.tensor.len() / batch;
    for (state, what) in [(&h, "h"), (&c, "c")] {
        if state.shape() != [batch, hidden] {
            let found = format!("state {what} of shape {:?}", state.shape());
            return Err(check.tensor_fault(state.id, found, &format!("shape [{batch}, {hidden}]")));
        }
    }
    let cell_scale_log2 = (c.scale.to_bits() >> 23) as i32 - 127;
    if c.scale.to_bits() & 0x007F_FFFF != 0 || !(-15..=0).contains(&cell_scale_log2) {
        let supported = "a cell whose scale is a power of two, 2^-15 to 1";
        return Err(check.tensor_fault(c.id, format!("scale {}", c.scale), supported));
    }
    if !(0.0..=65536.0).contains(&options.cell_clip) {
        return Err(check.fault(format!("cell clip {}", options.cell_clip), "0 (none) and above"));
    }
    let output = check.quantised_output(0, &[element])?;
    check.same_quantisation(&h, &output)?;
    check.output_shape(0, &[first, second, hidden])?;

    // Gates in Q3.12; the product of the scales is rounded to f32, as the reference does.
    let factor = |scale: f32, weight: f32| check.multiplier(f64::from(scale * weight) * 4096.0);
    let gather = |first: usize, width: usize, scale: f32| {
        let (mut values, mut multipliers) = (Vec::new(), Vec::new());
        for gate in 0..4 {
            let (weights, weight_scale) = check.weights(first + gate, &[hidden, width])?;
            values.extend(weights);
            multipliers.extend(vec![factor(scale, weight_scale)?; hidden]);
        }
        Ok((values, multipliers))
    };
    let gates = if element == Element::I16 {
        let mut bias = Vec::new();
        for gate in 0..4 {
            bias.extend(check.wide_bias(input::BIAS + gate, hidden)?);
        }
        let dense = |first: usize, width: usize, scale: f32, bias: Vec<i64>| {
            let (values, multipliers) = gather(first, width, scale)?;
            let layer = WideLayer::with_bias(check, values, bias, multipliers)?;
            let shape = check.shape(DenseShape::new(1, width, 4 * hidden))?;
            Ok(DenseKernel16::new(shape, layer, OutputRange::int16()))
        };
        Gates::I16 {
            input: dense(input::WEIGHTS, inputs, x.scale, bias)?,
            recurrent: dense(input::RECURRENT, hidden, h.scale, Vec::new())?,
        }
    } else {
        let mut bias = Vec::new();
        for gate in 0..4 {
            bias.extend(check.bias(input::BIAS + gate, hidden)?);
        }
        let dense = |first: usize, width: usize, x: &Quantised<'_>, bias: &[i32]| {
            let (values, multipliers) = gather(first, width, x.scale)?;
            let weights = Weights { values: &values, bias, multipliers: &multipliers, input_zero_point: x.zero_point };
            check.shape(Wide::new(check.backend, width, 4 * hidden, &weights))
        };
        Gates::I8 {
            input: dense(input::WEIGHTS, inputs, &x, &bias)?,
            recurrent: dense(input::RECURRENT, hidden, &h, &[])?,
        }
    };
    let kernel = LstmKernel {
        gates,
        batch,
        steps,
        time_first: options.time_major,
        cell_scale_log2,
        cell_clip: options.cell_clip,
        output: output.affine(),
    };
    check.shape(match &kernel.gates {
        Gates::I8 { input, recurrent } if check.backend == Backend::CURRENT => {
            kernel.layer(input, recurrent).map(|_| ())
        }
        Gates::I8 { .. } => Ok(()),
        Gates::I16 { input, recurrent } => kernel.layer_int16(input, recurrent).map(|_| ()),
    })?;
    let label = format!("{inputs}->{hidden}, {steps} steps");
    Ok(Lowered::Step { inputs: vec![x.id], states: vec![h.id, c.id], label, kernel: Box::new(kernel) })
}

impl LstmKernel {
    fn layer<'a>(&self, input: &'a Wide, recurrent: &'a Wide) -> Result<lstm::Lstm<'a>, ShapeError> {
        let (input, recurrent) = (input.layer()?, recurrent.layer()?);
        lstm::Lstm::new(self.steps, input, recurrent, self.cell_scale_log2, self.cell_clip, self.output)
    }

    fn layer_int16<'a>(
        &self,
        input: &'a DenseKernel16,
        recurrent: &'a DenseKernel16,
    ) -> Result<lstm::Lstm<'a, i16>, ShapeError> {
        let (input, recurrent) = (input.layer()?, recurrent.layer()?);
        lstm::Lstm::new_int16(self.steps, input, recurrent, self.cell_scale_log2, self.cell_clip, self.output)
    }

    fn run_layer<S: lstm::Activation + arena::Element>(
        &self,
        layer: &lstm::Lstm<'_, S>,
        mut memory: Memory<'_>,
    ) -> Result<(), ShapeError> {
        let (h, c) = (memory.state(0)?, memory.state(1)?);
        let (input, output) = (memory.input(0)?, memory.output(0)?);
        lstm::lstm_batch(layer, self.time_first, h, c, input, output, memory.scratch())
    }
}

impl Kernel for LstmKernel {
    fn macs(&self) -> u64 {
        let (input, recurrent) = match &self.gates {
            Gates::I8 { input, recurrent } => (&input.shape, &recurrent.shape),
            Gates::I16 { input, recurrent } => (&input.shape, &recurrent.shape),
        };
        (input.macs() + recurrent.macs()) as u64 * (self.batch * self.steps) as u64
    }

    fn constant_bytes(&self) -> usize {
        match &self.gates {
            Gates::I8 { input, recurrent } => input.layer.bytes() + recurrent.layer.bytes(),
            Gates::I16 { input, recurrent } => input.constant_bytes() + recurrent.constant_bytes(),
        }
    }

    fn scratch_words(&self) -> usize {
        // Two vectors of gates in int16, and what the layers take.
        match &self.gates {
            Gates::I8 { input, recurrent } => {
                input.shape.outputs() + input.scratch_words().max(recurrent.scratch_words())
            }
            Gates::I16 { input, .. } => input.shape.outputs(),
        }
    }

    fn run(&self, memory: Memory<'_>) -> Result<(), ShapeError> {
        match &self.gates {
            Gates::I8 { input, recurrent } => self.run_layer(&self.layer(input, recurrent)?, memory),
            Gates::I16 { input, recurrent } => self.run_layer(&self.layer_int16(input, recurrent)?, memory),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let keys = [format!("{}_INPUT", io.step), format!("{}_RECURRENT", io.step)];
        let (kind, constructor, input, recurrent) = match &self.gates {
            Gates::I8 { input, recurrent } => {
                ("", "new", input.text(source, &keys[0]), recurrent.text(source, &keys[1]))
            }
            Gates::I16 { input, recurrent } => {
                let mut text = |layer: &DenseKernel16, key: &str| format!("shape!({})", layer.text(source, &key));
                (", i16", "new_int16", text(input, &keys[0]), text(recurrent, &keys[1]))
            }
        };
        let (steps, log2, clip, output) = (self.steps, self.cell_scale_log2, self.cell_clip, affine_text(&self.output));
        let text = format!("rnn::lstm::Lstm::{constructor}({steps}, {input}, {recurrent}, {log2}, {clip:?}, {output})");
        let layer = source.layer(io.step, &format!("rnn::lstm::Lstm<'static{kind}>"), &text);
        let (h, c, x, y) = (io.state_text(0), io.state_text(1), io.input_text(source, 0), io.output_text(0));
        let (time_first, scratch) = (self.time_first, io.scratch_text());
        format!("rnn::lstm::lstm_batch(&{layer}, {time_first}, {h}, {c}, {x}, {y}, {scratch})")
    }
}

/// Time weights and state of an SVDF share a type.
#[derive(Debug)]
enum TimeWeights {
    I8(Vec<i8>),
    I16(Vec<i16>),
}

#[derive(Debug)]
struct SvdfKernel {
    features: Wide,
    time_weights: TimeWeights,
    bias: Vec<i32>,
    batch: usize,
    memory: usize,
    rank: usize,
    multiplier: Multiplier,
    output: OutputRange,
}

fn svdf_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(5..=5, 1)?;
    let Options::Svdf(options) = check.operator.options else { return Err(check.no_options()) };
    let rank = usize::try_from(options.rank).ok().filter(|&rank| rank > 0);
    let rank = rank.ok_or_else(|| check.fault(format!("rank {}", options.rank), "at least 1"))?;
    let x = check.quantised_input(0, &[Element::I8])?;
    let &[batch, inputs] = x.shape() else {
        return Err(check.tensor_fault(x.id, format!("shape {:?}", x.shape()), "rank 2: batch, features"));
    };
    let state = check.quantised(check.variable(4)?, &[Element::I8, Element::I16])?;
    let time = check.quantised_input(2, &[state.tensor.element])?;
    let bytes = check.constant(time.id, "time weights")?;
    let &[count, memory] = time.shape() else {
        return Err(check.tensor_fault(time.id, format!("shape {:?}", time.shape()), "rank 2: features, memory"));
    };
    if state.shape() != [batch, count * memory] {
        let supported = format!("shape [{batch}, {}]", count * memory);
        return Err(check.tensor_fault(state.id, format!("state of shape {:?}", state.shape()), &supported));
    }
    for tensor in [&state, &time] {
        if tensor.zero_point != 0 {
            let found = format!("zero point {}", tensor.zero_point);
            return Err(check.tensor_fault(tensor.id, found, "zero point 0 in state and time weights"));
        }
    }
    if count % rank != 0 {
        return Err(check.fault(format!("rank {rank} of {count} features"), "a rank that divides the features"));
    }
    let units = count / rank;
    let output = check.quantised_output(0, &[Element::I8])?;
    check.output_shape(0, &[batch, units])?;
    let bias = if check.optional_input(3).is_some() { check.bias(3, units)? } else { Vec::new() };
    let (values, scale) = check.weights(1, &[count, inputs])?;
    // Products and quotients in f32, as the reference has them.
    let first = check.multiplier(f64::from(x.scale * scale / state.scale))?;
    let weights = Weights { values: &values, bias: &[], multipliers: &[first], input_zero_point: x.zero_point };
    let time_weights = match state.tensor.element {
        Element::I8 => TimeWeights::I8(bytes.iter().map(|&byte| byte as i8).collect()),
        _ => TimeWeights::I16(bytes.as_chunks().0.iter().map(|&bytes| i16::from_le_bytes(bytes)).collect()),
    };
    let kernel = SvdfKernel {
        features: check.shape(Wide::new(check.backend, inputs, count, &weights))?,
        time_weights,
        bias,
        batch,
        memory,
        rank,
        multiplier: check.multiplier(f64::from(state.scale * time.scale / output.scale))?,
        // The reference does not apply the fused activation.
        output: OutputRange::int8(output.zero_point),
    };
    let label = format!("{inputs}->{units}, rank {rank}, memory {memory}");
    Ok(Lowered::Step { inputs: vec![x.id], states: vec![state.id], label, kernel: Box::new(kernel) })
}

impl SvdfKernel {
    fn layer<'a, S: smolnn_fixed::Element>(&'a self, weights: &'a [S]) -> Result<svdf::Svdf<'a, S>, ShapeError> {
        let Self { bias, memory, rank, multiplier, output, .. } = self;
        svdf::Svdf::new(self.features.layer()?, weights, bias, *memory, *rank, *multiplier, *output)
    }
}

impl Kernel for SvdfKernel {
    fn macs(&self) -> u64 {
        let shape = &self.features.shape;
        self.batch as u64 * (shape.macs() as u64 + (shape.outputs() * self.memory) as u64)
    }

    fn constant_bytes(&self) -> usize {
        let time = match &self.time_weights {
            TimeWeights::I8(weights) => size_of_val(&weights[..]),
            TimeWeights::I16(weights) => size_of_val(&weights[..]),
        };
        self.features.layer.bytes() + time + size_of_val(&self.bias[..])
    }

    fn scratch_words(&self) -> usize {
        self.features.shape.outputs().div_ceil(2) + self.features.scratch_words()
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let (input, output, scratch) = (memory.input(0)?, memory.output(0)?, memory.scratch());
        match &self.time_weights {
            TimeWeights::I8(weights) => {
                svdf::step_batch(&self.layer(weights)?, memory.state(0)?, input, output, scratch)
            }
            TimeWeights::I16(weights) => {
                svdf::step_batch(&self.layer(weights)?, memory.state(0)?, input, output, scratch)
            }
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let features = self.features.text(source, &io.step.to_string());
        let (kind, time) = match &self.time_weights {
            TimeWeights::I8(weights) => ("i8", source.numbers(&format!("TIME_{}", io.step), "i8", weights)),
            TimeWeights::I16(weights) => ("i16", source.numbers(&format!("TIME_{}", io.step), "i16", weights)),
        };
        let bias = source.numbers(&format!("BIAS_{}", io.step), "i32", &self.bias);
        let Multiplier { mantissa, shift } = self.multiplier;
        let multiplier = format!("Multiplier {{ mantissa: {mantissa}, shift: {shift} }}");
        let (memory, rank, output) = (self.memory, self.rank, range_text(&self.output));
        let text =
            format!("rnn::svdf::Svdf::new({features}, &{time}, &{bias}, {memory}, {rank}, {multiplier}, {output})");
        let layer = source.layer(io.step, &format!("rnn::svdf::Svdf<'static, {kind}>"), &text);
        let (state, x, y) = (io.state_text(0), io.input_text(source, 0), io.output_text(0));
        format!("rnn::svdf::step_batch(&{layer}, {state}, {x}, {y}, {})", io.scratch_text())
    }
}

//! Runs float and integer nets over calibration data, with the kernels that the firmware uses: finds the ranges of all tensors, tries the ways of
//! quantising, and measures what each layer costs.

use std::collections::HashMap;

use smolnn_fixed::Backend;
use smolnn_fixed::quantise::Affine;

use crate::error::{Error, Problem, Result};
use crate::labels::{Labels, Scoring};
use crate::lower::lower;
use crate::net::{Constant, Element, Net, Node, Operator, Quantisation, Tensor, TensorId, UnaryKind, View};
use crate::plan::{Aim, Core, Program, plan};
use crate::quantise::{
    Converted, Decisions, IntegerRows, Moments, Numbers, Observed, QuantisationReport, QuantisedLayer, RangeMethod,
    Samples, Scheme, Trial, Variant, bias_corrections, convert, equalise, prepare, quantised, reals, scheme,
};
use crate::run::Runner;

/// Samples over which ways of quantising are compared.
const TRIAL_SAMPLES: usize = 64;
/// Samples over which the share of each layer in the output's error is measured.
const SHARE_SAMPLES: usize = 16;
/// Test samples that reach so many times as far as the calibration data, or as much less, were scaled otherwise.
const LARGEST_SPREAD: f32 = 5.0;
/// Ranges that cut values off are taken where they bring at least so many decibels: of data that did not calibrate they cut off more.
const LEAST_GAIN_OF_CUTS: f64 = 1.0;
/// Below this signal-to-noise ratio, in decibels, a layer's output is hardly what the float net gives.
const LEAST_SNR: f64 = 10.0;
/// The ratio in decibels at which a sample counts as exact.
const MOST_DECIBELS: f64 = 100.0;
/// A larger share of a layer's values at the bounds of its range deserves a warning.
const MOST_SATURATED: f64 = 0.1;
/// Values so many times as large as is usual deserve a warning.
const FAR_OUTSIDE: f32 = 20.0;
/// Loss of accuracy that deserves a warning, as a share of the samples.
const LARGEST_LOSS: f64 = 0.02;
/// Calibration data of fewer samples deserve a warning.
const FEWEST_SAMPLES: usize = 16;
/// An int16 layer is dropped again where that costs less than so many decibels.
const LEAST_LOSS: f64 = 0.1;
/// A layer that makes more than this share of the outputs' error is one to do something about,
const LARGEST_SHARE: f64 = 0.5;
/// where the outputs have a lower signal-to-noise ratio than this, in decibels,
const ENOUGH_SNR: f64 = 40.0;
/// and by what brings at least so many decibels.
const LEAST_GAIN: f64 = 1.0;

/// Which tensors are kept in int16.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Wide {
    /// None.
    #[default]
    None,
    /// What these layers give, by number or name.
    Layers(Vec<String>),
    /// As many as it takes, the worst ones first, until the outputs have this signal-to-noise ratio in decibels.
    UpTo(f64),
}

/// Samples with the class of each.
#[derive(Clone, Debug)]
pub(crate) struct Labelled {
    /// The samples; `None` for those that calibrate.
    pub samples: Option<Samples>,
    pub labels: Labels,
}

/// What the caller wants; what is `None` is chosen by the signal-to-noise ratio of the outputs, before a softmax or sigmoid.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub ranges: Option<RangeMethod>,
    pub equalise: Option<bool>,
    pub correct: Option<bool>,
    pub wide: Wide,
    /// Layers that stay with real numbers, by number or name.
    pub real: Vec<String>,
    pub real_ends: bool,
    pub labelled: Option<Labelled>,
    /// The core that the report's sizes and costs are for.
    pub core: Option<Core>,
}

impl Wishes {
    /// The core that was asked for; without one, the Cortex-M4.
    fn core(&self) -> Core {
        self.core.unwrap_or(Core::CortexM4)
    }
}

/// Says how far long work is: what is done, how many of how many.
pub(crate) type Progress<'a> = dyn FnMut(&str, usize, usize) + 'a;

/// A net ready to run here.
struct Machine {
    program: Program,
    /// Per tensor, those that are the same memory under another shape.
    aliases: HashMap<TensorId, Vec<TensorId>>,
    /// Per output of the net, the tensor that errors are measured on: the output itself, or the scores of which it is the largest one's position.
    scores: Vec<TensorId>,
}

impl Machine {
    fn new(net: &Net) -> Result<Self> {
        let calls = lower(net, Backend::CURRENT)?;
        let mut aliases: HashMap<TensorId, Vec<TensorId>> = HashMap::new();
        for (id, &root) in calls.roots.iter().enumerate().filter(|&(id, &root)| id != root) {
            aliases.entry(root).or_default().push(id);
        }
        let scores = net.outputs.iter().map(|&id| scores_of(net, id)).collect();
        Ok(Self { program: plan("calibration", Backend::CURRENT, calls, Aim::default())?, aliases, scores })
    }

    fn runner(&self) -> Result<Runner<'_>> {
        self.program.runner()
    }

    /// Runs one sample from the start state, and shows every tensor as real numbers.
    fn run(
        &self,
        runner: &mut Runner<'_>,
        samples: &Samples,
        sample: usize,
        mut observe: impl FnMut(TensorId, Vec<f32>),
    ) -> Result<()> {
        let net = self.program.net();
        runner.reset();
        let mut show = |id: TensorId, bytes: &[u8]| {
            let others = self.aliases.get(&id).into_iter().flatten();
            for &id in [id].iter().chain(others) {
                observe(id, values(&net.tensors[id], bytes));
            }
        };
        for (index, &id) in net.inputs.iter().enumerate() {
            let (tensor, bytes) = (&net.tensors[id], samples.input(index, sample));
            let bytes = match affine_of(tensor) {
                Some(affine) => quantised(&floats(bytes), tensor.element, affine),
                None => bytes.to_vec(),
            };
            runner.set_input(index, &bytes)?;
            show(id, &bytes);
        }
        runner.run_observed(show)
    }

    /// The outputs of one sample as real numbers.
    fn outputs(&self, runner: &mut Runner<'_>, samples: &Samples, sample: usize) -> Result<Vec<Vec<f32>>> {
        self.run(runner, samples, sample, |_, _| {})?;
        self.read_outputs(runner)
    }

    /// The outputs of the last run as real numbers.
    fn read_outputs(&self, runner: &Runner<'_>) -> Result<Vec<Vec<f32>>> {
        let net = self.program.net();
        let output = |(index, &id): (usize, &TensorId)| Ok(values(&net.tensors[id], runner.output(index)?));
        net.outputs.iter().enumerate().map(output).collect()
    }

    /// What errors are measured on, for one sample.
    fn scores(&self, runner: &mut Runner<'_>, samples: &Samples, sample: usize) -> Result<Vec<Vec<f32>>> {
        let mut seen = HashMap::new();
        self.run(runner, samples, sample, |id, values| {
            if self.scores.contains(&id) {
                seen.insert(id, values);
            }
        })?;
        self.read_scores(runner, &seen)
    }

    /// What errors are measured on, after a run that gave these tensors.
    fn read_scores(&self, runner: &Runner<'_>, seen: &HashMap<TensorId, Vec<f32>>) -> Result<Vec<Vec<f32>>> {
        let mut scores = self.read_outputs(runner)?;
        for (values, id) in scores.iter_mut().zip(&self.scores) {
            if let Some(seen) = seen.get(id) {
                values.clone_from(seen);
            }
        }
        Ok(scores)
    }
}

/// The one scale and zero point of a tensor.
fn affine_of(tensor: &Tensor) -> Option<Affine> {
    match tensor.quantisation.as_ref().map(|of| (&of.scales[..], &of.zero_points[..])) {
        Some((&[scale], &[zero_point])) => Some(Affine::new(scale, zero_point)),
        _ => None,
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// The elements of a tensor as real numbers; none where it holds neither those nor quantised ones.
fn values(tensor: &Tensor, bytes: &[u8]) -> Vec<f32> {
    let real = |affine: Affine, stored: i32| affine.scale * (stored - affine.zero_point) as f32;
    match (tensor.element, affine_of(tensor)) {
        (Element::F32, _) => floats(bytes),
        (Element::I8, Some(affine)) => bytes.iter().map(|&byte| real(affine, i32::from(byte as i8))).collect(),
        (Element::I16, Some(affine)) => {
            bytes.as_chunks().0.iter().map(|&bytes| real(affine, i16::from_le_bytes(bytes).into())).collect()
        }
        (Element::I32, None) => bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes) as f32).collect(),
        (Element::I8, None) => bytes.iter().map(|&byte| f32::from(byte as i8)).collect(),
        (Element::U8 | Element::Bool, None) => bytes.iter().map(|&byte| f32::from(byte)).collect(),
        _ => Vec::new(),
    }
}

/// What differs from a signal, over samples.
#[derive(Clone, Copy, Debug, Default)]
struct Noise {
    /// The sum of squares of all differences.
    noise: f64,
    /// The sum of the signal-to-noise ratios of the samples that are not all 0, in decibels.
    decibels: f64,
    /// The number of these samples.
    samples: u64,
    elements: u64,
    beyond: u64,
}

impl Noise {
    /// Adds one sample. Each counts as much as any other, however large its values are, with 0 to 100 dB: neither one that is lost nor one that is exact
    /// hides the others.
    fn add(&mut self, exact: &[f32], rounded: &[f32]) {
        let (mut signal, mut noise) = (0.0, 0.0);
        for (&exact, &rounded) in exact.iter().zip(rounded) {
            let difference = f64::from(exact) - f64::from(rounded);
            signal += f64::from(exact) * f64::from(exact);
            noise += difference * difference;
        }
        self.noise += noise;
        self.elements += exact.len() as u64;
        if signal > 0.0 || noise > 0.0 {
            let ratio = if noise > 0.0 { 10.0 * (signal / noise).log10() } else { MOST_DECIBELS };
            self.decibels += ratio.clamp(0.0, MOST_DECIBELS);
            self.samples += 1;
        }
    }

    /// The mean of the samples' ratios in decibels; infinite without noise.
    fn ratio(&self) -> f64 {
        if self.noise == 0.0 { f64::INFINITY } else { self.decibels / self.samples.max(1) as f64 }
    }

    fn decibels(&self) -> Option<f64> {
        Some(self.ratio()).filter(|ratio| ratio.is_finite())
    }
}

/// Every nth of so many, at most `most`.
fn spread(count: usize, most: usize) -> Vec<usize> {
    let taken = count.min(most);
    (0..taken).map(|index| index * count / taken).collect()
}

/// A float net with what its tensors were over the data.
struct Calibrated<'a> {
    net: Net,
    machine: Machine,
    observed: Vec<Option<Observed>>,
    /// Weights that are rounded for the data, by the position of their layer.
    weights: HashMap<usize, Vec<f32>>,
    samples: &'a Samples,
    /// Scores of the samples over which ways of quantising are compared.
    references: Vec<(usize, Vec<Vec<f32>>)>,
    /// By what ways of quantising are judged: each output, or what a softmax or sigmoid makes it of, since these hide most errors.
    judged: Vec<TensorId>,
    /// Their values for the same samples.
    judgements: Vec<HashMap<TensorId, Vec<f32>>>,
}

impl<'a> Calibrated<'a> {
    fn new(net: Net, samples: &'a Samples, progress: &mut Progress<'_>) -> Result<Self> {
        let machine = Machine::new(&net)?;
        let mut observed: Vec<Option<Observed>> = net.tensors.iter().map(|_| None).collect();
        let moments = (0..net.nodes.len()).filter_map(|at| Some((at, Moments::of(&net, at, samples.count())?)));
        let mut moments: Vec<(usize, Moments)> = moments.collect();
        let mut runner = machine.runner()?;
        for sample in 0..samples.count() {
            progress("ranges", sample, samples.count());
            let mut wrong = None;
            machine.run(&mut runner, samples, sample, |id, values| {
                let Some(tensor) = net.tensors.get(id).filter(|tensor| tensor.element == Element::F32) else { return };
                let channels = tensor.shape.last().copied().unwrap_or(1);
                if let Err(index) = observed[id].get_or_insert_with(|| Observed::new(channels)).add(&values) {
                    wrong.get_or_insert((id, values[index]));
                }
                moments.iter_mut().filter(|(_, of)| of.input() == id).for_each(|(_, of)| of.add(&values));
            })?;
            if let Some((id, value)) = wrong {
                return Err(Error::Calibration(format!(
                    "{} is {value} for sample {sample} of the calibration data: the float net cannot be quantised",
                    described(&net, id)
                )));
            }
        }
        let (mut references, mut judgements) = (Vec::new(), Vec::new());
        let judged: Vec<TensorId> = net.outputs.iter().map(|&id| judged_by(&net, id)).collect();
        for sample in spread(samples.count(), TRIAL_SAMPLES) {
            let mut values_of = HashMap::new();
            machine.run(&mut runner, samples, sample, |id, values| {
                if judged.contains(&id) || machine.scores.contains(&id) {
                    values_of.insert(id, values);
                }
            })?;
            references.push((sample, machine.read_scores(&runner, &values_of)?));
            judgements.push(values_of);
        }
        drop(runner);
        let weights = moments.into_iter().filter_map(|(position, of)| {
            let rounded = of.rounded(&net, position, observed[of.input()].as_ref()?)?;
            Some((position, rounded))
        });
        let weights = weights.collect();
        Ok(Self { net, machine, observed, weights, samples, references, judged, judgements })
    }

    /// The ranges of all tensors.
    fn ranges(&self, method: RangeMethod) -> Vec<(f64, f64)> {
        self.observed.iter().map(|observed| observed.as_ref().map_or((0.0, 0.0), |of| of.range(method))).collect()
    }

    /// Decisions for a way of quantising: real layers and int16 tensors as in `like`.
    fn decisions(&self, method: RangeMethod, correct: bool, like: &Decisions) -> Result<Decisions> {
        let weights = self.weights.clone();
        let mut decisions =
            Decisions { ranges: self.ranges(method), weights, corrections: HashMap::new(), ..like.clone() };
        // Nets that were equalised have more constants.
        decisions.wide.resize(self.net.tensors.len(), false);
        if correct {
            let converted = self.convert(&mut decisions)?.0;
            decisions.corrections = bias_corrections(&self.net, &self.observed, &self.weights, |id| {
                let to = converted.tensors.get(&id).map(|&to| &converted.net.tensors[to]);
                to.and_then(affine_of).map_or(1.0, |affine| affine.scale)
            });
        }
        Ok(decisions)
    }

    /// Converts, and lets nodes that the integer kernels refuse compute with less demanding numbers.
    fn convert(&self, decisions: &mut Decisions) -> Result<(Converted, Machine)> {
        loop {
            let converted = convert(&self.net, decisions)?;
            let problems = match Machine::new(&converted.net) {
                Ok(machine) => return Ok((converted, machine)),
                Err(Error::Unsupported(problems)) => problems,
                Err(error) => return Err(error),
            };
            let mut any = false;
            for (position, node) in self.net.nodes.iter().enumerate() {
                let is_refused =
                    |problem: &Problem| problem.operator.as_ref().is_some_and(|(index, _)| *index == node.index);
                if converted.numbers[position] != Numbers::Real && problems.iter().any(is_refused) {
                    let list = match converted.numbers[position] {
                        Numbers::Int16 => &mut decisions.narrow,
                        _ => &mut decisions.real,
                    };
                    (list[position], any) = (true, true);
                }
            }
            if !any {
                return Err(Error::Unsupported(problems));
            }
        }
    }

    /// The noise of the outputs of an integer net.
    fn output_noise(&self, machine: &Machine, most: usize) -> Result<Noise> {
        let mut runner = machine.runner()?;
        let mut noise = Noise::default();
        for index in spread(self.references.len(), most) {
            let (sample, exact) = &self.references[index];
            let scores = machine.scores(&mut runner, self.samples, *sample)?;
            exact.iter().zip(&scores).for_each(|(exact, rounded)| noise.add(exact, rounded));
        }
        Ok(noise)
    }

    /// The noise of what an integer net is judged by.
    fn judgement(&self, converted: &Converted, machine: &Machine) -> Result<Noise> {
        let mut runner = machine.runner()?;
        let mut noise = Noise::default();
        let pairs: Vec<(TensorId, TensorId)> =
            self.judged.iter().filter_map(|&id| Some((id, *converted.tensors.get(&id)?))).collect();
        for ((sample, _), exact) in self.references.iter().zip(&self.judgements) {
            machine.run(&mut runner, self.samples, *sample, |to, rounded| {
                for (id, _) in pairs.iter().filter(|(_, own)| *own == to) {
                    exact.get(id).into_iter().for_each(|exact| noise.add(exact, &rounded));
                }
            })?;
        }
        Ok(noise)
    }

    /// The noise of every tensor of an integer net, by its index in the float net.
    fn noises(
        &self,
        converted: &Converted,
        machine: &Machine,
        progress: &mut Progress<'_>,
    ) -> Result<(HashMap<TensorId, Noise>, Noise)> {
        let (mut runner, mut integer_runner) = (self.machine.runner()?, machine.runner()?);
        let (mut noises, mut of_outputs): (HashMap<TensorId, Noise>, _) = (HashMap::new(), Noise::default());
        let to: HashMap<TensorId, TensorId> = converted.tensors.iter().map(|(&from, &to)| (to, from)).collect();
        let count = self.samples.count();
        for sample in 0..count {
            progress("errors", sample, count);
            let (mut exact, mut scores) = (HashMap::new(), HashMap::new());
            self.machine.run(&mut runner, self.samples, sample, |id, values| {
                if converted.tensors.contains_key(&id) {
                    exact.insert(id, values);
                }
            })?;
            machine.run(&mut integer_runner, self.samples, sample, |id, values| {
                if machine.scores.contains(&id) {
                    scores.insert(id, values.clone());
                }
                let Some(from) = to.get(&id) else { return };
                let Some(exact) = exact.get(from) else { return };
                let noise = noises.entry(*from).or_default();
                noise.add(exact, &values);
                let tensor = &converted.net.tensors[id];
                if let (Some(affine), Some((least, largest))) = (affine_of(tensor), tensor.element.range()) {
                    let real = |stored: f64| (stored - f64::from(affine.zero_point)) as f32 * affine.scale;
                    let (low, high) = (real(least as f64 - 0.5), real(largest as f64 + 0.5));
                    noise.beyond += exact.iter().filter(|&&value| value < low || value > high).count() as u64;
                }
            })?;
            let rounded = machine.read_scores(&integer_runner, &scores)?;
            for (id, rounded) in self.machine.scores.iter().zip(&rounded) {
                exact.get(id).into_iter().for_each(|exact| of_outputs.add(exact, rounded));
            }
        }
        Ok((noises, of_outputs))
    }

    /// The noise of the outputs when only this tensor is rounded, and the weights of the layer that writes it.
    fn noise_alone(&self, id: TensorId, position: Option<usize>, converted: &Converted) -> Result<Noise> {
        let mut net = self.net.clone();
        let integers = converted.tensors.get(&id).map(|&to| &converted.net.tensors[to]);
        let Some((affine, element)) = integers.and_then(|to| Some((affine_of(to)?, to.element))) else {
            return Ok(Noise::default());
        };
        if let Some(position) = position
            && let Scheme::Layer(layer) = scheme(&View { net: &self.net, node: &self.net.nodes[position] })
            && let (Some(Some(weights)), Some(Some(input))) =
                (net.nodes[position].inputs.get(layer.weights), net.nodes[position].inputs.get(layer.input))
        {
            let of_input = converted.tensors.get(input).and_then(|&to| affine_of(&converted.net.tensors[to]));
            let bias = net.nodes[position].inputs.get(layer.bias).copied().flatten();
            let bias = bias.map_or(Vec::new(), |id| reals(&net.tensors[id]));
            let scale = of_input.map_or(1.0, |affine| affine.scale);
            let exact = self.weights.get(&position).cloned().unwrap_or_else(|| reals(&net.tensors[*weights]));
            let rounded = IntegerRows::new(&exact, &bias, layer.axis, scale).reals(layer.axis);
            let data = Constant::new(rounded.into_iter().flat_map(f32::to_le_bytes).collect());
            net.tensors.push(Tensor { data: Some(data), ..net.tensors[*weights].clone() });
            net.nodes[position].inputs[layer.weights] = Some(net.tensors.len() - 1);
        }
        let quantisation =
            Quantisation { scales: vec![affine.scale], zero_points: vec![affine.zero_point], dimension: 0 };
        let stored = Tensor { element, quantisation: Some(quantisation), ..net.tensors[id].clone() };
        let restored = net.tensors[id].clone();
        net.tensors.extend([stored, restored]);
        let (stored, restored) = (net.tensors.len() - 2, net.tensors.len() - 1);
        let behind = position.map_or(0, |position| position + 1);
        for node in &mut net.nodes[behind..] {
            node.inputs.iter_mut().flatten().filter(|input| **input == id).for_each(|input| *input = restored);
        }
        net.outputs.iter_mut().filter(|output| **output == id).for_each(|output| *output = restored);
        let node = |operator, from, to| Node {
            index: position.map_or(0, |position| self.net.nodes[position].index),
            name: "ROUND".into(),
            operator,
            inputs: vec![Some(from)],
            outputs: vec![to],
        };
        net.nodes.splice(
            behind..behind,
            [node(Operator::Quantise, id, stored), node(Operator::Dequantise, stored, restored)],
        );
        self.output_noise(&Machine::new(&net)?, SHARE_SAMPLES)
    }

    /// Tensors with a rounding of their own, and the nodes that write them: inputs, and what is not merely moved.
    fn rounded(&self, converted: &Converted) -> Vec<(TensorId, Option<usize>)> {
        let inputs = self.net.inputs.iter().map(|&id| (id, None));
        let written = self.net.nodes.iter().enumerate().filter_map(|(position, node)| {
            let scheme = scheme(&View { net: &self.net, node });
            let is_rounded =
                matches!(scheme, Scheme::Layer(_) | Scheme::Rescaled | Scheme::Fixed { .. } | Scheme::Own { .. });
            let output = *node.outputs.first()?;
            (is_rounded && converted.numbers[position] != Numbers::Real).then_some((output, Some(position)))
        });
        inputs.chain(written).filter(|(id, _)| self.net.tensors[*id].element == Element::F32).collect()
    }

    /// The noise that each rounding alone brings to the outputs, by tensor.
    fn shares(&self, converted: &Converted, progress: &mut Progress<'_>) -> Result<HashMap<TensorId, f64>> {
        let rounded = self.rounded(converted);
        let mut noises = HashMap::new();
        for (index, &(id, position)) in rounded.iter().enumerate() {
            progress("shares of the error", index, rounded.len());
            noises.insert(id, self.noise_alone(id, position, converted)?.noise);
        }
        Ok(noises)
    }
}

/// The node that writes a tensor.
fn writer(net: &Net, id: TensorId) -> Option<&Node> {
    net.nodes.iter().find(|node| node.outputs.contains(&id))
}

/// The scores that an output is the position of the largest or least one of, also where that was cast or laid out anew; otherwise the output itself.
fn scores_of(net: &Net, output: TensorId) -> TensorId {
    let mut id = output;
    while let Some(Node { operator, inputs, .. }) = writer(net, id)
        && let Some(&Some(input)) = inputs.first()
    {
        match operator {
            Operator::ArgExtreme { .. } => return input,
            Operator::Cast | Operator::Reshape | Operator::ExpandDims => id = input,
            _ => break,
        }
    }
    output
}

/// What an output is judged by: its scores, or what a softmax or a sigmoid that gives these takes.
fn judged_by(net: &Net, output: TensorId) -> TensorId {
    let output = scores_of(net, output);
    let writer = writer(net, output);
    let squashes = |operator: &Operator| {
        matches!(operator, Operator::Softmax { .. } | Operator::LogSoftmax | Operator::Unary(UnaryKind::Logistic))
    };
    match writer.map(|node| (&node.operator, &node.inputs[..])) {
        Some((operator, &[Some(input)])) if squashes(operator) => input,
        _ => output,
    }
}

/// The tensor with the operator that writes it, for people.
fn described(net: &Net, id: TensorId) -> String {
    let name = net.tensors[id].name.escape_debug();
    match net.nodes.iter().find(|node| node.outputs.contains(&id)) {
        Some(node) => format!("tensor \"{name}\" of operator {} {}", node.index, node.name),
        None => format!("tensor \"{name}\""),
    }
}

/// The positions of the nodes that a list of numbers and names means.
fn positions(net: &Net, layers: &[String]) -> Result<Vec<usize>> {
    let mut positions = Vec::new();
    for layer in layers {
        let number: Option<usize> = layer.parse().ok();
        let is_meant =
            |node: &Node| Some(node.index) == number || node.outputs.iter().any(|&id| net.tensors[id].name == *layer);
        let found: Vec<usize> =
            net.nodes.iter().enumerate().filter(|(_, node)| is_meant(node)).map(|(position, _)| position).collect();
        if found.is_empty() {
            let name =
                |node: &Node| node.outputs.first().map_or("", |&id| &net.tensors[id].name).escape_debug().to_string();
            let known: Vec<String> =
                net.nodes.iter().map(|node| format!("{} ({} \"{}\")", node.index, node.name, name(node))).collect();
            return Err(Error::Calibration(format!("no layer {layer:?}; the layers are {}", known.join(", "))));
        }
        positions.extend(found);
    }
    Ok(positions)
}

/// Finds what keeps a net from being quantised, before anything is computed.
///
/// # Errors
/// [`Error::Calibration`] for a net without real numbers, and for constants that are not finite.
pub(crate) fn check(net: &Net) -> Result<()> {
    let is_real = |id: &&TensorId| net.tensors[**id].element == Element::F32;
    let used = || net.nodes.iter().flat_map(|node| node.inputs.iter().flatten());
    // Real inputs and outputs around integers are no layers.
    let computes = |node: &&Node| !matches!(node.operator, Operator::Quantise | Operator::Dequantise);
    if !net.nodes.iter().filter(computes).flat_map(|node| &node.outputs).any(|id| is_real(&id)) {
        return Err(Error::Calibration("the model has no layer of real numbers: it is quantised already".into()));
    }
    for id in used().filter(is_real) {
        let values = reals(&net.tensors[*id]);
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let reader = net.nodes.iter().find(|node| node.inputs.contains(&Some(*id)));
            let reader = reader.map_or_else(String::new, |node| format!(" of operator {} {}", node.index, node.name));
            // Around an image minus infinity is a padding like any other.
            let is_padding =
                net.nodes.iter().any(|node| node.operator == Operator::Pad && node.inputs.contains(&Some(*id)));
            if !is_padding {
                let name = net.tensors[*id].name.escape_debug();
                return Err(Error::Calibration(format!(
                    "the constant \"{name}\"{reader} holds {} at element {index}: train again, or look at the export",
                    values[index]
                )));
            }
        }
    }
    Ok(())
}

/// Quantises a net by what its tensors are over the samples.
///
/// # Errors
/// [`Error::Calibration`] for nets and data that cannot be calibrated; [`Error::Unsupported`] for what neither integer nor float kernels take.
pub(crate) fn quantise(
    name: &str,
    net: &Net,
    samples: &Samples,
    wishes: &Wishes,
    progress: &mut Progress<'_>,
) -> Result<(Net, QuantisationReport)> {
    let scoring = |labelled| -> Result<_> { Ok((labelled, Scoring::of(net).map_err(Error::Calibration)?)) };
    let labelled = wishes.labelled.as_ref().map(scoring).transpose()?;
    let mut float = net.clone();
    prepare(&mut float);
    let mut plain = Calibrated::new(float, samples, progress)?;
    let mut base = Decisions::new(&plain.net, Vec::new());
    base.real_ends = wishes.real_ends;
    for position in positions(&plain.net, &wishes.real)? {
        base.real[position] = true;
    }
    if let Wide::Layers(layers) = &wishes.wide {
        for position in positions(&plain.net, layers)? {
            plain.net.nodes[position].outputs.iter().for_each(|&id| base.wide[id] = true);
        }
    }

    // Ranges first, then whether equalisation and corrected biases are of use.
    let mut trials: Vec<(Trial, f64)> = Vec::new();
    let mut attempt = |of: &Calibrated<'_>, ranges, equalised, correct, progress: &mut Progress<'_>| -> Result<f64> {
        progress("ways of quantising", trials.len(), 5);
        let mut decisions = of.decisions(ranges, correct, &base)?;
        let (converted, machine) = of.convert(&mut decisions)?;
        let noise = of.judgement(&converted, &machine)?;
        trials.push((Trial { ranges, equalised, biases_corrected: correct, snr: noise.decibels() }, noise.ratio()));
        Ok(noise.ratio())
    };
    let correct = wishes.correct.unwrap_or(true);
    let start_equalised = wishes.equalise == Some(true);
    if start_equalised {
        plain = equalised(plain, progress)?;
    }
    let methods = wishes.ranges.map_or(RangeMethod::ALL.to_vec(), |method| vec![method]);
    let mut best = (methods[0], start_equalised, correct, f64::NEG_INFINITY);
    for &method in &methods {
        let ratio = attempt(&plain, method, start_equalised, correct, progress)?;
        let gain = if best.0 == RangeMethod::MinMax { LEAST_GAIN_OF_CUTS } else { 0.0 };
        if ratio > best.3 + gain {
            best = (method, start_equalised, correct, ratio);
        }
    }
    if wishes.correct.is_none() {
        // Where all of them are bad, an outlier may have spoilt the corrections, which follow from means: then all are tried without.
        let methods = if best.3 < LEAST_SNR { methods } else { vec![best.0] };
        for method in methods {
            let ratio = attempt(&plain, method, start_equalised, false, progress)?;
            if ratio > best.3 {
                best = (method, start_equalised, false, ratio);
            }
        }
    }
    if wishes.equalise.is_none() {
        let mut scaled = plain.net.clone();
        if equalise(&mut scaled, &plain.observed) {
            let of = Calibrated::new(scaled, samples, progress)?;
            let ratio = attempt(&of, best.0, true, best.2, progress)?;
            if ratio > best.3 {
                best = (best.0, true, best.2, ratio);
                plain = of;
            }
        }
    }
    let (ranges, is_equalised, is_corrected, _) = best;
    let mut decisions = plain.decisions(ranges, is_corrected, &base)?;
    let (mut converted, mut machine) = plain.convert(&mut decisions)?;
    // What int8 alone gives, to compare with.
    let mut all = Decisions { wide: vec![false; decisions.wide.len()], ..decisions.clone() };
    let narrow = plain.convert(&mut all)?;
    let mut shares = plain.shares(&converted, progress)?;
    if let Wide::UpTo(decibels) = wishes.wide {
        let of_int8 = plain.output_noise(&machine, TRIAL_SAMPLES)?.ratio();
        let mut mixed = Mixed { decisions, converted, machine, ratio: of_int8 };
        let widened = |wide: &Decisions| -> Result<Mixed> {
            // Biases are corrected for the scales that they meet.
            let mut decisions = plain.decisions(ranges, is_corrected, wide)?;
            let (converted, machine) = plain.convert(&mut decisions)?;
            let ratio = plain.output_noise(&machine, TRIAL_SAMPLES)?.ratio();
            Ok(Mixed { decisions, converted, machine, ratio })
        };
        let mut worst: Vec<(TensorId, f64)> = shares.iter().map(|(&id, &noise)| (id, noise)).collect();
        worst.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        for (done, &(id, _)) in worst.iter().enumerate() {
            if mixed.ratio >= decibels {
                break;
            }
            progress("int16 layers", done, worst.len());
            let mut wider = mixed.decisions.clone();
            wider.wide[id] = true;
            mixed = widened(&wider)?;
        }
        // Some have brought nothing, since the errors of others hide theirs: those that matter least are narrow again, one after the other.
        for (done, &(id, _)) in worst.iter().rev().enumerate() {
            if !mixed.decisions.wide[id] {
                continue;
            }
            progress("int16 layers that matter", done, worst.len());
            let mut narrower = mixed.decisions.clone();
            narrower.wide[id] = false;
            let tried = widened(&narrower)?;
            if tried.ratio >= decibels || mixed.ratio < decibels && mixed.ratio - tried.ratio < LEAST_LOSS {
                mixed = tried;
            }
        }
        Mixed { decisions, converted, machine, .. } = mixed;
        if decisions.wide.contains(&true) {
            shares = plain.shares(&converted, progress)?;
        }
    }

    let (noises, of_outputs) = plain.noises(&converted, &machine, progress)?;
    let mut report = QuantisationReport {
        model: name.into(),
        samples: samples.count(),
        ranges,
        equalised: is_equalised,
        biases_corrected: is_corrected,
        trials: trials.into_iter().map(|(trial, _)| trial).collect(),
        output_snr: of_outputs.decibels(),
        layers: layers(&plain, &converted, &noises, &shares),
        core: wishes.core().name(),
        unit: wishes.core().unit().name(),
        variants: Vec::new(),
        warnings: Vec::new(),
        advice: advice(&plain, &converted, &machine, &decisions, &shares, wishes.core(), progress)?,
    };
    let mut machines = vec![("float", &plain.machine, None)];
    if decisions.wide.contains(&true) {
        machines.push(("int8", &narrow.1, plain.noises(&narrow.0, &narrow.1, progress)?.1.decibels()));
        machines.push(("mixed", &machine, report.output_snr));
    } else {
        machines.push(("int8", &machine, report.output_snr));
    }
    for (name, of, output_snr) in machines {
        let accuracy =
            labelled.map(|(labelled, scoring)| accuracy(of, samples, labelled, scoring, name, progress)).transpose()?;
        let program = for_core(of.program.net(), wishes.core())?;
        let estimate = program.estimate(wishes.core());
        report.variants.push(Variant {
            name,
            accuracy,
            output_snr,
            flash_bytes: program.constant_bytes(),
            ram_bytes: program.arena_bytes() + program.state_bytes(),
            macs: program.macs(),
            cycles: (estimate.unknown() == 0).then_some(estimate.total),
        });
    }
    report.warnings = warnings(&plain, &converted, &report);
    report.warnings.extend(slower_mixed(&report));
    if let Some(test) = wishes.labelled.as_ref().and_then(|labelled| labelled.samples.as_ref()) {
        report.warnings.splice(0..0, scaled_apart(net, samples, test));
    }
    if let (Wide::UpTo(decibels), Some(reached)) = (&wishes.wide, report.output_snr)
        && reached < *decibels
    {
        let text = "dB are not reached: int8 weights, and layers without int16 kernels, leave";
        report.warnings.push(format!("{decibels} {text} {reached:.1} dB"));
    }
    Ok((converted.net, report))
}

/// From so many times the cost of the int8 network on, the mixed one is said to be slow.
const SLOW: f64 = 2.0;

/// What layers in int16 cost, where that is much more than int8.
fn slower_mixed(report: &QuantisationReport) -> Option<String> {
    let cost = |name: &str| report.variant(name).and_then(|variant| variant.cycles);
    let (int8, mixed) = (cost("int8")?, cost("mixed")?);
    (mixed >= SLOW * int8).then(|| {
        format!(
            "the layers in int16 make the network take {:.1} times the {} of int8 on a {}: fewer of them, or others, cost less",
            mixed / int8,
            report.unit,
            report.core
        )
    })
}

/// A net with some layers in int16.
struct Mixed {
    decisions: Decisions,
    converted: Converted,
    machine: Machine,
    /// The signal-to-noise ratio of the outputs.
    ratio: f64,
}

/// What would help where one layer makes most of the error: each way is tried, and said with what it brings.
fn advice(
    of: &Calibrated<'_>,
    converted: &Converted,
    machine: &Machine,
    decisions: &Decisions,
    shares: &HashMap<TensorId, f64>,
    core: Core,
    progress: &mut Progress<'_>,
) -> Result<Vec<String>> {
    let total: f64 = shares.values().sum();
    let rounded = of.rounded(converted);
    let share = |id: &TensorId| shares.get(id).copied().unwrap_or(0.0);
    let worst = rounded.iter().max_by(|(a, _), (b, _)| share(a).total_cmp(&share(b)));
    let Some(&(id, Some(position))) = worst else { return Ok(Vec::new()) };
    let ratio = of.output_noise(machine, TRIAL_SAMPLES)?.ratio();
    // The steps of 1/256 of a last softmax or sigmoid are what an int8 probability is.
    let is_probability = of.machine.scores.contains(&id) && judged_by(&of.net, id) != id;
    if is_probability || ratio >= ENOUGH_SNR || share(&id) <= LARGEST_SHARE * total {
        return Ok(Vec::new());
    }
    let index = of.net.nodes[position].index;
    let (mut wide, mut real) = (decisions.clone(), decisions.clone());
    for (position, node) in of.net.nodes.iter().enumerate().filter(|(_, node)| node.index == index) {
        node.outputs.iter().for_each(|&id| wide.wide[id] = true);
        real.real[position] = true;
    }
    let mut ways = Vec::new();
    for (done, (option, mut decisions)) in [("--int16", wide), ("--float", real)].into_iter().enumerate() {
        progress("what would help", done, 2);
        let machine = match of.convert(&mut decisions) {
            Ok((_, machine)) => machine,
            // There are no such kernels for what stands around it: then it is no way.
            Err(Error::Unsupported(_)) => continue,
            Err(error) => return Err(error),
        };
        let better = of.output_noise(&machine, TRIAL_SAMPLES)?.ratio();
        if better >= ratio + LEAST_GAIN {
            let program = for_core(machine.program.net(), core)?;
            let (flash, ram) = (program.constant_bytes(), program.arena_bytes() + program.state_bytes());
            ways.push(format!("{option} {index} gives {better:.1} dB with {flash} bytes of flash and {ram} of RAM"));
        }
    }
    if ways.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "layer {index} {} makes {:.0} % of the error of the outputs, {ratio:.1} dB: {}",
        of.net.nodes[position].name,
        100.0 * share(&id) / total,
        ways.join("; ")
    )])
}

/// The net with channels equalised across layers, calibrated anew.
fn equalised<'a>(of: Calibrated<'a>, progress: &mut Progress<'_>) -> Result<Calibrated<'a>> {
    let mut net = of.net.clone();
    equalise(&mut net, &of.observed);
    Calibrated::new(net, of.samples, progress)
}

/// The program for the core that sizes are given for.
fn for_core(net: &Net, core: Core) -> Result<Program> {
    plan("size", core.backend(), lower(net, core.backend())?, Aim::default())
}

/// The share of labelled samples whose class the machine finds.
fn accuracy(
    machine: &Machine,
    calibration: &Samples,
    labelled: &Labelled,
    scoring: Scoring,
    name: &str,
    progress: &mut Progress<'_>,
) -> Result<f64> {
    let samples = labelled.samples.as_ref().unwrap_or(calibration);
    let mut runner = machine.runner()?;
    let mut right = 0;
    for (sample, &label) in labelled.labels.classes().iter().enumerate() {
        progress(&format!("accuracy of {name}"), sample, samples.count());
        let outputs = machine.outputs(&mut runner, samples, sample)?;
        let class = outputs.first().and_then(|scores| scoring.class(scores));
        right += usize::from(class == Some(label));
    }
    Ok(right as f64 / samples.count() as f64)
}

/// The rows of the report.
fn layers(
    of: &Calibrated<'_>,
    converted: &Converted,
    noises: &HashMap<TensorId, Noise>,
    shares: &HashMap<TensorId, f64>,
) -> Vec<QuantisedLayer> {
    let net = &of.net;
    let total: f64 = shares.values().sum();
    let inputs = net.inputs.iter().map(|&id| (None, id));
    let written = net.nodes.iter().flat_map(|node| node.outputs.iter().map(move |&id| (Some(node), id)));
    let mut rows = Vec::new();
    for (node, id) in inputs.chain(written) {
        let (Some(observed), Some(&to)) = (&of.observed[id], converted.tensors.get(&id)) else { continue };
        // What only lays elements out anew has nothing to say.
        let is_layout =
            |node: &Node| matches!(node.operator, Operator::Reshape | Operator::ExpandDims | Operator::Transpose);
        if node.is_some_and(is_layout) {
            continue;
        }
        let tensor = &converted.net.tensors[to];
        let affine = affine_of(tensor);
        let noise = noises.get(&id).copied().unwrap_or_default();
        let range_used = affine.zip(tensor.element.range()).map_or(1.0, |(affine, (least, largest))| {
            let steps = (f64::from(observed.largest) - f64::from(observed.least)) / f64::from(affine.scale);
            (steps / (largest - least) as f64).min(1.0)
        });
        rows.push(QuantisedLayer {
            index: node.map(|node| node.index),
            operator: node.map_or_else(|| "(input)".into(), |node| node.name.clone()),
            tensor: net.tensors[id].name.clone(),
            numbers: match tensor.element {
                Element::I8 => "int8",
                Element::I16 => "int16",
                _ => "float",
            },
            least: observed.least,
            largest: observed.largest,
            scale: affine.map_or(0.0, |affine| affine.scale),
            zero_point: affine.map_or(0, |affine| affine.zero_point),
            snr: noise.decibels(),
            range_used,
            saturated: noise.beyond as f64 / noise.elements.max(1) as f64,
            error_share: shares.get(&id).map_or(0.0, |noise| if total > 0.0 { noise / total } else { 0.0 }),
            histogram: observed.bars(),
        });
    }
    rows
}

/// Words for each input whose test samples are scaled otherwise than those that calibrate: ranges are then wrong everywhere, whatever the layers say.
fn scaled_apart(net: &Net, calibration: &Samples, test: &Samples) -> Vec<String> {
    let unlike = |(input, &id): (usize, &TensorId)| {
        let (usual, found) = (calibration.largest(net, input)?, test.largest(net, input)?);
        (found > LARGEST_SPREAD * usual || found < usual / LARGEST_SPREAD).then(|| {
            format!(
                "the test samples of {} reach {found}, the calibration data {usual}: scale both alike, as the network was trained",
                described(net, id)
            )
        })
    };
    net.inputs.iter().enumerate().filter_map(unlike).collect()
}

/// What one should look at.
fn warnings(of: &Calibrated<'_>, converted: &Converted, report: &QuantisationReport) -> Vec<String> {
    let mut warnings = Vec::new();
    if report.samples < FEWEST_SAMPLES {
        warnings.push(format!(
            "{} samples are few: ranges follow from what was seen; some hundred are usual",
            report.samples
        ));
    }
    for (id, observed) in of.observed.iter().enumerate() {
        let is_row = report.layers.iter().any(|layer| layer.tensor == of.net.tensors[id].name);
        if let Some(observed) =
            observed.as_ref().filter(|observed| is_row && observed.is_constant() && samples_vary(of))
        {
            let what = described(&of.net, id);
            warnings.push(format!(
                "{what} is {} for all samples: the layers behind it see nothing of the input",
                // A zero has no sign for people.
                observed.least + 0.0
            ));
        }
    }
    // Whatever is computed from an outlier is one too: the first tensor says it all.
    let tensors = of.net.inputs.iter().chain(of.net.nodes.iter().flat_map(|node| &node.outputs));
    let outliers = tensors.filter_map(|&id| Some((id, of.observed[id].as_ref()?.outermost()?)));
    if let Some((id, (sample, largest, usual))) =
        outliers.into_iter().find(|(_, (_, largest, usual))| *largest >= FAR_OUTSIDE * usual)
    {
        warnings.push(format!(
            "{} reaches {largest} in sample {sample} of the calibration data, but {usual} is usual: a range that holds such an outlier leaves few steps for \
             all other values; take it out of the data if it is an error of measurement",
            described(&of.net, id)
        ));
    }
    for (node, _) in of.net.nodes.iter().zip(&converted.numbers).filter(|(_, numbers)| **numbers == Numbers::Real) {
        if node.outputs.iter().any(|&id| of.observed[id].is_some()) {
            let text = format!("operator {} {} stays with real numbers", node.index, node.name);
            // An operator of the file may be several nodes.
            if !warnings.contains(&text) {
                warnings.push(text);
            }
        }
    }
    // Sigmoids end at their bounds where they are sure, and outputs may.
    let is_sure = |layer: &QuantisedLayer| {
        let is_output = of.net.outputs.iter().any(|&id| of.net.tensors[id].name == layer.tensor);
        is_output || ["LOGISTIC", "SOFTMAX"].contains(&&*layer.operator)
    };
    let cut_off = report.layers.iter().find(|layer| layer.saturated > MOST_SATURATED && !is_sure(layer));
    if let Some(layer) = cut_off {
        warnings.push(format!(
            "{} \"{}\": {:.0} % of its values lie at the bounds of its range, where a layer tells nothing apart: is the calibration data scaled as the \
             network was trained?",
            place(layer),
            layer.tensor.escape_debug(),
            100.0 * layer.saturated
        ));
    }
    let first_bad = report.layers.iter().find(|layer| layer.snr.is_some_and(|snr| snr < LEAST_SNR));
    if let Some(layer) = first_bad {
        warnings.push(format!(
            "{} \"{}\" has a signal-to-noise ratio of {:.1} dB only{}",
            place(layer),
            layer.tensor.escape_debug(),
            layer.snr.unwrap_or_default(),
            if report.advice.is_empty() { ": try --int16 for it or the layers before it" } else { "" }
        ));
    }
    let flash = |name: &str| report.variant(name).map_or(0, |variant| variant.flash_bytes);
    if flash("int8") > flash("float") {
        warnings.push(format!(
            "int8 takes {} bytes of flash, float {}: the tables of functions and the rescaling between layers take more than int8 weights save",
            flash("int8"),
            flash("float")
        ));
    }
    let accuracy = |name: &str| report.variant(name).and_then(|variant| variant.accuracy);
    let last = if report.variant("mixed").is_some() { "mixed" } else { "int8" };
    if let (Some(float), Some(integer)) = (accuracy("float"), accuracy(last))
        && float - integer > LARGEST_LOSS
    {
        let worst = report.layers.iter().max_by(|a, b| a.error_share.total_cmp(&b.error_share));
        let worst = worst.map_or_else(String::new, |layer| {
            format!("; {:.0} % of the error comes from {}", 100.0 * layer.error_share, place(layer))
        });
        warnings.push(format!("accuracy falls from {:.2} % to {:.2} %{worst}", 100.0 * float, 100.0 * integer));
    }
    warnings
}

fn place(layer: &QuantisedLayer) -> String {
    layer.index.map_or_else(|| "the input".into(), |index| format!("layer {index} {}", layer.operator))
}

/// Whether there is more than one sample: one alone is constant by itself.
fn samples_vary(of: &Calibrated<'_>) -> bool {
    of.samples.count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;
    use crate::npy::Array;

    /// A net that ends in the class is judged by its scores, as the same net without that end is: a class alone hides all errors but the largest.
    #[test]
    fn a_net_that_ends_in_an_arg_max_is_judged_by_its_scores() {
        let data =
            |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/quantise").join(name);
        if !data("digits.tflite").exists() {
            return eprintln!("not run: the package of the crate has no data of the project's tests");
        }
        let net = Model::open(data("digits.tflite")).unwrap().net().clone();
        let samples = Samples::from_arrays(&net, &Array::open(&data("digits.npz")).unwrap()).unwrap();
        let mut ended = net.clone();
        let axis = Constant::new(1_i32.to_le_bytes().into());
        ended.tensors.push(Tensor::new("axis".into(), Element::I32, vec![], Some(axis)));
        ended.tensors.push(Tensor::new("class".into(), Element::I32, vec![1], None));
        let (axis, class) = (ended.tensors.len() - 2, ended.tensors.len() - 1);
        ended.nodes.push(Node {
            index: 8,
            name: "ARG_MAX".into(),
            operator: Operator::ArgExtreme { largest: true },
            inputs: vec![Some(net.outputs[0]), Some(axis)],
            outputs: vec![class],
        });
        ended.outputs = vec![class];
        let report = |net: &Net, classes: Vec<usize>| {
            let labelled = Some(Labelled { samples: None, labels: classes.into() });
            let wishes = Wishes { labelled, ..Wishes::default() };
            quantise("digits", net, &samples, &wishes, &mut |_, _, _| {}).unwrap().1
        };
        let classes: Vec<usize> = (0..samples.count()).map(|index| index % 10).collect();
        let (scores, class) = (report(&net, classes.clone()), report(&ended, classes));
        assert!(class.output_snr.is_some_and(|ratio| ratio > 20.0), "{:?}", class.output_snr);
        assert_eq!(scores.output_snr, class.output_snr);
        assert_eq!(scores.trials, class.trials);
        // Sums over a map are in no order: their last bits differ.
        for (with, without) in class.layers.iter().zip(&scores.layers) {
            assert!((with.error_share - without.error_share).abs() < 1e-9, "{with:?}\n{without:?}");
        }
        // The accuracy is that of the class.
        let accuracy =
            |report: &QuantisationReport| report.variants.iter().map(|variant| variant.accuracy).collect::<Vec<_>>();
        assert_eq!(accuracy(&scores), accuracy(&class));
    }

    /// Functions that no file has in int8 do not stay with real numbers: for each of the 256 integers of the input, a table has the integer that is nearest to
    /// the function's value.
    #[test]
    fn functions_of_int8_are_tables() {
        type Function = fn(f32) -> f32;
        let functions: [(UnaryKind, Function); 6] = [
            (UnaryKind::Sign, |x| if x == 0.0 { 0.0 } else { x.signum() }),
            (UnaryKind::Sin, f32::sin),
            (UnaryKind::Cos, f32::cos),
            (UnaryKind::Floor, f32::floor),
            (UnaryKind::Ceil, f32::ceil),
            (UnaryKind::Round, f32::round_ties_even),
        ];
        // In steps of which 256 reach from the least to the largest value, so that no input is rounded.
        let all: Vec<f32> = (-128..128).map(|step| step as f32 / 16.0).collect();
        for (kind, function) in functions {
            let tensor = |name: &str| Tensor::new(name.into(), Element::F32, vec![1, 256], None);
            let node = Node {
                index: 0,
                name: format!("{kind:?}"),
                operator: Operator::Unary(kind),
                inputs: vec![Some(0)],
                outputs: vec![1],
            };
            let net = Net {
                tensors: vec![tensor("x"), tensor("y")],
                nodes: vec![node],
                inputs: vec![0],
                outputs: vec![1],
                removed: crate::net::RemovedChannels::default(),
            };
            let samples = Samples::from_slices(&net, [&all]).unwrap();
            let wishes = Wishes { ranges: Some(RangeMethod::MinMax), ..Wishes::default() };
            let (net, report) = quantise("function", &net, &samples, &wishes, &mut |_, _, _| {}).unwrap();
            assert!(report.layers.iter().all(|layer| layer.numbers == "int8"), "{report:?}");
            let step = net.tensors[net.outputs[0]].quantisation.as_ref().unwrap().scales[0];
            let machine = Machine::new(&net).unwrap();
            let outputs = machine.outputs(&mut machine.runner().unwrap(), &samples, 0).unwrap().remove(0);
            for (x, y) in all.iter().zip(outputs) {
                assert!((y - function(*x)).abs() <= 0.5001 * step, "{kind:?} of {x} is {y}, in steps of {step}");
            }
        }
    }
}

//! What `smolnn inspect` says of a program: a [`Report`], shown as a table for people or as JSON for programs.

mod html;
mod schedule;
mod table;

use std::collections::HashMap;
use std::iter::successors;

use serde::{Serialize, Serializer};
use smolnn_fixed::Backend;

use crate::net::{RemovedChannels, TensorId};
use crate::plan::{ArenaUse, Core, Estimate, Program, Step, Unit};

/// What is known of a program before it runs. [`Program::report`] makes it.
///
/// All sizes are in bytes. [`json`](Self::json) has the fields under their names here.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// The backend that weights are packed for: `portable`, `dsp`, `helium`, `v7m`, `v6m` or `rv32`.
    #[serde(serialize_with = "name")]
    pub backend: Backend,
    /// The arena: inputs, outputs, everything between, and scratch memory. It is the largest [`Memory::arena_bytes`] below.
    pub arena_bytes: usize,
    /// States that are kept from run to run.
    pub state_bytes: usize,
    /// Weights, biases and tables, in flash.
    pub constant_bytes: usize,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// What a run costs; `null` for the portable backend, whose core is not known.
    pub estimate: Option<Estimate>,
    /// The clock that milliseconds are given for, in hertz.
    pub clock: Option<f64>,
    /// Milliseconds of a run, where the estimate counts cycles and a clock is given: without the layers whose cost is not known.
    pub milliseconds: Option<f64>,
    /// Channels that were taken out because they cannot change or nothing needs them.
    pub removed: RemovedChannels,
    /// Which layers run in parts along the width and what that costs, as a sentence; `null` where none do.
    pub split: Option<String>,
    /// The model's inputs.
    pub inputs: Vec<ReportedTensor>,
    /// The model's outputs.
    pub outputs: Vec<ReportedTensor>,
    /// The arena before the first layer, with the inputs in it.
    pub memory_before: Memory,
    /// The layers in the order in which they run.
    pub layers: Vec<Layer>,
    /// The arena behind the last layer, with the outputs in it.
    pub memory_after: Memory,
    /// Positions in `layers`: the second reads what the first wrote, or a view of it.
    pub edges: Vec<(usize, usize)>,
}

/// A call of a kernel. An operator of the file is one or several of them, or none where the importer computed or fused it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Layer {
    /// The operator's number in the file.
    pub index: usize,
    /// The operator's name in the schema of `.tflite` files.
    pub operator: String,
    /// Its options in a few words.
    pub options: String,
    /// The kernels that it calls, by their paths in generated code.
    pub kernels: Vec<&'static str>,
    /// The tensors that it reads. Packed weights are not among them.
    pub inputs: Vec<ReportedTensor>,
    /// The tensors that it writes.
    pub outputs: Vec<ReportedTensor>,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// What a run of the layer costs, in the unit of [`Report::estimate`]; `null` where no figure of its kernel is known.
    pub cost: Option<f64>,
    /// Weights, biases and tables, in flash.
    pub constant_bytes: usize,
    /// The arena while the layer runs.
    pub memory: Memory,
    /// How the first output lies to the input that ends here.
    pub overlap: Overlap,
    /// Why the portable body computes the layer's products although the program is for another backend, which would take fewer instructions; `null`
    /// where the backend's own body does, or where there are no products.
    pub portable: Option<&'static str>,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReportedTensor {
    /// The name in the file.
    pub name: String,
    /// The type of its elements as the schema names it, such as `INT8`.
    pub element: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The scales: none, one, or one per channel. Real value = scale · (stored value − zero point).
    pub scales: Vec<f32>,
    /// The zero points, as many as there are scales.
    pub zero_points: Vec<i64>,
}

/// The arena at one moment, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Memory {
    /// Tensors that are needed at the moment, this layer's and those that wait for a later one. What an input and an output have in common counts once.
    pub live_bytes: usize,
    /// Scratch memory of the layer.
    pub scratch_bytes: usize,
    /// What lies unused between these: tensors end at whole words, and an input overlaps the output only as far as the layer allows it.
    pub padding_bytes: usize,
    /// The sum of the three: what the arena would take if it had this moment alone. The largest of all moments is the arena.
    pub arena_bytes: usize,
}

impl From<ArenaUse> for Memory {
    fn from(ArenaUse { live, scratch, extent }: ArenaUse) -> Self {
        debug_assert!(live + scratch <= extent, "tensors lie in the arena and apart");
        let padding_bytes = extent.saturating_sub(live + scratch);
        Self { live_bytes: live, scratch_bytes: scratch, padding_bytes, arena_bytes: extent }
    }
}

/// How a layer's first output lies to the input that is not needed after the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Apart.
    None,
    /// They have bytes in common: the layer writes behind where it reads.
    Partial,
    /// The output takes the place of the input, element by element.
    InPlace,
}

fn name<S: Serializer>(backend: &Backend, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(backend.name())
}

impl Program {
    /// What is known of the program before it runs. Costs are those of the core that stands for the backend, such as the Cortex-M4 for `dsp`.
    pub fn report(&self) -> Report {
        self.report_of(Core::of_backend(self.backend).map(|core| self.estimate(core)), None)
    }

    /// The same with the costs of a core, and milliseconds at its clock in hertz. The program should be compiled for the core's backend.
    pub fn report_on(&self, core: Core, clock: Option<f64>) -> Report {
        self.report_of(Some(self.estimate(core)), clock)
    }

    fn report_of(&self, estimate: Option<Estimate>, clock: Option<f64>) -> Report {
        let [before, after] = self.ends;
        let costs = estimate.as_ref().map_or_else(|| vec![None; self.steps.len()], |estimate| estimate.layers.clone());
        let milliseconds = estimate.as_ref().zip(clock).and_then(|(of, clock)| of.milliseconds(of.total, clock));
        Report {
            model: self.name.clone(),
            backend: self.backend,
            arena_bytes: self.arena_bytes(),
            state_bytes: self.state_bytes(),
            constant_bytes: self.constant_bytes(),
            macs: self.macs(),
            estimate,
            clock,
            milliseconds,
            removed: self.net.removed,
            split: self.split_text(),
            inputs: self.reported(&self.net.inputs),
            outputs: self.reported(&self.net.outputs),
            memory_before: before.into(),
            layers: (self.steps.iter().zip(costs).zip(self.constants_by_step()))
                .map(|((step, cost), constants)| self.layer(step, cost, constants))
                .collect(),
            memory_after: after.into(),
            edges: self.edges(),
        }
    }

    /// Which steps read what others wrote. Operators that only view a tensor in another shape are no steps: their input stands for their output.
    fn edges(&self) -> Vec<(usize, usize)> {
        let mut viewed: HashMap<TensorId, TensorId> = HashMap::new();
        for node in &self.net.nodes {
            let input = node.inputs.iter().flatten().next();
            viewed.extend(input.iter().flat_map(|&&input| node.outputs.iter().map(move |&output| (output, input))));
        }
        let mut written: HashMap<TensorId, usize> = HashMap::new();
        let mut edges = Vec::new();
        for (position, step) in self.steps.iter().enumerate() {
            for &input in &step.call.inputs {
                // From view to view, up to what a step wrote. A net has no cycles; its tensors bound the way all the same.
                let ways = successors(Some(input), |id| viewed.get(id).copied()).take(self.net.tensors.len());
                edges.extend(ways.filter_map(|id| written.get(&id)).next().map(|&from| (from, position)));
            }
            written.extend(step.call.outputs.iter().map(|&output| (output, position)));
        }
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    fn reported(&self, ids: &[TensorId]) -> Vec<ReportedTensor> {
        let reported = |&id: &TensorId| {
            let tensor = &self.net.tensors[id];
            let quantisation = tensor.quantisation.as_ref();
            ReportedTensor {
                name: tensor.name.clone(),
                element: tensor.element.to_string(),
                shape: tensor.shape.clone(),
                scales: quantisation.map_or_else(Vec::new, |of| of.scales.clone()),
                zero_points: quantisation
                    .map_or_else(Vec::new, |of| of.zero_points.iter().map(|&point| point.into()).collect()),
            }
        };
        ids.iter().map(reported).collect()
    }

    fn layer(&self, step: &Step, cost: Option<f64>, constant_bytes: usize) -> Layer {
        let node = &self.net.nodes[step.node];
        Layer {
            index: node.index,
            operator: node.name.clone(),
            options: step.call.label.clone(),
            kernels: step.call.body.kernels(),
            inputs: self.reported(&step.call.inputs),
            outputs: self.reported(&step.call.outputs),
            macs: step.call.macs,
            cost,
            constant_bytes,
            memory: step.memory.into(),
            overlap: match (step.io.shared, step.call.gaps.first()) {
                (true, Some(Some(0))) => Overlap::InPlace,
                (true, _) => Overlap::Partial,
                (false, _) => Overlap::None,
            },
            portable: step.call.portable,
        }
    }
}

impl Report {
    /// What the costs are, in whole sentences; none where there are no costs.
    fn about_costs(&self) -> Vec<String> {
        let Some(Estimate { core, unit, total, largest_error, .. }) = &self.estimate else {
            return vec!["No cycles are given: the portable backend stands for no core.".into()];
        };
        let total = table::group(total.round() as usize);
        let mut sentences = vec![match (unit, self.milliseconds.zip(self.clock)) {
            (Unit::Cycles, Some((milliseconds, clock))) => {
                format!(
                    "{total} cycles on a {}, {} ms at {} MHz",
                    core.name(),
                    table::milliseconds(milliseconds),
                    clock / 1e6
                )
            }
            _ => format!("{total} {} on a {}", unit.name(), core.name()),
        }];
        sentences.push(match unit {
            Unit::Cycles => format!(
                "Cycles are estimates: the core's published timings applied to what QEMU executes, without wait states of the flash, not measured on silicon. \
                 A layer's follow from a fit to measured shapes, which is off by {:.0} % at most for the kernels here; whole networks were off by less than {:.0} %.",
                // Whole per cent, upwards: nothing is known to be exact.
                (100.0 * largest_error).ceil().max(1.0),
                100.0 * Estimate::WITHIN
            ),
            Unit::Instructions => format!(
                "Instructions are estimates, and no cycles: the timings of this core are not published, so there are no milliseconds either. A layer's follow \
                 from a fit to measured shapes, which is off by {:.0} % at most for the kernels here; whole networks were off by less than {:.0} %.",
                // Whole per cent, upwards: nothing is known to be exact.
                (100.0 * largest_error).ceil().max(1.0),
                100.0 * Estimate::WITHIN
            ),
        });
        let unknown: Vec<String> = self
            .layers
            .iter()
            .filter(|layer| layer.cost.is_none())
            .map(|layer| format!("{} {}", layer.index, layer.operator))
            .collect();
        if !unknown.is_empty() {
            sentences.push(format!("The sum is without {}: no figure of such a layer is known.", unknown.join(", ")));
        }
        sentences
    }

    /// The report as JSON, with the fields of [`Report`] under their names.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        // Only maps with keys that are no strings and failing writers give errors.
        debug_assert!(text.is_ok(), "a report is JSON");
        text.unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    }
}

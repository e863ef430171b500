//! From a checked graph to a program: operators lowered, ordered and placed in memory.

use std::collections::HashMap;

use smolnn_fixed::Backend;

use crate::error::{Error, Problem, Result};
use crate::graph::{Constant, Element, Graph, TensorId};
use crate::memory::{Io, Operand, Place, rust_type};
use crate::operators::{Kernel, Lowered, lower};
use crate::plan::{self, Item, Overlap, Placement, Use};

/// Most steps and tensors that are planned.
const MOST_STEPS: usize = 2000;
/// Largest arena, in bytes.
const LARGEST_ARENA: usize = 1 << 29;

/// A step of the program.
#[derive(Debug)]
pub(crate) struct Step {
    /// Index of the operator in the file.
    pub operator: usize,
    /// Name of the operator.
    pub name: String,
    /// Its options in a few words.
    pub label: String,
    pub inputs: Vec<TensorId>,
    pub outputs: Vec<TensorId>,
    pub io: Io,
    pub kernel: Box<dyn Kernel>,
    /// Bytes of the arena in use while it runs.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the table shows it"))]
    pub live_bytes: usize,
}

/// A model compiled for a backend: what to run in which order, and where every tensor lies.
///
/// Made by [`Model::compile`](crate::Model::compile).
#[derive(Debug)]
pub struct Program {
    pub(crate) name: String,
    pub(crate) backend: Backend,
    pub(crate) graph: Graph,
    pub(crate) steps: Vec<Step>,
    pub(crate) arena_words: usize,
    pub(crate) state_words: usize,
    /// Word ranges of the state and the word each starts from.
    pub(crate) state_values: Vec<(std::ops::Range<usize>, u32)>,
    /// Byte offset in the arena of each tensor that lies there.
    pub(crate) offsets: HashMap<TensorId, usize>,
}

/// A step before it is placed.
struct Draft {
    operator: usize,
    name: String,
    label: String,
    inputs: Vec<TensorId>,
    states: Vec<TensorId>,
    outputs: Vec<TensorId>,
    kernel: Box<dyn Kernel>,
}

impl Program {
    pub(crate) fn new(name: &str, graph: Graph, backend: Backend) -> Result<Self> {
        let (drafts, roots) = lower_all(&graph, backend)?;
        let layout = Layout::new(&graph, &drafts, &roots);
        let mut placed = layout.place(&drafts, None);
        if let Some(order) = layout.order(&drafts)
            && !order.iter().copied().eq(0..drafts.len())
        {
            let other = layout.place(&drafts, Some(order));
            if other.placement.bytes < placed.placement.bytes {
                placed = other;
            }
        }
        if placed.placement.bytes > LARGEST_ARENA {
            let found = format!("an arena of {} bytes", placed.placement.bytes);
            return Err(Error::Unsupported(vec![Problem::model(found, "at most 512 MiB")]));
        }
        let states = layout.states();
        Ok(layout.finish(name, backend, drafts, placed, states))
    }

    /// Bytes of the arena: inputs, outputs, everything between, and scratch memory.
    pub fn arena_bytes(&self) -> usize {
        self.arena_words * 4
    }

    /// Bytes of the states that are kept from run to run.
    pub fn state_bytes(&self) -> usize {
        self.state_words * 4
    }

    /// Bytes of constants: packed weights, biases, tables.
    pub fn constant_bytes(&self) -> usize {
        self.steps.iter().map(|step| step.kernel.constant_bytes() + operand_constant_bytes(&step.io)).sum()
    }

    /// Multiply-accumulates of one run.
    pub fn macs(&self) -> u64 {
        self.steps.iter().map(|step| step.kernel.macs()).fold(0, u64::saturating_add)
    }

    /// The backend that it was compiled for.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The graph that it was compiled from, simplified.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

/// Bytes of constant operands.
pub(crate) fn operand_constant_bytes(io: &Io) -> usize {
    let bytes = |operand: &Operand| if let Place::Constant(words) = &operand.place { words.len() * 4 } else { 0 };
    io.inputs.iter().map(bytes).sum()
}

/// Lowers every operator, or lists all that do not work; and says for each tensor whose memory it shares.
fn lower_all(graph: &Graph, backend: Backend) -> Result<(Vec<Draft>, Vec<TensorId>)> {
    let mut problems = Vec::new();
    let mut drafts = Vec::new();
    let mut roots: Vec<TensorId> = (0..graph.tensors.len()).collect();
    if graph.operators.len() > MOST_STEPS
        || graph.operators.iter().map(|operator| operator.outputs.len()).sum::<usize>() > MOST_STEPS
    {
        let found = format!("{} operators", graph.operators.len());
        return Err(Error::Unsupported(vec![Problem::model(found, &format!("at most {MOST_STEPS}")[..])]));
    }
    for operator in &graph.operators {
        match lower(graph, operator, backend) {
            Err(problem) => problems.push(problem),
            Ok(Lowered::Alias { input, output }) => {
                if graph.tensors[roots[input]].variable {
                    problems.push(variable_problem(graph, operator.index, &operator.code.to_string(), input));
                }
                roots[output] = roots[input];
            }
            Ok(Lowered::Step { inputs, states, label, kernel }) => {
                let name = operator.code.to_string();
                for &input in &inputs {
                    if graph.tensors[roots[input]].variable {
                        problems.push(variable_problem(graph, operator.index, &name, input));
                    }
                }
                drafts.push(Draft {
                    operator: operator.index,
                    name,
                    label,
                    inputs,
                    states,
                    outputs: operator.outputs.clone(),
                    kernel,
                });
            }
        }
    }
    if !problems.is_empty() {
        return Err(Error::Unsupported(problems));
    }
    for (list, what) in [(&graph.inputs, "input"), (&graph.outputs, "output")] {
        for &id in list {
            let tensor = &graph.tensors[id];
            let root = &graph.tensors[roots[id]];
            let fault = |found: String, supported: &str| Problem {
                operator: None,
                tensor: Some((id, tensor.name.clone())),
                found,
                supported: supported.into(),
            };
            if rust_type(tensor.element).is_none() {
                problems.push(fault(format!("an {what} of {}", tensor.element), "INT8, INT16, INT32, FLOAT32"));
            }
            if root.data.is_some() {
                problems.push(fault(format!("an {what} that is a constant"), "outputs that are computed"));
            }
            if root.variable {
                problems
                    .push(fault(format!("an {what} that is a variable"), "variables inside of recurrent operators"));
            }
        }
    }
    if problems.is_empty() { Ok((drafts, roots)) } else { Err(Error::Unsupported(problems)) }
}

fn variable_problem(graph: &Graph, operator: usize, name: &str, tensor: TensorId) -> Problem {
    Problem {
        operator: Some((operator, name.into())),
        tensor: Some((tensor, graph.tensors[tensor].name.clone())),
        found: "a variable tensor".into(),
        supported: "variables as the states of recurrent operators".into(),
    }
}

/// What needs memory: the tensors that lie in the arena, as items of the plan.
struct Layout<'a> {
    graph: &'a Graph,
    roots: &'a [TensorId],
    /// Item of each root in the arena.
    items: HashMap<TensorId, usize>,
    bytes: Vec<usize>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    /// Roots of the states, in order of first use.
    states: Vec<TensorId>,
}

/// The memory of the states.
struct States {
    /// Byte offset of each.
    places: HashMap<TensorId, usize>,
    /// Word ranges that do not start from 0, and what they start from.
    values: Vec<(std::ops::Range<usize>, u32)>,
    words: usize,
}

struct Placed {
    /// Position in the order -> draft.
    order: Vec<usize>,
    items: Vec<Item>,
    placement: Placement,
}

impl<'a> Layout<'a> {
    fn new(graph: &'a Graph, drafts: &[Draft], roots: &'a [TensorId]) -> Self {
        let mut layout = Self {
            graph,
            roots,
            items: HashMap::new(),
            bytes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            states: Vec::new(),
        };
        layout.inputs = graph.inputs.iter().filter_map(|&id| layout.item(id)).collect();
        for draft in drafts {
            for &id in draft.inputs.iter().chain(&draft.outputs) {
                layout.item(id);
            }
            for &id in &draft.states {
                if !layout.states.contains(&id) {
                    layout.states.push(id);
                }
            }
        }
        layout.outputs = graph.outputs.iter().filter_map(|&id| layout.item(id)).collect();
        layout
    }

    /// The item of a tensor, made at its first use; `None` for constants.
    fn item(&mut self, id: TensorId) -> Option<usize> {
        let root = self.roots[id];
        let tensor = &self.graph.tensors[root];
        if tensor.data.is_some() {
            return None;
        }
        if let Some(&item) = self.items.get(&root) {
            return Some(item);
        }
        self.items.insert(root, self.bytes.len());
        self.bytes.push(tensor.bytes());
        Some(self.bytes.len() - 1)
    }

    fn items_of(&self, ids: &[TensorId]) -> Vec<usize> {
        ids.iter().filter_map(|&id| self.items.get(&self.roots[id]).copied()).collect()
    }

    fn order(&self, drafts: &[Draft]) -> Option<Vec<usize>> {
        if drafts.iter().any(|draft| !draft.states.is_empty()) {
            return None;
        }
        let uses: Vec<Use> = drafts
            .iter()
            .map(|draft| Use {
                reads: self.items_of(&draft.inputs),
                writes: self.items_of(&draft.outputs),
                scratch: draft.kernel.scratch_words() * 4,
            })
            .collect();
        plan::order(&uses, &self.bytes, &self.inputs, &self.outputs)
    }

    /// Places the tensors, and the scratch memory of each step behind them in the list of items.
    fn place(&self, drafts: &[Draft], order: Option<Vec<usize>>) -> Placed {
        let order = order.unwrap_or_else(|| (0..drafts.len()).collect());
        let end = drafts.len() + 1;
        let mut items: Vec<Item> = self.bytes.iter().map(|&bytes| Item { bytes, first: usize::MAX, last: 0 }).collect();
        let mut touch = |item: usize, moment: usize| {
            items[item].first = items[item].first.min(moment);
            items[item].last = items[item].last.max(moment);
        };
        self.inputs.iter().for_each(|&item| touch(item, 0));
        self.outputs.iter().for_each(|&item| touch(item, end));
        for (position, &draft) in order.iter().enumerate() {
            for item in self.items_of(&drafts[draft].inputs).into_iter().chain(self.items_of(&drafts[draft].outputs)) {
                touch(item, position + 1);
            }
        }
        let mut overlaps = Vec::new();
        for (position, &draft) in order.iter().enumerate() {
            let draft = &drafts[draft];
            if let Some((_, overlap)) = self.overlap(draft, &items, position + 1) {
                overlaps.push(overlap);
            }
        }
        for (position, &draft) in order.iter().enumerate() {
            items.push(Item {
                bytes: drafts[draft].kernel.scratch_words() * 4,
                first: position + 1,
                last: position + 1,
            });
        }
        let placement = plan::place(&items, &overlaps);
        Placed { order, items, placement }
    }

    /// The input that the step's output may overlap: the largest of those that die here.
    fn overlap(&self, draft: &Draft, items: &[Item], moment: usize) -> Option<(usize, Overlap)> {
        let output = *self.items.get(&self.roots[*draft.outputs.first()?])?;
        let inputs: Vec<Option<usize>> =
            draft.inputs.iter().map(|&id| self.items.get(&self.roots[id]).copied()).collect();
        (0..inputs.len())
            .filter_map(|index| {
                let gap = draft.kernel.overlap_gap(index)?;
                let input = inputs[index]?;
                let dies_here =
                    items[input].last == moment && items[input].first < moment && items[output].first == moment;
                let once = inputs.iter().filter(|&&other| other == Some(input)).count() == 1;
                (dies_here && once && input != output).then_some((index, Overlap { input, output, gap }))
            })
            .max_by_key(|(_, overlap)| items[overlap.input].bytes)
    }

    /// Places, initial values and size of the states, one behind the other.
    fn states(&self) -> States {
        let mut places = HashMap::new();
        let mut values = Vec::new();
        let mut words = 0;
        for &id in &self.states {
            let tensor = &self.graph.tensors[id];
            let end = words + tensor.bytes().div_ceil(4);
            places.insert(id, words * 4);
            // Int8 states start from real 0, which is their zero point; wider ones have zero point 0.
            let zero_point = tensor
                .quantisation
                .as_ref()
                .and_then(|quantisation| quantisation.zero_points.first())
                .copied()
                .unwrap_or(0);
            if tensor.element == Element::I8 && zero_point != 0 {
                values.push((words..end, u32::from_le_bytes([zero_point as i8 as u8; 4])));
            }
            words = end;
        }
        States { places, values, words }
    }

    fn finish(&self, name: &str, backend: Backend, drafts: Vec<Draft>, placed: Placed, states: States) -> Program {
        let Placed { order, items, placement } = placed;
        let offsets: HashMap<TensorId, usize> = (0..self.graph.tensors.len())
            .filter_map(|id| self.items.get(&self.roots[id]).map(|&item| (id, placement.offsets[item])))
            .collect();
        let operand = |id: TensorId| {
            let tensor = &self.graph.tensors[id];
            let place = match (&self.graph.tensors[self.roots[id]].data, states.places.get(&id), offsets.get(&id)) {
                (Some(data), ..) => Place::Constant(constant_words(data)),
                (_, Some(&offset), _) => Place::State(offset),
                (_, _, offset) => Place::Arena(offset.copied().unwrap_or_default()),
            };
            Operand { place, element: tensor.element, length: tensor.len() }
        };
        let mut drafts: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
        let mut steps = Vec::with_capacity(order.len());
        for (position, &index) in order.iter().enumerate() {
            let Some(draft) = drafts[index].take() else { continue };
            let scratch = placement.offsets[self.bytes.len() + position] / 4;
            let shared = self.overlap(&draft, &items, position + 1).filter(|(_, overlap)| {
                let (input, output) = (placement.offsets[overlap.input], placement.offsets[overlap.output]);
                input < output + items[overlap.output].bytes && output < input + items[overlap.input].bytes
            });
            let moment = position + 1;
            let alive = |item: &Item| item.first <= moment && moment <= item.last;
            steps.push(Step {
                operator: draft.operator,
                io: Io {
                    step: position,
                    inputs: draft.inputs.iter().map(|&id| operand(id)).collect(),
                    outputs: draft.outputs.iter().map(|&id| operand(id)).collect(),
                    states: draft.states.iter().map(|&id| operand(id)).collect(),
                    scratch: scratch..scratch + draft.kernel.scratch_words(),
                    shared: shared.map(|(index, _)| index),
                },
                live_bytes: covered(
                    items
                        .iter()
                        .zip(&placement.offsets)
                        .filter(|(item, _)| alive(item))
                        .map(|(item, &at)| (at, item.bytes)),
                ),
                name: draft.name,
                label: draft.label,
                inputs: draft.inputs,
                outputs: draft.outputs,
                kernel: draft.kernel,
            });
        }
        Program {
            name: name.into(),
            backend,
            graph: self.graph.clone(),
            steps,
            arena_words: placement.bytes / 4,
            state_words: states.words,
            state_values: states.values,
            offsets,
        }
    }
}

/// Bytes that regions (offset, length) take together, where they overlap once.
fn covered(regions: impl Iterator<Item = (usize, usize)>) -> usize {
    let mut regions: Vec<_> = regions.collect();
    regions.sort_unstable();
    let (mut bytes, mut end) = (0, 0);
    for (start, length) in regions {
        bytes += (start + length).saturating_sub(end.max(start));
        end = end.max(start + length);
    }
    bytes
}

/// The bytes of a constant as whole words.
fn constant_words(data: &Constant) -> Vec<u32> {
    data.bytes()
        .chunks(4)
        .map(|chunk| {
            let mut bytes = [0; 4];
            bytes[..chunk.len()].copy_from_slice(chunk);
            u32::from_le_bytes(bytes)
        })
        .collect()
}

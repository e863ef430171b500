//! From calls to a program: ordered, and placed in memory.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use smolnn_fixed::Backend;

use super::order::{self, Use};
use super::place::{self, Item, Overlap, Placement};
use crate::error::{Error, Problem, Result};
use crate::lower::{Call, Calls, Io, Lowering, Operand, Place, Storage};
use crate::net::{Constant, Element, Net, Tensor, TensorId};

/// Largest arena, in bytes.
const LARGEST_ARENA: usize = 1 << 29;

/// A call with its place in the program.
#[derive(Debug)]
pub(crate) struct Step {
    /// Position of the node in the net.
    pub node: usize,
    pub call: Call,
    pub io: Io,
    /// The arena while it runs.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
    pub memory: ArenaUse,
}

/// The arena at one moment, in bytes.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
pub(crate) struct ArenaUse {
    /// Tensors that are needed. What two of them have in common counts once.
    pub live: usize,
    pub scratch: usize,
    /// Up to the end of the last of these.
    pub extent: usize,
}

impl Step {
    /// Bytes of constants that the call reads: weights, tables, constant operands.
    pub(crate) fn constant_bytes(&self) -> usize {
        let bytes = |operand: &Operand| if let Place::Constant(words) = &operand.place { words.len() * 4 } else { 0 };
        self.call.constant_bytes + self.io.inputs.iter().map(bytes).sum::<usize>()
    }
}

/// A model compiled for a backend: what to run in which order, and where every tensor lies.
///
/// Made by [`Model::compile`](crate::Model::compile).
#[derive(Debug)]
pub struct Program {
    pub(crate) name: String,
    pub(crate) backend: Backend,
    /// The section of the linker's for weights and tables, where one is named.
    pub(crate) link_section: Option<String>,
    /// Lists of labels that came with the file.
    pub(crate) labels: Vec<Vec<String>>,
    pub(crate) net: Net,
    pub(crate) steps: Vec<Step>,
    /// The arena before the first step, with the inputs in it, and behind the last one, with the outputs.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
    pub(crate) ends: [ArenaUse; 2],
    pub(crate) arena_words: usize,
    pub(crate) state_words: usize,
    /// Word ranges of the state and the word each starts from.
    pub(crate) state_values: Vec<(Range<usize>, u32)>,
    /// Byte offset in the arena of each tensor that lies there.
    pub(crate) offsets: HashMap<TensorId, usize>,
}

impl Program {
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
        self.steps.iter().map(Step::constant_bytes).sum()
    }

    /// Multiply-accumulates of one run.
    pub fn macs(&self) -> u64 {
        self.steps.iter().map(|step| step.call.macs).fold(0, u64::saturating_add)
    }

    /// The backend that it was compiled for.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// A sentence per reason for which layers run portably although other code for the backend would take fewer instructions.
    pub(crate) fn portable_layers(&self) -> Vec<String> {
        portable_layers(self.steps.iter().filter_map(|step| {
            let node = &self.net.nodes[step.node];
            Some((node.index, &*node.name, step.call.portable?))
        }))
    }

    /// The net that it was compiled from, as rewritten; behind the tensors of the file stand those that compiling added.
    pub fn net(&self) -> &Net {
        &self.net
    }
}

/// A sentence per reason, of layers by their number, their operator and the reason for which they run portably.
pub(crate) fn portable_layers<'a>(layers: impl Iterator<Item = (usize, &'a str, &'a str)>) -> Vec<String> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (index, operator, reason) in layers {
        reasons.entry(reason).or_default().push(format!("{index} {operator}"));
    }
    let sentence =
        |(reason, layers): (&str, Vec<String>)| format!("Portable code runs {}: {reason}.", layers.join(", "));
    reasons.into_iter().map(sentence).collect()
}

/// Orders the calls and places their tensors.
///
/// # Errors
/// [`Error::Unsupported`] when the arena would be larger than any microcontroller's memory.
pub(crate) fn plan(name: &str, backend: Backend, lowered: Calls) -> Result<Program> {
    let Calls { net, calls, roots } = lowered;
    let layout = Layout::new(&net, &calls, &roots);
    let mut placed = layout.place(&calls, (0..calls.len()).collect());
    if let Some(order) = layout.order(&calls)
        && !order.iter().copied().eq(0..calls.len())
    {
        let other = layout.place(&calls, order);
        if other.placement.bytes < placed.placement.bytes {
            placed = other;
        }
    }
    if placed.placement.bytes > LARGEST_ARENA {
        let found = format!("an arena of {} bytes", placed.placement.bytes);
        return Err(Error::Unsupported(vec![Problem::model(found, "at most 512 MiB")]));
    }
    let states = layout.states();
    let offsets = layout.offsets(&placed.placement);
    let arena_words = placed.placement.bytes / 4;
    let uses = placed.uses();
    let ends = [uses[0], uses[uses.len() - 1]];
    let steps = layout.steps(calls, &placed, &uses, &states, &offsets)?;
    Ok(Program {
        name: name.into(),
        backend,
        link_section: None,
        labels: Vec::new(),
        steps,
        ends,
        arena_words,
        state_words: states.words,
        state_values: states.values,
        offsets,
        net,
    })
}

/// What needs memory: the tensors that lie in the arena, as items of the plan.
struct Layout<'a> {
    net: &'a Net,
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
    values: Vec<(Range<usize>, u32)>,
    words: usize,
}

struct Placed {
    /// Position in the order -> call.
    order: Vec<usize>,
    items: Vec<Item>,
    placement: Placement,
}

impl Placed {
    /// The arena at every moment: the first has the inputs in it, then comes one per call, then one with the outputs. The bytes that two tensors
    /// have in common still count twice.
    fn uses(&self) -> Vec<ArenaUse> {
        let Self { order, items, placement } = self;
        let moments = order.len() + 2;
        let (mut born, mut dead) = (vec![Vec::new(); moments], vec![Vec::new(); moments + 1]);
        for (index, item) in items.iter().enumerate().filter(|(_, item)| item.bytes > 0) {
            born[item.first].push(index);
            dead[item.last + 1].push(index);
        }
        let first_scratch = items.len() - order.len();
        let (mut live, mut scratch) = (0, 0);
        // How many live items end at a byte of the arena.
        let mut ends = BTreeMap::new();
        let end = |index: usize| placement.offsets[index] + items[index].bytes.next_multiple_of(place::ALIGNMENT);
        let uses = born.iter().zip(&dead).map(|(born, dead)| {
            for &index in dead {
                *(if index < first_scratch { &mut live } else { &mut scratch }) -= items[index].bytes;
                if let Entry::Occupied(mut count) = ends.entry(end(index)) {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }
            for &index in born {
                *(if index < first_scratch { &mut live } else { &mut scratch }) += items[index].bytes;
                *ends.entry(end(index)).or_insert(0) += 1;
            }
            let extent = ends.last_key_value().map_or(0, |(&end, _)| end);
            ArenaUse { live, scratch, extent }
        });
        uses.collect()
    }
}

impl<'a> Layout<'a> {
    fn new(net: &'a Net, calls: &[Lowering], roots: &'a [TensorId]) -> Self {
        let mut layout = Self {
            net,
            roots,
            items: HashMap::new(),
            bytes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            states: Vec::new(),
        };
        layout.inputs = net.inputs.iter().filter_map(|&id| layout.item(id)).collect();
        for Lowering { call, .. } in calls {
            for &id in call.inputs.iter().chain(&call.outputs) {
                layout.item(id);
            }
            for &id in &call.states {
                if !layout.states.contains(&id) {
                    layout.states.push(id);
                }
            }
        }
        layout.outputs = net.outputs.iter().filter_map(|&id| layout.item(id)).collect();
        layout
    }

    /// The item of a tensor, made at its first use; `None` for constants and for what lies in the memory of the states.
    fn item(&mut self, id: TensorId) -> Option<usize> {
        let root = self.roots[id];
        let tensor = &self.net.tensors[root];
        if tensor.data.is_some() || tensor.variable {
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

    fn order(&self, calls: &[Lowering]) -> Option<Vec<usize>> {
        if calls.iter().any(|of| !of.call.states.is_empty()) {
            return None;
        }
        let uses: Vec<Use> = calls
            .iter()
            .map(|Lowering { call, .. }| Use {
                reads: self.items_of(&call.inputs),
                writes: self.items_of(&call.outputs),
                scratch: call.scratch_words * 4,
            })
            .collect();
        order::order(&uses, &self.bytes, &self.inputs, &self.outputs)
    }

    /// Places the tensors, and the scratch memory of each call behind them in the list of items.
    fn place(&self, calls: &[Lowering], order: Vec<usize>) -> Placed {
        let end = calls.len() + 1;
        let mut items: Vec<Item> = self.bytes.iter().map(|&bytes| Item { bytes, first: usize::MAX, last: 0 }).collect();
        let mut touch = |item: usize, moment: usize| {
            items[item].first = items[item].first.min(moment);
            items[item].last = items[item].last.max(moment);
        };
        self.inputs.iter().for_each(|&item| touch(item, 0));
        self.outputs.iter().for_each(|&item| touch(item, end));
        for (position, &index) in order.iter().enumerate() {
            let call = &calls[index].call;
            for item in self.items_of(&call.inputs).into_iter().chain(self.items_of(&call.outputs)) {
                touch(item, position + 1);
            }
        }
        let overlaps = order.iter().enumerate();
        let overlaps = overlaps.filter_map(|(position, &index)| self.overlap(&calls[index].call, &items, position + 1));
        let overlaps: Vec<Overlap> = overlaps.map(|(_, overlap)| overlap).collect();
        for (position, &index) in order.iter().enumerate() {
            let bytes = calls[index].call.scratch_words * 4;
            items.push(Item { bytes, first: position + 1, last: position + 1 });
        }
        let placement = place::place(&items, &overlaps);
        Placed { order, items, placement }
    }

    /// The input that the call's output may overlap: the largest of those that die here.
    fn overlap(&self, call: &Call, items: &[Item], moment: usize) -> Option<(usize, Overlap)> {
        let output = *self.items.get(&self.roots[*call.outputs.first()?])?;
        let inputs: Vec<Option<usize>> =
            call.inputs.iter().map(|&id| self.items.get(&self.roots[id]).copied()).collect();
        (0..inputs.len())
            .filter_map(|index| {
                let gap = call.gaps[index]?;
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
        let mut states = States { places: HashMap::new(), values: Vec::new(), words: 0 };
        for &id in &self.states {
            let tensor = &self.net.tensors[id];
            let end = states.words + tensor.bytes().div_ceil(4);
            states.places.insert(id, states.words * 4);
            for (word, index) in start_of_state(tensor).into_iter().zip(states.words..end) {
                match states.values.last_mut() {
                    // Words of one value are one range.
                    Some((range, value)) if range.end == index && *value == word => range.end += 1,
                    _ if word != 0 => states.values.push((index..index + 1, word)),
                    _ => {}
                }
            }
            states.words = end;
        }
        states
    }

    /// The byte offset of each tensor that lies in the arena.
    fn offsets(&self, placement: &Placement) -> HashMap<TensorId, usize> {
        let offset = |id: TensorId| Some((id, placement.offsets[*self.items.get(&self.roots[id])?]));
        (0..self.net.tensors.len()).filter_map(offset).collect()
    }

    /// A tensor with its place.
    fn operand(&self, id: TensorId, states: &States, offsets: &HashMap<TensorId, usize>) -> Result<Operand> {
        let tensor = &self.net.tensors[id];
        let place = match (&self.net.tensors[self.roots[id]].data, states.places.get(&self.roots[id]), offsets.get(&id))
        {
            (Some(data), ..) => Some(Place::Constant(constant_words(data))),
            (_, Some(&offset), _) => Some(Place::State(offset)),
            (_, _, Some(&offset)) => Some(Place::Arena(offset)),
            (None, None, None) => None,
        };
        match (place, Storage::within(tensor)) {
            (Some(place), Some((storage, length))) => Ok(Operand { place, storage, length }),
            _ => {
                // Lowering checked the element types, and every tensor of a call has an item.
                debug_assert!(false, "tensor {id} has no place");
                let found = format!("tensor {id} of {} without a place", tensor.element);
                Err(Error::Unsupported(vec![Problem::model(found, "INT8, UINT8, INT16, INT32, FLOAT32")]))
            }
        }
    }

    fn steps(
        &self,
        calls: Vec<Lowering>,
        placed: &Placed,
        uses: &[ArenaUse],
        states: &States,
        offsets: &HashMap<TensorId, usize>,
    ) -> Result<Vec<Step>> {
        let Placed { order, items, placement } = placed;
        let mut calls: Vec<Option<Lowering>> = calls.into_iter().map(Some).collect();
        let mut steps = Vec::with_capacity(order.len());
        for (position, &index) in order.iter().enumerate() {
            let Some(Lowering { node, mut call }) = calls[index].take() else {
                debug_assert!(false, "call {index} comes twice in the order");
                continue;
            };
            let moment = position + 1;
            // The input that the output overlaps, if the plan has them so, and the bytes that they have in common.
            let shared = self.overlap(&call, items, moment).and_then(|(index, overlap)| {
                let range = |item: usize| placement.offsets[item]..placement.offsets[item] + items[item].bytes;
                let (input, output) = (range(overlap.input), range(overlap.output));
                let common = input.end.min(output.end).saturating_sub(input.start.max(output.start));
                (common > 0).then_some((index, common))
            });
            if let Some((1, _)) = shared
                && let Some(exchanged) = call.exchanged.take()
            {
                call.inputs.swap(0, 1);
                call.gaps.swap(0, 1);
                call.body = exchanged;
            }
            let operands =
                |ids: &[TensorId]| ids.iter().map(|&id| self.operand(id, states, offsets)).collect::<Result<Vec<_>>>();
            let scratch = placement.offsets[self.bytes.len() + position] / 4;
            let (inputs, outputs) = (operands(&call.inputs)?, operands(&call.outputs)?);
            let (states, scratch) = (operands(&call.states)?, scratch..scratch + call.scratch_words);
            let io = Io::new(inputs, outputs, states, scratch, shared.is_some());
            let mut memory = uses[moment];
            memory.live -= shared.map_or(0, |(_, common)| common);
            steps.push(Step { node, call, io, memory });
        }
        Ok(steps)
    }
}

/// The words that a state starts from: what is stated, or real 0, which is the zero point of int8; wider types have zero point 0.
fn start_of_state(tensor: &Tensor) -> Vec<u32> {
    if let Some(start) = &tensor.start {
        return constant_words(start);
    }
    let zero_points = tensor.quantisation.as_ref().map(|quantisation| &quantisation.zero_points[..]);
    let byte = match zero_points {
        Some(&[zero_point, ..]) if tensor.element == Element::I8 => zero_point as i8 as u8,
        _ => 0,
    };
    vec![u32::from_le_bytes([byte; 4]); tensor.bytes().div_ceil(4)]
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

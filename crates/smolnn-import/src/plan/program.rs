//! From calls to a program: ordered, and placed in memory.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use smolnn_fixed::Backend;

use super::band::{Every, Line, RowCall};
use super::divide::{self, Segment, Sequence, SequencedCall, SequencedItem, Weight};
use super::order::{self, Use};
use super::place::{self, Item, Overlap, Placement, Resting};
use super::turns::{ByRows, Moves, RowRun, Turns};
use crate::error::{Error, Problem, Result};
use crate::lower::{Call, Calls, Io, Lowering, Operand, Place, RowLowering, Source, Storage};
use crate::net::{Constant, Element, Net, Tensor, TensorId, View, row_windows};

/// Most limits of the peaks that are tried for an arena within a budget before those for the least arena: each placement may take a second.
const MOST_LIMITS: usize = 2;

/// Limits that are tried for the least arena: what they exceed the least peak by, in 64ths of it.
const ABOVE_LEAST: [usize; 3] = [0, 2, 6];

/// The share of the arena, one in so many bytes, that rows which are made again save at least.
const WORTH: usize = 10;

/// Calls from which on fewer kinds of bands are tried.
const MANY_CALLS: usize = 96;

/// Instants from one moment to the next: what happens between two calls has an order.
const INSTANTS: usize = 4;

/// Most buffers whose rows are put away behind one call: there is an instant for each of them, and one for all of them.
const MOST_LEAVING: usize = INSTANTS - 2;

/// Largest arena, in bytes.
const LARGEST_ARENA: usize = 1 << 29;

/// A call with its place in the program.
#[derive(Debug)]
pub(crate) struct Step {
    /// Position of the node in the net.
    pub node: usize,
    /// The call over whole tensors. A call of a band is run by rows instead.
    pub call: Call,
    /// Where its tensors lie; of a call of a band, the buffers of rows among them.
    pub io: Io,
    /// The call by rows, of a call of a band.
    pub by_rows: Option<ByRows>,
    /// A tensor that moves to another place before the step, in its stage's first turn.
    pub moved: Option<Moves>,
    /// The arena while it runs.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
    pub memory: ArenaUse,
}

/// Steps that run together, once per turn: one step in one turn, or a band.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// Positions of the steps.
    pub steps: Range<usize>,
    pub turns: usize,
}

/// Bytes of the arena that serve one purpose for a time.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
pub(crate) struct Block {
    pub purpose: Purpose,
    pub bytes: Range<usize>,
    /// Moments from the first to behind the last one: 0 has the inputs, step `s` runs at moment `s + 1`, and the last one has the outputs.
    pub moments: Range<usize>,
}

/// What bytes of the arena serve for.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
pub(crate) enum Purpose {
    /// A tensor.
    Tensor(TensorId),
    /// So many rows of a tensor.
    Rows(TensorId, usize),
    /// Scratch memory of the step at this position.
    Scratch(usize),
}

/// What is wanted of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aim {
    pub goal: Goal,
    /// The input comes row by row.
    pub is_pushed: bool,
}

/// What the plan is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The fewest instructions: every tensor is whole.
    #[default]
    Speed,
    /// The fewest instructions with an arena of at most so many bytes.
    Budget(usize),
    /// The least arena.
    LeastArena,
}

/// How the model takes its input row by row: in which turn of the first stage a row comes, and where it lies then.
#[derive(Clone, Debug)]
pub(crate) struct InputRows {
    /// Rows of the input.
    pub height: usize,
    /// Elements of a row.
    pub row: usize,
    /// Rows of a turn: all of them where the input lies whole before the first step.
    pub rate: usize,
    /// Rows of turn 0: 1 to `rate`.
    pub lead: usize,
    /// Rows that the buffer holds.
    pub capacity: usize,
    /// How the buffer moves on before the first row of a turn, if it does.
    pub moves: Option<Moves>,
    /// The buffer in the arena.
    pub words: Range<usize>,
}

impl InputRows {
    /// The turn in which a row comes.
    pub(crate) fn turn(&self, row: usize) -> usize {
        (row + self.rate - self.lead) / self.rate
    }

    /// The rows that come in a turn.
    pub(crate) fn rows(&self, turn: usize) -> Range<usize> {
        let end = self.rate * turn + self.lead;
        end.saturating_sub(self.rate).min(self.height)..end.min(self.height)
    }

    /// The place of a row in the buffer, in rows.
    pub(crate) fn place(&self, row: usize) -> usize {
        row + self.capacity - (self.rate * self.turn(row) + self.lead)
    }
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
    /// Multiply-accumulates of one run: more than those of the whole call where rows are made again.
    pub(crate) fn macs(&self) -> u64 {
        let of_run = |run: &RowRun| run.call.macs.saturating_mul(run.turns.count() as u64);
        self.by_rows
            .as_ref()
            .map_or(self.call.macs, |by_rows| by_rows.runs.iter().map(of_run).fold(0, u64::saturating_add))
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
    /// All steps, as they run.
    pub(crate) stages: Vec<Stage>,
    /// How its input comes row by row, if it does.
    pub(crate) input_rows: Option<InputRows>,
    /// What lies in the arena, and when.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
    pub(crate) blocks: Vec<Block>,
    /// The arena before the first step, with the inputs in it, and behind the last one, with the outputs.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
    pub(crate) ends: [ArenaUse; 2],
    pub(crate) arena_words: usize,
    pub(crate) state_words: usize,
    /// Word ranges of the state and the word each starts from.
    pub(crate) state_values: Vec<(Range<usize>, u32)>,
    /// Byte offset in the arena of each tensor that lies there; of one between the calls of a band, of the buffer of its rows.
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

    /// Bytes of constants: packed weights, biases, tables. Those that several layers share count once.
    pub fn constant_bytes(&self) -> usize {
        self.constants_by_step().iter().sum()
    }

    /// For each step the bytes of constants that it reads: weights, tables, constant operands. What a step before it reads is not counted again.
    pub(crate) fn constants_by_step(&self) -> Vec<usize> {
        let mut source = Source::new(None);
        let of_step = |step: &Step| {
            let (before, call) = (source.bytes(), &step.call);
            call.body.write(&mut source, &step.io);
            let tables = call.constant_bytes - call.body.bytes();
            source.bytes() - before + tables
        };
        self.steps.iter().map(of_step).collect()
    }

    /// Multiply-accumulates of one run.
    pub fn macs(&self) -> u64 {
        self.steps.iter().map(Step::macs).fold(0, u64::saturating_add)
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

/// Orders the calls, divides them into bands as the goal has it, and places their tensors.
///
/// # Errors
/// [`Error::Unsupported`] when the arena would be larger than any microcontroller's memory, or than the budget.
pub(crate) fn plan(name: &str, backend: Backend, lowered: Calls, Aim { goal, is_pushed }: Aim) -> Result<Program> {
    let Calls { net, calls, roots } = lowered;
    let mut layout = Layout::new(&net, &calls, &roots);
    if is_pushed {
        layout.pushed = Some(layout.pushed_item()?);
    }
    let mut rows = RowLowering::new(&net, backend);
    let mut placed = layout.arrange(&calls, goal, &HashSet::new());
    // Calls of which some rows turned out to need other constants than others.
    let mut refused = HashSet::new();
    let by_rows = loop {
        match layout.by_rows(&calls, &placed, &mut rows) {
            Ok(by_rows) => break by_rows,
            Err(call) => refused.insert(call),
        };
        placed = layout.arrange(&calls, goal, &refused);
    };
    let bytes = placed.placement.bytes;
    if let Goal::Budget(budget) = goal
        && bytes > budget
    {
        let found = format!("a budget of {budget} bytes for the arena");
        return Err(Error::Unsupported(vec![Problem::model(found, format!("at least {bytes} bytes by this plan"))]));
    }
    if bytes > LARGEST_ARENA {
        let found = format!("an arena of {bytes} bytes");
        return Err(Error::Unsupported(vec![Problem::model(found, "at most 512 MiB")]));
    }
    let states = layout.states();
    let input_rows = layout.input_rows(&placed);
    let blocks = layout.blocks(&placed);
    let offsets = layout.offsets(&placed.placement);
    let uses = placed.uses();
    let ends = [uses[0], uses[uses.len() - 1]];
    let stage = |segment: &Segment| Stage {
        steps: segment.calls.clone(),
        turns: segment.band.as_ref().map_or(1, |band| band.turns),
    };
    let stages = placed.segments.iter().map(stage).collect();
    let steps = layout.steps(calls, &placed, by_rows, &uses, &states, &offsets)?;
    Ok(Program {
        name: name.into(),
        backend,
        link_section: None,
        labels: Vec::new(),
        steps,
        stages,
        input_rows,
        blocks,
        ends,
        arena_words: bytes / 4,
        state_words: states.words,
        state_values: states.values,
        offsets,
        net,
    })
}

/// What needs memory: the tensors that lie in the arena, as items of the plan.
pub(super) struct Layout<'a> {
    pub net: &'a Net,
    pub roots: &'a [TensorId],
    /// Item of each root in the arena.
    items: HashMap<TensorId, usize>,
    bytes: Vec<usize>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    /// Roots of the states, in order of first use.
    states: Vec<TensorId>,
    /// The item of the input, where it comes row by row.
    pushed: Option<usize>,
}

/// The memory of the states.
struct States {
    /// Byte offset of each.
    places: HashMap<TensorId, usize>,
    /// Word ranges that do not start from 0, and what they start from.
    values: Vec<(Range<usize>, u32)>,
    words: usize,
}

/// Calls in an order, divided into segments, with their memory.
pub(super) struct Placed {
    /// Position in the order -> call.
    pub order: Vec<usize>,
    pub segments: Vec<Segment>,
    /// The tensors and buffers of rows, then the scratch memory of each call. At the end of the placement are the places of rows that rest.
    items: Vec<Item>,
    placement: Placement,
    /// Buffers of rows that move on.
    buffers: Vec<Buffer>,
    /// Tensors that move between two segments, by their items.
    moved: HashMap<usize, Moved>,
    /// For calls that are no band, by their positions: which of the inputs the output may overlap.
    overlaps: HashMap<usize, (usize, Overlap)>,
    /// Bytes that the input and the output of a band have in common, by the band's first position.
    common: HashMap<usize, usize>,
}

/// A tensor that has another place from some segment on: its output then overlaps it without going further down than it came up.
#[derive(Debug)]
struct Moved {
    /// Its second place, in the list of all that is placed.
    place: usize,
    /// Position of the segment's first call.
    position: usize,
    /// The moments from that call on.
    moments: Range<usize>,
}

/// A buffer of rows that moves on: in a turn all of its rows are in use from the call that writes it to the last one that reads it, between these times rows
/// rest.
#[derive(Debug)]
struct Buffer {
    item: usize,
    /// Position of the call that writes it; `None` for the model's input, whose rows come before the first call.
    writer: Option<usize>,
    /// Position of the last call that reads it.
    reader: usize,
    /// Bytes that a turn writes, and bytes that rest: the last ones of the buffer.
    bytes: [usize; 2],
    /// The turns before which it moves on, and those behind which its rows are put away.
    turns: [Every; 2],
    /// Where its rows rest, in the list of all that is placed, and the moments at which they do, if that is not in the buffer itself.
    rest: Option<(usize, Vec<Range<usize>>)>,
}

impl Buffer {
    fn new(item: usize, line: &Line, row: usize, (writer, reader): (Option<usize>, usize)) -> Self {
        let bytes = [line.by * row, line.resting() * row];
        Self { item, writer, reader, bytes, turns: [line.moves.clone(), line.puts()], rest: None }
    }

    /// Sets when the buffer is in use: in a turn at the moments `in_use`, and where its rows rest in it, in all of its band's.
    fn lie(
        mut self,
        item: &mut Item,
        in_use: Range<usize>,
        of_band: Range<usize>,
        rests: bool,
        buffers: &mut Vec<Self>,
    ) {
        let is_idle = self.bytes[1] == 0;
        let leaving = buffers.iter().filter(|other| other.reader == self.reader && other.rest.is_some()).count();
        let rests = rests && !is_idle && in_use != of_band && leaving < MOST_LEAVING;
        let moments = if is_idle || rests { in_use.clone() } else { of_band.clone() };
        (item.first, item.last) = (moments.start, moments.end - 1);
        if rests {
            let moments = [of_band.start..in_use.start, in_use.end..of_band.end].into_iter();
            self.rest = Some((usize::MAX, moments.filter(|moments| !moments.is_empty()).collect()));
        }
        if !is_idle {
            buffers.push(self);
        }
    }

    /// The bytes where its rows rest.
    fn rest(&self, placement: &Placement) -> Range<usize> {
        let [by, resting] = self.bytes;
        let start = self.rest.as_ref().map_or(placement.offsets[self.item] + by, |&(rest, _)| placement.offsets[rest]);
        start..start + resting
    }

    /// How rows that rested are brought to the buffer's start.
    fn brought(&self, placement: &Placement) -> Option<Moves> {
        let (from, to) = (self.rest(placement), placement.offsets[self.item]);
        (from.start != to).then(|| Moves { turns: self.turns[0].clone(), from, to })
    }

    /// How rows are put away that are to rest: the buffer's last ones.
    fn put(&self, placement: &Placement) -> Option<Moves> {
        let [by, resting] = self.bytes;
        let (start, to) = (placement.offsets[self.item] + by, self.rest(placement).start);
        (start != to).then(|| Moves { turns: self.turns[1].clone(), from: start..start + resting, to })
    }
}

impl Placed {
    /// The buffer of rows of this item, if it moves on.
    fn buffer(&self, item: usize) -> Option<&Buffer> {
        self.buffers.iter().find(|buffer| buffer.item == item)
    }

    /// Where an item lies for a call that reads it.
    fn offset(&self, item: usize, position: usize) -> usize {
        let moved = self.moved.get(&item).filter(|moved| moved.position <= position);
        self.placement.offsets[moved.map_or(item, |moved| moved.place)]
    }

    /// The tensor that moves before the segment that begins at a position.
    fn moved(&self, position: usize) -> Option<Moves> {
        let (&item, moved) = self.moved.iter().find(|(_, moved)| moved.position == position)?;
        let (start, to) = (self.placement.offsets[item], self.placement.offsets[moved.place]);
        let turns = Every { range: 0..1, period: 1 };
        (start != to).then(|| Moves { turns, from: start..start + self.items[item].bytes, to })
    }

    /// What moves before the call at a position, and behind it.
    fn moves(&self, position: usize) -> (Option<Moves>, Vec<Moves>) {
        let before = self.buffers.iter().find(|buffer| buffer.writer == Some(position));
        let after = self.buffers.iter().filter(|buffer| buffer.reader == position);
        (
            before.and_then(|buffer| buffer.brought(&self.placement)),
            after.filter_map(|buffer| buffer.put(&self.placement)).collect(),
        )
    }

    /// All that lies in the arena: bytes, moments, whether it is scratch memory.
    fn uses_of_memory(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>, bool)> {
        let Self { items, placement, buffers, order, .. } = self;
        let first_scratch = items.len() - order.len();
        let of_items = items.iter().zip(&placement.offsets).enumerate().map(move |(index, (item, &start))| {
            (start..start + item.bytes, item.first..item.last + 1, index >= first_scratch)
        });
        let of_buffers = buffers.iter().flat_map(move |buffer| {
            let moments = buffer.rest.iter().flat_map(|(_, moments)| moments.clone());
            moments.map(move |moments| (buffer.rest(placement), moments, false))
        });
        let of_moved = self.moved.iter().map(move |(&item, Moved { place, moments, .. })| {
            let start = placement.offsets[*place];
            (start..start + items[item].bytes, moments.clone(), false)
        });
        of_items
            .chain(of_buffers)
            .chain(of_moved)
            .filter(|(bytes, moments, _)| !bytes.is_empty() && !moments.is_empty())
    }

    /// The arena at every moment: the first has the inputs in it, then comes one per call, then one with the outputs. The bytes that two tensors
    /// have in common still count twice.
    fn uses(&self) -> Vec<ArenaUse> {
        let moments = self.order.len() + 2;
        let (mut born, mut dead) = (vec![Vec::new(); moments], vec![Vec::new(); moments + 1]);
        for (bytes, moments, is_scratch) in self.uses_of_memory() {
            born[moments.start].push((bytes.clone(), is_scratch));
            dead[moments.end].push((bytes, is_scratch));
        }
        let (mut live, mut scratch) = (0, 0);
        // How many live items end at a byte of the arena.
        let mut ends = BTreeMap::new();
        let end = |bytes: &Range<usize>| bytes.start + bytes.len().next_multiple_of(place::ALIGNMENT);
        let uses = born.iter().zip(&dead).map(|(born, dead)| {
            for (bytes, is_scratch) in dead {
                *(if *is_scratch { &mut scratch } else { &mut live }) -= bytes.len();
                if let Entry::Occupied(mut count) = ends.entry(end(bytes)) {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }
            for (bytes, is_scratch) in born {
                *(if *is_scratch { &mut scratch } else { &mut live }) += bytes.len();
                *ends.entry(end(bytes)).or_insert(0) += 1;
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
            pushed: None,
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

    /// The item of the input that comes row by row.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the model has several inputs, or one that is no image of several rows.
    fn pushed_item(&self) -> Result<usize> {
        let refuse = |found: String| {
            let supported = "input by rows for models with one input of shape [1, rows, columns, channels]";
            Error::Unsupported(vec![Problem::model(found, supported)])
        };
        let &[id] = &self.net.inputs[..] else { return Err(refuse(format!("{} inputs", self.net.inputs.len()))) };
        let shape = &self.net.tensors[id].shape;
        let item =
            self.items.get(&self.roots[id]).copied().filter(|_| matches!(shape[..], [1, rows, _, _] if rows > 1));
        item.ok_or_else(|| refuse(format!("an input of shape {shape:?}")))
    }

    /// How the input comes row by row, where it does.
    fn input_rows(&self, placed: &Placed) -> Option<InputRows> {
        let (item, tensor) = (self.pushed?, &self.net.tensors[*self.net.inputs.first()?]);
        let height = *tensor.shape.get(1)?;
        let start = placed.placement.offsets[item] / 4;
        let words = start..start + placed.items[item].bytes.div_ceil(4);
        let whole = InputRows {
            height,
            row: tensor.len() / height,
            rate: height,
            lead: height,
            capacity: height,
            moves: None,
            words,
        };
        let Segment { calls, band: Some(band), .. } = placed.segments.first()? else { return Some(whole) };
        let Some((progress, line)) = band.input(calls.len()) else { return Some(whole) };
        let (rate, lead) = (progress.rate, progress.reach(0));
        debug_assert!((1..=rate as isize).contains(&lead), "the input's first rows come in turn 0");
        let moves = placed.buffer(item).and_then(|buffer| buffer.brought(&placed.placement));
        Some(InputRows { rate, lead: lead.unsigned_abs(), capacity: line.capacity, moves, ..whole })
    }

    /// What lies in the arena, tensors first.
    fn blocks(&self, placed: &Placed) -> Vec<Block> {
        let mut tensors: Vec<(usize, TensorId)> = self.items.iter().map(|(&root, &item)| (item, root)).collect();
        tensors.sort_unstable();
        let purpose = |(item, root): (usize, TensorId)| match self.net.tensors[root].shape[..] {
            [1, rows, ..] if placed.items[item].bytes != self.bytes[item] => {
                let row = self.bytes[item] / rows;
                Purpose::Rows(root, placed.items[item].bytes.checked_div(row).unwrap_or(0))
            }
            _ => Purpose::Tensor(root),
        };
        let purposes = tensors.iter().copied().map(purpose).chain((0..placed.order.len()).map(Purpose::Scratch));
        let block = |(purpose, (item, &offset)): (Purpose, (&Item, &usize))| Block {
            purpose,
            bytes: offset..offset + item.bytes,
            moments: item.first..item.last + 1,
        };
        let of_items = purposes.zip(placed.items.iter().zip(&placed.placement.offsets)).map(block);
        let resting = placed.buffers.iter().flat_map(|buffer| {
            let bytes = buffer.rest(&placed.placement);
            let root = tensors.iter().find(|&&(item, _)| item == buffer.item).map(|&(_, root)| root);
            let rows = root.and_then(|root| {
                Some((root, bytes.len() / (self.bytes[buffer.item] / self.net.tensors[root].shape.get(1)?)))
            });
            let moments = buffer.rest.iter().flat_map(|(_, moments)| moments.clone());
            let moments: Vec<_> = moments.collect();
            rows.into_iter().flat_map(move |(root, rows)| {
                let (bytes, moments) = (bytes.clone(), moments.clone());
                moments.into_iter().map(move |moments| Block {
                    purpose: Purpose::Rows(root, rows),
                    bytes: bytes.clone(),
                    moments,
                })
            })
        });
        let moved = placed.moved.iter().filter_map(|(&item, Moved { place, moments, .. })| {
            let &(_, root) = tensors.iter().find(|&&(other, _)| other == item)?;
            let start = placed.placement.offsets[*place];
            let bytes = start..start + placed.items[item].bytes;
            Some(Block { purpose: Purpose::Tensor(root), bytes, moments: moments.clone() })
        });
        let blocks = of_items.chain(resting).chain(moved);
        blocks.filter(|block| !block.bytes.is_empty() && !block.moments.is_empty()).collect()
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

    /// Orders and divides the calls as the goal has it, and places their tensors. Calls that are refused do not run by rows.
    fn arrange(&self, calls: &[Lowering], goal: Goal, refused: &HashSet<usize>) -> Placed {
        let mut orders: Vec<Vec<usize>> = vec![(0..calls.len()).collect()];
        orders.extend(self.order(calls).filter(|order| *order != orders[0]));
        let sequences: Vec<Sequence> = orders.iter().map(|order| self.sequence(calls, order, goal, refused)).collect();
        let place = |index: usize, segments, moves| {
            self.place(calls, orders[index].clone(), &sequences[index], segments, moves)
        };
        let mut placed = place(0, sequences[0].whole(), false);
        let better = |placed: &mut Placed, other: Placed| {
            if other.placement.bytes < placed.placement.bytes {
                *placed = other;
            }
        };
        for (index, sequence) in sequences.iter().enumerate().skip(1) {
            better(&mut placed, place(index, sequence.whole(), false));
        }
        let budget = match goal {
            Goal::Speed => return placed,
            Goal::Budget(budget) if placed.placement.bytes <= budget => return placed,
            Goal::Budget(budget) => budget,
            Goal::LeastArena => 0,
        };
        // The cheap kinds of bands come first. Of many calls, which take long to divide, the cheapest one is left out.
        let kinds = if calls.len() > MANY_CALLS { &divide::KINDS[1..] } else { &divide::KINDS[..] };
        let kinds =
            kinds.iter().flat_map(|&kind| sequences.iter().enumerate().map(move |(index, of)| (index, of, kind)));
        // The least arena without rows that are made again.
        let mut plain = placed.placement.bytes;
        for (index, sequence, kind) in kinds {
            let segments = sequence.segments(kind);
            let least = divide::least_peak(&segments, calls.len());
            // No arena is smaller than a peak.
            if least >= placed.placement.bytes {
                continue;
            }
            // When a placement exceeds the budget, a lower limit of the peaks may do; for the least arena one above the least peak may be better, since its
            // tensors fit each other better.
            let mut limit = budget;
            let mut tried = HashSet::new();
            for attempt in 0..MOST_LIMITS + ABOVE_LEAST.len() {
                let above = attempt.checked_sub(MOST_LIMITS).map(|index| least + least * ABOVE_LEAST[index] / 64);
                let own = above.unwrap_or(limit).max(least);
                if !tried.insert(own) {
                    continue;
                }
                let mut excess = usize::MAX;
                // Tensors that move do not drift.
                for &weight in if kind.rests { &[Weight::Cost][..] } else { &[Weight::Cost, Weight::Drift] } {
                    let division = divide::lightest(&segments, calls.len(), own, weight);
                    let is_lower = |division: &Vec<Segment>| divide::peak(division) < placed.placement.bytes;
                    let Some(division) = division.filter(is_lower) else { continue };
                    let other = place(index, division, kind.rests);
                    excess = excess.min(other.placement.bytes.saturating_sub(budget));
                    // Rows that are made again cost multiply-accumulates: a little memory is not worth them.
                    let most = if kind.again && excess > 0 { plain - plain / WORTH } else { usize::MAX };
                    if other.placement.bytes <= most {
                        better(&mut placed, other);
                    }
                    if excess == 0 {
                        return placed;
                    }
                }
                limit = limit.saturating_sub(excess);
            }
            if !kind.again {
                plain = placed.placement.bytes;
            }
        }
        placed
    }

    /// The calls in an order, as the division into segments takes them.
    fn sequence(&self, calls: &[Lowering], order: &[usize], goal: Goal, refused: &HashSet<usize>) -> Sequence {
        let mut items: Vec<SequencedItem> = self
            .bytes
            .iter()
            .map(|&bytes| SequencedItem { bytes, written: None, end: 0, image: None, rows: None })
            .collect();
        // The names under which calls read and write an item.
        let mut names: Vec<Vec<TensorId>> = vec![Vec::new(); items.len()];
        for (position, &index) in order.iter().enumerate() {
            let call = &calls[index].call;
            for &id in call.inputs.iter().chain(&call.outputs) {
                if let Some(&item) = self.items.get(&self.roots[id])
                    && !names[item].contains(&id)
                {
                    names[item].push(id);
                }
            }
            for item in self.items_of(&call.inputs) {
                items[item].end = position + 1;
            }
            for item in self.items_of(&call.outputs) {
                items[item].written = Some(position);
                items[item].end = items[item].end.max(position + 1);
            }
        }
        self.outputs.iter().for_each(|&item| items[item].end = order.len() + 1);
        for (item, names) in items.iter_mut().zip(&names) {
            if let &[id] = &names[..]
                && let [1, rows, ..] = self.net.tensors[id].shape[..]
            {
                (item.image, item.rows) = (Some((id, item.bytes / rows)), Some(rows));
            }
        }
        let moments = self.moments(calls, order);
        let mut calls_of_node: HashMap<usize, usize> = HashMap::new();
        calls.iter().for_each(|lowering| *calls_of_node.entry(lowering.node).or_insert(0) += 1);
        let sequenced = order.iter().enumerate().map(|(position, &index)| {
            let Lowering { node, call } = &calls[index];
            let is_alone = goal != Goal::Speed && calls_of_node[node] == 1 && !refused.contains(&index);
            let overlap = self.overlap(call, &moments, position + 1);
            let (shared, gap) = overlap.map_or((0, 0), |(_, Overlap { input, output, gap })| {
                let (input, output) = (self.bytes[input].next_multiple_of(4), self.bytes[output].next_multiple_of(4));
                let gap = gap.next_multiple_of(4);
                ((input + output).saturating_sub((gap + input).max(output)), gap)
            });
            SequencedCall {
                reads: self.items_of(&call.inputs),
                writes: self.items_of(&call.outputs),
                scratch: call.scratch_words * 4,
                shared,
                gap,
                macs: call.macs,
                by_rows: if is_alone { self.row_call(*node, call) } else { None },
            }
        });
        let calls = sequenced.collect();
        Sequence { calls, items, pushed: self.pushed }
    }

    /// The call by rows, if it can run so.
    fn row_call(&self, node: usize, call: &Call) -> Option<RowCall> {
        (call.states.is_empty() && call.custom.is_none()).then_some(())?;
        let &[output] = &call.outputs[..] else { return None };
        let node = &self.net.nodes[node];
        let windows = row_windows(&View { net: self.net, node })?;
        let in_arena = |id: &&TensorId| self.items.contains_key(&self.roots[**id]);
        let input = |&id: &TensorId| {
            let index = node.inputs.iter().position(|&input| input == Some(id))?;
            Some((id, windows[index]))
        };
        let inputs: Vec<_> = call.inputs.iter().filter(in_arena).map(input).collect::<Option<_>>()?;
        // A variable is no image of the arena, and one memory has one name in a call.
        let are_known = call.inputs.iter().all(|&id| in_arena(&&id) || self.net.tensors[self.roots[id]].data.is_some());
        let is_named_once = |&(id, _): &(TensorId, _)| {
            inputs.iter().all(|&(other, _)| other == id || self.roots[other] != self.roots[id])
        };
        (are_known && inputs.iter().all(is_named_once)).then_some(())?;
        Some(RowCall { inputs, output, height: *self.net.tensors[output].shape.get(1)? })
    }

    /// The items of tensors with their whole sizes, and when they are in use: the inputs at moment 0, each call at a moment of its own, the outputs at
    /// the last one.
    fn moments(&self, calls: &[Lowering], order: &[usize]) -> Vec<Item> {
        let end = calls.len() + 1;
        let mut items: Vec<Item> =
            self.bytes.iter().map(|&bytes| Item { bytes, first: usize::MAX, last: 0, pause: 0..0 }).collect();
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
        items
    }

    /// Places the tensors and buffers of rows, and the scratch memory of each call behind them in the list of items. `moves` lets tensors move between
    /// segments.
    fn place(
        &self,
        calls: &[Lowering],
        order: Vec<usize>,
        sequence: &Sequence,
        segments: Vec<Segment>,
        moves: bool,
    ) -> Placed {
        let mut items = self.moments(calls, &order);
        let mut overlaps = Vec::new();
        let mut of_bands = Vec::new();
        let mut buffers = Vec::new();
        for Segment { calls: range, band, rests, .. } in &segments {
            let Some(band) = band else { continue };
            // What a band takes in or gives out is in use in all of its turns.
            let moments = range.start + 1..range.end + 1;
            for call in &sequence.calls[range.clone()] {
                for &item in call.reads.iter().chain(&call.writes) {
                    if moments.contains(&items[item].last) {
                        items[item].last = moments.end - 1;
                    }
                    if moments.contains(&items[item].first) {
                        items[item].first = moments.start;
                    }
                }
            }
            // The model's input comes at moment 0, in front of each turn.
            let pushed = sequence.pushed_into(range).zip(band.input(range.len()));
            let of_band = if pushed.is_some() { 0..moments.end } else { moments.clone() };
            for (index, (call, line)) in sequence.calls[range.clone()].iter().zip(&band.lines).enumerate() {
                if let (Some(line), &[item]) = (line, &call.writes[..]) {
                    let row = sequence.items[item].image.map_or(0, |(_, row)| row);
                    items[item].bytes = line.capacity * row;
                    let in_use = moments.start + index..moments.start + line.last_reader + 1;
                    let writer = Some(range.start + index);
                    let buffer = Buffer::new(item, line, row, (writer, range.start + line.last_reader));
                    buffer.lie(&mut items[item], in_use, of_band.clone(), *rests, &mut buffers);
                }
            }
            if let Some((item, (_, line))) = pushed {
                let row = sequence.items[item].image.map_or(0, |(_, row)| row);
                items[item].bytes = line.capacity * row;
                let in_use = 0..moments.start + line.last_reader + 1;
                let buffer = Buffer::new(item, line, row, (None, range.start + line.last_reader));
                buffer.lie(&mut items[item], in_use, of_band, *rests, &mut buffers);
            }
            if let Some(overlap) = sequence.band_overlap(range, band) {
                of_bands.push((range.start, overlap.input, overlap.output));
                overlaps.push(Overlap { input: overlap.input, output: overlap.output, gap: overlap.gap });
            }
        }
        let mut of_calls = HashMap::new();
        for Segment { calls: range, band, .. } in &segments {
            if band.is_none()
                && let Some((index, overlap)) = self.overlap(&calls[order[range.start]].call, &items, range.start + 1)
            {
                overlaps.push(overlap);
                of_calls.insert(range.start, (index, overlap));
            }
        }
        for (position, &index) in order.iter().enumerate() {
            let bytes = calls[index].call.scratch_words * 4;
            items.push(Item { bytes, first: position + 1, last: position + 1, pause: 0..0 });
        }
        let bands = segments.iter().filter(|segment| segment.band.is_some());
        let bands: Vec<_> = bands.map(|segment| segment.calls.start + 1..segment.calls.end + 1).collect();
        let mut moved = if moves { self::moved(&mut items, &overlaps, &segments) } else { HashMap::new() };
        let placement = place_with_moves(&items, &overlaps, &mut buffers, &mut moved, &bands);
        let mut placed =
            Placed { order, segments, items, placement, buffers, moved, overlaps: of_calls, common: HashMap::new() };
        let range = |start: usize, item: usize| start..start + placed.items[item].bytes;
        let common = |(start, input, output): (usize, usize, usize)| {
            let input = range(placed.offset(input, start), input);
            (start, common(input, range(placed.placement.offsets[output], output)))
        };
        placed.common = of_bands.into_iter().map(common).collect();
        placed
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
            (Some(place), Some((storage, length))) => Ok(Operand { place, storage, length, part: None }),
            _ => {
                // Lowering checked the element types, and every tensor of a call has an item.
                debug_assert!(false, "tensor {id} has no place");
                let found = format!("tensor {id} of {} without a place", tensor.element);
                Err(Error::Unsupported(vec![Problem::model(found, "INT8, UINT8, INT16, INT32, FLOAT32")]))
            }
        }
    }

    /// The calls of bands by rows, by their positions in the order.
    ///
    /// # Errors
    /// The first call of which some rows cannot be made by a single kernel with the constants of all others.
    fn by_rows(
        &self,
        calls: &[Lowering],
        placed: &Placed,
        rows: &mut RowLowering,
    ) -> std::result::Result<HashMap<usize, Turns>, usize> {
        let mut all = HashMap::new();
        for Segment { calls: range, band, .. } in &placed.segments {
            let Some(band) = band else { continue };
            let indices = &placed.order[range.clone()];
            let mut made: Vec<TensorId> = indices.iter().flat_map(|&index| calls[index].call.outputs.clone()).collect();
            if band.input(range.len()).is_some() {
                made.extend(&self.net.inputs);
            }
            for (place, &index) in indices.iter().enumerate() {
                let turns = Turns::new(self.net, &calls[index], (band, &made, place), rows).ok_or(index)?;
                all.insert(range.start + place, turns);
            }
        }
        Ok(all)
    }

    fn steps(
        &self,
        calls: Vec<Lowering>,
        placed: &Placed,
        mut by_rows: HashMap<usize, Turns>,
        uses: &[ArenaUse],
        states: &States,
        offsets: &HashMap<TensorId, usize>,
    ) -> Result<Vec<Step>> {
        let Placed { order, segments, items, placement, overlaps, common, .. } = placed;
        let mut calls: Vec<Option<Lowering>> = calls.into_iter().map(Some).collect();
        let mut steps = Vec::with_capacity(order.len());
        for Segment { calls: range, .. } in segments {
            for position in range.clone() {
                let Some(Lowering { node, mut call }) = calls[order[position]].take() else {
                    debug_assert!(false, "call {} comes twice in the order", order[position]);
                    continue;
                };
                let moment = position + 1;
                // The input that the output overlaps, if the plan has them so, and the bytes that they have in common.
                let shared = overlaps.get(&position).and_then(|&(index, overlap)| {
                    let range = |start: usize, item: usize| start..start + items[item].bytes;
                    let input = range(placed.offset(overlap.input, position), overlap.input);
                    let common = self::common(input, range(placement.offsets[overlap.output], overlap.output));
                    (common > 0).then_some((index, common))
                });
                if let Some((1, _)) = shared
                    && let Some(exchanged) = call.exchanged.take()
                {
                    call.inputs.swap(0, 1);
                    call.gaps.swap(0, 1);
                    call.body = exchanged;
                }
                let operands = |ids: &[TensorId]| {
                    ids.iter().map(|&id| self.operand(id, states, offsets)).collect::<Result<Vec<_>>>()
                };
                let scratch = placement.offsets[self.bytes.len() + position] / 4;
                let (mut inputs, outputs) = (operands(&call.inputs)?, operands(&call.outputs)?);
                for (input, id) in inputs.iter_mut().zip(&call.inputs) {
                    if let (Place::Arena(offset), Some(&item)) = (&mut input.place, self.items.get(&self.roots[*id])) {
                        *offset = placed.offset(item, position);
                    }
                }
                let scratch = scratch..scratch + call.scratch_words;
                let by_rows = by_rows
                    .remove(&position)
                    .map(|turns| turns.placed(&inputs, &outputs, &scratch, placed.moves(position)));
                let io = Io::new(inputs, outputs, operands(&call.states)?, scratch, shared.is_some());
                let mut memory = uses[moment];
                memory.live -= shared.map_or(0, |(_, common)| common);
                memory.live -= common.get(&range.start).copied().unwrap_or(0);
                steps.push(Step { node, call, io, by_rows, moved: placed.moved(position), memory });
            }
        }
        Ok(steps)
    }
}

/// The tensors that a call or band makes over its input and another one reads so: they move between the two, and need no more than their first place until
/// then.
fn moved(items: &mut [Item], overlaps: &[Overlap], segments: &[Segment]) -> HashMap<usize, Moved> {
    let mut all = HashMap::new();
    for &Overlap { input, .. } in overlaps {
        let last = items[input].last;
        let reader = segments.iter().find(|segment| segment.calls.contains(&(last - 1)));
        if let Some(Segment { calls, .. }) = reader
            && overlaps.iter().any(|overlap| overlap.output == input)
            && items[input].first <= calls.start
        {
            items[input].last = calls.start;
            all.insert(input, Moved { place: usize::MAX, position: calls.start, moments: calls.start + 1..last + 1 });
        }
    }
    all
}

/// Places items, and behind them in the list of places the rows of buffers that rest, and the second places of tensors that move.
///
/// Rows are put away behind the call that reads them last, and brought back before the call that writes the next ones. Between two calls there are hence several
/// instants: at the first ones buffers are put away, one at each, and at the last one all of them are, before the next call's is brought back, or a tensor
/// moves. What lies in two places, one for the time before an instant and one for the time behind it, may overlap itself, and nothing else that is needed.
/// `bands` are the moments of the bands: what is in use at all of them stays for the instants behind the last one, since another turn follows.
fn place_with_moves(
    items: &[Item],
    overlaps: &[Overlap],
    buffers: &mut [Buffer],
    moved: &mut HashMap<usize, Moved>,
    bands: &[Range<usize>],
) -> Placement {
    if moved.is_empty() && buffers.iter().all(|buffer| buffer.rest.is_none()) {
        return place::place(items, overlaps);
    }
    let that_move: HashSet<usize> = moved.keys().copied().collect();
    let instants = |(index, item): (usize, &Item)| {
        let stays = that_move.contains(&index)
            || bands.iter().any(|band| item.first <= band.start && item.last + 1 == band.end);
        let last = item.last * INSTANTS + if stays { INSTANTS - 1 } else { 0 };
        Item { first: item.first * INSTANTS, last, ..item.clone() }
    };
    let mut all: Vec<Item> = items.iter().enumerate().map(instants).collect();
    let mut pairs = Vec::new();
    let mut left: HashMap<usize, usize> = HashMap::new();
    for buffer in buffers {
        let Some((rest, moments)) = &mut buffer.rest else { continue };
        *rest = all.len();
        let earlier = left.entry(buffer.reader).or_insert(0);
        let in_use = &mut all[buffer.item];
        in_use.last += *earlier;
        *earlier += 1;
        let first = moments.first().map_or(0, |moments| moments.start).min(items[buffer.item].first) * INSTANTS;
        let last = moments.last().map_or(0, |moments| moments.end).max(items[buffer.item].last + 1) * INSTANTS - 1;
        let pause = in_use.first..in_use.last + 1;
        all.push(Item { bytes: buffer.bytes[1], first, last, pause });
        pairs.push(Resting { buffer: buffer.item, rest: *rest, by: buffer.bytes[0] });
    }
    let mut overlaps = overlaps.to_vec();
    // In the order of the items, so that one model has one plan.
    let mut in_order: Vec<(usize, &mut Moved)> = moved.iter_mut().map(|(&item, moved)| (item, moved)).collect();
    in_order.sort_unstable_by_key(|&(item, _)| item);
    for (item, Moved { place, moments, .. }) in in_order {
        *place = all.len();
        let whole = Item { first: moments.start, last: moments.end - 1, ..items[item].clone() };
        all.push(instants((*place, &whole)));
        overlaps.iter_mut().filter(|overlap| overlap.input == item).for_each(|overlap| overlap.input = *place);
    }
    let mut placement = place::place(&all, &overlaps);
    place::settle(&all, &mut placement, &pairs);
    placement
}

/// How many bytes two ranges have in common.
fn common(one: Range<usize>, other: Range<usize>) -> usize {
    one.end.min(other.end).saturating_sub(one.start.max(other.start))
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

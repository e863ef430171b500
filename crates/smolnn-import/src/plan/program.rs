//! From calls to a program: its types, and the plan from end to end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use smolnn_fixed::Backend;

use super::band::Every;
use super::divide::{RUN_COST, Segment};
use super::layout::Layout;
use super::turns::{ByRows, Moves, RowRun};
use crate::error::{Error, Problem, Result};
use crate::lower::{Call, Calls, Io, RowLowering, Source};
use crate::net::{Net, TensorId};

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

/// Layers that run in parts along the width.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the report shows it"))]
pub(crate) struct Split {
    /// How many parts there are.
    pub parts: usize,
    /// Columns of the tensor at their end.
    pub width: usize,
    /// Indices of the layers in the file.
    pub layers: Vec<usize>,
    /// For each node of a part, by its position in the net, the part and the columns of its output.
    pub columns: HashMap<usize, (usize, Range<usize>)>,
    /// Multiply-accumulates of the columns that are computed twice, and of the network without them.
    pub macs: [u64; 2],
}

/// What is wanted of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aim {
    pub goal: Goal,
    /// The input comes row by row.
    pub is_pushed: bool,
    /// The output is given row by row.
    pub is_given: bool,
    /// The inputs are read where the caller has them.
    pub is_lent: bool,
}

impl Aim {
    /// The same, with the least arena where nothing is said of memory: rows are for its sake.
    pub(crate) fn of_rows(self) -> Self {
        let goal = if self.goal == Goal::Speed { Goal::LeastArena } else { self.goal };
        Self { goal, ..self }
    }
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

/// An image of which a buffer has some rows at a time: which ones in which turn, and where they lie then.
#[derive(Clone, Debug)]
pub(crate) struct ImageRows {
    /// Rows of the image.
    pub height: usize,
    /// Elements of a row.
    pub row: usize,
    /// Rows of a turn: all of them where the image lies whole in the arena.
    pub rate: usize,
    /// Rows of turn 0: 1 to `rate`.
    pub lead: usize,
    /// Rows that the buffer holds.
    pub capacity: usize,
    /// The buffer in the arena.
    pub words: Range<usize>,
}

/// How the model takes its input row by row, turn by turn of the first stage.
#[derive(Clone, Debug)]
pub(crate) struct InputRows {
    pub image: ImageRows,
    /// How the buffer moves on before the first row of a turn, if it does.
    pub moves: Option<Moves>,
}

/// How the model gives its output row by row: behind each of the turns of a stage the rows that were made in it. Turns are counted from the first of
/// these on.
#[derive(Clone, Debug)]
pub(crate) struct OutputRows {
    pub image: ImageRows,
    /// Position of the stage that makes them.
    pub stage: usize,
    pub turns: Every,
}

impl ImageRows {
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
    /// How its output is given row by row, if it is.
    pub(crate) output_rows: Option<OutputRows>,
    /// Layers that were split along the width, if there are such.
    pub(crate) split: Option<Split>,
    /// Cycles that bodies which take more flash are estimated to save.
    pub(crate) saved_cycles: u64,
    /// Whether the inputs are read where the caller has them, and are not in the arena.
    pub(crate) is_lent: bool,
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
    /// Byte offset in the arena of each tensor that lies there; of one between the calls of a band, of the buffer of its rows. Inputs that the caller lends lie behind the
    /// arena, in a run on this machine.
    pub(crate) offsets: HashMap<TensorId, usize>,
}

impl Program {
    /// Bytes of the arena: inputs, outputs, everything between, and scratch memory.
    pub fn arena_bytes(&self) -> usize {
        self.arena_words * 4
    }

    /// Words of the inputs that the caller lends.
    pub(crate) fn lent_words(&self) -> usize {
        let inputs = self.net.inputs.iter().filter(|_| self.is_lent);
        inputs.map(|&id| self.net.tensors[id].bytes().div_ceil(4)).sum()
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
            match &step.by_rows {
                None => drop(call.body.write(&mut source, &step.io)),
                Some(by_rows) => by_rows.runs.iter().for_each(|run| drop(run.call.body.write(&mut source, &run.io))),
            }
            let tables = call.constant_bytes - call.body.bytes();
            source.bytes() - before + tables
        };
        self.steps.iter().map(of_step).collect()
    }

    /// About what a run takes, to compare plans of a network: multiply-accumulates, and for each run of a kernel what it takes beside them, without the cycles
    /// that faster bodies save.
    pub(crate) fn effort(&self) -> u64 {
        let runs = |step: &Step| {
            step.by_rows.as_ref().map_or(1, |by_rows| by_rows.runs.iter().map(|run| run.turns.count()).sum())
        };
        let runs: usize = self.steps.iter().map(runs).sum();
        self.macs().saturating_add((runs * RUN_COST) as u64).saturating_sub(self.saved_cycles)
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
pub(crate) fn plan(name: &str, backend: Backend, lowered: Calls, aim: Aim) -> Result<Program> {
    let Calls { net, calls, roots } = lowered;
    let goal = aim.goal;
    let layout = Layout::new((&net, backend), &calls, &roots, aim)?;
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
    let output_rows = layout.output_rows(&calls, &placed);
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
        output_rows,
        split: None,
        saved_cycles: 0,
        is_lent: aim.is_lent,
        blocks,
        ends,
        arena_words: bytes / 4,
        state_words: states.words,
        state_values: states.values,
        offsets,
        net,
    })
}

//! A call of a band, turn by turn: one call of the kernel for all turns in which it has the same shape, with operands that move on from turn to turn.

use std::ops::Range;

use smolnn_core::ShapeError;
use smolnn_fixed::arena::relocate;

use super::band::{Band, Every};
use crate::lower::{Call, Io, Lowering, Operand, Part, RowLowering, Storage};
use crate::net::{Net, RowWindow, Rows, TensorId, View, row_windows};

/// A call by rows.
#[derive(Debug)]
pub(crate) struct ByRows {
    /// How the buffer of its output moves on before it runs, if it does.
    pub before: Option<Moves>,
    /// What runs in which turns, in order.
    pub runs: Vec<RowRun>,
    /// How rows are put away behind it, of buffers that it is the last one to read.
    pub after: Vec<Moves>,
    is_whole: bool,
}

impl ByRows {
    /// Whether the output is kept whole: no buffer has only its newest rows.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Runs what is to be run in a turn.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn run(&self, turn: usize, arena: &mut [u32], state: &mut [u32]) -> Result<(), ShapeError> {
        self.before.iter().try_for_each(|moves| moves.run(turn, arena))?;
        if let Some((index, RowRun { call, io, .. })) =
            self.runs.iter().find_map(|run| Some((run.turns.index(turn)?, run)))
        {
            call.body.run(io, index, arena, state)?;
        }
        self.after.iter().try_for_each(|moves| moves.run(turn, arena))
    }
}

/// Rows that move to another place of the arena.
#[derive(Clone, Debug)]
pub(crate) struct Moves {
    pub turns: Every,
    /// Their bytes.
    pub from: Range<usize>,
    /// The first byte of their new place, which may overlap the old one.
    pub to: usize,
}

impl Moves {
    /// Moves the rows, if this is one of the turns.
    ///
    /// # Errors
    /// [`ShapeError::Range`] where the arena is smaller, which the plan rules out.
    pub(crate) fn run(&self, turn: usize, arena: &mut [u32]) -> Result<(), ShapeError> {
        match self.turns.index(turn) {
            Some(_) => relocate(arena, self.from.clone(), self.to),
            None => Ok(()),
        }
    }
}

/// A call for several turns.
#[derive(Debug)]
pub(crate) struct RowRun {
    pub turns: Every,
    pub call: Call,
    pub io: Io,
}

/// A call by rows before memory is placed.
pub(super) struct Turns {
    runs: Vec<Run>,
}

struct Run {
    turns: Every,
    call: Call,
    inputs: Vec<Option<Access>>,
    output: Access,
}

/// Rows of the output, and of each input that is an image the rows above it, its own, and those below it; and which one of the rows that repeat a window the
/// first row of the output is.
type RunShape = (usize, Vec<Option<[usize; 4]>>);

/// What a call takes of an image.
#[derive(Clone, Copy, PartialEq)]
struct Access {
    part: Part,
    /// Elements of the buffer of rows, of an image that has one.
    buffer: Option<usize>,
}

impl Access {
    /// Whether the next turn after some goes on as this one; if so, elements from turn to turn.
    fn step(&self, turns: usize, next: &Self) -> Option<usize> {
        let step = next.part.start.checked_sub(self.part.start)?.checked_div(turns)?;
        let goes_on = turns == 1 || step == self.part.step;
        (goes_on && self.buffer == next.buffer && self.part.start + turns * step == next.part.start).then_some(step)
    }

    fn operand(&self, whole: &Operand) -> Operand {
        Operand { length: self.buffer.unwrap_or(whole.length), part: Some(self.part), ..whole.clone() }
    }
}

/// Where rows of an image lie in a turn, and how many there are.
struct Image<'a> {
    /// Elements of a row.
    row: usize,
    /// The call of the band that makes it row by row for the band alone.
    maker: Option<usize>,
    band: &'a Band,
}

impl Image<'_> {
    fn access(&self, turn: usize, rows: &Range<usize>) -> Access {
        if rows.is_empty() {
            // All is padding.
            let buffer = self.maker.and_then(|call| Some(self.band.lines[call].as_ref()?.capacity * self.row));
            return Access { part: Part { start: 0, step: 0, length: 0 }, buffer };
        }
        let line = self.maker.and_then(|call| Some((call, self.band.lines[call].as_ref()?)));
        let (first, buffer) = match line {
            Some((call, line)) => (self.band.place(call, turn, rows.start), Some(line.capacity * self.row)),
            None => (rows.start, None),
        };
        Access { part: Part { start: first * self.row, step: 0, length: rows.len() * self.row }, buffer }
    }
}

impl Turns {
    /// The call at this position of a band, which makes or takes these tensors row by row, in the order of its progress. `None` where some of its rows cannot be made by a single kernel with the constants
    /// of all others.
    pub(super) fn new(
        net: &Net,
        Lowering { node, call }: &Lowering,
        (band, outputs, index): (&Band, &[TensorId], usize),
        rows: &mut RowLowering,
    ) -> Option<Self> {
        let of_node = &net.nodes[*node];
        let windows = row_windows(&View { net, node: of_node })?;
        let image = |id: TensorId| -> Option<Image<'_>> {
            let tensor = &net.tensors[id];
            Storage::of(tensor.element)?;
            let maker = outputs.iter().position(|&output| output == id);
            Some(Image { row: tensor.len().checked_div(*tensor.shape.get(1)?)?, maker, band })
        };
        let progress = &band.progress[index];
        let output = image(outputs[index])?;
        let mut runs: Vec<Run> = Vec::new();
        // The shape of the last run.
        let mut shape: Option<RunShape> = None;
        let period = progress.period;
        for turn in progress.turns().turns() {
            let made = progress.rows(turn);
            let seen = |(window, input): (&Option<RowWindow>, &Option<TensorId>)| {
                let (window, id) = ((*window)?, (*input)?);
                Some(window.rows(&made, *net.tensors[id].shape.get(1)?))
            };
            let seen: Vec<Option<Rows>> = windows.iter().zip(&of_node.inputs).map(seen).collect();
            let sees_none = |(seen, window): (&Option<Rows>, &Option<RowWindow>)| {
                seen.as_ref().zip(window.as_ref()).is_some_and(|(seen, window)| seen.rows.is_empty() && !window.pads)
            };
            if seen.iter().zip(&windows).any(sees_none) {
                return None;
            }
            let lengths = |(seen, window): (&Option<Rows>, &Option<RowWindow>)| {
                let (seen, window) = (seen.as_ref()?, window.as_ref()?);
                Some([seen.above, seen.rows.len(), seen.below, made.start % window.repeat])
            };
            let own = (made.len(), seen.iter().zip(&windows).map(lengths).collect::<Vec<_>>());
            let access = |&id: &TensorId| -> Option<Option<Access>> {
                let input = of_node.inputs.iter().position(|&input| input == Some(id))?;
                match &seen[input] {
                    Some(seen) => Some(Some(image(id)?.access(turn, &seen.rows))),
                    None => Some(None),
                }
            };
            let inputs: Vec<Option<Access>> = call.inputs.iter().map(access).collect::<Option<_>>()?;
            let written = output.access(turn, &made);
            if shape.as_ref() == Some(&own)
                && let Some(run) = runs.last_mut()
                && run.goes_on(&inputs, &written)
            {
                run.turns.range.end = turn + 1;
                continue;
            }
            let some_rows = rows.call((*node, call), &seen, &made)?.with_layout(call.layout)?;
            // What moves rows has constants of their number; weights are the same for all rows.
            let same_constants = call.macs == 0 || some_rows.constant_bytes == call.constant_bytes;
            let fits = some_rows.inputs == call.inputs
                && some_rows.outputs == call.outputs
                && same_constants
                && some_rows.scratch_words <= call.scratch_words;
            fits.then_some(())?;
            runs.push(Run { turns: Every { range: turn..turn + 1, period }, call: some_rows, inputs, output: written });
            shape = Some(own);
        }
        Some(Self { runs })
    }

    /// The call with its memory: operands of the call over whole tensors, whose places are those of the images or of their buffers, and what moves before
    /// and behind it.
    pub(super) fn placed(
        self,
        inputs: &[Operand],
        outputs: &[Operand],
        scratch: &Range<usize>,
        (before, after): (Option<Moves>, Vec<Moves>),
    ) -> ByRows {
        let placed = |Run { turns, call, inputs: accesses, output }: Run| {
            let inputs = inputs.iter().zip(&accesses);
            let inputs =
                inputs.map(|(whole, access)| access.map_or_else(|| whole.clone(), |access| access.operand(whole)));
            let scratch = scratch.start..scratch.start + call.scratch_words;
            let io = Io::new(inputs.collect(), vec![output.operand(&outputs[0])], Vec::new(), scratch, false);
            RowRun { turns, call, io }
        };
        let is_whole = self.runs.iter().all(|run| run.output.buffer.is_none());
        ByRows { before, after, is_whole, runs: self.runs.into_iter().map(placed).collect() }
    }
}

impl Run {
    /// Whether a turn with these operands goes on as the run does; its steps are then known.
    fn goes_on(&mut self, inputs: &[Option<Access>], output: &Access) -> bool {
        let turns = self.turns.count();
        let steps = self.inputs.iter().zip(inputs).map(|(first, next)| match (first, next) {
            (Some(first), Some(next)) => first.step(turns, next).map(Some),
            (None, None) => Some(None),
            _ => None,
        });
        let steps: Option<Vec<Option<usize>>> = steps.collect();
        let (Some(steps), Some(of_output)) = (steps, self.output.step(turns, output)) else { return false };
        for (input, step) in self.inputs.iter_mut().zip(steps) {
            if let (Some(input), Some(step)) = (input, step) {
                input.part.step = step;
            }
        }
        self.output.part.step = of_output;
        true
    }
}

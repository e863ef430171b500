//! A band: consecutive calls that run by rows, turn by turn, so that a tensor between them takes a few rows of memory and not all of its own.
//!
//! In a turn every call of the band makes the next rows of its output, in the order of the calls. A tensor whose rows come `rate` at a time has
//! rows 0 to `rate · turn + lead` behind a turn, as far as it has so many. The last call's rate is the planner's choice, and its lead is 0;
//! upstream of a call with stride s the rate is s times the call's, and the lead is the least with which the call finds all the rows that its
//! windows see:
//!
//! lead ≥ s · lead of the call + span − s − rows of padding above
//!
//! No row is computed twice. A tensor that only calls of the band read lies in a buffer of its newest rows, as many as reach back to the oldest row that a
//! call still needs. In a turn the newest row stands at the buffer's end, so that the rows of a call lie at the same place in every turn; the
//! buffer moves on by `rate` rows before each turn. Rows above the image are missing from the buffer, and calls at the image's edges make
//! fewer rows: these have shapes of their own.

use std::ops::Range;

use crate::net::{RowWindow, TensorId};

/// A call that can run by rows.
#[derive(Clone, Debug)]
pub(super) struct RowCall {
    /// The tensors that it reads, constants aside, and the window of each that is an image; `None` where every row reads all of it.
    pub inputs: Vec<(TensorId, Option<RowWindow>)>,
    pub output: TensorId,
    /// Rows of the output.
    pub height: usize,
}

/// When the rows of a tensor are made.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// Rows of a turn.
    pub rate: usize,
    /// Rows behind turn 0, as if the tensor had any number of them.
    pub lead: isize,
    height: usize,
}

impl Progress {
    /// Rows that are there behind a turn, as if the tensor had any number of them.
    fn reach(&self, turn: usize) -> isize {
        (self.rate * turn) as isize + self.lead
    }

    /// The rows that a turn makes.
    pub(super) fn rows(&self, turn: usize) -> Range<usize> {
        let end = |reach: isize| reach.clamp(0, self.height as isize).unsigned_abs();
        end(self.reach(turn) - self.rate as isize)..end(self.reach(turn))
    }

    /// The turns that make rows.
    pub(super) fn turns(&self) -> Range<usize> {
        let rate = self.rate as isize;
        let first = (-self.lead).div_euclid(rate) + 1;
        let end = (self.height as isize - self.lead - 1).div_euclid(rate) + 2;
        debug_assert!(first >= 0 && end > first, "the first turn of a band is 0");
        first.max(0).unsigned_abs()..end.max(0).unsigned_abs()
    }
}

/// The buffer of a tensor's newest rows.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Rows that it holds.
    pub capacity: usize,
    /// The turns before which it moves on, one by one; none where it holds no more than the rows of a turn.
    pub moves: Range<usize>,
    /// Rows that it moves on by.
    pub by: usize,
    /// The last call of the band that reads it.
    pub last_reader: usize,
}

/// Consecutive calls that run by rows.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub turns: usize,
    /// Per call, when its output is made; behind them, of a band that takes the model's input row by row, when that is there.
    pub progress: Vec<Progress>,
    /// The buffers of the same tensors; `None` for one that others than the band read, which is kept whole.
    pub lines: Vec<Option<Line>>,
}

impl Band {
    /// The calls with `rate` rows of the last one's output in a turn. `is_inner` says of each output whether the band's calls alone read it. `input` is the
    /// model's input, and its rows, where it comes row by row. `None` where the calls do not go together: rows of one tensor at several rates, a call whose
    /// output waits for others of the band.
    pub(super) fn new(
        calls: &[&RowCall],
        rate: usize,
        is_inner: &[bool],
        input: Option<(TensorId, usize)>,
    ) -> Option<Self> {
        let Some((output, height)) = input else { return Self::of_calls(calls, rate, is_inner) };
        // It is as the output of a first call that reads nothing.
        let first = RowCall { inputs: Vec::new(), output, height };
        let calls: Vec<&RowCall> = std::iter::once(&first).chain(calls.iter().copied()).collect();
        let is_inner: Vec<bool> = std::iter::once(true).chain(is_inner.iter().copied()).collect();
        let mut band = Self::of_calls(&calls, rate, &is_inner)?;
        band.lines.iter_mut().flatten().for_each(|line| line.last_reader = line.last_reader.saturating_sub(1));
        band.progress.rotate_left(1);
        band.lines.rotate_left(1);
        Some(band)
    }

    fn of_calls(calls: &[&RowCall], rate: usize, is_inner: &[bool]) -> Option<Self> {
        let count = calls.len();
        let mut progress: Vec<Progress> = Vec::with_capacity(count);
        let mut lines = Vec::with_capacity(count);
        // From the last call to the first: `progress` is in that order.
        for (index, call) in calls.iter().enumerate().rev() {
            let mut own: Option<(usize, isize)> = (index + 1 == count).then_some((rate, 0));
            let (mut oldest, mut last_reader) = (isize::MAX, index);
            for (reader, of_reader) in calls.iter().enumerate().skip(index + 1).zip(progress.iter().rev()) {
                let (reader, call_of_reader) = reader;
                for (id, window) in &call_of_reader.inputs {
                    if *id != call.output {
                        continue;
                    }
                    let &RowWindow { span, stride, above } = window.as_ref()?;
                    let (stride_rows, above) = (stride as isize, above as isize);
                    // Every window sees a row of the image.
                    let last_start = (of_reader.height - 1) * stride;
                    if above >= span as isize || last_start >= call.height + above.unsigned_abs() {
                        return None;
                    }
                    let rate = of_reader.rate * stride;
                    let first = stride_rows * of_reader.lead - above;
                    let lead = first + span as isize - stride_rows;
                    own = match own {
                        None => Some((rate, lead)),
                        Some((known, least)) if known == rate => Some((rate, least.max(lead))),
                        Some(_) => return None,
                    };
                    (oldest, last_reader) = (oldest.min(first), reader);
                }
            }
            let (rate, lead) = own?;
            let capacity = if oldest == isize::MAX { rate } else { (rate as isize + lead - oldest).unsigned_abs() };
            let line = Line { capacity: capacity.max(rate), moves: 0..0, by: rate, last_reader };
            lines.push(is_inner[index].then_some(line));
            progress.push(Progress { rate, lead, height: call.height });
        }
        progress.reverse();
        lines.reverse();
        // The first turn that makes rows becomes turn 0.
        let first = progress.iter().map(|of| (-of.lead).div_euclid(of.rate as isize) + 1).min()?;
        progress.iter_mut().for_each(|of| of.lead += of.rate as isize * first);
        let turns = progress.iter().map(|of| of.turns().end).max()?;
        let mut band = Self { turns, progress, lines };
        for index in 0..count {
            let end = calls.iter().zip(&band.progress).filter(|(call, _)| call.reads(calls[index].output));
            let end = end.map(|(_, of)| of.turns().end).max().unwrap_or(0);
            let start = band.progress[index].turns().start + 1;
            if let Some(line) = &mut band.lines[index]
                && line.capacity > line.by
            {
                line.moves = start..end.max(start);
            }
        }
        Some(band)
    }

    /// When the rows of the model's input come, and their buffer, of a band of `calls` calls that takes them one by one.
    pub(super) fn input(&self, calls: usize) -> Option<(&Progress, &Line)> {
        Some((self.progress.get(calls)?, self.lines.get(calls)?.as_ref()?))
    }

    /// The place in its buffer of a row of an inner tensor in a turn, counted in rows.
    pub(super) fn place(&self, call: usize, turn: usize, row: usize) -> usize {
        let capacity = self.lines[call].as_ref().map_or(0, |line| line.capacity);
        let place = row as isize - self.progress[call].reach(turn) + capacity as isize;
        debug_assert!((0..=capacity as isize).contains(&place), "a row lies in its buffer");
        place.max(0).unsigned_abs()
    }

    /// The least distance in bytes from the start of a whole output to that of a whole input which ends in the band, so that no row of the input is
    /// overwritten before it was read. `writer` is the output's call, rows of both tensors have these bytes. `None` where a call has both among its operands.
    pub(super) fn gap(
        &self,
        calls: &[&RowCall],
        input: TensorId,
        writer: usize,
        [input_row, output_row]: [usize; 2],
    ) -> Option<usize> {
        let output = calls[writer].output;
        let meets = |call: &RowCall| call.reads(input) && (call.output == output || call.reads(output));
        if calls.iter().any(|call| meets(call)) {
            return None;
        }
        let readers: Vec<_> = calls.iter().zip(&self.progress).filter(|(call, _)| call.reads(input)).collect();
        let of_writer = &self.progress[writer];
        let mut gap = 0;
        for turn in of_writer.turns() {
            let written = of_writer.rows(turn).end * output_row;
            let needed = |(call, progress): &(&&RowCall, &Progress)| {
                let next = progress.rows(turn).start;
                let first = |&(id, window): &(TensorId, Option<RowWindow>)| {
                    (id == input)
                        .then(|| window.map_or(0, |window| (next * window.stride).saturating_sub(window.above)))
                };
                // A call that has made all of its rows reads no more.
                (next < progress.height).then(|| call.inputs.iter().filter_map(first).min()).flatten()
            };
            if let Some(oldest) = readers.iter().filter_map(needed).min() {
                gap = gap.max(written.saturating_sub(oldest * input_row));
            }
        }
        Some(gap)
    }

    /// Turns of all `calls` calls together that make rows: runs of kernels.
    pub(super) fn runs(&self, calls: usize) -> usize {
        self.progress.iter().take(calls).map(|of| of.turns().len()).sum()
    }
}

impl RowCall {
    pub(super) fn reads(&self, id: TensorId) -> bool {
        self.inputs.iter().any(|&(input, _)| input == id)
    }
}

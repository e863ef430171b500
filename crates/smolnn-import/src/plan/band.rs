//! A band: consecutive calls that run by rows, turn by turn, so that a tensor between them takes a few rows of memory and not all of its own.
//!
//! Every call of the band runs in each turn, or in each second one, each fourth one …: in every `period`-th turn it makes the next `rate` rows of its
//! output, and the calls of a turn run in their order. Behind turn t a tensor has rows 0 to `rate · ⌊t / period⌋ + lead`, as far as it has so many. The
//! last call makes `rows` rows in `turns` turns, which are the planner's choice, and its lead is 0; upstream of a call with stride s there are s times as
//! many rows in as many turns, and the lead is the least with which the call finds all the rows that its windows see:
//!
//! lead ≥ s · lead of the call + span − s − rows of padding above
//!
//! A call that repeats rows, of an image that grows by a whole factor, makes all rows that repeat one at a time: upstream there are as many fewer.
//!
//! With many turns every call makes few rows at a time, which takes the least memory; with few turns there are fewer calls of kernels.
//!
//! No row is computed twice, unless the planner wants it: the rows of a pointwise layer that makes many channels of few take more memory than those that it
//! makes them of. Such a layer may run in the turns of its only reader, and make all rows that the reader's window sees, old ones too.
//!
//! A tensor that only calls of the band read lies in a buffer of its newest rows, as many as reach back to the oldest row that a
//! call still needs. In the turns that make rows the newest row stands at the buffer's end, so that the rows of a call lie at the same place in each of
//! them; the buffer moves on by `rate` rows before each of them. Behind the last call that reads it a buffer needs no more than its newest rows without
//! those that the next rows replace: the memory of the others serves other tensors for the time between. Rows above the image are missing from the
//! buffer, and calls at the image's edges make fewer rows: these have shapes of their own.

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

/// Every `period`-th turn from the first one of a range on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Every {
    pub range: Range<usize>,
    pub period: usize,
}

impl Every {
    /// No turn.
    pub(crate) const NONE: Self = Self { range: 0..0, period: 1 };

    pub(crate) fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// How many turns these are.
    pub(crate) fn count(&self) -> usize {
        self.range.len().div_ceil(self.period)
    }

    /// The place of a turn among these, if it is one of them.
    pub(crate) fn index(&self, turn: usize) -> Option<usize> {
        let since = turn.checked_sub(self.range.start).filter(|_| turn < self.range.end)?;
        since.is_multiple_of(self.period).then_some(since / self.period)
    }

    /// The turns.
    pub(super) fn turns(&self) -> impl Iterator<Item = usize> + use<> {
        self.range.clone().step_by(self.period)
    }
}

/// When the rows of a tensor are made.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// Rows that are made at a time.
    pub rate: usize,
    /// Turns from one time to the next.
    pub period: usize,
    /// Rows behind turn 0, as if the tensor had any number of them.
    lead: isize,
    /// Turns between turn 0 and the band's first one, before it or behind it: turns are counted from a turn in which all calls run.
    origin: isize,
    height: usize,
    /// Rows that are made again each time: those in front of the new ones.
    pub again: usize,
    /// The times that it runs, counted from turn 0.
    times: Range<isize>,
}

impl Progress {
    /// Rows that are there behind a turn of the band, as if the tensor had any number of them.
    pub(super) fn reach(&self, turn: usize) -> isize {
        self.rate as isize * (turn as isize + self.origin).div_euclid(self.period as isize) + self.lead
    }

    /// Whether the turn makes rows, as if the tensor had any number of them.
    fn runs_in(&self, turn: usize) -> bool {
        (turn as isize + self.origin).rem_euclid(self.period as isize) == 0
    }

    /// The rows that a turn makes.
    pub(super) fn rows(&self, turn: usize) -> Range<usize> {
        let end = |reach: isize| reach.clamp(0, self.height as isize).unsigned_abs();
        let (reach, again) = (self.reach(turn), self.again as isize);
        if self.runs_in(turn) {
            end(reach - self.rate as isize - again)..end(reach)
        } else {
            // None; the next time begins here.
            end(reach - again)..end(reach - again)
        }
    }

    /// The times that make rows which were not there, counted from turn 0.
    fn times_of_new_rows(&self) -> Range<isize> {
        let rate = self.rate as isize;
        (-self.lead).div_euclid(rate) + 1..(self.height as isize - self.lead - 1).div_euclid(rate) + 2
    }

    /// The turns in which it runs.
    pub(super) fn turns(&self) -> Every {
        let period = self.period as isize;
        let start = self.times.start * period - self.origin;
        let end = (self.times.end - 1) * period - self.origin + 1;
        debug_assert!(start >= 0 && end > start, "the first turn of a band is 0");
        Every { range: start.max(0).unsigned_abs()..end.max(0).unsigned_abs(), period: self.period }
    }
}

/// The buffer of a tensor's newest rows.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Rows that it holds.
    pub capacity: usize,
    /// The turns before which it moves on, one by one; none where it holds no more than the rows of a turn.
    pub moves: Every,
    /// Rows that it moves on by.
    pub by: usize,
    /// The last call of the band that reads it.
    pub last_reader: usize,
}

impl Line {
    /// Its rows that are still needed behind the last call of a turn that reads it.
    pub(super) fn resting(&self) -> usize {
        if self.moves.is_empty() { 0 } else { self.capacity - self.by }
    }

    /// The turns behind which the resting rows are put away, where they do not rest in the buffer: those before the turns in which it moves on.
    pub(super) fn puts(&self) -> Every {
        let Every { range, period } = &self.moves;
        let before = |turn: usize| turn.saturating_sub(*period);
        if range.is_empty() {
            Every::NONE
        } else {
            Every { range: before(range.start)..before(range.end), period: *period }
        }
    }
}

/// How a band goes: so many rows of its last call's output in so many turns, as few of both as give this pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub rows: usize,
    pub turns: usize,
}

impl Pace {
    /// The pace of rows of which `stride` are made for `repeat` ones.
    fn times(self, stride: usize, repeat: usize) -> Self {
        let (rows, turns) = (self.rows * stride, self.turns * repeat);
        let (mut divisor, mut rest) = (rows, turns);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        Self { rows: rows / divisor, turns: turns / divisor }
    }
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
    /// The calls with `rows` rows of the last one's output in `turns` turns. `is_inner` says of each output whether the band's calls alone read it, and `again` which calls make rows again. `input` is the
    /// model's input, and its rows, where it comes row by row. `None` where the calls do not go together: rows of one tensor at several rates, a call whose
    /// output waits for others of the band; and where no call runs in every turn, since the same goes in fewer turns.
    pub(super) fn new(
        calls: &[&RowCall],
        pace: Pace,
        (is_inner, again): (&[bool], &[bool]),
        input: Option<(TensorId, usize)>,
    ) -> Option<Self> {
        let Some((output, height)) = input else { return Self::of_calls(calls, pace, (is_inner, again), false) };
        // It is as the output of a first call that reads nothing.
        let first = RowCall { inputs: Vec::new(), output, height };
        let calls: Vec<&RowCall> = std::iter::once(&first).chain(calls.iter().copied()).collect();
        let is_inner: Vec<bool> = std::iter::once(true).chain(is_inner.iter().copied()).collect();
        let again: Vec<bool> = std::iter::once(false).chain(again.iter().copied()).collect();
        let mut band = Self::of_calls(&calls, pace, (&is_inner, &again), true)?;
        (band.progress[0].period == 1).then_some(())?;
        band.lines.iter_mut().flatten().for_each(|line| line.last_reader = line.last_reader.saturating_sub(1));
        band.progress.rotate_left(1);
        band.lines.rotate_left(1);
        Some(band)
    }

    fn of_calls(calls: &[&RowCall], pace: Pace, (is_inner, again): (&[bool], &[bool]), is_input: bool) -> Option<Self> {
        let count = calls.len();
        let mut progress: Vec<Progress> = Vec::with_capacity(count);
        let mut paces: Vec<Pace> = Vec::with_capacity(count);
        let mut lines = Vec::with_capacity(count);
        // From the last call to the first: `progress` is in that order.
        for (index, call) in calls.iter().enumerate().rev() {
            let mut own: Option<(Pace, isize)> = (index + 1 == count).then_some((pace, 0));
            let (mut oldest, mut last_reader) = (None, index);
            // Rows at a time, turns from one time to the next, and the times, of a call that runs with its reader.
            let mut with = None;
            let of_readers = progress.iter().zip(&paces).rev();
            for ((reader, call_of_reader), (of_reader, pace)) in
                calls.iter().enumerate().skip(index + 1).zip(of_readers)
            {
                for (id, window) in &call_of_reader.inputs {
                    if *id != call.output {
                        continue;
                    }
                    let window = window.as_ref()?;
                    let &RowWindow { span, stride, above, repeat, pads } = window;
                    // Every window sees a row of the image, but for those that pads add.
                    let sees_none = above >= span || window.start(of_reader.height - 1) >= call.height + above;
                    // Rows that repeat a window are made together, so that each time begins with the same one of them.
                    if (sees_none && !pads) || of_reader.rate % repeat != 0 {
                        return None;
                    }
                    // Where the window of a row begins, of any row as if the image had any number of them.
                    let start = |row: isize| stride as isize * row.div_euclid(repeat as isize) - above as isize;
                    let lead = start(of_reader.lead - 1) + span as isize;
                    let pace = pace.times(stride, repeat);
                    own = match own {
                        None => Some((pace, lead)),
                        Some((known, least)) if known == pace => Some((pace, least.max(lead))),
                        Some(_) => return None,
                    };
                    let before = start(of_reader.lead - (of_reader.rate + of_reader.again) as isize);
                    oldest = Some(oldest.map_or(before, |oldest: isize| oldest.min(before)));
                    last_reader = reader;
                    with = Some((stride * of_reader.rate / repeat, of_reader.period, of_reader.times.clone()));
                }
            }
            let (own, mut lead) = own?;
            let (rate, period) = (own.rows, own.turns);
            // The model's input comes in the first turn, also where other calls make padding before they need any of it.
            if is_input && index == 0 {
                let first = progress.iter().map(|of| of.times.start * of.period as isize).min()?;
                while (-lead).div_euclid(rate as isize) + 1 > first {
                    lead += rate as isize;
                }
            }
            let seen = oldest.map_or(0, |oldest| (lead - oldest).unsigned_abs());
            let mut of_call = Progress { rate, period, lead, origin: 0, height: call.height, again: 0, times: 0..0 };
            of_call.times = of_call.times_of_new_rows();
            if again[index] {
                let (rate, period, times) = with?;
                of_call = Progress { rate, period, again: seen.checked_sub(rate)?, times, ..of_call };
            }
            let by = of_call.rate + of_call.again;
            let line = Line { capacity: seen.max(by), moves: Every::NONE, by, last_reader };
            lines.push(is_inner[index].then_some(line));
            progress.push(of_call);
            paces.push(own);
        }
        progress.reverse();
        lines.reverse();
        progress.iter().any(|of| of.period == 1).then_some(())?;
        // The first turn that makes rows becomes the band's first one.
        let origin = progress.iter().map(|of| of.times.start * of.period as isize).min()?;
        progress.iter_mut().for_each(|of| of.origin = origin);
        let turns = progress.iter().map(|of| of.turns().range.end).max()?;
        let mut band = Self { turns, progress, lines };
        for index in 0..count {
            let end = calls.iter().zip(&band.progress).filter(|(call, _)| call.reads(calls[index].output));
            let end = end.map(|(_, of)| of.turns().range.end).max().unwrap_or(0);
            let Every { range, period } = band.progress[index].turns();
            let start = range.start + period;
            if let Some(line) = &mut band.lines[index]
                && line.capacity > line.by
            {
                line.moves = Every { range: start..end.max(start), period };
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
        for turn in of_writer.turns().turns() {
            let written = of_writer.rows(turn).end * output_row;
            let needed = |(call, progress): &(&&RowCall, &Progress)| {
                let next = progress.rows(turn).start;
                let first = |&(id, window): &(TensorId, Option<RowWindow>)| {
                    (id == input).then(|| window.map_or(0, |window| window.start(next).saturating_sub(window.above)))
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
        self.progress.iter().take(calls).map(|of| of.turns().count()).sum()
    }
}

impl RowCall {
    pub(super) fn reads(&self, id: TensorId) -> bool {
        self.inputs.iter().any(|&(input, _)| input == id)
    }
}

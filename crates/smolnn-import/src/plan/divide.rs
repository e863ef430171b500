//! Where bands start and end: a sequence of calls is divided into segments, each of them one call or a band of several.
//!
//! A segment's peak, the bytes that it needs beside what only waits for later ones, depends on the segment alone. So the division with the least largest
//! peak, and the cheapest one whose peaks stay below a limit, are shortest paths from the first call to behind the last.

use std::ops::Range;

use super::band::{Band, Pace, RowCall};
use super::place::ALIGNMENT;
use crate::net::{RowWindow, TensorId};

/// Most calls of a band.
const LONGEST: usize = 48;

/// How bands may go: rows of the last output, in so many turns.
const PACES: [(usize, usize); 11] =
    [(1, 1), (2, 1), (3, 1), (4, 1), (8, 1), (1, 2), (1, 3), (1, 4), (1, 8), (1, 16), (1, 32)];

/// A kind of bands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// Whether buffers have places of their own for the rows that rest.
    pub rests: bool,
    /// Whether calls may make rows again.
    pub again: bool,
}

/// All kinds, from the one that takes the fewest instructions to the one that takes the least memory.
pub(super) const KINDS: [Kind; 3] =
    [Kind { rests: false, again: false }, Kind { rests: true, again: false }, Kind { rests: true, again: true }];

/// Which calls of a band make rows again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    None,
    /// Those whose reader takes every second row or fewer, which sees few rows twice.
    Strided,
    All,
}

/// Estimated instructions of another run of a kernel.
pub(super) const RUN_COST: usize = 1500;

/// Estimated instructions for two bytes of a buffer that moves on.
pub(super) const BYTES_PER_INSTRUCTION: usize = 2;

/// Calls in the order in which they run, with what they need.
#[derive(Debug)]
pub(super) struct Sequence {
    pub calls: Vec<SequencedCall>,
    /// What lies in the arena.
    pub items: Vec<SequencedItem>,
    /// The item of the model's input, where it comes row by row.
    pub pushed: Option<usize>,
    /// The item of the model's output, where it is given row by row: a band that makes it keeps the rows of a turn until the turn's end.
    pub given: Option<usize>,
}

/// A call, for the division.
#[derive(Debug)]
pub(super) struct SequencedCall {
    /// Items that it reads.
    pub reads: Vec<usize>,
    /// Items that it writes.
    pub writes: Vec<usize>,
    /// Bytes of scratch memory.
    pub scratch: usize,
    /// Bytes that its output and an input that ends here may have in common.
    pub shared: usize,
    /// Bytes by which the output then starts before the input.
    pub gap: usize,
    /// Multiply-accumulates.
    pub macs: u64,
    /// The pixels that it computes together, of a convolution.
    pub tile: Option<Tile>,
    /// The call by rows, if it can run so.
    pub by_rows: Option<RowCall>,
}

/// Pixels that a kernel computes together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub kind: TileKind,
    /// Pixels of a row.
    pub columns: usize,
    /// Multiply-accumulates of a pixel.
    pub macs: usize,
}

/// How many pixels a kernel computes together, and what becomes of those that are left.
#[derive(Clone, Copy, Debug)]
pub(super) enum TileKind {
    /// Four; where fewer are left, the others are computed in vain.
    Fours,
    /// Three, and two and two or two where four or two are left. Two cost as much as [`PIXELS_OF_TWO`](Self::PIXELS_OF_TWO) of three.
    ThreesAndTwos,
}

impl TileKind {
    /// What a tile of two pixels costs, in tenths of a pixel of a tile of three: 13 instructions beside 17 in the inner loop, and 40 beside 52 around it.
    const PIXELS_OF_TWO: usize = 23;
}

impl Tile {
    /// What a run over so many rows costs more than its pixels do in whole tiles, in multiply-accumulates.
    fn in_vain(&self, rows: usize) -> usize {
        let pixels = rows * self.columns;
        let tenths = match self.kind {
            TileKind::Fours => 10 * (pixels.next_multiple_of(4) - pixels),
            TileKind::ThreesAndTwos => {
                // One that is left makes four with three others.
                let twos = if pixels == 1 { 1 } else { [0, 2, 1][pixels % 3] };
                (twos * TileKind::PIXELS_OF_TWO).saturating_sub(10 * pixels.min(2 * twos))
            }
        };
        tenths * self.macs / 10
    }
}

/// Something in the arena.
#[derive(Clone, Debug)]
pub(super) struct SequencedItem {
    pub bytes: usize,
    /// Position of the call that writes it; `None` for an input of the model.
    pub written: Option<usize>,
    /// Position behind the last call that reads it; behind all calls for an output of the model.
    pub end: usize,
    /// The tensor and the bytes of one of its rows, where it is an image that calls read and write under this name alone.
    pub image: Option<(TensorId, usize)>,
    /// Rows of the image.
    pub rows: Option<usize>,
}

/// One call, or several as a band.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub calls: Range<usize>,
    pub band: Option<Band>,
    /// Whether its buffers of rows have places of their own for the rows that rest.
    pub rests: bool,
    peak: usize,
    cost: usize,
    /// Bytes by which the output starts before the input that it overlaps. From segment to segment the tensors of a chain move on by them, so that their
    /// arena exceeds every peak.
    drift: usize,
}

/// What a division is to have little of, beside peaks that keep a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Instructions.
    Cost,
    /// Drift first, then instructions.
    Drift,
}

/// The input and the output of a band that may overlap: items, and the least distance in bytes from the output's start to the input's.
#[derive(Clone, Copy, Debug)]
pub(super) struct BandOverlap {
    pub input: usize,
    pub output: usize,
    pub gap: usize,
}

fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

impl Sequence {
    /// Every call by itself.
    pub(super) fn whole(&self) -> Vec<Segment> {
        (0..self.calls.len()).map(|position| self.single(position)).collect()
    }

    /// All segments, with bands of this kind, ordered by where they start.
    pub(super) fn segments(&self, kind: Kind) -> Vec<Segment> {
        let mut segments = Vec::new();
        for start in 0..self.calls.len() {
            segments.push(self.single(start));
            let end = (start..self.calls.len()).take(LONGEST).find(|&call| self.calls[call].by_rows.is_none());
            let end = end.unwrap_or(self.calls.len().min(start + LONGEST));
            // One call is a band where the caller takes the rows that it makes.
            let shortest = if self.calls[start].writes.iter().any(|&item| Some(item) == self.given) { 1 } else { 2 };
            for end in start + shortest..=end {
                let paces = PACES.iter().map(|&(rows, turns)| Pace { rows, turns });
                let again = if kind.again { self.rows_again(&(start..end)) } else { vec![vec![false; end - start]] };
                // Rows are made again where few of them are in memory.
                let kinds = paces.flat_map(|pace| {
                    let ways = if pace.rows == 1 { &again[..] } else { &again[..1] };
                    ways.iter().map(move |way| (pace, way))
                });
                segments.extend(kinds.filter_map(|(pace, way)| self.band(start..end, pace, way, kind.rests)));
            }
        }
        segments
    }

    /// The calls of a band that may make rows again, in each of the ways that are tried: none of them, and where there are some those with a reader that takes
    /// every second row or fewer, and all.
    fn rows_again(&self, range: &Range<usize>) -> Vec<Vec<bool>> {
        let calls = &self.calls[range.clone()];
        let kind = |index: usize| -> Again {
            self.stride_of_reader(calls, range, index)
                .map_or(Again::None, |stride| if stride > 1 { Again::Strided } else { Again::All })
        };
        let kinds: Vec<Again> = (0..calls.len()).map(kind).collect();
        let mut ways = vec![vec![false; calls.len()]];
        for ways_with in [&[Again::Strided][..], &[Again::Strided, Again::All]] {
            let way: Vec<bool> = kinds.iter().map(|kind| ways_with.contains(kind)).collect();
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// The stride of the only call that reads a call's output, where that call works pixel by pixel on an image with rows that are no longer, and its reader sees several
    /// rows.
    fn stride_of_reader(&self, calls: &[SequencedCall], range: &Range<usize>, index: usize) -> Option<usize> {
        let call = &calls[index];
        let &[(id, Some(window))] = &call.by_rows.as_ref()?.inputs[..] else { return None };
        let (&[item], &[read]) = (&call.writes[..], &call.reads[..]) else { return None };
        let (output, row) = self.items[item].image?;
        let (input, input_row) = self.items[read].image?;
        let is_alone = self.items[item].end <= range.end && self.given != Some(item);
        (window == RowWindow::POINTWISE && input == id && input_row <= row && is_alone).then_some(())?;
        let mut readers =
            calls.iter().filter_map(|reader| reader.by_rows.as_ref()).filter(|reader| reader.reads(output));
        let (reader, None) = (readers.next()?, readers.next()) else { return None };
        let &(_, Some(of_reader)) = reader.inputs.iter().find(|(id, _)| *id == output)? else { return None };
        (of_reader.span > 1).then_some(of_reader.stride)
    }

    /// Bytes that are in the arena before a call, and needed by it or later.
    fn live(&self, call: usize) -> usize {
        let lives = |item: &&SequencedItem| item.written.is_none_or(|written| written < call) && item.end > call;
        self.items.iter().filter(lives).map(|item| aligned(item.bytes)).sum()
    }

    fn single(&self, position: usize) -> Segment {
        let SequencedCall { writes, scratch, shared, gap, .. } = &self.calls[position];
        let written: usize = writes.iter().map(|&item| aligned(self.items[item].bytes)).sum();
        let peak = self.live(position) + written + aligned(*scratch) - shared.min(&written);
        Segment { calls: position..position + 1, band: None, rests: false, peak, cost: 0, drift: *gap }
    }

    /// The calls as a band that goes at this pace, if they can be one; `again` says which of them make rows again.
    fn band(&self, range: Range<usize>, pace: Pace, again: &[bool], rests: bool) -> Option<Segment> {
        let calls = &self.calls[range.clone()];
        let rows: Vec<&RowCall> = calls.iter().map(|call| call.by_rows.as_ref()).collect::<Option<_>>()?;
        (2 * pace.rows <= rows.last()?.height).then_some(())?;
        let is_written = |item: usize| self.items[item].written.is_some_and(|written| range.contains(&written));
        for (call, by_rows) in calls.iter().zip(&rows) {
            for &item in &call.reads {
                // What the band makes is read row by row, under the name under which it was made.
                let by_name = |&(id, window): &(TensorId, Option<RowWindow>)| {
                    window.is_some() && self.items[item].image.is_some_and(|(image, _)| image == id)
                };
                (!is_written(item) || by_rows.inputs.iter().any(by_name)).then_some(())?;
            }
        }
        let given = calls.iter().position(|call| call.writes.iter().any(|&item| Some(item) == self.given));
        let is_inner: Vec<bool> = calls
            .iter()
            .map(|call| {
                call.writes.iter().all(|&item| self.items[item].end <= range.end && self.items[item].image.is_some())
            })
            .enumerate()
            .map(|(index, inner)| inner && (index + 1 < calls.len() || Some(index) == given))
            .collect();
        let pushed = self.pushed_into(&range);
        let height = |id: TensorId, item: usize| Some((id, self.items[item].rows?));
        let input = pushed.and_then(|item| height(self.items[item].image?.0, item));
        let mut band = Band::new(&rows, pace, (&is_inner, again), input)?;
        if let Some(line) = given.and_then(|index| band.lines[index].as_mut()) {
            // The caller reads it behind the turn.
            line.last_reader = calls.len() - 1;
        }
        let row = |item: usize| self.items[item].image.map_or(0, |(_, bytes)| bytes);
        let (mut kept, mut moved) = (0, 0);
        let mut of_turn = vec![0; calls.len()];
        for (index, call) in calls.iter().enumerate() {
            of_turn[index] += aligned(call.scratch);
            let &item = call.writes.first()?;
            match &band.lines[index] {
                None => kept += aligned(self.items[item].bytes),
                Some(line) => {
                    let bytes = aligned(line.capacity * row(item));
                    let resting = if rests { line.resting() } else { line.capacity };
                    let always = if line.moves.is_empty() { 0 } else { aligned(resting * row(item)) };
                    of_turn[index..=line.last_reader].iter_mut().for_each(|used| *used += bytes - always);
                    kept += always;
                    moved += line.moves.count() * line.resting() * row(item);
                }
            }
        }
        let mut live = self.live(range.start);
        if let (Some(item), Some((_, line))) = (pushed, band.input(calls.len())) {
            live -= aligned(self.items[item].bytes);
            let resting = if rests { line.resting() } else { line.capacity };
            let always = if line.moves.is_empty() { 0 } else { aligned(resting * row(item)) };
            of_turn[..=line.last_reader]
                .iter_mut()
                .for_each(|used| *used += aligned(line.capacity * row(item)) - always);
            kept += always;
            moved += line.moves.count() * line.resting() * row(item);
        }
        let overlap = self.band_overlap(&range, &band);
        let (saved, drift) = overlap.map_or((0, 0), |overlap| (self.saved(&overlap), overlap.gap));
        let most = of_turn.into_iter().max().unwrap_or(0);
        let peak = (live + kept + most).saturating_sub(saved);
        let runs = band.runs(calls.len()) - calls.len();
        // Rows that rest elsewhere move there and back.
        let moved = if rests { 2 * moved } else { moved };
        let again = calls.iter().zip(&band.progress).map(|(call, of)| call.macs as usize * of.again / of.rate);
        let in_vain = calls
            .iter()
            .zip(&band.progress)
            .map(|(call, of)| call.tile.map_or(0, |tile| of.turns().count() * tile.in_vain(of.rate + of.again)));
        let cost = runs * RUN_COST + moved / BYTES_PER_INSTRUCTION + again.sum::<usize>() + in_vain.sum::<usize>();
        Some(Segment { calls: range, peak, cost, drift, band: Some(band), rests })
    }

    /// The item of the model's input whose rows a band takes one by one: the first one, if nothing behind it reads the input.
    pub(super) fn pushed_into(&self, range: &Range<usize>) -> Option<usize> {
        self.pushed
            .filter(|&item| range.start == 0 && self.items[item].end <= range.end && self.items[item].image.is_some())
    }

    /// The input that ends in a band and the output that outlives it which save the most memory by overlapping.
    pub(super) fn band_overlap(&self, range: &Range<usize>, band: &Band) -> Option<BandOverlap> {
        let calls = &self.calls[range.clone()];
        let rows: Vec<&RowCall> = calls.iter().map(|call| call.by_rows.as_ref()).collect::<Option<_>>()?;
        let mut inputs: Vec<usize> = calls.iter().flat_map(|call| call.reads.iter().copied()).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let ends = |&item: &usize| {
            let SequencedItem { written, end, .. } = self.items[item];
            end <= range.end && written.is_none_or(|written| written < range.start)
        };
        inputs.retain(ends);
        let pushed = self.pushed_into(range).filter(|_| band.input(calls.len()).is_some());
        inputs.retain(|&item| Some(item) != pushed);
        let outputs = (0..calls.len()).filter(|&index| band.lines[index].is_none());
        let pairs = outputs.flat_map(|index| inputs.iter().map(move |&input| (index, input)));
        let overlap = |(index, input): (usize, usize)| {
            let &output = calls[index].writes.first()?;
            let ((id, input_row), (_, output_row)) = (self.items[input].image?, self.items[output].image?);
            let gap = band.gap(&rows, id, index, [input_row, output_row])?;
            Some(BandOverlap { input, output, gap })
        };
        pairs.filter_map(overlap).max_by_key(|overlap| self.saved(overlap)).filter(|overlap| self.saved(overlap) > 0)
    }

    /// Bytes that an overlap saves.
    fn saved(&self, overlap: &BandOverlap) -> usize {
        let (input, output) = (aligned(self.items[overlap.input].bytes), aligned(self.items[overlap.output].bytes));
        (input + output).saturating_sub((aligned(overlap.gap) + input).max(output))
    }
}

/// The largest peak of a division: no arena for it is smaller.
pub(super) fn peak(division: &[Segment]) -> usize {
    division.iter().map(|segment| segment.peak).max().unwrap_or(0)
}

/// Instructions that a division takes beside those of whole tensors, estimated.
pub(super) fn cost(division: &[Segment]) -> usize {
    division.iter().map(|segment| segment.cost).sum()
}

/// The least limit that the peaks of a division of `count` calls can keep.
pub(super) fn least_peak(segments: &[Segment], count: usize) -> usize {
    let mut least = vec![usize::MAX; count + 1];
    least[0] = 0;
    for Segment { calls, peak, .. } in segments {
        least[calls.end] = least[calls.end].min(least[calls.start].max(*peak));
    }
    least[count]
}

/// The division of `count` calls with the least weight of those whose peaks do not exceed `limit`, if there is one.
pub(super) fn lightest(segments: &[Segment], count: usize, limit: usize, weight: Weight) -> Option<Vec<Segment>> {
    let mut best: Vec<Option<((usize, usize), usize)>> = vec![None; count + 1];
    best[0] = Some(((0, 0), usize::MAX));
    for (index, Segment { calls, peak, cost, drift, .. }) in segments.iter().enumerate() {
        if let Some(((known_drift, known), _)) = best[calls.start].filter(|_| *peak <= limit) {
            let drift = if weight == Weight::Drift { known_drift + drift } else { 0 };
            let total = (drift, known + cost);
            if best[calls.end].is_none_or(|(other, _)| total < other) {
                best[calls.end] = Some((total, index));
            }
        }
    }
    let mut division = Vec::new();
    let mut position = count;
    while position > 0 {
        let (_, index) = best[position]?;
        position = segments[index].calls.start;
        division.push(segments[index].clone());
    }
    division.reverse();
    Some(division)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_run_costs_what_its_tiles_do() {
        let in_vain = |kind, columns| Tile { kind, columns, macs: 10 }.in_vain(1);
        // One pixel is computed as two; two, and what makes four or five of them, cost 2.3 of three.
        for (pixels, tenths) in [(0, 0), (1, 13), (2, 3), (3, 0), (4, 6), (5, 3), (6, 0), (16, 6), (17, 3)] {
            assert_eq!(in_vain(TileKind::ThreesAndTwos, pixels), tenths, "{pixels} pixels");
        }
        for (pixels, tenths) in [(1, 30), (4, 0), (6, 20)] {
            assert_eq!(in_vain(TileKind::Fours, pixels), tenths, "{pixels} pixels");
        }
    }
}

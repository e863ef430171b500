//! Calls in an order with their memory: buffers whose rows rest elsewhere between their turns, and tensors that move between bands.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::band::{Every, Line};
use super::divide::Segment;
use super::place::{self, Item, Overlap, Placement, Resting};
use super::program::ArenaUse;
use super::turns::Moves;

/// Instants from one moment to the next: what happens between two calls has an order.
const INSTANTS: usize = 4;

/// Most buffers whose rows are put away behind one call: there is an instant for each of them, and one for all of them.
const MOST_LEAVING: usize = INSTANTS - 2;

/// Calls in an order, divided into segments, with their memory.
pub(super) struct Placed {
    /// Position in the order -> call.
    pub order: Vec<usize>,
    pub segments: Vec<Segment>,
    /// The tensors and buffers of rows, then the scratch memory of each call. At the end of the placement are the places of rows that rest.
    pub items: Vec<Item>,
    pub placement: Placement,
    /// Buffers of rows that move on.
    pub buffers: Vec<Buffer>,
    /// Tensors that move between two segments, by their items.
    pub moved: HashMap<usize, Moved>,
    /// For calls that are no band, by their positions: which of the inputs the output may overlap.
    pub overlaps: HashMap<usize, (usize, Overlap)>,
    /// Bytes that the input and the output of a band have in common, by the band's first position.
    pub common: HashMap<usize, usize>,
}

/// A tensor that has another place from some segment on: its output then overlaps it without going further down than it came up.
#[derive(Debug)]
pub(super) struct Moved {
    /// Its second place, in the list of all that is placed.
    pub place: usize,
    /// Position of the segment's first call.
    pub position: usize,
    /// The moments from that call on.
    pub moments: Range<usize>,
}

/// A buffer of rows that moves on: in a turn all of its rows are in use from the call that writes it to the last one that reads it, between these times rows
/// rest.
#[derive(Debug)]
pub(super) struct Buffer {
    pub item: usize,
    /// Position of the call that writes it; `None` for the model's input, whose rows come before the first call.
    pub writer: Option<usize>,
    /// Position of the last call that reads it.
    pub reader: usize,
    /// Bytes that a turn writes, and bytes that rest: the last ones of the buffer.
    pub bytes: [usize; 2],
    /// The turns before which it moves on, and those behind which its rows are put away.
    pub turns: [Every; 2],
    /// Where its rows rest, in the list of all that is placed, and the moments at which they do, if that is not in the buffer itself.
    pub rest: Option<(usize, Vec<Range<usize>>)>,
}

impl Buffer {
    pub(super) fn new(item: usize, line: &Line, row: usize, (writer, reader): (Option<usize>, usize)) -> Self {
        let bytes = [line.by * row, line.resting() * row];
        Self { item, writer, reader, bytes, turns: [line.moves.clone(), line.puts()], rest: None }
    }

    /// Sets when the buffer is in use: in a turn at the moments `in_use`, and where its rows rest in it, in all of its band's.
    pub(super) fn lie(
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
    pub(super) fn rest(&self, placement: &Placement) -> Range<usize> {
        let [by, resting] = self.bytes;
        let start = self.rest.as_ref().map_or(placement.offsets[self.item] + by, |&(rest, _)| placement.offsets[rest]);
        start..start + resting
    }

    /// How rows that rested are brought to the buffer's start.
    pub(super) fn brought(&self, placement: &Placement) -> Option<Moves> {
        let (from, to) = (self.rest(placement), placement.offsets[self.item]);
        (from.start != to).then(|| Moves { turns: self.turns[0].clone(), from, to })
    }

    /// How rows are put away that are to rest: the buffer's last ones.
    pub(super) fn put(&self, placement: &Placement) -> Option<Moves> {
        let [by, resting] = self.bytes;
        let (start, to) = (placement.offsets[self.item] + by, self.rest(placement).start);
        (start != to).then(|| Moves { turns: self.turns[1].clone(), from: start..start + resting, to })
    }
}

impl Placed {
    /// The buffer of rows of this item, if it moves on.
    pub(super) fn buffer(&self, item: usize) -> Option<&Buffer> {
        self.buffers.iter().find(|buffer| buffer.item == item)
    }

    /// Where an item lies for a call that reads it.
    pub(super) fn offset(&self, item: usize, position: usize) -> usize {
        let moved = self.moved.get(&item).filter(|moved| moved.position <= position);
        self.placement.offsets[moved.map_or(item, |moved| moved.place)]
    }

    /// The tensor that moves before the segment that begins at a position.
    pub(super) fn moved(&self, position: usize) -> Option<Moves> {
        let (&item, moved) = self.moved.iter().find(|(_, moved)| moved.position == position)?;
        let (start, to) = (self.placement.offsets[item], self.placement.offsets[moved.place]);
        let turns = Every { range: 0..1, period: 1 };
        (start != to).then(|| Moves { turns, from: start..start + self.items[item].bytes, to })
    }

    /// What moves before the call at a position, and behind it.
    pub(super) fn moves(&self, position: usize) -> (Option<Moves>, Vec<Moves>) {
        let before = self.buffers.iter().find(|buffer| buffer.writer == Some(position));
        let after = self.buffers.iter().filter(|buffer| buffer.reader == position);
        (
            before.and_then(|buffer| buffer.brought(&self.placement)),
            after.filter_map(|buffer| buffer.put(&self.placement)).collect(),
        )
    }

    /// All that lies in the arena: bytes, moments, whether it is scratch memory.
    pub(super) fn uses_of_memory(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>, bool)> {
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
    pub(super) fn uses(&self) -> Vec<ArenaUse> {
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

/// The tensors that a call or band makes over its input and another one reads so: they move between the two, and need no more than their first place until
/// then.
pub(super) fn moved(items: &mut [Item], overlaps: &[Overlap], segments: &[Segment]) -> HashMap<usize, Moved> {
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
/// `bands` are the moments of the bands: what is in use at all of them stays for the instants behind the last one, since another turn follows. So does `given`,
/// the output whose rows are given to the caller behind a turn.
pub(super) fn place_with_moves(
    items: &[Item],
    overlaps: &[Overlap],
    buffers: &mut [Buffer],
    moved: &mut HashMap<usize, Moved>,
    (bands, given): (&[Range<usize>], Option<usize>),
) -> Placement {
    if moved.is_empty() && buffers.iter().all(|buffer| buffer.rest.is_none()) {
        return place::place(items, overlaps);
    }
    let that_move: HashSet<usize> = moved.keys().copied().collect();
    let instants = |(index, item): (usize, &Item)| {
        let stays = that_move.contains(&index)
            || given == Some(index)
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
pub(super) fn common(one: Range<usize>, other: Range<usize>) -> usize {
    one.end.min(other.end).saturating_sub(one.start.max(other.start))
}

//! The search: calls are ordered, divided into segments as the goal has it, and their tensors placed.

use std::collections::{HashMap, HashSet};

use smolnn_fixed::Backend;

use super::band::RowCall;
use super::divide::{self, Segment, Sequence, SequencedCall, SequencedItem, Tile, TileKind, Weight};
use super::layout::Layout;
use super::order::{self, Use};
use super::place::{Item, Overlap};
use super::placed::{Buffer, Placed, common, moved, place_with_moves};
use super::program::Goal;
use crate::lower::{Call, Lowering};
use crate::net::{Operator, TensorId, View, row_windows};

/// Most limits of the peaks that are tried for an arena within a budget before those for the least arena: each placement may take a second.
const MOST_LIMITS: usize = 2;

/// Limits that are tried for the least arena: what they exceed the least peak by, in 64ths of it.
const ABOVE_LEAST: [usize; 3] = [0, 2, 6];

/// The share of the arena, one in so many bytes, that rows which are made again save at least.
const WORTH: usize = 10;

/// Calls from which on fewer kinds of bands are tried.
const MANY_CALLS: usize = 96;

impl Layout<'_> {
    /// Orders that may need less memory than that of the file: the one with the least peak, and the one that has the least in each section between two
    /// moments at which a single tensor lives. The first need not be good where its peak is not: there it may be the file's.
    fn orders(&self, calls: &[Lowering]) -> Vec<Vec<usize>> {
        if calls.iter().any(|of| !of.call.states.is_empty()) {
            return Vec::new();
        }
        let uses: Vec<Use> = calls
            .iter()
            .map(|Lowering { call, .. }| Use {
                reads: self.items_of(&call.inputs),
                writes: self.items_of(&call.outputs),
                scratch: call.scratch_words * 4,
            })
            .collect();
        let whole = order::order(&uses, &self.bytes, &self.inputs, &self.outputs);
        whole.into_iter().chain([self.order_of_sections(&uses)]).collect()
    }

    fn order_of_sections(&self, uses: &[Use]) -> Vec<usize> {
        // The first and the last position before which each item lives: behind its writer, and up to its last reader.
        let mut lives = vec![[usize::MAX, 0]; self.bytes.len()];
        self.inputs.iter().for_each(|&item| lives[item][0] = 0);
        for (position, of) in uses.iter().enumerate() {
            of.writes.iter().for_each(|&item| lives[item][0] = lives[item][0].min(position + 1));
            of.reads.iter().for_each(|&item| lives[item][1] = position);
        }
        self.outputs.iter().for_each(|&item| lives[item][1] = uses.len());
        let live = |position: usize| -> Vec<usize> {
            (0..lives.len()).filter(|&item| lives[item][0] <= position && position <= lives[item][1]).collect()
        };
        let mut order = Vec::with_capacity(uses.len());
        let mut start = (0, live(0));
        for position in 1..=uses.len() {
            let living = live(position);
            if living.len() > 1 && position < uses.len() {
                continue;
            }
            let (first, inputs) = start;
            let section = order::order(&uses[first..position], &self.bytes, &inputs, &living);
            let section = section.unwrap_or_else(|| (0..position - first).collect());
            order.extend(section.into_iter().map(|index| first + index));
            start = (position, living);
        }
        order
    }

    /// Orders and divides the calls as the goal has it, and places their tensors. Calls that are refused do not run by rows.
    pub(super) fn arrange(&self, calls: &[Lowering], goal: Goal, refused: &HashSet<usize>) -> Placed {
        let mut orders: Vec<Vec<usize>> = vec![(0..calls.len()).collect()];
        for order in self.orders(calls) {
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        // An output that is given by rows may lie whole until then: it can take the place of what it is made of.
        let ways: &[bool] = if self.given.is_some() && goal != Goal::Speed { &[false, true] } else { &[false] };
        let orders: Vec<(Vec<usize>, bool)> =
            orders.into_iter().flat_map(|order| ways.iter().map(move |&given| (order.clone(), given))).collect();
        let sequences: Vec<Sequence> =
            orders.iter().map(|(order, given)| self.sequence(calls, order, goal, refused, *given)).collect();
        let place = |index: usize, segments, moves| {
            self.place(calls, orders[index].0.clone(), &sequences[index], segments, moves)
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
        // The cost of the cheapest plan within the budget, once there is one.
        let mut cheapest: Option<usize> = None;
        for (index, sequence, kind) in kinds {
            let segments = sequence.segments(kind);
            let least = divide::least_peak(&segments, calls.len());
            // No arena is smaller than a peak.
            if least >= cheapest.map_or(placed.placement.bytes, |_| budget + 1) {
                continue;
            }
            // When a placement exceeds the budget, a lower limit of the peaks may do; for the least arena one above the least peak may be better, since its
            // tensors fit each other better.
            let mut limit = budget;
            let mut tried = HashSet::new();
            'limits: for attempt in 0..MOST_LIMITS + ABOVE_LEAST.len() {
                let above = attempt.checked_sub(MOST_LIMITS).map(|index| least + least * ABOVE_LEAST[index] / 64);
                let own = above.unwrap_or(limit).max(least);
                if !tried.insert(own) {
                    continue;
                }
                let mut excess = usize::MAX;
                // Tensors that move do not drift.
                for &weight in if kind.rests { &[Weight::Cost][..] } else { &[Weight::Cost, Weight::Drift] } {
                    let division = divide::lightest(&segments, calls.len(), own, weight);
                    let is_better = |division: &Vec<Segment>| match cheapest {
                        None => divide::peak(division) < placed.placement.bytes,
                        Some(cost) => divide::peak(division) <= budget && divide::cost(division) < cost,
                    };
                    let Some(division) = division.filter(is_better) else { continue };
                    let cost = divide::cost(&division);
                    let other = place(index, division, kind.rests);
                    excess = excess.min(other.placement.bytes.saturating_sub(budget));
                    // Rows that are made again cost multiply-accumulates: a little memory is not worth them.
                    let most = if kind.again && excess > 0 { plain - plain / WORTH } else { usize::MAX };
                    if other.placement.bytes <= budget {
                        (placed, cheapest) = (other, Some(cost));
                        break 'limits;
                    }
                    if other.placement.bytes <= most && cheapest.is_none() {
                        better(&mut placed, other);
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

    /// The calls in an order, as the division into segments takes them; bands may keep a few rows of an output that is given by rows, if `is_given`.
    fn sequence(
        &self,
        calls: &[Lowering],
        order: &[usize],
        goal: Goal,
        refused: &HashSet<usize>,
        is_given: bool,
    ) -> Sequence {
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
                tile: self.tile(*node, call),
                by_rows: if is_alone { self.row_call(*node, call) } else { None },
            }
        });
        let calls = sequenced.collect();
        // Under another name its rows may be others.
        let is_output = |&item: &usize| items[item].image.is_some_and(|(id, _)| self.net.outputs == [id]);
        let given = self.given.filter(is_output).filter(|_| is_given);
        Sequence { calls, items, pushed: self.pushed, given }
    }

    /// The pixels that a call computes together, where it does, and how many there are to a row.
    fn tile(&self, node: usize, call: &Call) -> Option<Tile> {
        let &[output] = &call.outputs[..] else { return None };
        let (Operator::Conv2d { .. }, [1, rows, columns, _]) =
            (&self.net.nodes[node].operator, &self.net.tensors[output].shape[..])
        else {
            return None;
        };
        let kind = if self.backend == Backend::Dsp { TileKind::ThreesAndTwos } else { TileKind::Fours };
        Some(Tile { kind, columns: *columns, macs: call.macs as usize / (rows * columns).max(1) })
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
        let is_constant = |id: TensorId| self.net.tensors[self.roots[id]].data.is_some();
        let is_lent = |id: TensorId| self.lent.contains(&self.roots[id]);
        let are_known = call.inputs.iter().all(|&id| in_arena(&&id) || is_constant(id) || is_lent(id));
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
                    // What is given to the caller behind the turn stays where it was made.
                    let rests = *rests && sequence.given != Some(item);
                    buffer.lie(&mut items[item], in_use, of_band.clone(), rests, &mut buffers);
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
        let placement = place_with_moves(&items, &overlaps, &mut buffers, &mut moved, (&bands, self.given));
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
}

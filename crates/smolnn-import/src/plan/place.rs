//! Where in the arena each tensor lies.
//!
//! Tensors that live at the same time lie apart, except where an operator runs row by row and its dying input may be overwritten: there the
//! output may start a given gap before the input (see `overlap_gap` in smolnn-core). Placing is a packing problem: items are placed one
//! after the other at the lowest offset that is free; the order of placing is searched, seeded, from several good starts, until the arena
//! is as small as a lower bound of every arena or a budget of steps is spent. Every second move of the search takes an item that ends where the
//! arena does, since no other move makes the arena smaller, and places it earlier.

use std::ops::Range;

/// Offsets are multiples of this many bytes, so that every region of the arena is whole words.
pub(crate) const ALIGNMENT: usize = 4;

/// Starts of the search: one may end where no single move helps.
const STARTS: usize = 5;
/// Steps that the search may take after its starts (see [`Packer`]): about two seconds in an unoptimised build script.
const SEARCH_STEPS: usize = 42_000_000;
/// Most places that are drawn for an item that moves, to find one before an item that is in use with it: other moves change little.
const MOST_DRAWS: usize = 8;

/// Something that needs memory for a time.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Size in bytes.
    pub bytes: usize,
    /// First moment it is in use.
    pub first: usize,
    /// Last moment it is in use.
    pub last: usize,
    /// Moments between them at which it is not in use.
    pub pause: Range<usize>,
}

impl Item {
    /// Bytes of the arena that it takes: its size in whole words.
    fn size(&self) -> usize {
        self.bytes.next_multiple_of(ALIGNMENT)
    }

    /// Whether both are in use at some moment.
    fn meets(&self, other: &Item) -> bool {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        first <= last && not_only_in(first, last, &self.pause, &other.pause)
    }
}

/// Whether one of the moments from `first` to `last` is in neither of two pauses. If there is one, the first of them is `first` or follows a pause.
fn not_only_in(first: usize, last: usize, one: &Range<usize>, other: &Range<usize>) -> bool {
    if one.is_empty() && other.is_empty() {
        return true;
    }
    [first, one.end, other.end]
        .into_iter()
        .any(|moment| first <= moment && moment <= last && !one.contains(&moment) && !other.contains(&moment))
}

/// Permission for `output` to overlap `input`, if input offset − output offset ≥ `gap` bytes. Both are in use at one common moment only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overlap {
    /// Index of the item that dies.
    pub input: usize,
    /// Index of the item that is born.
    pub output: usize,
    /// Least distance from the output's first byte to the input's.
    pub gap: usize,
}

/// Offsets of the items, and the size of the arena that holds them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placement {
    /// Byte offset per item.
    pub offsets: Vec<usize>,
    /// Bytes in all.
    pub bytes: usize,
}

/// Places all items; see the module.
pub(crate) fn place(items: &[Item], overlaps: &[Overlap]) -> Placement {
    search(&mut Packer::new(items, overlaps), least_bytes(items, overlaps))
}

/// A buffer of rows that has two places: one for all of its rows while they are in use, and one for those that rest meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resting {
    /// Index of the item of all rows.
    pub buffer: usize,
    /// Index of the item of those that rest, the last ones of the buffer.
    pub rest: usize,
    /// Bytes in front of them in the buffer.
    pub by: usize,
}

/// Lets rows rest in their buffer where there is room for it: at its end, where they were made, or at its start, where they are needed next. Either saves
/// one of two moves.
pub(crate) fn settle(items: &[Item], placement: &mut Placement, pairs: &[Resting]) {
    for &Resting { buffer, rest, by } in pairs {
        let (of_buffer, of_rest) = (placement.offsets[buffer], placement.offsets[rest]);
        if of_rest == of_buffer || of_rest == of_buffer + by {
            continue;
        }
        let moved = [
            (rest, Some(of_buffer + by)),
            (rest, Some(of_buffer)),
            (buffer, of_rest.checked_sub(by)),
            (buffer, Some(of_rest)),
        ];
        let free = |&(item, offset): &(usize, Option<usize>)| {
            let Some(offset) = offset.filter(|offset| offset.is_multiple_of(ALIGNMENT)) else { return false };
            let end = offset + items[item].size();
            let is_apart = |(other, &start): (usize, &usize)| {
                other == item
                    || end <= start
                    || start + items[other].size() <= offset
                    || !items[item].meets(&items[other])
            };
            end <= placement.bytes && placement.offsets.iter().enumerate().all(is_apart)
        };
        if let Some((item, Some(offset))) = moved.into_iter().find(free) {
            placement.offsets[item] = offset;
        }
    }
}

/// Bytes that no arena can do without: the most that is in use at one moment, where each pair that may overlap does so as far as it may.
fn least_bytes(items: &[Item], overlaps: &[Overlap]) -> usize {
    // Changes of the bytes in use, by moment. At one moment negative changes sort first, so that no partial sum exceeds the sum of all.
    let mut changes: Vec<(usize, isize)> = Vec::with_capacity(2 * items.len() + 2 * overlaps.len());
    for item in items {
        changes.push((item.first, item.size() as isize));
        changes.push((item.last + 1, -(item.size() as isize)));
        if !item.pause.is_empty() {
            changes.push((item.pause.start, -(item.size() as isize)));
            changes.push((item.pause.end, item.size() as isize));
        }
    }
    for overlap in overlaps {
        let (input, output) = (&items[overlap.input], &items[overlap.output]);
        if input.meets(output) {
            let apart = input.size() + output.size();
            let together = (overlap.gap.next_multiple_of(ALIGNMENT) + input.size()).max(output.size());
            let saved = apart.saturating_sub(together) as isize;
            changes.push((input.first.max(output.first), -saved));
            changes.push((input.last.min(output.last) + 1, saved));
        }
    }
    changes.sort_unstable();
    let (mut used, mut most) = (0, 0);
    for (_, change) in changes {
        used += change;
        most = most.max(used);
    }
    most.unsigned_abs()
}

/// Searches for the order of placing with the smallest arena. An arena of `floor` bytes, below which there is none, ends the search.
fn search(packer: &mut Packer<'_>, floor: usize) -> Placement {
    let items = packer.items;
    // What has no bytes is in nobody's way.
    let by = |key: &dyn Fn(&Item) -> (usize, usize)| {
        let mut order: Vec<usize> = (0..items.len()).filter(|&index| items[index].bytes > 0).collect();
        order.sort_by_cached_key(|&index| key(&items[index]));
        order
    };
    // By birth, by death, by lifetime and by size with ties broken in two ways. `!` puts large values first.
    let starts: [_; STARTS] = [
        by(&|item| (item.first, 0)),
        by(&|item| (!item.last, 0)),
        by(&|item| (!(item.last - item.first), !item.bytes)),
        by(&|item| (!item.bytes, item.first)),
        by(&|item| (!item.bytes, !item.last)),
    ];
    let mut placed = Vec::with_capacity(starts.len());
    for start in starts {
        let Some(placement) = packer.pack(&start, usize::MAX) else { continue };
        if placement.bytes <= floor {
            return placement;
        }
        placed.push((placement, start));
    }
    placed.sort_by_key(|(placement, _)| placement.bytes);
    let mut best = Placement { offsets: vec![0; items.len()], bytes: usize::MAX };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for (placement, order) in placed {
        let last_step = packer.steps + SEARCH_STEPS / STARTS;
        let found = descend(packer, (placement, order), &mut random, (floor, last_step));
        if found.bytes < best.bytes {
            best = found;
        }
        if best.bytes <= floor {
            break;
        }
    }
    debug_assert!(best.bytes >= floor, "an arena below the lower bound");
    best
}

/// The local search from one start: moves one item to another place in the order and keeps what is not worse.
fn descend(
    packer: &mut Packer<'_>,
    (mut best, mut order): (Placement, Vec<usize>),
    random: &mut Random,
    (floor, last_step): (usize, usize),
) -> Placement {
    let items = packer.items;
    let patience = 500 + 100 * order.len();
    let mut since_better = 0;
    let mut takes_top = false;
    while best.bytes > floor && since_better <= patience && packer.steps < last_step {
        since_better += 1;
        packer.steps += order.len();
        let from = if takes_top {
            let ends_last = |&index: &usize| best.offsets[index] + items[index].size() == best.bytes;
            let tops: Vec<usize> = (0..order.len()).filter(|&place| ends_last(&order[place])).collect();
            tops[random.below(tops.len())]
        } else {
            random.below(order.len())
        };
        let places = if takes_top { from + 1 } else { order.len() };
        takes_top = !takes_top;
        let meets = |&to: &usize| to != from && items[order[to]].meets(&items[order[from]]);
        let mut to = random.below(places);
        for _ in 1..MOST_DRAWS {
            if meets(&to) {
                break;
            }
            to = random.below(places);
        }
        let mut candidate = order.clone();
        let moved = candidate.remove(from);
        candidate.insert(to, moved);
        // What stands before both places stays where it is.
        let kept = from.min(to);
        if let Some(placement) = packer.pack_behind(&candidate, (kept, &best.offsets), best.bytes) {
            if placement.bytes < best.bytes {
                since_better = 0;
            }
            (best, order) = (placement, candidate);
        }
    }
    best
}

/// Numbers below a limit, the same ones for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Places items one after the other, each at the lowest offset that is free.
///
/// An order of n items takes at most n·(n + 1)/2 steps, a move of the search n more, and memory in proportion to n: no list says which items live at the same time,
/// the packer finds them among the regions that are taken.
struct Packer<'a> {
    items: &'a [Item],
    /// Per item, the items that it may overlap.
    partners: Vec<Vec<Partner>>,
    /// What is placed already, by offset.
    regions: Vec<Region>,
    /// Per item, the item that it was last marked as a partner of.
    partner_of: Vec<usize>,
    /// Steps so far: items placed, and regions looked at.
    steps: usize,
}

/// A partner that an item may overlap, and the distances between their first bytes that the item has to keep.
struct Partner {
    item: usize,
    /// Least distance when the item starts before the partner.
    below: usize,
    /// Least distance when the item starts behind the partner.
    above: usize,
}

/// The bytes that an item takes, and when.
struct Region {
    start: usize,
    end: usize,
    first: usize,
    last: usize,
    pause: Range<usize>,
    item: usize,
}

/// The offset of an item that is not placed yet, or the mark of one that is nobody's partner.
const NONE: usize = usize::MAX;

impl<'a> Packer<'a> {
    fn new(items: &'a [Item], overlaps: &[Overlap]) -> Self {
        let mut partners: Vec<Vec<Partner>> = items.iter().map(|_| Vec::new()).collect();
        for overlap in overlaps {
            let (input, output) = (&items[overlap.input], &items[overlap.output]);
            if input.meets(output) {
                let gap = overlap.gap.next_multiple_of(ALIGNMENT).min(output.size());
                permit(&mut partners[overlap.output], overlap.input, gap, input.size());
                permit(&mut partners[overlap.input], overlap.output, input.size(), gap);
            }
        }
        let partner_of = vec![NONE; items.len()];
        Self { items, partners, regions: Vec::with_capacity(items.len()), partner_of, steps: 0 }
    }

    /// Places the items in this order; `None` when that takes more than `limit` bytes.
    fn pack(&mut self, order: &[usize], limit: usize) -> Option<Placement> {
        self.pack_behind(order, (0, &[]), limit)
    }

    /// As [`pack`](Self::pack), where the first `known` items of the order lie at these offsets.
    fn pack_behind(
        &mut self,
        order: &[usize],
        (known, known_offsets): (usize, &[usize]),
        limit: usize,
    ) -> Option<Placement> {
        let items = self.items;
        let region = |index: usize, start: usize| {
            let Item { first, last, ref pause, .. } = items[index];
            Region { start, end: start + items[index].size(), first, last, pause: pause.clone(), item: index }
        };
        let (first, rest) = order.split_at(known);
        self.regions.clear();
        self.regions.extend(first.iter().map(|&index| region(index, known_offsets[index])));
        self.regions.sort_unstable_by_key(|region| region.start);
        self.steps += known;
        let mut bytes = self.regions.iter().map(|region| region.end).max().unwrap_or(0);
        // What has no bytes lies anywhere.
        let mut offsets: Vec<usize> = items.iter().map(|item| if item.bytes == 0 { 0 } else { NONE }).collect();
        first.iter().for_each(|&index| offsets[index] = known_offsets[index]);
        for &index in rest {
            let region = region(index, self.lowest_free(index, &offsets));
            if region.end > limit {
                return None;
            }
            bytes = bytes.max(region.end);
            offsets[index] = region.start;
            let position = self.regions.partition_point(|other| other.start < region.start);
            self.regions.insert(position, region);
        }
        Some(Placement { offsets, bytes })
    }

    /// The lowest offset at which the item is in nobody's way.
    fn lowest_free(&mut self, index: usize, offsets: &[usize]) -> usize {
        let item = &self.items[index];
        let (size, first, last) = (item.size(), item.first, item.last);
        let never_pauses = item.pause.end == 0;
        let partners = &self.partners[index];
        for partner in partners {
            self.partner_of[partner.item] = index;
        }
        let (regions, partner_of) = (&self.regions[..], &self.partner_of[..]);
        let mut offset = 0;
        let mut next = 0;
        loop {
            // Regions that overlap the item in place and time are in its way, those of partners aside. Build scripts run this loop
            // without optimisation, where an iterator costs several times as much as an index into a slice.
            while next < regions.len() && regions[next].start < offset + size {
                let region = &regions[next];
                if region.end > offset
                    && region.first <= last
                    && first <= region.last
                    && ((never_pauses && region.pause.end == 0)
                        || not_only_in(first.max(region.first), last.min(region.last), &item.pause, &region.pause))
                    && partner_of[region.item] != index
                {
                    offset = region.end;
                }
                next += 1;
            }
            let blocking = partners.iter().find(|partner| {
                let start = offsets[partner.item];
                start != NONE && start < offset + partner.below && offset < start + partner.above
            });
            match blocking {
                Some(partner) => offset = offsets[partner.item] + partner.above,
                None => break,
            }
        }
        self.steps += 1 + next;
        offset
    }
}

/// Adds a permission to overlap `item`. Of two for the same item the smaller distances hold.
fn permit(partners: &mut Vec<Partner>, item: usize, below: usize, above: usize) {
    match partners.iter_mut().find(|known| known.item == item) {
        Some(known) => {
            known.below = known.below.min(below);
            known.above = known.above.min(above);
        }
        None => partners.push(Partner { item, below, above }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Random {
        fn shuffled(&mut self, length: usize) -> Vec<usize> {
            let mut order: Vec<usize> = (0..length).collect();
            for index in (1..length).rev() {
                order.swap(index, self.below(index + 1));
            }
            order
        }
    }

    fn item(bytes: usize, first: usize, last: usize) -> Item {
        Item { bytes, first, last, pause: 0..0 }
    }

    /// Whether two items may lie at these offsets: apart in time or place, or as a permission has it.
    fn fits(items: &[Item], overlaps: &[Overlap], a: (usize, usize), b: (usize, usize)) -> bool {
        let ((a, p), (b, q)) = (a, b);
        let (x, y) = (&items[a], &items[b]);
        let at_work =
            |item: &Item, moment: usize| (item.first..=item.last).contains(&moment) && !item.pause.contains(&moment);
        !(x.first.min(y.first)..=x.last.max(y.last)).any(|moment| at_work(x, moment) && at_work(y, moment))
            || p + x.bytes <= q
            || q + y.bytes <= p
            || overlaps.iter().any(|overlap| match (overlap.input, overlap.output) {
                pair if pair == (a, b) => p >= q + overlap.gap,
                pair if pair == (b, a) => q >= p + overlap.gap,
                _ => false,
            })
    }

    fn check(items: &[Item], overlaps: &[Overlap], placement: &Placement) {
        let at = |index: usize| (index, placement.offsets[index]);
        for (a, x) in items.iter().enumerate() {
            assert!(
                placement.offsets[a].is_multiple_of(ALIGNMENT) && placement.offsets[a] + x.bytes <= placement.bytes
            );
            for b in a + 1..items.len() {
                assert!(fits(items, overlaps, at(a), at(b)), "{:?} and {:?}", at(a), at(b));
            }
        }
    }

    /// Places the items in this order, each at the lowest offset that fits, by trying all that could be the lowest.
    fn greedy(items: &[Item], overlaps: &[Overlap], order: &[usize]) -> Placement {
        let mut offsets = vec![0; items.len()];
        for (count, &index) in order.iter().enumerate() {
            let placed = || order[..count].iter().map(|&other| (other, offsets[other]));
            let gaps =
                overlaps.iter().filter(|overlap| overlap.input == index).map(|overlap| (overlap.output, overlap.gap));
            let ends = placed().map(|(other, at)| at + items[other].size());
            let gaps = gaps.filter(|(output, _)| order[..count].contains(output));
            offsets[index] = ends
                .chain(gaps.map(|(output, gap)| (offsets[output] + gap).next_multiple_of(ALIGNMENT)))
                .chain([0])
                .filter(|&at| placed().all(|other| fits(items, overlaps, (index, at), other)))
                .min()
                .expect("behind all others there is room");
        }
        let bytes = items.iter().zip(&offsets).map(|(item, at)| at + item.size()).max().unwrap_or(0);
        Placement { offsets, bytes }
    }

    /// Each step reads some items and writes one; the largest that it reads last is one that its output may overlap.
    fn random_graph(random: &mut Random) -> (Vec<Item>, Vec<Overlap>) {
        let (steps, reach, largest) = (1 + random.below(12), 1 + random.below(6), [7, 400, 5000][random.below(3)]);
        let mut items = vec![item(1 + random.below(largest), 0, 0)];
        let mut last_reads = vec![Vec::new(); steps + 1];
        for step in 1..=steps {
            for _ in 0..=random.below(3) {
                let newest = items.len() - 1;
                let read = newest - random.below(reach).min(newest);
                items[read].last = step;
            }
            items.push(item(random.below(largest), step, step + random.below(2)));
        }
        for (index, item) in items.iter().enumerate() {
            if item.first < item.last && item.last <= steps {
                last_reads[item.last].push(index);
            }
        }
        let mut overlaps = Vec::new();
        for (step, inputs) in last_reads.iter().enumerate() {
            if let Some(&input) = inputs.iter().max_by_key(|&&input| items[input].bytes)
                && random.below(4) > 0
            {
                overlaps.push(Overlap { input, output: step, gap: [0, 1, random.below(largest)][random.below(3)] });
            }
        }
        // Items that pause for a while.
        let is_free =
            |index: usize| overlaps.iter().all(|overlap: &Overlap| overlap.input != index && overlap.output != index);
        for (_, item) in items.iter_mut().enumerate().filter(|&(index, _)| is_free(index)) {
            if item.first + 1 < item.last && random.below(2) == 0 {
                let start = item.first + 1 + random.below(item.last - item.first - 1);
                item.pause = start..start + 1 + random.below(item.last - start);
            }
        }
        // Scratch memory, of which many steps have none.
        items.extend((1..=steps).map(|step| item([0, random.below(largest)][random.below(2)], step, step)));
        (items, overlaps)
    }

    /// The same number of items again and again in the shapes that are hard for a planner.
    fn extremes(count: usize, random: &mut Random) -> [Vec<Item>; 5] {
        let mut bytes = || 1 + random.below(1000);
        let alive = (0..count).map(|_| item(bytes(), 0, 1)).collect();
        let chain = (0..count).map(|moment| item(bytes(), moment, moment + 1)).collect();
        let branches = (0..count).map(|moment| item(bytes(), moment, count)).collect();
        let nested = (0..count).map(|moment| item(bytes(), moment, 2 * count - moment)).collect();
        let mut huge: Vec<Item> = (0..count).map(|moment| item(bytes(), moment, moment + 3)).collect();
        huge[count / 2] = item(1 << 28, 0, count + 3);
        [alive, chain, branches, nested, huge]
    }

    #[test]
    fn a_chain_takes_the_largest_neighbours() {
        let items = [item(100, 0, 1), item(200, 1, 2), item(60, 2, 3), item(240, 3, 4)];
        let placement = place(&items, &[]);
        check(&items, &[], &placement);
        assert_eq!(placement.bytes, 300);
    }

    #[test]
    fn overlap_saves_all_but_the_gap() {
        let items = [item(100, 0, 1), item(200, 1, 2), item(200, 2, 3)];
        let overlaps = [Overlap { input: 0, output: 1, gap: 120 }, Overlap { input: 1, output: 2, gap: 0 }];
        let placement = place(&items, &overlaps);
        check(&items, &overlaps, &placement);
        assert_eq!(placement.bytes, 220);
    }

    #[test]
    fn nothing_needs_no_memory() {
        assert_eq!(place(&[], &[]), Placement { offsets: vec![], bytes: 0 });
        assert_eq!(place(&[item(0, 1, 1), item(0, 1, 2)], &[]).bytes, 0);
    }

    #[test]
    fn random_plans_are_legal_and_no_larger_than_greedy_ones() {
        let mut random = Random(1);
        let (mut overlapping, mut smaller) = (0, 0);
        for _ in 0..1200 {
            let (items, overlaps) = random_graph(&mut random);
            let placement = place(&items, &overlaps);
            check(&items, &overlaps, &placement);
            overlapping += usize::from(!overlaps.is_empty());

            // The order of the usual greedy planner: the largest first.
            let mut order: Vec<usize> = (0..items.len()).collect();
            order.sort_by_key(|&index| std::cmp::Reverse(items[index].bytes));
            let greedy = greedy(&items, &overlaps, &order).bytes;
            assert!((least_bytes(&items, &overlaps)..=greedy).contains(&placement.bytes), "{items:?} {overlaps:?}");
            smaller += usize::from(placement.bytes < greedy);
        }
        assert!(overlapping > 600 && smaller > 100, "{overlapping} {smaller}");
    }

    #[test]
    fn extreme_plans_are_legal_and_no_larger_than_greedy_ones() {
        let mut random = Random(2);
        for count in (1..40).step_by(3) {
            for items in extremes(count, &mut random) {
                let placement = place(&items, &[]);
                check(&items, &[], &placement);
                let order: Vec<usize> = (0..items.len()).collect();
                let greedy = greedy(&items, &[], &order).bytes;
                assert!((least_bytes(&items, &[])..=greedy).contains(&placement.bytes), "{items:?}");
            }
        }
    }

    #[test]
    fn each_item_lies_at_the_lowest_free_offset() {
        let mut random = Random(3);
        for _ in 0..1000 {
            let (items, overlaps) = random_graph(&mut random);
            let order = random.shuffled(items.len());
            let expected = greedy(&items, &overlaps, &order);
            let mut packer = Packer::new(&items, &overlaps);
            assert_eq!(packer.pack(&order, usize::MAX), Some(expected.clone()), "{items:?} {overlaps:?} {order:?}");
            assert_eq!(packer.pack(&order, expected.bytes), Some(expected.clone()));
            assert_eq!(packer.pack(&order, expected.bytes - 1), None);
        }
    }

    #[test]
    fn the_steps_of_a_plan_are_bounded() {
        let mut random = Random(4);
        for count in [10, 100, 1000] {
            for items in extremes(count, &mut random) {
                let one_order = count * (count + 1) / 2;
                let mut packer = Packer::new(&items, &[]);
                packer.pack(&random.shuffled(count), usize::MAX).expect("there is no limit");
                assert!(packer.steps <= one_order, "{} steps for an order of {count}", packer.steps);
                packer.steps = 0;
                let placement = search(&mut packer, least_bytes(&items, &[]));
                // The starts, and the orders with which their searches exceed their steps.
                assert!(packer.steps <= 3 * STARTS * one_order + SEARCH_STEPS, "{} steps for {count}", packer.steps);
                check(&items, &[], &placement);
            }
        }
    }

    #[test]
    fn the_search_ends_at_the_least_possible_arena() {
        let mut random = Random(5);
        for count in [100, 2000] {
            let [alive, _, branches, ..] = extremes(count, &mut random);
            for items in [alive, branches] {
                let mut packer = Packer::new(&items, &[]);
                let placement = search(&mut packer, least_bytes(&items, &[]));
                assert_eq!(placement.bytes, items.iter().map(Item::size).sum::<usize>());
                assert!(packer.steps <= count * (count + 1) / 2, "{} steps for {count} items", packer.steps);
            }
        }
    }
}

//! The memory plan: where in the arena each tensor lies, and in which order the operators run.
//!
//! Tensors that live at the same time lie apart, except where an operator runs row by row and its dying input may be overwritten: there the
//! output may start a given gap before the input (see `overlap_gap` in smolnn-core). Placing is a packing problem: items are placed one
//! after the other at the lowest offset that is free; the order of placing is searched, seeded, from several good starts.

use std::collections::HashMap;

/// Offsets are multiples of this many bytes, so that every region of the arena is whole words.
pub(crate) const ALIGNMENT: usize = 4;

/// Something that needs memory for a time.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Size in bytes.
    pub bytes: usize,
    /// First moment it is in use.
    pub first: usize,
    /// Last moment it is in use.
    pub last: usize,
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
    let mut packer = Packer::new(items, overlaps);
    let mut best: Option<(Placement, Vec<usize>)> = None;
    let mut consider = |order: &[usize], best: &mut Option<(Placement, Vec<usize>)>| {
        let placement = packer.pack(order);
        let better = best.as_ref().is_none_or(|(known, _)| placement.bytes <= known.bytes);
        if better {
            *best = Some((placement, order.to_vec()));
        }
    };
    let by = |key: &dyn Fn(usize) -> (usize, usize)| {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&index| key(index));
        order
    };
    let large = usize::MAX;
    consider(&by(&|index| (items[index].first, index)), &mut best);
    consider(&by(&|index| (large - items[index].last, index)), &mut best);
    consider(&by(&|index| (large - (items[index].last - items[index].first), large - items[index].bytes)), &mut best);
    consider(&by(&|index| (large - items[index].bytes, items[index].first)), &mut best);
    consider(&by(&|index| (large - items[index].bytes, large - items[index].last)), &mut best);

    // Local search: move one item to another place in the order, keep what is not worse.
    let Some((mut placement, mut order)) = best else { return Placement { offsets: Vec::new(), bytes: 0 } };
    let floor = items.iter().map(|item| item.bytes.next_multiple_of(ALIGNMENT)).max().unwrap_or(0);
    let rounds = if items.len() < 2 { 0 } else { (40_000_000 / (items.len() * items.len())).min(20_000) };
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let patience = 500 + 50 * items.len();
    let mut since_better = 0;
    for _ in 0..rounds {
        if placement.bytes == floor || since_better > patience {
            break;
        }
        since_better += 1;
        let mut candidate = order.clone();
        let moved = candidate.remove(next(items.len()));
        candidate.insert(next(items.len()), moved);
        let tried = packer.pack(&candidate);
        if tried.bytes < placement.bytes {
            since_better = 0;
        }
        if tried.bytes <= placement.bytes {
            (placement, order) = (tried, candidate);
        }
    }
    placement
}

struct Packer<'a> {
    items: &'a [Item],
    /// For each item, the items it shares a moment with.
    neighbours: Vec<Vec<usize>>,
    /// Gap by (input, output).
    gaps: HashMap<(usize, usize), usize>,
}

impl<'a> Packer<'a> {
    fn new(items: &'a [Item], overlaps: &[Overlap]) -> Self {
        let meet = |a: &Item, b: &Item| a.first <= b.last && b.first <= a.last;
        let neighbours = (0..items.len())
            .map(|index| {
                (0..items.len()).filter(|&other| other != index && meet(&items[index], &items[other])).collect()
            })
            .collect();
        let gaps = overlaps
            .iter()
            .map(|overlap| ((overlap.input, overlap.output), overlap.gap.next_multiple_of(ALIGNMENT)))
            .collect();
        Self { items, neighbours, gaps }
    }

    /// Places the items in this order, each at the lowest offset that is free.
    fn pack(&mut self, order: &[usize]) -> Placement {
        let size = |index: usize| self.items[index].bytes.next_multiple_of(ALIGNMENT);
        let mut offsets: Vec<Option<usize>> = vec![None; self.items.len()];
        let mut bytes = 0;
        let mut forbidden: Vec<(usize, usize)> = Vec::new();
        for &index in order {
            // Each placed neighbour forbids the offsets strictly between `low` and `high`; `low` may lie below 0, so it is kept shifted.
            forbidden.clear();
            for &other in &self.neighbours[index] {
                let Some(at) = offsets[other] else { continue };
                let below = self.gaps.get(&(other, index)).map_or(size(index), |&gap| gap.min(size(index)));
                let above = self.gaps.get(&(index, other)).map_or(size(other), |&gap| gap.min(size(other)));
                if below + above > 0 {
                    forbidden.push((at.saturating_sub(below), at + above));
                    // Below 0 there is no room: then even offset 0 is forbidden, which an open interval from 0 would allow.
                    if at < below {
                        forbidden.push((usize::MAX, at + above));
                    }
                }
            }
            let mut offset = 0;
            loop {
                let blocked = forbidden
                    .iter()
                    .filter(|&&(low, high)| (low == usize::MAX || low < offset) && offset < high)
                    .map(|&(_, high)| high)
                    .max();
                match blocked {
                    Some(high) => offset = high,
                    None => break,
                }
            }
            offsets[index] = Some(offset);
            bytes = bytes.max(offset + size(index));
        }
        Placement { offsets: offsets.into_iter().map(Option::unwrap_or_default).collect(), bytes }
    }
}

/// What a step reads and writes, for [`order`].
#[derive(Clone, Debug)]
pub(crate) struct Use {
    /// Items read.
    pub reads: Vec<usize>,
    /// Items written.
    pub writes: Vec<usize>,
    /// Bytes of scratch memory.
    pub scratch: usize,
}

/// An order of the steps with the least peak of live bytes, counting no overlap: exact by dynamic programming over the sets of finished
/// steps while there are few of them, otherwise `None`.
///
/// `bytes` are the items' sizes, `inputs` the items that live from the start, `outputs` those that live to the end.
pub(crate) fn order(steps: &[Use], bytes: &[usize], inputs: &[usize], outputs: &[usize]) -> Option<Vec<usize>> {
    const MOST_STATES: usize = 20_000;
    if steps.len() > 128 {
        return None;
    }
    let mut writer: HashMap<usize, usize> = HashMap::new();
    let mut readers: HashMap<usize, u128> = HashMap::new();
    for (index, step) in steps.iter().enumerate() {
        for &item in &step.writes {
            // Two steps that write one item (a state) are ordered by the file.
            if writer.insert(item, index).is_some() {
                return None;
            }
        }
        for &item in &step.reads {
            *readers.entry(item).or_default() |= 1 << index;
        }
    }
    let before: Vec<u128> = steps
        .iter()
        .map(|step| step.reads.iter().filter_map(|item| writer.get(item)).fold(0, |set, &index| set | 1 << index))
        .collect();
    let all = if steps.len() == 128 { u128::MAX } else { (1u128 << steps.len()) - 1 };
    // Bytes alive between steps, once the set of steps is done.
    let live = |done: u128| -> usize {
        let alive = |item: usize| {
            let born = writer.get(&item).is_none_or(|&index| done >> index & 1 == 1)
                && (writer.contains_key(&item) || inputs.contains(&item));
            let wanted = outputs.contains(&item) || readers.get(&item).is_some_and(|&readers| readers & !done != 0);
            born && wanted
        };
        (0..bytes.len()).filter(|&item| alive(item)).map(|item| bytes[item]).sum()
    };

    // Layers of sets with equally many steps done: set -> (peak, last step, set before).
    let mut reached: HashMap<u128, (usize, usize)> = HashMap::from([(0, (0, usize::MAX))]);
    let mut layer = vec![0u128];
    for _ in 0..steps.len() {
        let mut following: Vec<u128> = Vec::new();
        for &done in &layer {
            let (peak, _) = reached[&done];
            let base = live(done);
            for (index, step) in steps.iter().enumerate() {
                if done >> index & 1 == 1 || before[index] & !done != 0 {
                    continue;
                }
                let during = base + step.writes.iter().map(|&item| bytes[item]).sum::<usize>() + step.scratch;
                let after = done | 1 << index;
                let peak = peak.max(during);
                match reached.get(&after) {
                    Some(&(known, _)) if known <= peak => {}
                    Some(_) => {
                        reached.insert(after, (peak, index));
                    }
                    None => {
                        reached.insert(after, (peak, index));
                        following.push(after);
                    }
                }
            }
        }
        if reached.len() > MOST_STATES {
            return None;
        }
        layer = following;
    }
    let mut sequence = Vec::with_capacity(steps.len());
    let mut set = all;
    while set != 0 {
        let &(_, last) = reached.get(&set)?;
        sequence.push(last);
        set &= !(1 << last);
    }
    sequence.reverse();
    Some(sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: usize, first: usize, last: usize) -> Item {
        Item { bytes, first, last }
    }

    fn check(items: &[Item], overlaps: &[Overlap], placement: &Placement) {
        for (a, x) in items.iter().enumerate() {
            assert!(placement.offsets[a] + x.bytes <= placement.bytes);
            for (b, y) in items.iter().enumerate().skip(a + 1) {
                if x.first > y.last || y.first > x.last {
                    continue;
                }
                let (p, q) = (placement.offsets[a], placement.offsets[b]);
                let apart = p + x.bytes <= q || q + y.bytes <= p;
                let allowed = overlaps.iter().any(|overlap| {
                    let (input, output) = (placement.offsets[overlap.input], placement.offsets[overlap.output]);
                    let pair = (overlap.input, overlap.output);
                    (pair == (a, b) || pair == (b, a)) && input >= output + overlap.gap
                });
                assert!(apart || allowed, "{a} at {p} and {b} at {q}");
            }
        }
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
    fn random_plans_are_legal() {
        let mut random = 1u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((random >> 33) % below) as usize
        };
        for _ in 0..30 {
            let items: Vec<Item> = (0..12)
                .map(|_| {
                    let first = next(10);
                    item(1 + next(300), first, first + next(4))
                })
                .collect();
            let mut overlaps = Vec::new();
            for input in 0..items.len() {
                for output in 0..items.len() {
                    if input != output
                        && items[input].last == items[output].first
                        && items[input].first < items[input].last
                        && next(2) == 0
                    {
                        overlaps.push(Overlap { input, output, gap: next(200) });
                    }
                }
            }
            let placement = place(&items, &overlaps);
            check(&items, &overlaps, &placement);
        }
    }

    #[test]
    fn the_order_keeps_the_peak_low() {
        // Two branches from one input, each wide in the middle: finishing one before starting the other is best.
        let bytes = [10, 100, 5, 100, 5, 5];
        let step = |reads: &[usize], writes: &[usize]| Use { reads: reads.into(), writes: writes.into(), scratch: 0 };
        let steps = [step(&[0], &[1]), step(&[0], &[3]), step(&[1], &[2]), step(&[3], &[4]), step(&[2, 4], &[5])];
        let sequence = order(&steps, &bytes, &[0], &[5]).unwrap();
        assert!(sequence == [0, 2, 1, 3, 4] || sequence == [1, 3, 0, 2, 4], "{sequence:?}");
    }
}

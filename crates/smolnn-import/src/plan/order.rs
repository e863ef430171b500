//! In which order the steps of a program run: one that needs little memory.

use std::collections::HashMap;

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

/// Most sets of finished steps that [`order`] looks at.
const MOST_SETS: usize = 20_000;

/// An order of the steps with the least peak of live bytes, counting no overlap: exact by dynamic programming over the sets of finished
/// steps while there are few of them, otherwise `None`.
///
/// `bytes` are the items' sizes, `inputs` the items that live from the start, `outputs` those that live to the end.
pub(crate) fn order(steps: &[Use], bytes: &[usize], inputs: &[usize], outputs: &[usize]) -> Option<Vec<usize>> {
    if steps.len() > 128 {
        return None;
    }
    let flow = Flow::new(steps, bytes, inputs, outputs)?;
    let start = Reached { peak: 0, live: flow.start, last: usize::MAX };
    let mut reached: HashMap<u128, Reached> = HashMap::from([(0, start)]);
    // Layers of sets with equally many steps done.
    let mut layer = vec![0u128];
    for _ in 0..steps.len() {
        let mut following: Vec<u128> = Vec::new();
        for &done in &layer {
            let Reached { peak, live, .. } = reached[&done];
            for (index, effect) in flow.effects.iter().enumerate() {
                if done >> index & 1 == 1 || effect.before & !done != 0 {
                    continue;
                }
                let after = done | 1 << index;
                let peak = peak.max(live + effect.during);
                match reached.get_mut(&after) {
                    Some(known) if known.peak <= peak => {}
                    Some(known) => (known.peak, known.last) = (peak, index),
                    None => {
                        let dead = |&&(_, readers): &&(usize, u128)| readers & !after == 0;
                        let freed: usize = effect.reads.iter().filter(dead).map(|&(bytes, _)| bytes).sum();
                        reached.insert(after, Reached { peak, live: live + effect.kept - freed, last: index });
                        following.push(after);
                        if reached.len() > MOST_SETS {
                            return None;
                        }
                    }
                }
            }
        }
        layer = following;
    }
    let mut sequence = Vec::with_capacity(steps.len());
    let mut set = if steps.len() == 128 { u128::MAX } else { (1 << steps.len()) - 1 };
    while set != 0 {
        let last = reached.get(&set)?.last;
        sequence.push(last);
        set &= !(1 << last);
    }
    sequence.reverse();
    Some(sequence)
}

/// A set of finished steps that can be reached.
struct Reached {
    /// Most bytes in use on the best way there.
    peak: usize,
    /// Bytes that live once exactly these steps are done.
    live: usize,
    /// The step that the best way there ends with.
    last: usize,
}

/// What the steps do to the bytes that live.
struct Flow {
    /// Bytes that live before the first step.
    start: usize,
    /// Per step.
    effects: Vec<Effect>,
}

struct Effect {
    /// The steps that have to come before, as a set.
    before: u128,
    /// Bytes in use while it runs, beside those that live before it: its outputs and scratch memory.
    during: usize,
    /// Bytes of its outputs that live on.
    kept: usize,
    /// The items that die once all their readers are done: bytes, and readers as a set.
    reads: Vec<(usize, u128)>,
}

impl Flow {
    /// `None` when two steps write one item (a state): those are ordered by the file.
    fn new(steps: &[Use], bytes: &[usize], inputs: &[usize], outputs: &[usize]) -> Option<Self> {
        let mut writer: Vec<Option<usize>> = vec![None; bytes.len()];
        let mut readers = vec![0u128; bytes.len()];
        for (index, step) in steps.iter().enumerate() {
            for &item in &step.writes {
                if writer[item].replace(index).is_some() {
                    return None;
                }
            }
            for &item in &step.reads {
                readers[item] |= 1 << index;
            }
        }
        let mut is_input = vec![false; bytes.len()];
        inputs.iter().for_each(|&item| is_input[item] = true);
        let mut is_output = vec![false; bytes.len()];
        outputs.iter().for_each(|&item| is_output[item] = true);
        let is_wanted = |item: usize| is_output[item] || readers[item] != 0;
        let sum = |items: &mut dyn Iterator<Item = usize>| items.map(|item| bytes[item]).sum::<usize>();

        let effects = steps.iter().map(|step| {
            let mut reads = step.reads.clone();
            reads.sort_unstable();
            reads.dedup();
            Effect {
                before: reads.iter().filter_map(|&item| writer[item]).fold(0, |set, index| set | 1 << index),
                during: sum(&mut step.writes.iter().copied()) + step.scratch,
                kept: sum(&mut step.writes.iter().copied().filter(|&item| is_wanted(item))),
                reads: reads
                    .into_iter()
                    .filter(|&item| !is_output[item] && (is_input[item] || writer[item].is_some()))
                    .map(|item| (bytes[item], readers[item]))
                    .collect(),
            }
        });
        let effects = effects.collect();
        let start =
            sum(&mut (0..bytes.len()).filter(|&item| is_input[item] && writer[item].is_none() && is_wanted(item)));
        Some(Self { start, effects })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers below a limit, the same ones for the same seed.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((self.0 >> 33) % limit as u64) as usize
        }
    }

    fn step(reads: &[usize], writes: &[usize], scratch: usize) -> Use {
        Use { reads: reads.into(), writes: writes.into(), scratch }
    }

    #[test]
    fn the_order_keeps_the_peak_low() {
        // Two branches from one input, each wide in the middle: finishing one before starting the other is best.
        let bytes = [10, 100, 5, 100, 5, 5];
        let steps = [
            step(&[0], &[1], 0),
            step(&[0], &[3], 0),
            step(&[1], &[2], 0),
            step(&[3], &[4], 0),
            step(&[2, 4], &[5], 0),
        ];
        let sequence = order(&steps, &bytes, &[0], &[5]).unwrap();
        assert!(sequence == [0, 2, 1, 3, 4] || sequence == [1, 3, 0, 2, 4], "{sequence:?}");
    }

    /// The most bytes in use at a step of this sequence, or `None` when a step comes before one that it needs.
    fn peak(steps: &[Use], bytes: &[usize], inputs: &[usize], outputs: &[usize], sequence: &[usize]) -> Option<usize> {
        let mut peak = 0;
        let mut written: Vec<usize> = inputs.into();
        for (position, &index) in sequence.iter().enumerate() {
            if !steps[index].reads.iter().all(|item| written.contains(item)) {
                return None;
            }
            let rest = &sequence[position..];
            let wanted =
                |item: &usize| outputs.contains(item) || rest.iter().any(|&later| steps[later].reads.contains(item));
            let live: usize = written.iter().filter(|item| wanted(item)).map(|&item| bytes[item]).sum();
            let during: usize = steps[index].writes.iter().map(|&item| bytes[item]).sum();
            peak = peak.max(live + during + steps[index].scratch);
            written.extend(&steps[index].writes);
        }
        Some(peak)
    }

    /// Calls `visit` with every sequence of the steps that are left.
    fn sequences(done: &mut Vec<usize>, count: usize, visit: &mut dyn FnMut(&[usize])) {
        if done.len() == count {
            return visit(done);
        }
        for index in 0..count {
            if !done.contains(&index) {
                done.push(index);
                sequences(done, count, visit);
                done.pop();
            }
        }
    }

    #[test]
    fn the_order_is_the_best_of_all() {
        let mut random = Random(6);
        let mut better = 0;
        for _ in 0..60 {
            let count = 1 + random.below(6);
            let mut bytes = vec![random.below(300), random.below(300)];
            let mut steps = Vec::new();
            for _ in 0..count {
                let reads: Vec<usize> = (0..=random.below(2)).map(|_| random.below(bytes.len())).collect();
                let writes: Vec<usize> = (0..=random.below(2)).map(|more| bytes.len() + more).collect();
                writes.iter().for_each(|_| bytes.push(random.below(300)));
                steps.push(step(&reads, &writes, random.below(2) * random.below(300)));
            }
            let (inputs, outputs) = ([0, 1], [bytes.len() - 1, random.below(bytes.len())]);
            let peak_of = |sequence: &[usize]| peak(&steps, &bytes, &inputs, &outputs, sequence);
            let mut least = usize::MAX;
            sequences(&mut Vec::new(), count, &mut |sequence| {
                least = least.min(peak_of(sequence).unwrap_or(usize::MAX))
            });
            let found = order(&steps, &bytes, &inputs, &outputs).expect("few steps have few orders");
            assert_eq!(peak_of(&found), Some(least), "{steps:?} {bytes:?}");
            let as_given: Vec<usize> = (0..count).collect();
            better += usize::from(peak_of(&as_given) > Some(least));
        }
        assert!(better > 10, "{better} orders differ from the given one");
    }

    #[test]
    fn too_many_orders_are_left_alone() {
        let parallel = |count: usize| -> Vec<Use> { (1..=count).map(|item| step(&[0], &[item], 0)).collect() };
        for (count, found) in [(10, true), (128, false), (129, false)] {
            let outputs: Vec<usize> = (1..=count).collect();
            assert_eq!(order(&parallel(count), &vec![1; count + 1], &[0], &outputs).is_some(), found, "{count} steps");
        }
        let one_state = [step(&[0], &[1], 0), step(&[0], &[1], 0)];
        assert_eq!(order(&one_state, &[1, 1], &[0], &[1]), None);
    }
}

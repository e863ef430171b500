//! Splits a chain of layers along the width: it stands several times in the net, each time over some of its columns, and the parts come together at its end.
//!
//! A part runs behind the one on its left. The rows that a chain has in memory are then no longer than the part is wide, but for a halo: the columns near an edge
//! between two parts that both of them need, which are computed twice. Every output is computed as before, bit for bit, and the parts share their weights.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::net::{
    Net, Node, Operator, RowWindow, Rows, TensorId, View, column_windows, image_columns, node_over_columns, row_windows,
};

/// A chain that was split along the width.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WidthSplit {
    /// How many parts it has.
    pub parts: usize,
    /// Columns of the chain's end.
    pub width: usize,
    /// Indices of its layers in the file, in order.
    pub layers: Vec<usize>,
    /// For each node that a part has, by its position in the net, the part and the columns of its output.
    pub columns: HashMap<usize, (usize, Range<usize>)>,
}

/// Nodes of a net that can be split along the width.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// Their positions, and for each of their inputs the window of columns.
    nodes: Vec<(usize, Vec<Option<RowWindow>>)>,
    /// The tensor that it makes.
    pub output: TensorId,
}

/// The chain of all nodes from a position on that a tensor depends on and that go by columns. What others than the chain read is made before it, and so is all that
/// this depends on. `None` where that leaves no node with a window of several columns: a split would save nothing.
pub(crate) fn chain(net: &Net, start: usize, output: TensorId) -> Option<Chain> {
    image_columns(&net.tensors[output].shape)?;
    let mut windows: HashMap<usize, Vec<Option<RowWindow>>> = HashMap::new();
    let mut writers: HashMap<TensorId, usize> = HashMap::new();
    for (position, node) in net.nodes.iter().enumerate().skip(start) {
        if let Some(of_node) = column_windows(&View { net, node }) {
            windows.insert(position, of_node);
            writers.insert(node.outputs[0], position);
        }
    }
    loop {
        // From the end to the start: a node belongs to the chain if one of the chain reads it by columns.
        let mut reached = vec![*writers.get(&output)?];
        let mut members: HashSet<usize> = reached.iter().copied().collect();
        while let Some(position) = reached.pop() {
            for (id, window) in net.nodes[position].inputs.iter().zip(&windows[&position]) {
                let writer = id.filter(|_| window.is_some()).and_then(|id| writers.get(&id).copied());
                reached.extend(writer.filter(|&writer| members.insert(writer)));
            }
        }
        // What is read in another way than by columns of the chain.
        let mut read: HashSet<TensorId> = net.outputs.iter().copied().collect();
        for (position, node) in net.nodes.iter().enumerate() {
            for (index, id) in node.inputs.iter().enumerate() {
                if !(members.contains(&position) && windows[&position][index].is_some()) {
                    read.extend(id);
                }
            }
        }
        let of_others = members.iter().map(|&position| net.nodes[position].outputs[0]);
        let of_others: Vec<TensorId> = of_others.filter(|&id| id != output && read.contains(&id)).collect();
        if of_others.is_empty() {
            let mut members: Vec<usize> = members.into_iter().collect();
            members.sort_unstable();
            let nodes: Vec<_> = members.into_iter().filter_map(|at| Some((at, windows.remove(&at)?))).collect();
            let sees = nodes.iter().flat_map(|(_, windows)| windows.iter().flatten()).any(|window| window.span > 1);
            return sees.then_some(Chain { nodes, output });
        }
        for id in of_others {
            writers.remove(&id);
        }
    }
}

/// Splits a chain into parts of equal widths. `None` where a part would be of padding alone, or narrower than a column.
pub(crate) fn apply(net: &mut Net, chain: &Chain, parts: usize) -> Option<WidthSplit> {
    let width = image_columns(&net.tensors[chain.output].shape)?;
    let (&(first, _), &(last, _)) = (chain.nodes.first()?, chain.nodes.last()?);
    (parts > 1 && parts <= width).then_some(())?;
    // Nothing else between these nodes depends on one of them.
    let is_member = |position: usize| chain.nodes.binary_search_by_key(&position, |(at, _)| *at).is_ok();
    let before = (first..=last).filter(|&position| !is_member(position)).map(|position| net.nodes[position].clone());
    let mut nodes: Vec<Node> = before.collect();
    let mut split = WidthSplit { parts, width, ..WidthSplit::default() };
    split.layers = chain.nodes.iter().map(|&(position, _)| net.nodes[position].index).collect();
    split.layers.dedup();
    let mut ends = Vec::new();
    for part in 0..parts {
        let of_end = width * part / parts..width * (part + 1) / parts;
        let needed = needed(net, chain, &of_end)?;
        let made: Vec<TensorId> = chain.nodes.iter().map(|&(position, _)| net.nodes[position].outputs[0]).collect();
        let tensors: HashMap<TensorId, TensorId> =
            made.into_iter().map(|id| (id, net.columns_of(id, &needed[&id]))).collect();
        // The same columns of a tensor are taken once.
        let mut taken: HashMap<(TensorId, Range<usize>), TensorId> = HashMap::new();
        for (position, windows) in &chain.nodes {
            let mut node = net.nodes[*position].clone();
            let output = node.outputs[0];
            let made = needed[&output].clone();
            let mut seen: Vec<Option<Rows>> = Vec::with_capacity(windows.len());
            for (index, window) in windows.iter().enumerate() {
                let (Some(window), Some(image)) = (window, node.inputs[index]) else {
                    seen.push(None);
                    continue;
                };
                let columns = window.rows(&made, net.tensors[image].shape[2]);
                let (known, own) = match tensors.get(&image) {
                    Some(&of_part) => (needed[&image].clone(), of_part),
                    None => (0..net.tensors[image].shape[2], image),
                };
                let input = if known == columns.rows {
                    own
                } else if let Some(&known) = taken.get(&(image, columns.rows.clone())) {
                    known
                } else {
                    let some = net.columns_of(image, &columns.rows);
                    let take = net.take_columns((own, columns.rows.start - known.start), some, node.index);
                    split.columns.insert(first + nodes.len(), (part, columns.rows.clone()));
                    nodes.push(take);
                    taken.insert((image, columns.rows.clone()), some);
                    some
                };
                node.inputs[index] = Some(input);
                seen.push(Some(columns));
            }
            node.outputs = vec![tensors[&output]];
            let node = node_over_columns(net, &node, seen.first().and_then(Option::as_ref), &made);
            split.columns.insert(first + nodes.len(), (part, made));
            nodes.push(node);
        }
        ends.push(Some(tensors[&chain.output]));
    }
    let index = net.nodes[last].index;
    let operator = Operator::Concatenate { axis: 2 };
    nodes.push(Node { index, name: "CONCATENATION".into(), operator, inputs: ends, outputs: vec![chain.output] });
    net.nodes.splice(first..=last, nodes);
    Some(split)
}

/// The columns of each of the chain's tensors that some columns of its end need.
fn needed(net: &Net, chain: &Chain, of_end: &Range<usize>) -> Option<HashMap<TensorId, Range<usize>>> {
    (!of_end.is_empty()).then_some(())?;
    let mut needed = HashMap::from([(chain.output, of_end.clone())]);
    for (position, windows) in chain.nodes.iter().rev() {
        let node = &net.nodes[*position];
        let made = needed.get(&node.outputs[0])?.clone();
        for (id, window) in node.inputs.iter().zip(windows) {
            let (Some(id), Some(window)) = (id, window) else { continue };
            let Rows { rows: seen, .. } = window.rows(&made, net.tensors[*id].shape[2]);
            // A kernel takes no image of padding alone.
            (!seen.is_empty()).then_some(())?;
            let union = needed.entry(*id).or_insert_with(|| seen.clone());
            *union = union.start.min(seen.start)..union.end.max(seen.end);
        }
    }
    Some(needed)
}

/// Where a chain may be split: the node and the tensor between which it lies, how many parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub start: usize,
    pub end: TensorId,
    pub parts: usize,
    /// About how many bytes the arena of the network then has, and how many columns of outputs the chain has, those that are computed twice among them.
    estimate: (usize, usize),
}

/// Most parts that are tried.
const MOST_PARTS: usize = 4;

/// Most nodes of a net in which chains are looked for: it takes time in proportion to the square of their number.
const MOST_NODES: usize = 256;

/// Estimates are rough: differences of one in so many bytes say nothing.
const UNSURE: usize = 6;

/// The chains that a split may help: first those that may keep the budget, or come near the least estimate, and of these the ones that compute the fewest columns; the
/// second one is that with the least estimate. They lie
/// between two tensors that are all that is needed at their time; `is_free` says of the first one that it is not in the arena, and `may_start` whether it is there as a
/// whole.
pub(crate) fn candidates(
    net: &Net,
    budget: usize,
    is_free: impl Fn(TensorId) -> bool,
    may_start: impl Fn(TensorId) -> bool,
) -> Vec<Candidate> {
    if net.nodes.len() > MOST_NODES {
        return Vec::new();
    }
    let cuts: Vec<(usize, TensorId)> =
        cuts(net).into_iter().enumerate().filter_map(|(position, cut)| Some((position, cut?))).collect();
    let bytes = |id: TensorId| if is_free(id) { 0 } else { net.tensors[id].bytes() };
    let live = live_bytes(net, &is_free);
    // The chains between two cuts, and the estimate of what each of them takes without a split.
    let mut chains: Vec<(usize, usize, Option<Chain>, usize)> = Vec::new();
    for (from, &(start, source)) in cuts.iter().enumerate() {
        for (to, &(end, output)) in cuts.iter().enumerate().skip(from + 1) {
            let chain = chain(net, start, output).filter(|chain| chain.nodes.len() == end - start);
            let ends = bytes(source).max(bytes(output));
            let whole = live[start..end].iter().copied().max().unwrap_or(0);
            let lines = chain.as_ref().and_then(|chain| lines(net, chain, 1));
            let known = lines.map_or(whole, |(lines, _)| whole.min(ends + lines));
            if chain.is_some() || to == from + 1 {
                chains.push((from, to, chain, known));
            }
        }
    }
    // The least that the layers before a cut take, and those behind it.
    let (mut before, mut behind) = (vec![usize::MAX; cuts.len()], vec![usize::MAX; cuts.len()]);
    if let (Some(first), Some(last)) = (before.first_mut(), behind.last_mut()) {
        (*first, *last) = (0, 0);
    }
    for &(from, to, _, bytes) in &chains {
        before[to] = before[to].min(bytes.max(before[from]));
    }
    for &(from, to, _, bytes) in chains.iter().rev() {
        behind[from] = behind[from].min(bytes.max(behind[to]));
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    for (from, to, chain, _) in &chains {
        let ((start, source), (_, end)) = (cuts[*from], cuts[*to]);
        let Some(chain) = chain.as_ref().filter(|_| may_start(source)) else { continue };
        for parts in 2..=MOST_PARTS {
            let Some((lines, columns)) = lines(net, chain, parts) else { continue };
            let output = bytes(end);
            let own = bytes(source) + lines + output + output * (parts - 1) / parts;
            let estimate = (own.max(before[*from]).max(behind[*to]), columns);
            candidates.push(Candidate { start, end, parts, estimate });
        }
    }
    let least = candidates.iter().map(|candidate| candidate.estimate.0).min().unwrap_or(0);
    let enough = (budget + budget / UNSURE).max(least + least / UNSURE);
    candidates.sort_by_key(
        |&Candidate { estimate: (bytes, columns), .. }| {
            if bytes <= enough { (0, columns) } else { (bytes, columns) }
        },
    );
    // The second one is that with the least estimate.
    if let Some(position) = candidates.iter().position(|candidate| candidate.estimate.0 == least).filter(|&at| at > 1) {
        candidates[1..=position].rotate_right(1);
    }
    candidates
}

/// Position of the last node that needs each tensor which is no constant; behind all of them for an output.
fn ends(net: &Net) -> HashMap<TensorId, usize> {
    let mut ends: HashMap<TensorId, usize> = HashMap::new();
    for (position, node) in net.nodes.iter().enumerate() {
        let computed = node.inputs.iter().flatten().filter(|&&id| net.tensors[id].data.is_none());
        ends.extend(computed.map(|&id| (id, position)));
    }
    ends.extend(net.outputs.iter().map(|&id| (id, net.nodes.len())));
    ends
}

/// For each position between two nodes the only tensor that is needed behind it and made before it, if it is only one.
fn cuts(net: &Net) -> Vec<Option<TensorId>> {
    let ends = ends(net);
    let mut live: Vec<TensorId> = net.inputs.clone();
    let mut cuts = Vec::with_capacity(net.nodes.len() + 1);
    for position in 0..=net.nodes.len() {
        live.retain(|id| ends.get(id).is_some_and(|&end| end >= position));
        cuts.push(if let &[id] = &live[..] { Some(id) } else { None });
        live.extend(net.nodes.get(position).iter().flat_map(|node| &node.outputs));
    }
    cuts
}

/// For each node the bytes that are in the arena while it runs, if all tensors are whole.
fn live_bytes(net: &Net, is_free: impl Fn(TensorId) -> bool) -> Vec<usize> {
    let ends = ends(net);
    let mut live: Vec<TensorId> = net.inputs.iter().copied().filter(|&id| !is_free(id)).collect();
    let of_node = |(position, node): (usize, &Node)| {
        live.retain(|id| ends.get(id).is_some_and(|&end| end >= position));
        live.extend(&node.outputs);
        live.iter().map(|&id| net.tensors[id].bytes()).sum()
    };
    net.nodes.iter().enumerate().map(of_node).collect()
}

/// About how many bytes the rows of a part's tensors take: those that their readers' windows see, where those of layers that make many channels of few share their
/// memory. And how many columns of all outputs are computed.
fn lines(net: &Net, chain: &Chain, parts: usize) -> Option<(usize, usize)> {
    let width = image_columns(&net.tensors[chain.output].shape)?;
    let (mut most, mut all) = (0, 0);
    for part in 0..parts {
        let needed = needed(net, chain, &(width * part / parts..width * (part + 1) / parts))?;
        let (mut kept, mut widest) = (0, 0);
        for (position, _) in &chain.nodes {
            let node = &net.nodes[*position];
            let output = node.outputs[0];
            all += needed.get(&output).map_or(0, ExactSizeIterator::len);
            if output == chain.output {
                continue;
            }
            let row = |id: TensorId| {
                let tensor = &net.tensors[id];
                let columns = needed.get(&id).map_or(0, ExactSizeIterator::len);
                tensor.bytes() / (tensor.shape[1] * tensor.shape[2]).max(1) * columns
            };
            let readers = chain.nodes.iter().map(|(position, _)| &net.nodes[*position]);
            let readers = readers.filter(|reader| reader.inputs.contains(&Some(output)));
            let span = |reader: &Node| {
                let windows = row_windows(&View { net, node: reader }).unwrap_or_default();
                windows.iter().flatten().map(|window| window.span).max().unwrap_or(1)
            };
            let bytes = row(output) * readers.map(span).max().unwrap_or(1);
            let is_expansion = node.inputs[0].is_some_and(|input| row(output) > 2 * row(input));
            if is_expansion {
                widest = bytes.max(widest);
            } else {
                kept += bytes;
            }
        }
        most = most.max(kept + widest);
    }
    Some((most, all))
}

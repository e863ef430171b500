//! Operators that move elements and change none, as copies through strides.
//!
//! [`movement`] is all there is to know about such an operator: inference takes the shapes of its outputs from it, folding applies it to
//! constants, lowering makes kernels of it.

use super::geometry::{GatherLengths, gather_lengths, lengths, pad_amounts};
use super::operator::Operator;
use super::view::View;
use crate::error::Problem;

/// One dimension of a copy: how many indices, and the strides in input and output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis {
    pub length: usize,
    pub input: isize,
    pub output: isize,
}

/// A copy from an input of the node to an output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move {
    /// Position among the node's inputs.
    pub input: usize,
    /// The first element that is read.
    pub input_start: usize,
    /// Position among the node's outputs.
    pub output: usize,
    /// The first element that is written.
    pub output_start: usize,
    /// Outermost first. None has length 1, and no two neighbours are one run in both tensors.
    pub axes: Vec<Axis>,
}

impl Move {
    fn new(from: (usize, usize), to: (usize, usize), axes: &[Axis]) -> Self {
        let mut merged: Vec<Axis> = Vec::new();
        for &axis in axes.iter().filter(|axis| axis.length != 1) {
            match merged.last_mut() {
                Some(outer)
                    if outer.input == axis.input * axis.length as isize
                        && outer.output == axis.output * axis.length as isize =>
                {
                    *outer = Axis { length: outer.length * axis.length, ..axis };
                }
                _ => merged.push(axis),
            }
        }
        Self { input: from.0, input_start: from.1, output: to.0, output_start: to.1, axes: merged }
    }

    /// The same as copies of at most `rank` dimensions: where there are more, one copy for each index of the shortest ones.
    pub(crate) fn within(&self, rank: usize) -> Vec<Self> {
        let shortest = (0..self.axes.len()).min_by_key(|&axis| self.axes[axis].length);
        let Some(axis) = shortest.filter(|_| self.axes.len() > rank) else { return vec![self.clone()] };
        let Axis { length, input, output } = self.axes[axis];
        let mut rest = self.axes.clone();
        rest.remove(axis);
        (0..length as isize)
            .flat_map(|index| {
                let input_start = (self.input_start as isize + index * input) as usize;
                let output_start = (self.output_start as isize + index * output) as usize;
                Self::new((self.input, input_start), (self.output, output_start), &rest).within(rank)
            })
            .collect()
    }

    /// Calls `copy` with the position in the input and the one in the output of each element.
    pub(crate) fn for_each(&self, mut copy: impl FnMut(usize, usize)) {
        let count: usize = self.axes.iter().map(|axis| axis.length).product();
        for index in 0..count {
            let (mut rest, mut from, mut to) = (index, self.input_start as isize, self.output_start as isize);
            for axis in self.axes.iter().rev() {
                let at = (rest % axis.length) as isize;
                rest /= axis.length;
                from += at * axis.input;
                to += at * axis.output;
            }
            copy(from as usize, to as usize);
        }
    }
}

/// What an operator moves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Movement {
    /// How many of the node's inputs are moved, from the first on; the others say how.
    pub operands: usize,
    /// The outputs' shapes.
    pub shapes: Vec<Vec<usize>>,
    /// The copies. Together they write every element of every output once.
    pub moves: Vec<Move>,
    /// Whether the only output has the elements of the only operand in their order, so that nothing need be moved.
    pub in_order: bool,
    /// The attributes in a few words.
    pub label: String,
}

/// What the node moves. It has to be one of the operators that move.
pub(crate) fn movement(view: &View<'_>) -> Result<Movement, Problem> {
    match view.node.operator {
        Operator::Transpose => transpose(view),
        Operator::StridedSlice { begin_mask, end_mask, shrink_mask, end_is_offset } => {
            strided_slice(view, Masks { begin: begin_mask, end: end_mask, shrink: shrink_mask, end_is_offset })
        }
        Operator::Slice => slice(view),
        Operator::Concatenate { axis } => concatenate(view, axis),
        Operator::Split => split(view),
        Operator::Pack { axis } => pack(view, axis),
        Operator::Unpack { axis } => {
            let axis = view.axis(axis, view.input_shape(0)?.len())?;
            pieces(view, axis, &vec![1; view.node.outputs.len()], false)
        }
        Operator::Reverse => reverse(view),
        Operator::Gather { axis, batch_dims } => gather(view, axis, batch_dims),
        Operator::DepthToSpace { block } => depth_to_space(view, block),
        Operator::SpaceToDepth { block } => space_to_depth(view, block),
        Operator::BroadcastTo => broadcast_to(view),
        Operator::MirrorPad { symmetric } => mirror_pad(view, symmetric),
        Operator::Tile => tile(view),
        _ => Err(view.fault("an operator that computes", "an operator that moves")),
    }
}

/// The copies of a pad by these amounts whose value lies in input 1: the value to every element of the output, then the operand, if it has elements, to its
/// place.
pub(crate) fn padding(view: &View<'_>, amounts: &[(usize, usize)]) -> Result<Vec<Move>, Problem> {
    let shape = view.input_shape(0)?;
    let padded: Vec<usize> =
        shape.iter().zip(amounts).map(|(length, (before, behind))| before + length + behind).collect();
    view.bounded(&padded)?;
    let (from, to) = (strides(shape), strides(&padded));
    let start: isize = amounts.iter().zip(&to).map(|(&(before, _), stride)| before as isize * stride).sum();
    let axes: Vec<Axis> =
        (0..shape.len()).map(|axis| Axis { length: shape[axis], input: from[axis], output: to[axis] }).collect();
    let everywhere = Axis { length: padded.iter().product(), input: 0, output: 1 };
    let mut moves = vec![Move::new((1, 0), (0, 0), &[everywhere])];
    if !shape.contains(&0) {
        moves.push(Move::new((0, 0), (0, start as usize), &axes));
    }
    Ok(moves)
}

/// A movement of one operand to one output.
fn single(view: &View<'_>, start: usize, shape: Vec<usize>, axes: &[Axis], label: String) -> Result<Movement, Problem> {
    view.bounded(&shape)?;
    let moves = vec![Move::new((0, start), (0, 0), axes)];
    let in_order = match &moves[0].axes[..] {
        [] => view.input_shape(0)?.iter().product::<usize>() == 1,
        [run] => {
            let elements: usize = view.input_shape(0)?.iter().product();
            start == 0 && run.length == elements && run.input == 1 && run.output == 1
        }
        _ => false,
    };
    Ok(Movement { operands: 1, shapes: vec![shape], moves, in_order, label })
}

/// Strides of a dense tensor.
fn strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

fn transpose(view: &View<'_>) -> Result<Movement, Problem> {
    let shape = view.input_shape(0)?;
    let permutation = view.integers(1, "permutation")?;
    let order = permutation.iter().map(|&axis| view.axis(axis, shape.len())).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..shape.len()) {
        let supported = format!("each of {} axes once", shape.len());
        return Err(view.fault_of_input(1, format!("permutation {permutation:?}"), supported));
    }
    let expected: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let (from, to) = (strides(shape), strides(&expected));
    let axes: Vec<Axis> =
        order.iter().zip(&to).map(|(&axis, &output)| Axis { length: shape[axis], input: from[axis], output }).collect();
    single(view, 0, expected, &axes, format!("{permutation:?}"))
}

/// The positions of a slice along an axis.
struct Positions {
    begin: usize,
    count: usize,
    step: isize,
}

/// A slice of input 0; dimensions in `dropped` are not in the output's shape.
fn slice_of(view: &View<'_>, positions: &[Positions], dropped: &[bool]) -> Result<Movement, Problem> {
    let kept = positions.iter().zip(dropped).filter(|&(_, &dropped)| !dropped).map(|(of, _)| of.count);
    let from = strides(view.input_shape(0)?);
    let to = strides(&positions.iter().map(|of| of.count).collect::<Vec<_>>());
    let start: usize = positions.iter().zip(&from).map(|(of, &stride)| of.begin * stride as usize).sum();
    let axes: Vec<Axis> = (0..positions.len())
        .map(|axis| {
            let Positions { count, step, .. } = positions[axis];
            Axis { length: count, input: from[axis] * step, output: to[axis] }
        })
        .collect();
    let label = positions.iter().map(|of| format!("{}+{}", of.begin, of.count)).collect::<Vec<_>>().join(" ");
    single(view, start, kept.collect(), &axes, label)
}

struct Masks {
    begin: u32,
    end: u32,
    shrink: u32,
    end_is_offset: bool,
}

fn strided_slice(view: &View<'_>, masks: Masks) -> Result<Movement, Problem> {
    let shape = view.input_shape(0)?;
    let (begin, end) = (view.integers(1, "begin")?, view.integers(2, "end")?);
    let step = view.integers(3, "strides")?;
    if begin.len() > shape.len() || begin.len() != end.len() || begin.len() != step.len() {
        let found = format!("begin {begin:?}, end {end:?}, strides {step:?}");
        return Err(view.fault(found, format!("as many of each, at most {}", shape.len())));
    }
    let (mut positions, mut dropped) = (Vec::new(), Vec::new());
    for (axis, &length) in shape.iter().enumerate() {
        if axis >= begin.len() {
            positions.push(Positions { begin: 0, count: length, step: 1 });
            dropped.push(false);
            continue;
        }
        let masked = |mask: u32| axis < 32 && mask >> axis & 1 == 1;
        let (length, stride) = (length as i64, step[axis]);
        let wrap = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
        let fault = || {
            let found = format!("begin {}, end {}, stride {stride} of {length} elements", begin[axis], end[axis]);
            view.fault(found, "a slice that is not empty")
        };
        if masked(masks.shrink) {
            if stride < 0 || masked(masks.begin) && wrap(begin[axis]) != 0 {
                let found =
                    format!("position {} of axis {axis} with stride {stride}, its begin masked or not", begin[axis]);
                let supported = "one position of an axis whose begin is not masked, stride 1 (the references disagree)";
                return Err(view.fault(found, supported));
            }
            let index = usize::try_from(wrap(begin[axis])).ok().filter(|&index| index < length as usize);
            positions.push(Positions { begin: index.ok_or_else(fault)?, count: 1, step: 1 });
            dropped.push(true);
            continue;
        }
        // Python's rules: positions are clamped to what the direction can reach.
        let (low, high) = if stride > 0 { (0, length) } else { (-1, length - 1) };
        let (first, last) = if stride > 0 { (0, length) } else { (length - 1, -1) };
        let first = if masked(masks.begin) { first } else { wrap(begin[axis]).clamp(low, high) };
        let stop = if masks.end_is_offset { begin[axis].saturating_add(end[axis]) } else { wrap(end[axis]) };
        let last = if masked(masks.end) { last } else { stop.clamp(low, high) };
        let distance = if stride > 0 { last - first } else { first - last };
        if stride == 0 || distance <= 0 {
            return Err(fault());
        }
        let count = (distance as u64).div_ceil(stride.unsigned_abs());
        let step = if count == 1 { 1 } else { stride as isize };
        positions.push(Positions { begin: first as usize, count: count as usize, step });
        dropped.push(false);
    }
    slice_of(view, &positions, &dropped)
}

fn slice(view: &View<'_>) -> Result<Movement, Problem> {
    let shape = view.input_shape(0)?;
    let (begin, size) = (view.integers(1, "begin")?, view.integers(2, "size")?);
    let fault =
        || view.fault(format!("begin {begin:?} and size {size:?} of shape {shape:?}"), "a slice inside the input");
    if begin.len() != shape.len() || size.len() != shape.len() {
        return Err(fault());
    }
    let mut positions = Vec::new();
    for (axis, &length) in shape.iter().enumerate() {
        let start = usize::try_from(begin[axis]).ok().filter(|&start| start < length).ok_or_else(fault)?;
        let rest = length - start;
        let count = if size[axis] == -1 { Some(rest) } else { usize::try_from(size[axis]).ok() };
        let count = count.filter(|&count| count > 0 && count <= rest).ok_or_else(fault)?;
        positions.push(Positions { begin: start, count, step: 1 });
    }
    slice_of(view, &positions, &vec![false; shape.len()])
}

/// Elements before and behind an axis: (outer, inner).
fn around(shape: &[usize], axis: usize) -> (usize, usize) {
    (shape[..axis].iter().product(), shape[axis + 1..].iter().product())
}

/// A copy of `outer` runs of `run` elements between tensors with `input` and `output` elements from run to run.
fn runs(outer: usize, run: usize, input: usize, output: usize) -> [Axis; 2] {
    let outer = Axis { length: outer, input: input as isize, output: output as isize };
    [outer, Axis { length: run, input: 1, output: 1 }]
}

/// All inputs one behind the other along an axis of `shape`; each has `run(index)` elements between two steps of the dimensions before the axis.
fn joined(
    view: &View<'_>,
    shape: Vec<usize>,
    axis: usize,
    run: impl Fn(usize) -> Result<usize, Problem>,
) -> Result<Movement, Problem> {
    view.bounded(&shape)?;
    let operands = view.node.inputs.len();
    let (outer, inner) = around(&shape, axis);
    let whole = shape[axis] * inner;
    let (mut moves, mut start) = (Vec::new(), 0);
    for index in 0..operands {
        let run = run(index)?;
        moves.push(Move::new((index, 0), (0, start), &runs(outer, run, run, whole)));
        start += run;
    }
    Ok(Movement { operands, shapes: vec![shape], moves, in_order: false, label: format!("axis {axis}") })
}

fn concatenate(view: &View<'_>, axis: i64) -> Result<Movement, Problem> {
    let first = view.input_shape(0)?;
    let axis = view.axis(axis, first.len())?;
    let mut total = 0;
    for index in 0..view.node.inputs.len() {
        let shape = view.input_shape(index)?;
        let alike = shape.len() == first.len() && (0..first.len()).all(|at| at == axis || shape[at] == first[at]);
        if !alike {
            let supported = format!("shape {first:?} but for axis {axis}");
            return Err(view.fault_of_input(index, format!("shape {shape:?}"), supported));
        }
        total += shape[axis];
    }
    let mut shape = first.to_vec();
    shape[axis] = total;
    let (_, inner) = around(first, axis);
    joined(view, shape, axis, |index| Ok(view.input_shape(index)?[axis] * inner))
}

fn pack(view: &View<'_>, axis: i64) -> Result<Movement, Problem> {
    let first = view.input_shape(0)?;
    let axis = view.axis(axis, first.len() + 1)?;
    for index in 0..view.node.inputs.len() {
        let shape = view.input_shape(index)?;
        if shape != first {
            return Err(view.fault_of_input(index, format!("shape {shape:?}"), format!("shape {first:?}")));
        }
    }
    let mut shape = first.to_vec();
    shape.insert(axis, view.node.inputs.len());
    let (_, inner) = around(&shape, axis);
    joined(view, shape, axis, |_| Ok(inner))
}

/// Copies of consecutive pieces along an axis, one per output; `keep` says whether the outputs still have that axis.
fn pieces(view: &View<'_>, axis: usize, lengths: &[usize], keep: bool) -> Result<Movement, Problem> {
    let shape = view.input_shape(0)?;
    let total = lengths.iter().try_fold(0_usize, |sum, &length| sum.checked_add(length));
    if lengths.len() != view.node.outputs.len() || total != Some(shape[axis]) {
        let found = format!("pieces of {lengths:?} for {} outputs", view.node.outputs.len());
        return Err(view.fault(found, format!("as many pieces as outputs, {} in all", shape[axis])));
    }
    let (outer, inner) = around(shape, axis);
    let (mut shapes, mut moves, mut start) = (Vec::new(), Vec::new(), 0);
    for (index, &length) in lengths.iter().enumerate() {
        let mut piece = shape.to_vec();
        if keep {
            piece[axis] = length;
        } else {
            piece.remove(axis);
        }
        shapes.push(piece);
        let run = length * inner;
        moves.push(Move::new((0, start), (index, 0), &runs(outer, run, shape[axis] * inner, run)));
        start += run;
    }
    Ok(Movement { operands: 1, shapes, moves, in_order: false, label: format!("axis {axis}") })
}

fn split(view: &View<'_>) -> Result<Movement, Problem> {
    let shape = view.input_shape(0)?;
    let outputs = view.node.outputs.len();
    let axis = view.axis(view.integer(1, "axis")?, shape.len())?;
    if view.optional_input(2).is_none() {
        return pieces(view, axis, &vec![shape[axis] / outputs; outputs], true);
    }
    let sizes = view.integers(2, "sizes")?;
    let known: i64 = sizes.iter().filter(|&&size| size > 0).fold(0, |sum, &size| sum.saturating_add(size));
    let rest = (shape[axis] as i64).saturating_sub(known);
    let lengths =
        sizes.iter().map(|&size| usize::try_from(if size == -1 { rest } else { size }).ok().filter(|&size| size > 0));
    let lengths = lengths.collect::<Option<Vec<_>>>();
    let lengths = lengths.ok_or_else(|| view.fault(format!("sizes {sizes:?}"), "sizes of at least 1"))?;
    pieces(view, axis, &lengths, true)
}

fn reverse(view: &View<'_>) -> Result<Movement, Problem> {
    let shape = view.input_shape(0)?;
    let reversed = view.integers(1, "axes")?;
    let reversed = reversed.iter().map(|&axis| view.axis(axis, shape.len())).collect::<Result<Vec<_>, _>>()?;
    let dense = strides(shape);
    let start = (0..shape.len())
        .filter(|axis| reversed.contains(axis))
        .map(|axis| (shape[axis] - 1) * dense[axis] as usize)
        .sum();
    let axes: Vec<Axis> = (0..shape.len())
        .map(|axis| {
            let input = if reversed.contains(&axis) { -dense[axis] } else { dense[axis] };
            Axis { length: shape[axis], input, output: dense[axis] }
        })
        .collect();
    single(view, start, shape.to_vec(), &axes, format!("axes {reversed:?}"))
}

fn gather(view: &View<'_>, axis: i64, batch_dims: i64) -> Result<Movement, Problem> {
    let GatherLengths { batch, outer, axis: length, inner, shape, .. } = gather_lengths(view, axis, batch_dims)?;
    if batch != 1 {
        return Err(view.fault(format!("{batch_dims} batch dimensions"), "a gather without batch dimensions"));
    }
    let indices = view.integers(1, "indices")?;
    let (from, to) = (length * inner, indices.len() * inner);
    let mut moves = Vec::new();
    for (position, &index) in indices.iter().enumerate() {
        let inside = usize::try_from(index).ok().filter(|&at| at < length);
        let index = inside.ok_or_else(|| view.fault(format!("index {index}"), format!("indices below {length}")))?;
        moves.push(Move::new((0, index * inner), (0, position * inner), &runs(outer, inner, from, to)));
    }
    Ok(Movement { operands: 1, shapes: vec![shape], moves, in_order: false, label: format!("axis {axis}") })
}

/// The axes of a rearrangement between [b, h, w, (i, j, c)] and [b, (h, i), (w, j), c]: lengths, strides in the deep and in the wide tensor.
fn blocks([batch, height, width, channels]: [usize; 4], block: usize) -> [(usize, isize, isize); 6] {
    let deep = strides(&[batch, height, width, block, block, channels]);
    let wide = strides(&[batch, height, block, width, block, channels]);
    [
        (batch, deep[0], wide[0]),
        (height, deep[1], wide[1]),
        (block, deep[3], wide[2]),
        (width, deep[2], wide[3]),
        (block, deep[4], wide[4]),
        (channels, deep[5], wide[5]),
    ]
}

fn depth_to_space(view: &View<'_>, block: usize) -> Result<Movement, Problem> {
    let [batch, height, width, depth] = view.nhwc(view.input(0)?)?;
    if depth % (block * block) != 0 {
        let supported = format!("a multiple of {}", block * block);
        return Err(view.fault_of_input(0, format!("{depth} channels"), supported));
    }
    let channels = depth / (block * block);
    let axes = blocks([batch, height, width, channels], block);
    let axes = axes.map(|(length, deep, wide)| Axis { length, input: deep, output: wide });
    single(view, 0, vec![batch, height * block, width * block, channels], &axes, format!("block {block}"))
}

fn space_to_depth(view: &View<'_>, block: usize) -> Result<Movement, Problem> {
    let [batch, height, width, channels] = view.nhwc(view.input(0)?)?;
    if height % block != 0 || width % block != 0 {
        let supported = format!("multiples of {block}");
        return Err(view.fault_of_input(0, format!("{height}x{width} pixels"), supported));
    }
    let (height, width) = (height / block, width / block);
    let axes = blocks([batch, height, width, channels], block);
    let axes = axes.map(|(length, deep, wide)| Axis { length, input: wide, output: deep });
    single(view, 0, vec![batch, height, width, channels * block * block], &axes, format!("block {block}"))
}

fn broadcast_to(view: &View<'_>) -> Result<Movement, Problem> {
    let from = view.input_shape(0)?;
    let to = lengths(view, 1, "shape", view.stated_shape(0)?)?;
    view.bounded(&to)?;
    let lead = to.len().checked_sub(from.len());
    let fits = |lead: usize| (0..from.len()).all(|axis| from[axis] == 1 || from[axis] == to[lead + axis]);
    let Some(lead) = lead.filter(|&lead| fits(lead)) else {
        return Err(view.fault(format!("shape {from:?} to {to:?}"), "a shape that repeats to the other"));
    };
    let (input, output) = (strides(from), strides(&to));
    let axes: Vec<Axis> = (0..to.len())
        .map(|axis| {
            let repeated = axis < lead || from[axis - lead] == 1;
            Axis { length: to[axis], input: if repeated { 0 } else { input[axis - lead] }, output: output[axis] }
        })
        .collect();
    single(view, 0, to, &axes, String::new())
}

/// What a mirroring makes of an axis: three runs, each with the first positions in input and output, length and direction in the input.
fn mirrored(length: usize, before: usize, behind: usize, ends: usize) -> [(usize, usize, usize, isize); 3] {
    [
        ((before + ends).saturating_sub(1), 0, before, -1),
        (0, before, length, 1),
        ((length - 1).saturating_sub(ends), before + length, behind, -1),
    ]
}

fn mirror_pad(view: &View<'_>, symmetric: bool) -> Result<Movement, Problem> {
    let (shape, amounts) = (view.input_shape(0)?, pad_amounts(view)?);
    let ends = usize::from(!symmetric);
    for (axis, &(before, behind)) in amounts.iter().enumerate() {
        if before.max(behind) + ends > shape[axis] {
            let found = format!("{before} and {behind} elements around {} of axis {axis}", shape[axis]);
            return Err(view.fault_of_input(1, found, "no more than a mirror image has"));
        }
    }
    let result: Vec<usize> =
        shape.iter().zip(&amounts).map(|(length, (before, behind))| length + before + behind).collect();
    view.bounded(&result)?;
    let (from, to) = (strides(shape), strides(&result));
    // A copy for every choice of before, inside and behind along the axes.
    let mut parts: Vec<(isize, usize, Vec<Axis>)> = vec![(0, 0, Vec::new())];
    for axis in 0..shape.len() {
        let (before, behind) = amounts[axis];
        let runs = mirrored(shape[axis], before, behind, ends).into_iter().filter(|&(_, _, length, _)| length > 0);
        let runs: Vec<_> = runs.collect();
        let mut extended = Vec::new();
        for (input, output, axes) in &parts {
            for &(first, start, length, step) in &runs {
                let copy = Axis { length, input: from[axis] * step, output: to[axis] };
                let input = input + first as isize * from[axis];
                extended.push((input, output + start * to[axis] as usize, [&axes[..], &[copy]].concat()));
            }
        }
        parts = extended;
    }
    let moves =
        parts.into_iter().map(|(input, output, axes)| Move::new((0, input as usize), (0, output), &axes)).collect();
    let label = format!("{amounts:?}");
    Ok(Movement { operands: 1, shapes: vec![result], moves, in_order: false, label })
}

fn tile(view: &View<'_>) -> Result<Movement, Problem> {
    let shape = view.input_shape(0)?;
    let repeats = view.integers(1, "repeats")?;
    let counts = repeats.iter().map(|&count| usize::try_from(count).ok().filter(|&count| count > 0));
    let Some(counts) = counts.collect::<Option<Vec<_>>>().filter(|counts| counts.len() == shape.len()) else {
        let supported = format!("a number of at least 1 for each of {} dimensions", shape.len());
        return Err(view.fault_of_input(1, format!("repeats {repeats:?}"), supported));
    };
    let result =
        shape.iter().zip(&counts).map(|(&length, &count)| length.checked_mul(count)).collect::<Option<Vec<_>>>();
    let result = result.ok_or_else(|| view.fault(format!("repeats {repeats:?}"), "tensors of 1 to 2^28 elements"))?;
    view.bounded(&result)?;
    let (from, to) = (strides(shape), strides(&result));
    let axes: Vec<Axis> = (0..shape.len())
        .flat_map(|axis| {
            let copy = Axis { length: counts[axis], input: 0, output: to[axis] * shape[axis] as isize };
            [copy, Axis { length: shape[axis], input: from[axis], output: to[axis] }]
        })
        .collect();
    single(view, 0, result, &axes, format!("{counts:?}"))
}

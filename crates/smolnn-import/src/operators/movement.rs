//! Operators that move elements and change none: TRANSPOSE, STRIDED_SLICE, SLICE, CONCATENATION, SPLIT, SPLIT_V, PACK, UNPACK, REVERSE_V2,
//! DEPTH_TO_SPACE, SPACE_TO_DEPTH, BROADCAST_TO, RESIZE_NEAREST_NEIGHBOR by whole factors. All are copies through strides.

use smolnn_core::ShapeError;
use smolnn_fixed::movement::{RANK, StridedCopy, Walk, copy};

use super::{Check, Definition, Kernel, Lowered};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::{Element, Tensor, TensorId};
use crate::memory::{Io, Memory};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "TRANSPOSE", versions: 1..=6, lower: transpose },
    Definition { name: "STRIDED_SLICE", versions: 1..=8, lower: strided_slice },
    Definition { name: "SLICE", versions: 1..=6, lower: slice },
    Definition { name: "CONCATENATION", versions: 1..=4, lower: concatenation },
    Definition { name: "SPLIT", versions: 1..=4, lower: split },
    Definition { name: "SPLIT_V", versions: 1..=2, lower: split_v },
    Definition { name: "PACK", versions: 1..=4, lower: pack },
    Definition { name: "UNPACK", versions: 1..=4, lower: unpack },
    Definition { name: "REVERSE_V2", versions: 1..=3, lower: reverse },
    Definition { name: "DEPTH_TO_SPACE", versions: 1..=2, lower: depth_to_space },
    Definition { name: "SPACE_TO_DEPTH", versions: 1..=2, lower: space_to_depth },
    Definition { name: "BROADCAST_TO", versions: 1..=3, lower: broadcast_to },
    Definition { name: "RESIZE_NEAREST_NEIGHBOR", versions: 1..=4, lower: resize_nearest },
];

/// One dimension of a copy: how many indices, and the strides in input and output.
#[derive(Clone, Copy, Debug)]
struct Axis {
    length: usize,
    input: isize,
    output: isize,
}

/// A copy between input and output tensors of the step.
#[derive(Debug)]
struct Part {
    input: usize,
    output: usize,
    lengths: [usize; RANK],
    from: Walk,
    to: Walk,
    layer: StridedCopy,
}

#[derive(Debug)]
struct CopyKernel {
    parts: Vec<Part>,
    element: Element,
}

/// Strides of a dense tensor.
fn strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// Makes the steps of this file: collects parts, then gives the step.
struct Copies<'c, 'a> {
    check: &'c Check<'a>,
    element: Element,
    inputs: Vec<TensorId>,
    outputs: Vec<TensorId>,
    parts: Vec<Part>,
}

impl<'c, 'a> Copies<'c, 'a> {
    /// The operator moves `inputs` to all its outputs, which have the same type and quantisation.
    fn new(check: &'c Check<'a>, inputs: Vec<TensorId>) -> Result<Self, Problem> {
        let outputs = check.operator.outputs.clone();
        let first = *inputs.first().ok_or_else(|| check.fault("no input", "at least one"))?;
        let element = check.element(first, &[Element::I8, Element::I16, Element::I32, Element::F32])?;
        let like = &check.tensor(first).quantisation;
        for &id in inputs.iter().chain(&outputs) {
            check.element(id, &[element])?;
            let quantisation = &check.tensor(id).quantisation;
            // An int32 index or a float has none; where both have some they must agree, since nothing is rescaled.
            if let (Some(like), Some(quantisation)) = (like, quantisation)
                && (&like.scales, &like.zero_points) != (&quantisation.scales, &quantisation.zero_points)
            {
                let text = |scales: &[f32], points: &[i32]| format!("scales {scales:?} and zero points {points:?}");
                let found = text(&quantisation.scales, &quantisation.zero_points);
                let supported = format!("the {} of the first input", text(&like.scales, &like.zero_points));
                return Err(check.tensor_fault(id, found, &supported));
            }
        }
        Ok(Self { check, element, inputs, outputs, parts: Vec::new() })
    }

    fn input(&self, index: usize) -> &'a Tensor {
        self.check.tensor(self.inputs[index])
    }

    fn output(&self, index: usize) -> &'a Tensor {
        self.check.tensor(self.outputs[index])
    }

    /// Adds a copy from input `input`, from element `input_start` on, to output `output`.
    fn part(
        &mut self,
        (input, input_start): (usize, usize),
        (output, output_start): (usize, usize),
        axes: &[Axis],
    ) -> Result<(), Problem> {
        // Dimensions of 1 go; neighbours that are one run in both tensors become one.
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
        if merged.len() > RANK {
            return Err(self.check.fault(format!("a copy of {} dimensions", merged.len()), &format!("at most {RANK}")));
        }
        let one = Axis { length: 1, input: 1, output: 1 };
        let axes: Vec<Axis> = std::iter::repeat_n(one, RANK - merged.len()).chain(merged).collect();
        let array = |of: &dyn Fn(&Axis) -> isize| std::array::from_fn(|axis| of(&axes[axis]));
        let lengths = std::array::from_fn(|axis| axes[axis].length);
        let from = Walk { length: self.input(input).len(), start: input_start, strides: array(&|axis| axis.input) };
        let to = Walk { length: self.output(output).len(), start: output_start, strides: array(&|axis| axis.output) };
        let layer = self.check.shape(StridedCopy::new(lengths, from, to))?;
        self.parts.push(Part { input, output, lengths, from, to, layer });
        Ok(())
    }

    fn step(self, label: String) -> Result<Lowered, Problem> {
        let kernel = CopyKernel { parts: self.parts, element: self.element };
        Ok(Lowered::Step { inputs: self.inputs, states: Vec::new(), label, kernel: Box::new(kernel) })
    }
}

impl Kernel for CopyKernel {
    fn constant_bytes(&self) -> usize {
        self.parts.len() * size_of::<StridedCopy>()
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        match self.element {
            Element::I8 => self.run_as::<i8>(&mut memory),
            Element::I16 => self.run_as::<i16>(&mut memory),
            Element::F32 => self.run_as::<f32>(&mut memory),
            _ => self.run_as::<i32>(&mut memory),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let walk = |walk: &Walk| {
            format!("Walk {{ length: {}, start: {}, strides: {:?} }}", walk.length, walk.start, walk.strides)
        };
        let mut calls = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let text = format!("StridedCopy::new({:?}, {}, {})", part.lengths, walk(&part.from), walk(&part.to));
            let layer = source.layer(format!("{}_{index}", io.step), "StridedCopy", &text);
            calls.push(format!(
                "copy(&{layer}, {}, {})",
                io.input_text(source, part.input),
                io.output_text(part.output)
            ));
        }
        calls.join("\n                .and_then(|()| ") + &")".repeat(calls.len() - 1)
    }
}

impl CopyKernel {
    fn run_as<T: smolnn_fixed::arena::Element>(&self, memory: &mut Memory<'_>) -> Result<(), ShapeError> {
        let count = self.parts.iter().map(|part| part.output + 1).max().unwrap_or(0);
        let mut outputs = (0..count).map(|index| memory.output::<T>(index)).collect::<Result<Vec<_>, _>>()?;
        self.parts.iter().try_for_each(|part| copy(&part.layer, memory.input(part.input)?, outputs[part.output]))
    }
}

/// A dimension counted from the front, given from the front or, negative, from the back.
fn wrapped_axis(check: &Check<'_>, axis: i64, rank: usize) -> Result<usize, Problem> {
    let wrapped = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    usize::try_from(wrapped)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| check.fault(format!("axis {axis}"), &format!("axes of {rank} dimensions")))
}

/// The one value of a constant input.
fn one_integer(check: &Check<'_>, input: usize, role: &str) -> Result<i64, Problem> {
    let id = check.input(input)?;
    match check.integers(id, role)?[..] {
        [value] => Ok(value),
        _ => Err(check.tensor_fault(id, format!("{role} of shape {:?}", check.tensor(id).shape), "one value")),
    }
}

fn transpose(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let input = check.input(0)?;
    let mut copies = Copies::new(check, vec![input])?;
    let shape = &copies.input(0).shape;
    let id = check.input(1)?;
    let permutation = check.integers(id, "permutation")?;
    let order =
        permutation.iter().map(|&axis| wrapped_axis(check, axis, shape.len())).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted != (0..shape.len()).collect::<Vec<_>>() {
        return Err(check.tensor_fault(
            id,
            format!("permutation {permutation:?}"),
            &format!("each of {} axes once", shape.len()),
        ));
    }
    let expected: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    check.output_shape(0, &expected)?;
    let moved: Vec<usize> = order.iter().copied().filter(|&axis| shape[axis] > 1).collect();
    if moved.is_sorted() {
        // Only dimensions of 1 change places.
        return Ok(Lowered::Alias { input, output: check.output(0)? });
    }
    let (from, to) = (strides(shape), strides(&expected));
    let axes: Vec<Axis> =
        order.iter().zip(&to).map(|(&axis, &output)| Axis { length: shape[axis], input: from[axis], output }).collect();
    copies.part((0, 0), (0, 0), &axes)?;
    copies.step(format!("{permutation:?}"))
}

/// Begin, count and step along each axis of a slice.
struct Range {
    begin: usize,
    count: usize,
    step: isize,
}

/// The step that copies a slice; dimensions in `dropped` are not in the output's shape.
fn slice_step(
    mut copies: Copies<'_, '_>,
    ranges: &[Range],
    dropped: &[bool],
    label: String,
) -> Result<Lowered, Problem> {
    let kept = ranges.iter().zip(dropped).filter(|&(_, &dropped)| !dropped).map(|(range, _)| range.count);
    copies.check.output_shape(0, &kept.collect::<Vec<_>>())?;
    let from = strides(&copies.input(0).shape);
    let to = strides(&ranges.iter().map(|range| range.count).collect::<Vec<_>>());
    let start: usize = ranges.iter().zip(&from).map(|(range, &stride)| range.begin * stride as usize).sum();
    let axes: Vec<Axis> = (0..ranges.len())
        .map(|axis| Axis { length: ranges[axis].count, input: from[axis] * ranges[axis].step, output: to[axis] })
        .collect();
    copies.part((0, start), (0, 0), &axes)?;
    copies.step(label)
}

fn strided_slice(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(4..=4, 1)?;
    let Options::StridedSlice(options) = check.operator.options else { return Err(check.no_options()) };
    if options.ellipsis_mask != 0 || options.new_axis_mask != 0 {
        return Err(check.fault("an ellipsis or new axis in the slice", "slices without ellipsis and new axes"));
    }
    let copies = Copies::new(check, vec![check.input(0)?])?;
    let shape = &copies.input(0).shape;
    let [begin, end, step] = [(1, "begin"), (2, "end"), (3, "strides")];
    let read = |(index, role): (usize, &str)| check.integers(check.input(index)?, role);
    let (begin, end, step) = (read(begin)?, read(end)?, read(step)?);
    if begin.len() > shape.len() || begin.len() != end.len() || begin.len() != step.len() {
        let found = format!("begin {begin:?}, end {end:?}, strides {step:?}");
        return Err(check.fault(found, &format!("as many of each, at most {}", shape.len())));
    }
    let (mut ranges, mut dropped) = (Vec::new(), Vec::new());
    for (axis, &length) in shape.iter().enumerate() {
        if axis >= begin.len() {
            ranges.push(Range { begin: 0, count: length, step: 1 });
            dropped.push(false);
            continue;
        }
        let masked = |mask: i32| axis < 32 && mask >> axis & 1 == 1;
        let (length, stride) = (length as i64, step[axis]);
        let wrap = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
        let fault = || {
            let found = format!("begin {}, end {}, stride {stride} of {length} elements", begin[axis], end[axis]);
            check.fault(found, "a slice that is not empty")
        };
        if masked(options.shrink_axis_mask) {
            let index = usize::try_from(wrap(begin[axis])).ok().filter(|&index| index < length as usize);
            ranges.push(Range { begin: index.ok_or_else(fault)?, count: 1, step: 1 });
            dropped.push(true);
            continue;
        }
        // Python's rules: positions are clamped to what the direction can reach.
        let (low, high) = if stride > 0 { (0, length) } else { (-1, length - 1) };
        let (first, last) = if stride > 0 { (0, length) } else { (length - 1, -1) };
        let first = if masked(options.begin_mask) { first } else { wrap(begin[axis]).clamp(low, high) };
        let stop = if options.offset { begin[axis].saturating_add(end[axis]) } else { wrap(end[axis]) };
        let last = if masked(options.end_mask) { last } else { stop.clamp(low, high) };
        let distance = if stride > 0 { last - first } else { first - last };
        if stride == 0 || distance <= 0 {
            return Err(fault());
        }
        let count = (distance as u64).div_ceil(stride.unsigned_abs());
        let step = if count == 1 { 1 } else { stride as isize };
        ranges.push(Range { begin: first as usize, count: count as usize, step });
        dropped.push(false);
    }
    let label = ranges.iter().map(|range| format!("{}+{}", range.begin, range.count)).collect::<Vec<_>>().join(" ");
    slice_step(copies, &ranges, &dropped, label)
}

fn slice(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(3..=3, 1)?;
    let copies = Copies::new(check, vec![check.input(0)?])?;
    let shape = &copies.input(0).shape;
    let (begin, size) = (check.integers(check.input(1)?, "begin")?, check.integers(check.input(2)?, "size")?);
    let fault =
        || check.fault(format!("begin {begin:?} and size {size:?} of shape {shape:?}"), "a slice inside the input");
    if begin.len() != shape.len() || size.len() != shape.len() {
        return Err(fault());
    }
    let mut ranges = Vec::new();
    for (axis, &length) in shape.iter().enumerate() {
        let start = usize::try_from(begin[axis]).ok().filter(|&start| start < length).ok_or_else(fault)?;
        let rest = length - start;
        let count = if size[axis] == -1 { Some(rest) } else { usize::try_from(size[axis]).ok() };
        let count = count.filter(|&count| count > 0 && count <= rest).ok_or_else(fault)?;
        ranges.push(Range { begin: start, count, step: 1 });
    }
    let label = ranges.iter().map(|range| format!("{}+{}", range.begin, range.count)).collect::<Vec<_>>().join(" ");
    let dropped = vec![false; ranges.len()];
    slice_step(copies, &ranges, &dropped, label)
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

fn concatenation(check: &Check<'_>) -> Result<Lowered, Problem> {
    let Options::Concatenation(options) = check.operator.options else { return Err(check.no_options()) };
    check.counts(1..=usize::MAX, 1)?;
    if options.activation != 0 {
        return Err(check.fault(format!("fused activation {}", options.activation), "NONE"));
    }
    let inputs = (0..check.operator.inputs.len()).map(|index| check.input(index)).collect::<Result<Vec<_>, _>>()?;
    let mut copies = Copies::new(check, inputs)?;
    let first = copies.input(0).shape.clone();
    let axis = wrapped_axis(check, options.axis.into(), first.len())?;
    let mut total = 0;
    for (index, &id) in copies.inputs.iter().enumerate() {
        let shape = &copies.input(index).shape;
        let alike = shape.len() == first.len() && (0..first.len()).all(|at| at == axis || shape[at] == first[at]);
        if !alike {
            let supported = format!("shape {first:?} but for axis {axis}");
            return Err(check.tensor_fault(id, format!("shape {shape:?}"), &supported));
        }
        total += shape[axis];
    }
    let mut expected = first.clone();
    expected[axis] = total;
    check.output_shape(0, &expected)?;
    let (outer, inner) = around(&first, axis);
    let mut start = 0;
    for index in 0..copies.inputs.len() {
        let run = copies.input(index).shape[axis] * inner;
        copies.part((index, 0), (0, start), &runs(outer, run, run, total * inner))?;
        start += run;
    }
    copies.step(format!("axis {axis}"))
}

fn pack(check: &Check<'_>) -> Result<Lowered, Problem> {
    let Options::Pack(options) = check.operator.options else { return Err(check.no_options()) };
    check.counts(1..=usize::MAX, 1)?;
    let inputs = (0..check.operator.inputs.len()).map(|index| check.input(index)).collect::<Result<Vec<_>, _>>()?;
    let mut copies = Copies::new(check, inputs)?;
    let (shape, count) = (copies.input(0).shape.clone(), copies.inputs.len());
    let axis = wrapped_axis(check, options.axis.into(), shape.len() + 1)?;
    if let Some(index) = (0..count).find(|&index| copies.input(index).shape != shape) {
        let found = format!("shape {:?}", copies.input(index).shape);
        return Err(check.tensor_fault(copies.inputs[index], found, &format!("shape {shape:?}")));
    }
    let mut expected = shape.clone();
    expected.insert(axis, count);
    check.output_shape(0, &expected)?;
    let (outer, run) = around(&expected, axis);
    for index in 0..count {
        copies.part((index, 0), (0, index * run), &runs(outer, run, run, count * run))?;
    }
    copies.step(format!("axis {axis}"))
}

/// Copies of consecutive pieces along an axis, one per output; `keep` says whether the outputs still have that axis.
fn pieces(mut copies: Copies<'_, '_>, axis: usize, lengths: &[usize], keep: bool) -> Result<Lowered, Problem> {
    let check = copies.check;
    let shape = copies.input(0).shape.clone();
    if lengths.len() != copies.outputs.len() || lengths.iter().sum::<usize>() != shape[axis] {
        let found = format!("pieces of {lengths:?} for {} outputs", copies.outputs.len());
        return Err(check.fault(found, &format!("as many pieces as outputs, {} in all", shape[axis])));
    }
    let (outer, inner) = around(&shape, axis);
    let mut start = 0;
    for (index, &length) in lengths.iter().enumerate() {
        let mut expected = shape.clone();
        if keep {
            expected[axis] = length;
        } else {
            expected.remove(axis);
        }
        check.output_shape(index, &expected)?;
        let run = length * inner;
        copies.part((0, start), (index, 0), &runs(outer, run, shape[axis] * inner, run))?;
        start += run;
    }
    copies.step(format!("axis {axis}"))
}

fn split(check: &Check<'_>) -> Result<Lowered, Problem> {
    let outputs = check.operator.outputs.len();
    check.counts(2..=2, outputs.max(1))?;
    let axis = one_integer(check, 0, "axis")?;
    let copies = Copies::new(check, vec![check.input(1)?])?;
    let axis = wrapped_axis(check, axis, copies.input(0).shape.len())?;
    let lengths = vec![copies.input(0).shape[axis] / outputs; outputs];
    pieces(copies, axis, &lengths, true)
}

fn split_v(check: &Check<'_>) -> Result<Lowered, Problem> {
    let outputs = check.operator.outputs.len();
    check.counts(3..=3, outputs.max(1))?;
    let axis = one_integer(check, 2, "axis")?;
    let copies = Copies::new(check, vec![check.input(0)?])?;
    let axis = wrapped_axis(check, axis, copies.input(0).shape.len())?;
    let sizes = check.integers(check.input(1)?, "sizes")?;
    let known: i64 = sizes.iter().filter(|&&size| size > 0).fold(0, |sum, &size| sum.saturating_add(size));
    let rest = (copies.input(0).shape[axis] as i64).saturating_sub(known);
    let lengths =
        sizes.iter().map(|&size| usize::try_from(if size == -1 { rest } else { size }).ok().filter(|&size| size > 0));
    let lengths = lengths.collect::<Option<Vec<_>>>();
    let lengths = lengths.ok_or_else(|| check.fault(format!("sizes {sizes:?}"), "sizes of at least 1"))?;
    pieces(copies, axis, &lengths, true)
}

fn unpack(check: &Check<'_>) -> Result<Lowered, Problem> {
    let Options::Unpack(options) = check.operator.options else { return Err(check.no_options()) };
    let outputs = check.operator.outputs.len();
    check.counts(1..=1, outputs.max(1))?;
    let copies = Copies::new(check, vec![check.input(0)?])?;
    let axis = wrapped_axis(check, options.axis.into(), copies.input(0).shape.len())?;
    pieces(copies, axis, &vec![1; outputs], false)
}

fn reverse(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let mut copies = Copies::new(check, vec![check.input(0)?])?;
    let shape = &copies.input(0).shape;
    check.output_shape(0, shape)?;
    let reversed = check.integers(check.input(1)?, "axes")?;
    let reversed =
        reversed.iter().map(|&axis| wrapped_axis(check, axis, shape.len())).collect::<Result<Vec<_>, _>>()?;
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
    copies.part((0, start), (0, 0), &axes)?;
    copies.step(format!("axes {reversed:?}"))
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

fn block_size(check: &Check<'_>, size: i32) -> Result<usize, Problem> {
    let size = usize::try_from(size).ok().filter(|&size| (1..=4096).contains(&size));
    size.ok_or_else(|| check.fault("a block size out of range", "1 to 4096"))
}

fn depth_to_space(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let Options::DepthToSpace(options) = check.operator.options else { return Err(check.no_options()) };
    let block = block_size(check, options.block_size)?;
    let input = check.input(0)?;
    let mut copies = Copies::new(check, vec![input])?;
    let [batch, height, width, depth] = check.nhwc(input)?;
    if depth % (block * block) != 0 {
        return Err(check.tensor_fault(
            input,
            format!("{depth} channels"),
            &format!("a multiple of {}", block * block),
        ));
    }
    let channels = depth / (block * block);
    check.output_shape(0, &[batch, height * block, width * block, channels])?;
    let axes = blocks([batch, height, width, channels], block);
    copies.part((0, 0), (0, 0), &axes.map(|(length, deep, wide)| Axis { length, input: deep, output: wide }))?;
    copies.step(format!("block {block}"))
}

fn space_to_depth(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let Options::SpaceToDepth(options) = check.operator.options else { return Err(check.no_options()) };
    let block = block_size(check, options.block_size)?;
    let input = check.input(0)?;
    let mut copies = Copies::new(check, vec![input])?;
    let [batch, height, width, channels] = check.nhwc(input)?;
    if height % block != 0 || width % block != 0 {
        return Err(check.tensor_fault(input, format!("{height}x{width} pixels"), &format!("multiples of {block}")));
    }
    let (height, width) = (height / block, width / block);
    check.output_shape(0, &[batch, height, width, channels * block * block])?;
    let axes = blocks([batch, height, width, channels], block);
    copies.part((0, 0), (0, 0), &axes.map(|(length, deep, wide)| Axis { length, input: wide, output: deep }))?;
    copies.step(format!("block {block}"))
}

fn broadcast_to(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let mut copies = Copies::new(check, vec![check.input(0)?])?;
    let (from, to) = (&copies.input(0).shape, &copies.output(0).shape);
    let lead = to.len().checked_sub(from.len());
    let fits = |lead: usize| (0..from.len()).all(|axis| from[axis] == 1 || from[axis] == to[lead + axis]);
    let Some(lead) = lead.filter(|&lead| fits(lead)) else {
        return Err(check.fault(format!("shape {from:?} to {to:?}"), "a shape that repeats to the other"));
    };
    let (input, output) = (strides(from), strides(to));
    let axes: Vec<Axis> = (0..to.len())
        .map(|axis| {
            let repeated = axis < lead || from[axis - lead] == 1;
            Axis { length: to[axis], input: if repeated { 0 } else { input[axis - lead] }, output: output[axis] }
        })
        .collect();
    copies.part((0, 0), (0, 0), &axes)?;
    copies.step(String::new())
}

fn resize_nearest(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let Options::ResizeNearestNeighbor(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.input(0)?;
    let mut copies = Copies::new(check, vec![input])?;
    let [batch, height, width, channels] = check.nhwc(input)?;
    let [_, high, wide, _] = check.nhwc(check.output(0)?)?;
    check.output_shape(0, &[batch, high, wide, channels])?;
    // Scaled up by whole factors, each pixel is repeated, whether pixels are measured at their corner or their centre.
    if high % height != 0 || wide % width != 0 || options.align_corners {
        let corners = if options.align_corners { " with aligned corners" } else { "" };
        let found = format!("{height}x{width} to {high}x{wide}{corners}");
        return Err(check.fault(found, "whole factors, corners not aligned"));
    }
    let (down, across) = (high / height, wide / width);
    let from = strides(&[batch, height, width, channels]);
    let to = strides(&[batch, height, down, width, across, channels]);
    let lengths = [batch, height, down, width, across, channels];
    let input = [from[0], from[1], 0, from[2], 0, from[3]];
    let axes: Vec<Axis> =
        (0..6).map(|axis| Axis { length: lengths[axis], input: input[axis], output: to[axis] }).collect();
    copies.part((0, 0), (0, 0), &axes)?;
    copies.step(format!("x{down}, x{across}"))
}

//! Operators that move elements, and those that make constants.

use super::convolution::{from_image, to_image};
use super::operator::Op;
use super::quantised;
use super::values::{Fault, constant_of};
use crate::error::Problem;
use crate::net::{BinaryKind, Comparison, Constant, Element, Operator, Tensor, TensorId};

type Outputs = Result<Vec<TensorId>, Problem>;

/// Most elements of a tensor that repeats its edges.
const MOST_PADDED: i64 = 1 << 26;

pub(super) fn identity(op: &mut Op<'_>) -> Outputs {
    if op.has_output(1) {
        return Err(op.fault("the mask of a dropout", "networks exported for inference (model.eval())"));
    }
    Ok(vec![op.input(0)?])
}

pub(super) fn constant(op: &mut Op<'_>) -> Outputs {
    for attribute in &op.node.attributes {
        let reals = |values: &[f32], shape: &[usize], op: &mut Op<'_>| Ok(vec![op.builder.reals(shape, values)]);
        let integers = |values: &[i64], shape: &[usize], op: &mut Op<'_>| Ok(vec![op.builder.integers(shape, values)]);
        match (&attribute.name[..], &attribute.tensor) {
            ("value", Some(tensor)) => return add(op, tensor),
            ("value_float", _) => return reals(&[attribute.float], &[], op),
            ("value_floats", _) => return reals(&attribute.floats, &[attribute.floats.len()], op),
            ("value_int", _) => return integers(&[attribute.int], &[], op),
            ("value_ints", _) => return integers(&attribute.ints, &[attribute.ints.len()], op),
            _ => {}
        }
    }
    Err(op.fault("a constant that is sparse, text or missing", "numbers and truth values"))
}

/// A constant of an attribute.
fn add(op: &mut Op<'_>, tensor: &super::proto::Tensor) -> Outputs {
    match constant_of(tensor, None) {
        Ok(tensor) => Ok(vec![op.builder.add(tensor)]),
        Err(Fault::Malformed(found)) => {
            Err(op.fault(format!("a damaged constant: {found}"), "a file as it was exported"))
        }
        Err(Fault::Unsupported(found, supported)) => Err(op.fault(format!("a constant {found}"), supported)),
    }
}

/// Lengths among constant integers.
fn lengths(op: &Op<'_>, values: &[i64], role: &str) -> Result<Vec<usize>, Problem> {
    let lengths = values.iter().map(|&value| usize::try_from(value).ok().filter(|&value| value <= 1 << 28));
    let lengths = lengths.collect::<Option<Vec<_>>>().filter(|lengths| {
        lengths
            .iter()
            .try_fold(1_usize, |product, &length| product.checked_mul(length))
            .is_some_and(|product| product <= 1 << 28)
    });
    lengths.ok_or_else(|| {
        op.fault(format!("{role} {values:?}"), "lengths of at least 0, tensors of at most 2^28 elements")
    })
}

pub(super) fn constant_of_shape(op: &mut Op<'_>) -> Outputs {
    let shape = lengths(op, &op.integers(0, "shape")?, "shape")?;
    let value = match op.attribute("value").and_then(|attribute| attribute.tensor.clone()) {
        Some(tensor) => add(op, &tensor)?[0],
        None => op.builder.real(0.0),
    };
    if shape.contains(&0) {
        let element = op.builder.element(value);
        return Ok(vec![op.builder.constant(element, &shape, Vec::new())]);
    }
    let value = op.builder.reshape(value, &[])?;
    broadcast(op, value, &shape)
}

/// The tensor repeated to a shape.
fn broadcast(op: &mut Op<'_>, id: TensorId, shape: &[usize]) -> Outputs {
    if op.builder.tensor(id).shape == shape {
        return Ok(vec![id]);
    }
    if shape.is_empty() {
        return Ok(vec![op.builder.reshape(id, shape)?]);
    }
    let element = op.builder.element(id);
    let to = op.builder.lengths(shape);
    Ok(vec![op.builder.push_stated(Operator::BroadcastTo, &[Some(id), Some(to)], element, shape)?])
}

pub(super) fn expand(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let own = op.builder.shape(id);
    let wanted = lengths(op, &op.integers(1, "shape")?, "shape")?;
    let rank = own.len().max(wanted.len());
    let length = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let shape: Vec<usize> = (0..rank)
        .map(|axis| if length(&wanted, axis) == 1 { length(&own, axis) } else { length(&wanted, axis) })
        .collect();
    broadcast(op, id, &shape)
}

pub(super) fn tile(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let repeats = op.integers(1, "repeats")?;
    if repeats.iter().all(|&count| count == 1) {
        return Ok(vec![id]);
    }
    let repeats = op.builder.integers(&[repeats.len()], &repeats);
    Ok(vec![op.builder.push(Operator::Tile, &[id, repeats])?])
}

pub(super) fn range(op: &mut Op<'_>) -> Outputs {
    let element = op.builder.element(op.input(0)?);
    let ends = [(0, "start"), (1, "limit"), (2, "step")];
    let mut values = [0.0; 3];
    for (index, role) in ends {
        values[index] = if element == Element::F32 {
            op.reals(index, role)?.first().map_or(0.0, |&value| f64::from(value))
        } else {
            op.integers(index, role)?.first().map_or(0.0, |&value| value as f64)
        };
    }
    let [start, limit, step] = values;
    let count = ((limit - start) / step).ceil();
    if !(0.0..=65536.0).contains(&count) {
        return Err(op.fault(format!("a range from {start} to {limit} in steps of {step}"), "at most 65536 numbers"));
    }
    let numbers = (0..count as usize).map(|index| start + index as f64 * step);
    Ok(vec![if element == Element::F32 {
        let numbers: Vec<f32> = numbers.map(|number| number as f32).collect();
        op.builder.reals(&[numbers.len()], &numbers)
    } else {
        let numbers: Vec<i64> = numbers.map(|number| number as i64).collect();
        op.builder.integers(&[numbers.len()], &numbers)
    }])
}

pub(super) fn shape(op: &mut Op<'_>) -> Outputs {
    let shape = op.shape(0)?;
    let rank = shape.len() as i64;
    let end = |value: i64| (if value < 0 { value.saturating_add(rank) } else { value }).clamp(0, rank) as usize;
    let (start, stop) = (end(op.int("start", 0)), end(op.int("end", rank)));
    let part = if start < stop { shape[start..stop].to_vec() } else { Vec::new() };
    Ok(vec![op.builder.lengths(&part)])
}

pub(super) fn size(op: &mut Op<'_>) -> Outputs {
    let size = op.shape(0)?.iter().product::<usize>();
    Ok(vec![op.builder.integers(&[], &[size as i64])])
}

pub(super) fn flatten(op: &mut Op<'_>) -> Outputs {
    let (id, shape) = (op.input(0)?, op.shape(0)?);
    let axis = op.int("axis", 1);
    let axis = if axis == shape.len() as i64 { shape.len() } else { op.axis(axis, shape.len())? };
    let (outer, inner) = shape.split_at(axis);
    Ok(vec![op.builder.reshape(id, &[outer.iter().product(), inner.iter().product()])?])
}

pub(super) fn reshape(op: &mut Op<'_>) -> Outputs {
    let (id, own) = (op.input(0)?, op.shape(0)?);
    let wanted = op.list("shape", 1)?.unwrap_or_default();
    let zero_is_zero = op.int("allowzero", 0) != 0;
    let count: usize = own.iter().product();
    let fault = |op: &Op<'_>| op.fault(format!("shape {own:?} as {wanted:?}"), "a shape with as many elements");
    let mut shape = Vec::new();
    for (axis, &length) in wanted.iter().enumerate() {
        shape.push(match length {
            0 if !zero_is_zero => *own.get(axis).ok_or_else(|| fault(op))?,
            -1 => 1,
            length => usize::try_from(length).map_err(|_| fault(op))?,
        });
    }
    if let Some(open) = wanted.iter().position(|&length| length == -1) {
        let others = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
        shape[open] = others.and_then(|others| count.checked_div(others)).ok_or_else(|| fault(op))?;
    }
    let found = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
    if found != Some(count) || wanted.iter().filter(|&&length| length == -1).count() > 1 {
        return Err(fault(op));
    }
    reshaped(op, id, &shape)
}

/// The tensor in another shape; of no elements, where it has none.
fn reshaped(op: &mut Op<'_>, id: TensorId, shape: &[usize]) -> Outputs {
    if shape.contains(&0) {
        let element = op.builder.element(id);
        return Ok(vec![op.builder.constant(element, shape, Vec::new())]);
    }
    Ok(vec![op.builder.reshape(id, shape)?])
}

pub(super) fn squeeze(op: &mut Op<'_>) -> Outputs {
    let (id, shape) = (op.input(0)?, op.shape(0)?);
    let axes = match op.list("axes", 1)? {
        Some(axes) => op.axes(&axes, shape.len())?,
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
    };
    if let Some(&axis) = axes.iter().find(|&&axis| shape[axis] != 1) {
        return Err(op.fault(format!("dimension {axis} of shape {shape:?}"), "dimensions of 1"));
    }
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
    reshaped(op, id, &kept)
}

pub(super) fn unsqueeze(op: &mut Op<'_>) -> Outputs {
    let (id, shape) = (op.input(0)?, op.shape(0)?);
    let axes = op.list("axes", 1)?.unwrap_or_default();
    let rank = shape.len() + axes.len();
    let axes = op.each_once(&axes, rank)?;
    let mut lengths = shape.iter();
    let wanted: Vec<usize> =
        (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { lengths.next().copied().unwrap_or(1) }).collect();
    reshaped(op, id, &wanted)
}

pub(super) fn transpose(op: &mut Op<'_>) -> Outputs {
    let (id, rank) = (op.input(0)?, op.shape(0)?.len());
    let permutation = match op.ints("perm") {
        Some(permutation) => op.each_once(&permutation, rank)?,
        None => (0..rank).rev().collect(),
    };
    if permutation.len() != rank {
        return Err(op.fault(format!("perm {permutation:?} of {rank} dimensions"), "each dimension once"));
    }
    Ok(vec![op.builder.transpose(id, &permutation)?])
}

pub(super) fn concat(op: &mut Op<'_>) -> Outputs {
    let mut inputs = op.all()?;
    // Tensors without elements add none.
    if inputs.iter().any(|&id| !op.builder.tensor(id).shape.contains(&0)) {
        inputs.retain(|&id| !op.builder.tensor(id).shape.contains(&0));
    }
    let &[first, ref others @ ..] = &inputs[..] else { return Err(op.fault("no input", "at least one")) };
    if others.is_empty() || op.builder.tensor(first).shape.contains(&0) {
        return Ok(vec![first]);
    }
    let rank = op.builder.tensor(first).shape.len();
    let axis = op.axis(op.int("axis", 0), rank)? as i64;
    Ok(vec![op.builder.push(Operator::Concatenate { axis }, &inputs)?])
}

pub(super) fn slice(op: &mut Op<'_>) -> Outputs {
    let (id, shape) = (op.input(0)?, op.shape(0)?);
    let rank = shape.len();
    let starts = op.list("starts", 1)?.unwrap_or_default();
    let ends = op.list("ends", 2)?.unwrap_or_default();
    let axes = match op.list("axes", 3)? {
        Some(axes) => op.each_once(&axes, rank)?,
        None => (0..starts.len()).collect(),
    };
    let steps = if op.optional(4).is_some() { op.integers(4, "steps")? } else { vec![1; starts.len()] };
    if [ends.len(), axes.len(), steps.len()].iter().any(|&count| count != starts.len())
        || axes.iter().any(|&axis| axis >= rank)
    {
        return Err(op.fault("starts, ends, axes and steps of different lengths", "one of each per axis"));
    }
    let (mut begin, mut end, mut stride, mut wanted) =
        (vec![0; rank], shape.iter().map(|&length| length as i64).collect::<Vec<_>>(), vec![1; rank], shape.clone());
    let mut masks = 0;
    for (index, &axis) in axes.iter().enumerate() {
        let (length, step) = (shape[axis] as i64, steps[index]);
        let wrap = |value: i64| if value < 0 { value.saturating_add(length) } else { value };
        if step == 0 || step == i64::MIN {
            return Err(op.fault(format!("a step of {step}"), "steps of other lengths"));
        }
        let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let (first, last) = (wrap(starts[index]).clamp(low.max(0), high.max(0)), wrap(ends[index]).clamp(low, high));
        let distance = if step > 0 { last - first } else { first - last };
        wanted[axis] = usize::try_from(distance).unwrap_or(0).div_ceil(step.unsigned_abs().max(1) as usize);
        (begin[axis], end[axis], stride[axis]) = (first, last, step);
        if last < 0 {
            masks |= 1_u32.checked_shl(axis as u32).unwrap_or(0);
        }
    }
    if wanted == shape && steps.iter().all(|&step| step > 0) {
        return Ok(vec![id]);
    }
    if wanted.contains(&0) {
        let element = op.builder.element(id);
        return Ok(vec![op.builder.constant(element, &wanted, Vec::new())]);
    }
    let [begin, end, stride] = [begin, end, stride].map(|values| op.builder.integers(&[rank], &values));
    let operator = Operator::StridedSlice { begin_mask: 0, end_mask: masks, shrink_mask: 0, end_is_offset: false };
    Ok(vec![op.builder.push(operator, &[id, begin, end, stride])?])
}

pub(super) fn split(op: &mut Op<'_>) -> Outputs {
    let (id, shape) = (op.input(0)?, op.shape(0)?);
    let axis = op.axis(op.int("axis", 0), shape.len())?;
    let outputs = op.node.outputs.len();
    let sizes = match op.list("split", 1)? {
        Some(sizes) => sizes,
        None => {
            let each = shape[axis].div_ceil(outputs.max(1)) as i64;
            let last = shape[axis] as i64 - each * (outputs as i64 - 1);
            (0..outputs).map(|index| if index + 1 == outputs { last } else { each }).collect()
        }
    };
    if sizes.len() != outputs || outputs == 0 {
        return Err(op.fault(format!("sizes {sizes:?} for {outputs} outputs"), "a size per output"));
    }
    if let [_] = sizes[..] {
        return Ok(vec![id]);
    }
    let element = op.builder.element(id);
    let (axis, sizes) = (op.builder.integers(&[], &[axis as i64]), op.builder.integers(&[sizes.len()], &sizes));
    op.builder.push_many(Operator::Split, &[Some(id), Some(axis), Some(sizes)], &vec![(element, Vec::new()); outputs])
}

/// Positions along an axis of this length that are computed when the model runs: negative ones, which count from the end, from the front.
fn counted_from_the_end(op: &mut Op<'_>, positions: TensorId, length: usize) -> Result<TensorId, Problem> {
    let never_negative = |node: &crate::net::Node| {
        node.outputs.contains(&positions) && matches!(node.operator, Operator::ArgExtreme { .. })
    };
    let element = op.builder.element(positions);
    if element != Element::I32 || op.builder.net.nodes.iter().any(never_negative) {
        return Ok(positions);
    }
    let (zero, length) = (op.builder.integers(&[], &[0]), op.builder.integers(&[], &[length as i64]));
    let comparison = Operator::Compare(Comparison::Less);
    let is_negative = op.builder.push_stated(comparison, &[Some(positions), Some(zero)], Element::Bool, &[])?;
    let wrapped = op.builder.binary(BinaryKind::Add, positions, length)?;
    let inputs = [Some(is_negative), Some(wrapped), Some(positions)];
    op.builder.push_stated(Operator::Select { broadcasts: true }, &inputs, element, &[])
}

pub(super) fn gather(op: &mut Op<'_>) -> Outputs {
    let (id, positions, shape) = (op.input(0)?, op.input(1)?, op.shape(0)?);
    let axis = op.axis(op.int("axis", 0), shape.len())?;
    let operator = Operator::Gather { axis: axis as i64, batch_dims: 0 };
    if !op.builder.is_constant(positions) {
        let positions = counted_from_the_end(op, positions, shape[axis])?;
        return Ok(vec![op.builder.push(operator, &[id, positions])?]);
    }
    let of = op.builder.shape(positions);
    let values = op.integers_of(positions, "positions")?;
    let wrapped: Vec<i64> =
        values.iter().map(|&value| if value < 0 { value.saturating_add(shape[axis] as i64) } else { value }).collect();
    if let Some(value) = wrapped.iter().find(|&&value| !(0..shape[axis] as i64).contains(&value)) {
        return Err(op.fault(format!("position {value}"), format!("positions below {}", shape[axis])));
    }
    let consecutive = wrapped.windows(2).all(|pair| pair[1] == pair[0] + 1);
    if op.builder.is_constant(id) || !consecutive || wrapped.is_empty() {
        let positions = op.builder.integers(&of, &wrapped);
        return Ok(vec![op.builder.push(operator, &[id, positions])?]);
    }
    // Neighbours are a slice, which needs no table.
    let (mut begin, mut size) = (vec![0; shape.len()], shape.iter().map(|&length| length as i64).collect::<Vec<_>>());
    (begin[axis], size[axis]) = (wrapped[0], wrapped.len() as i64);
    let (begin, size) = (op.builder.integers(&[shape.len()], &begin), op.builder.integers(&[shape.len()], &size));
    let part = op.builder.push(Operator::Slice, &[id, begin, size])?;
    let wanted = [&shape[..axis], &of[..], &shape[axis + 1..]].concat();
    Ok(vec![op.builder.reshape(part, &wanted)?])
}

/// The elements at positions along the last dimension, as scikit-learn's classifiers name their class.
pub(super) fn extract(op: &mut Op<'_>) -> Outputs {
    let (mut id, positions) = (op.input(0)?, op.input(1)?);
    if let [length] = op.builder.shape(id)[..] {
        id = op.builder.reshape(id, &[1, length])?;
    }
    let (axis, count) = (op.builder.shape(id).len() as i64 - 1, op.builder.tensor(positions).len());
    let positions = op.builder.reshape(positions, &[count])?;
    Ok(vec![op.builder.push(Operator::Gather { axis, batch_dims: 0 }, &[id, positions])?])
}

pub(super) fn pad(op: &mut Op<'_>) -> Outputs {
    let (mut id, shape) = (op.input(0)?, op.shape(0)?);
    let rank = shape.len();
    let given = match op.ints("paddings") {
        Some(given) => given,
        None => op.list("pads", 1)?.unwrap_or_default(),
    };
    let axes = if op.optional(3).is_some() { op.axes(&op.integers(3, "axes")?, rank)? } else { (0..rank).collect() };
    if given.len() != 2 * axes.len() || given.iter().any(|amount| amount.unsigned_abs() > 1 << 24) {
        return Err(op.fault(format!("pads {given:?} for {} axes", axes.len()), "two amounts per axis"));
    }
    let mut amounts = vec![[0_i64; 2]; rank];
    for (index, &axis) in axes.iter().enumerate() {
        amounts[axis] = [given[index], given[axes.len() + index]];
    }
    if amounts.iter().flatten().any(|&amount| amount < 0) {
        // What is cut off is a slice.
        let begin: Vec<i64> = amounts.iter().map(|&[before, _]| (-before).max(0)).collect();
        let size: Vec<i64> =
            (0..rank).map(|axis| shape[axis] as i64 - begin[axis] - (-amounts[axis][1]).max(0)).collect();
        let (begin, size) = (op.builder.integers(&[rank], &begin), op.builder.integers(&[rank], &size));
        id = op.builder.push(Operator::Slice, &[id, begin, size])?;
        amounts.iter_mut().flatten().for_each(|amount| *amount = (*amount).max(0));
    }
    if amounts.iter().flatten().all(|&amount| amount == 0) {
        return Ok(vec![id]);
    }
    let flat: Vec<i64> = amounts.iter().flatten().copied().collect();
    let table = op.builder.integers(&[rank, 2], &flat);
    match &op.text("mode", "constant")[..] {
        "constant" => {
            let given = match op.optional(2) {
                Some(id) => Some(id),
                None => op.attribute("value").map(|attribute| attribute.float).map(|value| op.builder.real(value)),
            };
            let value = given.filter(|&value| op.builder.reals_of(value).is_none_or(|values| values != [0.0]));
            let value = match (value, op.builder.tensor(id).quantisation.clone()) {
                (None, None) => return Ok(vec![op.builder.push(Operator::Pad, &[id, table])?]),
                (Some(value), None) => value,
                // Of scaled integers the file means the stored value, 0 where it states none.
                (value, Some(quantisation)) => {
                    let element = if op.builder.unsigned.contains(&id) { Element::U8 } else { op.builder.element(id) };
                    let zero = |op: &mut Op<'_>| {
                        let bytes = Constant::new(vec![0; element.bits() / 8]);
                        op.builder.add(Tensor::new("zero".into(), element, vec![], Some(bytes)))
                    };
                    let value = value.unwrap_or_else(|| zero(op));
                    quantised::constant(op, value, quantisation)
                }
            };
            let value = op.builder.reshape(value, &[])?;
            Ok(vec![op.builder.push(Operator::Pad, &[id, table, value])?])
        }
        "reflect" => Ok(vec![op.builder.push(Operator::MirrorPad { symmetric: false }, &[id, table])?]),
        mode @ ("edge" | "wrap") => {
            let wraps = mode == "wrap";
            let from = op.builder.shape(id);
            let padded = from.iter().zip(&amounts).map(|(&length, of)| length as i64 + of[0] + of[1]);
            let count = padded.fold(1_i64, i64::saturating_mul);
            if from.contains(&0) || count > MOST_PADDED {
                let found = format!("mode {mode} of shape {from:?} with pads {given:?}");
                return Err(op.fault(found, "tensors with elements, and at most 2^26 of them behind it"));
            }
            for (axis, [before, behind]) in amounts.into_iter().enumerate().filter(|(_, amounts)| amounts != &[0, 0]) {
                let length = from[axis] as i64;
                let at = |index: i64| if wraps { index.rem_euclid(length) } else { index.clamp(0, length - 1) };
                let positions: Vec<usize> = (-before..length + behind).map(|index| at(index) as usize).collect();
                id = op.builder.pick(id, axis, &positions)?;
            }
            Ok(vec![id])
        }
        mode => Err(op.fault(format!("mode {mode}"), "constant, reflect, edge, wrap")),
    }
}

/// The elements of matrices on one side of a diagonal, with it; 0 elsewhere.
pub(super) fn triangle(op: &mut Op<'_>) -> Outputs {
    let (id, shape) = (op.input(0)?, op.shape(0)?);
    let &[.., rows, columns] = &shape[..] else { return Err(op.fault(format!("shape {shape:?}"), "matrices")) };
    let diagonal = match op.optional(1) {
        Some(_) => op.integers(1, "diagonal")?.first().copied().unwrap_or(0),
        None => 0,
    };
    let is_upper = op.int("upper", 1) != 0;
    if rows.saturating_mul(columns) > 1 << 18 {
        return Err(op.fault(format!("matrices of {rows} × {columns}"), "matrices of at most 2^18 elements"));
    }
    let stays = |index: usize| {
        let distance = ((index % columns) as i64 - (index / columns) as i64).saturating_sub(diagonal);
        u8::from(if is_upper { distance >= 0 } else { distance <= 0 })
    };
    let mask = op.builder.constant(Element::Bool, &[rows, columns], (0..rows * columns).map(stays).collect());
    let zero = op.builder.integers(&[], &[0]);
    let element = op.builder.element(id);
    let zero = op.builder.cast(zero, element)?;
    let inputs = [Some(mask), Some(id), Some(zero)];
    Ok(vec![op.builder.push_stated(Operator::Select { broadcasts: true }, &inputs, element, &[])?])
}

pub(super) fn depth_to_space(op: &mut Op<'_>) -> Outputs {
    let (id, shape) = (op.input(0)?, op.shape(0)?);
    let block = usize::try_from(op.int("blocksize", 1)).ok().filter(|block| (1..=1 << 10).contains(block));
    let (Some(block), &[batch, channels, rows, columns]) = (block, &shape[..]) else {
        return Err(op.fault(format!("shape {shape:?}"), "images and a block of at least 1"));
    };
    match &op.text("mode", "DCR")[..] {
        "DCR" => {
            let image = to_image(op, id)?;
            let result = op.builder.push(Operator::DepthToSpace { block }, &[image])?;
            Ok(vec![from_image(op, result, 4)?])
        }
        "CRD" if channels.is_multiple_of(block * block) => {
            // The net's operator has the positions of a block before the channels.
            let depth = channels / (block * block);
            let split = op.builder.reshape(id, &[batch, depth, block * block, rows, columns])?;
            let exchanged = op.builder.transpose(split, &[0, 2, 1, 3, 4])?;
            let whole = op.builder.reshape(exchanged, &shape)?;
            let image = to_image(op, whole)?;
            let result = op.builder.push(Operator::DepthToSpace { block }, &[image])?;
            Ok(vec![from_image(op, result, 4)?])
        }
        mode => Err(op.fault(format!("mode {mode} of {channels} channels"), "DCR, CRD")),
    }
}

pub(super) fn space_to_depth(op: &mut Op<'_>) -> Outputs {
    let id = op.input(0)?;
    let block = usize::try_from(op.int("blocksize", 1)).ok().filter(|block| (1..=1 << 10).contains(block));
    let Some(block) = block else { return Err(op.fault("a block of no pixels", "blocks of at least 1")) };
    let image = to_image(op, id)?;
    let result = op.builder.push(Operator::SpaceToDepth { block }, &[image])?;
    Ok(vec![from_image(op, result, 4)?])
}

//! Splits a convolution, and the layer behind it that works channel by channel, into groups of channels: the group's channels are all that is in memory at a
//! time. In networks of inverted residuals the channels between the two are most of the memory.
//!
//! Every output channel of a convolution is computed by itself, and so is every channel of a depthwise convolution, a pooling and a mean over the image: the
//! groups together are the whole, bit for bit, and nothing is computed twice. Their outputs are put together along the channels.

use std::ops::Range;

use super::Uses;
use crate::net::{Constant, Element, Net, Node, Operator, ReduceKind, Tensor, TensorId};

/// Channels of a group are multiples of this, so that groups fill the tiles of kernels.
const MULTIPLE: usize = 8;

/// Splits the convolutions of which more than `most` bytes would be in memory at a time, so that a group has no more than `group` bytes; gives whether there
/// are such.
///
/// Where `means` is set, it is those convolutions alone of which a mean is all that is needed: their rows are not needed at a time, so that rows save nothing there.
pub(crate) fn apply(net: &mut Net, (most, group): (usize, usize), means: bool) -> bool {
    let mut is_split = false;
    loop {
        let uses = Uses::of(net);
        let large = (0..net.nodes.len()).find_map(|position| {
            let (reader, bytes) = pair(net, &uses, position).filter(|&(_, bytes)| bytes > most)?;
            (!means || matches!(net.nodes[reader].operator, Operator::Reduce { .. })).then_some(())?;
            let channels = *net.tensors[net.nodes[position].outputs[0]].shape.last()?;
            let of_group = (group * channels / bytes / MULTIPLE * MULTIPLE).max(MULTIPLE);
            (of_group < channels).then_some((position, reader, of_group))
        });
        // What was split is not found again: a group is smaller, or has the least number of channels.
        let Some((position, reader, of_group)) = large else { return is_split };
        split(net, position, reader, of_group);
        is_split = true;
    }
}

/// The most bytes below a limit that are in memory at a time between a convolution and such a layer.
pub(crate) fn largest(net: &Net, below: usize) -> Option<usize> {
    let uses = Uses::of(net);
    let bytes = (0..net.nodes.len()).filter_map(|position| Some(pair(net, &uses, position)?.1));
    bytes.filter(|&bytes| bytes < below).max()
}

/// The only reader of a convolution, where it works channel by channel, and the bytes between them that are in memory at a time: the rows of a window, or the
/// image.
fn pair(net: &Net, uses: &Uses, position: usize) -> Option<(usize, usize)> {
    let node = &net.nodes[position];
    let &[output] = &node.outputs[..] else { return None };
    let Operator::Conv2d { .. } = node.operator else { return None };
    let reader = uses.reader[output].filter(|_| uses.readers[output] == 1)?;
    let image = &net.tensors[output];
    let &[1, height, _, channels] = &image.shape[..] else { return None };
    let is_byte_sized = |id: &Option<TensorId>| id.is_none_or(|id| net.tensors[id].element.bits().is_multiple_of(8));
    let by = &net.nodes[reader];
    (node.inputs.iter().chain(&by.inputs).all(is_byte_sized) && by.inputs.first() == Some(&Some(output)))
        .then_some(())?;
    let are_constant = |node: &Node| node.inputs.iter().skip(1).flatten().all(|&id| net.tensors[id].data.is_some());
    (are_constant(node)
        && are_constant(by)
        && net.tensors[node.inputs[0]?].shape[3] == net.tensors[node.inputs[1]?].shape[3])
        .then_some(())?;
    let rows = match by.operator {
        Operator::DepthwiseConv2d { window, .. } => {
            let weights = &net.tensors[by.inputs[1]?].shape;
            (weights[3] == channels).then_some((weights[1] - 1) * window.dilation[0] + 1)?
        }
        Operator::Pool2d { kernel, .. } => kernel[0],
        Operator::Reduce { kind: ReduceKind::Mean, .. } => {
            let axes = net.tensors[by.inputs[1]?].integers()?;
            let mut axes: Vec<i64> = axes.iter().map(|axis| axis.rem_euclid(4)).collect();
            axes.sort_unstable();
            (axes == [1, 2]).then_some(height)?
        }
        _ => return None,
    };
    Some((reader, image.bytes() / height * rows.min(height)))
}

/// Replaces a convolution and its reader by groups of `of_group` channels.
fn split(net: &mut Net, position: usize, reader: usize, of_group: usize) {
    let (convolution, by) = (net.nodes[position].clone(), net.nodes[reader].clone());
    let channels = net.tensors[convolution.outputs[0]].shape[3];
    let mut nodes = Vec::new();
    let mut parts = Vec::new();
    for start in (0..channels).step_by(of_group) {
        let range = start..channels.min(start + of_group);
        let between = part(net, convolution.outputs[0], 3, &range);
        let mut inputs = vec![convolution.inputs[0]];
        inputs.extend(convolution.inputs[1..].iter().map(|id| id.map(|id| part(net, id, 0, &range))));
        nodes.push(Node { inputs, outputs: vec![between], ..convolution.clone() });
        let last = net.tensors[by.outputs[0]].shape.len() - 1;
        let output = part(net, by.outputs[0], last, &range);
        let mut inputs = vec![Some(between)];
        let is_depthwise = matches!(by.operator, Operator::DepthwiseConv2d { .. });
        inputs.extend(by.inputs[1..].iter().enumerate().map(|(index, id)| {
            // Weights have their channels last; the axes of a mean stay.
            let axis = if index == 0 { 3 } else { 0 };
            id.map(|id| if is_depthwise { part(net, id, axis, &range) } else { id })
        }));
        nodes.push(Node { inputs, outputs: vec![output], ..by.clone() });
        parts.push(Some(output));
    }
    let axis = net.tensors[by.outputs[0]].shape.len() as i64 - 1;
    let operator = Operator::Concatenate { axis };
    nodes.push(Node { name: "CONCATENATION".into(), operator, inputs: parts, outputs: by.outputs.clone(), ..by });
    net.nodes.splice(reader..=reader, nodes);
    net.nodes.remove(position);
}

/// A tensor of some of another's indices along an axis.
fn part(net: &mut Net, id: TensorId, axis: usize, range: &Range<usize>) -> TensorId {
    let whole = &net.tensors[id];
    let (length, inner) =
        (whole.shape[axis], whole.shape[axis + 1..].iter().product::<usize>() * whole.element.bits() / 8);
    let data = whole.data.as_ref().map(|data| {
        let rows = data.bytes().chunks_exact((length * inner).max(1));
        Constant::new(rows.flat_map(|row| &row[range.start * inner..range.end * inner]).copied().collect())
    });
    let mut tensor = Tensor { data, name: format!("{}[{range:?}]", whole.name), ..whole.clone() };
    tensor.shape[axis] = range.len();
    if let Some(quantisation) = &mut tensor.quantisation
        && quantisation.scales.len() > 1
        && quantisation.dimension == axis
    {
        quantisation.scales = quantisation.scales[range.clone()].to_vec();
        quantisation.zero_points = quantisation.zero_points[range.clone()].to_vec();
    }
    debug_assert!(tensor.element != Element::String, "kernels take no strings");
    net.tensors.push(tensor);
    net.tensors.len() - 1
}

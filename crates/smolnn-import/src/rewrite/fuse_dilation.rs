//! Fuses the operators that deal an image out to small ones, convolve these and put the results together: they are one dilated convolution.
//!
//! TensorFlow's converter leaves dilated convolutions in this form where it does not know the batch. What SPACE_TO_BATCH_ND adds around the image is
//! padding of the convolution, which has the zero point: TFLite's kernel adds the zero point, and the network was trained so. (That of tflite-micro adds
//! the stored 0, which is another real number: docs/numerics.md.)

use super::uses::Uses;
use crate::net::{Net, Operator, Padding, TensorId, View, blocks};

/// Fuses every such group around a convolution.
pub(super) fn apply(net: &mut Net) {
    let uses = Uses::of(net);
    let mut fused = Vec::new();
    for position in 0..net.nodes.len() {
        if let Some(group) = group(net, &uses, position) {
            group.fuse(net, position);
            fused.extend([group.dealt, group.put]);
        }
    }
    let mut position = 0;
    net.nodes.retain(|_| {
        position += 1;
        !fused.contains(&(position - 1))
    });
}

/// A convolution between blocks.
struct Group {
    /// Positions of the operators that deal out and put together.
    dealt: usize,
    put: usize,
    /// Positions of the operators that give a sequence a height before the convolution, and take it away behind.
    raised: Option<usize>,
    lowered: Option<usize>,
    /// Before and after.
    input: TensorId,
    output: TensorId,
    dilation: [usize; 2],
    padding: Padding,
    /// The shape of the image that is convolved, and of the result.
    from: Vec<usize>,
    to: Vec<usize>,
}

/// Amounts before and behind each blocked dimension, which are input 2.
fn amounts(view: &View<'_>) -> Option<Vec<[usize; 2]>> {
    let amounts = view.integers(2, "amounts").ok()?;
    let amount = |amount: i64| usize::try_from(amount).ok();
    amounts.as_chunks().0.iter().map(|&[before, behind]| Some([amount(before)?, amount(behind)?])).collect()
}

/// The group around the convolution at `position`.
fn group(net: &Net, uses: &Uses, position: usize) -> Option<Group> {
    let node = &net.nodes[position];
    let (Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. }) = &node.operator else {
        return None;
    };
    if window.stride != [1, 1] || window.padding != Padding::Valid {
        return None;
    }
    let (image, result) = ((*node.inputs.first()?)?, *node.outputs.first()?);
    // The operator before, whose output nobody else reads, and the only one behind.
    let before = |tensor: TensorId| if uses.readers[tensor] == 1 { uses.writers[tensor] } else { None };
    let behind = |tensor: TensorId| if uses.readers[tensor] == 1 { uses.reader[tensor] } else { None };
    let reshapes = |position: usize| matches!(net.nodes[position].operator, Operator::Reshape | Operator::ExpandDims);
    let raised = before(image).filter(|&position| reshapes(position));
    let dealt = match raised {
        Some(position) => before((*net.nodes[position].inputs.first()?)?)?,
        None => before(image)?,
    };
    let lowered = behind(result).filter(|&position| reshapes(position));
    let put = match lowered {
        Some(position) => behind(*net.nodes[position].outputs.first()?)?,
        None => behind(result)?,
    };
    let (deal, gather) = (View { net, node: &net.nodes[dealt] }, View { net, node: &net.nodes[put] });
    if (&deal.node.operator, &gather.node.operator) != (&Operator::SpaceToBatch, &Operator::BatchToSpace) {
        return None;
    }
    // Wrong ones must still be seen as such.
    let (small, whole) = (blocks(&deal, true).ok()?, blocks(&gather, false).ok()?);
    if small.shape != deal.stated_shape(0).ok()? || whole.shape != gather.stated_shape(0).ok()? {
        return None;
    }
    let (input, output) = (deal.input(0).ok()?, gather.output(0).ok()?);
    let alike = |a: TensorId, b: TensorId| {
        (net.tensors[a].element, &net.tensors[a].quantisation) == (net.tensors[b].element, &net.tensors[b].quantisation)
    };
    if small.block != whole.block || !alike(input, image) || !alike(output, result) {
        return None;
    }
    let (before, after) = (&net.tensors[input].shape, &net.tensors[output].shape);
    let (pads, crops) = (amounts(&deal)?, amounts(&gather)?);
    // What a sequence lacks: the height of one row.
    let (from, to, pads, crops) =
        match (&net.tensors[image].shape[..], &net.tensors[result].shape[..], &before[..], &after[..]) {
            (&[_, 1, _, depth], &[_, 1, _, outputs], &[batch, length, channels], &[_, results, features])
                if raised.is_some() && lowered.is_some() && (depth, outputs) == (channels, features) =>
            {
                let none = [0, 0];
                let (&[pad], &[crop]) = (&pads[..], &crops[..]) else { return None };
                (vec![batch, 1, length, channels], vec![batch, 1, results, features], [none, pad], [none, crop])
            }
            ([..], [..], [_, _, _, _], [_, _, _, _]) if raised.is_none() && lowered.is_none() => {
                let (&[above, beside], &[cut_above, cut_beside]) = (&pads[..], &crops[..]) else { return None };
                (before.clone(), after.clone(), [above, beside], [cut_above, cut_beside])
            }
            _ => return None,
        };
    // What the crop takes away of the results is padding that is not needed.
    let needed = |pad: [usize; 2], crop: [usize; 2]| Some([pad[0].checked_sub(crop[0])?, pad[1].checked_sub(crop[1])?]);
    let [[top, bottom], [left, right]] = [needed(pads[0], crops[0])?, needed(pads[1], crops[1])?];
    let padding = match [top, bottom, left, right] {
        [0, 0, 0, 0] => Padding::Valid,
        _ => Padding::Explicit { top, bottom, left, right },
    };
    let dilation = [window.dilation[0].checked_mul(small.block[0])?, window.dilation[1].checked_mul(small.block[1])?];
    // Padding that a window sees beside input.
    let &[_, height, width, _] = &net.tensors[(*node.inputs.get(1)?)?].shape[..] else { return None };
    let extent = |taps: usize, dilation: usize| taps.checked_sub(1)?.checked_mul(dilation)?.checked_add(1);
    let (height, width) = (extent(height, dilation[0])?, extent(width, dilation[1])?);
    if top >= height || bottom >= height || left >= width || right >= width {
        return None;
    }
    Some(Group { dealt, put, raised, lowered, input, output, dilation, padding, from, to })
}

impl Group {
    fn fuse(&self, net: &mut Net, position: usize) {
        let (first, last) = (self.raised.unwrap_or(position), self.lowered.unwrap_or(position));
        net.nodes[first].inputs[0] = Some(self.input);
        if self.lowered.is_some() {
            let result = net.nodes[position].outputs[0];
            net.tensors[result].shape.clone_from(&self.to);
        }
        net.nodes[last].outputs[0] = self.output;
        if self.raised.is_some() {
            let image = net.nodes[first].outputs[0];
            net.tensors[image].shape.clone_from(&self.from);
        }
        let node = &mut net.nodes[position];
        if let Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. } = &mut node.operator {
            (window.dilation, window.padding) = (self.dilation, self.padding);
        }
        if let Some(lowered) = self.lowered {
            // Its operand spoke of the small images; the stated shape stands.
            let node = &mut net.nodes[lowered];
            node.operator = Operator::Reshape;
            node.inputs.truncate(1);
        }
        if let Some(raised) = self.raised {
            let node = &mut net.nodes[raised];
            node.operator = Operator::Reshape;
            node.inputs.truncate(1);
        }
    }
}

//! Fuses padding into the convolution behind it: the kernels pad by themselves, and the padded image needs no memory.

use super::uses::Uses;
use crate::net::{Net, Operator, Padding, TensorId, View, check_shapes, pad_amounts};

/// Fuses each pad of rows and columns into the convolution without padding that is its only reader.
pub(super) fn apply(net: &mut Net) {
    let uses = Uses::of(net);
    for position in 0..net.nodes.len() {
        if let Some((input, padding)) = padding_before(net, &uses, position) {
            let node = &mut net.nodes[position];
            node.inputs[0] = Some(input);
            if let Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. } = &mut node.operator {
                window.padding = padding;
            }
        }
    }
}

/// The input and the amounts of a pad that can be fused into the node at `position`.
fn padding_before(net: &Net, uses: &Uses, position: usize) -> Option<(TensorId, Padding)> {
    let node = &net.nodes[position];
    let (Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. }) = &node.operator else {
        return None;
    };
    let padded = (*node.inputs.first()?)?;
    if window.padding != Padding::Valid || uses.readers[padded] != 1 {
        return None;
    }
    let pad = &net.nodes[uses.writers[padded]?];
    let view = View { net, node: pad };
    // A wrong pad must still be seen as such, and one with a value of its own is not padding of a convolution.
    if pad.operator != Operator::Pad || pad.inputs.len() != 2 || check_shapes(&view).is_err() {
        return None;
    }
    let input = view.input(0).ok()?;
    let (from, to) = (&net.tensors[input], &net.tensors[padded]);
    if (from.element, &from.quantisation) != (to.element, &to.quantisation) {
        return None;
    }
    let &[(0, 0), (top, bottom), (left, right), (0, 0)] = &pad_amounts(&view).ok()?[..] else { return None };
    // Only padding that a window can see beside input: more than that is for the pad itself.
    let &[_, height, width, _] = &net.tensors[(*node.inputs.get(1)?)?].shape[..] else { return None };
    let extent = |taps: usize, dilation: usize| (taps - 1).checked_mul(dilation)?.checked_add(1);
    let (height, width) = (extent(height, window.dilation[0])?, extent(width, window.dilation[1])?);
    (top < height && bottom < height && left < width && right < width)
        .then_some((input, Padding::Explicit { top, bottom, left, right }))
}

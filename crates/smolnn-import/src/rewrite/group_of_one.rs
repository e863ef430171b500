//! Makes depthwise convolutions of convolutions whose groups have one input channel: those have faster kernels.

use crate::net::{Constant, Net, Operator, Tensor};

/// Rewrites each convolution in groups of one channel whose weights are constant.
pub(super) fn apply(net: &mut Net) {
    for position in 0..net.nodes.len() {
        let Some(weights) = depthwise_weights(net, position) else { continue };
        net.tensors.push(weights);
        let id = net.tensors.len() - 1;
        let node = &mut net.nodes[position];
        if let Operator::Conv2d { window, activation, .. } = node.operator {
            node.operator = Operator::DepthwiseConv2d { window, activation };
            node.inputs[1] = Some(id);
        }
    }
}

/// The weights of the depthwise convolution that the node at `position` is, if it is one: with the output channels innermost instead of outermost.
fn depthwise_weights(net: &Net, position: usize) -> Option<Tensor> {
    let node = &net.nodes[position];
    let Operator::Conv2d { narrow_sums, .. } = node.operator else { return None };
    let tensor = |index: usize| Some(&net.tensors[(*node.inputs.get(index)?)?]);
    let (image, weights) = (tensor(0)?, tensor(1)?);
    let (&[_, _, _, channels], &[outputs, height, width, 1]) = (&image.shape[..], &weights.shape[..]) else {
        return None;
    };
    // A depthwise convolution has no option for the width of its sums.
    if channels == 1 || outputs % channels != 0 || narrow_sums && tensor(2).is_none() {
        return None;
    }
    let size = match weights.element.bits() {
        bits if bits.is_multiple_of(8) => bits / 8,
        _ => return None,
    };
    let bytes = weights.data.as_ref()?.bytes();
    let taps = height * width;
    let moved = (0..taps)
        .flat_map(|tap| (0..outputs).map(move |output| (output * taps + tap) * size))
        .flat_map(|at| bytes[at..at + size].iter().copied())
        .collect();
    let quantisation = weights.quantisation.clone().map(|of| crate::net::Quantisation { dimension: 3, ..of });
    Some(Tensor {
        shape: vec![1, height, width, outputs],
        quantisation,
        data: Some(Constant::new(moved)),
        ..weights.clone()
    })
}

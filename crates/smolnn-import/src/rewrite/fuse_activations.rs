//! Puts activations of real numbers into the operator before them.

use super::uses::Uses;
use crate::net::{Activation, BinaryKind, Element, Net, Operator, TensorId, UnaryKind};

/// Fuses each clamp that an operator can apply itself, with real numbers and with integers, into that operator, where nothing else reads its output.
/// A node that is not needed any more becomes a reshape that changes no shape.
pub(crate) fn fuse_activations(net: &mut Net) {
    let uses = Uses::of(net);
    for position in 0..net.nodes.len() {
        let node = &net.nodes[position];
        let kind = match node.operator {
            Operator::Unary(UnaryKind::Relu) => Activation::Relu,
            Operator::Unary(UnaryKind::Relu6) => Activation::Relu6,
            Operator::Unary(UnaryKind::ReluN1To1) => Activation::ReluN1To1,
            Operator::Unary(UnaryKind::Clamp { low: 0.0, high: f32::INFINITY }) => Activation::Relu,
            Operator::Unary(UnaryKind::Clamp { low: 0.0, high: 6.0 }) => Activation::Relu6,
            Operator::Unary(UnaryKind::Clamp { low: -1.0, high: 1.0 }) => Activation::ReluN1To1,
            _ => continue,
        };
        let &[Some(input)] = &node.inputs[..] else { continue };
        if net.tensors[input].element != Element::F32 {
            continue;
        }
        let Some(writer) = writer(net, &uses, input) else { continue };
        let Some(activation) = activation_of(&mut net.nodes[writer].operator) else { continue };
        if *activation == Activation::None {
            *activation = kind;
            net.nodes[position].operator = Operator::Reshape;
        }
    }
}

/// The activation that an operator applies to its results, where its kernels of both real numbers and integers do.
pub(super) fn activation_of(operator: &mut Operator) -> Option<&mut Activation> {
    match operator {
        Operator::Conv2d { activation, .. }
        | Operator::DepthwiseConv2d { activation, .. }
        | Operator::TransposeConv2d { activation, .. }
        | Operator::Dense { activation, .. }
        | Operator::Pool2d { activation, .. }
        | Operator::Binary(BinaryKind::Add | BinaryKind::Subtract | BinaryKind::Multiply, activation) => {
            Some(activation)
        }
        _ => None,
    }
}

/// The operator that writes a tensor which nothing else reads, through reshapes and transposes: its position.
fn writer(net: &Net, uses: &Uses, mut id: TensorId) -> Option<usize> {
    loop {
        let position = uses.writers[id].filter(|_| uses.readers[id] == 1)?;
        let node = &net.nodes[position];
        match node.operator {
            Operator::Reshape | Operator::ExpandDims | Operator::Transpose => id = node.inputs[0]?,
            _ => return Some(position),
        }
    }
}

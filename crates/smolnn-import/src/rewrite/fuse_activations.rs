//! Puts activations of real numbers into the operator before them.

use super::uses::Uses;
use crate::net::{Activation, Element, Net, Operator, TensorId, UnaryKind};

/// Fuses each clamp that an operator can apply itself into that operator, where nothing else reads its output.
pub(super) fn apply(net: &mut Net) {
    let uses = Uses::of(net);
    for position in 0..net.nodes.len() {
        let node = &net.nodes[position];
        let kind = match node.operator {
            Operator::Unary(UnaryKind::Relu) => Activation::Relu,
            Operator::Unary(UnaryKind::Relu6) => Activation::Relu6,
            Operator::Unary(UnaryKind::ReluN1To1) => Activation::ReluN1To1,
            _ => continue,
        };
        let &[Some(input)] = &node.inputs[..] else { continue };
        if net.tensors[input].element != Element::F32 {
            continue;
        }
        let Some(writer) = writer(net, &uses, input) else { continue };
        let (Operator::Conv2d { activation, .. }
        | Operator::DepthwiseConv2d { activation, .. }
        | Operator::TransposeConv2d { activation, .. }
        | Operator::Dense { activation, .. }
        | Operator::Binary(_, activation)) = &mut net.nodes[writer].operator
        else {
            continue;
        };
        if *activation == Activation::None {
            *activation = kind;
            net.nodes[position].operator = Operator::Reshape;
        }
    }
}

/// The operator that writes a tensor which nothing else reads, through reshapes and transposes: its position, where it takes an activation.
fn writer(net: &Net, uses: &Uses, input: TensorId) -> Option<usize> {
    use crate::net::BinaryKind::{FloorDivide, FloorModulo, LogicalAnd, LogicalOr, Power};
    let mut id = input;
    loop {
        if uses.readers[id] != 1 {
            return None;
        }
        let position = uses.writers[id]?;
        let node = &net.nodes[position];
        match node.operator {
            Operator::Reshape | Operator::ExpandDims | Operator::Transpose => id = node.inputs[0]?,
            // These functions have no activation of their own.
            Operator::Binary(FloorDivide | FloorModulo | Power | LogicalAnd | LogicalOr, _) => return None,
            _ => return Some(position),
        }
    }
}

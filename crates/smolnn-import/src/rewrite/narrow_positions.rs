//! Makes positions of ARG_MAX and ARG_MIN int32 where a file has them as int64: they fit, and tensors of int64 have no place in words of 32 bits.

use crate::net::{Element, Net, Operator};

/// Narrows positions that only the model's outputs and CAST read, which take either type.
pub(super) fn apply(net: &mut Net) {
    let mut demands_type = vec![false; net.tensors.len()];
    for node in net.nodes.iter().filter(|node| !matches!(node.operator, Operator::Cast)) {
        node.inputs.iter().flatten().for_each(|&input| demands_type[input] = true);
    }
    for node in net.nodes.iter().filter(|node| matches!(node.operator, Operator::ArgExtreme { .. })) {
        for &output in &node.outputs {
            let tensor = &mut net.tensors[output];
            if tensor.element == Element::I64 && !demands_type[output] {
                tensor.element = Element::I32;
            }
        }
    }
}

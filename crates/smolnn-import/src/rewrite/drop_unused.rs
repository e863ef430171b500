//! Drops nodes whose results nobody reads.

use crate::net::{Net, members};

/// Keeps the nodes that an output of the model depends on. A node without outputs is there for a side effect: it stays, to be refused by name.
pub(super) fn apply(net: &mut Net) {
    let mut needed = members(&net.outputs, net.tensors.len());
    let mut kept = Vec::with_capacity(net.nodes.len());
    for node in net.nodes.drain(..).rev() {
        if node.outputs.is_empty() || node.outputs.iter().any(|&output| needed[output]) {
            node.inputs.iter().flatten().for_each(|&input| needed[input] = true);
            kept.push(node);
        }
    }
    kept.reverse();
    net.nodes = kept;
}

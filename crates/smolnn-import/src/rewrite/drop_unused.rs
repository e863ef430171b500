//! Drops nodes whose results nobody reads.

use std::collections::HashSet;

use crate::net::Net;

/// Keeps the nodes that an output of the model depends on. A node without outputs is there for a side effect: it stays, to be refused by name.
pub(super) fn apply(net: &mut Net) {
    let mut needed: HashSet<_> = net.outputs.iter().copied().collect();
    let mut kept = Vec::with_capacity(net.nodes.len());
    for node in net.nodes.drain(..).rev() {
        if node.outputs.is_empty() || node.outputs.iter().any(|output| needed.contains(output)) {
            needed.extend(node.inputs.iter().flatten());
            kept.push(node);
        }
    }
    kept.reverse();
    net.nodes = kept;
}

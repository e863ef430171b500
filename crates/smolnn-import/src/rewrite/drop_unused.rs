//! Drops nodes whose results nobody reads.

use crate::net::{Net, Node, Operator, members};

/// Keeps the nodes that an output of the model depends on, now or in a later run: a variable is assigned if such a node reads it. Another node without outputs is
/// there for a side effect: it stays, to be refused by name.
pub(super) fn apply(net: &mut Net) {
    let is_assignment = |node: &Node| node.operator == Operator::AssignVariable;
    let mut read = vec![false; net.tensors.len()];
    let kept = loop {
        let mut needed = members(&net.outputs, net.tensors.len());
        let mut kept = vec![false; net.nodes.len()];
        for (node, kept) in net.nodes.iter().zip(&mut kept).rev() {
            let is_read = || node.inputs.first().copied().flatten().is_some_and(|variable| read[variable]);
            *kept = match is_assignment(node) {
                true => is_read(),
                false => node.outputs.is_empty() || node.outputs.iter().any(|&output| needed[output]),
            };
            if *kept {
                node.inputs.iter().flatten().for_each(|&input| needed[input] = true);
            }
        }
        // What an assignment needs may read other variables.
        let readers = net.nodes.iter().zip(&kept).filter(|&(node, &kept)| kept && !is_assignment(node));
        let mut now = members(&net.outputs, net.tensors.len());
        readers.flat_map(|(node, _)| node.inputs.iter().flatten()).for_each(|&input| now[input] = true);
        if now == read {
            break kept;
        }
        read = now;
    };
    let mut kept = kept.into_iter();
    net.nodes.retain(|_| kept.next() == Some(true));
}

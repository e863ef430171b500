//! Drops reshapes that change no shape: what other passes leave of nodes that they fold.

use super::uses::Uses;
use crate::net::{Net, Operator};

/// Gives the readers of such a reshape its input. Where its output is one of the model's, the node that writes the input writes the output instead, if
/// nothing else reads that input; else the reshape stays.
pub(crate) fn drop_renames(net: &mut Net) {
    let mut uses = Uses::of(net);
    let mut stands_for: Vec<usize> = (0..net.tensors.len()).collect();
    let mut kept = Vec::with_capacity(net.nodes.len());
    for mut node in std::mem::take(&mut net.nodes) {
        node.inputs.iter_mut().flatten().for_each(|id| *id = stands_for[*id]);
        let rename = match (&node.operator, &node.inputs[..], &node.outputs[..]) {
            (Operator::Reshape, &[Some(input), ..], &[output]) => Some((input, output)),
            _ => None,
        };
        let like = |&(input, output): &(usize, usize)| {
            let (from, to) = (&net.tensors[input], &net.tensors[output]);
            (from.element, &from.shape, &from.quantisation) == (to.element, &to.shape, &to.quantisation)
                && to.open.is_empty()
                && !from.variable
        };
        let Some((input, output)) = rename.filter(like) else {
            if let &[output] = &node.outputs[..] {
                uses.writers[output] = Some(kept.len());
            }
            kept.push(node);
            continue;
        };
        if !net.outputs.contains(&output) {
            stands_for[output] = input;
            uses.readers[input] = uses.readers[input] + uses.readers[output] - 1;
            continue;
        }
        match uses.writers[input].filter(|_| uses.readers[input] == 1) {
            Some(writer) => {
                kept[writer].outputs = vec![output];
                uses.writers[output] = Some(writer);
            }
            None => {
                uses.writers[output] = Some(kept.len());
                kept.push(node);
            }
        }
    }
    net.nodes = kept;
}

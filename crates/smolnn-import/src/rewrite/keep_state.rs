//! Makes a variable of an input and an output: what a call gives at the output, the next call takes at the input.

use crate::net::{Net, Node, Operator, Tensor, TensorId};

/// Replaces the input `from`, which must have type and shape of the output `to`, by a variable that starts from real 0.
pub(crate) fn keep_state(net: &mut Net, from: TensorId, to: TensorId) {
    let variable = net.tensors.len();
    let of_input = &net.tensors[from];
    net.tensors.push(Tensor { name: format!("state {}", of_input.name), variable: true, ..of_input.clone() });
    let last = net.nodes.last().map_or(0, |node| node.index);
    let node = |index: usize, name: &str, operator: Operator, inputs: &[TensorId], outputs: &[TensorId]| Node {
        index,
        name: name.into(),
        operator,
        inputs: inputs.iter().copied().map(Some).collect(),
        outputs: outputs.to_vec(),
    };
    net.nodes.insert(0, node(0, "READ_VARIABLE", Operator::ReadVariable, &[variable], &[from]));
    net.nodes.push(node(last, "ASSIGN_VARIABLE", Operator::AssignVariable, &[variable, to], &[]));
    net.inputs.retain(|&id| id != from);
    net.outputs.retain(|&id| id != to);
}

//! The net itself: tensors, nodes in an order in which they can run, inputs, outputs.

use super::operator::Operator;
use super::tensor::{Element, Tensor, TensorId};
use crate::error::{Error, Result};

/// A node: an operator with its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its index in the file.
    pub index: usize,
    /// The operator's name in the format of the file, for messages.
    pub name: String,
    /// What it computes.
    pub operator: Operator,
    /// Its inputs; `None` where an optional input is left out.
    pub inputs: Vec<Option<TensorId>>,
    /// Its outputs.
    pub outputs: Vec<TensorId>,
}

/// For each of `count` tensors whether it is one of these.
pub(crate) fn members(ids: &[TensorId], count: usize) -> Vec<bool> {
    let mut members = vec![false; count];
    ids.iter().for_each(|&id| members[id] = true);
    members
}

/// A model: tensors, nodes in an order in which they can run, inputs, outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Net {
    /// All tensors: those of the file at its indices, then what compiling added.
    pub tensors: Vec<Tensor>,
    /// The nodes, in order.
    pub nodes: Vec<Node>,
    /// The model's inputs.
    pub inputs: Vec<TensorId>,
    /// The model's outputs.
    pub outputs: Vec<TensorId>,
    /// What a pass took out.
    pub removed: RemovedChannels,
}

/// Channels that were taken out of a net because they cannot change, or because nothing needs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct RemovedChannels {
    /// Output channels of layers that went.
    pub channels: usize,
    /// Of so many that the layers concerned had.
    pub of: usize,
    /// Bytes of weights and biases that went.
    pub bytes: usize,
}

/// Most nodes of a net in which the writer of a tensor is looked for.
const MOST_SEARCHED: usize = 2000;

impl Net {
    /// The node on which the values of a computed integer tensor depend, and which depends on no other such: the reason why they are no constant.
    pub(crate) fn cause(&self, id: TensorId) -> Option<&Node> {
        let nodes = (self.nodes.len() <= MOST_SEARCHED).then_some(&self.nodes)?;
        let writer = |id: TensorId| nodes.iter().find(|node| node.outputs.contains(&id));
        let computed = |id: &TensorId| {
            let tensor = &self.tensors[*id];
            tensor.data.is_none() && matches!(tensor.element, Element::I32 | Element::I64 | Element::Bool)
        };
        let mut cause = writer(id)?;
        // Every step goes to an earlier node, since the flow was checked.
        while let Some(earlier) = cause.inputs.iter().flatten().copied().filter(computed).find_map(writer) {
            cause = earlier;
        }
        Some(cause)
    }

    /// Checks that every tensor is written at most once, and before it is read; inputs and constants are not written at all.
    pub(crate) fn check_flow(&self) -> Result<()> {
        let mut known = members(&self.inputs, self.tensors.len());
        if known.iter().filter(|&&known| known).count() != self.inputs.len() {
            return Err(Error::Malformed("a tensor is listed twice among the inputs".into()));
        }
        if self.outputs.is_empty() {
            return Err(Error::Malformed("the model has no outputs".into()));
        }
        let name = |tensor: TensorId| format!("tensor {tensor} \"{}\"", self.tensors[tensor].name.escape_debug());
        if let Some(&input) = self.inputs.iter().find(|&&input| self.tensors[input].data.is_some()) {
            return Err(Error::Malformed(format!("{} is an input, yet it has constant data", name(input))));
        }
        for (known, tensor) in known.iter_mut().zip(&self.tensors) {
            *known |= tensor.data.is_some() || tensor.variable;
        }
        for node in &self.nodes {
            let who = || format!("operator {} {}", node.index, node.name);
            if let Some(&input) = node.inputs.iter().flatten().find(|&&input| !known[input]) {
                let text = format!("{} reads {} before any operator writes it", who(), name(input));
                return Err(Error::Malformed(text));
            }
            for &output in &node.outputs {
                if std::mem::replace(&mut known[output], true) {
                    let text =
                        format!("{} writes {}, which is an input, a constant or written already", who(), name(output));
                    return Err(Error::Malformed(text));
                }
            }
        }
        match self.outputs.iter().find(|&&output| !known[output]) {
            Some(&output) => Err(Error::Malformed(format!("no operator writes the output {}", name(output)))),
            None => Ok(()),
        }
    }
}

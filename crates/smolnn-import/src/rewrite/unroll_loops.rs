//! Unrolls loops: the nodes of each round follow those of the round before.
//!
//! Keras writes an LSTM or a GRU as a loop over its time steps, with counters that start from constants. Where the condition is a constant in every round,
//! the number of rounds is known, and the loop is no more than its nodes that many times. Weights are shared by all rounds. A sequence of outputs is put together
//! step by step from what lies before the step, its output and what lies behind; the parts without elements are left out.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::fold_constants::{self, MOST};
use crate::net::{Net, Node, Operator, TensorId};

/// Most nodes that are put in place of loops, those included that are constant: a file must not make us compute much.
const MOST_NODES: usize = 1 << 15;

/// Unrolls each loop whose rounds can be counted. Others stay, to be refused by name.
pub(super) fn apply(net: &mut Net) {
    let mut unrolling = Unrolling { nodes_left: MOST_NODES, elements_left: MOST };
    // What a loop's outputs are.
    let mut results: HashMap<TensorId, TensorId> = HashMap::new();
    for mut node in mem::take(&mut net.nodes) {
        for input in node.inputs.iter_mut().flatten() {
            *input = *results.get(input).unwrap_or(input);
        }
        if let Operator::Loop { condition, body } = &node.operator {
            let (tensors, nodes) = (net.tensors.len(), net.nodes.len());
            if let Some(values) = unrolling.unroll(net, &node.inputs, [condition, body]) {
                results.extend(node.outputs.iter().copied().zip(values));
                continue;
            }
            net.tensors.truncate(tensors);
            net.nodes.truncate(nodes);
        }
        net.nodes.push(node);
    }
    for output in &mut net.outputs {
        *output = *results.get(output).unwrap_or(output);
    }
}

/// What may still be put in place of loops.
struct Unrolling {
    nodes_left: usize,
    elements_left: usize,
}

impl Unrolling {
    /// Adds the nodes of all rounds to the net, and gives the last values; `None` where a condition is no constant or shapes change.
    fn unroll(
        &mut self,
        net: &mut Net,
        values: &[Option<TensorId>],
        [condition, body]: [&Arc<Net>; 2],
    ) -> Option<Vec<TensorId>> {
        let mut values = values.iter().copied().collect::<Option<Vec<_>>>()?;
        let mut constants = [HashMap::new(), HashMap::new()];
        loop {
            let &[holds] = &self.place(net, condition, &values, &mut constants[0])?[..] else { return None };
            let &[holds] = &net.tensors[holds].integers()?[..] else { return None };
            if holds == 0 {
                return Some(values);
            }
            values = self.place(net, body, &values, &mut constants[1])?;
        }
    }

    /// Adds the nodes of a part of a loop to the net, without those that are constant, and gives its outputs. Constants of the part are added once.
    fn place(
        &mut self,
        net: &mut Net,
        part: &Net,
        values: &[TensorId],
        constants: &mut HashMap<TensorId, TensorId>,
    ) -> Option<Vec<TensorId>> {
        let alike = |(&own, &value): (&TensorId, &TensorId)| {
            let (own, value) = (&part.tensors[own], &net.tensors[value]);
            (own.element, &own.shape) == (value.element, &value.shape)
        };
        if part.inputs.len() != values.len() || !part.inputs.iter().zip(values).all(alike) {
            return None;
        }
        let mut placed: HashMap<TensorId, TensorId> = part.inputs.iter().copied().zip(values.iter().copied()).collect();
        let mut find = |net: &mut Net, placed: &HashMap<TensorId, TensorId>, own: TensorId| {
            let known = placed.get(&own).or_else(|| constants.get(&own)).copied();
            known.or_else(|| {
                let tensor = part.tensors[own].data.is_some().then(|| part.tensors[own].clone())?;
                net.tensors.push(tensor);
                constants.insert(own, net.tensors.len() - 1);
                Some(net.tensors.len() - 1)
            })
        };
        // A round counts even when nothing is left of it.
        self.nodes_left = self.nodes_left.checked_sub(1 + part.nodes.len())?;
        // Parts of a sequence without elements, which tensors of a net cannot be: what lies before the first step, and behind the last one.
        let mut empty: HashSet<TensorId> = HashSet::new();
        for node in &part.nodes {
            let joins = matches!(node.operator, Operator::Concatenate { .. });
            let inputs = node.inputs.iter().filter(|input| !joins || input.is_none_or(|own| !empty.contains(&own)));
            let inputs = inputs.map(|input| match input {
                Some(own) => find(net, &placed, *own).map(Some),
                None => Some(None),
            });
            let inputs = inputs.collect::<Option<Vec<_>>>()?;
            if matches!(node.operator, Operator::Slice) && takes_nothing(net, &inputs) {
                empty.extend(&node.outputs);
                continue;
            }
            if let Operator::Loop { condition, body } = &node.operator {
                let values = self.unroll(net, &inputs, [condition, body])?;
                placed.extend(node.outputs.iter().copied().zip(values));
                continue;
            }
            let first = net.tensors.len();
            net.tensors.extend(node.outputs.iter().map(|&own| part.tensors[own].clone()));
            let outputs: Vec<TensorId> = (first..net.tensors.len()).collect();
            placed.extend(node.outputs.iter().copied().zip(outputs.iter().copied()));
            net.nodes.push(Node { inputs, outputs, ..node.clone() });
            if fold_constants::fold(net, net.nodes.len() - 1, &mut self.elements_left) {
                net.nodes.pop();
            }
        }
        part.outputs.iter().map(|&own| find(net, &placed, own)).collect()
    }
}

/// Whether a slice by constants has no elements: values, begin, size.
fn takes_nothing(net: &Net, inputs: &[Option<TensorId>]) -> bool {
    let &[Some(values), Some(begin), Some(size)] = inputs else { return false };
    let (Some(begins), Some(sizes)) = (net.tensors[begin].integers(), net.tensors[size].integers()) else {
        return false;
    };
    let axes = net.tensors[values].shape.iter().zip(begins).zip(sizes);
    axes.into_iter().any(|((&length, begin), size)| size == 0 || size == -1 && begin == length as i64)
}

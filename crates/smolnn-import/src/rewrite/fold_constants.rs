//! Computes what is constant before the model runs.
//!
//! TensorFlow's converter surrounds a Flatten or Reshape of a model with a free batch dimension by SHAPE, STRIDED_SLICE and PACK. Since every
//! shape is known, these become constants. Lengths that the file leaves open, since they follow the batch, are found on the way: shapes depend on
//! constants, and constants on shapes.

use crate::net::{Inferred, Net, View, evaluate, infer, members};

/// Most elements that are computed in all: a file must not make us compute much.
pub(super) const MOST: usize = 1 << 24;

/// Gives every tensor its values that depends on constants alone. Outputs of the model stay computed: they are written when it runs.
pub(super) fn apply(net: &mut Net) {
    let outputs = members(&net.outputs, net.tensors.len());
    let mut left = MOST;
    for position in 0..net.nodes.len() {
        if net.nodes[position].outputs.iter().any(|&id| outputs[id]) {
            close(net, position);
        } else {
            fold(net, position, &mut left);
        }
    }
    // What is constant now is written by no node.
    net.nodes.retain(|node| node.outputs.is_empty() || node.outputs.iter().any(|&id| net.tensors[id].data.is_none()));
}

/// Gives the outputs of a node their values where it depends on constants alone, of which `left` elements may be computed. Tells whether it does.
pub(super) fn fold(net: &mut Net, position: usize, left: &mut usize) -> bool {
    close(net, position);
    let node = &net.nodes[position];
    if node.outputs.is_empty() {
        return false;
    }
    let Some(values) = evaluate(&View { net, node }, *left) else { return false };
    let ids = node.outputs.clone();
    debug_assert_eq!(ids.len(), values.len(), "one constant per output");
    for (id, constant) in ids.into_iter().zip(values) {
        debug_assert_eq!(constant.bytes().len(), net.tensors[id].bytes(), "as many bytes as the tensor has");
        *left = left.saturating_sub(net.tensors[id].len());
        net.tensors[id].data = Some(constant);
    }
    true
}

/// Gives open dimensions of a node's outputs the lengths that are inferred. Where nothing can be inferred they stay open, and lowering says why.
fn close(net: &mut Net, position: usize) {
    let node = &net.nodes[position];
    if node.outputs.iter().all(|&id| net.tensors[id].open.is_empty()) {
        return;
    }
    let Ok(inferred) = infer(&View { net, node }) else { return };
    for (id, Inferred { shape, .. }) in node.outputs.clone().into_iter().zip(inferred) {
        let tensor = &mut net.tensors[id];
        let fits = |axis: usize| tensor.open.contains(&axis) || tensor.shape[axis] == shape[axis];
        if tensor.shape.len() == shape.len() && (0..shape.len()).all(fits) {
            (tensor.shape, tensor.open) = (shape, Vec::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Constant, Element, Node, Operator, Tensor};

    fn tensor(element: Element, shape: Vec<usize>, open: Vec<usize>, data: Option<Vec<u8>>) -> Tensor {
        let data = data.map(Constant::new);
        Tensor { name: String::new(), element, shape, open, quantisation: None, data, variable: false, start: None }
    }

    /// The positions of constant truth values: as many as are true, whatever length the file holds their place with.
    #[test]
    fn positions_of_constants_are_constant() {
        let truths = tensor(Element::Bool, vec![2, 3], vec![], Some(vec![0, 1, 0, 0, 0, 1]));
        let positions = tensor(Element::I64, vec![1, 2], vec![0], None);
        let end = tensor(Element::I64, vec![4], vec![], None);
        let node = |operator, inputs: Vec<Option<usize>>, outputs| Node {
            index: 0,
            name: String::new(),
            operator,
            inputs,
            outputs,
        };
        let nodes =
            vec![node(Operator::Where, vec![Some(0)], vec![1]), node(Operator::Reshape, vec![Some(1)], vec![2])];
        let mut net = Net {
            tensors: vec![truths, positions, end],
            nodes,
            inputs: vec![],
            outputs: vec![2],
            removed: Default::default(),
        };
        apply(&mut net);
        assert_eq!((&net.tensors[1].shape[..], &net.tensors[1].open[..]), (&[2, 2][..], &[][..]));
        assert_eq!(net.tensors[1].integers(), Some(vec![0, 1, 1, 2]));
        assert_eq!(net.nodes.len(), 1, "the reshape writes an output of the model and stays");
    }
}

//! Computes what is constant before the model runs.
//!
//! TensorFlow's converter surrounds a Flatten or Reshape of a model with a free batch dimension by SHAPE, STRIDED_SLICE and PACK. Since every
//! shape is known, these become constants.

use crate::net::{Constant, Element, LONGEST, Net, View, evaluate, members};

/// Gives every integer tensor its values that depends on constants alone. Outputs of the model stay computed: they are written when it runs.
pub(super) fn apply(net: &mut Net) {
    let outputs = members(&net.outputs, net.tensors.len());
    for position in 0..net.nodes.len() {
        let node = &net.nodes[position];
        let foldable = |id: usize| {
            let tensor = &net.tensors[id];
            !outputs[id] && tensor.len() <= LONGEST && matches!(tensor.element, Element::I32 | Element::I64)
        };
        if node.outputs.is_empty() || !node.outputs.iter().all(|&id| foldable(id)) {
            continue;
        }
        let Some(values) = evaluate(&View { net, node }) else { continue };
        let ids = node.outputs.clone();
        let folded: Option<Vec<Constant>> = ids
            .iter()
            .zip(&values)
            .map(|(&id, values)| {
                let tensor = &net.tensors[id];
                (tensor.len() == values.len()).then(|| constant(values, tensor.element)).flatten()
            })
            .collect();
        if let Some(folded) = folded.filter(|folded| folded.len() == ids.len()) {
            for (id, constant) in ids.into_iter().zip(folded) {
                net.tensors[id].data = Some(constant);
            }
        }
    }
    // What is constant now is written by no node.
    net.nodes.retain(|node| node.outputs.is_empty() || node.outputs.iter().any(|&id| net.tensors[id].data.is_none()));
}

/// The values as a constant; `None` where one does not fit the type.
fn constant(values: &[i64], element: Element) -> Option<Constant> {
    let bytes = match element {
        Element::I32 => {
            let narrow = values.iter().map(|&value| i32::try_from(value).ok()).collect::<Option<Vec<_>>>()?;
            narrow.into_iter().flat_map(i32::to_le_bytes).collect()
        }
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    Some(Constant::new(bytes))
}

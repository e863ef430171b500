//! Puts factors and offsets behind a layer of real numbers into its weights and biases: what is left of a batch normalisation.

use super::uses::Uses;
use crate::net::{Activation, BinaryKind, Constant, Element, Net, Operator, Tensor, TensorId};

/// Folds products, sums, differences and quotients with constants into the layer before them, as long as there are such.
pub(super) fn apply(net: &mut Net) {
    let mut uses = Uses::of(net);
    for position in 0..net.nodes.len() {
        if fold(net, &uses, position).is_some() {
            uses = Uses::of(net);
        }
    }
}

fn constant(net: &mut Net, like: TensorId, shape: Vec<usize>, values: &[f64]) -> TensorId {
    let data = Constant::new(values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect());
    let tensor =
        Tensor { shape, data: Some(data), element: Element::F32, quantisation: None, ..net.tensors[like].clone() };
    net.tensors.push(tensor);
    net.tensors.len() - 1
}

/// The layer that writes a tensor, through reshapes that nothing else reads: its position.
fn layer(net: &Net, uses: &Uses, id: TensorId) -> Option<usize> {
    let mut id = id;
    loop {
        if uses.readers[id] != 1 {
            return None;
        }
        let position = uses.writers[id]?;
        let node = &net.nodes[position];
        match node.operator {
            Operator::Reshape => {
                let input = node.inputs[0]?;
                // The last dimension stays the channels.
                if net.tensors[input].shape.last() != net.tensors[id].shape.last() {
                    return None;
                }
                id = input;
            }
            _ => return Some(position),
        }
    }
}

fn fold(net: &mut Net, uses: &Uses, position: usize) -> Option<()> {
    let node = &net.nodes[position];
    let Operator::Binary(kind, activation) = node.operator else { return None };
    let (&[Some(left), Some(right)], &[output]) = (&node.inputs[..], &node.outputs[..]) else { return None };
    let (input, by, exchanged) = match (net.tensors[left].reals(), net.tensors[right].reals()) {
        (None, Some(by)) => (left, by, false),
        (Some(by), None) => (right, by, true),
        _ => return None,
    };
    let operand = if exchanged { left } else { right };
    let last = *net.tensors[output].shape.last()?;
    let per_channel = net.tensors[operand].shape.last().is_none_or(|&length| length == by.len());
    if !(by.len() == 1 || by.len() == last && per_channel) || net.tensors[input].shape != net.tensors[output].shape {
        return None;
    }
    let position_of_layer = layer(net, uses, input)?;
    let layer = &net.nodes[position_of_layer];
    // The dimension of the weights that counts the channels, and where weights and bias are.
    let (weights_at, along_last) = match layer.operator {
        Operator::Conv2d { activation: Activation::None, .. }
        | Operator::Dense { activation: Activation::None, .. } => (1, false),
        Operator::DepthwiseConv2d { activation: Activation::None, .. } => (1, true),
        Operator::TransposeConv2d { activation: Activation::None, .. } => (1, false),
        _ => return None,
    };
    let bias_at = if matches!(layer.operator, Operator::TransposeConv2d { .. }) { 3 } else { 2 };
    let weights_id = layer.inputs.get(weights_at).copied().flatten()?;
    let weights = net.tensors[weights_id].reals()?;
    let channels = *net.tensors[*layer.outputs.first()?].shape.last()?;
    let bias = match layer.inputs.get(bias_at).copied().flatten() {
        Some(id) => net.tensors[id].reals()?,
        None => vec![0.0; channels],
    };
    if bias.len() != channels || channels != last || channels == 0 {
        return None;
    }
    let by = |channel: usize| f64::from(if by.len() == 1 { by[0] } else { by[channel] });
    // output = factor · layer + offset
    let of = |channel: usize| match (kind, exchanged) {
        (BinaryKind::Multiply, _) => Some((by(channel), 0.0)),
        (BinaryKind::Divide, false) => Some((1.0 / by(channel), 0.0)),
        (BinaryKind::Add, _) => Some((1.0, by(channel))),
        (BinaryKind::Subtract, false) => Some((1.0, -by(channel))),
        (BinaryKind::Subtract, true) => Some((-1.0, by(channel))),
        _ => None,
    };
    let affine = (0..channels).map(of).collect::<Option<Vec<_>>>()?;
    if affine.iter().any(|(factor, offset)| !factor.is_finite() || !offset.is_finite()) {
        return None;
    }
    let run = if along_last { 1 } else { weights.len() / channels };
    let weights: Vec<f64> =
        weights.iter().enumerate().map(|(index, &value)| f64::from(value) * affine[index / run % channels].0).collect();
    let bias: Vec<f64> =
        bias.iter().zip(&affine).map(|(&value, (factor, offset))| f64::from(value) * factor + offset).collect();
    let shape = net.tensors[weights_id].shape.clone();
    let weights = constant(net, weights_id, shape, &weights);
    let bias = constant(net, weights_id, vec![channels], &bias);
    let node = &mut net.nodes[position_of_layer];
    node.inputs[weights_at] = Some(weights);
    node.inputs.resize(node.inputs.len().max(bias_at + 1), None);
    node.inputs[bias_at] = Some(bias);
    if let Operator::Conv2d { activation: of, .. }
    | Operator::Dense { activation: of, .. }
    | Operator::DepthwiseConv2d { activation: of, .. }
    | Operator::TransposeConv2d { activation: of, .. } = &mut node.operator
    {
        *of = activation;
    }
    // What is computed already has only its name changed: the input under the output's.
    let node = &mut net.nodes[position];
    node.operator = Operator::Reshape;
    node.inputs = vec![Some(input)];
    Some(())
}

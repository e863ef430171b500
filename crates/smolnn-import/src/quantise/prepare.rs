//! Passes on the float net that make it easier to quantise and change nothing that it computes: operators that only scale and shift what a layer gives
//! become part of the layer, and activations are fused.

use super::convert::reals;
use super::layers::Axis;
use super::scheme::{Scheme, scheme};
use crate::net::{Activation, BinaryKind, Constant, Element, Net, Node, Operator, Tensor, TensorId, UnaryKind, View};
use crate::rewrite::Uses;

/// Runs all passes.
pub(crate) fn prepare(net: &mut Net) {
    split_sums(net);
    multiply_instead_of_dividing(net);
    while fold_scales(net) {}
    fuse_activations(net);
    debug_assert!(net.check_flow().is_ok(), "preparing breaks the flow of the net");
}

/// A constant of real numbers.
fn constant(name: String, shape: Vec<usize>, values: &[f32]) -> Tensor {
    let data = Some(Constant::new(values.iter().copied().flat_map(f32::to_le_bytes).collect()));
    Tensor {
        name,
        element: Element::F32,
        shape,
        open: Vec::new(),
        quantisation: None,
        data,
        variable: false,
        start: None,
    }
}

/// Adds a constant like another one, with other values.
fn add_like(net: &mut Net, like: TensorId, values: &[f32]) -> TensorId {
    let tensor = constant(net.tensors[like].name.clone(), net.tensors[like].shape.clone(), values);
    net.tensors.push(tensor);
    net.tensors.len() - 1
}

/// Turns the sum of several tensors into sums of two: each of them then has a range of its own.
fn split_sums(net: &mut Net) {
    let nodes = std::mem::take(&mut net.nodes);
    for node in nodes {
        let is_real = node.outputs.first().is_some_and(|&id| net.tensors[id].element == Element::F32);
        let (Operator::AddN, [Some(first), others @ ..], [output]) =
            (&node.operator, &node.inputs[..], &node.outputs[..])
        else {
            net.nodes.push(node);
            continue;
        };
        if !is_real || others.is_empty() || others.contains(&None) {
            net.nodes.push(node);
            continue;
        }
        let mut sum = *first;
        for (index, &next) in others.iter().enumerate() {
            let to = if index + 1 == others.len() {
                *output
            } else {
                net.tensors.push(net.tensors[*output].clone());
                net.tensors.len() - 1
            };
            let operator = Operator::Binary(BinaryKind::Add, Activation::None);
            net.nodes.push(Node { operator, inputs: vec![Some(sum), next], outputs: vec![to], ..node.clone() });
            sum = to;
        }
    }
}

/// Divisions by constants become products with their reciprocals, which have integer kernels of every type.
fn multiply_instead_of_dividing(net: &mut Net) {
    for position in 0..net.nodes.len() {
        let node = &net.nodes[position];
        let (Operator::Binary(BinaryKind::Divide, activation), &[_, Some(by)]) = (&node.operator, &node.inputs[..])
        else {
            continue;
        };
        let (divisor, activation) = (&net.tensors[by], *activation);
        if divisor.element != Element::F32 || divisor.data.is_none() {
            continue;
        }
        let reciprocals: Vec<f32> = reals(divisor).iter().map(|value| 1.0 / value).collect();
        if reciprocals.iter().all(|value| value.is_normal()) {
            let by = add_like(net, by, &reciprocals);
            net.nodes[position].operator = Operator::Binary(BinaryKind::Multiply, activation);
            net.nodes[position].inputs[1] = Some(by);
        }
    }
}

/// The activation that a node applies to its results, where its kernels of both real numbers and integers do.
fn activation_of(operator: &mut Operator) -> Option<&mut Activation> {
    match operator {
        Operator::Conv2d { activation, .. }
        | Operator::DepthwiseConv2d { activation, .. }
        | Operator::TransposeConv2d { activation, .. }
        | Operator::Dense { activation, .. }
        | Operator::Pool2d { activation, .. }
        | Operator::Binary(BinaryKind::Add | BinaryKind::Subtract | BinaryKind::Multiply, activation) => {
            Some(activation)
        }
        _ => None,
    }
}

/// The position of the node without activation that alone writes a tensor which only one node reads.
fn writer_of(net: &mut Net, uses: &Uses, id: TensorId) -> Option<usize> {
    let position = uses.writers[id].filter(|_| uses.readers[id] == 1)?;
    (*activation_of(&mut net.nodes[position].operator)? == Activation::None).then_some(position)
}

/// Fuses RELU, RELU6 and RELU_N1_TO_1 into what computes their operand.
fn fuse_activations(net: &mut Net) {
    let mut uses = Uses::of(net);
    let mut fused = vec![false; net.nodes.len()];
    for position in 0..net.nodes.len() {
        let activation = match net.nodes[position].operator {
            Operator::Unary(UnaryKind::Relu) => Activation::Relu,
            Operator::Unary(UnaryKind::Relu6) => Activation::Relu6,
            Operator::Unary(UnaryKind::ReluN1To1) => Activation::ReluN1To1,
            _ => continue,
        };
        let (&[Some(input)], &[output]) = (&net.nodes[position].inputs[..], &net.nodes[position].outputs[..]) else {
            continue;
        };
        if let Some(writer) = writer_of(net, &uses, input)
            && let Some(place) = activation_of(&mut net.nodes[writer].operator)
        {
            *place = activation;
            net.nodes[writer].outputs = vec![output];
            uses.writers[output] = Some(writer);
            fused[position] = true;
        }
    }
    let mut fused = fused.into_iter();
    net.nodes.retain(|_| !fused.next().unwrap_or(false));
}

/// Folds one product or sum with constants per channel into the layer before it, as batch normalisation leaves them. Tells whether there was one.
fn fold_scales(net: &mut Net) -> bool {
    let uses = Uses::of(net);
    for position in 0..net.nodes.len() {
        let Some((writer, change)) = scale_behind(net, &uses, position) else { continue };
        let Operator::Binary(_, activation) = net.nodes[position].operator else { continue };
        if apply(net, writer, &change).is_none() {
            continue;
        }
        let behind = net.nodes.remove(position);
        if let Some(place) = activation_of(&mut net.nodes[writer].operator) {
            *place = activation;
        }
        net.nodes[writer].outputs = behind.outputs;
        return true;
    }
    false
}

/// What is done to each channel of a layer's output.
enum Change {
    Scale(Vec<f32>),
    Shift(Vec<f32>),
    /// Subtracted from a constant.
    Mirror(Vec<f32>),
}

/// The layer before the node at `position` and what that node does to its channels, if it is a product or a sum with a constant per channel.
fn scale_behind(net: &mut Net, uses: &Uses, position: usize) -> Option<(usize, Change)> {
    let node = &net.nodes[position];
    let Operator::Binary(kind, _) = node.operator else { return None };
    let &[Some(left), Some(right)] = &node.inputs[..] else { return None };
    let is_constant = |id: TensorId| net.tensors[id].data.is_some() && net.tensors[id].element == Element::F32;
    let (computed, by, is_left) = match (is_constant(left), is_constant(right)) {
        (false, true) => (left, right, true),
        (true, false) => (right, left, false),
        _ => return None,
    };
    let output = *node.outputs.first()?;
    if net.tensors[output].shape != net.tensors[computed].shape {
        return None;
    }
    let channels = *net.tensors[computed].shape.last()?;
    let values = reals(&net.tensors[by]);
    let per_channel = match values[..] {
        [value] => vec![value; channels],
        _ if values.len() == channels && net.tensors[by].shape.last() == Some(&channels) => values,
        _ => return None,
    };
    let writer = writer_of(net, uses, computed)?;
    let change = match (kind, is_left) {
        (BinaryKind::Multiply, _) => Change::Scale(per_channel),
        (BinaryKind::Add, _) => Change::Shift(per_channel),
        (BinaryKind::Subtract, true) => Change::Shift(per_channel.iter().map(|value| -value).collect()),
        (BinaryKind::Subtract, false) => Change::Mirror(per_channel),
        _ => return None,
    };
    Some((writer, change))
}

/// Changes weights and bias of the layer at `position`; `None` where it is no layer with constant weights.
fn apply(net: &mut Net, position: usize, change: &Change) -> Option<()> {
    let node = &net.nodes[position];
    let Scheme::Layer(layer) = scheme(&View { net, node }) else { return None };
    let weights = (*node.inputs.get(layer.weights)?)?;
    let bias = node.inputs.get(layer.bias).copied().flatten();
    let channels = layer.axis.channels();
    let (Change::Scale(values) | Change::Shift(values) | Change::Mirror(values)) = change;
    if values.len() != channels || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut biases = bias.map_or_else(|| vec![0.0; channels], |id| reals(&net.tensors[id]));
    let factor = |channel: usize| match change {
        Change::Scale(values) => values[channel],
        Change::Shift(_) => 1.0,
        Change::Mirror(_) => -1.0,
    };
    for (channel, bias) in biases.iter_mut().enumerate() {
        *bias *= factor(channel);
        if let Change::Shift(values) | Change::Mirror(values) = change {
            *bias += values[channel];
        }
    }
    if !matches!(change, Change::Shift(_)) {
        let scaled = scaled_rows(&reals(&net.tensors[weights]), layer.axis, factor);
        net.nodes[position].inputs[layer.weights] = Some(add_like(net, weights, &scaled));
    }
    let name = bias.map_or_else(|| net.tensors[weights].name.clone(), |id| net.tensors[id].name.clone());
    net.tensors.push(constant(name, vec![channels], &biases));
    let inputs = &mut net.nodes[position].inputs;
    inputs.resize(inputs.len().max(layer.bias + 1), None);
    inputs[layer.bias] = Some(net.tensors.len() - 1);
    Some(())
}

/// Weights, those of each output channel times its factor.
pub(super) fn scaled_rows(weights: &[f32], axis: Axis, factor: impl Fn(usize) -> f32) -> Vec<f32> {
    let value = |(index, &weight): (usize, &f32)| weight * factor(axis.channel(index, weights.len()));
    weights.iter().enumerate().map(value).collect()
}

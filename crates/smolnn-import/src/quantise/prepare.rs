//! Passes on the float net that make it easier to quantise and change nothing that it computes: operators that only scale and shift what a layer gives
//! become part of the layer, and activations are fused.

use super::convert::reals;
use super::layers::Axis;
use super::scheme::{Scheme, scheme};
use crate::net::{
    Activation, BinaryKind, Constant, Element, Net, Node, Operator, Padding, Tensor, TensorId, UnaryKind, View,
};
use crate::rewrite::Uses;

/// Runs all passes.
pub(crate) fn prepare(net: &mut Net) {
    split_sums(net);
    multiply_instead(net);
    while fold_scales(net) {}
    while fold_scales_before(net) {}
    fuse_activations(net);
    debug_assert!(net.check_flow().is_ok(), "preparing breaks the flow of the net");
}

/// A constant of real numbers.
fn constant(name: String, shape: Vec<usize>, values: &[f32]) -> Tensor {
    let data = Some(Constant::new(values.iter().copied().flat_map(f32::to_le_bytes).collect()));
    Tensor::new(name, Element::F32, shape, data)
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

/// Divisions by constants, negations and squares become products, which have integer kernels of every type.
fn multiply_instead(net: &mut Net) {
    for position in 0..net.nodes.len() {
        let node = &net.nodes[position];
        let is_real = |id: TensorId| net.tensors[id].element == Element::F32;
        let (activation, inputs) = match (&node.operator, &node.inputs[..]) {
            (Operator::Binary(BinaryKind::Divide, activation), &[Some(of), Some(by)])
                if is_real(by) && net.tensors[by].data.is_some() =>
            {
                let reciprocals: Vec<f32> = reals(&net.tensors[by]).iter().map(|value| 1.0 / value).collect();
                if !reciprocals.iter().all(|value| value.is_normal()) {
                    continue;
                }
                (*activation, [of, add_like(net, by, &reciprocals)])
            }
            (Operator::Unary(UnaryKind::Negate), &[Some(of)]) if is_real(of) => {
                net.tensors.push(constant("minus one".into(), vec![1], &[-1.0]));
                (Activation::None, [of, net.tensors.len() - 1])
            }
            (Operator::Unary(UnaryKind::Square), &[Some(of)]) if is_real(of) => (Activation::None, [of, of]),
            _ => continue,
        };
        net.nodes[position].operator = Operator::Binary(BinaryKind::Multiply, activation);
        net.nodes[position].inputs = inputs.map(Some).to_vec();
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
            Operator::Unary(UnaryKind::Clamp { low: 0.0, high: f32::INFINITY }) => Activation::Relu,
            Operator::Unary(UnaryKind::Clamp { low: 0.0, high: 6.0 }) => Activation::Relu6,
            Operator::Unary(UnaryKind::Clamp { low: -1.0, high: 1.0 }) => Activation::ReluN1To1,
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

/// Folds one product or sum with constants per channel into the layer behind it, as networks have them that begin with a normalisation. Tells whether
/// there was one.
fn fold_scales_before(net: &mut Net) -> bool {
    let uses = Uses::of(net);
    for position in 0..net.nodes.len() {
        let Some((computed, change)) = scale_of(net, position) else { continue };
        let &[output] = &net.nodes[position].outputs[..] else { continue };
        let is_plain = matches!(net.nodes[position].operator, Operator::Binary(_, Activation::None));
        let Some(layer) = layer_behind(net, &uses, output).filter(|_| is_plain) else { continue };
        if apply_before(net, layer, &change).is_none() {
            continue;
        }
        for node in &mut net.nodes {
            node.inputs.iter_mut().filter(|input| **input == Some(output)).for_each(|input| *input = Some(computed));
        }
        net.nodes.remove(position);
        return true;
    }
    false
}

/// The position of the layer that alone reads a tensor, perhaps under another shape.
fn layer_behind(net: &Net, uses: &Uses, mut id: TensorId) -> Option<usize> {
    loop {
        let position = uses.reader[id].filter(|_| uses.readers[id] == 1)?;
        let node = &net.nodes[position];
        match scheme(&View { net, node }) {
            Scheme::Layer(layer) if node.inputs.get(layer.input) == Some(&Some(id)) => return Some(position),
            _ if matches!(node.operator, Operator::Reshape | Operator::ExpandDims) => id = *node.outputs.first()?,
            _ => return None,
        }
    }
}

/// Changes weights and bias of the layer at `position` so that it takes its input as it was before the change; `None` where that cannot be: channels that do
/// not fit, or zeros around an image, which a sum would have changed.
fn apply_before(net: &mut Net, position: usize, change: &Change) -> Option<()> {
    let node = &net.nodes[position];
    let Scheme::Layer(layer) = scheme(&View { net, node }) else { return None };
    let (Change::Scale(values) | Change::Shift(values) | Change::Mirror(values)) = change;
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let weights = (*node.inputs.get(layer.weights)?)?;
    let shape = &net.tensors[weights].shape;
    let &depth = shape.last()?;
    let input = &net.tensors[(*node.inputs.get(layer.input)?)?];
    let is_padded =
        |padding: Padding| padding != Padding::Valid && shape.iter().rev().skip(1).take(2).any(|&taps| taps > 1);
    // The input channel of the weight at a place along the last dimension.
    let (per_channel, padded) = match &node.operator {
        Operator::Conv2d { window, .. } if depth == values.len() => (1, is_padded(window.padding)),
        Operator::DepthwiseConv2d { window, .. } if input.shape.last() == Some(&values.len()) => {
            (depth / values.len(), is_padded(window.padding))
        }
        // The image before the layer was flattened, channels fastest.
        Operator::Dense { .. }
            if depth.is_multiple_of(values.len()) && (depth == values.len() || input.len() == depth) =>
        {
            (1, false)
        }
        _ => return None,
    };
    if padded && !matches!(change, Change::Scale(_)) {
        return None;
    }
    let channel = |index: usize| index % depth / per_channel % values.len();
    let exact = reals(&net.tensors[weights]);
    let factor = |index: usize| match change {
        Change::Scale(values) => values[channel(index)],
        Change::Shift(_) => 1.0,
        Change::Mirror(_) => -1.0,
    };
    let changed: Vec<f32> = exact.iter().enumerate().map(|(index, weight)| weight * factor(index)).collect();
    if let Change::Shift(values) | Change::Mirror(values) = change {
        let mut shifts = vec![0.0_f64; layer.axis.channels()];
        for (index, &weight) in exact.iter().enumerate() {
            shifts[layer.axis.channel(index, exact.len())] += f64::from(weight) * f64::from(values[channel(index)]);
        }
        let shifts: Vec<f32> = shifts.into_iter().map(|shift| shift as f32).collect();
        apply(net, position, &Change::Shift(shifts))?;
    }
    net.nodes[position].inputs[layer.weights] = Some(add_like(net, weights, &changed));
    Some(())
}

/// What is done to each channel of a tensor.
enum Change {
    Scale(Vec<f32>),
    Shift(Vec<f32>),
    /// Subtracted from a constant.
    Mirror(Vec<f32>),
}

/// The layer before the node at `position` and what that node does to its channels, if it is a product or a sum with a constant per channel.
fn scale_behind(net: &mut Net, uses: &Uses, position: usize) -> Option<(usize, Change)> {
    let (computed, change) = scale_of(net, position)?;
    Some((writer_of(net, uses, computed)?, change))
}

/// The computed operand of the node at `position` and what the node does to its channels, if it is a product or a sum with a constant per channel.
fn scale_of(net: &Net, position: usize) -> Option<(TensorId, Change)> {
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
    let change = match (kind, is_left) {
        (BinaryKind::Multiply, _) => Change::Scale(per_channel),
        (BinaryKind::Add, _) => Change::Shift(per_channel),
        (BinaryKind::Subtract, true) => Change::Shift(per_channel.iter().map(|value| -value).collect()),
        (BinaryKind::Subtract, false) => Change::Mirror(per_channel),
        _ => return None,
    };
    Some((computed, change))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{RemovedChannels, SlidingWindow};

    /// A net that is built node by node; the input is tensor 0.
    struct Builder(Net);

    impl Builder {
        fn new(shape: Vec<usize>) -> Self {
            let input = Tensor { data: None, ..constant("input".into(), shape, &[]) };
            let removed = RemovedChannels::default();
            Self(Net { tensors: vec![input], nodes: vec![], inputs: vec![0], outputs: vec![0], removed })
        }

        fn constant(&mut self, shape: Vec<usize>, values: &[f32]) -> TensorId {
            self.0.tensors.push(constant("constant".into(), shape, values));
            self.0.tensors.len() - 1
        }

        fn node(&mut self, operator: Operator, inputs: &[TensorId], shape: Vec<usize>) -> TensorId {
            let output = Tensor { data: None, ..constant("between".into(), shape, &[]) };
            self.0.tensors.push(output);
            let output = self.0.tensors.len() - 1;
            let (index, inputs) = (self.0.nodes.len(), inputs.iter().map(|&id| Some(id)).collect());
            self.0.nodes.push(Node { index, name: String::new(), operator, inputs, outputs: vec![output] });
            self.0.outputs = vec![output];
            output
        }
    }

    const DENSE: Operator = Operator::Dense { keep_dims: false, activation: Activation::None, narrow_sums: false };

    fn binary(kind: BinaryKind) -> Operator {
        Operator::Binary(kind, Activation::None)
    }

    /// (x · 2 + 1) · [1, 3] − 1 before a dense layer, and times −2, then RELU behind it: one layer is left, that gives the same.
    #[test]
    fn normalisation_on_both_sides_of_a_layer_becomes_part_of_it() {
        let mut net = Builder::new(vec![1, 2]);
        let (two, one) = (net.constant(vec![1], &[2.0]), net.constant(vec![1], &[1.0]));
        let (per_channel, minus_two) = (net.constant(vec![2], &[1.0, 3.0]), net.constant(vec![1], &[-2.0]));
        let (weights, bias) = (net.constant(vec![1, 2], &[0.5, -1.0]), net.constant(vec![1], &[0.25]));
        let mut at = 0;
        for (kind, by) in [
            (BinaryKind::Multiply, two),
            (BinaryKind::Add, one),
            (BinaryKind::Multiply, per_channel),
            (BinaryKind::Subtract, one),
        ] {
            at = net.node(binary(kind), &[at, by], vec![1, 2]);
        }
        let at = net.node(DENSE, &[at, weights, bias], vec![1, 1]);
        let at = net.node(binary(BinaryKind::Divide), &[at, minus_two], vec![1, 1]);
        net.node(Operator::Unary(UnaryKind::Relu), &[at], vec![1, 1]);
        let mut net = net.0;
        prepare(&mut net);
        let [Node { operator: Operator::Dense { activation: Activation::Relu, .. }, inputs, .. }] = &net.nodes[..]
        else {
            panic!("{:?}", net.nodes);
        };
        assert_eq!(inputs[0], Some(0));
        let values = |index: usize| reals(&net.tensors[inputs[index].unwrap()]);
        // For x = (a, b): 0.5 · (2a + 1 − 1) − (6b + 3 − 1) + 0.25, times −1/2.
        assert_eq!((values(1), values(2)), (vec![-0.5, 3.0], vec![0.875]));
    }

    /// Zeros around an image are not what a sum before the layer would have made of them.
    #[test]
    fn sums_before_padding_stay() {
        for (padding, left) in [(Padding::Same, 2), (Padding::Valid, 1)] {
            let mut net = Builder::new(vec![1, 3, 3, 1]);
            let (one, weights) = (net.constant(vec![1], &[1.0]), net.constant(vec![1, 3, 3, 1], &[1.0; 9]));
            let sum = net.node(binary(BinaryKind::Add), &[0, one], vec![1, 3, 3, 1]);
            let window = SlidingWindow { stride: [1, 1], dilation: [1, 1], padding };
            let size = if padding == Padding::Same { 3 } else { 1 };
            let conv = Operator::Conv2d { window, activation: Activation::None, narrow_sums: false };
            net.node(conv, &[sum, weights], vec![1, size, size, 1]);
            let mut net = net.0;
            prepare(&mut net);
            assert_eq!(net.nodes.len(), left, "{padding:?}");
        }
    }
}

//! Puts factors and offsets behind and before a layer of real numbers into its weights and biases: what is left of a batch normalisation, and of the
//! normalisation that a network begins with.
//!
//! A folded node becomes a reshape that changes no shape, and stays where it was, so that who reads and writes what is counted once.

use super::fuse_activations::activation_of;
use super::uses::Uses;
use crate::net::{
    Activation, Axis, BinaryKind, Constant, Element, Layer, Net, Node, Operator, Padding, Tensor, TensorId, View,
};

/// Folds products, sums, differences and quotients with constants into the layer before them.
pub(crate) fn fold_behind(net: &mut Net) {
    let uses = Uses::of(net);
    for position in 0..net.nodes.len() {
        // A node that cannot be folded stays.
        let _ = behind(net, &uses, position);
    }
}

/// Folds products, sums, differences and quotients with constants into the layer behind them. The sums that the layer then computes are other ones: where
/// offsets are large and the data vary little, more of them cancels. Integers keep the input's own range, which such a network wants.
pub(crate) fn fold_before(net: &mut Net) {
    let uses = Uses::of(net);
    for position in (0..net.nodes.len()).rev() {
        // A node that cannot be folded stays.
        let _ = before(net, &uses, position);
    }
}

/// What a node does to each channel of its operand: a product, and then a sum.
struct Affine {
    factors: Vec<f64>,
    offsets: Vec<f64>,
}

impl Affine {
    /// The computed operand of a node, its activation, and what it does to the channels, if it is a product, sum, difference or quotient with a
    /// finite constant per channel.
    fn of(net: &Net, node: &Node) -> Option<(TensorId, Activation, Self)> {
        let Operator::Binary(kind, activation) = node.operator else { return None };
        let (&[Some(left), Some(right)], &[output]) = (&node.inputs[..], &node.outputs[..]) else { return None };
        let (input, constant, by, exchanged) = match (net.tensors[left].reals(), net.tensors[right].reals()) {
            (None, Some(by)) => (left, right, by, false),
            (Some(by), None) => (right, left, by, true),
            _ => return None,
        };
        let channels = *net.tensors[output].shape.last()?;
        let per_channel = net.tensors[constant].shape.last().is_none_or(|&length| length == by.len());
        let fits = by.len() == 1 || by.len() == channels && per_channel;
        if !fits || net.tensors[input].shape != net.tensors[output].shape {
            return None;
        }
        let of = |channel: usize| {
            let by = f64::from(if by.len() == 1 { by[0] } else { by[channel] });
            match (kind, exchanged) {
                (BinaryKind::Multiply, _) => Some((by, 0.0)),
                (BinaryKind::Divide, false) => Some((1.0 / by, 0.0)),
                (BinaryKind::Add, _) => Some((1.0, by)),
                (BinaryKind::Subtract, false) => Some((1.0, -by)),
                (BinaryKind::Subtract, true) => Some((-1.0, by)),
                _ => None,
            }
        };
        let (factors, offsets) = (0..channels).map(of).collect::<Option<(Vec<_>, Vec<_>)>>()?;
        let is_finite = factors.iter().chain(&offsets).all(|value| value.is_finite());
        is_finite.then_some((input, activation, Self { factors, offsets }))
    }
}

/// Weights and bias of a layer. Values are computed in f64 and rounded once.
struct Parameters {
    position: usize,
    layer: Layer,
    weights: Vec<f64>,
    bias: Vec<f64>,
}

impl Parameters {
    fn of(net: &Net, position: usize) -> Option<Self> {
        let node = &net.nodes[position];
        let layer = Layer::of(&View { net, node })?;
        let of = |index: usize| node.inputs.get(index).copied().flatten();
        let wide = |id: TensorId| Some(net.tensors[id].reals()?.into_iter().map(f64::from).collect());
        let weights: Vec<f64> = wide(of(layer.weights)?)?;
        let channels = layer.axis.channels();
        let bias: Vec<f64> = of(layer.bias).map_or(Some(vec![0.0; channels]), wide)?;
        let fits = bias.len() == channels && weights.len().is_multiple_of(channels);
        fits.then_some(Self { position, layer, weights, bias })
    }

    fn channel(&self, weight: usize) -> usize {
        self.layer.axis.channel(weight, self.weights.len())
    }

    /// Gives them to the layer.
    fn store(self, net: &mut Net) {
        let Self { position, layer, weights, bias } = self;
        let like = net.nodes[position].inputs[layer.weights].map(|id| net.tensors[id].clone());
        let Some(Tensor { name, shape, .. }) = like else { return };
        let inputs = &mut net.nodes[position].inputs;
        inputs.resize(inputs.len().max(layer.bias + 1), None);
        for (input, shape, values) in [(layer.weights, shape, &weights), (layer.bias, vec![bias.len()], &bias)] {
            let data = Constant::new(values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect());
            net.tensors.push(Tensor::new(name.clone(), Element::F32, shape, Some(data)));
            net.nodes[position].inputs[input] = Some(net.tensors.len() - 1);
        }
    }
}

/// Leaves of a node that what is computed already has another name: its input under the output's.
fn rename(node: &mut Node, input: TensorId) {
    node.operator = Operator::Reshape;
    node.inputs = vec![Some(input)];
}

/// Folds the node at `position` into the layer before it.
fn behind(net: &mut Net, uses: &Uses, position: usize) -> Option<()> {
    let (input, activation, Affine { factors, offsets }) = Affine::of(net, &net.nodes[position])?;
    let layer = layer_before(net, uses, input)?;
    if *activation_of(&mut net.nodes[layer].operator)? != Activation::None {
        return None;
    }
    let mut parameters = Parameters::of(net, layer).filter(|parameters| parameters.bias.len() == factors.len())?;
    for index in 0..parameters.weights.len() {
        parameters.weights[index] *= factors[parameters.channel(index)];
    }
    for (bias, (factor, offset)) in parameters.bias.iter_mut().zip(factors.iter().zip(&offsets)) {
        *bias = *bias * factor + offset;
    }
    parameters.store(net);
    *activation_of(&mut net.nodes[layer].operator)? = activation;
    rename(&mut net.nodes[position], input);
    Some(())
}

/// The position of the layer that writes a tensor, through reshapes that nothing else reads and that keep the channels.
fn layer_before(net: &Net, uses: &Uses, mut id: TensorId) -> Option<usize> {
    loop {
        let position = uses.writers[id].filter(|_| uses.readers[id] == 1)?;
        let node = &net.nodes[position];
        if node.operator != Operator::Reshape {
            return Some(position);
        }
        let input = node.inputs[0]?;
        if net.tensors[input].shape.last() != net.tensors[id].shape.last() {
            return None;
        }
        id = input;
    }
}

/// Folds the node at `position` into the layer behind it, unless zeros around an image come between, which a sum would have changed.
fn before(net: &mut Net, uses: &Uses, position: usize) -> Option<()> {
    let (input, activation, Affine { factors, offsets }) = Affine::of(net, &net.nodes[position])?;
    let &[output] = &net.nodes[position].outputs[..] else { return None };
    let mut parameters = Parameters::of(net, layer_behind(net, uses, output)?)?;
    if activation != Activation::None {
        return None;
    }
    let node = &net.nodes[parameters.position];
    let image = &net.tensors[node.inputs[parameters.layer.input]?];
    let shape = &net.tensors[node.inputs[parameters.layer.weights]?].shape;
    let (channels, &depth) = (factors.len(), shape.last()?);
    let is_padded =
        |padding: Padding| padding != Padding::Valid && shape.iter().rev().skip(1).take(2).any(|&taps| taps > 1);
    // How many weights side by side take the same channel, and whether there is padding.
    let (side_by_side, padded) = match (&node.operator, parameters.layer.axis) {
        (Operator::Conv2d { window, .. }, Axis::First(_)) if depth == channels => (1, is_padded(window.padding)),
        (Operator::DepthwiseConv2d { window, .. }, Axis::Last(_)) if image.shape.last() == Some(&channels) => {
            (depth / channels, is_padded(window.padding))
        }
        // The image before the layer may have been flattened, channels fastest.
        (Operator::Dense { .. }, Axis::First(_))
            if depth.is_multiple_of(channels) && (depth == channels || image.len() == depth) =>
        {
            (1, false)
        }
        _ => return None,
    };
    if side_by_side == 0 || padded && offsets.iter().any(|&offset| offset != 0.0) {
        return None;
    }
    for index in 0..parameters.weights.len() {
        let from = index % depth / side_by_side % channels;
        let to = parameters.channel(index);
        parameters.bias[to] += parameters.weights[index] * offsets[from];
        parameters.weights[index] *= factors[from];
    }
    parameters.store(net);
    rename(&mut net.nodes[position], input);
    Some(())
}

/// The position of the layer that alone reads a tensor as its input, perhaps under another shape.
fn layer_behind(net: &Net, uses: &Uses, mut id: TensorId) -> Option<usize> {
    loop {
        let position = uses.reader[id].filter(|_| uses.readers[id] == 1)?;
        let node = &net.nodes[position];
        if matches!(node.operator, Operator::Reshape | Operator::ExpandDims) {
            id = *node.outputs.first()?;
            continue;
        }
        let layer = Layer::of(&View { net, node })?;
        return (node.inputs.get(layer.input) == Some(&Some(id))).then_some(position);
    }
}

//! Equalisation across layers and correction of biases: what can be done about the ranges of channels, and about the mean of the rounding errors of weights.

use std::collections::HashMap;

use super::convert::reals;
use super::layers::IntegerRows;
use super::range::Observed;

use crate::net::{Activation, Axis, Constant, Layer, Net, Operator, Tensor, TensorId, View};
use crate::rewrite::Uses;

/// The largest factor by which a channel is scaled, up or down.
const LARGEST_FACTOR: f32 = 16.0;

/// A layer with the position of its node.
struct Found {
    position: usize,
    layer: Layer,
    weights: TensorId,
}

fn found(net: &Net, position: usize) -> Option<Found> {
    let node = &net.nodes[position];
    let layer = Layer::of(&View { net, node })?;
    Some(Found { position, layer, weights: (*node.inputs.get(layer.weights)?)? })
}

/// Scales the channels between two layers so that their ranges come closer: what the first layer divides by, the second multiplies with. With
/// activations that are linear in positive factors nothing changes but the ranges. For a channel that reaches r₁ and whose weights in the second layer
/// reach r₂, the factor is √(r₁ / r₂), relative to the mean of all channels. Tells whether anything was scaled.
pub(crate) fn equalise(net: &mut Net, observed: &[Option<Observed>]) -> bool {
    let uses = Uses::of(net);
    let mut any = false;
    for position in 0..net.nodes.len() {
        let Some(first) = found(net, position) else { continue };
        let &[between] = &net.nodes[position].outputs[..] else { continue };
        let Some(second) = reader(net, &uses, between).and_then(|reader| found(net, reader)) else { continue };
        if net.nodes[second.position].inputs.get(second.layer.input) != Some(&Some(between)) {
            continue;
        }
        let Some(largest) = observed[between].as_ref().map(Observed::magnitudes) else { continue };
        let Some(factors) = factors(net, &first, &second, largest) else { continue };
        scale(net, &first, &second, &factors);
        any = true;
    }
    any
}

/// The one node that reads a tensor, if what writes it is linear in positive factors.
fn reader(net: &Net, uses: &Uses, between: TensorId) -> Option<usize> {
    let writer = &net.nodes[uses.writers[between]?];
    let is_linear = match &writer.operator {
        Operator::Conv2d { activation, .. }
        | Operator::DepthwiseConv2d { activation, .. }
        | Operator::Dense { activation, .. } => matches!(activation, Activation::None | Activation::Relu),
        _ => false,
    };
    uses.reader[between].filter(|_| is_linear && uses.readers[between] == 1)
}

/// What the second layer's weights are multiplied by, per channel between the layers; `None` where the layers are not connected channel by channel.
fn factors(net: &Net, first: &Found, second: &Found, largest: &[f32]) -> Option<Vec<f32>> {
    let channels = first.layer.axis.channels();
    let weights = reals(&net.tensors[second.weights]);
    let shape = &net.tensors[second.weights].shape;
    let connected = match (&net.nodes[second.position].operator, second.layer.axis) {
        (Operator::DepthwiseConv2d { .. }, Axis::Last(outputs)) => outputs == channels,
        (Operator::Conv2d { .. } | Operator::Dense { .. }, Axis::First(_)) => shape.last() == Some(&channels),
        _ => false,
    };
    if !connected || largest.len() != channels {
        return None;
    }
    let mut reaches = vec![0.0_f32; channels];
    for (index, weight) in weights.iter().enumerate() {
        let reach = &mut reaches[index % channels];
        *reach = reach.max(weight.abs());
    }
    let is_alive = |channel: usize| largest[channel] > 0.0 && reaches[channel] > 0.0;
    let factor = |channel: usize| (largest[channel] / reaches[channel]).sqrt();
    let alive: Vec<usize> = (0..channels).filter(|&channel| is_alive(channel)).collect();
    let mean = (alive.iter().map(|&channel| factor(channel).ln()).sum::<f32>() / alive.len().max(1) as f32).exp();
    let factors = (0..channels).map(|channel| {
        if is_alive(channel) { (factor(channel) / mean).clamp(1.0 / LARGEST_FACTOR, LARGEST_FACTOR) } else { 1.0 }
    });
    Some(factors.collect())
}

/// Divides the channels of the first layer by the factors and multiplies the second's weights with them.
fn scale(net: &mut Net, first: &Found, second: &Found, factors: &[f32]) {
    let shares = |channel: usize| 1.0 / factors[channel];
    let divided = scaled_rows(&reals(&net.tensors[first.weights]), first.layer.axis, shares);
    replace(net, first.position, first.layer.weights, &divided);
    if let Some(&Some(bias)) = net.nodes[first.position].inputs.get(first.layer.bias) {
        let divided = scaled_rows(&reals(&net.tensors[bias]), Axis::Last(factors.len()), shares);
        replace(net, first.position, first.layer.bias, &divided);
    }
    // Whatever the second layer is, the channels between the two lie along the last dimension of its weights.
    let weights = reals(&net.tensors[second.weights]);
    let multiplied = scaled_rows(&weights, Axis::Last(factors.len()), |channel| factors[channel]);
    replace(net, second.position, second.layer.weights, &multiplied);
}

/// Weights, those of each output channel times its factor.
fn scaled_rows(weights: &[f32], axis: Axis, factor: impl Fn(usize) -> f32) -> Vec<f32> {
    let value = |(index, &weight): (usize, &f32)| weight * factor(axis.channel(index, weights.len()));
    weights.iter().enumerate().map(value).collect()
}

/// Gives a node's constant operand other values.
fn replace(net: &mut Net, position: usize, input: usize, values: &[f32]) {
    let Some(&Some(id)) = net.nodes[position].inputs.get(input) else { return };
    let data = Constant::new(values.iter().copied().flat_map(f32::to_le_bytes).collect());
    let tensor = Tensor { data: Some(data), ..net.tensors[id].clone() };
    net.tensors.push(tensor);
    net.nodes[position].inputs[input] = Some(net.tensors.len() - 1);
}

/// What is to be added to the bias of each layer, by its position: the mean of what the rounding of its weights takes from its sums, for inputs of the
/// means that were observed. Padding counts as if it were image. `weights_of` are those that are rounded already, by the position of their layer.
pub(crate) fn bias_corrections(
    net: &Net,
    observed: &[Option<Observed>],
    weights_of: &HashMap<usize, Vec<f32>>,
    input_scale: impl Fn(TensorId) -> f32,
) -> HashMap<usize, Vec<f32>> {
    let mut corrections = HashMap::new();
    for position in 0..net.nodes.len() {
        let Some(Found { layer, weights, .. }) = found(net, position) else { continue };
        let node = &net.nodes[position];
        let Some(input) = node.inputs.get(layer.input).copied().flatten() else { continue };
        let Some(means) = observed[input].as_ref().map(Observed::means) else { continue };
        let depth = net.tensors[weights].shape.last().copied().unwrap_or(1);
        let channels = layer.axis.channels();
        // The channel of the input that a weight is multiplied with, by the weight's place along the last dimension.
        let source: fn(usize, usize, usize) -> usize = match (&node.operator, layer.axis) {
            (Operator::DepthwiseConv2d { .. }, Axis::Last(_)) if channels.is_multiple_of(means.len()) => {
                |last, inputs, channels| last / (channels / inputs)
            }
            (Operator::Conv2d { .. } | Operator::Dense { .. }, Axis::First(_)) if depth == means.len() => {
                |last, _, _| last
            }
            _ => continue,
        };
        let of_bias = node.inputs.get(layer.bias).copied().flatten();
        let bias = of_bias.map_or(Vec::new(), |id| reals(&net.tensors[id]));
        let exact = reals(&net.tensors[weights]);
        let to_round = weights_of.get(&position).unwrap_or(&exact);
        let rounded = IntegerRows::new(to_round, &bias, layer.axis, input_scale(input)).reals(layer.axis);
        let mut correction = vec![0.0_f64; channels];
        for (index, (exact, was_rounded)) in exact.iter().zip(&rounded).enumerate() {
            let mean = means[source(index % depth, means.len(), channels)];
            correction[layer.axis.channel(index, rounded.len())] += f64::from(exact - was_rounded) * mean;
        }
        corrections.insert(position, correction.into_iter().map(|value| value as f32).collect());
    }
    corrections
}

//! Takes out channels that cannot change, and channels that nothing needs: smaller weights, fewer multiplications, not one bit of difference.
//!
//! Training often leaves channels that an activation clamps for every input. Whether a channel is one of them follows from the integers alone: the
//! range of its sum, from the ranges of its inputs, is requantised and clamped to a single value. Its readers then see a constant, which moves into
//! their biases: the same sum in another order. A channel without a reader goes, and with it what only it needed, back to the front of the net.
//!
//! Convolutions, depthwise convolutions and dense layers of int8 are the layers that lose channels; between them the channels run through pools and
//! reshapes. Where anything else reads a tensor, all its channels stay.

use crate::net::{
    Activation, Constant, Element, Net, Node, Operator, Padding, PoolKind, Quantisation, SlidingWindow, Tensor,
    TensorId,
};

/// Largest magnitude of a bias that takes a constant in: sums of products beside it stay within 32 bits.
const LARGEST_BIAS: i64 = 1 << 30;

/// Channels stay so many at a time, where they were a multiple of it: vectors of fewer cost more than channels that are not needed.
const TOGETHER: usize = 4;

/// Takes the channels out.
pub(crate) fn apply(net: &mut Net) {
    let layers: Vec<Option<Layer>> = net.nodes.iter().map(|node| Layer::of(net, node)).collect();
    let channels = Channels::of(net, &layers);
    let needed = channels.needed(net, &layers);
    for (position, layer) in layers.iter().enumerate() {
        if let Some(layer) = layer {
            layer.shrink(net, position, &channels, &needed);
        }
    }
    for (tensor, source) in channels.sources.iter().enumerate() {
        if let Some(source) = source {
            let (kept, all) = (needed[*source].iter().filter(|&&needed| needed).count(), needed[*source].len());
            if let Some(last) = net.tensors[tensor].shape.last_mut() {
                *last = *last / all * kept;
            }
        }
    }
    for node in &mut net.nodes {
        // The lengths that the file states are those of before.
        let source = node.outputs.first().and_then(|&output| channels.sources[output]);
        let loses = source.is_some_and(|source| needed[source].contains(&false));
        if node.operator == Operator::Reshape && loses {
            node.inputs.truncate(1);
        }
    }
}

/// What kind of layer it is: how a channel of its input meets one of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Every input channel meets every output channel. Weights are `[outputs, …, inputs]`.
    Full,
    /// Each channel meets itself. Weights are `[1, …, channels]`.
    Depthwise,
}

/// A layer that can lose channels.
struct Layer {
    kind: Kind,
    input: TensorId,
    output: TensorId,
    weights: Vec<i8>,
    weights_id: TensorId,
    bias: Vec<i64>,
    bias_id: Option<TensorId>,
    outputs: usize,
    /// Whether a window can lie beside the input, where the zero point stands for it.
    pads: bool,
    input_zero_point: i64,
    /// The clamp, where it is known exactly, and otherwise the range of the type.
    least: Bound,
    largest: Bound,
    /// Input scale times weight scale through output scale, one or one per output channel.
    factors: Vec<f64>,
    output_zero_point: i64,
}

/// A bound of an output.
#[derive(Clone, Copy, Debug)]
struct Bound {
    value: i64,
    /// Whether the layer clamps to just this value; otherwise it clamps to one that may lie inside.
    is_exact: bool,
}

/// The one scale and the one zero point of an int8 tensor.
fn quantised(tensor: &Tensor) -> Option<(f64, i64)> {
    match &tensor.quantisation {
        Some(Quantisation { scales, zero_points, .. }) if tensor.element == Element::I8 => {
            match (&scales[..], &zero_points[..]) {
                (&[scale], &[zero_point]) => Some((scale.into(), zero_point.into())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a window can lie beside an axis of the input.
fn pads(window: &SlidingWindow, image: [usize; 2], kernel: [usize; 2]) -> bool {
    match window.padding {
        Padding::Valid => false,
        Padding::Explicit { top, bottom, left, right } => top + bottom + left + right > 0,
        Padding::Same => (0..2).any(|axis| {
            let (length, stride) = (image[axis], window.stride[axis].max(1));
            let extent = (kernel[axis] - 1) * window.dilation[axis] + 1;
            (length.div_ceil(stride) - 1) * stride + extent > length
        }),
    }
}

impl Layer {
    /// The layer that a node is, if it is one and all that is asked of it is there.
    fn of(net: &Net, node: &Node) -> Option<Self> {
        let (kind, activation, window) = match &node.operator {
            Operator::Conv2d { window, activation, .. } => (Kind::Full, *activation, Some(window)),
            Operator::DepthwiseConv2d { window, activation } => (Kind::Depthwise, *activation, Some(window)),
            Operator::Dense { activation, .. } => (Kind::Full, *activation, None),
            _ => return None,
        };
        let (&[Some(input), Some(weights_id), ref bias @ ..], &[output]) = (&node.inputs[..], &node.outputs[..]) else {
            return None;
        };
        let (from, to, weights) = (&net.tensors[input], &net.tensors[output], &net.tensors[weights_id]);
        let ((input_scale, input_zero_point), (output_scale, output_zero_point)) = (quantised(from)?, quantised(to)?);
        if from.data.is_some() || weights.element != Element::I8 {
            return None;
        }
        let (&first, &last) = (weights.shape.first()?, weights.shape.last()?);
        let pads = match (window, &from.shape[..], &weights.shape[..]) {
            // A convolution in groups, or one with several outputs per channel, keeps its channels.
            (Some(window), &[_, height, width, channels], &[_, kernel_height, kernel_width, depth])
                if depth == channels =>
            {
                pads(window, [height, width], [kernel_height, kernel_width])
            }
            (None, _, &[_, depth]) if depth > 0 && from.len().is_multiple_of(depth) => false,
            _ => return None,
        };
        let outputs = if kind == Kind::Full { first } else { last };
        if to.shape.last() != Some(&outputs) || kind == Kind::Depthwise && first != 1 {
            return None;
        }
        let quantisation = weights.quantisation.as_ref()?;
        let is_symmetric = quantisation.zero_points.iter().all(|&point| point == 0);
        let dimension = if kind == Kind::Full { 0 } else { 3 };
        let per_channel = quantisation.scales.len() == outputs && quantisation.dimension == dimension;
        if !is_symmetric || !(quantisation.scales.len() == 1 || per_channel) {
            return None;
        }
        let bias_id = bias.first().copied().flatten();
        let bias = match bias_id {
            Some(id) if net.tensors[id].element == Element::I32 => net.tensors[id].integers()?,
            Some(_) => return None,
            None => vec![0; outputs],
        };
        let values = weights.integers()?;
        if bias.len() != outputs || values.len() != weights.len() {
            return None;
        }
        let exact = |value| Bound { value, is_exact: true };
        let inside = |value: i64| Bound { value: value.clamp(-128, 127), is_exact: false };
        let (least, largest) = match activation {
            Activation::None => (exact(-128), exact(127)),
            Activation::Relu => (exact(output_zero_point), exact(127)),
            Activation::Relu6 => (exact(output_zero_point), inside(output_zero_point + above(6.0 / output_scale))),
            Activation::ReluN1To1 => {
                let one = above(1.0 / output_scale);
                (inside(output_zero_point - one), inside(output_zero_point + one))
            }
        };
        let factor = |&scale: &f32| input_scale * f64::from(scale) / output_scale;
        Some(Self {
            kind,
            input,
            output,
            weights: values.into_iter().map(|value| value as i8).collect(),
            weights_id,
            bias,
            bias_id,
            outputs,
            pads,
            input_zero_point,
            least,
            largest,
            factors: quantisation.scales.iter().map(factor).collect(),
            output_zero_point,
        })
    }

    /// Weights per output channel of a full layer, or taps of a depthwise one.
    fn depth(&self) -> usize {
        self.weights.len() / self.outputs
    }

    /// The weights of an output channel, each with the channel of its input, of `channels`.
    fn weights_of(&self, output: usize, channels: usize) -> impl Iterator<Item = (usize, i64)> {
        let depth = self.depth();
        (0..depth).map(move |tap| match self.kind {
            Kind::Full => (tap % channels, self.weights[output * depth + tap].into()),
            Kind::Depthwise => (output, self.weights[tap * self.outputs + output].into()),
        })
    }

    /// The weights of a full layer between two channels, of `channels` of the input.
    fn weights_between(&self, channel: usize, channels: usize, output: usize) -> impl Iterator<Item = i64> {
        let depth = self.depth();
        (channel..depth).step_by(channels).map(move |tap| self.weights[output * depth + tap].into())
    }

    /// Whether a constant channel of the input can move into the biases: where the window lies beside the input, only the zero point itself is the
    /// same there.
    fn can_move(&self, range: Interval) -> bool {
        range.low == range.high && (range.low == self.input_zero_point || !self.pads)
    }

    /// What a constant channel of the input adds to a sum of a full layer.
    fn moved(&self, channel: usize, ranges: &[Interval], output: usize) -> i64 {
        let sum: i64 = self.weights_between(channel, ranges.len(), output).sum();
        sum * (ranges[channel].low - self.input_zero_point)
    }

    /// Whether the biases can take all constants in that move.
    fn has_room(&self, ranges: &[Interval]) -> bool {
        let moving: Vec<usize> = (0..ranges.len()).filter(|&channel| self.can_move(ranges[channel])).collect();
        (0..self.outputs).all(|output| {
            let moved: i64 = moving.iter().map(|&channel| self.moved(channel, ranges, output).abs()).sum();
            self.bias[output].abs() + moved < LARGEST_BIAS
        })
    }

    /// The range of an output channel from those of the input's channels.
    fn range(&self, output: usize, inputs: &[Interval]) -> Interval {
        let (mut low, mut high) = (self.bias[output], self.bias[output]);
        for (channel, weight) in self.weights_of(output, inputs.len()) {
            let Interval { low: from, high: to } = inputs[channel];
            let ends = [weight * (from - self.input_zero_point), weight * (to - self.input_zero_point)];
            // Beside the input stands its zero point, which adds nothing.
            let beside = if self.pads { 0 } else { ends[0] };
            low += ends[0].min(ends[1]).min(beside);
            high += ends[0].max(ends[1]).max(beside);
        }
        let factor = self.factors[if self.factors.len() == 1 { 0 } else { output }];
        let (low, high) = if low < i32::MIN.into() || high > i32::MAX.into() || !(0.0..1.0).contains(&factor) {
            // Sums that wrap, or are shifted up, can become anything.
            (i64::MIN / 2, i64::MAX / 2)
        } else {
            // The requantisation rounds twice, by less than 1 together.
            let requantised = |sum: i64| sum as f64 * factor + self.output_zero_point as f64;
            ((requantised(low) - 1.0).floor() as i64, (requantised(high) + 1.0).ceil() as i64)
        };
        let Bound { value: least, is_exact: least_is_exact } = self.least;
        let Bound { value: largest, is_exact: largest_is_exact } = self.largest;
        if high <= least && least_is_exact {
            Interval { low: least, high: least }
        } else if low >= largest && largest_is_exact {
            Interval { low: largest, high: largest }
        } else {
            // A bound that is not exact may lie inside, so that what is beyond it is anything up to it.
            let low = if largest_is_exact { low } else { low.min(-128) };
            let high = if least_is_exact { high } else { high.max(127) };
            Interval { low: low.clamp(least, largest), high: high.clamp(least, largest) }
        }
    }

    /// Whether the layer can do without a channel of its input when it gives just the `needed` output channels.
    fn does_without(&self, channel: usize, ranges: &[Interval], moves: bool, needed: &[bool]) -> bool {
        match self.kind {
            Kind::Depthwise => !needed[channel],
            Kind::Full if moves && self.can_move(ranges[channel]) => true,
            Kind::Full => (0..self.outputs)
                .filter(|&output| needed[output])
                .all(|output| self.weights_between(channel, ranges.len(), output).all(|weight| weight == 0)),
        }
    }

    /// Gives the node weights and biases without the channels that are not needed.
    fn shrink(&self, net: &mut Net, position: usize, channels: &Channels, needed: &[Vec<bool>]) {
        let source = channels.source_of(self);
        let (inputs, ranges) = match source {
            Some(source) => (&needed[source][..], &channels.ranges[source][..]),
            None => (&[true][..], &[Interval::INT8][..]),
        };
        let outputs = &needed[self.output];
        if !inputs.contains(&false) && !outputs.contains(&false) {
            return;
        }
        let kept: Vec<usize> = (0..self.outputs).filter(|&output| outputs[output]).collect();
        let depth = self.depth();
        let mut shape = net.tensors[self.weights_id].shape.clone();
        let last = shape.len() - 1;
        let (weights, bias): (Vec<u8>, Vec<i64>) = match self.kind {
            Kind::Full => {
                let taps: Vec<usize> = (0..depth).filter(|tap| inputs[tap % inputs.len()]).collect();
                shape[0] = kept.len();
                shape[last] = shape[last] / inputs.len() * inputs.iter().filter(|&&needed| needed).count();
                let lost = || (0..inputs.len()).filter(|&channel| !inputs[channel]);
                let at = |&output: &usize| taps.iter().map(move |tap| self.weights[output * depth + tap] as u8);
                let moved = |output: usize| lost().map(|channel| self.moved(channel, ranges, output)).sum::<i64>();
                (
                    kept.iter().flat_map(at).collect(),
                    kept.iter().map(|&output| self.bias[output] + moved(output)).collect(),
                )
            }
            Kind::Depthwise => {
                shape[last] = kept.len();
                let at = |tap: usize| kept.iter().map(move |output| self.weights[tap * self.outputs + output] as u8);
                ((0..depth).flat_map(at).collect(), kept.iter().map(|&output| self.bias[output]).collect())
            }
        };
        net.removed.channels += self.outputs - kept.len();
        net.removed.of += self.outputs;
        net.removed.bytes += self.weights.len() - weights.len() + 4 * (self.outputs - kept.len());
        let per_channel = |quantisation: &Option<Quantisation>| {
            let mut quantisation = quantisation.clone();
            if let Some(Quantisation { scales, zero_points, .. }) = &mut quantisation
                && scales.len() == self.outputs
                && zero_points.len() == self.outputs
            {
                *scales = kept.iter().map(|&output| scales[output]).collect();
                *zero_points = kept.iter().map(|&output| zero_points[output]).collect();
            }
            quantisation
        };
        let of = &net.tensors[self.weights_id];
        let quantisation = per_channel(&of.quantisation);
        let weights = Tensor { shape, quantisation, data: Some(Constant::new(weights)), ..of.clone() };
        let like = self.bias_id.map(|id| &net.tensors[id]);
        let bias = Tensor {
            name: like.map_or_else(String::new, |like| like.name.clone()),
            element: Element::I32,
            shape: vec![kept.len()],
            open: Vec::new(),
            quantisation: like.and_then(|like| per_channel(&like.quantisation)),
            // The sums fit: `has_room` saw to it.
            data: Some(Constant::new(bias.iter().flat_map(|&bias| (bias as i32).to_le_bytes()).collect())),
            variable: false,
            start: None,
        };
        let id = net.tensors.len();
        net.tensors.extend([weights, bias]);
        net.nodes[position].inputs = vec![Some(self.input), Some(id), Some(id + 1)];
    }
}

/// The least integer from which on nothing rounds to more than `value`.
fn above(value: f64) -> i64 {
    // A scale that is tiny makes it larger than any int8; so does one that is not finite.
    if value < 1e6 { value.ceil() as i64 + 1 } else { 1_000_000 }
}

/// The stored values that a channel can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    low: i64,
    high: i64,
}

impl Interval {
    const INT8: Self = Self { low: -128, high: 127 };
}

/// The channels of a net's tensors.
struct Channels {
    /// Per tensor, the output of a layer whose channels run through it: itself, or where a pool or a reshape hands them on, along its last dimension
    /// modulo their number.
    sources: Vec<Option<TensorId>>,
    /// Per source, the range of each channel.
    ranges: Vec<Vec<Interval>>,
}

impl Channels {
    fn of(net: &Net, layers: &[Option<Layer>]) -> Self {
        let count = net.tensors.len();
        let mut channels = Self { sources: vec![None; count], ranges: vec![Vec::new(); count] };
        for (node, layer) in net.nodes.iter().zip(layers) {
            if let Some(layer) = layer {
                // Of other channels nothing is known, so that they are all alike.
                let unknown = vec![Interval::INT8; layer.outputs];
                let inputs = channels.source_of(layer).map_or(&unknown, |source| &channels.ranges[source]);
                let ranges = (0..layer.outputs).map(|output| layer.range(output, inputs)).collect();
                channels.ranges[layer.output] = ranges;
                channels.sources[layer.output] = Some(layer.output);
            } else if let Some((input, output)) = handed_on(net, node)
                && let Some(source) = channels.sources[input]
                && net.tensors[output]
                    .shape
                    .last()
                    .is_some_and(|last| last.is_multiple_of(channels.ranges[source].len()))
            {
                channels.sources[output] = Some(source);
            }
        }
        channels
    }

    /// The source of the channels that a layer reads, where it meets them one by one.
    fn source_of(&self, layer: &Layer) -> Option<TensorId> {
        let source = self.sources[layer.input]?;
        let channels = self.ranges[source].len();
        let meets = match layer.kind {
            Kind::Full => layer.depth().is_multiple_of(channels),
            Kind::Depthwise => layer.outputs == channels,
        };
        meets.then_some(source)
    }

    /// Per source, which channels are needed: for the outputs of the model, for operators that are no layers, and for what those layers give that is needed.
    fn needed(&self, net: &Net, layers: &[Option<Layer>]) -> Vec<Vec<bool>> {
        let mut needed: Vec<Vec<bool>> = self.ranges.iter().map(|ranges| vec![false; ranges.len()]).collect();
        let all = |needed: &mut Vec<Vec<bool>>, tensor: TensorId| {
            if let Some(source) = self.sources[tensor] {
                needed[source].fill(true);
            }
        };
        net.outputs.iter().for_each(|&output| all(&mut needed, output));
        for (node, layer) in net.nodes.iter().zip(layers) {
            let hands_on = |(input, output): (TensorId, TensorId)| {
                self.sources[output].is_some() && self.sources[output] == self.sources[input]
            };
            let meets = match layer {
                Some(layer) => self.source_of(layer).is_some(),
                None => handed_on(net, node).is_some_and(hands_on),
            };
            if !meets {
                node.inputs.iter().flatten().for_each(|&input| all(&mut needed, input));
            }
        }
        let moves = |layer: &Layer| self.source_of(layer).is_some_and(|source| layer.has_room(&self.ranges[source]));
        let layers: Vec<(&Layer, bool)> = layers.iter().rev().flatten().map(|layer| (layer, moves(layer))).collect();
        // Needs only grow, so that there is an end.
        loop {
            let before = needed.clone();
            for &(layer, moves) in &layers {
                round_up(&mut needed[layer.output]);
                let Some(source) = self.source_of(layer) else {
                    // A depthwise layer gives all channels that it gets.
                    if layer.kind == Kind::Depthwise {
                        needed[layer.output].fill(true);
                    }
                    continue;
                };
                for channel in 0..needed[source].len() {
                    let is_needed = needed[source][channel]
                        || !layer.does_without(channel, &self.ranges[source], moves, &needed[layer.output]);
                    needed[source][channel] = is_needed;
                    if layer.kind == Kind::Depthwise && is_needed {
                        needed[layer.output][channel] = true;
                    }
                }
            }
            if needed == before {
                return needed;
            }
        }
    }
}

/// Makes the channels that are needed at least one, and a multiple of [`TOGETHER`] where all are.
fn round_up(needed: &mut [bool]) {
    let step = if needed.len().is_multiple_of(TOGETHER) { TOGETHER } else { 1 };
    let count = needed.iter().filter(|&&needed| needed).count();
    let more = count.max(1).next_multiple_of(step) - count;
    needed.iter_mut().filter(|needed| !**needed).take(more).for_each(|needed| *needed = true);
}

/// The input and the output of a node that hands channels on as they are: each output channel is made of one input channel's values and lies
/// between them.
fn handed_on(net: &Net, node: &Node) -> Option<(TensorId, TensorId)> {
    let is_it = matches!(
        node.operator,
        Operator::Pool2d { kind: PoolKind::Max | PoolKind::Average, activation: Activation::None, .. }
            | Operator::Reshape
    );
    let (&Some(Some(input)), &[output]) = (&node.inputs.first(), &node.outputs[..]) else { return None };
    let (from, to) = (&net.tensors[*input], &net.tensors[output]);
    let same = quantised(from).is_some() && from.quantisation == to.quantisation && from.element == to.element;
    (is_it && same).then_some((*input, output))
}

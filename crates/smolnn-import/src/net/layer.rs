//! Layers with constant weights of real numbers: where their operands stand, and how the weights count output channels.

use super::operator::Operator;
use super::tensor::Element;
use super::view::View;

/// Where the output channels lie among the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// So many channels, the first dimension: `[outputs][inputs]` of a dense layer, `[outputs][height][width][inputs]` of a convolution.
    First(usize),
    /// So many channels, the last dimension: `[height][width][outputs]` of a depthwise convolution.
    Last(usize),
}

impl Axis {
    /// Output channels.
    pub fn channels(self) -> usize {
        match self {
            Axis::First(channels) | Axis::Last(channels) => channels,
        }
    }

    /// The channel that weight `index` of `length` belongs to.
    pub(crate) fn channel(self, index: usize, length: usize) -> usize {
        match self {
            Axis::First(channels) => index / (length / channels),
            Axis::Last(channels) => index % channels,
        }
    }
}

/// The operands of a layer with weights, by their place among the node's inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub input: usize,
    pub weights: usize,
    pub bias: usize,
    /// The dimension of the weights that counts output channels: the first or the last.
    pub axis: Axis,
}

impl Layer {
    /// The layer that a node is: a convolution or a dense layer whose weights and bias are constants of real numbers.
    pub fn of(view: &View<'_>) -> Option<Self> {
        const WEIGHTS: usize = 1;
        let (input, bias, is_depthwise) = match view.node.operator {
            Operator::Conv2d { .. } | Operator::Dense { .. } => (0, 2, false),
            Operator::DepthwiseConv2d { .. } => (0, 2, true),
            Operator::TransposeConv2d { .. } => (2, 3, false),
            _ => return None,
        };
        let is_constant = |id: usize| view.tensor(id).element == Element::F32 && view.tensor(id).data.is_some();
        let weights = view.optional_input(WEIGHTS).filter(|&id| is_constant(id))?;
        if !view.optional_input(bias).is_none_or(is_constant) {
            return None;
        }
        let shape = &view.tensor(weights).shape;
        let axis = if is_depthwise { Axis::Last(*shape.last()?) } else { Axis::First(*shape.first()?) };
        (axis.channels() > 0).then_some(Self { input, weights: WEIGHTS, bias, axis })
    }
}

//! How each operator is quantised: the one table that the quantiser asks. An operator's entry says what its integer kernel wants of scales.
//!
//! To quantise another operator, give it a line in [`scheme`]. One whose integer form is more than new scales, such as a recurrent cell, gets
//! [`Scheme::Own`] with a function that builds the integer nodes.

use super::cells;
use super::convert::Integers;
use crate::error::Problem;
use crate::net::{BinaryKind, Element, Layer, Node, Operator, ReduceKind, UnaryKind, View};

/// What an integer kernel wants of the scales of its operands.
#[derive(Clone, Copy)]
pub(crate) enum Scheme {
    /// No real numbers are involved: the node stays as it is.
    Untouched,
    /// Sums of products with constant weights: int8 weights with a scale per channel, a bias in steps of input scale · weight scale, and an output with
    /// a range of its own.
    Layer(Layer),
    /// Every operand and every output has a range of its own.
    Rescaled,
    /// Elements are moved, compared or averaged without rescaling: all real operands and outputs share one scale and zero point.
    Moved,
    /// The kernel fixes scale and zero point of its output.
    Fixed {
        /// For int8.
        int8: (f32, i32),
        /// For int16, where there is such a kernel.
        int16: Option<(f32, i32)>,
    },
    /// The function builds the integer nodes itself.
    Own {
        /// Builds the nodes.
        build: fn(&mut Integers<'_>, &Node) -> Result<(), Problem>,
        /// Scale and zero point in int8 of the first outputs, where the kernel fixes them.
        int8: &'static [(f32, i32)],
        /// So many of the first outputs share one scale and zero point.
        alike: usize,
    },
    /// There is no integer kernel: the node computes with real numbers.
    Real,
}

/// The entry of a node's operator.
pub(crate) fn scheme(view: &View<'_>) -> Scheme {
    let node = view.node;
    let is_real = |id: usize| view.tensor(id).element == Element::F32;
    if !node.inputs.iter().flatten().chain(&node.outputs).any(|&id| is_real(id)) {
        return Scheme::Untouched;
    }
    match &node.operator {
        Operator::Conv2d { .. }
        | Operator::DepthwiseConv2d { .. }
        | Operator::TransposeConv2d { .. }
        | Operator::Dense { .. } => Layer::of(view).map_or(Scheme::Real, Scheme::Layer),

        Operator::Pool2d { .. } => Scheme::Moved,
        Operator::Reduce { kind: ReduceKind::Max | ReduceKind::Min, .. } => Scheme::Moved,
        Operator::Reduce { kind: ReduceKind::Mean | ReduceKind::Sum, .. } => Scheme::Rescaled,
        Operator::Binary(BinaryKind::Minimum | BinaryKind::Maximum, _) => Scheme::Moved,
        Operator::Binary(
            BinaryKind::Add
            | BinaryKind::Subtract
            | BinaryKind::Multiply
            | BinaryKind::SquaredDifference
            | BinaryKind::Divide,
            _,
        ) => Scheme::Rescaled,
        Operator::MatMul { .. } | Operator::Prelu | Operator::Compare(_) | Operator::CumulativeSum { .. } => {
            Scheme::Rescaled
        }
        Operator::ArgExtreme { .. } => Scheme::Rescaled,

        Operator::Unary(UnaryKind::Logistic) => {
            Scheme::Fixed { int8: (1.0 / 256.0, -128), int16: Some((1.0 / 32768.0, 0)) }
        }
        Operator::Unary(UnaryKind::Tanh) => Scheme::Fixed { int8: (1.0 / 128.0, 0), int16: Some((1.0 / 32768.0, 0)) },
        Operator::Unary(_) => Scheme::Rescaled,
        Operator::Softmax { .. } => Scheme::Fixed { int8: (1.0 / 256.0, -128), int16: Some((1.0 / 32768.0, 0)) },
        Operator::LogSoftmax => Scheme::Fixed { int8: (16.0 / 256.0, 127), int16: None },
        Operator::L2Normalise { .. } => Scheme::Fixed { int8: (1.0 / 128.0, 0), int16: None },

        Operator::Reshape
        | Operator::ExpandDims
        | Operator::Transpose
        | Operator::StridedSlice { .. }
        | Operator::Slice
        | Operator::Concatenate { .. }
        | Operator::Split
        | Operator::Pack { .. }
        | Operator::Unpack { .. }
        | Operator::Reverse
        | Operator::Tile
        | Operator::BroadcastTo
        | Operator::DepthToSpace { .. }
        | Operator::SpaceToDepth { .. }
        | Operator::SpaceToBatch
        | Operator::BatchToSpace
        | Operator::Pad
        | Operator::MirrorPad { .. }
        | Operator::Select { .. }
        | Operator::Gather { .. }
        | Operator::GatherNd
        | Operator::UpdateSlice
        | Operator::ResizeBilinear { .. }
        | Operator::ResizeNearest { .. } => Scheme::Moved,

        Operator::Recurrent { cell, .. } => cells::recurrent(view, *cell),

        // States and what has no integer kernel.
        _ => Scheme::Real,
    }
}

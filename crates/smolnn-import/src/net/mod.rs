//! The net: tensors, and the nodes that compute them, each with a typed operator. It knows neither the format of a file nor a kernel, so that
//! readers, passes and the quantiser meet here.
//!
//! - `tensor`: element types, quantisation, constants.
//! - `operator`: every operator as one enum with named attributes. What a model may compute (axes, sizes, a permutation) is an operand; what
//!   is fixed is an attribute.
//! - `graph`: the net, and the check of its flow.
//! - `view`: a node with the net around it, and the words for what is wrong with it.
//! - `infer`: the shapes and types of a node's outputs, against which the stated ones are checked.
//! - `layer`: layers with weights of real numbers, as passes and the quantiser change them.
//! - `movement`: operators that move elements and compute none, as copies through strides: one description for inference, folding and lowering.
//! - `geometry`: axes and broadcasting, which several of the above need.
//! - `rows`: which rows of its images an operator needs for some rows of its output, and the operator over these rows alone.
//! - `columns`: the same along the columns, for passes that write an operator over some of its columns.
//! - `evaluate`: operators on constants, as computations on shapes use them.

mod columns;
mod evaluate;
mod geometry;
mod graph;
mod infer;
mod layer;
mod movement;
mod operator;
mod rows;
mod tensor;
mod view;

pub(crate) use columns::{column_windows, image_columns, node_over_columns};
pub(crate) use evaluate::evaluate;
pub(crate) use geometry::{
    Blocks, GatherLengths, axis_lengths, blocks, broadcast_lengths, gather_lengths, pad_amounts, reduced_axes, resized,
};
pub(crate) use graph::members;
pub use graph::{Net, Node, RemovedChannels};
pub(crate) use infer::{Inferred, check_elements, check_shapes, infer};
pub use layer::Axis;
pub(crate) use layer::Layer;
pub(crate) use movement::{Move, movement, padding};
pub use operator::{
    Activation, BinaryKind, Comparison, Operator, Padding, PoolKind, RecurrentCell, ReduceKind, Reset, SignalKind,
    SlidingWindow, UnaryKind,
};
pub(crate) use rows::{RowWindow, Rows, node_over_rows, row_windows};
pub(crate) use tensor::from_f16;
pub use tensor::{Constant, Element, Quantisation, Tensor, TensorId};
pub(crate) use view::View;

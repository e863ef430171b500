//! Images by columns: which columns of its inputs an operator needs for some columns of its output, and the operator over these columns alone. It is what `rows` does
//! along the other axis, for the passes: the operator over some columns stands in a net of its own tensors.

use std::ops::Range;

use smolnn_core::same_padding;

use super::geometry::pad_amounts;
use super::graph::{Net, Node};
use super::operator::{Operator, Padding, SlidingWindow};
use super::rows::{COLUMNS, RowWindow, Rows, element_window, image_length, sliding};
use super::tensor::{Constant, Element, Tensor, TensorId};
use super::view::View;

/// The columns of an image; `None` for tensors that are no image of several columns.
pub(crate) fn image_columns(shape: &[usize]) -> Option<usize> {
    image_length(shape, COLUMNS)
}

/// For each input of a node that goes by columns the window of the image that it is, counted in columns, `None` for an input that every column reads as a whole.
/// `None` for a node that does not go by columns.
pub(crate) fn column_windows(view: &View<'_>) -> Option<Vec<Option<RowWindow>>> {
    let &[output] = &view.node.outputs[..] else { return None };
    let width = image_columns(&view.tensor(output).shape)?;
    let image = view.optional_input(0)?;
    let columns = |id: TensorId| image_columns(&view.tensor(id).shape);
    let mut windows = vec![None; view.node.inputs.len()];
    match &view.node.operator {
        Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. } => {
            let weights = view.tensor(view.optional_input(1)?);
            weights.data.as_ref()?;
            windows[0] = Some(sliding(window, COLUMNS, *weights.shape.get(2)?, columns(image)?));
        }
        Operator::Pool2d { kernel, window, .. } => {
            windows[0] = Some(sliding(window, COLUMNS, kernel[1], columns(image)?));
        }
        Operator::Unary(_)
        | Operator::Lookup(_)
        | Operator::Quantise
        | Operator::Dequantise
        | Operator::Cast
        | Operator::Softmax { .. }
        | Operator::LogSoftmax
        | Operator::L2Normalise { .. } => windows[0] = Some(RowWindow::POINTWISE),
        Operator::Prelu | Operator::Binary(..) | Operator::Compare(_) | Operator::Select { .. } | Operator::AddN => {
            for (window, input) in windows.iter_mut().zip(&view.node.inputs) {
                *window = element_window(view, (*input)?, COLUMNS, width)?;
            }
        }
        Operator::Concatenate { axis } if axis.rem_euclid(4) == 3 => {
            for (window, input) in windows.iter_mut().zip(&view.node.inputs) {
                let tensor = view.tensor((*input)?);
                (tensor.data.is_none() && image_columns(&tensor.shape) == Some(width)).then_some(())?;
                *window = Some(RowWindow::POINTWISE);
            }
        }
        Operator::Pad => {
            let amounts = pad_amounts(view).ok()?;
            let (&[(0, 0), _, (left, right), _], Some(_)) = (&amounts[..], columns(image)) else { return None };
            windows[0] = Some(RowWindow { above: left, pads: left + right > 0, ..RowWindow::POINTWISE });
        }
        _ => return None,
    }
    let is_image = |(window, input): (&Option<RowWindow>, &Option<TensorId>)| {
        window.is_none() || input.is_some_and(|id| columns(id).is_some() && view.tensor(id).data.is_none())
    };
    windows.iter().zip(&view.node.inputs).all(is_image).then_some(windows)
}

/// The node over some columns of its output, with the inputs and the output of `node`: the image at input 0 has these columns, and their padding on each side. A pad
/// gets amounts of its own, which are added to the net.
pub(crate) fn node_over_columns(net: &mut Net, node: &Node, seen: Option<&Rows>, made: &Range<usize>) -> Node {
    let mut node = node.clone();
    let (left, right) = seen.map_or((0, 0), |seen| (seen.above, seen.below));
    let length = |input: usize, axis: usize| {
        let id = node.inputs.get(input).copied().flatten();
        id.and_then(|id| net.tensors[id].shape.get(axis).copied()).unwrap_or(1)
    };
    let (height, kernel_height) = (length(0, 1), length(1, 1));
    let pads = |window: &mut SlidingWindow, kernel: usize| {
        let (top, bottom) = match window.padding {
            Padding::Same => same_padding(height, kernel, window.dilation[0], window.stride[0]),
            Padding::Valid => (0, 0),
            Padding::Explicit { top, bottom, .. } => (top, bottom),
        };
        window.padding = Padding::Explicit { top, bottom, left, right };
    };
    match &mut node.operator {
        Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. } => pads(window, kernel_height),
        Operator::Pool2d { kernel, window, .. } => pads(window, kernel[0]),
        Operator::Pad => {
            let amounts = pad_amounts(&View { net, node: &node }).unwrap_or_default();
            let padding = made.len() - seen.map_or(0, |seen| seen.rows.len());
            let left = left.min(padding);
            let amount = |(axis, amounts): (usize, (usize, usize))| {
                let (before, behind) = if axis == 2 { (left, padding - left) } else { amounts };
                [before, behind]
            };
            let amounts: Vec<usize> = amounts.into_iter().enumerate().flat_map(amount).collect();
            let shape = vec![amounts.len() / 2, 2];
            node.inputs[1] = Some(net.integers("paddings", shape, &amounts));
        }
        _ => {}
    }
    node
}

impl Net {
    /// A new constant of integers.
    fn integers(&mut self, name: &str, shape: Vec<usize>, values: &[usize]) -> TensorId {
        let bytes = values.iter().flat_map(|&value| i32::try_from(value).unwrap_or(i32::MAX).to_le_bytes()).collect();
        self.tensors.push(Tensor::new(name.into(), Element::I32, shape, Some(Constant::new(bytes))));
        self.tensors.len() - 1
    }

    /// A new tensor of some columns of an image, without a writer.
    pub(crate) fn columns_of(&mut self, image: TensorId, columns: &Range<usize>) -> TensorId {
        let whole = &self.tensors[image];
        let mut tensor = Tensor { name: format!("{}[{columns:?}]", whole.name), ..whole.clone() };
        tensor.shape[2] = columns.len();
        self.tensors.push(tensor);
        self.tensors.len() - 1
    }

    /// A node that takes some columns of an image, all of its rows.
    pub(crate) fn take_columns(&mut self, (image, first): (TensorId, usize), output: TensorId, index: usize) -> Node {
        let of_image = self.tensors[output].shape[2..].iter();
        let size = [1, -1].into_iter().chain(of_image.map(|&length| i32::try_from(length).unwrap_or(i32::MAX)));
        let bytes = size.flat_map(i32::to_le_bytes).collect();
        let begin = self.integers("begin", vec![4], &[0, 0, first, 0]);
        self.tensors.push(Tensor::new("size".into(), Element::I32, vec![4], Some(Constant::new(bytes))));
        let inputs = vec![Some(image), Some(begin), Some(self.tensors.len() - 1)];
        Node { index, name: "SLICE".into(), operator: Operator::Slice, inputs, outputs: vec![output] }
    }
}

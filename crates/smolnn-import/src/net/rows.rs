//! Images by rows: which rows of its inputs an operator needs for some rows of its output, and the operator over these rows alone.
//!
//! An image is a tensor `[1, rows, columns, channels]`. An operator goes by rows when every row of its output depends on a window of rows of each
//! image that it reads: convolutions, pooling, pads, resizes by whole factors, what works element by element, pixel by pixel or along the columns and channels.
//! Over some rows it is the same operator with smaller images, whose padding stands above the first rows and below the last ones only.

use std::ops::Range;

use smolnn_core::same_padding;

use super::geometry::pad_amounts;
use super::graph::{Net, Node};
use super::operator::{Operator, Padding, SlidingWindow};
use super::tensor::TensorId;
use super::view::View;

/// The rows of an image that a row of the output sees: row `y` sees those from `⌊y / repeat⌋ · stride − above` on, `span` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowWindow {
    /// Rows from the first to the last one that a row of the output sees.
    pub span: usize,
    /// Rows from one window to the next.
    pub stride: usize,
    /// Rows of padding above the image.
    pub above: usize,
    /// Rows of the output that have one window: several where an image grows.
    pub repeat: usize,
    /// Whether rows of the output may see nothing but padding.
    pub pads: bool,
}

/// Rows of an image, with the rows of padding that belong to their windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Rows of padding above.
    pub above: usize,
    /// The rows of the image.
    pub rows: Range<usize>,
    /// Rows of padding below.
    pub below: usize,
}

impl RowWindow {
    /// Every row sees the row at its own place.
    pub(crate) const POINTWISE: Self = Self { span: 1, stride: 1, above: 0, repeat: 1, pads: false };

    /// The row at which the window of a row of the output begins, padding above included.
    pub(crate) fn start(&self, row: usize) -> usize {
        row / self.repeat * self.stride
    }

    /// What these rows of the output see of an image of `height` rows: none of them where all is padding.
    pub(crate) fn rows(&self, output: &Range<usize>, height: usize) -> Rows {
        let start = self.start(output.start);
        let end = self.start(output.end - 1) + self.span;
        let rows = start.saturating_sub(self.above).min(height)..end.saturating_sub(self.above).min(height);
        Rows { above: self.above.saturating_sub(start), below: end.saturating_sub(self.above + height), rows }
    }
}

/// The axes of an image along which windows slide.
pub(super) const ROWS: usize = 1;
pub(super) const COLUMNS: usize = 2;

/// The length of an image along one of its axes; `None` for tensors that are no image, or one of length 1 there.
pub(super) fn image_length(shape: &[usize], axis: usize) -> Option<usize> {
    match *shape {
        [1, _, _, _] if shape[axis] > 1 => Some(shape[axis]),
        _ => None,
    }
}

/// The rows of an image; `None` for tensors that are no image of several rows.
pub(crate) fn image_rows(shape: &[usize]) -> Option<usize> {
    image_length(shape, ROWS)
}

/// For each input of a node that goes by rows the window of the image that it is, `None` for an input that every row reads as a whole. `None` for a node
/// that does not go by rows.
pub(crate) fn row_windows(view: &View<'_>) -> Option<Vec<Option<RowWindow>>> {
    let &[output] = &view.node.outputs[..] else { return None };
    let height = image_rows(&view.tensor(output).shape)?;
    let image = view.optional_input(0)?;
    let mut windows = vec![None; view.node.inputs.len()];
    match &view.node.operator {
        Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. } => {
            let weights = view.tensor(view.optional_input(1)?);
            weights.data.as_ref()?;
            windows[0] = Some(sliding(window, ROWS, *weights.shape.get(1)?, image_rows(&view.tensor(image).shape)?));
        }
        Operator::Pool2d { kernel, window, .. } => {
            windows[0] = Some(sliding(window, ROWS, kernel[0], image_rows(&view.tensor(image).shape)?));
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
                *window = element_window(view, (*input)?, ROWS, height)?;
            }
        }
        Operator::Concatenate { axis } if [2, 3].contains(&axis.rem_euclid(4)) => {
            for (window, input) in windows.iter_mut().zip(&view.node.inputs) {
                let tensor = view.tensor((*input)?);
                (tensor.data.is_none() && image_rows(&tensor.shape) == Some(height)).then_some(())?;
                *window = Some(RowWindow::POINTWISE);
            }
        }
        // All rows of some columns or channels; where it says how many rows that are, they would be others for some of them.
        Operator::Slice => {
            let (begin, size) = (view.integers(1, "begin").ok()?, view.integers(2, "size").ok()?);
            (begin.get(1) == Some(&0) && size.get(1) == Some(&-1)).then_some(())?;
            windows[0] = Some(RowWindow::POINTWISE);
        }
        Operator::Pad => {
            let amounts = pad_amounts(view).ok()?;
            let (&[(0, 0), (above, below), _, _], Some(_)) = (&amounts[..], image_rows(&view.tensor(image).shape))
            else {
                return None;
            };
            windows[0] = Some(RowWindow { above, pads: above + below > 0, ..RowWindow::POINTWISE });
        }
        Operator::ResizeNearest { align_corners, half_pixel_centers } => {
            let (from, repeat) = whole_factor(view, image, height)?;
            // Positions are computed in f32, which does not always find the row that it should.
            let half = if *half_pixel_centers { 0.5 } else { 0.0 };
            let position = |row: usize| ((row as f32 + half) * (from as f32 / height as f32)) as usize;
            (!align_corners && (0..height).all(|row| position(row) == row / repeat)).then_some(())?;
            windows[0] = Some(RowWindow { repeat, ..RowWindow::POINTWISE });
        }
        Operator::ResizeBilinear { align_corners, half_pixel_centers } => {
            let (_, repeat) = whole_factor(view, image, height)?;
            // The weights of a row are then those of the row `repeat` behind it.
            (!align_corners && repeat.is_power_of_two() && repeat <= 1024).then_some(())?;
            // A row lies between two rows of the image; with half pixel centres some lie above the middle of their own.
            let (span, above) = match (repeat, half_pixel_centers) {
                (1, _) => (1, 0),
                (_, false) => (2, 0),
                (_, true) => (3, 1),
            };
            windows[0] = Some(RowWindow { span, above, repeat, ..RowWindow::POINTWISE });
        }
        _ => return None,
    }
    let is_image = |(window, input): (&Option<RowWindow>, &Option<TensorId>)| {
        window.is_none() || input.is_some_and(|id| image_rows(&view.tensor(id).shape).is_some())
    };
    windows.iter().zip(&view.node.inputs).all(is_image).then_some(windows)
}

/// The rows of an image, and the whole factor by which a resize to `height` rows has more of them.
fn whole_factor(view: &View<'_>, image: TensorId, height: usize) -> Option<(usize, usize)> {
    let rows = image_rows(&view.tensor(image).shape)?;
    height.is_multiple_of(rows).then(|| (rows, height / rows))
}

/// The window along an axis of an operand of an operator that works element by element: pointwise for an image, none for what repeats along the axis.
pub(super) fn element_window(view: &View<'_>, id: TensorId, axis: usize, length: usize) -> Option<Option<RowWindow>> {
    let tensor = view.tensor(id);
    // Axes count from behind, where shapes meet.
    let own = (tensor.shape.len() + axis).checked_sub(4).map_or(1, |axis| tensor.shape[axis]);
    if own == 1 {
        return Some(None);
    }
    let is_image = tensor.data.is_none() && image_length(&tensor.shape, axis) == Some(length);
    is_image.then_some(Some(RowWindow::POINTWISE))
}

/// The window along an axis of a kernel of so many taps over an image of this length.
pub(super) fn sliding(window: &SlidingWindow, axis: usize, kernel: usize, length: usize) -> RowWindow {
    let (stride, dilation) = (window.stride[axis - 1], window.dilation[axis - 1]);
    let above = match window.padding {
        Padding::Same => same_padding(length, kernel, dilation, stride).0,
        Padding::Valid => 0,
        Padding::Explicit { top, left, .. } => [top, left][axis - 1],
    };
    RowWindow { span: kernel.saturating_sub(1) * dilation + 1, stride, above, ..RowWindow::POINTWISE }
}

/// The node over some of its rows: in `net`, whose shapes it changes, its image at input 0 has these rows and their padding.
pub(crate) fn node_over_rows(net: &mut Net, node: &Node, seen: &[Option<Rows>], rows: usize) -> Node {
    let mut node = node.clone();
    let pads = |window: &mut SlidingWindow, width: usize, kernel: usize| {
        let (left, right) = match window.padding {
            Padding::Same => same_padding(width, kernel, window.dilation[1], window.stride[1]),
            Padding::Valid => (0, 0),
            Padding::Explicit { left, right, .. } => (left, right),
        };
        let (top, bottom) = seen.first().and_then(Option::as_ref).map_or((0, 0), |seen| (seen.above, seen.below));
        window.padding = Padding::Explicit { top, bottom, left, right };
    };
    let length = |input: usize, axis: usize| {
        let id = node.inputs.get(input).copied().flatten();
        id.and_then(|id| net.tensors[id].shape.get(axis).copied()).unwrap_or(1)
    };
    let (width, kernel_width) = (length(0, 2), length(1, 2));
    match &mut node.operator {
        Operator::Conv2d { window, .. } | Operator::DepthwiseConv2d { window, .. } => {
            pads(window, width, kernel_width);
        }
        Operator::Pool2d { kernel, window, .. } => pads(window, width, kernel[1]),
        _ => {}
    }
    for (seen, input) in seen.iter().zip(&node.inputs) {
        if let (Some(seen), Some(id)) = (seen, *input) {
            net.tensors[id].shape[1] = seen.rows.len();
        }
    }
    for &output in &node.outputs {
        net.tensors[output].shape[1] = rows;
    }
    node
}

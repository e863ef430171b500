//! Calls of nodes over some of their rows: the same kernels with the same constants, over smaller images.

use std::cell::RefCell;
use std::ops::Range;

use smolnn_fixed::Backend;

use super::call::Call;
use super::context::Context;
use super::{Lowered, lower_node, pad, resize};
use crate::net::{Net, Operator, Rows, View, check_elements, check_shapes, node_over_rows, row_windows};

/// Lowers nodes over some of their rows.
#[derive(Debug)]
pub(crate) struct RowLowering {
    /// The net, in which the images of the node that is being lowered have fewer rows.
    net: Net,
    backend: Backend,
}

impl RowLowering {
    pub(crate) fn new(net: &Net, backend: Backend) -> Self {
        Self { net: net.clone(), backend }
    }

    /// The call of the node at this position of the net that makes these rows of its output from the rows of its inputs that they see; `None`
    /// where no single kernel does it. `whole` is the call over all rows.
    pub(crate) fn call(
        &mut self,
        (position, whole): (usize, &Call),
        seen: &[Option<Rows>],
        made: &Range<usize>,
    ) -> Option<Call> {
        let node = self.net.nodes[position].clone();
        let windows = row_windows(&View { net: &self.net, node: &node })?;
        let first = windows.first().copied().flatten().zip(seen.first().and_then(Option::as_ref));
        let images = node.inputs.iter().flatten().chain(&node.outputs);
        let shapes: Vec<_> = images.map(|&id| (id, self.net.tensors[id].shape.clone())).collect();
        let node = node_over_rows(&mut self.net, &node, seen, made.len());
        let temporaries = RefCell::new(Vec::new());
        let view = View { net: &self.net, node: &node };
        let context = Context { view, backend: self.backend, temporaries: &temporaries };
        let lowered = match (&node.operator, first) {
            // The operands of these state the whole image.
            (Operator::ResizeBilinear { half_pixel_centers, .. }, Some((window, seen))) => {
                resize::bilinear_rows(&context, *half_pixel_centers, window.repeat, (&seen.rows, made))
            }
            (Operator::ResizeNearest { .. }, Some((window, _))) => resize::nearest_rows(&context, window.repeat, made),
            (Operator::Pad, Some((_, seen))) => pad::rows(&context, whole, seen, made.len()),
            _ => check_shapes(&view).and_then(|inferred| {
                let lowered = lower_node(&context)?;
                check_elements(&view, &inferred).map(|()| lowered)
            }),
        };
        for (id, shape) in shapes {
            self.net.tensors[id].shape = shape;
        }
        match lowered {
            Ok(Lowered::Calls(calls)) if temporaries.borrow().is_empty() => {
                <[Call; 1]>::try_from(calls).ok().map(|[call]| call)
            }
            _ => None,
        }
    }
}

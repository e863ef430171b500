//! Geometry that inference and lowering share: windows, broadcasting, reduced axes, amounts of padding.

use smolnn_core::{Image, Window2d, WindowSize};

use super::operator::{Padding, SlidingWindow};
use super::view::View;
use crate::error::Problem;

impl SlidingWindow {
    /// The window of a kernel over images: batch, height, width, channels.
    pub(crate) fn over(&self, [batch, height, width, channels]: [usize; 4], kernel: [usize; 2]) -> Window2d {
        let [kernel_height, kernel_width] = kernel;
        let window = Window2d::over(Image::hwc(height, width, channels), WindowSize::hw(kernel_height, kernel_width))
            .batch(batch);
        let window = window.stride(self.stride[0], self.stride[1]).dilation(self.dilation[0], self.dilation[1]);
        match self.padding {
            Padding::Same => window.same(),
            Padding::Valid => window,
            Padding::Explicit { top, bottom, left, right } => window.padding(top, bottom, left, right),
        }
    }
}

/// The shape of a result whose operands have these shapes; `None` where they do not fit each other.
pub(super) fn broadcast(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let rank = left.len().max(right.len());
    let length = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (length(left, axis), length(right, axis)) {
            (a, b) if a == b || b == 1 => Some(a),
            (1, b) => Some(b),
            _ => None,
        })
        .collect()
}

/// The lengths of two operands of which the shorter one repeats along the leading dimensions of the longer one; `None` where the shapes broadcast
/// in another way.
pub(crate) fn broadcast_lengths(left: &[usize], right: &[usize]) -> Option<(usize, usize)> {
    let significant = |shape: &[usize]| shape.iter().copied().skip_while(|&length| length == 1).collect::<Vec<_>>();
    let (a, b) = (significant(left), significant(right));
    (a.ends_with(&b) || b.ends_with(&a)).then(|| (left.iter().product(), right.iter().product()))
}

/// For each dimension of input 0 whether it is among the axes, which are input 1.
pub(super) fn marked_axes(view: &View<'_>) -> Result<Vec<bool>, Problem> {
    let shape = view.input_shape(0)?;
    let mut marked = vec![false; shape.len()];
    for axis in view.integers(1, "axes")? {
        marked[view.axis(axis, shape.len())?] = true;
    }
    Ok(marked)
}

/// Input 0 of a reduction as outer × reduced × inner; the axes, input 1, must be neighbours.
pub(crate) fn reduction_lengths(view: &View<'_>) -> Result<(usize, usize, usize), Problem> {
    let (shape, reduced) = (view.input_shape(0)?, marked_axes(view)?);
    // Dimensions of 1 neither matter nor separate.
    let (mut outer, mut middle, mut inner) = (1, 1, 1);
    for (&length, &reduced) in shape.iter().zip(&reduced).filter(|&(&length, _)| length > 1) {
        match (reduced, middle, inner) {
            (true, _, 1) => middle *= length,
            (true, ..) => {
                let found = format!("axes {:?} of shape {shape:?}", view.integers(1, "axes")?);
                return Err(view.tensor_fault(view.input(1)?, found, "neighbouring axes"));
            }
            (false, 1, _) => outer *= length,
            (false, ..) => inner *= length,
        }
    }
    Ok((outer, middle, inner))
}

/// The amounts before and behind each dimension of input 0, which are input 1.
pub(crate) fn pad_amounts(view: &View<'_>) -> Result<Vec<(usize, usize)>, Problem> {
    let rank = view.input_shape(0)?.len();
    let (id, amounts) = (view.input(1)?, view.integers(1, "paddings")?);
    let shape = view.input_shape(1)?;
    if shape != [rank, 2] {
        return Err(view.tensor_fault(id, format!("paddings of shape {shape:?}"), format!("shape [{rank}, 2]")));
    }
    let amount = |amount: i64| usize::try_from(amount).ok().filter(|&amount| amount <= 1 << 24);
    amounts
        .as_chunks()
        .0
        .iter()
        .map(|&[before, behind]| Some((amount(before)?, amount(behind)?)))
        .collect::<Option<_>>()
        .ok_or_else(|| view.tensor_fault(id, format!("paddings {amounts:?}"), "0 and above"))
}

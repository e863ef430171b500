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

/// The axes of a reduction, from the front: those among the values of input 1.
pub(crate) fn reduced_axes(view: &View<'_>) -> Result<Vec<usize>, Problem> {
    let marked = marked_axes(view)?;
    Ok((0..marked.len()).filter(|&axis| marked[axis]).collect())
}

/// Input 0 as outer × length × inner around the one axis that is input 1, and the position of that axis.
pub(crate) fn axis_lengths(view: &View<'_>) -> Result<([usize; 3], usize), Problem> {
    let shape = view.input_shape(0)?;
    let axis = view.axis(view.integer(1, "axis")?, shape.len())?;
    Ok(([shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()], axis))
}

/// The amounts before and behind each dimension of input 0, which are input 1.
pub(crate) fn pad_amounts(view: &View<'_>) -> Result<Vec<(usize, usize)>, Problem> {
    amounts(view, 1, "paddings", view.input_shape(0)?.len())
}

/// The amounts before and behind each of `count` dimensions, which are input `index`.
fn amounts(view: &View<'_>, index: usize, role: &str, count: usize) -> Result<Vec<(usize, usize)>, Problem> {
    let amounts = view.integers(index, role)?;
    let shape = view.input_shape(index)?;
    if shape != [count, 2] {
        let found = format!("{role} of shape {shape:?}");
        return Err(view.fault_of_input(index, found, format!("shape [{count}, 2]")));
    }
    let amount = |amount: i64| usize::try_from(amount).ok().filter(|&amount| amount <= 1 << 24);
    amounts
        .as_chunks()
        .0
        .iter()
        .map(|&[before, behind]| Some((amount(before)?, amount(behind)?)))
        .collect::<Option<_>>()
        .ok_or_else(|| view.fault_of_input(index, format!("{role} {amounts:?}"), "0 and above"))
}

/// The lengths in a constant operand; those stated for the output where it is computed when the model runs.
pub(super) fn lengths(view: &View<'_>, index: usize, role: &str, stated: &[usize]) -> Result<Vec<usize>, Problem> {
    if view.tensor(view.input(index)?).data.is_none() {
        return Ok(stated.to_vec());
    }
    let values = view.integers(index, role)?;
    let lengths = values.iter().map(|&value| usize::try_from(value).ok()).collect::<Option<Vec<_>>>();
    lengths.ok_or_else(|| view.fault_of_input(index, format!("{role} {values:?}"), "lengths of at least 1"))
}

/// Height and width that a resize, whose input 1 they are, gives its image.
pub(crate) fn resized(view: &View<'_>) -> Result<[usize; 2], Problem> {
    let [_, stated_height, stated_width, _] = view.nhwc(view.output(0)?)?;
    let size = lengths(view, 1, "size", &[stated_height, stated_width])?;
    <[usize; 2]>::try_from(&size[..]).map_err(|_| view.fault_of_input(1, format!("size {size:?}"), "height and width"))
}

/// The lengths of a gather: values of batch × outer × axis × inner elements, and batch × indices indices.
pub(crate) struct GatherLengths {
    pub batch: usize,
    pub outer: usize,
    pub axis: usize,
    pub inner: usize,
    pub indices: usize,
    /// The shape of the result.
    pub shape: Vec<usize>,
}

/// The lengths of a gather along an axis, whose leading dimensions values and indices share.
pub(crate) fn gather_lengths(view: &View<'_>, axis: i64, batch_dims: i64) -> Result<GatherLengths, Problem> {
    let (shape, indices) = (view.input_shape(0)?, view.input_shape(1)?);
    let axis = view.axis(axis, shape.len())?;
    let batch = usize::try_from(if batch_dims < 0 { batch_dims + indices.len() as i64 } else { batch_dims });
    let fits = |&batch: &usize| batch <= axis && batch <= indices.len() && shape[..batch] == indices[..batch];
    let Some(batch) = batch.ok().filter(fits) else {
        let found = format!("{batch_dims} batch dimensions of shapes {shape:?} and {indices:?}, axis {axis}");
        return Err(view.fault(found, "leading dimensions that values and indices share, before the axis"));
    };
    let result = [&shape[..axis], &indices[batch..], &shape[axis + 1..]].concat();
    view.bounded(&result)?;
    let product = |lengths: &[usize]| lengths.iter().product();
    Ok(GatherLengths {
        batch: product(&shape[..batch]),
        outer: product(&shape[batch..axis]),
        axis: shape[axis],
        inner: product(&shape[axis + 1..]),
        indices: product(&indices[batch..]),
        shape: result,
    })
}

/// Images, and the small images that their blocks are dealt out to.
pub(crate) struct Blocks {
    /// Images.
    pub batch: usize,
    /// Height, width and channels of an image.
    pub space: [usize; 3],
    /// Height and width of a block.
    pub block: [usize; 2],
    /// Rows above and columns before the image that belong to the blocks.
    pub before: [usize; 2],
    /// Rows and columns of a small image.
    pub small: [usize; 2],
    /// The shape of the result.
    pub shape: Vec<usize>,
}

/// The blocks of a node whose input 0 are images (`to_batch`) or small images, input 1 the lengths of a block, input 2 the amounts of padding or crop.
pub(crate) fn blocks(view: &View<'_>, to_batch: bool) -> Result<Blocks, Problem> {
    let shape = view.input_shape(0)?;
    let block = view.integers(1, "block")?;
    let lengths =
        block.iter().map(|&length| usize::try_from(length).ok().filter(|length| (1..=1 << 20).contains(length)));
    let Some(lengths) = lengths.collect::<Option<Vec<_>>>() else {
        return Err(view.fault_of_input(1, format!("blocks of {block:?}"), "blocks of at least 1"));
    };
    let blocked = lengths.len();
    if !(1..=2).contains(&blocked) || shape.len() <= blocked {
        let found = format!("blocks of {blocked} dimensions in shape {shape:?}");
        return Err(view.fault(found, "blocks of one or two dimensions behind the first"));
    }
    let amounts = amounts(view, 2, if to_batch { "paddings" } else { "crops" }, blocked)?;
    let count: usize = lengths.iter().product();
    let mut result = shape.to_vec();
    let fault = || {
        let found = format!("shape {shape:?} with blocks of {lengths:?} and amounts {amounts:?}");
        view.fault(found, "dimensions that whole blocks make up")
    };
    result[0] = if to_batch {
        shape[0].checked_mul(count).ok_or_else(fault)?
    } else {
        Some(shape[0]).filter(|&batch| batch.is_multiple_of(count)).ok_or_else(fault)? / count
    };
    for (axis, (&length, &(before, behind))) in lengths.iter().zip(&amounts).enumerate() {
        let from = shape[1 + axis];
        result[1 + axis] = if to_batch {
            let padded = before + from + behind;
            Some(padded).filter(|padded| padded.is_multiple_of(length)).ok_or_else(fault)? / length
        } else {
            let whole = from.checked_mul(length).ok_or_else(fault)?;
            whole.checked_sub(before + behind).filter(|&rest| rest > 0).ok_or_else(fault)?
        };
    }
    view.bounded(&result)?;
    let (images, small) = if to_batch { (shape, &result[..]) } else { (&result[..], shape) };
    // A sequence is an image of one row.
    let two = |lengths: &[usize], one: usize| if blocked == 2 { [lengths[0], lengths[1]] } else { [one, lengths[0]] };
    let [height, width] = two(&images[1..], 1);
    let before: Vec<usize> = amounts.iter().map(|&(before, _)| before).collect();
    Ok(Blocks {
        batch: images[0],
        space: [height, width, images[1 + blocked..].iter().product()],
        block: two(&lengths, 1),
        before: two(&before, 0),
        small: two(&small[1..], 1),
        shape: result,
    })
}

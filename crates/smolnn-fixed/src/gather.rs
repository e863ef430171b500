//! Elements picked by indices that are computed: GATHER and GATHER_ND. Elements of any type; nothing is rounded.
//!
//! - GATHER: output[b, o, k, i] = input[b, o, index[b, k], i], along one axis between outer and inner ones, and of a batch
//!   of tensors and index lists.
//! - GATHER_ND: output[k, i] = input[index[k, 0], …, index[k, d − 1], i].
//! - An index outside of its axis picks the nearest element of it, so that no input can make a model fail; the reference
//!   stops with an error.
//! - Held by: random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{ShapeError, excluded};

use crate::movement::RANK;

/// The element of an axis of `length` that an index means.
#[inline(always)]
fn nearest(index: i32, length: usize) -> usize {
    (index.max(0) as usize).min(length.wrapping_sub(1))
}

/// Checks that no length is 0 and that their product has a size that offsets can count.
const fn product(lengths: &[usize]) -> Result<usize, ShapeError> {
    let mut length: usize = 1;
    let mut index = 0;
    while index < lengths.len() {
        if lengths[index] == 0 {
            return Err(ShapeError::Zero("a length of the gathered tensors"));
        }
        length = match length.checked_mul(lengths[index]) {
            Some(length) if length < 1 << 31 => length,
            _ => return Err(ShapeError::TooLarge),
        };
        index += 1;
    }
    Ok(length)
}

/// A gather along one axis, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    batch: usize,
    outer: usize,
    axis: usize,
    inner: usize,
    indices: usize,
}

impl Gather {
    /// From tensors of batch × outer × axis × inner elements, by batch × `indices` indices.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large.
    pub const fn new(
        batch: usize,
        outer: usize,
        axis: usize,
        inner: usize,
        indices: usize,
    ) -> Result<Self, ShapeError> {
        match (product(&[batch, outer, axis, inner]), product(&[batch, outer, indices, inner])) {
            (Ok(_), Ok(_)) => Ok(Self { batch, outer, axis, inner, indices }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.batch * self.outer * self.axis * self.inner
    }

    /// Indices.
    pub const fn indices_len(&self) -> usize {
        self.batch * self.indices
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.batch * self.outer * self.indices * self.inner
    }
}

/// Runs the gather along one axis.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn gather<T: Copy>(layer: &Gather, input: &[T], indices: &[i32], output: &mut [T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.input_len(), input.len())?;
    ShapeError::check_length("the indices", layer.indices_len(), indices.len())?;
    ShapeError::check_length("the output", layer.output_len(), output.len())?;
    let Gather { outer, axis, inner, .. } = *layer;
    let tensors = input.chunks_exact((outer * axis * inner).max(1));
    let lists = indices.chunks_exact(layer.indices.max(1));
    let mut runs = output.chunks_exact_mut(inner.max(1));
    for (tensor, list) in tensors.zip(lists) {
        for part in tensor.chunks_exact((axis * inner).max(1)) {
            for (&index, run) in list.iter().zip(&mut runs) {
                let start = nearest(index, axis) * inner;
                let source = part.get(start..start + inner).unwrap_or_else(excluded);
                run.iter_mut().zip(source).for_each(|(target, &value)| *target = value);
            }
        }
    }
    Ok(())
}

/// A gather by tuples of indices, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherNd {
    axes: [usize; RANK],
    depth: usize,
    inner: usize,
    tuples: usize,
}

impl GatherNd {
    /// From a tensor of `axes`, each as long as it says, with `inner` elements at each place, by `tuples` tuples of as many
    /// indices as there are axes.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, or there are more axes than [`RANK`].
    pub const fn new(axes: &[usize], inner: usize, tuples: usize) -> Result<Self, ShapeError> {
        if axes.len() > RANK {
            return Err(ShapeError::Range("a gather by tuples of more than 6 indices"));
        }
        match (product(axes), product(&[inner, tuples])) {
            (Ok(places), Ok(_)) => {
                if let Err(error) = product(&[places, inner]) {
                    return Err(error);
                }
                let mut all = [1; RANK];
                let mut axis = 0;
                while axis < axes.len() {
                    all[axis] = axes[axis];
                    axis += 1;
                }
                Ok(Self { axes: all, depth: axes.len(), inner, tuples })
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        let mut length = self.inner;
        let mut axis = 0;
        while axis < RANK {
            length *= self.axes[axis];
            axis += 1;
        }
        length
    }

    /// Indices.
    pub const fn indices_len(&self) -> usize {
        self.tuples * self.depth
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.tuples * self.inner
    }
}

/// Runs the gather by tuples.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn gather_nd<T: Copy>(layer: &GatherNd, input: &[T], indices: &[i32], output: &mut [T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.input_len(), input.len())?;
    ShapeError::check_length("the indices", layer.indices_len(), indices.len())?;
    ShapeError::check_length("the output", layer.output_len(), output.len())?;
    let inner = layer.inner;
    let mut indices = indices.iter();
    for run in output.chunks_exact_mut(inner.max(1)) {
        let tuple = layer.axes.iter().take(layer.depth).zip(&mut indices);
        let place = tuple.fold(0, |place, (&length, &index)| place * length + nearest(index, length));
        let source = input.get(place * inner..place * inner + inner).unwrap_or_else(excluded);
        run.iter_mut().zip(source).for_each(|(target, &value)| *target = value);
    }
    Ok(())
}

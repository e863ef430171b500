//! Moving elements without changing them: one kernel for TRANSPOSE, STRIDED_SLICE, SLICE, CONCATENATION, SPLIT, PACK, UNPACK,
//! REVERSE, DEPTH_TO_SPACE, SPACE_TO_DEPTH, BROADCAST and nearest-neighbour upscaling by whole factors.
//!
//! - output[o + Σ_k i_k · s_k] = input[p + Σ_k i_k · t_k] for all indices 0 ≤ i_k < n_k: what the operators differ in is the strides.
//!   A stride of 0 in the input repeats, a negative one reverses.
//! - Layout: any of up to six dimensions; elements of any type; no arithmetic, so nothing to round.
//! - Positions that the output's strides leave out keep their value.
//! - Held by: random strides against a naive loop (tests/host/registry/movement.rs); `transpose`, `concat_*`, `strided_slice_*`
//!   goldens through the importer (tests/host/golden/models.rs).

use smolnn_core::{ShapeError, excluded};

/// Most dimensions of a copy.
pub const RANK: usize = 6;

/// How a copy walks through one of its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Elements of the tensor.
    pub length: usize,
    /// Position of the first element.
    pub start: usize,
    /// Elements from one index to the next, per dimension.
    pub strides: [isize; RANK],
}

/// A copy, checked: no index leads out of its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StridedCopy {
    lengths: [usize; RANK],
    input: Walk,
    output: Walk,
}

impl StridedCopy {
    /// A copy of `lengths` elements per dimension (1 for dimensions that are not needed).
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0, or an index leads out of the input or the output.
    pub const fn new(lengths: [usize; RANK], input: Walk, output: Walk) -> Result<Self, ShapeError> {
        const LARGEST: i64 = 1 << 31;
        let mut which = 0;
        while which < 2 {
            let walk = if which == 0 { &input } else { &output };
            if walk.length as u64 >= LARGEST as u64 || walk.start as u64 >= LARGEST as u64 {
                return Err(ShapeError::TooLarge);
            }
            let (mut least, mut most) = (walk.start as i64, walk.start as i64);
            let mut axis = 0;
            while axis < RANK {
                if lengths[axis] == 0 {
                    return Err(ShapeError::Zero("a length of the copy"));
                }
                let stride = walk.strides[axis] as i64;
                if lengths[axis] as u64 >= LARGEST as u64 || stride >= LARGEST || stride <= -LARGEST {
                    return Err(ShapeError::TooLarge);
                }
                // Each below 2^62 in size; what passes is below 2^31, so that six of them cannot overflow.
                let span = (lengths[axis] as i64 - 1) * stride;
                if span >= LARGEST || span <= -LARGEST {
                    return Err(ShapeError::TooLarge);
                }
                if span < 0 {
                    least += span;
                } else {
                    most += span;
                }
                axis += 1;
            }
            if least < 0 || most >= walk.length as i64 {
                return Err(ShapeError::Range("the copy leads out of its tensor"));
            }
            which += 1;
        }
        Ok(Self { lengths, input, output })
    }
}

/// Runs the copy.
///
/// # Errors
/// [`ShapeError::Length`] when input or output have other lengths than the layer says.
pub fn copy<T: Copy>(layer: &StridedCopy, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.input.length, input.len())?;
    ShapeError::check_length("the output", layer.output.length, output.len())?;
    let [outer @ .., run] = layer.lengths;
    let [from_strides @ .., from_step] = layer.input.strides;
    let [to_strides @ .., to_step] = layer.output.strides;
    let mut indices = [0; RANK - 1];
    let (mut from, mut to) = (layer.input.start, layer.output.start);
    loop {
        if from_step == 1 && to_step == 1 {
            let source = input.get(from..from.wrapping_add(run)).unwrap_or_else(excluded);
            let target = output.get_mut(to..to.wrapping_add(run)).unwrap_or_else(excluded);
            for (target, &value) in target.iter_mut().zip(source) {
                *target = value;
            }
        } else {
            let (mut from, mut to) = (from, to);
            for _ in 0..run {
                if let (Some(&value), Some(target)) = (input.get(from), output.get_mut(to)) {
                    *target = value;
                }
                from = from.wrapping_add_signed(from_step);
                to = to.wrapping_add_signed(to_step);
            }
        }
        // The next run: the innermost index that is not at its end goes on, those behind it start anew.
        let strides = from_strides.iter().zip(&to_strides).rev();
        let mut done = true;
        for ((index, &length), (&from_stride, &to_stride)) in indices.iter_mut().zip(&outer).rev().zip(strides) {
            *index += 1;
            from = from.wrapping_add_signed(from_stride);
            to = to.wrapping_add_signed(to_stride);
            if *index < length {
                done = false;
                break;
            }
            *index = 0;
            from = from.wrapping_add_signed(from_stride.wrapping_mul(length as isize).wrapping_neg());
            to = to.wrapping_add_signed(to_stride.wrapping_mul(length as isize).wrapping_neg());
        }
        if done {
            return Ok(());
        }
    }
}

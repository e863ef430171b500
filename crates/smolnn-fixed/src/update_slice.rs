//! DYNAMIC_UPDATE_SLICE: a tensor with a part of it replaced, at a place that is computed. Elements of any type; nothing is
//! rounded.
//!
//! - `output = operand` but for `output[start + i] = update[i]`. Where the update would reach outside, start is moved so that it
//!   just fits, as the reference does.
//! - Layout: any of up to six dimensions. The output may take the operand's place.
//! - Held by: random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{ShapeError, excluded};

use crate::movement::RANK;
use crate::tensors::{Source, Tensors};

/// An update of a part of a tensor, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateSlice {
    operand: [usize; RANK],
    update: [usize; RANK],
    rank: usize,
}

impl UpdateSlice {
    /// A tensor of shape `operand`, of which a part of shape `update` is replaced.
    ///
    /// # Errors
    /// [`ShapeError`] when the ranks differ or are above [`RANK`], a length is 0 or too large, or the update is larger than
    /// the operand.
    pub const fn new(operand: &[usize], update: &[usize]) -> Result<Self, ShapeError> {
        let rank = operand.len();
        if let Err(error) = ShapeError::check_length("the dimensions of the update", rank, update.len()) {
            return Err(error);
        }
        if rank > RANK {
            return Err(ShapeError::Range("an update of more than 6 dimensions"));
        }
        let (mut operands, mut updates, mut length) = ([1; RANK], [1; RANK], 1_usize);
        let mut axis = 0;
        while axis < rank {
            if update[axis] == 0 {
                return Err(ShapeError::Zero("a length of the update"));
            }
            if update[axis] > operand[axis] {
                return Err(ShapeError::Range("the update is larger than its operand"));
            }
            length = match length.checked_mul(operand[axis]) {
                Some(length) if length < 1 << 31 => length,
                _ => return Err(ShapeError::TooLarge),
            };
            // Right-aligned: the innermost dimension is always the last one.
            operands[RANK - rank + axis] = operand[axis];
            updates[RANK - rank + axis] = update[axis];
            axis += 1;
        }
        Ok(Self { operand: operands, update: updates, rank })
    }

    /// Elements of the operand, and of the output.
    pub const fn operand_len(&self) -> usize {
        length(&self.operand)
    }

    /// Elements of the update.
    pub const fn update_len(&self) -> usize {
        length(&self.update)
    }
}

const fn length(lengths: &[usize; RANK]) -> usize {
    let [a, b, c, d, e, f] = *lengths;
    a * b * c * d * e * f
}

/// Runs the update. `start` has an index per dimension.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than the layer says, or input and output overlap where they must not.
pub fn update_slice<T: Copy>(
    layer: &UpdateSlice,
    mut tensors: impl Tensors<T>,
    update: &[T],
    start: &[i32],
) -> Result<(), ShapeError> {
    tensors.check(layer.operand_len(), layer.operand_len(), 0)?;
    ShapeError::check_length("the update", layer.update_len(), update.len())?;
    ShapeError::check_length("the start", layer.rank, start.len())?;
    let (operand, output) = tensors.split();
    operand.map(output, |value| value);
    // Right-aligned as the lengths are; the dimensions in front start at 0.
    let mut first = [0; RANK];
    for ((first, &start), (&whole, &part)) in
        first.iter_mut().rev().zip(start.iter().rev()).zip(layer.operand.iter().zip(&layer.update).rev())
    {
        *first = (start.max(0) as usize).min(whole - part);
    }
    let [.., run] = layer.update;
    let mut indices = [0; RANK];
    for row in update.chunks_exact(run.max(1)) {
        let axes = layer.operand.iter().zip(first.iter().zip(&indices));
        let at = axes.fold(0, |at, (&length, (&first, &index))| at * length + first + index);
        let target = output.get(at..at + run).unwrap_or_else(excluded);
        row.map(target, |value| value);
        // The next row: the innermost index before the run that is not at its end goes on, those behind it start anew.
        for (index, &length) in indices.iter_mut().zip(&layer.update).rev().skip(1) {
            *index += 1;
            if *index < length {
                break;
            }
            *index = 0;
        }
    }
    Ok(())
}

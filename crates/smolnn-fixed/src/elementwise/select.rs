//! Truth values: their conjunction, disjunction and negation, and the choice between two tensors.
//!
//! - A truth value is a `u8`: 0 is false, everything else true. Results are 0 and 1.
//! - SELECT_V2 moves elements and rounds nothing: y = c ? l : r, where all three repeat as [`Broadcast`] says.
//! - Held by: random tensors against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::{Broadcast, ShapeError};

use super::Pairs;
use crate::tensors::{Operands, Source, Tensors};

/// Where both are true. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than `pairs` says, or they overlap where they must not.
pub fn logical_and(pairs: &impl Pairs, operands: impl Operands<u8>) -> Result<(), ShapeError> {
    pairs.combine(operands, |left, right| u8::from(left != 0 && right != 0))
}

/// Where one of both is true. The output may take the place of an operand of its length.
///
/// # Errors
/// The errors are those of [`logical_and`].
pub fn logical_or(pairs: &impl Pairs, operands: impl Operands<u8>) -> Result<(), ShapeError> {
    pairs.combine(operands, |left, right| u8::from(left != 0 || right != 0))
}

/// Where the input is false; input and output may be one.
///
/// # Errors
/// [`ShapeError`] when input or output have another length than `length`, or overlap where they must not.
pub fn logical_not(length: usize, mut tensors: impl Tensors<u8>) -> Result<(), ShapeError> {
    tensors.check(length, length, 0)?;
    let (input, output) = tensors.split();
    input.map(output, |value| u8::from(value == 0));
    Ok(())
}

/// `left` where the condition is true, `right` elsewhere. The operands of the broadcast are the condition, left and right.
///
/// # Errors
/// [`ShapeError::Length`] when a tensor has another length than the broadcast says.
pub fn select<T: Copy>(
    broadcast: &Broadcast<3>,
    condition: &[u8],
    left: &[T],
    right: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the condition", broadcast.operand_len(0), condition.len())?;
    ShapeError::check_length("the left operand", broadcast.operand_len(1), left.len())?;
    ShapeError::check_length("the right operand", broadcast.operand_len(2), right.len())?;
    ShapeError::check_length("the output", broadcast.output_len(), output.len())?;
    let steps = [0, 1, 2].map(|operand| usize::from(broadcast.moves(operand)));
    let run = broadcast.run().max(1);
    for (mut at, output) in broadcast.runs().zip(output.chunks_exact_mut(run)) {
        for output in output {
            let [condition_at, left_at, right_at] = at;
            let chosen =
                if condition.at(condition_at).unwrap_or(0) != 0 { left.at(left_at) } else { right.at(right_at) };
            // It exists: the lengths were checked.
            if let Some(chosen) = chosen {
                *output = chosen;
            }
            for (at, step) in at.iter_mut().zip(steps) {
                *at += step;
            }
        }
    }
    Ok(())
}

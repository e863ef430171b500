//! The smaller and the larger of two tensors of any integers: y = min(l, r), y = max(l, r).
//!
//! - All three have one scale and zero point, so that values compare as they are stored: nothing is rounded.
//! - Held by: `minimum*`, `maximum*` goldens through the importer; random tensors (tests/host/registry/elementwise.rs).

use smolnn_core::ShapeError;

use super::Pairs;
use crate::Operands;
use crate::element::Element;

/// Runs the minimum. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than `pairs` says, or they overlap where they must not.
pub fn minimum<T: Element>(pairs: &impl Pairs, operands: impl Operands<T>) -> Result<(), ShapeError> {
    pairs.combine(operands, |left, right| if left.into() < right.into() { left } else { right })
}

/// Runs the maximum. The output may take the place of an operand of its length.
///
/// # Errors
/// The errors are those of [`minimum`].
pub fn maximum<T: Element>(pairs: &impl Pairs, operands: impl Operands<T>) -> Result<(), ShapeError> {
    pairs.combine(operands, |left, right| if left.into() > right.into() { left } else { right })
}

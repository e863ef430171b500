//! The smaller and the larger of two tensors, int8 and int16: y = min(l, r), y = max(l, r).
//!
//! - All three have one scale and zero point, so that values compare as they are stored: nothing is rounded.
//! - Held by: `minimum*`, `maximum*` goldens through the importer; random tensors (tests/host/registry/elementwise.rs).

use smolnn_core::ShapeError;

use super::Pairing;
use crate::Operands;
use crate::element::Element;

/// Runs the minimum. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than the pairing says, or they overlap where they must not.
pub fn minimum<T: Element>(pairing: &Pairing, operands: impl Operands<T>) -> Result<(), ShapeError> {
    pairing.combine(operands, |left, right| if left.into() < right.into() { left } else { right })
}

/// Runs the maximum. The output may take the place of an operand of its length.
///
/// # Errors
/// As [`minimum`].
pub fn maximum<T: Element>(pairing: &Pairing, operands: impl Operands<T>) -> Result<(), ShapeError> {
    pairing.combine(operands, |left, right| if left.into() > right.into() { left } else { right })
}

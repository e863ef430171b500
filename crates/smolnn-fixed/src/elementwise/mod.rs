//! Element by element over two tensors, int8 and int16.

mod add;
mod extremes;
mod mul;
mod squared_difference;

pub use add::{Add, AddInt16, add, add_int16};
pub use extremes::{maximum, minimum};
pub use mul::{Mul, mul};
pub use squared_difference::{SquaredDifference, squared_difference};

use smolnn_core::ShapeError;

use crate::Operands;
use crate::element::Element;
use crate::tensors::Source;

/// The lengths of two operands. The shorter one is repeated, as a vector of channels along the pixels or a single value
/// along everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    left: usize,
    right: usize,
}

impl Pairing {
    /// Operands of the given lengths.
    ///
    /// # Errors
    /// [`ShapeError`] when one is 0, or the longer is no multiple of the shorter.
    pub const fn new(left: usize, right: usize) -> Result<Self, ShapeError> {
        if left == 0 || right == 0 {
            return Err(ShapeError::Zero("the length of an operand"));
        }
        let whole = if left > right { left.is_multiple_of(right) } else { right.is_multiple_of(left) };
        if !whole {
            return Err(ShapeError::Range("the longer operand is no multiple of the shorter"));
        }
        Ok(Self { left, right })
    }

    /// Two operands of one length.
    ///
    /// # Errors
    /// [`ShapeError::Zero`].
    pub const fn same(length: usize) -> Result<Self, ShapeError> {
        Self::new(length, length)
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        if self.left > self.right { self.left } else { self.right }
    }

    /// Writes `result(left, right)` for every element.
    #[inline(always)]
    pub(crate) fn combine<T: Element>(
        &self,
        mut operands: impl Operands<T>,
        result: impl Fn(T, T) -> T,
    ) -> Result<(), ShapeError> {
        operands.check(self.left, self.right, self.output_len())?;
        let (left, right, output) = operands.split();
        let period = if self.left < self.right { self.left } else { self.right };
        let (mut left_at, mut right_at) = (0, 0);
        for output in output.chunks_exact(period.max(1)) {
            let left = left.part(left_at, period);
            let right = right.part(right_at, period);
            // Four in a turn of the loop, which share its instructions.
            let (lefts, left_rest) = left.groups::<4>();
            let (rights, right_rest) = right.groups::<4>();
            let (outputs, output_rest) = output.as_chunks::<4>();
            for ((left, right), output) in lefts.zip(rights).zip(outputs) {
                for ((left, right), output) in left.into_iter().zip(right).zip(output) {
                    output.set(result(left, right));
                }
            }
            for ((left, right), output) in left_rest.elements().zip(right_rest.elements()).zip(output_rest) {
                output.set(result(left, right));
            }
            left_at += if self.left > period { period } else { 0 };
            right_at += if self.right > period { period } else { 0 };
        }
        Ok(())
    }
}

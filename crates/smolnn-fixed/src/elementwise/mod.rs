//! Element by element over two tensors: int8, int16 and int32, and truth values.
//!
//! How the operands meet is the layer's type parameter: [`Pairing`] where one of them repeats as a whole, which is what nearly all
//! models need and the fastest, or [`Broadcast`] where it repeats along any axes.

mod add;
mod add_n;
mod compare;
mod div;
mod extremes;
mod int32;
mod mul;
mod select;
mod squared_difference;

pub(crate) use add::{add_shifted, add_shifted_int16};
pub(crate) use mul::mul_portable;

pub use add::{Add, AddInt16, add, add_int16};
pub use add_n::{AddN, add_n};
pub use compare::{CompareInt8, Comparison, compare, compare_int8};
pub use div::{Div, div};
pub use extremes::{maximum, minimum};
pub use int32::{Arithmetic, arithmetic_int32};
pub use mul::{Mul, mul};
pub use select::{logical_and, logical_not, logical_or, select};
pub use squared_difference::{SquaredDifference, SquaredDifferenceInt16, squared_difference, squared_difference_int16};

use core::cell::Cell;

use smolnn_core::{Broadcast, ShapeError};

use crate::Operands;
use crate::tensors::Source;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Pairing {}
    impl Sealed for smolnn_core::Broadcast<2> {}
}

/// How the operands of a run meet, for bodies in assembly: along it each moves from element to element or stays where it is.
#[derive(Clone, Copy, Debug)]
pub struct RunPlan<I> {
    /// Elements of a run.
    pub length: usize,
    /// Whether the left operand moves along a run, and the right one.
    pub moves: [bool; 2],
    /// Where both operands start, run by run.
    pub starts: I,
}

/// How the elements of two operands meet: [`Pairing`] or [`Broadcast`].
pub trait Pairs: Copy + sealed::Sealed {
    /// Elements of the left operand, the right one and the output.
    fn lengths(&self) -> [usize; 3];

    /// Writes `result(left, right)` for every element of the output, in order. The lengths have been checked.
    #[doc(hidden)]
    fn walk<T: Copy, U>(
        &self,
        left: impl Source<T>,
        right: impl Source<T>,
        output: &[Cell<U>],
        result: impl Fn(T, T) -> U,
    );

    /// The runs that make up the output, one after the other.
    #[doc(hidden)]
    fn run_plan(&self) -> RunPlan<impl Iterator<Item = [usize; 2]>>;

    /// Does what [`walk`](Self::walk) does, for tensors whose lengths and places are not checked yet.
    #[doc(hidden)]
    #[inline(always)]
    fn combine<T: Copy>(&self, mut operands: impl Operands<T>, result: impl Fn(T, T) -> T) -> Result<(), ShapeError> {
        let [left, right, output] = self.lengths();
        operands.check(left, right, output)?;
        let (left, right, output) = operands.split();
        self.walk(left, right, output, result);
        Ok(())
    }
}

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
}

impl Pairs for Pairing {
    #[inline(always)]
    fn lengths(&self) -> [usize; 3] {
        [self.left, self.right, self.output_len()]
    }

    #[inline(always)]
    fn walk<T: Copy, U>(
        &self,
        left: impl Source<T>,
        right: impl Source<T>,
        output: &[Cell<U>],
        result: impl Fn(T, T) -> U,
    ) {
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
    }

    #[inline(always)]
    fn run_plan(&self) -> RunPlan<impl Iterator<Item = [usize; 2]>> {
        let output = self.output_len();
        let period = if self.left < self.right { self.left } else { self.right };
        let is_whole = [self.left, self.right].map(|length| length == output);
        // A single value stays where it is along the whole output.
        let (length, moves) = if period == 1 { (output, is_whole) } else { (period, [true; 2]) };
        let starts =
            (0..output).step_by(length.max(1)).map(move |at| is_whole.map(|is_whole| if is_whole { at } else { 0 }));
        RunPlan { length, moves, starts }
    }
}

impl Pairs for Broadcast<2> {
    #[inline(always)]
    fn lengths(&self) -> [usize; 3] {
        [self.operand_len(0), self.operand_len(1), self.output_len()]
    }

    #[inline(always)]
    fn walk<T: Copy, U>(
        &self,
        left: impl Source<T>,
        right: impl Source<T>,
        output: &[Cell<U>],
        result: impl Fn(T, T) -> U,
    ) {
        let run = self.run();
        let (left_step, right_step) = (usize::from(self.moves(0)), usize::from(self.moves(1)));
        for ([mut left_at, mut right_at], output) in self.runs().zip(output.chunks_exact(run.max(1))) {
            for output in output {
                // Both exist: the lengths were checked.
                if let (Some(left), Some(right)) = (left.at(left_at), right.at(right_at)) {
                    output.set(result(left, right));
                }
                left_at += left_step;
                right_at += right_step;
            }
        }
    }

    #[inline(always)]
    fn run_plan(&self) -> RunPlan<impl Iterator<Item = [usize; 2]>> {
        RunPlan { length: self.run(), moves: [self.moves(0), self.moves(1)], starts: self.runs() }
    }
}

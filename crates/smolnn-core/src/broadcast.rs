//! Operands of different shapes that meet element by element.

use crate::ShapeError;

/// Axes that a [`Broadcast`] holds at most, after it merged those that repeat the same operands.
pub const BROADCAST_RANK: usize = 6;

/// The shapes of operands that meet element by element, as NumPy and TensorFlow broadcast them: shapes are aligned at their
/// last axis, and along an axis of length 1, or one that a shorter shape lacks, an operand repeats.
///
/// Neighbouring axes that repeat the same operands are one axis, so that most broadcasts have one or two. The innermost one is
/// a *run*: along it each operand either moves from element to element or stays where it is.
///
/// ```
/// use smolnn_core::{Broadcast, shape};
///
/// // A column of means, taken from a matrix of 2 rows and 3 columns.
/// const CENTRED: Broadcast<2> = shape!(Broadcast::new([&[2, 3], &[2, 1]]));
/// assert_eq!((CENTRED.output_len(), CENTRED.operand_len(1), CENTRED.run()), (6, 2, 3));
/// assert!(CENTRED.runs().eq([[0, 0], [3, 1]]));
/// assert!(CENTRED.moves(0) && !CENTRED.moves(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broadcast<const OPERANDS: usize> {
    /// Lengths of the output's merged axes, the innermost one last, 1 where there is none.
    lengths: [usize; BROADCAST_RANK],
    /// Elements from one index to the next, per operand and axis; 0 where the operand repeats.
    strides: [[usize; BROADCAST_RANK]; OPERANDS],
}

impl<const OPERANDS: usize> Broadcast<OPERANDS> {
    /// The broadcast of operands with the given shapes. A shape without axes is that of a scalar.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0, two lengths along an axis differ and neither is 1, the output is too large, or more than
    /// [`BROADCAST_RANK`] axes are left after merging.
    pub const fn new(shapes: [&[usize]; OPERANDS]) -> Result<Self, ShapeError> {
        let mut rank = 0;
        let mut operand = 0;
        while operand < OPERANDS {
            if shapes[operand].len() > rank {
                rank = shapes[operand].len();
            }
            operand += 1;
        }
        let mut lengths = [1; BROADCAST_RANK];
        let mut strides = [[0; BROADCAST_RANK]; OPERANDS];
        // Elements of each operand, and of the output, from the current axis inwards.
        let (mut inner, mut output_len) = ([1; OPERANDS], 1_usize);
        let mut axis = BROADCAST_RANK;
        let mut behind = 0;
        while behind < rank {
            let mut length = 1;
            let mut operand = 0;
            while operand < OPERANDS {
                match length_at(shapes[operand], behind) {
                    0 => return Err(ShapeError::Zero("the length of an operand along an axis")),
                    1 => {}
                    found if length == 1 || length == found => length = found,
                    _ => return Err(ShapeError::Range("two operands differ along an axis, and neither has length 1")),
                }
                operand += 1;
            }
            behind += 1;
            if length == 1 {
                continue;
            }
            output_len = match output_len.checked_mul(length) {
                Some(product) if product < 1 << 31 => product,
                _ => return Err(ShapeError::TooLarge),
            };
            let mut merges = axis < BROADCAST_RANK;
            let mut operand = 0;
            while operand < OPERANDS {
                let moves = length_at(shapes[operand], behind - 1) > 1;
                merges = merges && moves == (strides[operand][axis] > 0);
                operand += 1;
            }
            if !merges {
                if axis == 0 {
                    return Err(ShapeError::Range("the broadcast alternates along more axes than a kernel walks"));
                }
                axis -= 1;
            }
            lengths[axis] *= length;
            let mut operand = 0;
            while operand < OPERANDS {
                if length_at(shapes[operand], behind - 1) > 1 {
                    if !merges {
                        strides[operand][axis] = inner[operand];
                    }
                    inner[operand] *= length;
                }
                operand += 1;
            }
        }
        Ok(Self { lengths, strides })
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        let mut length = 1;
        let mut axis = 0;
        while axis < BROADCAST_RANK {
            length *= self.lengths[axis];
            axis += 1;
        }
        length
    }

    /// Elements of an operand, counted from 0.
    pub const fn operand_len(&self, operand: usize) -> usize {
        let mut length = 1;
        let mut axis = 0;
        while axis < BROADCAST_RANK {
            length *= if self.strides[operand][axis] > 0 { self.lengths[axis] } else { 1 };
            axis += 1;
        }
        length
    }

    /// Elements of a run: the output is written run by run.
    pub const fn run(&self) -> usize {
        self.lengths[BROADCAST_RANK - 1]
    }

    /// Whether an operand moves along a run; otherwise all of the run meets the same element of it.
    pub const fn moves(&self, operand: usize) -> bool {
        self.strides[operand][BROADCAST_RANK - 1] > 0
    }

    /// Where each operand starts, run by run.
    #[inline]
    pub fn runs(&self) -> Runs<'_, OPERANDS> {
        Runs { broadcast: self, indices: [0; BROADCAST_RANK - 1], starts: Some([0; OPERANDS]) }
    }
}

/// The length of a shape along the axis that lies `behind` axes before its last one.
const fn length_at(shape: &[usize], behind: usize) -> usize {
    if behind < shape.len() { shape[shape.len() - 1 - behind] } else { 1 }
}

/// The runs of a [`Broadcast`]: for each the position of every operand's first element.
#[derive(Clone, Debug)]
pub struct Runs<'a, const OPERANDS: usize> {
    broadcast: &'a Broadcast<OPERANDS>,
    indices: [usize; BROADCAST_RANK - 1],
    starts: Option<[usize; OPERANDS]>,
}

impl<const OPERANDS: usize> Iterator for Runs<'_, OPERANDS> {
    type Item = [usize; OPERANDS];

    #[inline]
    fn next(&mut self) -> Option<[usize; OPERANDS]> {
        let current = self.starts?;
        let mut starts = current;
        self.starts = None;
        // The innermost index that is not at its end goes on, those behind it start anew.
        for axis in (0..BROADCAST_RANK - 1).rev() {
            let (index, length) = (&mut self.indices[axis], self.broadcast.lengths[axis]);
            let last = *index + 1 >= length;
            *index = if last { 0 } else { *index + 1 };
            for (start, strides) in starts.iter_mut().zip(&self.broadcast.strides) {
                let stride = strides[axis];
                *start =
                    if last { start.wrapping_sub(stride.wrapping_mul(length - 1)) } else { start.wrapping_add(stride) };
            }
            if !last {
                self.starts = Some(starts);
                break;
            }
        }
        Some(current)
    }
}

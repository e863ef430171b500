//! Reductions over any axes, for inference: sum, mean, product, maximum, minimum.
//!
//! - Shape: the output keeps the axes that are not reduced, in their order; input and output meet as a [`Broadcast`] of the
//!   input's shape and of the same shape with the reduced axes at 1.
//! - Sums and products are added and multiplied in the order of the input.
//! - Maximum and minimum of a NaN and a number: whichever comes first stays.
//! - Error: a sum of n elements in f32 is within n·2⁻²⁴·Σ|x| of the real one.
//! - Held by: random shapes against naive loops in f64 (tests/host/registry/float_inference.rs).

use smolnn_core::{Broadcast, ShapeError};

use crate::Real;
use crate::slices::{part, part_mut};

/// Most axes of a tensor that is reduced.
const RANK: usize = 8;

/// Which axes of a tensor are reduced, checked.
///
/// ```
/// use smolnn_core::shape;
/// use smolnn_float::reduce::{Reduction, reduce_mean};
///
/// const POOL: Reduction = shape!(Reduction::over(&[1, 2, 2, 3], &[1, 2])); // height and width of NHWC
/// let mut means = [0.0; POOL.output_len()];
/// reduce_mean(&POOL, &[1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 5.0, 5.0, 5.0, 7.0, 7.0, 7.0], &mut means)?;
/// assert_eq!(means, [4.0, 4.0, 4.0]);
/// # Ok::<(), smolnn_core::ShapeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduction {
    /// The input, and the output as it is repeated along the reduced axes.
    meeting: Broadcast<2>,
}

impl Reduction {
    /// The given axes, counted from 0, of a tensor with the given shape.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or their product too large, the tensor has no such axis or more than eight, or kept
    /// and reduced axes alternate more often than a kernel walks.
    pub const fn over(shape: &[usize], axes: &[usize]) -> Result<Self, ShapeError> {
        if shape.len() > RANK {
            return Err(ShapeError::Range("a tensor of more than eight axes is reduced"));
        }
        let mut kept = [1; RANK];
        let mut axis = 0;
        while axis < shape.len() {
            kept[axis] = shape[axis];
            axis += 1;
        }
        let mut index = 0;
        while index < axes.len() {
            if axes[index] >= shape.len() {
                return Err(ShapeError::Range("an axis that the tensor does not have"));
            }
            kept[axes[index]] = 1;
            index += 1;
        }
        let (kept, _) = kept.split_at(shape.len());
        match Broadcast::new([shape, kept]) {
            Ok(meeting) => Ok(Self { meeting }),
            Err(error) => Err(error),
        }
    }

    /// The middle axis of outer × reduced × inner.
    ///
    /// # Errors
    /// The errors are those of [`over`](Self::over).
    pub const fn new(outer: usize, reduced: usize, inner: usize) -> Result<Self, ShapeError> {
        Self::over(&[outer, reduced, inner], &[1])
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.meeting.operand_len(0)
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.meeting.operand_len(1)
    }

    /// Elements that make one of the output.
    pub const fn reduced_len(&self) -> usize {
        match self.input_len().checked_div(self.output_len()) {
            Some(count) => count,
            None => 1,
        }
    }

    /// Gathers every output from `start` on.
    #[inline(always)]
    fn gather<T: Real>(
        &self,
        start: T,
        input: &[T],
        output: &mut [T],
        gather: impl Fn(T, T) -> T,
    ) -> Result<(), ShapeError> {
        ShapeError::check_length("the input", self.input_len(), input.len())?;
        ShapeError::check_length("the output", self.output_len(), output.len())?;
        output.fill(start);
        let length = self.meeting.run();
        for [x, y] in self.meeting.runs() {
            let run = part(input, x, if self.meeting.moves(0) { length } else { 1 });
            if self.meeting.moves(1) {
                for (y, &x) in part_mut(output, y, length).iter_mut().zip(run) {
                    *y = gather(*y, x);
                }
            } else {
                for y in part_mut(output, y, 1) {
                    *y = run.iter().fold(*y, |y, &x| gather(y, x));
                }
            }
        }
        Ok(())
    }
}

/// y = Σ x along the axes.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the reduction says.
pub fn reduce_sum<T: Real>(reduction: &Reduction, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    reduction.gather(T::ZERO, input, output, |sum, x| sum + x)
}

/// y = Σ x / n along the axes, n the elements that make one of the output.
///
/// # Errors
/// The errors are those of [`reduce_sum`].
pub fn reduce_mean<T: Real>(reduction: &Reduction, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    reduce_sum(reduction, input, output)?;
    let count = T::from_usize(reduction.reduced_len());
    for y in output {
        *y /= count;
    }
    Ok(())
}

/// y = Π x along the axes.
///
/// # Errors
/// The errors are those of [`reduce_sum`].
pub fn reduce_prod<T: Real>(reduction: &Reduction, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    reduction.gather(T::ONE, input, output, |product, x| product * x)
}

/// The largest element along the axes.
///
/// # Errors
/// The errors are those of [`reduce_sum`].
pub fn reduce_max<T: Real>(reduction: &Reduction, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    reduction.gather(T::NEG_INFINITY, input, output, |most, x| if x > most { x } else { most })
}

/// The smallest element along the axes.
///
/// # Errors
/// The errors are those of [`reduce_sum`].
pub fn reduce_min<T: Real>(reduction: &Reduction, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    reduction.gather(T::INFINITY, input, output, |least, x| if x < least { x } else { least })
}

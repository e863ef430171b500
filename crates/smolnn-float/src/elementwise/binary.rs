//! Functions of two tensors that broadcast.

use smolnn_core::{Broadcast, Comparison, ShapeError};

use super::Bounds;
use crate::Real;
use crate::slices::{at, cut_mut, part};

/// Writes `function(left, right)`, clamped, for every element of the output, run by run.
#[inline(always)]
fn combine<T: Real>(
    shape: &Broadcast<2>,
    bounds: &Bounds<T>,
    left: &[T],
    right: &[T],
    output: &mut [T],
    function: impl Fn(T, T) -> T,
) -> Result<(), ShapeError> {
    if *bounds == Bounds::NONE {
        meet(shape, left, right, output, function)
    } else if cfg!(body = "vector") {
        // A copy, which no write to the output can change: both bounds stay in registers, and the loop becomes one of vectors.
        let bounds = *bounds;
        meet(shape, left, right, output, move |l, r| bounds.apply(function(l, r)))
    } else {
        // Without vectors two branches are fewer instructions than two selections: an element below the range is done after one
        // comparison, which without an FPU is a call.
        meet(shape, left, right, output, |l, r| bounds.apply(function(l, r)))
    }
}

/// Writes `function(left, right)` for every element of the output, run by run.
#[inline(always)]
fn meet<T: Real, U: Copy>(
    shape: &Broadcast<2>,
    left: &[T],
    right: &[T],
    output: &mut [U],
    function: impl Fn(T, T) -> U,
) -> Result<(), ShapeError> {
    ShapeError::check_length("the left operand", shape.operand_len(0), left.len())?;
    ShapeError::check_length("the right operand", shape.operand_len(1), right.len())?;
    ShapeError::check_length("the output", shape.output_len(), output.len())?;
    let (run, mut rest) = (shape.run(), output);
    for [l, r] in shape.runs() {
        let run = cut_mut(&mut rest, run);
        let length = run.len();
        match (shape.moves(0), shape.moves(1)) {
            (true, true) => {
                for ((y, &l), &r) in run.iter_mut().zip(part(left, l, length)).zip(part(right, r, length)) {
                    *y = function(l, r);
                }
            }
            (true, false) => {
                let r = at(right, r);
                for (y, &l) in run.iter_mut().zip(part(left, l, length)) {
                    *y = function(l, r);
                }
            }
            (false, true) => {
                let l = at(left, l);
                for (y, &r) in run.iter_mut().zip(part(right, r, length)) {
                    *y = function(l, r);
                }
            }
            (false, false) => run.fill(function(at(left, l), at(right, r))),
        }
    }
    Ok(())
}

/// Sum: y = l + r, clamped.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn add<T: Real>(
    shape: &Broadcast<2>,
    bounds: &Bounds<T>,
    left: &[T],
    right: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    combine(shape, bounds, left, right, output, |l, r| l + r)
}

/// Difference: y = l − r, clamped.
///
/// # Errors
/// The errors are those of [`add`].
pub fn sub<T: Real>(
    shape: &Broadcast<2>,
    bounds: &Bounds<T>,
    left: &[T],
    right: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    combine(shape, bounds, left, right, output, |l, r| l - r)
}

/// Product: y = l·r, clamped.
///
/// # Errors
/// The errors are those of [`add`].
pub fn mul<T: Real>(
    shape: &Broadcast<2>,
    bounds: &Bounds<T>,
    left: &[T],
    right: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    combine(shape, bounds, left, right, output, |l, r| l * r)
}

/// Quotient: y = l / r, clamped. A divisor of 0 gives ±∞, 0/0 NaN.
///
/// # Errors
/// The errors are those of [`add`].
pub fn div<T: Real>(
    shape: &Broadcast<2>,
    bounds: &Bounds<T>,
    left: &[T],
    right: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    combine(shape, bounds, left, right, output, |l, r| l / r)
}

/// The larger of two elements, clamped. Of a NaN and a number the right one, as TensorFlow Lite compares.
///
/// # Errors
/// The errors are those of [`add`].
pub fn maximum<T: Real>(
    shape: &Broadcast<2>,
    bounds: &Bounds<T>,
    left: &[T],
    right: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    combine(shape, bounds, left, right, output, |l, r| if l > r { l } else { r })
}

/// The smaller of two elements, clamped. Of a NaN and a number the right one, as TensorFlow Lite compares.
///
/// # Errors
/// The errors are those of [`add`].
pub fn minimum<T: Real>(
    shape: &Broadcast<2>,
    bounds: &Bounds<T>,
    left: &[T],
    right: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    combine(shape, bounds, left, right, output, |l, r| if l < r { l } else { r })
}

/// Squared difference: y = (l − r)², clamped.
///
/// # Errors
/// The errors are those of [`add`].
pub fn squared_difference<T: Real>(
    shape: &Broadcast<2>,
    bounds: &Bounds<T>,
    left: &[T],
    right: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    combine(shape, bounds, left, right, output, |l, r| (l - r) * (l - r))
}

/// y = x, negative ones times their slope (PRELU). The slopes broadcast as any operand; to train, use [`act::prelu`](crate::act::prelu).
///
/// # Errors
/// The errors are those of [`add`].
pub fn prelu<T: Real>(shape: &Broadcast<2>, input: &[T], slopes: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    combine(shape, &Bounds::NONE, input, slopes, output, |x, slope| if x < T::ZERO { x * slope } else { x })
}

/// Whether the comparison holds: 1 where it does and 0 elsewhere. With a NaN, none holds but [`Comparison::NotEqual`].
///
/// # Errors
/// The errors are those of [`add`].
pub fn compare<T: Real>(
    shape: &Broadcast<2>,
    comparison: Comparison,
    left: &[T],
    right: &[T],
    output: &mut [u8],
) -> Result<(), ShapeError> {
    meet(shape, left, right, output, |l, r| {
        u8::from(l.partial_cmp(&r).map_or(comparison == Comparison::NotEqual, |order| comparison.holds(order)))
    })
}

/// Quotient rounded down: y = ⌊l / r⌋. A divisor of 0 gives ±∞, 0/0 NaN.
///
/// # Errors
/// The errors are those of [`add`].
pub fn floor_div<T: Real>(shape: &Broadcast<2>, left: &[T], right: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    // In f64, as TensorFlow Lite divides: a quotient of f32 just below an integer would round to it.
    meet(shape, left, right, output, |l, r| T::from_f64(Real::floor(l.to_f64() / r.to_f64())))
}

/// Remainder of the quotient that is rounded down: l − r·⌊l / r⌋, with the sign of r. Of a divisor of 0 it is NaN.
///
/// # Errors
/// The errors are those of [`add`].
pub fn floor_mod<T: Real>(shape: &Broadcast<2>, left: &[T], right: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    meet(shape, left, right, output, |l, r| {
        let rest = l.remainder(r);
        if rest != T::ZERO && (rest < T::ZERO) != (r < T::ZERO) { rest + r } else { rest }
    })
}

/// Power: y = l^r; NaN for a negative base with an exponent that is no whole number, 1 for an exponent of 0.
///
/// # Errors
/// The errors are those of [`add`].
pub fn power<T: Real>(shape: &Broadcast<2>, left: &[T], right: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    meet(shape, left, right, output, T::power)
}

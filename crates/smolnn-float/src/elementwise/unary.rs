//! Functions of one tensor, without parameters and without gradients. Those of [`act`](crate::act) have both.

use smolnn_core::ShapeError;

use super::Bounds;
use crate::Real;

/// Writes `function(x)` for every element.
#[inline(always)]
fn each<T: Real>(input: &[T], output: &mut [T], function: impl Fn(T) -> T) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    for (y, &x) in output.iter_mut().zip(input) {
        *y = function(x);
    }
    Ok(())
}

/// The nearest value in the range: RELU, RELU6 and RELU_N1_TO_1 as functions of their own. NaN stays.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn clamped<T: Real>(bounds: &Bounds<T>, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, |x| bounds.apply(x))
}

/// y = |x|.
///
/// # Errors
/// [`ShapeError::Length`] when input and output are not equally long.
pub fn abs<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::abs)
}

/// y = −x.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn neg<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, |x| -x)
}

/// y = x².
///
/// # Errors
/// The errors are those of [`abs`].
pub fn square<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, |x| x * x)
}

/// y = √x; NaN below 0.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn sqrt<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::sqrt)
}

/// y = 1/√x; ∞ at 0, NaN below.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn rsqrt<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, |x| T::ONE / x.sqrt())
}

/// y = e^x.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn exp<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::exp)
}

/// y = ln x; −∞ at 0, NaN below.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn log<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::log)
}

/// 1 above 0 and −1 below; 0 and NaN stay.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn sign<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, |x| {
        if x > T::ZERO {
            T::ONE
        } else if x < T::ZERO {
            -T::ONE
        } else {
            x
        }
    })
}

/// y = sin x, x in radians.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn sin<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::sin)
}

/// y = cos x, x in radians.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn cos<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::cos)
}

/// y = ⌊x⌋.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn floor<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::floor)
}

/// y = ⌈x⌉.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn ceil<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::ceil)
}

/// y = erf x, the error function.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn erf<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    T::erf_slice(input, output);
    Ok(())
}

/// The nearest integer; halves go to the even one, as TensorFlow Lite rounds.
///
/// # Errors
/// The errors are those of [`abs`].
pub fn round<T: Real>(input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    each(input, output, T::round_ties_even)
}

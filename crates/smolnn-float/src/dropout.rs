//! Dropout: while training, each element is dropped with probability `rate`, the others grow by 1 / (1 − rate), so that the
//! expectation stays (inverted dropout). Inference leaves it out.
//!
//! - Stash: none. The mask is a function of the generator's state: [`backward`] with a generator in the state that
//!   [`forward`]'s had draws the same mask.
//! - Forward: y = x·m, backward: ∂L/∂x += δ·m, m ∈ {0, 1/(1 − rate)}.
//! - Held by: the mask's statistics, forward and backward alike (tests/host/gradient/layers.rs).

use smolnn_core::ShapeError;

use crate::Real;
use crate::random::Generator;

/// y = x·m with a mask drawn from `generator`. A rate of 0 keeps everything, 1 drops everything.
///
/// # Errors
/// [`ShapeError::Length`] when the slices are not equally long, [`ShapeError::Range`] when the rate is not in 0..=1.
pub fn forward<T: Real>(
    rate: T,
    generator: &mut impl Generator,
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    let (threshold, kept) = check(rate, input, output)?;
    for (y, &x) in output.iter_mut().zip(input) {
        *y = if u64::from(generator.next_u32()) < threshold { T::ZERO } else { x * kept };
    }
    Ok(())
}

/// Adds ∂L/∂x to `d_input`, with the mask that a generator in the same state gave [`forward`].
///
/// # Errors
/// The errors are those of [`forward`].
pub fn backward<T: Real>(
    rate: T,
    generator: &mut impl Generator,
    d_output: &[T],
    d_input: &mut [T],
) -> Result<(), ShapeError> {
    let (threshold, kept) = check(rate, d_output, d_input)?;
    for (dx, &g) in d_input.iter_mut().zip(d_output) {
        if u64::from(generator.next_u32()) >= threshold {
            *dx += g * kept;
        }
    }
    Ok(())
}

/// The draws below which an element is dropped, and the factor of the others.
fn check<T: Real>(rate: T, from: &[T], to: &[T]) -> Result<(u64, T), ShapeError> {
    ShapeError::check_length("the output", from.len(), to.len())?;
    if !(rate >= T::ZERO && rate <= T::ONE) {
        return Err(ShapeError::Range("the dropout rate is not in 0..=1"));
    }
    let threshold = (rate.to_f64() * 4_294_967_296.0) as u64;
    Ok((threshold, if rate < T::ONE { T::ONE / (T::ONE - rate) } else { T::ZERO }))
}

//! Average pooling.
//!
//! - Layout: NHWC.
//! - Forward: `y[o] = Σ window / n`, n the taps that see input (TFLite, Keras) or all taps of the kernel (PyTorch's default,
//!   `count_include_pad`): [`Divisor`] says which. A window of nothing but padding gives 0.
//! - Backward: ∂L/∂x += δ / n for every tap that sees input.
//! - Held by: `avgpool*` goldens (tests/host/golden/float.rs), differences and the adjoint identity
//!   (tests/host/gradient/layers.rs).

use smolnn_core::{Pool2dShape, ShapeError};

use super::{add_scaled, check, for_each_window};
use crate::Real;
use crate::slices::part_mut;

/// By what the sum of a window is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divisor {
    /// The taps that see input.
    Input,
    /// All taps of the kernel: padding counts as zeros.
    Kernel,
}

/// y = mean of each window.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn forward<T: Real>(
    shape: &Pool2dShape,
    divisor: Divisor,
    input: &[T],
    output: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, input, output)?;
    let channels = shape.output().channels;
    for_each_window(shape, |seen| {
        part_mut(output, seen.output, channels).fill(T::ZERO);
        seen.for_each_tap(|_, pixel| add_scaled(output, seen.output, input, pixel, channels, T::ONE));
        let scale = scale::<T>(shape, divisor, seen.taps());
        for y in part_mut(output, seen.output, channels) {
            *y *= scale;
        }
    });
    Ok(())
}

/// Adds ∂L/∂x to `d_input`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn backward<T: Real>(
    shape: &Pool2dShape,
    divisor: Divisor,
    d_output: &[T],
    d_input: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, d_input, d_output)?;
    let channels = shape.output().channels;
    for_each_window(shape, |seen| {
        let scale = scale::<T>(shape, divisor, seen.taps());
        seen.for_each_tap(|_, pixel| add_scaled(d_input, pixel, d_output, seen.output, channels, scale));
    });
    Ok(())
}

#[inline]
fn scale<T: Real>(shape: &Pool2dShape, divisor: Divisor, seen: usize) -> T {
    let count = match divisor {
        Divisor::Input => seen,
        Divisor::Kernel => shape.rows().kernel() * shape.columns().kernel(),
    };
    T::ONE / T::from_usize(count.max(1))
}

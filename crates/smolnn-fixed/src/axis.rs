//! Along one axis: running sums (CUMSUM, int8), and where the largest and the least element lie (ARG_MAX, ARG_MIN). The input is outer ×
//! length × inner; the axis is the middle one.
//!
//! - Running sum: y_k = clamp(z_out + M · (Σ_{j ≤ k} x_j − (k + 1) · z_in − z_in) · 2^19), M that of 2 · s_in / (2^20 · s_out) in f64;
//!   exclusive sums leave x_k out, reverse ones run from the end.
//! - The reference's sum starts at −z_in instead of 0. These are its bits, not what the name promises.
//! - Sums of 2^12 steps of the input and more wrap, as the reference's do.
//! - Of equal elements the first one counts.
//! - Rounding: [`Multiplier::apply`], once per output.
//! - Held by: random tensors against the oracle (tests/host/registry/conformance.rs).

pub use smolnn_core::Axis;
use smolnn_core::{ShapeError, excluded};

use crate::element::Element;
use crate::quantise::{Affine, Multiplier, OutputRange};

/// A running sum, checked.
#[derive(Clone, Copy, Debug)]
pub struct CumSum {
    axis: Axis,
    exclusive: bool,
    reverse: bool,
    zero_point: i32,
    multiplier: Multiplier,
    output: OutputRange,
}

impl CumSum {
    /// Along the axis. An `exclusive` sum is that of the elements before, a `reverse` one runs from the end to the start.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other, or a zero point lies outside of int8.
    pub const fn new(
        axis: Axis,
        exclusive: bool,
        reverse: bool,
        input: Affine,
        output: Affine,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = input.check(-128, 127) {
            return Err(error);
        }
        if let Err(error) = output.check(-128, 127) {
            return Err(error);
        }
        let factor = 2.0 * input.scale as f64 / ((1 << 20) as f64 * output.scale as f64);
        match Multiplier::try_from_f64(factor) {
            Ok(multiplier) => Ok(Self {
                axis,
                exclusive,
                reverse,
                zero_point: input.zero_point,
                multiplier,
                output: OutputRange::int8(output.zero_point),
            }),
            Err(error) => Err(error),
        }
    }
}

/// Runs the running sum.
///
/// # Errors
/// [`ShapeError::Length`] when input or output have another length than the layer says.
pub fn cumsum(layer: &CumSum, input: &[i8], output: &mut [i8]) -> Result<(), ShapeError> {
    let (length, inner) = (layer.axis.length(), layer.axis.inner());
    ShapeError::check_length("the input", layer.axis.elements(), input.len())?;
    ShapeError::check_length("the output", layer.axis.elements(), output.len())?;
    for first in layer.axis.lines() {
        let mut sum = -layer.zero_point;
        for step in 0..length {
            let at = first + inner * if layer.reverse { length - 1 - step } else { step };
            // Both exist: the lengths were checked.
            let (Some(&value), Some(output)) = (input.get(at), output.get_mut(at)) else { continue };
            let before = sum;
            sum = sum.wrapping_add(i32::from(value) - layer.zero_point);
            let shown = if layer.exclusive { before } else { sum };
            *output = layer.output.finish(layer.multiplier.apply(shown.wrapping_shl(19))) as i8;
        }
    }
    Ok(())
}

/// The index of the largest element along the axis.
///
/// # Errors
/// [`ShapeError::Length`] when input or output have other lengths than the axis says.
pub fn arg_max<T: Element>(axis: &Axis, input: &[T], output: &mut [i32]) -> Result<(), ShapeError> {
    extreme(axis, input, output, |value, best| value > best)
}

/// The index of the least element along the axis.
///
/// # Errors
/// The errors are those of [`arg_max`].
pub fn arg_min<T: Element>(axis: &Axis, input: &[T], output: &mut [i32]) -> Result<(), ShapeError> {
    extreme(axis, input, output, |value, best| value < best)
}

fn extreme<T: Element>(
    axis: &Axis,
    input: &[T],
    output: &mut [i32],
    better: impl Fn(i32, i32) -> bool,
) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", axis.elements(), input.len())?;
    ShapeError::check_length("the output", axis.without(), output.len())?;
    for (first, output) in axis.lines().zip(output) {
        let mut line =
            input.get(first..).unwrap_or_else(excluded).iter().step_by(axis.inner().max(1)).take(axis.length());
        let Some(&value) = line.next() else { continue };
        let (mut best, mut place) = (value.into(), 0);
        for (index, &value) in line.enumerate() {
            if better(value.into(), best) {
                (best, place) = (value.into(), index as i32 + 1);
            }
        }
        *output = place;
    }
    Ok(())
}

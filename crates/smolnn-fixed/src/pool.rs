//! Pooling of each channel by itself, int8 and int16: the largest, or the mean, of the input that a window sees.
//!
//! - Layout: NHWC; input and output have one scale and zero point, so that nothing is requantised.
//! - Maximum: clamp(max x). Mean: clamp((Σ x ± n/2) / n), the sign that of the sum, the division truncating, n the taps that
//!   lie in the input: padding counts in neither. |Σ x| ≤ n · 2^15 < 2^31 for n < 2^16, which the constructor checks.
//! - A window that sees only padding gives the least value (maximum) or 0 (mean), clamped.
//! - Held by: `maxpool_*`, `avgpool_*` goldens, random shapes against the naive oracle (tests/host/tests/conformance.rs).

use core::cell::Cell;

use smolnn_core::{Pool2d, ShapeError};

use crate::element::Element;
use crate::quantise::{OutputRange, clamp};
use crate::tensors::{Source, Tensors};

/// A pooling with its fused activation, checked.
#[derive(Clone, Copy, Debug)]
pub struct Pool2dLayer {
    shape: Pool2d,
    minimum: i32,
    maximum: i32,
}

impl Pool2dLayer {
    /// A pooling whose outputs are clamped to the range; its zero point does not matter.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the range is empty or a window has 2^16 taps or more.
    pub const fn new(shape: Pool2d, output: OutputRange) -> Result<Self, ShapeError> {
        if output.minimum > output.maximum {
            return Err(ShapeError::Range("the output range is empty"));
        }
        if shape.rows.kernel >= 1 << 16 || shape.columns.kernel >= 1 << 16 {
            return Err(ShapeError::Range("the pooling window has 2^16 taps or more"));
        }
        if shape.rows.kernel * shape.columns.kernel >= 1 << 16 {
            return Err(ShapeError::Range("the pooling window has 2^16 taps or more"));
        }
        Ok(Self { shape, minimum: output.minimum, maximum: output.maximum })
    }

    /// The shape.
    pub const fn shape(&self) -> &Pool2d {
        &self.shape
    }
}

/// Channels that are gathered at once, in registers.
const BLOCK: usize = 4;

/// Runs the maximum, row by row.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the shape says, or overlap where they must not.
pub fn max_pool2d<T: Element>(layer: &Pool2dLayer, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    pool(layer, tensors, T::LEAST, |most, value| if value > most { value } else { most }, |most, _| most)
}

/// Runs the mean, row by row.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the shape says, or overlap where they must not.
pub fn average_pool2d<T: Element>(layer: &Pool2dLayer, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    pool(layer, tensors, 0, |sum, value| sum.wrapping_add(value), rounded_mean)
}

/// `sum` / `count` to nearest, halves away from zero; 0 of none.
#[inline(always)]
fn rounded_mean(sum: i32, count: i32) -> i32 {
    let half = count / 2;
    let sum = if sum > 0 { sum.wrapping_add(half) } else { sum.wrapping_sub(half) };
    // `checked_div` keeps the panics of a division by 0, and of MIN / −1, out of the binary.
    sum.checked_div(count).unwrap_or(0)
}

#[inline(always)]
fn pool<T: Element>(
    layer: &Pool2dLayer,
    mut tensors: impl Tensors<T>,
    start: i32,
    gather: impl Fn(i32, i32) -> i32 + Copy,
    finish: impl Fn(i32, i32) -> i32,
) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    tensors.check(shape.input_len(), shape.output_len(), shape.overlap_gap())?;
    let (minimum, maximum) = (layer.minimum.max(T::LEAST), layer.maximum.min(T::LARGEST));
    let (input, output) = tensors.split();
    let channels = shape.output.channels.max(1);
    let mut pixels = output.chunks_exact(channels);
    for image in 0..shape.batch {
        for row in 0..shape.output.height {
            let rows = shape.rows.taps(row);
            for position in 0..shape.output.width {
                let (first, last) = shape.columns.taps(position);
                // A window beside the input sees none of its rows either.
                let (first_row, last_row) = if first < last { rows } else { (0, 0) };
                let taps = ((last_row - first_row) * (last - first)) as i32;
                let Some(result) = pixels.next() else { return Ok(()) };
                let store = |result: &[Cell<T>], gathered: &[i32]| {
                    for (result, &gathered) in result.iter().zip(gathered) {
                        result.set(T::wrap(clamp(finish(gathered, taps), minimum, maximum)));
                    }
                };
                // The input of tap row `tap_row`, from its first tap on.
                let tap_row_start = |tap_row: usize| {
                    let y = image * shape.input.height + shape.rows.position(row, tap_row);
                    (y * shape.input.width + shape.columns.position(position, first)) * channels
                };
                let step = shape.columns.dilation * channels;
                let mut blocks = result.chunks_exact(BLOCK);
                let mut channel = 0;
                for result in &mut blocks {
                    let mut gathered = [start; BLOCK];
                    for tap_row in first_row..last_row {
                        let mut at = tap_row_start(tap_row) + channel;
                        for _ in first..last {
                            let values = input.part(at, BLOCK).elements();
                            for (gathered, value) in gathered.iter_mut().zip(values) {
                                *gathered = gather(*gathered, value.into());
                            }
                            at += step;
                        }
                    }
                    store(result, &gathered);
                    channel += BLOCK;
                }
                for result in blocks.remainder().chunks(1) {
                    let mut gathered = start;
                    for tap_row in first_row..last_row {
                        let mut at = tap_row_start(tap_row) + channel;
                        for _ in first..last {
                            gathered = gather(gathered, input.at(at).map_or(start, Into::into));
                            at += step;
                        }
                    }
                    store(result, &[gathered]);
                    channel += 1;
                }
            }
        }
    }
    Ok(())
}

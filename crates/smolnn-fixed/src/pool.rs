//! Pooling of each channel by itself, int8 and int16: the largest, or the mean, of the input that a window sees.
//!
//! - Layout: NHWC; input and output have one scale and zero point, so that nothing is requantised.
//! - Maximum: clamp(max x). Mean: clamp((Σ x ± n/2) / n), the sign that of the sum, the division truncating, n the taps that
//!   lie in the input: padding counts in neither. |Σ x| ≤ n · 2^15 < 2^31 for n < 2^16, which the constructor checks.
//! - A window that sees only padding gives the least value (maximum) or 0 (mean), clamped.
//! - Held by: `maxpool_*`, `avgpool_*` goldens, random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{Pool2dShape, ShapeError, excluded_run};

use crate::backend::{Bodies, Chosen};
use crate::element::Element;
use crate::quantise::{OutputRange, clamp};
use crate::tensors::{Source, Tensors};

/// A pooling with its fused activation, checked.
#[derive(Clone, Copy, Debug)]
pub struct Pool2d {
    shape: Pool2dShape,
    minimum: i32,
    maximum: i32,
}

impl Pool2d {
    /// A pooling whose outputs are clamped to the range; its zero point does not matter.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the range is empty or a window has 2^16 taps or more.
    pub const fn new(shape: Pool2dShape, output: OutputRange) -> Result<Self, ShapeError> {
        if output.minimum > output.maximum {
            return Err(ShapeError::Range("the output range is empty"));
        }
        if shape.rows().kernel() >= 1 << 16 || shape.columns().kernel() >= 1 << 16 {
            return Err(ShapeError::Range("the pooling window has 2^16 taps or more"));
        }
        if shape.rows().kernel() * shape.columns().kernel() >= 1 << 16 {
            return Err(ShapeError::Range("the pooling window has 2^16 taps or more"));
        }
        Ok(Self { shape, minimum: output.minimum, maximum: output.maximum })
    }

    /// The shape.
    pub const fn shape(&self) -> &Pool2dShape {
        &self.shape
    }
}

/// Channels that are gathered at once, in registers.
const BLOCK: usize = 4;

/// Runs the maximum, row by row.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the shape says, or overlap where they must not.
pub fn max_pool2d<T: Element>(layer: &Pool2d, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    pool(
        Kind::Maximum,
        layer,
        tensors,
        T::LEAST,
        |most, value| if value > most { value } else { most },
        |_| |most| most,
    )
}

/// Runs the mean, row by row.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the shape says, or overlap where they must not.
pub fn average_pool2d<T: Element>(layer: &Pool2d, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    pool(
        Kind::Mean,
        layer,
        tensors,
        0,
        |sum, value| sum.wrapping_add(value),
        |count| {
            let half = count / 2;
            // ⌈2^24 / n⌉: for n ≤ 256 and |sum| + n/2 ≤ 129·n the product's integer part is the quotient: the error is at
            // most 129·n · n/(n·2^24) < 1/n, and the product is below 2^32. Many cores divide in software.
            let inverse = (1_u32 << 24).div_ceil(count.max(1) as u32);
            let small = size_of::<T>() == 1 && count <= 256;
            move |sum: i32| {
                let magnitude = sum.unsigned_abs().wrapping_add(half as u32);
                let quotient = if small {
                    magnitude.wrapping_mul(inverse) >> 24
                } else {
                    magnitude.checked_div(count as u32).unwrap_or(0)
                };
                if sum < 0 { (quotient as i32).wrapping_neg() } else { quotient as i32 }
            }
        },
    )
}

/// What is taken of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Maximum,
    Mean,
}

/// Both: gathers what each output sees from `start` on, then finishes it, given the number of taps.
#[inline(always)]
fn pool<T: Element, F: Fn(i32) -> i32>(
    kind: Kind,
    layer: &Pool2d,
    mut tensors: impl Tensors<T>,
    start: i32,
    gather: impl Fn(i32, i32) -> i32 + Copy,
    finish_taps: impl Fn(i32) -> F,
) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    tensors.check(shape.input_len(), shape.output_len(), shape.overlap_gap())?;
    let (minimum, maximum) = (layer.minimum.max(T::LEAST), layer.maximum.min(T::LARGEST));
    if Chosen::pool2d(shape, kind, minimum, maximum, &mut tensors) {
        return Ok(());
    }
    let (input, output) = tensors.split();
    let channels = shape.output().channels.max(1);
    let (row_step, step) = (shape.rows().dilation() * shape.input().row(), shape.columns().dilation() * channels);
    let mut pixels = output.chunks_exact(channels);
    let mut taps = 0;
    let mut finish = finish_taps(1);
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let rows = shape.rows().taps(row);
            for position in 0..shape.output().width {
                let (first, last) = shape.columns().taps(position);
                // A window beside the input sees none of its rows either.
                let (first_row, last_row) = if first < last { rows } else { (0, 0) };
                let (tap_rows, tap_columns) = (last_row - first_row, last - first);
                if taps != tap_rows * tap_columns {
                    taps = tap_rows * tap_columns;
                    finish = finish_taps(taps as i32);
                }
                let corner = if tap_rows == 0 {
                    0
                } else {
                    let y = image * shape.input().height + shape.rows().position(row, first_row);
                    (y * shape.input().width + shape.columns().position(position, first)) * channels
                };
                let Some(result) = pixels.next() else { return excluded_run() };
                let (blocks, rest) = result.as_chunks::<BLOCK>();
                let mut channel = corner;
                for result in blocks {
                    let mut gathered = [start; BLOCK];
                    let mut row_start = channel;
                    for _ in 0..tap_rows {
                        let mut at = row_start;
                        for _ in 0..tap_columns {
                            let values = input.group::<BLOCK>(at).unwrap_or_else(|| [T::wrap(start); BLOCK]);
                            for (gathered, value) in gathered.iter_mut().zip(values) {
                                *gathered = gather(*gathered, value.into());
                            }
                            at += step;
                        }
                        row_start += row_step;
                    }
                    for (result, gathered) in result.iter().zip(gathered) {
                        result.set(T::wrap(clamp(finish(gathered), minimum, maximum)));
                    }
                    channel += BLOCK;
                }
                for result in rest {
                    let mut gathered = start;
                    let mut row_start = channel;
                    for _ in 0..tap_rows {
                        let mut at = row_start;
                        for _ in 0..tap_columns {
                            gathered = gather(gathered, input.at(at).map_or(start, Into::into));
                            at += step;
                        }
                        row_start += row_step;
                    }
                    result.set(T::wrap(clamp(finish(gathered), minimum, maximum)));
                    channel += 1;
                }
            }
        }
    }
    Ok(())
}

//! Max pooling, with the taps of the maxima in as few bits as they need.
//!
//! - Layout: NHWC. Padding never wins; a window of nothing but padding gives 0 and passes no gradient on.
//! - Forward: `y[o]` = max of the window. Of equal values the first wins, row by row (PyTorch, TFLite). A NaN wins over
//!   numbers, the first NaN over later ones.
//! - Backward: `∂L/∂x[argmax] += δ`: windows may overlap, so it adds.
//! - Stash: [`index_bits`] bits per output (2 for 2×2, 4 for 3×3), packed into bytes, low bits first: for a 4×4×8 and a
//!   2×2×16 output 48 bytes in all. The input need not be kept.
//! - Held by: `maxpool*` goldens (tests/host/golden/float.rs), differences and exact integers
//!   (tests/host/gradient/layers.rs), textbook row 5.5.

use smolnn_core::{Cost, Pool2dShape, ShapeError};

use super::{check, for_each_window};
use crate::Number;
use crate::slices::{at, part, part_mut, quotient};

/// Bits that the index of a tap takes: 0, 1, 2, 4, 8 or 16, so that none crosses a byte unless it fills bytes.
pub const fn index_bits(shape: &Pool2dShape) -> usize {
    match shape.rows().kernel() * shape.columns().kernel() {
        0 | 1 => 0,
        2 => 1,
        3..=4 => 2,
        5..=16 => 4,
        17..=256 => 8,
        _ => 16,
    }
}

/// Bytes of the packed indices of all outputs: the stash of [`forward`].
pub const fn indices_len(shape: &Pool2dShape) -> usize {
    (shape.output_len() * index_bits(shape)).div_ceil(8)
}

/// What a call with indices costs, for [`train_bytes`](smolnn_core::train_bytes).
pub const fn cost(shape: &Pool2dShape) -> Cost {
    Cost { indices: indices_len(shape), ..shape.cost() }
}

/// y = max over each window. Where `indices` are given, [`indices_len`] bytes, the taps of the maxima go there.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says, [`ShapeError::Range`] when indices of a kernel of
/// more than 65 536 taps are asked for.
pub fn forward<T: Number>(
    shape: &Pool2dShape,
    input: &[T],
    output: &mut [T],
    mut indices: Option<&mut [u8]>,
) -> Result<(), ShapeError> {
    check(shape, input, output)?;
    if let Some(indices) = indices.as_deref_mut() {
        check_indices(shape, indices)?;
        indices.fill(0);
    }
    let (bits, channels) = (index_bits(shape), shape.output().channels);
    for_each_window(shape, |seen| {
        let y = part_mut(output, seen.output, channels);
        y.fill(T::default());
        let mut first = true;
        seen.for_each_tap(|tap, pixel| {
            for (channel, (y, &x)) in y.iter_mut().zip(part(input, pixel, channels)).enumerate() {
                if first || wins(x, *y) {
                    *y = x;
                    if let Some(indices) = indices.as_deref_mut() {
                        write_index(indices, bits, seen.output + channel, tap);
                    }
                }
            }
            first = false;
        });
    });
    Ok(())
}

/// Adds ∂L/∂x to `d_input`, given the taps that [`forward`] kept and ∂L/∂y in `d_output`.
///
/// # Errors
/// The errors are those of [`forward`].
pub fn backward<T: Number>(
    shape: &Pool2dShape,
    indices: &[u8],
    d_output: &[T],
    d_input: &mut [T],
) -> Result<(), ShapeError> {
    check(shape, d_input, d_output)?;
    check_indices(shape, indices)?;
    let (bits, channels) = (index_bits(shape), shape.output().channels);
    for_each_window(shape, |seen| {
        for (channel, &g) in part(d_output, seen.output, channels).iter().enumerate() {
            let tap = read_index(indices, bits, seen.output + channel);
            let u = quotient(tap, shape.columns().kernel());
            let v = tap - u * shape.columns().kernel();
            // Where all is padding, the index is one of a tap that sees none.
            if (seen.rows.0..seen.rows.1).contains(&u)
                && (seen.columns.0..seen.columns.1).contains(&v)
                && let Some(dx) = d_input.get_mut(seen.pixel(u, v) + channel)
            {
                *dx += g;
            }
        }
    });
    Ok(())
}

/// Whether `x` takes the place of the maximum so far.
#[inline]
#[allow(clippy::eq_op)] // A NaN is what differs from itself.
fn wins<T: Number>(x: T, most: T) -> bool {
    x > most || (x != x && most == most)
}

fn check_indices(shape: &Pool2dShape, indices: &[u8]) -> Result<(), ShapeError> {
    if shape.rows().kernel() * shape.columns().kernel() > 1 << 16 {
        return Err(ShapeError::Range("the kernel has more taps than an index can tell"));
    }
    ShapeError::check_length("the indices", indices_len(shape), indices.len())
}

#[inline]
fn write_index(indices: &mut [u8], bits: usize, element: usize, tap: usize) {
    let position = element * bits;
    match bits {
        0 => {}
        16 => {
            for (byte, value) in part_mut(indices, position / 8, 2).iter_mut().zip((tap as u16).to_le_bytes()) {
                *byte = value;
            }
        }
        _ => {
            if let Some(byte) = indices.get_mut(position / 8) {
                let mask = ((1_u32 << bits) - 1) as u8;
                *byte = (*byte & !(mask << (position % 8))) | ((tap as u8 & mask) << (position % 8));
            }
        }
    }
}

#[inline]
fn read_index(indices: &[u8], bits: usize, element: usize) -> usize {
    let position = element * bits;
    let byte = |index| usize::from(at(indices, index));
    match bits {
        0 => 0,
        16 => byte(position / 8) | byte(position / 8 + 1) << 8,
        _ => (byte(position / 8) >> (position % 8)) & ((1 << bits) - 1),
    }
}

//! Convolutions. "Convolution" means cross-correlation, as everywhere in the field; [`flipped`] is the other one.
//!
//! A 1-D convolution is the 2-D one over an [`Image::sequence`](smolnn_core::Image::sequence) with
//! [`WindowSize::taps`](smolnn_core::WindowSize::taps): no kernel of its own, no cost of its own. A pointwise (1×1) one runs as a
//! dense layer over the pixels, without im2col.

pub mod conv2d;
pub mod depthwise;
pub mod flipped;
pub mod im2col;
mod plan;
pub mod plane;
pub mod transposed;

use smolnn_core::{Image, Window};

use crate::Walk;

/// A tap of a kernel, and the output pixels of one image that see input there.
struct Tap {
    /// Number of the tap, row by row.
    index: usize,
    /// Offset of the first of the pixels.
    output: usize,
    /// Offset of the input pixel that it sees.
    input: usize,
}

/// Visits every tap with the pixels that see input there: a rectangle, which the walk goes through in output (first) and
/// input (second), with so many channels, so far [apart](Walk::apart).
#[inline]
fn for_each_tap(
    batch: usize,
    (input, output): (&Image, &Image),
    (rows, columns): (&Window, &Window),
    (channels, apart): (usize, usize),
    mut visit: impl FnMut(&Tap, &Walk),
) {
    let mut walk = Walk {
        channels,
        rows: 0,
        columns: 0,
        steps: [output.channels, columns.stride() * input.channels],
        pitches: [output.row(), rows.stride() * input.row()],
        apart,
    };
    let mut index = 0;
    for u in 0..rows.kernel() {
        let (top, bottom) = rows.outputs(u);
        walk.rows = bottom - top;
        for v in 0..columns.kernel() {
            let (left, right) = columns.outputs(v);
            walk.columns = right - left;
            if walk.rows > 0 && walk.columns > 0 {
                let mut to = top * output.row() + left * output.channels;
                let mut from = rows.position(top, u) * input.row() + columns.position(left, v) * input.channels;
                for _ in 0..batch {
                    visit(&Tap { index, output: to, input: from }, &walk);
                    to += output.len();
                    from += input.len();
                }
            }
            index += 1;
        }
    }
}

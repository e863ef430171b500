//! Convolutions. "Convolution" means cross-correlation, as everywhere in the field; [`flipped`] is the other one.
//!
//! A 1-D convolution is the 2-D one over an [`Image::sequence`](smolnn_core::Image::sequence) with
//! [`Kernel::taps`](smolnn_core::Kernel::taps): no kernel of its own, no cost of its own. A pointwise (1×1) one runs as a
//! dense layer over the pixels, without im2col.

pub mod conv2d;
pub mod depthwise;
pub mod flipped;
pub mod im2col;
pub(crate) mod panels;
pub mod plane;
pub mod transposed;

use smolnn_core::{Image, Window};

use crate::Walk;

/// A tap of a kernel, and the rectangle of output pixels of one image that see input there.
struct Tap {
    /// Number of the tap, row by row.
    index: usize,
    /// Offset of the first pixel of the rectangle.
    output: usize,
    /// Offset of the input pixel that it sees.
    input: usize,
    /// From there through output (first) and input (second); no channels yet.
    walk: Walk,
}

/// Visits every tap with the pixels that see input there.
#[inline]
fn for_each_tap(
    batch: usize,
    (input, output): (&Image, &Image),
    (rows, columns): (&Window, &Window),
    mut visit: impl FnMut(&Tap),
) {
    let mut index = 0;
    for u in 0..rows.kernel {
        let (top, bottom) = rows.outputs(u);
        for v in 0..columns.kernel {
            let (left, right) = columns.outputs(v);
            if top < bottom && left < right {
                let walk = Walk {
                    channels: 0,
                    rows: bottom - top,
                    columns: right - left,
                    steps: [output.channels, columns.stride * input.channels],
                    pitches: [output.row(), rows.stride * input.row()],
                };
                let mut to = top * output.row() + left * output.channels;
                let mut from = rows.position(top, u) * input.row() + columns.position(left, v) * input.channels;
                for _ in 0..batch {
                    visit(&Tap { index, output: to, input: from, walk });
                    to += output.len();
                    from += input.len();
                }
            }
            index += 1;
        }
    }
}

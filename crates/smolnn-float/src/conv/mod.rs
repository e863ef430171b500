//! Convolutions. "Convolution" means cross-correlation, as everywhere in the field; [`flipped`] is the other one.
//!
//! A 1-D convolution is the 2-D one over an [`Image::sequence`](smolnn_core::Image::sequence) with
//! [`Kernel::taps`](smolnn_core::Kernel::taps): no kernel of its own, no cost of its own. A pointwise (1×1) one runs as a
//! dense layer over the pixels, without im2col.

pub mod conv2d;
pub mod depthwise;
pub mod flipped;
pub mod im2col;
pub mod plane;
pub mod transposed;

use smolnn_core::{Image, Window};

/// Output pixels side by side whose windows see input at the same taps.
struct Run {
    /// Number of the first pixel, over all images.
    output: usize,
    /// Number of the input pixel at its first tap, over all images.
    input: usize,
    pixels: usize,
    /// First tap, and taps, that see input.
    rows: (usize, usize),
    columns: (usize, usize),
}

/// Visits all output pixels that see input: those of a row whose windows lie inside of the image at once, the others alone.
#[inline]
fn for_each_run(batch: usize, input: &Image, rows: &Window, columns: &Window, mut visit: impl FnMut(&Run)) {
    let is_inside = |x: usize| x < columns.output && columns.taps(x) == (0, columns.kernel);
    let mut inside = 0;
    while inside < columns.output && !is_inside(inside) {
        inside += 1;
    }
    let mut end = inside;
    while is_inside(end) {
        end += 1;
    }
    let mut output = 0;
    for image in 0..batch {
        for y in 0..rows.output {
            let (top, bottom) = rows.taps(y);
            let mut x = 0;
            while x < columns.output {
                let (left, right) = columns.taps(x);
                let pixels = if x == inside && end > inside { end - inside } else { 1 };
                if top < bottom && left < right {
                    let row = image * input.height + rows.position(y, top);
                    visit(&Run {
                        output,
                        input: row * input.width + columns.position(x, left),
                        pixels,
                        rows: (top, bottom - top),
                        columns: (left, right - left),
                    });
                }
                output += pixels;
                x += pixels;
            }
        }
    }
}

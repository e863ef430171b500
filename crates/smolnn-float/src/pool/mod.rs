//! Pooling: every channel by itself, windows as for a convolution.

pub mod average;
pub mod global;
pub mod l2;
pub mod max;

use smolnn_core::{Pool2dShape, ShapeError};

use crate::slices::{part, part_mut};

/// Calls `visit(output pixel, first output element, rows of taps, columns of taps, image)` for every output pixel.
#[inline]
fn for_each_window(shape: &Pool2dShape, mut visit: impl FnMut(Seen<'_>)) {
    let mut output = 0;
    for image in 0..shape.batch() {
        for y in 0..shape.output().height {
            let rows = shape.rows().taps(y);
            for x in 0..shape.output().width {
                visit(Seen { shape, image, y, x, rows, columns: shape.columns().taps(x), output });
                output += shape.output().channels;
            }
        }
    }
}

/// What one output pixel sees.
struct Seen<'a> {
    shape: &'a Pool2dShape,
    image: usize,
    y: usize,
    x: usize,
    rows: (usize, usize),
    columns: (usize, usize),
    /// Offset of the output pixel.
    output: usize,
}

impl Seen<'_> {
    /// Calls `visit(tap, offset of the input pixel)` for every tap that sees input.
    #[inline]
    fn for_each_tap(&self, mut visit: impl FnMut(usize, usize)) {
        let (rows, columns) = (self.shape.rows(), self.shape.columns());
        let column_step = columns.dilation() * self.shape.input().channels;
        let row_step = rows.dilation() * self.shape.input().width * self.shape.input().channels;
        let (mut row_tap, mut row_pixel) =
            (self.rows.0 * columns.kernel() + self.columns.0, self.pixel(self.rows.0, self.columns.0));
        for _ in self.rows.0..self.rows.1 {
            let (mut tap, mut pixel) = (row_tap, row_pixel);
            for _ in self.columns.0..self.columns.1 {
                visit(tap, pixel);
                tap += 1;
                pixel = pixel.wrapping_add(column_step);
            }
            row_tap += columns.kernel();
            row_pixel = row_pixel.wrapping_add(row_step);
        }
    }

    /// Offset of the input pixel at a tap that sees input. For other taps it means nothing.
    #[inline]
    fn pixel(&self, u: usize, v: usize) -> usize {
        let (input, column) = (self.shape.input(), self.shape.columns().position(self.x, v));
        let row = self.shape.rows().position(self.y, u).wrapping_add(self.image * input.height);
        row.wrapping_mul(input.width).wrapping_add(column).wrapping_mul(input.channels)
    }

    /// Taps that see input.
    #[inline]
    fn taps(&self) -> usize {
        (self.rows.1 - self.rows.0) * (self.columns.1 - self.columns.0)
    }
}

fn check<T>(shape: &Pool2dShape, input: &[T], output: &[T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", shape.input_len(), input.len())?;
    ShapeError::check_length("the output", shape.output_len(), output.len())
}

/// `to += from · factor`, element by element, of one pixel each.
#[inline]
fn add_scaled<T: crate::Number>(to: &mut [T], at: usize, from: &[T], from_at: usize, channels: usize, factor: T) {
    for (to, &from) in part_mut(to, at, channels).iter_mut().zip(part(from, from_at, channels)) {
        *to += from * factor;
    }
}

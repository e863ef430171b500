//! L2 normalisation of rows, int8: y_i = x_i / √(Σ_j x_j²), output scale 1/128, zero point 0.
//!
//! - The reference's integer sequence: with v = Σ (x − z)², 1/√v as a mantissa of 31 bits and a shift
//!   ([`transcendental`](crate::transcendental)); y = clamp(128 · (x − z) / √v), the product in 64 bits, rounded once, half up.
//! - v ≤ n · 255² < 2^31 for rows of up to 32768 elements. A row of zeros gives zeros.
//! - Held by: `l2norm` golden; random rows against an f64 oracle (tests/host/registry/conformance.rs).

use core::cell::Cell;

use smolnn_core::ShapeError;

use crate::quantise::clamp;
use crate::tensors::{Source, Tensors};
use crate::transcendental::inverse_square_root;

/// A normalisation of the rows of a tensor of rows × columns, checked.
#[derive(Clone, Copy, Debug)]
pub struct L2Norm {
    rows: usize,
    columns: usize,
    zero_point: i32,
}

impl L2Norm {
    /// Of int8 values with the zero point; their scale does not matter.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, or the zero point lies outside of int8.
    pub const fn new(rows: usize, columns: usize, zero_point: i32) -> Result<Self, ShapeError> {
        if rows == 0 || columns == 0 {
            return Err(ShapeError::Zero("a length of the normalisation"));
        }
        if columns > 32768 || rows >= 1 << 16 {
            return Err(ShapeError::TooLarge);
        }
        if zero_point < -128 || zero_point > 127 {
            return Err(ShapeError::Range("a zero point lies outside of the tensor's type"));
        }
        Ok(Self { rows, columns, zero_point })
    }

    /// Elements of the input, and of the output.
    pub const fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Never: a layer has rows and columns.
    pub const fn is_empty(&self) -> bool {
        false
    }

    fn row(&self, input: impl Source<i8>, output: &[Cell<i8>]) {
        let mut squares = 0_i32;
        input.visit(|value| {
            let value = i32::from(value) - self.zero_point;
            squares = squares.wrapping_add(value * value);
        });
        let inverse = inverse_square_root(squares);
        // 128 is the output's inverse scale. The shift is within 31..=46.
        let right = (31 - inverse.shift) as u32 & 63;
        input.map(output, |value| {
            let scaled = i64::from(128 * (i32::from(value) - self.zero_point)) * i64::from(inverse.mantissa);
            clamp((scaled.wrapping_add((1 << right) >> 1) >> right) as i32, -128, 127) as i8
        });
    }
}

/// Runs the normalisation; input and output may be one.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn l2_norm(layer: &L2Norm, mut tensors: impl Tensors<i8>) -> Result<(), ShapeError> {
    tensors.check(layer.len(), layer.len(), 0)?;
    let (input, output) = tensors.split();
    for (row, output) in output.chunks_exact(layer.columns.max(1)).enumerate() {
        layer.row(input.part(row * layer.columns, layer.columns), output);
    }
    Ok(())
}

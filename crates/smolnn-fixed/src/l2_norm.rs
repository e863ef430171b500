//! L2 normalisation of rows, int8: y_i = x_i / √(Σ_j x_j²), output scale 1/128, zero point 0.
//!
//! - The reference's integer sequence: with v = Σ (x − z)², 1/√v as a mantissa of 31 bits (five steps of Newton's method
//!   on v brought to [1/4, 1)) and a shift; y = clamp(128 · (x − z) / √v) by [`Multiplier::apply`].
//! - v ≤ n · 255² < 2^31 for rows of up to 32768 elements. A row of zeros gives zeros.
//! - Held by: `l2norm` golden; random rows against an f64 oracle (tests/host/registry/conformance.rs).

use core::cell::Cell;

use smolnn_core::ShapeError;

use crate::quantise::{Multiplier, clamp, rounding_shift_right, saturating_rounding_doubling_high as product};
use crate::tensors::{Source, Tensors};

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
        // 128, the output's inverse scale, goes into the shift.
        let factor = Multiplier { shift: inverse.shift + 7, ..inverse };
        input.map(output, |value| clamp(factor.apply(i32::from(value) - self.zero_point), -128, 127) as i8);
    }
}

/// 1 / √`value` as the reference computes it; of 0 and 1 the largest multiplier below 1.
fn inverse_square_root(value: i32) -> Multiplier {
    if value <= 1 {
        return Multiplier { mantissa: i32::MAX, shift: 0 };
    }
    // An even number of bits is taken out, until 2^27 ≤ value < 2^29: half of it is v in [1/4, 1) in Q3.28.
    let (mut value, mut shift) = (value, 11);
    while value >= 1 << 29 {
        value /= 4;
        shift += 1;
    }
    let pairs = (value.leading_zeros() as i32 - 1) / 2 - 1;
    shift -= pairs;
    value <<= 2 * pairs;
    // Newton's method in Q3.28 from 1 on: x ← x (3/2 − (v/2) x²).
    const ONE: i32 = 1 << 28;
    const THREE_HALVES: i32 = ONE + (1 << 27);
    let half = rounding_shift_right(value >> 1, 1);
    let mut x = ONE;
    let mut step = 0;
    while step < 5 {
        let x3 = shift_up(product(product(x, x), x), 6);
        x = shift_up(product(x, THREE_HALVES).wrapping_sub(product(half, x3)), 3);
        step += 1;
    }
    const SQRT_HALF: i32 = 1_518_500_250;
    let mut mantissa = product(x, SQRT_HALF);
    if shift < 0 {
        mantissa = mantissa.wrapping_shl(-shift as u32);
        shift = 0;
    }
    Multiplier { mantissa, shift: -shift }
}

/// `value` · 2^`shift`, saturated.
fn shift_up(value: i32, shift: u32) -> i32 {
    crate::quantise::clamp_i64(i64::from(value) << shift, i32::MIN, i32::MAX)
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

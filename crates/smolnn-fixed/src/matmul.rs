//! Product of two int8 tensors, matrix by matrix (BATCH_MATMUL): `Y[b] = A[b] · B[b]`, A rows × depth, B depth × columns.
//!
//! - `y = clamp(z_out + M · Σ_k (a[i, k] − z_a) · (b[k, j] − z_b))`, M the multiplier of s_a · s_b / s_out in f64.
//! - Either matrix may be given transposed. |product| ≤ 255², so that depths below 2^15 cannot overflow i32.
//! - Rounding: [`Multiplier::apply`], once per output.
//! - Held by: `batch_matmul` golden; random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use crate::quantise::{Affine, Multiplier, OutputRange};

/// Shape and layout of the matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatmulShape {
    /// Matrices of each tensor, one behind the other.
    pub batch: usize,
    /// Rows of the result.
    pub rows: usize,
    /// Products that make one output.
    pub depth: usize,
    /// Columns of the result.
    pub columns: usize,
    /// Whether the left matrices are stored depth × rows.
    pub left_transposed: bool,
    /// Whether the right matrices are stored columns × depth.
    pub right_transposed: bool,
}

/// A product of tensors, checked.
#[derive(Clone, Copy, Debug)]
pub struct Matmul {
    shape: MatmulShape,
    left_zero_point: i32,
    right_zero_point: i32,
    multiplier: Multiplier,
    output: OutputRange,
}

impl Matmul {
    /// Products of matrices of the shape.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, the scales are not positive or do not fit each other, or a zero point lies outside of int8.
    pub const fn new(shape: MatmulShape, left: Affine, right: Affine, output: Affine) -> Result<Self, ShapeError> {
        let MatmulShape { batch, rows, depth, columns, .. } = shape;
        if batch == 0 || rows == 0 || depth == 0 || columns == 0 {
            return Err(ShapeError::Zero("a length of the matrix product"));
        }
        const LARGEST: usize = 1 << 15;
        if batch > LARGEST || rows > LARGEST || depth >= LARGEST || columns > LARGEST {
            return Err(ShapeError::TooLarge);
        }
        let pairs = [(rows, depth), (depth, columns), (rows, columns)];
        let tensors = [left, right, output];
        let mut index = 0;
        while index < 3 {
            let (a, b) = pairs[index];
            match (a * b).checked_mul(batch) {
                Some(length) if length < 1 << 31 => {}
                _ => return Err(ShapeError::TooLarge),
            }
            if let Err(error) = tensors[index].check(-128, 127) {
                return Err(error);
            }
            index += 1;
        }
        let factor = left.scale as f64 * right.scale as f64 / output.scale as f64;
        let multiplier = match Multiplier::try_from_f64(factor) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self {
            shape,
            left_zero_point: left.zero_point,
            right_zero_point: right.zero_point,
            multiplier,
            output: OutputRange::int8(output.zero_point),
        })
    }
}

/// Runs the product.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn matmul(layer: &Matmul, left: &[i8], right: &[i8], output: &mut [i8]) -> Result<(), ShapeError> {
    let MatmulShape { batch, rows, depth, columns, left_transposed, right_transposed } = layer.shape;
    ShapeError::check_length("the left operand", batch * rows * depth, left.len())?;
    ShapeError::check_length("the right operand", batch * depth * columns, right.len())?;
    ShapeError::check_length("the output", batch * rows * columns, output.len())?;
    let (left_row, left_step) = if left_transposed { (1, rows.max(1)) } else { (depth, 1) };
    let (right_column, right_step) = if right_transposed { (depth, 1) } else { (1, columns.max(1)) };
    // No length of a checked shape is 0; said where a 0 would panic.
    let lefts = left.chunks_exact((rows * depth).max(1));
    let rights = right.chunks_exact((depth * columns).max(1));
    for ((left, right), output) in lefts.zip(rights).zip(output.chunks_exact_mut((rows * columns).max(1))) {
        for (row, output) in output.chunks_exact_mut(columns.max(1)).enumerate() {
            for (column, result) in output.iter_mut().enumerate() {
                let lefts = left.iter().skip(row * left_row).step_by(left_step);
                let rights = right.iter().skip(column * right_column).step_by(right_step);
                let products = lefts.zip(rights).take(depth).map(|(&left, &right)| {
                    (i32::from(left) - layer.left_zero_point) * (i32::from(right) - layer.right_zero_point)
                });
                let sum = products.fold(0_i32, i32::wrapping_add);
                *result = layer.output.finish(layer.multiplier.apply(sum)) as i8;
            }
        }
    }
    Ok(())
}

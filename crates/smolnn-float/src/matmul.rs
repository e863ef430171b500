//! Product of two tensors, matrix by matrix, for inference (BATCH_MATMUL): `Y[b] = A[b] · B[b]`, A rows × depth, B depth × columns.
//!
//! - Either matrix may be given transposed. The batches of both operands broadcast.
//! - Body: the passes of a dense layer, whichever of them walks both matrices as they lie in memory.
//! - Error: a sum of n products in f32 is within n·2⁻²³·Σ|a·b| of the real one.
//! - Held by: random shapes against naive loops in f64 (tests/host/registry/float_inference.rs).

use smolnn_core::{Broadcast, ShapeError};

use crate::Number;
use crate::slices::{behind, part, vectors, vectors_mut};

/// Shape and layout of the matrices, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatmulShape {
    /// Matrices of the left and of the right operand, as they meet.
    batches: Broadcast<2>,
    rows: usize,
    depth: usize,
    columns: usize,
    left_transposed: bool,
    right_transposed: bool,
}

impl MatmulShape {
    /// `batch` products of rows × depth and depth × columns.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large.
    pub const fn new(batch: usize, rows: usize, depth: usize, columns: usize) -> Result<Self, ShapeError> {
        Self::over([&[batch], &[batch]], rows, depth, columns, false, false)
    }

    /// Products of rows × depth and depth × columns for batches of these shapes, left and right, which broadcast; a transposed
    /// matrix is stored depth × rows, or columns × depth.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, or the batches do not fit each other.
    pub const fn over(
        batches: [&[usize]; 2],
        rows: usize,
        depth: usize,
        columns: usize,
        left_transposed: bool,
        right_transposed: bool,
    ) -> Result<Self, ShapeError> {
        if rows == 0 || depth == 0 || columns == 0 {
            return Err(ShapeError::Zero("a length of the matrix product"));
        }
        let batches = match Broadcast::new(batches) {
            Ok(batches) => batches,
            Err(error) => return Err(error),
        };
        let matrices = [(rows, depth), (depth, columns), (rows, columns)];
        let mut index = 0;
        while index < matrices.len() {
            let (height, width) = matrices[index];
            let Some(length) = height.checked_mul(width) else { return Err(ShapeError::TooLarge) };
            match length.checked_mul(batches.output_len()) {
                Some(length) if length < 1 << 31 => {}
                _ => return Err(ShapeError::TooLarge),
            }
            index += 1;
        }
        Ok(Self { batches, rows, depth, columns, left_transposed, right_transposed })
    }

    /// The same with left matrices stored depth × rows.
    #[must_use]
    pub const fn left_transposed(mut self) -> Self {
        self.left_transposed = true;
        self
    }

    /// The same with right matrices stored columns × depth.
    #[must_use]
    pub const fn right_transposed(mut self) -> Self {
        self.right_transposed = true;
        self
    }

    /// Elements of the left tensor, the right one and the output.
    pub const fn lengths(&self) -> [usize; 3] {
        let Self { batches, rows, depth, columns, .. } = *self;
        let (left, right) = (batches.operand_len(0), batches.operand_len(1));
        [left * rows * depth, right * depth * columns, batches.output_len() * rows * columns]
    }
}

/// Y = A · B for every matrix of the batch.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn matmul<T: Number>(shape: &MatmulShape, left: &[T], right: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    let [left_len, right_len, output_len] = shape.lengths();
    ShapeError::check_length("the left operand", left_len, left.len())?;
    ShapeError::check_length("the right operand", right_len, right.len())?;
    ShapeError::check_length("the output", output_len, output.len())?;
    let MatmulShape { rows, depth, columns, .. } = *shape;
    output.fill(T::default());
    let (left_step, right_step) = (usize::from(shape.batches.moves(0)), usize::from(shape.batches.moves(1)));
    let mut products = vectors_mut(output, rows * columns);
    for [mut left_at, mut right_at] in shape.batches.runs() {
        for output in products.by_ref().take(shape.batches.run()) {
            let left = part(left, left_at * rows * depth, rows * depth);
            let right = part(right, right_at * depth * columns, depth * columns);
            product(shape, left, right, output);
            left_at += left_step;
            right_at += right_step;
        }
    }
    Ok(())
}

/// Adds the product of two matrices to the output.
#[inline(always)]
fn product<T: Number>(shape: &MatmulShape, left: &[T], right: &[T], output: &mut [T]) {
    let MatmulShape { rows, depth, columns, left_transposed, right_transposed, .. } = *shape;
    match (left_transposed, right_transposed) {
        // Every row of A through B, whose rows are the weights of an input or of an output.
        (false, false) => {
            for (a, y) in vectors(left, depth).zip(vectors_mut(output, columns)) {
                T::rows_transposed(right, columns, a, y);
            }
        }
        (false, true) => {
            for (a, y) in vectors(left, depth).zip(vectors_mut(output, columns)) {
                T::rows_dot(right, depth, a, y);
            }
        }
        // The outer products of what is multiplied at one index of the depth.
        (true, false) => {
            for (a, b) in vectors(left, rows).zip(vectors(right, columns)) {
                T::rows_outer(output, columns, a, b);
            }
        }
        // Four rows of B at a time share what is loaded of a column of A.
        (true, true) => {
            for (row, y) in vectors_mut(output, columns).enumerate() {
                let left = behind(left, row);
                let (fours, rest) = y.as_chunks_mut::<4>();
                let mut first = 0;
                for y in fours {
                    let [b0, b1, b2, b3] = [0, 1, 2, 3].map(|index| part(right, (first + index) * depth, depth));
                    let [mut y0, mut y1, mut y2, mut y3] = *y;
                    for ((((&a, &b0), &b1), &b2), &b3) in
                        left.iter().step_by(rows.max(1)).zip(b0).zip(b1).zip(b2).zip(b3)
                    {
                        y0 += a * b0;
                        y1 += a * b1;
                        y2 += a * b2;
                        y3 += a * b3;
                    }
                    *y = [y0, y1, y2, y3];
                    first += 4;
                }
                for y in rest {
                    for (&a, &b) in left.iter().step_by(rows.max(1)).zip(part(right, first * depth, depth)) {
                        *y += a * b;
                    }
                    first += 1;
                }
            }
        }
    }
}

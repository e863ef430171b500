//! Products of matrices that are both computed: BATCH_MATMUL, and FULLY_CONNECTED whose weights are no constants or have a
//! zero point. `Y[b] = A[b] · B[b]`, A rows × depth, B depth × columns.
//!
//! - `y[i, j] = clamp(z_out + M · (b_j + Σ_k (a[i, k] − z_a) · (b[k, j] − z_b)))`, M the multiplier of s_a · s_b / s_out in f64.
//! - Either matrix may be stored transposed. A dimension of the batch in which one tensor has length 1 repeats it.
//! - Formats: A and Y of one type, B of the same or int8. int8: |product| ≤ 255² and sums of 32 bits, which wrap; int16: |product| ≤ 2^30
//!   and sums of 64 bits, or of 32 bits as in the layers of int16 activations, see [`Sums`].
//! - Rounding, once per output: [`Multiplier::apply`] for sums of 32 bits, [`Multiplier::apply_i64`] for those of 64.
//! - Held by: `batch_matmul` golden; random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{ShapeError, excluded, excluded_run};

use crate::conv::{LARGEST_SUM, Sums};
use crate::element::Element;
use crate::quantise::{Affine, Multiplier, OutputRange};

/// Dimensions of a batch of matrices.
pub const BATCH_RANK: usize = 3;

/// Shape and layout of the matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatmulShape {
    /// Matrices of the left tensor, per dimension of the batch: as many as the right one has, or 1.
    pub left_batch: [usize; BATCH_RANK],
    /// Matrices of the right tensor, per dimension of the batch: as many as the left one has, or 1.
    pub right_batch: [usize; BATCH_RANK],
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

impl MatmulShape {
    /// One product of two matrices, neither transposed.
    pub const fn new(rows: usize, depth: usize, columns: usize) -> Self {
        let one = [1; BATCH_RANK];
        Self {
            left_batch: one,
            right_batch: one,
            rows,
            depth,
            columns,
            left_transposed: false,
            right_transposed: false,
        }
    }

    /// Matrices of the result, per dimension of the batch.
    const fn batch(&self) -> [usize; BATCH_RANK] {
        let mut batch = [1; BATCH_RANK];
        let mut axis = 0;
        while axis < BATCH_RANK {
            let (left, right) = (self.left_batch[axis], self.right_batch[axis]);
            batch[axis] = if left > right { left } else { right };
            axis += 1;
        }
        batch
    }

    const fn check(&self) -> Result<(), ShapeError> {
        const LARGEST: usize = 1 << 15;
        let Self { left_batch: [a, b, c], right_batch: [d, e, f], rows, depth, columns, .. } = *self;
        let lengths = [a, b, c, d, e, f, rows, depth, columns];
        let mut index = 0;
        while index < lengths.len() {
            if lengths[index] == 0 {
                return Err(ShapeError::Zero("a length of the matrix product"));
            }
            if lengths[index] >= LARGEST {
                return Err(ShapeError::TooLarge);
            }
            index += 1;
        }
        let mut axis = 0;
        while axis < BATCH_RANK {
            let (left, right) = (self.left_batch[axis], self.right_batch[axis]);
            if left != right && left != 1 && right != 1 {
                return Err(ShapeError::Range("the batches of the two tensors fit neither each other nor 1"));
            }
            axis += 1;
        }
        let tensors =
            [(self.left_batch, rows, depth), (self.right_batch, depth, columns), (self.batch(), rows, columns)];
        let mut index = 0;
        while index < tensors.len() {
            let ([a, b, c], height, width) = tensors[index];
            let factors = [a, b, c, height, width];
            let mut length: usize = 1;
            let mut factor = 0;
            while factor < factors.len() {
                length = match length.checked_mul(factors[factor]) {
                    Some(length) if length < 1 << 31 => length,
                    _ => return Err(ShapeError::TooLarge),
                };
                factor += 1;
            }
            index += 1;
        }
        Ok(())
    }

    /// Elements of the left tensor.
    pub const fn left_len(&self) -> usize {
        let [a, b, c] = self.left_batch;
        a * b * c * self.rows * self.depth
    }

    /// Elements of the right tensor.
    pub const fn right_len(&self) -> usize {
        let [a, b, c] = self.right_batch;
        a * b * c * self.depth * self.columns
    }

    /// Elements of the result.
    pub const fn output_len(&self) -> usize {
        let [a, b, c] = self.batch();
        a * b * c * self.rows * self.columns
    }
}

/// A product of tensors, checked.
#[derive(Clone, Copy, Debug)]
pub struct Matmul<'a> {
    shape: MatmulShape,
    left_zero_point: i32,
    right_zero_point: i32,
    bias: &'a [i64],
    sums: Sums,
    multiplier: Multiplier,
    output: OutputRange,
}

impl<'a> Matmul<'a> {
    /// Products of matrices of the shape, with a bias per column or none. `output` gives zero point and range of the output,
    /// `output_scale` its scale. Sums have 32 bits for int8; for int16 64, unless biases are int32.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, the biases are not as many as the columns or too large for the sums, the
    /// scales are not positive or do not fit each other, or a zero point lies outside of int16.
    pub const fn new(
        shape: MatmulShape,
        left: Affine,
        right: Affine,
        bias: &'a [i64],
        sums: Sums,
        output_scale: f32,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = shape.check() {
            return Err(error);
        }
        if let Err(error) = Affine::check_all(
            &[left, right, Affine::new(output_scale, output.zero_point)],
            i16::MIN as i32,
            i16::MAX as i32,
        ) {
            return Err(error);
        }
        if let Err(error) = output.check_int16() {
            return Err(error);
        }
        if !bias.is_empty()
            && let Err(error) = ShapeError::check_length("the bias", shape.columns, bias.len())
        {
            return Err(error);
        }
        let mut index = 0;
        while index < bias.len() {
            match sums {
                // Less than 2^15 products below 2^31 each leave room for as much again.
                Sums::Bits64 if bias[index].unsigned_abs() >= LARGEST_SUM / 2 => {
                    return Err(ShapeError::Range("a bias of the matrix product is 2^46 or more in size"));
                }
                Sums::Bits32 if bias[index] != bias[index] as i32 as i64 => {
                    return Err(ShapeError::Range("a bias of more than 32 bits in a product of 32-bit sums"));
                }
                _ => index += 1,
            }
        }
        let factor = left.scale as f64 * right.scale as f64 / output_scale as f64;
        let multiplier = match Multiplier::try_from_f64(factor) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        if matches!(sums, Sums::Bits64) && multiplier.shift > 7 {
            return Err(ShapeError::Range("the scales do not fit each other: a factor of 2^7 or more for 64-bit sums"));
        }
        let (left_zero_point, right_zero_point) = (left.zero_point, right.zero_point);
        Ok(Self { shape, left_zero_point, right_zero_point, bias, sums, multiplier, output })
    }

    /// The output of column `column` whose products add up to `sum`, bias left out.
    #[inline(always)]
    fn finish(&self, column: usize, sum: i64) -> i32 {
        let sum = sum.wrapping_add(self.bias.get(column).copied().unwrap_or(0));
        let scaled = match self.sums {
            Sums::Bits32 => self.multiplier.apply(sum as i32),
            Sums::Bits64 => self.multiplier.apply_i64(sum),
        };
        self.output.finish(scaled)
    }
}

/// Runs the product.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn matmul<L: Element, R: Element>(
    layer: &Matmul<'_>,
    left: &[L],
    right: &[R],
    output: &mut [L],
) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    ShapeError::check_length("the left tensor", shape.left_len(), left.len())?;
    ShapeError::check_length("the right tensor", shape.right_len(), right.len())?;
    ShapeError::check_length("the output", shape.output_len(), output.len())?;
    let mut results = output.chunks_exact_mut((shape.rows * shape.columns).max(1));
    let [first, second, third] = shape.batch();
    // The matrix of a batch: dimensions of length 1 stay at 0.
    let matrix = |batch: &[usize; BATCH_RANK], place: [usize; BATCH_RANK]| {
        batch.iter().zip(place).fold(0, |at, (&length, index)| at * length + if length == 1 { 0 } else { index })
    };
    for i in 0..first {
        for j in 0..second {
            for k in 0..third {
                let Some(result) = results.next() else { return excluded_run() };
                let left_start = matrix(&shape.left_batch, [i, j, k]) * shape.rows * shape.depth;
                let right_start = matrix(&shape.right_batch, [i, j, k]) * shape.depth * shape.columns;
                let left = left.get(left_start..).unwrap_or_else(excluded);
                let right = right.get(right_start..).unwrap_or_else(excluded);
                match layer.sums {
                    Sums::Bits32 => product::<_, _, i32>(layer, left, right, result),
                    Sums::Bits64 => product::<_, _, i64>(layer, left, right, result),
                }
            }
        }
    }
    Ok(())
}

/// A sum of products.
trait Sum: Copy + Default + Into<i64> {
    /// The sum, and a product more.
    fn add(self, left: i32, right: i32) -> Self;
    /// The sum, less `times` another.
    fn subtract(self, other: Self, times: i32) -> Self;
}

impl Sum for i32 {
    #[inline(always)]
    fn add(self, left: i32, right: i32) -> Self {
        self.wrapping_add(left.wrapping_mul(right))
    }

    #[inline(always)]
    fn subtract(self, other: Self, times: i32) -> Self {
        self.wrapping_sub(other.wrapping_mul(times))
    }
}

impl Sum for i64 {
    #[inline(always)]
    fn add(self, left: i32, right: i32) -> Self {
        self.wrapping_add(i64::from(left) * i64::from(right))
    }

    #[inline(always)]
    fn subtract(self, other: Self, times: i32) -> Self {
        self.wrapping_sub(other.wrapping_mul(i64::from(times)))
    }
}

/// Neighbouring columns of a row of the output that share what is loaded of the left matrix.
const TILE: usize = 4;

/// One product of the matrices that `left` and `right` start with.
#[inline(always)]
fn product<L: Element, R: Element, S: Sum>(layer: &Matmul<'_>, left: &[L], right: &[R], output: &mut [L]) {
    let MatmulShape { rows, depth, columns, left_transposed, .. } = layer.shape;
    let (row_step, step) = if left_transposed { (1, rows) } else { (depth, 1) };
    for (row, output) in output.chunks_exact_mut(columns.max(1)).enumerate() {
        let left = left.get(row * row_step..).unwrap_or_else(excluded);
        let (tiles, rest) = output.as_chunks_mut::<TILE>();
        let mut column = 0;
        for results in tiles {
            tile::<_, _, S, TILE>(layer, left, step, right, column, results);
            column += TILE;
        }
        for result in rest {
            tile::<_, _, S, 1>(layer, left, step, right, column, core::array::from_mut(result));
            column += 1;
        }
    }
}

/// The outputs of `N` columns from `column` on. `left` starts with the row, whose elements are `left_step` apart.
///
/// Σ (a − z_a)·(b − z_b) = Σ (a − z_a)·b − z_b · Σ (a − z_a), so that no element of the right matrix needs its zero point.
#[inline(always)]
fn tile<L: Element, R: Element, S: Sum, const N: usize>(
    layer: &Matmul<'_>,
    left: &[L],
    left_step: usize,
    right: &[R],
    column: usize,
    results: &mut [L; N],
) {
    let MatmulShape { depth, columns, right_transposed, .. } = layer.shape;
    let (column_step, step) = if right_transposed { (depth, 1) } else { (1, columns) };
    // All columns are cut to one length, so that one comparison serves their elements at an index of the depth.
    let length = (depth - 1) * step + 1;
    let mut rights: [&[R]; N] = [&[]; N];
    for (index, slot) in rights.iter_mut().enumerate() {
        let start = (column + index) * column_step;
        let Some(elements) = right.get(start..start.wrapping_add(length)) else { return excluded() };
        *slot = elements;
    }
    let (mut sums, mut total) = ([S::default(); N], S::default());
    let (mut left_at, mut at) = (0, 0);
    for _ in 0..depth {
        let Some(&value) = left.get(left_at) else { return excluded() };
        let value: i32 = value.into() - layer.left_zero_point;
        total = total.add(value, 1);
        for (sum, right) in sums.iter_mut().zip(rights) {
            let Some(&factor) = right.get(at) else { return excluded() };
            *sum = sum.add(value, factor.into());
        }
        left_at += left_step;
        at += step;
    }
    for (index, (result, sum)) in results.iter_mut().zip(sums).enumerate() {
        let sum = sum.subtract(total, layer.right_zero_point);
        *result = L::wrap(layer.finish(column + index, sum.into()));
    }
}

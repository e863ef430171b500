//! Embedding: rows of a table, chosen by index.
//!
//! - Layout: table `[entries][width]`, output `[indices][width]`.
//! - Forward: `y[k] = table[index[k]]`. Backward: `∂L/∂table[index[k]] += δ[k]`; an index may occur twice, so it adds.
//!   The indices have no gradient.
//! - Held by: differences (tests/host/gradient/layers.rs).

use smolnn_core::{Cost, ShapeError};

use crate::Number;
use crate::slices::{part, part_mut, vectors, vectors_mut};

/// A table's size, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Embedding {
    /// Rows of the table.
    pub entries: usize,
    /// Elements of a row.
    pub width: usize,
}

impl Embedding {
    /// A table of `entries` rows of `width` elements.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(entries: usize, width: usize) -> Result<Self, ShapeError> {
        if entries == 0 || width == 0 {
            return Err(ShapeError::Zero("a dimension of the embedding"));
        }
        match entries.checked_mul(width) {
            Some(elements) if elements < 1 << 31 => Ok(Self { entries, width }),
            _ => Err(ShapeError::TooLarge),
        }
    }

    /// Elements of the table.
    pub const fn weights(&self) -> usize {
        self.entries * self.width
    }

    /// What looking up so many indices costs, for [`train_bytes`](smolnn_core::train_bytes). The indices are the caller's.
    pub const fn cost(&self, indices: usize) -> Cost {
        Cost { weights: self.weights(), output: indices.saturating_mul(self.width), ..Cost::ZERO }
    }

    fn check(&self, table: usize, indices: &[usize], output: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the table", self.weights(), table)?;
        if indices.iter().any(|&index| index >= self.entries) {
            return Err(ShapeError::Range("an index has no row in the table"));
        }
        match indices.len().checked_mul(self.width) {
            Some(expected) => ShapeError::check_length("the output", expected, output),
            None => Err(ShapeError::TooLarge),
        }
    }
}

/// Copies the rows at the indices to `output`.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says, [`ShapeError::Range`] when an index has no row.
pub fn forward<T: Number>(
    shape: &Embedding,
    table: &[T],
    indices: &[usize],
    output: &mut [T],
) -> Result<(), ShapeError> {
    shape.check(table.len(), indices, output.len())?;
    for (y, &index) in vectors_mut(output, shape.width).zip(indices) {
        for (y, &w) in y.iter_mut().zip(part(table, index * shape.width, shape.width)) {
            *y = w;
        }
    }
    Ok(())
}

/// Adds ∂L/∂table to `d_table`, given ∂L/∂y in `d_output`.
///
/// # Errors
/// The errors are those of [`forward`].
pub fn backward<T: Number>(
    shape: &Embedding,
    indices: &[usize],
    d_output: &[T],
    d_table: &mut [T],
) -> Result<(), ShapeError> {
    shape.check(d_table.len(), indices, d_output.len())?;
    for (g, &index) in vectors(d_output, shape.width).zip(indices) {
        for (d, &g) in part_mut(d_table, index * shape.width, shape.width).iter_mut().zip(g) {
            *d += g;
        }
    }
    Ok(())
}

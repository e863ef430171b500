//! Rows of equally many elements.

use smolnn_core::ShapeError;

/// Rows of channels: a batch of vectors, or all pixels of a batch of images. What is normalised, and what a loss is over.
/// Checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rows {
    /// Rows: images × height × width.
    pub rows: usize,
    /// Elements of a row.
    pub channels: usize,
}

impl Rows {
    /// `rows` rows of `channels` elements.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], [`ShapeError::TooLarge`].
    pub const fn new(rows: usize, channels: usize) -> Result<Self, ShapeError> {
        if rows == 0 || channels == 0 {
            return Err(ShapeError::Zero("a dimension of the rows"));
        }
        match rows.checked_mul(channels) {
            Some(elements) if elements < 1 << 31 => Ok(Self { rows, channels }),
            _ => Err(ShapeError::TooLarge),
        }
    }

    /// Elements of all rows.
    pub const fn elements(&self) -> usize {
        self.rows * self.channels
    }
}

//! Normalisation: per channel over a batch ([`batch`]), per row over its elements ([`layer`]).

pub mod batch;
pub mod layer;

use smolnn_core::ShapeError;

/// Rows of channels: a batch of vectors, or all pixels of a batch of images. Checked.
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
            return Err(ShapeError::Zero("a dimension of the normalised rows"));
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

/// Where a normalisation adds its gradients; `None` where one is not wanted.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// ∂L/∂x, as long as the input.
    pub input: Option<&'a mut [T]>,
    /// ∂L/∂γ, one per channel.
    pub gamma: Option<&'a mut [T]>,
    /// ∂L/∂β, one per channel.
    pub beta: Option<&'a mut [T]>,
}

impl<T> Default for Gradients<'_, T> {
    fn default() -> Self {
        Self { input: None, gamma: None, beta: None }
    }
}

impl<T> Gradients<'_, T> {
    fn check(&self, shape: &Rows) -> Result<(), ShapeError> {
        use crate::slices::check_optional;
        check_optional("the gradient of the input", shape.elements(), self.input.as_deref())?;
        check_optional("the gradient of gamma", shape.channels, self.gamma.as_deref())?;
        check_optional("the gradient of beta", shape.channels, self.beta.as_deref())
    }
}

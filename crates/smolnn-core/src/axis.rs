//! One axis of a tensor.

use crate::ShapeError;

/// The middle axis of outer × length × inner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    outer: usize,
    length: usize,
    inner: usize,
}

impl Axis {
    /// Of the given lengths.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or their product too large.
    pub const fn new(outer: usize, length: usize, inner: usize) -> Result<Self, ShapeError> {
        if outer == 0 || length == 0 || inner == 0 {
            return Err(ShapeError::Zero("a length around an axis"));
        }
        let Some(elements) = outer.checked_mul(length) else { return Err(ShapeError::TooLarge) };
        match elements.checked_mul(inner) {
            Some(elements) if elements < 1 << 31 => Ok(Self { outer, length, inner }),
            _ => Err(ShapeError::TooLarge),
        }
    }

    /// Elements of the tensor.
    pub const fn elements(&self) -> usize {
        self.outer * self.length * self.inner
    }

    /// Elements of the tensor without the axis.
    pub const fn without(&self) -> usize {
        self.outer * self.inner
    }

    /// Elements along the axis.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Elements from one position of the axis to the next.
    pub const fn inner(&self) -> usize {
        self.inner
    }

    /// The first position of each line along the axis, in the order of the lines.
    #[inline]
    pub fn lines(&self) -> impl Iterator<Item = usize> {
        let Self { outer, length, inner } = *self;
        (0..outer).flat_map(move |outer| (0..inner).map(move |line| outer * length * inner + line))
    }
}

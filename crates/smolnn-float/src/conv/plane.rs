//! Planes: single-channel images seen through strides, so that a rotation by 180° is a view and not a copy.
//!
//! - Cross-correlation: `y[i, j] = Σ_{u, v} W[u, v]·x[i + u − p, j + v − q]`; [`convolve`] is the same with W rotated,
//!   `Σ x[a, b]·W[i − a, j − b]` in full mode, which commutes.
//! - For cross-correlation rot180(W) ⋆ x = rot180(x) ⋆ W and W ⋆ x = rot180(x ⋆ W) hold in full mode; W ⋆ x = x ⋆ W does not.
//! - Held by: textbook row 5.1, exactly, in integers.

use smolnn_core::{ShapeError, same_padding};

use crate::Number;
use crate::slices::{at, vectors_mut};

/// Which outputs a correlation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Where the kernel lies inside of the image: (M − m + 1) × (N − n + 1).
    Valid,
    /// As many as the image has: M × N, the odd padding behind.
    Same,
    /// Wherever the kernel touches the image: (M + m − 1) × (N + n − 1).
    Full,
}

impl Mode {
    /// Padding before, and outputs, along one axis. `None` where there is no output.
    const fn axis(self, image: usize, kernel: usize) -> Option<(usize, usize)> {
        match self {
            Self::Valid if kernel > image => None,
            Self::Valid => Some((0, image - kernel + 1)),
            Self::Same => Some((same_padding(image, kernel, 1, 1).0, image)),
            Self::Full => Some((kernel - 1, image + kernel - 1)),
        }
    }

    /// Height and width of the output of an image and a kernel.
    ///
    /// # Errors
    /// [`ShapeError::KernelTooLarge`] when there is no output.
    pub const fn output(self, image: (usize, usize), kernel: (usize, usize)) -> Result<(usize, usize), ShapeError> {
        match self.axes(image, kernel) {
            Ok([(_, height), (_, width)]) => Ok((height, width)),
            Err(error) => Err(error),
        }
    }

    /// Padding before, and outputs, along rows and columns.
    const fn axes(self, image: (usize, usize), kernel: (usize, usize)) -> Result<[(usize, usize); 2], ShapeError> {
        match (self.axis(image.0, kernel.0), self.axis(image.1, kernel.1)) {
            (Some(rows), Some(columns)) => Ok([rows, columns]),
            (None, _) => Err(ShapeError::KernelTooLarge { kernel: kernel.0, input: image.0 }),
            _ => Err(ShapeError::KernelTooLarge { kernel: kernel.1, input: image.1 }),
        }
    }
}

/// A view of a matrix. Made by [`Plane::new`], turned by [`Plane::rot180`].
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a, T> {
    elements: &'a [T],
    height: usize,
    width: usize,
    rotated: bool,
}

impl<'a, T: Number> Plane<'a, T> {
    /// `elements` as `height` rows.
    ///
    /// # Errors
    /// [`ShapeError::Zero`], or [`ShapeError::Length`] when there are not height × width elements.
    pub const fn new(height: usize, width: usize, elements: &'a [T]) -> Result<Self, ShapeError> {
        let Some(expected) = height.checked_mul(width) else { return Err(ShapeError::TooLarge) };
        if expected == 0 {
            return Err(ShapeError::Zero("a dimension of the plane"));
        }
        match ShapeError::check_length("the plane", expected, elements.len()) {
            Ok(()) => Ok(Self { elements, height, width, rotated: false }),
            Err(error) => Err(error),
        }
    }

    /// Rows and columns.
    pub const fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The same elements from the last to the first: rows and columns both reversed.
    #[must_use]
    pub const fn rot180(self) -> Self {
        Self { rotated: !self.rotated, ..self }
    }

    /// The element, 0 outside of the plane.
    #[inline]
    pub fn get(&self, row: usize, column: usize) -> T {
        if row >= self.height || column >= self.width {
            return T::default();
        }
        let index = row * self.width + column;
        let index = if self.rotated { self.elements.len() - 1 - index } else { index };
        at(self.elements, index)
    }
}

/// Writes W ⋆ x (cross-correlation of image x with kernel W) to `output`, and returns its height and width.
///
/// # Errors
/// [`ShapeError::KernelTooLarge`] when there is no output, [`ShapeError::Length`] when `output` is not as long as it.
pub fn cross_correlate<T: Number>(
    kernel: Plane<'_, T>,
    image: Plane<'_, T>,
    mode: Mode,
    output: &mut [T],
) -> Result<(usize, usize), ShapeError> {
    let [(top, height), (left, width)] = mode.axes(image.size(), kernel.size())?;
    ShapeError::check_length("the output", height * width, output.len())?;
    for (i, row) in vectors_mut(output, width).enumerate() {
        for (j, y) in row.iter_mut().enumerate() {
            *y = T::default();
            for u in 0..kernel.height {
                for v in 0..kernel.width {
                    // Before the image the index wraps to one that lies behind it: 0 either way.
                    *y += kernel.get(u, v) * image.get((i + u).wrapping_sub(top), (j + v).wrapping_sub(left));
                }
            }
        }
    }
    Ok((height, width))
}

/// Writes W ∗ x (flipped convolution) to `output`, and returns its height and width. In [`Mode::Full`] it commutes.
///
/// # Errors
/// The errors are those of [`cross_correlate`].
pub fn convolve<T: Number>(
    kernel: Plane<'_, T>,
    image: Plane<'_, T>,
    mode: Mode,
    output: &mut [T],
) -> Result<(usize, usize), ShapeError> {
    cross_correlate(kernel.rot180(), image, mode, output)
}

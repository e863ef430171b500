//! Resizing images to any size, for inference: RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR of TensorFlow Lite.
//!
//! - Layout: NHWC.
//! - Scale s of an axis from n to m positions: n/m; with corners aligned and m > 1 (n − 1)/(m − 1).
//! - Bilinear: output position i stands for p = i·s, with half pixel centres for (i + ½)·s − ½. It lies between the input
//!   positions max(0, ⌊p⌋) and min(n − 1, ⌈p⌉); the upper one weighs p − ⌊p⌋. y = Σ over four corners of
//!   x · weight of the row · weight of the column.
//! - Nearest: ⌊i·s⌋, with half pixel centres ⌊(i + ½)·s⌋; with corners aligned rounded instead, halves upwards.
//! - Positions are computed in f32, as the reference does, so that both take the same pixels.
//! - Held by: random sizes against naive loops in f64 (tests/host/registry/float_inference.rs).

use smolnn_core::{Image, ShapeError};

use crate::slices::{part, vectors_mut};
use crate::{Number, Real};

/// Which input position an output position stands for. TensorFlow's options of the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// First and last positions of input and output stand for each other.
    pub align_corners: bool,
    /// Positions are the centres of pixels, half a pixel behind their edge.
    pub half_pixel_centers: bool,
}

/// Sizes of the images, and how they are sampled, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizeShape {
    batch: usize,
    input: Image,
    output: Image,
    sampling: Sampling,
    /// Of a resize that makes some rows only: the factor by which its images grow in height, and where the first row lies, in 1/1024 of a row of the images.
    some_rows: Option<(usize, i32)>,
}

/// Most positions along an axis, so that f32 tells all of them apart.
const LARGEST: usize = 1 << 20;

impl ResizeShape {
    /// `batch` images, resized to `rows` × `columns` pixels.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, or both ways of sampling are asked for at once.
    pub const fn new(
        batch: usize,
        input: Image,
        rows: usize,
        columns: usize,
        sampling: Sampling,
    ) -> Result<Self, ShapeError> {
        if sampling.align_corners && sampling.half_pixel_centers {
            return Err(ShapeError::Range("aligned corners and half pixel centres exclude each other"));
        }
        let output = Image::hwc(rows, columns, input.channels);
        let images = [input, output];
        let mut index = 0;
        while index < images.len() {
            let Image { height, width, channels } = images[index];
            if batch == 0 || height == 0 || width == 0 || channels == 0 {
                return Err(ShapeError::Zero("a length of the resized image"));
            }
            if height > LARGEST || width > LARGEST {
                return Err(ShapeError::TooLarge);
            }
            match (height as u64 * width as u64).checked_mul(channels as u64) {
                Some(length) if length < 1 << 31 => match length.checked_mul(batch as u64) {
                    Some(length) if length < 1 << 31 => {}
                    _ => return Err(ShapeError::TooLarge),
                },
                _ => return Err(ShapeError::TooLarge),
            }
            index += 1;
        }
        Ok(Self { batch, input, output, sampling, some_rows: None })
    }

    /// Makes `rows` rows of images that grow by a whole factor in height, and to `columns` columns: the images have those rows that these lie between. The
    /// first row lies `position` steps of 1/1024 behind the first row of the images, or before it. For [`resize_bilinear`].
    ///
    /// # Errors
    /// [`ShapeError`] as in [`new`](Self::new), and when the factor is no power of two, by which alone positions are exact, or the position lies outside.
    pub const fn some_rows(
        batch: usize,
        input: Image,
        rows: usize,
        columns: usize,
        sampling: Sampling,
        factor: usize,
        position: i32,
    ) -> Result<Self, ShapeError> {
        if sampling.align_corners || !factor.is_power_of_two() || factor > 1024 {
            return Err(ShapeError::Range("rows of a resize by 2, 4, 8 … without aligned corners"));
        }
        if position < -1024 || position >= 1 << 30 {
            return Err(ShapeError::Range("a row lies outside of the image"));
        }
        match Self::new(batch, input, rows, columns, sampling) {
            Ok(shape) => Ok(Self { some_rows: Some((factor, position)), ..shape }),
            Err(error) => Err(error),
        }
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.batch * self.input.len()
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.batch * self.output.len()
    }

    fn check(&self, input: usize, output: usize) -> Result<(), ShapeError> {
        ShapeError::check_length("the input", self.input_len(), input)?;
        ShapeError::check_length("the output", self.output_len(), output)
    }

    fn rows(&self) -> Axis {
        match self.some_rows {
            None => Axis::new(self.input.height, self.output.height, self.sampling),
            Some((factor, position)) => Axis {
                last: self.input.height - 1,
                scale: 1.0 / factor as f32,
                half: 0.0,
                first: position as f32 / 1024.0,
                align_corners: false,
            },
        }
    }

    fn columns(&self) -> Axis {
        Axis::new(self.input.width, self.output.width, self.sampling)
    }
}

/// One axis of an image that is resized.
#[derive(Clone, Copy)]
struct Axis {
    last: usize,
    scale: f32,
    /// From an output position to its centre.
    half: f32,
    /// Where the output's edge lies behind the input's first centre.
    first: f32,
    align_corners: bool,
}

impl Axis {
    fn new(input: usize, output: usize, sampling: Sampling) -> Self {
        let (from, to) = if sampling.align_corners && output > 1 { (input - 1, output - 1) } else { (input, output) };
        let half = if sampling.half_pixel_centers { 0.5 } else { 0.0 };
        let scale = from as f32 / to as f32;
        Self { last: input - 1, scale, half, first: -half, align_corners: sampling.align_corners }
    }

    /// Lower and upper input position of an output position, and the weight of the upper one.
    fn between(&self, index: usize) -> (usize, usize, f32) {
        let position = (index as f32 + self.half) * self.scale + self.first;
        if position <= 0.0 {
            return (0, 0, 0.0);
        }
        // Positions are not negative here, and `as` cuts off what is behind the point.
        let lower = (position as usize).min(self.last);
        let weight = position - lower as f32;
        (lower, if weight > 0.0 { (lower + 1).min(self.last) } else { lower }, weight)
    }

    /// The input position that is nearest to an output position.
    fn nearest(&self, index: usize) -> usize {
        let position = (index as f32 + self.half) * self.scale;
        let below = position as usize;
        let rounds_up = self.align_corners && position - below as f32 >= 0.5;
        (below + usize::from(rounds_up)).min(self.last)
    }
}

/// Resizes by weighing the four pixels around each position.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says.
pub fn resize_bilinear<T: Real>(shape: &ResizeShape, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    shape.check(input.len(), output.len())?;
    let (rows, columns, channels) = (shape.rows(), shape.columns(), shape.input.channels);
    let real = |weight: f32| T::from_f64(f64::from(weight));
    for (image, output) in vectors_mut(output, shape.output.len()).enumerate() {
        let image = part(input, image * shape.input.len(), shape.input.len());
        for (y, row) in vectors_mut(output, shape.output.row()).enumerate() {
            let (top, bottom, down) = rows.between(y);
            let top = part(image, top * shape.input.row(), shape.input.row());
            let bottom = part(image, bottom * shape.input.row(), shape.input.row());
            for (x, pixel) in vectors_mut(row, channels).enumerate() {
                let (left, right, along) = columns.between(x);
                let weights = [(1.0 - down) * (1.0 - along), down * (1.0 - along), (1.0 - down) * along, down * along];
                let [upper_left, lower_left, upper_right, lower_right] = weights.map(real);
                let [a, b, c, d] = [(top, left), (bottom, left), (top, right), (bottom, right)]
                    .map(|(row, column)| part(row, column * channels, channels));
                for ((y, (&a, &b)), (&c, &d)) in pixel.iter_mut().zip(a.iter().zip(b)).zip(c.iter().zip(d)) {
                    *y = a * upper_left + b * lower_left + c * upper_right + d * lower_right;
                }
            }
        }
    }
    Ok(())
}

/// Resizes by taking the nearest pixel.
///
/// # Errors
/// [`ShapeError::Length`] when a slice is not as long as the shape says, [`ShapeError::Range`] when the shape is of some rows.
pub fn resize_nearest<T: Number>(shape: &ResizeShape, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    shape.check(input.len(), output.len())?;
    if shape.some_rows.is_some() {
        return Err(ShapeError::Range("some rows are for bilinear resizes"));
    }
    let (rows, columns, channels) = (shape.rows(), shape.columns(), shape.input.channels);
    for (image, output) in vectors_mut(output, shape.output.len()).enumerate() {
        let image = part(input, image * shape.input.len(), shape.input.len());
        for (y, row) in vectors_mut(output, shape.output.row()).enumerate() {
            let from = part(image, rows.nearest(y) * shape.input.row(), shape.input.row());
            for (x, pixel) in vectors_mut(row, channels).enumerate() {
                for (y, &x) in pixel.iter_mut().zip(part(from, columns.nearest(x) * channels, channels)) {
                    *y = x;
                }
            }
        }
    }
    Ok(())
}

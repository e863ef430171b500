//! Resizing images to any size: RESIZE_BILINEAR (int8 and int16) and RESIZE_NEAREST_NEIGHBOR (elements of any type).
//!
//! Bilinear, in steps of 1/1024 of an input position:
//!
//! - step = ⌊(1024 · n + m/2) / m⌋ from n input to m output positions; with corners aligned and m > 1 of n − 1 and m − 1.
//! - position(i) = i · step; with half pixel centres i · step + ⌊step/2⌋ − 512. It lies between the input positions
//!   lower = max(0, ⌊position/1024⌋) and upper = min(n − 1, ⌈position/1024⌉), and the upper one weighs position − 1024 · lower.
//! - y = Σ over the four corners of x · weight of the row · weight of the column, over 2^20: halves away from zero.
//! - Accumulators: a weight is below 1536 in size, so that int8 keeps 4 · 2^7 · 1536² < 2^31; int16 takes 64 bits.
//! - The reference reads behind the image where rounding the step upwards carries `lower` past the end (7 to 50 positions,
//!   for instance). The last position serves there.
//!
//! Nearest: the input position is ⌊(i + h) · s⌋, h = 1/2 with half pixel centres, else 0; s = n/m, or (n − 1)/(m − 1)
//! with corners aligned, where the product is rounded instead, halves upwards. All of that in f32, as the reference has it,
//! which is why the layer takes tables of positions that were computed beforehand: [`nearest_position`].
//!
//! - Layout: NHWC. One scale in and out, so that nothing else is rounded. Written row by row, so that the output may grow
//!   into the buffer that holds the input: see `overlap_gap`.
//! - Held by: random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{Image, ShapeError, excluded_run};

use crate::element::Element;
use crate::quantise::round;
use crate::tensors::{Source, Tensors};

/// Which input position an output position stands for. TensorFlow's options of the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// First and last positions of input and output stand for each other.
    pub align_corners: bool,
    /// Positions are the centres of pixels, half a pixel behind their edge.
    pub half_pixel_centers: bool,
}

/// Most positions along an axis: the products of 1024 · position stay within 31 bits.
const LARGEST: usize = 1 << 20;

/// Checks lengths, and gives the output's image.
const fn check(batch: usize, input: Image, rows: usize, columns: usize) -> Result<Image, ShapeError> {
    let output = Image::hwc(rows, columns, input.channels);
    let images = [input, output];
    let mut index = 0;
    while index < 2 {
        let Image { height, width, channels } = images[index];
        if batch == 0 || height == 0 || width == 0 || channels == 0 {
            return Err(ShapeError::Zero("a length of the resized image"));
        }
        if height > LARGEST || width > LARGEST {
            return Err(ShapeError::TooLarge);
        }
        let Some(length) = (height * width).checked_mul(channels) else { return Err(ShapeError::TooLarge) };
        match length.checked_mul(batch) {
            Some(length) if length < 1 << 31 => {}
            _ => return Err(ShapeError::TooLarge),
        }
        index += 1;
    }
    Ok(output)
}

/// What output row `row` of image `image` adds to the least distance from output to input: it is written while the input
/// rows from `needed` on are still read.
const fn row_gap(input: &Image, output: &Image, image: usize, row: usize, needed: usize) -> usize {
    let written = image * output.len() + (row + 1) * output.row();
    written.saturating_sub(image * input.len() + needed * input.row())
}

/// One axis of a bilinear resize.
#[derive(Clone, Copy, Debug)]
struct Axis {
    last: usize,
    step: usize,
    offset: isize,
}

impl Axis {
    const fn new(input: usize, output: usize, sampling: Sampling) -> Self {
        let step = if sampling.align_corners && output > 1 {
            (1024 * (input - 1) + (output - 1) / 2) / (output - 1)
        } else {
            (1024 * input + output / 2) / output
        };
        let offset = if sampling.half_pixel_centers { (step / 2) as isize - 512 } else { 0 };
        Self { last: input - 1, step, offset }
    }

    /// Lower and upper input position of an output position, and their weights.
    #[inline(always)]
    const fn between(&self, index: usize) -> ([usize; 2], [i32; 2]) {
        let position = (index * self.step) as isize + self.offset;
        let lower = if position < 0 { 0 } else { position as usize >> 10 };
        if lower >= self.last {
            return ([self.last, self.last], [1024, 0]);
        }
        let upper = (position + 1023) >> 10;
        let weight = (position - 1024 * lower as isize) as i32;
        ([lower, if upper < 0 { 0 } else { upper as usize }], [1024 - weight, weight])
    }
}

/// A bilinear resize, checked.
#[derive(Clone, Copy, Debug)]
pub struct ResizeBilinear {
    batch: usize,
    input: Image,
    output: Image,
    rows: Axis,
    columns: Axis,
    overlap_gap: usize,
}

impl ResizeBilinear {
    /// Resizes `batch` images to `rows` × `columns` pixels.
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
        let output = match check(batch, input, rows, columns) {
            Ok(output) => output,
            Err(error) => return Err(error),
        };
        let (rows, columns) = (Axis::new(input.height, rows, sampling), Axis::new(input.width, columns, sampling));
        Ok(Self::along(batch, input, output, rows, columns))
    }

    /// Makes `rows` rows of images that grow by a whole factor in height, and to `columns` columns: the images have those rows that these lie between. The
    /// first row lies `position` steps of 1/1024 behind the first row of the images, or before it.
    ///
    /// # Errors
    /// [`ShapeError`] as in [`new`](Self::new), and when the factor is no power of two, by which alone steps are whole, or the position lies outside.
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
        let output = match check(batch, input, rows, columns) {
            Ok(output) => output,
            Err(error) => return Err(error),
        };
        let rows = Axis { last: input.height - 1, step: 1024 / factor, offset: position as isize };
        Ok(Self::along(batch, input, output, rows, Axis::new(input.width, columns, sampling)))
    }

    /// The resize along these axes.
    const fn along(batch: usize, input: Image, output: Image, rows: Axis, columns: Axis) -> Self {
        let mut overlap_gap = 0;
        let mut row = 0;
        while row < output.height {
            let ([needed, _], _) = rows.between(row);
            // The distance is linear in the number of the image: the first or the last one has the largest.
            let (first, last) =
                (row_gap(&input, &output, 0, row, needed), row_gap(&input, &output, batch - 1, row, needed));
            let gap = if first > last { first } else { last };
            overlap_gap = if gap > overlap_gap { gap } else { overlap_gap };
            row += 1;
        }
        Self { batch, input, output, rows, columns, overlap_gap }
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.batch * self.input.len()
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.batch * self.output.len()
    }

    /// The least distance from the output's first element to the input's when they overlap.
    pub const fn overlap_gap(&self) -> usize {
        self.overlap_gap
    }
}

/// Σ x · weight over 2^20, halves away from zero.
#[inline(always)]
fn mix<T: Element>(values: [i32; 4], weights: [i32; 4]) -> i32 {
    const HALF: u32 = 1 << 19;
    let pairs = values.into_iter().zip(weights);
    if size_of::<T>() == 1 {
        let sum = pairs.fold(0_i32, |sum, (value, weight)| sum.wrapping_add(value.wrapping_mul(weight)));
        let magnitude = (sum.unsigned_abs().wrapping_add(HALF) >> 20) as i32;
        return if sum < 0 { -magnitude } else { magnitude };
    }
    let sum = pairs.fold(0_i64, |sum, (value, weight)| sum + i64::from(value) * i64::from(weight));
    let magnitude = ((sum.unsigned_abs() + u64::from(HALF)) >> 20) as i32;
    if sum < 0 { -magnitude } else { magnitude }
}

/// Runs the bilinear resize.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn resize_bilinear<T: Element>(layer: &ResizeBilinear, mut tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    tensors.check(layer.input_len(), layer.output_len(), layer.overlap_gap)?;
    let (input, output) = tensors.split();
    let Image { height, width, channels } = layer.input;
    let mut pixels = output.chunks_exact(channels.max(1));
    for image in 0..layer.batch {
        for row in 0..layer.output.height {
            let (y, y_weights) = layer.rows.between(row);
            let rows = y.map(|y| (image * height + y) * width);
            for column in 0..layer.output.width {
                let (x, x_weights) = layer.columns.between(column);
                let Some(pixel) = pixels.next() else { return excluded_run() };
                let corner = |row: usize, x: usize| input.part((row + x) * channels, channels);
                let [top, bottom] = rows.map(|row| x.map(|x| corner(row, x)));
                let [[a, b], [c, d]] = y_weights.map(|y| x_weights.map(|x| y * x));
                let tops = top[0].elements().zip(top[1].elements());
                let bottoms = bottom[0].elements().zip(bottom[1].elements());
                for (((e, f), (g, h)), result) in tops.zip(bottoms).zip(pixel) {
                    let value = mix::<T>([e.into(), f.into(), g.into(), h.into()], [a, b, c, d]);
                    result.set(T::wrap(value));
                }
            }
        }
    }
    Ok(())
}

/// The input position, of `input`, that is nearest to output position `index`, of `output`.
pub const fn nearest_position(index: usize, input: usize, output: usize, sampling: Sampling) -> usize {
    let scale = if sampling.align_corners && output > 1 {
        (input - 1) as f32 / (output - 1) as f32
    } else {
        input as f32 / output as f32
    };
    let position = (index as f32 + if sampling.half_pixel_centers { 0.5 } else { 0.0 }) * scale;
    // An f32 is exact in f64; the positions are not negative, so that `as` rounds down.
    let position = if sampling.align_corners { round(position as f64) as usize } else { position as usize };
    if position < input { position } else { input - 1 }
}

/// A resize to the nearest positions, checked.
#[derive(Clone, Copy, Debug)]
pub struct ResizeNearest<'a> {
    batch: usize,
    input: Image,
    output: Image,
    rows: &'a [u16],
    columns: &'a [u16],
    overlap_gap: usize,
}

impl<'a> ResizeNearest<'a> {
    /// Resizes `batch` images to as many rows and columns as there are positions: each is that of the input row or column
    /// to be repeated there, as [`nearest_position`] gives them.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, a position lies outside of the input, or one is below that before it.
    pub const fn new(batch: usize, input: Image, rows: &'a [u16], columns: &'a [u16]) -> Result<Self, ShapeError> {
        let output = match check(batch, input, rows.len(), columns.len()) {
            Ok(output) => output,
            Err(error) => return Err(error),
        };
        let axes = [(rows, input.height), (columns, input.width)];
        let mut axis = 0;
        while axis < 2 {
            let (positions, length) = axes[axis];
            let mut index = 0;
            while index < positions.len() {
                if positions[index] as usize >= length || (index > 0 && positions[index] < positions[index - 1]) {
                    return Err(ShapeError::Range("positions of the resize fall, or lie outside of the input"));
                }
                index += 1;
            }
            axis += 1;
        }
        let mut overlap_gap = 0;
        let mut row = 0;
        while row < output.height {
            let needed = rows[row] as usize;
            let (first, last) =
                (row_gap(&input, &output, 0, row, needed), row_gap(&input, &output, batch - 1, row, needed));
            let gap = if first > last { first } else { last };
            overlap_gap = if gap > overlap_gap { gap } else { overlap_gap };
            row += 1;
        }
        Ok(Self { batch, input, output, rows, columns, overlap_gap })
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.batch * self.input.len()
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.batch * self.output.len()
    }

    /// The least distance from the output's first element to the input's when they overlap.
    pub const fn overlap_gap(&self) -> usize {
        self.overlap_gap
    }
}

/// Runs the resize to the nearest positions.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn resize_nearest<T: Copy>(layer: &ResizeNearest<'_>, mut tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    tensors.check(layer.input_len(), layer.output_len(), layer.overlap_gap)?;
    let (input, output) = tensors.split();
    let Image { height, width, channels } = layer.input;
    let mut pixels = output.chunks_exact(channels.max(1));
    for image in 0..layer.batch {
        for &y in layer.rows {
            let row = (image * height + usize::from(y)) * width;
            for &x in layer.columns {
                let Some(pixel) = pixels.next() else { return excluded_run() };
                input.part((row + usize::from(x)) * channels, channels).map(pixel, |value| value);
            }
        }
    }
    Ok(())
}

//! SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: an image is dealt out to block height × block width smaller images, or put
//! together from them. Elements of any type; nothing is rounded.
//!
//! - Pixel (r, c) of small image (i · block width + j) · batch + n is pixel (r · block height + i − top,
//!   c · block width + j − left) of image n, or the filling where that lies outside.
//! - Layout: NHWC. A sequence has one row.
//! - A convolution between the two is one with a dilation of the block's size, which is what the importer makes of it.
//! - Held by: random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{Image, ShapeError, WindowSize};

/// How images and their blocks belong together, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    batch: usize,
    space: Image,
    block: WindowSize,
    top: usize,
    left: usize,
    small: Image,
}

impl Blocks {
    /// `batch` images of `space`, dealt out to blocks of `block`, with `top` and `left` rows and columns of filling before
    /// the image (or of crop, seen from the blocks), to small images of `rows` × `columns` pixels.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, or a pixel of the images lies in none of the blocks.
    pub const fn new(
        batch: usize,
        space: Image,
        block: WindowSize,
        (top, left): (usize, usize),
        (rows, columns): (usize, usize),
    ) -> Result<Self, ShapeError> {
        const LARGEST: usize = 1 << 24;
        let lengths = [batch, space.height, space.width, space.channels, block.height, block.width, rows, columns];
        let mut index = 0;
        while index < lengths.len() {
            if lengths[index] == 0 {
                return Err(ShapeError::Zero("a length of the blocks"));
            }
            if lengths[index] > LARGEST || top > LARGEST || left > LARGEST {
                return Err(ShapeError::TooLarge);
            }
            index += 1;
        }
        let axes = [(rows, block.height, top, space.height), (columns, block.width, left, space.width)];
        let mut axis = 0;
        while axis < 2 {
            let (small, block, before, length) = axes[axis];
            match small.checked_mul(block) {
                Some(covered) if covered <= LARGEST => {
                    if covered < before + length {
                        return Err(ShapeError::Range("the blocks do not cover the image"));
                    }
                }
                _ => return Err(ShapeError::TooLarge),
            }
            axis += 1;
        }
        // All lengths are below 2^24 now, but a product of them may not be.
        let factors = [rows * block.height, columns * block.width, space.channels, batch];
        let mut length: usize = 1;
        let mut index = 0;
        while index < factors.len() {
            length = match length.checked_mul(factors[index]) {
                Some(length) if length < 1 << 31 => length,
                _ => return Err(ShapeError::TooLarge),
            };
            index += 1;
        }
        Ok(Self { batch, space, block, top, left, small: Image::hwc(rows, columns, space.channels) })
    }

    /// Elements of the images.
    pub const fn space_len(&self) -> usize {
        self.batch * self.space.len()
    }

    /// Elements of the small images.
    pub const fn blocks_len(&self) -> usize {
        self.block.height * self.block.width * self.batch * self.small.len()
    }

    /// Calls `visit` with each pixel of the small images, in their order, and the element where that pixel starts in the
    /// images, if it lies in one.
    #[inline(always)]
    fn each_pixel(&self, mut visit: impl FnMut(Option<usize>)) {
        let Image { height, width, channels } = self.space;
        for i in 0..self.block.height {
            for j in 0..self.block.width {
                for image in 0..self.batch {
                    for row in 0..self.small.height {
                        // Above the image the subtraction wraps to a number that no image has rows for.
                        let y = (row * self.block.height + i).wrapping_sub(self.top);
                        for column in 0..self.small.width {
                            let x = (column * self.block.width + j).wrapping_sub(self.left);
                            let inside = y < height && x < width;
                            visit(inside.then(|| ((image * height + y) * width + x) * channels));
                        }
                    }
                }
            }
        }
    }
}

/// Deals images out to blocks; `filling` stands where there is no pixel.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn space_to_batch<T: Copy>(layer: &Blocks, filling: T, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.space_len(), input.len())?;
    ShapeError::check_length("the output", layer.blocks_len(), output.len())?;
    let channels = layer.space.channels;
    let mut pixels = output.chunks_exact_mut(channels.max(1));
    layer.each_pixel(|start| {
        let Some(pixel) = pixels.next() else { return };
        match start.and_then(|start| input.get(start..start + channels)) {
            Some(source) => pixel.iter_mut().zip(source).for_each(|(target, &value)| *target = value),
            None => pixel.fill(filling),
        }
    });
    Ok(())
}

/// Puts images together from blocks; pixels of the blocks outside of the images are left out.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn batch_to_space<T: Copy>(layer: &Blocks, input: &[T], output: &mut [T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.blocks_len(), input.len())?;
    ShapeError::check_length("the output", layer.space_len(), output.len())?;
    let channels = layer.space.channels;
    let mut pixels = input.chunks_exact(channels.max(1));
    layer.each_pixel(|start| {
        let Some(pixel) = pixels.next() else { return };
        if let Some(target) = start.and_then(|start| output.get_mut(start..start + channels)) {
            target.iter_mut().zip(pixel).for_each(|(target, &value)| *target = value);
        }
    });
    Ok(())
}

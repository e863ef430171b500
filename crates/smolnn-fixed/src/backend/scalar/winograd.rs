//! 3×3 convolutions of stride 1 by Winograd's products: [`backend::winograd`](crate::backend::winograd) has the formula and its bounds.
//!
//! Four tiles at a time: their inputs are transformed, and for every block of output channels, after the products, the sums.
//! The inputs are transformed with one row of the tiles at a time for all channels, then with one column, in the memory where the
//! result stands, so that few registers are enough. Two tiles are transformed at once, the second times 2^16: the transformation only adds
//! and subtracts, so that the lower half is that of the first, and the upper one that of the second but for a borrow, which
//! [`halves`] gives back.
//!
//! Tiles are taken in order across rows, and all that four tiles see is read before an output of theirs is written.

use core::ptr::null_mut;

use smolnn_core::{Conv2dShape, Image, excluded};

use super::Cpu;
use super::kernels::{Core, GEOMETRY};
use super::pack::{WINOGRAD_TILES as TILES, WinogradScratch};
use super::rounding::Rounding;
use crate::backend::winograd::{PLACES, SEEN, TILE, outputs, transform_line};
use crate::conv::Conv2d;

/// Output channels whose sums are made at a time.
const OUTPUTS: usize = GEOMETRY.winograd_outputs;

/// The sums of all places, which are by output channels and tiles.
type Sums = [[i32; OUTPUTS * TILES]; PLACES];

/// A tile.
#[derive(Clone, Copy)]
struct Tile {
    /// The image, and row and column of the first output.
    image: usize,
    row: usize,
    column: usize,
    /// Its outputs' pixels; null where they lie outside of the image.
    pixels: [*mut i8; TILE * TILE],
}

/// Runs the layer.
///
/// # Safety
/// `input` and `output` are as long as the shape says and live as long as the call; the layer's words have the layout for Winograd's
/// products.
#[inline(never)]
pub(super) unsafe fn winograd(layer: &Conv2d<'_>, input: *const i8, output: *mut i8, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let (inputs, channels) = (shape.input().channels, shape.output().channels);
    let rounding = Rounding::new(&layer.output);
    let finish = Rounding::finish_int8(rounding.offset);
    let sizes = WinogradScratch::new(&GEOMETRY, inputs);
    let Some((columns, scratch)) = scratch.split_at_mut_checked(sizes.columns) else { return excluded() };
    let Some((sums, copies)) = scratch.split_at_mut_checked(sizes.sums) else { return excluded() };
    let sums: &mut [i32] = bytemuck::must_cast_slice_mut(sums);
    let Ok(sums) = <&mut Sums>::try_from(sums.as_chunks_mut().0) else { return excluded() };
    // Words of a block of weights: not 0. The compiler does not know that, and would keep the panic of empty chunks.
    let block = (PLACES * OUTPUTS * inputs / 2).max(1);
    let mut next = Tile { image: 0, row: 0, column: 0, pixels: [null_mut(); TILE * TILE] };
    let mut left = shape.batch() * shape.output().height.div_ceil(TILE) * shape.output().width.div_ceil(TILE);
    while left > 0 {
        let count = left.min(TILES);
        left -= count;
        let mut tiles = [next; TILES];
        for index in 0..count {
            next.find_pixels(shape, output);
            // The second tile of the last two is the first one again where there is none.
            for tile in tiles.iter_mut().skip(index) {
                *tile = next;
            }
            next.advance(shape);
        }
        for (index, pair) in tiles.as_chunks::<2>().0.iter().take(count.div_ceil(2)).enumerate() {
            // Two tiles make every second word of a place's and a channel's four halfwords.
            let Some(columns) = columns.get_mut(index..) else { return excluded() };
            // SAFETY: the input is as long as the shape says, as the caller vouches; the words lie in the columns of four tiles.
            unsafe { transform(*pair, layer, input, copies, columns.as_mut_ptr()) };
        }
        for (weights, first) in layer.words.chunks_exact(block).zip((0..channels).step_by(OUTPUTS)) {
            let (columns, weights) = (bytemuck::must_cast_slice(columns), bytemuck::must_cast_slice(weights));
            // SAFETY: columns, weights and sums have the lengths of four tiles, of `inputs` channels and of the outputs.
            unsafe { Cpu::winograd(columns, weights, sums.as_flattened_mut()) };
            transform_sums(sums);
            for output in 0..OUTPUTS {
                let Some(&parameters) = layer.channels.get(first + output) else { break };
                for (lane, tile) in tiles.iter().enumerate().take(count) {
                    for (pixel, sums) in tile.pixels.into_iter().zip(sums.iter()) {
                        if !pixel.is_null() {
                            let sum = sums.get(output * TILES + lane).copied().unwrap_or_else(excluded) >> 2;
                            // SAFETY: the pixel lies in the output, and the channel in the pixel.
                            unsafe { *pixel.add(first + output) = finish(sum, &parameters) };
                        }
                    }
                }
            }
        }
    }
    // SAFETY: the output is as long as the shape says, and every element of it has been written.
    unsafe { rounding.clamp_all(output, shape.output_len()) };
}

impl Tile {
    /// Sets the pixels.
    fn find_pixels(&mut self, shape: &Conv2dShape, output: *mut i8) {
        let Image { height, width, channels } = shape.output();
        let image = output.wrapping_add(self.image * shape.output().len());
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            let (row, column) = (self.row + index / TILE, self.column + index % TILE);
            let is_inside = row < height && column < width;
            *pixel = if is_inside { image.wrapping_add((row * width + column) * channels) } else { null_mut() };
        }
    }

    /// Goes to the next tile.
    fn advance(&mut self, shape: &Conv2dShape) {
        self.column += TILE;
        if self.column >= shape.output().width {
            (self.column, self.row) = (0, self.row + TILE);
            if self.row >= shape.output().height {
                (self.row, self.image) = (0, self.image + 1);
            }
        }
    }
}

/// Transforms the inputs of two tiles: a word for every place and channel, the next one two words on, which holds the number of the first
/// tile in its lower half.
///
/// # Safety
/// The input is as long as the shape says; from `words` on there are the columns of four tiles, but for a word.
unsafe fn transform(tiles: [Tile; 2], layer: &Conv2d<'_>, input: *const i8, copies: &mut [u32], words: *mut u32) {
    let shape = &layer.shape;
    let Image { height, width, channels } = shape.input();
    let (above, before) = (shape.rows().before(), shape.columns().before());
    let is_inside = |tile: &Tile| {
        (tile.row >= above && tile.row - above + SEEN <= height)
            && (tile.column >= before && tile.column - before + SEEN <= width)
    };
    let (mut pitch, step) = (width * channels, 2 * channels);
    // Where the window of a tile starts, be it in the image or before it.
    let mut sources = tiles.map(|tile| {
        let row = (tile.image * height).wrapping_add(tile.row).wrapping_sub(above);
        let pixel = row.wrapping_mul(width).wrapping_add(tile.column).wrapping_sub(before);
        input.wrapping_add(pixel.wrapping_mul(channels))
    });
    if !tiles.iter().all(is_inside) {
        let copies: &mut [i8] = bytemuck::must_cast_slice_mut(copies);
        for ((copy, source), tile) in copies.chunks_exact_mut((PLACES * channels).max(1)).zip(&mut sources).zip(tiles) {
            for (place, copy) in copy.chunks_exact_mut(channels.max(1)).enumerate() {
                let (y, x) = (place / SEEN, place % SEEN);
                let (row, column) = ((tile.row + y).wrapping_sub(above), (tile.column + x).wrapping_sub(before));
                if row < height && column < width {
                    let pixel = source.wrapping_add((y * width + x) * channels);
                    // SAFETY: the pixel lies in the image, which is as long as the shape says; nobody writes it here.
                    copy.copy_from_slice(unsafe { core::slice::from_raw_parts(pixel, copy.len()) });
                } else {
                    copy.fill(layer.input_zero_point);
                }
            }
            *source = copy.as_ptr();
        }
        pitch = SEEN * channels;
    }
    for y in 0..SEEN {
        // SAFETY: both windows lie in the image or in the copies, and the words in the columns, as the caller vouches.
        unsafe {
            transform_rows(sources.map(|source| source.wrapping_add(y * pitch)), channels, words.add(SEEN * y * step));
        }
    }
    for x in 0..SEEN {
        // SAFETY: the words lie in the columns, as the caller vouches.
        unsafe { transform_columns(words.add(x * step), channels) };
    }
}

/// Transforms a row of two tiles, four pixels of `channels` channels at each of the sources, to four places of the columns.
///
/// # Safety
/// These pixels can be read, and the words of the places from `words` on can be written.
#[inline(never)]
unsafe fn transform_rows(mut sources: [*const i8; 2], channels: usize, mut words: *mut u32) {
    for _ in 0..channels {
        // SAFETY: the pixels and the places have this channel, as the caller vouches.
        unsafe {
            let pixel = |x: usize| {
                let [first, second] = sources.map(|source| i32::from(*source.wrapping_add(x * channels)));
                first + (second << 16)
            };
            let [a, b, c, d] = transform_line([pixel(0), pixel(1), pixel(2), pixel(3)]);
            *words = a as u32;
            *words.wrapping_add(2 * channels) = b as u32;
            *words.wrapping_add(4 * channels) = c as u32;
            *words.wrapping_add(6 * channels) = d as u32;
        }
        sources = sources.map(|source| source.wrapping_add(1));
        words = words.wrapping_add(2);
    }
}

/// Transforms a column of the rows that [`transform_rows`] made, at four places from `words` on.
///
/// # Safety
/// The words of these places can be read and written.
#[inline(never)]
unsafe fn transform_columns(mut words: *mut u32, channels: usize) {
    for _ in 0..channels {
        // SAFETY: the places have this channel, as the caller vouches.
        unsafe {
            let row = |y: usize| words.wrapping_add(8 * channels * y);
            let lines = transform_line([*row(0) as i32, *row(1) as i32, *row(2) as i32, *row(3) as i32]);
            let [a, b, c, d] = lines.map(halves);
            *row(0) = a;
            *row(1) = b;
            *row(2) = c;
            *row(3) = d;
        }
        words = words.wrapping_add(2);
    }
}

/// Transforms the sums: the outputs times 4 take the place of the first four.
fn transform_sums(sums: &mut Sums) {
    for index in 0..OUTPUTS * TILES {
        let place = |place: usize| sums[place][index];
        let outputs = outputs([0, 4, 8, 12].map(|row| [place(row), place(row + 1), place(row + 2), place(row + 3)]));
        for (sums, &output) in sums.iter_mut().zip(outputs.as_flattened()) {
            sums[index] = output;
        }
    }
}

/// Both numbers of a + 2^16·b as halfwords: a negative a has borrowed from b.
#[inline(always)]
fn halves(number: i32) -> u32 {
    (number as u32).wrapping_add((number as u32 & 0x8000) << 1)
}

//! Depthwise convolution. Kernels of 3×3 run over blocks of output pixels: where each tap of each pixel starts is worked
//! out once per block, padding included (a pixel of zero points), and serves all channels. Other kernels, and those with several outputs per
//! input channel, run by a table of taps ([`ByTable`]).

use smolnn_core::excluded;

use super::depthwise_taps::ByTable;
use super::kernels::{Core, GEOMETRY};
use super::rounding::{Rounding, Way};
use super::{Cpu, any, pack};
use crate::Tensors;
use crate::conv::DepthwiseConv2d;
use crate::pack::Channel;

#[inline(always)]
pub(super) fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let (input, output) = tensors.pointers();
    let way = Rounding::new(&layer.output).way(layer.layout);
    // A model links the loops of its own kernels alone.
    // SAFETY: `Tensors::check` found the lengths of the shape behind both pointers, which come from one borrow.
    unsafe {
        if !pack::is_three_by_three(&layer.shape) {
            run::<ByTable>(any(layer), input, output, scratch);
        } else if Cpu::DEPTHWISE_LINES.is_some() && way != Way::General && GEOMETRY.slides_over(&layer.shape) {
            run::<Lines>(any(layer), input, output, scratch);
        } else {
            run::<Blocks>(any(layer), input, output, scratch);
        }
    }
}

/// A row of outputs.
pub(super) struct Row<'a> {
    pub layer: &'a DepthwiseConv2d<'a>,
    pub rounding: Rounding,
    pub way: Way,
    /// The image.
    pub input: *const i8,
    /// What the scratch memory holds of zero points: what the shape needs, a pixel or a row.
    pub padding: *const i8,
    /// Room for the table of taps, where the loop has one.
    pub table: *mut u32,
    /// The image of outputs.
    pub output: *mut i8,
    pub index: usize,
}

impl Row<'_> {
    /// The outputs of a pixel.
    #[inline(always)]
    pub(super) fn output(&self, position: usize) -> *mut i8 {
        let output = self.layer.shape.output();
        self.output.wrapping_add((self.index * output.width + position) * output.channels)
    }
}

/// A loop over the pixels of a row.
pub(super) trait Loop {
    /// Whether it clamps outputs to the layer's range; else it saturates them to int8, where they are in the short encoding.
    const CLAMPS: bool = true;

    /// Runs a row.
    ///
    /// # Safety
    /// The image and the row of outputs are as long as the shape says, padding and table are what the shape needs.
    unsafe fn row(row: &Row<'_>);
}

/// A 3×3 kernel that slides along the row, in assembly.
struct Lines;

impl Loop for Lines {
    #[inline(always)]
    unsafe fn row(row: &Row<'_>) {
        let Some([narrow, wide]) = Cpu::DEPTHWISE_LINES else { return excluded() };
        let mut line = line(row);
        // SAFETY: the rows are those of the input or of padding, which has a row's pixels; the row lies in the
        // output; weights and channels are the layer's.
        unsafe { if row.layer.shape.columns().stride() == 1 { narrow(&mut line) } else { wide(&mut line) } }
    }
}

/// A 3×3 kernel, by blocks of pixels.
struct Blocks;

impl Loop for Blocks {
    const CLAMPS: bool = false;

    #[inline(always)]
    unsafe fn row(row: &Row<'_>) {
        let shape = &row.layer.shape;
        let line = |tap: usize| {
            let y = shape.rows().position(row.index, tap);
            (y < shape.input().height).then(|| row.input.wrapping_add(y * shape.input().row()))
        };
        let lines = [line(0), line(1), line(2)];
        let mut position = 0;
        while position < shape.output().width {
            // SAFETY: the position lies in the row, the padding has a pixel's channels if there is any.
            position += unsafe { block(row, lines, position) };
        }
    }
}

/// Runs the layer row by row.
///
/// # Safety
/// `input` and `output` are as long as the shape says and live as long as the call; the loop is one for the layer's kernel.
#[inline(never)]
unsafe fn run<L: Loop>(layer: &DepthwiseConv2d<'_>, input: *const i8, output: *mut i8, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let rounding = Rounding::new(&layer.output);
    let way = rounding.way(layer.layout);
    let Some(scratch) = scratch.get_mut(..layer.scratch_words) else { return excluded() };
    let Some((table, padding)) = scratch.split_at_mut_checked(pack::table_words(shape) as usize) else {
        return excluded();
    };
    let padding: &mut [i8] = bytemuck::must_cast_slice_mut(padding);
    padding.fill(layer.input_zero_point);
    let (padding, table) = (padding.as_ptr(), table.as_mut_ptr());
    for image in 0..shape.batch() {
        for index in 0..shape.output().height {
            // SAFETY: `image` is below the batch, and both tensors hold the batch's images one behind the other; padding and table are
            // what packing found the shape to need.
            unsafe {
                let (input, output) =
                    (input.add(image * shape.input().len()), output.add(image * shape.output().len()));
                L::row(&Row { layer, rounding, way, input, padding, table, output, index });
            }
        }
    }
    if !L::CLAMPS && way != Way::General {
        // SAFETY: the output is as long as the shape says, and every element of it has been written.
        unsafe { rounding.clamp_all(output, shape.output_len()) };
    }
}

/// A row of output pixels of a 3×3 kernel, for a loop over the channels with one over the pixels inside. The assembly knows
/// the order of the fields.
#[repr(C)]
pub(super) struct Line {
    /// The three rows of the input, or of padding, at the first column that is not padding.
    pub rows: [*const i8; 3],
    pub weights: *const i8,
    pub channels: *const Channel,
    pub output: *mut i8,
    /// From one pixel to the next, and how many channels there are.
    pub stride: usize,
    /// [`Rounding::offset`].
    pub offset: i32,
    pub minimum: i32,
    pub maximum: i32,
    /// Output pixels whose last column is not padding.
    pub pixels: usize,
    /// Columns of padding at the left and at the right: 0 or 1.
    pub left: usize,
    pub right: usize,
    pub zero_point: i32,
}

/// The row for the loops along it; its padding is a row of zero points.
#[inline(always)]
fn line(row: &Row<'_>) -> Line {
    let (layer, shape) = (row.layer, &row.layer.shape);
    let right = pack::padding_right(shape);
    let mut line = Line {
        rows: [row.padding; 3],
        weights: layer.words.as_ptr().cast(),
        channels: layer.channels.as_ptr(),
        output: row.output(0),
        stride: shape.output().channels,
        offset: row.rounding.offset,
        minimum: layer.output.minimum,
        maximum: layer.output.maximum,
        pixels: shape.output().width - right,
        left: shape.columns().before(),
        right,
        zero_point: layer.input_zero_point.into(),
    };
    let mut y = (row.index * shape.rows().stride()).wrapping_sub(shape.rows().before());
    for start in &mut line.rows {
        if y < shape.input().height {
            *start = row.input.wrapping_add(y * shape.input().row());
        }
        y = y.wrapping_add(shape.rows().dilation());
    }
    line
}

/// Pointers to the taps of a block of output pixels, at channel 0, and what else the loop over the channels takes. The
/// assembly knows the order of the fields.
#[repr(C)]
pub(super) struct Block {
    /// Three rows of three to six taps, without gaps: the six columns of four neighbours, or three columns per pixel.
    pub taps: [*const i8; 18],
    pub channels: *const Channel,
    pub output: *mut i8,
    /// From one output pixel to the next.
    pub stride: usize,
    /// [`Rounding::offset`].
    pub offset: i32,
    /// The number of channels.
    pub count: usize,
    pub weights: *const i8,
}

/// Runs the 3×3 kernel for as many pixels from `position` on as there is a body for, and says how many. `lines` are the input rows that lie in the
/// image.
///
/// # Safety
/// As [`Loop::row`]; the position lies in the row.
#[inline(always)]
unsafe fn block(row: &Row<'_>, lines: [Option<*const i8>; 3], position: usize) -> usize {
    let Row { layer, ref rounding, way, padding, .. } = *row;
    let shape = &layer.shape;
    let columns = &shape.columns();
    let neighbours = columns.stride() == 1 && columns.dilation() == 1;
    let (pixels, width) = match shape.output().width - position {
        4.. if neighbours => (4, 6),
        // Few layers have the portable encoding: two loops are enough.
        _ if way == Way::General => (1, 3),
        2.. => (2, 6),
        _ => (1, 3),
    };
    let mut block = Block {
        taps: [padding; 18],
        channels: layer.channels.as_ptr(),
        output: row.output(position),
        stride: shape.output().channels,
        offset: rounding.offset,
        count: layer.channels.len(),
        weights: layer.words.as_ptr().cast(),
    };
    let x = (position * columns.stride()).wrapping_sub(columns.before());
    let second = x.wrapping_add(columns.stride());
    // The columns of the taps of a row, in the order of `Block::taps`.
    let starts = if pixels == 4 {
        [x, x.wrapping_add(1), x.wrapping_add(2), x.wrapping_add(3), x.wrapping_add(4), x.wrapping_add(5)]
    } else {
        let at = |x: usize, tap: usize| x.wrapping_add(tap * columns.dilation());
        [x, at(x, 1), at(x, 2), second, at(second, 1), at(second, 2)]
    };
    for (taps, line) in block.taps.chunks_exact_mut(width).zip(lines) {
        let Some(line) = line else { continue };
        for (tap, &x) in taps.iter_mut().zip(&starts) {
            if x < shape.input().width {
                *tap = line.wrapping_add(x * shape.input().channels);
            }
        }
    }
    // SAFETY: every tap points to a pixel of the input or of padding, the output to `pixels` pixels.
    unsafe {
        match (pixels, way) {
            (4, Way::General) => channels(&block, [0, 1, 2, 3], width, |sum, c| rounding.finish(way, sum, c)),
            (_, Way::General) => channels(&block, [0], width, |sum, c| rounding.finish(way, sum, c)),
            (4, _) => Cpu::depthwise_four(&mut block),
            (2, _) => Cpu::depthwise_two(&mut block),
            _ => Cpu::depthwise_one(&mut block),
        }
    }
    pixels
}

/// The loop over the channels in Rust: pixel p has the taps `first[p]`, … + 2 of each row of `width`.
///
/// # Safety
/// The block's pointers are good for its number of channels.
#[inline(always)]
pub(super) unsafe fn channels<const PIXELS: usize>(
    block: &Block,
    first: [usize; PIXELS],
    width: usize,
    finish: impl Fn(i32, &Channel) -> i8,
) {
    let mut weights = block.weights;
    for index in 0..block.count {
        let mut sums = [0; PIXELS];
        for row in 0..3 {
            for tap in 0..3 {
                // SAFETY: there are nine weights per channel, and each channel's pass reads nine.
                let weight = unsafe { i32::from(*weights) };
                weights = weights.wrapping_add(1);
                for (sum, first) in sums.iter_mut().zip(first) {
                    // SAFETY: `count` values can be read behind every tap.
                    let value = unsafe { i32::from(*block.taps[row * width + first + tap].add(index)) };
                    *sum += weight * value;
                }
            }
        }
        // SAFETY: `index` is below `count`, the number of channels that can be read and of every pixel's outputs.
        unsafe {
            let channel = &*block.channels.add(index);
            for (pixel, sum) in sums.into_iter().enumerate() {
                *block.output.add(pixel * block.stride + index) = finish(sum, channel);
            }
        }
    }
}

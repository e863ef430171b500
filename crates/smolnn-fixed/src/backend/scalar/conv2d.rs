//! Convolution: the patches of four output pixels are gathered into a column of words, two pixels to a word, and every
//! block of weights is multiplied with the column while it is there.
//!
//! Pixels are taken in order across rows. That keeps to the rule for overlapping tensors: when pixels are written, all
//! input that they and the pixels before them need has been read, and the rows they lie in hold no input that is still
//! needed.

use smolnn_core::excluded;

use super::kernels::{Core, GEOMETRY, Job, Multiply, Outputs, Sums};
use super::rounding::{Rounding, Way};
use super::winograd::winograd;
use super::{Cpu, any, pack};
use crate::conv::Conv2d;
use crate::pack::Channel;
use crate::{Backend, Tensors};

/// The number of pixels of a full column.
const LANES: usize = 4;

/// The number of channels below which windows that reach into the padding are gathered pixel by pixel.
const FEW: usize = 4;

/// Output channels of a block of weights.
const BLOCK: usize = GEOMETRY.block;

#[inline(always)]
pub(super) fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let (input, output) = tensors.pointers();
    if layer.layout.is(pack::winograd(Backend::CURRENT)) {
        // SAFETY: `Tensors::check` found the lengths of the shape behind both pointers, which come from one borrow.
        return unsafe { winograd(any(layer), input, output, scratch) };
    }
    // A model links the loop for one or two pixels only where some of its layers leave so many.
    let left = layer.shape.output().height * layer.shape.output().width % LANES;
    let pair = if left == 1 || left == 2 { any(Cpu::PAIR) } else { None };
    // SAFETY: `Tensors::check` found the lengths of the shape behind both pointers, which come from one borrow.
    // Images one pixel wide gain by a copy of their own, which begins a row at every pixel.
    unsafe { run(if layer.shape.output().width > 1 { any(layer) } else { layer }, pair, input, output, scratch) }
}

/// Runs the layer; `pair` is [`Core::PAIR`] where one or two pixels are left behind those that come in fours.
///
/// # Safety
/// `input` and `output` are as long as the shape says and live as long as the call.
#[inline(never)]
unsafe fn run(layer: &Conv2d<'_>, pair: Option<Multiply>, input: *const i8, output: *mut i8, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let rounding = Rounding::new(&layer.output);
    let way = rounding.way(layer.layout);
    let padded = pack::padded(shape.depth());
    let Some((column, padding)) = scratch.split_at_mut_checked(2 * padded) else { return excluded() };
    let padding: &mut [i8] = bytemuck::must_cast_slice_mut(padding);
    let padding =
        padding.get_mut(..if pack::is_padded(shape) { shape.input().channels } else { 0 }).unwrap_or_else(excluded);
    padding.fill(layer.input_zero_point);
    let padding = padding.as_ptr();
    let channels = shape.output().channels;
    // Not 0. The compiler does not know that, and would keep the panic of empty chunks.
    let block_words = (BLOCK * padded / 4).max(1);
    let pixels = shape.output().height * shape.output().width;
    let whole = channels / BLOCK;
    let convolves = Cpu::CONVOLVE.is_some() && whole > 0 && way != Way::General;
    for image in 0..shape.batch() {
        // SAFETY: `image` is below the batch, and both tensors hold the batch's images one behind the other.
        let (input, output) =
            unsafe { (input.add(image * shape.input().len()), output.add(image * shape.output().len())) };
        let mut walk = Walk::new(layer);
        let mut pixel = 0;
        while pixel < pixels {
            let left = pixels - pixel;
            let lanes = left.min(if pair.is_some() && left <= 2 { Cpu::PAIR_PIXELS } else { LANES });
            // SAFETY: the column has two words for each of the depth's positions; the walk stays in the image.
            unsafe { walk.gather(layer, input, padding, lanes, column.as_mut_ptr()) };
            let mut done = 0;
            if let Some(convolve) = Cpu::CONVOLVE
                && convolves
                && lanes == LANES
            {
                let words = layer.words.get(..whole * block_words).unwrap_or_else(excluded);
                let mut job = Job {
                    column: column.as_ptr(),
                    weights: words.as_ptr(),
                    block: 4 * block_words,
                    channels: layer.channels.as_ptr(),
                    // SAFETY: the pixel lies in the output.
                    output: unsafe { output.add(pixel * channels) },
                    stride: channels,
                    offset: rounding.offset,
                    minimum: layer.output.minimum,
                    maximum: layer.output.maximum,
                    end: words.as_ptr_range().end,
                };
                // SAFETY: four pixels lie behind `pixel`; the layer has `whole` whole blocks of weights and channels.
                unsafe { convolve(&mut job) };
                done = whole;
            }
            let blocks = layer.words.chunks_exact(block_words);
            for (index, (weights, channels_here)) in blocks.zip(layer.channels.chunks(BLOCK)).enumerate().skip(done) {
                let mut sums: Sums = [0; 4 * BLOCK];
                let count = channels_here.len();
                // SAFETY: the block of weights has the depth, a multiple of four, for which `Walk::gather` filled the column with one
                // word, or two, per position; the channels are those of the block.
                unsafe {
                    match (pair, Cpu::PAIR) {
                        // The call is direct where a block is small.
                        (Some(_), Some(pair)) if lanes <= Cpu::PAIR_PIXELS && BLOCK < 8 => {
                            pair(column, weights, count, &mut sums)
                        }
                        (Some(pair), _) if lanes <= Cpu::PAIR_PIXELS => pair(column, weights, count, &mut sums),
                        _ => (Cpu::QUAD)(column, weights, count, &mut sums),
                    }
                }
                // SAFETY: `lanes` pixels of `channels` outputs each lie behind `pixel`; the block's channels end
                // within a pixel.
                unsafe {
                    let at = output.add(pixel * channels + index * BLOCK);
                    store(&rounding, way, channels_here, &sums, at, channels, lanes);
                }
            }
            pixel += lanes;
        }
    }
    if convolves && !Cpu::CLAMPS && way != Way::General {
        // SAFETY: the output is as long as the shape says, and every element of it has been written.
        unsafe { rounding.clamp_all(output, shape.output_len()) };
    }
}

/// Writes the outputs of a block of channels for `lanes` pixels, which are `stride` apart.
///
/// # Safety
/// `output` can be written for those pixels and channels.
#[inline(always)]
unsafe fn store(
    rounding: &Rounding,
    way: Way,
    channels: &[Channel],
    sums: &Sums,
    output: *mut i8,
    stride: usize,
    lanes: usize,
) {
    /// # Safety
    /// `output` can be written for `lanes` pixels, `stride` apart, of as many channels as there are.
    #[inline(always)]
    unsafe fn each(
        channels: &[Channel],
        sums: &Sums,
        output: *mut i8,
        stride: usize,
        lanes: usize,
        finish: impl Fn(i32, &Channel) -> i8,
    ) {
        for (index, (channel, sums)) in channels.iter().zip(sums.chunks_exact(4)).enumerate() {
            // SAFETY: the output can be written for every channel of the block, as the caller vouches.
            let mut at = unsafe { output.add(index) };
            for &sum in sums.iter().take(lanes) {
                // SAFETY: the channel can be written for `lanes` pixels, `stride` apart, as the caller vouches.
                unsafe { *at = finish(sum, channel) };
                at = at.wrapping_add(stride);
            }
        }
    }
    if let Some(finish) = Cpu::FINISH
        && way == Way::Short
    {
        let range = channels.as_ptr_range();
        let mut outputs = Outputs {
            sums: sums.as_ptr(),
            channels: range.start,
            end: range.end,
            output,
            stride,
            offset: rounding.offset,
            lanes: 4 * lanes,
            skip: 4 * (LANES - lanes),
            limit: Rounding::limit(rounding.offset),
        };
        // SAFETY: there are sums of as many channels, at least one, and `output` can be written for these pixels and channels.
        return unsafe { finish(&mut outputs) };
    }
    // SAFETY: `output` can be written for these pixels and channels, as the caller vouches.
    unsafe {
        match way {
            Way::Short if lanes == LANES => {
                each(channels, sums, output, stride, LANES, |sum, c| Rounding::saturate(rounding.short(sum, c)));
            }
            Way::Short | Way::ShortClamped => {
                each(channels, sums, output, stride, lanes, |sum, c| rounding.clamp(rounding.short(sum, c)));
            }
            Way::General => {
                each(channels, sums, output, stride, lanes, |sum, c| rounding.clamp(rounding.general(sum, c)));
            }
        }
    }
}

/// Goes over the output pixels of an image in order.
struct Walk {
    /// The number of pixels left in this row, the next one included.
    left: usize,
    /// Position of the window's first tap in the input; it is negative where the tap is padding.
    y: isize,
    x: isize,
}

/// The part of a window that a pixel sees.
#[derive(Clone, Copy, Default)]
struct Origin {
    y: isize,
    x: isize,
}

impl Walk {
    fn new(layer: &Conv2d<'_>) -> Self {
        let shape = &layer.shape;
        Self {
            left: shape.output().width,
            y: -(shape.rows().before() as isize),
            x: -(shape.columns().before() as isize),
        }
    }

    fn next(&mut self, layer: &Conv2d<'_>) -> Origin {
        let shape = &layer.shape;
        let origin = Origin { y: self.y, x: self.x };
        self.left -= 1;
        if self.left == 0 {
            self.left = shape.output().width;
            self.x = -(shape.columns().before() as isize);
            self.y += shape.rows().stride() as isize;
        } else {
            self.x += shape.columns().stride() as isize;
        }
        origin
    }

    /// Gathers the patches of the next `lanes` pixels. One or two make pairs of one word per position if the core has
    /// kernels for that, more make two words; pixels that are missing are taken from the last one.
    ///
    /// # Safety
    /// `column` has room for two words per position of the depth, `input` is the image, `padding` a pixel of zero points
    /// where the shape is padded.
    unsafe fn gather(
        &mut self,
        layer: &Conv2d<'_>,
        input: *const i8,
        padding: *const i8,
        lanes: usize,
        column: *mut u32,
    ) {
        let shape = &layer.shape;
        let (rows, columns, channels) = (&shape.rows(), &shape.columns(), shape.input().channels);
        let row_span = ((rows.kernel() - 1) * rows.dilation()) as isize;
        let column_span = ((columns.kernel() - 1) * columns.dilation()) as isize;
        let mut origins = [Origin::default(); LANES];
        let mut inside = true;
        let mut last = Origin::default();
        for (lane, origin) in origins.iter_mut().enumerate() {
            // Lanes without a pixel repeat the last pixel.
            if lane < lanes {
                last = self.next(layer);
            }
            *origin = last;
            let Origin { y, x } = last;
            inside &= y >= 0
                && x >= 0
                && y + row_span < shape.input().height as isize
                && x + column_span < shape.input().width as isize;
        }
        let pairs = if lanes <= 2 && Cpu::PAIR_PIXELS == 2 { 1 } else { 2 };
        if inside {
            let (runs, run) =
                if columns.dilation() == 1 { (1, columns.kernel() * channels) } else { (columns.kernel(), channels) };
            let at = origins.map(|origin| (origin.y as usize * shape.input().width + origin.x as usize) * channels);
            let mut to = column;
            for tap_row in 0..rows.kernel() {
                for tap in 0..runs {
                    let offset =
                        (tap_row * rows.dilation() * shape.input().width + tap * columns.dilation()) * channels;
                    // SAFETY: all four windows lie inside of the image, and so do their runs; the column has room for every run.
                    unsafe {
                        let from = at.map(|at| input.add(at + offset));
                        if pairs == 2 {
                            quads(from, run, to)
                        } else {
                            twos([from[0], from[1]], run, to)
                        }
                        to = to.add(run * pairs);
                    }
                }
            }
        } else if channels >= FEW {
            let mut to = column;
            for tap_row in 0..rows.kernel() {
                let down = (tap_row * rows.dilation()) as isize;
                for tap in 0..columns.kernel() {
                    let across = (tap * columns.dilation()) as isize;
                    let from = origins.map(|Origin { y, x }| {
                        let (y, x) = ((y + down) as usize, (x + across) as usize);
                        if y < shape.input().height && x < shape.input().width {
                            input.wrapping_add((y * shape.input().width + x) * channels)
                        } else {
                            padding
                        }
                    });
                    // SAFETY: each pointer is a pixel of the image or of padding; the column has room for every tap.
                    unsafe {
                        if pairs == 2 {
                            quads(from, channels, to)
                        } else {
                            twos([from[0], from[1]], channels, to)
                        }
                        to = to.add(channels * pairs);
                    }
                }
            }
        } else {
            for (lane, origin) in origins.iter().enumerate().take(2 * pairs) {
                // SAFETY: `lane / 2` is below `pairs`, so that the lane's word lies in each position's words of the column.
                unsafe {
                    let gather = if lane % 2 == 1 { lone::<true> } else { lone::<false> };
                    gather(layer, input, *origin, column.add(lane / 2), pairs);
                }
            }
        }
    }
}

/// x_a + 2^16·x_b.
#[inline(always)]
fn two(a: i8, b: i8) -> u32 {
    (i32::from(a) as u32).wrapping_add((i32::from(b) as u32) << pack::SPREAD)
}

/// Pairs up `run` values of four pixels.
///
/// # Safety
/// `run` values can be read behind each pointer, 2·`run` words written to `to`.
#[inline(always)]
unsafe fn quads(from: [*const i8; 4], run: usize, to: *mut u32) {
    let [mut a, mut b, mut c, mut d] = from;
    let mut to = to;
    let mut step = |count: usize| {
        for index in 0..count {
            // SAFETY: `run` values can be read behind each pointer and twice as many words written, as the caller vouches; the
            // steps add up to `run`.
            unsafe {
                *to.add(2 * index) = two(*a.add(index), *b.add(index));
                *to.add(2 * index + 1) = two(*c.add(index), *d.add(index));
            }
        }
        to = to.wrapping_add(2 * count);
        for pointer in [&mut a, &mut b, &mut c, &mut d] {
            *pointer = pointer.wrapping_add(count);
        }
    };
    for _ in 0..run / 4 {
        step(4);
    }
    for _ in 0..run % 4 {
        step(1);
    }
}

/// Pairs up `run` values of two pixels.
///
/// # Safety
/// `run` values can be read behind each pointer, as many words written to `to`.
#[inline(always)]
unsafe fn twos(from: [*const i8; 2], run: usize, to: *mut u32) {
    for index in 0..run {
        // SAFETY: `run` values can be read behind both pointers and as many words written, as the caller vouches.
        unsafe { *to.add(index) = two(*from[0].add(index), *from[1].add(index)) };
    }
}

/// Gathers the patch of one pixel whose window may reach into the padding, into every `pairs`-th word: sets the word
/// for the first pixel of a pair, adds to it for the second.
///
/// # Safety
/// `input` is the image; a word per position of the depth, `pairs` apart, can be written to `to`.
unsafe fn lone<const SECOND: bool>(
    layer: &Conv2d<'_>,
    input: *const i8,
    origin: Origin,
    mut to: *mut u32,
    pairs: usize,
) {
    let shape = &layer.shape;
    let (rows, columns, channels) = (&shape.rows(), &shape.columns(), shape.input().channels);
    let mut put = |mut from: *const i8, step: usize, count: usize| {
        for _ in 0..count {
            // SAFETY: `from` is a value inside of the image or the padding value; `to` is a word that can be written, as the
            // caller vouches.
            unsafe {
                let value = i32::from(*from) as u32;
                *to = if SECOND { (*to).wrapping_add(value << pack::SPREAD) } else { value };
            }
            from = from.wrapping_add(step);
            to = to.wrapping_add(pairs);
        }
    };
    // Padding is one value, which is read again and again, in steps of 0.
    let padding = &raw const layer.input_zero_point;
    let column = |tap: usize| origin.x + (tap * columns.dilation()) as isize;
    let taps_before = |end: isize| (0..columns.kernel()).take_while(|&tap| column(tap) < end).count();
    let (first, last) = (taps_before(0), taps_before(shape.input().width as isize));
    for tap_row in 0..rows.kernel() {
        let y = origin.y + (tap_row * rows.dilation()) as isize;
        if y < 0 || y >= shape.input().height as isize {
            put(padding, 0, columns.kernel() * channels);
            continue;
        }
        put(padding, 0, first * channels);
        let line = input.wrapping_add(y as usize * shape.input().row());
        let at = |tap: usize| line.wrapping_add((column(tap) as usize).wrapping_mul(channels));
        if columns.dilation() == 1 {
            put(at(first), 1, (last - first) * channels);
        } else {
            for tap in first..last {
                put(at(tap), 1, channels);
            }
        }
        put(padding, 0, (columns.kernel() - last) * channels);
    }
}

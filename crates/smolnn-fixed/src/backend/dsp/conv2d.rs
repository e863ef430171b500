//! Convolution: the patches of three pixels are widened into columns, which serve all output channels.
//!
//! A patch is some runs of bytes that are adjacent in the input, one per row of the kernel; see [`Runs`]. Where a pixel sees
//! padding, or taps are dilated, its patch is copied first, so that the runs stand one behind the other.
//! Pixels are taken three at a time in the order of the output, across its rows, and two at a time where two or four are left: a row may be written as soon
//! as the pixels before it are done, so that overlapping tensors stay legal.

use core::arch::naked_asm;

use smolnn_core::Conv2dShape;

use super::pack::{self, Runs};
use super::tile::{self, Patches, Tiles, widen};
use super::winograd::winograd;
use crate::Tensors;
use crate::backend::winograd::tiles;
use crate::conv::Conv2d;
use crate::pack::Layout;
use crate::quantise::OutputRange;

#[inline(always)]
pub(super) fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let (input, output) = tensors.pointers();
    // SAFETY: the layer checked that its words have this layout for this shape, its caller that tensors and scratch memory
    // are as long as the shape and the layout say.
    unsafe {
        if layer.layout.is(Layout::DspEights) {
            let (inputs, outputs) = (shape.input().channels, shape.output().channels);
            super::dense::vector(layer.words, inputs, outputs, input, output, scratch.as_mut_ptr());
            super::memory::clamp(output, outputs, &layer.output);
        } else if layer.layout.is(Layout::DspWide) && pack::is_vector(shape) {
            let (inputs, outputs) = (shape.input().channels, shape.output().channels);
            super::dense_wide::wide_vector(layer.words, inputs, outputs, input, output, scratch.as_mut_ptr());
            super::memory::clamp(output, outputs, &layer.output);
        } else if layer.layout.is(Layout::DspWinograd) {
            // A layout that the layer's constructor took has tiles.
            let Some(tiles) = tiles(shape) else { return };
            winograd(layer, &tiles, input, output, scratch.as_mut_ptr());
        } else {
            let (tiles, zero_point) = (tile::of(layer.layout, &layer.output, pixels(shape)), layer.input_zero_point);
            pairs(tiles, shape, layer.words, zero_point, &layer.output, input, output, scratch.as_mut_ptr());
        }
    }
}

/// An output pixel; [`advance`](Self::advance) goes to the next one.
#[derive(Clone, Copy)]
pub(super) struct Pixel {
    image: *const i8,
    pub(super) row: usize,
    pub(super) column: usize,
    /// Where the window of the row's first pixel starts, be it in the input or before it.
    start: *const i8,
    /// The columns whose window lies in the input; an empty range in rows whose window does not.
    inside: (usize, usize),
    /// The value of `inside` in rows whose window lies in the input.
    columns: (usize, usize),
    /// Bytes from one window to the next.
    step: usize,
}

impl Pixel {
    pub(super) fn first(shape: &Conv2dShape, image: *const i8) -> Self {
        let window = &shape.columns();
        // The stride of a checked window is not 0. The compiler does not know that, and would keep the panic of a division by 0.
        let stride = window.stride().max(1);
        let span = (window.kernel() - 1) * window.dilation() + 1;
        let end = (window.input() + window.before() + window.stride()).saturating_sub(span) / stride;
        let columns = if window.dilation() == 1 { (window.before().div_ceil(stride), end) } else { (0, 0) };
        let step = window.stride() * shape.input().channels;
        let mut pixel = Self { image, row: 0, column: 0, start: image, inside: (0, 0), columns, step };
        pixel.enter_row(shape);
        pixel
    }

    #[inline(never)]
    fn enter_row(&mut self, shape: &Conv2dShape) {
        let (input, rows, columns) = (shape.input(), shape.rows(), shape.columns());
        let row = rows.position(self.row, 0).wrapping_mul(input.width).wrapping_sub(columns.before());
        self.start = self.image.wrapping_add(row.wrapping_mul(input.channels));
        let (first, last) = rows.taps(self.row);
        self.inside = if last - first == rows.kernel() { self.columns } else { (0, 0) };
    }

    #[inline(always)]
    pub(super) fn advance(&mut self, shape: &Conv2dShape) {
        self.pass(shape, 1);
    }

    /// Passes `count` pixels, which stand side by side in the row.
    #[inline(always)]
    fn pass(&mut self, shape: &Conv2dShape, count: usize) {
        self.column += count;
        if self.column == shape.output().width {
            self.column = 0;
            self.row += 1;
            if self.row == shape.output().height {
                self.row = 0;
                self.image = self.image.wrapping_add(shape.input().len());
            }
            self.enter_row(shape);
        }
    }

    /// Start of the pixel's window, if it lies in the input.
    pub(super) fn window(&self) -> Option<*const i8> {
        self.windows(1)
    }

    /// Start of the first of so many windows side by side that lie in the input.
    #[inline(always)]
    fn windows(&self, count: usize) -> Option<*const i8> {
        let (first, end) = self.inside;
        let offset = self.column * self.step;
        (self.column >= first && self.column + count <= end).then(|| self.start.wrapping_add(offset))
    }
}

/// The pixels of the output.
#[inline(always)]
pub(super) fn pixels(shape: &Conv2dShape) -> usize {
    shape.batch() * shape.output().height * shape.output().width
}

/// Runs a convolution on words of the layout of pairs, or of the wide one, whose tiles come as an argument: one copy of this code
/// serves both, and a model links the tiles of its own layers alone.
///
/// # Safety
/// The words have the tiles' layout; input, output and scratch memory have the lengths that the shape says.
#[inline(never)]
pub(super) unsafe fn pairs(
    tiles: Tiles,
    shape: &Conv2dShape,
    words: &[u32],
    input_zero_point: i8,
    range: &OutputRange,
    input: *const i8,
    output: *mut i8,
    scratch: *mut u32,
) {
    let channels = shape.output().channels;
    let depth = shape.depth();
    let groups = depth.div_ceil(4);
    let runs = Runs::of(shape);
    // The scratch memory holds the columns, then the rests of the runs, then the copies of patches.
    let rests = scratch.wrapping_add(6 * groups).cast::<i8>();
    let rest = 4 * (runs.count * (runs.length % 4)).div_ceil(4);
    let copies = rests.wrapping_add(3 * rest);
    let copy_pitch = shape.columns().kernel() * shape.input().channels;
    let row_pitch = shape.rows().dilation() * shape.input().row();
    let step = shape.input().channels;
    let pointwise = shape.is_pointwise();
    let mut pixel = Pixel::first(shape, input);
    let mut source = input;
    let mut output_pixel = output;
    let mut left = pixels(shape);
    if pointwise && runs.length.is_multiple_of(4) && channels.is_multiple_of(2) {
        // What the loop below does, of pixels that need neither rests nor an odd channel: nearly all of a network that goes by rows.
        while left == 3 || left > 4 {
            let third = source.wrapping_add(2 * step);
            let patches = Patches { starts: [source, source.wrapping_add(step), third], pitches: [0; 3] };
            // SAFETY: the pixels lie in the input; words, scratch memory and output are as long as the shape says.
            unsafe {
                widen(&patches, scratch, groups, 1);
                (tiles.three)(words.as_ptr(), scratch, groups, output_pixel, channels, 2 * channels, channels / 2);
            }
            source = third.wrapping_add(step);
            output_pixel = output_pixel.wrapping_add(3 * channels);
            left -= 3;
        }
    }
    while left > 0 {
        let (tile, count) = if left == 3 || left > 4 { (tiles.three, 3) } else { (tiles.two, left.min(2)) };
        // Beside a single pixel, the output of the missing one is stored at its place, which is stored last and overwrites it. The third patch of two pixels
        // is widened and not read.
        let mut patches = Patches { starts: [source; 3], pitches: [row_pitch; 3] };
        if pointwise {
            for start in patches.starts.iter_mut().take(count) {
                *start = source;
                source = source.wrapping_add(step);
            }
        } else if count > 1
            && let Some(start) = pixel.windows(count)
        {
            let second = start.wrapping_add(pixel.step);
            patches.starts = [start, second, if count > 2 { second.wrapping_add(pixel.step) } else { start }];
            pixel.pass(shape, count);
        } else {
            let mut copy = copies;
            for (start, pitch) in patches.starts.iter_mut().zip(&mut patches.pitches).take(count) {
                (*start, *pitch) = match pixel.window() {
                    Some(start) => (start, row_pitch),
                    None => {
                        // SAFETY: the copies have room for three patches.
                        unsafe { stage(shape, &pixel, input_zero_point, copy) };
                        (copy.cast_const(), copy_pitch)
                    }
                };
                copy = copy.wrapping_add(4 * groups);
                pixel.advance(shape);
            }
            for index in count..3 {
                (patches.starts[index], patches.pitches[index]) = (patches.starts[0], patches.pitches[0]);
            }
        }
        let stride = if count > 1 { channels } else { 0 };
        // SAFETY: the sources are windows in the input or copies of patches; words, scratch memory and output are as long as the
        // shape says, as the caller vouches.
        unsafe {
            gather(&runs, &patches, scratch, rests, rest);
            let mut words = words.as_ptr();
            if channels > 1 {
                words = tile(words, scratch, groups, output_pixel, stride, 2 * channels, channels / 2);
            }
            if channels % 2 == 1 {
                let mut odd = [0_i8; 6];
                tile(words, scratch, groups, odd.as_mut_ptr(), 2, 4, 1);
                let place = output_pixel.add(channels - 1);
                for index in 0..count {
                    *place.add(index * channels) = odd[2 * index];
                }
            }
            output_pixel = output_pixel.add(count * channels);
        }
        left -= count;
    }
    // SAFETY: the output is as long as its shape says.
    unsafe { super::memory::clamp(output, shape.output_len(), range) };
}

/// Widens three patches.
///
/// # Safety
/// The runs of the patches can be read, the columns of three pixels written at `columns`, three times `rest` bytes at `rests`.
#[inline(always)]
unsafe fn gather(runs: &Runs, patches: &Patches, mut columns: *mut u32, rests: *mut i8, rest: usize) {
    let whole = runs.length / 4;
    let partial = runs.length % 4;
    // SAFETY: the runs can be read, and columns and rests written, as the caller vouches; counts of 0 are left out.
    unsafe {
        if whole > 0 {
            columns = widen(patches, columns, whole, runs.count);
        }
        if partial > 0 {
            copy_rests(patches, rests, 4 * whole, partial, runs.count, rest);
            let rests = rests.cast_const();
            let patches = Patches { starts: [rests, rests.add(rest), rests.add(2 * rest)], pitches: [0; 3] };
            widen(&patches, columns, rest / 4, 1);
        }
    }
}

/// Copies what is left of the runs of three patches behind `whole` bytes: `partial` bytes of each of `runs` runs, one behind the other; from
/// patch to patch it is `rest` bytes. The compiler would make a loop for each number of bytes.
///
/// # Safety
/// `partial` and `runs` are not 0; the runs can be read, and three times `rest` bytes, which is not less than `partial` · `runs`, written.
//
// | register | holds                               | register | holds                               |
// |----------|-------------------------------------|----------|-------------------------------------|
// | r0, lr   | next start, end of the starts       | r5       | its pitch less `partial`            |
// | r1       | where the next byte goes            | r6, r7   | runs that are left, `runs`          |
// | r2       | `whole`                             | r8       | bytes between the rests of two patches |
// | r3       | `partial`                           | r9       | a byte                              |
// | r4       | next byte of a run                  | r12      | bytes of a run that are left        |
#[unsafe(naked)]
unsafe extern "C" fn copy_rests(
    patches: &Patches,
    rests: *mut i8,
    whole: usize,
    partial: usize,
    runs: usize,
    rest: usize,
) {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r9, lr}}",
        "ldrd r7, r8, [sp, #28]",
        "mls r8, r7, r3, r8",
        "add lr, r0, #12",
        "1:",
        "ldr r5, [r0, #12]",
        "ldr r4, [r0], #4",
        "add r4, r2",
        "subs r5, r5, r3",
        "mov r6, r7",
        "2:",
        "mov r12, r3",
        "3:",
        "ldrb r9, [r4], #1",
        "strb r9, [r1], #1",
        "subs.w r12, r12, #1",
        "bne 3b",
        "add r4, r5",
        "subs r6, r6, #1",
        "bne 2b",
        "add r1, r8",
        "cmp r0, lr",
        "bne 1b",
        "pop {{r4-r9, pc}}",
    )
}

/// Copies the patch of a pixel, padding as the zero point.
///
/// # Safety
/// The pixel's image has the shape's length, `copy` room for a patch.
#[inline(never)]
pub(super) unsafe fn stage(shape: &Conv2dShape, pixel: &Pixel, input_zero_point: i8, mut copy: *mut i8) {
    let channels = shape.input().channels;
    let (first_row, last_row) = shape.rows().taps(pixel.row);
    let (first, last) = shape.columns().taps(pixel.column);
    let fill = |copy: *mut i8, taps: usize| {
        for index in 0..taps * channels {
            // SAFETY: the taps filled and copied are together those of the patch, which `copy` has room for.
            unsafe { *copy.wrapping_add(index) = input_zero_point };
        }
        copy.wrapping_add(taps * channels)
    };
    for tap_row in 0..shape.rows().kernel() {
        if tap_row < first_row || tap_row >= last_row || first >= last {
            copy = fill(copy, shape.columns().kernel());
            continue;
        }
        let y = shape.rows().position(pixel.row, tap_row);
        let x = shape.columns().position(pixel.column, first);
        let source = pixel.image.wrapping_add((y * shape.input().width + x) * channels);
        copy = fill(copy, first);
        // SAFETY: the taps from `first` to `last` lie in the row of the image, and the copy has room for every tap.
        unsafe {
            if shape.columns().dilation() == 1 {
                copy = super::memory::copy(source, copy, (last - first) * channels);
            } else {
                for tap in 0..last - first {
                    copy = super::memory::copy(source.add(tap * shape.columns().dilation() * channels), copy, channels);
                }
            }
        }
        copy = fill(copy, shape.columns().kernel() - last);
    }
}

//! Depthwise convolution whose outputs have one column or, of four channels and more, two, or whose kernel is one row or one column without padding
//! ([`Layout::DspTaps`](crate::pack::Layout::DspTaps)): pixel by pixel, four channels at a time, two taps per SMLAD.
//!
//! - Taps at equal distances, as those of a row or of a column are, without padding: [`taps`], 17 instructions for 8 products.
//! - Others: [`scattered_taps`], by a table of where each tap of the pixel lies; padding is a pixel of zero points. 17 instructions for 8
//!   products as well. With a depth multiplier m the layer is m layers, whose outputs are m apart. Of fewer than four channels the next
//!   pixel's are read too, and computed for nothing.
//!
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use crate::conv::DepthwiseConv2d;

/// Runs a kernel whose taps are at equal distances.
///
/// # Safety
/// The layer has the layout of taps, which are not scattered; input and output have the lengths that its shape says.
#[inline(never)]
pub(super) unsafe fn taps(layer: &DepthwiseConv2d<'_>, input: *const i8, output: *mut i8) {
    let shape = &layer.shape;
    let channels = shape.output().channels;
    let depth = shape.depth();
    let pixel_step = shape.columns().stride() * channels;
    let row_step = shape.rows().stride() * shape.input().row();
    let step = match shape.rows().kernel() {
        1 => shape.columns().dilation() * channels,
        _ => shape.rows().dilation() * shape.input().row(),
    };
    let mut output_pixel = output;
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            for column in 0..shape.output().width {
                // SAFETY: taps are where the window says, in the input; the output pixel is in the output.
                unsafe {
                    let first = input.add(image * shape.input().len() + row * row_step + column * pixel_step);
                    let words =
                        four(layer.words.as_ptr(), first, step, output_pixel, channels / 4, depth / 2, depth % 2);
                    if !channels.is_multiple_of(4) {
                        let last = channels - 4;
                        four(words, first.add(last), step, output_pixel.add(last), 1, depth / 2, depth % 2);
                    }
                    output_pixel = output_pixel.add(channels);
                }
            }
        }
    }
    // SAFETY: the output is as long as its shape says.
    unsafe { super::memory::clamp(output, shape.output_len(), &layer.output) };
}

/// Runs a kernel whose taps lie anywhere.
///
/// # Safety
/// The layer has the layout of taps; input, output and scratch memory have the lengths that its shape says.
#[inline(never)]
pub(super) unsafe fn scattered_taps(layer: &DepthwiseConv2d<'_>, input: *const i8, output: *mut i8, scratch: *mut u32) {
    let shape = &layer.shape;
    let (channels, multiplier, depth) = (shape.input().channels, shape.multiplier(), shape.depth());
    let (pairs, odd) = (depth / 2, depth % 2);
    // The scratch memory holds the places of the taps, then a pixel of zero points, then the last pixel, if it has fewer bytes than are read.
    let table = scratch.cast::<*const i8>();
    let (padding, pixel) = (scratch.wrapping_add(depth), channels.div_ceil(4));
    let copy = padding.wrapping_add(pixel).cast::<i8>();
    let last = input.wrapping_add(shape.input_len() - channels);
    // SAFETY: the scratch memory holds the words of a pixel behind the table, and of the last pixel where there are fewer than four channels.
    unsafe {
        super::memory::fill(padding, pixel, u32::from(layer.input_zero_point as u8) * 0x0101_0101);
        if channels < 4 {
            super::memory::copy(last, copy, channels);
        }
    }
    let padding = padding.cast_const().cast::<i8>();
    let mut output_pixel = output;
    for image in 0..shape.batch() {
        let image = input.wrapping_add(image * shape.input().len());
        for row in 0..shape.output().height {
            for column in 0..shape.output().width {
                let mut words = layer.words.as_ptr();
                // SAFETY: the table has a place for every tap; there four channels can be read, or all of them. The output pixel is in the
                // output.
                unsafe {
                    places(layer, image, row, column, padding, table);
                    for tap in 0..if channels < 4 { depth } else { 0 } {
                        let place = table.add(tap);
                        *place = if *place == last { copy } else { *place };
                    }
                    for index in 0..multiplier {
                        let first = output_pixel.add(index);
                        if channels < 4 {
                            let mut outputs = [0_i8; 4];
                            words = scattered(words, table, 0, outputs.as_mut_ptr(), 1, pairs, odd, 1);
                            for (channel, value) in outputs.into_iter().enumerate().take(channels) {
                                *first.add(channel * multiplier) = value;
                            }
                            continue;
                        }
                        words = scattered(words, table, 0, first, channels / 4, pairs, odd, multiplier);
                        if !channels.is_multiple_of(4) {
                            let last = channels - 4;
                            let first = first.add(last * multiplier);
                            words = scattered(words, table, last, first, 1, pairs, odd, multiplier);
                        }
                    }
                    output_pixel = output_pixel.add(shape.output().channels);
                }
            }
        }
    }
    // SAFETY: the output is as long as its shape says.
    unsafe { super::memory::clamp(output, shape.output_len(), &layer.output) };
}

/// Writes where each tap of an output pixel lies: in the image, or in the padding.
///
/// # Safety
/// There is such a pixel; the table has a place for every tap.
#[inline(never)]
unsafe fn places(
    layer: &DepthwiseConv2d<'_>,
    image: *const i8,
    row: usize,
    column: usize,
    padding: *const i8,
    mut table: *mut *const i8,
) {
    let (shape, rows, columns) = (&layer.shape, layer.shape.rows(), layer.shape.columns());
    let channels = shape.input().channels;
    let (first_row, last_row) = rows.taps(row);
    let (first, last) = columns.taps(column);
    let (down, across) = (rows.dilation() * shape.input().row(), columns.dilation() * channels);
    // Where the first tap that is no padding lies, in the first row of the window, be it in the image or before it.
    let start = rows.position(row, 0).wrapping_mul(shape.input().width).wrapping_add(columns.position(column, first));
    let mut line = image.wrapping_add(start.wrapping_mul(channels));
    for tap_row in 0..rows.kernel() {
        // SAFETY: the table has a place for every tap.
        unsafe {
            if tap_row >= first_row && tap_row < last_row {
                table = put(table, first, padding, 0);
                table = put(table, last - first, line, across);
                table = put(table, columns.kernel() - last, padding, 0);
            } else {
                table = put(table, columns.kernel(), padding, 0);
            }
        }
        line = line.wrapping_add(down);
    }
}

/// Writes `count` places that are `step` bytes apart; gives what is behind them.
///
/// # Safety
/// So many places can be written at `table`.
//
// | register | holds               | register | holds                |
// |----------|---------------------|----------|----------------------|
// | r0       | next of the table   | r2       | next place           |
// | r1       | places that are left | r3      | `step`               |
#[unsafe(naked)]
unsafe extern "C" fn put(table: *mut *const i8, count: usize, place: *const i8, step: usize) -> *mut *const i8 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "cbz r1, 3f",
        "2:",
        "str r2, [r0], #4",
        "add r2, r3",
        "subs r1, r1, #1",
        "bne 2b",
        "3:",
        "bx lr",
    )
}

/// Adds two taps, whose four channels are in r8 and r9, to the sums. Bytes are paired before they are widened, so that a pair is one
/// widening.
macro_rules! two_taps {
    () => {
        "pkhbt r12, r8, r9, lsl #16
             pkhtb r8, r9, r8, asr #16
             ldmia.w r0!, {{r10, r11}}
             sxtb16 r9, r12
             sxtb16 lr, r8
             smlad r4, r9, r10, r4
             smlad r6, lr, r11, r6
             ldmia.w r0!, {{r10, r11}}
             sxtb16 r9, r12, ror #8
             sxtb16 lr, r8, ror #8
             smlad r5, r9, r10, r5
             smlad r7, lr, r11, r7"
    };
}

/// Adds the last tap, whose four channels are in r8, to the sums.
macro_rules! last_tap {
    () => {
        "ldmia.w r0!, {{r10, r11}}
             sxtb16 r12, r8
             sxtb16 lr, r8, ror #8
             smlabb r4, r12, r10, r4
             smlatt r6, r12, r10, r6
             smlabb r5, lr, r11, r5
             smlatt r7, lr, r11, r7"
    };
}

/// Requantises two channels, whose accumulators are doubled already, with the parameters at r0, and stores two outputs at r1, by `$store`, which
/// moves r1 on; r3 and r8 to lr are overwritten.
macro_rules! store_two {
    ($first:literal, $second:literal, $store:literal) => {
        concat!(
            "ldmia.w r0!, {{r8, r9, r10, r11, r12, lr}}\n",
            "add r3, r9, ",
            $first,
            ", asr #31\n",
            "smmlar r3, ",
            $first,
            ", r8, r3\n",
            "asr r3, r3, r10\n",
            "ssat r3, #8, r3\n",
            $store,
            "add r3, r12, ",
            $second,
            ", asr #31\n",
            "smmlar r3, ",
            $second,
            ", r11, r3\n",
            "asr r3, r3, lr\n",
            "ssat r3, #8, r3\n",
            $store,
        )
    };
}

/// One pixel: `blocks` blocks of four channels, `pairs` pairs of taps and, if `odd`, one more, `step` bytes apart. Gives the
/// end of the words read.
///
/// # Safety
/// `blocks` is not 0; the taps can be read, the words are those of the blocks, four bytes per block can be written.
//
// | register       | in the loop over pairs of taps                    | behind it                                    |
// |----------------|---------------------------------------------------|----------------------------------------------|
// | r0             | next words                                        | next words                                   |
// | r1             | next tap                                          | next output                                  |
// | r2             | `step`                                            | `step`                                       |
// | r3             | end of the pairs                                  | result                                       |
// | r4, r5, r6, r7 | accumulators of the channels 0 to 3               | the same                                     |
// | r8, r9         | four channels of two taps; r8: two of both, r9: one of both | multiplier, rounding of one channel |
// | r10, r11       | weights of two channels                           | its shift; multiplier of the next channel    |
// | r12, lr        | two channels of both taps; one of both            | its rounding, its shift                      |
//
// | stack | holds                                       | stack | holds                                |
// |-------|---------------------------------------------|-------|--------------------------------------|
// | 0     | end of the pairs of taps, at the block      | 12    | blocks that are left                 |
// | 4     | first tap, at the block                     | 16    | `odd`                                |
// | 8     | next output                                 |       |                                      |
#[unsafe(naked)]
unsafe extern "C" fn four(
    words: *const u32,
    input: *const i8,
    step: usize,
    output: *mut i8,
    blocks: usize,
    pairs: usize,
    odd: usize,
) -> *const u32 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "ldr r4, [sp, #36]",
        "ldr r5, [sp, #40]",
        "ldr r6, [sp, #44]",
        "mul r5, r5, r2",
        "add r5, r1, r5, lsl #1",
        "sub sp, #20",
        "strd r5, r1, [sp]",
        "strd r3, r4, [sp, #8]",
        "str r6, [sp, #16]",
        "1:",
        "ldmia r0!, {{r4, r5, r6, r7}}",
        "ldrd r3, r1, [sp]",
        "cmp r1, r3",
        "beq 3f",
        "2:",
        "ldr.w r8, [r1]",
        "ldr.w r9, [r1, r2]",
        "add r1, r1, r2, lsl #1",
        two_taps!(),
        "cmp r1, r3",
        "bne 2b",
        "3:",
        "ldr r3, [sp, #16]",
        "cbz r3, 4f",
        "ldr.w r8, [r1]",
        last_tap!(),
        "4:",
        "ldr r1, [sp, #8]",
        store_two!("r4", "r5", "strb r3, [r1], #1\n"),
        store_two!("r6", "r7", "strb r3, [r1], #1\n"),
        "ldrd r3, r4, [sp]",
        "adds r3, #4",
        "adds r4, #4",
        "strd r3, r4, [sp]",
        "ldr r3, [sp, #12]",
        "subs r3, r3, #1",
        "strd r1, r3, [sp, #8]",
        "bne.w 1b",
        "add sp, #20",
        "pop {{r4-r11, pc}}",
    )
}

/// One pixel whose taps lie where `taps` says: `blocks` blocks of four channels from `offset` on, `pairs` pairs of taps and, if `odd`, one
/// more. Outputs are `stride` bytes apart. Gives the end of the words read.
///
/// # Safety
/// `blocks` is not 0; the taps can be read, the words are those of the blocks, four outputs per block can be written.
//
// | register       | in the loop over pairs of taps                    | behind it                                    |
// |----------------|---------------------------------------------------|----------------------------------------------|
// | r0             | next words                                        | next words                                   |
// | r1             | next place of a tap                               | next output                                  |
// | r2             | `offset` of the block                             | `stride`                                     |
// | r3             | end of the places of pairs                        | result                                       |
// | r4, r5, r6, r7 | accumulators of the channels 0 to 3               | the same                                     |
// | r8, r9         | places of two taps, then their four channels; r8: two of both, r9: one of both | multiplier, rounding of one channel |
// | r10, r11       | weights of two channels                           | its shift; multiplier of the next channel    |
// | r12, lr        | two channels of both taps; one of both            | its rounding, its shift                      |
//
// | stack | holds                                       | stack | holds                                |
// |-------|---------------------------------------------|-------|--------------------------------------|
// | 0     | end of the places of pairs                  | 16    | `odd`                                |
// | 4     | `taps`                                      | 20    | `stride`                             |
// | 8     | next output                                 | 24    | `offset` of the block                |
// | 12    | blocks that are left                        |       |                                      |
#[unsafe(naked)]
unsafe extern "C" fn scattered(
    words: *const u32,
    taps: *const *const i8,
    offset: usize,
    output: *mut i8,
    blocks: usize,
    pairs: usize,
    odd: usize,
    stride: usize,
) -> *const u32 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "push {{r4-r11, lr}}",
        "ldr r4, [sp, #36]",
        "ldr r5, [sp, #40]",
        "ldr r6, [sp, #44]",
        "ldr r7, [sp, #48]",
        "add r5, r1, r5, lsl #3",
        "sub sp, #28",
        "strd r5, r1, [sp]",
        "strd r3, r4, [sp, #8]",
        "strd r6, r7, [sp, #16]",
        "str r2, [sp, #24]",
        "1:",
        "ldmia r0!, {{r4, r5, r6, r7}}",
        "ldrd r3, r1, [sp]",
        "ldr r2, [sp, #24]",
        "cmp r1, r3",
        "beq 3f",
        "2:",
        "ldmia.w r1!, {{r8, r9}}",
        "ldr.w r8, [r8, r2]",
        "ldr.w r9, [r9, r2]",
        two_taps!(),
        "cmp r1, r3",
        "bne 2b",
        "3:",
        "ldr r3, [sp, #16]",
        "cbz r3, 4f",
        "ldr.w r8, [r1]",
        "ldr.w r8, [r8, r2]",
        last_tap!(),
        "4:",
        "adds r2, #4",
        "str r2, [sp, #24]",
        "ldr r1, [sp, #8]",
        "ldr r2, [sp, #20]",
        store_two!("r4", "r5", "strb r3, [r1]\nadd r1, r2\n"),
        store_two!("r6", "r7", "strb r3, [r1]\nadd r1, r2\n"),
        "ldr r3, [sp, #12]",
        "subs r3, r3, #1",
        "strd r1, r3, [sp, #8]",
        "bne.w 1b",
        "add sp, #28",
        "pop {{r4-r11, pc}}",
    )
}

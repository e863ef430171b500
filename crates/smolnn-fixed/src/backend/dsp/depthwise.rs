//! Depthwise convolution.
//!
//! **3×3** ([`Layout::DspThree`]), strides 1 and 2 along the row: for each output row and each block of four channels the three
//! input rows are turned into records, one per column: rows 0 and 1 paired in one word per channel (V), row 2 as halfwords
//! (T), `V0 T02 V2 V1 T13 V3`. Then every channel runs along the row with its weights in registers: three taps of two
//! rows by SMLAD, three of one row by SMLA. The three outputs of a turn share their columns.
//!
//! 15 instructions per record of four channels, 44 per three outputs of a channel. At stride 1 two rows run at a time, in
//! `depthwise_rows.rs`, unless there is one row alone or rows are further apart.
//!
//! Any other kernel, stride and multiplier, and fewer than four channels: `depthwise_planes.rs`; outputs of one column or, of four channels and more, two, and flat kernels without
//! padding: `depthwise_taps.rs`.
//!
//! One input channel with outputs of one column is a convolution of one channel, and packed and run as such.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use smolnn_core::DepthwiseConv2dShape;

use super::depthwise_planes::planes;
use super::depthwise_rows::two_rows;
use super::depthwise_taps::{scattered_taps, taps};
use super::pack::{self, RECORD};
use super::requantise::requantise;
use crate::Tensors;
use crate::conv::DepthwiseConv2d;
use crate::pack::Layout;

#[inline(always)]
pub(super) fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let (input, output) = tensors.pointers();
    // SAFETY: the layer checked that its words have this layout for this shape, its caller that tensors and scratch memory
    // are as long as the shape and the layout say.
    unsafe {
        if layer.layout.is(Layout::DspThree) && pack::takes_two_rows(&layer.shape) {
            two_rows(layer, input, output, scratch.as_mut_ptr());
        } else if layer.layout.is(Layout::DspThree) {
            // A model links the kernels of its own layers alone.
            let kernel = match (layer.shape.columns().stride(), layer.output.is_rectified()) {
                (1, false) => narrow,
                (1, true) => rectified_narrow,
                (_, false) => wide,
                (_, true) => rectified_wide,
            };
            three(kernel, layer, input, output, scratch.as_mut_ptr())
        } else if layer.layout.is(Layout::DspPlanes) {
            planes(layer, input, output, scratch.as_mut_ptr())
        } else if !pack::are_taps_scattered(&layer.shape) {
            taps(layer, input, output)
        } else {
            scattered_taps(layer, input, output, scratch.as_mut_ptr())
        }
    }
}

/// The arguments of the kernels of a row: one output row, for some blocks of four channels. The assembly knows the order of the
/// fields.
#[repr(C)]
struct Row {
    /// Bytes from one pixel to the next.
    channels: usize,
    /// Bytes of three pixels.
    three_pixels: usize,
    /// The first record.
    records: *mut u32,
    output: *mut i8,
    words: *const u32,
    /// Bytes of records that the turns of three outputs move on.
    turns: usize,
    /// Outputs that are left, 0..=2.
    rest: usize,
    /// Rows that are padding: 0 means none, 1 the first, 2 the last, 3 both.
    padded: usize,
    /// The input rows, or where one is padding four bytes of it.
    rows: [usize; 3],
    /// Offset of the first byte from the rows' starts.
    first: usize,
    /// Offset behind the last column.
    end: usize,
    /// The first record of a column that is not padding.
    inside: *mut u32,
    /// The number of blocks of four channels.
    blocks: usize,
}

/// Runs a 3×3 kernel row by row.
///
/// # Safety
/// The layer has the layout of threes, and the kernel is the one of its stride and its outputs; input, output and scratch memory have the lengths that its shape says.
#[inline(never)]
unsafe fn three(
    kernel: unsafe extern "C" fn(&Row),
    layer: &DepthwiseConv2d<'_>,
    input: *const i8,
    output: *mut i8,
    scratch: *mut u32,
) {
    let shape = &layer.shape;
    let channels = shape.output().channels;
    let zero = i32::from(layer.input_zero_point);
    let half = u32::from(zero as u16) * 0x0001_0001;
    let padding = usize::from(layer.input_zero_point as u8) * 0x0101_0101;
    let needed = pack::three_columns(shape);
    let inside = shape.input().width.min(needed - shape.columns().before());
    // SAFETY: the scratch memory holds a record for every column.
    unsafe { pad(scratch, shape, RECORD, half) };
    let step = 4 * RECORD * shape.columns().stride();
    let mut row = Row {
        channels,
        three_pixels: 3 * channels,
        records: scratch,
        output,
        words: layer.words.as_ptr(),
        turns: shape.output().width / 3 * 3 * step,
        rest: shape.output().width % 3,
        padded: 0,
        rows: [0; 3],
        first: 0,
        end: inside * channels,
        inside: scratch.wrapping_add(RECORD * shape.columns().before()),
        blocks: channels / 4,
    };
    let mut image = input;
    let mut output_row = output;
    for _ in 0..shape.batch() {
        for index in 0..shape.output().height {
            let (first, last) = shape.rows().taps(index);
            row.padded = usize::from(first > 0) | usize::from(last < 3) << 1;
            for (tap, start) in row.rows.iter_mut().enumerate() {
                *start = if tap >= first && tap < last {
                    image.wrapping_add(shape.rows().position(index, tap) * shape.input().row()).addr()
                } else {
                    padding
                };
            }
            row.output = output_row;
            // SAFETY: the rows lie in the image; blocks of channels that overlap read what is there still, since a row of
            // the output never covers input that the row needs.
            unsafe {
                kernel(&row);
                let rest = channels % 4;
                if rest > 0 {
                    let first = channels - 4;
                    let words = row.words.add(channels / 4 * pack::BLOCK);
                    kernel(&Row {
                        output: output_row.add(first),
                        words,
                        first,
                        end: row.end + first,
                        blocks: 1,
                        ..row
                    });
                }
            }
            output_row = output_row.wrapping_add(shape.output().row());
        }
        image = image.wrapping_add(shape.input().len());
    }
    // SAFETY: the output is as long as its shape says.
    unsafe { super::memory::clamp(output, shape.output_len(), &layer.output) };
}

/// Makes the records of columns that are padding, of `record` words each. The kernels write those of columns inside the input.
///
/// # Safety
/// The scratch memory holds a record for every column.
pub(super) unsafe fn pad(records: *mut u32, shape: &DepthwiseConv2dShape, record: usize, half: u32) {
    let (needed, before) = (pack::three_columns(shape), shape.columns().before());
    let end = needed.min(before + shape.input().width);
    // SAFETY: as the caller vouches.
    unsafe {
        super::memory::fill(records, record * before, half);
        super::memory::fill(records.add(record * end), record * (needed - end), half);
    }
}

/// The loop that turns columns of the input into records. `$first` and `$last` put four bytes of the first and of the last row
/// into r7 and r8: they load them, or copy the padding. The registers are those of `row`.
macro_rules! gather {
    ($label:literal, $first:literal, $last:literal) => {
        concat!(
            $label,
            ":\n",
            $first,
            "
             ldr.w r9, [r1, r11]
            ",
            $last,
            "
             add r11, lr
             pkhbt r10, r7, r9, lsl #16
             pkhtb r7, r9, r7, asr #16
             sxtb16 r4, r10
             sxtb16 r5, r8
             sxtb16 r6, r7
             sxtb16 r9, r7, ror #8
             sxtb16 r7, r10, ror #8
             sxtb16 r8, r8, ror #8
             stmia.w r12!, {{r4, r5, r6, r7, r8, r9}}
             cmp r11, r3
             bne ",
            $label,
            "b
             b 20f"
        )
    };
}

/// A column's record for the channel in the lower ("b") or upper ("t") halves: V in r11, T in r12.
macro_rules! column {
    ("b", $address:literal) => {
        concat!("ldrd r11, r12, ", $address, "\n")
    };
    ("t", $address:literal) => {
        concat!("ldrd r12, r11, ", $address, "\n")
    };
}

/// Adds the column in r11 and r12, as the tap 0, 1 or 2, to an accumulator; tap 0 starts it from the bias.
macro_rules! tap {
    ($half:tt, 0, $sum:literal) => {
        concat!("smlad ", $sum, ", r11, r3, r2\nsmla", $half, "b ", $sum, ", r12, r6, ", $sum, "\n")
    };
    ($half:tt, 1, $sum:literal) => {
        concat!("smlad ", $sum, ", r11, r4, ", $sum, "\nsmla", $half, "t ", $sum, ", r12, r6, ", $sum, "\n")
    };
    ($half:tt, 2, $sum:literal) => {
        concat!("smlad ", $sum, ", r11, r5, ", $sum, "\nsmla", $half, "b ", $sum, ", r12, r7, ", $sum, "\n")
    };
}

/// Requantises an accumulator, which is doubled already, with multiplier, rounding and shift in r11, r12, lr; r2 is overwritten.
macro_rules! finish {
    ($outputs:ident, $sum:literal) => {
        requantise!($outputs, $sum, "r11", "r12", "lr", "r2")
    };
}

/// The accumulators of three, two or one neighbouring outputs at stride 1 or 2. With three, r0 moves on to the next turn.
macro_rules! outputs {
    (3, 1, $h:tt) => {
        concat!(
            column!($h, "[r0]"),
            tap!($h, 0, "r8"),
            column!($h, "[r0, #24]"),
            tap!($h, 1, "r8"),
            tap!($h, 0, "r9"),
            column!($h, "[r0, #48]"),
            tap!($h, 2, "r8"),
            tap!($h, 1, "r9"),
            tap!($h, 0, "r10"),
            column!($h, "[r0, #72]!"),
            tap!($h, 2, "r9"),
            tap!($h, 1, "r10"),
            column!($h, "[r0, #24]"),
            tap!($h, 2, "r10"),
        )
    };
    (3, 2, $h:tt) => {
        concat!(
            column!($h, "[r0]"),
            tap!($h, 0, "r8"),
            column!($h, "[r0, #24]"),
            tap!($h, 1, "r8"),
            column!($h, "[r0, #48]"),
            tap!($h, 2, "r8"),
            tap!($h, 0, "r9"),
            column!($h, "[r0, #72]"),
            tap!($h, 1, "r9"),
            column!($h, "[r0, #96]"),
            tap!($h, 2, "r9"),
            tap!($h, 0, "r10"),
            column!($h, "[r0, #120]"),
            tap!($h, 1, "r10"),
            column!($h, "[r0, #144]!"),
            tap!($h, 2, "r10"),
        )
    };
    (2, 1, $h:tt) => {
        concat!(
            column!($h, "[r0]"),
            tap!($h, 0, "r8"),
            column!($h, "[r0, #24]"),
            tap!($h, 1, "r8"),
            tap!($h, 0, "r9"),
            column!($h, "[r0, #48]"),
            tap!($h, 2, "r8"),
            tap!($h, 1, "r9"),
            column!($h, "[r0, #72]"),
            tap!($h, 2, "r9"),
        )
    };
    (2, 2, $h:tt) => {
        concat!(
            column!($h, "[r0]"),
            tap!($h, 0, "r8"),
            column!($h, "[r0, #24]"),
            tap!($h, 1, "r8"),
            column!($h, "[r0, #48]"),
            tap!($h, 2, "r8"),
            tap!($h, 0, "r9"),
            column!($h, "[r0, #72]"),
            tap!($h, 1, "r9"),
            column!($h, "[r0, #96]"),
            tap!($h, 2, "r9"),
        )
    };
    (1, $stride:tt, $h:tt) => {
        concat!(
            column!($h, "[r0]"),
            tap!($h, 0, "r8"),
            column!($h, "[r0, #24]"),
            tap!($h, 1, "r8"),
            column!($h, "[r0, #48]"),
            tap!($h, 2, "r8"),
        )
    };
}

/// Runs one channel along the row. Its records start at r0, its outputs at r1.
macro_rules! channel {
    ($outputs:ident, $stride:tt, $h:tt) => {
        concat!(
            // Bias and weights go to r2 to r7; multiplier, rounding and shift go to the stack.
            "ldr.w lr, [sp, #36]
             ldmia.w lr!, {{r2, r3, r4, r5, r6, r7, r8, r9, r10}}
             str.w lr, [sp, #36]
             stmia.w sp, {{r8, r9, r10}}
             ldr r8, [sp, #40]
             add r8, r0
             strd r2, r8, [sp, #20]
             cmp r0, r8
             beq 31f
            30:
            ",
            outputs!(3, $stride, $h),
            "ldmia.w sp, {{r11, r12, lr}}\n",
            finish!($outputs, "r8"),
            finish!($outputs, "r9"),
            finish!($outputs, "r10"),
            "ldrd r11, r12, [sp, #12]
             strb.w r8, [r1]
             strb.w r9, [r1, r11]
             strb.w r10, [r1, r11, lsl #1]
             add r1, r12
             ldrd r2, r8, [sp, #20]
             cmp r0, r8
             bne 30b
            31:
             ldr r8, [sp, #44]
             cmp r8, #1
             blt 33f
             beq 32f
            ",
            outputs!(2, $stride, $h),
            "ldmia.w sp, {{r11, r12, lr}}\n",
            finish!($outputs, "r8"),
            finish!($outputs, "r9"),
            "ldr r11, [sp, #12]
             strb.w r8, [r1]
             strb.w r9, [r1, r11]
             b 33f
            32:
            ",
            outputs!(1, $stride, $h),
            "ldmia.w sp, {{r11, r12, lr}}\n",
            finish!($outputs, "r8"),
            "strb.w r8, [r1]
            33:
            ",
        )
    };
}

/// The kernel of a row, for the [`Row`] at r0.
//
// | register        | while records are gathered                    | while a channel runs along the row                |
// |-----------------|-----------------------------------------------|---------------------------------------------------|
// | r0              | first row                                     | next record                                       |
// | r1              | second row                                    | next output                                       |
// | r2              | third row                                     | bias; taken by the requantisation                 |
// | r3              | offset behind the last column                 | weights of rows 0 and 1, tap 0                    |
// | r4, r5          | words of a record                             | weights of rows 0 and 1, taps 1 and 2             |
// | r6              | a word of a record                            | weights of row 2, taps 0 and 1                    |
// | r7              | four bytes of the first row, then two of both | weight of row 2, tap 2                            |
// | r8              | four bytes of the third row                   | first accumulator; between turns their end        |
// | r9              | four bytes of the second row                  | second accumulator                                |
// | r10             | two bytes of the first and the second row     | third accumulator                                 |
// | r11             | offset of the column                          | V of a record; multiplier; `channels`             |
// | r12             | next record                                   | T of a record; rounding; `three_pixels`           |
// | lr              | `channels`                                    | shift                                             |
//
// | stack     | holds                                        | stack | holds                                          |
// |-----------|----------------------------------------------|-------|------------------------------------------------|
// | 0, 4, 8   | multiplier, rounding, shift of the channel   | 40    | `turns`                                        |
// | 12        | `channels`                                   | 44    | `rest`                                         |
// | 16        | `three_pixels`                               | 48    | address of the branch to the gathering loop    |
// | 20        | bias of the channel                          | 52    | `rows`, three words                            |
// | 24        | end of the channel's turns                   | 64    | `first`, of the block                          |
// | 28        | first record of the channel                  | 68    | `end`, of the block                            |
// | 32        | first output of the channel                  | 72    | `inside`                                       |
// | 36        | next words                                   | 76    | blocks that are left                           |
// |           |                                              | 80    | 1 while channels 1 and 3 of the block are computed |
macro_rules! row {
    ($outputs:ident, $stride:tt) => {
        naked_asm!(
            env!("SMOLNN_DSP_CORE"),
            "push {{r4-r11, lr}}",
            "sub sp, #84",
            "ldmia r0!, {{r2, r3, r4, r5, r6, r7, r8, r9}}",
            "strd r2, r3, [sp, #12]",
            "add r10, sp, #28",
            "stmia.w r10!, {{r4, r5, r6, r7, r8}}",
            // The rows that are padding choose one of four branches, of four bytes each, to the gathering loops.
            "adr r2, 10f",
            "lsls r9, r9, #2",
            "add r2, r9",
            "orr r2, r2, #1",
            "str r2, [sp, #48]",
            "ldmia.w r0!, {{r1, r2, r3, r4, r5, r6, r7}}",
            "add r10, sp, #52",
            "movs r8, #0",
            "stmia.w r10, {{r1, r2, r3, r4, r5, r6, r7, r8}}",
            // A block of four channels begins with its records.
            "1:",
            "add r0, sp, #52",
            "ldmia.w r0, {{r0, r1, r2, r3, r4, r12}}",
            "mov r11, r3",
            "mov r3, r4",
            "ldr.w lr, [sp, #12]",
            "adds r5, r11, #4",
            "adds r6, r4, #4",
            "strd r5, r6, [sp, #64]",
            "ldr.w pc, [sp, #48]",
            ".p2align 2",
            "10:",
            "b.w 11f",
            "b.w 12f",
            "b.w 13f",
            "b.w 14f",
            gather!("11", "ldr.w r7, [r0, r11]", "ldr.w r8, [r2, r11]"),
            gather!("12", "mov r7, r0", "ldr.w r8, [r2, r11]"),
            gather!("13", "ldr.w r7, [r0, r11]", "mov r8, r2"),
            gather!("14", "mov r7, r0", "mov r8, r2"),
            // Channels 0 and 2 of the block are computed first, then 1 and 3.
            "20:",
            "ldrd r0, r1, [sp, #28]",
            "21:",
            channel!($outputs, $stride, "b"),
            "ldrd r0, r1, [sp, #28]",
            "adds r0, #4",
            "adds r1, #2",
            channel!($outputs, $stride, "t"),
            "ldrd r0, r1, [sp, #28]",
            "ldr r2, [sp, #80]",
            "eors r2, r2, #1",
            "str r2, [sp, #80]",
            "beq 22f",
            "adds r0, #12",
            "adds r1, #1",
            "strd r0, r1, [sp, #28]",
            "b 21b",
            "22:",
            "subs r0, #12",
            "adds r1, #3",
            "strd r0, r1, [sp, #28]",
            "ldr r2, [sp, #76]",
            "subs r2, r2, #1",
            "str r2, [sp, #76]",
            "bne.w 1b",
            "add sp, #84",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// The kernel of a row at stride 1. The tables of its registers stand above the macro `row`.
///
/// # Safety
/// In every column from `first` to `end`, four bytes per block can be read of the rows that are not padding; the records can be
/// written; `words` are those of the blocks in the layout of threes, and the row's outputs of so many channels
/// can be written. There is a block, and a column inside.
#[unsafe(naked)]
unsafe extern "C" fn narrow(row: &Row) {
    row!(any, 1)
}

/// As [`narrow`], for outputs that are rectified.
///
/// # Safety
/// As for [`narrow`].
#[unsafe(naked)]
unsafe extern "C" fn rectified_narrow(row: &Row) {
    row!(rectified, 1)
}

/// The kernel of a row at stride 2. The tables of its registers stand above the macro `row`.
///
/// # Safety
/// In every column from `first` to `end`, four bytes per block can be read of the rows that are not padding; the records can be
/// written; `words` are those of the blocks in the layout of threes, and the row's outputs of so many channels
/// can be written. There is a block, and a column inside.
#[unsafe(naked)]
unsafe extern "C" fn wide(row: &Row) {
    row!(any, 2)
}

/// As [`wide`], for outputs that are rectified.
///
/// # Safety
/// As for [`wide`].
#[unsafe(naked)]
unsafe extern "C" fn rectified_wide(row: &Row) {
    row!(rectified, 2)
}

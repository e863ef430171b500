//! Depthwise convolution of any kernel, stride, dilation and multiplier, with any number of channels
//! ([`Layout::DspPlanes`](crate::pack::Layout::DspPlanes)).
//!
//! For each output row and every four input channels the input rows of the window are turned into records, one per column: two rows paired in one
//! word per channel, so that SMLAD takes a tap of both. Each pair of rows is a plane of records; a last row without a partner is paired with padding, which
//! meets weights of zero. A kernel of one row has one plane, and pairs columns instead. Then every output channel runs along the row, four outputs at a time.
//! The outputs of an input channel share its records.
//!
//! 11 instructions per record of four channels (`depthwise_lines.rs`). Where outputs and taps are neighbours, kernels of up to five columns and of seven have a body each, which
//! loads a record once for four outputs (`row_of_taps`): for 3×3 it takes 84 instructions per four outputs. Any other kernel takes 12 per tap of two rows
//! and four outputs.
//!
//! Fewer than four channels are read together with what lies behind them. Of the last row, which has nothing behind it, a copy is read.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use smolnn_core::DepthwiseConv2dShape;

use super::depthwise_lines::{Line, gather, gather_alone, write_lines};
use super::pack::{self, Planes};
use super::requantise::requantise;
use crate::conv::DepthwiseConv2d;

/// The arguments of the kernels: one output row, of the outputs of some input channels of a block. The assembly knows the order of the fields.
#[repr(C)]
struct Row {
    words: *const u32,
    /// The first record of the first input channel.
    records: *mut u32,
    output: *mut i8,
    /// The number of output channels.
    left: usize,
    /// Output channels that are left of the first input channel: all of them.
    until_next: usize,
    /// Output channels per input channel.
    multiplier: usize,
    /// Bytes from one output pixel to the next.
    channels: usize,
    /// Outputs of the row.
    width: usize,
    /// The number of planes.
    planes: usize,
    /// Bytes from behind the taps of one plane to the first of the next; in bodies for one width of kernels, from the first.
    next_plane: usize,
    /// Bytes of records from four outputs to the next four.
    turn: usize,
    /// Bytes of records from one output to the next.
    stride: usize,
    /// Bytes of records from one tap to the next.
    reach: usize,
    /// Taps of a plane.
    taps: usize,
}

/// Runs the layer.
///
/// # Safety
/// The layer has the layout of planes; input, output and scratch memory have the lengths that its shape says.
#[inline(always)]
pub(super) unsafe fn planes(layer: &DepthwiseConv2d<'_>, input: *const i8, output: *mut i8, scratch: *mut u32) {
    let planes = Planes::of(&layer.shape);
    let reach = reach(&layer.shape);
    // A model links the kernels of its own layers alone.
    let (kernel, is_any): (unsafe extern "C" fn(&Row), bool) =
        match (layer.shape.columns().stride(), reach, planes.taps) {
            (1, 1, 1) => (one, false),
            (1, 1, 2) => (two, false),
            (1, 1, 3) => (three, false),
            (1, 1, 4) => (four, false),
            (1, 1, 5) => (five, false),
            (1, 1, 7) => (seven, false),
            _ => (any, true),
        };
    // SAFETY: as the caller vouches.
    unsafe { run(kernel, is_any, layer, input, output, scratch) }
}

/// Columns from one tap of a plane to the next.
#[inline(always)]
const fn reach(shape: &DepthwiseConv2dShape) -> usize {
    if shape.rows().kernel() == 1 { 2 * shape.columns().dilation() } else { shape.columns().dilation() }
}

/// Runs the layer with the kernel of its taps, or the one that takes any.
///
/// # Safety
/// As for [`planes`].
#[inline(never)]
unsafe fn run(
    kernel: unsafe extern "C" fn(&Row),
    is_any: bool,
    layer: &DepthwiseConv2d<'_>,
    input: *const i8,
    output: *mut i8,
    scratch: *mut u32,
) {
    let shape = &layer.shape;
    let (rows, before) = (shape.rows(), shape.columns().before());
    let (channels, input_row) = (shape.input().channels, shape.input().row());
    let (planes, reach) = (Planes::of(shape), reach(shape));
    let plane = planes.columns * pack::PLANE_RECORD;
    let inside = shape.input().width.min(pack::columns_seen(shape).saturating_sub(before));
    let is_narrow = channels < 4;
    let lines = scratch.wrapping_add(planes.count * plane).cast::<Line>();
    let padding = lines.wrapping_add(planes.lines).cast::<u32>();
    let copy = padding.wrapping_add(1);
    let last_row = input.wrapping_add(shape.input_len() - input_row);
    // SAFETY: the scratch memory holds the planes, the lines, a pixel of padding, and a row where channels are fewer than four.
    unsafe {
        // Columns that are padding keep this; those inside the input are overwritten for every row.
        let half = u32::from(i32::from(layer.input_zero_point) as u16) * 0x0001_0001;
        for index in 0..planes.count {
            let (start, behind) = (scratch.add(index * plane), (before + inside) * pack::PLANE_RECORD);
            super::memory::fill(start, before * pack::PLANE_RECORD, half);
            super::memory::fill(start.add(behind), plane - behind, half);
        }
        super::memory::fill(padding, channels.div_ceil(4), u32::from(layer.input_zero_point as u8) * 0x0101_0101);
        if is_narrow {
            super::memory::copy(last_row, copy.cast(), input_row);
        }
    }
    let record = 4 * pack::PLANE_RECORD;
    let stride = record * shape.columns().stride();
    let next_plane = record.wrapping_mul(planes.columns.wrapping_sub(if is_any { planes.taps * reach } else { 0 }));
    let mut arguments = Row {
        words: layer.words.as_ptr(),
        records: scratch,
        output,
        left: 0,
        until_next: shape.multiplier(),
        multiplier: shape.multiplier(),
        channels: shape.output().channels,
        width: shape.output().width,
        planes: planes.count,
        next_plane,
        turn: 4 * stride,
        stride,
        reach: record * reach,
        taps: planes.taps,
    };
    let padding = Line { start: padding.cast_const().cast(), step: 0 };
    let records = scratch.wrapping_add(before * pack::PLANE_RECORD);
    let mut image = input;
    let mut output_row = output;
    for _ in 0..shape.batch() {
        for index in 0..shape.output().height {
            let (first, last) = rows.taps(index);
            // SAFETY: there are lines for all rows of the kernel, and for one more where their number is odd.
            unsafe {
                let start = image.wrapping_add(rows.position(index, first).wrapping_mul(input_row));
                let inner = write_lines(lines, first, padding.start, 0, 0);
                let end = write_lines(inner, last - first, start, rows.dilation() * input_row, channels);
                if is_narrow && last > first && (*end.sub(1)).start == last_row {
                    (*end.sub(1)).start = copy.cast_const().cast();
                }
                write_lines(end, planes.lines - last, padding.start, 0, 0);
            }
            arguments.words = layer.words.as_ptr();
            arguments.output = output_row;
            let mut channel = 0;
            while channel < channels {
                // The last channels are read with those before them, if there are as many.
                let first = channel.min(channels.saturating_sub(4));
                let taken = (channels - channel).min(4);
                arguments.records = scratch.wrapping_add(channel - first);
                arguments.left = taken * arguments.multiplier;
                // SAFETY: four channels can be read there; the words and the outputs are those of the channels that are taken.
                unsafe {
                    if rows.kernel() == 1 {
                        gather_alone(lines, padding, first, records, before, inside, shape.columns().dilation());
                    } else {
                        gather(lines, planes.count, first, records, inside, 4 * (plane - inside * pack::PLANE_RECORD));
                    }
                    kernel(&arguments);
                }
                arguments.words = arguments.words.wrapping_add(arguments.left * planes.words());
                arguments.output = arguments.output.wrapping_add(arguments.left);
                channel += taken;
            }
            output_row = output_row.wrapping_add(shape.output().row());
        }
        image = image.wrapping_add(shape.input().len());
    }
    // SAFETY: the output is as long as its shape says.
    unsafe { super::memory::clamp(output, shape.output_len(), &layer.output) };
}

/// Adds a tap, whose weights are in a register, to four sums: with the records of four outputs. On the way it loads what the next tap needs, if it is
/// told to: a record at an offset into the first one's register, and weights.
macro_rules! tap {
    ($weights:literal, $first:literal, $second:literal, $third:literal, $fourth:literal, $offset:literal, $next:literal) => {
        concat!(
            "smlad r4, ",
            $first,
            ", ",
            $weights,
            ", r4\nldr.w ",
            $first,
            ", [r0, ",
            $offset,
            "]\nsmlad r5, ",
            $second,
            ", ",
            $weights,
            ", r5\nldr ",
            $next,
            ", [r1], #4\nsmlad r6, ",
            $third,
            ", ",
            $weights,
            ", r6\nsmlad r7, ",
            $fourth,
            ", ",
            $weights,
            ", r7\n"
        )
    };
    ($weights:literal, $first:literal, $second:literal, $third:literal, $fourth:literal) => {
        concat!(
            "smlad r4, ",
            $first,
            ", ",
            $weights,
            ", r4\nsmlad r5, ",
            $second,
            ", ",
            $weights,
            ", r5\nsmlad r6, ",
            $third,
            ", ",
            $weights,
            ", r6\nsmlad r7, ",
            $fourth,
            ", ",
            $weights,
            ", r7\n"
        )
    };
}

/// The taps of a plane for four outputs: the records start at r0, the weights at r1, which moves on. Outputs and taps are neighbours.
#[cfg(not(schedule = "paired"))]
macro_rules! row_of_taps {
    (1) => {
        concat!(
            "ldr r12, [r1], #4
             ldr r8, [r0]
             ldr r9, [r0, #16]
             ldr r10, [r0, #32]
             ldr r11, [r0, #48]
            ",
            tap!("r12", "r8", "r9", "r10", "r11"),
        )
    };
    (2) => {
        concat!(
            "ldr r12, [r1], #4
             ldr lr, [r1], #4
             ldr r8, [r0]
             ldr r9, [r0, #16]
             ldr r10, [r0, #32]
             ldr r11, [r0, #48]
            ",
            tap!("r12", "r8", "r9", "r10", "r11"),
            "ldr r8, [r0, #64]\n",
            tap!("lr", "r9", "r10", "r11", "r8"),
        )
    };
    (3) => {
        concat!(
            row_of_taps!(2),
            "ldr r12, [r1], #4
             ldr r9, [r0, #80]
            ",
            tap!("r12", "r10", "r11", "r8", "r9"),
        )
    };
    (4) => {
        concat!(
            row_of_taps!(2),
            "ldr r12, [r1], #4
             ldr lr, [r1], #4
             ldr r9, [r0, #80]
            ",
            tap!("r12", "r10", "r11", "r8", "r9"),
            "ldr r10, [r0, #96]\n",
            tap!("lr", "r11", "r8", "r9", "r10"),
        )
    };
    (5) => {
        concat!(
            row_of_taps!(4),
            "ldr r12, [r1], #4
             ldr r11, [r0, #112]
            ",
            tap!("r12", "r8", "r9", "r10", "r11"),
        )
    };
    (7) => {
        concat!(
            row_of_taps!(4),
            "ldr r12, [r1], #4
             ldr lr, [r1], #4
             ldr r11, [r0, #112]
            ",
            tap!("r12", "r8", "r9", "r10", "r11"),
            "ldr r8, [r0, #128]\n",
            tap!("lr", "r9", "r10", "r11", "r8"),
            "ldr r12, [r1], #4
             ldr r9, [r0, #144]
            ",
            tap!("r12", "r10", "r11", "r8", "r9"),
        )
    };
}

/// The same for the Cortex-M7, which issues a load beside a product: what a tap needs is loaded during the tap before.
#[cfg(schedule = "paired")]
macro_rules! row_of_taps {
    (1) => {
        concat!(row_of_taps!(begin), tap!("r12", "r8", "r9", "r10", "r11"))
    };
    (2) => {
        concat!(row_of_taps!(begin), row_of_taps!(0 then "#64"), tap!("lr", "r9", "r10", "r11", "r8"))
    };
    (3) => {
        concat!(
            row_of_taps!(begin),
            row_of_taps!(0 then "#64"),
            row_of_taps!(1 then "#80"),
            tap!("r12", "r10", "r11", "r8", "r9")
        )
    };
    (4) => {
        concat!(
            row_of_taps!(begin),
            row_of_taps!(0 then "#64"),
            row_of_taps!(1 then "#80"),
            row_of_taps!(2 then "#96"),
            tap!("lr", "r11", "r8", "r9", "r10")
        )
    };
    (5) => {
        concat!(row_of_taps!(four), tap!("r12", "r8", "r9", "r10", "r11"))
    };
    (7) => {
        concat!(
            row_of_taps!(four),
            row_of_taps!(0 then "#128"),
            row_of_taps!(1 then "#144"),
            tap!("r12", "r10", "r11", "r8", "r9")
        )
    };
    // Four taps, with what the fifth one needs.
    (four) => {
        concat!(
            row_of_taps!(begin),
            row_of_taps!(0 then "#64"),
            row_of_taps!(1 then "#80"),
            row_of_taps!(2 then "#96"),
            row_of_taps!(3 then "#112"),
        )
    };
    // What the first tap needs.
    (begin) => {
        "ldr r12, [r1], #4
         ldr.w r8, [r0]
         ldr.w r9, [r0, #16]
         ldr.w r10, [r0, #32]
         ldr.w r11, [r0, #48]
        "
    };
    // A tap, and what the next one needs: weights, and a record at an offset.
    (0 then $offset:literal) => {
        tap!("r12", "r8", "r9", "r10", "r11", $offset, "lr")
    };
    (1 then $offset:literal) => {
        tap!("lr", "r9", "r10", "r11", "r8", $offset, "r12")
    };
    (2 then $offset:literal) => {
        tap!("r12", "r10", "r11", "r8", "r9", $offset, "lr")
    };
    (3 then $offset:literal) => {
        tap!("lr", "r11", "r8", "r9", "r10", $offset, "r12")
    };
}

/// The planes of four outputs: records at r0, weights at r1. r4 to r7 are the sums.
macro_rules! sums {
    (any) => {
        concat!(
            "ldr.w r12, [sp, #44]
             ldrd r2, r3, [sp, #56]
             str.w r12, [sp, #68]
            3:
             ldr.w r12, [sp, #64]
            4:
             add.w r11, r0, r2, lsl #1
             ldr lr, [r1], #4
             ldr.w r8, [r0]
             ldr.w r9, [r0, r2]
             ldr.w r10, [r11]
             ldr.w r11, [r11, r2]
             add r0, r3
            ",
            tap!("lr", "r8", "r9", "r10", "r11"),
            "subs.w r12, r12, #1
             bne 4b
             ldr.w r12, [sp, #48]
             ldr.w lr, [sp, #68]
             add r0, r12
             subs.w lr, lr, #1
             str.w lr, [sp, #68]
             bne 3b
            "
        )
    };
    ($taps:tt) => {
        concat!(
            "ldrd r2, r3, [sp, #44]
            3:
            ",
            row_of_taps!($taps),
            "add r0, r3
             subs r2, r2, #1
             bne 3b
            "
        )
    };
}

/// The kernel of a row, for the [`Row`] at r0.
//
// | register        | holds in the loop over planes                          | behind it                             |
// |-----------------|--------------------------------------------------------|---------------------------------------|
// | r0, r1          | next records and weights                               | bytes between pixels; next words      |
// | r2, r3          | planes left, `next_plane`; in `any`: `stride`, `reach` | next output, outputs left             |
// | r4, r5, r6, r7  | sums of four outputs                                   | the same; outputs                     |
// | r8, r9, r10, r11 | records of the outputs                                | multiplier, rounding, shift           |
// | r12, lr         | weights; in `any` r12: taps left                       | r12: spare                            |
//
// | stack  | holds                                  | stack  | holds                                        |
// |--------|----------------------------------------|--------|----------------------------------------------|
// | 0, 4   | words and record, of the four outputs  | 36     | `channels`                                   |
// | 8, 12  | next output, outputs left of the row   | 40     | `width`                                      |
// | 16     | records of the input channel           | 44, 48 | `planes`, `next_plane`                       |
// | 20, 24 | first output, output channels left     | 52     | `turn`                                       |
// | 28, 32 | output channels left of the input channel, `multiplier` | 56, 60, 64 | `stride`, `reach`, `taps` |
// |        |                                        | 68     | planes left, in `any`                        |
macro_rules! kernel {
    ($taps:tt) => {
        naked_asm!(
            env!("SMOLNN_DSP_CORE"),
            "push {{r4-r11, lr}}",
            "sub sp, #76",
            "ldmia r0!, {{r1, r2, r3, r4, r5, r6, r7}}",
            "add.w r8, sp, #16",
            "str r1, [sp]",
            "stmia.w r8!, {{r2, r3, r4, r5, r6, r7}}",
            "ldmia r0!, {{r1, r2, r3, r4, r5, r6, r7}}",
            "stmia.w r8, {{r1, r2, r3, r4, r5, r6, r7}}",
            // An output channel.
            "1:",
            "ldrd r2, r3, [sp, #16]",
            "ldr r4, [sp, #40]",
            "add.w r8, sp, #4",
            "stmia.w r8, {{r2, r3, r4}}",
            // Four outputs.
            "2:",
            "ldrd r1, r0, [sp]",
            "ldr r4, [r1], #4",
            "mov r5, r4",
            "mov r6, r4",
            "mov r7, r4",
            sums!($taps),
            "ldmia r1!, {{r8, r9, r10}}",
            requantise!(any, "r4", "r8", "r9", "r10", "r12"),
            requantise!(any, "r5", "r8", "r9", "r10", "r12"),
            requantise!(any, "r6", "r8", "r9", "r10", "r12"),
            requantise!(any, "r7", "r8", "r9", "r10", "r12"),
            "ldrd r2, r3, [sp, #8]",
            "ldr r0, [sp, #36]",
            "subs r3, r3, #4",
            "blt 5f",
            "strb r4, [r2]",
            "strb r5, [r2, r0]",
            "add.w r2, r2, r0, lsl #1",
            "strb r6, [r2]",
            "strb r7, [r2, r0]",
            "add.w r2, r2, r0, lsl #1",
            "strd r2, r3, [sp, #8]",
            "ldr r0, [sp, #4]",
            "ldr r2, [sp, #52]",
            "add r0, r2",
            "str r0, [sp, #4]",
            "bne.w 2b",
            "b 6f",
            // One to three outputs that are left.
            "5:",
            "strb r4, [r2]",
            "adds r3, r3, #2",
            "bmi 6f",
            "strb r5, [r2, r0]",
            "beq 6f",
            "add.w r2, r2, r0, lsl #1",
            "strb r6, [r2]",
            "6:",
            "str r1, [sp]",
            "ldrd r2, r3, [sp, #20]",
            "adds r2, r2, #1",
            "subs r3, r3, #1",
            "strd r2, r3, [sp, #20]",
            "beq 8f",
            "ldrd r2, r3, [sp, #28]",
            "subs r2, r2, #1",
            "bne 7f",
            "mov r2, r3",
            "ldr r3, [sp, #16]",
            "adds r3, r3, #4",
            "str r3, [sp, #16]",
            "7:",
            "str r2, [sp, #28]",
            "b.w 1b",
            "8:",
            "add sp, #76",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// The kernels by the columns of theirs.
macro_rules! kernels {
    ($($name:ident, $taps:tt, $what:literal;)*) => {$(
        #[doc = concat!("The kernel of a row for ", $what, ". The tables of its registers stand above the macro `kernel`.")]
        ///
        /// # Safety
        /// The planes hold the records of the row; `words` are those of the output channels, whose outputs can be written. There is an output channel,
        /// an output of the row, a plane and a tap.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(row: &Row) {
            kernel!($taps)
        }
    )*};
}

kernels! {
    one, 1, "one tap per plane";
    two, 2, "two taps per plane, side by side";
    three, 3, "three taps per plane, side by side";
    four, 4, "four taps per plane, side by side";
    five, 5, "five taps per plane, side by side";
    seven, 7, "seven taps per plane, side by side";
    any, any, "any taps";
}

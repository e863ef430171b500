//! Depthwise convolution 3×3 of stride 1 ([`Layout::DspThree`](crate::pack::Layout::DspThree)), two rows of outputs at a time.
//!
//! For every two output rows and each block of four channels the four input rows are turned into records, one per column: rows 0 and
//! 1 paired in one word per channel (V), rows 2 and 3 in another (W). Then every channel runs along the rows with its weights in
//! registers, as two pairs for each column of the window: those of its rows 0 and 1 (P) and of its rows 1 and 2 (Q). Of the upper output
//! a tap is V·P by SMLAD and the lower half of W times the upper half of Q; of the lower output it is W·Q, and the upper half of V times the lower half
//! of P.
//!
//! 21 instructions per record of four channels, 55 per four outputs of a channel: what is loaded, paired and looked up for a row serves
//! two. Behind an odd number of rows the last one runs alone: the lower outputs are stored at the upper ones' places and overwritten.
//!
//! Tensors may overlap so that the lower output row covers an input row that the upper one sees. That does no harm where both tensors have the
//! same channels at the same places, and no channel is in two blocks: a block's records are made before its outputs are stored. Otherwise
//! every row runs alone.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;
use core::hint::black_box;

use super::depthwise::pad;
use super::pack::{self, PAIRED_RECORD};
use super::requantise::requantise;
use crate::conv::DepthwiseConv2d;

/// The arguments of the kernels: two output rows, for some blocks of four channels. The assembly knows the order of the fields.
#[repr(C)]
struct Rows {
    /// The first record.
    records: *mut u32,
    output: *mut i8,
    words: *const u32,
    /// Bytes of records that the turns of two columns of outputs move on.
    turns: usize,
    /// Columns of outputs that are left, 0 or 1.
    rest: usize,
    padded: Padded,
    /// The input rows, or where one is padding four bytes of it.
    rows: [usize; 4],
    /// Offset behind the last column.
    end: usize,
    /// Offset of the first byte from the rows' starts.
    first: usize,
    /// The first record of a column that is not padding.
    inside: *mut u32,
    /// Four times the number of blocks; of one block that is not whole, the channels that are left.
    left: usize,
    /// Bytes from one pixel to the next.
    channels: usize,
    /// Bytes from the upper output row to the lower one; 0 where there is no lower one.
    pitch: usize,
}

/// Which of the four input rows are padding. The assembly knows the numbers.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Padded {
    None = 0,
    First = 1,
    Last = 2,
    LastTwo = 3,
}

/// Runs the layer.
///
/// # Safety
/// The layer has the layout of threes, and [`pack::takes_two_rows`] its shape; input, output and scratch memory have the lengths that
/// its shape says.
#[inline(always)]
pub(super) unsafe fn two_rows(layer: &DepthwiseConv2d<'_>, input: *const i8, output: *mut i8, scratch: *mut u32) {
    let kernel = if layer.output.is_rectified() { rectified } else { any };
    // SAFETY: as the caller vouches.
    unsafe { run(kernel, layer, input, output, scratch) }
}

/// Runs the layer with the kernel for its outputs.
///
/// # Safety
/// As for [`two_rows`].
#[inline(never)]
unsafe fn run(
    kernel: unsafe extern "C" fn(&Rows),
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
    let start = output;
    // SAFETY: the scratch memory holds a record for every column.
    unsafe { pad(scratch, shape, PAIRED_RECORD, half) };
    let (height, width) = (shape.output().height, shape.output().width);
    let (input_row, output_row, before) = (shape.input().row(), shape.output().row(), shape.rows().before());
    let mut rows = Rows {
        records: scratch,
        output,
        words: layer.words.as_ptr(),
        turns: width / 2 * 2 * 4 * PAIRED_RECORD,
        rest: width % 2,
        padded: Padded::None,
        rows: [0; 4],
        end: 0,
        first: 0,
        inside: scratch.wrapping_add(PAIRED_RECORD * shape.columns().before()),
        left: 0,
        channels,
        pitch: 0,
    };
    let (rest, distance) = (channels % 4, input.addr().wrapping_sub(output.addr()));
    // Below this distance the lower row of outputs may cover what the upper one sees. Tensors that are apart in the other order have a
    // distance that is larger still, as it wraps.
    let is_apart = distance >= layer.overlap_gap + output_row;
    // Two channels that are left come with a third one, which was computed already. The number of channels is not 0; the compiler does not
    // know that, and would keep the panic of a division by 0.
    let is_disjoint = rest != 2 && distance % channels.max(1) == 0;
    let together = if is_apart || is_disjoint { 2 } else { 1 };
    let mut image = input;
    let mut output = output;
    for _ in 0..shape.batch() {
        let mut index = 0;
        while index < height {
            // Hidden, or the compiler would make a loop for each value.
            let (together, rest) = black_box((together, rest));
            let count = (height - index).min(together);
            let mut row = image.wrapping_add(index.wrapping_sub(before).wrapping_mul(input_row));
            for start in &mut rows.rows {
                *start = row.addr();
                row = row.wrapping_add(input_row);
            }
            let [upper, _, third, fourth] = &mut rows.rows;
            // Behind the third row of a row of outputs that runs alone it does not matter what comes: the third row once more.
            if count == 1 {
                *fourth = *third;
            }
            rows.padded = Padded::None;
            if index < before {
                (rows.padded, *upper) = (Padded::First, padding);
            } else if index + count + 1 >= shape.input().height + before {
                rows.padded = Padded::Last;
                *fourth = padding;
                if count == 1 {
                    (rows.padded, *third) = (Padded::LastTwo, padding);
                }
            }
            rows.pitch = (count - 1) * output_row;
            (rows.output, rows.words, rows.left) = (output, layer.words.as_ptr(), channels - rest);
            (rows.first, rows.end) = (0, inside * channels);
            // SAFETY: the rows lie in the image; blocks of channels that overlap read what is there still, as said above.
            unsafe { kernel(&rows) };
            if rest > 0 {
                // The words of the last block are those of the last four channels, of which only some are left: its last one (3), or its last
                // three in the order of the words (2, 1, 3).
                let (left, channel) = if rest == 1 { (1, 3) } else { (3, 2) };
                let first = channels - 4;
                rows.output = output.wrapping_add(first + channel);
                rows.records = scratch.wrapping_add(2 * channel);
                rows.words = rows.words.wrapping_add(channels / 4 * pack::BLOCK + (4 - left) * pack::BLOCK / 4);
                (rows.first, rows.end, rows.left) = (first, rows.end + first, left);
                // SAFETY: as above, for the channels that are left.
                unsafe { kernel(&rows) };
                rows.records = scratch;
            }
            index += count;
            output = output.wrapping_add(count * output_row);
        }
        image = image.wrapping_add(shape.input().len());
    }
    // SAFETY: the output is as long as its shape says.
    unsafe { super::memory::clamp(start, shape.output_len(), &layer.output) };
}

/// The loop that turns columns of the input into records. `$first`, `$third` and `$fourth` put four bytes of that row into r4, r6 and
/// r7: they load them, or copy the padding.
macro_rules! gather {
    ($label:literal, $first:literal, $third:literal, $fourth:literal) => {
        concat!(
            $label,
            ":\n",
            $first,
            "
             ldr.w r5, [r1, r11]
            ",
            $third,
            "\n",
            $fourth,
            "
             add r11, lr
             pkhbt r8, r4, r5, lsl #16
             pkhbt r9, r6, r7, lsl #16
             pkhtb r4, r5, r4, asr #16
             pkhtb r6, r7, r6, asr #16
             sxtb16 r5, r8
             sxtb16 r7, r9
             sxtb16 r8, r8, ror #8
             sxtb16 r9, r9, ror #8
             stmia.w r12!, {{r5, r7, r8, r9}}
             sxtb16 r5, r4
             sxtb16 r7, r6
             sxtb16 r8, r4, ror #8
             sxtb16 r9, r6, ror #8
             stmia.w r12!, {{r5, r7, r8, r9}}
             cmp r11, r10
             bne ",
            $label,
            "b
             b 20f\n"
        )
    };
}

/// Adds the column in r12 and lr, as the tap whose weights are in the two registers, to the sums of an upper and a lower output, which start
/// from the last two registers.
macro_rules! tap {
    ($p:literal, $q:literal, $upper:literal, $lower:literal) => {
        tap!($p, $q, $upper, $lower, $upper, $lower)
    };
    ($p:literal, $q:literal, $upper:literal, $lower:literal, $from:literal, $from_lower:literal) => {
        concat!(
            "smlad ",
            $upper,
            ", r12, ",
            $p,
            ", ",
            $from,
            "\nsmlabt ",
            $upper,
            ", lr, ",
            $q,
            ", ",
            $upper,
            "\nsmlad ",
            $lower,
            ", lr, ",
            $q,
            ", ",
            $from_lower,
            "\nsmlatb ",
            $lower,
            ", r12, ",
            $p,
            ", ",
            $lower,
            "\n"
        )
    };
}

/// Requantises a sum with multiplier, rounding and shift in r1, r12, lr; r2 is overwritten where outputs are not rectified.
macro_rules! finish {
    ($outputs:ident, $sum:literal) => {
        requantise!($outputs, $sum, "r1", "r12", "lr", "r2")
    };
}

/// Loads the bias, and the weights in r2 again where the requantisation took it.
#[cfg(not(schedule = "paired"))]
macro_rules! begin {
    (any) => {
        "ldrd r1, r2, [sp, #12]\n"
    };
    (rectified) => {
        "ldr r1, [sp, #12]\n"
    };
}

/// The turns of two columns of outputs, one and more. They end in front of label 31.
#[cfg(not(schedule = "paired"))]
macro_rules! turns {
    ($outputs:ident) => {
        concat!(
            "30:
             ldrd r12, lr, [r0]
            ",
            tap!("r2", "r5", "r8", "r10", "r1", "r1"),
            "ldrd r12, lr, [r0, #32]\n",
            tap!("r3", "r6", "r8", "r10"),
            tap!("r2", "r5", "r9", "r11", "r1", "r1"),
            "ldrd r12, lr, [r0, #64]!\n",
            tap!("r4", "r7", "r8", "r10"),
            tap!("r3", "r6", "r9", "r11"),
            "ldrd r12, lr, [r0, #32]\n",
            tap!("r4", "r7", "r9", "r11"),
            "ldmia.w sp, {{r1, r12, lr}}\n",
            finish!($outputs, "r8"),
            finish!($outputs, "r9"),
            finish!($outputs, "r10"),
            finish!($outputs, "r11"),
            // The lower outputs first: where there is no lower row, the upper ones overwrite them.
            "add r12, sp, #20
             ldmia.w r12, {{r1, r12, lr}}
             add lr, r1
             strb.w r10, [lr]
             strb.w r11, [lr, r12]
             strb.w r8, [r1]
             strb.w r9, [r1, r12]
             add r1, r1, r12, lsl #1
             str r1, [sp, #20]
             ldr.w r12, [sp, #32]
            ",
            begin!($outputs),
            "cmp r0, r12
             bne 30b
            "
        )
    };
}

/// The same for the Cortex-M7, which issues two instructions at once where they use different units: loads stand alone between products, the first
/// column's V is loaded by the turn before, and the first column of outputs is requantised between the products of the second. r1 and r2 hold multiplier
/// and rounding behind the products that need bias and weights there.
#[cfg(schedule = "paired")]
macro_rules! turns {
    ($outputs:ident) => {
        concat!(
            "ldr.w r12, [r0]
            30:
             smlad r8, r12, r2, r1
             ldr.w lr, [r0, #4]
             smlatb r10, r12, r2, r1
             smlad r10, lr, r5, r10
             smlabt r8, lr, r5, r8
             ldr.w r12, [r0, #32]
             ldr.w lr, [r0, #36]
             smlad r9, r12, r2, r1
             smlatb r11, r12, r2, r1
             smlad r8, r12, r3, r8
             smlatb r10, r12, r3, r10
             ldr.w r12, [r0, #64]
             smlabt r9, lr, r5, r9
             smlad r11, lr, r5, r11
             ldr r1, [sp]
             smlad r10, lr, r6, r10
             smlabt r8, lr, r6, r8
             ldr.w lr, [r0, #68]
             smlatb r10, r12, r4, r10
             smlad r8, r12, r4, r8
             ldr r2, [sp, #4]
             smlad r10, lr, r7, r10
             smlabt r8, lr, r7, r8
             smlad r9, r12, r3, r9
             smlatb r11, r12, r3, r11
            ",
            round!($outputs, "r10", "r12"),
            round!($outputs, "r8", "r12"),
            "smlabt r9, lr, r6, r9
             ldr.w r12, [r0, #96]
             smlad r11, lr, r6, r11
             ldr.w lr, [sp, #8]
             asr.w r10, r10, lr
             smlad r9, r12, r4, r9
             asr.w r8, r8, lr
             smlatb r11, r12, r4, r11
             ldr.w r12, [r0, #100]
             ssat r10, #8, r10
             ssat r8, #8, r8
             smlad r11, r12, r7, r11
             smlabt r9, r12, r7, r9
             ldr.w r12, [r0, #64]!
            ",
            round!($outputs, "r11", "lr"),
            "ldr.w lr, [sp, #8]\n",
            round!($outputs, "r9", "r2"),
            // The lower outputs first: where there is no lower row, the upper ones overwrite them.
            "ldr r1, [sp, #20]
             ldr r2, [sp, #28]
             asr.w r11, r11, lr
             add r2, r1
             asr.w r9, r9, lr
             strb.w r10, [r2]
             ldr.w r10, [sp, #24]
             ssat r11, #8, r11
             strb.w r8, [r1]
             ssat r9, #8, r9
             ldr.w r8, [sp, #32]
             strb.w r11, [r2, r10]
             strb.w r9, [r1, r10]
             add.w r1, r1, r10, lsl #1
             ldr r2, [sp, #16]
             str r1, [sp, #20]
             cmp r0, r8
             ldr r1, [sp, #12]
             bne.w 30b
            "
        )
    };
}

/// Multiplies a sum with the multiplier in r1 and adds the rounding in r2; the last register is overwritten where outputs are not rectified.
#[cfg(schedule = "paired")]
macro_rules! round {
    (any, $sum:literal, $spare:literal) => {
        concat!("add.w ", $spare, ", r2, ", $sum, ", asr #31\nsmmlar ", $sum, ", ", $sum, ", r1, ", $spare, "\n")
    };
    (rectified, $sum:literal, $spare:literal) => {
        concat!("smmlar ", $sum, ", ", $sum, ", r1, r2\n")
    };
}

/// The kernel of two rows, for the [`Rows`] at r0.
//
// | register   | while records are gathered                       | while a channel runs along the rows                  |
// |------------|--------------------------------------------------|------------------------------------------------------|
// | r0         | first row                                        | next record                                          |
// | r1         | second row                                       | bias; multiplier; next output                        |
// | r2, r3, r4 | r2, r3: third and fourth row; r4: four bytes of the first, then two of the first two | weights P of the taps 0 to 2 |
// | r5, r6, r7 | four bytes of the other rows; r6: two of the last two | weights Q of the taps 0 to 2                    |
// | r8, r9     | two bytes of the first two, of the last two; words of a record | upper sums of two columns              |
// | r10, r11   | offset behind the last column; that of the column | lower sums of two columns                           |
// | r12        | next record                                      | V of a record; rounding; `channels`; end of the turns |
// | lr         | `channels`                                       | W of a record; shift; next lower output              |
//
// | stack     | holds                                        | stack | holds                                          |
// |-----------|----------------------------------------------|-------|------------------------------------------------|
// | 0, 4, 8   | multiplier, rounding, shift of the channel   | 44    | next words                                     |
// | 12, 16    | bias of the channel, its P of the first tap  | 48    | `turns`                                        |
// | 20        | next output                                  | 52    | `rest`                                         |
// | 24        | `channels`                                   | 56    | address of the branch to the gathering loop    |
// | 28        | `pitch`                                      | 60    | `rows`, four words                             |
// | 32        | end of the channel's turns                   | 76, 80 | `end`, `first`, of the block                  |
// | 36        | first record of the channel                  | 84    | `inside`                                       |
// | 40        | first output of the channel                  | 88    | channels that are left                         |
macro_rules! rows {
    ($outputs:ident) => {
        naked_asm!(
            env!("SMOLNN_DSP_CORE"),
            "push {{r4-r11, lr}}",
            "sub sp, #92",
            "ldmia r0!, {{r2, r3, r4, r5, r6, r7}}",
            // The rows that are padding choose one of four branches, of four bytes each, to the gathering loops.
            "adr r8, 10f",
            "add r7, r8, r7, lsl #2",
            "orr r7, r7, #1",
            "add r8, sp, #36",
            "stmia.w r8!, {{r2, r3, r4, r5, r6, r7}}",
            "ldmia.w r0!, {{r2, r3, r4, r5, r6, r7, r9, r10}}",
            "stmia.w r8, {{r2, r3, r4, r5, r6, r7, r9, r10}}",
            "ldrd r2, r3, [r0]",
            "strd r2, r3, [sp, #24]",
            // A block of four channels begins with its records.
            "1:",
            "add r11, sp, #60",
            "ldmia.w r11, {{r0, r1, r2, r3, r10, r11, r12}}",
            "ldr.w lr, [sp, #24]",
            "add r4, r10, #4",
            "add r5, r11, #4",
            "strd r4, r5, [sp, #76]",
            "ldr.w pc, [sp, #56]",
            ".p2align 2",
            "10:",
            "b.w 11f",
            "b.w 12f",
            "b.w 13f",
            "b.w 14f",
            gather!("11", "ldr.w r4, [r0, r11]", "ldr.w r6, [r2, r11]", "ldr.w r7, [r3, r11]"),
            gather!("12", "mov r4, r0", "ldr.w r6, [r2, r11]", "ldr.w r7, [r3, r11]"),
            gather!("13", "ldr.w r4, [r0, r11]", "ldr.w r6, [r2, r11]", "mov r7, r3"),
            gather!("14", "ldr.w r4, [r0, r11]", "mov r6, r2", "mov r7, r3"),
            "20:",
            "ldrd r0, r1, [sp, #36]",
            // A channel: bias and weights go to r1 to r7; multiplier, rounding and shift go to the stack.
            "21:",
            "str r1, [sp, #20]",
            "ldr.w lr, [sp, #44]",
            "ldmia.w lr!, {{r1, r2, r3, r4, r5, r6, r7, r8, r9}}",
            "str.w lr, [sp, #44]",
            "stmia.w sp, {{r7, r8, r9}}",
            "strd r1, r2, [sp, #12]",
            // The words hold P, then the weights of row 2 as pairs: Q is made of both.
            "lsr r8, r4, #16",
            "lsr r9, r2, #16",
            "pkhbt r7, r8, r6, lsl #16",
            "pkhtb r6, r5, r3, asr #16",
            "pkhbt r5, r9, r5, lsl #16",
            "ldr r8, [sp, #48]",
            "add r8, r0",
            "str r8, [sp, #32]",
            "cmp r0, r8",
            "beq 31f",
            turns!($outputs),
            "31:",
            "ldr r8, [sp, #52]",
            "cmp r8, #0",
            "beq 32f",
            "ldrd r12, lr, [r0]",
            tap!("r2", "r5", "r8", "r10", "r1", "r1"),
            "ldrd r12, lr, [r0, #32]",
            tap!("r3", "r6", "r8", "r10"),
            "ldrd r12, lr, [r0, #64]",
            tap!("r4", "r7", "r8", "r10"),
            "ldmia.w sp, {{r1, r12, lr}}",
            finish!($outputs, "r8"),
            finish!($outputs, "r10"),
            "ldr r1, [sp, #20]",
            "ldr r2, [sp, #28]",
            "strb.w r10, [r1, r2]",
            "strb.w r8, [r1]",
            "32:",
            // Words hold the channels 0, 2, 1 and 3 of a block: two on, one back, two on. Records of a channel have eight bytes.
            "ldr r2, [sp, #88]",
            "ldrd r0, r1, [sp, #36]",
            "subs r2, r2, #1",
            "str r2, [sp, #88]",
            "lsls r3, r2, #31",
            "ite ne",
            "movne r3, #16",
            "mvneq r3, #7",
            "add r0, r3",
            "add r1, r1, r3, asr #3",
            "strd r0, r1, [sp, #36]",
            "lsls r3, r2, #30",
            "bne 21b",
            "subs r0, #16",
            "adds r1, #2",
            "strd r0, r1, [sp, #36]",
            "cmp r2, #0",
            "bne.w 1b",
            "add sp, #92",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// The kernel of two rows. The tables of its registers stand above the macro `rows`.
///
/// # Safety
/// In every column from `first` to `end`, four bytes per block can be read of the rows that are not padding; the records can be
/// written; `words` are those of the blocks in the layout of threes, and the outputs of so many channels of both rows
/// can be written. There is a block, and a column inside.
#[unsafe(naked)]
unsafe extern "C" fn any(rows: &Rows) {
    rows!(any)
}

/// As [`any`], for outputs that are rectified.
///
/// # Safety
/// As for [`any`].
#[unsafe(naked)]
unsafe extern "C" fn rectified(rows: &Rows) {
    rows!(rectified)
}

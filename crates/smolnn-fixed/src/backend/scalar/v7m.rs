//! Arm v7-M (Cortex-M3) and v8-M without DSP: a multiplication takes one cycle, one that is added two, and one of 64 bits five.
//! Two pixels share a word as on `rv32`: for two depths MUL and MLA, the sum of the products goes to one accumulator and its
//! upper half, rounded, to another. That is 1.5 cycles of arithmetic per product where MLA by itself takes 2.

use super::depthwise::Block;
use super::depthwise_taps::{Kernels, Taps};
use super::kernels::{Core, DenseRows, DenseSums, Job, Kernel, Multiply, Outputs, Sums};
use super::pack::DENSE_ROWS;

/// The core: registers for the sums of a channel and four pixels, but not for rows of a depthwise convolution.
pub(super) struct V7m;

impl Core for V7m {
    const CONVOLVE: Option<Kernel<Job>> = Some(tile::convolve);
    const DENSE_BLOCKS: Option<Kernel<Job>> = Some(tile::dense_blocks);
    const DENSE_ROWS: [DenseRows; DENSE_ROWS] =
        [tile::dense_row, tile::dense_two_rows, tile::dense_three_rows, tile::dense_four_rows];
    const FINISH: Option<Kernel<Outputs>> = Some(tile::finish);
    const DEPTHWISE_TAPS: Kernels = [tile::taps_four, tile::taps_one];
    const DEPTHWISE_NEIGHBOURS: Option<Kernel<Taps>> = Some(tile::taps_neighbours);
    const QUAD: Multiply = quad;
    const PAIR: Option<Multiply> = Some(pair);

    #[inline(always)]
    unsafe fn winograd(columns: &[i16], weights: &[i16], sums: &mut [i32]) {
        // SAFETY: the slices have the lengths for one number of input channels, as the caller vouches.
        unsafe { tile::winograd(columns.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
    }

    #[inline(always)]
    unsafe fn dense(input: &[i8], weights: &[u32], sums: &mut DenseSums) {
        // SAFETY: the block has eight weights for each input, as the caller vouches.
        unsafe { tile::dense(input.as_ptr(), weights.as_ptr(), input.len(), sums.as_mut_ptr()) }
    }

    #[inline(always)]
    unsafe fn depthwise_four(block: &mut Block) {
        // SAFETY: the block's pointers are good for its number of channels, and outputs span int8, as the caller vouches.
        unsafe { tile::depthwise_four(block) }
    }

    #[inline(always)]
    unsafe fn depthwise_two(block: &mut Block) {
        // SAFETY: the block's pointers are good for its number of channels, and outputs span int8, as the caller vouches.
        unsafe { tile::depthwise_two(block) }
    }

    #[inline(always)]
    unsafe fn depthwise_one(block: &mut Block) {
        // SAFETY: the block's pointers are good for its number of channels, and outputs span int8, as the caller vouches.
        unsafe { tile::depthwise_one(block) }
    }
}

/// Four pixels times the weights of a channel.
#[inline(always)]
unsafe fn quad(column: &[u32], weights: &[u32], _: usize, sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, as the caller vouches; the sums are those of a channel and four pixels.
    unsafe { tile::quad(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

/// Two pixels times the weights of a channel.
#[inline(always)]
unsafe fn pair(column: &[u32], weights: &[u32], _: usize, sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, as the caller vouches; the sums are those of a channel and four pixels.
    unsafe { tile::pair(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

mod tile {
    use core::arch::naked_asm;

    use super::super::depthwise::Block;
    use super::super::kernels::{Job, Outputs};

    /// Two depths of four pixels and a channel, eight multiply-accumulates in fourteen instructions and 19 cycles. Single loads
    /// behind each other take a cycle each but for the first. `$d` is the whole address of the last word: that of a turn moves r0 on.
    macro_rules! quad_step {
        ($a:literal, $b:literal, $c:literal, $d:literal) => {
            concat!(
                "ldr r4, [r0, #",
                $a,
                "]\n",
                "ldr r5, [r0, #",
                $b,
                "]\n",
                "ldr r6, [r0, #",
                $c,
                "]\n",
                "ldr r7, ",
                $d,
                "\n",
                "ldrsb r2, [r1], #1
                 ldrsb r3, [r1], #1
                 mla r4, r4, r2, r12
                 mla r5, r5, r2, r12
                 mla r4, r6, r3, r4
                 mla r5, r7, r3, r5
                 add r8, r4
                 add r9, r9, r4, asr #16
                 add r10, r5
                 add r11, r11, r5, asr #16\n"
            )
        };
    }

    /// Eight depths of four pixels and a channel, until r0 arrives at lr: at the last word of the column, since it is one word behind
    /// the next ones. The carry flag says that the depth is an odd number of fours: then it starts in the middle of a turn, and the
    /// column half a turn earlier.
    macro_rules! quad_loop {
        () => {
            concat!(
                "bcs 4f
                 2:\n",
                quad_step!("4", "8", "12", "[r0, #16]"),
                quad_step!("20", "24", "28", "[r0, #32]"),
                "4:\n",
                quad_step!("36", "40", "44", "[r0, #48]"),
                quad_step!("52", "56", "60", "[r0, #64]!"),
                "cmp r0, lr
                 bne 2b\n",
            )
        };
    }

    /// Two depths of two pixels and a channel.
    macro_rules! pair_step {
        ($a:literal, $b:literal) => {
            concat!(
                "ldr r4, [r0, #",
                $a,
                "]\n",
                "ldr r6, [r0, #",
                $b,
                "]\n",
                "ldrsb r2, [r1], #1
                 ldrsb r3, [r1], #1
                 mla r4, r4, r2, r12
                 mla r4, r6, r3, r4
                 add r8, r4
                 add r9, r9, r4, asr #16\n"
            )
        };
    }

    /// From x = 2·(sum + bias) in `$x` to the output: the mantissa is in `$m`, the shift in `$s`, the rounding constant in
    /// `$r`; `$t` is overwritten.
    macro_rules! output {
        ($x:literal, $m:literal, $s:literal, $r:literal, $t:literal) => {
            concat!(
                "smull ",
                $t,
                ", ",
                $x,
                ", ",
                $x,
                ", ",
                $m,
                "\n",
                "add ",
                $x,
                ", ",
                $x,
                ", ",
                $t,
                ", lsr #31\n",
                "add ",
                $x,
                ", ",
                $x,
                ", ",
                $x,
                ", asr #31\n",
                "add ",
                $x,
                ", ",
                $x,
                ", ",
                $r,
                "\n",
                "asr ",
                $x,
                ", ",
                $x,
                ", ",
                $s,
                "\n",
                "ssat ",
                $x,
                ", #8, ",
                $x,
                ", asr #1\n",
            )
        };
    }

    /// Four pixels times whole blocks of channels, to the outputs.
    ///
    /// # Safety
    /// The job's column, weights and channels can be read for its channels, of which there is one at least and whose depth is a
    /// multiple of four and not 0; outputs of four pixels, `stride` apart, can be written. Outputs are saturated to int8.
    //
    // | register   | in the loop over depths                            | behind it                          |
    // |------------|----------------------------------------------------|------------------------------------|
    // | r0         | the word before the next ones of the column        | next channels, then next output    |
    // | r1         | next weights                                       | the same                           |
    // | r2, r3     | the weights of two depths                          | bias, then stride; mantissa        |
    // | r4, r5     | words of the first depth; then sums of products    | shift, rounding constant           |
    // | r6, r7     | words of the second depth                          | r6: taken by the arithmetic        |
    // | r8, r10    | of both pairs: sum of the products modulo 2^32     | lower pixels' sums, then outputs   |
    // | r9, r11    | of both pairs: sum of the upper pixel              | the same, then outputs             |
    // | r12        | 2^15, which rounds a sum of products to the upper pixel's | the same                    |
    // | lr         | the last word of the column                        |                                    |
    //
    // | stack  | holds                                              | stack  | holds                      |
    // |--------|----------------------------------------------------|--------|----------------------------|
    // | 0      | the word before the column; bit 0 says: start in the middle of a turn | 16 | next output |
    // | 4      | what r8 and r10 start from: less the 2^15 of all depths | 20 | `stride`                  |
    // | 8      | the last word of the column                        | 24     | `offset`                   |
    // | 12     | next channels                                      | 28     | `end`                      |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn convolve(job: *mut Job) {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "ldm r0, {{r1-r10}}",
            "sub sp, #32",
            "subs r1, #4",
            "add r0, r1, r3, lsl #3",
            "and r8, r3, #4",
            "sub r1, r1, r8, lsl #3",
            "orr r1, r1, r8, lsr #2",
            "lsls r3, r3, #14",
            "rsbs r3, r3, #0",
            "strd r1, r3, [sp]",
            "strd r0, r4, [sp, #8]",
            "strd r5, r6, [sp, #16]",
            "strd r7, r10, [sp, #24]",
            "mov r1, r2",
            "mov r12, #0x8000",
            "3:",
            "ldm sp, {{r0, r8, lr}}",
            "mov r9, #0",
            "mov r10, r8",
            "mov r11, r9",
            "lsrs r0, r0, #1",
            "mov r0, r0, lsl #1",
            quad_loop!(),
            "ldr r0, [sp, #12]",
            "ldm r0!, {{r2, r3, r4}}",
            "str r0, [sp, #12]",
            "ldr r5, [sp, #24]",
            "lsl r5, r5, r4",
            "sub r8, r8, r9, lsl #16",
            "sub r10, r10, r11, lsl #16",
            "add r8, r2, r8, lsl #1",
            "add r9, r2, r9, lsl #1",
            "add r10, r2, r10, lsl #1",
            "add r11, r2, r11, lsl #1",
            output!("r8", "r3", "r4", "r5", "r6"),
            output!("r9", "r3", "r4", "r5", "r6"),
            output!("r10", "r3", "r4", "r5", "r6"),
            output!("r11", "r3", "r4", "r5", "r6"),
            "ldrd r0, r2, [sp, #16]",
            "strb r9, [r0, r2]",
            "strb r10, [r0, r2, lsl #1]",
            "add r2, r2, r2, lsl #1",
            "strb r11, [r0, r2]",
            "strb r8, [r0], #1",
            "str r0, [sp, #16]",
            "ldr r2, [sp, #28]",
            "cmp r1, r2",
            "bne 3b",
            "add sp, #32",
            "pop {{r4-r11, pc}}",
        )
    }

    /// One row of the 3×3 kernel for four neighbouring pixels, which share its six columns. `$first` multiplies the first weight:
    /// it starts the sums in the first row and adds to them in the others.
    macro_rules! four_row {
        ($first:literal) => {
            concat!(
                "ldm r6!, {{r0-r5}}
                 ldrsb r0, [r0, r7]
                 ldrsb r1, [r1, r7]
                 ldrsb r2, [r2, r7]
                 ldrsb r3, [r3, r7]
                 ldrsb r4, [r4, r7]
                 ldrsb r5, [r5, r7]
                 ldrsb r12, [lr], #1\n",
                $first,
                // The first column is not needed any more.
                "ldrsb r12, [lr], #1
                 ldrsb r0, [lr], #1
                 mla r8, r1, r12, r8
                 mla r9, r2, r12, r9
                 mla r10, r3, r12, r10
                 mla r11, r4, r12, r11
                 mla r8, r2, r0, r8
                 mla r9, r3, r0, r9
                 mla r10, r4, r0, r10
                 mla r11, r5, r0, r11\n",
            )
        };
    }

    /// One row of the 3×3 kernel for two pixels with three columns each. `$first` multiplies the first weight.
    macro_rules! two_row {
        ($first:literal) => {
            concat!(
                "ldm r6!, {{r0-r5}}
                 ldrsb r0, [r0, r7]
                 ldrsb r1, [r1, r7]
                 ldrsb r2, [r2, r7]
                 ldrsb r3, [r3, r7]
                 ldrsb r4, [r4, r7]
                 ldrsb r5, [r5, r7]
                 ldrsb r12, [lr], #1
                 ldrsb r10, [lr], #1
                 ldrsb r11, [lr], #1\n",
                $first,
                "mla r8, r1, r10, r8
                 mla r9, r4, r10, r9
                 mla r8, r2, r11, r8
                 mla r9, r5, r11, r9\n",
            )
        };
    }

    /// One row of the 3×3 kernel for one pixel. `$first` multiplies the first weight.
    macro_rules! one_row {
        ($first:literal) => {
            concat!(
                "ldm r6!, {{r0-r2}}
                 ldrsb r0, [r0, r7]
                 ldrsb r1, [r1, r7]
                 ldrsb r2, [r2, r7]
                 ldrsb r12, [lr], #1
                 ldrsb r3, [lr], #1
                 ldrsb r4, [lr], #1\n",
                $first,
                "mla r8, r1, r3, r8
                 mla r8, r2, r4, r8\n",
            )
        };
    }

    /// Stores the output of a depthwise sum at r3 for the channel r7, and moves r3 on to the next pixel.
    macro_rules! depthwise_output {
        ($x:literal) => {
            concat!(
                "add ",
                $x,
                ", r0, ",
                $x,
                ", lsl #1\n",
                output!($x, "r1", "r12", "r5", "r2"),
                "strb ",
                $x,
                ", [r3, r7]\n",
                "add r3, r3, r4\n",
            )
        };
    }

    /// The kernels of a depthwise convolution. `$row` are its three rows, `$unused` steps over taps that they leave out, so that r6
    /// arrives at the fields behind the taps; `$x` are the sums.
    macro_rules! depthwise {
        ($name:ident, [$($row:expr),*], $unused:literal, [$($x:literal),*]) => {
            /// A 3×3 depthwise convolution of a block of pixels.
            ///
            /// # Safety
            /// At every tap, and at the outputs `stride` apart, `count` elements can be read or written; there are as many
            /// channels, one at least, and nine weights for each. Outputs span int8, since the kernel saturates and does not clamp.
            //
            // | register   | in the rows                                    | behind them                                  |
            // |------------|------------------------------------------------|----------------------------------------------|
            // | r0 to r5   | taps' pointers, then their values              | r0: bias, r1: mantissa, r2: taken by the arithmetic |
            // | r3, r4, r5 |                                                | next pixel's output, `stride`, rounding constant |
            // | r6         | next pointers to taps                          | the fields behind the taps, which are 72 bytes |
            // | r7         | the channel                                    | the channel                                  |
            // | r8 to r11  | sums of the pixels; of two pixels r10 and r11 are weights | their outputs                     |
            // | r12        | the weight; others are in what is left of r0 to r5 | shift                                    |
            // | lr         | next weight                                    | next weight                                  |
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(block: *mut Block) {
                naked_asm!(
                    "push {{r4-r11, lr}}",
                    "mov r6, r0",
                    "movs r7, #0",
                    "ldr lr, [r0, #92]",
                    "2:",
                    $($row,)*
                    $unused,
                    "ldm r6, {{r2, r3, r4, r5}}",
                    "ldm r2!, {{r0, r1, r12}}",
                    "str r2, [r6]",
                    "lsl r5, r5, r12",
                    $(depthwise_output!($x),)*
                    "ldr r2, [r6, #16]",
                    "subs r6, #72",
                    "adds r7, #1",
                    "cmp r7, r2",
                    "bne 2b",
                    "pop {{r4-r11, pc}}",
                )
            }
        };
    }

    depthwise!(
        depthwise_four,
        [
            four_row!("mul r8, r0, r12\n mul r9, r1, r12\n mul r10, r2, r12\n mul r11, r3, r12\n"),
            four_row!("mla r8, r0, r12, r8\n mla r9, r1, r12, r9\n mla r10, r2, r12, r10\n mla r11, r3, r12, r11\n"),
            four_row!("mla r8, r0, r12, r8\n mla r9, r1, r12, r9\n mla r10, r2, r12, r10\n mla r11, r3, r12, r11\n")
        ],
        "",
        ["r8", "r9", "r10", "r11"]
    );

    depthwise!(
        depthwise_two,
        [
            two_row!("mul r8, r0, r12\n mul r9, r3, r12\n"),
            two_row!("mla r8, r0, r12, r8\n mla r9, r3, r12, r9\n"),
            two_row!("mla r8, r0, r12, r8\n mla r9, r3, r12, r9\n")
        ],
        "",
        ["r8", "r9"]
    );

    depthwise!(
        depthwise_one,
        [one_row!("mul r8, r0, r12\n"), one_row!("mla r8, r0, r12, r8\n"), one_row!("mla r8, r0, r12, r8\n")],
        // One pixel uses nine of the eighteen pointers; the other nine, of four bytes each, are stepped over.
        "adds r6, #36",
        ["r8"]
    );

    /// One input times eight outputs: sixteen instructions. Weights lie four to a word, each plus 128; a shift brings a weight to
    /// the lowest byte. The weights above it stay in the factor, so that the sum contains 256 times the next sum of the word, which
    /// is taken off at the end.
    macro_rules! dense_step {
        () => {
            "ldrsb r2, [r0], #1
             ldm r1!, {{r12, lr}}
             mla r4, r12, r2, r4
             lsr r12, r12, #8
             mla r5, r12, r2, r5
             lsr r12, r12, #8
             mla r6, r12, r2, r6
             lsr r12, r12, #8
             mla r7, r12, r2, r7
             mla r8, lr, r2, r8
             lsr lr, lr, #8
             mla r9, lr, r2, r9
             lsr lr, lr, #8
             mla r10, lr, r2, r10
             lsr lr, lr, #8
             mla r11, lr, r2, r11"
        };
    }

    /// Sums of eight outputs, whose accumulators start from `sums`.
    ///
    /// # Safety
    /// `input` has `depth` values, `weights` eight bytes for each of them, `sums` eight numbers.
    //
    // | register  | holds                                                                |
    // |-----------|----------------------------------------------------------------------|
    // | r0        | next input                                                           |
    // | r1        | next weights                                                         |
    // | r2        | the input                                                            |
    // | r3        | end of the inputs that go by fours, then of all; at the end `sums`   |
    // | r4 to r11 | sums of the outputs                                                  |
    // | r12, lr   | the words of eight weights, shifted from weight to weight            |
    // | [sp]      | `sums`                                                               |
    // | [sp, #4]  | end of all inputs                                                    |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense(input: *const i8, weights: *const u32, depth: usize, sums: *mut i32) {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "add r12, r0, r2",
            "bic r2, r2, #3",
            "add r2, r0, r2",
            "push {{r3, r12}}",
            "mov r3, r2",
            "ldr r4, [sp]",
            "ldm r4, {{r4-r11}}",
            "cmp r0, r3",
            "beq 3f",
            "2:",
            dense_step!(),
            dense_step!(),
            dense_step!(),
            dense_step!(),
            "cmp r0, r3",
            "bne 2b",
            "3:",
            "ldr r3, [sp, #4]",
            "cmp r0, r3",
            "beq 5f",
            "4:",
            dense_step!(),
            "cmp r0, r3",
            "bne 4b",
            "5:",
            "sub r4, r4, r5, lsl #8",
            "sub r5, r5, r6, lsl #8",
            "sub r6, r6, r7, lsl #8",
            "sub r8, r8, r9, lsl #8",
            "sub r9, r9, r10, lsl #8",
            "sub r10, r10, r11, lsl #8",
            "pop {{r3, r12}}",
            "stm r3, {{r4-r11}}",
            "pop {{r4-r11, pc}}",
        )
    }

    /// One input times some rows of weights, which all move on: the input in r7, the weights in the other registers. Loads behind each
    /// other take a cycle each but for the first.
    macro_rules! dense_rows_step {
        ($($weight:literal $row:literal $sum:literal),*) => {
            concat!(
                "ldrsb r7, [r0], #1\n",
                $("ldrsb ", $weight, ", [", $row, "], #1\n",)*
                $("mla ", $sum, ", ", $weight, ", r7, ", $sum, "\n",)*
            )
        };
    }

    /// The kernels of dense layers whose rows of weights lie one behind the other: the rows but the first, each with the one before it;
    /// for each row the register of a weight, of the next weight's address and of the sum; and how r2 becomes the end of the inputs
    /// again where it held a weight.
    macro_rules! dense_rows {
        ($name:ident; $($next:literal $before:literal),*; $($weight:literal $row:literal $sum:literal),*; $end:literal) => {
            /// Sums of some outputs.
            ///
            /// # Safety
            /// `input` has `depth` values, one at least, `weights` as many for each output; `sums` has a number for each.
            //
            // | register      | holds                    | register      | holds                                   |
            // |---------------|--------------------------|---------------|-----------------------------------------|
            // | r0            | next input               | r7            | the input                               |
            // | r1, r4, r5, r6 | next weights of the rows | r3, r12, lr   | weights                                 |
            // | r2            | end of the inputs, of four rows a weight | r8 to r11 | sums                        |
            // | [sp]          | end of the inputs        | [sp, #4]      | `sums`                                  |
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(input: *const i8, weights: *const i8, depth: usize, sums: *mut i32) {
                naked_asm!(
                    "push {{r2-r11, lr}}",
                    $(concat!("add ", $next, ", ", $before, ", r2"),)*
                    $(concat!("mov ", $sum, ", #0"),)*
                    "lsls r3, r2, #31",
                    "add r2, r2, r0",
                    "str r2, [sp]",
                    // A turn takes two inputs; of an odd number the first is taken by the second half of a turn.
                    "bmi 4f",
                    "2:",
                    dense_rows_step!($($weight $row $sum),*),
                    "4:",
                    dense_rows_step!($($weight $row $sum),*),
                    $end,
                    "cmp r0, r2",
                    "bne 2b",
                    "pop {{r2, r3}}",
                    $(concat!("str ", $sum, ", [r3], #4"),)*
                    "pop {{r4-r11, pc}}",
                )
            }
        };
    }

    dense_rows!(dense_row; ; "r3" "r1" "r8"; "");
    dense_rows!(dense_two_rows; "r4" "r1"; "r3" "r1" "r8", "r12" "r4" "r9"; "");
    dense_rows!(dense_three_rows; "r4" "r1", "r5" "r4"; "r3" "r1" "r8", "r12" "r4" "r9", "lr" "r5" "r10"; "");
    dense_rows!(
        dense_four_rows;
        "r4" "r1", "r5" "r4", "r6" "r5";
        "r3" "r1" "r8", "r12" "r4" "r9", "lr" "r5" "r10", "r2" "r6" "r11";
        "ldr r2, [sp]"
    );

    /// Sums of channels become outputs: twelve instructions for each, and seven for the channel. `limit` does not matter.
    ///
    /// # Safety
    /// The pointers are good for the channels, of which there is one, and for the pixels, of which there is one.
    //
    // | register    | holds                                             | register | holds                                 |
    // |-------------|---------------------------------------------------|----------|---------------------------------------|
    // | r0          | next output                                       | r6       | `offset`                              |
    // | r1          | next sum                                          | r7       | `lanes`                               |
    // | r2          | next channel                                      | r9, r10, r11 | bias, mantissa and shift of the channel |
    // | r3, r8      | the sum, then the output; taken by the arithmetic | r12      | rounding constant                     |
    // | r4          | first output of the next channel                  | lr       | end of the channel's sums             |
    // | r5          | `stride`                                          | [sp], [sp, #4] | end of the channels, `skip`     |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn finish(outputs: *mut Outputs) {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "ldm r0, {{r1-r8}}",
            "push {{r3, r8}}",
            "1:",
            "ldm r2!, {{r9, r10, r11}}",
            "lsl r12, r6, r11",
            "mov r0, r4",
            "adds r4, #1",
            "add lr, r1, r7",
            "2:",
            "ldr r3, [r1], #4",
            "add r3, r9, r3, lsl #1",
            output!("r3", "r10", "r11", "r12", "r8"),
            "strb r3, [r0]",
            "add r0, r0, r5",
            "cmp r1, lr",
            "bne 2b",
            "ldrd r3, r8, [sp]",
            "add r1, r1, r8",
            "cmp r2, r3",
            "bne 1b",
            "add sp, #8",
            "pop {{r4-r11, pc}}",
        )
    }

    /// The output of the dense sum `$x` with the next channel. lr points to the channels and r10 to the outputs, which both move on;
    /// r11 holds the offset, r12 twice the excess that all sums contain.
    macro_rules! dense_output {
        ($x:literal) => {
            concat!(
                "ldm lr!, {{r0, r2, r3}}\n",
                "add ",
                $x,
                ", r0, ",
                $x,
                ", lsl #1\n",
                "sub ",
                $x,
                ", ",
                $x,
                ", r12\n",
                "lsl r0, r11, r3\n",
                output!($x, "r2", "r3", "r0", "r1"),
                "strb ",
                $x,
                ", [r10], #1\n",
            )
        };
    }

    /// Whole blocks of a dense layer, to the outputs: the column of the job is the input, its stride the depth, its
    /// minimum the excess of the sums.
    ///
    /// # Safety
    /// The job's input has `stride` values; weights and channels can be read and outputs written for its blocks of eight outputs,
    /// of which there is one at least. Outputs span int8, since the kernel saturates and does not clamp.
    //
    // | register  | in the loops over inputs                        | behind them                                    |
    // |-----------|-------------------------------------------------|------------------------------------------------|
    // | r0        | next input                                      | bias, then the rounding constant               |
    // | r1        | next weights                                    | taken by the arithmetic                        |
    // | r2        | the input                                       | mantissa                                       |
    // | r3        | end of the inputs that go by fours, then of all | shift                                          |
    // | r4 to r9  | sums of the outputs 0 to 5                      | the outputs; in r4, r5 at last those of 6 and 7 |
    // | r10, r11  | sums of the outputs 6 and 7                     | next output, `offset`                          |
    // | r12, lr   | the words of eight weights                      | twice the excess; next channels                |
    //
    // | stack  | holds                                | stack  | holds                                         |
    // |--------|--------------------------------------|--------|-----------------------------------------------|
    // | 0      | the input                            | 20     | `offset`                                      |
    // | 4      | its end                              | 24     | twice the excess                              |
    // | 8      | end of the inputs that go by fours   | 28     | `end`                                         |
    // | 12     | next channels                        | 32, 36 | sums of the outputs 6 and 7                   |
    // | 16     | next output, while outputs are computed the next block's weights |        |          |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn dense_blocks(job: *mut Job) {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "ldm r0, {{r1-r10}}",
            "sub sp, #40",
            "add r0, r1, r6",
            "strd r1, r0, [sp, #0]",
            "bic r6, r6, #3",
            "add r6, r6, r1",
            "strd r6, r4, [sp, #8]",
            "lsl r8, r8, #1",
            "strd r5, r7, [sp, #16]",
            "strd r8, r10, [sp, #24]",
            "mov r1, r2",
            "6:",
            "ldr r0, [sp]",
            "ldr r3, [sp, #8]",
            "movs r4, #0",
            "mov r5, r4",
            "mov r6, r4",
            "mov r7, r4",
            "mov r8, r4",
            "mov r9, r4",
            "mov r10, r4",
            "mov r11, r4",
            "cmp r0, r3",
            "beq 3f",
            "2:",
            dense_step!(),
            dense_step!(),
            dense_step!(),
            dense_step!(),
            "cmp r0, r3",
            "bne 2b",
            "3:",
            "ldr r3, [sp, #4]",
            "cmp r0, r3",
            "beq 5f",
            "4:",
            dense_step!(),
            "cmp r0, r3",
            "bne 4b",
            "5:",
            "sub r4, r4, r5, lsl #8",
            "sub r5, r5, r6, lsl #8",
            "sub r6, r6, r7, lsl #8",
            "sub r8, r8, r9, lsl #8",
            "sub r9, r9, r10, lsl #8",
            "sub r10, r10, r11, lsl #8",
            "strd r10, r11, [sp, #32]",
            "ldr lr, [sp, #12]",
            "ldrd r10, r11, [sp, #16]",
            "ldr r12, [sp, #24]",
            "str r1, [sp, #16]",
            dense_output!("r4"),
            dense_output!("r5"),
            dense_output!("r6"),
            dense_output!("r7"),
            dense_output!("r8"),
            dense_output!("r9"),
            "ldrd r4, r5, [sp, #32]",
            dense_output!("r4"),
            dense_output!("r5"),
            "ldr r1, [sp, #16]",
            "str lr, [sp, #12]",
            "str r10, [sp, #16]",
            "ldr r2, [sp, #28]",
            "cmp r1, r2",
            "bne 6b",
            "add sp, #40",
            "pop {{r4-r11, pc}}",
        )
    }

    /// One input channel of four tiles and two output channels: eight multiply-accumulates in fourteen instructions and 24 cycles.
    macro_rules! winograd_step {
        () => {
            "ldrsh r2, [r1], #2
             ldrsh r3, [r1], #2
             ldrsh r12, [r0], #2
             ldrsh lr, [r0], #2
             mla r4, r12, r2, r4
             mla r8, r12, r3, r8
             mla r5, lr, r2, r5
             mla r9, lr, r3, r9
             ldrsh r12, [r0], #2
             ldrsh lr, [r0], #2
             mla r6, r12, r2, r6
             mla r10, r12, r3, r10
             mla r7, lr, r2, r7
             mla r11, lr, r3, r11"
        };
    }

    /// Sums of Winograd's products at the sixteen places of four tiles for two output channels.
    ///
    /// # Safety
    /// `weights..end` holds two halfwords for every place and input channel, of which there are a multiple of four and not 0; `columns`
    /// has four of them, `sums` eight words for every place.
    //
    // | register      | holds                                      | stack | holds                               |
    // |---------------|--------------------------------------------|-------|-------------------------------------|
    // | r0, r1        | next inputs, next weights                  | 0     | end of the place's weights          |
    // | r2, r3        | the weights of both channels               | 4     | next sums                           |
    // | r4 to r7      | sums of the first channel                  | 8     | bytes of a place's weights          |
    // | r8 to r11     | sums of the second channel                 | 12    | `end`                               |
    // | r12, lr       | the inputs of two tiles                    |       |                                     |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn winograd(
        columns: *const i16,
        weights: *const i16,
        end: *const i16,
        sums: *mut i32,
    ) {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "sub sp, #20",
            "sub r4, r2, r1",
            "lsrs r4, r4, #4",
            "strd r4, r2, [sp, #8]",
            "str r3, [sp, #4]",
            "3:",
            "ldr r2, [sp, #8]",
            "add r2, r2, r1",
            "str r2, [sp]",
            "movs r4, #0",
            "movs r5, #0",
            "movs r6, #0",
            "movs r7, #0",
            "mov r8, r4",
            "mov r9, r4",
            "mov r10, r4",
            "mov r11, r4",
            "2:",
            winograd_step!(),
            winograd_step!(),
            winograd_step!(),
            winograd_step!(),
            "ldr r2, [sp]",
            "cmp r1, r2",
            "bne.w 2b",
            "ldr r2, [sp, #4]",
            "stm r2!, {{r4-r11}}",
            "str r2, [sp, #4]",
            "ldr r2, [sp, #12]",
            "cmp r1, r2",
            "bne.w 3b",
            "add sp, #20",
            "pop {{r4-r11, pc}}",
        )
    }

    /// Sums of a channel and four pixels.
    ///
    /// # Safety
    /// `weights..end` holds the weights of a channel, whose depth is a multiple of four and not 0; `column` has two words for each of
    /// its depths, `sums` four numbers.
    //
    // | register   | holds                                                                     |
    // |------------|---------------------------------------------------------------------------|
    // | r0         | the word before the next ones of the column                               |
    // | r1         | next weights                                                              |
    // | r2, r3     | the weights of two depths; at the end r3: `sums`                          |
    // | r4, r5     | words of the first depth; then sums of products                           |
    // | r6, r7     | words of the second depth                                                 |
    // | r8, r10    | of both pairs: sum of the products modulo 2^32, then of the lower pixel   |
    // | r9, r11    | of both pairs: sum of the upper pixel                                     |
    // | r12        | 2^15, which rounds a sum of products to the upper pixel's                 |
    // | lr         | the last word of the column                                               |
    // | [sp]       | `sums`                                                                    |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn quad(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            "push {{r3-r11, lr}}",
            "subs r0, #4",
            "subs r2, r2, r1",
            "add lr, r0, r2, lsl #3",
            "lsls r3, r2, #14",
            "rsb r8, r3, #0",
            "mov r9, #0",
            "mov r10, r8",
            "mov r11, r9",
            "mov r12, #0x8000",
            "and r3, r2, #4",
            "sub r0, r0, r3, lsl #3",
            // The bit of 4 goes to the carry.
            "lsls r2, r2, #30",
            quad_loop!(),
            "sub r8, r8, r9, lsl #16",
            "sub r10, r10, r11, lsl #16",
            "pop {{r3}}",
            "stm r3, {{r8-r11}}",
            "pop {{r4-r11, pc}}",
        )
    }

    /// Sums of a channel and two pixels, which share one word per depth.
    ///
    /// # Safety
    /// `weights..end` holds the weights of a channel, whose depth is a multiple of four and not 0; `column` has a word for each of
    /// its depths, `sums` two numbers.
    //
    // | register | holds                                                             |
    // |----------|-------------------------------------------------------------------|
    // | r0       | next words of the column                                          |
    // | r1       | next weights                                                      |
    // | r2, r3   | the weights of two depths; at the end r3: `sums`                  |
    // | r4       | word of the first depth; then the sum of products                 |
    // | r6       | word of the second depth                                          |
    // | r8       | sum of the products modulo 2^32, then of the lower pixel          |
    // | r9       | sum of the upper pixel                                            |
    // | r12      | 2^15, which rounds a sum of products to the upper pixel's         |
    // | lr       | end of the column                                                 |
    // | [sp]     | `sums`                                                            |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn pair(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            "push {{r3-r9, lr}}",
            "subs r2, r2, r1",
            "add lr, r0, r2, lsl #2",
            "lsls r3, r2, #14",
            "rsb r8, r3, #0",
            "mov r9, #0",
            "mov r12, #0x8000",
            "2:",
            pair_step!("0", "4"),
            pair_step!("8", "12"),
            "adds r0, #16",
            "cmp r0, lr",
            "bne 2b",
            "sub r8, r8, r9, lsl #16",
            "pop {{r3}}",
            "strd r8, r9, [r3]",
            "pop {{r4-r9, pc}}",
        )
    }

    mod taps;

    pub(super) use taps::{taps_four, taps_neighbours, taps_one};
}

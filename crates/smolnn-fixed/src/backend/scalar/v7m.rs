//! Arm v7-M (Cortex-M3) and v8-M without DSP: SMLAL adds a 32×32-bit product to 64 bits, and with X = x_a + 2^23·x_b that
//! is two multiply-accumulates: w·x_a in the lower 23 bits, w·x_b above. |Σ w·x_a| < 2^22 for a depth up to 255.

use super::depthwise::Block;
use super::kernels::{Core, DenseSums, Job, Kernel, Multiply, Sums};

/// The core: registers for the sums of two channels and four pixels, but not for rows of a depthwise convolution.
pub(super) struct V7m;

impl Core for V7m {
    const CONVOLVE: Option<Kernel<Job>> = Some(tile::convolve);
    const DENSE_BLOCKS: Option<Kernel<Job>> = Some(tile::dense_blocks);
    const QUAD: Multiply = quad;
    const PAIR: Option<Multiply> = Some(pair);

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

/// Four pixels times a block of weights.
#[inline(always)]
unsafe fn quad(column: &[u32], weights: &[u32], sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, as the caller vouches; the sums are those of two channels and four pixels.
    unsafe { tile::quad(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

/// Two pixels times a block of weights.
#[inline(always)]
unsafe fn pair(column: &[u32], weights: &[u32], sums: &mut Sums) {
    // SAFETY: column and weights are of one depth, as the caller vouches; the sums are those of two channels and four pixels.
    unsafe { tile::pair(column.as_ptr(), weights.as_ptr(), weights.as_ptr_range().end, sums.as_mut_ptr()) }
}

mod tile {
    use core::arch::naked_asm;

    use super::super::depthwise::Block;
    use super::super::kernels::Job;

    /// One depth: two words of pixels times two channels, eight multiply-accumulates in seven instructions.
    macro_rules! quad_step {
        () => {
            "ldm r0!, {{r12, lr}}
             ldrsb r2, [r1], #1
             smlal r4, r5, r12, r2
             smlal r6, r7, lr, r2
             ldrsb r2, [r1], #1
             smlal r8, r9, r12, r2
             smlal r10, r11, lr, r2"
        };
    }

    /// One depth: one word of pixels times two channels.
    macro_rules! pair_step {
        () => {
            "ldr r12, [r0], #4
             ldrsb r2, [r1], #1
             ldrsb lr, [r1], #1
             smlal r4, r5, r12, r2
             smlal r8, r9, r12, lr"
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

    /// The four outputs of a channel from its two accumulators. These started at 2^22, so that the lower sums are not negative and
    /// borrow nothing from the upper ones. The frame is that of `convolve`.
    macro_rules! channel {
        ($l0:literal, $h0:literal, $l1:literal, $h1:literal) => {
            concat!(
                "ldr lr, [sp, #8]
                 ldm lr!, {{r0, r2, r3}}
                 str lr, [sp, #8]
                 sub r12, r0, #0x800000\n",
                "ubfx r1, ",
                $l0,
                ", #0, #23\n",
                "lsr ",
                $l0,
                ", ",
                $l0,
                ", #23\n",
                "orr ",
                $l0,
                ", ",
                $l0,
                ", ",
                $h0,
                ", lsl #9\n",
                "add ",
                $h0,
                ", r12, r1, lsl #1\n",
                "add ",
                $l0,
                ", r0, ",
                $l0,
                ", lsl #1\n",
                "ubfx r1, ",
                $l1,
                ", #0, #23\n",
                "lsr ",
                $l1,
                ", ",
                $l1,
                ", #23\n",
                "orr ",
                $l1,
                ", ",
                $l1,
                ", ",
                $h1,
                ", lsl #9\n",
                "add ",
                $h1,
                ", r12, r1, lsl #1\n",
                "add ",
                $l1,
                ", r0, ",
                $l1,
                ", lsl #1\n",
                "ldr r12, [sp, #20]
                 lsl r12, r12, r3
                 ldr r0, [sp, #12]
                 ldr lr, [sp, #16]\n",
                output!($h0, "r2", "r3", "r12", "r1"),
                output!($l0, "r2", "r3", "r12", "r1"),
                output!($h1, "r2", "r3", "r12", "r1"),
                output!($l1, "r2", "r3", "r12", "r1"),
                "strb ",
                $l0,
                ", [r0, lr]\n",
                "strb ",
                $h1,
                ", [r0, lr, lsl #1]\n",
                "add lr, lr, lr, lsl #1\n",
                "strb ",
                $l1,
                ", [r0, lr]\n",
                "strb ",
                $h0,
                ", [r0], #1\n",
                "str r0, [sp, #12]\n",
            )
        };
    }

    /// Four pixels times whole blocks of channels, to the outputs.
    ///
    /// # Safety
    /// The job's column, weights and channels can be read for its blocks, of which there is one at least and whose depth is a
    /// multiple of four and not 0; outputs of four pixels, `stride` apart, can be written. Outputs span int8, since the kernel
    /// saturates and does not clamp.
    //
    // | register                | in the loop over depths                       | around it                              |
    // |-------------------------|-----------------------------------------------|----------------------------------------|
    // | r0                      | next words of the column                      | bias, then the output                  |
    // | r1                      | next weights                                  | taken by the arithmetic                |
    // | r2                      | the weight                                    | mantissa                               |
    // | r3                      | end of the block's weights                    | shift                                  |
    // | r4, r5 and r6, r7       | accumulators of channel 0: both pairs         | its outputs                            |
    // | r8, r9 and r10, r11     | accumulators of channel 1: both pairs         | its outputs                            |
    // | r12, lr                 | the words of both pairs                       | rounding constant; channels, then stride |
    //
    // | stack  | holds               | stack  | holds                          |
    // |--------|---------------------|--------|--------------------------------|
    // | 0      | `column`            | 16     | `stride`                       |
    // | 4      | `block`             | 20     | `offset`                       |
    // | 8      | next channels       | 24     | `end`                          |
    // | 12     | next output         | 28     | weights of the next block      |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn convolve(job: *mut Job) {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "ldm r0, {{r1-r10}}",
            "sub sp, #32",
            "str r1, [sp, #0]",
            "strd r3, r4, [sp, #4]",
            "strd r5, r6, [sp, #12]",
            "strd r7, r10, [sp, #20]",
            "mov r1, r2",
            "3:",
            "ldrd r0, r3, [sp, #0]",
            "add r3, r3, r1",
            "mov r4, #0x400000",
            "movs r5, #0",
            "mov r6, r4",
            "mov r7, r5",
            "mov r8, r4",
            "mov r9, r5",
            "mov r10, r4",
            "mov r11, r5",
            "2:",
            quad_step!(),
            quad_step!(),
            quad_step!(),
            quad_step!(),
            "cmp r1, r3",
            "bne 2b",
            "str r1, [sp, #28]",
            channel!("r4", "r5", "r6", "r7"),
            channel!("r8", "r9", "r10", "r11"),
            "ldrd r2, r1, [sp, #24]",
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
                "ldrsb r12, [lr], #1
                 mla r8, r1, r12, r8
                 mla r9, r2, r12, r9
                 mla r10, r3, r12, r10
                 mla r11, r4, r12, r11
                 ldrsb r12, [lr], #1
                 mla r8, r2, r12, r8
                 mla r9, r3, r12, r9
                 mla r10, r4, r12, r10
                 mla r11, r5, r12, r11\n",
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
                 ldrsb r12, [lr], #1\n",
                $first,
                "ldrsb r12, [lr], #1
                 mla r8, r1, r12, r8
                 mla r9, r4, r12, r9
                 ldrsb r12, [lr], #1
                 mla r8, r2, r12, r8
                 mla r9, r5, r12, r9\n",
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
                 ldrsb r12, [lr], #1\n",
                $first,
                "ldrsb r12, [lr], #1
                 mla r8, r1, r12, r8
                 ldrsb r12, [lr], #1
                 mla r8, r2, r12, r8\n",
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
            // | r8 to r11  | sums of the pixels                             | their outputs                                |
            // | r12        | the weight                                     | shift                                        |
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

    /// Sums of eight outputs, each with 128·Σ x in it.
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
            "movs r4, #0",
            "movs r5, #0",
            "movs r6, #0",
            "movs r7, #0",
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
            "pop {{r3, r12}}",
            "stm r3, {{r4-r11}}",
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

    /// Sums of two channels and four pixels: [channel·4 + pixel].
    ///
    /// # Safety
    /// `weights..end` holds a block of weights, whose depth is a multiple of four and not 0; `column` has two words for each of its
    /// depths, `sums` eight numbers.
    //
    // | register           | holds                                                                     |
    // |--------------------|---------------------------------------------------------------------------|
    // | r0                 | next words of the column; at the end a sum                                |
    // | r1                 | next weights; at the end a sum                                            |
    // | r2                 | the weight; at the end a sum                                              |
    // | r3                 | `end`; at the end `sums`                                                  |
    // | r4, r5 and r6, r7  | accumulators (low, high word) of channel 0: first and second pair of pixels |
    // | r8, r9 and r10, r11 | accumulators (low, high word) of channel 1: first and second pair of pixels |
    // | r12, lr            | the words of the first and the second pair                                |
    // | [sp]               | `sums`                                                                    |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn quad(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            "push {{r3-r11, lr}}",
            "mov r3, r2",
            "movs r4, #0",
            "movs r5, #0",
            "movs r6, #0",
            "movs r7, #0",
            "mov r8, r4",
            "mov r9, r4",
            "mov r10, r4",
            "mov r11, r4",
            "2:",
            quad_step!(),
            quad_step!(),
            quad_step!(),
            quad_step!(),
            "cmp r1, r3",
            "bne 2b",
            "pop {{r3}}",
            // The lower pixel's sum is the lowest 23 bits, with their sign. The upper pixel's sum is what lies above, plus 1
            // where the lower sum is negative and has borrowed: adding 2^22 carries exactly then.
            "sbfx r0, r4, #0, #23",
            "adds r4, r4, #0x400000",
            "adc r5, r5, #0",
            "lsrs r4, r4, #23",
            "orr r1, r4, r5, lsl #9",
            "sbfx r2, r6, #0, #23",
            "adds r6, r6, #0x400000",
            "adc r7, r7, #0",
            "lsrs r6, r6, #23",
            "orr r4, r6, r7, lsl #9",
            "sbfx r5, r8, #0, #23",
            "adds r8, r8, #0x400000",
            "adc r9, r9, #0",
            "lsr r8, r8, #23",
            "orr r6, r8, r9, lsl #9",
            "sbfx r7, r10, #0, #23",
            "adds r10, r10, #0x400000",
            "adc r11, r11, #0",
            "lsr r10, r10, #23",
            "orr r8, r10, r11, lsl #9",
            "stm r3, {{r0, r1, r2, r4, r5, r6, r7, r8}}",
            "pop {{r4-r11, pc}}",
        )
    }

    /// Sums of two channels and two pixels, which share one word per depth: [channel·4 + pixel].
    ///
    /// # Safety
    /// `weights..end` holds a block of weights, whose depth is a multiple of four and not 0; `column` has a word for each of its
    /// depths, `sums` eight numbers.
    //
    // | register | holds                                                |
    // |----------|------------------------------------------------------|
    // | r0       | next word of the column; at the end a sum            |
    // | r1       | next weights; at the end a sum                       |
    // | r2, lr   | the weights of channel 0 and channel 1               |
    // | r3       | `end`; at the end `sums`                             |
    // | r4, r5   | accumulator (low, high word) of channel 0            |
    // | r8, r9   | accumulator (low, high word) of channel 1            |
    // | r12      | the word of the two pixels                           |
    // | [sp]     | `sums`                                               |
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn pair(column: *const u32, weights: *const u32, end: *const u32, sums: *mut i32) {
        naked_asm!(
            "push {{r3-r11, lr}}",
            "mov r3, r2",
            "movs r4, #0",
            "movs r5, #0",
            "mov r8, r4",
            "mov r9, r4",
            "2:",
            pair_step!(),
            pair_step!(),
            pair_step!(),
            pair_step!(),
            "cmp r1, r3",
            "bne 2b",
            "pop {{r3}}",
            "sbfx r0, r4, #0, #23",
            "adds r4, r4, #0x400000",
            "adc r5, r5, #0",
            "lsrs r4, r4, #23",
            "orr r1, r4, r5, lsl #9",
            "sbfx r5, r8, #0, #23",
            "adds r8, r8, #0x400000",
            "adc r9, r9, #0",
            "lsr r8, r8, #23",
            "orr r6, r8, r9, lsl #9",
            "strd r0, r1, [r3]",
            "strd r5, r6, [r3, #16]",
            "pop {{r4-r11, pc}}",
        )
    }
}

//! The passes for f32 with Helium (Cortex-M55, M85): four lanes, VFMA, VLDM of up to four vectors, tail-predicated ends.
//!
//! A vector by itself, per four rows: 14 instructions for 32 multiply-accumulates forward, 23 for 64 for the input gradient, 27
//! for 64 for the weight gradient. Every weight must be loaded: with VLDRW alone the first could not fall below 16.
//! Many vectors, or pixels, run by panels of eight outputs, two pixels at a time: 21 for 64 forward and for the input
//! gradient, 23 for the weight gradient. Weights are vectors, and what they are multiplied with comes from general registers,
//! four at a time by LDM, so that no lanes need adding up.
//! A tap of a depthwise convolution takes 13 for a pixel of 16 channels, 11 for the weight gradient.
//! VFMA rounds once where the portable body rounds twice, and a vector by itself is summed in four parts: results differ from
//! the portable ones by less than the error bound of the operators. Held by: `float/passes`
//! and the recorded cases of the conformance firmware.

use core::arch::{asm, naked_asm};
use core::mem::MaybeUninit;

use super::{Panel, Walk};
use crate::Number;

/// Whether there is a row, and all rows lie in the weights. The pointers below need no more.
#[inline(always)]
fn rows_fit(weights: usize, stride: usize, rows: usize, length: usize) -> bool {
    // The product is computed in 64 bits, where no stride makes it wrap.
    rows > 0 && length > 0 && weights as u64 >= (rows - 1) as u64 * stride as u64 + length as u64
}

/// The directive that every naked function begins with. Where bitcode is written for link-time optimisation, the assembler does
/// not learn the compiler's target-cpu and would refuse Helium.
macro_rules! helium {
    () => {
        ".cpu cortex-m55"
    };
}

/// Multiplies eight columns of four rows at r7 to r10 by those of the input at r6, to the sums in q4 to q7. `$first` is VMUL
/// where the sums start, else VFMA.
macro_rules! dot {
    ($first:literal) => {
        concat!(
            "vldmia r6!, {{d0-d3}}\n",
            dot!($first, "r7", "q4"),
            dot!($first, "r8", "q5"),
            dot!($first, "r9", "q6"),
            dot!($first, "r10", "q7"),
        )
    };
    ($first:literal, $row:literal, $sums:literal) => {
        concat!(
            concat!("vldmia ", $row, "!, {{d4-d7}}\n"),
            concat!($first, ".f32 ", $sums, ", q2, q0\n"),
            concat!("vfma.f32 ", $sums, ", q3, q1\n"),
        )
    };
}

/// `y[o] = from[o] + Σ_i w[o, i] · x[i]`, `blocks` times four outputs; the stride in bytes.
///
/// # Safety
/// All rows and `x` hold `n` floats, `y` and `from` four per block. `blocks` is not 0. `y` and `from` may be the same.
//
// | register   | holds                                                              |
// |------------|--------------------------------------------------------------------|
// | r0         | first row of the next block                                        |
// | r1         | `stride`                                                           |
// | r2, r6     | `x`, next columns of `x`                                           |
// | r3, r12    | groups of eight columns, columns that are left behind them         |
// | r4         | next outputs                                                       |
// | r5         | blocks that are left                                               |
// | r7 to r10  | next columns of the block's rows                                   |
// | r11        | next numbers of `from`                                             |
// | lr         | groups, then columns that are left                                 |
// | q0, q1     | columns of `x`; in the loop over the rest q1: of a row             |
// | q2, q3     | columns of a row                                                   |
// | q4 to q7   | the four rows' sums in four parts each, then q4: the outputs       |
// | [sp]       | 64 bytes in which the sums are transposed                          |
#[unsafe(naked)]
unsafe extern "C" fn dot_blocks(
    w: *const f32,
    stride: usize,
    x: *const f32,
    n: usize,
    y: *mut f32,
    blocks: usize,
    from: *const f32,
) {
    naked_asm!(
        helium!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "sub sp, #64",
        "ldrd r4, r5, [sp, #164]",
        "ldr r11, [sp, #172]",
        "and r12, r3, #7",
        "lsrs r3, r3, #3",
        "2:",
        "mov r6, r2",
        "mov r7, r0",
        "add r8, r7, r1",
        "add r9, r8, r1",
        "add r10, r9, r1",
        "add r0, r10, r1",
        "subs lr, r3, #1",
        "bmi 7f",
        dot!("vmul"),
        "wls lr, lr, 4f",
        "3:",
        dot!("vfma"),
        "le lr, 3b",
        "4:",
        "wlstp.32 lr, r12, 6f",
        "5:",
        "vldrw.u32 q0, [r6], #16",
        "vldrw.u32 q1, [r7], #16",
        "vfma.f32 q4, q1, q0",
        "vldrw.u32 q1, [r8], #16",
        "vfma.f32 q5, q1, q0",
        "vldrw.u32 q1, [r9], #16",
        "vfma.f32 q6, q1, q0",
        "vldrw.u32 q1, [r10], #16",
        "vfma.f32 q7, q1, q0",
        "letp lr, 5b",
        "6:",
        // The four lanes of the four rows are transposed through memory, so that the parts of all rows lie side by side.
        "vstmia sp, {{d8-d15}}",
        "vld40.32 {{q0, q1, q2, q3}}, [sp]",
        "vld41.32 {{q0, q1, q2, q3}}, [sp]",
        "vld42.32 {{q0, q1, q2, q3}}, [sp]",
        "vld43.32 {{q0, q1, q2, q3}}, [sp]",
        "vldrw.u32 q4, [r11], #16",
        "vadd.f32 q0, q0, q1",
        "vadd.f32 q2, q2, q3",
        "vadd.f32 q4, q4, q0",
        "vadd.f32 q4, q4, q2",
        "vstrw.32 q4, [r4], #16",
        "subs r5, #1",
        "bne 2b",
        "add sp, #64",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        // The rows have less than eight columns, so that the sums start from 0.
        "7:",
        "vmov.i32 q4, #0",
        "vmov.i32 q5, #0",
        "vmov.i32 q6, #0",
        "vmov.i32 q7, #0",
        "b 4b",
    )
}

/// The body of both gradients: for every block of four rows, `$wide` takes sixteen columns at a time of the rows and of the
/// vector, then `$narrow` takes the rest of them in fours.
//
// | register  | holds                                                                  |
// |-----------|------------------------------------------------------------------------|
// | r0 to r3  | factors of the block's rows                                            |
// | r4        | next columns of the vector                                             |
// | r5 to r8  | next columns of the block's rows                                       |
// | r9, r10   | groups of sixteen columns, columns that are left behind them           |
// | r11       | first row of the next block                                            |
// | r12       | next factors                                                           |
// | lr        | groups, then columns that are left                                     |
// | q0 to q3  | columns of the vector; in `$narrow` q0, and q1 for columns of a row    |
// | q4 to q7  | columns of a row                                                       |
//
// | stack | holds                          | stack | holds                  |
// |-------|--------------------------------|-------|------------------------|
// | 68    | stride                         | 116   | first factor           |
// | 72    | start of the vector            | 120   | blocks that are left   |
macro_rules! gradient {
    ($wide:expr, $narrow:expr) => {
        naked_asm!(
            helium!(),
            "push {{r0-r11, lr}}",
            "vpush {{d8-d15}}",
            "mov r11, r0",
            "lsr r9, r3, #4",
            "and r10, r3, #15",
            "ldr r12, [sp, #116]",
            "2:",
            "ldrd r0, r4, [sp, #68]",
            "mov r5, r11",
            "add r6, r5, r0",
            "add r7, r6, r0",
            "add r8, r7, r0",
            "add r11, r8, r0",
            "ldmia r12!, {{r0-r3}}",
            "wls lr, r9, 4f",
            "3:",
            $wide,
            "le lr, 3b",
            "4:",
            "wlstp.32 lr, r10, 6f",
            "5:",
            $narrow,
            "letp lr, 5b",
            "6:",
            "ldr r0, [sp, #120]",
            "subs r0, #1",
            "str r0, [sp, #120]",
            "bne 2b",
            "vpop {{d8-d15}}",
            "add sp, #16",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// Adds four vectors of a row, times its factor, to those of the input gradient in q0 to q3.
macro_rules! add {
    ($row:literal, $factor:literal) => {
        concat!(
            concat!("vldmia ", $row, "!, {{d8-d15}}\n"),
            concat!("vfma.f32 q0, q4, ", $factor, "\n"),
            concat!("vfma.f32 q1, q5, ", $factor, "\n"),
            concat!("vfma.f32 q2, q6, ", $factor, "\n"),
            concat!("vfma.f32 q3, q7, ", $factor, "\n"),
        )
    };
}

/// Adds four vectors of the input in q0 to q3, times the row's factor, to those of the row.
macro_rules! update {
    ($row:literal, $factor:literal) => {
        concat!(
            concat!("vldmia ", $row, ", {{d8-d15}}\n"),
            concat!("vfma.f32 q4, q0, ", $factor, "\n"),
            concat!("vfma.f32 q5, q1, ", $factor, "\n"),
            concat!("vfma.f32 q6, q2, ", $factor, "\n"),
            concat!("vfma.f32 q7, q3, ", $factor, "\n"),
            concat!("vstmia ", $row, "!, {{d8-d15}}\n"),
        )
    };
}

/// `dx[i] += Σ_o g[o] · w[o, i]`, `blocks` times four outputs; the stride in bytes.
///
/// # Safety
/// All rows and `dx` hold `n` floats, `g` four per block; the rows can be read, `dx` read and written. `blocks` is not 0.
//
// The table of registers stands above `gradient`; the vector is `dx`.
#[unsafe(naked)]
unsafe extern "C" fn add_blocks(w: *const f32, stride: usize, dx: *mut f32, n: usize, g: *const f32, blocks: usize) {
    gradient!(
        concat!(
            "vldmia r4, {{d0-d7}}\n",
            add!("r5", "r0"),
            add!("r6", "r1"),
            add!("r7", "r2"),
            add!("r8", "r3"),
            "vstmia r4!, {{d0-d7}}\n",
        ),
        concat!(
            "vldrw.u32 q0, [r4]\n",
            "vldrw.u32 q1, [r5], #16\n",
            "vfma.f32 q0, q1, r0\n",
            "vldrw.u32 q1, [r6], #16\n",
            "vfma.f32 q0, q1, r1\n",
            "vldrw.u32 q1, [r7], #16\n",
            "vfma.f32 q0, q1, r2\n",
            "vldrw.u32 q1, [r8], #16\n",
            "vfma.f32 q0, q1, r3\n",
            "vstrw.32 q0, [r4], #16\n",
        )
    )
}

/// `w[o, i] += g[o] · x[i]`, `blocks` times four outputs; the stride in bytes.
///
/// # Safety
/// All rows and `x` hold `n` floats, `g` four per block; `x` can be read, the rows read and written. `blocks` is not 0.
//
// The table of registers stands above `gradient`; the vector is `x`.
#[unsafe(naked)]
unsafe extern "C" fn update_blocks(w: *mut f32, stride: usize, x: *const f32, n: usize, g: *const f32, blocks: usize) {
    gradient!(
        concat!(
            "vldmia r4!, {{d0-d7}}\n",
            update!("r5", "r0"),
            update!("r6", "r1"),
            update!("r7", "r2"),
            update!("r8", "r3"),
        ),
        concat!(
            "vldrw.u32 q0, [r4], #16\n",
            "vldrw.u32 q1, [r5]\n",
            "vfma.f32 q1, q0, r0\n",
            "vstrw.32 q1, [r5], #16\n",
            "vldrw.u32 q1, [r6]\n",
            "vfma.f32 q1, q0, r1\n",
            "vstrw.32 q1, [r6], #16\n",
            "vldrw.u32 q1, [r7]\n",
            "vfma.f32 q1, q0, r2\n",
            "vstrw.32 q1, [r7], #16\n",
            "vldrw.u32 q1, [r8]\n",
            "vfma.f32 q1, q0, r3\n",
            "vstrw.32 q1, [r8], #16\n",
        )
    )
}

/// The body of a pass over a region: for every line, two pixels at a time, then the one that is left; for each the rows of
/// its window, four elements at a time, then one at a time.
//
// | register  | holds                                                                                       |
// |-----------|---------------------------------------------------------------------------------------------|
// | r0        | next weights of the panel                                                                   |
// | r1, r2    | next elements of the window of the first and of the second pixel                            |
// | r3        | sums (or factors) of the first pixel                                                        |
// | r4        | sums (or factors) of the second pixel, in `$enter` and `$leave`                             |
// | r4 to r7  | elements of the first pixel: four, or one in r4                                             |
// | r8 to r11 | elements of the second pixel: four, or one in r8                                            |
// | r12       | rows of the window that are left                                                            |
// | lr        | fours, then single elements of the row that are left                                        |
// | q0 to q3  | sums (or factors): of whole panels q0, q1 and q2, q3 for the two pixels; of half panels q0 and q1 |
// | q4 to q7  | weights                                                                                     |
// | P0        | the lanes in use                                                                            |
//
// | stack | holds                                       | stack | holds                                        |
// |-------|---------------------------------------------|-------|----------------------------------------------|
// | 0     | fours of a row                              | 32    | bytes from line to line in what is read      |
// | 4     | single elements behind them                 | 36    | bytes from line to line in what is summed    |
// | 8     | bytes from row to row in the panel          | 40    | the line's first pixel in what is read       |
// | 12    | bytes from row to row in what is read       | 44    | the line's first pixel in what is summed     |
// | 16    | rows of a window                            | 48    | lines that are left                          |
// | 20    | the panel                                   | 52    | pixels of a line                             |
// | 24    | bytes from pixel to pixel in what is read   | 56    | pixels that are left, less two               |
// | 28    | bytes from pixel to pixel in what is summed | 60    | the next pixel in what is read               |
macro_rules! panel {
    ($shift:literal: $enter:expr, $fours:expr, $ones:expr, $leave:expr;
     $enter_one:expr, $fours_of_one:expr, $ones_of_one:expr, $leave_one:expr) => {
        naked_asm!(
            helium!(),
            "push {{r4-r11, lr}}",
            "vpush {{d8-d15}}",
            "sub sp, #64",
            "ldr r4, [r0, #4]",
            "vctp.32 r4",
            "ldrd r4, r5, [r0, #8]",
            "ldrd r6, r7, [r0, #16]",
            "lsr r8, r5, #2",
            "and r9, r5, #3",
            concat!("sub r6, r6, r5, lsl #", $shift),
            "lsl r6, #2",
            "subs r7, r7, r5",
            "lsl r7, #2",
            "strd r8, r9, [sp]",
            "strd r6, r7, [sp, #8]",
            "strd r4, r1, [sp, #16]",
            "ldrd r4, r5, [r0, #24]",
            "ldrd r6, r7, [r0, #32]",
            "ldrd r8, r9, [r0, #40]",
            "lsl r5, #2",
            "lsl r6, #2",
            "lsl r8, #2",
            "lsl r9, #2",
            "strd r8, r9, [sp, #24]",
            "strd r5, r6, [sp, #32]",
            "strd r2, r3, [sp, #40]",
            "strd r4, r7, [sp, #48]",
            "20:",
            "ldr r4, [sp, #52]",
            "ldrd r5, r3, [sp, #40]",
            "subs r4, #2",
            "strd r4, r5, [sp, #56]",
            "blt 30f",
            "21:",
            "ldrd r4, r5, [sp, #24]",
            "ldr r1, [sp, #60]",
            "ldrd r12, r0, [sp, #16]",
            "add r2, r1, r4",
            "add r4, r2, r4",
            "str r4, [sp, #60]",
            "add r4, r3, r5",
            $enter,
            "22:",
            "ldr lr, [sp]",
            "wls lr, lr, 24f",
            "23:",
            "ldmia r1!, {{r4-r7}}",
            "ldmia r2!, {{r8-r11}}",
            $fours,
            "le lr, 23b",
            "24:",
            "ldr lr, [sp, #4]",
            "wls lr, lr, 26f",
            "25:",
            "ldr r4, [r1], #4",
            "ldr r8, [r2], #4",
            $ones,
            "le lr, 25b",
            "26:",
            "ldrd r4, r5, [sp, #8]",
            "add r0, r4",
            "add r1, r5",
            "add r2, r5",
            "subs r12, #1",
            "bne 22b",
            "ldr r5, [sp, #28]",
            "add r4, r3, r5",
            $leave,
            "add r3, r4, r5",
            "ldr r4, [sp, #56]",
            "subs r4, #2",
            "str r4, [sp, #56]",
            "bge 21b",
            "30:",
            "adds r4, #2",
            "beq 40f",
            "ldr r1, [sp, #60]",
            "ldrd r12, r0, [sp, #16]",
            $enter_one,
            "32:",
            "ldr lr, [sp]",
            "wls lr, lr, 34f",
            "33:",
            "ldmia r1!, {{r4-r7}}",
            $fours_of_one,
            "le lr, 33b",
            "34:",
            "ldr lr, [sp, #4]",
            "wls lr, lr, 36f",
            "35:",
            "ldr r4, [r1], #4",
            $ones_of_one,
            "le lr, 35b",
            "36:",
            "ldrd r4, r5, [sp, #8]",
            "add r0, r4",
            "add r1, r5",
            "subs r12, #1",
            "bne 32b",
            $leave_one,
            "40:",
            "ldrd r4, r5, [sp, #32]",
            "ldrd r6, r7, [sp, #40]",
            "add r6, r4",
            "add r7, r5",
            "ldr r4, [sp, #48]",
            "strd r6, r7, [sp, #40]",
            "subs r4, #1",
            "str r4, [sp, #48]",
            "bne 20b",
            "add sp, #64",
            "vpop {{d8-d15}}",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// Puts instructions on lines of their own.
macro_rules! lines {
    ($($line:expr),+ $(,)?) => { concat!($($line, "\n"),+) };
}

/// Adds two vectors of weights times an element of each of two pixels to the pixels' sums in q0 to q3.
macro_rules! sums_of_two {
    ($low:literal, $high:literal, $x:literal, $second:literal) => {
        lines!(
            concat!("vfma.f32 q0, ", $low, ", ", $x),
            concat!("vfma.f32 q1, ", $high, ", ", $x),
            concat!("vfma.f32 q2, ", $low, ", ", $second),
            concat!("vfma.f32 q3, ", $high, ", ", $second),
        )
    };
}

/// Adds two vectors of weights times an element of one pixel to its sums in q0 and q1.
macro_rules! sums_of_one {
    ($low:literal, $high:literal, $x:literal) => {
        lines!(concat!("vfma.f32 q0, ", $low, ", ", $x), concat!("vfma.f32 q1, ", $high, ", ", $x))
    };
}

/// Adds one vector of weights times an element of each of two pixels to the pixels' sums in q0 and q1.
macro_rules! half_sums_of_two {
    ($weights:literal, $x:literal, $second:literal) => {
        lines!(concat!("vfma.f32 q0, ", $weights, ", ", $x), concat!("vfma.f32 q1, ", $weights, ", ", $second))
    };
}

/// Adds an element of each of two pixels times their factors in q0 to q3 to two vectors of weights.
macro_rules! outer_of_two {
    ($low:literal, $high:literal, $x:literal, $second:literal) => {
        lines!(
            concat!("vfma.f32 ", $low, ", q0, ", $x),
            concat!("vfma.f32 ", $high, ", q1, ", $x),
            concat!("vfma.f32 ", $low, ", q2, ", $second),
            concat!("vfma.f32 ", $high, ", q3, ", $second),
        )
    };
}

/// Adds an element of one pixel times its factors in q0 and q1 to two vectors of weights.
macro_rules! outer_of_one {
    ($low:literal, $high:literal, $x:literal) => {
        lines!(concat!("vfma.f32 ", $low, ", q0, ", $x), concat!("vfma.f32 ", $high, ", q1, ", $x))
    };
}

/// Adds an element of each of two pixels times their factors in q0 and q1 to one vector of weights.
macro_rules! half_outer_of_two {
    ($weights:literal, $x:literal, $second:literal) => {
        lines!(concat!("vfma.f32 ", $weights, ", q0, ", $x), concat!("vfma.f32 ", $weights, ", q1, ", $second))
    };
}

/// `y[o] += Σ_k w[k, o] · x[k]` at every pixel, eight outputs.
///
/// # Safety
/// [`Panel::fits`] holds for the lengths of the three slices, and the panel has eight lanes: every window and the weights can be
/// read, as many sums at every pixel as there are outputs read and written.
//
// The tables of registers stand above `panel`.
#[unsafe(naked)]
unsafe extern "C" fn panel_sum(panel: &Panel, weights: *const f32, x: *const f32, y: *mut f32) {
    panel!("3":
        lines!("vldmia r3, {{d0-d3}}", "vldmia r4, {{d4-d7}}"),
        concat!(
            "vldmia r0!, {{d8-d15}}\n",
            sums_of_two!("q4", "q5", "r4", "r8"), sums_of_two!("q6", "q7", "r5", "r9"),
            "vldmia r0!, {{d8-d15}}\n",
            sums_of_two!("q4", "q5", "r6", "r10"), sums_of_two!("q6", "q7", "r7", "r11"),
        ),
        concat!("vldmia r0!, {{d8-d11}}\n", sums_of_two!("q4", "q5", "r4", "r8")),
        lines!("vstmia r3, {{d0-d3}}", "vstmia r4, {{d4-d7}}");
        "vldmia r3, {{d0-d3}}",
        concat!(
            "vldmia r0!, {{d8-d15}}\n",
            sums_of_one!("q4", "q5", "r4"), sums_of_one!("q6", "q7", "r5"),
            "vldmia r0!, {{d8-d15}}\n",
            sums_of_one!("q4", "q5", "r6"), sums_of_one!("q6", "q7", "r7"),
        ),
        concat!("vldmia r0!, {{d8-d11}}\n", sums_of_one!("q4", "q5", "r4")),
        "vstmia r3, {{d0-d3}}"
    )
}

/// `y[o] += Σ_k w[k, o] · x[k]` at every pixel, up to four outputs.
///
/// # Safety
/// [`Panel::fits`] holds for the lengths of the three slices, and the panel has four lanes: every window and the weights can be
/// read, as many sums at every pixel as there are outputs read and written.
//
// The tables of registers stand above `panel`.
#[unsafe(naked)]
unsafe extern "C" fn half_panel_sum(panel: &Panel, weights: *const f32, x: *const f32, y: *mut f32) {
    panel!("2":
        lines!("vpstt", "vldrwt.u32 q0, [r3]", "vldrwt.u32 q1, [r4]"),
        concat!(
            "vldmia r0!, {{d8-d15}}\n",
            half_sums_of_two!("q4", "r4", "r8"), half_sums_of_two!("q5", "r5", "r9"),
            half_sums_of_two!("q6", "r6", "r10"), half_sums_of_two!("q7", "r7", "r11"),
        ),
        concat!("vldrw.u32 q4, [r0], #16\n", half_sums_of_two!("q4", "r4", "r8")),
        lines!("vpstt", "vstrwt.32 q0, [r3]", "vstrwt.32 q1, [r4]");
        lines!("vpst", "vldrwt.u32 q0, [r3]"),
        lines!(
            "vldmia r0!, {{d8-d15}}",
            "vfma.f32 q0, q4, r4", "vfma.f32 q0, q5, r5", "vfma.f32 q0, q6, r6", "vfma.f32 q0, q7, r7",
        ),
        lines!("vldrw.u32 q4, [r0], #16", "vfma.f32 q0, q4, r4"),
        lines!("vpst", "vstrwt.32 q0, [r3]")
    )
}

/// `w[k, o] += g[o] · x[k]` over all pixels, eight outputs.
///
/// # Safety
/// [`Panel::fits`] holds for the lengths of the three slices, and the panel has eight lanes: every window, and as many factors at
/// every pixel as there are outputs, can be read, the weights read and written.
//
// The tables of registers stand above `panel`.
#[unsafe(naked)]
unsafe extern "C" fn panel_outer(panel: &Panel, weights: *mut f32, x: *const f32, g: *const f32) {
    panel!("3":
        lines!("vldmia r3, {{d0-d3}}", "vldmia r4, {{d4-d7}}"),
        concat!(
            "vldmia r0, {{d8-d15}}\n",
            outer_of_two!("q4", "q5", "r4", "r8"), outer_of_two!("q6", "q7", "r5", "r9"),
            "vstmia r0!, {{d8-d15}}\n",
            "vldmia r0, {{d8-d15}}\n",
            outer_of_two!("q4", "q5", "r6", "r10"), outer_of_two!("q6", "q7", "r7", "r11"),
            "vstmia r0!, {{d8-d15}}\n",
        ),
        concat!(
            "vldmia r0, {{d8-d11}}\n",
            outer_of_two!("q4", "q5", "r4", "r8"),
            "vstmia r0!, {{d8-d11}}\n",
        ),
        "";
        "vldmia r3, {{d0-d3}}",
        concat!(
            "vldmia r0, {{d8-d15}}\n",
            outer_of_one!("q4", "q5", "r4"), outer_of_one!("q6", "q7", "r5"),
            "vstmia r0!, {{d8-d15}}\n",
            "vldmia r0, {{d8-d15}}\n",
            outer_of_one!("q4", "q5", "r6"), outer_of_one!("q6", "q7", "r7"),
            "vstmia r0!, {{d8-d15}}\n",
        ),
        concat!(
            "vldmia r0, {{d8-d11}}\n",
            outer_of_one!("q4", "q5", "r4"),
            "vstmia r0!, {{d8-d11}}\n",
        ),
        ""
    )
}

/// `w[k, o] += g[o] · x[k]` over all pixels, up to four outputs.
///
/// # Safety
/// [`Panel::fits`] holds for the lengths of the three slices, and the panel has four lanes: every window, and as many factors at
/// every pixel as there are outputs, can be read, the weights read and written.
//
// The tables of registers stand above `panel`.
#[unsafe(naked)]
unsafe extern "C" fn half_panel_outer(panel: &Panel, weights: *mut f32, x: *const f32, g: *const f32) {
    panel!("2":
        lines!("vpstt", "vldrwt.u32 q0, [r3]", "vldrwt.u32 q1, [r4]"),
        concat!(
            "vldmia r0, {{d8-d15}}\n",
            half_outer_of_two!("q4", "r4", "r8"), half_outer_of_two!("q5", "r5", "r9"),
            half_outer_of_two!("q6", "r6", "r10"), half_outer_of_two!("q7", "r7", "r11"),
            "vstmia r0!, {{d8-d15}}\n",
        ),
        concat!(
            "vldrw.u32 q4, [r0]\n",
            half_outer_of_two!("q4", "r4", "r8"),
            "vstrw.32 q4, [r0], #16\n",
        ),
        "";
        lines!("vpst", "vldrwt.u32 q0, [r3]"),
        lines!(
            "vldmia r0, {{d8-d15}}",
            "vfma.f32 q4, q0, r4", "vfma.f32 q5, q0, r5", "vfma.f32 q6, q0, r6", "vfma.f32 q7, q0, r7",
            "vstmia r0!, {{d8-d15}}",
        ),
        lines!("vldrw.u32 q4, [r0]", "vfma.f32 q4, q0, r4", "vstrw.32 q4, [r0], #16"),
        ""
    )
}

/// Moves weights between a panel and a tensor where they lie apart, `n` times `lanes` of them. `$whole` and `$half` move those of
/// one element, for eight and for four lanes.
//
// | register       | holds                                                             |
// |----------------|-------------------------------------------------------------------|
// | {w}            | the element's first weight in the tensor                          |
// | {p}            | next weights of the panel                                         |
// | {step}         | bytes from an element to the next                                 |
// | {apart}        | floats from a lane's weight to the next lane's                    |
// | {n}, lr        | elements, elements that are left                                  |
// | r4             | the lane that VIDUP counts from                                   |
// | q0, q1         | the weights on their way                                          |
// | q6, q7         | offsets of the lanes 0 to 3 and 4 to 7 from {w}, in floats        |
// | P0             | the lanes in use, where they are up to four                       |
macro_rules! move_panel {
    ($panel:ident $room:ident, $lanes:ident, $weights:ident $pointer:ident, $steps:ident, $outputs:ident; $whole:expr, $half:expr) => {{
        let n = if $lanes == Panel::LANES { $panel.len() / 8 } else { $panel.len() / 4 };
        let lanes = if $lanes == Panel::LANES { $outputs == 8 } else { $lanes == 4 && $outputs.wrapping_sub(1) < 4 };
        // The products are computed in 64 bits: n and the outputs are small, so that no step makes them wrap.
        let last = || (n - 1) as u64 * $steps[0] as u64 + ($outputs - 1) as u64 * $steps[1] as u64;
        if n == 0 || !lanes || last() >= $weights.len() as u64 {
            return;
        }
        // SAFETY: the panel has n times as many floats as there are lanes; the last weight of the tensor was found to lie in it,
        // and the others come before it. There is an element and an output.
        unsafe {
            asm!(
                "vidup.u32 q6, r4, #1",
                "vidup.u32 q7, r4, #1",
                "vmul.i32 q6, q6, {apart}",
                "vmul.i32 q7, q7, {apart}",
                "vctp.32 {outputs}",
                "cmp {lanes}, #8",
                "bne 4f",
                "dls lr, {n}",
                "2:",
                $whole,
                "add {w}, {w}, {step}",
                "le lr, 2b",
                "b 6f",
                "4:",
                "dls lr, {n}",
                "5:",
                $half,
                "add {w}, {w}, {step}",
                "le lr, 5b",
                "6:",
                apart = in(reg) $steps[1], outputs = in(reg) $outputs, lanes = in(reg) $lanes,
                n = in(reg) n, w = inout(reg) $weights.$pointer() => _, step = in(reg) 4 * $steps[0],
                p = inout(reg) $panel.$room() => _, inout("r4") 0 => _, out("lr") _,
                out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                out("s24") _, out("s25") _, out("s26") _, out("s27") _, out("s28") _, out("s29") _, out("s30") _,
                out("s31") _,
                options(nostack),
            );
        }
    }};
}

/// Walks a rectangle of pixels, and runs `$pixel` at each. What stays in registers, sums or factors, is loaded by `$before` and
/// stored by `$after`.
//
// | register               | holds                                                                         |
// |------------------------|-------------------------------------------------------------------------------|
// | {a}, {b}               | the pixel in both images                                                      |
// | {f}                    | address of what stays                                                         |
// | {rows}                 | rows that are left                                                            |
// | {columns}, lr          | pixels of a row, pixels that are left; in `$before` and `$after` lr: address of an element |
// | {step_a}, {step_b}     | bytes from what was read of a pixel to the next                               |
// | {pitch_a}, {pitch_b}   | bytes from behind a row to the next                                           |
// | {apart}, {x}           | bytes between elements that lie apart; the element of `b`                     |
// | q0 to q3               | what stays, of up to sixteen channels                                         |
// | q4 to q7               | channels of the pixel in `a`, and in `b` where it has as many                 |
macro_rules! walk {
    ($before:expr, $pixel:expr, $after:expr, $walk:ident, $a:expr, $read_a:literal, $b:expr, $read_b:literal, $f:expr
     $(, $apart:ident $(, $value:ident)?)?) => {{
        let ([step_a, pitch_a], [step_b, pitch_b]) = ($walk.skips(0, $read_a), $walk.skips(1, $read_b));
        asm!(
            $before,
            "2:",
            "dls lr, {columns}",
            "3:",
            $pixel,
            "add {a}, {a}, {step_a}",
            "add {b}, {b}, {step_b}",
            "le lr, 3b",
            "add {a}, {a}, {pitch_a}",
            "add {b}, {b}, {pitch_b}",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            $after,
            a = inout(reg) $a => _, b = inout(reg) $b => _, f = in(reg) $f,
            rows = inout(reg) $walk.rows => _, columns = in(reg) $walk.columns, out("lr") _,
            step_a = in(reg) step_a, step_b = in(reg) step_b, pitch_a = in(reg) pitch_a, pitch_b = in(reg) pitch_b,
            $($apart = in(reg) 4 * $walk.$apart, $($value = out(reg) _,)?)?
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _, out("s15") _,
            out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _, out("s22") _, out("s23") _,
            out("s24") _, out("s25") _, out("s26") _, out("s27") _, out("s28") _, out("s29") _, out("s30") _, out("s31") _,
            options(nostack),
        );
    }};
}

/// Loads or stores what stays, an element at a time, where its elements lie apart.
macro_rules! apart {
    ($access:literal, 16) => {
        concat!(apart!($access, 8), apart!($access: "s8" "s9" "s10" "s11" "s12" "s13" "s14" "s15"))
    };
    ($access:literal, 8) => {
        concat!(apart!($access, 4), apart!($access: "s4" "s5" "s6" "s7"))
    };
    ($access:literal, 4) => {
        concat!(apart!($access, 1), apart!($access: "s1" "s2" "s3"))
    };
    ($access:literal, 1) => {
        concat!("mov lr, {f}\n", apart!($access: "s0"))
    };
    ($access:literal: $($register:literal)+) => {
        concat!($($access, " ", $register, ", [lr]\nadd lr, lr, {apart}\n"),+)
    };
}

/// The pass that writes a vector, held from q0 on, to every row.
macro_rules! rows_fill {
    (16, $($walk:tt)+) => {
        rows_fill!("{{d0-d7}}", 16, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        rows_fill!("{{d0-d1}}", 4, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        rows_fill!("{{s0}}", 1, $($walk)+)
    };
    ($vector:literal, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $vector), concat!("vstmia {a}!, ", $vector), "", $walk, $a, $read, $b, 0, $f)
    };
}

/// The pass that adds up all rows, with the sums from q0 on.
macro_rules! rows_sum {
    (16, $($walk:tt)+) => {
        rows_sum!("{{d0-d7}}", concat!(
            "vldmia {a}!, {{d8-d15}}\n",
            "vadd.f32 q0, q0, q4\nvadd.f32 q1, q1, q5\nvadd.f32 q2, q2, q6\nvadd.f32 q3, q3, q7\n",
        ), 16, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        rows_sum!("{{d0-d1}}", "vldrw.u32 q4, [{a}]\nvadd.f32 q0, q0, q4", 0, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        rows_sum!("{{s0}}", "vldr s16, [{a}]\nvadd.f32 s0, s0, s16", 0, $($walk)+)
    };
    ($sums:literal, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $sums), $pixel, concat!("vstmia {f}, ", $sums), $walk, $a, $read, $b, 0, $f)
    };
}

/// The pass that adds up the products of both images, with the sums from q0 on.
macro_rules! walk_sum {
    (16, $($walk:tt)+) => {
        walk_sum!("{{d0-d7}}", concat!(
            "vldmia {a}!, {{d8-d11}}\nvldmia {b}!, {{d12-d15}}\n",
            "vfma.f32 q0, q4, q6\nvfma.f32 q1, q5, q7\n",
            "vldmia {a}!, {{d8-d11}}\nvldmia {b}!, {{d12-d15}}\n",
            "vfma.f32 q2, q4, q6\nvfma.f32 q3, q5, q7\n",
        ), 16, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        walk_sum!("{{d0-d1}}", "vldrw.u32 q4, [{a}]\nvldrw.u32 q5, [{b}]\nvfma.f32 q0, q4, q5", 0, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        walk_sum!("{{s0}}", "vldr s16, [{a}]\nvldr s20, [{b}]\nvfma.f32 s0, s16, s20", 0, $($walk)+)
    };
    ($sums:literal, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $sums), $pixel, concat!("vstmia {f}, ", $sums), $walk, $a, $read, $b, $read, $f)
    };
}

/// The pass that adds `b` times the factors, held from q0 on, to `a`.
macro_rules! walk_add {
    (16, $($walk:tt)+) => {
        walk_add!("{{d0-d7}}", concat!(
            "vldmia {a}, {{d8-d11}}\nvldmia {b}!, {{d12-d15}}\n",
            "vfma.f32 q4, q6, q0\nvfma.f32 q5, q7, q1\n",
            "vstmia {a}!, {{d8-d11}}\n",
            "vldmia {a}, {{d8-d11}}\nvldmia {b}!, {{d12-d15}}\n",
            "vfma.f32 q4, q6, q2\nvfma.f32 q5, q7, q3\n",
            "vstmia {a}!, {{d8-d11}}\n",
        ), 16, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        walk_add!(
            "{{d0-d1}}", "vldrw.u32 q4, [{a}]\nvldrw.u32 q5, [{b}]\nvfma.f32 q4, q5, q0\nvstrw.32 q4, [{a}]", 0, $($walk)+
        )
    };
    (1, $($walk:tt)+) => {
        walk_add!(
            "{{s0}}", "vldr s16, [{a}]\nvldr s20, [{b}]\nvfma.f32 s16, s20, s0\nvstr s16, [{a}]", 0, $($walk)+
        )
    };
    ($factors:literal, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(concat!("vldmia {f}, ", $factors), $pixel, "", $walk, $a, $read, $b, $read, $f)
    };
}

/// The pass that adds up `a` times the one element of `b`, with the sums from q0 on.
macro_rules! spread_sum {
    (16, $($walk:tt)+) => {
        spread_sum!(apart 16, concat!(
            "vldmia {a}!, {{d8-d15}}\nldr {x}, [{b}]\n",
            "vfma.f32 q0, q4, {x}\nvfma.f32 q1, q5, {x}\nvfma.f32 q2, q6, {x}\nvfma.f32 q3, q7, {x}\n",
        ), 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        spread_sum!(apart 8, concat!(
            "vldmia {a}!, {{d8-d11}}\nldr {x}, [{b}]\n",
            "vfma.f32 q0, q4, {x}\nvfma.f32 q1, q5, {x}\n",
        ), 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        spread_sum!(apart 4, "vldrw.u32 q4, [{a}]\nldr {x}, [{b}]\nvfma.f32 q0, q4, {x}", 0, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        spread_sum!(apart 1, "vldr s16, [{a}]\nldr {x}, [{b}]\nvmov s20, {x}\nvfma.f32 s0, s16, s20", 0, $($walk)+)
    };
    (apart $size:tt, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(apart!("vldr", $size), $pixel, apart!("vstr", $size), $walk, $a, $read, $b, 0, $f, apart, x)
    };
}

/// The pass that adds the one element of `b` times the factors, held from q0 on, to `a`.
macro_rules! spread_add {
    (16, $($walk:tt)+) => {
        spread_add!(apart 16, concat!(
            "vldmia {a}, {{d8-d15}}\nldr {x}, [{b}]\n",
            "vfma.f32 q4, q0, {x}\nvfma.f32 q5, q1, {x}\nvfma.f32 q6, q2, {x}\nvfma.f32 q7, q3, {x}\n",
            "vstmia {a}!, {{d8-d15}}\n",
        ), 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        spread_add!(apart 8, concat!(
            "vldmia {a}, {{d8-d11}}\nldr {x}, [{b}]\n",
            "vfma.f32 q4, q0, {x}\nvfma.f32 q5, q1, {x}\n",
            "vstmia {a}!, {{d8-d11}}\n",
        ), 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        spread_add!(
            apart 4, "vldrw.u32 q4, [{a}]\nldr {x}, [{b}]\nvfma.f32 q4, q0, {x}\nvstrw.32 q4, [{a}]", 0, $($walk)+
        )
    };
    (1, $($walk:tt)+) => {
        spread_add!(
            apart 1, "vldr s16, [{a}]\nldr {x}, [{b}]\nvmov s20, {x}\nvfma.f32 s16, s20, s0\nvstr s16, [{a}]", 0, $($walk)+
        )
    };
    (apart $size:tt, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(apart!("vldr", $size), $pixel, "", $walk, $a, $read, $b, 0, $f, apart, x)
    };
}

/// The pass that adds the sum of `a` times the factors, held from q0 on, to the one element of `b`.
macro_rules! gather_add {
    (16, $($walk:tt)+) => {
        gather_add!(apart 16, concat!(
            "vldmia {a}!, {{d8-d15}}\n",
            "vmul.f32 q4, q4, q0\nvfma.f32 q4, q5, q1\nvfma.f32 q4, q6, q2\nvfma.f32 q4, q7, q3\n",
            "vldr s24, [{b}]\n",
            gather_add!(),
        ), 16, $($walk)+)
    };
    (8, $($walk:tt)+) => {
        gather_add!(apart 8, concat!(
            "vldmia {a}!, {{d8-d11}}\nvldr s24, [{b}]\n",
            "vmul.f32 q4, q4, q0\nvfma.f32 q4, q5, q1\n",
            gather_add!(),
        ), 8, $($walk)+)
    };
    (4, $($walk:tt)+) => {
        gather_add!(apart 4, concat!(
            "vldmia {a}!, {{d8-d9}}\nvldr s24, [{b}]\n",
            "vmul.f32 q4, q4, q0\n",
            gather_add!(),
        ), 4, $($walk)+)
    };
    (1, $($walk:tt)+) => {
        gather_add!(apart 1, "vldr s16, [{a}]\nvldr s24, [{b}]\nvfma.f32 s24, s16, s0\nvstr s24, [{b}]", 0, $($walk)+)
    };
    () => {
        concat!(
            "vadd.f32 s16, s16, s17\nvadd.f32 s18, s18, s19\n",
            "vadd.f32 s24, s24, s16\nvadd.f32 s24, s24, s18\n",
            "vstr s24, [{b}]\n",
        )
    };
    (apart $size:tt, $pixel:expr, $read:literal, $walk:ident, $a:expr, $b:expr, $f:expr) => {
        walk!(apart!("vldr", $size), $pixel, "", $walk, $a, $read, $b, 0, $f, apart)
    };
}

/// The forward pass. Its sums start with those of `start`, or go on with those in `output`.
#[inline(never)]
fn rows_dot_from(weights: &[f32], stride: usize, input: &[f32], start: Option<&[f32]>, output: &mut [f32]) {
    let from = start.map_or(output.as_ptr(), |start| start.as_ptr());
    let started = start.is_none_or(|start| start.len() >= output.len());
    if !started || !rows_fit(weights.len(), stride, output.len(), input.len()) {
        return;
    }
    let (blocks, rest) = output.as_chunks_mut::<4>();
    if !blocks.is_empty() {
        let (y, n) = (blocks.as_mut_ptr().cast(), input.len());
        // SAFETY: `rows_fit` found the `n` floats of every row, and `input` has as many; `output` and `from` have four per block.
        unsafe { dot_blocks(weights.as_ptr(), 4 * stride, input.as_ptr(), n, y, blocks.len(), from) }
    }
    let mut from = from.wrapping_add(4 * blocks.len());
    let mut row = weights.as_ptr().wrapping_add(4 * blocks.len() * stride);
    for y in rest {
        // SAFETY: `rows_fit` found the floats of every row, as many as `input` has and not none; `from` has one for each output.
        // Registers: {x} and {w} point to the next columns, lr counts those that are left, q0 and q1 hold them, q2 the sum in four
        // parts.
        unsafe {
            asm!(
                "vmov.i32 q2, #0",
                "dlstp.32 lr, {n}",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vldrw.u32 q1, [{w}], #16",
                "vfma.f32 q2, q1, q0",
                "letp lr, 2b",
                "vldr s0, [{from}]",
                "vadd.f32 s8, s8, s9",
                "vadd.f32 s10, s10, s11",
                "vadd.f32 s0, s0, s8",
                "vadd.f32 s0, s0, s10",
                "vstr s0, [{y}]",
                n = in(reg) input.len(), x = inout(reg) input.as_ptr() => _, w = inout(reg) row => _, y = in(reg) y, from = in(reg) from,
                out("lr") _,
                out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                out("s8") _, out("s9") _, out("s10") _, out("s11") _,
                options(nostack),
            );
        }
        (row, from) = (row.wrapping_add(stride), from.wrapping_add(1));
    }
}

// One copy of each pass, not one per caller: the loops are long, and the callers keep their registers.
impl Number for f32 {
    #[inline]
    fn rows_dot(weights: &[f32], stride: usize, input: &[f32], output: &mut [f32]) {
        rows_dot_from(weights, stride, input, None, output);
    }

    #[inline]
    fn rows_affine(weights: &[f32], stride: usize, bias: &[f32], input: &[f32], output: &mut [f32]) {
        rows_dot_from(weights, stride, input, Some(bias), output);
    }

    #[inline(never)]
    fn rows_transposed(weights: &[f32], stride: usize, d_output: &[f32], d_input: &mut [f32]) {
        if !rows_fit(weights.len(), stride, d_output.len(), d_input.len()) {
            return;
        }
        let (blocks, rest) = d_output.as_chunks::<4>();
        if !blocks.is_empty() {
            let (g, n) = (blocks.as_ptr().cast(), d_input.len());
            // SAFETY: `rows_fit` found the `n` floats of every row, and `d_input` has as many, which are written; there are four
            // factors per block.
            unsafe { add_blocks(weights.as_ptr(), 4 * stride, d_input.as_mut_ptr(), n, g, blocks.len()) }
        }
        let mut row = weights.as_ptr().wrapping_add(4 * blocks.len() * stride);
        for &g in rest {
            // SAFETY: `rows_fit` found the floats of every row, and `d_input` has as many, which are written, and not none.
            // Registers: {dx} and {w} point to the next columns, lr counts those that are left, q0 and q1 hold them.
            unsafe {
                asm!(
                    "dlstp.32 lr, {n}",
                    "2:",
                    "vldrw.u32 q0, [{dx}]",
                    "vldrw.u32 q1, [{w}], #16",
                    "vfma.f32 q0, q1, {g}",
                    "vstrw.32 q0, [{dx}], #16",
                    "letp lr, 2b",
                    n = in(reg) d_input.len(), dx = inout(reg) d_input.as_mut_ptr() => _, w = inout(reg) row => _,
                    g = in(reg) g.to_bits(), out("lr") _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                    options(nostack),
                );
            }
            row = row.wrapping_add(stride);
        }
    }

    #[inline(never)]
    fn rows_outer(weights: &mut [f32], stride: usize, d_output: &[f32], input: &[f32]) {
        if !rows_fit(weights.len(), stride, d_output.len(), input.len()) {
            return;
        }
        let (blocks, rest) = d_output.as_chunks::<4>();
        if !blocks.is_empty() {
            let (g, n) = (blocks.as_ptr().cast(), input.len());
            // SAFETY: `rows_fit` found the `n` floats of every row, which are written, and `input` has as many; there are four
            // factors per block.
            unsafe { update_blocks(weights.as_mut_ptr(), 4 * stride, input.as_ptr(), n, g, blocks.len()) }
        }
        let mut row = weights.as_mut_ptr().wrapping_add(4 * blocks.len() * stride);
        for &g in rest {
            // SAFETY: `rows_fit` found the floats of every row, which are written, and `input` has as many, and not none.
            // Registers: {x} and {w} point to the next columns, lr counts those that are left, q0 and q1 hold them.
            unsafe {
                asm!(
                    "dlstp.32 lr, {n}",
                    "2:",
                    "vldrw.u32 q0, [{x}], #16",
                    "vldrw.u32 q1, [{w}]",
                    "vfma.f32 q1, q0, {g}",
                    "vstrw.32 q1, [{w}], #16",
                    "letp lr, 2b",
                    n = in(reg) input.len(), x = inout(reg) input.as_ptr() => _, w = inout(reg) row => _,
                    g = in(reg) g.to_bits(), out("lr") _,
                    out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
                    options(nostack),
                );
            }
            row = row.wrapping_add(stride);
        }
    }

    walking_passes!(walk [16 4 1], spread [16 8 4 1]);

    const PANELS: bool = true;

    #[inline]
    fn with_panel(work: impl FnOnce(&mut [f32])) {
        let mut room = MaybeUninit::<[f32; Panel::WEIGHTS]>::uninit();
        // SAFETY: the compiler has to take it that the empty assembly writes to the room, so that nothing there counts as
        // uninitialised; whatever bits lie there are those of floats.
        let room = unsafe {
            asm!("/* {0} */", in(reg) &mut room, options(nostack, preserves_flags));
            room.assume_init_mut()
        };
        work(room);
    }

    #[inline(never)]
    fn panel_load(panel: &mut [f32], lanes: usize, weights: &[f32], steps: [usize; 2], outputs: usize) {
        move_panel!(
            panel as_mut_ptr, lanes, weights as_ptr, steps, outputs;
            lines!("vldrw.u32 q0, [{w}, q6, uxtw #2]", "vldrw.u32 q1, [{w}, q7, uxtw #2]", "vstmia {p}!, {{d0-d3}}"),
            lines!("vpst", "vldrwt.u32 q0, [{w}, q6, uxtw #2]", "vstrw.32 q0, [{p}], #16")
        );
    }

    #[inline(never)]
    fn panel_store(panel: &[f32], lanes: usize, weights: &mut [f32], steps: [usize; 2], outputs: usize) {
        move_panel!(
            panel as_ptr, lanes, weights as_mut_ptr, steps, outputs;
            lines!("vldmia {p}!, {{d0-d3}}", "vstrw.32 q0, [{w}, q6, uxtw #2]", "vstrw.32 q1, [{w}, q7, uxtw #2]"),
            lines!("vldrw.u32 q0, [{p}], #16", "vpst", "vstrwt.32 q0, [{w}, q6, uxtw #2]")
        );
    }

    #[inline]
    fn panel_sum(panel: &Panel, weights: &[f32], x: &[f32], sums: &mut [f32]) {
        if panel.fits(weights.len(), x.len(), sums.len()) {
            let pass = if panel.lanes == Panel::LANES { panel_sum } else { half_panel_sum };
            // SAFETY: `fits` found the panel in `weights` and every window in `x`, which are read, and the sums of every pixel in
            // `sums`, which are read and written; the pass is the one for so many lanes.
            unsafe { pass(panel, weights.as_ptr(), x.as_ptr(), sums.as_mut_ptr()) }
        }
    }

    #[inline]
    fn panel_outer(panel: &Panel, weights: &mut [f32], x: &[f32], factors: &[f32]) {
        if panel.fits(weights.len(), x.len(), factors.len()) {
            let pass = if panel.lanes == Panel::LANES { panel_outer } else { half_panel_outer };
            // SAFETY: `fits` found every window in `x` and the factors of every pixel in `factors`, which are read, and the panel
            // in `weights`, which is read and written; the pass is the one for so many lanes.
            unsafe { pass(panel, weights.as_mut_ptr(), x.as_ptr(), factors.as_ptr()) }
        }
    }
}

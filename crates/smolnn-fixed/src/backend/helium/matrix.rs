//! Columns times the matrix layouts of `pack`: four output channels of a pixel at a time.

use core::arch::naked_asm;

use super::pack::{BLOCK, Chunks, MATRIX_PARAMETERS, TO_INT16_PARAMETERS};
use super::vector::{Splat, helium};
use crate::quantise::OutputRange;

/// The arguments of the kernels. The assembly names fields by their offsets in bytes, which stand beside them.
#[repr(C)]
struct Call {
    column: *const i8,    // 0
    column_stride: usize, // 4
    pixels: usize,        // 8
    words: *const u32,    // 12
    blocks: usize,        // 16
    output: *mut i8,      // 20
    output_skip: usize,   // 24: from behind a pixel's last block to the next pixel's first output
    passes: usize,        // 28
    zero_point: i32,      // 32
    _align: [u32; 3],     // 36
    bounds: [Splat; 2],   // 48, 64
}

/// Pixels to be multiplied: `count` columns, `stride` bytes apart, each readable up to the filled-up depth.
pub(super) struct Columns {
    pub first: *const i8,
    pub stride: usize,
    pub count: usize,
}

/// Multiplies the columns by the packed `words` of `channels` output channels; the pixels of the output follow each
/// other.
///
/// # Safety
/// The columns can be read, `words` are the matrix layout of that depth and channels, and `output` has room for
/// `columns.count · channels` elements. Output may be written over columns of pixels that came before.
pub(super) unsafe fn multiply(
    columns: &Columns,
    depth: usize,
    words: &[u32],
    channels: usize,
    range: &OutputRange,
    output: *mut i8,
) {
    let chunks = Chunks::of(depth);
    let (blocks, rest) = (channels / BLOCK, channels % BLOCK);
    let mut call = Call {
        column: columns.first,
        column_stride: columns.stride,
        pixels: columns.count,
        words: words.as_ptr(),
        blocks,
        output,
        output_skip: rest,
        passes: chunks.passes,
        zero_point: range.zero_point,
        _align: [0; 3],
        bounds: super::vector::bounds(range),
    };
    if rest != 0 {
        // The last block is not full but writes four bytes. It writes them to `side`, pixel by pixel, so that neither the next
        // pixel's output nor a column that is still to be read is overwritten.
        for pixel in 0..columns.count {
            let mut side = [0_i8; BLOCK];
            call.column = columns.first.wrapping_add(pixel * columns.stride);
            call.pixels = 1;
            call.blocks = blocks;
            call.words = words.as_ptr();
            call.output = output.wrapping_add(pixel * channels);
            // SAFETY: the column can be read, the words are those of all blocks, and the last block writes to the side.
            unsafe {
                if blocks > 0 {
                    run(chunks, &mut call);
                }
                call.pixels = 1;
                call.blocks = 1;
                call.words = words.as_ptr().wrapping_add(blocks * chunks.block_words(MATRIX_PARAMETERS));
                call.output = side.as_mut_ptr();
                run(chunks, &mut call);
                for (lane, &value) in side.iter().take(rest).enumerate() {
                    *output.wrapping_add(pixel * channels + blocks * BLOCK + lane) = value;
                }
            }
        }
    } else if columns.count > 0 {
        // SAFETY: the columns can be read, the words are those of all blocks, and the output has room for every pixel.
        unsafe { run(chunks, &mut call) }
    }
}

/// Multiplies one column by the layout to int16; outputs are int16.
///
/// # Safety
/// The column can be read up to the filled-up depth, `words` are the layout to int16 of that depth and as many channels as
/// the output has elements.
pub(super) unsafe fn multiply_to_int16(column: *const i8, depth: usize, words: &[u32], output: &mut [i16]) {
    let chunks = Chunks::of(depth);
    let (blocks, rest) = (output.len() / BLOCK, output.len() % BLOCK);
    let range = OutputRange::int16();
    let mut call = Call {
        column,
        column_stride: 0,
        pixels: 1,
        words: words.as_ptr(),
        blocks,
        output: output.as_mut_ptr().cast(),
        output_skip: 0,
        passes: chunks.passes,
        zero_point: 0,
        _align: [0; 3],
        bounds: super::vector::bounds(&range),
    };
    // SAFETY: the column can be read, the words are those of all blocks, and the last block writes to the side.
    unsafe {
        if blocks > 0 {
            run_to_int16(chunks, &mut call);
        }
        if rest != 0 {
            let mut side = [0_i16; BLOCK];
            call.pixels = 1;
            call.blocks = 1;
            call.words = words.as_ptr().wrapping_add(blocks * chunks.block_words(TO_INT16_PARAMETERS));
            call.output = side.as_mut_ptr().cast();
            run_to_int16(chunks, &mut call);
            for (result, &value) in output.iter_mut().skip(blocks * BLOCK).zip(&side) {
                *result = value;
            }
        }
    }
}

/// Runs the kernel of these chunks, to int16.
///
/// # Safety
/// The call's column can be read up to the filled-up depth; `words` has `blocks` blocks of the layout to int16, four outputs of
/// int16 can be written for each. There is one pixel, and at least one block.
#[inline]
unsafe fn run_to_int16(chunks: Chunks, call: &mut Call) {
    // SAFETY: the kernel is the one of these chunks; pointers and counts of the call are good for it, as the caller vouches.
    unsafe {
        match (chunks.passes, chunks.count) {
            (1, 1) => to_int16_single_1(call),
            (1, 2) => to_int16_single_2(call),
            (1, 3) => to_int16_single_3(call),
            (1, _) => to_int16_single_4(call),
            (_, 3) => to_int16_several_3(call),
            (_, _) => to_int16_several_4(call),
        }
    }
}

/// Runs the kernel of these chunks, to int8.
///
/// # Safety
/// The call's columns can be read up to the filled-up depth; `words` has `blocks` blocks of the matrix layout, four outputs can
/// be written for each block of each pixel. Pixels and blocks are at least 1.
#[inline]
unsafe fn run(chunks: Chunks, call: &mut Call) {
    let aligned = (call.column as usize).is_multiple_of(4) && call.column_stride.is_multiple_of(4);
    // SAFETY: the kernel is the one of these chunks; pointers and counts of the call are good for it, as the caller vouches.
    unsafe {
        match (chunks.passes, chunks.count, aligned) {
            (1, 1, _) => single_1(call),
            (1, 2, _) => single_2(call),
            (1, 3, _) => single_3(call),
            (1, _, _) => single_4(call),
            (_, 3, true) => several_3_aligned(call),
            (_, 3, false) => several_3(call),
            (_, _, true) => several_4_aligned(call),
            (_, _, false) => several_4(call),
        }
    }
}

/// Requantises the accumulators r0, r2, r4, r6 with the parameters at r3 and stores four outputs at r5. The bounds are in the
/// vectors given, the zero point in r9, the number 1 in r11; q4 and q5 are overwritten.
macro_rules! finish {
    ($least:literal, $largest:literal) => {
        concat!(
            "vmov d8, r0, r2\n",
            "vmov d9, r4, r6\n",
            "vldrw.u32 q5, [r3], #16\n",
            "vqrdmulh.s32 q4, q4, q5\n",
            "vqdmlah.s32 q4, q4, r11\n",
            "vldrw.u32 q5, [r3], #16\n",
            "vrshl.s32 q4, q4, q5\n",
            "vadd.i32 q4, q4, r9\n",
            "vmax.s32 q4, q4, ",
            $least,
            "\n",
            "vmin.s32 q4, q4, ",
            $largest,
            "\n",
            "vstrb.32 q4, [r5], #4\n",
        )
    };
}

/// Requantises the accumulators r0, r2, r4, r6 to int16 with the parameters at r3 and stores four outputs at r5. Shifts to the
/// left and to the right may be 0. Where the right shift is 0, the −1 for negative values must not be added, so it is computed
/// from the sign of the shift. The bounds come from memory, whatever the vectors given; q4 to q6 are overwritten.
macro_rules! finish_to_int16 {
    ($least:literal, $largest:literal) => {
        concat!(
            "vmov d8, r0, r2\n",
            "vmov d9, r4, r6\n",
            "vldrw.u32 q5, [r3], #16\n",
            "vshl.s32 q4, q4, q5\n",
            "vldrw.u32 q5, [r3], #16\n",
            "vqrdmulh.s32 q4, q4, q5\n",
            "vldrw.u32 q5, [r3], #16\n",
            "vand q6, q4, q5\n",
            "vshr.s32 q6, q6, #31\n",
            "vadd.i32 q4, q4, q6\n",
            "vrshl.s32 q4, q4, q5\n",
            "vldrw.u32 q6, [r12, #48]\n",
            "vmax.s32 q4, q4, q6\n",
            "vldrw.u32 q6, [r12, #64]\n",
            "vmin.s32 q4, q4, q6\n",
            "vstrh.32 q4, [r5], #8\n",
        )
    };
}

/// For each row: loads the weights of a channel, and multiplies them by the column's chunks.
macro_rules! rows {
    ($load:literal, $($row:literal: $($multiply:literal)+;)+) => {
        concat!($($load, "\n", $("vmladava.s8 ", $row, ", ", $multiply, "\n",)+)+)
    };
}

/// The four channels of a block, whose sums are r0, r2, r4 and r6.
macro_rules! four_rows {
    ($load:literal: $($multiply:literal)+) => {
        concat!(
            rows!($load, "r0": $($multiply)+;),
            rows!($load, "r2": $($multiply)+;),
            rows!($load, "r4": $($multiply)+;),
            rows!($load, "r6": $($multiply)+;),
        )
    };
}

/// The kernels for columns of up to 64 bytes: a pixel's column stays in registers for all its channels.
macro_rules! single {
    ($name:ident, $finish:ident, $column:literal, $constants:literal, $rows:expr, $least:literal, $largest:literal, $reload:literal) => {
        /// # Safety
        /// The call's columns can be read up to the filled-up depth, which has this kernel's chunks; `words` has `blocks` blocks of
        /// that depth, four outputs can be written for each block of each pixel. Pixels and blocks are at least 1.
        //
        // | register       | holds                                                                     |
        // |----------------|---------------------------------------------------------------------------|
        // | r0, r2, r4, r6 | sums of the block's four channels; r0 between pixels `output_skip`        |
        // | r1             | the column of the next pixel                                              |
        // | r3             | next words: biases, weights and parameters of the blocks                  |
        // | r5             | next output                                                               |
        // | r7             | `column_stride`                                                           |
        // | r8             | pixels that are left                                                      |
        // | r9             | the zero point                                                            |
        // | r10, lr        | blocks; blocks that are left                                              |
        // | r11            | 1, the factor of VQDMLAH                                                  |
        // | r12            | the call                                                                  |
        // | q0 to q3       | the column, a chunk in each                                               |
        // | q4 to q7       | weights of a channel, a chunk in each; then q4: the four sums, q5 and q6: parameters |
        // | two of q3, q6, q7 | bounds, where the chunks leave room; else they are loaded for each block |
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: *mut Call) {
            naked_asm!(
                helium!(),
                "push {{r4-r11, lr}}",
                "vpush {{d8-d15}}",
                "mov r12, r0",
                "ldr r1, [r12]",
                "ldrd r7, r8, [r12, #4]",
                "ldrd r10, r5, [r12, #16]",
                "ldr r9, [r12, #32]",
                "mov r11, #1",
                $constants,
                "2:",
                "ldr r3, [r12, #12]",
                $column,
                "add r1, r1, r7",
                "dls lr, r10",
                "3:",
                "ldmia r3!, {{r0, r2, r4, r6}}",
                $rows,
                $reload,
                $finish!($least, $largest),
                "le lr, 3b",
                "ldr r0, [r12, #24]",
                "add r5, r5, r0",
                "subs r8, #1",
                "bne 2b",
                "vpop {{d8-d15}}",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

single!(
    single_1,
    finish,
    "vldrb.u8 q0, [r1]",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldrw.u32 q4, [r3], #16": "q0, q4"),
    "q6",
    "q7",
    ""
);
single!(
    to_int16_single_1,
    finish_to_int16,
    "vldrb.u8 q0, [r1]",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldrw.u32 q4, [r3], #16": "q0, q4"),
    "q6",
    "q7",
    ""
);
single!(
    single_2,
    finish,
    "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldmia r3!, {{d8-d11}}": "q0, q4" "q1, q5"),
    "q6",
    "q7",
    ""
);
single!(
    to_int16_single_2,
    finish_to_int16,
    "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldmia r3!, {{d8-d11}}": "q0, q4" "q1, q5"),
    "q6",
    "q7",
    ""
);
single!(
    single_3,
    finish,
    "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]\nvldrb.u8 q2, [r1, #32]",
    "vldrw.u32 q3, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
    "q3",
    "q7",
    ""
);
single!(
    to_int16_single_3,
    finish_to_int16,
    "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]\nvldrb.u8 q2, [r1, #32]",
    "vldrw.u32 q3, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
    "q3",
    "q7",
    ""
);
single!(
    single_4,
    finish,
    "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]\nvldrb.u8 q2, [r1, #32]\nvldrb.u8 q3, [r1, #48]",
    "",
    four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    "q6",
    "q7",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]"
);
single!(
    to_int16_single_4,
    finish_to_int16,
    "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]\nvldrb.u8 q2, [r1, #32]\nvldrb.u8 q3, [r1, #48]",
    "",
    four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    "q6",
    "q7",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]"
);

/// The kernels for longer columns, which are read again for every four channels, `count` chunks at a time.
macro_rules! several {
    ($name:ident, $finish:ident, $column:literal, $constants:literal, $rows:expr, $least:literal, $largest:literal, $reload:literal) => {
        /// # Safety
        /// The call's columns can be read up to the filled-up depth, which has this kernel's chunks; `words` has `blocks` blocks of
        /// that depth, four outputs can be written for each block of each pixel. Pixels and blocks are at least 1.
        //
        // | register       | holds                                                                     |
        // |----------------|---------------------------------------------------------------------------|
        // | r0, r2, r4, r6 | sums of the block's four channels                                         |
        // | r1             | next bytes of the column; between pixels the pixels that are left         |
        // | r3             | next words: biases, weights and parameters of the blocks                  |
        // | r5             | next output                                                               |
        // | r7             | blocks that are left                                                      |
        // | r8, lr         | passes; passes that are left                                              |
        // | r9             | the zero point                                                            |
        // | r10            | the pixel's column                                                        |
        // | r11            | 1, the factor of VQDMLAH                                                  |
        // | r12            | the call                                                                  |
        // | q0 to q3       | chunks of the column                                                      |
        // | q4 to q7       | weights of a channel, a chunk in each; then q4: the four sums, q5 and q6: parameters |
        // | two of q3, q6, q7 | bounds, where the chunks leave room; else they are loaded for each block |
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: *mut Call) {
            naked_asm!(
                helium!(),
                "push {{r4-r11, lr}}",
                "vpush {{d8-d15}}",
                "mov r12, r0",
                "ldr r10, [r12]",
                "ldr r5, [r12, #20]",
                "ldrd r8, r9, [r12, #28]",
                "mov r11, #1",
                $constants,
                "2:",
                "ldrd r3, r7, [r12, #12]",
                "3:",
                "ldmia r3!, {{r0, r2, r4, r6}}",
                "mov r1, r10",
                "dls lr, r8",
                "4:",
                $column,
                $rows,
                "le lr, 4b",
                $reload,
                $finish!($least, $largest),
                "subs r7, #1",
                "bne 3b",
                "ldrd r0, r1, [r12, #4]",
                "add r10, r10, r0",
                "ldr r0, [r12, #24]",
                "add r5, r5, r0",
                // The pixels that are left are counted in the call itself, since no register is free.
                "subs r1, #1",
                "str r1, [r12, #8]",
                "bne 2b",
                "vpop {{d8-d15}}",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

several!(
    several_3_aligned,
    finish,
    "vldmia r1!, {{d0-d5}}",
    "vldrw.u32 q3, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
    "q3",
    "q7",
    ""
);
several!(
    several_3,
    finish,
    "vldrb.u8 q0, [r1], #16\nvldrb.u8 q1, [r1], #16\nvldrb.u8 q2, [r1], #16",
    "vldrw.u32 q3, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
    "q3",
    "q7",
    ""
);
several!(
    to_int16_several_3,
    finish_to_int16,
    "vldrb.u8 q0, [r1], #16\nvldrb.u8 q1, [r1], #16\nvldrb.u8 q2, [r1], #16",
    "vldrw.u32 q3, [r12, #48]\nvldrw.u32 q7, [r12, #64]",
    four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
    "q3",
    "q7",
    ""
);
several!(
    several_4_aligned,
    finish,
    "vldmia r1!, {{d0-d7}}",
    "",
    four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    "q6",
    "q7",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]"
);
several!(
    several_4,
    finish,
    "vldrb.u8 q0, [r1], #16\nvldrb.u8 q1, [r1], #16\nvldrb.u8 q2, [r1], #16\nvldrb.u8 q3, [r1], #16",
    "",
    four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    "q6",
    "q7",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]"
);
several!(
    to_int16_several_4,
    finish_to_int16,
    "vldrb.u8 q0, [r1], #16\nvldrb.u8 q1, [r1], #16\nvldrb.u8 q2, [r1], #16\nvldrb.u8 q3, [r1], #16",
    "",
    four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    "q6",
    "q7",
    "vldrw.u32 q6, [r12, #48]\nvldrw.u32 q7, [r12, #64]"
);

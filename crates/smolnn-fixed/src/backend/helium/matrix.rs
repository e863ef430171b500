//! Columns times the matrix layouts of `pack`: four output channels of a pixel at a time.

use core::arch::naked_asm;

use super::pack::{BLOCK, Chunks, MATRIX_PARAMETERS, TO_INT16_PARAMETERS};
use super::vector::{Splat, helium};
use crate::quantise::OutputRange;

/// What the assembly reads; the offsets stand in it.
#[repr(C)]
struct Call {
    column: *const i8,    // 0
    column_stride: usize, // 4
    pixels: usize,        // 8
    words: *const u32,    // 12
    blocks: usize,        // 16
    output: *mut i8,      // 20
    output_skip: usize,   // 24: from behind the last block to the next pixel
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
        // The block that is not full writes four bytes: to the side, pixel by pixel, before the others overwrite the
        // columns.
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

/// # Safety
/// The call's pointers are as [`multiply_to_int16`] says, pixels and blocks at least 1.
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

/// # Safety
/// The call's pointers are as [`multiply`] says, pixels and blocks at least 1.
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

/// Requantises the accumulators r0, r2, r4, r6 and stores four outputs at r5; bounds in the vectors given.
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

/// As `finish!`, to int16, with shifts to the left and to the right by 0 or more: the −1 for what is negative must not be
/// added where the right shift is 0, so it comes out of the shift's own sign.
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

/// Four rows: each loads its weights and multiplies.
macro_rules! rows {
    ($load:literal, $($row:literal: $($multiply:literal)+;)+) => {
        concat!($($load, "\n", $("vmladava.s8 ", $row, ", ", $multiply, "\n",)+)+)
    };
}

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

/// Columns of up to 64: a pixel's column stays in registers for all its channels.
macro_rules! single {
    ($name:ident, $finish:ident, $column:literal, $constants:literal, $rows:expr, $least:literal, $largest:literal, $reload:literal) => {
        /// # Safety
        /// See [`multiply`].
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

/// Longer columns: read again for every four channels, `count` chunks at a time.
macro_rules! several {
    ($name:ident, $finish:ident, $column:literal, $constants:literal, $rows:expr, $least:literal, $largest:literal, $reload:literal) => {
        /// # Safety
        /// See [`multiply`].
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
                // The count of pixels lives in the call, which is used up.
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

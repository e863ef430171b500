//! Columns times the matrix layouts of `pack`: four output channels of a pixel at a time.

use core::arch::naked_asm;
use core::mem::MaybeUninit;
use core::num::NonZeroUsize;

use super::copy::{Patches, clamp, copy, copy_patches};
use super::pack::{BLOCK, CHUNK, Chunks, TO_INT16_PARAMETERS};
use super::vector::helium;
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
}

/// Pixels to be multiplied: `count` columns, `stride` bytes apart, each readable up to the filled-up depth.
pub(super) struct Columns {
    pub first: *const i8,
    pub stride: usize,
    pub count: usize,
}

/// Bytes on the stack for outputs of layers whose last block is not full.
const SIDE: usize = 128;
/// Channels up to which all outputs of such a layer go there. Of more channels those of the last block alone do: that second pass costs
/// less than the copies.
const FEW: usize = 32;

/// A loop over the pixels and the blocks of a call.
type Kernel = unsafe extern "C" fn(&mut Call);

/// The loops that a layer runs. A layer that is a constant chooses its own where it is called, so that its program holds no others.
pub(super) struct Kernels {
    /// For columns anywhere, and for columns of whole words.
    any: Kernel,
    aligned: Kernel,
    /// What runs them where the last block is not full.
    unfilled: Option<unsafe fn(&mut Matrix<'_>, Kernel)>,
    /// Bytes of a column that a pass multiplies.
    bytes: NonZeroUsize,
}

impl Kernels {
    /// The loops of layers with `depth` inputs and `channels` outputs.
    #[inline(always)]
    pub const fn of(depth: usize, channels: usize) -> &'static Self {
        macro_rules! kernels {
            ($chunks:literal, $any:ident, $aligned:ident, $unfilled:expr) => {
                const {
                    let Some(bytes) = NonZeroUsize::new($chunks * CHUNK) else { unreachable!() };
                    &Self { any: $any, aligned: $aligned, unfilled: $unfilled, bytes }
                }
            };
            ($chunks:literal, $any:ident, $aligned:ident) => {
                if channels.is_multiple_of(BLOCK) {
                    kernels!($chunks, $any, $aligned, None)
                } else if channels <= FEW {
                    kernels!($chunks, $any, $aligned, Some(few_unfilled))
                } else {
                    kernels!($chunks, $any, $aligned, Some(many_unfilled))
                }
            };
        }
        let chunks = Chunks::of(depth);
        match (chunks.passes, chunks.count) {
            (1, 1) => kernels!(1, single_1, single_1),
            (1, 2) => kernels!(2, single_2, single_2),
            (1, 3) => kernels!(3, single_3, single_3),
            (1, 4) => kernels!(4, single_4, single_4),
            (1, _) => kernels!(5, single_5, single_5),
            (2, 4) => kernels!(4, several_4, double_4),
            (_, 3) => kernels!(3, several_3, several_3_aligned),
            (_, _) => kernels!(4, several_4, several_4_aligned),
        }
    }

    /// The depth, filled up.
    pub fn filled(&self, depth: usize) -> usize {
        depth.div_ceil(self.bytes.get()) * self.bytes.get()
    }
}

/// The packed weights of a layer, by which columns are multiplied.
pub(super) struct Matrix<'a> {
    call: Call,
    kernels: &'static Kernels,
    channels: usize,
    words: &'a [u32],
    /// The bounds of the outputs.
    minimum: i32,
    maximum: i32,
}

impl<'a> Matrix<'a> {
    /// The matrix layout of `depth` inputs and `channels` outputs, whose loops are `kernels`.
    pub fn new(
        kernels: &'static Kernels,
        depth: usize,
        words: &'a [u32],
        channels: usize,
        range: &OutputRange,
    ) -> Self {
        let blocks = channels.div_ceil(BLOCK);
        let call = Call {
            column: core::ptr::null(),
            column_stride: 0,
            pixels: 0,
            words: words.as_ptr(),
            blocks,
            output: core::ptr::null_mut(),
            output_skip: channels.wrapping_sub(blocks * BLOCK),
            passes: depth.div_ceil(kernels.bytes.get()),
            zero_point: range.zero_point,
        };
        Self { call, kernels, channels, words, minimum: range.minimum, maximum: range.maximum }
    }

    /// Multiplies the columns by the weights; the pixels of the output follow each other.
    ///
    /// # Safety
    /// The columns can be read, kernels and words are those of their depth and the channels, and `output` has room for
    /// `columns.count` pixels. Output may be written over columns of pixels that came before.
    #[inline(never)]
    pub unsafe fn multiply(&mut self, columns: &Columns, output: *mut i8) {
        let aligned = ((columns.first as usize) | columns.stride).is_multiple_of(4);
        let kernel = if aligned { self.kernels.aligned } else { self.kernels.any };
        self.call.column = columns.first;
        self.call.column_stride = columns.stride;
        self.call.pixels = columns.count;
        self.call.output = output;
        // SAFETY: the columns can be read, the words are those of all blocks, and the output has room for every pixel.
        unsafe {
            if let Some(unfilled) = self.kernels.unfilled {
                unfilled(self, kernel);
            } else if columns.count > 0 {
                kernel(&mut self.call);
            }
            // The kernels saturate to int8, which is the clamp of most layers.
            if (self.minimum, self.maximum) != (i8::MIN.into(), i8::MAX.into()) {
                clamp(output, columns.count * self.channels, self.minimum, self.maximum);
            }
        }
    }
}

/// Runs the matrix's call where the last block of a pixel is not full. That block writes four bytes all the same, which the next
/// pixel's outputs overwrite. So that no column is overwritten that is still to be read, and nothing behind the output, the
/// outputs go to memory on the stack, some pixels at a time.
///
/// # Safety
/// As [`Matrix::multiply`]; there are at most `FEW` channels.
unsafe fn few_unfilled(matrix: &mut Matrix<'_>, kernel: Kernel) {
    let (call, channels) = (&mut matrix.call, matrix.channels);
    let most = (SIDE - BLOCK) / channels.max(1);
    let mut side = MaybeUninit::<[i8; SIDE]>::uninit();
    let side = side.as_mut_ptr().cast::<i8>();
    let Call { pixels: mut left, mut output, .. } = *call;
    while left > 0 {
        let count = left.min(most);
        call.pixels = count;
        call.output = side;
        // SAFETY: the columns can be read, the words are those of all blocks, and there is room on the side for `most` pixels and
        // what the last one writes too many.
        unsafe {
            kernel(call);
            copy(output, side, count * channels);
        }
        call.column = call.column.wrapping_add(count * call.column_stride);
        output = output.wrapping_add(count * channels);
        left -= count;
    }
}

/// [`few_unfilled`] for any number of channels, of which only those of the last block go to the side: with many, the second pass over
/// the columns costs less than the copies.
///
/// # Safety
/// As [`Matrix::multiply`]; there are more than `BLOCK` channels.
unsafe fn many_unfilled(matrix: &mut Matrix<'_>, kernel: Kernel) {
    let Matrix { call, channels, words, .. } = matrix;
    let (blocks, rest) = (*channels / BLOCK, *channels % BLOCK);
    let block_words = words.len() / (blocks + 1);
    let mut side = MaybeUninit::<[i8; SIDE]>::uninit();
    let side = side.as_mut_ptr().cast::<i8>();
    let Call { pixels: mut left, mut output, .. } = *call;
    while left > 0 {
        let count = left.min((SIDE - BLOCK) / BLOCK);
        // SAFETY: the columns can be read, the words are those of the last block and of the full ones, and there is room on the
        // side for a block of each pixel. The last blocks run first, while their columns are whole.
        unsafe {
            call.pixels = count;
            call.words = words.as_ptr().wrapping_add(blocks * block_words);
            (call.blocks, call.output, call.output_skip) = (1, side, 0);
            kernel(call);
            call.pixels = count;
            call.words = words.as_ptr();
            (call.blocks, call.output, call.output_skip) = (blocks, output, rest);
            kernel(call);
            let last =
                Patches { bytes: rest, rows: 1, to_row: 0, from_row: 0, count, to_patch: *channels, from_patch: BLOCK };
            copy_patches(output.wrapping_add(blocks * BLOCK), side, &last);
        }
        call.column = call.column.wrapping_add(count * call.column_stride);
        output = output.wrapping_add(count * *channels);
        left -= count;
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
            (1, 4) => to_int16_single_4(call),
            (1, _) => to_int16_single_5(call),
            (_, 3) => to_int16_several_3(call),
            (_, _) => to_int16_several_4(call),
        }
    }
}

/// Requantises the accumulators r0, r2, r4, r6 with the parameters at r3 and stores four outputs at r5, saturated to int8. The zero
/// point is in r9, the number 1 in r11. The first two vectors are overwritten; the first is given with
/// its halves.
macro_rules! finish {
    ($sums:literal, $low:literal, $high:literal, $parameters:literal, $signs:literal) => {
        concat!(
            concat!("vmov ", $low, ", r0, r2\n"),
            concat!("vmov ", $high, ", r4, r6\n"),
            concat!("vldrw.u32 ", $parameters, ", [r3], #16\n"),
            concat!("vqrdmulh.s32 ", $sums, ", ", $sums, ", ", $parameters, "\n"),
            concat!("vqdmlah.s32 ", $sums, ", ", $sums, ", r11\n"),
            concat!("vldrw.u32 ", $parameters, ", [r3], #16\n"),
            concat!("vrshl.s32 ", $sums, ", ", $sums, ", ", $parameters, "\n"),
            concat!("vadd.i32 ", $sums, ", ", $sums, ", r9\n"),
            // The low bytes of the words are the outputs.
            concat!("vqmovnb.s32 ", $sums, ", ", $sums, "\n"),
            concat!("vqmovnb.s16 ", $sums, ", ", $sums, "\n"),
            concat!("vstrb.32 ", $sums, ", [r5], #4\n"),
        )
    };
}

/// Requantises the accumulators r0, r2, r4, r6 to int16 with the parameters at r3 and stores four outputs at r5. Shifts to the
/// left and to the right may be 0. Where the right shift is 0, the −1 for negative values must not be added, so it is computed
/// from the sign of the shift. Three vectors are overwritten; the first is given with its halves.
macro_rules! finish_to_int16 {
    ($sums:literal, $low:literal, $high:literal, $parameters:literal, $signs:literal) => {
        concat!(
            concat!("vmov ", $low, ", r0, r2\n"),
            concat!("vmov ", $high, ", r4, r6\n"),
            concat!("vldrw.u32 ", $parameters, ", [r3], #16\n"),
            concat!("vshl.s32 ", $sums, ", ", $sums, ", ", $parameters, "\n"),
            concat!("vldrw.u32 ", $parameters, ", [r3], #16\n"),
            concat!("vqrdmulh.s32 ", $sums, ", ", $sums, ", ", $parameters, "\n"),
            concat!("vldrw.u32 ", $parameters, ", [r3], #16\n"),
            concat!("vand ", $signs, ", ", $sums, ", ", $parameters, "\n"),
            concat!("vshr.s32 ", $signs, ", ", $signs, ", #31\n"),
            concat!("vadd.i32 ", $sums, ", ", $sums, ", ", $signs, "\n"),
            concat!("vrshl.s32 ", $sums, ", ", $sums, ", ", $parameters, "\n"),
            concat!("vqmovnb.s32 ", $sums, ", ", $sums, "\n"),
            concat!("vstrh.32 ", $sums, ", [r5], #8\n"),
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

/// A channel of a block, whose sum is the register given: five chunks of weights by q0 to q4, in two parts, since three vectors are
/// left for them.
macro_rules! five_chunks {
    ($row:literal) => {
        concat!(
            rows!("vldmia r3!, {{d10-d15}}", $row: "q0, q5" "q1, q6" "q2, q7";),
            rows!("vldmia r3!, {{d10-d13}}", $row: "q3, q5" "q4, q6";),
        )
    };
}

/// Saves the registers, makes r12 the call and r11 the factor of VQDMLAH, and restores the registers at the end.
macro_rules! kernel {
    ($($line:expr,)+) => {
        naked_asm!(
            helium!(),
            "push {{r4-r11, lr}}",
            "vpush {{d8-d15}}",
            "mov r12, r0",
            "mov r11, #1",
            $($line,)+
            "vpop {{d8-d15}}",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// The kernels for columns of up to 80 bytes: a pixel's column stays in registers for all its channels. `double_4` reads its column,
/// of 128 bytes, again for every block.
macro_rules! single {
    ($name:ident, $column:literal, $rows:expr, $finish:ident $vectors:tt) => {
        /// # Safety
        /// The call's columns can be read up to the filled-up depth, which has this kernel's chunks; `words` has `blocks` blocks of
        /// that depth, four outputs can be written for each block of each pixel. Pixels and blocks are at least 1.
        //
        // | register       | holds                                                                     |
        // |----------------|---------------------------------------------------------------------------|
        // | r0, r2, r4, r6 | sums of the block's four channels; r0 between pixels `output_skip`        |
        // | r1             | the column of the pixel                                                   |
        // | r3             | next words: biases, weights and parameters of the blocks                  |
        // | r5             | next output                                                               |
        // | r7             | `column_stride`                                                           |
        // | r8             | pixels that are left                                                      |
        // | r9             | the zero point                                                            |
        // | r10, lr        | blocks; blocks that are left                                              |
        // | r11            | 1, the factor of VQDMLAH                                                  |
        // | r12            | the call                                                                  |
        // | from q0 on     | the column, a chunk in each                                               |
        // | behind it      | weights of a channel, a chunk in each; then the sums and their parameters |
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: &mut Call) {
            kernel!(
                "ldr r1, [r12]",
                "ldrd r7, r8, [r12, #4]",
                "ldrd r10, r5, [r12, #16]",
                "ldr r9, [r12, #32]",
                "2:",
                "ldr r3, [r12, #12]",
                $column,
                "dls lr, r10",
                "3:",
                "ldmia r3!, {{r0, r2, r4, r6}}",
                $rows,
                $finish! $vectors,
                "le lr, 3b",
                "add r1, r1, r7",
                "ldr r0, [r12, #24]",
                "add r5, r5, r0",
                "subs r8, #1",
                "bne 2b",
            )
        }
    };
}

/// The kernels of single columns, to int8 and to int16.
macro_rules! singles {
    ($($name:ident, $to_int16:ident: $column:literal, $rows:expr, $vectors:tt;)+) => {$(
        single!($name, $column, $rows, finish $vectors);
        single!($to_int16, $column, $rows, finish_to_int16 $vectors);
    )+};
}

singles! {
    single_1, to_int16_single_1:
        "vldrb.u8 q0, [r1]",
        four_rows!("vldrw.u32 q4, [r3], #16": "q0, q4"),
        ("q4", "d8", "d9", "q5", "q6");
    single_2, to_int16_single_2:
        "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]",
        four_rows!("vldmia r3!, {{d8-d11}}": "q0, q4" "q1, q5"),
        ("q4", "d8", "d9", "q5", "q6");
    single_3, to_int16_single_3:
        "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]\nvldrb.u8 q2, [r1, #32]",
        four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
        ("q4", "d8", "d9", "q5", "q6");
    single_4, to_int16_single_4:
        "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]\nvldrb.u8 q2, [r1, #32]\nvldrb.u8 q3, [r1, #48]",
        four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
        ("q4", "d8", "d9", "q5", "q6");
    single_5, to_int16_single_5:
        "vldrb.u8 q0, [r1]\nvldrb.u8 q1, [r1, #16]\nvldrb.u8 q2, [r1, #32]\nvldrb.u8 q3, [r1, #48]\nvldrb.u8 q4, [r1, #64]",
        concat!(
            five_chunks!("r0"),
            five_chunks!("r2"),
            five_chunks!("r4"),
            five_chunks!("r6"),
        ),
        ("q5", "d10", "d11", "q6", "q7");
}

single!(
    double_4,
    "",
    concat!(
        "vldmia r1!, {{d0-d7}}\n",
        four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
        "vldmia r1, {{d0-d7}}\n",
        "sub r1, #64\n",
        four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    ),
    finish("q4", "d8", "d9", "q5", "q6")
);

/// The kernels for longer columns, which are read again for every four channels, `count` chunks at a time.
macro_rules! several {
    ($name:ident, $column:literal, $rows:expr, $finish:ident) => {
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
        // | q4 to q7       | weights of a channel, a chunk in each; then the sums and their parameters |
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: &mut Call) {
            kernel!(
                "ldr r10, [r12]",
                "ldr r5, [r12, #20]",
                "ldrd r8, r9, [r12, #28]",
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
                $finish!("q4", "d8", "d9", "q5", "q6"),
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
            )
        }
    };
}

several!(
    several_3_aligned,
    "vldmia r1!, {{d0-d5}}",
    four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
    finish
);
several!(
    several_3,
    "vldrb.u8 q0, [r1], #16\nvldrb.u8 q1, [r1], #16\nvldrb.u8 q2, [r1], #16",
    four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
    finish
);
several!(
    to_int16_several_3,
    "vldrb.u8 q0, [r1], #16\nvldrb.u8 q1, [r1], #16\nvldrb.u8 q2, [r1], #16",
    four_rows!("vldmia r3!, {{d8-d13}}": "q0, q4" "q1, q5" "q2, q6"),
    finish_to_int16
);
several!(
    several_4_aligned,
    "vldmia r1!, {{d0-d7}}",
    four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    finish
);
several!(
    several_4,
    "vldrb.u8 q0, [r1], #16\nvldrb.u8 q1, [r1], #16\nvldrb.u8 q2, [r1], #16\nvldrb.u8 q3, [r1], #16",
    four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    finish
);
several!(
    to_int16_several_4,
    "vldrb.u8 q0, [r1], #16\nvldrb.u8 q1, [r1], #16\nvldrb.u8 q2, [r1], #16\nvldrb.u8 q3, [r1], #16",
    four_rows!("vldmia r3!, {{d8-d15}}": "q0, q4" "q1, q5" "q2, q6" "q3, q7"),
    finish_to_int16
);

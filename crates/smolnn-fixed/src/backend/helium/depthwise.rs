//! Depthwise convolution, eight channels at a time.
//!
//! Products of bytes fit in 16 bits, and so does the sum of two (weights are −127..=127, or one of a pair is; the
//! packing leaves −128 to the portable body): taps are multiplied in pairs, the sums widened to 32 bits.

use core::arch::naked_asm;

use super::copy::fill;
use super::pack::{BLOCK, LANES};
use super::vector::{Splat, helium};
use crate::Tensors;
use crate::conv::DepthwiseConv2d;

/// What the assembly reads; the offsets stand in it.
#[repr(C)]
struct Call {
    words: *const u32,      // 0
    blocks: usize,          // 4
    pixels: usize,          // 8
    input_skip: usize,      // 12: from a pixel's last channel to the next pixel's first, in the input
    output: *mut i8,        // 16
    pairs: usize,           // 20
    taps: *const *const i8, // 24
    distance: usize,        // 28: from a tap to the next of its row
    odd: usize,             // 32
    _align: [u32; 3],       // 36
    least: Splat,           // 48
    largest: Splat,         // 64
    zero_point: Splat,      // 80
}

pub(super) fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let (input, output) = tensors.pointers();
    let channels = shape.output().channels;
    let (blocks, rest) = (channels / LANES, channels % LANES);
    let zeros = scratch.as_mut_ptr().cast::<i8>();
    if !scratch.is_empty() {
        // SAFETY: the caller checked that the scratch holds a pixel where there is padding.
        unsafe { fill(zeros, i32::from(layer.input_zero_point), channels.min(scratch.len() * 4)) };
    }
    let depth = shape.depth();
    let block_words = 6 * BLOCK + depth * LANES / 4;
    let nine = shape.rows().kernel() == 3 && shape.columns().kernel() == 3;
    let mut call = Call {
        words: layer.words.as_ptr(),
        blocks,
        pixels: 1,
        input_skip: (shape.columns().stride() - 1) * channels,
        output,
        pairs: depth / 2,
        taps: core::ptr::null(),
        distance: shape.columns().dilation() * channels,
        odd: depth % 2,
        _align: [0; 3],
        least: Splat::halves(layer.output.minimum),
        largest: Splat::halves(layer.output.maximum),
        zero_point: Splat::halves(layer.output.zero_point),
    };
    let row_bytes = shape.input().width * channels;
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let (top, bottom) = shape.rows().taps(row);
            let mut position = 0;
            while position < shape.output().width {
                let (left, right) = shape.columns().taps(position);
                // Pixels that see no padding go in one call.
                let mut count = 1;
                let inside = nine && right - left == 3 && bottom - top == 3;
                if inside && rest == 0 {
                    while position + count < shape.output().width {
                        let (left, right) = shape.columns().taps(position + count);
                        if right - left != 3 {
                            break;
                        }
                        count += 1;
                    }
                }
                let mut taps = [zeros.cast_const(); MOST];
                let base = input.wrapping_add(image * shape.input().height * row_bytes);
                for tap_row in top..bottom {
                    let line = base.wrapping_add(shape.rows().position(row, tap_row) * row_bytes);
                    for tap in left..right {
                        let pointer = line.wrapping_add(shape.columns().position(position, tap) * channels);
                        if let Some(slot) = taps.get_mut(tap_row * shape.columns().kernel() + tap) {
                            *slot = pointer;
                        }
                    }
                }
                let pixel = (image * shape.output().height + row) * shape.output().width + position;
                call.pixels = count;
                call.output = output.wrapping_add(pixel * channels);
                call.taps = taps.as_ptr();
                call.words = layer.words.as_ptr();
                call.blocks = blocks;
                // SAFETY: the taps point at pixels of the input or at the zero points, all of `channels` bytes; the
                // output has room for `count` pixels; the words are of this layout.
                unsafe {
                    if inside {
                        nine_taps(&call)
                    } else {
                        any_taps(&call)
                    }
                    if rest != 0 {
                        let back = channels - LANES;
                        for tap in taps.iter_mut().take(depth) {
                            *tap = tap.wrapping_add(back);
                        }
                        call.words = layer.words.as_ptr().wrapping_add(blocks * block_words);
                        call.blocks = 1;
                        call.output = call.output.wrapping_add(back);
                        if inside { nine_taps(&call) } else { any_taps(&call) }
                    }
                }
                position += count;
            }
        }
    }
}

/// Most taps of this layout.
pub(crate) const MOST: usize = super::pack::MOST_TAPS;

/// Adds products of two taps in q2 to the accumulators q0 (even channels) and q1 (odd).
macro_rules! widen {
    () => {
        "vmovlb.s16 q3, q2\nvadd.i32 q0, q0, q3\nvmovlt.s16 q2, q2\nvadd.i32 q1, q1, q2\n"
    };
}

/// Two taps whose pointers lie in the registers given; each moves on by eight channels.
macro_rules! pair {
    ($first:literal, $second:literal) => {
        concat!(
            "vldrb.s16 q2, [",
            $first,
            "], #8\n",
            "vldrb.s16 q3, [r3], #8\n",
            "vldrb.s16 q4, [",
            $second,
            "], #8\n",
            "vldrb.s16 q5, [r3], #8\n",
            "vmul.i16 q2, q2, q3\n",
            "vmul.i16 q4, q4, q5\n",
            "vadd.i16 q2, q2, q4\n",
            widen!(),
        )
    };
}

/// Requantises q0 and q1 and stores eight outputs at $output; bounds in q6 and q7, 1 in $one.
macro_rules! finish {
    ($output:literal, $one:literal) => {
        concat!(
            "vldrw.u32 q2, [r3], #16\n",
            "vqrdmulh.s32 q0, q0, q2\n",
            "vldrw.u32 q3, [r3], #16\n",
            "vqrdmulh.s32 q1, q1, q3\n",
            "vqdmlah.s32 q0, q0, ",
            $one,
            "\n",
            "vqdmlah.s32 q1, q1, ",
            $one,
            "\n",
            "vldrw.u32 q2, [r3], #16\n",
            "vrshl.s32 q0, q0, q2\n",
            "vldrw.u32 q3, [r3], #16\n",
            "vrshl.s32 q1, q1, q3\n",
            "vqmovnb.s32 q0, q0\n",
            "vqmovnt.s32 q0, q1\n",
            "vldrw.u32 q2, [r12, #80]\n",
            "vqadd.s16 q0, q0, q2\n",
            "vmax.s16 q0, q0, q6\n",
            "vmin.s16 q0, q0, q7\n",
            "vstrb.16 q0, [",
            $output,
            "], #8\n",
        )
    };
}

/// 3×3 taps of pixels that see no padding.
///
/// # Safety
/// See [`depthwise_conv2d`].
#[unsafe(naked)]
unsafe extern "C" fn nine_taps(call: *const Call) {
    naked_asm!(
        helium!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "mov r12, r0",
        "ldrd r10, r7, [r12, #4]",
        "ldrd r9, r6, [r12, #12]",
        "ldrd r3, r8, [r12, #24]",
        "vldrw.u32 q6, [r12, #48]",
        "vldrw.u32 q7, [r12, #64]",
        "ldr r0, [r3]",
        "ldr r1, [r3, #12]",
        "ldr r2, [r3, #24]",
        "mov r11, #1",
        "2:",
        "ldr r3, [r12]",
        "dls lr, r10",
        "3:",
        "vldrw.u32 q0, [r3], #16",
        "vldrw.u32 q1, [r3], #16",
        // The weights of the third tap of two rows lie behind those of the first two of each: the packing keeps the
        // order of the taps, so rows 0 and 1 are (0 1)(2 3)(4 5) in pairs, row 2 is (6 7) 8.
        "add r4, r0, r8",
        "add r5, r4, r8",
        pair!("r0", "r4"),
        pair!("r5", "r1"),
        "sub r4, r1, #8",
        "add r4, r4, r8",
        "add r5, r4, r8",
        pair!("r4", "r5"),
        "add r4, r2, r8",
        "add r5, r4, r8",
        pair!("r2", "r4"),
        "vldrb.s16 q2, [r5]",
        "vldrb.s16 q3, [r3], #8",
        "vmul.i16 q2, q2, q3",
        widen!(),
        finish!("r6", "r11"),
        "le lr, 3b",
        "add r0, r0, r9",
        "add r1, r1, r9",
        "add r2, r2, r9",
        "subs r7, #1",
        "bne 2b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}

/// Any number of taps of one pixel: their pointers are read from memory.
///
/// # Safety
/// See [`depthwise_conv2d`].
#[unsafe(naked)]
unsafe extern "C" fn any_taps(call: *const Call) {
    naked_asm!(
        helium!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "mov r12, r0",
        "ldrd r3, r7, [r12]",
        "ldr r2, [r12, #16]",
        "ldrd r9, r8, [r12, #20]",
        "ldr r6, [r12, #32]",
        "vldrw.u32 q6, [r12, #48]",
        "vldrw.u32 q7, [r12, #64]",
        "mov r11, #1",
        "mov r4, #0",
        "2:",
        "mov r5, r8",
        "vldrw.u32 q0, [r3], #16",
        "vldrw.u32 q1, [r3], #16",
        "wls lr, r9, 4f",
        "3:",
        "ldrd r0, r1, [r5], #8",
        "add r0, r0, r4",
        "add r1, r1, r4",
        pair!("r0", "r1"),
        "le lr, 3b",
        "4:",
        "cbz r6, 5f",
        "ldr r0, [r5]",
        "add r0, r0, r4",
        "vldrb.s16 q2, [r0]",
        "vldrb.s16 q3, [r3], #8",
        "vmul.i16 q2, q2, q3",
        widen!(),
        "5:",
        finish!("r2", "r11"),
        "add r4, r4, #8",
        "subs r7, #1",
        "bne 2b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}

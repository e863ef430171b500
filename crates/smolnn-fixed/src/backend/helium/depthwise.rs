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

/// The arguments of the kernels. The assembly names fields by their offsets in bytes, which stand beside them.
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

/// The largest number of taps that the layout allows.
pub(crate) const MOST: usize = super::pack::MOST_TAPS;

/// Widens the eight sums of products in q2 to 32 bits and adds them to the accumulators: q0 has the even channels, q1 the odd
/// ones.
macro_rules! widen {
    () => {
        "vmovlb.s16 q3, q2\nvadd.i32 q0, q0, q3\nvmovlt.s16 q2, q2\nvadd.i32 q1, q1, q2\n"
    };
}

/// Multiplies eight channels of two taps by their weights and adds the products to the accumulators. The pointers to the taps
/// are in the registers given; they move on by eight channels, r3 by the weights of both taps.
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

/// Requantises the accumulators q0 and q1 with the parameters at r3 and stores eight outputs at `$output`. The bounds are in q6
/// and q7, the number 1 is in `$one`, the call in r12.
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

/// Outputs of neighbouring pixels of a 3×3 kernel that see no padding.
///
/// # Safety
/// The call's `taps` are nine pointers. From the first of each row all taps of `pixels` pixels can be read for 8 · `blocks`
/// channels; so many outputs per pixel can be written; `words` has as many blocks of the depthwise layout. Pixels and blocks
/// are at least 1.
//
// | register   | holds                                                                                  |
// |------------|----------------------------------------------------------------------------------------|
// | r0, r1, r2 | the first tap of the three rows, at the block's channels                               |
// | r3         | next words: biases, weights and parameters of the blocks                               |
// | r4, r5     | the second and the third tap of a row                                                  |
// | r6         | next output                                                                            |
// | r7         | pixels that are left                                                                   |
// | r8         | `distance`, from a tap to the next of its row                                          |
// | r9         | `input_skip`, from a pixel's last channel to the next pixel's first                    |
// | r10, lr    | blocks; blocks that are left                                                           |
// | r11        | 1, the factor of VQDMLAH                                                               |
// | r12        | the call                                                                               |
// | q0, q1     | accumulators of the even and of the odd channels                                       |
// | q2 to q5   | values and weights of two taps; their products; parameters                             |
// | q6, q7     | bounds of the outputs                                                                  |
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
        // The packing keeps the order of the taps, so the pairs are (0 1) of row 0, (2 3) of rows 0 and 1, (4 5) of row 1 and
        // (6 7) of row 2; tap 8 is alone.
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

/// Outputs of one pixel with any number of taps, whose pointers are read from memory.
///
/// # Safety
/// The call's `taps` are 2 · `pairs` + `odd` pointers; at each 8 · `blocks` channels can be read. So many outputs can be
/// written; `words` has as many blocks of the depthwise layout. There is a block.
//
// | register | holds                                                                    |
// |----------|--------------------------------------------------------------------------|
// | r0, r1   | two taps, at the block's channels                                        |
// | r2       | next output                                                              |
// | r3       | next words: biases, weights and parameters of the blocks                 |
// | r4       | the block's first channel                                                |
// | r5       | next pointer to a tap                                                    |
// | r6       | `odd`: 1 if a tap is left behind the pairs                               |
// | r7       | blocks that are left                                                     |
// | r8       | `taps`                                                                   |
// | r9, lr   | pairs of taps; pairs that are left                                       |
// | r11      | 1, the factor of VQDMLAH                                                 |
// | r12      | the call                                                                 |
// | q0, q1   | accumulators of the even and of the odd channels                         |
// | q2 to q5 | values and weights of two taps; their products; parameters               |
// | q6, q7   | bounds of the outputs                                                    |
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

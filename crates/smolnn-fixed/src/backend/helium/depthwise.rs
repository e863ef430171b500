//! Depthwise convolution, eight channels at a time; the last ones under a predicate, so that any number of them is served.
//!
//! Products of bytes fit in 16 bits, and so does the sum of two (weights are −127..=127, or one of a pair is; the
//! packing leaves −128 to the portable body): taps are multiplied in pairs, the sums widened to 32 bits.
//!
//! Neighbouring pixels that see no padding are one run, which one call computes. The others see a pixel of zero points where there
//! is padding, and are computed one by one. With a depth multiplier the eight channels of a block gather their inputs.
//! Held by: `dw_*` goldens and random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use smolnn_core::Window;

use super::conv2d::{inner, taps};
use super::copy::{clamp, fill};
use super::pack::{LANES, TAPS_ON_STACK, depthwise_block_words};
use super::vector::helium;
use crate::Tensors;
use crate::conv::DepthwiseConv2d;

/// The arguments of the kernels. The assembly names fields by their offsets in bytes, which stand beside them.
#[repr(C)]
struct Call {
    words: *const u32,      // 0
    blocks: usize,          // 4: in `nine_taps`
    channels: usize,        // 8: in the others
    pixels: usize,          // 12
    input_skip: usize,      // 16: from behind a pixel's last block to the next pixel, in the input
    output: *mut i8,        // 20
    output_skip: usize,     // 24: the same in the output
    pairs: usize,           // 28
    taps: *const *const i8, // 32
    distance: usize,        // 36: from a tap to the next of its row, in `nine_taps`
    row_step: usize,        // 40: from a row of taps to the next, in `nine_taps`
    odd: usize,             // 44
    zero_point: i32,        // 48
    first: *const i8,       // 52: the first tap of the first pixel, in `nine_taps`
    origins: [u16; LANES],  // 56: the input channels of the first eight outputs, in `spread_taps`
    copies: [u16; LANES],   // 72: the number of each of them among the outputs of its input channel
    next_origin: usize,     // 88: input channels from a block to the next, and outputs that are left over
    next_copy: usize,       // 92
    multiplier: usize,      // 96
    start: usize,           // 100: from the taps to the first block's channels, but for `nine_taps`
}

pub(super) fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let (input, output) = tensors.pointers();
    // SAFETY: the pointers are those of tensors that the caller checked.
    unsafe { run(layer, input, output, scratch) }
}

/// The layer, once in a program, wherever its tensors lie.
///
/// # Safety
/// Input, output and scratch have the lengths that the layer says, and overlap where it allows.
unsafe fn run(layer: &DepthwiseConv2d<'_>, input: *const i8, mut output: *mut i8, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let (inputs, channels, depth) = (shape.input().channels, shape.output().channels, shape.depth());
    // At least 1, which the compiler does not know.
    let multiplier = shape.multiplier().max(1);
    let is_spread = multiplier > 1;
    let (mut rows, mut columns) = (shape.rows(), shape.columns());
    let (mut height, mut width, mut row_bytes) = (shape.output().height, shape.output().width, shape.input().row());
    // An image of one column is one row: its pixels are neighbours, which run together.
    let is_column = shape.input().width == 1 && width == 1 && columns.kernel() == 1 && columns.taps(0) == (0, 1);
    if is_column {
        (rows, columns) = (Window::pointwise(1), rows);
        (height, width, row_bytes) = (1, height, shape.input().len());
    }
    let mut table = [core::ptr::null(); TAPS_ON_STACK];
    let zeros = scratch.as_mut_ptr().cast::<i8>();
    // Where padding is the scratch memory begins with a pixel of zero points; more taps than the stack takes have their table behind it.
    let table = if depth <= TAPS_ON_STACK {
        table.as_mut_ptr()
    } else {
        scratch.as_mut_ptr_range().end.wrapping_sub(depth).cast::<*const i8>()
    };
    if !(rows.is_unpadded() && columns.is_unpadded()) {
        // SAFETY: the caller checked that the scratch memory holds a pixel where there is padding.
        unsafe { fill(zeros, i32::from(layer.input_zero_point), inputs) };
    }
    let (inner, inner_end) = inner(&columns);
    let (pixel_step, tap_step) = (columns.stride() * inputs, columns.dilation() * inputs);
    let row_step = rows.dilation() * row_bytes;
    let is_nine = rows.kernel() == 3 && columns.kernel() == 3;
    // Blocks that are full, and channels of the last one if it is not. All blocks of a layer with a multiplier run as the last one.
    let (blocks, rest) = if is_spread { (0, channels) } else { (channels / LANES, channels % LANES) };
    let lanes = [0, 1, 2, 3, 4, 5, 6, 7];
    let mut call = Call {
        words: layer.words.as_ptr(),
        blocks,
        channels,
        pixels: 1,
        input_skip: 0,
        output,
        output_skip: 0,
        pairs: depth / 2,
        taps: table,
        distance: tap_step,
        row_step,
        odd: depth % 2,
        zero_point: layer.output.zero_point,
        first: input,
        origins: lanes.map(|lane| (lane / multiplier) as u16),
        copies: lanes.map(|lane| (lane % multiplier) as u16),
        next_origin: LANES / multiplier,
        next_copy: LANES % multiplier,
        multiplier,
        start: 0,
    };
    let is_clamped = (layer.output.minimum, layer.output.maximum) != (i8::MIN.into(), i8::MAX.into());
    for image in 0..shape.batch() {
        for row in 0..height {
            let (top, bottom) = taps(&rows, row);
            let line = (image * shape.input().len()).wrapping_add(rows.position(row, top).wrapping_mul(row_bytes));
            // Where the first tap of the row's first pixel would lie, if there were no padding beside it.
            let line = input.wrapping_add(line).wrapping_sub(columns.before() * inputs);
            let is_whole = bottom - top == rows.kernel();
            let mut position = 0;
            while position < width {
                let first = line.wrapping_add(position * pixel_step);
                let is_inner = is_whole && inner <= position && position < inner_end;
                // The pixels of a column are rows, which have to be whole before the next one begins.
                let count = if is_inner && (rest == 0 || blocks == 0 || !is_column) { inner_end - position } else { 1 };
                let is_nine = is_nine && is_inner;
                if !is_nine || rest != 0 {
                    let (left, right) = if is_inner { (0, columns.kernel()) } else { taps(&columns, position) };
                    let mut slot = table;
                    for tap_row in 0..rows.kernel() {
                        let is_inside = top <= tap_row && tap_row < bottom;
                        let mut tap_at = first.wrapping_add(tap_row.wrapping_sub(top).wrapping_mul(row_step));
                        for tap in 0..columns.kernel() {
                            // SAFETY: the table has a slot for each tap.
                            unsafe { *slot = if is_inside && left <= tap && tap < right { tap_at } else { zeros } };
                            slot = slot.wrapping_add(1);
                            tap_at = tap_at.wrapping_add(tap_step);
                        }
                    }
                }
                // SAFETY: the taps point at pixels of the input or at the zero points, all with the block's channels; the output has
                // room for `count` pixels; the words are of this layout.
                unsafe {
                    if blocks > 0 {
                        call.words = layer.words.as_ptr();
                        call.channels = blocks * LANES;
                        (call.pixels, call.output, call.output_skip) = (count, output, rest);
                        call.input_skip = pixel_step.wrapping_sub(blocks * LANES);
                        if is_nine {
                            call.first = first;
                            nine_taps(&mut call);
                        } else {
                            any_taps(&mut call);
                        }
                    }
                    if rest != 0 {
                        // The kernels go on by whole blocks.
                        let passed = rest.next_multiple_of(LANES);
                        call.words = layer.words.as_ptr().wrapping_add(blocks * depthwise_block_words(shape));
                        call.channels = rest;
                        (call.pixels, call.output) = (count, output.wrapping_add(blocks * LANES));
                        call.output_skip = channels.wrapping_sub(passed);
                        call.input_skip = pixel_step.wrapping_sub(passed);
                        if is_spread {
                            call.input_skip = pixel_step;
                            spread_taps(&mut call);
                        } else {
                            call.start = blocks * LANES;
                            last_taps(&mut call);
                            call.start = 0;
                        }
                    }
                    if is_clamped {
                        clamp(output, count * channels, layer.output.minimum, layer.output.maximum);
                    }
                }
                output = output.wrapping_add(count * channels);
                position += count;
            }
        }
    }
}

/// Widens the eight sums of products in q2 to 32 bits and adds them to the accumulators: q0 has the even channels, q1 the odd
/// ones.
macro_rules! widen {
    () => {
        "vmovlb.s16 q3, q2\nvadd.i32 q0, q0, q3\nvmovlt.s16 q2, q2\nvadd.i32 q1, q1, q2\n"
    };
}

/// Multiplies eight channels of two taps by their weights and adds the products to the accumulators. The taps are loaded to q2 and
/// q4 by the instructions given; r3 moves on by the weights of both taps.
macro_rules! pair {
    ($load:expr) => {
        concat!(
            $load,
            "vldrb.s16 q3, [r3], #8\n",
            "vldrb.s16 q5, [r3], #8\n",
            "vmul.i16 q2, q2, q3\n",
            "vmul.i16 q4, q4, q5\n",
            "vadd.i16 q2, q2, q4\n",
            widen!(),
        )
    };
    ($first:literal, $second:literal) => {
        pair!(concat!("vldrb.s16 q2, [", $first, "], #8\n", "vldrb.s16 q4, [", $second, "], #8\n"))
    };
}

/// Requantises the accumulators q0 and q1 with the parameters at r3 and stores eight outputs, saturated to int8, by the instructions
/// given. The number 1 is in r11, the zero point in r10.
macro_rules! finish {
    ($store:literal) => {
        concat!(
            "vldrw.u32 q2, [r3], #16\n",
            "vqrdmulh.s32 q0, q0, q2\n",
            "vldrw.u32 q3, [r3], #16\n",
            "vqrdmulh.s32 q1, q1, q3\n",
            "vqdmlah.s32 q0, q0, r11\n",
            "vqdmlah.s32 q1, q1, r11\n",
            "vldrw.u32 q2, [r3], #16\n",
            "vrshl.s32 q0, q0, q2\n",
            "vldrw.u32 q3, [r3], #16\n",
            "vrshl.s32 q1, q1, q3\n",
            "vqmovnb.s32 q0, q0\n",
            "vqmovnt.s32 q0, q1\n",
            "vqadd.s16 q0, q0, r10\n",
            // The low bytes of the halfwords are the outputs.
            "vqmovnb.s16 q0, q0\n",
            $store,
        )
    };
}

/// Outputs of neighbouring pixels of a 3×3 kernel that see no padding.
///
/// # Safety
/// From the call's `first` on, the taps of `pixels` pixels can be read for 8 · `blocks` channels; so many outputs per pixel can be
/// written; `words` has as many blocks of the depthwise layout. Pixels and blocks are at least 1.
//
// | register   | holds                                                                                  |
// |------------|----------------------------------------------------------------------------------------|
// | r0, r1, r2 | the first tap of the three rows, at the block's channels                               |
// | r3         | next words: biases, weights and parameters of the blocks                               |
// | r4, r5     | the second and the third tap of a row; between pixels `output_skip`                    |
// | r6         | next output                                                                            |
// | r7         | pixels that are left                                                                   |
// | r8         | `distance`, from a tap to the next of its row                                          |
// | r9         | `input_skip`, from behind a pixel's last block to the next pixel                       |
// | r10        | the zero point                                                                         |
// | r11        | 1, the factor of VQDMLAH                                                               |
// | r12        | the call                                                                               |
// | lr         | blocks that are left                                                                   |
// | q0, q1     | accumulators of the even and of the odd channels                                       |
// | q2 to q5   | values and weights of two taps; their products; parameters                             |
#[unsafe(naked)]
unsafe extern "C" fn nine_taps(call: &mut Call) {
    naked_asm!(
        helium!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d11}}",
        "mov r12, r0",
        "ldrd r7, r9, [r12, #12]",
        "ldr r6, [r12, #20]",
        "ldrd r8, r1, [r12, #36]",
        "ldrd r10, r0, [r12, #48]",
        "add r2, r0, r1, lsl #1",
        "add r1, r0, r1",
        "mov r11, #1",
        "2:",
        "ldrd r3, r4, [r12]",
        "dls lr, r4",
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
        finish!("vstrb.16 q0, [r6], #8\n"),
        "le lr, 3b",
        "add r0, r0, r9",
        "add r1, r1, r9",
        "add r2, r2, r9",
        "ldr r4, [r12, #24]",
        "add r6, r6, r4",
        "subs r7, #1",
        "bne 2b",
        "vpop {{d8-d11}}",
        "pop {{r4-r11, pc}}",
    )
}

/// The kernels for any number of taps: what a pixel and what a block begin with, what leads to the next block's channels, how one tap and
/// two of them are loaded, and how outputs are stored.
macro_rules! taps {
    ($name:ident, $pixel:literal, $start:literal, $next:literal, $one:literal, $two:literal, $store:literal) => {
        /// # Safety
        /// The call's `taps` are 2 · `pairs` + `odd` pointers, from which on the channels can be read for `pixels` pixels; `channels`
        /// outputs of each pixel can be written; `words` has as many of the depthwise layout. Pixels and channels are at least 1.
        //
        // | register | holds                                                                    |
        // |----------|--------------------------------------------------------------------------|
        // | r0, r1   | two taps                                                                 |
        // | r2       | next output                                                              |
        // | r3       | next words: biases, weights and parameters of the blocks                 |
        // | r4       | from the taps to the pixel's, at the block's channels                    |
        // | r5       | next pointer to a tap                                                    |
        // | r6       | `odd`: 1 if a tap is left behind the pairs                               |
        // | r7       | channels that are left                                                   |
        // | r8       | `taps`                                                                   |
        // | r9, lr   | pairs of taps; pairs that are left                                       |
        // | r10      | the zero point                                                           |
        // | r11      | 1, the factor of VQDMLAH                                                 |
        // | r12      | the call, which counts the pixels that are left                          |
        // | q0, q1   | accumulators of the even and of the odd channels                         |
        // | q2 to q5 | values and weights of two taps; their products; parameters               |
        // | q6, q7   | `origins` and `copies` of the block, in `spread_taps`                    |
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: &mut Call) {
            naked_asm!(
                helium!(),
                "push {{r4-r11, lr}}",
                "vpush {{d8-d15}}",
                "mov r12, r0",
                "ldr r2, [r12, #20]",
                "ldrd r9, r8, [r12, #28]",
                "ldrd r6, r10, [r12, #44]",
                "mov r11, #1",
                "ldr r4, [r12, #100]",
                "6:",
                "ldr r3, [r12]",
                "ldr r7, [r12, #8]",
                $pixel,
                "2:",
                $start,
                "mov r5, r8",
                "vldrw.u32 q0, [r3], #16",
                "vldrw.u32 q1, [r3], #16",
                "wls lr, r9, 4f",
                "3:",
                "ldrd r0, r1, [r5], #8",
                "add r0, r0, r4",
                "add r1, r1, r4",
                pair!($two),
                "le lr, 3b",
                "4:",
                "cbz r6, 5f",
                "ldr r0, [r5]",
                "add r0, r0, r4",
                $one,
                "vldrb.s16 q3, [r3], #8",
                "vmul.i16 q2, q2, q3",
                widen!(),
                "5:",
                finish!($store),
                $next,
                "subs r7, #8",
                "bgt 2b",
                "ldrd r0, r1, [r12, #12]",
                "add r4, r4, r1",
                "ldr r1, [r12, #24]",
                "add r2, r2, r1",
                "subs r0, #1",
                "str r0, [r12, #12]",
                "bne 6b",
                "vpop {{d8-d15}}",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

taps!(
    any_taps,
    "",
    "",
    "add r4, r4, #8",
    "vldrb.s16 q2, [r0]",
    "vldrb.s16 q2, [r0]\nvldrb.s16 q4, [r1]\n",
    "vstrb.16 q0, [r2], #8\n"
);
taps!(
    last_taps,
    "",
    "vctp.16 r7",
    "add r4, r4, #8",
    "vpst\nvldrbt.s16 q2, [r0]",
    "vpstt\nvldrbt.s16 q2, [r0]\nvldrbt.s16 q4, [r1]\n",
    "vpst\nvstrbt.16 q0, [r2], #8\n"
);
taps!(
    spread_taps,
    "add r0, r12, #56\nvldrh.u16 q6, [r0]\nvldrh.u16 q7, [r0, #16]",
    "vctp.16 r7",
    "ldrd r0, r1, [r12, #88]
     ldr r5, [r12, #96]
     vadd.i16 q6, q6, r0
     vadd.i16 q7, q7, r1
     vptt.s16 ge, q7, r5
     vaddt.i16 q6, q6, r11
     vsubt.i16 q7, q7, r5",
    "vpst\nvldrbt.s16 q2, [r0, q6]",
    "vpstt\nvldrbt.s16 q2, [r0, q6]\nvldrbt.s16 q4, [r1, q6]\n",
    "vpst\nvstrbt.16 q0, [r2], #8\n"
);

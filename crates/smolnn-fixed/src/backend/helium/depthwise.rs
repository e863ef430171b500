//! Depthwise convolution, eight channels at a time. Where their number is no multiple of eight, the last block is that of the last eight,
//! some of which are computed twice; where there are fewer, they are computed under a predicate.
//!
//! Products of bytes fit in 16 bits, and so does the sum of two (weights are −127..=127, or one of a pair is; the
//! packing leaves −128 to the portable body): taps are multiplied in pairs, the sums widened to 32 bits.
//!
//! Neighbouring pixels that see no padding are one run, which one call computes. The others see a pixel of zero points where there
//! is padding, and are computed one by one. With a depth multiplier the eight channels of a block gather their inputs.
//! Held by: `dw_*` goldens and random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;
use core::mem::MaybeUninit;

use smolnn_core::{DepthwiseConv2dShape, Window};

use super::conv2d::{inner, taps};
use super::copy::{clamp, fill};
use super::pack::{LANES, TAPS_ON_STACK, depthwise_block_words};
use super::vector::helium;
use crate::Tensors;
use crate::conv::DepthwiseConv2d;

/// Channels that a kernel runs on.
#[derive(Clone, Copy)]
#[repr(C)]
struct Part {
    words: *const u32,  // 0
    blocks: usize,      // 4: in `nine_taps`
    channels: usize,    // 8: in the others
    output_skip: usize, // 12: from behind a pixel's last block to the next pixel, in the output
    start: usize,       // 16: the first of them
    input_skip: usize,  // 20: as `output_skip`, in the input
}

/// The arguments of the kernels. The assembly names fields by their offsets in bytes, which stand beside them.
#[repr(C)]
struct Call {
    part: Part,             // 0
    pixels: usize,          // 24
    output: *mut i8,        // 28
    pairs: usize,           // 32
    taps: *const *const i8, // 36
    distance: usize,        // 40: from a tap to the next of its row
    row_step: usize,        // 44: from a row of taps to the next
    odd: usize,             // 48
    zero_point: i32,        // 52
    first: *const i8,       // 56: the first tap of the first pixel, in `nine_taps`
    origins: [u16; LANES],  // 60: the input channels of the first eight outputs, in `spread_taps`
    copies: [u16; LANES],   // 76: the number of each of them among the outputs of its input channel
    next_origin: usize,     // 92: input channels from a block to the next, and outputs that are left over
    next_copy: usize,       // 96
    multiplier: usize,      // 100
    width: usize,           // 104: taps of a row, in `point_taps`
    rows: [usize; 3],       // 108: rows of taps above the image, in it, below it
    zeros: *const i8,       // 120: a pixel of zero points
}

/// A loop over the pixels and the blocks of a call.
type Kernel = unsafe extern "C" fn(&mut Call);

/// The loops that a layer runs. A layer that is a constant chooses its own where it is called, so that its program holds no others.
struct Kernels {
    /// For nine taps that see no padding.
    nine: Option<Kernel>,
    any: Kernel,
    /// Numbers the channels of a layer with a multiplier.
    number: Option<fn(&mut Call, usize)>,
}

impl Kernels {
    /// The loops of the shape.
    #[inline(always)]
    const fn of(shape: &DepthwiseConv2dShape) -> &'static Self {
        if shape.multiplier() > 1 {
            const { &Self { nine: None, any: spread_taps, number: Some(number) } }
        } else if shape.output().channels < LANES {
            const { &Self { nine: None, any: few_taps, number: None } }
        } else if shape.rows().kernel() == 3 && shape.columns().kernel() == 3 {
            const { &Self { nine: Some(nine_taps), any: any_taps, number: None } }
        } else {
            const { &Self { nine: None, any: any_taps, number: None } }
        }
    }
}

/// Numbers the input channels of the first block's outputs, and the outputs of each.
fn number(call: &mut Call, multiplier: usize) {
    let multiplier = multiplier.max(1);
    let lanes = [0, 1, 2, 3, 4, 5, 6, 7];
    call.origins = lanes.map(|lane| (lane / multiplier) as u16);
    call.copies = lanes.map(|lane| (lane % multiplier) as u16);
    call.next_origin = LANES / multiplier;
    call.next_copy = LANES % multiplier;
    call.multiplier = multiplier;
}

#[inline(always)]
pub(super) fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let (input, output) = tensors.pointers();
    // SAFETY: the pointers are those of tensors that the caller checked.
    unsafe { run(layer, Kernels::of(&layer.shape), input, output, scratch) }
}

/// The layer, once in a program, wherever its tensors lie.
///
/// # Safety
/// Input, output and scratch have the lengths that the layer says, and overlap where it allows; the kernels are the layer's.
#[inline(never)]
unsafe fn run(
    layer: &DepthwiseConv2d<'_>,
    kernels: &'static Kernels,
    input: *const i8,
    mut output: *mut i8,
    scratch: &mut [u32],
) {
    let shape = &layer.shape;
    let (inputs, channels, depth) = (shape.input().channels, shape.output().channels, shape.depth());
    let (mut rows, mut columns) = (shape.rows(), shape.columns());
    let (mut height, mut width, mut row_bytes) = (shape.output().height, shape.output().width, shape.input().row());
    // An image of one column is one row: its pixels are neighbours, which run together.
    let is_column = shape.input().width == 1 && width == 1 && columns.kernel() == 1 && columns.taps(0) == (0, 1);
    if is_column {
        (rows, columns) = (Window::pointwise(1), rows);
        (height, width, row_bytes) = (1, height, shape.input().len());
    }
    let mut table = MaybeUninit::<[*const i8; TAPS_ON_STACK]>::uninit();
    let zeros = scratch.as_mut_ptr().cast::<i8>();
    // Where padding is the scratch memory begins with a pixel of zero points; more taps than the stack takes have their table behind it.
    let table = if depth <= TAPS_ON_STACK {
        table.as_mut_ptr().cast::<*const i8>()
    } else {
        scratch.as_mut_ptr_range().end.wrapping_sub(depth).cast::<*const i8>()
    };
    if !(rows.is_unpadded() && columns.is_unpadded()) {
        // SAFETY: the caller checked that the scratch memory holds a pixel where there is padding.
        unsafe { fill(zeros, i32::from(layer.input_zero_point), inputs) };
    }
    let (inner, inner_end) = inner(&columns);
    let (pixel_step, tap_step) = (columns.stride() * inputs, columns.dilation() * inputs);
    // The channels of the full blocks, or all: the kernels of fewer than eight and of a multiplier know where to end.
    let is_spread = kernels.number.is_some();
    let whole = if channels < LANES || is_spread { channels } else { channels / LANES * LANES };
    let part = |channel: usize, count: usize| {
        // The kernels go on by whole blocks, but the taps of a layer with a multiplier stay where they are.
        let passed = count.next_multiple_of(LANES);
        Part {
            words: layer.words.as_ptr().wrapping_add(channel.div_ceil(LANES) * depthwise_block_words(shape)),
            blocks: count / LANES,
            channels: count,
            output_skip: channels.wrapping_sub(passed),
            start: channel,
            input_skip: pixel_step.wrapping_sub(if is_spread { 0 } else { passed }),
        }
    };
    let parts = [part(0, whole), part(channels.wrapping_sub(LANES), LANES)];
    let parts = if whole < channels { &parts[..] } else { &parts[..1] };
    let mut call = Call {
        part: parts[0],
        pixels: 1,
        output,
        pairs: depth / 2,
        taps: table,
        distance: tap_step,
        row_step: rows.dilation() * row_bytes,
        odd: depth % 2,
        zero_point: layer.output.zero_point,
        first: input,
        origins: [0; LANES],
        copies: [0; LANES],
        next_origin: 0,
        next_copy: 0,
        multiplier: 1,
        width: columns.kernel(),
        rows: [0; 3],
        zeros,
    };
    if let Some(number) = kernels.number {
        number(&mut call, shape.multiplier());
    }
    let is_clamped = (layer.output.minimum, layer.output.maximum) != (i8::MIN.into(), i8::MAX.into());
    for image in 0..shape.batch() {
        for row in 0..height {
            let (top, bottom) = taps(&rows, row);
            call.rows = [top, bottom - top, rows.kernel() - bottom];
            let line = (image * shape.input().len()).wrapping_add(rows.position(row, top).wrapping_mul(row_bytes));
            // Where the first tap of the row's first pixel would lie, if there were no padding beside it.
            let line = input.wrapping_add(line).wrapping_sub(columns.before() * inputs);
            let is_whole = bottom - top == rows.kernel();
            let mut position = 0;
            while position < width {
                let first = line.wrapping_add(position * pixel_step);
                let is_inner = is_whole && inner <= position && position < inner_end;
                // The pixels of a column are rows, which have to be whole before the next one begins.
                let count = if is_inner && (whole == channels || !is_column) { inner_end - position } else { 1 };
                let nine = if is_inner { kernels.nine } else { None };
                // SAFETY: the table has a slot for each tap. Its taps point at pixels of the input or at the zero points, all with the
                // block's channels; the output has room for `count` pixels; the words are of this layout.
                unsafe {
                    if nine.is_none() {
                        let (left, right) = if is_inner { (0, columns.kernel()) } else { taps(&columns, position) };
                        point_taps(&call, first, left, right);
                    }
                    let kernel = nine.unwrap_or(kernels.any);
                    (call.output, call.first) = (output, first);
                    for part in parts {
                        call.part = *part;
                        call.pixels = count;
                        kernel(&mut call);
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

/// Points the slots of the table at the taps of a pixel, and at the zero points where they see padding.
///
/// # Safety
/// The call's table has a slot for each tap. `left..right` are the columns of taps in the image, and `first` is where the first tap of the
/// first row in it would lie, if its column were in the image.
//
// | register   | holds                                                              |
// |------------|--------------------------------------------------------------------|
// | r0         | the columns that were passed                                       |
// | r1, r2, r3 | `first`, `left`, `right`                                           |
// | r4         | the table, at the columns that are looked at                       |
// | r5, r6     | from a tap to the next of its row, from a row of taps to the next  |
// | r7         | columns that are left                                              |
// | r8, r9, r10| rows above the image, in it, below it                              |
// | r11        | bytes of a row of the table                                        |
// | r12        | next slot; before it the zero points                               |
// | lr         | rows that are left                                                 |
// | q0         | four columns                                                       |
// | q1         | their taps, or the zero points                                     |
// | q2         | the zero points                                                    |
// | q3         | from a tap to that of the next row; 0 where the zero points are    |
#[unsafe(naked)]
unsafe extern "C" fn point_taps(call: &Call, first: *const i8, left: usize, right: usize) {
    naked_asm!(
        helium!(),
        "push {{r4-r11, lr}}",
        "ldrd r4, r5, [r0, #36]",
        "ldr r6, [r0, #44]",
        "ldrd r7, r8, [r0, #104]",
        "ldrd r9, r10, [r0, #112]",
        "ldr r12, [r0, #120]",
        "lsl r11, r7, #2",
        "vdup.32 q2, r12",
        "mov r0, #0",
        "2:",
        "vidup.u32 q0, r0, #1",
        "vmul.i32 q1, q0, r5",
        "vadd.i32 q1, q1, r1",
        "vpt.s32 ge, q0, r2",
        "vcmpt.s32 lt, q0, r3",
        "vpsel q1, q1, q2",
        "vmov.i32 q3, #0",
        "vpst",
        "vdupt.32 q3, r6",
        "vctp.32 r7",
        "mov r12, r4",
        "wls lr, r8, 4f",
        "3:",
        "vpst",
        "vstrwt.32 q2, [r12]",
        "add r12, r11",
        "le lr, 3b",
        "4:",
        "wls lr, r9, 6f",
        "5:",
        "vpst",
        "vstrwt.32 q1, [r12]",
        "vadd.i32 q1, q1, q3",
        "add r12, r11",
        "le lr, 5b",
        "6:",
        "wls lr, r10, 8f",
        "7:",
        "vpst",
        "vstrwt.32 q2, [r12]",
        "add r12, r11",
        "le lr, 7b",
        "8:",
        "add r4, #16",
        "subs r7, #4",
        "bgt 2b",
        "pop {{r4-r11, pc}}",
    )
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
        "ldrd r9, r7, [r12, #20]",
        "ldr r6, [r12, #28]",
        "ldrd r8, r1, [r12, #40]",
        "ldrd r10, r0, [r12, #52]",
        "ldr r2, [r12, #16]",
        "add r0, r2",
        "add r6, r2",
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
        "ldr r4, [r12, #12]",
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
                "ldr r2, [r12, #28]",
                "ldrd r9, r8, [r12, #32]",
                "ldrd r6, r10, [r12, #48]",
                "mov r11, #1",
                "ldr r4, [r12, #16]",
                "add r2, r4",
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
                "ldrd r1, r0, [r12, #20]",
                "add r4, r4, r1",
                "ldr r1, [r12, #12]",
                "add r2, r2, r1",
                "subs r0, #1",
                "str r0, [r12, #24]",
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
    few_taps,
    "",
    "vctp.16 r7",
    "add r4, r4, #8",
    "vpst\nvldrbt.s16 q2, [r0]",
    "vpstt\nvldrbt.s16 q2, [r0]\nvldrbt.s16 q4, [r1]\n",
    "vpst\nvstrbt.16 q0, [r2], #8\n"
);
taps!(
    spread_taps,
    "add r0, r12, #60\nvldrh.u16 q6, [r0]\nvldrh.u16 q7, [r0, #16]",
    "vctp.16 r7",
    "ldrd r0, r1, [r12, #92]
     ldr r5, [r12, #100]
     vadd.i16 q6, q6, r0
     vadd.i16 q7, q7, r1
     vptt.s16 ge, q7, r5
     vaddt.i16 q6, q6, r11
     vsubt.i16 q7, q7, r5",
    "vpst\nvldrbt.s16 q2, [r0, q6]",
    "vpstt\nvldrbt.s16 q2, [r0, q6]\nvldrbt.s16 q4, [r1, q6]\n",
    "vpst\nvstrbt.16 q0, [r2], #8\n"
);

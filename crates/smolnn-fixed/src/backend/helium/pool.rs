//! Pooling of int8: the largest of sixteen channels at a time, the mean of eight, whose sums have 16 bits. The last channels of a pixel
//! run under a predicate, so that any number of them is served.
//! Held by: random shapes against the oracle on the boards (the `conformance` firmware).

use core::arch::naked_asm;

use smolnn_core::Pool2dShape;

use super::vector::helium;
use crate::element::Element;
use crate::pool::Kind;
use crate::tensors::Tensors;

/// Taps whose sum fits in a halfword: 255 · 128 < 2^15.
const MOST_TAPS: usize = 255;

/// Neighbouring pixels whose windows see as many taps. The assembly knows the order of the fields.
#[repr(C)]
struct Run {
    /// The first tap of the first pixel.
    source: *const i8,
    output: *mut i8,
    channels: usize,
    /// Rows and columns of taps; no rows where a window sees nothing.
    rows: usize,
    columns: usize,
    /// Bytes from a row of taps to the next, and from a tap to the next.
    row_step: usize,
    step: usize,
    /// Pixels, at least one, and bytes from one's first tap to the next one's.
    pixels: usize,
    pixel_step: usize,
    minimum: i32,
    maximum: i32,
    /// Half of the taps, and ⌈2^24 / taps⌉, for the mean.
    half: u32,
    inverse: u32,
}

/// Runs the pooling, unless the type or the shape is left to the portable body.
#[inline(always)]
pub(super) fn pool2d<T: Element>(
    shape: &Pool2dShape,
    kind: Kind,
    minimum: i32,
    maximum: i32,
    tensors: &mut impl Tensors<T>,
) -> bool {
    if size_of::<T>() != 1 || shape.rows().kernel() * shape.columns().kernel() > MOST_TAPS {
        return false;
    }
    let (input, output) = tensors.pointers();
    // SAFETY: elements of one byte are i8; the caller checked the lengths.
    unsafe { run(shape, kind, minimum, maximum, input.cast(), output.cast()) };
    true
}

/// Runs the pooling.
///
/// # Safety
/// Input and output have the lengths that the shape says.
#[inline(never)]
unsafe fn run(shape: &Pool2dShape, kind: Kind, minimum: i32, maximum: i32, input: *const i8, mut output: *mut i8) {
    let channels = shape.output().channels;
    let (rows, columns) = (shape.rows(), shape.columns());
    for image in 0..shape.batch() {
        let image = input.wrapping_add(image * shape.input().len());
        for row in 0..shape.output().height {
            let mut position = 0;
            while position < shape.output().width {
                let (first, last) = columns.taps(position);
                // A window beside the input sees none of its rows either.
                let (first_row, last_row) = if first < last { rows.taps(row) } else { (0, 0) };
                let mut pixels = 1;
                while position + pixels < shape.output().width && columns.taps(position + pixels) == (first, last) {
                    pixels += 1;
                }
                let taps = ((last_row - first_row) * (last - first)) as u32;
                let y = rows.position(row, first_row);
                let x = columns.position(position, first);
                let run = Run {
                    source: image
                        .wrapping_add(y.wrapping_mul(shape.input().row()).wrapping_add(x.wrapping_mul(channels))),
                    output,
                    channels,
                    rows: last_row - first_row,
                    columns: last - first,
                    row_step: rows.dilation() * shape.input().row(),
                    step: columns.dilation() * channels,
                    pixels,
                    pixel_step: columns.stride() * channels,
                    minimum,
                    maximum,
                    half: taps / 2,
                    inverse: (1_u32 << 24).div_ceil(taps.max(1)),
                };
                // SAFETY: the taps of these pixels lie in the image, and the pixels in the output.
                unsafe {
                    match kind {
                        Kind::Maximum => largest(&run),
                        Kind::Mean => mean(&run),
                    }
                }
                output = output.wrapping_add(pixels * channels);
                position += pixels;
            }
        }
    }
}

/// The pooling of a run of pixels: what a block of channels starts from and how many bits it leaves of the count of channels, the instruction
/// that gathers a tap, and how what is gathered becomes outputs.
macro_rules! pixels {
    ($bits:literal, $start:literal, $gather:literal, $lanes:literal, [$($finish:literal),*]) => {
        naked_asm!(
            helium!(),
            "push {{r4-r11, lr}}",
            "sub sp, #12",
            "vpush {{d8, d9}}",
            "mov r12, r0",
            "ldrd r7, r8, [r12, #36]",
            concat!("vdup.", $bits, " q2, r7"),
            concat!("vdup.", $bits, " q3, r8"),
            "ldrd r7, r11, [r12, #28]",
            "str r7, [sp, #16]",
            "ldrd r7, r8, [r12, #44]",
            "strd r7, r8, [sp, #20]",
            "ldm.w r12, {{r0, r1, r2, r3, r4, r5, r6}}",
            "5:",
            "mov r9, r2",
            "mov r10, r0",
            "2:",
            concat!("vctp.", $bits, " r9"),
            $start,
            "mov r12, r10",
            "movs r8, r3",
            "beq 6f",
            "3:",
            "mov r7, r12",
            "dls lr, r4",
            "4:",
            "vpst",
            $gather,
            "add r7, r6",
            "le lr, 4b",
            "add r12, r5",
            "subs r8, #1",
            "bne 3b",
            "6:",
            $($finish,)*
            concat!("add r10, #", $lanes),
            concat!("adds r1, #", $lanes),
            concat!("subs r9, #", $lanes),
            "bgt 2b",
            // The last block of a pixel has gone too far by the channels that it has not.
            "add r1, r9",
            "add r0, r11",
            "ldr r7, [sp, #16]",
            "subs r7, #1",
            "str r7, [sp, #16]",
            "bne 5b",
            "vpop {{d8, d9}}",
            "add sp, #12",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// The largest tap of each channel, clamped.
///
/// # Safety
/// The taps of the run's pixels can be read, and the pixels written.
//
// | register | holds                                      | register | holds                          |
// |----------|--------------------------------------------|----------|--------------------------------|
// | r0       | the pixel's first tap                      | r9       | channels that are left         |
// | r1       | next output                                | r10      | the block's first tap          |
// | r2       | channels                                   | r11      | `pixel_step`                   |
// | r3, r4   | rows and columns of taps                   | r12      | first tap of the row           |
// | r5, r6   | `row_step`, `step`                         | lr       | taps of the row that are left  |
// | r7       | next tap                                   | q0, q1   | what is gathered, a tap        |
// | r8       | rows that are left                         | q2, q3   | the clamp                      |
//
// On the stack at 16: pixels that are left; 20, 24: `half`, `inverse`.
#[unsafe(naked)]
unsafe extern "C" fn largest(run: &Run) {
    pixels!(
        "8",
        "vmov.i8 q0, #0x80",
        "vldrbt.u8 q1, [r7]\nvmax.s8 q0, q0, q1",
        "16",
        ["vmax.s8 q0, q0, q2", "vmin.s8 q0, q0, q3", "vpst", "vstrbt.8 q0, [r1]"]
    )
}

/// The mean of each channel's taps to nearest, halves away from zero, clamped: the size of the sum and half of the taps, times
/// ⌈2^24 / taps⌉, as `pool` has it.
///
/// # Safety
/// The taps of the run's pixels can be read, and the pixels written.
//
// The registers are those of `largest`; r7 and r8 hold `half` and `inverse` behind the taps, q4 the means of the even channels, then all.
#[unsafe(naked)]
unsafe extern "C" fn mean(run: &Run) {
    pixels!(
        "16",
        "vmov.i16 q0, #0",
        "vldrbt.s16 q1, [r7]\nvadd.i16 q0, q0, q1",
        "8",
        [
            "ldrd r7, r8, [sp, #20]",
            "vmovlb.s16 q1, q0",
            "vabs.s32 q4, q1",
            "vadd.i32 q4, q4, r7",
            "vmul.i32 q4, q4, r8",
            "vshr.u32 q4, q4, #24",
            "vpt.s32 lt, q1, zr",
            "vnegt.s32 q4, q4",
            "vmovlt.s16 q0, q0",
            "vabs.s32 q1, q0",
            "vadd.i32 q1, q1, r7",
            "vmul.i32 q1, q1, r8",
            "vshr.u32 q1, q1, #24",
            "vpt.s32 lt, q0, zr",
            "vnegt.s32 q1, q1",
            "vmovnt.i32 q4, q1",
            "vmax.s16 q4, q4, q2",
            "vmin.s16 q4, q4, q3",
            "vctp.16 r9",
            "vpst",
            "vstrbt.16 q4, [r1]"
        ]
    )
}

//! Arm v7E-M and v8-M with DSP: whole loops in assembly, since LLVM neither finds SMLAD and SXTB16 nor keeps fourteen
//! registers busy without spilling.

#![allow(unsafe_code)]

/// Four inputs at r1, widened into r2 and r3.
macro_rules! widen {
    () => {
        "ldr.w r3, [r1], #4
         sxtb16 r2, r3
         sxtb16 r3, r3, ror #8\n"
    };
}

/// Two weights of each channel of a pair, and the next two, times the inputs in r2 and r3: for the kernels of one vector.
macro_rules! pair {
    ($even:literal, $odd:literal) => {
        concat!(
            "ldmia.w r0!, {{r12, lr}}\n",
            "smlad ",
            $odd,
            ", r12, r2, ",
            $odd,
            "\n",
            "smlad ",
            $odd,
            ", lr, r3, ",
            $odd,
            "\n",
            "sxtb16 r12, r12\n",
            "sxtb16 lr, lr\n",
            "smlad ",
            $even,
            ", r12, r2, ",
            $even,
            "\n",
            "smlad ",
            $even,
            ", lr, r3, ",
            $even,
            "\n",
        )
    };
}

mod conv2d;
mod dense;
mod depthwise;
mod pool;
mod q15;
mod rows;
mod tile;
mod wide;

pub(crate) use conv2d::conv2d;
pub(crate) use dense::dense;
pub(crate) use depthwise::depthwise_conv2d;
pub(crate) use pool::{largest, pool2d};
pub(crate) use q15::q15_eights;
pub(crate) use rows::dense_int16;
pub(crate) use wide::dense_to_int16;

use crate::quantise::OutputRange;

/// Clamps outputs, which the kernels saturate to int8, to a narrower range.
///
/// # Safety
/// `length` bytes can be read and written at `output`.
unsafe fn clamp(output: *mut i8, length: usize, range: &OutputRange) {
    if range.minimum <= -128 && range.maximum >= 127 {
        return;
    }
    // SAFETY: the caller vouches for the slice, which nobody else uses while it lives.
    for value in unsafe { core::slice::from_raw_parts_mut(output, length) } {
        *value = range.maximum.min(range.minimum.max(i32::from(*value))) as i8;
    }
}

/// Copies bytes, four at a time: unaligned words are allowed on these cores.
/// # Safety
/// `length` bytes can be read and written.
unsafe fn copy(mut source: *const i8, mut target: *mut i8, mut length: usize) -> *mut i8 {
    // SAFETY: the caller vouches for `length` bytes at both.
    unsafe {
        while length >= 4 {
            target.cast::<u32>().write_unaligned(source.cast::<u32>().read_unaligned());
            source = source.add(4);
            target = target.add(4);
            length -= 4;
        }
        while length > 0 {
            *target = *source;
            source = source.add(1);
            target = target.add(1);
            length -= 1;
        }
    }
    target
}

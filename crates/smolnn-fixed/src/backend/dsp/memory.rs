//! Moving and clamping bytes.

use core::arch::naked_asm;

use crate::quantise::OutputRange;

/// Clamps outputs, which the kernels saturate to int8, to a narrower range.
///
/// # Safety
/// `length` bytes can be read and written at `output`.
#[inline(always)]
pub(super) unsafe fn clamp(output: *mut i8, length: usize, range: &OutputRange) {
    if range.minimum > -128 || range.maximum < 127 {
        // SAFETY: as the caller vouches.
        unsafe { narrow(output, length, range) };
    }
}

/// Clamps outputs to a range. One copy of this loop serves all callers.
///
/// # Safety
/// As for [`clamp`].
#[inline(never)]
unsafe fn narrow(output: *mut i8, length: usize, range: &OutputRange) {
    // SAFETY: the caller vouches for the slice, which nobody else uses while it lives.
    for value in unsafe { core::slice::from_raw_parts_mut(output, length) } {
        *value = range.maximum.min(range.minimum.max(i32::from(*value))) as i8;
    }
}

/// Writes `value` to `length` words. One copy of this loop serves all callers.
///
/// # Safety
/// `length` words can be written.
#[inline(never)]
pub(super) unsafe fn fill(words: *mut u32, length: usize, value: u32) {
    for index in 0..length {
        // SAFETY: the caller vouches for `length` words.
        unsafe { *words.add(index) = value };
    }
}

/// Copies bytes, four at a time: unaligned words are allowed on these cores. Gives the end of the copy.
///
/// # Safety
/// `length` bytes can be read and written.
pub(super) unsafe fn copy(mut source: *const i8, mut target: *mut i8, mut length: usize) -> *mut i8 {
    // SAFETY: the caller vouches for `length` bytes at source and target, and the loops stop where they end.
    unsafe {
        if length >= 16 {
            let whole = length / 16 * 16;
            target = copy_sixteens(source, target, whole);
            source = source.add(whole);
            length -= whole;
        }
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

/// Copies sixteen bytes at a time, one time at least; gives the end of the copy. One copy of this loop serves all callers, where the compiler
/// would unroll it for each, or call memcpy.
///
/// # Safety
/// `length` is a multiple of sixteen and not 0; so many bytes can be read and written.
//
// | register | holds                    |
// |----------|--------------------------|
// | r0, r1   | next bytes of both       |
// | r2       | bytes that are left      |
// | r3, r12  | the words on their way   |
#[unsafe(naked)]
unsafe extern "C" fn copy_sixteens(source: *const i8, target: *mut i8, length: usize) -> *mut i8 {
    naked_asm!(
        env!("SMOLNN_DSP_CORE"),
        "2:",
        "ldr r3, [r0], #4",
        "ldr r12, [r0], #4",
        "str r3, [r1], #4",
        "str r12, [r1], #4",
        "ldr r3, [r0], #4",
        "ldr r12, [r0], #4",
        "str r3, [r1], #4",
        "str r12, [r1], #4",
        "subs r2, #16",
        "bne 2b",
        "mov r0, r1",
        "bx lr",
    )
}

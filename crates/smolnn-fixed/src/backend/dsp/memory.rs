//! Moving and clamping bytes.

use crate::quantise::OutputRange;

/// Clamps outputs, which the kernels saturate to int8, to a narrower range.
///
/// # Safety
/// `length` bytes can be read and written at `output`.
pub(super) unsafe fn clamp(output: *mut i8, length: usize, range: &OutputRange) {
    if range.minimum <= -128 && range.maximum >= 127 {
        return;
    }
    // SAFETY: the caller vouches for the slice, which nobody else uses while it lives.
    for value in unsafe { core::slice::from_raw_parts_mut(output, length) } {
        *value = range.maximum.min(range.minimum.max(i32::from(*value))) as i8;
    }
}

/// Copies bytes, four at a time: unaligned words are allowed on these cores. Gives the end of the copy.
///
/// # Safety
/// `length` bytes can be read and written.
pub(super) unsafe fn copy(mut source: *const i8, mut target: *mut i8, mut length: usize) -> *mut i8 {
    // SAFETY: the caller vouches for `length` bytes at source and target, and the loops stop where they end.
    unsafe {
        while length >= 16 {
            let words = [0, 1, 2, 3].map(|index| source.cast::<u32>().add(index).read_unaligned());
            for (index, word) in words.into_iter().enumerate() {
                target.cast::<u32>().add(index).write_unaligned(word);
            }
            source = source.add(16);
            target = target.add(16);
            length -= 16;
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

//! The loops over the channels of a 3×3 depthwise convolution in Rust, for cores without their own.

use super::depthwise::{self, Block};
use super::rounding::Rounding;

/// A 3×3 depthwise convolution of four neighbouring pixels.
///
/// # Safety
/// The block's pointers are good for its number of channels; the full range of int8 is asked for.
pub(super) unsafe fn depthwise_four(block: &mut Block) {
    // SAFETY: the caller's.
    unsafe { depthwise::channels(block, [0, 1, 2, 3], 6, Rounding::finish_int8(block.offset)) }
}

/// As [`depthwise_four`] for two pixels with six taps a row.
///
/// # Safety
/// As [`depthwise_four`].
pub(super) unsafe fn depthwise_two(block: &mut Block) {
    // SAFETY: the caller's.
    unsafe { depthwise::channels(block, [0, 3], 6, Rounding::finish_int8(block.offset)) }
}

/// As [`depthwise_four`] for one pixel with three taps a row.
///
/// # Safety
/// As [`depthwise_four`].
pub(super) unsafe fn depthwise_one(block: &mut Block) {
    // SAFETY: the caller's.
    unsafe { depthwise::channels(block, [0], 3, Rounding::finish_int8(block.offset)) }
}

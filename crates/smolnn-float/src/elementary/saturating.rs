//! What tanh and erf share: odd, between −1 and 1, y ≈ c·x at 0.
//!
//! From `first` on, y lies in \[1/2, 1): the bits of |x| less those of `first` give the segment and the place in it, and a
//! polynomial gives the bits of y at once. Below, y = x·R(x²); beyond the segments y = ±1.

/// What stands for a function: the bits of the first x of its segments, doubled (the sign is shifted out), and where they end.
#[derive(Clone, Copy)]
pub(super) struct Range {
    /// Doubled bits of the first x. A loop hides it from LLVM with `black_box`, which else spreads it over the comparisons.
    pub(super) first: u32,
    /// Doubled bits from the first x to the end of the last segment.
    pub(super) length: u32,
}

impl Range {
    /// `segments` segments of 2^`shift` floats from the float with bits `first` on.
    pub(super) const fn new(first: u32, segments: usize, shift: u32) -> Self {
        Self { first: first << 1, length: (segments as u32) << (shift + 1) }
    }
}

/// `near` takes twice the number of floats from the first on, `small` the bits of |x| below the first; both give the bits of |y|.
#[inline(always)]
pub(super) fn evaluate(
    bits: u32,
    first: u32,
    range: Range,
    near: impl Fn(u32) -> u32,
    small: impl Fn(u32) -> u32,
) -> u32 {
    let sign = bits & 0x8000_0000;
    let offset = (bits << 1).wrapping_sub(first);
    if offset < range.length {
        return near(offset) | sign;
    }
    sign | if offset >= range.first.wrapping_neg() {
        small(offset.wrapping_add(first) >> 1)
    } else if offset > (0xff << 24) - range.first {
        // NaN
        bits
    } else {
        // ±1
        127 << 23
    }
}

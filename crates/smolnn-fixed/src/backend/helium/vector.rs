//! The directive that every assembly body begins with, and vectors that hold a number in all lanes.

use crate::quantise::OutputRange;

/// The directive that every assembly body begins with. Where bitcode is written for link-time optimisation, the assembler does
/// not learn the compiler's target-cpu and would refuse Helium.
macro_rules! helium {
    () => {
        ".cpu cortex-m55"
    };
}

pub(super) use helium;

/// A word in all lanes of a vector.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Splat([i32; 4]);

impl Splat {
    /// Four lanes of 32 bits.
    pub(super) fn words(value: i32) -> Self {
        Self([value; 4])
    }

    /// Eight lanes of 16 bits.
    pub(super) fn halves(value: i32) -> Self {
        Self([(value & 0xFFFF) | value << 16; 4])
    }
}

/// The bounds of a clamp as vectors of 32-bit lanes.
pub(super) fn bounds(output: &OutputRange) -> [Splat; 2] {
    [Splat::words(output.minimum), Splat::words(output.maximum)]
}

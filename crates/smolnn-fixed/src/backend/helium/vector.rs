//! The directive that every assembly body begins with, and vectors that hold a number in all lanes.

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
    /// Eight lanes of 16 bits.
    pub(super) fn halves(value: i32) -> Self {
        Self([(value & 0xFFFF) | value << 16; 4])
    }
}

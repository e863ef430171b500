//! Arm v8.1-M with Helium.
//!
//! One instruction multiplies and adds 16 bytes (VMLADAVA) into a core register; one VLDM loads the weights of four of
//! them. That leaves requantisation, which works on four channels at once: VQRDMULH is the reference's first rounding;
//! VQDMLAH with 1 adds −1 to what is negative, after which VRSHL's halves go away from zero, as the second rounding
//! wants. It would be wrong for a shift by 0; the packing sees to that.

/// Stands first in every assembly body: where bitcode is written for link-time optimisation the assembler does not
/// hear of the compiler's target-cpu.
macro_rules! helium {
    () => {
        ".cpu cortex-m55"
    };
}

#[allow(unsafe_code)]
mod conv2d;
#[allow(unsafe_code)]
mod copy;
#[allow(unsafe_code)]
mod dense;
#[allow(unsafe_code)]
mod depthwise;
#[allow(unsafe_code)]
mod matrix;
#[allow(unsafe_code)]
#[path = "../dsp/rows.rs"]
mod rows;

pub(crate) use conv2d::conv2d;
pub(crate) use dense::{dense, dense_to_int16};
pub(crate) use depthwise::depthwise_conv2d;
pub(crate) use rows::dense_int16;

use crate::quantise::OutputRange;

/// A word in all lanes of a vector.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Splat([i32; 4]);

impl Splat {
    /// Four lanes of 32 bits.
    fn words(value: i32) -> Self {
        Self([value; 4])
    }

    /// Eight lanes of 16 bits.
    fn halves(value: i32) -> Self {
        Self([(value & 0xFFFF) | value << 16; 4])
    }
}

/// The bounds of a clamp as vectors of 32-bit lanes.
fn bounds(output: &OutputRange) -> [Splat; 2] {
    [Splat::words(output.minimum), Splat::words(output.maximum)]
}

//! Arm v8.1-M with Helium.
//!
//! One instruction multiplies and adds 16 bytes (VMLADAVA) into a core register; one VLDM loads the weights of four of
//! them. That leaves requantisation, which works on four channels at once: VQRDMULH is the reference's first rounding;
//! VQDMLAH with 1 adds −1 to what is negative, after which VRSHL's halves go away from zero, as the second rounding
//! wants. It would be wrong for a shift by 0; the packing sees to that.

pub(crate) mod pack;

#[cfg(backend = "helium")]
mod conv2d;
#[cfg(backend = "helium")]
mod copy;
#[cfg(backend = "helium")]
mod dense;
#[cfg(backend = "helium")]
mod dense_int16;
#[cfg(backend = "helium")]
mod depthwise;
#[cfg(backend = "helium")]
mod matrix;
#[cfg(backend = "helium")]
mod vector;

#[cfg(backend = "helium")]
pub(crate) use {
    conv2d::conv2d,
    dense::{dense, dense_to_int16},
    dense_int16::dense_int16,
    depthwise::depthwise_conv2d,
};

//! Arm v8.1-M with Helium.
//!
//! One instruction multiplies and adds 16 bytes (VMLADAVA) into a core register; one VLDM loads the weights of four of
//! them. That leaves requantisation, which works on four channels at once: VQRDMULH is the reference's first rounding;
//! VQDMLAH with 1 adds −1 to what is negative, after which VRSHL's halves go away from zero, as the second rounding
//! wants. For a shift by 0 it is right behind a ReLU alone; the packing sees to that.

pub(crate) mod pack;

#[cfg(bodies = "helium")]
mod bodies;
#[cfg(bodies = "helium")]
mod conv2d;
#[cfg(bodies = "helium")]
mod copy;
#[cfg(bodies = "helium")]
mod dense;
#[cfg(bodies = "helium")]
mod dense_int16;
#[cfg(bodies = "helium")]
mod depthwise;
#[cfg(bodies = "helium")]
mod elementwise;
#[cfg(bodies = "helium")]
mod matrix;
#[cfg(bodies = "helium")]
mod pool;
#[cfg(bodies = "helium")]
mod svdf;
#[cfg(bodies = "helium")]
mod vector;

#[cfg(bodies = "helium")]
pub(crate) use bodies::Helium;

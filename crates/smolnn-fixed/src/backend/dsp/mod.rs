//! Arm v7E-M and v8-M with DSP: whole loops in assembly, since LLVM neither finds SMLAD and SXTB16 nor keeps fourteen
//! registers busy without spilling.

pub(crate) mod pack;

#[cfg(bodies = "dsp")]
mod bodies;
#[cfg(bodies = "dsp")]
mod conv2d;
#[cfg(bodies = "dsp")]
mod dense;
#[cfg(bodies = "dsp")]
mod dense_int16;
#[cfg(bodies = "dsp")]
mod dense_to_int16;
#[cfg(bodies = "dsp")]
mod depthwise;
#[cfg(bodies = "dsp")]
mod memory;
#[cfg(bodies = "dsp")]
mod pool;
#[cfg(bodies = "dsp")]
mod q15;
#[cfg(bodies = "dsp")]
mod tile;
#[cfg(bodies = "dsp")]
mod vector;
#[cfg(bodies = "dsp")]
mod winograd;

#[cfg(bodies = "dsp")]
pub(crate) use bodies::Dsp;

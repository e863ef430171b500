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
mod dense_wide;
#[cfg(bodies = "dsp")]
mod depthwise;
#[cfg(bodies = "dsp")]
mod depthwise_lines;
#[cfg(bodies = "dsp")]
mod depthwise_planes;
#[cfg(bodies = "dsp")]
mod depthwise_rows;
#[cfg(bodies = "dsp")]
mod depthwise_taps;
#[cfg(bodies = "dsp")]
mod memory;
#[cfg(all(bodies = "dsp", schedule = "paired"))]
mod paired;
#[cfg(bodies = "dsp")]
mod pool;
#[cfg(bodies = "dsp")]
mod q15;
#[cfg(bodies = "dsp")]
mod requantise;
#[cfg(all(bodies = "dsp", schedule = "single"))]
mod single;
#[cfg(bodies = "dsp")]
mod tile;
#[cfg(bodies = "dsp")]
mod vector;
#[cfg(bodies = "dsp")]
mod winograd;

#[cfg(bodies = "dsp")]
pub(crate) use bodies::Dsp;
#[cfg(all(bodies = "dsp", schedule = "paired"))]
use paired as schedule;
#[cfg(all(bodies = "dsp", schedule = "single"))]
use single as schedule;

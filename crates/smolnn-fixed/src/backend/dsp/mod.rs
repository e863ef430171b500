//! Arm v7E-M and v8-M with DSP: whole loops in assembly, since LLVM neither finds SMLAD and SXTB16 nor keeps fourteen
//! registers busy without spilling.

pub(crate) mod pack;

#[cfg(backend = "dsp")]
mod conv2d;
#[cfg(backend = "dsp")]
mod dense;
#[cfg(backend = "dsp")]
mod dense_int16;
#[cfg(backend = "dsp")]
mod dense_to_int16;
#[cfg(backend = "dsp")]
mod depthwise;
#[cfg(backend = "dsp")]
mod memory;
#[cfg(backend = "dsp")]
mod pool;
#[cfg(backend = "dsp")]
mod q15;
#[cfg(backend = "dsp")]
mod tile;
#[cfg(backend = "dsp")]
mod vector;

#[cfg(backend = "dsp")]
pub(crate) use {
    conv2d::conv2d,
    dense::dense,
    dense_int16::dense_int16,
    dense_to_int16::dense_to_int16,
    depthwise::depthwise_conv2d,
    pool::{largest, pool2d},
    q15::q15_eights,
};

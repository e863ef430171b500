//! The bodies of the kernels. `portable` always compiles and is the specification; a folder per backend overrides what
//! pays there. A layer whose weights have the portable layout runs the portable body on every build, so that tests hold
//! a backend against the specification on the target itself. Which body serves an operator in this build is said here and nowhere else.

pub(crate) mod portable;

// One pair of lines per backend with bodies of its own: its module gives every operator, the portable body where it has
// none.
#[cfg(backend = "dsp")]
mod dsp;
#[cfg(backend = "helium")]
mod helium;
#[cfg(any(backend = "v7m", backend = "v6m", backend = "rv32"))]
mod scalar;

#[cfg(backend = "dsp")]
use dsp as chosen;
#[cfg(backend = "helium")]
use helium as chosen;
#[cfg(backend = "portable")]
use portable as chosen;
#[cfg(any(backend = "v7m", backend = "v6m", backend = "rv32"))]
use scalar as chosen;

pub(crate) use chosen::{conv2d, dense, dense_int16, dense_to_int16, depthwise_conv2d};

#[cfg(all(backend = "rv32", target_arch = "riscv32"))]
pub(crate) use scalar::with_lowest_byte;

#[cfg(backend = "dsp")]
pub(crate) use dsp::{largest, pool2d, q15_eights};
#[cfg(not(backend = "dsp"))]
pub(crate) use portable::{largest, pool2d, q15_eights};

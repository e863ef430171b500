//! The backends: a folder each, its packing of weights beside its bodies. `portable` always compiles and is the specification;
//! the others override what pays there. Packing is compiled everywhere, since the importer packs on the host for the target;
//! bodies in the builds that run them. A layer whose weights have the portable layout runs the portable body on every build, so that tests hold
//! a backend against the specification on the target itself. Which body serves an operator in this build is said here and nowhere else.

pub mod choice;
#[cfg(any(backend = "dsp", backend = "helium"))]
mod dense_int16;
mod dsp;
mod helium;
pub mod pack;
pub(crate) mod portable;
mod scalar;

// Each module gives every operator, the portable body where it has none.
#[cfg(bodies = "dsp")]
use dsp as chosen;
#[cfg(bodies = "helium")]
use helium as chosen;
#[cfg(bodies = "portable")]
use portable as chosen;
#[cfg(bodies = "scalar")]
use scalar as chosen;

pub(crate) use chosen::{conv2d, dense, dense_int16, dense_to_int16, depthwise_conv2d};

#[cfg(core = "rv32")]
pub(crate) use scalar::with_lowest_byte;

#[cfg(backend = "dsp")]
pub(crate) use dsp::{largest, pool2d, q15_eights};
#[cfg(not(backend = "dsp"))]
pub(crate) use portable::{largest, pool2d, q15_eights};

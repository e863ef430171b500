//! Cores that multiply one pair of 32-bit numbers at a time. One body per operator; the inner loops and what depends on
//! the multiplier are those of the core, one of `v7m`, `v6m`, `rv32`.
//!
//! Two pixels share a word, X = x_a + 2^16·x_b, so that one multiplication by a weight serves both. See
//! [`pack`] for the layouts and for what packing guarantees.

pub(crate) mod pack;

#[cfg(bodies = "scalar")]
mod bodies;
#[cfg(bodies = "scalar")]
mod conv2d;
#[cfg(bodies = "scalar")]
mod dense;
#[cfg(bodies = "scalar")]
mod depthwise;
#[cfg(bodies = "scalar")]
mod depthwise_taps;
#[cfg(core = "host")]
mod host;
#[cfg(bodies = "scalar")]
mod kernels;
#[cfg(bodies = "scalar")]
mod pool;
#[cfg(bodies = "scalar")]
mod rounding;
#[cfg(core = "rv32")]
mod rv32;
#[cfg(core = "v6m")]
mod v6m;
#[cfg(core = "v7m")]
mod v7m;
#[cfg(bodies = "scalar")]
mod winograd;

#[cfg(bodies = "scalar")]
pub(crate) use bodies::Scalar;
#[cfg(core = "host")]
use host::Host as Cpu;
#[cfg(core = "rv32")]
use rv32::Rv32 as Cpu;
#[cfg(core = "v6m")]
use v6m::V6m as Cpu;
#[cfg(core = "v7m")]
use v7m::V7m as Cpu;

/// The value, as one of which the compiler knows nothing. It would make a copy of a body for each constant layer of a model, which takes
/// kilobytes of flash and saves hardly an instruction. In builds for size it does not.
#[cfg(bodies = "scalar")]
fn any<T>(value: T) -> T {
    if cfg!(smolnn_optimize = "size") { value } else { core::hint::black_box(value) }
}

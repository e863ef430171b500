//! The bodies of the passes of [`Number`](crate::Number), the one room where `unsafe` is allowed.
//!
//! `portable` is safe Rust, runs everywhere and is the specification. For f32 there are two more: `fpv4`, for any Cortex-M
//! with a hardware FPU, which multiplies and adds in the same order and gives the same bits; and `helium`, whose results
//! differ in the last bits. `--cfg smolnn_backend="portable"` forces the first.

pub(crate) mod portable;

/// Whether the f32 layers of this build multiply and add with one rounding (Helium), so that their last bits differ from
/// those of other targets. Elsewhere they are the same bits everywhere.
pub const FUSES_F32: bool = cfg!(helium);

#[cfg(helium)]
mod helium;

#[cfg(all(
    target_arch = "arm",
    target_abi = "eabihf",
    target_os = "none",
    not(any(helium, smolnn_backend = "portable"))
))]
mod fpv4;

#[cfg(not(any(
    helium,
    all(target_arch = "arm", target_abi = "eabihf", target_os = "none", not(smolnn_backend = "portable"))
)))]
impl crate::Number for f32 {}

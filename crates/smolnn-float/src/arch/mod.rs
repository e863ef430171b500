//! The bodies of the three passes of [`Number`](crate::Number), the one room where `unsafe` is allowed.
//!
//! `portable` is safe Rust, runs everywhere and is the specification. `fpv4` (any Cortex-M with a hardware FPU) is for
//! f32, multiplies and adds in the same order and gives the same bits. `--cfg smolnn_backend="portable"` forces the first.

pub(crate) mod portable;

#[cfg(all(target_arch = "arm", target_abi = "eabihf", target_os = "none", not(smolnn_backend = "portable")))]
mod fpv4;

#[cfg(not(all(target_arch = "arm", target_abi = "eabihf", target_os = "none", not(smolnn_backend = "portable"))))]
impl crate::Number for f32 {}

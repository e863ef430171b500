//! What several of the firmware's programs share: the kernels that are measured and linked for the panic check.
#![no_std]

pub mod kernels;

//! What several of the firmware's programs share: kernels and models to be measured, tested, and linked for the panic check.
#![no_std]

pub mod kernels;
pub mod models;

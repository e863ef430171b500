//! Neural-network kernels on real numbers, with every gradient.
//!
//! Everything is generic over one small trait, [`Real`], implemented for `f32` (firmware) and `f64` (checking on the host).
#![no_std]

#[cfg(test)]
extern crate std;

mod real;

pub use real::Real;

//! Neural-network kernels on real numbers, with every gradient.
//!
//! Everything is generic over one small trait, [`Real`], implemented for `f32` (firmware) and `f64` (checking on the host).
#![no_std]

#[cfg(test)]
extern crate std;

#[allow(unsafe_code)]
mod arch;
pub mod clip;
pub mod conv;
pub mod dense;
pub mod diagnostics;
pub mod dropout;
pub mod elementary;
pub mod embedding;
mod gradients;
pub mod init;
pub mod loss;
pub mod norm;
mod number;
pub mod optimiser;
pub mod parameter;
pub mod pool;
pub mod random;
mod real;
pub mod residual;
mod rows;
mod slices;
pub mod standardise;

pub use gradients::Gradients;
pub use number::Number;
pub use parameter::Parameter;
pub use real::Real;
pub use rows::Rows;

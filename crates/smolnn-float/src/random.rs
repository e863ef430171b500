//! Random numbers: any generator of `rand_core`, and one whose streams are pinned.
//!
//! [`Pcg32`] is PCG-XSH-RR 64/32 of `rand_pcg`: 16 bytes of state, the same stream on every target and in every release
//! (tests/host/gradient/training.rs pins it). Where a seed decides what a network becomes, use it.

pub use rand_core::{Rng as Generator, SeedableRng};
pub use rand_pcg::Pcg32;

use crate::Real;

/// Uniform in [0, 1), a multiple of 2⁻²⁴: exact in f32, so that f32 and f64 draw the same numbers.
#[inline]
pub fn uniform<T: Real>(generator: &mut impl Generator) -> T {
    T::from_usize((generator.next_u32() >> 8) as usize) * T::from_f64(1.0 / 16_777_216.0)
}

/// Standard normal, by Box and Muller: √(−2 ln u)·cos 2πv, u in (0, 1].
#[inline]
pub fn normal<T: Real>(generator: &mut impl Generator) -> T {
    let u = T::ONE - uniform::<T>(generator);
    let v = uniform::<T>(generator);
    (T::from_f64(-2.0) * u.log()).sqrt() * (T::from_f64(core::f64::consts::TAU) * v).cos()
}

//! Elementary functions of f32, in three tiers.
//!
//! - [`accurate`][]: through `libm` in f64, correctly rounded but for one case in thousands of millions; the slowest.
//! - **default**, the functions of this module: below one or a few units in the last place, monotonic, right at ±0, ±∞ and NaN.
//! - [`fast`][]: looser, by an absolute or a relative bound that each function states, in about half the instructions where
//!   the default tier takes many.
//!
//! `micromath`'s exp and ln are measured beside these (`cargo xtask bench`); neither is used. Its exp takes 65 instructions on
//! the M4F against 19 here; its ln 35 and on the M3 927, against 22 and 36 here, and errs by as much as 0.1, relatively (tests/host/exhaustive/accuracy.rs),
//! against 6e-7. With Helium alone its ln, which LLVM vectorises, takes fewer: 8 against 23.
//!
//! A function has up to four bodies. All are compiled and tested everywhere ([`bodies`]); the target (build.rs) chooses the
//! default: `float` with an FPU, `integer` with long multiplication, `narrow` with neither (ARMv6-M), `vector` with Helium.
//! Where there is no FPU no float operation runs: a float is taken apart, and put together again, by shifts.
#![doc = include_str!("cost.md")]

mod erf;
mod exp;
mod expm1;
pub mod fast;
mod fixed;
mod log;
mod remainder;
mod saturating;
mod sigmoid;
mod slices;
mod softplus;
#[rustfmt::skip] // Many numbers to a line.
mod tables;
mod tanh;
mod vector;

pub use erf::{erf, erf_slice};
pub use expm1::{expm1, expm1_slice};
pub use log::{log, log_slice};
pub(crate) use remainder::remainder;
pub use softplus::{softplus, softplus_slice};

/// Every body, for tests and measurements.
pub mod bodies {
    pub use super::exp::{exp_float, exp_integer, exp_narrow, exp_slice_float, exp_slice_integer, exp_slice_narrow};
    pub use super::sigmoid::{
        sigmoid_float, sigmoid_integer, sigmoid_narrow, sigmoid_slice_float, sigmoid_slice_integer,
        sigmoid_slice_narrow,
    };
    pub use super::tanh::{
        tanh_fast_float, tanh_fast_integer, tanh_fast_narrow, tanh_fast_slice_float, tanh_fast_slice_integer,
        tanh_fast_slice_narrow, tanh_integer, tanh_narrow, tanh_slice_integer, tanh_slice_narrow,
    };
    pub use super::vector::{sigmoid_slice_vector, sigmoid_vector, tanh_slice_vector, tanh_vector};
}

#[cfg(body = "float")]
use bodies::{
    exp_float as exp_body, exp_slice_float as exp_slice_body, sigmoid_float as sigmoid_body,
    sigmoid_slice_float as sigmoid_slice_body, tanh_integer as tanh_body, tanh_slice_integer as tanh_slice_body,
};
#[cfg(body = "vector")]
use bodies::{
    exp_float as exp_body, exp_slice_float as exp_slice_body, sigmoid_slice_vector as sigmoid_slice_body,
    sigmoid_vector as sigmoid_body, tanh_slice_vector as tanh_slice_body, tanh_vector as tanh_body,
};
#[cfg(body = "integer")]
use bodies::{
    exp_integer as exp_body, exp_slice_integer as exp_slice_body, sigmoid_integer as sigmoid_body,
    sigmoid_slice_integer as sigmoid_slice_body, tanh_integer as tanh_body, tanh_slice_integer as tanh_slice_body,
};
#[cfg(body = "narrow")]
use bodies::{
    exp_narrow as exp_body, exp_slice_narrow as exp_slice_body, sigmoid_narrow as sigmoid_body,
    sigmoid_slice_narrow as sigmoid_slice_body, tanh_narrow as tanh_body, tanh_slice_narrow as tanh_slice_body,
};

/// eˣ.
///
/// At most 0.91 ULP with an FPU, 0.74 with long multiplication, 1.49 on ARMv6-M, in 22 to 66 instructions. ∞ above 88.72, 0 below
/// −103.97, subnormal results between; 1 at ±0; NaN stays.
#[inline]
pub fn exp(x: f32) -> f32 {
    exp_body(x)
}

/// [`exp`] of every element.
pub fn exp_slice(x: &[f32], y: &mut [f32]) {
    exp_slice_body(x, y);
}

/// The logistic function 1 / (1 + e⁻ˣ).
///
/// At most 2.24 ULP with an FPU, 0.88 with long multiplication, 1.67 on ARMv6-M, in 25 to 118 instructions; in slices on Helium 1.55
/// in 9.8 per element. 0 at −∞, 1 at ∞, 1/2 at ±0; NaN stays.
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    sigmoid_body(x)
}

/// [`sigmoid`] of every element.
pub fn sigmoid_slice(x: &[f32], y: &mut [f32]) {
    sigmoid_slice_body(x, y);
}

/// The hyperbolic tangent.
///
/// At most 0.67 ULP, 1.20 on ARMv6-M, in 22 to 51 instructions; in slices on Helium 1.29 in 8.6 per element. ±1 from 9.02 on, ±0 at ±0,
/// odd bit for bit; NaN stays.
#[inline]
pub fn tanh(x: f32) -> f32 {
    tanh_body(x)
}

/// [`tanh`] of every element.
pub fn tanh_slice(x: &[f32], y: &mut [f32]) {
    tanh_slice_body(x, y);
}

/// The accurate tier: `libm` in f64, rounded once: at most 0.501 units in the last place, thousands of instructions without an
/// FPU of double precision (no board here has one). Special values as in the default tier; NaN stays, monotonic.
pub mod accurate {
    macro_rules! through_f64 {
        ($($name:ident($x:ident) = $f:expr, $doc:literal;)*) => {$(
            #[doc = $doc]
            pub fn $name($x: f32) -> f32 {
                let $x = f64::from($x);
                let y: f64 = $f;
                y as f32
            }
        )*};
    }

    through_f64! {
        exp(x) = libm::exp(x), "eˣ. ∞ above 88.72, 0 below −103.97, 1 at ±0.";
        expm1(x) = libm::expm1(x), "eˣ − 1. −1 at −∞, ∞ above 88.72, ±0 at ±0.";
        log(x) = libm::log(x), "ln x. −∞ at ±0, NaN below, ∞ at ∞, 0 at 1.";
        sigmoid(x) = 1.0 / (1.0 + libm::exp(-x)), "The logistic function 1 / (1 + e⁻ˣ). 0 at −∞, 1 at ∞, 1/2 at ±0.";
        tanh(x) = libm::tanh(x), "The hyperbolic tangent. ±1 at ±∞, ±0 at ±0.";
        erf(x) = libm::erf(x), "The error function. ±1 at ±∞, ±0 at ±0.";
        softplus(x) = if x > 0.0 { x + libm::log1p(libm::exp(-x)) } else { libm::log1p(libm::exp(x)) }, "ln(1 + eˣ). 0 at −∞, ∞ at ∞, ln 2 at ±0.";
    }
}

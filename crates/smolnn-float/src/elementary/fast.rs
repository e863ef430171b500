//! The fast tier: errors that a network does not see, for fewer instructions.
//!
//! A polynomial (exp) or tables of quadratics, one row a word, evaluated in integers with 24 bits after the point; with an
//! FPU conversions run there. All are monotonic, and right at ±0, ±∞ and NaN. Bounds are absolute or relative, as each says;
//! small results of sigmoid and softplus lose their relative precision and become 0.
//!
//! Each has bodies for several kinds of core ([`Arithmetic`]), which are compiled and tested everywhere ([`bodies`]); the functions of this
//! module are those of the target's own. Where none takes a tenth less than the default tier, that stands in for it.
#![doc = include_str!("cost.md")]

mod arithmetic;
mod erf;
mod exp;
mod expm1;
mod log;
mod sigmoid;
mod softplus;

pub use arithmetic::{Arithmetic, Float, Integer, Narrow};

/// The functions for any core, for tests and measurements.
pub mod bodies {
    pub use super::erf::{erf, erf_slice};
    pub use super::exp::{exp, exp_slice};
    pub use super::expm1::{expm1_float, expm1_narrow, expm1_slice_float, expm1_slice_narrow};
    pub use super::log::{log, log_slice};
    pub use super::sigmoid::{sigmoid_integer, sigmoid_narrow, sigmoid_slice_integer, sigmoid_slice_narrow};
    pub use super::softplus::{softplus, softplus_slice};
}

/// What the target runs.
#[cfg(body = "float")]
mod own {
    pub use super::super::bodies::{tanh_fast_float as tanh, tanh_fast_slice_float as tanh_slice};
    pub use super::super::{sigmoid, sigmoid_slice};
    pub use super::Float as Own;
    pub use super::bodies::{exp, exp_slice, expm1_float as expm1, expm1_slice_float as expm1_slice};
}
#[cfg(body = "vector")]
mod own {
    pub use super::super::{sigmoid, sigmoid_slice, tanh, tanh_slice};
    pub use super::Float as Own;
    pub use super::bodies::{exp, exp_slice, expm1_float as expm1, expm1_slice_float as expm1_slice};
}
#[cfg(body = "integer")]
mod own {
    pub use super::super::bodies::{tanh_fast_integer as tanh, tanh_fast_slice_integer as tanh_slice};
    pub use super::super::{exp, exp_slice, expm1, expm1_slice};
    pub use super::Integer as Own;
    pub use super::bodies::{sigmoid_integer as sigmoid, sigmoid_slice_integer as sigmoid_slice};
}
#[cfg(body = "narrow")]
mod own {
    pub use super::super::bodies::{tanh_fast_narrow as tanh, tanh_fast_slice_narrow as tanh_slice};
    pub use super::super::{exp, exp_slice};
    pub use super::Narrow as Own;
    pub use super::bodies::{
        expm1_narrow as expm1, expm1_slice_narrow as expm1_slice, sigmoid_narrow as sigmoid,
        sigmoid_slice_narrow as sigmoid_slice,
    };
}

use own::Own;

macro_rules! own {
    ($($name:ident $slice:ident = $body:expr, $slice_body:expr, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[inline]
        pub fn $name(x: f32) -> f32 {
            $body(x)
        }

        #[doc = concat!("[`", stringify!($name), "`](fn@", stringify!($name), ") of every element.")]
        pub fn $slice(x: &[f32], y: &mut [f32]) {
            $slice_body(x, y);
        }
    )*};
}

own! {
    exp exp_slice = own::exp, own::exp_slice,
        "eˣ.\n\nWith an FPU at most 1e-5 of the value (132 units in the last place), in 19 to 29 instructions; elsewhere the default tier, \
         than which nothing clearly faster was found. ∞ above 88.72, 0 below −103.97; 1 at ±0; monotonic; NaN stays.";
    expm1 expm1_slice = own::expm1, own::expm1_slice,
        "eˣ − 1.\n\nAt most 1e-5, absolute up to 1 and relative beyond, with an FPU, in 23 to 32 instructions; 2e-6 in 143 on ARMv6-M; with long \
         multiplication alone the default tier. −1 at −∞, ∞ above 88.72, ±0 at ±0; monotonic; NaN stays.";
    log log_slice = bodies::log::<Own>, bodies::log_slice::<Own>,
        "ln x.\n\nAt most 6e-7, absolute up to 1 and relative beyond, in 22 to 99 instructions. −∞ at ±0, NaN below, ∞ at ∞, 0 at 1; \
         monotonic; NaN stays.";
    sigmoid sigmoid_slice = own::sigmoid, own::sigmoid_slice,
        "The logistic function 1 / (1 + e⁻ˣ).\n\nWithout an FPU at most 3.2e-7, absolute: 0 below −18.03; in 32 to 83 instructions. With one the default tier. 0 at −∞, \
         1 at ∞, 1/2 at ±0; monotonic; NaN stays.";
    tanh tanh_slice = own::tanh, own::tanh_slice,
        "The hyperbolic tangent.\n\nAt most 6e-7, absolute; below 0.5625 that is up to 36 units in the last place; in 17 to 48 instructions. With Helium the default \
         tier. ±1 from 9.02 on, ±0 at ±0; odd bit for bit, monotonic; NaN stays.";
    erf erf_slice = bodies::erf::<Own>, bodies::erf_slice::<Own>,
        "The error function.\n\nAt most 6e-7, absolute; below 0.5 at most 11 units in the last place; in 17 to 36 instructions. ±1 from 3.84 on, ±0 at ±0; odd bit for bit, \
         monotonic; NaN stays.";
    softplus softplus_slice = bodies::softplus::<Own>, bodies::softplus_slice::<Own>,
        "ln(1 + eˣ).\n\nAt most 3.5e-6, absolute up to 1 and relative beyond: 0 below −16; in 29 to 112 instructions. 0 at −∞, ∞ at ∞, \
         ln 2 at ±0; monotonic; NaN stays.";
}

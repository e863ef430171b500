//! The fast tier: errors that a network does not see, for fewer instructions.
//!
//! Tables of tangents (exp) or of quadratics, one row a word, evaluated in integers of 24 to 30 bits after the point; with an
//! FPU conversions run there. All are monotonic, and right at ±0, ±∞ and NaN. Bounds are absolute or relative, as each says;
//! small results of sigmoid and softplus lose their relative precision and become 0.
//!
//! Each is generic over [`Arithmetic`], so that every core's code is compiled and tested everywhere; the functions of this
//! module are those of the target's own.
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
    exp exp_slice = own::exp, own::exp_slice, "eˣ.";
    expm1 expm1_slice = own::expm1, own::expm1_slice, "eˣ − 1.";
    log log_slice = bodies::log::<Own>, bodies::log_slice::<Own>, "ln x.";
    sigmoid sigmoid_slice = own::sigmoid, own::sigmoid_slice, "The logistic function.";
    tanh tanh_slice = own::tanh, own::tanh_slice, "The hyperbolic tangent.";
    erf erf_slice = bodies::erf::<Own>, bodies::erf_slice::<Own>, "The error function.";
    softplus softplus_slice = bodies::softplus::<Own>, bodies::softplus_slice::<Own>, "ln(1 + eˣ).";
}

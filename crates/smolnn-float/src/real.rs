//! The one trait over which every float kernel is written.

use core::fmt::Display;
use core::iter::Sum;
use core::ops::{Div, DivAssign};

use crate::{Number, elementary};

/// A real number: `f32` on the device, `f64` where results are checked.
///
/// The elementary functions of `f32` are this crate's default tier; those of `f64` are `libm`'s.
/// In a crate with `std`, write `Real::exp(x)` on a concrete float: `x.exp()` is the standard library's.
pub trait Real: Number + Display + Sum + Div<Output = Self> + DivAssign {
    /// 0.
    const ZERO: Self;
    /// 1/2.
    const HALF: Self;
    /// 1.
    const ONE: Self;
    /// 2.
    const TWO: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// The largest finite number.
    const MAX: Self;
    /// +∞.
    const INFINITY: Self;
    /// −∞.
    const NEG_INFINITY: Self;
    /// Not a number.
    const NAN: Self;

    /// The nearest number to `value`.
    fn from_f64(value: f64) -> Self;
    /// `self`, exactly.
    fn to_f64(self) -> f64;
    /// The nearest number to a count, such as the divisor of a mean.
    fn from_usize(value: usize) -> Self;

    /// |x|.
    fn abs(self) -> Self;
    /// The larger of two numbers; the other one where one is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller of two numbers; the other one where one is NaN.
    fn min(self, other: Self) -> Self;
    /// |self| with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// √x, correctly rounded; NaN below zero.
    fn sqrt(self) -> Self;
    /// `self` raised to an integer power, by repeated squaring.
    fn powi(self, mut exponent: u32) -> Self {
        let (mut base, mut power) = (self, Self::ONE);
        while exponent > 0 {
            if exponent & 1 == 1 {
                power *= base;
            }
            base *= base;
            exponent >>= 1;
        }
        power
    }
    /// Whether the number is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Whether the number is NaN.
    fn is_nan(self) -> bool;
    /// Whether x > 0, ∞ and NaN with a plus included: the sign's bit and not zero. Cheap without an FPU, too.
    fn is_positive(self) -> bool;

    /// eˣ.
    fn exp(self) -> Self;
    /// eˣ − 1, accurate near 0.
    fn expm1(self) -> Self;
    /// Natural logarithm.
    fn log(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn log1p(self) -> Self;
    /// The logistic function 1 / (1 + e⁻ˣ).
    fn sigmoid(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// ln(1 + eˣ), without overflow.
    fn softplus(self) -> Self;
    /// Sine, for initialisers and test signals.
    fn sin(self) -> Self;
    /// Cosine, for initialisers and test signals.
    fn cos(self) -> Self;
    /// ⌊x⌋.
    fn floor(self) -> Self;
    /// ⌈x⌉.
    fn ceil(self) -> Self;
    /// The nearest integer; halves go to the even one.
    fn round_ties_even(self) -> Self;
    /// What is left of `self` when multiples of `divisor` are taken from it towards 0: exact, with the sign of `self`.
    fn remainder(self, divisor: Self) -> Self;
    /// `self` raised to a real power; NaN below zero unless the exponent is a whole number.
    fn power(self, exponent: Self) -> Self;

    /// [`exp`](Self::exp) of every element; the shorter slice sets the length. The slice forms are the fastest.
    fn exp_slice(x: &[Self], y: &mut [Self]) {
        each(x, y, Self::exp);
    }
    /// [`sigmoid`](Self::sigmoid) of every element.
    fn sigmoid_slice(x: &[Self], y: &mut [Self]) {
        each(x, y, Self::sigmoid);
    }
    /// [`tanh`](Self::tanh) of every element.
    fn tanh_slice(x: &[Self], y: &mut [Self]) {
        each(x, y, Self::tanh);
    }
    /// [`erf`](Self::erf) of every element.
    fn erf_slice(x: &[Self], y: &mut [Self]) {
        each(x, y, Self::erf);
    }
}

#[inline(always)]
fn each<T: Real>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

macro_rules! constants {
    ($t:ident) => {
        const ZERO: Self = 0.0;
        const HALF: Self = 0.5;
        const ONE: Self = 1.0;
        const TWO: Self = 2.0;
        const EPSILON: Self = $t::EPSILON;
        const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
        const MAX: Self = $t::MAX;
        const INFINITY: Self = $t::INFINITY;
        const NEG_INFINITY: Self = $t::NEG_INFINITY;
        const NAN: Self = $t::NAN;

        #[inline]
        fn from_f64(value: f64) -> Self {
            value as $t
        }
        #[inline]
        fn to_f64(self) -> f64 {
            f64::from(self)
        }
        #[inline]
        fn from_usize(value: usize) -> Self {
            value as $t
        }
        #[inline]
        fn abs(self) -> Self {
            $t::abs(self)
        }
        #[inline]
        fn max(self, other: Self) -> Self {
            $t::max(self, other)
        }
        #[inline]
        fn min(self, other: Self) -> Self {
            $t::min(self, other)
        }
        #[inline]
        fn copysign(self, sign: Self) -> Self {
            $t::copysign(self, sign)
        }
        #[inline]
        fn is_finite(self) -> bool {
            $t::is_finite(self)
        }
        #[inline]
        fn is_nan(self) -> bool {
            $t::is_nan(self)
        }
        #[inline]
        fn is_positive(self) -> bool {
            self.to_bits().cast_signed() > 0
        }
    };
}

impl Real for f32 {
    constants!(f32);

    #[inline]
    fn sqrt(self) -> Self {
        libm::sqrtf(self)
    }
    #[inline]
    fn exp(self) -> Self {
        elementary::exp(self)
    }
    #[inline]
    fn expm1(self) -> Self {
        elementary::expm1(self)
    }
    #[inline]
    fn log(self) -> Self {
        elementary::log(self)
    }
    #[inline]
    fn log1p(self) -> Self {
        libm::log1pf(self)
    }
    #[inline]
    fn sigmoid(self) -> Self {
        elementary::sigmoid(self)
    }
    #[inline]
    fn tanh(self) -> Self {
        elementary::tanh(self)
    }
    #[inline]
    fn erf(self) -> Self {
        elementary::erf(self)
    }
    #[inline]
    fn softplus(self) -> Self {
        elementary::softplus(self)
    }
    #[inline]
    fn sin(self) -> Self {
        libm::sinf(self)
    }
    #[inline]
    fn cos(self) -> Self {
        libm::cosf(self)
    }
    #[inline]
    fn floor(self) -> Self {
        libm::floorf(self)
    }
    #[inline]
    fn ceil(self) -> Self {
        libm::ceilf(self)
    }
    #[inline]
    fn round_ties_even(self) -> Self {
        libm::rintf(self)
    }
    #[inline]
    fn remainder(self, divisor: Self) -> Self {
        elementary::remainder(self, divisor)
    }
    #[inline]
    fn power(self, exponent: Self) -> Self {
        libm::powf(self, exponent)
    }
    fn exp_slice(x: &[Self], y: &mut [Self]) {
        elementary::exp_slice(x, y);
    }
    fn sigmoid_slice(x: &[Self], y: &mut [Self]) {
        elementary::sigmoid_slice(x, y);
    }
    fn tanh_slice(x: &[Self], y: &mut [Self]) {
        elementary::tanh_slice(x, y);
    }
    fn erf_slice(x: &[Self], y: &mut [Self]) {
        elementary::erf_slice(x, y);
    }
}

impl Real for f64 {
    constants!(f64);

    #[inline]
    fn sqrt(self) -> Self {
        libm::sqrt(self)
    }
    #[inline]
    fn exp(self) -> Self {
        libm::exp(self)
    }
    #[inline]
    fn expm1(self) -> Self {
        libm::expm1(self)
    }
    #[inline]
    fn log(self) -> Self {
        libm::log(self)
    }
    #[inline]
    fn log1p(self) -> Self {
        libm::log1p(self)
    }
    #[inline]
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + libm::exp(-self))
    }
    #[inline]
    fn tanh(self) -> Self {
        libm::tanh(self)
    }
    #[inline]
    fn erf(self) -> Self {
        libm::erf(self)
    }
    #[inline]
    fn softplus(self) -> Self {
        self.max(0.0) + libm::log1p(libm::exp(-self.abs()))
    }
    #[inline]
    fn sin(self) -> Self {
        libm::sin(self)
    }
    #[inline]
    fn cos(self) -> Self {
        libm::cos(self)
    }
    #[inline]
    fn floor(self) -> Self {
        libm::floor(self)
    }
    #[inline]
    fn ceil(self) -> Self {
        libm::ceil(self)
    }
    #[inline]
    fn round_ties_even(self) -> Self {
        libm::rint(self)
    }
    #[inline]
    fn remainder(self, divisor: Self) -> Self {
        libm::fmod(self, divisor)
    }
    #[inline]
    fn power(self, exponent: Self) -> Self {
        libm::pow(self, exponent)
    }
}

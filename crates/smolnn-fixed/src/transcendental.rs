//! exp, 1/(1 + x), logistic and tanh in 32-bit fixed point, as gemmlowp computes them for TensorFlow Lite: the reference's
//! int8 activations and softmax are defined by these integer sequences, so that they are followed step by step.
//!
//! Everything is `const`: the tables of layers are built at compile time. Held by the golden tables
//! `exp_on_negative_values_q5.bin`, `one_over_one_plus_x.bin`, `logistic_tanh_q4.bin`.
//!
//! Against the reference the error is 0. Worst distance from the real function, in units of the last place of the output, over 65 536
//! inputs (`cargo xtask accuracy`), and executed instructions per call under QEMU, over inputs spread over the domain:
//!
//! | | worst | M0 | M3 | M4F, M7 | M33 | M55 | RV32 |
//! |---|---|---|---|---|---|---|---|
//! | [`exp_negative`] | 482 | 481 | 116 | 116 | 115 | 106 | 127 |
//! | [`reciprocal_one_plus`] | 6 | 379 | 64 | 64 | 64 | 55 | 86 |
//! | [`logarithm`] | 3 | 1142 | 270 | 269 | 273 | 225 | 390 |

use crate::quantise::{Multiplier, rounding_shift_right, saturating_rounding_doubling_high as product};

/// 1 in Q0.31, as near as it comes.
const ONE: i32 = i32::MAX;

/// `value` · 2^`shift`, saturated.
const fn saturating_shift_left(value: i32, shift: u32) -> i32 {
    let wide = (value as i64) << shift;
    if wide > i32::MAX as i64 {
        i32::MAX
    } else if wide < i32::MIN as i64 {
        i32::MIN
    } else {
        wide as i32
    }
}

/// exp(x) − in Q0.31 − for x in [−1/4, 0) in Q0.31: a Taylor polynomial of degree 4 around −1/8.
const fn exp_quarter(x: i32) -> i32 {
    const EXP_MINUS_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    let x = x + (1 << 28);
    let x2 = product(x, x);
    let x3 = product(x2, x);
    let x4 = product(x2, x2);
    let quarter_x4 = rounding_shift_right(x4, 2);
    let rest = rounding_shift_right(product(quarter_x4 + x3, THIRD) + x2, 1);
    EXP_MINUS_EIGHTH + product(EXP_MINUS_EIGHTH, x + rest)
}

/// exp(x) in Q0.31 for x ≤ 0 with `integer_bits` (4 or 5) integer bits: the lowest quarter by polynomial, every other bit
/// by a factor.
///
/// At most 482 units (2.3·10^−7) from the real function; 1 is 2^31 − 1. The [module](self) has its cost.
pub const fn exp_negative(x: i32, integer_bits: u32) -> i32 {
    /// exp(−2^(k − 2)) in Q0.31.
    const FACTORS: [i32; 7] = [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];
    if x == 0 {
        return ONE;
    }
    let quarter_bits = 29 - integer_bits;
    let quarter = 1 << quarter_bits;
    let fraction = (x & (quarter - 1)) - quarter;
    let mut result = exp_quarter(saturating_shift_left(fraction, integer_bits));
    let remainder = fraction.wrapping_sub(x);
    let mut bit = 0;
    while bit < integer_bits + 2 {
        if remainder & (quarter << bit) != 0 {
            result = product(result, FACTORS[bit as usize]);
        }
        bit += 1;
    }
    result
}

/// [`product`] of factors of which one is not −2^31.
const fn short_product(a: i32, b: i32) -> i32 {
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// 2 / (1 + x) in Q2.29 by three steps of Newton's method, for x in [0, 1) in Q0.31.
const fn twice_reciprocal(x: i32) -> i32 {
    const ONE_Q2: i32 = 1 << 29;
    // (x + 1) / 2, which is 2^30 at least.
    let half_denominator = ((x as u32 + ONE as u32 + 1) >> 1) as i32;
    let mut estimate = 1_515_870_810 + short_product(half_denominator, -1_010_580_540);
    let mut step = 0;
    while step < 3 {
        // The first estimate is off by 1/17 at most, so that the correction is far from saturating.
        let error = ONE_Q2 - short_product(half_denominator, estimate);
        estimate += short_product(estimate, error) << 2;
        step += 1;
    }
    estimate
}

/// 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31.
///
/// At most 6 units (2.8·10^−9) from the real function; 1 is 2^31 − 1. The [module](self) has its cost.
pub const fn reciprocal_one_plus(x: i32) -> i32 {
    let half = twice_reciprocal(x);
    if half >= 1 << 30 { ONE } else { half << 1 }
}

/// The reciprocal of `value` > 0 with `integer_bits` integer bits, as mantissa in Q0.31 and exponent e:
/// 1 / value = mantissa · 2^−e, e = integer bits − leading zeros.
///
/// Error and cost are those of [`reciprocal_one_plus`] for the mantissa; powers of two give 2^31 − 1.
pub const fn reciprocal(value: u32, integer_bits: i32) -> (i32, i32) {
    let zeros = value.leading_zeros();
    let fraction = value.unbounded_shl(zeros).wrapping_sub(1 << 31) as i32;
    (reciprocal_one_plus(fraction), integer_bits - zeros as i32)
}

/// 1 / (1 + exp(−x)) in Q0.31 for x in Q4.27. ½ at 0; never 0 nor 1: 241 and 2^31 − 242 at the ends.
/// At most 149 units (6.9·10^−8) from the real function; costs one [`exp_negative`] and one [`reciprocal_one_plus`].
pub const fn logistic(x: i32) -> i32 {
    if x == 0 {
        return 1 << 30;
    }
    let positive = reciprocal_one_plus(exp_negative(if x > 0 { -x } else { x }, 4));
    if x > 0 { positive } else { ONE - positive }
}

/// tanh(x) in Q0.31 for x in Q4.27. 0 at 0, odd, ±(2^31 − 1) at the ends. At most 298 units
/// (1.4·10^−7) from the real function; costs as [`logistic`].
pub const fn tanh(x: i32) -> i32 {
    if x == 0 {
        return 0;
    }
    // tanh(−|x|) = (e − 1) / (e + 1) with e = exp(−2|x|), and −2|x| in Q5.26 are the bits of −|x| in Q4.27.
    let e = exp_negative(if x < 0 { x } else { x.wrapping_neg() }, 5);
    let minus = saturating_shift_left(twice_reciprocal(e) - (1 << 29), 2);
    if x < 0 { minus.wrapping_neg() } else { minus }
}

/// (a + b) / 2 to nearest, halves away from zero.
const fn half_sum(a: i32, b: i32) -> i32 {
    let sum = a as i64 + b as i64;
    ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32
}

/// `value` · 2^`shift` for a shift of either sign: saturated to the left, rounded to the right.
const fn rounding_shift(value: i32, shift: i32) -> i32 {
    if shift >= 0 { saturating_shift_left(value, shift as u32) } else { rounding_shift_right(value, -shift as u32) }
}

/// ln(x) in Q5.26 for x ≥ 1 in Q12.19: powers of two are taken out of x and of x·√½, whichever leaves more, and the rest r,
/// near √√½, enters a rational function.
///
/// At most 3 units (4.4·10^−8) from the real function; 0 at 1. The [module](self) has its cost.
pub const fn logarithm(x: i32) -> i32 {
    const LN_2: i32 = 1_488_522_236;
    const SQRT_SQRT_HALF: i32 = 1_805_811_301;
    const SQRT_HALF: i32 = 1_518_500_250;
    const ALPHA_N: i32 = 117_049_297;
    const ALPHA_D: i32 = 127_690_142;
    const ALPHA_I: i32 = 1_057_819_769;
    const ALPHA_F: i32 = 638_450_708;
    /// A quarter in Q6.25, the format of the exponents.
    const QUARTER: i32 = 1 << 23;
    let zeros = x.leading_zeros() as i32;
    let first = saturating_shift_left(product(rounding_shift(x, zeros - 1), SQRT_HALF), 1);
    let first_power = saturating_shift_left(12 - zeros, 25).saturating_add(QUARTER);
    let scaled = product(x, SQRT_HALF);
    let zeros = scaled.leading_zeros() as i32 - 1;
    let second = rounding_shift(x, zeros);
    let second_power = saturating_shift_left(12 - zeros, 25).saturating_sub(QUARTER);
    let r = if first < second { first } else { second };
    let power = if first_power > second_power { first_power } else { second_power };
    let p = half_sum(r, SQRT_SQRT_HALF);
    let q = r.wrapping_sub(SQRT_SQRT_HALF);
    let q = q.wrapping_add(q);
    let square = product(q, q);
    let numerator = product(q, r).wrapping_add(product(product(q, square), ALPHA_N));
    let denominator =
        product(p, ALPHA_I.wrapping_add(q).wrapping_add(product(ALPHA_D, square))).wrapping_add(product(ALPHA_F, q));
    let fraction = product(rounding_shift_right(numerator, 6), reciprocal_one_plus(denominator));
    saturating_shift_left(product(power, LN_2).wrapping_add(fraction), 1)
}

/// 1 / √`value` as the reference computes it: five steps of Newton's method on `value` brought to [1/4, 1). Of 0 and 1 the largest
/// multiplier below 1.
pub(crate) const fn inverse_square_root(value: i32) -> Multiplier {
    if value <= 1 {
        return Multiplier { mantissa: i32::MAX, shift: 0 };
    }
    // An even number of bits is taken out, until 2^27 ≤ value < 2^29: half of it is v in [1/4, 1) in Q3.28.
    let (mut value, mut shift) = (value, 11);
    while value >= 1 << 29 {
        value /= 4;
        shift += 1;
    }
    let pairs = (value.leading_zeros() as i32 - 1) / 2 - 1;
    shift -= pairs;
    value <<= 2 * pairs;
    // Newton's method in Q3.28 from 1 on: x ← x (3/2 − (v/2) x²).
    const ONE: i32 = 1 << 28;
    const THREE_HALVES: i32 = ONE + (1 << 27);
    let half = rounding_shift_right(value >> 1, 1);
    let mut x = ONE;
    let mut step = 0;
    while step < 5 {
        let x3 = saturating_shift_left(product(product(x, x), x), 6);
        x = saturating_shift_left(product(x, THREE_HALVES).wrapping_sub(product(half, x3)), 3);
        step += 1;
    }
    const SQRT_HALF: i32 = 1_518_500_250;
    let mut mantissa = product(x, SQRT_HALF);
    if shift < 0 {
        mantissa = mantissa.wrapping_shl(-shift as u32);
        shift = 0;
    }
    Multiplier { mantissa, shift: -shift }
}

/// A function of int16 at `value`, linearly between its values at −32768, −32640, … 32768; rounded half up.
#[inline(always)]
pub(crate) fn interpolate(corners: &[i16; 513], value: i32) -> i32 {
    let index = ((value >> 7) + 256) as usize & 511;
    let (low, high) = (i32::from(corners[index]), i32::from(corners[index + 1]));
    low + (((high - low) * (value & 127) + 64) >> 7)
}

//! exp, 1/(1 + x), logistic and tanh in 32-bit fixed point, as gemmlowp computes them for TensorFlow Lite: the reference's
//! int8 activations and softmax are defined by these integer sequences, so that they are followed step by step.
//!
//! Everything is `const`: the tables of layers are built at compile time. Held by the golden tables
//! `exp_on_negative_values_q5.bin`, `one_over_one_plus_x.bin`, `logistic_tanh_q4.bin`.

use crate::quantise::{rounding_shift_right, saturating_rounding_doubling_high as product};

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

/// 2 / (1 + x) in Q2.29 by three steps of Newton's method, for x in [0, 1) in Q0.31.
const fn twice_reciprocal(x: i32) -> i32 {
    const ONE_Q2: i32 = 1 << 29;
    let half_denominator = ((x as i64 + ONE as i64 + 1) / 2) as i32;
    let mut estimate = 1_515_870_810 + product(half_denominator, -1_010_580_540);
    let mut step = 0;
    while step < 3 {
        let error = ONE_Q2 - product(half_denominator, estimate);
        estimate += saturating_shift_left(product(estimate, error), 2);
        step += 1;
    }
    estimate
}

/// 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31.
pub const fn reciprocal_one_plus(x: i32) -> i32 {
    saturating_shift_left(twice_reciprocal(x), 1)
}

/// The reciprocal of `value` > 0 with `integer_bits` integer bits, as mantissa in Q0.31 and exponent e:
/// 1 / value = mantissa · 2^−e, e = integer bits − leading zeros.
pub const fn reciprocal(value: u32, integer_bits: i32) -> (i32, i32) {
    let zeros = value.leading_zeros();
    let fraction = value.unbounded_shl(zeros).wrapping_sub(1 << 31) as i32;
    (reciprocal_one_plus(fraction), integer_bits - zeros as i32)
}

/// 1 / (1 + exp(−x)) in Q0.31 for x in Q4.27.
pub const fn logistic(x: i32) -> i32 {
    if x == 0 {
        return 1 << 30;
    }
    let positive = reciprocal_one_plus(exp_negative(if x > 0 { -x } else { x }, 4));
    if x > 0 { positive } else { ONE - positive }
}

/// tanh(x) in Q0.31 for x in Q4.27.
pub const fn tanh(x: i32) -> i32 {
    if x == 0 {
        return 0;
    }
    // tanh(−|x|) = (e − 1) / (e + 1) with e = exp(−2|x|), and −2|x| in Q5.26 are the bits of −|x| in Q4.27.
    let e = exp_negative(if x < 0 { x } else { x.wrapping_neg() }, 5);
    let minus = saturating_shift_left(twice_reciprocal(e) - (1 << 29), 2);
    if x < 0 { minus.wrapping_neg() } else { minus }
}

//! Real functions for tables that are built at compile time: slow, exact to about 1e-15, `const`.

/// π.
pub(crate) const PI: f64 = core::f64::consts::PI;

/// The sine of `x` for |x| ≤ 8, by its power series after reduction to [−π/2, π/2].
pub(crate) const fn sin(mut x: f64) -> f64 {
    while x > PI / 2.0 {
        // sin(x) = sin(π − x), and sin has the period 2π.
        x = if x > 1.5 * PI { x - 2.0 * PI } else { PI - x };
    }
    while x < -PI / 2.0 {
        x = if x < -1.5 * PI { x + 2.0 * PI } else { -PI - x };
    }
    let square = x * x;
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while k < 30.0 {
        term *= -square / ((k + 1.0) * (k + 2.0));
        sum += term;
        k += 2.0;
    }
    sum
}

/// The cosine of `x` for |x| ≤ 6.
pub(crate) const fn cos(x: f64) -> f64 {
    sin(x + PI / 2.0)
}

/// The natural logarithm of a positive, normal number: 2·artanh((m − 1)/(m + 1)) of the mantissa plus the exponent's share.
pub(crate) const fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if mantissa > core::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let (mut power, mut sum, mut k) = (ratio, 0.0, 1.0);
    while k < 50.0 {
        sum += power / k;
        power *= square;
        k += 2.0;
    }
    2.0 * sum + exponent as f64 * core::f64::consts::LN_2
}

/// The exponential function for |x| ≤ 700: 2^n · e^r with |r| ≤ ln 2 / 2.
pub(crate) const fn exp(x: f64) -> f64 {
    let scaled = x / core::f64::consts::LN_2;
    let n = (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i64;
    let r = x - n as f64 * core::f64::consts::LN_2;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while k < 24.0 {
        term *= r / k;
        sum += term;
        k += 1.0;
    }
    sum * f64::from_bits(((n + 1023) as u64) << 52)
}

/// ⌊x + ½⌋, the rounding of the front end's tables.
pub(crate) const fn round_half_up(x: f64) -> i64 {
    let shifted = x + 0.5;
    let truncated = shifted as i64;
    if (truncated as f64) > shifted { truncated - 1 } else { truncated }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{cos, exp, ln, round_half_up, sin};

    #[test]
    fn the_const_functions_agree_with_the_standard_library() {
        for step in -4000..=4000 {
            let x = f64::from(step) / 500.0;
            assert!((sin(x) - x.sin()).abs() < 1e-14, "sin {x}");
            assert!(x.abs() > 6.0 || (cos(x) - x.cos()).abs() < 1e-14, "cos {x}");
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "exp {x}");
            let positive = x.exp();
            assert!((ln(positive) - positive.ln()).abs() < 1e-14, "ln {positive}");
        }
    }

    #[test]
    fn halves_go_up() {
        assert_eq!([-1.5, -0.5, 0.49, 0.5, 2.5].map(round_half_up), [-1, 0, 0, 1, 3]);
    }
}

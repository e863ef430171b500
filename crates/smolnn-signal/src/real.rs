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

/// ln(1 + x) of a positive f32 as C libraries compute it, by the formula of fdlibm: with s = f/(2 + f) and z = s²,
/// ln(1 + f) = f − (f²/2 − s (f²/2 + R(z))). The last bit of it decides how weights of the micro front end's filter bank are rounded,
/// so that a better logarithm would give other weights than the models were trained with.
pub(crate) const fn ln_1p_f32(x: f32) -> f32 {
    const LN_2_HIGH: f32 = f32::from_bits(0x3F31_7180);
    const LN_2_LOW: f32 = f32::from_bits(0x3717_F7D1);
    const SERIES: [u32; 7] =
        [0x3F2A_AAAB, 0x3ECC_CCCD, 0x3E92_4925, 0x3E63_8E29, 0x3E3A_3325, 0x3E1C_D04F, 0x3E17_8897];
    // Below √2 − 1 no power of two is taken out.
    let (mut k, mut f, mut lost) = (0, x, 0.0);
    if x >= f32::from_bits(0x3ED4_13D7) {
        let sum = 1.0 + x;
        let bits = sum.to_bits();
        k = (bits >> 23) as i32 - 127;
        lost = (if k > 0 { 1.0 - (sum - x) } else { x - (sum - 1.0) }) / sum;
        let mantissa = bits & 0x007F_FFFF;
        // Above √2 the half is nearer to 1.
        let above = mantissa >= 0x0035_04F7;
        k += above as i32;
        f = f32::from_bits(mantissa | if above { 0x3F00_0000 } else { 0x3F80_0000 }) - 1.0;
    }
    let half_square = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let (mut series, mut index) = (0.0, SERIES.len());
    while index > 0 {
        index -= 1;
        series = z * (f32::from_bits(SERIES[index]) + series);
    }
    let rest = s * (half_square + series);
    let k_float = k as f32;
    if k == 0 {
        f - (half_square - rest)
    } else {
        k_float * LN_2_HIGH - ((half_square - (rest + (k_float * LN_2_LOW + lost))) - f)
    }
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

/// The square root of a number between 1e-12 and 1e12, by Newton's method from above.
pub(crate) const fn sqrt(x: f64) -> f64 {
    let mut root = if x > 1.0 { x } else { 1.0 };
    loop {
        let next = 0.5 * (root + x / root);
        if next >= root {
            return root;
        }
        root = next;
    }
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
    use super::{cos, exp, ln, round_half_up, sin, sqrt};

    #[test]
    fn the_const_functions_agree_with_the_standard_library() {
        for step in -4000..=4000 {
            let x = f64::from(step) / 500.0;
            assert!((sin(x) - x.sin()).abs() < 1e-14, "sin {x}");
            assert!(x.abs() > 6.0 || (cos(x) - x.cos()).abs() < 1e-14, "cos {x}");
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "exp {x}");
            let positive = x.exp();
            assert!((sqrt(positive) / positive.sqrt() - 1.0).abs() < 1e-14, "sqrt {positive}");
            assert!((ln(positive) - positive.ln()).abs() < 1e-14, "ln {positive}");
        }
    }

    #[test]
    fn halves_go_up() {
        assert_eq!([-1.5, -0.5, 0.49, 0.5, 2.5].map(round_half_up), [-1, 0, 0, 1, 3]);
    }
}

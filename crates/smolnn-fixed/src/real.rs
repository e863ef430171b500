//! Elementary functions of f64 that the compiler can evaluate, for tables of constants. Firmware that computes with reals
//! uses `smolnn-float`.
//!
//! Held by tests/host/exhaustive/activation_tables.rs: within 4 ULP of the platform's functions in [−40, 40], erf within 18 in
//! [−5, 5].

/// ln 2, to more digits than f64 has: the head has 21 trailing zero bits, so that products with small integers are exact.
const LN2_HEAD: f64 = 0.693_147_180_369_123_8;
const LN2_TAIL: f64 = 1.908_214_929_270_587_7e-10;

/// 2^n for n in −1022..=1023.
const fn power_of_two(n: i64) -> f64 {
    f64::from_bits(((1023 + n) as u64) << 52)
}

/// e^x.
pub const fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.0 {
        return f64::INFINITY;
    }
    if x < -708.0 {
        return 0.0;
    }
    // x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r by its series.
    let n = (x / core::f64::consts::LN_2 + if x < 0.0 { -0.5 } else { 0.5 }) as i64;
    let r = x - n as f64 * LN2_HEAD - n as f64 * LN2_TAIL;
    let mut sum = 1.0;
    let mut k = 18;
    while k > 0 {
        sum = 1.0 + r / k as f64 * sum;
        k -= 1;
    }
    sum * power_of_two(n)
}

/// √x; NaN below 0.
pub const fn sqrt(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 || x == f64::INFINITY {
        return x;
    }
    // x = 4^n · m, m in [1, 4); subnormals are brought to normals first.
    let (x, offset) = if x < f64::MIN_POSITIVE { (x * power_of_two(54), -27) } else { (x, 0) };
    let n = ((x.to_bits() >> 52) as i64 - 1023).div_euclid(2);
    let m = x * power_of_two(-n) * power_of_two(-n);
    // Newton's method from 3/2, which is off by a half at most: five steps reach 53 bits.
    let mut root = 1.5;
    let mut step = 0;
    while step < 6 {
        root = 0.5 * (root + m / root);
        step += 1;
    }
    root * power_of_two(n + offset)
}

/// The natural logarithm; NaN below 0.
pub const fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    // x = 2^n · m, m in [√½, √2); subnormals are brought to normals first.
    let (x, offset) = if x < f64::MIN_POSITIVE { (x * power_of_two(54), -54) } else { (x, 0) };
    let mut n = (x.to_bits() >> 52) as i64 - 1023 + offset;
    let mut m = f64::from_bits((x.to_bits() & ((1 << 52) - 1)) | (1023 << 52));
    if m > core::f64::consts::SQRT_2 {
        m /= 2.0;
        n += 1;
    }
    // ln m = 2 artanh((m − 1) / (m + 1)).
    let t = (m - 1.0) / (m + 1.0);
    let t2 = t * t;
    let mut sum = 0.0;
    let mut k = 23;
    while k > 0 {
        sum = 1.0 / k as f64 + t2 * sum;
        k -= 2;
    }
    n as f64 * LN2_HEAD + (2.0 * t * sum + n as f64 * LN2_TAIL)
}

/// 1 / (1 + e^−x).
pub const fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// tanh x.
pub const fn tanh(x: f64) -> f64 {
    let magnitude = if x < 0.0 { -x } else { x };
    if magnitude < 0.25 {
        // Where 1 − e^−2x cancels: the continued fraction x / (1 + x² / (3 + x² / (5 + …))).
        let x2 = x * x;
        let mut rest = 19.0;
        let mut k = 17;
        while k > 0 {
            rest = k as f64 + x2 / rest;
            k -= 2;
        }
        return x / rest;
    }
    let e = exp(-2.0 * magnitude);
    let positive = (1.0 - e) / (1.0 + e);
    if x < 0.0 { -positive } else { positive }
}

/// ln(1 + e^x).
pub const fn softplus(x: f64) -> f64 {
    if x > 36.0 {
        return x;
    }
    let e = exp(x);
    // What 1 + e loses to rounding, ln loses as well; their quotient does not (Kahan's log1p).
    let sum = 1.0 + e;
    if sum == 1.0 { e } else { ln(sum) * (e / (sum - 1.0)) }
}

/// The error function.
pub const fn erf(x: f64) -> f64 {
    let magnitude = if x < 0.0 { -x } else { x };
    if magnitude > 6.0 {
        return if x < 0.0 { -1.0 } else { 1.0 };
    }
    // erf x = 2/√π · e^(−x²) · Σ (2x²)^k x / (1·3·5·…·(2k+1)): all terms are positive.
    let x2 = x * x;
    let (mut term, mut sum) = (x, x);
    let mut k = 1;
    while k < 200 {
        term *= 2.0 * x2 / (2 * k + 1) as f64;
        sum += term;
        k += 1;
    }
    core::f64::consts::FRAC_2_SQRT_PI * exp(-x2) * sum
}

//! Integer arithmetic that the elementary functions share.

/// (a·b) / 2^32, rounded towards −∞: one instruction together with an addition (SMMLA) where the core has DSP.
#[inline(always)]
pub(super) fn mul_high(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b)) >> 32) as i32
}

/// (a·b) / 2^32, truncated.
#[inline(always)]
pub(super) fn mul_high_unsigned(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

/// (a·b) / 2^32, at most 3 too small, from three products of 16 bits: for cores that multiply to 32 bits (ARMv6-M).
#[inline(always)]
pub(super) fn mul_high_narrow(a: u32, b: u32) -> u32 {
    let (ah, al, bh, bl) = (a >> 16, a & 0xffff, b >> 16, b & 0xffff);
    // ah·bh + two carries ≤ (2^16 − 1)² + 2·(2^16 − 2) < 2^32
    ah * bh + ((ah * bl) >> 16) + ((al * bh) >> 16)
}

/// The bits below the number of a segment as signed Q31 around its middle.
#[inline(always)]
pub(super) fn centred(fraction: u32) -> i32 {
    (fraction ^ 0x8000_0000) as i32
}

/// A cubic by Horner's scheme; how a row lies and is scaled stands in `tests/data/elementary/coefficients.py`.
#[inline(always)]
pub(super) fn cubic([high, low]: [u64; 2], t: i32) -> u32 {
    let p = ((high >> 32) as i32).wrapping_add(mul_high(high as i32, t));
    let p = (low as i32).wrapping_add(mul_high(p, t));
    ((low >> 32) as i32).wrapping_add(mul_high(p, t)) as u32
}

/// A quadratic whose row is one word, t in Q31: Q24, the slope in Q(25 + SCALE). `tests/data/elementary/coefficients.py` says how a row lies.
#[inline(always)]
pub(super) fn quadratic<const SCALE: u32>(row: u64, t: i32) -> i32 {
    let slope = (row >> 32) as i32;
    // t · c2 / 2^16, c2 the lower half of the word: SMLAWB where there is DSP, a multiplication without shifts elsewhere.
    let bend = if cfg!(body = "float") {
        ((i64::from(t) * i64::from(slope as i16)) >> 16) as i32
    } else {
        mul_high(t, slope << 16)
    };
    (row as i32).wrapping_add(mul_high(slope.wrapping_add(bend), t) >> SCALE)
}

/// The same with factors of 16 bits.
#[inline(always)]
pub(super) fn quadratic_narrow<const SCALE: u32>(row: u64, t: i32) -> i32 {
    let t = t >> 16;
    let slope = (row >> 32) as i32;
    let slope = slope.wrapping_add(t * i32::from(slope as i16));
    let rise = (slope >> 16) * t + ((((slope >> 1) & 0x7fff) * t) >> 15);
    (row as i32).wrapping_add(rise >> SCALE)
}

/// A polynomial of a Q32 number, highest power first.
#[inline(always)]
pub(super) fn horner(coefficients: &[i32], x: i32) -> u32 {
    coefficients.iter().fold(0i32, |p, c| c.wrapping_add(mul_high(p, x))) as u32
}

/// The bits of value · 2^-scale, rounded half up: value ≠ 0, the result a normal number.
#[inline(always)]
pub(super) fn pack(value: u32, scale: u32) -> u32 {
    let zeros = value.leading_zeros();
    let mantissa = value << (zeros & 31);
    // 2^31 · 2^-(scale + zeros); the implicit one of the mantissa counts as one exponent more.
    (((mantissa >> 7) + 1) >> 1).wrapping_add((157 << 23) - ((scale + zeros) << 23))
}

/// |x|·2^27 for 2^(SMALLEST−127) ≤ |x| < 16, truncated towards zero; `None` elsewhere.
#[inline(always)]
pub(super) fn to_q27<const SMALLEST: u32>(bits: u32) -> Option<i32> {
    let shift = 130u32.wrapping_sub((bits >> 23) & 0xff);
    if shift > 130 - SMALLEST {
        return None;
    }
    Some(((((bits & 0x7f_ffff) << 7) | 0x4000_0000) >> shift) as i32)
}

/// x·2^32 for |x| < 1/2, truncated towards zero; `exponent` is the one of its bits, 95..=125.
#[inline(always)]
pub(super) fn to_q32(bits: u32, exponent: u32) -> i32 {
    let magnitude = (((bits << 8) | 0x8000_0000) >> ((126 - exponent) & 31)) as i32;
    with_sign(magnitude, bits)
}

/// y · 2^-24 as a float, rounded half up in magnitude; 0 is +0.
#[inline(always)]
pub(super) fn from_q24(y: i32) -> u32 {
    if y == 0 {
        return 0;
    }
    (y as u32 & 0x8000_0000) | pack(y.unsigned_abs(), 24)
}

/// The magnitude with the sign of the float.
#[inline(always)]
pub(super) fn with_sign(magnitude: i32, bits: u32) -> i32 {
    let sign = bits as i32 >> 31;
    (magnitude ^ sign) - sign
}

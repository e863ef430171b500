//! e^x.
//!
//! - e^x = 2^n · T\[j\] · 2^r: z = x·log2(e) in fixed point, n its integer part, j the next 6 bits, |r| ≤ 1/128 the rest around
//!   the middle of the segment; 2^r − 1 is a quadratic; n goes to the exponent by an addition.
//! - `float` (with an FPU) converts by VCVT and keeps z in Q25. `integer` takes the float apart by shifts and keeps all of z.
//!   `narrow` (16-bit factors): n from the upper half of x, e^(x − n ln 2) = T\[j\] · (1 + r + r²/2) with 256 segments to 1.
//! - Outside 2^-27 ≤ |x| < 16 all take [`far`]: 64-bit arithmetic, subnormal results included.
//! - Special values: e^−∞ = 0, e^∞ = ∞, e^±0 = 1, NaN stays; beyond 88.72 ∞, below −103.97 0. Monotonic.
//! - Worst error in ULP and cost: tests/expected/accuracy.txt, and the table in the module's documentation.
//! - Held by tests/host/exhaustive/accuracy.rs.

use core::hint::black_box;

use super::fixed::{mul_high, to_q27, with_sign};
use super::slices::near_or_far;
use super::tables::{EXP_NARROW, EXP2, EXP2_NEGATIVE, POWER};

/// log2(e) in Q30.
const LOG2_E: i32 = 1_549_082_005;

/// Constants of 2^r. A loop takes them from [`opaque`](Self::opaque): LLVM then holds them in registers, or reloads them in
/// one instruction; constants it knows it makes anew by two in every turn.
#[derive(Clone, Copy)]
pub(super) struct Power {
    pub(super) log2_e: i32,
    quadratic: [i32; 2],
    up: &'static [u32; 64],
    down: &'static [u32; 64],
}

impl Power {
    pub(super) const CONSTANT: Self = Self { log2_e: LOG2_E, quadratic: POWER, up: &EXP2, down: &EXP2_NEGATIVE };

    #[inline(always)]
    pub(super) fn opaque() -> Self {
        black_box(Self::CONSTANT)
    }

    /// base · 2^r, r = t / 128, t in Q31.
    #[inline(always)]
    fn raise(&self, base: u32, t: i32) -> u32 {
        let [c0, c1] = self.quadratic;
        let less_one = mul_high(t, c0.wrapping_add(mul_high(t, c1)));
        (base as i32).wrapping_add(mul_high(base as i32, less_one)) as u32
    }

    /// 2^f, f the lower 25 bits of z in Q25: Q30, with half a unit of the result (2^6) added.
    #[inline(always)]
    pub(super) fn up(&self, z: i32) -> u32 {
        // 0x1000: half of what truncation to Q25 has taken.
        self.raise(self.up[(z >> 19) as usize & 63], (z << 13) ^ (i32::MIN | 0x1000))
    }

    /// (p, n): e^(q / 2^27) = 2^n p, p in Q30.
    #[inline(always)]
    pub(super) fn parts(&self, q: i32) -> (u32, i32) {
        let z = i64::from(q) * i64::from(self.log2_e);
        (self.raise(self.up[(z >> 51) as usize & 63], (z >> 19) as i32 ^ i32::MIN) - 64, (z >> 57) as i32)
    }

    /// (p, n): e^-(q / 2^27) = 2^-n p, p in Q31.
    #[inline(always)]
    pub(super) fn parts_down(&self, q: u32) -> (u32, u32) {
        let z = u64::from(q) * self.log2_e as u64;
        (self.raise(self.down[(z >> 51) as usize & 63], (z >> 19) as i32 ^ i32::MAX), (z >> 57) as u32)
    }

    /// 2^-f, f the lower 25 bits of z in Q25: Q31.
    #[inline(always)]
    pub(super) fn down(&self, z: u32) -> u32 {
        self.raise(self.down[(z >> 19) as usize & 63], (z << 13) as i32 ^ (i32::MAX & !0x1000))
    }
}

/// 2^n p as a float, p in Q30 with half a unit (2^6) added; both n·2^23 and p's leading one go to the exponent.
#[inline(always)]
fn scale(p: u32, n: i32) -> u32 {
    (p >> 7).wrapping_add((n << 23) as u32).wrapping_add(126 << 23)
}

#[inline(always)]
fn near_float(bits: u32, power: &Power) -> Option<u32> {
    // |x| < 16, without the sign
    if bits << 1 >= 0x4180_0000 << 1 {
        return None;
    }
    // Q27; Q27 · Q30 / 2^32 = Q25
    let z = mul_high((f32::from_bits(bits) * 134_217_728.0) as i32, power.log2_e);
    Some(scale(power.up(z), z >> 25))
}

#[inline(always)]
fn near_integer(bits: u32, power: &Power) -> Option<u32> {
    let z = i64::from(with_sign(to_q27::<100>(bits)?, bits)) * i64::from(power.log2_e);
    let p = power.raise(power.up[(z >> 51) as usize & 63], (z >> 19) as i32 ^ i32::MIN);
    Some(scale(p, (z >> 57) as i32))
}

/// (p, n): e^(q / 2^27) = 2^n p, p in Q30 with half a unit (2^6) added.
#[inline(always)]
pub(super) fn parts_narrow(q: i32) -> (u32, i32) {
    // floor(x log2(e)), or one less where x lies less than 0.0015 above: |q >> 16| · 23 637 + 23 637 < 2^30
    let mut n = ((q >> 16) * 23_637 - 23_637) >> 25;
    // x − n ln 2 in Q27, 0 ≤ r < ln 2 + 0.001; n >> 2 mends the rounding of ln 2. |n| ≤ 24: |n · ln 2| < 2^32 wraps back.
    let r = q.wrapping_sub(n.wrapping_mul(93_032_640)) + (n >> 2);
    let base = crate::slices::at(&EXP_NARROW, (r >> 19) as usize);
    // e^f − 1 = f + f²/2 in Q27
    let f = r as u32 & 0x7_ffff;
    let s = f + (((f >> 3) * (f >> 3)) >> 22);
    // T·s = s + (T − 1)·s with 16-bit factors; T < 1.997 where s > 0.8 · 2^19
    let mut p = base + (s << 3) + (((base << 2) >> 16).wrapping_mul(s >> 3) >> 10);
    if p as i32 <= 0 {
        p >>= 1;
        n += 1;
    }
    (p, n)
}

#[inline(always)]
pub(super) fn near_narrow(bits: u32) -> Option<u32> {
    let (p, n) = parts_narrow(with_sign(to_q27::<100>(bits)?, bits));
    Some(scale(p, n))
}

/// Any x.
#[cold]
#[inline(never)]
pub(super) fn far(bits: u32) -> u32 {
    if bits << 1 < 100 << 24 {
        return (1.0 + f32::from_bits(bits)).to_bits();
    }
    wide(bits, |p, _| p)
}

/// 2^n · change(p, n) with e^x = 2^n p, 1 ≤ p < 2 in Q30, for |x| ≥ 2^-27, infinity and NaN.
#[inline(always)]
pub(super) fn wide(bits: u32, change: impl Fn(u32, i32) -> u32) -> u32 {
    let exponent = (bits >> 23) & 0xff;
    let negative = (bits as i32) < 0;
    if exponent > 133 {
        let nan = bits << 1 > 0xff << 24;
        return match (nan, negative) {
            (true, _) => bits,
            (false, true) => 0,
            (false, false) => 0xff << 23,
        };
    }
    // log2(e) in Q39: 24 times 40 bits. x log2(e) in Q50.
    let product = u64::from((bits & 0x7f_ffff) | 0x80_0000) * 793_129_986_396;
    let magnitude = (product >> ((139 - exponent) & 63)) as i64;
    let z = if negative { -magnitude } else { magnitude };
    let p = Power::CONSTANT.raise(EXP2[(z >> 44) as usize & 63], (z >> 12) as i32 ^ i32::MIN) - 64;
    let n = (z >> 50) as i32;
    let p = change(p, n);
    match n + 127 {
        255.. => 0xff << 23,
        biased @ 1..255 => ((p + 64) >> 7) + ((biased as u32 - 1) << 23),
        biased @ -23..1 => (p + (1 << (7 - biased))) >> (8 - biased),
        _ => 0,
    }
}

/// The body of cores with an FPU.
#[inline(always)]
pub fn exp_float(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near_float(bits, &Power::CONSTANT).unwrap_or_else(|| far(bits)))
}

/// The body of cores with long multiplication.
#[inline(always)]
pub fn exp_integer(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near_integer(bits, &Power::CONSTANT).unwrap_or_else(|| far(bits)))
}

/// The body of cores with neither.
#[inline(always)]
pub fn exp_narrow(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near_narrow(bits).unwrap_or_else(|| far(bits)))
}

/// [`exp_float`] of every element.
pub fn exp_slice_float(x: &[f32], y: &mut [f32]) {
    let power = Power::opaque();
    near_or_far(x, y, |bits| near_float(bits, &power), far);
}

/// [`exp_integer`] of every element.
pub fn exp_slice_integer(x: &[f32], y: &mut [f32]) {
    let power = Power::opaque();
    near_or_far(x, y, |bits| near_integer(bits, &power), far);
}

/// [`exp_narrow`] of every element.
pub fn exp_slice_narrow(x: &[f32], y: &mut [f32]) {
    near_or_far(x, y, near_narrow, far);
}

//! The discrete cosine transform of type II that turns bands into cepstral coefficients.
//!
//! c\[k\] = w\[k\] · 2 Σ x\[n\] cos(πk(2n + 1) / 2N), n < N bands. [`DctNorm::Orthonormal`] multiplies by √(1/4N) for k = 0 and √(1/2N)
//! otherwise; a lifter L multiplies by w\[k\] = 1 + L/2 · sin(π(k + 1)/L).

use smolnn_core::ShapeError;

use crate::real;

/// The norm of the transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DctNorm {
    /// `norm="ortho"`, the default of both libraries.
    Orthonormal,
    /// `norm=None`: twice the sum.
    None,
}

/// The factor of band `n` of `bands` in coefficient `k`.
const fn factor(norm: DctNorm, lifter: f64, bands: usize, k: usize, n: usize) -> f64 {
    // The angle in units of π/2N, taken in (−2N, 2N], where the const cosine is good.
    let turn = (k * (2 * n + 1)) % (4 * bands);
    let turn = if turn > 2 * bands { turn as f64 - (4 * bands) as f64 } else { turn as f64 };
    let cosine = real::cos(real::PI * turn / (2 * bands) as f64);
    let scale = match norm {
        DctNorm::None => 2.0,
        DctNorm::Orthonormal if k == 0 => real::sqrt(1.0 / bands as f64),
        DctNorm::Orthonormal => real::sqrt(2.0 / bands as f64),
    };
    // The sine's argument (k + 1)/L is taken modulo its period 2.
    let lift = if lifter > 0.0 {
        let half_turns = (k + 1) as f64 / lifter;
        let periods = (half_turns / 2.0) as u64 as f64;
        1.0 + 0.5 * lifter * real::sin(real::PI * (half_turns - 2.0 * periods))
    } else {
        1.0
    };
    scale * cosine * lift
}

/// Whether there is such a transform.
const fn check(bands: usize, coefficients: usize, lifter: f32) -> Result<(), ShapeError> {
    if coefficients == 0 || coefficients > bands || bands > 1024 {
        return Err(ShapeError::Range("there is at least one coefficient and at most one per band, of 1024"));
    }
    if !(lifter >= 0.0 && lifter <= 1000.0) {
        return Err(ShapeError::Range("a lifter lies between 0, which is none, and 1000"));
    }
    Ok(())
}

/// The first `COEFFICIENTS` of the cosine transform of `BANDS` bands, in f32: a matrix in flash.
#[derive(Clone, Debug)]
pub struct Dct<const BANDS: usize, const COEFFICIENTS: usize> {
    factors: [[f32; BANDS]; COEFFICIENTS],
}

impl<const BANDS: usize, const COEFFICIENTS: usize> Dct<BANDS, COEFFICIENTS> {
    /// The transform; `lifter` 0 leaves the coefficients as they are.
    ///
    /// # Errors
    /// [`ShapeError::Range`] unless 1 ≤ `COEFFICIENTS` ≤ `BANDS` ≤ 1 024 and the lifter lies between 0 and 1 000.
    pub const fn new(norm: DctNorm, lifter: f32) -> Result<Self, ShapeError> {
        if let Err(error) = check(BANDS, COEFFICIENTS, lifter) {
            return Err(error);
        }
        let mut factors = [[0.0; BANDS]; COEFFICIENTS];
        let mut k = 0;
        while k < COEFFICIENTS {
            let mut n = 0;
            while n < BANDS {
                factors[k][n] = factor(norm, lifter as f64, BANDS, k, n) as f32;
                n += 1;
            }
            k += 1;
        }
        Ok(Self { factors })
    }

    /// The coefficients of the bands.
    pub fn apply(&self, bands: &[f32; BANDS], coefficients: &mut [f32; COEFFICIENTS]) {
        for (place, factors) in coefficients.iter_mut().zip(&self.factors) {
            *place = bands.iter().zip(factors).map(|(&band, &factor)| band * factor).sum();
        }
    }
}

/// Fraction bits of the factors of [`DctQ15`]: a lifter of 30 multiplies up to 16, so that not all bits can be fraction.
const FACTOR_BITS: u32 = 14;

/// The first `COEFFICIENTS` of the cosine transform of `BANDS` bands, in integers: factors in Q14, sums of 64 bits, rounded once.
#[derive(Clone, Debug)]
pub struct DctQ15<const BANDS: usize, const COEFFICIENTS: usize> {
    factors: [[i16; BANDS]; COEFFICIENTS],
    /// Bits that a factor was halved by, for lifters and norms with factors of 2 or more.
    shift: u32,
}

impl<const BANDS: usize, const COEFFICIENTS: usize> DctQ15<BANDS, COEFFICIENTS> {
    /// The transform; `lifter` 0 leaves the coefficients as they are.
    ///
    /// # Errors
    /// As [`Dct::new`].
    pub const fn new(norm: DctNorm, lifter: f32) -> Result<Self, ShapeError> {
        if let Err(error) = check(BANDS, COEFFICIENTS, lifter) {
            return Err(error);
        }
        // The largest factor: 2 or the orthonormal one, times the lifter's 1 + L/2.
        let most = match norm {
            DctNorm::None => 2.0,
            DctNorm::Orthonormal => real::sqrt(2.0 / BANDS as f64),
        } * (1.0 + 0.5 * lifter as f64);
        let mut shift = 0;
        while most > ((1_u32 << shift) as f64) * 1.99 {
            shift += 1;
        }
        let scale = (1 << FACTOR_BITS) as f64 / (1_u32 << shift) as f64;
        let mut factors = [[0; BANDS]; COEFFICIENTS];
        let mut k = 0;
        while k < COEFFICIENTS {
            let mut n = 0;
            while n < BANDS {
                factors[k][n] = real::round_half_up(scale * factor(norm, lifter as f64, BANDS, k, n)) as i16;
                n += 1;
            }
            k += 1;
        }
        Ok(Self { factors, shift })
    }

    /// The coefficients of the bands, with the bands' fraction bits; the result is clipped to 32 bits.
    pub fn apply(&self, bands: &[i16; BANDS], coefficients: &mut [i32; COEFFICIENTS]) {
        let bits = FACTOR_BITS - self.shift.min(FACTOR_BITS);
        let half = (1_i64 << bits) >> 1;
        for (place, factors) in coefficients.iter_mut().zip(&self.factors) {
            // Bits of a sum: 15 + 15 of a product, 10 of 1 024 bands: 40 < 63.
            let sum: i64 =
                bands.iter().zip(factors).map(|(&band, &factor)| i64::from(i32::from(band) * i32::from(factor))).sum();
            *place = ((sum + half) >> bits).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        }
    }
}

//! Affine quantisation and requantisation: the one place where scales become integers and accumulators are rounded.
//!
//! The rules are those of TensorFlow Lite Micro's reference kernels, double rounding included (docs/numerics.md).
//! Held by the tables of the golden data (`quantize_multiplier.bin`, `mbqm.bin`, `mbqm_i64.bin`).

use smolnn_core::ShapeError;

/// A positive factor as 31-bit mantissa and power of two: mantissa · 2^(shift − 31), mantissa in [2^30, 2^31) or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Multiplier {
    /// The mantissa.
    pub mantissa: i32,
    /// The exponent; positive shifts left.
    pub shift: i32,
}

impl Multiplier {
    /// The nearest multiplier to `factor`: mantissa = round(fraction · 2^31), half away from zero. Factors below
    /// 2^−32, zero, and what is not finite become 0; factors above 2^30 saturate.
    pub const fn from_f64(factor: f64) -> Self {
        if !(factor > 0.0 && factor < f64::INFINITY) {
            return Self { mantissa: 0, shift: 0 };
        }
        // factor = fraction · 2^exponent with fraction in [0.5, 1): read off the bits, exact.
        let mut bits = factor.to_bits();
        let mut exponent = 0;
        if bits >> 52 == 0 {
            // Subnormal: far below what a shift can express.
            return Self { mantissa: 0, shift: 0 };
        }
        exponent += (bits >> 52) as i32 - 1022;
        bits = (bits & ((1 << 52) - 1)) | (1 << 52);
        // fraction · 2^31 = bits · 2^−53 · 2^31 = bits · 2^−22.
        let mut mantissa = ((bits + (1 << 21)) >> 22) as i64;
        if mantissa == 1 << 31 {
            mantissa /= 2;
            exponent += 1;
        }
        if exponent < -31 {
            return Self { mantissa: 0, shift: 0 };
        }
        if exponent > 30 {
            return Self { mantissa: i32::MAX, shift: 30 };
        }
        Self { mantissa: mantissa as i32, shift: exponent }
    }

    /// The multiplier that [`from_f64`](Self::from_f64) gives, for factors that come from the scales of a model.
    ///
    /// # Errors
    /// [`ShapeError::Range`] for a factor of 2^30 or more, or one that is not a number: no shift expresses it, and the
    /// scales it comes from do not belong together.
    pub const fn try_from_f64(factor: f64) -> Result<Self, ShapeError> {
        if factor >= 0.0 && factor < (1 << 30) as f64 {
            Ok(Self::from_f64(factor))
        } else {
            Err(ShapeError::Range("the scales do not fit each other: a requantisation by 2^30 or more"))
        }
    }

    /// Checks that the multiplier is one that [`from_f64`](Self::from_f64) can give.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the mantissa is neither 0 nor in [2^30, 2^31), or the shift not within −31..=30.
    pub const fn check(self) -> Result<(), ShapeError> {
        if self.mantissa != 0 && self.mantissa < 1 << 30 {
            return Err(ShapeError::Range("the mantissa of a multiplier is neither 0 nor within 2^30..2^31"));
        }
        if self.shift < -31 || self.shift > 30 {
            return Err(ShapeError::Range("the shift of a multiplier is not within -31..=30"));
        }
        Ok(())
    }

    /// [`check`](Self::check) of each.
    pub(crate) const fn check_all(multipliers: &[Self]) -> Result<(), ShapeError> {
        let mut index = 0;
        while index < multipliers.len() {
            if let Err(error) = multipliers[index].check() {
                return Err(error);
            }
            index += 1;
        }
        Ok(())
    }

    /// The factor.
    pub fn to_f64(self) -> f64 {
        let power = f64::from_bits(((1023 + (self.shift as i64 - 31)) as u64) << 52);
        self.mantissa as f64 * power
    }

    /// `value` times the factor with the reference's double rounding: the product to nearest at 31 bits (half up), the
    /// right shift to nearest with halves away from zero. A left shift wraps, as the reference's does. Any multiplier gives
    /// a number; what [`check`](Self::check) refuses gives none that means anything.
    #[inline]
    pub const fn apply(self, value: i32) -> i32 {
        let left = if self.shift > 0 { self.shift as u32 } else { 0 };
        let right = if self.shift < 0 { self.shift.wrapping_neg() as u32 } else { 0 };
        let high = saturating_rounding_doubling_high(value.wrapping_shl(left), self.mantissa);
        rounding_shift_right(high, right)
    }

    /// The product that [`apply`](Self::apply) gives, for 64-bit accumulators (int16 activations): the mantissa is rounded to
    /// 15 bits and there is one rounding, half up. |value| < 2^47.
    #[inline]
    pub const fn apply_i64(self, value: i64) -> i32 {
        let reduced = if self.mantissa < 0x7FFF_0000 { (self.mantissa + (1 << 15)) >> 16 } else { 0x7FFF };
        let right = 15_i32.wrapping_sub(self.shift) as u32;
        let half = 1_i64.wrapping_shl(right.wrapping_sub(1));
        value.wrapping_mul(reduced as i64).wrapping_add(half).wrapping_shr(right) as i32
    }
}

/// (a · b + 2^30) >> 31, the high half of the doubled product rounded to nearest; saturates where a = b = −2^31.
#[inline]
pub const fn saturating_rounding_doubling_high(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// `value` / 2^`shift` to nearest, halves away from zero. `shift` is at most 31; what larger ones give means nothing.
#[inline]
pub const fn rounding_shift_right(value: i32, shift: u32) -> i32 {
    let mask = 1_u64.wrapping_shl(shift).wrapping_sub(1) as u32 as i32;
    let remainder = value & mask;
    let threshold = (((mask as u32) >> 1) as i32).wrapping_add((value < 0) as i32);
    // With shift 31 the mask is 2^31 − 1 and nothing overflows: the threshold is at most 2^30.
    value.wrapping_shr(shift).wrapping_add((remainder > threshold) as i32)
}

/// The nearest integer to `value`, halves away from zero, saturated to i32.
pub const fn round(value: f64) -> i32 {
    // `as` truncates towards zero and saturates. Below 2^52 the distance to the truncated value is exact, so that no half
    // is made by the addition of one half.
    let whole = value as i64;
    let rest = value - whole as f64;
    let whole = if rest >= 0.5 {
        whole.saturating_add(1)
    } else if rest <= -0.5 {
        whole.saturating_sub(1)
    } else {
        whole
    };
    clamp_i64(whole, i32::MIN, i32::MAX)
}

/// `value` within `least..=largest`.
pub(crate) const fn clamp_i64(value: i64, least: i32, largest: i32) -> i32 {
    if value < least as i64 {
        least
    } else if value > largest as i64 {
        largest
    } else {
        value as i32
    }
}

/// `value` within `least..=largest`.
#[inline]
pub(crate) const fn clamp(value: i32, least: i32, largest: i32) -> i32 {
    if value < least {
        least
    } else if value > largest {
        largest
    } else {
        value
    }
}

/// Scale and zero point of a tensor: real value = scale · (quantised value − zero point).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Real value of one step.
    pub scale: f32,
    /// The quantised value that stands for 0.
    pub zero_point: i32,
}

impl Affine {
    /// A quantisation.
    pub const fn new(scale: f32, zero_point: i32) -> Self {
        Self { scale, zero_point }
    }

    /// Checks that the scale is positive and finite and the zero point within the type.
    pub(crate) const fn check(&self, least: i32, largest: i32) -> Result<(), ShapeError> {
        if !(self.scale > 0.0 && self.scale < f32::INFINITY) {
            return Err(ShapeError::Range("a scale is not positive and finite"));
        }
        if self.zero_point < least || self.zero_point > largest {
            return Err(ShapeError::Range("a zero point lies outside of the tensor's type"));
        }
        Ok(())
    }

    /// [`check`](Self::check) of each of some tensors of one type.
    pub(crate) const fn check_all(tensors: &[Self], least: i32, largest: i32) -> Result<(), ShapeError> {
        let mut index = 0;
        while index < tensors.len() {
            if let Err(error) = tensors[index].check(least, largest) {
                return Err(error);
            }
            index += 1;
        }
        Ok(())
    }
}

/// What follows the accumulator of a layer: its output's zero point and the range of its fused activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputRange {
    /// Zero point of the output.
    pub zero_point: i32,
    /// Least output value.
    pub minimum: i32,
    /// Largest output value.
    pub maximum: i32,
}

impl OutputRange {
    /// The whole range of int8.
    pub const fn int8(zero_point: i32) -> Self {
        Self { zero_point, minimum: -128, maximum: 127 }
    }

    /// Checks that zero point and clamp, and the zero point of the input, lie in int8, and gives the latter as one.
    pub(crate) const fn check_int8(&self, input_zero_point: i32) -> Result<i8, ShapeError> {
        if self.minimum < -128 || self.maximum > 127 || self.minimum > self.maximum {
            return Err(ShapeError::Range("the output range is not within -128..=127"));
        }
        if self.zero_point < -128 || self.zero_point > 127 {
            return Err(ShapeError::Range("the output's zero point is not within -128..=127"));
        }
        if input_zero_point < -128 || input_zero_point > 127 {
            return Err(ShapeError::Range("the input's zero point is not within -128..=127"));
        }
        Ok(input_zero_point as i8)
    }

    /// The whole range of int16, zero point 0.
    pub const fn int16() -> Self {
        Self { zero_point: 0, minimum: -32768, maximum: 32767 }
    }

    /// Checks that the clamp lies in int16.
    pub(crate) const fn check_int16(&self) -> Result<(), ShapeError> {
        if self.minimum < i16::MIN as i32 || self.maximum > i16::MAX as i32 || self.minimum > self.maximum {
            return Err(ShapeError::Range("the output range is not within -32768..=32767"));
        }
        Ok(())
    }

    /// Whether every negative sum becomes the least output, as behind a ReLU: a kernel need not round negative sums as the reference
    /// does then.
    #[cfg(bodies = "dsp")]
    pub(crate) const fn is_rectified(&self) -> bool {
        self.zero_point <= self.minimum
    }

    /// Adds the zero point and clamps.
    #[inline]
    pub const fn finish(&self, value: i32) -> i32 {
        clamp(value.wrapping_add(self.zero_point), self.minimum, self.maximum)
    }
}

/// The activation fused into an operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FusedActivation {
    /// None.
    #[default]
    None,
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6).
    Relu6,
    /// min(max(−1, x), 1).
    ReluN1To1,
}

impl FusedActivation {
    /// The output range for a tensor of the given scale and zero point whose type spans `least..=largest`: bounds
    /// are zero point + round(bound / scale), computed in f32, halves away from zero.
    pub const fn range(self, scale: f32, zero_point: i32, least: i32, largest: i32) -> OutputRange {
        let (lower, upper) = match self {
            Self::None => (None, None),
            Self::Relu => (Some(0.0), None),
            Self::Relu6 => (Some(0.0), Some(6.0)),
            Self::ReluN1To1 => (Some(-1.0), Some(1.0)),
        };
        let minimum = match lower {
            // The f32 quotient is exact in f64, so that `round` sees what the reference rounds.
            Some(bound) => clamp(zero_point.saturating_add(round((bound / scale) as f64)), least, largest),
            None => least,
        };
        let maximum = match upper {
            Some(bound) => clamp(zero_point.saturating_add(round((bound / scale) as f64)), least, largest),
            None => largest,
        };
        OutputRange { zero_point, minimum, maximum }
    }
}

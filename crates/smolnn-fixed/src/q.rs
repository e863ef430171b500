//! Fixed-point numbers whose type carries their fraction bits: `Q<i16, 15>` is Q0.15, `Q<i16, 12>` is Q3.12.
//!
//! A value is bits · 2^−FRACTION. Sums of one format are exact or saturate; products are widened exactly, or rounded to a
//! format that is named; bits are lost only in methods whose name says so (`rounded`, `truncated`, `stochastic`).
//!
//! ```
//! use smolnn_fixed::q::{Q, Q15};
//!
//! let half = Q15::from_f64(0.5);
//! let quarter: Q<i32, 30> = half.widening_mul(half); // exact
//! assert_eq!(quarter.to_f64(), 0.25);
//! assert_eq!(half.rounding_mul(half), Q15::from_f64(0.25));
//! assert_eq!(half.saturating_add(half), Q15::MAX); // 1 is not in Q15
//! let coarse: Q<i16, 12> = half.rounded();
//! assert_eq!(coarse.to_bits(), 2048);
//! ```
//!
//! Held by tests/host/exhaustive/q.rs: exhaustively for 8 bits, on edges and random values above.
//!
//! # Cost, errors, ends
//!
//! Everything is exact but for the one rounding that the name says: at most half a step (`rounded`, `narrowed`, `rounding_mul`,
//! `from_f64`), below one step (`truncated`, `stochastic`). Everything saturates: −MIN and |MIN| are MAX, −1 · −1 in Q15 is MAX, NaN
//! becomes 0. Nothing panics.
//!
//! Instructions when inlined, operands and constants in registers or loaded by one of them, at most (rustc 1.95, counted in the compiled code;
//! on M0 and RV32 branches skip some):
//!
//! | | M4 | M3 | M0 | RV32 |
//! |---|---|---|---|---|
//! | Q7, Q15: `saturating_add`, `saturating_sub` | 2 | 2 | 12 | 10 |
//! | Q31: `saturating_add`, `saturating_sub` | 1 | 4 | 6 | 8 |
//! | Q7, Q15: `widening_mul` | 1 | 1 | 1 | 1 |
//! | Q31: `widening_mul` | 1 | 1 | 6 and a long multiplication | 3 |
//! | Q7, Q15: `rounding_mul` | 8 | 8 | 8 | 8 |
//! | Q31: `rounding_mul` | 13 | 13 | 22 and a long multiplication | 22 |
//! | Q15: `rounded` to 12 fraction bits | 4 | 4 | 4 | 4 |
//! | Q15: `truncated` to 12 fraction bits | 1 | 1 | 1 | 1 |
//! | Q2.30: `narrowed` to Q15 | 3 | 3 | 14 | 13 |
//! | Q31: `stochastic` to 15 fraction bits | 11 | 11 | 16 | 17 |

use crate::random::Generator;

/// A fixed-point number: bits of type `T`, of which `FRACTION` are behind the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Q<T, const FRACTION: u32>(T);

/// −1 ≤ x < 1 in steps of 2^−7.
pub type Q7 = Q<i8, 7>;
/// −1 ≤ x < 1 in steps of 2^−15.
pub type Q15 = Q<i16, 15>;
/// −1 ≤ x < 1 in steps of 2^−31.
pub type Q31 = Q<i32, 31>;

macro_rules! fixed_point {
    ($bits:ty, $wide:ty) => {
        impl<const FRACTION: u32> Q<$bits, FRACTION> {
            /// The largest number.
            pub const MAX: Self = Self(<$bits>::MAX);
            /// The least number.
            pub const MIN: Self = Self(<$bits>::MIN);
            /// 0.
            pub const ZERO: Self = Self(0);

            /// The number with the given bits: bits · 2^−FRACTION.
            #[inline(always)]
            pub const fn from_bits(bits: $bits) -> Self {
                Self(bits)
            }

            /// The bits.
            #[inline(always)]
            pub const fn to_bits(self) -> $bits {
                self.0
            }

            /// The nearest number, halves away from zero, saturated; NaN is 0.
            pub const fn from_f64(value: f64) -> Self {
                let steps = value * (1_u64 << FRACTION) as f64;
                let half = if steps < 0.0 { -0.5 } else { 0.5 };
                // `as` truncates towards zero and saturates to i64; numbers of 32 bits leave room for the half.
                Self(saturate((steps + half) as i64))
            }

            /// The value, exactly.
            pub const fn to_f64(self) -> f64 {
                self.0 as f64 / (1_u64 << FRACTION) as f64
            }

            /// The sum, saturated.
            #[inline(always)]
            #[must_use]
            pub const fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// The difference, saturated.
            #[inline(always)]
            #[must_use]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// −x, saturated: −MIN is MAX.
            #[inline(always)]
            #[must_use]
            pub const fn saturating_neg(self) -> Self {
                Self(self.0.saturating_neg())
            }

            /// |x|, saturated: |MIN| is MAX.
            #[inline(always)]
            #[must_use]
            pub const fn saturating_abs(self) -> Self {
                Self(self.0.saturating_abs())
            }

            /// The product of numbers of any two formats, exactly. The product's format has the fraction bits of both,
            /// which is checked at compile time.
            #[inline(always)]
            pub const fn widening_mul<const OTHER: u32, const PRODUCT: u32>(
                self,
                other: Q<$bits, OTHER>,
            ) -> Q<$wide, PRODUCT> {
                const { assert!(FRACTION + OTHER == PRODUCT, "a product has the fraction bits of both factors") };
                Q(self.0 as $wide * other.0 as $wide)
            }

            /// The product with a number of any format in this one's, rounded half up, saturated.
            #[inline(always)]
            #[must_use]
            pub const fn rounding_mul<const OTHER: u32>(self, other: Q<$bits, OTHER>) -> Self {
                if size_of::<$bits>() < 4 && OTHER < 32 {
                    let product = self.0 as i32 * other.0 as i32;
                    let halved = if OTHER == 0 { product } else { ((product >> (OTHER - 1)) + 1) >> 1 };
                    return Self(saturate(halved as i64));
                }
                let product = self.0 as i64 * other.0 as i64;
                Self(saturate(shift_right_half_up(product, OTHER)))
            }

            /// The number in another format, rounded half up where bits are lost, saturated.
            #[inline(always)]
            pub const fn rounded<const TO: u32>(self) -> Q<$bits, TO> {
                Q(saturate(if TO >= FRACTION {
                    (self.0 as i64) << (TO - FRACTION)
                } else {
                    shift_right_half_up(self.0 as i64, FRACTION - TO)
                }))
            }

            /// The number in another format, rounded down where bits are lost, saturated.
            #[inline(always)]
            pub const fn truncated<const TO: u32>(self) -> Q<$bits, TO> {
                Q(saturate(if TO >= FRACTION {
                    (self.0 as i64) << (TO - FRACTION)
                } else {
                    self.0 as i64 >> (FRACTION - TO)
                }))
            }

            /// The number in a format with fewer fraction bits, rounded up with a probability of what is lost: right on
            /// average, so that updates below half a step are not lost. Saturated.
            #[inline]
            pub const fn stochastic<const TO: u32>(self, generator: &mut Generator) -> Q<$bits, TO> {
                const { assert!(TO <= FRACTION && FRACTION - TO < 32, "stochastic rounding drops up to 31 bits") };
                let drop = FRACTION - TO;
                let noise = generator.bits() & ((1_u64 << drop) - 1) as u32;
                Q(saturate((self.0 as i64 + noise as i64) >> drop))
            }
        }

        /// `value` in the type's range.
        #[inline(always)]
        const fn saturate(value: i64) -> $bits {
            if value > <$bits>::MAX as i64 {
                <$bits>::MAX
            } else if value < <$bits>::MIN as i64 {
                <$bits>::MIN
            } else {
                value as $bits
            }
        }
    };
}

/// `value` / 2^`shift`, halves up.
#[inline(always)]
const fn shift_right_half_up(value: i64, shift: u32) -> i64 {
    // One bit more than needed, then half up: no overflow for any 64-bit value that is a product of 32-bit ones.
    if shift == 0 { value } else { ((value >> (shift - 1)) + 1) >> 1 }
}

mod q8 {
    use super::{Generator, Q, shift_right_half_up};
    fixed_point!(i8, i16);
}

mod q16 {
    use super::{Generator, Q, shift_right_half_up};
    fixed_point!(i16, i32);
}

mod q32 {
    use super::{Generator, Q, shift_right_half_up};
    fixed_point!(i32, i64);
}

impl<const FRACTION: u32> Q<i32, FRACTION> {
    /// The number in 16 bits and another format, rounded half up, saturated: what follows a sum of widened products.
    #[inline(always)]
    pub const fn narrowed<const TO: u32>(self) -> Q<i16, TO> {
        const { assert!(TO <= FRACTION, "narrowing drops fraction bits") };
        let value = shift_right_half_up(self.0 as i64, FRACTION - TO);
        Q(if value > i16::MAX as i64 {
            i16::MAX
        } else if value < i16::MIN as i64 {
            i16::MIN
        } else {
            value as i16
        })
    }
}

/// What widening products of 32 bits become.
impl<const FRACTION: u32> Q<i64, FRACTION> {
    /// The number with the given bits: bits · 2^−FRACTION.
    #[inline(always)]
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// The bits.
    #[inline(always)]
    pub const fn to_bits(self) -> i64 {
        self.0
    }

    /// The number in 32 bits and another format, rounded half up, saturated.
    #[inline(always)]
    pub const fn narrowed<const TO: u32>(self) -> Q<i32, TO> {
        const { assert!(TO <= FRACTION, "narrowing drops fraction bits") };
        Q(crate::quantise::clamp_i64(shift_right_half_up(self.0, FRACTION - TO), i32::MIN, i32::MAX))
    }
}

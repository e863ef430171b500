//! Biquads: y\[n\] = b0 x\[n\] + b1 x\[n−1\] + b2 x\[n−2\] − a1 y\[n−1\] − a2 y\[n−2\].
//!
//! In f32 as the transposed Direct Form II, whose sums lose least; in integers as Direct Form I, whose state are samples and cannot
//! overflow. The integers carry the rest that rounding leaves into the next sample, so that a constant input settles where the formula
//! says.

use smolnn_core::ShapeError;

use super::{Coefficients, Filter};
use crate::real;

/// A biquad in f32.
///
/// A sample that is not finite, or so large that the result is not, gives a result that is not finite and sets the state back to its start: later
/// samples are filtered as those of a new stream.
#[derive(Clone, Debug)]
pub struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    state: StateF32,
}

/// The state of a [`Biquad`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StateF32([f32; 2]);

impl Biquad {
    /// A filter that has heard nothing yet.
    pub const fn new(coefficients: &Coefficients) -> Self {
        let ([b0, b1, b2], [a1, a2]) = (coefficients.b, coefficients.a);
        Self { b: [b0 as f32, b1 as f32, b2 as f32], a: [a1 as f32, a2 as f32], state: StateF32([0.0; 2]) }
    }
}

impl Filter for Biquad {
    type Sample = f32;
    type State = StateF32;

    #[inline]
    fn step(&mut self, x: f32) -> f32 {
        let ([b0, b1, b2], [a1, a2], [first, second]) = (self.b, self.a, self.state.0);
        let y = b0 * x + first;
        let state = [b1 * x - a1 * y + second, b2 * x - a2 * y];
        // The sum is finite only where all three are: an infinite input can leave a finite output where b0 is 0.
        let finite = (y + (state[0] + state[1])).is_finite();
        self.state.0 = if finite { state } else { [0.0; 2] };
        y
    }

    fn reset(&mut self) {
        self.state = StateF32::default();
    }

    fn save(&self) -> StateF32 {
        self.state
    }

    fn restore(&mut self, state: &StateF32) {
        self.state = *state;
    }
}

/// The coefficients b0, b1, b2, −a1, −a2 with `bits` fraction bits.
const fn fixed(coefficients: &Coefficients, bits: u32, most: i64) -> Result<[i64; 5], ShapeError> {
    let ([b0, b1, b2], [a1, a2]) = (coefficients.b, coefficients.a);
    let values = [b0, b1, b2, -a1, -a2];
    let (mut fixed, mut sum, mut index) = ([0; 5], 0, 0);
    while index < 5 {
        // A number that is not one fails here too.
        if !(values[index] > -8.0 && values[index] < 8.0) {
            return Err(ShapeError::Range("the absolute values of a biquad's coefficients add up to less than 8"));
        }
        fixed[index] = real::round_half_up(values[index] * (1_i64 << bits) as f64);
        sum += fixed[index].abs();
        index += 1;
    }
    if sum > most {
        return Err(ShapeError::Range("the absolute values of a biquad's coefficients add up to less than 8"));
    }
    Ok(fixed)
}

/// One integer biquad: its type, state, sample, accumulator and the fraction bits of its coefficients.
macro_rules! integer {
    ($(#[$doc:meta])* $Biquad:ident, $State:ident, $Sample:ty, $Sum:ty, $Coefficient:ty, $bits:literal, $most:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Biquad {
            /// b0, b1, b2, −a1, −a2.
            coefficients: [$Coefficient; 5],
            state: $State,
        }

        #[doc = concat!("The state of a [`", stringify!($Biquad), "`].")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $State {
            /// x\[n−1\], x\[n−2\], y\[n−1\], y\[n−2\].
            samples: [$Sample; 4],
            /// What rounding down left over.
            rest: $Sum,
        }

        impl $Biquad {
            /// A filter that has heard nothing yet.
            ///
            /// # Errors
            /// [`ShapeError::Range`] unless the absolute values of b0, b1, b2, a1 and a2 add up to less than 8, which keeps every sum in its bits.
            pub const fn new(coefficients: &Coefficients) -> Result<Self, ShapeError> {
                match fixed(coefficients, $bits, $most) {
                    Ok([a, b, c, d, e]) => Ok(Self {
                        coefficients: [
                            a as $Coefficient,
                            b as $Coefficient,
                            c as $Coefficient,
                            d as $Coefficient,
                            e as $Coefficient,
                        ],
                        state: $State { samples: [0; 4], rest: 0 },
                    }),
                    Err(error) => Err(error),
                }
            }
        }

        impl Filter for $Biquad {
            type Sample = $Sample;
            type State = $State;

            #[inline]
            fn step(&mut self, x: $Sample) -> $Sample {
                let ([b0, b1, b2, a1, a2], [x1, x2, y1, y2]) = (self.coefficients, self.state.samples);
                let product = |factor: $Coefficient, sample: $Sample| <$Sum>::from(factor) * <$Sum>::from(sample);
                let sum = self.state.rest
                    + product(b0, x)
                    + product(b1, x1)
                    + product(b2, x2)
                    + product(a1, y1)
                    + product(a2, y2);
                let rounded = sum >> $bits;
                let y = rounded.clamp(<$Sample>::MIN.into(), <$Sample>::MAX.into());
                // A clipped sample leaves nothing over.
                let rest = if y == rounded { sum - (rounded << $bits) } else { 0 };
                let y = y as $Sample;
                self.state = $State { samples: [x, x1, y, y1], rest };
                y
            }

            fn reset(&mut self) {
                self.state = $State::default();
            }

            fn save(&self) -> $State {
                self.state
            }

            fn restore(&mut self, state: &$State) {
                self.state = *state;
            }
        }
    };
}

integer!(
    /// A biquad over samples of 16 bits, coefficients in Q13, sums of 32 bits.
    ///
    /// Bits of a sum: the coefficients' absolute values add up to 65 535 at most, times 32 768, and a rest of 13 bits:
    /// 65 535 · 32 768 + 8 191 < 2^31. Below about a fiftieth of the sample rate 13 bits of coefficients are coarse: [`BiquadQ31`] is finer.
    BiquadQ15, StateQ15, i16, i32, i32, 13, 65_535
);
integer!(
    /// A biquad over samples of 32 bits, coefficients in Q28, sums of 64 bits.
    ///
    /// Bits of a sum: the coefficients' absolute values add up to less than 2^31, times 2^31, and a rest of 28 bits: below 2^63.
    BiquadQ31, StateQ31, i32, i64, i32, 28, (1 << 31) - 1
);

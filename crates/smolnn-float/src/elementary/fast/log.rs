//! ln x, fast: e ln 2 + ln m in Q24, a quadratic over one of 64 segments of m.
//!
//! - Zero, subnormal and negative numbers, infinity and NaN: the default tier.
//! - Special values: ln(±0) = −∞, ln of less is NaN, ln(∞) = ∞, ln(1) = 0, NaN stays. Monotonic.
//! - Held by tests/host/exhaustive/accuracy.rs; worst error: tests/expected/accuracy.txt.

use core::hint::black_box;

use super::Arithmetic;
use crate::elementary;
use crate::elementary::fixed::centred;
use crate::elementary::slices::near_or_far;
use crate::elementary::tables::LOG_FAST;

type Rows = [u64; 64];

/// ln 2 in Q24, rounded down, so that e ln 2 lies above the truth for e < 0 as the default tier does at the seam.
const LN_2: i32 = 11_629_079;

#[inline(always)]
fn near<A: Arithmetic>(bits: u32, rows: &Rows) -> Option<u32> {
    if bits.wrapping_sub(0x0080_0000) >= 0x7f80_0000 - 0x0080_0000 {
        return None;
    }
    // Rows are less 127 ln 2.
    let y = A::quadratic::<13>(rows[(bits >> 17) as usize & 63], centred(bits << 15));
    Some(A::from_q24(y.wrapping_add(((bits >> 23) as i32).wrapping_mul(LN_2))))
}

#[cold]
#[inline(never)]
fn far(bits: u32) -> u32 {
    elementary::log(f32::from_bits(bits)).to_bits()
}

/// ln x.
#[inline(always)]
pub fn log<A: Arithmetic>(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(near::<A>(bits, &LOG_FAST).unwrap_or_else(|| far(bits)))
}

/// [`log()`] of every element.
pub fn log_slice<A: Arithmetic>(x: &[f32], y: &mut [f32]) {
    let rows = black_box(&LOG_FAST);
    near_or_far(x, y, |bits| near::<A>(bits, rows), far);
}

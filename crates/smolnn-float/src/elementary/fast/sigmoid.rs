//! The logistic function, fast, without an FPU (with one the default tier is as fast): ½ ± ½ tanh(|x|/2) with the table of the fast tanh, in Q25.
//!
//! - Special values: σ(−∞) = 0, σ(∞) = 1, σ(±0) = 1/2, NaN stays. Monotonic; 0 below −18.03.
//! - Held by tests/host/exhaustive/accuracy.rs; worst error: tests/expected/accuracy.txt.

use core::hint::black_box;

use super::{Arithmetic, Integer, Narrow};
use crate::elementary::fixed::pack;
use crate::elementary::saturating::Range;
use crate::elementary::slices::each;
use crate::elementary::tables::{TANH_FAST, TANH_NARROW, TANH_SMALL_FAST};
use crate::elementary::tanh::{FIRST, small};

/// Twice the x of tanh.
const RANGE: Range = Range::new(FIRST + (1 << 23), TANH_NARROW.len(), 17);
const _: () = assert!(TANH_FAST.len() * 2 >= TANH_NARROW.len());

/// tanh(|x|/2) in Q24 for |x| < 1.125.
#[inline(always)]
fn below<A: Arithmetic>(magnitude: u32) -> u32 {
    // 2^-24
    if magnitude < 0x3380_0000 {
        return 0;
    }
    let half = magnitude - (1 << 23);
    let t = small(half, &TANH_SMALL_FAST, A::multiply_high);
    ((t & 0x7f_ffff) | 0x80_0000) >> ((126 - (t >> 23)) & 31)
}

#[inline(always)]
fn body<A: Arithmetic>(bits: u32, first: u32) -> u32 {
    let offset = (bits << 1).wrapping_sub(first);
    let t = if offset < RANGE.length {
        // The bits of y in [1/2, 1] as Q24
        A::tanh(offset) - (0x3f00_0000 - (1 << 23))
    } else if offset >= RANGE.first.wrapping_neg() {
        below::<A>(offset.wrapping_add(first) >> 1)
    } else if offset > (0xff << 24) - RANGE.first {
        // NaN
        return bits;
    } else {
        1 << 24
    };
    if (bits as i32) >= 0 {
        0x3f00_0000 + (t >> 1)
    } else if t < 1 << 24 {
        pack((1 << 24) - t, 25)
    } else {
        0
    }
}

macro_rules! bodies {
    ($($name:ident $slice:ident = $arithmetic:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub fn $name(x: f32) -> f32 {
            f32::from_bits(body::<$arithmetic>(x.to_bits(), RANGE.first))
        }

        #[doc = concat!("[`", stringify!($name), "`] of every element.")]
        pub fn $slice(x: &[f32], y: &mut [f32]) {
            let first = black_box(RANGE.first);
            each(x, y, |bits| body::<$arithmetic>(bits, first));
        }
    )*};
}

bodies! {
    sigmoid_integer sigmoid_slice_integer = Integer, "The body of cores with long multiplication.";
    sigmoid_narrow sigmoid_slice_narrow = Narrow, "The body of cores without.";
}

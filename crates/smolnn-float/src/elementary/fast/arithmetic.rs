//! What a core multiplies and converts with.

use crate::elementary::fixed::{from_q24, mul_high_narrow, mul_high_unsigned, quadratic, quadratic_narrow};
use crate::elementary::tanh::{near_fast, near_narrow};

/// The multiplications and conversions of a kind of core; as they stand here, of one with long multiplication.
pub trait Arithmetic {
    /// Whether float operations are instructions.
    const FLOAT: bool;

    /// |x| in Q24 for |x| < 16, in steps of 4 units, or of 32 where 16 bits are multiplied; `None` beyond, and
    /// perhaps below 2^-24.
    fn magnitude(bits: u32) -> Option<u32>;

    /// The float y · 2^-24.
    #[inline(always)]
    fn from_q24(y: i32) -> u32 {
        from_q24(y)
    }

    /// A row of a table at t.
    #[inline(always)]
    fn quadratic<const SCALE: u32>(row: u64, t: i32) -> i32 {
        quadratic::<SCALE>(row, t)
    }

    /// The bits of tanh where it lies in [1/2, 1].
    #[inline(always)]
    fn tanh(offset: u32) -> u32 {
        near_fast(offset)
    }

    /// The upper half of a product, or up to 3 less.
    #[inline(always)]
    fn multiply_high(a: u32, b: u32) -> u32 {
        mul_high_unsigned(a, b)
    }
}

/// With an FPU.
#[derive(Clone, Copy, Debug)]
pub struct Float;

/// With long multiplication.
#[derive(Clone, Copy, Debug)]
pub struct Integer;

/// With neither.
#[derive(Clone, Copy, Debug)]
pub struct Narrow;

#[inline(always)]
fn magnitude(bits: u32) -> Option<u32> {
    let shift = 133_u32.wrapping_sub((bits >> 23) & 0xff);
    // 2^-24 ≤ |x| < 16
    if shift.wrapping_sub(3) > 27 {
        return None;
    }
    Some(((bits << 8) | 0x8000_0000) >> ((shift + 1) & 31))
}

impl Arithmetic for Float {
    const FLOAT: bool = true;

    #[inline(always)]
    fn magnitude(bits: u32) -> Option<u32> {
        let doubled = bits << 1;
        if doubled >= 0x4180_0000 << 1 {
            return None;
        }
        Some((f32::from_bits(doubled >> 1) * 16_777_216.0) as i32 as u32 & !3)
    }

    #[inline(always)]
    fn from_q24(y: i32) -> u32 {
        (y as f32 * (1.0 / 16_777_216.0)).to_bits()
    }
}

impl Arithmetic for Integer {
    const FLOAT: bool = false;

    #[inline(always)]
    fn magnitude(bits: u32) -> Option<u32> {
        Some(magnitude(bits)? & !3)
    }
}

impl Arithmetic for Narrow {
    const FLOAT: bool = false;

    #[inline(always)]
    fn magnitude(bits: u32) -> Option<u32> {
        Some(magnitude(bits)? & !31)
    }

    #[inline(always)]
    fn quadratic<const SCALE: u32>(row: u64, t: i32) -> i32 {
        quadratic_narrow::<SCALE>(row, t)
    }

    #[inline(always)]
    fn tanh(offset: u32) -> u32 {
        near_narrow(offset)
    }

    #[inline(always)]
    fn multiply_high(a: u32, b: u32) -> u32 {
        mul_high_narrow(a, b)
    }
}

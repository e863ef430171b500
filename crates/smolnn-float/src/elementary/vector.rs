//! Sigmoid and tanh without branches, for vector units: on Helium LLVM makes loops over them four elements wide, tables included.
//!
//! - tanh: a cubic over one of 289 segments of 1/32, between floats at its ends, so that the pieces join; over the first x
//!   plus a cubic, so that what is rounded is small beside x. ±1 from 9.02 on.
//! - sigmoid: σ(−|x|) a cubic over one of 301 segments of 1/16, beyond 26 ln 2 reduced by powers of two; 1 − σ(−|x|) for x ≥ 0.
//! - In floats all through: within 2.5 ULP, right at ±0, ±∞ and NaN, tanh odd bit for bit. Monotonic. Sigmoid is not
//!   precise below −87.3, where the exact value is subnormal.
//! - Worst error in ULP and cost: tests/expected/accuracy.txt. Held by tests/host/exhaustive/accuracy.rs.

use core::hint::black_box;

use super::tables::{SIGMOID_VECTOR, TANH_VECTOR};

/// Where tanh rounds to 1.
const ONE_FROM: f32 = 9.02;
/// Beyond, σ(−x) is 0 in f32.
const ZERO_FROM: f32 = 110.0;

/// The segments per unit of x. A loop hides them by `black_box`: LLVM 22 may miscompile, for Helium, the conversion to an
/// integer of a product with a power of two that it knows.
const SEGMENTS_TANH: f32 = 32.0;
const SEGMENTS_SIGMOID: f32 = 16.0;

#[inline(always)]
fn tanh(x: f32, segments: f32) -> f32 {
    let bits = x.to_bits();
    let magnitude = f32::from_bits(bits & 0x7fff_ffff);
    let a = if magnitude > ONE_FROM { ONE_FROM } else { magnitude };
    // Exact: a power of two, then what is left of the integer part.
    let place = a * segments;
    let segment = place as i32;
    let f = place - segment as f32;
    let j = (segment as u32).min(288) as usize;
    let [c3, c2, c1, c0] = &TANH_VECTOR;
    let base = if segment == 0 { a } else { c0[j] };
    let y = ((c3[j] * f + c2[j]) * f + c1[j]) * f + base;
    let y = if y > 1.0 || magnitude > ONE_FROM { 1.0 } else { y };
    f32::from_bits(y.to_bits() | (bits & 0x8000_0000))
}

#[inline(always)]
fn sigmoid(x: f32, segments: f32) -> f32 {
    let magnitude = f32::from_bits(x.to_bits() & 0x7fff_ffff);
    let a = if magnitude > ZERO_FROM { ZERO_FROM } else { magnitude };
    // From 26 ln 2 on, σ(−a) = 2^-n σ(n ln 2 − a) to 2^-26. n times the first part of ln 2 is exact, so is what is left of a; the second
    // part is for the place in the segment, which has the bits for it.
    let n = ((a * core::f32::consts::LOG2_E - 26.0) as i32).max(0);
    let steps = n as f32;
    let place = (a - steps * 0.693_145_75) * segments;
    let segment = place as i32;
    let f = (place - segment as f32) - steps * (16.0 * 1.428_606_8e-6);
    let j = (segment as u32).min(300) as usize;
    let [c3, c2, c1, c0] = &SIGMOID_VECTOR;
    let y = ((c3[j] * f + c2[j]) * f + c1[j]) * f + c0[j];
    // 2^-n down to 2^-126, then 0
    let y = y * f32::from_bits((127_u32 << 23).saturating_sub((n as u32) << 23));
    if x < 0.0 { y } else { 1.0 - y }
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh_vector(x: f32) -> f32 {
    tanh(x, black_box(SEGMENTS_TANH))
}

/// [`tanh_vector`] of every element.
pub fn tanh_slice_vector(x: &[f32], y: &mut [f32]) {
    let segments = black_box(SEGMENTS_TANH);
    for (y, &x) in y.iter_mut().zip(x) {
        *y = tanh(x, segments);
    }
}

/// The logistic function.
#[inline(always)]
pub fn sigmoid_vector(x: f32) -> f32 {
    sigmoid(x, black_box(SEGMENTS_SIGMOID))
}

/// [`sigmoid_vector`] of every element.
pub fn sigmoid_slice_vector(x: &[f32], y: &mut [f32]) {
    let segments = black_box(SEGMENTS_SIGMOID);
    for (y, &x) in y.iter_mut().zip(x) {
        *y = sigmoid(x, segments);
    }
}

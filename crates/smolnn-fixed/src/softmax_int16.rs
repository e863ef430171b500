//! Softmax of rows, int16, as TensorFlow Lite computes it: input zero point 0, output scale 2^−15, zero point 0.
//!
//! - The tables of both functions are built in f32: in f64 two entries of the reciprocal would be one step off.
//! - Differences to the maximum are rescaled so that 2^16 − 1 steps are 10, saturated; exp and 1/(1 + x) are 512 intervals
//!   each, interpolated linearly, the corners shifted by half of what the middle lacks; the sum is Q16.15, its reciprocal
//!   Q0.15 after normalisation, the product rounded half up.
//! - Rows of fewer than 2^16 elements: the sum stays below 2^31.
//! - Held by: `softmax_i16_*` goldens; random rows against an f64 oracle (tests/host/registry/conformance.rs).
#![doc = include_str!("softmax_cost.md")]

use core::cell::Cell;

use smolnn_core::ShapeError;

use crate::quantise::{Multiplier, clamp, round};
use crate::real;
use crate::tensors::{Source, Tensors};
use crate::transcendental::interpolate;

/// 513 corners of a function over `least..=largest`, outputs in steps of 2^−15. Every step is in f32, as the reference has it.
const fn corners(least: f32, largest: f32, is_exp: bool) -> [i16; 513] {
    const fn value(x: f32, is_exp: bool) -> f32 {
        32768.0 * if is_exp { real::exp(x as f64) as f32 } else { 1.0 / (1.0 + x) }
    }
    /// To nearest, halves away from zero.
    const fn whole(value: f32) -> f32 {
        round(value as f64) as f32
    }
    let step = (largest - least) / 512.0;
    let mut table = [0; 513];
    let mut index = 0;
    while index < 512 {
        let x = least + index as f32 * step;
        let corner = whole(value(x, is_exp));
        let next = value(least + (index + 1) as f32 * step, is_exp);
        let interpolated = whole((next + corner) / 2.0);
        let middle = whole(value(x + step / 2.0, is_exp));
        let shift = whole((interpolated - middle) / 2.0);
        table[index] = clamp(round((corner - shift) as f64), -32768, 32767) as i16;
        index += 1;
    }
    table[512] = clamp(round(value(largest, is_exp) as f64), -32768, 32767) as i16;
    table
}

/// exp from −10 to 0.
static EXP: [i16; 513] = corners(-10.0, 0.0, true);
/// 1 / (1 + x) from 0 to 1.
static RECIPROCAL: [i16; 513] = corners(0.0, 1.0, false);

/// An int16 softmax over the rows of a tensor of rows × columns, checked.
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxInt16 {
    rows: usize,
    columns: usize,
    multiplier: Multiplier,
}

impl SoftmaxInt16 {
    /// Softmax with factor `beta` of int16 values with scale `input_scale`, zero point 0.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, or β · scale is not positive or 2^30 · 10 / 65535 or more.
    pub const fn new(rows: usize, columns: usize, beta: f32, input_scale: f32) -> Result<Self, ShapeError> {
        if rows == 0 || columns == 0 {
            return Err(ShapeError::Zero("a length of the softmax"));
        }
        if columns >= 1 << 16 || rows >= 1 << 14 {
            return Err(ShapeError::TooLarge);
        }
        let factor = input_scale as f64 * beta as f64;
        if !(factor > 0.0 && factor < f64::INFINITY) {
            return Err(ShapeError::Range("the factor or the scale of the softmax is not positive"));
        }
        let multiplier = match Multiplier::try_from_f64(factor / (10.0 / 65535.0)) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self { rows, columns, multiplier })
    }

    /// Elements of the input, and of the output.
    pub const fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Never: a layer has rows and columns.
    pub const fn is_empty(&self) -> bool {
        false
    }

    #[inline(always)]
    fn row(&self, input: impl Source<i16>, output: &[Cell<i16>]) {
        let largest = input.elements().fold(i16::MIN, |largest, value| if value > largest { value } else { largest });
        let exp = |value: i16| {
            let difference = self.multiplier.apply(i32::from(value) - i32::from(largest));
            interpolate(&EXP, clamp(difference.saturating_add(32767), -32768, 32767))
        };
        // The outputs hold the exponentials meanwhile.
        input.map(output, |value| exp(value) as i16);
        let mut sum = 0_i32;
        output.visit(|exp| sum = sum.wrapping_add(i32::from(exp)));
        // The sum in [1, 2) less 1, in 16 bits around the middle.
        let zeros = (sum as u32).leading_zeros();
        let normalised = ((i64::from(sum) << (zeros.max(1) - 1)) + (1 << 13)) >> 14;
        let centred = (normalised as i32).wrapping_sub((1 << 15) + (1 << 16));
        let reciprocal = interpolate(&RECIPROCAL, clamp(centred, -32768, 32767));
        let shift = 31_u32.saturating_sub(zeros).max(1);
        let half = 1 << (shift - 1);
        output.map(output, |exp| clamp((i32::from(exp) * reciprocal + half) >> shift, 0, 32767) as i16);
    }
}

/// Runs the softmax; input and output may be one.
///
/// The reference's bits; 1 is 32767, the least output 0. Inputs 10 and more below the largest all count e^−10, up to 2 steps each.
/// 53 instructions per element on the M4, 56 on the M3, 132 on the M0, 64 on RV32.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn softmax_int16(layer: &SoftmaxInt16, mut tensors: impl Tensors<i16>) -> Result<(), ShapeError> {
    tensors.check(layer.len(), layer.len(), 0)?;
    let (input, output) = tensors.split();
    for (row, output) in output.chunks_exact(layer.columns.max(1)).enumerate() {
        layer.row(input.part(row * layer.columns, layer.columns), output);
    }
    Ok(())
}

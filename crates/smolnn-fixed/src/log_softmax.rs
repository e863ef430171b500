//! Logarithm of the softmax of rows, int8: y_i = s x_i − ln Σ_j exp(s x_j), output scale 1/16, zero point 127.
//!
//! - The reference's integer sequence: exp in Q0.31, their sum in Q12.19, its logarithm in Q5.26 by a rational function
//!   around √½ with powers of two taken out, differences rounded to 4 fraction bits, halves away from zero.
//! - Held by: `log_softmax*` goldens (tests/host/golden/operators.rs); random rows against an f64 oracle
//!   (tests/host/registry/conformance.rs).
#![doc = include_str!("softmax_cost.md")]

use core::cell::Cell;

use smolnn_core::ShapeError;

use crate::quantise::{Multiplier, clamp, rounding_shift_right};
use crate::tensors::{Source, Tensors};
use crate::transcendental::{exp_negative, logarithm};

/// A log-softmax over the rows of a tensor of rows × columns, checked.
#[derive(Clone, Copy, Debug)]
pub struct LogSoftmax {
    rows: usize,
    columns: usize,
    multiplier: Multiplier,
    /// Differences below count as 0 in the sum.
    least: i32,
    /// From Q5.26 back to differences.
    reverse: Multiplier,
}

impl LogSoftmax {
    /// Log-softmax of int8 values with scale `input_scale`; the zero point does not matter.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0, there are 4096 columns or more, or the scale is not positive or below 2^−26.
    pub const fn new(rows: usize, columns: usize, input_scale: f32) -> Result<Self, ShapeError> {
        if rows == 0 || columns == 0 {
            return Err(ShapeError::Zero("a length of the log-softmax"));
        }
        if columns >= 4096 {
            return Err(ShapeError::Range("the log-softmax has 4096 columns or more"));
        }
        if rows >= 1 << 18 {
            return Err(ShapeError::TooLarge);
        }
        if !(input_scale > 0.0 && input_scale < 31.0) {
            return Err(ShapeError::Range("the scale of the log-softmax is not within 0..31"));
        }
        let multiplier = Multiplier::from_f64(input_scale as f64 * (1 << 26) as f64);
        if multiplier.shift < 0 || multiplier.mantissa == 0 {
            return Err(ShapeError::Range("the scale of the log-softmax is below 2^-26"));
        }
        let least = -((31_i64 << 26) >> multiplier.shift);
        let reverse = Multiplier::from_f64((1_u64 << (31 - multiplier.shift)) as f64 / multiplier.mantissa as f64);
        Ok(Self { rows, columns, multiplier, least: clamp_to_i32(least), reverse })
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
    fn row(&self, input: impl Source<i8>, output: &[Cell<i8>]) {
        let largest = input.elements().fold(i8::MIN, |largest, value| if value > largest { value } else { largest });
        let difference = |value: i8| i32::from(value) - i32::from(largest);
        let mut sum = 0_i32;
        input.visit(|value| {
            let difference = difference(value);
            if difference >= self.least {
                let exp = exp_negative(self.multiplier.apply(difference), 5);
                sum = sum.wrapping_add(rounding_shift_right(exp, 12));
            }
        });
        let logarithm = logarithm(sum);
        // Below this the difference less the logarithm leaves 32 bits.
        let representable = self.reverse.apply(logarithm.wrapping_add(i32::MIN));
        let least = (self.least - 1).max(representable);
        input.map(output, |value| {
            let difference = difference(value);
            if difference > least {
                let scaled = self.multiplier.apply(difference).wrapping_sub(logarithm);
                clamp(rounding_shift_right(scaled, 22) + 127, -128, 127) as i8
            } else {
                -128
            }
        });
    }
}

const fn clamp_to_i32(value: i64) -> i32 {
    crate::quantise::clamp_i64(value, i32::MIN + 1, i32::MAX)
}

/// Runs the log-softmax; input and output may be one.
///
/// The reference's bits, within 2 steps of 1/16 of the real function; 0 is 127, what lies below −15.9 is −128. 179 instructions per
/// element on M3 and M4, 630 on the M0, 194 on RV32.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn log_softmax(layer: &LogSoftmax, mut tensors: impl Tensors<i8>) -> Result<(), ShapeError> {
    tensors.check(layer.len(), layer.len(), 0)?;
    let (input, output) = tensors.split();
    for (row, output) in output.chunks_exact(layer.columns.max(1)).enumerate() {
        layer.row(input.part(row * layer.columns, layer.columns), output);
    }
    Ok(())
}

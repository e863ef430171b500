//! Softmax of rows, int8: y_i = exp(β s (x_i − max)) / Σ_j exp(β s (x_j − max)), output scale 1/256, zero point −128.
//!
//! - A difference of two int8 values is one of 256, so that exp is a table of the layer, built from the reference's own
//!   integer sequence ([`transcendental`](crate::transcendental)); the result is the reference's bit for bit.
//! - Formats: exp in Q0.31 (kept doubled in the table), their sum in Q12.19 (each rounded to 19 fraction bits: rows of fewer
//!   than 4096 elements cannot overflow), its reciprocal in Q0.31 with an exponent, products rounded half up at 31 bits and
//!   then at the output's 8. Everything is positive, so that halves away from zero are halves up.
//! - Differences below −31 / (β s) count as 0, as in the reference.
//! - Held by: `softmax_*` goldens; random rows against an f64 oracle within 1 LSB (tests/host/tests/conformance.rs).

use smolnn_core::ShapeError;

use crate::element::Element;
use crate::quantise::Multiplier;
use crate::tensors::{Source, Tensors};
use crate::transcendental::{exp_negative, reciprocal};

/// A softmax over the rows of a tensor of rows × columns, checked; 1 KiB of table.
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxLayer {
    rows: usize,
    columns: usize,
    /// Twice exp(−d β s) in Q0.31.
    exp: [u32; 256],
}

impl SoftmaxLayer {
    /// Softmax with factor `beta` of int8 values with scale `input_scale`; the zero point does not matter.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0, there are 4096 columns or more, or β · scale is not positive.
    pub const fn new(rows: usize, columns: usize, beta: f32, input_scale: f32) -> Result<Self, ShapeError> {
        if rows == 0 || columns == 0 {
            return Err(ShapeError::Zero("a length of the softmax"));
        }
        if columns >= 4096 {
            return Err(ShapeError::Range("the softmax has 4096 columns or more"));
        }
        if rows >= 1 << 18 {
            return Err(ShapeError::TooLarge);
        }
        let factor = beta as f64 * input_scale as f64;
        if !(factor > 0.0 && factor < f64::INFINITY) {
            return Err(ShapeError::Range("the factor or the scale of the softmax is not positive"));
        }
        // Differences in Q5.26.
        const LARGEST: f64 = 2_147_483_647.0;
        let factor = factor * (1 << 26) as f64;
        let multiplier = Multiplier::from_f64(if factor < LARGEST { factor } else { LARGEST });
        // 31 · 2^26 / 2^shift steps: what exceeds them counts as 0.
        let largest = if multiplier.shift > 31 { 0 } else { (31_i64 << 26) >> multiplier.shift };
        let mut exp = [0; 256];
        let mut difference = 0;
        while difference < 256 {
            if multiplier.shift >= 0 && difference as i64 <= largest {
                exp[difference] = 2 * exp_negative(multiplier.apply(-(difference as i32)), 5) as u32;
            }
            difference += 1;
        }
        if multiplier.shift < 0 {
            return Err(ShapeError::Range("the factor of the softmax is below 2^-26"));
        }
        Ok(Self { rows, columns, exp })
    }

    /// Elements of the input, and of the output.
    pub const fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Never: a layer has rows and columns.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The output of one row, given all of its input; `bits` of the output, which starts at `least`.
    #[inline(always)]
    fn row<T: Element>(&self, input: impl Source<i8>, mut store: impl FnMut(usize, T)) {
        let largest = input.elements().fold(i8::MIN, |largest, value| if value > largest { value } else { largest });
        let exp = |value: i8| self.exp[usize::from(largest.wrapping_sub(value) as u8)];
        let sum = input.elements().fold(0_u32, |sum, value| sum.wrapping_add(((exp(value) >> 1) + (1 << 11)) >> 12));
        let (mantissa, bits_over_unit) = reciprocal(sum, 12);
        let type_bits = 8 * size_of::<T>() as u32;
        // At least one element is 1, so that the sum is at least 1 and the exponent at least 0.
        let shift = (bits_over_unit as u32).wrapping_add(31 - type_bits) & 31;
        let half = (1_u32 << shift) >> 1;
        let most = (T::LARGEST - T::LEAST) as u32;
        for (index, value) in input.elements().enumerate() {
            let wide = u64::from(exp(value)) * u64::from(mantissa as u32);
            let product = ((wide >> 32) as u32).wrapping_add(wide as u32 >> 31);
            let result = product.wrapping_add(half) >> shift;
            let result = if result > most { most } else { result };
            store(index, T::wrap(result as i32 + T::LEAST));
        }
    }
}

/// Runs the softmax; input and output may be one.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn softmax(layer: &SoftmaxLayer, mut tensors: impl Tensors<i8>) -> Result<(), ShapeError> {
    tensors.check(layer.len(), layer.len(), 0)?;
    let (input, output) = tensors.split();
    for (row, output) in output.chunks_exact(layer.columns.max(1)).enumerate() {
        layer.row(input.part(row * layer.columns, layer.columns), |index, value| {
            if let Some(result) = output.get(index) {
                result.set(value);
            }
        });
    }
    Ok(())
}

/// Runs the softmax to int16 outputs, scale 2^−16, zero point −32768.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn softmax_to_int16(layer: &SoftmaxLayer, input: &[i8], output: &mut [i16]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.len(), input.len())?;
    ShapeError::check_length("the output", layer.len(), output.len())?;
    let columns = layer.columns.max(1);
    for (input, output) in input.chunks_exact(columns).zip(output.chunks_exact_mut(columns)) {
        layer.row(input, |index, value| {
            if let Some(result) = output.get_mut(index) {
                *result = value;
            }
        });
    }
    Ok(())
}

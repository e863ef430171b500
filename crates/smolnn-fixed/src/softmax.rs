//! Softmax of rows, int8: y_i = exp(β s (x_i − max)) / Σ_j exp(β s (x_j − max)), output scale 1/256, zero point −128.
//!
//! - A difference of two int8 values is one of 256, so that exp is a table of the layer, built from the reference's own
//!   integer sequence ([`transcendental`](crate::transcendental)); the result is the reference's bit for bit.
//! - Formats: exp in Q0.31, their sum in Q12.19 (each rounded to 19 fraction bits: rows of fewer
//!   than 4096 elements cannot overflow), its reciprocal in Q0.31 with an exponent, products rounded half up at 31 bits and
//!   then at the output's 8. Everything is positive, so that halves away from zero are halves up.
//! - Both roundings of a product are one: ⌊(⌊(2e·2m + 2^32) / 2^33⌋ + 2^(s−1)) / 2^s⌋ = ⌊(h + 1 + 2^s) / 2^(s+1)⌋ with
//!   h = ⌊2e·2m / 2^32⌋, one long multiplication. The table holds 2e. Without long multiplication the upper halves give h
//!   to 2^17, and only where that leaves the output open (one element in a hundred) the product is computed.
//! - Differences below −31 / (β s) count as 0, as in the reference.
//! - Held by: `softmax_*` goldens; random rows against an f64 oracle within 1 LSB (tests/host/registry/conformance.rs).
#![doc = include_str!("softmax_cost.md")]

use core::cell::Cell;

use smolnn_core::ShapeError;

use crate::backend::{Bodies, Chosen};
use crate::element::Element;
use crate::quantise::Multiplier;
use crate::tensors::{Source, Tensors};
use crate::transcendental::{exp_negative, reciprocal};

/// A softmax over the rows of a tensor of rows × columns, checked; 1 KiB of table.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    rows: usize,
    columns: usize,
    /// exp(−d β s) in Q0.32: twice the reference's Q0.31.
    exp: [u32; 256],
}

impl Softmax {
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
        if multiplier.shift < 0 || multiplier.mantissa == 0 {
            return Err(ShapeError::Range("the factor of the softmax is below 2^-27"));
        }
        // 31 · 2^26 / 2^shift steps: what exceeds them counts as 0.
        let largest = (31_i64 << 26) >> multiplier.shift;
        let mut exp = [0; 256];
        let mut difference = 0;
        while difference < 256 {
            if difference as i64 <= largest {
                exp[difference] = 2 * exp_negative(multiplier.apply(-(difference as i32)), 5) as u32;
            }
            difference += 1;
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

    /// One row.
    #[inline(always)]
    fn row<T: Element>(&self, input: impl Source<i8>, output: &[Cell<T>]) {
        let largest = Chosen::largest(input);
        let exp = |value: i8| self.exp[(largest - i32::from(value)) as usize & 255];
        let mut sum = 0_u32;
        // Halved first: twice an exp near 1 leaves no room for the rounding.
        input.visit(|value| sum = sum.wrapping_add(((exp(value) >> 1) + (1 << 11)) >> 12));
        let (mantissa, bits_over_unit) = reciprocal(sum, 12);
        // At least one element is 1, so that the sum is at least 1 and the exponent at least 0.
        let shift = (bits_over_unit as u32).wrapping_add(31 - 8 * size_of::<T>() as u32);
        if shift > 31 {
            // The sum is 512 or more, so that nothing reaches half a step of int8.
            input.map(output, |_| T::wrap(T::LEAST));
            return;
        }
        self.outputs(input, output, largest, (mantissa as u32).wrapping_mul(2), shift);
    }

    /// The last pass, for twice the reciprocal of the sum in Q0.32 and 1 ≤ `shift` ≤ 31. A function of its own, so that its
    /// loops have all registers.
    #[inline(never)]
    fn outputs<T: Element>(&self, input: impl Source<i8>, output: &[Cell<T>], largest: i32, factor: u32, shift: u32) {
        let exp = |value: i8| self.exp[(largest - i32::from(value)) as usize & 255];
        let exact = |exp: u32| T::wrap(rounded_product(exp, factor, shift, T::LEAST));
        let round = (1_u32 << (shift & 31)).wrapping_add(1);
        let down = (shift + 1) & 31;
        // Where the largest output leaves room for the rounding, the others do.
        if shift == 31 || high_product(self.exp[0], factor).checked_add(round).is_none() {
            map_groups(input, output, |value| exact(exp(value)));
        } else if !Chosen::HAS_LONG_PRODUCTS {
            let high_factor = factor >> 16;
            map_groups(input, output, |value| {
                let exp = exp(value);
                let low = ((exp >> 16) * high_factor).wrapping_add(round);
                let steps = low >> down;
                if low.wrapping_add(1 << 17) >> down == steps { T::wrap(steps as i32 + T::LEAST) } else { exact(exp) }
            });
        } else {
            map_groups(input, output, |value| {
                let steps = high_product(exp(value), factor).wrapping_add(round) >> down;
                T::wrap(steps as i32 + T::LEAST)
            });
        }
    }
}

/// Does what [`Source::map`] does, with four elements read at once where that is one instruction.
#[inline(always)]
fn map_groups<T>(input: impl Source<i8>, output: &[Cell<T>], function: impl Fn(i8) -> T) {
    if !Chosen::READS_WORDS {
        return input.map(output, function);
    }
    let (groups, rest) = input.groups::<4>();
    let (outputs, output_rest) = output.as_chunks::<4>();
    for (group, outputs) in groups.zip(outputs) {
        for (value, output) in group.into_iter().zip(outputs) {
            output.set(function(value));
        }
    }
    for (value, output) in rest.elements().zip(output_rest) {
        output.set(function(value));
    }
}

/// ⌊a·b / 2^32⌋.
#[inline(always)]
const fn high_product(a: u32, b: u32) -> u32 {
    ((a as u64 * b as u64) >> 32) as u32
}

/// The reference's two roundings one after the other, for 1 ≤ `shift` ≤ 31, above `least`. At most 1, which is one more
/// than the type has: 2^bits becomes 2^bits − 1.
#[inline(never)]
fn rounded_product(exp: u32, factor: u32, shift: u32, least: i32) -> i32 {
    let high = high_product(exp, factor);
    let product = (high >> 1) + (high & 1);
    let steps = product.wrapping_add((1_u32 << (shift & 31)) >> 1) >> (shift & 31);
    (steps as i32 + least).min(-1 - least)
}

/// Runs the softmax; input and output may be one.
///
/// The reference's bits, within 1 step of 1/256 of the real function; 1 is 127, what is below half a step −128. Rows of 64 take
/// 20 instructions per element on the M4, 22 on the M3, 54 on the M0, 33 on RV32.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn softmax(layer: &Softmax, mut tensors: impl Tensors<i8>) -> Result<(), ShapeError> {
    tensors.check(layer.len(), layer.len(), 0)?;
    let (input, output) = tensors.split();
    for (row, output) in output.chunks_exact(layer.columns.max(1)).enumerate() {
        layer.row(input.part(row * layer.columns, layer.columns), output);
    }
    Ok(())
}

/// Runs the softmax to int16 outputs, scale 2^−16, zero point −32768.
///
/// The reference's bits, within 2 steps of the real function; 1 is 32767, what is below half a step −32768. 19 instructions per element
/// on the M4, 22 on the M3, 94 on the M0, 32 on RV32.
///
/// # Errors
/// [`ShapeError::Length`].
pub fn softmax_to_int16(layer: &Softmax, input: &[i8], output: &mut [i16]) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.len(), input.len())?;
    ShapeError::check_length("the output", layer.len(), output.len())?;
    let columns = layer.columns.max(1);
    for (input, output) in input.chunks_exact(columns).zip(output.chunks_exact_mut(columns)) {
        layer.row(input, Cell::from_mut(output).as_slice_of_cells());
    }
    Ok(())
}

//! Squared difference of two tensors: y = clamp(z_out + M_o · (M_l · (l − z_l) · 2^h − M_r · (r − z_r) · 2^h)²), h = 7 for int8, 0
//! for int16, whose zero points are 0.
//!
//! - M_l, M_r from s_l, s_r over twice the larger of them; M_o from (twice the larger)² over 2^2h · s_out; all in f64.
//! - |term| ≤ 2^14 for both types, so that the square fits in i32. The terms of int8 are tables of the layer.
//! - Rounding: [`Multiplier::apply`] for each term and for the square.
//! - Held by: `squared_difference` golden; random tensors against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::{Pairing, Pairs};
use crate::Operands;
use crate::quantise::{Affine, Multiplier, OutputRange, clamp};

/// A squared difference of int8, checked; 1 KiB of tables.
#[derive(Clone, Copy, Debug)]
pub struct SquaredDifference<P = Pairing> {
    pairs: P,
    left: [i16; 256],
    right: [i16; 256],
    multiplier: Multiplier,
    output: OutputRange,
}

/// The terms of all values of an operand, indexed by the value as u8.
const fn terms(operand: Affine, twice: f64) -> [i16; 256] {
    let multiplier = Multiplier::from_f64(operand.scale as f64 / twice);
    let mut terms = [0; 256];
    let mut index = 0;
    while index < 256 {
        let value = index as u8 as i8 as i32 - operand.zero_point;
        terms[index] = multiplier.apply(value << 7) as i16;
        index += 1;
    }
    terms
}

impl<P: Pairs> SquaredDifference<P> {
    /// (left − right)².
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other or a zero point lies outside of int8.
    pub const fn new(pairs: P, left: Affine, right: Affine, output: Affine) -> Result<Self, ShapeError> {
        if let Err(error) = Affine::check_all(&[left, right, output], -128, 127) {
            return Err(error);
        }
        let twice = 2.0 * (if left.scale > right.scale { left.scale } else { right.scale }) as f64;
        let multiplier = match Multiplier::try_from_f64(twice * twice / ((1 << 14) as f64 * output.scale as f64)) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self {
            pairs,
            left: terms(left, twice),
            right: terms(right, twice),
            multiplier,
            output: OutputRange::int8(output.zero_point),
        })
    }
}

/// Runs the squared difference. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than the layer says, or they overlap where they must not.
pub fn squared_difference<P: Pairs>(
    layer: &SquaredDifference<P>,
    operands: impl Operands<i8>,
) -> Result<(), ShapeError> {
    layer.pairs.combine(operands, |left: i8, right: i8| {
        let difference =
            i32::from(layer.left[usize::from(left as u8)]) - i32::from(layer.right[usize::from(right as u8)]);
        layer.output.finish(layer.multiplier.apply(difference * difference)) as i8
    })
}

/// A squared difference of int16, checked.
#[derive(Clone, Copy, Debug)]
pub struct SquaredDifferenceInt16<P = Pairing> {
    pairs: P,
    left: Multiplier,
    right: Multiplier,
    multiplier: Multiplier,
}

impl<P: Pairs> SquaredDifferenceInt16<P> {
    /// (left − right)² of tensors with the given scales and zero point 0.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other.
    pub const fn new(pairs: P, left: f32, right: f32, output: f32) -> Result<Self, ShapeError> {
        let scales = [left, right, output];
        let mut index = 0;
        while index < 3 {
            if let Err(error) = Affine::new(scales[index], 0).check(0, 0) {
                return Err(error);
            }
            index += 1;
        }
        let twice = 2.0 * (if left > right { left } else { right }) as f64;
        let multiplier = match Multiplier::try_from_f64(twice * twice / output as f64) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        let (left, right) = (Multiplier::from_f64(left as f64 / twice), Multiplier::from_f64(right as f64 / twice));
        Ok(Self { pairs, left, right, multiplier })
    }
}

/// Runs the int16 squared difference. The output may take the place of an operand of its length.
///
/// # Errors
/// The errors are those of [`squared_difference`].
pub fn squared_difference_int16<P: Pairs>(
    layer: &SquaredDifferenceInt16<P>,
    operands: impl Operands<i16>,
) -> Result<(), ShapeError> {
    layer.pairs.combine(operands, |left: i16, right: i16| {
        let difference = layer.left.apply(left.into()).wrapping_sub(layer.right.apply(right.into()));
        clamp(layer.multiplier.apply(difference.wrapping_mul(difference)), -32768, 32767) as i16
    })
}

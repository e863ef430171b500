//! Comparisons of two tensors, element by element. The output is a tensor of truth values: `u8`, 1 where the comparison holds
//! and 0 elsewhere.
//!
//! - Plain: the stored integers are compared ([`compare`]). Right for integers without a scale, and where both operands have one.
//! - int8 of any scales ([`compare_int8`]): M_l · (l − z_l) · 2^8 against M_r · (r − z_r) · 2^8, M that of the operand's scale, each
//!   rounded by [`Multiplier::apply`], as the reference has it. Values closer than 2^−8 count as equal.
//! - Held by: random tensors against the oracle (tests/host/registry/conformance.rs).

use core::cell::Cell;

pub use smolnn_core::Comparison;
use smolnn_core::ShapeError;

use super::{Pairing, Pairs};
use crate::element::Element;
use crate::quantise::{Affine, Multiplier};

/// Compares the stored integers.
///
/// # Errors
/// [`ShapeError::Length`] when a tensor has another length than `pairs` says.
pub fn compare<T: Element, P: Pairs>(
    comparison: Comparison,
    pairs: &P,
    left: &[T],
    right: &[T],
    output: &mut [u8],
) -> Result<(), ShapeError> {
    check(pairs, left, right, output)?;
    pairs.walk(left, right, Cell::from_mut(output).as_slice_of_cells(), |left: T, right: T| {
        let (left, right): (i32, i32) = (left.into(), right.into());
        u8::from(comparison.holds(left.cmp(&right)))
    });
    Ok(())
}

fn check<T, P: Pairs>(pairs: &P, left: &[T], right: &[T], output: &[u8]) -> Result<(), ShapeError> {
    let [left_len, right_len, output_len] = pairs.lengths();
    ShapeError::check_length("the left operand", left_len, left.len())?;
    ShapeError::check_length("the right operand", right_len, right.len())?;
    ShapeError::check_length("the output", output_len, output.len())
}

/// A comparison of int8 tensors of any scales, checked.
#[derive(Clone, Copy, Debug)]
pub struct CompareInt8<P = Pairing> {
    pairs: P,
    comparison: Comparison,
    left: (Multiplier, i32),
    right: (Multiplier, i32),
}

impl<P: Pairs> CompareInt8<P> {
    /// Of the real values of both operands.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when a scale is not positive or 2^14 or more (the reference takes none from 1 on), or a zero point lies
    /// outside of int8.
    pub const fn new(pairs: P, comparison: Comparison, left: Affine, right: Affine) -> Result<Self, ShapeError> {
        let operands = [left, right];
        let mut index = 0;
        while index < 2 {
            if let Err(error) = operands[index].check(-128, 127) {
                return Err(error);
            }
            // 255 · 2^8 · 2^14 fits in i32.
            if operands[index].scale >= 16384.0 {
                return Err(ShapeError::Range("the scale of a compared tensor is not below 2^14"));
            }
            index += 1;
        }
        let left = (Multiplier::from_f64(left.scale as f64), left.zero_point);
        let right = (Multiplier::from_f64(right.scale as f64), right.zero_point);
        Ok(Self { pairs, comparison, left, right })
    }
}

/// Runs the comparison.
///
/// # Errors
/// [`ShapeError::Length`] when a tensor has another length than the layer says.
pub fn compare_int8<P: Pairs>(
    layer: &CompareInt8<P>,
    left: &[i8],
    right: &[i8],
    output: &mut [u8],
) -> Result<(), ShapeError> {
    check(&layer.pairs, left, right, output)?;
    let value =
        |(multiplier, zero_point): (Multiplier, i32), value: i8| multiplier.apply((i32::from(value) - zero_point) << 8);
    layer.pairs.walk(left, right, Cell::from_mut(output).as_slice_of_cells(), |left: i8, right: i8| {
        let order = value(layer.left, left).cmp(&value(layer.right, right));
        u8::from(layer.comparison.holds(order))
    });
    Ok(())
}

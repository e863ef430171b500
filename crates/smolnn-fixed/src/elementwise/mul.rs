//! Product of two tensors, int8 and int16: y = clamp(z_out + M · (l − z_l) · (r − z_r)), M that of s_l · s_r / s_out in f64.
//!
//! - int16: zero points are 0; |l · r| ≤ 2^30 fits in i32, as do int8's 255 · 255.
//! - A multiplier that shifts to the right by 22 places or fewer leaves room for the zero point in front of the shift, as in
//!   [`add`](super::add()): |product| ≤ 2^30 + 2^24 and |addend| ≤ 2^21 + 2^29 fit together. Others take the plain path.
//! - Rounding: [`Multiplier::apply`], once per output.
//! - Held by: `mul*` goldens through the importer; random tensors against f64 (tests/host/registry/elementwise.rs).

use smolnn_core::ShapeError;

use super::add::product_high;
use super::{Pairing, Pairs};
use crate::Operands;
use crate::backend::{Bodies, Chosen};
use crate::element::Element;
use crate::quantise::{Affine, Multiplier, OutputRange, clamp};

/// A product, checked.
#[derive(Clone, Copy, Debug)]
pub struct Mul<P = Pairing> {
    pub(crate) pairs: P,
    pub(crate) left_zero_point: i32,
    pub(crate) right_zero_point: i32,
    pub(crate) multiplier: Multiplier,
    pub(crate) output: OutputRange,
}

impl<P: Pairs> Mul<P> {
    /// left · right; `output` gives zero point and range of the output, `output_scale` its scale.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other or a zero point outside of int8 (which int16 leaves 0).
    pub const fn new(
        pairs: P,
        left: Affine,
        right: Affine,
        output_scale: f32,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = Affine::check_all(&[left, right, Affine::new(output_scale, output.zero_point)], -128, 127) {
            return Err(error);
        }
        let factor = left.scale as f64 * right.scale as f64 / output_scale as f64;
        let multiplier = match Multiplier::try_from_f64(factor) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self { pairs, left_zero_point: left.zero_point, right_zero_point: right.zero_point, multiplier, output })
    }
}

/// Runs the product. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than the layer says, or they overlap where they must not.
#[inline(always)]
pub fn mul<T: Element, P: Pairs>(layer: &Mul<P>, operands: impl Operands<T>) -> Result<(), ShapeError> {
    Chosen::mul(layer, operands)
}

/// The product in the loop that its multiplier allows.
// Inlined, so that of a constant layer the loops that it does not take are not linked.
#[inline(always)]
pub(crate) fn mul_portable<T: Element, P: Pairs>(layer: &Mul<P>, operands: impl Operands<T>) -> Result<(), ShapeError> {
    let OutputRange { minimum, maximum, .. } = layer.output;
    match (layer.multiplier.shift, minimum != T::LEAST || maximum != T::LARGEST) {
        (-22..=-1, false) if T::LARGEST <= i16::MAX.into() => mul_shifted::<T, P, false>(layer, operands),
        (-22..=-1, true) if T::LARGEST <= i16::MAX.into() => mul_shifted::<T, P, true>(layer, operands),
        _ => mul_plain(layer, operands),
    }
}

/// Products with the zero point in front of the right shift. Without `CLAMPS` the clamp is that of the type, which needs no registers.
#[inline(never)]
fn mul_shifted<T: Element, P: Pairs, const CLAMPS: bool>(
    layer: &Mul<P>,
    operands: impl Operands<T>,
) -> Result<(), ShapeError> {
    let Mul { left_zero_point, right_zero_point, multiplier, ref output, .. } = *layer;
    let right_shift = multiplier.shift.wrapping_neg() as u32 & 31;
    let addend = ((1_i32 << right_shift) >> 1).wrapping_add(output.zero_point << right_shift);
    let (minimum, maximum) = if CLAMPS { (output.minimum, output.maximum) } else { (T::LEAST, T::LARGEST) };
    layer.pairs.combine(operands, |left, right| {
        let (left, right): (i32, i32) = (left.into(), right.into());
        let product = (left - left_zero_point).wrapping_mul(right - right_zero_point);
        // Twice a product of int16 may need 33 bits.
        let high = if T::LARGEST <= u8::MAX.into() {
            product_high(product.wrapping_mul(2), multiplier.mantissa)
        } else {
            ((i64::from(product) * i64::from(multiplier.mantissa) + (1 << 30)) >> 31) as i32
        };
        // Halves away from zero: half up, and one less below 0.
        T::wrap(clamp(high.wrapping_add(high >> 31).wrapping_add(addend) >> right_shift, minimum, maximum))
    })
}

/// The product by the specification, which any layer may take.
#[inline(never)]
fn mul_plain<T: Element, P: Pairs>(layer: &Mul<P>, operands: impl Operands<T>) -> Result<(), ShapeError> {
    layer.pairs.combine(operands, |left, right| {
        let (left, right): (i32, i32) = (left.into(), right.into());
        let product = (left - layer.left_zero_point).wrapping_mul(right - layer.right_zero_point);
        T::wrap(layer.output.finish(layer.multiplier.apply(product)))
    })
}

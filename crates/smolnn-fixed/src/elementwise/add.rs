//! Sum and difference of two tensors: y = clamp(z_out + M_o · (M_l · (l − z_l) · 2^h ± M_r · (r − z_r) · 2^h)), h = 20 for
//! int8, 15 for int16; M_l, M_r from s_l, s_r over twice the larger of them, M_o from twice the larger over 2^h · s_out.
//!
//! - int8: the operand with the larger scale has the factor one half, exactly, so that it is a shift; the other one's 256
//!   possible terms are a table in the layer. One multiply-accumulate and one requantisation are left per element.
//!   Terms are kept doubled: |2 · sum| ≤ 2 · 2 · 255 · 2^19 < 2^29, so that the product's high word is the rounded result.
//! - int16: zero points are 0; the larger scale's operand is a shift here too.
//! - An output scale far from the operands' leaves no room for the zero point in front of the right shift, or shifts left: such
//!   sums take the plain path, [`Multiplier::apply`] and the zero point after it.
//! - Rounding: [`Multiplier::apply`] for each term and for the sum.
//! - Held by: `add*`, `sub*` goldens; random tensors against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use super::{Pairing, Pairs};
use crate::Operands;
use crate::backend::{Bodies, Chosen};
use crate::quantise::{Affine, FusedActivation, Multiplier, OutputRange, clamp};

/// The multipliers of both operands and of the sum.
const fn multipliers(left: f32, right: f32, output: f32, shift: u32) -> Result<[Multiplier; 3], ShapeError> {
    let (left, right) = (left as f64, right as f64);
    let twice = 2.0 * if left > right { left } else { right };
    let unit = (1_u64 << shift) as f64;
    match Multiplier::try_from_f64(twice / (unit * output as f64)) {
        Ok(sum) => Ok([Multiplier::from_f64(left / twice), Multiplier::from_f64(right / twice), sum]),
        Err(error) => Err(error),
    }
}

/// An int8 sum or difference, checked; 1 KiB of table.
#[derive(Clone, Copy, Debug)]
pub struct Add<P = Pairing> {
    pub(crate) pairs: P,
    /// ±2^20 for the operand with the larger scale.
    pub(crate) factor: i32,
    /// Twice the term of the other operand's value (as u8), the larger one's zero point included.
    pub(crate) table: [i32; 256],
    /// Whether the table belongs to the left operand.
    pub(crate) table_is_left: bool,
    pub(crate) multiplier: Multiplier,
    /// At most 22, so that the zero point shifted left fits; 0 on the plain path.
    right_shift: u32,
    /// One half of the output's last place, and the zero point, in units before the right shift.
    addend: i32,
    pub(crate) output: OutputRange,
}

impl<P: Pairs> Add<P> {
    /// left + right.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when a scale is not positive, a zero point lies outside of int8, or the output's scale is below 2^−49 of
    /// the larger of the operands'.
    pub const fn new(
        pairs: P,
        left: Affine,
        right: Affine,
        output: Affine,
        activation: FusedActivation,
    ) -> Result<Self, ShapeError> {
        Self::with_sign(pairs, left, right, output, activation, 1)
    }

    /// left − right.
    ///
    /// # Errors
    /// The errors are those of [`Add::new`].
    pub const fn subtraction(
        pairs: P,
        left: Affine,
        right: Affine,
        output: Affine,
        activation: FusedActivation,
    ) -> Result<Self, ShapeError> {
        Self::with_sign(pairs, left, right, output, activation, -1)
    }

    const fn with_sign(
        pairs: P,
        left: Affine,
        right: Affine,
        output: Affine,
        activation: FusedActivation,
        sign: i32,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = Affine::check_all(&[left, right, output], -128, 127) {
            return Err(error);
        }
        let [left_multiplier, right_multiplier, multiplier] =
            match multipliers(left.scale, right.scale, output.scale, 20) {
                Ok(multipliers) => multipliers,
                Err(error) => return Err(error),
            };
        let right_shift = match multiplier.shift {
            -22..=-1 => -multiplier.shift as u32,
            _ => 0,
        };
        let range = activation.range(output.scale, output.zero_point, -128, 127);
        let table_is_left = left.scale < right.scale;
        let (table_sign, factor_sign) = if table_is_left { (1, sign) } else { (sign, 1) };
        let (small, large, small_multiplier) =
            if table_is_left { (left, right, left_multiplier) } else { (right, left, right_multiplier) };
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let value = index as u8 as i8 as i32;
            let term = small_multiplier.apply((value - small.zero_point) << 20);
            table[index] = 2 * (table_sign * term - factor_sign * (large.zero_point << 19));
            index += 1;
        }
        Ok(Self {
            pairs,
            factor: factor_sign << 20,
            table,
            table_is_left,
            multiplier,
            right_shift,
            addend: ((1 << right_shift) >> 1) + (output.zero_point << right_shift),
            output: range,
        })
    }

    /// Twice the sum of both terms.
    #[inline(always)]
    fn doubled(&self, tabled: i8, scaled: i8) -> i32 {
        self.table[usize::from(tabled as u8)].wrapping_add(i32::from(scaled).wrapping_mul(self.factor))
    }

    /// The output before its clamp. |high| < 2^28 and |addend| < 2^30.
    #[inline(always)]
    fn element(&self, tabled: i8, scaled: i8) -> i32 {
        let high = product_high(self.doubled(tabled, scaled), self.multiplier.mantissa);
        // Halves away from zero: half up, and one less below 0.
        high.wrapping_add(high >> 31).wrapping_add(self.addend) >> (self.right_shift & 31)
    }
}

/// Runs the sum. The output may take the place of an operand of its length.
///
/// # Errors
/// [`ShapeError`] when a tensor has another length than the layer says, or they overlap where they must not.
// Inlined, so that of a constant layer the path that it does not take is not linked.
#[inline(always)]
pub fn add<P: Pairs>(layer: &Add<P>, operands: impl Operands<i8>) -> Result<(), ShapeError> {
    if layer.right_shift == 0 { add_plain(layer, operands) } else { Chosen::add(layer, operands) }
}

/// Sums with the zero point in front of the right shift.
#[inline(never)]
pub(crate) fn add_shifted<P: Pairs>(layer: &Add<P>, operands: impl Operands<i8>) -> Result<(), ShapeError> {
    let element = |tabled, scaled| layer.element(tabled, scaled);
    let OutputRange { minimum, maximum, .. } = layer.output;
    let clamped = |value| clamp(value, minimum, maximum) as i8;
    // Without an activation the clamp needs no registers, and few have them to spare.
    let saturated = |value| clamp(value, -128, 127) as i8;
    match (layer.table_is_left, minimum == -128 && maximum == 127) {
        (true, true) => layer.pairs.combine(operands, |left, right| saturated(element(left, right))),
        (false, true) => layer.pairs.combine(operands, |left, right| saturated(element(right, left))),
        (true, false) => layer.pairs.combine(operands, |left, right| clamped(element(left, right))),
        (false, false) => layer.pairs.combine(operands, |left, right| clamped(element(right, left))),
    }
}

/// Sums that leave no room for the zero point in front of the right shift. A function of its own, so that the loops above have all
/// registers.
#[inline(never)]
fn add_plain<P: Pairs>(layer: &Add<P>, operands: impl Operands<i8>) -> Result<(), ShapeError> {
    let element =
        |tabled, scaled| layer.output.finish(layer.multiplier.apply(layer.doubled(tabled, scaled) >> 1)) as i8;
    layer.pairs.combine(
        operands,
        |left, right| {
            if layer.table_is_left { element(left, right) } else { element(right, left) }
        },
    )
}

/// An int16 sum or difference, checked.
#[derive(Clone, Copy, Debug)]
pub struct AddInt16<P = Pairing> {
    pub(crate) pairs: P,
    /// Whether the left operand is the one with the smaller scale.
    pub(crate) small_is_left: bool,
    /// ±2^15 for the operand with the larger scale.
    pub(crate) factor: i32,
    /// ±1.
    pub(crate) small_sign: i32,
    pub(crate) small: Multiplier,
    /// Of the sum; shifts that are not to the right take the plain path.
    pub(crate) multiplier: Multiplier,
    pub(crate) output: OutputRange,
}

impl<P: Pairs> AddInt16<P> {
    /// left + right, or left − right if `subtract`, of tensors with the given scales and zero point 0.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when a scale is not positive, or the output's is below 2^−44 of the larger operand's.
    pub const fn new(
        pairs: P,
        left: f32,
        right: f32,
        output: f32,
        activation: FusedActivation,
        subtract: bool,
    ) -> Result<Self, ShapeError> {
        let scales = [left, right, output];
        let mut index = 0;
        while index < 3 {
            if let Err(error) = Affine::new(scales[index], 0).check(0, 0) {
                return Err(error);
            }
            index += 1;
        }
        let [left_multiplier, right_multiplier, multiplier] = match multipliers(left, right, output, 15) {
            Ok(multipliers) => multipliers,
            Err(error) => return Err(error),
        };
        let sign = if subtract { -1 } else { 1 };
        let small_is_left = left < right;
        Ok(Self {
            pairs,
            small_is_left,
            factor: (if small_is_left { sign } else { 1 }) << 15,
            small_sign: if small_is_left { 1 } else { sign },
            small: if small_is_left { left_multiplier } else { right_multiplier },
            multiplier,
            output: activation.range(output, 0, i16::MIN as i32, i16::MAX as i32),
        })
    }

    /// Twice the sum of both terms.
    #[inline(always)]
    fn doubled(&self, small: i16, large: i16) -> i32 {
        // Twice the terms: the larger operand's is l · 2^15, and |2·sum| ≤ 2^31 − 2^15 but for −2^31, which fits.
        let small = product_high(i32::from(small) << 16, self.small.mantissa);
        let small = round_away(small, -self.small.shift as u32);
        i32::from(large).wrapping_mul(self.factor).wrapping_add(small.wrapping_mul(2 * self.small_sign))
    }

    /// The output before its clamp.
    #[inline(always)]
    fn element(&self, small: i16, large: i16) -> i32 {
        let high = product_high(self.doubled(small, large), self.multiplier.mantissa);
        // Halves away from zero: half up, and one less below 0. The shift is 1 at least.
        let shift = -self.multiplier.shift as u32 & 31;
        let half = (1_i32 << shift) >> 1;
        high.wrapping_add(high >> 31).wrapping_add(half) >> shift
    }
}

/// (`doubled` · `mantissa` + 2^31) >> 32, of a mantissa that is not negative.
#[inline(always)]
pub(super) fn product_high(doubled: i32, mantissa: i32) -> i32 {
    if Chosen::HAS_LONG_PRODUCTS || cfg!(smolnn_optimize = "size") {
        ((i64::from(doubled) * i64::from(mantissa) + (1 << 31)) >> 32) as i32
    } else {
        product_high_of_halves(doubled, mantissa)
    }
}

/// [`product_high`] of four products of 16 bits, where one of 64 bits is a call.
#[inline(always)]
fn product_high_of_halves(doubled: i32, mantissa: i32) -> i32 {
    let [(high, low), (factor_high, factor_low)] = [doubled, mantissa].map(|value| (value >> 16, value & 0xFFFF));
    let (left, right) = (high.wrapping_mul(factor_low), low.wrapping_mul(factor_high));
    let lowest = (low.wrapping_mul(factor_low) as u32 >> 16) as i32;
    let carried = (left & 0xFFFF).wrapping_add(right & 0xFFFF).wrapping_add(lowest).wrapping_add(1 << 15) >> 16;
    high.wrapping_mul(factor_high).wrapping_add(left >> 16).wrapping_add(right >> 16).wrapping_add(carried)
}

/// `value` / 2^`shift` to nearest, halves away from zero, for |value| ≤ 2^30 and shifts of 0..=31.
#[inline(always)]
fn round_away(value: i32, shift: u32) -> i32 {
    let half = (1_u32 << (shift & 31)) >> 1;
    // Half up, and one less below 0 – unless nothing is shifted.
    let below = (value >> 31) & -i32::from(shift > 0);
    value.wrapping_add(below).wrapping_add(half as i32) >> (shift & 31)
}

/// Runs the int16 sum. The output may take the place of an operand of its length.
///
/// # Errors
/// The errors are those of [`add`].
// Inlined, so that of a constant layer the paths that it does not take are not linked.
#[inline(always)]
pub fn add_int16<P: Pairs>(layer: &AddInt16<P>, operands: impl Operands<i16>) -> Result<(), ShapeError> {
    if layer.multiplier.shift < 0 { Chosen::add_int16(layer, operands) } else { add_plain_int16(layer, operands) }
}

/// Sums whose multiplier is a shift to the right.
#[inline(always)]
pub(crate) fn add_shifted_int16<P: Pairs>(layer: &AddInt16<P>, operands: impl Operands<i16>) -> Result<(), ShapeError> {
    match (layer.small_is_left, layer.output != OutputRange::int16()) {
        (false, false) => add_shifted_int16_as::<P, false, false>(layer, operands),
        (false, true) => add_shifted_int16_as::<P, false, true>(layer, operands),
        (true, false) => add_shifted_int16_as::<P, true, false>(layer, operands),
        (true, true) => add_shifted_int16_as::<P, true, true>(layer, operands),
    }
}

/// The loop of [`add_shifted_int16`]: `SMALL_LEFT` says whose scale is the smaller one, `CLAMPS` whether there is an activation.
#[inline(never)]
fn add_shifted_int16_as<P: Pairs, const SMALL_LEFT: bool, const CLAMPS: bool>(
    layer: &AddInt16<P>,
    operands: impl Operands<i16>,
) -> Result<(), ShapeError> {
    // As in [`add_shifted`]: without an activation the clamp needs no registers.
    let OutputRange { minimum, maximum, .. } = if CLAMPS { layer.output } else { OutputRange::int16() };
    layer.pairs.combine(operands, |left, right| {
        let (small, large) = if SMALL_LEFT { (left, right) } else { (right, left) };
        clamp(layer.element(small, large), minimum, maximum) as i16
    })
}

/// Sums whose output has a scale far below the operands'.
#[inline(never)]
fn add_plain_int16<P: Pairs>(layer: &AddInt16<P>, operands: impl Operands<i16>) -> Result<(), ShapeError> {
    let element = |small, large| layer.output.finish(layer.multiplier.apply(layer.doubled(small, large) >> 1)) as i16;
    layer.pairs.combine(
        operands,
        |left, right| {
            if layer.small_is_left { element(left, right) } else { element(right, left) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::product_high_of_halves;

    #[test]
    fn products_of_halves_are_those_of_64_bits() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state ^ state >> 15) as i32
        };
        let edges = [0, 1, -1, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, -0x8000, -0x1_0000, i32::MAX, i32::MIN, i32::MIN + 1];
        for index in 0..1_000_000 {
            let doubled = edges.get(index % 24).copied().unwrap_or_else(&mut random);
            let mantissa = edges.get(index / 24 % 24).copied().unwrap_or_else(&mut random) & i32::MAX;
            let expected = ((i64::from(doubled) * i64::from(mantissa) + (1 << 31)) >> 32) as i32;
            assert_eq!(product_high_of_halves(doubled, mantissa), expected, "{doubled} · {mantissa}");
        }
    }
}

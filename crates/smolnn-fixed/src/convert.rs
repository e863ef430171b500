//! Between real and quantised tensors, between quantisations, and between types: QUANTIZE, DEQUANTIZE and CAST. Integers are int8, uint8,
//! int16 and int32.
//!
//! - f32 → int: clamp(z + round(x / s)), the quotient in f32, halves away from zero; NaN gives the zero point.
//! - int → f32: s · (q − z), rounded once.
//! - int → int: clamp(z_out + M · (q − z_in)), M the multiplier of s_in / s_out ([`Multiplier::apply`]).
//! - CAST knows no scale: integers lose upper bits, reals are cut towards 0 and saturate, NaN becomes 0, and what is not 0 is true.
//! - Held by: `quantize_*`, `dequantize_*` goldens; random values against the oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use crate::element::Element;
use crate::quantise::{Affine, Multiplier, clamp};

/// The scale, hidden from the optimiser. Where it is a constant power of two, LLVM 22 merges it with the conversion between float and
/// integer into Helium's VCVT with fraction bits, and names a register in place of their number where another constant has the same value:
/// wrong results on Cortex-M55 (`dequantize_i8_0` showed it).
fn hidden(scale: f32) -> f32 {
    core::hint::black_box(scale)
}

/// Quantises real values.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn quantise<T: Element>(quantisation: Affine, input: &[f32], output: &mut [T]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    let scale = hidden(quantisation.scale);
    for (&value, result) in input.iter().zip(output) {
        let steps = value / scale;
        // `as` truncates and saturates. Beyond 2^23 there are no fractions, and the clamp decides anyway.
        let whole = steps as i32;
        let rest = steps - whole as f32;
        let whole = whole.saturating_add(i32::from(rest >= 0.5)).saturating_sub(i32::from(rest <= -0.5));
        *result = T::wrap(clamp(whole.saturating_add(quantisation.zero_point), T::LEAST, T::LARGEST));
    }
    Ok(())
}

/// The real values of a quantised tensor.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn dequantise<T: Element>(quantisation: Affine, input: &[T], output: &mut [f32]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    let scale = hidden(quantisation.scale);
    for (&value, result) in input.iter().zip(output) {
        *result = scale * value.into().wrapping_sub(quantisation.zero_point) as f32;
    }
    Ok(())
}

/// From one quantisation to another, checked.
#[derive(Clone, Copy, Debug)]
pub struct Requantise {
    multiplier: Multiplier,
    input_zero_point: i32,
    output_zero_point: i32,
}

impl Requantise {
    /// From `input` to `output`.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other or a zero point lies outside of int16.
    pub const fn new(input: Affine, output: Affine) -> Result<Self, ShapeError> {
        if let Err(error) = input.check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        if let Err(error) = output.check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        let multiplier = match Multiplier::try_from_f64(input.scale as f64 / output.scale as f64) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        Ok(Self { multiplier, input_zero_point: input.zero_point, output_zero_point: output.zero_point })
    }

    /// The output for one input value, before it is clamped to its type.
    #[inline]
    pub const fn apply(&self, value: i32) -> i32 {
        self.multiplier.apply(value.wrapping_sub(self.input_zero_point)).saturating_add(self.output_zero_point)
    }
}

/// Requantises a tensor. For int8 to int8 a lookup table does the same with fewer instructions.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn requantise<A: Element, B: Element>(layer: &Requantise, input: &[A], output: &mut [B]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    for (&value, result) in input.iter().zip(output) {
        *result = B::wrap(clamp(layer.apply(value.into()), B::LEAST, B::LARGEST));
    }
    Ok(())
}

/// A number that CAST turns into a `To`.
pub trait CastTo<To>: Copy {
    /// The number in the other type.
    fn cast(self) -> To;
}

macro_rules! casts {
    ($($From:ty)* => $targets:tt) => { $(casts!(@ $From => $targets);)* };
    (@ $From:ty => [$($To:ty)*]) => {
        $(impl CastTo<$To> for $From {
            #[inline(always)]
            fn cast(self) -> $To {
                self as $To
            }
        })*
    };
}

casts!(i8 u8 i16 i32 f32 => [i8 u8 i16 i32 f32]);

/// Numbers of another type, without rescaling: `as` of every element.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn cast<A: CastTo<B>, B>(input: &[A], output: &mut [B]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    for (value, result) in input.iter().zip(output) {
        *result = value.cast();
    }
    Ok(())
}

/// Numbers as truth values: 1 for what is not 0.
///
/// # Errors
/// [`ShapeError::Length`] when the slices differ in length.
pub fn cast_to_bool<A: Copy + Default + PartialEq>(input: &[A], output: &mut [u8]) -> Result<(), ShapeError> {
    ShapeError::check_length("the output", input.len(), output.len())?;
    for (&value, result) in input.iter().zip(output) {
        *result = u8::from(value != A::default());
    }
    Ok(())
}

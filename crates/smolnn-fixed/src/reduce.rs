//! Mean, sum and maximum over axes, int8 and int16: the input is outer × reduced × inner, the output outer × inner. The mean over height
//! and width of NHWC has outer = batch, reduced = height · width, inner = channels; over the channels inner is 1.
//!
//! - y = clamp(z_out + M' · (Σ x − n · z_in)), n = reduced; the division by n lies in the multiplier: with M the multiplier
//!   of s_in / s_out, h = min(⌊log2 n⌋, 32, 31 + shift): mantissa' = ⌊mantissa · 2^h / n⌋, shift' = shift − h.
//! - Maximum: the largest x, one scale in and out. Sum, of one scale in and out: y = clamp(z_out + Σ x − n · z_in).
//! - Sums are i32: n < 2^15, which the constructor checks, keeps |Σ x − n · z| below 2^31.
//! - Rounding: [`Multiplier::apply`], once per output.
//! - Held by: `mean_*`, `reduce_max` goldens, random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use crate::element::Element;
use crate::quantise::{Affine, Multiplier, OutputRange, clamp};
use crate::tensors::{Source, Tensors};

/// A mean, checked.
#[derive(Clone, Copy, Debug)]
pub struct Mean {
    outer: usize,
    reduced: usize,
    inner: usize,
    multiplier: Multiplier,
    input_zero_point: i32,
    output: OutputRange,
}

impl Mean {
    /// The mean over the middle axis of outer × reduced × inner. `output` gives zero point and range of the output,
    /// `output_scale` its scale.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or too large, or the scales or zero points are none or do not fit each other.
    pub const fn new(
        (outer, reduced, inner): (usize, usize, usize),
        input: Affine,
        output_scale: f32,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        if outer == 0 || reduced == 0 || inner == 0 {
            return Err(ShapeError::Zero("a length of the mean"));
        }
        if reduced >= 1 << 15 {
            return Err(ShapeError::Range("the mean is over 2^15 elements or more"));
        }
        let Some(length) = outer.checked_mul(reduced) else { return Err(ShapeError::TooLarge) };
        match length.checked_mul(inner) {
            Some(length) if length < 1 << 31 => {}
            _ => return Err(ShapeError::TooLarge),
        }
        if let Err(error) = input.check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        if let Err(error) = Affine::new(output_scale, output.zero_point).check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        let whole = match Multiplier::try_from_f64(input.scale as f64 / output_scale as f64) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        let mut left = (usize::BITS - 1 - reduced.leading_zeros()) as i32;
        if left > 31 + whole.shift {
            left = 31 + whole.shift;
        }
        let multiplier = Multiplier {
            mantissa: (((whole.mantissa as i64) << left) / reduced as i64) as i32,
            shift: whole.shift - left,
        };
        Ok(Self { outer, reduced, inner, multiplier, input_zero_point: input.zero_point, output })
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.outer * self.reduced * self.inner
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.outer * self.inner
    }

    /// The least distance from the output's first element to the input's when they overlap.
    pub const fn overlap_gap(&self) -> usize {
        self.inner
    }
}

/// Runs the mean.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn mean<T: Element>(layer: &Mean, mut tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    tensors.check(layer.input_len(), layer.output_len(), layer.overlap_gap())?;
    let offset = (layer.reduced as i32).wrapping_mul(layer.input_zero_point).wrapping_neg();
    let (input, output) = tensors.split();
    for (index, result) in output.chunks_exact(layer.inner.max(1)).enumerate() {
        let input = input.part(index * layer.reduced * layer.inner, layer.reduced * layer.inner);
        for (index, result) in result.iter().enumerate() {
            let mut sum = offset;
            let mut at = index;
            for _ in 0..layer.reduced {
                sum = sum.wrapping_add(input.at(at).map_or(0, Into::into));
                at += layer.inner;
            }
            result.set(T::wrap(layer.output.finish(layer.multiplier.apply(sum))));
        }
    }
    Ok(())
}

/// Lengths of a reduction: the middle axis of outer × reduced × inner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduction {
    outer: usize,
    reduced: usize,
    inner: usize,
}

impl Reduction {
    /// Of the given lengths.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or their product too large.
    pub const fn new(outer: usize, reduced: usize, inner: usize) -> Result<Self, ShapeError> {
        if outer == 0 || reduced == 0 || inner == 0 {
            return Err(ShapeError::Zero("a length of the reduction"));
        }
        let Some(length) = outer.checked_mul(reduced) else { return Err(ShapeError::TooLarge) };
        match length.checked_mul(inner) {
            Some(length) if length < 1 << 31 => Ok(Self { outer, reduced, inner }),
            _ => Err(ShapeError::TooLarge),
        }
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.outer * self.reduced * self.inner
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.outer * self.inner
    }

    /// The least distance from the output's first element to the input's when they overlap.
    pub const fn overlap_gap(&self) -> usize {
        self.inner
    }

    /// Gathers from `start` on, and finishes each output.
    #[inline(always)]
    fn run<T: Element>(
        &self,
        mut tensors: impl Tensors<T>,
        start: i32,
        gather: impl Fn(i32, i32) -> i32,
        finish: impl Fn(i32) -> i32,
    ) -> Result<(), ShapeError> {
        tensors.check(self.input_len(), self.output_len(), self.overlap_gap())?;
        let (input, output) = tensors.split();
        for (index, result) in output.chunks_exact(self.inner.max(1)).enumerate() {
            let input = input.part(index * self.reduced * self.inner, self.reduced * self.inner);
            for (index, result) in result.iter().enumerate() {
                let mut gathered = start;
                let mut at = index;
                for _ in 0..self.reduced {
                    gathered = gather(gathered, input.at(at).map_or(start, Into::into));
                    at += self.inner;
                }
                result.set(T::wrap(finish(gathered)));
            }
        }
        Ok(())
    }
}

/// The largest element along the middle axis.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the shape says, or overlap where they must not.
pub fn reduce_max<T: Element>(shape: &Reduction, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    shape.run(tensors, T::LEAST, |most, value| if value > most { value } else { most }, |most| most)
}

/// The sum along the middle axis, of one scale and zero point in and out. Sums whose scales differ are unreliable in the
/// references, so that there is none.
///
/// # Errors
/// As [`reduce_max`].
pub fn reduce_sum<T: Element>(shape: &Reduction, zero_point: i32, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    let offset = (shape.reduced as i32 - 1).wrapping_mul(zero_point);
    let add = |sum: i32, value: i32| sum.wrapping_add(value);
    shape.run(tensors, 0, add, |sum| clamp(sum.wrapping_sub(offset), T::LEAST, T::LARGEST))
}

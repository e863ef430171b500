//! Mean, sum, minimum and maximum over any axes, of int8, int16 and truth values.
//!
//! - Sum: y = clamp(z_out + M · (Σ x − n · z_in)) over the n elements along the axes, M the multiplier of s_in / s_out in f64.
//! - Mean: as the sum; the division by n lies in the multiplier: h = min(⌊log2 n⌋, 32, 31 + shift), mantissa' = ⌊mantissa · 2^h / n⌋,
//!   shift' = shift − h.
//! - Minimum and maximum compare stored integers: input and output have one scale and zero point. Of truth values, 0 and 1, the
//!   minimum says whether all are true and the maximum whether any is.
//! - Sums are i32: n < 2^23, which the constructors check, keeps |Σ x − n · z| below 2^31 for int8; int16 sums wrap from 2^15 elements
//!   on, as the reference's do.
//! - Rounding: [`Multiplier::apply`], once per output.
//! - Held by: `mean_*`, `sum_hw`, `reduce_max` goldens, random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::ShapeError;

use crate::element::Element;
use crate::quantise::{Affine, Multiplier, OutputRange};
use crate::tensors::{Source, Tensors};

/// Groups of axes on either side: those that are kept, and those that are reduced.
const GROUPS: usize = 3;

/// Neighbouring axes that are walked as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// Indices.
    length: usize,
    /// Elements of the input from one index to the next.
    stride: usize,
}

const NONE: Span = Span { length: 1, stride: 0 };

/// The axes of a tensor that are reduced, and those that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduction {
    /// The innermost group last.
    kept: [Span; GROUPS],
    /// The innermost group last.
    reduced: [Span; GROUPS],
}

impl Reduction {
    /// The middle axis of outer × reduced × inner. Height and width of NHWC have outer = batch, reduced = height · width,
    /// inner = channels; over the channels inner is 1.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or their product too large.
    pub const fn new(outer: usize, reduced: usize, inner: usize) -> Result<Self, ShapeError> {
        Self::over(&[outer, reduced, inner], &[1])
    }

    /// The given axes, counted from 0, of a tensor with the given shape, in any order. Neighbours that are both reduced or both
    /// kept are walked as one.
    ///
    /// # Errors
    /// [`ShapeError`] when a length is 0 or their product too large, the tensor has no such axis, 2^23 elements or more become
    /// one, or reduced and kept axes alternate more than five times.
    pub const fn over(shape: &[usize], axes: &[usize]) -> Result<Self, ShapeError> {
        let mut index = 0;
        while index < axes.len() {
            if axes[index] >= shape.len() {
                return Err(ShapeError::Range("an axis that the tensor does not have"));
            }
            index += 1;
        }
        let mut groups = [[NONE; GROUPS]; 2];
        let mut free = [GROUPS; 2];
        let mut stride = 1_usize;
        let mut axis = shape.len();
        // Whether the axis behind the current one is reduced.
        let mut behind = None;
        while axis > 0 {
            axis -= 1;
            let length = shape[axis];
            if length == 0 {
                return Err(ShapeError::Zero("a length of the reduction"));
            }
            if length == 1 {
                continue;
            }
            let side = is_among(axis, axes) as usize;
            match behind {
                Some(last) if last == side => {}
                _ if free[side] == 0 => {
                    return Err(ShapeError::Range("reduced and kept axes alternate more than five times"));
                }
                _ => {
                    free[side] -= 1;
                    groups[side][free[side]].stride = stride;
                }
            }
            behind = Some(side);
            stride = match stride.checked_mul(length) {
                Some(stride) if stride < 1 << 31 => stride,
                _ => return Err(ShapeError::TooLarge),
            };
            groups[side][free[side]].length *= length;
        }
        let [kept, reduced] = groups;
        let reduction = Self { kept, reduced };
        if reduction.count() >= 1 << 23 {
            return Err(ShapeError::Range("the reduction is over 2^23 elements or more"));
        }
        Ok(reduction)
    }

    /// Elements that become one.
    pub const fn count(&self) -> usize {
        self.reduced[0].length * self.reduced[1].length * self.reduced[2].length
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.output_len() * self.count()
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.kept[0].length * self.kept[1].length * self.kept[2].length
    }

    /// The least distance from the output's first element to the input's when they overlap. Output o reads nothing in front of input
    /// o, and later outputs read nothing in front of o + 1, so that both may start at one place.
    pub const fn overlap_gap(&self) -> usize {
        0
    }

    /// Gathers from `start` on, and finishes each output.
    #[inline(always)]
    fn run<T: Element>(
        &self,
        mut tensors: impl Tensors<T>,
        start: i32,
        gather: impl Fn(i32, i32) -> i32 + Copy,
        finish: impl Fn(i32) -> i32 + Copy,
    ) -> Result<(), ShapeError> {
        tensors.check(self.input_len(), self.output_len(), self.overlap_gap())?;
        let (input, output) = tensors.split();
        let [outer, middle, inner] = self.kept;
        let mut rows = output.chunks_exact(inner.length.max(1));
        for outer_index in 0..outer.length {
            for (middle_index, row) in (0..middle.length).zip(&mut rows) {
                let mut at = outer_index * outer.stride + middle_index * middle.stride;
                let mut rest = row;
                if inner.stride == 1 {
                    // Neighbouring outputs read neighbouring inputs: four at once.
                    let (groups, remaining) = row.as_chunks::<4>();
                    for group in groups {
                        let gathered: [i32; 4] = self.gather(input, at, start, gather);
                        for (output, gathered) in group.iter().zip(gathered) {
                            output.set(T::wrap(finish(gathered)));
                        }
                        at += 4;
                    }
                    rest = remaining;
                }
                for output in rest {
                    let [gathered] = self.gather(input, at, start, gather);
                    output.set(T::wrap(finish(gathered)));
                    at += inner.stride;
                }
            }
        }
        Ok(())
    }

    /// Gathers what becomes of `N` neighbouring outputs, the inputs of the first of which start at `first`.
    #[inline(always)]
    fn gather<T: Element, const N: usize>(
        &self,
        input: impl Source<T>,
        first: usize,
        start: i32,
        gather: impl Fn(i32, i32) -> i32,
    ) -> [i32; N] {
        let mut gathered = [start; N];
        let [outer, middle, inner] = self.reduced;
        for outer_index in 0..outer.length {
            for middle_index in 0..middle.length {
                let mut at = first + outer_index * outer.stride + middle_index * middle.stride;
                for _ in 0..inner.length {
                    // They exist: the lengths were checked.
                    if let Some(values) = input.group::<N>(at) {
                        for (gathered, value) in gathered.iter_mut().zip(values) {
                            *gathered = gather(*gathered, value.into());
                        }
                    }
                    at += inner.stride;
                }
            }
        }
        gathered
    }
}

/// Whether `axis` is one of the axes.
const fn is_among(axis: usize, axes: &[usize]) -> bool {
    let mut index = 0;
    while index < axes.len() {
        if axes[index] == axis {
            return true;
        }
        index += 1;
    }
    false
}

/// A sum, checked.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    reduction: Reduction,
    multiplier: Multiplier,
    /// −n · z_in.
    offset: i32,
    output: OutputRange,
}

impl Sum {
    /// The sum over the axes. `output` gives zero point and range of the output, `output_scale` its scale.
    ///
    /// # Errors
    /// [`ShapeError::Range`] when the scales are not positive or do not fit each other, or a zero point lies outside of int16.
    pub const fn new(
        reduction: Reduction,
        input: Affine,
        output_scale: f32,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        if let Err(error) = input.check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        if let Err(error) = Affine::new(output_scale, output.zero_point).check(i16::MIN as i32, i16::MAX as i32) {
            return Err(error);
        }
        let multiplier = match Multiplier::try_from_f64(input.scale as f64 / output_scale as f64) {
            Ok(multiplier) => multiplier,
            Err(error) => return Err(error),
        };
        let offset = (reduction.count() as i32).wrapping_mul(input.zero_point).wrapping_neg();
        Ok(Self { reduction, multiplier, offset, output })
    }
}

/// A mean, checked.
#[derive(Clone, Copy, Debug)]
pub struct Mean(Sum);

impl Mean {
    /// The mean over the axes. `output` gives zero point and range of the output, `output_scale` its scale.
    ///
    /// # Errors
    /// The errors are those of [`Sum::new`].
    pub const fn over(
        reduction: Reduction,
        input: Affine,
        output_scale: f32,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        let mut sum = match Sum::new(reduction, input, output_scale, output) {
            Ok(sum) => sum,
            Err(error) => return Err(error),
        };
        let count = reduction.count();
        let mut left = (usize::BITS - 1 - count.leading_zeros()) as i32;
        if left > 31 + sum.multiplier.shift {
            left = 31 + sum.multiplier.shift;
        }
        sum.multiplier = Multiplier {
            mantissa: (((sum.multiplier.mantissa as i64) << left) / count as i64) as i32,
            shift: sum.multiplier.shift - left,
        };
        Ok(Self(sum))
    }

    /// The mean over the middle axis of outer × reduced × inner.
    ///
    /// # Errors
    /// The errors are those of [`Reduction::new`] and [`Sum::new`].
    pub const fn new(
        (outer, reduced, inner): (usize, usize, usize),
        input: Affine,
        output_scale: f32,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        match Reduction::new(outer, reduced, inner) {
            Ok(reduction) => Self::over(reduction, input, output_scale, output),
            Err(error) => Err(error),
        }
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.0.reduction.input_len()
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.0.reduction.output_len()
    }

    /// The least distance from the output's first element to the input's when they overlap.
    pub const fn overlap_gap(&self) -> usize {
        self.0.reduction.overlap_gap()
    }
}

/// Runs the mean.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn mean<T: Element>(layer: &Mean, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    reduce_sum(&layer.0, tensors)
}

/// Runs the sum.
///
/// # Errors
/// The errors are those of [`mean`].
pub fn reduce_sum<T: Element>(layer: &Sum, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    layer.reduction.run(
        tensors,
        layer.offset,
        |sum, value| sum.wrapping_add(value),
        |sum| layer.output.finish(layer.multiplier.apply(sum)),
    )
}

/// The largest element along the axes.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the reduction says, or overlap where they must not.
pub fn reduce_max<T: Element>(reduction: &Reduction, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    reduction.run(tensors, T::LEAST, |most, value| if value > most { value } else { most }, |most| most)
}

/// The least element along the axes.
///
/// # Errors
/// The errors are those of [`reduce_max`].
pub fn reduce_min<T: Element>(reduction: &Reduction, tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    reduction.run(tensors, T::LARGEST, |least, value| if value < least { value } else { least }, |least| least)
}

//! Cases of what becomes of the elements along axes.

use smolnn_fixed::axis::{Axis, CumSum, arg_max as arg_max_kernel, arg_min as arg_min_kernel, cumsum as cumsum_kernel};
use smolnn_fixed::quantise::{Affine, Multiplier};
use smolnn_fixed::reduce::{
    Mean, Reduction, Sum, mean as mean_kernel, reduce_max as max_kernel, reduce_min as min_kernel,
    reduce_sum as sum_kernel,
};

use super::plain::{Value, apart_and_overlapping, dispatch_tensors, either_type, nearest, range, zero_point};
use super::{Case, Failure, Trial, compare};
use crate::{Random, oracle};

/// The rows of this family.
pub(super) static CASES: &[Case] = &[
    // The oracle divides real numbers; the goldens hold the bits.
    Case { kernel: "reduce.rs::mean", domain: "int8 and int16, any axes, 1..=400 elements", tolerance: 1, run: mean },
    Case {
        kernel: "reduce.rs::reduce_sum",
        domain: "int8 and int16, any axes, 1..=400 elements",
        tolerance: 0,
        run: reduce_sum,
    },
    Case { kernel: "reduce.rs::reduce_max", domain: "int8, int16, uint8, any axes", tolerance: 0, run: reduce_max },
    Case { kernel: "reduce.rs::reduce_min", domain: "int8, int16, uint8, any axes", tolerance: 0, run: reduce_min },
    Case { kernel: "axis.rs::cumsum", domain: "exclusive or not, from either end", tolerance: 0, run: cumsum },
    Case { kernel: "axis.rs::arg_max", domain: "int8 and int16, many equal elements", tolerance: 0, run: arg_max },
    Case { kernel: "axis.rs::arg_min", domain: "int8 and int16, many equal elements", tolerance: 0, run: arg_min },
];

/// Dimensions of a drawn tensor.
const RANK: usize = 5;

/// A shape, and which of its axes are reduced.
struct Axes {
    shape: [usize; RANK],
    reduced: [bool; RANK],
}

impl Axes {
    /// One long axis, or some axes of a small tensor.
    fn draw(random: &mut Random) -> Self {
        if random.one_in(2) {
            let long = random.pick(&[1, 2, 3, 4, 7, 9, 16, 25, 49, 64, 125, 400]);
            let shape = [1, random.length(1, 4), long, 1, random.length(1, 12)];
            return Self { shape, reduced: [false, false, true, false, false] };
        }
        let shape = core::array::from_fn(|_| random.pick(&[1, 2, 2, 3, 4]));
        Self { shape, reduced: core::array::from_fn(|_| random.one_in(2)) }
    }

    /// The reduction; the axes in falling order, which does not matter.
    fn reduction(&self) -> Result<Reduction, Failure> {
        let mut axes = [0; RANK];
        let mut count = 0;
        for axis in (0..RANK).rev().filter(|&axis| self.reduced[axis]) {
            axes[count] = axis;
            count += 1;
        }
        Reduction::over(&self.shape, &axes[..count]).map_err(Failure::refused("the axes"))
    }

    /// Whether the input element at `position` belongs to the output element at `index`.
    fn meets(&self, position: usize, index: usize) -> bool {
        let (mut position, mut index) = (position, index);
        (0..RANK).rev().all(|axis| {
            let place = position % self.shape[axis];
            position /= self.shape[axis];
            if self.reduced[axis] {
                return true;
            }
            let same = place == index % self.shape[axis];
            index /= self.shape[axis];
            same
        })
    }

    /// The elements that become the output's element `index`.
    fn along<T: Value>(&self, input: &[T], index: usize) -> impl Iterator<Item = i64> {
        let met = input.iter().enumerate().filter(move |(position, _)| self.meets(*position, index));
        met.map(|(_, &value)| Into::<i32>::into(value).into())
    }
}

fn mean_of_type<T: Value>(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let axes = Axes::draw(random);
    let reduction = axes.reduction()?;
    let quantisation = Affine::new(random.scale(10, 1), zero_point::<T>(random));
    let (output_scale, output) = (random.scale(10, 1), range::<T>(random));
    let layer = Mean::over(reduction, quantisation, output_scale, output).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(layer.input_len(), || T::draw(random))?;
    let expected = |index: usize| {
        let sum: i64 = axes.along(input, index).sum();
        let mean = sum as f64 / reduction.count() as f64 - f64::from(quantisation.zero_point);
        nearest::<T>(mean * f64::from(quantisation.scale), output_scale, &output)
    };
    apart_and_overlapping!(memory, tolerance, input, layer.output_len(), layer.overlap_gap(), expected, |tensors| {
        dispatch_tensors!(|tensors| mean_kernel(&layer, tensors), tensors)
    })
}

pub(super) fn mean(trial: Trial<'_>) -> Result<(), Failure> {
    either_type!(trial, mean_of_type)
}

fn sum_of_type<T: Value>(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let axes = Axes::draw(random);
    let reduction = axes.reduction()?;
    let quantisation = Affine::new(random.scale(10, 1), zero_point::<T>(random));
    let (output_scale, output) = (random.scale(10, 1), range::<T>(random));
    let layer = Sum::new(reduction, quantisation, output_scale, output).map_err(Failure::refused("the layer"))?;
    // Small values keep most sums off the clamp.
    let narrow = random.one_in(2);
    let input = memory.filled(reduction.input_len(), || {
        let near = (quantisation.zero_point + random.between(-9, 9)).clamp(T::LEAST, T::LARGEST);
        if narrow { T::wrap(near) } else { T::draw(random) }
    })?;
    let multiplier = Multiplier::from_f64(f64::from(quantisation.scale) / f64::from(output_scale));
    let expected = |index: usize| {
        let sum: i64 = axes.along(input, index).map(|value| value - i64::from(quantisation.zero_point)).sum();
        T::wrap(oracle::finish(oracle::requantise(sum as i32, multiplier), &output))
    };
    let (output_len, gap) = (reduction.output_len(), reduction.overlap_gap());
    apart_and_overlapping!(memory, tolerance, input, output_len, gap, expected, |tensors| {
        dispatch_tensors!(|tensors| sum_kernel(&layer, tensors), tensors)
    })
}

pub(super) fn reduce_sum(trial: Trial<'_>) -> Result<(), Failure> {
    either_type!(trial, sum_of_type)
}

fn extreme_of_type<T: Value>(trial: Trial<'_>, is_max: bool) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let axes = Axes::draw(random);
    let reduction = axes.reduction()?;
    let input = memory.filled(reduction.input_len(), || T::draw(random))?;
    let expected = |index: usize| {
        let values = axes.along(input, index);
        let extreme = if is_max { values.max() } else { values.min() };
        T::wrap(extreme.unwrap_or_default() as i32)
    };
    let (output_len, gap) = (reduction.output_len(), reduction.overlap_gap());
    apart_and_overlapping!(memory, tolerance, input, output_len, gap, expected, |tensors| {
        dispatch_tensors!(
            |tensors| if is_max { max_kernel(&reduction, tensors) } else { min_kernel(&reduction, tensors) },
            tensors
        )
    })
}

fn extreme(trial: Trial<'_>, is_max: bool) -> Result<(), Failure> {
    match trial.random.between(0, 2) {
        0 => extreme_of_type::<i8>(trial, is_max),
        1 => extreme_of_type::<i16>(trial, is_max),
        _ => extreme_of_type::<u8>(trial, is_max),
    }
}

pub(super) fn reduce_max(trial: Trial<'_>) -> Result<(), Failure> {
    extreme(trial, true)
}

pub(super) fn reduce_min(trial: Trial<'_>) -> Result<(), Failure> {
    extreme(trial, false)
}

pub(super) fn cumsum(trial: Trial<'_>) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (outer, length, inner) = (random.length(1, 4), random.length(1, 30), random.length(1, 5));
    let axis = Axis::new(outer, length, inner).map_err(Failure::refused("the axis"))?;
    let (exclusive, reverse) = (random.one_in(2), random.one_in(2));
    let from = Affine::new(random.scale(10, 1), zero_point::<i8>(random));
    let to = Affine::new(random.scale(8, 0), zero_point::<i8>(random));
    let layer = CumSum::new(axis, exclusive, reverse, from, to).map_err(Failure::refused("the layer"))?;
    let input = memory.filled(axis.elements(), || random.int8())?;
    let output = memory.elements::<i8>(axis.elements())?;
    cumsum_kernel(&layer, input, output).map_err(Failure::refused("apart"))?;
    let multiplier = Multiplier::from_f64(f64::from(from.scale) / 524_288.0 / f64::from(to.scale));
    let range = super::plain::whole::<i8>(to.zero_point);
    compare("apart", tolerance, output, |index| {
        let own = index / inner % length;
        let mut sum = -i64::from(from.zero_point);
        for place in 0..length {
            let inside = if reverse { place > own } else { place < own };
            if inside || (place == own && !exclusive) {
                sum += i64::from(input[index + inner * place - inner * own]) - i64::from(from.zero_point);
            }
        }
        oracle::finish(oracle::requantise((sum << 19) as i32, multiplier), &range) as i8
    })
}

fn arg_of_type<T: Value>(trial: Trial<'_>, is_max: bool) -> Result<(), Failure> {
    let Trial { random, mut memory, tolerance } = trial;
    let (outer, length, inner) = (random.length(1, 4), random.length(1, 30), random.length(1, 5));
    let axis = Axis::new(outer, length, inner).map_err(Failure::refused("the axis"))?;
    // Few values, so that many are equal.
    let most = random.pick(&[1, 3, 120]);
    let input = memory.filled(axis.elements(), || T::wrap(random.between(-most, most)))?;
    let output = memory.elements::<i32>(axis.without())?;
    let kernel = if is_max { arg_max_kernel } else { arg_min_kernel };
    kernel(&axis, input, output).map_err(Failure::refused("apart"))?;
    compare("apart", tolerance, output, |index| {
        let value = |place: usize| {
            let value: i32 = input[(index / inner * length + place) * inner + index % inner].into();
            if is_max { value } else { -value }
        };
        (0..length).rev().max_by_key(|&place| value(place)).unwrap_or_default() as i32
    })
}

pub(super) fn arg_max(trial: Trial<'_>) -> Result<(), Failure> {
    if trial.random.one_in(2) { arg_of_type::<i8>(trial, true) } else { arg_of_type::<i16>(trial, true) }
}

pub(super) fn arg_min(trial: Trial<'_>) -> Result<(), Failure> {
    if trial.random.one_in(2) { arg_of_type::<i8>(trial, false) } else { arg_of_type::<i16>(trial, false) }
}

//! Kernels over any broadcast, of int32 and of truth values, along axes and between types: one shape each.

use smolnn_core::{Broadcast, shape};
use smolnn_fixed::act::{
    AbsInt16, Corners, ReluInt16, RsqrtInt16, abs_int16, interpolate_int16, relu_int16, rsqrt_int16,
};
use smolnn_fixed::axis::{Axis, CumSum, arg_max, arg_min, cumsum};
use smolnn_fixed::convert::{cast, cast_to_bool};
use smolnn_fixed::elementwise::{
    Add, AddN, Arithmetic, CompareInt8, Comparison, Div, Mul, Pairing, SquaredDifferenceInt16, add, add_n,
    arithmetic_int32, compare, compare_int8, div, logical_and, logical_not, logical_or, mul, select,
    squared_difference_int16,
};
use smolnn_fixed::quantise::{Affine, FusedActivation, OutputRange};
use smolnn_fixed::reduce::{Reduction, Sum, reduce_max, reduce_min, reduce_sum};
use smolnn_fixed::{Separate, SeparatePair};

use super::{Meter, Random, Work, one};

/// Elements of each tensor.
const ROOM: usize = 1024;

const AFFINE: Affine = Affine::new(0.05, 4);
const WIDE: Affine = Affine::new(0.0003, 0);
const NONE: FusedActivation = FusedActivation::None;

const SAME: Pairing = shape!(Pairing::same(ROOM));
/// A column of means, taken from each row.
const ROWS: Broadcast<2> = shape!(Broadcast::new([&[64, 16], &[64, 1]]));
/// A scalar.
const SCALAR: Broadcast<2> = shape!(Broadcast::new([&[ROOM], &[]]));
static ADD_ROWS: Add<Broadcast<2>> = shape!(Add::new(ROWS, AFFINE, AFFINE, AFFINE, NONE));
static MUL_SCALAR: Mul<Broadcast<2>> = shape!(Mul::new(SCALAR, AFFINE, AFFINE, 0.1, OutputRange::int8(0)));
static DIV: Div = shape!(Div::new(SAME, AFFINE, Affine::new(0.05, -128), AFFINE, NONE));
static SQUARED: SquaredDifferenceInt16 = shape!(SquaredDifferenceInt16::new(SAME, 0.0003, 0.0005, 0.001));
static COMPARE: CompareInt8 = shape!(CompareInt8::new(SAME, Comparison::Less, AFFINE, Affine::new(0.07, 9)));
static PAIRING: Pairing = SAME;
static CHOICE: Broadcast<3> = shape!(Broadcast::new([&[64, 1], &[64, 16], &[64, 16]]));
static ADD_N: AddN = shape!(AddN::new(4, ROOM, AFFINE, AFFINE));
static ABS: AbsInt16 = shape!(AbsInt16::new(ROOM, WIDE, WIDE));
static RSQRT: RsqrtInt16 = shape!(RsqrtInt16::new(ROOM, WIDE, WIDE));
static RELU: ReluInt16 = shape!(ReluInt16::new(ROOM, FusedActivation::Relu, WIDE, Affine::new(0.0002, 0)));
static CORNERS: Corners<'static> = shape!(Corners::new(&[300; 513]));
static REDUCTION: Reduction = shape!(Reduction::new(1, 64, 16));
/// First and last axis of three.
static ENDS: Reduction = shape!(Reduction::over(&[8, 16, 8], &[0, 2]));
static SUM: Sum = shape!(Sum::new(REDUCTION, AFFINE, 0.5, OutputRange::int8(4)));
static SUM_ENDS: Sum = shape!(Sum::new(ENDS, AFFINE, 0.5, OutputRange::int8(4)));
static AXIS: Axis = shape!(Axis::new(4, 16, 16));
static CUMSUM: CumSum = shape!(CumSum::new(AXIS, false, false, AFFINE, Affine::new(0.5, 0)));

#[inline(never)]
pub(super) fn all(meter: &mut dyn Meter) {
    let mut random = Random::new();
    let (mut left, mut right, mut output) = ([0_i8; ROOM], [0_i8; ROOM], [0_i8; ROOM]);
    random.bytes(&mut left);
    random.bytes(&mut right);
    let mut truth = [0_u8; ROOM];
    let elements = Work::Elements(ROOM);

    one(meter, "add", "64x16 + 64x1", elements, &ADD_ROWS, |layer| {
        add(layer, SeparatePair { left: &left, right: &right[..64], output: &mut output })
    });
    one(meter, "mul", "1024 by a scalar", elements, &MUL_SCALAR, |layer| {
        mul(layer, SeparatePair { left: &left, right: &right[..1], output: &mut output })
    });
    one(meter, "div", "1024", elements, &DIV, |layer| {
        div(layer, SeparatePair { left: &left, right: &right, output: &mut output })
    });
    one(meter, "add_n", "4x1024", elements, &ADD_N, |layer| add_n(layer, &[&left, &right, &left, &right], &mut output));
    one(meter, "compare_int8", "1024", elements, &COMPARE, |layer| compare_int8(layer, &left, &right, &mut truth));
    one(meter, "compare", "1024", elements, &PAIRING, |pairs| {
        compare(Comparison::Less, pairs, &left, &right, &mut truth)
    });
    one(meter, "reduce_max", "64x16", elements, &REDUCTION, |reduction| {
        reduce_max(reduction, Separate { input: &left, output: &mut output[..16] })
    });
    one(meter, "reduce_min", "64x16", elements, &REDUCTION, |reduction| {
        reduce_min(reduction, Separate { input: &left, output: &mut output[..16] })
    });
    one(meter, "reduce_sum", "64x16", elements, &SUM, |layer| {
        reduce_sum(layer, Separate { input: &left, output: &mut output[..16] })
    });
    one(meter, "reduce_sum", "8x16x8 axes 0, 2", elements, &SUM_ENDS, |layer| {
        reduce_sum(layer, Separate { input: &left, output: &mut output[..16] })
    });
    one(meter, "cumsum", "4x16x16", elements, &CUMSUM, |layer| cumsum(layer, &left, &mut output));
    truth_values(meter, &left, &right);
    int16(meter, &mut random);
    int32(meter, &left, &mut random);
}

#[inline(never)]
fn truth_values(meter: &mut dyn Meter, left: &[i8; ROOM], right: &[i8; ROOM]) {
    let elements = Work::Elements(ROOM);
    let (a, b): ([u8; ROOM], [u8; ROOM]) = (left.map(|value| value as u8 & 1), right.map(|value| value as u8 & 1));
    let (mut truth, mut output) = ([0_u8; ROOM], [0_i8; ROOM]);
    one(meter, "logical_and", "1024", elements, &PAIRING, |pairs| {
        logical_and(pairs, SeparatePair { left: &a, right: &b, output: &mut truth })
    });
    one(meter, "logical_or", "1024", elements, &PAIRING, |pairs| {
        logical_or(pairs, SeparatePair { left: &a, right: &b, output: &mut truth })
    });
    one(meter, "logical_not", "1024", elements, &ROOM, |length| {
        logical_not(*length, Separate { input: &a, output: &mut truth })
    });
    one(meter, "select", "64x16 by row", elements, &CHOICE, |broadcast| {
        select(broadcast, &a[..64], left, right, &mut output)
    });
}

#[inline(never)]
fn int16(meter: &mut dyn Meter, random: &mut Random) {
    let elements = Work::Elements(ROOM);
    let left: [i16; ROOM] = core::array::from_fn(|_| (random.bits() >> 16) as i16);
    let right: [i16; ROOM] = core::array::from_fn(|_| (random.bits() >> 16) as i16);
    let mut output = [0_i16; ROOM];
    one(meter, "squared_difference_int16", "1024", elements, &SQUARED, |layer| {
        squared_difference_int16(layer, SeparatePair { left: &left, right: &right, output: &mut output })
    });
    one(meter, "abs_int16", "1024", elements, &ABS, |layer| {
        abs_int16(layer, Separate { input: &left, output: &mut output })
    });
    one(meter, "rsqrt_int16", "1024", elements, &RSQRT, |layer| {
        rsqrt_int16(layer, Separate { input: &left, output: &mut output })
    });
    one(meter, "relu_int16", "1024", elements, &RELU, |layer| {
        relu_int16(layer, Separate { input: &left, output: &mut output })
    });
    one(meter, "interpolate_int16", "1024", elements, &CORNERS, |corners| {
        interpolate_int16(corners, ROOM, Separate { input: &left, output: &mut output })
    });
}

#[inline(never)]
fn int32(meter: &mut dyn Meter, narrow: &[i8; ROOM], random: &mut Random) {
    /// Elements of the int32 tensors.
    const LENGTH: usize = 256;
    const SAME: Pairing = shape!(Pairing::same(LENGTH));
    let elements = Work::Elements(LENGTH);
    let left: [i32; LENGTH] = core::array::from_fn(|_| random.bits() as i32);
    let right: [i32; LENGTH] = core::array::from_fn(|_| random.bits() as i32 >> 16);
    let (mut output, mut truth) = ([0_i32; LENGTH], [0_u8; LENGTH]);
    one(meter, "arithmetic_int32", "256", elements, &(Arithmetic::Multiply, SAME), |(arithmetic, pairs)| {
        let operands = SeparatePair { left: &left, right: &right, output: &mut output };
        arithmetic_int32(*arithmetic, (i32::MIN, i32::MAX), pairs, operands)
    });
    one(meter, "cast", "256", elements, &(), |()| cast(&narrow[..LENGTH], &mut output));
    one(meter, "cast_to_bool", "256", elements, &(), |()| cast_to_bool(&left, &mut truth));
    one(meter, "arg_max", "4x16x16", Work::Elements(ROOM), &AXIS, |axis| arg_max(axis, narrow, &mut output[..64]));
    one(meter, "arg_min", "4x16x16", Work::Elements(ROOM), &AXIS, |axis| arg_min(axis, narrow, &mut output[..64]));
}

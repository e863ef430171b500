//! The kernels that the baseline has no figures of, one shape each: what `.tflite` files need besides the large layers.

use smolnn_core::{DenseShape, Image, Window2d, WindowSize, shape};
use smolnn_fixed::act::{LeakyRelu, Prelu, leaky_relu_int16, prelu};
use smolnn_fixed::conv::{
    Conv2dInt16, DepthwiseConv2dInt16, GroupedConv2d, Sums, TransposeConv2d, TransposeConv2dInt16, WeightsInt16,
    conv2d_int16, depthwise_conv2d_int16, grouped_conv2d, transpose_conv2d, transpose_conv2d_int16,
};
use smolnn_fixed::convert::{Requantise, dequantise, quantise, requantise};
use smolnn_fixed::dense_int16::{DenseInt16, dense_int16};
use smolnn_fixed::elementwise::{Mul, Pairing, SquaredDifference, maximum, minimum, mul, squared_difference};
use smolnn_fixed::gather::{Gather, GatherNd, gather, gather_nd};
use smolnn_fixed::l2_norm::{L2Norm, l2_norm};
use smolnn_fixed::log_softmax::{LogSoftmax, log_softmax};
use smolnn_fixed::matmul::{Matmul, MatmulShape, matmul};
use smolnn_fixed::movement::{StridedCopy, Walk, copy};
use smolnn_fixed::pack::Weights;
use smolnn_fixed::pad::{Pad, pad};
use smolnn_fixed::quantise::{Affine, Multiplier, OutputRange};
use smolnn_fixed::reduce::{Mean, mean};
use smolnn_fixed::resize::{ResizeBilinear, ResizeNearest, Sampling, resize_bilinear, resize_nearest};
use smolnn_fixed::softmax::{Softmax, softmax_to_int16};
use smolnn_fixed::softmax_int16::{SoftmaxInt16, softmax_int16};
use smolnn_fixed::space_to_batch::{Blocks, batch_to_space, space_to_batch};
use smolnn_fixed::state::{assign, slide};
use smolnn_fixed::update_slice::{UpdateSlice, update_slice};
use smolnn_fixed::{Separate, SeparatePair};

use super::{Meter, Random, Work, one};

/// Elements of each tensor at most.
const ROOM: usize = 1024;

const AFFINE: Affine = Affine::new(0.05, 4);
const WIDE: Affine = Affine::new(0.0003, 0);
const HALF: Multiplier = Multiplier::from_f64(0.003);
const CONV: smolnn_core::Conv2dShape = shape!(Window2d::over(Image::hwc(8, 8, 4), WindowSize::hw(3, 3)).same().conv(4));
const DEPTHWISE: smolnn_core::DepthwiseConv2dShape =
    shape!(Window2d::over(Image::hwc(8, 8, 4), WindowSize::hw(3, 3)).same().depthwise(1));

static PAIRING: Pairing = shape!(Pairing::new(ROOM, ROOM));
static LEAKY: LeakyRelu = shape!(LeakyRelu::new(ROOM, 0.1, WIDE, WIDE));
static PRELU: Prelu = shape!(Prelu::new(shape!(Pairing::new(ROOM, 16)), AFFINE, AFFINE, AFFINE));
static LOG_SOFTMAX: LogSoftmax = shape!(LogSoftmax::new(16, 64, 0.06));
static SOFTMAX16: SoftmaxInt16 = shape!(SoftmaxInt16::new(16, 64, 1.0, 0.0003));
static SOFTMAX: Softmax = shape!(Softmax::new(16, 64, 1.0, 0.06));
static MUL: Mul = shape!(Mul::new(shape!(Pairing::new(ROOM, ROOM)), AFFINE, AFFINE, 0.1, OutputRange::int8(0)));
static SQUARED: SquaredDifference =
    shape!(SquaredDifference::new(shape!(Pairing::new(ROOM, ROOM)), AFFINE, AFFINE, AFFINE));
static PAD: Pad = shape!(Pad::new([1, 6, 6, 16], [0, 1, 1, 0], [0, 1, 1, 0], 4));
static MEAN: Mean = shape!(Mean::new((1, 64, 16), AFFINE, 0.05, OutputRange::int8(4)));
static L2: L2Norm = shape!(L2Norm::new(16, 64, 4));
static MATMUL: Matmul<'static> = shape!(Matmul::new(
    MatmulShape { right_transposed: true, ..MatmulShape::new(16, 16, 16) },
    AFFINE,
    AFFINE,
    &[],
    Sums::Bits32,
    0.05,
    OutputRange::int8(4)
));
static MATMUL16: Matmul<'static> =
    shape!(Matmul::new(MatmulShape::new(16, 16, 16), WIDE, WIDE, &[], Sums::Bits64, 0.01, OutputRange::int16()));
static BILINEAR: ResizeBilinear = shape!(ResizeBilinear::new(
    1,
    Image::hwc(5, 5, 16),
    8,
    8,
    Sampling { align_corners: false, half_pixel_centers: true }
));
static NEAREST: ResizeNearest<'static> =
    shape!(ResizeNearest::new(1, Image::hwc(5, 5, 16), &[0, 0, 1, 1, 2, 3, 3, 4], &[0, 0, 1, 1, 2, 3, 3, 4]));
static GATHER: Gather = shape!(Gather::new(1, 1, 64, 16, 64));
static GATHER_ND: GatherNd = shape!(GatherNd::new(&[8, 8], 16, 64));
static BLOCKS: Blocks = shape!(Blocks::new(1, Image::hwc(8, 8, 16), WindowSize::hw(2, 2), (0, 0), (4, 4)));
static UPDATE: UpdateSlice = shape!(UpdateSlice::new(&[8, 8, 16], &[4, 4, 16]));
const GROUPED: smolnn_core::Conv2dShape =
    shape!(Window2d::over(Image::hwc(8, 8, 4), WindowSize::hw(3, 3)).same().groups(2).conv(4));
/// The transposition of a 32×32 matrix.
static COPY: StridedCopy = shape!(StridedCopy::new(
    [1, 1, 1, 1, 32, 32],
    Walk { length: ROOM, start: 0, strides: [0, 0, 0, 0, 1, 32] },
    Walk { length: ROOM, start: 0, strides: [0, 0, 0, 0, 32, 1] }
));
static REQUANTISE: Requantise = shape!(Requantise::new(AFFINE, WIDE));

#[inline(never)]
pub(super) fn all(meter: &mut dyn Meter) {
    let mut random = Random::new();
    let (mut left, mut right, mut output) = ([0_i8; ROOM], [0_i8; ROOM], [0_i8; ROOM]);
    random.bytes(&mut left);
    random.weights(&mut right);
    let wide: [i16; ROOM] = core::array::from_fn(|_| (random.bits() >> 16) as i16);
    let mut wide_output = [0_i16; ROOM];
    let elements = Work::Elements(ROOM);

    one(meter, "prelu", "1024", elements, &PRELU, |layer| {
        prelu(layer, SeparatePair { left: &left, right: &right[..16], output: &mut output })
    });
    one(meter, "mul", "1024", elements, &MUL, |layer| {
        mul(layer, SeparatePair { left: &left, right: &right, output: &mut output })
    });
    one(meter, "squared_difference", "1024", elements, &SQUARED, |layer| {
        squared_difference(layer, SeparatePair { left: &left, right: &right, output: &mut output })
    });
    one(meter, "maximum", "1024", elements, &PAIRING, |pairing| {
        maximum(pairing, SeparatePair { left: &left, right: &right, output: &mut output })
    });
    one(meter, "minimum", "1024", elements, &PAIRING, |pairing| {
        minimum(pairing, SeparatePair { left: &left, right: &right, output: &mut output })
    });
    one(meter, "pad", "6x6x16 1", elements, &PAD, |layer| {
        pad(layer, Separate { input: &left[..576], output: &mut output })
    });
    one(meter, "mean", "8x8x16", elements, &MEAN, |layer| {
        mean(layer, Separate { input: &left, output: &mut output[..16] })
    });
    one(meter, "l2_norm", "16x64", elements, &L2, |layer| {
        l2_norm(layer, Separate { input: &left, output: &mut output })
    });
    one(meter, "matmul", "16x16x16", Work::Macs(4096), &MATMUL, |layer| {
        matmul(layer, &left[..256], &right[..256], &mut output[..256])
    });
    one(meter, "matmul_int16", "16x16x16", Work::Macs(4096), &MATMUL16, |layer| {
        matmul(layer, &wide[..256], &wide[256..512], &mut wide_output[..256])
    });
    one(meter, "resize_bilinear", "5x5x16 -> 8x8x16", elements, &BILINEAR, |layer| {
        resize_bilinear(layer, Separate { input: &left[..400], output: &mut output })
    });
    one(meter, "resize_nearest", "5x5x16 -> 8x8x16", elements, &NEAREST, |layer| {
        resize_nearest(layer, Separate { input: &left[..400], output: &mut output })
    });
    let indices: [i32; 128] = core::array::from_fn(|_| (random.bits() >> 29) as i32);
    one(meter, "gather", "64x16", elements, &GATHER, |layer| gather(layer, &left, &indices[..64], &mut output));
    one(meter, "gather_nd", "8x8x16", elements, &GATHER_ND, |layer| gather_nd(layer, &left, &indices, &mut output));
    one(meter, "assign", "1024", elements, &(), |()| assign(&mut output, &left));
    one(meter, "slide", "1024 by 64", elements, &(), |()| slide(&mut output, &left[..64]));
    one(meter, "space_to_batch", "8x8x16 2x2", elements, &BLOCKS, |layer| space_to_batch(layer, 0, &left, &mut output));
    one(meter, "batch_to_space", "8x8x16 2x2", elements, &BLOCKS, |layer| batch_to_space(layer, &left, &mut output));
    one(meter, "update_slice", "8x8x16 4x4x16", elements, &UPDATE, |layer| {
        update_slice(layer, Separate { input: &left, output: &mut output }, &right[..256], &indices[..3])
    });
    one(meter, "copy", "32x32 transposed", elements, &COPY, |layer| copy(layer, &left, &mut output));
    one(meter, "log_softmax", "16x64", elements, &LOG_SOFTMAX, |layer| {
        log_softmax(layer, Separate { input: &left, output: &mut output })
    });
    one(meter, "softmax_to_int16", "16x64", elements, &SOFTMAX, |layer| {
        softmax_to_int16(layer, &left, &mut wide_output)
    });
    one(meter, "softmax_int16", "16x64", elements, &SOFTMAX16, |layer| {
        softmax_int16(layer, Separate { input: &wide, output: &mut wide_output })
    });
    one(meter, "leaky_relu_int16", "1024", elements, &LEAKY, |layer| {
        leaky_relu_int16(layer, Separate { input: &wide, output: &mut wide_output })
    });
    one(meter, "requantise", "1024", elements, &REQUANTISE, |layer| requantise(layer, &left, &mut wide_output));
    let mut real = [0.0_f32; ROOM];
    one(meter, "dequantise", "1024", elements, &AFFINE, |affine| dequantise(*affine, &left, &mut real));
    one(meter, "quantise", "1024", elements, &AFFINE, |affine| quantise(*affine, &real, &mut output));
    weighted(meter, &left, &right, &wide, &mut output, &mut wide_output);
}

/// Layers with int16 activations, and transposed convolutions.
#[inline(never)]
fn weighted(
    meter: &mut dyn Meter,
    input: &[i8; ROOM],
    weights: &[i8; ROOM],
    wide: &[i16; ROOM],
    output: &mut [i8; ROOM],
    wide_output: &mut [i16; ROOM],
) {
    let all = OutputRange::int16();
    let of = |count: usize| WeightsInt16 { values: &weights[..count], bias: &[], multipliers: &[HALF], short: &[] };
    if let Ok(layer) = Conv2dInt16::new(CONV, of(144), all) {
        one(meter, "conv2d_int16", "8x8x4 k3x3s1 -> 8x8x4", Work::Macs(8 * 8 * 144), &layer, |layer| {
            conv2d_int16(layer, Separate { input: &wide[..256], output: &mut wide_output[..256] })
        });
    }
    if let Ok(layer) = DepthwiseConv2dInt16::new(DEPTHWISE, of(36), all) {
        one(meter, "depthwise_conv2d_int16", "8x8x4 k3x3s1 -> 8x8x4", Work::Macs(8 * 8 * 36), &layer, |layer| {
            depthwise_conv2d_int16(layer, Separate { input: &wide[..256], output: &mut wide_output[..256] })
        });
    }
    if let Ok(layer) = DenseShape::new(1, 32, 32).and_then(|shape| DenseInt16::new(shape, of(1024), all)) {
        one(meter, "dense_int16", "32->32", Work::Macs(1024), &layer, |layer| {
            dense_int16(layer, &wide[..32], &mut wide_output[..32])
        });
    }
    if let Ok(layer) = TransposeConv2dInt16::new(CONV, of(144), all) {
        one(meter, "transpose_conv2d_int16", "8x8x4 k3x3s1 -> 8x8x4", Work::Macs(8 * 8 * 144), &layer, |layer| {
            transpose_conv2d_int16(layer, &wide[..256], &mut wide_output[..256])
        });
    }
    let packed = Weights { values: &weights[..144], bias: &[], multipliers: &[HALF], input_zero_point: 3 };
    let of_group = Weights { values: &weights[..72], ..packed };
    if let Ok(layer) = GroupedConv2d::new(GROUPED, of_group, OutputRange::int8(0)) {
        one(meter, "grouped_conv2d", "8x8x4 k3x3s1 2 groups", Work::Macs(8 * 8 * 72), &layer, |layer| {
            grouped_conv2d(layer, Separate { input: &input[..256], output: &mut output[..256] })
        });
    }
    if let Ok(layer) = TransposeConv2d::new(CONV, packed, OutputRange::int8(0)) {
        one(meter, "transpose_conv2d", "8x8x4 k3x3s1 -> 8x8x4", Work::Macs(8 * 8 * 144), &layer, |layer| {
            transpose_conv2d(layer, &input[..256], &mut output[..256])
        });
    }
}

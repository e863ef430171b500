//! The f32 kernels that only inference needs, one shape each.

use core::hint::black_box;

use smolnn_core::{
    Axis, Broadcast, Comparison, Image, Pool2dShape, SequenceOrder, ShapeError, Window2d, WindowSize, shape,
};
use smolnn_float::act::softmax_scaled;
use smolnn_float::axis::{arg_max, arg_min, cumsum};
use smolnn_float::elementwise::{self, Bounds};
use smolnn_float::l2_norm::l2_norm;
use smolnn_float::matmul::{MatmulShape, matmul};
use smolnn_float::pool::average::{self, Divisor};
use smolnn_float::pool::{l2, max};
use smolnn_float::reduce::{Reduction, reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_sum};
use smolnn_float::resize::{ResizeShape, Sampling, resize_bilinear, resize_nearest};
use smolnn_float::rnn::{
    Gru, LstmLayer, RecurrentLayer, ResetAfter, Svdf, SvdfWeights, lstm_batch, recurrent_batch, svdf_batch,
};
use smolnn_float::{Real, Rows};

use super::{Meter, Random, Work};

/// Elements of each tensor.
const ROOM: usize = 256;

/// A matrix and a vector for each of its rows.
const ROWS: Broadcast<2> = shape!(Broadcast::new([&[16, 16], &[16, 1]]));
const SAME: Broadcast<2> = shape!(Broadcast::new([&[ROOM], &[ROOM]]));
const REDUCTION: Reduction = shape!(Reduction::new(1, 16, 16));
const AXIS: Axis = shape!(Axis::new(4, 16, 4));
const POOL: Pool2dShape = shape!(Window2d::over(Image::hwc(8, 8, 4), WindowSize::hw(2, 2)).stride(2, 2).pool());
const NORM: Rows = shape!(Rows::new(16, 16));
const PRODUCT: MatmulShape = shape!(MatmulShape::new(1, 16, 16, 16));
const HALVES: Sampling = Sampling { align_corners: false, half_pixel_centers: true };
const RESIZE: ResizeShape = shape!(ResizeShape::new(1, Image::hwc(4, 4, 4), 8, 8, HALVES));
const SVDF: Svdf = shape!(Svdf::new(16, 4, 2, 8));
const LSTM: LstmLayer<f32> = shape!(LstmLayer::new(4, 4, 2, SequenceOrder::BATCH_FIRST, 1.0));
const GRU: RecurrentLayer<Gru<ResetAfter>> =
    shape!(RecurrentLayer::gru_reset_after(4, 4, 2, SequenceOrder::BATCH_FIRST));
const BOUNDS: Bounds<f32> = Bounds::RELU6;

#[inline(never)]
pub(super) fn all(meter: &mut dyn Meter) {
    let mut random = Random::new();
    let [mut left, mut right, mut output] = [[0.0_f32; ROOM]; 3];
    for value in left.iter_mut().chain(&mut right) {
        *value = (random.bits() >> 8) as f32 * (1.0 / 8_388_608.0) - 1.0;
    }
    let elements = Work::Elements(ROOM);

    type Binary = fn(&Broadcast<2>, &Bounds<f32>, &[f32], &[f32], &mut [f32]) -> Result<(), ShapeError>;
    let binaries: [(&str, Binary); 7] = [
        ("f32_add", elementwise::add),
        ("f32_sub", elementwise::sub),
        ("f32_mul", elementwise::mul),
        ("f32_div", elementwise::div),
        ("f32_maximum", elementwise::maximum),
        ("f32_minimum", elementwise::minimum),
        ("f32_squared_difference", elementwise::squared_difference),
    ];
    for (name, function) in binaries {
        let (same, bounds) = (black_box(&SAME), black_box(&BOUNDS));
        meter.kernel(name, "256", elements, &mut || {
            let _ = function(same, bounds, &left, &right, &mut output);
        });
    }
    let (rows, bounds) = (black_box(&ROWS), black_box(&BOUNDS));
    meter.kernel("f32_add", "16x16 + 16x1", elements, &mut || {
        let _ = elementwise::add(rows, bounds, &left, right.get(..16).unwrap_or_default(), &mut output);
    });

    type Unary = fn(&[f32], &mut [f32]) -> Result<(), ShapeError>;
    let unaries: [(&str, Unary); 14] = [
        ("f32_abs", elementwise::abs),
        ("f32_neg", elementwise::neg),
        ("f32_square", elementwise::square),
        ("f32_sqrt", elementwise::sqrt),
        ("f32_rsqrt", elementwise::rsqrt),
        ("f32_exp_elementwise", elementwise::exp),
        ("f32_log_elementwise", elementwise::log),
        ("f32_sign", elementwise::sign),
        ("f32_sin", elementwise::sin),
        ("f32_cos", elementwise::cos),
        ("f32_erf", elementwise::erf),
        ("f32_floor", elementwise::floor),
        ("f32_ceil", elementwise::ceil),
        ("f32_round", elementwise::round),
    ];
    for (name, function) in unaries {
        meter.kernel(name, "256", elements, &mut || {
            let _ = function(&left, &mut output);
        });
    }
    meter.kernel("f32_clamp", "256", elements, &mut || elementwise::clamp(bounds, &mut output));
    meter.kernel("f32_clamped", "256", elements, &mut || {
        let _ = elementwise::clamped(bounds, &left, &mut output);
    });
    meter.kernel("f32_prelu_elementwise", "16x16 and 16x1", elements, &mut || {
        let _ = elementwise::prelu(rows, &left, right.get(..16).unwrap_or_default(), &mut output);
    });

    let (same, axis) = (black_box(&SAME), black_box(&AXIS));
    let mut holds = [0; ROOM];
    meter.kernel("f32_compare", "256", elements, &mut || {
        let _ = elementwise::compare(same, black_box(Comparison::Less), &left, &right, &mut holds);
    });
    meter.kernel("f32_floor_div", "256", elements, &mut || {
        let _ = elementwise::floor_div(same, &left, &right, &mut output);
    });
    meter.kernel("f32_floor_mod", "256", elements, &mut || {
        let _ = elementwise::floor_mod(same, &left, &right, &mut output);
    });
    meter.kernel("f32_power", "256", elements, &mut || {
        let _ = elementwise::power(same, &left, &right, &mut output);
    });
    meter.kernel("f32_cumsum", "4x16x4", elements, &mut || {
        let _ = cumsum(axis, false, false, &left, &mut output);
    });
    type Extreme = fn(&Axis, &[f32], &mut [i32]) -> Result<(), ShapeError>;
    let extremes: [(&str, Extreme); 2] = [("f32_arg_max", arg_max), ("f32_arg_min", arg_min)];
    let mut positions = [0; AXIS.without()];
    for (name, function) in extremes {
        meter.kernel(name, "4x16x4", elements, &mut || {
            let _ = function(axis, &left, &mut positions);
        });
    }
    let pool = black_box(&POOL);
    meter.kernel("f32_max_pool2d", "8x8x4, 2x2", elements, &mut || {
        let _ = max::forward(pool, &left, output.get_mut(..64).unwrap_or_default(), None);
    });
    meter.kernel("f32_average_pool2d", "8x8x4, 2x2", elements, &mut || {
        let _ = average::forward(pool, Divisor::Input, &left, output.get_mut(..64).unwrap_or_default());
    });
    meter.kernel("f32_l2_pool2d", "8x8x4, 2x2", elements, &mut || {
        let _ = l2::forward(pool, &left, output.get_mut(..64).unwrap_or_default());
    });

    type Reduce = fn(&Reduction, &[f32], &mut [f32]) -> Result<(), ShapeError>;
    let reductions: [(&str, Reduce); 5] = [
        ("f32_reduce_sum", reduce_sum),
        ("f32_reduce_mean", reduce_mean),
        ("f32_reduce_prod", reduce_prod),
        ("f32_reduce_max", reduce_max),
        ("f32_reduce_min", reduce_min),
    ];
    for (name, function) in reductions {
        let reduction = black_box(&REDUCTION);
        meter.kernel(name, "16x16", elements, &mut || {
            let _ = function(reduction, &left, output.get_mut(..16).unwrap_or_default());
        });
    }

    let (norm, product, resize, svdf) = (black_box(&NORM), black_box(&PRODUCT), black_box(&RESIZE), black_box(&SVDF));
    meter.kernel("f32_l2_norm", "16x16", elements, &mut || {
        let _ = l2_norm(norm, &left, &mut output);
    });
    meter.kernel("f32_softmax_scaled", "16x16", elements, &mut || {
        let _ = softmax_scaled(norm, black_box(0.5), &left, &mut output);
    });
    for (name, shape) in [
        ("16x16x16", *product),
        ("16x16x16 left transposed", product.left_transposed()),
        ("16x16x16 right transposed", product.right_transposed()),
        ("16x16x16 both transposed", product.left_transposed().right_transposed()),
    ] {
        meter.kernel("f32_matmul", name, Work::Macs(16 * 16 * 16), &mut || {
            let _ = matmul(&shape, &left, &right, &mut output);
        });
    }
    let small = left.get(..64).unwrap_or_default();
    meter.kernel("f32_resize_bilinear", "4x4x4 to 8x8", elements, &mut || {
        let _ = resize_bilinear(resize, small, &mut output);
    });
    meter.kernel("f32_resize_nearest", "4x4x4 to 8x8", elements, &mut || {
        let _ = resize_nearest(resize, small, &mut output);
    });
    let weights = SvdfWeights {
        feature: left.get(..128).unwrap_or_default(),
        time: left.get(128..192).unwrap_or_default(),
        bias: None,
    };
    let mut state = [f32::ZERO; SVDF.state()];
    meter.kernel("f32_svdf", "16-4 rank 2, 8 steps", Work::Macs(8 * 24), &mut || {
        let (input, output) = (right.get(..16).unwrap_or_default(), output.get_mut(..4).unwrap_or_default());
        let _ = svdf.step(&weights, bounds, &mut state, input, output);
    });
    let (mut batch, lstm) = ([f32::ZERO; 2 * SVDF.state()], black_box(&LSTM));
    meter.kernel("f32_svdf_batch", "2 of 16-4 rank 2, 8 steps", Work::Macs(2 * 8 * 24), &mut || {
        let (input, output) = (right.get(..32).unwrap_or_default(), output.get_mut(..8).unwrap_or_default());
        let _ = svdf_batch(svdf, weights.feature, weights.time, None, bounds, &mut batch, input, output);
    });
    let (mut h, mut c, mut scratch) = ([f32::ZERO; 4], [f32::ZERO; 4], [f32::ZERO; LSTM.scratch()]);
    meter.kernel("f32_lstm_batch", "4-4, 2 steps, clipped", Work::Macs(2 * 128), &mut || {
        let (parameters, input) = (left.get(..144).unwrap_or_default(), right.get(..8).unwrap_or_default());
        let output = output.get_mut(..8).unwrap_or_default();
        let _ = lstm_batch(lstm, parameters, &mut h, &mut c, input, Some(output), &mut scratch);
    });
    let (mut scratch, gru) = ([f32::ZERO; GRU.scratch()], black_box(&GRU));
    meter.kernel("f32_recurrent_batch", "gru 4-4, 2 steps", Work::Macs(2 * 96), &mut || {
        let (parameters, input) = (left.get(..112).unwrap_or_default(), right.get(..8).unwrap_or_default());
        let output = output.get_mut(..8).unwrap_or_default();
        let _ = recurrent_batch(gru, parameters, &mut h, input, Some(output), &mut scratch);
    });
}

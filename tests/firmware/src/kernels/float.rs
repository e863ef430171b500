//! The f32 layers, forward and backward. Each takes the whole of what it needs from one buffer of floats.

use core::hint::black_box;

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, Pool2dShape, Window2d, WindowSize, shape};
use smolnn_float::conv::plane::{self, Mode, Plane};
use smolnn_float::conv::{conv2d, depthwise, flipped, im2col, transposed};
use smolnn_float::embedding::{self, Embedding};
use smolnn_float::init::{self, Fans};
use smolnn_float::norm::{self, batch, layer};
use smolnn_float::optimiser::{Adagrad, Adam, Anneal, Momentum, Optimiser, RmsProp, Schedule, Sgd};
use smolnn_float::pool::{average, global, max};
use smolnn_float::random::{Pcg32, SeedableRng};
use smolnn_float::standardise::Standardiser;
use smolnn_float::{Gradients, Parameter, Rows, clip, dense, diagnostics, dropout, loss, parameter, residual};

use super::{Meter, Random, TOO_LARGE, Work};

const ROOM: usize = if cfg!(smolnn_small_board) { 1024 } else { 64 * 1024 };

/// DenseShape layers.
pub const DENSE: [(&str, DenseShape); 4] = [
    ("16-10", shape!(DenseShape::new(1, 16, 10))),
    ("64-32", shape!(DenseShape::new(1, 64, 32))),
    ("128-128", shape!(DenseShape::new(1, 128, 128))),
    ("61-33", shape!(DenseShape::new(1, 61, 33))),
];

/// Convolutions.
pub const CONV2D: [(&str, Conv2dShape); 5] = [
    ("8x8x1 3x3 8 same", shape!(Window2d::over(Image::hwc(8, 8, 1), WindowSize::hw(3, 3)).same().conv(8))),
    ("8x8x8 3x3 16 same", shape!(Window2d::over(Image::hwc(8, 8, 8), WindowSize::hw(3, 3)).same().conv(16))),
    ("8x8x16 3x3 16 same", shape!(Window2d::over(Image::hwc(8, 8, 16), WindowSize::hw(3, 3)).same().conv(16))),
    ("8x8x32 1x1 32", shape!(Window2d::over(Image::hwc(8, 8, 32), WindowSize::hw(1, 1)).conv(32))),
    ("64x8 k5 16", shape!(Window2d::over(Image::sequence(64, 8), WindowSize::taps(5)).same().conv(16))),
];

/// Depthwise convolutions.
pub const DEPTHWISE: [(&str, DepthwiseConv2dShape); 1] =
    [("8x8x16 3x3 same", shape!(Window2d::over(Image::hwc(8, 8, 16), WindowSize::hw(3, 3)).same().depthwise(1)))];

/// The tensors of one layer.
struct Layer<'a> {
    input: &'a mut [f32],
    weights: &'a mut [f32],
    bias: &'a mut [f32],
    output: &'a mut [f32],
    d_input: &'a mut [f32],
    d_weights: &'a mut [f32],
    d_bias: &'a mut [f32],
}

impl<'a> Layer<'a> {
    fn new(room: &'a mut [f32], input: usize, weights: usize, bias: usize, output: usize) -> Option<Self> {
        let mut random = Random::new();
        for value in room.iter_mut() {
            *value = (random.bits() >> 8) as f32 * (1.0 / 8_388_608.0) - 1.0;
        }
        let mut room = room;
        let mut take = |length: usize| {
            let (taken, rest) = core::mem::take(&mut room).split_at_mut_checked(length)?;
            room = rest;
            Some(taken)
        };
        Some(Self {
            input: take(input)?,
            weights: take(weights)?,
            bias: take(bias)?,
            output: take(output)?,
            d_input: take(input)?,
            d_weights: take(weights)?,
            d_bias: take(bias)?,
        })
    }
}

#[inline(never)]
pub(super) fn all(meter: &mut dyn Meter) {
    let mut room = [0.0; ROOM];
    linear(meter, &mut room);
    others(meter, &mut room);
}

/// DenseShape layers and convolutions, forward and backward.
#[inline(never)]
fn linear(meter: &mut dyn Meter, room: &mut [f32]) {
    for (name, shape) in &DENSE {
        let Some(layer) = Layer::new(room, shape.input_len(), shape.weights(), shape.outputs(), shape.output_len())
        else {
            meter.skip("f32_dense", name, TOO_LARGE);
            continue;
        };
        let shape = black_box(shape);
        meter.kernel("f32_dense", name, Work::Macs(shape.macs()), &mut || {
            let _ = dense::forward(shape, layer.weights, Some(layer.bias), layer.input, layer.output);
        });
        meter.kernel("f32_dense_backward", name, Work::Macs(shape.macs()), &mut || {
            let _ = dense::backward(
                shape,
                layer.weights,
                layer.input,
                layer.output,
                Gradients { input: Some(layer.d_input), weights: Some(layer.d_weights), bias: Some(layer.d_bias) },
            );
        });
        meter.kernel("f32_dense_sgd", name, Work::Macs(shape.macs()), &mut || {
            let _ = dense::backward_sgd(
                shape,
                1e-9,
                layer.weights,
                Some(layer.bias),
                layer.input,
                layer.output,
                Some(layer.d_input),
            );
        });
    }
    for (name, shape) in &CONV2D {
        let Some(layer) =
            Layer::new(room, shape.input_len(), shape.weights(), shape.output().channels, shape.output_len())
        else {
            meter.skip("f32_conv2d", name, TOO_LARGE);
            continue;
        };
        let shape = black_box(shape);
        meter.kernel("f32_conv2d", name, Work::Macs(shape.macs()), &mut || {
            let _ = conv2d::forward(shape, layer.weights, Some(layer.bias), layer.input, layer.output);
        });
        meter.kernel("f32_conv2d_backward", name, Work::Macs(shape.macs()), &mut || {
            let _ = conv2d::backward(
                shape,
                layer.weights,
                layer.input,
                layer.output,
                Gradients { input: Some(layer.d_input), weights: Some(layer.d_weights), bias: Some(layer.d_bias) },
            );
        });
    }
    for (name, shape) in &DEPTHWISE {
        let Some(layer) =
            Layer::new(room, shape.input_len(), shape.weights(), shape.output().channels, shape.output_len())
        else {
            meter.skip("f32_depthwise", name, TOO_LARGE);
            continue;
        };
        let shape = black_box(shape);
        meter.kernel("f32_depthwise", name, Work::Macs(shape.macs()), &mut || {
            let _ = depthwise::forward(shape, layer.weights, Some(layer.bias), layer.input, layer.output);
        });
        meter.kernel("f32_depthwise_backward", name, Work::Macs(shape.macs()), &mut || {
            let _ = depthwise::backward(
                shape,
                layer.weights,
                layer.input,
                layer.output,
                Gradients { input: Some(layer.d_input), weights: Some(layer.d_weights), bias: Some(layer.d_bias) },
            );
        });
        meter.kernel("f32_depthwise_sgd", name, Work::Macs(shape.macs()), &mut || {
            let _ = depthwise::backward_sgd(
                shape,
                1e-9,
                layer.weights,
                Some(layer.bias),
                layer.input,
                layer.output,
                Some(layer.d_input),
            );
        });
    }
}

/// The first elements, without a panic of the harness's own.
fn first(slice: &mut [f32], length: usize) -> &mut [f32] {
    slice.get_mut(..length).unwrap_or_default()
}

const SIDE: Image = Image::hwc(6, 6, 4);
const POOL: Pool2dShape = shape!(Window2d::over(SIDE, WindowSize::hw(2, 2)).stride(2, 2).pool());
const ROWS: Rows = shape!(Rows::new(36, 4));
const SMALL: Conv2dShape = shape!(Window2d::over(SIDE, WindowSize::hw(3, 3)).same().stride(2, 2).conv(6));
const ELEMENTS: usize = SIDE.len();

/// Everything that has no multiply-accumulates to speak of, over 144 elements each, and the rarer convolutions.
#[inline(never)]
fn others(meter: &mut dyn Meter, room: &mut [f32]) {
    let Some(Layer { input, weights, bias, output, d_input, d_weights, d_bias }) =
        Layer::new(room, ELEMENTS, SMALL.weights(), 6, ELEMENTS)
    else {
        meter.skip("f32_others", "6x6x4", TOO_LARGE);
        return;
    };
    let (pool, rows, small) = (black_box(&POOL), black_box(&ROWS), black_box(&SMALL));
    let elements = Work::Elements(ELEMENTS);
    let macs = Work::Macs(SMALL.macs());
    let mut indices = [0; max::indices_len(&POOL)];
    meter.kernel("f32_max_pool", "6x6x4 2x2", elements, &mut || {
        let _ = max::forward(pool, input, first(output, POOL.output_len()), Some(&mut indices));
        let _ = max::backward(pool, &indices, first(output, POOL.output_len()), d_input);
    });
    meter.kernel("f32_average_pool", "6x6x4 2x2", elements, &mut || {
        let _ = average::forward(pool, average::Divisor::Input, input, first(output, POOL.output_len()));
        let _ = average::backward(pool, average::Divisor::Kernel, first(output, POOL.output_len()), d_input);
    });
    meter.kernel("f32_global_average", "6x6x4", elements, &mut || {
        let _ = global::average(black_box(&SIDE), input, first(output, 4));
        let _ = global::average_backward(black_box(&SIDE), first(output, 4), d_input);
    });
    let (gamma, beta) = ([1.0; 4], [0.0; 4]);
    let (mut d_gamma, mut d_beta) = ([0.0; 4], [0.0; 4]);
    let (mut stash, mut scratch) = ([0.0; 8], [0.0; 8]);
    let (mut mean, mut variance) = ([0.0; 4], [1.0; 4]);
    meter.kernel("f32_batch_norm", "36x4 training", elements, &mut || {
        let running = batch::Running { mean: &mut mean, variance: &mut variance, momentum: 0.1 };
        let _ = batch::forward_training(rows, 1e-5, &gamma, &beta, Some(running), input, output, &mut stash);
        let gradients = norm::Gradients { input: Some(d_input), gamma: Some(&mut d_gamma), beta: Some(&mut d_beta) };
        let _ = batch::backward_training(rows, &gamma, input, &stash, output, gradients, &mut scratch);
    });
    meter.kernel("f32_batch_norm", "36x4 inference", elements, &mut || {
        let _ = batch::forward_inference(rows, 1e-5, &gamma, &beta, &mean, &variance, input, output);
        let gradients = norm::Gradients { input: Some(d_input), gamma: Some(&mut d_gamma), beta: Some(&mut d_beta) };
        let _ = batch::backward_inference(rows, 1e-5, &gamma, &mean, &variance, input, output, gradients);
        let _ = batch::fold(1e-5, &gamma, &beta, &mean, &variance, first(d_weights, 8), first(d_bias, 4));
    });
    meter.kernel("f32_layer_norm", "36x4", elements, &mut || {
        let _ = layer::forward(rows, 1e-5, &gamma, &beta, input, output);
        let gradients = norm::Gradients { input: Some(d_input), gamma: Some(&mut d_gamma), beta: Some(&mut d_beta) };
        let _ = layer::backward(rows, 1e-5, &gamma, input, output, gradients);
    });
    meter.kernel("f32_dropout", "144", elements, &mut || {
        let _ = dropout::forward(0.5, &mut Pcg32::seed_from_u64(1), input, output);
        let _ = dropout::backward(0.5, &mut Pcg32::seed_from_u64(1), output, d_input);
    });
    let table = black_box(shape!(Embedding::new(36, 4)));
    meter.kernel("f32_embedding", "3 of 36x4", elements, &mut || {
        let _ = embedding::forward(&table, input, black_box(&[3, 35, 3]), first(output, 12));
        let _ = embedding::backward(&table, black_box(&[3, 35, 3]), first(output, 12), d_input);
        let _ = residual::add(d_input, input);
    });
    let labels = [1; 36];
    meter.kernel("f32_cross_entropy", "36x4", elements, &mut || {
        let _ = black_box(loss::cross_entropy(rows, 0.1, input, &labels, d_input));
    });
    meter.kernel("f32_losses", "144", elements, &mut || {
        let _ = black_box(loss::mean_squared(input, output, d_input));
        let _ = black_box(loss::mean_absolute(input, output, d_input));
        let _ = black_box(loss::huber(1.0, input, output, d_input));
        let _ = black_box(loss::binary_cross_entropy(input, output, d_input));
    });
    let mut state = [0.0; 2 * ELEMENTS];
    let schedule = Schedule { rate: 0.01, warm_up: 2, anneal: Anneal::Cosine { steps: 10, floor: 0.0 } };
    fn step<O: Optimiser<f32>>(
        mut optimiser: O,
        rate: f32,
        values: &mut [f32],
        gradient: &mut [f32],
        state: &mut [f32],
    ) {
        optimiser.set_rate(rate);
        if let (Ok(parameter), Some(state)) =
            (Parameter::weights(values, gradient), state.get_mut(..O::STATES * ELEMENTS))
        {
            let _ = optimiser.step(&mut [parameter], state);
        }
    }
    let rate = schedule.rate(black_box(3));
    meter.kernel("f32_sgd", "144", elements, &mut || step(Sgd::new(0.1), rate, input, d_input, &mut state));
    meter.kernel("f32_momentum", "144", elements, &mut || {
        step(Momentum::nesterov(0.1, 0.9), rate, input, d_input, &mut state);
    });
    meter.kernel("f32_rms_prop", "144", elements, &mut || step(RmsProp::new(0.1), rate, input, d_input, &mut state));
    meter.kernel("f32_adagrad", "144", elements, &mut || step(Adagrad::new(0.1), rate, input, d_input, &mut state));
    meter.kernel("f32_adam", "144", elements, &mut || step(Adam::w(0.1, 0.01), rate, input, d_input, &mut state));
    let mut active = [false; 4];
    let mut standardiser = Standardiser::<f32, 4>::new();
    meter.kernel("f32_clip", "144", elements, &mut || {
        if let Ok(parameter) = Parameter::weights(input, d_input) {
            let mut parameters = [parameter];
            let _ = black_box(parameter::regularise(&mut parameters, 0.01));
            let _ = black_box(clip::global_norm(&mut parameters, 1.0));
            clip::value(&mut parameters, 0.5);
            let _ = black_box(clip::GradientScaler::new(4).unscale(&mut parameters));
        }
        let _ = black_box(diagnostics::same_sign_fraction(d_input));
        let _ = diagnostics::mark_active(rows, output, &mut active);
        let _ = black_box(diagnostics::dead_units(&active));
        standardiser.observe(&gamma);
        let _ = black_box(standardiser.apply(&gamma));
    });
    let mut random = Pcg32::seed_from_u64(1);
    meter.kernel("f32_initialise", "144", elements, &mut || {
        let fans = Fans { input: 12, output: 12 };
        init::xavier_uniform(fans, &mut random, d_input);
        init::xavier_normal(fans, &mut random, d_input);
        init::he_uniform(fans, &mut random, d_input);
        init::he_normal(fans, &mut random, d_input);
        init::lecun_uniform(fans, &mut random, d_input);
        init::lecun_normal(fans, &mut random, d_input);
        init::zeros(d_input);
        let _ = init::orthogonal(12, 12, 1.0, &mut random, d_input);
    });
    let out = SMALL.output_len();
    meter.kernel("f32_flipped", "6x6x4 3x3 6", macs, &mut || {
        let _ = flipped::forward(small, weights, Some(bias), input, first(output, out));
    });
    meter.kernel("f32_flipped_backward", "6x6x4 3x3 6", macs, &mut || {
        let gradients = Gradients {
            input: Some(d_input),
            weights: Some(d_weights),
            bias: Some(first(d_bias, SMALL.output().channels)),
        };
        let _ = flipped::backward(small, weights, input, first(output, out), gradients);
    });
    meter.kernel("f32_plane", "6x6 3x3 same", Work::Macs(36 * 9), &mut || {
        let (Ok(image), Ok(kernel)) = (Plane::new(6, 6, first(input, 36)), Plane::new(3, 3, first(weights, 9))) else {
            return;
        };
        let _ = plane::cross_correlate(kernel, image, Mode::Same, first(output, 36));
        let _ = plane::convolve(kernel, image, Mode::Same, first(output, 36));
    });
    meter.kernel("f32_transposed", "3x3x6 3x3 4", macs, &mut || {
        let _ = transposed::forward(small, weights, Some(&gamma), first(output, out), d_input);
        let gradients =
            Gradients { input: Some(first(output, out)), weights: Some(d_weights), bias: Some(&mut d_beta) };
        let _ = transposed::backward(small, weights, first(input, out), d_input, gradients);
    });
    let mut patches = [0.0; im2col::scratch_len(&SMALL)];
    meter.kernel("f32_im2col", "6x6x4 3x3 6", macs, &mut || {
        let _ = im2col::forward(small, weights, Some(bias), input, first(output, out), &mut patches);
        let _ = im2col::col2im(small, 1, &patches, d_input);
    });
    meter.kernel("f32_conv2d_sgd", "6x6x4 3x3 6", macs, &mut || {
        let _ = conv2d::backward_sgd(small, 1e-9, weights, Some(bias), input, first(output, out), Some(d_input));
    });
}

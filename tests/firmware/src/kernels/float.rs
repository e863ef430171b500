//! The f32 layers, forward and backward. Each takes the whole of what it needs from one buffer of floats.

use smolnn_core::{Conv2d, Dense, DepthwiseConv2d, Image, Kernel, Window2d, shape};
use smolnn_float::conv::{conv2d, depthwise};
use smolnn_float::{Gradients, dense};

use super::{Meter, Random, TOO_LARGE, Work};

const ROOM: usize = if cfg!(smolnn_small_board) { 1024 } else { 64 * 1024 };

const DENSE: [(&str, Dense); 4] = [
    ("16-10", shape!(Dense::new(1, 16, 10))),
    ("64-32", shape!(Dense::new(1, 64, 32))),
    ("128-128", shape!(Dense::new(1, 128, 128))),
    ("61-33", shape!(Dense::new(1, 61, 33))),
];

const CONV2D: [(&str, Conv2d); 5] = [
    ("8x8x1 3x3 8 same", shape!(Window2d::over(Image::hwc(8, 8, 1), Kernel::hw(3, 3)).same().conv(8))),
    ("8x8x8 3x3 16 same", shape!(Window2d::over(Image::hwc(8, 8, 8), Kernel::hw(3, 3)).same().conv(16))),
    ("8x8x16 3x3 16 same", shape!(Window2d::over(Image::hwc(8, 8, 16), Kernel::hw(3, 3)).same().conv(16))),
    ("8x8x32 1x1 32", shape!(Window2d::over(Image::hwc(8, 8, 32), Kernel::hw(1, 1)).conv(32))),
    ("64x8 k5 16", shape!(Window2d::over(Image::sequence(64, 8), Kernel::taps(5)).same().conv(16))),
];

const DEPTHWISE: [(&str, DepthwiseConv2d); 1] =
    [("8x8x16 3x3 same", shape!(Window2d::over(Image::hwc(8, 8, 16), Kernel::hw(3, 3)).same().depthwise(1)))];

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
    for (name, shape) in &DENSE {
        let Some(layer) = Layer::new(&mut room, shape.input_len(), shape.weights(), shape.outputs, shape.output_len())
        else {
            meter.skip("f32_dense", name, TOO_LARGE);
            continue;
        };
        let shape = core::hint::black_box(shape);
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
            Layer::new(&mut room, shape.input_len(), shape.weights(), shape.output.channels, shape.output_len())
        else {
            meter.skip("f32_conv2d", name, TOO_LARGE);
            continue;
        };
        let shape = core::hint::black_box(shape);
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
            Layer::new(&mut room, shape.input_len(), shape.weights(), shape.output.channels, shape.output_len())
        else {
            meter.skip("f32_depthwise", name, TOO_LARGE);
            continue;
        };
        let shape = core::hint::black_box(shape);
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
    }
}

//! The competitors: each kernel as one writes it without thinking of speed. Quantised sums become outputs by a float.

use std::hint::black_box;

use host_tests::oracle;
use micromath::F32Ext;
use smolnn_core::{Conv2dShape, DepthwiseConv2dShape, Image, Pool2dShape, Window};

use crate::kernels::{Random, elements, float, int8};

/// What a competitor is called, and a call of it.
type Competitor = (&'static str, Box<dyn FnMut()>);

/// The competitors of a kernel on a shape, both as the firmware's list calls them.
pub fn competitors(kernel: &str, shape: &str) -> Vec<Competitor> {
    let naive = |call: Box<dyn FnMut()>| vec![("naive", call)];
    match kernel {
        "conv2d" => naive(int8_conv2d(named(&int8::CONV2D, shape))),
        // A dense layer is a convolution of single pixels.
        "dense" => naive(int8_conv2d(named(&int8::DENSE, shape).as_conv2d())),
        "depthwise_conv2d" => naive(int8_depthwise(named(&int8::DEPTHWISE, shape))),
        "average_pool2d" => naive(pool(named(&elements::POOLS, shape), |values| {
            let (sum, count) = values.fold((0, 0), |(sum, count), value| (sum + i32::from(value), count + 1));
            (sum as f32 / count as f32).round() as i8
        })),
        "max_pool2d" => naive(pool(named(&elements::MAX_POOLS, shape), |values| values.max().unwrap_or(i8::MIN))),
        "softmax" => naive(int8_softmax(shape.trim_start_matches("1x").parse().expect("a number of columns"))),
        "gru" if shape.starts_with("in28 hid20") => naive(gru(28, 20, 28)),
        "gru" => naive(gru(40, 64, 49)),
        "f32_gru" if shape == "6-16" => naive(gru(6, 16, 1)),
        "f32_conv2d" => naive(f32_conv2d(named(&float::CONV2D, shape))),
        "f32_dense" => naive(f32_conv2d(named(&float::DENSE, shape).as_conv2d())),
        "f32_depthwise" => {
            let shape = named(&float::DEPTHWISE, shape);
            let (weights, bias) = (floats(shape.weights()), floats(shape.output().channels));
            let input = floats(shape.input_len());
            naive(Box::new(move || _ = black_box(oracle::depthwise(&shape, &weights, &bias, &input))))
        }
        "f32_softmax" => {
            let input = floats(1024);
            let mut output = vec![0.0; input.len()];
            naive(Box::new(move || {
                for (x, y) in input.chunks(64).zip(output.chunks_mut(64)) {
                    softmax(x, y);
                }
                black_box(&mut output);
            }))
        }
        "f32_sigmoid" => vec![("micromath", each(|x| 1.0 / (1.0 + F32Ext::exp(-x))))],
        "f32_tanh" => vec![("micromath", each(|x| 1.0 - 2.0 / (1.0 + F32Ext::exp(2.0 * x))))],
        _ => Vec::new(),
    }
}

/// The shape of that name.
fn named<T: Copy>(shapes: &[(&str, T)], name: &str) -> T {
    let found = shapes.iter().find(|(other, _)| *other == name);
    found.unwrap_or_else(|| panic!("no shape is called {name}")).1
}

fn bytes(length: usize) -> Vec<i8> {
    let mut values = vec![0; length];
    Random::new().bytes(&mut values);
    values
}

/// Spread over −1..1.
fn floats(length: usize) -> Vec<f32> {
    let mut random = Random::new();
    (0..length).map(|_| (random.bits() >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

/// A function of one number over as many as the firmware's list has, spread over −8..8.
fn each(function: impl Fn(f32) -> f32 + 'static) -> Box<dyn FnMut()> {
    let input: Vec<f32> = floats(1024).into_iter().map(|x| 8.0 * x).collect();
    let mut output = vec![0.0; input.len()];
    Box::new(move || {
        for (y, &x) in output.iter_mut().zip(&input) {
            *y = function(x);
        }
        black_box(&mut output);
    })
}

/// The input position that an output sees at a tap, or none in the padding.
fn position(window: &Window, output: usize, tap: usize) -> Option<usize> {
    (output * window.stride() + tap * window.dilation()).checked_sub(window.before()).filter(|&at| at < window.input())
}

/// Zero point of the input.
const ZERO_POINT: i32 = 5;

/// The output of a sum, which spreads over some thousands.
fn requantise(sum: i32) -> i8 {
    (sum as f32 * 0.0007).round() as i8
}

/// A convolution: each output is the sum of what `term` gives for its channel, for each tap that does not lie in the padding and the input's pixel under it.
fn convolve(
    (rows, columns): (Window, Window),
    width: usize,
    to: Image,
    output: &mut [i8],
    term: impl Fn(usize, usize, usize) -> i32,
) {
    for y in 0..to.height {
        for x in 0..to.width {
            for channel in 0..to.channels {
                let mut sum = 0;
                for tap_row in 0..rows.kernel() {
                    for tap in 0..columns.kernel() {
                        if let (Some(row), Some(column)) = (position(&rows, y, tap_row), position(&columns, x, tap)) {
                            sum += term(channel, tap_row * columns.kernel() + tap, row * width + column);
                        }
                    }
                }
                output[(y * to.width + x) * to.channels + channel] = requantise(sum);
            }
        }
    }
}

fn product(weight: i8, value: i8) -> i32 {
    i32::from(weight) * (i32::from(value) - ZERO_POINT)
}

fn int8_conv2d(shape: Conv2dShape) -> Box<dyn FnMut()> {
    let (weights, input) = (bytes(shape.weights()), bytes(shape.input_len()));
    let mut output = vec![0; shape.output_len()];
    let (windows, from) = ((shape.rows(), shape.columns()), shape.input());
    let taps = shape.rows().kernel() * shape.columns().kernel();
    Box::new(move || {
        convolve(windows, from.width, shape.output(), &mut output, |channel, tap, pixel| {
            let weights = &weights[(channel * taps + tap) * from.channels..][..from.channels];
            let values = &input[pixel * from.channels..][..from.channels];
            weights.iter().zip(values).map(|(&weight, &value)| product(weight, value)).sum()
        });
        black_box(&mut output);
    })
}

fn int8_depthwise(shape: DepthwiseConv2dShape) -> Box<dyn FnMut()> {
    let (weights, input) = (bytes(shape.weights()), bytes(shape.input_len()));
    let mut output = vec![0; shape.output_len()];
    let (windows, from, to) = ((shape.rows(), shape.columns()), shape.input(), shape.output());
    Box::new(move || {
        convolve(windows, from.width, to, &mut output, |channel, tap, pixel| {
            let value = input[pixel * from.channels + channel / shape.multiplier()];
            product(weights[tap * to.channels + channel], value)
        });
        black_box(&mut output);
    })
}

/// A pooling, given what it makes of the values in a window.
fn pool(shape: Pool2dShape, of: impl Fn(&mut dyn Iterator<Item = i8>) -> i8 + 'static) -> Box<dyn FnMut()> {
    let input = bytes(shape.input_len());
    let mut output = vec![0; shape.output_len()];
    Box::new(move || {
        let (from, to, rows, columns) = (shape.input(), shape.output(), shape.rows(), shape.columns());
        for y in 0..to.height {
            for x in 0..to.width {
                for channel in 0..to.channels {
                    let mut window = (0..rows.kernel() * columns.kernel()).filter_map(|tap| {
                        let row = position(&rows, y, tap / columns.kernel())?;
                        let column = position(&columns, x, tap % columns.kernel())?;
                        Some(input[(row * from.width + column) * from.channels + channel])
                    });
                    output[(y * to.width + x) * to.channels + channel] = of(&mut window);
                }
            }
        }
        black_box(&mut output);
    })
}

/// By `libm`, in floats.
fn softmax(x: &[f32], y: &mut [f32]) {
    let most = x.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = libm::expf(x - most);
        sum += *y;
    }
    for y in y {
        *y /= sum;
    }
}

fn int8_softmax(columns: usize) -> Box<dyn FnMut()> {
    let input = bytes(columns);
    let (mut real, mut output) = (vec![0.0; columns], vec![0; columns]);
    Box::new(move || {
        let x: Vec<f32> = input.iter().map(|&x| 0.06 * f32::from(x)).collect();
        softmax(&x, &mut real);
        for (output, y) in output.iter_mut().zip(&real) {
            *output = (y * 256.0 - 128.0).round() as i8;
        }
        black_box(&mut output);
    })
}

fn f32_conv2d(shape: Conv2dShape) -> Box<dyn FnMut()> {
    let (weights, bias) = (floats(shape.weights()), floats(shape.output().channels));
    let input = floats(shape.input_len());
    Box::new(move || _ = black_box(oracle::conv2d(&shape, &weights, &bias, &input)))
}

/// Steps of a GRU in f32 with `libm`, the reset gate acting on the product.
fn gru(inputs: usize, hidden: usize, steps: usize) -> Box<dyn FnMut()> {
    let (w, u) = (floats(3 * hidden * inputs), floats(3 * hidden * hidden));
    let x = floats(inputs * steps);
    let mut state = vec![0.0; hidden];
    let product = |matrix: &[f32], row: usize, vector: &[f32]| -> f32 {
        let row = &matrix[row * vector.len()..(row + 1) * vector.len()];
        row.iter().zip(vector).map(|(weight, value)| weight * value).sum()
    };
    let sigmoid = |x: f32| 1.0 / (1.0 + libm::expf(-x));
    Box::new(move || {
        for x in x.chunks(inputs) {
            let old = state.clone();
            for (unit, state) in state.iter_mut().enumerate() {
                let update = sigmoid(product(&w, unit, x) + product(&u, unit, &old));
                let reset = sigmoid(product(&w, hidden + unit, x) + product(&u, hidden + unit, &old));
                let candidate = product(&w, 2 * hidden + unit, x) + reset * product(&u, 2 * hidden + unit, &old);
                *state = (1.0 - update) * libm::tanhf(candidate) + update * old[unit];
            }
        }
        black_box(&mut state);
    })
}

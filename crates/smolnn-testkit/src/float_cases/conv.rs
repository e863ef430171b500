//! Recorded convolutions: plain, grouped, depthwise and transposed, over images and sequences.

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape, Image, Window2d, WindowSize};
use smolnn_float::Gradients;
use smolnn_float::conv::{conv2d, depthwise, transposed};

use super::{Bench, Case, Recording, SUMS, Stop, Tensor};

/// What these recordings hold.
pub(super) static CASES: &[Case] = &[
    Case {
        operators: &["conv1d", "conv2d"],
        kernels: &[
            "conv/conv2d.rs::forward",
            "conv/conv2d.rs::backward",
            "conv/depthwise.rs::forward",
            "conv/depthwise.rs::backward",
        ],
        tolerance: SUMS,
        run: convolution,
    },
    Case {
        operators: &["conv_transpose1d", "conv_transpose2d"],
        kernels: &["conv/transposed.rs::forward", "conv/transposed.rs::backward"],
        tolerance: SUMS,
        run: transposed_convolution,
    },
];

/// The window of a case: kernel sizes are the last two lengths, of which a 1-D case has one.
pub(super) fn window(recording: &Recording<'_>, image: Image, batch: usize, kernel: WindowSize) -> Window2d {
    let axes = |key, default| {
        let (rows, columns) = recording.pair(key, default);
        if recording.op.contains("1d") { (default, rows) } else { (rows, columns) }
    };
    let (stride, dilation) = (axes("stride", 1), axes("dilation", 1));
    let (rows, columns) = axes("padding", 0);
    Window2d::over(image, kernel)
        .batch(batch)
        .stride(stride.0, stride.1)
        .dilation(dilation.0, dilation.1)
        .padding(rows, rows, columns, columns)
        .groups(recording.pair("groups", 1).0)
}

/// Batch and image of a recorded tensor, NCHW or NCL.
pub(super) fn image(recording: &Recording<'_>, tensor: &Tensor<'_>) -> (usize, Image) {
    let [batch, channels, a, b] = tensor.shape;
    if recording.op.contains("1d") {
        (batch, Image::sequence(a, channels))
    } else {
        (batch, Image::hwc(a, b, channels))
    }
}

/// Kernel of recorded weights, OIHW or OIK.
pub(super) fn kernel(recording: &Recording<'_>, weights: &Tensor<'_>) -> WindowSize {
    let [_, _, a, b] = weights.shape;
    if recording.op.contains("1d") { WindowSize::taps(a) } else { WindowSize::hw(a, b) }
}

fn convolution(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (input, weights) = (bench.tensor("x")?, bench.tensor("w")?);
    let (batch, image) = image(bench.recording, &input);
    let window = window(bench.recording, image, batch, kernel(bench.recording, &weights));
    let outputs = weights.shape[0];
    let shape: Conv2dShape = window.conv(outputs)?;
    let (x, w) = (bench.read_channels_last("x")?, bench.read_channels_last("w")?);
    let (b, gy) = (bench.read_optional("b")?, bench.read_channels_last("gy")?);
    let y = bench.zeros(shape.output_len())?;
    conv2d::forward(&shape, w, b, x, y)?;
    bench.expect_channels_last("y", y)?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(w.len())?, bench.zeros(outputs)?);
    let gradients = Gradients { input: Some(dx), weights: Some(dw), bias: Some(db) };
    conv2d::backward(&shape, w, x, gy, gradients)?;
    bench.expect_channels_last("d_x", dx)?;
    bench.expect_channels_last("d_w", dw)?;
    if b.is_some() {
        bench.expect("d_b", db)?;
    }
    if shape.group_inputs() != 1 || shape.groups() == 1 {
        return Ok(());
    }
    // One input channel per group: a depthwise convolution, whose kernel has its weights the other way round.
    let shape: DepthwiseConv2dShape = window.groups(1).depthwise(outputs / shape.groups())?;
    let taps = shape.depth();
    let turned = bench.zeros(w.len())?;
    for (index, turned) in turned.iter_mut().enumerate() {
        *turned = w[index % outputs * taps + index / outputs];
    }
    depthwise::forward(&shape, turned, b, x, y)?;
    bench.expect_channels_last("y", y)?;
    let (d_turned, dx, db) = (bench.zeros(w.len())?, bench.zeros(x.len())?, bench.zeros(outputs)?);
    let gradients = Gradients { input: Some(dx), weights: Some(d_turned), bias: Some(db) };
    depthwise::backward(&shape, turned, x, gy, gradients)?;
    for (index, &d) in d_turned.iter().enumerate() {
        dw[index % outputs * taps + index / outputs] = d;
    }
    bench.expect_channels_last("d_x", dx)?;
    bench.expect_channels_last("d_w", dw)?;
    if b.is_some() {
        bench.expect("d_b", db)?;
    }
    Ok(())
}

fn transposed_convolution(bench: &mut Bench<'_, '_>) -> Result<(), Stop> {
    let (input, output, weights) = (bench.tensor("x")?, bench.tensor("y")?, bench.tensor("w")?);
    let (batch, large) = image(bench.recording, &output);
    let window = window(bench.recording, large, batch, kernel(bench.recording, &weights));
    let shape = window.conv(input.shape[1])?;
    let channels = large.channels;
    let (x, w) = (bench.read_channels_last("x")?, bench.read_channels_last("w")?);
    let (b, gy) = (bench.read_optional("b")?, bench.read_channels_last("gy")?);
    let y = bench.zeros(shape.input_len())?;
    transposed::forward(&shape, w, b, x, y)?;
    bench.expect_channels_last("y", y)?;
    let (dx, dw, db) = (bench.zeros(x.len())?, bench.zeros(w.len())?, bench.zeros(channels)?);
    let gradients = Gradients { input: Some(dx), weights: Some(dw), bias: Some(db) };
    transposed::backward(&shape, w, x, gy, gradients)?;
    bench.expect_channels_last("d_x", dx)?;
    bench.expect_channels_last("d_w", dw)?;
    if b.is_some() {
        bench.expect("d_b", db)?;
    }
    Ok(())
}

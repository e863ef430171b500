//! Random shapes with all options, small enough for differences.

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape, Image, Pool2dShape, Window2d, WindowSize};
use smolnn_float::random::Pcg32;

use crate::gradient::{below, between};

/// A window with random size, stride, dilation and padding, over `channels` channels. May be one without an output.
fn window(generator: &mut Pcg32, channels: usize) -> Window2d {
    let sequence = below(generator, 3) == 0;
    let height = if sequence { 1 } else { between(generator, 1, 6) };
    let input = Image::hwc(height, between(generator, 1, 7), channels);
    let kernel = WindowSize::hw(if sequence { 1 } else { between(generator, 1, 3) }, between(generator, 1, 4));
    let window = Window2d::over(input, kernel)
        .batch(between(generator, 1, 2))
        .stride(between(generator, 1, 3), between(generator, 1, 3))
        .dilation(between(generator, 1, 2), between(generator, 1, 3));
    match below(generator, 5) {
        0 => window,
        1 => window.same(),
        2 => window.full(),
        3 => window.causal(),
        _ => {
            let mut padding = || below(generator, 3);
            window.padding(padding(), padding(), padding(), padding())
        }
    }
}

/// A convolution: grouped, pointwise, strided, dilated, padded, a batch.
pub fn conv2d(generator: &mut Pcg32) -> Conv2dShape {
    loop {
        let groups = [1, 1, 1, 2, 3][below(generator, 5)];
        let channels = groups * between(generator, 1, 3);
        let outputs = groups * between(generator, 1, 5);
        let window = if below(generator, 5) == 0 {
            let input = Image::hwc(between(generator, 1, 3), between(generator, 1, 3), channels);
            Window2d::over(input, WindowSize::hw(1, 1)).batch(between(generator, 1, 2))
        } else {
            window(generator, channels)
        };
        if let Ok(shape) = window.groups(groups).conv(outputs)
            && shape.output_len() <= 400
        {
            return shape;
        }
    }
}

/// A depthwise convolution, with or without a multiplier.
pub fn depthwise(generator: &mut Pcg32) -> DepthwiseConv2dShape {
    loop {
        let channels = between(generator, 1, 4);
        let multiplier = between(generator, 1, 3);
        if let Ok(shape) = window(generator, channels).depthwise(multiplier)
            && shape.output_len() <= 400
        {
            return shape;
        }
    }
}

/// A pooling.
pub fn pool(generator: &mut Pcg32) -> Pool2dShape {
    loop {
        let channels = between(generator, 1, 4);
        if let Ok(shape) = window(generator, channels).pool()
            && shape.output_len() <= 400
        {
            return shape;
        }
    }
}

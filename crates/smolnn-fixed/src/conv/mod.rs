//! Convolutions, int8.

mod conv2d;
mod depthwise;

pub use conv2d::{Conv2dLayer, conv2d, conv2d_scratch};
pub use depthwise::{DepthwiseConv2dLayer, depthwise_conv2d, depthwise_conv2d_scratch};

//! Arm v7E-M and v8-M with DSP.

pub(crate) use super::portable::{conv2d, dense, depthwise_conv2d};

//! Convolutions, int8 and int16.

mod conv2d;
mod depthwise;
mod grouped;
mod int16;
mod transpose;

pub use conv2d::{Conv2d, conv2d};
pub use depthwise::{DepthwiseConv2d, depthwise_conv2d};
pub use grouped::{GroupedConv2d, grouped_conv2d};
pub use int16::{
    Conv2dInt16, DepthwiseConv2dInt16, LARGEST_SUM, Sums, WeightsInt16, conv2d_int16, depthwise_conv2d_int16,
};
pub(crate) use int16::{dot as dot_int16, finish_short};
pub use transpose::{TransposeConv2d, TransposeConv2dInt16, transpose_conv2d, transpose_conv2d_int16};

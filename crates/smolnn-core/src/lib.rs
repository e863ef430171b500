//! Shapes, window geometry, errors and costs: what every smolnn kernel and the importer agree on.
//!
//! Nothing here computes on tensors. A shape is a value, checked where it is made; [`shape!`] makes it at compile
//! time, so that a wrong one does not compile:
//!
//! ```
//! use smolnn_core::{Conv2d, Image, Kernel, Window2d, shape};
//!
//! const CONV: Conv2d = shape!(Window2d::over(Image::hwc(8, 8, 1), Kernel::hw(3, 3)).same().stride(2, 2).conv(16));
//! assert_eq!(CONV.output, Image::hwc(4, 4, 16));
//! assert_eq!(CONV.weights(), 16 * 3 * 3);
//! ```
//!
//! Layout is NHWC everywhere, "convolution" means cross-correlation, and a length counts elements, not bytes.
#![no_std]

mod cost;
mod error;
mod shape;
mod window;

pub use cost::{Cost, OptimiserKind, Precision, parameters, train_bytes};
pub use error::ShapeError;
pub use shape::{Conv2d, Dense, DepthwiseConv2d, Image, Kernel, Pool2d, Window2d};
pub use window::{Window, same_padding};

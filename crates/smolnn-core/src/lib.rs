//! Shapes, window geometry, errors and costs, and the list of backends: what every smolnn kernel and the importer agree on.
//!
//! Nothing here computes on tensors. A shape is a value, checked where it is made; [`shape!`] makes it at compile
//! time, so that a wrong one does not compile:
//!
//! ```
//! use smolnn_core::{Conv2dShape, Image, WindowSize, Window2d, shape};
//!
//! const CONV: Conv2dShape = shape!(Window2d::over(Image::hwc(8, 8, 1), WindowSize::hw(3, 3)).same().stride(2, 2).conv(16));
//! assert_eq!(CONV.output(), Image::hwc(4, 4, 16));
//! assert_eq!(CONV.weights(), 16 * 3 * 3);
//! ```
//!
//! What was checked cannot be changed afterwards: the fields of shapes are private, so that no safe program hands a kernel a
//! shape that its constructor has not seen.
//!
//! ```compile_fail,E0616
//! use smolnn_core::{Image, Window2d, WindowSize};
//!
//! let mut conv = Window2d::over(Image::hwc(4, 4, 1), WindowSize::hw(3, 3)).conv(2)?;
//! conv.output.height = 8; // a private field
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```
//!
//! Layout is NHWC everywhere, "convolution" means cross-correlation, and a length counts elements, not bytes.
#![no_std]

mod axis;
mod backend;
mod broadcast;
mod comparison;
mod cost;
mod custom;
mod error;
mod gru;
mod history;
mod sequence;
mod shape;
mod window;

pub use axis::Axis;
pub use backend::{Backend, Target};
pub use broadcast::{BROADCAST_RANK, Broadcast, Runs};
pub use comparison::Comparison;
pub use cost::{Cost, OptimiserKind, Precision, parameters, train_bytes};
pub use custom::{CustomOperator, CustomTensor};
pub use error::ShapeError;
#[doc(hidden)]
pub use error::{excluded, excluded_run};
pub use gru::{Reset, Update};
#[doc(hidden)]
pub use history::forget_oldest;
pub use sequence::SequenceOrder;
pub use shape::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, Pool2dShape, Window2d, WindowSize};
pub use window::{Window, same_padding};

impl Backend {
    /// The backend of this build.
    pub const CURRENT: Self = {
        let name = env!("SMOLNN_BACKEND").as_bytes();
        let mut index = 0;
        // The build script writes one of these names.
        while !is_equal(Self::ALL[index].name().as_bytes(), name) {
            index += 1;
        }
        Self::ALL[index]
    };
}

/// `==` in constants.
const fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

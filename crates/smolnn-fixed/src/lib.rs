//! Integer neural-network kernels, bit-exact with TensorFlow Lite Micro's reference kernels.
//!
//! Firmware reaches this crate through `smolnn`. The layers, from the bottom:
//!
//! - [`quantise`]: scales become integer multipliers, accumulators are rounded. Nowhere else.
//! - `backend`: the bodies of the kernels. `backend/portable` is safe Rust for any target and the specification; a folder per
//!   backend holds what pays there. [`Backend::CURRENT`] says which one this build has.
//! - [`pack`]: the layouts of weights, one per backend, all of them available everywhere: the importer packs on the host
//!   for the target.
//! - the operators ([`conv`], [`dense`], …): thin functions that check lengths once and call the body.
//!
//! Tensors are slices in NHWC order; [`Tensors`] says whether input and output are apart or share a buffer.
//!
//! ```
//! use smolnn_core::{Conv2dShape, Image, WindowSize, Window2d, shape};
//! use smolnn_fixed::conv::{Conv2d, conv2d};
//! use smolnn_fixed::quantise::{Multiplier, OutputRange};
//! use smolnn_fixed::{Backend, Channel, Separate, Weights, pack};
//!
//! const SHAPE: Conv2dShape = shape!(Window2d::over(Image::hwc(2, 2, 1), WindowSize::hw(2, 2)).conv(1));
//! let weights = Weights {
//!     values: &[1, 2, 3, 4],
//!     bias: &[10],
//!     multipliers: &[Multiplier::from_f64(0.5)],
//!     input_zero_point: 0,
//! };
//! let output = OutputRange::int8(0);
//! let mut words = [0; 4];
//! let mut channels = [Channel::default(); 1];
//! let packed = pack::conv2d(Backend::CURRENT, &SHAPE, &weights, &output, &mut words, &mut channels)?;
//! let layer = Conv2d::new(SHAPE, &words[..packed.words], &channels, packed.layout, output, 0)?;
//!
//! let mut result = [0];
//! let mut scratch = [0; 64];
//! conv2d(&layer, Separate { input: &[1, 1, 1, 1], output: &mut result }, &mut scratch)?;
//! assert_eq!(result, [10]); // (1 + 2 + 3 + 4 + 10) / 2
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```
#![no_std]

pub mod act;
pub mod arena;
pub mod axis;
#[allow(unsafe_code)] // Its only room.
mod backend;
pub mod conv;
pub mod convert;
pub mod dense;
pub mod dense_int16;
mod element;
pub mod elementwise;
pub mod gather;
pub mod l2_norm;
pub mod log_softmax;
pub mod matmul;
pub mod movement;
pub mod pad;
pub mod pool;
pub mod q;
pub mod quantise;
pub mod random;
pub mod real;
pub mod reduce;
pub mod resize;
pub mod rnn;
pub mod softmax;
pub mod softmax_int16;
pub mod space_to_batch;
pub mod state;
mod tensors;
pub mod transcendental;
pub mod update_slice;

pub use backend::pack;
pub use element::Element;
pub use pack::{Channel, Weights};
pub use smolnn_core::Backend;
pub use tensors::{Operands, Overlapping, OverlappingPair, Separate, SeparatePair, Source, Tensors, WithRight};

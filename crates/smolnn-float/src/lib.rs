//! Neural-network kernels on real numbers, with every gradient: to train on the device, or to check what is quantised.
//!
//! Everything is generic over [`Real`], which is `f32` in firmware and `f64` where results are checked; what is linear needs
//! only [`Number`] and runs on integers too, exactly. Nothing allocates: weights, gradients, state and stash are the caller's,
//! their lengths `const fn`.
//!
//! | room | holds |
//! |---|---|
//! | [`dense`], [`conv`], [`pool`], [`norm`], [`dropout`], [`residual`], [`embedding`] | layers as functions over slices: shape, weights, input, output; the backward pass stands under the forward pass |
//! | [`layer`] | layers that own their parameters, with all lengths in the type |
//! | [`elementwise`], [`axis`], [`reduce`], [`matmul`], [`resize`], [`l2_norm`], [`rnn::Svdf`] | what inference needs besides, without gradients |
//! | [`loss`], [`optimiser`], [`init`], [`clip`], [`standardise`], [`diagnostics`] | what a training loop needs around them |
//!
//! Weights lie as TensorFlow Lite stores them: dense layers `[output][input]`, convolutions OHWI, depthwise ones 1HWC; a
//! [transposed convolution](conv::transposed) takes `[channel in][row][column][channel out]`, where TensorFlow Lite has its
//! channels the other way round. Inference keeps nothing: `forward` of a layer takes no stash, [`pool::max`] no indices, and
//! [`rnn::Sequence::infer`] runs a cell over a sequence. [`elementwise::clamp`] is a fused activation.
//!
//! The rules: gradients **accumulate**, losses write; what a [`Gradients`] does not name is not computed; lengths are checked
//! when slices are bound to a shape, in the first lines of a call, and after that nothing can fail or panic.
//!
//! ```
//! use smolnn_core::{DenseShape, shape};
//! use smolnn_float::{Gradients, dense};
//!
//! const LAYER: DenseShape = shape!(DenseShape::new(1, 3, 2)); // one vector, 3 inputs, 2 outputs: a wrong shape does not compile
//! let (weights, bias, input) = ([1.0, -2.0, 0.5, 0.25, 0.0, -1.0], [0.1, -0.2], [1.0, 2.0, -1.0]);
//! let mut output = [0.0; 2];
//! dense::forward(&LAYER, &weights, Some(&bias), &input, &mut output)?;
//! assert_eq!(output, [-3.4, 1.05]);
//!
//! let (mut d_input, mut d_weights) = ([0.0; 3], [0.0; 6]);
//! let gradients = Gradients { input: Some(&mut d_input), weights: Some(&mut d_weights), bias: None };
//! dense::backward(&LAYER, &weights, &input, &[1.0, -1.0], gradients)?;
//! assert_eq!(d_input, [0.75, -2.0, 1.5]);
//! # Ok::<(), smolnn_core::ShapeError>(())
//! ```
#![no_std]

#[cfg(test)]
extern crate std;

pub mod act;
#[allow(unsafe_code)]
mod arch;
pub mod axis;
pub mod clip;
pub mod conv;
pub mod dense;
pub mod diagnostics;
pub mod dropout;
pub mod elementary;
pub mod elementwise;
pub mod embedding;
mod gradients;
pub mod init;
pub mod l2_norm;
pub mod layer;
pub mod loss;
pub mod matmul;
pub mod norm;
mod number;
pub mod optimiser;
mod panels;
pub mod parameter;
pub mod pool;
pub mod random;
mod real;
pub mod reduce;
pub mod residual;
pub mod resize;
pub mod rnn;
mod rows;
mod sink;
mod slices;
pub mod standardise;

pub use arch::FUSES_F32;
#[doc(hidden)]
pub use arch::{Panel, Walk};
pub use gradients::Gradients;
pub use number::Number;
pub use parameter::Parameter;
pub use real::Real;
pub use rows::Rows;

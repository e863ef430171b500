//! Activations, int8 and int16, and in the Q formats.
//!
//! An int8 activation is a [`Table`] of 256 outputs, built at compile time: by the reference's own integer sequence where
//! the reference has one ([`Table::logistic`], [`Table::tanh`], [`Table::hard_swish`], [`Table::leaky_relu`],
//! [`Table::relu`], [`Table::abs`], [`Table::rsqrt`], [`Table::requantise`]), from real numbers elsewhere ([`Table::elu`], [`table!`](crate::table)).
//! ReLU, ReLU6 and their like cost nothing as the output range of the operator before them.
#![doc = include_str!("cost.md")]

mod abs;
mod corners;
mod elements;
mod elu;
mod hard_swish;
mod int16;
mod leaky_relu;
mod logistic;
mod prelu;
pub mod q15;
pub mod q15_small;
mod q15_tables;
mod relu;
mod rsqrt;
mod table;

pub use abs::{AbsInt16, abs_int16};
pub use corners::{Corners, interpolate_int16};
pub use int16::{Interpolation, logistic_int16, tanh_int16};
pub(crate) use int16::{logistic_q12, tanh_value};
pub use leaky_relu::{LeakyRelu, leaky_relu_int16};
pub use prelu::{Prelu, prelu};
pub use relu::{ReluInt16, relu_int16};
pub use rsqrt::{RsqrtInt16, rsqrt_int16};
pub use table::{Table, lookup};

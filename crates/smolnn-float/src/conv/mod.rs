//! Convolutions. "Convolution" means cross-correlation, as everywhere in the field; [`flipped`] is the other one.
//!
//! A 1-D convolution is the 2-D one over an [`Image::sequence`](smolnn_core::Image::sequence) with
//! [`Kernel::taps`](smolnn_core::Kernel::taps): no kernel of its own, no cost of its own. A pointwise (1×1) one runs as a
//! dense layer over the pixels, without im2col.

pub mod conv2d;
pub mod depthwise;
pub mod flipped;
pub mod im2col;
pub mod plane;
pub mod transposed;

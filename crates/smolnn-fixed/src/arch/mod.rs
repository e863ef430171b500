//! The bodies of the kernels. `portable` always compiles and is the specification; a folder per backend overrides what
//! pays there. A layer whose weights have the portable layout runs the portable body on every build, so that tests hold
//! a backend against the specification on the target itself. Which body serves an operator in this build is said here and nowhere else.

pub(crate) mod portable;

use smolnn_core::{Conv2d, Dense, DepthwiseConv2d, ShapeError};

use crate::pack::{Layout, portable::words};

pub(crate) use portable::{conv2d, dense, depthwise_conv2d};

/// Checks that this build runs the layout and that the words are as many as it reads.
pub(crate) const fn check_conv2d_words(shape: &Conv2d, layout: Layout, found: usize) -> Result<(), ShapeError> {
    check_portable(layout, shape.weights(), found)
}

/// As [`check_conv2d_words`].
pub(crate) const fn check_depthwise_conv2d_words(
    shape: &DepthwiseConv2d,
    layout: Layout,
    found: usize,
) -> Result<(), ShapeError> {
    check_portable(layout, shape.weights(), found)
}

/// As [`check_conv2d_words`].
pub(crate) const fn check_dense_words(shape: &Dense, layout: Layout, found: usize) -> Result<(), ShapeError> {
    check_portable(layout, shape.weights(), found)
}

const fn check_portable(layout: Layout, weights: usize, found: usize) -> Result<(), ShapeError> {
    if layout.0 != Layout::PORTABLE.0 {
        return Err(ShapeError::Range("the weights are packed for another backend than this build runs"));
    }
    ShapeError::check_length("the packed words", words(weights), found)
}

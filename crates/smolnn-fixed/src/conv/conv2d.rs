//! 2-D convolution, int8: y[o] = clamp(z_out + M_o · (b_o + Σ_k w[o, k] · (x[k] − z_in))).
//!
//! - Layout: NHWC input and output; weights packed by [`pack::conv2d`](crate::pack::conv2d).
//! - Accumulators are i32: |x·w| ≤ 2^14 each, so that a depth below 2^16 with |bias| < 2^30 cannot overflow; beyond that
//!   they wrap, as the reference's do.
//! - Rounding: [`Multiplier::apply`](crate::quantise::Multiplier::apply), once per output.
//! - Held by: `conv_*` goldens and random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{Conv2dShape, ShapeError};

use crate::pack::{Channel, Layout, PackedLayer, PackedShape, overlap_gap};
use crate::quantise::OutputRange;
use crate::{Tensors, backend};

/// A convolution with its packed weights, checked.
pub type Conv2d<'a> = PackedLayer<'a, Conv2dShape>;

impl<'a> Conv2d<'a> {
    /// A layer of weights packed by [`pack::conv2d`](crate::pack::conv2d) for the backend that will run it.
    ///
    /// # Errors
    /// [`ShapeError`] when the layout does not fit the shape or is not one that this build runs, words or channels are not as
    /// many as it says, the convolution has groups, or a zero point or the clamp lies outside of int8.
    pub const fn new(
        shape: Conv2dShape,
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
        output: OutputRange,
        input_zero_point: i32,
    ) -> Result<Self, ShapeError> {
        let shapes = (shape, PackedShape::Conv2d(shape), overlap_gap(layout, &shape));
        match output.check_int8(input_zero_point) {
            Ok(zero_point) => Self::checked(shapes, words, channels, layout, output, zero_point),
            Err(error) => Err(error),
        }
    }
}

/// Runs the convolution, row by row. `scratch` has at least [`PackedLayer::scratch_words`] words.
///
/// # Errors
/// [`ShapeError`] when input, output or scratch have other lengths than the shape says, or overlap where they must not.
// Inlined, so that of a constant layer the checks vanish and no body but the one of its layout is linked.
#[inline(always)]
pub fn conv2d(layer: &Conv2d<'_>, mut tensors: impl Tensors<i8>, scratch: &mut [u32]) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    tensors.check(shape.input_len(), shape.output_len(), layer.overlap_gap)?;
    ShapeError::check_capacity("the scratch", layer.scratch_words, scratch.len())?;
    backend::conv2d(layer, &mut tensors, scratch);
    Ok(())
}

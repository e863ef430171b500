//! 2-D convolution, int8: y[o] = clamp(z_out + M_o · (b_o + Σ_k w[o, k] · (x[k] − z_in))).
//!
//! - Layout: NHWC input and output; weights packed by [`pack::conv2d`](crate::pack::conv2d).
//! - Accumulators are i32: |x·w| ≤ 2^14 each, so that a depth below 2^16 with |bias| < 2^30 cannot overflow; beyond that
//!   they wrap, as the reference's do.
//! - Rounding: [`Multiplier::apply`](crate::quantise::Multiplier::apply), once per output.
//! - Held by: `conv_*` goldens and random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{Conv2dShape, ShapeError};

use crate::pack::{self, Channel, Layout};
use crate::quantise::OutputRange;
use crate::{Tensors, backend};

/// A convolution with its packed weights, checked.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d<'a> {
    pub(crate) shape: Conv2dShape,
    pub(crate) words: &'a [u32],
    pub(crate) channels: &'a [Channel],
    pub(crate) layout: Layout,
    pub(crate) output: OutputRange,
    pub(crate) input_zero_point: i8,
    /// What running checks, found when the layer is made.
    scratch_words: usize,
    overlap_gap: usize,
}

impl<'a> Conv2d<'a> {
    /// A layer of weights packed by [`pack::conv2d`](crate::pack::conv2d) for the backend that will run it.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, the layout is not one that this build runs, or the zero point
    /// or clamp lies outside of int8.
    pub const fn new(
        shape: Conv2dShape,
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
        output: OutputRange,
        input_zero_point: i32,
    ) -> Result<Self, ShapeError> {
        if shape.groups() != 1 {
            return Err(ShapeError::Range("the int8 convolution takes no groups"));
        }
        let needs = pack::conv2d_needs(layout, &shape);
        if let Err(error) = needs.check(layout, words.len(), channels.len()) {
            return Err(error);
        }
        let (scratch_words, overlap_gap) = (needs.scratch, shape.overlap_gap());
        match output.check_int8(input_zero_point) {
            Ok(input_zero_point) => {
                Ok(Self { shape, words, channels, layout, output, input_zero_point, scratch_words, overlap_gap })
            }
            Err(error) => Err(error),
        }
    }

    /// Words of scratch memory that the layer needs.
    pub const fn scratch_words(&self) -> usize {
        self.scratch_words
    }

    /// The layout of the weights.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The shape.
    pub const fn shape(&self) -> &Conv2dShape {
        &self.shape
    }
}

/// Words of scratch memory that [`conv2d`] needs with weights of the layout.
pub const fn conv2d_scratch(layout: Layout, shape: &Conv2dShape) -> usize {
    pack::conv2d_needs(layout, shape).scratch
}

/// Runs the convolution, row by row. `scratch` has at least [`Conv2d::scratch_words`] words.
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

//! Dense (fully connected) layer, int8: `y[o] = clamp(z_out + M_o · (b_o + Σ_i w[o, i] · (x[i] − z_in)))`.
//!
//! - Layout: vectors one behind the other; weights packed by [`pack::dense`].
//! - Accumulators, rounding: as [`conv2d`](crate::conv::conv2d).
//! - Held by: `fc_*` goldens and random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{DenseShape, ShapeError};

use crate::pack::{self, Channel, Layout};
use crate::quantise::OutputRange;
use crate::{Tensors, backend};

/// A dense layer with its packed weights, checked.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a> {
    pub(crate) shape: DenseShape,
    pub(crate) words: &'a [u32],
    pub(crate) channels: &'a [Channel],
    pub(crate) layout: Layout,
    pub(crate) output: OutputRange,
    /// What running checks, found when the layer is made.
    scratch_words: usize,
    overlap_gap: usize,
}

impl<'a> Dense<'a> {
    /// A layer of weights packed by [`pack::dense`] for the backend that will run it.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, the layout is not one that this build runs, or the
    /// clamp lies outside of int8.
    pub const fn new(
        shape: DenseShape,
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
        output: OutputRange,
    ) -> Result<Self, ShapeError> {
        let needs = pack::dense_needs(layout, &shape);
        if let Err(error) = needs.check(layout, words.len(), channels.len()) {
            return Err(error);
        }
        let (scratch_words, overlap_gap) = (needs.scratch, shape.overlap_gap());
        match output.check_int8(0) {
            Ok(_) => Ok(Self { shape, words, channels, layout, output, scratch_words, overlap_gap }),
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
    pub const fn shape(&self) -> &DenseShape {
        &self.shape
    }
}

/// Words of scratch memory that [`dense`] needs with weights of the layout.
pub const fn dense_scratch(layout: Layout, shape: &DenseShape) -> usize {
    pack::dense_needs(layout, shape).scratch
}

/// Runs the layer. `scratch` has at least [`Dense::scratch_words`] words.
///
/// # Errors
/// [`ShapeError`] when input, output or scratch have other lengths than the shape says, or overlap where they must not.
// Inlined, so that of a constant layer the checks vanish and no body but the one of its layout is linked.
#[inline(always)]
pub fn dense(layer: &Dense<'_>, mut tensors: impl Tensors<i8>, scratch: &mut [u32]) -> Result<(), ShapeError> {
    let shape = &layer.shape;
    tensors.check(shape.input_len(), shape.output_len(), layer.overlap_gap)?;
    ShapeError::check_capacity("the scratch", layer.scratch_words, scratch.len())?;
    backend::dense(layer, &mut tensors, scratch);
    Ok(())
}

/// A dense layer from int8 to int16 with its packed weights, checked: what recurrent cells are made of. One vector, zero
/// point 0, saturated to the whole range.
#[derive(Clone, Copy, Debug)]
pub struct DenseToInt16<'a> {
    pub(crate) shape: DenseShape,
    pub(crate) words: &'a [u32],
    pub(crate) channels: &'a [Channel],
    pub(crate) layout: Layout,
}

impl<'a> DenseToInt16<'a> {
    /// A layer of weights packed by [`pack::dense_to_int16`] for the backend that will run it.
    ///
    /// # Errors
    /// [`ShapeError`] when lengths do not fit the shape, the batch is not 1, or the layout is not one that this build runs.
    pub const fn new(
        shape: DenseShape,
        words: &'a [u32],
        channels: &'a [Channel],
        layout: Layout,
    ) -> Result<Self, ShapeError> {
        if shape.batch() != 1 {
            return Err(ShapeError::Range("a dense layer to int16 takes one vector"));
        }
        match pack::dense_to_int16_needs(layout, &shape).check(layout, words.len(), channels.len()) {
            Ok(()) => Ok(Self { shape, words, channels, layout }),
            Err(error) => Err(error),
        }
    }

    /// Words of scratch memory that the layer needs.
    pub const fn scratch_words(&self) -> usize {
        pack::dense_to_int16_needs(self.layout, &self.shape).scratch
    }

    /// The shape.
    pub const fn shape(&self) -> &DenseShape {
        &self.shape
    }
}

/// Runs a layer from int8 to int16. `scratch` has at least [`DenseToInt16::scratch_words`] words.
///
/// # Errors
/// [`ShapeError`] when input, output or scratch have other lengths than the shape says.
#[inline]
pub fn dense_to_int16(
    layer: &DenseToInt16<'_>,
    input: &[i8],
    output: &mut [i16],
    scratch: &mut [u32],
) -> Result<(), ShapeError> {
    ShapeError::check_length("the input", layer.shape.inputs(), input.len())?;
    ShapeError::check_length("the output", layer.shape.outputs(), output.len())?;
    ShapeError::check_capacity("the scratch", layer.scratch_words(), scratch.len())?;
    backend::dense_to_int16(layer, input, output, scratch);
    Ok(())
}

//! The backends, with a folder each that holds the packing of weights and the bodies. `portable` always compiles and is the
//! specification; the others override the operators where that pays. Packing is compiled everywhere, since the importer packs on
//! the host for the target; bodies are compiled in the builds that run them. The list of backends and of the cores that have
//! them is [`smolnn_core::Backend`].
//!
//! [`Bodies`] says which body serves an operator in this build, here and nowhere else. A layer whose weights have the portable
//! layout runs the portable body on every build, so that tests hold a backend against the specification on the target itself.

mod costs;
#[cfg(any(bodies = "dsp", bodies = "helium"))]
mod dense_int16;
mod dsp;
mod helium;
mod layer;
pub mod pack;
mod pieces;
mod portable;
mod scalar;
mod winograd;

#[cfg(bodies = "dsp")]
pub(crate) use dsp::Dsp as Chosen;
#[cfg(bodies = "helium")]
pub(crate) use helium::Helium as Chosen;
pub(crate) use pieces::Pieces;
#[cfg(bodies = "portable")]
pub(crate) use portable::Portable as Chosen;
#[cfg(bodies = "scalar")]
pub(crate) use scalar::Scalar as Chosen;

use smolnn_core::{Pool2dShape, ShapeError};

use crate::act::q15::Q12;
use crate::conv::{Conv2d, DepthwiseConv2d};
use crate::dense::{Dense, DenseToInt16};
use crate::element::Element;
use crate::elementwise::{self, Add, AddInt16, Mul, Pairs};
use crate::pack::{Channel, Layout};
use crate::pool::Kind;
use crate::q::Q15;
use crate::quantise::OutputRange;
use crate::rnn::svdf::{Svdf, filters_portable};
use crate::tensors::{Operands, Source, Tensors};

/// The bodies and the small properties of a backend. Bodies that it leaves out are the portable ones. Bodies of layers with packed
/// weights are called for the backend's own layouts only.
pub(crate) trait Bodies {
    /// Whether one instruction multiplies 32 by 32 bits to 64.
    const HAS_LONG_PRODUCTS: bool = true;
    /// Whether four neighbouring bytes are best read as one word.
    const READS_WORDS: bool = true;
    /// Whether a group of elements is best read before the first of it is written, which takes fewer registers.
    const READS_AHEAD: bool = false;
    /// Whether an instruction shifts its operand at no cost.
    const HAS_FREE_SHIFTS: bool = false;
    /// Whether slices take the small polynomials of sigmoid and tanh, which cost fewer instructions where vectors gather pieces.
    const GATHERS_PIECES: bool = false;

    /// Runs a convolution.
    fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
        portable::conv2d(layer, tensors, scratch);
    }

    /// Runs a depthwise convolution that is not packed as a convolution.
    fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
        portable::depthwise_conv2d(layer, tensors, scratch);
    }

    /// Runs a dense layer.
    fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
        portable::dense(layer, tensors, scratch);
    }

    /// Runs a dense layer to int16.
    fn dense_to_int16(layer: &DenseToInt16<'_>, input: &[i8], output: &mut [i16], scratch: &mut [u32]) {
        portable::dense_to_int16(layer, input, output, scratch);
    }

    /// Runs a dense layer on one vector of int16 inputs, with rows of unpacked weights and channels in short form.
    fn dense_int16(input: &[i16], weights: &[i8], channels: &[Channel], range: &OutputRange, output: &mut [i16]) {
        portable::dense_int16(input, weights, channels, range, output);
    }

    /// Runs a pooling and gives true, or gives false where the loops of [`pool`](crate::pool) have to run it.
    #[inline(always)]
    fn pool2d<T: Element>(
        _shape: &Pool2dShape,
        _kind: Kind,
        _minimum: i32,
        _maximum: i32,
        _tensors: &mut impl Tensors<T>,
    ) -> bool {
        false
    }

    /// Runs an int8 sum that leaves room for the zero point in front of its shift to the right.
    #[inline(always)]
    fn add<P: Pairs>(layer: &Add<P>, operands: impl Operands<i8>) -> Result<(), ShapeError> {
        elementwise::add_shifted(layer, operands)
    }

    /// Runs an int16 sum whose multiplier shifts to the right.
    #[inline(always)]
    fn add_int16<P: Pairs>(layer: &AddInt16<P>, operands: impl Operands<i16>) -> Result<(), ShapeError> {
        elementwise::add_shifted_int16(layer, operands)
    }

    /// Runs a product.
    #[inline(always)]
    fn mul<T: Element, P: Pairs>(layer: &Mul<P>, operands: impl Operands<T>) -> Result<(), ShapeError> {
        elementwise::mul_portable(layer, operands)
    }

    /// Moves every element but the first to the place before it.
    #[inline(always)]
    fn forget_oldest<T: Element>(values: &mut [T]) {
        smolnn_core::forget_oldest(values);
    }

    /// Runs the filter of every unit of an SVDF over its histories.
    #[inline(always)]
    fn filters<S: Element>(layer: &Svdf<'_, S>, state: &[S], output: &mut [i8]) {
        filters_portable(layer, state, output);
    }

    /// The largest of the values, of which there is one at least.
    #[inline(always)]
    fn largest(values: impl Source<i8>) -> i32 {
        if Self::HAS_FREE_SHIFTS { portable::largest_in_words(values) } else { portable::largest(values) }
    }

    /// Runs tanh or sigmoid on as many elements at the front as a loop of the backend takes. Gives the elements that are left to
    /// the loops of [`q15`](crate::act::q15) and [`q15_small`](crate::act::q15_small).
    #[inline(always)]
    fn q15_front<'a, const TANH: bool, const N: usize>(
        _pieces: &Pieces<N>,
        input: &'a [Q12],
        output: &'a mut [Q15],
    ) -> (&'a [Q12], &'a mut [Q15]) {
        (input, output)
    }
}

/// Runs a convolution.
#[inline(always)]
pub(crate) fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    match layer.layout {
        Layout::Portable => portable::conv2d(layer, tensors, scratch),
        _ => Chosen::conv2d(layer, tensors, scratch),
    }
}

/// Runs a depthwise convolution.
#[inline(always)]
pub(crate) fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    match (layer.layout, layer.as_conv2d()) {
        (Layout::Portable, _) => portable::depthwise_conv2d(layer, tensors, scratch),
        (_, Some(conv)) => Chosen::conv2d(&conv, tensors, scratch),
        _ => Chosen::depthwise_conv2d(layer, tensors, scratch),
    }
}

/// Runs a dense layer.
#[inline(always)]
pub(crate) fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    match layer.layout {
        Layout::Portable => portable::dense(layer, tensors, scratch),
        _ => Chosen::dense(layer, tensors, scratch),
    }
}

/// Runs a dense layer to int16.
#[inline(always)]
pub(crate) fn dense_to_int16(layer: &DenseToInt16<'_>, input: &[i8], output: &mut [i16], scratch: &mut [u32]) {
    match layer.layout {
        Layout::Portable => portable::dense_to_int16(layer, input, output, scratch),
        _ => Chosen::dense_to_int16(layer, input, output, scratch),
    }
}

//! The table of bodies: one for each operator that Helium has a kernel for.

use smolnn_core::{Pool2dShape, ShapeError};

use super::{conv2d, dense, dense_int16, depthwise, elementwise, pool, svdf};
use crate::backend::Bodies;
use crate::conv::{Conv2d, DepthwiseConv2d};
use crate::dense::{Dense, DenseToInt16};
use crate::element::Element;
use crate::elementwise::{Add, AddInt16, Mul, Pairs};
use crate::pack::Channel;
use crate::pool::Kind;
use crate::quantise::OutputRange;
use crate::rnn::svdf::Svdf;
use crate::tensors::{Operands, Tensors};

/// The backend of cores with Helium.
pub(crate) struct Helium;

impl Bodies for Helium {
    const GATHERS_PIECES: bool = true;

    #[inline(always)]
    fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
        conv2d::conv2d(layer, tensors, scratch);
    }

    #[inline(always)]
    fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
        depthwise::depthwise_conv2d(layer, tensors, scratch);
    }

    #[inline(always)]
    fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
        dense::dense(layer, tensors, scratch);
    }

    fn dense_to_int16(layer: &DenseToInt16<'_>, input: &[i8], output: &mut [i16], scratch: &mut [u32]) {
        dense::dense_to_int16(layer, input, output, scratch);
    }

    fn dense_int16(input: &[i16], weights: &[i8], channels: &[Channel], range: &OutputRange, output: &mut [i16]) {
        dense_int16::dense_int16(input, weights, channels, range, output);
    }

    #[inline(always)]
    fn pool2d<T: Element>(
        shape: &Pool2dShape,
        kind: Kind,
        minimum: i32,
        maximum: i32,
        tensors: &mut impl Tensors<T>,
    ) -> bool {
        pool::pool2d(shape, kind, minimum, maximum, tensors)
    }

    #[inline(always)]
    fn add<P: Pairs>(layer: &Add<P>, operands: impl Operands<i8>) -> Result<(), ShapeError> {
        elementwise::add(layer, operands)
    }

    #[inline(always)]
    fn add_int16<P: Pairs>(layer: &AddInt16<P>, operands: impl Operands<i16>) -> Result<(), ShapeError> {
        elementwise::add_int16(layer, operands)
    }

    #[inline(always)]
    fn forget_oldest<T: Element>(values: &mut [T]) {
        svdf::forget_oldest(values);
    }

    #[inline(always)]
    fn filters<S: Element>(layer: &Svdf<'_, S>, state: &[S], output: &mut [i8]) {
        svdf::filters(layer, state, output);
    }

    #[inline(always)]
    fn mul<T: Element, P: Pairs>(layer: &Mul<P>, operands: impl Operands<T>) -> Result<(), ShapeError> {
        elementwise::mul(layer, operands)
    }
}

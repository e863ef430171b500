//! The table of bodies: one for each operator that the DSP extension has a kernel for.

use smolnn_core::Pool2dShape;

use super::{conv2d, dense, dense_int16, dense_to_int16, depthwise, pool, q15};
use crate::act::q15::Q12;
use crate::backend::{Bodies, Pieces};
use crate::conv::{Conv2d, DepthwiseConv2d};
use crate::dense::{Dense, DenseToInt16};
use crate::element::Element;
use crate::pack::Channel;
use crate::pool::Kind;
use crate::q::Q15;
use crate::quantise::OutputRange;
use crate::tensors::{Source, Tensors};

/// The backend of cores with the DSP extension.
pub(crate) struct Dsp;

impl Bodies for Dsp {
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
        dense_to_int16::dense_to_int16(layer, input, output, scratch);
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
    fn largest(values: impl Source<i8>) -> i32 {
        pool::largest(values)
    }

    #[inline(always)]
    fn q15_front<'a, const TANH: bool, const N: usize>(
        pieces: &Pieces<N>,
        input: &'a [Q12],
        output: &'a mut [Q15],
    ) -> (&'a [Q12], &'a mut [Q15]) {
        q15::eights::<TANH, N>(pieces, input, output)
    }
}

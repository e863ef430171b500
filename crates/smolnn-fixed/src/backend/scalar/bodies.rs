//! The table of bodies: one for each operator that these cores have a kernel for.

use smolnn_core::Pool2dShape;

use super::{conv2d, dense, depthwise, pool};
use crate::Backend;
use crate::backend::Bodies;
use crate::conv::{Conv2d, DepthwiseConv2d};
use crate::dense::{Dense, DenseToInt16};
use crate::element::Element;
use crate::pool::Kind;
use crate::tensors::Tensors;

/// The backends of cores that multiply one pair of 32-bit numbers at a time.
pub(crate) struct Scalar;

const IS_V7M: bool = matches!(Backend::CURRENT, Backend::V7m);
const IS_V6M: bool = matches!(Backend::CURRENT, Backend::V6m);
const IS_RV32: bool = matches!(Backend::CURRENT, Backend::Rv32);

impl Bodies for Scalar {
    const HAS_LONG_PRODUCTS: bool = !IS_V6M && !(IS_RV32 && cfg!(smolnn_slow_mulh));
    // The address need not be a multiple of four. RISC-V would load four bytes and put the word together.
    const READS_WORDS: bool = !IS_RV32;
    const READS_AHEAD: bool = IS_V6M;
    const HAS_FREE_SHIFTS: bool = IS_V7M;

    #[inline(always)]
    fn conv2d(layer: &Conv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
        conv2d::conv2d(layer, tensors, scratch);
    }

    #[inline(always)]
    fn depthwise_conv2d(layer: &DepthwiseConv2d<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
        depthwise::depthwise_conv2d(layer, tensors, scratch);
    }

    fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>, _scratch: &mut [u32]) {
        dense::dense(layer, tensors);
    }

    fn dense_to_int16(layer: &DenseToInt16<'_>, input: &[i8], output: &mut [i16], _scratch: &mut [u32]) {
        dense::dense_to_int16(layer, input, output);
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
}

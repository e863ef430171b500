//! Maximum of windows, tap by tap: the first tap is copied to the output, and every other one is compared with it there. That takes a
//! load and a comparison per tap and channel, and the loops over the window run once per pixel, not once per few channels.

use core::cell::Cell;

use smolnn_core::{Pool2dShape, excluded};

use crate::element::Element;
use crate::pool::Kind;
use crate::quantise::clamp;
use crate::tensors::{Source, Tensors};

/// Channels that are compared in a turn of the loop.
const BLOCK: usize = 4;

/// Runs the maximum. The mean is left to the portable body.
#[inline(always)]
pub(super) fn pool2d<T: Element>(
    shape: &Pool2dShape,
    kind: Kind,
    minimum: i32,
    maximum: i32,
    tensors: &mut impl Tensors<T>,
) -> bool {
    if kind != Kind::Maximum {
        return false;
    }
    let (input, output) = tensors.split();
    let channels = shape.output().channels.max(1);
    let (row_step, step) = (shape.rows().dilation() * shape.input().row(), shape.columns().dilation() * channels);
    let mut pixels = output.chunks_exact(channels);
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let (first_row, last_row) = shape.rows().taps(row);
            for position in 0..shape.output().width {
                let Some(pixel) = pixels.next() else { return excluded() };
                let (first, last) = shape.columns().taps(position);
                if first_row >= last_row || first >= last {
                    pixel.iter().for_each(|output| output.set(T::wrap(clamp(T::LEAST, minimum, maximum))));
                    continue;
                }
                let y = image * shape.input().height + shape.rows().position(row, first_row);
                let mut start = (y * shape.input().width + shape.columns().position(position, first)) * channels;
                let mut is_first = true;
                for _ in first_row..last_row {
                    let mut at = start;
                    for _ in first..last {
                        let taps = input.part(at, channels);
                        if is_first {
                            each(pixel, taps, |output, tap| output.set(tap));
                        } else {
                            each(pixel, taps, |output, tap| {
                                if tap.into() > output.get().into() {
                                    output.set(tap);
                                }
                            });
                        }
                        is_first = false;
                        at += step;
                    }
                    start += row_step;
                }
            }
        }
    }
    if minimum > T::LEAST || maximum < T::LARGEST {
        for output in output {
            output.set(T::wrap(clamp(output.get().into(), minimum, maximum)));
        }
    }
    true
}

/// Runs `function` on the outputs of a pixel with the channels of a tap.
#[inline(always)]
fn each<T: Element>(pixel: &[Cell<T>], taps: impl Source<T>, function: impl Fn(&Cell<T>, T)) {
    let (blocks, rest) = pixel.as_chunks::<BLOCK>();
    let (groups, last) = taps.groups::<BLOCK>();
    for (outputs, taps) in blocks.iter().zip(groups) {
        for (output, tap) in outputs.iter().zip(taps) {
            function(output, tap);
        }
    }
    for (output, tap) in rest.iter().zip(last.elements()) {
        function(output, tap);
    }
}

//! Padding of a tensor of up to four axes with a constant (PAD with the zero point, PADV2 with any value), int8 and int16.
//!
//! - Layout: row-major, output length = before + input length + after along each axis.
//! - Nothing is rounded. The output is written from the first element to the last, so that it may grow into the buffer
//!   that holds the input: see [`Pad::overlap_gap`].
//! - Held by: `pad` golden, random shapes against the naive oracle (tests/host/registry/conformance.rs).

use smolnn_core::{ShapeError, excluded_run};

use crate::element::Element;
use crate::tensors::{Source, Tensors};

/// A padding, checked.
#[derive(Clone, Copy, Debug)]
pub struct Pad {
    input: [usize; 4],
    before: [usize; 4],
    after: [usize; 4],
    value: i32,
}

impl Pad {
    /// Pads each axis of `input` with `before` and `after` elements of `value`. Fewer axes have leading ones of length 1. An input of length 0 along an axis
    /// gives padding alone.
    ///
    /// # Errors
    /// [`ShapeError`] when a length of the output is 0, or one is too large.
    pub const fn new(input: [usize; 4], before: [usize; 4], after: [usize; 4], value: i32) -> Result<Self, ShapeError> {
        let mut length: usize = 1;
        let mut axis = 0;
        while axis < 4 {
            if before[axis] == 0 && input[axis] == 0 && after[axis] == 0 {
                return Err(ShapeError::Zero("a length of the padded tensor"));
            }
            const LARGEST: usize = 1 << 24;
            if input[axis] > LARGEST || before[axis] > LARGEST || after[axis] > LARGEST {
                return Err(ShapeError::TooLarge);
            }
            length = match length.checked_mul(before[axis] + input[axis] + after[axis]) {
                Some(length) if length < 1 << 31 => length,
                _ => return Err(ShapeError::TooLarge),
            };
            axis += 1;
        }
        if value < i16::MIN as i32 || value > i16::MAX as i32 {
            return Err(ShapeError::Range("the padding value is not within the tensor's type"));
        }
        Ok(Self { input, before, after, value })
    }

    const fn padded(&self, axis: usize) -> usize {
        self.before[axis] + self.input[axis] + self.after[axis]
    }

    /// Elements of the input.
    pub const fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.input[2] * self.input[3]
    }

    /// Elements of the output.
    pub const fn output_len(&self) -> usize {
        self.padded(0) * self.padded(1) * self.padded(2) * self.padded(3)
    }

    /// The least distance from the output's first element to the input's when they overlap: how far the last element
    /// moves.
    pub const fn overlap_gap(&self) -> usize {
        if self.input_len() == 0 {
            return 0;
        }
        let mut position = 0;
        let mut axis = 0;
        while axis < 4 {
            position = position * self.padded(axis) + self.before[axis] + self.input[axis] - 1;
            axis += 1;
        }
        position + 1 - self.input_len()
    }
}

/// Runs the padding.
///
/// # Errors
/// [`ShapeError`] when input or output have other lengths than the layer says, or overlap where they must not.
pub fn pad<T: Element>(layer: &Pad, mut tensors: impl Tensors<T>) -> Result<(), ShapeError> {
    tensors.check(layer.input_len(), layer.output_len(), layer.overlap_gap())?;
    let value = T::wrap(layer.value);
    let (input, output) = tensors.split();
    let [_, height, width, channels] = layer.input;
    let inside = |axis: usize, at: usize| {
        let from_start = at.wrapping_sub(layer.before[axis & 3]);
        (from_start < layer.input[axis & 3]).then_some(from_start)
    };
    let mut rows = output.chunks_exact(layer.padded(3).max(1));
    for image in 0..layer.padded(0) {
        for row in 0..layer.padded(1) {
            for column in 0..layer.padded(2) {
                let Some(result) = rows.next() else { return excluded_run() };
                let source = match (inside(0, image), inside(1, row), inside(2, column)) {
                    (Some(image), Some(row), Some(column)) => {
                        input.part(((image * height + row) * width + column) * channels, channels)
                    }
                    _ => input.part(0, 0),
                };
                let mut results = result.iter();
                if source.count() > 0 {
                    for result in results.by_ref().take(layer.before[3]) {
                        result.set(value);
                    }
                    for (element, result) in source.elements().zip(results.by_ref()) {
                        result.set(element);
                    }
                }
                for result in results {
                    result.set(value);
                }
            }
        }
    }
    Ok(())
}

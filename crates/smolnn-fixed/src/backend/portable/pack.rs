//! The portable packing: the bytes as TensorFlow Lite stores them, four to a word, little endian.

use crate::pack::{Channel, Needs, PackedShape, Rows};

/// Words that hold `bytes` bytes.
pub(crate) const fn words(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

/// The memory that a layer takes.
pub(crate) const fn needs(shape: &PackedShape) -> Needs {
    let scratch = match shape {
        // The scratch memory holds one column, the patch that a pixel sees.
        PackedShape::Conv2d(shape) => words(shape.depth()),
        // The scratch memory holds a copy of one vector, since the outputs of a batch may overwrite inputs. A batch of one needs none.
        PackedShape::Dense(shape) if shape.batch() > 1 => words(shape.inputs()),
        PackedShape::DepthwiseConv2d(_) | PackedShape::Dense(_) | PackedShape::DenseToInt16(_) => 0,
    };
    Needs { words: words(shape.weights()), channels: shape.outputs() as u64, scratch }
}

/// Writes words and channels. `words` is long enough, there is a channel for every output.
pub(crate) fn write(rows: &Rows<'_>, words: &mut [u32], channels: &mut [Channel]) {
    for (word, bytes) in words.iter_mut().zip(rows.weights.values.chunks(4)) {
        *word = little_endian(bytes);
    }
    for (index, channel) in channels.iter_mut().enumerate() {
        *channel = rows.folded(index);
    }
}

/// Up to four bytes as a word.
pub(crate) fn little_endian(bytes: &[i8]) -> u32 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte as u8))
}

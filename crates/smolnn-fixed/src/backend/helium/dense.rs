//! Dense layer: each vector of the batch is a column.

use super::copy::copy;
use super::matrix::{Columns, Kernels, Matrix, multiply_to_int16};
use super::pack::{CHUNK, Chunks};
use crate::Tensors;
use crate::dense::{Dense, DenseToInt16};

/// A copy of the vector where whole chunks can be read: in the scratch memory, or on the stack if it is one chunk. What lies
/// behind the vector meets weights of zero.
///
/// # Safety
/// `vector` has `inputs` elements, the scratch memory what the layer's needs say.
#[inline(always)]
unsafe fn copied(vector: *const i8, inputs: usize, chunk: &mut [u32; CHUNK / 4], scratch: &mut [u32]) -> *const i8 {
    let column = if inputs <= CHUNK { chunk.as_mut_ptr() } else { scratch.as_mut_ptr() }.cast::<i8>();
    // SAFETY: the vector has `inputs` elements; a chunk holds what is no longer than one, the scratch memory what is longer.
    unsafe { copy(column, vector, inputs) };
    column
}

#[inline(always)]
pub(super) fn dense(layer: &Dense<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    let (input, output) = tensors.pointers();
    // SAFETY: the pointers are those of tensors that the caller checked.
    unsafe { run(layer, Kernels::of(layer.shape.inputs(), layer.shape.outputs()), input, output, scratch) }
}

/// The layer, once in a program, wherever its tensors lie.
///
/// # Safety
/// Input, output and scratch have the lengths that the layer says, and overlap where it allows; the kernels are the layer's.
#[inline(never)]
unsafe fn run(layer: &Dense<'_>, kernels: &'static Kernels, input: *const i8, output: *mut i8, scratch: &mut [u32]) {
    let shape = &layer.shape;
    let depth = kernels.filled(shape.inputs());
    let mut matrix = Matrix::new(kernels, shape.inputs(), layer.words, shape.outputs(), &layer.output);
    let is_copied = shape.batch() > 1 || depth != shape.inputs();
    for vector in 0..shape.batch() {
        let mut first = input.wrapping_add(vector * shape.inputs());
        let mut chunk;
        // SAFETY: the caller checked the lengths of input, output and scratch.
        unsafe {
            if is_copied {
                chunk = [0; CHUNK / 4];
                first = copied(first, shape.inputs(), &mut chunk, scratch);
            }
            let columns = Columns { first, stride: 0, count: 1 };
            matrix.multiply(&columns, output.wrapping_add(vector * shape.outputs()));
        }
    }
}

pub(super) fn dense_to_int16(layer: &DenseToInt16<'_>, input: &[i8], output: &mut [i16], scratch: &mut [u32]) {
    let inputs = layer.shape.inputs();
    let depth = Chunks::of(inputs).depth();
    let mut column = input.as_ptr();
    let mut chunk;
    // SAFETY: the caller checked the lengths of input, output and scratch.
    unsafe {
        if depth != inputs {
            chunk = [0; CHUNK / 4];
            column = copied(column, inputs, &mut chunk, scratch);
        }
        multiply_to_int16(column, inputs, layer.words, output);
    }
}

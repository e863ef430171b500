//! Dense layer: each vector of the batch is a column.

use super::copy::{copy_rows, fill};
use super::matrix::{Columns, multiply, multiply_wide};
use crate::Tensors;
use crate::arch::portable;
use crate::dense::{DenseLayer, WideDenseLayer};
use crate::pack::Layout;
use crate::pack::helium::Chunks;

pub(crate) fn dense(layer: &DenseLayer<'_>, tensors: &mut impl Tensors<i8>, scratch: &mut [u32]) {
    if layer.layout.is(Layout::PORTABLE) {
        return portable::dense(layer, tensors, scratch);
    }
    let shape = &layer.shape;
    let (input, output) = tensors.pointers();
    let depth = Chunks::of(shape.inputs).depth();
    let copied = shape.batch > 1 || depth != shape.inputs;
    for vector in 0..shape.batch {
        let mut first = input.wrapping_add(vector * shape.inputs);
        // SAFETY: the caller checked the lengths of input, output and scratch; the scratch holds a filled-up vector.
        unsafe {
            if copied {
                let column = scratch.as_mut_ptr().cast::<i8>();
                copy_rows(column, first, shape.inputs, 1, 0, 0);
                fill(column.wrapping_add(shape.inputs), 0, depth - shape.inputs);
                first = column;
            }
            let columns = Columns { first, stride: 0, count: 1 };
            let result = output.wrapping_add(vector * shape.outputs);
            multiply(&columns, shape.inputs, layer.words, shape.outputs, &layer.output, result);
        }
    }
}

pub(crate) fn wide_dense(layer: &WideDenseLayer<'_>, input: &[i8], output: &mut [i16], scratch: &mut [u32]) {
    if layer.layout.is(Layout::PORTABLE) {
        return portable::wide_dense(layer, input, output, scratch);
    }
    let inputs = layer.shape.inputs;
    let depth = Chunks::of(inputs).depth();
    let mut column = input.as_ptr();
    // SAFETY: the caller checked the lengths of input, output and scratch; the scratch holds a filled-up vector.
    unsafe {
        if depth != inputs {
            let copy = scratch.as_mut_ptr().cast::<i8>();
            copy_rows(copy, column, inputs, 1, 0, 0);
            column = copy;
        }
        multiply_wide(column, inputs, layer.words, output);
    }
}

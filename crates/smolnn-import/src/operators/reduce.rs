//! MEAN over neighbouring dimensions, int8 and int16.

use smolnn_core::ShapeError;
use smolnn_fixed::quantise::{Affine, OutputRange};
use smolnn_fixed::reduce::{Mean, mean};

use super::{Check, Definition, Kernel, Lowered, affine_text, range_text, simple_call};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::{Element, TensorId};
use crate::memory::{Io, Memory, with_tensors};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] = &[Definition { name: "MEAN", versions: 1..=3, lower }];

#[derive(Debug)]
struct MeanKernel {
    lengths: (usize, usize, usize),
    input: Affine,
    output_scale: f32,
    output: OutputRange,
    layer: Mean,
    element: Element,
}

/// The reduced axes of an operator with the axes as input 1: checks the output's shape, and gives the input as (outer, reduced, inner).
pub(super) fn reduced_axes(
    check: &Check<'_>,
    input: TensorId,
    keep_dims: bool,
) -> Result<(usize, usize, usize), Problem> {
    let shape = &check.tensor(input).shape;
    let id = check.input(1)?;
    let axes = check.integers(id, "axes")?;
    let rank = shape.len() as i64;
    let mut reduced = vec![false; shape.len()];
    for &axis in &axes {
        let wrapped = if axis < 0 { axis.saturating_add(rank) } else { axis };
        match usize::try_from(wrapped).ok().and_then(|axis| reduced.get_mut(axis)) {
            Some(flag) => *flag = true,
            None => return Err(check.tensor_fault(id, format!("axis {axis}"), &format!("axes of {rank} dimensions"))),
        }
    }
    let expected: Vec<usize> = shape
        .iter()
        .zip(&reduced)
        .filter(|&(_, &reduced)| keep_dims || !reduced)
        .map(|(&length, &reduced)| if reduced { 1 } else { length })
        .collect();
    check.output_shape(0, &expected)?;
    // Dimensions of 1 neither matter nor separate.
    let (mut outer, mut middle, mut inner) = (1, 1, 1);
    for (&length, &reduced) in shape.iter().zip(&reduced).filter(|&(&length, _)| length > 1) {
        match (reduced, middle, inner) {
            (true, _, 1) => middle *= length,
            (true, ..) => {
                let found = format!("axes {axes:?} of shape {shape:?}");
                return Err(check.tensor_fault(id, found, "neighbouring axes"));
            }
            (false, 1, _) => outer *= length,
            (false, ..) => inner *= length,
        }
    }
    Ok((outer, middle, inner))
}

fn lower(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=2, 1)?;
    let Options::Reducer(options) = check.operator.options else { return Err(check.no_options()) };
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    let lengths = reduced_axes(check, input.id, options.keep_dims)?;
    let range = output.range(Default::default());
    let layer = check.shape(Mean::new(lengths, input.affine(), output.scale, range))?;
    let kernel = MeanKernel {
        lengths,
        input: input.affine(),
        output_scale: output.scale,
        output: range,
        layer,
        element: input.tensor.element,
    };
    let label = format!("over {}", lengths.1);
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for MeanKernel {
    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(self.layer.overlap_gap() * self.element.bits() / 8)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        match self.element {
            Element::I16 => with_tensors!(memory.tensors::<i16>()?, tensors => mean(&self.layer, tensors)),
            _ => with_tensors!(memory.tensors::<i8>()?, tensors => mean(&self.layer, tensors)),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let (input, output) = (affine_text(&self.input), range_text(&self.output));
        let text = format!("Mean::new({:?}, {input}, {:?}, {output})", self.lengths, self.output_scale);
        simple_call(source, io, "mean", "Mean", &text)
    }
}

//! PAD and PADV2 of up to four dimensions, int8 and int16.

use smolnn_core::ShapeError;
use smolnn_fixed::pad::{Pad, pad};

use super::{Check, Definition, Kernel, Lowered, simple_call};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory, with_tensors};

pub(super) const OPERATORS: &[Definition] =
    &[Definition { name: "PAD", versions: 1..=4, lower }, Definition { name: "PADV2", versions: 1..=4, lower }];

#[derive(Debug)]
struct PadKernel {
    input: [usize; 4],
    before: [usize; 4],
    after: [usize; 4],
    value: i32,
    layer: Pad,
    element: Element,
}

fn lower(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=3, 1)?;
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    check.same_quantisation(&input, &output)?;
    let paddings = check.input(1)?;
    let amounts = check.integers(paddings, "paddings")?;
    let rank = input.shape().len();
    if rank > 4 || rank == 0 {
        return Err(check.tensor_fault(input.id, format!("shape {:?}", input.shape()), "1 to 4 dimensions"));
    }
    if check.tensor(paddings).shape != [rank, 2] {
        let found = format!("paddings of shape {:?}", check.tensor(paddings).shape);
        return Err(check.tensor_fault(paddings, found, &format!("shape [{rank}, 2]")));
    }
    let amounts: Vec<usize> = amounts
        .iter()
        .map(|&amount| usize::try_from(amount).ok().filter(|&amount| amount <= 1 << 24))
        .collect::<Option<_>>()
        .ok_or_else(|| check.tensor_fault(paddings, format!("paddings {amounts:?}"), "0 and above"))?;
    let (mut shape, mut before, mut after) = ([1; 4], [0; 4], [0; 4]);
    for axis in 0..rank {
        let to = 4 - rank + axis;
        (shape[to], before[to], after[to]) = (input.shape()[axis], amounts[2 * axis], amounts[2 * axis + 1]);
    }
    let expected: Vec<usize> = (4 - rank..4).map(|axis| shape[axis] + before[axis] + after[axis]).collect();
    check.output_shape(0, &expected)?;
    let value = match check.optional_input(2) {
        None => output.zero_point,
        Some(id) => {
            check.constant(id, "padding value")?;
            let value = check.quantised(id, &[input.tensor.element])?;
            check.same_quantisation(&input, &value)?;
            let number = value
                .tensor
                .integers()
                .filter(|numbers| numbers.len() == 1)
                .and_then(|numbers| numbers.first().copied());
            number.ok_or_else(|| check.tensor_fault(id, format!("shape {:?}", value.shape()), "one padding value"))?
                as i32
        }
    };
    let layer = check.shape(Pad::new(shape, before, after, value))?;
    let label = format!("{:?}", amounts.chunks(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>());
    let kernel = PadKernel { input: shape, before, after, value, layer, element: input.tensor.element };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for PadKernel {
    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(self.layer.overlap_gap() * self.element.bits() / 8)
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        match self.element {
            Element::I16 => with_tensors!(memory.tensors::<i16>()?, tensors => pad(&self.layer, tensors)),
            _ => with_tensors!(memory.tensors::<i8>()?, tensors => pad(&self.layer, tensors)),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let text = format!("Pad::new({:?}, {:?}, {:?}, {})", self.input, self.before, self.after, self.value);
        simple_call(source, io, "pad", "Pad", &text)
    }
}

//! QUANTIZE and DEQUANTIZE: between float, int8 and int16.

use smolnn_core::ShapeError;
use smolnn_fixed::convert::{Requantise, dequantise, quantise, requantise};
use smolnn_fixed::quantise::Affine;

use super::activation::{Function, table_step};
use super::{Check, Definition, Kernel, Lowered, affine_text};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory};

pub(super) const OPERATORS: &[Definition] = &[
    Definition { name: "QUANTIZE", versions: 1..=3, lower: quantize },
    Definition { name: "DEQUANTIZE", versions: 1..=6, lower: dequantize },
];

#[derive(Debug)]
enum Conversion {
    FromFloat(Affine),
    ToFloat(Affine),
    Between(Affine, Affine, Requantise),
}

#[derive(Debug)]
struct ConvertKernel {
    conversion: Conversion,
    input: Element,
    output: Element,
}

fn quantize(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let id = check.input(0)?;
    let input = check.element(id, &[Element::F32, Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[Element::I8, Element::I16])?;
    check.output_shape(0, &check.tensor(id).shape)?;
    if (input, output.tensor.element) == (Element::I8, Element::I8) {
        // 256 values: a table, which may also run in place.
        let input = check.quantised_input(0, &[Element::I8])?;
        let function = Function::Requantise(input.affine(), output.affine());
        return table_step(check, &input, function, "INT8 to INT8".into());
    }
    let conversion = if input == Element::F32 {
        Conversion::FromFloat(output.affine())
    } else {
        let from = check.quantised(id, &[input])?.affine();
        Conversion::Between(from, output.affine(), check.shape(Requantise::new(from, output.affine()))?)
    };
    let label = format!("{input} to {}", output.tensor.element);
    let kernel = ConvertKernel { conversion, input, output: output.tensor.element };
    Ok(Lowered::Step { inputs: vec![id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

fn dequantize(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(1..=1, 1)?;
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.element(check.output(0)?, &[Element::F32])?;
    check.output_shape(0, input.shape())?;
    let label = format!("{} to {output}", input.tensor.element);
    let kernel = ConvertKernel { conversion: Conversion::ToFloat(input.affine()), input: input.tensor.element, output };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

impl Kernel for ConvertKernel {
    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        match (&self.conversion, self.input, self.output) {
            (Conversion::FromFloat(to), _, Element::I16) => quantise::<i16>(*to, memory.input(0)?, memory.output(0)?),
            (Conversion::FromFloat(to), ..) => quantise::<i8>(*to, memory.input(0)?, memory.output(0)?),
            (Conversion::ToFloat(from), Element::I16, _) => {
                dequantise::<i16>(*from, memory.input(0)?, memory.output(0)?)
            }
            (Conversion::ToFloat(from), ..) => dequantise::<i8>(*from, memory.input(0)?, memory.output(0)?),
            (Conversion::Between(_, _, layer), Element::I16, Element::I16) => {
                requantise::<i16, i16>(layer, memory.input(0)?, memory.output(0)?)
            }
            (Conversion::Between(_, _, layer), Element::I16, _) => {
                requantise::<i16, i8>(layer, memory.input(0)?, memory.output(0)?)
            }
            (Conversion::Between(_, _, layer), ..) => requantise::<i8, i16>(layer, memory.input(0)?, memory.output(0)?),
        }
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let (input, output) = (io.input_text(source, 0), io.output_text(0));
        match &self.conversion {
            Conversion::FromFloat(to) => format!("quantise({}, {input}, {output})", affine_text(to)),
            Conversion::ToFloat(from) => format!("dequantise({}, {input}, {output})", affine_text(from)),
            Conversion::Between(from, to, _) => {
                let text = format!("Requantise::new({}, {})", affine_text(from), affine_text(to));
                let layer = source.layer(io.step, "Requantise", &text);
                format!("requantise(&{layer}, {input}, {output})")
            }
        }
    }
}

//! FULLY_CONNECTED.

use smolnn_core::{DenseShape, ShapeError};
use smolnn_fixed::Weights;
use smolnn_fixed::dense::{Dense, dense, dense_scratch};
use smolnn_fixed::pack;
use smolnn_fixed::quantise::OutputRange;

use super::conv::{LayerWeights, PackedLayer};
use super::wide::{self, WideLayer};
use super::{Check, Definition, Kernel, Lowered, activation_label, range_text};
use crate::emit::Source;
use crate::error::Problem;
use crate::graph::Element;
use crate::memory::{Io, Memory, with_tensors};
use crate::schema::Options;

pub(super) const OPERATORS: &[Definition] =
    &[Definition { name: "FULLY_CONNECTED", versions: 1..=12, lower: dense_step }];

#[derive(Debug)]
struct DenseKernel {
    shape: DenseShape,
    layer: PackedLayer,
    output: OutputRange,
}

fn dense_step(check: &Check<'_>) -> Result<Lowered, Problem> {
    check.counts(2..=3, 1)?;
    let Options::FullyConnected(options) = check.operator.options else { return Err(check.no_options()) };
    if options.weights_format != 0 {
        return Err(check.fault(format!("weights format {}", options.weights_format), "the default weights format"));
    }
    let input = check.quantised_input(0, &[Element::I8, Element::I16])?;
    let output = check.quantised_output(0, &[input.tensor.element])?;
    let weights = LayerWeights::new(check, 2, 0)?;
    let &[outputs, inputs] = weights.shape else { return Err(check.no_options()) };
    let elements = input.tensor.len();
    if elements % inputs != 0 {
        let supported = format!("a multiple of {inputs} elements, the weights' second dimension");
        return Err(check.tensor_fault(input.id, format!("input of shape {:?}", input.shape()), &supported));
    }
    let batch = elements / inputs;
    if options.keep_num_dims {
        let mut expected = input.shape().to_vec();
        if expected.pop() != Some(inputs) {
            let supported = format!("a last dimension of {inputs}, since the number of dimensions is kept");
            return Err(check.tensor_fault(input.id, format!("input of shape {:?}", input.shape()), &supported));
        }
        expected.push(outputs);
        check.output_shape(0, &expected)?;
    } else if output.tensor.len() != batch * outputs || output.shape().last() != Some(&outputs) {
        check.output_shape(0, &[batch, outputs])?;
    }
    let shape = check.shape(DenseShape::new(batch, inputs, outputs))?;
    let activation = check.activation(options.activation)?;
    let range = output.range(activation);
    // The reference multiplies the two scales in f32 when there is one for all weights.
    let multipliers = match weights.scale() {
        Some(scale) => {
            check_bias_scale(check, input.scale * scale, output.scale)?;
            vec![check.multiplier(f64::from(input.scale * scale) / f64::from(output.scale))?]
        }
        None => weights.multipliers(check, &input, &output)?,
    };
    let label = format!("{inputs}->{outputs}{}", activation_label(activation));
    if input.tensor.element == Element::I16 {
        let layer = WideLayer::new(check, weights.values, 2, outputs, multipliers)?;
        return wide::dense(check, input.id, shape, layer, range, label);
    }
    let bias = LayerWeights::bias(check, outputs)?;
    let packing =
        Weights { values: &weights.values, bias: &bias, multipliers: &multipliers, input_zero_point: input.zero_point };
    let layer = PackedLayer::new(pack::dense_words(check.backend, &shape), outputs, |words, channels| {
        pack::dense(check.backend, &shape, &packing, &range, words, channels)
    });
    let kernel = DenseKernel { shape, layer: check.shape(layer)?, output: range };
    Ok(Lowered::Step { inputs: vec![input.id], states: Vec::new(), label, kernel: Box::new(kernel) })
}

/// Checks that the bias, if it states a scale, has that of the products, to a fiftieth of the output's: what the reference asks for.
fn check_bias_scale(check: &Check<'_>, products: f32, output: f32) -> Result<(), Problem> {
    let Some(id) = check.optional_input(2) else { return Ok(()) };
    match check.tensor(id).quantisation.as_ref().map(|quantisation| &quantisation.scales[..]) {
        Some(&[scale]) if (f64::from(products) - f64::from(scale)).abs() / f64::from(output) > 0.02 => {
            let supported = format!("scale {products:?}, the input's times the weights'");
            Err(check.tensor_fault(id, format!("a bias of scale {scale:?}"), &supported))
        }
        _ => Ok(()),
    }
}

impl Kernel for DenseKernel {
    fn macs(&self) -> u64 {
        self.shape.macs() as u64
    }

    fn constant_bytes(&self) -> usize {
        self.layer.bytes()
    }

    fn scratch_words(&self) -> usize {
        dense_scratch(self.layer.packed.layout, &self.shape)
    }

    fn overlap_gap(&self, _: usize) -> Option<usize> {
        Some(self.shape.overlap_gap())
    }

    fn run(&self, mut memory: Memory<'_>) -> Result<(), ShapeError> {
        let layer =
            Dense::new(self.shape, &self.layer.words, &self.layer.channels, self.layer.packed.layout, self.output)?;
        with_tensors!(memory.tensors()?, tensors => dense(&layer, tensors, memory.scratch()))
    }

    fn emit(&self, source: &mut Source, io: &Io) -> String {
        let shape =
            format!("DenseShape::new({}, {}, {})", self.shape.batch(), self.shape.inputs(), self.shape.outputs());
        let packed = self.layer.text(source, &io.step, &shape);
        let layer =
            source.layer(io.step, "Dense<'static>", &format!("Dense::new({packed}, {})", range_text(&self.output)));
        format!("dense(&{layer}, {}, {})", io.tensors_text(), io.scratch_text())
    }
}

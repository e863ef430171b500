//! A node that is being lowered: its tensors with their quantisation, and the problem that is due where one is not as it must be.

use std::cell::RefCell;
use std::ops::Deref;

use smolnn_core::ShapeError;
use smolnn_fixed::Backend;
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier, OutputRange};

use smolnn_float as float;
use smolnn_float::elementwise::Bounds;

use super::argument::{Bias, Borrowed};
use super::call::{Body, Call, call};
use crate::error::Problem;
use crate::net::{Activation, Constant, Element, Quantisation, Tensor, TensorId, View};

/// Types of elements that are moved as they are.
const MOVABLE: [Element; 6] = [Element::I8, Element::U8, Element::I16, Element::I32, Element::Bool, Element::F32];

/// A node, the backend that it is lowered for, and the tensors that lowering adds.
pub(crate) struct Context<'a> {
    pub view: View<'a>,
    pub backend: Backend,
    /// Tensors between the calls of a node; they follow the net's own.
    pub temporaries: &'a RefCell<Vec<Tensor>>,
}

impl<'a> Deref for Context<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

/// A tensor with one scale and zero point.
#[derive(Clone, Debug)]
pub(crate) struct Quantised<'a> {
    pub id: TensorId,
    pub tensor: &'a Tensor,
    pub scale: f32,
    pub zero_point: i32,
    /// The least and the largest value of the element type.
    bounds: (i32, i32),
}

impl<'a> Quantised<'a> {
    pub fn shape(&self) -> &'a [usize] {
        &self.tensor.shape
    }

    /// Scale and zero point.
    pub fn affine(&self) -> Affine {
        Affine::new(self.scale, self.zero_point)
    }

    /// The output range that an activation leaves.
    pub fn range(&self, activation: Activation) -> OutputRange {
        fused(activation).range(self.scale, self.zero_point, self.bounds.0, self.bounds.1)
    }

    /// Bytes of an element.
    pub fn element_bytes(&self) -> usize {
        self.tensor.element.bits() / 8
    }
}

/// An activation as the kernels have it.
pub(crate) fn fused(activation: Activation) -> FusedActivation {
    match activation {
        Activation::None => FusedActivation::None,
        Activation::Relu => FusedActivation::Relu,
        Activation::ReluN1To1 => FusedActivation::ReluN1To1,
        Activation::Relu6 => FusedActivation::Relu6,
    }
}

/// An activation for people, behind the words for what it is applied to.
pub(crate) fn activation_label(activation: Activation) -> &'static str {
    match activation {
        Activation::None => "",
        Activation::Relu => " +RELU",
        Activation::Relu6 => " +RELU6",
        Activation::ReluN1To1 => " +RELU_N1_TO_1",
    }
}

/// The bounds of an activation that is fused into a float operator.
pub(crate) fn bounds(activation: Activation) -> Borrowed<Bounds<f32>> {
    let (bounds, name) = match activation {
        Activation::None => (Bounds::NONE, "NONE"),
        Activation::Relu => (Bounds::RELU, "RELU"),
        Activation::ReluN1To1 => (Bounds::RELU_N1_TO_1, "RELU_N1_TO_1"),
        Activation::Relu6 => (Bounds::RELU6, "RELU6"),
    };
    Borrowed::new(bounds, format!("float::elementwise::Bounds::{name}"))
}

/// A float layer, its activation behind it.
pub(crate) fn activated(layer: Body, activation: Activation) -> Body {
    if activation == Activation::None {
        return layer;
    }
    let bounds = bounds(activation);
    Body::sequence([layer, call!(float::elementwise::clamp(bounds; output<f32>(0))).infallible()])
}

impl<'a> Context<'a> {
    /// Whether input `index` holds real numbers.
    pub fn is_real(&self, index: usize) -> bool {
        self.optional_input(index).is_some_and(|id| self.tensor(id).element == Element::F32)
    }

    /// Input `index` and its shape, which must hold real numbers.
    pub fn real(&self, index: usize) -> Result<(TensorId, &'a [usize]), Problem> {
        let id = self.input(index)?;
        self.element(id, &[Element::F32])?;
        Ok((id, &self.tensor(id).shape))
    }

    /// The values of input `index`, a constant of real numbers.
    pub fn reals(&self, index: usize, role: &str) -> Result<Vec<f32>, Problem> {
        let (id, _) = self.real(index)?;
        let bytes = self.constant(id, role)?;
        Ok(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }

    /// The bias at input `index` of a float layer, if it has one.
    pub fn real_bias(&self, index: usize, length: usize) -> Result<Bias, Problem> {
        if self.optional_input(index).is_none() {
            return Ok(Bias(Vec::new()));
        }
        self.real_vector(index, length)?;
        Ok(Bias(self.reals(index, "bias")?))
    }

    /// Input `index`, a vector of so many real numbers.
    pub fn real_vector(&self, index: usize, length: usize) -> Result<TensorId, Problem> {
        let (id, shape) = self.real(index)?;
        if shape.iter().product::<usize>() != length {
            return Err(self.tensor_fault(id, format!("shape {shape:?}"), format!("{length} elements")));
        }
        Ok(id)
    }

    /// A call that reads `inputs` and writes the node's outputs. Its layers are made once, so that a wrong one is a problem now.
    pub fn call(&self, inputs: &[TensorId], body: Body) -> Result<Call, Problem> {
        self.call_to(inputs, &self.node.outputs, body)
    }

    /// A call that reads `inputs` and writes `outputs`, temporaries among them.
    pub fn call_to(&self, inputs: &[TensorId], outputs: &[TensorId], body: Body) -> Result<Call, Problem> {
        self.shape(body.check())?;
        Ok(Call {
            label: String::new(),
            inputs: inputs.into(),
            states: Vec::new(),
            outputs: outputs.into(),
            macs: 0,
            constant_bytes: body.bytes(),
            scratch_words: 0,
            gaps: vec![None; inputs.len()],
            body,
            exchanged: None,
            layout: None,
            portable: None,
            custom: None,
            faster: None,
        })
    }

    /// A tensor between two calls of the node.
    pub fn temporary(&self, element: Element, shape: Vec<usize>, quantisation: Option<Quantisation>) -> TensorId {
        let name = format!("between the calls of operator {} {}", self.node.index, self.node.name);
        self.add(Tensor {
            name,
            element,
            shape,
            open: Vec::new(),
            quantisation,
            data: None,
            variable: false,
            start: None,
        })
    }

    /// A state of the node that the file does not have as a tensor; it starts from `start`, or from 0.
    pub fn state(&self, element: Element, length: usize, start: Option<Vec<u8>>) -> Result<TensorId, Problem> {
        self.bounded(&[length])?;
        Ok(self.add(Tensor {
            name: format!("state of operator {} {}", self.node.index, self.node.name),
            element,
            shape: vec![length],
            open: Vec::new(),
            quantisation: None,
            data: None,
            variable: true,
            start: start.map(Constant::new),
        }))
    }

    /// A constant of the node that stands for the constant `like`.
    pub fn constant_tensor(&self, like: TensorId, element: Element, shape: Vec<usize>, bytes: Vec<u8>) -> TensorId {
        let (name, data) = (self.tensor(like).name.clone(), Some(Constant::new(bytes)));
        self.add(Tensor::new(name, element, shape, data))
    }

    fn add(&self, tensor: Tensor) -> TensorId {
        let mut temporaries = self.temporaries.borrow_mut();
        temporaries.push(tensor);
        self.net.tensors.len() + temporaries.len() - 1
    }

    /// The element type of tensors that are moved to the outputs without a change: all have the same type and quantisation.
    pub fn moved(&self, inputs: &[TensorId]) -> Result<Element, Problem> {
        let Some(&first) = inputs.first() else { return Err(self.fault("no input", "at least one")) };
        let element = self.element(first, &MOVABLE)?;
        let like = &self.tensor(first).quantisation;
        for &id in inputs.iter().chain(&self.node.outputs) {
            self.element(id, &[element])?;
            let quantisation = &self.tensor(id).quantisation;
            // An int32 index or a float has none; where both have some they must agree, since nothing is rescaled.
            if let (Some(like), Some(quantisation)) = (like, quantisation)
                && (&like.scales, &like.zero_points) != (&quantisation.scales, &quantisation.zero_points)
            {
                let text = |scales: &[f32], points: &[i32]| format!("scales {scales:?} and zero points {points:?}");
                let found = text(&quantisation.scales, &quantisation.zero_points);
                let supported = format!("the {} of the first input", text(&like.scales, &like.zero_points));
                return Err(self.tensor_fault(id, found, supported));
            }
        }
        Ok(element)
    }

    /// The element type of an input whose stored values are moved, whatever outputs say of their scale: REVERSE_V2 of the reference does not look at it,
    /// and TensorFlow's converter writes another one there.
    pub fn moved_as_stored(&self, input: TensorId) -> Result<Element, Problem> {
        let element = self.element(input, &MOVABLE)?;
        self.node.outputs.iter().try_for_each(|&id| self.element(id, &[element]).map(drop))?;
        Ok(element)
    }

    /// The multiplier of a factor that comes from the scales of the node's tensors.
    pub fn multiplier(&self, factor: f64) -> Result<Multiplier, Problem> {
        let supported = "scales of which input · weights / output is below 2^30";
        Multiplier::try_from_f64(factor)
            .map_err(|_: ShapeError| self.fault(format!("scales that give the factor {factor:?}"), supported))
    }

    /// Checks the type of a tensor that has one scale and zero point, 0 for int16, and gives them.
    pub fn quantised(&self, id: TensorId, supported: &[Element]) -> Result<Quantised<'a>, Problem> {
        let quantised = self.affine(id, supported)?;
        if quantised.tensor.element == Element::I16 && quantised.zero_point != 0 {
            let found = format!("zero point {}", quantised.zero_point);
            return Err(self.tensor_fault(id, found, "zero point 0 for INT16"));
        }
        Ok(quantised)
    }

    /// As [`quantised`](Self::quantised), with any zero point.
    pub fn affine(&self, id: TensorId, supported: &[Element]) -> Result<Quantised<'a>, Problem> {
        let element = self.element(id, supported)?;
        let Some((least, largest)) = element.range() else {
            return Err(self.tensor_fault(id, element.to_string(), "an integer type of up to 32 bits"));
        };
        let tensor = self.tensor(id);
        let Some(quantisation) = &tensor.quantisation else {
            return Err(self.tensor_fault(id, "no scale", "a quantised tensor with scale and zero point"));
        };
        match (&quantisation.scales[..], &quantisation.zero_points[..]) {
            (&[scale], &[zero_point]) => {
                Ok(Quantised { id, tensor, scale, zero_point, bounds: (least as i32, largest as i32) })
            }
            (scales, _) => {
                Err(self.tensor_fault(id, format!("{} scales", scales.len()), "one scale for the whole tensor"))
            }
        }
    }

    /// Input `index` as a quantised tensor.
    pub fn quantised_input(&self, index: usize, supported: &[Element]) -> Result<Quantised<'a>, Problem> {
        self.quantised(self.input(index)?, supported)
    }

    /// Output `index` as a quantised tensor.
    pub fn quantised_output(&self, index: usize, supported: &[Element]) -> Result<Quantised<'a>, Problem> {
        self.quantised(self.output(index)?, supported)
    }

    /// Checks that a tensor has the scale and zero point of another, where the kernel moves values without rescaling.
    pub fn same_quantisation(&self, input: &Quantised<'_>, output: &Quantised<'_>) -> Result<(), Problem> {
        if (input.scale, input.zero_point) == (output.scale, output.zero_point) {
            return Ok(());
        }
        let text = |of: &Quantised<'_>| format!("scale {} and zero point {}", of.scale, of.zero_point);
        Err(self.tensor_fault(output.id, text(output), format!("the input's {}", text(input))))
    }

    /// Checks the quantisation that an operator gives its output.
    pub fn fixed_quantisation(&self, output: &Quantised<'_>, scale: f32, zero_point: i32) -> Result<(), Problem> {
        if (output.scale, output.zero_point) == (scale, zero_point) {
            return Ok(());
        }
        let found = format!("scale {} and zero point {}", output.scale, output.zero_point);
        Err(self.tensor_fault(output.id, found, format!("scale {scale} and zero point {zero_point}")))
    }

    /// As [`fixed_quantisation`](Self::fixed_quantisation), of which the scale may be off by a thousandth: the reference takes 1/32767 for 1/32768.
    pub fn nearly_fixed_quantisation(
        &self,
        output: &Quantised<'_>,
        scale: f32,
        zero_point: i32,
    ) -> Result<(), Problem> {
        if (output.scale - scale).abs() <= 0.001 * scale && output.zero_point == zero_point {
            return Ok(());
        }
        self.fixed_quantisation(output, scale, zero_point)
    }

    /// Input `index`, which must be a variable: a tensor that keeps its value from run to run, and has none in the file.
    pub fn variable(&self, index: usize) -> Result<TensorId, Problem> {
        let id = self.input(index)?;
        let tensor = self.tensor(id);
        if tensor.variable && tensor.data.is_none() {
            return Ok(id);
        }
        let found = if tensor.data.is_some() { "a constant state" } else { "a state that is no variable tensor" };
        Err(self.tensor_fault(id, found, "states as variable tensors"))
    }
}

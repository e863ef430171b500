//! The operators: one file per family, and everything about an operator in its file: what it demands of its tensors, what it costs, how its
//! output may overlap its input, how it runs here and how it reads in generated code. [`FAMILIES`] lists them; to add an operator,
//! write its [`Definition`] and list it.

use std::fmt;
use std::ops::RangeInclusive;

use smolnn_core::ShapeError;
use smolnn_fixed::Backend;
use smolnn_fixed::quantise::{Affine, FusedActivation, Multiplier, OutputRange};

use crate::emit::Source;
use crate::error::{LISTED_BELOW, Problem};
use crate::graph::{Element, Graph, Operator, Tensor, TensorId};
use crate::memory::{Io, Memory};

mod activation;
mod arithmetic;
mod conv;
mod convert;
mod dense;
mod layout;
mod movement;
mod pad;
mod pool;
mod recurrent;
mod reduce;
mod softmax;
mod wide;

/// All families of operators.
const FAMILIES: &[&[Definition]] = &[
    activation::OPERATORS,
    arithmetic::OPERATORS,
    conv::OPERATORS,
    convert::OPERATORS,
    dense::OPERATORS,
    layout::OPERATORS,
    movement::OPERATORS,
    pad::OPERATORS,
    pool::OPERATORS,
    recurrent::OPERATORS,
    reduce::OPERATORS,
    softmax::OPERATORS,
    wide::OPERATORS,
];

/// An operator that is supported: its name in the schema, the versions whose meaning is known, and how it is checked.
pub(crate) struct Definition {
    pub name: &'static str,
    pub versions: RangeInclusive<i32>,
    pub lower: fn(&Check<'_>) -> Result<Lowered, Problem>,
}

/// The names of all operators that compile.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        FAMILIES.iter().flat_map(|family| family.iter()).map(|definition| definition.name).collect();
    names.sort_unstable();
    names
}

fn definition(name: &str) -> Option<&'static Definition> {
    FAMILIES.iter().flat_map(|family| family.iter()).find(|definition| definition.name == name)
}

/// The problem of an operator that is not in the families.
fn unknown(operator: &Operator) -> Problem {
    Problem {
        operator: Some((operator.index, operator.code.to_string())),
        tensor: None,
        found: "an operator that smolnn does not have".into(),
        supported: LISTED_BELOW.into(),
    }
}

/// The problems of those operators that are in no family.
pub(crate) fn unknown_operators(operators: &[Operator]) -> impl Iterator<Item = Problem> {
    operators.iter().filter(|operator| definition(&operator.code.to_string()).is_none()).map(unknown)
}

/// An operator after its checks.
#[derive(Debug)]
pub(crate) enum Lowered {
    /// It moves nothing: the output is the input under another shape.
    Alias { input: TensorId, output: TensorId },
    /// It runs a kernel.
    Step {
        /// Tensors that the kernel reads when it runs; constants among them become static arrays.
        inputs: Vec<TensorId>,
        /// Tensors that keep their value between runs, read and written.
        states: Vec<TensorId>,
        /// Options in a few words, for people.
        label: String,
        kernel: Box<dyn Kernel>,
    },
}

/// A checked operator, ready to run or to be written out.
pub(crate) trait Kernel: fmt::Debug {
    /// Multiply-accumulates of one run.
    fn macs(&self) -> u64 {
        0
    }
    /// Bytes of the kernel's own constants: packed weights, channels, tables.
    fn constant_bytes(&self) -> usize {
        0
    }
    /// Words of scratch memory.
    fn scratch_words(&self) -> usize {
        0
    }
    /// The least distance in bytes from the first output's start to the start of input `input` at which they may overlap; `None` where
    /// they must lie apart.
    fn overlap_gap(&self, _input: usize) -> Option<usize> {
        None
    }
    /// Runs the kernel.
    fn run(&self, memory: Memory<'_>) -> Result<(), ShapeError>;
    /// The call in generated code, an expression of type `Result<(), ShapeError>`; constants go to `source`.
    fn emit(&self, source: &mut Source, io: &Io) -> String;
}

/// Checks and lowers an operator.
pub(crate) fn lower(graph: &Graph, operator: &Operator, backend: Backend) -> Result<Lowered, Problem> {
    let check = Check { graph, operator, backend };
    let name = operator.code.to_string();
    let Some(definition) = definition(&name) else { return Err(unknown(operator)) };
    if !definition.versions.contains(&operator.version) {
        let known = format!("versions {} to {}", definition.versions.start(), definition.versions.end());
        return Err(check.fault(format!("version {}", operator.version), &known));
    }
    (definition.lower)(&check)
}

/// An operator under examination: access to its tensors, each with the error that is due when it is not as it must be.
pub(crate) struct Check<'a> {
    pub graph: &'a Graph,
    pub operator: &'a Operator,
    pub backend: Backend,
}

/// A tensor with one scale and zero point.
#[derive(Clone, Debug)]
pub(crate) struct Quantised<'a> {
    pub id: TensorId,
    pub tensor: &'a Tensor,
    pub scale: f32,
    pub zero_point: i32,
}

impl Quantised<'_> {
    pub fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }

    /// Scale and zero point.
    pub fn affine(&self) -> Affine {
        Affine::new(self.scale, self.zero_point)
    }

    /// The output range that a fused activation leaves.
    pub fn range(&self, activation: FusedActivation) -> OutputRange {
        let (low, high) = self.tensor.element.range().unwrap_or((-128, 127));
        activation.range(self.scale, self.zero_point, low as i32, high as i32)
    }
}

impl<'a> Check<'a> {
    /// A problem of the operator itself.
    pub fn fault(&self, found: impl Into<String>, supported: &str) -> Problem {
        Problem {
            operator: Some((self.operator.index, self.operator.code.to_string())),
            tensor: None,
            found: found.into(),
            supported: supported.into(),
        }
    }

    /// A problem of one of its tensors.
    pub fn tensor_fault(&self, tensor: TensorId, found: impl Into<String>, supported: &str) -> Problem {
        let name = self.graph.tensors.get(tensor).map_or(String::new(), |tensor| tensor.name.clone());
        Problem { tensor: Some((tensor, name)), ..self.fault(found, supported) }
    }

    /// Turns the error of a shape into a problem of the operator.
    pub fn shape<T>(&self, result: Result<T, ShapeError>) -> Result<T, Problem> {
        result.map_err(|error| self.fault(error.to_string(), "shapes and values that the kernel can take"))
    }

    /// The multiplier of a factor that comes from the scales of the operator's tensors.
    pub fn multiplier(&self, factor: f64) -> Result<Multiplier, Problem> {
        let supported = "scales of which input · weights / output is below 2^30";
        Multiplier::try_from_f64(factor)
            .map_err(|_| self.fault(format!("scales that give the factor {factor:?}"), supported))
    }

    /// Checks the number of inputs (left-out optional ones included) and outputs.
    pub fn counts(&self, inputs: RangeInclusive<usize>, outputs: usize) -> Result<(), Problem> {
        let found = (self.operator.inputs.len(), self.operator.outputs.len());
        if inputs.contains(&found.0) && found.1 == outputs {
            return Ok(());
        }
        let supported = if inputs.start() == inputs.end() {
            format!("{} inputs and {outputs} outputs", inputs.start())
        } else {
            format!("{} to {} inputs and {outputs} outputs", inputs.start(), inputs.end())
        };
        Err(self.fault(format!("{} inputs and {} outputs", found.0, found.1), &supported))
    }

    /// Input `index`, which must be there.
    pub fn input(&self, index: usize) -> Result<TensorId, Problem> {
        self.optional_input(index).ok_or_else(|| self.fault(format!("no input {index}"), "an operator with that input"))
    }

    /// Input `index`, if it is there.
    pub fn optional_input(&self, index: usize) -> Option<TensorId> {
        self.operator.inputs.get(index).copied().flatten()
    }

    /// Output `index`, which must be there.
    pub fn output(&self, index: usize) -> Result<TensorId, Problem> {
        let output = self.operator.outputs.get(index).copied();
        output.ok_or_else(|| self.fault(format!("no output {index}"), "an operator with that output"))
    }

    pub fn tensor(&self, id: TensorId) -> &'a Tensor {
        &self.graph.tensors[id]
    }

    /// Checks the element type.
    pub fn element(&self, id: TensorId, supported: &[Element]) -> Result<Element, Problem> {
        let element = self.tensor(id).element;
        if supported.contains(&element) {
            return Ok(element);
        }
        let mut list = supported.iter().map(Element::to_string).collect::<Vec<_>>().join(", ");
        if element.is_float() {
            list += " (convert the model with full integer quantisation, inputs and outputs included)";
        }
        Err(self.tensor_fault(id, element.to_string(), &list))
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
        self.element(id, supported)?;
        let tensor = self.tensor(id);
        let Some(quantisation) = &tensor.quantisation else {
            return Err(self.tensor_fault(id, "no scale", "a quantised tensor with scale and zero point"));
        };
        match (&quantisation.scales[..], &quantisation.zero_points[..]) {
            (&[scale], &[zero_point]) => Ok(Quantised { id, tensor, scale, zero_point }),
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
        Err(self.tensor_fault(output.id, text(output), &format!("the input's {}", text(input))))
    }

    /// Checks that the output has this shape.
    pub fn output_shape(&self, index: usize, expected: &[usize]) -> Result<(), Problem> {
        let id = self.output(index)?;
        let found = &self.tensor(id).shape;
        if found == expected {
            Ok(())
        } else {
            Err(self.tensor_fault(id, format!("shape {found:?}"), &format!("shape {expected:?} for these inputs")))
        }
    }

    /// The shape of a tensor of rank 4: batch, height, width, channels.
    pub fn nhwc(&self, id: TensorId) -> Result<[usize; 4], Problem> {
        let shape = &self.tensor(id).shape;
        <[usize; 4]>::try_from(&shape[..])
            .map_err(|_| self.tensor_fault(id, format!("shape {shape:?}"), "rank 4: batch, height, width, channels"))
    }

    /// The bytes of a constant.
    pub fn constant(&self, id: TensorId, role: &str) -> Result<&'a [u8], Problem> {
        match &self.tensor(id).data {
            Some(data) => Ok(data.bytes()),
            None => {
                Err(self.tensor_fault(id, format!("{role} computed when the model runs"), &format!("constant {role}")))
            }
        }
    }

    /// The values of an INT32 or INT64 constant.
    pub fn integers(&self, id: TensorId, role: &str) -> Result<Vec<i64>, Problem> {
        self.constant(id, role)?;
        self.element(id, &[Element::I32, Element::I64])?;
        self.tensor(id).integers().ok_or_else(|| self.tensor_fault(id, "no integers", "INT32 or INT64"))
    }

    /// Input `index`, which must be a variable: a tensor that keeps its value from run to run.
    pub fn variable(&self, index: usize) -> Result<TensorId, Problem> {
        let id = self.input(index)?;
        if self.tensor(id).variable {
            return Ok(id);
        }
        Err(self.tensor_fault(id, "a state that is no variable tensor", "states as variable tensors"))
    }

    /// The int8 weights at input `index`: constant, of this shape, with one scale and zero point 0.
    pub fn weights(&self, index: usize, shape: &[usize]) -> Result<(Vec<i8>, f32), Problem> {
        let weights = self.quantised_input(index, &[Element::I8])?;
        let bytes = self.constant(weights.id, "weights")?;
        if weights.shape() != shape {
            let found = format!("weights of shape {:?}", weights.shape());
            return Err(self.tensor_fault(weights.id, found, &format!("shape {shape:?}")));
        }
        if weights.zero_point != 0 {
            let found = format!("weights with zero point {}", weights.zero_point);
            return Err(self.tensor_fault(weights.id, found, "symmetric weights, zero point 0"));
        }
        Ok((bytes.iter().map(|&byte| byte as i8).collect(), weights.scale))
    }

    /// The int32 constants at input `index`, `length` of them.
    pub fn bias(&self, index: usize, length: usize) -> Result<Vec<i32>, Problem> {
        let id = self.input(index)?;
        self.element(id, &[Element::I32])?;
        let bytes = self.constant(id, "bias")?;
        if self.tensor(id).len() != length {
            let found = format!("bias of shape {:?}", self.tensor(id).shape);
            return Err(self.tensor_fault(id, found, &format!("{length} elements")));
        }
        Ok(bytes.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect())
    }

    /// The int64 constants at input `index`, `length` of them.
    pub fn wide_bias(&self, index: usize, length: usize) -> Result<Vec<i64>, Problem> {
        let id = self.input(index)?;
        self.element(id, &[Element::I64])?;
        let bytes = self.constant(id, "bias")?;
        if self.tensor(id).len() != length {
            let found = format!("bias of shape {:?}", self.tensor(id).shape);
            return Err(self.tensor_fault(id, found, &format!("{length} elements")));
        }
        Ok(bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
    }

    /// The fused activation by its code in the options.
    pub fn activation(&self, code: i8) -> Result<FusedActivation, Problem> {
        match code {
            0 => Ok(FusedActivation::None),
            1 => Ok(FusedActivation::Relu),
            2 => Ok(FusedActivation::ReluN1To1),
            3 => Ok(FusedActivation::Relu6),
            other => {
                let name = match other {
                    4 => "TANH".into(),
                    5 => "SIGN_BIT".into(),
                    other => other.to_string(),
                };
                Err(self.fault(format!("fused activation {name}"), "NONE, RELU, RELU6, RELU_N1_TO_1"))
            }
        }
    }

    /// The options of an operator that has to have some.
    pub fn no_options(&self) -> Problem {
        self.fault("no options of its kind", "an operator with its options (the file is damaged)")
    }
}

/// A fused activation in the words of the schema, for labels.
pub(crate) fn activation_label(activation: FusedActivation) -> &'static str {
    match activation {
        FusedActivation::None => "",
        FusedActivation::Relu => " +RELU",
        FusedActivation::Relu6 => " +RELU6",
        FusedActivation::ReluN1To1 => " +RELU_N1_TO_1",
    }
}

/// A fused activation as Rust.
pub(crate) fn activation_text(activation: FusedActivation) -> String {
    format!("FusedActivation::{activation:?}")
}

/// An [`Affine`] as Rust.
pub(crate) fn affine_text(affine: &Affine) -> String {
    format!("Affine::new({:?}, {})", affine.scale, affine.zero_point)
}

/// A checked layer whose kernel takes `layer, tensors` and no scratch memory, as a call.
pub(crate) fn simple_call(source: &mut Source, io: &Io, function: &str, kind: &str, expression: &str) -> String {
    let layer = source.layer(io.step, kind, expression);
    format!("{function}(&{layer}, {})", io.tensors_text())
}

/// An [`OutputRange`] as Rust.
pub(crate) fn range_text(range: &OutputRange) -> String {
    format!(
        "OutputRange {{ zero_point: {}, minimum: {}, maximum: {} }}",
        range.zero_point, range.minimum, range.maximum
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of the README is the list of the families.
    #[test]
    fn the_readme_names_every_operator() {
        let readme = include_str!("../../../../README.md");
        let (_, list) = readme.split_once("**Operators of `.tflite` files**").expect("the README lists operators");
        let (_, list) = list.split_once("\n\n").expect("the list is a paragraph of its own");
        let (list, _) = list.split_once("\n\n").expect("the list ends");
        let mut listed: Vec<&str> = list
            .split([',', ' ', '\n', '.'])
            .map(|word| word.trim_end_matches('¹'))
            .filter(|word| !word.is_empty())
            .collect();
        listed.sort_unstable();
        assert_eq!(listed, names());
    }
}

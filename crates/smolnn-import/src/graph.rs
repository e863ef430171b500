//! The checked graph: tensors with static shapes, operators with typed options.
//!
//! [`Graph::read`] checks everything that can be checked without knowing the operators: offsets, indices, shapes, buffer sizes, quantisation
//! parameters, the order of operators. What an operator demands of its tensors is checked where the operator is known, in `operators`.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Problem, Result};
use crate::operators::unknown_operators;
use crate::schema::{self, Options};

/// Largest tensor that is accepted, in bytes: far above any microcontroller, and low enough that sums of sizes cannot overflow.
const LARGEST_TENSOR: usize = 1 << 28;

/// Index of a tensor in [`Graph::tensors`]: the index the file gives it.
pub type TensorId = usize;

/// Declares [`Element`] from the schema's codes.
macro_rules! elements {
    ($($code:literal $name:ident $text:literal $bits:literal),* $(,)?) => {
        /// The element type of a tensor.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Element { $($name),* }

        impl Element {
            fn from_code(code: i8) -> Option<Self> {
                match code { $($code => Some(Element::$name),)* _ => None }
            }

            /// Size of one element in bits.
            pub fn bits(self) -> usize {
                match self { $(Element::$name => $bits),* }
            }
        }

        impl fmt::Display for Element {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Element::$name => $text),* })
            }
        }
    };
}

elements! {
    0 F32 "FLOAT32" 32, 1 F16 "FLOAT16" 16, 2 I32 "INT32" 32, 3 U8 "UINT8" 8, 4 I64 "INT64" 64, 5 String "STRING" 8, 6 Bool "BOOL" 8,
    7 I16 "INT16" 16, 8 Complex64 "COMPLEX64" 64, 9 I8 "INT8" 8, 10 F64 "FLOAT64" 64, 11 Complex128 "COMPLEX128" 128, 12 U64 "UINT64" 64,
    13 Resource "RESOURCE" 8, 14 Variant "VARIANT" 8, 15 U32 "UINT32" 32, 16 U16 "UINT16" 16, 17 I4 "INT4" 4, 18 BF16 "BFLOAT16" 16,
    19 I2 "INT2" 2, 20 U4 "UINT4" 4, 21 F8E4M3 "FLOAT8_E4M3FN" 8, 22 F8E5M2 "FLOAT8_E5M2" 8,
}

impl Element {
    /// Whether this is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Element::F32 | Element::F16 | Element::F64 | Element::BF16 | Element::F8E4M3 | Element::F8E5M2)
    }

    /// The range of values of a small integer type.
    pub fn range(self) -> Option<(i64, i64)> {
        Some(match self {
            Element::I8 => (-128, 127),
            Element::U8 => (0, 255),
            Element::I16 => (-32768, 32767),
            Element::U16 => (0, 65535),
            Element::I32 => (i32::MIN.into(), i32::MAX.into()),
            _ => return None,
        })
    }
}

/// Affine quantisation: real = scale · (stored − zero point).
#[derive(Clone, Debug, PartialEq)]
pub struct Quantisation {
    /// One scale, or one per index along [`dimension`](Self::dimension). Positive and finite.
    pub scales: Vec<f32>,
    /// As many zero points as scales, each in the range of the element type.
    pub zero_points: Vec<i32>,
    /// The dimension the scales run along; without meaning when there is one scale.
    pub dimension: usize,
}

/// Bytes of a constant, shared with the file they come from.
#[derive(Clone)]
pub struct Constant {
    bytes: Arc<[u8]>,
    range: Range<usize>,
}

impl Constant {
    /// A constant with these bytes (little endian, row-major).
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { bytes: bytes.into(), range }
    }

    /// The bytes, little endian, row-major.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.range.len())
    }
}

/// A tensor of the graph. Only tensors that an operator, an input or an output uses are checked and kept complete; others are placeholders.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The name in the file: for people, not unique.
    pub name: String,
    /// The element type.
    pub element: Element,
    /// The static shape; no dimension is zero.
    pub shape: Vec<usize>,
    /// Quantisation parameters, if any.
    pub quantisation: Option<Quantisation>,
    /// The values of a constant.
    pub data: Option<Constant>,
    /// Whether the tensor keeps its value from one run to the next.
    pub variable: bool,
}

impl Tensor {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements: never, in a checked graph.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        (self.len() * self.element.bits()).div_ceil(8)
    }

    /// The values of an INT32 or INT64 constant.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        let bytes = self.data.as_ref()?.bytes();
        match self.element {
            Element::I8 => Some(bytes.iter().map(|&b| b as i8 as i64).collect()),
            Element::I16 => Some(bytes.as_chunks().0.iter().map(|&b| i16::from_le_bytes(b).into()).collect()),
            Element::I32 => Some(bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b).into()).collect()),
            Element::I64 => Some(bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect()),
            _ => None,
        }
    }
}

/// What an operator is: a builtin of TensorFlow Lite, or a custom one by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// A builtin operator, by the schema's code.
    Builtin(i32),
    /// A custom operator.
    Custom(String),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Builtin(code) => match builtin_name(*code) {
                Some(name) => f.write_str(name),
                None => write!(f, "BUILTIN_{code}"),
            },
            Code::Custom(name) => write!(f, "CUSTOM:{}", name.escape_debug()),
        }
    }
}

/// An operator of the graph.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Its index in the file.
    pub index: usize,
    /// What it computes.
    pub code: Code,
    /// The version of its definition.
    pub version: i32,
    /// Its options, as the file states them.
    pub(crate) options: Options,
    /// Its inputs; `None` where an optional input is left out.
    pub inputs: Vec<Option<TensorId>>,
    /// Its outputs.
    pub outputs: Vec<TensorId>,
    /// Rows and columns of padding (top, bottom, left, right) that a PAD before it added, which is folded into it.
    pub(crate) padding: Option<[usize; 4]>,
    /// Tensors inside the operator, whose quantisation it needs.
    pub intermediates: Vec<Option<TensorId>>,
}

/// A model: tensors, operators in an order in which they can run, inputs, outputs.
#[derive(Clone, Debug)]
pub struct Graph {
    /// All tensors, at the indices of the file.
    pub tensors: Vec<Tensor>,
    /// The operators, in order.
    pub operators: Vec<Operator>,
    /// The model's inputs.
    pub inputs: Vec<TensorId>,
    /// The model's outputs.
    pub outputs: Vec<TensorId>,
}

impl Graph {
    /// Reads and checks the bytes of a `.tflite` file.
    ///
    /// # Errors
    /// [`Error::Malformed`] for damaged files, [`Error::Unsupported`] for models with several subgraphs, dynamic shapes, sparse or external
    /// tensors, or impossible quantisation.
    pub fn read(file: &[u8]) -> Result<Self> {
        if file.get(4..8) != Some(b"TFL3") {
            return Err(Error::Malformed(no_model(file)));
        }
        let model = schema::root(file).map_err(|error| Error::Malformed(damage(&error.to_string())))?;
        if model.version() != 3 {
            return Err(Error::Malformed(format!("schema version {}, supported: 3", model.version())));
        }
        let subgraphs = model.subgraphs().map_or(0, |subgraphs| subgraphs.len());
        let codes = operator_codes(&model);
        if subgraphs != 1 {
            let supported = "one (no control flow: IF, WHILE, CALL_ONCE)";
            let list = codes.iter().map(|(code, _)| code.to_string()).collect::<Vec<_>>().join(", ");
            let found = format!("{subgraphs} subgraphs, with operators {list}");
            return Err(Error::Unsupported(vec![Problem::model(found, supported)]));
        }
        let Some(subgraph) = model.subgraphs().map(|subgraphs| subgraphs.get(0)) else {
            return Err(Error::Malformed("no subgraph".into()));
        };
        Reader { file: file.into(), buffers: buffer_bytes(&model, file.len()), subgraph, codes }.read()
    }
}

/// What a file without the identifier of the format is instead, as far as its first bytes tell.
fn no_model(file: &[u8]) -> String {
    let what = match file {
        [] => "the file is empty",
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', ..] => {
            "it is a Git LFS pointer: fetch the file with `git lfs pull`"
        }
        [b'P', b'K', 3, 4, ..] => "it is a ZIP archive (a Keras model?): convert it with TFLiteConverter",
        [0x89, b'H', b'D', b'F', ..] => "it is an HDF5 file (a Keras model?): convert it with TFLiteConverter",
        _ => "the file identifier TFL3 is missing at byte 4",
    };
    what.into()
}

/// The verifier's words on one line, and what to do.
fn damage(error: &str) -> String {
    let lines: Vec<_> =
        error.lines().map(|line| line.trim().trim_end_matches('.')).filter(|line| !line.is_empty()).collect();
    format!("{}; the file is cut off or damaged, fetch or convert it again", lines.join(", "))
}

/// Where each buffer's bytes lie in the file; inside the flatbuffer, or behind it in files above 2 GB.
fn buffer_bytes(model: &schema::Model<'_>, file_len: usize) -> Vec<BufferBytes> {
    let Some(buffers) = model.buffers() else { return Vec::new() };
    buffers
        .iter()
        .map(|buffer| match buffer.data() {
            Some(data) if !data.is_empty() => BufferBytes::Inside(data.bytes().to_vec().into()),
            _ if buffer.offset() > 1 => match (usize::try_from(buffer.offset()), usize::try_from(buffer.size())) {
                (Ok(start), Ok(size)) if start.checked_add(size).is_some_and(|end| end <= file_len) => {
                    BufferBytes::Behind(start..start + size)
                }
                _ => BufferBytes::Outside(buffer.offset(), buffer.size()),
            },
            _ => BufferBytes::Empty,
        })
        .collect()
}

/// The bytes of one buffer of the file.
enum BufferBytes {
    Empty,
    Inside(Arc<[u8]>),
    Behind(Range<usize>),
    Outside(u64, u64),
}

/// Code and version of each entry of the operator code table.
fn operator_codes(model: &schema::Model<'_>) -> Vec<(Code, i32)> {
    let Some(codes) = model.operator_codes() else { return Vec::new() };
    const CUSTOM: i32 = 32;
    codes
        .iter()
        .map(|code| {
            // Old files carry the code in a byte; new ones repeat it there, or a placeholder when it does not fit.
            let builtin = code.builtin_code().max(code.deprecated_builtin_code().into());
            let code_and_name = match builtin {
                CUSTOM => Code::Custom(code.custom_code().unwrap_or("").into()),
                builtin => Code::Builtin(builtin),
            };
            (code_and_name, code.version())
        })
        .collect()
}

struct Reader<'a> {
    file: Arc<[u8]>,
    buffers: Vec<BufferBytes>,
    subgraph: schema::SubGraph<'a>,
    codes: Vec<(Code, i32)>,
}

impl Reader<'_> {
    fn read(self) -> Result<Graph> {
        let count = self.subgraph.tensors().map_or(0, |tensors| tensors.len());
        let id = |index: i32, whose: &dyn fmt::Display| match usize::try_from(index) {
            Ok(index) if index < count => Ok(index),
            _ => Err(Error::Malformed(format!("{whose} refers to tensor {index} of {count}"))),
        };
        let ids = |list: Option<flatbuffers::Vector<'_, i32>>, whose: &str| -> Result<Vec<TensorId>> {
            list.map_or(Ok(Vec::new()), |list| list.iter().map(|index| id(index, &whose)).collect())
        };
        let optional_ids = |list: Option<flatbuffers::Vector<'_, i32>>, whose: &str| -> Result<Vec<Option<TensorId>>> {
            list.map_or(Ok(Vec::new()), |list| {
                list.iter().map(|index| if index == -1 { Ok(None) } else { id(index, &whose).map(Some) }).collect()
            })
        };

        let inputs = ids(self.subgraph.inputs(), "the list of inputs")?;
        let outputs = ids(self.subgraph.outputs(), "the list of outputs")?;
        let mut operators = Vec::new();
        for (index, operator) in self.subgraph.operators().into_iter().flatten().enumerate() {
            let Some((code, version)) = self.codes.get(operator.opcode_index() as usize).cloned() else {
                return Err(Error::Malformed(format!(
                    "operator {index} refers to operator code {} of {}",
                    operator.opcode_index(),
                    self.codes.len()
                )));
            };
            let whose = format!("operator {index} {code}");
            operators.push(Operator {
                index,
                code,
                version,
                options: operator.options(),
                padding: None,
                inputs: optional_ids(operator.inputs(), &whose)?,
                outputs: ids(operator.outputs(), &whose)?,
                intermediates: optional_ids(operator.intermediates(), &whose)?,
            });
        }

        let mut used: HashSet<TensorId> = operators
            .iter()
            .flat_map(|operator| operator.inputs.iter().flatten().chain(&operator.outputs))
            .chain(&inputs)
            .chain(&outputs)
            .copied()
            .collect();
        // Tensors inside of operators only lend their quantisation: they hold nothing and may have no elements.
        let inside: HashSet<TensorId> = operators
            .iter()
            .flat_map(|operator| operator.intermediates.iter().flatten())
            .copied()
            .filter(|id| !used.contains(id))
            .collect();
        used.extend(&inside);
        let mut problems = Vec::new();
        let mut tensors = Vec::with_capacity(count);
        for (index, tensor) in self.subgraph.tensors().into_iter().flatten().enumerate() {
            let name = tensor.name().unwrap_or("").to_string();
            let placeholder = Tensor {
                name: name.clone(),
                element: Element::I8,
                shape: vec![1],
                quantisation: None,
                data: None,
                variable: false,
            };
            if !used.contains(&index) {
                tensors.push(placeholder);
                continue;
            }
            match self.tensor(&tensor, name.clone(), inputs.contains(&index), inside.contains(&index)) {
                Ok(tensor) => tensors.push(tensor),
                Err(Fault::Malformed(fault)) => {
                    return Err(Error::Malformed(format!("tensor {index} \"{}\": {fault}", name.escape_debug())));
                }
                Err(Fault::Unsupported(found, supported)) => {
                    let user = operators.iter().find(|operator| {
                        operator.inputs.contains(&Some(index))
                            || operator.outputs.contains(&index)
                            || operator.intermediates.contains(&Some(index))
                    });
                    problems.push(Problem {
                        operator: user.map(|operator| (operator.index, operator.code.to_string())),
                        tensor: Some((index, name)),
                        found,
                        supported: supported.into(),
                    });
                    tensors.push(placeholder);
                }
            }
        }
        if !problems.is_empty() {
            problems.extend(unknown_operators(&operators));
            return Err(Error::Unsupported(problems));
        }
        let graph = Graph { tensors, operators, inputs, outputs };
        graph.check_flow()?;
        Ok(graph)
    }

    fn tensor(
        &self,
        tensor: &schema::Tensor<'_>,
        name: String,
        is_input: bool,
        is_inside: bool,
    ) -> std::result::Result<Tensor, Fault> {
        let element = Element::from_code(tensor.element()).ok_or_else(|| {
            Fault::Unsupported(format!("element type {}", tensor.element()), "INT8, INT16, INT32, INT64, FLOAT32")
        })?;
        let dimensions: Vec<i32> = tensor.shape().into_iter().flatten().collect();
        if dimensions.contains(&-1) {
            return Err(Fault::Unsupported(format!("dynamic shape {dimensions:?}"), STATIC_SHAPE));
        }
        let shape = dimensions
            .iter()
            .map(|&dimension| usize::try_from(dimension))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|_| Fault::Malformed(format!("negative dimension in shape {dimensions:?}")))?;
        if shape.contains(&0) && !is_inside {
            return Err(Fault::Unsupported(
                format!("shape {shape:?} without elements"),
                "shapes whose dimensions are at least 1",
            ));
        }
        // A free batch dimension is what Keras models have by default: the file then states shape 1, and that is what gets compiled.
        let signature: Vec<i32> = tensor.shape_signature().into_iter().flatten().collect();
        let batch_is_one = shape.first() == Some(&1);
        if is_input
            && signature.iter().enumerate().any(|(axis, &dimension)| dimension < 0 && (axis > 0 || !batch_is_one))
        {
            return Err(Fault::Unsupported(format!("dynamic shape {signature:?}"), STATIC_SHAPE));
        }
        let elements = shape.iter().try_fold(1usize, |product, &dimension| product.checked_mul(dimension));
        let bytes = elements.and_then(|elements| elements.checked_mul(element.bits())).map(|bits| bits.div_ceil(8));
        let bytes = bytes
            .filter(|&bytes| bytes <= LARGEST_TENSOR)
            .ok_or_else(|| Fault::Unsupported(format!("shape {shape:?} of {element}"), "tensors of at most 256 MiB"))?;
        if tensor.sparsity().is_some() {
            return Err(Fault::Unsupported("sparse storage".into(), "dense storage"));
        }
        if tensor.external_buffer() != 0 {
            return Err(Fault::Unsupported("data in an external file".into(), "data inside the model file"));
        }
        let data = match self.buffers.get(tensor.buffer() as usize) {
            None if tensor.buffer() == 0 => None,
            None => return Err(Fault::Malformed(format!("buffer {} of {}", tensor.buffer(), self.buffers.len()))),
            Some(BufferBytes::Empty) => None,
            Some(BufferBytes::Inside(bytes)) => Some(Constant { bytes: bytes.clone(), range: 0..bytes.len() }),
            Some(BufferBytes::Behind(range)) => Some(Constant { bytes: self.file.clone(), range: range.clone() }),
            Some(BufferBytes::Outside(offset, size)) => {
                return Err(Fault::Malformed(format!(
                    "its data, {size} bytes at offset {offset}, lie outside the file of {} bytes",
                    self.file.len()
                )));
            }
        };
        if let Some(data) = &data
            && data.range.len() != bytes
            && element != Element::String
        {
            return Err(Fault::Malformed(format!(
                "{} bytes of data, but {element} {shape:?} takes {bytes}",
                data.range.len()
            )));
        }
        let quantisation = quantisation(tensor, element, &shape)?;
        Ok(Tensor { name, element, shape, quantisation, data, variable: tensor.is_variable() })
    }
}

const STATIC_SHAPE: &str = "static shapes (convert with a fixed input shape; a free batch dimension of 1 is fine)";

/// What is wrong with one tensor.
enum Fault {
    Malformed(String),
    Unsupported(String, &'static str),
}

fn quantisation(
    tensor: &schema::Tensor<'_>,
    element: Element,
    shape: &[usize],
) -> std::result::Result<Option<Quantisation>, Fault> {
    let Some(parameters) = tensor.quantization() else { return Ok(None) };
    if parameters.details_type() != 0 {
        return Err(Fault::Unsupported(
            "block-wise, multi-axis or custom quantisation".into(),
            "affine quantisation per tensor or per channel",
        ));
    }
    let scales: Vec<f32> = parameters.scale().into_iter().flatten().collect();
    if scales.is_empty() || element.is_float() {
        return Ok(None);
    }
    if let Some(scale) = scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
        return Err(Fault::Unsupported(format!("scale {scale}"), "positive, finite scales"));
    }
    let mut points: Vec<i64> = parameters.zero_point().into_iter().flatten().collect();
    if points.len() <= 1 {
        points = vec![points.first().copied().unwrap_or(0); scales.len()];
    }
    if points.len() != scales.len() {
        return Err(Fault::Malformed(format!("{} scales but {} zero points", scales.len(), points.len())));
    }
    let (low, high) = element.range().unwrap_or((i32::MIN.into(), i32::MAX.into()));
    if let Some(point) = points.iter().find(|point| !(low..=high).contains(point)) {
        return Err(Fault::Unsupported(format!("zero point {point}"), "zero points in the range of the element type"));
    }
    // Real models carry nonsense here on per-tensor and rank-1 tensors, where it has no meaning.
    let dimension = if scales.len() == 1 || shape.len() <= 1 {
        0
    } else {
        usize::try_from(parameters.quantized_dimension()).unwrap_or(usize::MAX)
    };
    if scales.len() > 1 && shape.get(dimension) != Some(&scales.len()) {
        return Err(Fault::Malformed(format!(
            "{} scales along dimension {} of shape {shape:?}",
            scales.len(),
            parameters.quantized_dimension()
        )));
    }
    let zero_points = points.iter().map(|&point| point as i32).collect();
    Ok(Some(Quantisation { scales, zero_points, dimension }))
}

impl Graph {
    /// Every tensor is written at most once, and before it is read; inputs and constants are not written at all.
    fn check_flow(&self) -> Result<()> {
        let mut known: HashSet<TensorId> = self.inputs.iter().copied().collect();
        if known.len() != self.inputs.len() {
            return Err(Error::Malformed("a tensor is listed twice among the inputs".into()));
        }
        if self.outputs.is_empty() {
            return Err(Error::Malformed("the model has no outputs".into()));
        }
        let name = |tensor: TensorId| format!("tensor {tensor} \"{}\"", self.tensors[tensor].name.escape_debug());
        if let Some(&input) = self.inputs.iter().find(|&&input| self.tensors[input].data.is_some()) {
            return Err(Error::Malformed(format!("{} is an input, yet it has constant data", name(input))));
        }
        known.extend(
            (0..self.tensors.len())
                .filter(|&tensor| self.tensors[tensor].data.is_some() || self.tensors[tensor].variable),
        );
        for operator in &self.operators {
            for &input in operator.inputs.iter().flatten() {
                if !known.contains(&input) {
                    return Err(Error::Malformed(format!(
                        "operator {} {} reads {} before any operator writes it",
                        operator.index,
                        operator.code,
                        name(input)
                    )));
                }
            }
            for &output in &operator.outputs {
                if !known.insert(output) {
                    return Err(Error::Malformed(format!(
                        "operator {} {} writes {}, which is an input, a constant or written already",
                        operator.index,
                        operator.code,
                        name(output)
                    )));
                }
            }
        }
        match self.outputs.iter().find(|output| !known.contains(output)) {
            Some(&output) => Err(Error::Malformed(format!("no operator writes the output {}", name(output)))),
            None => Ok(()),
        }
    }
}

/// The schema's name of a builtin operator.
fn builtin_name(code: i32) -> Option<&'static str> {
    const NAMES: &str = include_str!("builtin_operators.txt");
    NAMES.lines().nth(usize::try_from(code).ok()?)
}

/// The schema's code of a builtin operator.
pub(crate) fn builtin_code(name: &str) -> Option<i32> {
    const NAMES: &str = include_str!("builtin_operators.txt");
    NAMES.lines().position(|line| line == name).and_then(|position| i32::try_from(position).ok())
}

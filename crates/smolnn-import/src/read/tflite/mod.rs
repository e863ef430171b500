//! `.tflite` files: a flatbuffer becomes a net.
//!
//! Everything is checked that can be checked without knowing what the operators compute: offsets, indices, shapes, buffer sizes, quantisation,
//! the order of operators. Nothing that a file says is trusted.

mod flexbuffer;
mod labels;
mod loops;
mod operators;
mod schema;
mod variables;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use flatbuffers::InvalidFlatbuffer;

pub(crate) use self::labels::label_lists;
use self::loops::Loops;
use self::operators::{Line, Stated, attributes};
use crate::error::{Error, Problem, Result};
use crate::net::{Constant, Element, Net, Node, Operator, Quantisation, RemovedChannels, Tensor, TensorId, members};

/// Largest tensor that is accepted, in bytes: far above any microcontroller, and low enough that sums of sizes cannot overflow.
const LARGEST_TENSOR: usize = 1 << 28;

/// The element types by their codes in the schema.
const ELEMENTS: [Element; 23] = {
    use Element::*;
    [
        F32, F16, I32, U8, I64, String, Bool, I16, Complex64, I8, F64, Complex128, U64, Resource, Variant, U32, U16,
        I4, BF16, I2, U4, F8E4M3, F8E5M2,
    ]
};

fn element(code: i8) -> Option<Element> {
    ELEMENTS.get(usize::try_from(code).ok()?).copied()
}

/// Whether the bytes begin as a `.tflite` file does.
pub(super) fn recognises(file: &[u8]) -> bool {
    file.get(4..8) == Some(b"TFL3")
}

/// Reads and checks the bytes of a file.
///
/// # Errors
/// [`Error::Malformed`] for damaged files, [`Error::Unsupported`] for models with several subgraphs, dynamic shapes, sparse or external
/// tensors, or impossible quantisation.
pub(super) fn read(file: &[u8]) -> Result<Net> {
    let model = schema::root(file).map_err(refusal)?;
    if model.version() != 3 {
        return Err(Error::Malformed(format!("schema version {}, supported: 3", model.version())));
    }
    let subgraphs: Vec<_> = model.subgraphs().into_iter().flatten().collect();
    let Some((&main, others)) = subgraphs.split_first() else {
        return Err(Error::Malformed("no subgraph".into()));
    };
    let codes = operator_codes(&model);
    if let Some(problem) = codes.iter().find_map(|(name, _)| accelerator(name)) {
        return Err(Error::Unsupported(vec![problem]));
    }
    let file = File { bytes: file.into(), buffers: buffer_bytes(&model, file.len()), codes };
    let reader = Reader { file: &file, subgraph: main };
    let entries = reader.entries()?;
    let once: HashSet<usize> = entries.iter().filter_map(Entry::runs_once).collect();
    if let Some(problem) = control_flow(&entries, subgraphs.len()) {
        return Err(Error::Unsupported(vec![problem]));
    }
    let mut starts = HashMap::new();
    for &index in &once {
        let Some(&subgraph) = subgraphs.get(index) else {
            return Err(Error::Malformed(format!("CALL_ONCE refers to subgraph {index} of {}", subgraphs.len())));
        };
        starts.extend(Reader { file: &file, subgraph }.starts()?);
    }
    let mut loops = Loops::new(&file, &subgraphs);
    let net = reader.read(entries, &starts, &mut loops)?;
    if !(1..=others.len()).all(|index| once.contains(&index) || loops.has_read(index)) {
        let supported = "one, besides those of CALL_ONCE and WHILE";
        let list = file.codes.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>().join(", ");
        let found = format!("{} subgraphs, with operators {list}", subgraphs.len());
        return Err(Error::Unsupported(vec![Problem::model(found, supported)]));
    }
    Ok(net)
}

/// The problem of a file whose operators are commands for an accelerator, by the name of an operator.
fn accelerator(name: &str) -> Option<Problem> {
    const CUSTOM: [(&str, &str); 4] = [
        ("ethos-u", "an Arm Ethos-U, by Vela"),
        ("edgetpu-custom-op", "a Coral Edge TPU, by edgetpu_compiler"),
        ("NeutronGraph", "an NXP Neutron, by neutron-converter"),
        ("vsi-npu", "a VeriSilicon NPU"),
    ];
    let (custom, what) = CUSTOM.into_iter().find(|(custom, _)| name.strip_prefix("CUSTOM:") == Some(custom))?;
    let found = format!("the custom operator {custom}: the file was compiled for an accelerator, {what}");
    Some(Problem::model(found, "the file from before that: quantised TensorFlow Lite as the converter wrote it"))
}

/// The problem of a model with control flow, with all operators that are of it.
fn control_flow(entries: &[Entry<'_>], subgraphs: usize) -> Option<Problem> {
    const NAMES: [&str; 4] = ["CALL", "IF", "STABLEHLO_CASE", "STABLEHLO_WHILE"];
    let list = |entry: &Entry<'_>| format!("operator {} {}", entry.index, entry.name);
    let found: Vec<String> = entries.iter().filter(|entry| NAMES.contains(&&entry.name[..])).map(list).collect();
    if found.is_empty() {
        return None;
    }
    let found = format!("control flow: {}, in {subgraphs} subgraphs", found.join(", "));
    let supported = "operators that run one after the other, and WHILE: branches taken before the conversion";
    Some(Problem::model(found, supported))
}

/// What the verifier found, on one line, and what to do.
fn refusal(error: InvalidFlatbuffer) -> Error {
    if matches!(error, InvalidFlatbuffer::TooManyTables) {
        let found = format!("more than {} operators, tensors and tables that describe them", schema::MOST_TABLES);
        return Error::Unsupported(vec![Problem::model(found, format!("at most {}", schema::MOST_TABLES))]);
    }
    let error = error.to_string();
    let lines: Vec<_> =
        error.lines().map(|line| line.trim().trim_end_matches('.')).filter(|line| !line.is_empty()).collect();
    Error::Malformed(format!("the file is cut off or damaged, fetch or convert it again ({})", lines.join(", ")))
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

/// Name and version of each entry of the operator code table: the schema's name of a builtin operator, `CUSTOM:` and the name of a custom one.
fn operator_codes(model: &schema::Model<'_>) -> Vec<(String, i32)> {
    let Some(codes) = model.operator_codes() else { return Vec::new() };
    const CUSTOM_CODE: i32 = 32;
    let names: Vec<&str> = include_str!("builtin_operators.txt").lines().collect();
    codes
        .iter()
        .map(|code| {
            // Old files carry the code in a byte; new ones repeat it there, or a placeholder when it does not fit.
            let builtin = code.builtin_code().max(code.deprecated_builtin_code().into());
            let name = match (builtin, usize::try_from(builtin).ok().and_then(|builtin| names.get(builtin))) {
                (CUSTOM_CODE, _) => format!("{CUSTOM}{}", code.custom_code().unwrap_or("").escape_debug()),
                (_, Some(&name)) => name.into(),
                (_, None) => format!("BUILTIN_{builtin}"),
            };
            (name, code.version())
        })
        .collect()
}

/// What the name of a custom operator begins with.
const CUSTOM: &str = "CUSTOM:";

/// What all subgraphs of a file share.
struct File {
    bytes: Arc<[u8]>,
    buffers: Vec<BufferBytes>,
    /// Names and versions of the operator code table.
    codes: Vec<(String, i32)>,
}

/// Reads one subgraph.
struct Reader<'a> {
    file: &'a File,
    subgraph: schema::SubGraph<'a>,
}

/// An operator as the file has it.
struct Entry<'a> {
    index: usize,
    name: String,
    version: i32,
    operator: schema::Operator<'a>,
    inputs: Vec<Option<TensorId>>,
    outputs: Vec<TensorId>,
}

impl Entry<'_> {
    /// The subgraph that a CALL_ONCE runs.
    fn runs_once(&self) -> Option<usize> {
        match self.operator.options() {
            schema::Options::CallOnce(options) if self.is("CALL_ONCE") => usize::try_from(options.subgraph).ok(),
            _ => None,
        }
    }

    /// Whether it is the builtin operator of this name.
    fn is(&self, name: &str) -> bool {
        self.name == name
    }
}

impl<'a> Reader<'a> {
    /// The tensors of a list.
    fn ids(&self, list: Option<flatbuffers::Vector<'_, i32>>, whose: &str) -> Result<Vec<TensorId>> {
        list.into_iter().flatten().map(|index| self.id(index, whose)).collect()
    }

    fn id(&self, index: i32, whose: &str) -> Result<TensorId> {
        let count = self.subgraph.tensors().map_or(0, |tensors| tensors.len());
        match usize::try_from(index) {
            Ok(index) if index < count => Ok(index),
            _ => Err(Error::Malformed(format!("{whose} refers to tensor {index} of {count}"))),
        }
    }

    /// The operators of the subgraph.
    fn entries(&self) -> Result<Vec<Entry<'a>>> {
        let mut entries = Vec::new();
        for (index, operator) in self.subgraph.operators().into_iter().flatten().enumerate() {
            let Some((name, version)) = self.file.codes.get(operator.opcode_index() as usize).cloned() else {
                return Err(Error::Malformed(format!(
                    "operator {index} refers to operator code {} of {}",
                    operator.opcode_index(),
                    self.file.codes.len()
                )));
            };
            let whose = format!("operator {index} {name}");
            let optional = |index: i32| if index == -1 { Ok(None) } else { self.id(index, &whose).map(Some) };
            let inputs = operator.inputs().into_iter().flatten().map(optional).collect::<Result<_>>()?;
            let outputs = self.ids(operator.outputs(), &whose)?;
            entries.push(Entry { index, name, version, operator, inputs, outputs });
        }
        Ok(entries)
    }

    /// The net of the subgraph with these operators, whose variables start as stated.
    fn read(&self, entries: Vec<Entry<'_>>, starts: &variables::Starts, loops: &mut Loops<'_>) -> Result<Net> {
        let inputs = self.ids(self.subgraph.inputs(), "the list of inputs")?;
        let outputs = self.ids(self.subgraph.outputs(), "the list of outputs")?;
        let mut tensors = self.tensors(&entries, &inputs, &outputs)?;
        let entries = variables::resolve(entries, &mut tensors, starts)?;
        let nodes = entries.into_iter().map(|entry| node(entry, loops)).collect::<Result<_>>()?;
        let net = Net { tensors, nodes, inputs, outputs, removed: RemovedChannels::default() };
        net.check_flow()?;
        Ok(net)
    }

    /// All tensors, or everything that is wrong with them.
    fn tensors(&self, entries: &[Entry<'_>], inputs: &[TensorId], outputs: &[TensorId]) -> Result<Vec<Tensor>> {
        // The first operator that reads or writes each tensor.
        let count = self.subgraph.tensors().map_or(0, |tensors| tensors.len());
        let mut users: Vec<Option<usize>> = vec![None; count];
        for (index, entry) in entries.iter().enumerate() {
            for &tensor in entry.inputs.iter().flatten().chain(&entry.outputs) {
                users[tensor].get_or_insert(index);
            }
        }
        let (inputs, outputs) = (members(inputs, count), members(outputs, count));
        let mut problems = Vec::new();
        let mut tensors = Vec::new();
        for (index, tensor) in self.subgraph.tensors().into_iter().flatten().enumerate() {
            let name = tensor.name().unwrap_or("").to_string();
            let placeholder = Tensor::new(name.clone(), Element::I8, vec![1], None);
            let user = users[index];
            if user.is_none() && !inputs[index] && !outputs[index] {
                tensors.push(placeholder);
                continue;
            }
            match self.tensor(&tensor, name.clone(), inputs[index]) {
                Ok(tensor) => tensors.push(tensor),
                Err(Fault::Malformed(fault)) => {
                    return Err(Error::Malformed(format!("tensor {index} \"{}\": {fault}", name.escape_debug())));
                }
                Err(Fault::Unsupported(found, supported)) => {
                    problems.push(Problem {
                        operator: user.map(|user| (entries[user].index, entries[user].name.clone())),
                        tensor: Some((index, name)),
                        found,
                        supported: supported.into(),
                    });
                    tensors.push(placeholder);
                }
            }
        }
        if problems.is_empty() {
            return Ok(tensors);
        }
        for entry in entries {
            if Line::of(&entry.name).is_none() && !entry.name.starts_with(CUSTOM) {
                let (found, supported) = operators::unknown();
                let operator = Some((entry.index, entry.name.clone()));
                problems.push(Problem { operator, tensor: None, found, supported });
            }
        }
        Err(Error::Unsupported(problems))
    }

    fn tensor(&self, tensor: &schema::Tensor<'_>, name: String, is_input: bool) -> std::result::Result<Tensor, Fault> {
        let element = element(tensor.element()).ok_or_else(|| {
            Fault::Unsupported(format!("element type {}", tensor.element()), "INT8, INT16, INT32, INT64, FLOAT32")
        })?;
        let dimensions: Vec<i32> = tensor.shape().into_iter().flatten().collect();
        // An open dimension has length 1 until inference finds another one.
        let shape = dimensions
            .iter()
            .map(|&dimension| if dimension == -1 { Ok(1) } else { usize::try_from(dimension) })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|_| Fault::Malformed(format!("negative dimension in shape {dimensions:?}")))?;
        if shape.contains(&0) {
            return Err(Fault::Unsupported(
                format!("shape {shape:?} without elements"),
                "shapes whose dimensions are at least 1",
            ));
        }
        // A free batch dimension is what Keras models have by default: the file then states shape 1, and that is what gets compiled.
        let signature: Vec<i32> = tensor.shape_signature().into_iter().flatten().collect();
        let is_open = |axis: &usize| [&dimensions, &signature].iter().any(|lengths| lengths.get(*axis) == Some(&-1));
        let mut open: Vec<usize> = (0..shape.len()).filter(is_open).collect();
        if is_input {
            let batch_is_one = shape.first() == Some(&1);
            if open.iter().any(|&axis| axis > 0 || !batch_is_one) {
                let shown = if signature.len() == shape.len() { signature } else { dimensions };
                return Err(Fault::Unsupported(format!("dynamic shape {shown:?}"), STATIC_SHAPE));
            }
            open.clear();
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
        let data = match self.file.buffers.get(tensor.buffer() as usize) {
            None if tensor.buffer() == 0 => None,
            None => return Err(Fault::Malformed(format!("buffer {} of {}", tensor.buffer(), self.file.buffers.len()))),
            Some(BufferBytes::Empty) => None,
            Some(BufferBytes::Inside(bytes)) => Constant::part(bytes.clone(), 0..bytes.len()),
            Some(BufferBytes::Behind(range)) => Constant::part(self.file.bytes.clone(), range.clone()),
            Some(BufferBytes::Outside(offset, size)) => {
                return Err(Fault::Malformed(format!(
                    "its data, {size} bytes at offset {offset}, lie outside the file of {} bytes",
                    self.file.bytes.len()
                )));
            }
        };
        if let Some(data) = &data
            && data.bytes().len() != bytes
            && element != Element::String
        {
            return Err(Fault::Malformed(format!(
                "{} bytes of data, but {element} {shape:?} takes {bytes}",
                data.bytes().len()
            )));
        }
        let quantisation = quantisation(tensor, element, &shape)?;
        Ok(Tensor { name, element, shape, open, quantisation, data, variable: tensor.is_variable(), start: None })
    }
}

const STATIC_SHAPE: &str =
    "static shapes (convert with a fixed input shape: tf.keras.Input(shape, batch_size=1) where the model is Keras')";

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

/// The node of an operator. What has no counterpart in the net becomes [`Operator::Unsupported`], so that all such operators are named at once, and
/// those that nothing needs are no hindrance.
fn node(entry: Entry<'_>, loops: &mut Loops<'_>) -> Result<Node> {
    let parts = loops.parts(&entry)?;
    let Entry { index, name, version, operator, inputs, outputs } = entry;
    let custom_options = operator.custom_options();
    let custom = name.strip_prefix(CUSTOM);
    if let Some(custom) = custom.filter(|custom| !Line::is_of_custom(custom)) {
        let (custom, options) = (custom.to_string(), custom_options.to_vec());
        let operator = Operator::Custom { name: custom, options, function: None };
        return Ok(Node { index, name, operator, inputs, outputs });
    }
    let mut stated = Stated { options: operator.options(), custom_options, inputs, outputs, parts };
    let operator = attributes(custom.unwrap_or(&name), version, &mut stated).unwrap_or_else(|refusal| {
        Operator::Unsupported { tensor: refusal.tensor, found: refusal.found, supported: refusal.supported }
    });
    Ok(Node { index, name, operator, inputs: stated.inputs, outputs: stated.outputs })
}

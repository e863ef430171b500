//! Golden data: recorded inputs and outputs of the reference interpreter, with the model they belong to.
//!
//! A folder holds `model.tflite`, `manifest.txt` and blobs; the manifest's lines are described in the README of the golden
//! data. The data lie beside the project in `../shared/golden` and inside it in `tests/data/ops`. Where they are absent
//! tests say so and pass, but with `CI=true` in the environment that is a failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;
use std::{env, format, fs, println};

use crate::model::{float_difference, floats};

/// The root of the workspace.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of the public models that figures are measured with, a folder for each: `cargo xtask --models DIR` says where else it is.
pub const MODELS: &str = "../shared/golden/models";

/// The variable that says where the public models are, for programs that `cargo xtask --models DIR` starts.
pub const MODELS_VARIABLE: &str = "SMOLNN_MODELS";

/// A folder of golden data, given from the project's root, when it is there.
///
/// # Panics
/// With `CI=true` when it is not.
pub fn folder(path: &str) -> Option<PathBuf> {
    let elsewhere = env::var_os(MODELS_VARIABLE).filter(|_| path == MODELS);
    let folder = elsewhere.map_or_else(|| project().join(path), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(env::var("CI").as_deref() != Ok("true"), "{path} is missing, which CI does not allow");
    println!("{} is absent: nothing is compared", folder.display());
    None
}

/// All golden models of a folder (`../shared/golden/ops`, `tests/data/ops`), by name; none when it is absent.
///
/// # Panics
/// When one of them cannot be read, or the folder has none.
pub fn all(path: &str) -> Vec<Golden> {
    let Some(folder) = folder(path) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder can be listed")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.join("manifest.txt").is_file() || path.join("io.txt").is_file())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "{path} holds no golden data");
    folders.iter().map(|folder| Golden::read(folder)).collect()
}

/// A streaming model that lies beside the recording of its calls (`NAME.tflite`, `NAME.random_in.bin`, `NAME.random_out.bin`) as a golden of one case,
/// the first `steps` calls; none when the folder is absent.
///
/// # Panics
/// When a file cannot be read, or fewer calls were recorded.
pub fn streaming(folder: &str, name: &str, steps: usize) -> Option<Golden> {
    let recording = [format!("{name}.random_in"), format!("{name}.random_out")];
    // The models of this collection give one byte per call.
    calls(folder, name, &recording, ["INT8", "UINT8"], 1, steps)
}

/// The audio front end that is itself a model, with features of this kind, `int8` or `float`, over the first `steps` windows;
/// none when the folder is absent.
///
/// # Panics
/// As [`streaming`].
pub fn front_end(folder: &str, kind: &str, steps: usize) -> Option<Golden> {
    let recording = ["preprocessor.in_i16".into(), format!("preprocessor_{kind}.out")];
    let (element, bytes) = if kind == "float" { ("FLOAT32", 4) } else { ("INT8", 1) };
    calls(folder, &format!("audio_preprocessor_{kind}"), &recording, ["INT16", element], 40 * bytes, steps)
}

/// A model with state beside the recording of its calls, which gave `bytes` bytes each.
fn calls(
    folder: &str,
    name: &str,
    recording: &[String; 2],
    elements: [&str; 2],
    bytes: usize,
    steps: usize,
) -> Option<Golden> {
    let model = blob(&format!("{folder}/{name}.tflite"))?;
    let read = |file: &str| blob(&format!("{folder}/{file}.bin")).expect("the recording is there");
    let (mut input, mut output) = (read(&recording[0]), read(&recording[1]));
    let calls = output.len() / bytes;
    assert!(steps <= calls && input.len().is_multiple_of(calls), "{name}: {calls} calls were recorded");
    input.truncate(input.len() / calls * steps);
    output.truncate(bytes * steps);
    let tensor = |dtype: &str| Tensor {
        dtype: dtype.into(),
        shape: Vec::new(),
        scales: Vec::new(),
        zero_points: Vec::new(),
        name: String::new(),
        constant: None,
    };
    let [of_input, of_output] = elements.map(tensor);
    let (inputs, outputs) = (vec![(0, input)], vec![(OUTPUTS, output)]);
    let case = Case { label: "recorded".into(), steps, inputs, outputs, between: Vec::new() };
    Some(Golden {
        name: name.into(),
        folder: project().join(folder),
        model,
        inputs: vec![0],
        outputs: vec![OUTPUTS],
        tensors: BTreeMap::from([(0, of_input), (OUTPUTS, of_output)]),
        operators: Vec::new(),
        cases: vec![case],
    })
}

/// The blob at a path from the project's root, when it is there.
///
/// # Panics
/// With `CI=true` when it is not.
pub fn blob(path: &str) -> Option<Vec<u8>> {
    let (parent, _) = path.rsplit_once('/').unwrap_or((".", path));
    folder(parent)?;
    Some(fs::read(project().join(path)).expect("a blob of the golden data can be read"))
}

/// The blob as little-endian i32.
///
/// # Panics
/// As [`blob`].
pub fn words(path: &str) -> Option<Vec<i32>> {
    Some(to_i32(&blob(path)?))
}

/// Little-endian i16 of bytes.
pub fn to_i16(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

/// Little-endian i32 of bytes.
pub fn to_i32(bytes: &[u8]) -> Vec<i32> {
    bytes.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Little-endian f32 of bytes.
pub fn to_f32(bytes: &[u8]) -> Vec<f32> {
    to_i32(bytes).into_iter().map(|bits| f32::from_bits(bits as u32)).collect()
}

/// int8 of bytes.
pub fn to_i8(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|&byte| byte as i8).collect()
}

/// One tensor of a model.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Type as the manifest names it: `INT8`, `INT16`, `INT32`, `FLOAT32`; a `v` behind it marks a variable.
    pub dtype: String,
    /// Lengths, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Scales: none, one, or one per channel.
    pub scales: Vec<f32>,
    /// Zero points, as many as scales or one.
    pub zero_points: Vec<i32>,
    /// Name.
    pub name: String,
    constant: Option<(usize, usize)>,
}

impl Tensor {
    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Scale of a per-tensor quantisation.
    ///
    /// # Panics
    /// When there is none.
    pub fn scale(&self) -> f32 {
        *self.scales.first().expect("the tensor is quantised")
    }

    /// Zero point of a per-tensor quantisation, 0 without one.
    pub fn zero_point(&self) -> i32 {
        self.zero_points.first().copied().unwrap_or(0)
    }

    fn element_bytes(&self) -> usize {
        match self.dtype.trim_end_matches('v') {
            "INT8" | "UINT8" | "BOOL" => 1,
            "INT16" => 2,
            "INT64" | "FLOAT64" => 8,
            _ => 4,
        }
    }
}

/// One operator of a model.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Name as TensorFlow Lite writes it: `CONV_2D`.
    pub name: String,
    /// Indices of the inputs, −1 where one is left out.
    pub inputs: Vec<i32>,
    /// Indices of the outputs.
    pub outputs: Vec<usize>,
    /// The multipliers and shifts that the reference computed, where recorded.
    pub multipliers: Vec<(i32, i32)>,
    options: BTreeMap<String, String>,
}

impl Operator {
    /// An option's text.
    ///
    /// # Panics
    /// When the manifest does not give it.
    pub fn option(&self, key: &str) -> &str {
        self.find(key).unwrap_or_else(|| panic!("{} has no option {key}", self.name))
    }

    /// An option's text, if the manifest gives it.
    pub fn find(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    /// An option's value.
    ///
    /// # Panics
    /// When the manifest does not give it or it is no number.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> T {
        self.option(key).parse().unwrap_or_else(|_| panic!("{}: option {key} is no number", self.name))
    }
}

/// One recorded run.
#[derive(Clone, Debug)]
pub struct Case {
    /// Label.
    pub label: String,
    /// Calls, one behind the other; inputs and outputs hold the data of all of them.
    pub steps: usize,
    /// Tensor and bytes of each input.
    pub inputs: Vec<(usize, Vec<u8>)>,
    /// Tensor and bytes of each output.
    pub outputs: Vec<(usize, Vec<u8>)>,
    /// Call, tensor and [`hash`] of tensors between.
    pub between: Vec<(usize, usize, u64)>,
}

/// The 64-bit FNV-1a hash, by which the manifest knows tensors that it does not store.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Case {
    /// Bytes of the input tensor.
    ///
    /// # Panics
    /// When it is no input.
    pub fn input(&self, tensor: usize) -> &[u8] {
        &self.inputs.iter().find(|(index, _)| *index == tensor).expect("the tensor is an input").1
    }

    /// Bytes of the output tensor.
    ///
    /// # Panics
    /// When it is no output.
    pub fn output(&self, tensor: usize) -> &[u8] {
        &self.outputs.iter().find(|(index, _)| *index == tensor).expect("the tensor is an output").1
    }
}

/// A model with its recorded runs.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Name of the folder.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// `model.tflite`, `model.onnx`, or the `.tflite` file of the folder's name.
    pub model: Vec<u8>,
    /// Input tensors in the model's order.
    pub inputs: Vec<usize>,
    /// Output tensors in the model's order.
    pub outputs: Vec<usize>,
    /// Tensors by index.
    pub tensors: BTreeMap<usize, Tensor>,
    /// Operators in the order of execution.
    pub operators: Vec<Operator>,
    /// Recorded runs.
    pub cases: Vec<Case>,
}

/// Numbers of the outputs of a golden without numbers of its own: from here on.
const OUTPUTS: usize = 1000;

impl Golden {
    /// Reads a folder.
    ///
    /// # Panics
    /// When it is not as described: the data are part of the project, so that is a defect and no condition.
    pub fn read(folder: &Path) -> Self {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut golden = Self {
            model: ["model.tflite", "model.onnx", &format!("{name}.tflite")]
                .iter()
                .find_map(|file| fs::read(folder.join(file)).ok())
                .expect("the model can be read"),
            name,
            folder: folder.to_path_buf(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            tensors: BTreeMap::new(),
            operators: Vec::new(),
            cases: Vec::new(),
        };
        let (file, line): (_, fn(&mut Self, &str) -> Option<()>) =
            if folder.join("io.txt").is_file() { ("io.txt", Self::io_line) } else { ("manifest.txt", Self::line) };
        let text = fs::read_to_string(folder.join(file)).expect("the manifest can be read");
        for text in text.lines() {
            line(&mut golden, text).unwrap_or_else(|| panic!("{}: cannot read the line {text:?}", golden.name));
        }
        assert!(!golden.cases.is_empty(), "{}: no case", golden.name);
        golden
    }

    /// The bytes of a constant tensor.
    ///
    /// # Panics
    /// When the tensor is no constant.
    pub fn constant(&self, tensor: usize) -> &[u8] {
        let (offset, length) = self.tensors[&tensor].constant.expect("the tensor is a constant");
        &self.model[offset..offset + length]
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let indices = |text: &str| -> Option<Vec<usize>> { text.split(',').map(|i| i.parse().ok()).collect() };
        match *words.first()? {
            "inputs" => self.inputs = indices(words.get(1)?)?,
            "outputs" => self.outputs = indices(words.get(1)?)?,
            "tensor" => {
                let list = |text: &str| -> Vec<String> {
                    if text == "-" { Vec::new() } else { text.split(',').map(ToString::to_string).collect() }
                };
                let (offset, length) = (words.get(4)?.parse().ok()?, words.get(5)?.parse().ok()?);
                let tensor = Tensor {
                    dtype: (*words.get(2)?).to_string(),
                    shape: list(words.get(3)?)
                        .iter()
                        .map(|n| n.parse().ok())
                        .collect::<Option<_>>()
                        .unwrap_or_default(),
                    constant: (length > 0).then_some((offset, length)),
                    scales: list(words.get(6)?)
                        .iter()
                        .map(|bits| u32::from_str_radix(bits, 16).ok().map(f32::from_bits))
                        .collect::<Option<_>>()?,
                    zero_points: list(words.get(7)?).iter().map(|z| z.parse().ok()).collect::<Option<_>>()?,
                    name: words[9..].join(" "),
                };
                self.tensors.insert(words.get(1)?.parse().ok()?, tensor);
            }
            "op" => {
                let options: BTreeMap<String, String> = words[6..]
                    .iter()
                    .filter_map(|word| word.split_once('='))
                    .map(|(key, value)| (key.to_string(), value.to_string()))
                    .collect();
                let multipliers = match options.get("qm") {
                    Some(file) => to_i32(&self.file(file)).chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
                    None => Vec::new(),
                };
                self.operators.push(Operator {
                    name: (*words.get(2)?).to_string(),
                    inputs: words.get(4)?.split(',').map(|i| i.parse().ok()).collect::<Option<_>>()?,
                    outputs: indices(words.get(5)?)?,
                    multipliers,
                    options,
                });
            }
            "case" => {
                assert_eq!(words.get(1)?.parse(), Ok(self.cases.len()), "cases are numbered in order");
                self.cases.push(Case {
                    label: (*words.get(2)?).to_string(),
                    steps: words.get(3)?.parse().ok()?,
                    inputs: Vec::new(),
                    outputs: Vec::new(),
                    between: Vec::new(),
                });
            }
            "inter" => {
                let between = (
                    words.get(2)?.parse().ok()?,
                    words.get(3)?.parse().ok()?,
                    u64::from_str_radix(words.get(4)?, 16).ok()?,
                );
                self.cases.get_mut(words.get(1)?.parse::<usize>().ok()?)?.between.push(between);
            }
            kind @ ("in" | "out") => {
                let (case, tensor): (usize, usize) = (words.get(1)?.parse().ok()?, words.get(2)?.parse().ok()?);
                let file = words.get(3)?;
                let steps = self.cases.get(case)?.steps;
                let bytes = match file.strip_prefix("GEN:") {
                    Some(pattern) => generate(pattern, self.tensors.get(&tensor)?, steps)?,
                    None => self.file(file),
                };
                let case = self.cases.get_mut(case)?;
                if kind == "in" { &mut case.inputs } else { &mut case.outputs }.push((tensor, bytes));
            }
            // Comments, the model's origin, outputs of other runtimes.
            _ => {}
        }
        Some(())
    }

    /// A line of `io.txt`, which stands for a manifest where only inputs and outputs were recorded: `calls N`, `in K DTYPE SHAPE`,
    /// `out K DTYPE SHAPE`, with the data of case C in `cC_inK.bin` and `cC_outK.bin`. Inputs are known by K, outputs by [`OUTPUTS`] + K.
    fn io_line(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["calls", steps] => {
                let steps = steps.parse().ok()?;
                let count = (0..).take_while(|case| self.folder.join(format!("c{case}_out0.bin")).is_file()).count();
                self.cases = (0..count)
                    .map(|case| Case {
                        label: case.to_string(),
                        steps,
                        inputs: Vec::new(),
                        outputs: Vec::new(),
                        between: Vec::new(),
                    })
                    .collect();
            }
            [kind @ ("in" | "out"), index, dtype, shape] => {
                let index: usize = index.parse().ok()?;
                let id = if kind == "in" { index } else { OUTPUTS + index };
                let tensor = Tensor {
                    dtype: dtype.replace("float", "FLOAT").to_uppercase(),
                    shape: shape.split(',').map(|length| length.parse().ok()).collect::<Option<_>>()?,
                    constant: None,
                    scales: Vec::new(),
                    zero_points: Vec::new(),
                    name: line.to_string(),
                };
                self.tensors.insert(id, tensor);
                let (ids, name) = if kind == "in" { (&mut self.inputs, "in") } else { (&mut self.outputs, "out") };
                ids.push(id);
                for case in 0..self.cases.len() {
                    let bytes = self.file(&format!("c{case}_{name}{index}.bin"));
                    let case = &mut self.cases[case];
                    if kind == "in" { &mut case.inputs } else { &mut case.outputs }.push((id, bytes));
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Whether the tensor is f32.
    pub fn is_float(&self, tensor: usize) -> bool {
        self.tensors.get(&tensor).is_some_and(|tensor| tensor.dtype == "FLOAT32")
    }

    /// What is wrong with an output: any bit of an integer, or what [`float_difference`] finds.
    pub fn difference(&self, tensor: usize, expected: &[u8], found: &[u8]) -> Option<String> {
        if expected.len() != found.len() {
            return Some(format!("{} bytes instead of {}", found.len(), expected.len()));
        }
        if self.is_float(tensor) {
            let (index, expected, found) = float_difference(floats(expected), floats(found))?;
            return Some(format!("{found} instead of {expected} at {index}"));
        }
        let differing = expected.iter().zip(found).filter(|(a, b)| a != b).count();
        (differing > 0).then(|| format!("{differing} of {} bytes", found.len()))
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap_or_else(|error| panic!("{}: {name}: {error}", self.name))
    }
}

/// The inputs that the manifest describes and does not store.
fn generate(pattern: &str, tensor: &Tensor, steps: usize) -> Option<Vec<u8>> {
    let length = tensor.len() * steps;
    let (bytes, all) = (tensor.element_bytes(), pattern);
    let value = |index: usize| -> Option<i64> {
        Some(match (all, bytes) {
            ("all_min", 1) => -128,
            ("all_max", 1) => 127,
            ("ramp", 1) => (index % 256) as i64 - 128,
            ("all_min", 2) => -32768,
            ("all_max", 2) => 32767,
            ("ramp", 2) => (index % 65536) as i64 - 32768,
            _ => return None,
        })
    };
    if tensor.dtype == "FLOAT32" {
        let at = |index: usize| match pattern {
            "all_min" => Some(-1.0_f32),
            "all_max" => Some(1.0),
            // As numpy's linspace: the step is computed once, in f64.
            "ramp" => {
                let step = 2.0 / (length.max(2) - 1) as f64;
                Some(if index + 1 == length { 1.0 } else { (-1.0 + index as f64 * step) as f32 })
            }
            _ => None,
        };
        return (0..length).map(|i| at(i).map(f32::to_le_bytes)).collect::<Option<Vec<_>>>().map(|v| v.concat());
    }
    let values: Option<Vec<i64>> = (0..length).map(value).collect();
    Some(values?.iter().flat_map(|value| value.to_le_bytes()[..bytes].to_vec()).collect())
}

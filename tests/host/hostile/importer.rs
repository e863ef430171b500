//! Bad input to the importer: damaged files, and models that are well formed but cannot be compiled. Always an error that says what and where, never
//! a panic, and never much memory.

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};
use smolnn_import::{Backend, Error, Model};
use smolnn_testkit::{Random, golden};

/// The project's own models, small and of many kinds.
fn models() -> Vec<(String, Vec<u8>)> {
    let mut paths = vec![golden::project().join("tests/data/digits/digits.tflite")];
    for folder in ["tests/data/converter", "tests/data/ops"] {
        let Ok(entries) = std::fs::read_dir(golden::project().join(folder)) else { continue };
        let files: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder").path().join("model.tflite")).collect();
        paths.extend(files.into_iter().filter(|path| path.is_file()));
    }
    paths.sort();
    assert!(paths.len() > 10, "the models of tests/data");
    paths.into_iter().map(|path| (path.display().to_string(), std::fs::read(&path).expect("a model"))).collect()
}

/// Takes a file all the way: read, compiled, within little memory too, written as Rust, run on zeros.
fn compile(bytes: &[u8]) -> Result<(), Error> {
    let model = Model::read("hostile", bytes)?;
    // What is wished of the memory takes passes of its own, whatever the model holds. One file in eight: they take time.
    if bytes.iter().fold(0, |sum: usize, &byte| sum.wrapping_add(byte.into())).is_multiple_of(8) {
        let _refused = model.clone().arena_budget(64).compile(Backend::CURRENT);
        let _compiled = model.clone().least_arena().input_by_rows().compile(Backend::CURRENT);
    }
    let program = model.compile(Backend::CURRENT)?;
    if program.constant_bytes() < 1 << 16 {
        assert!(program.source().contains("pub struct Model"));
        let _ = (program.report().table(None), program.report().table(Some(60)), program.report().json());
    }
    if program.macs() < 1 << 20 && program.arena_bytes() < 1 << 20 {
        program.runner()?.run()?;
    }
    Ok(())
}

/// What became of many damaged files.
#[derive(Default, Debug)]
struct Tally {
    compiled: usize,
    malformed: usize,
    unsupported: usize,
}

impl Tally {
    fn add(&mut self, what: &str, bytes: &[u8]) {
        let start = Instant::now();
        let result = catch_unwind(|| compile(bytes)).unwrap_or_else(|_| panic!("{what}: the importer panicked"));
        assert!(start.elapsed() < Duration::from_secs(20), "{what}: took {:?}", start.elapsed());
        match result {
            Ok(()) => self.compiled += 1,
            Err(Error::Malformed(text)) => {
                assert!(!text.is_empty());
                self.malformed += 1;
            }
            Err(Error::Unsupported(problems)) => {
                assert!(!problems.is_empty());
                self.unsupported += 1;
            }
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

/// The project's own ONNX networks.
fn exports() -> Vec<(String, Vec<u8>)> {
    let goldens = golden::all("tests/data/onnx/networks");
    goldens.into_iter().filter(|golden| golden.model.len() < 12_000).map(|golden| (golden.name, golden.model)).collect()
}

#[test]
fn damaged_onnx_files_are_refused() {
    let mut tally = Tally::default();
    let mut random = Random::new(14);
    let exports = exports();
    assert!(exports.len() > 5, "small networks in tests/data/onnx");
    for (name, bytes) in &exports {
        for length in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
            tally.add(&format!("{name} cut to {length} bytes"), &bytes[..length]);
        }
        for round in 0..400 {
            let mut damaged = bytes.clone();
            for _ in 0..random.length(1, 3) {
                let at = random.length(0, damaged.len() - 1);
                match random.length(0, 3) {
                    0 => damaged[at] ^= 1 << random.length(0, 7),
                    1 => damaged[at] = random.length(0, 255) as u8,
                    2 => _ = damaged.remove(at),
                    _ => damaged.insert(at, random.length(0, 255) as u8),
                }
            }
            tally.add(&format!("{name}, mutation {round}"), &damaged);
        }
    }
    println!("{tally:?}");
    assert!(tally.compiled > 100 && tally.malformed > 1000 && tally.unsupported > 50, "{tally:?}");
}

#[test]
fn truncated_files_are_refused() {
    let mut tally = Tally::default();
    for (name, bytes) in models() {
        for length in (0..bytes.len()).step_by(bytes.len() / 97 + 1).chain(bytes.len().saturating_sub(8)..bytes.len()) {
            // Cutting off trailing padding may leave a whole model, so that a few may compile.
            tally.add(&format!("{name} cut to {length} bytes"), &bytes[..length]);
        }
    }
    println!("{tally:?}");
    assert!(tally.malformed > 1000 && tally.compiled < tally.malformed / 10, "{tally:?}");
}

#[test]
fn bit_flips_do_not_panic() {
    let mut random = Random::new(20);
    let mut tally = Tally::default();
    for (name, bytes) in models() {
        for case in 0..200 {
            let mut bytes = bytes.clone();
            for _ in 0..random.length(1, 6) {
                let at = random.length(0, bytes.len() - 1);
                bytes[at] ^= 1 << random.length(0, 7);
            }
            tally.add(&format!("{name} flip {case}"), &bytes);
        }
    }
    println!("{tally:?}");
    assert!(tally.malformed > 100 && tally.unsupported > 50 && tally.compiled > 100, "{tally:?}");
}

#[test]
fn overwritten_words_do_not_panic() {
    // Values that make lengths, offsets and dimensions extreme.
    let values = [0_u32, 1, 2, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFFE, 0x1000_0000, 65_536, 0x4000_0001];
    let mut random = Random::new(21);
    let mut tally = Tally::default();
    for (name, bytes) in models() {
        for case in 0..200 {
            let mut bytes = bytes.clone();
            let at = random.length(0, bytes.len() / 4 - 2) * 4;
            let value = values[random.length(0, values.len() - 1)];
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            tally.add(&format!("{name} word {at} = {value:#x}, case {case}"), &bytes);
        }
    }
    println!("{tally:?}");
    assert!(tally.malformed > 100 && tally.unsupported > 20, "{tally:?}");
}

#[test]
fn random_bytes_are_refused() {
    let mut random = Random::new(22);
    let mut tally = Tally::default();
    for case in 0..2000 {
        let mut bytes: Vec<u8> = (0..random.length(8, 600)).map(|_| random.length(0, 255) as u8).collect();
        if case % 2 == 0 {
            bytes[4..8].copy_from_slice(b"TFL3");
        }
        if case % 4 == 0 {
            // A root offset that lies inside.
            let root = 8 + 4 * random.length(0, bytes.len() / 4) as u32;
            bytes[..4].copy_from_slice(&root.to_le_bytes());
        }
        tally.add(&format!("random {case}"), &bytes);
    }
    println!("{tally:?}");
    assert_eq!(tally.malformed, 2000);
}

// Well-formed models, written here, each with one thing wrong.

#[derive(Clone)]
struct TensorSpec {
    shape: Vec<i32>,
    element: i8,
    data: Option<Vec<u8>>,
    scales: Vec<f32>,
    zero_points: Vec<i64>,
    dimension: i32,
    signature: Vec<i32>,
    name: &'static str,
}

#[derive(Clone)]
struct OperatorSpec {
    code: i32,
    version: i32,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
    /// Union code, and fields as (slot, value).
    options: (u8, Vec<(u16, i32)>),
}

#[derive(Clone)]
struct Spec {
    tensors: Vec<TensorSpec>,
    operators: Vec<OperatorSpec>,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
    /// Offset and size of the second tensor's data behind the flatbuffer, instead of inside.
    behind: Option<(u64, u64)>,
    /// The name of a custom operator, which all operators are then.
    custom: Option<&'static str>,
}

const INT8: i8 = 9;
const FLOAT32: i8 = 0;
const INT32: i8 = 2;
const FULLY_CONNECTED: i32 = 9;

fn tensor(name: &'static str, shape: &[i32], element: i8, data: Option<Vec<u8>>) -> TensorSpec {
    let scales = if element == FLOAT32 { Vec::new() } else { vec![0.5] };
    TensorSpec {
        shape: shape.into(),
        element,
        data,
        scales,
        zero_points: vec![0],
        dimension: 0,
        signature: Vec::new(),
        name,
    }
}

/// A dense layer from 4 to 2.
fn dense() -> Spec {
    Spec {
        tensors: vec![
            tensor("input", &[1, 4], INT8, None),
            tensor("weights", &[2, 4], INT8, Some(vec![1, 2, 3, 4, 5, 6, 7, 8])),
            TensorSpec {
                // The input's scale times the weights'.
                scales: vec![0.25],
                ..tensor("bias", &[2], INT32, Some(vec![1, 0, 0, 0, 2, 0, 0, 0]))
            },
            tensor("output", &[1, 2], INT8, None),
        ],
        operators: vec![OperatorSpec {
            code: FULLY_CONNECTED,
            version: 4,
            inputs: vec![0, 1, 2],
            outputs: vec![3],
            options: (8, vec![]),
        }],
        inputs: vec![0],
        outputs: vec![3],
        behind: None,
        custom: None,
    }
}

type Table = WIPOffset<flatbuffers::TableFinishedWIPOffset>;

fn slot(slot: u16) -> u16 {
    4 + 2 * slot
}

/// The spec as a `.tflite` file.
fn write(spec: &Spec) -> Vec<u8> {
    let mut b = FlatBufferBuilder::new();
    let mut buffers: Vec<Table> = Vec::new();
    let start = b.start_table();
    buffers.push(b.end_table(start));
    let mut tensors: Vec<Table> = Vec::new();
    for (index, spec_tensor) in spec.tensors.iter().enumerate() {
        let mut buffer = 0;
        if let Some(data) = &spec_tensor.data {
            buffer = buffers.len() as u32;
            let vector = b.create_vector(data);
            let start = b.start_table();
            match spec.behind {
                Some((offset, size)) if index == 1 => {
                    b.push_slot_always(slot(1), offset);
                    b.push_slot_always(slot(2), size);
                }
                _ => b.push_slot_always(slot(0), vector),
            }
            buffers.push(b.end_table(start));
        }
        let (scales, points) = (b.create_vector(&spec_tensor.scales), b.create_vector(&spec_tensor.zero_points));
        let start = b.start_table();
        b.push_slot_always(slot(2), scales);
        b.push_slot_always(slot(3), points);
        b.push_slot_always(slot(6), spec_tensor.dimension);
        let quantisation = b.end_table(start);
        let (shape, signature) = (b.create_vector(&spec_tensor.shape), b.create_vector(&spec_tensor.signature));
        let name = b.create_string(spec_tensor.name);
        let start = b.start_table();
        b.push_slot_always(slot(0), shape);
        b.push_slot_always(slot(1), spec_tensor.element);
        b.push_slot_always(slot(2), buffer);
        b.push_slot_always(slot(3), name);
        b.push_slot_always(slot(4), quantisation);
        b.push_slot_always(slot(7), signature);
        tensors.push(b.end_table(start));
    }
    let (mut codes, mut operators): (Vec<Table>, Vec<Table>) = (Vec::new(), Vec::new());
    for (index, operator) in spec.operators.iter().enumerate() {
        let custom = spec.custom.map(|name| b.create_string(name));
        let start = b.start_table();
        if let Some(custom) = custom {
            b.push_slot_always(slot(1), custom);
        }
        b.push_slot_always(slot(0), operator.code.min(127) as i8);
        b.push_slot_always(slot(2), operator.version);
        b.push_slot_always(slot(3), operator.code);
        codes.push(b.end_table(start));
        let start = b.start_table();
        for &(field, value) in &operator.options.1 {
            // Enumerations and flags are bytes, the rest 32 bits; what is small enough here is a byte.
            b.push_slot_always(slot(field), value as i8);
        }
        let options = b.end_table(start);
        let (inputs, outputs) = (b.create_vector(&operator.inputs), b.create_vector(&operator.outputs));
        let start = b.start_table();
        b.push_slot_always(slot(0), index as u32);
        b.push_slot_always(slot(1), inputs);
        b.push_slot_always(slot(2), outputs);
        b.push_slot_always(slot(3), operator.options.0);
        b.push_slot_always(slot(4), WIPOffset::<UnionWIPOffset>::new(options.value()));
        operators.push(b.end_table(start));
    }
    let (tensors, operators) = (b.create_vector(&tensors), b.create_vector(&operators));
    let (inputs, outputs) = (b.create_vector(&spec.inputs), b.create_vector(&spec.outputs));
    let start = b.start_table();
    b.push_slot_always(slot(0), tensors);
    b.push_slot_always(slot(1), inputs);
    b.push_slot_always(slot(2), outputs);
    b.push_slot_always(slot(3), operators);
    let subgraph = b.end_table(start);
    let (codes, subgraphs, buffers) =
        (b.create_vector(&codes), b.create_vector(&[subgraph]), b.create_vector(&buffers));
    let start = b.start_table();
    b.push_slot_always(slot(0), 3_u32);
    b.push_slot_always(slot(1), codes);
    b.push_slot_always(slot(2), subgraphs);
    b.push_slot_always(slot(4), buffers);
    let model = b.end_table(start);
    b.finish(model, Some("TFL3"));
    b.finished_data().to_vec()
}

/// The error of a spec as text.
fn refusal(spec: &Spec) -> String {
    match compile(&write(spec)) {
        Ok(()) => panic!("compiled"),
        Err(error) => error.to_string(),
    }
}

/// Changes the dense model and checks that the error holds all the given words.
fn refused(change: impl FnOnce(&mut Spec), words: &[&str]) {
    let mut spec = dense();
    change(&mut spec);
    let text = refusal(&spec);
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

#[test]
fn the_written_model_compiles() {
    compile(&write(&dense())).expect("the unchanged model compiles");
}

#[test]
fn errors_name_operator_tensor_found_and_supported() {
    let weights = ["operator 0 FULLY_CONNECTED", "tensor 1 \"weights\""];
    refused(
        |spec| spec.tensors[1].element = FLOAT32,
        &["tensor 1 \"weights\"", "8 bytes of data, but FLOAT32 [2, 4] takes 32"],
    );
    refused(
        |spec| spec.tensors[0].element = FLOAT32,
        &["operator 0 FULLY_CONNECTED", "tensor 1 \"weights\"", "found INT8", "supported: FLOAT32"],
    );
    refused(|spec| spec.tensors[3].scales.clear(), &["tensor 3 \"output\"", "found no scale"]);
    refused(|spec| spec.tensors[1].scales.clear(), &[weights[0], weights[1], "without scale"]);
    refused(|spec| spec.tensors[1].scales = vec![f32::NAN], &[weights[0], weights[1], "scale NaN", "positive, finite"]);
    refused(|spec| spec.tensors[0].scales = vec![-1.0], &["tensor 0 \"input\"", "scale -1"]);
    refused(|spec| spec.tensors[0].zero_points = vec![128], &["tensor 0 \"input\"", "zero point 128"]);
    refused(|spec| spec.tensors[0].zero_points = vec![0, 0], &["1 scales but 2 zero points"]);
    refused(
        |spec| {
            spec.tensors[1].scales = vec![1.0; 2];
            spec.tensors[1].zero_points = vec![3; 2];
        },
        &[weights[0], weights[1], "2 scales", "one scale for the whole tensor"],
    );
    refused(|spec| spec.tensors[1].scales = vec![1.0, 1.0, 1.0], &["3 scales along dimension 0 of shape [2, 4]"]);
    refused(
        |spec| {
            spec.tensors[1].scales = vec![1.0; 4];
            spec.tensors[1].dimension = 1;
        },
        &[weights[0], weights[1], "along dimension 1", "dimension 0"],
    );
    refused(|spec| spec.tensors[1].data = None, &["reads tensor 1 \"weights\" before any operator writes it"]);
    refused(|spec| spec.tensors[1].data = Some(vec![0; 7]), &["tensor 1 \"weights\"", "7 bytes of data", "takes 8"]);
    refused(|spec| spec.tensors[2].shape = vec![1], &["8 bytes of data, but INT32 [1] takes 4"]);
    refused(
        |spec| {
            spec.tensors[2].shape = vec![1];
            spec.tensors[2].data = Some(vec![0; 4]);
        },
        &["tensor 2 \"bias\"", "bias of shape [1]", "2 elements"],
    );
    refused(|spec| spec.tensors[3].shape = vec![1, 3], &["tensor 3 \"output\"", "found shape [1, 3]", "shape [1, 2]"]);
    refused(|spec| spec.tensors[0].shape = vec![1, 3], &["tensor 0 \"input\"", "[1, 3]", "multiple of 4"]);
    refused(|spec| spec.operators[0].version = 99, &["operator 0 FULLY_CONNECTED", "version 99", "versions 1 to"]);
    refused(|spec| spec.operators[0].options = (0, vec![]), &["operator 0 FULLY_CONNECTED", "no options"]);
    refused(|spec| spec.operators[0].options.1 = vec![(0, 4)], &["fused activation TANH", "RELU6"]);
    refused(|spec| spec.operators[0].options.1 = vec![(1, 1)], &["weights format 1"]);
    refused(|spec| spec.operators[0].inputs.truncate(1), &["1 inputs and 1 outputs"]);
    refused(|spec| spec.operators[0].inputs[1] = -1, &["no input 1"]);
}

#[test]
fn scales_that_do_not_fit_each_other_are_refused() {
    let operator = "operator 0 FULLY_CONNECTED";
    // Factors that no shift expresses, by one scale for all weights and by one per channel; and one that is infinite in f32.
    refused(
        |spec| spec.tensors[1].scales = vec![1e10],
        &[operator, "tensor 2 \"bias\"", "scale 0.25", "scale 5000000000.0"],
    );
    for scales in [vec![1e10], vec![0.5, 1e10], vec![f32::MAX, 1.0]] {
        refused(
            |spec| {
                spec.operators[0].inputs.truncate(2);
                spec.tensors[0].scales = vec![4.0];
                spec.tensors[1].scales = scales;
            },
            &[operator, "scales that give the factor", "below 2^30"],
        );
    }
    refused(|spec| spec.tensors[2].scales = vec![0.3], &[operator, "tensor 2 \"bias\"", "scale 0.3", "scale 0.25"]);
}

#[test]
fn extreme_factors_of_a_softmax_are_refused() {
    // β = 1 stands in the options of the softmax, and perhaps the same bytes elsewhere: 6 refusals come from the right place.
    let path = golden::project().join("tests/data/digits/digits.tflite");
    let file = std::fs::read(path).expect("the digits model");
    let beta = 1.0_f32.to_le_bytes();
    let places: Vec<usize> = (0..file.len() - 4).step_by(4).filter(|&at| file[at..at + 4] == beta).collect();
    assert!(compile(&file).is_ok());
    let mut refused = 0;
    for &at in &places {
        for beta in [1e-10_f32, 1e-38, 0.0, -1.0, f32::NAN, f32::INFINITY] {
            let mut bytes = file.clone();
            bytes[at..at + 4].copy_from_slice(&beta.to_le_bytes());
            let error = compile(&bytes).err().map(|error| error.to_string()).unwrap_or_default();
            refused += usize::from(error.contains("SOFTMAX: found the factor"));
        }
    }
    assert_eq!(refused, 6);
}

#[test]
fn shapes_and_sizes_are_checked() {
    refused(
        |spec| spec.tensors[0].shape = vec![1, -1],
        &["tensor 0 \"input\"", "dynamic shape [1, -1]", "static shapes"],
    );
    refused(|spec| spec.tensors[0].shape = vec![-7, 4], &["negative dimension"]);
    refused(|spec| spec.tensors[0].shape = vec![0, 4], &["tensor 0 \"input\"", "[0, 4] without elements"]);
    refused(|spec| spec.tensors[0].shape = vec![i32::MAX; 4], &["tensor 0 \"input\"", "256 MiB"]);
    refused(|spec| spec.tensors[0].signature = vec![1, -1], &["dynamic shape [1, -1]"]);
    let mut free_batch = dense();
    free_batch.tensors[0].signature = vec![-1, 4];
    compile(&write(&free_batch)).expect("a free batch dimension of 1 compiles");
    let mut open_batch = dense();
    open_batch.tensors[0].shape = vec![-1, 4];
    open_batch.tensors[3].shape = vec![-1, 2];
    compile(&write(&open_batch)).expect("a batch dimension that is left open is 1");
    // 40 MiB of activations are legal in the file, and cost nothing until they are run.
    let mut large = dense();
    large.tensors[0].shape = vec![10 << 20, 4];
    large.tensors[3].shape = vec![10 << 20, 2];
    compile(&write(&large)).expect("large shapes are only numbers");
}

/// A file for an accelerator, and control flow: one message that says what the file is.
#[test]
fn accelerators_and_control_flow_are_named() {
    const CUSTOM: i32 = 32;
    const IF: i32 = 118;
    for (name, words) in [("ethos-u", "Vela"), ("edgetpu-custom-op", "Coral")] {
        refused(
            |spec| {
                spec.custom = Some(name);
                spec.operators[0].code = CUSTOM;
                // Whatever else is odd about such a file is none of the user's business.
                spec.tensors[1].shape = vec![0];
            },
            &[name, words, "compiled for an accelerator", "the file from before"],
        );
    }
    refused(|spec| spec.operators[0].code = IF, &["control flow", "operator 0 IF", "branches taken"]);
}

/// Zero points that some writers leave unaligned, and the same values aligned, are the same model.
#[test]
fn unaligned_zero_points_are_read() {
    let mut spec = dense();
    for tensor in &mut spec.tensors {
        tensor.zero_points = vec![0x11];
    }
    (spec.tensors[1].zero_points, spec.tensors[2].zero_points) = (vec![0], vec![0]);
    let bytes = write(&spec);
    let value = 0x11_i64.to_le_bytes();
    let at = bytes.windows(8).position(|window| window == value).expect("the zero point is in the file");
    let length = at - 4;
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    let pointer = (0..length).step_by(4).find(|&from| from + word(from) == length).expect("something refers to it");
    // The same vector once more behind the file, four bytes off, and the offset to it.
    let mut moved = bytes.clone();
    moved.resize(bytes.len().next_multiple_of(8), 0);
    let behind = moved.len();
    moved.extend(1_u32.to_le_bytes());
    moved.extend(value);
    moved[pointer..pointer + 4].copy_from_slice(&((behind - pointer) as u32).to_le_bytes());
    compile(&bytes).expect("the aligned file compiles");
    compile(&moved).expect("the unaligned file compiles");
}

/// What cannot be computed before the run is the cause, and its victims are not named beside it.
#[test]
fn causes_are_named_and_not_their_victims() {
    const RESHAPE: i32 = 22;
    let mut spec = dense();
    // The layer's input is reshaped to a shape that is an input of the model.
    spec.tensors.push(tensor("wanted", &[2], INT32, None));
    spec.tensors.push(TensorSpec { signature: vec![-1, -1], ..tensor("reshaped", &[1, 1], INT8, None) });
    spec.inputs.push(4);
    spec.operators.insert(0, plain(RESHAPE, 0, vec![0, 4], vec![5]));
    spec.operators[1].inputs[0] = 5;
    let text = refusal(&spec);
    assert!(text.contains("operator 0 RESHAPE") && text.contains("shape computed when the model runs"), "{text}");
    assert!(!text.contains("FULLY_CONNECTED"), "{text}");
}

#[test]
fn a_clip_below_one_step_of_the_cell_leaves_nothing() {
    let path = golden::project().join("tests/data/ops/lstm_cell_2_pow_9_clip/model.tflite");
    let mut file = std::fs::read(path).expect("the model");
    let clip = 3.0_f32.to_le_bytes();
    let at = (0..file.len() - 4).step_by(4).find(|&at| file[at..at + 4] == clip).expect("the clip");
    file[at..at + 4].copy_from_slice(&1e-10_f32.to_le_bytes());
    let program = Model::read("clip", &file).and_then(|model| model.compile(Backend::CURRENT)).expect("a model");
    let mut runner = program.runner().expect("a runner");
    let (input, output) = (program.net().inputs[0], program.net().outputs[0]);
    runner.set_input(0, &vec![77; program.net().tensors[input].len()]).expect("the input");
    runner.run().expect("a run");
    let zero_point = program.net().tensors[output].quantisation.as_ref().expect("quantised").zero_points[0];
    let values = runner.output(0).expect("the output");
    assert!(!values.is_empty() && values.iter().all(|&value| i32::from(value as i8) == zero_point), "{values:?}");
}

/// What the reference's operator does not have, or smolnn leaves out, for int8 and int16: a tensor where there is none, or
/// none where there is one.
#[test]
fn what_an_lstm_cannot_have_is_refused_by_name() {
    let cases = [
        (9, 1, "peephole"),
        (16, 1, "projection"),
        (17, 12, "projection"),
        (20, 12, "layer normalisation"),
        (1, -1, "coupled input and forget gates"),
    ];
    for name in ["lstm_odd_sizes", "lstm_int16"] {
        let path = golden::project().join(format!("tests/data/ops/{name}/model.tflite"));
        let file = std::fs::read(path).expect("the model");
        let word = |at: usize| i32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        // The operator's inputs are a vector of 24 indices, of which no peephole and no projection is there.
        let inputs = (0..file.len() - 100)
            .step_by(4)
            .find(|&at| {
                let index = |input: usize| word(at + 4 + 4 * input);
                [20, 24].contains(&word(at))
                    && [9, 10, 11, 16, 17].iter().all(|&input| index(input) == -1)
                    && index(0) >= 0
            })
            .expect("an LSTM's inputs");
        for (input, other, wanted) in cases {
            let mut changed = file.clone();
            let at = inputs + 4 + 4 * input;
            let tensor = if other < 0 { -1 } else { word(inputs + 4 + 4 * other as usize) };
            changed[at..at + 4].copy_from_slice(&tensor.to_le_bytes());
            let error = compile(&changed).expect_err(wanted).to_string();
            assert!(error.contains(wanted) && error.contains("UNIDIRECTIONAL_SEQUENCE_LSTM"), "{name}: {error}");
        }
    }
}

#[test]
fn data_behind_the_flatbuffer_is_checked() {
    let mut spec = dense();
    let length = write(&spec).len() as u64;
    spec.behind = Some((1 << 40, 8));
    assert!(refusal(&spec).contains("lie outside the file"));
    spec.behind = Some((u64::MAX, 8));
    assert!(refusal(&spec).contains("lie outside the file"));
    spec.behind = Some((16, u64::MAX));
    assert!(refusal(&spec).contains("lie outside the file"));
    spec.behind = Some((length + 64, 8));
    let mut bytes = write(&spec);
    bytes.resize(length as usize + 64, 0);
    bytes.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    compile(&bytes).expect("data behind the flatbuffer is read");
}

#[test]
fn the_flow_of_tensors_is_checked() {
    refused(|spec| spec.inputs = vec![9], &["the list of inputs refers to tensor 9 of 4"]);
    refused(|spec| spec.operators[0].outputs = vec![-1], &["operator 0 FULLY_CONNECTED refers to tensor -1"]);
    refused(|spec| spec.operators[0].outputs = vec![0], &["writes tensor 0 \"input\", which is an input"]);
    refused(
        |spec| spec.operators[0].outputs = vec![1],
        &["writes tensor 1 \"weights\", which is an input, a constant"],
    );
    refused(|spec| spec.operators.push(spec.operators[0].clone()), &["writes tensor 3 \"output\"", "written already"]);
    refused(|spec| spec.inputs = vec![0, 0], &["listed twice"]);
    refused(|spec| spec.inputs = vec![1], &["tensor 1 \"weights\" is an input, yet it has constant data"]);
    refused(|spec| spec.inputs.clear(), &["reads tensor 0 \"input\" before"]);
    refused(|spec| spec.operators.clear(), &["no operator writes the output tensor 3"]);
    refused(|spec| spec.outputs.clear(), &["no outputs"]);
    refused(|spec| spec.outputs = vec![1], &["tensor 1 \"weights\"", "an output that is a constant"]);
    // An output that is an input as well, and an output twice, are odd but sound.
    let mut odd = dense();
    odd.outputs = vec![3, 0, 3];
    compile(&write(&odd)).expect("inputs may be outputs");
}

#[test]
fn all_unsupported_operators_are_listed_at_once() {
    const TOPK_V2: i32 = 48;
    const UNIQUE: i32 = 103;
    let mut spec = dense();
    for code in [TOPK_V2, UNIQUE] {
        let previous = spec.tensors.len() as i32 - 1;
        spec.tensors.push(tensor("more", &[1, 2], INT8, None));
        spec.operators.push(OperatorSpec {
            code,
            version: 1,
            inputs: vec![previous],
            outputs: vec![previous + 1],
            options: (0, vec![]),
        });
    }
    spec.outputs = vec![5];
    let text = refusal(&spec);
    assert!(
        text.contains("operator 1 TOPK_V2")
            && text.contains("operator 2 UNIQUE")
            && text.contains("supported operators: "),
        "{text}"
    );
}

/// A sum along the last axis of four elements.
fn sum() -> Spec {
    const SUM: i32 = 74;
    const REDUCER: u8 = 27;
    Spec {
        tensors: vec![
            tensor("input", &[2, 4], INT8, None),
            TensorSpec { scales: Vec::new(), ..tensor("axes", &[1], INT32, Some(vec![1, 0, 0, 0])) },
            tensor("output", &[2], INT8, None),
        ],
        operators: vec![OperatorSpec {
            code: SUM,
            version: 1,
            inputs: vec![0, 1],
            outputs: vec![2],
            options: (REDUCER, vec![]),
        }],
        inputs: vec![0],
        outputs: vec![2],
        behind: None,
        custom: None,
    }
}

#[test]
fn sums_saturate() {
    let program = Model::read("sum", &write(&sum())).and_then(|model| model.compile(Backend::CURRENT)).expect("a sum");
    let mut runner = program.runner().expect("a runner");
    runner.set_input(0, &[1, 2, 3, 4, 100, 100, 0xFF, 0]).expect("the input");
    runner.run().expect("a run");
    assert_eq!(runner.output(0).expect("the output"), [10, 127], "summed, and saturated");
}

#[test]
fn states_of_their_own_are_needed() {
    let folder = golden::project().join("../shared/golden/hostile");
    for (name, words) in [
        ("lstm_same_state", "one tensor as both states"),
        ("svdf_const_state", "a constant state"),
        ("i64bias", "biases below"),
    ] {
        let Ok(file) = std::fs::read(folder.join(name).with_extension("tflite")) else { continue };
        let error = compile(&file).expect_err(name).to_string();
        assert!(error.contains(words), "{error}");
    }
}

const ADD: i32 = 0;
const CONCATENATION: i32 = 2;

/// An operator of a kind whose options are all at their defaults.
fn plain(code: i32, options: u8, inputs: Vec<i32>, outputs: Vec<i32>) -> OperatorSpec {
    OperatorSpec { code, version: 1, inputs, outputs, options: (options, vec![]) }
}

/// Inputs of 4 bytes, one behind the other in the output.
fn joined(inputs: i32) -> Spec {
    let mut tensors = vec![tensor("x", &[1, 4], INT8, None); inputs as usize];
    tensors.push(tensor("y", &[inputs, 4], INT8, None));
    Spec {
        tensors,
        operators: vec![plain(CONCATENATION, 10, (0..inputs).collect(), vec![inputs])],
        inputs: (0..inputs).collect(),
        outputs: vec![inputs],
        behind: None,
        custom: None,
    }
}

/// A model with parallel branches of one addition each, joined at their ends.
fn branched(branches: i32) -> Spec {
    let mut spec = joined(branches + 1);
    spec.operators[0].inputs = (1..=branches).collect();
    spec.tensors[branches as usize + 1].shape = vec![branches, 4];
    let additions = (1..=branches).map(|branch| plain(ADD, 11, vec![0, 0], vec![branch]));
    spec.operators.splice(0..0, additions);
    spec.inputs = vec![0];
    spec
}

fn arena_bytes(bytes: &[u8]) -> usize {
    let model = Model::read("hostile", bytes).expect("a model");
    model.compile(Backend::CURRENT).expect("a program").arena_bytes()
}

#[test]
fn as_many_tensors_as_are_allowed_are_planned() {
    // All branches and their concatenation live at one moment.
    assert_eq!(arena_bytes(&write(&branched(1999))), 2 * 1999 * 4);
    assert_eq!(arena_bytes(&write(&joined(2000))), 2 * 2000 * 4);
    let folder = golden::project().join("../shared/golden/hostile");
    for (name, expected) in [("wide2000", 128_064), ("inputs2000", 8000)] {
        let Ok(file) = std::fs::read(folder.join(name).with_extension("tflite")) else { continue };
        assert_eq!(arena_bytes(&file), expected, "{name}");
    }
}

#[test]
fn more_than_can_be_planned_is_refused_with_the_limit() {
    let cases = [
        (branched(2000), "2001 operators", "at most 2000"),
        (joined(2001), "2001 inputs", "at most 2000"),
        (joined(60_000), "60000 inputs", "at most 2000"),
        (Spec { outputs: vec![3; 2001], ..dense() }, "2001 outputs", "at most 2000"),
        (branched(60_000), "more than 200000 operators, tensors", "at most 200000"),
    ];
    for (spec, found, supported) in cases {
        let text = refusal(&spec);
        assert!(text.contains(found) && text.contains(supported), "{text}");
    }
}

#[test]
fn names_can_stand_in_rust() {
    let bytes = write(&dense());
    for (name, expected) in [
        ("digits", "digits"),
        ("ToyCar-v2.1", "ToyCar_v2_1"),
        ("2nd", "_2nd"),
        ("type", "type_"),
        ("", "__"),
        ("é", "__"),
    ] {
        assert_eq!(Model::read(name, &bytes).expect("a model").name(), expected, "{name}");
    }
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    for bytes in [&b""[..], b"TFL", b"\x89PNG\r\n\x1a\n and more", b"\x1c\0\0\0TFL3"] {
        let error = compile(bytes).expect_err("no model");
        assert!(matches!(error, Error::Malformed(_)), "{error}");
    }
    let missing = Model::open("/nonexistent/model.tflite").expect_err("no file");
    assert!(missing.to_string().contains("/nonexistent/model.tflite"), "{missing}");
}

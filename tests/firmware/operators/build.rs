//! Compiles the single-operator models and small whole ones, float ones among them, for the target of the build; float networks that are quantised here, with
//! what they give on this machine; the recorded float cases; and spoken vowels for a quantised GRU. A board of 16 KiB has none of them: each operator would bring kernels of its own, which the whole
//! models run there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use embed::Writer;
use smolnn_fixed::rnn::gru;
use smolnn_import::npy::Array;
use smolnn_import::recurrent::{self, CellWeights, QuantisedGru, Reset, Update};
use smolnn_import::{Backend, Model, RangeMethod};
use smolnn_testkit::golden::{self, Case, Golden};
use smolnn_testkit::signal::{COEFFICIENTS, MFCC_FRAMES, MFCC_SAMPLES, STAGES};
use smolnn_testkit::vowels;

/// Streaming models, each with the recording of its calls.
const WAKE: &str = "../shared/golden/wake";

/// Most bytes that are recorded of a whole model: of one with more, a board holds the first case alone.
const LARGEST: usize = 64 << 10;

/// Whether what was recorded of a whole model is to be compared here.
fn comparable(golden: &Golden) -> bool {
    // The recorded outputs of the one are no function of its input (tests/host/golden/models.rs); the other is measured too, and
    // embedded where the measured models are.
    !["tcn_dilated_dyn", "cnn_float"].contains(&golden.name.as_str())
}

/// The whole models of a folder, by names that no single operator has.
fn whole_models(folder: &str, prefix: &str) -> impl Iterator<Item = Golden> {
    let named = move |mut golden: Golden| {
        let recorded = golden.cases.iter().flat_map(|case| case.inputs.iter().chain(&case.outputs));
        if recorded.map(|(_, bytes)| bytes.len()).sum::<usize>() > LARGEST {
            golden.cases.truncate(1);
        }
        Golden { name: format!("{prefix}_{}", golden.name), ..golden }
    };
    golden::all(folder).into_iter().filter(comparable).map(named)
}

/// Streaming models, each with the calls that are recorded of it.
const STREAMING: [&str; 4] = ["okay_nabu_v1", "okay_nabu_v2", "hey_jarvis_v2", "vad_v2"];

/// Windows of which a board compares every stage of the front end.
const WINDOWS: usize = 20;

/// Models of `tests/data/converter` that compute in f32, in whole or in part.
const FLOAT_MODELS: [&str; 3] = ["hybrid_weights", "float16_weights", "two_operators"];

fn main() {
    for folder in [
        "../../../../shared/golden/ops",
        "../../../../shared/golden/tf",
        "../../../../shared/golden/onnx",
        "../../../../shared/golden/wake",
        "../../../../shared/golden/float",
        "../../data/ops",
        "../../data/converter",
        "../../data/japanese_vowels",
        "../../data/quantise",
        "../../data/signal",
    ] {
        println!("cargo::rerun-if-changed={folder}");
    }
    let mut writer = Writer::for_build();
    let mut operators = Vec::new();
    if !writer.small {
        operators.extend(golden::all("../shared/golden/ops"));
        operators.extend(golden::all("tests/data/ops"));
        operators.extend(golden::all("tests/data/japanese_vowels"));
        operators.extend(whole_models("../shared/golden/tf", "whole"));
        operators.extend(whole_models("../shared/golden/onnx", "onnx"));
        operators.extend(STREAMING.iter().filter_map(|name| golden::streaming(WAKE, name, 60)));
        operators.extend(["int8", "float"].iter().filter_map(|kind| golden::front_end(WAKE, kind, 20)));
        let float = FLOAT_MODELS.map(|name| golden::folder(&format!("tests/data/converter/{name}")));
        operators.extend(float.iter().flatten().map(|folder| Golden::read(folder)));
    }
    writer.group("operators", operators);
    stages(&mut writer);
    mfcc(&mut writer);
    let networks: &[&str] = if writer.small { &[] } else { &QUANTISED };
    writer.models("quantised", networks.iter().map(|name| quantised(name)));
    floats(&mut writer);
    gru(&mut writer);
    writer.write("operators.rs");
}

/// What is recorded of the stages of the front end, for the first windows.
fn stages(writer: &mut Writer) {
    let mut blobs = String::new();
    for (name, length) in STAGES {
        let recorded = if writer.small { None } else { golden::blob(&format!("{WAKE}/stage_{name}.bin")) };
        // The recording has 60 windows.
        let Some(recorded) = recorded else { break };
        assert!(recorded.len().is_multiple_of(60 * length), "{name} has 60 windows of {length} numbers");
        let blob = writer.blob(&recorded[..recorded.len() / 60 * WINDOWS]);
        let _ = writeln!(blobs, "    ({name:?}, {blob}),");
    }
    let windows = if blobs.is_empty() { 0 } else { WINDOWS };
    let _ = writeln!(
        writer.text,
        "/// Windows of which the stages of the front end are recorded.\npub const STAGED_WINDOWS: usize = {windows};\n\n\
         /// The numbers of each stage, by its name.\n\
         pub static STAGES: &[(&str, &[u8])] = &[\n{blobs}];\n"
    );
}

/// The beginning of a recorded sound, and the MFCC that librosa and torchaudio make of it.
fn mfcc(writer: &mut Writer) {
    let mut blobs = String::new();
    let coefficients = 4 * MFCC_FRAMES * COEFFICIENTS;
    let recordings =
        [("input", 2 * MFCC_SAMPLES), ("librosa_mfcc", coefficients), ("torchaudio_mfcc_log", coefficients)];
    let here = if writer.small { 0 } else { recordings.len() };
    for (name, length) in recordings.into_iter().take(here) {
        let recorded =
            golden::blob(&format!("tests/data/signal/{name}.bin")).expect("the recording is part of the project");
        let blob = writer.blob(&recorded[..length]);
        let _ = writeln!(blobs, "    ({name:?}, {blob}),");
    }
    let _ = writeln!(
        writer.text,
        "/// A sound and its MFCC, by name; none on a board of 16 KiB.\npub static MFCC: &[(&str, &[u8])] = &[\n{blobs}];\n"
    );
}

/// Float networks that are quantised here.
const QUANTISED: [&str; 2] = ["digits", "motions"];

/// A float network that became one of integers, and what it gives for some samples on this machine, bit for bit. Few samples calibrate it: accuracy is
/// measured elsewhere.
fn quantised(name: &str) -> (Golden, smolnn_import::Result<Model>) {
    let data = golden::project().join("tests/data/quantise");
    let model = Model::open(data.join(format!("{name}.tflite"))).and_then(|model| {
        let calibration = Array::open(&data.join(format!("{name}.npz")))?.swap_remove(0).1;
        let length = calibration.values.len() / calibration.shape[0];
        let samples = calibration.values.chunks_exact(length).step_by(8);
        let samples: Vec<Vec<f32>> = samples.map(|sample| sample.iter().map(|&value| value as f32).collect()).collect();
        let model = model.named(&format!("quantised_{name}")).calibrate_with(samples)?;
        model.ranges(RangeMethod::MinMax).equalise(false).correct_biases(true).int16(["3"]).int8()
    });
    let cases = model.as_ref().map_or_else(|_| Vec::new(), runs);
    let golden = Golden {
        name: format!("quantised_{name}"),
        folder: data,
        model: Vec::new(),
        inputs: vec![0],
        outputs: vec![1],
        tensors: BTreeMap::new(),
        operators: Vec::new(),
        cases,
    };
    (golden, model)
}

/// Runs of a model of one input and one output on this machine, over pseudo-random inputs.
fn runs(model: &Model) -> Vec<Case> {
    let program = model.compile(Backend::CURRENT).expect("the network compiles");
    let mut runner = program.runner().expect("the backend is this machine's");
    let length = program.net().tensors[program.net().inputs[0]].bytes();
    let mut state = 1_u32;
    let mut case = |label: String| {
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let input: Vec<u8> = (0..length).map(|_| random()).collect();
        runner.set_input(0, &input).expect("as many bytes as the input has");
        runner.run().expect("a checked program runs");
        let output = runner.output(0).expect("there is an output").to_vec();
        Case { label, steps: 1, inputs: vec![(0, input)], outputs: vec![(1, output)], between: Vec::new() }
    };
    (0..4).map(|index| case(format!("random {index}"))).collect()
}

/// The recorded float cases: manifest, and each case's tensors.
fn floats(writer: &mut Writer) {
    let folder = if writer.small { None } else { golden::folder("../shared/golden/float") };
    let read = |folder: &Path, file: &str| fs::read(folder.join(file)).expect("the float cases can be read");
    let manifest = folder.as_deref().map_or_else(Vec::new, |folder| read(folder, "manifest.txt"));
    let manifest = String::from_utf8(manifest).expect("the manifest is text");
    let mut blobs = String::new();
    for name in manifest.lines().filter_map(|line| line.strip_prefix("case ")?.split(' ').next()) {
        let bytes = read(folder.as_deref().expect("there is a manifest"), &format!("{name}.bin"));
        let blob = writer.blob(&bytes);
        let _ = writeln!(blobs, "    ({name:?}, {blob}),");
    }
    let _ = writeln!(
        writer.text,
        "/// The recorded float cases: what `smolnn_testkit::float_cases` takes.\n\
         pub static FLOAT_MANIFEST: &str = {manifest:?};\n\n\
         /// Tensors of each float case, by its name.\n\
         pub static FLOAT_BLOBS: &[(&str, &[u8])] = &[\n{blobs}];\n"
    );
}

/// The quantised GRU that was trained on JapaneseVowels, with the first utterances to test it with, and the states that
/// the portable kernels reach on this machine.
fn gru(writer: &mut Writer) {
    let weights = vowels::Weights::read("gru");
    let [kernel, recurrent, bias] = ["kernel", "recurrent_kernel", "bias"].map(|name| weights.tensor(name));
    let cell = CellWeights::from_keras(vowels::FEATURES, vowels::UNITS, kernel, recurrent, bias);
    let cell = cell.expect("the weights fit");
    let calibration = vowels::Split::read("train").frames;
    let quantised = |backend: Backend| {
        QuantisedGru::new(&cell, Reset::After, Update::HoldIsOne, &calibration, backend).expect("the weights fit")
    };
    let source = writer.file("gru.rs", quantised(writer.backend).source(1));
    let host = quantised(Backend::CURRENT);
    let layer = host.layer(1).expect("the layer fits");
    let mut scratch = vec![0; layer.scratch_words()];
    let mut text = String::new();
    for (frames, _) in vowels::Split::read("test").utterances().take(12) {
        let frames: Vec<i8> = frames.iter().map(|&value| recurrent::quantise(value, host.input)).collect();
        let mut state = vec![0; vowels::UNITS];
        for frame in frames.chunks_exact(vowels::FEATURES) {
            gru::step(&layer, &mut state, frame, &mut scratch).expect("the lengths fit");
        }
        let _ = writeln!(text, "    (&{frames:?}, {state:?}),");
    }
    let _ = writeln!(
        writer.text,
        "/// The quantised GRU.\n#[allow(missing_docs)]\npub mod gru {{\n    include!({source:?});\n}}\n\n\
         /// Utterances in int8, and the state of the GRU behind each.\n\
         pub static UTTERANCES: &[(&[i8], [i16; {}])] = &[\n{text}];\n",
        vowels::UNITS
    );
}

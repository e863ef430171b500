//! Makes integers of a GRU that PyTorch trained and exported, and compiles them for the core that the firmware is built for.

use std::path::Path;

use smolnn_import::npy::Array;
use smolnn_import::{Backend, Error, Model, Result};

/// tests/data/pytorch_vowels/train.py made these.
const FOLDER: &str = "../../tests/data/pytorch_vowels";

fn main() -> Result<()> {
    println!("cargo::rustc-link-arg-bins=-Tlink.x"); // cortex-m-rt's linker script
    println!("cargo::rustc-link-search={}", env!("CARGO_MANIFEST_DIR")); // where it finds memory.x
    let model = Model::open(format!("{FOLDER}/gru.onnx"))?.calibrate(format!("{FOLDER}/calibration.npy"))?.int8()?;
    model.emit()?;
    recording(&model)
}

/// Writes utterances that neither training nor calibration saw, and what the same integers give on this machine, for the firmware to compare.
fn recording(model: &Model) -> Result<()> {
    let array = |name: &str| -> Result<Array> {
        let path = Path::new(FOLDER).join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        Ok(Array::open(&path)?.remove(0).1)
    };
    let (utterances, speakers) = (array("utterances.npy")?, array("speakers.npy")?);
    let program = model.compile(Backend::CURRENT)?;
    let (net, mut runner) = (program.net(), program.runner()?);
    let (scale, zero_point) = smolnn_import::npy::scale_and_point(&net.tensors[net.inputs[0]]);
    let length = net.tensors[net.inputs[0]].len();
    let (mut frames, mut host) = (Vec::new(), Vec::new());
    for utterance in utterances.values.chunks_exact(length) {
        let utterance: Vec<f32> = utterance.iter().map(|&value| value as f32).collect();
        let step = |value: &f32| ((value / scale).round() as i32 + zero_point).clamp(-128, 127) as i8 as u8;
        runner.set_input(0, &utterance.iter().map(step).collect::<Vec<u8>>())?;
        runner.run()?;
        host.push(runner.output(0)?.iter().map(|&byte| byte as i8).collect::<Vec<i8>>());
        frames.push(utterance);
    }
    let count = frames.len();
    let text = format!(
        "static UTTERANCES: [[f32; {length}]; {count}] = {frames:?};\n\
         static SPEAKERS: [usize; {count}] = {:?};\n\
         static HOST: [[i8; {}]; {count}] = {host:?};\n",
        speakers.values.iter().map(|&speaker| speaker as usize).collect::<Vec<_>>(),
        host[0].len()
    );
    let folder = std::env::var("OUT_DIR").map_err(|error| Error::Environment(error.to_string()))?;
    let path = Path::new(&folder).join("recording.rs");
    std::fs::write(&path, text).map_err(|source| Error::File { path, source })
}

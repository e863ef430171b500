//! Compiles the golden models for the target of the build, float models and the digits. Where the golden models are absent the
//! project's own models are alone.

use std::path::Path;

use embed::Model;
use smolnn_testkit::golden::{self, Case, Golden, MODELS, MODELS_VARIABLE};

/// Golden models that are there a second time, with their layers run by rows.
const BY_ROWS: [&str; 2] = ["pretrainedResnet_quant", "vww_96_int8"];

/// Models that are there a second time, with an input that comes row by row: those of tests/data/networks, where `cargo xtask --models` names their folder.
const PUSHED: [&str; 2] = ["mobilenet_v2", "person_detection"];

/// The same networks with an image that is read in place and an arena of so many bytes, which takes layers that are split along the width: instead of those of [`PUSHED`], beside
/// which they would not fit, where [`WAY`] is `split`.
const SPLIT: [(&str, usize); 2] = [("mobilenet_v2", 16 << 10), ("person_detection", 10 << 10)];

/// Names the way in which the networks of [`PUSHED`] are there a second time: `pushed`, which it is without it, or `split`.
const WAY: &str = "SMOLNN_WAY";

/// Golden models over windows of time that are there a second time, as one over a stream with so many rows per call: on one target, since the kernels are those of
/// all other models.
const STREAMS: [(&str, usize); 2] = [("kws_ref_model", 2), ("str_ww_ref_model", 1)];

/// Recorded windows that a model over a stream is given.
const WINDOWS: usize = 2;

/// Models beside the golden ones: the digits of the demo, and in f32 one of the project's own, and a network large enough that its layers are what is
/// measured.
const OTHERS: [&str; 3] = ["tests/data/digits", "tests/data/converter/float_model", "../shared/golden/tf/cnn_float"];

/// Calls that are kept of a recording: the demo compares all digits.
const MOST_CALLS: usize = 64;

/// Leaves out the calls behind the first ones.
fn shorten(case: &mut Case) {
    let kept = case.steps.min(MOST_CALLS);
    for (_, bytes) in case.inputs.iter_mut().chain(&mut case.outputs) {
        bytes.truncate(bytes.len() / case.steps * kept);
    }
    case.steps = kept;
}

/// The recorded windows row by row: the output of the call that completes a window is the recorded one.
fn over_stream(golden: &Golden, step: usize) -> Golden {
    let mut stream = Golden { name: format!("{}_stream", golden.name), ..Golden::read(&golden.folder) };
    stream.cases.truncate(WINDOWS);
    for case in &mut stream.cases {
        for (tensor, bytes) in &mut case.inputs {
            let rows = stream.tensors[tensor].shape[1];
            case.steps = rows.div_ceil(step);
            // The first call may take rows from before the window, which count no more once it is complete.
            let before = case.steps * step - rows;
            bytes.splice(..0, vec![0; before * (bytes.len() / rows)]);
        }
    }
    stream
}

fn main() {
    // Which instructions the loops of `cycles` may have.
    println!("cargo::rustc-check-cfg=cfg(thumb2, fpu)");
    let target = std::env::var("TARGET").unwrap_or_default();
    for (cfg, is_there) in [("thumb2", !target.starts_with("thumbv6m")), ("fpu", target.ends_with("eabihf"))] {
        if is_there {
            println!("cargo::rustc-cfg={cfg}");
        }
    }
    println!("cargo::rerun-if-env-changed={MODELS_VARIABLE}");
    for folder in OTHERS.iter().chain([&MODELS]) {
        // A folder that is not there may come: cargo then runs the script each time.
        let folder = if *folder == MODELS { std::env::var(MODELS_VARIABLE).ok() } else { None }
            .map_or_else(|| golden::project().join(folder), |other| Path::new(&other).to_owned());
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let mut writer = embed::Writer::for_build();
    let mut models = golden::all(MODELS);
    models.extend(OTHERS.iter().filter_map(|folder| golden::folder(folder)).map(|folder| Golden::read(&folder)));
    models.iter_mut().flat_map(|golden| &mut golden.cases).for_each(shorten);
    println!("cargo::rerun-if-env-changed={WAY}");
    let splits = std::env::var(WAY).is_ok_and(|way| way == "split");
    let read = |golden: &Golden| Model::read(&golden.name, &golden.model);
    let mut with_models = Vec::new();
    for golden in models {
        let model = read(&golden);
        if BY_ROWS.contains(&golden.name.as_str()) {
            let by_rows = Golden { name: format!("{}_rows", golden.name), ..Golden::read(&golden.folder) };
            let model = read(&by_rows).map(Model::least_arena);
            with_models.push((by_rows, model));
        }
        if PUSHED.contains(&golden.name.as_str()) && !splits {
            let pushed = Golden { name: format!("{}_pushed", golden.name), ..Golden::read(&golden.folder) };
            // Both together would not fit into the code memory.
            let model = read(&pushed).map(|model| model.input_by_rows().link_section(".far"));
            with_models.push((pushed, model));
        }
        let of_name = |(name, _): &&(&str, usize)| *name == golden.name;
        if let Some((_, budget)) = SPLIT.iter().find(of_name).filter(|_| splits) {
            let split = Golden { name: format!("{}_split", golden.name), ..Golden::read(&golden.folder) };
            let model = read(&split)
                .map(|model| model.input_in_place().split_width().arena_budget(*budget).link_section(".far"));
            with_models.push((split, model));
        }
        let of_name = |(name, _): &&(&str, usize)| *name == golden.name && target.starts_with("thumbv7em");
        if let Some((_, step)) = STREAMS.iter().find(of_name) {
            let model = read(&golden).and_then(|model| model.streaming(1, *step));
            with_models.push((over_stream(&golden, *step), model));
        }
        with_models.push((golden, model));
    }
    writer.models("models", with_models);
    writer.write("models.rs");
}

//! Compiles the golden models for the target of the build, float models and the digits. Where the golden models are absent the
//! project's own models are alone.

use std::path::Path;

use embed::Model;
use smolnn_testkit::golden::{self, Case, Golden, MODELS, MODELS_VARIABLE};

/// Golden models that are there a second time, with their layers run by rows.
const BY_ROWS: [&str; 2] = ["pretrainedResnet_quant", "vww_96_int8"];

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
    let read = |golden: &Golden| Model::read(&golden.name, &golden.model);
    let mut with_models = Vec::new();
    for golden in models {
        let model = read(&golden);
        if BY_ROWS.contains(&golden.name.as_str()) {
            let by_rows = Golden { name: format!("{}_rows", golden.name), ..Golden::read(&golden.folder) };
            let model = read(&by_rows).map(Model::least_arena);
            with_models.push((by_rows, model));
        }
        with_models.push((golden, model));
    }
    writer.models("models", with_models);
    writer.write("models.rs");
}

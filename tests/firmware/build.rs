//! Compiles the golden models for the target of the build, and float models. Where `../shared/golden` is absent the
//! project's own float model is alone.

use embed::Model;
use smolnn_testkit::golden::{self, Golden};

/// Golden models that are there a second time, with their layers run by rows.
const BY_ROWS: [&str; 2] = ["pretrainedResnet_quant", "vww_96_int8"];

/// Models in f32: one of the project's own, and a network large enough that its layers are what is measured.
const FLOAT_MODELS: [&str; 2] = ["tests/data/converter/float_model", "../shared/golden/tf/cnn_float"];

fn main() {
    // Which instructions the loops of `cycles` may have.
    println!("cargo::rustc-check-cfg=cfg(thumb2, fpu)");
    let target = std::env::var("TARGET").unwrap_or_default();
    for (cfg, is_there) in [("thumb2", !target.starts_with("thumbv6m")), ("fpu", target.ends_with("eabihf"))] {
        if is_there {
            println!("cargo::rustc-cfg={cfg}");
        }
    }
    println!("cargo::rerun-if-changed=../../../shared/golden/models");
    println!("cargo::rerun-if-changed=../data/converter/float_model");
    println!("cargo::rerun-if-changed=../../../shared/golden/tf/cnn_float");
    let mut writer = embed::Writer::for_build();
    let mut models = golden::all("../shared/golden/models");
    models.extend(FLOAT_MODELS.iter().filter_map(|folder| golden::folder(folder)).map(|folder| Golden::read(&folder)));
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

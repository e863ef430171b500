//! Compiles the golden models for the target of the build, and a float model of the project's own. Where `../shared/golden` is
//! absent that one is alone.

use smolnn_testkit::golden::{self, Golden};

fn main() {
    println!("cargo::rerun-if-changed=../../../shared/golden/models");
    println!("cargo::rerun-if-changed=../data/converter/float_model");
    let mut writer = embed::Writer::for_build();
    let mut models = golden::all("../shared/golden/models");
    models.extend(golden::folder("tests/data/converter/float_model").map(|folder| Golden::read(&folder)));
    writer.group("models", models);
    writer.write("models.rs");
}

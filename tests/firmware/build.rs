//! Compiles the golden models for the target of the build. Where `../shared/golden` is absent there is none.

use smolnn_testkit::golden;

fn main() {
    println!("cargo::rerun-if-changed=../../../shared/golden/models");
    let mut writer = embed::Writer::for_build();
    writer.group("models", golden::all("../shared/golden/models"));
    writer.write("models.rs");
}

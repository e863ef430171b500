//! Compiles the wake word's model for the core of the build, and says where the chip's memory lies.

use std::path::PathBuf;
use std::{env, fs};

fn main() -> smolnn_import::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::copy("memory.x", out.join("memory.x")).expect("the linker script can be copied");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rerun-if-changed=memory.x");
    smolnn_import::Model::open("../../tests/data/hello_ferris/hello_ferris.json")?.named("wake").emit()
}

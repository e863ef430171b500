//! Compiles the model that `SMOLNN_VISION` names for the target of the build, with the least arena and the picture row by row. The project has no model of
//! its own for this: without one the demo says what it lacks.

use smolnn_import::Model;

fn main() -> smolnn_import::Result<()> {
    println!("cargo::rerun-if-env-changed=SMOLNN_VISION");
    println!("cargo::rustc-check-cfg=cfg(vision_model)");
    let Some(path) = std::env::var_os("SMOLNN_VISION") else { return Ok(()) };
    println!("cargo::rustc-cfg=vision_model");
    Model::open(path)?.least_arena().input_by_rows().named("sight").emit()
}

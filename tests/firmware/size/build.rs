//! Compiles the model that a feature of the package names.

use std::env;
use std::path::{Path, PathBuf};

use smolnn_import::Model;

/// Where the golden models lie, a folder for each.
const MODELS: &str = "../../../../shared/golden/models";

fn main() -> smolnn_import::Result<()> {
    println!("cargo::rustc-check-cfg=cfg(model)");
    let Some(file) = env::vars().find_map(|(variable, _)| file(variable.strip_prefix("CARGO_FEATURE_")?)) else {
        return Ok(());
    };
    println!("cargo::rustc-cfg=model");
    Model::open(file)?.named("model").emit()
}

/// The file of a model whose name in capitals is that of a feature.
fn file(feature: &str) -> Option<PathBuf> {
    if feature == "DIGITS" {
        return Some("../../data/digits/digits.tflite".into());
    }
    let folders = Path::new(MODELS).read_dir().ok()?;
    let names = folders.flatten().map(|folder| folder.path());
    let folder =
        names.into_iter().find(|path| path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(feature)))?;
    Some(folder.join("model.tflite"))
}

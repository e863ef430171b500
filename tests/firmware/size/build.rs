//! Compiles the model that a feature of the package names.

use std::env;
use std::path::PathBuf;

use smolnn_import::Model;

/// Where the golden models lie, a folder for each: in the folder that the variable names, or here.
const MODELS: &str = "../../../../shared/golden/models";
const VARIABLE: &str = "SMOLNN_MODELS";

/// Names the file of a model that has no feature.
const OTHER: &str = "SMOLNN_SIZE_MODEL";

fn main() -> smolnn_import::Result<()> {
    println!("cargo::rustc-check-cfg=cfg(model)");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-env-changed={OTHER}");
    // Cargo runs the script again when models come or go.
    println!("cargo::rerun-if-changed={}", models().display());
    let Some(file) = env::vars().find_map(|(variable, _)| file(variable.strip_prefix("CARGO_FEATURE_")?)) else {
        return Ok(());
    };
    println!("cargo::rustc-cfg=model");
    Model::open(file)?.named("model").emit()
}

fn models() -> PathBuf {
    env::var_os(VARIABLE).map_or_else(|| MODELS.into(), PathBuf::from)
}

/// The file of a model whose name in capitals is that of a feature.
fn file(feature: &str) -> Option<PathBuf> {
    if feature == "DIGITS" {
        return Some("../../data/digits/digits.tflite".into());
    }
    if feature == "OTHER" {
        return env::var_os(OTHER).map(PathBuf::from);
    }
    let folders = models().read_dir().ok()?;
    let names = folders.flatten().map(|folder| folder.path());
    let folder =
        names.into_iter().find(|path| path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(feature)))?;
    Some(folder.join("model.tflite"))
}

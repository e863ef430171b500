//! Compiles the wake word's model for the target of the build: the project's own, or the one that `SMOLNN_WAKE_WORD` names, a manifest
//! (`.json`) or a model (`.tflite`).

use std::path::PathBuf;

use smolnn_import::{Manifest, Model};

const OWN: &str = "../../tests/data/hello_ferris/hello_ferris.json";

fn main() -> smolnn_import::Result<()> {
    println!("cargo::rerun-if-env-changed=SMOLNN_WAKE_WORD");
    let path = std::env::var_os("SMOLNN_WAKE_WORD").map_or_else(|| PathBuf::from(OWN), PathBuf::from);
    let mut model = Model::open(&path)?;
    if model.manifest().is_none() {
        // A model alone is heard with the detector that most published manifests ask for.
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        model = model.with_manifest(Manifest {
            wake_word: stem.replace('_', " "),
            model: String::new(),
            probability_cutoff: 0.97,
            sliding_window: 5,
            feature_step_ms: 10,
        });
    }
    model.named("wake").emit()
}

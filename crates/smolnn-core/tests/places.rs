//! Holds the places that docs/adding-a-backend.md lists against the tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use smolnn_core::Backend;

const BACKENDS: &str = "crates/smolnn-fixed/src/backend";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the guide names: words in backticks that are paths.
fn named(guide: &str) -> BTreeSet<&str> {
    guide.split('`').filter(|word| word.contains('/') && !word.contains(' ')).collect()
}

/// All Rust files of a folder, below the project.
fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder of sources");
    entries
        .map(|entry| entry.expect("an entry"))
        .flat_map(|entry| {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => files(&path),
                false if path.ends_with(".rs") => vec![path],
                false => vec![],
            }
        })
        .collect()
}

#[test]
fn the_guide_names_what_is_there() {
    let guide = text("docs/adding-a-backend.md");
    let named = named(&guide);
    assert!(named.len() > 8, "{named:?}");
    for path in named {
        assert!(root().join(path).exists(), "the guide names {path}, which does not exist");
    }
}

/// A file that tells RV32 from the others tells backends apart. Those of the backends' own folders do not count.
#[test]
fn every_file_that_tells_backends_apart_is_named() {
    let guide = text("docs/adding-a-backend.md");
    let named = named(&guide);
    let mut told = Vec::new();
    for file in files("crates") {
        let is_own = Backend::ALL.iter().any(|backend| file.starts_with(&format!("{BACKENDS}/{}/", backend.bodies())));
        let text = text(&file);
        let tells = ["Backend::Rv32", "Self::Rv32", "\"rv32\""].iter().any(|name| text.contains(name));
        if tells && !is_own && !file.contains("/tests/") {
            assert!(named.contains(file.as_str()), "the guide does not name {file}");
            told.push(file);
        }
    }
    assert!(told.len() >= 4, "only {told:?}");
}

#[test]
fn every_backend_is_in_all_its_places() {
    let [build, choice, layouts, targets] = [
        "crates/smolnn-fixed/build.rs",
        &format!("{BACKENDS}/mod.rs"),
        &format!("{BACKENDS}/pack.rs"),
        "docs/targets.md",
    ]
    .map(text);
    for backend in Backend::ALL {
        let (name, bodies) = (backend.name(), backend.bodies());
        assert!(build.contains(&format!("\"{name}\"")), "crates/smolnn-fixed/build.rs has no core {name}");
        assert!(choice.contains(&format!("bodies = \"{bodies}\"")), "backend/mod.rs does not choose {bodies}");
        assert!(layouts.contains(&format!("Self::{backend:?}")), "no layout of backend/pack.rs is one of {name}'s");
        assert!(layouts.matches(&format!("Backend::{backend:?}")).count() >= 4, "backend/pack.rs leaves {name} out");
        for file in ["mod.rs", "pack.rs"] {
            let path = format!("{BACKENDS}/{bodies}/{file}");
            assert!(root().join(&path).is_file(), "{name} needs {path}");
        }
        let row = targets.lines().any(|line| line.starts_with("| `") && line.contains(&format!("| `{name}` |")));
        assert!(row || backend == Backend::Portable, "docs/targets.md has no board of {name}");
    }
}

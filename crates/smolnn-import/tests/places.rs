//! Holds the places that docs/adding-an-operator.md lists against the tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All Rust files under a path, with their text.
fn files(path: &Path) -> Vec<(PathBuf, String)> {
    if path.is_file() {
        return vec![(path.into(), fs::read_to_string(path).expect("a source file"))];
    }
    let entries = fs::read_dir(path).expect("a folder of sources").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "rs"))
        .flat_map(|path| self::files(&path))
        .collect();
    files.sort();
    files
}

/// Every operator of the net is made by a line of a reader or by a pass, so that none is dead.
#[test]
fn every_operator_has_a_line() {
    let declared = fs::read_to_string(source().join("net/operator.rs")).expect("the enum");
    let mut lines = fs::read_to_string(source().join("read/tflite/operators.rs")).expect("the lines");
    // An operator of ONNX becomes one or several, in the file of its family.
    lines.extend(files(&source().join("read/onnx")).into_iter().map(|(_, text)| text));
    for (_, text) in ["read", "rewrite"].iter().flat_map(|room| files(&source().join(room))) {
        // What a pass looks for it does not make.
        lines.extend(text.lines().filter(|line| line.contains("operator = ")));
    }
    let mut variants = 0;
    for name in ["Operator", "UnaryKind", "BinaryKind", "ReduceKind", "PoolKind"] {
        let (_, body) = declared.split_once(&format!("pub enum {name} {{\n")).expect("an enum");
        let (body, _) = body.split_once("\n}").expect("its end");
        for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
            let variant: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
            if !variant.is_empty() && variant != "Unsupported" {
                assert!(lines.contains(&format!("{name}::{variant}")), "no line makes {name}::{variant}");
                variants += 1;
            }
        }
    }
    assert!(variants > 40, "only {variants} variants were found");
}

#[test]
fn the_guide_lists_the_places_of_the_tree() {
    let guide = fs::read_to_string(root().join("docs/adding-an-operator.md")).expect("the guide");
    let paths: BTreeSet<&str> = guide.split('`').filter(|word| word.contains('/') && !word.contains(' ')).collect();
    for path in &paths {
        assert!(root().join(path).exists(), "the guide names {path}, which does not exist");
    }
    // What every family uses is not a family.
    const SHARED: [&str; 8] = ["argument", "call", "context", "memory", "mod", "rows", "source", "weights"];
    for (file, _) in files(&source().join("lower")) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let listed = paths.contains(format!("crates/smolnn-import/src/lower/{name}.rs").as_str());
        assert!(listed || SHARED.contains(&name.as_str()), "the guide does not list the family {name}");
    }
    for place in ["net/operator.rs", "net/infer.rs", "read/tflite/operators.rs", "lower/mod.rs"] {
        assert!(
            paths.contains(format!("crates/smolnn-import/src/{place}").as_str()),
            "the guide does not list {place}"
        );
    }
}

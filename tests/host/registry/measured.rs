//! Every public kernel of both crates is one of the firmware's kernels (tests/firmware/src/kernels): `bench` counts its
//! instructions on every board, `nopanic` links it, and `cargo xtask check-panics` looks for panics there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use smolnn_testkit::golden::project;

/// What firmware does not call as it stands, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("arena::regions", "every compiled model calls it"),
    ("arena::view", "every compiled model calls it"),
    ("random::normal", "the normal initialisers draw from it"),
    ("random::uniform", "the uniform initialisers draw from it"),
    ("erf::erf", "`elementary::erf_slice` is the same of every element"),
    ("elementary::tanh", "`elementary::tanh_slice` is the same of every element"),
    ("elementary::exp", "`elementary::exp_slice` is the same of every element"),
    ("elementary::sigmoid", "`elementary::sigmoid_slice` is the same of every element"),
    // Each function has several bodies, of which a target calls one; both tiers' are measured as slices.
    ("exp::", "a body of `elementary::exp` or `elementary::fast::exp`"),
    ("expm1::", "a body of `elementary::expm1` or `elementary::fast::expm1`"),
    ("log::", "a body of `elementary::log` or `elementary::fast::log`"),
    ("softplus::", "a body of `elementary::softplus` or `elementary::fast::softplus`"),
    ("sigmoid::", "a body of `elementary::sigmoid` or `elementary::fast::sigmoid`"),
    ("vector::", "a body of `elementary::sigmoid` or `tanh`"),
];

/// Files and folders of a folder, sorted, with their names less the extension.
fn listed(folder: &Path) -> Vec<(std::path::PathBuf, String)> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), path.file_stem().unwrap().to_string_lossy().into_owned())).collect()
}

/// The modules that have a public function of each name. Constant functions are sizes and
/// tables; methods, and what a macro makes, are not found.
fn public_functions(folder: &Path, found: &mut BTreeMap<String, Vec<String>>) {
    for (path, name) in listed(folder) {
        if path.is_dir() {
            if !["arch", "pack"].contains(&name.as_str()) {
                public_functions(&path, found);
            }
            continue;
        }
        let module = if name == "mod" { folder.file_name().unwrap().to_string_lossy().into_owned() } else { name };
        for line in fs::read_to_string(&path).unwrap().lines() {
            if let Some(rest) = line.strip_prefix("pub fn ") {
                let function = rest.split(['(', '<']).next().unwrap();
                found.entry(function.to_owned()).or_default().push(module.clone());
            }
        }
    }
}

/// True where `text` has `path` as a whole.
fn names(text: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(path)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + path.len()..].starts_with(is_part))
}

/// Public functions of the crates that the kernels do not call, as `module::function`. `change` is applied to the text.
fn missing(change: impl Fn(&str) -> String) -> Vec<String> {
    let (mut missing, mut needed) = (Vec::new(), BTreeSet::new());
    for name in ["fixed", "float"] {
        let mut found = BTreeMap::new();
        public_functions(&project().join(format!("crates/smolnn-{name}/src")), &mut found);
        assert!(found.len() > 40, "the scan found only {found:?}");
        // A file of kernels is about one of the crates.
        let text: String = listed(&project().join("tests/firmware/src/kernels"))
            .into_iter()
            .map(|(path, _)| change(&without_comments(&fs::read_to_string(path).unwrap())))
            .filter(|text| text.contains(&format!("use smolnn_{name}::")))
            .collect();
        for (function, modules) in &found {
            for module in modules {
                let path = format!("{module}::{function}");
                // A name that several modules have is called with its module.
                let called = if modules.len() == 1 { names(&text, function) } else { names(&text, &path) };
                if !called {
                    match ELSEWHERE.iter().find(|(start, _)| path.starts_with(start)) {
                        Some((start, _)) => _ = needed.insert(*start),
                        None => missing.push(path),
                    }
                }
            }
        }
    }
    let listed: BTreeSet<_> = ELSEWHERE.iter().map(|(start, _)| *start).collect();
    assert_eq!(listed, needed, "an exception that nothing needs any more");
    missing
}

fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn every_public_kernel_is_measured() {
    assert_eq!(missing(str::to_owned), [""; 0], "tests/firmware/src/kernels does not call these");
}

#[test]
fn a_kernel_that_is_not_measured_is_noticed() {
    let change = |text: &str| text.replace("flipped::backward", "").replace("tanh_q15_small", "");
    assert_eq!(missing(change), ["q15_small::tanh_q15_small", "flipped::backward"]);
}

//! Random shapes of every kernel, on the backend of this build, against the naive oracle: the cases that the
//! `conformance` firmware runs on the boards. And the registry of those kernels against the crate's source.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use smolnn_testkit::cases::{self, KERNELS};
use smolnn_testkit::golden::project;

#[test]
fn every_kernel_agrees_with_the_oracle() {
    let mut memory = vec![0; 1 << 18];
    let mut failures = Vec::new();
    cases::run(&mut memory, 2000, &mut |kernel, outcome| {
        println!("{:30} {:5} cases, {} failed", kernel.name, outcome.cases, outcome.failed);
        if !outcome.passed() || outcome.cases < 2000 {
            failures.push((kernel.name, outcome));
        }
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn small_memory_is_enough_for_some_shapes() {
    let mut memory = vec![0; 1024];
    cases::run(&mut memory, 20, &mut |kernel, outcome| {
        assert!(outcome.passed(), "{}: {outcome:?}", kernel.name);
    });
}

/// Public kernels without random cases: the file under tests/ that holds each of them, and the word it is found by.
const HELD_ELSEWHERE: &[(&str, &str, &str)] = &[
    ("elementwise::maximum", "host/registry/elementwise.rs", "maximum"),
    ("elementwise::minimum", "host/registry/elementwise.rs", "minimum"),
    ("elementwise::mul", "host/registry/elementwise.rs", "mul"),
    ("movement::copy", "host/registry/movement.rs", "copy"),
    ("rnn::gru", "host/golden/recurrent.rs", "gru"),
    ("rnn::lstm_batch", "data/ops/lstm_batch2/manifest.txt", "lstm_batch2"),
    ("rnn::simple_rnn", "host/golden/recurrent.rs", "simple_rnn"),
    ("rnn::step", "host/golden/recurrent.rs", "step"),
    ("rnn::step_batch", "data/ops/lstm_batch2/manifest.txt", "lstm_batch2"),
];

/// Every public function at the top of a kernel file, as `module::function`. Constant functions are sizes and tables.
fn public_kernels(folder: &Path, module: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the source can be listed") {
        let path = entry.expect("the source can be listed").path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "backend" {
                public_kernels(&path, &name, found);
            }
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let module = if module.is_empty() { name.as_str() } else { module };
        if ["arena", "quantise", "tensors", "lib"].contains(&module) {
            continue;
        }
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("pub fn ") {
                let function = rest.split(['(', '<']).next().unwrap();
                found.insert(format!("{module}::{function}"));
            }
        }
    }
}

/// The names of the registered kernels, each once.
fn registered() -> BTreeSet<String> {
    let names: BTreeSet<String> = KERNELS.iter().map(|kernel| kernel.name.to_string()).collect();
    assert_eq!(names.len(), KERNELS.len(), "a kernel is registered twice");
    names
}

#[test]
fn every_public_kernel_is_registered() {
    let mut found = BTreeSet::new();
    public_kernels(&project().join("crates/smolnn-fixed/src"), "", &mut found);
    assert!(found.len() >= 20, "the scan found only {found:?}");
    for (kernel, file, word) in HELD_ELSEWHERE {
        let text = fs::read_to_string(project().join("tests").join(file)).unwrap();
        assert!(text.contains(word), "{file} does not hold {kernel}: it has no {word}");
        assert!(found.remove(*kernel), "{kernel} is no public kernel any more");
    }
    assert_eq!(registered(), found, "the registry and the public kernels of the source differ");
}

#[test]
fn an_unregistered_kernel_is_noticed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unregistered");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("round_trip.rs"), "//! A kernel.\n\npub fn round_trip(layer: &Layer) {}\n").unwrap();
    let mut found = BTreeSet::new();
    public_kernels(&folder, "", &mut found);
    let registered = registered();
    let unregistered: Vec<&String> = found.difference(&registered).collect();
    assert_eq!(unregistered, ["round_trip::round_trip"]);
}

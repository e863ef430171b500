//! Every public kernel of the three crates is one of the firmware's kernels (tests/firmware/src/kernels): `bench` counts its
//! instructions on every board, `nopanic` links it, and `cargo xtask check-panics` looks for panics there.

use std::collections::BTreeSet;
use std::fs;

use host_tests::source;
use smolnn_testkit::golden::project;

/// What firmware does not call as it stands, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("arena.rs::array_mut", "every compiled model calls it"),
    ("arena.rs::part", "every compiled model that runs by rows calls it"),
    ("arena.rs::regions", "every compiled model calls it"),
    ("arena.rs::relocate", "every compiled model that runs by rows calls it"),
    ("arena.rs::view", "every compiled model calls it"),
    ("arena.rs::whole", "`infer_slice` of every compiled model calls it"),
    ("random.rs::normal", "the normal initialisers draw from it"),
    ("random.rs::uniform", "the uniform initialisers draw from it"),
    ("elementary/erf.rs::erf", "`elementary::erf_slice` is the same of every element"),
    ("elementary/fast/erf.rs::erf", "`elementary::fast::erf_slice` is the same of every element"),
    ("elementary/mod.rs::tanh", "`elementary::tanh_slice` is the same of every element"),
    ("elementary/mod.rs::exp", "`elementary::exp_slice` is the same of every element"),
    ("elementary/mod.rs::sigmoid", "`elementary::sigmoid_slice` is the same of every element"),
    // Each function has several bodies, of which a target calls one; both tiers' are measured as slices.
    ("elementary/exp.rs::", "a body of `elementary::exp` or `elementary::fast::exp`"),
    ("elementary/fast/exp.rs::", "a body of `elementary::exp` or `elementary::fast::exp`"),
    ("elementary/expm1.rs::", "a body of `elementary::expm1` or `elementary::fast::expm1`"),
    ("elementary/fast/expm1.rs::", "a body of `elementary::expm1` or `elementary::fast::expm1`"),
    ("elementary/log.rs::", "a body of `elementary::log` or `elementary::fast::log`"),
    ("elementary/fast/log.rs::", "a body of `elementary::log` or `elementary::fast::log`"),
    ("elementary/softplus.rs::", "a body of `elementary::softplus` or `elementary::fast::softplus`"),
    ("elementary/fast/softplus.rs::", "a body of `elementary::softplus` or `elementary::fast::softplus`"),
    ("elementary/sigmoid.rs::", "a body of `elementary::sigmoid` or `elementary::fast::sigmoid`"),
    ("elementary/vector.rs::", "a body of `elementary::sigmoid` or `tanh`"),
];

/// Kernels of the crates that the firmware does not call, as `FILE::NAME`. `change` is applied to its text.
fn missing(change: impl Fn(&str) -> String) -> Vec<String> {
    let (mut missing, mut needed) = (Vec::new(), BTreeSet::new());
    for (name, least) in [("fixed", 40), ("float", 40), ("signal", 10)] {
        let kernels = source::kernels(&project().join(format!("crates/smolnn-{name}/src")));
        assert!(kernels.len() > least, "the scan found only {kernels:?}");
        // A file of kernels is about one of the crates.
        let text: String = source::files(&project().join("tests/firmware/src/kernels"), "rs")
            .iter()
            .map(|path| change(&source::without_comments(&fs::read_to_string(path).unwrap())))
            .filter(|text| text.contains(&format!("use smolnn_{name}::")))
            .collect();
        for kernel in &kernels {
            if !kernel.is_called(&text, &kernels) {
                let key = kernel.key();
                match ELSEWHERE.iter().find(|(start, _)| key.starts_with(start)) {
                    Some((start, _)) => _ = needed.insert(*start),
                    None => missing.push(key),
                }
            }
        }
    }
    let listed: BTreeSet<_> = ELSEWHERE.iter().map(|(start, _)| *start).collect();
    assert_eq!(listed, needed, "an exception that nothing needs any more");
    missing
}

#[test]
fn every_public_kernel_is_measured() {
    assert_eq!(missing(str::to_owned), [""; 0], "tests/firmware/src/kernels does not call these");
}

#[test]
fn a_kernel_that_is_not_measured_is_noticed() {
    let change = |text: &str| text.replace("flipped::backward", "").replace("tanh_q15_small", "");
    assert_eq!(missing(change), ["act/q15_small.rs::tanh_q15_small", "conv/flipped.rs::backward"]);
}

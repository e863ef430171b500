//! Random shapes of every kernel, on the backend of this build, against the naive oracle: the cases that the
//! `conformance` firmware runs on the boards. And the registries of the kernels, fixed and float, against the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use host_tests::source;
use smolnn_testkit::golden::project;
use smolnn_testkit::{cases, float_cases};

#[test]
fn every_kernel_agrees_with_the_oracle() {
    let mut memory = vec![0; 1 << 18];
    let mut failures = Vec::new();
    cases::run(&mut memory, 2000, &mut |case, outcome| {
        println!("{:30} {:5} cases, {} failed", case.kernel, outcome.cases, outcome.failed);
        if !outcome.passed() || outcome.cases < 2000 {
            failures.push((case.kernel, outcome));
        }
    });
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn small_memory_is_enough_for_some_shapes() {
    let mut memory = vec![0; 1024];
    cases::run(&mut memory, 20, &mut |case, outcome| {
        assert!(outcome.passed(), "{}: {outcome:?}", case.kernel);
    });
}

/// Kernels of `smolnn-fixed` without random cases: the file under tests/ that holds each of them, and the word it is found
/// by. A key that ends in `::` or `/` stands for all kernels of its file or folder.
const FIXED_ELSEWHERE: &[(&str, &str, &str)] = &[
    ("arena.rs::", "generated/src/lib.rs", "include"),
    ("movement.rs::copy", "host/registry/movement.rs", "copy"),
    ("rnn/gru.rs::gru", "host/golden/recurrent.rs", "gru::gru"),
    ("rnn/gru.rs::step", "host/golden/recurrent.rs", "gru::step"),
    ("rnn/lstm.rs::lstm_batch", "data/ops/lstm_batch2/manifest.txt", "lstm_batch2"),
    ("rnn/lstm.rs::step", "host/golden/recurrent.rs", "lstm::step"),
    ("rnn/mod.rs::recurrent_batch", "host/golden/recurrent.rs", "recurrent_batch"),
    ("rnn/simple.rs::simple_rnn", "host/golden/recurrent.rs", "simple::simple_rnn"),
    ("rnn/simple.rs::step", "host/golden/recurrent.rs", "simple"),
    ("rnn/svdf.rs::step", "host/golden/recurrent.rs", "svdf::step"),
    ("rnn/svdf.rs::step_batch", "host/golden/recurrent.rs", "svdf::step_batch"),
];

/// The same of `smolnn-float`: kernels that no recording runs.
const FLOAT_ELSEWHERE: &[(&str, &str, &str)] = &[
    ("act/softmax.rs::softmax_scaled", "host/registry/float_inference.rs", "softmax_scaled"),
    ("act/argmax.rs::", "host/textbook/row_5_5_argmax.rs", "argmax"),
    ("axis.rs::", "host/registry/float_inference.rs", "cumsum"),
    ("clip.rs::", "host/gradient/training.rs", "clip"),
    ("conv/conv2d.rs::backward_sgd", "host/gradient/layers.rs", "backward_sgd"),
    ("conv/depthwise.rs::backward_sgd", "host/gradient/layers.rs", "backward_sgd"),
    ("conv/flipped.rs::", "host/gradient/layers.rs", "Flipped"),
    ("conv/im2col.rs::", "host/gradient/layers.rs", "im2col::col2im"),
    ("conv/plane.rs::", "host/textbook/row_5_1.rs", "cross_correlate"),
    ("dense.rs::backward_sgd", "host/gradient/layers.rs", "backward_sgd"),
    ("diagnostics.rs::", "host/textbook/row_4_1.rs", "same_sign_fraction"),
    ("dropout.rs::", "host/gradient/layers.rs", "dropout::backward"),
    ("elementary/", "accuracy/src/functions.rs", "elementary"),
    ("elementwise/", "host/registry/float_inference.rs", "elementwise"),
    ("embedding.rs::", "host/gradient/layers.rs", "embedding::backward"),
    ("l2_norm.rs::", "host/registry/float_inference.rs", "l2_norm"),
    ("matmul.rs::", "host/registry/float_inference.rs", "matmul"),
    ("init.rs::", "host/gradient/training.rs", "init"),
    ("norm/batch.rs::fold", "host/gradient/layers.rs", "batch::fold"),
    ("pool/l2.rs::forward", "host/registry/float_inference.rs", "l2::forward"),
    ("parameter.rs::", "host/gradient/training.rs", "parameter"),
    ("random.rs::", "host/gradient/training.rs", "normal"),
    ("reduce.rs::", "host/registry/float_inference.rs", "reduce_sum"),
    ("residual.rs::add", "host/gradient/layers.rs", "residual::add"),
    ("resize.rs::", "host/registry/float_inference.rs", "resize_bilinear"),
    ("rnn/convert.rs::flip_update", "host/textbook/row_6_5.rs", "flip_update"),
    ("rnn/convert.rs::residual", "host/gradient/recurrent.rs", "convert::residual"),
    ("rnn/infer.rs::lstm_batch", "host/registry/float_inference.rs", "lstm_batch"),
    ("rnn/infer.rs::recurrent_batch", "host/registry/float_inference.rs", "recurrent_batch"),
    ("rnn/infer.rs::svdf_batch", "host/registry/float_inference.rs", "svdf_batch"),
    ("rnn/simple.rs::ResidualRnn", "host/gradient/recurrent.rs", "ResidualRnn"),
];

/// What the registry or the list of exceptions lacks, and what they have too much, one line each. Keys are `FILE::NAME`.
fn differences(
    source: &Path,
    registered: &[&'static str],
    elsewhere: &[(&'static str, &'static str, &'static str)],
) -> Vec<String> {
    let mut found: BTreeSet<String> = source::kernels(source).iter().map(source::Kernel::key).collect();
    assert!(found.len() > 40, "the scan found only {found:?}");
    let mut lines = Vec::new();
    let mut once = BTreeSet::new();
    for &key in registered {
        if !once.insert(key) {
            lines.push(format!("{key} is registered twice"));
        } else if !found.remove(key) {
            lines.push(format!("{key} is registered, and no public kernel"));
        }
    }
    for (key, file, word) in elsewhere {
        let before = found.len();
        found.retain(|kernel| kernel != key && !(key.ends_with([':', '/']) && kernel.starts_with(key)));
        if found.len() == before {
            lines.push(format!("{key} needs no exception"));
        }
        let text = fs::read_to_string(project().join("tests").join(file)).unwrap_or_default();
        if !source::names(&text, word) {
            lines.push(format!("{file} does not hold {key}: it has no {word}"));
        }
    }
    lines.extend(found.into_iter().map(|key| format!("{key} is in no case of the registry")));
    lines
}

fn fixed(registered: &[&'static str]) -> Vec<String> {
    differences(&project().join("crates/smolnn-fixed/src"), registered, FIXED_ELSEWHERE)
}

fn float(registered: &[&'static str]) -> Vec<String> {
    differences(&project().join("crates/smolnn-float/src"), registered, FLOAT_ELSEWHERE)
}

fn fixed_registry() -> Vec<&'static str> {
    cases::all().map(|case| case.kernel).collect()
}

fn float_registry() -> Vec<&'static str> {
    float_cases::all().flat_map(|case| case.kernels).copied().collect()
}

#[test]
fn every_public_kernel_is_registered() {
    assert_eq!([fixed(&fixed_registry()), float(&float_registry())].concat(), [""; 0]);
}

/// Two files may have a kernel of the same name: each is registered by itself.
#[test]
fn an_unregistered_kernel_is_noticed() {
    let without = |registry: Vec<&'static str>, key: &str| -> Vec<&'static str> {
        registry.into_iter().filter(|registered| *registered != key).collect()
    };
    let key = "rnn/lstm.rs::lstm";
    assert_eq!(fixed(&without(fixed_registry(), key)), [format!("{key} is in no case of the registry")]);
    let key = "conv/depthwise.rs::forward";
    assert_eq!(float(&without(float_registry(), key)), [format!("{key} is in no case of the registry")]);
    let key = "rnn/elman.rs::step";
    let more = [fixed_registry(), vec![key]].concat();
    assert_eq!(fixed(&more), [format!("{key} is registered, and no public kernel")]);
}

/// A row of the float registry says which kernels its recordings run: its file calls them.
#[test]
fn recordings_run_the_kernels_of_their_row() {
    let text: String = source::files(&project().join("crates/smolnn-testkit/src/float_cases"), "rs")
        .iter()
        .map(|path| source::without_comments(&fs::read_to_string(path).unwrap()))
        .collect();
    let kernels = source::kernels(&project().join("crates/smolnn-float/src"));
    for key in float_registry() {
        let kernel = kernels.iter().find(|kernel| kernel.key() == key).expect("the row names a kernel");
        assert!(kernel.is_called(&text, &kernels), "no recording runs {key}");
    }
}

//! Generated code against the reference interpreter: every output of every recorded case, bit for bit.

use generated_tests::{BY_ROWS, MODELS, REFUSED, Run};
use smolnn_testkit::golden::{self, Golden};

const WAKE: &str = "../shared/golden/wake";

/// A model with its recorded cases.
fn recorded(path: &str) -> Golden {
    let streaming = path.strip_prefix(WAKE).map(|name| name.trim_start_matches('/'));
    let golden = match (streaming, streaming.and_then(|name| name.strip_prefix("audio_preprocessor_"))) {
        (_, Some(kind)) => golden::front_end(WAKE, kind, 341),
        (Some(name), None) => golden::streaming(WAKE, name, 200),
        (None, None) => Some(Golden::read(&golden::project().join(path))),
    };
    golden.expect("a model that was compiled is there")
}

/// Runs all cases of a model; gives how many calls were compared.
fn check(folder: &str, run: Run) -> usize {
    let golden = recorded(folder);
    let mut compared = 0;
    for case in &golden.cases {
        let part = |bytes: &[u8], step: usize| {
            let length = bytes.len() / case.steps;
            bytes[step * length..(step + 1) * length].to_vec()
        };
        let calls: Vec<Vec<Vec<u8>>> = (0..case.steps)
            .map(|step| golden.inputs.iter().map(|&tensor| part(case.input(tensor), step)).collect())
            .collect();
        for (step, outputs) in run(&calls).into_iter().enumerate() {
            assert_eq!(outputs.len(), golden.outputs.len());
            for (&tensor, found) in golden.outputs.iter().zip(outputs) {
                let expected = part(case.output(tensor), step);
                let difference = golden.difference(tensor, &expected, &found);
                assert_eq!(difference, None, "{folder} case {} step {step}: output {tensor}", case.label);
            }
            compared += 1;
        }
    }
    assert!(compared > 0, "{folder}: nothing was compared");
    compared
}

#[test]
fn generated_models_match_the_reference() {
    let (mut calls, mut models) = (0, 0);
    // What is recorded of the excluded model is no function of its input: see `DIFFERENT` in tests/host/golden/models.rs.
    for &(folder, run) in MODELS.iter().filter(|(folder, _)| !folder.ends_with("tf/tcn_dilated_dyn")) {
        calls += check(folder, run);
        models += 1;
    }
    println!("{models} models, {calls} calls; not compiled: {REFUSED:?}");
    assert!(models > 0);
    if golden::folder("../shared/golden/models").is_some() {
        let whole = MODELS.iter().filter(|(folder, _)| folder.contains("golden/models")).count();
        let there = golden::all("../shared/golden/models").len();
        assert!(whole == there && whole > 0, "{whole} of {there} whole models compile");
    }
}

/// Models by rows give the same, run as a whole and turn by turn.
#[test]
fn generated_models_by_rows_match_the_reference() {
    let calls: usize = BY_ROWS.iter().map(|&(folder, run)| check(folder, run)).sum();
    println!("{} models by rows, {calls} calls", BY_ROWS.len());
    assert!(BY_ROWS.is_empty() || calls > 0);
    if golden::folder("../shared/golden/models").is_some() {
        let whole = BY_ROWS.iter().filter(|(folder, _)| folder.contains("golden/models")).count();
        assert!(whole >= 2, "{whole} of the whole models run by rows");
    }
}

/// A custom operator of a model is the function that the build script named.
#[test]
fn a_custom_operator_is_a_function_of_the_users() {
    let mut model = generated_tests::custom_operator::Model::new();
    let output = *model.infer(&[0.0, 1.0, -1.0, 0.5, 4.0, -0.25]);
    let expected = [0.0, 0.842_700_8, -0.842_700_8, 0.520_499_9, 1.0, -0.276_326_4_f32];
    for (found, expected) in output.into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{output:?}");
    }
}

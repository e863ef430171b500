//! Generated code against the reference interpreter: every output of every recorded case, bit for bit.

use generated_tests::{MODELS, REFUSED, Run};
use smolnn_testkit::golden::{self, Golden};

/// Runs the recorded calls of a streaming model one after the other; gives how many were compared.
fn check_streaming(path: &str, run: Run) -> usize {
    let read = |what: &str| golden::blob(&format!("{path}.random_{what}.bin")).expect("the recording is there");
    let (inputs, expected) = (read("in"), read("out"));
    let calls: Vec<Vec<Vec<u8>>> =
        inputs.chunks_exact(inputs.len() / expected.len()).map(|input| vec![input.to_vec()]).collect();
    let found: Vec<u8> = run(&calls).into_iter().flatten().flatten().collect();
    assert_eq!(found, expected, "{path}");
    expected.len()
}

/// Runs all cases of a model; gives how many calls were compared.
fn check(folder: &str, run: Run) -> usize {
    if folder.contains("golden/wake") {
        return check_streaming(folder, run);
    }
    let golden = Golden::read(&golden::project().join(folder));
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
        assert_eq!(whole, 6, "the whole models compile");
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

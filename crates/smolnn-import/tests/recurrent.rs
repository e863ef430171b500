//! Recurrent networks that take their state and give it back, and the same ones that keep it.

use std::path::{Path, PathBuf};

use smolnn_import::{Backend, Error, Model};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/onnx_recurrent").join(name).join("model.onnx")
}

/// A step of a GRU: (x, h) to (y, h).
const GRU: &str = "gru_step_opset16";
const FEATURES: usize = 6;
const STEPS: usize = 12;

/// Samples of a stream.
fn sample(step: usize) -> Vec<f32> {
    (0..FEATURES).map(|feature| ((step * FEATURES + feature) as f32 * 0.7).sin()).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn a_kept_state_is_one_that_is_handed_over() {
    let model = Model::open(file(GRU)).unwrap();
    let (open, kept) = (model.compile(Backend::CURRENT).unwrap(), model.keep_state(1, 1).unwrap());
    let kept = kept.compile(Backend::CURRENT).unwrap();
    assert_eq!((kept.net().inputs.len(), kept.net().outputs.len()), (1, 1));
    assert_eq!((open.state_bytes(), kept.state_bytes()), (0, 8 * 4));
    let (mut open, mut kept) = (open.runner().unwrap(), kept.runner().unwrap());
    // Twice from the start: a reset sets the state back to 0.
    for _ in 0..2 {
        kept.reset();
        let mut h = bytes(&[0.0; 8]);
        for step in 0..STEPS {
            let x = bytes(&sample(step));
            open.set_input(0, &x).unwrap();
            open.set_input(1, &h).unwrap();
            open.run().unwrap();
            kept.set_input(0, &x).unwrap();
            kept.run().unwrap();
            h = open.output(1).unwrap().to_vec();
            assert_eq!(open.output(0).unwrap(), kept.output(0).unwrap(), "step {step}");
        }
        assert!(h.iter().any(|&byte| byte != 0));
    }
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let refused = |input: usize, output: usize| {
        let error = Model::open(file(GRU)).unwrap().keep_state(input, output).unwrap_err();
        match &error {
            Error::Model { error, .. } if matches!(**error, Error::Unsupported(_)) => error.to_string(),
            _ => panic!("{error:?}"),
        }
    };
    assert!(refused(2, 1).contains("input 2 of 2"), "{}", refused(2, 1));
    assert!(refused(0, 1).contains("taken as FLOAT32 [1, 1, 6] and given as FLOAT32 [1, 1, 8]"), "{}", refused(0, 1));
    let alone = Model::open(file(GRU)).unwrap().keep_state(1, 1).unwrap().keep_state(0, 0).unwrap_err().to_string();
    assert!(alone.contains("a state that is taken") || alone.contains("its state"), "{alone}");
}

/// Networks over a window of rows: the axis of time, and the MACs behind the recurrent layers where all of these read the rows in order.
const OVER_WINDOWS: [(&str, usize, Option<u64>); 4] = [
    ("gru_sequence_opset12", 0, Some(0)),
    ("gru_stacked_opset17", 1, Some(8 * 4)),
    ("lstm_stacked_opset15", 1, Some(8 * 4)),
    ("gru_bidirectional_opset14", 1, None),
];

#[test]
fn a_recurrent_layer_over_a_stream_computes_the_new_rows_alone() {
    for (name, axis, head) in OVER_WINDOWS {
        let model = Model::open(file(name)).unwrap();
        let whole = model.clone().compile(Backend::CURRENT).unwrap();
        let rows = whole.net().tensors[whole.net().inputs[0]].shape[axis];
        for step in [1, 2, 5] {
            let stream = model.clone().streaming(axis, step).unwrap().compile(Backend::CURRENT).unwrap();
            if let Some(head) = head {
                let new = (whole.macs() - head) * step as u64 / rows as u64;
                assert_eq!(stream.macs(), new + head, "{name}, steps of {step}");
            }
            let (mut whole, mut stream) = (whole.runner().unwrap(), stream.runner().unwrap());
            let window: Vec<f32> = (0..rows).flat_map(sample).collect();
            whole.set_input(0, &bytes(&window)).unwrap();
            whole.run().unwrap();
            // A reset begins a new window.
            for _ in 0..2 {
                stream.reset();
                for new in window.chunks(step * FEATURES) {
                    stream.set_input(0, &bytes(new)).unwrap();
                    stream.run().unwrap();
                }
                // Where the output has the axis of time, the stream gives its newest rows.
                let (found, expected) = (stream.output(0).unwrap(), whole.output(0).unwrap());
                assert_eq!(found, &expected[expected.len() - found.len()..], "{name}, steps of {step}");
            }
        }
    }
}

/// Networks of Keras over 12 rows of three values whose recurrent layers stand behind convolutions in time.
const BEHIND_CONVOLUTIONS: [&str; 2] = ["recurrent_behind_convolutions", "recurrent_behind_causal"];

/// The first window behind a reset gives what the network gives, to the bit: rows that are made before those of the window leave no trace in a state.
#[test]
fn the_first_window_of_a_stream_is_the_networks() {
    const ROWS: usize = 12;
    const VALUES: usize = 3;
    for name in BEHIND_CONVOLUTIONS {
        let path = format!("{}/../../tests/data/converter/{name}/model.tflite", env!("CARGO_MANIFEST_DIR"));
        let model = Model::open(path).unwrap();
        let whole = model.clone().compile(Backend::CURRENT).unwrap();
        let window: Vec<f32> = (0..ROWS * VALUES).map(|index| ((index * index + 3) % 17) as f32 / 8.0 - 1.0).collect();
        let mut runner = whole.runner().unwrap();
        runner.set_input(0, &bytes(&window)).unwrap();
        runner.run().unwrap();
        let expected = runner.output(0).unwrap().to_vec();
        for step in [1, 2, 3, 4, 6] {
            let stream = model.clone().streaming(1, step).unwrap().compile(Backend::CURRENT).unwrap();
            // Each step computes its own rows alone, unless rows of the first window begin within a step.
            if name == "recurrent_behind_causal" {
                assert_eq!(stream.macs() * ROWS as u64, whole.macs() * step as u64, "{name}, steps of {step}");
            } else if step == 1 {
                assert!(stream.macs() * 9 < whole.macs(), "{name}");
            }
            let mut stream = stream.runner().unwrap();
            for _ in 0..2 {
                stream.reset();
                for new in window.chunks(step * VALUES) {
                    stream.set_input(0, &bytes(new)).unwrap();
                    stream.run().unwrap();
                }
                assert_eq!(stream.output(0).unwrap(), expected, "{name}, steps of {step}");
            }
        }
    }
}

/// In integers a state starts from the stored form of real 0, which is another number than 0 where the zero point is.
#[test]
fn the_first_window_of_a_stream_of_integers_is_the_networks() {
    const ROWS: usize = 12;
    const VALUES: usize = 3;
    let path =
        format!("{}/../../tests/data/converter/{}/model.tflite", env!("CARGO_MANIFEST_DIR"), BEHIND_CONVOLUTIONS[0]);
    // Samples of one sign, which bring the state's zero point far from 0.
    let value = |sample: usize, index: usize| ((sample * 31 + index * index + 3) % 17) as f32 / -8.0;
    let samples = (0..24).map(|sample| (0..ROWS * VALUES).map(|index| value(sample, index)).collect::<Vec<f32>>());
    let model = Model::open(path).unwrap().calibrate_with(samples).unwrap().int8().unwrap();
    let whole = model.clone().compile(Backend::CURRENT).unwrap();
    let window: Vec<u8> = (0..ROWS * VALUES).map(|index| (index * index * 7 + 3) as u8).collect();
    let mut runner = whole.runner().unwrap();
    runner.set_input(0, &window).unwrap();
    runner.run().unwrap();
    let expected = runner.output(0).unwrap().to_vec();
    for step in [1, 2, 3, 4, 6] {
        let stream = model.clone().streaming(1, step).unwrap().compile(Backend::CURRENT).unwrap();
        let mut stream = stream.runner().unwrap();
        for new in window.chunks(step * VALUES) {
            stream.set_input(0, new).unwrap();
            stream.run().unwrap();
        }
        assert_eq!(stream.output(0).unwrap(), expected, "steps of {step}");
    }
}

/// A state of the model's own would be moved on by every step, for rows that the window of an earlier one had.
#[test]
fn a_network_that_goes_on_from_call_to_call_is_no_stream_of_windows() {
    let path =
        format!("{}/../../tests/data/converter/recurrent_stateful_float16/model.tflite", env!("CARGO_MANIFEST_DIR"));
    let error = Model::open(path).unwrap().streaming(1, 1).unwrap_err().to_string();
    assert!(error.contains("a state that goes on from window to window") && error.contains("stateful=True"), "{error}");
}

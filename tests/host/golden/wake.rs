//! Streaming wake-word models against recordings of the reference: state kept over many calls, from random inputs and from sound.

use host_tests::models::{Outcome, compare};
use smolnn_import::{Backend, Model, Program};
use smolnn_signal::micro::MicroFrontend;
use smolnn_testkit::golden::{self, blob};

use crate::signal::{CHANNELS, SOUNDS, WAKE, WINDOW, samples};

/// The models, and the frames of features that each takes per call.
const MODELS: [(&str, usize); 4] = [("okay_nabu_v2", 3), ("hey_jarvis_v2", 3), ("vad_v2", 3), ("okay_nabu_v1", 1)];

fn program(name: &str) -> Option<Program> {
    let file = blob(&format!("{WAKE}/{name}.tflite"))?;
    Some(Model::read(name, &file).and_then(|model| model.compile(Backend::CURRENT)).expect("the model compiles"))
}

/// The outputs of calls one after the other, from the start of the states.
fn outputs(program: &Program, inputs: &[u8], per_call: usize) -> Vec<u8> {
    let mut runner = program.runner().expect("the program is for this machine");
    let call = |input: &[u8]| {
        runner.set_input(0, input)?;
        runner.run()?;
        Ok(runner.output(0)?.to_vec())
    };
    let all: Result<Vec<_>, smolnn_import::Error> = inputs.chunks_exact(per_call).map(call).collect();
    all.expect("the program runs").concat()
}

#[test]
fn streaming_models_equal_the_reference_over_200_calls() {
    for (name, frames) in MODELS {
        let Some(program) = program(name) else { return };
        let read = |what: &str| blob(&format!("{WAKE}/{name}.random_{what}.bin")).expect("the recording is there");
        let (inputs, expected) = (read("in"), read("out"));
        let found = outputs(&program, &inputs, frames * CHANNELS);
        assert_eq!(expected.len(), 200, "{name}");
        assert!(expected.iter().any(|&value| value != expected[0]), "{name}: the recording tells nothing");
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn sound_through_front_end_and_model_equals_the_reference() {
    for (name, frames) in MODELS {
        let Some(program) = program(name) else { return };
        for sound in SOUNDS {
            let samples = samples(sound).expect("the recording is there");
            let mut features = Vec::new();
            MicroFrontend::default().push(&samples, |frame| {
                // What the models of this collection were trained with.
                features.extend(frame.map(|feature| {
                    let quantised = (256 * i32::from(feature) + 333) / 666 - 128;
                    quantised.clamp(-128, 127) as i8 as u8
                }));
            });
            let expected = blob(&format!("{WAKE}/{sound}.{name}.bin")).expect("the recording is there");
            let found = outputs(&program, &features, frames * CHANNELS);
            assert_eq!(found[..expected.len()], expected, "{name} hears {sound}");
        }
    }
}

#[test]
fn arena_and_states_take_less_than_a_quarter_of_what_interpreters_reserve() {
    // What the collection's manifests reserve for the interpreter's arena.
    const RESERVED: [(&str, usize); 2] = [("okay_nabu_v2", 26_080), ("hey_jarvis_v2", 22_860)];
    for (name, reserved) in RESERVED {
        let Some(program) = program(name) else { return };
        let bytes = program.arena_bytes() + program.state_bytes();
        println!("{name}: {bytes} bytes of arena and state, {reserved} reserved elsewhere");
        assert!(bytes * 4 < reserved, "{name}: {bytes} bytes");
    }
}

/// The front end as a model of TensorFlow Lite Micro, by the element type of its features.
#[test]
fn imported_front_ends_equal_the_reference_over_341_windows() {
    for kind in ["int8", "float"] {
        let Some(golden) = golden::front_end(WAKE, kind, 341) else { return };
        match compare(&golden) {
            Ok(Outcome::Equal(compared)) => assert!(compared > 0, "{kind}: nothing was compared"),
            Ok(Outcome::Different(text)) => panic!("{text}"),
            Err(error) => panic!("{kind}: {error}"),
        }
        // Features of floats are compared within a tolerance above; here they are equal to the bit.
        let program = program(&golden.name).expect("the model is there");
        let found = outputs(&program, golden.cases[0].input(golden.inputs[0]), 2 * WINDOW);
        assert!(found == golden.cases[0].output(golden.outputs[0]), "{kind}");
    }
}

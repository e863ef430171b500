//! Imported models against the reference interpreter: every output of every recorded case, and the tensors between where they are recorded,
//! bit for bit, by the plan that generated code follows too.

use host_tests::models::{Outcome, compare};
use smolnn_import::{Backend, Error, Model, Program};
use smolnn_testkit::golden::{self, Golden};

/// Runs all cases of a golden model, all of whose outputs must be equal; gives how many tensors were compared, or why the model does not compile.
fn check(golden: &Golden) -> Result<usize, Error> {
    match compare(golden)? {
        Outcome::Equal(compared) => Ok(compared),
        Outcome::Different(text) => panic!("{text}"),
    }
}

/// Peak of the activations in the model zoo's table, in bytes, by which the arena is judged.
const PEAKS: [(&str, usize); 6] = [
    ("ad01_int8", 768),
    ("hello_world_int8", 32),
    ("kws_ref_model", 16_000),
    ("pretrainedResnet_quant", 49_152),
    ("str_ww_ref_model", 6_656),
    ("vww_96_int8", 55_296),
];

#[test]
fn whole_models_match_the_reference() {
    for golden in golden::all("../shared/golden/models") {
        let compared = check(&golden).unwrap_or_else(|error| panic!("{}: {error}", golden.name));
        assert!(compared > golden.cases.len(), "{}: nothing but outputs was compared", golden.name);
        println!("{}: {} cases, {compared} tensors", golden.name, golden.cases.len());
    }
}

#[test]
fn arenas_stay_below_the_peak_of_the_activations() {
    for golden in golden::all("../shared/golden/models") {
        let (_, peak) = PEAKS.into_iter().find(|(name, _)| *name == golden.name).expect("the model has a known peak");
        for backend in Backend::ALL {
            let program = Model::read(&golden.name, &golden.model)
                .and_then(|model| model.compile(backend))
                .expect("the model compiles");
            let arena = program.arena_bytes();
            println!(
                "{} {}: arena {arena}, {:.3} of the peak {peak}",
                golden.name,
                backend.name(),
                arena as f64 / peak as f64
            );
            // Four bytes more are alignment of the tiny hello_world, and nothing elsewhere.
            assert!(arena * 100 <= peak * 104, "{} {}: {arena} bytes, peak {peak}", golden.name, backend.name());
        }
    }
}

/// A budget that no plan by rows keeps, nor one in groups of channels, is kept by layers that are split along the width, with the recorded outputs; an error that none keeps
/// names the least arena with such a split.
#[test]
fn budgets_that_a_split_along_the_width_keeps_give_the_same() {
    for golden in golden::all("../shared/golden/models").iter().filter(|golden| golden.name == "vww_96_int8") {
        let model = Model::read(&golden.name, &golden.model).expect("the model is read").input_in_place();
        let least = model.clone().least_arena().compile(Backend::CURRENT).expect("the model compiles");
        let split = model.clone().least_arena().split_width().compile(Backend::CURRENT).expect("it compiles in parts");
        let budget = (least.arena_bytes() + split.arena_bytes()) / 2;
        assert!(split.arena_bytes() < budget && budget < least.arena_bytes(), "{budget}");
        let program = model.clone().arena_budget(budget).compile(Backend::CURRENT).expect("a split keeps the budget");
        assert!(program.arena_bytes() <= budget, "{} bytes of {budget}", program.arena_bytes());
        assert!(program.macs() > least.macs() && program.macs() * 4 < least.macs() * 5, "columns computed twice");
        let text = program.schedule();
        assert!(text.contains("parts along the width") && text.contains("part 2, columns"), "{text}");
        for program in [split, program] {
            let mut runner = program.runner().expect("this machine's backend");
            for case in &golden.cases {
                runner.set_input(0, case.input(golden.inputs[0])).expect("the input fits");
                runner.run().expect("the model runs");
                assert_eq!(runner.output(0).expect("the output"), case.output(golden.outputs[0]), "{}", case.label);
            }
        }
        let error = model.arena_budget(4096).compile(Backend::CURRENT).expect_err("4 KB are too few").to_string();
        assert!(error.contains("its least arena, with layers split along the width"), "{error}");
    }
}

/// Single-operator models of ../shared/golden that are not imported. Whatever else is refused
/// fails the test, and so does an entry that compiles by now.
const REFUSED: &[&str] = &["resize_bilinear"];

#[test]
fn single_operators_match_the_reference() {
    let (mut cases, mut refused) = (0, Vec::new());
    let goldens = golden::all("../shared/golden/ops");
    for golden in &goldens {
        match check(golden) {
            Ok(compared) => {
                assert!(compared > 0, "{}: nothing was compared", golden.name);
                cases += golden.cases.len();
            }
            Err(error) => {
                println!("{}: {error}", golden.name);
                refused.push(golden.name.as_str());
            }
        }
    }
    println!("{cases} cases");
    if !goldens.is_empty() {
        assert!(cases > 0);
        assert_eq!(refused, REFUSED);
    }
}

/// Models of ../shared/golden/tf that are not imported yet. Whatever else is refused fails the test, and so does an entry that compiles by now.
const REFUSED_OF_TODAY: &[&str] = &[];

/// Models of ../shared/golden/tf whose recorded outputs are no function of their input: the interpreter that recorded them takes the placeholders of
/// open dimensions for lengths, leaves half of a tensor unwritten, and gives other outputs when it is run again with the same input.
const DIFFERENT: &[&str] = &["tcn_dilated_dyn"];

/// Compares all golden models of a folder, of which these are different and refused, and no others.
fn compare_all(folder: &str, expected_different: &[&str], expected_refused: &[&str]) {
    let (mut tensors, mut refused, mut different) = (0, Vec::new(), Vec::new());
    let goldens = golden::all(folder);
    for golden in &goldens {
        match compare(golden) {
            Ok(Outcome::Equal(compared)) => {
                assert!(compared >= golden.cases.len(), "{}: nothing was compared", golden.name);
                tensors += compared;
            }
            Ok(Outcome::Different(text)) => {
                println!("{text}");
                different.push(golden.name.as_str());
            }
            Err(error) => {
                println!("{}: {error}", golden.name);
                refused.push(golden.name.as_str());
            }
        }
    }
    println!("{tensors} tensors");
    if !goldens.is_empty() {
        assert!(tensors > 0);
        assert_eq!((different, refused), (expected_different.to_vec(), expected_refused.to_vec()));
    }
}

#[test]
fn models_as_people_bring_them_match_the_reference() {
    compare_all("../shared/golden/tf", DIFFERENT, REFUSED_OF_TODAY);
}

#[test]
fn networks_exported_by_pytorch_match_onnxruntime() {
    compare_all("../shared/golden/onnx", &[], &[]);
}

/// Transposes that are left in the networks of ../shared/golden/onnx: one where the input has several channels, one where the output has.
const TRANSPOSES: [(&str, usize); 6] = [
    ("attention_opset17", 0),
    ("dscnn_opset17", 0),
    ("resnet_opset17", 1),
    ("squeeze_excite_opset17", 1),
    ("tcn_opset17", 1),
    ("unet_opset11", 1),
];

#[test]
fn transposes_are_left_only_where_inputs_and_outputs_need_them() {
    let count = |model: &Model| {
        model.net().nodes.iter().filter(|node| matches!(node.operator, smolnn_import::Operator::Transpose)).count()
    };
    for golden in golden::all("../shared/golden/onnx") {
        let Some((_, expected)) = TRANSPOSES.into_iter().find(|(name, _)| *name == golden.name) else { continue };
        let model = Model::read(&golden.name, &golden.model).expect("the model is read");
        assert_eq!(count(&model), expected, "{}", golden.name);
        let model = model.channels_last_inputs();
        let last = model.net().outputs.iter().any(|&id| model.net().tensors[id].shape.len() > 2);
        assert_eq!(count(&model), usize::from(last && golden.name.starts_with("unet")), "{}", golden.name);
        assert_eq!(count(&model.channels_last_outputs()), 0, "{}", golden.name);
    }
}

/// The same elements with the channels of a shape `[batch, channels, rows, columns]` of `f32` last.
fn with_channels_last(bytes: &[u8], shape: &[usize]) -> Vec<u8> {
    let &[1, channels, rows, columns] = shape else { panic!("an image") };
    let elements: Vec<&[u8]> = bytes.chunks(4).collect();
    let last = (0..elements.len()).flat_map(|at| elements[at % channels * rows * columns + at / channels]);
    last.copied().collect()
}

/// Networks of images with their channels last give what those with their channels first give: with whole tensors, and with rows in the smallest arena, which
/// PyTorch's residual blocks, U-Nets and resizes must not keep from being less than two thirds of the other.
#[test]
fn images_with_channels_last_are_the_same_images() {
    let names = ["squeeze_excite", "resnet", "unet_nearest", "unet_bilinear", "dscnn", "cnn_script"];
    let mut found = 0;
    for golden in golden::all("tests/data/onnx/networks") {
        if !names.iter().any(|name| golden.name.starts_with(name)) {
            continue;
        }
        let model = Model::read(&golden.name, &golden.model).expect("the model is read").channels_last_inputs();
        let model = model.channels_last_outputs();
        let [batch, channels, rows, columns] = golden.tensors[&0].shape[..] else { panic!("an image") };
        assert_eq!(model.net().tensors[model.net().inputs[0]].shape, [batch, rows, columns, channels]);
        let output = golden.outputs[0];
        let shape = &golden.tensors[&output].shape;
        let whole = model.compile(Backend::CURRENT).expect("the model compiles");
        let by_rows = model.clone().input_by_rows().compile(Backend::CURRENT).expect("the model compiles by rows");
        if !golden.name.starts_with("squeeze") {
            let (whole, by_rows) = (whole.arena_bytes(), by_rows.arena_bytes());
            assert!(by_rows < whole * 2 / 3, "{}: {by_rows} bytes by rows, {whole} whole", golden.name);
        }
        for program in [whole, by_rows] {
            let mut runner = program.runner().expect("this machine's backend");
            for case in &golden.cases {
                let input = with_channels_last(case.input(0), &golden.tensors[&0].shape);
                runner.set_input(0, &input).expect("the input fits");
                runner.run().expect("the model runs");
                let (stated, given) = (case.output(output), runner.output(0).expect("the output"));
                if let [1, outputs, rows, columns] = shape[..] {
                    // Back to the order of the recording, of which planes are the "channels".
                    let given = with_channels_last(given, &[1, rows * columns, outputs, 1]);
                    assert_eq!(golden.difference(output, stated, &given), None, "{}", golden.name);
                } else {
                    assert_eq!(golden.difference(output, stated, given), None, "{}", golden.name);
                }
            }
        }
        found += 1;
    }
    assert!(found >= names.len(), "{found} networks");
}

/// Rows of planes are refused, with the way to rows of an image.
#[test]
fn rows_of_planes_are_refused() {
    for golden in
        golden::all("tests/data/onnx/networks").iter().filter(|golden| golden.name.starts_with("unet_nearest"))
    {
        let model = Model::read(&golden.name, &golden.model).expect("the model is read");
        for (model, way) in [
            (model.clone().input_by_rows(), "channels_last_inputs"),
            (model.clone().output_by_rows(), "channels_last_outputs"),
        ] {
            let error = model.compile(Backend::CURRENT).expect_err("planes have no rows of pixels").to_string();
            assert!(error.contains(way) && error.contains("--channels-last"), "{error}");
        }
    }
}

#[test]
fn the_projects_own_exports_match_onnxruntime() {
    let (mut tensors, goldens) = (0, golden::all("tests/data/onnx/networks"));
    for golden in &goldens {
        tensors += check(golden).unwrap_or_else(|error| panic!("{}: {error}", golden.name));
    }
    println!("{} networks, {tensors} outputs", goldens.len());
    assert!(goldens.len() >= 25 && tensors >= goldens.len());
}

/// A dilated convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, in a file that leaves the batch open: the outputs of TensorFlow 2.21's
/// reference kernels (`BUILTIN_REF`), which resize what is open, for the recorded inputs.
#[test]
fn dilated_convolutions_of_an_open_batch_match_tensorflow() {
    const OUTPUTS: [[[i8; 3]; 2]; 3] =
        [[[-60, 35, -104], [82, -91, -118]], [[-55, 12, -84], [-32, -57, -39]], [[46, -98, -75], [-68, -42, -18]]];
    for golden in golden::all("../shared/golden/tf").iter().filter(|golden| golden.name == "tcn_dilated_dyn") {
        let program = Model::read(&golden.name, &golden.model)
            .and_then(|model| model.compile(Backend::CURRENT))
            .expect("the model compiles");
        let table = program.report().table(None);
        assert!(!table.contains("BATCH"), "the blocks are fused: {table}");
        let mut runner = program.runner().expect("this machine's backend");
        for (case, expected) in golden.cases.iter().zip(OUTPUTS) {
            for (input, expected) in case.input(golden.inputs[0]).chunks_exact(128).zip(expected) {
                runner.set_input(0, input).expect("the input fits");
                runner.run().expect("the model runs");
                assert_eq!(runner.output(0).expect("the output"), expected.map(|value| value as u8));
            }
        }
    }
}

/// Beginnings of the names of this project's own goldens that are not imported (yet, or on purpose). Whatever else is refused fails the test, and
/// so does an entry of which nothing is refused any more.
const REFUSED_HERE: &[&str] = &[];

#[test]
fn models_made_here_match_the_reference() {
    let (mut models, mut tensors, mut refused) = (0, 0, Vec::new());
    for folder in ["tests/data/ops", "tests/data/converter", "tests/data/japanese_vowels"] {
        for golden in golden::all(folder) {
            match check(&golden) {
                Ok(compared) => {
                    assert!(compared > 0, "{}: nothing was compared", golden.name);
                    models += 1;
                    tensors += compared;
                }
                Err(error) => {
                    let entry = REFUSED_HERE.iter().find(|&&beginning| golden.name.starts_with(beginning));
                    refused.push(*entry.unwrap_or_else(|| panic!("{}: {error}", golden.name)));
                }
            }
        }
    }
    refused.sort();
    refused.dedup();
    println!("{models} models, {tensors} tensors; refused: {refused:?}");
    assert!(models >= 100, "only {models} models");
    assert_eq!(refused, REFUSED_HERE);
}

/// What the error about each of the converter's unsupported models must say.
const UNSUPPORTED: [(&str, &[&str]); 4] = [
    ("variables_without_values", &["READ_VARIABLE", "of which the file has no value", "from_keras_model"]),
    ("custom_operator", &["operator 0 CUSTOM:FlexErf"]),
    ("dynamic_size", &["operator 0 CONV_2D", "dynamic shape [-1, -1, -1, 2]"]),
    ("several_subgraphs", &["operator 0 WHILE", "rounds cannot be counted"]),
];

#[test]
fn unsupported_models_of_the_converter_are_refused_by_name() {
    let folder = golden::project().join("tests/data/converter/unsupported");
    let files = std::fs::read_dir(&folder).expect("the folder is part of the project").count();
    assert_eq!(files, UNSUPPORTED.len(), "each file has an entry here");
    for (name, expected) in UNSUPPORTED {
        let bytes = std::fs::read(folder.join(name).with_extension("tflite")).expect("the model can be read");
        let error = match Model::read(name, &bytes).and_then(|model| model.compile(Backend::CURRENT)) {
            Ok(_) => panic!("{name} compiles"),
            Err(error) => error.to_string(),
        };
        for text in expected {
            assert!(error.contains(text), "{name}: {text:?} is missing in: {error}");
        }
    }
}

#[test]
fn the_digits_network_gives_the_recorded_outputs_and_accuracy() {
    let read = |name: &str| {
        std::fs::read(golden::project().join("tests/data/digits").join(name)).expect("part of the project")
    };
    let program = Model::read("digits", &read("digits.tflite"))
        .and_then(|model| model.compile(Backend::CURRENT))
        .expect("compiles");
    let mut runner = program.runner().expect("runs");
    let (images, labels, outputs) = (read("images.bin"), read("labels.bin"), read("outputs.bin"));
    assert_eq!((images.len(), labels.len(), outputs.len()), (450 * 64, 450, 450 * 10));
    let mut right = 0;
    for (index, (image, expected)) in images.chunks(64).zip(outputs.chunks(10)).enumerate() {
        runner.set_input(0, image).expect("an image fits");
        runner.run().expect("runs");
        let scores = runner.output(0).expect("has an output");
        assert_eq!(scores, expected, "image {index}");
        let best = (0..10).max_by_key(|&digit| scores[digit] as i8).expect("ten scores");
        right += usize::from(best == usize::from(labels[index]));
    }
    assert_eq!(right, 447, "of 450");
}

/// A custom operator runs on the host by a closure, is refused without a function, and what cannot be one is said.
#[test]
fn custom_operators_run_by_functions_of_the_users() {
    let path = golden::project().join("tests/data/converter/unsupported/custom_operator.tflite");
    let open = || Model::open(&path).expect("the model can be read");
    let message = |model: Model| model.compile(Backend::CURRENT).map(|_| ()).expect_err("refused").to_string();
    let unmapped = message(open());
    assert!(unmapped.contains("a custom operator") && unmapped.contains(".custom(\"FlexErf\""), "{unmapped}");
    let other = message(open().custom("Erf", "crate::erf"));
    assert!(other.contains("no custom operator Erf; the model has FlexErf"), "{other}");
    let code = message(open().custom("FlexErf", "loop {}"));
    assert!(code.contains("the path of a function"), "{code}");

    let model = open().custom("FlexErf", "crate::functions::erf");
    let program = model.compile(Backend::CURRENT).expect("the model compiles");
    assert!(program.source().contains("(crate::functions::erf(&CustomOperator {"), "{}", program.source());
    let mut runner = program.runner().expect("this machine's backend");
    let input: Vec<u8> = [1.0_f32, 2.0, 3.0, -4.0, 5.0, 6.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    runner.set_input(0, &input).expect("it fits");
    let error = runner.run().expect_err("no function yet").to_string();
    assert!(error.contains("Runner::custom(\"FlexErf\""), "{error}");
    runner.custom("FlexErf", |_, tensors| tensors.input::<i8>(0).map(|_| ()));
    assert!(runner.run().is_err(), "the elements are no int8");
    let mut calls = 0;
    runner.custom("FlexErf", |operator, tensors| {
        calls += 1;
        assert_eq!(operator.inputs[0].shape, [1, 6]);
        let (input, output) = (tensors.input::<f32>(0)?, tensors.output::<f32>(0)?);
        output.iter_mut().zip(input).for_each(|(output, input)| *output = 2.0 * input);
        Ok(())
    });
    runner.run().expect("it runs");
    let expected: Vec<u8> =
        [2.0_f32, 4.0, 6.0, -8.0, 10.0, 12.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(runner.output(0).expect("an output"), expected);
    drop(runner);
    assert_eq!(calls, 1);
}

/// Keyword networks of MLPerf Tiny, which were trained over windows, give over a stream what they give over windows: the streaming wake word, without
/// padding in time, and kws, whose layers all have SAME padding and whose first one has a stride of 2.
#[test]
fn a_model_over_a_stream_gives_what_it_gives_over_windows() {
    let models = [
        ("str_ww_ref_model", [30, 40], &[(1, 150), (3, 50), (7, 10)][..]),
        ("kws_ref_model", [49, 10], &[(2, 1000), (6, 20)][..]),
    ];
    let goldens = golden::all("../shared/golden/models");
    for (name, [window, row], steps) in models {
        for golden in goldens.iter().filter(|golden| golden.name == name) {
            let model = Model::read(&golden.name, &golden.model).expect("the model is read");
            let whole = model.compile(Backend::CURRENT).expect("the model compiles");
            for &(step, windows) in steps {
                let stream = model.clone().streaming(1, step).expect("it streams");
                let program = stream.compile(Backend::CURRENT).expect("the model over a stream compiles");
                println!(
                    "{name}, steps of {step}: {} MACs of {}, arena {} of {} bytes, state {}, constants {} of {}",
                    program.macs(),
                    whole.macs(),
                    program.arena_bytes(),
                    whole.arena_bytes(),
                    program.state_bytes(),
                    program.constant_bytes(),
                    whole.constant_bytes()
                );
                assert!(step > 3 || program.macs() * 2 < whole.macs(), "steps of {step} compute little");
                compare_over_stream([&whole, &program], [window, row, step], windows);
            }
        }
    }
}

/// Gives random rows to a model over a stream, a step at a time, and compares what it gives with what the model over the whole window gives.
fn compare_over_stream([whole, stream]: [&Program; 2], [window, row, step]: [usize; 3], windows: usize) {
    let (mut whole, mut stream) = (whole.runner().expect("a runner"), stream.runner().expect("a runner"));
    let (mut rows, mut seen, mut compared) = (Vec::new(), std::collections::BTreeSet::new(), 0);
    // Values without a pattern, loud and quiet by turns.
    let mut value = step as u32;
    while compared < windows {
        // Streams begin anew from time to time, from a reset.
        if compared % 50 == 0 && rows.len() > window * row {
            rows.clear();
            stream.reset();
        }
        let new: Vec<u8> = (0..step * row)
            .map(|_| {
                value = value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((value >> 24) as i8 >> (rows.len() / 1000 % 4)) as u8
            })
            .collect();
        rows.extend(&new);
        stream.set_input(0, &new).expect("the rows fit");
        stream.run().expect("it runs");
        let Some(start) = rows.len().checked_sub(window * row) else { continue };
        whole.set_input(0, &rows[start..]).expect("the window fits");
        whole.run().expect("it runs");
        let expected = whole.output(0).expect("an output");
        assert_eq!(stream.output(0).expect("an output"), expected, "window {compared}, steps of {step}");
        seen.insert(expected.to_vec());
        compared += 1;
    }
    assert!(seen.len() > 3, "the outputs tell nothing");
}

/// An LSTM keeps its state from window to window, and so from row to row: windows that follow each other give what their rows give one by one.
#[test]
fn an_lstm_over_a_stream_gives_what_it_gives_over_windows_that_follow_each_other() {
    for golden in golden::all("../shared/golden/tf").iter().filter(|golden| golden.name.starts_with("lstm_")) {
        let model = Model::read(&golden.name, &golden.model).expect("the model is read");
        let whole = model.clone().compile(Backend::CURRENT).expect("the model compiles");
        let shape = &whole.net().tensors[whole.net().inputs[0]].shape;
        let (rows, step, length) = (shape[1], 1, shape.iter().product::<usize>());
        let stream = model.streaming(1, step).expect("it streams").compile(Backend::CURRENT).expect("it compiles");
        println!("{}: {} MACs of {} per row of {shape:?}", golden.name, stream.macs(), whole.macs());
        assert!(stream.macs() * rows as u64 <= whole.macs() + whole.macs() / 4, "a step computes one row");
        let (mut stream, mut whole) = (stream.runner().expect("a runner"), whole.runner().expect("a runner"));
        let mut seen = std::collections::BTreeSet::new();
        for window in 0..4_u32 {
            let sound: Vec<u8> =
                (0..length as u32).map(|at| ((at + 1) * (window + 3)).wrapping_mul(0x9E37_79B9) as u8).collect();
            whole.set_input(0, &sound).expect("it fits");
            whole.run().expect("it runs");
            for new in sound.chunks(length / rows * step) {
                stream.set_input(0, new).expect("it fits");
                stream.run().expect("it runs");
            }
            let (found, expected) = (stream.output(0).expect("an output"), whole.output(0).expect("an output"));
            assert_eq!(found, &expected[expected.len() - found.len()..], "{}, window {window}", golden.name);
            seen.insert(expected.to_vec());
        }
        assert!(seen.len() > 1, "the outputs tell nothing");
    }
}

/// Recurrent layers in every direction, with and without biases and given states: PyTorch's exports and random operators. The folder says how they
/// are made; `SMOLNN_GOLDENS` names another one, for more of them.
#[test]
fn recurrent_networks_match_onnxruntime() {
    let folder = std::env::var("SMOLNN_GOLDENS").unwrap_or_else(|_| "tests/data/onnx_recurrent".into());
    let goldens = golden::all(&folder);
    let failures: Vec<String> = goldens
        .iter()
        .filter_map(|golden| match compare(golden) {
            Ok(Outcome::Equal(compared)) => {
                (compared < golden.cases.len()).then(|| format!("{}: nothing was compared", golden.name))
            }
            Ok(Outcome::Different(text)) => Some(text),
            Err(error) => Some(format!("{}: {error}", golden.name)),
        })
        .collect();
    println!("{} networks", goldens.len());
    assert!(failures.is_empty() && goldens.len() >= 40, "{} of {}: {failures:#?}", failures.len(), goldens.len());
}

//! Compiles every model at hand to Rust, as a firmware's build script would, and lists them for the test.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use smolnn_import::{Backend, Error, Model, Result};

/// Folders of golden models, from the project's root. The first ones lie beside the project and may be absent.
const FOLDERS: [&str; 8] = [
    "../shared/golden/models",
    "../shared/golden/onnx",
    "../shared/golden/ops",
    "../shared/golden/tf",
    "../shared/golden/wake",
    "tests/data/converter",
    "tests/data/ops",
    "tests/data/onnx_recurrent",
];

/// Golden models that end in an image and are there again with an output that is given by rows, beside an input that lies whole and one that comes by rows.
const GIVEN: [&str; 8] = [
    "average_pool_3x2_stride1_same",
    "conv_even_size_stride2_same",
    "conv_int16_stride2_nobias",
    "depthwise_multiplier2_dilation",
    "k2_upbil",
    "pad_height_width",
    "unet_bilinear",
    "unet_opset11",
];

/// Golden models over windows of time that are there a second time, as one over a stream with so many rows per call.
const STREAMS: [(&str, usize); 2] = [("kws_ref_model", 2), ("str_ww_ref_model", 1)];

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    println!("cargo::rerun-if-env-changed=SMOLNN_MODELS");
    let (mut modules, mut table, mut refused) = (String::new(), String::new(), String::new());
    let (mut listeners, mut by_rows, mut streams) = (String::new(), String::new(), String::new());
    for folder in FOLDERS {
        // The public models may lie elsewhere: `cargo xtask --models DIR`.
        let elsewhere = env::var_os("SMOLNN_MODELS").filter(|_| folder == FOLDERS[0]);
        let path = elsewhere.map_or_else(|| root.join(folder), Into::into);
        println!("cargo::rerun-if-changed={}", path.display());
        let Ok(entries) = fs::read_dir(&path) else { continue };
        let mut names: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        for name in names {
            // A folder with a model, or a model with state, beside which its calls are recorded.
            let stem = name.strip_suffix(".tflite");
            let streaming = stem.filter(|name| path.join(format!("{name}.random_in.bin")).is_file());
            let file = path.join(&name).join("model.tflite");
            let file = if file.is_file() { file } else { path.join(&name).join("model.onnx") };
            let (file, name) = match stem {
                Some(stem) => (path.join(&name), stem.to_owned()),
                None => (file, name.clone()),
            };
            if !file.is_file() {
                continue;
            }
            let module = format!("{}_{name}", folder.rsplit('/').next().unwrap_or_default());
            let emitted = Model::open(&file)
                .map(|model| model.named(&module).quiet())
                .and_then(|model| model.emit().map(|()| model));
            match emitted {
                Ok(model) => {
                    // The small models run in a shared arena too, and so do those with states.
                    let program = model.compile(Backend::CURRENT)?;
                    let state_bytes = program.state_bytes();
                    // Models whose layers run by rows for the least arena are there a second time.
                    let least = model.clone().named(&format!("{module}_rows")).least_arena();
                    if least.compile(Backend::CURRENT)?.arena_bytes() < program.arena_bytes() {
                        least.emit()?;
                        adapter(&mut modules, &least, true, state_bytes > 0);
                        let _ = writeln!(by_rows, "    (\"{folder}/{name}\", run_{module}_rows),");
                    }
                    // So are those whose input comes row by row and takes less than that.
                    let pushed = model.clone().named(&format!("{module}_pushed")).input_by_rows();
                    if let Ok(program) = pushed.compile(Backend::CURRENT)
                        && program.state_bytes() == 0
                        && program.arena_bytes() < least.compile(Backend::CURRENT)?.arena_bytes()
                    {
                        pushed.emit()?;
                        pushing_adapter(&mut modules, &pushed);
                        let _ = writeln!(by_rows, "    (\"{folder}/{name}\", run_{module}_pushed),");
                    }
                    // And those that end in an image, by its rows.
                    let ways: &[bool] = if GIVEN.contains(&&*name) { &[false, true] } else { &[] };
                    for &is_pushed in ways {
                        let given = model.clone().output_by_rows();
                        let given = if is_pushed { given.input_by_rows() } else { given };
                        let given = given.named(&format!("{module}_given{}", if is_pushed { "_pushed" } else { "" }));
                        if let Ok(rows) = given.compile(Backend::CURRENT)
                            && state_bytes == 0
                            && rows.arena_bytes() < program.arena_bytes()
                        {
                            given.emit()?;
                            giving_adapter(&mut modules, &given, is_pushed);
                            let _ = writeln!(by_rows, "    (\"{folder}/{name}\", run_{}),", given.name());
                        }
                    }
                    adapter(&mut modules, &model, folder.ends_with("converter") || state_bytes > 0, state_bytes > 0);
                    let _ = writeln!(table, "    (\"{folder}/{name}\", run_{module}),");
                    if let Some((_, step)) = STREAMS.iter().find(|(stream, _)| *stream == name) {
                        let stream = model.named(&format!("{module}_stream")).streaming(1, *step)?;
                        stream.emit()?;
                        adapter(&mut modules, &stream, true, true);
                        let _ =
                            writeln!(streams, "    (\"{folder}/{name}\", {step}, run_{module}, run_{module}_stream),");
                    }
                    if streaming.is_some() {
                        let _ = writeln!(listeners, "    (\"{name}\", listen::<{module}::Model>),");
                    }
                }
                Err(Error::Model { error, .. }) if matches!(*error, Error::Unsupported(_)) => {
                    let _ = writeln!(refused, "    \"{folder}/{name}\",");
                }
                Err(error) => return Err(error),
            }
        }
    }
    // A keyword network over a window, and the same over a stream: its first layer has a stride of 2 in time, and its layers are padded.
    let keyword = Model::open(root.join("tests/data/onnx/networks/dscnn_script_opset11/model.onnx"))?.quiet();
    keyword.clone().named("keyword_window").emit()?;
    keyword.named("keyword").streaming(2, 2)?.emit()?;
    modules += "smolnn::include_model!(pub keyword_window);\nsmolnn::include_model!(pub keyword);\n";
    let custom = root.join("tests/data/converter/unsupported/custom_operator.tflite");
    Model::open(custom)?.custom("FlexErf", "crate::error_function").emit()?;
    let text = format!(
        "{modules}\n/// A model's golden folder and how to run it.\npub const MODELS: &[(&str, Run)] = &[\n{table}];\n\n/// The same for models \
         whose layers run by rows.\npub const BY_ROWS: &[(&str, Run)] = &[\n{by_rows}];\n\n/// Models over windows, the rows that \
         the same over a stream takes per call, and how to run both.\npub const STREAMS: &[(&str, usize, Run, Run)] = &[\n{streams}];\n\n/// Golden folders of models \
         that do not compile.\npub const REFUSED: &[&str] = &[\n{refused}];\n\n/// A wake word's model and how \
         to listen with it.\npub const LISTENERS: &[(&str, Listen)] = &[\n{listeners}];\n"
    );
    let path = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("models.rs");
    fs::write(&path, text).map_err(|source| Error::File { path, source })
}

/// The module, and a function that runs it on bytes.
fn adapter(text: &mut String, model: &Model, shares: bool, has_state: bool) {
    let name = model.name();
    let net = model.net();
    let method =
        |what: &str, index: usize, count: usize| if count == 1 { what.to_string() } else { format!("{what}_{index}") };
    let (inputs, outputs) = (net.inputs.len(), net.outputs.len());
    let _ = writeln!(
        text,
        "smolnn::include_model!(pub {name});\n#[allow(non_snake_case)]\nfn run_{name}(cases: &[Vec<Vec<u8>>]) -> Vec<Vec<Vec<u8>>> {{"
    );
    let _ = writeln!(text, "    let mut model = Box::new({name}::Model::new());\n    model.reset();");
    let _ = writeln!(text, "    cases.iter().map(|inputs| {{\n        let _ = inputs;");
    // Every call goes on in another model, whose states are those of the last one.
    let _ = writeln!(
        text,
        "        let states = model.save();\n        *model = {name}::Model::new();\n        model.restore(&states);"
    );
    for index in 0..inputs {
        let input = method("input", index, inputs);
        let _ = writeln!(
            text,
            "        bytemuck::cast_slice_mut::<_, u8>(model.{input}_mut()).copy_from_slice(&inputs[{index}]);"
        );
    }
    if shares {
        let state = if has_state { ", &mut state" } else { "" };
        let make = if has_state { format!("let mut state = {name}::State::new();") } else { String::new() };
        let _ = writeln!(
            text,
            "        let mut arena = shared_arena::<{{ {name}::ARENA_WORDS + 5 }}>();\n        {make}\n        let mut other = \
             {name}::Model::in_arena(&mut arena{state});\n        other.restore(&states);"
        );
        for index in 0..inputs {
            let input = method("input", index, inputs);
            let _ = writeln!(
                text,
                "        bytemuck::cast_slice_mut::<_, u8>(other.{input}_mut()).copy_from_slice(&inputs[{index}]);"
            );
        }
        let _ = writeln!(text, "        (0..{name}::STEPS).for_each(|step| other.run_step(step));");
    }
    let _ = writeln!(text, "        model.run();");
    if shares {
        for index in 0..outputs {
            let output = method("output", index, outputs);
            let _ = writeln!(text, "        assert_eq!(bits(model.{output}()), bits(other.{output}()));");
        }
        let _ = writeln!(text, "        assert_eq!(model.save()[..], other.save()[..]);");
    }
    let _ = writeln!(text, "        vec![");
    for index in 0..outputs {
        let _ = writeln!(
            text,
            "            bytemuck::cast_slice::<_, u8>(model.{}()).to_vec(),",
            method("output", index, outputs)
        );
    }
    let _ = writeln!(text, "        ]\n    }}).collect()\n}}");
}

/// The module of a model whose input comes row by row, and a function that runs it on bytes: rows one by one, and then images.
fn pushing_adapter(text: &mut String, model: &Model) {
    let name = model.name();
    let length = model.net().tensors[model.net().inputs[0]].len();
    let outputs = model.net().outputs.len();
    let bytes: String = (0..outputs)
        .map(|index| {
            let output = if outputs == 1 { "output".to_string() } else { format!("output_{index}") };
            format!("bytemuck::cast_slice::<_, u8>(model.{output}()).to_vec(), ")
        })
        .collect();
    let _ = writeln!(
        text,
        "smolnn::include_model!(pub {name});\n#[allow(non_snake_case)]\nfn run_{name}(cases: &[Vec<Vec<u8>>]) -> Vec<Vec<Vec<u8>>> {{\n    \
         let mut model = Box::new({name}::Model::new());\n    cases.iter().map(|inputs| {{\n        let mut image: {name}::Input = [Default::default(); {length}];\n        \
         bytemuck::cast_slice_mut::<_, u8>(&mut image).copy_from_slice(&inputs[0]);\n        let rows: &[{name}::Row] = image.as_chunks().0;\n        \
         assert_eq!(rows.len(), {name}::ROWS);\n        for (index, row) in rows.iter().enumerate() {{\n            \
         assert_eq!(model.push_row(row).is_some(), index + 1 == {name}::ROWS);\n        }}\n        let outputs = vec![{bytes}];\n        \
         // An image that ends early leaves no trace.\n        model.push_row(&rows[0]);\n        model.infer(&image);\n        assert_eq!(outputs, vec![{bytes}]);\n        \
         outputs\n    }}).collect()\n}}"
    );
}

/// The module of a model whose output is given row by row, and a function that runs it on bytes, in each of the ways that there are.
fn giving_adapter(text: &mut String, model: &Model, is_pushed: bool) {
    let name = model.name();
    let length = model.net().tensors[model.net().inputs[0]].len();
    let inputs = model.net().inputs.len();
    let method = |index: usize| if inputs == 1 { "input".to_string() } else { format!("input_{index}") };
    let writes: String = (0..inputs)
        .map(|index| {
            let input = method(index);
            format!("bytemuck::cast_slice_mut::<_, u8>(model.{input}_mut()).copy_from_slice(&inputs[{index}]); ")
        })
        .collect();
    let runs = if is_pushed {
        format!(
            "let mut image: {name}::Input = [Default::default(); {length}];\n        bytemuck::cast_slice_mut::<_, u8>(&mut image).copy_from_slice(&inputs[0]);\n        \
             let rows: &[{name}::Row] = image.as_chunks().0;\n        // An image that ends early leaves no trace.\n        \
             model.push_row(&rows[0], |_, _| ());\n        model.infer(&image, |index, row| whole.take(index, row));\n        \
             for (index, row) in rows.iter().enumerate() {{\n            let is_last = model.push_row(row, |index, row| again.take(index, row));\n            \
             assert_eq!(is_last, index + 1 == {name}::ROWS);\n        }}"
        )
    } else {
        format!(
            "{writes}\n        model.run(|index, row| whole.take(index, row));\n        {writes}\n        \
             (0..{name}::STEPS).for_each(|step| model.run_step(step, |index, row| again.take(index, row)));"
        )
    };
    let _ = writeln!(
        text,
        "smolnn::include_model!(pub {name});\n#[allow(non_snake_case)]\nfn run_{name}(cases: &[Vec<Vec<u8>>]) -> Vec<Vec<Vec<u8>>> {{\n    \
         let mut model = Box::new({name}::Model::new());\n    cases.iter().map(|inputs| {{\n        \
         let (mut whole, mut again) = (Rows::default(), Rows::default());\n        {runs}\n        \
         assert_eq!((whole.count, again.count), ({name}::OUTPUT_ROWS, {name}::OUTPUT_ROWS));\n        \
         assert_eq!(whole.bytes, again.bytes);\n        vec![whole.bytes]\n    }}).collect()\n}}"
    );
}

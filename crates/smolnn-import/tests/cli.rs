//! The command `smolnn`, run as a user runs it, on the digits network of tests/data.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use smolnn_import::{Backend, Model, ReportedTensor};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

/// A file of this test's own.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli");
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder.join(name)
}

fn smolnn(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smolnn")).args(arguments).output().expect("the command starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Standard output of a command that must succeed.
fn success(arguments: &[&str]) -> String {
    let output = smolnn(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Standard error of a command that must fail with this exit code.
fn failure(code: i32, arguments: &[&str]) -> String {
    let output = smolnn(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn digits() -> PathBuf {
    data("digits/digits.tflite")
}

#[test]
fn inspect_shows_every_layer_and_the_totals() {
    let table = success(&["inspect", text(&digits())]);
    for words in [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "MAX_POOL_2D",
        "FULLY_CONNECTED",
        "SOFTMAX",
        "total",
        "bytes of arena",
        "[1, 8, 8, 1]",
    ] {
        assert!(table.contains(words), "{words:?} is missing in:\n{table}");
    }
    assert!(success(&["inspect", text(&digits()), "--backend", "dsp"]).contains("backend dsp"));
    for (chip, backend) in [("rp2040", "v6m"), ("nRF52840", "dsp"), ("stm32f103", "v7m"), ("esp32c3", "rv32")] {
        let table = success(&["inspect", text(&digits()), "--backend", chip]);
        assert!(table.contains(&format!("backend {backend}")), "{chip}: {table}");
    }
}

#[test]
fn inspect_draws_a_page_that_needs_nothing_else() {
    let page = scratch("digits.html");
    success(&["inspect", text(&digits()), "--html", text(&page)]);
    let html = std::fs::read_to_string(&page).expect("the page");
    let report = report(&[text(&digits())]);
    let layers = report["layers"].as_array().expect("layers").len();
    // A box for each layer, its bars of cycles and multiply-accumulates, and an edge from each to the next.
    let bars = ["box", "cost", "macs"].map(|class| (class, layers));
    for (class, count) in bars.into_iter().chain([("edge", layers - 1)]) {
        let part = &format!("class=\"{class}\"");
        assert_eq!(html.matches(part).count(), count, "{part}");
    }
    assert!(html.contains("DEPTHWISE_CONV_2D") && html.contains("33\u{a0}504"), "{html}");
    assert!(["http", "<script", "src="].iter().all(|other| !html.contains(other)), "the page loads something");
    assert!(html.contains("width=device-width"));
}

#[test]
fn inspect_shows_the_plan_and_what_a_budget_does_to_it() {
    let digits = digits();
    let bytes = |text: &str| -> usize {
        let number = text.split(": ").nth(1).and_then(|rest| rest.split(" bytes").next()).expect("the arena");
        number.replace(' ', "").parse().expect("a number")
    };
    let whole = success(&["inspect", text(&digits), "--plan"]);
    let svg = scratch("plan.svg");
    let least = success(&["inspect", text(&digits), "--plan", "--least-arena", "--svg", text(&svg)]);
    assert!(whole.contains("CONV_2D") && bytes(&least) < bytes(&whole), "{whole}\n{least}");
    let picture = std::fs::read_to_string(&svg).expect("the picture");
    assert!(picture.starts_with("<svg") && picture.contains("whole tensors") && picture.contains("by rows"));
    let budget = bytes(&least).to_string();
    assert!(bytes(&success(&["inspect", text(&digits), "--plan", "--budget", &budget])) <= bytes(&least));
    // A budget that the fastest plan keeps is that plan.
    assert_eq!(success(&["inspect", text(&digits), "--plan", "--budget", &bytes(&whole).to_string()]), whole);
    let refused = failure(1, &["inspect", text(&digits), "--budget", "200"]);
    let hopeless = failure(1, &["inspect", text(&digits), "--budget", "8"]);
    assert!(hopeless.contains(&format!("at least {} bytes, its least arena\n", bytes(&least))), "{hopeless}");
    // Parts along the width are the last resort of a budget.
    let split = success(&["inspect", text(&digits), "--plan", "--least-arena", "--split-width"]);
    assert!(split.contains("parts along the width") && split.contains("part 2, columns"), "{split}");
    assert!(bytes(&split) < bytes(&least), "{split}");
    let bytes_of_least = format!("a budget of 200 bytes for the arena; supported: at least {} bytes", bytes(&split));
    assert!(refused.contains(&bytes_of_least) && refused.contains("with layers split along the width"), "{refused}");
    // Whole tensors have no parts: what would change nothing is refused.
    let alone = failure(2, &["inspect", text(&digits), "--input-in-place", "--split-width"]);
    assert!(["--budget", "--least-arena", "--input-by-rows"].iter().all(|option| alone.contains(option)), "{alone}");
    let module = scratch("in_place.rs");
    success(&["compile", text(&digits), "--backend", "dsp", "--input-in-place", "-o", text(&module)]);
    let module = std::fs::read_to_string(&module).expect("the module");
    assert!(module.contains("pub fn run(&mut self, input: &Input)") && !module.contains("input_mut"), "{module}");
    let module = scratch("by_rows.rs");
    success(&["compile", text(&digits), "--backend", "dsp", "--input-by-rows", "-o", text(&module)]);
    assert!(std::fs::read_to_string(&module).expect("the module").contains("pub fn push_row("));
    // The digits' output is no image.
    let refused = failure(1, &["inspect", text(&digits), "--output-by-rows"]);
    assert!(refused.contains("an output of shape [1, 10]; supported: output by rows for models with one"), "{refused}");
    let folder = scratch("c/by_rows");
    let refused =
        failure(1, &["compile", text(&digits), "--backend", "dsp", "--input-by-rows", "--c", "-o", text(&folder)]);
    assert!(refused.contains("leave out --input-by-rows"), "{refused}");
}

#[test]
fn an_output_image_goes_by_rows() {
    let model = data("ops/depthwise_multiplier2_dilation/model.tflite");
    let module = scratch("given_by_rows.rs");
    success(&["compile", text(&model), "--backend", "dsp", "--output-by-rows", "-o", text(&module)]);
    let source = std::fs::read_to_string(&module).expect("the module");
    assert!(
        source.contains("pub fn infer(&mut self, input: &Input, give: impl FnMut(usize, &OutputRow)) -> ()"),
        "{source}"
    );
    assert!(!source.contains("pub fn output(&self)"), "the output is never there as a whole");
    let plan = success(&["inspect", text(&model), "--plan", "--output-by-rows"]);
    assert!(plan.contains(" rows of "), "{plan}");
}

#[test]
fn a_window_becomes_a_stream() {
    let network = data("onnx/networks/dscnn_script_opset11/model.onnx");
    let (whole, stream) =
        (success(&["inspect", text(&network)]), success(&["inspect", text(&network), "--streaming", "2,2"]));
    assert!(whole.contains("130 192 MACs") && stream.contains("35 392 MACs"), "{whole}\n{stream}");
    let module = scratch("stream.rs");
    success(&["compile", text(&network), "--backend", "dsp", "--streaming", "2,2", "-o", text(&module)]);
    assert!(std::fs::read_to_string(&module).expect("the module").contains("INPUT_SHAPE: [usize; 4] = [1, 1, 2, 10]"));
    // The first layer has a stride of 2 in time.
    let refused = failure(1, &["inspect", text(&network), "--streaming", "2,1"]);
    assert!(refused.contains("operator 0 Conv") && refused.contains("a multiple of 2 rows"), "{refused}");
    assert!(failure(2, &["inspect", text(&network), "--streaming", "2"]).contains("as 1,2"));
}

#[test]
fn compile_writes_a_module() {
    let output = scratch("digits.rs");
    let said = success(&["compile", text(&digits()), "-o", text(&output), "--backend", "v7m"]);
    assert!(said.contains("backend v7m"), "{said}");
    let source = std::fs::read_to_string(&output).expect("the module");
    assert!(source.contains("pub struct Model") && source.contains("pub const ARENA_BYTES"));
    assert!(!source.contains("unsafe"), "generated code is safe");
}

#[test]
fn compile_names_the_module_after_its_file_and_puts_weights_into_a_section() {
    let output = scratch("my-net.rs");
    success(&["compile", text(&digits()), "-o", text(&output), "--link-section", ".external_flash"]);
    let source = std::fs::read_to_string(&output).expect("the module");
    assert!(source.contains("mod my_net;"), "{}", &source[..400]);
    let statics = source.lines().filter(|line| line.starts_with("static ")).count();
    assert!(statics > 5, "{statics}");
    assert_eq!(source.matches("#[unsafe(link_section = \".external_flash\")]").count(), statics);
}

#[test]
fn compile_for_c_writes_a_header_and_a_library() {
    let folder = scratch("c/digits");
    success(&["compile", text(&digits()), "--c", "-o", text(&folder), "--backend", "dsp"]);
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect(file);
    let (header, library) = (read("digits.h"), read("src/lib.rs"));
    for line in [
        "#define DIGITS_INPUT_LENGTH 64 /* elements: INT8 [1, 8, 8, 1] */",
        "#define DIGITS_INPUT_SCALE 3.921569e-3f",
        "#define DIGITS_INPUT_ZERO_POINT (-128)",
        "void digits_init(digits_model *model);",
        "void digits_infer(digits_model *model, const int8_t input[DIGITS_INPUT_LENGTH], int8_t output[DIGITS_OUTPUT_LENGTH]);",
    ] {
        assert!(header.lines().any(|own| own == line), "{line:?} is missing in:\n{header}");
    }
    let arena = Model::open(digits()).expect("the model").compile(Backend::Dsp).expect("compiled").arena_bytes();
    assert!(header.contains(&format!("#define DIGITS_ARENA_BYTES {arena}\n")));
    assert!(library.contains("pub unsafe extern \"C\" fn digits_infer(") && library.contains("Backend::Dsp as u8"));
    assert!(
        read("Cargo.toml").contains("crate-type = [\"staticlib\"]")
            && read("src/digits.rs").contains("pub struct Model")
    );
    assert!(!(header + &library).contains("{{"));
}

/// A ZIP archive of one file that is stored as it is.
fn archive(name: &str, contents: &str) -> Vec<u8> {
    let (name_length, length) = ((name.len() as u16).to_le_bytes(), (contents.len() as u32).to_le_bytes());
    let sizes = [length, length].concat();
    let header =
        [b"PK\x03\x04", &[0; 14][..], &sizes, &name_length, &[0; 2], name.as_bytes(), contents.as_bytes()].concat();
    let entry = [b"PK\x01\x02", &[0; 16][..], &sizes, &name_length, &[0; 16], name.as_bytes()].concat();
    let (at, entries) = ((header.len() as u32).to_le_bytes(), (entry.len() as u32).to_le_bytes());
    let end = [b"PK\x05\x06", &[0; 4][..], &[1, 0, 1, 0], &entries, &at, &[0; 2]].concat();
    [header, entry, end].concat()
}

#[test]
fn labels_that_come_with_the_file_are_constants() {
    let model = std::fs::read(digits()).expect("the model");
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "\"nine\""];
    let (path, output) = (scratch("labelled.tflite"), scratch("labelled.rs"));
    let source = |archive: Vec<u8>| {
        std::fs::write(&path, [model.clone(), archive].concat()).expect("written");
        success(&["compile", text(&path), "-o", text(&output)]);
        std::fs::read_to_string(&output).expect("the module")
    };
    let labelled = source(archive("labels.txt", &(names.join("\n") + "\n")));
    assert!(labelled.contains(&format!("pub const OUTPUT_LABELS: [&str; 10] = {names:?};")), "{}", &labelled[..2000]);
    // Lists of another length, files of another kind and damaged archives give none.
    let whole = archive("labels.txt", &names.join("\n"));
    for other in [archive("labels.txt", "yes\nno"), archive("labels.bin", &names.join("\n")), whole[1..].to_vec()] {
        assert!(!source(other).contains("LABELS"));
    }
    for end in (0..whole.len()).step_by(11) {
        assert!(!source(whole[..end].to_vec()).contains("LABELS"), "{end}");
    }
}

#[test]
fn run_gives_the_recorded_outputs_raw_and_npy() {
    let images = std::fs::read(data("digits/images.bin")).expect("the images");
    let expected = std::fs::read(data("digits/outputs.bin")).expect("the outputs");
    let (raw, npy) = (scratch("image.bin"), scratch("image.npy"));
    let (raw_out, npy_out) = (scratch("scores.bin"), scratch("scores.npy"));
    std::fs::write(&raw, &images[..64]).expect("written");
    success(&["run", text(&digits()), "--input", text(&raw), "--output", text(&raw_out)]);
    assert_eq!(std::fs::read(&raw_out).expect("scores"), expected[..10]);

    // NumPy's own header of int8 [1, 8, 8, 1].
    let mut header = "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 8, 8, 1), }".to_string();
    header.push_str(&" ".repeat(127 - 10 - header.len()));
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(&images[..64]);
    assert_eq!(file.len(), 128 + 64);
    std::fs::write(&npy, &file).expect("written");
    success(&["run", text(&digits()), "--input", text(&npy), "--output", text(&npy_out)]);
    let written = std::fs::read(&npy_out).expect("scores");
    assert_eq!(written.len() % 64, 10, "data start at a multiple of 64");
    assert_eq!(written[written.len() - 10..], expected[..10]);
    assert!(written.starts_with(b"\x93NUMPY\x01\x00"));

    let printed = success(&["run", text(&digits()), "--input", text(&raw)]);
    let numbers = expected[..10].iter().map(|&byte| (byte as i8).to_string()).collect::<Vec<_>>().join(", ");
    assert!(printed.trim_end().ends_with(&format!(": [{numbers}]")), "{printed}");
}

#[test]
fn inspect_says_for_which_core_it_counts() {
    let by_default = success(&["inspect", text(&digits())]);
    assert!(by_default.contains("backend dsp (Cortex-M4") && by_default.contains("the default"), "{by_default}");
    let by_chip = success(&["inspect", text(&digits()), "--backend", "RP2040"]);
    assert!(by_chip.contains("backend v6m (Cortex-M0") && by_chip.contains("As RP2040 runs it"), "{by_chip}");
    assert!(!by_chip.contains("the default"), "{by_chip}");
}

#[test]
fn inspect_estimates_cycles_and_milliseconds() {
    let digits = digits();
    let table = success(&["inspect", text(&digits), "--chip", "stm32f411", "--clock", "100MHz"]);
    let title = table.lines().find(|line| line.contains("operator")).expect("titles");
    assert!(title.contains("cycles") && title.contains("ms"), "{title}");
    for words in ["cycles on a Cortex-M4", "ms at 100 MHz", "not measured on silicon", "As stm32f411 runs it"] {
        assert!(table.contains(words), "{words:?} is missing in:\n{table}");
    }
    let at = |clock: &str| report(&[text(&digits), "--chip", "stm32f411", "--clock", clock]);
    let (fast, slow) = (at("100MHz"), at("50 mhz"));
    let total = fast["estimate"]["total"].as_f64().expect("a sum");
    let layers = fast["layers"].as_array().expect("layers");
    let sum: f64 = layers.iter().map(|layer| layer["cost"].as_f64().expect("a cost")).sum();
    assert!((sum - total).abs() < 1e-6 * total && total > 10_000.0, "{sum} {total}");
    // Decimal numbers: their last digit may be rounded.
    for (found, expected) in [(&fast, 1e3 * total / 100e6), (&slow, 1e3 * total / 50e6)] {
        let found = found["milliseconds"].as_f64().expect("milliseconds");
        assert!((found - expected).abs() < 1e-9 * expected, "{found} {expected}");
    }
    // A core whose timings nobody publishes: instructions, and no milliseconds.
    let table = success(&["inspect", text(&digits), "--chip", "stm32h743", "--clock", "480MHz"]);
    assert!(table.contains("instructions on a Cortex-M7") && table.contains("no milliseconds"), "{table}");
    assert!(!table.contains("ms at"), "{table}");
    assert!(success(&["inspect", text(&digits), "--backend", "portable"]).contains("No cycles are given"));
    assert!(failure(2, &["inspect", text(&digits), "--clock", "fast"]).contains("100MHz"));
}

#[test]
fn inspect_fits_a_width_and_says_what_it_left_out() {
    let longest = |table: &str| table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let whole = success(&["inspect", text(&digits())]);
    assert!(longest(&whole) > 130 && !whole.contains("too narrow"), "piped output is not cut:\n{whole}");
    for width in [60, 80, 100, 130] {
        let table = success(&["inspect", text(&digits()), "--width", &width.to_string()]);
        assert!(longest(&table) <= width, "{width}:\n{table}");
        assert!(table.contains("too narrow") && table.contains("arena"), "{width}:\n{table}");
    }
    assert_eq!(success(&["inspect", text(&digits()), "--width", "0"]), whole);
}

/// The report of a model as JSON.
fn report(arguments: &[&str]) -> serde_json::Value {
    let text = success(&[&["inspect", "--json"], arguments].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

#[test]
fn inspect_gives_json() {
    let report = report(&[text(&digits()), "--backend", "v7m"]);
    assert_eq!((&report["model"], &report["backend"]), (&"digits".into(), &"v7m".into()));
    assert_eq!(report["macs"], 33504);
    assert_eq!(report["inputs"][0]["shape"], serde_json::json!([1, 8, 8, 1]));
    assert_eq!(report["outputs"][0]["zero_points"], serde_json::json!([-128]));
    let layers = report["layers"].as_array().expect("layers");
    let names: Vec<&str> = layers.iter().filter_map(|layer| layer["operator"].as_str()).collect();
    assert_eq!(names.len(), 7);
    assert_eq!((names[0], names[6]), ("CONV_2D", "SOFTMAX"));
    assert_eq!((&layers[0]["overlap"], &layers[2]["overlap"]), (&"partial".into(), &"none".into()));
    assert_eq!(self::report(&[text(&digits()), "--backend", "dsp"])["layers"][6]["overlap"], "in_place");
    let sum = |field: &str| layers.iter().filter_map(|layer| layer[field].as_u64()).sum::<u64>();
    assert_eq!((sum("macs"), Some(sum("constant_bytes"))), (33504, report["constant_bytes"].as_u64()));
}

/// The models of tests/data.
fn models() -> Vec<PathBuf> {
    let mut models = vec![digits()];
    for folder in ["converter", "ops"] {
        let entries = std::fs::read_dir(data(folder)).expect("a folder");
        models.extend(entries.map(|entry| entry.expect("an entry").path().join("model.tflite")));
    }
    models.retain(|path| path.is_file());
    models
}

#[test]
fn the_arena_is_the_largest_of_its_column_and_each_is_the_sum_of_its_parts() {
    let (mut models, mut padded, mut scratched) = (models(), 0, 0);
    models.sort();
    assert!(models.len() > 50);
    for (path, backend) in models.iter().flat_map(|path| Backend::ALL.map(|backend| (path, backend))) {
        let program = Model::open(path).and_then(|model| model.compile(backend)).expect("the model compiles");
        let report = program.report();
        let layers = report.layers.iter().map(|layer| layer.memory);
        let moments: Vec<_> = [report.memory_before, report.memory_after].into_iter().chain(layers).collect();
        for moment in &moments {
            let parts = moment.live_bytes + moment.scratch_bytes + moment.padding_bytes;
            assert_eq!(parts, moment.arena_bytes, "{} {backend:?}: {moment:?}", path.display());
            padded += usize::from(moment.padding_bytes > 0);
            scratched += usize::from(moment.scratch_bytes > 0);
        }
        let largest = moments.iter().map(|moment| moment.arena_bytes).max();
        assert_eq!(largest, Some(program.arena_bytes()), "{} {backend:?}", path.display());
        // What a layer reads and writes is live, once where it overlaps.
        for layer in &report.layers {
            let bytes = |tensor: &ReportedTensor| {
                let width = match &tensor.element[..] {
                    "INT32" | "FLOAT32" => 4,
                    "INT16" => 2,
                    _ => 1,
                };
                tensor.shape.iter().product::<usize>() * width
            };
            let largest = layer.outputs.iter().map(bytes).max().unwrap_or(0);
            let in_state = report.state_bytes > 0;
            assert!(in_state || layer.memory.live_bytes >= largest, "{} {layer:?}", path.display());
        }
    }
    assert!(padded > 0 && scratched > 0, "{padded} with padding, {scratched} with scratch");
}

#[test]
fn inspect_names_the_layers_that_portable_code_runs() {
    let model = data("converter/int16_activations/model.tflite");
    let table = success(&["inspect", text(&model), "--backend", "dsp"]);
    assert!(table.contains("Portable code runs 0 CONV_2D") && table.contains("int16 activations"), "{table}");
    assert!(!success(&["inspect", text(&model), "--backend", "portable"]).contains("Portable code runs"));
    assert!(!success(&["inspect", text(&digits())]).contains("Portable code runs"));
    let digits = report(&[text(&digits())]);
    assert!(digits["layers"][0]["portable"].is_null(), "{digits}");
    let report = report(&[text(&model)]);
    let reasons: Vec<_> = report["layers"].as_array().expect("layers").iter().map(|layer| &layer["portable"]).collect();
    assert!(reasons.iter().any(|reason| reason.is_string()), "{reasons:?}");
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_smolnn"))
        .args(["inspect", text(&digits())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the command ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn errors_name_the_file_and_what_it_is() {
    for (name, bytes, words) in [
        ("empty.tflite", &b""[..], "the file is empty"),
        ("pointer.tflite", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("archive.zip", b"PK\x03\x04rest", "a ZIP archive"),
        (
            "model.keras",
            b"PK\x03\x04....metadata.json....config.json",
            "a Keras model; convert it with TFLiteConverter",
        ),
        ("model.pt", b"PK\x03\x04....archive/data.pkl", "a PyTorch model; export the network with torch.onnx.export"),
        ("model.h5", b"\x89HDF\r\n", "TFLiteConverter"),
        (
            "model.onnx",
            b"\x08\x07\x12\x07pytorch\x1a\x052.0.1",
            "the file is cut off or damaged, fetch or export it again (no graph)",
        ),
        ("image.tflite", b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        ("image.jpg", b"\xFF\xD8\xFF\xE0\0\x10JFIF", "a JPEG picture"),
        ("firmware", b"\x7FELF\x01\x01\x01", "an ELF file"),
        ("page.tflite", b"<!DOCTYPE html>", "a web page"),
        ("weights.safetensors", b"\x40\0\0\0\0\0\0\0{\"w\":{\"data_offsets\":[0,4]}}", "weights without a network"),
        ("model.cc", b"const unsigned char model[] = {0x1c};", "C source"),
        ("unknown", b"something\0else", "TFL3 is missing"),
        ("text", b"import torch", "this looks like text"),
    ] {
        let path = scratch(name);
        std::fs::write(&path, bytes).expect("written");
        let error = failure(1, &["inspect", text(&path)]);
        assert!(error.contains(name) && error.contains(words), "{error}");
    }
    let whole = std::fs::read(digits()).expect("the model");
    let path = scratch("cut.tflite");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    let error = failure(1, &["compile", text(&path), "-o", text(&scratch("cut.rs"))]);
    assert!(
        error.contains("cut.tflite") && error.contains("cut off or damaged") && error.lines().count() == 1,
        "{error}"
    );
    assert!(success(&["--version"]).starts_with("smolnn "));
}

/// What NumPy makes without being asked: doubles, halves, integers of 64 bits, several inputs in one file, axes in another order.
#[test]
fn run_takes_what_numpy_makes() {
    let model = data("converter/hybrid_weights/model.tflite");
    let shape = &report(&[text(&model)])["inputs"][0]["shape"];
    let shape: Vec<u64> =
        shape.as_array().expect("lengths").iter().map(|length| length.as_u64().expect("one")).collect();
    let length = shape.iter().product::<u64>() as usize;
    let shape = shape.iter().map(|length| format!("{length}, ")).collect::<String>();
    let run = |name: &str, descr: &str, shape: &str, bytes: &[u8], more: &[&str]| {
        let input = scratch(name);
        std::fs::write(&input, npy(descr, shape, bytes)).expect("written");
        let output = smolnn(&[&["run", text(&model), "--input", text(&input)], more].concat());
        let said = if output.status.success() { output.stdout } else { output.stderr };
        String::from_utf8(said).expect("UTF-8")
    };
    // 0, ¼, ½, ¾ and so on: the same numbers in each type.
    let values: Vec<f32> = (0..length).map(|index| (index % 8) as f32 / 4.0).collect();
    let single: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let double: Vec<u8> = values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect();
    let half: Vec<u8> = values
        .iter()
        .flat_map(
            |&value| if value == 0.0 { [0, 0] } else { (((value.to_bits() >> 13) - (112 << 10)) as u16).to_le_bytes() },
        )
        .collect();
    let wanted = run("single.npy", "<f4", &shape, &single, &[]);
    assert!(wanted.starts_with("0 \""), "{wanted}");
    assert_eq!(run("double.npy", "<f8", &shape, &double, &[]), wanted);
    assert_eq!(run("half.npy", "<f2", &shape, &half, &[]), wanted);
    let threefold = run("three.npy", "<f8", &format!("3, {shape}"), &double.repeat(3), &[]);
    assert!(threefold.contains("the file holds 3 of them: --calls 3 runs them all"), "{threefold}");
    assert_eq!(run("three.npy", "<f8", &format!("3, {shape}"), &double.repeat(3), &["--calls", "3"]), wanted.repeat(3));
    // An int8 input may be meant either way, so that integers of another type are refused.
    let input = scratch("integers.npy");
    std::fs::write(&input, npy("<i8", "8, 8", &[0; 8 * 64])).expect("written");
    let refused = failure(1, &["run", text(&digits()), "--input", text(&input)]);
    assert!(refused.contains("<i8") && refused.contains("or real numbers"), "{refused}");
}

#[test]
fn errors_are_clear() {
    let short = scratch("short.bin");
    std::fs::write(&short, [0; 63]).expect("written");
    let error = failure(1, &["run", text(&digits()), "--input", text(&short)]);
    assert!(error.contains("63 bytes given") && error.contains("takes 64"), "{error}");

    let image = scratch("whole.bin");
    std::fs::write(&image, [0; 64]).expect("written");
    let twice = failure(1, &["run", text(&digits()), "--input", text(&image), "--input", text(&image)]);
    assert!(
        twice.contains("2 times --input given, the model has 1: ") && twice.contains("INT8 [1, 8, 8, 1]"),
        "{twice}"
    );

    let float = scratch("float.npy");
    let header = format!("{:118}", "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 8), }");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend([0; 256]);
    std::fs::write(&float, &file).expect("written");
    // Real values are quantised as the model's input is; times and the like are not.
    success(&["run", text(&digits()), "--input", text(&float)]);
    let mut times = file.clone();
    times.splice(10 + 11..10 + 14, *b"<m8");
    std::fs::write(&float, &times).expect("written");
    let error = failure(1, &["run", text(&digits()), "--input", text(&float)]);
    assert!(error.contains("<m8") && error.contains("INT8"), "{error}");
    std::fs::write(&float, &file[..20]).expect("written");
    assert!(failure(1, &["run", text(&digits()), "--input", text(&float)]).contains("cut off"));

    let missing = failure(1, &["inspect", "/nonexistent.tflite"]);
    assert!(missing.contains("/nonexistent.tflite"), "{missing}");
    let mistyped = failure(1, &["inspect", text(&digits().with_file_name("digit.tflite"))]);
    assert!(mistyped.contains("digit.tflite: ") && mistyped.contains(" are digits.tflite"), "{mistyped}");
    let nowhere = failure(1, &["inspect", "nowhere/model.tflite"]);
    assert!(nowhere.contains("there is no folder /") && nowhere.contains("nowhere"), "{nowhere}");
    let backend = failure(2, &["inspect", text(&digits()), "--backend", "m4"]);
    assert!(backend.contains("portable, dsp"), "{backend}");
    let unsupported = failure(1, &["inspect", text(&data("converter/unsupported/custom_operator.tflite"))]);
    for words in ["custom_operator.tflite", "operator 0 CUSTOM:FlexErf", "a custom operator", ".custom(\"FlexErf\""] {
        assert!(unsupported.contains(words), "{unsupported}");
    }
}

/// A `.npy` file of version 1.
fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{:118}", format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}"));
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}

/// What stands behind the header of a `.npy` file.
fn data_of(file: &[u8]) -> &[u8] {
    &file[10 + usize::from(u16::from_le_bytes([file[8], file[9]]))..]
}

#[test]
fn run_takes_real_values_and_gives_them() {
    let images = std::fs::read(data("digits/images.bin")).expect("the images");
    let expected = std::fs::read(data("digits/outputs.bin")).expect("the outputs");
    let module = scratch("quantisation.rs");
    success(&["compile", text(&digits()), "-o", text(&module)]);
    let source = std::fs::read_to_string(&module).expect("the module");
    let constant = |name: &str| -> f32 {
        let (_, rest) = source.split_once(&format!("pub const {name}: ")).expect("a constant");
        rest.split(['=', ';']).nth(1).and_then(|value| value.trim().parse().ok()).expect("a number")
    };
    let (scale, point) = (constant("INPUT_SCALE"), constant("INPUT_ZERO_POINT"));
    let (out_scale, out_point) = (constant("OUTPUT_SCALE"), constant("OUTPUT_ZERO_POINT"));
    // Three images as reals, one call after the other.
    let reals: Vec<u8> =
        images[..3 * 64].iter().flat_map(|&byte| (scale * (f32::from(byte as i8) - point)).to_le_bytes()).collect();
    let (input, output) = (scratch("reals.npy"), scratch("reals_out.npy"));
    std::fs::write(&input, npy("<f4", "3, 8, 8, 1", &reals)).expect("written");
    let dump = scratch("dump");
    success(&[
        "run",
        text(&digits()),
        "--input",
        text(&input),
        "--output",
        text(&output),
        "--calls",
        "3",
        "--dequantise",
        "--dump",
        text(&dump),
    ]);
    let found: Vec<f32> = data_of(&std::fs::read(&output).expect("written"))
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect();
    let wanted: Vec<f32> = expected[..30].iter().map(|&byte| out_scale * (f32::from(byte as i8) - out_point)).collect();
    assert_eq!(found, wanted);
    // A file per layer and call, the last of which is the output.
    let mut files: Vec<_> =
        std::fs::read_dir(&dump).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert_eq!(files.len() % 3, 0);
    assert_eq!(data_of(&std::fs::read(files.last().expect("a file")).expect("readable")), &expected[20..30]);
}

#[test]
fn run_counts_right_answers() {
    let labels = std::fs::read(data("digits/labels.bin")).expect("the labels");
    let list = labels.iter().map(u8::to_string).collect::<Vec<_>>().join("\n");
    let file = scratch("labels.txt");
    std::fs::write(&file, list).expect("written");
    let images = data("digits/images.bin");
    let said = success(&["run", text(&digits()), "--input", text(&images), "--labels", text(&file)]);
    assert!(said.contains("447 of 450"), "{said}");
    std::fs::write(&file, "1 2 x").expect("written");
    assert!(failure(1, &["run", text(&digits()), "--input", text(&images), "--labels", text(&file)]).contains("\"x\""));
    std::fs::write(&file, "1\n10\n").expect("written");
    let error = failure(1, &["run", text(&digits()), "--input", text(&images), "--labels", text(&file)]);
    assert!(error.contains("label 10 of sample 1, but the model has 10 classes, 0 to 9"), "{error}");
    let few = failure(1, &["run", text(&digits()), "--input", text(&images), "--calls", "449"]);
    assert!(few.contains("449 calls"), "{few}");
}

/// The integers that the quantiser makes are run and inspected as those of a file are: with what `quantise` says they take, and as right.
#[test]
fn integers_of_calibration_data_are_run_and_inspected() {
    let (model, calibration) = (data("quantise/digits.tflite"), data("quantise/digits.npz"));
    let given = |command: &'static str, more: &[&'static str]| {
        let arguments = [command, text(&model), "--data", text(&calibration), "--chip", "rp2040", "--json"];
        let said = success(&[&arguments[..], more].concat());
        serde_json::from_str::<serde_json::Value>(&said).expect("JSON")
    };
    let (report, inspected) = (given("quantise", &[]), given("inspect", &[]));
    assert_eq!((&report["core"], &report["unit"]), (&"Cortex-M0+".into(), &"cycles".into()));
    let int8 = &report["variants"][1];
    assert_eq!(int8["flash_bytes"], inspected["constant_bytes"]);
    assert_eq!(int8["ram_bytes"], inspected["arena_bytes"]);
    let (test, labels) = (data("quantise/digits_test.npz"), data("quantise/digits_labels.npy"));
    let accuracy =
        ["quantise", text(&model), "--data", text(&calibration), "--test", text(&test), "--labels", text(&labels)];
    let accuracy = success(&[&accuracy[..], &["--width", "0"]].concat());
    assert!(accuracy.contains("97.78 %"), "{accuracy}");
    // The test's images as an array of their own.
    let images = scratch("digits_test.npy");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&test).expect("the test")).expect("an archive");
    let mut entry = archive.by_index(0).expect("an array");
    std::io::copy(&mut entry, &mut std::fs::File::create(&images).expect("a file")).expect("copied");
    let run = ["run", text(&model), "--data", text(&calibration), "--input", text(&images), "--labels", text(&labels)];
    let said = success(&run);
    assert!(said.contains("440 of 450 right, 97.78 %"), "{said}");
    let refused = failure(1, &["run", text(&digits()), "--data", text(&calibration), "--input", text(&images)]);
    assert!(refused.contains("quantised"), "{refused}");
}

/// What `quantise` would warn of stands on standard error, and hidden files beside the data are passed over.
#[test]
fn calibration_data_that_say_little_are_warned_of() {
    let folder = scratch("zeros");
    std::fs::create_dir_all(&folder).expect("a folder");
    let zeros = smolnn_import::npy::write(&[0; 2 * 64 * 4], smolnn_import::Element::F32, &[2, 8, 8, 1]);
    std::fs::write(folder.join("zeros.npy"), zeros).expect("written");
    std::fs::write(folder.join("._zeros.npy"), "of a file system").expect("written");
    let output = smolnn(&["inspect", text(&data("quantise/digits.tflite")), "--data", text(&folder)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("warning: 2 samples are few") && said.contains("is 0 for all samples"), "{said}");
}

/// Real numbers at the ends of a network of integers leave nothing to quantise.
#[test]
fn integers_with_real_ends_are_not_quantised_again() {
    let (model, folder) = (data("converter/float_input_output/model.tflite"), scratch("ends.npy"));
    let error = failure(1, &["quantise", text(&model), "--data", text(&folder)]);
    assert!(error.contains("it is quantised already"), "{error}");
}

#[test]
fn run_warns_of_what_is_no_number() {
    let input = scratch("nan.bin");
    let model = data("converter/hybrid_weights/model.tflite");
    std::fs::write(&input, f32::NAN.to_le_bytes().repeat(48)).expect("written");
    let output = smolnn(&["run", text(&model), "--input", text(&input)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("warning") && said.contains("NaN"), "{said}");
}

#[test]
fn quantise_writes_module_and_reports_as_a_whole() {
    let (model, folder) = (data("quantise/digits.tflite"), scratch("quantised.smolnn"));
    let calibration = data("quantise/digits.npz");
    let (test, labels) = (data("quantise/digits_test.npz"), data("quantise/digits_labels.npy"));
    let arguments = ["quantise", text(&model), "--data", text(&calibration), "--ranges", "mse", "--width", "0"];
    let labelled = ["--test", text(&test), "--labels", text(&labels), "-o", text(&folder)];
    // Any name that says no other format is a folder, with a dot too.
    let said = success(&[&arguments[..], &labelled].concat());
    for words in
        ["float", "int8", "CONV_2D", "SOFTMAX", "accuracy", "output SNR", "97.78 %", "mse", "digits.rs is written"]
    {
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
    }
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file was written");
    assert!(read("digits.rs").contains("pub struct Model"));
    let json: serde_json::Value = serde_json::from_str(&read("digits.json")).expect("JSON");
    assert_eq!(json["samples"], 150);
    assert_eq!(json["ranges"], "mean_squared_error");
    assert_eq!(json["layers"][0]["operator"], "(input)");
    let page = read("digits.html");
    assert!(page.contains("<svg") && page.contains("width=device-width") && page.ends_with("</html>\n"));
    assert!(!page.contains("http"), "the page needs nothing from elsewhere");
    let left: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 3, "nothing else is left: {left:?}");
}

#[test]
fn quantise_says_what_is_wrong_and_writes_nothing() {
    let (model, calibration) = (data("quantise/digits.tflite"), data("quantise/digits.npz"));
    let output = scratch("refused.rs");
    let run = |more: &[&str]| {
        let arguments = ["quantise", text(&model), "-o", text(&output)];
        failure(1, &[&arguments[..], more].concat())
    };
    let other = data("quantise/motions.npz");
    assert!(run(&["--data", text(&other)]).contains("shape [40, 100, 6]"));
    // The other axis first, and one sample without an axis of samples.
    let motions = data("quantise/motions.tflite");
    for (held, words) in [("2, 6, 100", "numpy's transpose(0, 2, 1)"), ("100, 6", "numpy's x[None]")] {
        let turned = scratch("turned.npy");
        let count: usize = held.split(", ").map(|length| length.parse::<usize>().expect("a length")).product();
        std::fs::write(&turned, npy("<f4", held, &vec![0; 4 * count])).expect("written");
        let said = failure(1, &["quantise", text(&motions), "--data", text(&turned)]);
        assert!(said.contains(words) && said.contains("or [samples, 100, 6]"), "{said}");
        assert_eq!(said.matches("turned.npy").count(), 1, "{said}");
    }
    let flat = scratch("flat.npy");
    std::fs::write(&flat, npy("<f4", "3, 600", &vec![0; 4 * 1800])).expect("written");
    let said = failure(1, &["quantise", text(&motions), "--data", text(&flat)]);
    assert!(said.contains("x.reshape(-1, 100, 6)"), "{said}");
    assert!(run(&["--data", text(&data("quantise/missing.npz"))]).contains("missing.npz"));
    assert!(run(&["--data", text(&calibration), "--int16", "nothing"]).contains("no layer \"nothing\""));
    let labels = data("quantise/digits_labels.npy");
    let said = run(&["--data", text(&calibration), "--labels", text(&labels)]);
    assert!(said.contains("digits_labels.npy: 450 labels for 150 samples"), "{said}");
    let folder = labels.parent().expect("a folder");
    assert!(run(&["--data", text(&calibration), "--labels", text(folder)]).contains("is a folder"));
    let one_hot = run(&["--data", text(&calibration), "--labels", text(&calibration)]);
    assert!(one_hot.contains("one class per sample is needed"), "{one_hot}");
    // Wrong data are given, so that an error about the output comes from before the work.
    let to = |option: &str, path: &Path| {
        failure(1, &["quantise", text(&model), "--data", "missing.npy", option, text(path)])
    };
    assert!(to("-o", &scratch("refused.tflite")).contains("the module is written as Rust"));
    assert!(to("-o", &scratch("missing").join("model.rs")).contains("missing:"));
    assert!(to("--html", &scratch("missing").join("page.html")).contains("missing:"));
    for ratio in ["nan", "-1"] {
        let ratio = format!("--snr={ratio}");
        let said = failure(2, &["quantise", text(&model), "--data", "missing.npy", "--int16", "auto", &ratio]);
        assert!(said.contains("a ratio in decibels"), "{said}");
    }
    let dimension = failure(1, &["quantise", text(&model), "--data", text(&calibration), "--dimension", "time=49"]);
    assert!(dimension.contains("time"), "{dimension}");
    assert!(!output.exists(), "nothing is written");
}

#[test]
fn quantise_keeps_layers_in_int16_as_far_as_the_ratio_says() {
    let (model, calibration) = (data("quantise/digits.tflite"), data("quantise/digits.npz"));
    let json = |more: &[&str]| {
        let arguments = ["quantise", text(&model), "--data", text(&calibration), "--ranges", "min-max", "--json"];
        let said = success(&[&arguments[..], more].concat());
        serde_json::from_str::<serde_json::Value>(&said).expect("JSON")
    };
    let snr = |report: &serde_json::Value| report["output_snr"].as_f64().expect("a ratio");
    let (narrow, wide) = (json(&[]), json(&["--int16", "auto", "--snr", "75"]));
    assert!(snr(&wide) > snr(&narrow) + 3.0, "{} {}", snr(&wide), snr(&narrow));
    let numbers = |report: &serde_json::Value, what: &str| {
        report["layers"].as_array().expect("layers").iter().filter(|layer| layer["numbers"] == what).count()
    };
    assert_eq!(numbers(&narrow, "int16"), 0);
    assert!(numbers(&wide, "int16") > 0);
    assert_eq!(wide["variants"][2]["name"], "mixed");
    // int8 weights are the limit then, and that is said.
    let warnings = wide["warnings"].to_string();
    assert!(warnings.contains("75 dB are not reached"), "{warnings}");
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let model = scratch("kept.tflite");
    std::fs::copy(digits(), &model).expect("a copy of the model");
    let input = scratch("kept.npy");
    let npy = data("quantise/digits_labels.npy");
    std::fs::copy(npy, &input).expect("a file of inputs");
    let model_text = text(&model);
    for arguments in [
        &["compile", model_text, "-o", model_text][..],
        &["inspect", model_text, "--html", model_text],
        &["inspect", model_text, "--svg", model_text],
        &["run", model_text, "--input", text(&input), "--output", model_text],
        &["run", model_text, "--input", text(&input), "--output", text(&input)],
        &["quantise", model_text, "--data", text(&input), "--html", model_text],
        &["quantise", model_text, "--data", text(&input), "--html", text(&input)],
    ] {
        let error = failure(1, arguments);
        assert!(error.contains("would overwrite an input: name another file"), "{arguments:?}: {error}");
    }
    let unchanged = std::fs::read(&model).expect("the model") == std::fs::read(digits()).expect("the digits");
    assert!(unchanged, "the model was written over");
    let error = failure(1, &["compile", model_text, "-o", text(&scratch("module.txt"))]);
    assert!(error.contains("whose name ends in .rs"), "{error}");
}

#[test]
fn options_that_do_not_go_together_are_refused_and_units_are_wanted() {
    let (digits, page) = (digits(), scratch("none.html"));
    let (digits, page) = (text(&digits), text(&page));
    for other in [&["--svg", "none.svg"][..], &["--plan"]] {
        let error = failure(2, &[&["inspect", digits, "--html", page], other].concat());
        assert!(error.contains("cannot be used with"), "{error}");
    }
    assert!(failure(2, &["inspect", digits, "--json", "--svg", "none.svg"]).contains("cannot be used with"));
    let error = failure(2, &["inspect", digits, "--clock", "100"]);
    assert!(error.contains("a frequency with its unit, as 100MHz"), "{error}");
    let error = failure(2, &["inspect", digits, "--chip", "esp32s3"]);
    assert!(error.contains("on any other core the backend portable runs"), "{error}");
    for budget in ["100K", "100KiB", "1M"] {
        success(&["inspect", digits, "--budget", budget]);
    }
}

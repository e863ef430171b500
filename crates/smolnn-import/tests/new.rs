//! `smolnn new`: what a project holds, and what is refused before anything is written. `cargo xtask chips` builds the projects.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "../src/chips.rs"]
#[allow(dead_code)] // What is not looked at here.
mod chips;

use chips::{CHIPS, Chip};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A path at which nothing is, in a folder of this test's own.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new");
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let path = folder.join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("removed");
    }
    path
}

fn new(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smolnn"));
    command.arg("new").arg(folder).args(arguments).output().expect("the command starts")
}

/// A project that must be made; gives its folder.
fn made(name: &str, arguments: &[&str]) -> PathBuf {
    let folder = scratch(name);
    let output = new(&folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// The error of a project that must not be made, and of which nothing may be there.
fn refused(name: &str, code: i32, arguments: &[&str]) -> String {
    let folder = scratch(name);
    let output = new(&folder, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    assert!(!folder.exists(), "{arguments:?} left something behind");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn every_chip_has_a_project_with_its_core_and_memory() {
    let check = |chip: &Chip, embassy: bool| {
        let name = chip.project(embassy);
        let arguments: Vec<&str> = ["--chip", chip.name].into_iter().chain(embassy.then_some("--embassy")).collect();
        let folder = made(&name, &arguments);
        let manifest = read(&folder, "Cargo.toml");
        assert!(
            manifest.contains(&format!("name = \"{name}\"")) && manifest.contains("smolnn-fixed = { opt-level = 3 }")
        );
        assert!(manifest.contains("[profile.release.build-override]\ndebug = false\n"), "{manifest}");
        assert!(!manifest.contains("build-override]\nopt-level"), "nothing is calibrated:\n{manifest}");
        let config = read(&folder, ".cargo/config.toml");
        assert!(config.contains(&format!("target = \"{}\"", chip.triple)) && config.contains(chip.runner));
        assert!(chip.cpu.is_none_or(|cpu| config.contains(&format!("target-cpu={cpu}"))), "{config}");
        assert_eq!(folder.join("memory.x").exists(), chip.memory.is_some());
        let main = read(&folder, "src/main.rs");
        assert!(main.contains("static MODEL: ConstStaticCell<digits::Model>") && main.contains("this is a {}"));
        assert!(!main.contains("\n\n\n"), "{main}");
        // What one would miss on a board: its clock, its sensors, its probe, its sizes.
        let readme = read(&folder, "README.md");
        assert!(readme.contains(chip.flashing.split('{').next().expect("words")), "{readme}");
        assert!(readme.contains("cargo size --release") && !readme.contains("\n\n\n"), "{readme}");
        let is_plain_board = !embassy && chip.start != chips::Start::Qemu;
        assert_eq!(readme.contains("For a sensor make the project with `--embassy`"), is_plain_board, "{readme}");
        if let (Some(clock), false) = (chip.clock_at_reset, embassy) {
            assert!(main.contains(clock) && readme.contains(clock), "{main}\n{readme}");
            assert!(chip.title.contains("up to"), "{}", chip.title);
        }
        if let Some(configure) = chip.embassy.map(|embassy| embassy.configure).filter(|_| embassy) {
            assert_eq!(main.contains("config.rcc.sys = Sysclk::PLL1_P"), !configure.is_empty(), "{main}");
        }
        if chip.start == chips::Start::Esp {
            assert!(main.contains("with_cpu_clock(CpuClock::max())"), "{main}");
        }
        for file in ["README.md", "build.rs", "rust-toolchain.toml", ".gitignore", "memory.x", "Cargo.toml"] {
            assert!(!folder.join(file).exists() || !read(&folder, file).contains("{{"), "{file} has a hole");
        }
        let shipped = std::fs::read(folder.join("models/digits.tflite")).expect("the model");
        let ours = std::fs::read(root().join("tests/data/digits/digits.tflite")).expect("the model");
        assert!(shipped == ours, "templates/models has another network than tests/data");
    };
    for chip in &CHIPS {
        chip.projects().for_each(|embassy| check(chip, embassy));
    }
    let names = CHIPS.map(|chip| chip.name);
    assert!(names.is_sorted());
}

/// A template for cargo-generate holds the projects that `new` makes, but for their names.
#[test]
fn the_template_holds_the_projects_of_all_chips() {
    let folder = scratch("template");
    let run = || Command::new(env!("CARGO_BIN_EXE_smolnn")).arg("template").arg(&folder).output().expect("it starts");
    let output = run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let settings = read(&folder, "cargo-generate.toml");
    let mut projects = 0;
    for chip in &CHIPS {
        for embassy in chip.projects() {
            let name = chip.project(embassy);
            assert!(settings.contains(&format!("{name:?},")), "{settings}");
            let arguments: Vec<&str> =
                ["--chip", chip.name].into_iter().chain(embassy.then_some("--embassy")).collect();
            let made = made(&format!("as-template-{name}"), &arguments);
            for file in ["Cargo.toml", "README.md", "build.rs", ".cargo/config.toml", "src/main.rs", "memory.x"] {
                assert_eq!(folder.join(&name).join(file).exists(), made.join(file).exists(), "{name}/{file}");
                if made.join(file).exists() {
                    let filled =
                        read(&folder.join(&name), file).replace("{{project-name}}", &format!("as-template-{name}"));
                    assert_eq!(filled, read(&made, file), "{name}/{file}");
                }
            }
            assert!(folder.join(&name).join("models/digits.tflite").is_file());
            // cargo-generate takes all files for text but those that it is told of.
            assert!(read(&folder.join(&name), "cargo-generate.toml").contains("exclude = [\"models/*\"]"));
            projects += 1;
        }
    }
    assert!(projects >= CHIPS.len());
    let again = run();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("exists already"));
}

/// The firmware of the README's first example and that of the template are the same program.
#[test]
fn the_digit_is_that_of_the_example() {
    let main = read(&made("digit", &["--chip", "qemu-m4"]), "src/main.rs");
    let example = read(&root(), "examples/minimal/src/main.rs");
    let picture = |source: &str| {
        let from = source.find("const PICTURE").expect("a picture");
        source[from..].split("];").next().map(str::to_owned)
    };
    assert_eq!(picture(&main), picture(&example));
}

#[test]
fn a_model_of_ones_own_comes_along_with_its_manifest() {
    let model = root().join("tests/data/hello_ferris/hello_ferris.json");
    let folder = made("ferris", &["--chip", "rp2350", "--model", text(&model)]);
    assert!(folder.join("models/hello_ferris.json").is_file());
    assert!(folder.join("models/hello_ferris.tflite").is_file() && !folder.join("models/digits.tflite").exists());
    assert!(read(&folder, "build.rs").contains("models/hello_ferris.json"));
    let main = read(&folder, "src/main.rs");
    assert!(main.contains("include_model!(hello_ferris)"), "{main}");
    assert!(main.contains("WakeWord::new(MicroFrontend::default(), model, hello_ferris::DETECTOR)"), "{main}");
    assert!(main.contains("ears.push(&block)"), "{main}");
}

#[test]
fn a_model_without_a_manifest_takes_real_numbers() {
    let model = root().join("tests/data/onnx/networks/mlp_script_opset11/model.onnx");
    let folder = made("real", &["--chip", "qemu-m4", "--model", text(&model), "--dimension", "batch=2"]);
    let build = read(&folder, "build.rs");
    assert!(build.contains("Model::open_with(\"models/model.onnx\", &[(\"batch\", 2)])?.emit()"), "{build}");
    let main = read(&folder, "src/main.rs");
    assert!(main.contains("model.set_input(&[0.0; 16]);") && main.contains("[2, 1, 8]"), "{main}");
}

/// Where the fast memory is too small there may be a larger one; where none is, the least arena is said.
#[test]
fn a_large_model_gets_the_large_memory_or_a_way_out() {
    let model = root().join("tests/data/onnx/networks/mlp_script_opset11/model.onnx");
    let with = |chip, batch| ["--chip", chip, "--model", text(&model), "--dimension", batch];
    let memory = |folder: &Path| read(folder, "memory.x");
    let small = made("small", &with("stm32h7", "batch=2"));
    assert!(memory(&small).contains("RAM   : ORIGIN = 0x20000000, LENGTH = 128K"), "{}", memory(&small));
    let large = made("large", &with("stm32h7", "batch=3000"));
    assert!(memory(&large).contains("RAM   : ORIGIN = 0x24000000, LENGTH = 512K"), "{}", memory(&large));
    let error = refused("larger", 1, &with("stm32f411", "batch=3000"));
    assert!(error.contains("bytes of RAM, and the") && error.contains("choose a larger chip"), "{error}");
    let image = root().join("tests/data/digits/digits.tflite");
    let least = made("least", &["--chip", "rp2350", "--model", text(&image), "--least-arena"]);
    assert!(read(&least, "build.rs").contains("Model::open(\"models/digits.tflite\")?.least_arena().emit()"));
}

/// What `inspect` and `compile` can be told of a model, a project can be told too: `cargo xtask chips` runs some of them.
#[test]
fn options_of_a_model_go_into_its_project() {
    let digits = root().join("tests/data/digits/digits.tflite");
    let with = |options: &[&'static str]| [&["--chip", "qemu-m4", "--model", text(&digits)][..], options].concat();
    let rows = made("rows", &with(&["--input-by-rows", "--flash-budget", "8k"]));
    let build = read(&rows, "build.rs");
    assert!(build.contains(".tflite\")?.input_by_rows().flash_budget(8192).emit()"), "{build}");
    assert!(read(&rows, "src/main.rs").contains("for _ in 0..digits::ROWS {"), "{}", read(&rows, "src/main.rs"));
    // The command of the project's README counts what the project has.
    assert!(read(&rows, "README.md").contains("digits.tflite --backend dsp --input-by-rows --flash-budget 8192`"));
    let in_place =
        read(&made("in-place", &with(&["--input-in-place", "--least-arena", "--split-width"])), "src/main.rs");
    assert!(in_place.contains("static INPUT: digits::Input = [0; 64];") && in_place.contains("model.run(&INPUT);"));
    let model = root().join("tests/data/converter/recurrent_behind_causal/model.tflite");
    let stream = made("stream", &["--chip", "qemu-m4", "--model", text(&model), "--streaming", "1,1"]);
    assert!(read(&stream, "build.rs").contains("?.streaming(1, 1)?.emit()"));
    let main = read(&stream, "src/main.rs");
    assert!(main.contains("model.set_input(&[0.0; 3]); // put the values here that are new in the stream"), "{main}");
    let planes = root().join("tests/data/onnx/networks/mlp_script_opset11/model.onnx");
    let last =
        made("last", &["--chip", "qemu-m4", "--model", text(&planes), "--dimension", "batch=2", "--channels-last"]);
    assert!(read(&last, "build.rs").contains(".channels_last_inputs().channels_last_outputs().emit()"));
    // The network that comes along takes a picture as a whole; no wake word goes by rows.
    let error = refused("rows-of-none", 1, &["--chip", "qemu-m4", "--input-by-rows"]);
    assert!(error.contains("--input-by-rows is for a model of yours"), "{error}");
    let word = root().join("tests/data/hello_ferris/hello_ferris.json");
    let error = refused("rows-of-sound", 1, &["--chip", "qemu-m4", "--model", text(&word), "--input-in-place"]);
    assert!(error.contains("leave out --input-in-place"), "{error}");
    let error = refused("no-rows", 1, &with(&["--output-by-rows"]));
    assert!(error.contains("output by rows for models with one"), "{error}");
}

/// The names of files come into source text.
#[test]
fn names_of_models_are_text_and_modules() {
    let model = root().join("tests/data/digits/digits.tflite");
    for (name, opened, module) in [
        ("qu\"ote.tflite", "open(\"models/qu\\\"ote.tflite\")", "qu_ote"),
        ("smolnn.tflite", "open(\"models/smolnn.tflite\")", "smolnn_"),
    ] {
        let copy = scratch("names").with_file_name(name);
        std::fs::copy(&model, &copy).expect("a copy of the model");
        let folder = made("named", &["--chip", "qemu-m4", "--model", text(&copy)]);
        assert!(read(&folder, "build.rs").contains(opened), "{}", read(&folder, "build.rs"));
        assert!(read(&folder, "src/main.rs").contains(&format!("include_model!({module})")), "{name}");
    }
}

/// Calibration data make a project whose build script quantises, optimised.
#[test]
fn calibration_data_come_along_and_make_integers() {
    let (model, data) =
        (root().join("tests/data/quantise/digits.tflite"), root().join("tests/data/quantise/digits.npz"));
    let folder = made("integers", &["--chip", "qemu-m4", "--model", text(&model), "--data", text(&data)]);
    let build = read(&folder, "build.rs");
    let words = "Model::open(\"models/digits.tflite\")?.calibrate(\"models/digits.npz\")?.int8()?.emit()";
    assert!(build.contains(words), "{build}");
    assert_eq!(std::fs::read(folder.join("models/digits.npz")).ok(), std::fs::read(&data).ok());
    let manifest = read(&folder, "Cargo.toml");
    assert!(manifest.contains("default-features = false, features = [\"quantise\"] }"), "{manifest}");
    for profile in ["dev", "release"] {
        assert!(manifest.contains(&format!("[profile.{profile}.build-override]\nopt-level = 1\n")), "{manifest}");
    }
    assert!(read(&folder, "src/main.rs").contains("model.set_input(&[0.0; 64]);"));
    let error = refused("no-model", 2, &["--chip", "qemu-m4", "--data", text(&data)]);
    assert!(error.contains("--model"), "{error}");
    let other = root().join("tests/data/quantise/motions.npz");
    let error = refused("other", 1, &["--chip", "qemu-m4", "--model", text(&model), "--data", text(&other)]);
    assert!(error.contains("shape [40, 100, 6]"), "{error}");
}

#[test]
fn smolnn_comes_from_a_clone_or_by_git() {
    let clone = root().canonicalize().expect("the clone");
    let here = read(&made("clone", &["--chip", "qemu-m4"]), "Cargo.toml");
    let there = read(&made("clone", &["--chip", "qemu-m4", "--smolnn-path", text(&root())]), "Cargo.toml");
    assert_eq!(here, there);
    assert!(here.contains(&format!("smolnn = {{ path = '{}' }}", clone.join("crates/smolnn").display())), "{here}");
    let git = read(&made("git", &["--chip", "qemu-m4", "--smolnn-git", "https://example.org/smolnn"]), "Cargo.toml");
    assert!(git.contains("smolnn = { git = \"https://example.org/smolnn\" }"), "{git}");
    assert!(git.contains("smolnn-import = { git = \"https://example.org/smolnn\", default-features = false }"));
    let error = refused("no-clone", 1, &["--chip", "qemu-m4", "--smolnn-path", "/"]);
    assert!(error.contains("no clone of smolnn"), "{error}");
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let chips = refused("chip", 2, &["--chip", "esp8266"]);
    for chip in &CHIPS {
        assert!(chips.contains(chip.name), "{chips}");
    }
    let error = refused("model", 1, &["--chip", "rp2350", "--model", text(&root().join("README.md"))]);
    assert!(error.contains("README.md"), "{error}");
    let unsupported = root().join("tests/data/converter/unsupported/custom_operator.tflite");
    let error = refused("operator", 1, &["--chip", "rp2350", "--model", text(&unsupported)]);
    assert!(error.contains("cannot be compiled"), "{error}");
    // A part's whole name leads to its chip; a relative with another core, as the STM32F103 is, to none.
    assert!(refused("part", 2, &["--chip", "stm32f411ce"]).contains("did you mean stm32f411?"));
    assert!(!refused("relative", 2, &["--chip", "stm32f103"]).contains("did you mean"));
    assert!(refused("executor", 1, &["--chip", "qemu-m4", "--embassy"]).contains("leave out --embassy"));
    for name in ["7segments", "two words", "test", "deps", "semihosting"] {
        let error = refused(name, 1, &["--chip", "qemu-m4"]);
        assert!(error.contains("another name") || error.contains("cannot name"), "{name}: {error}");
    }
}

#[test]
fn a_folder_that_exists_is_left_as_it_is() {
    let folder = made("mine", &["--chip", "qemu-m4"]);
    std::fs::write(folder.join("src/main.rs"), "// mine").expect("written");
    let output = new(&folder, &["--chip", "rp2350"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("exists already"));
    assert_eq!(read(&folder, "src/main.rs"), "// mine");
    assert!(read(&folder, ".cargo/config.toml").contains("qemu"));
}

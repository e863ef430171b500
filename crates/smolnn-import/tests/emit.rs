//! `Model::emit` as cargo runs it: in a process of its own with the variables of a build, whose output cargo reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use smolnn_import::Model;

/// The variable that names the model for the child.
const MODEL: &str = "SMOLNN_TEST_MODEL";
/// The variable that makes the child a quiet one.
const QUIET: &str = "SMOLNN_TEST_QUIET";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

/// The build script. Without a model it is not the child of another test, and has nothing to do.
#[test]
fn build_script() {
    let Ok(path) = std::env::var(MODEL) else { return };
    let model = Model::open(path).expect("the model");
    let model = if std::env::var_os(QUIET).is_some() { model.quiet() } else { model };
    // Twice, as a script with two models does.
    model.emit().and_then(|()| model.named("another").emit()).expect("emitted");
}

/// The warnings of a build script for a target, with flags as cargo encodes them.
fn warnings(model: &str, triple: &str, flags: &[&str], quiet: bool) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "build_script", "--nocapture"]).env(MODEL, data(model)).env("TARGET", triple);
    child.env("OUT_DIR", env!("CARGO_TARGET_TMPDIR")).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    child.env_remove(QUIET).envs(quiet.then_some((QUIET, "1")));
    let output = child.output().expect("the child starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("cargo::warning=").map(str::to_owned)).collect()
}

const DIGITS: &str = "digits/digits.tflite";
const V8M: &str = "thumbv8m.main-none-eabihf";

#[test]
fn v8m_without_a_cpu_is_warned_of_once_with_the_line_that_mends_it() {
    let warned = warnings(DIGITS, V8M, &["-C", "link-arg=--nmagic"], false);
    assert_eq!(warned.len(), 1, "{warned:?}");
    for words in ["37 % more instructions", "[target.thumbv8m.main-none-eabihf]", "\"target-cpu=cortex-m33\""] {
        assert!(warned[0].contains(words), "{warned:?}");
    }
    assert_eq!(warnings(DIGITS, V8M, &[], true), [""; 0], "a quiet one warns");
}

#[test]
fn targets_whose_core_is_known_are_not_warned_of() {
    for (triple, flags) in [
        (V8M, ["-C", "target-cpu=cortex-m33"]),
        (V8M, ["-Ctarget-cpu=cortex-m55", "-Copt-level=3"]),
        // Said to have no DSP.
        (V8M, ["--cfg", "smolnn_backend=\"v7m\""]),
        ("thumbv7em-none-eabihf", ["", ""]),
        ("thumbv6m-none-eabi", ["", ""]),
        ("riscv32imc-unknown-none-elf", ["", ""]),
        ("x86_64-unknown-linux-gnu", ["", ""]),
    ] {
        assert_eq!(warnings(DIGITS, triple, &flags, false), [""; 0], "{triple} {flags:?}");
    }
}

#[test]
fn layers_that_run_portably_are_named_with_the_reason() {
    let int16 = "converter/int16_activations/model.tflite";
    let warned = warnings(int16, "thumbv7em-none-eabihf", &[], false);
    assert!(!warned.is_empty());
    assert!(warned[0].contains("for dsp: Portable code runs 0 CONV_2D"), "{warned:?}");
    assert!(warned[0].contains("int16 activations"), "{warned:?}");
    assert_eq!(warnings(int16, "thumbv7em-none-eabihf", &[], true), [""; 0]);
    // Where all code is portable, nothing better is at hand.
    assert_eq!(warnings(int16, "x86_64-unknown-linux-gnu", &[], false), [""; 0]);
}

/// A script that emits another model than it did leaves no module of the one before: `include_model!` would take it.
#[test]
fn modules_of_earlier_builds_are_removed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("earlier");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("own.rs"), "// Of the script's own.").expect("a file");
    let build = |model: &str| {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["--exact", "build_script"]).env(MODEL, data(model)).env("TARGET", V8M).env("OUT_DIR", &folder);
        assert!(child.env("CARGO_ENCODED_RUSTFLAGS", "").output().expect("the child starts").status.success());
        let names = std::fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(build(DIGITS), ["another.rs", "digits.rs", "own.rs"]);
    assert_eq!(build("hello_ferris/hello_ferris.tflite"), ["another.rs", "hello_ferris.rs", "own.rs"]);
}

//! The example in C: a model as a static library, linked by C's compiler, run under QEMU, and looked through for panics.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSymbol};

use crate::boards::{Board, Name};
use crate::shell::{self, say};
use crate::suite::{Lane, Suite, Tally};
use crate::{boards, firmware, setup};

/// What `c-firmware` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// m4 or rv32; both when none is named.
    #[arg(long = "board", value_parser = clap::builder::PossibleValuesParser::new(["m4", "rv32"]))]
    boards: Vec<String>,
}

/// How the firmware is compiled for a board.
struct Target {
    board: &'static Board,
    /// `--backend` of `smolnn compile`.
    backend: &'static str,
    /// The compiler for C.
    compiler: &'static str,
    flags: &'static [&'static str],
    /// `-C target-cpu`.
    cpu: Option<&'static str>,
}

fn targets() -> [Target; 2] {
    [
        Target {
            board: Name::M4.board(),
            backend: "dsp",
            compiler: setup::ARM_GCC,
            flags: &["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
            cpu: Some("cortex-m4"),
        },
        Target {
            board: Name::Rv32.board(),
            backend: "rv32",
            compiler: setup::RISCV_GCC,
            flags: &["-march=rv32imac_zicsr", "-mabi=ilp32"],
            cpu: None,
        },
    ]
}

/// What a linked firmware must not have: what panics is named so, in the mangling of either kind.
const PANICS: [&str; 3] = ["panic", "unwind", "core3fmt"];

/// `xtask c-firmware`.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    for target in targets() {
        let label = target.board.label();
        if arguments.boards.is_empty() || arguments.boards.contains(&label) {
            prepare(&target, install)?;
            check(&target)?;
        }
    }
    Ok(())
}

/// The steps of the test, where they are asked for: the compilers for C are mostly not at hand.
pub fn steps(suite: &mut Suite<'_>, asked: bool, install: bool) -> Result<()> {
    if !asked {
        suite.absent("the firmware in C", "`cargo xtask test --chips` or `cargo xtask c-firmware` builds and runs it");
        return Ok(());
    }
    for target in targets() {
        prepare(&target, install)?;
        suite.step(format!("firmware in C on {}", target.board.label()), Lane::Host, &[], move || {
            check(&target)?;
            Ok(Tally::ONE)
        });
    }
    Ok(())
}

fn prepare(target: &Target, install: bool) -> Result<()> {
    setup::ensure(&boards::chosen(&[target.board.name]), install)?;
    setup::ensure_programs(&[target.compiler], install)
}

/// Compiles the model and the firmware, runs it and looks through it.
fn check(target: &Target) -> Result<()> {
    let label = target.board.label();
    let folder = shell::root().join("target/c").join(&label);
    let model = folder.join("digits");
    let mut smolnn = shell::smolnn();
    smolnn.args(["compile", "tests/data/digits/digits.tflite", "--c", "--backend", target.backend, "-o"]).arg(&model);
    shell::run(smolnn.arg("--smolnn-path").arg(shell::root()))?;
    let mut cargo = shell::cargo();
    cargo.current_dir(&model).args(["build", "--release", "--target", target.board.triple]);
    cargo.arg("--target-dir").arg(shell::root().join("target/c/target")).env_remove("RUSTFLAGS");
    let cpu = target.cpu.map_or_else(String::new, |cpu| format!("-Ctarget-cpu={cpu}"));
    shell::run(cargo.env("CARGO_ENCODED_RUSTFLAGS", cpu))?;
    let library = shell::root().join("target/c/target").join(target.board.triple).join("release/libdigits.a");
    let image = folder.join("firmware.elf");
    let example = shell::root().join("examples/c-firmware");
    let mut gcc = Command::new(target.compiler);
    gcc.current_dir(&example).args(target.flags).args(["-Os", "-Wall", "-Wextra", "-Werror", "-std=c11"]);
    gcc.args(["-ffreestanding", "-nostdlib", "-Wl,--gc-sections", "-Wl,-z,noexecstack", "-T"])
        .arg(format!("{label}.ld"));
    gcc.arg("-I").arg(&model).arg("main.c").arg(&library).args(["-lgcc", "-o"]).arg(&image);
    shell::run(&mut gcc)?;
    let run = firmware::run(target.board, &image, &[], Duration::from_secs(60), shell::say_line)?;
    run.end.check(&format!("the firmware in C on {label}"))?;
    ensure!(run.lines == ["this is a 0"], "the firmware in C printed {:?}", run.lines);
    let found = panics(&image)?;
    if !found.is_empty() {
        bail!("{} can panic: it has {}", image.display(), found.join(", "));
    }
    say!("{label}: no symbol of a panic in {}", image.display());
    Ok(())
}

/// The symbols of an image that have to do with panics.
fn panics(image: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*bytes)?;
    let names: Vec<String> = file.symbols().filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect();
    // An image without symbols would have none of panics either.
    ensure!(names.iter().any(|name| name == "digits_infer"), "{} has no digits_infer", image.display());
    Ok(names.into_iter().filter(|name| PANICS.iter().any(|panic| name.contains(panic))).collect())
}

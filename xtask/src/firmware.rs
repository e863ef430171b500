//! Builds firmware for a board and runs it under QEMU.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use smolnn_core::Backend;

use crate::boards::Board;
use crate::models;
use crate::shell::{self, End, Kind, fault};

/// What distinguishes builds of one program for one board.
#[derive(Clone, Debug, Default)]
pub struct Variant {
    /// Forces a backend of smolnn-fixed.
    pub backend: Option<String>,
    /// Small code instead of fast code.
    pub size: bool,
    /// Kernels for RISC-V cores whose MULH is slow.
    pub slow_mulh: bool,
    /// The wake word that is built in, instead of the project's own.
    pub model: Option<PathBuf>,
    /// The model of pictures that is built in.
    pub vision: Option<PathBuf>,
    /// Prints no commands: standard output is for a program to read.
    pub quiet: bool,
}

impl Variant {
    /// The normal build, or one with a forced backend.
    pub fn with_backend(backend: Option<&str>) -> Result<Self> {
        match backend {
            Some(name) if Backend::from_name(name).is_none() => {
                let names = Backend::ALL.map(Backend::name).join(", ");
                Err(fault(Kind::Usage, format!("no backend is called {name}; there are {names}")))
            }
            _ => Ok(Self { backend: backend.map(str::to_owned), ..Self::default() }),
        }
    }

    /// The build whose kernels and models are compared: that of the board alone which shows it has the kernels for a slow MULH.
    pub fn conformance(board: &Board) -> Self {
        Self { slow_mulh: board.slow_mulh, ..Self::default() }
    }

    /// The variant with kernels for a slow MULH, if that is wanted.
    ///
    /// # Errors
    /// A board that is no RISC-V.
    pub fn for_mulh(self, board: &Board, slow_mulh: bool) -> Result<Self> {
        if slow_mulh && board.is_arm() {
            return Err(fault(Kind::Usage, format!("--slow-mulh is for RISC-V, not for the {}", board.label())));
        }
        Ok(Self { slow_mulh, ..self })
    }

    /// Runs a build.
    fn run(&self, cargo: &mut Command) -> Result<()> {
        if self.quiet { shell::output(cargo).map(drop) } else { shell::run(cargo) }
    }

    /// Part of the image folder's name.
    fn suffix(&self) -> String {
        let mut suffix = String::new();
        if let Some(backend) = &self.backend {
            suffix = format!("-{backend}");
        }
        if self.size {
            suffix += "-size";
        }
        if self.slow_mulh {
            suffix += "-slow-mulh";
        }
        suffix
    }
}

/// The compiler's flags for a board.
fn flags(board: &Board, variant: &Variant) -> Vec<String> {
    let memory = shell::root().join("tests/firmware/memory").join(board.memory);
    // Relocations are kept so that check-panics can tell who calls whom.
    let mut flags: Vec<String> =
        ["-Tlink.x", "--emit-relocs"].iter().map(|argument| format!("-Clink-arg={argument}")).collect();
    flags.push(format!("-Clink-arg=-L{}", memory.display()));
    if board.is_arm() {
        // Sections need not be page aligned: flash holds no gaps.
        flags.push("-Clink-arg=--nmagic".into());
    }
    if let Some(cpu) = board.cpu {
        flags.push(format!("-Ctarget-cpu={cpu}"));
    }
    if board.small {
        flags.push("--cfg=smolnn_small_board".into());
    }
    if let Some(backend) = &variant.backend {
        flags.push(format!("--cfg=smolnn_backend=\"{backend}\""));
    }
    if variant.size {
        flags.push("--cfg=smolnn_optimize=\"size\"".into());
    }
    if variant.slow_mulh {
        flags.push("--cfg=smolnn_slow_mulh".into());
    }
    flags
}

/// A cargo command for a board, with its flags and the firmware's profile; the packages are still to be named.
pub fn cargo(command: &str, board: &Board, variant: &Variant) -> Command {
    let mut cargo = shell::cargo();
    cargo.args([command, "--profile", "firmware"]).args(shell::quiet());
    cargo.args(["--target", board.triple, "--target-dir"]).arg(target());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(board, variant).join("\u{1f}")).env_remove("RUSTFLAGS");
    if variant.size {
        cargo.env("CARGO_PROFILE_FIRMWARE_OPT_LEVEL", "s");
    }
    cargo
}

/// Where the firmware is built: one folder for all boards, since cargo tells flags and targets apart.
pub fn target() -> PathBuf {
    shell::root().join("target/firmware")
}

/// Builds programs for a board and gives the paths of their images, in the same order.
pub fn build(board: &Board, programs: &[&str], variant: &Variant) -> Result<Vec<PathBuf>> {
    let mut cargo = cargo("build", board, variant);
    cargo.args(["-p", "firmware"]);
    for program in programs {
        cargo.args(["--bin", program]);
    }
    for (variable, model) in [("SMOLNN_WAKE_WORD", &variant.model), ("SMOLNN_VISION", &variant.vision)] {
        match model {
            Some(model) => cargo.env(variable, model),
            None => cargo.env_remove(variable),
        };
    }
    variant.run(&mut cargo)?;
    programs.iter().map(|program| keep(board, program, program, variant)).collect()
}

/// Builds the firmware of one model for a board, or that without a model, and lays its image under the given name.
pub fn build_model(board: &Board, model: Option<&str>, name: &str, variant: &Variant) -> Result<PathBuf> {
    let mut cargo = cargo("build", board, variant);
    cargo.args(["-p", "size"]);
    if let Some(model) = model {
        let has_feature = models::has_feature(model);
        cargo.args(["--features", if has_feature { model } else { "other" }]);
        cargo.envs((!has_feature).then(|| ("SMOLNN_SIZE_MODEL", models::file(model))));
    }
    variant.run(&mut cargo)?;
    keep(board, "size", name, variant)
}

/// Copies a program that was built to the folder of the board's images. Boards of one triple differ in flags alone, so
/// that cargo lays their programs over each other.
fn keep(board: &Board, program: &str, name: &str, variant: &Variant) -> Result<PathBuf> {
    let image = image(board, name, variant);
    fs::create_dir_all(image.parent().context("an image lies in a folder")?)?;
    let built = target().join(board.triple).join("firmware").join(program);
    fs::copy(built, &image).with_context(|| format!("{program} was not built"))?;
    Ok(image)
}

/// Where [`build`] and [`build_model`] lay an image.
pub fn image(board: &Board, name: &str, variant: &Variant) -> PathBuf {
    shell::root().join("target/images").join(board.label() + &variant.suffix()).join(name)
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub lines: Vec<String>,
    pub end: Verdict,
}

/// How firmware ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    Panicked,
    HardFault,
    Uncalibrated,
    /// No end within the deadline.
    Hung,
    /// QEMU gave up: a fault within a fault.
    Lockup,
    /// An exit code that no firmware gives.
    Unknown(i32),
}

impl Verdict {
    /// The numbers are those of `board::Exit`.
    fn of(end: &End) -> Self {
        match end {
            End::Deadline => Self::Hung,
            End::Exit(status) => match status.code() {
                Some(0) => Self::Passed,
                Some(1) => Self::Failed,
                Some(101) => Self::Panicked,
                Some(102) => Self::HardFault,
                Some(103) => Self::Uncalibrated,
                Some(code) => Self::Unknown(code),
                None => Self::Lockup,
            },
        }
    }

    /// An error unless it passed.
    pub fn check(self, what: &str) -> Result<()> {
        let (kind, message) = match self {
            Self::Passed => return Ok(()),
            Self::Failed => (Kind::Failed, "failed".into()),
            Self::Panicked => (Kind::Failed, "panicked".into()),
            Self::HardFault => (Kind::Hang, "ended in a HardFault".into()),
            Self::Uncalibrated => (Kind::Failed, "cannot count instructions".into()),
            Self::Hung => (Kind::Hang, "did not end within its deadline".into()),
            Self::Lockup => (Kind::Hang, "locked up".into()),
            Self::Unknown(code) => (Kind::Failed, format!("ended with the unknown exit code {code}")),
        };
        Err(fault(kind, format!("{what} {message}")))
    }
}

/// Runs an image. Every line goes to `line` as it comes, and into the result.
pub fn run(board: &Board, image: &Path, options: &[&str], deadline: Duration, line: impl FnMut(&str)) -> Result<Run> {
    run_with(board, image, options, &Machine::default(), deadline, line)
}

/// What a machine has beside the firmware.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine<'a> {
    /// A plugin of QEMU's, with its options.
    pub plugin: Option<&'a OsStr>,
    /// A file of the project whose bytes come over the UART, one when the firmware has taken the one before.
    pub uart: Option<&'a str>,
}

/// The same on a machine that has more.
pub fn run_with(
    board: &Board,
    image: &Path,
    options: &[&str],
    machine: &Machine<'_>,
    deadline: Duration,
    mut line: impl FnMut(&str),
) -> Result<Run> {
    let program = image.file_name().expect("an image is a file").to_string_lossy();
    let rate = board.rate.to_string();
    let mut semihosting = format!("enable=on,target=native,arg={program},arg=--rate,arg={rate}");
    for option in options {
        // A comma ends an option of QEMU's unless it is doubled.
        semihosting += &format!(",arg={}", option.replace(',', ",,"));
    }
    let mut qemu = shell::command(board.emulator);
    qemu.args(["-M", board.machine]);
    if !board.is_arm() {
        qemu.args(["-bios", "none"]);
    }
    qemu.args(["-nographic", "-monitor", "none", "-semihosting-config", &semihosting]);
    match machine.uart {
        Some(bytes) => {
            let path = shell::root().join(bytes);
            qemu.stdin(fs::File::open(&path).with_context(|| format!("cannot read {}", path.display()))?);
            qemu.args(["-chardev", "stdio,id=uart,signal=off", "-serial", "chardev:uart"])
        }
        None => qemu.args(["-serial", "none"]),
    };
    qemu.args(["-icount", "shift=0", "-kernel"]).arg(image);
    if let Some(plugin) = machine.plugin {
        qemu.arg("-plugin").arg(plugin);
    }
    let mut lines = Vec::new();
    let end = shell::watch(&mut qemu, deadline, |text| {
        line(&text);
        lines.push(text);
    })?;
    Ok(Run { lines, end: Verdict::of(&end) })
}

//! The one entry for people and CI: `cargo xtask COMMAND`. Works from any folder of the project.
//!
//! Exit codes: 0 pass, 1 failed, 2 usage, 3 a tool is missing, 4 a hang, a lockup or a HardFault.

mod bench;
mod boards;
mod c_firmware;
mod checks;
mod chips;
mod costs;
mod cycles;
mod demo;
mod docs;
mod expected;
mod firmware;
mod graphs;
mod inner_loops;
mod models;
mod pages;
mod panics;
mod perturb;
mod report;
mod selftest;
mod setup;
mod shell;
mod size;
mod suite;
mod sweep;
mod toolchains;
mod vision;
mod wake_word;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use firmware::Variant;

/// Builds smolnn's firmware, runs it under QEMU, checks it and measures it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    /// Install nothing: end with 3 when a Rust target or QEMU is missing.
    #[arg(long, global = true)]
    no_setup: bool,
    /// The folder of the public models, which holds a folder with model.tflite for each; otherwise ../shared/golden/models.
    #[arg(long, global = true, value_name = "DIR")]
    models: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Recognises handwritten digits on a board, hears a wake word, or sees people.
    Demo(demo::Arguments),
    /// Runs every test; the last line is `N passed, N failed`.
    Test(TestArguments),
    /// Formatting, lints, documentation, packages with their tests, the oldest Rust and the oldest crates.
    Check,
    /// Builds the library for every target.
    Cross(Boards),
    /// Runs one program on one board.
    Qemu(QemuArguments),
    /// Runs random networks on boards, by rows and with whole tensors: the outputs have the same bits.
    Graphs(graphs::Arguments),
    /// Counts instructions per kernel and model.
    Bench(bench::Arguments),
    /// Models cycles per kernel and model by the published timings of the core.
    Cycles(cycles::Arguments),
    /// Costs along the axes of layers' shapes: channels, pixels, depths, vectors; and the steps that cost more than the work they add.
    Sweep(sweep::Arguments),
    /// Flash, RAM and stack of each model's firmware.
    Size(expected::Arguments),
    /// Looks for panicking code in release firmware of the kernels and models.
    CheckPanics(Boards),
    /// Builds and links the examples for chips and the projects of `smolnn new`, and prints what they take.
    Chips(chips::Arguments),
    /// Builds the example in C, runs it, and looks through it for panics.
    CFirmware(c_firmware::Arguments),
    /// Measures the errors of the elementary functions over all their inputs, against tests/expected/accuracy.txt.
    Accuracy(AccuracyArguments),
    /// Writes one HTML page of all figures in tests/expected.
    Report,
    /// Looks at the pages that commands write in Chromium, 390 and 1280 pixels wide, and keeps screenshots under target/pages.
    Pages,
    /// Proves that the gates can fail.
    Selftest,
}

#[derive(clap::Args)]
struct AccuracyArguments {
    /// Every finite float instead of 2^24 by strata, against tests/expected/accuracy-full.txt.
    #[arg(long)]
    full: bool,
    /// Only the functions whose names contain this.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Rewrites the table.
    #[arg(long)]
    bless: bool,
}

#[derive(clap::Args)]
struct TestArguments {
    /// The boards; one for each backend when none is named, and all with `--whole`.
    #[arg(long = "board", value_enum)]
    boards: Vec<boards::Name>,
    /// The tests of the host but the longest, and conformance on the m4: what takes minutes and finds most.
    #[arg(long, conflicts_with = "boards")]
    quick: bool,
    /// All boards, and lints, documentation and the oldest Rust, which `check` runs otherwise. `CI=true` says the same, and builds for every chip.
    #[arg(long, conflicts_with_all = ["boards", "quick"])]
    whole: bool,
    /// The firmware of every chip and the firmware in C too: their crates and compilers take many minutes more.
    #[arg(long, conflicts_with = "quick")]
    chips: bool,
}

#[derive(clap::Args)]
struct Boards {
    /// The boards; all when none is named.
    #[arg(long = "board", value_enum)]
    boards: Vec<boards::Name>,
}

#[derive(clap::Args)]
struct QemuArguments {
    /// The board.
    #[arg(value_enum, default_value = "m4")]
    board: boards::Name,
    /// The program.
    #[arg(value_enum, default_value = "bench")]
    program: Program,
    /// Seconds until the run counts as hung.
    #[arg(long, default_value_t = 60)]
    deadline: u64,
    /// Forces a backend.
    #[arg(long)]
    backend: Option<String>,
    /// Builds the kernels for RISC-V cores whose MULH is slow.
    #[arg(long)]
    slow_mulh: bool,
    /// Options for the program.
    #[arg(last = true)]
    options: Vec<String>,
}

/// The programs of tests/firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    Conformance,
    Demo,
    WakeWord,
    Bench,
    Cycles,
    Nopanic,
    Hang,
    Panic,
    Hardfault,
}

impl Program {
    fn name(self) -> String {
        self.to_possible_value().expect("no program is hidden").get_name().to_owned()
    }
}

fn main() -> ExitCode {
    // Prints usage, with the valid names where one is mistyped, and ends with 2.
    let arguments = Arguments::parse();
    let install = !arguments.no_setup;
    let known = arguments.models.as_deref().map_or(Ok(()), models::set_folder);
    let result = known.and_then(|()| run(arguments.command, install));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("{error:#}");
            if !text.is_empty() {
                eprintln!("error: {text}");
            }
            ExitCode::from(shell::kind(&error) as u8)
        }
    }
}

fn run(command: Command, install: bool) -> Result<()> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments, install),
        Command::Test(arguments) if arguments.quick => checks::run_quick(install),
        Command::Test(arguments) => {
            let whole = arguments.boards.is_empty() && (arguments.whole || shell::is_ci());
            let boards =
                if whole || !arguments.boards.is_empty() { &arguments.boards[..] } else { &boards::PER_BACKEND };
            checks::run_test(&boards::chosen(boards), whole, arguments.chips, install)
        }
        Command::Check => checks::run_check(install),
        Command::Cross(arguments) => checks::run_cross(&boards::chosen(&arguments.boards), install),
        Command::Report => report::run(),
        Command::Pages => pages::run(),
        Command::Selftest => selftest::run(install),
        Command::Accuracy(arguments) => {
            let mut chosen = Vec::new();
            chosen.extend(arguments.full.then_some("--full"));
            chosen.extend(arguments.bless.then_some("--bless"));
            chosen.extend(arguments.function.iter().flat_map(|name| ["--function", name]));
            checks::accuracy(&chosen)
        }
        Command::Qemu(arguments) => qemu(&arguments, install),
        Command::Graphs(arguments) => graphs::run(&arguments, install),
        Command::Bench(arguments) => bench::run(&arguments, install),
        Command::Cycles(arguments) => cycles::run(&arguments, install),
        Command::Sweep(arguments) => sweep::run(&arguments, install),
        Command::Size(arguments) => size::run(&arguments, install),
        Command::Chips(arguments) => chips::run(&arguments, install),
        Command::CFirmware(arguments) => c_firmware::run(&arguments, install),
        Command::CheckPanics(arguments) => panics::run(&boards::chosen(&arguments.boards), install),
    }
}

fn qemu(arguments: &QemuArguments, install: bool) -> Result<()> {
    let board = arguments.board.board();
    setup::ensure(&[board], install)?;
    let program = arguments.program.name();
    let variant = Variant::with_backend(arguments.backend.as_deref())?.for_mulh(board, arguments.slow_mulh)?;
    println!("{program} on {}: {}, {}", board.label(), board.core, board.machine);
    let images = firmware::build(board, &[&program], &variant)?;
    let options: Vec<&str> = arguments.options.iter().map(String::as_str).collect();
    let deadline = Duration::from_secs(arguments.deadline);
    let run = firmware::run(board, &images[0], &options, deadline, |line| println!("{line}"))?;
    run.end.check(&format!("{program} on {}", board.label()))
}

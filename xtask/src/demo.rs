//! The demo: a board, or this machine, recognises handwritten digits.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::boards::{Board, Name};
use crate::firmware::{self, Variant};
use crate::shell::{self, say};
use crate::{setup, size, vision, wake_word};

/// What `demo` takes.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// The board.
    #[arg(long, value_enum, default_value = "m4")]
    board: Name,
    /// Runs it natively instead, where no QEMU can be had.
    #[arg(long, conflicts_with = "board")]
    host: bool,
    #[command(subcommand)]
    other: Option<Other>,
}

/// Demos other than the digits.
#[derive(clap::Subcommand)]
enum Other {
    /// Listens to a WAV file and says when it hears the word.
    WakeWord(wake_word::Arguments),
    /// Takes pictures row by row and says whether there is a person.
    Vision(vision::Arguments),
}

/// `xtask demo`.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    match &arguments.other {
        Some(Other::WakeWord(arguments)) => return wake_word::run(arguments, install),
        Some(Other::Vision(arguments)) => return vision::run(arguments, install),
        None => {}
    }
    if arguments.host {
        return shell::run(shell::cargo().args(["run", "--release", "--package", "digits"]).args(shell::quiet()));
    }
    let board = arguments.board.board();
    setup::ensure(&[board], install)?;
    on_board(board)
}

/// Builds the demo for a board and runs it there.
pub fn on_board(board: &Board) -> Result<()> {
    announce(board, "demo");
    let images = firmware::build(board, &["demo"], &Variant::default())?;
    show(board, &images[0])
}

/// Says that a build takes a while, when it is the first one.
pub fn announce(board: &Board, program: &str) {
    if !firmware::image(board, program, &Variant::default()).exists() {
        say!("compiling, about two minutes the first time");
    }
}

/// Runs the demo on a board for which it is built.
pub fn show(board: &Board, image: &Path) -> Result<()> {
    say!("{} ({}) recognises handwritten digits:\n", board.core, board.machine);
    let run = firmware::run(board, image, &[], Duration::from_secs(120), shell::say_line)?;
    run.end.check(&format!("the demo on {}", board.label()))?;
    let (code, constants, _) = size::sections(image)?;
    say!("firmware    {} bytes of flash, 450 images and the text of this demo included", code + constants);
    say!("            instructions are not cycles: see docs/targets.md");
    Ok(())
}

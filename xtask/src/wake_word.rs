//! The demo of the wake word: a board, or this machine, listens to a WAV file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::boards::{Board, Name};
use crate::cycles::{self, Listening};
use crate::firmware::{self, Run, Variant};
use crate::shell::{self, Kind, fault, say};
use crate::suite::Tally;
use crate::{demo, setup, size};

/// Names the model to the build script of examples/wake-word.
const MODEL: &str = "SMOLNN_WAKE_WORD";

/// A voice that the project's model was not trained with.
const OWN_SOUND: &str = "tests/data/hello_ferris/hello_ferris.wav";

/// What firmware reads: a path without surprises for QEMU's options.
const COPY: &str = "target/wake-word.wav";

/// The clock rate for which the load is told.
const MEGAHERTZ: f64 = 64.0;

/// What `demo wake-word` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The board.
    #[arg(long, value_enum, default_value = "m4")]
    board: Name,
    /// Runs it natively instead, where no QEMU can be had.
    #[arg(long, conflicts_with = "board")]
    host: bool,
    /// A WAV file, 16 kHz, mono, 16 bits.
    #[arg(long, value_name = "FILE")]
    wav: Option<PathBuf>,
    /// A wake word: a manifest (.json) or a streaming model (.tflite).
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// The file's full path: build scripts and QEMU run in other folders.
fn found(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|error| fault(Kind::Usage, format!("{}: {error}", path.display())))
}

/// `xtask demo wake-word`.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let own = shell::root().join(OWN_SOUND);
    let wav = found(arguments.wav.as_deref().unwrap_or(&own))?;
    let model = arguments.model.as_deref().map(found).transpose()?;
    if arguments.host {
        let mut cargo = shell::cargo();
        cargo.args(["run", "--release", "--quiet", "--package", "wake-word", "--"]).arg(&wav);
        if let Some(model) = &model {
            cargo.env(MODEL, model);
        }
        return shell::run(&mut cargo);
    }
    let board = arguments.board.board();
    setup::ensure(&[board], install)?;
    listen(board, &wav, model)?;
    Ok(())
}

/// Builds the demo for a board and lets it listen.
fn listen(board: &Board, wav: &Path, model: Option<PathBuf>) -> Result<Run> {
    demo::announce(board, "wake-word");
    let images = firmware::build(board, &["wake-word"], &Variant { model, ..Variant::default() })?;
    fs::copy(wav, shell::root().join(COPY)).with_context(|| format!("cannot copy {}", wav.display()))?;
    say!("{} ({}) listens to {}:\n", board.core, board.machine, wav.display());
    let options = ["--wav", COPY];
    let run = if cycles::is_modelled(board) {
        let (run, cycles) = cycles::listen(board, &images[0], &options, shell::say_line)?;
        say_cycles(board, &run, &cycles);
        run
    } else {
        firmware::run(board, &images[0], &options, Duration::from_secs(600), shell::say_line)?
    };
    run.end.check(&format!("the wake word on {}", board.label()))?;
    let (code, constants, _) = size::sections(&images[0])?;
    say!("flash       {} bytes, the text and the drawing of this demo included", code + constants);
    Ok(run)
}

/// Says what the instructions that the demo counted take in modelled cycles.
fn say_cycles(board: &Board, run: &Run, cycles: &Listening) {
    // `front end   N instructions per frame of 10 ms, M per second of sound`
    let counted = |label: &str| -> Option<(f64, f64)> {
        let (each, per_second) = run.lines.iter().find_map(|line| line.strip_prefix(label))?.split_once(", ")?;
        let number = |text: &str| text.split_whitespace().next()?.parse().ok();
        Some((number(each)?, number(per_second)?))
    };
    let (Some((frame, front_end)), Some((call, model))) = (counted("front end"), counted("model")) else { return };
    let (frame, call) = (frame * cycles.front_end, call * cycles.model);
    let load = (front_end * cycles.front_end + model * cycles.model) / (MEGAHERTZ * 1e4);
    say!(
        "cycles      {frame:.0} per frame and {call:.0} per call as modelled for the {}: {load:.1} % of {MEGAHERTZ} MHz",
        board.core
    );
}

/// The project's word in the project's sound, on a Cortex-M4: heard once.
pub fn check() -> Result<Tally> {
    let run = listen(Name::M4.board(), &shell::root().join(OWN_SOUND), None)?;
    let heard = run.lines.iter().filter(|line| line.contains("heard \"Hello Ferris\", probability")).count();
    ensure!(heard == 1, "the word was heard {heard} times, not once");
    Ok(Tally::ONE)
}

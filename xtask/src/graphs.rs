//! Random networks on boards: many to an image, with whole tensors and by rows, whose outputs have the same bits.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::boards::{Board, Name};
use crate::firmware::{self, Variant};
use crate::setup;
use crate::shell::{self, say};
use crate::suite::Tally;

/// Names the first seed and how many there are to the build script of tests/firmware/graphs.
const SEEDS: &str = "SMOLNN_GRAPHS";

/// The boards that run them: one with DSP instructions, one with the fewest, and one that is none of Arm's.
pub const BOARDS: [Name; 3] = [Name::M4, Name::M0, Name::Rv32];

/// Networks to an image.
const MOST: u64 = 100;

/// Networks of a test.
const OF_TEST: u64 = 16;

/// Longest that the networks of an image may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// What `graphs` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The boards; m4, m0 and rv32 when none is named.
    #[arg(long = "board", value_enum)]
    boards: Vec<Name>,
    /// How many random networks.
    #[arg(long, default_value_t = MOST)]
    count: u64,
    /// The seed of the first one; the others have the seeds behind it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// `xtask graphs`.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let boards = if arguments.boards.is_empty() { &BOARDS[..] } else { &arguments.boards };
    let boards: Vec<&Board> = boards.iter().map(|name| name.board()).collect();
    setup::ensure(&boards, install)?;
    for board in boards {
        let (mut graphs, mut programs) = (0, 0);
        while graphs < arguments.count {
            let seed = arguments.seed + graphs;
            let count = MOST.min(arguments.count - graphs);
            programs += compare(board, seed, count)?;
            graphs += count;
            say!(
                "{}: seeds {} to {}, {programs} programs, the same bits",
                board.label(),
                arguments.seed,
                seed + count - 1
            );
        }
    }
    Ok(())
}

/// A few networks on a board.
pub fn check(board: &Board) -> Result<Tally> {
    compare(board, 0, OF_TEST)?;
    Ok(Tally::ONE)
}

/// Builds and runs the networks of these seeds; gives how many programs they are.
fn compare(board: &Board, seed: u64, count: u64) -> Result<u64> {
    let image = build(board, seed, count)?;
    let run = firmware::run(board, &image, &[], DEADLINE, |_| ())?;
    let what = || format!("{} on {}:\n{}", image.display(), board.label(), run.lines.join("\n"));
    run.end.check(&what())?;
    let numbers: Vec<u64> = run.lines.last().map_or_else(Vec::new, |line| {
        line.split(|letter: char| !letter.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
    });
    match numbers[..] {
        [graphs, programs, 0] => {
            ensure!(graphs == count && programs >= 2 * count, "{graphs} of {count} networks ran");
            Ok(programs)
        }
        _ => Err(anyhow::anyhow!(what())),
    }
}

/// The image of the networks of these seeds. It is optimised little: there is much code that runs once.
fn build(board: &Board, seed: u64, count: u64) -> Result<PathBuf> {
    let mut cargo = firmware::cargo("build", board, &Variant::default());
    cargo.args(["-p", "graphs"]).env(SEEDS, format!("{seed},{count}"));
    cargo.env("CARGO_PROFILE_FIRMWARE_OPT_LEVEL", "1").env("CARGO_PROFILE_FIRMWARE_LTO", "off");
    cargo.env("CARGO_PROFILE_FIRMWARE_CODEGEN_UNITS", "16").env("CARGO_PROFILE_FIRMWARE_DEBUG", "0");
    shell::run(&mut cargo)?;
    let image = firmware::target().join(board.triple).join("firmware/graphs");
    image.is_file().then_some(image).context("graphs was not built")
}

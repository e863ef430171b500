//! The demo of pictures: a board takes them row by row over its UART and says whether there is a person.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::boards::{Board, Name};
use crate::firmware::{self, Machine, Variant};
use crate::shell::{self, Kind, fault, say};
use crate::suite::Tally;
use crate::{setup, size};

/// Names the model to the build script of examples/vision.
const MODEL: &str = "SMOLNN_VISION";

/// The model of MLPerf Tiny that the golden models have, beside the project: it is not the project's own.
const GOLDEN: &str = "../shared/golden/models/vww_96_int8/model.tflite";

/// The pictures of the demo.
const PICTURES: &str = "tests/data/vision";

/// What the firmware reads: how many pictures, then their pixels.
const BYTES: &str = "target/vision.bin";

/// Rows and columns of a picture.
const SIDE: usize = 96;

/// Bytes of a row.
const ROW: usize = 3 * SIDE;

/// What `demo vision` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The board.
    #[arg(long, value_enum, default_value = "microbit")]
    board: Name,
    /// Runs it natively instead, where no QEMU can be had.
    #[arg(long, conflicts_with = "board")]
    host: bool,
    /// A model of 96 x 96 x 3 pictures and two classes. Without it, MLPerf Tiny's visual wake words beside the project.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// A picture of 96 x 96 pixels, binary PPM; several where the option is repeated. Without it, the project's own.
    #[arg(long, value_name = "FILE")]
    picture: Vec<PathBuf>,
}

/// `xtask demo vision`.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let path = arguments.model.clone().unwrap_or_else(golden);
    let Ok(model) = path.canonicalize() else {
        let missing = format!(
            "{} is not there: the demo needs a model of pictures, and the project has none of its own. `--model FILE` takes one of 96 x 96 x 3 pictures and two \
             classes, such as visual wake words of MLPerf Tiny",
            path.display()
        );
        return Err(fault(Kind::Usage, missing));
    };
    write_bytes(&if arguments.picture.is_empty() { own_pictures()? } else { arguments.picture.clone() })?;
    if arguments.host {
        return shell::run(&mut on_host(&model));
    }
    let board = arguments.board.board();
    setup::ensure(&[board], install)?;
    see(board, &model)
}

/// Whether the model is there that the demo takes.
pub fn has_model() -> bool {
    golden().exists()
}

/// The project's pictures, on the micro:bit: the same outputs as here.
pub fn check() -> Result<Tally> {
    write_bytes(&own_pictures()?)?;
    see(Name::Microbit.board(), &golden().canonicalize()?)?;
    Ok(Tally::ONE)
}

fn golden() -> PathBuf {
    shell::root().join(GOLDEN)
}

fn own_pictures() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(shell::root().join(PICTURES)).context(PICTURES)?;
    let mut pictures: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    pictures.retain(|path| path.extension().is_some_and(|extension| extension == "ppm"));
    pictures.sort();
    Ok(pictures)
}

/// The demo on this machine.
fn on_host(model: &Path) -> std::process::Command {
    let mut cargo = shell::cargo();
    cargo.args(["run", "--quiet", "--package", "vision", "--", BYTES]).env(MODEL, model);
    cargo
}

/// Builds the demo for a board and for this machine, runs both, and compares what they say.
fn see(board: &Board, model: &Path) -> Result<()> {
    let variant = Variant { vision: Some(model.into()), ..Variant::default() };
    let images = firmware::build(board, &["vision"], &variant)?;
    let image = &images[0];
    say!("\n{} ({}) takes pictures row by row:\n", board.core, board.machine);
    // The micro:bit has a UART to take them from; the other boards read a file of the same bytes.
    let (options, machine): (&[&str], _) = if board.small {
        (&[], Machine { uart: Some(BYTES), ..Machine::default() })
    } else {
        (&["--pictures", BYTES], Machine::default())
    };
    let run = firmware::run_with(board, image, options, &machine, Duration::from_secs(600), shell::say_line)?;
    run.end.check(&format!("the pictures on {}", board.label()))?;
    let (code, constants, ram) = size::sections(image)?;
    say!("flash       {} bytes, {constants} of them constants", code + constants);
    say!("RAM         {ram} bytes without the stack");
    let outputs = |lines: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        lines.filter(|line| line.starts_with("picture")).map(str::to_owned).collect()
    };
    let of_board = outputs(&mut run.lines.iter().map(String::as_str));
    let of_host = outputs(&mut shell::output(&mut on_host(model))?.lines());
    ensure!(!of_board.is_empty(), "no picture was seen");
    if of_board != of_host {
        bail!("the board's outputs are not this machine's:\n{}", of_host.join("\n"));
    }
    say!("host        the same outputs, bit for bit");
    Ok(())
}

/// Draws the pictures, and writes the bytes that the firmware reads.
fn write_bytes(pictures: &[PathBuf]) -> Result<()> {
    let count = u8::try_from(pictures.len()).context("255 pictures at most")?;
    let mut bytes = vec![count];
    for (index, path) in pictures.iter().enumerate() {
        let file = fs::read(path).map_err(|error| fault(Kind::Usage, format!("{}: {error}", path.display())))?;
        let pixels = pixels(&file).ok_or_else(|| {
            fault(Kind::Usage, format!("{} is no binary PPM of {SIDE} x {SIDE} pixels with 255 levels", path.display()))
        })?;
        say!("picture {index}: {}", path.file_stem().unwrap_or_default().to_string_lossy());
        drawing(pixels).iter().for_each(|line| say!("{line}"));
        bytes.extend_from_slice(pixels);
    }
    let path = shell::root().join(BYTES);
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The pixels of a binary PPM, row by row: red, green and blue.
fn pixels(file: &[u8]) -> Option<&[u8]> {
    let pixels = file.strip_prefix(format!("P6\n{SIDE} {SIDE}\n255\n").as_bytes())?;
    (pixels.len() == SIDE * ROW).then_some(pixels)
}

/// Lines of a terminal with half of the picture's columns, and a quarter of its rows: each character is a half block with two pixels, in colours.
fn drawing(pixels: &[u8]) -> Vec<String> {
    let colour = |row: usize, column: usize| {
        let at = row * ROW + column * 3;
        format!("{};{};{}", pixels[at], pixels[at + 1], pixels[at + 2])
    };
    let line = |row: usize| {
        let mut text = String::new();
        for column in (0..SIDE).step_by(2) {
            let _ = write!(text, "\u{1b}[38;2;{};48;2;{}m\u{2580}", colour(row, column), colour(row + 2, column));
        }
        text + "\u{1b}[0m"
    };
    (0..SIDE).step_by(4).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_their_size() {
        let mut file = format!("P6\n{SIDE} {SIDE}\n255\n").into_bytes();
        file.resize(file.len() + SIDE * ROW, 7);
        let lines = drawing(pixels(&file).expect("a picture"));
        assert_eq!(lines.len(), SIDE / 4);
        assert!(lines.iter().all(|line| line.matches('\u{2580}').count() == SIDE / 2));
        file.push(7);
        assert!(pixels(&file).is_none());
    }
}

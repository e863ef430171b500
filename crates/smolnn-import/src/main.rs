//! `smolnn`: looks into models, compiles them to Rust, runs them on the host, makes integers of floats, makes projects for chips.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use smolnn_import::{Backend, Error, Model, Result};

mod c;
mod chips;
mod new;
mod quantiser;
mod session;

use new::{New, Origin};
use quantiser::Quantiser;
use session::Session;

/// Neural networks for microcontrollers: `.tflite` or `.onnx` in, Rust out.
#[derive(Parser)]
#[command(name = "smolnn", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a table of the model's layers: operator, shapes, quantisation, multiply-accumulates, flash, memory.
    Inspect {
        /// The .tflite or .onnx file.
        model: PathBuf,
        /// Count for this backend, or for this chip (rp2040, nrf52840, stm32f411 …). Without it, for a Cortex-M4.
        #[arg(long, value_parser = backend)]
        backend: Option<Core>,
        /// Print JSON: the fields of `smolnn_import::Report`.
        #[arg(long, conflicts_with = "width")]
        json: bool,
        /// Longest line of the table, in characters; 0: any. Without it, the width of the terminal.
        #[arg(long)]
        width: Option<usize>,
        /// Write a page with the layers as a picture: multiply-accumulates and memory of each.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// The length of a dimension that an .onnx file leaves open: time=49.
        #[arg(long = "dimension", value_name = "NAME=LENGTH", value_parser = dimension)]
        dimensions: Vec<(String, usize)>,
    },
    /// Compiles the model to a Rust module for `smolnn`.
    Compile {
        /// The .tflite or .onnx file.
        model: PathBuf,
        /// The Rust file to write; with --c, the folder.
        #[arg(short, long)]
        output: PathBuf,
        /// Pack the weights for this backend, or for this chip (rp2040, nrf52840, stm32f411 …).
        #[arg(long, default_value = "portable", value_parser = backend)]
        backend: Core,
        /// Put weights and tables into this section of the linker's.
        #[arg(long, value_name = "SECTION")]
        link_section: Option<String>,
        /// Write a crate that becomes a static library for C, with a header.
        #[arg(long)]
        c: bool,
        /// The length of a dimension that an .onnx file leaves open: time=49.
        #[arg(long = "dimension", value_name = "NAME=LENGTH", value_parser = dimension)]
        dimensions: Vec<(String, usize)>,
        #[command(flatten)]
        origin: Origin,
    },
    /// Makes integers of a float model by calibration data, and says what it costs and where.
    Quantise(Quantiser),
    /// Runs the model here, with the kernels that the firmware uses.
    Run(Session),
    /// Makes a project for a chip that builds and runs the model, or one that recognises a handwritten digit.
    New(New),
}

/// The core to count or to pack for.
#[derive(Clone)]
struct Core {
    backend: Backend,
    /// The backend's or the chip's name, as it was given.
    name: String,
}

/// Beginnings of the names of chips, and the backend of their cores.
const CHIPS: [(&str, Backend); 32] = [
    ("esp32c", Backend::Rv32),
    ("esp32h", Backend::Rv32),
    ("nrf51", Backend::V6m),
    ("nrf52", Backend::Dsp),
    ("nrf53", Backend::Dsp),
    ("nrf54", Backend::Dsp),
    ("nrf91", Backend::Dsp),
    ("rp2040", Backend::V6m),
    ("rp2350", Backend::Dsp),
    ("samd21", Backend::V6m),
    ("samd51", Backend::Dsp),
    ("stm32c0", Backend::V6m),
    ("stm32f0", Backend::V6m),
    ("stm32f1", Backend::V7m),
    ("stm32f2", Backend::V7m),
    ("stm32f3", Backend::Dsp),
    ("stm32f4", Backend::Dsp),
    ("stm32f7", Backend::Dsp),
    ("stm32g0", Backend::V6m),
    ("stm32g4", Backend::Dsp),
    ("stm32h5", Backend::Dsp),
    ("stm32h7", Backend::Dsp),
    ("stm32l0", Backend::V6m),
    ("stm32l1", Backend::V7m),
    ("stm32l4", Backend::Dsp),
    ("stm32l5", Backend::Dsp),
    ("stm32n6", Backend::Helium),
    ("stm32u0", Backend::V6m),
    ("stm32u5", Backend::Dsp),
    ("stm32wb", Backend::Dsp),
    ("stm32wl", Backend::Dsp),
    ("ra8", Backend::Helium),
];

/// The core of this name: of a backend, or of a chip.
fn backend(name: &str) -> std::result::Result<Core, String> {
    let lower = name.to_ascii_lowercase();
    let chip = || CHIPS.iter().find(|(chip, _)| lower.starts_with(chip)).map(|&(_, backend)| backend);
    let backend = Backend::from_name(&lower).or_else(chip).ok_or_else(|| {
        let names = Backend::ALL.map(Backend::name).join(", ");
        let chips = CHIPS.map(|(chip, _)| chip).join(", ");
        format!("the backends are {names}; chips whose names begin with {chips} stand for theirs")
    })?;
    Ok(Core { backend, name: name.into() })
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Inspect { model, backend, json, width, html, dimensions } => {
            open(&model, &dimensions).and_then(|model| inspect(&model, backend, json, width, html.as_deref()))
        }
        Command::Compile { model, output, backend, link_section, c, dimensions, origin } => open(&model, &dimensions)
            .and_then(|model| compile(model, &output, backend.backend, link_section.as_deref(), c.then_some(&origin))),
        Command::Quantise(quantiser) => quantiser.run(),
        Command::Run(session) => session.run(),
        Command::New(new) => new.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A dimension's name and length.
fn dimension(text: &str) -> std::result::Result<(String, usize), String> {
    let pair = text.rsplit_once('=').and_then(|(name, length)| Some((name.to_string(), length.parse().ok()?)));
    pair.filter(|&(_, length)| length > 0).ok_or_else(|| "a dimension's name and its length, as time=49".into())
}

/// Opens a model whose open dimensions have these lengths.
fn open(path: &Path, dimensions: &[(String, usize)]) -> Result<Model> {
    let dimensions: Vec<(&str, usize)> = dimensions.iter().map(|(name, length)| (&name[..], *length)).collect();
    Model::open_with(path, &dimensions)
}

fn inspect(model: &Model, core: Option<Core>, json: bool, width: Option<usize>, html: Option<&Path>) -> Result<()> {
    let (backend, note) = match core {
        Some(Core { backend, name }) if name == backend.name() => (backend, String::new()),
        Some(Core { backend, name }) => (backend, format!("As {name} runs it.\n")),
        None => (Backend::Dsp, "For a Cortex-M4, the default: --backend takes other chips.\n".into()),
    };
    let program = model.compile(backend)?;
    let report = program.report();
    if let Some(path) = html {
        save(path, report.html().as_bytes())?;
    }
    if json {
        return say(&report.json());
    }
    // Output that is piped is not cut.
    let terminal = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0.into());
    let width = width.or_else(terminal).filter(|&width| width > 0);
    say(&format!("{note}{}", report.table(width)))
}

fn compile(
    mut model: Model,
    output: &Path,
    backend: Backend,
    link_section: Option<&str>,
    for_c: Option<&Origin>,
) -> Result<()> {
    // The module that the file is to others.
    if let Some(name) = output.file_stem() {
        model = model.named(&name.to_string_lossy());
    }
    if let Some(section) = link_section {
        model = model.link_section(section);
    }
    let program = model.compile(backend)?;
    match for_c {
        Some(origin) => c::write(output, &program, origin)?,
        None => save(output, program.source().as_bytes())?,
    }
    say(&format!(
        "{}: {} bytes of constants, {} bytes of arena, {} bytes of state, {} MACs, backend {}",
        output.display(),
        program.constant_bytes(),
        program.arena_bytes(),
        program.state_bytes(),
        program.macs(),
        backend.name()
    ))
}

/// Prints a line. A reader that has seen enough, such as `head`, is no error.
fn say(line: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::File { path: "standard output".into(), source })
        }
        _ => Ok(()),
    }
}

fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|source| Error::File { path: path.into(), source })
}

//! `smolnn`: looks into `.tflite` models, compiles them to Rust, runs them on the host.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use smolnn_import::{Backend, Error, Model, Result};

mod npy;
mod session;

use session::Session;

/// Neural networks for microcontrollers: `.tflite` in, Rust out.
#[derive(Parser)]
#[command(name = "smolnn", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a table of the model's layers: operator, shapes, quantisation, multiply-accumulates, flash, live memory.
    Inspect {
        /// The .tflite file.
        model: PathBuf,
        /// Count for this backend.
        #[arg(long, default_value = "portable", value_parser = backend)]
        backend: Backend,
    },
    /// Compiles the model to a Rust module for `smolnn`.
    Compile {
        /// The .tflite file.
        model: PathBuf,
        /// The Rust file to write.
        #[arg(short, long)]
        output: PathBuf,
        /// Pack the weights for this backend.
        #[arg(long, default_value = "portable", value_parser = backend)]
        backend: Backend,
    },
    /// Runs the model here, with the kernels that the firmware uses.
    Run(Session),
}

fn backend(name: &str) -> std::result::Result<Backend, String> {
    let names = Backend::ALL.map(Backend::name).join(", ");
    Backend::from_name(name).ok_or_else(|| format!("the backends are {names}"))
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Inspect { model, backend } => inspect(&model, backend),
        Command::Compile { model, output, backend } => compile(&model, &output, backend),
        Command::Run(session) => session.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn inspect(model: &Path, backend: Backend) -> Result<()> {
    let model = Model::open(model)?;
    say(&model.compile(backend)?.table())
}

fn compile(model: &Path, output: &Path, backend: Backend) -> Result<()> {
    let program = Model::open(model)?.compile(backend)?;
    save(output, program.source().as_bytes())?;
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

//! `smolnn`: looks into `.tflite` models, compiles them to Rust, runs them on the host.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use smolnn_import::{Backend, Error, Model, Result};

mod npy;

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
    Run {
        /// The .tflite file.
        model: PathBuf,
        /// A tensor per input of the model, in its order: raw little-endian bytes, or NumPy's .npy.
        #[arg(long, required = true)]
        input: Vec<PathBuf>,
        /// A file per output of the model, in its order: raw bytes, or .npy by its name. Without any, outputs are printed.
        #[arg(long)]
        output: Vec<PathBuf>,
    },
}

fn backend(name: &str) -> std::result::Result<Backend, String> {
    let names = Backend::ALL.map(Backend::name).join(", ");
    Backend::from_name(name).ok_or_else(|| format!("the backends are {names}"))
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Inspect { model, backend } => inspect(&model, backend),
        Command::Compile { model, output, backend } => compile(&model, &output, backend),
        Command::Run { model, input, output } => run(&model, &input, &output),
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
    write(output, program.source().as_bytes())?;
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

fn run(model: &Path, inputs: &[PathBuf], outputs: &[PathBuf]) -> Result<()> {
    let program = Model::open(model)?.compile(Backend::CURRENT)?;
    let net = program.net();
    for (given, ids, what) in [(inputs.len(), &net.inputs, "--input"), (outputs.len(), &net.outputs, "--output")] {
        if given != ids.len() && (what == "--input" || given > 0) {
            let list = ids.iter().map(|&id| &net.tensors[id]);
            let list = list
                .map(|of| format!("\"{}\" {} {:?}", of.name.escape_debug(), of.element, of.shape))
                .collect::<Vec<_>>();
            let expected = ids.len();
            return Err(Error::Tensor(format!(
                "{given} times {what} given, the model has {expected}: {}",
                list.join(", ")
            )));
        }
    }
    let mut runner = program.runner()?;
    for (index, (path, &id)) in inputs.iter().zip(&net.inputs).enumerate() {
        let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.clone(), source })?;
        let tensor = &net.tensors[id];
        let bytes = if npy::is_npy(path) {
            npy::read(&bytes, tensor).map_err(|fault| Error::Tensor(format!("{}: {fault}", path.display())))?
        } else {
            bytes
        };
        runner.set_input(index, &bytes).map_err(|fault| Error::Tensor(format!("{}: {fault}", path.display())))?;
    }
    runner.run()?;
    for (index, &id) in net.outputs.iter().enumerate() {
        let tensor = &net.tensors[id];
        let bytes = runner.output(index)?;
        match outputs.get(index) {
            Some(path) if npy::is_npy(path) => write(path, &npy::write(bytes, tensor))?,
            Some(path) => write(path, bytes)?,
            None => say(&format!("{index} \"{}\": {}", tensor.name.escape_debug(), npy::values(bytes, tensor)))?,
        }
    }
    Ok(())
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

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|source| Error::File { path: path.into(), source })
}

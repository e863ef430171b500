//! `smolnn`: looks into models, compiles them to Rust, runs them on the host, makes integers of floats, makes projects for chips.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use smolnn_import::{Backend, Core, Error, Model, Program, Result};

mod c;
mod chips;
mod new;
#[cfg(feature = "quantise")]
mod quantiser;
#[cfg(feature = "quantise")]
mod session;
mod wishes;

use new::{New, Origin, Template};
#[cfg(feature = "quantise")]
use quantiser::Quantiser;
#[cfg(feature = "quantise")]
use session::Session;
use wishes::{IntegerWish, Interface, Wishes};

/// Neural networks for microcontrollers: `.tflite` or `.onnx` in, Rust out.
#[derive(Parser)]
#[command(name = "smolnn", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a table of the model's layers: operator, shapes, quantisation, multiply-accumulates, estimated cycles, flash, memory.
    Inspect {
        /// The .tflite or .onnx file.
        model: PathBuf,
        /// Count for this backend, or for this chip (rp2040, nrf52840, stm32f411 …). Without it, for a Cortex-M4.
        #[arg(long, visible_alias = "chip", value_parser = target)]
        backend: Option<Target>,
        /// The core's clock, such as 100MHz: layers then have milliseconds too.
        #[arg(long, value_name = "FREQUENCY", value_parser = clock)]
        clock: Option<f64>,
        /// Print JSON: the fields of `smolnn_import::Report`.
        #[arg(long, conflicts_with = "width")]
        json: bool,
        /// Longest line of the table, in characters; 0: any. Without it, the width of the terminal.
        #[arg(long)]
        width: Option<usize>,
        /// Write a page with the layers as a picture: estimated cycles, multiply-accumulates and memory of each.
        #[arg(long, value_name = "FILE", conflicts_with = "plan")]
        html: Option<PathBuf>,
        /// Print the plan: which layers run together, and what lies where in the arena.
        #[arg(long, conflicts_with_all = ["json", "width"])]
        plan: bool,
        /// Write the plan as a picture, above it the one that keeps whole tensors.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "width", "html"])]
        svg: Option<PathBuf>,
        #[command(flatten)]
        integers: IntegerWish,
        #[command(flatten)]
        wishes: Wishes,
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
        /// Pack the weights for this backend, or for this chip (rp2040, nrf52840, stm32f411 …). Without it, for portable code.
        #[arg(long, visible_alias = "chip", value_parser = target)]
        backend: Option<Target>,
        /// Put weights and tables into this section of the linker's.
        #[arg(long, value_name = "SECTION")]
        link_section: Option<String>,
        #[command(flatten)]
        integers: IntegerWish,
        #[command(flatten)]
        wishes: Wishes,
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
    #[cfg(feature = "quantise")]
    Quantise(Quantiser),
    /// Runs the model here, with the kernels that the firmware uses.
    #[cfg(feature = "quantise")]
    Run(Session),
    /// Makes integers of a float model. Not in this build, which has no kernels: `cargo install --path crates/smolnn-import` has them.
    #[cfg(not(feature = "quantise"))]
    #[command(disable_help_flag = true)]
    Quantise(Ignored),
    /// Runs the model here. Not in this build either.
    #[cfg(not(feature = "quantise"))]
    #[command(disable_help_flag = true)]
    Run(Ignored),
    /// Makes a project for a chip that builds and runs the model, or one that recognises a handwritten digit.
    New(New),
    /// Writes the projects of all chips as a template for cargo-generate.
    Template(Template),
}

/// What to count or to pack for.
#[derive(Clone)]
struct Target {
    backend: Backend,
    /// The core, where a chip or a backend says it.
    core: Option<Core>,
    /// The backend's or the chip's name, as it was given.
    name: String,
}

/// Beginnings of the names of chips, and their cores.
const CHIPS: [(&str, Core); 33] = [
    ("esp32c", Core::Rv32imac),
    ("esp32h", Core::Rv32imac),
    ("nrf51", Core::CortexM0Plus),
    ("nrf52", Core::CortexM4),
    ("nrf53", Core::CortexM33),
    ("nrf54", Core::CortexM33),
    ("nrf91", Core::CortexM33),
    ("qemu-m4", Core::CortexM4),
    ("rp2040", Core::CortexM0Plus),
    ("rp2350", Core::CortexM33),
    ("samd21", Core::CortexM0Plus),
    ("samd51", Core::CortexM4),
    ("stm32c0", Core::CortexM0Plus),
    ("stm32f0", Core::CortexM0Plus),
    ("stm32f1", Core::CortexM3),
    ("stm32f2", Core::CortexM3),
    ("stm32f3", Core::CortexM4),
    ("stm32f4", Core::CortexM4),
    ("stm32f7", Core::CortexM7),
    ("stm32g0", Core::CortexM0Plus),
    ("stm32g4", Core::CortexM4),
    ("stm32h5", Core::CortexM33),
    ("stm32h7", Core::CortexM7),
    ("stm32l0", Core::CortexM0Plus),
    ("stm32l1", Core::CortexM3),
    ("stm32l4", Core::CortexM4),
    ("stm32l5", Core::CortexM33),
    ("stm32n6", Core::CortexM55),
    ("stm32u0", Core::CortexM0Plus),
    ("stm32u5", Core::CortexM33),
    ("stm32wb", Core::CortexM4),
    ("stm32wl", Core::CortexM4),
    ("ra8", Core::CortexM55),
];

/// The target of this name: a backend, or a chip.
fn target(name: &str) -> std::result::Result<Target, String> {
    let lower = name.to_ascii_lowercase();
    let of_backend = |backend| Target { backend, core: Core::of_backend(backend), name: name.into() };
    let of_chip = |core: Core| Target { backend: core.backend(), core: Some(core), name: name.into() };
    let chip = || CHIPS.iter().find(|(chip, _)| lower.starts_with(chip)).map(|&(_, core)| of_chip(core));
    Backend::from_name(&lower).map(of_backend).or_else(chip).ok_or_else(|| {
        let names = Backend::ALL.map(Backend::name).join(", ");
        let chips = CHIPS.map(|(chip, _)| chip).join(", ");
        format!(
            "the backends are {names}; chips whose names begin with {chips} stand for theirs; on any other core the backend portable runs, slower"
        )
    })
}

/// A frequency in hertz: `100MHz`, `32768Hz`, `16e6`. A small number without a unit is one whose unit was forgotten.
fn clock(text: &str) -> std::result::Result<f64, String> {
    let lower = text.to_ascii_lowercase();
    let units = [("ghz", 1e9), ("mhz", 1e6), ("khz", 1e3), ("hz", 1.0), ("", 1.0)];
    let split = units.iter().find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?, factor)));
    let hertz = split.and_then(|(number, factor)| Some(number.trim().parse::<f64>().ok()? * factor));
    let least = if lower.ends_with("hz") { 1.0 } else { 1e4 };
    let hertz = hertz.filter(|hertz| hertz.is_finite() && *hertz >= least);
    hertz.ok_or_else(|| "a frequency with its unit, as 100MHz".into())
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Inspect { model, backend, clock, json, width, html, plan, svg, integers, wishes, dimensions } => {
            let written: Vec<&Path> = [&html, &svg].into_iter().flatten().map(PathBuf::as_path).collect();
            let opened = overwrites_none(&integers.read(&model), &written).and_then(|()| open(&model, &dimensions));
            let made = opened.and_then(|model| integers.apply(model));
            let made = made.and_then(|model| wishes.apply_network(model));
            made.and_then(|model| {
                if plan || svg.is_some() {
                    inspect_plan(&model, backend.as_ref(), plan, svg.as_deref(), &wishes)
                } else {
                    inspect(&wishes.apply_memory(model), backend, clock, json, width, html.as_deref())
                }
            })
        }
        Command::Compile { model, output, backend, link_section, integers, wishes, c, dimensions, origin } => {
            let checked = overwrites_none(&integers.read(&model), &[&output]).and_then(|()| is_module(&output, c));
            let opened = checked.and_then(|()| open(&model, &dimensions));
            let made = opened.and_then(|model| integers.apply(model));
            let made = made.and_then(|model| wishes.apply_network(model));
            made.and_then(|model| {
                let interface = Interface { streaming: false, ..wishes.interface() };
                if let (true, Some(option)) = (c, interface.first_option()) {
                    let text =
                        format!("the functions for C copy whole inputs and give whole outputs: leave out {option}");
                    return Err(Error::Environment(text));
                }
                let (model, section) = (wishes.apply_memory(model), link_section.as_deref());
                compile(model, &output, packed_for(backend.as_ref()), section, c.then_some(&origin))
            })
        }
        #[cfg(feature = "quantise")]
        Command::Quantise(quantiser) => quantiser.run(),
        #[cfg(feature = "quantise")]
        Command::Run(session) => session.run(),
        #[cfg(not(feature = "quantise"))]
        Command::Quantise(_) | Command::Run(_) => Err(without_kernels()),
        Command::New(new) => new.run(),
        Command::Template(template) => template.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments of a command that this build does not have.
#[cfg(not(feature = "quantise"))]
#[derive(clap::Args)]
struct Ignored {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

/// What a build without kernels cannot do, and where to find one with them.
#[cfg(not(feature = "quantise"))]
fn without_kernels() -> Error {
    Error::Environment(
        "this build of the command runs no network: it was compiled without the kernels, which is quicker. `cargo run -p smolnn-import --` in the clone has \
         them, and so has `smolnn` after `cargo install --path crates/smolnn-import`"
            .into(),
    )
}

/// The backend that a module is packed for. Portable code runs everywhere and is slow everywhere: without a choice it is said.
fn packed_for(target: Option<&Target>) -> Backend {
    target.map_or_else(
        || {
            eprintln!(
                "note: the module is for portable code, which takes several times as long as your core's own: name the chip, as in --chip stm32f411"
            );
            Backend::Portable
        },
        |target| target.backend,
    )
}

/// Refuses to write over a file that is read.
fn overwrites_none(read: &[&Path], written: &[&Path]) -> Result<()> {
    for output in written {
        // A file that is not there yet has no such name.
        let Ok(name) = output.canonicalize() else { continue };
        if read.iter().any(|input| input.canonicalize().is_ok_and(|input| input == name)) {
            return Err(refused(output, "the output would overwrite an input: name another file for it"));
        }
    }
    Ok(())
}

/// Whether the name of a file is one of a Rust module's; for C a folder is written.
fn is_module(output: &Path, for_c: bool) -> Result<()> {
    if for_c || output.extension().is_some_and(|extension| extension == "rs") {
        Ok(())
    } else {
        Err(refused(output, "a Rust module is written, whose name ends in .rs"))
    }
}

/// An error about the name of a file that is to be written.
fn refused(path: &Path, why: &str) -> Error {
    Error::File { path: path.into(), source: std::io::Error::new(ErrorKind::InvalidInput, why) }
}

/// A dimension's name and length.
fn dimension(text: &str) -> std::result::Result<(String, usize), String> {
    let pair = text.rsplit_once('=').and_then(|(name, length)| Some((name.to_string(), length.parse().ok()?)));
    pair.filter(|&(_, length)| length > 0).ok_or_else(|| "a dimension's name and its length, as time=49".into())
}

/// Opens a model whose open dimensions have these lengths.
fn open(path: &Path, dimensions: &[(String, usize)]) -> Result<Model> {
    if dimensions.is_empty() {
        return Model::open(path);
    }
    let dimensions: Vec<(&str, usize)> = dimensions.iter().map(|(name, length)| (&name[..], *length)).collect();
    Model::open_with(path, &dimensions)
}

/// Prints the plan, or writes it as a picture below the one that keeps whole tensors.
fn inspect_plan(
    model: &Model,
    target: Option<&Target>,
    is_printed: bool,
    svg: Option<&Path>,
    wishes: &Wishes,
) -> Result<()> {
    let backend = target.map_or(Backend::Dsp, |target| target.backend);
    let after = wishes.apply_memory(model.clone()).compile(backend)?;
    if let Some(path) = svg {
        let before = model.compile(backend)?;
        let plans = [("whole tensors", &before), ("by rows", &after)];
        let differ = before.schedule() != after.schedule();
        let plans = if differ { &plans[..] } else { &plans[..1] };
        save(path, Program::schedule_svg(plans).as_bytes())?;
    }
    if is_printed { say(&after.schedule()) } else { Ok(()) }
}

fn inspect(
    model: &Model,
    target: Option<Target>,
    clock: Option<f64>,
    json: bool,
    width: Option<usize>,
    html: Option<&Path>,
) -> Result<()> {
    let (backend, core, note) = match target {
        Some(Target { backend, core, name }) if name == backend.name() => (backend, core, String::new()),
        Some(Target { backend, core, name }) => (backend, core, format!("As {name} runs it.\n")),
        None => {
            let note = "For a Cortex-M4, the default: --chip takes other chips.\n";
            (Backend::Dsp, Some(Core::CortexM4), note.into())
        }
    };
    let program = model.compile(backend)?;
    let report = core.map_or_else(|| program.report(), |core| program.report_on(core, clock));
    if let Some(path) = html {
        save(path, report.html().as_bytes())?;
        eprintln!("{} is written", path.display());
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

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

use new::{New, Origin, Template};
#[cfg(feature = "quantise")]
use quantiser::Quantiser;
#[cfg(feature = "quantise")]
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
        layout: LayoutWish,
        #[command(flatten)]
        memory: MemoryWishes,
        #[command(flatten)]
        stream: StreamWish,
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
        layout: LayoutWish,
        #[command(flatten)]
        memory: MemoryWishes,
        #[command(flatten)]
        stream: StreamWish,
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
    /// Not in this build, which has no kernels: see the error.
    #[cfg(not(feature = "quantise"))]
    #[command(aliases = ["run"], disable_help_flag = true)]
    Quantise {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        _ignored: Vec<String>,
    },
    /// Makes a project for a chip that builds and runs the model, or one that recognises a handwritten digit.
    New(New),
    /// Writes the projects of all chips as a template for cargo-generate.
    Template(Template),
}

/// How much memory a model may take.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("by_rows").multiple(true))]
struct MemoryWishes {
    /// The most bytes of the arena, as 32k or 32768: layers run by rows where it takes that.
    #[arg(long, value_name = "BYTES", value_parser = bytes, group = "by_rows")]
    budget: Option<usize>,
    /// Run layers by rows for the least arena.
    #[arg(long, conflicts_with = "budget", group = "by_rows")]
    least_arena: bool,
    /// Take the input row by row, as a camera gives it.
    #[arg(long, group = "by_rows")]
    input_by_rows: bool,
    /// Read the input where the caller has it, in flash or in a DMA's buffer: it is not in the arena.
    #[arg(long, conflicts_with = "input_by_rows")]
    input_in_place: bool,
    /// Let layers that run by rows do so in parts along the width, where columns near their edges are computed twice.
    #[arg(long, requires = "by_rows")]
    split_width: bool,
    /// Give the output row by row, of a network that ends in an image.
    #[arg(long, group = "by_rows")]
    output_by_rows: bool,
    /// Let constants grow by so many bytes of flash where that saves cycles, as 64k. Without it, by 128k where all tensors lie whole, and not at all by rows.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    flash_budget: Option<usize>,
}

impl MemoryWishes {
    fn apply(&self, model: Model) -> Model {
        let model = if self.input_by_rows { model.input_by_rows() } else { model };
        let model = if self.input_in_place { model.input_in_place() } else { model };
        let model = if self.output_by_rows { model.output_by_rows() } else { model };
        let model = if self.split_width { model.split_width() } else { model };
        let model = if self.least_arena { model.least_arena() } else { model };
        let model = match self.flash_budget {
            Some(bytes) => model.flash_budget(bytes),
            None => model,
        };
        match self.budget {
            Some(bytes) => model.arena_budget(bytes),
            None => model,
        }
    }
}

/// A float model as integers.
#[derive(clap::Args)]
struct IntegerWish {
    /// Make integers of a float model first, as `quantise` does without options, by these samples of its input: .npy or .npz, or a folder of such files.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
}

impl IntegerWish {
    /// The files that are read for a model: itself, and the data.
    fn read<'a>(&'a self, model: &'a Path) -> Vec<&'a Path> {
        std::iter::once(model).chain(self.data.as_deref()).collect()
    }

    fn apply(&self, model: Model) -> Result<Model> {
        match &self.data {
            None => Ok(model),
            #[cfg(feature = "quantise")]
            Some(data) => {
                let model = quantiser::with_progress(model.calibrate(data)?)?;
                let warnings = model.quantisation_report().into_iter().flat_map(|report| &report.warnings);
                warnings.for_each(|warning| eprintln!("warning: {warning}"));
                Ok(model)
            }
            #[cfg(not(feature = "quantise"))]
            Some(_) => Err(without_kernels()),
        }
    }
}

/// The order of the dimensions of inputs and outputs.
#[derive(clap::Args)]
struct LayoutWish {
    /// Take and give images and sequences with their channels last, as cameras and sensors have them, where an .onnx file has them in front.
    #[arg(long)]
    channels_last: bool,
}

impl LayoutWish {
    fn apply(&self, model: Model) -> Model {
        if self.channels_last { model.channels_last_inputs().channels_last_outputs() } else { model }
    }
}

/// A model over a window as one over a stream.
#[derive(clap::Args)]
struct StreamWish {
    /// Take new rows of a stream instead of the window: the axis of time, and rows per call.
    #[arg(long, value_name = "AXIS,ROWS", value_parser = axis_and_rows)]
    streaming: Option<(usize, usize)>,
}

impl StreamWish {
    fn apply(&self, model: Model) -> Result<Model> {
        match self.streaming {
            Some((axis, rows)) => model.streaming(axis, rows),
            None => Ok(model),
        }
    }
}

/// An axis and a number of rows: 1,2.
fn axis_and_rows(text: &str) -> std::result::Result<(usize, usize), String> {
    let pair =
        text.split_once(',').and_then(|(axis, rows)| Some((axis.trim().parse().ok()?, rows.trim().parse().ok()?)));
    pair.ok_or_else(|| "the axis of time, counted from 0, and rows per call, as 1,2".into())
}

/// A number of bytes: 32768, 32k or 32KiB, 1M.
fn bytes(text: &str) -> std::result::Result<usize, String> {
    let lower = text.to_ascii_lowercase();
    let units = [("kib", 1 << 10), ("k", 1 << 10), ("mib", 1 << 20), ("m", 1 << 20), ("", 1)];
    let split = units.iter().find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?, factor)));
    let number = split.and_then(|(digits, factor)| digits.trim().parse::<usize>().ok()?.checked_mul(*factor));
    number.ok_or_else(|| "a number of bytes, as 32768 or 32k".into())
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
        Command::Inspect {
            model,
            backend,
            clock,
            json,
            width,
            html,
            plan,
            svg,
            integers,
            layout,
            memory,
            stream,
            dimensions,
        } => {
            let written: Vec<&Path> = [&html, &svg].into_iter().flatten().map(PathBuf::as_path).collect();
            let opened = overwrites_none(&integers.read(&model), &written).and_then(|()| open(&model, &dimensions));
            let made = opened.and_then(|model| integers.apply(model));
            let made = made.and_then(|model| stream.apply(layout.apply(model)));
            made.and_then(|model| {
                if plan || svg.is_some() {
                    inspect_plan(&model, backend.as_ref(), plan, svg.as_deref(), &memory)
                } else {
                    inspect(&memory.apply(model), backend, clock, json, width, html.as_deref())
                }
            })
        }
        Command::Compile {
            model,
            output,
            backend,
            link_section,
            integers,
            layout,
            memory,
            stream,
            c,
            dimensions,
            origin,
        } => {
            let checked = overwrites_none(&integers.read(&model), &[&output]).and_then(|()| is_module(&output, c));
            let opened = checked.and_then(|()| open(&model, &dimensions));
            let made = opened.and_then(|model| integers.apply(model));
            let made = made.and_then(|model| stream.apply(layout.apply(model)));
            made.and_then(|model| {
                if c && (memory.input_by_rows || memory.input_in_place || memory.output_by_rows) {
                    let text = "the functions for C copy whole inputs and give whole outputs: leave out --input-by-rows, --input-in-place and --output-by-rows";
                    return Err(Error::Environment(text.into()));
                }
                let (model, section) = (memory.apply(model), link_section.as_deref());
                compile(model, &output, packed_for(backend.as_ref()), section, c.then_some(&origin))
            })
        }
        #[cfg(feature = "quantise")]
        Command::Quantise(quantiser) => quantiser.run(),
        #[cfg(feature = "quantise")]
        Command::Run(session) => session.run(),
        #[cfg(not(feature = "quantise"))]
        Command::Quantise { .. } => Err(without_kernels()),
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
    memory: &MemoryWishes,
) -> Result<()> {
    let backend = target.map_or(Backend::Dsp, |target| target.backend);
    let after = memory.apply(model.clone()).compile(backend)?;
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

//! The command `new`: a project that builds for a chip, from the files of `templates`; and `template`, the same projects for cargo-generate.

use std::path::{Path, PathBuf};

use clap::Args;
use smolnn_import::{Backend, Error, Manifest, Model, Program, Result};

use super::chips::{self, Chip, Memory, Start};
use super::wishes::Wishes;
use super::{save, say};

mod firmware;

/// What to make.
#[derive(Args)]
pub struct New {
    /// The folder to make; its last part becomes the project's name.
    folder: PathBuf,
    /// The chip: esp32c3, nrf52840, qemu-m4 (an emulated Cortex-M4), rp2040, rp2350, stm32f411, stm32h7.
    #[arg(long, value_parser = chips::chip)]
    chip: &'static Chip,
    /// The model to run: a .tflite or .onnx file, or the .json manifest of a wake word. Without it, a network of 14 KB that recognises a handwritten digit.
    #[arg(long)]
    model: Option<PathBuf>,
    /// The length of a dimension that an .onnx file leaves open: time=LENGTH.
    #[arg(long = "dimension", value_name = "NAME=LENGTH", value_parser = super::dimension, requires = "model")]
    dimensions: Vec<(String, usize)>,
    /// Make integers of a float model by this calibration data, when the project is built: .npy or .npz, samples along the first axis, or a folder of such files.
    #[arg(long, value_name = "PATH", requires = "model")]
    data: Option<PathBuf>,
    #[command(flatten)]
    wishes: Wishes,
    /// On Embassy, with its HAL, which reads sensors, and its clock.
    #[arg(long)]
    embassy: bool,
    #[command(flatten)]
    origin: Origin,
}

/// Where to write the template.
#[derive(Args)]
pub struct Template {
    /// The folder to make. As a repository of its own, or as a folder of one, it is what `cargo generate` takes.
    folder: PathBuf,
    #[command(flatten)]
    origin: Origin,
}

/// What cargo-generate puts a project's name in place of.
const PLACE_OF_NAME: &str = "{{project-name}}";

/// Settings of one project in a template: cargo-generate takes a model for text otherwise, and refuses it.
const NO_TEXT: &str = "[template]\nexclude = [\"models/*\"]\n";

/// Where a project takes smolnn from.
#[derive(Args, Clone, Default)]
pub struct Origin {
    /// Depend on smolnn in this clone. Without it and --smolnn-git: on the clone that this command was built from; where that is gone, on the release of this version.
    #[arg(long, value_name = "DIR", conflicts_with = "smolnn_git")]
    smolnn_path: Option<PathBuf>,
    /// Depend on smolnn in this git repository.
    #[arg(long, value_name = "URL")]
    smolnn_git: Option<String>,
}

/// A network that comes with the command, and a picture for it.
const DIGITS: &[u8] = include_bytes!("../templates/models/digits.tflite");

/// The model that the project runs.
struct Source {
    /// Its name as a module.
    module: String,
    program: Program,
    /// The file that `build.rs` opens, in `models/`.
    file: String,
    /// The files of `models/`.
    files: Vec<(String, Vec<u8>)>,
    is_digits: bool,
    /// It came with the manifest of a wake word.
    is_wake_word: bool,
}

impl New {
    /// Makes the project. Nothing is written before all was checked.
    pub fn run(&self) -> Result<()> {
        let name = self.name()?;
        if self.chip.embassy.is_none() && self.embassy {
            let title = self.chip.title;
            return Err(Error::Environment(format!("Embassy has no HAL for the {title}: leave out --embassy")));
        }
        is_new(&self.folder)?;
        let source = self.source()?;
        let files = self.files(&name, &source, &self.origin.dependency()?);
        if let Some((_, manifest)) = files.iter().find(|(path, _)| path == "Cargo.toml")
            && String::from_utf8_lossy(manifest).lines().any(|line| line.starts_with(&format!("{name} = ")))
        {
            return Err(Error::Environment(format!(
                "the project depends on a crate that is named {name}: choose another name"
            )));
        }
        write(&self.folder, &files)?;
        let (program, Chip { title, flash, .. }) = (&source.program, self.chip);
        let ram = self.ram(program);
        let part = |bytes: usize, memory: &Memory| format!("{bytes} bytes of {} KB", memory.length / 1024);
        say(&format!(
            "{}: {} on the {title}. Beside code and stack, the model takes {} of flash and {} of RAM.\n\
             Next: cd {0} && cargo run --release (compiles the importer first, {4})",
            self.folder.display(),
            source.file,
            part(program.constant_bytes(), flash),
            part(program.arena_bytes() + program.state_bytes(), &ram),
            if self.data.is_some() {
                "and its kernels for the calibration: some minutes"
            } else {
                "half a minute or more"
            },
        ))
    }

    /// The project's name: one that cargo takes.
    fn name(&self) -> Result<String> {
        let name = self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let reserved = ["core", "std", "alloc", "test", "proc_macro", "build", "deps", "examples", "incremental"];
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !begins || !name.chars().all(is_plain) || reserved.contains(&&*name) {
            let text = format!(
                "{name:?} cannot name a crate: take letters, digits, - and _, a letter first, and no folder of cargo's or crate of Rust's"
            );
            return Err(Error::Environment(text));
        }
        Ok(name)
    }

    /// The model, read and compiled for the chip's core.
    fn source(&self) -> Result<Source> {
        let flags = self.chip.cpu.map_or_else(String::new, |cpu| format!("-Ctarget-cpu={cpu}"));
        let backend = Backend::for_target(self.chip.triple, &flags);
        let Some(path) = &self.model else {
            if let Some(option) = self.wishes.interface().first_option() {
                let text = format!("{option} is for a model of yours: name it, as in --model model.tflite");
                return Err(Error::Environment(text));
            }
            let model = Model::read("digits", DIGITS)?;
            return Ok(Source {
                module: model.name().into(),
                program: self.wishes.apply(model)?.compile(backend)?,
                file: "digits.tflite".into(),
                files: vec![("digits.tflite".into(), DIGITS.into())],
                is_digits: true,
                is_wake_word: false,
            });
        };
        let mut model = super::open(path, &self.dimensions)?;
        if let Some(data) = &self.data {
            model = quantised(model, data)?;
        }
        if let (Some(_), Some(option)) = (model.manifest(), self.wishes.interface().first_option()) {
            let text = format!("a wake word takes what its front end makes of sound, as a whole: leave out {option}");
            return Err(Error::Environment(text));
        }
        let model = self.wishes.apply_network(model)?;
        let program = self.wishes.apply_memory(model.clone()).compile(backend)?;
        self.fits(&program, || {
            // What a model has no rows of is no way out for it.
            let ways =
                [("--least-arena", model.clone().least_arena()), ("--input-by-rows", model.clone().input_by_rows())];
            let least = ways.map(|(option, model)| Some((option, model.compile(backend).ok()?.arena_bytes())));
            least.into_iter().flatten().collect()
        })?;
        let mut paths = vec![(file_name(path), path.clone())];
        paths.extend(model.manifest().map(|Manifest { model, .. }| (model.clone(), path.with_file_name(model))));
        if let Some(data) = &self.data {
            let inside = |file: PathBuf| (format!("{}/{}", file_name(data), file_name(&file)), file);
            match data.is_dir() {
                true => paths.extend(arrays(data)?.into_iter().map(inside)),
                false => paths.push((file_name(data), data.clone())),
            }
        }
        let file = file_name(path);
        let files = paths
            .into_iter()
            .map(|(name, path)| {
                let bytes = std::fs::read(&path).map_err(|source| Error::File { path, source })?;
                Ok((name, bytes))
            })
            .collect::<Result<Vec<_>>>()?;
        let is_wake_word = model.manifest().is_some();
        Ok(Source { module: model.name().into(), program, file, files, is_digits: false, is_wake_word })
    }

    /// How `build.rs` opens the model.
    fn open(&self, file: &str) -> String {
        let lengths = self.dimensions.iter().map(|(name, length)| format!("({name:?}, {length})"));
        let path = |name: &str| format!("{:?}", format!("models/{name}"));
        let opened = match &*lengths.collect::<Vec<_>>() {
            [] => format!("open({})", path(file)),
            lengths => format!("open_with({}, &[{}])", path(file), lengths.join(", ")),
        };
        match &self.data {
            Some(data) => format!("{opened}?.calibrate({})?.int8()", path(&file_name(data))),
            None => opened,
        }
    }

    /// The RAM that the project is linked to: the larger one where the model leaves no room for the stack in the first.
    fn ram(&self, program: &Program) -> Memory {
        const STACK: u64 = 16 << 10;
        let taken = (program.arena_bytes() + program.state_bytes()) as u64 + STACK;
        let Chip { ram, large_ram, .. } = *self.chip;
        large_ram.filter(|_| taken > ram.length).unwrap_or(ram)
    }

    /// Refuses a model that the chip has no room for. `ways` gives options, and the arenas that the model has with them.
    fn fits(&self, program: &Program, ways: impl FnOnce() -> Vec<(&'static str, usize)>) -> Result<()> {
        let title = self.chip.title;
        let (taken, room) = (program.constant_bytes() as u64, self.chip.flash.length);
        if taken > room {
            let text = format!(
                "the model takes {taken} bytes of flash, and the {title} has {room}: choose a larger chip or a smaller model"
            );
            return Err(Error::Environment(text));
        }
        let states = program.state_bytes() as u64;
        let (taken, room) = (program.arena_bytes() as u64 + states, self.ram(program).length);
        if taken > room {
            let ways = ways().into_iter().map(|(option, arena)| (option, arena as u64 + states));
            let ways =
                ways.filter(|&(_, less)| less < taken).map(|(option, less)| format!("with {option} it takes {less}; "));
            let text = format!(
                "the model takes {taken} bytes of RAM, and the {title} has {room}: {}choose a larger chip or a smaller model",
                ways.collect::<String>()
            );
            return Err(Error::Environment(text));
        }
        Ok(())
    }

    /// All files of the project.
    fn files(&self, name: &str, source: &Source, dependency: &str) -> Vec<(String, Vec<u8>)> {
        let (chip, interface) = (self.chip, self.wishes.interface());
        let embassy = chip.embassy.filter(|_| self.embassy);
        let configured = embassy.filter(|embassy| !embassy.configure.is_empty());
        let flashing = chip.flashing.replace("{{triple}}", chip.triple).replace("{{name}}", name);
        let is_qemu = chip.start == Start::Qemu;
        let main = match (chip.start, embassy) {
            (Start::Qemu, _) => include_str!("../templates/main/qemu.rs"),
            (Start::CortexM, None) => include_str!("../templates/main/cortex-m.rs"),
            (Start::CortexM, Some(_)) => include_str!("../templates/main/cortex-m-embassy.rs"),
            (Start::Esp, None) => include_str!("../templates/main/esp.rs"),
            (Start::Esp, Some(_)) => include_str!("../templates/main/esp-embassy.rs"),
        };
        let about = if source.is_digits {
            format!("Recognises a handwritten digit on the {}.", chip.title)
        } else {
            format!("Runs the model {} on the {}.", source.module, chip.title)
        };
        let memory = chip.memory.map(|memory| match memory {
            "rp2040.x" => include_str!("../templates/memory/rp2040.x"),
            "rp2350.x" => include_str!("../templates/memory/rp2350.x"),
            "stm32h7.x" => include_str!("../templates/memory/stm32h7.x"),
            _ => include_str!("../templates/memory/any.x"),
        });
        let length = |Memory { length, .. }: Memory| format!("{}K", length / 1024);
        let origin = |Memory { origin, .. }: Memory| format!("0x{origin:08x}");
        let values: Vec<(&str, String)> = vec![
            ("name", name.into()),
            ("about", about),
            ("backend", source.program.backend().name().into()),
            ("title", chip.title.into()),
            ("triple", chip.triple.into()),
            ("runner", chip.runner.into()),
            ("flags", flags(chip)),
            // Unless it is told, defmt leaves out what is no error.
            ("environment", if is_qemu { String::new() } else { "\n[env]\nDEFMT_LOG = \"info\"".into() }),
            ("flash_origin", origin(chip.flash)),
            ("flash_length", length(chip.flash)),
            ("ram_origin", origin(self.ram(&source.program))),
            ("ram_length", length(self.ram(&source.program))),
            ("smolnn", format!("{{ {} }}", dependency.replace("{}", "smolnn"))),
            ("smolnn_import", {
                let features = if self.data.is_some() { ", features = [\"quantise\"]" } else { "" };
                format!("{{ {}, default-features = false{features} }}", dependency.replace("{}", "smolnn-import"))
            }),
            ("dependencies", embassy.map_or(chip.crates, |embassy| embassy.crates).join("\n")),
            ("link", link(chip)),
            ("open", self.open(&source.file)),
            ("wishes", self.wishes.calls()),
            ("options", self.wishes.options()),
            ("model", source.module.clone()),
            ("model_path", in_a_shell(&format!("models/{}", source.file))),
            (
                "data_option",
                self.data.as_deref().map_or_else(String::new, |data| {
                    format!(" --data {}", in_a_shell(&format!("models/{}", file_name(data))))
                }),
            ),
            ("uses", firmware::uses(source).into()),
            ("listen", firmware::listen(source)),
            ("items", firmware::items(source, interface)),
            ("infer", firmware::infer(source, interface, if is_qemu { "println" } else { "info" })),
            // Embassy's HALs bring it along.
            ("boot", if embassy.is_none() { chip.boot.into() } else { String::new() }),
            ("hal", embassy.map_or("", |embassy| embassy.hal).into()),
            ("hal_uses", configured.map_or_else(String::new, |embassy| format!("use {}::rcc::*;", embassy.hal))),
            ("configure", configured.map_or("", |embassy| embassy.configure).into()),
            ("config", configured.map_or("Default::default()", |_| "config").into()),
            ("clock", if chip.start == Start::CortexM { comment(&clock(chip)) } else { String::new() }),
            ("clock_line", if embassy.is_none() && !is_qemu { format!("- {}", clock(chip)) } else { String::new() }),
            ("build_profile", if self.data.is_some() { CALIBRATING_PROFILE.into() } else { BUILD_PROFILE.into() }),
            ("data_row", self.data.as_deref().map_or_else(String::new, data_row)),
            ("needs", needs(chip)),
            ("says", format!("{}\n\n{flashing}", says(chip, source)).trim_end().into()),
            ("memory_row", memory.map_or("", |_| "| `memory.x` | flash and RAM of the chip |").into()),
        ];
        let mut files: Vec<(String, Vec<u8>)> = [
            ("Cargo.toml", include_str!("../templates/Cargo.toml.in")),
            (".cargo/config.toml", include_str!("../templates/config.toml")),
            (".gitignore", include_str!("../templates/gitignore")),
            ("README.md", include_str!("../templates/README.md")),
            ("build.rs", include_str!("../templates/build.rs.in")),
            ("rust-toolchain.toml", include_str!("../templates/rust-toolchain.toml")),
            ("src/main.rs", main),
        ]
        .into_iter()
        .chain(memory.map(|memory| ("memory.x", memory)))
        .map(|(path, template)| (path.into(), render(template, &values).into_bytes()))
        .collect();
        files.extend(source.files.iter().map(|(name, bytes)| (format!("models/{name}"), bytes.clone())));
        files
    }
}

impl Template {
    /// Makes the folder: one of its folders for each chip, plain and on Embassy, among which cargo-generate lets its user choose.
    pub fn run(&self) -> Result<()> {
        is_new(&self.folder)?;
        let dependency = self.origin.dependency()?;
        let mut files = Vec::new();
        let mut names = Vec::new();
        for chip in &chips::CHIPS {
            for embassy in chip.projects() {
                let name = chip.project(embassy);
                let origin = self.origin.clone();
                let project = New {
                    folder: self.folder.join(&name),
                    chip,
                    model: None,
                    dimensions: Vec::new(),
                    data: None,
                    wishes: Wishes::default(),
                    embassy,
                    origin,
                };
                let of_project = project.files(PLACE_OF_NAME, &project.source()?, &dependency);
                files.extend(of_project.into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
                files.push((format!("{name}/cargo-generate.toml"), NO_TEXT.into()));
                names.push(name);
            }
        }
        let list: String = names.iter().map(|name| format!("    {name:?},\n")).collect();
        let settings =
            format!("[template]\ncargo_generate_version = \">=0.18.0\"\nsub_templates = [\n{list}]\n").into_bytes();
        files.push(("cargo-generate.toml".into(), settings));
        write(&self.folder, &files)?;
        let (folder, count) = (self.folder.display(), names.len());
        say(&format!("{folder}: {count} projects. Next: cargo generate --path {folder}"))
    }
}

/// Refuses a folder that is there already.
fn is_new(folder: &Path) -> Result<()> {
    if folder.exists() {
        let folder = folder.display();
        return Err(Error::Environment(format!(
            "{folder} exists already: nothing is overwritten, choose another name"
        )));
    }
    Ok(())
}

/// Writes files into a folder, whose folders are made.
fn write(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    for (path, bytes) in files {
        let path = folder.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| Error::File { path: folder.into(), source })?;
        }
        save(&path, bytes)?;
    }
    Ok(())
}

impl Origin {
    /// Where smolnn comes from, as the value of a dependency without its end; `{}` is the crate's name.
    pub fn dependency(&self) -> Result<String> {
        let clone = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let is_clone = |folder: &Path| folder.join("crates/smolnn/Cargo.toml").is_file();
        let folder = match (&self.smolnn_path, &self.smolnn_git) {
            (Some(folder), _) if !is_clone(folder) => {
                let text = format!("{} is no clone of smolnn: it has no crates/smolnn", folder.display());
                return Err(Error::Environment(text));
            }
            (Some(folder), _) => folder,
            (None, Some(url)) => return Ok(format!("git = {url:?}")),
            (None, None) if is_clone(clone) => clone,
            (None, None) => return Ok(format!("version = {:?}", env!("CARGO_PKG_VERSION"))),
        };
        let folder = folder.canonicalize().map_err(|source| Error::File { path: folder.into(), source })?;
        // Quotes in which a backslash is a character like others.
        Ok(format!("path = '{}'", folder.join("crates").join("{}").display()))
    }
}

/// The model in integers, by its calibration data.
#[cfg(feature = "quantise")]
fn quantised(model: Model, data: &Path) -> Result<Model> {
    super::quantiser::with_progress(model.calibrate(data)?)
}

#[cfg(not(feature = "quantise"))]
fn quantised(_: Model, _: &Path) -> Result<Model> {
    Err(super::without_kernels())
}

/// The files of calibration data in a folder.
#[cfg(feature = "quantise")]
fn arrays(folder: &Path) -> Result<Vec<PathBuf>> {
    smolnn_import::npy::Array::files(folder)
}

#[cfg(not(feature = "quantise"))]
fn arrays(_: &Path) -> Result<Vec<PathBuf>> {
    Err(super::without_kernels())
}

/// The last part of a path.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The build script's profiles: nobody debugs what runs on this computer.
const BUILD_PROFILE: &str = "\
[profile.release.build-override]
debug = false

";

/// Those of a build script that makes integers.
const CALIBRATING_PROFILE: &str = "\
# The build script runs the network over the calibration data: unoptimised that takes minutes.
[profile.dev.build-override]
opt-level = 1

[profile.release.build-override]
opt-level = 1
debug = false

";

/// A path as one types it into a shell.
fn in_a_shell(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) { path.into() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// The README's row on calibration data.
fn data_row(data: &Path) -> String {
    let name = file_name(data);
    format!("| `models/{name}` | samples of the model's input, by which `build.rs` makes integers of the network |")
}

/// What is to be known of the core's clock in a project without Embassy, and where sensors are read.
fn clock(chip: &Chip) -> String {
    let sensors = "For a sensor make the project with `--embassy`: it has a HAL";
    match (chip.clock_at_reset, chip.embassy) {
        (Some(clock), Some(_)) => {
            format!("The core's clock is the chip's at reset, {clock}. {sensors}, and sets a faster clock.")
        }
        (Some(clock), None) => format!("The core's clock is the chip's at reset, {clock}."),
        (None, Some(_)) => format!("{sensors}."),
        (None, None) => String::new(),
    }
}

/// A sentence as a comment.
fn comment(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("// {text}") }
}

/// The flags of rustc, as lines of an array.
fn flags(chip: &Chip) -> String {
    let cpu = chip.cpu.map(|cpu| format!("target-cpu={cpu}"));
    let link = match chip.start {
        Start::Qemu => ["link-arg=--nmagic", "link-arg=-Tlink.x"].as_slice(),
        Start::CortexM => &["link-arg=--nmagic", "link-arg=-Tlink.x", "link-arg=-Tdefmt.x"],
        Start::Esp => &["link-arg=-Tlinkall.x", "link-arg=-Tdefmt.x", "force-frame-pointers"],
    };
    let all = cpu.into_iter().chain(link.iter().map(|&flag| flag.into()));
    all.map(|flag| format!("\"-C\", \"{flag}\",")).collect::<Vec<_>>().join("\n")
}

/// The lines of `build.rs` by which the linker finds `memory.x`.
fn link(chip: &Chip) -> String {
    let lines = "println!(\"cargo::rustc-link-search={}\", env!(\"CARGO_MANIFEST_DIR\")); // there lies memory.x\n\
                 println!(\"cargo::rerun-if-changed=memory.x\");";
    chip.memory.map_or_else(String::new, |_| lines.into())
}

/// The commands that get the tools which the project needs.
fn needs(chip: &Chip) -> String {
    let runner = match chip.start {
        Start::Qemu => "apt-get install qemu-system-arm      # or your system's QEMU for Arm",
        Start::CortexM | Start::Esp => "cargo install --locked probe-rs-tools   # flashes the chip, shows what it says",
    };
    format!("rustup target add {}\n{runner}", chip.triple)
}

/// What `cargo run` does.
fn says(chip: &Chip, source: &Source) -> String {
    let what = match source {
        Source { is_digits: true, .. } => "It prints `this is a 0`",
        Source { is_wake_word: true, .. } => {
            "It hears silence until `src/main.rs` gets the samples of a microphone (smolnn's `examples/embassy-rp2350`, `embassy-nrf52840` and `esp32c3` \
             read one), and prints the time of each word"
        }
        _ => "It prints the model's output",
    };
    match chip.start {
        Start::Qemu => format!("{what}, in an emulator: no board is needed."),
        Start::CortexM | Start::Esp => format!("This flashes the chip. {what} again and again."),
    }
}

/// The template with each `{{key}}` replaced. A line that has nothing else takes the value's lines, indented as the key was, or goes away with an
/// empty value.
pub fn render(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::new();
    for line in template.lines() {
        let whole = values.iter().find(|(key, _)| line.trim() == format!("{{{{{key}}}}}"));
        if let Some((_, value)) = whole {
            let indent = &line[..line.len() - line.trim_start().len()];
            for part in value.lines() {
                text += if part.is_empty() { "" } else { indent };
                text += part;
                text += "\n";
            }
            continue;
        }
        let fill = |line: String, (key, value): &(&str, String)| line.replace(&format!("{{{{{key}}}}}"), value);
        let line = values.iter().fold(line.to_owned(), fill);
        debug_assert!(!line.replace(PLACE_OF_NAME, "").contains("{{"), "a template asks for what nobody gives: {line}");
        text += &line;
        text += "\n";
    }
    text
}

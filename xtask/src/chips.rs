//! Firmware for chips: the examples, and the projects that `smolnn new` makes. Each is a workspace of its own, which is built and linked for its
//! chip, and whose sizes are told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::PossibleValuesParser;
use object::{Object, ObjectSection, SectionFlags, elf};

use crate::shell::{self, End, Kind, fault, say};
use crate::suite::{Lane, Suite, Tally};
use crate::{boards, setup};

// The importer's own table. xtask does not depend on the importer, so that the first `cargo xtask` of a clone builds little.
#[allow(dead_code)] // What projects are made of concerns the importer alone.
#[path = "../../crates/smolnn-import/src/chips.rs"]
mod table;

use table::{CHIPS, Chip, Memory, Start};

/// What `chips` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The chips; all when none is named.
    #[arg(long = "chip", value_parser = PossibleValuesParser::new(CHIPS.map(|chip| chip.name)))]
    chips: Vec<String>,
}

/// What is built for a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// The example in this folder.
    WakeWord(&'static str),
    /// The project of `smolnn new`, plain or on Embassy.
    New { embassy: bool },
    /// The project of `smolnn new` with a model and options.
    Wished(&'static Wished),
}

/// A project whose model is fed or read in another way than as a whole.
#[derive(Debug, PartialEq, Eq)]
struct Wished {
    /// Its folder and package.
    name: &'static str,
    /// The model's file in the tree.
    model: &'static str,
    options: &'static [&'static str],
    /// The last line that it prints, as `smolnn run` with an input of zeros gives the values.
    last: &'static str,
}

/// Those that run under QEMU.
const WISHED: [Wished; 4] = [
    Wished {
        name: "input-by-rows",
        model: "tests/data/digits/digits.tflite",
        options: &["--input-by-rows"],
        last: "output: [-127, -128, -128, -128, -128, -128, -128, -128, 126, -127]",
    },
    Wished {
        name: "input-in-place",
        model: "tests/data/digits/digits.tflite",
        options: &["--input-in-place", "--budget", "1k"],
        last: "output: [-127, -128, -128, -128, -128, -128, -128, -128, 126, -127]",
    },
    Wished {
        name: "both-by-rows",
        model: "tests/data/converter/upsampling/model.tflite",
        options: &["--input-by-rows", "--output-by-rows"],
        last: "row 23: [33, -12, 35, -9, 35, -10, 36, -8, 36, -8, 41, -4]",
    },
    Wished {
        name: "output-by-rows",
        model: "tests/data/converter/upsampling/model.tflite",
        options: &["--input-in-place", "--output-by-rows", "--flash-budget", "0"],
        last: "row 23: [33, -12, 35, -9, 35, -10, 36, -8, 36, -8, 41, -4]",
    },
];

/// The examples by chip.
const WAKE_WORDS: [(&str, &str); 3] =
    [("esp32c3", "examples/esp32c3"), ("nrf52840", "examples/embassy-nrf52840"), ("rp2350", "examples/embassy-rp2350")];

/// Longest that a project may take to build and to run under QEMU.
const LONGEST_RUN: Duration = Duration::from_secs(15 * 60);

/// All that is built for a chip.
fn programs(chip: &Chip) -> Vec<Program> {
    let mut programs: Vec<_> = chip.projects().map(|embassy| Program::New { embassy }).collect();
    programs.extend(WISHED.iter().filter(|_| chip.start == Start::Qemu).map(Program::Wished));
    programs.extend(WAKE_WORDS.iter().filter(|(name, _)| *name == chip.name).map(|&(_, f)| Program::WakeWord(f)));
    programs
}

impl Program {
    /// The name for people.
    fn title(self) -> &'static str {
        match self {
            Self::WakeWord(_) => "wake word",
            Self::New { embassy: false } => "new",
            Self::New { embassy: true } => "new --embassy",
            Self::Wished(wished) => wished.name,
        }
    }

    /// The name of its package.
    fn package(self, chip: &Chip) -> String {
        match self {
            Self::WakeWord(_) => format!("wake-word-{}", chip.name),
            Self::New { embassy } => chip.project(embassy),
            Self::Wished(wished) => wished.name.into(),
        }
    }

    fn folder(self, chip: &Chip) -> PathBuf {
        match self {
            Self::WakeWord(folder) => shell::root().join(folder),
            Self::New { .. } | Self::Wished(_) => projects().join(self.package(chip)),
        }
    }

    fn image(self, chip: &Chip) -> PathBuf {
        target().join(chip.triple).join("release").join(self.package(chip))
    }

    /// Makes the project anew, as a user makes it. The examples stand in the tree.
    fn make(self, chip: &Chip) -> Result<()> {
        if let Self::WakeWord(_) = self {
            return Ok(());
        }
        let folder = self.folder(chip);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let mut smolnn = shell::smolnn();
        smolnn.arg("new").arg(&folder).args(["--chip", chip.name]).arg("--smolnn-path").arg(shell::root());
        match self {
            Self::Wished(Wished { model, options, .. }) => {
                smolnn.arg("--model").arg(shell::root().join(model)).args(*options)
            }
            _ => smolnn.args((self == Self::New { embassy: true }).then_some("--embassy")),
        };
        shell::run(&mut smolnn)?;
        // The versions that the workspace has, where the project takes the same crates: without a network they are the ones at hand.
        fs::copy(shell::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
        Ok(())
    }

    /// Builds and links it, and runs it where an emulator does; what it takes.
    fn build(self, chip: &Chip) -> Result<Sizes> {
        let mut cargo = shell::cargo();
        // The folder's own configuration names target and flags; those of this run are not for it.
        cargo.current_dir(self.folder(chip)).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        let command = if self.runs(chip) { "run" } else { "build" };
        cargo.args([command, "--release", "--target-dir"]).arg(target());
        // A project keeps what a debugger needs; here nobody looks at it, and all chips' would be gigabytes. It changes no code.
        cargo.envs([("CARGO_PROFILE_RELEASE_DEBUG", "0"), ("CARGO_PROFILE_RELEASE_BUILD_OVERRIDE_DEBUG", "0")]);
        if let Self::WakeWord(_) = self {
            cargo.arg("--locked");
        }
        match self {
            Self::Wished(Wished { last, .. }) => prints(&mut cargo, last)?,
            _ if self.runs(chip) => prints(&mut cargo, "this is a 0")?,
            _ => shell::run(&mut cargo)?,
        }
        sizes(&self.image(chip), chip)
    }

    fn runs(self, chip: &Chip) -> bool {
        chip.start == Start::Qemu && !matches!(self, Self::WakeWord(_))
    }
}

/// The folder of the projects that are made.
fn projects() -> PathBuf {
    shell::root().join("target/chips")
}

/// Where cargo builds all of them: most of their dependencies are the same.
fn target() -> PathBuf {
    projects().join("target")
}

/// Runs a project, whose last line has to be this one.
fn prints(cargo: &mut std::process::Command, expected: &str) -> Result<()> {
    say!("$ {}", shell::shown(cargo));
    let mut last = String::new();
    let end = shell::watch(cargo, LONGEST_RUN, |line| {
        say!("{line}");
        last = line;
    })?;
    match end {
        End::Deadline => Err(fault(Kind::Hang, "the project did not end in time")),
        End::Exit(status) if !status.success() => bail!("`{}` ended with {status}", shell::shown(cargo)),
        End::Exit(_) if last != expected => bail!("the project printed {last:?} instead of {expected:?}"),
        End::Exit(_) => Ok(()),
    }
}

/// Bytes that an image takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sizes {
    /// Code, constants and the initial values of statics.
    flash: u64,
    /// Statics, and code that runs from RAM; no stack.
    ram: u64,
}

/// The sizes of a linked image.
fn sizes(image: &Path, chip: &Chip) -> Result<Sizes> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*bytes)?;
    let mut sizes = Sizes::default();
    let is_in = |memory: Memory, address: u64| (memory.origin..memory.origin + memory.length).contains(&address);
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let name = section.name()?;
        // What esp-hal's scripts reserve is no content: the rest of the RAM for the stack, and the other side of a shared address.
        if sh_flags & u64::from(elf::SHF_ALLOC) == 0 || name == ".stack" || name.ends_with("_dummy") {
            continue;
        }
        let holds_bytes = section.file_range().is_some_and(|(_, size)| size > 0);
        sizes.flash += if holds_bytes { section.size() } else { 0 };
        if [Some(chip.ram), chip.large_ram, chip.code_in_ram]
            .into_iter()
            .flatten()
            .any(|ram| is_in(ram, section.address()))
        {
            sizes.ram += section.size();
        }
    }
    ensure!(sizes.flash > 0, "{} holds nothing", image.display());
    Ok(sizes)
}

/// Makes sure that what the chips' firmware needs is there.
fn prepare(chips: &[&Chip], install: bool) -> Result<()> {
    let triples: Vec<&str> = chips.iter().map(|chip| chip.triple).collect();
    setup::ensure_triples(&triples, install)?;
    if chips.iter().any(|chip| chip.start == Start::Qemu) {
        setup::ensure(&[boards::Name::M4.board()], install)?;
    }
    Ok(())
}

/// Builds and links all for the chosen chips and prints what it takes.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let is_chosen = |chip: &&Chip| arguments.chips.is_empty() || arguments.chips.iter().any(|name| name == chip.name);
    let chips: Vec<&Chip> = CHIPS.iter().filter(is_chosen).collect();
    prepare(&chips, install)?;
    let mut rows = Vec::new();
    for chip in chips {
        for program in programs(chip) {
            program.make(chip)?;
            rows.push((chip, program, program.build(chip)?));
        }
    }
    println!("{:<10} {:<14} {:<28} {:>8} {:>8}", "chip", "firmware", "target", "flash", "RAM");
    for (chip, program, Sizes { flash, ram }) in rows {
        println!("{:<10} {:<14} {:<28} {flash:>8} {ram:>8}", chip.name, program.title(), chip.triple);
    }
    Ok(())
}

/// Whether crates can be downloaded: those of the examples, and, where the registry answers, those of the projects, whose versions are not known yet.
pub fn can_fetch() -> bool {
    let answers = |folder: &str, arguments: [&str; 2]| {
        let mut cargo = shell::cargo();
        cargo.args(arguments).arg("--quiet").current_dir(shell::root().join(folder));
        shell::output(&mut cargo).is_ok()
    };
    let asks = [["fetch", "--locked"], ["update", "--dry-run"]];
    WAKE_WORDS.iter().all(|(_, folder)| asks.iter().all(|&arguments| answers(folder, arguments)))
}

/// The steps of the test: all chips where they are asked for, otherwise the one that an emulator runs, since the others' crates take many minutes.
pub fn steps(suite: &mut Suite<'_>, all: bool, install: bool) -> Result<()> {
    let chips: Vec<&Chip> = CHIPS.iter().filter(|chip| all || chip.start == Start::Qemu).collect();
    prepare(&chips, install)?;
    if !all {
        suite.absent(
            "projects and examples for the other chips",
            "`cargo xtask test --chips` or `cargo xtask chips` builds them",
        );
    }
    for chip in chips {
        for program in programs(chip) {
            let name = format!("{} for {}", program.title(), chip.name);
            let made = suite.step(format!("{name}: made"), Lane::Host, &[], move || {
                program.make(chip)?;
                Ok(Tally::ONE)
            });
            suite.step(name, Lane::Chips, &[made], move || {
                let Sizes { flash, ram } = program.build(chip)?;
                say!("{flash} bytes of flash, {ram} of RAM");
                Ok(Tally::ONE)
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{CHIPS, Program, fs, programs, shell};

    /// Cargo takes flags, target and program from files that this one cannot see: their names have to agree.
    #[test]
    fn every_example_builds_what_is_measured() {
        let read = |path: String| fs::read_to_string(shell::root().join(&path)).expect(&path);
        let workspace = read("Cargo.toml".into());
        let mut examples = 0;
        for chip in &CHIPS {
            for program in programs(chip) {
                let Program::WakeWord(folder) = program else { continue };
                examples += 1;
                let name = format!("name = \"{}\"", program.package(chip));
                assert!(read(format!("{folder}/Cargo.toml")).contains(&name));
                let target = format!("target = \"{}\"", chip.triple);
                assert!(read(format!("{folder}/.cargo/config.toml")).contains(&target));
                assert!(workspace.contains(&format!("\"{folder}\"")), "the workspace leaves it out");
            }
        }
        assert_eq!(examples, super::WAKE_WORDS.len(), "an example is of no chip");
    }
}

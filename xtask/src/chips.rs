//! The examples for chips: each is a workspace of its own, which is built and linked for its chip, and whose sizes are told.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use object::{Object, ObjectSection, SectionFlags, elf};

use crate::{setup, shell};

/// What `chips` takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// The chips; all when none is named.
    #[arg(long = "chip", value_enum)]
    chips: Vec<Name>,
}

/// The chips that have an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// Cortex-M4F, PDM microphone, embassy-nrf.
    Nrf52840,
    /// Cortex-M33, I2S microphone by PIO, embassy-rp.
    Rp2350,
    /// RV32IMC, I2S microphone, esp-hal.
    Esp32c3,
}

/// How one example is built.
struct Chip {
    name: &'static str,
    /// Its folder, which holds the flags of the build (.cargo/config.toml).
    folder: &'static str,
    triple: &'static str,
    /// Addresses of RAM, by which a section is told to take some.
    ram: Range<u64>,
    /// The addresses at which the same memory holds code; none where they are the same.
    code_in_ram: Range<u64>,
}

impl Name {
    fn chip(self) -> Chip {
        match self {
            Self::Nrf52840 => Chip {
                name: "nrf52840",
                folder: "examples/embassy-nrf52840",
                triple: "thumbv7em-none-eabihf",
                ram: 0x2000_0000..0x2004_0000,
                code_in_ram: 0..0,
            },
            Self::Rp2350 => Chip {
                name: "rp2350",
                folder: "examples/embassy-rp2350",
                triple: "thumbv8m.main-none-eabihf",
                ram: 0x2000_0000..0x2008_2000,
                code_in_ram: 0..0,
            },
            Self::Esp32c3 => Chip {
                name: "esp32c3",
                folder: "examples/esp32c3",
                triple: "riscv32imc-unknown-none-elf",
                ram: 0x3FC8_0000..0x3FCE_0000,
                code_in_ram: 0x4037_C000..0x403E_0000,
            },
        }
    }
}

/// Bytes that an image takes.
#[derive(Debug, Default, PartialEq, Eq)]
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
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let name = section.name()?;
        // What esp-hal's scripts reserve is no content: the rest of the RAM for the stack, and the other side of a shared address.
        if sh_flags & u64::from(elf::SHF_ALLOC) == 0 || name == ".stack" || name.ends_with("_dummy") {
            continue;
        }
        let holds_bytes = section.file_range().is_some_and(|(_, size)| size > 0);
        sizes.flash += if holds_bytes { section.size() } else { 0 };
        if [&chip.ram, &chip.code_in_ram].iter().any(|ram| ram.contains(&section.address())) {
            sizes.ram += section.size();
        }
    }
    if sizes.flash == 0 {
        bail!("{} holds nothing", image.display());
    }
    Ok(sizes)
}

/// Builds and links the chosen examples and prints what they take.
pub fn run(arguments: &Arguments, install: bool) -> Result<()> {
    let names = if arguments.chips.is_empty() { Name::value_variants() } else { &arguments.chips };
    let chips: Vec<Chip> = names.iter().map(|name| name.chip()).collect();
    let triples: Vec<&str> = chips.iter().map(|chip| chip.triple).collect();
    setup::ensure_triples(&triples, install)?;
    let mut rows = Vec::new();
    for chip in &chips {
        let folder = shell::root().join(chip.folder);
        let mut cargo = shell::cargo();
        // The folder's own configuration names target and flags; those of this run are not for it.
        cargo.current_dir(&folder).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo.args(["build", "--release", "--locked", "--target-dir", "target"]);
        shell::run(&mut cargo)?;
        let image = folder.join("target").join(chip.triple).join("release").join(format!("wake-word-{}", chip.name));
        rows.push((chip, sizes(&image, chip)?));
    }
    println!("{:<10} {:<32} {:>8} {:>8}", "chip", "target", "flash", "RAM");
    for (chip, Sizes { flash, ram }) in rows {
        println!("{:<10} {:<32} {flash:>8} {ram:>8}", chip.name, chip.triple);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Name, ValueEnum, fs, shell};

    /// Cargo takes flags, target and program from files that this one cannot see: their names have to agree.
    #[test]
    fn every_folder_builds_what_is_measured() {
        let read = |path: String| fs::read_to_string(shell::root().join(&path)).expect(&path);
        let workspace = read("Cargo.toml".into());
        for name in Name::value_variants() {
            let chip = name.chip();
            assert_eq!(name.to_possible_value().expect("no chip is hidden").get_name(), chip.name);
            assert!(
                read(format!("{}/Cargo.toml", chip.folder)).contains(&format!("name = \"wake-word-{}\"", chip.name))
            );
            assert!(
                read(format!("{}/.cargo/config.toml", chip.folder)).contains(&format!("target = \"{}\"", chip.triple))
            );
            assert!(workspace.contains(&format!("\"{}\"", chip.folder)), "the workspace leaves it out");
        }
    }
}

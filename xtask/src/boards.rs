//! The boards: what is built for each and where it runs. The one table of its kind.

use clap::ValueEnum;

/// A board that QEMU emulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Name {
    /// Cortex-M0 code on the roomy machine of the M3, which runs it unchanged.
    M0,
    /// Cortex-M0, 256 KiB flash, 16 KiB RAM.
    Microbit,
    /// Cortex-M3.
    M3,
    /// Cortex-M4F.
    M4,
    /// Cortex-M7.
    M7,
    /// Cortex-M33 with DSP.
    M33,
    /// Cortex-M55 with Helium.
    M55,
    /// RV32IMAC.
    #[value(alias = "rv32imac")]
    Rv32,
    /// RV32IMAFC.
    #[value(alias = "rv32f")]
    Rv32imafc,
}

/// How one board is built and run.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    pub name: Name,
    /// `qemu-system-…`.
    pub emulator: &'static str,
    pub machine: &'static str,
    pub triple: &'static str,
    /// `-C target-cpu`, where the triple alone does not say it.
    pub cpu: Option<&'static str>,
    /// Folder of tests/firmware/memory that holds the memory map.
    pub memory: &'static str,
    /// Instructions per 1000 ticks of the counter, at one instruction per nanosecond: 10^12 / Hz of SysTick.
    pub rate: u32,
    /// Models and kernels that need more than 16 KiB of RAM are left out.
    pub small: bool,
    /// Conformance runs on it with the kernels for cores whose MULH is slow.
    pub slow_mulh: bool,
    /// The core, for people.
    pub core: &'static str,
    /// The board of the baseline's figures.
    pub baseline: &'static str,
}

const ARM: &str = "qemu-system-arm";
const RISCV: &str = "qemu-system-riscv32";

const MPS2: Board = Board {
    name: Name::M3,
    emulator: ARM,
    machine: "mps2-an385",
    triple: "thumbv7m-none-eabi",
    cpu: None,
    memory: "mps2",
    rate: 40_000,
    small: false,
    slow_mulh: false,
    core: "Cortex-M3",
    baseline: "m3",
};

const V7EM: Board = Board {
    triple: "thumbv7em-none-eabihf",
    machine: "mps2-an386",
    name: Name::M4,
    core: "Cortex-M4F",
    baseline: "m4",
    ..MPS2
};

const VIRT: Board = Board {
    name: Name::Rv32,
    emulator: RISCV,
    machine: "virt",
    triple: "riscv32imac-unknown-none-elf",
    cpu: None,
    memory: "virt",
    rate: 1000,
    small: false,
    slow_mulh: false,
    core: "RV32IMAC",
    baseline: "rv32",
};

/// All boards, smallest core first.
pub const BOARDS: [Board; 9] = [
    Board { name: Name::M0, triple: "thumbv6m-none-eabi", core: "Cortex-M0 (v6-M code)", baseline: "m0", ..MPS2 },
    Board {
        name: Name::Microbit,
        machine: "microbit",
        triple: "thumbv6m-none-eabi",
        memory: "microbit",
        rate: 62_500,
        small: true,
        core: "Cortex-M0, 16 KiB RAM",
        baseline: "m0",
        ..MPS2
    },
    MPS2,
    V7EM,
    Board { name: Name::M7, machine: "mps2-an500", cpu: Some("cortex-m7"), core: "Cortex-M7", baseline: "m7", ..V7EM },
    Board {
        name: Name::M33,
        machine: "mps2-an505",
        triple: "thumbv8m.main-none-eabihf",
        cpu: Some("cortex-m33"),
        memory: "an505",
        rate: 50_000,
        core: "Cortex-M33",
        baseline: "m33",
        ..MPS2
    },
    Board {
        name: Name::M55,
        machine: "mps3-an547",
        triple: "thumbv8m.main-none-eabihf",
        cpu: Some("cortex-m55"),
        memory: "an547",
        rate: 31_250,
        core: "Cortex-M55 (Helium)",
        baseline: "m55",
        ..MPS2
    },
    VIRT,
    Board {
        name: Name::Rv32imafc,
        triple: "riscv32imafc-unknown-none-elf",
        slow_mulh: true,
        core: "RV32IMAFC",
        ..VIRT
    },
];

impl Name {
    /// The board's row of the table.
    pub fn board(self) -> &'static Board {
        BOARDS.iter().find(|board| board.name == self).expect("every name has its row")
    }
}

impl Board {
    /// The name that the command line takes and tables show.
    pub fn label(&self) -> String {
        self.name.to_possible_value().expect("no name is hidden").get_name().to_owned()
    }

    /// True for Cortex-M.
    pub fn is_arm(&self) -> bool {
        self.emulator == ARM
    }
}

/// One board for each backend of smolnn-fixed. The other boards run the same kernels on another machine, or compiled for a sibling of the core.
pub const PER_BACKEND: [Name; 5] = [Name::M0, Name::M3, Name::M4, Name::M55, Name::Rv32];

/// The given boards, or all.
pub fn chosen(names: &[Name]) -> Vec<&'static Board> {
    if names.is_empty() { BOARDS.iter().collect() } else { names.iter().map(|name| name.board()).collect() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::shell;

    fn text(path: &str) -> String {
        fs::read_to_string(shell::root().join(path)).expect("a file of the project")
    }

    /// Holds the list of docs/adding-a-board.md: what it names exists, and each board is in each of its places.
    #[test]
    fn every_board_is_in_all_its_places() {
        let guide = text("docs/adding-a-board.md");
        let places: Vec<&str> = guide.split('`').filter(|word| word.contains('/') && !word.contains(' ')).collect();
        for place in &places {
            assert!(shell::root().join(place).exists(), "the guide names {place}, which does not exist");
        }
        for place in ["xtask/src/boards.rs", "tests/firmware/memory", "docs/targets.md", "tests/expected/size.txt"] {
            assert!(places.contains(&place), "the guide does not name {place}");
        }
        let (targets, instructions) = (text("docs/targets.md"), text("tests/expected/instructions.txt"));
        for board in &BOARDS {
            let label = board.label();
            let row = targets.lines().find(|line| line.starts_with(&format!("| `{label}` |")));
            let row = row.unwrap_or_else(|| panic!("docs/targets.md has no row of {label}"));
            for said in [board.machine, board.triple, board.cpu.unwrap_or_default()] {
                assert!(row.contains(said), "docs/targets.md says another thing than {said} of {label}");
            }
            let memory = format!("tests/firmware/memory/{}/memory.x", board.memory);
            assert!(shell::root().join(&memory).is_file(), "{label} needs {memory}");
            let is_counted = instructions.lines().any(|line| line.split_whitespace().nth(1) == Some(&label));
            assert!(is_counted, "tests/expected/instructions.txt has no row of {label}");
        }
        let rows = targets.lines().filter(|line| line.starts_with("| `") && line.contains("-none-"));
        assert_eq!(rows.count(), BOARDS.len(), "docs/targets.md has rows of boards that do not exist");
        let memories = fs::read_dir(shell::root().join("tests/firmware/memory")).expect("the memory maps");
        let used: BTreeSet<&str> = BOARDS.iter().map(|board| board.memory).collect();
        for memory in memories {
            let name = memory.expect("an entry").file_name().to_string_lossy().into_owned();
            assert!(used.contains(name.as_str()), "no board has the memory map {name}");
        }
    }
}

//! What a machine needs besides cargo: Rust targets and QEMU. Missing targets are added, a missing QEMU is installed as root.

use std::process::Command;

use anyhow::Result;

use crate::boards::Board;
use crate::shell::{self, Kind, fault, say};

/// Makes sure that the boards' targets and emulators are there; installs what is missing when `install` is set.
pub fn ensure(boards: &[&Board], install: bool) -> Result<()> {
    ensure_targets(boards, install)?;
    ensure_emulators(boards, install)
}

/// Makes sure that the standard library of each board's target is there.
pub fn ensure_targets(boards: &[&Board], install: bool) -> Result<()> {
    let triples: Vec<&str> = boards.iter().map(|board| board.triple).collect();
    ensure_triples(&triples, install)
}

/// Makes sure that the standard library of each target is there.
pub fn ensure_triples(triples: &[&str], install: bool) -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = shell::output(shell::command(rustc).args(["--print", "sysroot"]))?;
    let library = std::path::Path::new(sysroot.trim()).join("lib/rustlib");
    let mut missing: Vec<&str> =
        triples.iter().copied().filter(|triple| !library.join(triple).join("lib").is_dir()).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let mut rustup = shell::command("rustup");
    rustup.args(["target", "add"]).args(&missing);
    if install && shell::run(&mut rustup).is_ok() {
        return Ok(());
    }
    Err(fault(Kind::ToolMissing, format!("Rust targets are missing. Run: {}", shell::shown(&rustup))))
}

/// True when the program starts.
pub fn starts(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn missing(programs: &[&'static str]) -> Vec<&'static str> {
    let mut missing = programs.to_vec();
    missing.sort_unstable();
    missing.dedup();
    missing.retain(|program| !starts(program));
    missing
}

/// A package manager and the packages that hold the emulators and C's compilers.
struct Manager {
    program: &'static str,
    refresh: &'static [&'static str],
    /// Without recommended packages, among which Debian's QEMU has a desktop toolkit.
    install: &'static [&'static str],
    arm: &'static str,
    riscv: &'static str,
    /// `None` where we know of no package.
    arm_gcc: Option<&'static str>,
    riscv_gcc: Option<&'static str>,
    root: bool,
}

/// The compilers for C, as they are called.
pub const ARM_GCC: &str = "arm-none-eabi-gcc";
pub const RISCV_GCC: &str = "riscv64-unknown-elf-gcc";

impl Manager {
    /// The package that holds a program.
    fn package(&self, program: &str) -> Option<&'static str> {
        match program {
            ARM_GCC => self.arm_gcc,
            RISCV_GCC => self.riscv_gcc,
            _ if program.contains("riscv") => Some(self.riscv),
            _ => Some(self.arm),
        }
    }
}

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        refresh: &["update"],
        install: &["install", "-y", "--no-install-recommends"],
        arm: "qemu-system-arm",
        riscv: "qemu-system-misc",
        arm_gcc: Some("gcc-arm-none-eabi"),
        riscv_gcc: Some("gcc-riscv64-unknown-elf"),
        root: true,
    },
    Manager {
        program: "dnf",
        refresh: &[],
        install: &["install", "-y", "--setopt=install_weak_deps=False"],
        arm: "qemu-system-arm-core",
        riscv: "qemu-system-riscv-core",
        arm_gcc: Some("arm-none-eabi-gcc-cs"),
        riscv_gcc: None,
        root: true,
    },
    Manager {
        program: "pacman",
        refresh: &[],
        install: &["-Sy", "--noconfirm", "--needed"],
        arm: "qemu-system-arm",
        riscv: "qemu-system-riscv",
        arm_gcc: Some("arm-none-eabi-gcc"),
        riscv_gcc: None,
        root: true,
    },
    Manager {
        program: "apk",
        refresh: &["update"],
        install: &["add"],
        arm: "qemu-system-arm",
        riscv: "qemu-system-riscv32",
        arm_gcc: Some("gcc-arm-none-eabi"),
        riscv_gcc: None,
        root: true,
    },
    Manager {
        program: "zypper",
        refresh: &[],
        install: &["--non-interactive", "install", "--no-recommends"],
        arm: "qemu-arm",
        riscv: "qemu-extra",
        arm_gcc: None,
        riscv_gcc: None,
        root: true,
    },
    Manager {
        program: "brew",
        refresh: &[],
        install: &["install"],
        arm: "qemu",
        riscv: "qemu",
        arm_gcc: Some("arm-none-eabi-gcc"),
        riscv_gcc: None,
        root: false,
    },
];

fn ensure_emulators(boards: &[&Board], install: bool) -> Result<()> {
    let emulators: Vec<&str> = boards.iter().map(|board| board.emulator).collect();
    ensure_programs(&emulators, install)
}

/// Makes sure that programs are there: emulators, and compilers for C.
pub fn ensure_programs(programs: &[&'static str], install: bool) -> Result<()> {
    let absent = missing(programs);
    if absent.is_empty() {
        return Ok(());
    }
    let names = absent.join(" and ");
    let unknown = || fault(Kind::ToolMissing, format!("{names} not found: install it (of QEMU, version 7 or newer)"));
    let Some(manager) = MANAGERS.iter().find(|manager| starts(manager.program)) else { return Err(unknown()) };
    let packages: Option<Vec<&str>> = absent.iter().map(|program| manager.package(program)).collect();
    let Some(mut packages) = packages else { return Err(unknown()) };
    packages.dedup();
    let command = |arguments: &[&str], packages: &[&str]| {
        let mut command = shell::command(manager.program);
        command.args(arguments).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let mut all = command(manager.install, &packages);
    let root = shell::output(shell::command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if install && (root || !manager.root) {
        say!("{names} not found; installing");
        if !manager.refresh.is_empty() {
            // An old list of packages may still do.
            let _ = shell::run(&mut command(manager.refresh, &[]));
        }
        let _ = shell::run(&mut all);
        if missing(programs).is_empty() {
            return Ok(());
        }
        // Where installing all in one go finds no solution, one by one may.
        for package in &packages {
            let _ = shell::run(&mut command(manager.install, &[package]));
        }
        if missing(programs).is_empty() {
            return Ok(());
        }
    }
    let sudo = if manager.root { "as root: " } else { "" };
    Err(fault(Kind::ToolMissing, format!("{names} not found. Run {sudo}{}", shell::shown(&all))))
}

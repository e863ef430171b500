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
fn starts(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn missing_emulators(boards: &[&Board]) -> Vec<&'static str> {
    let mut missing: Vec<&str> = boards.iter().map(|board| board.emulator).collect();
    missing.sort_unstable();
    missing.dedup();
    missing.retain(|program| !starts(program));
    missing
}

/// A package manager and the packages that hold the emulators.
struct Manager {
    program: &'static str,
    refresh: &'static [&'static str],
    /// Without recommended packages, among which Debian's QEMU has a desktop toolkit.
    install: &'static [&'static str],
    arm: &'static str,
    riscv: &'static str,
    root: bool,
}

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        refresh: &["update"],
        install: &["install", "-y", "--no-install-recommends"],
        arm: "qemu-system-arm",
        riscv: "qemu-system-misc",
        root: true,
    },
    Manager {
        program: "dnf",
        refresh: &[],
        install: &["install", "-y", "--setopt=install_weak_deps=False"],
        arm: "qemu-system-arm-core",
        riscv: "qemu-system-riscv-core",
        root: true,
    },
    Manager {
        program: "pacman",
        refresh: &[],
        install: &["-Sy", "--noconfirm", "--needed"],
        arm: "qemu-system-arm",
        riscv: "qemu-system-riscv",
        root: true,
    },
    Manager {
        program: "apk",
        refresh: &["update"],
        install: &["add"],
        arm: "qemu-system-arm",
        riscv: "qemu-system-riscv32",
        root: true,
    },
    Manager {
        program: "zypper",
        refresh: &[],
        install: &["--non-interactive", "install", "--no-recommends"],
        arm: "qemu-arm",
        riscv: "qemu-extra",
        root: true,
    },
    Manager { program: "brew", refresh: &[], install: &["install"], arm: "qemu", riscv: "qemu", root: false },
];

fn ensure_emulators(boards: &[&Board], install: bool) -> Result<()> {
    let missing = missing_emulators(boards);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" and ");
    let Some(manager) = MANAGERS.iter().find(|manager| starts(manager.program)) else {
        return Err(fault(Kind::ToolMissing, format!("{names} not found: install QEMU 7 or newer")));
    };
    let mut packages: Vec<&str> =
        missing.iter().map(|program| if program.contains("riscv") { manager.riscv } else { manager.arm }).collect();
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
        if missing_emulators(boards).is_empty() {
            return Ok(());
        }
        // Where installing all in one go finds no solution, one by one may.
        for package in &packages {
            let _ = shell::run(&mut command(manager.install, &[package]));
        }
        if missing_emulators(boards).is_empty() {
            return Ok(());
        }
    }
    let sudo = if manager.root { "as root: " } else { "" };
    Err(fault(Kind::ToolMissing, format!("{names} not found. Run {sudo}{}", shell::shown(&all))))
}

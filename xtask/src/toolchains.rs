//! Steps that need another toolchain than the one that builds: Miri, and the oldest Rust that the crates promise.
//!
//! A missing toolchain is installed. Where that is not possible, the summary says that the step is not run, and the
//! command that would make it run.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::suite::{Lane, Suite, Tally};
use crate::{checks, shell};

/// The test that runs under Miri: what a safe program can hand to a body.
const MIRI_TEST: [&str; 4] = ["-p", "smolnn-testkit", "--test", "hostile_layers"];

/// A program of a toolchain of rustup's.
fn program(toolchain: &str, program: &str) -> Command {
    let mut command = shell::command("rustup");
    command.args(["run", toolchain, program]);
    // The cargo that runs this program has set its own.
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"] {
        command.env_remove(variable);
    }
    command
}

/// Makes sure that a toolchain runs a command; otherwise the suite says that `what` is not run.
fn is_there(
    suite: &mut Suite<'_>,
    what: &str,
    toolchain: &str,
    components: &[&str],
    command: &[&str],
    install: bool,
) -> bool {
    let starts = || program(toolchain, "cargo").args(command).output().is_ok_and(|output| output.status.success());
    let mut rustup = shell::command("rustup");
    rustup.args(["toolchain", "install", toolchain, "--profile", "minimal"]);
    for component in components {
        rustup.args(["--component", component]);
    }
    if !starts() && install {
        println!("$ {}", shell::shown(&rustup));
        // Without a network, or without rustup, the summary says what is missing.
        let _ = rustup.status();
    }
    let there = starts();
    if !there {
        suite.absent(what, &format!("its toolchain is not installed; {}", shell::shown(&rustup)));
    }
    there
}

/// Adds the step that runs tests under Miri, where every read and write is checked.
pub fn miri(suite: &mut Suite<'_>, install: bool) {
    if !is_there(suite, "Miri", "nightly", &["miri", "rust-src"], &["miri", "--version"], install) {
        return;
    }
    suite.step("Miri", Lane::Apart, &[], || {
        let mut cargo = program("nightly", "cargo");
        cargo.args(["miri", "test"]).args(MIRI_TEST);
        cargo.arg("--target-dir").arg(shell::root().join("target/miri"));
        // The bodies of the v7-M are Rust with pointers, which Miri runs; those of other cores are assembly.
        cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", "--cfg smolnn_backend=\"v7m\"");
        checks::counted(&mut cargo)
    });
}

/// The `rust-version` of the workspace.
fn oldest() -> Result<String> {
    let manifest = fs::read_to_string(shell::root().join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    Ok(line.context("Cargo.toml has no rust-version")?.trim_matches('"').to_owned())
}

/// Adds the step that builds the crates that people depend on with the oldest Rust that they promise.
pub fn oldest_rust(suite: &mut Suite<'_>, install: bool) -> Result<()> {
    let version = oldest()?;
    if is_there(suite, "the oldest Rust", &version, &[], &["--version"], install) {
        suite.step(format!("Rust {version}, the oldest"), Lane::Apart, &[], move || {
            let mut cargo = program(&version, "cargo");
            cargo.args(["check", "--quiet", "--all-features", "-p", "smolnn", "-p", "smolnn-import"]);
            cargo.arg("--target-dir").arg(shell::root().join("target/oldest"));
            shell::run(&mut cargo)?;
            Ok(Tally::ONE)
        });
    }
    Ok(())
}

//! Steps that need another toolchain than the one that builds: Miri, the oldest Rust that the crates promise, and the oldest versions of the crates
//! that they depend on.
//!
//! A missing toolchain is installed. Where that is not possible, the summary says that the step is not run, and the
//! command that would make it run.

use std::fs;
use std::path::{Path, PathBuf};
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

/// The folder of a copy of the crates, whose lock file is its own.
fn copy() -> PathBuf {
    shell::root().join("target/oldest-crates")
}

/// Copies a folder and what is in it, but what cargo built there.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                copy_folder(&entry.path(), &target)?;
            }
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

/// A command of the nightly cargo in the copy, for which each version is the lowest that a manifest of the crates allows.
fn with_oldest(command: &str) -> Command {
    let mut cargo = program("nightly", "cargo");
    cargo.args([command, "-Zdirect-minimal-versions"]).current_dir(copy());
    cargo.env_remove("CARGO_TARGET_DIR");
    cargo
}

/// Makes the copy, with the versions that are to be tried.
fn copy_crates() -> Result<()> {
    let folder = copy();
    if folder.join("crates").exists() {
        fs::remove_dir_all(folder.join("crates")).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    copy_folder(&shell::root().join("crates"), &folder.join("crates"))?;
    fs::copy(shell::root().join("README.md"), folder.join("README.md")).context("cannot copy README.md")?;
    let manifest = fs::read_to_string(shell::root().join("Cargo.toml"))?;
    // The crates alone: what tests and examples depend on is no promise.
    let is_list =
        |line: &&str| ["members = ", "exclude = ", "default-members = "].iter().any(|key| line.starts_with(key));
    let lines = manifest.lines().filter(|line| !is_list(line));
    let lines = lines.flat_map(|line| match line {
        "[workspace]" => vec![line, "members = [\"crates/*\"]"],
        _ => vec![line],
    });
    fs::write(folder.join("Cargo.toml"), lines.collect::<Vec<_>>().join("\n")).context("cannot write Cargo.toml")?;
    shell::output(with_oldest("update").arg("--quiet"))?;
    shell::output(with_oldest("fetch").arg("--quiet")).map(drop)
}

/// Adds the step that builds the crates that people depend on with the lowest versions of other crates that their manifests allow.
pub fn oldest_crates(suite: &mut Suite<'_>, install: bool) {
    const WHAT: &str = "the oldest versions of other crates";
    if !is_there(suite, WHAT, "nightly", &[], &["--version"], install) {
        return;
    }
    if let Err(error) = copy_crates() {
        suite.absent(WHAT, &format!("they cannot be fetched: {error:#}"));
        return;
    }
    suite.step(WHAT, Lane::Apart, &[], || {
        shell::run(with_oldest("check").args(["--quiet", "--all-features", "-p", "smolnn", "-p", "smolnn-import"]))?;
        Ok(Tally::ONE)
    });
}

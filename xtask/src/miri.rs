//! Miri: the tests that show what a safe program can hand to a body, run where every read and write is checked.

use std::process::Command;

use crate::suite::{Lane, Suite};
use crate::{checks, shell};

/// The tests, of `host-tests`: those of hostile layers.
const TESTS: [&str; 3] = ["--test", "hostile", "layers"];

/// How Miri is had.
const INSTALL: [&str; 8] =
    ["toolchain", "install", "nightly", "--profile", "minimal", "--component", "miri", "--component"];

/// A command that runs with the nightly toolchain.
fn nightly(program: &str) -> Command {
    let mut command = shell::command("rustup");
    command.args(["run", "nightly", program]);
    // The cargo that runs this program has set its own.
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}

/// True when Miri starts.
fn starts() -> bool {
    nightly("cargo").args(["miri", "--version"]).output().is_ok_and(|output| output.status.success())
}

/// Adds the step where Miri is there or can be installed, and says otherwise that it is not run.
pub fn steps(suite: &mut Suite<'_>, install: bool) {
    let mut rustup = shell::command("rustup");
    rustup.args(INSTALL).arg("rust-src");
    if !starts() && install {
        println!("$ {}", shell::shown(&rustup));
        // Without a network, or without rustup, the summary says what is missing.
        let _ = rustup.status();
    }
    if !starts() {
        return suite.absent("Miri", &format!("it is not installed; {}", shell::shown(&rustup)));
    }
    suite.step("Miri", Lane::Apart, &[], || {
        let mut cargo = nightly("cargo");
        cargo.args(["miri", "test", "-p", "host-tests"]).args(TESTS);
        cargo.arg("--target-dir").arg(shell::root().join("target/miri"));
        // The tests read files, and nothing of them depends on the backend's speed.
        cargo.env("MIRIFLAGS", "-Zmiri-disable-isolation");
        checks::counted(&mut cargo)
    });
}

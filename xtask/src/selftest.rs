//! Proves that the gates can fail: each is shown what it must refuse.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::boards::Name;
use crate::firmware::{self, Variant};
use crate::shell::{self, say};
use crate::suite::{Lane, Suite, Tally};
use crate::{bench, checks, cycles, panics, perturb, setup, size};

/// Runs this program as one would type it and gives its exit code.
fn xtask(arguments: &[&str], change: impl FnOnce(&mut Command)) -> Result<(Option<i32>, Duration)> {
    let mut command = shell::command(std::env::current_exe()?);
    command.args(arguments);
    change(&mut command);
    say!("$ cargo xtask {}", arguments.join(" "));
    let started = Instant::now();
    let output = command.output().context("cannot start xtask")?;
    Ok((output.status.code(), started.elapsed()))
}

/// A step that runs `xtask` and expects an exit code.
fn expect(suite: &mut Suite<'_>, what: &str, arguments: &'static [&str], code: i32) {
    suite.step(format!("selftest: {what}"), Lane::Firmware, &[], move || {
        let (found, _) = xtask(arguments, |_| {})?;
        ensure!(found == Some(code), "ended with {found:?} instead of {code}");
        Ok(Tally::ONE)
    });
}

/// The steps of the self-test.
pub fn steps(suite: &mut Suite<'_>) {
    suite.step("selftest: firmware that hangs is killed at its deadline and gives 4", Lane::Firmware, &[], || {
        // Built first, so that the time below is the run's.
        firmware::build(Name::M4.board(), &["hang"], &Variant::default())?;
        let (code, taken) = xtask(&["qemu", "m4", "hang", "--deadline", "2"], |_| {})?;
        ensure!(code == Some(4), "ended with {code:?}");
        ensure!(taken < Duration::from_secs(20), "took {taken:?}");
        Ok(Tally::ONE)
    });
    expect(suite, "firmware that panics gives 1", &["qemu", "m4", "panic"], 1);
    expect(suite, "a HardFault gives 4", &["qemu", "m4", "hardfault"], 4);
    expect(suite, "a RISC-V exception gives 4", &["qemu", "rv32", "hardfault"], 4);
    expect(suite, "a mistyped board gives 2", &["qemu", "m5"], 2);
    #[cfg(unix)]
    suite.step("selftest: a missing QEMU gives 3", Lane::Apart, &[], || {
        let folder = shell::root().join("target/selftest");
        fs::create_dir_all(&folder)?;
        let link = folder.join("rustc");
        let rustc = shell::output(shell::command("sh").args(["-c", "command -v rustc"]))?;
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(rustc.trim(), &link)?;
        let (code, _) = xtask(&["--no-setup", "qemu", "m4", "panic"], |command| {
            command.env("PATH", &folder);
        })?;
        ensure!(code == Some(3), "ended with {code:?}");
        Ok(Tally::ONE)
    });
    suite.step("selftest: a wrong expectation on a board is found", Lane::Firmware, &[], || {
        firmware::build(Name::M4.board(), &["conformance"], &Variant::default())?;
        let tally = checks::conformance(Name::M4.board(), &["--perturb", "yes"])?;
        ensure!(tally.failed > 0 && tally.passed == 0, "{} of the perturbed cases passed", tally.passed);
        Ok(Tally::ONE)
    });
    suite.step("selftest: figures that have grown are refused", Lane::Apart, &[], || {
        let rows = bench::prove_gate()? + cycles::prove_gate()? + size::prove_gate()?;
        say!("{rows} figures, 3 % more instructions and cycles, 20 % more bytes: all refused");
        Ok(Tally::ONE)
    });
    suite.step("selftest: a README that shows another program is refused", Lane::Apart, &[], || {
        let text = fs::read_to_string(shell::root().join("README.md"))?;
        checks::readme_shows(&text)?;
        for file in checks::SHOWN {
            let source = fs::read_to_string(shell::root().join(file))?;
            let last = source.lines().rfind(|line| line.trim().len() > 1).context("the program has lines")?;
            ensure!(checks::readme_shows(&text.replace(last, "")).is_err(), "{file} may lack `{last}`");
        }
        Ok(Tally::ONE)
    });
    suite.step("selftest: check-panics names who panics", Lane::Firmware, &[], || {
        for name in [Name::M4, Name::Rv32] {
            let images = firmware::build(name.board(), &["panic"], &Variant::default())?;
            let found = panics::inspect(&images[0])?;
            let named = found.iter().any(|line| line.contains("panic::run") && line.contains("src/bin/panic.rs:11"));
            ensure!(named, "found {found:?}");
        }
        Ok(Tally::ONE)
    });
}

/// `xtask selftest`.
pub fn run(install: bool) -> Result<()> {
    setup::ensure(&[Name::M4.board(), Name::Rv32.board()], install)?;
    let mut suite = Suite::default();
    steps(&mut suite);
    // Builds the host's tests once per perturbation: too long for every `xtask test`.
    suite.step("selftest: each perturbed kernel makes its test fail", Lane::Apart, &[], perturb::run);
    suite.run()
}

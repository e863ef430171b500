//! Runs checks one after the other, all of them whatever fails, and sums up: `check`, `cross`, `test`.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::boards::{self, Board};
use crate::firmware::{self, Variant};
use crate::shell::{self, End, Kind, fault};
use crate::{bench, demo, panics, selftest, setup, size};

/// Longest that the host's tests may take.
const HOST_TESTS: Duration = Duration::from_secs(40 * 60);

/// One board for each backend: clippy sees the code that is compiled for the target alone.
const LINTED: [boards::Name; 5] =
    [boards::Name::M0, boards::Name::M3, boards::Name::M4, boards::Name::M55, boards::Name::Rv32];

/// Longest that one board's conformance run may take.
const CONFORMANCE: Duration = Duration::from_secs(900);

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u32,
    pub failed: u32,
}

impl Tally {
    /// A step that is one test.
    pub const ONE: Self = Self { passed: 1, failed: 0 };
}

/// The steps of one command.
#[derive(Default)]
pub struct Suite {
    rows: Vec<(String, Tally, Duration)>,
    faults: Vec<anyhow::Error>,
}

impl Suite {
    /// Runs a step. An error counts as a failed test, and so does a step that ran none.
    pub fn step(&mut self, name: &str, step: impl FnOnce() -> Result<Tally>) {
        println!("\n== {name}");
        let started = Instant::now();
        let (tally, error) = match step() {
            Ok(Tally { passed: 0, failed: 0 }) => (Tally { passed: 0, failed: 1 }, Some("no test ran".into())),
            Ok(tally) if tally.failed > 0 => (tally, Some(format!("{} failed", tally.failed))),
            Ok(tally) => (tally, None),
            Err(error) => {
                let text = format!("{error:#}");
                self.faults.push(error);
                (Tally { passed: 0, failed: 1 }, Some(text))
            }
        };
        let taken = started.elapsed();
        match error {
            Some(error) => println!("== {name}: FAILED after {:.0} s: {error}", taken.as_secs_f32()),
            None => println!("== {name}: ok, {:.0} s", taken.as_secs_f32()),
        }
        self.rows.push((name.to_owned(), tally, taken));
    }

    /// Prints the summary, whose last line is `N passed, N failed`.
    pub fn finish(self) -> Result<()> {
        println!();
        let mut all = Tally::default();
        for (name, tally, taken) in &self.rows {
            let mark = if tally.failed == 0 { "ok    " } else { "FAILED" };
            println!(
                "{mark} {:>6} passed {:>4} failed {:>6.1} s  {name}",
                tally.passed,
                tally.failed,
                taken.as_secs_f32()
            );
            all.passed += tally.passed;
            all.failed += tally.failed;
        }
        println!("{} passed, {} failed", all.passed, all.failed);
        let kinds: Vec<Kind> = self.faults.iter().map(shell::kind).collect();
        let worst = [Kind::ToolMissing, Kind::Hang].into_iter().find(|kind| kinds.contains(kind));
        // All was said: the error bears the exit code alone.
        if all.failed == 0 { Ok(()) } else { Err(fault(worst.unwrap_or(Kind::Failed), "")) }
    }

    /// Formatting, lints and documentation.
    pub fn check(&mut self) {
        self.step("fmt", || {
            shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
            Ok(Tally::ONE)
        });
        self.step("clippy", || {
            shell::run(shell::cargo().args([
                "clippy",
                "--all-targets",
                "--all-features",
                "--quiet",
                "--",
                "-Dwarnings",
            ]))?;
            Ok(Tally::ONE)
        });
        self.step("clippy of the firmware", || {
            for name in LINTED {
                let mut cargo = firmware::cargo("clippy", name.board(), &Variant::default());
                cargo.args(["-p", "board", "-p", "smolnn-core", "-p", "smolnn-fixed", "-p", "smolnn-float"]);
                // The programs are the same for all.
                if name == boards::Name::M4 {
                    cargo.args(["-p", "firmware", "-p", "minimal"]);
                }
                shell::run(cargo.args(["--", "-Dwarnings"]))?;
            }
            Ok(Tally::ONE)
        });
        self.step("docs", || {
            let mut cargo = shell::cargo();
            cargo.args(["doc", "--no-deps", "--all-features", "--quiet"]).env("RUSTDOCFLAGS", "-Dwarnings");
            shell::run(&mut cargo)?;
            Ok(Tally::ONE)
        });
    }

    /// Unit, integration and documentation tests on the host.
    pub fn host_tests(&mut self) {
        self.step("host tests", || {
            let mut cargo = shell::cargo();
            cargo.args(["test", "--all-features", "--no-fail-fast"]);
            println!("$ {}", shell::shown(&cargo));
            let mut tally = Tally::default();
            let end = shell::watch(&mut cargo, HOST_TESTS, |line| {
                // `test result: ok. 12 passed; 0 failed; …`
                if let Some(result) = line.strip_prefix("test result: ") {
                    let count = |what: &str| -> u32 {
                        let before = result.split(what).next().unwrap_or("");
                        before.rsplit([' ', '.', ';']).find_map(|word| word.parse().ok()).unwrap_or(0)
                    };
                    tally.passed += count(" passed");
                    tally.failed += count(" failed");
                }
                println!("{line}");
            })?;
            match end {
                End::Deadline => Err(fault(Kind::Hang, "the host's tests did not end in time")),
                // A test binary that crashed, or did not compile, counts as one failure more.
                End::Exit(status) if !status.success() && tally.failed == 0 => Ok(Tally { failed: 1, ..tally }),
                End::Exit(_) => Ok(tally),
            }
        });
    }

    /// The library for every target, as firmware builds it.
    pub fn cross(&mut self, boards: &[&Board]) {
        let mut seen = BTreeSet::new();
        for board in boards {
            let name = format!(
                "cross build for {}",
                [Some(board.triple), board.cpu].into_iter().flatten().collect::<Vec<_>>().join(", ")
            );
            if seen.insert(name.clone()) {
                self.step(&name, || {
                    let mut cargo = shell::cargo();
                    cargo.args([
                        "build",
                        "--release",
                        "--quiet",
                        "-p",
                        "smolnn",
                        "--target",
                        board.triple,
                        "--target-dir",
                    ]);
                    cargo.arg(shell::root().join("target/cross"));
                    let cpu = board.cpu.map_or(String::new(), |cpu| format!("-Ctarget-cpu={cpu}"));
                    shell::run(cargo.env("CARGO_ENCODED_RUSTFLAGS", cpu).env_remove("RUSTFLAGS"))?;
                    Ok(Tally::ONE)
                });
            }
        }
    }

    /// The firmware that the README shows: the same lines, and what it prints on a Cortex-M4.
    pub fn readme(&mut self) {
        self.step("firmware of the README", || {
            readme_shows(&fs::read_to_string(shell::root().join("README.md"))?)?;
            let board = boards::Name::M4.board();
            // As a stranger builds it: its own build script says how it is linked.
            let mut cargo = shell::cargo();
            cargo.args(["build", "--profile", "firmware", "--quiet", "-p", "minimal", "--target", board.triple]);
            shell::run(cargo.arg("--target-dir").arg(firmware::target()).env_remove("RUSTFLAGS"))?;
            let image = firmware::target().join(board.triple).join("firmware/minimal");
            let run = firmware::run(board, &image, &[], Duration::from_secs(60), |line| println!("{line}"))?;
            run.end.check("the firmware of the README")?;
            ensure!(run.lines == ["this is a 0"], "it printed {:?}", run.lines);
            Ok(Tally::ONE)
        });
    }

    /// All programs of each board at once: their links, one core each, then run side by side.
    pub fn build(&mut self, boards: &[&Board]) {
        let mut images = BTreeSet::new();
        for board in boards.iter().filter(|board| images.insert(board.image)) {
            self.step(&format!("firmware for {}", board.label()), || {
                firmware::build(board, &["conformance", "demo", "bench"], &Variant::default())?;
                Ok(Tally::ONE)
            });
        }
    }

    /// Kernels and models on every board.
    pub fn conformance(&mut self, boards: &[&Board]) {
        for board in boards {
            let name = format!("conformance on {} ({}, {})", board.label(), board.core, board.machine);
            self.step(&name, || conformance(board, &[]));
        }
    }

    /// The demo on every board.
    pub fn demo(&mut self, boards: &[&Board]) {
        for board in boards {
            self.step(&format!("demo on {}", board.label()), || {
                demo::on_board(board)?;
                Ok(Tally::ONE)
            });
        }
    }
}

/// The programs that the README shows, line by line.
pub const SHOWN: [&str; 2] = ["examples/minimal/build.rs", "examples/minimal/src/main.rs"];

/// Whether the text of the README has them as they are.
pub fn readme_shows(text: &str) -> Result<()> {
    for file in SHOWN {
        let source = fs::read_to_string(shell::root().join(file))?;
        let shown = format!("<!-- {file} -->\n```rust\n{source}```\n");
        ensure!(text.contains(&shown), "README.md does not show {file} as it is");
    }
    Ok(())
}

/// Runs a board's conformance image and counts its cases; prints what failed.
pub fn conformance(board: &Board, options: &[&str]) -> Result<Tally> {
    let images = firmware::build(board, &["conformance"], &Variant::default())?;
    let mut tally = Tally::default();
    let mut done = None;
    let run = firmware::run(board, &images[0], options, CONFORMANCE, |line| {
        if line.starts_with("pass ") {
            tally.passed += 1;
        } else {
            tally.failed += u32::from(line.starts_with("fail "));
            println!("{line}");
        }
        if let Some(counts) = line.strip_prefix("done ") {
            done = Some(counts.to_owned());
        }
    })?;
    // The firmware counts too: a lost line would show.
    if done.is_some_and(|done| done == format!("{} {}", tally.passed, tally.failed)) && tally.failed > 0 {
        return Ok(tally);
    }
    run.end.check(&format!("conformance on {}", board.label()))?;
    Ok(tally)
}

/// `xtask accuracy`: in a release build of its own, since it takes billions of evaluations.
pub fn accuracy(arguments: &[&str]) -> Result<()> {
    let mut cargo = shell::cargo();
    cargo.args(["run", "--release", "--quiet", "--package", "host-tests", "--bin", "accuracy", "--"]);
    shell::run(cargo.args(arguments))
}

/// `xtask check`.
pub fn check(install: bool) -> Result<()> {
    setup::ensure_targets(&boards::chosen(&LINTED), install)?;
    let mut suite = Suite::default();
    suite.check();
    suite.finish()
}

/// `xtask cross`.
pub fn cross(boards: &[&Board], install: bool) -> Result<()> {
    setup::ensure_targets(boards, install)?;
    let mut suite = Suite::default();
    suite.cross(boards);
    suite.finish()
}

/// `xtask test`.
pub fn test(boards: &[&Board], install: bool) -> Result<()> {
    setup::ensure(&boards::chosen(&[]), install)?;
    let mut suite = Suite::default();
    suite.check();
    suite.host_tests();
    suite.step("accuracy of the elementary functions", || {
        accuracy(&[])?;
        Ok(Tally::ONE)
    });
    suite.cross(boards);
    suite.readme();
    suite.build(boards);
    suite.conformance(boards);
    suite.demo(boards);
    suite.step("no panics in release firmware", || panics::check(boards));
    suite.step("size of firmware", || size::gate(boards));
    for board in boards {
        suite.step(&format!("instructions on {}", board.label()), || bench::gate(board));
    }
    selftest::steps(&mut suite);
    suite.finish()
}

//! The steps of `check`, `cross` and `test`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::boards::{self, Board, Name};
use crate::firmware::{self, Variant};
use crate::shell::{self, End, Kind, fault, say};
use crate::suite::{Lane, Step, Suite, Tally};
use crate::{
    bench, c_firmware, chips, cycles, demo, graphs, models, pages, panics, selftest, setup, size, toolchains, vision,
    wake_word,
};

/// Longest that the host's tests may take.
const HOST_TESTS: Duration = Duration::from_secs(40 * 60);

/// Longest that one board's conformance run may take.
const CONFORMANCE: Duration = Duration::from_secs(900);

/// Runs a command that is one test.
fn one(command: &mut std::process::Command) -> Result<Tally> {
    shell::run(command)?;
    Ok(Tally::ONE)
}

/// Formatting, lints, documentation and what the packages promise: of it, the tests of the packages alone run code.
fn check(suite: &mut Suite<'_>, install: bool) -> Result<()> {
    formatting(suite);
    suite.step("clippy", Lane::Host, &[], move || {
        one(shell::cargo().args(["clippy", "--all-targets", "--all-features", "--quiet", "--", "-Dwarnings"]))
    });
    suite.step("the importer without its features", Lane::Host, &[], || {
        for features in ["", "cli", "quantise"] {
            let mut cargo = shell::cargo();
            cargo.args(["clippy", "--quiet", "-p", "smolnn-import", "--no-default-features", "--features", features]);
            shell::run(cargo.args(["--", "-Dwarnings"]))?;
        }
        Ok(Tally::ONE)
    });
    suite.step("docs", Lane::Host, &[], move || {
        let mut cargo = shell::cargo();
        cargo.args(["doc", "--no-deps", "--all-features", "--quiet"]).env("RUSTDOCFLAGS", "-Dwarnings");
        one(&mut cargo)
    });
    suite.step("packages of the crates", Lane::Apart, &[], packages);
    // One board for each backend: clippy sees the code that is compiled for the target alone.
    suite.step("clippy of the firmware", Lane::Firmware, &[], move || {
        for name in boards::PER_BACKEND {
            let mut cargo = firmware::cargo("clippy", name.board(), &Variant::default());
            cargo.args(["-p", "board", "-p", "smolnn-core", "-p", "smolnn-fixed", "-p", "smolnn-float"]);
            // The programs are the same for all.
            if name == Name::M4 {
                cargo.args([
                    "-p",
                    "firmware",
                    "-p",
                    "graphs",
                    "-p",
                    "operators",
                    "-p",
                    "size",
                    "-p",
                    "minimal",
                    "-p",
                    "pytorch-gru",
                ]);
            }
            shell::run(cargo.args(["--", "-Dwarnings"]))?;
        }
        Ok(Tally::ONE)
    });
    toolchains::oldest_crates(suite, install);
    toolchains::oldest_rust(suite, install)
}

fn formatting(suite: &mut Suite<'_>) {
    suite.step("fmt", Lane::Apart, &[], move || one(shell::cargo().args(["fmt", "--all", "--check"])));
}

/// The crates that are published, in the order in which they depend on each other.
const PUBLISHED: [&str; 6] =
    ["smolnn-core", "smolnn-fixed", "smolnn-float", "smolnn-signal", "smolnn", "smolnn-import"];

/// Packs each crate as it would be published, holds its licences against the project's, and runs the tests that its package has. Those of the importer are
/// compiled: they are the host's tests again, which take minutes.
fn packages() -> Result<Tally> {
    for name in PUBLISHED {
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let own = fs::read(shell::root().join("crates").join(name).join(licence));
            let same = own.is_ok_and(|own| fs::read(shell::root().join(licence)).is_ok_and(|ours| ours == own));
            ensure!(same, "crates/{name} needs a copy of {licence}");
        }
    }
    let mut cargo = shell::cargo();
    cargo.args(["package", "--no-verify", "--allow-dirty", "--quiet"]);
    cargo.args(PUBLISHED.iter().flat_map(|name| ["-p", name])).env_remove("RUSTFLAGS");
    shell::run(&mut cargo)?;
    let folder = unpack()?;
    let within = |arguments: &[&str]| {
        let mut cargo = shell::cargo();
        cargo.args(arguments).args(["--quiet", "--all-features"]).current_dir(&folder);
        cargo.arg("--target-dir").arg(folder.join("target"));
        cargo
    };
    let [kernels @ .., importer] = PUBLISHED;
    let mut tests = within(&["test", "--no-fail-fast"]);
    let tally = counted(tests.args(kernels.iter().flat_map(|name| ["-p", name])))?;
    shell::run(within(&["check", "--tests"]).args(["-p", importer]))?;
    Ok(tally)
}

/// Unpacks the packages of all crates into a workspace of their own, which takes them for what a registry would give. Gives its folder.
fn unpack() -> Result<PathBuf> {
    let packed = shell::root().join("target/package");
    let folder = shell::root().join("target/unpacked");
    if folder.join("crates").exists() {
        fs::remove_dir_all(folder.join("crates"))?;
    }
    fs::create_dir_all(folder.join("crates"))?;
    let version = env!("CARGO_PKG_VERSION");
    let mut manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n\n[patch.crates-io]\n".to_owned();
    for name in PUBLISHED {
        let mut tar = shell::command("tar");
        tar.arg("-xzf").arg(packed.join(format!("{name}-{version}.crate"))).arg("-C").arg(folder.join("crates"));
        shell::output(&mut tar)?;
        manifest += &format!("{name} = {{ path = \"crates/{name}-{version}\" }}\n");
    }
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::copy(shell::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(folder)
}

/// Unit, integration and documentation tests on the host: of all packages that run there, or of these alone, and without the tests of these names.
fn host_tests(suite: &mut Suite<'_>, packages: Vec<&'static str>, left_out: Vec<&'static str>) {
    suite.step("host tests", Lane::Host, &[], move || {
        let mut cargo = shell::cargo();
        cargo.args(["test", "--all-features", "--no-fail-fast"]);
        cargo.args(packages.iter().flat_map(|name| ["-p", name]));
        if !left_out.is_empty() {
            cargo.arg("--").args(left_out.iter().flat_map(|name| ["--skip", name]));
        }
        counted(&mut cargo)
    });
}

/// Runs a `cargo test` and counts its tests.
pub fn counted(cargo: &mut std::process::Command) -> Result<Tally> {
    say!("$ {}", shell::shown(cargo));
    let mut tally = Tally::default();
    let end = shell::watch(cargo, HOST_TESTS, |line| {
        // `test result: ok. 12 passed; 0 failed; …`
        if let Some(result) = line.strip_prefix("test result: ") {
            let count = |what: &str| -> u32 {
                let before = result.split(what).next().unwrap_or("");
                before.rsplit([' ', '.', ';']).find_map(|word| word.parse().ok()).unwrap_or(0)
            };
            tally.passed += count(" passed");
            tally.failed += count(" failed");
        }
        say!("{line}");
    })?;
    match end {
        End::Deadline => Err(fault(Kind::Hang, "the tests did not end in time")),
        // A test binary that crashed, or did not compile, counts as one failure more.
        End::Exit(status) if !status.success() && tally.failed == 0 => Ok(Tally { failed: 1, ..tally }),
        End::Exit(_) => Ok(tally),
    }
}

/// The library for every target.
fn cross_builds(suite: &mut Suite<'_>, boards: &[&'static Board]) {
    let mut seen = BTreeSet::new();
    for &board in boards {
        let name = [Some(board.triple), board.cpu].into_iter().flatten().collect::<Vec<_>>().join(", ");
        if !seen.insert(name.clone()) {
            continue;
        }
        suite.step(format!("cross build for {name}"), Lane::Cross, &[], move || {
            let mut cargo = shell::cargo();
            cargo.args(["build", "--release", "--quiet", "-p", "smolnn", "--target", board.triple]);
            cargo.arg("--target-dir").arg(shell::root().join("target/cross"));
            let cpu = board.cpu.map_or(String::new(), |cpu| format!("-Ctarget-cpu={cpu}"));
            one(cargo.env("CARGO_ENCODED_RUSTFLAGS", cpu).env_remove("RUSTFLAGS"))
        });
    }
}

/// The firmware that the README shows: the same lines, and what it prints on a Cortex-M4; and the one that starts from PyTorch.
fn readme(suite: &mut Suite<'_>) {
    suite.step("firmware of the README", Lane::Firmware, &[], move || {
        readme_shows(&fs::read_to_string(shell::root().join("README.md"))?)?;
        let lines = example("minimal")?;
        ensure!(lines == ["this is a 0"], "it printed {lines:?}");
        Ok(Tally::ONE)
    });
    suite.step("GRU from PyTorch on m4", Lane::Firmware, &[], move || {
        let lines = example("pytorch-gru")?;
        let last = lines.last().map_or("", |line| line);
        ensure!(last.ends_with("21 of 21 bit for bit as on the host"), "it printed {lines:?}");
        Ok(Tally::ONE)
    });
}

/// Builds an example for a Cortex-M4, as a stranger builds it: its own build script says how it is linked. Gives what it prints.
fn example(name: &str) -> Result<Vec<String>> {
    let board = Name::M4.board();
    let mut cargo = shell::cargo();
    cargo.args(["build", "--profile", "firmware", "--quiet", "-p", name, "--target", board.triple]);
    shell::run(cargo.arg("--target-dir").arg(firmware::target()).env_remove("RUSTFLAGS"))?;
    let image = firmware::target().join(board.triple).join("firmware").join(name);
    let run = firmware::run(board, &image, &[], Duration::from_secs(60), shell::say_line)?;
    run.end.check(&format!("the example {name}"))?;
    Ok(run.lines)
}

/// Builds programs for the boards; the step that does it for each.
fn build(suite: &mut Suite<'_>, boards: &[&'static Board], programs: &'static [&str]) -> BTreeMap<Name, Step> {
    let mut step = |board: &'static Board| {
        suite.step(format!("firmware for {}", board.label()), Lane::Firmware, &[], move || {
            let (compared, others): (Vec<&str>, Vec<&str>) =
                programs.iter().copied().partition(|program| board.slow_mulh && *program == "conformance");
            for (programs, variant) in [(compared, Variant::conformance(board)), (others, Variant::default())] {
                if !programs.is_empty() {
                    firmware::build(board, &programs, &variant)?;
                }
            }
            Ok(Tally::ONE)
        })
    };
    boards.iter().map(|&board| (board.name, step(board))).collect()
}

/// Kernels and models on every board.
fn conformance_runs(suite: &mut Suite<'_>, boards: &[&'static Board], built: &BTreeMap<Name, Step>) {
    for &board in boards {
        let how = if board.slow_mulh { ", without MULH" } else { "" };
        let name = format!("conformance on {} ({}, {}{how})", board.label(), board.core, board.machine);
        suite.step(name, Lane::Apart, &[built[&board.name]], move || conformance(board, &[]));
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

/// Runs the conformance image of a board, for which it is built, and counts its cases; says what failed.
pub fn conformance(board: &Board, options: &[&str]) -> Result<Tally> {
    let image = firmware::image(board, "conformance", &Variant::conformance(board));
    let mut tally = Tally::default();
    let mut done = None;
    let run = firmware::run(board, &image, options, CONFORMANCE, |line| {
        if line.starts_with("pass ") {
            tally.passed += 1;
        } else {
            tally.failed += u32::from(line.starts_with("fail "));
            shell::say_line(line);
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
    cargo.args(["run", "--release", "--quiet", "--package", "accuracy", "--"]);
    shell::run(cargo.args(arguments))
}

/// `xtask check`.
pub fn run_check(install: bool) -> Result<()> {
    setup::ensure_targets(&boards::chosen(&boards::PER_BACKEND), install)?;
    let mut suite = Suite::default();
    check(&mut suite, install)?;
    suite.run()
}

/// `xtask cross`.
pub fn run_cross(boards: &[&'static Board], install: bool) -> Result<()> {
    setup::ensure_targets(boards, install)?;
    let mut suite = Suite::default();
    cross_builds(&mut suite, boards);
    suite.run()
}

/// What `test --quick` tests on the host beside the crates that are published.
const QUICK: [&str; 3] = ["smolnn-testkit", "host-tests", "xtask"];

/// The tests that `test --quick` leaves out, each behind its file: they try models by the thousand, and each takes longer than all the tests of most
/// crates.
const LONG: [(&str, &str); 7] = [
    ("tests/host/hostile/importer.rs", "bit_flips_do_not_panic"),
    ("tests/host/hostile/importer.rs", "overwritten_words_do_not_panic"),
    ("tests/host/hostile/importer.rs", "damaged_onnx_files_are_refused"),
    ("tests/host/golden/models.rs", "a_model_over_a_stream_gives_what_it_gives_over_windows"),
    ("crates/smolnn-import/src/plan/tests.rs", "random_nets_give_the_same_by_rows"),
    ("crates/smolnn-import/src/plan/tests.rs", "parts_along_the_width_give_the_same"),
    ("crates/smolnn-import/tests/quantise.rs", "int8_loses_less_than_half_a_point_and_is_not_below_tensorflow"),
];

/// `xtask test --quick`: what takes minutes and finds most.
pub fn run_quick(install: bool) -> Result<()> {
    let boards = [Name::M4.board()];
    setup::ensure(&boards, install)?;
    let mut suite = Suite::default();
    models::steps(&mut suite);
    // The models as generated code are left out: they take long to compile, and the board runs them.
    let long: Vec<&str> = LONG.iter().map(|(_, name)| *name).collect();
    suite.absent("the longest tests", &format!("`cargo xtask test` runs them: {}", long.join(", ")));
    host_tests(&mut suite, [&PUBLISHED[..], &QUICK].concat(), long);
    let built = build(&mut suite, &boards, &["conformance"]);
    conformance_runs(&mut suite, &boards, &built);
    formatting(&mut suite);
    suite.run()
}

/// `xtask test`: with `whole` also what `check` runs; with the firmware for `chips` and in C where they are asked for. Steps that others wait for
/// come first, and so do long ones.
pub fn run_test(boards: &[&'static Board], whole: bool, chips: bool, install: bool) -> Result<()> {
    setup::ensure(&boards::chosen(&[]), install)?;
    let mut suite = Suite::default();
    models::steps(&mut suite);
    host_tests(&mut suite, Vec::new(), Vec::new());
    let built = build(&mut suite, boards, &["conformance", "bench", "demo"]);
    suite.step("wake word on m4", Lane::Firmware, &[], wake_word::check);
    if whole && vision::has_model() {
        suite.step("pictures on the micro:bit", Lane::Firmware, &[], vision::check);
    }
    conformance_runs(&mut suite, boards, &built);
    for board in boards.iter().copied().filter(|board| graphs::BOARDS.contains(&board.name)) {
        let name = format!("random networks by rows on {}", board.label());
        suite.step(name, Lane::Firmware, &[], move || graphs::check(board));
    }
    for &board in boards {
        let image = [built[&board.name]];
        // Where cycles are modelled, their run of the firmware counts its instructions too.
        if cycles::is_modelled(board) {
            let name = format!("instructions and cycles on {}", board.label());
            suite.step(name, Lane::Apart, &image, move || cycles::gate(board));
        } else {
            suite.step(format!("instructions on {}", board.label()), Lane::Apart, &image, move || bench::gate(board));
        }
        suite.step(format!("demo on {}", board.label()), Lane::Apart, &image, move || {
            demo::show(board, &firmware::image(board, "demo", &Variant::default()))?;
            Ok(Tally::ONE)
        });
    }
    for &board in boards.iter().filter(|board| cycles::is_modelled(board)) {
        suite.step(format!("timings of the {}", board.core), Lane::Firmware, &[], move || cycles::rules(board));
    }
    for board in panics::inspected(boards) {
        let sized = size::measured(&[board]).len() == 1;
        let image =
            suite.step(format!("firmware of each model for {}", board.label()), Lane::Firmware, &[], move || {
                panics::build(board)?;
                if sized {
                    size::build(board, &size::models(), true, false)?;
                }
                Ok(Tally::ONE)
            });
        suite.step(format!("no panics on {}", board.label()), Lane::Apart, &[image], move || panics::check(board));
        if sized {
            suite.step(format!("size on {}", board.label()), Lane::Apart, &[image], move || size::gate(board));
        }
    }
    readme(&mut suite);
    pages::step(&mut suite);
    // CI builds for every chip: it has the time, and developers seldom notice that a crate of a chip has changed.
    chips::steps(&mut suite, chips || (whole && shell::is_ci() && chips::can_fetch()), install)?;
    c_firmware::steps(&mut suite, chips, install)?;
    selftest::steps(&mut suite);
    if whole {
        check(&mut suite, install)?;
        toolchains::miri(&mut suite, install);
    } else {
        formatting(&mut suite);
        suite.absent(
            "lints, documentation, packages, the oldest Rust and crates",
            "`cargo xtask check` runs them, and `test --whole`",
        );
        suite.absent("Miri, pictures on the micro:bit", "`test --whole` runs them");
        let others: Vec<String> = boards::chosen(&[])
            .iter()
            .filter(|board| !boards.iter().any(|b| b.name == board.name))
            .map(|board| board.label())
            .collect();
        suite.absent(&format!("the boards {}", others.join(", ")), "`test --board B` runs one, `test --whole` all");
    }
    suite.step("accuracy of the elementary functions", Lane::Release, &[], move || {
        accuracy(&[])?;
        Ok(Tally::ONE)
    });
    suite.run()
}

#[cfg(test)]
mod tests {
    use super::{LONG, fs, shell};

    /// A name that no test has leaves nothing out, and cargo does not say so.
    #[test]
    fn the_long_tests_are_where_they_are_said_to_be() {
        for (file, name) in LONG {
            let source = fs::read_to_string(shell::root().join(file)).expect(file);
            assert!(source.contains(&format!("fn {name}()")), "{file} has no test {name}");
        }
    }
}

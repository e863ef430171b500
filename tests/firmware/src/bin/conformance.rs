//! Every kernel and model on the board, bit for bit: the random cases that the host runs too, and the recorded golden data.
//! Lines: `pass NAME <tab> NOTE` or `fail NAME <tab> NOTE`, and `done PASSED FAILED` at the end.
#![no_std]
#![no_main]

use smolnn_testkit::cases;

board::entry!(run);

/// Words of memory for the random cases: small shapes on a board of 16 KiB.
const WORDS: usize = if cfg!(smolnn_small_board) { 1536 } else { 65_536 };

/// Random cases per kernel.
const ROUNDS: u32 = if cfg!(smolnn_small_board) { 20 } else { 60 };

/// Counts and prints.
#[derive(Default)]
struct Report {
    passed: u32,
    failed: u32,
}

impl Report {
    fn add(&mut self, passed: bool, name: core::fmt::Arguments<'_>, note: core::fmt::Arguments<'_>) {
        if passed {
            self.passed += 1;
            board::println!("pass {name}\t{note}");
        } else {
            self.failed += 1;
            board::println!("fail {name}\t{note}");
        }
    }
}

fn run() -> board::Exit {
    let mut report = Report::default();
    random_cases(&mut report);
    board::println!("done {} {}", report.passed, report.failed);
    // No case at all proves nothing.
    if report.failed == 0 && report.passed > 0 { board::Exit::Pass } else { board::Exit::Fail }
}

#[inline(never)]
fn random_cases(report: &mut Report) {
    let mut memory = [0; WORDS];
    cases::run(&mut memory, ROUNDS, &mut |kernel, outcome| {
        let name = format_args!("{}", kernel.name);
        match outcome.first {
            Some((seed, failure)) => {
                let (failed, cases) = (outcome.failed, outcome.cases);
                report.add(false, name, format_args!("{failed} of {cases} cases; seed {seed}: {failure:?}"));
            }
            None => report.add(outcome.passed(), name, format_args!("{} cases", outcome.cases)),
        }
    });
}

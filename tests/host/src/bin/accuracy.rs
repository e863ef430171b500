//! Error tables of the elementary functions: `cargo xtask accuracy [--full] [--bless]`.
//!
//! 2^24 floats by strata, or with `--full` all 2^32 (an hour). The table is compared with tests/expected/accuracy.txt, to the
//! digit: the functions are integer arithmetic and IEEE 754, the same on every machine; `--bless` rewrites it.
//! With `--full` only the bounds are checked. Exit codes: 0 pass, 1 failed, 2 usage.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use host_tests::accuracy::{HEAD, Inputs, integers, line, measure, reals};
use smolnn_testkit::golden::project;

fn main() -> ExitCode {
    let (mut full, mut bless) = (false, false);
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--full" => full = true,
            "--bless" => bless = true,
            _ => {
                eprintln!("{argument}: only --full and --bless are known");
                return ExitCode::from(2);
            }
        }
    }
    let inputs = if full { Inputs::All } else { Inputs::PerBinade(1 << 15) };
    let reals = reals();
    let found = Mutex::new(vec![None; reals.len()]);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((index, real)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, reals.get(i)?)))
                {
                    let one = measure(real, inputs);
                    eprintln!("{}", line(real.name, &one, real.monotonic));
                    found.lock().expect("no thread panics with it")[index] = Some(one);
                }
            });
        }
    });
    let found = found.into_inner().expect("no thread panics with it");
    let mut table = format!(
        "# Errors against f64, in units in the last place of the exact value; `absolute` where that is below 2^24. cargo xtask accuracy\n{HEAD}\n"
    );
    let mut faults = Vec::new();
    let measured = reals.iter().zip(found).filter_map(|(real, found)| Some((real.name, found?, real.monotonic)));
    let mut count = 0;
    for (name, found, monotonic) in measured.chain(integers()) {
        table += &line(name, &found, monotonic);
        table.push('\n');
        faults.extend(found.faults.iter().map(|fault| format!("{name}: {fault}")));
        count += 1;
    }
    print!("{table}");
    let path = project().join("tests/expected/accuracy.txt");
    if bless && !full {
        if let Err(error) = fs::write(&path, &table) {
            faults.push(format!("{}: {error}", path.display()));
        }
    } else if !full && fs::read_to_string(&path).ok().as_ref() != Some(&table) {
        faults.push(format!("the table differs from {}; --bless rewrites it", path.display()));
    }
    for fault in &faults {
        eprintln!("FAULT {fault}");
    }
    println!("{count} functions, {} faults", faults.len());
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

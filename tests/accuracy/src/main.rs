//! Error tables of the elementary functions: `cargo xtask accuracy [--full] [--function NAME] [--bless]`.
//!
//! 2^24 floats by strata, activations and their derivatives too; or with `--full` every finite float for the elementary
//! functions, ten minutes on two cores that do nothing else. The table is compared with
//! tests/expected/accuracy.txt (`--full`: accuracy-full.txt), to the digit: the functions are integer arithmetic and
//! IEEE 754, the same on every machine; `--bless` rewrites it. `--function` measures those whose names contain NAME, and
//! leaves the other lines of the table as they are. Exit codes: 0 pass, 1 failed, 2 usage.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use accuracy::{HEAD, Inputs, activations, integers, line, measure_all, reals};

fn main() -> ExitCode {
    let (mut full, mut bless, mut wanted) = (false, false, String::new());
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), &mut arguments) {
            ("--full", _) => full = true,
            ("--bless", _) => bless = true,
            ("--function", rest) => wanted = rest.next().unwrap_or_default(),
            _ => {
                eprintln!("{argument}: only --full, --function NAME and --bless are known");
                return ExitCode::from(2);
            }
        }
    }
    let inputs = if full { Inputs::All } else { Inputs::PerBinade(1 << 15) };
    let mut reals = reals();
    if !full {
        reals.extend(activations());
    }
    let chosen: Vec<_> = reals.iter().filter(|real| real.name.contains(&wanted)).copied().collect();
    let start = Instant::now();
    let told = Mutex::new(start);
    let progress = |done: usize, total: usize| {
        let Ok(mut told) = told.lock() else { return };
        if told.elapsed() > Duration::from_secs(10) {
            *told = Instant::now();
            eprintln!(
                "{:5.1} % after {:.1} min",
                100.0 * done as f64 / total as f64,
                start.elapsed().as_secs_f64() / 60.0
            );
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut measured = measure_all(&chosen, inputs, threads, &progress).into_iter();
    let found = reals.iter().map(|real| if real.name.contains(&wanted) { measured.next() } else { None });

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../expected");
    let path = folder.join(if full { "accuracy-full.txt" } else { "accuracy.txt" });
    let before = fs::read_to_string(&path).unwrap_or_default();
    if before.is_empty() && !bless {
        eprintln!("{} is not there: --bless writes it", path.display());
    }
    let mut table = format!(
        "# Errors against f64 over {}, in units in the last place of the exact value; `absolute`: relative where that is above 1. \
         cargo xtask accuracy{}\n{HEAD}\n",
        if full { "every finite float" } else { "2^24 floats" },
        if full { " --full" } else { "" },
    );
    let (mut faults, mut count) = (Vec::new(), 0);
    let integers = if full { Vec::new() } else { integers() }
        .into_iter()
        .map(|(name, found)| (name, true, name.contains(&wanted).then_some(found)));
    let functions = reals.iter().zip(found).map(|(real, found)| (real.name, real.monotonic, found));
    for (name, rises, found) in functions.chain(integers) {
        if let Some(found) = found {
            table += &line(name, rises, &found);
            table.push('\n');
            faults.extend(found.faults.iter().map(|fault| format!("{name}: {fault}")));
            count += 1;
        } else if let Some(line) = before.lines().find(|line| line.starts_with(&format!("{name:<24} "))) {
            table += line;
            table.push('\n');
        } else {
            faults.push(format!("{name} has no line in the table: measure it with --function, or all without"));
        }
    }
    print!("{table}");
    if count == 0 {
        faults.push(format!("no function is called {wanted}"));
    } else if bless {
        if let Err(error) = fs::write(&path, &table) {
            faults.push(format!("{}: {error}", path.display()));
        }
    } else if before != table {
        faults.push(format!("the table differs from {}; --bless rewrites it", path.display()));
    }
    for fault in &faults {
        eprintln!("FAULT {fault}");
    }
    println!("{count} functions, {} faults", faults.len());
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

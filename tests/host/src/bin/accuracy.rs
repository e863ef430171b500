//! Error tables of the elementary functions: `cargo xtask accuracy [--full] [--function NAME] [--bless]`.
//!
//! 2^24 floats by strata, or with `--full` every finite float (an hour and a half on two cores). The table is compared with
//! tests/expected/accuracy.txt (`--full`: accuracy-full.txt), to the digit: the functions are integer arithmetic and
//! IEEE 754, the same on every machine; `--bless` rewrites it. `--function` measures those whose names contain NAME, and
//! leaves the other lines of the table as they are. Exit codes: 0 pass, 1 failed, 2 usage.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

use host_tests::accuracy::{HEAD, Inputs, integers, line, measure, reals};
use smolnn_testkit::golden::project;

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
    let reals = reals();
    let found = Mutex::new(vec![None; reals.len()]);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((index, real)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, reals.get(i)?)))
                {
                    if real.name.contains(&wanted) {
                        let one = measure(real, inputs);
                        eprintln!("{}", line(real.name, &one));
                        found.lock().expect("no thread panics with it")[index] = Some(one);
                    }
                }
            });
        }
    });
    let found = found.into_inner().expect("no thread panics with it");

    let path = project().join(if full { "tests/expected/accuracy-full.txt" } else { "tests/expected/accuracy.txt" });
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut table = format!(
        "# Errors against f64 over {}, in units in the last place of the exact value; `absolute` where that is below 2^24. \
         cargo xtask accuracy{}\n{HEAD}\n",
        if full { "every finite float" } else { "2^24 floats" },
        if full { " --full" } else { "" },
    );
    let (mut faults, mut count) = (Vec::new(), 0);
    let integers = integers().into_iter().map(|(name, found)| (name, name.contains(&wanted).then_some(found)));
    for (name, found) in reals.iter().map(|real| real.name).zip(found).chain(integers) {
        if let Some(found) = found {
            table += &line(name, &found);
            table.push('\n');
            faults.extend(found.faults.iter().map(|fault| format!("{name}: {fault}")));
            count += 1;
        } else if let Some(line) = before.lines().find(|line| line.starts_with(&format!("{name:<24} "))) {
            table += line;
            table.push('\n');
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

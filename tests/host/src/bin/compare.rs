//! Compares a folder of models with what the reference interpreter gave: `compare FOLDER [--all]`.
//!
//! The folder holds the packs of random models that `tests/data/random_models/generate.py models FOLDER` writes, or a folder per model with
//! `model.tflite`, `io.txt` and recorded tensors, as the golden data have. `--all` shows every difference, and why models are refused.
//! Exit codes: 0 no difference, 1 differences, 2 usage.

use std::path::{Path, absolute};
use std::process::ExitCode;

use host_tests::models::{Outcome, compare};
use host_tests::random_models::Counts;
use smolnn_testkit::golden;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, all) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] => (folder, false),
        [folder, "--all"] => (folder, true),
        _ => {
            eprintln!("usage: compare FOLDER [--all]");
            return ExitCode::from(2);
        }
    };
    if has_models(Path::new(folder)) {
        return ExitCode::from(u8::from(!whole_models(folder)));
    }
    match Counts::of_folder(Path::new(folder)) {
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Ok(counts) => {
            print!("{counts}");
            let shown = if all { counts.differences.len() } else { 20 };
            for (name, text) in counts.differences.iter().take(shown) {
                println!("{name}: {text}");
            }
            if all {
                for (kind, text) in &counts.refusals {
                    println!("{kind} refused: {text}");
                }
            }
            if counts.differences.len() > shown {
                println!("… {} more: --all shows them", counts.differences.len() - shown);
            }
            ExitCode::from(u8::from(!counts.differences.is_empty()))
        }
    }
}

/// Whether a folder holds a folder per model.
fn has_models(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().join("io.txt").is_file())
}

/// Compares each model of a folder, and says what is refused and what differs; true when nothing differs.
fn whole_models(folder: &str) -> bool {
    let (mut equal, mut refused, mut different) = (0, 0, 0);
    let folder = absolute(folder).unwrap_or_else(|_| folder.into());
    for golden in golden::all(&folder.to_string_lossy()) {
        match compare(&golden) {
            Ok(Outcome::Equal(_)) => equal += 1,
            Ok(Outcome::Different(text)) => {
                different += 1;
                println!("different: {text}");
            }
            Err(error) => {
                refused += 1;
                println!("refused: {}: {error}", golden.name);
            }
        }
    }
    println!("{equal} models equal, {refused} refused, {different} different");
    different == 0
}

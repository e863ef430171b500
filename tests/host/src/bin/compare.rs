//! Compares a folder of random models with what the reference interpreter gave: `compare FOLDER [--all]`.
//!
//! The folder is what `tests/data/random_models/generate.py models FOLDER` writes. `--all` shows every difference, and why models are refused.
//! Exit codes: 0 no difference, 1 differences, 2 usage.

use std::path::Path;
use std::process::ExitCode;

use host_tests::random_models::Counts;

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

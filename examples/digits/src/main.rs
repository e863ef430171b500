//! The demo on the host.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut text = String::new();
    let exact = digits::run(&mut text, &mut |_| None);
    print!("{text}");
    if exact == Ok(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! The demo on a board: digits, accuracy, instructions, memory. See examples/digits.
#![no_std]
#![no_main]

use core::fmt;

board::entry!(run);

/// Semihosting as a screen.
struct Screen;

impl fmt::Write for Screen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        board::print!("{text}");
        Ok(())
    }
}

fn run() -> board::Exit {
    let counter = board::counter::Counter::start_from_options();
    let mut measure = |call: &mut dyn FnMut()| {
        let instructions = (counter.hundredths(call) + 50) / 100;
        Some(digits::Cost { instructions, stack_bytes: board::stack::high_water(call) })
    };
    let exact = digits::run(&mut Screen, &mut measure);
    if exact == Ok(true) { board::Exit::Pass } else { board::Exit::Fail }
}

//! The wake word on a board: it hears the WAV file of the option `--wav`, block by block over semihosting. See examples/wake-word.
#![no_std]
#![no_main]

use core::fmt::{self, Write};

use board::counter;
use wake_word::{Clock, Machine};

board::entry!(run);

/// Semihosting as a microphone and a screen.
struct Board {
    file: board::File,
    screen: Screen,
}

struct Screen;

impl fmt::Write for Screen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        board::print!("{text}");
        Ok(())
    }
}

impl Machine for Board {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, &'static str> {
        self.file.read(bytes)
    }

    fn screen(&mut self) -> &mut dyn Write {
        &mut self.screen
    }

    fn stack(&mut self, call: &mut dyn FnMut()) -> Option<usize> {
        Some(board::stack::high_water(call))
    }
}

fn run() -> board::Exit {
    let counter = counter::Counter::start_from_options();
    let clock = Clock {
        ticks: counter::ticks,
        model_ticks: counter::inner_ticks,
        mask: counter::MASK,
        instructions_per_1000_ticks: counter.instructions_per_1000_ticks(),
    };
    let Some(file) = board::option("--wav", |path| path.and_then(board::File::open)) else {
        board::println!("pass --wav FILE, a file that can be read");
        return board::Exit::Fail;
    };
    match wake_word::run(&mut Board { file, screen: Screen }, Some(clock)) {
        Ok(_) => board::Exit::Pass,
        Err(error) => {
            board::println!("{error}");
            board::Exit::Fail
        }
    }
}

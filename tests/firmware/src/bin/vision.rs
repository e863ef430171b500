//! Pictures on a board: row by row from the UART of the micro:bit, on other boards from the file of the option `--pictures` over semihosting. See
//! examples/vision.
#![no_std]
#![no_main]

use core::fmt::{self, Write};

use board::counter;
use vision::Machine;

board::entry!(run);

struct Board {
    bytes: Bytes,
    screen: Screen,
    counter: counter::Counter,
}

struct Screen;

impl fmt::Write for Screen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        board::print!("{text}");
        Ok(())
    }
}

/// Where the pictures come from.
#[cfg(smolnn_small_board)]
type Bytes = board::Uart;

#[cfg(not(smolnn_small_board))]
type Bytes = board::File;

#[cfg(smolnn_small_board)]
fn bytes() -> Option<Bytes> {
    Some(board::Uart::start())
}

#[cfg(not(smolnn_small_board))]
fn bytes() -> Option<Bytes> {
    board::option("--pictures", |path| path.and_then(board::File::open))
}

impl Machine for Board {
    fn byte(&mut self) -> Result<u8, &'static str> {
        let mut byte = [0];
        match self.bytes.read(&mut byte)? {
            0 => Err("the pictures end too early"),
            _ => Ok(byte[0]),
        }
    }

    fn screen(&mut self) -> &mut dyn Write {
        &mut self.screen
    }

    fn counted(&mut self, call: &mut dyn FnMut()) -> Option<u64> {
        let start = counter::ticks();
        call();
        let ticks = counter::ticks().wrapping_sub(start) & counter::MASK;
        Some(u64::from(ticks) * u64::from(self.counter.instructions_per_1000_ticks()) / 1000)
    }
}

fn run() -> board::Exit {
    let counter = counter::Counter::start_from_options();
    let Some(bytes) = bytes() else {
        board::println!("pass --pictures FILE, a file that can be read");
        return board::Exit::Fail;
    };
    let Some(arena) = board::taken!(vision::Arena, vision::Arena::new()) else {
        board::println!("the arena is taken");
        return board::Exit::Fail;
    };
    let mut seen = Ok(());
    let mut board = Board { bytes, screen: Screen, counter };
    let stack = board::stack::high_water(&mut || seen = vision::run(&mut board, arena));
    match seen {
        Ok(()) => {
            board::println!("stack       {} bytes", stack);
            board::Exit::Pass
        }
        Err(error) => {
            board::println!("{}", error);
            board::Exit::Fail
        }
    }
}

//! The demo on the host: `vision FILE`, of the bytes that a board takes from its UART.

use std::fmt::{self, Write};
use std::process::ExitCode;

struct Computer {
    bytes: std::vec::IntoIter<u8>,
    screen: Terminal,
}

struct Terminal;

impl Write for Terminal {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

impl vision::Machine for Computer {
    fn byte(&mut self) -> Result<u8, &'static str> {
        self.bytes.next().ok_or("the file ends within a picture")
    }

    fn screen(&mut self) -> &mut dyn Write {
        &mut self.screen
    }
}

fn main() -> ExitCode {
    let path = std::env::args_os().nth(1).unwrap_or_default();
    let seen = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display())).and_then(|bytes| {
        let mut computer = Computer { bytes: bytes.into_iter(), screen: Terminal };
        vision::run(&mut computer, &mut vision::Arena::new()).map_err(str::to_owned)
    });
    match seen {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

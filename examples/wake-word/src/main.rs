//! The demo on the host: `wake-word FILE.wav`.

use std::fmt::{self, Write};
use std::fs::File;
use std::io::Read;
use std::process::ExitCode;

struct Computer {
    file: File,
    screen: Terminal,
}

struct Terminal;

impl Write for Terminal {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

impl wake_word::Machine for Computer {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, &'static str> {
        self.file.read(bytes).map_err(|_| "the file cannot be read")
    }

    fn screen(&mut self) -> &mut dyn Write {
        &mut self.screen
    }
}

fn main() -> ExitCode {
    let path = std::env::args_os().nth(1).unwrap_or_default();
    let heard = File::open(&path).map_err(|error| format!("{}: {error}", path.display())).and_then(|file| {
        wake_word::run(&mut Computer { file, screen: Terminal }, None).map_err(|error| error.to_string())
    });
    match heard {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

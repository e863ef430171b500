//! The spectrogram in the terminal: time runs down, frequency to the right, the probability stands beside it.

use core::fmt::{self, Write};

use smolnn::stream::Detection;

use crate::{CHANNELS, Heard, SAMPLE_RATE, wake};

/// Frames of a line: 60 ms.
const FRAMES: u32 = 6;
/// Shades from silence to the loudest.
const SHADES: [&str; 6] = [" ", "·", "░", "▒", "▓", "█"];
/// What the next shade takes; features end at about 660.
const SHADE: u16 = 100;
/// Characters of a probability of 1.
const BAR: usize = 24;

/// Hundredths as a number with two digits behind the point.
pub(crate) struct Hundredths(pub u64);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Milliseconds as seconds.
pub(crate) struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>3}.{:02}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// One line in the making: the largest of its frames and probabilities.
pub(crate) struct Spectrogram {
    frames: u32,
    lines: u64,
    row: [u16; CHANNELS],
    probability: u8,
}

impl Spectrogram {
    pub(crate) const fn new() -> Self {
        Self { frames: 0, lines: 0, row: [0; CHANNELS], probability: 0 }
    }

    /// Adds what a block brought, and draws a line when it is full.
    pub(crate) fn add(&mut self, heard: &Heard, screen: &mut dyn Write) -> fmt::Result {
        self.probability = self.probability.max(heard.probability.unwrap_or(0));
        let Some(frame) = &heard.frame else { return Ok(()) };
        self.row.iter_mut().zip(frame).for_each(|(largest, &feature)| *largest = (*largest).max(feature));
        self.frames += 1;
        if self.frames < FRAMES {
            return Ok(());
        }
        self.lines += 1;
        // The end of the last window, which lasts 30 ms.
        write!(screen, "  {} │", Seconds(self.lines * u64::from(FRAMES) * 10 + 20))?;
        for feature in self.row {
            let shade = usize::from(feature / SHADE).min(SHADES.len() - 1);
            screen.write_str(SHADES[shade])?;
        }
        write!(screen, "│ ")?;
        // Rounded up: any probability above 0 shows.
        let bar = (usize::from(self.probability) * BAR).div_ceil(255);
        for place in 0..BAR {
            screen.write_str(if place < bar { "█" } else { " " })?;
        }
        writeln!(screen, " {}", Hundredths(u64::from(self.probability) * 100 / 255))?;
        (self.frames, self.row, self.probability) = (0, [0; CHANNELS], 0);
        Ok(())
    }

    /// Says that the word was heard.
    pub(crate) fn detection(&mut self, detection: &Detection, screen: &mut dyn Write) -> fmt::Result {
        writeln!(
            screen,
            "  {} ┿━━ heard \"{}\", probability {}",
            Seconds(detection.milliseconds(SAMPLE_RATE)),
            wake::WAKE_WORD,
            Hundredths(u64::from(detection.probability) * 100 / 255)
        )
    }
}

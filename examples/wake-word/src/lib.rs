//! The demo: a microcontroller listens to a WAV file block by block, as a microphone's DMA gives it, draws what it hears, and says when
//! it hears the word.
//!
//! The pipeline is the five lines of `Listener::new` and `Listener::block`; the rest reads the file, draws and counts.
//! `cargo xtask demo wake-word` runs it on a board under QEMU, `cargo xtask demo wake-word --host` natively.
#![no_std]

mod screen;
mod wav;

use core::fmt::{self, Write};

use smolnn::signal::micro::{self, MicroFrontend};
use smolnn::stream::{Detection, Event, StreamingModel, WakeWord};

smolnn::include_model!(pub wake);

const CHANNELS: usize = 40;
const SAMPLE_RATE: u32 = 16_000;
/// Samples per block: 10 ms.
const BLOCK: usize = 160;
/// Blocks during which the stack is measured and instructions are not counted.
const STACK_BLOCKS: u32 = 9;
/// The clock rate for which the load is told.
const MEGAHERTZ: u64 = 64;

const _: () = assert!(wake::FEATURE_STEP_MS == 10, "the front end of this demo steps by 10 ms");

/// What the demo needs of the machine that it runs on.
pub trait Machine {
    /// Reads bytes of the file; gives how many, 0 at its end.
    ///
    /// # Errors
    /// What went wrong.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, &'static str>;

    /// Where text goes.
    fn screen(&mut self) -> &mut dyn Write;

    /// Calls `call` once and gives the deepest stack in bytes, where that can be measured.
    fn stack(&mut self, call: &mut dyn FnMut()) -> Option<usize> {
        call();
        None
    }
}

/// A clock that counts executed instructions.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Reads the ticks so far, where the whole begins or ends.
    pub ticks: fn() -> u32,
    /// The same, where the model begins or ends.
    pub model_ticks: fn() -> u32,
    /// The bits that a reading has.
    pub mask: u32,
    /// Instructions in 1 000 ticks.
    pub instructions_per_1000_ticks: u32,
}

impl Clock {
    fn between(&self, start: u32, end: u32) -> u64 {
        (end.wrapping_sub(start) & self.mask).into()
    }

    fn instructions(&self, ticks: u64) -> u64 {
        ticks * u64::from(self.instructions_per_1000_ticks) / 1000
    }
}

/// The model, with a count of what its calls take.
struct Counted {
    model: wake::Model,
    clock: Option<Clock>,
    ticks: u64,
    calls: u64,
}

impl StreamingModel for Counted {
    const FEATURES: usize = wake::Model::FEATURES;

    fn features(&mut self) -> &mut [i8] {
        self.model.features()
    }

    fn call(&mut self) -> u8 {
        let start = self.clock.map_or(0, |clock| (clock.model_ticks)());
        let probability = self.model.call();
        self.ticks += self.clock.map_or(0, |clock| clock.between(start, (clock.model_ticks)()));
        self.calls += 1;
        probability
    }

    fn reset(&mut self) {
        StreamingModel::reset(&mut self.model);
    }
}

/// What a block brought.
#[derive(Default)]
struct Heard {
    frame: Option<[u16; CHANNELS]>,
    probability: Option<u8>,
    detection: Option<Detection>,
}

/// The pipeline.
struct Listener {
    ears: WakeWord<Counted>,
}

impl Listener {
    fn new(clock: Option<Clock>) -> Self {
        let model = Counted { model: wake::Model::new(), clock, ticks: 0, calls: 0 };
        Self { ears: WakeWord::new(MicroFrontend::default(), model, wake::DETECTOR) }
    }

    /// A block is a step of the front end, so that it brings one of each at most.
    fn block(&mut self, samples: &[i16]) -> Heard {
        let mut heard = Heard::default();
        self.ears.listen(samples, |event| match event {
            Event::Features(frame) => heard.frame = Some(*frame),
            Event::Probability(probability) => heard.probability = Some(probability),
            Event::Detected(detection) => heard.detection = Some(detection),
        });
        heard
    }
}

/// Why the demo ended too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The file cannot be read, or is none that the demo hears.
    File(&'static str),
    /// The screen takes no more text.
    Screen,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(what) => f.write_str(what),
            Self::Screen => f.write_str("the screen takes no more text"),
        }
    }
}

impl core::error::Error for Error {}

impl From<fmt::Error> for Error {
    fn from(_: fmt::Error) -> Self {
        Self::Screen
    }
}

/// Listens to the machine's file from its beginning to its end. Gives how often the word was heard.
///
/// # Errors
/// [`Error::File`] and [`Error::Screen`].
pub fn run(machine: &mut dyn Machine, clock: Option<Clock>) -> Result<u32, Error> {
    let mut listener = Listener::new(clock);
    let mut left = wav::open(machine).map_err(Error::File)? / 2;
    let samples = left;
    let mut drawing = screen::Spectrogram::new();
    let (mut detections, mut frames, mut ticks, mut stack, mut blocks) = (0, 0_u64, 0_u64, None, 0_u32);
    writeln!(machine.screen(), " seconds {:^CHANNELS$}   probability of \"{}\"", "125 Hz to 7500 Hz", wake::WAKE_WORD)?;
    while left > 0 {
        let mut bytes = [0; 2 * BLOCK];
        let count = (left as usize).min(BLOCK);
        wav::fill(machine, &mut bytes[..2 * count]).map_err(Error::File)?;
        let mut block = [0_i16; BLOCK];
        for (sample, &bytes) in block.iter_mut().zip(bytes.as_chunks().0) {
            *sample = i16::from_le_bytes(bytes);
        }
        left -= count as u32;
        let mut heard = Heard::default();
        if blocks < STACK_BLOCKS {
            stack = stack.max(machine.stack(&mut || heard = listener.block(&block[..count])));
            (listener.ears.model().ticks, listener.ears.model().calls) = (0, 0);
        } else {
            let start = clock.map_or(0, |clock| (clock.ticks)());
            heard = listener.block(&block[..count]);
            ticks += clock.map_or(0, |clock| clock.between(start, (clock.ticks)()));
            frames += u64::from(heard.frame.is_some());
        }
        blocks += 1;
        drawing.add(&heard, machine.screen())?;
        if let Some(detection) = heard.detection {
            detections += 1;
            drawing.detection(&detection, machine.screen())?;
        }
    }
    let model = listener.ears.model();
    let summary =
        Summary { samples, detections, frames, ticks, model_ticks: model.ticks, calls: model.calls, stack, clock };
    summary.write(machine.screen())?;
    Ok(detections)
}

/// The figures at the end.
struct Summary {
    samples: u32,
    detections: u32,
    frames: u64,
    ticks: u64,
    model_ticks: u64,
    calls: u64,
    stack: Option<usize>,
    clock: Option<Clock>,
}

impl Summary {
    fn write(&self, screen: &mut dyn Write) -> fmt::Result {
        let milliseconds = u64::from(self.samples) * 1000 / u64::from(SAMPLE_RATE);
        writeln!(screen, "\nsound     {} s, heard in blocks of {BLOCK} samples", screen::Seconds(milliseconds))?;
        let word = wake::WAKE_WORD;
        match self.detections {
            0 => writeln!(screen, "word        \"{word}\" was not heard")?,
            1 => writeln!(screen, "word        \"{word}\" was heard once")?,
            times => writeln!(screen, "word        \"{word}\" was heard {times} times")?,
        }
        if let (Some(clock), true) = (self.clock, self.frames > 0 && self.calls > 0) {
            let all = clock.instructions(self.ticks);
            let model = clock.instructions(self.model_ticks);
            let frontend = all.saturating_sub(model);
            let second = |instructions: u64| instructions * 100 / self.frames;
            writeln!(
                screen,
                "front end   {} instructions per frame of 10 ms, {} per second of sound",
                frontend / self.frames,
                second(frontend)
            )?;
            writeln!(
                screen,
                "model       {} instructions per call, {} per second of sound",
                model / self.calls,
                second(model)
            )?;
            // In hundredths of a per cent.
            let load = second(all) / (MEGAHERTZ * 100);
            writeln!(
                screen,
                "load        {} million instructions per second of sound: {}.{:02} % of {MEGAHERTZ} million",
                screen::Hundredths(second(all) / 10_000),
                load / 100,
                load % 100
            )?;
        }
        let (arena, state) = (wake::ARENA_BYTES, wake::STATE_BYTES);
        writeln!(
            screen,
            "RAM         {} bytes: front end {}, model {arena} of arena and {state} of state, the rest detector and counters",
            size_of::<Listener>(),
            size_of::<MicroFrontend>(),
        )?;
        if let Some(stack) = self.stack {
            writeln!(screen, "            {stack} bytes of stack at most")?;
        }
        writeln!(
            screen,
            "constants   {} bytes of model, {} bytes of front end without the factors of its FFT",
            wake::CONSTANT_BYTES,
            size_of_val(&micro::DEFAULT)
        )
    }
}

//! The demo: a microcontroller with 16 KB of RAM takes pictures row by row over its UART, as a camera gives them, and says whether there is a person.
//!
//! A picture has 27 KB, so that it never is in memory: the model takes each row as it comes, and its layers keep a few rows each. `see` is all of it; the
//! rest reads bytes and counts. `cargo xtask demo vision` runs it on a board under QEMU, and compares its outputs with those of this machine.
#![no_std]

use core::fmt::Write;

/// Words of the model's arena; none without a model.
#[cfg(vision_model)]
pub const ARENA_WORDS: usize = seeing::ARENA_WORDS;
/// Words of the model's arena; none without a model.
#[cfg(not(vision_model))]
pub const ARENA_WORDS: usize = 0;

/// The memory of the model.
pub type Arena = smolnn::Arena<ARENA_WORDS>;

/// What the demo needs of the machine that it runs on.
pub trait Machine {
    /// The next byte that comes.
    ///
    /// # Errors
    /// What went wrong, an end of the bytes among it.
    fn byte(&mut self) -> Result<u8, &'static str>;

    /// Where text goes.
    fn screen(&mut self) -> &mut dyn Write;

    /// Calls `call` once and gives the instructions that it took, where they can be counted.
    fn counted(&mut self, call: &mut dyn FnMut()) -> Option<u64> {
        call();
        None
    }
}

#[cfg(vision_model)]
mod seeing {
    use super::{Arena, Machine};

    smolnn::include_model!(sight);

    pub(super) use sight::ARENA_WORDS;

    const _: () = assert!(sight::OUTPUT_SHAPE[1] == 2, "the model tells pictures without a person from those with one");

    /// What is said of a picture: the two outputs of the model, and the instructions that it took.
    struct Seen {
        outputs: [i8; 2],
        instructions: Option<u64>,
    }

    /// Takes a picture row by row, bytes from 0 to 255, red, green and blue, and gives each row to the model.
    fn see(
        push_row: &mut dyn FnMut(&sight::Row) -> Option<sight::Output>,
        machine: &mut dyn Machine,
    ) -> Result<Seen, &'static str> {
        let mut instructions = Some(0);
        loop {
            let mut row: sight::Row = [0; _];
            for value in &mut row {
                *value = (machine.byte()? ^ 0x80) as i8;
            }
            let mut outputs = None;
            let counted = machine.counted(&mut || outputs = push_row(&row));
            instructions = instructions.zip(counted).map(|(sum, row)| sum + row);
            if let Some(outputs) = outputs {
                return Ok(Seen { outputs, instructions });
            }
        }
    }

    pub(super) fn run(machine: &mut dyn Machine, arena: &mut Arena) -> Result<(), &'static str> {
        let mut model = sight::Model::in_arena(arena);
        let text = |_| "the screen takes no text";
        let (rows, arena, constants) = (sight::ROWS, sight::ARENA_BYTES, sight::CONSTANT_BYTES);
        let picture = rows * size_of::<sight::Row>();
        writeln!(
            machine.screen(),
            "model       {picture} bytes of a picture in {rows} rows, {arena} bytes of arena, {constants} of constants"
        )
        .map_err(text)?;
        for picture in 0..machine.byte()? {
            let Seen { outputs: [without, with], instructions } =
                see(&mut |row| model.push_row(row).copied(), machine)?;
            let percent = (i32::from(with) + 128) * 100 / 256;
            let verdict = if with > without { "a person" } else { "nobody" };
            writeln!(machine.screen(), "picture {picture}   {verdict}: {percent} %, outputs {without} and {with}")
                .map_err(text)?;
            if let Some(instructions) = instructions {
                writeln!(machine.screen(), "            {instructions} instructions").map_err(text)?;
            }
        }
        Ok(())
    }
}

/// Looks at pictures: a byte says how many come, then there are their rows.
///
/// # Errors
/// What went wrong.
pub fn run(machine: &mut dyn Machine, arena: &mut Arena) -> Result<(), &'static str> {
    #[cfg(vision_model)]
    return seeing::run(machine, arena);
    #[cfg(not(vision_model))]
    {
        let _ = (machine, arena);
        Err(
            "this build has no model: set SMOLNN_VISION to one of 96 x 96 x 3 pictures and two classes, such as vww_96_int8.tflite of MLPerf Tiny",
        )
    }
}

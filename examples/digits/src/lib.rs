//! The demo: a network that this project trained recognises handwritten digits that it never saw.
//!
//! Everything runs on real input, the held-out split of tests/data/digits, and is compared bit for bit with what the
//! reference interpreter made of it. `cargo xtask demo` runs it on a board under QEMU, `cargo xtask demo --host` natively.
#![no_std]

use core::fmt::{self, Write};

smolnn::include_model!(pub digits);

/// Images that are classified: the first of the split, not chosen ones.
pub const IMAGES: usize = 100;

/// Images that are drawn.
const DRAWN: usize = 4;

const SIDE: usize = 8;
const CLASSES: usize = 10;

/// int8 `[450][8][8]`, as the model wants them.
static IMAGE_BYTES: &[u8] = include_bytes!("../../../tests/data/digits/images.bin");
/// int8 `[450][10]`: what the reference interpreter gave.
static REFERENCE: &[u8] = include_bytes!("../../../tests/data/digits/outputs.bin");
/// The digits that people meant.
static LABELS: &[u8] = include_bytes!("../../../tests/data/digits/labels.bin");

/// What one inference takes, where that can be counted.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Executed instructions.
    pub instructions: u64,
    /// Deepest stack in bytes.
    pub stack_bytes: usize,
}

/// Runs the demo. `measure` counts a call where the machine can. True when every output is the reference's.
///
/// # Errors
/// When `screen` takes no more text.
pub fn run(
    screen: &mut dyn Write,
    measure: &mut dyn FnMut(&mut dyn FnMut()) -> Option<Cost>,
) -> Result<bool, fmt::Error> {
    let mut model = digits::Model::new();
    let (mut right, mut exact) = (0, 0);
    let images = IMAGE_BYTES.as_chunks::<{ SIDE * SIDE }>().0;
    let references = REFERENCE.as_chunks::<CLASSES>().0;
    for (index, ((image, reference), &label)) in images.iter().zip(references).zip(LABELS).take(IMAGES).enumerate() {
        let scores = model.infer(&image.map(|pixel| pixel as i8));
        let (best, confidence) = best(scores);
        right += usize::from(best == usize::from(label));
        exact += usize::from(*scores == reference.map(|score| score as i8));
        if index < DRAWN {
            draw(screen, image)?;
            writeln!(screen, "  a {best}, {:.1} % sure; it is a {label}\n", confidence)?;
        }
    }
    writeln!(screen, "images      {IMAGES} handwritten digits that the network never saw")?;
    writeln!(screen, "recognised  {right} ({:.1} %)", 100.0 * right as f32 / IMAGES as f32)?;
    writeln!(screen, "exact       {exact} of {IMAGES} outputs are bit for bit the reference interpreter's")?;
    writeln!(screen, "work        {} multiply-accumulates per inference", digits::MACS)?;
    writeln!(screen, "RAM         {} bytes of arena", digits::ARENA_BYTES)?;
    let cost = measure(&mut || model.run());
    if let Some(cost) = cost {
        writeln!(screen, "            {} bytes of stack at most", cost.stack_bytes)?;
        writeln!(screen, "speed       {} instructions per inference", cost.instructions)?;
    }
    writeln!(screen, "weights     {} bytes of constants in flash", digits::CONSTANT_BYTES)?;
    Ok(exact == IMAGES)
}

/// The most probable digit, and its probability in per cent: scores have scale 1/256 and zero point −128.
fn best(scores: &[i8; CLASSES]) -> (usize, f32) {
    let mut best = 0;
    for (digit, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = digit;
        }
    }
    (best, f32::from(i16::from(scores[best]) + 128) / 2.56)
}

/// Draws an image, two characters per pixel.
fn draw(screen: &mut dyn Write, image: &[u8; SIDE * SIDE]) -> fmt::Result {
    const INK: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];
    for row in image.as_chunks::<SIDE>().0 {
        write!(screen, "  ")?;
        for &pixel in row {
            let level = (i32::from(pixel as i8) + 128) as usize * INK.len() / 256;
            write!(screen, "{}", INK.get(level).unwrap_or(&"  "))?;
        }
        writeln!(screen)?;
    }
    Ok(())
}

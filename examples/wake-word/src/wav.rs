//! The head of a WAV file: mono, 16 kHz, 16 bits.

use crate::{Machine, SAMPLE_RATE};

/// Reads up to the first sample; gives the bytes of samples that follow.
pub(crate) fn open(machine: &mut dyn Machine) -> Result<u32, &'static str> {
    let mut head = [0; 12];
    fill(machine, &mut head)?;
    if !head.starts_with(b"RIFF") || !head.ends_with(b"WAVE") {
        return Err("this is no WAV file");
    }
    let mut fits = false;
    loop {
        let mut chunk = [0; 8];
        fill(machine, &mut chunk)?;
        let [a, b, c, d, length @ ..] = chunk;
        let length = u32::from_le_bytes(length);
        match &[a, b, c, d] {
            b"data" if fits => return Ok(length),
            b"data" => return Err("the samples are not 16 bits, mono, 16 kHz: convert the file to that"),
            b"fmt " if length >= 16 => {
                let mut format = [0; 16];
                fill(machine, &mut format)?;
                let [kind, k, channels, c, rate @ .., _, _, _, _, _, _, bits, b] = format;
                let pcm = [kind, k] == [1, 0] && [channels, c] == [1, 0] && [bits, b] == [16, 0];
                fits = pcm && u32::from_le_bytes(rate) == SAMPLE_RATE;
                skip(machine, length - 16)?;
            }
            _ => skip(machine, length)?,
        }
    }
}

/// Fills all of the bytes from the file.
pub(crate) fn fill(machine: &mut dyn Machine, mut bytes: &mut [u8]) -> Result<(), &'static str> {
    while !bytes.is_empty() {
        match machine.read(bytes)? {
            0 => return Err("the WAV file ends too early"),
            count => bytes = bytes.get_mut(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Reads a chunk that says nothing here. Chunks have an even length.
fn skip(machine: &mut dyn Machine, length: u32) -> Result<(), &'static str> {
    for _ in 0..length.div_ceil(2) {
        fill(machine, &mut [0; 2])?;
    }
    Ok(())
}

//! The micro audio front end over a sound of the project's own: the host and every board must give the same features.
//!
//! The host's tests hold the front end against recordings of the reference, so that a board with the host's checksum is right too.

use smolnn_signal::micro::MicroFrontend;

use crate::Random;

/// Frames of the sound.
pub const FRAMES: u32 = 150;
/// [`checksum`] of a right front end.
pub const EXPECTED: u32 = 0x5E97_716A;

/// Silence, noise that swells to full scale, clipped noise, and noise that fades: all features of it in one number (FNV-1a).
pub fn checksum() -> (u32, u32) {
    let mut random = Random::new(1);
    let mut frontend = MicroFrontend::default();
    let (mut hash, mut frames) = (0x811C_9DC5_u32, 0);
    for block in 0..FRAMES as i32 + 2 {
        let level = match block {
            0..20 => 0_i64,
            20..60 => 1 << ((block - 20) * 16 / 40),
            60..80 => 1 << 18,
            _ => 1 << (16 - (block - 80) * 16 / 72),
        };
        let samples: [i16; 160] =
            core::array::from_fn(|_| ((i64::from(random.int16()) * level) >> 16).clamp(-32_768, 32_767) as i16);
        frontend.push(&samples, |frame| {
            frames += 1;
            for byte in frame.iter().flat_map(|feature| feature.to_le_bytes()) {
                hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            }
        });
    }
    (hash, frames)
}

#[cfg(test)]
mod tests {
    use super::{EXPECTED, FRAMES, checksum};

    #[test]
    fn the_features_are_those_of_the_recorded_front_end() {
        assert_eq!(checksum(), (EXPECTED, FRAMES));
    }
}

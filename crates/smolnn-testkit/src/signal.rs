//! The micro audio front end: over a sound of the project's own, of which the host and every board must give the same features, and stage by
//! stage against recordings of the reference.

use smolnn_signal::fft::{Complex, RealFft};
use smolnn_signal::micro::{
    GainControl, LogScale, MicroFrontend, NoiseReduction, Parameters, common_shift, energy, root,
};

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

/// The stages that are recorded, as the names of the recordings say them, each with the numbers that it has per window.
pub const STAGES: [(&str, usize); 11] = [
    ("windowed_i16", WINDOW),
    ("shift_i32", 1),
    ("scaled_i16", WINDOW),
    ("rfft_i16", 2 * BINS),
    ("energy_u32", BINS),
    ("filterbank_u64", CHANNELS),
    ("root_u32", CHANNELS),
    ("subtracted_u32", CHANNELS),
    ("noise_u32", CHANNELS),
    ("pcan_u32", CHANNELS),
    ("log_i16", CHANNELS),
];

const WINDOW: usize = 480;
const BINS: usize = 257;
const CHANNELS: usize = 40;

/// The least window and element at which a stage differs from its recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageDifference {
    /// The stage, as [`STAGES`] names it.
    pub stage: &'static str,
    /// The window.
    pub window: usize,
    /// The number of the stage's.
    pub index: usize,
}

/// Runs every stage on what is recorded of the stage before, for so many windows, and gives how many numbers were compared. `recorded` gives
/// the bytes of a stage.
///
/// The recorded model carries a window and filter weights of its own, rounded otherwise than those of the front end, so that these two stages
/// start from the recording; the features of whole recordings hold them.
///
/// # Errors
/// The first number that differs, or that the recording lacks.
pub fn compare_stages<'a>(windows: usize, recorded: impl Fn(&str) -> &'a [u8]) -> Result<u32, StageDifference> {
    let [windowed, shifts, scaled, spectra, energies, sums, roots, reduced, noise, gained, logs] =
        STAGES.map(|(name, length)| Stage { name, length, bytes: recorded(name) });
    let parameters = Parameters::DEFAULT;
    let Parameters { smoothing_bits, even_smoothing, odd_smoothing, min_signal_remaining, .. } = parameters;
    let refused = |stage: &'static str| move |_| StageDifference { stage, window: 0, index: 0 };
    let fft = RealFft::new(512).map_err(refused("rfft_i16"))?;
    let reduction = NoiseReduction::new(smoothing_bits, even_smoothing, odd_smoothing, min_signal_remaining);
    let reduction = reduction.map_err(refused("subtracted_u32"))?;
    let gain = GainControl::new(&parameters, 3).map_err(refused("pcan_u32"))?;
    let log = LogScale::new(true, parameters.scale_shift, 3).map_err(refused("log_i16"))?;
    let mut compared = 0;
    for window in 0..windows {
        let mut check = |stage: &Stage<'_>, index: usize, found: u64| {
            compared += 1;
            let right = stage.get(window, index) == Some(found);
            if right { Ok(()) } else { Err(StageDifference { stage: stage.name, window, index }) }
        };
        let mut samples = [0; WINDOW];
        for (index, sample) in samples.iter_mut().enumerate() {
            *sample = windowed.get(window, index).unwrap_or(0) as i16;
        }
        let shift = common_shift(samples.iter().copied());
        check(&shifts, 0, u64::from(shift))?;
        for (index, sample) in samples.iter_mut().enumerate() {
            *sample <<= shift;
            check(&scaled, index, u64::from(*sample as u16))?;
        }
        let mut spectrum = [Complex::default(); BINS];
        fft.transform(&samples, &mut spectrum).map_err(refused("rfft_i16"))?;
        for (bin, &value) in spectrum.iter().enumerate() {
            check(&spectra, 2 * bin, u64::from(value.re() as u16))?;
            check(&spectra, 2 * bin + 1, u64::from(value.im() as u16))?;
            // The recording leaves the bins outside of the filter bank at 0.
            if energies.get(window, bin) != Some(0) {
                check(&energies, bin, u64::from(energy(value)))?;
            }
        }
        for channel in 0..CHANNELS {
            let before = |stage: &Stage<'_>, window: usize| stage.get(window, channel).unwrap_or(0) as u32;
            let signal = root(sums.get(window, channel).unwrap_or(0)) >> shift;
            check(&roots, channel, u64::from(signal))?;
            // The estimate before the first window is not recorded: the first window gives it.
            if let Some(last) = window.checked_sub(1) {
                let mut estimate = before(&noise, last);
                check(&reduced, channel, u64::from(reduction.apply(channel, signal, &mut estimate)))?;
                check(&noise, channel, u64::from(estimate))?;
            }
            let amplified = gain.apply(before(&reduced, window), before(&noise, window));
            check(&gained, channel, u64::from(amplified))?;
            check(&logs, channel, u64::from(log.apply(amplified)))?;
        }
    }
    Ok(compared)
}

/// What is recorded of a stage.
struct Stage<'a> {
    name: &'static str,
    length: usize,
    bytes: &'a [u8],
}

impl Stage<'_> {
    /// A number of a window, its bits without sign.
    fn get(&self, window: usize, index: usize) -> Option<u64> {
        // The name ends with the bits of a number.
        let size = match self.name.rsplit(['i', 'u']).next() {
            Some("16") => 2,
            Some("32") => 4,
            _ => 8,
        };
        let bytes = self.bytes.get((window * self.length + index) * size..)?.get(..size)?;
        Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

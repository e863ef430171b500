//! Features of sound. The micro audio front end: over a sound of the project's own, of which the host and every board must give the same features,
//! and stage by stage against recordings of the reference. MFCC against recordings of librosa and torchaudio (tests/data/signal).

use smolnn_core::shape;
use smolnn_signal::fft::{Complex, RealFft};
use smolnn_signal::mel::{self, Dct, DctNorm, DctQ15, LOG_BITS, Log, Mfcc, MfccQ15, Tables, TablesQ15};
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

/// Samples of the recorded sound that [`mfcc_errors`] takes.
pub const MFCC_SAMPLES: usize = 2048;
/// Frames whose windows lie within these samples.
pub const MFCC_FRAMES: usize = 12;
/// Coefficients of a frame.
pub const COEFFICIENTS: usize = 13;

const LIBROSA: mel::Parameters = mel::Parameters {
    sample_rate: 16_000,
    window: 512,
    hop: 160,
    log: Log::Decibel { reference: 1.0, least: 1e-10 },
    ..mel::Parameters::LIBROSA
};
const TORCHAUDIO: mel::Parameters =
    mel::Parameters { hop: 160, log: Log::Natural { offset: 1e-6 }, ..mel::Parameters::TORCHAUDIO };

/// MFCC of one library's conventions.
struct Convention {
    recording: &'static str,
    tables: Tables<256, CHANNELS>,
    tables_q15: TablesQ15<256, CHANNELS>,
    /// The most that f32 and Q15 may be off, of the largest recorded value: the sound is quiet where it begins, which 16 bits show.
    tolerances: [f32; 2],
}

static CONVENTIONS: [Convention; 2] = [
    Convention {
        recording: "librosa_mfcc",
        tables: shape!(Tables::new(&LIBROSA)),
        tables_q15: shape!(TablesQ15::new(&LIBROSA)),
        tolerances: [1e-5, 0.02],
    },
    Convention {
        recording: "torchaudio_mfcc_log",
        tables: shape!(Tables::new(&TORCHAUDIO)),
        tables_q15: shape!(TablesQ15::new(&TORCHAUDIO)),
        tolerances: [1e-5, 0.05],
    },
];
static DCT: Dct<CHANNELS, COEFFICIENTS> = shape!(Dct::new(DctNorm::Orthonormal, 0.0));
static DCT_Q15: DctQ15<CHANNELS, COEFFICIENTS> = shape!(DctQ15::new(DctNorm::Orthonormal, 0.0));

/// How far MFCC lie from a recording.
#[derive(Clone, Copy, Debug)]
pub struct MfccError {
    /// The recording.
    pub recording: &'static str,
    /// The number format, `f32` or `q15`.
    pub format: &'static str,
    /// The largest difference, of the largest recorded value; not a number where frames are missing.
    pub worst: f32,
    /// The most that it may be.
    pub tolerance: f32,
}

impl MfccError {
    /// Whether the features are near enough.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.worst <= self.tolerance
    }
}

/// MFCC of the recorded sound's first samples, in f32 and in Q15, against what both libraries make of it. `recorded` gives the bytes of a recording,
/// `input` among them: little-endian int16 samples, f32 coefficients.
pub fn mfcc_errors<'a>(recorded: impl Fn(&str) -> &'a [u8], mut visit: impl FnMut(MfccError)) {
    let sound = recorded("input").as_chunks().0.iter().map(|&bytes| i16::from_le_bytes(bytes));
    for Convention { recording, tables, tables_q15, tolerances } in &CONVENTIONS {
        let expected = recorded(recording).as_chunks().0;
        let mut error = |format, tolerance, found: &Difference<'_>| {
            let worst = if found.frames == MFCC_FRAMES { found.worst / found.largest() } else { f32::NAN };
            visit(MfccError { recording, format, worst, tolerance });
        };
        let (mut mfcc, mut difference) = (Mfcc::new(tables, &DCT), Difference::new(expected));
        sound.clone().for_each(|sample| mfcc.push_int16(&[sample], |frame| difference.add(frame)));
        error("f32", tolerances[0], &difference);
        let (mut mfcc, mut difference) = (MfccQ15::new(tables_q15, &DCT_Q15), Difference::new(expected));
        let real = |value: i32| value as f32 / (1 << LOG_BITS) as f32;
        sound.clone().for_each(|sample| mfcc.push(&[sample], |frame| difference.add(&frame.map(real))));
        error("q15", tolerances[1], &difference);
    }
}

/// The largest difference from recorded frames.
struct Difference<'a> {
    expected: &'a [[u8; 4]],
    frames: usize,
    worst: f32,
}

impl<'a> Difference<'a> {
    fn new(expected: &'a [[u8; 4]]) -> Self {
        Self { expected, frames: 0, worst: 0.0 }
    }

    fn add(&mut self, frame: &[f32; COEFFICIENTS]) {
        for (index, value) in frame.iter().enumerate() {
            let recorded = self.expected.get(self.frames * COEFFICIENTS + index);
            let error = recorded.map_or(f32::NAN, |&bytes| (value - f32::from_le_bytes(bytes)).abs());
            // Nothing is larger than what is not a number, so that this stays the worst.
            if error.is_nan() || error > self.worst {
                self.worst = error;
            }
        }
        self.frames += 1;
    }

    fn largest(&self) -> f32 {
        self.expected.iter().fold(0.0, |most: f32, &bytes| most.max(f32::from_le_bytes(bytes).abs()))
    }
}

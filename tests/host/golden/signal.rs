//! The micro audio front end against recordings of the reference: every stage, the features of whole recordings, blocks cut anywhere.

use smolnn_signal::fft::{Complex, RealFft};
use smolnn_signal::micro::{
    GainControl, LogScale, MicroFrontend, NoiseReduction, Parameters, common_shift, energy, root,
};
use smolnn_testkit::golden::{blob, to_i16, to_i32};

pub(crate) const WAKE: &str = "../shared/golden/wake";
pub(crate) const WINDOW: usize = 480;
const BINS: usize = 257;
pub(crate) const CHANNELS: usize = 40;
/// Recorded calls of every stage.
const CALLS: usize = 60;

/// Recordings that have features.
pub(crate) const SOUNDS: [&str; 6] = ["okay_nabu", "okay_nabu_2", "okay_nabu_noise", "inside", "hey_jarvis_2", "other"];

fn unsigned(bytes: &[u8]) -> Vec<u32> {
    to_i32(bytes).into_iter().map(|value| value as u32).collect()
}

fn unsigned_64(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|&bytes| u64::from_le_bytes(bytes)).collect()
}

/// The samples of a WAV file of 16 bits, mono: what lies behind the word `data` and its length.
pub(crate) fn samples(name: &str) -> Option<Vec<i16>> {
    let bytes = blob(&format!("{WAKE}/{name}.wav"))?;
    let data = bytes.windows(4).position(|word| word == b"data").expect("a WAV file has data");
    Some(to_i16(&bytes[data + 8..]))
}

fn features(name: &str) -> Option<Vec<u16>> {
    Some(to_i16(&blob(&format!("{WAKE}/{name}.features.bin"))?).into_iter().map(|value| value as u16).collect())
}

/// The recorded model carries a window and filter weights of its own, rounded otherwise than those of the front end, so that
/// these two stages start from the recording; the features of whole recordings hold them.
#[test]
fn every_stage_of_the_front_end_equals_the_reference() {
    let Some(windows) = blob(&format!("{WAKE}/stage_windowed_i16.bin")) else { return };
    let read = |name| blob(&format!("{WAKE}/stage_{name}.bin")).expect("the recording has all stages");
    let (windows, scaled) = (to_i16(&windows), to_i16(&read("scaled_i16")));
    let (shifts, spectra) = (to_i32(&read("shift_i32")), to_i16(&read("rfft_i16")));
    let (energies, sums) = (unsigned(&read("energy_u32")), unsigned_64(&read("filterbank_u64")));
    let (roots, reduced) = (unsigned(&read("root_u32")), unsigned(&read("subtracted_u32")));
    let (noise, gained) = (unsigned(&read("noise_u32")), unsigned(&read("pcan_u32")));
    let logs = to_i16(&read("log_i16"));

    let parameters = Parameters::DEFAULT;
    let Parameters { smoothing_bits, even_smoothing, odd_smoothing, min_signal_remaining, .. } = parameters;
    let fft = RealFft::new(512).unwrap();
    let reduction = NoiseReduction::new(smoothing_bits, even_smoothing, odd_smoothing, min_signal_remaining).unwrap();
    let gain = GainControl::new(&parameters, 3).unwrap();
    let log = LogScale::new(true, parameters.scale_shift, 3).unwrap();
    let mut estimates: Option<Vec<u32>> = None;
    for call in 0..CALLS {
        let window = &windows[call * WINDOW..][..WINDOW];
        let of_call = |all: &[u32]| all[call * CHANNELS..][..CHANNELS].to_vec();
        let shift = common_shift(window.iter().copied());
        assert_eq!(shift as i32, shifts[call], "shift {call}");
        let shifted: Vec<i16> = window.iter().map(|&x| x << shift).collect();
        assert_eq!(shifted, &scaled[call * WINDOW..][..WINDOW], "scaled {call}");
        let mut spectrum = [Complex::default(); BINS];
        fft.transform(&shifted, &mut spectrum).unwrap();
        let flat: Vec<i16> = spectrum.iter().flat_map(|bin| [bin.re(), bin.im()]).collect();
        assert_eq!(flat, &spectra[call * 2 * BINS..][..2 * BINS], "FFT {call}");
        // The recording leaves the bins outside of the filter bank at 0.
        let recorded = &energies[call * BINS..][..BINS];
        for bin in (0..BINS).filter(|&bin| recorded[bin] != 0) {
            assert_eq!(recorded[bin], energy(spectrum[bin]), "energy {call}, bin {bin}");
        }
        let signals: Vec<u32> = sums[call * CHANNELS..][..CHANNELS].iter().map(|&sum| root(sum) >> shift).collect();
        assert_eq!(signals, of_call(&roots), "root {call}");
        // The estimate before the first recorded call is not known: the first call gives it.
        if let Some(estimates) = &mut estimates {
            let clean: Vec<u32> = signals
                .iter()
                .zip(estimates)
                .enumerate()
                .map(|(channel, (&signal, estimate))| reduction.apply(channel, signal, estimate))
                .collect();
            assert_eq!(clean, of_call(&reduced), "noise reduction {call}");
        }
        assert!(estimates.is_none_or(|estimates| estimates == of_call(&noise)), "noise estimate {call}");
        estimates = Some(of_call(&noise));
        let amplified: Vec<u32> =
            of_call(&reduced).iter().zip(of_call(&noise)).map(|(&signal, noise)| gain.apply(signal, noise)).collect();
        assert_eq!(amplified, of_call(&gained), "gain {call}");
        let ends: Vec<i16> = amplified.iter().map(|&signal| log.apply(signal) as i16).collect();
        assert_eq!(ends, &logs[call * CHANNELS..][..CHANNELS], "logarithm {call}");
    }
}

#[test]
fn features_of_recordings_equal_the_reference() {
    for name in SOUNDS {
        let (Some(samples), Some(expected)) = (samples(name), features(name)) else { return };
        let mut frontend = MicroFrontend::default();
        let mut found = Vec::new();
        frontend.push(&samples, |frame| found.extend_from_slice(frame));
        assert_eq!(found.len(), expected.len(), "{name}: frames");
        for (frame, (found, expected)) in found.chunks(CHANNELS).zip(expected.chunks(CHANNELS)).enumerate() {
            assert_eq!(found, expected, "{name}: frame {frame}");
        }
    }
}

#[test]
fn features_do_not_depend_on_how_the_sound_is_cut_nor_on_saving() {
    let samples: Vec<i16> = (0..16_000_i32).map(|t| (t * t % 7919 * 8 - 31_000) as i16).collect();
    let mut whole = Vec::new();
    MicroFrontend::default().push(&samples, |frame| whole.push(*frame));
    assert_eq!(whole.len(), 98);
    for block in [1, 7, 159, 160, 161, 480, 1000, 16_000] {
        let mut frontend = MicroFrontend::default();
        let mut found = Vec::new();
        for samples in samples.chunks(block) {
            frontend.push(samples, |frame| found.push(*frame));
            let state = frontend.save();
            frontend = MicroFrontend::default();
            frontend.restore(&state);
        }
        assert!(found == whole, "blocks of {block}");
        frontend.reset();
        assert_eq!(frontend.save(), MicroFrontend::default().save());
    }
}

#[test]
fn extreme_sounds_are_defined() {
    for sound in [[0; 2], [i16::MIN; 2], [i16::MAX; 2], [i16::MIN, i16::MAX]] {
        let mut frames = 0;
        let mut frontend = MicroFrontend::default();
        for _ in 0..8000 {
            frontend.push(&sound, |_| frames += 1);
        }
        assert_eq!(frames, 98);
        assert!(sound != [0; 2] || frontend.state().noise().iter().all(|&noise| noise == 0));
    }
}

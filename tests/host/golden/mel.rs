//! Mel spectrograms and MFCC against recordings of librosa and torchaudio (tests/data/signal).

use smolnn_core::shape;
use smolnn_signal::mel::{
    Dct, DctNorm, DctQ15, FilterNorm, LOG_BITS, Log, MelScale, MelSpectrogram, MelSpectrogramQ15, Mfcc, MfccQ15,
    Padding, Parameters, Spectrum, Symmetry, Tables, TablesQ15, WindowShape, limit_range,
};
use smolnn_testkit::golden::{blob, to_f32, to_i16};
use smolnn_testkit::signal::{COEFFICIENTS, MFCC_FRAMES, MFCC_SAMPLES, MfccError, mfcc_errors};

const FOLDER: &str = "tests/data/signal";

/// The largest error of a recording, relative to its largest value; 2.8e-6 was measured.
const TOLERANCE: f32 = 1e-5;

fn input() -> Vec<i16> {
    to_i16(&blob(&format!("{FOLDER}/input.bin")).expect("the sound is part of the project"))
}

fn recorded(name: &str) -> Vec<f32> {
    to_f32(&blob(&format!("{FOLDER}/{name}.bin")).expect("the recording is part of the project"))
}

/// The largest difference, relative to the largest recorded value.
fn worst(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "as many values as were recorded");
    let largest = expected.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
    let worst = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    // A difference that is not a number is infinite.
    worst.fold(0.0, |most: f32, error| if error.is_nan() { f32::INFINITY } else { most.max(error) }) / largest
}

fn near(name: &str, found: &[f32]) {
    let worst = worst(found, &recorded(name));
    println!("{name}: {worst:e}");
    assert!(worst <= TOLERANCE, "{name}: {worst:e} of the largest value");
}

/// All frames, the sound cut into blocks.
fn frames<const HALF: usize, const BANDS: usize>(tables: &'static Tables<HALF, BANDS>, block: usize) -> Vec<f32> {
    let (mut mel, mut found) = (MelSpectrogram::new(tables), Vec::new());
    for samples in input().chunks(block) {
        mel.push_int16(samples, |frame| found.extend_from_slice(frame));
        // A stream goes on from what was saved.
        let state = mel.save();
        mel.reset();
        mel.restore(&state);
    }
    mel.finish(|frame| found.extend_from_slice(frame)).expect("the sound is longer than a frame");
    found
}

const LIBROSA: Parameters = Parameters { sample_rate: 16_000, window: 512, hop: 160, ..Parameters::LIBROSA };
const TORCHAUDIO: Parameters = Parameters { hop: 160, ..Parameters::TORCHAUDIO };
const DECIBEL: Log = Log::Decibel { reference: 1.0, least: 1e-10 };
const HTK_LOG: Parameters = Parameters {
    scale: MelScale::Htk,
    norm: FilterNorm::None,
    padding: Padding::None,
    lowest: 125.0,
    highest: Some(7500.0),
    log: Log::Natural { offset: 1e-6 },
    ..LIBROSA
};

static LIBROSA_POWER: Tables<256, 40> = shape!(Tables::new(&LIBROSA));
static LIBROSA_DECIBEL: Tables<256, 40> = shape!(Tables::new(&Parameters { log: DECIBEL, ..LIBROSA }));
static TORCHAUDIO_LOG: Tables<256, 40> =
    shape!(Tables::new(&Parameters { log: Log::Natural { offset: 1e-6 }, ..TORCHAUDIO }));

#[test]
fn spectrograms_are_those_of_librosa() {
    near("librosa_power", &frames(&LIBROSA_POWER, 5000));
    near("librosa_decibel", &frames(&LIBROSA_DECIBEL, 5000));

    const HALF_REFERENCE: Log = Log::Decibel { reference: 0.5, least: 1e-10 };
    static TOP: Tables<256, 40> = shape!(Tables::new(&Parameters { log: HALF_REFERENCE, ..LIBROSA }));
    let mut limited = frames(&TOP, 5000);
    limit_range(&mut limited, 80.0);
    near("librosa_top_db", &limited);

    static HTK: Tables<256, 40> = shape!(Tables::new(&HTK_LOG));
    near("librosa_htk_log", &frames(&HTK, 5000));

    static MAGNITUDE: Tables<256, 40> = shape!(Tables::new(&Parameters {
        spectrum: Spectrum::Magnitude,
        window: 400,
        shape: WindowShape::Hamming,
        lowest: 20.0,
        log: Log::Decibel { reference: 1.0, least: 1e-5 },
        ..LIBROSA
    }));
    near("librosa_magnitude", &frames(&MAGNITUDE, 5000));

    static SYMMETRIC: Tables<256, 40> = shape!(Tables::new(&Parameters {
        shape: WindowShape::Blackman,
        symmetry: Symmetry::Symmetric,
        log: Log::NaturalAbove { least: 1e-5 },
        ..LIBROSA
    }));
    near("librosa_symmetric", &frames(&SYMMETRIC, 5000));

    static WIDE: Tables<1024, 64> = shape!(Tables::new(&Parameters { window: 2048, hop: 512, ..LIBROSA }));
    near("librosa_wide", &frames(&WIDE, 5000));
}

#[test]
fn spectrograms_are_those_of_torchaudio() {
    static POWER: Tables<256, 40> = shape!(Tables::new(&TORCHAUDIO));
    near("torchaudio_power", &frames(&POWER, 5000));

    static SLANEY: Tables<128, 23> = shape!(Tables::new(&Parameters {
        window: 256,
        hop: 100,
        scale: MelScale::Slaney,
        norm: FilterNorm::Slaney,
        spectrum: Spectrum::Magnitude,
        symmetry: Symmetry::Symmetric,
        ..TORCHAUDIO
    }));
    near("torchaudio_slaney", &frames(&SLANEY, 5000));
}

/// The cosine transform of frames that were kept.
fn transformed<const BANDS: usize, const COEFFICIENTS: usize>(
    dct: &Dct<BANDS, COEFFICIENTS>,
    frames: &[f32],
) -> Vec<f32> {
    let transform = |bands: &[f32; BANDS]| {
        let mut coefficients = [0.0; COEFFICIENTS];
        dct.apply(bands, &mut coefficients);
        coefficients
    };
    frames.as_chunks().0.iter().flat_map(transform).collect()
}

static DCT: Dct<40, 13> = shape!(Dct::new(DctNorm::Orthonormal, 0.0));

#[test]
fn mfcc_are_those_of_librosa_and_torchaudio() {
    for (name, tables) in [("librosa_mfcc", &LIBROSA_DECIBEL), ("torchaudio_mfcc_log", &TORCHAUDIO_LOG)] {
        let (mut mfcc, mut found) = (Mfcc::new(tables, &DCT), Vec::new());
        for samples in input().chunks(333) {
            mfcc.push_int16(samples, |frame| found.extend_from_slice(frame));
        }
        mfcc.finish(|frame| found.extend_from_slice(frame)).unwrap();
        near(name, &found);
    }
    // `top_db` needs the whole recording.
    let mut decibels = frames(&LIBROSA_DECIBEL, 5000);
    limit_range(&mut decibels, 80.0);
    let lifted: Dct<40, 20> = Dct::new(DctNorm::Orthonormal, 22.0).unwrap();
    near("librosa_mfcc_lifter", &transformed(&lifted, &decibels));

    static TORCHAUDIO_DECIBEL: Tables<256, 40> = shape!(Tables::new(&Parameters { log: DECIBEL, ..TORCHAUDIO }));
    let mut decibels = frames(&TORCHAUDIO_DECIBEL, 5000);
    limit_range(&mut decibels, 80.0);
    near("torchaudio_mfcc_decibel", &transformed(&DCT, &decibels));
}

/// What the boards compare: the beginning of the sound. A board that computed something else would be noticed.
#[test]
fn the_boards_compare_features_that_are_right() {
    let read =
        |name: &str, length: usize| blob(&format!("{FOLDER}/{name}.bin")).expect("the recording")[..length].to_vec();
    let coefficients = 4 * MFCC_FRAMES * COEFFICIENTS;
    let recordings =
        [("input", 2 * MFCC_SAMPLES), ("librosa_mfcc", coefficients), ("torchaudio_mfcc_log", coefficients)]
            .map(|(name, length)| (name, read(name, length)));
    let failed = |recordings: &[(&str, Vec<u8>)]| {
        let recorded =
            |name: &str| &recordings.iter().find(|recording| recording.0 == name).expect("a recording").1[..];
        let mut errors: Vec<MfccError> = Vec::new();
        mfcc_errors(recorded, |error| errors.push(error));
        println!("{errors:?}");
        assert_eq!(errors.len(), 4);
        errors.iter().filter(|error| !error.passed()).count()
    };
    assert_eq!(failed(&recordings), 0);
    // A coefficient that is off by 10 %, one that is not a number, a frame that is missing, and another sound.
    let last = coefficients - 4 * COEFFICIENTS;
    let first = f32::from_le_bytes(*recordings[1].1[last..].first_chunk().expect("a number"));
    for changed in [first * 1.1, f32::NAN] {
        let mut wrong = recordings.clone();
        wrong[1].1[last..last + 4].copy_from_slice(&changed.to_le_bytes());
        assert_eq!(failed(&wrong), 2, "{first} became {changed}");
    }
    let mut wrong = recordings.clone();
    wrong[0].1.truncate(2 * (MFCC_SAMPLES - 160));
    assert_eq!(failed(&wrong), 4);
    let mut wrong = recordings.clone();
    wrong[0].1[2 * 1000..2 * 1200].fill(0);
    assert_eq!(failed(&wrong), 4);
}

#[test]
fn a_perturbed_spectrogram_is_noticed() {
    let mut found = frames(&LIBROSA_DECIBEL, 5000);
    let expected = recorded("librosa_decibel");
    assert!(worst(&found, &expected) <= TOLERANCE);
    found[100] += 0.02;
    assert!(worst(&found, &expected) > TOLERANCE);
    found[100] = f32::NAN;
    assert!(worst(&found, &expected) > TOLERANCE);
    // Another window, another norm and another padding are no rounding errors.
    static OTHER: Tables<256, 40> =
        shape!(Tables::new(&Parameters { symmetry: Symmetry::Symmetric, log: DECIBEL, ..LIBROSA }));
    assert!(worst(&frames(&OTHER, 5000), &expected) > TOLERANCE);
}

#[test]
fn features_do_not_depend_on_how_the_sound_is_cut() {
    let whole = frames(&LIBROSA_DECIBEL, 5000);
    let reflected = frames(&TORCHAUDIO_LOG, 5000);
    let fixed = frames_q15(&DECIBEL_Q15, 5000);
    for block in [1, 7, 159, 160, 161, 513, 4999] {
        assert!(frames(&LIBROSA_DECIBEL, block) == whole, "blocks of {block}");
        assert!(frames(&TORCHAUDIO_LOG, block) == reflected, "blocks of {block}");
        assert!(frames_q15(&DECIBEL_Q15, block) == fixed, "blocks of {block}");
    }
}

#[test]
fn samples_that_are_not_numbers_spoil_their_own_frames_alone() {
    let mut samples: Vec<f32> = input().iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
    for (bad, value) in [(1000, f32::NAN), (2500, f32::INFINITY)] {
        samples[bad] = value;
    }
    let run = |samples: &[f32]| {
        let mut found = Vec::new();
        MelSpectrogram::new(&HTK_LOG_TABLES).push(samples, |frame| found.push(*frame));
        found
    };
    let clean: Vec<f32> = input().iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
    let mut spoiled = 0;
    for (index, (found, clean)) in run(&samples).iter().zip(run(&clean)).enumerate() {
        let covers = [1000, 2500].iter().any(|bad| (index * 160 + 1..index * 160 + 512).contains(bad));
        assert_eq!(found.iter().all(|value| !value.is_finite()), covers, "frame {index}: {found:?}");
        assert!(covers || *found == clean, "frame {index}");
        spoiled += u32::from(covers);
    }
    assert!(spoiled >= 6, "{spoiled} frames");
}

static HTK_LOG_TABLES: Tables<256, 40> = shape!(Tables::new(&HTK_LOG));

#[test]
fn silent_and_clipped_sounds_are_defined() {
    let mut silent = 0;
    MelSpectrogram::new(&LIBROSA_DECIBEL).push(&[0.0; 2000], |frame| {
        silent += 1;
        assert!(frame.iter().all(|&band| (band + 100.0).abs() < 1e-4), "{frame:?}");
    });
    MelSpectrogramQ15::new(&DECIBEL_Q15).push(&[0; 2000], |frame| {
        silent += 1;
        assert_eq!(frame, &[-100 << LOG_BITS; 40]);
    });
    assert!(silent > 20);
    for sound in [[i16::MIN; 2], [i16::MAX; 2], [i16::MIN, i16::MAX]] {
        let mut found = 0;
        let (mut mel, mut fixed) = (MelSpectrogram::new(&LIBROSA_DECIBEL), MelSpectrogramQ15::new(&DECIBEL_Q15));
        for _ in 0..1000 {
            mel.push_int16(&sound, |frame| {
                found += 1;
                assert!(frame.iter().all(|band| band.is_finite() && *band < 60.0), "{frame:?}");
            });
            fixed.push(&sound, |frame| {
                found += 1;
                assert!(frame.iter().all(|&band| band < 60 << LOG_BITS), "{frame:?}");
            });
        }
        assert!(found > 20, "{found} frames");
    }
}

static DECIBEL_Q15: TablesQ15<256, 40> = shape!(TablesQ15::new(&Parameters { log: DECIBEL, ..LIBROSA }));
static TORCHAUDIO_LOG_Q15: TablesQ15<256, 40> =
    shape!(TablesQ15::new(&Parameters { log: Log::Natural { offset: 1e-6 }, ..TORCHAUDIO }));
static HTK_LOG_Q15: TablesQ15<256, 40> = shape!(TablesQ15::new(&HTK_LOG));

/// All frames of the spectrogram in integers, as numbers, the sound cut into blocks.
fn frames_q15<const HALF: usize, const BANDS: usize>(
    tables: &'static TablesQ15<HALF, BANDS>,
    block: usize,
) -> Vec<f32> {
    let real = |frame: &[i16; BANDS]| frame.map(|value| f32::from(value) / (1 << LOG_BITS) as f32);
    let (mut mel, mut found) = (MelSpectrogramQ15::new(tables), Vec::new());
    for samples in input().chunks(block) {
        mel.push(samples, |frame| found.extend(real(frame)));
        let state = mel.save();
        mel.reset();
        mel.restore(&state);
    }
    mel.finish(|frame| found.extend(real(frame))).expect("the sound is longer than a frame");
    found
}

/// The largest and the mean difference, in units of the feature, over the bands that lie at most `range` below the loudest of their frame.
fn differences(found: &[f32], expected: &[f32], bands: usize, range: f32) -> (f32, f32) {
    assert_eq!(found.len(), expected.len());
    let (mut most, mut sum, mut count) = (0.0_f32, 0.0, 0_u16);
    for (found, expected) in found.chunks(bands).zip(expected.chunks(bands)) {
        let loudest = expected.iter().fold(f32::NEG_INFINITY, |most, &value| most.max(value));
        for (found, expected) in found.iter().zip(expected).filter(|(_, expected)| **expected > loudest - range) {
            most = most.max((found - expected).abs());
            sum += (found - expected).abs();
            count += 1;
        }
    }
    assert!(count > 300, "{count} bands");
    (most, sum / f32::from(count))
}

/// The integers against the recordings. Bands that lie far below the loudest of their frame are less exact, because the FFT has 16
/// bits: the first figures are those of bands at most 30 dB below (as much in natural logarithms), the second those of all.
#[test]
fn q15_features_are_near_those_in_f32() {
    for (name, found, range, near, all) in [
        ("librosa_decibel", frames_q15(&DECIBEL_Q15, 5000), 30.0, (0.3, 0.06), (2.7, 0.14)),
        ("librosa_htk_log", frames_q15(&HTK_LOG_Q15, 5000), 6.9, (0.07, 0.012), (0.35, 0.025)),
    ] {
        let expected = recorded(name);
        for (range, (most, mean)) in [(range, near), (f32::INFINITY, all)] {
            let found = differences(&found, &expected, 40, range);
            println!("{name}: {found:?} of {most} and {mean}");
            assert!(found.0 <= most && found.1 <= mean, "{name}: {found:?} within {range}");
        }
    }
    static DCT_Q15: DctQ15<40, 13> = shape!(DctQ15::new(DctNorm::Orthonormal, 0.0));
    for (name, tables, tolerance) in
        [("librosa_mfcc", &DECIBEL_Q15, 0.005), ("torchaudio_mfcc_log", &TORCHAUDIO_LOG_Q15, 0.015)]
    {
        let (mut mfcc, mut found) = (MfccQ15::new(tables, &DCT_Q15), Vec::new());
        let real = |frame: &[i32; 13]| frame.map(|value| value as f32 / (1 << LOG_BITS) as f32);
        mfcc.push(&input(), |frame| found.extend(real(frame)));
        mfcc.finish(|frame| found.extend(real(frame))).unwrap();
        let worst = worst(&found, &recorded(name));
        assert!(worst <= tolerance, "{name}: {worst}");
    }
}

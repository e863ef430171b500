//! The micro audio front end against recordings of the reference: every stage, the features of whole recordings, blocks cut anywhere.

use smolnn_signal::micro::MicroFrontend;
use smolnn_testkit::golden::{blob, to_i16};
use smolnn_testkit::signal::{STAGES, compare_stages};

pub(crate) const WAKE: &str = "../shared/golden/wake";
pub(crate) const WINDOW: usize = 480;
pub(crate) const CHANNELS: usize = 40;
/// Recorded calls of every stage.
const CALLS: usize = 60;

/// Recordings that have features.
pub(crate) const SOUNDS: [&str; 6] = ["okay_nabu", "okay_nabu_2", "okay_nabu_noise", "inside", "hey_jarvis_2", "other"];

/// The samples of a WAV file of 16 bits, mono: what lies behind the word `data` and its length.
pub(crate) fn samples(name: &str) -> Option<Vec<i16>> {
    let bytes = blob(&format!("{WAKE}/{name}.wav"))?;
    let data = bytes.windows(4).position(|word| word == b"data").expect("a WAV file has data");
    Some(to_i16(&bytes[data + 8..]))
}

fn features(name: &str) -> Option<Vec<u16>> {
    Some(to_i16(&blob(&format!("{WAKE}/{name}.features.bin"))?).into_iter().map(|value| value as u16).collect())
}

#[test]
fn every_stage_of_the_front_end_equals_the_reference() {
    let Some(_) = blob(&format!("{WAKE}/stage_windowed_i16.bin")) else { return };
    let stages = STAGES
        .map(|(name, _)| (name, blob(&format!("{WAKE}/stage_{name}.bin")).expect("the recording has all stages")));
    let recorded = |name: &str| &stages.iter().find(|stage| stage.0 == name).expect("a stage").1[..];
    let compared = compare_stages(CALLS, recorded).unwrap();
    assert!(compared > 80_000, "{compared} numbers");
    // A recording with one wrong bit is found, in every stage but the first, which only feeds the others.
    for (wrong, _) in &STAGES[1..] {
        let mut changed = recorded(wrong).to_vec();
        // The last number: of the last window, and in the energies one that the filter bank takes.
        let at = if *wrong == "energy_u32" { changed.len() - 4 * 100 } else { changed.len() - 4 };
        changed[at] ^= 1;
        let difference = compare_stages(CALLS, |name| if name == *wrong { &changed } else { recorded(name) });
        assert!(difference.is_err(), "{wrong}");
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

//! Every kernel and model on the board, bit for bit and floats within a tolerance: the random cases that the host runs too, and
//! the recorded golden data.
//! With `--perturb yes` it expects wrong golden outputs, and must fail for each of them.
//! Lines: `pass NAME <tab> NOTE` or `fail NAME <tab> NOTE`, and `done PASSED FAILED` at the end.
#![no_std]
#![no_main]

use firmware::models;
use smolnn_fixed::rnn::gru;
use smolnn_testkit::cases::{self, hostile};
use smolnn_testkit::float_cases::{self, Outcome};
use smolnn_testkit::model::{self, Info, Recording, Runnable, Visitor};
use smolnn_testkit::sequences::{self, Outcome as Outcomes};
use smolnn_testkit::signal;

board::entry!(run);

/// Words of memory for the random cases.
const WORDS: usize = if cfg!(smolnn_small_board) { 1 } else { 65_536 };

/// Floats of memory for a recorded float case; a board of 16 KiB has none of them.
const FLOATS: usize = if cfg!(smolnn_small_board) { 1 } else { 16 * 1024 };

/// Random cases per kernel.
const ROUNDS: u32 = 24;

/// Random cases of depthwise convolutions, which have a body for each of many kinds of windows.
const DEPTHWISE_ROUNDS: u32 = 240;

/// Attempts to make layers of what does not belong together.
const ATTEMPTS: u64 = 4000;

/// Counts and prints.
#[derive(Default)]
struct Report {
    passed: u32,
    failed: u32,
}

impl Report {
    fn add(&mut self, passed: bool, name: core::fmt::Arguments<'_>, note: core::fmt::Arguments<'_>) {
        if passed {
            self.passed += 1;
            board::println!("pass {name}\t{note}");
        } else {
            self.failed += 1;
            board::println!("fail {name}\t{note}");
        }
    }
}

fn run() -> board::Exit {
    let mut report = Report::default();
    let perturb = board::option("--perturb", |value| value.is_some());
    // All kernels with their oracles need more flash than a small board has: it runs models, `m0` the same code's cases.
    if !perturb && !cfg!(smolnn_small_board) {
        random_cases(&mut report);
        every_pair(&mut report);
        hostile_layers(&mut report);
    }
    for (name, error) in models::REFUSED_MODELS.iter().chain(operators::REFUSED_QUANTISED) {
        report.add(false, format_args!("{name}"), format_args!("{error}"));
    }
    let mut golden = Golden { report: &mut report, perturb };
    models::models(&mut golden);
    operators::operators(&mut golden);
    operators::quantised(&mut golden);
    if !perturb {
        let (found, frames) = signal::checksum();
        let right = found == signal::EXPECTED && frames == signal::FRAMES;
        report.add(
            right,
            format_args!("signal/micro_frontend"),
            format_args!("{frames} frames, checksum {found:#010x}"),
        );
        stages(&mut report);
        if !operators::MFCC.is_empty() {
            mfcc(&mut report);
        }
        float_cases(&mut report);
        if !cfg!(smolnn_small_board) {
            float_sequences(&mut report);
            gru_over_sequences(&mut report);
        }
    }
    board::println!("done {} {}", report.passed, report.failed);
    // No case at all proves nothing.
    if report.failed == 0 && report.passed > 0 { board::Exit::Pass } else { board::Exit::Fail }
}

/// Layers of any layout, words and ranges: refused, or within their memory.
#[inline(never)]
fn hostile_layers(report: &mut Report) {
    let attempts = hostile::attempts(&mut [0; 4096], ATTEMPTS);
    report.add(attempts.passed(), format_args!("hostile layers"), format_args!("{attempts:?}"));
}

#[inline(never)]
fn random_cases(report: &mut Report) {
    let mut memory = [0; WORDS];
    for case in cases::all() {
        let is_depthwise = case.kernel == "conv/depthwise.rs::depthwise_conv2d";
        let outcome = cases::run_one(case, &mut memory, if is_depthwise { DEPTHWISE_ROUNDS } else { ROUNDS });
        let name = format_args!("{}", case.kernel);
        match outcome.first {
            Some((seed, failure)) => {
                let (failed, cases) = (outcome.failed, outcome.cases);
                report.add(false, name, format_args!("{failed} of {cases} cases; seed {seed}: {failure:?}"));
            }
            None => report.add(outcome.passed(), name, format_args!("{} cases", outcome.cases)),
        }
    }
}

/// Every pair of int8 through sums and products.
#[inline(never)]
fn every_pair(report: &mut Report) {
    let name = format_args!("elementwise, every pair");
    match cases::every_pair() {
        Ok(compared) => report.add(true, name, format_args!("{compared} outputs")),
        Err(failure) => report.add(false, name, format_args!("{failure:?}")),
    }
}

/// Every stage of the micro front end against its recording.
#[inline(never)]
fn stages(report: &mut Report) {
    if operators::STAGED_WINDOWS == 0 {
        return;
    }
    let recorded = |name: &str| operators::STAGES.iter().find(|stage| stage.0 == name).map_or(&[][..], |stage| stage.1);
    let name = format_args!("signal/stages");
    match signal::compare_stages(operators::STAGED_WINDOWS, recorded) {
        Ok(compared) => report.add(true, name, format_args!("{compared} numbers")),
        Err(difference) => report.add(false, name, format_args!("{difference:?}")),
    }
}

/// MFCC in f32 and in Q15 against those of librosa and torchaudio.
#[inline(never)]
fn mfcc(report: &mut Report) {
    let recorded = |name: &str| operators::MFCC.iter().find(|blob| blob.0 == name).map_or(&[][..], |blob| blob.1);
    signal::mfcc_errors(recorded, |error| {
        // In millionths: printing floats is large.
        let [worst, most] = [error.worst, error.tolerance].map(|share| (share * 1e6) as u32);
        report.add(
            error.passed(),
            format_args!("signal/{}/{}", error.recording, error.format),
            format_args!("worst {worst}e-6 of {most}e-6"),
        );
    });
}

/// The f32 kernels against recorded outputs and gradients.
#[inline(never)]
fn float_cases(report: &mut Report) {
    let mut memory = [0.0; FLOATS];
    let blob = |name: &str| operators::FLOAT_BLOBS.iter().find(|blob| blob.0 == name).map(|blob| blob.1);
    float_cases::run(operators::FLOAT_MANIFEST, blob, &mut memory, &mut |case, outcome| {
        let name = format_args!("float/{}", case.name);
        match outcome {
            Outcome::NotHere => {}
            Outcome::Compared { worst, tolerance, elements } => {
                // In units of 1e-9: printing floats is large.
                let nano = (worst * 1e9) as u32;
                let most = (tolerance * 1e9) as u32;
                report.add(outcome.passed(), name, format_args!("{elements} elements, worst {nano}e-9 of {most}e-9"));
            }
            Outcome::Refused(_) | Outcome::Incomplete => report.add(false, name, format_args!("{outcome:?}")),
        }
    });
    let (cases, worst) = float_cases::compare_passes();
    let most = if smolnn_float::FUSES_F32 { 4e-7 } else { 0.0 };
    let nano = (worst * 1e9) as u32;
    report.add(worst <= most, format_args!("float/passes"), format_args!("{cases} cases, worst {nano}e-9"));
    let (right, loss) = float_cases::learn_xor();
    report.add(right, format_args!("float/learn_xor"), format_args!("loss {}e-6", (loss * 1e6) as u32));
}

/// Recorded speech through trained recurrent networks in f32.
#[inline(never)]
fn float_sequences(report: &mut Report) {
    sequences::run(10, &mut [0.0; 4096], &mut |name, outcome| {
        let name = format_args!("float/sequences/{name}");
        let Some(outcome) = outcome else { return report.add(false, name, format_args!("not run")) };
        let nano = |worst: f32| (worst * 1e9) as u32;
        let (state, logit) = (nano(outcome.worst_state), nano(outcome.worst_logit));
        let Outcomes { frames, utterances, right, .. } = outcome;
        let most = nano(Outcomes::TOLERANCE);
        report.add(
            outcome.passed(),
            name,
            format_args!(
                "{frames} states, worst {state}e-9 of {most}e-9; {utterances} utterances, {right} right, worst logit {logit}e-9"
            ),
        );
    });
}

/// The quantised GRU over spoken vowels, frame by frame: the host's states, bit for bit.
#[inline(never)]
fn gru_over_sequences(report: &mut Report) {
    let layer = &operators::gru::GRU;
    let mut scratch = [0; 128];
    for (index, (frames, expected)) in operators::UTTERANCES.iter().enumerate() {
        let mut state = [0; 16];
        let mut ran = true;
        for frame in frames.chunks_exact(layer.inputs()) {
            ran &= gru::step(layer, &mut state, frame, &mut scratch).is_ok();
        }
        let note = format_args!("{} frames", frames.len() / layer.inputs());
        report.add(ran && state == *expected, format_args!("quantised_gru/utterance{index}"), note);
    }
}

/// Compares models with their recorded outputs.
struct Golden<'a> {
    report: &'a mut Report,
    perturb: bool,
}

impl Visitor for Golden<'_> {
    fn wants(&self, _: &Info) -> bool {
        true
    }

    fn model(&mut self, info: &Info, recordings: &'static [Recording], model: &mut dyn Runnable) {
        for recording in recordings {
            let name = format_args!("{}/{}", info.name, recording.label);
            match first_difference(info, recording, model, self.perturb) {
                None => self.report.add(true, name, format_args!("{} steps", recording.steps)),
                Some(Difference { step, output, index, expected, found }) => self.report.add(
                    false,
                    name,
                    format_args!(
                        "step {step}, output {output}, element {index}: expected {expected:#04x}, found {found:#04x}"
                    ),
                ),
            }
        }
    }
}

/// Where a model differs from its recording.
struct Difference {
    step: usize,
    output: usize,
    /// Float of an f32 output, byte of any other.
    index: usize,
    /// Its bits, as those of `found`: printing floats is large.
    expected: u32,
    found: u32,
}

/// The first difference from what was recorded. With `perturb` every recorded element is wrong: the lowest bit of a byte, the lowest
/// bit of a float's exponent.
fn first_difference(info: &Info, recording: &Recording, model: &mut dyn Runnable, perturb: bool) -> Option<Difference> {
    model.reset();
    for step in 0..recording.steps {
        model::load(model, recording, step);
        model.run();
        for (output, (recorded, &float)) in recording.outputs.iter().zip(info.float_outputs).enumerate() {
            let found = model.output(output);
            // What was recorded may be of the last steps alone.
            let Some(position) = (step + recorded.len() / found.len()).checked_sub(recording.steps) else { continue };
            let recorded = &recorded[position * found.len()..][..found.len()];
            let compare = if float { float_difference } else { byte_difference };
            let difference = compare(recorded, found, perturb);
            if let Some((index, expected, found)) = difference {
                return Some(Difference { step, output, index, expected, found });
            }
        }
    }
    None
}

/// Index and values of the first byte that differs.
fn byte_difference(recorded: &[u8], found: &[u8], perturb: bool) -> Option<(usize, u32, u32)> {
    let flip = u8::from(perturb);
    let index = recorded.iter().zip(found).position(|(&recorded, &found)| recorded ^ flip != found)?;
    Some((index, u32::from(recorded[index] ^ flip), u32::from(found[index])))
}

/// Index and bits of the first float that is off by more than the tolerance.
fn float_difference(recorded: &[u8], found: &[u8], perturb: bool) -> Option<(usize, u32, u32)> {
    let flip = u32::from(perturb) << (f32::MANTISSA_DIGITS - 1);
    let recorded = model::floats(recorded).map(|value| f32::from_bits(value.to_bits() ^ flip));
    let (index, recorded, found) = model::float_difference(recorded, model::floats(found))?;
    Some((index, recorded.to_bits(), found.to_bits()))
}
